//! Visiting the expressions of whole queries, with the number of query levels entered.

use std::sync::Arc;

use common::Span;
use nodes::expr::VarSource;
use nodes::query::{FrameBound, JoinTreeNode, RteKind};
use nodes::walk::{for_each_child, for_each_child_mut};
use nodes::{Expr, Query};

/// Calls `f` on the expression and everything in it, subqueries included; the number counts query levels entered.
/// `false` from `f` leaves out what is below.
pub(crate) fn walk_levels<'e>(expr: &'e Expr, depth: usize, f: &mut dyn FnMut(&'e Expr, usize) -> bool) {
    if !f(expr, depth) {
        return;
    }
    for_each_child(expr, &mut |child| walk_levels(child, depth, f));
    if let Expr::SubLink(s) = expr {
        walk_query(&s.query, depth + 1, f);
    }
}

/// Calls [`walk_levels`] on every expression of a query; its own level has number `depth`.
pub(crate) fn walk_query<'e>(query: &'e Query, depth: usize, f: &mut dyn FnMut(&'e Expr, usize) -> bool) {
    for cte in &query.ctes {
        walk_query(&cte.query, depth + 1, f);
    }
    for rte in &query.range_table {
        if let RteKind::Subquery { query, .. } = &rte.kind {
            walk_query(query, depth + 1, f);
        }
    }
    for_each_expr(query, &mut |e| walk_levels(e, depth, f));
}

/// Calls `f` on every top-level expression of a query (not those of its subqueries).
pub(crate) fn for_each_expr<'q>(query: &'q Query, f: &mut dyn FnMut(&'q Expr)) {
    for rte in &query.range_table {
        match &rte.kind {
            RteKind::Join { alias_vars, .. } => alias_vars.iter().for_each(&mut *f),
            RteKind::Function { functions, .. } => functions.iter().for_each(|x| f(&x.expr)),
            RteKind::Values { rows, .. } => rows.iter().flatten().for_each(&mut *f),
            RteKind::Group { exprs } => exprs.iter().for_each(&mut *f),
            RteKind::Relation { sample, .. } => {
                let Some(s) = sample else { continue };
                s.args.iter().chain(&s.repeatable).for_each(&mut *f);
            }
            _ => {}
        }
    }
    for item in &query.join_tree.items {
        for_each_join_expr(item, f);
    }
    query.join_tree.quals.iter().for_each(&mut *f);
    query.target_list.iter().for_each(|t| f(&t.expr));
    if let Some(c) = &query.on_conflict {
        c.arbiter_elements.iter().for_each(|e| f(&e.expr));
        c.arbiter_where.iter().for_each(&mut *f);
        c.set.iter().for_each(|t| f(&t.expr));
        c.where_clause.iter().for_each(&mut *f);
    }
    for a in &query.merge_actions {
        a.condition.iter().for_each(&mut *f);
        a.target_list.iter().for_each(|t| f(&t.expr));
    }
    query.merge_join_condition.iter().for_each(&mut *f);
    query.returning.iter().for_each(|t| f(&t.expr));
    query.having.iter().for_each(&mut *f);
    for w in &query.window_clause {
        for b in [&w.start, &w.end] {
            if let FrameBound::Preceding(e) | FrameBound::Following(e) = b {
                f(e);
            }
        }
    }
    query
        .limit_offset
        .iter()
        .chain(&query.limit_count)
        .for_each(&mut *f);
    query.with_check_options.iter().for_each(|w| f(&w.qual));
    for c in query.ctes.iter().filter_map(|c| c.cycle.as_deref()) {
        f(&c.mark_value);
        f(&c.mark_default);
    }
}

fn for_each_join_expr<'q>(node: &'q JoinTreeNode, f: &mut dyn FnMut(&'q Expr)) {
    match node {
        JoinTreeNode::Rel(_) => {}
        JoinTreeNode::Join(j) => {
            for_each_join_expr(&j.left, f);
            for_each_join_expr(&j.right, f);
            j.quals.iter().for_each(f);
        }
        JoinTreeNode::From(from) => {
            from.items.iter().for_each(|i| for_each_join_expr(i, f));
            from.quals.iter().for_each(f);
        }
    }
}

/// Calls `f` on every top-level expression of a query, for rewriting in place.
pub(crate) fn for_each_expr_mut(query: &mut Query, f: &mut dyn FnMut(&mut Expr)) {
    for rte in &mut query.range_table {
        match &mut rte.kind {
            RteKind::Join { alias_vars, .. } => alias_vars.iter_mut().for_each(&mut *f),
            RteKind::Function { functions, .. } => functions.iter_mut().for_each(|x| f(&mut x.expr)),
            RteKind::Values { rows, .. } => rows.iter_mut().flatten().for_each(&mut *f),
            RteKind::Group { exprs } => exprs.iter_mut().for_each(&mut *f),
            RteKind::Relation { sample, .. } => {
                let Some(s) = sample else { continue };
                s.args.iter_mut().chain(&mut s.repeatable).for_each(&mut *f);
            }
            _ => {}
        }
    }
    for item in &mut query.join_tree.items {
        for_each_join_expr_mut(item, f);
    }
    query.join_tree.quals.iter_mut().for_each(&mut *f);
    query.target_list.iter_mut().for_each(|t| f(&mut t.expr));
    if let Some(c) = &mut query.on_conflict {
        c.arbiter_elements.iter_mut().for_each(|e| f(&mut e.expr));
        c.arbiter_where.iter_mut().for_each(&mut *f);
        c.set.iter_mut().for_each(|t| f(&mut t.expr));
        c.where_clause.iter_mut().for_each(&mut *f);
    }
    for a in &mut query.merge_actions {
        a.condition.iter_mut().for_each(&mut *f);
        a.target_list.iter_mut().for_each(|t| f(&mut t.expr));
    }
    query.merge_join_condition.iter_mut().for_each(&mut *f);
    query.returning.iter_mut().for_each(|t| f(&mut t.expr));
    query.having.iter_mut().for_each(&mut *f);
    for w in &mut query.window_clause {
        for b in [&mut w.start, &mut w.end] {
            if let FrameBound::Preceding(e) | FrameBound::Following(e) = b {
                f(e);
            }
        }
    }
    query
        .limit_offset
        .iter_mut()
        .chain(&mut query.limit_count)
        .for_each(&mut *f);
    query.with_check_options.iter_mut().for_each(|w| f(&mut w.qual));
    for c in query.ctes.iter_mut().filter_map(|c| c.cycle.as_deref_mut()) {
        f(&mut c.mark_value);
        f(&mut c.mark_default);
    }
}

fn for_each_join_expr_mut(node: &mut JoinTreeNode, f: &mut dyn FnMut(&mut Expr)) {
    match node {
        JoinTreeNode::Rel(_) => {}
        JoinTreeNode::Join(j) => {
            for_each_join_expr_mut(&mut j.left, f);
            for_each_join_expr_mut(&mut j.right, f);
            j.quals.iter_mut().for_each(f);
        }
        JoinTreeNode::From(from) => {
            from.items.iter_mut().for_each(|i| for_each_join_expr_mut(i, f));
            from.quals.iter_mut().for_each(f);
        }
    }
}

/// Equality that ignores where things stood in the text, as PostgreSQL's `equal`.
pub(crate) fn equal(a: &Expr, b: &Expr) -> bool {
    if std::mem::discriminant(a) != std::mem::discriminant(b) {
        return false;
    }
    match (a, b) {
        (Expr::Var(x), Expr::Var(y)) => {
            x.source == y.source
                && x.attno == y.attno
                && x.type_ref == y.type_ref
                && x.returning == y.returning
        }
        (Expr::Const(x), Expr::Const(y)) => {
            x.value == y.value && x.type_ref == y.type_ref && x.collation == y.collation
        }
        _ => {
            let (mut a, mut b) = (a.clone(), b.clone());
            strip_places(&mut a);
            strip_places(&mut b);
            a == b
        }
    }
}

/// Removes all places in the text from an expression.
pub(crate) fn strip_places(expr: &mut Expr) {
    for_each_child_mut(expr, &mut strip_places);
    match expr {
        Expr::Const(e) => e.span = Span::NONE,
        Expr::Var(e) => {
            e.span = Span::NONE;
            e.nulling_rels = nodes::relids::RelIds::empty();
        }
        Expr::Param(e) => e.span = Span::NONE,
        Expr::Func(e) | Expr::NullIf(e) => {
            e.span = Span::NONE;
            e.form = nodes::expr::CoercionForm::ExplicitCall;
        }
        Expr::Distinct(e) => e.equality.span = Span::NONE,
        Expr::ScalarArrayOp(e) => e.span = Span::NONE,
        Expr::Bool(e) => e.span = Span::NONE,
        Expr::Case(e) => {
            e.span = Span::NONE;
            e.whens.iter_mut().for_each(|w| w.span = Span::NONE);
        }
        Expr::CaseTest(e) | Expr::CoerceToDomainValue(e) | Expr::SetToDefault(e) => e.span = Span::NONE,
        Expr::Coalesce(e) => e.span = Span::NONE,
        Expr::MinMax(e) => e.args.span = Span::NONE,
        Expr::NullTest(e) => e.span = Span::NONE,
        Expr::BooleanTest(e) => e.span = Span::NONE,
        Expr::SqlValueFunction(e) => e.span = Span::NONE,
        Expr::Relabel(e) => {
            e.span = Span::NONE;
            e.form = nodes::expr::CoercionForm::ExplicitCall;
        }
        Expr::CoerceViaIo(e) | Expr::CoerceToDomain(e) => {
            e.span = Span::NONE;
            e.form = nodes::expr::CoercionForm::ExplicitCall;
        }
        Expr::ArrayCoerce(e) => {
            e.span = Span::NONE;
            e.form = nodes::expr::CoercionForm::ExplicitCall;
        }
        Expr::Collate(e) => e.span = Span::NONE,
        Expr::Array(e) => e.span = Span::NONE,
        Expr::Row(e) => {
            e.span = Span::NONE;
            e.form = nodes::expr::CoercionForm::ExplicitCall;
        }
        Expr::RowCompare(e) => e.span = Span::NONE,
        Expr::FieldSelect(e) => e.span = Span::NONE,
        Expr::FieldStore(e) => e.span = Span::NONE,
        Expr::Subscripting(e) => e.span = Span::NONE,
        Expr::Aggref(e) => e.span = Span::NONE,
        Expr::GroupingFunc(e) => e.span = Span::NONE,
        Expr::WindowFunc(e) => e.span = Span::NONE,
        Expr::SubLink(e) => {
            e.span = Span::NONE;
            strip_query_places(Arc::make_mut(&mut e.query));
        }
        Expr::Json(e) => e.span = Span::NONE,
        Expr::Xml(e) => e.span = Span::NONE,
        Expr::NamedArg { span, .. } => *span = Span::NONE,
        Expr::SubPlan(_) | Expr::CurrentOf { .. } | Expr::NextValue { .. } => {}
    }
}

fn strip_query_places(query: &mut Query) {
    query.span = Span::NONE;
    for cte in &mut query.ctes {
        cte.span = Span::NONE;
        strip_query_places(Arc::make_mut(&mut cte.query));
    }
    for rte in &mut query.range_table {
        if let RteKind::Subquery { query, .. } = &mut rte.kind {
            strip_query_places(Arc::make_mut(query));
        }
    }
    for_each_expr_mut(query, &mut strip_places);
}

/// An aggregate of this query level stands in the expression (not inside another level's).
pub(crate) fn find_aggregate(expr: &Expr, level: usize) -> Option<Span> {
    let mut found = None;
    walk_levels(expr, level, &mut |e, depth| {
        match e {
            Expr::Aggref(a) if a.levels_up == depth => found = found.or(Some(a.span)),
            Expr::GroupingFunc(g) if g.levels_up == depth => found = found.or(Some(g.span)),
            _ => {}
        }
        found.is_none()
    });
    found
}

/// A window function of this query stands in the expression.
pub(crate) fn find_window_func(expr: &Expr) -> Option<Span> {
    let mut found = None;
    nodes::walk::walk(expr, &mut |e| {
        if let Expr::WindowFunc(w) = e {
            found = found.or(Some(w.span));
        }
        found.is_none()
    });
    found
}

/// The first variable that belongs to the expression's own query level.
pub(crate) fn find_var_of_level(expr: &Expr, level: usize) -> Option<Span> {
    let mut found = None;
    walk_levels(expr, level, &mut |e, depth| {
        if let Expr::Var(v) = e
            && let VarSource::Rel { levels_up, .. } = v.source
            && levels_up == depth
        {
            found = found.or(Some(v.span));
        }
        found.is_none()
    });
    found
}
