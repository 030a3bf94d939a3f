//! Join order: dynamic programming over connected sets, greedy beyond a dozen relations.
//!
//! # Invariants
//! - A set of relations is joined only in ways that `join_is_legal` allows for the outer, semi and anti joins.
//! - Every set's relations are estimated once, so all its paths agree on the number of rows.

use std::collections::HashMap;
use std::rc::Rc;

use common::{PgResult, internal};
use nodes::expr::Expr;
use nodes::query::JoinType;
use nodes::relids::RelIds;

use crate::paths::{JoinClauses, add_join_paths, expr_width};
use crate::rel::{RelOptInfo, RestrictInfo, SpecialJoin};
use crate::root::Root;

/// Above this many relations the search goes greedy.
const DP_LIMIT: usize = 10;

/// Joins all base relations of the level.
pub fn join_all(root: &mut Root<'_, '_>) -> PgResult<RelOptInfo> {
    let base: Vec<RelOptInfo> = root
        .all_rels
        .iter()
        .filter_map(|i| root.rels[i].clone())
        .collect();
    if base.is_empty() {
        return Err(internal!("query has no relations to join"));
    }
    if base.len() > DP_LIMIT {
        return greedy(root, base);
    }
    let n = base.len();
    let mut levels: Vec<HashMap<RelIds, RelOptInfo>> = vec![HashMap::new(); n + 1];
    levels[1] = base.into_iter().map(|r| (r.relids.clone(), r)).collect();
    for size in 2..=n {
        let mut found: HashMap<RelIds, RelOptInfo> = HashMap::new();
        for allow_cartesian in [false, true] {
            for left_size in (size.div_ceil(2)..size).rev() {
                combine(
                    root,
                    &levels,
                    left_size,
                    size - left_size,
                    allow_cartesian,
                    &mut found,
                );
            }
            if !found.is_empty() {
                break;
            }
        }
        levels[size] = found;
    }
    match levels[n].drain().next() {
        Some((_, rel)) => Ok(rel),
        None => Err(internal!("failed to build any {n}-way joins")),
    }
}

fn combine(
    root: &mut Root<'_, '_>,
    levels: &[HashMap<RelIds, RelOptInfo>],
    left_size: usize,
    right_size: usize,
    allow_cartesian: bool,
    found: &mut HashMap<RelIds, RelOptInfo>,
) {
    let mut lefts: Vec<&RelOptInfo> = levels[left_size].values().collect();
    let mut rights: Vec<&RelOptInfo> = levels[right_size].values().collect();
    // Hash maps have no order; plans must not depend on it.
    lefts.sort_by(|a, b| a.relids.cmp(&b.relids));
    rights.sort_by(|a, b| a.relids.cmp(&b.relids));
    for left in lefts {
        for right in &rights {
            if left.relids.overlaps(&right.relids) || (left_size == right_size && left.relids > right.relids)
            {
                continue;
            }
            if allow_cartesian || connected(root, &left.relids, &right.relids) {
                make_join_rel(root, left, right, found);
            }
        }
    }
}

/// A join condition, a special join, or a LATERAL reference links the two sides.
fn connected(root: &Root<'_, '_>, a: &RelIds, b: &RelIds) -> bool {
    let clause = root.join_clauses.iter().any(|c| {
        c.required.overlaps(a)
            && c.required.overlaps(b)
            && (c.clause_relids.overlaps(a) && c.clause_relids.overlaps(b))
    });
    let special = root.special_joins.iter().any(|s| {
        (s.min_left.is_subset(a) && s.min_right.is_subset(b))
            || (s.min_left.is_subset(b) && s.min_right.is_subset(a))
    });
    let lateral = |x: &RelIds, y: &RelIds| {
        x.iter().any(|i| {
            root.rel(i)
                .is_ok_and(|r| r.base.as_ref().is_some_and(|b| b.lateral.overlaps(y)))
        })
    };
    clause || special || lateral(a, b) || lateral(b, a)
}

/// Which kind of join combining the two sides is, and whether they must swap; `None` when it is not allowed.
fn join_is_legal(root: &Root<'_, '_>, left: &RelIds, right: &RelIds) -> Option<(JoinType, bool)> {
    let joined = left.union(right);
    let mut matched: Option<(&SpecialJoin, bool)> = None;
    for special in &root.special_joins {
        if !special.min_right.overlaps(&joined) || joined.is_subset(&special.min_right) {
            continue;
        }
        let inside = |side: &RelIds| special.min_left.is_subset(side) && special.min_right.is_subset(side);
        if inside(left) || inside(right) {
            continue;
        }
        let forward = special.min_left.is_subset(left) && special.min_right.is_subset(right);
        let backward = special.min_left.is_subset(right) && special.min_right.is_subset(left);
        if forward || backward {
            if matched.is_some() {
                return None;
            }
            matched = Some((special, backward && !forward));
            continue;
        }
        // Joining inside the right side of a join not done yet is fine; anything else would break it.
        let both_in_right = left.overlaps(&special.min_right) && right.overlaps(&special.min_right);
        if both_in_right && !joined.overlaps(&special.min_left) {
            continue;
        }
        if !joined.overlaps(&special.min_left) && !special.min_right.is_subset(&joined) {
            // Part of the right side with unrelated relations: only with inner joins inside it.
            if !joined.is_subset(&special.syn_right) {
                return None;
            }
            continue;
        }
        return None;
    }
    lateral_allows(root, left, right)?;
    match matched {
        None => Some((JoinType::Inner, false)),
        // The right side of a semi or anti join must be complete when it is joined.
        Some((s, swap)) => {
            let right_side = if swap { left } else { right };
            let complete =
                !matches!(s.join_type, JoinType::Semi | JoinType::Anti) || right_side.is_subset(&s.syn_right);
            complete.then_some((s.join_type, swap))
        }
    }
}

/// LATERAL references may go one way only.
fn lateral_allows(root: &Root<'_, '_>, left: &RelIds, right: &RelIds) -> Option<()> {
    let refers = |x: &RelIds, y: &RelIds| {
        x.iter().any(|i| {
            root.rel(i)
                .is_ok_and(|r| r.base.as_ref().is_some_and(|b| b.lateral.overlaps(y)))
        })
    };
    (!(refers(left, right) && refers(right, left))).then_some(())
}

/// Adds the ways to join two sides to the join relation of their union.
fn make_join_rel(
    root: &mut Root<'_, '_>,
    a: &RelOptInfo,
    b: &RelOptInfo,
    found: &mut HashMap<RelIds, RelOptInfo>,
) {
    let Some((join_type, swap)) = join_is_legal(root, &a.relids, &b.relids) else {
        return;
    };
    let (left, right) = if swap { (b, a) } else { (a, b) };
    let relids = left.relids.union(&right.relids);
    let clauses = clauses_for(root, left, right, join_type);
    let rows = match found.get(&relids) {
        Some(rel) => rel.rows,
        None => estimate_rows(root, left, right, join_type, &clauses),
    };
    let mut paths = found.get(&relids).map_or_else(Vec::new, |r| r.paths.clone());
    add_join_paths(root, left, right, join_type, &clauses, rows, &mut paths);
    let reversed = match join_type {
        JoinType::Inner => Some(JoinType::Inner),
        JoinType::Left => Some(JoinType::Right),
        JoinType::Full => Some(JoinType::Full),
        JoinType::Anti => Some(JoinType::RightAnti),
        JoinType::Semi => Some(JoinType::RightSemi),
        _ => None,
    };
    if let Some(reversed) = reversed {
        add_join_paths(root, right, left, reversed, &clauses, rows, &mut paths);
    }
    if paths.is_empty() {
        return;
    }
    let width = join_width(root, &relids);
    found.insert(
        relids.clone(),
        RelOptInfo {
            relids,
            rows,
            width,
            paths,
            base: None,
        },
    );
}

/// The conditions that this join is the first to be able to test.
fn clauses_for(
    root: &Root<'_, '_>,
    left: &RelOptInfo,
    right: &RelOptInfo,
    join_type: JoinType,
) -> JoinClauses {
    let joined = left.relids.union(&right.relids);
    let mut out = JoinClauses {
        join: Vec::new(),
        other: Vec::new(),
    };
    let outer_join = !matches!(join_type, JoinType::Inner | JoinType::Semi);
    for info in &root.join_clauses {
        let now = info.required.is_subset(&joined)
            && !info.required.is_subset(&left.relids)
            && !info.required.is_subset(&right.relids);
        if !now {
            continue;
        }
        if outer_join && info.pushed_down {
            out.other.push(info.clone());
            continue;
        }
        // One condition of a class suffices: the others follow from what each side already guarantees.
        if info.class.is_some() && out.join.iter().any(|o: &Rc<RestrictInfo>| o.class == info.class) {
            continue;
        }
        out.join.push(info.clone());
    }
    out
}

fn estimate_rows(
    root: &Root<'_, '_>,
    left: &RelOptInfo,
    right: &RelOptInfo,
    join_type: JoinType,
    clauses: &JoinClauses,
) -> f64 {
    let _ = root;
    let product = |infos: &[Rc<RestrictInfo>]| infos.iter().map(|i| i.selectivity).product::<f64>();
    let (join, other) = (product(&clauses.join), product(&clauses.other));
    let cross = left.rows * right.rows;
    let rows = match join_type {
        JoinType::Inner => cross * join,
        JoinType::Left => (cross * join).max(left.rows) * other,
        JoinType::Full => (cross * join).max(left.rows).max(right.rows) * other,
        JoinType::Semi => left.rows * (right.rows * join).min(1.0),
        JoinType::Anti => left.rows * (1.0 - (right.rows * join).min(1.0)) * other,
        _ => cross * join,
    };
    rows.round().max(1.0)
}

/// Width of a join's output: the columns still needed above it.
pub fn join_width(root: &Root<'_, '_>, relids: &RelIds) -> i32 {
    output_vars(root, relids)
        .iter()
        .map(|e| expr_width(root, e))
        .sum()
}

/// The columns that a relation or join must hand up.
pub fn output_vars(root: &Root<'_, '_>, relids: &RelIds) -> Vec<Expr> {
    root.needed
        .iter()
        .filter(|n| relids.contains(n.rel) && (n.top || n.joins.iter().any(|j| !j.is_subset(relids))))
        .map(|n| n.expr.clone())
        .collect()
}

/// Joins the pair with the fewest resulting rows until one is left.
fn greedy(root: &mut Root<'_, '_>, mut rels: Vec<RelOptInfo>) -> PgResult<RelOptInfo> {
    while rels.len() > 1 {
        let mut best: Option<(usize, usize, RelOptInfo)> = None;
        for allow_cartesian in [false, true] {
            for i in 0..rels.len() {
                for j in 0..i {
                    if !allow_cartesian && !connected(root, &rels[i].relids, &rels[j].relids) {
                        continue;
                    }
                    let mut found = HashMap::new();
                    make_join_rel(root, &rels[j], &rels[i], &mut found);
                    let Some((_, rel)) = found.drain().next() else {
                        continue;
                    };
                    if best.as_ref().is_none_or(|(_, _, b)| rel.rows < b.rows) {
                        best = Some((i, j, rel));
                    }
                }
            }
            if best.is_some() {
                break;
            }
        }
        let Some((i, j, rel)) = best else {
            return Err(internal!("failed to find a join order"));
        };
        rels.remove(i);
        rels.remove(j);
        rels.push(rel);
    }
    rels.pop()
        .ok_or_else(|| internal!("query has no relations to join"))
}
