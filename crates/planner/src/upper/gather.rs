//! Gathering above scans and joins: sorted output, partial aggregation.
//!
//! PG: `generate_useful_gather_paths`, `create_partial_grouping_paths`.

use common::{AttrNumber, PgResult};
use nodes::expr::{AggSplit, Aggref, Expr};
use nodes::plan::{AggStrategy, GroupKey, Plan, PlanCost, PlanNode, SortKey};
use nodes::query::{SortGroupClause, TargetEntry};
use nodes::walk;

use crate::cost::{self, AggFacts, Cost};
use crate::create_plan;
use crate::parallel;
use crate::path::{Path, PathKey, PathRef, cheapest_total};
use crate::paths::expr_width;
use crate::root::Root;
use crate::upper::{self, Stage, group_keys, pass_through_targets, project, sort_stage, target};
use crate::{groups, selectivity};

/// A Gather of a plan that is partial; with `keys` it keeps their order.
pub fn gather_node(input: Plan, workers: u32, keys: Vec<SortKey>, cost: PlanCost) -> Plan {
    let targets = pass_through_targets(&input.target_list);
    let disabled = input.disabled_nodes;
    let mut plan = upper::node(
        cost,
        targets,
        PlanNode::Gather {
            input: Box::new(input),
            workers: workers as usize,
            keys,
            single_copy: false,
            invisible: false,
        },
    );
    plan.disabled_nodes = disabled;
    plan
}

/// Rows of all participants, in the order that the stage has when `merge`.
fn gather(root: &Root<'_, '_>, stage: Stage, path: &Path, merge: bool) -> Stage {
    let s = root.context().settings;
    let workers = path.parallel.workers;
    let rows = (stage.plan.cost.rows * parallel::divisor(s, workers))
        .round()
        .max(1.0);
    let input = Cost {
        startup: stage.plan.cost.startup,
        total: stage.plan.cost.total,
    };
    let keys = match &stage.plan.node {
        PlanNode::Sort { keys, .. } | PlanNode::IncrementalSort { keys, .. } if merge => keys.clone(),
        _ => Vec::new(),
    };
    let merge = !keys.is_empty();
    let c = match merge {
        true => parallel::gather_merge_cost(s, input, rows, workers),
        false => parallel::gather_cost(s, input, rows),
    };
    let cost = PlanCost {
        startup: c.startup,
        total: c.total,
        rows,
        width: stage.plan.cost.width,
    };
    Stage {
        plan: gather_node(stage.plan, workers, keys, cost),
        output: stage.output,
        keys: if merge { stage.keys } else { Vec::new() },
    }
}

fn partial_path(root: &Root<'_, '_>) -> Option<PathRef> {
    cheapest_total(&root.partial_paths).cloned()
}

/// ORDER BY by sorting in each participant and merging, if that is cheaper than `other`, which does the same another way.
pub fn sorted(
    root: &mut Root<'_, '_>,
    targets: &[TargetEntry],
    keys: &[PathKey],
    pairs: &[(Expr, SortGroupClause)],
    limit: f64,
    other: Stage,
) -> PgResult<Stage> {
    let Some(path) = partial_path(root) else {
        return Ok(other);
    };
    let s = root.context().settings;
    if !s.enable_gathermerge || !targets.iter().all(|t| parallel::is_safe(root, &t.expr)) {
        return Ok(other);
    }
    let stage = create_plan::create(root, &path)?;
    let stage = project(root, stage, targets.to_vec())?;
    let stage = sort_stage(root, stage, keys, pairs, limit)?;
    let stage = gather(root, stage, &path, true);
    let cheaper = |a: &Plan, b: &Plan| {
        let share = match limit {
            l if l > 0.0 => (l / a.cost.rows.max(1.0)).min(1.0),
            _ => 1.0,
        };
        let of = |p: &Plan| p.cost.startup + (p.cost.total - p.cost.startup) * share;
        (a.disabled_nodes, of(a)) < (b.disabled_nodes, of(b))
    };
    let ordered = matches!(&stage.plan.node, PlanNode::Gather { keys, .. } if !keys.is_empty());
    Ok(match ordered && cheaper(&stage.plan, &other.plan) {
        true => stage,
        false => other,
    })
}

/// True for calls whose states can be merged: of built-in aggregates only, as states of users' functions stay where they were made.
///
/// PG: `find_compatible_agg` and others note what has no combine function in `hasNonPartialAggs`.
fn can_combine(root: &Root<'_, '_>, a: &Aggref) -> bool {
    let Ok(Some(desc)) = root.context().catalog.aggregate(a.func) else {
        return false;
    };
    if a.func >= common::Oid::FIRST_NORMAL {
        return false;
    }
    a.distinct.is_empty() && a.order_by.is_empty() && a.direct_args.is_empty() && desc.combine_func.is_valid()
}

/// What both halves of an aggregation need.
pub struct Grouping<'g> {
    pub pairs: &'g [(Expr, SortGroupClause)],
    pub keys: &'g [PathKey],
    pub output: &'g [Expr],
    pub having: &'g [Expr],
    pub hashable: bool,
    pub sortable: bool,
    /// Total cost and disabled nodes of doing it in one step, with what ORDER BY costs above.
    pub rival: (u32, f64),
    /// The order that the level wants.
    pub order: &'g [PathKey],
    /// Estimated groups.
    pub groups: f64,
}

/// The aggregates in some expressions, each once.
fn aggregates(exprs: &[&[Expr]]) -> Vec<Expr> {
    let mut found: Vec<Expr> = Vec::new();
    for e in exprs.iter().flat_map(|list| list.iter()) {
        walk::walk(e, &mut |e| {
            let own = matches!(e, Expr::Aggref(a) if a.levels_up == 0);
            if own && !found.contains(e) {
                found.push(e.clone());
            }
            !own
        });
    }
    found
}

/// The same call, doing its first half.
fn first_half(e: &Expr) -> Expr {
    let mut e = e.clone();
    if let Expr::Aggref(a) = &mut e {
        a.split = AggSplit::Initial;
    }
    e
}

/// Calls in an expression doing their second half, with the first as their argument.
fn second_halves(e: &Expr) -> Expr {
    if let Expr::Aggref(a) = e
        && a.levels_up == 0
    {
        let mut second = a.clone();
        second.split = AggSplit::Final;
        second.filter = None;
        second.star = false;
        second.args = vec![target(first_half(e), 1, None)];
        return Expr::Aggref(second);
    }
    let mut e = e.clone();
    walk::for_each_child_mut(&mut e, &mut |child| *child = second_halves(child));
    e
}

/// Grouping in two steps, partial groups in each participant first, if that is cheaper than in one. `None`: it is not, or not
/// possible.
pub fn group_partially(
    root: &mut Root<'_, '_>,
    g: &Grouping<'_>,
    inputs: impl Fn(&Root<'_, '_>, Stage) -> PgResult<Stage>,
) -> PgResult<Option<Stage>> {
    let Some(path) = partial_path(root) else {
        return Ok(None);
    };
    let calls = aggregates(&[g.output, g.having]);
    let combine = calls.iter().all(|e| match e {
        Expr::Aggref(a) => can_combine(root, a) && a.args.iter().all(|t| parallel::is_safe(root, &t.expr)),
        _ => false,
    });
    let safe = g.pairs.iter().map(|(e, _)| e).chain(&calls);
    if !combine || !safe.clone().all(|e| parallel::is_safe(root, e)) {
        return Ok(None);
    }
    let stage = create_plan::create(root, &path)?;
    let stage = inputs(root, stage)?;
    let Some(partial) = first_step(root, g, stage, &calls)? else {
        return Ok(None);
    };
    let mut best: Option<(f64, Stage)> = None;
    for stage in second_steps(root, g, &partial, &path)? {
        let mut total = stage.plan.cost.total;
        if !g.order.is_empty() && !crate::path::keys_contained(g.order, &stage.keys) {
            let c = stage.plan.cost;
            total = cost::sort(root.context().settings, total, c.rows, c.width, 0.0).total;
        }
        // An order is worth about as much as `add_path` makes of it.
        let better = match &best {
            None => true,
            Some((known, old)) => {
                let fuzz = if stage.keys.is_empty() && !old.keys.is_empty() {
                    1.01
                } else {
                    1.0
                };
                (stage.plan.disabled_nodes, total * fuzz) < (old.plan.disabled_nodes, *known)
            }
        };
        if better {
            best = Some((total, stage));
        }
    }
    Ok(best
        .filter(|(total, stage)| (stage.plan.disabled_nodes, *total) < g.rival)
        .map(|(_, stage)| stage))
}

fn facts(stage: &Stage, groups: f64, g: &Grouping<'_>, per_row: f64) -> AggFacts {
    AggFacts {
        input: Cost {
            startup: stage.plan.cost.startup,
            total: stage.plan.cost.total,
        },
        rows: stage.plan.cost.rows,
        width: stage.plan.cost.width,
        groups,
        keys: g.pairs.len(),
        trans_per_row: per_row,
        final_per_group: 0.0,
    }
}

/// What partial groups hand up: group columns, columns that depend on them, states.
fn partial_output(g: &Grouping<'_>, calls: &[Expr]) -> Vec<Expr> {
    let mut output: Vec<Expr> = Vec::new();
    let bare = g.output.iter().filter(|e| matches!(e, Expr::Var(_)));
    for e in g.pairs.iter().map(|(e, _)| e).chain(bare) {
        if !output.contains(e) {
            output.push(e.clone());
        }
    }
    output.extend(calls.iter().map(first_half));
    output
}

/// Groups of one participant.
fn first_step(
    root: &mut Root<'_, '_>,
    g: &Grouping<'_>,
    stage: Stage,
    calls: &[Expr],
) -> PgResult<Option<Stage>> {
    let s = root.context().settings;
    let group: Vec<&Expr> = g.pairs.iter().map(|(e, _)| e).collect();
    let groups = match group.is_empty() {
        true => 1.0,
        false => groups::groups(root, &group, stage.plan.cost.rows),
    };
    let per_row: f64 = calls
        .iter()
        .map(|e| upper::grouping::aggregate_cost(root, e))
        .sum();
    let output = partial_output(g, calls);
    let targets = output
        .iter()
        .enumerate()
        .map(|(i, e)| Ok(target(upper::fix_to_input(e, &stage.output)?, i + 1, None)))
        .collect::<PgResult<Vec<_>>>()?;
    let keys = group_keys(g.pairs, &stage.output)?;
    let width = output.iter().map(|e| expr_width(root, e)).sum();
    let hash = facts(&stage, groups, g, per_row);
    let (strategy, c, stage) = if g.pairs.is_empty() {
        (AggStrategy::Plain, cost::agg_plain(s, &hash), stage)
    } else if g.hashable && (s.enable_hashagg || !g.sortable) {
        (AggStrategy::Hashed, cost::agg_hashed(s, &hash), stage)
    } else if g.sortable {
        let stage = sort_stage(root, stage, g.keys, g.pairs, 0.0)?;
        let facts = facts(&stage, groups, g, per_row);
        (AggStrategy::Sorted, cost::agg_sorted(s, &facts), stage)
    } else {
        return Ok(None);
    };
    let cost = PlanCost {
        startup: c.startup,
        total: c.total,
        rows: groups,
        width,
    };
    let order = match strategy {
        AggStrategy::Sorted => stage.keys.clone(),
        _ => Vec::new(),
    };
    let plan = agg_node(
        stage.plan,
        (strategy, AggSplit::Initial),
        keys,
        targets,
        (cost, groups),
    );
    Ok(Some(Stage {
        plan,
        output,
        keys: order,
    }))
}

fn agg_node(
    input: Plan,
    (strategy, split): (AggStrategy, AggSplit),
    keys: Vec<GroupKey>,
    targets: Vec<TargetEntry>,
    (cost, groups): (PlanCost, f64),
) -> Plan {
    let disabled = input.disabled_nodes;
    let node = PlanNode::Agg {
        input: Box::new(input),
        strategy,
        split,
        keys,
        passes: Vec::new(),
        groups,
    };
    let mut plan = upper::node(cost, targets, node);
    plan.disabled_nodes = disabled;
    plan
}

/// The ways to gather partial groups and finish them.
fn second_steps(
    root: &mut Root<'_, '_>,
    g: &Grouping<'_>,
    partial: &Stage,
    path: &Path,
) -> PgResult<Vec<Stage>> {
    let s = root.context().settings;
    let mut out = Vec::new();
    if g.pairs.is_empty() {
        let gathered = gather(root, partial.clone(), path, false);
        out.push(finish(root, g, gathered, AggStrategy::Plain)?);
        return Ok(out);
    }
    if g.sortable {
        if s.enable_gathermerge {
            let sorted = sort_partial_groups(root, g, partial.clone())?;
            let merged = gather(root, sorted, path, true);
            if !merged.keys.is_empty() {
                out.push(finish(root, g, merged, AggStrategy::Sorted)?);
            }
        }
        let gathered = gather(root, partial.clone(), path, false);
        let sorted = sort_stage(root, gathered, g.keys, g.pairs, 0.0)?;
        out.push(finish(root, g, sorted, AggStrategy::Sorted)?);
    }
    if g.hashable && s.enable_hashagg {
        let gathered = gather(root, partial.clone(), path, false);
        out.push(finish(root, g, gathered, AggStrategy::Hashed)?);
    }
    Ok(out)
}

/// The partial groups in the order of the keys; a Sort even where grouping has left them sorted already, as the merge reads its keys.
fn sort_partial_groups(root: &Root<'_, '_>, g: &Grouping<'_>, partial: Stage) -> PgResult<Stage> {
    let unsorted = Stage {
        keys: Vec::new(),
        ..partial
    };
    sort_stage(root, unsorted, g.keys, g.pairs, 0.0)
}

/// The second half of an aggregation.
fn finish(root: &Root<'_, '_>, g: &Grouping<'_>, stage: Stage, strategy: AggStrategy) -> PgResult<Stage> {
    let s = root.context().settings;
    let calls = aggregates(&[g.output, g.having]).len() as f64;
    let facts = facts(&stage, g.groups, g, calls * s.cpu_operator_cost);
    let c = match strategy {
        AggStrategy::Plain => cost::agg_plain(s, &facts),
        AggStrategy::Sorted => cost::agg_sorted(s, &facts),
        _ => cost::agg_hashed(s, &facts),
    };
    let selected = selectivity::all(root, g.having.iter(), None);
    let cost = PlanCost {
        startup: c.startup,
        total: c.total,
        rows: (g.groups * selected).round().max(1.0),
        width: g.output.iter().map(|e| expr_width(root, e)).sum(),
    };
    let fixed = |e: &Expr| upper::fix_to_input(&second_halves(e), &stage.output);
    let targets = g
        .output
        .iter()
        .enumerate()
        .map(|(i, e)| Ok(target(fixed(e)?, i + 1, None)))
        .collect::<PgResult<Vec<_>>>()?;
    let qual = g.having.iter().map(fixed).collect::<PgResult<Vec<_>>>()?;
    let keys = group_keys(g.pairs, &stage.output)?;
    let order = match strategy {
        AggStrategy::Sorted => stage.keys.clone(),
        _ => Vec::new(),
    };
    let split = (strategy, AggSplit::Final);
    let mut plan = agg_node(stage.plan, split, keys, targets, (cost, g.groups));
    plan.qual = qual;
    Ok(Stage {
        plan,
        output: g.output.to_vec(),
        keys: order,
    })
}

/// True for a Gather that keeps no order, below which a target list can be computed.
pub fn computes(root: &Root<'_, '_>, plan: &Plan, targets: &[TargetEntry]) -> bool {
    matches!(&plan.node, PlanNode::Gather { keys, .. } if keys.is_empty())
        && targets.iter().all(|t| parallel::is_safe(root, &t.expr))
}

/// Computes a target list in the participants below a Gather that keeps no order.
pub fn push_below(root: &Root<'_, '_>, stage: Stage, targets: Vec<TargetEntry>) -> PgResult<Stage> {
    let mut gather = stage.plan;
    let PlanNode::Gather { input, .. } = &mut gather.node else {
        return Err(common::internal!("no Gather to project below"));
    };
    let hollow = PlanNode::Result {
        input: None,
        one_time: Vec::new(),
    };
    let below = std::mem::replace(&mut **input, upper::node(PlanCost::default(), Vec::new(), hollow));
    let before = below.cost.total;
    let below = Stage {
        plan: below,
        output: stage.output,
        keys: Vec::new(),
    };
    let below = project(root, below, targets)?;
    gather.cost.total += below.plan.cost.total - before;
    gather.cost.width = below.plan.cost.width;
    gather.target_list = pass_through_targets(&below.plan.target_list);
    for (i, t) in gather.target_list.iter_mut().enumerate() {
        t.resno = i as AttrNumber + 1;
    }
    **input = below.plan;
    Ok(Stage {
        plan: gather,
        output: below.output,
        keys: stage.keys,
    })
}
