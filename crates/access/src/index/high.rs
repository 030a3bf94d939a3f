//! A bound above all keys of an index, so that who inserts a greater one need not look for it.
//!
//! # Invariants
//! - The bound is raised before an entry goes into delta, under the latch of its key: who asks about the same key under the same latch
//!   has it. Entries that went to leaves or the store otherwise raise it under all latches, or make it unknown.
//! - It never falls: keys that are gone only make it higher than need be.

use std::sync::Arc;

use common::PgResult;
use parking_lot::Mutex;

use crate::index::store::{EntryKey, IndexStore};

/// At least the greatest key, row id included.
#[derive(Default)]
pub(crate) struct HighKey(Mutex<Bound>);

#[derive(Default)]
struct Bound {
    /// Above what delta got since the index was opened.
    key: EntryKey,
    /// And above what leaves and store have.
    whole: bool,
}

impl HighKey {
    /// Notes a key.
    pub(crate) fn raise(&self, key: &EntryKey) {
        let mut bound = self.0.lock();
        if *key > bound.key {
            // `clone_from` goes byte by byte.
            bound.key.clear();
            bound.key.extend_from_slice(key);
        }
    }

    /// The store has keys that nobody noted.
    pub(crate) fn forget(&self) {
        self.0.lock().whole = false;
    }
}

impl IndexStore {
    /// True when no entry has this key (without row id) or a greater one. False says nothing. The caller holds the key's latch.
    pub(crate) fn is_above_all(self: &Arc<Self>, prefix: &[u8]) -> PgResult<bool> {
        let mut bound = self.high.0.lock();
        if !bound.whole {
            let last = self.leaf_below(None)?;
            let key = match last.len() {
                // What lies in other leaves is below this one.
                0 => last.leaf.low.clone(),
                n => EntryKey::from_slice(last.key(n - 1)),
            };
            bound.key = key.max(std::mem::take(&mut bound.key));
            bound.whole = true;
        }
        Ok(prefix > bound.key.as_slice())
    }
}
