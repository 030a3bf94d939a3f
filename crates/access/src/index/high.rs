//! A bound above all keys of an index, so that who inserts a greater one need not look for it.
//!
//! # Invariants
//! - The bound is raised when an entry has gone into delta, under the latch of its key: who asks about the same key under the same latch
//!   has it. Entries that went to leaves or the store otherwise raise it under all latches, or make it unknown.
//! - It falls when it is made anew: a merge that took dead entries away makes it unknown. Keys that are gone only make it higher than
//!   need be. Who makes it anew looks at delta first and at the leaves then, as entries go from delta to leaves and are in both meanwhile.

use std::sync::Arc;

use common::PgResult;
use parking_lot::Mutex;

use crate::index::store::{EntryKey, IndexStore, copy_of};

/// Empty leaves after which a lower bound is not looked for.
const EMPTY_LEAVES: usize = 64;

/// At least the greatest key, row id included.
#[derive(Default)]
pub(crate) struct HighKey(Mutex<Bound>);

#[derive(Default)]
struct Bound {
    key: EntryKey,
    /// False: the bound is unknown, whatever `key` says.
    known: bool,
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

    /// The store has keys that nobody noted, or has lost some.
    pub(crate) fn forget(&self) {
        self.0.lock().known = false;
    }
}

impl IndexStore {
    /// True when no entry has this key (without row id) or a greater one. False says nothing. The caller holds the key's latch.
    pub(crate) fn is_above_all(self: &Arc<Self>, prefix: &[u8]) -> PgResult<bool> {
        let mut bound = self.high.0.lock();
        if !bound.known {
            let of_delta = self.delta.last().map(|entry| copy_of(entry.key()));
            bound.key = of_delta.unwrap_or_default().max(self.bound_of_leaves()?);
            bound.known = true;
        }
        Ok(prefix > bound.key.as_slice())
    }

    fn bound_of_leaves(self: &Arc<Self>) -> PgResult<EntryKey> {
        let mut leaf = self.leaf_below(None)?;
        // Leaves whose entries are gone stand empty.
        for _ in 0..EMPTY_LEAVES {
            if leaf.len() > 0 || leaf.leaf.low.is_empty() {
                break;
            }
            let high = leaf.leaf.low.clone();
            leaf = self.leaf_below(Some(&high))?;
        }
        Ok(match leaf.len() {
            // What lies in other leaves is below this one.
            0 => leaf.leaf.low.clone(),
            n => EntryKey::from_slice(leaf.key(n - 1)),
        })
    }
}
