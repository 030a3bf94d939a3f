//! Work that does not fit `work_mem` goes to temporary files.
//!
//! # How it works
//! 1. [`access::TempSpace`] is a session's right to make [`access::TempFile`]s; files go when their last user does, and what a crash left goes
//!    when the database is opened.
//! 2. [`batches::BatchFile`] keeps batches in a file: written once, read in any order.
//! 3. On top of that: [`sorter::Sorter`] (runs, then a merge), [`partitions::Partitions`] (rows by the bits of their hash, for hash
//!    joins and hash aggregation), [`store::TupleStore`] (batches by number, for Material, CTEs and windows).
//!
//! # Invariants
//! - Where there is no place for temporary files (a database in memory), nothing spills: work stays in memory until the memory limit.

pub(crate) mod batches;
mod codec;
pub(crate) mod partitions;
pub(crate) mod sorter;
pub(crate) mod store;

pub use sorter::{SortMethod, SortSummary};
