//! WITH queries: inlined when read once, else planned once and scanned.

use std::sync::Arc;

use common::PgResult;
use common::error::ErrorExt;
use nodes::expr::VarSource;
use nodes::plan::{Plan, PlanCost, PlanNode, SubPlanEntry, SubPlanUsage};
use nodes::query::{
    CommandType, CommonTableExpr, CteMaterialize, Query, RteKind, SetOp, SetOperation, SortGroupClause,
};
use nodes::{Expr, walk};

use crate::exprs::query_walk::{for_each_expr_deep, for_each_expr_mut};
use crate::root::{CteInfo, Root};
use crate::upper::{self, Planned};

/// Inlines or plans every WITH query of this level, in order.
pub fn plan_or_inline(root: &mut Root<'_, '_>) -> PgResult<()> {
    for cte in std::mem::take(&mut root.query.ctes) {
        if may_inline(&cte, root)? {
            inline(&mut root.query, &cte.name, &cte.query, 0);
            continue;
        }
        if cte.query.command != CommandType::Select {
            root.global.has_modifying_cte = true;
        } else if cte.reference_count == 0 {
            continue;
        }
        plan_cte(root, &cte)?;
    }
    Ok(())
}

fn may_inline(cte: &CommonTableExpr, root: &Root<'_, '_>) -> PgResult<bool> {
    let wanted = match cte.materialized {
        CteMaterialize::Never => true,
        CteMaterialize::Always => false,
        CteMaterialize::Default => cte.reference_count == 1,
    };
    if !wanted || cte.recursive || cte.query.command != CommandType::Select || !cte.query.row_marks.is_empty()
    {
        return Ok(false);
    }
    Ok(!has_volatile(&cte.query, root)?)
}

fn has_volatile(query: &Query, root: &Root<'_, '_>) -> PgResult<bool> {
    let mut copy = query.clone();
    let mut found = Ok(false);
    for_each_expr_deep(&mut copy, 0, &mut |e, _| {
        if matches!(found, Ok(false)) {
            found = crate::exprs::facts::is_volatile(e, root.context().catalog);
        }
    });
    found
}

/// Replaces references to the WITH query by a subquery; its own outer references move with the depth.
fn inline(query: &mut Query, name: &Arc<str>, body: &Arc<Query>, depth: usize) {
    for rte in &mut query.range_table {
        match &mut rte.kind {
            RteKind::Cte {
                name: n, levels_up, ..
            } if n == name && *levels_up == depth => {
                let mut body = (**body).clone();
                shift_outer_references(&mut body, depth);
                rte.kind = RteKind::Subquery {
                    query: Arc::new(body),
                    lateral: false,
                    view: None,
                    security_barrier: false,
                };
            }
            RteKind::Subquery { query, .. } => inline(Arc::make_mut(query), name, body, depth + 1),
            _ => {}
        }
    }
    for cte in &mut query.ctes {
        inline(Arc::make_mut(&mut cte.query), name, body, depth + 1);
    }
    for_each_expr_mut(query, &mut |e| {
        walk::rewrite(e, &mut |e| {
            if let Expr::SubLink(link) = e {
                inline(Arc::make_mut(&mut link.query), name, body, depth + 1);
            }
        });
    });
}

/// The body was one level below the WITH's query; now it is `by` levels deeper.
fn shift_outer_references(body: &mut Query, by: usize) {
    if by == 0 {
        return;
    }
    for_each_expr_deep(body, 0, &mut |e, depth| {
        walk::rewrite(e, &mut |e| {
            if let Expr::Var(v) = e {
                if let VarSource::Rel { levels_up, .. } = &mut v.source {
                    if *levels_up > depth {
                        *levels_up += by;
                    }
                }
            }
        });
    });
    shift_cte_references(body, 0, by as isize);
}

/// Adds `by` to the level of WITH references that leave the query.
pub fn shift_cte_references(query: &mut Query, depth: usize, by: isize) {
    for rte in &mut query.range_table {
        match &mut rte.kind {
            RteKind::Cte { levels_up, .. } if *levels_up > depth => {
                *levels_up = levels_up.saturating_add_signed(by);
            }
            RteKind::Subquery { query, .. } => shift_cte_references(Arc::make_mut(query), depth + 1, by),
            _ => {}
        }
    }
    for cte in &mut query.ctes {
        shift_cte_references(Arc::make_mut(&mut cte.query), depth + 1, by);
    }
    for_each_expr_mut(query, &mut |e| {
        walk::rewrite(e, &mut |e| {
            if let Expr::SubLink(link) = e {
                shift_cte_references(Arc::make_mut(&mut link.query), depth + 1, by);
            }
        });
    });
}

fn plan_cte(root: &mut Root<'_, '_>, cte: &CommonTableExpr) -> PgResult<()> {
    let planned = match (&cte.query.set_operations, cte.recursive) {
        (Some(op), true) => plan_recursive(root, cte, op)?,
        _ => crate::root::plan_level(root.global, (*cte.query).clone(), 0.0)?,
    };
    let info = CteInfo {
        plan_id: root.global.subplans.len(),
        rows: planned.plan.cost.rows,
        total: planned.plan.cost.total,
        worktable_param: None,
    };
    root.init_plans.push(info.plan_id);
    root.global.subplans.push(SubPlanEntry {
        plan: planned.plan,
        name: format!("CTE {}", cte.name).into(),
        usage: SubPlanUsage::Cte,
    });
    if let Some(level) = root.global.ctes.last_mut() {
        level.insert(cte.name.clone(), info);
    }
    Ok(())
}

/// `initial UNION [ALL] recursive`: the recursive term sees the rows of the last round as a work table.
fn plan_recursive(root: &mut Root<'_, '_>, cte: &CommonTableExpr, op: &SetOperation) -> PgResult<Planned> {
    let SetOperation::Op {
        op: SetOp::Union,
        all,
        left,
        right,
        group_clauses,
        ..
    } = op
    else {
        return crate::root::plan_level(root.global, (*cte.query).clone(), 0.0);
    };
    let (SetOperation::Rel(left), SetOperation::Rel(right)) = (&**left, &**right) else {
        return Err(common::internal!(
            "recursive query \"{}\" is not a union of two terms",
            cte.name
        ));
    };
    let term = |index: usize| match &cte.query.rte(index).kind {
        RteKind::Subquery { query, .. } => Ok((**query).clone()),
        _ => Err(common::internal!("term of a recursive query is not a subquery")),
    };
    if !*all && group_clauses.iter().any(|clause| !clause.hashable) {
        return Err(
            common::pg_err!(FEATURE_NOT_SUPPORTED, "could not implement recursive UNION")
                .detail("All column datatypes must be hashable."),
        );
    }
    // The terms stand one level below the WITH query's own (which has nothing else in it).
    root.global.ctes.push(Default::default());
    let initial = crate::root::plan_level(root.global, term(*left)?, 0.0);
    root.global.ctes.pop();
    let initial = initial?;
    let worktable_param = root.global.new_param();
    let info = CteInfo {
        plan_id: 0,
        rows: initial.plan.cost.rows * 10.0,
        total: initial.plan.cost.total,
        worktable_param: Some(worktable_param),
    };
    if let Some(level) = root.global.ctes.last_mut() {
        level.insert(cte.name.clone(), info);
    }
    root.global.ctes.push(Default::default());
    let recursive = crate::root::plan_level(root.global, term(*right)?, 0.0);
    root.global.ctes.pop();
    Ok(recursive_union(
        initial,
        recursive?,
        worktable_param,
        *all,
        group_clauses,
    ))
}

fn recursive_union(
    initial: Planned,
    recursive: Planned,
    worktable_param: usize,
    all: bool,
    group: &[SortGroupClause],
) -> Planned {
    let total_rows = initial.plan.cost.rows + 10.0 * recursive.plan.cost.rows;
    let cost = PlanCost {
        startup: initial.plan.cost.startup,
        total: initial.plan.cost.total + 10.0 * recursive.plan.cost.total + 0.01 * total_rows,
        rows: total_rows,
        width: initial.plan.cost.width.max(recursive.plan.cost.width),
    };
    let distinct = if all {
        Vec::new()
    } else {
        upper::group_keys_by_position(group, &initial.plan.target_list)
    };
    let target_list = upper::pass_through_targets(&initial.plan.target_list);
    let node = PlanNode::RecursiveUnion {
        initial: Box::new(initial.plan),
        recursive: Box::new(recursive.plan),
        worktable_param,
        distinct,
    };
    Planned {
        plan: Plan {
            id: 0,
            cost,
            target_list,
            qual: Vec::new(),
            init_plans: Vec::new(),
            parallel_aware: false,
            disabled_nodes: 0,
            node,
        },
        output: initial.output,
        keys: Vec::new(),
    }
}
