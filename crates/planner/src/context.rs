//! What the planner is given: catalog, settings, parameter values, a way to evaluate constants.

use catalog::CatalogView;
use common::cancel::CancelToken;
use common::{Oid, PgResult};
use nodes::Expr;
use types::Datum;

/// Evaluates expressions without columns, for constant folding and estimates.
pub trait ConstEvaluator {
    /// The value; an error means "leave it to run time".
    fn evaluate(&self, expr: &Expr) -> PgResult<Datum>;
    /// The estimate-only three-way comparison of two values of a type, if the type has an order.
    fn compare(&self, type_oid: Oid, a: &Datum, b: &Datum) -> Option<std::cmp::Ordering>;
}

/// The planner's settings (GUCs of the same names), with PostgreSQL's defaults.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct CostSettings {
    pub seq_page_cost: f64,
    pub random_page_cost: f64,
    pub cpu_tuple_cost: f64,
    pub cpu_index_tuple_cost: f64,
    pub cpu_operator_cost: f64,
    pub effective_cache_size_pages: f64,
    pub work_mem_bytes: usize,
    pub hash_mem_multiplier: f64,
    pub cursor_tuple_fraction: f64,
    pub enable_seqscan: bool,
    pub enable_indexscan: bool,
    pub enable_indexonlyscan: bool,
    pub enable_bitmapscan: bool,
    pub enable_presorted_aggregate: bool,
    pub enable_tidscan: bool,
    pub enable_sort: bool,
    pub enable_incremental_sort: bool,
    pub enable_hashagg: bool,
    pub enable_nestloop: bool,
    pub enable_mergejoin: bool,
    pub enable_hashjoin: bool,
    pub enable_material: bool,
    pub enable_memoize: bool,
    pub enable_gathermerge: bool,
    pub enable_parallel_hash: bool,
    pub enable_parallel_append: bool,
    pub enable_partition_pruning: bool,
    pub enable_self_join_elimination: bool,
    pub enable_partitionwise_join: bool,
    pub max_parallel_workers_per_gather: u32,
    pub parallel_setup_cost: f64,
    pub parallel_tuple_cost: f64,
    /// In pages.
    pub min_parallel_table_scan_size: f64,
    pub parallel_leader_participation: bool,
    pub debug_parallel_query: DebugParallel,
}

/// `debug_parallel_query`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum DebugParallel {
    Off,
    On,
    /// As on, but EXPLAIN does not show it.
    Regress,
}

impl Default for CostSettings {
    fn default() -> CostSettings {
        CostSettings {
            seq_page_cost: 1.0,
            random_page_cost: 4.0,
            cpu_tuple_cost: 0.01,
            cpu_index_tuple_cost: 0.005,
            cpu_operator_cost: 0.0025,
            effective_cache_size_pages: 524_288.0,
            work_mem_bytes: 4 << 20,
            hash_mem_multiplier: 2.0,
            cursor_tuple_fraction: 0.1,
            enable_seqscan: true,
            enable_indexscan: true,
            enable_indexonlyscan: true,
            enable_bitmapscan: true,
            enable_presorted_aggregate: true,
            enable_tidscan: true,
            enable_sort: true,
            enable_incremental_sort: true,
            enable_hashagg: true,
            enable_nestloop: true,
            enable_mergejoin: true,
            enable_hashjoin: true,
            enable_material: true,
            enable_memoize: true,
            enable_gathermerge: true,
            enable_parallel_hash: true,
            enable_parallel_append: true,
            enable_partition_pruning: true,
            enable_self_join_elimination: true,
            enable_partitionwise_join: false,
            max_parallel_workers_per_gather: 2,
            parallel_setup_cost: 1000.0,
            parallel_tuple_cost: 0.1,
            min_parallel_table_scan_size: 1024.0,
            parallel_leader_participation: true,
            debug_parallel_query: DebugParallel::Off,
        }
    }
}

/// Everything planning may look at.
pub struct PlannerContext<'a> {
    /// Names, statistics, sizes.
    pub catalog: &'a dyn CatalogView,
    /// Cost settings.
    pub settings: &'a CostSettings,
    /// Evaluates constant expressions.
    pub evaluator: &'a dyn ConstEvaluator,
    /// Values of `$1..$n` for a custom plan; `None` for a generic one.
    pub bound_params: Option<&'a [Datum]>,
    /// Types of `$1..$n`.
    pub param_types: &'a [Oid],
    /// Plan for the first rows (cursors), as `cursor_tuple_fraction` says.
    pub cursor: bool,
    /// Workers may be used.
    pub parallel: bool,
    /// Ends the planning of large queries.
    pub cancel: &'a CancelToken,
}
