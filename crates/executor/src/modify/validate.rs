//! Foreign keys of rows that are there already: ADD FOREIGN KEY, VALIDATE CONSTRAINT, DETACH PARTITION.

use std::sync::Arc;

use access::ScanRequest;
use catalog::desc::{ConstraintDesc, RelationDesc};
use catalog::partition::column_map;
use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, pg_err};
use types::{BATCH_ROWS, Datum};

use crate::context::ExecContext;
use crate::modify::errors;
use crate::modify::foreign_key::{FkCheck, convert, leaves};

/// ALTER TABLE ... ADD FOREIGN KEY, VALIDATE CONSTRAINT: every row of a table.
pub fn validate_foreign_key(
    ext: &ExecContext<'_>,
    table: &Arc<RelationDesc>,
    constraint: &ConstraintDesc,
) -> PgResult<()> {
    let check = FkCheck::compile(ext.catalog, constraint)?;
    let opened = ext.relations.table(table)?;
    let snapshot = ext.with_txn(|txn| txn.latest_snapshot())?;
    let columns: Vec<u16> = check.columns.iter().map(|c| *c as u16).collect();
    let mut scan = opened.scan(&snapshot, ScanRequest::columns(columns));
    while let Some(batch) = scan.next_batch(BATCH_ROWS)? {
        ext.cancel.check()?;
        for k in 0..batch.len() {
            check.check(ext, table, &batch.row(k))?;
        }
    }
    Ok(())
}

/// DETACH PARTITION: no row may refer to a row of the partition that leaves. `part`: what the foreign key is for that partition.
pub fn check_partition_removal(
    ext: &ExecContext<'_>,
    referencing: &Arc<RelationDesc>,
    part: &ConstraintDesc,
    partition: &RelationDesc,
) -> PgResult<()> {
    let check = FkCheck::compile(ext.catalog, part)?;
    let snapshot = ext.with_txn(|txn| txn.latest_snapshot())?;
    for table in leaves(ext.catalog, referencing)? {
        let map = column_map(referencing, &table);
        let columns: Vec<u16> = part
            .columns
            .iter()
            .map(|a| map.get(*a as usize - 1).map_or(0, |m| (*m).max(1) as u16 - 1))
            .collect();
        let opened = ext.relations.table(&table)?;
        let mut scan = opened.scan(&snapshot, ScanRequest::columns(columns));
        while let Some(batch) = scan.next_batch(BATCH_ROWS)? {
            ext.cancel.check()?;
            for k in 0..batch.len() {
                let key = batch.row(k);
                let wanted: Option<Vec<Datum>> =
                    key.iter().zip(&check.key).map(|(v, t)| convert(v, *t)).collect();
                let Some(wanted) = wanted.filter(|w| !w.iter().any(Datum::is_null)) else {
                    continue;
                };
                if check.exists(ext, &wanted)? {
                    return Err(removal_refused(ext, referencing, part, partition, &key));
                }
            }
        }
    }
    Ok(())
}

fn removal_refused(
    ext: &ExecContext<'_>,
    referencing: &RelationDesc,
    part: &ConstraintDesc,
    partition: &RelationDesc,
    key: &[Datum],
) -> Box<PgError> {
    let attnos = part.foreign.iter().flat_map(|f| &f.columns);
    let columns: Vec<(&str, Oid)> = attnos
        .filter_map(|a| partition.column(*a))
        .map(|c| (&*c.name, c.type_ref.oid))
        .collect();
    let shown = errors::key_and_values(ext, &columns, key);
    pg_err!(
        FOREIGN_KEY_VIOLATION,
        "removing partition \"{}\" violates foreign key constraint \"{}\"",
        partition.name,
        part.name
    )
    .detail(format!(
        "Key {shown} is still referenced from table \"{}\".",
        referencing.name
    ))
    .table(&*referencing.namespace_name, &*referencing.name)
    .constraint(&*part.name)
}
