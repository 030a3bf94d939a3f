//! An analyzed statement: names resolved, types decided, nothing yet said about how to run it.

use std::sync::Arc;

use common::{AttrNumber, Oid, Span};
use serde::{Deserialize, Serialize};
use types::settings::TypeRef;

use crate::expr::Expr;
use crate::relids::RelIds;
use crate::serial::no_span;

/// What a query does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum CommandType {
    Select,
    Insert,
    Update,
    Delete,
    Merge,
}

/// An analyzed SELECT, INSERT, UPDATE, DELETE or MERGE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Query {
    pub command: CommandType,
    /// Range table index of the target of a data-modifying query; 0 for SELECT.
    pub result_relation: usize,
    pub ctes: Vec<CommonTableExpr>,
    pub recursive: bool,
    /// Range table; entry `i` of the text is index `i` here plus 1.
    pub range_table: Vec<RangeTblEntry>,
    /// FROM items and WHERE. For INSERT ... VALUES/SELECT the source is one entry here.
    pub join_tree: FromExpr,
    /// Output columns. INSERT: one per assigned column with `resno` = attno; UPDATE likewise.
    pub target_list: Vec<TargetEntry>,
    pub on_conflict: Option<Box<OnConflictExpr>>,
    pub merge_actions: Vec<MergeAction>,
    /// MERGE: the join condition; which joins the source needs follows from the actions.
    pub merge_join_condition: Option<Expr>,
    /// INSERT ... OVERRIDING.
    pub overriding: Overriding,
    pub returning: Vec<TargetEntry>,
    pub group_clause: Vec<SortGroupClause>,
    pub group_distinct: bool,
    pub grouping_sets: Vec<GroupingSet>,
    pub having: Option<Expr>,
    pub window_clause: Vec<WindowClause>,
    pub distinct_clause: Vec<SortGroupClause>,
    /// DISTINCT ON.
    pub has_distinct_on: bool,
    pub sort_clause: Vec<SortGroupClause>,
    pub limit_offset: Option<Expr>,
    pub limit_count: Option<Expr>,
    pub limit_with_ties: bool,
    pub row_marks: Vec<RowMarkClause>,
    pub set_operations: Option<Box<SetOperation>>,
    /// CHECK options of an auto-updatable view above the target.
    pub with_check_options: Vec<WithCheckOption>,
    pub has_aggs: bool,
    pub has_window_funcs: bool,
    pub has_target_srfs: bool,
    pub has_sub_links: bool,
    pub has_modifying_cte: bool,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

impl Query {
    /// A query of a kind with nothing in it.
    pub fn new(command: CommandType) -> Query {
        Query {
            command,
            result_relation: 0,
            ctes: Vec::new(),
            recursive: false,
            range_table: Vec::new(),
            join_tree: FromExpr::default(),
            target_list: Vec::new(),
            on_conflict: None,
            merge_actions: Vec::new(),
            merge_join_condition: None,
            overriding: Overriding::NotSet,
            returning: Vec::new(),
            group_clause: Vec::new(),
            group_distinct: false,
            grouping_sets: Vec::new(),
            having: None,
            window_clause: Vec::new(),
            distinct_clause: Vec::new(),
            has_distinct_on: false,
            sort_clause: Vec::new(),
            limit_offset: None,
            limit_count: None,
            limit_with_ties: false,
            row_marks: Vec::new(),
            set_operations: None,
            with_check_options: Vec::new(),
            has_aggs: false,
            has_window_funcs: false,
            has_target_srfs: false,
            has_sub_links: false,
            has_modifying_cte: false,
            span: Span::NONE,
        }
    }

    /// The visible output columns: the target list without junk, or RETURNING for data-modifying queries.
    pub fn output_columns(&self) -> impl Iterator<Item = &TargetEntry> {
        let list = if self.command == CommandType::Select {
            &self.target_list
        } else {
            &self.returning
        };
        list.iter().filter(|t| !t.resjunk)
    }

    /// Range table entry by its 1-based index.
    pub fn rte(&self, index: usize) -> &RangeTblEntry {
        &self.range_table[index - 1]
    }
}

/// An output column, a sort key that is not one (`resjunk`), or an assignment (`resno` = target attno).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct TargetEntry {
    pub expr: Expr,
    /// 1-based position, or target column.
    pub resno: AttrNumber,
    pub name: Option<Arc<str>>,
    /// Which [`SortGroupClause`] means it; 0: none.
    pub sort_group_ref: u32,
    /// For RowDescription: table and column it is a plain copy of.
    pub origin_table: Oid,
    pub origin_column: AttrNumber,
    pub resjunk: bool,
}

/// One GROUP BY, ORDER BY or DISTINCT column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct SortGroupClause {
    /// `TargetEntry::sort_group_ref` of its column.
    pub target_ref: u32,
    pub eq_op: Oid,
    /// `<` or `>` operator; invalid when only hashable.
    pub sort_op: Oid,
    pub reverse: bool,
    pub nulls_first: bool,
    pub hashable: bool,
}

/// GROUPING SETS and relatives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum GroupingSet {
    Empty,
    Simple(Vec<u32>),
    Rollup(Vec<Vec<u32>>),
    Cube(Vec<Vec<u32>>),
    Sets(Vec<GroupingSet>),
}

/// Kinds of joins; the last three only arise in planning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum JoinType {
    Inner,
    Left,
    Full,
    Right,
    Semi,
    Anti,
    RightSemi,
    RightAnti,
}

/// FROM list and WHERE.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct FromExpr {
    pub items: Vec<JoinTreeNode>,
    pub quals: Option<Expr>,
}

/// A node of the join tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum JoinTreeNode {
    /// A range table entry.
    Rel(usize),
    /// A join.
    Join(Box<JoinExpr>),
    /// A pulled-up subquery's FROM and WHERE (planner).
    From(Box<FromExpr>),
}

/// `a JOIN b ON ...`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct JoinExpr {
    pub join_type: JoinType,
    pub left: JoinTreeNode,
    pub right: JoinTreeNode,
    pub quals: Option<Expr>,
    /// The join's own range table entry (kind Join); 0 for joins that the planner made.
    pub rt_index: usize,
}

/// Names shown to the query: alias and column names.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Alias {
    pub name: Arc<str>,
    pub columns: Vec<Arc<str>>,
}

/// What a range table entry is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RteKind {
    /// A table, view, sequence...
    Relation {
        /// Which.
        relation: Oid,
        /// `pg_class.relkind`.
        relkind: u8,
        /// Include inheritance children and partitions.
        inherit: bool,
        /// TABLESAMPLE.
        sample: Option<Box<TableSample>>,
    },
    /// A subquery in FROM, or a view's query.
    Subquery {
        /// The query.
        query: Arc<Query>,
        /// May refer to FROM items before it.
        lateral: bool,
        /// The view it came from.
        view: Option<Oid>,
        /// `security_barrier`.
        security_barrier: bool,
    },
    /// A join; its columns are expressions over the joined entries.
    Join {
        /// Kind.
        join_type: JoinType,
        /// What each output column stands for.
        alias_vars: Vec<Expr>,
        /// How many leading columns are merged by USING/NATURAL.
        merged: usize,
        /// Attnos of the columns merged from left and right, for deparsing.
        left_cols: Vec<AttrNumber>,
        /// See `left_cols`.
        right_cols: Vec<AttrNumber>,
        /// `USING (...) AS alias`.
        using_alias: Option<Arc<str>>,
    },
    /// Functions in FROM.
    Function {
        /// One or, with ROWS FROM, several.
        functions: Vec<RangeTblFunction>,
        /// WITH ORDINALITY.
        ordinality: bool,
        /// May refer to FROM items before it.
        lateral: bool,
    },
    /// VALUES lists.
    Values {
        /// Rows of equal length and coerced types.
        rows: Vec<Vec<Expr>>,
        /// May refer to FROM items before it.
        lateral: bool,
    },
    /// A WITH query.
    Cte {
        /// Its name.
        name: Arc<str>,
        /// Queries outwards.
        levels_up: usize,
        /// A reference to itself inside a recursive term.
        self_reference: bool,
    },
    /// A FROM clause without entries (planner).
    Result,
    /// GROUP BY's expressions (PostgreSQL 18's RTE_GROUP), if used.
    Group {
        /// Grouping expressions.
        exprs: Vec<Expr>,
    },
}

/// TABLESAMPLE method (args) REPEATABLE (seed).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct TableSample {
    pub handler: Oid,
    pub args: Vec<Expr>,
    pub repeatable: Option<Expr>,
}

/// A function in FROM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RangeTblFunction {
    pub expr: Expr,
    pub column_count: usize,
    /// `AS (a int, ...)`: given names, types and collations.
    pub column_defs: Vec<(Arc<str>, TypeRef, Oid)>,
}

/// Something in FROM, or a target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RangeTblEntry {
    pub kind: RteKind,
    /// As the user wrote it.
    pub alias: Option<Alias>,
    /// With the names in force.
    pub eref: Alias,
    /// Type, modifier and collation of every column of `eref` (dropped columns: type 0).
    pub columns: Vec<RteColumn>,
    /// Appears in FROM (not only a target or rule product).
    pub in_from: bool,
    pub permissions: Permissions,
}

/// A column of a range table entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RteColumn {
    pub type_ref: TypeRef,
    pub collation: Oid,
}

/// What the executing role must be allowed to do with a relation.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Permissions {
    pub select: bool,
    pub insert: bool,
    pub update: bool,
    pub delete: bool,
    /// 0: the current role; else (views) this one.
    pub check_as: Oid,
    /// Columns read, inserted, updated, as attno + 7 (so that system columns fit), like PostgreSQL's.
    pub selected_columns: RelIds,
    pub inserted_columns: RelIds,
    pub updated_columns: RelIds,
}

impl Permissions {
    /// What stands for attno 0 in the sets of columns.
    pub const WHOLE_ROW: usize = 7;

    /// The attnos in a set of columns.
    pub fn attnos(columns: &RelIds) -> Vec<AttrNumber> {
        let attno = |n: usize| n as AttrNumber - Permissions::WHOLE_ROW as AttrNumber;
        columns.iter().map(attno).collect()
    }
}

/// MATERIALIZED or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum CteMaterialize {
    Default,
    Always,
    Never,
}

/// A WITH query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CommonTableExpr {
    pub name: Arc<str>,
    pub materialized: CteMaterialize,
    pub query: Arc<Query>,
    pub column_names: Vec<Arc<str>>,
    pub columns: Vec<RteColumn>,
    pub recursive: bool,
    pub reference_count: usize,
    pub search: Option<Box<CteSearch>>,
    pub cycle: Option<Box<CteCycle>>,
    #[serde(skip, default = "no_span")]
    pub span: Span,
}

/// SEARCH {BREADTH | DEPTH} FIRST BY ... SET ....
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CteSearch {
    pub columns: Vec<Arc<str>>,
    pub breadth_first: bool,
    pub sequence_column: Arc<str>,
}

/// CYCLE ... SET ... USING ....
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CteCycle {
    pub columns: Vec<Arc<str>>,
    pub mark_column: Arc<str>,
    pub mark_value: Expr,
    pub mark_default: Expr,
    pub mark_type: TypeRef,
    pub mark_collation: Oid,
    pub mark_neop: Oid,
    pub path_column: Arc<str>,
}

/// UNION, INTERSECT, EXCEPT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum SetOp {
    Union,
    Intersect,
    Except,
}

/// A tree of set operations over subquery entries of the range table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SetOperation {
    /// A subquery entry.
    Rel(usize),
    /// An operation.
    Op {
        /// Which.
        op: SetOp,
        /// ALL.
        all: bool,
        /// Left input.
        left: Box<SetOperation>,
        /// Right input.
        right: Box<SetOperation>,
        /// Common types of the columns.
        columns: Vec<RteColumn>,
        /// How to tell rows apart; empty for UNION ALL.
        group_clauses: Vec<SortGroupClause>,
    },
    /// An input whose columns have not all the types of the operation around it.
    Coerce {
        /// A subquery entry or an operation.
        input: Box<SetOperation>,
        /// The operation's columns, over columns of the input ([`crate::expr::VarSource::Outer`]).
        exprs: Vec<Expr>,
    },
}

impl SetOperation {
    /// Without the conversion around it.
    pub fn as_written(&self) -> &SetOperation {
        match self {
            SetOperation::Coerce { input, .. } => input.as_written(),
            other => other,
        }
    }
}

/// FOR UPDATE and relatives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RowMarkClause {
    pub rt_index: usize,
    pub strength: LockStrength,
    pub wait: LockWait,
    /// Pushed down from an outer FOR UPDATE.
    pub pushed_down: bool,
}

/// Row lock strengths, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum LockStrength {
    ForKeyShare,
    ForShare,
    ForNoKeyUpdate,
    ForUpdate,
}

/// What to do about rows locked by others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum LockWait {
    Block,
    SkipLocked,
    NoWait,
}

/// OVERRIDING clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Overriding {
    NotSet,
    UserValue,
    SystemValue,
}

/// ON CONFLICT.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct OnConflictExpr {
    /// DO UPDATE rather than DO NOTHING.
    pub update: bool,
    /// Inference: indexed expressions (Vars of the target) with collation and operator class, and predicate.
    pub arbiter_elements: Vec<InferenceElem>,
    pub arbiter_where: Option<Expr>,
    /// ON CONSTRAINT.
    pub constraint: Oid,
    /// DO UPDATE SET assignments.
    pub set: Vec<TargetEntry>,
    pub where_clause: Option<Expr>,
    /// Range table index of `excluded`.
    pub excluded_index: usize,
}

/// A column or expression of ON CONFLICT's inference clause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct InferenceElem {
    pub expr: Expr,
    pub collation: Oid,
    pub opclass: Oid,
}

/// Which rows a MERGE action is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum MergeMatchKind {
    Matched,
    NotMatchedBySource,
    NotMatchedByTarget,
}

/// WHEN ... THEN ... of MERGE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct MergeAction {
    pub match_kind: MergeMatchKind,
    /// Insert, Update, Delete, or Select for DO NOTHING.
    pub command: CommandType,
    pub overriding: Overriding,
    pub condition: Option<Expr>,
    pub target_list: Vec<TargetEntry>,
}

/// WITH CHECK OPTION or an RLS check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct WithCheckOption {
    pub relation_name: Arc<str>,
    pub policy_name: Option<Arc<str>>,
    pub is_rls: bool,
    pub qual: Expr,
    pub cascaded: bool,
}

/// What a frame's unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum FrameUnits {
    Rows,
    Range,
    Groups,
}

/// One end of a frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum FrameBound {
    UnboundedPreceding,
    Preceding(Expr),
    CurrentRow,
    Following(Expr),
    UnboundedFollowing,
}

/// EXCLUDE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum FrameExclusion {
    NoOthers,
    CurrentRow,
    Group,
    Ties,
}

/// A window definition with its references resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct WindowClause {
    pub name: Option<Arc<str>>,
    pub ref_name: Option<Arc<str>>,
    pub partition: Vec<SortGroupClause>,
    pub order: Vec<SortGroupClause>,
    pub units: FrameUnits,
    pub start: FrameBound,
    pub end: FrameBound,
    pub exclusion: FrameExclusion,
    /// The frame was written, not defaulted.
    pub frame_given: bool,
    /// RANGE with offsets: in_range functions, collation, direction.
    pub start_in_range: Oid,
    pub end_in_range: Oid,
    pub in_range_collation: Oid,
    pub in_range_asc: bool,
    pub in_range_nulls_first: bool,
    /// Number that [`crate::expr::WindowFunc::window_ref`] names.
    pub window_ref: u32,
    pub copied_order: bool,
}
