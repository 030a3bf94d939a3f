//! `IS NULL` and `IS NOT NULL` of columns that hold no NULLs: true or false, whatever the rows.
//!
//! PG: `restriction_is_always_true`, `restriction_is_always_false` (initsplan.c).

use nodes::expr::{BoolOp, Expr, Var};
use nodes::relids::RelIds;

use catalog::RelationDesc;
use common::AttrNumber;

use crate::exprs::facts;
use crate::rel::BaseRel;
use crate::root::Root;

/// Whether it is worth asking [`always`].
pub fn may_be_known(clause: &Expr) -> bool {
    match clause {
        Expr::NullTest(n) => matches!(&*n.arg, Expr::Var(_)),
        Expr::Bool(b) => b.op == BoolOp::Or && b.args.iter().any(may_be_known),
        _ => false,
    }
}

/// What a condition is for every row, where the columns that it tests say so. `nulled`: relations that
/// an outer join below the condition may turn to NULL, or of which this is not known.
pub fn always(root: &Root<'_, '_>, clause: &Expr, nulled: &RelIds) -> Option<bool> {
    match clause {
        Expr::NullTest(n) if !n.arg_is_row => match &*n.arg {
            Expr::Var(v) if holds_no_null(root, v, nulled) => Some(n.is_not),
            _ => None,
        },
        Expr::Bool(b) if b.op == BoolOp::Or => {
            let arms: Vec<_> = b.args.iter().map(|a| always(root, a, nulled)).collect();
            if arms.contains(&Some(true)) {
                return Some(true);
            }
            arms.iter().all(|a| *a == Some(false)).then_some(false)
        }
        _ => None,
    }
}

fn holds_no_null(root: &Root<'_, '_>, v: &Var, nulled: &RelIds) -> bool {
    let Some(rel) = facts::var_rel(v).filter(|r| !nulled.contains(*r)) else {
        return false;
    };
    let base = root.rels.get(rel).and_then(|r| r.as_ref()?.base.as_ref());
    let Some(table) = base.and_then(BaseRel::table) else {
        return false;
    };
    // Tables that inherit from a plain one may have NULLs where it has none; partitions may not.
    let alone = base.is_some_and(|b| !b.is_append) || table.relkind == b'p';
    alone && column_is_not_null(table, v.attno)
}

/// A column without NULLs, which has been checked.
pub fn column_is_not_null(table: &RelationDesc, attno: AttrNumber) -> bool {
    let declared = table.column(attno).is_some_and(|c| c.not_null);
    let unchecked =
        |c: &catalog::desc::ConstraintDesc| c.kind == b'n' && !c.validated && c.columns.contains(&attno);
    declared && !table.constraints.iter().any(unchecked)
}
