//! Trees of bitmaps as plans.

use common::PgResult;
use nodes::expr::{BoolExpr, BoolOp, Expr};
use nodes::plan::{Plan, PlanCost, PlanNode};

use crate::create_plan::{Pending, index_scan};
use crate::path::BitmapTree;
use crate::prep::and_of;
use crate::rel::BaseRel;
use crate::root::Root;
use crate::upper::node;

/// The plan of a tree; `recheck` gets the conditions that it answers.
pub fn bitmap(
    root: &mut Root<'_, '_>,
    rt_index: usize,
    base: &BaseRel,
    tree: &BitmapTree,
    pending: &mut Pending,
    recheck: &mut Vec<Expr>,
) -> PgResult<Plan> {
    let bare = |total: f64, rows: f64| PlanCost {
        startup: 0.0,
        total,
        rows,
        width: 0,
    };
    match tree {
        BitmapTree::Index(path, total, sel) => {
            recheck.extend(path.clauses.iter().map(|c| c.clause.clone()));
            let scan = index_scan(root, rt_index, base, path, pending)?;
            let rows = (base.tuples * sel).round().max(1.0);
            Ok(node(
                bare(*total, rows),
                Vec::new(),
                PlanNode::BitmapIndexScan(scan),
            ))
        }
        BitmapTree::And(parts) => {
            let inputs = parts
                .iter()
                .map(|part| bitmap(root, rt_index, base, part, pending, recheck))
                .collect::<PgResult<Vec<_>>>()?;
            let total = inputs.iter().map(|p| p.cost.total).sum();
            Ok(node(bare(total, 1.0), Vec::new(), PlanNode::BitmapAnd { inputs }))
        }
        BitmapTree::Or(parts) => {
            let mut arm_checks = Vec::new();
            let mut inputs = Vec::new();
            for part in parts {
                let mut own = Vec::new();
                inputs.push(bitmap(root, rt_index, base, part, pending, &mut own)?);
                arm_checks.push(own);
            }
            let total = inputs.iter().map(|p| p.cost.total).sum();
            let arms: Vec<Expr> = arm_checks.into_iter().filter_map(and_of).collect();
            recheck.push(Expr::Bool(BoolExpr {
                op: BoolOp::Or,
                args: arms,
                span: common::Span::NONE,
            }));
            Ok(node(bare(total, 1.0), Vec::new(), PlanNode::BitmapOr { inputs }))
        }
    }
}

/// The OR whose arms a bitmap tree answers, as a whole or as one of those that must all hold.
pub fn or_answers(q: &Expr, tree: &BitmapTree) -> bool {
    let parts = match tree {
        BitmapTree::Or(parts) => parts,
        BitmapTree::And(parts) => return parts.iter().any(|part| or_answers(q, part)),
        BitmapTree::Index(..) => return false,
    };
    let Expr::Bool(b) = q else { return false };
    let mut arms = Vec::new();
    for part in parts {
        if let BitmapTree::Index(path, ..) = part {
            arms.push(and_of(path.clauses.iter().map(|c| c.clause.clone()).collect()));
        }
    }
    b.op == BoolOp::Or
        && b.args.len() == arms.len()
        && b.args.iter().zip(&arms).all(|(a, arm)| arm.as_ref() == Some(a))
}
