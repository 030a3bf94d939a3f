//! Agg with grouping sets: one hash table per set over one reading of the input.
//!
//! # How it works
//! Every set numbers the rows by its own keys and has its own states. When the input has ended, the sets give out their groups one
//! after another, in the order of the plan; key columns that a set does not group by are NULL. The empty set gives one row even
//! without input.

use std::sync::Arc;

use common::PgResult;
use expr::Inputs;
use nodes::expr::VarSource;
use nodes::plan::{GroupKey, GroupingPass};
use nodes::query::TargetEntry;
use nodes::{Expr, Plan};
use types::{BATCH_ROWS, Batch, Datum, PhysType, Selection, Vector};

use crate::compile::{Compiler, ScanMap, column_refs};
use crate::cx::Cx;
use crate::groups::GroupTable;
use crate::keys::EqualKeys;
use crate::node::{Node, NodeKind, Opening, Operator, Projection, Projector};
use crate::ops::agg::calls::{AggCall, AggStates};

/// One grouping set.
struct Set {
    keys: EqualKeys,
    /// Input columns of keys that other sets have and this one has not.
    absent: Vec<usize>,
    /// Values of the GROUPING calls.
    grouping: Vec<i32>,
}

struct SetsNode {
    input: Node,
    sets: Vec<Set>,
    calls: Vec<Arc<AggCall>>,
    kept: Vec<usize>,
    projection: Projection,
}

pub(crate) fn compile(
    c: &Compiler<'_>,
    plan: &Plan,
    input: &Plan,
    keys: &[GroupKey],
    passes: &[GroupingPass],
) -> PgResult<Arc<dyn NodeKind>> {
    let (mut found, mut groupings) = (Vec::new(), Vec::new());
    let mut prepare = |e: &Expr| {
        let e = super::extract(e, &mut found);
        extract_grouping(&e, &mut groupings)
    };
    let quals: Vec<Expr> = plan.qual.iter().map(&mut prepare).collect();
    let targets: Vec<TargetEntry> = plan
        .target_list
        .iter()
        .map(|t| TargetEntry {
            expr: prepare(&t.expr),
            ..t.clone()
        })
        .collect();
    // GROUPING's columns come behind those of the aggregates.
    let offset = found.len() as i16;
    let shift = |e: &Expr| {
        let mut e = e.clone();
        nodes::walk::rewrite(&mut e, &mut |e| {
            if let Expr::Var(v) = e
                && v.source == VarSource::Inner
                && v.attno < 0
            {
                v.attno = offset - v.attno;
            }
        });
        e
    };
    let quals: Vec<Expr> = quals.iter().map(shift).collect();
    let targets: Vec<TargetEntry> = targets
        .into_iter()
        .map(|t| TargetEntry {
            expr: shift(&t.expr),
            ..t
        })
        .collect();
    let mut refs = Vec::new();
    for e in quals.iter().chain(targets.iter().map(|t| &t.expr)) {
        column_refs(e, VarSource::Outer, &mut refs);
    }
    let mut kept: Vec<usize> = keys.iter().map(|k| k.column as usize - 1).collect();
    kept.extend(refs.iter().filter_map(|a| usize::try_from(*a - 1).ok()));
    kept.sort_unstable();
    kept.dedup();
    let mut sets = Vec::new();
    for positions in passes.iter().flat_map(|p| &p.sets) {
        let own: Vec<GroupKey> = positions.iter().filter_map(|p| keys.get(*p).cloned()).collect();
        let here: Vec<usize> = own.iter().map(|k| k.column as usize - 1).collect();
        sets.push(Set {
            keys: EqualKeys::compile(c, input, &own)?,
            absent: keys
                .iter()
                .map(|k| k.column as usize - 1)
                .filter(|column| !here.contains(column))
                .collect(),
            grouping: groupings.iter().map(|refs| mask(refs, positions)).collect(),
        });
    }
    let calls = found
        .iter()
        .map(|e| Ok(Arc::new(AggCall::compile(c, e)?)))
        .collect::<PgResult<_>>()?;
    Ok(Arc::new(SetsNode {
        input: c.node(input)?,
        sets,
        calls,
        kept,
        projection: c.projection_of(&quals, &targets, ScanMap::None)?,
    }))
}

/// A bit per argument, the last one lowest: 1 when the set does not group by it.
fn mask(refs: &[u32], set: &[usize]) -> i32 {
    refs.iter()
        .fold(0, |m, r| (m << 1) | i32::from(!set.contains(&(*r as usize))))
}

/// GROUPING calls become columns of the inner side, numbered downwards from -1 for now.
fn extract_grouping(e: &Expr, found: &mut Vec<Vec<u32>>) -> Expr {
    if let Expr::GroupingFunc(g) = e {
        let at = found.iter().position(|x| *x == g.refs).unwrap_or_else(|| {
            found.push(g.refs.clone());
            found.len() - 1
        });
        return Expr::Var(nodes::Var {
            source: VarSource::Inner,
            attno: -(at as i16) - 1,
            type_ref: e.type_ref(),
            collation: common::Oid::INVALID,
            nulling_rels: nodes::RelIds::empty(),
            returning: Default::default(),
            span: g.span,
        });
    }
    let mut e = e.clone();
    nodes::walk::for_each_child_mut(&mut e, &mut |child| *child = extract_grouping(child, found));
    e
}

impl NodeKind for SetsNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        Box::new(SetsOp {
            input: opening.open_whole(&self.input),
            projector: self.projection.open(),
            running: Vec::new(),
            at: (0, 0),
            read: false,
            node: self,
        })
    }
}

/// A set while it runs.
struct Running {
    table: GroupTable,
    states: AggStates,
    count: usize,
}

struct SetsOp {
    node: Arc<SetsNode>,
    input: Box<dyn Operator>,
    projector: Projector,
    running: Vec<Running>,
    /// Set and group to give out next.
    at: (usize, usize),
    read: bool,
}

impl SetsOp {
    fn read(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        let node = Arc::clone(&self.node);
        self.running = node
            .sets
            .iter()
            .map(|set| Running {
                table: GroupTable::new(&set.keys, &node.kept, &node.input.phys),
                states: AggStates::new(&node.calls),
                count: usize::from(set.keys.columns.is_empty()),
            })
            .collect();
        let mut numbers = Vec::new();
        while let Some(batch) = self.input.next(cx, BATCH_ROWS)? {
            cx.check()?;
            for (set, run) in node.sets.iter().zip(&mut self.running) {
                let plain = set.keys.columns.is_empty();
                if plain {
                    numbers.clear();
                    numbers.resize(batch.len(), 0);
                } else {
                    run.table
                        .assign(cx, &set.keys, &batch.columns, &batch.selection, &mut numbers)?;
                    run.count = run.table.len();
                }
                run.states.update(cx, &batch, &numbers, run.count, plain)?;
            }
        }
        for run in &mut self.running {
            run.states.finish_ordered(cx, run.count)?;
        }
        self.at = (0, 0);
        Ok(())
    }

    fn give(&mut self, cx: &mut Cx<'_>, at: usize, next: usize, count: usize) -> PgResult<Option<Batch>> {
        let node = Arc::clone(&self.node);
        let (set, run) = (&node.sets[at], &mut self.running[at]);
        let mut inner = run.states.finalize(cx, next, count)?;
        for value in &set.grouping {
            inner.push(Arc::new(Vector::constant(
                PhysType::Int4,
                &Datum::Int4(*value),
                count,
            )));
        }
        let filler = Arc::new(Vector::constant(PhysType::Bool, &Datum::Null, count));
        let mut outer = vec![filler; node.input.phys.len()];
        let first = &run.table.first_rows;
        for (k, &column) in node.kept.iter().enumerate() {
            let phys = node.input.phys[column];
            outer[column] = if set.absent.contains(&column) || first.rows < next + count {
                Arc::new(Vector::constant(phys, &Datum::Null, count))
            } else {
                Arc::new(first.columns[k].take(next..next + count))
            };
        }
        let inputs = Inputs {
            rows: count,
            scan: &[],
            outer: &outer,
            inner: &inner,
        };
        self.projector.apply(cx, inputs, &Selection::All(count))
    }
}

impl Operator for SetsOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        if !std::mem::replace(&mut self.read, true) {
            self.read(cx)?;
        }
        loop {
            let (set, next) = self.at;
            let Some(run) = self.running.get(set) else {
                return Ok(None);
            };
            if next >= run.count {
                self.at = (set + 1, 0);
                continue;
            }
            let step = max_rows.min(run.count - next);
            self.at = (set, next + step);
            if let Some(batch) = self.give(cx, set, next, step)? {
                return Ok(Some(batch));
            }
        }
    }

    fn rescan(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        self.read = false;
        self.running.clear();
        self.input.rescan(cx)
    }
}
