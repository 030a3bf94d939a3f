//! Result: one computed row, or a gate and a projection over an input.

use std::sync::Arc;

use common::PgResult;
use expr::{ExprProgram, Inputs};
use nodes::{Expr, Plan};
use types::{Batch, Selection};

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::node::{Eval, Node, NodeKind, Opening, Operator, Projection, Projector};

struct ResultNode {
    input: Option<Node>,
    one_time: Vec<Arc<ExprProgram>>,
    projection: Projection,
}

pub(crate) fn compile(
    c: &Compiler<'_>,
    plan: &Plan,
    input: Option<&Plan>,
    one_time: &[Expr],
) -> PgResult<Arc<dyn NodeKind>> {
    Ok(Arc::new(ResultNode {
        input: input.map(|p| c.node(p)).transpose()?,
        one_time: c.programs(one_time, ScanMap::None)?,
        projection: c.projection(plan, ScanMap::None)?,
    }))
}

impl NodeKind for ResultNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        Box::new(ResultOp {
            input: self.input.as_ref().map(|n| opening.open(n)),
            one_time: Eval::all(&self.one_time),
            projector: self.projection.open(),
            gate: Gate::Unknown,
        })
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Gate {
    Unknown,
    Open,
    Closed,
}

struct ResultOp {
    input: Option<Box<dyn Operator>>,
    one_time: Vec<Eval>,
    projector: Projector,
    gate: Gate,
}

impl ResultOp {
    fn test(&mut self, cx: &mut Cx<'_>) -> PgResult<Gate> {
        for e in &mut self.one_time {
            if e.value(cx)?.as_bool() != Some(true) {
                return Ok(Gate::Closed);
            }
        }
        Ok(Gate::Open)
    }
}

impl Operator for ResultOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        if self.gate == Gate::Unknown {
            self.gate = self.test(cx)?;
        }
        if self.gate == Gate::Closed {
            return Ok(None);
        }
        let Some(input) = &mut self.input else {
            self.gate = Gate::Closed;
            return self.projector.apply(cx, Inputs::none(1), &Selection::All(1));
        };
        while let Some(batch) = input.next(cx, max_rows)? {
            cx.check()?;
            let inputs = Inputs::outer(&batch.columns, batch.rows);
            if let Some(out) = self.projector.apply(cx, inputs, &batch.selection)? {
                return Ok(Some(out));
            }
        }
        Ok(None)
    }

    fn will_drain(&mut self) {
        if let Some(input) = &mut self.input {
            input.will_drain();
        }
    }

    fn rescan(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        self.gate = Gate::Unknown;
        match &mut self.input {
            Some(input) => input.rescan(cx),
            None => Ok(()),
        }
    }
}
