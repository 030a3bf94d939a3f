//! SeqScan: every row of a table, columns straight from its blocks.

use std::sync::Arc;

use access::{ScanRequest, TableScan};
use common::{Oid, PgResult};
use expr::Inputs;
use nodes::Plan;
use types::{BATCH_ROWS, Batch};

use crate::compile::Compiler;
use crate::cx::Cx;
use crate::node::{NodeKind, Opening, Operator, Projector, Rest};
use crate::ops::scan::{self, EpqScan, ScanParts};

struct SeqScanNode {
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
        harmless: parts.projection.is_harmless(),
        parts,
    }))
}

impl NodeKind for SeqScanNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        if let Some(substitute) = opening.epq_for(self.parts.target.rt_index) {
            return EpqScan::open(&self.parts, &substitute);
        }
        Box::new(SeqScanOp {
            projector: self.parts.projection.open(),
            node: self,
            scan: None,
            rest: Rest::default(),
        })
    }
}

struct SeqScanOp {
    node: Arc<SeqScanNode>,
    projector: Projector,
    scan: Option<TableScan>,
    rest: Rest,
}

impl SeqScanOp {
    fn begin(&self, cx: &Cx<'_>) -> PgResult<TableScan> {
        let target = &self.node.parts.target;
        let mut request = ScanRequest::columns(target.columns.clone());
        request.row_ids = target.needs_row_ids();
        Ok(target.open(cx)?.scan(cx.ext.snapshot, request))
    }
}

impl Operator for SeqScanOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        if let Some(batch) = self.rest.take(max_rows) {
            return Ok(Some(batch));
        }
        let mut scan = match self.scan.take() {
            Some(scan) => scan,
            None => self.begin(cx)?,
        };
        let demand = if self.node.harmless { BATCH_ROWS } else { max_rows };
        let mut out = None;
        while let Some(mut batch) = scan.next_batch(demand)? {
            cx.check()?;
            self.node.parts.target.complete_batch(cx, &mut batch)?;
            let inputs = Inputs::scan(&batch.columns, batch.rows);
            out = self.projector.apply(cx, inputs, &batch.selection)?;
            if out.is_some() {
                break;
            }
        }
        self.scan = Some(scan);
        let Some(batch) = out else { return Ok(None) };
        self.rest.put(batch);
        Ok(self.rest.take(max_rows))
    }

    fn rescan(&mut self, _cx: &mut Cx<'_>) -> PgResult<()> {
        self.scan = None;
        self.rest.clear();
        Ok(())
    }
}
