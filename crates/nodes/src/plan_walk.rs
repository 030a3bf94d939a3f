//! Visiting the expressions of plans.

use crate::expr::Expr;
use crate::plan::{Plan, PlanNode, PlannedStmt};
use crate::query::FrameBound;
use crate::walk;

impl Plan {
    /// Calls `visit` on the expressions of this node.
    pub fn for_each_expr<'p>(&'p self, visit: &mut dyn FnMut(&'p Expr)) {
        self.target_list.iter().for_each(|t| visit(&t.expr));
        self.qual.iter().for_each(&mut *visit);
        match &self.node {
            PlanNode::Result { one_time, .. } => one_time.iter().for_each(visit),
            PlanNode::IndexScan(s) | PlanNode::IndexOnlyScan(s) | PlanNode::BitmapIndexScan(s) => {
                s.quals.iter().for_each(|q| visit(&q.original));
            }
            PlanNode::BitmapHeapScan { recheck, .. } => recheck.iter().for_each(visit),
            PlanNode::TidScan { tids, .. } => tids.iter().for_each(visit),
            PlanNode::SampleScan { sample, .. } => {
                sample.args.iter().chain(&sample.repeatable).for_each(visit)
            }
            PlanNode::TidRangeScan { quals, .. } => quals.iter().for_each(visit),
            PlanNode::FunctionScan { functions, .. } => functions.iter().for_each(|f| visit(&f.expr)),
            PlanNode::ValuesScan { rows, .. } => rows.iter().flatten().for_each(visit),
            PlanNode::NestLoop { join_qual, .. } => join_qual.iter().for_each(visit),
            PlanNode::MergeJoin { join_qual, .. } => join_qual.iter().for_each(visit),
            PlanNode::HashJoin {
                clauses, join_qual, ..
            } => {
                clauses.iter().for_each(|c| {
                    visit(&c.outer);
                    visit(&c.inner);
                });
                join_qual.iter().for_each(visit);
            }
            PlanNode::WindowAgg { start, end, .. } => {
                for bound in [start, end] {
                    if let FrameBound::Preceding(e) | FrameBound::Following(e) = bound {
                        visit(e);
                    }
                }
            }
            PlanNode::Limit { offset, count, .. } => offset.iter().chain(count).for_each(visit),
            PlanNode::ModifyTable(m) => {
                for relation in &m.relations {
                    relation.returning.iter().for_each(|t| visit(&t.expr));
                }
                if let Some(conflict) = &m.on_conflict {
                    conflict.set.iter().for_each(|t| visit(&t.expr));
                    conflict.where_clause.iter().for_each(visit);
                }
            }
            _ => {}
        }
    }

    /// Calls `node` on this node and all below it, and `expr` on every part of every expression of theirs. Subplans are entered
    /// where an expression names them, once each, except those that `enters` refuses.
    pub fn visit_deep<'p>(
        &'p self,
        stmt: &'p PlannedStmt,
        enters: &dyn Fn(usize) -> bool,
        node: &mut dyn FnMut(&'p Plan),
        expr: &mut dyn FnMut(&'p Expr),
    ) {
        let mut seen = Vec::new();
        let mut waiting = vec![self];
        while let Some(plan) = waiting.pop() {
            node(plan);
            waiting.extend(plan.children());
            let mut named = Vec::new();
            plan.for_each_expr(&mut |e| {
                walk::walk(e, &mut |part| {
                    expr(part);
                    if let Expr::SubPlan(s) = part {
                        named.push(s.plan_id);
                    }
                    true
                });
            });
            if let PlanNode::CteScan { plan_id, .. } = &plan.node {
                named.push(*plan_id);
            }
            for id in named {
                if !seen.contains(&id) && enters(id) {
                    seen.push(id);
                    waiting.extend(stmt.subplans.get(id).map(|s| &s.plan));
                }
            }
        }
    }
}
