//! CHECK, NOT NULL, PRIMARY KEY and UNIQUE constraints, and default expressions: analysis, names, catalog rows.
//!
//! PG: src/backend/catalog/heap.c (`AddRelationNewConstraints`).

use std::collections::BTreeSet;
use std::sync::Arc;

use analyzer::ExprKind;
use catalog::CatalogView;
use catalog::ddl::constraint::{NameParts, NewConstraint};
use catalog::ddl::relation::NewColumn;
use catalog::desc::RelationDesc;
use common::error::ErrorExt;
use common::{Oid, PgResult, TABLEOID, pg_err};
use nodes::Expr;
use parser::ast::{self, ConstrType, Constraint};

use crate::context::CommandContext;
use crate::create_index::{IndexRequest, define_index, plain_element};
use crate::not_null::NotNullSpec;

/// A CHECK constraint to make.
#[derive(Clone, Debug)]
pub(crate) struct CheckSpec {
    pub name: Option<String>,
    pub raw: ast::Expr,
    pub no_inherit: bool,
    pub enforced: bool,
    pub validated: bool,
    /// Analyzed already (LIKE).
    pub cooked: Option<Expr>,
    /// Written for this table, not only inherited.
    pub is_local: bool,
    /// From how many parents it comes.
    pub inherited_count: i16,
}

impl CheckSpec {
    /// As written.
    pub fn of(constraint: &Constraint) -> PgResult<CheckSpec> {
        let Some(raw) = &constraint.raw_expr else {
            return Err(common::internal!("CHECK constraint without a condition"));
        };
        Ok(CheckSpec {
            name: constraint.conname.as_ref().map(|n| n.as_str().to_owned()),
            raw: raw.clone(),
            no_inherit: constraint.is_no_inherit,
            enforced: constraint.is_enforced,
            validated: constraint.is_enforced && constraint.initially_valid,
            cooked: None,
            is_local: true,
            inherited_count: 0,
        })
    }
}

/// The analyzed default of a column; `None` for DEFAULT NULL.
pub(crate) fn default_expr(
    raw: &ast::Expr,
    column: &NewColumn,
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<Option<Expr>> {
    let analysis = cx.analysis(view);
    let expr = analyzer::utility::analyze_default(raw, &column.name, column.type_ref, &analysis)?;
    cx.take_notices(analysis);
    match &expr {
        Expr::Const(c) if c.value.is_null() => Ok(None),
        _ => Ok(Some(expr)),
    }
}

/// The analyzed condition of a CHECK constraint.
pub(crate) fn check_expr(
    check: &CheckSpec,
    table: &RelationDesc,
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<Expr> {
    if let Some(cooked) = &check.cooked {
        return Ok(cooked.clone());
    }
    let analysis = cx.analysis(view);
    let expr =
        analyzer::utility::analyze_condition(&check.raw, ExprKind::CheckConstraint, Some(table), &analysis)?;
    cx.take_notices(analysis);
    Ok(expr)
}

/// The columns an expression over one relation refers to.
pub(crate) fn columns_of(expr: &Expr) -> BTreeSet<i16> {
    let mut found = BTreeSet::new();
    nodes::walk::walk(expr, &mut |e| {
        if let Expr::Var(v) = e {
            found.insert(v.attno);
        }
        true
    });
    found
}

/// The column after which a CHECK constraint is called: the only one that it names.
pub(crate) fn only_column(expr: &Expr, desc: &RelationDesc) -> Option<Arc<str>> {
    let columns: Vec<i16> = columns_of(expr).into_iter().collect();
    match columns.as_slice() {
        [TABLEOID] => Some("tableoid".into()),
        [one] => desc.column(*one).map(|c| c.name.clone()),
        _ => None,
    }
}

/// Stores a CHECK constraint under its own or a generated name; its name.
pub(crate) fn store_check(
    cx: &CommandContext<'_>,
    table: Oid,
    check: &CheckSpec,
    expr: Expr,
) -> PgResult<Oid> {
    let desc = cx.relation(table)?;
    let columns: Vec<i16> = columns_of(&expr).into_iter().filter(|c| *c > 0).collect();
    let single = only_column(&expr, &desc);
    cx.ddl(|ddl| {
        let name = match &check.name {
            Some(name) => name.clone(),
            None => {
                let parts = NameParts {
                    first: &desc.name,
                    second: single.as_deref(),
                    label: "check",
                    is_relation: false,
                };
                ddl.choose_constraint_name(parts, table, desc.namespace)?
            }
        };
        let mut new = NewConstraint::new(b'c', name, desc.namespace, table, columns);
        new.check = Some(expr);
        new.no_inherit = check.no_inherit;
        new.enforced = check.enforced;
        new.validated = check.validated;
        new.is_local = check.is_local;
        new.inherited_count = check.inherited_count;
        ddl.add_constraint(&new)
    })
}

/// Stores a NOT NULL constraint under its own or a generated name.
pub(crate) fn store_not_null(
    cx: &CommandContext<'_>,
    table: Oid,
    attno: i16,
    spec: &NotNullSpec,
) -> PgResult<Oid> {
    let desc = cx.relation(table)?;
    let column = desc.column(attno).map_or_else(|| "".into(), |c| c.name.clone());
    cx.ddl(|ddl| {
        let name = match &spec.name {
            Some(name) => name.clone(),
            None => {
                let parts = NameParts {
                    first: &desc.name,
                    second: Some(&column),
                    label: "not_null",
                    is_relation: false,
                };
                ddl.choose_constraint_name(parts, table, desc.namespace)?
            }
        };
        let mut new = NewConstraint::new(b'n', name, desc.namespace, table, vec![attno]);
        new.no_inherit = spec.no_inherit;
        new.validated = spec.validated;
        new.is_local = spec.is_local;
        new.inherited_count = spec.inherited_count;
        ddl.add_constraint(&new)
    })
}

/// Key columns must exist and be named once.
pub(crate) fn check_key_columns(key: &Constraint, columns: &[&str]) -> PgResult<()> {
    let word = if key.contype == ConstrType::Primary {
        "primary key"
    } else {
        "unique"
    };
    for (at, name) in key.keys.iter().enumerate() {
        if !columns.contains(&name.as_str()) {
            return Err(pg_err!(
                UNDEFINED_COLUMN,
                "column \"{}\" named in key does not exist",
                name.as_str()
            )
            .at(key.span));
        }
        if key.keys[..at].iter().any(|k| k.name == name.name) {
            return Err(pg_err!(
                DUPLICATE_COLUMN,
                "column \"{}\" appears twice in {word} constraint",
                name.as_str()
            )
            .at(key.span));
        }
    }
    for name in &key.including {
        if !columns.contains(&name.as_str()) {
            return Err(pg_err!(
                UNDEFINED_COLUMN,
                "column \"{}\" named in key does not exist",
                name.as_str()
            )
            .at(key.span));
        }
    }
    Ok(())
}

/// Makes the index and the constraint of PRIMARY KEY, UNIQUE or EXCLUDE.
pub(crate) fn store_key(
    cx: &CommandContext<'_>,
    table: &Arc<RelationDesc>,
    key: &Constraint,
) -> PgResult<()> {
    crate::create_index::check_tablespace(key.indexspace.as_ref())?;
    if key.without_overlaps {
        check_period(cx, table, key)?;
    }
    let excludes = key.contype == ConstrType::Exclusion;
    let params = match excludes {
        true => key.exclusions.iter().map(|e| e.elem.clone()).collect(),
        false => key.keys.iter().map(plain_element).collect(),
    };
    let request = IndexRequest {
        name: key.conname.as_ref().map(|n| n.as_str()),
        access_method: key.access_method.as_ref().map(|n| n.as_str()),
        params,
        including: key.including.iter().map(plain_element).collect(),
        options: &key.index_options,
        where_clause: key.where_clause.as_ref(),
        unique: !excludes,
        nulls_not_distinct: key.nulls_not_distinct,
        constraint: Some(crate::create_table::key_constraint(key)),
        operators: key.exclusions.iter().map(|e| e.operator.clone()).collect(),
        if_not_exists: false,
        only: false,
        concurrent: false,
    };
    define_index(cx, table, request).map(|_| ())
}

/// WITHOUT OVERLAPS names a range behind other columns.
fn check_period(cx: &CommandContext<'_>, table: &RelationDesc, key: &Constraint) -> PgResult<()> {
    let view = cx.view()?;
    if let Some(name) = key.keys.last()
        && let Some(column) = table.column_by_name(name.as_str())
    {
        let base = crate::access_method::base_type(&*view, column.type_ref.oid)?;
        let kind = view.type_desc(base)?.map_or(0, |d| d.kind);
        if !matches!(kind, b'r' | b'm') {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "column \"{}\" in WITHOUT OVERLAPS is not a range or multirange type",
                name.as_str()
            )
            .at(key.span));
        }
    }
    if key.keys.len() < 2 {
        return Err(pg_err!(
            SYNTAX_ERROR,
            "constraint using WITHOUT OVERLAPS needs at least two columns"
        ));
    }
    Ok(())
}
