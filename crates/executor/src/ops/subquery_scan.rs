//! SubqueryScan: a subquery's rows as a relation, with conditions and a target list over them.

use std::sync::Arc;

use common::PgResult;
use expr::Inputs;
use nodes::Plan;
use types::Batch;

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::node::{Node, NodeKind, Opening, Operator, Projection, Projector};

struct SubqueryScanNode {
    input: Node,
    projection: Projection,
}

pub(crate) fn compile(c: &Compiler<'_>, plan: &Plan, input: &Plan) -> PgResult<Arc<dyn NodeKind>> {
    Ok(Arc::new(SubqueryScanNode {
        input: c.node(input)?,
        projection: c.projection(plan, ScanMap::Positions)?,
    }))
}

impl NodeKind for SubqueryScanNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        Box::new(SubqueryScanOp {
            input: opening.open(&self.input),
            projector: self.projection.open(),
        })
    }
}

struct SubqueryScanOp {
    input: Box<dyn Operator>,
    projector: Projector,
}

impl Operator for SubqueryScanOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        while let Some(batch) = self.input.next(cx, max_rows)? {
            cx.check()?;
            let inputs = Inputs::scan(&batch.columns, batch.rows);
            if let Some(out) = self.projector.apply(cx, inputs, &batch.selection)? {
                return Ok(Some(out));
            }
        }
        Ok(None)
    }

    fn will_drain(&mut self) {
        self.input.will_drain();
    }

    fn rescan(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        self.input.rescan(cx)
    }
}
