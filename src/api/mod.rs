//! The embedding API over [`Session`](crate::Session): parameters, rows, transactions, COPY.

pub mod copy;
pub mod many;
pub mod params;
pub mod row;
pub mod rows;
pub mod transaction;
