//! PL/pgSQL functions and DO: the session as the interpreter's host.
//!
//! # How it works
//! A [`PlHost`] lends a call the session: plans, snapshots, cursors, subtransactions. It looks at the catalog again only when
//! something may have changed it.
//!
//! # Not here
//! Which function is called, compiled from what: `plpgsql_functions`.
//!
//! # Invariants
//! - A volatile function's statements are commands of their own with snapshots of their own; others look under the snapshot of the
//!   statement that calls them, and may not write.
//! - COMMIT and ROLLBACK are allowed only in procedures and DO blocks that no statement with a snapshot waits for.

use std::cell::RefCell;
use std::sync::Arc;

use access::{ActiveSnapshot, Transaction};
use catalog::CatalogView;
use common::cancel::CancelToken;
use common::{Oid, PgError, PgResult, pg_err, unsupported};
use executor::{PreparedPlan, QueryRun, RunOptions};
use functions::{CallInfo, SessionContext};
use nodes::Query;
use nodes::query::CommandType;
use plpgsql::{
    Context, CursorFetch, CursorQuery, CursorRows, Host, Performed, Run, Savepoint, Stamp, Utility,
};
use types::{BATCH_ROWS, Batch, Datum, FormatSettings};

use crate::session::core::SessionCore;
use crate::session::env::StatementEnv;

/// A subtransaction of an EXCEPTION block.
struct Point {
    point: access::Savepoint,
    guc_mark: usize,
    after_mark: executor::AfterMark,
    notify_mark: usize,
    temp_namespace: Option<Oid>,
    cursors: Vec<String>,
    user: Oid,
}

/// The session, lent to one call.
pub(crate) struct PlHost<'e> {
    core: &'e SessionCore,
    txn: &'e RefCell<Transaction>,
    env: StatementEnv<'e>,
    settings: Arc<FormatSettings>,
    caller: Option<&'e ActiveSnapshot>,
    query: &'e str,
    read_only: bool,
    nonatomic: bool,
    points: Vec<Point>,
}

/// What a call may do.
#[derive(Clone, Copy, Default)]
pub(crate) struct Freedom {
    /// It sees what the calling statement sees, and may not write.
    pub read_only: bool,
    /// It may end the transaction.
    pub nonatomic: bool,
}

impl<'e> PlHost<'e> {
    pub fn new(outer: &'e StatementEnv<'_>, freedom: Freedom) -> PgResult<PlHost<'e>> {
        let core = outer.core;
        let caller = outer.snapshot.filter(|_| freedom.read_only);
        let view = match core.catalog().version() == outer.view.version() {
            true => outer.view.clone(),
            false => core.catalog().statement_view(&outer.txn.borrow())?,
        };
        if !freedom.read_only {
            outer.txn.borrow_mut().next_command()?;
        }
        Ok(PlHost {
            core,
            txn: outer.txn,
            env: StatementEnv {
                snapshot: caller,
                ..StatementEnv::new(core, outer.txn, view, outer.query)
            },
            settings: core.format_settings(),
            caller,
            query: outer.query,
            read_only: freedom.read_only,
            nonatomic: freedom.nonatomic,
            points: Vec::new(),
        })
    }

    fn refuse_writing(&self, plan: &PreparedPlan) -> PgResult<bool> {
        let plan = plan.plan();
        let word = match plan.command {
            CommandType::Select if plan.has_modifying_cte => "INSERT",
            CommandType::Select => return Ok(false),
            CommandType::Insert => "INSERT",
            CommandType::Update => "UPDATE",
            CommandType::Delete => "DELETE",
            CommandType::Merge => "MERGE",
        };
        if self.read_only {
            return Err(unsupported!("{word} is not allowed in a non-volatile function"));
        }
        if self.core.guc.borrow().get_bool("transaction_read_only") {
            return Err(pg_err!(
                READ_ONLY_SQL_TRANSACTION,
                "cannot execute {word} in a read-only transaction"
            ));
        }
        Ok(true)
    }

    /// Privileges and locks; true when the plan writes.
    fn open(&self, plan: &PreparedPlan) -> PgResult<bool> {
        let writes = self.refuse_writing(plan)?;
        let range_table = &plan.plan().range_table;
        let user = self.core.user.get();
        if user != Oid(10) {
            crate::session::command::check_permissions(range_table, &self.env.view, user)?;
        }
        crate::session::run::lock_range_table(&self.core.db, self.txn, range_table, writes)?;
        Ok(writes)
    }

    fn snapshot(&self) -> PgResult<ActiveSnapshot> {
        if let Some(snapshot) = self.caller {
            return Ok(snapshot.clone());
        }
        let mut txn = self.txn.borrow_mut();
        if !self.read_only {
            txn.next_command()?;
        }
        txn.snapshot()
    }

    fn env_under<'s>(&'s self, snapshot: &'s ActiveSnapshot) -> StatementEnv<'s> {
        StatementEnv {
            snapshot: Some(snapshot),
            ..StatementEnv::new(self.core, self.txn, self.env.view.clone(), self.query)
        }
    }

    fn next_batch(
        &self,
        run: &mut QueryRun,
        under: (&ActiveSnapshot, &[Datum]),
        max: usize,
    ) -> PgResult<Option<Batch>> {
        let env = self.env_under(under.0);
        let cx = env.exec_context(&self.settings, under.0, under.1);
        let _under_way = self.core.under_way(run.prepared());
        run.next_batch(&cx, max)
    }

    /// Whether the transaction may end here.
    fn check_may_end(&self, verb: &str) -> PgResult<()> {
        if !self.nonatomic {
            return Err(pg_err!(
                INVALID_TRANSACTION_TERMINATION,
                "invalid transaction termination"
            ));
        }
        if !self.points.is_empty() {
            return Err(pg_err!(
                INVALID_TRANSACTION_TERMINATION,
                "cannot {verb} while a subtransaction is active"
            ));
        }
        Ok(())
    }

    /// After the end of a transaction, in the next one.
    fn transaction_ended(&mut self) -> PgResult<()> {
        self.core.after.clear();
        self.core.catalog_state.borrow_mut().transaction_ended();
        self.core.transaction_start.set(self.core.now());
        self.refresh()
    }
}

impl Host for PlHost<'_> {
    fn stamp(&self) -> Stamp {
        Stamp {
            catalog: self.core.catalog().version(),
            settings: self.core.guc.borrow().generation(),
            user: self.core.user.get(),
        }
    }

    fn refresh(&mut self) -> PgResult<()> {
        let view = self.core.catalog().statement_view(&self.txn.borrow())?;
        self.env = StatementEnv {
            snapshot: self.caller,
            ..StatementEnv::new(self.core, self.txn, view, self.query)
        };
        self.settings = self.core.format_settings();
        Ok(())
    }

    fn catalog(&self) -> &dyn CatalogView {
        &*self.env.view
    }

    fn settings(&self) -> &FormatSettings {
        &self.settings
    }

    fn session(&self) -> &dyn SessionContext {
        &self.env
    }

    fn cancel(&self) -> &CancelToken {
        &self.core.cancel
    }

    fn check_stack(&self) -> PgResult<()> {
        crate::session::routine::check_stack(self.core)
    }

    fn options(&self) -> parser::ParseOptions {
        crate::session::settings::parse_options(&self.core.guc.borrow())
    }

    fn database(&self) -> Arc<str> {
        self.core.db.database_name()
    }

    fn setting(&self, name: &str) -> String {
        self.core.guc.borrow().get(name).to_owned()
    }

    fn plan(&mut self, query: &Query, types: &[Oid]) -> PgResult<Arc<PreparedPlan>> {
        let planned = self.env.plan_nested(query, &self.settings, types)?;
        Ok(Arc::new(PreparedPlan::compile(
            Arc::new(planned),
            &*self.env.view,
        )?))
    }

    fn start(&mut self, plan: &Arc<PreparedPlan>, params: Vec<Datum>, _text: &str) -> PgResult<Run> {
        let writes = self.open(plan)?;
        let mut run = Run {
            run: QueryRun::start(plan.clone(), RunOptions::default()),
            snapshot: self.snapshot()?,
            params,
            ready: Vec::new(),
            done: false,
        };
        if writes {
            while let Some(batch) = self.next_batch(&mut run.run, (&run.snapshot, &run.params), BATCH_ROWS)? {
                run.ready.push(batch);
            }
            run.ready.reverse();
            run.done = true;
            self.txn.borrow_mut().next_command()?;
        }
        Ok(run)
    }

    fn fetch(&mut self, run: &mut Run, max: usize) -> PgResult<Option<Batch>> {
        if run.done {
            return Ok(run.ready.pop());
        }
        let batch = self.next_batch(&mut run.run, (&run.snapshot, &run.params), max)?;
        run.done = batch.is_none();
        Ok(batch)
    }

    fn loop_begins(&mut self, run: &Run) {
        self.core.running.borrow_mut().push(run.run.prepared().clone());
    }

    fn loop_ends(&mut self) {
        self.core.running.borrow_mut().pop();
    }

    fn point(
        &mut self,
        plan: &Arc<PreparedPlan>,
        params: &[Datum],
        row: &mut Vec<Datum>,
    ) -> PgResult<Option<(usize, u64)>> {
        let writes = self.open(plan)?;
        let snapshot = self.snapshot()?;
        let env = self.env_under(&snapshot);
        let cx = env.exec_context(&self.settings, &snapshot, params);
        let _under_way = self.core.under_way(plan);
        let outcome = plan.run_point(&cx, row)?;
        if writes && outcome.is_some() {
            self.txn.borrow_mut().next_command()?;
        }
        Ok(outcome.map(|o| (o.rows, o.processed)))
    }

    fn utility(&mut self, what: &Utility<'_>) -> PgResult<Performed> {
        let names = what
            .variables
            .iter()
            .map(|(name, type_oid, _)| analyzer::RoutineParam {
                name: name.clone(),
                type_oid: *type_oid,
            });
        let scope = analyzer::RoutineScope {
            name: "".into(),
            params: names.collect(),
        };
        let values: Vec<Datum> = what.variables.iter().map(|v| v.2.clone()).collect();
        self.core.nonatomic.set(self.nonatomic && self.points.is_empty());
        let command = crate::session::routine::InnerCommand {
            stmt: what.stmt,
            source: what.text,
            args: &values,
            scope,
            read_only: self.read_only,
            language: "PL/pgSQL",
        };
        let outcome = self.env.run_command(&command);
        self.core.nonatomic.set(false);
        let outcome = outcome?;
        let processed = outcome
            .tag
            .rsplit(' ')
            .next()
            .and_then(|n| n.parse().ok())
            .unwrap_or(0);
        let (columns, rows) = match outcome.rows {
            Some(set) => (
                Some(set.columns.into_iter().map(|c| (c.name, c.type_ref)).collect()),
                set.rows,
            ),
            None => (None, Vec::new()),
        };
        Ok(Performed {
            columns,
            rows,
            processed,
        })
    }

    fn call(&mut self, info: &CallInfo, args: &[Datum]) -> PgResult<Datum> {
        self.core.nonatomic.set(self.nonatomic && self.points.is_empty());
        let value = self.env.call_function(info, args);
        self.core.nonatomic.set(false);
        value
    }

    fn savepoint(&mut self) -> PgResult<Savepoint> {
        self.points.push(Point {
            point: self.txn.borrow_mut().savepoint()?,
            guc_mark: self.core.guc.borrow().mark(),
            after_mark: self.core.after.mark(),
            notify_mark: self.core.pending_notify.borrow().len(),
            temp_namespace: self.core.temp_namespace.get(),
            cursors: self.core.cursors.borrow().names().cloned().collect(),
            user: self.core.user.get(),
        });
        Ok(Savepoint(self.points.len() - 1))
    }

    fn release(&mut self, point: Savepoint) {
        self.points.truncate(point.0);
    }

    fn rollback_to(&mut self, point: Savepoint) -> PgResult<()> {
        self.points.truncate(point.0 + 1);
        let Some(p) = self.points.last() else {
            return Err(common::internal!("subtransaction vanished"));
        };
        let core = self.core;
        core.cursors
            .borrow_mut()
            .retain(|name, _| p.cursors.iter().any(|known| known == name));
        {
            let mut txn = self.txn.borrow_mut();
            txn.rollback_to(&p.point)?;
            // What comes next must not count as the command that was undone.
            txn.next_command()?;
        }
        core.guc.borrow_mut().rollback_to(p.guc_mark);
        core.after.rollback_to(&p.after_mark);
        core.temp_namespace.set(p.temp_namespace);
        core.pending_notify.borrow_mut().truncate(p.notify_mark);
        core.user.set(p.user);
        core.catalog_state
            .borrow_mut()
            .rolled_back_to_savepoint(&core.db.catalog);
        Ok(())
    }

    fn commit(&mut self, _chain: bool) -> PgResult<()> {
        self.check_may_end("commit")?;
        let core = self.core;
        if core.after.has_deferred() {
            let snapshot = self.txn.borrow().latest_snapshot()?;
            let env = self.env_under(&snapshot);
            let cx = env.exec_context(&self.settings, &snapshot, &[]);
            executor::fire_deferred(&cx, None)?;
        }
        core.cursors.borrow_mut().retain(|_, c| c.survives());
        if core.sequence_logged.take() {
            self.txn.borrow_mut().require_record()?;
        }
        self.txn.borrow_mut().restart()?;
        core.guc.borrow_mut().commit();
        core.deliver_notifications();
        self.transaction_ended()
    }

    fn rollback(&mut self, _chain: bool) -> PgResult<()> {
        self.check_may_end("roll back")?;
        let core = self.core;
        core.cursors.borrow_mut().retain(|_, c| c.survives());
        self.txn.borrow_mut().restart_undone()?;
        core.sequence_logged.set(false);
        core.guc.borrow_mut().rollback_to(0);
        core.pending_notify.borrow_mut().clear();
        self.transaction_ended()
    }

    fn open_cursor(&mut self, what: CursorQuery<'_>) -> PgResult<String> {
        self.open(what.plan)?;
        let name = match what.name {
            Some(name) => name.to_owned(),
            None => {
                let number = self.core.unnamed_portals.get() + 1;
                self.core.unnamed_portals.set(number);
                format!("<unnamed portal {number}>")
            }
        };
        if self.core.cursors.borrow().contains(&name) {
            return Err(pg_err!(DUPLICATE_CURSOR, "cursor \"{name}\" already in use"));
        }
        let columns = crate::session::plan::result_columns(what.query, &*self.env.view)?;
        let cursor = crate::session::cursor::Cursor::of_plan(crate::session::cursor::PlanCursor {
            text: what.text,
            query: what.query.clone(),
            columns,
            run: QueryRun::start(what.plan.clone(), RunOptions::default()),
            params: what.params,
            snapshot: self.snapshot()?,
            view: self.env.view.clone(),
            scroll: what.scroll,
            savepoints: self.core.savepoints.get(),
        });
        let facts = cursor.facts(what.text.into(), self.core.statement_start.get());
        self.core.cursors.borrow_mut().insert(&name, facts, cursor);
        Ok(name)
    }

    fn move_cursor(&mut self, name: &str, fetch: CursorFetch) -> PgResult<CursorRows> {
        let taken = self.core.cursors.borrow_mut().take(name)?;
        let Some(mut cursor) = taken else {
            return Err(pg_err!(UNDEFINED_CURSOR, "cursor \"{name}\" does not exist"));
        };
        let rows = cursor.move_inside(fetch, |run, snapshot, params, want| {
            self.next_batch(run, (snapshot, params), want)
        });
        let columns = cursor.columns();
        self.core.cursors.borrow_mut().put_back(name, cursor);
        let columns = columns.iter().flat_map(|c| c.iter()).map(|c| {
            let type_ref = types::settings::TypeRef {
                oid: c.type_oid,
                typmod: c.typmod,
            };
            (c.name.to_string(), type_ref)
        });
        Ok(CursorRows {
            columns: columns.collect(),
            rows: rows?,
        })
    }

    fn close_cursor(&mut self, name: &str) -> PgResult<bool> {
        self.core.cursors.borrow_mut().remove(name)
    }

    fn has_cursor(&self, name: &str) -> bool {
        self.core.cursors.borrow().contains(name)
    }

    fn pin_cursor(&mut self, name: &str, pinned: bool) {
        if let Some(cursor) = self.core.cursors.borrow_mut().get_mut(name) {
            cursor.pinned = pinned;
        }
    }

    fn notice(&self, notice: Box<PgError>) {
        self.core.notice(notice);
    }

    fn enter(&self, frame: Context) -> usize {
        let mut stack = self.core.contexts.borrow_mut();
        stack.push(frame);
        stack.len() - 1
    }

    fn leave(&self, depth: usize) {
        self.core.contexts.borrow_mut().truncate(depth);
    }

    fn context(&self) -> String {
        let stack = self.core.contexts.borrow();
        let lines = stack.iter().rev().map(|frame| match frame {
            Context::Call(info) => info.line(),
            Context::Sql(frame) => frame.line(),
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}
