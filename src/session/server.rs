//! What protocol servers need of a session beyond running statements: statements and portals by name, deadlines, changed settings.

use std::sync::Arc;

use common::cancel::CancelReason;
use common::pg_err;

use crate::database::Database;
use crate::error::{Error, Result};
use crate::session::Session;
use crate::session::named::Facts;
use crate::session::portal::Portal;
use crate::session::prepared::{Prepared, no_such_statement};
use crate::session::script::Script;

impl Session {
    /// Changes whenever a setting may have changed.
    pub fn settings_generation(&self) -> u64 {
        self.core.guc.borrow().generation()
    }

    /// A numeric setting in its base unit.
    pub fn setting_number(&self, name: &str) -> f64 {
        self.core.guc.borrow().get_number(name)
    }

    /// The first message of an extended-protocol sequence: the clock and `statement_timeout` start. [`Session::sync`] ends it.
    pub fn begin_messages(&mut self) {
        self.statement_begins();
        self.message_deadline = self.deadline();
    }

    /// A prepared statement by name; the unnamed one's name is empty.
    pub fn statement(&mut self, name: &str) -> Result<Arc<Prepared>> {
        match self.core.statement(name) {
            Some(found) => Ok(found),
            None if name.is_empty() => {
                let e = pg_err!(
                    INVALID_SQL_STATEMENT_NAME,
                    "unnamed prepared statement does not exist"
                );
                Err(self.fail(e, ""))
            }
            None => Err(self.fail(no_such_statement(name), "")),
        }
    }

    /// Fails if a named statement exists already.
    pub fn check_statement_name(&mut self, name: &str) -> Result<()> {
        if name.is_empty() || self.core.statement(name).is_none() {
            return Ok(());
        }
        let e = pg_err!(
            DUPLICATE_PSTATEMENT,
            "prepared statement \"{name}\" already exists"
        );
        Err(self.fail(e, ""))
    }

    /// Keeps a statement under a name.
    pub fn keep_statement(&mut self, name: &str, prepared: Arc<Prepared>) {
        self.core.keep_statement(name, prepared, None);
    }

    /// Forgets a statement; no error if there is none.
    pub fn close_statement(&mut self, name: &str) {
        self.core.statements.borrow_mut().remove(name);
    }

    /// Fails if a named portal or cursor exists already.
    pub fn check_portal_name(&mut self, name: &str) -> Result<()> {
        if name.is_empty()
            || !(self.core.portals.get_mut().contains(name) || self.core.cursors.get_mut().contains(name))
        {
            return Ok(());
        }
        let e = pg_err!(DUPLICATE_CURSOR, "cursor \"{name}\" already exists");
        Err(self.fail(e, ""))
    }

    /// Keeps a portal under a name until its transaction ends.
    pub fn keep_portal(&mut self, name: &str, portal: Portal) {
        let facts = Facts {
            statement: portal.text.as_ref().unwrap_or(&portal.prepared.source).clone(),
            holdable: false,
            binary: false,
            scrollable: false,
            made_at: self.core.statement_start.get(),
        };
        self.core.portals.get_mut().insert(name, facts, portal);
    }

    /// Keeps a portal that was taken out.
    pub fn keep_portal_again(&mut self, name: &str, portal: Portal) {
        self.core.portals.get_mut().put_back(name, portal);
    }

    /// A bound portal.
    pub fn portal(&mut self, name: &str) -> Result<&Portal> {
        if self.core.portals.get_mut().get(name).is_none() {
            return Err(self.no_portal(name));
        }
        let portals = self.core.portals.get_mut();
        portals
            .get(name)
            .ok_or_else(|| common::internal!("portal \"{name}\" is lost").into())
    }

    fn no_portal(&mut self, name: &str) -> Error {
        let e = pg_err!(INVALID_CURSOR_NAME, "portal \"{name}\" does not exist");
        self.fail(e, "")
    }

    /// Takes a portal out, to run it.
    pub fn take_portal(&mut self, name: &str) -> Result<Portal> {
        match self.core.portals.get_mut().take(name) {
            Ok(Some(portal)) => {
                self.core.show_query(portal.text());
                Ok(portal)
            }
            Ok(None) => Err(self.no_portal(name)),
            Err(e) => Err(self.fail(e, "")),
        }
    }

    /// Result columns of a cursor that DECLARE made: to the protocol it is a portal too.
    pub fn cursor_columns(&self, name: &str) -> Option<Arc<[crate::Column]>> {
        let cursors = self.core.cursors.borrow();
        cursors.get(name).and_then(|cursor| cursor.columns())
    }

    /// True while a transaction runs, of a block or of single statements.
    pub fn in_transaction(&self) -> bool {
        self.block.txn.is_some()
    }

    /// Forgets a portal or cursor; no error if there is none.
    pub fn close_portal(&mut self, name: &str) {
        // Nothing runs between two messages.
        let _ = self.core.portals.get_mut().remove(name);
        let _ = self.core.cursors.get_mut().remove(name);
    }

    /// Gives a string of statements up after an error outside of [`Session::step_script`] (COPY data).
    pub fn abandon_script(&mut self, script: Script) {
        if script.is_implicit_block() {
            self.rollback_block();
        }
    }
}

impl Database {
    /// Asks all sessions to end: their statements fail with 57P01.
    pub fn terminate_sessions(&self) {
        let pids: Vec<i32> = self.inner.sessions.read().keys().copied().collect();
        for pid in pids {
            self.inner.signal(pid, None, CancelReason::Shutdown);
        }
    }
}
