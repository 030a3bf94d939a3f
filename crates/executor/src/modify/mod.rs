//! Writing rows: constraints, indexes, ON CONFLICT, RETURNING.

mod insert_target;
mod layout;

pub use insert_target::InsertTarget;
pub(crate) use layout::RowLayout;
