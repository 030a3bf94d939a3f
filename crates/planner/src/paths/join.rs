//! Ways to join two relations.

use std::rc::Rc;

use nodes::expr::Expr;
use nodes::plan::MergeClause;
use nodes::query::JoinType;
use nodes::relids::RelIds;

use crate::cost::{self, Cost};
use crate::exprs::facts;
use crate::path::{self, JoinMethod, JoinPath, Path, PathKind, PathRef, add_path, keys_contained};
use crate::rel::{RelOptInfo, RestrictInfo};
use crate::root::Root;
use crate::{equivalence, selectivity};

/// The conditions of a join of two given sides, sorted by role.
pub struct JoinClauses {
    /// The join's own (all of them for inner joins).
    pub join: Vec<Rc<RestrictInfo>>,
    /// Tested on the result of an outer join.
    pub other: Vec<Rc<RestrictInfo>>,
}

/// Adds to `paths` every way to join `outer` with `inner`.
pub fn add_join_paths(
    root: &mut Root<'_, '_>,
    outer: &RelOptInfo,
    inner: &RelOptInfo,
    join_type: JoinType,
    clauses: &JoinClauses,
    rows: f64,
    paths: &mut Vec<PathRef>,
) {
    let relids = outer.relids.union(&inner.relids);
    let width = crate::search::join_width(root, &relids);
    let inner_unique = is_unique(inner, &clauses.join);
    let stops = inner_unique || matches!(join_type, JoinType::Semi | JoinType::Anti);
    let ctx = JoinContext {
        join_type,
        clauses,
        rows,
        width,
        relids,
        inner_unique,
        first_match: stops.then(|| FirstMatch::estimate(outer, inner, &clauses.join)),
        parameter_sources: parameter_sources(root, &outer.relids.union(&inner.relids)),
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

struct JoinContext<'c> {
    join_type: JoinType,
    clauses: &'c JoinClauses,
    rows: f64,
    width: i32,
    relids: RelIds,
    inner_unique: bool,
    /// Relations that a join may sensibly take parameters from.
    parameter_sources: RelIds,
    /// Each outer row is done with its first match.
    first_match: Option<FirstMatch>,
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

/// At most one inner row can match: a unique index of the inner table is covered by equalities.
fn is_unique(inner: &RelOptInfo, clauses: &[Rc<RestrictInfo>]) -> bool {
    let Some(base) = &inner.base else { return false };
    let equals_column = |column: &Expr| {
        let joined = clauses.iter().filter_map(|c| c.equality.as_ref()).any(|e| {
            (facts::strip_relabel(&e.left) == column && !e.right_relids.overlaps(&inner.relids))
                || (facts::strip_relabel(&e.right) == column && !e.left_relids.overlaps(&inner.relids))
        });
        joined
            || base
                .restrictions
                .iter()
                .filter_map(|c| c.equality.as_ref())
                .any(|e| {
                    (facts::strip_relabel(&e.left) == column && e.right_relids.is_empty())
                        || (facts::strip_relabel(&e.right) == column && e.left_relids.is_empty())
                })
    };
    base.indexes.iter().any(|i| {
        i.desc.unique
            && i.desc.immediate
            && i.predicate.is_empty()
            && i.column_exprs.iter().take(i.desc.key_count).all(equals_column)
    })
}

fn exprs(infos: &[Rc<RestrictInfo>]) -> Vec<Expr> {
    infos.iter().map(|i| i.clause.clone()).collect()
}

fn nest_loops(
    root: &mut Root<'_, '_>,
    outer: &RelOptInfo,
    inner: &RelOptInfo,
    ctx: &JoinContext<'_>,
    paths: &mut Vec<PathRef>,
) {
    let s = root.context().settings;
    let mut inners: Vec<PathRef> = inner
        .paths
        .iter()
        .filter(|p| p.required_outer.is_empty() || p.required_outer.overlaps(&outer.relids))
        .cloned()
        .collect();
    if let Some(cheapest) = path::cheapest_total(&inner.paths) {
        if s.enable_material && !matches!(cheapest.kind, PathKind::Material(_)) {
            let input = Cost {
                startup: cheapest.startup,
                total: cheapest.total,
            };
            let c = cost::material(s, input, cheapest.rows, cheapest.width);
            let mut material = (**cheapest).clone();
            material.kind = PathKind::Material(cheapest.clone());
            (material.startup, material.total) = (c.startup, c.total);
            inners.push(Rc::new(material));
        }
    }
    for outer_path in outer
        .paths
        .iter()
        .filter(|p| !p.required_outer.overlaps(&inner.relids))
    {
        for inner_path in &inners {
            if may_need(outer_path, inner_path, outer, ctx) {
                add_path(paths, nest_loop(root, outer_path, inner_path, ctx));
            }
        }
    }
}

/// Relations whose values a join path may wait for: a LATERAL reference says so, or an outer join keeps the path from joining them
/// first. Other parameterised joins can be had cheaper in another order, and there are too many of them to keep.
///
/// PG: `param_source_rels` in `add_paths_to_joinrel`.
fn parameter_sources(root: &Root<'_, '_>, joined: &RelIds) -> RelIds {
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

fn nest_loop(root: &Root<'_, '_>, outer: &PathRef, inner: &PathRef, ctx: &JoinContext<'_>) -> Path {
    let s = root.context().settings;
    // Conditions already tested inside a parameterised inner scan are not tested again.
    let tested = inner_tested(root, inner);
    let remaining: Vec<Expr> = exprs(&ctx.clauses.join)
        .into_iter()
        .filter(|c| !tested.contains(c))
        .collect();
    let other = exprs(&ctx.clauses.other);
    let rescan = cost::rescan(root, inner);
    let outer_rows = outer.rows.max(1.0);
    let startup = outer.startup + inner.startup;
    let inner_run = inner.total - inner.startup;
    let rescan_run = rescan.total - rescan.startup;
    let indexed = !inner.required_outer.is_empty() && remaining.is_empty();
    let (scans, pairs) = inner_scans(
        outer_rows,
        inner,
        (inner_run, rescan_run),
        ctx.first_match,
        indexed,
    );
    let mut total = startup + (outer.total - outer.startup) + scans;
    total += (outer_rows - 1.0) * rescan.startup;
    let per_pair = s.cpu_tuple_cost + cost::quals_cost(root, remaining.iter().chain(&other));
    total += per_pair * pairs;
    Path {
        relids: ctx.relids.clone(),
        rows: ctx.rows,
        width: ctx.width,
        startup,
        total,
        disabled: outer.disabled + inner.disabled + u32::from(!s.enable_nestloop),
        keys: outer.keys.clone(),
        required_outer: outer
            .required_outer
            .union(&inner.required_outer.difference(&outer.relids)),
        kind: PathKind::Join(Box::new(JoinPath {
            method: JoinMethod::NestLoop,
            join_type: ctx.join_type,
            outer: outer.clone(),
            inner: inner.clone(),
            join_quals: remaining,
            other_quals: other,
            inner_unique: ctx.inner_unique,
        })),
    }
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
pub fn inner_tested(root: &Root<'_, '_>, inner: &Path) -> Vec<Expr> {
    if inner.required_outer.is_empty() {
        return Vec::new();
    }
    match (&inner.kind, inner.relids.singleton()) {
        (PathKind::Index(_) | PathKind::Bitmap(_) | PathKind::Append(_), Some(i)) => match root.rel(i) {
            Ok(rel) => super::index::join_clauses_for(root, rel, &inner.required_outer)
                .iter()
                .map(|i| i.clause.clone())
                .collect(),
            Err(_) => Vec::new(),
        },
        (PathKind::Material(input), _) => inner_tested(root, input),
        _ => Vec::new(),
    }
}

/// Equalities with one side from each input, turned so that the outer side comes first: (outer, inner, info).
fn equalities<'i>(
    clauses: &'i [Rc<RestrictInfo>],
    outer: &RelIds,
    inner: &RelIds,
) -> Vec<(&'i Expr, &'i Expr, &'i Rc<RestrictInfo>)> {
    clauses
        .iter()
        .filter_map(|info| {
            let e = info.equality.as_ref()?;
            if e.left_relids.is_empty() || e.right_relids.is_empty() {
                return None;
            }
            if e.left_relids.is_subset(outer) && e.right_relids.is_subset(inner) {
                Some((&e.left, &e.right, info))
            } else if e.right_relids.is_subset(outer) && e.left_relids.is_subset(inner) {
                Some((&e.right, &e.left, info))
            } else {
                None
            }
        })
        .collect()
}

fn hash_join(
    root: &mut Root<'_, '_>,
    outer: &RelOptInfo,
    inner: &RelOptInfo,
    ctx: &JoinContext<'_>,
    paths: &mut Vec<PathRef>,
) {
    let s = root.context().settings;
    let pairs: Vec<_> = equalities(&ctx.clauses.join, &outer.relids, &inner.relids)
        .into_iter()
        .filter(|(_, _, i)| i.equality.as_ref().is_some_and(|e| e.can_hash))
        .collect();
    if pairs.is_empty() {
        return;
    }
    let (Some(outer_path), Some(inner_path)) = (
        path::cheapest_total(&outer.paths),
        path::cheapest_total(&inner.paths),
    ) else {
        return;
    };
    let clauses: Vec<_> = pairs
        .iter()
        .map(|(o, i, info)| {
            let e = info.equality.as_ref();
            let (op, collation) = e.map_or_else(Default::default, |e| (e.op, e.collation));
            ((*o).clone(), (*i).clone(), op, collation)
        })
        .collect();
    let used: Vec<&Rc<RestrictInfo>> = pairs.iter().map(|(_, _, i)| *i).collect();
    let join_quals: Vec<Expr> = ctx
        .clauses
        .join
        .iter()
        .filter(|c| !used.iter().any(|u| Rc::ptr_eq(u, c)))
        .map(|c| c.clause.clone())
        .collect();
    let other = exprs(&ctx.clauses.other);
    let n = clauses.len() as f64;
    let (outer_rows, inner_rows) = (outer_path.rows, inner_path.rows);
    let mut startup = outer_path.startup + inner_path.total;
    startup += (s.cpu_operator_cost * n + s.cpu_tuple_cost) * inner_rows;
    let mut total = startup + (outer_path.total - outer_path.startup) + s.cpu_operator_cost * n * outer_rows;
    let bytes = inner_rows * (f64::from(inner_path.width) + 40.0);
    if bytes > s.work_mem_bytes as f64 * s.hash_mem_multiplier {
        let pages = |rows: f64, width: i32| (rows * (f64::from(width) + 24.0) / 8192.0).ceil();
        let (i, o) = (
            pages(inner_rows, inner_path.width),
            pages(outer_rows, outer_path.width),
        );
        startup += s.seq_page_cost * i;
        total += s.seq_page_cost * (2.0 * i + 2.0 * o);
    }
    let distinct = clauses
        .iter()
        .map(|(_, i, ..)| selectivity::distinct_values(root, i))
        .fold(1.0, f64::max);
    let bucket = (inner_rows / distinct.min(inner_rows.max(1.0))).max(1.0);
    let compare = cost::quals_cost(root, used.iter().map(|u| &u.clause));
    // On average half of a bucket is compared before the match.
    total += compare * outer_rows * bucket * 0.5;
    let per_row = s.cpu_tuple_cost + cost::quals_cost(root, join_quals.iter().chain(&other));
    total += per_row * ctx.rows;
    add_path(
        paths,
        Path {
            relids: ctx.relids.clone(),
            rows: ctx.rows,
            width: ctx.width,
            startup,
            total,
            disabled: outer_path.disabled + inner_path.disabled + u32::from(!s.enable_hashjoin),
            keys: Vec::new(),
            required_outer: RelIds::empty(),
            kind: PathKind::Join(Box::new(JoinPath {
                method: JoinMethod::Hash(clauses),
                join_type: ctx.join_type,
                outer: outer_path.clone(),
                inner: inner_path.clone(),
                join_quals,
                other_quals: other,
                inner_unique: ctx.inner_unique,
            })),
        },
    );
}

fn merge_joins(
    root: &mut Root<'_, '_>,
    outer: &RelOptInfo,
    inner: &RelOptInfo,
    ctx: &JoinContext<'_>,
    paths: &mut Vec<PathRef>,
) {
    if matches!(ctx.join_type, JoinType::RightSemi) {
        return;
    }
    let pairs: Vec<(Expr, Expr, Rc<RestrictInfo>)> =
        equalities(&ctx.clauses.join, &outer.relids, &inner.relids)
            .into_iter()
            .filter(|(_, _, i)| i.equality.as_ref().is_some_and(|e| e.family.is_some()))
            .map(|(o, i, info)| (o.clone(), i.clone(), info.clone()))
            .collect();
    if pairs.is_empty() {
        return;
    }
    let mut outer_keys = Vec::new();
    let mut inner_keys = Vec::new();
    let mut merge = Vec::new();
    for (o, i, info) in &pairs {
        let Some(e) = &info.equality else { continue };
        let Some(family) = e.family else { continue };
        let catalog = root.context().catalog;
        let Ok(Some(cmp_func)) = catalog.opfamily_proc(family, o.type_oid(), i.type_oid(), 1) else {
            continue;
        };
        let ok = equivalence::path_key(root, o, family, e.collation, false, false);
        let ik = equivalence::path_key(root, i, family, e.collation, false, false);
        if outer_keys.contains(&ok) {
            continue;
        }
        outer_keys.push(ok);
        inner_keys.push(ik);
        merge.push((
            MergeClause {
                outer: o.clone(),
                inner: i.clone(),
                cmp_func,
                eq_op: e.op,
                collation: e.collation,
                descending: false,
                nulls_first: false,
            },
            info.clone(),
        ));
    }
    if merge.is_empty() {
        return;
    }
    let (Some(o), Some(i)) = (
        sorted_input(root, outer, &outer_keys),
        sorted_input(root, inner, &inner_keys),
    ) else {
        return;
    };
    add_path(paths, merge_join(root, o, i, outer_keys, &merge, ctx));
}

/// The cheapest way to get a relation in an order.
fn sorted_input(root: &Root<'_, '_>, rel: &RelOptInfo, keys: &[path::PathKey]) -> Option<PathRef> {
    let s = root.context().settings;
    let sorted = rel
        .paths
        .iter()
        .filter(|p| p.required_outer.is_empty() && keys_contained(keys, &p.keys))
        .min_by(|a, b| a.disabled.cmp(&b.disabled).then(a.total.total_cmp(&b.total)))
        .cloned();
    let cheapest = path::cheapest_total(&rel.paths)?;
    let c = cost::sort(s, cheapest.total, cheapest.rows, cheapest.width, 0.0);
    let mut sort = (**cheapest).clone();
    sort.kind = PathKind::Sort(cheapest.clone());
    sort.keys = keys.to_vec();
    (sort.startup, sort.total) = (c.startup, c.total);
    sort.disabled += u32::from(!s.enable_sort);
    match sorted {
        Some(p) if (p.disabled, p.total) <= (sort.disabled, sort.total) => Some(p),
        _ => Some(Rc::new(sort)),
    }
}

fn merge_join(
    root: &Root<'_, '_>,
    outer: PathRef,
    inner: PathRef,
    keys: Vec<path::PathKey>,
    merge: &[(MergeClause, Rc<RestrictInfo>)],
    ctx: &JoinContext<'_>,
) -> Path {
    let s = root.context().settings;
    let join_quals: Vec<Expr> = ctx
        .clauses
        .join
        .iter()
        .filter(|c| !merge.iter().any(|(_, u)| Rc::ptr_eq(u, c)))
        .map(|c| c.clause.clone())
        .collect();
    let other = exprs(&ctx.clauses.other);
    let n = merge.len() as f64;
    let startup = outer.startup + inner.startup;
    let mut total = outer.total + inner.total;
    total += s.cpu_operator_cost * n * (outer.rows + inner.rows);
    total += (s.cpu_tuple_cost + cost::quals_cost(root, join_quals.iter().chain(&other))) * ctx.rows;
    let keeps_order = !matches!(
        ctx.join_type,
        JoinType::Full | JoinType::Right | JoinType::RightAnti
    );
    Path {
        relids: ctx.relids.clone(),
        rows: ctx.rows,
        width: ctx.width,
        startup,
        total,
        disabled: outer.disabled + inner.disabled + u32::from(!s.enable_mergejoin),
        keys: if keeps_order {
            if outer.keys.len() > keys.len() {
                outer.keys.clone()
            } else {
                keys
            }
        } else {
            Vec::new()
        },
        required_outer: RelIds::empty(),
        kind: PathKind::Join(Box::new(JoinPath {
            method: JoinMethod::Merge(merge.iter().map(|(m, _)| m.clone()).collect()),
            join_type: ctx.join_type,
            outer,
            inner,
            join_quals,
            other_quals: other,
            inner_unique: ctx.inner_unique,
        })),
    }
}
