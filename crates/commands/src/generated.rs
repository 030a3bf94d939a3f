//! Generation expressions of columns, and what virtual ones may not be.
//!
//! PG: src/backend/catalog/heap.c (`cookDefault`, `check_nested_generated`, `check_virtual_generated_security`, `CheckAttributeType`).

use std::sync::Arc;

use analyzer::ExprKind;
use catalog::CatalogView;
use catalog::ddl::relation::NewColumn;
use catalog::desc::{ColumnDesc, RelationDesc};
use catalog::virtual_columns::{VIRTUAL, over_stored_row};
use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, SqlState, pg_err, sqlstate};
use nodes::Expr;
use parser::ast;
use types::Datum;

use crate::columns::ColumnSpec;
use crate::context::CommandContext;
use crate::eval::RowExpr;

/// Objects from here on are not part of PostgreSQL's core.
const FIRST_UNPINNED: Oid = Oid(12000);

/// The analyzed generation expression of a column.
pub(crate) fn generation_expr(
    raw: &ast::Expr,
    column: &NewColumn,
    table: &RelationDesc,
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<Expr> {
    let analysis = cx.analysis(view);
    let expr = analyzer::utility::analyze_expression(raw, ExprKind::GeneratedColumn, Some(table), &analysis)?;
    check_nested(&expr, table)?;
    if !crate::eval::is_immutable(&expr, view)? {
        return Err(pg_err!(
            INVALID_OBJECT_DEFINITION,
            "generation expression is not immutable"
        ));
    }
    if column.generated == VIRTUAL {
        check_built_in(&expr)?;
    }
    let expr = analyzer::utility::coerce_default(expr, &column.name, column.type_ref, &analysis)?;
    cx.take_notices(analysis);
    Ok(expr)
}

/// A generated column is made of columns that are not.
fn check_nested(expr: &Expr, table: &RelationDesc) -> PgResult<()> {
    let mut result = Ok(());
    nodes::walk::walk(expr, &mut |e| {
        if let Expr::Var(v) = e
            && result.is_ok()
        {
            result = check_column(v.attno, table).map_err(|e| e.at(v.span));
        }
        true
    });
    result
}

fn check_column(attno: i16, table: &RelationDesc) -> PgResult<()> {
    if attno == 0 {
        return Err(pg_err!(
            INVALID_OBJECT_DEFINITION,
            "cannot use whole-row variable in column generation expression"
        )
        .detail("This would cause the generated column to depend on its own value."));
    }
    match table.column(attno).filter(|c| c.generated != 0) {
        None => Ok(()),
        Some(used) => Err(pg_err!(
            INVALID_OBJECT_DEFINITION,
            "cannot use generated column \"{}\" in column generation expression",
            used.name
        )
        .detail("A generated column cannot reference another generated column.")),
    }
}

/// Reading a table runs the expressions of its virtual columns with the rights of who reads: they call nothing that users made.
fn check_built_in(expr: &Expr) -> PgResult<()> {
    let mut result = Ok(());
    nodes::walk::walk(expr, &mut |e| {
        let what = match e {
            _ if result.is_err() => return false,
            _ if called(e).is_some_and(|f| f >= FIRST_UNPINNED) => "function",
            _ if e.type_oid() >= FIRST_UNPINNED => "type",
            _ => return true,
        };
        result = Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "generation expression uses user-defined {what}"
        )
        .at(e.span())
        .detail(format!(
            "Virtual generated columns that make use of user-defined {what}s are not yet supported."
        )));
        false
    });
    result
}

fn called(expr: &Expr) -> Option<Oid> {
    Some(match expr {
        Expr::Func(f) | Expr::NullIf(f) => f.func,
        Expr::Distinct(d) => d.equality.func,
        Expr::ScalarArrayOp(s) => s.func,
        _ => return None,
    })
}

/// The types that virtual columns can have.
pub(crate) fn check_virtual_type(name: &str, type_oid: Oid, view: &dyn CatalogView) -> PgResult<()> {
    if let Some(desc) = view.type_desc(type_oid)? {
        if desc.kind == b'd' {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "virtual generated column \"{name}\" cannot have a domain type"
            ));
        }
        if desc.is_array {
            check_virtual_type(name, desc.element, view)?;
        }
        if desc.kind == b'r'
            && let Some(range) = view.range(type_oid)?
        {
            check_virtual_type(name, range.subtype, view)?;
        }
    }
    if type_oid >= FIRST_UNPINNED {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "virtual generated column \"{name}\" cannot have a user-defined type"
        )
        .detail("Virtual generated columns that make use of user-defined types are not yet supported."));
    }
    Ok(())
}

/// A column that a child defines itself is generated as those that it is inherited from, by an expression of its own.
pub(crate) fn check_own_definition(inherited: &NewColumn, own: &ColumnSpec) -> PgResult<()> {
    let name = &inherited.name;
    if inherited.generated == 0 {
        if own.raw_generated.is_none() {
            return Ok(());
        }
        return Err(pg_err!(
            INVALID_COLUMN_DEFINITION,
            "child column \"{name}\" specifies generation expression"
        )
        .hint("A child table column cannot be generated unless its parent column is."));
    }
    let what = match () {
        () if own.raw_default.is_some() => "default",
        () if own.new.identity != 0 => "identity",
        () if own.raw_generated.is_none() => return Ok(()),
        () => {
            let kinds = (inherited.generated, own.new.generated);
            return check_same_kind(sqlstate::INVALID_COLUMN_DEFINITION, name, kinds);
        }
    };
    Err(pg_err!(
        INVALID_COLUMN_DEFINITION,
        "column \"{name}\" inherits from generated column but specifies {what}"
    ))
}

/// The column of a table that becomes a child is generated as its parent's.
pub(crate) fn check_fits(name: &str, parent: u8, child: u8) -> PgResult<()> {
    let word = match (parent, child) {
        (0, 0) => return Ok(()),
        (0, _) => "must not",
        (_, 0) => "must",
        kinds => return check_same_kind(sqlstate::DATATYPE_MISMATCH, name, kinds),
    };
    Err(pg_err!(
        DATATYPE_MISMATCH,
        "column \"{name}\" in child table {word} be a generated column"
    ))
}

/// A generated column is virtual or stored as those that it is inherited from.
fn check_same_kind(state: SqlState, name: &str, (parent, child): (u8, u8)) -> PgResult<()> {
    if parent == child {
        return Ok(());
    }
    let word = |kind: u8| if kind == VIRTUAL { "VIRTUAL" } else { "STORED" };
    let message = format!("column \"{name}\" inherits from generated column of different kind");
    Err(PgError::new(state, message).detail(format!(
        "Parent column is {}, child column is {}.",
        word(parent),
        word(child)
    )))
}

/// The value that a stored row has in a column: what is stored, or what a virtual column makes of it.
pub(crate) enum ColumnValue {
    Stored(usize),
    Virtual(Box<RowExpr>),
}

impl ColumnValue {
    pub fn of(table: &RelationDesc, column: &ColumnDesc, view: &dyn CatalogView) -> PgResult<ColumnValue> {
        match &column.default {
            Some(e) if column.generated == VIRTUAL => {
                let known = executor::with_table_oid(&over_stored_row(e, table), table.oid);
                Ok(ColumnValue::Virtual(Box::new(RowExpr::compile(&known, view)?)))
            }
            _ => Ok(ColumnValue::Stored(usize::from(column.attno.unsigned_abs()) - 1)),
        }
    }

    pub fn is_null(&mut self, cx: &CommandContext<'_>, row: &[Datum]) -> PgResult<bool> {
        match self {
            ColumnValue::Stored(at) => Ok(row.get(*at).is_none_or(Datum::is_null)),
            ColumnValue::Virtual(program) => Ok(program.eval(cx, row)?.is_null()),
        }
    }
}

/// NOT NULL over the rows that are there.
pub(crate) fn verify_not_null(
    table: &Arc<RelationDesc>,
    column: &ColumnDesc,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let mut value = ColumnValue::of(table, column, &*cx.view()?)?;
    crate::alter_table::each_row(table, table.columns.len(), cx, &mut |row, _| {
        if !value.is_null(cx, row)? {
            return Ok(());
        }
        Err(pg_err!(
            NOT_NULL_VIOLATION,
            "column \"{}\" of relation \"{}\" contains null values",
            column.name,
            table.name
        )
        .table(&*table.namespace_name, &*table.name)
        .column(&*column.name))
    })
}
