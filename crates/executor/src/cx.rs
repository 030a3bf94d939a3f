//! What operators and expressions of one run share.

use std::sync::Arc;

use common::{PgResult, internal, pg_err};
use expr::{FnParts, Runtime};
use functions::{CallInfo, FnCache, FnContext};
use types::{BATCH_ROWS, Datum, Rows};

use crate::context::ExecContext;
use crate::instrument::NodeStats;
use crate::node::{Opening, Operator};
use crate::parallel::Team;
use crate::parallel::partial::PartialHub;
use crate::prepared::PreparedPlan;
use crate::remembered::{self, Remembered};
use crate::spill::store::TupleStore;

/// Passed down every call: the session's part and the run's own.
pub(crate) struct Cx<'a> {
    pub ext: &'a ExecContext<'a>,
    pub run: &'a mut RunState,
}

/// The state of a run outside its operator tree.
pub(crate) struct RunState {
    pub prepared: Arc<PreparedPlan>,
    /// Executor parameters.
    params: Vec<Datum>,
    /// When each was last changed.
    changed: Vec<u64>,
    clock: u64,
    subplans: Vec<SubplanRun>,
    /// Work tables of recursive unions, by parameter slot.
    pub work_tables: Vec<(usize, Arc<Vec<types::Batch>>)>,
    pub opening: Opening,
    pub stats: Vec<NodeStats>,
    /// Rows that conditions of the node now running have dropped.
    pub dropped: u64,
    /// Rows inserted, updated or deleted by the statement itself.
    pub processed: u64,
    /// The team in whose name operators run now.
    pub team: Option<Arc<Team>>,
    /// Partial aggregates on their way.
    pub partials: PartialHub,
}

/// What a worker's run begins with: the leader's parameters and results of initplans.
pub(crate) struct RunSeed {
    prepared: Arc<PreparedPlan>,
    params: Vec<Datum>,
    changed: Vec<u64>,
    clock: u64,
    rows: Vec<Option<SubplanRows>>,
    work_tables: Vec<(usize, Arc<Vec<types::Batch>>)>,
    partials: PartialHub,
}

/// Rows of the last run of a subplan, how many were asked for, and when.
type SubplanRows = (Arc<Rows>, usize, u64);

/// A subplan: its operators while it is in use, and what it gave last.
#[derive(Default)]
struct SubplanRun {
    operator: Option<Box<dyn Operator>>,
    rows: Option<SubplanRows>,
    /// What it gave before, by its parameters.
    remembered: Remembered,
    /// A CTE's rows so far.
    cte: CteRun,
    running: bool,
}

#[derive(Default)]
struct CteRun {
    rows: TupleStore,
    done: bool,
    /// When it was started; 0: not yet.
    started: u64,
}

impl RunState {
    pub fn new(prepared: Arc<PreparedPlan>, opening: Opening) -> RunState {
        let plan = prepared.plan();
        let slots = plan.exec_params;
        let mut subplans = Vec::new();
        subplans.resize_with(plan.subplans.len(), SubplanRun::default);
        let nodes = if opening.instrument {
            prepared.node_count()
        } else {
            0
        };
        RunState {
            params: vec![Datum::Null; slots],
            changed: vec![0; slots],
            clock: 1,
            subplans,
            work_tables: Vec::new(),
            opening,
            stats: vec![NodeStats::default(); nodes],
            dropped: 0,
            processed: 0,
            team: None,
            partials: PartialHub::default(),
            prepared,
        }
    }

    /// The state of a worker's run. `opening` is that of its part of the plan; subplans are opened as usual.
    pub fn of_worker(seed: &RunSeed, opening: Opening) -> RunState {
        let team = opening.team.clone();
        let opening = Opening {
            team: None,
            ..opening
        };
        let mut run = RunState::new(Arc::clone(&seed.prepared), opening);
        run.params.clone_from(&seed.params);
        run.changed.clone_from(&seed.changed);
        run.clock = seed.clock;
        for (subplan, rows) in run.subplans.iter_mut().zip(&seed.rows) {
            subplan.rows.clone_from(rows);
        }
        run.work_tables.clone_from(&seed.work_tables);
        run.team = team;
        run.partials = seed.partials.clone();
        run
    }

    /// What workers begin with.
    pub fn seed(&self) -> RunSeed {
        RunSeed {
            prepared: Arc::clone(&self.prepared),
            params: self.params.clone(),
            changed: self.changed.clone(),
            clock: self.clock,
            rows: self.subplans.iter().map(|s| s.rows.clone()).collect(),
            work_tables: self.work_tables.clone(),
            partials: self.partials.clone(),
        }
    }

    /// Sets an executor parameter.
    pub fn set_param(&mut self, slot: usize, value: Datum) {
        let Some(old) = self.params.get_mut(slot) else {
            return;
        };
        if self.changed[slot] != 0 && *old == value {
            return;
        }
        *old = value;
        self.clock += 1;
        self.changed[slot] = self.clock;
    }

    /// Marks a slot (of a work table) as changed.
    pub fn touch(&mut self, slot: usize) {
        self.clock += 1;
        if let Some(changed) = self.changed.get_mut(slot) {
            *changed = self.clock;
        }
    }

    /// Now, for [`RunState::changed_since`].
    pub fn now(&self) -> u64 {
        self.clock
    }

    /// True when one of the parameters was set after `then`.
    pub fn changed_since(&self, deps: &[usize], then: u64) -> bool {
        deps.iter()
            .any(|&slot| self.changed.get(slot).is_some_and(|&at| at > then))
    }
}

impl<'a> Cx<'a> {
    /// The surroundings of a function call.
    #[inline]
    pub fn fn_context<'c>(&self, call: &'c CallInfo, cache: &'c mut FnCache) -> FnContext<'c>
    where
        'a: 'c,
    {
        FnContext {
            call,
            settings: self.ext.settings,
            cancel: self.ext.cancel,
            session: self.ext.session,
            cache,
        }
    }

    /// Polled once per batch.
    #[inline]
    pub fn check(&self) -> PgResult<()> {
        if let Some(team) = &self.run.team {
            team.check()?;
        }
        self.ext.cancel.check()
    }

    /// The `index`-th batch of a CTE, computed on demand.
    pub fn cte_batch(
        &mut self,
        plan_id: usize,
        index: usize,
        demand: usize,
    ) -> PgResult<Option<types::Batch>> {
        let prepared = Arc::clone(&self.run.prepared);
        let node = prepared.subplan(plan_id)?;
        let started = self.subplan_run(plan_id)?.cte.started;
        if started == 0 || self.run.changed_since(&node.deps, started) {
            let now = self.run.now();
            let sub = self.subplan_run(plan_id)?;
            let used = started != 0;
            sub.cte = CteRun {
                started: now,
                ..CteRun::default()
            };
            if used {
                self.with_subplan(plan_id, |op, cx| op.rescan(cx))?;
            }
        }
        loop {
            let cte = &self.subplan_run(plan_id)?.cte;
            if let Some(batch) = cte.rows.get(index)? {
                return Ok(Some(batch));
            }
            if cte.done {
                return Ok(None);
            }
            let next = self.with_subplan(plan_id, |op, cx| op.next(cx, demand))?;
            let mut rows = std::mem::take(&mut self.subplan_run(plan_id)?.cte.rows);
            let done = next.is_none();
            let kept = next.map_or(Ok(()), |batch| rows.push(self, batch));
            let cte = &mut self.subplan_run(plan_id)?.cte;
            cte.rows = rows;
            cte.done = done;
            kept?;
        }
    }

    /// Runs data-modifying WITH queries that nobody has read to the end.
    pub fn finish_ctes(&mut self) -> PgResult<()> {
        let plan = Arc::clone(self.run.prepared.plan());
        if !plan.has_modifying_cte {
            return Ok(());
        }
        for (plan_id, entry) in plan.subplans.iter().enumerate() {
            if matches!(entry.plan.node, nodes::PlanNode::ModifyTable(_)) {
                let mut index = 0;
                while self.cte_batch(plan_id, index, BATCH_ROWS)?.is_some() {
                    index += 1;
                }
            }
        }
        Ok(())
    }

    fn subplan_run(&mut self, plan_id: usize) -> PgResult<&mut SubplanRun> {
        self.run
            .subplans
            .get_mut(plan_id)
            .ok_or_else(|| internal!("no subplan {plan_id}"))
    }

    /// Runs `f` on the operators of a subplan, which are out of their place meanwhile.
    fn with_subplan<T>(
        &mut self,
        plan_id: usize,
        f: impl FnOnce(&mut dyn Operator, &mut Cx<'_>) -> PgResult<T>,
    ) -> PgResult<T> {
        let sub = self.subplan_run(plan_id)?;
        if sub.running {
            return Err(internal!("subplan {plan_id} runs inside itself"));
        }
        sub.running = true;
        let mut operator = match sub.operator.take() {
            Some(operator) => operator,
            None => {
                let prepared = Arc::clone(&self.run.prepared);
                self.run.opening.open(prepared.subplan(plan_id)?)
            }
        };
        let result = f(&mut *operator, self);
        let sub = self.subplan_run(plan_id)?;
        sub.running = false;
        sub.operator = Some(operator);
        result
    }

    /// Under which key the rows of a correlated subplan are remembered, if they are.
    fn subplan_key(&mut self, plan_id: usize, deps: &[usize], asked: usize) -> PgResult<Option<Vec<u8>>> {
        // EXPLAIN ANALYZE counts every run.
        let counted = self.run.opening.instrument;
        if deps.is_empty() || counted || !self.run.prepared.is_repeatable(plan_id) {
            return Ok(None);
        }
        if !self.subplan_run(plan_id)?.remembered.is_worth_while() {
            return Ok(None);
        }
        let values: Vec<Datum> = deps
            .iter()
            .map(|slot| self.exec_param(*slot))
            .collect::<PgResult<_>>()?;
        Ok(remembered::key(&values, asked))
    }

    fn run_subplan(&mut self, plan_id: usize, max_rows: usize) -> PgResult<Arc<Rows>> {
        let fresh = self.subplan_run(plan_id)?.operator.is_none();
        let rows = self.with_subplan(plan_id, |op, cx| {
            if !fresh {
                op.rescan(cx)?;
            }
            let mut rows = Rows::default();
            while rows.len() < max_rows {
                let Some(batch) = op.next(cx, (max_rows - rows.len()).min(BATCH_ROWS))? else {
                    break;
                };
                for k in 0..batch.len() {
                    rows.push(batch.long_row(k, cx.ext.cancel)?);
                }
            }
            Ok(rows)
        })?;
        Ok(Arc::new(rows))
    }
}

impl Runtime for Cx<'_> {
    fn parts(&self) -> FnParts<'_> {
        FnParts {
            settings: self.ext.settings,
            cancel: self.ext.cancel,
            session: self.ext.session,
        }
    }

    #[inline]
    fn param(&self, number: usize) -> PgResult<Datum> {
        match number.checked_sub(1).and_then(|i| self.ext.params.get(i)) {
            Some(value) => Ok(value.clone()),
            None => Err(pg_err!(
                UNDEFINED_PARAMETER,
                "no value found for parameter {number}"
            )),
        }
    }

    #[inline]
    fn exec_param(&self, slot: usize) -> PgResult<Datum> {
        match self.run.params.get(slot) {
            Some(value) => Ok(value.clone()),
            None => Err(internal!("no executor parameter {slot}")),
        }
    }

    fn set_exec_param(&mut self, slot: usize, value: Datum) {
        self.run.set_param(slot, value);
    }

    fn subplan_rows(&mut self, plan_id: usize, max_rows: usize) -> PgResult<Arc<Rows>> {
        let prepared = Arc::clone(&self.run.prepared);
        let deps = &prepared.subplan(plan_id)?.deps;
        if let Some((rows, asked, at)) = &self.subplan_run(plan_id)?.rows {
            let (rows, asked, at) = (Arc::clone(rows), *asked, *at);
            let enough = asked >= max_rows || rows.len() < asked;
            if enough && !self.run.changed_since(deps, at) {
                return Ok(rows);
            }
        }
        let at = self.run.now();
        let key = self.subplan_key(plan_id, deps, max_rows)?;
        let known = match &key {
            Some(key) => self.subplan_run(plan_id)?.remembered.get(key),
            None => None,
        };
        let rows = match known {
            Some(rows) => rows,
            None => {
                let rows = self.run_subplan(plan_id, max_rows)?;
                if let Some(key) = key {
                    self.subplan_run(plan_id)?.remembered.put(key, &rows);
                }
                rows
            }
        };
        self.subplan_run(plan_id)?.rows = Some((Arc::clone(&rows), max_rows, at));
        Ok(rows)
    }

    fn next_value(&mut self, sequence: common::Oid) -> PgResult<i64> {
        self.ext.session.nextval(sequence)
    }
}
