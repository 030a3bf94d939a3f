//! Conditions with the index column on either side.
//!
//! PG: `commute_clause`, `match_opclause_to_indexcol` (indxpath.c).

use common::{Oid, PgResult};
use nodes::expr::Expr;
use nodes::plan::IndexQual;

use crate::exprs::facts;
use crate::root::Root;

/// What a key is compared with, by which operator when the key stands on the left, and whether it stands on the right.
pub fn compared<'e>(
    root: &Root<'_, '_>,
    key: &Expr,
    (op, left, right): (Oid, &'e Expr, &'e Expr),
) -> PgResult<Option<(Oid, &'e Expr, bool)>> {
    let free_of_rel = |e: &Expr| !facts::relids(e).overlaps(&facts::relids(key));
    if facts::strip_relabel(left) == key && free_of_rel(right) {
        return Ok(Some((op, right, false)));
    }
    if facts::strip_relabel(right) != key || !free_of_rel(left) {
        return Ok(None);
    }
    let commuted = root.context().catalog.operator(op)?;
    Ok(commuted.map(|o| (o.commutator, left, true)))
}

/// The condition turned round, with the index column on the left, as EXPLAIN shows it; `op` is the operator then.
pub fn column_first(root: &Root<'_, '_>, mut qual: IndexQual, op: Oid) -> IndexQual {
    let Expr::Func(f) = &mut qual.original else {
        return qual;
    };
    if let Ok(Some(o)) = root.context().catalog.operator(op) {
        f.args.reverse();
        (f.op, f.func) = (op, o.function);
    }
    qual
}
