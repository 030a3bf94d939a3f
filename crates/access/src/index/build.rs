//! Filling a new index at once.
//!
//! A large build goes to the KV store directly, sorted, in batches, under a relation that nobody else sees yet; the log only learns
//! that the relation exists. A small one takes the ordinary way, which costs no write of the store.

use std::sync::atomic::Ordering;

use common::cancel::CancelToken;
use common::{PgResult, RowId};
use types::{Batch, Datum, key};

use crate::direct::DirectWriter;
use crate::index::pack::{self, PackWriter};
use crate::index::sorter::{Entry, EntrySorter};
use crate::index::{Index, UniqueCheck, value};
use crate::table::Table;
use crate::temp::TempSpace;
use crate::transaction::Transaction;

/// Entries up to which a build goes through delta.
const SMALL_BUILD: usize = 4096;

/// What became of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildOutcome {
    /// So many entries.
    Built(u64),
    /// Two rows have equal keys in a unique index.
    Duplicate(RowId, RowId),
}

/// Fills an index whose relation the transaction has created: entries are pushed in any order, sorted, and written by
/// [`IndexBuilder::finish`].
pub struct IndexBuilder<'b> {
    index: &'b Index,
    table: &'b Table,
    sorter: EntrySorter<'b>,
    prefix: Vec<u8>,
}

impl<'b> IndexBuilder<'b> {
    /// An index over rows of `table`. Keeps about `memory_max` bytes of entries in memory (`maintenance_work_mem`), the rest in
    /// files of `space`.
    pub fn new(
        index: &'b Index,
        table: &'b Table,
        space: &'b TempSpace,
        memory_max: usize,
    ) -> IndexBuilder<'b> {
        IndexBuilder {
            index,
            table,
            sorter: EntrySorter::new(space, memory_max),
            prefix: Vec::new(),
        }
    }

    /// A cancelled statement ends while entries are sorted and written.
    pub fn cancelled_by(mut self, cancel: &CancelToken) -> IndexBuilder<'b> {
        self.sorter.cancelled_by(cancel);
        self
    }

    /// Adds the entry of a row: key datums, INCLUDE datums.
    pub fn push(&mut self, values: &[Datum], include: &[Datum], row: RowId) -> PgResult<()> {
        let index = self.index;
        self.prefix.clear();
        let exact = key::encode_all(&index.def.columns, values, &mut self.prefix);
        let value = value::encode(values, include, exact);
        let checked = index.def.unique && !index.exempt_from_unique(values);
        self.sorter.push(&self.prefix, row, &value, checked)
    }

    /// Adds the entries of a batch of rows: the key columns, nothing else but the row ids in the last column.
    pub fn push_batch(&mut self, batch: &Batch) -> PgResult<()> {
        let index = self.index;
        let Some((ids, keys)) = batch.columns.split_last() else {
            return Ok(());
        };
        for i in batch.selection.iter() {
            self.prefix.clear();
            let mut exact = true;
            for (column, values) in index.def.columns.iter().zip(keys) {
                exact &= key::try_encode_at(column, values, i, self.sorter.cancel(), &mut self.prefix)?;
            }
            let row = RowId(ids.integer(i).unwrap_or_default() as u64);
            let exempt = !index.def.nulls_not_distinct && keys.iter().any(|values| values.is_null(i));
            let checked = index.def.unique && !exempt;
            if exact {
                self.sorter.push(&self.prefix, row, &[], checked)?;
                continue;
            }
            let values: Vec<Datum> = keys.iter().map(|values| values.datum(i)).collect();
            let value = value::encode(&values, &[], false);
            self.sorter.push(&self.prefix, row, &value, checked)?;
        }
        Ok(())
    }

    /// Writes them all.
    pub fn finish(self, txn: &mut Transaction) -> PgResult<BuildOutcome> {
        let (index, count) = (self.index, self.sorter.len());
        let change = self.table.newest_change();
        if count > 0 || self.table.has_changes() {
            index.store.complete.built_by(txn.assign_xid()?, change);
            txn.note_built_index();
        }
        let duplicate = if count <= SMALL_BUILD {
            self.sorter
                .finish(&mut |entry| index.insert_new(txn, entry.key.into(), entry.value.into()))?
        } else {
            index.build_in_store(txn, self.sorter)?
        };
        Ok(match duplicate {
            Some((a, b)) => BuildOutcome::Duplicate(a, b),
            None => BuildOutcome::Built(count as u64),
        })
    }
}

impl Index {
    fn build_in_store(
        &self,
        txn: &mut Transaction,
        sorter: EntrySorter<'_>,
    ) -> PgResult<Option<(RowId, RowId)>> {
        let store = &self.store;
        txn.require_record()?;
        let mut out = DirectWriter::new(txn, store.id)?;
        let (keyspace, mut writer) = (pack::keyspace(store.id), PackWriter::default());
        let duplicate = sorter.finish(&mut |entry: Entry<'_>| {
            store.count(1, entry.key);
            let Some((first, pack)) = writer.push(entry.key, entry.value) else {
                return Ok(());
            };
            out.put(keyspace, first.as_slice(), pack);
            out.offer().map(drop)
        })?;
        if let Some((first, pack)) = writer.take() {
            out.put(keyspace, first.as_slice(), pack);
        }
        if duplicate.is_some() {
            // The relation goes with the transaction, and what was written goes with the relation.
            return Ok(duplicate);
        }
        out.finish()?;
        store.packed.store(true, Ordering::Release);
        let _guard = store.directory_lock.lock();
        let directory = store.directory.load_full();
        store
            .directory
            .store(std::sync::Arc::new(directory.merged(Vec::new())));
        directory.leaves().for_each(|leaf| leaf.retire());
        store.vacancy.forget();
        Ok(None)
    }

    /// Checks that no other row has the key by now: for deferred constraints.
    pub fn recheck_unique(
        &self,
        txn: &mut Transaction,
        values: &[Datum],
        row: RowId,
    ) -> PgResult<Result<(), RowId>> {
        self.insert(txn, values, &[], row, UniqueCheck::Existing)
    }
}
