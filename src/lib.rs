//! PostgreSQL 18 as a Rust library.
//!
//! Open a directory (or nothing, for memory), take sessions, run SQL:
//!
//! ```no_run
//! use pglite::{Database, params};
//!
//! # fn main() -> pglite::Result<()> {
//! let db = Database::open("app.db")?;
//! let mut session = db.session()?;
//! session.batch_execute("CREATE TABLE IF NOT EXISTS notes (id serial PRIMARY KEY, body text NOT NULL)")?;
//! session.execute("INSERT INTO notes (body) VALUES ($1)", params!["hello"])?;
//! session.execute_many("INSERT INTO notes (body) VALUES ($1)", (1..=1000).map(|n| (format!("note {n}"),)))?;
//! let bodies: Vec<String> = session.query_map("SELECT body FROM notes", params![], |row| row.get("body"))?;
//! let mut tx = session.transaction()?;
//! tx.execute("DELETE FROM notes WHERE id = $1", params![1])?;
//! tx.commit()?; // without this it rolls back
//! # let _ = bodies;
//! # Ok(())
//! # }
//! ```
//!
//! Main types: [`Database`], [`Session`], [`Statement`], [`Transaction`], [`Rows`], [`Row`], [`Error`]. The lower-level types in
//! [`protocol`] are what a server needs (crate `pglite-server` is one).
//!
//! # Invariants
//! - Sessions are independent and `Send`; any number run at once.
//! - Without a transaction block every statement is a transaction.
//! - Dropping the last handle and session closes cleanly; a crash needs no repair step.

mod api;
mod autovacuum;
mod database;
mod error;
mod outcomes;
mod prepared;
mod search_files;
mod session;

pub use ::commands::verify::Finding;
pub use api::copy::CopyIn;
pub use api::params::Params;
pub use api::row::{Column, Row, RowIndex};
pub use api::rows::{Rows, Statement, ToStatement};
pub use api::transaction::Transaction;
pub use database::{Builder, Database, LoginRole};
pub use error::{Error, Result, Severity};
pub use session::block::TransactionStatus;
pub use session::notify::Notification;
pub use session::{InterruptHandle, Session};

/// Conversions between Rust and SQL values, by crate `postgres-types`.
pub mod types {
    pub use postgres_types::{FromSql, FromSqlOwned, IsNull, ToSql, Type};
}

/// The environment behind a database: files, clock, randomness; the simulated one for tests.
pub mod env {
    pub use common::env::os::OsEnv;
    pub use common::env::{Env, sim};
    pub use kv::KvKind;
}

/// Running statements step by step, as protocol servers do.
pub mod protocol {
    pub use crate::session::portal::{CopyFormat, CopyRows, Formats, Portal, ResultRows, Step};
    pub use crate::session::prepared::Prepared;
    pub use crate::session::script::{RowSink, Script, ScriptStep};
    pub use crate::session::shown::{Endpoint, Peer};
    pub use crate::session::tag::CommandTag;
    pub use ::types::{Batch, Datum};
    pub use common::{PgError, PgResult};

    /// Texts in a client's encoding.
    pub mod encoding {
        pub use ::types::encoding::{Encoding, decode, encode_lossy};
    }
}
