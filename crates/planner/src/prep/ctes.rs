//! WITH queries: inlined when read once, else planned once and scanned.

use std::sync::Arc;

use common::PgResult;
use common::error::ErrorExt;
use nodes::expr::VarSource;
use nodes::plan::{PlanCost, PlanNode, SubPlanEntry, SubPlanUsage};
use nodes::query::{
    CommandType, CommonTableExpr, CteMaterialize, Query, RteKind, SetOp, SetOperation, SortGroupClause,
};
use nodes::{Expr, walk};

use crate::exprs::query_walk::{for_each_expr_deep, for_each_expr_mut};
use crate::prep::search_cycle;
use crate::root::{CteInfo, Root};
use crate::upper::{self, Stage, set_ops};

/// Inlines or plans every WITH query of this level, in order.
pub fn plan_or_inline(root: &mut Root<'_, '_>) -> PgResult<()> {
    let mut rest = std::collections::VecDeque::from(std::mem::take(&mut root.query.ctes));
    while let Some(cte) = rest.pop_front() {
        if may_inline(&cte, root)? {
            inline(&mut root.query, &cte.name, &cte.query, 0);
            for later in &mut rest {
                inline(Arc::make_mut(&mut later.query), &cte.name, &cte.query, 1);
            }
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
pub fn shift_outer_references(body: &mut Query, by: usize) {
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
    let query = search_cycle::rewrite(cte, root.context().catalog)?;
    let planned = match (&query.set_operations, cte.recursive) {
        (Some(_), true) => crate::root::plan_recursive_level(root.global, query, &cte.name)?,
        _ => crate::root::plan_level(root.global, query, 0.0)?,
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

/// `initial UNION [ALL] recursive`, the set operation of a recursive WITH query's own level: the recursive term sees the rows of
/// the last round as a work table, under the name of the query one level further out.
pub fn plan_recursive_union(root: &mut Root<'_, '_>, name: &Arc<str>, op: &SetOperation) -> PgResult<Stage> {
    let SetOperation::Op {
        op: SetOp::Union,
        all,
        left,
        right,
        group_clauses,
        ..
    } = op
    else {
        return Err(common::internal!("recursive query \"{name}\" is not a union"));
    };
    if !*all && group_clauses.iter().any(|g| !g.hashable) {
        return Err(
            common::pg_err!(FEATURE_NOT_SUPPORTED, "could not implement recursive UNION")
                .detail("All column datatypes must be hashable."),
        );
    }
    let initial = set_ops::plan_node(root, left)?;
    let worktable_param = root.global.new_param();
    let info = CteInfo {
        plan_id: 0,
        rows: initial.plan.cost.rows * 10.0,
        total: initial.plan.cost.total,
        worktable_param: Some(worktable_param),
    };
    let outer = root.global.ctes.len().checked_sub(2);
    if let Some(level) = outer.and_then(|at| root.global.ctes.get_mut(at)) {
        level.insert(name.clone(), info);
    }
    let recursive = set_ops::plan_node(root, right)?;
    Ok(recursive_union(
        initial,
        recursive,
        worktable_param,
        *all,
        group_clauses,
    ))
}

fn recursive_union(
    initial: Stage,
    recursive: Stage,
    worktable_param: usize,
    all: bool,
    group: &[SortGroupClause],
) -> Stage {
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
    Stage {
        plan: upper::node(cost, target_list, node),
        output: initial.output,
        keys: Vec::new(),
    }
}
