//! RecursiveUnion and WorkTableScan: WITH RECURSIVE.

use std::sync::Arc;

use common::PgResult;
use expr::Inputs;
use nodes::Plan;
use nodes::plan::GroupKey;
use types::{BATCH_ROWS, Batch, Selection};

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::groups::GroupTable;
use crate::keys::EqualKeys;
use crate::node::{Node, NodeKind, Opening, Operator, Projection, Projector, Rest};

struct UnionNode {
    initial: Node,
    recursive: Node,
    slot: usize,
    /// UNION: tells rows apart.
    distinct: Option<EqualKeys>,
}

pub(crate) fn compile(
    c: &Compiler<'_>,
    [initial, recursive]: [&Plan; 2],
    slot: usize,
    distinct: &[GroupKey],
) -> PgResult<Arc<dyn NodeKind>> {
    let keys = EqualKeys::compile(c, initial, distinct)?;
    Ok(Arc::new(UnionNode {
        initial: c.node(initial)?,
        recursive: c.node(recursive)?,
        slot,
        distinct: (!distinct.is_empty()).then_some(keys),
    }))
}

impl NodeKind for UnionNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        Box::new(UnionOp {
            initial: opening.open(&self.initial),
            recursive: opening.open(&self.recursive),
            seen: self.table(),
            node: self,
            in_initial: true,
            intermediate: Vec::new(),
            finished: false,
        })
    }
}

impl UnionNode {
    fn table(&self) -> Option<GroupTable> {
        let kept: Vec<usize> = (0..self.initial.phys.len()).collect();
        self.distinct
            .as_ref()
            .map(|keys| GroupTable::new(keys, &kept, &self.initial.phys))
    }
}

struct UnionOp {
    node: Arc<UnionNode>,
    initial: Box<dyn Operator>,
    recursive: Box<dyn Operator>,
    seen: Option<GroupTable>,
    in_initial: bool,
    /// Rows found in this round: the next round's work table.
    intermediate: Vec<Batch>,
    finished: bool,
}

impl UnionOp {
    /// Rows not seen before.
    fn fresh(&mut self, cx: &Cx<'_>, batch: Batch) -> PgResult<Option<Batch>> {
        let (Some(table), Some(keys)) = (&mut self.seen, &self.node.distinct) else {
            return Ok(Some(batch));
        };
        let mut known = table.len();
        let mut numbers = Vec::new();
        table.assign(cx, keys, &batch.columns, &batch.selection, &mut numbers)?;
        let mut kept = Vec::new();
        for (i, n) in batch.selection.iter().zip(numbers) {
            if n as usize == known {
                known += 1;
                kept.push(i as u16);
            }
        }
        Ok((!kept.is_empty()).then(|| Batch {
            selection: Selection::Rows(kept.into()),
            ..batch
        }))
    }

    /// Puts the rows found into the work table; false when there are none.
    fn next_round(&mut self, cx: &mut Cx<'_>) -> PgResult<bool> {
        let rows = std::mem::take(&mut self.intermediate);
        if rows.is_empty() {
            return Ok(false);
        }
        let slot = self.node.slot;
        cx.run.work_tables.retain(|(s, _)| *s != slot);
        cx.run.work_tables.push((slot, Arc::new(rows)));
        cx.run.touch(slot);
        self.recursive.rescan(cx)?;
        Ok(true)
    }
}

impl Operator for UnionOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        while !self.finished {
            cx.check()?;
            let side = if self.in_initial {
                &mut self.initial
            } else {
                &mut self.recursive
            };
            let Some(batch) = side.next(cx, max_rows.min(BATCH_ROWS))? else {
                self.in_initial = false;
                self.finished = !self.next_round(cx)?;
                continue;
            };
            if let Some(batch) = self.fresh(cx, batch)? {
                let batch = batch.compact();
                self.intermediate.push(batch.clone());
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    fn rescan(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        self.seen = self.node.table();
        self.in_initial = true;
        self.finished = false;
        self.intermediate.clear();
        self.initial.rescan(cx)
    }
}

struct WorkTableNode {
    slot: usize,
    projection: Projection,
}

/// A WorkTableScan.
pub(crate) fn compile_scan(c: &Compiler<'_>, plan: &Plan, slot: usize) -> PgResult<Arc<dyn NodeKind>> {
    Ok(Arc::new(WorkTableNode {
        slot,
        projection: c.projection(plan, ScanMap::Positions)?,
    }))
}

impl NodeKind for WorkTableNode {
    fn open(self: Arc<Self>, _opening: &Opening) -> Box<dyn Operator> {
        Box::new(WorkTableOp {
            slot: self.slot,
            projector: self.projection.open(),
            rows: None,
            next: 0,
            rest: Rest::default(),
        })
    }
}

struct WorkTableOp {
    slot: usize,
    projector: Projector,
    rows: Option<Arc<Vec<Batch>>>,
    next: usize,
    rest: Rest,
}

impl Operator for WorkTableOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        let rows = match &self.rows {
            Some(rows) => Arc::clone(rows),
            None => {
                let found = cx.run.work_tables.iter().find(|(s, _)| *s == self.slot);
                let rows = found.map(|(_, rows)| Arc::clone(rows)).unwrap_or_default();
                self.rows = Some(Arc::clone(&rows));
                rows
            }
        };
        loop {
            if let Some(batch) = self.rest.take(max_rows) {
                let inputs = Inputs::scan(&batch.columns, batch.rows);
                if let Some(out) = self.projector.apply(cx, inputs, &batch.selection)? {
                    return Ok(Some(out));
                }
                continue;
            }
            let Some(batch) = rows.get(self.next) else {
                return Ok(None);
            };
            self.next += 1;
            self.rest.put(batch.clone());
        }
    }

    fn rescan(&mut self, _cx: &mut Cx<'_>) -> PgResult<()> {
        self.rows = None;
        self.next = 0;
        self.rest.clear();
        Ok(())
    }
}
