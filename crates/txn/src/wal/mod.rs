//! The write-ahead log: segments, group commit, recovery.
//!
//! The format is docs/internals/wal.md.

use std::path::PathBuf;
use std::time::Duration;

use common::env::Env;
use common::{Csn, Lsn, Xid};

use crate::error::{TxnError, TxnResult};
use crate::manager::CheckpointPoint;
use crate::stamp::Stamp;
use crate::sync::{Arc, Mutex};
use crate::table::Proc;

/// What kind of record; numbers from [`RecordKind::FIRST_OTHER`] on are `access`'s own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RecordKind(pub u8);

impl RecordKind {
    /// A committed transaction: puts and deletes, or the last part of them.
    pub const COMMIT: RecordKind = RecordKind(1);
    /// A part of a large transaction; counts only if the COMMIT of its xid follows.
    pub const CHUNK: RecordKind = RecordKind(2);
    /// The chunks of this xid so far are void.
    pub const ABORT: RecordKind = RecordKind(3);
    /// A sequence advances, outside transactions.
    pub const SEQUENCE: RecordKind = RecordKind(4);
    /// A checkpoint begins or ended.
    pub const CHECKPOINT: RecordKind = RecordKind(5);
    /// A transaction is prepared (two-phase commit).
    pub const PREPARE: RecordKind = RecordKind(6);
    /// First of the kinds that `access` defines.
    pub const FIRST_OTHER: RecordKind = RecordKind(64);
}

/// A record read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Where it begins.
    pub lsn: Lsn,
    /// Where the next one begins.
    pub end: Lsn,
    /// What it is.
    pub kind: RecordKind,
    /// The transaction, or 0.
    pub xid: Xid,
    /// What the writer gave.
    pub payload: &'a [u8],
}

/// PostgreSQL's `synchronous_commit`. Without standbys the remote levels mean `On`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub enum SynchronousCommit {
    /// Do not wait for the disk: a crash may lose the last commits (never reorder or tear them).
    Off,
    Local,
    RemoteWrite,
    #[default]
    On,
    RemoteApply,
}

/// How the log is kept.
#[derive(Clone, Debug)]
pub struct WalOptions {
    /// Directory of the segments; created when missing.
    pub dir: PathBuf,
    /// Bytes after which a new segment begins.
    pub segment_size: u64,
    /// How long an asynchronous commit may stay unwritten (`wal_writer_delay`).
    pub flush_interval: Duration,
    /// Unwritten bytes after which asynchronous commits wait for a flush.
    pub buffer_max: usize,
}

impl WalOptions {
    /// The defaults, in `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> WalOptions {
        WalOptions {
            dir: dir.into(),
            segment_size: 16 << 20,
            flush_interval: Duration::from_millis(200),
            buffer_max: 4 << 20,
        }
    }
}

/// How the session waits for its commit; lives in its slot.
#[derive(Default)]
pub(crate) struct CommitWait {}

/// The log of one database.
pub struct Wal {
    published: Mutex<Csn>,
}

impl Wal {
    /// No log: commits publish at once and nothing survives.
    pub fn none() -> Arc<Wal> {
        Arc::new(Wal {
            published: Mutex::new(Csn(0)),
        })
    }

    /// Opens the log in `options.dir`, gives every record from `from` on to `replay`, and goes on writing after the last.
    /// `from` is the `redo` LSN of the last checkpoint (0: none). The torn tail of a crash is dropped for good; damage
    /// before it is `TxnError::Corrupt`.
    pub fn open(
        env: Arc<dyn Env>,
        options: WalOptions,
        from: Lsn,
        replay: &mut dyn FnMut(Record<'_>) -> TxnResult<()>,
    ) -> TxnResult<Arc<Wal>> {
        let _ = (env, options, from, replay);
        Err(TxnError::Internal(
            "the log on disk is not written yet".to_owned(),
        ))
    }

    /// True for [`Wal::none`].
    pub fn is_none(&self) -> bool {
        true
    }

    /// Appends a record without waiting for anything; the LSN after it. Later commits carry it to disk, or [`Wal::flush`].
    pub fn append(&self, kind: RecordKind, xid: Xid, payload: &[u8]) -> TxnResult<Lsn> {
        let _ = (kind, xid, payload);
        Ok(Lsn(0))
    }

    /// Returns when everything before `lsn` is on disk.
    pub fn flush(&self, lsn: Lsn) -> TxnResult<()> {
        let _ = lsn;
        Ok(())
    }

    /// The LSN after the last record appended (`pg_current_wal_insert_lsn`).
    pub fn insert_lsn(&self) -> Lsn {
        Lsn(0)
    }

    /// The LSN up to which the log is on disk (`pg_current_wal_flush_lsn`).
    pub fn flushed_lsn(&self) -> Lsn {
        Lsn(0)
    }

    /// Gives back segments that end at or below `lsn`: a checkpoint's `redo`, once that checkpoint is durable.
    pub fn recycle_below(&self, lsn: Lsn) -> TxnResult<()> {
        let _ = lsn;
        Ok(())
    }

    /// The error that stopped writing, if any. Commits try [`Wal::recover_after_error`] themselves.
    pub fn poisoned(&self) -> Option<TxnError> {
        None
    }

    /// After a failed write or sync: makes what was not acknowledged void, writes what was visible but not yet durable
    /// (asynchronous commits) again into a new segment, and goes on. No-op when all is well.
    pub fn recover_after_error(&self) -> TxnResult<()> {
        Ok(())
    }

    /// Flushes and stops the background task: a clean shutdown.
    pub fn close(&self) -> TxnResult<()> {
        Ok(())
    }

    pub(crate) fn set_published(&self, csn: Csn) {
        *self.published.lock() = csn;
    }

    pub(crate) fn checkpoint_point(&self) -> CheckpointPoint {
        CheckpointPoint {
            csn: *self.published.lock(),
            lsn: Lsn(0),
            redo: Lsn(0),
        }
    }

    pub(crate) fn forget_chunks(&self, xid: Xid) {
        let _ = xid;
    }

    pub(crate) fn commit(
        &self,
        proc: &Arc<Proc>,
        stamp: Stamp,
        payload: Option<&[u8]>,
        level: SynchronousCommit,
    ) -> TxnResult<Csn> {
        let _ = (payload, level);
        let mut published = self.published.lock();
        let csn = Csn(published.0 + 1);
        proc.table()
            .publish_state(stamp.xid().unwrap_or_default(), stamp.slot(), csn);
        proc.table().publish_visible(csn);
        *published = csn;
        Ok(csn)
    }
}

/// Reads records from segments on disk: recovery, archives, `pg_waldump`.
pub struct WalReader {}

impl WalReader {
    /// Reads from `from` (0: the oldest there is) in `dir`.
    pub fn open(env: &Arc<dyn Env>, dir: &std::path::Path, from: Lsn) -> TxnResult<WalReader> {
        let _ = (env, dir, from);
        Ok(WalReader {})
    }

    /// The next record; None at the end of the log.
    pub fn next_record(&mut self) -> TxnResult<Option<Record<'_>>> {
        Ok(None)
    }
}
