//! Which plans PostgreSQL can run backwards: cursors over those scroll without being told to.
//!
//! PG: src/backend/executor/execAmi.c (`ExecSupportsBackwardScan`).

use crate::plan::{Plan, PlanNode, PlannedStmt};

impl PlannedStmt {
    /// True where a cursor over this plan scrolls.
    pub fn runs_backwards(&self) -> bool {
        self.plan.runs_backwards()
    }
}

impl Plan {
    fn runs_backwards(&self) -> bool {
        match &self.node {
            PlanNode::SeqScan { .. }
            | PlanNode::IndexScan(_)
            | PlanNode::IndexOnlyScan(_)
            | PlanNode::TidScan { .. }
            | PlanNode::TidRangeScan { .. }
            | PlanNode::FunctionScan { .. }
            | PlanNode::ValuesScan { .. }
            | PlanNode::CteScan { .. }
            | PlanNode::Material { .. }
            | PlanNode::Sort { .. } => true,
            PlanNode::Result { input, .. } => input.as_ref().is_some_and(|input| input.runs_backwards()),
            // PostgreSQL does not gather for cursors: what it would run is the plan below.
            PlanNode::SubqueryScan { input, .. }
            | PlanNode::LockRows { input, .. }
            | PlanNode::Limit { input, .. }
            | PlanNode::Gather { input, .. } => input.runs_backwards(),
            PlanNode::Append { inputs, .. } => inputs.iter().all(Plan::runs_backwards),
            _ => false,
        }
    }
}
