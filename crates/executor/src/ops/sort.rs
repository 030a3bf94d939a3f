//! Sort and IncrementalSort.
//!
//! # How it works
//! A [`Sorter`] collects the rows and, beyond `work_mem`, merges runs of them from files. In memory row numbers are sorted: by a word
//! per row that holds the leading keys ([`sort_words`]), and by comparing columns where that does not decide.

use std::cmp::Ordering;
use std::sync::Arc;

use common::{PgError, PgResult};
use nodes::Plan;
use nodes::plan::SortKey;
use types::{BATCH_ROWS, Batch, PhysType, Vector};

use crate::compile::Compiler;
use crate::cx::Cx;
use crate::keys::{Order, compare_rows};
use crate::node::{Node, NodeKind, Opening, Operator, Rest};
use crate::ops::quicksort;
use crate::ops::sort_words::{self, words};
use crate::spill::sorter::{Sorted, Sorter};

/// Compiled orders of an input.
pub(crate) fn orders(c: &Compiler<'_>, input: &Plan, keys: &[SortKey]) -> PgResult<Vec<Order>> {
    keys.iter().map(|k| Order::compile(c, input, k)).collect()
}

/// Row numbers `0..rows` of columns in order, or the first `wanted` of them.
pub(crate) fn sorted(
    cx: &Cx<'_>,
    orders: &[Order],
    columns: &[Arc<Vector>],
    rows: usize,
    wanted: Option<usize>,
) -> PgResult<Vec<u32>> {
    let mut numbers: Vec<u32> = (0..rows as u32).collect();
    let wanted = wanted.unwrap_or(rows).min(rows);
    let Some(words) = (!orders.is_empty())
        .then(|| words(orders, columns, &numbers))
        .flatten()
    else {
        let ties = match rows <= TIES_MAX {
            true => Ties::AsPostgres,
            false => Ties::InOrder,
        };
        sort_by_columns(cx, orders, columns, &mut numbers, ties)?;
        numbers.truncate(wanted);
        return Ok(numbers);
    };
    let rest = &orders[words.decided..];
    if rows <= TIES_MAX {
        let mut failed = None;
        let mut compare = comparison(cx, rest, columns, &mut failed);
        let mut keys: Vec<(u64, u32)> = words.words.into_iter().zip(numbers).collect();
        quicksort::sort(&mut keys, &mut |a, b| {
            a.0.cmp(&b.0).then_with(|| compare(a.1, b.1))
        });
        drop(compare);
        keys.truncate(wanted);
        let numbers = keys.into_iter().map(|key| key.1).collect();
        return failed.map_or(Ok(numbers), Err);
    }
    numbers = sort_words::order(cx, &words, wanted)?;
    if !rest.is_empty() {
        let same = |a: &u32, b: &u32| words.words[*a as usize] == words.words[*b as usize];
        let mut at = 0;
        while at < wanted {
            let run = numbers[at..].iter().take_while(|n| same(n, &numbers[at])).count();
            if run > 1 {
                sort_by_columns(cx, rest, columns, &mut numbers[at..at + run], Ties::InOrder)?;
            }
            at += run;
        }
    }
    numbers.truncate(wanted);
    Ok(numbers)
}

/// Up to so many rows those that are equal come in the order in which PostgreSQL's sort leaves them; beyond, in that of the input.
const TIES_MAX: usize = 16_384;

/// Compares rows; the first error is kept, and everything is equal from then on.
fn comparison<'a>(
    cx: &'a Cx<'_>,
    orders: &'a [Order],
    columns: &'a [Arc<Vector>],
    failed: &'a mut Option<Box<PgError>>,
) -> impl FnMut(u32, u32) -> Ordering {
    let mut compared = 0_u32;
    move |a, b| {
        if failed.is_some() {
            return Ordering::Equal;
        }
        compared = compared.wrapping_add(1);
        let checked = match compared % CHECK_COMPARISONS {
            0 => cx.check(),
            _ => Ok(()),
        };
        let order = checked.and_then(|()| compare_rows(cx, orders, columns, a as usize, columns, b as usize));
        order.unwrap_or_else(|error| {
            *failed = Some(error);
            Ordering::Equal
        })
    }
}

/// After so many comparisons a sort looks whether it was cancelled.
const CHECK_COMPARISONS: u32 = 16_384;

/// In which order equal rows come.
#[derive(Clone, Copy)]
enum Ties {
    AsPostgres,
    /// As in the input.
    InOrder,
}

/// Sorts row numbers (they ascend) by comparing columns.
fn sort_by_columns(
    cx: &Cx<'_>,
    orders: &[Order],
    columns: &[Arc<Vector>],
    numbers: &mut [u32],
    ties: Ties,
) -> PgResult<()> {
    if orders.is_empty() {
        return Ok(());
    }
    let mut failed = None;
    let mut compare = comparison(cx, orders, columns, &mut failed);
    // Not the sorts of the standard library: those may panic when an error breaks the order off.
    match ties {
        Ties::AsPostgres => quicksort::sort(numbers, &mut |a, b| compare(*a, *b)),
        Ties::InOrder => quicksort::sort(numbers, &mut |a, b| compare(*a, *b).then(a.cmp(b))),
    }
    drop(compare);
    failed.map_or(Ok(()), Err)
}

struct SortNode {
    /// `Plan::id`.
    id: u32,
    input: Node,
    orders: Vec<Order>,
    /// How many leading keys the input is sorted by already.
    presorted: usize,
    phys: Vec<PhysType>,
}

pub(crate) fn compile(
    c: &Compiler<'_>,
    id: u32,
    input: &Plan,
    keys: &[SortKey],
    presorted: usize,
) -> PgResult<Arc<dyn NodeKind>> {
    Ok(Arc::new(SortNode {
        id,
        orders: orders(c, input, keys)?,
        phys: c.output_phys(input)?,
        input: c.node(input)?,
        presorted,
    }))
}

impl NodeKind for SortNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        Box::new(SortOp {
            input: match self.presorted {
                0 => opening.open_whole(&self.input),
                _ => opening.open(&self.input),
            },
            node: self,
            carry: None,
            sorted: None,
            input_done: false,
            filled_at: 0,
            bound: None,
        })
    }
}

struct SortOp {
    node: Arc<SortNode>,
    input: Box<dyn Operator>,
    /// Rows of the next group of presorted keys.
    carry: Option<Rest>,
    sorted: Option<Sorted>,
    input_done: bool,
    filled_at: u64,
    /// How many rows are wanted at most.
    bound: Option<usize>,
}

impl SortOp {
    /// Collects the whole input, or the next groups of presorted rows, and sorts them.
    fn fill(&mut self, cx: &mut Cx<'_>, demand: usize) -> PgResult<()> {
        self.filled_at = cx.run.now();
        let node = Arc::clone(&self.node);
        let mut sorter = Sorter::new(&node.phys, self.bound);
        if node.presorted == 0 {
            while let Some(batch) = self.input.next(cx, BATCH_ROWS)? {
                cx.check()?;
                sorter.add(cx, &node.orders, &batch.columns, &batch.selection)?;
            }
            self.input_done = true;
        } else {
            self.collect_groups(cx, &mut sorter, demand)?;
        }
        let sorted = sorter.finish(cx, &node.orders)?;
        let id = node.id as usize;
        if let Some(stats) = cx.run.stats.get_mut(id) {
            stats.sort = Some(sorted.summary);
        }
        self.sorted = Some(sorted);
        Ok(())
    }

    /// Whole groups of equal leading keys, at least one, until there are enough rows.
    fn collect_groups(&mut self, cx: &mut Cx<'_>, sorter: &mut Sorter, demand: usize) -> PgResult<()> {
        let node = Arc::clone(&self.node);
        let leading = &node.orders[..node.presorted];
        let mut rows = 0;
        let mut last: Option<Batch> = None;
        loop {
            let batch = match self.carry.take().and_then(|mut c| c.take(BATCH_ROWS)) {
                Some(batch) => batch,
                None if self.input_done => return Ok(()),
                None => match self.input.next(cx, BATCH_ROWS)? {
                    Some(batch) => batch,
                    None => {
                        self.input_done = true;
                        return Ok(());
                    }
                },
            };
            cx.check()?;
            let batch = batch.compact();
            let mut end = batch.len();
            for i in 0..batch.len() {
                let starts_group = match (i, &last) {
                    (0, None) => false,
                    (0, Some(l)) => {
                        compare_rows(cx, leading, &l.columns, l.rows - 1, &batch.columns, 0)?.is_ne()
                    }
                    _ => compare_rows(cx, leading, &batch.columns, i - 1, &batch.columns, i)?.is_ne(),
                };
                if starts_group && rows + i >= demand {
                    end = i;
                    break;
                }
            }
            sorter.add(cx, &node.orders, &batch.columns, &types::Selection::All(end))?;
            rows += end;
            if end < batch.len() {
                let mut rest = Rest::default();
                rest.put(crate::node::slice(&batch, end, batch.len() - end));
                self.carry = Some(rest);
                return Ok(());
            }
            last = Some(batch);
        }
    }

    /// True when no group of rows is left to sort.
    fn is_done(&self) -> bool {
        self.input_done && self.carry.as_ref().is_none_or(Rest::is_empty)
    }
}

impl Operator for SortOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        let node = Arc::clone(&self.node);
        loop {
            if let Some(s) = &mut self.sorted {
                if let Some(batch) = s.next(cx, &node.orders, max_rows)? {
                    return Ok(Some(batch));
                }
                if node.presorted == 0 || self.is_done() {
                    return Ok(None);
                }
                self.sorted = None;
            }
            if self.is_done() {
                return Ok(None);
            }
            self.fill(cx, max_rows)?;
        }
    }

    fn skip(&mut self, cx: &mut Cx<'_>, rows: u64) -> PgResult<u64> {
        if self.node.presorted > 0 || self.sorted.is_some() {
            return Ok(0);
        }
        self.fill(cx, BATCH_ROWS)?;
        Ok(self.sorted.as_mut().map_or(0, |sorted| sorted.skip(rows)))
    }

    fn set_bound(&mut self, rows: Option<usize>) {
        // Given before the first row; a sort with a bound keeps nothing across rescans.
        self.bound = rows;
    }

    fn will_drain(&mut self) {
        self.input.will_drain();
    }

    fn rescan(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        let stale = cx.run.changed_since(&self.node.input.deps, self.filled_at) || self.bound.is_some();
        if self.node.presorted == 0 && self.input_done && !stale {
            if let Some(s) = &mut self.sorted {
                s.rewind(cx, &self.node.orders)?;
            }
            return Ok(());
        }
        self.sorted = None;
        self.carry = None;
        self.input_done = false;
        self.input.rescan(cx)
    }
}
