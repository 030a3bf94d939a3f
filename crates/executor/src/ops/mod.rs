//! The operators, one file each, named as EXPLAIN prints them.

pub(crate) mod agg;
pub(crate) mod append;
pub(crate) mod cte_scan;
pub(crate) mod function_scan;
pub(crate) mod index;
pub(crate) mod join;
pub(crate) mod json_table;
pub(crate) mod limit;
pub(crate) mod lock_rows;
pub(crate) mod material;
pub(crate) mod merge_append;
pub(crate) mod modify_table;
pub(crate) mod project_set;
pub(crate) mod recursive_union;
pub(crate) mod result;
pub(crate) mod scan;
pub(crate) mod seq_scan;
pub(crate) mod set_op;
pub(crate) mod sort;
pub(crate) mod srf;
pub(crate) mod subquery_scan;
pub(crate) mod tid_scan;
pub(crate) mod unique;
pub(crate) mod values_scan;
pub(crate) mod window;
pub(crate) mod xml_table;
