//! Floor 2: the trees that the upper floors exchange.
//!
//! Main types: [`Query`] (analyzed statement: analyzer to planner), [`Expr`] (typed scalar expression, everywhere), [`Plan`]
//! inside [`PlannedStmt`] (planner to executor). The names are PostgreSQL's.
//!
//! # Invariants
//! - Trees are immutable once handed on, own all they hold, and are `Send + Sync`.
//! - Every [`Expr`] knows its SQL type, modifier and collation without a catalog.
//! - In a `Query` a [`Var`] names a range table entry; in a `Plan` it names a column of the node's input
//!   ([`VarSource::Outer`], [`VarSource::Inner`], [`VarSource::Scan`]).
//! - Spans point into the statement's text, for error positions; they never change meaning.

mod backwards;
mod consts;
pub mod expr;
pub mod json;
pub mod partition;
pub mod plan;
mod plan_walk;
pub mod prune;
pub mod query;
pub mod relids;
pub mod serial;
mod span;
pub mod stored;
pub mod walk;
pub mod xml;

pub use expr::{Expr, Var, VarSource};
pub use plan::{Plan, PlanNode, PlannedStmt};
pub use query::Query;
pub use relids::RelIds;
