//! Relations of which at most one row can match.
//!
//! PG: `innerrel_is_unique`, `relation_has_unique_index_for`, `query_is_distinct_for`.

use std::rc::Rc;

use common::{AttrNumber, Oid};
use nodes::expr::Expr;

use crate::exprs::facts;
use crate::paths::distinct_columns;
use crate::rel::{BaseKind, RelOptInfo, RestrictInfo};

/// At most one inner row can match: a unique index of the inner table, or what a subquery's rows differ in, is covered by equalities.
pub fn is_unique(inner: &RelOptInfo, clauses: &[Rc<RestrictInfo>]) -> bool {
    let Some(base) = &inner.base else { return false };
    let equals_column = |column: &Expr| {
        let joined = clauses.iter().filter_map(|c| c.equality.as_ref()).any(|e| {
            (facts::strip_relabel(&e.left) == column && !e.right_relids.overlaps(&inner.relids))
                || (facts::strip_relabel(&e.right) == column && !e.left_relids.overlaps(&inner.relids))
        });
        joined
            || base
                .restrictions
                .iter()
                .filter_map(|c| c.equality.as_ref())
                .any(|e| {
                    (facts::strip_relabel(&e.left) == column && e.right_relids.is_empty())
                        || (facts::strip_relabel(&e.right) == column && e.left_relids.is_empty())
                })
    };
    if let BaseKind::Subquery(planned) = &base.kind {
        return differ_in(inner, planned.distinct_columns.as_deref(), clauses);
    }
    base.indexes.iter().any(|i| {
        i.desc.unique
            && i.desc.immediate
            && i.predicate.is_empty()
            && i.column_exprs.iter().take(i.desc.key_count).all(equals_column)
    })
}

/// As [`is_unique`], also of a subquery that is not planned yet.
pub fn is_unique_for(inner: &RelOptInfo, clauses: &[Rc<RestrictInfo>]) -> bool {
    match inner.base.as_ref().map(|b| &b.kind) {
        Some(BaseKind::Unplanned(query)) => differ_in(inner, distinct_columns(query).as_deref(), clauses),
        _ => is_unique(inner, clauses),
    }
}

/// Equalities cover the columns that the rows of a subquery differ in.
fn differ_in(inner: &RelOptInfo, columns: Option<&[AttrNumber]>, clauses: &[Rc<RestrictInfo>]) -> bool {
    columns.is_some_and(|list| list.iter().all(|n| is_compared(inner, *n, clauses)))
}

/// An equality compares the column of the relation with something of another.
fn is_compared(inner: &RelOptInfo, attno: AttrNumber, clauses: &[Rc<RestrictInfo>]) -> bool {
    let is_column = |e: &Expr, collation: Oid| {
        matches!(e, Expr::Var(v) if v.attno == attno
            && v.collation == collation
            && facts::var_rel(v).is_some_and(|r| inner.relids.contains(r)))
    };
    clauses.iter().filter_map(|c| c.equality.as_ref()).any(|e| {
        is_column(&e.left, e.collation) && !e.right_relids.overlaps(&inner.relids)
            || is_column(&e.right, e.collation) && !e.left_relids.overlaps(&inner.relids)
    })
}
