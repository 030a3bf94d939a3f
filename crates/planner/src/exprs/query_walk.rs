//! Visiting every expression of a query, nested queries included.

use std::sync::Arc;

use common::Span;
use nodes::expr::{Expr, VarSource};
use nodes::query::{FrameBound, FromExpr, JoinTreeNode, Query, RteKind};
use nodes::relids::RelIds;
use nodes::walk::for_each_child_mut;

/// Calls `f` with every top-level expression of this query level (not inside subqueries).
pub fn for_each_expr_mut(query: &mut Query, f: &mut dyn FnMut(&mut Expr)) {
    for t in query.target_list.iter_mut().chain(&mut query.returning) {
        f(&mut t.expr);
    }
    from_expr_mut(&mut query.join_tree, f);
    query
        .having
        .iter_mut()
        .chain(&mut query.limit_offset)
        .chain(&mut query.limit_count)
        .for_each(&mut *f);
    for w in &mut query.window_clause {
        for bound in [&mut w.start, &mut w.end] {
            if let FrameBound::Preceding(e) | FrameBound::Following(e) = bound {
                f(e);
            }
        }
    }
    if let Some(oc) = &mut query.on_conflict {
        oc.set.iter_mut().for_each(|t| f(&mut t.expr));
        oc.where_clause
            .iter_mut()
            .chain(&mut oc.arbiter_where)
            .for_each(&mut *f);
        oc.arbiter_elements.iter_mut().for_each(|e| f(&mut e.expr));
    }
    query.with_check_options.iter_mut().for_each(|w| f(&mut w.qual));
    for action in &mut query.merge_actions {
        action.condition.iter_mut().for_each(&mut *f);
        action.target_list.iter_mut().for_each(|t| f(&mut t.expr));
    }
    query.merge_join_condition.iter_mut().for_each(&mut *f);
    for rte in &mut query.range_table {
        rte_exprs_mut(&mut rte.kind, f);
    }
}

/// Calls `f` with the conditions of FROM and WHERE of this query level.
pub fn for_each_condition_mut(query: &mut Query, f: &mut dyn FnMut(&mut Expr)) {
    from_expr_mut(&mut query.join_tree, f);
}

fn from_expr_mut(from: &mut FromExpr, f: &mut dyn FnMut(&mut Expr)) {
    from.items.iter_mut().for_each(|item| join_tree_mut(item, f));
    from.quals.iter_mut().for_each(f);
}

fn join_tree_mut(node: &mut JoinTreeNode, f: &mut dyn FnMut(&mut Expr)) {
    match node {
        JoinTreeNode::Rel(_) => {}
        JoinTreeNode::From(from) => from_expr_mut(from, f),
        JoinTreeNode::Join(join) => {
            join_tree_mut(&mut join.left, f);
            join_tree_mut(&mut join.right, f);
            join.quals.iter_mut().for_each(f);
        }
    }
}

fn rte_exprs_mut(kind: &mut RteKind, f: &mut dyn FnMut(&mut Expr)) {
    match kind {
        RteKind::Relation { sample: Some(s), .. } => {
            s.args.iter_mut().chain(&mut s.repeatable).for_each(f);
        }
        RteKind::Join { alias_vars, .. } => alias_vars.iter_mut().for_each(f),
        RteKind::Function { functions, .. } => functions.iter_mut().for_each(|x| f(&mut x.expr)),
        RteKind::Values { rows, .. } => rows.iter_mut().flatten().for_each(f),
        RteKind::Group { exprs } => exprs.iter_mut().for_each(f),
        RteKind::Relation { .. } | RteKind::Subquery { .. } | RteKind::Cte { .. } | RteKind::Result => {}
    }
}

/// Calls `f(expression, depth)` with every top-level expression of the query (depth 0) and of every query inside it.
/// Subqueries inside expressions are entered too.
pub fn for_each_expr_deep(query: &mut Query, depth: usize, f: &mut dyn FnMut(&mut Expr, usize)) {
    for_each_expr_mut(query, &mut |e| deep_expr(e, depth, f));
    for rte in &mut query.range_table {
        if let RteKind::Subquery { query, .. } = &mut rte.kind {
            for_each_expr_deep(Arc::make_mut(query), depth + 1, f);
        }
    }
    for cte in &mut query.ctes {
        for_each_expr_deep(Arc::make_mut(&mut cte.query), depth + 1, f);
    }
}

fn deep_expr(expr: &mut Expr, depth: usize, f: &mut dyn FnMut(&mut Expr, usize)) {
    enter_sub_links(expr, depth, f);
    f(expr, depth);
}

fn enter_sub_links(expr: &mut Expr, depth: usize, f: &mut dyn FnMut(&mut Expr, usize)) {
    if let Expr::SubLink(link) = expr {
        for_each_expr_deep(Arc::make_mut(&mut link.query), depth + 1, f);
    }
    for_each_child_mut(expr, &mut |child| enter_sub_links(child, depth, f));
}

/// Removes what must not take part in comparisons: spans and nulling sets, in the whole tree.
pub fn strip_positions(query: &mut Query) {
    for_each_expr_deep(query, 0, &mut |e, _| strip_expr(e));
}

/// See [`strip_positions`].
pub fn strip_expr(expr: &mut Expr) {
    nodes::walk::rewrite(expr, &mut |e| {
        if let Expr::Var(v) = e {
            v.nulling_rels = RelIds::empty();
        }
        if let Some(span) = span_mut(e) {
            *span = Span::NONE;
        }
        if let Expr::Case(c) = e {
            c.whens.iter_mut().for_each(|w| w.span = Span::NONE);
        }
    });
}

fn span_mut(e: &mut Expr) -> Option<&mut Span> {
    Some(match e {
        Expr::Const(e) => &mut e.span,
        Expr::Var(e) => &mut e.span,
        Expr::Param(e) => &mut e.span,
        Expr::Func(e) | Expr::NullIf(e) => &mut e.span,
        Expr::Distinct(e) => &mut e.equality.span,
        Expr::ScalarArrayOp(e) => &mut e.span,
        Expr::Bool(e) => &mut e.span,
        Expr::Case(e) => &mut e.span,
        Expr::CaseTest(e) | Expr::CoerceToDomainValue(e) | Expr::SetToDefault(e) => &mut e.span,
        Expr::Coalesce(e) => &mut e.span,
        Expr::MinMax(e) => &mut e.args.span,
        Expr::NullTest(e) => &mut e.span,
        Expr::BooleanTest(e) => &mut e.span,
        Expr::SqlValueFunction(e) => &mut e.span,
        Expr::Relabel(e) => &mut e.span,
        Expr::CoerceViaIo(e) | Expr::CoerceToDomain(e) => &mut e.span,
        Expr::ArrayCoerce(e) => &mut e.span,
        Expr::Collate(e) => &mut e.span,
        Expr::Array(e) => &mut e.span,
        Expr::Row(e) => &mut e.span,
        Expr::RowCompare(e) => &mut e.span,
        Expr::FieldSelect(e) => &mut e.span,
        Expr::FieldStore(e) => &mut e.span,
        Expr::Subscripting(e) => &mut e.span,
        Expr::Aggref(e) => &mut e.span,
        Expr::GroupingFunc(e) => &mut e.span,
        Expr::WindowFunc(e) => &mut e.span,
        Expr::SubLink(e) => &mut e.span,
        Expr::Json(e) => &mut e.span,
        Expr::Xml(e) => &mut e.span,
        Expr::NamedArg { span, .. } => span,
        Expr::SubPlan(_) | Expr::CurrentOf { .. } | Expr::NextValue { .. } => return None,
    })
}

/// Adds `offset` to every range table index that refers to query level `depth` seen from the expression.
pub fn offset_rels(expr: &mut Expr, depth: usize, offset: usize) {
    nodes::walk::rewrite(expr, &mut |e| match e {
        Expr::Var(v) => {
            if let VarSource::Rel { index, levels_up } = &mut v.source {
                if *levels_up == depth {
                    *index += offset;
                }
            }
        }
        Expr::CurrentOf { relation, .. } if depth == 0 => *relation += offset,
        Expr::SubLink(link) => {
            let query = Arc::make_mut(&mut link.query);
            for_each_expr_deep(query, depth + 1, &mut |e, d| offset_plain(e, d, offset));
        }
        _ => {}
    });
}

fn offset_plain(expr: &mut Expr, depth: usize, offset: usize) {
    nodes::walk::rewrite(expr, &mut |e| {
        if let Expr::Var(v) = e {
            if let VarSource::Rel { index, levels_up } = &mut v.source {
                if *levels_up == depth {
                    *index += offset;
                }
            }
        }
    });
}
