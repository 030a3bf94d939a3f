//! TidRangeScan: the rows between two ctids, as a scan of that part of the table.

use std::sync::Arc;

use access::{ScanRequest, TableScan};
use common::{Oid, PgResult, RowId, internal};
use expr::{ExprProgram, Inputs};
use nodes::{Expr, Plan};
use types::{BATCH_ROWS, Batch, Datum};

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::node::{Eval, NodeKind, Opening, Operator, Projector, Rest};
use crate::ops::scan::{self, EpqScan, ScanParts};
use crate::ops::tid_scan::is_ctid;

struct TidRangeScanNode {
    parts: ScanParts,
    bounds: Vec<Bound>,
}

/// One condition: `ctid < value` and so on.
struct Bound {
    value: Arc<ExprProgram>,
    below: bool,
    or_equal: bool,
}

pub(crate) fn compile(
    c: &Compiler<'_>,
    plan: &Plan,
    (rt_index, relation): (usize, Oid),
    quals: &[Expr],
) -> PgResult<Arc<dyn NodeKind>> {
    let tested: Vec<&Expr> = quals.iter().collect();
    let bounds = quals.iter().map(|qual| bound(c, qual));
    Ok(Arc::new(TidRangeScanNode {
        parts: scan::compile(c, plan, rt_index, relation, &tested)?,
        bounds: bounds.collect::<PgResult<_>>()?,
    }))
}

fn bound(c: &Compiler<'_>, qual: &Expr) -> PgResult<Bound> {
    let wrong = || internal!("condition on a range of ctid expected");
    let Expr::Func(f) = qual else { return Err(wrong()) };
    let [left, right] = &f.args[..] else {
        return Err(wrong());
    };
    let (below, or_equal) = match f.op.0 {
        2799 => (true, false),
        2800 => (false, false),
        2801 => (true, true),
        2802 => (false, true),
        _ => return Err(wrong()),
    };
    let mirrored = is_ctid(right);
    let value = if mirrored { left } else { right };
    Ok(Bound {
        value: c.program(value, ScanMap::None)?,
        below: below != mirrored,
        or_equal,
    })
}

impl NodeKind for TidRangeScanNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        if let Some(substitute) = opening.epq_for(self.parts.target.rt_index) {
            return EpqScan::open(&self.parts, &substitute);
        }
        Box::new(TidRangeScanOp {
            projector: self.parts.projection.open(),
            node: self,
            scan: None,
            rest: Rest::default(),
        })
    }
}

struct TidRangeScanOp {
    node: Arc<TidRangeScanNode>,
    projector: Projector,
    scan: Option<TableScan>,
    rest: Rest,
}

impl TidRangeScanOp {
    fn begin(&self, cx: &mut Cx<'_>) -> PgResult<TableScan> {
        let (mut from, mut to) = (0, u64::MAX);
        for bound in &self.node.bounds {
            match Eval::new(&bound.value).value(cx)? {
                Datum::Int8(tid) if bound.below => {
                    to = to.min(RowId::rows_before_tid(tid, bound.or_equal));
                }
                Datum::Int8(tid) => from = from.max(RowId::rows_before_tid(tid, !bound.or_equal)),
                // NULL: no row.
                _ => to = 0,
            }
        }
        let target = &self.node.parts.target;
        let mut request = ScanRequest::columns(target.columns.clone());
        request.row_ids = target.needs_row_ids();
        request.rows = Some(from.min(to)..to);
        Ok(target.open(cx)?.scan(cx.ext.snapshot, request))
    }
}

impl Operator for TidRangeScanOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        if let Some(batch) = self.rest.take(max_rows) {
            return Ok(Some(batch));
        }
        let mut scan = match self.scan.take() {
            Some(scan) => scan,
            None => self.begin(cx)?,
        };
        let mut out = None;
        while let Some(mut batch) = scan.next_batch(max_rows.min(BATCH_ROWS))? {
            cx.check()?;
            self.node.parts.target.complete_batch(cx, &mut batch)?;
            let inputs = Inputs::scan(&batch.columns, batch.rows);
            out = self.projector.apply(cx, inputs, &batch.selection)?;
            if out.is_some() {
                break;
            }
        }
        self.scan = Some(scan);
        let Some(batch) = out else { return Ok(None) };
        self.rest.put(batch);
        Ok(self.rest.take(max_rows))
    }

    fn rescan(&mut self, _cx: &mut Cx<'_>) -> PgResult<()> {
        self.scan = None;
        self.rest.clear();
        Ok(())
    }
}
