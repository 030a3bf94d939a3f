//! Checking an index against its table: for tests, and for users who distrust their disk.

use common::{PgResult, RowId};
use txn::Snapshot;
use types::{BATCH_ROWS, key};

use crate::index::store::entry_key;
use crate::index::{Index, IndexBounds};
use crate::table::{ScanDirection, ScanRequest, Table};

/// Findings after which a check stops.
const FINDINGS_MAX: usize = 100;

impl Index {
    /// Compares the entries that the snapshot sees with the rows that it sees. `columns` are the table's columns (0-based) of the
    /// index key; not for expression or partial indexes. Gives what is wrong, in words; nothing when all is well.
    pub fn verify(&self, table: &Table, columns: &[u16], snapshot: &Snapshot) -> PgResult<Vec<String>> {
        let mut findings = Vec::new();
        let rows = self.verify_rows(table, columns, snapshot, &mut findings)?;
        let mut entries = 0u64;
        let mut scan = self.scan(snapshot, IndexBounds::all(), ScanDirection::Forward);
        while let Some(row) = scan.next_row()? {
            entries += 1;
            if findings.len() < FINDINGS_MAX && !table.is_visible(row, snapshot)? {
                findings.push(format!("entry for row {row}, which does not exist"));
            }
        }
        if entries != rows {
            findings.push(format!("{entries} entries for {rows} rows"));
        }
        Ok(findings)
    }

    /// Looks every row up; how many there are.
    fn verify_rows(
        &self,
        table: &Table,
        columns: &[u16],
        snapshot: &Snapshot,
        findings: &mut Vec<String>,
    ) -> PgResult<u64> {
        let mut rows = 0;
        let mut prefix = Vec::new();
        let mut scan = table.scan(snapshot, ScanRequest::columns(columns).with_row_ids());
        while let Some(batch) = scan.next_batch(BATCH_ROWS)? {
            rows += batch.len() as u64;
            for k in 0..batch.len() {
                let mut values = batch.row(k);
                let row = values
                    .pop()
                    .and_then(|id| id.as_i64())
                    .map_or(RowId(0), |id| RowId(id as u64));
                prefix.clear();
                key::encode_all(&self.def.columns, &values, &mut prefix);
                let found = self.lookup(snapshot, &entry_key(&prefix, row))?;
                if found != Some(row) && findings.len() < FINDINGS_MAX {
                    findings.push(format!("row {row} has no entry"));
                }
            }
        }
        Ok(rows)
    }
}
