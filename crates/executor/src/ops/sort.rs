//! Sort and IncrementalSort.
//!
//! # How it works
//! Rows are collected in columns, then row numbers are sorted: by one number per row when the first key is an integer without
//! NULLs, else by comparing columns. Under a LIMIT (top-N) rows beyond the bound are dropped as they come.

use std::cmp::Ordering;
use std::sync::Arc;

use common::PgResult;
use nodes::Plan;
use nodes::plan::SortKey;
use types::{BATCH_ROWS, Batch, PhysType, Vector, VectorData};

use crate::compile::Compiler;
use crate::cx::Cx;
use crate::keys::{Order, compare_rows};
use crate::node::{Node, NodeKind, Opening, Operator, Rest};
use crate::store::RowStore;

/// Compiled orders of an input.
pub(crate) fn orders(c: &Compiler<'_>, input: &Plan, keys: &[SortKey]) -> PgResult<Vec<Order>> {
    keys.iter().map(|k| Order::compile(c, input, k)).collect()
}

/// Sorts row numbers `0..rows` of columns, stably.
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

/// Sorts the given row numbers, stably.
pub(crate) fn sort_numbers(
    cx: &Cx<'_>,
    orders: &[Order],
    columns: &[Arc<Vector>],
    numbers: &mut [u32],
) -> PgResult<()> {
    if let [only] = orders {
        if let Some(keys) = integer_keys(only, columns) {
            numbers.sort_by_key(|&n| keys[n as usize]);
            return Ok(());
        }
    }
    let mut failed = None;
    numbers.sort_by(
        |&a, &b| match compare_rows(cx, orders, columns, a as usize, columns, b as usize) {
            Ok(order) => order,
            Err(e) => {
                failed.get_or_insert(e);
                Ordering::Equal
            }
        },
    );
    failed.map_or(Ok(()), Err)
}

/// One signed number per row that sorts as the key does.
fn integer_keys(order: &Order, columns: &[Arc<Vector>]) -> Option<Vec<i64>> {
    let (type_oid, descending, _) = order.direct()?;
    let column = &columns[order.column];
    if column.may_have_nulls() || column.is_constant() {
        return None;
    }
    let flip = |v: i64| if descending { !v } else { v };
    match column.data() {
        VectorData::Int4(d) => Some(d.iter().map(|&v| flip(i64::from(v))).collect()),
        VectorData::Int8(d) if type_oid != types::oids::PG_LSN && type_oid != types::oids::XID8 => {
            Some(d.iter().map(|&v| flip(v)).collect())
        }
        VectorData::Int2(d) => Some(d.iter().map(|&v| flip(i64::from(v))).collect()),
        VectorData::Oid(d) => Some(d.iter().map(|&v| flip(i64::from(v))).collect()),
        _ => None,
    }
}

struct SortNode {
    input: Node,
    orders: Vec<Order>,
    /// How many leading keys the input is sorted by already.
    presorted: usize,
    phys: Vec<PhysType>,
}

pub(crate) fn compile(
    c: &Compiler<'_>,
    input: &Plan,
    keys: &[SortKey],
    presorted: usize,
) -> PgResult<Arc<dyn NodeKind>> {
    Ok(Arc::new(SortNode {
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
            store: RowStore::new(&self.phys),
            node: self,
            carry: None,
            sorted: None,
            input_done: false,
            filled_at: 0,
            bound: None,
        })
    }
}

struct Sorted {
    columns: Vec<Arc<Vector>>,
    order: Vec<u32>,
    given: usize,
}

struct SortOp {
    node: Arc<SortNode>,
    input: Box<dyn Operator>,
    store: RowStore,
    /// Rows of the next group of presorted keys.
    carry: Option<Rest>,
    sorted: Option<Sorted>,
    input_done: bool,
    filled_at: u64,
    /// How many rows are wanted at most.
    bound: Option<usize>,
}

impl SortOp {
    /// Forgets rows that cannot be among those wanted, once there are many of them.
    fn prune(&mut self, cx: &Cx<'_>) -> PgResult<()> {
        let Some(bound) = self.bound else { return Ok(()) };
        if self.store.rows <= bound.saturating_mul(2).saturating_add(4 * BATCH_ROWS) {
            return Ok(());
        }
        let (columns, rows) = self.store.drain_columns();
        let mut order = sorted(cx, &self.node.orders, &columns, rows)?;
        order.truncate(bound);
        for (mine, column) in self.store.columns.iter_mut().zip(&columns) {
            mine.extend_from(column, order.iter().map(|&r| r as usize));
        }
        self.store.rows = order.len();
        Ok(())
    }

    /// Collects the whole input, or the next groups of presorted rows, and sorts them.
    fn fill(&mut self, cx: &mut Cx<'_>, demand: usize) -> PgResult<bool> {
        self.filled_at = cx.run.now();
        if self.node.presorted == 0 {
            while let Some(batch) = self.input.next(cx, BATCH_ROWS)? {
                cx.check()?;
                self.store.append_batch(cx, &batch)?;
                self.prune(cx)?;
            }
            self.input_done = true;
        } else {
            self.collect_groups(cx, demand)?;
        }
        if self.store.rows == 0 {
            return Ok(false);
        }
        let (columns, rows) = self.store.drain_columns();
        let order = sorted(cx, &self.node.orders, &columns, rows)?;
        self.sorted = Some(Sorted {
            columns,
            order,
            given: 0,
        });
        Ok(true)
    }

    /// Whole groups of equal leading keys, at least one, until there are enough rows.
    fn collect_groups(&mut self, cx: &mut Cx<'_>, demand: usize) -> PgResult<()> {
        let node = Arc::clone(&self.node);
        let leading = &node.orders[..node.presorted];
        loop {
            let batch = match self.carry.as_mut().and_then(|c| c.take(BATCH_ROWS)) {
                Some(batch) => batch,
                None if self.input_done => return Ok(()),
                None => match self.input.next(cx, BATCH_ROWS)? {
                    Some(batch) => batch.compact(),
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
                let starts_group = if i > 0 {
                    compare_rows(cx, leading, &batch.columns, i - 1, &batch.columns, i)?.is_ne()
                } else if self.store.rows > 0 {
                    let last = self.store.range(self.store.rows - 1, 1);
                    compare_rows(cx, leading, &last.columns, 0, &batch.columns, 0)?.is_ne()
                } else {
                    false
                };
                if starts_group && self.store.rows + i >= demand {
                    end = i;
                    break;
                }
            }
            self.store
                .append(cx, &batch.columns, &types::Selection::All(end))?;
            if end < batch.len() {
                let mut rest = Rest::default();
                rest.put(crate::node::slice(&batch, end, batch.len() - end));
                self.carry = Some(rest);
                return Ok(());
            }
        }
    }
}

impl Operator for SortOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        loop {
            if let Some(s) = &mut self.sorted {
                if s.given < s.order.len() {
                    let end = (s.given + max_rows).min(s.order.len());
                    let rows = &s.order[s.given..end];
                    let take = |c: &Arc<Vector>| Arc::new(c.take(rows.iter().map(|&r| r as usize)));
                    let columns = s.columns.iter().map(take).collect();
                    let batch = Batch::new(columns, rows.len());
                    s.given = end;
                    return Ok(Some(batch));
                }
                if self.node.presorted == 0 || self.input_done && self.carry.is_none() {
                    return Ok(None);
                }
                self.sorted = None;
            }
            if self.node.presorted > 0 && self.input_done && self.carry.as_ref().is_none_or(Rest::is_empty) {
                return Ok(None);
            }
            if self.node.presorted == 0 && self.input_done {
                return Ok(None);
            }
            if !self.fill(cx, max_rows)? {
                return Ok(None);
            }
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
                s.given = 0;
            }
            return Ok(());
        }
        self.sorted = None;
        self.carry = None;
        self.store.clear();
        self.input_done = false;
        self.input.rescan(cx)
    }
}
