//! BitmapHeapScan over BitmapIndexScan, BitmapAnd, BitmapOr. Bitmaps are sorted lists of row ids, never lossy.

use std::sync::Arc;

use common::{PgResult, RowId, internal};
use expr::Inputs;
use nodes::{Expr, Plan, PlanNode};
use types::{BATCH_ROWS, Batch, Selection};

use crate::compile::Compiler;
use crate::cx::Cx;
use crate::node::{Eval, NodeKind, Opening, Operator, Projector, Rest, filter_all};
use crate::ops::index::bounds::IndexMethod;
use crate::ops::scan::{self, EpqScan, ScanParts};

struct BitmapHeapNode {
    parts: ScanParts,
    bitmap: Bitmap,
    /// Some index condition is not expressed by bounds: rows are tested again.
    inexact: bool,
}

struct Bitmap {
    id: usize,
    kind: BitmapKind,
}

enum BitmapKind {
    Index(IndexMethod),
    And(Vec<Bitmap>),
    Or(Vec<Bitmap>),
}

/// A BitmapHeapScan with everything below it.
pub(crate) fn compile(
    c: &Compiler<'_>,
    plan: &Plan,
    (rt_index, relation): (usize, common::Oid),
    recheck: &[Expr],
    input: &Plan,
) -> PgResult<Arc<dyn NodeKind>> {
    let method: Vec<&Expr> = recheck.iter().collect();
    let parts = scan::compile(c, plan, rt_index, relation, &method)?;
    let mut inexact = false;
    let bitmap = bitmap(c, input, &parts, &mut inexact)?;
    Ok(Arc::new(BitmapHeapNode {
        parts,
        bitmap,
        inexact,
    }))
}

fn bitmap(c: &Compiler<'_>, plan: &Plan, parts: &ScanParts, inexact: &mut bool) -> PgResult<Bitmap> {
    let mut list = |inputs: &[Plan]| -> PgResult<Vec<Bitmap>> {
        inputs.iter().map(|p| bitmap(c, p, parts, inexact)).collect()
    };
    let kind = match &plan.node {
        PlanNode::BitmapIndexScan(s) => {
            let method = IndexMethod::compile(c, s, &parts.target.desc)?;
            *inexact |= !method.leftover().is_empty();
            BitmapKind::Index(method)
        }
        PlanNode::BitmapAnd { inputs } => BitmapKind::And(list(inputs)?),
        PlanNode::BitmapOr { inputs } => BitmapKind::Or(list(inputs)?),
        _ => return Err(internal!("bitmap expected")),
    };
    Ok(Bitmap {
        id: plan.id as usize,
        kind,
    })
}

impl Bitmap {
    /// Row ids, ascending, without duplicates.
    fn rows(&self, cx: &mut Cx<'_>, parts: &ScanParts) -> PgResult<Vec<RowId>> {
        cx.check()?;
        let rows = match &self.kind {
            BitmapKind::Index(method) => index_rows(cx, method, parts)?,
            BitmapKind::And(inputs) => {
                let mut all: Option<Vec<RowId>> = None;
                for input in inputs {
                    let rows = input.rows(cx, parts)?;
                    all = Some(match all {
                        None => rows,
                        Some(before) => before
                            .into_iter()
                            .filter(|r| rows.binary_search(r).is_ok())
                            .collect(),
                    });
                }
                all.unwrap_or_default()
            }
            BitmapKind::Or(inputs) => {
                let mut all = Vec::new();
                for input in inputs {
                    all.extend(input.rows(cx, parts)?);
                }
                all.sort_unstable();
                all.dedup();
                all
            }
        };
        if let Some(stats) = cx.run.stats.get_mut(self.id) {
            stats.loops += 1;
            stats.rows += rows.len() as u64;
        }
        Ok(rows)
    }
}

fn index_rows(cx: &mut Cx<'_>, method: &IndexMethod, parts: &ScanParts) -> PgResult<Vec<RowId>> {
    let index = cx.ext.relations.index(&method.desc, &parts.target.desc)?;
    let mut rows = Vec::new();
    for bounds in method.ranges(cx, &index)? {
        let mut scan = index.scan(cx.ext.snapshot, bounds, access::ScanDirection::Forward);
        while scan.next_rows(BATCH_ROWS, &mut rows)? {
            cx.check()?;
        }
    }
    rows.sort_unstable();
    rows.dedup();
    Ok(rows)
}

impl NodeKind for BitmapHeapNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        if let Some(substitute) = opening.epq_for(self.parts.target.rt_index) {
            return EpqScan::open(&self.parts, &substitute);
        }
        let recheck = if self.inexact {
            Eval::all(&self.parts.recheck)
        } else {
            Vec::new()
        };
        Box::new(BitmapHeapOp {
            recheck,
            projector: self.parts.projection.open(),
            rows: None,
            next: 0,
            rest: Rest::default(),
            node: self,
        })
    }
}

struct BitmapHeapOp {
    node: Arc<BitmapHeapNode>,
    recheck: Vec<Eval>,
    projector: Projector,
    rows: Option<Vec<RowId>>,
    next: usize,
    rest: Rest,
}

impl Operator for BitmapHeapOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        if let Some(batch) = self.rest.take(max_rows) {
            return Ok(Some(batch));
        }
        let node = Arc::clone(&self.node);
        let rows = match self.rows.take() {
            Some(rows) => rows,
            None => node.bitmap.rows(cx, &node.parts)?,
        };
        let table = node.parts.target.open(cx)?;
        let mut demand = max_rows;
        while self.next < rows.len() {
            cx.check()?;
            let end = (self.next + demand).min(rows.len());
            let (columns, count) = node.parts.target.fetch(cx, &table, &rows[self.next..end])?;
            self.next = end;
            let inputs = Inputs::scan(&columns, count);
            let sel = filter_all(&mut self.recheck, cx, inputs, &Selection::All(count))?;
            if !sel.is_empty() {
                if let Some(out) = self.projector.apply(cx, inputs, &sel)? {
                    self.rest.put(out);
                    break;
                }
            }
            demand = (demand * 2).min(BATCH_ROWS);
        }
        self.rows = Some(rows);
        Ok(self.rest.take(max_rows))
    }

    fn rescan(&mut self, _cx: &mut Cx<'_>) -> PgResult<()> {
        self.rows = None;
        self.next = 0;
        self.rest.clear();
        Ok(())
    }
}
