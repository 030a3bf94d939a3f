//! Floor 2: transactions, snapshots, the write-ahead log, locks and deadlock detection. Bytes and numbers only.
//!
//! Main types: [`TxnManager`] and [`Txn`] (begin, snapshot, commit, abort), [`Stamp`]/[`AtomicStamp`] and
//! [`visible`] (what a version carries and who sees it), [`Proc`] (one per session: its slot in the
//! [`TxnTable`]), [`Wal`] (log with group commit), [`LockManager`] (PostgreSQL's locks).
//!
//! The contract with `kv` and `access` is docs/internals/storage.md; the log format is docs/internals/wal.md.
//!
//! # Life of a writing transaction, as `access` sees it
//! ```text
//! let proc = manager.register(pid)?;                // once per session
//! let mut txn = manager.begin(&proc);
//! let guard = txn.take_snapshot();                  // per statement, or once (repeatable read)
//! let snapshot = guard.snapshot(&txn);              // csn + own stamp + command: Copy
//! let stamp = txn.assign_xid()?;                    // at the first write; goes into begin/end of versions
//! version.end.try_claim(stamp) ...                  // loser: manager.locks().wait_for_txn(..)
//! let csn = txn.commit(Some(&payload), level)?;     // log, group commit, publication
//! version.begin.set(Stamp::committed(csn)) ...      // the owner rewrites its stamps
//! txn.finish();                                     // slot reusable, locks released, waiters woken
//! // or, instead of the last three: undo physically (begin := NEVER, end := NEVER), then txn.abort()
//! ```
//!
//! # Invariants
//! - Nothing here knows SQL, rows or keys.
//! - Readers take no lock and allocate nothing; nothing on the path of a transaction grows with the session count.
//! - CSNs are handed out in the order of the log; a snapshot never sees a later commit without an earlier one.
//! - An error from [`Txn::commit`] means: not committed, not visible, and never replayed.
//! - All waiting goes through [`common::env::Env`].

pub mod error;
pub mod locks;
pub mod manager;
pub mod snapshot;
pub mod ssi;
pub mod stamp;
mod sync;
pub mod table;
pub mod versions;
pub mod wal;

#[cfg(all(test, pglite_loom))]
mod models;
#[cfg(test)]
mod tests;

pub use error::{TxnError, TxnResult};
pub use locks::{
    AdvisoryKey, LockDuration, LockManager, LockMark, LockMode, LockOutcome, LockStatus, LockTag,
    RowLockMode, WaitOptions, Watch,
};
pub use manager::{CheckpointPoint, Txn, TxnInfo, TxnManager, TxnStart};
pub use snapshot::{LiveSnapshots, Snapshot, SnapshotGuard, visible};
pub use ssi::{ReadTarget, SerialLock, SerialMode, WriteTarget};
pub use stamp::{AtomicStamp, Stamp, StampState};
pub use table::{Proc, TxnTable, VirtualXid};
pub use wal::{Record, RecordKind, SynchronousCommit, Wal, WalOptions, WalReader};
