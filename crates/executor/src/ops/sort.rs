//! Sort and IncrementalSort.
//!
//! # How it works
//! A [`Sorter`] collects the rows and, beyond `work_mem`, merges runs of them from files. In memory row numbers are sorted: with one
//! number per row that orders as the first key does (integers, floats, short decimals, the first bytes of texts), and by comparing columns
//! where that does not decide.

use std::cmp::Ordering;
use std::sync::Arc;

use common::PgResult;
use nodes::Plan;
use nodes::plan::SortKey;
use types::{BATCH_ROWS, Batch, Numeric, PhysType, Vector, VectorData};

use crate::compile::Compiler;
use crate::cx::Cx;
use crate::keys::{Order, compare_rows};
use crate::node::{Node, NodeKind, Opening, Operator, Rest};
use crate::ops::quicksort;
use crate::spill::sorter::{Sorted, Sorter};

/// Compiled orders of an input.
pub(crate) fn orders(c: &Compiler<'_>, input: &Plan, keys: &[SortKey]) -> PgResult<Vec<Order>> {
    keys.iter().map(|k| Order::compile(c, input, k)).collect()
}

/// Sorts row numbers `0..rows` of columns.
pub(crate) fn sorted(
    cx: &Cx<'_>,
    orders: &[Order],
    columns: &[Arc<Vector>],
    rows: usize,
) -> PgResult<Vec<u32>> {
    let mut numbers: Vec<u32> = (0..rows as u32).collect();
    sort_numbers(cx, orders, columns, &mut numbers)?;
    Ok(numbers)
}

/// Up to so many rows those that are equal come in the order in which PostgreSQL's sort leaves them; beyond, in that of the input.
const TIES_MAX: usize = 16_384;

/// Sorts the given row numbers (they ascend).
pub(crate) fn sort_numbers(
    cx: &Cx<'_>,
    orders: &[Order],
    columns: &[Arc<Vector>],
    numbers: &mut [u32],
) -> PgResult<()> {
    let Some((first, rest)) = orders.split_first() else {
        return Ok(());
    };
    let mut failed = None;
    let mut compare = |orders: &[Order], a: u32, b: u32| match compare_rows(
        cx, orders, columns, a as usize, columns, b as usize,
    ) {
        Ok(order) => order,
        Err(e) => {
            failed.get_or_insert(e);
            Ordering::Equal
        }
    };
    match sort_keys(cx, first, &columns[first.column], numbers) {
        Some((keys, exact)) => {
            // Where the number says all about the first key, only the others are left to compare.
            let rest = if exact { rest } else { orders };
            let second = rest.first().filter(|_| exact && keys.len() > TIES_MAX);
            let second = second.and_then(|o| sort_keys(cx, o, &columns[o.column], numbers));
            let keys = match second {
                Some((more, exact)) => {
                    let rest = if exact { &rest[1..] } else { rest };
                    sort_pairs(keys, &more, |a, b| compare(rest, a, b))
                }
                None => sort_singles(keys, rest.is_empty(), |a, b| compare(rest, a, b)),
            };
            for (slot, (_, number)) in numbers.iter_mut().zip(keys) {
                *slot = number;
            }
        }
        None if numbers.len() <= TIES_MAX => quicksort::sort(numbers, &mut |a, b| compare(orders, *a, *b)),
        None => numbers.sort_by(|&a, &b| compare(orders, a, b)),
    }
    failed.map_or(Ok(()), Err)
}

/// Sorts by one number per row, then as `compare` says unless that is `decided`, then by row.
fn sort_singles(
    mut keys: Vec<(u64, u32)>,
    decided: bool,
    mut compare: impl FnMut(u32, u32) -> Ordering,
) -> Vec<(u64, u32)> {
    match decided {
        _ if keys.len() <= TIES_MAX => {
            quicksort::sort(&mut keys, &mut |a, b| {
                a.0.cmp(&b.0).then_with(|| compare(a.1, b.1))
            });
        }
        true => keys.sort_unstable(),
        false => keys.sort_unstable_by(|a, b| {
            (a.0.cmp(&b.0))
                .then_with(|| compare(a.1, b.1))
                .then(a.1.cmp(&b.1))
        }),
    }
    keys
}

/// Sorts by two numbers per row, then as `compare` says, then by row.
fn sort_pairs(
    keys: Vec<(u64, u32)>,
    more: &[(u64, u32)],
    mut compare: impl FnMut(u32, u32) -> Ordering,
) -> Vec<(u64, u32)> {
    let mut pairs: Vec<(u64, u64, u32)> = keys.iter().zip(more).map(|(a, b)| (a.0, b.0, a.1)).collect();
    pairs.sort_unstable_by(|a, b| {
        (a.0, a.1)
            .cmp(&(b.0, b.1))
            .then_with(|| compare(a.2, b.2))
            .then(a.2.cmp(&b.2))
    });
    pairs.into_iter().map(|(key, _, row)| (key, row)).collect()
}

/// A number per row that sorts as the key does, with the row, and whether rows with equal numbers have equal keys. Not for keys
/// that may be NULL.
fn sort_keys(
    cx: &Cx<'_>,
    order: &Order,
    column: &Vector,
    numbers: &[u32],
) -> Option<(Vec<(u64, u32)>, bool)> {
    let (type_oid, descending, _) = order.direct(cx)?;
    if column.may_have_nulls() || column.is_constant() {
        return None;
    }
    let keyed = |key: &dyn Fn(usize) -> u64| -> Vec<(u64, u32)> {
        let flip = if descending { u64::MAX } else { 0 };
        numbers.iter().map(|&n| (key(n as usize) ^ flip, n)).collect()
    };
    let signed = |v: i64| v as u64 ^ (1 << 63);
    let keys = match column.data() {
        VectorData::Int2(d) => keyed(&|n| signed(i64::from(d[n]))),
        VectorData::Int4(d) => keyed(&|n| signed(i64::from(d[n]))),
        VectorData::Int8(d) if type_oid != types::oids::PG_LSN && type_oid != types::oids::XID8 => {
            keyed(&|n| signed(d[n]))
        }
        VectorData::Oid(d) => keyed(&|n| u64::from(d[n])),
        VectorData::Float8(d) => keyed(&|n| float_key(d[n])),
        VectorData::Numeric(d) => return decimal_keys(d, numbers, descending).map(|keys| (keys, true)),
        VectorData::Text(s) if type_oid != types::oids::BPCHAR => {
            return Some((keyed(&|n| text_key(s.bytes(n))), false));
        }
        _ => return None,
    };
    Some((keys, true))
}

/// Orders as PostgreSQL does: -0 equals 0, NaN comes last.
fn float_key(v: f64) -> u64 {
    if v.is_nan() {
        return u64::MAX;
    }
    let bits = if v == 0.0 { 0 } else { v.to_bits() };
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

/// The first eight bytes.
fn text_key(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    let shown = bytes.len().min(8);
    word[..shown].copy_from_slice(&bytes[..shown]);
    u64::from_be_bytes(word)
}

/// The digits of numbers that all have one scale.
fn decimal_keys(values: &[Numeric], numbers: &[u32], descending: bool) -> Option<Vec<(u64, u32)>> {
    let scale = match values.get(*numbers.first()? as usize)? {
        Numeric::Small { scale, .. } => *scale,
        _ => return None,
    };
    let flip = if descending { u64::MAX } else { 0 };
    let key = |&n: &u32| match &values[n as usize] {
        Numeric::Small { unscaled, scale: s } if *s == scale => {
            Some((*unscaled as u64 ^ (1 << 63) ^ flip, n))
        }
        _ => None,
    };
    numbers.iter().map(key).collect()
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
            input: opening.open(&self.input),
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

    fn set_bound(&mut self, rows: Option<usize>) {
        // Given before the first row; a sort with a bound keeps nothing across rescans.
        self.bound = rows;
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
