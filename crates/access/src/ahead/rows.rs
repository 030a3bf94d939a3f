//! Rows into the store, ahead of the commit.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{PgResult, RowId};
use kv::WriteBatch;
use types::Vector;

use crate::ahead::Load;
use crate::ahead::writer::ChunkRows;
use crate::block::{CHUNK_ROWS, whole_block};
use crate::storage::BATCH_BYTES;
use crate::table::Table;
use crate::toast::{self, block::BlockToast};
use crate::transaction::Transaction;

impl Load {
    /// Row ids of a chunk more.
    pub(super) fn take_chunk(self: &Arc<Load>) -> RowId {
        let store = &self.table;
        let first = store.allocate_chunk();
        let end = first.0 + CHUNK_ROWS;
        let is_new = self.pieces() == 0;
        self.add_rows(first.0..end);
        if is_new {
            // Now that it has a name, checkpoints must know it.
            store.shared.loads.add(self);
        }
        store.reserve_stored(end);
        first
    }
}

impl Table {
    /// Inserts rows as a chunk of their own; None (and nothing done) when they shall go the usual way.
    pub(crate) fn insert_ahead(
        &self,
        txn: &mut Transaction,
        columns: &[Arc<Vector>],
        rows: usize,
    ) -> PgResult<Option<RowId>> {
        let store = &self.store;
        if !txn.goes_ahead(store.id, rows) || txn.fills(store.id) {
            return Ok(None);
        }
        let load = txn.load_of(self)?;
        let first = load.take_chunk();
        let xid = txn.stamp()?.xid().unwrap_or_default().0;
        let heap_bytes = self.account_rows(columns, rows);
        let mut batch = WriteBatch::new();
        let mut sink = |key: [u8; 24], bytes: Vec<u8>| {
            batch.put(toast::keyspace(store.id), key, bytes);
            match batch.payload_bytes() > BATCH_BYTES {
                true => (store.shared.loads).write(&store.shared, [&*load], std::mem::take(&mut batch)),
                false => Ok(()),
            }
        };
        let short = self.toast_columns(txn, first, columns, Some(&mut sink))?;
        let (short, toast) = short.unwrap_or_else(|| (columns.to_vec(), BlockToast::default()));
        load.rows.fetch_add(rows as u64, Ordering::Relaxed);
        load.heap_bytes.fetch_add(heap_bytes, Ordering::Relaxed);
        store.rows_in_flight.fetch_add(rows as i64, Ordering::Relaxed);
        let chunk = ChunkRows {
            table: self.clone(),
            block: whole_block(short, rows, xid).with_toast(toast),
            load,
            first,
            rows,
        };
        match batch.is_empty() {
            true => txn.write_chunk(chunk)?,
            false => chunk.write(batch)?,
        }
        Ok(Some(first))
    }
}
