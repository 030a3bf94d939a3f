//! GROUP BY, aggregates, HAVING.

use common::{Oid, PgResult};
use nodes::expr::{Const, Expr};
use nodes::plan::{AggSplit, AggStrategy, PlanCost, PlanNode};
use nodes::walk;
use types::Datum;
use types::settings::TypeRef;

use crate::cost::{self, AggFacts, Cost};
use crate::exprs::facts;
use crate::path::keys_contained;
use crate::root::Root;
use crate::upper::gather::{Grouping, group_partially};
use crate::upper::grouping_sets;
use crate::upper::presorted::{self, Presorted};
use crate::upper::{self, Stage, clause_exprs, group_keys, project, sort_clause_keys, sort_stage, target};
use crate::{equivalence, groups, selectivity};

/// How much cheaper something must be to count as cheaper.
const FUZZ: f64 = 1.01;

/// Adds the aggregation node; its output are the group columns and aggregates that the level above uses.
pub fn add(root: &mut Root<'_, '_>, stage: Stage) -> PgResult<Stage> {
    let mut clauses = root.query.group_clause.clone();
    if root.query.grouping_sets.is_empty() {
        clauses = equivalence::necessary_clauses(root, &clauses)?;
    }
    let pairs = clause_exprs(root, &clauses);
    let output = output_exprs(root, &pairs.iter().map(|(e, _)| e.clone()).collect::<Vec<_>>());
    let group_keys = sort_clause_keys(root, &clauses)?;
    let order = presorted::best(root, &group_keys)?;
    // Without an order of the groups there is none inside of them.
    let order = order.filter(|_| clauses.iter().all(|c| c.sort_op.is_valid()));
    let sorted_by = order.iter().flat_map(|o| &o.pairs);
    let sorted_by = sorted_by.filter(|(e, _)| !matches!(e, Expr::Const(_)));
    let computed: Vec<Expr> = pairs.iter().chain(sorted_by).map(|(e, _)| e.clone()).collect();
    let stage = project_inputs(root, stage, &computed, &output)?;
    let having: Vec<Expr> = {
        let mut list = Vec::new();
        if let Some(h) = root.query.having.clone() {
            facts::flatten_and(h, &mut list);
        }
        list
    };
    if !root.query.grouping_sets.is_empty() {
        return grouping_sets::add(root, stage, &clauses, output, &having);
    }
    let (facts, strategy, stage) = choose(root, stage, &pairs, order.as_ref(), &output)?;
    match in_two_steps(root, &facts, strategy, &stage, &pairs, &output, &having)? {
        Some(two_steps) => Ok(two_steps),
        None => in_one_step(
            root,
            &facts,
            strategy,
            stage,
            &pairs,
            order.as_ref(),
            output,
            having,
        ),
    }
}

/// Without grouping sets, `GROUPING(...)` is zero.
pub fn fold_grouping_calls(root: &mut Root<'_, '_>) {
    if !root.query.grouping_sets.is_empty() {
        return;
    }
    let mut fold = |e: &mut Expr| {
        walk::rewrite(e, &mut |e| {
            if matches!(e, Expr::GroupingFunc(g) if g.levels_up == 0) {
                *e = Expr::Const(Const {
                    value: Datum::Int4(0),
                    type_ref: TypeRef::plain(types::oids::INT4),
                    collation: Oid::INVALID,
                    span: common::Span::NONE,
                });
            }
        });
    };
    root.query.target_list.iter_mut().for_each(|t| fold(&mut t.expr));
    root.query.having.iter_mut().for_each(&mut fold);
}

/// The node that groups its whole input.
fn in_one_step(
    root: &Root<'_, '_>,
    facts: &AggFacts,
    strategy: AggStrategy,
    stage: Stage,
    pairs: &[(Expr, nodes::query::SortGroupClause)],
    presorted: Option<&Presorted>,
    output: Vec<Expr>,
    having: Vec<Expr>,
) -> PgResult<Stage> {
    let s = root.context().settings;
    let c = match strategy {
        AggStrategy::Plain => cost::agg_plain(s, facts),
        AggStrategy::Sorted => cost::agg_sorted(s, facts),
        _ => cost::agg_hashed(s, facts),
    };
    let selected = selectivity::all(root, having.iter(), None);
    let rows = (facts.groups * selected).round().max(1.0);
    let width = output.iter().map(|e| crate::paths::expr_width(root, e)).sum();
    let cost = PlanCost {
        startup: c.startup,
        total: c.total,
        rows,
        width,
    };
    let keys = group_keys(pairs, &stage.output)?;
    let targets = output
        .iter()
        .enumerate()
        .map(|(i, e)| Ok(target(fix_below_aggs(e, &stage.output, presorted)?, i + 1, None)))
        .collect::<PgResult<Vec<_>>>()?;
    let qual = having
        .iter()
        .map(|q| fix_below_aggs(q, &stage.output, presorted))
        .collect::<PgResult<Vec<_>>>()?;
    // Of the order of the input, the groups keep what they are grouped by.
    let order = if strategy == AggStrategy::Sorted {
        let of_groups = presorted.map_or(stage.keys.len(), |p| p.groups);
        stage.keys.iter().take(of_groups).cloned().collect()
    } else {
        Vec::new()
    };
    let has_aggs = output.iter().chain(&having).any(facts::contains_agg);
    let node = if strategy == AggStrategy::Sorted && !has_aggs {
        PlanNode::Group {
            input: Box::new(stage.plan),
            keys,
        }
    } else {
        PlanNode::Agg {
            input: Box::new(stage.plan),
            strategy,
            split: AggSplit::Simple,
            keys,
            passes: Vec::new(),
            groups: facts.groups,
        }
    };
    let mut plan = upper::node(cost, targets, node);
    plan.qual = qual;
    Ok(Stage {
        plan,
        output,
        keys: order,
    })
}

/// Grouping with the help of workers, where that costs less than what `choose` found.
fn in_two_steps(
    root: &mut Root<'_, '_>,
    facts: &AggFacts,
    strategy: AggStrategy,
    stage: &Stage,
    pairs: &[(Expr, nodes::query::SortGroupClause)],
    output: &[Expr],
    having: &[Expr],
) -> PgResult<Option<Stage>> {
    // A single group that is not there without rows cannot be put together from parts.
    let all_equal = pairs.is_empty() && !root.query.group_clause.is_empty();
    if root.partial_paths.is_empty() || all_equal {
        return Ok(None);
    }
    let s = root.context().settings;
    let clauses: Vec<_> = pairs.iter().map(|(_, c)| c.clone()).collect();
    let keys = sort_clause_keys(root, &clauses)?;
    let order = sort_clause_keys(root, &root.query.sort_clause.clone())?;
    let mut total = match strategy {
        AggStrategy::Plain => cost::agg_plain(s, facts),
        AggStrategy::Sorted => cost::agg_sorted(s, facts),
        _ => cost::agg_hashed(s, facts),
    }
    .total;
    let ordered = strategy == AggStrategy::Sorted && keys_contained(&order, &keys);
    if !order.is_empty() && !ordered {
        total = cost::sort(s, total, facts.groups, facts.width, 0.0).total;
    }
    let grouping = Grouping {
        pairs,
        keys: &keys,
        output,
        having,
        hashable: clauses.iter().all(|c| c.hashable),
        sortable: !keys.is_empty() && clauses.iter().all(|c| c.sort_op.is_valid()),
        rival: (stage.plan.disabled_nodes, total),
        order: &order,
        groups: facts.groups,
    };
    let group: Vec<Expr> = pairs.iter().map(|(e, _)| e.clone()).collect();
    group_partially(root, &grouping, |root, stage| {
        project_inputs(root, stage, &group, output)
    })
}

/// Group columns, aggregates, and bare columns (functionally dependent on the group) used above.
fn output_exprs(root: &Root<'_, '_>, group: &[Expr]) -> Vec<Expr> {
    let mut out: Vec<Expr> = Vec::new();
    let above = root
        .query
        .target_list
        .iter()
        .map(|t| &t.expr)
        .chain(&root.query.having);
    for e in above {
        parts(e, group, &mut out);
    }
    out
}

fn parts(e: &Expr, group: &[Expr], out: &mut Vec<Expr>) {
    let whole = group.contains(e)
        || matches!(e, Expr::Aggref(a) if a.levels_up == 0)
        || matches!(e, Expr::GroupingFunc(g) if g.levels_up == 0)
        || matches!(e, Expr::Var(v) if facts::var_rel(v).is_some());
    if whole {
        if !out.contains(e) {
            out.push(e.clone());
        }
        return;
    }
    walk::for_each_child(e, &mut |child| parts(child, group, out));
}

/// The input computes the group columns and every column that aggregates use.
fn project_inputs(root: &Root<'_, '_>, stage: Stage, group: &[Expr], output: &[Expr]) -> PgResult<Stage> {
    let mut wanted: Vec<Expr> = Vec::new();
    for e in group {
        if !wanted.contains(e) {
            wanted.push(e.clone());
        }
    }
    let mut vars = Vec::new();
    let having = root.query.having.clone();
    for e in output.iter().chain(&having) {
        if !group.contains(e) {
            columns_outside(e, group, &mut vars);
        }
    }
    for v in vars {
        if !wanted.contains(v) {
            wanted.push(v.clone());
        }
    }
    let trivial = wanted.iter().all(|e| stage.output.contains(e));
    if trivial {
        return Ok(stage);
    }
    let list = wanted
        .into_iter()
        .enumerate()
        .map(|(i, e)| target(e, i + 1, None))
        .collect();
    project(root, stage, list)
}

fn columns_outside<'e>(e: &'e Expr, group: &[Expr], out: &mut Vec<&'e Expr>) {
    if group.contains(e) {
        return;
    }
    match e {
        Expr::Var(v) if facts::var_rel(v).is_some() => out.push(e),
        _ => walk::for_each_child(e, &mut |child| columns_outside(child, group, out)),
    }
}

/// References into the input inside and outside of aggregates, which learn whether it is in their order.
fn fix_below_aggs(e: &Expr, input: &[Expr], order: Option<&Presorted>) -> PgResult<Expr> {
    let Some(order) = order else {
        return upper::fix_to_input(e, input);
    };
    let mut e = e.clone();
    order.mark(&mut e);
    upper::fix_to_input(&e, input)
}

fn choose(
    root: &mut Root<'_, '_>,
    stage: Stage,
    pairs: &[(Expr, nodes::query::SortGroupClause)],
    presorted: Option<&Presorted>,
    output: &[Expr],
) -> PgResult<(AggFacts, AggStrategy, Stage)> {
    let s = root.context().settings;
    let input = stage.plan.cost;
    let group: Vec<&Expr> = pairs.iter().map(|(e, _)| e).collect();
    let groups = if pairs.is_empty() {
        1.0
    } else {
        groups::groups(root, &group, input.rows)
    };
    let aggs: f64 = output.iter().map(|e| aggregate_cost(root, e)).sum();
    let mut facts = AggFacts {
        input: Cost {
            startup: input.startup,
            total: input.total,
        },
        rows: input.rows,
        width: input.width,
        groups,
        keys: pairs.len(),
        trans_per_row: aggs,
        final_per_group: 0.0,
    };
    if root.query.group_clause.is_empty() {
        let stage = match presorted {
            Some(order) => in_order(root, stage, order, &[], &mut facts)?,
            None => stage,
        };
        return Ok((facts, AggStrategy::Plain, stage));
    }
    let clauses: Vec<_> = pairs.iter().map(|(_, c)| c.clone()).collect();
    let sortable = clauses.iter().all(|c| c.sort_op.is_valid());
    let hashable = clauses.iter().all(|c| c.hashable) && !output.iter().any(sorts_its_input);
    let keys = sort_clause_keys(root, &clauses)?;
    let sorted = keys_contained(&keys, &stage.keys);
    let sort_total = if sorted {
        input.total
    } else {
        cost::sort(s, input.total, input.rows, input.width, 0.0).total
    };
    let mut sorted_facts = AggFacts {
        input: Cost {
            startup: sort_total,
            total: sort_total,
        },
        ..facts
    };
    if sorted {
        sorted_facts.input = facts.input;
    }
    let mut hashed = cost::agg_hashed(s, &facts).total;
    let mut by_sort = cost::agg_sorted(s, &sorted_facts).total;
    let order = sort_clause_keys(root, &root.query.sort_clause.clone())?;
    if !order.is_empty() {
        hashed = cost::sort(s, hashed, groups, input.width, 0.0).total;
        if !keys_contained(&order, &keys) {
            by_sort = cost::sort(s, by_sort, groups, input.width, 0.0).total;
        }
    }
    // Rows that come in order need no better reason, as in `add_path`, unless they come much later.
    let starts = (sorted_facts.input.startup, cost::agg_hashed(s, &facts).startup);
    let near = order.is_empty() && starts.0 <= starts.1 * FUZZ;
    let reach = if near { by_sort / FUZZ } else { by_sort };
    let use_hash = hashable && (!sortable || s.enable_hashagg && hashed <= reach);
    if use_hash {
        return Ok((facts, AggStrategy::Hashed, stage));
    }
    let groups = Presorted::of_groups(keys);
    let stage = in_order(root, stage, presorted.unwrap_or(&groups), pairs, &mut facts)?;
    Ok((facts, AggStrategy::Sorted, stage))
}

/// The input sorted by groups, then as aggregates want it.
fn in_order(
    root: &Root<'_, '_>,
    stage: Stage,
    order: &Presorted,
    groups: &[(Expr, nodes::query::SortGroupClause)],
    facts: &mut AggFacts,
) -> PgResult<Stage> {
    let pairs: Vec<_> = groups.iter().chain(&order.pairs).cloned().collect();
    let stage = sort_stage(root, stage, &order.keys, &pairs, 0.0)?;
    facts.input = Cost {
        startup: stage.plan.cost.startup,
        total: stage.plan.cost.total,
    };
    Ok(stage)
}

/// An aggregate with DISTINCT or ORDER BY.
fn sorts_its_input(e: &Expr) -> bool {
    let sorts = |e: &Expr| matches!(e, Expr::Aggref(a) if !a.distinct.is_empty() || !a.order_by.is_empty());
    walk::any(e, &mut { sorts })
}

/// Cost of a row for the aggregates in an expression.
pub fn aggregate_cost(root: &Root<'_, '_>, e: &Expr) -> f64 {
    let mut total = 0.0;
    walk::walk(e, &mut |e| {
        if let Expr::Aggref(a) = e {
            total += root.context().settings.cpu_operator_cost;
            total += a.args.iter().map(|t| cost::eval_cost(root, &t.expr)).sum::<f64>();
            return false;
        }
        true
    });
    total
}
