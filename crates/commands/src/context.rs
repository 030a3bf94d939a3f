//! What a utility statement may use, and what it hands back.

use std::cell::RefCell;
use std::sync::Arc;

use access::Transaction;
use catalog::CatalogView;
use catalog::ddl::Ddl;
use catalog::desc::RelationDesc;
use catalog::privileges::Roles;
use common::cancel::CancelToken;
use common::env::Env;
use common::error::Severity;
use common::memory::MemoryBudget;
use common::{Oid, PgError, PgResult, SqlState, sqlstate};
use executor::RelationOpener;
use functions::SessionContext;
use types::Datum;
use types::settings::{FormatSettings, TypeRef};

use crate::guc::GucStore;

/// The catalogs of a database, for reading and for changing, whoever holds them.
pub trait CatalogHandle {
    /// The catalog as it is now, the transaction's own changes included. Keeps no borrow of the transaction.
    fn view(&self, txn: &mut Transaction) -> PgResult<Arc<dyn CatalogView>>;
    /// Runs a change of the catalogs; what it wrote is visible when this returns.
    fn change(
        &self,
        txn: &mut Transaction,
        user: Oid,
        work: &mut dyn FnMut(&mut Ddl<'_>) -> PgResult<()>,
    ) -> PgResult<()>;
    /// Commits the running transaction and begins another one in its place (CONCURRENTLY).
    fn restart(&self, txn: &mut Transaction) -> PgResult<()>;
    /// All roles and memberships.
    fn roles(&self, txn: &mut Transaction) -> PgResult<Arc<Roles>>;
    /// Schema for new objects without one (`None`: no schema has been selected to create in).
    fn creation_namespace(&self, txn: &mut Transaction) -> PgResult<Option<Oid>>;
    /// The session's temporary schema, if it has been made.
    fn temp_namespace(&self) -> Option<Oid>;
    /// Tells the session about its new temporary schema; search paths change with it.
    fn set_temp_namespace(&self, namespace: Option<Oid>);
}

/// Things that only the session can do, asked for by a statement and done by the session right after it.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionAction {
    /// DISCARD ALL, DISCARD PLANS: forget cached plans (of prepared statements too).
    ForgetPlans,
    /// DISCARD ALL: close cursors, deallocate prepared statements, UNLISTEN *, release advisory locks.
    Reset,
    /// DISCARD SEQUENCES, DISCARD ALL: forget `currval` and cached values.
    ForgetSequences,
    /// A sequence was dropped or altered: forget its cached values.
    ForgetSequence(Oid),
    /// A sequence was altered: values that the session took ahead are not used.
    SequenceAltered(Oid),
    /// A temporary relation was dropped: the transaction is the session's own business.
    UsedTemporary,
    /// A temporary table with ON COMMIT DELETE ROWS was made.
    OnCommitDeleteRows(Oid),
    /// A temporary table with ON COMMIT DROP was made.
    OnCommitDrop(Oid),
    /// SET TRANSACTION and relatives: modes of the running transaction, already checked.
    TransactionModes(TransactionModes),
    /// SET TRANSACTION SNAPSHOT.
    ImportSnapshot(String),
    /// SET SESSION AUTHORIZATION or SET ROLE: the new current role.
    SetRole(Oid),
}

/// Modes of a transaction, as far as they were written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransactionModes {
    /// ISOLATION LEVEL.
    pub isolation: Option<access::Isolation>,
    /// READ ONLY or READ WRITE.
    pub read_only: Option<bool>,
    /// DEFERRABLE or not.
    pub deferrable: Option<bool>,
}

/// Everything that a utility statement may use.
pub struct CommandContext<'a> {
    /// The running transaction. Borrowed only inside single calls below, as functions may borrow it, too.
    pub txn: &'a RefCell<Transaction>,
    /// The catalogs.
    pub catalog: &'a dyn CatalogHandle,
    /// Settings. In a cell because functions called by the statement read and change them, too.
    pub guc: &'a RefCell<GucStore>,
    /// Settings that shape values as text.
    pub settings: FormatSettings,
    /// The session as functions see it.
    pub session: &'a dyn SessionContext,
    /// Checked in every loop.
    pub cancel: &'a CancelToken,
    /// NOTICEs and WARNINGs for the client, in order.
    pub notices: &'a RefCell<Vec<Box<PgError>>>,
    /// What the session must do after the statement.
    pub actions: &'a mut Vec<SessionAction>,
    /// Opens tables and indexes.
    pub relations: &'a dyn RelationOpener,
    /// Hard limit of what a statement may hold.
    pub memory: &'a MemoryBudget,
    /// Where work beyond `work_mem` goes.
    pub temp: &'a access::TempSpace,
    /// Constraint checks that wait for the end of the transaction.
    pub after: &'a executor::AfterQueue,
    /// True for relations that queries of the session use just now.
    pub in_use: &'a dyn Fn(&RelationDesc) -> bool,
    /// Clock, randomness, files.
    pub env: &'a dyn Env,
    /// Starts parallel workers.
    pub workers: Option<&'a dyn executor::WorkerHost>,
    /// The whole statement string that spans point into.
    pub source: &'a str,
    /// Values of `$1..$n`.
    pub params: &'a [Datum],
    /// Their types.
    pub param_types: &'a [Oid],
    /// The routine that the statement belongs to: names of its parameters.
    pub routine: Option<analyzer::RoutineScope>,
    /// `current_user`.
    pub user: Oid,
    /// `session_user`.
    pub session_user: Oid,
    /// OID of the current database.
    pub database: Oid,
    /// Its name.
    pub database_name: Arc<str>,
    /// Number of the session: names its temporary schema (`pg_temp_N`).
    pub session_number: u32,
    /// Whether somebody wrote the statement, or the database keeps itself in order.
    pub asked: access::Asked,
    /// Inside BEGIN ... COMMIT (explicit or of a multi-statement string) or a function.
    pub in_transaction_block: bool,
}

/// A column of a statement's result.
#[derive(Clone, Debug, PartialEq)]
pub struct ResultColumn {
    /// Its heading.
    pub name: String,
    /// Type and modifier.
    pub type_ref: TypeRef,
}

impl ResultColumn {
    /// A column of a type without modifier.
    pub fn new(name: impl Into<String>, type_oid: Oid) -> ResultColumn {
        ResultColumn {
            name: name.into(),
            type_ref: TypeRef::plain(type_oid),
        }
    }
}

/// Rows that a statement hands out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResultSet {
    /// Headings.
    pub columns: Vec<ResultColumn>,
    /// One datum per column.
    pub rows: Vec<Vec<Datum>>,
}

/// What became of a statement.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandOutcome {
    /// PostgreSQL's command tag.
    pub tag: String,
    /// For statements with a result.
    pub rows: Option<ResultSet>,
}

impl CommandOutcome {
    /// A statement without result.
    pub fn tag(tag: impl Into<String>) -> CommandOutcome {
        CommandOutcome {
            tag: tag.into(),
            rows: None,
        }
    }
}

impl CommandContext<'_> {
    /// The catalog as it is now.
    pub fn view(&self) -> PgResult<Arc<dyn CatalogView>> {
        self.catalog.view(&mut self.txn.borrow_mut())
    }

    /// Runs a change of the catalogs and hands back what it made.
    pub fn ddl<T>(&self, work: impl FnOnce(&mut Ddl<'_>) -> PgResult<T>) -> PgResult<T> {
        let mut work = Some(work);
        let mut made = None;
        let mut notices = Vec::new();
        let result = self
            .catalog
            .change(&mut self.txn.borrow_mut(), self.user, &mut |ddl| {
                let Some(work) = work.take() else {
                    return Err(common::internal!("catalog change was run twice"));
                };
                let outcome = work(ddl);
                notices.append(&mut ddl.notices);
                made = Some(outcome?);
                Ok(())
            });
        self.tell(notices);
        result?;
        made.ok_or_else(|| common::internal!("catalog change was not run"))
    }

    /// Roles and memberships.
    pub fn roles(&self) -> PgResult<Arc<Roles>> {
        self.catalog.roles(&mut self.txn.borrow_mut())
    }

    /// What is there already, or not there: an error, or, where the statement says IF [NOT] EXISTS, a NOTICE.
    pub fn skip(&self, allowed: bool, code: SqlState, message: String) -> PgResult<()> {
        if !allowed {
            return Err(PgError::new(code, message));
        }
        self.skipping(code, &message);
        Ok(())
    }

    /// The NOTICE of [`Self::skip`], where the condition is met already.
    pub fn skipping(&self, code: SqlState, message: &str) {
        // What is missing is worth no code.
        let code = match code {
            sqlstate::DUPLICATE_OBJECT
            | sqlstate::DUPLICATE_TABLE
            | sqlstate::DUPLICATE_SCHEMA
            | sqlstate::DUPLICATE_COLUMN => code,
            _ => sqlstate::SUCCESSFUL_COMPLETION,
        };
        self.notice(PgError::notice(
            Severity::Notice,
            code,
            format!("{message}, skipping"),
        ));
    }

    /// Adds a NOTICE.
    pub fn notice(&self, notice: Box<PgError>) {
        self.tell(vec![notice]);
    }

    /// Adds messages, if the client wants such.
    pub(crate) fn tell(&self, mut messages: Vec<Box<PgError>>) {
        let guc = self.guc.borrow();
        messages.retain(|m| guc.tells_client(m.severity));
        self.notices.borrow_mut().append(&mut messages);
    }
}
