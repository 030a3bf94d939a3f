//! Descriptors from catalog rows.

pub mod functions;
pub mod relation;
pub mod types;
