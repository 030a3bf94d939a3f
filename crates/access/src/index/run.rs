//! Inserting the entries of many rows at once: COPY, INSERT ... SELECT.
//!
//! # How it works
//! The entries are sorted, and put into delta under all latches. Whether a unique index is free of their keys is one question then: no
//! entry lies between the first and the last of them. That holds for keys that ascend beyond all others, as most primary keys do. Where
//! it does not hold nothing is done, and the caller inserts row by row, which finds the row to blame.

use std::ops::Bound;
use std::sync::Arc;

use common::{PgResult, RowId};
use txn::Stamp;
use types::{Datum, key};

use crate::ahead::Load;
use crate::index::delta::EntryVersion;
use crate::index::leaf::LeafChange;
use crate::index::store::{EntryKey, entry_prefix, entry_row};
use crate::index::{Holder, Index, last_entry, value};
use crate::transaction::Transaction;
use crate::transaction::redo::RedoOp;
use crate::transaction::writes::Write;

/// Entries to insert together.
#[derive(Default)]
pub struct EntryRun {
    bytes: Vec<u8>,
    /// Where each key with its row id ends in `bytes`.
    ends: Vec<usize>,
    values: Vec<Box<[u8]>>,
}

impl EntryRun {
    /// Adds the entry of a row: key datums, INCLUDE datums.
    pub fn push(&mut self, index: &Index, values: &[Datum], include: &[Datum], row: RowId) {
        let exact = key::encode_all(&index.def.columns, values, &mut self.bytes);
        self.bytes.extend_from_slice(&row.0.to_be_bytes());
        self.ends.push(self.bytes.len());
        self.values.push(value::encode(values, include, exact));
    }

    /// From the first row to the last; None for none.
    fn rows(&self) -> PgResult<Option<std::ops::Range<u64>>> {
        let (mut low, mut high) = (u64::MAX, 0);
        for k in 0..self.ends.len() {
            let row = entry_row(self.key(k))?.0;
            (low, high) = (low.min(row), high.max(row + 1));
        }
        Ok((low < high).then_some(low..high))
    }

    /// The entries in order, taken out.
    pub(super) fn take_sorted(&mut self, order: &[usize]) -> Vec<LeafChange> {
        let mut take = |&k: &usize| {
            let value = std::mem::take(&mut self.values[k]);
            (EntryKey::from_slice(self.key(k)), Some(value))
        };
        order.iter().map(&mut take).collect()
    }

    /// Undoes [`EntryRun::take_sorted`].
    pub(super) fn give_back(&mut self, entries: Vec<LeafChange>, order: &[usize]) {
        for (&k, (_, value)) in order.iter().zip(entries) {
            self.values[k] = value.unwrap_or_default();
        }
    }

    fn key(&self, k: usize) -> &[u8] {
        let start = k.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[k]]
    }

    /// The entries in the order of their keys.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.ends.len()).collect();
        if !order.is_sorted_by_key(|&k| self.key(k)) {
            order.sort_unstable_by(|&a, &b| self.key(a).cmp(self.key(b)));
        }
        order
    }
}

impl Index {
    /// Inserts a run of entries. False, and nothing done, when the index is unique and some of their keys may be taken.
    pub fn insert_run(&self, txn: &mut Transaction, mut run: EntryRun) -> PgResult<bool> {
        let order = run.order();
        let load = self.load_of_run(txn, &run)?;
        if let Some(load) = &load
            && self.insert_ahead(txn, load, &mut run, &order)?
        {
            return Ok(true);
        }
        let (stamp, command) = (txn.stamp()?, txn.command());
        let mut made: Vec<(EntryKey, Arc<EntryVersion>)> = Vec::with_capacity(order.len());
        let mut values = run.values;
        let run = EntryRun {
            values: Vec::new(),
            ..run
        };
        if self.def.unique {
            self.prefetch(&run, &order)?;
        }
        {
            let _latches = self.store.all_latches();
            if self.def.unique && !self.are_free(&run, &order, stamp)? {
                return Ok(false);
            }
            for k in order {
                let value = std::mem::take(&mut values[k]);
                let version = Arc::new(EntryVersion::new(stamp, command, value));
                let key = EntryKey::from_slice(run.key(k));
                self.store.push_version(&key, &version);
                made.push((key, version));
            }
        }
        if let Some(load) = load {
            txn.wait_entries(&self.store, &load, made.iter().cloned())?;
            for (key, _) in &made {
                self.tell_write(txn, key)?;
            }
            return Ok(true);
        }
        // First what undoes them all, as writing the log may fail.
        for (key, version) in &made {
            let write = Write::EntryInsert {
                index: Arc::clone(&self.store),
                key: key.clone(),
                version: Arc::clone(version),
                waits: false,
            };
            txn.record(write, None)?;
        }
        for (key, version) in &made {
            if self.is_logged() {
                txn.log(RedoOp::EntryPut(self.store.id, key, &version.value))?;
            }
            self.tell_write(txn, key)?;
        }
        Ok(true)
    }

    /// The load that all of a run's rows are of.
    fn load_of_run(&self, txn: &Transaction, run: &EntryRun) -> PgResult<Option<Arc<Load>>> {
        let Some(rows) = run.rows()? else { return Ok(None) };
        let first = self.load_of(txn, RowId(rows.start));
        Ok(first.filter(|_| self.load_of(txn, RowId(rows.end - 1)).is_some()))
    }

    /// Reads the leaves where other entries with these keys would be, before others have to wait for it.
    fn prefetch(&self, run: &EntryRun, order: &[usize]) -> PgResult<()> {
        let mut high: Option<EntryKey> = Some(EntryKey::new());
        for &k in order {
            let prefix = entry_prefix(run.key(k));
            if high.as_ref().is_some_and(|high| prefix >= &high[..]) {
                high.clone_from(&self.store.leaf_at(prefix)?.high);
            }
        }
        Ok(())
    }

    /// True when keys differ and nobody has one of them. The caller holds all latches.
    fn are_free(&self, run: &EntryRun, order: &[usize], own: Stamp) -> PgResult<bool> {
        if self.is_free(run, order)? {
            return Ok(true);
        }
        let prefix = |k: usize| entry_prefix(run.key(k));
        if order.windows(2).any(|pair| prefix(pair[0]) == prefix(pair[1])) {
            return Ok(false);
        }
        for &k in order {
            let holder = self.holder(prefix(k), entry_row(run.key(k))?, own)?;
            if !matches!(holder, Holder::Nobody(_)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// True when keys differ and nothing lies between the first and the last. The caller holds all latches.
    pub(super) fn is_free(&self, run: &EntryRun, order: &[usize]) -> PgResult<bool> {
        let (Some(&first), Some(&last)) = (order.first(), order.last()) else {
            return Ok(true);
        };
        let prefix = |k: usize| entry_prefix(run.key(k));
        if order.windows(2).any(|pair| prefix(pair[0]) == prefix(pair[1])) {
            return Ok(false);
        }
        let (low, high) = (prefix(first), last_entry(prefix(last)));
        let between = (Bound::Included(low), Bound::Included(&high[..]));
        if self.store.delta.range(between).next().is_some() {
            return Ok(false);
        }
        let mut from = EntryKey::from_slice(low);
        loop {
            let leaf = self.store.leaf_at(&from)?;
            for at in leaf.lower_bound(&from)..leaf.len() {
                let key = leaf.key(at);
                if key > &high[..] {
                    return Ok(true);
                }
                // What a failed load has left behind is in nobody's way.
                let gate = self.store.gates.find(entry_row(key)?);
                if !gate.is_some_and(|gate| gate.is_void()) {
                    return Ok(false);
                }
            }
            match &leaf.high {
                Some(end) if end.as_slice() <= &high[..] => from = end.clone(),
                _ => return Ok(true),
            }
        }
    }
}
