//! Rows kept by an operator: growing columns, counted against the memory budget.

use std::sync::Arc;

use common::PgResult;
use common::cancel;
use common::memory::MemoryBudget;
use types::{Batch, Datum, PhysType, Selection, Vector};

use crate::cx::Cx;

/// Bytes reserved by one operator; given back when it goes.
#[derive(Default)]
pub(crate) struct MemoryUse {
    budget: Option<MemoryBudget>,
    reserved: usize,
}

/// Reservations are made in steps of this size.
const STEP: usize = 1 << 16;

impl MemoryUse {
    /// Makes the reservation cover `bytes`; 53200 when it cannot.
    pub fn cover(&mut self, cx: &Cx<'_>, bytes: usize) -> PgResult<()> {
        if bytes <= self.reserved {
            return Ok(());
        }
        let more = (bytes - self.reserved).next_multiple_of(STEP);
        let budget = self.budget.get_or_insert_with(|| cx.ext.memory.clone());
        budget.reserve(more)?;
        self.reserved += more;
        Ok(())
    }

    /// Gives everything back.
    pub fn release(&mut self) {
        if let Some(budget) = &self.budget {
            budget.release(self.reserved);
        }
        self.reserved = 0;
    }
}

impl Drop for MemoryUse {
    fn drop(&mut self) {
        self.release();
    }
}

/// Any number of rows, column by column.
pub(crate) struct RowStore {
    pub columns: Vec<Vector>,
    pub rows: usize,
    memory: MemoryUse,
}

/// Rows from which on a store is worth a thread when it is freed.
const MANY_ROWS: usize = 1 << 10;

impl Drop for RowStore {
    fn drop(&mut self) {
        if self.rows >= MANY_ROWS {
            cancel::discard_if_cancelled(std::mem::take(&mut self.columns));
        }
    }
}

impl RowStore {
    pub fn new(phys: &[PhysType]) -> RowStore {
        RowStore {
            columns: phys.iter().map(|p| Vector::empty(*p)).collect(),
            rows: 0,
            memory: MemoryUse::default(),
        }
    }

    /// Bytes that the rows take.
    pub fn memory_bytes(&self) -> usize {
        self.columns.iter().map(Vector::memory_bytes).sum()
    }

    /// Gives back the reservation of rows that are gone.
    pub fn release(&mut self) {
        self.memory.release();
    }

    /// Forgets the rows.
    pub fn clear(&mut self) {
        for c in &mut self.columns {
            *c = Vector::empty(c.phys());
        }
        self.rows = 0;
        self.memory.release();
    }

    /// Adds the selected rows of columns.
    pub fn append(&mut self, cx: &Cx<'_>, columns: &[Arc<Vector>], sel: &Selection) -> PgResult<()> {
        for (mine, new) in self.columns.iter_mut().zip(columns) {
            mine.extend_from(new, sel.iter());
        }
        self.rows += sel.len();
        let bytes = self.memory_bytes();
        self.memory.cover(cx, bytes)
    }

    /// Adds a (compact) batch's rows with only some of the columns.
    pub fn append_columns(&mut self, cx: &Cx<'_>, batch: &Batch, columns: &[usize]) -> PgResult<()> {
        for &i in columns {
            self.columns[i].extend_from(&batch.columns[i], 0..batch.rows);
        }
        self.rows += batch.rows;
        let bytes = self.memory_bytes();
        self.memory.cover(cx, bytes)
    }

    /// Adds a batch's rows.
    pub fn append_batch(&mut self, cx: &Cx<'_>, batch: &Batch) -> PgResult<()> {
        self.append(cx, &batch.columns, &batch.selection)
    }

    /// Adds one row of columns.
    pub fn push_row(&mut self, columns: &[Arc<Vector>], i: usize) {
        for (mine, new) in self.columns.iter_mut().zip(columns) {
            mine.push_from(new, i);
        }
        self.rows += 1;
    }

    /// Adds a row of datums.
    pub fn push_datums(&mut self, values: &[Datum]) {
        for (mine, new) in self.columns.iter_mut().zip(values) {
            mine.push(new);
        }
        self.rows += 1;
    }

    /// Rows by number, as a batch.
    pub fn take(&self, rows: &[u32]) -> Batch {
        let columns = self
            .columns
            .iter()
            .map(|c| Arc::new(c.take(rows.iter().map(|&r| r as usize))))
            .collect();
        Batch::new(columns, rows.len())
    }

    /// Consecutive rows as a batch.
    pub fn range(&self, from: usize, count: usize) -> Batch {
        let columns = self
            .columns
            .iter()
            .map(|c| Arc::new(c.take(from..from + count)))
            .collect();
        Batch::new(columns, count)
    }

    /// All columns, shared; the store is empty afterwards.
    pub fn drain_columns(&mut self) -> (Vec<Arc<Vector>>, usize) {
        let rows = std::mem::take(&mut self.rows);
        let columns = self
            .columns
            .iter_mut()
            .map(|c| Arc::new(std::mem::replace(c, Vector::empty(c.phys()))))
            .collect();
        (columns, rows)
    }
}
