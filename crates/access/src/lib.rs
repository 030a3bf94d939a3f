//! Floor 3: tables, indexes and sequences over `txn` and `kv`; checkpoint, merge, recovery.
//!
//! Main types: [`Storage`] (one database), [`Transaction`], [`Table`], [`Index`], [`Sequence`].
//!
//! # The life of a row
//! ```text
//! let storage = Storage::open(StorageOptions::in_memory(env))?;
//! let proc = storage.register(pid)?;                                   // once per session
//! let mut txn = storage.begin(&proc, TransactionOptions::default())?;
//! let id = txn.create_relation()?;
//! let table = storage.table(&Arc::new(TableDef::new(id, oid, columns)))?;
//! let row = table.insert(&mut txn, &[Datum::Int4(1)])?;
//! txn.next_command()?;                                                 // later commands see it
//! let snapshot = txn.snapshot()?;                                      // keep it while reading
//! let mut scan = table.scan(&snapshot, ScanRequest::columns([0]).with_row_ids());
//! while let Some(batch) = scan.next_batch(1024)? { ... }
//! table.update(&mut txn, &snapshot, row, &[Datum::Int4(2)], RowLockMode::NoKeyUpdate)?;
//! txn.commit()?;
//! ```
//! The executor changes the index entries of a row itself: [`Index::insert`] and [`Index::delete`] after [`Table::insert`],
//! [`Table::update`] (only if the row id or the key changed) and [`Table::delete`].
//!
//! # Invariants
//! - Readers take no lock: one pointer load gives a consistent pair of delta and main.
//! - What a snapshot may need leaves delta only for main or the KV store, and is found there.
//! - The KV store is written by checkpoints, bulk builds and loads only; the log protects the rest.
//! - Nothing here knows SQL, names or types beyond their storage classes and key orders.

mod ahead;
mod block;
mod cache;
mod chunk;
mod defs;
mod dense;
mod direct;
mod index;
mod narrow;
mod pack;
mod sequence;
mod serial;
mod shared;
mod storage;
mod table;
mod temp;
mod toast;
mod transaction;
mod version;
mod xids;
mod zone;

pub use defs::{BuiltinEntries, BuiltinRows, ColumnStorage, IndexDef, IndexState, Persistence, TableDef};
pub use index::{
    Adopted, BuildOutcome, EntryRun, Excluding, ExclusionProbe, Index, IndexBounds, IndexBuilder, IndexScan,
    IndexSize, Judge, KeyBound, KeyList, TransactionMark, UniqueCheck, Verdict,
};
pub use sequence::{Sequence, SequenceParams, SequenceState, Taken};
pub use storage::backup::BackupFile;
pub use storage::{
    CatalogRelation, CompactFile, FIRST_RELATION, Identity, Maintenance, Storage, StorageOptions,
};
pub use table::{
    Activity, Asked, Collector, Conflict, Done, LockOutcome, NewestLock, RowSystem, ScanDirection,
    ScanRequest, Table, TableScan, TableSize, Upkeep, WaitPolicy, WriteOutcome, heap_tuple_width,
};
pub use temp::{TempDirectory, TempFile, TempSpace};
pub use toast::facts::StoredValue;
pub use transaction::export::ExportedSnapshot;
pub use transaction::obstacle::Obstacle;
pub use transaction::prepared::{PreparedCopy, PreparedInfo, PreparedTransaction};
pub use transaction::snapshots::ActiveSnapshot;
pub use transaction::{Isolation, Savepoint, Transaction, TransactionOptions, WalUsage};
pub use zone::{ZoneTest, ZoneWants, zone_key};
