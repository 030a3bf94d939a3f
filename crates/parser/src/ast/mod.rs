//! The raw syntax tree: PostgreSQL's node names and fields, owned, `'static` and `Send`.
//!
//! PG: src/include/nodes/parsenodes.h (names and meaning of fields).
//!
//! # Spans
//! `span.start` of a node is what PostgreSQL calls its *location*: the place an error about the node points at. For an
//! infix construct that is the operator (`a + b`: the `+`; `x IS NULL`: the `IS`; `x::int`: the `::`), for everything
//! else the node's first token. [`Expr::location`] gives the leftmost place of an expression, as PostgreSQL's
//! `exprLocation` does. `span.end` is the end of the last token that belongs to the node itself.
//!
//! # Invariants
//! - Identifiers are folded, unescaped and truncated; a node never refers back to the statement text.
//! - Names the grammar itself supplies (`pg_catalog.int4` for `INTEGER`, `pg_catalog.timezone` for `AT TIME ZONE`)
//!   carry the span of the token that asked for them.
//! - The height of a tree is bounded (54001 otherwise), so recursion over it, dropping included, is safe.

mod dml;
mod expr;
mod json;
mod names;
mod object;
mod role;
mod routine;
mod select;
mod statement;
mod table;
mod utility;

pub use dml::*;
pub use expr::*;
pub use json::*;
pub use names::*;
pub use object::*;
pub use role::*;
pub use routine::*;
pub use select::*;
pub use statement::*;
pub use table::*;
pub use utility::*;
