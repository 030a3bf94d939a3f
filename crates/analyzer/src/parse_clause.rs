//! FROM: tables, subqueries, functions, samples, and the scoping of names between them.
//!
//! PG: src/backend/parser/parse_clause.c (`transformFromClause` and below). Joins: `parse_join`.

use std::sync::Arc;

use common::error::{ErrorExt, ResultExt};
use common::{Oid, PgResult, pg_err};
use nodes::Expr;
use nodes::query::JoinTreeNode;
use nodes::query::{RangeTblFunction, RteColumn, RteKind, TableSample};
use parser::ast::{self, TableRef};
use types::oids;
use types::settings::TypeRef;

use crate::kind::ExprKind;
use crate::parse_row::RowField;
use crate::state::{Analyzer, NsItem};
use crate::walk::find_var_of_level;

/// A FROM item: its place in the join tree, its own namespace item, and all items it makes visible.
pub(crate) type FromItem = (JoinTreeNode, NsItem, Vec<NsItem>);

impl Analyzer<'_> {
    /// The FROM list. Later items see earlier ones only laterally until all are done.
    pub fn transform_from(&mut self, from: &[TableRef]) -> PgResult<()> {
        for item in from {
            let (node, _, mut new) = self.table_ref(item)?;
            check_conflicts(&self.cur().namespace, &new)?;
            set_lateral(&mut new, true, true);
            let ps = self.ps();
            ps.join_list.push(node);
            ps.namespace.extend(new);
        }
        set_lateral(&mut self.ps().namespace, false, true);
        Ok(())
    }

    /// One item of FROM or side of a join.
    pub fn table_ref(&mut self, item: &TableRef) -> PgResult<FromItem> {
        match item {
            TableRef::RangeVar(rv) => {
                let ns = self.range_var(rv)?;
                Ok(single(ns))
            }
            TableRef::Subselect(s) => {
                let ns = self.range_subselect(s)?;
                Ok(single(ns))
            }
            TableRef::Function(f) => {
                let ns = self.range_function(f)?;
                Ok(single(ns))
            }
            TableRef::TableSample(s) => {
                let ns = self.table_sample(s)?;
                Ok(single(ns))
            }
            TableRef::Join(j) => self.join(j),
            TableRef::TableFunc(f) => {
                let ns = self.xml_table(f)?;
                Ok(single(ns))
            }
            TableRef::JsonTable(f) => {
                let ns = self.json_table(f)?;
                Ok(single(ns))
            }
        }
    }

    fn range_var(&mut self, rv: &ast::RangeVar) -> PgResult<NsItem> {
        if rv.schema.is_none()
            && let Some((position, up)) = self.find_cte(rv.relation.as_str())
        {
            let self_reference = self.is_unfinished_cte(position, up);
            return self.add_cte_reference(position, up, self_reference, rv);
        }
        let rel = self.open_relation(rv)?;
        self.add_relation(&rel, rv.alias.as_deref(), rv.inh, true)
    }

    /// A WITH query by name: position and levels outwards.
    pub fn find_cte(&self, name: &str) -> Option<(usize, usize)> {
        (0..self.states.len()).find_map(|up| {
            let at = self.level(up).ctes.iter().position(|c| &*c.name == name)?;
            Some((at, up))
        })
    }

    /// The WITH query is being analyzed right now: this is a reference to itself.
    fn is_unfinished_cte(&self, position: usize, up: usize) -> bool {
        self.states.len().checked_sub(up + 1).is_some_and(|at| {
            self.states
                .get(at + 1)
                .is_some_and(|inner| inner.parent_cte == Some(position))
        })
    }

    fn range_subselect(&mut self, s: &ast::RangeSubselect) -> PgResult<NsItem> {
        let alias = s.alias.as_deref();
        let locked = self.is_locked_name(alias.map(|a| a.name.as_str()));
        self.ps().lateral_active = s.lateral;
        let query = self.with_kind(ExprKind::FromSubselect, |a| {
            a.sub_analyze_select(&s.subquery, None, locked)
        });
        self.ps().lateral_active = false;
        let mut item = self.add_subquery(query?, alias, "unnamed_subquery", s.lateral, true)?;
        item.rel_visible = alias.is_some();
        Ok(item)
    }

    /// FOR UPDATE of this level covers the named item (an item without name: only a clause for all).
    fn is_locked_name(&self, name: Option<&str>) -> bool {
        let level = self.cur();
        level.locked_from_parent
            || level.locking.iter().any(|l| {
                l.locked_rels.is_empty()
                    || name.is_some_and(|n| l.locked_rels.iter().any(|r| r.relation.as_str() == n))
            })
    }

    fn range_function(&mut self, r: &ast::RangeFunction) -> PgResult<NsItem> {
        self.ps().lateral_active = true;
        let result = self.range_function_items(r);
        self.ps().lateral_active = false;
        let made = result?;
        check_column_lists(r, made.len())?;
        let mut functions = Vec::new();
        let (mut names, mut columns) = (Vec::new(), Vec::new());
        let count = made.len();
        let first_name = made.first().map_or_else(|| Arc::from(""), |m| m.1.clone());
        for (expr, name, defs) in made {
            let defs = if defs.is_empty() && !r.is_rowsfrom {
                &r.coldeflist[..]
            } else {
                defs
            };
            let fields = self.function_columns(&expr, &name, defs, r, count)?;
            let column_defs = if defs.is_empty() {
                Vec::new()
            } else {
                fields
                    .iter()
                    .map(|f| (f.name.clone(), f.type_ref, f.collation))
                    .collect()
            };
            functions.push(RangeTblFunction {
                expr,
                column_count: fields.len(),
                column_defs,
            });
            for f in fields {
                names.push(if f.dropped { Arc::from("") } else { f.name });
                columns.push(RteColumn {
                    type_ref: if f.dropped {
                        TypeRef::plain(Oid::INVALID)
                    } else {
                        f.type_ref
                    },
                    collation: f.collation,
                });
            }
        }
        if r.ordinality {
            names.push("ordinality".into());
            columns.push(RteColumn {
                type_ref: TypeRef::plain(oids::INT8),
                collation: Oid::INVALID,
            });
        }
        let lateral = r.lateral || functions.iter().any(|f| find_var_of_level(&f.expr, 0).is_some());
        let name = r
            .alias
            .as_ref()
            .map_or(&*first_name, |a| a.name.as_str())
            .to_string();
        self.add_functions(functions, names, columns, r, &name, lateral)
    }

    fn range_function_items<'r>(
        &mut self,
        r: &'r ast::RangeFunction,
    ) -> PgResult<Vec<(Expr, Arc<str>, &'r [ast::ColumnDefItem])>> {
        let mut out = Vec::new();
        for item in &r.functions {
            for raw in split_unnest(&item.func, !item.coldeflist.is_empty()) {
                let before = self.cur().last_srf;
                let mut expr = self.transform_expr(&raw, ExprKind::FromFunction)?;
                let after = self.cur().last_srf;
                let own = usize::from(matches!(&expr, Expr::Func(f) if f.returns_set));
                if after.0 != before.0 + own {
                    return Err(pg_err!(
                        FEATURE_NOT_SUPPORTED,
                        "set-returning functions must appear at top level of FROM"
                    )
                    .at(after.1));
                }
                self.assign_expr_collations(&mut expr)?;
                let name = crate::parse_target::figure_colname(&raw, &expr);
                out.push((expr, name, &item.coldeflist[..]));
            }
        }
        Ok(out)
    }

    fn function_columns(
        &mut self,
        expr: &Expr,
        name: &Arc<str>,
        defs: &[ast::ColumnDefItem],
        r: &ast::RangeFunction,
        count: usize,
    ) -> PgResult<Vec<RowField>> {
        let type_oid = expr.type_oid();
        let known = self.row_fields(expr)?;
        if let Some(first) = defs.first() {
            let text = match (&known, type_oid) {
                (None, oids::RECORD) => return self.column_definitions(defs),
                (Some(_), oids::RECORD) => {
                    "a column definition list is redundant for a function with OUT parameters"
                }
                (Some(_), _) => {
                    "a column definition list is redundant for a function returning a named composite type"
                }
                _ => "a column definition list is only allowed for functions returning \"record\"",
            };
            return Err(pg_err!(SYNTAX_ERROR, "{text}").at(first.span));
        }
        if let Some(fields) = known {
            return Ok(fields);
        }
        if type_oid == oids::RECORD {
            return Err(pg_err!(
                SYNTAX_ERROR,
                "a column definition list is required for functions returning \"record\""
            )
            .at(expr.span()));
        }
        let desc = self.ty(self.base_type(type_oid)?)?;
        if desc.kind == b'p' && !matches!(type_oid, oids::VOID | oids::CSTRING | oids::ANYARRAY) {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "function \"{name}\" in FROM has unsupported return type {}",
                self.format_type(type_oid)
            )
            .at(expr.span()));
        }
        let column = self.scalar_function_alias(expr, name, r, count)?;
        Ok(vec![RowField {
            name: column,
            type_ref: expr.type_ref(),
            collation: expr.collation(),
            dropped: false,
        }])
    }

    /// Column name of a function that returns one scalar: its OUT parameter, the table alias, the function's name.
    fn scalar_function_alias(
        &self,
        expr: &Expr,
        name: &Arc<str>,
        r: &ast::RangeFunction,
        count: usize,
    ) -> PgResult<Arc<str>> {
        if let Expr::Func(f) = expr
            && !f.op.is_valid()
        {
            let func = self.function(f.func)?;
            let out: Vec<usize> = (0..func.arg_modes.len())
                .filter(|i| matches!(func.arg_modes[*i], b'o' | b'b' | b't'))
                .collect();
            if let [only] = out.as_slice()
                && let Some(n) = func.arg_names.get(*only)
                && !n.is_empty()
            {
                return Ok(n.clone());
            }
        }
        match &r.alias {
            Some(a) if count == 1 => Ok(Arc::from(a.name.as_str())),
            _ => Ok(name.clone()),
        }
    }

    fn column_definitions(&mut self, defs: &[ast::ColumnDefItem]) -> PgResult<Vec<RowField>> {
        let mut out: Vec<RowField> = Vec::new();
        for d in defs {
            let type_ref = self.resolve_type(&d.type_name)?;
            if d.type_name.setof {
                return Err(pg_err!(
                    INVALID_TABLE_DEFINITION,
                    "column \"{}\" cannot be declared SETOF",
                    d.name.as_str()
                )
                .at(d.span));
            }
            if out.iter().any(|f| &*f.name == d.name.as_str()) {
                return Err(pg_err!(
                    DUPLICATE_COLUMN,
                    "column name \"{}\" specified more than once",
                    d.name.as_str()
                ));
            }
            let collation = self.column_collation(d.collation.as_ref(), type_ref.oid, d.span)?;
            out.push(RowField {
                name: Arc::from(d.name.as_str()),
                type_ref,
                collation,
                dropped: false,
            });
        }
        Ok(out)
    }

    fn table_sample(&mut self, s: &ast::RangeTableSample) -> PgResult<NsItem> {
        let misplaced = || {
            pg_err!(
                FEATURE_NOT_SUPPORTED,
                "TABLESAMPLE clause can only be applied to tables and materialized views"
            )
            .at(s.relation.span())
        };
        let (_, item, _) = self.table_ref(&s.relation)?;
        match &self.rte(item.index(), 0)?.kind {
            RteKind::Relation {
                relkind: b'r' | b'm' | b'p',
                ..
            } => {}
            _ => return Err(misplaced()),
        }
        let (schema, method) = self.deconstruct_name(&s.method, s.span)?;
        let all = self.cx.catalog.functions_by_name(schema, method)?;
        let handler = all
            .iter()
            .find(|f| f.arg_types == [oids::INTERNAL] && f.result == oids::TSM_HANDLER);
        let Some(handler) = handler.map(|f| f.oid) else {
            return Err(pg_err!(
                UNDEFINED_OBJECT,
                "tablesample method {} does not exist",
                crate::parse_type::name_list_to_string(&s.method)
            )
            .at(s.span));
        };
        // Both methods of PostgreSQL itself take one percentage.
        if s.args.len() != 1 {
            return Err(pg_err!(
                INVALID_TABLESAMPLE_ARGUMENT,
                "tablesample method {} requires 1 argument, not {}",
                crate::parse_type::name_list_to_string(&s.method),
                s.args.len()
            )
            .at(s.span));
        }
        let mut args = Vec::new();
        for a in &s.args {
            let e = self.transform_expr(a, ExprKind::FromFunction)?;
            let mut e = self.coerce_to_specific_type(e, oids::FLOAT4, "TABLESAMPLE")?;
            self.assign_expr_collations(&mut e)?;
            args.push(e);
        }
        let repeatable = match &s.repeatable {
            None => None,
            Some(r) => {
                let e = self.transform_expr(r, ExprKind::FromFunction)?;
                let mut e = self.coerce_to_specific_type(e, oids::FLOAT8, "REPEATABLE")?;
                self.assign_expr_collations(&mut e)?;
                Some(e)
            }
        };
        let index = item.index();
        if let Some(rte) = self.ps().rtable.get_mut(index - 1)
            && let RteKind::Relation { sample, .. } = &mut rte.kind
        {
            *sample = Some(Box::new(TableSample {
                handler,
                args,
                repeatable,
            }));
        }
        Ok(item)
    }

    /// Collation of a column definition: the one written, or the type's.
    pub fn column_collation(
        &self,
        clause: Option<&ast::CollateClause>,
        type_oid: Oid,
        span: common::Span,
    ) -> PgResult<Oid> {
        let of_type = self.type_collation(type_oid)?;
        let Some(c) = clause else { return Ok(of_type) };
        let collation = self.resolve_collation(&c.collname, c.span)?;
        if !of_type.is_valid() {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "collations are not supported by type {}",
                self.format_type(type_oid)
            ))
            .at(if c.span.is_known() { c.span } else { span });
        }
        Ok(collation)
    }
}

fn single(item: NsItem) -> FromItem {
    (JoinTreeNode::Rel(item.index()), item.clone(), vec![item])
}

/// `unnest(a, b)` in FROM means one unnest per argument.
fn split_unnest(func: &ast::Expr, has_columns: bool) -> Vec<ast::Expr> {
    if let ast::Expr::FuncCall(f) = func
        && let [name] = f.func_name.as_slice()
        && name.as_str() == "unnest"
        && f.args.len() > 1
        && !has_columns
        && f.agg_order.is_empty()
        && f.agg_filter.is_none()
        && f.over.is_none()
        && !f.agg_star
        && !f.agg_distinct
        && !f.func_variadic
    {
        return f
            .args
            .iter()
            .map(|a| {
                let mut one = (**f).clone();
                one.func_name = vec![
                    ast::Ident::new("pg_catalog", name.span),
                    ast::Ident::new("unnest", name.span),
                ];
                one.args = vec![a.clone()];
                ast::Expr::FuncCall(Box::new(one))
            })
            .collect();
    }
    vec![func.clone()]
}

fn check_column_lists(r: &ast::RangeFunction, count: usize) -> PgResult<()> {
    let Some(first) = r.coldeflist.first() else {
        return Ok(());
    };
    if count != 1 {
        let e = if r.is_rowsfrom {
            pg_err!(
                SYNTAX_ERROR,
                "ROWS FROM() with multiple functions cannot have a column definition list"
            )
            .hint("Put a separate column definition list for each function inside ROWS FROM().")
        } else {
            pg_err!(
                SYNTAX_ERROR,
                "UNNEST() with multiple arguments cannot have a column definition list"
            )
            .hint("Use separate UNNEST() calls inside ROWS FROM(), and attach a column definition list to each one.")
        };
        return Err(e.at(first.span));
    }
    if r.ordinality {
        return Err(pg_err!(
            SYNTAX_ERROR,
            "WITH ORDINALITY cannot be used with a column definition list"
        )
        .hint("Put the column definition list inside ROWS FROM().")
        .at(first.span));
    }
    Ok(())
}

/// No two visible relations of the same name; relations without alias may differ by schema.
pub(crate) fn check_conflicts(left: &[NsItem], right: &[NsItem]) -> PgResult<()> {
    for l in left.iter().filter(|l| l.rel_visible) {
        for r in right.iter().filter(|r| r.rel_visible) {
            let both_plain = l.names.relation.is_valid() && r.names.relation.is_valid();
            if l.names.name == r.names.name && !(both_plain && l.names.relation != r.names.relation) {
                return Err(pg_err!(
                    DUPLICATE_ALIAS,
                    "table name \"{}\" specified more than once",
                    l.names.name
                ));
            }
        }
    }
    Ok(())
}

/// Changes how a list of items may be referred to.
pub(crate) fn set_lateral(items: &mut [NsItem], lateral_only: bool, lateral_ok: bool) {
    for item in items {
        item.lateral_only = lateral_only;
        item.lateral_ok = lateral_ok;
    }
}
