//! MergeAppend: sorted inputs merged.

use std::sync::Arc;

use common::{PgResult, internal};
use nodes::Plan;
use nodes::plan::SortKey;
use types::{BATCH_ROWS, Batch, PhysType};

use crate::compile::Compiler;
use crate::cx::Cx;
use crate::keys::{Order, compare_rows};
use crate::node::{Node, NodeKind, Opening, Operator};
use crate::ops::sort;
use crate::store::RowStore;

struct MergeAppendNode {
    inputs: Vec<Node>,
    orders: Vec<Order>,
    phys: Vec<PhysType>,
}

pub(crate) fn compile(c: &Compiler<'_>, inputs: &[Plan], keys: &[SortKey]) -> PgResult<Arc<dyn NodeKind>> {
    let first = inputs
        .first()
        .ok_or_else(|| internal!("merge append without inputs"))?;
    Ok(Arc::new(MergeAppendNode {
        orders: sort::orders(c, first, keys)?,
        phys: c.output_phys(first)?,
        inputs: inputs.iter().map(|p| c.node(p)).collect::<PgResult<_>>()?,
    }))
}

impl NodeKind for MergeAppendNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        let inputs = self.inputs.iter().map(|n| Source {
            operator: opening.open(n),
            batch: None,
            row: 0,
            done: false,
        });
        Box::new(MergeAppendOp {
            inputs: inputs.collect(),
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
}

impl Source {
    /// True when there is a current row.
    fn fill(&mut self, cx: &mut Cx<'_>, demand: usize) -> PgResult<bool> {
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
}

impl MergeAppendOp {
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

    fn rescan(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        for source in &mut self.inputs {
            source.batch = None;
            source.row = 0;
            source.done = false;
            source.operator.rescan(cx)?;
        }
        Ok(())
    }
}
