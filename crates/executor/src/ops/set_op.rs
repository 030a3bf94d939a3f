//! SetOp: INTERSECT and EXCEPT by counting the rows of both sides in groups.

use std::sync::Arc;

use common::PgResult;
use nodes::Plan;
use nodes::plan::GroupKey;
use nodes::query::SetOp;
use types::{BATCH_ROWS, Batch};

use crate::compile::Compiler;
use crate::cx::Cx;
use crate::groups::GroupTable;
use crate::keys::EqualKeys;
use crate::node::{Node, NodeKind, Opening, Operator};

struct SetOpNode {
    op: SetOp,
    all: bool,
    keys: EqualKeys,
    inputs: [Node; 2],
}

pub(crate) fn compile(
    c: &Compiler<'_>,
    (op, all): (SetOp, bool),
    keys: &[GroupKey],
    [left, right]: [&Plan; 2],
) -> PgResult<Arc<dyn NodeKind>> {
    Ok(Arc::new(SetOpNode {
        op,
        all,
        keys: EqualKeys::compile(c, left, keys)?,
        inputs: [c.node(left)?, c.node(right)?],
    }))
}

impl NodeKind for SetOpNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        Box::new(SetOpOp {
            inputs: [opening.open(&self.inputs[0]), opening.open(&self.inputs[1])],
            node: self,
            result: None,
        })
    }
}

struct Counted {
    table: GroupTable,
    /// Group numbers to give out, repeated as often as they come.
    rows: Vec<u32>,
    given: usize,
}

struct SetOpOp {
    node: Arc<SetOpNode>,
    inputs: [Box<dyn Operator>; 2],
    result: Option<Counted>,
}

impl SetOpOp {
    fn count(&mut self, cx: &mut Cx<'_>) -> PgResult<Counted> {
        let node = Arc::clone(&self.node);
        let phys = &node.inputs[0].phys;
        let kept: Vec<usize> = (0..phys.len()).collect();
        let mut table = GroupTable::new(&node.keys, &kept, phys);
        let mut counts: [Vec<u64>; 2] = [Vec::new(), Vec::new()];
        let mut numbers = Vec::new();
        for (side, input) in self.inputs.iter_mut().enumerate() {
            while let Some(batch) = input.next(cx, BATCH_ROWS)? {
                cx.check()?;
                table.assign(cx, &node.keys, &batch.columns, &batch.selection, &mut numbers)?;
                counts.iter_mut().for_each(|c| c.resize(table.len(), 0));
                numbers.iter().for_each(|&n| counts[side][n as usize] += 1);
            }
        }
        let mut rows = Vec::new();
        let [left, right] = &counts;
        for (group, (&l, &r)) in left.iter().zip(right).enumerate() {
            let times = match (node.op, node.all) {
                (SetOp::Intersect, true) => l.min(r),
                (SetOp::Intersect, false) => u64::from(l > 0 && r > 0),
                (SetOp::Except, true) => l.saturating_sub(r),
                (SetOp::Except, false) => u64::from(l > 0 && r == 0),
                (SetOp::Union, true) => l + r,
                (SetOp::Union, false) => 1,
            };
            rows.extend((0..times).map(|_| group as u32));
        }
        Ok(Counted {
            table,
            rows,
            given: 0,
        })
    }
}

impl Operator for SetOpOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        if self.result.is_none() {
            self.result = Some(self.count(cx)?);
        }
        let Some(counted) = &mut self.result else {
            return Ok(None);
        };
        let end = (counted.given + max_rows).min(counted.rows.len());
        let rows = &counted.rows[counted.given..end];
        if rows.is_empty() {
            return Ok(None);
        }
        let batch = counted.table.first_rows.take(rows);
        counted.given = end;
        Ok(Some(batch))
    }

    fn rescan(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        self.result = None;
        self.inputs.iter_mut().try_for_each(|i| i.rescan(cx))
    }
}
