//! What every database has: built-in relations, types, functions, operators as constants, their descriptors and catalog rows.
//!
//! # How it works
//! 1. `facts` and `functions::facts` are statics sorted by OID, with indexes by name: looking up costs no decoding.
//! 2. Descriptors are made from them when first asked for and shared (`slots`).
//! 3. The rows of `pg_class`, `pg_proc`... that queries see are made from the same statics (`rows`), per catalog, on first touch.

pub mod collations;
mod data;
pub mod defaults;
pub mod facts;
pub mod families;
pub mod functions;
pub mod relations;
pub mod rows;
mod slots;
pub mod tables;
pub mod text;
pub mod types;
pub mod view;
pub mod views;

use common::Oid;

/// OID of the subscripting handler of true arrays.
pub fn array_subscript_handler() -> Oid {
    rows::function_oid("array_subscript_handler")
}
