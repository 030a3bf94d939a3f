//! Join order: dynamic programming over connected sets, greedy beyond a dozen relations.
//!
//! # Invariants
//! - A set of relations is joined only in ways that `join_is_legal` allows for the outer, semi and anti joins.
//! - Every set's relations are estimated once, so all its paths agree on the number of rows.

use std::collections::HashMap;
use std::rc::Rc;

use common::{PgResult, internal, pg_err};
use nodes::expr::Expr;
use nodes::query::{FromExpr, JoinTreeNode, JoinType};
use nodes::relids::RelIds;

use crate::parallel;
use crate::partitionwise;
use crate::path::{Parallel, Path, PathKind, PathRef};
use crate::paths::{
    JoinClauses, JoinSize, add_join_paths, add_partial_join_paths, is_unique, partial, unique_rel,
};
use crate::rel::{NeededVar, RelOptInfo, RestrictInfo, SpecialJoin};
use crate::root::Root;

/// Above this many relations the search goes greedy.
const DP_LIMIT: usize = 10;

/// The join relations of one size.
#[derive(Default)]
struct Level {
    rels: Vec<RelOptInfo>,
    /// Position in `rels`.
    places: HashMap<RelIds, usize>,
}

/// Joins all base relations of the level.
pub fn join_all(root: &mut Root<'_, '_>) -> PgResult<RelOptInfo> {
    reduce_unique_semijoins(root);
    let base: Vec<RelOptInfo> = root
        .all_rels
        .iter()
        .filter_map(|i| root.rels[i].clone())
        .collect();
    let n = base.len();
    if n == 0 {
        return Err(internal!("query has no relations to join"));
    }
    let found = if n > DP_LIMIT {
        greedy(root, base)?
    } else {
        // Outer joins and LATERAL may leave no way that joins along conditions only.
        match dynamic(root, base.clone(), false)? {
            Some(rel) => Some(rel),
            None => dynamic(root, base, true)?,
        }
    };
    if let Some(rel) = found {
        return Ok(rel);
    }
    as_written(root)?.ok_or_else(|| {
        if root.special_joins.iter().any(|s| s.join_type == JoinType::Full) {
            return pg_err!(
                FEATURE_NOT_SUPPORTED,
                "FULL JOIN is only supported with merge-joinable or hash-joinable join conditions"
            );
        }
        internal!("failed to build any {n}-way joins")
    })
}

/// A semijoin with one relation in which at most one row can match is an inner join, and may take place in any order.
///
/// PG: `reduce_unique_semijoins`.
pub fn reduce_unique_semijoins(root: &mut Root<'_, '_>) {
    let special_joins = std::mem::take(&mut root.special_joins);
    let unique = |s: &SpecialJoin| {
        let inner = s.min_right.singleton().filter(|_| s.syn_right == s.min_right);
        let Some(inner) = inner.and_then(|i| root.rel(i).ok()) else {
            return false;
        };
        if inner.base.as_ref().is_none_or(|b| b.is_append) {
            return false;
        }
        let joined = s.min_left.union(&s.min_right);
        let own = root.join_clauses.iter().filter(|c| c.required.is_subset(&joined));
        let own: Vec<_> = own
            .filter(|c| c.required.overlaps(&s.min_right))
            .cloned()
            .collect();
        is_unique(inner, &own)
    };
    let kept = special_joins
        .into_iter()
        .filter(|s| s.join_type != JoinType::Semi || !unique(s));
    root.special_joins = kept.collect();
}

/// Dynamic programming over sets of relations. With `all_pairs` also relations without a condition between them are joined on
/// every level, not only where nothing else can be.
fn dynamic(root: &mut Root<'_, '_>, base: Vec<RelOptInfo>, all_pairs: bool) -> PgResult<Option<RelOptInfo>> {
    let n = base.len();
    let mut levels: Vec<Vec<RelOptInfo>> = vec![Vec::new(), base];
    for size in 2..=n {
        let mut found = Level::default();
        for allow_cartesian in [all_pairs, true] {
            for left_size in (size.div_ceil(2)..size).rev() {
                combine(
                    root,
                    &levels,
                    left_size,
                    size - left_size,
                    allow_cartesian,
                    &mut found,
                )?;
            }
            if !found.rels.is_empty() {
                break;
            }
        }
        for rel in &mut found.rels {
            partitionwise::add_paths(root, rel);
            gather_below_top(root, rel);
        }
        // The order in which relations are tried decides between equals.
        found.rels.sort_by(|a, b| a.relids.cmp(&b.relids));
        levels.push(found.rels);
    }
    Ok(levels.pop().and_then(|mut last| last.pop()))
}

/// Joins in the order of the join tree, which is legal for every query.
fn as_written(root: &mut Root<'_, '_>) -> PgResult<Option<RelOptInfo>> {
    let tree = root.query.join_tree.clone();
    join_items(root, &tree)
}

fn join_items(root: &mut Root<'_, '_>, from: &FromExpr) -> PgResult<Option<RelOptInfo>> {
    let mut joined: Option<RelOptInfo> = None;
    for item in &from.items {
        let Some(next) = join_written(root, item)? else {
            return Ok(None);
        };
        joined = match joined {
            None => Some(next),
            Some(left) => {
                root.context().cancel.check()?;
                join_pair(root, &left, &next)
            }
        };
        if joined.is_none() {
            return Ok(None);
        }
    }
    Ok(joined)
}

fn join_written(root: &mut Root<'_, '_>, node: &JoinTreeNode) -> PgResult<Option<RelOptInfo>> {
    match node {
        JoinTreeNode::Rel(index) => Ok(Some(root.rel(*index)?.clone())),
        JoinTreeNode::From(from) => join_items(root, from),
        JoinTreeNode::Join(join) => {
            let (left, right) = (join_written(root, &join.left)?, join_written(root, &join.right)?);
            let (Some(left), Some(right)) = (left, right) else {
                return Ok(None);
            };
            root.context().cancel.check()?;
            Ok(join_pair(root, &left, &right))
        }
    }
}

fn join_pair(root: &mut Root<'_, '_>, left: &RelOptInfo, right: &RelOptInfo) -> Option<RelOptInfo> {
    let mut found = Level::default();
    make_join_rel(root, left, right, &mut found);
    found.rels.pop()
}

fn combine(
    root: &mut Root<'_, '_>,
    levels: &[Vec<RelOptInfo>],
    left_size: usize,
    right_size: usize,
    allow_cartesian: bool,
    found: &mut Level,
) -> PgResult<()> {
    for left in &levels[left_size] {
        root.context().cancel.check()?;
        for right in &levels[right_size] {
            if left.relids.overlaps(&right.relids) || (left_size == right_size && left.relids > right.relids)
            {
                continue;
            }
            if allow_cartesian || connected(root, &left.relids, &right.relids) {
                make_join_rel(root, left, right, found);
            }
        }
    }
    Ok(())
}

/// A join condition, a special join, or a LATERAL reference links the two sides.
fn connected(root: &Root<'_, '_>, a: &RelIds, b: &RelIds) -> bool {
    let clause = root.join_clauses.iter().any(|c| {
        c.required.overlaps(a)
            && c.required.overlaps(b)
            && (c.clause_relids.overlaps(a) && c.clause_relids.overlaps(b))
    });
    let special = root.special_joins.iter().any(|s| {
        let completes = |side: &RelIds| side.overlaps(a) && side.overlaps(b);
        (s.min_left.is_subset(a) && s.min_right.is_subset(b))
            || (s.min_left.is_subset(b) && s.min_right.is_subset(a))
            || completes(&s.min_left)
            || completes(&s.min_right)
    });
    let lateral = |x: &RelIds, y: &RelIds| {
        x.iter().any(|i| {
            root.rel(i)
                .is_ok_and(|r| r.base.as_ref().is_some_and(|b| b.lateral.overlaps(y)))
        })
    };
    clause || special || lateral(a, b) || lateral(b, a) || both_constant(root, a, b)
}

/// The query equates columns of the two sides, which are equal to a constant: no condition of it is left.
fn both_constant(root: &Root<'_, '_>, a: &RelIds, b: &RelIds) -> bool {
    root.classes.iter().filter(|c| c.constant().is_some()).any(|c| {
        let has = |side: &RelIds| {
            let mut members = c.members.iter();
            members.any(|m| !m.relids.is_empty() && m.relids.is_subset(side))
        };
        has(a) && has(b)
    })
}

/// Which kind of join combining the two sides is, and whether they must swap; `None` when it is not allowed.
fn join_is_legal(root: &Root<'_, '_>, left: &RelIds, right: &RelIds) -> Option<(JoinType, bool)> {
    let joined = left.union(right);
    if !full_joins_allow(root, (left, right), &joined) {
        return None;
    }
    let mut matched: Option<(&SpecialJoin, bool)> = None;
    let mut must_be_left = false;
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
        // Part of the right side with relations inside of it as written.
        if !joined.overlaps(&special.min_left)
            && !special.min_right.is_subset(&joined)
            && joined.is_subset(&special.syn_right)
        {
            continue;
        }
        // A left join may move into the right side of another: (a LEFT JOIN b) LEFT JOIN c ON p(b, c) is a LEFT JOIN (b LEFT JOIN c).
        if special.join_type != JoinType::Left || joined.overlaps(&special.min_left) {
            return None;
        }
        must_be_left = true;
    }
    if must_be_left {
        let (special, _) = matched.filter(|(s, _)| s.join_type == JoinType::Left && s.lhs_strict)?;
        if !can_test_its_own(root, special, &joined) {
            return None;
        }
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

/// A join's own conditions need nothing but what is joined by it.
fn can_test_its_own(root: &Root<'_, '_>, special: &SpecialJoin, joined: &RelIds) -> bool {
    let mut own = root.join_clauses.iter().filter(|c| {
        !c.pushed_down && c.required.overlaps(&special.min_right) && c.required.overlaps(&special.min_left)
    });
    own.all(|c| c.required.is_subset(joined) || !special.min_right.is_subset(&c.required))
}

/// A full join stays between the two sides as written: nothing else is joined before it is done, nothing moves into it.
///
/// PG: `deconstruct_recurse` makes it a join problem of its own.
fn full_joins_allow(root: &Root<'_, '_>, (left, right): (&RelIds, &RelIds), joined: &RelIds) -> bool {
    let mut full = root
        .special_joins
        .iter()
        .filter(|s| s.join_type == JoinType::Full);
    full.all(|s| {
        let whole = s.syn_left.union(&s.syn_right);
        !joined.overlaps(&whole)
            || joined.is_subset(&s.syn_left)
            || joined.is_subset(&s.syn_right)
            || whole.is_subset(left)
            || whole.is_subset(right)
            || (*left == s.syn_left && *right == s.syn_right)
            || (*left == s.syn_right && *right == s.syn_left)
    })
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
fn make_join_rel(root: &mut Root<'_, '_>, a: &RelOptInfo, b: &RelOptInfo, found: &mut Level) {
    let Some((join_type, swap)) = join_is_legal(root, &a.relids, &b.relids) else {
        return;
    };
    let (left, right) = if swap { (b, a) } else { (a, b) };
    let relids = left.relids.union(&right.relids);
    let clauses = clauses_for(root, left, right, join_type);
    let nothing = without_partners(root, right, join_type, &clauses);
    let right = nothing.as_ref().unwrap_or(right);
    let place = found.places.get(&relids).copied();
    let parallel_safe = root.parallel && is_parallel_safe(root, left, right, &clauses);
    let (mut paths, mut partial, size) = match place.and_then(|p| found.rels.get_mut(p)) {
        Some(rel) => {
            let (paths, partial) = (
                std::mem::take(&mut rel.paths),
                std::mem::take(&mut rel.partial_paths),
            );
            let size = JoinSize {
                relids,
                rows: rel.rows,
                width: rel.width,
                parallel_safe,
            };
            (paths, partial, size)
        }
        None => {
            let size = JoinSize {
                rows: estimate_rows(left, right, join_type, &clauses),
                width: join_width(root, &relids),
                relids,
                parallel_safe,
            };
            (Vec::new(), Vec::new(), size)
        }
    };
    add_join_paths(root, (left, right), join_type, &clauses, &size, &mut paths);
    add_partial_join_paths(root, (left, right), join_type, &clauses, &size, &mut partial);
    if let Some(reversed) = reversed(join_type) {
        add_join_paths(root, (right, left), reversed, &clauses, &size, &mut paths);
        add_partial_join_paths(root, (right, left), reversed, &clauses, &size, &mut partial);
    }
    if join_type == JoinType::Semi {
        add_unique_joins(root, (left, right), &clauses, &size, &mut paths);
    }
    let partition = partitionwise::try_join(root, (left, right), join_type, &clauses, &size);
    match place.and_then(|p| found.rels.get_mut(p)) {
        Some(rel) => {
            rel.paths = paths;
            rel.partial_paths = partial;
            rel.partition = rel.partition.take().or(partition);
        }
        None if paths.is_empty() => {}
        None => {
            found.places.insert(size.relids.clone(), found.rels.len());
            found.rels.push(RelOptInfo {
                relids: size.relids,
                rows: size.rows,
                width: size.width,
                paths,
                partial_paths: partial,
                parallel_safe: size.parallel_safe,
                partition,
                base: None,
            });
        }
    }
}

/// The join with its sides exchanged.
fn reversed(join_type: JoinType) -> Option<JoinType> {
    match join_type {
        JoinType::Inner => Some(JoinType::Inner),
        JoinType::Left => Some(JoinType::Right),
        JoinType::Full => Some(JoinType::Full),
        JoinType::Anti => Some(JoinType::RightAnti),
        JoinType::Semi => Some(JoinType::RightSemi),
        _ => None,
    }
}

/// The nullable side of an outer join whose condition is never true: none of its rows are wanted.
///
/// PG: `restriction_is_constant_false`, `mark_dummy_rel`.
fn without_partners(
    root: &Root<'_, '_>,
    right: &RelOptInfo,
    join_type: JoinType,
    clauses: &JoinClauses,
) -> Option<RelOptInfo> {
    let never = |c: &Rc<RestrictInfo>| matches!(&c.clause, Expr::Const(k) if k.value.as_bool() != Some(true));
    let outer = matches!(join_type, JoinType::Left | JoinType::Anti);
    let whole_side = |s: &SpecialJoin| s.join_type == join_type && right.relids.is_subset(&s.syn_right);
    if !outer || !clauses.join.iter().any(never) || !root.special_joins.iter().any(whole_side) {
        return None;
    }
    let none = Path {
        kind: PathKind::Append(Vec::new()),
        relids: right.relids.clone(),
        rows: 0.0,
        width: right.width,
        startup: 0.0,
        total: 0.0,
        disabled: 0,
        keys: Rc::new([]),
        required_outer: RelIds::empty(),
        parallel: Parallel::default(),
    };
    Some(RelOptInfo {
        rows: 0.0,
        paths: vec![Rc::new(none)],
        partial_paths: Vec::new(),
        partition: None,
        base: None,
        ..right.clone()
    })
}

/// A semijoin as an inner join with each value of its right side once.
fn add_unique_joins(
    root: &mut Root<'_, '_>,
    (left, right): (&RelOptInfo, &RelOptInfo),
    clauses: &JoinClauses,
    size: &JoinSize,
    paths: &mut Vec<PathRef>,
) {
    let Ok(Some(unique)) = unique_rel(root, right, clauses) else {
        return;
    };
    for sides in [(left, &unique), (&unique, left)] {
        add_join_paths(root, sides, JoinType::Inner, clauses, size, paths);
    }
}

/// Workers may compute both sides and test the conditions.
fn is_parallel_safe(
    root: &Root<'_, '_>,
    left: &RelOptInfo,
    right: &RelOptInfo,
    clauses: &JoinClauses,
) -> bool {
    let mut infos = clauses.join.iter().chain(&clauses.other);
    left.parallel_safe && right.parallel_safe && infos.all(|i| parallel::is_safe(root, &i.clause))
}

/// The usual paths that gathering makes of the partial ones of a join that is not the last.
fn gather_below_top(root: &Root<'_, '_>, rel: &mut RelOptInfo) {
    if root.parallel && rel.relids != root.all_rels {
        partial::add_gathers(root, rel);
    }
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
        let transitive = info.class.is_some_and(|c| root.classes[c].is_transitive());
        if transitive && out.join.iter().any(|o: &Rc<RestrictInfo>| o.class == info.class) {
            continue;
        }
        out.join.push(info.clone());
    }
    out
}

pub fn estimate_rows(
    left: &RelOptInfo,
    right: &RelOptInfo,
    join_type: JoinType,
    clauses: &JoinClauses,
) -> f64 {
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

/// True for a column that a relation or join must hand up.
fn is_handed_up(needed: &NeededVar, relids: &RelIds) -> bool {
    relids.contains(needed.rel) && (needed.top || needed.joins.iter().any(|j| !j.is_subset(relids)))
}

/// Width of a join's output: the columns still needed above it.
fn join_width(root: &Root<'_, '_>, relids: &RelIds) -> i32 {
    let shown = root.needed.iter().filter(|n| is_handed_up(n, relids));
    shown.map(|n| n.width).sum()
}

/// The columns that a relation or join must hand up.
pub fn output_vars(root: &Root<'_, '_>, relids: &RelIds) -> Vec<Expr> {
    if root.is_child_join(relids) {
        let whole = root.topmost_of(relids);
        let shown = output_vars(root, &whole);
        return shown.iter().map(|e| root.translate_to(e, relids)).collect();
    }
    let shown = root.needed.iter().filter(|n| is_handed_up(n, relids));
    shown.map(|n| n.expr.clone()).collect()
}

/// Two relations that may be joined next, and what comes of it.
struct Candidate {
    left: RelIds,
    right: RelIds,
    joined: RelOptInfo,
}

/// Joins the pair with the fewest resulting rows until one is left. Pairs that a step does not touch are kept for the next.
fn greedy(root: &mut Root<'_, '_>, mut rels: Vec<RelOptInfo>) -> PgResult<Option<RelOptInfo>> {
    let mut candidates: Vec<Candidate> = Vec::new();
    // Relations from here on have not been paired yet.
    let mut fresh = 0;
    while rels.len() > 1 {
        for allow_cartesian in [false, true] {
            let first = if allow_cartesian { 0 } else { fresh };
            for i in first.max(1)..rels.len() {
                for j in 0..i {
                    root.context().cancel.check()?;
                    if allow_cartesian || connected(root, &rels[i].relids, &rels[j].relids) {
                        candidates.extend(candidate(root, &rels[j], &rels[i]));
                    }
                }
            }
            if !candidates.is_empty() {
                break;
            }
        }
        let best = candidates
            .iter()
            .enumerate()
            .min_by(|(_, a), (_, b)| a.joined.rows.total_cmp(&b.joined.rows))
            .map(|(i, _)| i);
        let Some(best) = best else { return Ok(None) };
        let Candidate { left, right, joined } = candidates.swap_remove(best);
        let used = |ids: &RelIds| *ids == left || *ids == right;
        candidates.retain(|c| !used(&c.left) && !used(&c.right));
        rels.retain(|r| !used(&r.relids));
        fresh = rels.len();
        rels.push(joined);
    }
    Ok(rels.pop())
}

fn candidate(root: &mut Root<'_, '_>, left: &RelOptInfo, right: &RelOptInfo) -> Option<Candidate> {
    let mut joined = join_pair(root, left, right)?;
    partitionwise::add_paths(root, &mut joined);
    gather_below_top(root, &mut joined);
    Some(Candidate {
        left: left.relids.clone(),
        right: right.relids.clone(),
        joined,
    })
}
