//! Ways to join two relations.
//!
//! # How it works
//! A path is costed first, from what its conditions know of themselves ([`RestrictInfo::cost`], [`crate::rel::MergeFacts`]), and put
//! together only if no other path beats it: a join of ten relations is tried in hundreds of thousands of ways.

use std::rc::Rc;

use nodes::query::JoinType;
use nodes::relids::RelIds;

use crate::cost::{self, Cost};
use crate::order;
use crate::parallel;
use crate::path::{
    self, JoinClause, JoinMethod, JoinPath, Parallel, Path, PathKey, PathKind, PathRef, Startup,
    add_path_lazily,
};
use crate::paths::memoize::{InnerFacts, memoize};
use crate::paths::merge_join::merge_joins;
use crate::paths::unique::is_unique;
use crate::rel::{RelOptInfo, RestrictInfo};
use crate::root::Root;

/// The conditions of a join of two given sides, sorted by role.
pub struct JoinClauses {
    /// The join's own (all of them for inner joins).
    pub join: Vec<Rc<RestrictInfo>>,
    /// Tested on the result of an outer join.
    pub other: Vec<Rc<RestrictInfo>>,
}

/// What all paths of one join relation share.
pub struct JoinSize {
    /// The relations joined.
    pub relids: RelIds,
    /// Estimated rows.
    pub rows: f64,
    /// Estimated bytes of a row.
    pub width: i32,
    /// Workers may compute it.
    pub parallel_safe: bool,
}

/// Adds to `paths` every way to join `outer` with `inner`.
pub fn add_join_paths(
    root: &mut Root<'_, '_>,
    (outer, inner): (&RelOptInfo, &RelOptInfo),
    join_type: JoinType,
    clauses: &JoinClauses,
    size: &JoinSize,
    paths: &mut Vec<PathRef>,
) {
    let ctx = JoinContext {
        parameter_sources: parameter_sources(root, &size.relids),
        startup: root.startup(&size.relids),
        ..JoinContext::new((outer, inner), join_type, clauses, size)
    };
    if !matches!(
        join_type,
        JoinType::Full | JoinType::Right | JoinType::RightSemi | JoinType::RightAnti
    ) {
        nest_loops(root, outer, inner, &ctx, paths);
    }
    hash_join(root, outer, inner, &ctx, paths);
    merge_joins(root, outer, inner, &ctx, paths);
}

/// Adds to `paths` the ways to join part of `outer` in each participant of a Gather.
pub fn add_partial_join_paths(
    root: &mut Root<'_, '_>,
    (outer, inner): (&RelOptInfo, &RelOptInfo),
    join_type: JoinType,
    clauses: &JoinClauses,
    size: &JoinSize,
    paths: &mut Vec<PathRef>,
) {
    if !size.parallel_safe || outer.partial_paths.is_empty() {
        return;
    }
    let ctx = JoinContext::new((outer, inner), join_type, clauses, size);
    // Which inner rows were matched would be known to one participant only.
    let by_outer = !matches!(
        join_type,
        JoinType::Full | JoinType::Right | JoinType::RightSemi | JoinType::RightAnti
    );
    if !by_outer {
        return;
    }
    for side in inner_sides(root, outer, inner, &ctx) {
        if !side.path.parallel.safe {
            continue;
        }
        for outer_path in &outer.partial_paths {
            let rest = side.path.required_outer.difference(&outer.relids);
            if rest.is_empty() {
                let keys = order::useful(root, &ctx.size.relids, &outer_path.keys);
                nest_loop(root, outer_path, &side, keys.clone(), &ctx, paths);
                if let Some(side) = remembered(root, outer_path, &side, &ctx) {
                    nest_loop(root, outer_path, &side, keys, &ctx, paths);
                }
            }
        }
    }
    let Some(outer_path) = path::cheapest_total(&outer.partial_paths).cloned() else {
        return;
    };
    let safe = inner.paths.iter().filter(|p| p.parallel.safe).cloned();
    let safe: Vec<PathRef> = safe.collect();
    if let Some(inner_path) = path::cheapest_total(&safe) {
        hash_join_of(root, (&outer_path, inner_path), false, &ctx, paths);
    }
    let shared = path::cheapest_total(&inner.partial_paths).cloned();
    if let Some(inner_path) = shared.filter(|_| root.context().settings.enable_parallel_hash) {
        hash_join_of(root, (&outer_path, &inner_path), true, &ctx, paths);
    }
}

pub(super) struct JoinContext<'c> {
    pub join_type: JoinType,
    pub clauses: &'c JoinClauses,
    pub size: &'c JoinSize,
    inner_unique: bool,
    /// Relations that a join may sensibly take parameters from.
    parameter_sources: RelIds,
    /// Each outer row is done with its first match.
    first_match: Option<FirstMatch>,
    pub startup: Startup,
    /// Cost of the conditions above an outer join, per row.
    pub other_cost: f64,
    /// Workers may test the conditions.
    parallel_safe: bool,
}

impl<'c> JoinContext<'c> {
    /// Of a join that gets no parameters and whose rows are all wanted.
    fn new(
        (outer, inner): (&RelOptInfo, &RelOptInfo),
        join_type: JoinType,
        clauses: &'c JoinClauses,
        size: &'c JoinSize,
    ) -> JoinContext<'c> {
        let inner_unique = is_unique(inner, &clauses.join);
        let stops = inner_unique || matches!(join_type, JoinType::Semi | JoinType::Anti);
        JoinContext {
            join_type,
            clauses,
            size,
            inner_unique,
            first_match: stops.then(|| FirstMatch::estimate(outer, inner, &clauses.join)),
            parameter_sources: RelIds::empty(),
            startup: Startup::Ignored,
            other_cost: clauses.other.iter().map(|c| c.cost).sum(),
            parallel_safe: size.parallel_safe,
        }
    }

    /// A path whose parts are not put together yet.
    pub fn path(
        &self,
        cost: Cost,
        rows: f64,
        disabled: u32,
        keys: Rc<[PathKey]>,
        required_outer: RelIds,
        (outer, inner): (&Path, &Path),
    ) -> Path {
        let safe = self.parallel_safe && outer.parallel.safe && inner.parallel.safe;
        Path {
            kind: PathKind::Scan,
            relids: self.size.relids.clone(),
            rows,
            width: self.size.width,
            startup: cost.startup,
            total: cost.total,
            disabled,
            keys,
            required_outer,
            parallel: Parallel {
                workers: outer.parallel.workers,
                aware: false,
                safe,
            },
        }
    }

    /// Rows of a join whose outer side is this path: of one participant when that is partial.
    fn rows(&self, root: &Root<'_, '_>, outer: &Path) -> f64 {
        match outer.parallel.workers {
            0 => self.size.rows,
            workers => {
                let share = parallel::divisor(root.context().settings, workers);
                (self.size.rows / share).round().max(1.0)
            }
        }
    }

    pub fn kind(
        &self,
        method: JoinMethod,
        (outer, inner): (PathRef, PathRef),
        join_quals: Vec<Rc<RestrictInfo>>,
    ) -> PathKind {
        PathKind::Join(Box::new(JoinPath {
            method,
            join_type: self.join_type,
            outer,
            inner,
            join_quals,
            other_quals: self.clauses.other.clone(),
            inner_unique: self.inner_unique,
        }))
    }
}

/// What stopping at the first match saves, for semi and anti joins and where the inner side is unique.
#[derive(Clone, Copy)]
struct FirstMatch {
    /// Share of the outer rows that have a match.
    matched: f64,
    /// Share of the inner rows read until a match is found.
    scanned: f64,
}

impl FirstMatch {
    fn estimate(outer: &RelOptInfo, inner: &RelOptInfo, clauses: &[Rc<RestrictInfo>]) -> FirstMatch {
        let per_pair: f64 = clauses.iter().map(|c| c.selectivity).product();
        let matched = (per_pair * inner.rows.max(1.0)).min(1.0);
        let of_a_matched_row = (per_pair * inner.rows / matched.max(f64::MIN_POSITIVE)).max(1.0);
        FirstMatch {
            matched: (outer.rows * matched).round() / outer.rows.max(1.0),
            scanned: 2.0 / (of_a_matched_row + 1.0),
        }
    }
}

/// An inner side of nested loops with what depends on it alone.
struct InnerSide {
    path: PathRef,
    rescan: Cost,
    /// Join conditions that are not tested inside it already.
    remaining: Vec<Rc<RestrictInfo>>,
    /// Their cost for a pair of rows.
    pair_cost: f64,
}

/// The inner sides worth trying: the cheapest as it is and kept in memory, and those that take values from the outer side.
fn inner_sides(
    root: &Root<'_, '_>,
    outer: &RelOptInfo,
    inner: &RelOptInfo,
    ctx: &JoinContext<'_>,
) -> Vec<InnerSide> {
    let s = root.context().settings;
    let mut inners: Vec<PathRef> = inner
        .paths
        .iter()
        .filter(|p| p.required_outer.overlaps(&outer.relids))
        .cloned()
        .collect();
    if let Some(cheapest) = path::cheapest_total(&inner.paths) {
        inners.push(cheapest.clone());
        if s.enable_material && !matches!(cheapest.kind, PathKind::Material(_)) {
            inners.push(material(root, cheapest));
        }
    }
    let side = |path: PathRef| {
        let tested = inner_tested(root, &path);
        let in_child = root.context().settings.enable_partitionwise_join;
        let answered = |c: &Rc<RestrictInfo>| {
            tested
                .iter()
                .any(|t| Rc::ptr_eq(t, c) || in_child && t.clause == c.clause)
        };
        let remaining: Vec<_> = ctx
            .clauses
            .join
            .iter()
            .filter(|c| !answered(c))
            .cloned()
            .collect();
        InnerSide {
            rescan: cost::rescan(root, &path),
            pair_cost: remaining.iter().map(|c| c.cost).sum(),
            remaining,
            path,
        }
    };
    inners.into_iter().map(side).collect()
}

/// A path whose rows are kept in memory.
pub(super) fn material(root: &Root<'_, '_>, input: &PathRef) -> PathRef {
    let cost = Cost {
        startup: input.startup,
        total: input.total,
    };
    let cost = cost::material(root.context().settings, cost, input.rows, input.width);
    Rc::new(Path {
        kind: PathKind::Material(input.clone()),
        startup: cost.startup,
        total: cost.total,
        ..(**input).clone()
    })
}

fn nest_loops(
    root: &mut Root<'_, '_>,
    outer: &RelOptInfo,
    inner: &RelOptInfo,
    ctx: &JoinContext<'_>,
    paths: &mut Vec<PathRef>,
) {
    let inners = inner_sides(root, outer, inner, ctx);
    for outer_path in outer
        .paths
        .iter()
        .filter(|p| !p.required_outer.overlaps(&inner.relids))
    {
        let keys = order::useful(root, &ctx.size.relids, &outer_path.keys);
        for side in &inners {
            if may_need(outer_path, &side.path, outer, ctx) {
                nest_loop(root, outer_path, side, keys.clone(), ctx, paths);
                if let Some(side) = remembered(root, outer_path, side, ctx) {
                    nest_loop(root, outer_path, &side, keys.clone(), ctx, paths);
                }
            }
        }
    }
}

/// The same inner side with its rows remembered, where that is possible.
fn remembered(
    root: &Root<'_, '_>,
    outer: &Path,
    side: &InnerSide,
    ctx: &JoinContext<'_>,
) -> Option<InnerSide> {
    if side.path.required_outer.is_empty() {
        return None;
    }
    let join = InnerFacts {
        join_type: ctx.join_type,
        inner_unique: ctx.inner_unique,
        clauses: &ctx.clauses.join,
    };
    let (path, rescan) = memoize(root, outer, &side.path, &join)?;
    Some(InnerSide {
        path: Rc::new(path),
        rescan,
        remaining: side.remaining.clone(),
        pair_cost: side.pair_cost,
    })
}

/// Relations whose values a join path may wait for: a LATERAL reference says so, or an outer join keeps the path from joining them
/// first. Other parameterised joins can be had cheaper in another order, and there are too many of them to keep.
///
/// PG: `param_source_rels` in `add_paths_to_joinrel`.
fn parameter_sources(root: &Root<'_, '_>, joined: &RelIds) -> RelIds {
    let whole = root.whole_of(joined);
    let joined = &*whole;
    let mut sources = RelIds::empty();
    for special in &root.special_joins {
        if joined.overlaps(&special.min_right) && !joined.overlaps(&special.min_left) {
            sources = sources.union(&root.all_rels.difference(&special.min_right));
        }
        if special.join_type == JoinType::Full
            && joined.overlaps(&special.min_left)
            && !joined.overlaps(&special.min_right)
        {
            sources = sources.union(&root.all_rels.difference(&special.min_left));
        }
    }
    for base in joined.iter().filter_map(|i| root.rel(i).ok()?.base.as_ref()) {
        sources = sources.union(&base.lateral);
    }
    sources
}

/// Whether a nested loop may need what it would need from outside.
fn may_need(outer: &Path, inner: &Path, outer_rel: &RelOptInfo, ctx: &JoinContext<'_>) -> bool {
    let rest = inner.required_outer.difference(&outer_rel.relids);
    let needed = outer.required_outer.union(&rest);
    // A star: the inner side is looked up by values of several small relations, one of which is the outer side.
    let star = inner.required_outer.overlaps(&outer_rel.relids) && !rest.is_empty();
    needed.is_empty() || needed.overlaps(&ctx.parameter_sources) || star
}

fn nest_loop(
    root: &Root<'_, '_>,
    outer: &PathRef,
    side: &InnerSide,
    keys: Rc<[PathKey]>,
    ctx: &JoinContext<'_>,
    paths: &mut Vec<PathRef>,
) {
    let s = root.context().settings;
    let inner = &side.path;
    let outer_rows = outer.rows.max(1.0);
    let startup = outer.startup + inner.startup;
    let inner_run = inner.total - inner.startup;
    let rescan_run = side.rescan.total - side.rescan.startup;
    let indexed = !inner.required_outer.is_empty()
        && side.remaining.is_empty()
        && !matches!(
            inner.kind,
            PathKind::Memoize(_) | PathKind::Join(_) | PathKind::Scan
        );
    let (scans, pairs) = inner_scans(
        outer_rows,
        inner,
        (inner_run, rescan_run),
        ctx.first_match,
        indexed,
    );
    let mut total = startup + (outer.total - outer.startup) + scans;
    total += (outer_rows - 1.0) * side.rescan.startup;
    total += (s.cpu_tuple_cost + side.pair_cost + ctx.other_cost) * pairs;
    let required_outer = outer
        .required_outer
        .union(&inner.required_outer.difference(&outer.relids));
    let disabled = outer.disabled + inner.disabled + u32::from(!s.enable_nestloop);
    let rows = ctx.rows(root, outer);
    let cost = Cost { startup, total };
    let path = ctx.path(cost, rows, disabled, keys, required_outer, (outer, inner));
    add_path_lazily(paths, path, ctx.startup, || {
        let inputs = (outer.clone(), inner.clone());
        ctx.kind(JoinMethod::NestLoop, inputs, side.remaining.clone())
    });
}

/// Cost of reading the inner side for every outer row (`run`: the first time, and again), and how many pairs of rows are looked at.
///
/// PG: `final_cost_nestloop`.
fn inner_scans(
    outer_rows: f64,
    inner: &Path,
    (run, rescan_run): (f64, f64),
    first_match: Option<FirstMatch>,
    indexed: bool,
) -> (f64, f64) {
    let Some(first) = first_match else {
        return (run + (outer_rows - 1.0) * rescan_run, outer_rows * inner.rows);
    };
    let mut matched = (outer_rows * first.matched).round();
    let mut unmatched = outer_rows - matched;
    let pairs = matched * inner.rows * first.scanned;
    if indexed {
        // An index finds out quickly that there is no match.
        let of_matched = run * first.scanned + (matched - 1.0).max(0.0) * rescan_run * first.scanned;
        let of_unmatched = unmatched * rescan_run / inner.rows.max(1.0);
        return (of_matched + of_unmatched, pairs);
    }
    let pairs = pairs + unmatched * inner.rows;
    if unmatched >= 1.0 {
        unmatched -= 1.0;
    } else {
        matched -= 1.0;
    }
    let scans = run + matched.max(0.0) * rescan_run * first.scanned + unmatched * rescan_run;
    (scans, pairs)
}

/// Join conditions that a parameterised scan tests itself.
pub fn inner_tested(root: &Root<'_, '_>, inner: &Path) -> Vec<Rc<RestrictInfo>> {
    if inner.required_outer.is_empty() {
        return Vec::new();
    }
    match (&inner.kind, inner.relids.singleton()) {
        (PathKind::Scan | PathKind::Index(_) | PathKind::Bitmap(_) | PathKind::Append(_), Some(i)) => {
            match root.rel(i) {
                Ok(rel) => super::index::join_clauses_for(root, rel, &inner.required_outer),
                Err(_) => Vec::new(),
            }
        }
        (PathKind::Material(input), _) => inner_tested(root, input),
        (PathKind::Join(join), _) => {
            let mut tested = inner_tested(root, &join.outer);
            tested.extend(inner_tested(root, &join.inner));
            tested
        }
        (PathKind::Memoize(m), _) => inner_tested(root, &m.input),
        _ => Vec::new(),
    }
}

/// Equalities with one side from each input.
pub(super) fn equalities(clauses: &[Rc<RestrictInfo>], outer: &RelIds, inner: &RelIds) -> Vec<JoinClause> {
    let turned = |info: &Rc<RestrictInfo>| {
        let e = info.equality.as_ref()?;
        if e.left_relids.is_empty() || e.right_relids.is_empty() {
            return None;
        }
        let swapped = if e.left_relids.is_subset(outer) && e.right_relids.is_subset(inner) {
            false
        } else if e.right_relids.is_subset(outer) && e.left_relids.is_subset(inner) {
            true
        } else {
            return None;
        };
        let info = info.clone();
        Some(JoinClause { info, swapped })
    };
    clauses.iter().filter_map(turned).collect()
}

/// The join's conditions that its method does not test.
pub(super) fn not_among(clauses: &[Rc<RestrictInfo>], used: &[JoinClause]) -> Vec<Rc<RestrictInfo>> {
    let left = |c: &&Rc<RestrictInfo>| !used.iter().any(|u| Rc::ptr_eq(&u.info, c));
    clauses.iter().filter(left).cloned().collect()
}

fn hash_join(
    root: &mut Root<'_, '_>,
    outer: &RelOptInfo,
    inner: &RelOptInfo,
    ctx: &JoinContext<'_>,
    paths: &mut Vec<PathRef>,
) {
    if let (Some(outer_path), Some(inner_path)) = (
        path::cheapest_total(&outer.paths),
        path::cheapest_total(&inner.paths),
    ) {
        hash_join_of(root, (outer_path, inner_path), false, ctx, paths);
    }
}

/// The share of the rows that a bucket is expected to hold where nothing is known of their values: hashing is risky then.
///
/// PG: `estimate_hash_bucket_stats`.
const BUCKET_SHARE_UNKNOWN: f64 = 0.1;

/// A hash join of two paths. `shared`: both are partial, and the participants build one table.
fn hash_join_of(
    root: &Root<'_, '_>,
    (outer_path, inner_path): (&PathRef, &PathRef),
    shared: bool,
    ctx: &JoinContext<'_>,
    paths: &mut Vec<PathRef>,
) {
    let s = root.context().settings;
    let mut pairs = equalities(&ctx.clauses.join, &outer_path.relids, &inner_path.relids);
    pairs.retain(|p| p.info.equality.as_ref().is_some_and(|e| e.can_hash));
    if pairs.is_empty() {
        return;
    }
    let join_quals = not_among(&ctx.clauses.join, &pairs);
    let n = pairs.len() as f64;
    let (outer_rows, inner_rows) = (outer_path.rows, inner_path.rows);
    let mut startup = outer_path.startup + inner_path.total;
    startup += (s.cpu_operator_cost * n + s.cpu_tuple_cost) * inner_rows;
    let mut total = startup + (outer_path.total - outer_path.startup) + s.cpu_operator_cost * n * outer_rows;
    let (table_rows, memory_shares) = match shared {
        true => (
            parallel::gathered_rows(s, inner_path),
            f64::from(inner_path.parallel.workers + 1),
        ),
        false => (inner_rows, 1.0),
    };
    let bytes = table_rows * (f64::from(inner_path.width) + 40.0);
    if bytes > s.work_mem_bytes as f64 * s.hash_mem_multiplier * memory_shares {
        let pages = |rows: f64, width: i32| (rows * (f64::from(width) + 24.0) / 8192.0).ceil();
        let (i, o) = (
            pages(inner_rows, inner_path.width),
            pages(outer_rows, outer_path.width),
        );
        startup += s.seq_page_cost * i;
        total += s.seq_page_cost * (2.0 * i + 2.0 * o);
    }
    // The smallest share of the inner rows that some clause expects in one bucket.
    let share = |p: &JoinClause| match &p.info.equality {
        Some(e) if e.guessed[usize::from(!p.swapped)] => BUCKET_SHARE_UNKNOWN,
        Some(e) => 1.0 / e.distinct[usize::from(!p.swapped)].clamp(1.0, table_rows.max(1.0)),
        None => 1.0,
    };
    let share = pairs.iter().map(share).fold(1.0, f64::min);
    let bucket = (table_rows * share).max(1.0);
    let compare: f64 = pairs.iter().map(|p| p.info.cost).sum();
    // On average half of a bucket is compared before the match.
    total += compare * outer_rows * bucket * 0.5;
    let per_row = s.cpu_tuple_cost + join_quals.iter().map(|c| c.cost).sum::<f64>() + ctx.other_cost;
    let rows = ctx.rows(root, outer_path);
    total += per_row * rows;
    let disabled = outer_path.disabled + inner_path.disabled + u32::from(!s.enable_hashjoin);
    let inputs = (&**outer_path, &**inner_path);
    let cost = Cost { startup, total };
    let mut path = ctx.path(cost, rows, disabled, Rc::new([]), RelIds::empty(), inputs);
    path.parallel.aware = shared;
    add_path_lazily(paths, path, ctx.startup, || {
        let inputs = (outer_path.clone(), inner_path.clone());
        ctx.kind(JoinMethod::Hash(pairs), inputs, join_quals)
    });
}
