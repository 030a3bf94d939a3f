//! Executable plans: immutable, `Send + Sync`, shared by every session that runs them.
//!
//! # Column references
//! Expressions of a node refer to its inputs by [`VarSource`](crate::VarSource): scans see `Scan` columns (base relations by
//! attno, other scans by position), joins `Outer`/`Inner`, every other node its only input as `Outer`. Values from
//! further out come as `ParamKind::Exec` parameters.
//!
//! # Run-time state
//! lives in the executor's operators, never here. `Plan::id` numbers the nodes of a statement for EXPLAIN ANALYZE.

use std::sync::Arc;

use common::{AttrNumber, Oid};
use types::settings::TypeRef;

use crate::expr::Expr;
use crate::prune::PartitionPrune;
use crate::query::{
    CommandType, FrameBound, FrameExclusion, FrameUnits, JoinType, LockStrength, LockWait, MergeAction,
    Overriding, RangeTblEntry, RangeTblFunction, SetOp, TableSample, TargetEntry, WithCheckOption,
};

/// A finished plan with all it needs at run time.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct PlannedStmt {
    pub command: CommandType,
    pub has_returning: bool,
    pub has_modifying_cte: bool,
    pub plan: Plan,
    /// Flattened: every relation that any part of the statement reads or writes, for names, permissions and locks.
    pub range_table: Vec<RangeTblEntry>,
    /// Plans of `Expr::SubPlan`s, CTEs and initplans, by `plan_id`.
    pub subplans: Vec<SubPlanEntry>,
    /// Number of executor parameter slots.
    pub exec_params: usize,
    /// Types of `$1..$n`.
    pub param_types: Vec<Oid>,
    /// Catalog objects it depends on: relations, functions, types. A change of any makes it stale.
    pub depends_on: Vec<(Oid, Oid)>,
    /// The plan may be kept for any parameter values.
    pub generic: bool,
    /// Stable functions were folded, so it is good for this transaction only.
    pub transient: bool,
    /// Some row mark keeps whole rows ([`PlanRowMark::columns`]).
    pub has_row_copies: bool,
}

/// A subplan and its kind of use.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct SubPlanEntry {
    pub plan: Plan,
    pub name: Box<str>,
    pub usage: SubPlanUsage,
}

/// When a subplan runs.
#[derive(Clone, Debug, PartialEq)]
pub enum SubPlanUsage {
    /// Per evaluation, with parameters.
    Correlated,
    /// Once, on first use, results into these parameter slots.
    InitPlan(Vec<usize>),
    /// A CTE read by `CteScan`s.
    Cte,
}

/// Estimated cost and size, in the planner's units.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
#[allow(missing_docs)]
pub struct PlanCost {
    pub startup: f64,
    pub total: f64,
    pub rows: f64,
    /// Average bytes of an output row.
    pub width: i32,
}

/// One node with everything nodes have in common.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Plan {
    pub id: u32,
    pub cost: PlanCost,
    /// What it hands out, in order.
    pub target_list: Vec<TargetEntry>,
    /// Conditions on its rows (implicitly ANDed), tested after the node's own work.
    pub qual: Vec<Expr>,
    /// Initplans to attach here for EXPLAIN, by `plan_id`.
    pub init_plans: Vec<usize>,
    pub parallel_aware: bool,
    /// Disabled by an enable_* setting but unavoidable.
    pub disabled_nodes: u32,
    pub node: PlanNode,
}

/// A sort column: position in the node's input (1-based), operator, direction.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct SortKey {
    pub column: AttrNumber,
    pub sort_op: Oid,
    pub descending: bool,
    pub nulls_first: bool,
    pub collation: Oid,
}

/// A grouping column: position in the input, equality operator.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct GroupKey {
    pub column: AttrNumber,
    pub eq_op: Oid,
    pub collation: Oid,
}

/// A condition `index column OP value` that an index can use; `value` does not depend on the scanned relation.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct IndexQual {
    /// Position of the index column (0-based).
    pub index_column: usize,
    /// Btree strategy: 1 <, 2 <=, 3 =, 4 >=, 5 >; IS NULL and IS NOT NULL are `null_test`.
    pub strategy: u8,
    pub value: IndexQualValue,
    /// As in the query, for EXPLAIN and for lossy re-checks.
    pub original: Expr,
}

/// The right side of an index condition.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum IndexQualValue {
    Expr(Expr),
    /// `= ANY (array)`.
    AnyArray(Expr),
    IsNull,
    IsNotNull,
}

/// Direction of an index scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum ScanDirection {
    Forward,
    Backward,
}

/// An index scan's index and conditions.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct IndexScan {
    pub rt_index: usize,
    pub relation: Oid,
    pub index: Oid,
    pub quals: Vec<IndexQual>,
    /// ORDER BY distance operators (for index kinds that have them).
    pub order_by: Vec<Expr>,
    pub direction: ScanDirection,
}

/// How an aggregate node groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum AggStrategy {
    /// One group.
    Plain,
    /// Input sorted by the group columns.
    Sorted,
    Hashed,
    /// Hashed and sorted grouping sets together.
    Mixed,
}

/// Parallel phases of aggregation.
pub use crate::expr::AggSplit;

/// A hashed or sorted pass of grouping sets.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct GroupingPass {
    pub strategy: AggStrategy,
    /// Keys of the longest set of the pass.
    pub keys: Vec<GroupKey>,
    /// Each set as the number of leading keys (sorted) or the list of key positions (hashed).
    pub sets: Vec<Vec<usize>>,
}

/// A value handed to the inner side of a nested loop for each outer row.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct NestLoopParam {
    pub param: usize,
    /// An `Outer` variable (or expression of such).
    pub value: Expr,
}

/// One equality of a merge join.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct MergeClause {
    pub outer: Expr,
    pub inner: Expr,
    pub cmp_func: Oid,
    pub eq_op: Oid,
    pub collation: Oid,
    pub descending: bool,
    pub nulls_first: bool,
}

/// One equality of a hash join.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct HashClause {
    pub outer: Expr,
    pub inner: Expr,
    pub eq_op: Oid,
    pub collation: Oid,
}

/// What data-modifying statements do to one target relation.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct ResultRelation {
    pub rt_index: usize,
    pub relation: Oid,
    /// UPDATE: attnos assigned, in the order of the input's leading columns. INSERT: every column in attno order.
    pub update_columns: Vec<AttrNumber>,
    /// Output column of the input (1-based) with the row's ctid; 0 for INSERT.
    pub row_id_column: AttrNumber,
    pub returning: Vec<TargetEntry>,
    pub with_check_options: Vec<WithCheckOption>,
    pub merge_actions: Vec<MergeAction>,
}

/// ON CONFLICT with its arbiter indexes chosen.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct OnConflictPlan {
    pub update: bool,
    /// Empty: any unique conflict.
    pub arbiter_indexes: Vec<Oid>,
    /// Assignments over `Scan` (existing row) and `Inner` (excluded row) columns.
    pub set: Vec<TargetEntry>,
    pub where_clause: Option<Expr>,
}

/// INSERT, UPDATE, DELETE, MERGE.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct ModifyTable {
    pub operation: CommandType,
    pub can_set_tag: bool,
    /// The table named in the statement: expressions and column numbers below are over its columns, whichever partition or child a row
    /// is in.
    pub root_relation: Oid,
    /// Input column (1-based) with the row's `tableoid`, when there are several relations; 0: there is one.
    pub table_oid_column: AttrNumber,
    /// MERGE with NOT MATCHED BY SOURCE: tells which rows have a source.
    pub merge_join_condition: Option<Expr>,
    /// The relation named in the statement (partitioned tables have several in `relations`).
    pub nominal_rt_index: usize,
    pub relations: Vec<ResultRelation>,
    pub on_conflict: Option<OnConflictPlan>,
    pub overriding: Overriding,
    pub row_marks: Vec<PlanRowMark>,
    /// Slot in which EvalPlanQual substitutes the newest row version.
    pub epq_param: usize,
    pub input: Box<Plan>,
}

/// A relation whose rows are locked or re-fetched.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct PlanRowMark {
    pub rt_index: usize,
    pub relation: Oid,
    /// None: only re-fetched for EvalPlanQual, not locked.
    pub strength: Option<LockStrength>,
    pub wait: LockWait,
    /// Input column (1-based) with the row's ctid.
    pub row_id_column: AttrNumber,
    /// Input column with the row's table, when it may be in several; 0: it is in `relation`.
    pub table_oid_column: AttrNumber,
    /// Those tables then, with the entries under which they are read.
    pub members: Vec<(usize, Oid)>,
    /// For what is no table: input columns with all columns of its row. `relation` and the other columns are 0 then.
    pub columns: Vec<AttrNumber>,
}

/// The node kinds, named as EXPLAIN prints them.
#[derive(Clone, Debug, PartialEq)]
pub enum PlanNode {
    /// Constant rows, or a gate (`one_time`) over an input.
    Result {
        /// Input, if any.
        input: Option<Box<Plan>>,
        /// Tested once, before reading.
        one_time: Vec<Expr>,
    },
    /// Expands set-returning functions of the target list.
    ProjectSet {
        /// Input.
        input: Box<Plan>,
    },
    /// Every row of a table.
    SeqScan {
        /// Range table index.
        rt_index: usize,
        /// Table.
        relation: Oid,
    },
    /// A sample of a table.
    SampleScan {
        /// Range table index.
        rt_index: usize,
        /// Table.
        relation: Oid,
        /// Method.
        sample: TableSample,
    },
    /// Rows by index.
    IndexScan(IndexScan),
    /// Rows from the index alone; `Scan` columns are the table's attnos that the index holds.
    IndexOnlyScan(IndexScan),
    /// Row ids by index, for a bitmap.
    BitmapIndexScan(IndexScan),
    /// Intersection of bitmaps.
    BitmapAnd {
        /// Inputs.
        inputs: Vec<Plan>,
    },
    /// Union of bitmaps.
    BitmapOr {
        /// Inputs.
        inputs: Vec<Plan>,
    },
    /// Rows of a bitmap in table order.
    BitmapHeapScan {
        /// Range table index.
        rt_index: usize,
        /// Table.
        relation: Oid,
        /// Index condition to test again when a bitmap is lossy.
        recheck: Vec<Expr>,
        /// The bitmap.
        input: Box<Plan>,
    },
    /// Rows by ctid.
    TidScan {
        /// Range table index.
        rt_index: usize,
        /// Table.
        relation: Oid,
        /// Conditions `ctid = value`, `ctid = ANY (array)`, CURRENT OF; ORed.
        tids: Vec<Expr>,
    },
    /// Rows in a range of ctids.
    TidRangeScan {
        /// Range table index.
        rt_index: usize,
        /// Table.
        relation: Oid,
        /// Conditions on ctid.
        quals: Vec<Expr>,
    },
    /// A subquery in FROM that was not pulled up; `Scan` columns are the subplan's output.
    SubqueryScan {
        /// Range table index.
        rt_index: usize,
        /// Subquery's plan.
        input: Box<Plan>,
    },
    /// Functions in FROM.
    FunctionScan {
        /// Range table index.
        rt_index: usize,
        /// The functions.
        functions: Vec<RangeTblFunction>,
        /// WITH ORDINALITY.
        ordinality: bool,
    },
    /// VALUES.
    ValuesScan {
        /// Range table index.
        rt_index: usize,
        /// Rows.
        rows: Vec<Vec<Expr>>,
    },
    /// A CTE's rows.
    CteScan {
        /// Range table index.
        rt_index: usize,
        /// The CTE's subplan.
        plan_id: usize,
    },
    /// The working table of a recursive union.
    WorkTableScan {
        /// Range table index.
        rt_index: usize,
        /// Slot that names the recursive union.
        worktable_param: usize,
    },
    /// Inputs one after another.
    Append {
        /// Inputs.
        inputs: Vec<Plan>,
        /// Partitioned table it stands for, for EXPLAIN; 0: none.
        rt_index: usize,
        /// Of joins of partitions, for EXPLAIN: the partitions, and the tables after which their columns are named above.
        roots: Vec<(usize, usize)>,
        /// Which inputs to run, decided at run time.
        prune: Option<Box<PartitionPrune>>,
    },
    /// Sorted inputs merged.
    MergeAppend {
        /// Inputs.
        inputs: Vec<Plan>,
        /// Order of the inputs and the output.
        keys: Vec<SortKey>,
        /// Partitioned table.
        rt_index: usize,
        /// As in [`PlanNode::Append`].
        roots: Vec<(usize, usize)>,
        /// Which inputs to run, decided at run time.
        prune: Option<Box<PartitionPrune>>,
    },
    /// WITH RECURSIVE.
    RecursiveUnion {
        /// Non-recursive term.
        initial: Box<Plan>,
        /// Recursive term.
        recursive: Box<Plan>,
        /// Slot that names it.
        worktable_param: usize,
        /// UNION: keys that tell rows apart; empty: UNION ALL.
        distinct: Vec<GroupKey>,
    },
    /// For each outer row, the matching inner rows.
    NestLoop {
        /// Kind.
        join_type: JoinType,
        /// Conditions of the join itself (an outer join's ON).
        join_qual: Vec<Expr>,
        /// Values handed to the inner side.
        params: Vec<NestLoopParam>,
        /// At most one inner row matches.
        inner_unique: bool,
        /// Left.
        outer: Box<Plan>,
        /// Right.
        inner: Box<Plan>,
    },
    /// Both sides sorted.
    MergeJoin {
        /// Kind.
        join_type: JoinType,
        /// Equalities, in sort order.
        clauses: Vec<MergeClause>,
        /// Other conditions of the join itself.
        join_qual: Vec<Expr>,
        /// At most one inner row matches.
        inner_unique: bool,
        /// Left.
        outer: Box<Plan>,
        /// Right.
        inner: Box<Plan>,
    },
    /// Inner side (a [`PlanNode::Hash`]) in a hash table.
    HashJoin {
        /// Kind.
        join_type: JoinType,
        /// Equalities.
        clauses: Vec<HashClause>,
        /// Other conditions of the join itself.
        join_qual: Vec<Expr>,
        /// At most one inner row matches.
        inner_unique: bool,
        /// Probe side.
        outer: Box<Plan>,
        /// Build side.
        inner: Box<Plan>,
    },
    /// The build side of a hash join.
    Hash {
        /// Input.
        input: Box<Plan>,
    },
    /// Keeps its input's rows for re-reading.
    Material {
        /// Input.
        input: Box<Plan>,
    },
    /// Caches its input's rows by parameter values.
    Memoize {
        /// Input.
        input: Box<Plan>,
        /// Cache keys over parameters.
        keys: Vec<Expr>,
        /// Equality operators of the keys.
        key_ops: Vec<Oid>,
        /// At most one row per key.
        single_row: bool,
        /// Keys compare by bits.
        binary_mode: bool,
    },
    /// Sorts.
    Sort {
        /// Input.
        input: Box<Plan>,
        /// Keys.
        keys: Vec<SortKey>,
    },
    /// Sorts input already sorted by the first keys.
    IncrementalSort {
        /// Input.
        input: Box<Plan>,
        /// Keys.
        keys: Vec<SortKey>,
        /// How many leading keys the input is sorted by.
        presorted: usize,
    },
    /// Groups of a sorted input, without aggregates.
    Group {
        /// Input.
        input: Box<Plan>,
        /// Keys.
        keys: Vec<GroupKey>,
    },
    /// Aggregates.
    Agg {
        /// Input.
        input: Box<Plan>,
        /// How.
        strategy: AggStrategy,
        /// Which part of the work.
        split: AggSplit,
        /// Group columns of the input.
        keys: Vec<GroupKey>,
        /// Grouping sets; empty without.
        passes: Vec<GroupingPass>,
        /// Estimated groups.
        groups: f64,
    },
    /// Window functions over sorted input.
    WindowAgg {
        /// Input.
        input: Box<Plan>,
        /// Its number.
        window_ref: u32,
        /// Name for EXPLAIN.
        name: Box<str>,
        /// Partition columns.
        partition: Vec<GroupKey>,
        /// Order columns.
        order: Vec<GroupKey>,
        /// Frame.
        units: FrameUnits,
        /// Frame start.
        start: FrameBound,
        /// Frame end.
        end: FrameBound,
        /// Frame exclusion.
        exclusion: FrameExclusion,
        /// in_range functions and order facts for RANGE with offsets.
        in_range: Option<(Oid, Oid, Oid, bool, bool)>,
        /// Stop when this becomes false.
        run_condition: Vec<Expr>,
        /// The topmost of its query.
        top: bool,
    },
    /// Drops adjacent duplicates.
    Unique {
        /// Input.
        input: Box<Plan>,
        /// Columns compared.
        keys: Vec<GroupKey>,
    },
    /// INTERSECT and EXCEPT.
    SetOp {
        /// Which.
        op: SetOp,
        /// ALL.
        all: bool,
        /// Hashed rather than sorted.
        hashed: bool,
        /// Columns compared.
        keys: Vec<GroupKey>,
        /// Left input.
        left: Box<Plan>,
        /// Right input.
        right: Box<Plan>,
    },
    /// FOR UPDATE and relatives.
    LockRows {
        /// Input.
        input: Box<Plan>,
        /// What to lock.
        row_marks: Vec<PlanRowMark>,
        /// See [`ModifyTable::epq_param`].
        epq_param: usize,
    },
    /// LIMIT and OFFSET.
    Limit {
        /// Input.
        input: Box<Plan>,
        /// Rows to skip.
        offset: Option<Expr>,
        /// Rows to return.
        count: Option<Expr>,
        /// WITH TIES: columns that decide.
        ties: Option<Vec<GroupKey>>,
    },
    /// Data modification.
    ModifyTable(ModifyTable),
    /// Runs its input in parallel workers.
    Gather {
        /// Input.
        input: Box<Plan>,
        /// Workers planned.
        workers: usize,
        /// Order to keep; empty: any.
        keys: Vec<SortKey>,
        /// One worker, no leader.
        single_copy: bool,
        /// EXPLAIN does not show it.
        invisible: bool,
    },
}

impl Plan {
    /// The inputs of the node, outer before inner.
    pub fn children(&self) -> Vec<&Plan> {
        match &self.node {
            PlanNode::Result { input, .. } => input.iter().map(|p| &**p).collect(),
            PlanNode::SeqScan { .. }
            | PlanNode::SampleScan { .. }
            | PlanNode::IndexScan(_)
            | PlanNode::IndexOnlyScan(_)
            | PlanNode::BitmapIndexScan(_)
            | PlanNode::TidScan { .. }
            | PlanNode::TidRangeScan { .. }
            | PlanNode::FunctionScan { .. }
            | PlanNode::ValuesScan { .. }
            | PlanNode::CteScan { .. }
            | PlanNode::WorkTableScan { .. } => Vec::new(),
            PlanNode::BitmapAnd { inputs }
            | PlanNode::BitmapOr { inputs }
            | PlanNode::Append { inputs, .. }
            | PlanNode::MergeAppend { inputs, .. } => inputs.iter().collect(),
            PlanNode::ProjectSet { input }
            | PlanNode::BitmapHeapScan { input, .. }
            | PlanNode::SubqueryScan { input, .. }
            | PlanNode::Hash { input }
            | PlanNode::Material { input }
            | PlanNode::Memoize { input, .. }
            | PlanNode::Sort { input, .. }
            | PlanNode::IncrementalSort { input, .. }
            | PlanNode::Group { input, .. }
            | PlanNode::Agg { input, .. }
            | PlanNode::WindowAgg { input, .. }
            | PlanNode::Unique { input, .. }
            | PlanNode::LockRows { input, .. }
            | PlanNode::Limit { input, .. }
            | PlanNode::Gather { input, .. } => vec![input],
            PlanNode::ModifyTable(m) => vec![&m.input],
            PlanNode::RecursiveUnion {
                initial, recursive, ..
            } => vec![initial, recursive],
            PlanNode::NestLoop { outer, inner, .. }
            | PlanNode::MergeJoin { outer, inner, .. }
            | PlanNode::HashJoin { outer, inner, .. } => vec![outer, inner],
            PlanNode::SetOp { left, right, .. } => vec![left, right],
        }
    }

    /// SQL types of the output columns (junk included).
    pub fn output_types(&self) -> Vec<TypeRef> {
        self.target_list.iter().map(|t| t.expr.type_ref()).collect()
    }
}

/// A plan as sessions share it.
pub type PlanRef = Arc<PlannedStmt>;

#[cfg(test)]
mod tests {
    #[test]
    fn plans_may_be_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<super::PlannedStmt>();
    }
}
