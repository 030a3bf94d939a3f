//! MergeAppend: sorted inputs merged.

use std::sync::Arc;

use common::{PgResult, internal};
use nodes::Plan;
use nodes::plan::SortKey;
use nodes::prune::PartitionPrune;
use types::{BATCH_ROWS, Batch, PhysType};

use crate::compile::Compiler;
use crate::cx::Cx;
use crate::keys::{Order, compare_rows};
use crate::node::{Node, NodeKind, Opening, Operator};
use crate::ops::prune::{PruneNode, Pruning};
use crate::ops::sort;
use crate::store::RowStore;

struct MergeAppendNode {
    inputs: Vec<Node>,
    orders: Vec<Order>,
    phys: Vec<PhysType>,
    prune: Option<Arc<PruneNode>>,
}

pub(crate) fn compile(
    c: &Compiler<'_>,
    inputs: &[Plan],
    keys: &[SortKey],
    prune: Option<&PartitionPrune>,
) -> PgResult<Arc<dyn NodeKind>> {
    let first = inputs
        .first()
        .ok_or_else(|| internal!("merge append without inputs"))?;
    Ok(Arc::new(MergeAppendNode {
        orders: sort::orders(c, first, keys)?,
        phys: c.output_phys(first)?,
        inputs: inputs.iter().map(|p| c.node(p)).collect::<PgResult<_>>()?,
        prune: PruneNode::compile(c, prune)?,
    }))
}

impl NodeKind for MergeAppendNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        let inputs = self.inputs.iter().map(|n| Source {
            operator: opening.open(n),
            batch: None,
            row: 0,
            done: false,
            stale: false,
        });
        Box::new(MergeAppendOp {
            inputs: inputs.collect(),
            pruning: Pruning::open(&self.prune),
            begun: false,
            node: self,
        })
    }
}

/// An input with its next row.
struct Source {
    operator: Box<dyn Operator>,
    batch: Option<Batch>,
    row: usize,
    done: bool,
    /// To be started again before it is read.
    stale: bool,
}

impl Source {
    /// True when there is a current row.
    fn fill(&mut self, cx: &mut Cx<'_>, demand: usize) -> PgResult<bool> {
        if !self.done && std::mem::take(&mut self.stale) {
            self.operator.rescan(cx)?;
        }
        while !self.done {
            if self.batch.as_ref().is_some_and(|b| self.row < b.len()) {
                return Ok(true);
            }
            self.batch = self.operator.next(cx, demand)?;
            self.row = 0;
            self.done = self.batch.is_none();
        }
        Ok(false)
    }
}

struct MergeAppendOp {
    node: Arc<MergeAppendNode>,
    inputs: Vec<Source>,
    pruning: Option<Pruning>,
    begun: bool,
}

impl MergeAppendOp {
    /// Passes over the inputs that cannot have rows.
    fn begin(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        self.begun = true;
        if let Some(pruning) = &mut self.pruning {
            let run = pruning.inputs(cx, self.inputs.len())?;
            self.inputs.iter_mut().zip(run).for_each(|(i, run)| i.done = !run);
        }
        Ok(())
    }

    fn smallest(&mut self, cx: &mut Cx<'_>, demand: usize) -> PgResult<Option<usize>> {
        let mut best: Option<usize> = None;
        for k in 0..self.inputs.len() {
            if !self.inputs[k].fill(cx, demand)? {
                continue;
            }
            let Some(b) = best else {
                best = Some(k);
                continue;
            };
            let (Some(x), Some(y)) = (&self.inputs[b].batch, &self.inputs[k].batch) else {
                continue;
            };
            let (i, j) = (
                x.selection.position(self.inputs[b].row),
                y.selection.position(self.inputs[k].row),
            );
            if compare_rows(cx, &self.node.orders, &x.columns, i, &y.columns, j)?.is_gt() {
                best = Some(k);
            }
        }
        Ok(best)
    }
}

impl Operator for MergeAppendOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        cx.check()?;
        if !self.begun {
            self.begin(cx)?;
        }
        let mut out = RowStore::new(&self.node.phys);
        while out.rows < max_rows.min(BATCH_ROWS) {
            let Some(k) = self.smallest(cx, max_rows)? else {
                break;
            };
            let source = &mut self.inputs[k];
            if let Some(batch) = &source.batch {
                out.push_row(&batch.columns, batch.selection.position(source.row));
                source.row += 1;
            }
        }
        let (columns, rows) = out.drain_columns();
        Ok((rows > 0).then(|| Batch::new(columns, rows)))
    }

    fn rescan(&mut self, _: &mut Cx<'_>) -> PgResult<()> {
        self.begun = false;
        for source in &mut self.inputs {
            source.batch = None;
            source.row = 0;
            source.done = false;
            source.stale = true;
        }
        Ok(())
    }
}
