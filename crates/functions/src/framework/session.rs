//! What functions may ask of the session they run in.
//!
//! # Invariants
//! - Every method has a default that answers 0A000, so that a session may be written one need at a time and tests run
//!   with [`NoSession`].
//! - Methods take `&self`: a session keeps what functions may change (sequences, settings) behind its own interior
//!   mutability.

use std::sync::Arc;

use common::{Oid, PgResult, unsupported};
use types::Datum;

use crate::families::textsearch::DictionaryStore;
use crate::framework::context::CallInfo;
use types::io::{NameResolver, NoNames};
use types::settings::TypeRef;

macro_rules! ask {
    ($($(#[$doc:meta])* fn $name:ident(&self $(, $arg:ident: $ty:ty)*) -> $ret:ty;)*) => {$(
        $(#[$doc])*
        fn $name(&self $(, $arg: $ty)*) -> PgResult<$ret> {
            $( let _ = &$arg; )*
            Err(unsupported!("{} is not available here", stringify!($name)))
        }
    )*};
}

/// Which object a comment, definition or privilege is asked of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ObjectClass {
    Table,
    Column,
    Sequence,
    Database,
    Function,
    Language,
    Schema,
    Server,
    ForeignDataWrapper,
    Tablespace,
    Type,
    Role,
    Parameter,
}

/// An object by OID or by the name a user wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ObjectRef<'a> {
    Oid(Oid),
    Name(&'a str),
}

/// What upper and lower case are under a collation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CharacterRules {
    /// Only the letters of ASCII have case.
    #[default]
    Ascii,
    /// Unicode, one character for one.
    Simple,
    /// Unicode, where one character may become several.
    Full,
}

/// The kinds of `pg_get_*def`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum DefKind {
    View,
    Index,
    Constraint,
    Rule,
    Trigger,
    Function,
    FunctionArguments,
    FunctionIdentityArguments,
    FunctionResult,
    Statistics,
    PartitionKey,
    PartitionConstraint,
}

/// What `pg_*_is_visible` asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum VisibleKind {
    Table,
    Type,
    Function,
    Operator,
    Opclass,
    Opfamily,
    Collation,
    Conversion,
    Statistics,
    TsParser,
    TsDict,
    TsTemplate,
    TsConfig,
}

/// The sizes of a relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SizeKind<'a> {
    Relation { oid: Oid, fork: &'a str },
    Table(Oid),
    Indexes(Oid),
    TotalRelation(Oid),
    Database(ObjectRef<'a>),
    Tablespace(ObjectRef<'a>),
}

/// A privilege question: may `user` do `privilege` to `object`?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct PrivilegeQuestion<'a> {
    /// `None`: the current user.
    pub user: Option<ObjectRef<'a>>,
    pub class: ObjectClass,
    pub object: ObjectRef<'a>,
    /// For columns: name or number.
    pub column: Option<ColumnRef<'a>>,
    /// As written: `SELECT, INSERT WITH GRANT OPTION`.
    pub privilege: &'a str,
}

/// A column by name or number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ColumnRef<'a> {
    Name(&'a str),
    Number(i16),
}

/// A row of `pg_ts_dict`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct TextSearchDictionary {
    pub name: String,
    /// The built-in template whose functions do the work.
    pub template: String,
    /// Name of the template.
    pub template_name: String,
    /// The template takes options.
    pub has_init: bool,
    pub options: Option<String>,
}

/// What a query run by a function brought.
#[derive(Clone, Debug, Default)]
pub struct QueryRows {
    /// Its result columns.
    pub columns: Vec<QueryColumn>,
    /// Its rows.
    pub rows: types::Rows,
}

/// A result column.
#[derive(Clone, Debug)]
pub struct QueryColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub type_ref: TypeRef,
}

/// The session as functions see it. Times are microseconds since 2000-01-01 UTC.
pub trait SessionContext {
    /// Names behind `reg*` values and types made by users.
    fn resolver(&self) -> &dyn NameResolver {
        &NoNames
    }

    ask! {
        /// Start of the transaction (`now()`).
        fn transaction_timestamp(&self) -> i64;
        /// Arrival of the statement.
        fn statement_timestamp(&self) -> i64;
        /// Right now.
        fn clock_timestamp(&self) -> i64;
        /// Start of the process, and of the last configuration load.
        fn postmaster_start_time(&self) -> i64;
        /// Uniform in `[0, 1)` from the session's generator.
        fn random(&self) -> f64;
        /// 64 random bits from the session's generator.
        fn random_u64(&self) -> u64;
        /// `setseed`.
        fn set_seed(&self, seed: f64) -> ();
        /// Cryptographic randomness (`gen_random_uuid`).
        fn strong_random(&self, bytes: &mut [u8]) -> ();
        /// Value of a setting as SHOW prints it; `None` when unknown and `missing_ok`.
        fn current_setting(&self, name: &str, missing_ok: bool) -> Option<String>;
        /// `set_config`; returns the new value as shown.
        fn set_config(&self, name: &str, value: Option<&str>, is_local: bool) -> String;
        /// Effective user.
        fn current_user(&self) -> String;
        /// Authenticated user.
        fn session_user(&self) -> String;
        /// Database name.
        fn current_database(&self) -> String;
        /// First schema of the search path, `None` when it is empty.
        fn current_schema(&self) -> Option<String>;
        /// The search path's existing schemas.
        fn current_schemas(&self, include_implicit: bool) -> Vec<String>;
        /// Process id as clients see it.
        fn backend_pid(&self) -> i32;
        /// Text of the running statement.
        fn current_query(&self) -> Option<String>;
        /// Advances a sequence.
        fn nextval(&self, sequence: Oid) -> i64;
        /// Last value given out in this session.
        fn currval(&self, sequence: Oid) -> i64;
        /// Sets a sequence.
        fn setval(&self, sequence: Oid, value: i64, is_called: bool) -> i64;
        /// Last `nextval` of any sequence in this session.
        fn lastval(&self) -> i64;
        /// Role name.
        fn role_name(&self, role: Oid) -> Option<String>;
        /// Visible in the search path without qualification; `None` when there is no such object.
        fn is_visible(&self, kind: VisibleKind, oid: Oid) -> Option<bool>;
        /// `format_type`.
        fn format_type(&self, type_oid: Oid, typmod: Option<i32>) -> String;
        /// Text of a stored expression tree relative to a relation.
        fn get_expr(&self, tree: &str, relation: Oid, pretty: bool) -> Option<String>;
        /// `pg_get_*def`; `column` is for index columns (0: all).
        fn get_def(&self, kind: DefKind, oid: Oid, column: i32, pretty: bool) -> Option<String>;
        /// `pg_get_serial_sequence`.
        fn serial_sequence(&self, table: &str, column: &str) -> Option<String>;
        /// A comment: object, its catalog, column number or 0.
        fn description(&self, object: Oid, catalog: Option<&str>, column: i32) -> Option<String>;
        /// A comment on a shared object.
        fn shared_description(&self, object: Oid, catalog: &str) -> Option<String>;
        /// `has_*_privilege`; `None` when the object is gone (SQL NULL).
        fn has_privilege(&self, question: PrivilegeQuestion<'_>) -> Option<bool>;
        /// The dictionaries of a text search configuration: kind of token and dictionary, in order.
        fn text_search_config(&self, config: Oid) -> Vec<(i32, Oid)>;
        /// A text search dictionary.
        fn text_search_dictionary(&self, dictionary: Oid) -> TextSearchDictionary;
        /// The opened dictionaries of the database, and their files.
        fn dictionary_store(&self) -> Arc<DictionaryStore>;
        /// What `default_text_search_config` names.
        fn default_text_search_config(&self) -> Oid;
        /// Bytes.
        fn size(&self, kind: SizeKind<'_>) -> Option<i64>;
        /// The transaction's id, assigned when there is none yet and `assign`.
        fn transaction_id(&self, assign: bool) -> Option<u64>;
        /// True inside recovery of a standby.
        fn is_in_recovery(&self) -> bool;
        /// `pg_cancel_backend`.
        fn cancel_backend(&self, pid: i32) -> bool;
        /// `pg_terminate_backend`; the timeout is in milliseconds.
        fn terminate_backend(&self, pid: i32, timeout: i64) -> bool;
        /// Waits; cancellable.
        fn sleep(&self, seconds: f64) -> ();
        /// `pg_notify`.
        fn notify(&self, channel: &str, payload: &str) -> ();
        /// Advisory locks: key, shared, transaction level, wait; false when not obtained.
        fn advisory_lock(&self, key: AdvisoryKey, mode: AdvisoryMode) -> bool;
        /// Gives one back.
        fn advisory_unlock(&self, key: AdvisoryKey, shared: bool) -> bool;
        /// Gives all session-level ones back.
        fn advisory_unlock_all(&self) -> ();
        /// Address of the client or server, text of `inet`.
        fn connection_address(&self, server_side: bool) -> Option<(String, i32)>;
        /// Sends a notice to the client.
        fn notice(&self, notice: Box<common::PgError>) -> ();
        /// Upper and lower case under a collation made by a user.
        fn character_rules(&self, collation: Oid) -> CharacterRules;
        /// Comparison under a collation other than C; `None`: compare bytes.
        fn collate(&self, collation: Oid, a: &str, b: &str) -> Option<std::cmp::Ordering>;
        /// Runs a query that only reads, inside the running statement; `rows_max` 0 tells its columns only.
        fn query(&self, sql: &str, rows_max: usize) -> QueryRows;
        /// The next rows of an open cursor.
        fn fetch(&self, cursor: &str, count: i64) -> QueryRows;
        /// Anything a rarely used function needs, by its `prosrc`: the session dispatches.
        fn call(&self, function: &str, args: &[Datum]) -> Datum;
        /// Runs a routine made by a user: its value, for a composite result a record.
        fn call_function(&self, call: &CallInfo, args: &[Datum]) -> Datum;
        /// The same for one that returns a set: a value per row.
        fn function_rows(&self, call: &CallInfo, args: &[Datum]) -> Vec<Datum>;
        /// The same for functions that return rows: their OUT columns.
        fn rows(&self, function: &str, args: &[Datum]) -> Vec<Vec<Datum>>;
    }
}

/// The two key spaces of advisory locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum AdvisoryKey {
    One(i64),
    Two(i32, i32),
}

/// How an advisory lock is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct AdvisoryMode {
    pub shared: bool,
    pub transaction: bool,
    pub wait: bool,
}

/// No session at all: constant folding of immutable functions, tests.
pub struct NoSession;

impl SessionContext for NoSession {}
