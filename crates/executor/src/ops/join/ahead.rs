//! Outer rows of a nested loop, read ahead so that the inner side may be read once for many of them.
//!
//! Only where all rows of the join are asked for ([`Operator::will_drain`]): then nothing is computed that would not have been.

use std::collections::VecDeque;
use std::sync::Arc;

use common::PgResult;
use expr::Inputs;
use types::{BATCH_ROWS, Batch, PhysType, Vector};

use crate::cx::Cx;
use crate::node::{Eval, Operator};
use crate::ops::index::gather::{GatherCall, Gathered, Gathering, Waiting};
use crate::parallel::gathering::GatherShare;
use crate::store::{MemoryUse, RowStore};

/// Bytes that a value is taken for.
const VALUE_BYTES: usize = 16;
/// Outer rows of a round, at least and at most.
const ROUND_MIN: usize = 4 * BATCH_ROWS;
const ROUND_MAX: usize = 1 << 20;

/// Outer batches that wait for their turn.
pub(super) struct Ahead {
    phys: Arc<[PhysType]>,
    /// Those of the round under way.
    round: VecDeque<Waiting>,
    /// Those that are for later rounds.
    backlog: VecDeque<Waiting>,
    /// The outer side has ended.
    ended: bool,
    /// Rows in a round; shrinks when their inner rows are too many.
    rows_max: usize,
    memory: MemoryUse,
    /// Where participants of a Gather look for inner rows together; the first round only.
    share: Option<Arc<GatherShare>>,
}

impl Ahead {
    pub fn new(phys: &Arc<[PhysType]>, share: Option<Arc<GatherShare>>) -> Ahead {
        Ahead {
            phys: Arc::clone(phys),
            round: VecDeque::new(),
            backlog: VecDeque::new(),
            ended: false,
            rows_max: ROUND_MAX,
            memory: MemoryUse::default(),
            share,
        }
    }

    /// The outer side begins again.
    pub fn restart(&mut self) {
        self.round.clear();
        self.backlog.clear();
        self.ended = false;
        self.memory.release();
    }

    /// Nothing is left of the round.
    pub fn is_empty(&self) -> bool {
        self.round.is_empty()
    }

    /// The next batch of the round; `None` at its end.
    pub fn pop(&mut self) -> Option<Waiting> {
        self.round.pop_front()
    }

    /// Begins a round. Its inner rows, if they are known together.
    pub fn begin(
        &mut self,
        cx: &mut Cx<'_>,
        [outer, inner]: [&mut Box<dyn Operator>; 2],
        params: &mut [(usize, Eval)],
        every_pair: bool,
    ) -> PgResult<Option<Box<Gathered>>> {
        let mut participant = self.share.take().and_then(|share| share.enter());
        self.fill(cx, outer, params)?;
        // Others wait for all outer rows of those who take part.
        let whole = self.ended && self.backlog.is_empty();
        let mut call = GatherCall {
            waiting: self.round.make_contiguous(),
            every_pair,
            rows_per_lookup: None,
            bytes_max: cx.ext.hash_mem_bytes,
            together: participant.as_mut().filter(|_| whole),
        };
        // Also without outer rows: the scan is divided among all.
        if call.together.is_some()
            && let Gathering::Done(gathered) = inner.gather(cx, &mut call)?
        {
            return Ok(Some(gathered));
        }
        drop(participant);
        self.gather(cx, inner, every_pair, None)
    }

    /// The inner rows of the rest of the round, if they are known together. `rows_per_lookup`: what lookups have found so far.
    pub fn gather(
        &mut self,
        cx: &mut Cx<'_>,
        inner: &mut Box<dyn Operator>,
        every_pair: bool,
        rows_per_lookup: Option<f64>,
    ) -> PgResult<Option<Box<Gathered>>> {
        loop {
            if self.round.is_empty() {
                return Ok(None);
            }
            let mut call = GatherCall {
                waiting: self.round.make_contiguous(),
                every_pair,
                rows_per_lookup,
                bytes_max: cx.ext.hash_mem_bytes,
                together: None,
            };
            match inner.gather(cx, &mut call)? {
                Gathering::Done(gathered) => return Ok(Some(gathered)),
                Gathering::Lookups => return Ok(None),
                Gathering::TooMuch => {
                    let rest = self.round.split_off(self.round.len().div_ceil(2));
                    if rest.is_empty() {
                        return Ok(None);
                    }
                    self.rows_max = (self.rows_max / 2).max(BATCH_ROWS);
                    rest.into_iter()
                        .rev()
                        .for_each(|waiting| self.backlog.push_front(waiting));
                }
            }
        }
    }

    /// Reads outer rows for a round.
    fn fill(
        &mut self,
        cx: &mut Cx<'_>,
        outer: &mut Box<dyn Operator>,
        params: &mut [(usize, Eval)],
    ) -> PgResult<()> {
        let row_bytes = self.phys.len().max(1) * VALUE_BYTES;
        let room = cx.ext.hash_mem_bytes / 2 / row_bytes;
        let rows_max = self.rows_max.min(room.max(ROUND_MIN));
        let mut rows = 0;
        while rows < rows_max {
            let Some(waiting) = self.backlog.pop_front() else {
                break;
            };
            rows += waiting.batch.len();
            self.round.push_back(waiting);
        }
        // Small batches come together; large ones stay as they are.
        let mut small = RowStore::new(&self.phys);
        while rows < rows_max && !self.ended {
            let batch = outer.next(cx, BATCH_ROWS)?;
            let Some(batch) = batch else {
                self.ended = true;
                break;
            };
            rows += batch.len();
            if batch.len() * 2 >= BATCH_ROWS {
                self.flush(cx, &mut small, params)?;
                self.push(cx, batch, params)?;
            } else {
                if small.rows + batch.len() > BATCH_ROWS {
                    self.flush(cx, &mut small, params)?;
                }
                small.append_batch(cx, &batch)?;
            }
        }
        self.flush(cx, &mut small, params)?;
        self.memory.cover(cx, rows * row_bytes)
    }

    fn flush(&mut self, cx: &mut Cx<'_>, small: &mut RowStore, params: &mut [(usize, Eval)]) -> PgResult<()> {
        if small.rows == 0 {
            return Ok(());
        }
        let (columns, rows) = small.drain_columns();
        self.push(cx, Batch::new(columns, rows), params)
    }

    fn push(&mut self, cx: &mut Cx<'_>, batch: Batch, params: &mut [(usize, Eval)]) -> PgResult<()> {
        let params = parameters(cx, &batch, params)?;
        self.round.push_back(Waiting { batch, params });
        Ok(())
    }
}

/// The values of a loop's parameters for an outer batch.
pub(super) fn parameters(
    cx: &mut Cx<'_>,
    batch: &Batch,
    params: &mut [(usize, Eval)],
) -> PgResult<Vec<(usize, Arc<Vector>)>> {
    let inputs = Inputs::outer(&batch.columns, batch.rows);
    params
        .iter_mut()
        .map(|(slot, eval)| Ok((*slot, eval.vector(cx, inputs, &batch.selection)?)))
        .collect()
}
