//! Points in time for a store that has none: undo records for as long as somebody reads the past.
//!
//! # How it works
//! Every batch makes a new version. While ranges are being read, a batch leaves behind what it overwrote. A range that began at version
//! 7 reads the store as it is now and then puts back what versions 8, 9... overwrote, the newest first, so that the oldest wins.
//!
//! # Invariants
//! - Undo records of version v are kept while some reader is older than v, and no longer.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::Mutex;

/// What some keys held before a batch; None: nothing.
pub type Undo = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// The versions that matter to somebody.
#[derive(Debug, Default)]
pub struct Snapshots {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    version: u64,
    /// Version -> how many read it.
    readers: BTreeMap<u64, usize>,
    undo: BTreeMap<u64, Arc<Undo>>,
}

impl Snapshots {
    /// Starts reading at the current version.
    pub fn begin(&self) -> Snapshot<'_> {
        let mut state = self.state.lock();
        let version = state.version;
        *state.readers.entry(version).or_default() += 1;
        Snapshot {
            snapshots: self,
            version,
        }
    }

    /// True if a batch has to leave undo records.
    pub fn has_readers(&self) -> bool {
        !self.state.lock().readers.is_empty()
    }

    /// Starts a new version. The caller keeps readers away from the store between its change and this call.
    pub fn publish(&self, undo: Undo) {
        let mut state = self.state.lock();
        state.version += 1;
        let version = state.version;
        if !undo.is_empty() {
            state.undo.insert(version, Arc::new(undo));
        }
    }
}

/// A version being read.
pub struct Snapshot<'a> {
    snapshots: &'a Snapshots,
    version: u64,
}

impl Snapshot<'_> {
    /// Puts back what newer versions overwrote between two bounds.
    pub fn restore(&self, entries: &mut BTreeMap<Vec<u8>, Vec<u8>>, bounds: (Bound<&[u8]>, Bound<&[u8]>)) {
        let newer: Vec<Arc<Undo>> = {
            let state = self.snapshots.state.lock();
            let newer = state
                .undo
                .range((Bound::Excluded(self.version), Bound::Unbounded));
            newer.rev().map(|(_, undo)| Arc::clone(undo)).collect()
        };
        for (key, old) in newer.iter().flat_map(|undo| undo.range::<[u8], _>(bounds)) {
            match old {
                Some(old) => entries.insert(key.clone(), old.clone()),
                None => entries.remove(key),
            };
        }
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        let mut state = self.snapshots.state.lock();
        if let Some(readers) = state.readers.get_mut(&self.version) {
            *readers -= 1;
            if *readers == 0 {
                state.readers.remove(&self.version);
            }
        }
        match state.readers.first_key_value().map(|(oldest, _)| *oldest) {
            Some(oldest) => state.undo = state.undo.split_off(&(oldest + 1)),
            None => state.undo.clear(),
        }
    }
}
