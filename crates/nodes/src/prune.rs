//! Partition pruning: what conditions say of partition keys, and which inputs of an Append stand for which partitions.
//!
//! The planner makes it from the conditions of a query (`planner::prune`), `catalog::prune` decides by it: at plan time with the values
//! that are constants, when a run starts with parameters and stable functions, and again whenever an executor parameter changes.

use common::Oid;

use crate::expr::Expr;

/// What an Append or MergeAppend asks before it runs its inputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartitionPrune {
    /// Values that conditions compare keys with; they refer to no column.
    pub values: Vec<Expr>,
    /// Partitioned tables, the top one first.
    pub levels: Vec<PruneLevel>,
}

/// A partitioned table.
#[derive(Clone, Debug, PartialEq)]
pub struct PruneLevel {
    /// The table.
    pub table: Oid,
    /// All of these hold.
    pub steps: Vec<PruneStep>,
    /// Its partitions; those that are missing have no input.
    pub members: Vec<(Oid, PruneMember)>,
}

/// Where the rows of a partition come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PruneMember {
    /// This input.
    Input(usize),
    /// A partitioned table itself: this level.
    Level(usize),
}

/// What a condition says of a key column; `column` counts columns of the key, `value` and `array` are places in
/// [`PartitionPrune::values`].
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum PruneStep {
    /// Btree strategy: 1 <, 2 <=, 3 =, 4 >=, 5 >; 6 is <>.
    Compare {
        column: usize,
        strategy: u8,
        value: usize,
    },
    /// Equal to an element of the array.
    Any { column: usize, array: usize },
    /// Different from every element of the array.
    Differs { column: usize, array: usize },
    /// IS NULL, or IS NOT NULL.
    Null { column: usize, is_null: bool },
    /// One of them, of boolean keys.
    Is { column: usize, value: bool },
    /// Never true.
    Never,
    /// One of these conjunctions.
    Or(Vec<Vec<PruneStep>>),
}
