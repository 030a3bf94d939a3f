//! Material: keeps its input's rows for re-reading.

use std::sync::Arc;

use common::PgResult;
use nodes::Plan;
use types::{BATCH_ROWS, Batch};

use crate::compile::Compiler;
use crate::cx::Cx;
use crate::node::{Node, NodeKind, Opening, Operator, Rest};
use crate::store::MemoryUse;

struct MaterialNode {
    input: Node,
}

pub(crate) fn compile(c: &Compiler<'_>, input: &Plan) -> PgResult<Arc<dyn NodeKind>> {
    Ok(Arc::new(MaterialNode {
        input: c.node(input)?,
    }))
}

impl NodeKind for MaterialNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        Box::new(MaterialOp {
            input: opening.open(&self.input),
            node: self,
            batches: Vec::new(),
            next: 0,
            done: false,
            filled_at: 0,
            rest: Rest::default(),
            memory: MemoryUse::default(),
            bytes: 0,
        })
    }
}

struct MaterialOp {
    node: Arc<MaterialNode>,
    input: Box<dyn Operator>,
    batches: Vec<Batch>,
    next: usize,
    done: bool,
    filled_at: u64,
    rest: Rest,
    memory: MemoryUse,
    bytes: usize,
}

impl Operator for MaterialOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        if let Some(batch) = self.rest.take(max_rows) {
            return Ok(Some(batch));
        }
        if self.filled_at == 0 {
            self.filled_at = cx.run.now();
        }
        if self.next >= self.batches.len() {
            if self.done {
                return Ok(None);
            }
            let Some(batch) = self.input.next(cx, max_rows.min(BATCH_ROWS))? else {
                self.done = true;
                return Ok(None);
            };
            let batch = batch.compact();
            self.bytes += batch.columns.iter().map(|c| c.memory_bytes()).sum::<usize>();
            self.memory.cover(cx, self.bytes)?;
            self.batches.push(batch);
        }
        self.rest.put(self.batches[self.next].clone());
        self.next += 1;
        Ok(self.rest.take(max_rows))
    }

    fn rescan(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        self.next = 0;
        self.rest.clear();
        if self.filled_at == 0 || !cx.run.changed_since(&self.node.input.deps, self.filled_at) {
            return Ok(());
        }
        self.batches.clear();
        self.memory.release();
        self.bytes = 0;
        self.done = false;
        self.filled_at = 0;
        self.input.rescan(cx)
    }
}
