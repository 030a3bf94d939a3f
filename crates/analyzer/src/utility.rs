//! What commands need of analysis: expressions of DDL, type names, column definitions, coercions.
//!
//! PG: src/backend/catalog/heap.c (`cookDefault`), parser/parse_utilcmd.c.

use catalog::RelationDesc;
use common::error::ErrorExt;
use common::{Oid, PgResult, Span, pg_err};
use nodes::{Expr, Query};
use parser::ast;
use types::settings::TypeRef;

use crate::context::AnalyzeContext;
use crate::kind::ExprKind;
use crate::parse_coerce::{CoerceTo, CoercionContext};
use crate::state::Analyzer;

/// Resolves a type name with its modifiers and array bounds.
pub fn resolve_type_name(name: &ast::TypeName, cx: &AnalyzeContext<'_>) -> PgResult<TypeRef> {
    Analyzer::new(cx).resolve_type(name)
}

/// The name of a type as `format_type` prints it.
pub fn format_type(type_ref: TypeRef, cx: &AnalyzeContext<'_>) -> String {
    Analyzer::new(cx).format_type_with_typmod(type_ref)
}

/// Type and collation of a column definition; `collation` is its COLLATE clause.
pub fn resolve_column_type(
    name: &ast::TypeName,
    collation: Option<&ast::CollateClause>,
    cx: &AnalyzeContext<'_>,
) -> PgResult<(TypeRef, Oid)> {
    let mut a = Analyzer::new(cx);
    let type_ref = a.resolve_type(name)?;
    let collation = a.column_collation(collation, type_ref.oid, name.span)?;
    Ok((type_ref, collation))
}

/// A collation by name.
pub fn resolve_collation(names: &[ast::Ident], span: Span, cx: &AnalyzeContext<'_>) -> PgResult<Oid> {
    Analyzer::new(cx).resolve_collation(names, span)
}

/// The operator of that name for two values of a type, taken without conversion.
pub fn compatible_operator(
    name: &[ast::Ident],
    type_oid: Oid,
    cx: &AnalyzeContext<'_>,
) -> PgResult<std::sync::Arc<catalog::desc::OperatorDesc>> {
    Analyzer::new(cx).compatible_operator(name, type_oid, Span::NONE)
}

/// An expression over at most one relation (its columns are `Rel { index: 1 }`), for `kind` of clause.
pub fn analyze_expression(
    raw: &ast::Expr,
    kind: ExprKind,
    relation: Option<&RelationDesc>,
    cx: &AnalyzeContext<'_>,
) -> PgResult<Expr> {
    let mut a = analyzer_over(relation, cx)?;
    let mut e = a.transform_expr(raw, kind)?;
    a.assign_expr_collations(&mut e)?;
    finish(&mut a, e)
}

/// A condition (CHECK, index predicate, policy, trigger WHEN).
pub fn analyze_condition(
    raw: &ast::Expr,
    kind: ExprKind,
    relation: Option<&RelationDesc>,
    cx: &AnalyzeContext<'_>,
) -> PgResult<Expr> {
    let mut a = analyzer_over(relation, cx)?;
    let construct = match kind {
        ExprKind::CheckConstraint | ExprKind::DomainCheck => "CHECK",
        ExprKind::IndexPredicate | ExprKind::CopyWhere => "WHERE",
        ExprKind::TriggerWhen => "WHEN",
        kind => kind.name(),
    };
    let mut e = a.transform_where(raw, kind, construct)?;
    a.assign_expr_collations(&mut e)?;
    finish(&mut a, e)
}

/// The CHECK of a domain: `VALUE` stands for the value of its base type.
pub fn analyze_domain_check(
    raw: &ast::Expr,
    base: TypeRef,
    collation: Oid,
    cx: &AnalyzeContext<'_>,
) -> PgResult<Expr> {
    let mut a = Analyzer::new(cx);
    a.ps().domain_value = Some((base, collation));
    let mut e = a.transform_where(raw, ExprKind::DomainCheck, "CHECK")?;
    a.assign_expr_collations(&mut e)?;
    finish(&mut a, e)
}

/// DEFAULT of a column, coerced to its type.
pub fn analyze_default(
    raw: &ast::Expr,
    column: &str,
    target: TypeRef,
    cx: &AnalyzeContext<'_>,
) -> PgResult<Expr> {
    let mut a = Analyzer::new(cx);
    let e = a.transform_expr(raw, ExprKind::ColumnDefault)?;
    default_of_type(&mut a, e, column, target)
}

/// DEFAULT or generation expression of a column, analyzed, as a value of its type.
pub fn coerce_default(expr: Expr, column: &str, target: TypeRef, cx: &AnalyzeContext<'_>) -> PgResult<Expr> {
    default_of_type(&mut Analyzer::new(cx), expr, column, target)
}

fn default_of_type(a: &mut Analyzer<'_>, e: Expr, column: &str, target: TypeRef) -> PgResult<Expr> {
    let input = e.type_oid();
    let to = CoerceTo {
        target,
        context: CoercionContext::Assignment,
        ..CoerceTo::implicit(target.oid)
    };
    let Some(mut e) = a.coerce_to_target_type(e, to)? else {
        return Err(pg_err!(
            DATATYPE_MISMATCH,
            "column \"{column}\" is of type {} but default expression is of type {}",
            a.format_type(target.oid),
            a.format_type(input)
        )
        .hint("You will need to rewrite or cast the expression."));
    };
    a.assign_expr_collations(&mut e)?;
    finish(a, e)
}

/// The value a column gets when none is given: its default, or that of its type; `None`: NULL, which a domain may still refuse.
pub fn column_default(column: &catalog::desc::ColumnDesc, cx: &AnalyzeContext<'_>) -> PgResult<Option<Expr>> {
    let mut a = Analyzer::new(cx);
    match a.column_default(column)? {
        Some(e) => Ok(Some(e)),
        None => a.domain_null(column),
    }
}

/// Coerces an analyzed expression as an assignment does; `None` when there is no such coercion.
pub fn coerce_for_assignment(expr: Expr, target: TypeRef, cx: &AnalyzeContext<'_>) -> PgResult<Option<Expr>> {
    coerce(expr, target, CoercionContext::Assignment, cx)
}

/// Coerces an analyzed expression in a context; `None` when there is no such coercion.
pub fn coerce(
    expr: Expr,
    target: TypeRef,
    context: CoercionContext,
    cx: &AnalyzeContext<'_>,
) -> PgResult<Option<Expr>> {
    let mut a = Analyzer::new(cx);
    let to = CoerceTo {
        target,
        context,
        ..CoerceTo::implicit(target.oid)
    };
    let Some(mut e) = a.coerce_to_target_type(expr, to)? else {
        return Ok(None);
    };
    a.assign_expr_collations(&mut e)?;
    Ok(Some(e))
}

/// The call of CALL: the procedure's expression with its arguments coerced and defaults filled in.
pub fn analyze_call(call: &ast::FuncCall, cx: &AnalyzeContext<'_>) -> PgResult<Expr> {
    let mut a = Analyzer::new(cx);
    let mut args = Vec::with_capacity(call.args.len());
    for e in &call.args {
        args.push(a.transform_expr(e, ExprKind::CallArgument)?);
    }
    let site = crate::parse_func::CallSite {
        names: &call.func_name,
        call: Some(call),
        proc_call: true,
        last_srf: (0, Span::NONE),
        span: call.span,
    };
    let made = a
        .parse_func_or_column(site, args, None)?
        .ok_or_else(|| common::internal!("procedure vanished"))?;
    let mut made = made;
    a.assign_expr_collations(&mut made)?;
    finish(&mut a, made)
}

/// The name an index gives to an expression column.
pub fn index_column_name(raw: &ast::Expr) -> std::sync::Arc<str> {
    crate::parse_target::figure_index_colname(raw)
}

/// The query of CREATE VIEW: analyzed, without parameters; `aliases` are the view's own column names.
pub fn analyze_view(
    query: &ast::SelectStmt,
    aliases: &[ast::Ident],
    cx: &AnalyzeContext<'_>,
) -> PgResult<Query> {
    let mut a = Analyzer::new(cx);
    let mut q = a.select_stmt(query)?;
    if q.has_modifying_cte {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "views must not contain data-modifying statements in WITH"
        ));
    }
    let mut names = aliases.iter();
    for t in q.target_list.iter_mut().filter(|t| !t.resjunk) {
        match names.next() {
            Some(n) => t.name = Some(n.as_str().into()),
            None => break,
        }
    }
    if names.next().is_some() {
        return Err(pg_err!(
            SYNTAX_ERROR,
            "CREATE VIEW specifies more column names than columns"
        ));
    }
    Ok(q)
}

/// A stored query (a materialized view's) made ready to be planned: views in it become subqueries.
pub fn rewrite_stored(mut query: Query, cx: &AnalyzeContext<'_>) -> PgResult<Query> {
    Analyzer::new(cx).rewrite_query(&mut query)?;
    Ok(query)
}

fn analyzer_over<'a>(relation: Option<&RelationDesc>, cx: &'a AnalyzeContext<'a>) -> PgResult<Analyzer<'a>> {
    let mut a = Analyzer::new(cx);
    if let Some(rel) = relation {
        let item = a.add_relation(rel, None, false, true)?;
        a.add_to_query(item, true, true, true);
    }
    Ok(a)
}

/// Subqueries that a kind of expression allows (policies) still have their views expanded.
fn finish(a: &mut Analyzer<'_>, mut e: Expr) -> PgResult<Expr> {
    let mut result = Ok(());
    nodes::walk::rewrite(&mut e, &mut |x| {
        if let Expr::SubLink(s) = x
            && result.is_ok()
        {
            result = a.rewrite_query(std::sync::Arc::make_mut(&mut s.query));
        }
    });
    result.map(|()| e)
}
