//! INSERT, UPDATE, DELETE, MERGE and COPY.
#![allow(missing_docs, reason = "variants and fields carry PostgreSQL's names")]

use common::Span;

use crate::ast::{
    DefElem, Expr, Ident, IndexElem, Name, RangeVar, ResTarget, SelectStmt, Statement, TableRef, WithClause,
};

/// OVERRIDING SYSTEM/USER VALUE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OverridingKind {
    #[default]
    NotSet,
    UserValue,
    SystemValue,
}

/// `WITH (OLD AS x, NEW AS y)` of RETURNING.
#[derive(Clone, Debug, PartialEq)]
pub struct ReturningOption {
    pub is_new: bool,
    pub value: Ident,
    pub span: Span,
}

/// RETURNING.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct ReturningClause {
    pub options: Vec<ReturningOption>,
    pub exprs: Vec<ResTarget>,
}

/// INSERT.
#[derive(Clone, Debug, PartialEq)]
pub struct InsertStmt {
    pub relation: RangeVar,
    pub cols: Vec<ResTarget>,
    /// `None` for DEFAULT VALUES.
    pub select_stmt: Option<Box<SelectStmt>>,
    pub on_conflict: Option<Box<OnConflictClause>>,
    pub returning: Option<Box<ReturningClause>>,
    pub with: Option<Box<WithClause>>,
    pub overriding: OverridingKind,
    pub span: Span,
}

/// What ON CONFLICT does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflictAction {
    Nothing,
    Update,
}

/// ON CONFLICT.
#[derive(Clone, Debug, PartialEq)]
pub struct OnConflictClause {
    pub action: OnConflictAction,
    pub infer: Option<InferClause>,
    pub target_list: Vec<ResTarget>,
    pub where_clause: Option<Expr>,
    pub span: Span,
}

/// The conflict target.
#[derive(Clone, Debug, PartialEq)]
pub struct InferClause {
    pub index_elems: Vec<IndexElem>,
    pub where_clause: Option<Expr>,
    /// ON CONSTRAINT.
    pub conname: Option<Ident>,
    pub span: Span,
}

/// UPDATE.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateStmt {
    pub relation: RangeVar,
    pub target_list: Vec<ResTarget>,
    pub from: Vec<TableRef>,
    pub where_clause: Option<Expr>,
    pub returning: Option<Box<ReturningClause>>,
    pub with: Option<Box<WithClause>>,
    pub span: Span,
}

/// DELETE.
#[derive(Clone, Debug, PartialEq)]
pub struct DeleteStmt {
    pub relation: RangeVar,
    pub using_clause: Vec<TableRef>,
    pub where_clause: Option<Expr>,
    pub returning: Option<Box<ReturningClause>>,
    pub with: Option<Box<WithClause>>,
    pub span: Span,
}

/// MERGE.
#[derive(Clone, Debug, PartialEq)]
pub struct MergeStmt {
    pub relation: RangeVar,
    pub source: TableRef,
    pub join_condition: Expr,
    pub when_clauses: Vec<MergeWhenClause>,
    pub returning: Option<Box<ReturningClause>>,
    pub with: Option<Box<WithClause>>,
    pub span: Span,
}

/// WHEN [NOT] MATCHED [BY SOURCE | BY TARGET].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeMatchKind {
    Matched,
    NotMatchedBySource,
    NotMatchedByTarget,
}

/// THEN what.
#[derive(Clone, Debug, PartialEq)]
pub enum MergeAction {
    Update(Vec<ResTarget>),
    Delete,
    Insert {
        cols: Vec<ResTarget>,
        /// `None` for DEFAULT VALUES.
        values: Option<Vec<Expr>>,
        overriding: OverridingKind,
    },
    DoNothing,
}

/// One WHEN clause.
#[derive(Clone, Debug, PartialEq)]
pub struct MergeWhenClause {
    pub match_kind: MergeMatchKind,
    pub condition: Option<Expr>,
    pub action: MergeAction,
    pub span: Span,
}

/// COPY.
#[derive(Clone, Debug, PartialEq)]
pub struct CopyStmt {
    pub relation: Option<RangeVar>,
    /// COPY (query) TO: SELECT, INSERT, UPDATE, DELETE or MERGE.
    pub query: Option<Statement>,
    pub attlist: Vec<Ident>,
    pub is_from: bool,
    pub is_program: bool,
    /// `None` for STDIN/STDOUT.
    pub filename: Option<Name>,
    pub options: Vec<DefElem>,
    pub where_clause: Option<Expr>,
    pub span: Span,
}
