//! Transactions, cursors, prepared statements, settings, maintenance.
#![allow(missing_docs, reason = "variants and fields carry PostgreSQL's names")]

use common::Span;

use crate::ast::{DefElem, Expr, Ident, Name, RangeVar, Statement, TypeName};

/// The transaction statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStmtKind {
    Begin,
    Start,
    Commit,
    Rollback,
    Savepoint,
    Release,
    RollbackTo,
    Prepare,
    CommitPrepared,
    RollbackPrepared,
}

/// BEGIN, COMMIT, SAVEPOINT ...
#[derive(Clone, Debug, PartialEq)]
pub struct TransactionStmt {
    pub kind: TransactionStmtKind,
    /// `transaction_isolation`, `transaction_read_only`, `transaction_deferrable`.
    pub options: Vec<DefElem>,
    pub savepoint_name: Option<Ident>,
    pub gid: Option<Name>,
    /// AND CHAIN.
    pub chain: bool,
    pub span: Span,
}

/// SET and RESET in all forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VariableSetKind {
    /// SET var = values.
    Value,
    /// SET var TO DEFAULT.
    Default,
    /// SET var FROM CURRENT.
    Current,
    /// TRANSACTION, SESSION CHARACTERISTICS (`name` says which), TRANSACTION SNAPSHOT.
    Multi,
    Reset,
    ResetAll,
}

/// An argument of SET, or a transaction mode of SET TRANSACTION.
#[derive(Clone, Debug, PartialEq)]
pub enum SetArg {
    /// A constant, or an interval constant cast for TIME ZONE.
    Expr(Expr),
    Option(DefElem),
}

/// SET, RESET.
#[derive(Clone, Debug, PartialEq)]
pub struct VariableSetStmt {
    pub kind: VariableSetKind,
    /// Lower case; for `Multi` one of `TRANSACTION`, `SESSION CHARACTERISTICS`, `TRANSACTION SNAPSHOT`.
    pub name: Option<Name>,
    pub args: Vec<SetArg>,
    pub is_local: bool,
    pub span: Span,
}

/// SHOW.
#[derive(Clone, Debug, PartialEq)]
pub struct VariableShowStmt {
    /// `all` for SHOW ALL.
    pub name: Name,
    pub span: Span,
}

/// ALTER SYSTEM.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterSystemStmt {
    pub setstmt: VariableSetStmt,
    pub span: Span,
}

/// What DISCARD forgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiscardMode {
    All,
    Plans,
    Sequences,
    Temp,
}

/// DISCARD.
#[derive(Clone, Debug, PartialEq)]
pub struct DiscardStmt {
    pub target: DiscardMode,
    pub span: Span,
}

/// PREPARE.
#[derive(Clone, Debug, PartialEq)]
pub struct PrepareStmt {
    pub name: Ident,
    pub argtypes: Vec<TypeName>,
    pub query: Statement,
    pub span: Span,
}

/// EXECUTE.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecuteStmt {
    pub name: Ident,
    pub params: Vec<Expr>,
    pub span: Span,
}

/// DEALLOCATE.
#[derive(Clone, Debug, PartialEq)]
pub struct DeallocateStmt {
    /// `None` is ALL.
    pub name: Option<Ident>,
    pub span: Span,
}

/// Cursor options, PostgreSQL's CURSOR_OPT_* bits.
pub mod cursor_options {
    pub const BINARY: u32 = 0x0001;
    pub const SCROLL: u32 = 0x0002;
    pub const NO_SCROLL: u32 = 0x0004;
    pub const INSENSITIVE: u32 = 0x0008;
    pub const ASENSITIVE: u32 = 0x0010;
    pub const HOLD: u32 = 0x0020;
    pub const FAST_PLAN: u32 = 0x0100;
}

/// DECLARE CURSOR.
#[derive(Clone, Debug, PartialEq)]
pub struct DeclareCursorStmt {
    pub portalname: Ident,
    /// Bits of [`cursor_options`].
    pub options: u32,
    pub query: Box<crate::ast::SelectStmt>,
    pub span: Span,
}

/// CLOSE.
#[derive(Clone, Debug, PartialEq)]
pub struct ClosePortalStmt {
    /// `None` is ALL.
    pub portalname: Option<Ident>,
    pub span: Span,
}

/// FETCH direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchDirection {
    Forward,
    Backward,
    Absolute,
    Relative,
}

/// FETCH, MOVE.
#[derive(Clone, Debug, PartialEq)]
pub struct FetchStmt {
    pub direction: FetchDirection,
    /// `i64::MAX` is ALL.
    pub how_many: i64,
    pub portalname: Ident,
    pub ismove: bool,
    pub span: Span,
}

/// EXPLAIN.
#[derive(Clone, Debug, PartialEq)]
pub struct ExplainStmt {
    pub query: Statement,
    pub options: Vec<DefElem>,
    pub span: Span,
}

/// A table (and columns) of VACUUM or ANALYZE.
#[derive(Clone, Debug, PartialEq)]
pub struct VacuumRelation {
    pub relation: RangeVar,
    pub va_cols: Vec<Ident>,
}

/// VACUUM, ANALYZE.
#[derive(Clone, Debug, PartialEq)]
pub struct VacuumStmt {
    pub options: Vec<DefElem>,
    pub rels: Vec<VacuumRelation>,
    pub is_vacuumcmd: bool,
    pub span: Span,
}

/// CLUSTER.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterStmt {
    pub relation: Option<RangeVar>,
    pub indexname: Option<Ident>,
    pub params: Vec<DefElem>,
    pub span: Span,
}

/// What REINDEX rebuilds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReindexObjectType {
    Index,
    Table,
    Schema,
    System,
    Database,
}

/// REINDEX.
#[derive(Clone, Debug, PartialEq)]
pub struct ReindexStmt {
    pub kind: ReindexObjectType,
    pub relation: Option<RangeVar>,
    pub name: Option<Ident>,
    pub params: Vec<DefElem>,
    pub span: Span,
}

/// CHECKPOINT.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckPointStmt {
    pub span: Span,
}

/// LOCK TABLE modes, PostgreSQL's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockMode {
    AccessShare = 1,
    RowShare = 2,
    RowExclusive = 3,
    ShareUpdateExclusive = 4,
    Share = 5,
    ShareRowExclusive = 6,
    Exclusive = 7,
    AccessExclusive = 8,
}

/// LOCK.
#[derive(Clone, Debug, PartialEq)]
pub struct LockStmt {
    pub relations: Vec<RangeVar>,
    pub mode: LockMode,
    pub nowait: bool,
    pub span: Span,
}

/// SET CONSTRAINTS.
#[derive(Clone, Debug, PartialEq)]
pub struct ConstraintsSetStmt {
    /// Empty is ALL.
    pub constraints: Vec<RangeVar>,
    pub deferred: bool,
    pub span: Span,
}

/// LISTEN.
#[derive(Clone, Debug, PartialEq)]
pub struct ListenStmt {
    pub conditionname: Ident,
    pub span: Span,
}

/// UNLISTEN.
#[derive(Clone, Debug, PartialEq)]
pub struct UnlistenStmt {
    /// `None` is `*`.
    pub conditionname: Option<Ident>,
    pub span: Span,
}

/// NOTIFY.
#[derive(Clone, Debug, PartialEq)]
pub struct NotifyStmt {
    pub conditionname: Ident,
    pub payload: Option<Name>,
    pub span: Span,
}

/// LOAD.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadStmt {
    pub filename: Name,
    pub span: Span,
}

/// What a PL/pgSQL assignment assigns to.
#[derive(Clone, Debug, PartialEq)]
pub enum PlAssignTarget {
    Name(Ident),
    /// `$n`.
    Param(i32),
}

/// A PL/pgSQL assignment `target[indirection] := query`.
#[derive(Clone, Debug, PartialEq)]
pub struct PlAssignStmt {
    pub target: PlAssignTarget,
    pub indirection: Vec<crate::ast::Indirection>,
    pub val: Box<crate::ast::SelectStmt>,
    pub span: Span,
}
