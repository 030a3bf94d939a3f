//! Compiled nodes and the operators they open.

use std::sync::Arc;

use common::PgResult;
use expr::{ColumnPlace, ExprProgram, ExprState, Inputs, RowInputs, Runtime};
use types::{Batch, Datum, PhysType, Selection, Vector};

use crate::cx::Cx;
use crate::ops::index::gather::{GatherCall, Gathering};
use crate::ops::index::probe::{Matches, OuterKeys};
use crate::parallel::Team;

/// A compiled plan node.
#[derive(Clone)]
pub(crate) struct Node {
    /// `Plan::id`.
    pub id: u32,
    pub kind: Arc<dyn NodeKind>,
    /// Storage classes of the output.
    pub phys: Arc<[PhysType]>,
    /// Executor parameters set further out that it reads.
    pub deps: Arc<[usize]>,
}

/// One kind of node: opens operators.
pub(crate) trait NodeKind: Send + Sync {
    /// A fresh operator.
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator>;
}

/// A row that EvalPlanQual puts in the place of a relation.
pub(crate) struct EpqRow {
    pub rt_index: usize,
    pub row: common::RowId,
    /// Its other system columns, in the order of [`crate::ops::system::SYSTEM`].
    pub system: [Datum; 4],
    pub values: Arc<[Datum]>,
}

/// What EvalPlanQual puts in the place of relations.
#[derive(Default)]
pub(crate) struct Epq {
    pub rows: Vec<Arc<EpqRow>>,
    /// Range table entries that have no row.
    pub empty: Vec<usize>,
}

/// What stands in the place of a relation.
pub(crate) enum Substitute {
    Row(Arc<EpqRow>),
    Nothing,
}

/// How a tree is opened.
#[derive(Clone, Default)]
pub(crate) struct Opening {
    /// Measure every node.
    pub instrument: bool,
    /// EvalPlanQual: scans of relations in it see one row only.
    pub epq: Option<Arc<Epq>>,
    /// Below a Gather: with whom parallel-aware nodes share their work.
    pub team: Option<Arc<Team>>,
}

impl Opening {
    /// Opens a node.
    pub fn open(&self, node: &Node) -> Box<dyn Operator> {
        let operator = Arc::clone(&node.kind).open(self);
        if self.instrument {
            return Box::new(crate::instrument::Measured::new(node.id, operator));
        }
        operator
    }

    /// Opens a node whose rows are all asked for.
    pub fn open_whole(&self, node: &Node) -> Box<dyn Operator> {
        let mut operator = self.open(node);
        operator.will_drain();
        operator
    }

    /// The substitute for a relation, if there is one.
    pub fn epq_for(&self, rt_index: usize) -> Option<Substitute> {
        let epq = self.epq.as_ref()?;
        if epq.empty.contains(&rt_index) {
            return Some(Substitute::Nothing);
        }
        let row = epq.rows.iter().find(|row| row.rt_index == rt_index)?;
        Some(Substitute::Row(Arc::clone(row)))
    }

    /// A tree for EvalPlanQual.
    pub fn with_epq(epq: Epq) -> Opening {
        Opening {
            instrument: false,
            epq: Some(Arc::new(epq)),
            team: None,
        }
    }
}

/// A running node.
pub(crate) trait Operator: Send {
    /// 1 to `max_rows` more rows; `None` at the end, and again after the end.
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>>;

    /// Only the first `rows` rows will ever be asked for (until told otherwise): sorts need not keep more.
    fn set_bound(&mut self, rows: Option<usize>) {
        let _ = rows;
    }

    /// Before the first row is asked for: passes over up to `rows` rows, if it can do so more cheaply than by giving them; how many.
    fn skip(&mut self, cx: &mut Cx<'_>, rows: u64) -> PgResult<u64> {
        let _ = (cx, rows);
        Ok(0)
    }

    /// As the inner side of a nested loop: rows for many outer rows at once. `None`: one at a time, by parameters.
    fn probe(&mut self, cx: &mut Cx<'_>, keys: &OuterKeys<'_>) -> PgResult<Option<Matches>> {
        let _ = (cx, keys);
        Ok(None)
    }

    /// Every row up to the end will be asked for, now and after rescans: outer rows of nested loops may be read ahead.
    fn will_drain(&mut self) {}

    /// Before the first row is asked for: rows whose integer in an output column is not in this range, or NULL, are of no use, and need not
    /// be given (`None`: all are again).
    fn narrow(&mut self, column: usize, range: Option<(i64, i64)>) {
        let _ = (column, range);
    }

    /// As the inner side of a nested loop: may it know rows for many outer rows at once?
    fn gathers(&self) -> bool {
        false
    }

    /// The rows for all outer rows that wait, if that is cheaper than asking for those of one after the other.
    fn gather(&mut self, cx: &mut Cx<'_>, call: &mut GatherCall<'_>) -> PgResult<Gathering> {
        let _ = (cx, call);
        Ok(Gathering::Lookups)
    }

    /// Starts again; executor parameters may have changed.
    fn rescan(&mut self, cx: &mut Cx<'_>) -> PgResult<()>;
}

/// An expression with its run-time state.
pub(crate) struct Eval {
    pub program: Arc<ExprProgram>,
    state: ExprState,
}

impl Eval {
    pub fn new(program: &Arc<ExprProgram>) -> Eval {
        Eval {
            program: Arc::clone(program),
            state: program.new_state(),
        }
    }

    pub fn all(programs: &[Arc<ExprProgram>]) -> Vec<Eval> {
        programs.iter().map(Eval::new).collect()
    }

    pub fn vector(&mut self, cx: &mut Cx<'_>, inputs: Inputs<'_>, sel: &Selection) -> PgResult<Arc<Vector>> {
        self.program.eval(cx, &mut self.state, inputs, sel)
    }

    /// The same outside of a plan.
    pub fn over(
        &mut self,
        rt: &mut dyn Runtime,
        inputs: Inputs<'_>,
        sel: &Selection,
    ) -> PgResult<Arc<Vector>> {
        self.program.eval(rt, &mut self.state, inputs, sel)
    }

    pub fn filter(&mut self, cx: &mut Cx<'_>, inputs: Inputs<'_>, sel: &Selection) -> PgResult<Selection> {
        self.program.filter(cx, &mut self.state, inputs, sel)
    }

    pub fn row(&mut self, rt: &mut dyn Runtime, row: RowInputs<'_>) -> PgResult<Datum> {
        self.program.eval_row(rt, &mut self.state, row)
    }

    /// A value that depends on no column.
    pub fn value(&mut self, rt: &mut dyn Runtime) -> PgResult<Datum> {
        self.row(rt, RowInputs::default())
    }
}

/// The positions that pass every condition; those that do not count as dropped by the node.
pub(crate) fn filter_all(
    filters: &mut [Eval],
    cx: &mut Cx<'_>,
    inputs: Inputs<'_>,
    sel: &Selection,
) -> PgResult<Selection> {
    let mut sel = sel.clone();
    for f in filters {
        if sel.is_empty() {
            break;
        }
        // There may be thousands.
        cx.check()?;
        let before = sel.len();
        sel = f.filter(cx, inputs, &sel)?;
        cx.run.dropped += (before - sel.len()) as u64;
    }
    Ok(sel)
}

/// What every node does last: its conditions, then its target list.
pub(crate) struct Projection {
    pub filters: Vec<Arc<ExprProgram>>,
    pub targets: Vec<Arc<ExprProgram>>,
    /// Some target is more than a column or a constant.
    computes: bool,
    /// Conditions and targets call several volatile functions: all of a row is computed before the next row.
    by_rows: bool,
}

impl Projection {
    pub fn new(filters: Vec<Arc<ExprProgram>>, targets: Vec<Arc<ExprProgram>>, by_rows: bool) -> Projection {
        let computes = targets
            .iter()
            .any(|t| t.as_column().is_none() && t.as_const().is_none());
        Projection {
            filters,
            targets,
            computes,
            by_rows,
        }
    }

    /// True when nothing can raise an error or have an effect: rows may be prepared ahead of demand.
    pub fn is_harmless(&self) -> bool {
        !self.computes && self.filters.iter().all(|f| f.is_harmless())
    }

    pub fn open(&self) -> Projector {
        Projector {
            filters: Eval::all(&self.filters),
            targets: Eval::all(&self.targets),
            computes: self.computes,
            by_rows: self.by_rows,
        }
    }
}

/// A projection with its state.
pub(crate) struct Projector {
    filters: Vec<Eval>,
    targets: Vec<Eval>,
    computes: bool,
    by_rows: bool,
}

/// Below this share of selected rows a batch is squeezed before expressions are computed over it.
const SPARSE: usize = 4;

impl Projector {
    /// The rows that pass, in the node's output columns; `None` when none does.
    pub fn apply(&mut self, cx: &mut Cx<'_>, inputs: Inputs<'_>, sel: &Selection) -> PgResult<Option<Batch>> {
        if self.by_rows {
            return self.apply_by_rows(cx, inputs, sel);
        }
        let kept = filter_all(&mut self.filters, cx, inputs, sel)?;
        if kept.is_empty() {
            return Ok(None);
        }
        self.project(cx, inputs, kept).map(Some)
    }

    fn apply_by_rows(
        &mut self,
        cx: &mut Cx<'_>,
        inputs: Inputs<'_>,
        sel: &Selection,
    ) -> PgResult<Option<Batch>> {
        let mut out: Vec<Vec<Datum>> = vec![Vec::with_capacity(sel.len()); self.targets.len()];
        let mut rows = 0;
        for k in 0..sel.len() {
            let at = sel.position(k);
            let side =
                |columns: &[Arc<Vector>]| -> Vec<Datum> { columns.iter().map(|c| c.datum(at)).collect() };
            let (scan, outer, inner) = (side(inputs.scan), side(inputs.outer), side(inputs.inner));
            let row = RowInputs {
                scan: &scan,
                outer: &outer,
                inner: &inner,
            };
            if !self.passes(cx, row)? {
                cx.run.dropped += 1;
                continue;
            }
            for (target, column) in self.targets.iter_mut().zip(&mut out) {
                column.push(target.row(cx, row)?);
            }
            rows += 1;
        }
        let vector = |(target, values): (&Eval, &Vec<Datum>)| {
            Arc::new(Vector::from_datums(target.program.phys(), values))
        };
        Ok((rows > 0).then(|| Batch {
            columns: self.targets.iter().zip(&out).map(vector).collect(),
            rows,
            selection: Selection::All(rows),
        }))
    }

    fn passes(&mut self, cx: &mut Cx<'_>, row: RowInputs<'_>) -> PgResult<bool> {
        for filter in &mut self.filters {
            if filter.row(cx, row)?.as_bool() != Some(true) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Where an output column comes from, when it is nothing but a column.
    pub fn target_column(&self, column: usize) -> Option<ColumnPlace> {
        self.targets.get(column)?.program.as_column()
    }

    /// The conditions alone: the rows that pass.
    pub fn filter(&mut self, cx: &mut Cx<'_>, inputs: Inputs<'_>, sel: &Selection) -> PgResult<Selection> {
        filter_all(&mut self.filters, cx, inputs, sel)
    }

    /// The target list alone.
    pub fn project(&mut self, cx: &mut Cx<'_>, inputs: Inputs<'_>, sel: Selection) -> PgResult<Batch> {
        if self.by_rows {
            let filters = std::mem::take(&mut self.filters);
            let made = self.apply_by_rows(cx, inputs, &sel);
            self.filters = filters;
            let none = || self.columns(cx, inputs, Selection::All(0));
            return made?.map_or_else(none, Ok);
        }
        if self.computes && sel.len() * SPARSE < inputs.rows {
            return self.project_squeezed(cx, inputs, &sel);
        }
        self.columns(cx, inputs, sel)
    }

    fn columns(&mut self, cx: &mut Cx<'_>, inputs: Inputs<'_>, sel: Selection) -> PgResult<Batch> {
        let columns = self
            .targets
            .iter_mut()
            .map(|t| t.vector(cx, inputs, &sel))
            .collect::<PgResult<_>>()?;
        Ok(Batch {
            columns,
            rows: inputs.rows,
            selection: sel,
        })
    }

    fn project_squeezed(&mut self, cx: &mut Cx<'_>, inputs: Inputs<'_>, sel: &Selection) -> PgResult<Batch> {
        let squeeze = |columns: &[Arc<Vector>]| -> Vec<Arc<Vector>> {
            columns.iter().map(|c| Arc::new(c.gather(sel))).collect()
        };
        let (scan, outer, inner) = (squeeze(inputs.scan), squeeze(inputs.outer), squeeze(inputs.inner));
        let squeezed = Inputs {
            rows: sel.len(),
            scan: &scan,
            outer: &outer,
            inner: &inner,
        };
        self.columns(cx, squeezed, Selection::All(sel.len()))
    }
}

/// A batch of which a part has been handed out.
#[derive(Default)]
pub(crate) struct Rest {
    batch: Option<(Batch, usize)>,
}

impl Rest {
    pub fn put(&mut self, batch: Batch) {
        self.batch = (!batch.is_empty()).then_some((batch, 0));
    }

    pub fn clear(&mut self) {
        self.batch = None;
    }

    pub fn is_empty(&self) -> bool {
        self.batch.is_none()
    }

    /// Up to `max_rows` of what is left.
    pub fn take(&mut self, max_rows: usize) -> Option<Batch> {
        let (batch, done) = self.batch.take()?;
        let left = batch.len() - done;
        if done == 0 && left <= max_rows {
            return Some(batch);
        }
        let take = left.min(max_rows.max(1));
        let out = slice(&batch, done, take);
        if take < left {
            self.batch = Some((batch, done + take));
        }
        Some(out)
    }
}

/// `count` rows of a batch from the `from`-th on.
pub(crate) fn slice(batch: &Batch, from: usize, count: usize) -> Batch {
    if from == 0 && count >= batch.len() {
        return batch.clone();
    }
    let rows = (from..from + count)
        .map(|k| batch.selection.position(k) as u16)
        .collect();
    Batch {
        columns: batch.columns.clone(),
        rows: batch.rows,
        selection: Selection::Rows(rows),
    }
}
