//! TidScan: rows by ctid, and the current row of a cursor.

use std::sync::Arc;

use common::{CTID, Oid, PgResult, RowId, internal};
use expr::{ExprProgram, Inputs};
use nodes::expr::BoolOp;
use nodes::{Expr, Plan};
use types::{BATCH_ROWS, Batch, Datum, Selection};

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::node::{Eval, NodeKind, Opening, Operator, Projector, Rest};
use crate::ops::scan::{self, EpqScan, ScanParts};

struct TidScanNode {
    parts: ScanParts,
    sources: Vec<Source>,
}

/// Where row ids come from.
enum Source {
    /// A `tid` or an array of them.
    Value(Arc<ExprProgram>),
    /// The row that a cursor stands on.
    CurrentOf(Box<str>),
}

pub(crate) fn compile(
    c: &Compiler<'_>,
    plan: &Plan,
    (rt_index, relation): (usize, Oid),
    tids: &[Expr],
) -> PgResult<Arc<dyn NodeKind>> {
    let mut sources = Vec::new();
    for condition in tids {
        add_sources(c, condition, &mut sources)?;
    }
    // A cursor's row stays the cursor's row, however it changes.
    let tested: Vec<&Expr> = match sources.iter().any(|s| matches!(s, Source::CurrentOf(_))) {
        true => Vec::new(),
        false => tids.iter().collect(),
    };
    Ok(Arc::new(TidScanNode {
        parts: scan::compile(c, plan, rt_index, relation, &tested)?,
        sources,
    }))
}

fn add_sources(c: &Compiler<'_>, condition: &Expr, out: &mut Vec<Source>) -> PgResult<()> {
    let value = match condition {
        Expr::CurrentOf { cursor, .. } => {
            out.push(Source::CurrentOf(cursor.clone()));
            return Ok(());
        }
        Expr::Bool(b) if b.op == BoolOp::Or => {
            return b.args.iter().try_for_each(|arm| add_sources(c, arm, out));
        }
        Expr::ScalarArrayOp(s) => Some(&*s.array),
        Expr::Func(f) => f.args.iter().find(|a| !is_ctid(a)),
        _ => None,
    };
    let value = value.ok_or_else(|| internal!("condition on ctid expected"))?;
    out.push(Source::Value(c.program(value, ScanMap::None)?));
    Ok(())
}

pub(crate) fn is_ctid(e: &Expr) -> bool {
    matches!(e, Expr::Var(v) if v.attno == CTID)
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
        for source in &self.node.sources {
            match source {
                Source::CurrentOf(cursor) => rows.extend(self.current_row(cx, cursor)?),
                Source::Value(tid) => match Eval::new(tid).value(cx)? {
                    Datum::Int8(tid) => rows.extend(RowId::from_tid(tid)),
                    Datum::Array(a) => {
                        let tids = a.elements.iter().filter_map(Datum::as_i64);
                        rows.extend(tids.filter_map(RowId::from_tid));
                    }
                    _ => {}
                },
            }
        }
        rows.sort_unstable();
        rows.dedup();
        Ok(rows)
    }

    /// The row of this relation that a cursor stands on, wherever this transaction has moved it since.
    fn current_row(&self, cx: &Cx<'_>, cursor: &str) -> PgResult<Option<RowId>> {
        let target = &self.node.parts.target;
        let args = [Datum::text(cursor), Datum::Oid(target.desc.oid.0)];
        let tid = cx.ext.session.call("current_of", &args)?;
        let Some(row) = tid.as_i64().and_then(RowId::from_tid) else {
            return Ok(None);
        };
        let (table, snapshot) = (target.open(cx)?, cx.ext.snapshot);
        Ok(Some(table.moved_to(row, snapshot)?))
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
