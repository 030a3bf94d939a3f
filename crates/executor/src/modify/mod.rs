//! Writing rows: generated columns, constraints, storage and indexes; RETURNING's layout.

mod errors;
mod indexes;
mod insert_target;
mod layout;
mod target;

pub(crate) use errors::with_check as with_check_error;
pub use insert_target::InsertTarget;
pub(crate) use layout::{RowLayout, RowParts};
pub(crate) use target::{OpenTarget, TargetDef, Written};
