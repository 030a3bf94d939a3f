//! Entries into the KV store ahead of their transaction's commit ([`crate::ahead`]).
//!
//! # How it works
//! A run of entries whose keys all lie above every pack becomes packs of its own, at once: under all latches it is seen that a unique
//! index is free of the keys, the packs are written, and the loaded leaf is replaced. From then on the entries are found there, and the
//! gate before their rows says who sees them. Delta and log have nothing of them.
//!
//! # Invariants
//! - Packs do not overlap: new ones begin above the last entry of the last pack, and nobody else makes any meanwhile (all latches).
//! - A leaf read before the packs were written does not get into the directory after it: the epoch has changed.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::PgResult;
use kv::{Direction, Durability, Keyspace, WriteBatch};

use crate::index::Index;
use crate::index::leaf::{LeafChange, merge_leaf};
use crate::index::pack::{self, PackWriter, each_entry};
use crate::index::run::EntryRun;
use crate::index::store::{EntryKey, IndexStore, entry_row};
use crate::serial;
use crate::storage::FIRST_RELATION;
use crate::storage::ahead::{Keep, remove_in};
use crate::transaction::Transaction;

/// What became of a run.
pub(super) enum Went {
    Ahead,
    /// Some of its keys may be taken.
    Taken,
    /// It is to go the usual way; nothing is done.
    Not,
}

impl Index {
    /// Puts a run into the store, if its rows are there.
    pub(super) fn insert_ahead(
        &self,
        txn: &mut Transaction,
        run: &mut EntryRun,
        order: &[usize],
    ) -> PgResult<Went> {
        let store = &self.store;
        let Some(rows) = run.rows()? else {
            return Ok(Went::Not);
        };
        let Some(load) = txn.load_with(rows.start, rows.end - 1) else {
            return Ok(Went::Not);
        };
        if store.id < FIRST_RELATION || self.def.incomplete || self.def.builtin.is_some() {
            return Ok(Went::Not);
        }
        let changes = run.take_sorted(order);
        {
            let _latches = store.all_latches();
            let above = match changes.first() {
                Some((key, _)) => store.is_above_packs(key)?,
                None => false,
            };
            let free = above && (!self.def.unique || self.is_free(run, order)?);
            if !free {
                run.give_back(changes, order);
                return Ok(if above { Went::Taken } else { Went::Not });
            }
            let mut batch = WriteBatch::new();
            let low = changes.first().map_or(EntryKey::new(), |(key, _)| key.clone());
            load.add_entries(store, chunk_of(&rows), &low);
            load.put_note(&mut batch);
            store.put_packs(&changes, &mut batch);
            store.packed.store(true, Ordering::Release);
            if let Some((last, _)) = changes.last() {
                store.high.raise(last);
            }
            store.shared.kv.write(batch, Durability::Eventual)?;
            store.show(&changes);
        }
        let bytes: usize = changes.iter().map(|(key, _)| key.len()).sum();
        store.entries.fetch_add(changes.len() as i64, Ordering::Relaxed);
        store.bytes.fetch_add(bytes as i64, Ordering::Relaxed);
        store.loaded.store(true, Ordering::Relaxed);
        for (key, _) in &changes {
            serial::wrote(txn, txn::WriteTarget::Entry(self.def.oid.0, key))?;
        }
        Ok(Went::Ahead)
    }
}

/// The row ids of the chunk that rows lie in: a gate stands before them all.
fn chunk_of(rows: &Range<u64>) -> Range<u64> {
    let start = rows.start - rows.start % crate::block::CHUNK_ROWS;
    start..start + crate::block::CHUNK_ROWS
}

impl IndexStore {
    /// True when a key lies above all entries of all packs. The caller holds all latches.
    fn is_above_packs(&self, key: &EntryKey) -> PgResult<bool> {
        let mut end = self.pack_end.lock();
        if end.is_none() {
            let mut last = EntryKey::new();
            let mut outcome = Ok(());
            let all = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
            self.shared.kv.range(
                pack::keyspace(self.id),
                all,
                Direction::Backward,
                &mut |_, bytes| {
                    outcome = each_entry(bytes, &mut |key, _| last = EntryKey::from_slice(key));
                    std::ops::ControlFlow::Break(())
                },
            )?;
            outcome?;
            *end = Some(last);
        }
        Ok(end.as_ref().is_some_and(|last| key > last))
    }

    fn put_packs(&self, changes: &[LeafChange], batch: &mut WriteBatch) {
        let keyspace = pack::keyspace(self.id);
        let mut writer = PackWriter::default();
        for (key, value) in changes {
            let value = value.as_deref().unwrap_or_default();
            if let Some((first, bytes)) = writer.push(key, value) {
                batch.put(keyspace, first.as_slice(), bytes);
            }
        }
        if let Some((first, bytes)) = writer.take() {
            batch.put(keyspace, first.as_slice(), bytes);
        }
        if let Some((last, _)) = changes.last() {
            *self.pack_end.lock() = Some(last.clone());
        }
    }

    /// Puts entries into the loaded leaves. The caller holds all latches.
    fn show(self: &Arc<Self>, changes: &[LeafChange]) {
        let (Some((first, _)), Some((last, _))) = (changes.first(), changes.last()) else {
            return;
        };
        let mut fresh = Vec::new();
        {
            let _guard = self.directory_lock.lock();
            let directory = self.directory.load_full();
            let whole =
                |leaf: &&Arc<crate::index::leaf::Leaf>| leaf.high.as_ref().is_none_or(|high| last < high);
            let found = directory.find(first).ok().filter(whole).cloned();
            if let Some(leaf) = &found {
                for mut new in merge_leaf(leaf, changes) {
                    new.set_charge(self.shared.cache.charge(new.memory_bytes()));
                    fresh.push(Arc::new(new));
                }
                if let Some(replaced) = directory.replaced(leaf, &fresh) {
                    self.directory.store(Arc::new(replaced));
                    leaf.retire();
                } else {
                    fresh.clear();
                }
            }
        }
        if fresh.is_empty() {
            return self.publish(changes);
        }
        fresh.iter().for_each(|leaf| self.admit(leaf));
    }

    /// Removes the stored entries of rows that never were, from a key on.
    pub(crate) fn remove_rows(&self, ranges: &[Range<u64>], low: &EntryKey) -> PgResult<()> {
        let gone = |key: &[u8]| -> PgResult<bool> {
            let row = entry_row(key)?.0;
            Ok(ranges.iter().any(|rows| rows.contains(&row)))
        };
        let mut removed = (0_i64, 0_i64);
        // A pack may begin below its first entry that is to go.
        let begin = self
            .pack_of(Some(low), false)?
            .map_or(EntryKey::new(), |pack| pack.first);
        let bounds = (std::ops::Bound::Included(&begin[..]), std::ops::Bound::Unbounded);
        remove_in(&self.shared, pack::keyspace(self.id), bounds, &mut |_, bytes| {
            let (mut writer, mut some, mut outcome) = (PackWriter::default(), false, Ok(()));
            each_entry(bytes, &mut |key, value| match gone(key) {
                Ok(true) => {
                    some = true;
                    removed.0 += 1;
                    removed.1 += key.len() as i64;
                }
                // What is left of a pack is no more than one.
                Ok(false) => drop(writer.push(key, value)),
                Err(error) => outcome = Err(error),
            })?;
            outcome?;
            Ok(match writer.take() {
                _ if !some => Keep::Yes,
                Some((_, rest)) => Keep::Instead(rest),
                None => Keep::Not,
            })
        })?;
        {
            // New packs may begin where these were.
            let _latches = self.all_latches();
            *self.pack_end.lock() = None;
        }
        let bounds = (std::ops::Bound::Included(&low[..]), std::ops::Bound::Unbounded);
        remove_in(&self.shared, Keyspace(self.id.0), bounds, &mut |key, _| {
            let gone = gone(key)?;
            if gone {
                removed.0 += 1;
                removed.1 += key.len() as i64;
            }
            Ok(if gone { Keep::Not } else { Keep::Yes })
        })?;
        self.entries.fetch_sub(removed.0, Ordering::Relaxed);
        self.bytes.fetch_sub(removed.1, Ordering::Relaxed);
        Ok(())
    }
}
