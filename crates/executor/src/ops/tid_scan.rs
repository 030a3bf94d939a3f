//! TidScan: rows by ctid.

use std::sync::Arc;

use common::{Oid, PgResult, RowId};
use expr::{ExprProgram, Inputs};
use nodes::{Expr, Plan};
use types::{BATCH_ROWS, Batch, Datum, Selection};

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::node::{Eval, NodeKind, Opening, Operator, Projector, Rest};
use crate::ops::scan::{self, EpqScan, ScanParts};

struct TidScanNode {
    parts: ScanParts,
    tids: Vec<Arc<ExprProgram>>,
}

pub(crate) fn compile(
    c: &Compiler<'_>,
    plan: &Plan,
    (rt_index, relation): (usize, Oid),
    tids: &[Expr],
) -> PgResult<Arc<dyn NodeKind>> {
    Ok(Arc::new(TidScanNode {
        parts: scan::compile(c, plan, rt_index, relation, &[])?,
        tids: c.programs(tids, ScanMap::None)?,
    }))
}

impl NodeKind for TidScanNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        if let Some(substitute) = opening.epq_for(self.parts.target.rt_index) {
            return EpqScan::open(&self.parts, &substitute);
        }
        Box::new(TidScanOp {
            projector: self.parts.projection.open(),
            node: self,
            rows: None,
            next: 0,
            rest: Rest::default(),
        })
    }
}

struct TidScanOp {
    node: Arc<TidScanNode>,
    projector: Projector,
    rows: Option<Vec<RowId>>,
    next: usize,
    rest: Rest,
}

impl TidScanOp {
    fn row_ids(&self, cx: &mut Cx<'_>) -> PgResult<Vec<RowId>> {
        let mut rows = Vec::new();
        for tid in &self.node.tids {
            match Eval::new(tid).value(cx)? {
                Datum::Int8(row) => rows.push(RowId(row as u64)),
                Datum::Array(a) => {
                    rows.extend(
                        a.elements
                            .iter()
                            .filter_map(Datum::as_i64)
                            .map(|r| RowId(r as u64)),
                    );
                }
                _ => {}
            }
        }
        rows.sort_unstable();
        rows.dedup();
        Ok(rows)
    }
}

impl Operator for TidScanOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        if let Some(batch) = self.rest.take(max_rows) {
            return Ok(Some(batch));
        }
        let node = Arc::clone(&self.node);
        let rows = match self.rows.take() {
            Some(rows) => rows,
            None => self.row_ids(cx)?,
        };
        let table = node.parts.target.open(cx)?;
        while self.next < rows.len() && self.rest.is_empty() {
            cx.check()?;
            let end = (self.next + max_rows.min(BATCH_ROWS)).min(rows.len());
            let (columns, count) = node.parts.target.fetch(cx, &table, &rows[self.next..end])?;
            self.next = end;
            let inputs = Inputs::scan(&columns, count);
            if let Some(out) = self.projector.apply(cx, inputs, &Selection::All(count))? {
                self.rest.put(out);
            }
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
