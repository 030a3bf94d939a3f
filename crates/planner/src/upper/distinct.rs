//! DISTINCT and DISTINCT ON, then ORDER BY.

use common::{Oid, PgResult};
use nodes::expr::{Const, Expr};
use nodes::plan::{AggSplit, AggStrategy, PlanCost, PlanNode};
use nodes::query::SortGroupClause;
use types::Datum;
use types::settings::TypeRef;

use crate::cost::{self, AggFacts, Cost};
use crate::equivalence;
use crate::groups;
use crate::path::{PathKey, keys_contained};
use crate::root::Root;
use crate::upper::{
    self, Stage, clause_exprs, group_keys, pass_through_targets, sort_clause_keys, sort_stage,
};

/// Makes rows distinct and puts them in the order of `order`.
pub fn add(root: &mut Root<'_, '_>, stage: Stage, order: &[PathKey]) -> PgResult<Stage> {
    let distinct = root.query.distinct_clause.clone();
    let distinct = equivalence::necessary_clauses(root, &distinct)?;
    let sort = root.query.sort_clause.clone();
    let sort = equivalence::necessary_clauses(root, &sort)?;
    if distinct.is_empty() {
        return first_row(root, stage, order, &sort);
    }
    let pairs = clause_exprs(root, &distinct);
    let sort_pairs = clause_exprs(root, &sort);
    let on = root.query.has_distinct_on;
    let s = root.context().settings;
    let exprs: Vec<&Expr> = pairs.iter().map(|(e, _)| e).collect();
    let rows = stage.plan.cost.rows;
    let groups = groups::groups(root, &exprs, rows);
    let input = stage.plan.cost;
    let facts = AggFacts {
        input: Cost {
            startup: input.startup,
            total: input.total,
        },
        rows,
        width: input.width,
        groups,
        keys: pairs.len(),
        trans_per_row: 0.0,
        final_per_group: 0.0,
    };
    // Sorting serves ORDER BY too when that begins with, or continues, the distinct columns.
    let combined = combined_order(&distinct, &sort);
    let distinct_keys = sort_clause_keys(root, &combined)?;
    let sortable = combined.len() >= distinct.len() && combined.iter().all(|c| c.sort_op.is_valid());
    let hashable = !on && distinct.iter().all(|c| c.hashable);
    let sorted_already = keys_contained(&distinct_keys, &stage.keys);
    let sort_cost = if sorted_already {
        input.total
    } else {
        cost::sort(s, input.total, rows, input.width, 0.0).total
    };
    let unique_cost = sort_cost + s.cpu_operator_cost * rows * pairs.len() as f64;
    let mut hash_cost = cost::agg_hashed(s, &facts).total;
    if !order.is_empty() {
        hash_cost = cost::sort(s, hash_cost, groups, input.width, 0.0).total;
    }
    let use_hash = hashable && (!sortable || s.enable_hashagg && hash_cost < unique_cost);
    if use_hash {
        let stage = hash(root, stage, &pairs, &facts)?;
        return sort_stage(root, stage, order, &sort_pairs, 0.0);
    }
    let combined_pairs = clause_exprs(root, &combined);
    let stage = sort_stage(root, stage, &distinct_keys, &combined_pairs, 0.0)?;
    let keys = group_keys(&pairs, &stage.output)?;
    let mut cost = stage.plan.cost;
    cost.total += s.cpu_operator_cost * cost.rows * keys.len() as f64;
    cost.rows = groups;
    let targets = pass_through_targets(&stage.plan.target_list);
    let plan = upper::node(
        cost,
        targets,
        PlanNode::Unique {
            input: Box::new(stage.plan),
            keys,
        },
    );
    let stage = Stage { plan, ..stage };
    sort_stage(root, stage, order, &sort_pairs, 0.0)
}

/// All rows are equal in what is distinct: the first one stands for them.
fn first_row(
    root: &Root<'_, '_>,
    stage: Stage,
    order: &[PathKey],
    sort: &[SortGroupClause],
) -> PgResult<Stage> {
    let stage = sort_stage(root, stage, order, &clause_exprs(root, sort), 1.0)?;
    let mut cost = stage.plan.cost;
    cost.total = cost.startup + (cost.total - cost.startup) / cost.rows.max(1.0);
    cost.rows = 1.0;
    let targets = pass_through_targets(&stage.plan.target_list);
    let one = Expr::Const(Const {
        value: Datum::Int8(1),
        type_ref: TypeRef::plain(types::oids::INT8),
        collation: Oid::INVALID,
        span: common::Span::NONE,
    });
    let limit = PlanNode::Limit {
        input: Box::new(stage.plan),
        offset: None,
        count: Some(one),
        ties: None,
    };
    Ok(Stage {
        plan: upper::node(cost, targets, limit),
        ..stage
    })
}

fn hash(
    root: &Root<'_, '_>,
    stage: Stage,
    pairs: &[(Expr, SortGroupClause)],
    facts: &AggFacts,
) -> PgResult<Stage> {
    let keys = group_keys(pairs, &stage.output)?;
    let c = cost::agg_hashed(root.context().settings, facts);
    let cost = PlanCost {
        startup: c.startup,
        total: c.total,
        rows: facts.groups,
        width: facts.width,
    };
    let targets = pass_through_targets(&stage.plan.target_list);
    let node = PlanNode::Agg {
        input: Box::new(stage.plan),
        strategy: AggStrategy::Hashed,
        split: AggSplit::Simple,
        keys,
        passes: Vec::new(),
        groups: facts.groups,
    };
    Ok(Stage {
        plan: upper::node(cost, targets, node),
        output: stage.output,
        keys: Vec::new(),
    })
}

/// ORDER BY's columns first while they are distinct columns, then the other distinct columns; for DISTINCT ON the rest
/// of ORDER BY decides which row of a group comes first.
fn combined_order(distinct: &[SortGroupClause], sort: &[SortGroupClause]) -> Vec<SortGroupClause> {
    let in_distinct = |c: &SortGroupClause| distinct.iter().any(|d| d.target_ref == c.target_ref);
    let leading = sort.iter().take_while(|c| in_distinct(c)).count();
    let mut out: Vec<SortGroupClause> = sort[..leading].to_vec();
    for d in distinct {
        if !out.iter().any(|c| c.target_ref == d.target_ref) {
            out.push(d.clone());
        }
    }
    if leading < sort.len() && out.len() == leading {
        out.extend(sort[leading..].iter().cloned());
    }
    out
}
