//! ProjectSet: set-returning functions in a target list, run in lockstep for each input row.

use std::sync::Arc;

use common::PgResult;
use expr::{Inputs, RowInputs};
use nodes::expr::{Expr, VarSource};
use nodes::query::TargetEntry;
use nodes::{Plan, Var};
use types::{BATCH_ROWS, Batch, Datum, Selection, Vector};

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::node::{Eval, Node, NodeKind, Opening, Operator, Projection, Projector};
use crate::ops::srf::{SrfCall, SrfRun};

struct ProjectSetNode {
    input: Node,
    calls: Vec<Arc<SrfCall>>,
    projection: Projection,
}

pub(crate) fn compile(c: &Compiler<'_>, plan: &Plan, input: &Plan) -> PgResult<Arc<dyn NodeKind>> {
    let mut found = Vec::new();
    let targets: Vec<TargetEntry> = plan
        .target_list
        .iter()
        .map(|t| TargetEntry {
            expr: extract(&t.expr, &mut found),
            ..t.clone()
        })
        .collect();
    let mut calls = Vec::new();
    for e in &found {
        let Expr::Func(f) = e else { continue };
        if f.args.iter().any(contains_srf) {
            return Err(common::unsupported!(
                "nested set-returning functions are not supported yet"
            ));
        }
        let phys = vec![c.phys(f.result.oid)?];
        calls.push(Arc::new(SrfCall::compile(c, f, phys, Vec::new(), false)?));
    }
    Ok(Arc::new(ProjectSetNode {
        input: c.node(input)?,
        calls,
        projection: c.projection_of(&plan.qual, &targets, ScanMap::None)?,
    }))
}

fn contains_srf(e: &Expr) -> bool {
    nodes::walk::any(e, &mut |e| matches!(e, Expr::Func(f) if f.returns_set))
}

/// Calls become columns of the inner side.
fn extract(e: &Expr, found: &mut Vec<Expr>) -> Expr {
    if let Expr::Func(f) = e {
        if f.returns_set {
            found.push(e.clone());
            return Expr::Var(Var {
                source: VarSource::Inner,
                attno: found.len() as i16,
                type_ref: f.result,
                collation: f.collation,
                nulling_rels: nodes::RelIds::empty(),
                returning: Default::default(),
                span: f.span,
            });
        }
    }
    let mut e = e.clone();
    nodes::walk::for_each_child_mut(&mut e, &mut |child| *child = extract(child, found));
    e
}

impl NodeKind for ProjectSetNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        Box::new(ProjectSetOp {
            input: opening.open(&self.input),
            args: self.calls.iter().map(|c| Eval::all(&c.args)).collect(),
            runs: self.calls.iter().map(SrfRun::new).collect(),
            projector: self.projection.open(),
            batch: None,
            row: 0,
            running: false,
        })
    }
}

struct ProjectSetOp {
    input: Box<dyn Operator>,
    args: Vec<Vec<Eval>>,
    runs: Vec<SrfRun>,
    projector: Projector,
    batch: Option<Batch>,
    row: usize,
    /// The calls run for the current row.
    running: bool,
}

impl ProjectSetOp {
    fn start(&mut self, cx: &mut Cx<'_>, outer: &[Datum]) -> PgResult<()> {
        let row = RowInputs {
            outer,
            ..RowInputs::default()
        };
        for (args, run) in self.args.iter_mut().zip(&mut self.runs) {
            let values = args
                .iter_mut()
                .map(|a| a.row(cx, row))
                .collect::<PgResult<Vec<_>>>()?;
            run.start(cx, &values)?;
        }
        self.running = true;
        Ok(())
    }
}

impl Operator for ProjectSetOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        loop {
            cx.check()?;
            let Some(batch) = self.batch.as_ref().filter(|b| self.row < b.len()).cloned() else {
                let Some(batch) = self.input.next(cx, max_rows)? else {
                    return Ok(None);
                };
                self.batch = Some(batch);
                self.row = 0;
                self.running = false;
                continue;
            };
            let position = batch.selection.position(self.row);
            if !self.running {
                let row = batch.long_row(self.row, cx.ext.cancel)?;
                self.start(cx, &row)?;
            }
            let mut count = 0;
            for run in &mut self.runs {
                count = count.max(run.fill(cx, max_rows.min(BATCH_ROWS))?);
            }
            let count = count.min(max_rows);
            if count == 0 {
                self.row += 1;
                self.running = false;
                continue;
            }
            let inner: Vec<Arc<Vector>> = self.runs.iter_mut().flat_map(|r| r.take(count)).collect();
            let outer: Vec<Arc<Vector>> = batch
                .columns
                .iter()
                .map(|c| Arc::new(Vector::constant(c.phys(), &c.datum(position), count)))
                .collect();
            let inputs = Inputs {
                rows: count,
                scan: &[],
                outer: &outer,
                inner: &inner,
            };
            if let Some(out) = self.projector.apply(cx, inputs, &Selection::All(count))? {
                return Ok(Some(out));
            }
        }
    }

    fn rescan(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        self.batch = None;
        self.row = 0;
        self.running = false;
        self.input.rescan(cx)
    }
}
