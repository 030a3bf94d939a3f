//! Virtual generated columns: expressions that stand in for them wherever rows are read.
//!
//! PG: src/backend/rewrite/rewriteHandler.c (`build_generation_expression`, `expand_generated_columns_in_expr`).
//!
//! Rows hold NULL in the place of such a column. Queries are expanded by the planner; here is what it and everybody else who
//! evaluates expressions over stored rows (constraints, checks of existing rows) need.

use nodes::expr::{CoercionForm, Expr, RelabelExpr, ReturningKind, RowExpr, Var, VarSource};
use nodes::walk;

use crate::desc::{ColumnDesc, RelationDesc};

/// `attgenerated` of virtual columns.
pub const VIRTUAL: u8 = b'v';

/// True when some live column is virtual.
pub fn has_any(desc: &RelationDesc) -> bool {
    desc.columns.iter().any(is_virtual)
}

fn is_virtual(column: &ColumnDesc) -> bool {
    column.generated == VIRTUAL && !column.dropped
}

/// What a reference to a virtual column, or to a row with such columns, stands for; `None` for other references.
///
/// The columns in it are those of the reference's row: same source, same side of RETURNING.
pub fn expansion(var: &Var, desc: &RelationDesc) -> Option<Expr> {
    if var.attno == 0 {
        return has_any(desc).then(|| whole_row(var, desc));
    }
    let column = desc.column(var.attno).filter(|c| is_virtual(c))?;
    let expr = generated(var, column)?;
    if expr.collation() == column.collation {
        return Some(expr);
    }
    // Above the column its own collation counts, whatever the expression is made of.
    Some(Expr::Relabel(RelabelExpr {
        result: expr.type_ref(),
        arg: Box::new(expr),
        collation: column.collation,
        form: CoercionForm::ImplicitCast,
        span: var.span,
    }))
}

fn generated(var: &Var, column: &ColumnDesc) -> Option<Expr> {
    let mut expr = Expr::clone(column.default.as_ref()?);
    walk::rewrite(&mut expr, &mut |e| {
        if let Expr::Var(own) = e {
            own.source = var.source;
            own.returning = var.returning;
            own.nulling_rels.clone_from(&var.nulling_rels);
        }
    });
    Some(expr)
}

/// A row of the relation spelled out, virtual columns included.
pub fn whole_row(var: &Var, desc: &RelationDesc) -> Expr {
    let live = desc.columns.iter().filter(|c| !c.dropped);
    let value = |c: &ColumnDesc| {
        let column = Var {
            attno: c.attno,
            type_ref: c.type_ref,
            collation: c.collation,
            ..var.clone()
        };
        expansion(&column, desc).unwrap_or(Expr::Var(column))
    };
    Expr::Row(RowExpr {
        args: live.clone().map(value).collect(),
        row_type: var.type_ref.oid,
        names: live.map(|c| Box::from(&*c.name)).collect(),
        form: CoercionForm::default(),
        span: var.span,
    })
}

/// An expression over stored rows of the relation as one over their columns alone: virtual columns and whole rows are spelled out.
pub fn over_stored_row(expr: &Expr, desc: &RelationDesc) -> Expr {
    let mut expr = expr.clone();
    walk::rewrite(&mut expr, &mut |e| {
        let Expr::Var(v) = e else { return };
        if !is_stored_row(v) {
            return;
        }
        if v.attno == 0 {
            *e = whole_row(v, desc);
        } else if let Some(expanded) = expansion(v, desc) {
            *e = expanded;
        }
    });
    expr
}

/// True for references to the row at hand, in an expression that stands alone.
fn is_stored_row(var: &Var) -> bool {
    let own = VarSource::Rel {
        index: 1,
        levels_up: 0,
    };
    (var.source == VarSource::Scan || var.source == own) && var.returning == ReturningKind::Default
}
