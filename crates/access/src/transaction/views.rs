//! From which commands a transaction is looking: what keeps rows of different commands from being dated alike.
//!
//! Rows that go into the store ahead of the commit have one gate for many commands ([`crate::ahead::singles`]). A cursor that was opened between
//! two of these sees some of the rows only, so they wait in delta until it is closed.

use std::collections::BTreeMap;
use std::sync::Arc;

use common::CommandId;
use parking_lot::Mutex;

/// The commands of the snapshots that are in use, each with how many.
#[derive(Default)]
pub(crate) struct Views(Mutex<BTreeMap<CommandId, usize>>);

/// A snapshot in use.
pub(crate) struct View {
    all: Arc<Views>,
    command: CommandId,
}

impl Views {
    /// Takes note of a snapshot until the result goes.
    pub(crate) fn enter(self: &Arc<Self>, command: CommandId) -> Arc<View> {
        *self.0.lock().entry(command).or_default() += 1;
        Arc::new(View {
            all: Arc::clone(self),
            command,
        })
    }

    /// True when a snapshot sees what the first of these commands did and not what the last did.
    pub(crate) fn divide(&self, first: CommandId, last: CommandId) -> bool {
        first < last
            && self
                .0
                .lock()
                .range(..=last)
                .next_back()
                .is_some_and(|(c, _)| *c > first)
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let mut commands = self.all.0.lock();
        if let Some(count) = commands.get_mut(&self.command) {
            *count -= 1;
            if *count == 0 {
                commands.remove(&self.command);
            }
        }
    }
}
