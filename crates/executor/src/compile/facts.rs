//! Facts of plan trees: which columns and executor parameters they read.

use std::sync::Arc;

use common::AttrNumber;
use nodes::expr::{Expr, ParamKind, VarSource};
use nodes::plan::{IndexQualValue, IndexScan, SubPlanEntry};
use nodes::query::FrameBound;
use nodes::{Plan, PlanNode, walk};

/// Attnos of `Scan` columns in an expression, added to `out`.
pub(crate) fn column_refs(expr: &Expr, source: VarSource, out: &mut Vec<AttrNumber>) {
    walk::walk(expr, &mut |e| {
        if let Expr::Var(v) = e {
            if v.source == source && !out.contains(&v.attno) {
                out.push(v.attno);
            }
        }
        true
    });
}

/// The executor parameters that a plan reads but does not set itself.
pub(crate) struct ParamDeps<'a> {
    subplans: &'a [SubPlanEntry],
    read: Vec<usize>,
    set: Vec<usize>,
    visited: Vec<usize>,
}

impl ParamDeps<'_> {
    /// For a whole plan tree.
    pub fn of_plan(plan: &Plan, subplans: &[SubPlanEntry]) -> Arc<[usize]> {
        ParamDeps::collect(subplans, |deps| deps.plan(plan))
    }

    /// For expressions.
    pub fn of_exprs(exprs: &[Expr], subplans: &[SubPlanEntry]) -> Arc<[usize]> {
        ParamDeps::collect(subplans, |deps| deps.all(exprs))
    }

    fn collect(subplans: &[SubPlanEntry], walk: impl FnOnce(&mut ParamDeps<'_>)) -> Arc<[usize]> {
        let mut deps = ParamDeps {
            subplans,
            read: Vec::new(),
            set: Vec::new(),
            visited: Vec::new(),
        };
        walk(&mut deps);
        deps.read.retain(|slot| !deps.set.contains(slot));
        deps.read.into()
    }

    fn plan(&mut self, plan: &Plan) {
        for t in &plan.target_list {
            self.expr(&t.expr);
        }
        plan.qual.iter().for_each(|q| self.expr(q));
        self.node(&plan.node);
        for child in plan.children() {
            self.plan(child);
        }
    }

    fn all<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>) {
        exprs.into_iter().for_each(|e| self.expr(e));
    }

    fn node(&mut self, node: &PlanNode) {
        match node {
            PlanNode::Result { one_time, .. } => self.all(one_time),
            PlanNode::IndexScan(s) | PlanNode::IndexOnlyScan(s) | PlanNode::BitmapIndexScan(s) => {
                self.index(s)
            }
            PlanNode::BitmapHeapScan { recheck, .. } => self.all(recheck),
            PlanNode::TidScan { tids, .. } => self.all(tids),
            PlanNode::SampleScan { sample, .. } => self.all(sample.args.iter().chain(&sample.repeatable)),
            PlanNode::TidRangeScan { quals, .. } => self.all(quals),
            PlanNode::FunctionScan { functions, .. } => self.all(functions.iter().map(|f| &f.expr)),
            PlanNode::ValuesScan { rows, .. } => self.all(rows.iter().flatten()),
            PlanNode::CteScan { plan_id, .. } => self.subplan(*plan_id),
            PlanNode::WorkTableScan { worktable_param, .. } => self.reads(*worktable_param),
            PlanNode::RecursiveUnion { worktable_param, .. } => self.set.push(*worktable_param),
            PlanNode::NestLoop {
                join_qual, params, ..
            } => {
                self.all(join_qual);
                for p in params {
                    self.expr(&p.value);
                    self.set.push(p.param);
                }
            }
            PlanNode::MergeJoin {
                join_qual, clauses, ..
            } => {
                self.all(join_qual);
                self.all(clauses.iter().flat_map(|c| [&c.outer, &c.inner]));
            }
            PlanNode::HashJoin {
                join_qual, clauses, ..
            } => {
                self.all(join_qual);
                self.all(clauses.iter().flat_map(|c| [&c.outer, &c.inner]));
            }
            PlanNode::Memoize { keys, .. } => self.all(keys),
            PlanNode::WindowAgg {
                start,
                end,
                run_condition,
                ..
            } => {
                self.all(run_condition);
                for bound in [start, end] {
                    if let FrameBound::Preceding(e) | FrameBound::Following(e) = bound {
                        self.expr(e);
                    }
                }
            }
            PlanNode::Limit { offset, count, .. } => self.all(offset.iter().chain(count)),
            PlanNode::ModifyTable(m) => {
                for r in &m.relations {
                    self.all(r.returning.iter().map(|t| &t.expr));
                    self.all(r.with_check_options.iter().map(|w| &w.qual));
                }
                if let Some(oc) = &m.on_conflict {
                    self.all(oc.set.iter().map(|t| &t.expr).chain(&oc.where_clause));
                }
            }
            _ => {}
        }
    }

    fn index(&mut self, scan: &IndexScan) {
        for q in &scan.quals {
            self.expr(&q.original);
            if let IndexQualValue::Expr(e) | IndexQualValue::AnyArray(e) = &q.value {
                self.expr(e);
            }
        }
        self.all(&scan.order_by);
    }

    fn reads(&mut self, slot: usize) {
        if !self.read.contains(&slot) {
            self.read.push(slot);
        }
    }

    fn subplan(&mut self, plan_id: usize) {
        if self.visited.contains(&plan_id) {
            return;
        }
        self.visited.push(plan_id);
        if let Some(entry) = self.subplans.get(plan_id) {
            self.plan(&entry.plan);
        }
    }

    fn expr(&mut self, expr: &Expr) {
        walk::walk(expr, &mut |e| {
            match e {
                Expr::Param(p) if p.kind == ParamKind::Exec => self.reads(p.number),
                Expr::SubPlan(s) => {
                    self.set.extend(&s.output_params);
                    self.set.extend(s.params.iter().map(|(slot, _)| *slot));
                    self.subplan(s.plan_id);
                }
                _ => {}
            }
            true
        });
    }
}
