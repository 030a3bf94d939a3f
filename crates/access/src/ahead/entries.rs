//! Index entries of loads that wait in delta for their way into the store.
//!
//! # How it works
//! 1. An entry of a row behind a transaction's own gate goes into delta, where everybody finds it, but neither into the log nor, by itself, into
//!    the write set: it joins the [`Waits`] of its load and index, which the write set has.
//! 2. When all that wait take more than [`crate::StorageOptions::ahead_entry_bytes`], and before the commit, those of the index with the most
//!    are sorted and folded into its packs ([`crate::index::fold`]). Then they leave delta; the gate before their rows says who sees them.
//! 3. One that the transaction itself has deleted by then goes into the store, too, and stays in delta: delta counts more.
//!
//! # Invariants
//! - An entry has the command of its load and no savepoint lies between, so the two have one fate.
//! - What the log says of these entries are changes after they were in the store.

use std::sync::Arc;

use common::{Csn, PgResult};
use parking_lot::Mutex;
use txn::Stamp;

use crate::ahead::Load;
use crate::block::CHUNK_ROWS;
use crate::index::delta::EntryVersion;
use crate::index::store::{EntryKey, IndexStore, entry_row};
use crate::transaction::Transaction;
use crate::transaction::redo::{RedoOp, put_op};
use crate::transaction::writes::Write;

/// An entry in delta.
pub(crate) type Waiting = (EntryKey, Arc<EntryVersion>);

/// Entries of one load in one index.
pub(crate) struct Waits {
    pub(crate) index: Arc<IndexStore>,
    pub(crate) load: Arc<Load>,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    waiting: Vec<Waiting>,
    /// In the store, and in delta because they were changed since.
    stored: Vec<Waiting>,
    /// Up to where row ids have the gate in this index.
    gated: u64,
}

impl Waits {
    fn push(&self, key: EntryKey, version: Arc<EntryVersion>) -> PgResult<()> {
        let row = entry_row(&key)?.0;
        let mut entries = self.entries.lock();
        if row >= entries.gated {
            let start = row - row % CHUNK_ROWS;
            entries.gated = start + CHUNK_ROWS;
            self.index.gates.add(start..entries.gated, &self.load.gate);
        }
        entries.waiting.push((key, version));
        Ok(())
    }

    /// Entries to be undone.
    pub(crate) fn len(&self) -> usize {
        let entries = self.entries.lock();
        entries.waiting.len() + entries.stored.len()
    }

    pub(crate) fn take(&self) -> Vec<Waiting> {
        std::mem::take(&mut self.entries.lock().waiting)
    }

    /// Entries that could not go.
    pub(crate) fn give_back(&self, entry: Waiting) {
        self.entries.lock().waiting.push(entry);
    }

    /// An entry that is in the store and stays in delta.
    pub(crate) fn keep(&self, entry: Waiting) {
        self.entries.lock().stored.push(entry);
    }

    /// Bytes of memory of those that wait, roughly.
    fn bytes(&self) -> usize {
        let entries = self.entries.lock();
        entries
            .waiting
            .iter()
            .map(|(key, version)| version.memory_bytes(key))
            .sum()
    }

    pub(crate) fn settle(&self, csn: Csn) {
        let entries = self.entries.lock();
        for (_, version) in entries.waiting.iter().chain(&entries.stored) {
            version.begin.set(Stamp::committed(csn));
        }
    }

    pub(crate) fn undo(&self) {
        let Entries {
            mut waiting, stored, ..
        } = std::mem::take(&mut *self.entries.lock());
        // In the order of their keys each is found near the last, in memory that is in a cache.
        waiting.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        for (key, version) in &waiting {
            self.index.undo_insert(key, version);
        }
        for (key, version) in &stored {
            self.index.undo_insert(key, version);
            // Removing it from the store will count it again.
            self.index.count(1, key);
        }
    }

    /// The log may have changes of them, which are undone: replay ends with nothing.
    pub(crate) fn put_inverse(&self, out: &mut Vec<u8>) {
        if self.index.is_logged() {
            let entries = self.entries.lock();
            for (key, _) in entries.waiting.iter().chain(&entries.stored) {
                put_op(RedoOp::EntryDelete(self.index.id, key), out);
            }
        }
    }
}

/// The entries of a transaction that wait.
#[derive(Default)]
pub(crate) struct AllWaits {
    indexes: Vec<OfIndex>,
    bytes: usize,
}

/// Those of one index.
struct OfIndex {
    all: Vec<Arc<Waits>>,
    bytes: usize,
}

impl AllWaits {
    /// The place of an index.
    fn find(&self, index: &IndexStore) -> Option<usize> {
        let is_it = |of: &OfIndex| of.all.first().is_some_and(|waits| waits.index.id == index.id);
        self.indexes.iter().position(is_it)
    }

    /// Those of an index and a load, which must be its last.
    fn of(&self, index: &IndexStore, load: &Arc<Load>) -> Option<Arc<Waits>> {
        let last = self.indexes[self.find(index)?].all.last()?;
        Arc::ptr_eq(&last.load, load).then(|| Arc::clone(last))
    }

    fn add(&mut self, waits: &Arc<Waits>) {
        let all = vec![Arc::clone(waits)];
        match self.find(&waits.index) {
            Some(k) => self.indexes[k].all.extend(all),
            None => self.indexes.push(OfIndex { all, bytes: 0 }),
        }
    }

    fn count(&mut self, index: &IndexStore, bytes: usize) {
        if let Some(k) = self.find(index) {
            self.indexes[k].bytes += bytes;
        }
        self.bytes += bytes;
    }

    /// Those of the index with the most.
    fn take_most(&mut self) -> Option<Vec<Arc<Waits>>> {
        let most = (0..self.indexes.len()).max_by_key(|&k| self.indexes[k].bytes)?;
        let of = self.indexes.swap_remove(most);
        self.bytes = self.bytes.saturating_sub(of.bytes);
        Some(of.all)
    }

    /// Those of an index that could not all go.
    fn give_back(&mut self, mut all: Vec<Arc<Waits>>) {
        all.retain(|waits| waits.bytes() > 0);
        let bytes = all.iter().map(|waits| waits.bytes()).sum();
        self.bytes += bytes;
        self.indexes.push(OfIndex { all, bytes });
    }

    /// After some of them were undone.
    pub(crate) fn recount(&mut self) {
        for of in &mut self.indexes {
            of.all.retain(|waits| waits.bytes() > 0);
            of.bytes = of.all.iter().map(|waits| waits.bytes()).sum();
        }
        self.indexes.retain(|of| !of.all.is_empty());
        self.bytes = self.indexes.iter().map(|of| of.bytes).sum();
    }
}

impl Transaction {
    /// New entries in delta of rows of this load join those that wait. Where this fails they are in the write set all the same.
    pub(crate) fn wait_entries(
        &mut self,
        index: &Arc<IndexStore>,
        load: &Arc<Load>,
        entries: impl Iterator<Item = Waiting>,
    ) -> PgResult<()> {
        self.add_waiting(index, load, entries)?;
        self.store_many_entries()
    }

    /// The same, without putting any into the store.
    pub(super) fn add_waiting(
        &mut self,
        index: &Arc<IndexStore>,
        load: &Arc<Load>,
        entries: impl Iterator<Item = Waiting>,
    ) -> PgResult<()> {
        let waits = match self.ahead.waits.of(index, load) {
            Some(waits) => waits,
            None => {
                let waits = Arc::new(Waits {
                    index: Arc::clone(index),
                    load: Arc::clone(load),
                    entries: Mutex::default(),
                });
                self.record(Write::Waits(Arc::clone(&waits)), None)?;
                self.ahead.waits.add(&waits);
                waits
            }
        };
        let mut bytes = 0;
        for (key, version) in entries {
            bytes += version.memory_bytes(&key);
            waits.push(key, version)?;
        }
        self.ahead.waits.count(index, bytes);
        Ok(())
    }

    /// Some of those that wait go, if they are many.
    pub(super) fn store_many_entries(&mut self) -> PgResult<()> {
        if self.ahead.waits.bytes > self.storage().options().ahead_entry_bytes {
            self.store_most_entries()?;
        }
        Ok(())
    }

    fn store_most_entries(&mut self) -> PgResult<()> {
        let Some(all) = self.ahead.waits.take_most() else {
            return Ok(());
        };
        let outcome = crate::index::fold::store_entries(&all, &self.options().wait.cancel);
        if outcome.is_err() {
            self.ahead.waits.give_back(all);
        }
        outcome
    }

    /// Before the commit none may wait.
    pub(crate) fn store_all_entries(&mut self) -> PgResult<()> {
        while !self.ahead.waits.indexes.is_empty() {
            self.store_most_entries()?;
        }
        Ok(())
    }
}
