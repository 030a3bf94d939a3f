//! Prepared transactions after a restart: their changes come back as those of a running transaction.
//!
//! # How it works
//! Recovery keeps the operations of transactions that were prepared and neither committed nor rolled back, and holds the log back for
//! them. When the catalogs are open, each gets a slot of its own under its old xid. Its operations are done again, with its stamp, into
//! delta and into its write set; then ending it is as if nothing had happened.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{Lsn, PgResult, RelationId, RowId, Xid};
use parking_lot::Mutex;
use txn::{LockDuration, Stamp};

use crate::ahead::ends::{Deletion, Marks, Reason};
use crate::ahead::gate::Gate;
use crate::block::CHUNK_ROWS;
use crate::index::delta::EntryVersion;
use crate::index::store::{EntryKey, IndexStore, entry_prefix};
use crate::shared::Shared;
use crate::storage::{FIRST_RELATION, Storage};
use crate::table::Table;
use crate::table::store::TableStore;
use crate::table::stored::StoredRow;
use crate::toast::store::Tracked;
use crate::transaction::prepared::{Head, PreparedTransaction};
use crate::transaction::redo::{RedoOp, take_op};
use crate::transaction::writes::Write;
use crate::transaction::{Transaction, TransactionOptions};
use crate::version::{EndKind, RowData, Version};

/// A prepared transaction as the log has it.
pub(crate) struct InDoubt {
    pub(crate) xid: Xid,
    /// Its first record.
    pub(crate) lsn: Lsn,
    pub(crate) head: Head,
    /// Operations, in order.
    pub(crate) parts: Vec<Vec<u8>>,
}

/// What recovery leaves for [`Storage::resume_prepared`].
pub(crate) type InDoubtList = Mutex<Vec<InDoubt>>;

/// A relation of a system catalog that must be opened before its changes can be done again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatalogRelation {
    /// A table.
    Table(RelationId),
    /// An index.
    Index(RelationId),
}

impl Storage {
    /// Takes the prepared transactions up that recovery has found. `open` opens relations of system catalogs, whose rows come with the
    /// program. Call it before anybody else uses the database.
    pub fn resume_prepared(
        self: &Arc<Self>,
        open: &dyn Fn(CatalogRelation) -> PgResult<()>,
    ) -> PgResult<Vec<PreparedTransaction>> {
        let found = std::mem::take(&mut *self.in_doubt.lock());
        found.into_iter().map(|one| self.resume(one, open)).collect()
    }

    fn resume(
        self: &Arc<Self>,
        found: InDoubt,
        open: &dyn Fn(CatalogRelation) -> PgResult<()>,
    ) -> PgResult<PreparedTransaction> {
        let proc = self.register(0)?;
        let mut below = self.manager().resume(&proc, found.xid)?;
        if !found.head.serial.is_empty() {
            below.resume_serial(&found.head.serial)?;
        }
        let options = TransactionOptions {
            database: found.head.info.database,
            ..TransactionOptions::default()
        };
        for (tag, mode) in found.head.locks {
            let locks = self.manager().locks();
            locks.lock(&proc, tag, mode, LockDuration::Transaction, &options.wait)?;
        }
        let mut txn = Transaction::new(Arc::clone(self), below, options);
        self.resume_loads(&mut txn, &found.parts)?;
        for part in &found.parts {
            let mut rest = part.as_slice();
            while !rest.is_empty() {
                self.redo_uncommitted(&mut txn, take_op(&mut rest)?, open)?;
            }
        }
        Ok(PreparedTransaction::resumed(found.head.info, found.xid, txn))
    }

    fn redo_uncommitted(
        &self,
        txn: &mut Transaction,
        op: RedoOp<'_>,
        open: &dyn Fn(CatalogRelation) -> PgResult<()>,
    ) -> PgResult<()> {
        let builtin = |id: RelationId, what: fn(RelationId) -> CatalogRelation| match id < FIRST_RELATION {
            true => open(what(id)),
            false => Ok(()),
        };
        match op {
            RedoOp::RowPut(id, ..) | RedoOp::RowDelete(id, _) | RedoOp::RowTombstone(id, _) => {
                builtin(id, CatalogRelation::Table)?;
            }
            RedoOp::EntryPut(id, ..) | RedoOp::EntryDelete(id, _) => builtin(id, CatalogRelation::Index)?,
            _ => {}
        }
        match op {
            RedoOp::RowPut(id, row, bytes) => put_row(txn, &self.table_store(id)?, row, bytes),
            RedoOp::RowDelete(id, row) | RedoOp::RowTombstone(id, row) => {
                delete_row(txn, &self.table_store(id)?, row)
            }
            RedoOp::EntryPut(id, key, value) => put_entry(txn, &self.index_store(id)?, key, value),
            RedoOp::EntryDelete(id, key) => delete_entry(txn, &self.index_store(id)?, key),
            RedoOp::Created(id) => {
                txn.record(Write::RelationCreated(id), None)?;
                let Some(newborn) = self.shared.newborns.find(id) else {
                    return Ok(());
                };
                newborn.begin.set(txn.stamp()?);
                newborn.in_doubt.store(false, Ordering::Release);
                txn.record(Write::Newborn(newborn), None)
            }
            RedoOp::RowsEnded(id, marks) => self.resume_deletion(txn, id, &Marks::decode(marks)?),
            RedoOp::RowsChanged(id, marks) => self.resume_update(txn, id, &Marks::decode(marks)?),
            RedoOp::Dropped(id) => txn.record(Write::RelationDropped(id), None),
            RedoOp::Stored { .. } => Ok(()),
            RedoOp::ToastPut {
                relation,
                name,
                chunk,
                bytes,
            } => {
                let table = self.table_store(relation)?;
                table.put_fresh(name, chunk, bytes.into())?;
                match chunk {
                    0 => txn.record(Write::Toast { table, name }, None),
                    _ => Ok(()),
                }
            }
            RedoOp::ToastEnd(relation, name, chunks) => {
                let table = self.table_store(relation)?;
                let value = Tracked::found(name, chunks, (Stamp::FROZEN, txn.stamp()?), false);
                table.toast.track(&value);
                txn.record(Write::ToastEnd { table, value }, None)
            }
            RedoOp::ToastStored(relation, name) => {
                let table = self.table_store(relation)?;
                let Some(value) = table.toast.find_ahead(&name) else {
                    return Ok(());
                };
                value.begin.set(txn.stamp()?);
                value.in_doubt.store(false, Ordering::Release);
                txn.record(Write::ToastAhead { table, value }, None)
            }
        }
    }
}

impl Storage {
    fn resume_deletion(&self, txn: &mut Transaction, id: RelationId, marks: &Marks) -> PgResult<()> {
        let table = self.table_store(id)?;
        let stores = marks.indexes.iter().map(|lost| self.index_store(lost.index));
        let indexes: PgResult<Vec<_>> = stores.collect();
        let indexes = indexes?;
        let gate = Gate::new(txn.stamp()?, txn.command());
        let deletion = Arc::new(Deletion::new(Arc::clone(&table), gate, Reason::Deleted));
        self.shared.deletions.add(&deletion);
        txn.record(Write::Deletion(Arc::clone(&deletion)), None)?;
        let mut in_delta = Vec::new();
        deletion.replay(&indexes, marks, &mut |row| {
            in_delta.push(row);
            Ok(())
        })?;
        deletion.rows.fetch_sub(in_delta.len() as u64, Ordering::Relaxed);
        for row in in_delta {
            delete_row(txn, &table, row)?;
        }
        for index in &indexes {
            for key in index.delta_entries_of(marks)? {
                delete_entry(txn, index, &key)?;
            }
        }
        Ok(())
    }

    fn resume_update(&self, txn: &mut Transaction, id: RelationId, marks: &Marks) -> PgResult<()> {
        let table = self.table_store(id)?;
        let gate = Gate::new(txn.stamp()?, txn.command());
        let update = Arc::new(Deletion::new(
            Arc::clone(&table),
            gate,
            Reason::Updated(EndKind::KeyUpdate),
        ));
        self.shared.deletions.add(&update);
        txn.record(Write::Deletion(Arc::clone(&update)), None)?;
        let mut in_delta = Vec::new();
        update.replay(&[], marks, &mut |row| {
            in_delta.push(row);
            Ok(())
        })?;
        for row in in_delta {
            if let Some(bytes) = table.stored_heir(row)? {
                put_row(txn, &table, row, &bytes)?;
            }
        }
        Ok(())
    }
}

/// The newest version of a row, made from the KV store if delta has none.
fn head(table: &Arc<TableStore>, row: RowId) -> PgResult<Option<Arc<Version>>> {
    if let Some(def) = table.def.load_full() {
        return Table::new(def, Arc::clone(table)).head_or_base(row);
    }
    if row.0 >= table.next_row() {
        return Ok(None);
    }
    let chunk = table.chunk(row.0 / CHUNK_ROWS)?;
    let position = (row.0 % CHUNK_ROWS) as usize;
    let state = chunk.state.load();
    if let Some(head) = state.delta.as_ref().and_then(|delta| delta.head(position)) {
        return Ok(Some(head));
    }
    let (StoredRow::Single(bytes) | StoredRow::Packed(bytes)) = table.stored_row(row)? else {
        return Ok(None);
    };
    let mark = state.mark(position).filter(|ends| ends.has_heir(position));
    let heir = match mark {
        Some(_) => table.stored_heir(row)?.map(RowData::Bytes),
        None => None,
    };
    let _guard = chunk.lock.lock();
    Ok(table.push_base(chunk, row, RowData::Bytes(bytes), heir))
}

fn put_row(txn: &mut Transaction, table: &Arc<TableStore>, row: RowId, bytes: &[u8]) -> PgResult<()> {
    let (stamp, command) = (txn.stamp()?, txn.command());
    let older = head(table, row)?;
    if row.0 >= table.next_row() {
        table.grow(bytes.len() + 24);
    }
    table.note_row(row);
    let data = RowData::Bytes(bytes.into());
    let replaced = older
        .as_ref()
        .filter(|older| older.claim(stamp, command, EndKind::KeyUpdate).is_ok())
        .cloned();
    let version = Arc::new(match older {
        Some(older) => Version::succeeding(stamp, command, data, older),
        None => Version::new(stamp, command, data),
    });
    let chunk = table.chunk(row.0 / CHUNK_ROWS)?;
    {
        let _guard = chunk.lock.lock();
        table.push_version(chunk, row, &version);
    }
    let table = Arc::clone(table);
    let write = match replaced {
        Some(older) => Write::RowUpdate {
            table,
            row,
            version,
            older,
        },
        None => Write::RowInsert {
            table,
            row,
            version,
            waits: false,
        },
    };
    txn.record(write, None)
}

fn delete_row(txn: &mut Transaction, table: &Arc<TableStore>, row: RowId) -> PgResult<()> {
    let (stamp, command) = (txn.stamp()?, txn.command());
    let Some(version) = head(table, row)? else {
        return Ok(());
    };
    if version.claim(stamp, command, EndKind::Delete).is_err() {
        return Ok(());
    }
    let table = Arc::clone(table);
    txn.record(Write::RowDelete { table, row, version }, None)
}

fn put_entry(txn: &mut Transaction, index: &Arc<IndexStore>, key: &[u8], value: &[u8]) -> PgResult<()> {
    let version = Arc::new(EntryVersion::new(txn.stamp()?, txn.command(), value.into()));
    let key = EntryKey::from_slice(key);
    {
        let _latch = index.latch(entry_prefix(&key)).lock();
        index.push_version(&key, &version);
    }
    let index = Arc::clone(index);
    let write = Write::EntryInsert {
        index,
        key,
        version,
        waits: false,
    };
    txn.record(write, None)
}

fn delete_entry(txn: &mut Transaction, index: &Arc<IndexStore>, key: &[u8]) -> PgResult<()> {
    let (stamp, command) = (txn.stamp()?, txn.command());
    let key = EntryKey::from_slice(key);
    let version = {
        let _latch = index.latch(entry_prefix(&key)).lock();
        match newest_entry(index, &key)? {
            Some(version) if version.claim(stamp, command).is_ok() => version,
            // Never there: the marker of an index that was being filled.
            _ => return Ok(()),
        }
    };
    let index = Arc::clone(index);
    txn.record(Write::EntryDelete { index, key, version }, None)
}

fn newest_entry(index: &Arc<IndexStore>, key: &EntryKey) -> PgResult<Option<Arc<EntryVersion>>> {
    if let Some(version) = index.delta.get(key).and_then(|e| e.value().load_full()) {
        return Ok(Some(version));
    }
    let leaf = index.leaf_at(key)?;
    let at = leaf.lower_bound(key);
    if at >= leaf.len() || leaf.key(at) != key.as_slice() {
        return Ok(None);
    }
    let Some(base) = index.base_version(key, leaf.value(at))? else {
        return Ok(None);
    };
    debug_assert!(Shared::never(&base.end));
    index.push_version(key, &base);
    index.count(-1, key);
    Ok(Some(base))
}
