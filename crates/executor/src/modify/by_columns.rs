//! Inserting many rows at once, by columns.
//!
//! # How it works
//! Generated columns and checks are evaluated over whole columns. When a row breaks a rule, nothing is reported from here: the caller
//! goes through the rows one by one, and finds PostgreSQL's error at the first of them. Index entries follow, all of an index at once
//! where none of them can violate a constraint, else row by row: the first row in order that violates one is the one to name.

use std::sync::Arc;

use common::{PgError, PgResult, RowId};
use expr::{Inputs, Runtime};
use types::{Datum, Selection, Vector};

use crate::context::ExecContext;
use crate::modify::OpenTarget;
use crate::modify::indexes::Entry;

/// An error and the number of the row it belongs to.
pub(crate) type RowError = (usize, Box<PgError>);

impl OpenTarget {
    /// Computes generated columns and checks constraints. False: some row breaks one.
    pub fn check_columns(
        &mut self,
        rt: &mut dyn Runtime,
        columns: &mut [Arc<Vector>],
        rows: usize,
    ) -> PgResult<bool> {
        let all = Selection::All(rows);
        for k in 0..self.def.rules.generated.len() {
            let (column, _) = self.def.rules.generated[k];
            let values = self.generated[k].over(rt, Inputs::scan(columns, rows), &all)?;
            columns[column] = Arc::new(values.flatten());
        }
        let has_null = |&i: &usize| (0..rows).any(|row| columns[i].is_null(row));
        let may_have = |i: &&usize| columns[**i].may_have_nulls();
        if self.def.rules.not_null.iter().filter(may_have).any(has_null) {
            return Ok(false);
        }
        for column in &mut self.virtual_not_null {
            let values = column.over(rt, Inputs::scan(columns, rows), &all)?;
            if (0..rows).any(|row| values.datum(row).is_null()) {
                return Ok(false);
            }
        }
        for check in &mut self.checks {
            let passed = check.over(rt, Inputs::scan(columns, rows), &all)?;
            // NULL passes.
            if (0..rows).any(|row| passed.datum(row).as_bool() == Some(false)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Stores rows that have passed the checks, and their index entries.
    pub fn insert_columns(
        &mut self,
        ext: &ExecContext<'_>,
        rt: &mut dyn Runtime,
        columns: &[Arc<Vector>],
        rows: usize,
    ) -> Result<RowId, RowError> {
        let at = |row: usize| move |e| (row, e);
        let first = ext
            .with_txn(|txn| self.table.insert_columns(txn, columns, rows))
            .map_err(at(0))?;
        if self.indexes.is_empty() && self.def.foreign_keys.is_empty() {
            return Ok(first);
        }
        // Indexes that take all entries at once, and those (by row, so the first row in order gets the blame) that do not.
        let mut by_row = Vec::new();
        for (k, index) in self.indexes.iter().enumerate() {
            let at_once = index.part.is_plain() && index.part.exclusion.is_none();
            if !at_once || !index.insert_many(ext, columns, rows, first).map_err(at(0))? {
                by_row.push(k);
            }
        }
        if by_row.is_empty() && self.def.foreign_keys.is_empty() {
            return Ok(first);
        }
        let mut entry = Entry::default();
        for row in 0..rows {
            let id = RowId(first.0 + row as u64);
            self.index_row(ext, rt, (&by_row, columns, row), id, &mut entry)
                .map_err(at(row))?;
        }
        Ok(first)
    }

    fn index_row(
        &mut self,
        ext: &ExecContext<'_>,
        rt: &mut dyn Runtime,
        (indexes, columns, row): (&[usize], &[Arc<Vector>], usize),
        id: RowId,
        entry: &mut Entry,
    ) -> PgResult<()> {
        let whole = || -> Vec<Datum> { columns.iter().map(|c| c.datum(row)).collect() };
        for &k in indexes {
            if self.indexes[k].part.is_plain() {
                self.indexes[k].part.fill(columns, row, entry);
            } else if let Some(computed) = self.indexes[k].entry(rt, &whole())? {
                *entry = computed;
            } else {
                continue;
            }
            self.add_entry(ext, k, entry, id)?;
        }
        if !self.def.foreign_keys.is_empty() {
            self.after_insert(ext, id, &whole());
        }
        Ok(())
    }
}
