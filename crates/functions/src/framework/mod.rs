//! What a built-in function is made of: argument access, result storage, kernels, contexts.

pub mod aggregate;
pub mod context;
pub mod direct;
pub mod indeterminate;
pub mod macros;
pub mod phys;
pub mod registry;
pub mod session;
pub mod set;
pub mod sql;

pub(crate) use common::pieces;
