//! The write-ahead log: records in segments, group commit, recovery.
//!
//! PG: src/backend/access/transam/README, "Write-Ahead Log Coding" and "Asynchronous Commit".
//! The format byte by byte: docs/internals/wal.md.
//!
//! # Map
//! `record` one record · `segment` files and the writing end · `reader` reading and finding the end · `group` commits,
//! leaders and followers, failures.
//!
//! # Invariants
//! - The log holds opaque payloads. Replaying it from a checkpoint's `redo` LSN on is idempotent.
//! - What was acknowledged is read back after any crash; what failed never is.
//! - LSNs only grow and never repeat, also over failures.

mod group;
mod reader;
mod record;
mod segment;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod torture;

use std::path::{Path, PathBuf};
use std::time::Duration;

use common::env::{Env, TaskStatus};
use common::{Csn, Lsn, Xid};

pub use reader::WalReader;
pub use record::{Record, RecordKind};

pub(crate) use group::CommitWait;

use crate::error::{TxnError, TxnResult};
use crate::manager::CheckpointPoint;
use crate::sync::{Arc, AtomicU64, Mutex, OnceLock, Ordering, Weak};
use crate::table::TxnTable;
use crate::wal::group::Queue;
use crate::wal::record::{PAYLOAD_MAX, payload_crc};
use crate::wal::segment::{FIRST_LSN, Writer, WriterStart};

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
    /// Unwritten bytes after which appending waits for a flush.
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

/// The part of the log that is on disk; absent in memory.
struct Disk {
    env: Arc<dyn Env>,
    options: WalOptions,
    /// Rank: below `Wal::queue`. Held across I/O; only by the leader, or under `queue` after a failure.
    writer: Mutex<Writer>,
    /// LSN up to which the log is on disk.
    durable: AtomicU64,
    /// LSN up to which records were appended.
    insert: AtomicU64,
}

/// The log of one database.
pub struct Wal {
    me: Weak<Wal>,
    disk: Option<Disk>,
    /// Records and commits not yet taken by a leader, and everything about publication. Held for copying a record,
    /// for publishing, and (rarely) while clearing up after a failure.
    queue: Mutex<Queue>,
    table: OnceLock<Arc<TxnTable>>,
}

impl Wal {
    /// No log: commits publish at once and nothing survives.
    pub fn none() -> Arc<Wal> {
        Wal::build(None, Queue::default())
    }

    /// Opens the log in `options.dir`, gives every record from `from` on to `replay`, and goes on writing after the last.
    /// `from` is the `redo` LSN of the last checkpoint (0: there was none). The torn tail of a crash is dropped for good;
    /// damage before it is `TxnError::Corrupt`. Writes nothing before the first record.
    pub fn open(
        env: Arc<dyn Env>,
        options: WalOptions,
        from: Lsn,
        replay: &mut dyn FnMut(Record<'_>) -> TxnResult<()>,
    ) -> TxnResult<Arc<Wal>> {
        prepare_dir(&*env, &options.dir)?;
        let mut reader = WalReader::open(&env, &options.dir, Lsn(from.0.max(FIRST_LSN)))?;
        let mut replayed = false;
        while let Some(record) = reader.next_record()? {
            replay(record)?;
            replayed = true;
        }
        let end = reader.into_end();
        if replayed && let Some((_, file)) = &end.last {
            // After kill -9 the records may be in the kernel's cache only; nobody may build on them before they are on disk.
            file.sync_all()
                .map_err(|e| TxnError::io("could not fsync write-ahead log", e))?;
        }
        let reopen = end.last.filter(|_| end.clean);
        let salt = reopen
            .as_ref()
            .map_or_else(|| random_salt(&*env), |(header, _)| header.salt);
        let insert = end.lsn.max(FIRST_LSN);
        let start = WriterStart {
            segments: end.segments,
            end: insert,
            reopen,
            salt,
        };
        let writer = Writer::new(Arc::clone(&env), options.dir.clone(), options.segment_size, start)?;
        let disk = Disk {
            env,
            options,
            writer: Mutex::new(writer),
            durable: AtomicU64::new(insert),
            insert: AtomicU64::new(insert),
        };
        Ok(Wal::build(Some(disk), Queue::at(insert, salt)))
    }

    fn build(disk: Option<Disk>, queue: Queue) -> Arc<Wal> {
        Arc::new_cyclic(|me| Wal {
            me: me.clone(),
            disk,
            queue: Mutex::new(queue),
            table: OnceLock::new(),
        })
    }

    /// True for [`Wal::none`].
    pub fn is_none(&self) -> bool {
        self.disk.is_none()
    }

    /// Appends a record without waiting for the disk; the LSN after it. Later commits carry it there, or [`Wal::flush`], or the
    /// background task.
    pub fn append(&self, kind: RecordKind, xid: Xid, payload: &[u8]) -> TxnResult<Lsn> {
        let Some(disk) = &self.disk else { return Ok(Lsn(0)) };
        check_payload(payload)?;
        let crc = payload_crc(payload);
        let mut queue = self.lock_writable(disk)?;
        let lsn = queue.push_record(disk, kind, xid, payload, crc);
        if matches!(kind, RecordKind::CHUNK | RecordKind::PREPARE) {
            queue.note_chunk(xid, lsn);
            // The transaction goes on meanwhile.
            if queue.set_hurry(disk) {
                self.wake_task(disk, &mut queue);
            }
        } else {
            self.mark_dirty(disk, &mut queue);
        }
        let (end, full) = (Lsn(queue.insert()), queue.is_full(disk));
        drop(queue);
        if full {
            self.flush(end)?;
        }
        Ok(end)
    }

    /// The LSN after the last record appended (`pg_current_wal_insert_lsn`).
    pub fn insert_lsn(&self) -> Lsn {
        Lsn(self
            .disk
            .as_ref()
            .map_or(0, |disk| disk.insert.load(Ordering::Acquire)))
    }

    /// The LSN up to which the log is on disk (`pg_current_wal_flush_lsn`).
    pub fn flushed_lsn(&self) -> Lsn {
        Lsn(self
            .disk
            .as_ref()
            .map_or(0, |disk| disk.durable.load(Ordering::Acquire)))
    }

    /// Gives back segments that end at or below `lsn`: a checkpoint's `redo`, once that checkpoint is durable.
    pub fn recycle_below(&self, lsn: Lsn) -> TxnResult<()> {
        match &self.disk {
            Some(disk) => disk.writer.lock().recycle_below(lsn.0),
            None => Ok(()),
        }
    }

    /// The error that stops writing, if any. Commits try [`Wal::recover_after_error`] themselves.
    pub fn poisoned(&self) -> Option<TxnError> {
        self.queue.lock().poisoned()
    }

    /// Flushes and stops the background task: a clean shutdown.
    pub fn close(&self) -> TxnResult<()> {
        let task = self.queue.lock().take_task();
        if let Some(task) = task {
            task.stop();
        }
        self.flush(self.insert_lsn())
    }

    /// Ties the log to the transactions that it publishes.
    pub(crate) fn attach(&self, table: &Arc<TxnTable>, csn: Csn) -> TxnResult<()> {
        if self.table.set(Arc::clone(table)).is_err() {
            return Err(TxnError::Internal(
                "a write-ahead log belongs to one transaction manager".to_owned(),
            ));
        }
        let lsn = self.insert_lsn();
        self.queue.lock().set_published(csn, lsn);
        Ok(())
    }

    /// A consistent pair of CSN and LSN.
    pub(crate) fn checkpoint_point(&self) -> CheckpointPoint {
        self.queue.lock().checkpoint_point()
    }

    /// Recovery found a prepared transaction whose first record is at `lsn`: the log from there on stays until it ends.
    pub fn hold_back(&self, xid: Xid, lsn: Lsn) {
        self.queue.lock().note_chunk(xid, lsn.0);
    }

    /// The transaction will not commit: its chunks hold no segments any longer.
    pub(crate) fn forget_chunks(&self, xid: Xid) {
        let Some(disk) = &self.disk else { return };
        let mut queue = self.queue.lock();
        if queue.forget_chunks(xid) {
            queue.push_record(disk, RecordKind::ABORT, xid, &[], payload_crc(&[]));
        }
    }

    /// One run of the background task that brings asynchronous commits to disk. A write that fails is tried again by whoever
    /// commits next, or by the next run.
    fn background_run(&self, armed: &mut bool) -> TaskStatus {
        const IDLE: Duration = Duration::from_secs(3600);
        let Some(disk) = &self.disk else {
            return TaskStatus::Done;
        };
        if self.queue.lock().take_hurry() {
            self.flush_in_background(disk);
        }
        if !self.queue.lock().is_dirty() {
            *armed = false;
            return TaskStatus::SleepFor(IDLE);
        }
        if std::mem::replace(armed, true) {
            *armed = !self.flush_in_background(disk);
        }
        TaskStatus::SleepFor(if *armed { disk.options.flush_interval } else { IDLE })
    }

    /// Remembers that unwritten records wait for nobody, and sees to it that the background task comes by.
    fn mark_dirty(&self, disk: &Disk, queue: &mut Queue) {
        if queue.set_dirty() {
            self.wake_task(disk, queue);
        }
    }

    fn wake_task(&self, disk: &Disk, queue: &mut Queue) {
        if let Some(task) = queue.task() {
            return task.wake();
        }
        let (me, mut armed) = (self.me.clone(), false);
        let run = move || {
            me.upgrade()
                .map_or(TaskStatus::Done, |wal| wal.background_run(&mut armed))
        };
        // Without the task, records wait for the next synchronous commit or `close`: late, not lost.
        if let Ok(task) = disk.env.spawn_task("wal writer", Box::new(run)) {
            queue.set_task(task);
        }
    }
}

impl Drop for Wal {
    fn drop(&mut self) {
        let task = self.queue.lock().take_task();
        if let Some(task) = task {
            task.stop();
        }
    }
}

fn check_payload(payload: &[u8]) -> TxnResult<()> {
    if payload.len() > PAYLOAD_MAX {
        return Err(TxnError::Limit(format!(
            "write-ahead log record of {} bytes is too large",
            payload.len()
        )));
    }
    Ok(())
}

fn random_salt(env: &dyn Env) -> u64 {
    let mut bytes = [0; 8];
    env.fill_random(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// Makes the directory and clears what an unfinished rotation left.
fn prepare_dir(env: &dyn Env, dir: &Path) -> TxnResult<()> {
    let failed = |e| TxnError::io(format!("could not create directory \"{}\"", dir.display()), e);
    env.fs().create_dir_all(dir).map_err(failed)?;
    let (segments, leftovers) = segment::list(env.fs(), dir)?;
    if segments.is_empty()
        && let Some(parent) = dir.parent()
    {
        env.fs().sync_dir(parent).map_err(failed)?;
    }
    for leftover in leftovers {
        env.fs()
            .remove_file(&leftover)
            .map_err(|e| TxnError::io(format!("could not remove file \"{}\"", leftover.display()), e))?;
    }
    Ok(())
}
