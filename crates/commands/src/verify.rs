//! Checking a database: every block of every table can be read, every index has exactly the entries that its rows want.

use std::sync::Arc;

use catalog::desc::RelationDesc;
use common::{PgResult, RowId};
use txn::LockMode;
use types::{BATCH_ROWS, Datum};

use crate::context::CommandContext;
use crate::index_build::IndexKeys;

/// What is wrong with a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Schema and name.
    pub relation: String,
    /// In words.
    pub text: String,
}

/// Findings about one relation after which its check ends.
const FINDINGS_MAX: usize = 100;

/// Checks all tables of users with their indexes under one snapshot each; writers go on.
pub fn all_tables(cx: &CommandContext<'_>) -> PgResult<Vec<Finding>> {
    let mut findings = Vec::new();
    for oid in crate::vacuum::all_tables(cx)? {
        cx.lock_relation(oid, LockMode::AccessShare)?;
        // It may have been dropped while the lock was awaited.
        let Some(table) = cx.view()?.relation(oid)? else {
            continue;
        };
        if let Err(error) = check_table(cx, &table, &mut findings) {
            if !error.sqlstate.as_str().starts_with("XX") {
                return Err(error);
            }
            findings.push(finding(&table, error.message.clone()));
        }
    }
    Ok(findings)
}

fn finding(relation: &RelationDesc, text: impl Into<String>) -> Finding {
    Finding {
        relation: format!("{}.{}", relation.namespace_name, relation.name),
        text: text.into(),
    }
}

/// An index, how it makes its keys, and how many rows belong into it.
struct Checked {
    desc: Arc<RelationDesc>,
    index: access::Index,
    keys: IndexKeys,
    rows: u64,
    findings: Vec<String>,
}

fn check_table(
    cx: &CommandContext<'_>,
    table: &Arc<RelationDesc>,
    findings: &mut Vec<Finding>,
) -> PgResult<()> {
    let opened = cx.relations.table(table)?;
    let mut indexes = Vec::new();
    for oid in &table.indexes {
        let Some(desc) = cx.view()?.relation(*oid)? else {
            continue;
        };
        if let Some(info) = desc.index.as_ref().filter(|info| info.valid) {
            indexes.push(Checked {
                index: cx.relations.index(&desc, table)?,
                keys: IndexKeys::compile(info, cx)?,
                rows: 0,
                findings: Vec::new(),
                desc: Arc::clone(&desc),
            });
        }
    }
    let snapshot = cx.txn.borrow().latest_snapshot()?;
    let all: Vec<u16> = (0..table.columns.len()).map(|c| c as u16).collect();
    let mut scan = opened.scan(&snapshot, access::ScanRequest::columns(all).with_row_ids());
    while let Some(batch) = scan.next_batch(BATCH_ROWS)? {
        cx.cancel.check()?;
        for k in 0..batch.len() {
            let mut row = batch.row(k);
            let id = row.pop().and_then(|id| id.as_i64());
            for index in &mut indexes {
                index.check_row(cx, &snapshot, &row, RowId(id.unwrap_or_default() as u64))?;
            }
        }
    }
    for mut index in indexes {
        let entries = index
            .index
            .verify_entries(&opened, &snapshot, &mut index.findings)?;
        if entries != index.rows {
            index
                .findings
                .push(format!("{entries} entries for {} rows", index.rows));
        }
        findings.extend(index.findings.into_iter().map(|text| finding(&index.desc, text)));
    }
    Ok(())
}

impl Checked {
    fn check_row(
        &mut self,
        cx: &CommandContext<'_>,
        snapshot: &txn::Snapshot,
        row: &[Datum],
        id: RowId,
    ) -> PgResult<()> {
        let Some((values, _)) = self.keys.of_row(cx, row)? else {
            return Ok(());
        };
        self.rows += 1;
        if self.findings.len() < FINDINGS_MAX && !self.index.has_entry(snapshot, &values, id)? {
            self.findings.push(format!("row {id} has no entry"));
        }
        Ok(())
    }
}
