//! The savepoints of a transaction that may still be rolled back to.
//!
//! Releasing a savepoint is dropping it. What is undone as a whole from here on, is what came after the last one that somebody holds.

use std::sync::{Arc, Weak};

/// Where in the write set savepoints are, ascending.
#[derive(Default)]
pub(crate) struct Marks(Vec<(usize, Weak<()>)>);

impl Marks {
    /// A new one at the end of the write set; it counts while the result is held.
    pub(crate) fn set(&mut self, at: usize) -> Arc<()> {
        while self.0.pop_if(|(_, held)| held.strong_count() == 0).is_some() {}
        let held = Arc::new(());
        self.0.push((at, Arc::downgrade(&held)));
        held
    }

    /// Where the last one is.
    pub(crate) fn last(&self) -> usize {
        let held = self.0.iter().rev().find(|(_, held)| held.strong_count() > 0);
        held.map_or(0, |(at, _)| *at)
    }

    /// The write set was cut: those that were beyond its end are good for nothing any more.
    pub(crate) fn cut(&mut self, end: usize) {
        for (at, _) in &mut self.0 {
            *at = end.min(*at);
        }
    }
}
