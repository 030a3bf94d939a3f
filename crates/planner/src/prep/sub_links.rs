//! `x IN (SELECT ...)` and `[NOT] EXISTS (SELECT ...)` in WHERE become semi and anti joins.

use std::sync::Arc;

use common::{AttrNumber, PgResult, Span};
use nodes::expr::{BoolOp, Expr, ParamKind, SubLink, SubLinkKind, Var, VarSource};
use nodes::query::{
    Alias, CommandType, FromExpr, JoinExpr, JoinTreeNode, JoinType, Permissions, Query, RangeTblEntry,
    RteColumn, RteKind,
};
use nodes::relids::RelIds;
use nodes::walk;

use crate::context::PlannerContext;
use crate::exprs::{any_array, facts, query_walk};
use crate::prep::ctes::shift_cte_references;
use crate::prep::pull_up;

/// In `SubLink::test` the subquery's columns are `Exec` parameters 0, 1...; real slots must not be mistaken for them, so
/// they are moved up by this much before any slot is given out.
pub const PLACEHOLDER_BASE: usize = 1 << 40;

/// Moves the placeholders of every subquery test in the statement, see [`PLACEHOLDER_BASE`].
pub fn mark_placeholders(query: &mut Query) {
    query_walk::for_each_expr_deep(query, 0, &mut |e, _| {
        walk::rewrite(e, &mut |e| {
            if let Expr::SubLink(link) = e {
                if let Some(test) = &mut link.test {
                    mark(test);
                }
            }
        });
    });
}

fn mark(test: &mut Expr) {
    walk::rewrite(test, &mut |e| {
        if let Expr::Param(p) = e {
            if p.kind == ParamKind::Exec && p.number < PLACEHOLDER_BASE {
                p.number += PLACEHOLDER_BASE;
            }
        }
    });
}

/// Converts what can be converted in WHERE and in inner joins' conditions.
pub fn pull_up_sub_links(query: &mut Query, context: &PlannerContext<'_>) -> PgResult<()> {
    if !query.has_sub_links {
        return Ok(());
    }
    let mut tree = std::mem::take(&mut query.join_tree);
    let result = pull_in_from(query, &mut tree, context);
    query.join_tree = tree;
    result
}

fn pull_in_from(query: &mut Query, from: &mut FromExpr, context: &PlannerContext<'_>) -> PgResult<()> {
    for item in &mut from.items {
        if let JoinTreeNode::From(inner) = item {
            pull_in_from(query, inner, context)?;
        }
    }
    let Some(quals) = from.quals.take() else {
        return Ok(());
    };
    let mut clauses = Vec::new();
    facts::flatten_and(quals, &mut clauses);
    let mut kept = Vec::new();
    for clause in clauses {
        let below = from.items.iter().fold(RelIds::empty(), |s, i| {
            s.union(&crate::prep::outer_joins::node_rels(i))
        });
        match convert(query, clause, &below, context)? {
            Ok(mut join) => {
                let items = std::mem::take(&mut from.items);
                join.left = match <[JoinTreeNode; 1]>::try_from(items) {
                    Ok([only]) => only,
                    Err(items) => JoinTreeNode::From(Box::new(FromExpr { items, quals: None })),
                };
                from.items = vec![JoinTreeNode::Join(Box::new(join))];
            }
            Err(clause) => kept.push(clause),
        }
    }
    from.quals = and_of(kept);
    Ok(())
}

/// The AND of some conditions; `None` for none.
pub fn and_of(mut clauses: Vec<Expr>) -> Option<Expr> {
    match clauses.len() {
        0 => None,
        1 => clauses.pop(),
        _ => Some(Expr::Bool(nodes::expr::BoolExpr {
            op: BoolOp::And,
            args: clauses,
            span: Span::NONE,
        })),
    }
}

/// A join that replaces the clause (its left side still empty), or the clause back.
fn convert(
    query: &mut Query,
    clause: Expr,
    below: &RelIds,
    context: &PlannerContext<'_>,
) -> PgResult<Result<JoinExpr, Expr>> {
    match clause {
        Expr::SubLink(link) if link.kind == SubLinkKind::Any => {
            if let Some(any) = any_array::of_values(&link, context)? {
                return Ok(Err(any));
            }
            Ok(convert_any(query, &link, below, context)?.ok_or(Expr::SubLink(link)))
        }
        Expr::SubLink(link) if link.kind == SubLinkKind::Exists => {
            Ok(convert_exists(query, &link, below, JoinType::Semi, context)?.ok_or(Expr::SubLink(link)))
        }
        Expr::Bool(b)
            if b.op == BoolOp::Not
                && matches!(&b.args[..], [Expr::SubLink(l)] if l.kind == SubLinkKind::Exists) =>
        {
            let [Expr::SubLink(link)] = &b.args[..] else {
                return Ok(Err(Expr::Bool(b)));
            };
            let join = convert_exists(query, link, below, JoinType::Anti, context)?;
            Ok(join.ok_or(Expr::Bool(b)))
        }
        other => Ok(Err(other)),
    }
}

fn convert_any(
    query: &mut Query,
    link: &SubLink,
    below: &RelIds,
    context: &PlannerContext<'_>,
) -> PgResult<Option<JoinExpr>> {
    let Some(test) = &link.test else { return Ok(None) };
    let used = facts::relids(test);
    if has_outer_reference(&link.query) || used.is_empty() || !used.is_subset(below) {
        return Ok(None);
    }
    if facts::is_volatile(test, context.catalog)? || facts::contains_subquery(test) {
        return Ok(None);
    }
    let index = add_subquery(query, &link.query);
    let columns: Vec<RteColumn> = query.rte(index).columns.clone();
    let mut quals = test.clone();
    walk::rewrite(&mut quals, &mut |e| {
        if let Expr::Param(p) = e {
            if p.kind == ParamKind::Exec && p.number >= PLACEHOLDER_BASE {
                let column = p.number - PLACEHOLDER_BASE;
                if let Some(c) = columns.get(column) {
                    *e = Expr::Var(column_var(index, column as AttrNumber + 1, c));
                }
            }
        }
    });
    Ok(Some(JoinExpr {
        join_type: JoinType::Semi,
        left: JoinTreeNode::Rel(0),
        right: JoinTreeNode::Rel(index),
        quals: Some(quals),
        rt_index: 0,
    }))
}

fn column_var(index: usize, attno: AttrNumber, column: &RteColumn) -> Var {
    Var {
        source: VarSource::Rel { index, levels_up: 0 },
        attno,
        type_ref: column.type_ref,
        collation: column.collation,
        nulling_rels: RelIds::empty(),
        returning: Default::default(),
        span: Span::NONE,
    }
}

fn add_subquery(query: &mut Query, sub: &Arc<Query>) -> usize {
    let columns = sub
        .output_columns()
        .map(|t| RteColumn {
            type_ref: t.expr.type_ref(),
            collation: t.expr.collation(),
        })
        .collect();
    let names = sub
        .output_columns()
        .map(|t| t.name.clone().unwrap_or_else(|| "?column?".into()))
        .collect();
    query.range_table.push(RangeTblEntry {
        kind: RteKind::Subquery {
            query: sub.clone(),
            lateral: false,
            view: None,
            security_barrier: false,
        },
        alias: None,
        eref: Alias {
            name: "ANY_subquery".into(),
            columns: names,
        },
        columns,
        in_from: false,
        permissions: Permissions::default(),
    });
    query.range_table.len()
}

/// True when a column of the query around it is used.
pub fn has_outer_reference(query: &Query) -> bool {
    let mut copy = query.clone();
    let mut found = false;
    query_walk::for_each_expr_deep(&mut copy, 0, &mut |e, depth| {
        found = found || walk::any(e, &mut |e| leaves(e, depth));
    });
    found
}

fn leaves(e: &Expr, depth: usize) -> bool {
    match e {
        Expr::Var(v) => matches!(v.source, VarSource::Rel { levels_up, .. } if levels_up > depth),
        Expr::Aggref(a) => a.levels_up > depth,
        _ => false,
    }
}

/// EXISTS: the subquery's FROM joins on its WHERE. Only the WHERE may refer to the query outside.
fn convert_exists(
    query: &mut Query,
    link: &SubLink,
    below: &RelIds,
    join_type: JoinType,
    context: &PlannerContext<'_>,
) -> PgResult<Option<JoinExpr>> {
    let mut sub = (*link.query).clone();
    if !is_plain_exists(&sub) {
        return Ok(None);
    }
    forget_output(&mut sub);
    crate::prep::aliases::flatten_join_aliases(&mut sub);
    let Some(condition) = sub.join_tree.quals.take() else {
        return Ok(None);
    };
    if has_outer_reference(&sub) || facts::is_volatile(&condition, context.catalog)? {
        return Ok(None);
    }
    let mut outer = RelIds::empty();
    let mut deep = false;
    walk::walk(&condition, &mut |e| {
        if let Expr::Var(v) = e {
            match v.source {
                VarSource::Rel { index, levels_up: 1 } => outer.insert(index),
                VarSource::Rel { levels_up, .. } if levels_up > 1 => deep = true,
                _ => {}
            }
        }
        true
    });
    if outer.is_empty() || !outer.is_subset(below) || deep || facts::contains_subquery(&condition) {
        return Ok(None);
    }
    Ok(Some(absorb_exists(query, sub, condition, join_type)))
}

/// A correlated EXISTS as `outer = ANY (SELECT inner ...)`: where the subquery refers to the query outside by hashable equalities alone.
///
/// PG: `convert_EXISTS_to_ANY`.
pub fn exists_to_any(link: &SubLink, context: &PlannerContext<'_>) -> PgResult<Option<SubLink>> {
    let mut sub = (*link.query).clone();
    if !is_plain_exists(&sub) {
        return Ok(None);
    }
    forget_output(&mut sub);
    crate::prep::aliases::flatten_join_aliases(&mut sub);
    let Some(condition) = sub.join_tree.quals.take() else {
        return Ok(None);
    };
    if has_outer_reference(&sub)
        || facts::is_volatile(&condition, context.catalog)?
        || facts::contains_subquery(&condition)
    {
        return Ok(None);
    }
    let (mut clauses, mut kept, mut tests) = (Vec::new(), Vec::new(), Vec::new());
    facts::flatten_and(condition, &mut clauses);
    for clause in clauses {
        if !walk::any(&clause, &mut |e| leaves(e, 0)) {
            kept.push(clause);
            continue;
        }
        let Some((test, inner)) = link_test(clause, tests.len(), context)? else {
            return Ok(None);
        };
        tests.push(test);
        let mut target = crate::upper::target(inner, tests.len(), None);
        target.resjunk = false;
        sub.target_list.push(target);
    }
    sub.join_tree.quals = and_of(kept);
    let Some(test) = and_of(tests) else {
        return Ok(None);
    };
    Ok(Some(SubLink {
        kind: SubLinkKind::Any,
        test: Some(test),
        query: Arc::new(sub),
        ..link.clone()
    }))
}

/// `outer = inner`, either way round: the comparison of the outer side with the subquery's column, and the inner side.
fn link_test(clause: Expr, column: usize, context: &PlannerContext<'_>) -> PgResult<Option<(Expr, Expr)>> {
    let Expr::Func(mut f) = clause else {
        return Ok(None);
    };
    let Ok([left, right]) = <[Expr; 2]>::try_from(std::mem::take(&mut f.args)) else {
        return Ok(None);
    };
    let Some(op) = context.catalog.operator(f.op)? else {
        return Ok(None);
    };
    let is_outer = |e: &Expr| {
        let own =
            |e: &Expr| matches!(e, Expr::Var(v) if matches!(v.source, VarSource::Rel { levels_up: 0, .. }));
        walk::any(e, &mut |e| leaves(e, 0)) && !walk::any(e, &mut |e| own(e) || leaves(e, 1))
    };
    let is_inner = |e: &Expr| !walk::any(e, &mut |e| leaves(e, 0));
    let (outer, inner) = match (is_outer(&left), is_outer(&right)) {
        (true, false) if is_inner(&right) => (left, right),
        (false, true) if is_inner(&left) && op.commutator == op.oid => (right, left),
        _ => return Ok(None),
    };
    let hashes = op.can_hash && facts::is_strict(op.function, context.catalog);
    if !hashes
        || outer.type_oid() != inner.type_oid()
        || walk::any(&outer, &mut |e| matches!(e, Expr::Aggref(_)))
    {
        return Ok(None);
    }
    let mut outer = outer;
    walk::rewrite(&mut outer, &mut |e| {
        if let Expr::Var(v) = e
            && let VarSource::Rel { levels_up, .. } = &mut v.source
        {
            *levels_up -= 1;
        }
    });
    let slot = crate::root::Global::param_expr(PLACEHOLDER_BASE + column, &inner);
    f.args = vec![outer, slot];
    Ok(Some((Expr::Func(f), inner)))
}

/// Which columns a subquery returns, and how often and in what order, does not matter to EXISTS.
fn forget_output(sub: &mut Query) {
    sub.target_list.clear();
    sub.group_clause.clear();
    sub.distinct_clause.clear();
    sub.sort_clause.clear();
    sub.window_clause.clear();
    sub.limit_count = None;
}

/// A subquery that is a join with a condition, as far as EXISTS cares.
fn is_plain_exists(sub: &Query) -> bool {
    sub.command == CommandType::Select
        && sub.set_operations.is_none()
        && !sub.has_aggs
        && !sub.has_window_funcs
        && !sub.has_target_srfs
        && sub.grouping_sets.is_empty()
        && sub.having.is_none()
        && sub.limit_offset.is_none()
        && sub.row_marks.is_empty()
        && sub.ctes.is_empty()
        && !sub.join_tree.items.is_empty()
        && limit_keeps_a_row(sub)
}

fn limit_keeps_a_row(sub: &Query) -> bool {
    match &sub.limit_count {
        None => true,
        Some(Expr::Const(c)) => c.value.is_null() || c.value.as_i64().is_some_and(|n| n > 0),
        Some(_) => false,
    }
}

fn absorb_exists(query: &mut Query, mut sub: Query, mut condition: Expr, join_type: JoinType) -> JoinExpr {
    let offset = query.range_table.len();
    walk::rewrite(&mut condition, &mut |e| pull_up::lift(e, 0, offset));
    query_walk::for_each_expr_deep(&mut sub, 0, &mut |e, depth| {
        walk::rewrite(e, &mut |e| pull_up::lift(e, depth, offset));
    });
    shift_cte_references(&mut sub, 0, -1);
    pull_up::renumber_tree(&mut sub.join_tree, offset);
    query.range_table.append(&mut sub.range_table);
    let right = match <[JoinTreeNode; 1]>::try_from(sub.join_tree.items) {
        Ok([only]) => only,
        Err(items) => JoinTreeNode::From(Box::new(FromExpr { items, quals: None })),
    };
    JoinExpr {
        join_type,
        left: JoinTreeNode::Rel(0),
        right,
        quals: Some(condition),
        rt_index: 0,
    }
}
