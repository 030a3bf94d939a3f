//! Floor 0 of pglite: what every other crate may use.
//!
//! Main types: [`error::PgError`] (every error a user can see, with its SQLSTATE), the identifiers of
//! [`ids`], [`env::Env`] (the one door to clock, randomness, files and threads), [`cancel::CancelToken`]
//! and [`memory::MemoryBudget`].
//!
//! # Invariants
//! - Only this crate (module [`env`]) touches files, clocks, randomness and threads.
//! - Every [`error::PgError`] carries a SQLSTATE chosen on purpose; `XX000` means a bug of ours.
//! - No global mutable state, but for the cancel token that a thread works under ([`cancel::check`]).

pub mod cancel;
pub mod env;
pub mod error;
pub mod ids;
pub mod long;
pub mod memory;
pub mod pieces;
pub mod span;
pub mod sqlstate;
pub mod sync;

pub use error::{PgError, PgResult, SqlState};
pub use ids::{AttrNumber, CTID, CommandId, Csn, Lsn, Oid, RelationId, RowId, TABLEOID, Xid};
pub use span::Span;
