//! `min` and `max` from the end of an index: `SELECT min(a), max(b) FROM t WHERE ...` without groups becomes a row of subqueries
//! `(SELECT a FROM t WHERE ... AND a IS NOT NULL ORDER BY a LIMIT 1)`.
//!
//! PG: src/backend/optimizer/plan/planagg.c.
//!
//! # How it works
//! The rewritten query is planned beside the query as it is, and taken when it is cheaper. It can only be where an index begins with the
//! columns of the arguments or with columns that conditions bind, so other queries are not tried.

use std::sync::Arc;

use common::{AttrNumber, Oid, PgResult, Span};
use nodes::expr::{Aggref, Const, Expr, NullTest, ParamKind, SubLink, SubLinkKind, Var, VarSource};
use nodes::query::{CommandType, JoinTreeNode, Query, RteKind, SortGroupClause, TargetEntry};
use nodes::walk;
use types::settings::TypeRef;
use types::{Datum, oids};

use crate::context::PlannerContext;
use crate::exprs::facts;
use crate::joininfo::BTREE;
use crate::prep::{and_of, is_simple_union_all};

/// The query by subqueries; `None` where that cannot be cheaper, or is something else.
pub fn rewrite(query: &Query, context: &PlannerContext<'_>) -> PgResult<Option<Query>> {
    if !has_shape(query) || !from_one_table(query) {
        return Ok(None);
    }
    let Some(found) = aggregates(query) else {
        return Ok(None);
    };
    let mut links = Vec::with_capacity(found.len());
    for a in found {
        let Some(link) = link(query, &a, context)? else {
            return Ok(None);
        };
        links.push((Expr::Aggref(Box::new(a)), link));
    }
    let replace = |e: &mut Expr| {
        walk::rewrite(e, &mut |e| {
            if let Some((_, link)) = links.iter().find(|(a, _)| a == e) {
                *e = link.clone();
            }
        });
    };
    let mut out = Query::new(CommandType::Select);
    out.target_list = query.target_list.clone();
    out.target_list.iter_mut().for_each(|t| replace(&mut t.expr));
    out.join_tree.quals = query.having.clone();
    out.join_tree.quals.iter_mut().for_each(replace);
    out.sort_clause = query.sort_clause.clone();
    out.distinct_clause = query.distinct_clause.clone();
    out.has_distinct_on = query.has_distinct_on;
    out.has_target_srfs = query.has_target_srfs;
    out.limit_with_ties = query.limit_with_ties;
    out.limit_offset = query.limit_offset.clone();
    out.limit_count = query.limit_count.clone();
    out.has_sub_links = true;
    out.span = query.span;
    Ok(Some(out))
}

/// A plain aggregation with nothing around it.
fn has_shape(q: &Query) -> bool {
    q.command == CommandType::Select
        && q.has_aggs
        && q.group_clause.is_empty()
        && q.grouping_sets.is_empty()
        && q.set_operations.is_none()
        && q.ctes.is_empty()
        && q.row_marks.is_empty()
        && !q.has_window_funcs
        && !q.has_sub_links
}

/// FROM is a table or a UNION ALL, and WHERE takes no value from a query around this one.
fn from_one_table(q: &Query) -> bool {
    let ([JoinTreeNode::Rel(1)], [rte]) = (&q.join_tree.items[..], &q.range_table[..]) else {
        return false;
    };
    let plain = match &rte.kind {
        RteKind::Relation {
            relkind,
            sample: None,
            ..
        } => matches!(relkind, b'r' | b'm' | b'p'),
        RteKind::Subquery {
            query,
            lateral: false,
            ..
        } => is_simple_union_all(query),
        _ => false,
    };
    let mut bound = false;
    if let Some(quals) = &q.join_tree.quals {
        walk::walk(quals, &mut |e| {
            bound |= matches!(e, Expr::Param(p) if p.kind == ParamKind::Exec);
            !bound
        });
    }
    plain && !bound
}

/// The different aggregates; `None` when one of them is no plain `min` or `max` of a column.
fn aggregates(q: &Query) -> Option<Vec<Aggref>> {
    let mut found: Vec<Aggref> = Vec::new();
    let mut others = false;
    for e in q.target_list.iter().map(|t| &t.expr).chain(&q.having) {
        walk::walk(e, &mut |e| {
            match e {
                Expr::Aggref(a) if is_plain(a) => {
                    if !found.contains(a) {
                        found.push((**a).clone());
                    }
                    return false;
                }
                Expr::Aggref(_) | Expr::Var(_) => others = true,
                _ => {}
            }
            !others
        });
    }
    (!others && !found.is_empty()).then_some(found)
}

fn is_plain(a: &Aggref) -> bool {
    a.levels_up == 0
        && a.args.len() == 1
        && a.order_by.is_empty()
        && a.filter.is_none()
        && column(a).is_some()
}

/// The column that it looks at.
fn column(a: &Aggref) -> Option<&Var> {
    match a.args.first().map(|t| facts::strip_relabel(&t.expr)) {
        Some(Expr::Var(v))
            if v.source
                == (VarSource::Rel {
                    index: 1,
                    levels_up: 0,
                })
                && v.attno > 0 =>
        {
            Some(v)
        }
        _ => None,
    }
}

/// The subquery that gives an aggregate's value.
fn link(query: &Query, a: &Aggref, context: &PlannerContext<'_>) -> PgResult<Option<Expr>> {
    let sort_op = context
        .catalog
        .aggregate(a.func)?
        .map_or(Oid::INVALID, |f| f.sort_op);
    let families = match sort_op.is_valid() {
        true => context.catalog.operator_families(BTREE, sort_op)?,
        false => return Ok(None),
    };
    // Strategy 1 is `<`, 5 is `>`.
    let Some((_, strategy)) = families.first() else {
        return Ok(None);
    };
    let (Some(argument), Some(var)) = (a.args.first(), column(a)) else {
        return Ok(None);
    };
    if !has_index(query, var.attno, context)? {
        return Ok(None);
    }
    let mut clauses = vec![Expr::NullTest(NullTest {
        arg: Box::new(argument.expr.clone()),
        is_not: true,
        arg_is_row: false,
        span: Span::NONE,
    })];
    clauses.extend(query.join_tree.quals.iter().cloned());
    let mut sub = Query::new(CommandType::Select);
    sub.range_table = query.range_table.clone();
    sub.join_tree = query.join_tree.clone();
    sub.join_tree.quals = and_of(clauses);
    sub.target_list = vec![TargetEntry {
        resno: 1,
        sort_group_ref: 1,
        resjunk: false,
        ..argument.clone()
    }];
    sub.sort_clause = vec![SortGroupClause {
        target_ref: 1,
        eq_op: Oid::INVALID,
        sort_op,
        reverse: *strategy != 1,
        // NULLs there are none; this is what an ascending index gives backwards.
        nulls_first: *strategy != 1,
        hashable: false,
    }];
    sub.limit_count = Some(Expr::Const(Const {
        value: Datum::Int8(1),
        type_ref: TypeRef::plain(oids::INT8),
        collation: Oid::INVALID,
        span: Span::NONE,
    }));
    Ok(Some(Expr::SubLink(Box::new(SubLink {
        kind: SubLinkKind::Expr,
        test: None,
        op_name: None,
        query: Arc::new(sub),
        result: a.result,
        collation: a.collation,
        span: a.span,
    }))))
}

/// Some index of what the query reads has the column as a key.
fn has_index(query: &Query, attno: AttrNumber, context: &PlannerContext<'_>) -> PgResult<bool> {
    match query.range_table.first().map(|r| &r.kind) {
        Some(RteKind::Relation { relation, .. }) => table_has_index(*relation, attno, context),
        Some(RteKind::Subquery { query, .. }) => {
            for arm in &query.range_table {
                if arm_has_index(&arm.kind, attno, context)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => Ok(false),
    }
}

/// The column of an arm of a UNION ALL is one of an only table, in whose index it is a key.
fn arm_has_index(arm: &RteKind, attno: AttrNumber, context: &PlannerContext<'_>) -> PgResult<bool> {
    let RteKind::Subquery { query: arm, .. } = arm else {
        return Ok(false);
    };
    let at = usize::try_from(attno).ok().and_then(|n| n.checked_sub(1));
    match at.and_then(|at| arm.output_columns().nth(at)).map(|t| &t.expr) {
        Some(Expr::Var(v)) if arm.range_table.len() == 1 => has_index(arm, v.attno, context),
        _ => Ok(false),
    }
}

fn table_has_index(table: Oid, attno: AttrNumber, context: &PlannerContext<'_>) -> PgResult<bool> {
    let Some(table) = context.catalog.relation(table)? else {
        return Ok(false);
    };
    for index in table.indexes.iter() {
        let desc = context.catalog.relation(*index)?;
        let keys = desc.as_ref().and_then(|d| d.index.as_ref());
        let keys = keys.filter(|i| i.access_method == BTREE);
        if keys.is_some_and(|i| i.columns.iter().take(i.key_count).any(|c| c.attno == attno)) {
            return Ok(true);
        }
    }
    Ok(false)
}
