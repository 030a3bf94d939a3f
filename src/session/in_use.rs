//! Which relations the session's own queries read and write just now: nobody may change them under these.
//!
//! PG: src/backend/commands/tablecmds.c (`CheckTableNotInUse`), where a relation's references are counted.

use std::sync::Arc;

use common::Oid;
use executor::PreparedPlan;
use nodes::query::{RangeTblEntry, RteKind};

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
    pub fn uses(&self, relation: Oid) -> bool {
        let of_plan = |plan: &Arc<PreparedPlan>| names(&plan.plan().range_table, relation);
        self.running.borrow().iter().any(of_plan)
            || self.cursors.borrow().values().any(|c| c.uses(relation))
            || self.portals.borrow().values().any(|p| p.uses(relation))
    }
}

/// True when the relation is in a range table.
pub(crate) fn names(range_table: &[RangeTblEntry], wanted: Oid) -> bool {
    let is_it =
        |rte: &RangeTblEntry| matches!(rte.kind, RteKind::Relation { relation, .. } if relation == wanted);
    range_table.iter().any(is_it)
}
