//! Inserting rows by columns: COPY, INSERT ... SELECT, CREATE TABLE AS.
//!
//! # How it works
//! The columns become a block, and each row's version points into it; nothing is copied per row but the log's operation. Batches that
//! begin where a chunk begins ([`Table::rows_to_chunk_end`]) are the cheapest: scans hand the block out as it is, and a merge makes it
//! the chunk's main block.

use std::sync::Arc;

use common::{PgResult, RowId, invariant};
use txn::WriteTarget;
use types::{Datum, Selection, Vector};

use crate::block::{CHUNK_ROWS, MainBlock, whole_block};
use crate::chunk::Delta;
use crate::serial;
use crate::table::Table;
use crate::toast::block::BlockToast;
use crate::transaction::Transaction;
use crate::transaction::redo::RedoOp;
use crate::transaction::writes::Write;
use crate::version::{RowData, Version};

/// Bytes of a batch of rows after which it is not collected further.
const BATCH_BYTES_MAX: usize = 16 << 20;

impl Table {
    /// How many rows a batch has best.
    pub fn rows_to_chunk_end(&self) -> usize {
        (CHUNK_ROWS - self.store.next_row() % CHUNK_ROWS) as usize
    }

    /// Inserts the rows of columns (one per column of the definition, all `rows` long); their row ids are consecutive from the one
    /// returned.
    pub fn insert_columns(
        &self,
        txn: &mut Transaction,
        columns: &[Arc<Vector>],
        rows: usize,
    ) -> PgResult<RowId> {
        invariant!(
            columns.len() == self.def.columns.len() && columns.iter().all(|c| c.len() == rows),
            "rows have other columns than their table"
        );
        if let Some(first) = self.insert_ahead(txn, columns, rows)? {
            serial::wrote(txn, WriteTarget::Insert(self.def.oid.0))?;
            return Ok(first);
        }
        txn.ahead.count_usual(rows);
        let first = match txn.fills(self.store.id) {
            // Batches that long values end early: each a chunk of its own.
            true if rows <= CHUNK_ROWS as usize => self.store.allocate_chunk(),
            _ => self.store.allocate(rows as u64),
        };
        let mut done = 0;
        while done < rows {
            let row = RowId(first.0 + done as u64);
            let part = (rows - done).min((CHUNK_ROWS - row.0 % CHUNK_ROWS) as usize);
            let columns: Vec<Arc<Vector>> = match part == rows {
                true => columns.to_vec(),
                false => columns
                    .iter()
                    .map(|c| Arc::new(c.take(done..done + part)))
                    .collect(),
            };
            self.insert_block(txn, row, columns, part)?;
            done += part;
        }
        serial::wrote(txn, WriteTarget::Insert(self.def.oid.0))?;
        Ok(first)
    }

    /// Rows that lie in one chunk, from `first` on.
    fn insert_block(
        &self,
        txn: &mut Transaction,
        first: RowId,
        columns: Vec<Arc<Vector>>,
        rows: usize,
    ) -> PgResult<()> {
        if self.insert_direct(txn, first, &columns, rows)? {
            return Ok(());
        }
        self.account_rows(&columns, rows);
        let (stamp, command) = (txn.stamp()?, txn.command());
        let (columns, toast) = match self.toast_columns(txn, first, &columns, None)? {
            Some(short) => short,
            None => (columns, BlockToast::default()),
        };
        let block = whole_block(columns, rows, stamp.xid().unwrap_or_default().0).with_toast(toast);
        let bytes = block.memory_bytes();
        let block = Arc::new(block.with_charge(self.store.shared.cache.charge(bytes)));
        let version = |i: usize| {
            Arc::new(Version::new(
                stamp,
                command,
                RowData::Block(Arc::clone(&block), i as u16),
            ))
        };
        let versions: Box<[Arc<Version>]> = (0..rows).map(version).collect();
        self.publish(first, &versions)?;
        let write = Write::RowsInsert {
            table: Arc::clone(&self.store),
            first,
            versions,
        };
        txn.record(write, None)?;
        if self.is_logged() {
            self.log_rows(txn, first, &block, rows)?;
        }
        Ok(())
    }

    /// Counts what PostgreSQL's heap would have grown by; how many bytes.
    pub(crate) fn account_rows(&self, columns: &[Arc<Vector>], rows: usize) -> u64 {
        self.store
            .grow_by(self.heap_width_of_rows(columns, rows), rows as u64)
    }

    fn publish(&self, first: RowId, versions: &[Arc<Version>]) -> PgResult<()> {
        let chunk = self.store.chunk(first.0 / CHUNK_ROWS)?;
        let _guard = chunk.lock.lock();
        let whole = chunk.state.load().delta.is_none();
        if !whole {
            for (row, version) in (first.0..).zip(versions) {
                self.store.push_version(chunk, RowId(row), version);
            }
            return Ok(());
        }
        let position = (first.0 % CHUNK_ROWS) as usize;
        chunk.set_delta(Arc::new(Delta::of_versions(position, versions)));
        self.store.dirty.lock().insert(first.0 / CHUNK_ROWS);
        let bytes = versions.iter().map(|v| v.memory_bytes()).sum();
        self.store.delta_bytes.add(bytes);
        Ok(())
    }

    fn log_rows(&self, txn: &mut Transaction, first: RowId, block: &MainBlock, rows: usize) -> PgResult<()> {
        let mut bytes = std::mem::take(&mut txn.buffer);
        let mut outcome = Ok(());
        for i in 0..rows {
            bytes.clear();
            block.encode_row(i, &mut bytes);
            let op = RedoOp::RowPut(self.store.id, RowId(first.0 + i as u64), &bytes);
            outcome = txn.log(op);
            if outcome.is_err() {
                break;
            }
        }
        txn.buffer = bytes;
        outcome
    }
}

/// Collects rows until a chunk is full.
pub struct Collector {
    columns: Vec<Vector>,
    rows: usize,
    bytes: usize,
}

impl Collector {
    /// An empty one for rows of a table.
    pub fn new(table: &Table) -> Collector {
        Collector {
            columns: table.def.columns.iter().map(|p| Vector::empty(*p)).collect(),
            rows: 0,
            bytes: 0,
        }
    }

    /// Rows collected.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Adds selected rows from the `from`-th on, as far as they fit into the table's chunk; how many. `columns` says for each column of
    /// the table where it comes from, NULL if from nowhere.
    pub fn add(
        &mut self,
        table: &Table,
        columns: &[Option<Arc<Vector>>],
        sel: &Selection,
        from: usize,
    ) -> usize {
        let room = table.rows_to_chunk_end().saturating_sub(self.rows);
        let count = room.min(sel.len() - from);
        for (mine, source) in self.columns.iter_mut().zip(columns) {
            match source {
                Some(source) => mine.extend_from(source, (from..from + count).map(|k| sel.position(k))),
                None => (0..count).for_each(|_| mine.push(&Datum::Null)),
            }
        }
        self.rows += count;
        self.bytes = self.columns.iter().map(Vector::memory_bytes).sum();
        count
    }

    /// True when the table's chunk takes no more, or memory should not.
    pub fn is_full(&self, table: &Table) -> bool {
        self.rows > 0 && (self.rows >= table.rows_to_chunk_end() || self.bytes > BATCH_BYTES_MAX)
    }

    /// The rows collected; it is empty afterwards.
    pub fn drain(&mut self) -> (Vec<Arc<Vector>>, usize) {
        let take = |c: &mut Vector| Arc::new(std::mem::replace(c, Vector::empty(c.phys())));
        let columns = self.columns.iter_mut().map(take).collect();
        self.bytes = 0;
        (columns, std::mem::take(&mut self.rows))
    }
}
