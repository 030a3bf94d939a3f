//! HashJoin: the inner side in a hash table, probed batch by batch.
//!
//! # How it works
//! When the inner side outgrows its memory, its rows are divided by their hashes over files, the outer side's likewise, and each pair of
//! files is joined by itself, divided again if its inner side is still too large. Rows without a match stay in their part, so every kind
//! of join works part by part. Tables that participants of a Gather build together: [`super::hash_together`].

use std::sync::Arc;

use common::{PgResult, internal};
use expr::{ColumnPlace, ExprProgram, Inputs, Side};
use nodes::plan::HashClause;
use nodes::query::JoinType;
use nodes::{Expr, Plan, PlanNode};
use types::{BATCH_ROWS, Batch, Selection, Vector};

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::instrument::{HashSummary, Measured};
use crate::ints::compares_as_integer;
use crate::keys::Equality;
use crate::node::{Eval, Node, NodeKind, Opening, Operator};
use crate::ops::join::hash_table::{BuildPart, HashTable, Probe};
use crate::ops::join::{JoinShape, PairJoin, Pairs, inner_keys};
use crate::parallel::safety;
use crate::parallel::share::{Arrival, BuildShare, Files, Outcome, ReaderGuard};
use crate::spill::batches::BatchFile;
use crate::spill::partitions::{LEVEL_MAX, Partitions, Reader};

struct HashJoinNode {
    /// `Plan::id` of the Hash node.
    hash_id: u32,
    /// `Plan::id` of a join whose table participants of a Gather build together.
    shared_id: Option<u32>,
    /// Of one whose table is the same for all participants: one builds it for all.
    once_id: Option<u32>,
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
    let inner_node = c.node(build)?;
    let shape = JoinShape::compile(c, plan, join_type, inner_unique, join_qual, [outer, build])?;
    let same_for_all = !plan.parallel_aware
        && inner_node.deps.is_empty()
        && !shape.tracks_inner()
        && !is_shared(build)
        && safety::is_repeatable(c, build);
    Ok(Arc::new(HashJoinNode {
        hash_id: inner.id,
        shared_id: plan.parallel_aware.then_some(plan.id),
        once_id: same_for_all.then_some(plan.id),
        shape: Arc::new(shape),
        outer: c.node(outer)?,
        inner: inner_node,
        keys,
    }))
}

/// True where participants of a Gather divide some node's work.
fn is_shared(plan: &Plan) -> bool {
    plan.parallel_aware || plan.children().into_iter().any(is_shared)
}

impl HashJoinNode {
    /// True when the one key is an integer on both sides.
    fn by_integer(&self) -> bool {
        let [key] = &self.keys[..] else { return false };
        let sides = [&key.outer, &key.inner];
        sides
            .iter()
            .all(|side| compares_as_integer(&key.equality, &Vector::empty(side.phys())))
    }
}

impl NodeKind for HashJoinNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        let mut inner = opening.open_whole(&self.inner);
        if opening.instrument && self.hash_id != self.inner.id {
            inner = Box::new(Measured::new(self.hash_id, inner));
        }
        let share_of = |id: Option<u32>| Some(opening.team.as_ref()?.shares.build(id?));
        let share = share_of(self.shared_id);
        // EXPLAIN ANALYZE shows what each would have done.
        let once = share_of(self.once_id.filter(|_| !opening.instrument));
        Box::new(HashJoinOp {
            outer: opening.open(&self.outer),
            inner,
            join: PairJoin::new(&self.shape),
            outer_keys: self.keys.iter().map(|k| Eval::new(&k.outer)).collect(),
            inner_keys: self.keys.iter().map(|k| Eval::new(&k.inner)).collect(),
            table: None,
            share,
            once,
            probe: None,
            pairs: Pairs::default(),
            unmatched_from: None,
            built_at: 0,
            tasks: Vec::new(),
            shared_tasks: None,
            outer_file: None,
            summary: HashSummary::default(),
            by_integer: self.by_integer(),
            node: self,
        })
    }
}

pub(super) struct HashJoinOp {
    node: Arc<HashJoinNode>,
    pub(super) outer: Box<dyn Operator>,
    pub(super) inner: Box<dyn Operator>,
    join: PairJoin,
    outer_keys: Vec<Eval>,
    inner_keys: Vec<Eval>,
    table: Option<Arc<HashTable>>,
    /// The table is built together with others.
    share: Option<Arc<BuildShare>>,
    /// The table is built by one for all.
    once: Option<Arc<BuildShare>>,
    probe: Option<Probe>,
    pairs: Pairs,
    /// Set when the outer side has ended: where unmatched inner rows go on.
    unmatched_from: Option<usize>,
    built_at: u64,
    /// Parts in files that wait their turn.
    tasks: Vec<Task>,
    /// Parts in files that participants take one by one.
    pub(super) shared_tasks: Option<Arc<BuildShare>>,
    /// Where outer rows come from while a part is joined.
    outer_file: Option<Reader>,
    pub(super) summary: HashSummary,
    /// There is one key, an integer: the table needs no hashes.
    by_integer: bool,
}

/// The two sides of a part in files; a side without rows has none.
struct Task {
    inner: Vec<BatchFile>,
    outer: Vec<BatchFile>,
    /// How often it was divided already.
    level: u32,
}

/// Inner rows read so far: to be in one table, or divided over files.
pub(super) struct InnerRows {
    pub part: BuildPart,
    pub divided: Option<Partitions>,
    level: u32,
}

/// What building the table came to.
enum Built {
    Table(HashTable),
    /// It was too large: the inner rows by part.
    Divided(Vec<Option<BatchFile>>),
}

/// What came of a table that one participant was to build for all.
enum Once {
    Table,
    /// It was too large, and this participant has divided both sides over files.
    Divided,
    /// It was too large for another: each builds its own.
    Apart,
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
    /// Keys of an inner batch and their hashes; none where the table needs none.
    pub(super) fn inner_hashes(
        &mut self,
        cx: &mut Cx<'_>,
        batch: &Batch,
        wanted: bool,
    ) -> PgResult<(Vec<Arc<Vector>>, Vec<u64>)> {
        let keys = inner_keys(&mut self.inner_keys, cx, batch)?;
        let hashes = match wanted {
            true => hash_keys(cx, &self.node, &keys, &batch.selection, 1)?,
            false => Vec::new(),
        };
        Ok((keys, hashes))
    }

    pub(super) fn no_inner_rows(&self, level: u32) -> InnerRows {
        let key_phys: Vec<_> = self.inner_keys.iter().map(|k| k.program.phys()).collect();
        InnerRows {
            level,
            part: BuildPart::new(&self.node.inner.phys, &key_phys),
            divided: None,
        }
    }

    /// Adds an inner batch to rows that are to be in one table; the bytes they take.
    fn add_inner(&mut self, cx: &mut Cx<'_>, batch: &Batch, part: &mut BuildPart) -> PgResult<usize> {
        let (keys, hashes) = self.inner_hashes(cx, batch, !self.by_integer)?;
        part.hashes.extend(hashes);
        part.columns.append_batch(cx, batch)?;
        part.keys.append(cx, &keys, &batch.selection)?;
        let bytes = part.memory_bytes();
        self.summary.memory = self.summary.memory.max(bytes as u64);
        Ok(bytes)
    }

    /// Adds an inner batch to those read so far, which are divided when `outgrown` says so of the bytes they take.
    pub(super) fn take_inner(
        &mut self,
        cx: &mut Cx<'_>,
        batch: &Batch,
        rows: &mut InnerRows,
        outgrown: impl FnOnce(usize) -> bool,
    ) -> PgResult<()> {
        cx.check()?;
        if let Some(parts) = &mut rows.divided {
            let (_, hashes) = self.inner_hashes(cx, batch, true)?;
            return parts.add(cx, &batch.columns, &batch.selection, &hashes);
        }
        let bytes = self.add_inner(cx, batch, &mut rows.part)?;
        if outgrown(bytes) && cx.ext.temp.may_spill() {
            rows.divided = Some(self.divide_inner(cx, &mut rows.part, rows.level)?);
        }
        Ok(())
    }

    /// Reads the inner side (of a part) into a table, or divides it over files.
    fn build(&mut self, cx: &mut Cx<'_>, mut source: Option<Reader>, level: u32) -> PgResult<Built> {
        let mut rows = self.no_inner_rows(level);
        let bytes_max = cx.ext.hash_mem_bytes;
        loop {
            let batch = match &mut source {
                Some(reader) => reader.next()?,
                None => self.inner.next(cx, BATCH_ROWS)?,
            };
            let Some(batch) = batch else { break };
            self.take_inner(cx, &batch, &mut rows, |bytes| {
                bytes > bytes_max && level < LEVEL_MAX
            })?;
        }
        match rows.divided {
            Some(parts) => Ok(Built::Divided(parts.finish(cx)?)),
            None => self.table(cx, rows.part).map(Built::Table),
        }
    }

    /// Moves the rows read so far to files.
    pub(super) fn divide_inner(&self, cx: &Cx<'_>, part: &mut BuildPart, level: u32) -> PgResult<Partitions> {
        let mut parts = Partitions::new(&self.node.inner.phys, level);
        let (columns, rows) = part.columns.drain_columns();
        let (keys, _) = part.keys.drain_columns();
        let hashes = match self.by_integer {
            true => hash_keys(cx, &self.node, &keys, &Selection::All(rows), 1)?,
            false => std::mem::take(&mut part.hashes),
        };
        parts.add_all(cx, &columns, rows, &hashes)?;
        part.columns.release();
        part.keys.release();
        Ok(parts)
    }

    /// The first participant builds the table for all.
    fn build_once(&mut self, cx: &mut Cx<'_>, share: &Arc<BuildShare>) -> PgResult<Once> {
        let table = match share.arrive_alone() {
            Arrival::Read => {
                let mut reader = ReaderGuard::new(share);
                match self.build(cx, None, 0)? {
                    Built::Table(table) => {
                        let table = Arc::new(table);
                        reader.publish(Arc::clone(&table));
                        table
                    }
                    Built::Divided(parts) => {
                        reader.give_up();
                        self.divide_outer(cx, parts, None, 0)?;
                        return Ok(Once::Divided);
                    }
                }
            }
            Arrival::Wait => {
                let Some(team) = cx.run.team.clone() else {
                    return Err(internal!("shared hash table without a team"));
                };
                let Outcome::Table(table) = share.wait(&team)? else {
                    return Ok(Once::Apart);
                };
                table
            }
        };
        self.use_table(cx, table);
        Ok(Once::Table)
    }

    /// Goes on with a table in common.
    pub(super) fn use_table(&mut self, cx: &mut Cx<'_>, table: Arc<HashTable>) {
        self.summary.buckets = self.summary.buckets.max(table.buckets());
        self.table = Some(table);
        self.note(cx);
    }

    pub(super) fn table(&mut self, cx: &Cx<'_>, rows: BuildPart) -> PgResult<HashTable> {
        let table = HashTable::new(cx, rows, self.by_integer)?;
        if self.node.shape.tracks_inner() {
            self.join.inner_matched = vec![false; table.rows];
        }
        self.summary.buckets = self.summary.buckets.max(table.buckets());
        Ok(table)
    }

    /// The next table to probe; false when there is none.
    fn next_table(&mut self, cx: &mut Cx<'_>) -> PgResult<bool> {
        let first = self.built_at == 0;
        let found = self.find_table(cx)?;
        if first {
            self.narrow_outer();
        }
        Ok(found)
    }

    /// Tells the outer side which keys there are, if all are in one table: it has not been asked for rows yet.
    fn narrow_outer(&mut self) {
        let [key] = &self.outer_keys[..] else { return };
        let Some(ColumnPlace {
            side: Side::Outer,
            index: column,
        }) = key.program.as_column()
        else {
            return;
        };
        if !self.by_integer || self.node.shape.keeps_outer() {
            return;
        }
        let whole = self.outer_file.is_none() && self.tasks.is_empty();
        let range = self
            .table
            .as_ref()
            .filter(|_| whole)
            .and_then(|table| table.range);
        self.outer.narrow(column, range);
    }

    fn find_table(&mut self, cx: &mut Cx<'_>) -> PgResult<bool> {
        self.probe = None;
        self.unmatched_from = None;
        self.table = None;
        loop {
            // The first time the sides themselves, later their parts.
            let (inner, outer, level) = if self.built_at == 0 {
                self.built_at = cx.run.now().max(1);
                self.summary.batches = 1;
                if let Some(share) = self.share.clone() {
                    if self.build_together(cx, &share)? {
                        return Ok(true);
                    }
                    continue;
                }
                if let Some(share) = self.once.take() {
                    match self.build_once(cx, &share)? {
                        Once::Table => return Ok(true),
                        Once::Divided => continue,
                        Once::Apart => {}
                    }
                }
                (None, None, 0)
            } else {
                let Some(task) = self.next_task() else {
                    return Ok(false);
                };
                let (has_inner, has_outer) = (!task.inner.is_empty(), !task.outer.is_empty());
                let shape = &self.node.shape;
                let keeps = shape.keeps_inner() && has_inner || shape.keeps_outer() && has_outer;
                if !(keeps || has_inner && has_outer) {
                    continue;
                }
                let [inner, outer] = [task.inner, task.outer].map(|files| Some(Reader::of(files)));
                (inner, outer, task.level)
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
        let outer = self.outer_parts(cx, &mut part, level)?;
        for (inner, outer) in inner.into_iter().zip(outer) {
            let [inner, outer] = [inner, outer].map(Vec::from_iter);
            self.summary.disk += inner.iter().chain(&outer).map(BatchFile::bytes).sum::<u64>();
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

    /// The outer side (of a part) by part.
    pub(super) fn outer_parts(
        &mut self,
        cx: &mut Cx<'_>,
        part: &mut Option<Reader>,
        level: u32,
    ) -> PgResult<Files> {
        let mut parts = Partitions::new(&self.node.outer.phys, level);
        loop {
            let batch = match part {
                Some(reader) => reader.next()?,
                None => self.outer.next(cx, BATCH_ROWS)?,
            };
            let Some(batch) = batch else { break };
            cx.check()?;
            let (_, hashes) = self.outer_hashes(cx, &batch)?;
            parts.add(cx, &batch.columns, &batch.selection, &hashes)?;
        }
        parts.finish(cx)
    }

    /// The next part, one's own before those that all share.
    fn next_task(&mut self) -> Option<Task> {
        self.tasks.pop().or_else(|| {
            let [inner, outer] = self.shared_tasks.as_ref()?.next_task()?;
            Some(Task {
                inner,
                outer,
                level: 1,
            })
        })
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
        let (Some(batch), Some(table)) = (batch, self.table.clone()) else {
            return Ok(false);
        };
        let (keys, hashes) = match table.by_integer() {
            true => (self.outer_values(cx, &batch)?, Vec::new()),
            false => self.outer_hashes(cx, &batch)?,
        };
        self.join.set_outer(&batch);
        self.probe = Some(table.probe(keys, hashes, batch.selection)?);
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
        let one_each = table.by_integer() && (first_only || table.unique);
        if one_each && !skip_matched && probe.row == 0 && probe.selection.len() <= limit {
            probe.collect_first(&mut self.pairs, !shape.is_plain());
            return Ok(true);
        }
        while probe.row < probe.selection.len() {
            let position = probe.selection.position(probe.row);
            if !probe.started {
                probe.started = true;
                probe.candidate = probe.firsts[probe.row];
            }
            while probe.candidate != 0 {
                let row = probe.candidate as usize / 2 - 1;
                probe.candidate = match probe.candidate & 1 {
                    1 => table.after(row),
                    _ => 0,
                };
                if !table.by_integer() && table.hashes[row] != probe.hashes[probe.row]
                    || skip_matched && self.join.inner_matched[row]
                {
                    continue;
                }
                let mut same = true;
                let keys = match table.by_integer() {
                    true => &[][..],
                    false => &self.node.keys[..],
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
                    if self.tasks.is_empty() && self.shared_tasks.is_none() || !self.next_table(cx)? {
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
            let out = match self.node.shape.is_plain() {
                true => self.join.plain_round(cx, &inner, &pairs)?,
                false => self.join.round(cx, &inner, &pairs)?,
            };
            self.pairs = pairs;
            if used_up {
                self.probe = None;
            }
            if out.is_some() {
                return Ok(out);
            }
        }
    }

    fn will_drain(&mut self) {
        self.outer.will_drain();
    }

    fn narrow(&mut self, column: usize, range: Option<(i64, i64)>) {
        let harmless = self.node.keys.iter().all(|key| key.outer.is_harmless());
        if let Some(column) = self.join.outer_column(column).filter(|_| harmless) {
            self.outer.narrow(column, range);
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
