//! Straight into the KV store: contents of relations that only the transaction which made them can see. The log learns nothing of them but
//! that the relation exists; they are on disk before the commit is.
//!
//! # How it works
//! Index builds write their packs so, and rows go so after [`Transaction::begin_load`]. Batches are written as they fill; the
//! end makes them durable, and fails if the store has lost some of them meanwhile (after somebody else's failed write).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{PgResult, RelationId, RowId};
use kv::{Durability, Keyspace, WriteBatch};
use types::Vector;

use crate::block::{CHUNK_ROWS, MainBlock, row_key, whole_block};
use crate::pack::{self, PACK_ROWS};
use crate::shared::Shared;
use crate::storage::meta::{self, RelationCounters};
use crate::storage::{BATCH_BYTES, FIRST_RELATION};
use crate::table::Table;
use crate::table::store::TableStore;
use crate::toast::{self, block::BlockToast};
use crate::transaction::Transaction;
use crate::transaction::writes::Write;

/// Writes entries of a new relation.
pub(crate) struct DirectWriter {
    shared: Arc<Shared>,
    batch: WriteBatch,
    losses: u64,
}

impl DirectWriter {
    /// For a relation that the transaction has created.
    pub(crate) fn new(txn: &mut Transaction, relation: RelationId) -> PgResult<DirectWriter> {
        let shared = Arc::clone(&txn.storage().shared);
        let losses = shared.kv.losses();
        let mut batch = WriteBatch::new();
        txn.note_newborn(relation, &mut batch)?;
        Ok(DirectWriter {
            shared,
            batch,
            losses,
        })
    }

    pub(crate) fn put(&mut self, keyspace: Keyspace, key: &[u8], value: Vec<u8>) {
        self.batch.put(keyspace, key, value);
    }

    /// Writes what has come together if it is enough; true if it did.
    pub(crate) fn offer(&mut self) -> PgResult<bool> {
        let full = self.batch.payload_bytes() > BATCH_BYTES;
        if full {
            self.write()?;
        }
        Ok(full)
    }

    fn write(&mut self) -> PgResult<()> {
        let batch = std::mem::take(&mut self.batch);
        Ok(self.shared.kv.write(batch, Durability::Eventual)?)
    }

    /// Makes all of it durable.
    pub(crate) fn finish(mut self) -> PgResult<()> {
        self.write()?;
        self.shared.flush_whole(self.losses)
    }
}

/// A table that a transaction fills so.
pub(crate) struct Load {
    table: Arc<TableStore>,
    writer: DirectWriter,
    /// Chunks whose rows may not be in the store yet, with their blocks.
    waiting: Vec<(u64, Arc<MainBlock>)>,
}

impl Load {
    /// Blocks whose rows are in the store become main blocks of their chunks.
    fn show(&mut self) -> PgResult<()> {
        for (number, block) in self.waiting.drain(..) {
            self.table.adopt_block(number, block)?;
        }
        Ok(())
    }
}

impl Transaction {
    /// From here to [`Transaction::end_load`], rows inserted by columns go to the KV store without a way through memory and log,
    /// and every snapshot of this transaction sees them at once. False (and nothing changes) unless the
    /// table was made since the last savepoint.
    pub fn begin_load(&mut self, table: &Table) -> PgResult<bool> {
        let id = table.store.id;
        if id < FIRST_RELATION || self.load.is_some() || !self.has_created_last(id) {
            return Ok(false);
        }
        self.require_record()?;
        self.load = Some(Load {
            writer: DirectWriter::new(self, id)?,
            table: Arc::clone(&table.store),
            waiting: Vec::new(),
        });
        Ok(true)
    }

    /// Makes the rows durable; nothing without [`Transaction::begin_load`].
    pub fn end_load(&mut self) -> PgResult<()> {
        self.await_rows()?;
        let Some(mut load) = self.load.take() else {
            return Ok(());
        };
        let mut counters = load.table.counters();
        counters.live_rows += load.table.rows_in_flight.load(Ordering::Relaxed);
        meta::put_counters(
            load.table.id,
            &RelationCounters::Table(counters),
            &mut load.writer.batch,
        );
        load.writer.write()?;
        load.show()?;
        load.writer.finish()
    }

    /// True when rows of this relation go so.
    pub(crate) fn fills(&self, id: RelationId) -> bool {
        self.load.as_ref().is_some_and(|load| load.table.id == id)
    }
}

impl Table {
    /// Rows of one chunk on the direct way; false (and nothing done) when they do not go it.
    pub(crate) fn insert_direct(
        &self,
        txn: &mut Transaction,
        first: RowId,
        columns: &[Arc<Vector>],
        rows: usize,
    ) -> PgResult<bool> {
        let (store, number) = (&self.store, first.0 / CHUNK_ROWS);
        let whole = first.0 % CHUNK_ROWS == 0 && store.existing_chunk(number).is_none();
        if !whole || !txn.fills(store.id) {
            return Ok(false);
        }
        let xid = txn.stamp()?.xid().unwrap_or_default().0;
        self.account_rows(columns, rows);
        let (columns, toast) = self.toast_direct(txn, first, columns)?;
        let block = whole_block(columns, rows, xid).with_toast(toast);
        store.reserve_stored(first.0 + rows as u64);
        txn.record(
            Write::RowsLoad {
                table: Arc::clone(store),
                rows: rows as u64,
            },
            None,
        )?;
        let mut scratch = Vec::new();
        let Some(load) = &mut txn.load else {
            return Ok(false);
        };
        for from in (0..rows).step_by(PACK_ROWS as usize) {
            let to = rows.min(from + PACK_ROWS as usize);
            self.put_rows(
                &mut load.writer.batch,
                RowId(first.0 + from as u64),
                &block,
                from..to,
                &mut scratch,
            )?;
        }
        let block = block.at_rest();
        let bytes = block.memory_bytes();
        let block = Arc::new(block.with_charge(store.shared.cache.charge(bytes)));
        load.waiting.push((number, block));
        if load.writer.offer()? {
            load.show()?;
        }
        Ok(true)
    }

    /// The columns without their long values, which go to the store.
    fn toast_direct(
        &self,
        txn: &mut Transaction,
        first: RowId,
        columns: &[Arc<Vector>],
    ) -> PgResult<(Vec<Arc<Vector>>, BlockToast)> {
        let Some(mut load) = txn.load.take() else {
            return Ok((columns.to_vec(), BlockToast::default()));
        };
        let id = self.store.id;
        let mut sink = |key: [u8; 24], bytes: Vec<u8>| {
            load.writer.put(toast::keyspace(id), &key, bytes);
            load.writer.offer().map(drop)
        };
        let short = self.toast_columns(txn, first, columns, Some(&mut sink));
        txn.load = Some(load);
        Ok(short?.unwrap_or_else(|| (columns.to_vec(), BlockToast::default())))
    }

    /// Rows of one segment: as a pack, if they fit into one.
    pub(crate) fn put_rows(
        &self,
        batch: &mut WriteBatch,
        first: RowId,
        block: &MainBlock,
        rows: std::ops::Range<usize>,
        scratch: &mut Vec<u8>,
    ) -> PgResult<()> {
        let keyspace = Keyspace(self.store.id.0);
        let position = (first.0 % PACK_ROWS) as usize;
        let xid = |i| block.xids.get(i);
        if block.toast().is_none()
            && let Some(bytes) = pack::encode_columns(&block.columns, rows.clone(), position, xid)
        {
            batch.put(keyspace, pack::pack_key(first).as_slice(), bytes);
            return Ok(());
        }
        scratch.clear();
        let mut ends = Vec::with_capacity(rows.len());
        for i in rows {
            block.encode_row(i, scratch);
            ends.push(scratch.len());
        }
        let mut start = 0;
        let all: Vec<(usize, &[u8])> = ends
            .iter()
            .enumerate()
            .map(|(i, &end)| (i, &scratch[std::mem::replace(&mut start, end)..end]))
            .collect();
        self.put_encoded(batch, first, &all)
    }

    /// Encoded rows of one segment, each with its place from `first` on.
    pub(crate) fn put_encoded(
        &self,
        batch: &mut WriteBatch,
        first: RowId,
        rows: &[(usize, &[u8])],
    ) -> PgResult<()> {
        let keyspace = Keyspace(self.store.id.0);
        match pack::encode(rows, &self.def.columns)? {
            Some(bytes) => batch.put(keyspace, pack::pack_key(first).as_slice(), bytes),
            None => {
                for (i, row) in rows {
                    batch.put(keyspace, row_key(RowId(first.0 + *i as u64)), row.to_vec());
                }
            }
        }
        Ok(())
    }
}
