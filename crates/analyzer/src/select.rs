//! SELECT and VALUES.
//!
//! PG: src/backend/parser/analyze.c (`transformSelectStmt`, `transformValuesClause`, locking clauses).

use common::error::ErrorExt;
use common::{Oid, PgResult, Span, cancel, pg_err, pieces};
use nodes::Expr;
use nodes::query::{
    CommandType, FromExpr, LockStrength, LockWait, Query, RowMarkClause, RteColumn, RteKind, TargetEntry,
};
use parser::ast::{self, LockClauseStrength, LockWaitPolicy};
use types::settings::TypeRef;

use crate::kind::ExprKind;
use crate::parse_coerce::select_common_typmod;
use crate::state::Analyzer;

impl Analyzer<'_> {
    /// Analyzes a query below the one at hand.
    pub fn sub_analyze_select(
        &mut self,
        s: &ast::SelectStmt,
        parent_cte: Option<usize>,
        locked_from_parent: bool,
    ) -> PgResult<Query> {
        self.sub_analyze_with(s, parent_cte, locked_from_parent, true)
    }

    /// The same; `resolve_unknowns` false leaves bare literals untyped for the caller.
    pub fn sub_analyze_with(
        &mut self,
        s: &ast::SelectStmt,
        parent_cte: Option<usize>,
        locked_from_parent: bool,
        resolve_unknowns: bool,
    ) -> PgResult<Query> {
        self.with_level(|a| {
            let ps = a.ps();
            ps.parent_cte = parent_cte;
            ps.locked_from_parent = locked_from_parent;
            ps.resolve_unknowns = resolve_unknowns;
            a.select_stmt(s)
        })
    }

    /// Any form of SELECT, at the current level.
    pub fn select_stmt(&mut self, s: &ast::SelectStmt) -> PgResult<Query> {
        if !s.values_lists.is_empty() {
            self.values_clause(s)
        } else if s.op == ast::SetOperation::None {
            self.plain_select(s)
        } else {
            self.set_operation_stmt(s)
        }
    }

    fn plain_select(&mut self, s: &ast::SelectStmt) -> PgResult<Query> {
        let mut q = Query::new(CommandType::Select);
        q.span = s.span;
        self.transform_with(s.with.as_deref(), &mut q)?;
        if let Some(into) = &s.into {
            return Err(pg_err!(SYNTAX_ERROR, "SELECT ... INTO is not allowed here").at(into.rel.span));
        }
        self.ps().locking = s.locking.clone();
        self.ps().window_defs = s.window_clause.clone();
        self.transform_from(&s.from)?;
        let mut list = self.transform_target_list(&s.target_list, ExprKind::SelectTarget)?;
        let quals = match &s.where_clause {
            Some(e) => Some(self.transform_where(e, ExprKind::Where, "WHERE")?),
            None => None,
        };
        q.having = match &s.having {
            Some(e) => Some(self.transform_where(e, ExprKind::Having, "HAVING")?),
            None => None,
        };
        q.sort_clause = self.transform_sort_clause(&s.sort_clause, &mut list, ExprKind::OrderBy, false)?;
        let (group, sets) = self.transform_group_clause(
            &s.group_clause,
            &mut list,
            &q.sort_clause,
            ExprKind::GroupBy,
            false,
        )?;
        q.group_clause = group;
        q.grouping_sets = sets;
        q.group_distinct = s.group_distinct;
        match &s.distinct {
            None => {}
            Some(ast::DistinctClause::All) => {
                q.distinct_clause = self.transform_distinct(&mut list, &q.sort_clause, false)?;
            }
            Some(ast::DistinctClause::On(exprs)) => {
                q.distinct_clause = self.transform_distinct_on(exprs, &mut list, &q.sort_clause)?;
                q.has_distinct_on = true;
            }
        }
        self.limits(s, &mut q)?;
        q.window_clause = self.transform_windows(&mut list)?;
        if self.cur().resolve_unknowns {
            self.resolve_unknown_targets(&mut list)?;
        }
        q.target_list = list;
        self.finish_query(&mut q, quals);
        for clause in &s.locking {
            self.transform_locking(&mut q, clause, false)?;
        }
        self.assign_query_collations(&mut q)?;
        if q.has_aggs || !q.group_clause.is_empty() || !q.grouping_sets.is_empty() || q.having.is_some() {
            self.check_aggregates(&mut q)?;
        }
        Ok(q)
    }

    /// OFFSET and LIMIT.
    pub fn limits(&mut self, s: &ast::SelectStmt, q: &mut Query) -> PgResult<()> {
        if let Some(e) = &s.limit_offset {
            q.limit_offset = Some(self.transform_limit(e, ExprKind::Offset, "OFFSET", s.limit_option)?);
        }
        if let Some(e) = &s.limit_count {
            q.limit_count = Some(self.transform_limit(e, ExprKind::Limit, "LIMIT", s.limit_option)?);
        }
        q.limit_with_ties = s.limit_option == ast::LimitOption::WithTies;
        Ok(())
    }

    /// Moves range table, join tree and flags of the level into its query.
    pub fn finish_query(&mut self, q: &mut Query, quals: Option<Expr>) {
        let ps = self.ps();
        q.range_table = ps.rtable.clone();
        q.join_tree = FromExpr {
            items: std::mem::take(&mut ps.join_list),
            quals,
        };
        q.has_aggs = ps.has_aggs;
        q.has_window_funcs = ps.has_window_funcs;
        q.has_target_srfs = ps.has_target_srfs;
        q.has_sub_links = ps.has_sub_links;
        q.has_modifying_cte = ps.has_modifying_cte;
        q.ctes = ps.ctes.clone();
    }

    fn values_clause(&mut self, s: &ast::SelectStmt) -> PgResult<Query> {
        let mut q = Query::new(CommandType::Select);
        q.span = s.span;
        self.transform_with(s.with.as_deref(), &mut q)?;
        let mut rows = pieces::List::new(s.values_lists.len());
        let (mut width, cancel) = (None, cancel::current());
        for raw in &s.values_lists {
            let row = self.transform_expression_list(raw, ExprKind::Values, false)?;
            if *width.get_or_insert(row.len()) != row.len() {
                return Err(uneven_values(row.first().map_or(Span::NONE, Expr::span)));
            }
            rows.extend(&cancel, [row])?;
        }
        let mut rows = rows.finish();
        let columns = self.unify_values(&mut rows)?;
        let item = self.add_values(rows, columns, false, true)?;
        self.add_to_query(item.clone(), true, true, true);
        let mut list: Vec<TargetEntry> = Vec::new();
        for (e, name) in self.expand_item(&item, 0, Span::NONE) {
            let resno = self.next_resno();
            list.push(crate::parse_target::target_entry(e, resno, Some(name), false));
        }
        q.sort_clause = self.transform_sort_clause(&s.sort_clause, &mut list, ExprKind::OrderBy, false)?;
        self.limits(s, &mut q)?;
        if let Some(l) = s.locking.first() {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "{} cannot be applied to VALUES",
                lock_name(l.strength)
            ));
        }
        q.target_list = list;
        self.finish_query(&mut q, None);
        self.assign_query_collations(&mut q)?;
        Ok(q)
    }

    /// Gives every column of VALUES one type.
    fn unify_values(&mut self, rows: &mut [Vec<Expr>]) -> PgResult<Vec<RteColumn>> {
        let width = rows.first().map_or(0, Vec::len);
        let mut columns = Vec::with_capacity(width);
        for i in 0..width {
            let types: Vec<(Oid, Span)> = rows.iter().map(|r| (r[i].type_oid(), r[i].span())).collect();
            let common = self.select_common_type(&types, Some("VALUES"))?;
            let mut refs = Vec::with_capacity(rows.len());
            for row in rows.iter_mut() {
                let taken = std::mem::replace(&mut row[i], Expr::bool_const(false));
                row[i] = self.coerce_to_common_type(taken, common, "VALUES")?;
                refs.push(row[i].type_ref());
            }
            let collation = {
                let mut column: Vec<Expr> = rows.iter().map(|r| r[i].clone()).collect();
                self.select_common_collation(&mut column, true)?
            };
            columns.push(RteColumn {
                type_ref: TypeRef {
                    oid: common,
                    typmod: select_common_typmod(&refs, common),
                },
                collation,
            });
        }
        for row in rows {
            for e in row {
                self.assign_expr_collations(e)?;
            }
        }
        Ok(columns)
    }

    /// FOR UPDATE and relatives.
    pub fn transform_locking(
        &mut self,
        q: &mut Query,
        l: &ast::LockingClause,
        pushed_down: bool,
    ) -> PgResult<()> {
        check_lockable(q, l.strength)?;
        let mut targets: Vec<usize> = Vec::new();
        if l.locked_rels.is_empty() {
            for (i, rte) in q.range_table.iter().enumerate() {
                if rte.in_from && matches!(rte.kind, RteKind::Relation { .. } | RteKind::Subquery { .. }) {
                    targets.push(i + 1);
                }
            }
        } else {
            for rv in &l.locked_rels {
                targets.push(locked_entry(q, l, rv)?);
            }
        }
        let all = ast::LockingClause {
            locked_rels: Vec::new(),
            ..l.clone()
        };
        for index in targets {
            apply_lock(q, index, l, pushed_down);
            let sub = match &q.range_table[index - 1].kind {
                RteKind::Subquery { query, .. } => Some(query.clone()),
                _ => None,
            };
            if let Some(mut sub) = sub {
                self.transform_locking(std::sync::Arc::make_mut(&mut sub), &all, true)?;
                if let RteKind::Subquery { query, .. } = &mut q.range_table[index - 1].kind {
                    *query = sub;
                }
            }
        }
        Ok(())
    }
}

/// VALUES rows of different length.
pub(crate) fn uneven_values(span: Span) -> Box<common::PgError> {
    pg_err!(SYNTAX_ERROR, "VALUES lists must all be the same length").at(span)
}

fn locked_entry(q: &Query, l: &ast::LockingClause, rv: &ast::RangeVar) -> PgResult<usize> {
    let clause = lock_name(l.strength);
    if rv.schema.is_some() || rv.catalog.is_some() {
        return Err(pg_err!(SYNTAX_ERROR, "{clause} must specify unqualified relation names").at(rv.span));
    }
    let name = rv.relation.as_str();
    let at = q.range_table.iter().position(|rte| {
        // An unnamed join cannot be meant.
        rte.in_from
            && &*rte.eref.name == name
            && (rte.alias.is_some() || !matches!(rte.kind, RteKind::Join { .. }))
    });
    let Some(i) = at else {
        return Err(pg_err!(
            UNDEFINED_TABLE,
            "relation \"{name}\" in {clause} clause not found in FROM clause"
        )
        .at(rv.span));
    };
    let what = match q.range_table[i].kind {
        RteKind::Relation { .. } | RteKind::Subquery { .. } => return Ok(i + 1),
        RteKind::Join { .. } => "a join",
        RteKind::Function { .. } => "a function",
        RteKind::Values { .. } => "VALUES",
        RteKind::Cte { .. } => "a WITH query",
        _ => "this",
    };
    Err(pg_err!(FEATURE_NOT_SUPPORTED, "{clause} cannot be applied to {what}").at(rv.span))
}

fn apply_lock(q: &mut Query, index: usize, l: &ast::LockingClause, pushed_down: bool) {
    if !pushed_down {
        q.range_table[index - 1].permissions.update = true;
    }
    let strength = match l.strength {
        LockClauseStrength::ForKeyShare => LockStrength::ForKeyShare,
        LockClauseStrength::ForShare => LockStrength::ForShare,
        LockClauseStrength::ForNoKeyUpdate => LockStrength::ForNoKeyUpdate,
        LockClauseStrength::ForUpdate => LockStrength::ForUpdate,
    };
    let wait = match l.wait_policy {
        LockWaitPolicy::Block => LockWait::Block,
        LockWaitPolicy::Skip => LockWait::SkipLocked,
        LockWaitPolicy::Error => LockWait::NoWait,
    };
    let rank = |w: LockWait| match w {
        LockWait::Block => 0,
        LockWait::SkipLocked => 1,
        LockWait::NoWait => 2,
    };
    if let Some(mark) = q.row_marks.iter_mut().find(|m| m.rt_index == index) {
        mark.strength = mark.strength.max(strength);
        if rank(wait) > rank(mark.wait) {
            mark.wait = wait;
        }
        mark.pushed_down &= pushed_down;
        return;
    }
    q.row_marks.push(RowMarkClause {
        rt_index: index,
        strength,
        wait,
        pushed_down,
    });
}

/// The clause as written, for messages.
pub(crate) fn lock_name(s: LockClauseStrength) -> &'static str {
    match s {
        LockClauseStrength::ForKeyShare => "FOR KEY SHARE",
        LockClauseStrength::ForShare => "FOR SHARE",
        LockClauseStrength::ForNoKeyUpdate => "FOR NO KEY UPDATE",
        LockClauseStrength::ForUpdate => "FOR UPDATE",
    }
}

fn check_lockable(q: &Query, strength: LockClauseStrength) -> PgResult<()> {
    let what = if q.set_operations.is_some() {
        "UNION/INTERSECT/EXCEPT"
    } else if !q.distinct_clause.is_empty() {
        "DISTINCT clause"
    } else if !q.group_clause.is_empty() || !q.grouping_sets.is_empty() {
        "GROUP BY clause"
    } else if q.having.is_some() {
        "HAVING clause"
    } else if q.has_aggs {
        "aggregate functions"
    } else if q.has_window_funcs {
        "window functions"
    } else if q.has_target_srfs {
        "set-returning functions in the target list"
    } else {
        return Ok(());
    };
    Err(pg_err!(
        FEATURE_NOT_SUPPORTED,
        "{} is not allowed with {what}",
        lock_name(strength)
    ))
}
