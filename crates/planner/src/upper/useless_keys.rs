//! GROUP BY as it is cheapest: without columns that follow from others (with a unique key among them, the table's other columns tell no
//! rows apart), and in the order of ORDER BY.
//!
//! PG: `remove_useless_groupby_columns` (initsplan.c), `preprocess_groupclause` (planner.c).

use catalog::{IndexDesc, RelationDesc};
use common::{AttrNumber, PgResult};
use nodes::expr::Expr;
use nodes::query::{RteKind, SortGroupClause};

use crate::exprs::facts;
use crate::not_null::column_is_not_null;
use crate::root::Root;
use crate::upper::sort_group_expr;

/// Brings the grouping columns into the order of ORDER BY, where one of the two is a beginning of the other: one sort serves both then.
pub fn order_as_result(root: &mut Root<'_, '_>) {
    let query = &mut root.query;
    if !query.grouping_sets.is_empty() || query.sort_clause.is_empty() {
        return;
    }
    let same = |a: &SortGroupClause, b: &SortGroupClause| {
        (a.target_ref, a.sort_op, a.nulls_first) == (b.target_ref, b.sort_op, b.nulls_first)
    };
    let sorted = query.sort_clause.iter();
    let grouped = |s: &&SortGroupClause| query.group_clause.iter().any(|g| same(g, s));
    let mut order: Vec<SortGroupClause> = sorted.take_while(grouped).cloned().collect();
    let partly = order.len() < query.sort_clause.len();
    if order.is_empty() || partly && order.len() < query.group_clause.len() {
        return;
    }
    let rest: Vec<_> = query
        .group_clause
        .iter()
        .filter(|g| !order.iter().any(|o| same(o, g)))
        .cloned()
        .collect();
    if rest.iter().all(|g| g.sort_op.is_valid()) {
        order.extend(rest);
        query.group_clause = order;
    }
}

/// Leaves useless columns out of GROUP BY.
pub fn remove(root: &mut Root<'_, '_>) -> PgResult<()> {
    if root.query.group_clause.len() < 2 || !root.query.grouping_sets.is_empty() {
        return Ok(());
    }
    let mut useless: Vec<u32> = Vec::new();
    for rel in 1..=root.query.range_table.len() {
        let columns = columns_of(root, rel);
        if columns.len() < 2 {
            continue;
        }
        let RteKind::Relation { relation, .. } = root.query.rte(rel).kind else {
            continue;
        };
        let Some(table) = root.context().catalog.relation(relation)? else {
            continue;
        };
        if root.append_parents.contains(&rel) && table.relkind != b'p' {
            continue;
        }
        let attnos: Vec<AttrNumber> = columns.iter().map(|(_, attno)| *attno).collect();
        if let Some(key) = smallest_key(root, &table, &attnos)? {
            useless.extend(columns.iter().filter(|(_, a)| !key.contains(a)).map(|(r, _)| *r));
        }
    }
    root.query
        .group_clause
        .retain(|c| !useless.contains(&c.target_ref));
    Ok(())
}

/// Columns of a table in GROUP BY: reference and number.
fn columns_of(root: &Root<'_, '_>, rel: usize) -> Vec<(u32, AttrNumber)> {
    let column = |c: &SortGroupClause| match sort_group_expr(root, c) {
        Some(Expr::Var(v)) if facts::var_rel(v) == Some(rel) && v.attno > 0 => Some((c.target_ref, v.attno)),
        _ => None,
    };
    root.query.group_clause.iter().filter_map(column).collect()
}

/// The unique key with the fewest columns that consists of fewer than the given columns.
fn smallest_key(
    root: &Root<'_, '_>,
    table: &RelationDesc,
    columns: &[AttrNumber],
) -> PgResult<Option<Vec<AttrNumber>>> {
    let mut best: Option<Vec<AttrNumber>> = None;
    for oid in table.indexes.iter().rev() {
        let index = root.context().catalog.relation(*oid)?;
        let Some(index) = index.as_ref().and_then(|i| i.index.as_ref()) else {
            continue;
        };
        let Some(key) = unique_key(table, index) else {
            continue;
        };
        let shorter = best.as_ref().is_none_or(|b| key.len() < b.len());
        if shorter && key.len() < columns.len() && key.iter().all(|a| columns.contains(a)) {
            best = Some(key);
        }
    }
    Ok(best)
}

/// The columns of an index no two rows of the table share.
fn unique_key(table: &RelationDesc, index: &IndexDesc) -> Option<Vec<AttrNumber>> {
    if !index.unique || !index.valid || !index.immediate || index.predicate.is_some() {
        return None;
    }
    let columns = index.columns.iter().take(index.key_count);
    let tells_apart =
        |attno: AttrNumber| attno > 0 && (index.nulls_not_distinct || column_is_not_null(table, attno));
    columns
        .map(|c| Some(c.attno).filter(|a| tells_apart(*a)))
        .collect()
}
