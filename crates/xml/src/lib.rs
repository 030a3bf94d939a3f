//! XML documents and XPath 1.0, without SQL.
//!
//! # Invariants
//! - Nothing is read but the given text: external entities and external subsets are never fetched.
//! - Entities expand to at most a megabyte or five times the text, whatever is more, and 40 levels deep.
//! - Elements nest at most [`DEPTH_MAX`] deep, so that trees may be walked recursively.
//! - Verdicts and messages are those of libxml2, because PostgreSQL hands them to its users.

mod chars;
pub mod declaration;
pub mod names;
pub mod parse;
pub mod serialize;
pub mod tree;
pub mod xpath;

/// Elements that may stand inside each other.
pub const DEPTH_MAX: usize = 256;
