//! INSERT of whole batches: rows are collected until they fill a chunk of the table, checked and stored by columns.

use std::sync::Arc;

use access::Collector;
use common::PgResult;
use nodes::query::CommandType;
use types::{Batch, Datum, Vector};

use super::{ModifyNode, ModifyOp};
use crate::cx::Cx;

/// Batches of fewer rows go row by row.
const ROWS_MIN: usize = 32;

impl ModifyNode {
    /// An INSERT into one table that gives nothing back.
    pub(super) fn inserts_columns(&self) -> bool {
        self.operation == CommandType::Insert
            && self.root.relkind == b'r'
            && !self.root.is_partition
            && self.returning.is_none()
            && self.with_check.is_empty()
            && self.on_conflict.is_none()
    }
}

impl ModifyOp {
    /// Takes a batch; false when it shall go row by row.
    pub(super) fn add_columns(&mut self, cx: &mut Cx<'_>, batch: &Batch) -> PgResult<bool> {
        if !self.by_columns || self.collected.is_none() && batch.len() < ROWS_MIN {
            return Ok(false);
        }
        let leaf = self.leaf_of(cx, self.node.root.oid)?;
        let table = self.leaf(leaf)?.target.table.clone();
        let mut sources: Vec<Option<Arc<Vector>>> = vec![None; self.node.root.columns.len()];
        for (column, &at) in batch.columns.iter().zip(&self.node.assigned) {
            if let Some(source) = sources.get_mut(at) {
                *source = Some(Arc::clone(column));
            }
        }
        let mut done = 0;
        while done < batch.len() {
            let collected = self.collected.get_or_insert_with(|| Collector::new(&table));
            done += collected.add(&table, &sources, &batch.selection, done);
            if collected.is_full(&table) {
                self.flush_columns(cx)?;
            }
        }
        Ok(true)
    }

    /// Checks and stores what was collected.
    pub(super) fn flush_columns(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        let Some((columns, rows)) = self.collected.as_mut().map(Collector::drain) else {
            return Ok(());
        };
        if rows == 0 {
            return Ok(());
        }
        let leaf = self.leaf_of(cx, self.node.root.oid)?;
        let ext = cx.ext;
        let target = &mut self.leaf(leaf)?.target;
        let mut stored = columns.clone();
        if matches!(target.check_columns(cx, &mut stored, rows), Ok(true)) {
            target
                .insert_columns(ext, cx, &stored, rows)
                .map_err(|(_, error)| error)?;
            if self.node.counts {
                cx.run.processed += rows as u64;
            }
            return Ok(());
        }
        // Some row breaks a rule: the first one's error counts.
        for row in 0..rows {
            let values: Vec<Datum> = columns.iter().map(|c| c.datum(row)).collect();
            self.insert(cx, values, &[])?;
        }
        Ok(())
    }
}
