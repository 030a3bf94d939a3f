//! Floor 1: the ordered key-value store under the engine, and its backends.
//!
//! Main types: [`Kv`] (the trait), [`WriteBatch`], [`Keyspace`], [`KvError`]; backends one module each: `memory`,
//! `redb` (default on disk), `sled` (feature). `conformance` is the suite that every backend passes.
//!
//! # Invariants
//! - Keys and values are bytes; nothing here knows SQL, rows or transactions.
//! - A [`WriteBatch`] is atomic across keyspaces, also over a crash.
//! - A read never sees half a batch. A `range` sees one point in time; a `get` the newest committed one.
//! - Values carry a checksum of ours: a damaged value is `KvError::Corrupt`, never a wrong row.
//! - Only checkpoints and bulk loads write here; the write-ahead log protects the rest.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod error;
#[cfg(any(feature = "redb", feature = "sled"))]
mod files;
pub mod memory;
mod open;
pub mod overlay;
#[cfg(feature = "redb")]
pub mod redb;
#[cfg(feature = "sled")]
pub mod sled;
mod store;
#[cfg(any(feature = "redb", feature = "sled"))]
mod value;

pub use error::{KvError, KvResult};
pub use open::{KvKind, KvOptions, open};
pub use store::{Direction, Durability, Keyspace, Kv, KvEntry, WriteBatch, WriteOp};
