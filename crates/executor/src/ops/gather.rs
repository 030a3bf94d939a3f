//! Gather and Gather Merge: the input run by several participants at once.
//!
//! See [`crate::parallel`].

use std::sync::Arc;

use common::PgResult;
use nodes::Plan;
use nodes::plan::SortKey;
use types::{BATCH_ROWS, Batch, PhysType};

use crate::compile::Compiler;
use crate::cx::Cx;
use crate::keys::{Order, compare_rows};
use crate::node::{Node, NodeKind, Opening, Operator, Rest};
use crate::ops::sort;
use crate::parallel::worker::Assignment;
use crate::parallel::{Found, Team, safety};
use crate::store::RowStore;

struct GatherNode {
    /// `Plan::id`.
    id: u32,
    input: Node,
    /// Workers planned; 0 where the input asks for something that only the leader can do.
    workers: usize,
    /// One worker does everything, the leader nothing.
    single_copy: bool,
    /// Initplans whose results the input reads, and how many of their rows: computed before workers start.
    init_plans: Vec<(usize, usize)>,
    /// Order to keep; empty: any.
    orders: Vec<Order>,
    phys: Vec<PhysType>,
}

pub(crate) fn compile(
    c: &Compiler<'_>,
    plan: &Plan,
    input: &Plan,
    (workers, single_copy): (usize, bool),
    keys: &[SortKey],
) -> PgResult<Arc<dyn NodeKind>> {
    let needs = safety::Needs::of(c, input);
    Ok(Arc::new(GatherNode {
        id: plan.id,
        input: c.node(input)?,
        workers: if needs.leader_only { 0 } else { workers },
        single_copy,
        init_plans: needs.init_plans,
        orders: sort::orders(c, input, keys)?,
        phys: c.output_phys(input)?,
    }))
}

impl NodeKind for GatherNode {
    fn open(self: Arc<Self>, opening: &Opening) -> Box<dyn Operator> {
        if opening.epq.is_some() {
            return opening.open(&self.input);
        }
        Box::new(GatherOp {
            opening: opening.clone(),
            crew: None,
            rest: Rest::default(),
            bound: None,
            drained: false,
            done: false,
            node: self,
        })
    }
}

/// A running team with what the leader reads of it.
struct Crew {
    team: Arc<Team>,
    /// The leader's own part, while it has rows.
    local: Option<Box<dyn Operator>>,
    /// Gather Merge: the next row of each worker, and of the leader as the last.
    sources: Vec<Source>,
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.team.disband();
    }
}

#[derive(Default)]
struct Source {
    batch: Option<Batch>,
    row: usize,
    ended: bool,
}

struct GatherOp {
    node: Arc<GatherNode>,
    opening: Opening,
    crew: Option<Crew>,
    rest: Rest,
    bound: Option<usize>,
    /// All rows will be asked for.
    drained: bool,
    done: bool,
}

impl GatherOp {
    fn start(&self, cx: &mut Cx<'_>) -> PgResult<Crew> {
        let node = &self.node;
        for (plan_id, rows) in &node.init_plans {
            expr::Runtime::subplan_rows(cx, *plan_id, *rows)?;
        }
        let team = Team::new();
        let opening = Opening {
            team: Some(Arc::clone(&team)),
            ..self.opening.clone()
        };
        let assignment = Arc::new(Assignment {
            team: Arc::clone(&team),
            node: node.input.clone(),
            opening: opening.clone(),
            bound: self.bound,
            drained: self.drained,
            seed: cx.run.seed(),
        });
        let workers = assignment.start(cx.ext, node.workers);
        if let Some(stats) = cx.run.stats.get_mut(node.id as usize) {
            stats.workers = Some(workers as u64);
        }
        // The crew first: whatever fails from here on, its end waits for the workers.
        let mut crew = Crew {
            team,
            local: None,
            sources: Vec::new(),
        };
        crew.sources.resize_with(workers + 1, Source::default);
        let leads = cx.ext.leader_participates && !node.single_copy;
        if leads || workers == 0 {
            crew.local = Some(assignment.open());
        }
        Ok(crew)
    }

    /// A batch of the leader's own part.
    fn local_batch(crew: &mut Crew, cx: &mut Cx<'_>, demand: usize) -> PgResult<Option<Batch>> {
        let Some(local) = &mut crew.local else {
            return Ok(None);
        };
        let above = cx.run.team.replace(Arc::clone(&crew.team));
        let next = local.next(cx, demand);
        cx.run.team = above;
        match next {
            Ok(Some(batch)) => Ok(Some(batch)),
            Ok(None) => {
                crew.local = None;
                Ok(None)
            }
            // A worker's error is the reason why the leader's part stopped.
            Err(error) => Err(crew.team.reason(error)),
        }
    }

    /// Rows in any order.
    fn gather(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        let Some(crew) = &mut self.crew else {
            return Ok(None);
        };
        loop {
            cx.check()?;
            match crew.team.take()? {
                Found::Rows(batch) => {
                    self.rest.put(batch);
                    return Ok(self.rest.take(max_rows));
                }
                Found::End if crew.local.is_none() => return Ok(None),
                Found::Nothing if crew.local.is_none() => {
                    crew.team.wait(None);
                    continue;
                }
                Found::Nothing | Found::End => {}
            }
            if let Some(batch) = Self::local_batch(crew, cx, max_rows)? {
                return Ok(Some(batch));
            }
        }
    }

    /// Makes sure that a source has a current row; false at its end.
    fn fill(crew: &mut Crew, cx: &mut Cx<'_>, k: usize) -> PgResult<bool> {
        let leader = crew.sources.len() - 1;
        loop {
            let source = &mut crew.sources[k];
            if source.batch.as_ref().is_some_and(|b| source.row < b.len()) {
                return Ok(true);
            }
            if source.ended {
                return Ok(false);
            }
            cx.check()?;
            let next = if k == leader {
                Self::local_batch(crew, cx, BATCH_ROWS)?
            } else {
                match crew.team.take_of(k)? {
                    Found::Rows(batch) => Some(batch),
                    Found::End => None,
                    Found::Nothing => {
                        crew.team.wait(Some(k));
                        continue;
                    }
                }
            };
            let source = &mut crew.sources[k];
            source.ended = next.is_none();
            source.batch = next;
            source.row = 0;
        }
    }

    /// The source with the smallest row.
    fn smallest(node: &GatherNode, crew: &mut Crew, cx: &mut Cx<'_>) -> PgResult<Option<usize>> {
        let mut best: Option<usize> = None;
        // The leader's part first: workers are at work meanwhile.
        for k in (0..crew.sources.len()).rev() {
            if !Self::fill(crew, cx, k)? {
                continue;
            }
            let Some(b) = best else {
                best = Some(k);
                continue;
            };
            let (Some(x), Some(y)) = (&crew.sources[b].batch, &crew.sources[k].batch) else {
                continue;
            };
            let (i, j) = (
                x.selection.position(crew.sources[b].row),
                y.selection.position(crew.sources[k].row),
            );
            if compare_rows(cx, &node.orders, &x.columns, i, &y.columns, j)?.is_gt() {
                best = Some(k);
            }
        }
        Ok(best)
    }

    /// Rows in order.
    fn merge(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        let Some(crew) = &mut self.crew else {
            return Ok(None);
        };
        let mut out = RowStore::new(&self.node.phys);
        while out.rows < max_rows.min(BATCH_ROWS) {
            let Some(k) = Self::smallest(&self.node, crew, cx)? else {
                break;
            };
            let source = &mut crew.sources[k];
            if let Some(batch) = &source.batch {
                out.push_row(&batch.columns, batch.selection.position(source.row));
                source.row += 1;
            }
        }
        let (columns, rows) = out.drain_columns();
        Ok((rows > 0).then(|| Batch::new(columns, rows)))
    }

    /// Lets the workers go, and adds what they measured.
    fn finish(&mut self, cx: &mut Cx<'_>) {
        self.done = true;
        let Some(crew) = self.crew.take() else { return };
        crew.team.disband();
        for stats in crew.team.take_stats() {
            for (mine, theirs) in cx.run.stats.iter_mut().zip(&stats) {
                mine.add(theirs);
            }
        }
    }
}

impl Operator for GatherOp {
    fn next(&mut self, cx: &mut Cx<'_>, max_rows: usize) -> PgResult<Option<Batch>> {
        if let Some(batch) = self.rest.take(max_rows) {
            return Ok(Some(batch));
        }
        if self.done {
            return Ok(None);
        }
        if self.crew.is_none() {
            self.crew = Some(self.start(cx)?);
        }
        let next = match self.node.orders.is_empty() {
            true => self.gather(cx, max_rows)?,
            false => self.merge(cx, max_rows)?,
        };
        if next.is_none() {
            self.finish(cx);
        }
        Ok(next)
    }

    fn set_bound(&mut self, rows: Option<usize>) {
        self.bound = rows;
    }

    fn will_drain(&mut self) {
        self.drained = true;
    }

    fn rescan(&mut self, cx: &mut Cx<'_>) -> PgResult<()> {
        self.finish(cx);
        self.rest.clear();
        self.done = false;
        Ok(())
    }
}
