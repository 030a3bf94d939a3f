//! CteScan: the rows of a WITH query, computed once and read by all its scans.

use std::sync::Arc;

use common::PgResult;
use expr::Inputs;
use nodes::Plan;
use types::Batch;

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::node::{NodeKind, Opening, Operator, Projection, Projector, Rest};

struct CteScanNode {
    plan_id: usize,
    projection: Projection,
}

pub(crate) fn compile(c: &Compiler<'_>, plan: &Plan, plan_id: usize) -> PgResult<Arc<dyn NodeKind>> {
    Ok(Arc::new(CteScanNode {
        plan_id,
        projection: c.projection(plan, ScanMap::Positions)?,
    }))
}

impl NodeKind for CteScanNode {
    fn open(self: Arc<Self>, _opening: &Opening) -> Box<dyn Operator> {
        Box::new(CteScanOp {
            plan_id: self.plan_id,
            projector: self.projection.open(),
            next: 0,
            rest: Rest::default(),
        })
    }
}

struct CteScanOp {
    plan_id: usize,
    projector: Projector,
    next: usize,
    /// What is left of a stored batch, not projected yet.
    rest: Rest,
}

impl Operator for CteScanOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        loop {
            cx.check()?;
            let batch = match self.rest.take(max_rows) {
                Some(batch) => batch,
                None => {
                    let Some(batch) = cx.cte_batch(self.plan_id, self.next, max_rows)? else {
                        return Ok(None);
                    };
                    self.next += 1;
                    self.rest.put(batch);
                    continue;
                }
            };
            let inputs = Inputs::scan(&batch.columns, batch.rows);
            if let Some(out) = self.projector.apply(cx, inputs, &batch.selection)? {
                return Ok(Some(out));
            }
        }
    }

    fn rescan(&mut self, _cx: &mut Cx<'_>) -> PgResult<()> {
        self.next = 0;
        self.rest.clear();
        Ok(())
    }
}
