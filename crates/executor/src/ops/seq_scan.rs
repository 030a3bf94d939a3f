//! SeqScan: every row of a table, columns straight from its blocks.

use std::sync::Arc;

use common::{Oid, PgResult};
use nodes::Plan;
use types::{BATCH_ROWS, Batch};

use crate::compile::Compiler;
use crate::cx::Cx;
use crate::node::{NodeKind, Opening, Operator};
use crate::ops::scan::{self, BlockScan, EpqScan, ScanParts};

struct SeqScanNode {
    /// `Plan::id` of a scan that participants of a Gather share.
    shared_id: Option<u32>,
    parts: ScanParts,
    /// Conditions and targets may run ahead of demand.
    harmless: bool,
}

pub(crate) fn compile(
    c: &Compiler<'_>,
    plan: &Plan,
    rt_index: usize,
    relation: Oid,
) -> PgResult<Arc<dyn NodeKind>> {
    let parts = scan::compile(c, plan, rt_index, relation, &[])?;
    Ok(Arc::new(SeqScanNode {
        shared_id: plan.parallel_aware.then_some(plan.id),
        harmless: parts.projection.is_harmless(),
        parts,
    }))
}

impl NodeKind for SeqScanNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        if let Some(substitute) = opening.epq_for(self.parts.target.rt_index) {
            return EpqScan::open(&self.parts, &substitute);
        }
        let share = match (self.shared_id, &opening.team) {
            (Some(id), Some(team)) => Some(team.shares.scan(id)),
            _ => None,
        };
        Box::new(SeqScanOp {
            scan: BlockScan::new(&self.parts, share),
            node: self,
        })
    }
}

struct SeqScanOp {
    node: Arc<SeqScanNode>,
    scan: BlockScan,
}

impl Operator for SeqScanOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        let demand = if self.node.harmless { BATCH_ROWS } else { max_rows };
        self.scan
            .next(cx, &self.node.parts.target, (max_rows, demand), |_| Ok(None))
    }

    fn rescan(&mut self, _cx: &mut Cx<'_>) -> PgResult<()> {
        self.scan.restart();
        Ok(())
    }
}
