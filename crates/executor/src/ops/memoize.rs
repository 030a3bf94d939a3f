//! Memoize: the rows of a parameterised input, remembered by the values of its parameters.
//!
//! # How it works
//! The keys are computed from executor parameters when the node is asked after a rescan. What is remembered under them is handed out
//! again; otherwise the input runs, and its rows are remembered on their way. An entry counts once its input was read to the end, or, for
//! a single row, once there is one. Beyond `hash_mem` the entries not used for longest go; an entry too large by itself is passed
//! through. When another parameter than those of the keys changes, everything is forgotten.
//!
//! PG: src/backend/executor/nodeMemoize.c.

use std::collections::BTreeMap;
use std::sync::Arc;

use common::PgResult;
use expr::ExprProgram;
use nodes::expr::{Expr, ParamKind};
use nodes::{Plan, walk};
use rustc_hash::FxHashMap;
use types::{Batch, Datum, Vector};

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::instrument::MemoizeSummary;
use crate::node::{Eval, Node, NodeKind, Opening, Operator, Rest};
use crate::ops::index::gather::{GatherCall, Gathering};
use crate::store::MemoryUse;

/// What an entry takes beside its rows and its key.
const ENTRY_BYTES: usize = 48;

struct MemoizeNode {
    /// `Plan::id`.
    id: u32,
    input: Node,
    keys: Vec<Arc<ExprProgram>>,
    /// Parameters that the input reads and the keys do not.
    others: Vec<usize>,
    single_row: bool,
    /// Keys are the same only by their bits.
    binary_mode: bool,
}

pub(crate) fn compile(
    c: &Compiler<'_>,
    plan: &Plan,
    input: &Plan,
    keys: &[Expr],
    (single_row, binary_mode): (bool, bool),
) -> PgResult<Arc<dyn NodeKind>> {
    let input = c.node(input)?;
    let mut own = Vec::new();
    for key in keys {
        walk::walk(key, &mut |e| {
            if let Expr::Param(p) = e
                && p.kind == ParamKind::Exec
            {
                own.push(p.number);
            }
            true
        });
    }
    Ok(Arc::new(MemoizeNode {
        id: plan.id,
        others: input
            .deps
            .iter()
            .copied()
            .filter(|slot| !own.contains(slot))
            .collect(),
        input,
        keys: c.programs(keys, ScanMap::None)?,
        single_row,
        binary_mode,
    }))
}

impl NodeKind for MemoizeNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        Box::new(MemoizeOp {
            input: opening.open(&self.input),
            keys: Eval::all(&self.keys),
            entries: FxHashMap::default(),
            by_use: BTreeMap::new(),
            clock: 0,
            bytes: 0,
            memory: MemoryUse::default(),
            filled_at: 0,
            used: false,
            state: State::Start,
            rest: Rest::default(),
            summary: MemoizeSummary::default(),
            node: self,
        })
    }
}

/// Rows under a key.
struct Entry {
    batches: Vec<Batch>,
    bytes: usize,
    last_use: u64,
}

enum State {
    /// The keys are not known yet.
    Start,
    /// Handing out what is remembered: batches from the `usize`-th on.
    Remembered(Arc<[u8]>, usize),
    /// Reading the input and remembering.
    Filling(Arc<[u8]>, Vec<Batch>, usize),
    /// Reading the input without remembering.
    Passing,
    Done,
}

struct MemoizeOp {
    node: Arc<MemoizeNode>,
    input: Box<dyn Operator>,
    keys: Vec<Eval>,
    entries: FxHashMap<Arc<[u8]>, Entry>,
    /// The keys by the time of their last use.
    by_use: BTreeMap<u64, Arc<[u8]>>,
    clock: u64,
    bytes: usize,
    memory: MemoryUse,
    /// When the entries were begun.
    filled_at: u64,
    /// The input has been read before.
    used: bool,
    state: State,
    rest: Rest,
    summary: MemoizeSummary,
}

/// Zero has two signs that are equal.
fn canonical(value: &mut Datum) {
    match value {
        Datum::Float8(v) if *v == 0.0 => *v = 0.0,
        Datum::Float4(v) if *v == 0.0 => *v = 0.0,
        _ => {}
    }
}

/// Compact copies of a batch's rows, so that an entry does not keep whole blocks alive.
fn kept(batch: &Batch) -> Batch {
    let columns = batch.columns.iter().map(|c| Arc::new(c.gather(&batch.selection)));
    Batch::new(columns.collect(), batch.len())
}

impl MemoizeOp {
    fn key(&mut self, cx: &mut Cx<'_>) -> PgResult<Arc<[u8]>> {
        let mut values: Vec<Datum> = self
            .keys
            .iter_mut()
            .map(|k| k.value(cx))
            .collect::<PgResult<_>>()?;
        if !self.node.binary_mode {
            values.iter_mut().for_each(canonical);
        }
        let mut bytes = Vec::new();
        types::tuple::encode(&values, &mut bytes);
        Ok(bytes.into())
    }

    fn begin(&mut self, cx: &mut Cx<'_>) -> PgResult<State> {
        if cx.run.changed_since(&self.node.others, self.filled_at) {
            self.forget(cx);
        }
        let key = self.key(cx)?;
        self.clock += 1;
        if let Some(entry) = self.entries.get_mut(&key) {
            self.by_use.remove(&entry.last_use);
            entry.last_use = self.clock;
            self.by_use.insert(self.clock, Arc::clone(&key));
            self.summary.hits += 1;
            return Ok(State::Remembered(key, 0));
        }
        self.summary.misses += 1;
        if std::mem::replace(&mut self.used, true) {
            self.input.rescan(cx)?;
        }
        Ok(State::Filling(key, Vec::new(), 0))
    }

    fn forget(&mut self, cx: &Cx<'_>) {
        self.entries.clear();
        self.by_use.clear();
        self.bytes = 0;
        self.memory.release();
        self.filled_at = cx.run.now();
    }

    /// The next rows of an input that nobody has remembered.
    fn fill(
        &mut self,
        cx: &mut Cx<'_>,
        (key, mut batches, bytes): (Arc<[u8]>, Vec<Batch>, usize),
        max_rows: usize,
    ) -> PgResult<Option<Batch>> {
        let Some(batch) = self.input.next(cx, max_rows)? else {
            self.remember(cx, key, batches, bytes)?;
            self.state = State::Done;
            return Ok(None);
        };
        let own = kept(&batch);
        let bytes = bytes + own.columns.iter().map(|c| Vector::memory_bytes(c)).sum::<usize>();
        if bytes > cx.ext.hash_mem_bytes {
            self.summary.overflows += 1;
            self.state = State::Passing;
            return Ok(Some(batch));
        }
        batches.push(own);
        if self.node.single_row {
            self.remember(cx, key, batches, bytes)?;
            self.state = State::Done;
        } else {
            self.state = State::Filling(key, batches, bytes);
        }
        Ok(Some(batch))
    }

    fn remember(&mut self, cx: &Cx<'_>, key: Arc<[u8]>, batches: Vec<Batch>, bytes: usize) -> PgResult<()> {
        let bytes = bytes + key.len() + ENTRY_BYTES;
        self.bytes += bytes;
        self.by_use.insert(self.clock, Arc::clone(&key));
        let entry = Entry {
            batches,
            bytes,
            last_use: self.clock,
        };
        self.entries.insert(key, entry);
        while self.bytes > cx.ext.hash_mem_bytes {
            let Some((_, oldest)) = self.by_use.pop_first() else {
                break;
            };
            if let Some(entry) = self.entries.remove(&oldest) {
                self.bytes -= entry.bytes;
                self.summary.evictions += 1;
            }
        }
        self.summary.memory = self.summary.memory.max(self.bytes as u64);
        self.memory.cover(cx, self.bytes)
    }

    fn note(&self, cx: &mut Cx<'_>) {
        if let Some(stats) = cx.run.stats.get_mut(self.node.id as usize) {
            stats.memoize = Some(self.summary);
        }
    }
}

impl Operator for MemoizeOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        if let Some(batch) = self.rest.take(max_rows) {
            return Ok(Some(batch));
        }
        if let State::Start = self.state {
            self.state = self.begin(cx)?;
            self.note(cx);
        }
        match std::mem::replace(&mut self.state, State::Done) {
            State::Remembered(key, at) => {
                let batch = self.entries.get(&key).and_then(|e| e.batches.get(at)).cloned();
                let Some(batch) = batch else { return Ok(None) };
                self.state = State::Remembered(key, at + 1);
                self.rest.put(batch);
                Ok(self.rest.take(max_rows))
            }
            State::Filling(key, batches, bytes) => {
                let batch = self.fill(cx, (key, batches, bytes), max_rows)?;
                self.note(cx);
                Ok(batch)
            }
            State::Passing => {
                let batch = self.input.next(cx, max_rows)?;
                if batch.is_some() {
                    self.state = State::Passing;
                }
                Ok(batch)
            }
            State::Start | State::Done => Ok(None),
        }
    }

    fn gathers(&self) -> bool {
        self.input.gathers()
    }

    /// Rows gathered need not be remembered.
    fn gather(&mut self, cx: &mut Cx<'_>, call: &mut GatherCall<'_>) -> PgResult<Gathering> {
        self.input.gather(cx, call)
    }

    fn rescan(&mut self, _cx: &mut Cx<'_>) -> PgResult<()> {
        self.state = State::Start;
        self.rest.clear();
        Ok(())
    }
}
