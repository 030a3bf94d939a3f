//! HashJoin: the inner side in a hash table, probed batch by batch.

use std::sync::Arc;

use common::{PgResult, internal};
use expr::{ExprProgram, Inputs};
use nodes::plan::HashClause;
use nodes::query::JoinType;
use nodes::{Expr, Plan, PlanNode};
use types::{BATCH_ROWS, Batch, Selection, Vector};

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::keys::Equality;
use crate::node::{Eval, Node, NodeKind, Opening, Operator};
use crate::ops::join::{JoinShape, PairJoin, Pairs};
use crate::store::{MemoryUse, RowStore};

struct HashJoinNode {
    shape: Arc<JoinShape>,
    outer: Node,
    inner: Node,
    keys: Vec<HashKey>,
}

struct HashKey {
    outer: Arc<ExprProgram>,
    inner: Arc<ExprProgram>,
    equality: Equality,
}

pub(crate) fn compile(
    c: &Compiler<'_>,
    plan: &Plan,
    shape: (JoinType, bool, &[Expr]),
    clauses: &[HashClause],
    [outer, inner]: [&Plan; 2],
) -> PgResult<Arc<dyn NodeKind>> {
    let (join_type, inner_unique, join_qual) = shape;
    // EXPLAIN shows a Hash node; the table is ours.
    let build = match &inner.node {
        PlanNode::Hash { input } => input,
        _ => inner,
    };
    let keys = clauses
        .iter()
        .map(|clause| {
            Ok(HashKey {
                outer: c.program(&clause.outer, ScanMap::None)?,
                inner: c.program(&clause.inner, ScanMap::None)?,
                equality: Equality::compile(
                    c,
                    clause.eq_op,
                    clause.outer.type_oid(),
                    clause.inner.type_oid(),
                    clause.collation,
                )?,
            })
        })
        .collect::<PgResult<_>>()?;
    let mut inner_node = c.node(build)?;
    inner_node.id = inner.id;
    Ok(Arc::new(HashJoinNode {
        shape: Arc::new(JoinShape::compile(
            c,
            plan,
            join_type,
            inner_unique,
            join_qual,
            [outer, build],
        )?),
        outer: c.node(outer)?,
        inner: if inner.id == build.id {
            inner_node
        } else {
            c.node(inner)?
        },
        keys,
    }))
}

impl NodeKind for HashJoinNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        Box::new(HashJoinOp {
            outer: opening.open(&self.outer),
            inner: opening.open(&self.inner),
            join: PairJoin::new(&self.shape),
            outer_keys: self.keys.iter().map(|k| Eval::new(&k.outer)).collect(),
            inner_keys: self.keys.iter().map(|k| Eval::new(&k.inner)).collect(),
            table: None,
            probe: None,
            pairs: Pairs::default(),
            unmatched_from: None,
            built_at: 0,
            node: self,
        })
    }
}

/// The build side.
struct Table {
    columns: Vec<Arc<Vector>>,
    rows: usize,
    /// Values of the key expressions.
    keys: Vec<Arc<Vector>>,
    hashes: Vec<u64>,
    /// First row of each bucket, and the next of each row, plus 1; 0 ends.
    heads: Vec<u32>,
    next: Vec<u32>,
    _memory: [MemoryUse; 1],
    _stores: [RowStore; 2],
}

/// The outer batch under way.
struct Probe {
    keys: Vec<Arc<Vector>>,
    selection: Selection,
    hashes: Vec<u64>,
    /// Which of its rows is next, and its next candidate plus 1.
    row: usize,
    candidate: u32,
    started: bool,
}

struct HashJoinOp {
    node: Arc<HashJoinNode>,
    outer: Box<dyn Operator>,
    inner: Box<dyn Operator>,
    join: PairJoin,
    outer_keys: Vec<Eval>,
    inner_keys: Vec<Eval>,
    table: Option<Table>,
    probe: Option<Probe>,
    pairs: Pairs,
    /// Set when the outer side has ended: where unmatched inner rows go on.
    unmatched_from: Option<usize>,
    built_at: u64,
}

/// Hashes of the selected rows over all keys.
fn hash_keys(
    cx: &Cx<'_>,
    node: &HashJoinNode,
    keys: &[Arc<Vector>],
    sel: &Selection,
    side: usize,
) -> PgResult<Vec<u64>> {
    let mut hashes = vec![0; sel.len()];
    for (key, v) in node.keys.iter().zip(keys) {
        key.equality.hash(cx, v, sel, side, &mut hashes)?;
    }
    Ok(hashes)
}

impl HashJoinOp {
    fn build(&mut self, cx: &mut Cx<'_>) -> PgResult<Table> {
        let node = Arc::clone(&self.node);
        self.built_at = cx.run.now();
        let key_phys: Vec<_> = self.inner_keys.iter().map(|k| k.program.phys()).collect();
        let mut store = RowStore::new(&node.inner.phys);
        let mut key_store = RowStore::new(&key_phys);
        let mut hashes = Vec::new();
        while let Some(batch) = self.inner.next(cx, BATCH_ROWS)? {
            cx.check()?;
            let inputs = Inputs {
                rows: batch.rows,
                scan: &[],
                outer: &[],
                inner: &batch.columns,
            };
            let keys = self
                .inner_keys
                .iter_mut()
                .map(|k| k.vector(cx, inputs, &batch.selection))
                .collect::<PgResult<Vec<_>>>()?;
            hashes.extend(hash_keys(cx, &node, &keys, &batch.selection, 1)?);
            store.append_batch(cx, &batch)?;
            key_store.append(cx, &keys, &batch.selection)?;
        }
        let mut memory = MemoryUse::default();
        memory.cover(cx, hashes.len() * 20)?;
        let (columns, rows) = store.drain_columns();
        let (keys, _) = key_store.drain_columns();
        let size = (rows * 2).next_power_of_two().max(16);
        let mut heads = vec![0_u32; size];
        let mut next = vec![0_u32; rows];
        // From the last to the first, so that chains run in input order. NULL keys match nothing.
        for row in (0..rows).rev() {
            if keys.iter().any(|k| k.is_null(row)) {
                continue;
            }
            let bucket = hashes[row] as usize & (size - 1);
            next[row] = heads[bucket];
            heads[bucket] = row as u32 + 1;
        }
        if self.node.shape.tracks_inner() {
            self.join.inner_matched = vec![false; rows];
        }
        Ok(Table {
            columns,
            rows,
            keys,
            hashes,
            heads,
            next,
            _memory: [memory],
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
        let hashes = hash_keys(cx, &self.node, &keys, &batch.selection, 0)?;
        self.join.set_outer(&batch);
        self.probe = Some(Probe {
            keys,
            selection: batch.selection,
            hashes,
            row: 0,
            candidate: 0,
            started: false,
        });
        Ok(true)
    }

    /// Collects pairs up to `limit`; true when the outer batch is used up.
    fn collect(&mut self, cx: &Cx<'_>, limit: usize) -> PgResult<bool> {
        let (Some(probe), Some(table)) = (&mut self.probe, &self.table) else {
            return Err(internal!("hash join probes without a table"));
        };
        let shape = &self.node.shape;
        let first_only = shape.first_match_only() && !shape.has_join_qual();
        let skip_matched = matches!(shape.join_type, JoinType::RightSemi | JoinType::RightAnti);
        self.pairs.clear();
        while probe.row < probe.hashes.len() {
            let position = probe.selection.position(probe.row);
            let hash = probe.hashes[probe.row];
            if !probe.started {
                probe.started = true;
                probe.candidate = if probe.keys.iter().any(|k| k.is_null(position)) {
                    0
                } else {
                    table.heads[hash as usize & (table.heads.len() - 1)]
                };
            }
            while let Some(row) = probe.candidate.checked_sub(1) {
                let row = row as usize;
                probe.candidate = table.next[row];
                if table.hashes[row] != hash || skip_matched && self.join.inner_matched[row] {
                    continue;
                }
                let mut same = true;
                for ((key, o), i) in self.node.keys.iter().zip(&probe.keys).zip(&table.keys) {
                    same = same && key.equality.equal(cx, o, position, i, row)?;
                }
                if !same {
                    continue;
                }
                self.pairs.push(position as u32, row as u32);
                if first_only {
                    probe.candidate = 0;
                } else if self.pairs.weight() >= limit && probe.candidate != 0 {
                    self.pairs.rows.push((position as u32, false));
                    return Ok(false);
                }
            }
            self.pairs.finish_row(position as u32);
            probe.row += 1;
            probe.started = false;
            if self.pairs.weight() >= limit {
                break;
            }
        }
        Ok(probe.row >= probe.hashes.len())
    }
}

impl Operator for HashJoinOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        if self.table.is_none() {
            self.table = Some(self.build(cx)?);
        }
        loop {
            cx.check()?;
            let inner = match &self.table {
                Some(t) => t.columns.clone(),
                None => return Err(internal!("hash join lost its table")),
            };
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
            if self.probe.is_none() {
                let empty = self.table.as_ref().is_some_and(|t| t.rows == 0);
                let pointless = empty && !self.node.shape.keeps_outer();
                if pointless || !self.next_outer(cx, max_rows)? {
                    self.unmatched_from = Some(0);
                    continue;
                }
            }
            let used_up = self.collect(cx, max_rows)?;
            let pairs = std::mem::take(&mut self.pairs);
            let out = self.join.round(cx, &inner, &pairs)?;
            self.pairs = pairs;
            if used_up {
                self.probe = None;
            }
            if out.is_some() {
                return Ok(out);
            }
        }
    }

    fn rescan(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        self.probe = None;
        self.unmatched_from = None;
        self.join.inner_matched.fill(false);
        if self.table.is_some() && cx.run.changed_since(&self.node.inner.deps, self.built_at) {
            self.table = None;
            self.inner.rescan(cx)?;
        }
        self.outer.rescan(cx)
    }
}
