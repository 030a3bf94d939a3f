//! Floor 6: PL/pgSQL.
//!
//! PG: src/pl/plpgsql/src.
//!
//! # How it works
//! 1. [`compile()`] reads a body with a hand-written parser (`compile`) over the SQL lexer's tokens, and makes a [`Function`]: a tree of
//!    statements (`tree`) over numbered variables, with the names that are visible at every expression (`namespace`).
//! 2. A [`Call`] walks the tree (`exec`). SQL inside is analyzed when it is first run, variables being external parameters
//!    (`exec/prepare`), and planned by the session; plans are kept with the function until catalog or settings change.
//! 3. An expression that is one value without a table is compiled once and evaluated in place, without a plan being run.
//! 4. Everything else is asked of the session through the trait [`Host`].
//!
//! # Invariants
//! - A [`Function`] never changes and is shared by calls; what a call changes lives in its [`Call`].
//! - No text, however broken, makes the parser panic.
//!
//! # Not here
//! Transactions, cursors, catalog views: the session owns them. CREATE FUNCTION: crate `commands`.

mod compile;
mod conditions;
mod exec;
mod host;
mod namespace;
mod tree;

pub use compile::{Language, Routine, TriggerKind, check_syntax, compile};
pub use exec::trigger::{TriggerCall, TriggerEvent, TriggerTable, TriggerTiming};
pub use exec::{Call, Outcome};
pub use host::{
    Context, CursorFetch, CursorQuery, CursorRows, Direction, FrameInfo, Host, Performed, Run, Savepoint,
    Stamp, Utility,
};
pub use tree::Function;
