//! Queries: SELECT, VALUES, set operations, FROM items, windows, WITH.
#![allow(missing_docs, reason = "variants and fields carry PostgreSQL's names")]

use common::Span;

use crate::ast::{
    Alias, Expr, Ident, Indirection, JsonTable, NameList, Persistence, RangeVar, SortByDir, SortByNulls,
    Statement, TypeName,
};

/// The operator of a [`SelectStmt`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SetOperation {
    /// A plain SELECT or VALUES.
    #[default]
    None,
    Union,
    Intersect,
    Except,
}

/// FETCH FIRST ... ONLY / WITH TIES.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LimitOption {
    #[default]
    Count,
    WithTies,
}

/// DISTINCT or DISTINCT ON.
#[derive(Clone, Debug, PartialEq)]
pub enum DistinctClause {
    All,
    On(Vec<Expr>),
}

/// SELECT, VALUES, TABLE or a set operation, with ORDER BY and the rest.
///
/// A leaf has `op == None`: a VALUES list if `values_lists` is not empty, a SELECT otherwise. With a set operation,
/// `larg` and `rarg` are present and only the fields from `sort_clause` on are used.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct SelectStmt {
    pub distinct: Option<DistinctClause>,
    pub into: Option<Box<IntoClause>>,
    pub target_list: Vec<ResTarget>,
    pub from: Vec<TableRef>,
    pub where_clause: Option<Expr>,
    pub group_clause: Vec<Expr>,
    pub group_distinct: bool,
    pub having: Option<Expr>,
    pub window_clause: Vec<WindowDef>,
    pub values_lists: Vec<Vec<Expr>>,
    pub sort_clause: Vec<SortBy>,
    pub limit_offset: Option<Expr>,
    /// LIMIT ALL is a null constant.
    pub limit_count: Option<Expr>,
    pub limit_option: LimitOption,
    pub locking: Vec<LockingClause>,
    pub with: Option<Box<WithClause>>,
    pub op: SetOperation,
    pub all: bool,
    pub larg: Option<Box<SelectStmt>>,
    pub rarg: Option<Box<SelectStmt>>,
    pub span: Span,
}

/// A result column, an INSERT column (`name`, `indirection`) or an UPDATE assignment (all three).
#[derive(Clone, Debug, PartialEq)]
pub struct ResTarget {
    pub name: Option<Ident>,
    pub indirection: Vec<Indirection>,
    pub val: Option<Expr>,
    pub span: Span,
}

/// ON COMMIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnCommitAction {
    #[default]
    Noop,
    PreserveRows,
    DeleteRows,
    Drop,
}

/// The target of SELECT INTO, CREATE TABLE AS, CREATE MATERIALIZED VIEW.
#[derive(Clone, Debug, PartialEq)]
pub struct IntoClause {
    pub rel: RangeVar,
    pub col_names: Vec<Ident>,
    pub access_method: Option<Ident>,
    pub options: Vec<crate::ast::DefElem>,
    pub on_commit: OnCommitAction,
    pub tablespace: Option<Ident>,
    /// WITH NO DATA.
    pub skip_data: bool,
    pub persistence: Persistence,
}

/// ORDER BY item.
#[derive(Clone, Debug, PartialEq)]
pub struct SortBy {
    pub node: Expr,
    pub dir: SortByDir,
    pub nulls: SortByNulls,
    /// Operator of USING.
    pub use_op: NameList,
    /// Where the operator stands; unknown without USING.
    pub span: Span,
}

/// The kinds of grouping set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupingSetKind {
    /// `()`.
    Empty,
    Rollup,
    Cube,
    Sets,
}

/// An element of GROUP BY other than an expression.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupingSet {
    pub kind: GroupingSetKind,
    pub content: Vec<Expr>,
    pub span: Span,
}

/// RANGE, ROWS, GROUPS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameMode {
    Range,
    Rows,
    Groups,
}

/// One end of a frame.
#[derive(Clone, Debug, PartialEq)]
pub enum FrameBound {
    UnboundedPreceding,
    OffsetPreceding(Expr),
    CurrentRow,
    OffsetFollowing(Expr),
    UnboundedFollowing,
}

/// EXCLUDE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum FrameExclusion {
    #[default]
    NoOthers,
    CurrentRow,
    Group,
    Ties,
}

/// A frame clause; without BETWEEN `end` is `None` (CURRENT ROW).
#[derive(Clone, Debug, PartialEq)]
pub struct WindowFrame {
    pub mode: FrameMode,
    pub start: FrameBound,
    pub end: Option<FrameBound>,
    pub exclusion: FrameExclusion,
    pub span: Span,
}

/// A window of the WINDOW clause (`name` set) or of OVER.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowDef {
    /// Name in WINDOW, or of `OVER name`.
    pub name: Option<Ident>,
    /// Name of the window this one extends: `OVER (refname ...)`.
    pub refname: Option<Ident>,
    pub partition_clause: Vec<Expr>,
    pub order_clause: Vec<SortBy>,
    pub frame: Option<Box<WindowFrame>>,
    pub span: Span,
}

/// FOR UPDATE and weaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockClauseStrength {
    ForKeyShare,
    ForShare,
    ForNoKeyUpdate,
    ForUpdate,
}

/// What to do with rows locked by others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LockWaitPolicy {
    #[default]
    Block,
    Skip,
    Error,
}

/// A locking clause.
#[derive(Clone, Debug, PartialEq)]
pub struct LockingClause {
    /// OF these; empty means all.
    pub locked_rels: Vec<RangeVar>,
    pub strength: LockClauseStrength,
    pub wait_policy: LockWaitPolicy,
    pub span: Span,
}

/// WITH.
#[derive(Clone, Debug, PartialEq)]
pub struct WithClause {
    pub ctes: Vec<CommonTableExpr>,
    pub recursive: bool,
    pub span: Span,
}

/// MATERIALIZED, NOT MATERIALIZED.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CteMaterialize {
    #[default]
    Default,
    Always,
    Never,
}

/// SEARCH clause.
#[derive(Clone, Debug, PartialEq)]
pub struct CteSearchClause {
    pub columns: Vec<Ident>,
    pub breadth_first: bool,
    pub seq_column: Ident,
    pub span: Span,
}

/// CYCLE clause.
#[derive(Clone, Debug, PartialEq)]
pub struct CteCycleClause {
    pub columns: Vec<Ident>,
    pub mark_column: Ident,
    /// `true` unless given.
    pub mark_value: Expr,
    /// `false` unless given.
    pub mark_default: Expr,
    pub path_column: Ident,
    pub span: Span,
}

/// One query of WITH.
#[derive(Clone, Debug, PartialEq)]
pub struct CommonTableExpr {
    pub name: Ident,
    pub columns: Vec<Ident>,
    pub materialized: CteMaterialize,
    /// SELECT, INSERT, UPDATE, DELETE or MERGE.
    pub query: Statement,
    pub search: Option<Box<CteSearchClause>>,
    pub cycle: Option<Box<CteCycleClause>>,
    pub span: Span,
}

/// An item of FROM.
#[derive(Clone, Debug, PartialEq)]
pub enum TableRef {
    RangeVar(Box<RangeVar>),
    Subselect(Box<RangeSubselect>),
    Function(Box<RangeFunction>),
    TableFunc(Box<RangeTableFunc>),
    JsonTable(Box<JsonTable>),
    TableSample(Box<RangeTableSample>),
    Join(Box<JoinExpr>),
}

/// A subquery in FROM.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeSubselect {
    pub lateral: bool,
    pub subquery: Box<SelectStmt>,
    pub alias: Option<Box<Alias>>,
    pub span: Span,
}

/// A function in FROM: one call, or several with ROWS FROM.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeFunction {
    pub lateral: bool,
    pub ordinality: bool,
    pub is_rowsfrom: bool,
    pub functions: Vec<RangeFunctionItem>,
    pub alias: Option<Box<Alias>>,
    /// Column definition list of a single call that returns record.
    pub coldeflist: Vec<ColumnDefItem>,
    pub span: Span,
}

/// One call of ROWS FROM.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeFunctionItem {
    pub func: Expr,
    pub coldeflist: Vec<ColumnDefItem>,
}

/// `name type [COLLATE x]` of a column definition list.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnDefItem {
    pub name: Ident,
    pub type_name: TypeName,
    pub collation: Option<crate::ast::CollateClause>,
    pub span: Span,
}

/// XMLTABLE.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeTableFunc {
    pub lateral: bool,
    pub docexpr: Expr,
    pub rowexpr: Expr,
    /// `name` is `None` for DEFAULT.
    pub namespaces: Vec<ResTarget>,
    pub columns: Vec<RangeTableFuncCol>,
    pub alias: Option<Box<Alias>>,
    pub span: Span,
}

/// A column of XMLTABLE.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeTableFuncCol {
    pub name: Ident,
    pub type_name: Option<TypeName>,
    pub for_ordinality: bool,
    pub is_not_null: bool,
    pub colexpr: Option<Expr>,
    pub coldefexpr: Option<Expr>,
    pub span: Span,
}

/// TABLESAMPLE.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeTableSample {
    pub relation: TableRef,
    pub method: NameList,
    pub args: Vec<Expr>,
    pub repeatable: Option<Expr>,
    pub span: Span,
}

/// Join types that can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinType {
    Inner,
    Left,
    Full,
    Right,
}

/// A join; CROSS JOIN is an inner one without a condition.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinExpr {
    pub jointype: JoinType,
    pub is_natural: bool,
    pub larg: TableRef,
    pub rarg: TableRef,
    pub using_clause: Vec<Ident>,
    /// JOIN ... USING (...) AS alias.
    pub join_using_alias: Option<Box<Alias>>,
    pub quals: Option<Expr>,
    /// Alias of the parenthesised join.
    pub alias: Option<Box<Alias>>,
    pub span: Span,
}

impl TableRef {
    /// Where the item starts.
    pub fn span(&self) -> Span {
        match self {
            TableRef::RangeVar(n) => n.span,
            TableRef::Subselect(n) => n.span,
            TableRef::Function(n) => n.span,
            TableRef::TableFunc(n) => n.span,
            TableRef::JsonTable(n) => n.span,
            TableRef::TableSample(n) => n.relation.span().to(n.span),
            TableRef::Join(n) => n.span,
        }
    }
}
