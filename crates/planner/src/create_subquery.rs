//! Subquery Scans that only hand on what their subquery computes: they are left out.
//!
//! PG: `trivial_subqueryscan` in src/backend/optimizer/plan/setrefs.c, `use_physical_tlist` in createplan.c.

use common::AttrNumber;
use nodes::expr::{Expr, Var, VarSource};
use nodes::plan::{Plan, PlanNode};
use nodes::relids::RelIds;

use crate::root::Root;
use crate::upper::Stage;

/// True when the scan would only hand on every column of its input.
pub fn is_identity(output: &[Expr], input: &Plan) -> bool {
    output.len() == input.target_list.len()
        && output
            .iter()
            .enumerate()
            .all(|(i, e)| matches!(e, Expr::Var(v) if usize::from(v.attno as u16) == i + 1))
        && input.target_list.iter().all(|t| !t.resjunk)
}

/// The input of a join that takes rows of any width: all columns of the subquery instead of a scan that picks some of them.
pub fn without_trivial_scan(root: &Root<'_, '_>, rt_index: Option<usize>, stage: Stage) -> Stage {
    let (Some(rt_index), PlanNode::SubqueryScan { input, .. }) = (rt_index, &stage.plan.node) else {
        return stage;
    };
    let plain = |e: &Expr| matches!(e, Expr::Var(v) if v.source == VarSource::Scan && v.attno > 0);
    // Row marks want the scan's row as a whole.
    let marked = root.query.result_relation != 0 || !root.query.row_marks.is_empty();
    let hands_on = !marked
        && stage.plan.qual.is_empty()
        && stage.plan.init_plans.is_empty()
        && stage.plan.target_list.iter().all(|t| plain(&t.expr))
        && input.target_list.iter().all(|t| !t.resjunk)
        && input.target_list.len() == root.query.rte(rt_index).columns.len();
    if !hands_on {
        return stage;
    }
    let columns = root.query.rte(rt_index).columns.iter().enumerate();
    let output = columns.map(|(i, c)| {
        let attno = i as AttrNumber + 1;
        let known = stage
            .output
            .iter()
            .find(|e| matches!(e, Expr::Var(v) if v.attno == attno));
        known.cloned().unwrap_or_else(|| {
            Expr::Var(Var {
                source: VarSource::Rel {
                    index: rt_index,
                    levels_up: 0,
                },
                attno,
                type_ref: c.type_ref,
                collation: c.collation,
                nulling_rels: RelIds::empty(),
                returning: Default::default(),
                span: common::Span::NONE,
            })
        })
    });
    let output = output.collect();
    match stage.plan.node {
        PlanNode::SubqueryScan { input, .. } => Stage {
            plan: *input,
            output,
            keys: stage.keys,
        },
        _ => stage,
    }
}
