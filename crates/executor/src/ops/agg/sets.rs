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
use crate::instrument::HashSummary;
use crate::keys::EqualKeys;
use crate::node::{Node, NodeKind, Opening, Operator, Projection, Projector};
use crate::ops::agg::calls::{AggCall, AggStates};
use crate::spill::batches::BatchFile;
use crate::spill::partitions::{LEVEL_MAX, Partitions, Reader};

/// One grouping set.
struct Set {
    keys: EqualKeys,
    /// Input columns of keys that other sets have and this one has not.
    absent: Vec<usize>,
    /// Values of the GROUPING calls.
    grouping: Vec<i32>,
}

struct SetsNode {
    /// `Plan::id`.
    id: u32,
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
    let kept = kept_columns(keys, &quals, &targets);
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
        id: plan.id,
        input: c.node(input)?,
        sets,
        calls,
        kept,
        projection: c.projection_of(&quals, &targets, ScanMap::None)?,
    }))
}

/// Input columns kept of each group's first row: keys and columns used beside aggregates.
fn kept_columns(keys: &[GroupKey], quals: &[Expr], targets: &[TargetEntry]) -> Vec<usize> {
    let mut refs = Vec::new();
    for e in quals.iter().chain(targets.iter().map(|t| &t.expr)) {
        column_refs(e, VarSource::Outer, &mut refs);
    }
    let mut kept: Vec<usize> = keys.iter().map(|k| k.column as usize - 1).collect();
    kept.extend(refs.iter().filter_map(|a| usize::try_from(*a - 1).ok()));
    kept.sort_unstable();
    kept.dedup();
    kept
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
            source: None,
            tasks: Vec::new(),
            summary: HashSummary::default(),
            node: self,
        })
    }
}

/// A set while it runs.
struct Running {
    /// Its number.
    set: usize,
    table: GroupTable,
    states: AggStates,
    count: usize,
    /// Rows of groups that found no place in the table.
    spilled: Option<Partitions>,
    /// How often its rows were divided.
    level: u32,
}

impl Running {
    fn new(node: &SetsNode, set: usize, level: u32) -> Running {
        let keys = &node.sets[set].keys;
        Running {
            set,
            table: GroupTable::new(keys, &node.kept, &node.input.phys),
            states: AggStates::new(&node.calls),
            count: usize::from(keys.columns.is_empty()),
            spilled: None,
            level,
        }
    }

    fn add(
        &mut self,
        cx: &mut Cx<'_>,
        keys: &EqualKeys,
        batch: &Batch,
        numbers: &mut Vec<u32>,
    ) -> PgResult<()> {
        if keys.columns.is_empty() {
            numbers.clear();
            numbers.resize(batch.len(), 0);
            return self.states.update(cx, batch, numbers, self.count, true);
        }
        let Some(parts) = &mut self.spilled else {
            let table = &mut self.table;
            table.assign(cx, keys, &batch.columns, &batch.selection, numbers)?;
            self.count = table.len();
            return self.states.update(cx, batch, numbers, self.count, false);
        };
        match self.table.assign_or_spill(cx, keys, batch, numbers, parts)? {
            Some(known) => self.states.update(cx, &known, numbers, self.count, false),
            None => Ok(()),
        }
    }

    fn memory_bytes(&self) -> usize {
        self.table.memory_bytes() + self.states.memory_bytes()
    }
}

/// Rows of one set that wait in a file.
struct Task {
    set: usize,
    level: u32,
    file: BatchFile,
}

struct SetsOp {
    node: Arc<SetsNode>,
    input: Box<dyn Operator>,
    projector: Projector,
    running: Vec<Running>,
    /// Of `running`: which, and its group to give out next.
    at: (usize, usize),
    read: bool,
    /// Where rows come from when not from the input.
    source: Option<Reader>,
    tasks: Vec<Task>,
    summary: HashSummary,
}

impl SetsOp {
    /// Aggregates the input, or the file at hand, for the running sets.
    fn read(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        let node = Arc::clone(&self.node);
        let mut numbers = Vec::new();
        while let Some(batch) = self.next_input(cx)? {
            cx.check()?;
            for run in &mut self.running {
                // CUBE may have thousands of sets.
                cx.check()?;
                run.add(cx, &node.sets[run.set].keys, &batch, &mut numbers)?;
            }
            self.limit_memory(cx);
        }
        for run in &mut self.running {
            run.states.finish_ordered(cx, run.count)?;
            if let Some(parts) = run.spilled.take() {
                let (set, level) = (run.set, run.level + 1);
                for file in parts.finish(cx)?.into_iter().flatten() {
                    self.summary.disk += file.bytes();
                    self.summary.batches += 1;
                    self.tasks.push(Task { set, level, file });
                }
            }
        }
        if let Some(stats) = cx.run.stats.get_mut(self.node.id as usize) {
            stats.hash = Some(HashSummary {
                batches: self.summary.batches + 1,
                ..self.summary
            });
        }
        self.at = (0, 0);
        Ok(())
    }

    fn next_input(&mut self, cx: &mut Cx<'_>) -> PgResult<Option<Batch>> {
        match &mut self.source {
            Some(reader) => reader.next(),
            None => self.input.next(cx, BATCH_ROWS),
        }
    }

    /// Closes the tables to new groups when together they have outgrown their memory.
    fn limit_memory(&mut self, cx: &Cx<'_>) {
        let bytes: usize = self.running.iter().map(Running::memory_bytes).sum();
        self.summary.memory = self.summary.memory.max(bytes as u64);
        if bytes <= cx.ext.hash_mem_bytes || !cx.ext.temp.may_spill() {
            return;
        }
        let phys = &self.node.input.phys;
        for run in &mut self.running {
            let grows = !self.node.sets[run.set].keys.columns.is_empty();
            if grows && run.spilled.is_none() && run.level < LEVEL_MAX {
                run.spilled = Some(Partitions::new(phys, run.level));
            }
        }
    }

    /// The next file's groups; false: there is none.
    fn next_task(&mut self, cx: &mut Cx<'_>) -> PgResult<bool> {
        self.running.clear();
        let Some(task) = self.tasks.pop() else {
            return Ok(false);
        };
        self.running.push(Running::new(&self.node, task.set, task.level));
        self.source = Some(Reader::new(task.file));
        self.read(cx)?;
        Ok(true)
    }

    fn give(&mut self, cx: &mut Cx<'_>, at: usize, next: usize, count: usize) -> PgResult<Option<Batch>> {
        let node = Arc::clone(&self.node);
        let run = &mut self.running[at];
        let set = &node.sets[run.set];
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
            let sets = 0..self.node.sets.len();
            self.running = sets.map(|set| Running::new(&self.node, set, 0)).collect();
            self.read(cx)?;
        }
        loop {
            let (set, next) = self.at;
            let Some(run) = self.running.get(set) else {
                match self.next_task(cx)? {
                    true => continue,
                    false => return Ok(None),
                }
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
        self.source = None;
        self.tasks.clear();
        self.summary = HashSummary::default();
        self.at = (0, 0);
        self.input.rescan(cx)
    }
}
