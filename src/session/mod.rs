//! A session: one client's settings, transaction, prepared statements and portals.
//!
//! # How it works
//! Statements go through `prepare` (parse, analyze; cached by text), `bind` (a [`Portal`] with parameter values) and
//! [`Session::step`], which runs until there is something to hand out. The embedding API, the simple and the extended protocol are
//! three thin layers over these.
//!
//! # Invariants
//! - Every entry point that runs engine code catches panics: the statement fails with XX000, the transaction rolls back, the session
//!   goes on, and no other session notices.
//! - Outside of a transaction block each statement (or each string of several) is a transaction of its own.

pub(crate) mod block;
pub(crate) mod catalog;
pub(crate) mod command;
pub(crate) mod control;
pub(crate) mod core;
pub(crate) mod current_of;
mod cursor;
mod database_name;
mod definitions;
pub(crate) mod env;
mod fastpath;
mod in_use;
mod inner_query;
pub(crate) mod large_object;
pub(crate) mod named;
pub(crate) mod names;
pub(crate) mod notify;
pub(crate) mod object_names;
pub(crate) mod plan;
pub(crate) mod plpgsql;
pub(crate) mod plpgsql_functions;
pub(crate) mod portal;
pub(crate) mod prepared;
pub(crate) mod routine;
mod routine_text;
pub(crate) mod run;
pub(crate) mod script;
mod sequences;
pub(crate) mod server;
pub(crate) mod settings;
pub(crate) mod shown;
mod signals;
pub(crate) mod snapshots;
mod statistics_text;
pub(crate) mod system;
pub(crate) mod tag;
pub(crate) mod template;
mod text_search;
pub(crate) mod timeout;
mod trigger_text;
pub(crate) mod two_phase;
mod undoing;
mod worker;

use std::sync::Arc;

use commands::guc::GucStore;
use commands::verify::Finding;
use common::cancel::{CancelReason, CancelToken};
use common::{Oid, PgError, PgResult, pg_err};
use types::FormatSettings;
use types::encoding::Encoding;

use crate::autovacuum::Lease;
use crate::database::{Inner, LoginRole, SessionEntry};
use crate::error::{Error, Result};
use crate::session::block::Block;
use crate::session::catalog::SessionCatalog;
use crate::session::core::SessionCore;
use crate::session::notify::Notification;
use crate::session::prepared::StatementCache;
use crate::session::undoing::Undoing;

/// Statements kept per session by text.
const STATEMENT_CACHE: usize = 256;

/// A session. `Send`: it may move between threads, but does one thing at a time.
pub struct Session {
    pub(crate) core: Box<SessionCore>,
    pub(crate) block: Block,
    /// The transaction before, as long as it is being undone.
    pub(crate) undoing: Undoing,
    pub(crate) cache: StatementCache,
    pub(crate) templates: template::Templates,
    pub(crate) settings: Option<Arc<settings::Settings>>,
    pub(crate) costs: Option<(u64, Arc<planner::CostSettings>, u64)>,
    /// Temporary tables to empty (false) or drop (true) at commit.
    pub(crate) on_commit: Vec<(Oid, bool)>,
    pub(crate) copy_in: Option<Box<run::RunningCopyIn>>,
    /// `statement_timeout` of the running extended-protocol messages.
    pub(crate) message_deadline: Option<timeout::Guard>,
    /// Scratch space for parameters on their way in.
    pub(crate) bind_buffer: bytes::BytesMut,
    secret: u64,
    /// It was asked to end, and has; or its transaction took too long.
    ended: bool,
    /// Keeps the database open; the autovacuum's own session has none.
    _lease: Option<Arc<Lease>>,
}

/// Asks a running statement to stop, from any thread.
#[derive(Clone)]
pub struct InterruptHandle {
    db: std::sync::Weak<Inner>,
    pid: i32,
    cancel: CancelToken,
}

impl InterruptHandle {
    /// The statement now running ends with 57014.
    pub fn interrupt(&self) {
        if let Some(db) = self.db.upgrade() {
            db.signal(self.pid, None, CancelReason::User);
        }
    }

    /// True when the session was asked to end (`pg_terminate_backend`, shutdown).
    pub fn is_terminated(&self) -> bool {
        self.cancel.reason() == Some(CancelReason::Shutdown)
    }
}

impl Session {
    pub(crate) fn new(db: Arc<Inner>, lease: Option<Arc<Lease>>, role: &str) -> Result<Session> {
        let pid = db.new_pid();
        let proc = db.storage.register(pid)?;
        let mut seed = [0_u8; 24];
        db.env.fill_random(&mut seed);
        let word = |i: usize| {
            seed[i * 8..(i + 1) * 8]
                .iter()
                .fold(0_u64, |v, b| v << 8 | u64::from(*b))
        };
        let number = db.new_session_number();
        let guc = first_settings(&db, role);
        let core = SessionCore::new(&db, pid, number, proc.clone(), role, guc, [word(0), word(1)]);
        let cancel = core.cancel.clone();
        let secret = word(2);
        let entry = SessionEntry {
            secret,
            role: core.session_user,
            cancel,
            proc,
            mailbox: core.mailbox.clone(),
            shown: core.shown.clone(),
            automatic: lease.is_none(),
        };
        db.sessions.write().insert(pid, entry);
        let mut session = Session {
            core: Box::new(core),
            block: Block::default(),
            undoing: Undoing::default(),
            cache: StatementCache::new(STATEMENT_CACHE),
            templates: template::Templates::new(STATEMENT_CACHE),
            settings: None,
            costs: None,
            on_commit: Vec::new(),
            copy_in: None,
            message_deadline: None,
            bind_buffer: bytes::BytesMut::new(),
            secret,
            ended: false,
            _lease: lease,
        };
        if role != "postgres" {
            session.become_role(role)?;
        }
        session.take_kept_settings()?;
        session.core.show_settings();
        Ok(session)
    }

    /// What ALTER DATABASE ... SET and ALTER ROLE ... SET keep for this session. A value that is wrong by now is passed over.
    fn take_kept_settings(&mut self) -> Result<()> {
        let (database, role) = (self.core.db.database_oid, self.core.user.get());
        self.core.statement_start.set(self.core.now());
        self.ensure_transaction()?;
        let found = self.current_view().and_then(|view| {
            let mut found = Vec::new();
            // What is more special comes later.
            for (database, role) in [
                (Oid::INVALID, Oid::INVALID),
                (database, Oid::INVALID),
                (Oid::INVALID, role),
                (database, role),
            ] {
                found.extend(::catalog::ddl::settings::settings_of(
                    view.rows(),
                    database,
                    role,
                )?);
            }
            Ok(found)
        });
        self.rollback_block();
        for setting in found? {
            if let Some((name, value)) = setting.split_once('=') {
                let _wrong_by_now = self.core.guc.borrow_mut().set_default(name, value);
            }
        }
        Ok(())
    }

    /// Looks the role up and makes it the session's.
    fn become_role(&mut self, role: &str) -> Result<()> {
        let found = self.with_roles(|roles| Ok(roles.by_name(role).map(|r| (r.oid, r.superuser))))?;
        let Some((oid, superuser)) = found else {
            return Err(pg_err!(
                INVALID_AUTHORIZATION_SPECIFICATION,
                "role \"{role}\" does not exist"
            )
            .into());
        };
        self.core.user.set(oid);
        self.core.session_user = oid;
        if let Some(entry) = self.core.db.sessions.write().get_mut(&self.core.pid) {
            entry.role = oid;
        }
        self.core
            .guc
            .borrow_mut()
            .set_internal("is_superuser", if superuser { "on" } else { "off" });
        Ok(())
    }

    fn with_roles<T>(&mut self, f: impl FnOnce(&::catalog::privileges::Roles) -> PgResult<T>) -> Result<T> {
        self.core.statement_start.set(self.core.now());
        let was_idle = self.block.txn.is_none();
        self.ensure_transaction()?;
        let result = self.current_view().and_then(|view| f(&*view.roles()?));
        if was_idle {
            self.rollback_block();
        }
        Ok(result?)
    }

    /// Checks the tables of users and their indexes, in a transaction of its own.
    pub(crate) fn verify_tables(&mut self) -> Result<Vec<Finding>> {
        self.core.statement_start.set(self.core.now());
        let nothing = self.prepare_statement(&"".into(), None, &[])?;
        let found = self.with_command(&nothing, &[], |cx| commands::verify::all_tables(cx));
        self.rollback_block();
        Ok(found?)
    }

    pub(crate) fn login_role(&mut self, name: &str) -> Result<Option<LoginRole>> {
        self.with_roles(|roles| {
            Ok(roles.by_name(name).map(|r| LoginRole {
                can_login: r.can_login,
                verifier: r.password.as_ref().map(|p| p.to_string()),
            }))
        })
    }

    /// Process id as `pg_backend_pid()` and BackendKeyData say it.
    pub fn process_id(&self) -> i32 {
        self.core.pid
    }

    /// The secret that a cancel request must know.
    pub fn secret_key(&self) -> u64 {
        self.secret
    }

    /// A handle with which other threads can stop the running statement.
    pub fn interrupt_handle(&self) -> InterruptHandle {
        InterruptHandle {
            db: Arc::downgrade(&self.core.db),
            pid: self.core.pid,
            cancel: self.core.cancel.clone(),
        }
    }

    /// True while it listens on a channel.
    pub fn is_listening(&self) -> bool {
        self.core.mailbox.is_listening()
    }

    /// Notices and warnings since the last call, oldest first.
    pub fn take_notices(&mut self) -> Vec<Error> {
        self.core.placed_notices.set(0);
        std::mem::take(&mut *self.core.notices.borrow_mut())
            .into_iter()
            .map(Error::from)
            .collect()
    }

    /// Notifications that arrived on channels listened to.
    pub fn take_notifications(&mut self) -> Vec<Notification> {
        self.core.mailbox.drain()
    }

    /// Calls `waker` whenever a notification arrives (from the notifying thread).
    pub fn on_notification(&mut self, waker: Option<Box<dyn Fn() + Send + Sync>>) {
        self.core.mailbox.set_waker(waker);
    }

    /// A setting as SHOW prints it.
    pub fn setting(&self, name: &str) -> Result<String> {
        Ok(self.core.guc.borrow().show(name)?)
    }

    /// A default of this connection, as start-up parameters give it: RESET goes back to it.
    pub fn set_default(&mut self, name: &str, value: &str) -> Result<()> {
        self.core.guc.borrow_mut().set_default(name, value)?;
        self.core.show_settings();
        Ok(())
    }

    /// Texts of values and of COPY come and go in `client_encoding` from now on, as protocol servers need it. Without this they are UTF-8,
    /// as Rust's are, whatever that setting says.
    pub fn use_client_encoding(&mut self) {
        self.core.use_client_encoding();
    }

    /// What values come and go in.
    pub fn client_encoding(&mut self) -> Encoding {
        self.format_settings().client_encoding
    }

    /// Settings that shape values, current.
    pub fn format_settings(&mut self) -> Arc<FormatSettings> {
        self.core.format_settings()
    }

    pub(crate) fn session_catalog(&self) -> SessionCatalog<'_> {
        self.core.catalog()
    }

    /// The catalog as the next statement sees it. A transaction must run.
    pub(crate) fn current_view(&self) -> PgResult<Arc<catalog::View>> {
        let Some(txn) = &self.block.txn else {
            return Err(common::internal!("no transaction to look under"));
        };
        self.session_catalog().statement_view(&txn.borrow())
    }

    /// Runs engine code; a panic in it becomes an error of this statement alone.
    pub(crate) fn guarded<T>(&mut self, f: impl FnOnce(&mut Session) -> PgResult<T>) -> PgResult<T> {
        if self.ended {
            return Err(pg_err!(CONNECTION_DOES_NOT_EXIST, "the session has ended"));
        }
        let _entered = self.core.cancel.enter();
        self.core.stack_base.set(routine::stack_position());
        self.core.contexts.borrow_mut().clear();
        let run = std::panic::AssertUnwindSafe(|| f(self));
        match std::panic::catch_unwind(run) {
            Ok(result) => result,
            Err(panic) => {
                let text = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| panic.downcast_ref::<&str>().copied())
                    .unwrap_or("unknown panic");
                Err(common::internal!("internal error: {text}"))
            }
        }
    }

    /// Adds the statement text to an error and puts the session in order after it.
    pub(crate) fn fail(&mut self, e: Box<PgError>, sql: &str) -> Error {
        {
            let _entered = self.core.cancel.enter();
            self.statement_failed();
            self.at_rest();
        }
        if e.ends_session() {
            self.end();
        }
        let e = if e.sqlstate == common::sqlstate::STATEMENT_TOO_COMPLEX {
            self.with_stack_limit(e)
        } else {
            e
        };
        Error::from_engine(e, sql)
    }
}

impl Session {
    /// Hints that name `max_stack_depth` name its value.
    #[cold]
    fn with_stack_limit(&self, mut e: Box<PgError>) -> Box<PgError> {
        let limit = self.core.guc.borrow().get_number("max_stack_depth");
        if let Some(hint) = &mut e.hint {
            *hint = hint.replace("(currently 2048kB)", &format!("(currently {limit}kB)"));
        }
        e
    }
}

impl Session {
    /// Gives back all that it has; later statements fail.
    fn end(&mut self) {
        if self.ended {
            return;
        }
        // Who was asked to end is not to be stopped in it.
        self.core.cancel = CancelToken::new();
        self.core.portals.get_mut().clear();
        self.core.cursors.get_mut().clear();
        self.rollback_block();
        self.finish_undoing();
        self.core.db.notify.unlisten(None, &self.core.mailbox);
        self.drop_temporary_objects();
        self.finish_undoing();
        self.core.db.sessions.write().remove(&self.core.pid);
        self.ended = true;
    }

    /// Somebody asked it to end (`pg_terminate_backend`, shutdown), or it has ended.
    pub fn is_terminated(&self) -> bool {
        self.ended || self.core.cancel.reason() == Some(CancelReason::Shutdown)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.end();
    }
}

/// Settings that a session is born with.
fn first_settings(db: &Inner, role: &str) -> GucStore {
    let mut guc = GucStore::default();
    guc.set_internal("session_authorization", role);
    guc.set_internal("max_prepared_transactions", &db.prepared.max().to_string());
    guc
}
