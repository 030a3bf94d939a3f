//! Floor 2: built-in functions, operators and aggregates: facts and behaviour.
//!
//! [`facts`] are all rows of `pg_proc`, `pg_operator`, `pg_cast`, `pg_aggregate` and the operator classes as static
//! tables. Behaviour is plain Rust functions in `families`, listed with `builtins!`, `direct!`, `aggregates!` and
//! `set_functions!` (see [`framework::macros`]); [`framework::registry`] finds the kernels behind an OID.
//!
//! # Invariants
//! - Nothing here knows catalogs or sessions except through [`framework::session::SessionContext`].
//! - Every listed function exists in `pg_proc` with those types (a test checks).

pub mod facts;
mod families;
pub mod framework;
mod regex;

pub use families::aggregate::ordered::Place;
pub use families::hash::{hash_any, hash_extended, hash_float8};
pub use families::json::construct as json_construct;
pub use families::json::edit as jsonb_edit;
pub use families::json::sqljson;
pub use families::jsonpath;
pub use families::quote::{quote_identifier, quote_literal_text};
pub use families::session_info::VERSION;
pub use families::textsearch;
pub use families::xml;
pub use framework::aggregate::Accumulator;
pub use framework::context::{CallInfo, FnCache, FnContext};
pub use framework::registry::{Kernels, aggregate, kernels, require_kernels, set_function};
pub use framework::session::{NoSession, SessionContext};
pub use framework::set::SetRows;
