//! Append: inputs one after another.

use std::sync::Arc;

use common::PgResult;
use nodes::Plan;
use types::Batch;

use crate::compile::Compiler;
use crate::cx::Cx;
use crate::node::{Node, NodeKind, Opening, Operator};

struct AppendNode {
    inputs: Vec<Node>,
}

pub(crate) fn compile(c: &Compiler<'_>, plan: &Plan, inputs: &[Plan]) -> PgResult<Arc<dyn NodeKind>> {
    debug_assert!(
        inputs
            .iter()
            .all(|i| i.target_list.len() == plan.target_list.len())
    );
    Ok(Arc::new(AppendNode {
        inputs: inputs.iter().map(|p| c.node(p)).collect::<PgResult<_>>()?,
    }))
}

impl NodeKind for AppendNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        Box::new(AppendOp {
            inputs: self.inputs.iter().map(|n| opening.open(n)).collect(),
            current: 0,
        })
    }
}

struct AppendOp {
    inputs: Vec<Box<dyn Operator>>,
    current: usize,
}

impl Operator for AppendOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        while let Some(input) = self.inputs.get_mut(self.current) {
            if let Some(batch) = input.next(cx, max_rows)? {
                return Ok(Some(batch));
            }
            self.current += 1;
        }
        Ok(None)
    }

    fn rescan(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        self.current = 0;
        self.inputs.iter_mut().try_for_each(|i| i.rescan(cx))
    }
}
