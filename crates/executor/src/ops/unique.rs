//! Unique: drops rows equal to the one before.

use std::sync::Arc;

use common::PgResult;
use nodes::Plan;
use nodes::plan::GroupKey;
use types::{Batch, Selection, Vector};

use crate::compile::Compiler;
use crate::cx::Cx;
use crate::keys::EqualKeys;
use crate::node::{Node, NodeKind, Opening, Operator};

struct UniqueNode {
    input: Node,
    keys: EqualKeys,
}

pub(crate) fn compile(c: &Compiler<'_>, input: &Plan, keys: &[GroupKey]) -> PgResult<Arc<dyn NodeKind>> {
    Ok(Arc::new(UniqueNode {
        keys: EqualKeys::compile(c, input, keys)?,
        input: c.node(input)?,
    }))
}

impl NodeKind for UniqueNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        Box::new(UniqueOp {
            input: opening.open(&self.input),
            node: self,
            last: None,
        })
    }
}

struct UniqueOp {
    node: Arc<UniqueNode>,
    input: Box<dyn Operator>,
    /// Columns and position of the last row read.
    last: Option<(Vec<Arc<Vector>>, usize)>,
}

impl Operator for UniqueOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        while let Some(batch) = self.input.next(cx, max_rows)? {
            cx.check()?;
            let mut kept = Vec::new();
            let mut before = self.last.take();
            for i in batch.selection.iter() {
                let same = match &before {
                    Some((columns, at)) => self.node.keys.equal(cx, columns, *at, &batch.columns, i)?,
                    None => false,
                };
                if !same {
                    kept.push(i as u16);
                    before = Some((batch.columns.clone(), i));
                }
            }
            self.last = before;
            if !kept.is_empty() {
                return Ok(Some(Batch {
                    selection: Selection::Rows(kept.into()),
                    ..batch
                }));
            }
        }
        Ok(None)
    }

    fn rescan(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        self.last = None;
        self.input.rescan(cx)
    }
}
