//! Finding the rows that refer to a key.

use std::sync::Arc;

use access::{Index, KeyBound, ScanDirection, ScanRequest};
use catalog::desc::RelationDesc;
use common::{Oid, PgResult, RowId};
use txn::Snapshot;
use types::{BATCH_ROWS, Datum};

use crate::context::ExecContext;
use crate::modify::foreign_key::{KeyType, convert, relation};
use crate::modify::period;

/// How rows refer to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    Equal,
    /// Their last column, a period, shares something with the key's.
    SharingTime,
}

/// The rows of a table that have a key in these columns, as the newest snapshot sees them.
pub(super) fn matching_rows(
    ext: &ExecContext<'_>,
    table: &Arc<RelationDesc>,
    columns: &[usize],
    key: &[Datum],
    how: Match,
) -> PgResult<Vec<RowId>> {
    let types: Vec<KeyType> = columns
        .iter()
        .filter_map(|i| table.columns.get(*i))
        .map(|c| KeyType {
            type_oid: c.type_ref.oid,
            phys: c.phys,
        })
        .collect();
    let wanted: Option<Vec<Datum>> = key.iter().zip(&types).map(|(v, t)| convert(v, *t)).collect();
    let Some(wanted) = wanted else {
        return Ok(Vec::new());
    };
    let opened = ext.relations.table(table)?;
    let snapshot = ext.with_txn(|txn| txn.latest_snapshot())?;
    let oids: Vec<Oid> = types.iter().map(|t| t.type_oid).collect();
    let equal = |row: &[Datum]| match how {
        Match::SharingTime => period::same_time(&oids, row, &wanted),
        Match::Equal => row
            .iter()
            .zip(&wanted)
            .zip(&oids)
            .all(|((v, w), t)| !v.is_null() && types::compare::equal(*t, v, w)),
    };
    let exact = match how {
        Match::Equal => columns,
        Match::SharingTime => &columns[..columns.len().saturating_sub(1)],
    };
    let mut found = Vec::new();
    let wanted_columns: Vec<u16> = columns.iter().map(|c| *c as u16).collect();
    if let Some((index, equals)) = usable_index(ext, table, exact, &wanted)? {
        let index = ext.relations.index(&index, table)?;
        let bounds = index.bounds(&equals, &KeyBound::Unbounded, &KeyBound::Unbounded);
        let mut scan = index.scan(&snapshot, bounds, ScanDirection::Forward);
        let mut row = Vec::new();
        while let Some(id) = scan.next_row()? {
            row.clear();
            if opened.fetch_columns(id, &snapshot, &wanted_columns, &mut row)? && equal(&row) {
                found.push(id);
            }
        }
        found.sort_unstable();
        return Ok(found);
    }
    let mut scan = opened.scan(&snapshot, ScanRequest::columns(wanted_columns).with_row_ids());
    while let Some(batch) = scan.next_batch(BATCH_ROWS)? {
        ext.cancel.check()?;
        for k in 0..batch.len() {
            let mut row = batch.row(k);
            let id = row.pop().and_then(|v| v.as_i64()).unwrap_or_default();
            if equal(&row) {
                found.push(RowId(id as u64));
            }
        }
    }
    Ok(found)
}

/// The row with a key, as a snapshot sees it. A key younger than the transaction's only snapshot, which its index does not suit, is
/// looked up as of now.
pub(super) fn lookup(
    ext: &ExecContext<'_>,
    desc: &RelationDesc,
    index: &Index,
    snapshot: &Snapshot,
    prefix: &[u8],
) -> PgResult<Option<RowId>> {
    if ext.catalog.index_serves_snapshot(desc) {
        return index.lookup(snapshot, prefix);
    }
    let now = ext.with_txn(|txn| txn.latest_snapshot())?;
    index.lookup(&now, prefix)
}

/// An index whose leading columns are among the key's, with the values to look for.
fn usable_index(
    ext: &ExecContext<'_>,
    table: &RelationDesc,
    columns: &[usize],
    wanted: &[Datum],
) -> PgResult<Option<(Arc<RelationDesc>, Vec<Datum>)>> {
    let mut best: Option<(Arc<RelationDesc>, Vec<Datum>)> = None;
    for oid in &table.indexes {
        let index = relation(ext.catalog, *oid)?;
        let Some(info) = &index.index else { continue };
        if info.predicate.is_some() || !info.valid || info.access_method != Oid(403) {
            continue;
        }
        let mut equals = Vec::new();
        for column in info.columns.iter().take(info.key_count) {
            let at = columns.iter().position(|c| *c as i16 + 1 == column.attno);
            match at {
                Some(at) => equals.push(wanted[at].clone()),
                None => break,
            }
        }
        if !equals.is_empty() && best.as_ref().is_none_or(|(_, e)| e.len() < equals.len()) {
            best = Some((index.clone(), equals));
        }
    }
    Ok(best)
}
