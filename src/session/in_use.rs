//! Which relations the session's own queries read and write just now: nobody may change them under these.
//!
//! PG: src/backend/commands/tablecmds.c (`CheckTableNotInUse`), where a relation's references are counted. What a plan opens counts:
//! the tables and indexes that it scans, those that it writes to, partitioned tables that it chooses partitions of at run time. What a
//! query merely names (views, partitioned tables whose partitions were chosen by the planner, indexes that were not taken) does not.

use std::sync::Arc;

use catalog::desc::RelationDesc;
use common::Oid;
use executor::PreparedPlan;
use nodes::plan::{ModifyTable, Plan, PlanNode, PlannedStmt};
use nodes::query::CommandType;

use crate::session::core::SessionCore;

/// A plan is under way until this is dropped.
pub(crate) struct UnderWay<'c>(&'c SessionCore);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.running.borrow_mut().pop();
    }
}

impl SessionCore {
    /// Notes that a plan runs, and may call functions.
    pub fn under_way(&self, plan: &Arc<PreparedPlan>) -> UnderWay<'_> {
        self.running.borrow_mut().push(plan.clone());
        UnderWay(self)
    }

    /// True when a running query, an open cursor or a portal uses the relation.
    pub fn uses(&self, relation: &RelationDesc) -> bool {
        self.running
            .borrow()
            .iter()
            .any(|plan| opens(plan.plan(), relation))
            || self.cursors.borrow().values().any(|c| c.uses(relation))
            || self.portals.borrow().values().any(|p| p.uses(relation))
    }
}

/// True when the plan opens the relation to run.
pub(crate) fn opens(planned: &PlannedStmt, relation: &RelationDesc) -> bool {
    let plans = planned.subplans.iter().map(|s| &s.plan);
    plans.chain([&planned.plan]).any(|plan| below(plan, relation))
}

fn below(plan: &Plan, relation: &RelationDesc) -> bool {
    node_opens(&plan.node, relation) || plan.children().into_iter().any(|child| below(child, relation))
}

fn node_opens(node: &PlanNode, wanted: &RelationDesc) -> bool {
    match node {
        PlanNode::SeqScan { relation, .. }
        | PlanNode::SampleScan { relation, .. }
        | PlanNode::BitmapHeapScan { relation, .. }
        | PlanNode::TidScan { relation, .. }
        | PlanNode::TidRangeScan { relation, .. } => *relation == wanted.oid,
        PlanNode::IndexScan(scan) | PlanNode::IndexOnlyScan(scan) | PlanNode::BitmapIndexScan(scan) => {
            [scan.relation, scan.index].contains(&wanted.oid)
        }
        PlanNode::Append { prune, .. } => {
            let levels = prune.iter().flat_map(|p| &p.levels);
            levels.into_iter().any(|level| level.table == wanted.oid)
        }
        PlanNode::ModifyTable(change) => writes(change, wanted),
        _ => false,
    }
}

/// The tables of a change, and their indexes where it makes entries.
fn writes(change: &ModifyTable, wanted: &RelationDesc) -> bool {
    let is_target =
        |oid: Oid| change.root_relation == oid || change.relations.iter().any(|r| r.relation == oid);
    let index_of = wanted.index.as_ref().map(|index| index.table);
    is_target(wanted.oid) || change.operation != CommandType::Delete && index_of.is_some_and(is_target)
}
