//! SeqScan: every row of a table, columns straight from its blocks.

use std::sync::Arc;

use common::{Oid, PgResult};
use nodes::{Plan, PlanNode};
use types::{BATCH_ROWS, Batch};

use crate::compile::{Compiler, by_key};
use crate::cx::Cx;
use crate::node::{NodeKind, Opening, Operator};
use crate::ops::scan::{self, BlockScan, EpqScan, ScanParts};
use crate::ops::sequence_scan;

struct SeqScanNode {
    /// `Plan::id` of a scan that participants of a Gather share.
    shared_id: Option<u32>,
    parts: ScanParts,
    /// Conditions and targets may run ahead of demand.
    harmless: bool,
    /// The same rows by an index, for serializable transactions: these shall not have read the whole table for one row.
    by_key: Option<Arc<dyn NodeKind>>,
}

pub(crate) fn compile(
    c: &Compiler<'_>,
    plan: &Plan,
    rt_index: usize,
    relation: Oid,
) -> PgResult<Arc<dyn NodeKind>> {
    let desc = c.relation(relation)?;
    if desc.relkind == b'S' {
        return sequence_scan::compile(c, plan, desc);
    }
    let parts = scan::compile(c, plan, rt_index, relation, &[])?;
    let by_key = match by_key::scan_by_key(c, &plan.qual, rt_index, relation) {
        Some((scan, rest)) if !plan.parallel_aware => {
            let lookup = Plan {
                qual: rest.into_iter().cloned().collect(),
                node: PlanNode::IndexScan(scan.clone()),
                ..plan.clone()
            };
            Some(super::index::compile(c, &lookup, &scan, false)?)
        }
        _ => None,
    };
    Ok(Arc::new(SeqScanNode {
        shared_id: plan.parallel_aware.then_some(plan.id),
        harmless: parts.projection.is_harmless(),
        parts,
        by_key,
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
        let by_key = self.by_key.as_ref().filter(|_| !opening.instrument);
        Box::new(SeqScanOp {
            scan: BlockScan::new(&self.parts, share),
            by_key: by_key.map(|lookup| Arc::clone(lookup).open(opening)),
            node: self,
        })
    }
}

struct SeqScanOp {
    node: Arc<SeqScanNode>,
    scan: BlockScan,
    /// In place of the scan under a snapshot whose reads are told.
    by_key: Option<Box<dyn Operator>>,
}

impl Operator for SeqScanOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        if cx.ext.snapshot.serial != 0
            && let Some(lookup) = &mut self.by_key
        {
            return lookup.next(cx, max_rows);
        }
        let demand = if self.node.harmless { BATCH_ROWS } else { max_rows };
        self.scan
            .next(cx, &self.node.parts.target, (max_rows, demand), |_| Ok(None))
    }

    fn narrow(&mut self, column: usize, range: Option<(i64, i64)>) {
        // Conditions that can fail or have an effect see every row.
        if self.node.harmless {
            self.scan.narrow(&self.node.parts.target, column, range);
        }
    }

    fn rescan(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        self.scan.restart();
        match &mut self.by_key {
            Some(lookup) => lookup.rescan(cx),
            None => Ok(()),
        }
    }
}
