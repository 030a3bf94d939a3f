//! Target lists: computed by the node itself, below it, or by a node of their own; sets are expanded.

use common::PgResult;
use nodes::expr::Expr;
use nodes::plan::{Plan, PlanCost, PlanNode};
use nodes::query::{RteKind, TargetEntry};

use crate::exprs::positions;
use crate::root::Root;
use crate::upper::{Stage, fix_to_input, gather, node, pass_through_targets, target};
use crate::{cost, paths};

/// Computes exactly `exprs` from the input: by the node itself when it can project, else by a Result above it.
pub fn project(root: &Root<'_, '_>, stage: Stage, targets: Vec<TargetEntry>) -> PgResult<Stage> {
    let output: Vec<Expr> = targets.iter().map(|t| t.expr.clone()).collect();
    let keys = stage.keys.clone();
    if output.iter().any(|e| needs_srf(e, &stage.output)) {
        return project_set(root, stage, targets);
    }
    if output == stage.output {
        let mut stage = stage;
        for (mine, t) in stage.plan.target_list.iter_mut().zip(&targets) {
            let expr = std::mem::replace(&mut mine.expr, Expr::bool_const(true));
            *mine = TargetEntry { expr, ..t.clone() };
        }
        return Ok(Stage { output, ..stage });
    }
    let per_row: f64 = output
        .iter()
        .filter(|e| !stage.output.contains(e))
        .map(|e| cost::eval_cost(root, e))
        .sum();
    let mut cost = stage.plan.cost;
    cost.total += per_row * cost.rows;
    cost.width = output.iter().map(|e| paths::expr_width(root, e)).sum();
    let fixed = |list: &[Expr]| -> PgResult<Vec<TargetEntry>> {
        targets
            .iter()
            .map(|t| {
                Ok(TargetEntry {
                    expr: fix_to_input(&t.expr, list)?,
                    ..t.clone()
                })
            })
            .collect()
    };
    let mut plan = stage.plan;
    if can_project(&plan.node) && stage.output.len() == plan.target_list.len() {
        // Substitute the node's own expressions for its old columns.
        let inner: Vec<Expr> = plan.target_list.iter().map(|t| t.expr.clone()).collect();
        plan.target_list = fixed(&stage.output)?
            .into_iter()
            .map(|t| TargetEntry {
                expr: positions::substitute_outer(t.expr, &inner),
                ..t
            })
            .collect();
        plan.cost = cost;
        return Ok(Stage { plan, output, keys });
    }
    if gather::computes(root, &plan, &targets) {
        return gather::push_below(root, Stage { plan, ..stage }, targets);
    }
    let list = fixed(&stage.output)?;
    if is_partitioned(root, &plan) {
        push_below_append(&mut plan, &list, per_row);
        plan.cost = cost;
        return Ok(Stage { plan, output, keys });
    }
    let plan = node(
        cost,
        list,
        PlanNode::Result {
            input: Some(Box::new(plan)),
            one_time: Vec::new(),
        },
    );
    Ok(Stage { plan, output, keys })
}

/// The partitions of a table.
fn is_partitioned(root: &Root<'_, '_>, plan: &Plan) -> bool {
    let PlanNode::Append { rt_index, roots, .. } = &plan.node else {
        return false;
    };
    if !roots.is_empty() {
        return true;
    }
    let rte = rt_index
        .checked_sub(1)
        .and_then(|i| root.global.range_table.get(i));
    rte.is_some_and(|r| matches!(r.kind, RteKind::Relation { relkind: b'p', .. }))
}

/// Partitions compute the list themselves.
///
/// PG: `apply_scanjoin_target_to_paths`.
fn push_below_append(plan: &mut Plan, list: &[TargetEntry], per_row: f64) {
    let PlanNode::Append { inputs, .. } = &mut plan.node else {
        return;
    };
    for input in inputs.iter_mut() {
        let own: Vec<Expr> = input.target_list.iter().map(|t| t.expr.clone()).collect();
        let width = input.cost.width;
        if can_project(&input.node) {
            input.target_list = list
                .iter()
                .map(|t| TargetEntry {
                    expr: positions::substitute_outer(t.expr.clone(), &own),
                    ..t.clone()
                })
                .collect();
        } else {
            let below = std::mem::replace(
                input,
                node(
                    PlanCost::default(),
                    Vec::new(),
                    PlanNode::Result {
                        input: None,
                        one_time: Vec::new(),
                    },
                ),
            );
            *input = node(
                below.cost,
                list.to_vec(),
                PlanNode::Result {
                    input: Some(Box::new(below)),
                    one_time: Vec::new(),
                },
            );
        }
        input.cost.total += per_row * input.cost.rows;
        input.cost.width = width;
    }
    plan.target_list = pass_through_targets(list);
}

/// True for a set-returning function that the input has not computed yet.
fn needs_srf(e: &Expr, input: &[Expr]) -> bool {
    if input.contains(e) {
        return false;
    }
    if matches!(e, Expr::Func(f) if f.returns_set) {
        return true;
    }
    let mut found = false;
    nodes::walk::for_each_child(e, &mut |child| found = found || needs_srf(child, input));
    found
}

/// Set-returning functions whose arguments contain others: those inner ones are computed by a node of their own below.
fn has_nested_srf(e: &Expr, input: &[Expr]) -> bool {
    if input.contains(e) {
        return false;
    }
    let mut found = false;
    if let Expr::Func(f) = e
        && f.returns_set
    {
        found = f.args.iter().any(|a| needs_srf(a, input));
    }
    nodes::walk::for_each_child(e, &mut |child| found = found || has_nested_srf(child, input));
    found
}

/// The innermost set-returning functions, and the parts without sets that are needed beside them.
fn innermost_srfs(e: &Expr, input: &[Expr], out: &mut Vec<Expr>) {
    let innermost =
        matches!(e, Expr::Func(f) if f.returns_set && !f.args.iter().any(|a| needs_srf(a, input)));
    if innermost || !needs_srf(e, input) {
        if !matches!(e, Expr::Const(_) | Expr::Param(_)) && !out.contains(e) {
            out.push(e.clone());
        }
        return;
    }
    nodes::walk::for_each_child(e, &mut |child| innermost_srfs(child, input, out));
}

/// Nodes that compute expressions; the others hand their input's columns on.
pub fn can_project(n: &PlanNode) -> bool {
    !matches!(
        n,
        PlanNode::Sort { .. }
            | PlanNode::IncrementalSort { .. }
            | PlanNode::Limit { .. }
            | PlanNode::Unique { .. }
            | PlanNode::Material { .. }
            | PlanNode::Memoize { .. }
            | PlanNode::Hash { .. }
            | PlanNode::LockRows { .. }
            | PlanNode::Append { .. }
            | PlanNode::MergeAppend { .. }
            | PlanNode::SetOp { .. }
            | PlanNode::RecursiveUnion { .. }
            | PlanNode::ModifyTable(_)
            | PlanNode::ProjectSet { .. }
            | PlanNode::Gather { .. }
    )
}

fn project_set(root: &Root<'_, '_>, stage: Stage, targets: Vec<TargetEntry>) -> PgResult<Stage> {
    if targets.iter().any(|t| has_nested_srf(&t.expr, &stage.output)) {
        let mut below = Vec::new();
        for t in &targets {
            innermost_srfs(&t.expr, &stage.output, &mut below);
        }
        let list = below
            .into_iter()
            .enumerate()
            .map(|(i, e)| target(e, i + 1, None))
            .collect();
        let stage = project_set(root, stage, list)?;
        return project(root, stage, targets);
    }
    let output: Vec<Expr> = targets.iter().map(|t| t.expr.clone()).collect();
    let list = targets
        .iter()
        .map(|t| {
            Ok(TargetEntry {
                expr: fix_to_input(&t.expr, &stage.output)?,
                ..t.clone()
            })
        })
        .collect::<PgResult<Vec<_>>>()?;
    let mut cost = stage.plan.cost;
    let factor = output
        .iter()
        .filter_map(|e| match e {
            Expr::Func(f) if f.returns_set => root
                .context()
                .catalog
                .function(f.func)
                .ok()
                .flatten()
                .map(|d| d.rows),
            _ => None,
        })
        .fold(1.0_f64, |a, b| a.max(f64::from(b)));
    cost.rows *= factor;
    cost.total += root.context().settings.cpu_tuple_cost * cost.rows;
    cost.width = output.iter().map(|e| paths::expr_width(root, e)).sum();
    let plan = node(
        cost,
        list,
        PlanNode::ProjectSet {
            input: Box::new(stage.plan),
        },
    );
    Ok(Stage {
        plan,
        output,
        keys: Vec::new(),
    })
}
