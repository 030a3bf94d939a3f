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

use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{PgResult, RowId};
use kv::{Direction, Keyspace, WriteBatch};

use crate::ahead::Load;
use crate::ahead::ends::{RowBits, has_bit};
use crate::block::CHUNK_ROWS;
use crate::defs::IndexState;
use crate::index::Index;
use crate::index::leaf::{LeafChange, merge_leaf};
use crate::index::pack::{self, PackWriter, each_entry};
use crate::index::run::EntryRun;
use crate::index::store::{EntryKey, IndexStore, entry_row};
use crate::serial;
use crate::storage::FIRST_RELATION;
use crate::storage::ahead::{Keep, remove_in, remove_some};
use crate::transaction::Transaction;

impl Index {
    /// The load that a row is of, if its entry may follow it.
    pub(super) fn load_of(&self, txn: &Transaction, row: RowId) -> Option<Arc<Load>> {
        let load = txn.load_with(row, self.def.table)?;
        let is_of_table = self.def.table.is_none_or(|table| table == load.table.id);
        (is_of_table && self.may_go_ahead()).then_some(load)
    }

    fn may_go_ahead(&self) -> bool {
        self.def.state == IndexState::Complete
            && self.def.builtin.is_none()
            && self.store.id >= FIRST_RELATION
    }

    /// True when the log gets the entry of a row with the commit, as the row itself.
    pub(super) fn waits_for_commit(&self, txn: &Transaction, row: RowId) -> bool {
        let waits = self
            .def
            .table
            .is_some_and(|table| txn.is_latest_single(table, row));
        waits && self.may_go_ahead()
    }

    /// Puts a run, whose rows are of the load, into the store at once, if its keys lie above all packs. False: nothing is done.
    pub(super) fn insert_ahead(
        &self,
        txn: &Transaction,
        load: &Load,
        run: &mut EntryRun,
        order: &[usize],
    ) -> PgResult<bool> {
        let store = &self.store;
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
                return Ok(false);
            }
            let mut batch = WriteBatch::new();
            let low = changes.first().map_or(EntryKey::new(), |(key, _)| key.clone());
            if let Some(chunk) = load.last_chunk() {
                load.add_entries(store, chunk, &low);
            }
            store.put_packs(&changes, &mut batch);
            store.packed.store(true, Ordering::Release);
            if let Some((last, _)) = changes.last() {
                store.vacancy.fill_many(&low, last);
            }
            store.shared.loads.write(&store.shared, [load], batch)?;
            store.show(&changes);
        }
        let bytes: usize = changes.iter().map(|(key, _)| key.len()).sum();
        store.entries.fetch_add(changes.len() as i64, Ordering::Relaxed);
        store.bytes.fetch_add(bytes as i64, Ordering::Relaxed);
        store.loaded.store(true, Ordering::Relaxed);
        for (key, _) in &changes {
            serial::wrote(txn, txn::WriteTarget::Entry(self.def.oid.0, key))?;
        }
        Ok(true)
    }
}

impl IndexStore {
    /// True when a key lies above all entries of all packs. The caller holds all latches.
    fn is_above_packs(&self, key: &EntryKey) -> PgResult<bool> {
        let mut end = self.pack_end.lock();
        if end.is_none() {
            let mut last = EntryKey::new();
            let mut outcome = Ok(());
            let all = (Bound::Unbounded, Bound::Unbounded);
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
    pub(super) fn show(self: &Arc<Self>, changes: &[LeafChange]) {
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
        let mut removed = (0_i64, 0_i64);
        self.remove_where(low, &mut |key| {
            let row = entry_row(key)?.0;
            let gone = ranges.iter().any(|rows| rows.contains(&row));
            if gone {
                removed.0 += 1;
                removed.1 += key.len() as i64;
            }
            Ok(gone)
        })?;
        self.lose(removed.0, removed.1);
        Ok(())
    }

    /// Removes the stored entries of rows that have ended. They are not counted any more.
    pub(crate) fn remove_ended(&self, ended: &BTreeMap<u64, RowBits>) -> PgResult<()> {
        self.loaded.store(true, Ordering::Relaxed);
        self.remove_where(&EntryKey::new(), &mut |key| {
            let row = entry_row(key)?.0;
            let bits = ended.get(&(row / CHUNK_ROWS));
            Ok(bits.is_some_and(|bits| has_bit(bits, (row % CHUNK_ROWS) as usize)))
        })
    }

    /// Removes stored entries, from a key on.
    fn remove_where(&self, low: &EntryKey, gone: &mut dyn FnMut(&[u8]) -> PgResult<bool>) -> PgResult<()> {
        let mut judge = |_: &[u8], bytes: &[u8]| {
            Ok(match pack::without(bytes, gone)? {
                (0, _) => Keep::Yes,
                (_, Some(rest)) => Keep::Instead(rest),
                (_, None) => Keep::Not,
            })
        };
        let mut from = Bound::Unbounded;
        loop {
            // Others may be about to write packs anew.
            let _latches = self.all_latches();
            if from == Bound::Unbounded {
                // A pack may begin below its first entry that is to go.
                let pack = self.pack_of(Some(low), false)?;
                from = pack.map_or(Bound::Unbounded, |pack| Bound::Included(pack.first.to_vec()));
            }
            let low = from.as_ref().map(Vec::as_slice);
            let last = remove_some(
                &self.shared,
                pack::keyspace(self.id),
                (low, Bound::Unbounded),
                &mut judge,
            )?;
            // New packs may begin where these were.
            *self.pack_end.lock() = None;
            match last {
                Some(last) => from = Bound::Excluded(last),
                None => break,
            }
        }
        let bounds = (Bound::Included(&low[..]), Bound::Unbounded);
        // What said that a pack's entry is gone goes, too.
        remove_in(&self.shared, Keyspace(self.id.0), bounds, &mut |key, _| {
            Ok(if gone(key)? { Keep::Not } else { Keep::Yes })
        })
    }
}
