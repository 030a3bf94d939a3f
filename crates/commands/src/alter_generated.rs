//! ALTER COLUMN SET EXPRESSION and DROP EXPRESSION.
//!
//! PG: src/backend/commands/tablecmds.c (`ATExecSetExpression`, `ATExecDropExpression`).

use std::sync::Arc;

use catalog::columns::pg_attribute;
use catalog::ddl::relation::NewColumn;
use catalog::desc::{ColumnDesc, RelationDesc};
use catalog::virtual_columns::VIRTUAL;
use common::error::ErrorExt;
use common::{PgError, PgResult, pg_err, sqlstate};
use nodes::Expr;
use parser::ast::{self, Ident};
use types::Datum;

use crate::alter_inherit::Reach;
use crate::alter_table::column;
use crate::context::CommandContext;
use crate::eval::RowExpr;
use crate::generated::{generation_expr, verify_not_null};
use crate::rewrite::{Dependents, Rebuild, rewrite};

fn not_generated(found: &ColumnDesc, desc: &RelationDesc) -> String {
    format!(
        "column \"{}\" of relation \"{}\" is not a generated column",
        found.name, desc.name
    )
}

fn virtual_refused(found: &ColumnDesc, desc: &RelationDesc, message: &str) -> Box<PgError> {
    pg_err!(FEATURE_NOT_SUPPORTED, "{message}").detail(format!(
        "Column \"{}\" of relation \"{}\" is a virtual generated column.",
        found.name, desc.name
    ))
}

/// SET EXPRESSION: stored values are computed again, and everything that depends on them is made anew.
pub(crate) fn set_expression(
    desc: &Arc<RelationDesc>,
    name: &Ident,
    raw: &ast::Expr,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let found = column(desc, name)?;
    if found.generated == 0 {
        return Err(PgError::new(
            sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE,
            not_generated(found, desc),
        ));
    }
    let is_virtual = found.generated == VIRTUAL;
    if is_virtual && desc.constraints.iter().any(|c| c.kind == b'c') {
        let message = "ALTER TABLE / SET EXPRESSION is not supported for virtual generated columns in tables \
                       with check constraints";
        return Err(virtual_refused(found, desc, message));
    }
    let mut new = NewColumn::new(&*found.name, found.type_ref);
    new.generated = found.generated;
    let view = cx.view()?;
    let expr = generation_expr(raw, &new, desc, &*view, cx).map_err(without_place)?;
    let dependents = Dependents::take(desc, found.attno, &*view, cx)?;
    drop(view);
    dependents.drop_all(cx)?;
    cx.ddl(|ddl| ddl.set_generation(desc.oid, found.attno, &expr, found.generated))?;
    if !is_virtual {
        compute_again(&cx.relation(desc.oid)?, found.attno, &expr, cx)?;
    }
    let current = cx.relation(desc.oid)?;
    if let Some(changed) = current.column(found.attno).filter(|c| c.not_null) {
        verify_not_null(&current, changed, cx)?;
    }
    dependents.make_again(desc.oid, cx)
}

/// PostgreSQL no longer has the statement's text when it comes to this.
pub(crate) fn without_place(mut error: Box<PgError>) -> Box<PgError> {
    error.position = None;
    error
}

fn compute_again(desc: &Arc<RelationDesc>, attno: i16, expr: &Expr, cx: &CommandContext<'_>) -> PgResult<()> {
    let view = cx.view()?;
    let mut program = RowExpr::compile(&executor::with_table_oid(expr, desc.oid), &*view)?;
    drop(view);
    let at = usize::from(attno.unsigned_abs()) - 1;
    rewrite(desc, Rebuild::Storage, cx, &mut |cx, row| {
        let value = program.eval(cx, row)?;
        if let Some(place) = row.get_mut(at) {
            *place = value;
        }
        Ok(())
    })
}

/// DROP EXPRESSION, before the tree is walked: it concerns all of it, from where the column was made.
pub(crate) fn check_drop_expression(
    desc: &RelationDesc,
    name: &Ident,
    reach: Reach,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let below = catalog::partition::descendants(&*cx.view()?, desc)?;
    if reach == Reach::Only && !below.is_empty() {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "ALTER TABLE / DROP EXPRESSION must be applied to child tables too"
        ));
    }
    if column(desc, name)?.inherited_count > 0 {
        return Err(pg_err!(
            INVALID_TABLE_DEFINITION,
            "cannot drop generation expression from inherited column"
        ));
    }
    Ok(())
}

/// DROP EXPRESSION: the values stay.
pub(crate) fn drop_expression(
    desc: &RelationDesc,
    name: &Ident,
    missing_ok: bool,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let found = column(desc, name)?;
    if found.generated == VIRTUAL {
        let message = "ALTER TABLE / DROP EXPRESSION is not supported for virtual generated columns";
        return Err(virtual_refused(found, desc, message));
    }
    if found.generated == 0 {
        let message = not_generated(found, desc);
        return cx.skip(missing_ok, sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, message);
    }
    cx.ddl(|ddl| {
        ddl.alter_column(
            desc.oid,
            found.attno,
            &[(pg_attribute::ATTGENERATED, Datum::Char(0))],
        )?;
        ddl.set_default(desc.oid, found.attno, None)
    })
}
