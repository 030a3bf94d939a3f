//! What happens after a statement's rows are written: foreign keys and deferrable unique constraints.
//!
//! # How it works
//! 1. Writing a row queues events ([`AfterQueue`]): immediate ones, or deferred ones as the constraint and SET CONSTRAINTS say.
//! 2. At the end of the statement [`fire`] runs the immediate events in order. What an event writes (ON DELETE CASCADE...) queues
//!    events of its own, which run right after it, before the next one of the statement.
//! 3. Deferred events run at commit, or when SET CONSTRAINTS makes their constraint immediate.
//!
//! AFTER triggers belong into the same queue.
//!
//! # Invariants
//! - An event names rows by their place and key values by value; what it finds is what the newest snapshot sees when it runs.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use catalog::desc::RelationDesc;
use catalog::trigger::ReplicationRole;
use common::cancel;
use common::{Oid, PgResult, RowId};
use types::Datum;

use crate::context::ExecContext;
use crate::modify::foreign_key::{self, FkCheck};
use crate::modify::indexes::Entry;
use crate::modify::referenced::{self, FkReferenced};
use crate::modify::routing::Router;
use crate::modify::target::{OpenTarget, TargetDef};

/// Something to check or do.
pub(crate) enum Event {
    /// A row with a foreign key was written: the row it refers to must exist.
    Check {
        check: Arc<FkCheck>,
        table: Arc<RelationDesc>,
        row: RowId,
    },
    /// A row that others may refer to was deleted or got another key.
    Referenced {
        foreign: Arc<FkReferenced>,
        old: Vec<Datum>,
        new: Option<Vec<Datum>>,
    },
    /// A row was put under a key of a deferrable constraint.
    Unique {
        table: Arc<TargetDef>,
        index: Oid,
        entry: Entry,
        row: RowId,
    },
}

impl Event {
    fn constraint(&self) -> Oid {
        match self {
            Event::Check { check, .. } => check.constraint.oid,
            Event::Referenced { foreign, .. } => foreign.constraint.oid,
            Event::Unique { table, index, .. } => table
                .desc
                .constraints
                .iter()
                .find(|c| c.index == *index)
                .map_or(Oid::INVALID, |c| c.oid),
        }
    }

    fn table(&self) -> Oid {
        match self {
            Event::Check { table, .. } => table.oid,
            Event::Referenced { foreign, .. } => foreign.table.oid,
            Event::Unique { table, .. } => table.desc.oid,
        }
    }
}

/// What SET CONSTRAINTS said in this transaction.
#[derive(Clone, Debug, Default)]
pub struct ConstraintModes {
    /// SET CONSTRAINTS ALL: deferred or not.
    all: Option<bool>,
    one: HashMap<Oid, bool>,
}

/// Events waiting, and the constraint modes of the transaction. A session keeps one.
#[derive(Default)]
pub struct AfterQueue {
    immediate: RefCell<VecDeque<Event>>,
    deferred: RefCell<Vec<Event>>,
    modes: RefCell<ConstraintModes>,
    role: Cell<ReplicationRole>,
}

/// Events of a statement that is calling a routine.
pub struct Suspended(VecDeque<Event>);

/// A state of the queue to come back to.
#[derive(Clone, Debug, Default)]
pub struct AfterMark {
    deferred: usize,
    modes: ConstraintModes,
}

// A session runs on one thread at a time; its queue moves with it.
impl AfterQueue {
    /// Everything as at the beginning of a transaction.
    pub fn clear(&self) {
        self.statement_failed();
        cancel::discard_list(self.deferred.take());
        *self.modes.borrow_mut() = ConstraintModes::default();
    }

    /// `session_replication_role` of the statement that begins.
    pub fn set_role(&self, role: ReplicationRole) {
        self.role.set(role);
    }

    pub(crate) fn role(&self) -> ReplicationRole {
        self.role.get()
    }

    /// Forgets what a failed statement left.
    pub fn statement_failed(&self) {
        cancel::discard_list(self.immediate.take().into());
    }

    /// Puts aside what waits for the end of the running statement: a routine that it calls runs statements of its own.
    pub fn suspend(&self) -> Suspended {
        Suspended(std::mem::take(&mut *self.immediate.borrow_mut()))
    }

    /// What was put aside waits again.
    pub fn resume(&self, suspended: Suspended) {
        *self.immediate.borrow_mut() = suspended.0;
    }

    /// For savepoints.
    pub fn mark(&self) -> AfterMark {
        AfterMark {
            deferred: self.deferred.borrow().len(),
            modes: self.modes.borrow().clone(),
        }
    }

    /// Back to a savepoint.
    pub fn rollback_to(&self, mark: &AfterMark) {
        self.statement_failed();
        let mut deferred = self.deferred.borrow_mut();
        let kept = mark.deferred.min(deferred.len());
        cancel::discard_list(deferred.split_off(kept));
        *self.modes.borrow_mut() = mark.modes.clone();
    }

    /// True when something waits for the commit.
    pub fn has_deferred(&self) -> bool {
        !self.deferred.borrow().is_empty()
    }

    /// True when something waits that concerns a table: it may not be altered.
    pub fn is_pending(&self, table: Oid) -> bool {
        self.deferred.borrow().iter().any(|e| e.table() == table)
    }

    /// SET CONSTRAINTS; `None`: ALL.
    pub fn set_mode(&self, constraints: Option<&[Oid]>, deferred: bool) {
        let mut modes = self.modes.borrow_mut();
        match constraints {
            None => {
                modes.all = Some(deferred);
                modes.one.clear();
            }
            Some(list) => modes.one.extend(list.iter().map(|c| (*c, deferred))),
        }
    }

    fn is_deferred(&self, constraint: Oid, deferrable: bool, initially: bool) -> bool {
        if !deferrable {
            return false;
        }
        let modes = self.modes.borrow();
        let own = modes.one.get(&constraint).copied();
        own.or(modes.all).unwrap_or(initially)
    }

    /// Queues an event of a constraint.
    pub(crate) fn push(&self, event: Event, deferrable: bool, initially: bool) {
        if self.is_deferred(event.constraint(), deferrable, initially) {
            self.deferred.borrow_mut().push(event);
        } else {
            self.immediate.borrow_mut().push_back(event);
        }
    }

    /// Makes deferred events immediate: of these constraints, or all.
    fn take_deferred(&self, constraints: Option<&[Oid]>) {
        let waiting = std::mem::take(&mut *self.deferred.borrow_mut());
        let (now, later): (Vec<Event>, Vec<Event>) = waiting
            .into_iter()
            .partition(|e| constraints.is_none_or(|list| list.contains(&e.constraint())));
        *self.deferred.borrow_mut() = later;
        self.immediate.borrow_mut().extend(now);
    }
}

/// Runs what waits for the end of the statement.
pub fn fire(ext: &ExecContext<'_>) -> PgResult<()> {
    if ext.after.immediate.borrow().is_empty() {
        return Ok(());
    }
    let mut firing = Firing {
        ext,
        opened: HashMap::new(),
        router: Router::default(),
    };
    let mut stack = vec![ext.after.immediate.take()];
    let fired = firing.run_all(&mut stack);
    stack
        .into_iter()
        .for_each(|left| cancel::discard_list(left.into()));
    fired
}

/// SET CONSTRAINTS ... IMMEDIATE, and the commit: runs what was deferred.
pub fn fire_deferred(ext: &ExecContext<'_>, constraints: Option<&[Oid]>) -> PgResult<()> {
    ext.after.take_deferred(constraints);
    fire(ext)
}

/// What running events shares: opened tables.
pub(crate) struct Firing<'e, 'a> {
    pub ext: &'e ExecContext<'a>,
    opened: HashMap<Oid, OpenTarget>,
    /// Partitions for rows that actions move.
    pub router: Router,
}

impl Firing<'_, '_> {
    /// Runs events: those of a level before the levels below. What is left after an error stays there.
    fn run_all(&mut self, stack: &mut Vec<VecDeque<Event>>) -> PgResult<()> {
        let ext = self.ext;
        ext.with_txn(|txn| txn.next_command())?;
        while let Some(level) = stack.last_mut() {
            let Some(event) = level.pop_front() else {
                stack.pop();
                continue;
            };
            ext.cancel.check()?;
            if self.run(event)? {
                ext.with_txn(|txn| txn.next_command())?;
            }
            let nested = ext.after.immediate.take();
            if !nested.is_empty() {
                stack.push(nested);
            }
        }
        Ok(())
    }

    /// Runs an event; true when it wrote something.
    fn run(&mut self, event: Event) -> PgResult<bool> {
        let ext = self.ext;
        match event {
            Event::Check { check, table, row } => {
                foreign_key::run_check(ext, &check, &table, row)?;
                Ok(false)
            }
            Event::Referenced { foreign, old, new } => {
                referenced::run_referenced(self, &foreign, &old, new.as_deref())
            }
            Event::Unique {
                table,
                index,
                entry,
                row,
            } => {
                let target = OpenTarget::open(ext, &table)?;
                target.check_unique(ext, index, &entry, row)?;
                Ok(false)
            }
        }
    }

    /// A table opened for writing.
    pub fn target(&mut self, relation: Oid) -> PgResult<&mut OpenTarget> {
        use std::collections::hash_map::Entry as Slot;
        let ext = self.ext;
        match self.opened.entry(relation) {
            Slot::Occupied(found) => Ok(found.into_mut()),
            Slot::Vacant(free) => {
                let plan = crate::modify::insert_target::no_plan();
                let compiler = crate::compile::Compiler {
                    plan: &plan,
                    catalog: ext.catalog,
                };
                let def = Arc::new(TargetDef::compile(&compiler, relation)?);
                Ok(free.insert(OpenTarget::open(ext, &def)?))
            }
        }
    }
}
