//! Transaction blocks: BEGIN to COMMIT, savepoints, the failed state.

use std::cell::RefCell;
use std::sync::Arc;

use access::{Savepoint, Transaction};
use common::{Oid, PgResult, pg_err};

use crate::session::Session;
use crate::session::core::SessionCore;
use crate::session::settings::{self, Settings, isolation_word};

/// Where a session stands; the letters are the protocol's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// `I`: no block.
    Idle,
    /// `T`: in a block.
    InTransaction,
    /// `E`: in a block that failed.
    Failed,
}

impl TransactionStatus {
    /// The letter of ReadyForQuery.
    pub fn letter(self) -> u8 {
        match self {
            TransactionStatus::Idle => b'I',
            TransactionStatus::InTransaction => b'T',
            TransactionStatus::Failed => b'E',
        }
    }
}

/// A savepoint with what the session must put back.
pub(crate) struct NamedSavepoint {
    name: String,
    point: Savepoint,
    guc_mark: usize,
    after_mark: executor::AfterMark,
    notify_mark: usize,
    temp_namespace: Option<Oid>,
    /// Of the transaction around it.
    read_only: bool,
}

/// The transaction of a session, if one runs.
#[derive(Default)]
pub(crate) struct Block {
    pub txn: Option<Box<RefCell<Transaction>>>,
    /// Begun by BEGIN (or inside a multi-statement string).
    pub explicit: bool,
    pub failed: bool,
    /// A query has run: the isolation level is fixed.
    pub used: bool,
    pub read_only: bool,
    /// LISTEN or UNLISTEN was executed.
    pub listened: bool,
    /// The temporary schema when the transaction began: one made since goes with it.
    temp_before: Option<Option<Oid>>,
    savepoints: Vec<NamedSavepoint>,
    /// Roles that SET ROLE and SET SESSION AUTHORIZATION went through, the first one before them.
    pub roles: Vec<(Arc<str>, Oid)>,
    /// The settings of the role and of the session's role after the last of these statements.
    pub role_settings: (Arc<str>, Arc<str>),
}

/// `transaction_isolation` and `transaction_read_only` say what the defaults say.
fn show_default_modes(core: &SessionCore, settings: &Settings) {
    if settings.shows_defaults {
        return;
    }
    let mut guc = core.guc.borrow_mut();
    guc.set_internal("transaction_isolation", isolation_word(settings.isolation));
    guc.set_internal(
        "transaction_read_only",
        if settings.read_only { "on" } else { "off" },
    );
}

impl Session {
    /// Where the session stands.
    pub fn transaction_status(&self) -> TransactionStatus {
        match (self.block.explicit, self.block.failed) {
            (_, true) => TransactionStatus::Failed,
            (true, false) => TransactionStatus::InTransaction,
            (false, false) => TransactionStatus::Idle,
        }
    }

    /// The running transaction, begun if there is none.
    pub(crate) fn ensure_transaction(&mut self) -> PgResult<()> {
        if self.block.txn.is_some() {
            return Ok(());
        }
        self.await_undoing()?;
        let settings = settings::current(&mut self.settings, &self.core, &self.block);
        let options = settings.transaction_options(&self.core);
        let txn = self.core.db.storage.begin(&self.core.proc, options)?;
        self.block.txn = Some(Box::new(RefCell::new(txn)));
        self.block.read_only = settings.read_only;
        self.block.temp_before = Some(self.core.temp_namespace.get());
        let start = self.core.statement_start.get();
        self.core.transaction_start.set(start);
        let next_xid = self.core.db.storage.manager().next_xid();
        self.core.shown.transaction_begins(start, next_xid.0);
        show_default_modes(&self.core, settings);
        Ok(())
    }

    /// BEGIN. Modes as written.
    pub(crate) fn begin_block(&mut self, modes: commands::TransactionModes) -> PgResult<()> {
        if self.block.explicit {
            self.core.notice(common::PgError::notice(
                common::error::Severity::Warning,
                common::sqlstate::ACTIVE_SQL_TRANSACTION,
                "there is already a transaction in progress",
            ));
        } else {
            self.ensure_transaction()?;
            self.block.explicit = true;
        }
        self.apply_modes(modes)
    }

    /// SET TRANSACTION and the modes of BEGIN.
    pub(crate) fn apply_modes(&mut self, modes: commands::TransactionModes) -> PgResult<()> {
        self.ensure_transaction()?;
        if let (Some(level), Some(txn)) = (modes.isolation, &self.block.txn) {
            let mut txn = txn.borrow_mut();
            if self.block.used && txn.isolation() != level {
                return Err(pg_err!(
                    ACTIVE_SQL_TRANSACTION,
                    "SET TRANSACTION ISOLATION LEVEL must be called before any query"
                ));
            }
            txn.options_mut().isolation = level;
            self.core
                .guc
                .borrow_mut()
                .set_internal("transaction_isolation", isolation_word(level));
        }
        if let Some(read_only) = modes.read_only {
            if !read_only && self.block.read_only && !self.block.savepoints.is_empty() {
                return Err(pg_err!(
                    ACTIVE_SQL_TRANSACTION,
                    "cannot set transaction read-write mode inside a read-only transaction"
                ));
            }
            if !read_only && self.block.read_only && self.block.used {
                return Err(pg_err!(
                    ACTIVE_SQL_TRANSACTION,
                    "transaction read-write mode must be set before any query"
                ));
            }
            self.set_read_only(read_only);
        }
        if let Some(deferrable) = modes.deferrable {
            self.set_deferrable(deferrable)?;
        }
        Ok(())
    }

    fn set_deferrable(&mut self, deferrable: bool) -> PgResult<()> {
        if self.block.used {
            return Err(pg_err!(
                ACTIVE_SQL_TRANSACTION,
                "SET TRANSACTION [NOT] DEFERRABLE must be called before any query"
            ));
        }
        if let Some(txn) = &self.block.txn {
            txn.borrow_mut().options_mut().serial.deferrable = deferrable;
        }
        let word = if deferrable { "on" } else { "off" };
        let mut guc = self.core.guc.borrow_mut();
        guc.set_internal("transaction_deferrable", word);
        Ok(())
    }

    /// COMMIT; true when it was a rollback because the block had failed.
    pub(crate) fn commit_block(&mut self) -> PgResult<bool> {
        if self.block.failed {
            self.rollback_block();
            return Ok(true);
        }
        if !self.block.explicit && self.block.txn.is_none() {
            self.warn_no_transaction();
            return Ok(false);
        }
        if !self.block.explicit {
            self.warn_no_transaction();
        }
        self.commit_transaction()?;
        Ok(false)
    }

    pub(crate) fn warn_no_transaction(&self) {
        self.core.notice(common::PgError::notice(
            common::error::Severity::Warning,
            common::sqlstate::NO_ACTIVE_SQL_TRANSACTION,
            "there is no transaction in progress",
        ));
    }

    /// Commits whatever runs. After an error nothing of it has happened.
    pub(crate) fn commit_transaction(&mut self) -> PgResult<()> {
        if let Err(e) = self.before_commit() {
            self.rollback_block();
            return Err(e);
        }
        let Some(mut txn) = self.block.txn.take() else {
            self.end_block();
            return Ok(());
        };
        let txn = txn.get_mut();
        let logged = match self.core.sequence_logged.take() {
            true => txn.require_record(),
            false => Ok(()),
        };
        match logged.and_then(|()| txn.commit_in_place()) {
            Ok(_) => {
                self.core.guc.borrow_mut().commit();
                self.core.deliver_notifications();
                self.end_block();
                self.core.db.autovacuum.after_commit(&self.core.db);
                Ok(())
            }
            Err(e) => {
                if let Some(xid) = txn.xid() {
                    self.core.db.outcomes.note_abort(xid.0);
                }
                self.abort_transaction();
                self.core.guc.borrow_mut().rollback_to(0);
                self.core.pending_notify.borrow_mut().clear();
                self.end_block();
                Err(e)
            }
        }
    }

    pub(crate) fn before_commit(&mut self) -> PgResult<()> {
        self.run_deferred()?;
        self.run_on_commit_actions()?;
        self.portals_at_commit()
    }

    /// Ends the transaction without its changes.
    fn abort_transaction(&mut self) {
        self.core.withdraw_snapshots();
        self.core.shown.transaction_ends();
        if let Some(txn) = self.block.txn.take() {
            let txn = txn.into_inner();
            if let Some(xid) = txn.xid() {
                self.core.db.outcomes.note_abort(xid.0);
            }
            self.undoing.begin(txn, &self.core);
        }
        if let Some(namespace) = self.block.temp_before {
            self.core.temp_namespace.set(namespace);
        }
    }

    /// Rolls back whatever runs.
    pub(crate) fn rollback_block(&mut self) {
        self.portals_at_abort(0);
        self.abort_transaction();
        self.core.sequence_logged.set(false);
        self.core.guc.borrow_mut().rollback_to(0);
        self.core.pending_notify.borrow_mut().clear();
        self.end_block();
    }

    pub(crate) fn role_settings(&self) -> (Arc<str>, Arc<str>) {
        let guc = self.core.guc.borrow();
        (guc.get("role").into(), guc.get("session_authorization").into())
    }

    /// The current role follows its setting, which a rollback (or the end of SET LOCAL) has put back.
    fn follow_role_setting(&mut self) {
        let Some((first, _)) = self.block.roles.first() else {
            return;
        };
        let settings = self.role_settings();
        // RESET SESSION AUTHORIZATION leaves a role in the setting that is not the current one.
        if settings == self.block.role_settings {
            return;
        }
        let wanted: Arc<str> = match (&*settings.0, &*settings.1) {
            ("none", "") => first.clone(),
            ("none", session) => session.into(),
            (role, _) => role.into(),
        };
        let known = self.block.roles.iter().find(|(name, _)| *name == wanted);
        if let Some((name, oid)) = known.or(self.block.roles.first()) {
            self.core.user.set(*oid);
            *self.core.user_name.borrow_mut() = name.clone();
        }
    }

    pub(crate) fn end_block(&mut self) {
        self.follow_role_setting();
        self.block = Block::default();
        self.core.shown.transaction_ends();
        self.core.withdraw_snapshots();
        self.core.used_temp.set(false);
        self.core.large_objects.borrow_mut().close_all();
        self.core.after.clear();
        self.core.catalog_state.borrow_mut().transaction_ended();
        let settings = settings::current(&mut self.settings, &self.core, &self.block);
        show_default_modes(&self.core, settings);
    }

    /// After an error: an explicit block is failed until ROLLBACK, anything else is rolled back.
    pub(crate) fn statement_failed(&mut self) {
        self.core.after.statement_failed();
        if !self.block.explicit {
            self.rollback_block();
            return;
        }
        self.block.failed = true;
        self.portals_at_abort(self.block.savepoints.len());
        if self.block.savepoints.is_empty() {
            // Nothing to go back to: locks need not be kept until the client says ROLLBACK.
            self.abort_transaction();
            self.core.guc.borrow_mut().rollback_to(0);
            self.follow_role_setting();
        }
    }

    fn set_read_only(&mut self, read_only: bool) {
        if self.block.read_only == read_only {
            return;
        }
        self.block.read_only = read_only;
        if let Some(txn) = &self.block.txn {
            txn.borrow_mut().options_mut().serial.read_only = read_only;
        }
        self.core
            .guc
            .borrow_mut()
            .set_internal("transaction_read_only", if read_only { "on" } else { "off" });
    }

    /// SAVEPOINT.
    pub(crate) fn savepoint(&mut self, name: &str) -> PgResult<()> {
        self.require_block("SAVEPOINT")?;
        let Some(txn) = &self.block.txn else {
            return Err(common::internal!("block without a transaction"));
        };
        let point = txn.borrow_mut().savepoint()?;
        self.block.savepoints.push(NamedSavepoint {
            name: name.to_owned(),
            point,
            guc_mark: self.core.guc.borrow().mark(),
            after_mark: self.core.after.mark(),
            notify_mark: self.core.pending_notify.borrow().len(),
            temp_namespace: self.core.temp_namespace.get(),
            read_only: self.block.read_only,
        });
        self.core.savepoints.set(self.block.savepoints.len());
        Ok(())
    }

    fn require_block(&self, what: &str) -> PgResult<()> {
        if self.block.explicit {
            return Ok(());
        }
        Err(pg_err!(
            NO_ACTIVE_SQL_TRANSACTION,
            "{what} can only be used in transaction blocks"
        ))
    }

    fn find_savepoint(&self, name: &str) -> PgResult<usize> {
        self.block
            .savepoints
            .iter()
            .rposition(|s| s.name == name)
            .ok_or_else(|| pg_err!(S_E_INVALID_SPECIFICATION, "savepoint \"{name}\" does not exist"))
    }

    /// RELEASE SAVEPOINT.
    pub(crate) fn release_savepoint(&mut self, name: &str) -> PgResult<()> {
        self.require_block("RELEASE SAVEPOINT")?;
        let at = self.find_savepoint(name)?;
        let before = self.block.savepoints.get(at).map(|s| s.read_only);
        self.block.savepoints.truncate(at);
        self.core.savepoints.set(at);
        self.cursors_at_release(at);
        if let Some(before) = before {
            self.set_read_only(before);
        }
        Ok(())
    }

    /// ROLLBACK TO SAVEPOINT; the savepoint stays.
    pub(crate) fn rollback_to_savepoint(&mut self, name: &str) -> PgResult<()> {
        self.require_block("ROLLBACK TO SAVEPOINT")?;
        let at = self.find_savepoint(name)?;
        self.block.savepoints.truncate(at + 1);
        self.core.savepoints.set(at + 1);
        self.portals_at_abort(at + 1);
        let Some(sp) = self.block.savepoints.last() else {
            return Err(common::internal!("savepoint vanished"));
        };
        let Some(txn) = &self.block.txn else {
            return Err(common::internal!("block without a transaction"));
        };
        txn.borrow_mut().rollback_to(&sp.point)?;
        // What comes next must not count as the command that was undone.
        txn.borrow_mut().next_command()?;
        let read_only = sp.read_only;
        self.core.guc.borrow_mut().rollback_to(sp.guc_mark);
        self.core.after.rollback_to(&sp.after_mark);
        self.core.temp_namespace.set(sp.temp_namespace);
        self.core.pending_notify.borrow_mut().truncate(sp.notify_mark);
        self.block.failed = false;
        self.set_read_only(read_only);
        self.core
            .catalog_state
            .borrow_mut()
            .rolled_back_to_savepoint(&self.core.db.catalog);
        self.follow_role_setting();
        Ok(())
    }
}
