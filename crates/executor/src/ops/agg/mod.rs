//! Agg and Group: plain, sorted and hashed aggregation.
//!
//! # How it works
//! Every row gets a group number; accumulators hold the states of all groups by number. Hashed: numbers come from a hash table, and
//! results appear when the input has ended. Sorted: a number per run of equal keys; when enough groups are complete, they are given out
//! and numbering starts again with fresh accumulators (a *generation*), always at the start of a group.
//!
//! A hash table that outgrows its memory takes no further groups: rows of others go to files by their hashes. When its groups are given
//! out, each file is aggregated in turn, in the same way.

mod calls;
pub(crate) mod sets;
pub(crate) mod user;

use std::sync::Arc;

use common::PgResult;
use expr::Inputs;
use nodes::expr::VarSource;
use nodes::plan::{AggSplit, AggStrategy, GroupKey};
use nodes::query::TargetEntry;
use nodes::{Expr, Plan};
use types::{BATCH_ROWS, Batch, Datum, PhysType, Selection, Vector, VectorData};

use crate::compile::{Compiler, ScanMap, column_refs};
use crate::cx::Cx;
use crate::groups::GroupTable;
use crate::instrument::HashSummary;
use crate::keys::EqualKeys;
use crate::node::{Node, NodeKind, Opening, Operator, Projection, Projector, Rest};
use crate::ops::agg::calls::{AggCall, AggStates};
use crate::parallel::partial::StateRef;
use crate::spill::batches::BatchFile;
use crate::spill::partitions::{LEVEL_MAX, Partitions, Reader};
use crate::store::RowStore;

struct AggNode {
    /// `Plan::id`.
    id: u32,
    input: Node,
    strategy: AggStrategy,
    split: AggSplit,
    keys: EqualKeys,
    calls: Vec<Arc<AggCall>>,
    /// Input columns kept of each group's first row: keys and columns used beside aggregates.
    kept: Vec<usize>,
    projection: Projection,
}

/// An Agg node.
pub(crate) fn compile(
    c: &Compiler<'_>,
    plan: &Plan,
    input: &Plan,
    strategy: AggStrategy,
    split: AggSplit,
    keys: &[GroupKey],
) -> PgResult<Arc<dyn NodeKind>> {
    let mut found: Vec<Expr> = Vec::new();
    let quals: Vec<Expr> = plan.qual.iter().map(|e| extract(e, &mut found)).collect();
    let targets: Vec<TargetEntry> = plan
        .target_list
        .iter()
        .map(|t| TargetEntry {
            expr: extract(&t.expr, &mut found),
            ..t.clone()
        })
        .collect();
    let keys = EqualKeys::compile(c, input, keys)?;
    let mut refs = Vec::new();
    for e in quals.iter().chain(targets.iter().map(|t| &t.expr)) {
        column_refs(e, VarSource::Outer, &mut refs);
    }
    let mut kept: Vec<usize> = keys.columns.iter().map(|(c, _)| *c).collect();
    kept.extend(refs.iter().filter_map(|a| usize::try_from(*a - 1).ok()));
    kept.sort_unstable();
    kept.dedup();
    let calls = found
        .iter()
        .map(|e| Ok(Arc::new(AggCall::compile(c, e)?)))
        .collect::<PgResult<_>>()?;
    Ok(Arc::new(AggNode {
        id: plan.id,
        input: c.node(input)?,
        strategy,
        split,
        keys,
        calls,
        kept,
        projection: c.projection_of(&quals, &targets, ScanMap::None)?,
    }))
}

/// Aggregates become columns of the inner side; `found` collects the different ones.
pub(super) fn extract(e: &Expr, found: &mut Vec<Expr>) -> Expr {
    if let Expr::Aggref(a) = e {
        let at = found.iter().position(|x| x == e).unwrap_or_else(|| {
            found.push(e.clone());
            found.len() - 1
        });
        return Expr::Var(nodes::Var {
            source: VarSource::Inner,
            attno: at as i16 + 1,
            type_ref: e.type_ref(),
            collation: a.collation,
            nulling_rels: nodes::RelIds::empty(),
            returning: Default::default(),
            span: a.span,
        });
    }
    let mut e = e.clone();
    nodes::walk::for_each_child_mut(&mut e, &mut |child| *child = extract(child, found));
    e
}

impl NodeKind for AggNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        Box::new(AggOp {
            input: match self.strategy {
                AggStrategy::Sorted => opening.open(&self.input),
                _ => opening.open_whole(&self.input),
            },
            projector: self.projection.open(),
            states: AggStates::new(&self.calls),
            groups: Groups::new(&self),
            carry: Rest::default(),
            stage: Stage::Reading,
            spilled: None,
            source: None,
            tasks: Vec::new(),
            level: 0,
            summary: HashSummary::default(),
            slots: Vec::new(),
            node: self,
        })
    }
}

enum Groups {
    Hashed(GroupTable),
    /// First rows of the groups of this generation, and the last row read.
    Sorted(RowStore, Option<(Vec<Arc<Vector>>, usize)>),
}

impl Groups {
    fn new(node: &AggNode) -> Groups {
        if node.strategy == AggStrategy::Hashed {
            return Groups::Hashed(GroupTable::new(&node.keys, &node.kept, &node.input.phys));
        }
        let phys: Vec<PhysType> = node.kept.iter().map(|&i| node.input.phys[i]).collect();
        Groups::Sorted(RowStore::new(&phys), None)
    }

    fn first_rows(&self) -> &RowStore {
        match self {
            Groups::Hashed(t) => &t.first_rows,
            Groups::Sorted(s, _) => s,
        }
    }
}

#[derive(Clone, Copy)]
enum Stage {
    Reading,
    /// Groups `next..count` wait to be given out; more input may follow.
    Giving {
        next: usize,
        count: usize,
        more: bool,
    },
    Done,
}

struct AggOp {
    node: Arc<AggNode>,
    input: Box<dyn Operator>,
    projector: Projector,
    states: AggStates,
    groups: Groups,
    /// Input that belongs to the next generation.
    carry: Rest,
    stage: Stage,
    /// Rows of groups that found no place in the table.
    spilled: Option<Partitions>,
    /// Where rows come from when not from the input, and how often they were divided.
    source: Option<Reader>,
    level: u32,
    /// Files that wait, with their level.
    tasks: Vec<(BatchFile, u32)>,
    summary: HashSummary,
    /// Partial aggregation: where the states of this generation wait, one slot per call.
    slots: Vec<u32>,
}

impl AggOp {
    /// Reads until groups can be given out.
    fn read(&mut self, cx: &mut Cx<'_>, demand: usize) -> PgResult<Stage> {
        let node = Arc::clone(&self.node);
        let sorted = node.strategy == AggStrategy::Sorted;
        // States merge as a whole, so that a finishing node knows all its groups first.
        let demand = match node.split {
            AggSplit::Final => usize::MAX,
            _ => demand,
        };
        let mut numbers = Vec::new();
        loop {
            let batch = match self.carry.take(BATCH_ROWS) {
                Some(batch) => batch,
                None => match self.next_input(cx)? {
                    Some(batch) => batch,
                    None => {
                        self.finish_spilling(cx)?;
                        let count = self.count();
                        return self.complete(cx, count, false);
                    }
                },
            };
            cx.check()?;
            if self.spilled.is_some() {
                self.add_known(cx, &batch, &mut numbers)?;
                continue;
            }
            let used = self.number(cx, &batch, demand, &mut numbers)?;
            let part = crate::node::slice(&batch, 0, used);
            if used > 0 {
                self.states.update(
                    cx,
                    &part,
                    &numbers,
                    self.count(),
                    !sorted && node.keys.columns.is_empty(),
                )?;
            }
            let flush = self.limit_memory(cx);
            if used < batch.len() || flush {
                self.carry
                    .put(crate::node::slice(&batch, used, batch.len() - used));
                let count = self.count();
                return self.complete(cx, count, true);
            }
        }
    }

    fn next_input(&mut self, cx: &mut Cx<'_>) -> PgResult<Option<Batch>> {
        match &mut self.source {
            Some(reader) => reader.next(),
            None => self.input.next(cx, BATCH_ROWS),
        }
    }

    /// Closes the hash table to new groups when it has outgrown its memory. True for a partial aggregation: that gives out what it
    /// has and begins anew.
    fn limit_memory(&mut self, cx: &Cx<'_>) -> bool {
        let Groups::Hashed(table) = &self.groups else {
            return false;
        };
        let bytes = table.memory_bytes() + self.states.memory_bytes();
        self.summary.memory = self.summary.memory.max(bytes as u64);
        let too_much = bytes > cx.ext.hash_mem_bytes;
        if self.node.split != AggSplit::Simple {
            return too_much && self.node.split == AggSplit::Initial;
        }
        if too_much && cx.ext.temp.may_spill() && self.level < LEVEL_MAX {
            self.spilled = Some(Partitions::new(&self.node.input.phys, self.level));
        }
        false
    }

    /// Adds the rows of groups that are in the table; the others go to files.
    fn add_known(&mut self, cx: &mut Cx<'_>, batch: &Batch, numbers: &mut Vec<u32>) -> PgResult<()> {
        let node = Arc::clone(&self.node);
        let (Groups::Hashed(table), Some(parts)) = (&self.groups, &mut self.spilled) else {
            return Err(common::internal!("aggregation without a hash table spills"));
        };
        let Some(known) = table.assign_or_spill(cx, &node.keys, batch, numbers, parts)? else {
            return Ok(());
        };
        let count = self.count();
        self.states.update(cx, &known, numbers, count, false)
    }

    /// The input has ended: its files wait their turn.
    fn finish_spilling(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        if let Some(parts) = self.spilled.take() {
            let level = self.level + 1;
            for file in parts.finish(cx)?.into_iter().flatten() {
                self.summary.disk += file.bytes();
                self.summary.batches += 1;
                self.tasks.push((file, level));
            }
        }
        if let (Groups::Hashed(_), Some(stats)) = (&self.groups, cx.run.stats.get_mut(self.node.id as usize))
        {
            stats.hash = Some(HashSummary {
                batches: self.summary.batches + 1,
                ..self.summary
            });
        }
        Ok(())
    }

    fn complete(&mut self, cx: &mut Cx<'_>, count: usize, more: bool) -> PgResult<Stage> {
        match self.node.split {
            AggSplit::Final => self.states.merge(cx, count)?,
            _ => self.states.finish_ordered(cx, count)?,
        }
        if self.node.split == AggSplit::Initial {
            self.slots = self.states.leave(cx)?;
        }
        Ok(Stage::Giving { next: 0, count, more })
    }

    /// Groups so far; a plain aggregate always has one.
    fn count(&self) -> usize {
        match (&self.groups, self.node.strategy) {
            (_, AggStrategy::Plain) => 1,
            (Groups::Hashed(t), _) => t.len(),
            (Groups::Sorted(s, _), _) => s.rows,
        }
    }

    /// Numbers the rows of a batch; how many of them belong to this generation.
    fn number(&mut self, cx: &Cx<'_>, batch: &Batch, demand: usize, out: &mut Vec<u32>) -> PgResult<usize> {
        let node = Arc::clone(&self.node);
        match &mut self.groups {
            Groups::Hashed(table) => {
                table.assign(cx, &node.keys, &batch.columns, &batch.selection, out)?;
                Ok(batch.len())
            }
            Groups::Sorted(first, _) if node.strategy == AggStrategy::Plain => {
                if first.rows == 0 {
                    push_kept(first, &node.kept, &batch.columns, batch.selection.position(0));
                }
                out.clear();
                out.resize(batch.len(), 0);
                Ok(batch.len())
            }
            Groups::Sorted(first, last) => {
                out.clear();
                for i in batch.selection.iter() {
                    let same = match last {
                        Some((columns, at)) => node.keys.equal(cx, columns, *at, &batch.columns, i)?,
                        None => false,
                    };
                    if !same {
                        if first.rows >= demand {
                            break;
                        }
                        push_kept(first, &node.kept, &batch.columns, i);
                        *last = Some((batch.columns.clone(), i));
                    }
                    out.push(first.rows as u32 - 1);
                }
                Ok(out.len())
            }
        }
    }

    fn give(&mut self, cx: &mut Cx<'_>, next: usize, count: usize) -> PgResult<Option<Batch>> {
        let first = self.groups.first_rows();
        let results = match self.node.split {
            AggSplit::Initial => self.slots.iter().map(|s| state_refs(*s, next, count)).collect(),
            _ => self.states.finalize(cx, next, count)?,
        };
        // Positions of the input; what is not kept is not read.
        let filler = Arc::new(Vector::constant(PhysType::Bool, &Datum::Null, count));
        let mut outer = vec![filler; self.node.input.phys.len()];
        if first.rows >= next + count {
            for (column, &at) in first.columns.iter().zip(&self.node.kept) {
                outer[at] = Arc::new(column.take(next..next + count));
            }
        } else {
            // A plain aggregate over no rows.
            for &at in &self.node.kept {
                outer[at] = Arc::new(Vector::constant(self.node.input.phys[at], &Datum::Null, count));
            }
        }
        let inputs = Inputs {
            rows: count,
            scan: &[],
            outer: &outer,
            inner: &results,
        };
        self.projector.apply(cx, inputs, &Selection::All(count))
    }

    fn reset(&mut self) {
        let last = match &mut self.groups {
            Groups::Sorted(_, last) => last.take(),
            Groups::Hashed(_) => None,
        };
        self.groups = Groups::new(&self.node);
        // The next generation begins with a new group whatever came before.
        drop(last);
        self.states = AggStates::new(&self.node.calls);
    }
}

/// References to consecutive groups of a slot.
fn state_refs(slot: u32, from: usize, count: usize) -> Arc<Vector> {
    let refs = (from..from + count).map(|group| {
        let group = group as u32;
        StateRef { slot, group }.to_i64()
    });
    Arc::new(Vector::new(VectorData::Int8(refs.collect()), None))
}

fn push_kept(first: &mut RowStore, kept: &[usize], columns: &[Arc<Vector>], i: usize) {
    for (mine, &from) in first.columns.iter_mut().zip(kept) {
        mine.push_from(&columns[from], i);
    }
    first.rows += 1;
}

impl Operator for AggOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        loop {
            match self.stage {
                Stage::Reading => self.stage = self.read(cx, max_rows)?,
                Stage::Giving { next, count, more } if next < count => {
                    let step = max_rows.min(count - next);
                    self.stage = Stage::Giving {
                        next: next + step,
                        count,
                        more,
                    };
                    if let Some(batch) = self.give(cx, next, step)? {
                        return Ok(Some(batch));
                    }
                }
                Stage::Giving { more: true, .. } => {
                    self.reset();
                    self.stage = Stage::Reading;
                }
                Stage::Giving { more: false, .. } => match self.tasks.pop() {
                    Some((file, level)) => {
                        self.reset();
                        self.source = Some(Reader::new(file));
                        self.level = level;
                        self.stage = Stage::Reading;
                    }
                    None => self.stage = Stage::Done,
                },
                Stage::Done => return Ok(None),
            }
        }
    }

    fn will_drain(&mut self) {
        self.input.will_drain();
    }

    fn rescan(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        self.reset();
        self.spilled = None;
        self.source = None;
        self.tasks.clear();
        self.level = 0;
        self.summary = HashSummary::default();
        self.carry.clear();
        self.stage = Stage::Reading;
        self.input.rescan(cx)
    }
}
