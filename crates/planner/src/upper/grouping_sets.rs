//! GROUPING SETS, ROLLUP and CUBE.

use common::PgResult;
use nodes::expr::Expr;
use nodes::plan::{AggSplit, AggStrategy, GroupKey, GroupingPass, PlanCost, PlanNode};
use nodes::query::{GroupingSet, SortGroupClause};

use crate::root::Root;
use crate::upper::{self, Stage, clause_exprs, group_keys, target};
use crate::{groups, selectivity};

/// The sets written out, as references to GROUP BY's clauses.
pub fn expand(sets: &[GroupingSet], distinct: bool) -> Vec<Vec<u32>> {
    let mut all: Vec<Vec<u32>> = vec![Vec::new()];
    for s in sets {
        let parts = expand_one(s);
        let mut next = Vec::with_capacity(all.len() * parts.len());
        for a in &all {
            for p in &parts {
                let mut joined = a.clone();
                for r in p {
                    if !joined.contains(r) {
                        joined.push(*r);
                    }
                }
                next.push(joined);
            }
        }
        all = next;
    }
    if distinct {
        let mut seen: Vec<Vec<u32>> = Vec::new();
        all.retain(|set| {
            let mut sorted = set.clone();
            sorted.sort_unstable();
            let new = !seen.contains(&sorted);
            seen.push(sorted);
            new
        });
    }
    all
}

fn expand_one(s: &GroupingSet) -> Vec<Vec<u32>> {
    match s {
        GroupingSet::Empty => vec![Vec::new()],
        GroupingSet::Simple(refs) => vec![refs.clone()],
        GroupingSet::Rollup(parts) => (0..=parts.len()).rev().map(|n| parts[..n].concat()).collect(),
        GroupingSet::Cube(parts) => {
            let mut all: Vec<Vec<u32>> = (0..1usize << parts.len().min(12))
                .map(|mask| {
                    parts
                        .iter()
                        .enumerate()
                        .filter(|(i, _)| mask >> i & 1 == 1)
                        .flat_map(|(_, p)| p.clone())
                        .collect()
                })
                .collect();
            all.sort_by_key(|s| std::cmp::Reverse(s.len()));
            all
        }
        GroupingSet::Sets(sets) => sets.iter().flat_map(expand_one).collect(),
    }
}

/// The aggregation node of a query with grouping sets over an input that computes what it needs.
pub fn add(
    root: &mut Root<'_, '_>,
    stage: Stage,
    clauses: &[SortGroupClause],
    output: Vec<Expr>,
    having: &[Expr],
) -> PgResult<Stage> {
    let pairs = clause_exprs(root, clauses);
    let keys = group_keys(&pairs, &stage.output)?;
    let position = |r: u32| clauses.iter().position(|c| c.target_ref == r);
    let mut sets: Vec<Vec<usize>> = expand(&root.query.grouping_sets, root.query.group_distinct)
        .iter()
        .map(|set| set.iter().filter_map(|r| position(*r)).collect())
        .collect();
    // Hashed sets first, the longest of them leading; sets without columns follow.
    sets.sort_by_key(|s| s.is_empty());
    let mut groups = 0.0;
    for set in &sets {
        let exprs: Vec<&Expr> = set.iter().filter_map(|i| pairs.get(*i)).map(|(e, _)| e).collect();
        groups += if exprs.is_empty() {
            1.0
        } else {
            groups::groups(root, &exprs, stage.plan.cost.rows)
        };
    }
    let fix = |e: &Expr| -> PgResult<Expr> {
        let mut e = upper::fix_to_input(e, &stage.output)?;
        nodes::walk::rewrite(&mut e, &mut |x| {
            if let Expr::GroupingFunc(g) = x {
                g.refs = g
                    .refs
                    .iter()
                    .map(|r| position(*r).map_or(u32::MAX, |p| p as u32))
                    .collect();
            }
        });
        Ok(e)
    };
    let targets = output
        .iter()
        .enumerate()
        .map(|(i, e)| Ok(target(fix(e)?, i + 1, None)))
        .collect::<PgResult<Vec<_>>>()?;
    let qual = having.iter().map(fix).collect::<PgResult<Vec<_>>>()?;
    let has_empty = sets.iter().any(Vec::is_empty);
    let has_keys = sets.iter().any(|s| !s.is_empty());
    let hashable = clauses.iter().all(|c| c.hashable) && !output.iter().chain(having).any(is_ordered);
    let s = root.context().settings;
    let strategy = match (hashable && s.enable_hashagg, has_keys, has_empty) {
        (_, false, _) => AggStrategy::Plain,
        (true, true, true) => AggStrategy::Mixed,
        (true, true, false) => AggStrategy::Hashed,
        (false, true, _) => AggStrategy::Sorted,
    };
    let passes = sets.iter().map(|set| pass(set, &keys, strategy)).collect();
    let input = stage.plan.cost;
    let selected = selectivity::all(root, having.iter(), None);
    let cost = PlanCost {
        startup: input.total,
        total: input.total
            + (s.cpu_operator_cost * keys.len() as f64 * input.rows * sets.len() as f64)
            + s.cpu_tuple_cost * groups,
        rows: (groups * selected).round().max(1.0),
        width: output.iter().map(|e| crate::paths::expr_width(root, e)).sum(),
    };
    let node = PlanNode::Agg {
        input: Box::new(stage.plan),
        strategy,
        split: AggSplit::Simple,
        keys,
        passes,
        groups,
    };
    let mut plan = upper::node(cost, targets, node);
    plan.qual = qual;
    Ok(Stage {
        plan,
        output,
        keys: Vec::new(),
    })
}

fn pass(set: &[usize], keys: &[GroupKey], strategy: AggStrategy) -> GroupingPass {
    let hashed = matches!(strategy, AggStrategy::Hashed | AggStrategy::Mixed) && !set.is_empty();
    GroupingPass {
        strategy: if hashed {
            AggStrategy::Hashed
        } else {
            AggStrategy::Sorted
        },
        keys: keys.to_vec(),
        sets: vec![set.to_vec()],
    }
}

fn is_ordered(e: &Expr) -> bool {
    nodes::walk::any(
        e,
        &mut |e| matches!(e, Expr::Aggref(a) if !a.distinct.is_empty() || !a.order_by.is_empty()),
    )
}
