//! Merge joins.
//!
//! PG: src/backend/optimizer/path/joinpath.c (`sort_inner_and_outer`, `match_unsorted_outer`).

use std::rc::Rc;

use nodes::expr::Expr;
use nodes::query::JoinType;
use nodes::relids::RelIds;

use crate::cost::{self, Cost};
use crate::order;
use crate::path::{
    self, JoinClause, JoinMethod, PathKey, PathKind, PathRef, add_path_lazily, keys_contained,
};
use crate::paths::join::{JoinContext, equalities, material, not_among};
use crate::rel::{RelOptInfo, RestrictInfo};
use crate::root::Root;

/// Adds to `paths` the merge joins of two relations.
pub(super) fn merge_joins(
    root: &mut Root<'_, '_>,
    outer: &RelOptInfo,
    inner: &RelOptInfo,
    ctx: &JoinContext<'_>,
    paths: &mut Vec<PathRef>,
) {
    if matches!(ctx.join_type, JoinType::RightSemi) {
        return;
    }
    let mut outer_keys = Vec::new();
    let mut inner_keys = Vec::new();
    let mut merge = Vec::new();
    for clause in equalities(&ctx.clauses.join, &outer.relids, &inner.relids) {
        let Some(e) = &clause.info.equality else { continue };
        let (Some(family), Some(facts)) = (e.family, &e.merge) else {
            continue;
        };
        let outer_side = usize::from(clause.swapped);
        if facts.compare[outer_side].is_none() {
            continue;
        }
        let key = |side: usize| PathKey {
            class: facts.classes[side],
            family,
            descending: false,
            nulls_first: false,
        };
        if outer_keys.contains(&key(outer_side)) {
            continue;
        }
        outer_keys.push(key(outer_side));
        inner_keys.push(key(1 - outer_side));
        merge.push(clause);
    }
    if merge.is_empty() {
        return merge_without_keys(root, outer, inner, ctx, paths);
    }
    let (Some(o), Some(i)) = (
        sorted_input(root, outer, &outer_keys),
        sorted_input(root, inner, &inner_keys),
    ) else {
        return;
    };
    merge_join(root, (o, i), outer_keys, merge, ctx, paths);
}

/// A full join with no condition but constants merges all rows with all rows: each pair matches, or none does.
///
/// PG: `generate_mergejoin_paths`, `select_mergejoin_clauses`.
fn merge_without_keys(
    root: &mut Root<'_, '_>,
    outer: &RelOptInfo,
    inner: &RelOptInfo,
    ctx: &JoinContext<'_>,
    paths: &mut Vec<PathRef>,
) {
    let constant = |c: &Rc<RestrictInfo>| matches!(c.clause, Expr::Const(_));
    if ctx.join_type != JoinType::Full || !ctx.clauses.join.iter().all(constant) {
        return;
    }
    let (Some(outer), Some(inner)) = (
        path::cheapest_total(&outer.paths),
        path::cheapest_total(&inner.paths),
    ) else {
        return;
    };
    // What can go back to a place of its own is not kept a second time.
    let goes_back = matches!(
        inner.kind,
        PathKind::Index(_) | PathKind::Sort(_) | PathKind::Material(_)
    );
    let inner = match goes_back {
        true => inner.clone(),
        false => material(root, inner),
    };
    merge_join(root, (outer.clone(), inner), Vec::new(), Vec::new(), ctx, paths);
}

/// The cheapest way to get a relation in an order.
fn sorted_input(root: &Root<'_, '_>, rel: &RelOptInfo, keys: &[PathKey]) -> Option<PathRef> {
    let s = root.context().settings;
    let sorted = rel
        .paths
        .iter()
        .filter(|p| p.required_outer.is_empty() && keys_contained(keys, &p.keys))
        .min_by(|a, b| a.disabled.cmp(&b.disabled).then(a.total.total_cmp(&b.total)));
    let cheapest = path::cheapest_total(&rel.paths)?;
    let c = cost::sort(s, cheapest.total, cheapest.rows, cheapest.width, 0.0);
    let disabled = cheapest.disabled + u32::from(!s.enable_sort);
    if let Some(p) = sorted
        && (p.disabled, p.total) <= (disabled, c.total)
    {
        return Some(p.clone());
    }
    let mut sort = (**cheapest).clone();
    sort.kind = PathKind::Sort(cheapest.clone());
    sort.keys = keys.into();
    (sort.startup, sort.total) = (c.startup, c.total);
    sort.disabled = disabled;
    Some(Rc::new(sort))
}

fn merge_join(
    root: &Root<'_, '_>,
    (outer, inner): (PathRef, PathRef),
    keys: Vec<PathKey>,
    merge: Vec<JoinClause>,
    ctx: &JoinContext<'_>,
    paths: &mut Vec<PathRef>,
) {
    let s = root.context().settings;
    let join_quals = not_among(&ctx.clauses.join, &merge);
    let n = merge.len() as f64;
    let startup = outer.startup + inner.startup;
    let mut total = outer.total + inner.total;
    total += s.cpu_operator_cost * n * (outer.rows + inner.rows);
    let per_row = s.cpu_tuple_cost + join_quals.iter().map(|c| c.cost).sum::<f64>() + ctx.other_cost;
    total += per_row * ctx.size.rows;
    let keeps_order = !matches!(
        ctx.join_type,
        JoinType::Full | JoinType::Right | JoinType::RightAnti
    );
    let order = if !keeps_order {
        Rc::new([])
    } else if outer.keys.len() > keys.len() {
        order::useful(root, &ctx.size.relids, &outer.keys)
    } else {
        order::useful(root, &ctx.size.relids, &keys.into())
    };
    let disabled = outer.disabled + inner.disabled + u32::from(!s.enable_mergejoin);
    let cost = Cost { startup, total };
    let inputs = (&*outer, &*inner);
    let path = ctx.path(cost, ctx.size.rows, disabled, order, RelIds::empty(), inputs);
    add_path_lazily(paths, path, ctx.startup, || {
        ctx.kind(JoinMethod::Merge(merge), (outer, inner), join_quals)
    });
}
