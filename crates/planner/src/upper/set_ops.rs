//! UNION, INTERSECT, EXCEPT.

use common::{PgResult, internal, unsupported};
use nodes::expr::Expr;
use nodes::plan::{AggSplit, AggStrategy, PlanCost, PlanNode, SortKey};
use nodes::query::{Query, RteKind, SetOp, SetOperation, SortGroupClause, TargetEntry};

use crate::cost::{self, AggFacts, Cost};
use crate::exprs::positions::substitute_outer;
use crate::prep::ctes;
use crate::root::{Root, plan_level};
use crate::upper::{self, Stage, group_keys_by_position, outer_var, pass_through_targets, target};
use crate::{equivalence, paths};

/// Plans the tree of set operations and the ORDER BY above it.
pub fn plan(root: &mut Root<'_, '_>) -> PgResult<Stage> {
    let Some(tree) = root.query.set_operations.clone() else {
        return Err(internal!("no set operation to plan"));
    };
    let mut stage = match root.recursive_cte.clone() {
        Some(name) => ctes::plan_recursive_union(root, &name, &tree)?,
        None => plan_node(root, &tree)?,
    };
    // Give the output the level's own names and columns.
    let targets = root.query.target_list.clone();
    for (mine, t) in stage.plan.target_list.iter_mut().zip(&targets) {
        mine.name = t.name.clone();
        mine.sort_group_ref = t.sort_group_ref;
        mine.resjunk = false;
    }
    stage.output = targets.iter().map(|t| t.expr.clone()).collect();
    sort_output(root, stage, &targets)
}

fn sort_output(root: &mut Root<'_, '_>, stage: Stage, targets: &[TargetEntry]) -> PgResult<Stage> {
    let clauses = root.query.sort_clause.clone();
    if clauses.is_empty() {
        return Ok(stage);
    }
    let mut keys = Vec::new();
    for clause in &clauses {
        let Some(i) = targets.iter().position(|t| t.sort_group_ref == clause.target_ref) else {
            return Err(internal!(
                "ORDER BY column of a set operation is not in its output"
            ));
        };
        keys.push(SortKey {
            column: i as i16 + 1,
            sort_op: clause.sort_op,
            descending: equivalence::sort_op_family(root, clause.sort_op)?.is_some_and(|(_, d)| d),
            nulls_first: clause.nulls_first,
            collation: targets[i].expr.collation(),
        });
    }
    let s = root.context().settings;
    let input = stage.plan.cost;
    let c = cost::sort(s, input.total, input.rows, input.width, 0.0);
    let list = pass_through_targets(&stage.plan.target_list);
    let cost = PlanCost {
        startup: c.startup,
        total: c.total,
        ..input
    };
    let plan = upper::node(
        cost,
        list,
        PlanNode::Sort {
            input: Box::new(stage.plan),
            keys,
        },
    );
    Ok(Stage { plan, ..stage })
}

/// Plans one operation, or an input of one.
pub fn plan_node(root: &mut Root<'_, '_>, tree: &SetOperation) -> PgResult<Stage> {
    match tree {
        SetOperation::Rel(index) => plan_leaf(root, *index),
        SetOperation::Coerce { input, exprs } => {
            let input = plan_node(root, input)?;
            Ok(coerce(root, input, exprs))
        }
        SetOperation::Op {
            op: SetOp::Union,
            all,
            left,
            right,
            group_clauses,
            ..
        } => {
            let mut inputs = Vec::new();
            // Nested UNIONs of the same kind flatten into one Append.
            collect_union(root, left, *all, &mut inputs)?;
            collect_union(root, right, *all, &mut inputs)?;
            let stage = append(root, inputs)?;
            if *all {
                Ok(stage)
            } else {
                distinct(root, stage, group_clauses)
            }
        }
        SetOperation::Op {
            op,
            all,
            left,
            right,
            group_clauses,
            ..
        } => {
            let inputs = (plan_node(root, left)?, plan_node(root, right)?);
            counting(root, (*op, *all), inputs, group_clauses)
        }
    }
}

/// INTERSECT and EXCEPT: rows of both sides are counted in groups.
fn counting(
    root: &Root<'_, '_>,
    (op, all): (SetOp, bool),
    (l, r): (Stage, Stage),
    group_clauses: &[SortGroupClause],
) -> PgResult<Stage> {
    let s = root.context().settings;
    if group_clauses.iter().any(|g| !g.hashable) {
        return Err(unsupported!(
            "set operation over columns that cannot be hashed is not supported yet"
        ));
    }
    let (lc, rc) = (l.plan.cost, r.plan.cost);
    let rows = match op {
        SetOp::Intersect => lc.rows.min(rc.rows),
        _ => lc.rows,
    };
    let cost = PlanCost {
        startup: lc.total + rc.total,
        total: lc.total + rc.total + s.cpu_operator_cost * (lc.rows + rc.rows) + s.cpu_tuple_cost * rows,
        rows,
        width: lc.width,
    };
    let keys = group_keys_by_position(group_clauses, &l.plan.target_list);
    let list = pass_through_targets(&l.plan.target_list);
    let output = l.output.clone();
    let node = PlanNode::SetOp {
        op,
        all,
        hashed: true,
        keys,
        left: Box::new(l.plan),
        right: Box::new(r.plan),
    };
    Ok(Stage {
        plan: upper::node(cost, list, node),
        output,
        keys: Vec::new(),
    })
}

/// Converts the columns of an input: in its own node if that computes expressions, else in one above it.
fn coerce(root: &Root<'_, '_>, stage: Stage, exprs: &[Expr]) -> Stage {
    let Stage { mut plan, .. } = stage;
    let mut cost = plan.cost;
    cost.total += exprs.iter().map(|e| cost::eval_cost(root, e)).sum::<f64>() * cost.rows;
    cost.width = exprs.iter().map(|e| paths::expr_width(root, e)).sum();
    let output = exprs.to_vec();
    let names: Vec<_> = plan.target_list.iter().map(|t| t.name.clone()).collect();
    let list = exprs.iter().zip(names).enumerate();
    let list: Vec<TargetEntry> = list
        .map(|(i, (e, name))| target(e.clone(), i + 1, name))
        .collect();
    if upper::can_project(&plan.node) {
        let own: Vec<Expr> = plan.target_list.iter().map(|t| t.expr.clone()).collect();
        let list = list.into_iter().map(|t| TargetEntry {
            expr: substitute_outer(t.expr, &own),
            ..t
        });
        plan.target_list = list.collect();
        plan.cost = cost;
    } else {
        let node = PlanNode::Result {
            input: Some(Box::new(plan)),
            one_time: Vec::new(),
        };
        plan = upper::node(cost, list, node);
    }
    Stage {
        plan,
        output,
        keys: Vec::new(),
    }
}

fn collect_union(
    root: &mut Root<'_, '_>,
    tree: &SetOperation,
    all: bool,
    out: &mut Vec<Stage>,
) -> PgResult<()> {
    match tree {
        // Inside a UNION that drops duplicates, an inner UNION ALL may keep them: the outer drops them anyway.
        SetOperation::Op {
            op: SetOp::Union,
            all: inner_all,
            left,
            right,
            ..
        } if !all || *inner_all == all => {
            collect_union(root, left, all, out)?;
            collect_union(root, right, all, out)
        }
        other => {
            let stage = plan_node(root, other)?;
            out.push(stage);
            Ok(())
        }
    }
}

fn plan_leaf(root: &mut Root<'_, '_>, index: usize) -> PgResult<Stage> {
    let RteKind::Subquery { query, .. } = &root.query.rte(index).kind else {
        return Err(internal!("leaf of a set operation is not a subquery"));
    };
    let query: Query = (**query).clone();
    let planned = plan_level(root.global, query, 0.0)?;
    let visible: Vec<usize> = planned
        .plan
        .target_list
        .iter()
        .enumerate()
        .filter(|(_, t)| !t.resjunk)
        .map(|(i, _)| i)
        .collect();
    let stage = Stage {
        plan: planned.plan,
        output: planned.output,
        keys: Vec::new(),
    };
    if visible.len() == stage.output.len() {
        return Ok(stage);
    }
    // Sort columns that are not output stay below.
    let list: Vec<TargetEntry> = visible
        .iter()
        .enumerate()
        .map(|(n, &i)| {
            let t = &stage.plan.target_list[i];
            TargetEntry {
                expr: outer_var(i, &t.expr),
                resno: n as i16 + 1,
                ..t.clone()
            }
        })
        .collect();
    let output = visible.iter().map(|&i| stage.output[i].clone()).collect();
    let cost = stage.plan.cost;
    let plan = upper::node(
        cost,
        list,
        PlanNode::Result {
            input: Some(Box::new(stage.plan)),
            one_time: Vec::new(),
        },
    );
    Ok(Stage {
        plan,
        output,
        keys: Vec::new(),
    })
}

fn append(root: &Root<'_, '_>, inputs: Vec<Stage>) -> PgResult<Stage> {
    let s = root.context().settings;
    let Some(first) = inputs.first() else {
        return Err(internal!("union without inputs"));
    };
    let output: Vec<Expr> = first.output.clone();
    let list: Vec<TargetEntry> = first
        .plan
        .target_list
        .iter()
        .enumerate()
        .map(|(i, t)| target(outer_var(i, &t.expr), i + 1, t.name.clone()))
        .collect();
    let mut cost = PlanCost {
        startup: first.plan.cost.startup,
        total: 0.0,
        rows: 0.0,
        width: first.plan.cost.width,
    };
    for i in &inputs {
        cost.total += i.plan.cost.total;
        cost.rows += i.plan.cost.rows;
    }
    cost.total += 0.5 * s.cpu_tuple_cost * cost.rows;
    let plans = inputs.into_iter().map(|i| i.plan).collect();
    Ok(Stage {
        plan: upper::node(
            cost,
            list,
            PlanNode::Append {
                inputs: plans,
                rt_index: 0,
                roots: Vec::new(),
                prune: None,
            },
        ),
        output,
        keys: Vec::new(),
    })
}

fn distinct(root: &Root<'_, '_>, stage: Stage, group: &[SortGroupClause]) -> PgResult<Stage> {
    let s = root.context().settings;
    let input = stage.plan.cost;
    let keys = group_keys_by_position(group, &stage.plan.target_list);
    let list = pass_through_targets(&stage.plan.target_list);
    let output = stage.output.clone();
    if group.iter().all(|g| g.hashable) && s.enable_hashagg {
        let facts = AggFacts {
            input: Cost {
                startup: input.startup,
                total: input.total,
            },
            rows: input.rows,
            width: input.width,
            groups: input.rows,
            keys: keys.len(),
            trans_per_row: 0.0,
            final_per_group: 0.0,
        };
        let c = cost::agg_hashed(s, &facts);
        let cost = PlanCost {
            startup: c.startup,
            total: c.total,
            ..input
        };
        let node = PlanNode::Agg {
            input: Box::new(stage.plan),
            strategy: AggStrategy::Hashed,
            split: AggSplit::Simple,
            keys,
            passes: Vec::new(),
            groups: input.rows,
        };
        return Ok(Stage {
            plan: upper::node(cost, list, node),
            output,
            keys: Vec::new(),
        });
    }
    let sort_keys: Vec<SortKey> = group
        .iter()
        .zip(&keys)
        .map(|(g, k)| SortKey {
            column: k.column,
            sort_op: g.sort_op,
            descending: false,
            nulls_first: g.nulls_first,
            collation: k.collation,
        })
        .collect();
    let c = cost::sort(s, input.total, input.rows, input.width, 0.0);
    let cost = PlanCost {
        startup: c.startup,
        total: c.total,
        ..input
    };
    let sorted = upper::node(
        cost,
        list.clone(),
        PlanNode::Sort {
            input: Box::new(stage.plan),
            keys: sort_keys,
        },
    );
    let plan = upper::node(
        cost,
        list,
        PlanNode::Unique {
            input: Box::new(sorted),
            keys,
        },
    );
    Ok(Stage {
        plan,
        output,
        keys: Vec::new(),
    })
}
