//! Descriptors from catalog rows.

pub mod collations;
pub mod functions;
pub mod relation;
pub mod types;
