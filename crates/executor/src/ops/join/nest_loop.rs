//! NestLoop: for each outer row, the inner side anew, with values of the outer row as parameters.
//!
//! # How it works
//! Three ways to the inner rows, the best that the inner side offers: for one outer row after the other (`next` after `rescan`), for some of an outer
//! batch together ([`Operator::probe`]), for many batches by one scan of the inner table ([`Operator::gather`], if all rows of the join are asked for).

use std::sync::Arc;

use common::PgResult;
use expr::{ExprProgram, RowInputs};
use nodes::plan::NestLoopParam;
use nodes::query::JoinType;
use nodes::{Expr, Plan};
use types::{BATCH_ROWS, Batch, Datum, Selection, Vector};

use crate::compile::{Compiler, ParamDeps, ScanMap};
use crate::cx::Cx;
use crate::node::{Eval, Node, NodeKind, Opening, Operator};
use crate::ops::index::gather::{Gathered, Waiting};
use crate::ops::index::probe::OuterKeys;
use crate::ops::join::ahead::{Ahead, parameters};
use crate::ops::join::{JoinShape, PairJoin, Pairs};
use crate::store::RowStore;

struct NestLoopNode {
    /// `Plan::id` of a join whose inner rows are the same for all participants of a Gather.
    shared_id: Option<u32>,
    shape: Arc<JoinShape>,
    outer: Node,
    inner: Node,
    params: Vec<(usize, Arc<ExprProgram>)>,
}

pub(crate) fn compile(
    c: &Compiler<'_>,
    plan: &Plan,
    shape: (JoinType, bool, &[Expr]),
    params: &[NestLoopParam],
    [outer, inner]: [&Plan; 2],
) -> PgResult<Arc<dyn NodeKind>> {
    let (join_type, inner_unique, join_qual) = shape;
    if !matches!(
        join_type,
        JoinType::Inner | JoinType::Left | JoinType::Semi | JoinType::Anti
    ) {
        return Err(common::internal!("nested loop cannot do a {join_type:?} join"));
    }
    let same_for_all = ParamDeps::of_plan(plan, &c.plan.subplans).is_empty();
    Ok(Arc::new(NestLoopNode {
        shared_id: same_for_all.then_some(plan.id),
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
        params: params
            .iter()
            .map(|p| Ok((p.param, c.program(&p.value, ScanMap::None)?)))
            .collect::<PgResult<_>>()?,
    }))
}

impl NodeKind for NestLoopNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        let harmless = self.params.iter().all(|(_, p)| p.is_harmless());
        let share = self.shared_id.zip(opening.team.as_ref());
        let share = share.filter(|_| !opening.instrument);
        Box::new(NestLoopOp {
            outer: opening.open(&self.outer),
            inner: opening.open(&self.inner),
            join: PairJoin::new(&self.shape),
            params: self.params.iter().map(|(s, p)| (*s, Eval::new(p))).collect(),
            selection: Selection::All(0),
            row: 0,
            inner_open: false,
            inner_used: false,
            probes: harmless && !self.params.is_empty(),
            harmless,
            keys: Vec::new(),
            ahead: Ahead::new(
                &self.outer.phys,
                share.map(|(id, team)| team.shares.gathering(id)),
            ),
            drained: false,
            gathered: None,
            looked_up: (0, 0),
            measured: false,
            first: 0,
            within: 0,
            buffer: RowStore::new(&self.inner.phys),
            pairs: Pairs::default(),
            node: self,
        })
    }
}

struct NestLoopOp {
    node: Arc<NestLoopNode>,
    outer: Box<dyn Operator>,
    inner: Box<dyn Operator>,
    join: PairJoin,
    params: Vec<(usize, Eval)>,
    selection: Selection,
    /// Which row of the outer batch is under way.
    row: usize,
    /// The inner side runs for that row.
    inner_open: bool,
    /// The inner side has been read before.
    inner_used: bool,
    /// The inner side may be asked for many outer rows at once.
    probes: bool,
    /// Parameters are computed per outer batch: these are their values.
    harmless: bool,
    keys: Vec<(usize, Arc<Vector>)>,
    /// Outer rows read ahead; in use while every row of the join is asked for.
    ahead: Ahead,
    drained: bool,
    /// All inner rows of the outer rows read ahead.
    gathered: Option<Box<Gathered>>,
    /// Outer rows looked up, and what was found; that it was used.
    looked_up: (usize, usize),
    measured: bool,
    /// Which of the rows read ahead is the first of the outer batch.
    first: usize,
    /// How many gathered rows of the outer row under way are done.
    within: usize,
    /// Inner rows of the pairs of this round.
    buffer: RowStore,
    pairs: Pairs,
}

impl NestLoopOp {
    fn start_inner(&mut self, cx: &mut Cx<'_>, position: usize) -> PgResult<()> {
        for (slot, values) in &self.keys {
            cx.run.set_param(*slot, values.datum(position));
        }
        if !self.harmless {
            let outer: Vec<Datum> = self.join.outer.iter().map(|c| c.datum(position)).collect();
            let row = RowInputs {
                outer: &outer,
                ..RowInputs::default()
            };
            for (slot, value) in &mut self.params {
                let value = value.row(cx, row)?;
                cx.run.set_param(*slot, value);
            }
        }
        if std::mem::replace(&mut self.inner_used, true) {
            self.inner.rescan(cx)?;
        }
        self.inner_open = true;
        Ok(())
    }

    /// Collects a round of pairs; false when the outer side has ended and there are none.
    fn collect(&mut self, cx: &mut Cx<'_>, limit: usize) -> PgResult<bool> {
        let first_only = self.node.shape.first_match_only();
        let eager = first_only && self.node.shape.has_join_qual();
        self.pairs.clear();
        self.buffer.clear();
        loop {
            if self.row >= self.selection.len() {
                // Pairs refer to the outer batch: it must not change under them.
                if self.pairs.weight() > 0 {
                    return Ok(true);
                }
                if !self.next_outer(cx, limit)? {
                    return Ok(false);
                }
            }
            if self.gathered.is_some() {
                cx.check()?;
                self.pair_gathered(limit);
                self.filter_pairs(cx)?;
                return Ok(true);
            }
            if self.probes && self.probe(cx, limit)? {
                if self.pairs.weight() >= limit {
                    return Ok(true);
                }
                continue;
            }
            let position = self.selection.position(self.row);
            if !self.inner_open {
                cx.check()?;
                self.start_inner(cx, position)?;
            }
            let decided = first_only && self.join.outer_matched[position];
            let room = if first_only && !eager {
                1
            } else {
                limit.saturating_sub(self.pairs.weight()).max(1)
            };
            let batch = if decided { None } else { self.inner.next(cx, room)? };
            let Some(batch) = batch else {
                self.end_row(position);
                if self.pairs.weight() >= limit {
                    return Ok(true);
                }
                continue;
            };
            self.add(cx, position, &batch)?;
            if first_only && !eager {
                self.end_row(position);
            } else if eager || self.pairs.weight() >= limit {
                self.pairs.rows.push((position as u32, false));
                return Ok(true);
            }
            if self.pairs.weight() >= limit {
                return Ok(true);
            }
        }
    }

    /// Begins with the next outer batch; false when there is none.
    fn next_outer(&mut self, cx: &mut Cx<'_>, limit: usize) -> PgResult<bool> {
        self.first += self.selection.len();
        let batch = match self.drained {
            true => {
                let Some(Waiting { batch, params }) = self.next_ahead(cx)? else {
                    return Ok(false);
                };
                self.keys = params;
                batch
            }
            false => {
                let Some(batch) = self.outer.next(cx, limit.min(BATCH_ROWS))? else {
                    return Ok(false);
                };
                if self.harmless {
                    self.keys = parameters(cx, &batch, &mut self.params)?;
                }
                batch
            }
        };
        self.join.set_outer(&batch);
        self.selection = batch.selection;
        self.row = 0;
        Ok(true)
    }

    /// The next of the outer batches read ahead.
    fn next_ahead(&mut self, cx: &mut Cx<'_>) -> PgResult<Option<Waiting>> {
        let every_pair = !self.node.shape.first_match_only();
        if self.ahead.is_empty() {
            self.gathered = None;
            let sides = [&mut self.outer, &mut self.inner];
            self.gathered = self.ahead.begin(cx, sides, &mut self.params, every_pair)?;
            self.first = 0;
        } else if self.gathered.is_none() && self.looked_up.0 >= BATCH_ROWS && !self.measured {
            // Now it is known what lookups find: the planner may have expected less.
            self.measured = true;
            let rows = self.looked_up.1 as f64 / self.looked_up.0 as f64;
            self.gathered = self.ahead.gather(cx, &mut self.inner, every_pair, Some(rows))?;
            self.first = 0;
        }
        Ok(self.ahead.pop())
    }

    /// Pairs of the outer batch with rows gathered before, up to `limit`.
    fn pair_gathered(&mut self, limit: usize) {
        let Some(gathered) = &self.gathered else { return };
        let shape = &self.node.shape;
        let first_only = shape.first_match_only() && !shape.has_join_qual() && gathered.pairs.is_none();
        while self.row < self.selection.len() && self.pairs.weight() < limit {
            let position = self.selection.position(self.row) as u32;
            let rows = &gathered.rows(self.first + self.row)[self.within..];
            let room = match first_only {
                true => 1,
                false => limit - self.pairs.weight(),
            };
            let take = rows.len().min(room);
            for &inner in &rows[..take] {
                self.pairs.push(position, inner);
            }
            if take < rows.len() && !first_only {
                self.within += take;
                self.pairs.rows.push((position, false));
                return;
            }
            self.within = 0;
            self.pairs.finish_row(position);
            self.row += 1;
        }
    }

    /// Leaves the pairs that pass the inner side's conditions.
    fn filter_pairs(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        let filter = self
            .gathered
            .as_mut()
            .and_then(|gathered| gathered.pairs.as_mut());
        let Some(filter) = filter.filter(|_| !self.pairs.outer.is_empty()) else {
            return Ok(());
        };
        let kept = filter.apply(cx, &self.keys, [&self.pairs.outer, &self.pairs.inner])?;
        self.pairs.retain(&kept);
        Ok(())
    }

    /// Collects pairs for many outer rows; false when the inner side takes them one at a time.
    fn probe(&mut self, cx: &mut Cx<'_>, limit: usize) -> PgResult<bool> {
        cx.check()?;
        let keys = OuterKeys {
            params: &self.keys,
            selection: &self.selection,
            next: self.row,
            limit: limit.saturating_sub(self.pairs.weight()).clamp(1, BATCH_ROWS),
        };
        let Some(matches) = self.inner.probe(cx, &keys)? else {
            self.probes = false;
            return Ok(false);
        };
        self.looked_up.0 += matches.next - self.row;
        self.looked_up.1 += matches.outer.len();
        let mut inner = self.buffer.rows as u32;
        if let Some(batch) = &matches.batch {
            self.buffer.append_batch(cx, batch)?;
        }
        let mut owners = matches.outer.iter().peekable();
        for row in self.row..matches.next + usize::from(matches.partial) {
            let position = self.selection.position(row) as u32;
            while owners.next_if(|owner| **owner as usize == row).is_some() {
                self.pairs.push(position, inner);
                inner += 1;
            }
            match row < matches.next {
                true => self.pairs.finish_row(position),
                false => self.pairs.rows.push((position, false)),
            }
        }
        self.row = matches.next;
        Ok(true)
    }

    fn add(&mut self, cx: &Cx<'_>, position: usize, batch: &Batch) -> PgResult<()> {
        let first = self.buffer.rows;
        self.buffer.append_batch(cx, batch)?;
        for row in first..self.buffer.rows {
            self.pairs.push(position as u32, row as u32);
        }
        Ok(())
    }

    fn end_row(&mut self, position: usize) {
        self.pairs.finish_row(position as u32);
        self.inner_open = false;
        self.row += 1;
    }
}

impl Operator for NestLoopOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        loop {
            if !self.collect(cx, max_rows)? {
                return Ok(None);
            }
            let inner = match &self.gathered {
                Some(gathered) => gathered.rows.columns.clone(),
                None => self.buffer.drain_columns().0,
            };
            let pairs = std::mem::take(&mut self.pairs);
            let out = match self.node.shape.is_plain() {
                true => self.join.plain_round(cx, &inner, &pairs)?,
                false => self.join.round(cx, &inner, &pairs)?,
            };
            self.pairs = pairs;
            if out.is_some() {
                return Ok(out);
            }
        }
    }

    fn will_drain(&mut self) {
        self.drained = self.harmless && !self.params.is_empty() && self.inner.gathers();
        self.outer.will_drain();
    }

    fn rescan(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        self.ahead.restart();
        self.gathered = None;
        self.within = 0;
        self.selection = Selection::All(0);
        self.row = 0;
        self.inner_open = false;
        if self.probes {
            self.inner.rescan(cx)?;
        }
        self.outer.rescan(cx)
    }
}
