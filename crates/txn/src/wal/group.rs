//! Group commit: many transactions, one write and one sync.
//!
//! # How it works
//! 1. A committer copies its record into the pending buffer and enters the queue, both under the queue's lock: the order of
//!    the queue is the order of the log.
//! 2. If nobody leads it leads: takes all that is pending, writes and syncs it with the lock free, then publishes the
//!    commits in order and wakes their sessions. Meanwhile others pile up the next group.
//! 3. If there is a next group its first session is told to lead it; nobody leads more than one group.
//!
//! Commits that need not wait for the disk publish at once when no unpublished commit is before them, else as soon
//! as those are published. The background task writes their records. It also writes what long transactions append before their commit, as soon as
//! there is much of it: they go on meanwhile, and wait only when [`crate::WalOptions::buffer_max`] bytes are unwritten.
//!
//! # When a write or sync fails
//! All commits in the queue fail. What is on disk above `durable` is unknown and must not come back, so a new segment
//! begins whose header voids it; into it goes again what was appended but is neither durable nor failed (asynchronous commits,
//! which others have seen, sequences, chunks). If no new segment can be made (disk full), the tail of the old one is cut off and the log is
//! *poisoned*: every later commit first tries the new segment again. Only if the tail cannot be cut either, the outcome of
//! the failed commits is open until then ([`TxnError::Unresolved`]).
//!
//! # Invariants
//! - CSNs are assigned under the queue's lock, in the order of the log.
//! - `leader` is set exactly while somebody is between step 2 and 3, or has been told to lead.
//! - Poisoned implies: no leader, no waiter.

use std::collections::VecDeque;
use std::time::Duration;

use common::env::{Notify, TaskHandle};
use common::{Csn, Lsn, Xid};

use crate::error::{TxnError, TxnResult};
use crate::manager::CheckpointPoint;
use crate::stamp::Stamp;
use crate::sync::{Arc, AtomicU8, AtomicU64, Mutex, MutexGuard, Ordering};
use crate::table::{Proc, TxnTable};
use crate::wal::record::{Frame, Parsed, RecordKind, encode, parse, payload_crc};
use crate::wal::segment::WriteFailure;
use crate::wal::{Disk, SynchronousCommit, Wal, check_payload};

const WAITING: u8 = 0;
const LEAD: u8 = 1;
const DONE: u8 = 2;
const FAILED: u8 = 3;

/// Buffers larger than this are given back to the allocator between groups.
const KEEP_BYTES_MAX: usize = 1 << 20;

/// How a session waits for its commit or flush; lives in its slot.
#[derive(Default)]
pub(crate) struct CommitWait {
    state: AtomicU8,
    csn: AtomicU64,
    error: Mutex<Option<TxnError>>,
    notify: Notify,
}

impl CommitWait {
    fn finish(&self, csn: Csn) {
        self.csn.store(csn.0, Ordering::Relaxed);
        self.state.store(DONE, Ordering::Release);
        self.notify.notify();
    }

    fn fail(&self, error: &TxnError) {
        *self.error.lock() = Some(error.clone());
        self.state.store(FAILED, Ordering::Release);
        self.notify.notify();
    }
}

/// Somebody in the queue.
enum Waiter {
    Commit {
        stamp: Stamp,
        /// LSN of its record; None without one.
        record: Option<u64>,
        /// LSN after it.
        end: u64,
        /// True if it is to be on disk before it is published.
        sync: bool,
    },
    Flush {
        until: u64,
        wait: Arc<CommitWait>,
    },
}

/// What waits to be written and published.
#[derive(Default)]
pub(super) struct Queue {
    /// Framed records from `pending_start` on.
    pending: Vec<u8>,
    pending_start: u64,
    /// An emptied buffer for the next group.
    emptied: Vec<u8>,
    waiters: VecDeque<Waiter>,
    leader: bool,
    /// The leader has unpublished commits in hand.
    unpublished: bool,
    published: Csn,
    published_lsn: u64,
    /// Transactions with chunks in the log, and where the first of them is.
    chunks: Vec<(Xid, u64)>,
    poison: Option<TxnError>,
    /// Records wait for nobody; the background task will come.
    dirty: bool,
    /// So much of it that the background task shall not wait.
    hurry: bool,
    task: Option<Arc<dyn TaskHandle>>,
    salt: u64,
}

impl Queue {
    pub(super) fn at(lsn: u64, salt: u64) -> Queue {
        Queue {
            pending_start: lsn,
            published_lsn: lsn,
            salt,
            ..Queue::default()
        }
    }

    /// LSN of the next record.
    pub(super) fn insert(&self) -> u64 {
        self.pending_start + self.pending.len() as u64
    }

    pub(super) fn is_full(&self, disk: &Disk) -> bool {
        self.pending.len() > disk.options.buffer_max
    }

    /// Appends a record; its LSN.
    pub(super) fn push_record(
        &mut self,
        disk: &Disk,
        kind: RecordKind,
        xid: Xid,
        payload: &[u8],
        crc: u32,
    ) -> u64 {
        let (lsn, durable) = (self.insert(), disk.durable.load(Ordering::Relaxed));
        encode(
            &mut self.pending,
            &Frame {
                lsn,
                durable,
                xid,
                kind,
                salt: self.salt,
            },
            payload,
            crc,
        );
        disk.insert.store(self.insert(), Ordering::Release);
        lsn
    }

    pub(super) fn note_chunk(&mut self, xid: Xid, lsn: u64) {
        if !self.chunks.iter().any(|(known, _)| *known == xid) {
            self.chunks.push((xid, lsn));
        }
    }

    /// True if it had chunks.
    pub(super) fn forget_chunks(&mut self, xid: Xid) -> bool {
        let before = self.chunks.len();
        self.chunks.retain(|(known, _)| *known != xid);
        self.chunks.len() < before
    }

    pub(super) fn poisoned(&self) -> Option<TxnError> {
        self.poison.clone()
    }

    /// True once there was so much to write that it shall not wait; from here on it may.
    pub(super) fn take_hurry(&mut self) -> bool {
        std::mem::take(&mut self.hurry)
    }

    /// True when the background task is to come at once, and does not know yet: an eighth of what may wait is there, and nobody writes.
    pub(super) fn set_hurry(&mut self, disk: &Disk) -> bool {
        let much = self.pending.len() > disk.options.buffer_max / 8;
        much && !self.leader && !std::mem::replace(&mut self.hurry, true)
    }

    pub(super) fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// True if it was clean.
    pub(super) fn set_dirty(&mut self) -> bool {
        !std::mem::replace(&mut self.dirty, true)
    }

    pub(super) fn task(&self) -> Option<&Arc<dyn TaskHandle>> {
        self.task.as_ref()
    }

    pub(super) fn set_task(&mut self, task: Arc<dyn TaskHandle>) {
        self.task = Some(task);
    }

    pub(super) fn take_task(&mut self) -> Option<Arc<dyn TaskHandle>> {
        self.task.take()
    }

    pub(super) fn set_published(&mut self, csn: Csn, lsn: Lsn) {
        (self.published, self.published_lsn) = (csn, lsn.0);
    }

    pub(super) fn checkpoint_point(&self) -> CheckpointPoint {
        let lsn = self.published_lsn;
        let redo = self.chunks.iter().fold(lsn, |redo, (_, first)| redo.min(*first));
        CheckpointPoint {
            csn: self.published,
            lsn: Lsn(lsn),
            redo: Lsn(redo),
        }
    }

    /// True if a commit without need of the disk may be published now.
    fn in_order(&self) -> bool {
        self.waiters.is_empty() && !self.unpublished
    }

    /// Publishes a commit whose record (if any) is before `lsn`.
    fn publish(&mut self, table: &TxnTable, stamp: Stamp, lsn: u64) -> Csn {
        let (csn, xid) = (Csn(self.published.0 + 1), stamp.xid().unwrap_or_default());
        table.publish_state(xid, stamp.slot(), csn);
        table.publish_visible(csn);
        (self.published, self.published_lsn) = (csn, lsn);
        if !self.chunks.is_empty() {
            self.forget_chunks(xid);
        }
        csn
    }
}

/// What a leader has in hand.
struct Group {
    bytes: Vec<u8>,
    start: u64,
    waiters: VecDeque<Waiter>,
}

impl Wal {
    /// Appends a commit record, waits as `level` says, and publishes in the order of the log.
    pub(crate) fn commit(
        &self,
        proc: &Proc,
        stamp: Stamp,
        payload: Option<&[u8]>,
        level: SynchronousCommit,
    ) -> TxnResult<Csn> {
        let (table, wait) = (proc.table(), &proc.slot()?.commit);
        let Some(disk) = &self.disk else {
            return Ok(self.queue.lock().publish(table, stamp, 0));
        };
        check_payload(payload.unwrap_or_default())?;
        let crc = payload_crc(payload.unwrap_or_default());
        let mut queue = self.lock_writable(disk)?;
        let xid = stamp.xid().unwrap_or_default();
        let record = payload.map(|payload| queue.push_record(disk, RecordKind::COMMIT, xid, payload, crc));
        let sync = payload.is_some() && level != SynchronousCommit::Off;
        if !sync && queue.in_order() {
            return self.publish_unsynced(disk, queue, table, stamp, record.is_some());
        }
        wait.state.store(WAITING, Ordering::Relaxed);
        let end = queue.insert();
        queue.waiters.push_back(Waiter::Commit {
            stamp,
            record,
            end,
            sync,
        });
        self.lead_or_wait(disk, queue, wait)
    }

    /// Returns when everything before `lsn` is on disk.
    pub fn flush(&self, lsn: Lsn) -> TxnResult<()> {
        let Some(disk) = &self.disk else { return Ok(()) };
        if disk.durable.load(Ordering::Acquire) >= lsn.0 {
            return Ok(());
        }
        let mut queue = self.lock_writable(disk)?;
        let until = lsn.0.min(queue.insert());
        if disk.durable.load(Ordering::Acquire) >= until {
            return Ok(());
        }
        let wait = Arc::new(CommitWait::default());
        queue.waiters.push_back(Waiter::Flush {
            until,
            wait: Arc::clone(&wait),
        });
        self.lead_or_wait(disk, queue, &wait).map(|_| ())
    }

    /// After a failed write or sync: makes what was not acknowledged void, writes what was visible but not yet durable
    /// (asynchronous commits) again into a new segment, and goes on. No-op when all is well.
    pub fn recover_after_error(&self) -> TxnResult<()> {
        match &self.disk {
            Some(disk) => self.lock_writable(disk).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Writes what waits for nobody; true if that is done or somebody else is at it.
    pub(super) fn flush_in_background(&self, disk: &Disk) -> bool {
        let Ok(mut queue) = self.lock_writable(disk) else {
            return false;
        };
        if std::mem::replace(&mut queue.leader, true) {
            return false;
        }
        drop(queue);
        self.lead(disk);
        !self.queue.lock().dirty
    }

    /// The queue, of a log that can be written.
    pub(super) fn lock_writable(&self, disk: &Disk) -> TxnResult<MutexGuard<'_, Queue>> {
        let mut queue = self.queue.lock();
        if queue.poison.is_some() {
            begin_anew(disk, &mut queue)?;
        }
        Ok(queue)
    }

    /// The whole of an asynchronous commit.
    fn publish_unsynced(
        &self,
        disk: &Disk,
        mut queue: MutexGuard<'_, Queue>,
        table: &TxnTable,
        stamp: Stamp,
        has_record: bool,
    ) -> TxnResult<Csn> {
        let lsn = queue.insert();
        let csn = queue.publish(table, stamp, lsn);
        if has_record {
            self.mark_dirty(disk, &mut queue);
        }
        let full = queue.is_full(disk);
        drop(queue);
        if full {
            // It is committed already: an error here is that of whoever needs the disk next.
            let _ = self.flush(Lsn(lsn));
        }
        Ok(csn)
    }

    fn lead_or_wait(
        &self,
        disk: &Disk,
        mut queue: MutexGuard<'_, Queue>,
        wait: &CommitWait,
    ) -> TxnResult<Csn> {
        let lead = !std::mem::replace(&mut queue.leader, true);
        drop(queue);
        if lead {
            self.lead(disk);
        }
        loop {
            match wait.state.load(Ordering::Acquire) {
                DONE => return Ok(Csn(wait.csn.load(Ordering::Relaxed))),
                FAILED => {
                    let error = wait.error.lock().take();
                    return Err(
                        error.unwrap_or_else(|| TxnError::Internal("commit failed without error".to_owned()))
                    );
                }
                LEAD => {
                    wait.state.store(WAITING, Ordering::Relaxed);
                    self.lead(disk);
                }
                _ => {
                    // No timeout: the leader always answers. (The simulator may return early; so we loop.)
                    disk.env.wait(&wait.notify, None::<Duration>);
                }
            }
        }
    }

    /// Writes, syncs and publishes one group, and passes the lead on.
    fn lead(&self, disk: &Disk) {
        let mut group = self.take_group();
        let written = match group.bytes.is_empty() {
            true => Ok(()),
            false => disk.writer.lock().append(&group.bytes, group.start),
        };
        let mut queue = self.queue.lock();
        let mut finished = Vec::new();
        match written {
            Ok(()) => {
                let durable = group.start + group.bytes.len() as u64;
                disk.durable.store(durable, Ordering::Release);
                self.publish_waiters(&mut queue, &mut group.waiters, &mut finished, durable);
                group.bytes.clear();
                if group.bytes.capacity() <= KEEP_BYTES_MAX {
                    queue.emptied = std::mem::take(&mut group.bytes);
                }
                self.pass_on(disk, &mut queue, &mut finished);
            }
            Err(failure) => self.fail_all(disk, &mut queue, group, failure, &mut finished),
        }
        drop(queue);
        for outcome in finished {
            self.tell(outcome);
        }
    }

    fn take_group(&self) -> Group {
        let mut queue = self.queue.lock();
        let emptied = std::mem::take(&mut queue.emptied);
        let bytes = std::mem::replace(&mut queue.pending, emptied);
        let start = queue.pending_start;
        queue.pending_start += bytes.len() as u64;
        queue.dirty = false;
        let waiters = std::mem::take(&mut queue.waiters);
        queue.unpublished = waiters.iter().any(|w| matches!(w, Waiter::Commit { .. }));
        Group {
            bytes,
            start,
            waiters,
        }
    }

    /// Publishes those at the front of `waiters` that need nothing beyond `durable`.
    fn publish_waiters(
        &self,
        queue: &mut Queue,
        waiters: &mut VecDeque<Waiter>,
        finished: &mut Vec<Outcome>,
        durable: u64,
    ) {
        while let Some(waiter) = waiters.front() {
            match waiter {
                Waiter::Commit { stamp, end, sync, .. } => {
                    if *sync && *end > durable {
                        return;
                    }
                    if let Some(table) = self.table.get() {
                        finished.push(Outcome::Done(*stamp, queue.publish(table, *stamp, *end)));
                    }
                }
                Waiter::Flush { until, wait } => {
                    if *until > durable {
                        return;
                    }
                    finished.push(Outcome::Flushed(Arc::clone(wait)));
                }
            }
            waiters.pop_front();
        }
    }

    /// Publishes what need not wait any longer, and makes the first of the rest the leader.
    fn pass_on(&self, disk: &Disk, queue: &mut Queue, finished: &mut Vec<Outcome>) {
        queue.unpublished = false;
        let durable = disk.durable.load(Ordering::Relaxed);
        let mut waiters = std::mem::take(&mut queue.waiters);
        self.publish_waiters(queue, &mut waiters, finished, durable);
        if waiters.is_empty() {
            // No commit is on its way: all that was appended is before the next one.
            queue.published_lsn = queue.insert();
            queue.leader = false;
            if !queue.pending.is_empty() {
                self.mark_dirty(disk, queue);
            }
        } else {
            finished.push(Outcome::Lead(match waiters.front() {
                Some(Waiter::Commit { stamp, .. }) => Ok(*stamp),
                Some(Waiter::Flush { wait, .. }) => Err(Arc::clone(wait)),
                None => return,
            }));
        }
        queue.waiters = waiters;
    }

    fn tell(&self, outcome: Outcome) {
        let slot = |stamp: Stamp| self.table.get().and_then(|table| table.slot(stamp.slot()));
        match outcome {
            Outcome::Done(stamp, csn) => {
                if let Some(slot) = slot(stamp) {
                    slot.commit.finish(csn);
                }
            }
            Outcome::Failed(stamp, error) => {
                if let Some(slot) = slot(stamp) {
                    slot.commit.fail(&error);
                }
            }
            Outcome::Flushed(wait) => wait.finish(Csn(0)),
            Outcome::FlushFailed(wait, error) => wait.fail(&error),
            Outcome::Lead(Ok(stamp)) => {
                if let Some(slot) = slot(stamp) {
                    slot.commit.state.store(LEAD, Ordering::Release);
                    slot.commit.notify.notify();
                }
            }
            Outcome::Lead(Err(wait)) => {
                wait.state.store(LEAD, Ordering::Release);
                wait.notify.notify();
            }
        }
    }

    /// The group could not be brought to disk: fails everybody, keeps what must not be lost, and tries to go on.
    fn fail_all(
        &self,
        disk: &Disk,
        queue: &mut Queue,
        group: Group,
        failure: WriteFailure,
        finished: &mut Vec<Outcome>,
    ) {
        let mut waiters = group.waiters;
        waiters.append(&mut queue.waiters);
        let failed: Vec<u64> = waiters
            .iter()
            .filter_map(|w| match w {
                Waiter::Commit { record, .. } => *record,
                Waiter::Flush { .. } => None,
            })
            .collect();
        let mut bytes = group.bytes;
        bytes.append(&mut queue.pending);
        // Above everything handed out, so that no LSN ever means two things.
        let restart = queue.insert().max(group.start + bytes.len() as u64);
        queue.pending = relog(&bytes, group.start, queue.salt, restart, &failed);
        queue.pending_start = restart;
        disk.insert.store(queue.insert(), Ordering::Release);
        (queue.leader, queue.unpublished) = (false, false);
        queue.published_lsn = queue.insert();
        let (written, mut error) = match failure {
            WriteFailure::NoSegment(error) => (false, error),
            WriteFailure::Written(error) => (true, error),
        };
        queue.poison = Some(error.clone());
        // One of the two must say on disk that the failed records are void: the header of a new segment, or a shorter file.
        let void = disk.writer.lock().begin_segment(restart).is_ok() || {
            let cut = disk.writer.lock().void_tail();
            !written || cut.is_ok()
        };
        if void {
            // May fail again, or for the first time; the log stays poisoned then.
            let _ = begin_anew(disk, queue);
        } else if let TxnError::Io { context, source } = error {
            error = TxnError::Unresolved { context, source };
        }
        finished.extend(waiters.into_iter().map(|waiter| match waiter {
            Waiter::Commit { stamp, .. } => Outcome::Failed(stamp, error.clone()),
            Waiter::Flush { wait, .. } => Outcome::FlushFailed(wait, error.clone()),
        }));
    }
}

/// Ends the poisoning: a new segment, and in it what waits for nobody.
fn begin_anew(disk: &Disk, queue: &mut Queue) -> TxnResult<()> {
    let mut writer = disk.writer.lock();
    let begun = writer.begin_segment(queue.pending_start).and_then(|()| {
        if queue.pending.is_empty() {
            return Ok(());
        }
        match writer.append(&queue.pending, queue.pending_start) {
            Ok(()) => Ok(()),
            Err(WriteFailure::NoSegment(error) | WriteFailure::Written(error)) => Err(error),
        }
    });
    if let Err(error) = begun {
        // What was appended may stand in the new segment: the next one must begin above it, under other LSNs.
        let restart = queue.insert();
        queue.pending = relog(&queue.pending, queue.pending_start, queue.salt, restart, &[]);
        queue.pending_start = restart;
        disk.insert.store(queue.insert(), Ordering::Release);
        queue.published_lsn = queue.insert();
        queue.poison = Some(error.clone());
        return Err(error);
    }
    queue.pending_start = queue.insert();
    queue.pending.clear();
    queue.published_lsn = queue.pending_start;
    disk.durable.store(queue.pending_start, Ordering::Release);
    (queue.poison, queue.dirty) = (None, false);
    Ok(())
}

/// What a session is told once the lock is free.
enum Outcome {
    Done(Stamp, Csn),
    Failed(Stamp, TxnError),
    Flushed(Arc<CommitWait>),
    FlushFailed(Arc<CommitWait>, TxnError),
    Lead(Result<Stamp, Arc<CommitWait>>),
}

/// Frames the records of `bytes` (the log from `start` on) again from `restart` on, without the failed ones.
fn relog(bytes: &[u8], start: u64, salt: u64, restart: u64, failed: &[u64]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    while let Parsed::Valid(record, durable) = parse(bytes.get(at..).unwrap_or(&[]), start + at as u64, salt)
    {
        if !failed.contains(&record.lsn.0) {
            let frame = Frame {
                lsn: restart + out.len() as u64,
                durable,
                xid: record.xid,
                kind: record.kind,
                salt,
            };
            encode(&mut out, &frame, record.payload, payload_crc(record.payload));
        }
        at = (record.end.0 - start) as usize;
    }
    out
}
