//! INSERT and ON CONFLICT.
//!
//! PG: src/backend/parser/analyze.c (`transformInsertStmt`, `transformOnConflictClause`).

use std::sync::Arc;

use catalog::ColumnDesc;
use common::error::ErrorExt;
use common::{AttrNumber, Oid, PgResult, Span, internal, pg_err};
use nodes::Expr;
use nodes::query::{
    CommandType, InferenceElem, OnConflictExpr, Overriding, Query, RteColumn, RteKind, TargetEntry,
};
use parser::ast;
use types::oids;

use crate::context::ParamTypes;
use crate::kind::ExprKind;
use crate::modify::AssignTo;
use crate::parse_oper::BTREE_AM;
use crate::parse_relation::FIRST_LOW_ATTNO;
use crate::parse_target::target_entry;
use crate::select::uneven_values;
use crate::state::Analyzer;

/// Columns an INSERT fills: the target's column with how it was named.
pub(crate) struct InsertColumn<'a> {
    column: ColumnDesc,
    raw: Option<&'a ast::ResTarget>,
}

/// The OVERRIDING clause of nodes.
pub(crate) fn overriding(o: ast::OverridingKind) -> Overriding {
    match o {
        ast::OverridingKind::NotSet => Overriding::NotSet,
        ast::OverridingKind::UserValue => Overriding::UserValue,
        ast::OverridingKind::SystemValue => Overriding::SystemValue,
    }
}

impl Analyzer<'_> {
    /// INSERT.
    pub fn insert_stmt(&mut self, i: &ast::InsertStmt) -> PgResult<Query> {
        let mut q = Query::new(CommandType::Insert);
        q.span = i.span;
        self.transform_with(i.with.as_deref(), &mut q)?;
        q.overriding = overriding(i.overriding);
        let target_item = self.set_target(&i.relation, false, false)?;
        let updates = i
            .on_conflict
            .as_ref()
            .is_some_and(|c| c.action == ast::OnConflictAction::Update);
        self.target_permissions(|p| {
            p.insert = true;
            p.update |= updates;
        });
        let columns = self.insert_columns(&i.cols)?;
        let exprs = match &i.select_stmt {
            None => Vec::new(),
            Some(s) if is_general_select(s) => self.insert_from_select(s, &columns)?,
            Some(s) => match s.values_lists.as_slice() {
                [row] => {
                    let row = self.transform_expression_list(row, ExprKind::ValuesSingle, true)?;
                    self.insert_row(row, &columns, false)?
                }
                rows => self.insert_from_values(rows, &columns)?,
            },
        };
        for (expr, c) in exprs.into_iter().zip(&columns) {
            q.target_list.push(target_entry(
                expr,
                c.column.attno,
                Some(c.column.name.clone()),
                false,
            ));
            let attno = i32::from(c.column.attno);
            self.target_permissions(|p| p.inserted_columns.insert((attno + FIRST_LOW_ATTNO) as usize));
        }
        if i.on_conflict.is_some() || i.returning.is_some() {
            self.ps().namespace.clear();
            self.add_to_query(target_item, false, true, true);
        }
        if let Some(c) = &i.on_conflict {
            q.on_conflict = Some(Box::new(self.on_conflict(c)?));
        }
        q.returning = self.transform_returning(i.returning.as_deref(), ExprKind::Returning)?;
        q.result_relation = self.cur().target_index;
        self.finish_query(&mut q, None);
        self.assign_query_collations(&mut q)?;
        Ok(q)
    }

    /// The columns named by an INSERT, or all of them.
    pub fn insert_columns<'a>(&mut self, cols: &'a [ast::ResTarget]) -> PgResult<Vec<InsertColumn<'a>>> {
        let target = self.target()?;
        if cols.is_empty() {
            return Ok(target
                .columns
                .iter()
                .filter(|c| !c.dropped)
                .map(|c| InsertColumn {
                    column: c.clone(),
                    raw: None,
                })
                .collect());
        }
        let mut out: Vec<InsertColumn<'a>> = Vec::with_capacity(cols.len());
        for raw in cols {
            let name = raw.name.as_ref().map_or("", ast::Ident::as_str);
            let Some(column) = target.column_by_name(name) else {
                return Err(pg_err!(
                    UNDEFINED_COLUMN,
                    "column \"{name}\" of relation \"{}\" does not exist",
                    target.name
                )
                .at(raw.span));
            };
            let whole_twice = out.iter().any(|c| {
                c.column.attno == column.attno
                    && (raw.indirection.is_empty() || c.raw.is_none_or(|r| r.indirection.is_empty()))
            });
            if whole_twice {
                return Err(
                    pg_err!(DUPLICATE_COLUMN, "column \"{name}\" specified more than once").at(raw.span),
                );
            }
            out.push(InsertColumn {
                column: column.clone(),
                raw: Some(raw),
            });
        }
        Ok(out)
    }

    fn insert_from_select(
        &mut self,
        s: &ast::SelectStmt,
        columns: &[InsertColumn<'_>],
    ) -> PgResult<Vec<Expr>> {
        let query = self.with_level(|a| {
            a.ps().resolve_unknowns = false;
            a.select_stmt(s)
        })?;
        let literals: Vec<Option<Expr>> = query
            .output_columns()
            .map(|t| {
                (t.expr.type_oid() == oids::UNKNOWN && matches!(t.expr, Expr::Const(_) | Expr::Param(_)))
                    .then(|| t.expr.clone())
            })
            .collect();
        let spans: Vec<Span> = query.output_columns().map(|t| t.expr.span()).collect();
        let item = self.add_subquery(query, None, "*SELECT*", false, false)?;
        self.add_to_query(item.clone(), true, false, false);
        let mut exprs = Vec::with_capacity(literals.len());
        for (at, literal) in literals.into_iter().enumerate() {
            // A bare literal of the SELECT is converted straight to the column's type.
            exprs.push(match literal {
                Some(e) => e,
                None => self.column_var(&item.names.columns[at], 0, spans[at]),
            });
        }
        let row = self.insert_row(exprs, columns, false)?;
        self.settle_parameters(item.index())?;
        Ok(row)
    }

    /// Bare parameters of the SELECT got their types from the columns of the table.
    fn settle_parameters(&mut self, rt_index: usize) -> PgResult<()> {
        let ParamTypes::Variable(types) = &self.cx.params else {
            return Ok(());
        };
        let types = types.borrow();
        let entry = self.ps().rtable.get_mut(rt_index - 1);
        let Some(RteKind::Subquery { query, .. }) = entry.map(|rte| &mut rte.kind) else {
            return Ok(());
        };
        for target in &mut Arc::make_mut(query).target_list {
            if let Expr::Param(p) = &mut target.expr
                && p.type_ref.oid == oids::UNKNOWN
                && let Some(known) = types.get(p.number - 1)
            {
                p.type_ref.oid = *known;
            }
        }
        Ok(())
    }

    fn insert_from_values(
        &mut self,
        rows: &[Vec<ast::Expr>],
        columns: &[InsertColumn<'_>],
    ) -> PgResult<Vec<Expr>> {
        let mut made = Vec::with_capacity(rows.len());
        let mut width = None;
        for raw in rows {
            let row = self.transform_expression_list(raw, ExprKind::Values, true)?;
            if *width.get_or_insert(row.len()) != row.len() {
                return Err(uneven_values(row.first().map_or(Span::NONE, Expr::span)));
            }
            let mut row = self.insert_row(row, columns, true)?;
            for e in &mut row {
                self.assign_expr_collations(e)?;
            }
            made.push(row);
        }
        let shown = made
            .first()
            .map(|row| {
                row.iter()
                    .map(|e| RteColumn {
                        type_ref: e.type_ref(),
                        collation: Oid::INVALID,
                    })
                    .collect::<Vec<_>>()
            })
            .unwrap_or_default();
        let item = self.add_values(made, shown, false, true)?;
        self.add_to_query(item.clone(), true, false, false);
        let vars = item
            .names
            .columns
            .iter()
            .map(|c| self.column_var(c, 0, Span::NONE))
            .collect();
        self.insert_row(vars, columns, false)
    }

    /// Coerces one row of values to the columns; `strip` leaves element and field assignment for later.
    fn insert_row(
        &mut self,
        exprs: Vec<Expr>,
        columns: &[InsertColumn<'_>],
        strip: bool,
    ) -> PgResult<Vec<Expr>> {
        if exprs.len() > columns.len() {
            let span = exprs[columns.len()].span();
            return Err(pg_err!(SYNTAX_ERROR, "INSERT has more expressions than target columns").at(span));
        }
        if exprs.len() < columns.len() && columns.iter().any(|c| c.raw.is_some()) {
            let span = columns[exprs.len()].raw.map_or(Span::NONE, |r| r.span);
            let e = pg_err!(SYNTAX_ERROR, "INSERT has more target columns than expressions");
            let as_row = match exprs.as_slice() {
                [Expr::Row(r)] => r.args.len() == columns.len(),
                _ => false,
            };
            return Err(if as_row {
                e.hint(
                    "The insertion source is a row expression containing the same number of columns expected by the INSERT. Did you accidentally use extra parentheses?",
                )
            } else {
                e
            }
            .at(span));
        }
        let mut out = Vec::with_capacity(exprs.len());
        for (expr, c) in exprs.into_iter().zip(columns) {
            let indirection = c.raw.map_or(&[][..], |r| &r.indirection[..]);
            let to = AssignTo {
                kind: ExprKind::InsertTarget,
                column: &c.column,
                indirection,
                span: c.raw.map_or(Span::NONE, |r| r.span),
            };
            let made = self.assigned_expr(expr, &to)?;
            out.push(if strip && !indirection.is_empty() {
                strip_assignment(made)
            } else {
                made
            });
        }
        Ok(out)
    }

    /// VALUES of MERGE's INSERT action: its target list.
    pub fn merge_insert_targets(
        &mut self,
        cols: &[ast::ResTarget],
        values: &[ast::Expr],
    ) -> PgResult<Vec<TargetEntry>> {
        let columns = self.insert_columns(cols)?;
        let row = self.transform_expression_list(values, ExprKind::ValuesSingle, true)?;
        let row = self.insert_row(row, &columns, false)?;
        let mut out = Vec::new();
        for (expr, c) in row.into_iter().zip(&columns) {
            out.push(target_entry(
                expr,
                c.column.attno,
                Some(c.column.name.clone()),
                false,
            ));
            let attno = i32::from(c.column.attno);
            self.target_permissions(|p| p.inserted_columns.insert((attno + FIRST_LOW_ATTNO) as usize));
        }
        Ok(out)
    }

    fn on_conflict(&mut self, c: &ast::OnConflictClause) -> PgResult<OnConflictExpr> {
        let update = c.action == ast::OnConflictAction::Update;
        let target = self.target()?;
        let mut made = OnConflictExpr {
            update,
            arbiter_elements: Vec::new(),
            arbiter_where: None,
            constraint: Oid::INVALID,
            set: Vec::new(),
            where_clause: None,
            excluded_index: 0,
        };
        let mut excluded = None;
        if update {
            let alias = ast::Alias {
                name: ast::Ident::new("excluded", Span::NONE),
                columns: Vec::new(),
                span: Span::NONE,
            };
            let item = self.add_relation(&target, Some(&alias), false, false)?;
            made.excluded_index = item.index();
            excluded = Some(item);
        }
        self.conflict_arbiter(c, &target, &mut made)?;
        let Some(excluded) = excluded else {
            return Ok(made);
        };
        let before = self.cur().namespace.len();
        self.add_to_query(excluded, false, true, true);
        made.set = self.update_targets(&c.target_list)?;
        made.where_clause = match &c.where_clause {
            Some(e) => Some(self.transform_where(e, ExprKind::Where, "WHERE")?),
            None => None,
        };
        self.ps().namespace.truncate(before);
        Ok(made)
    }

    fn conflict_arbiter(
        &mut self,
        c: &ast::OnConflictClause,
        target: &catalog::RelationDesc,
        made: &mut OnConflictExpr,
    ) -> PgResult<()> {
        if made.update && c.infer.is_none() {
            return Err(pg_err!(
                SYNTAX_ERROR,
                "ON CONFLICT DO UPDATE requires inference specification or constraint name"
            )
            .hint("For example, ON CONFLICT (column_name).")
            .at(c.span));
        }
        const PG_CATALOG: Oid = Oid(11);
        if target.namespace == PG_CATALOG {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "ON CONFLICT is not supported with system catalog tables"
            )
            .at(c.span));
        }
        let Some(infer) = &c.infer else { return Ok(()) };
        for e in &infer.index_elems {
            made.arbiter_elements.push(self.inference_element(e, infer.span)?);
        }
        if let Some(w) = &infer.where_clause {
            made.arbiter_where = Some(self.transform_expr(w, ExprKind::IndexPredicate)?);
        }
        if let Some(name) = &infer.conname {
            let found = target.constraints.iter().find(|k| &*k.name == name.as_str());
            let Some(found) = found else {
                return Err(pg_err!(
                    UNDEFINED_OBJECT,
                    "constraint \"{}\" for table \"{}\" does not exist",
                    name.as_str(),
                    target.name
                ));
            };
            made.constraint = found.oid;
            let columns: Vec<AttrNumber> = found.columns.clone();
            for attno in columns {
                let index = self.cur().target_index;
                self.mark_selected(index, 0, attno);
            }
        }
        Ok(())
    }

    fn inference_element(&mut self, e: &ast::IndexElem, place: Span) -> PgResult<InferenceElem> {
        if e.ordering != ast::SortByDir::Default {
            return Err(pg_err!(
                INVALID_COLUMN_REFERENCE,
                "ASC/DESC is not allowed in ON CONFLICT clause"
            )
            .at(e.span));
        }
        if e.nulls_ordering != ast::SortByNulls::Default {
            return Err(pg_err!(
                INVALID_COLUMN_REFERENCE,
                "NULLS FIRST/LAST is not allowed in ON CONFLICT clause"
            )
            .at(e.span));
        }
        let raw = match (&e.name, &e.expr) {
            (Some(name), _) => ast::Expr::ColumnRef(ast::ColumnRef {
                fields: vec![name.clone()],
                star: false,
                span: place,
            }),
            (None, Some(expr)) => expr.clone(),
            _ => return Err(internal!("inference element without expression")),
        };
        let expr = self.transform_expr(&raw, ExprKind::IndexExpression)?;
        let collation = if e.collation.is_empty() {
            Oid::INVALID
        } else {
            self.resolve_collation(&e.collation, expr.span())?
        };
        let opclass = if e.opclass.is_empty() {
            Oid::INVALID
        } else {
            let (schema, name) = self.deconstruct_name(&e.opclass, e.span)?;
            match self.cx.catalog.opclass_by_name(BTREE_AM, schema, name)? {
                Some(o) => o.oid,
                None => {
                    return Err(pg_err!(
                        UNDEFINED_OBJECT,
                        "operator class \"{}\" does not exist for access method \"btree\"",
                        crate::parse_type::name_list_to_string(&e.opclass)
                    ));
                }
            }
        };
        Ok(InferenceElem {
            expr,
            collation,
            opclass,
        })
    }
}

/// Anything but a bare VALUES list.
fn is_general_select(s: &ast::SelectStmt) -> bool {
    s.values_lists.is_empty()
        || !s.sort_clause.is_empty()
        || s.limit_offset.is_some()
        || s.limit_count.is_some()
        || !s.locking.is_empty()
        || s.with.is_some()
}

/// The value that an element or field assignment stores, converted but not yet put in place.
fn strip_assignment(mut expr: Expr) -> Expr {
    loop {
        expr = match expr {
            Expr::FieldStore(mut f) if f.new_values.len() == 1 => f.new_values.remove(0).1,
            Expr::Subscripting(nodes::expr::SubscriptingRef { assign: Some(v), .. }) => *v,
            Expr::CoerceToDomain(c) if matches!(&*c.arg, Expr::FieldStore(_) | Expr::Subscripting(_)) => {
                *c.arg
            }
            other => return other,
        };
    }
}
