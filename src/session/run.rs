//! Running portals step by step.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use catalog::CatalogView;
use common::cancel::CancelReason;
use common::{PgError, PgResult, pg_err};
use executor::{ExecContext, PreparedPlan, QueryRun, RunOptions};
use nodes::query::CommandType;
use types::{BATCH_ROWS, Batch, Datum, PhysType, Vector};

use crate::database::Inner;
use crate::session::Session;
use crate::session::block::TransactionStatus;
use crate::session::catalog::View;
use crate::session::env::StatementEnv;
use crate::session::portal::{Portal, PortalState, ResultRows, Step};
use crate::session::prepared::{Kind, Prepared};
use crate::session::shown::Doing;
use crate::session::tag::CommandTag;
use crate::session::timeout::Guard;

/// Since when the relations of a statement are locked.
enum Locked {
    /// Before the catalog was looked at: nothing has changed about them since.
    Before,
    Now,
}

/// COPY FROM STDIN while the client sends.
pub(crate) struct RunningCopyIn {
    pub copy: commands::CopyIn,
    pub prepared: Arc<Prepared>,
    /// Data that came in pieces too small to set a command up for each (many clients send a row a message).
    pub waiting: Vec<u8>,
}

/// What one call into the executor borrows of the session.
macro_rules! exec_context {
    ($self:ident, $view:expr, $snapshot:expr, $params:expr, $text:expr, $cx:ident => $body:expr) => {{
        let work = $crate::session::settings::current(&mut $self.settings, &$self.core, &$self.block);
        let format = $self.core.format_settings();
        let Some(txn) = &$self.block.txn else {
            return Err(common::internal!("statement runs outside of a transaction"));
        };
        let env = StatementEnv {
            snapshot: Some($snapshot),
            ..StatementEnv::new(&$self.core, txn, $view.clone(), $text)
        };
        let $cx = ExecContext {
            txn: Some(txn),
            snapshot: $snapshot,
            catalog: &**$view,
            relations: &$self.core.db.relations,
            params: $params,
            session: &env,
            settings: &format,
            cancel: &$self.core.cancel,
            memory: &$self.core.db.memory,
            work_mem_bytes: work.work_mem_bytes,
            hash_mem_bytes: work.hash_mem_bytes,
            temp: &work.temp_files,
            after: &$self.core.after,
            env: &*$self.core.db.env,
            workers: Some(&env),
            leader_participates: work.leader_participates,
        };
        $body
    }};
}

impl Session {
    /// A new statement arrives: its clock starts, old cancel requests are forgotten.
    pub(crate) fn statement_begins(&mut self) {
        let now = self.core.now();
        self.core.statement_start.set(now);
        self.core.cancel.reset();
        self.core.shown.begins(now);
    }

    /// The client has its answer: from now on the session waits for it.
    pub(crate) fn at_rest(&self) {
        let doing = match self.transaction_status() {
            TransactionStatus::Idle => Doing::Idle,
            TransactionStatus::InTransaction => Doing::InTransaction,
            TransactionStatus::Failed => Doing::Failed,
        };
        self.session_catalog().rest();
        self.core.show_settings();
        self.core.shown.turns(doing, self.core.db.recently());
        self.core.free_large();
    }

    /// The statement's deadline, if `statement_timeout` sets one.
    pub(crate) fn deadline(&mut self) -> Option<Guard> {
        let after = self.settings().statement_timeout?;
        let timeouts = &self.core.db.timeouts;
        Some(timeouts.start(
            after,
            &self.core.cancel,
            &self.core.proc,
            CancelReason::StatementTimeout,
        ))
    }

    /// Runs a portal until it has something to hand out; `max_rows` limits the rows of this call (0: no limit).
    pub(crate) fn portal_step(&mut self, portal: &mut Portal, max_rows: usize) -> PgResult<Step> {
        if matches!(portal.state, PortalState::Ready) {
            if let Some(step) = self.start_portal(portal)? {
                return Ok(step);
            }
        }
        let want = if max_rows == 0 {
            BATCH_ROWS
        } else {
            max_rows.min(BATCH_ROWS)
        };
        match &mut portal.state {
            PortalState::Ready => Err(common::internal!("portal did not start")),
            PortalState::Done(tag) => Ok(Step::Complete(tag.clone())),
            PortalState::Rows { batches, tag } => match batches.pop_front() {
                Some(batch) => {
                    let (now, later) = split(batch, want);
                    if let Some(later) = later {
                        batches.push_front(later);
                    }
                    portal.delivered += now.len() as u64;
                    Ok(Step::Rows(ResultRows::Batch(now)))
                }
                None => {
                    let tag = std::mem::take(tag);
                    portal.state = PortalState::Done(tag.clone());
                    Ok(Step::Complete(tag))
                }
            },
            PortalState::Running(_) => self.run_batch(portal, want),
            PortalState::CopyOut(_) => self.copy_out_step(portal),
        }
    }

    /// First call: plans and starts. Some statements are finished by that.
    pub(crate) fn start_portal(&mut self, portal: &mut Portal) -> PgResult<Option<Step>> {
        self.core.cancel.check()?;
        match &portal.prepared.kind {
            Kind::Empty => {
                portal.state = PortalState::Done(CommandTag::default());
                Ok(Some(Step::Empty))
            }
            Kind::Utility => self.start_utility(portal),
            Kind::Query(_) => self.start_query(portal),
        }
    }

    fn start_query(&mut self, portal: &mut Portal) -> PgResult<Option<Step>> {
        if let Some(stmt) = &portal.prepared.stmt {
            self.refuse_if_failed(stmt)?;
        }
        self.ensure_transaction()?;
        self.block.used = true;
        let (view, plan) = self.locked_plan(portal)?;
        let Some(txn) = &self.block.txn else {
            return Err(common::internal!("no transaction"));
        };
        let snapshot = txn.borrow_mut().snapshot()?;
        if plan.is_point() {
            let mut row = Vec::new();
            let outcome = exec_context!(self, &view, &snapshot, &portal.params, portal.text(), cx => {
                let _under_way = self.core.under_way(&plan);
                plan.run_point(&cx, &mut row)?
            });
            if let Some(outcome) = outcome {
                self.after_write(&plan)?;
                portal.plan = Some(plan);
                return Ok(Some(Self::point_result(portal, outcome, row)));
            }
        }
        portal.plan = Some(plan.clone());
        portal.snapshot = Some(snapshot);
        portal.view = Some(view);
        portal.state = PortalState::Running(Box::new(QueryRun::start(plan, RunOptions::default())));
        Ok(None)
    }

    /// The plan, with its relations locked and nothing about them changed since it was made: who waited for the end of a definition
    /// looks again.
    fn locked_plan(&mut self, portal: &mut Portal) -> PgResult<(Arc<View>, Arc<PreparedPlan>)> {
        loop {
            let view = self.current_view()?;
            match self.plan_under(portal, &view) {
                Ok((plan, Locked::Before)) => return Ok((view, plan)),
                Ok((plan, Locked::Now)) if self.session_catalog().version() == view.version() => {
                    return Ok((view, plan));
                }
                Err(error) if !self.has_moved(&view, &error) => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
    }

    fn plan_under(&mut self, portal: &mut Portal, view: &Arc<View>) -> PgResult<(Arc<PreparedPlan>, Locked)> {
        if !self.is_current(&portal.prepared, view.version()) {
            portal.prepared = self.revalidate(&portal.prepared, view)?;
        }
        let plan = self.plan_for(&portal.prepared, view, &portal.params)?;
        self.check_access(&plan, view)?;
        let Some(txn) = &self.block.txn else {
            return Ok((plan, Locked::Now));
        };
        if txn.borrow().has_locked_for(plan.number()) {
            return Ok((plan, Locked::Before));
        }
        self.lock_range_table(
            &plan.plan().range_table,
            plan.plan().command != CommandType::Select || plan.plan().has_modifying_cte,
        )?;
        txn.borrow_mut().note_locked_for(plan.number());
        Ok((plan, Locked::Now))
    }

    /// True when a failure may be due to a definition that has changed since the view was made: descriptors are loaded when they are asked
    /// for, so an index that the table's still names may be gone. A definition that others see already is a new version moments later.
    fn has_moved(&self, view: &View, error: &PgError) -> bool {
        use common::sqlstate::{INTERNAL_ERROR, UNDEFINED_TABLE};
        if ![INTERNAL_ERROR, UNDEFINED_TABLE].contains(&error.sqlstate) {
            return false;
        }
        for _ in 0..3 {
            if self.session_catalog().version() != view.version() {
                return true;
            }
            self.core.db.env.sleep(Duration::from_millis(1));
        }
        false
    }

    /// The result of the short path: at most one row.
    fn point_result(portal: &mut Portal, outcome: executor::PointOutcome, row: Vec<Datum>) -> Step {
        let tag = portal.prepared.tag(outcome.processed);
        if outcome.rows == 0 {
            portal.state = PortalState::Done(tag.clone());
            return Step::Complete(tag);
        }
        portal.delivered = 1;
        portal.state = PortalState::Done(tag);
        Step::Rows(ResultRows::Single(row))
    }

    fn run_batch(&mut self, portal: &mut Portal, want: usize) -> PgResult<Step> {
        let prepared = portal.prepared.clone();
        let text = portal.text.clone().unwrap_or_else(|| prepared.source.clone());
        let (Some(snapshot), Some(view)) = (portal.snapshot.clone(), portal.view.clone()) else {
            return Err(common::internal!("running portal without snapshot or catalog"));
        };
        let PortalState::Running(run) = &mut portal.state else {
            return Err(common::internal!("portal is not running"));
        };
        let batch = exec_context!(self, &view, &snapshot, &portal.params, &text, cx => {
            let _under_way = self.core.under_way(run.prepared());
            run.next_batch(&cx, want)?
        });
        match batch {
            Some(batch)
                if run.prepared().plan().command != CommandType::Select
                    || run.prepared().plan().has_modifying_cte =>
            {
                self.finish_change(portal, batch, want)
            }
            Some(batch) => {
                portal.delivered += batch.len() as u64;
                Ok(Step::Rows(ResultRows::Batch(batch)))
            }
            None => {
                let plan = run.prepared().clone();
                let tag = prepared.tag(run.processed());
                self.after_write(&plan)?;
                portal.state = PortalState::Done(tag.clone());
                portal.snapshot = None;
                portal.view = None;
                Ok(Step::Complete(tag))
            }
        }
    }

    /// A command that changes something runs to its end before anybody sees its first row: whoever stops reading, or drops the
    /// portal, does not stop the change.
    fn finish_change(&mut self, portal: &mut Portal, first: Batch, want: usize) -> PgResult<Step> {
        let prepared = portal.prepared.clone();
        let text = portal.text.clone().unwrap_or_else(|| prepared.source.clone());
        let (Some(snapshot), Some(view)) = (portal.snapshot.take(), portal.view.take()) else {
            return Err(common::internal!("running portal without snapshot or catalog"));
        };
        let PortalState::Running(run) = &mut portal.state else {
            return Err(common::internal!("portal is not running"));
        };
        let mut batches = VecDeque::from([first]);
        exec_context!(self, &view, &snapshot, &portal.params, &text, cx => {
            let _under_way = self.core.under_way(run.prepared());
            while let Some(batch) = run.next_batch(&cx, BATCH_ROWS)? {
                batches.push_back(batch);
            }
        });
        let plan = run.prepared().clone();
        let tag = prepared.tag(run.processed());
        self.after_write(&plan)?;
        portal.state = PortalState::Rows { batches, tag };
        self.portal_step(portal, want)
    }

    /// Later commands of the transaction see what this one wrote.
    fn after_write(&mut self, plan: &PreparedPlan) -> PgResult<()> {
        self.act_for_routines()?;
        let p = plan.plan();
        if p.command == CommandType::Select && !p.has_modifying_cte {
            return Ok(());
        }
        match &self.block.txn {
            Some(txn) => txn.borrow_mut().next_command(),
            None => Ok(()),
        }
    }

    /// Privileges on everything the plan reads or writes, and READ ONLY.
    fn check_access(&self, plan: &PreparedPlan, view: &Arc<View>) -> PgResult<()> {
        let p = plan.plan();
        if self.block.read_only {
            let what = match p.command {
                CommandType::Insert => "INSERT",
                CommandType::Update => "UPDATE",
                CommandType::Delete => "DELETE",
                CommandType::Merge => "MERGE",
                CommandType::Select if p.has_modifying_cte => "INSERT",
                CommandType::Select => "",
            };
            if !what.is_empty() && !self.writes_only_temporary(plan, view)? {
                return Err(pg_err!(
                    READ_ONLY_SQL_TRANSACTION,
                    "cannot execute {what} in a read-only transaction"
                ));
            }
        }
        let user = self.core.user.get();
        if user == common::Oid(10) {
            return Ok(());
        }
        crate::session::command::check_permissions(&p.range_table, view, user)
    }

    fn writes_only_temporary(&self, plan: &PreparedPlan, view: &Arc<View>) -> PgResult<bool> {
        use catalog::CatalogView;
        use nodes::query::RteKind;
        for rte in &plan.plan().range_table {
            let writes = rte.permissions.insert || rte.permissions.update || rte.permissions.delete;
            if let (RteKind::Relation { relation, .. }, true) = (&rte.kind, writes) {
                if view.relation(*relation)?.is_none_or(|d| d.persistence != b't') {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// The checks of deferred constraints, at commit.
    pub(crate) fn run_deferred(&mut self) -> PgResult<()> {
        if !self.core.after.has_deferred() || self.block.txn.is_none() {
            return Ok(());
        }
        let view = self.current_view()?;
        let Some(txn) = &self.block.txn else { return Ok(()) };
        let snapshot = txn.borrow().latest_snapshot()?;
        exec_context!(self, &view, &snapshot, &[], "", cx => {
            executor::fire_deferred(&cx, None)
        })
    }

    /// Locks what an analyzed query reads and writes, so that its names stay what they are.
    pub(crate) fn lock_query(&self, query: &nodes::query::Query) -> PgResult<()> {
        use nodes::query::RteKind;
        self.lock_range_table(&query.range_table, query.command != CommandType::Select)?;
        for cte in &query.ctes {
            self.lock_query(&cte.query)?;
        }
        for rte in &query.range_table {
            if let RteKind::Subquery { query, .. } = &rte.kind {
                self.lock_query(query)?;
            }
        }
        Ok(())
    }

    fn lock_range_table(&self, range_table: &[nodes::query::RangeTblEntry], writes: bool) -> PgResult<()> {
        match &self.block.txn {
            Some(txn) => lock_range_table(&self.core.db, txn, range_table, writes),
            None => Ok(()),
        }
    }
}
/// AccessShare for what is read, RowShare for what is locked, RowExclusive for what is written.
pub(crate) fn lock_range_table(
    db: &Inner,
    txn: &RefCell<access::Transaction>,
    range_table: &[nodes::query::RangeTblEntry],
    writes: bool,
) -> PgResult<()> {
    use nodes::query::RteKind;
    use txn::{LockDuration, LockMode, LockTag};
    let database = db.database_oid;
    for rte in range_table {
        let (RteKind::Relation { relation, .. }
        | RteKind::Subquery {
            view: Some(relation), ..
        }) = rte.kind
        else {
            continue;
        };
        // System catalogs change under snapshots alone; nobody takes strong locks on them.
        if relation < common::Oid::FIRST_NORMAL {
            continue;
        }
        let p = &rte.permissions;
        let mode = if writes && (p.insert || p.delete || p.update) {
            LockMode::RowExclusive
        } else if p.update {
            LockMode::RowShare
        } else {
            LockMode::AccessShare
        };
        let txn = txn.borrow();
        let below = txn.txn()?;
        below.manager().locks().lock(
            below.proc(),
            LockTag::Relation { database, relation },
            mode,
            LockDuration::Transaction,
            &txn.options().wait,
        )?;
    }
    Ok(())
}

/// The first `n` rows of a batch and the rest.
fn split(batch: Batch, n: usize) -> (Batch, Option<Batch>) {
    if batch.len() <= n {
        return (batch, None);
    }
    let positions: Vec<u16> = batch.selection.iter().map(|i| i as u16).collect();
    let part = |range: &[u16]| Batch {
        columns: batch.columns.clone(),
        rows: batch.rows,
        selection: types::Selection::Rows(range.into()),
    };
    (part(&positions[..n]), Some(part(&positions[n..])))
}

/// Rows of datums as batches.
pub(crate) fn batches_of(rows: &[Vec<Datum>], phys: &[PhysType]) -> VecDeque<Batch> {
    rows.chunks(BATCH_ROWS)
        .map(|chunk| {
            let columns = phys
                .iter()
                .enumerate()
                .map(|(c, phys)| {
                    let mut v = Vector::empty(*phys);
                    for row in chunk {
                        v.push(row.get(c).unwrap_or(&Datum::Null));
                    }
                    Arc::new(v)
                })
                .collect();
            Batch::new(columns, chunk.len())
        })
        .collect()
}
