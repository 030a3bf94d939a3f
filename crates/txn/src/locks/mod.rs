//! Locks: PostgreSQL's modes, fair queues, deadlock detection.
//!
//! PG: src/backend/storage/lmgr/README.
//!
//! # Map
//! `mode`, `tag` what and how · `queue` one lock · `fastpath` weak relation locks in the session's own slot · `wait` waiting, timeouts,
//! deadlocks · `deadlock` the search · `row` who has locked a row · `status` for `pg_locks`. This file: taking and releasing.
//!
//! # How it works
//! The lock table is 64 shards, each a mutex over a hash map from tag to holders and queue. `AccessShare`, `RowShare` and
//! `RowExclusive` on relations, which never exclude each other, stay in the session's slot while nobody wants
//! a stronger one: no shared cache line is written. The end of a transaction is a lock that nobody takes: who waits for
//! it enters the owner as holder on its behalf, and marks the owner's slot so that it cleans up.
//!
//! # Invariants
//! - Rank of mutexes: a slot's `locks`, then shards by number. Never the other way round.
//! - A mode held is in the slot's fast path or in a shard, and in the slot's list `held` (transaction) or `session`.
//! - A session waits for one lock at a time, and only its own thread adds to its lists.

mod deadlock;
mod fastpath;
mod handover;
mod mode;
mod queue;
mod row;
mod status;
mod tag;
mod wait;

#[cfg(test)]
mod row_tests;
#[cfg(test)]
mod tests;

use std::hash::BuildHasher;
use std::time::Duration;

use common::cancel::CancelToken;
use common::env::Env;
use common::{Oid, RowId, Xid};
use rustc_hash::{FxBuildHasher, FxHashMap};

pub use mode::{LockMode, RowLockMode};
pub use row::Watch;
pub use tag::{AdvisoryKey, LockTag};

pub(crate) use fastpath::ProcLocks;

use crate::error::{TxnError, TxnResult};
use crate::locks::deadlock::Edge;
use crate::locks::queue::{Asked, Lock, Waiter};
use crate::sync::{Arc, AtomicU32, CacheAligned, Mutex, MutexGuard, OnceLock, Ordering};
use crate::table::{Proc, Slot, TxnTable, VirtualXid};

const SHARDS: usize = if cfg!(pglite_loom) { 2 } else { 64 };
/// Counters by hash of the relation; a collision costs speed only.
const COUNTERS: usize = if cfg!(pglite_loom) { 2 } else { 512 };

/// Who lets go of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockDuration {
    /// The end of the transaction (or the rollback to a savepoint before it).
    Transaction,
    /// [`LockManager::unlock_session`], once for each time it was taken, or the end of the session.
    Session,
}

/// How a lock was obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockOutcome {
    /// Now held.
    Granted,
    /// Was held already by this session in this mode.
    AlreadyHeld,
}

/// A position in the list of locks a transaction has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockMark(pub(crate) usize);

impl LockMark {
    /// How many locks there are before it.
    pub fn count(self) -> usize {
        self.0
    }
}

/// How long to wait, and who may end it.
#[derive(Clone, Debug)]
pub struct WaitOptions {
    /// `lock_timeout`; None waits for ever.
    pub lock_timeout: Option<Duration>,
    /// `deadlock_timeout`: how long to wait before looking for a deadlock.
    pub deadlock_timeout: Duration,
    /// Ends the wait with its own error. Whoever cancels calls [`Proc::interrupt`] too; without that the wait
    /// notices within 100 ms.
    pub cancel: CancelToken,
}

impl Default for WaitOptions {
    fn default() -> WaitOptions {
        WaitOptions {
            lock_timeout: None,
            deadlock_timeout: Duration::from_secs(1),
            cancel: CancelToken::new(),
        }
    }
}

/// One row of `pg_locks`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockStatus {
    /// What is locked.
    pub tag: LockTag,
    /// The session that holds it or waits for it.
    pub pid: i32,
    /// That session's transaction.
    pub vxid: VirtualXid,
    /// How.
    pub mode: LockMode,
    /// Held, or waited for.
    pub granted: bool,
    /// Held by the fast path.
    pub fast_path: bool,
    /// Since when it waits.
    pub wait_start_unix_micros: Option<i64>,
}

type Shard = FxHashMap<LockTag, Lock>;

/// All locks of one database.
pub struct LockManager {
    env: Arc<dyn Env>,
    table: Arc<TxnTable>,
    shards: Box<[CacheAligned<Mutex<Shard>>]>,
    /// Strong locks held or wanted, by hash of the relation: zero allows the fast path.
    strong: Box<[AtomicU32]>,
    /// Row locks held or wanted, by hash of the relation.
    row_locks: Box<[AtomicU32]>,
    tid: OnceLock<fn(RowId) -> (u32, u16)>,
    /// From a row to the one that it continues, while that is locked. Held with no other mutex.
    heirs: Mutex<FxHashMap<LockTag, LockTag>>,
    heir_count: AtomicU32,
}

impl LockManager {
    pub(crate) fn new(env: Arc<dyn Env>, table: Arc<TxnTable>) -> LockManager {
        LockManager {
            env,
            table,
            shards: (0..SHARDS).map(|_| CacheAligned::default()).collect(),
            strong: (0..COUNTERS).map(|_| AtomicU32::new(0)).collect(),
            row_locks: (0..COUNTERS).map(|_| AtomicU32::new(0)).collect(),
            tid: OnceLock::new(),
            heirs: Mutex::default(),
            heir_count: AtomicU32::new(0),
        }
    }

    /// Takes a lock, waiting for it. Errors: deadlock (40P01), lock timeout (55P03), cancelled.
    pub fn lock(
        &self,
        proc: &Proc,
        tag: LockTag,
        mode: LockMode,
        duration: LockDuration,
        wait: &WaitOptions,
    ) -> TxnResult<LockOutcome> {
        match self.acquire(proc, tag, mode, duration, Some(wait))? {
            Some(outcome) => Ok(outcome),
            None => Err(TxnError::Internal(
                "lock request ended without an answer".to_owned(),
            )),
        }
    }

    /// Takes a lock if that needs no waiting (NOWAIT, SKIP LOCKED, `pg_try_advisory_lock`); None if it would.
    pub fn try_lock(
        &self,
        proc: &Proc,
        tag: LockTag,
        mode: LockMode,
        duration: LockDuration,
    ) -> TxnResult<Option<LockOutcome>> {
        self.acquire(proc, tag, mode, duration, None)
    }

    /// Undoes one session-level lock; false if it is not held. Each taking needs an undoing.
    pub fn unlock_session(&self, proc: &Proc, tag: LockTag, mode: LockMode) -> bool {
        let Ok(slot) = proc.slot() else { return false };
        match slot.locks.lock().forget_session(tag, mode) {
            None => return false,
            Some(left) if left > 0 => return true,
            Some(_) => {}
        }
        self.release(proc.number(), tag, mode, LockDuration::Session);
        true
    }

    /// Undoes a transaction-level lock before the end (a row that turned out not to be wanted); false if it is not held.
    pub fn unlock_early(&self, proc: &Proc, tag: LockTag, mode: LockMode) -> bool {
        let Ok(slot) = proc.slot() else { return false };
        let found = slot.locks.lock().forget_held(tag, mode);
        if found == Some(true) {
            self.release(proc.number(), tag, mode, LockDuration::Transaction);
        }
        found.is_some()
    }

    /// Releases all session-level advisory locks (`pg_advisory_unlock_all`).
    pub fn unlock_session_advisory(&self, proc: &Proc) {
        self.release_session(proc, |tag| matches!(tag, LockTag::Advisory { .. }));
    }

    /// Releases everything: the session ends.
    pub fn end_session(&self, proc: &Proc) {
        self.release_to(proc, LockMark(0));
        self.release_session(proc, |_| true);
    }

    /// True when the session holds `tag` in `mode`, for the transaction or the session.
    pub fn is_held(&self, proc: &Proc, tag: LockTag, mode: LockMode) -> bool {
        proc.slot()
            .is_ok_and(|slot| slot.locks.lock().has_fast(tag, mode))
            || self
                .shard(&tag)
                .lock()
                .get(&tag)
                .is_some_and(|lock| lock.held_by(proc.number()) & mode.bit() != 0)
    }

    /// True when some row of the relation may be locked (or is being locked) with `LockTag::Row`: an update that finds
    /// false after claiming its row need not look at the lock table.
    #[inline]
    pub fn has_row_locks(&self, database: Oid, relation: Oid) -> bool {
        counter(&self.row_locks, database, relation).is_some_and(|count| count.load(Ordering::SeqCst) != 0)
    }

    /// How row ids show as block and offset in messages. The first call counts.
    pub fn set_tid_format(&self, tid: fn(RowId) -> (u32, u16)) {
        let _ = self.tid.set(tid);
    }

    pub(crate) fn mark(&self, proc: &Proc) -> LockMark {
        LockMark(proc.slot().map_or(0, |slot| slot.locks.lock().held_count()))
    }

    /// Releases what the transaction took after `mark`.
    pub(crate) fn release_to(&self, proc: &Proc, mark: LockMark) {
        let Ok(slot) = proc.slot() else { return };
        let mut mine = slot.locks.lock();
        let mut slow = mine.take_held_from(mark.0);
        drop(mine);
        for (tag, mode) in slow.drain(..) {
            self.release(proc.number(), tag, mode, LockDuration::Transaction);
        }
        if slow.capacity() > 0 {
            slot.locks.lock().give_back(slow);
        }
    }

    /// Wakes those who wait for the end of a transaction.
    pub(crate) fn transaction_ended(&self, proc: &Proc, vxid: VirtualXid, xid: Option<Xid>) {
        let ends = [
            Some(LockTag::VirtualTransaction(vxid)),
            xid.map(LockTag::Transaction),
        ];
        for tag in ends.into_iter().flatten() {
            self.release(proc.number(), tag, LockMode::Exclusive, LockDuration::Transaction);
        }
    }

    /// Wakes those who wait for the end of a transaction though it goes on: it has rolled back to a savepoint, and what they
    /// wanted may be free. Who finds that it is not waits again. Who is about to wait finds its [`Watch`] outdated.
    pub(crate) fn let_look_again(&self, proc: &Proc, xid: Xid) {
        let Ok(slot) = proc.slot() else { return };
        slot.undone.fetch_add(1, Ordering::SeqCst);
        if slot.awaited.load(Ordering::SeqCst) {
            self.release(
                proc.number(),
                LockTag::Transaction(xid),
                LockMode::Exclusive,
                LockDuration::Transaction,
            );
        }
    }

    /// `None` for `wait`: give up rather than wait.
    fn acquire(
        &self,
        proc: &Proc,
        tag: LockTag,
        mode: LockMode,
        duration: LockDuration,
        wait: Option<&WaitOptions>,
    ) -> TxnResult<Option<LockOutcome>> {
        let slot = proc.slot()?;
        if let LockTag::Relation { database, relation } = tag {
            if mode.is_weak() && duration == LockDuration::Transaction {
                if let Some(outcome) = self.acquire_fast(slot, database, relation, mode) {
                    return Ok(Some(outcome));
                }
            } else if mode.is_strong() {
                self.count(tag, mode, Step::Up);
                self.transfer_fast(database, relation);
            }
        } else {
            self.count(tag, mode, Step::Up);
        }
        let asker = Waiter {
            proc: proc.number(),
            mode,
            duration,
            since_unix_micros: self.env.now_unix_micros(),
        };
        let asked = self.ask(slot, tag, asker, wait.is_some());
        let outcome = match (asked, wait) {
            (Asked::Granted, _) => LockOutcome::Granted,
            (Asked::AlreadyHeld | Asked::Joined, _) => {
                // Counted when it was taken.
                self.count(tag, mode, Step::Down);
                if asked == Asked::Joined {
                    LockOutcome::Granted
                } else {
                    LockOutcome::AlreadyHeld
                }
            }
            (Asked::Waits, Some(wait)) => {
                self.wait_for_grant(proc, slot, tag, asker, wait)?;
                LockOutcome::Granted
            }
            (Asked::Deadlock(other), Some(_)) => {
                self.count(tag, mode, Step::Down);
                let (me, him) = (proc.number(), other.proc);
                let cycle = [Edge::new(me, mode, tag, him), Edge::new(him, other.mode, tag, me)];
                return Err(self.deadlock_error(&cycle));
            }
            (Asked::WouldWait | Asked::Deadlock(_) | Asked::Waits, _) => {
                self.count(tag, mode, Step::Down);
                return Ok(None);
            }
        };
        slot.locks.lock().note(tag, mode, duration, outcome);
        Ok(Some(outcome))
    }

    /// Asks the lock itself, and readies the slot for being told.
    fn ask(&self, slot: &Slot, tag: LockTag, asker: Waiter, may_wait: bool) -> Asked {
        let mut shard = self.shard(&tag).lock();
        let lock = shard.entry(tag).or_default();
        let asked = lock.ask(asker, may_wait);
        if asked == Asked::Waits {
            slot.lock_granted.store(false, Ordering::Release);
        }
        asked
    }

    /// Lets go of one mode in the lock table and lets others go on.
    fn release(&self, proc: u32, tag: LockTag, mode: LockMode, duration: LockDuration) {
        let mut shard = self.shard(&tag).lock();
        let Some(lock) = shard.get_mut(&tag) else { return };
        let gone = lock.release(proc, mode, duration);
        self.settle(&mut shard, &tag);
        drop(shard);
        if gone {
            self.count(tag, mode, Step::Down);
        }
    }

    /// After a change: grants what can be granted, and drops the lock if it is unused.
    fn settle(&self, shard: &mut Shard, tag: &LockTag) {
        let Some(lock) = shard.get_mut(tag) else { return };
        for proc in lock.wake() {
            if let Some(slot) = self.table.slot(proc) {
                slot.lock_granted.store(true, Ordering::Release);
                slot.notify.notify();
            }
        }
        if lock.is_unused() {
            shard.remove(tag);
        }
    }

    fn release_session(&self, proc: &Proc, which: impl Fn(&LockTag) -> bool) {
        let Ok(slot) = proc.slot() else { return };
        let gone = slot.locks.lock().take_session(which);
        for (tag, mode) in gone {
            self.release(proc.number(), tag, mode, LockDuration::Session);
        }
    }

    fn shard(&self, tag: &LockTag) -> &Mutex<Shard> {
        let hash = FxBuildHasher.hash_one(tag);
        // The map inside uses the high bits and the low ones; take some from the middle.
        &self.shards[(hash >> 20) as usize % SHARDS].0
    }

    /// All shards, in the order of their rank.
    fn all_shards(&self) -> Vec<MutexGuard<'_, Shard>> {
        self.shards.iter().map(|shard| shard.0.lock()).collect()
    }

    /// Keeps the counters of strong relation locks and of row locks. Up before asking; down when refused, or held already, or no
    /// longer held.
    fn count(&self, tag: LockTag, mode: LockMode, step: Step) {
        let count = match tag {
            LockTag::Relation { database, relation } if mode.is_strong() => {
                counter(&self.strong, database, relation)
            }
            LockTag::Row {
                database, relation, ..
            } => counter(&self.row_locks, database, relation),
            _ => None,
        };
        match (count, step) {
            (Some(count), Step::Up) => count.fetch_add(1, Ordering::SeqCst),
            (Some(count), Step::Down) => count.fetch_sub(1, Ordering::SeqCst),
            (None, _) => 0,
        };
    }
}

#[derive(Clone, Copy)]
enum Step {
    Up,
    Down,
}

fn counter(counters: &[AtomicU32], database: Oid, relation: Oid) -> Option<&AtomicU32> {
    let mixed = (u64::from(database.0) << 32 | u64::from(relation.0)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    counters.get((mixed >> 48) as usize % COUNTERS)
}
