//! Ways to read the base relations.

pub mod append;
mod append_order;
mod base;
mod bitmap;
mod commuted;
mod index;
mod join;
mod memoize;
mod merge_join;
pub mod partial;
mod subquery;
mod tid;
mod unique;
mod unique_rows;

pub use base::{at_rel, build_base_rels, column_expr, expr_width, set_base_paths};
pub use index::join_clauses_for;
pub use join::{JoinClauses, JoinSize, add_join_paths, add_partial_join_paths, inner_tested};
pub use subquery::{ColumnFacts, distinct_columns};
pub use tid::tid_node;
pub use unique::{is_unique, is_unique_for};
pub use unique_rows::unique_rel;
