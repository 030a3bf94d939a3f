//! Material: keeps its input's rows for re-reading.

use std::sync::Arc;

use common::PgResult;
use nodes::Plan;
use types::{BATCH_ROWS, Batch};

use crate::compile::Compiler;
use crate::cx::Cx;
use crate::node::{Node, NodeKind, Opening, Operator, Rest};
use crate::spill::store::TupleStore;

struct MaterialNode {
    /// `Plan::id`.
    id: u32,
    input: Node,
}

pub(crate) fn compile(c: &Compiler<'_>, id: u32, input: &Plan) -> PgResult<Arc<dyn NodeKind>> {
    Ok(Arc::new(MaterialNode {
        id,
        input: c.node(input)?,
    }))
}

impl NodeKind for MaterialNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        Box::new(MaterialOp {
            input: opening.open(&self.input),
            node: self,
            store: TupleStore::default(),
            next: 0,
            done: false,
            filled_at: 0,
            rest: Rest::default(),
        })
    }
}

struct MaterialOp {
    node: Arc<MaterialNode>,
    input: Box<dyn Operator>,
    store: TupleStore,
    next: usize,
    done: bool,
    filled_at: u64,
    rest: Rest,
}

impl MaterialOp {
    fn note(&self, cx: &mut Cx<'_>) {
        if let Some(stats) = cx.run.stats.get_mut(self.node.id as usize) {
            stats.storage = Some(self.store.summary());
        }
    }
}

impl Operator for MaterialOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        if let Some(batch) = self.rest.take(max_rows) {
            return Ok(Some(batch));
        }
        if self.filled_at == 0 {
            self.filled_at = cx.run.now();
        }
        let batch = if self.next < self.store.len() {
            self.store.get(self.next)?
        } else if self.done {
            None
        } else {
            match self.input.next(cx, max_rows.min(BATCH_ROWS))? {
                Some(batch) => {
                    let batch = batch.compact();
                    self.store.push(cx, batch.clone())?;
                    Some(batch)
                }
                None => {
                    self.done = true;
                    self.note(cx);
                    None
                }
            }
        };
        let Some(batch) = batch else { return Ok(None) };
        self.rest.put(batch);
        self.next += 1;
        Ok(self.rest.take(max_rows))
    }

    fn rescan(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        self.next = 0;
        self.rest.clear();
        if self.filled_at == 0 || !cx.run.changed_since(&self.node.input.deps, self.filled_at) {
            return Ok(());
        }
        self.store.clear();
        self.done = false;
        self.filled_at = 0;
        self.input.rescan(cx)
    }
}
