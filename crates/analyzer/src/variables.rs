//! Variables of a procedural language around SQL: what its names mean inside queries and expressions.
//!
//! PG: src/pl/plpgsql/src/pl_comp.c (`plpgsql_pre_column_ref`, `plpgsql_post_column_ref`), parser/analyze.c
//! (`transformPLAssignStmt`).
//!
//! # Invariants
//! - A variable becomes an external parameter; its number is the language's own business.
//! - A name that is both a column and a variable is an error unless the language says which one wins.

use std::sync::Arc;

use common::error::ErrorExt;
use common::{Oid, PgResult, Span, pg_err};
use nodes::Query;
use nodes::expr::{Expr, Param, ParamKind};
use parser::ast::{self, Indirection, PlAssignStmt, PlAssignTarget};
use types::oids;
use types::settings::TypeRef;

use crate::assign::{Place, assign_into};
use crate::context::AnalyzeContext;
use crate::kind::ExprKind;
use crate::parse_coerce::{CoerceTo, CoercionContext};
use crate::state::Analyzer;

/// What a name means that is a column and a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum VariableConflict {
    Error,
    UseVariable,
    UseColumn,
}

/// A variable, as a parameter.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Variable {
    pub number: usize,
    pub type_ref: TypeRef,
    pub collation: Oid,
}

/// The variables that a piece of SQL may name.
pub trait Variables {
    /// Which of column and variable wins.
    fn conflict(&self) -> VariableConflict;
    /// The variable that a (qualified) name means; with `star` it is followed by `.*`. `must_have_field`: a record variable without
    /// that field is an error rather than nothing.
    fn find(&self, names: &[&str], star: bool, must_have_field: bool) -> PgResult<Option<Variable>>;
    /// The fields of the record variable that a name means.
    fn fields(&self, names: &[&str]) -> PgResult<Option<Vec<(Arc<str>, Variable)>>>;
    /// What `$n` means.
    fn param(&self, number: usize) -> PgResult<Option<Variable>>;
}

/// Analyzes and rewrites `target[...] := expression`: a query of one row and one column, the target's new value. The first
/// `name_count` names of the target are the variable.
pub fn analyze_assignment(
    stmt: &PlAssignStmt,
    name_count: usize,
    cx: &AnalyzeContext<'_>,
) -> PgResult<Query> {
    let mut a = Analyzer::new(cx);
    let (target, name, path) = a.assignment_target(stmt, name_count)?;
    a.ps().resolve_unknowns = false;
    let mut query = a.select_stmt(&stmt.val)?;
    let count = query.output_columns().count();
    if count != 1 {
        let s = if count == 1 { "" } else { "s" };
        return Err(pg_err!(SYNTAX_ERROR, "assignment source returned {count} column{s}").at(stmt.val.span));
    }
    let in_place = query.set_operations.is_none();
    let Some(column) = query.target_list.iter_mut().find(|t| !t.resjunk) else {
        return Err(common::internal!("assignment without a column"));
    };
    if in_place && column.sort_group_ref == 0 {
        let value = std::mem::replace(
            &mut column.expr,
            Expr::null_const(TypeRef::plain(oids::INT4), Oid::INVALID),
        );
        let kind = std::mem::replace(&mut a.ps().expr_kind, ExprKind::UpdateTarget);
        let made = a.assigned_value(target, &name, path, value);
        a.ps().expr_kind = kind;
        column.expr = made?;
        a.assign_expr_collations(&mut column.expr)?;
    }
    query.has_sub_links |= a.cur().has_sub_links;
    a.rewrite_query(&mut query)?;
    Ok(query)
}

impl Analyzer<'_> {
    /// The variable, its name, and what selects a part of it.
    fn assignment_target<'p>(
        &mut self,
        stmt: &'p PlAssignStmt,
        name_count: usize,
    ) -> PgResult<(Expr, String, &'p [Indirection])> {
        match &stmt.target {
            PlAssignTarget::Param(number) => {
                let raw = ast::ParamRef {
                    number: *number,
                    span: stmt.span,
                };
                let target = self.transform_param(&raw)?;
                Ok((target, format!("${number}"), &stmt.indirection))
            }
            PlAssignTarget::Name(first) => {
                let mut names = vec![first.as_str()];
                for step in stmt.indirection.iter().take(name_count.saturating_sub(1)) {
                    if let Indirection::Field(f) = step {
                        names.push(f.as_str());
                    }
                }
                let Some(variables) = self.cx.variables else {
                    return Err(common::internal!(
                        "assignment outside of a language with variables"
                    ));
                };
                let path = stmt.indirection.get(names.len() - 1..).unwrap_or_default();
                match variables.find(&names, false, true)? {
                    Some(v) => Ok((variable_expr(v, first.span), names.join("."), path)),
                    None => Err(self.missing_column(None, first.as_str(), first.span)),
                }
            }
        }
    }

    fn assigned_value(
        &mut self,
        target: Expr,
        name: &str,
        path: &[Indirection],
        value: Expr,
    ) -> PgResult<Expr> {
        let (type_ref, from) = (target.type_ref(), value.type_oid());
        if !path.is_empty() {
            let place = Place {
                type_ref,
                span: target.span(),
                base: Some(target),
                name,
                is_field: false,
                is_slot: false,
            };
            return assign_into(self, place, path, value);
        }
        if type_ref.oid == oids::RECORD && from == oids::UNKNOWN {
            return Ok(value);
        }
        let both_rows = type_ref.oid != from && self.is_row(type_ref.oid)? && self.is_row(from)?;
        if both_rows {
            // The language converts rows its own way.
            return Ok(value);
        }
        let to = CoerceTo {
            target: type_ref,
            context: CoercionContext::Plpgsql,
            ..CoerceTo::implicit(type_ref.oid)
        };
        match self.coerce_to_target_type(value, to)? {
            Some(made) => Ok(made),
            None => Err(pg_err!(
                DATATYPE_MISMATCH,
                "variable \"{name}\" is of type {} but expression is of type {}",
                self.format_type(type_ref.oid),
                self.format_type(from)
            )
            .hint("You will need to rewrite or cast the expression.")
            .at(target.span())),
        }
    }

    fn is_row(&self, type_oid: Oid) -> PgResult<bool> {
        Ok(type_oid == oids::RECORD || self.is_complex(type_oid)?)
    }

    /// A column reference where variables may be meant, too.
    pub(crate) fn column_or_variable(
        &mut self,
        c: &ast::ColumnRef,
        variables: &dyn Variables,
    ) -> PgResult<Expr> {
        let names: Vec<&str> = c.fields.iter().map(ast::Ident::as_str).collect();
        let conflict = variables.conflict();
        if conflict == VariableConflict::UseVariable
            && let Some(v) = variables.find(&names, c.star, false)?
        {
            return Ok(variable_expr(v, c.span));
        }
        let column = match self.table_column_ref(c) {
            Ok(column) => Ok(column),
            Err(e)
                if [
                    common::sqlstate::UNDEFINED_COLUMN,
                    common::sqlstate::UNDEFINED_TABLE,
                ]
                .contains(&e.sqlstate) =>
            {
                Err(e)
            }
            Err(e)
                if e.message.starts_with("cross-database") || e.message.starts_with("improper qualified") =>
            {
                Err(e)
            }
            Err(e) => return Err(e),
        };
        if conflict == VariableConflict::UseVariable
            || (conflict == VariableConflict::UseColumn && column.is_ok())
        {
            return column;
        }
        let found = variables
            .find(&names, c.star, column.is_err())
            .map_err(|e| e.at(c.span))?;
        match (found, column) {
            (None, column) => column,
            (Some(v), Err(_)) => Ok(variable_expr(v, c.span)),
            (Some(_), Ok(_)) => Err(pg_err!(
                AMBIGUOUS_COLUMN,
                "column reference \"{}\" is ambiguous",
                names.join(".")
            )
            .detail("It could refer to either a PL/pgSQL variable or a table column.")
            .at(c.span)),
        }
    }

    /// `record.*` in a list of columns; `None` when no record variable has that name.
    pub(crate) fn variable_star(
        &mut self,
        names: &[&str],
        is_table: bool,
        span: Span,
    ) -> PgResult<Option<Vec<(Expr, Arc<str>)>>> {
        let Some(variables) = self.cx.variables else {
            return Ok(None);
        };
        if is_table && variables.conflict() == VariableConflict::UseColumn {
            return Ok(None);
        }
        let Some(fields) = variables.fields(names)? else {
            return Ok(None);
        };
        if is_table && variables.conflict() == VariableConflict::Error {
            return Err(pg_err!(
                AMBIGUOUS_COLUMN,
                "column reference \"{}.*\" is ambiguous",
                names.join(".")
            )
            .detail("It could refer to either a PL/pgSQL variable or a table column.")
            .at(span));
        }
        Ok(Some(
            fields
                .into_iter()
                .map(|(name, v)| (variable_expr(v, span), name))
                .collect(),
        ))
    }
}

/// A variable as an expression.
pub(crate) fn variable_expr(v: Variable, span: Span) -> Expr {
    Expr::Param(Param {
        kind: ParamKind::External,
        number: v.number,
        type_ref: v.type_ref,
        collation: v.collation,
        span,
    })
}
