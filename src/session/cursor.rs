//! SQL cursors: DECLARE, FETCH, MOVE, CLOSE.
//!
//! # How it works
//! A cursor runs its plan forward and keeps the rows it has seen, so that scrolling back needs no plan that can run backwards. WITH HOLD
//! runs to the end at commit.

use std::sync::Arc;

use access::ActiveSnapshot;
use catalog::desc::RelationDesc;
use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err};
use executor::QueryRun;
use parser::ast::{self, FetchDirection, Statement, cursor_options};
use types::{BATCH_ROWS, Batch, Datum, PhysType, Rows};

use crate::api::row::Column;
use crate::session::Session;
use crate::session::catalog::View;
use crate::session::current_of::Origins;
use crate::session::in_use;
use crate::session::named::Facts;
use crate::session::portal::{Portal, PortalState, ResultRows, Step};
use crate::session::prepared::{Kind, Prepared};
use crate::session::run::batches_of;
use crate::session::tag::CommandTag;
use plpgsql::{CursorFetch, Direction};

/// An open cursor.
pub(crate) struct Cursor {
    portal: Portal,
    rows: Rows,
    phys: Vec<PhysType>,
    finished: bool,
    /// 0: before the first row; n: on row n; rows+1: after the last.
    position: usize,
    scroll: bool,
    hold: bool,
    /// Its rows go to the client in binary format.
    binary: bool,
    /// Made by a transaction that has committed.
    held: bool,
    /// How many savepoints there were when it was opened.
    savepoints: usize,
    origins: Origins,
    /// A loop of a function runs over it.
    pub pinned: bool,
}

/// A cursor that a function opens over a plan of its own.
pub(crate) struct PlanCursor<'a> {
    pub text: &'a str,
    pub query: Arc<nodes::Query>,
    pub columns: Option<Arc<[Column]>>,
    pub run: QueryRun,
    pub params: Vec<Datum>,
    pub snapshot: ActiveSnapshot,
    pub view: Arc<View>,
    pub scroll: Option<bool>,
    pub savepoints: usize,
}

impl Cursor {
    /// A cursor over a plan that a function made.
    pub fn of_plan(made: PlanCursor<'_>) -> Cursor {
        let phys = made.columns.iter().flat_map(|c| c.iter());
        let phys = phys.map(|c| PhysType::of_builtin(c.type_oid)).collect();
        let prepared = Arc::new(Prepared {
            source: made.text.into(),
            span: common::Span::NONE,
            stmt: None,
            kind: Kind::Query(made.query),
            param_types: Vec::new(),
            columns: made.columns,
            version: 0,
            environment: 0,
            plan: Default::default(),
            renewed: Default::default(),
            uses: Arc::default(),
        });
        let plan = made.run.prepared().clone();
        let state = PortalState::Running(Box::new(made.run));
        let scroll = made.scroll.unwrap_or_else(|| scrolls(&prepared, &state));
        let mut portal = Portal::new(prepared, made.params);
        portal.state = state;
        portal.plan = Some(plan);
        portal.snapshot = Some(made.snapshot);
        portal.view = Some(made.view);
        Cursor {
            portal,
            rows: Rows::default(),
            phys,
            finished: false,
            position: 0,
            scroll,
            hold: false,
            binary: false,
            held: false,
            savepoints: made.savepoints,
            pinned: false,
            origins: Origins::default(),
        }
    }

    /// What others see of it.
    pub fn facts(&self, statement: Arc<str>, made_at: i64) -> Facts {
        Facts {
            statement,
            holdable: self.hold,
            binary: self.binary,
            scrollable: self.scroll,
            made_at,
        }
    }

    /// True when its plan uses the relation: also when it has come to its end, but not beyond the transaction.
    pub fn uses(&self, relation: &RelationDesc) -> bool {
        let plan = self.portal.plan.as_ref().filter(|_| !self.held);
        plan.is_some_and(|plan| in_use::opens(plan.plan(), relation))
    }

    /// True for one that the end of a transaction does not close.
    pub fn survives(&self) -> bool {
        self.held || self.pinned
    }

    /// Moves it for a function, which runs the plan with `run`.
    pub fn move_inside(
        &mut self,
        fetch: CursorFetch,
        mut run: impl FnMut(&mut QueryRun, &ActiveSnapshot, &[Datum], usize) -> PgResult<Option<Batch>>,
    ) -> PgResult<Vec<Vec<Datum>>> {
        let how_many = fetch.count;
        let mut step = |portal: &mut Portal, want: usize| {
            let batch = match (&mut portal.state, &portal.snapshot) {
                (PortalState::Running(r), Some(snapshot)) => run(r, snapshot, &portal.params, want)?,
                (PortalState::Rows { batches, .. }, _) => batches.pop_front(),
                _ => None,
            };
            Ok(match batch {
                Some(batch) => Step::Rows(ResultRows::Batch(batch)),
                None => Step::Complete(CommandTag::default()),
            })
        };
        let direction = match fetch.direction {
            Direction::Forward => FetchDirection::Forward,
            Direction::Backward => FetchDirection::Backward,
            Direction::Absolute => FetchDirection::Absolute,
            Direction::Relative => FetchDirection::Relative,
        };
        self.go((direction, how_many), &mut step)
    }
    /// Result columns.
    pub fn columns(&self) -> Option<Arc<[Column]>> {
        self.portal.columns().cloned()
    }

    /// The next rows for a function that reads the cursor while a statement runs; `run` continues its plan.
    pub fn fetch_inside(
        &mut self,
        count: i64,
        mut run: impl FnMut(&mut QueryRun, &ActiveSnapshot, &[Datum], usize) -> PgResult<Option<Batch>>,
    ) -> PgResult<Vec<Vec<Datum>>> {
        let n = count.max(0) as usize;
        if n == 0 {
            return Ok(Vec::new());
        }
        let wanted = self.position.saturating_add(n);
        while !self.finished && self.rows.len() < wanted {
            let want = (wanted - self.rows.len()).min(BATCH_ROWS);
            let batch = match (&mut self.portal.state, &self.portal.snapshot) {
                (PortalState::Running(r), Some(snapshot)) => run(r, snapshot, &self.portal.params, want)?,
                (PortalState::Rows { batches, .. }, _) => batches.pop_front(),
                _ => None,
            };
            match batch {
                Some(batch) => keep(self, Step::Rows(ResultRows::Batch(batch))),
                None => self.finished = true,
            }
        }
        Ok(self.advance(n))
    }

    /// The `ctid` of the table's row that the cursor stands on; NULL: of another partition.
    pub fn current_row(&self, name: &str, table: Oid, table_name: &str) -> PgResult<Datum> {
        let number = self.position.checked_sub(1).filter(|at| *at < self.rows.len());
        if self.held {
            return Err(pg_err!(
                INVALID_CURSOR_STATE,
                "cursor \"{name}\" is held from a previous transaction"
            ));
        }
        self.origins.refuse_unknown(name, table_name)?;
        let Some(number) = number else {
            return Err(pg_err!(
                INVALID_CURSOR_STATE,
                "cursor \"{name}\" is not positioned on a row"
            ));
        };
        self.origins.of(name, number, table, table_name)
    }

    /// The next rows of those that are there.
    fn advance(&mut self, n: usize) -> Vec<Vec<Datum>> {
        let end = self.position.saturating_add(n).min(self.rows.len());
        let rows = self
            .rows
            .get(self.position..end)
            .map_or_else(Vec::new, <[_]>::to_vec);
        self.position = if rows.len() < n { self.rows.len() + 1 } else { end };
        rows
    }
}

/// Runs a cursor's plan for so many rows.
type StepFn<'f> = dyn FnMut(&mut Portal, usize) -> PgResult<Step> + 'f;

impl Cursor {
    /// Runs the plan until there are `n` rows or it is finished.
    fn fill(&mut self, n: usize, step: &mut StepFn<'_>) -> PgResult<()> {
        while !self.finished && self.rows.len() < n {
            let want = (n - self.rows.len()).min(BATCH_ROWS);
            let brought = step(&mut self.portal, want)?;
            keep(self, brought);
        }
        Ok(())
    }

    /// FETCH or MOVE: direction and count.
    fn go(&mut self, how: (FetchDirection, i64), step: &mut StepFn<'_>) -> PgResult<Vec<Vec<Datum>>> {
        let (direction, count) = how;
        let all = count == i64::MAX;
        let n = match count {
            i64::MAX => usize::MAX,
            count => count.unsigned_abs() as usize,
        };
        match direction {
            FetchDirection::Forward if count >= 0 => self.forward(n, step),
            FetchDirection::Forward => self.backward(n),
            FetchDirection::Backward if count >= 0 => self.backward(n),
            FetchDirection::Backward => self.forward(n, step),
            FetchDirection::Absolute => {
                let target = if count >= 0 {
                    count
                } else {
                    self.fill(usize::MAX, step)?;
                    (self.rows.len() as i64 + 1 + count).max(0)
                };
                self.go_to(target, step)
            }
            FetchDirection::Relative if all => self.forward(n, step),
            FetchDirection::Relative => self.go_to(self.position as i64 + count, step),
        }
    }

    fn require_scroll(&self) -> PgResult<()> {
        if self.scroll {
            return Ok(());
        }
        Err(
            pg_err!(OBJECT_NOT_IN_PREREQUISITE_STATE, "cursor can only scan forward")
                .hint("Declare it with SCROLL option to enable backward scan."),
        )
    }

    fn forward(&mut self, n: usize, step: &mut StepFn<'_>) -> PgResult<Vec<Vec<Datum>>> {
        if n == 0 {
            return Ok(current(self));
        }
        self.fill(self.position.saturating_add(n), step)?;
        Ok(self.advance(n))
    }

    fn backward(&mut self, n: usize) -> PgResult<Vec<Vec<Datum>>> {
        if n == 0 {
            return Ok(current(self));
        }
        self.require_scroll()?;
        let mut rows = Vec::new();
        while rows.len() < n && self.position > 1 {
            self.position -= 1;
            rows.extend(self.rows.get(self.position - 1).cloned());
        }
        if rows.len() < n {
            self.position = 0;
        }
        Ok(rows)
    }

    fn go_to(&mut self, target: i64, step: &mut StepFn<'_>) -> PgResult<Vec<Vec<Datum>>> {
        let target = target.max(0) as usize;
        if target < self.position {
            self.require_scroll()?;
        }
        self.fill(target, step)?;
        self.position = target.min(self.rows.len() + 1);
        Ok(if target == 0 { Vec::new() } else { current(self) })
    }
}

pub(crate) fn no_such_cursor(name: &str) -> Box<common::PgError> {
    pg_err!(INVALID_CURSOR_NAME, "cursor \"{name}\" does not exist")
}

impl Session {
    pub(crate) fn declare_cursor(
        &mut self,
        d: &ast::DeclareCursorStmt,
        portal: &Portal,
    ) -> PgResult<CommandTag> {
        let has = |bit: u32| d.options & bit != 0;
        let hold = has(cursor_options::HOLD);
        if !hold && !self.block.explicit {
            return Err(pg_err!(
                NO_ACTIVE_SQL_TRANSACTION,
                "DECLARE CURSOR can only be used in transaction blocks"
            ));
        }
        let name = d.portalname.as_str();
        if self.core.cursors.borrow().contains(name) || self.core.portals.borrow().contains(name) {
            return Err(pg_err!(DUPLICATE_CURSOR, "cursor \"{name}\" already exists"));
        }
        let source = portal.prepared.source.clone();
        let tree = Arc::new(Statement::Select(d.query.clone()));
        let mut prepared =
            self.prepare_tree(&source, tree, portal.prepared.span, &portal.prepared.param_types)?;
        let mut origins = Origins::default();
        if let Some(Prepared {
            kind: Kind::Query(query),
            ..
        }) = Arc::get_mut(&mut prepared)
        {
            origins = Origins::ask(Arc::make_mut(query));
        }
        let phys = match &prepared.columns {
            Some(columns) => columns.iter().map(|c| PhysType::of_builtin(c.type_oid)).collect(),
            None => Vec::new(),
        };
        let mut inner = Portal::new(prepared, portal.params.clone());
        // The snapshot is that of DECLARE: start now, fetch later.
        let first = self.start_portal(&mut inner)?;
        let mut cursor = Cursor {
            rows: Rows::default(),
            phys,
            finished: false,
            position: 0,
            scroll: has(cursor_options::SCROLL)
                || !has(cursor_options::NO_SCROLL) && scrolls(&inner.prepared, &inner.state),
            hold,
            binary: has(cursor_options::BINARY),
            held: false,
            savepoints: self.core.savepoints.get(),
            origins,
            pinned: false,
            portal: inner,
        };
        if let Some(first) = first {
            keep(&mut cursor, first);
        }
        let text = portal.text.as_ref().unwrap_or(&source).clone();
        let facts = cursor.facts(text, self.core.statement_start.get());
        self.core.cursors.borrow_mut().insert(name, facts, cursor);
        Ok("DECLARE CURSOR".into())
    }

    pub(crate) fn fetch(&mut self, f: &ast::FetchStmt, portal: &mut Portal) -> PgResult<Option<Step>> {
        let name = f.portalname.as_str();
        let taken = self.core.cursors.borrow_mut().take(name)?;
        let mut cursor = taken.ok_or_else(|| no_such_cursor(name))?;
        let result = cursor.go((f.direction, f.how_many), &mut |portal, want| {
            self.portal_step(portal, want)
        });
        let rows = match result {
            Ok(rows) => rows,
            Err(e) => {
                self.core.cursors.borrow_mut().put_back(name, cursor);
                return Err(e);
            }
        };
        let word = if f.ismove { "MOVE" } else { "FETCH" };
        let tag = CommandTag::counted(word, rows.len() as u64);
        let batches = if f.ismove {
            Default::default()
        } else {
            batches_of(&rows, &cursor.phys)
        };
        self.core.cursors.borrow_mut().put_back(name, cursor);
        if f.ismove {
            portal.state = PortalState::Done(tag.clone());
            return Ok(Some(Step::Complete(tag)));
        }
        portal.state = PortalState::Rows { batches, tag };
        Ok(None)
    }

    pub(crate) fn close_cursor(&mut self, stmt: &ast::ClosePortalStmt) -> PgResult<CommandTag> {
        match &stmt.portalname {
            None => {
                self.core.cursors.borrow_mut().clear();
                Ok("CLOSE CURSOR ALL".into())
            }
            Some(name) => {
                if !self.core.cursors.borrow_mut().remove(name.as_str())? {
                    return Err(no_such_cursor(name.as_str()));
                }
                Ok("CLOSE CURSOR".into())
            }
        }
    }

    /// Before commit: cursors WITH HOLD get all their rows, the others close.
    /// True for a cursor WITH HOLD whose transaction has not ended.
    pub(crate) fn has_uncommitted_hold_cursor(&self) -> bool {
        self.core.cursors.borrow().values().any(|c| c.hold && !c.held)
    }

    pub(crate) fn portals_at_commit(&mut self) -> PgResult<()> {
        self.core.portals.get_mut().clear();
        if self.core.cursors.borrow().is_empty() {
            return Ok(());
        }
        let mut cursors = self.core.cursors.take();
        cursors.retain(|_, c| c.hold);
        for c in cursors.values_mut() {
            c.fill(usize::MAX, &mut |portal, want| self.portal_step(portal, want))?;
            c.portal.snapshot = None;
            c.portal.view = None;
            c.held = true;
        }
        self.core.cursors.replace(cursors);
        Ok(())
    }

    /// A savepoint is gone: what was opened since belongs to the transaction around it.
    pub(crate) fn cursors_at_release(&mut self, savepoints: usize) {
        for cursor in self.core.cursors.get_mut().values_mut() {
            cursor.savepoints = cursor.savepoints.min(savepoints);
        }
    }

    /// After a failure: what was opened since there are so many savepoints closes.
    pub(crate) fn portals_at_abort(&mut self, savepoints: usize) {
        let portals = self.core.portals.get_mut();
        match savepoints {
            0 => portals.clear(),
            _ => portals.drop_running(),
        }
        let cursors = self.core.cursors.get_mut();
        cursors.retain(|_, c| c.held || c.savepoints < savepoints);
        self.copy_in = None;
    }
}

/// True where the plan of a cursor that says nothing of scrolling can run backwards.
fn scrolls(prepared: &Prepared, state: &PortalState) -> bool {
    let locks = prepared.query().is_some_and(|query| !query.row_marks.is_empty());
    let backwards = match state {
        PortalState::Running(run) => run.prepared().plan().runs_backwards(),
        // One row by its key.
        _ => true,
    };
    !locks && backwards
}

fn current(c: &Cursor) -> Vec<Vec<Datum>> {
    let row = c.position.checked_sub(1).and_then(|i| c.rows.get(i));
    row.cloned().into_iter().collect()
}

/// Takes what a step brought.
fn keep(cursor: &mut Cursor, step: Step) {
    match step {
        Step::Rows(mut rows) => {
            for k in 0..rows.len() {
                let mut row = rows.take_row(k);
                cursor.origins.take(&mut row);
                cursor.rows.push(row);
            }
        }
        Step::Complete(_) | Step::Empty => cursor.finished = true,
        _ => {}
    }
}
