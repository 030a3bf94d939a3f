//! The operators, one file each, named as EXPLAIN prints them.

pub(crate) mod limit;
pub(crate) mod result;
pub(crate) mod scan;
pub(crate) mod seq_scan;
pub(crate) mod subquery_scan;
pub(crate) mod values_scan;
