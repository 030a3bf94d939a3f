//! WindowAgg: window functions over input sorted by partition and order columns.
//!
//! # How it works
//! Input rows wait in a [`TupleStore`] until all is computed; columns that calls and keys need are kept beside it; partitions and peer groups are runs of equal keys. Each call is computed for all rows of a
//! partition; where all calls number rows or peers, and a run condition fails for the rest of the input, that is not read; rows with the same frame share an aggregate's result. Sums, counts and averages of integers come from running totals,
//! whatever the frame; other aggregates over moving frames are computed anew for each frame.

mod call;
mod frame;

use std::sync::Arc;

use common::{PgResult, internal};
use expr::{ExprProgram, Inputs};
use nodes::expr::{Expr, VarSource};
use nodes::query::TargetEntry;
use nodes::{Plan, PlanNode};
use types::{BATCH_ROWS, Batch, Selection, Vector};

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::keys::EqualKeys;
use crate::node::{Eval, Node, NodeKind, Opening, Operator, Projection, Projector, Rest};
use crate::ops::window::call::{WindowCall, WindowState};
use crate::ops::window::frame::{FrameDef, Partition};
use crate::spill::store::TupleStore;
use crate::store::RowStore;

/// Where an input may end early: how many rows are read before the first look whether it does.
const FIRST_LOOK: usize = 32;

struct WindowNode {
    /// `Plan::id`.
    id: u32,
    input: Node,
    /// Input columns of the two keys below.
    key_columns: Vec<usize>,
    partition: EqualKeys,
    order: EqualKeys,
    frame: FrameDef,
    calls: Vec<Arc<WindowCall>>,
    projection: Projection,
    /// Tested on the number of one row: where one of them fails, the input ends.
    ends: Vec<Arc<ExprProgram>>,
}

pub(crate) fn compile(c: &Compiler<'_>, plan: &Plan) -> PgResult<Arc<dyn NodeKind>> {
    let PlanNode::WindowAgg {
        input,
        window_ref,
        partition,
        order,
        units,
        start,
        end,
        exclusion,
        in_range,
        run_condition,
        top,
        ..
    } = &plan.node
    else {
        return Err(internal!("WindowAgg expected"));
    };
    let mut found = Vec::new();
    // Below other windows all rows go on; the topmost one tests the condition as its filter.
    let run_condition = if *top { &run_condition[..] } else { &[] };
    let run_condition: Vec<Expr> = run_condition
        .iter()
        .map(|e| extract(e, *window_ref, &mut found))
        .collect();
    let targets: Vec<TargetEntry> = plan
        .target_list
        .iter()
        .map(|t| TargetEntry {
            expr: extract(&t.expr, *window_ref, &mut found),
            ..t.clone()
        })
        .collect();
    let calls = found
        .iter()
        .map(|e| Ok(Arc::new(WindowCall::compile(c, e)?)))
        .collect::<PgResult<Vec<_>>>()?;
    let numbers = calls.iter().all(|call| call.looks_back());
    let ends = match partition.is_empty() && numbers {
        true => c.programs(&run_condition, ScanMap::None)?,
        false => Vec::new(),
    };
    let qual: Vec<Expr> = plan.qual.iter().chain(&run_condition).cloned().collect();
    let mut key_columns: Vec<usize> = partition
        .iter()
        .chain(order)
        .filter_map(|k| usize::try_from(k.column).ok()?.checked_sub(1))
        .collect();
    key_columns.sort_unstable();
    key_columns.dedup();
    Ok(Arc::new(WindowNode {
        id: plan.id,
        key_columns,
        partition: EqualKeys::compile(c, input, partition)?,
        order: EqualKeys::compile(c, input, order)?,
        frame: FrameDef::compile(
            c,
            *units,
            [start, end],
            *exclusion,
            order_column(input, order, *in_range),
        )?,
        projection: c.projection_of(&qual, &targets, ScanMap::None)?,
        input: c.node(input)?,
        calls,
        ends,
    }))
}

/// RANGE with offsets has one order column.
fn order_column(
    input: &Plan,
    order: &[nodes::plan::GroupKey],
    in_range: Option<frame::InRange>,
) -> Option<(frame::InRange, frame::OrderColumn)> {
    let at = usize::try_from(order.first()?.column).ok()?.checked_sub(1)?;
    let type_ref = input.target_list.get(at)?.expr.type_ref();
    Some((in_range?, (at, type_ref)))
}

/// Calls of this window become columns of the inner side.
fn extract(e: &Expr, window_ref: u32, found: &mut Vec<Expr>) -> Expr {
    if let Expr::WindowFunc(w) = e {
        if w.window_ref == window_ref {
            let at = found.iter().position(|x| x == e).unwrap_or_else(|| {
                found.push(e.clone());
                found.len() - 1
            });
            return Expr::Var(nodes::Var {
                source: VarSource::Inner,
                attno: at as i16 + 1,
                type_ref: w.result,
                collation: w.collation,
                nulling_rels: nodes::RelIds::empty(),
                returning: Default::default(),
                span: w.span,
            });
        }
    }
    let mut e = e.clone();
    nodes::walk::for_each_child_mut(&mut e, &mut |child| *child = extract(child, window_ref, found));
    e
}

impl NodeKind for WindowNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        Box::new(WindowOp {
            input: opening.open(&self.input),
            projector: self.projection.open(),
            done: None,
            node: self,
        })
    }
}

/// Everything computed.
struct Computed {
    outer: TupleStore,
    results: Vec<Vector>,
    /// Number of the next stored batch, and of its first row.
    next: (usize, usize),
    /// The batch at hand.
    rest: Rest,
}

struct WindowOp {
    node: Arc<WindowNode>,
    input: Box<dyn Operator>,
    projector: Projector,
    done: Option<Computed>,
}

impl WindowOp {
    fn compute(&mut self, cx: &mut Cx<'_>) -> PgResult<Computed> {
        let node = Arc::clone(&self.node);
        let mut outer = TupleStore::default();
        // Only the columns of the keys are filled.
        let mut store = RowStore::new(&node.input.phys);
        let mut states: Vec<WindowState> = node.calls.iter().map(WindowState::new).collect();
        let mut ends = Eval::all(&node.ends);
        let mut look_at = FIRST_LOOK;
        loop {
            let wanted = match ends.is_empty() {
                true => BATCH_ROWS,
                false => (look_at - store.rows).min(BATCH_ROWS),
            };
            let Some(batch) = self.input.next(cx, wanted)? else {
                break;
            };
            cx.check()?;
            let batch = batch.compact();
            states.iter_mut().try_for_each(|s| s.read(cx, &batch))?;
            store.append_columns(cx, &batch, &node.key_columns)?;
            outer.push(cx, batch)?;
            if !ends.is_empty() && store.rows >= look_at {
                if self.has_ended(cx, &mut ends, &states, &store)? {
                    break;
                }
                look_at = store.rows * 8;
            }
        }
        if let Some(stats) = cx.run.stats.get_mut(node.id as usize) {
            stats.storage = Some(outer.summary());
        }
        let mut frame = if store.rows == 0 {
            None
        } else {
            Some(node.frame.open(cx)?)
        };
        let mut from = 0;
        while from < store.rows {
            cx.check()?;
            let Some(frame) = &mut frame else { break };
            let partition = self.partition(cx, &store, from)?;
            let frames = frame.of_partition(cx, &partition, &store.columns)?;
            for state in &mut states {
                state.compute(cx, &partition, &frames)?;
            }
            from = partition.end;
        }
        Ok(Computed {
            outer,
            results: states.into_iter().map(WindowState::into_result).collect(),
            next: (0, 0),
            rest: Rest::default(),
        })
    }

    /// Whether the run condition fails for the last row read so far: it will for all that follow.
    fn has_ended(
        &self,
        cx: &mut Cx<'_>,
        ends: &mut [Eval],
        states: &[WindowState],
        store: &RowStore,
    ) -> PgResult<bool> {
        let Some(last) = store.rows.checked_sub(1) else {
            return Ok(false);
        };
        let partition = self.partition(cx, store, 0)?;
        let inner: Vec<Arc<Vector>> = states
            .iter()
            .map(|s| Arc::new(s.number_of(&partition, last)))
            .collect();
        let inputs = Inputs {
            rows: 1,
            scan: &[],
            outer: &[],
            inner: &inner,
        };
        for condition in ends {
            if condition.filter(cx, inputs, &Selection::All(1))?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The partition that begins at a row, with its peer groups.
    fn partition(&self, cx: &Cx<'_>, store: &RowStore, from: usize) -> PgResult<Partition> {
        let same = |keys: &EqualKeys, a: usize, b: usize| -> PgResult<bool> {
            for (column, equality) in &keys.columns {
                let v = &store.columns[*column];
                if !equality.equal(cx, v, a, v, b)? {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        let mut partition = Partition::new(from);
        let mut row = from + 1;
        while row < store.rows && same(&self.node.partition, row - 1, row)? {
            partition.push(same(&self.node.order, row - 1, row)?);
            row += 1;
        }
        partition.finish();
        Ok(partition)
    }
}

impl Operator for WindowOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        if self.done.is_none() {
            self.done = Some(self.compute(cx)?);
        }
        let Some(done) = &mut self.done else {
            return Ok(None);
        };
        loop {
            let Some(outer) = done.rest.take(max_rows) else {
                let Some(batch) = done.outer.get(done.next.0)? else {
                    return Ok(None);
                };
                done.next.0 += 1;
                done.rest.put(batch);
                continue;
            };
            let outer = outer.compact();
            let (from, count) = (done.next.1, outer.rows);
            done.next.1 += count;
            let slice = |v: &Vector| Arc::new(v.take(from..from + count));
            let inner: Vec<Arc<Vector>> = done.results.iter().map(slice).collect();
            let inputs = Inputs {
                rows: count,
                scan: &[],
                outer: &outer.columns,
                inner: &inner,
            };
            if let Some(batch) = self.projector.apply(cx, inputs, &Selection::All(count))? {
                return Ok(Some(batch));
            }
        }
    }

    fn rescan(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        self.done = None;
        self.input.rescan(cx)
    }
}
