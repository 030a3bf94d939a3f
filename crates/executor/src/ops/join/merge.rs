//! MergeJoin: both sides sorted by the join keys.
//!
//! # How it works
//! The inner side is kept whole. Two row numbers bound the inner rows equal to the current outer row's keys; they only move
//! forward. Output keeps the order of the outer side.

use std::cmp::Ordering;
use std::sync::Arc;

use common::PgResult;
use expr::{ExprProgram, Inputs};
use nodes::plan::MergeClause;
use nodes::query::JoinType;
use nodes::{Expr, Plan};
use types::{BATCH_ROWS, Batch, Selection, Vector};

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::keys::Order;
use crate::node::{Eval, Node, NodeKind, Opening, Operator};
use crate::ops::join::{JoinShape, PairJoin, Pairs, inner_keys};
use crate::store::RowStore;

struct MergeJoinNode {
    shape: Arc<JoinShape>,
    outer: Node,
    inner: Node,
    keys: Vec<MergeKey>,
}

struct MergeKey {
    outer: Arc<ExprProgram>,
    inner: Arc<ExprProgram>,
    order: Order,
}

pub(crate) fn compile(
    c: &Compiler<'_>,
    plan: &Plan,
    shape: (JoinType, bool, &[Expr]),
    clauses: &[MergeClause],
    [outer, inner]: [&Plan; 2],
) -> PgResult<Arc<dyn NodeKind>> {
    let (join_type, inner_unique, join_qual) = shape;
    let keys = clauses
        .iter()
        .map(|clause| {
            Ok(MergeKey {
                outer: c.program(&clause.outer, ScanMap::None)?,
                inner: c.program(&clause.inner, ScanMap::None)?,
                order: Order::of_merge(c, clause)?,
            })
        })
        .collect::<PgResult<_>>()?;
    Ok(Arc::new(MergeJoinNode {
        shape: Arc::new(JoinShape::compile(
            c,
            plan,
            join_type,
            inner_unique,
            join_qual,
            [outer, inner],
        )?),
        outer: c.node(outer)?,
        inner: c.node(inner)?,
        keys,
    }))
}

impl NodeKind for MergeJoinNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        Box::new(MergeJoinOp {
            outer: opening.open(&self.outer),
            inner: opening.open(&self.inner),
            join: PairJoin::new(&self.shape),
            outer_keys: self.keys.iter().map(|k| Eval::new(&k.outer)).collect(),
            inner_keys: self.keys.iter().map(|k| Eval::new(&k.inner)).collect(),
            side: None,
            current: None,
            group: (0, 0),
            pairs: Pairs::default(),
            unmatched_from: None,
            filled_at: 0,
            node: self,
        })
    }
}

/// The inner side.
struct Side {
    columns: Vec<Arc<Vector>>,
    keys: Vec<Arc<Vector>>,
    rows: usize,
    _stores: [RowStore; 2],
}

/// The outer batch under way.
struct Current {
    keys: Vec<Arc<Vector>>,
    selection: Selection,
    row: usize,
    /// Next inner row of its group.
    at: Option<usize>,
}

struct MergeJoinOp {
    node: Arc<MergeJoinNode>,
    outer: Box<dyn Operator>,
    inner: Box<dyn Operator>,
    join: PairJoin,
    outer_keys: Vec<Eval>,
    inner_keys: Vec<Eval>,
    side: Option<Side>,
    current: Option<Current>,
    /// Inner rows equal to the last outer row looked up.
    group: (usize, usize),
    pairs: Pairs,
    unmatched_from: Option<usize>,
    filled_at: u64,
}

impl MergeJoinOp {
    fn fill(&mut self, cx: &mut Cx<'_>) -> PgResult<Side> {
        self.filled_at = cx.run.now();
        let key_phys: Vec<_> = self.inner_keys.iter().map(|k| k.program.phys()).collect();
        let mut store = RowStore::new(&self.node.inner.phys);
        let mut key_store = RowStore::new(&key_phys);
        while let Some(batch) = self.inner.next(cx, BATCH_ROWS)? {
            cx.check()?;
            let keys = inner_keys(&mut self.inner_keys, cx, &batch)?;
            store.append_batch(cx, &batch)?;
            key_store.append(cx, &keys, &batch.selection)?;
        }
        let (columns, rows) = store.drain_columns();
        let (keys, _) = key_store.drain_columns();
        if self.node.shape.tracks_inner() {
            self.join.inner_matched = vec![false; rows];
        }
        Ok(Side {
            columns,
            keys,
            rows,
            _stores: [store, key_store],
        })
    }

    fn next_outer(&mut self, cx: &mut Cx<'_>, demand: usize) -> PgResult<bool> {
        let Some(batch) = self.outer.next(cx, demand)? else {
            return Ok(false);
        };
        let inputs = Inputs::outer(&batch.columns, batch.rows);
        let keys = self
            .outer_keys
            .iter_mut()
            .map(|k| k.vector(cx, inputs, &batch.selection))
            .collect::<PgResult<Vec<_>>>()?;
        self.join.set_outer(&batch);
        self.current = Some(Current {
            keys,
            selection: batch.selection,
            row: 0,
            at: None,
        });
        Ok(true)
    }
}

/// Moves the group to the inner rows equal to an outer row.
fn seek(
    cx: &Cx<'_>,
    node: &MergeJoinNode,
    outer: &[Arc<Vector>],
    position: usize,
    side: &Side,
    group: &mut (usize, usize),
) -> PgResult<()> {
    let order = |inner_row: usize| -> PgResult<Ordering> {
        for ((key, o), i) in node.keys.iter().zip(outer).zip(&side.keys) {
            let one = key.order.compare(cx, o, position, i, inner_row)?;
            if one.is_ne() {
                return Ok(one);
            }
        }
        Ok(Ordering::Equal)
    };
    if outer.iter().any(|k| k.is_null(position)) {
        *group = (group.0, group.0);
        return Ok(());
    }
    let mut start = group.0;
    while start < side.rows && order(start)?.is_gt() {
        start += 1;
    }
    let mut end = start.max(if start == group.0 { group.1 } else { start });
    if end > start && order(start)?.is_ne() {
        end = start;
    }
    while end < side.rows && order(end)?.is_eq() {
        end += 1;
    }
    *group = (start, end);
    Ok(())
}

impl MergeJoinOp {
    fn collect(&mut self, cx: &Cx<'_>, limit: usize) -> PgResult<bool> {
        let (Some(current), Some(side)) = (&mut self.current, &self.side) else {
            return Err(common::internal!("merge join without input"));
        };
        let shape = &self.node.shape;
        let first_only = shape.first_match_only() && !shape.has_join_qual();
        self.pairs.clear();
        while current.row < current.selection.len() {
            let position = current.selection.position(current.row);
            let mut at = match current.at.take() {
                Some(at) => at,
                None => {
                    seek(cx, &self.node, &current.keys, position, side, &mut self.group)?;
                    self.group.0
                }
            };
            let end = if first_only {
                self.group.1.min(self.group.0 + 1)
            } else {
                self.group.1
            };
            while at < end {
                if self.pairs.weight() >= limit && at > self.group.0 {
                    current.at = Some(at);
                    self.pairs.rows.push((position as u32, false));
                    return Ok(false);
                }
                self.pairs.push(position as u32, at as u32);
                at += 1;
            }
            self.pairs.finish_row(position as u32);
            current.row += 1;
            if self.pairs.weight() >= limit {
                break;
            }
        }
        Ok(current.row >= current.selection.len())
    }
}

impl Operator for MergeJoinOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        if self.side.is_none() {
            self.side = Some(self.fill(cx)?);
        }
        loop {
            cx.check()?;
            let inner = self.side.as_ref().map(|s| s.columns.clone()).unwrap_or_default();
            if let Some(from) = self.unmatched_from {
                if !self.node.shape.keeps_inner() || from >= self.join.inner_matched.len() {
                    return Ok(None);
                }
                let (out, at) = self.join.unmatched(cx, &inner, from, max_rows)?;
                self.unmatched_from = Some(at);
                match out {
                    Some(batch) => return Ok(Some(batch)),
                    None => continue,
                }
            }
            if self.current.is_none() && !self.next_outer(cx, max_rows)? {
                self.unmatched_from = Some(0);
                continue;
            }
            let used_up = self.collect(cx, max_rows)?;
            let pairs = std::mem::take(&mut self.pairs);
            let out = self.join.round(cx, &inner, &pairs)?;
            self.pairs = pairs;
            if used_up {
                self.current = None;
            }
            if out.is_some() {
                return Ok(out);
            }
        }
    }

    fn rescan(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        self.current = None;
        self.group = (0, 0);
        self.unmatched_from = None;
        self.join.inner_matched.fill(false);
        if self.side.is_some() && cx.run.changed_since(&self.node.inner.deps, self.filled_at) {
            self.side = None;
            self.inner.rescan(cx)?;
        }
        self.outer.rescan(cx)
    }
}
