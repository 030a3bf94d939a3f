//! TidRangeScan: the rows between two ctids, as a scan of that part of the table.

use std::ops::Range;
use std::sync::Arc;

use common::{Oid, PgResult, RowId, internal};
use expr::ExprProgram;
use nodes::{Expr, Plan};
use types::{BATCH_ROWS, Batch, Datum};

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::node::{Eval, NodeKind, Opening, Operator};
use crate::ops::scan::{self, BlockScan, EpqScan, ScanParts};
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
            scan: BlockScan::new(&self.parts, None),
            node: self,
        })
    }
}

struct TidRangeScanOp {
    node: Arc<TidRangeScanNode>,
    scan: BlockScan,
}

impl TidRangeScanNode {
    /// Row numbers between the bounds.
    fn range(&self, cx: &mut Cx<'_>) -> PgResult<Range<u64>> {
        let (mut from, mut to) = (0, u64::MAX);
        for bound in &self.bounds {
            match Eval::new(&bound.value).value(cx)? {
                Datum::Int8(tid) if bound.below => {
                    to = to.min(RowId::rows_before_tid(tid, bound.or_equal));
                }
                Datum::Int8(tid) => from = from.max(RowId::rows_before_tid(tid, !bound.or_equal)),
                // NULL: no row.
                _ => to = 0,
            }
        }
        Ok(from.min(to)..to)
    }
}

impl Operator for TidRangeScanOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        let (node, demand) = (&self.node, max_rows.min(BATCH_ROWS));
        let range = |cx: &mut Cx<'_>| node.range(cx).map(Some);
        self.scan.next(cx, &node.parts.target, (max_rows, demand), range)
    }

    fn rescan(&mut self, _cx: &mut Cx<'_>) -> PgResult<()> {
        self.scan.restart();
        Ok(())
    }
}
