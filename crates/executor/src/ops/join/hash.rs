//! HashJoin: the inner side in a hash table, probed batch by batch.
//!
//! # How it works
//! When the inner side outgrows its memory, its rows are divided by their hashes over files, the outer side's likewise, and each pair of
//! files is joined by itself, divided again if its inner side is still too large. Rows without a match stay in their part, so every kind
//! of join works part by part.

use std::sync::Arc;

use common::{PgResult, internal};
use expr::{ExprProgram, Inputs};
use nodes::plan::HashClause;
use nodes::query::JoinType;
use nodes::{Expr, Plan, PlanNode};
use types::{BATCH_ROWS, Batch, Selection, Vector};

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::instrument::{HashSummary, Measured};
use crate::ints::{IntTable, compares_as_integer, integers};
use crate::keys::Equality;
use crate::node::{Eval, Node, NodeKind, Opening, Operator};
use crate::ops::join::{JoinShape, PairJoin, Pairs, inner_keys};
use crate::parallel::share::{Arrival, BuildPart, BuildShare, ReaderGuard};
use crate::spill::batches::BatchFile;
use crate::spill::partitions::{LEVEL_MAX, Partitions, Reader};
use crate::store::{MemoryUse, RowStore};

struct HashJoinNode {
    /// `Plan::id` of the Hash node.
    hash_id: u32,
    /// `Plan::id` of a join whose table participants of a Gather build together.
    shared_id: Option<u32>,
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
    Ok(Arc::new(HashJoinNode {
        hash_id: inner.id,
        shared_id: plan.parallel_aware.then_some(plan.id),
        shape: Arc::new(JoinShape::compile(
            c,
            plan,
            join_type,
            inner_unique,
            join_qual,
            [outer, build],
        )?),
        outer: c.node(outer)?,
        inner: c.node(build)?,
        keys,
    }))
}

impl NodeKind for HashJoinNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        let mut inner = opening.open(&self.inner);
        if opening.instrument && self.hash_id != self.inner.id {
            inner = Box::new(Measured::new(self.hash_id, inner));
        }
        let share = match (self.shared_id, &opening.team) {
            (Some(id), Some(team)) => Some(team.shares.build(id)),
            _ => None,
        };
        Box::new(HashJoinOp {
            outer: opening.open(&self.outer),
            inner,
            join: PairJoin::new(&self.shape),
            outer_keys: self.keys.iter().map(|k| Eval::new(&k.outer)).collect(),
            inner_keys: self.keys.iter().map(|k| Eval::new(&k.inner)).collect(),
            table: None,
            share,
            probe: None,
            pairs: Pairs::default(),
            unmatched_from: None,
            built_at: 0,
            tasks: Vec::new(),
            outer_file: None,
            summary: HashSummary::default(),
            node: self,
        })
    }
}

/// The build side.
pub(crate) struct HashTable {
    columns: Vec<Arc<Vector>>,
    rows: usize,
    /// Values of the key expressions.
    keys: Vec<Arc<Vector>>,
    hashes: Vec<u64>,
    /// First row of each bucket, and the next of each row, plus 1; 0 ends.
    heads: Vec<u32>,
    next: Vec<u32>,
    /// In place of `heads` when there is one integer key: [`IntTable`]'s numbers are row numbers, doubled, plus 1 when more rows follow.
    integers: Option<IntTable>,
    _memory: [MemoryUse; 1],
    _stores: [RowStore; 2],
}

/// The outer batch under way.
struct Probe {
    keys: Vec<Arc<Vector>>,
    selection: Selection,
    hashes: Vec<u64>,
    /// The keys themselves, where the table is by integer.
    integers: Vec<i64>,
    /// Which of its rows is next, and its next candidate: the row's number plus 1, doubled, plus 1 when others may follow.
    row: usize,
    candidate: u32,
    started: bool,
}

impl HashTable {
    /// The candidate after a row.
    fn after(&self, row: usize) -> u32 {
        match self.next[row] {
            0 => 0,
            next => next * 2 + 1,
        }
    }
}

impl Probe {
    /// The first candidate for the row under way, which lies at `position`.
    fn first_candidate(&self, table: &HashTable, position: usize) -> u32 {
        if self.keys.iter().any(|k| k.is_null(position)) {
            return 0;
        }
        match &table.integers {
            Some(integers) => integers.get(self.integers[self.row]).map_or(0, |found| found + 2),
            None => match table.heads[self.hashes[self.row] as usize & (table.heads.len() - 1)] {
                0 => 0,
                head => head * 2 + 1,
            },
        }
    }
}

struct HashJoinOp {
    node: Arc<HashJoinNode>,
    outer: Box<dyn Operator>,
    inner: Box<dyn Operator>,
    join: PairJoin,
    outer_keys: Vec<Eval>,
    inner_keys: Vec<Eval>,
    table: Option<Arc<HashTable>>,
    /// The table is built together with others.
    share: Option<Arc<BuildShare>>,
    probe: Option<Probe>,
    pairs: Pairs,
    /// Set when the outer side has ended: where unmatched inner rows go on.
    unmatched_from: Option<usize>,
    built_at: u64,
    /// Parts in files that wait their turn.
    tasks: Vec<Task>,
    /// Where outer rows come from while a part is joined.
    outer_file: Option<Reader>,
    summary: HashSummary,
}

/// The two sides of a part in files; a side without rows has none.
struct Task {
    inner: Option<BatchFile>,
    outer: Option<BatchFile>,
    /// How often it was divided already.
    level: u32,
}

/// What building the table came to.
enum Built {
    Table(HashTable),
    /// It was too large: the inner rows by part.
    Divided(Vec<Option<BatchFile>>),
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
    /// Keys of an inner batch and their hashes.
    fn inner_hashes(&mut self, cx: &mut Cx<'_>, batch: &Batch) -> PgResult<(Vec<Arc<Vector>>, Vec<u64>)> {
        let keys = inner_keys(&mut self.inner_keys, cx, batch)?;
        let hashes = hash_keys(cx, &self.node, &keys, &batch.selection, 1)?;
        Ok((keys, hashes))
    }

    /// Reads the inner side (of a part) into a table, or divides it over files.
    fn build(&mut self, cx: &mut Cx<'_>, mut part: Option<Reader>, level: u32) -> PgResult<Built> {
        let node = Arc::clone(&self.node);
        let key_phys: Vec<_> = self.inner_keys.iter().map(|k| k.program.phys()).collect();
        let mut store = RowStore::new(&node.inner.phys);
        let mut key_store = RowStore::new(&key_phys);
        let mut hashes = Vec::new();
        let mut divided: Option<Partitions> = None;
        loop {
            let batch = match &mut part {
                Some(reader) => reader.next()?,
                None => self.inner.next(cx, BATCH_ROWS)?,
            };
            let Some(batch) = batch else { break };
            cx.check()?;
            let (keys, new) = self.inner_hashes(cx, &batch)?;
            if let Some(parts) = &mut divided {
                parts.add(cx, &batch.columns, &batch.selection, &new)?;
                continue;
            }
            hashes.extend(new);
            store.append_batch(cx, &batch)?;
            key_store.append(cx, &keys, &batch.selection)?;
            let bytes = store.memory_bytes() + key_store.memory_bytes() + hashes.len() * 20;
            self.summary.memory = self.summary.memory.max(bytes as u64);
            if bytes > cx.ext.hash_mem_bytes && cx.ext.temp.may_spill() && level < LEVEL_MAX {
                let mut parts = Partitions::new(&node.inner.phys, level);
                let (columns, rows) = store.drain_columns();
                key_store.clear();
                parts.add_all(cx, &columns, rows, &hashes)?;
                store.release();
                hashes = Vec::new();
                divided = Some(parts);
            }
        }
        if let Some(parts) = divided {
            return Ok(Built::Divided(parts.finish(cx)?));
        }
        self.table(cx, store, key_store, hashes).map(Built::Table)
    }

    /// The part of the inner side that falls to this participant, then the table that all have in common. It stays in memory: the
    /// planner sees to it that it should fit.
    fn build_together(&mut self, cx: &mut Cx<'_>, share: &Arc<BuildShare>) -> PgResult<()> {
        if let Arrival::Read = share.arrive() {
            let mut reader = ReaderGuard::new(share);
            let part = self.read_part(cx)?;
            if let Some(parts) = reader.leave(part) {
                let table = self.table_of_parts(cx, parts)?;
                reader.publish(Arc::new(table));
            }
        }
        let Some(team) = cx.run.team.clone() else {
            return Err(internal!("shared hash table without a team"));
        };
        let table = share.wait(&team)?;
        self.summary.buckets = (table.rows * 2).next_power_of_two().max(16) as u64;
        self.table = Some(table);
        self.note(cx);
        Ok(())
    }

    fn read_part(&mut self, cx: &mut Cx<'_>) -> PgResult<BuildPart> {
        let key_phys: Vec<_> = self.inner_keys.iter().map(|k| k.program.phys()).collect();
        let mut part = BuildPart {
            columns: RowStore::new(&self.node.inner.phys),
            keys: RowStore::new(&key_phys),
            hashes: Vec::new(),
        };
        while let Some(batch) = self.inner.next(cx, BATCH_ROWS)? {
            cx.check()?;
            let (keys, hashes) = self.inner_hashes(cx, &batch)?;
            part.hashes.extend(hashes);
            part.columns.append_batch(cx, &batch)?;
            part.keys.append(cx, &keys, &batch.selection)?;
        }
        let bytes = part.columns.memory_bytes() + part.keys.memory_bytes() + part.hashes.len() * 20;
        self.summary.memory = self.summary.memory.max(bytes as u64);
        Ok(part)
    }

    /// One table of all parts, appended to the largest.
    fn table_of_parts(&mut self, cx: &Cx<'_>, mut parts: Vec<BuildPart>) -> PgResult<HashTable> {
        parts.sort_by_key(|p| std::cmp::Reverse(p.hashes.len()));
        let mut parts = parts.into_iter();
        let Some(mut all) = parts.next() else {
            return Err(internal!("hash table of no parts"));
        };
        for mut part in parts {
            let every = Selection::All(part.hashes.len());
            all.columns.append(cx, &part.columns.drain_columns().0, &every)?;
            all.keys.append(cx, &part.keys.drain_columns().0, &every)?;
            all.hashes.append(&mut part.hashes);
        }
        self.table(cx, all.columns, all.keys, all.hashes)
    }

    fn table(
        &mut self,
        cx: &Cx<'_>,
        mut store: RowStore,
        mut key_store: RowStore,
        hashes: Vec<u64>,
    ) -> PgResult<HashTable> {
        let mut memory = MemoryUse::default();
        memory.cover(cx, hashes.len() * 20)?;
        let (columns, rows) = store.drain_columns();
        let (keys, _) = key_store.drain_columns();
        let mut size = (rows * 2).next_power_of_two().max(16);
        let mut next = vec![0_u32; rows];
        let integers = self.integer_table(&keys, rows, &mut next);
        let more = integers.as_ref().map_or(0, IntTable::memory_bytes);
        memory.cover(cx, rows * 20 + more)?;
        if integers.is_some() {
            size = 0;
        }
        let mut heads = vec![0_u32; size];
        // From the last to the first, so that chains run in input order. NULL keys match nothing.
        for row in (0..rows).rev() {
            if integers.is_some() {
                break;
            }
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
        let buckets = (rows * 2).next_power_of_two().max(16);
        self.summary.buckets = self.summary.buckets.max(buckets as u64);
        Ok(HashTable {
            columns,
            rows,
            keys,
            hashes,
            heads,
            next,
            integers,
            _memory: [memory],
            _stores: [store, key_store],
        })
    }

    /// The table by the one integer key, if there is just one; `next` links rows of one key in input order.
    fn integer_table(&self, keys: &[Arc<Vector>], rows: usize, next: &mut [u32]) -> Option<IntTable> {
        let ([key], [clause]) = (keys, &self.node.keys[..]) else {
            return None;
        };
        let outer = Vector::empty(clause.outer.phys());
        let fits = |column: &Vector| compares_as_integer(&clause.equality, column);
        if !fits(key) || !fits(&outer) || rows >= u32::MAX as usize / 2 {
            return None;
        }
        let mut table = IntTable::with_room(rows);
        for row in (0..rows).rev() {
            if key.is_null(row) {
                continue;
            }
            let value = key.integer(row)?;
            let alone = row as u32 * 2;
            if let Some(before) = table.replace(value, alone) {
                next[row] = before / 2 + 1;
                table.replace(value, alone + 1);
            }
        }
        Some(table)
    }

    /// The next table to probe; false when there is none.
    fn next_table(&mut self, cx: &mut Cx<'_>) -> PgResult<bool> {
        self.probe = None;
        self.unmatched_from = None;
        self.table = None;
        loop {
            // The first time the sides themselves, later their parts.
            let (inner, outer, level) = if self.built_at == 0 {
                self.built_at = cx.run.now().max(1);
                self.summary.batches = 1;
                if let Some(share) = self.share.clone() {
                    self.build_together(cx, &share)?;
                    return Ok(true);
                }
                (None, None, 0)
            } else {
                let Some(task) = self.tasks.pop() else {
                    return Ok(false);
                };
                let keeps = self.node.shape.keeps_inner() && task.inner.is_some()
                    || self.node.shape.keeps_outer() && task.outer.is_some();
                if !keeps && (task.inner.is_none() || task.outer.is_none()) {
                    continue;
                }
                let inner = task.inner.map(Reader::new);
                (
                    Some(inner.unwrap_or_default()),
                    Some(task.outer.map(Reader::new).unwrap_or_default()),
                    task.level,
                )
            };
            match self.build(cx, inner, level)? {
                Built::Table(table) => {
                    self.table = Some(Arc::new(table));
                    self.outer_file = outer;
                    self.note(cx);
                    return Ok(true);
                }
                Built::Divided(parts) => self.divide_outer(cx, parts, outer, level)?,
            }
        }
    }

    /// Divides the outer side as the inner side was.
    fn divide_outer(
        &mut self,
        cx: &mut Cx<'_>,
        inner: Vec<Option<BatchFile>>,
        mut part: Option<Reader>,
        level: u32,
    ) -> PgResult<()> {
        let mut parts = Partitions::new(&self.node.outer.phys, level);
        loop {
            let batch = match &mut part {
                Some(reader) => reader.next()?,
                None => self.outer.next(cx, BATCH_ROWS)?,
            };
            let Some(batch) = batch else { break };
            cx.check()?;
            let (_, hashes) = self.outer_hashes(cx, &batch)?;
            parts.add(cx, &batch.columns, &batch.selection, &hashes)?;
        }
        let outer = parts.finish(cx)?;
        for (inner, outer) in inner.into_iter().zip(outer) {
            let bytes = |f: &Option<BatchFile>| f.as_ref().map_or(0, BatchFile::bytes);
            self.summary.disk += bytes(&inner) + bytes(&outer);
            self.summary.batches += 1;
            self.tasks.push(Task {
                inner,
                outer,
                level: level + 1,
            });
        }
        self.summary.batches -= 1;
        Ok(())
    }

    fn note(&self, cx: &mut Cx<'_>) {
        if let Some(stats) = cx.run.stats.get_mut(self.node.hash_id as usize) {
            stats.hash = Some(self.summary);
        }
    }

    fn outer_hashes(&mut self, cx: &mut Cx<'_>, batch: &Batch) -> PgResult<(Vec<Arc<Vector>>, Vec<u64>)> {
        let keys = self.outer_values(cx, batch)?;
        let hashes = hash_keys(cx, &self.node, &keys, &batch.selection, 0)?;
        Ok((keys, hashes))
    }

    fn outer_values(&mut self, cx: &mut Cx<'_>, batch: &Batch) -> PgResult<Vec<Arc<Vector>>> {
        let inputs = Inputs::outer(&batch.columns, batch.rows);
        let keys = self.outer_keys.iter_mut();
        keys.map(|k| k.vector(cx, inputs, &batch.selection)).collect()
    }

    fn next_outer(&mut self, cx: &mut Cx<'_>, demand: usize) -> PgResult<bool> {
        let batch = match &mut self.outer_file {
            Some(reader) => reader.next()?,
            None => self.outer.next(cx, demand)?,
        };
        let Some(batch) = batch else {
            return Ok(false);
        };
        let mut values = Vec::new();
        let (keys, hashes) = match self.table.as_ref().is_some_and(|t| t.integers.is_some()) {
            true => {
                let keys = self.outer_values(cx, &batch)?;
                if !keys
                    .first()
                    .is_some_and(|k| integers(k, &batch.selection, &mut values))
                {
                    return Err(internal!("join by integer meets another class"));
                }
                (keys, Vec::new())
            }
            false => self.outer_hashes(cx, &batch)?,
        };
        self.join.set_outer(&batch);
        self.probe = Some(Probe {
            keys,
            selection: batch.selection,
            hashes,
            integers: values,
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
        while probe.row < probe.selection.len() {
            let position = probe.selection.position(probe.row);
            if !probe.started {
                probe.started = true;
                probe.candidate = probe.first_candidate(table, position);
            }
            while probe.candidate != 0 {
                let row = probe.candidate as usize / 2 - 1;
                probe.candidate = match probe.candidate & 1 {
                    1 => table.after(row),
                    _ => 0,
                };
                let other = table.integers.is_none() && table.hashes[row] != probe.hashes[probe.row];
                if other || skip_matched && self.join.inner_matched[row] {
                    continue;
                }
                let mut same = true;
                let keys = match table.integers {
                    Some(_) => &[][..],
                    None => &self.node.keys[..],
                };
                for ((key, o), i) in keys.iter().zip(&probe.keys).zip(&table.keys) {
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
        Ok(probe.row >= probe.selection.len())
    }
}

impl Operator for HashJoinOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        loop {
            cx.check()?;
            if self.table.is_none() && !self.next_table(cx)? {
                return Ok(None);
            }
            let inner = match &self.table {
                Some(t) => t.columns.clone(),
                None => return Err(internal!("hash join lost its table")),
            };
            if let Some(from) = self.unmatched_from {
                if !self.node.shape.keeps_inner() || from >= self.join.inner_matched.len() {
                    // A single table is kept: the join may be run again.
                    if self.tasks.is_empty() || !self.next_table(cx)? {
                        return Ok(None);
                    }
                    continue;
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
        // The table of a part is of no use for the whole.
        let partial = self.summary.batches > 1;
        if self.built_at != 0 && (partial || cx.run.changed_since(&self.node.inner.deps, self.built_at)) {
            self.table = None;
            self.built_at = 0;
            self.tasks.clear();
            self.summary = HashSummary::default();
            self.inner.rescan(cx)?;
        }
        self.outer_file = None;
        self.outer.rescan(cx)
    }
}
