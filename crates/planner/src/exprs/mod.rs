//! Facts about expressions: which relations they use, strictness, volatility, folding.

pub mod any_array;
pub mod facts;
pub mod fold;
pub mod or_clauses;
pub mod positions;
pub mod query_walk;
