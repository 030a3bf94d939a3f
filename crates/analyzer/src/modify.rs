//! UPDATE and DELETE, their targets, assignments and RETURNING.
//!
//! PG: src/backend/parser/analyze.c (`transformUpdateStmt`, `transformDeleteStmt`, `transformReturningClause`),
//! parse_target.c (`transformAssignedExpr`).

use std::rc::Rc;
use std::sync::Arc;

use catalog::ColumnDesc;
use common::error::ErrorExt;
use common::{AttrNumber, Oid, PgResult, Span, internal, pg_err};
use nodes::Expr;
use nodes::expr::ReturningKind;
use nodes::query::{CommandType, Query, TargetEntry};
use parser::ast::{self, Indirection};
use types::settings::TypeRef;

use crate::kind::ExprKind;
use crate::parse_coerce::{CoerceTo, CoercionContext};
use crate::parse_relation::FIRST_LOW_ATTNO;
use crate::parse_target::{default_marker, target_entry};
use crate::state::{Analyzer, NsItem, NsNames};

/// Where a value goes: a column, possibly an element or field inside it.
pub(crate) struct AssignTo<'a> {
    pub kind: ExprKind,
    pub column: &'a ColumnDesc,
    pub indirection: &'a [Indirection],
    pub span: Span,
}

impl Analyzer<'_> {
    /// Makes the target relation's entry; `also_source` puts it into FROM and the namespace.
    pub fn set_target(&mut self, rv: &ast::RangeVar, inherit: bool, also_source: bool) -> PgResult<NsItem> {
        let rel = self.open_relation(rv)?;
        let item = self.add_relation(&rel, rv.alias.as_deref(), inherit, false)?;
        let ps = self.ps();
        ps.target = Some(rel);
        ps.target_index = item.index();
        if also_source {
            self.add_to_query(item.clone(), true, true, true);
        }
        Ok(item)
    }

    /// The permissions of the target entry.
    pub fn target_permissions(&mut self, f: impl FnOnce(&mut nodes::query::Permissions)) {
        let index = self.cur().target_index;
        if let Some(rte) = self.ps().rtable.get_mut(index.wrapping_sub(1)) {
            f(&mut rte.permissions);
        }
    }

    /// The target relation.
    pub fn target(&self) -> PgResult<Arc<catalog::RelationDesc>> {
        self.cur()
            .target
            .clone()
            .ok_or_else(|| internal!("statement without target relation"))
    }

    /// UPDATE.
    pub fn update_stmt(&mut self, u: &ast::UpdateStmt) -> PgResult<Query> {
        let mut q = Query::new(CommandType::Update);
        q.span = u.span;
        self.transform_with(u.with.as_deref(), &mut q)?;
        let item = self.set_target(&u.relation, u.relation.inh, true)?;
        self.target_permissions(|p| p.update = true);
        self.lateral_target(&item, true);
        self.transform_from(&u.from)?;
        self.lateral_target(&item, false);
        let quals = match &u.where_clause {
            Some(e) => Some(self.transform_where(e, ExprKind::Where, "WHERE")?),
            None => None,
        };
        q.returning = self.transform_returning(u.returning.as_deref(), ExprKind::Returning)?;
        q.target_list = self.update_targets(&u.target_list)?;
        q.result_relation = self.cur().target_index;
        self.finish_query(&mut q, quals);
        self.assign_query_collations(&mut q)?;
        Ok(q)
    }

    /// DELETE.
    pub fn delete_stmt(&mut self, d: &ast::DeleteStmt) -> PgResult<Query> {
        let mut q = Query::new(CommandType::Delete);
        q.span = d.span;
        self.transform_with(d.with.as_deref(), &mut q)?;
        let item = self.set_target(&d.relation, d.relation.inh, true)?;
        self.target_permissions(|p| p.delete = true);
        self.lateral_target(&item, true);
        self.transform_from(&d.using_clause)?;
        self.lateral_target(&item, false);
        let quals = match &d.where_clause {
            Some(e) => Some(self.transform_where(e, ExprKind::Where, "WHERE")?),
            None => None,
        };
        q.returning = self.transform_returning(d.returning.as_deref(), ExprKind::Returning)?;
        q.result_relation = self.cur().target_index;
        self.finish_query(&mut q, quals);
        self.assign_query_collations(&mut q)?;
        if q.has_aggs {
            self.check_aggregates(&mut q)?;
        }
        Ok(q)
    }

    /// While FROM or USING is analyzed, the target must not be referred to laterally.
    fn lateral_target(&mut self, item: &NsItem, hidden: bool) {
        for n in &mut self.ps().namespace {
            if n.index() == item.index() {
                n.lateral_only = hidden;
                n.lateral_ok = !hidden;
            }
        }
    }

    /// The assignments of UPDATE, ON CONFLICT DO UPDATE or MERGE.
    pub fn update_targets(&mut self, raw: &[ast::ResTarget]) -> PgResult<Vec<TargetEntry>> {
        let target = self.target()?;
        let mut out = Vec::with_capacity(raw.len());
        let mut sources = Vec::with_capacity(raw.len());
        for res in raw {
            sources.push(self.assignment_source(res)?);
        }
        for (res, expr) in raw.iter().zip(sources) {
            let Some(name) = &res.name else {
                return Err(internal!("assignment without column"));
            };
            let column = match target.column_by_name(name.as_str()) {
                Some(c) => c,
                None => return Err(self.missing_target_column(res, name.as_str())),
            };
            let to = AssignTo {
                kind: ExprKind::UpdateTarget,
                column,
                indirection: &res.indirection,
                span: res.span,
            };
            let expr = self.assigned_expr(expr, &to)?;
            let attno = column.attno;
            self.target_permissions(|p| {
                p.updated_columns
                    .insert((i32::from(attno) + FIRST_LOW_ATTNO) as usize);
            });
            out.push(target_entry(expr, attno, Some(column.name.clone()), false));
        }
        Ok(out)
    }

    fn missing_target_column(&self, res: &ast::ResTarget, name: &str) -> Box<common::PgError> {
        let Ok(target) = self.target() else {
            return internal!("statement without target relation");
        };
        let entry = self.rte(self.cur().target_index, 0);
        if entry.is_ok_and(|rte| crate::column_ref::system_column(rte, name).is_some()) {
            return pg_err!(FEATURE_NOT_SUPPORTED, "cannot assign to system column \"{name}\"").at(res.span);
        }
        let e = pg_err!(
            UNDEFINED_COLUMN,
            "column \"{name}\" of relation \"{}\" does not exist",
            target.name
        )
        .at(res.span);
        let shown = self.rte(self.cur().target_index, 0).map(|r| r.eref.name.clone());
        let is_name = !res.indirection.is_empty() && shown.is_ok_and(|n| &*n == name);
        if is_name {
            e.hint("SET target columns cannot be qualified with the relation name.")
        } else {
            e
        }
    }

    /// The value of one assignment; parts of row-valued sources are split off here.
    fn assignment_source(&mut self, res: &ast::ResTarget) -> PgResult<Expr> {
        match &res.val {
            Some(ast::Expr::SetToDefault(span)) => Ok(default_marker(*span)),
            Some(ast::Expr::MultiAssignRef(m)) => self.multi_assign(m),
            Some(e) => self.transform_expr(e, ExprKind::UpdateSource),
            None => Err(internal!("assignment without value")),
        }
    }

    fn multi_assign(&mut self, m: &ast::MultiAssignRef) -> PgResult<Expr> {
        let mismatch =
            |span: Span| pg_err!(SYNTAX_ERROR, "number of columns does not match number of values").at(span);
        match &*m.source {
            ast::Expr::RowExpr(r) => {
                let mut row = self.transform_expression_list(&r.args, ExprKind::UpdateSource, true)?;
                let at = (m.colno as usize).wrapping_sub(1);
                if row.len() != m.ncolumns as usize || at >= row.len() {
                    return Err(mismatch(m.source.location()));
                }
                Ok(row.swap_remove(at))
            }
            ast::Expr::SubLink(s) if s.kind == ast::SubLinkType::Expr => {
                self.with_kind(ExprKind::UpdateSource, |a| a.column_of_subquery(s, m))
            }
            other => Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression"
            )
            .at(other.location())),
        }
    }

    /// One column of a row subquery, as a scalar subquery around it: `(SELECT s.colN FROM (subquery) s)`.
    fn column_of_subquery(&mut self, s: &ast::SubLink, m: &ast::MultiAssignRef) -> PgResult<Expr> {
        self.ps().has_sub_links = true;
        let query = self.with_level(|a| {
            let inner = a.sub_analyze_select(&s.subselect, None, false)?;
            if inner.output_columns().count() != m.ncolumns as usize {
                return Err(
                    pg_err!(SYNTAX_ERROR, "number of columns does not match number of values").at(s.span),
                );
            }
            let item = a.add_subquery(inner, None, "unnamed_subquery", false, true)?;
            a.add_to_query(item.clone(), true, false, true);
            let mut q = Query::new(CommandType::Select);
            let var = a.var_of_item(&item, (m.colno as usize).saturating_sub(1), 0, Span::NONE);
            q.target_list = vec![target_entry(var, 1, None, false)];
            a.finish_query(&mut q, None);
            Ok(q)
        })?;
        let column = query
            .target_list
            .first()
            .map(|t| (t.expr.type_ref(), t.expr.collation()));
        let (result, collation) = column.ok_or_else(|| internal!("subquery lost its column"))?;
        Ok(Expr::SubLink(Box::new(nodes::expr::SubLink {
            kind: nodes::expr::SubLinkKind::Expr,
            test: None,
            op_name: None,
            query: Arc::new(query),
            result,
            collation,
            span: s.span,
        })))
    }

    /// Coerces a value to the column (or the part of it) that it is assigned to.
    pub fn assigned_expr(&mut self, expr: Expr, to: &AssignTo<'_>) -> PgResult<Expr> {
        let saved = std::mem::replace(&mut self.ps().expr_kind, to.kind);
        let result = self.assigned_expr_inner(expr, to);
        self.ps().expr_kind = saved;
        result
    }

    fn assigned_expr_inner(&mut self, expr: Expr, to: &AssignTo<'_>) -> PgResult<Expr> {
        let column = to.column;
        if let Expr::SetToDefault(mut slot) = expr {
            match to.indirection.first() {
                None => {}
                Some(Indirection::Index(_)) => {
                    return Err(
                        pg_err!(FEATURE_NOT_SUPPORTED, "cannot set an array element to DEFAULT").at(to.span),
                    );
                }
                Some(_) => {
                    return Err(
                        pg_err!(FEATURE_NOT_SUPPORTED, "cannot set a subfield to DEFAULT").at(to.span)
                    );
                }
            }
            slot.type_ref = column.type_ref;
            slot.collation = column.collation;
            return Ok(Expr::SetToDefault(slot));
        }
        if !to.indirection.is_empty() {
            return self.assigned_part(expr, to);
        }
        let (input, span) = (expr.type_oid(), expr.span());
        let coerce = CoerceTo {
            target: column.type_ref,
            context: CoercionContext::Assignment,
            ..CoerceTo::implicit(column.type_ref.oid)
        };
        match self.coerce_to_target_type(expr, coerce)? {
            Some(e) => Ok(e),
            None => Err(pg_err!(
                DATATYPE_MISMATCH,
                "column \"{}\" is of type {} but expression is of type {}",
                column.name,
                self.format_type(column.type_ref.oid),
                self.format_type(input)
            )
            .hint("You will need to rewrite or cast the expression.")
            .at(span)),
        }
    }

    fn assigned_part(&mut self, expr: Expr, to: &AssignTo<'_>) -> PgResult<Expr> {
        let column = to.column;
        let base = if to.kind == ExprKind::InsertTarget {
            Expr::null_const(column.type_ref, column.collation)
        } else {
            let index = self.cur().target_index;
            let ns = crate::state::NsColumn {
                index,
                attno: column.attno,
                type_ref: column.type_ref,
                collation: column.collation,
                returning: ReturningKind::Default,
                dont_expand: false,
            };
            self.column_var(&ns, 0, Span::NONE)
        };
        self.assign_indirection(base, column.type_ref, &column.name, to.indirection, expr, to.span)
    }

    /// The list of RETURNING; OLD and NEW are visible in it.
    pub fn transform_returning(
        &mut self,
        r: Option<&ast::ReturningClause>,
        kind: ExprKind,
    ) -> PgResult<Vec<TargetEntry>> {
        let Some(r) = r else { return Ok(Vec::new()) };
        let before = self.cur().namespace.len();
        self.add_old_and_new(r)?;
        let saved = std::mem::replace(&mut self.ps().next_resno, 1);
        let list = self.transform_target_list(&r.exprs, kind);
        self.ps().next_resno = saved;
        let mut list = list?;
        if list.is_empty() {
            let span = r.exprs.first().map_or(Span::NONE, |e| e.span);
            return Err(pg_err!(SYNTAX_ERROR, "RETURNING must have at least one column").at(span));
        }
        self.resolve_unknown_targets(&mut list)?;
        self.ps().namespace.truncate(before);
        Ok(list)
    }

    fn add_old_and_new(&mut self, r: &ast::ReturningClause) -> PgResult<()> {
        let (mut old, mut new): (Option<&str>, Option<&str>) = (None, None);
        for o in &r.options {
            let name = o.value.as_str();
            let (slot, word) = if o.is_new {
                (&mut new, "NEW")
            } else {
                (&mut old, "OLD")
            };
            if slot.is_some() {
                return Err(pg_err!(SYNTAX_ERROR, "{word} cannot be specified multiple times").at(o.span));
            }
            *slot = Some(name);
            if self.visible_name(name) || (old.is_some() && old == new) {
                return Err(
                    pg_err!(DUPLICATE_ALIAS, "table name \"{name}\" specified more than once").at(o.span),
                );
            }
        }
        // The standard names are only there unless something else has them.
        if old.is_none() && !self.visible_name("old") && new != Some("old") {
            old = Some("old");
        }
        if new.is_none() && !self.visible_name("new") && old != Some("new") {
            new = Some("new");
        }
        for (name, kind) in [(old, ReturningKind::Old), (new, ReturningKind::New)] {
            if let Some(name) = name {
                self.add_returning_item(name, kind)?;
            }
        }
        Ok(())
    }

    fn visible_name(&self, name: &str) -> bool {
        self.cur()
            .namespace
            .iter()
            .any(|n| n.rel_visible && &*n.names.name == name)
    }

    fn add_returning_item(&mut self, name: &str, kind: ReturningKind) -> PgResult<()> {
        let index = self.cur().target_index;
        let rte = self.rte(index, 0)?;
        let columns = rte
            .columns
            .iter()
            .enumerate()
            .map(|(i, c)| crate::state::NsColumn {
                index,
                attno: if c.type_ref.oid.is_valid() {
                    (i + 1) as AttrNumber
                } else {
                    0
                },
                type_ref: c.type_ref,
                collation: c.collation,
                returning: kind,
                dont_expand: false,
            })
            .collect();
        let item = NsItem::new(Rc::new(NsNames {
            name: Arc::from(name),
            column_names: rte.eref.columns.clone(),
            columns,
            index,
            returning: kind,
            relation: Oid::INVALID,
            partial: false,
        }));
        self.add_to_query(item, false, true, false);
        Ok(())
    }

    /// Assigns into an element or field: rebuilds the container around the new value.
    pub fn assign_indirection(
        &mut self,
        base: Expr,
        type_ref: TypeRef,
        name: &str,
        path: &[Indirection],
        value: Expr,
        span: Span,
    ) -> PgResult<Expr> {
        crate::assign::assign_into(
            self,
            crate::assign::Place {
                base: Some(base),
                type_ref,
                name,
                span,
                is_field: false,
                is_slot: false,
            },
            path,
            value,
        )
    }
}
