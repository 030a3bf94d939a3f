//! Sorting of any number of rows: in memory, or runs in files and a merge of them.
//!
//! # How it works
//! 1. Rows are collected in columns. Under a bound (top-N) those beyond it are dropped as they come.
//! 2. Where they outgrow `work_mem`, they are sorted and written as a *run*, and collecting begins anew.
//! 3. Without runs, row numbers are sorted and rows handed out by them. With runs, the last rows become a run too, and all runs are
//!    merged through a heap of their next rows, in several passes when there are too many to hold a batch of each.
//!
//! # Invariants
//! - The sort is stable: runs are numbered in the order of the input, and equal rows come from the earlier run first.

use std::cmp::Ordering;
use std::sync::Arc;

use common::PgResult;
use types::{BATCH_ROWS, Batch, PhysType, Selection, Vector};

use crate::cx::Cx;
use crate::keys::{Order, compare_rows};
use crate::ops::sort::sorted;
use crate::spill::batches::BatchFile;
use crate::store::RowStore;

/// How a sort was done, for EXPLAIN ANALYZE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortMethod {
    /// Everything in memory.
    Quicksort,
    /// Only the first rows kept.
    TopN,
    /// Runs in files.
    ExternalMerge,
}

/// What EXPLAIN ANALYZE says of a sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortSummary {
    /// How it was done.
    pub method: SortMethod,
    /// Bytes of memory, or of files for an external merge.
    pub bytes: u64,
}

/// Rows on their way to being sorted.
pub(crate) struct Sorter {
    store: RowStore,
    /// How many rows are wanted at most.
    bound: Option<usize>,
    /// The row of the store that is the last of those wanted so far: what does not come before it need not be kept.
    cutoff: Option<usize>,
    runs: Vec<BatchFile>,
    pruned: bool,
    peak: usize,
}

/// Runs merged at once.
const FANIN_MAX: usize = 128;
const FANIN_MIN: usize = 6;

impl Sorter {
    pub fn new(phys: &[PhysType], bound: Option<usize>) -> Sorter {
        Sorter {
            store: RowStore::new(phys),
            bound,
            cutoff: None,
            runs: Vec::new(),
            pruned: false,
            peak: 0,
        }
    }

    /// Adds the selected rows of columns.
    pub fn add(
        &mut self,
        cx: &Cx<'_>,
        orders: &[Order],
        columns: &[Arc<Vector>],
        sel: &Selection,
    ) -> PgResult<()> {
        match self.cutoff {
            Some(last) => {
                let sel = self.before(cx, orders, columns, sel, last)?;
                self.store.append(cx, columns, &sel)?;
            }
            None => self.store.append(cx, columns, sel)?,
        }
        self.prune(cx, orders)?;
        let bytes = self.store.memory_bytes();
        self.peak = self.peak.max(bytes);
        if bytes > cx.ext.work_mem_bytes && cx.ext.temp.may_spill() {
            self.write_run(cx, orders)?;
        }
        Ok(())
    }

    /// The rows that come before row `last` of the store.
    fn before(
        &self,
        cx: &Cx<'_>,
        orders: &[Order],
        columns: &[Arc<Vector>],
        sel: &Selection,
        last: usize,
    ) -> PgResult<Selection> {
        let mut failed = None;
        let kept = sel.filter(|i| {
            for o in orders {
                match o.compare(cx, &columns[o.column], i, &self.store.columns[o.column], last) {
                    Ok(Ordering::Equal) => {}
                    Ok(order) => return order.is_lt(),
                    Err(error) => {
                        failed.get_or_insert(error);
                        return false;
                    }
                }
            }
            false
        });
        failed.map_or(Ok(kept), Err)
    }

    /// Forgets rows that cannot be among those wanted, once there are many of them.
    fn prune(&mut self, cx: &Cx<'_>, orders: &[Order]) -> PgResult<()> {
        let Some(bound) = self.bound else { return Ok(()) };
        if self.store.rows <= bound.saturating_mul(2).saturating_add(4 * BATCH_ROWS) {
            return Ok(());
        }
        self.pruned = true;
        let (columns, rows) = self.store.drain_columns();
        let order = sorted(cx, orders, &columns, rows, Some(bound))?;
        for (mine, column) in self.store.columns.iter_mut().zip(&columns) {
            mine.extend_from(column, order.iter().map(|&r| r as usize));
        }
        self.store.rows = order.len();
        self.cutoff = bound.checked_sub(1).filter(|_| order.len() == bound);
        Ok(())
    }

    fn write_run(&mut self, cx: &Cx<'_>, orders: &[Order]) -> PgResult<()> {
        self.cutoff = None;
        let (columns, rows) = self.store.drain_columns();
        let order = sorted(cx, orders, &columns, rows, self.bound)?;
        let mut run = BatchFile::create(cx)?;
        for chunk in order.chunks(BATCH_ROWS) {
            cx.check()?;
            let columns: Vec<_> = columns.iter().map(|c| take(c, chunk)).collect();
            run.write(&columns, &Selection::All(chunk.len()))?;
        }
        run.finish();
        self.runs.push(run);
        self.store.release();
        Ok(())
    }

    /// All rows are in.
    pub fn finish(mut self, cx: &Cx<'_>, orders: &[Order]) -> PgResult<Sorted> {
        if self.runs.is_empty() {
            let method = if self.pruned {
                SortMethod::TopN
            } else {
                SortMethod::Quicksort
            };
            let (columns, rows) = self.store.drain_columns();
            return Ok(Sorted {
                summary: SortSummary {
                    method,
                    bytes: self.peak as u64,
                },
                rows: Rows::Memory {
                    order: sorted(cx, orders, &columns, rows, self.bound)?,
                    columns,
                    given: 0,
                    _store: self.store,
                },
            });
        }
        if self.store.rows > 0 {
            self.write_run(cx, orders)?;
        }
        let bytes = self.runs.iter().map(BatchFile::bytes).sum();
        let fanin = fanin(cx, &self.runs);
        let mut runs = self.runs;
        while runs.len() > fanin {
            let rest = runs.split_off(fanin);
            let mut merge = Merge::new(cx, orders, runs)?;
            let mut merged = BatchFile::create(cx)?;
            while let Some(batch) = merge.next(cx, orders, BATCH_ROWS)? {
                cx.check()?;
                merged.write(&batch.columns, &batch.selection)?;
            }
            merged.finish();
            runs = vec![merged];
            runs.extend(rest);
        }
        Ok(Sorted {
            summary: SortSummary {
                method: SortMethod::ExternalMerge,
                bytes,
            },
            rows: Rows::Merge(Merge::new(cx, orders, runs)?),
        })
    }
}

/// How many runs may be merged at once: a batch of each must fit.
fn fanin(cx: &Cx<'_>, runs: &[BatchFile]) -> usize {
    let (bytes, batches) = runs
        .iter()
        .fold((0, 0), |(b, n), r| (b + r.bytes() as usize, n + r.len()));
    let batch = (bytes / batches.max(1)).max(1);
    (cx.ext.work_mem_bytes / batch).clamp(FANIN_MIN, FANIN_MAX)
}

fn take(column: &Arc<Vector>, rows: &[u32]) -> Arc<Vector> {
    Arc::new(column.take(rows.iter().map(|&r| r as usize)))
}

/// Sorted rows, to be read from the beginning.
pub(crate) struct Sorted {
    pub summary: SortSummary,
    rows: Rows,
}

enum Rows {
    Memory {
        columns: Vec<Arc<Vector>>,
        order: Vec<u32>,
        given: usize,
        /// Holds the memory reservation.
        _store: RowStore,
    },
    Merge(Merge),
}

impl Sorted {
    /// The next rows.
    pub fn next(&mut self, cx: &Cx<'_>, orders: &[Order], max_rows: usize) -> PgResult<Option<Batch>> {
        match &mut self.rows {
            Rows::Memory {
                columns,
                order,
                given,
                ..
            } => {
                let end = (*given + max_rows).min(order.len());
                let rows = &order[*given..end];
                if rows.is_empty() {
                    return Ok(None);
                }
                *given = end;
                let columns = columns.iter().map(|c| take(c, rows)).collect();
                Ok(Some(Batch::new(columns, rows.len())))
            }
            Rows::Merge(merge) => merge.next(cx, orders, max_rows),
        }
    }

    /// Passes over up to so many rows, as far as that is cheaper than reading them; how many.
    pub fn skip(&mut self, rows: u64) -> u64 {
        match &mut self.rows {
            Rows::Memory { order, given, .. } => {
                let left = order.len() - *given;
                let passed = usize::try_from(rows).map_or(left, |rows| rows.min(left));
                *given += passed;
                passed as u64
            }
            Rows::Merge(_) => 0,
        }
    }

    /// Back to the first row.
    pub fn rewind(&mut self, cx: &Cx<'_>, orders: &[Order]) -> PgResult<()> {
        match &mut self.rows {
            Rows::Memory { given, .. } => *given = 0,
            Rows::Merge(merge) => merge.rewind(cx, orders)?,
        }
        Ok(())
    }
}

/// A run while it is merged.
struct Run {
    file: BatchFile,
    /// Number of the batch after the one at hand.
    next: usize,
    batch: Batch,
    at: usize,
}

impl Run {
    /// Goes to the next row; false at the end.
    fn advance(&mut self) -> PgResult<bool> {
        self.at += 1;
        if self.at < self.batch.rows {
            return Ok(true);
        }
        self.load()
    }

    fn load(&mut self) -> PgResult<bool> {
        self.at = 0;
        match self.file.read(self.next)? {
            Some(batch) => {
                self.batch = batch;
                self.next += 1;
                Ok(true)
            }
            None => Ok(false),
        }
    }
}

/// A merge of runs: a heap of those that have rows, the one with the first row on top.
struct Merge {
    runs: Vec<Run>,
    heap: Vec<usize>,
    out: RowStore,
}

impl Merge {
    fn new(cx: &Cx<'_>, orders: &[Order], files: Vec<BatchFile>) -> PgResult<Merge> {
        let run = |file| Run {
            file,
            next: 0,
            batch: Batch::new(Vec::new(), 0),
            at: 0,
        };
        let mut merge = Merge {
            runs: files.into_iter().map(run).collect(),
            heap: Vec::new(),
            out: RowStore::new(&[]),
        };
        merge.rewind(cx, orders)?;
        let first = merge.runs.first().map_or(&[][..], |r| &r.batch.columns);
        let phys: Vec<PhysType> = first.iter().map(|c| c.phys()).collect();
        merge.out = RowStore::new(&phys);
        Ok(merge)
    }

    fn rewind(&mut self, cx: &Cx<'_>, orders: &[Order]) -> PgResult<()> {
        self.heap.clear();
        for i in 0..self.runs.len() {
            self.runs[i].next = 0;
            if self.runs[i].load()? {
                self.heap.push(i);
            }
        }
        for i in (0..self.heap.len() / 2).rev() {
            self.sift_down(cx, orders, i)?;
        }
        Ok(())
    }

    /// True when the next row of run `a` comes before that of run `b`.
    fn before(&self, cx: &Cx<'_>, orders: &[Order], a: usize, b: usize) -> PgResult<bool> {
        let (x, y) = (&self.runs[a], &self.runs[b]);
        let order = compare_rows(cx, orders, &x.batch.columns, x.at, &y.batch.columns, y.at)?;
        Ok(match order {
            Ordering::Equal => a < b,
            other => other.is_lt(),
        })
    }

    fn sift_down(&mut self, cx: &Cx<'_>, orders: &[Order], mut at: usize) -> PgResult<()> {
        loop {
            let mut least = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < self.heap.len() && self.before(cx, orders, self.heap[child], self.heap[least])? {
                    least = child;
                }
            }
            if least == at {
                return Ok(());
            }
            self.heap.swap(at, least);
            at = least;
        }
    }

    fn next(&mut self, cx: &Cx<'_>, orders: &[Order], max_rows: usize) -> PgResult<Option<Batch>> {
        while self.out.rows < max_rows {
            let Some(&top) = self.heap.first() else { break };
            let run = &mut self.runs[top];
            self.out.push_row(&run.batch.columns, run.at);
            if !run.advance()? {
                self.heap.swap_remove(0);
            }
            self.sift_down(cx, orders, 0)?;
        }
        if self.out.rows == 0 {
            return Ok(None);
        }
        let (columns, rows) = self.out.drain_columns();
        Ok(Some(Batch::new(columns, rows)))
    }
}
