//! The write set: every change of a transaction, for settling its stamps at commit and undoing it at rollback.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{Csn, RelationId, RowId};
use txn::Stamp;

use crate::ahead::Load;
use crate::ahead::ends::{Deletion, Reason};
use crate::ahead::entries::Waits;
use crate::block::CHUNK_ROWS;
use crate::index::delta::EntryVersion;
use crate::index::store::{EntryKey, IndexStore};
use crate::shared::Shared;
use crate::storage::newborn::Newborn;
use crate::table::store::TableStore;
use crate::toast::Name;
use crate::toast::store::Tracked;
use crate::transaction::redo::{RedoOp, put_op};
use crate::version::Version;

/// One change. Undone in reverse order.
pub(crate) enum Write {
    RowInsert {
        table: Arc<TableStore>,
        row: RowId,
        version: Arc<Version>,
        /// The log gets it with the commit ([`crate::ahead::singles`]).
        waits: bool,
    },
    /// Consecutive rows of one chunk.
    RowsInsert {
        table: Arc<TableStore>,
        first: RowId,
        versions: Box<[Arc<Version>]>,
    },
    /// Into a relation that this transaction made, straight to the KV store ([`crate::direct`]).
    RowsLoad {
        table: Arc<TableStore>,
        rows: u64,
    },
    /// Rows and entries behind a gate, in the KV store ahead of the commit.
    Load(Arc<Load>),
    /// Entries of such rows that are in delta.
    Waits(Arc<Waits>),
    /// Rows deleted by marks, with their entries; or updated by marks.
    Deletion(Arc<Deletion>),
    /// In place: `version` in front of `older`, whose end is claimed.
    RowUpdate {
        table: Arc<TableStore>,
        row: RowId,
        version: Arc<Version>,
        older: Arc<Version>,
    },
    /// Deleted, or moved elsewhere.
    RowDelete {
        table: Arc<TableStore>,
        row: RowId,
        version: Arc<Version>,
    },
    EntryInsert {
        index: Arc<IndexStore>,
        key: EntryKey,
        version: Arc<EntryVersion>,
        /// The log gets it with the commit, as its row.
        waits: bool,
    },
    EntryDelete {
        index: Arc<IndexStore>,
        key: EntryKey,
        version: Arc<EntryVersion>,
    },
    /// A value that is in memory and log.
    Toast {
        table: Arc<TableStore>,
        name: Name,
    },
    /// A value that is in the KV store ahead of the commit.
    ToastAhead {
        table: Arc<TableStore>,
        value: Arc<Tracked>,
    },
    /// A value whose row ends.
    ToastEnd {
        table: Arc<TableStore>,
        value: Arc<Tracked>,
    },
    RelationCreated(RelationId),
    /// The store has contents of one that it has created.
    Newborn(Arc<Newborn>),
    RelationDropped(RelationId),
}

impl Write {
    /// About how much there is to undo.
    pub(crate) fn undo_steps(&self) -> usize {
        match self {
            Write::RowsInsert { versions, .. } => versions.len(),
            Write::Waits(waits) => waits.len(),
            _ => 1,
        }
    }

    /// Appends what the log lacks of it, if it was to wait for the commit. What has ended since has left its traces there.
    pub(crate) fn redo_late(&mut self, out: &mut Vec<u8>) {
        let ended = match self {
            Write::RowInsert { waits, version, .. } if *waits => {
                *waits = false;
                !Shared::never(&version.end)
            }
            Write::EntryInsert { waits, version, .. } if *waits => {
                *waits = false;
                !Shared::never(&version.end)
            }
            _ => return,
        };
        if !ended {
            self.redo(true, out);
        }
    }

    /// Reads a little of what [`Write::settle`] changes.
    pub(super) fn touch(&self) -> u32 {
        match self {
            Write::RowInsert { version, .. } => version.cmin.0,
            Write::EntryInsert { version, .. } => version.cmin.0,
            _ => 0,
        }
    }

    /// Turns the reference to the transaction into its CSN.
    pub(crate) fn settle(&self, csn: Csn) {
        let stamp = Stamp::committed(csn);
        match self {
            Write::RowInsert { version, .. } => version.begin.set(stamp),
            Write::RowsInsert { versions, .. } => versions.iter().for_each(|v| v.begin.set(stamp)),
            Write::RowUpdate { version, older, .. } => {
                older.end.set(stamp);
                version.begin.set(stamp);
            }
            Write::RowDelete { version, .. } => version.end.set(stamp),
            Write::EntryInsert { version, .. } => version.begin.set(stamp),
            Write::EntryDelete { version, .. } => version.end.set(stamp),
            Write::Load(load) => load.gate.settle(csn),
            Write::Waits(waits) => waits.settle(csn),
            Write::Deletion(deletion) => deletion.gate.settle(csn),
            Write::ToastAhead { value, .. } => value.begin.set(stamp),
            Write::ToastEnd { value, .. } => value.end.set(stamp),
            Write::Newborn(newborn) => newborn.begin.set(stamp),
            Write::Toast { .. }
            | Write::RowsLoad { .. }
            | Write::RelationCreated(_)
            | Write::RelationDropped(_) => {}
        }
    }

    /// Appends the operations that do it again; `logged`: nothing for unlogged tables.
    pub(crate) fn redo(&self, logged: bool, out: &mut Vec<u8>) {
        let row_put = |table: &TableStore, row: RowId, version: &Version, out: &mut Vec<u8>| {
            if !logged || table.is_logged() {
                put_op(RedoOp::RowPut(table.id, row, &version.encoded()), out);
            }
        };
        match self {
            Write::RowInsert {
                table, row, version, ..
            }
            | Write::RowUpdate {
                table, row, version, ..
            } => {
                row_put(table, *row, version, out);
            }
            Write::RowsInsert {
                table,
                first,
                versions,
            } => {
                for (i, version) in versions.iter().enumerate() {
                    row_put(table, RowId(first.0 + i as u64), version, out);
                }
            }
            Write::RowDelete { table, row, .. } if !logged || table.is_logged() => {
                let op = match table.is_builtin_row(*row) {
                    true => RedoOp::RowTombstone(table.id, *row),
                    false => RedoOp::RowDelete(table.id, *row),
                };
                put_op(op, out);
            }
            Write::EntryInsert {
                index, key, version, ..
            } if !logged || index.is_logged() => {
                put_op(RedoOp::EntryPut(index.id, key, &version.value), out);
            }
            Write::EntryDelete { index, key, .. } if !logged || index.is_logged() => {
                put_op(RedoOp::EntryDelete(index.id, key), out);
            }
            Write::RowDelete { .. } | Write::EntryInsert { .. } | Write::EntryDelete { .. } => {}
            // Loaded rows are in the KV store.
            Write::RowsLoad { .. } | Write::Newborn(_) | Write::Waits(_) => {}
            Write::Load(load) => {
                if load.has_rows() && (!logged || load.table.is_logged()) {
                    put_op(load.stored_op(), out);
                }
            }
            Write::Toast { table, name } if !logged || table.is_logged() => {
                for (chunk, bytes) in (0..).zip(table.fresh_chunks(name)) {
                    let op = RedoOp::ToastPut {
                        relation: table.id,
                        name: *name,
                        chunk,
                        bytes: &bytes,
                    };
                    put_op(op, out);
                }
            }
            Write::Toast { .. } => {}
            Write::ToastAhead { .. } | Write::ToastEnd { .. } | Write::Deletion(_) => {
                self.put_at_commit(logged, out);
            }
            Write::RelationCreated(id) => put_op(RedoOp::Created(*id), out),
            Write::RelationDropped(id) => put_op(RedoOp::Dropped(*id), out),
        }
    }

    /// Appends what the log gets with the commit, because a rollback to a savepoint cannot take it back.
    pub(crate) fn put_at_commit(&self, logged: bool, out: &mut Vec<u8>) {
        match self {
            Write::ToastAhead { table, value } if !logged || table.is_logged() => {
                put_op(RedoOp::ToastStored(table.id, value.name), out);
            }
            Write::ToastEnd { table, value } if !logged || table.is_logged() => {
                put_op(RedoOp::ToastEnd(table.id, value.name, value.chunks), out);
            }
            Write::Deletion(deletion) if !logged || deletion.table.is_logged() => {
                for part in deletion.encode() {
                    put_op(deletion.op(&part), out);
                }
            }
            _ => {}
        }
    }

    /// Makes it not have happened.
    pub(crate) fn undo(&self) {
        match self {
            Write::RowInsert {
                table, row, version, ..
            } => {
                unlink(table, *row, version);
            }
            Write::RowsInsert {
                table,
                first,
                versions,
            } => {
                for (row, version) in (first.0..).zip(versions) {
                    unlink(table, RowId(row), version);
                }
            }
            Write::RowUpdate {
                table,
                row,
                version,
                older,
            } => {
                unlink(table, *row, version);
                older.unclaim();
            }
            Write::RowDelete { version, .. } => version.unclaim(),
            Write::EntryInsert {
                index, key, version, ..
            } => index.undo_insert(key, version),
            Write::EntryDelete { version, .. } => version.unclaim(),
            Write::Load(load) => load.gate.void(),
            Write::Waits(waits) => waits.undo(),
            Write::Deletion(deletion) => deletion.undo(),
            Write::Toast { table, name } => table.undo_fresh(name),
            Write::ToastAhead { table, value } => table.undo_ahead(value),
            Write::ToastEnd { value, .. } => value.end.set(Stamp::NEVER),
            Write::Newborn(newborn) => newborn.begin.set(Stamp::NEVER),
            // Loaded rows go with their relation.
            Write::RowsLoad { .. } | Write::RelationCreated(_) | Write::RelationDropped(_) => {}
        }
    }

    /// How many rows there are more (or less) once it is committed.
    pub(crate) fn row_delta(&self) -> Option<(&Arc<TableStore>, i64)> {
        match self {
            Write::RowInsert { table, .. } => Some((table, 1)),
            Write::RowsInsert { table, versions, .. } => Some((table, versions.len() as i64)),
            Write::RowsLoad { table, rows } => Some((table, *rows as i64)),
            Write::Load(load) => Some((&load.table, load.rows.load(Ordering::Relaxed) as i64)),
            Write::RowDelete { table, .. } => Some((table, -1)),
            Write::Deletion(deletion) if !deletion.reason.in_place() => {
                let rows = deletion.rows.load(Ordering::Relaxed) as i64;
                Some((&deletion.table, -rows))
            }
            _ => None,
        }
    }

    /// How many rows more than before it shows to who estimates, until its end.
    pub(crate) fn rows_in_flight(&self) -> Option<(&Arc<TableStore>, i64)> {
        match self {
            Write::Deletion(deletion) if matches!(deletion.reason, Reason::Moved(_)) => self.row_delta(),
            _ => self.row_delta().filter(|(_, rows)| *rows > 0),
        }
    }

    /// The table whose rows it changes.
    pub(crate) fn table(&self) -> Option<&Arc<TableStore>> {
        match self {
            Write::RowUpdate { table, .. } => Some(table),
            Write::Deletion(deletion) => Some(&deletion.table),
            _ => self.row_delta().map(|(table, _)| table),
        }
    }

    /// For a change that is in the log already and was undone: what makes replay undo it too.
    pub(crate) fn put_inverse(&self, out: &mut Vec<u8>) {
        match self {
            Write::RowInsert { table, row, .. } if table.is_logged() => {
                put_op(RedoOp::RowDelete(table.id, *row), out);
            }
            Write::RowsInsert {
                table,
                first,
                versions,
            } if table.is_logged() => {
                for row in (first.0..).take(versions.len()) {
                    put_op(RedoOp::RowDelete(table.id, RowId(row)), out);
                }
            }
            Write::RowUpdate {
                table, row, older, ..
            } if table.is_logged() => {
                put_op(RedoOp::RowPut(table.id, *row, &older.encoded()), out);
            }
            Write::RowDelete { table, row, version } if table.is_logged() => {
                put_op(RedoOp::RowPut(table.id, *row, &version.encoded()), out);
            }
            Write::EntryInsert { index, key, .. } if index.is_logged() => {
                put_op(RedoOp::EntryDelete(index.id, key), out);
            }
            Write::EntryDelete { index, key, version } if index.is_logged() => {
                put_op(RedoOp::EntryPut(index.id, key, &version.value), out);
            }
            Write::Toast { table, name } if table.is_logged() => {
                let chunks = table.fresh_chunks(name).len() as u32;
                put_op(RedoOp::ToastEnd(table.id, *name, chunks), out);
            }
            Write::Load(load) => load.gate.put_inverse(out),
            Write::Waits(waits) => waits.put_inverse(out),
            Write::RelationCreated(id) => put_op(RedoOp::Dropped(*id), out),
            _ => {}
        }
    }
}

/// Takes a version of a running transaction out of its list. It is the newest: nobody could put one in front.
pub(crate) fn unlink(table: &TableStore, row: RowId, version: &Arc<Version>) {
    let Some(chunk) = table.existing_chunk(row.0 / CHUNK_ROWS) else {
        return;
    };
    let _guard = chunk.lock.lock();
    version.begin.set(Stamp::NEVER);
    version.end.set(Stamp::NEVER);
    let (delta, _) = chunk.delta();
    delta.set_head((row.0 % CHUNK_ROWS) as usize, version.older.load_full());
    table.delta_bytes.sub(version.memory_bytes());
}
