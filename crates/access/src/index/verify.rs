//! Checking an index against its table: for tests, and for users who distrust their disk.

use common::{PgResult, RowId};
use txn::Snapshot;
use types::{BATCH_ROWS, Datum, key};

use crate::index::store::entry_key;
use crate::index::{Index, IndexBounds};
use crate::table::{ScanDirection, ScanRequest, Table};

/// Findings after which a check stops collecting.
pub const FINDINGS_MAX: usize = 100;

impl Index {
    /// True when the entry of a row is there: key datums as the index has them.
    pub fn has_entry(&self, snapshot: &Snapshot, values: &[Datum], row: RowId) -> PgResult<bool> {
        let mut prefix = Vec::new();
        key::encode_all(&self.def.columns, values, &mut prefix);
        Ok(self.lookup(snapshot, &entry_key(&prefix, row))? == Some(row))
    }

    /// Counts the entries that the snapshot sees, and tells of those whose row it does not see.
    pub fn verify_entries(
        &self,
        table: &Table,
        snapshot: &Snapshot,
        findings: &mut Vec<String>,
    ) -> PgResult<u64> {
        let mut entries = 0;
        let mut scan = self.scan(snapshot, IndexBounds::all(), ScanDirection::Forward);
        while let Some(row) = scan.next_row()? {
            entries += 1;
            if findings.len() < FINDINGS_MAX && !table.is_visible(row, snapshot)? {
                findings.push(format!("entry for row {row}, which does not exist"));
            }
        }
        Ok(entries)
    }

    /// Compares the entries that the snapshot sees with the rows that it sees. `columns` are the table's columns (0-based) of the
    /// index key; not for expression or partial indexes. Gives what is wrong, in words; nothing when all is well.
    pub fn verify(&self, table: &Table, columns: &[u16], snapshot: &Snapshot) -> PgResult<Vec<String>> {
        let (mut findings, mut rows) = (Vec::new(), 0);
        let mut scan = table.scan(snapshot, ScanRequest::columns(columns).with_row_ids());
        while let Some(batch) = scan.next_batch(BATCH_ROWS)? {
            rows += batch.len() as u64;
            for k in 0..batch.len() {
                let mut values = batch.row(k);
                let id = values.pop().and_then(|id| id.as_i64());
                let row = RowId(id.unwrap_or_default() as u64);
                if findings.len() < FINDINGS_MAX && !self.has_entry(snapshot, &values, row)? {
                    findings.push(format!("row {row} has no entry"));
                }
            }
        }
        let entries = self.verify_entries(table, snapshot, &mut findings)?;
        if entries != rows {
            findings.push(format!("{entries} entries for {rows} rows"));
        }
        Ok(findings)
    }
}
