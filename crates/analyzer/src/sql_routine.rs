//! Bodies of SQL routines: names of parameters, and whether the last statement gives what the routine returns.
//!
//! PG: src/backend/executor/functions.c (`sql_fn_post_column_ref`, `check_sql_fn_retval`).

use std::sync::Arc;

use catalog::FunctionDesc;
use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, Span, pg_err};
use nodes::query::{CommandType, TargetEntry};
use nodes::{Expr, Query};
use parser::ast::{self, Ident, Statement};
use types::oids;
use types::settings::TypeRef;

use crate::context::AnalyzeContext;
use crate::kind::ExprKind;
use crate::parse_coerce::{CoerceTo, CoercionContext};
use crate::parse_func::CallSite;
use crate::state::Analyzer;

/// What a routine hands out.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct RoutineResult {
    /// Declared result type, polymorphism resolved.
    pub type_oid: Oid,
    pub is_procedure: bool,
    /// Columns when the type is composite or `record` with known columns; dropped ones are left out.
    pub row: Option<Vec<TypeRef>>,
}

/// How the last statement's rows become results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultShape {
    /// Nothing is handed out.
    Nothing,
    /// The only column is the value.
    Value,
    /// The columns are the fields of a row.
    Row,
}

/// One statement of a body, not rewritten.
pub fn analyze_statement(stmt: &Statement, cx: &AnalyzeContext<'_>) -> PgResult<Query> {
    match stmt {
        Statement::Return(r) => return_query(&r.returnval, cx),
        stmt => Analyzer::new(cx).optimizable(stmt),
    }
}

/// `RETURN expr` as `SELECT expr`.
pub fn return_query(raw: &ast::Expr, cx: &AnalyzeContext<'_>) -> PgResult<Query> {
    let mut a = Analyzer::new(cx);
    let expr = a.transform_expr(raw, ExprKind::SelectTarget)?;
    let mut query = Query::new(CommandType::Select);
    query.has_sub_links = a.cur().has_sub_links;
    query.target_list.push(TargetEntry {
        expr,
        resno: 1,
        name: None,
        sort_group_ref: 0,
        origin_table: Oid::INVALID,
        origin_column: 0,
        resjunk: false,
    });
    a.resolve_unknown_targets(&mut query.target_list)?;
    for target in &mut query.target_list {
        a.assign_expr_collations(&mut target.expr)?;
    }
    Ok(query)
}

/// Coerces the output of the last statement (`None`: there is none, or it has no plan) to the declared result. Columns that cannot be
/// changed in place (they are sorted by, say) come back as coercions of `$1` to apply to their values.
pub fn check_result(
    last: Option<&mut Query>,
    result: &RoutineResult,
    cx: &AnalyzeContext<'_>,
) -> PgResult<(ResultShape, Vec<Option<Expr>>)> {
    if result.type_oid == oids::VOID {
        return Ok((ResultShape::Nothing, Vec::new()));
    }
    let mut a = Analyzer::new(cx);
    let declared = a.format_type(result.type_oid);
    let mismatch = |detail: String| -> Box<PgError> {
        pg_err!(
            INVALID_FUNCTION_DEFINITION,
            "return type mismatch in function declared to return {declared}"
        )
        .detail(detail)
    };
    let Some(query) = last.filter(|q| q.command == CommandType::Select || !q.returning.is_empty()) else {
        return Err(mismatch(
            "Function's final statement must be SELECT or INSERT/UPDATE/DELETE/MERGE RETURNING.".into(),
        ));
    };
    let in_place = query.command != CommandType::Select || query.set_operations.is_none();
    let targets = match query.command {
        CommandType::Select => &mut query.target_list,
        _ => &mut query.returning,
    };
    let mut columns: Vec<&mut TargetEntry> = targets.iter_mut().filter(|t| !t.resjunk).collect();
    let kind = a.ty(result.type_oid)?.kind;
    let is_row = kind == b'c' || result.type_oid == oids::RECORD;
    if !is_row {
        if kind == b'p' {
            return Err(pg_err!(
                INVALID_FUNCTION_DEFINITION,
                "return type {declared} is not supported for SQL functions"
            ));
        }
        let [column] = &mut columns[..] else {
            return Err(mismatch("Final statement must return exactly one column.".into()));
        };
        let from = column.expr.type_oid();
        return match a.coerce_column(column, TypeRef::plain(result.type_oid), in_place)? {
            Some(later) => Ok((ResultShape::Value, vec![later])),
            None => Err(mismatch(format!(
                "Actual return type is {}.",
                a.format_type(from)
            ))),
        };
    }
    if let ([column], false) = (&mut columns[..], result.is_procedure) {
        let whole = a.ty(a.base_type(column.expr.type_oid())?)?.kind == b'c'
            || column.expr.type_oid() == oids::RECORD;
        if whole && let Some(later) = a.coerce_column(column, TypeRef::plain(result.type_oid), in_place)? {
            return Ok((ResultShape::Value, vec![later]));
        }
    }
    let Some(row) = &result.row else {
        let plain = columns.iter().map(|_| None).collect();
        return Ok((ResultShape::Row, plain));
    };
    row_columns(&mut a, columns, row, in_place, &mismatch)
}

/// Coerces the columns of a row one by one.
fn row_columns(
    a: &mut Analyzer<'_>,
    columns: Vec<&mut TargetEntry>,
    row: &[TypeRef],
    in_place: bool,
    mismatch: &dyn Fn(String) -> Box<PgError>,
) -> PgResult<(ResultShape, Vec<Option<Expr>>)> {
    let mut coercions = Vec::with_capacity(row.len());
    for (at, column) in columns.into_iter().enumerate() {
        let Some(wanted) = row.get(at) else {
            return Err(mismatch("Final statement returns too many columns.".into()));
        };
        let from = column.expr.type_oid();
        match a.coerce_column(column, *wanted, in_place)? {
            Some(later) => coercions.push(later),
            None => {
                return Err(mismatch(format!(
                    "Final statement returns {} instead of {} at column {}.",
                    a.format_type(from),
                    a.format_type(wanted.oid),
                    at + 1
                )));
            }
        }
    }
    if coercions.len() < row.len() {
        return Err(mismatch("Final statement returns too few columns.".into()));
    }
    Ok((ResultShape::Row, coercions))
}

/// Names and types of a routine's OUT, INOUT and TABLE parameters for arguments of these types.
pub fn out_columns(
    func: &FunctionDesc,
    args: &[Oid],
    cx: &AnalyzeContext<'_>,
) -> PgResult<Option<Vec<(Arc<str>, Oid)>>> {
    let a = Analyzer::new(cx);
    let mut given = Vec::with_capacity(args.len());
    for (at, type_oid) in args.iter().enumerate() {
        given.push(a.param_expr(at + 1, *type_oid, Span::NONE)?);
    }
    let fields = a.out_fields(func, &given)?;
    Ok(fields.map(|f| f.into_iter().map(|f| (f.name, f.type_ref.oid)).collect()))
}

impl Analyzer<'_> {
    /// Coerces a column as an assignment would: `None` if it cannot be, else the coercion left to apply to its values, if any.
    fn coerce_column(
        &mut self,
        column: &mut TargetEntry,
        wanted: TypeRef,
        in_place: bool,
    ) -> PgResult<Option<Option<Expr>>> {
        let from = column.expr.type_oid();
        if from == wanted.oid && wanted.typmod < 0 {
            return Ok(Some(None));
        }
        let to = CoerceTo {
            target: wanted,
            context: CoercionContext::Assignment,
            ..CoerceTo::implicit(wanted.oid)
        };
        if in_place && column.sort_group_ref == 0 {
            let Some(mut made) = self.coerce_to_target_type(column.expr.clone(), to)? else {
                return Ok(None);
            };
            self.assign_expr_collations(&mut made)?;
            column.expr = made;
            return Ok(Some(None));
        }
        let value = self.param_expr(1, from, Span::NONE)?;
        let Some(mut made) = self.coerce_to_target_type(value, to)? else {
            return Ok(None);
        };
        self.assign_expr_collations(&mut made)?;
        Ok(Some(Some(made)))
    }

    /// A parameter of the routine by name, when no column has it.
    pub(crate) fn routine_param(&mut self, fields: &[&str], span: Span) -> PgResult<Option<Expr>> {
        let Some(scope) = &self.cx.routine else {
            return Ok(None);
        };
        let find = |name: &str| {
            scope
                .params
                .iter()
                .position(|p| !p.name.is_empty() && &*p.name == name)
        };
        let (at, rest) = match fields {
            [name] => (find(name), None),
            [first, second] if **first == *scope.name => match find(second) {
                Some(at) => (Some(at), None),
                None => (find(first), Some(*second)),
            },
            [first, second] => (find(first), Some(*second)),
            [first, second, third] if **first == *scope.name => (find(second), Some(*third)),
            _ => (None, None),
        };
        let Some(at) = at else { return Ok(None) };
        let param = self.param_expr(at + 1, scope.params[at].type_oid, span)?;
        let Some(field) = rest else {
            return Ok(Some(param));
        };
        let names = [Ident::new(field, span)];
        let site = CallSite {
            names: &names,
            call: None,
            proc_call: false,
            last_srf: self.cur().last_srf,
            span,
        };
        self.parse_func_or_column(site, vec![param], None)
    }
}
