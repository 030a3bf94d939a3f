//! Floor 3: expressions compiled once per plan and evaluated per batch.
//!
//! Main types: [`ExprProgram`] (immutable, shared by sessions), [`ExprState`] (what one execution keeps between batches),
//! [`Inputs`] (the columns an evaluation reads), [`Runtime`] (parameters, session, subplans: implemented by the executor),
//! [`CompileEnv`] (types made by users: implemented over the catalog).
//!
//! # Invariants
//! - A program is `Send + Sync` and never changes; run-time state lives in [`ExprState`].
//! - A result vector has the physical length of the batch; only selected positions are computed.
//! - AND, OR, CASE, COALESCE evaluate their later parts only for the rows that need them, so errors arise only where
//!   PostgreSQL raises them.
//! - Functions without an implementation fail at compile time (0A000), not at run time.

mod array_assign;
mod arrays;
mod coerce;
mod compile;
mod env;
mod eval;
mod json;
mod logic;
mod program;
mod raw;
mod rows;
mod scalar;
mod sqljson;
mod subplan;
mod words;
mod xml;

pub use env::{ColumnPlace, CompileEnv, DomainCheck, DomainInfo, FnParts, Inputs, RowInputs, Runtime, Side};
pub use program::{ExprProgram, ExprState};
