//! Locks: PostgreSQL's modes, fair queues, deadlock detection.
//!
//! PG: src/backend/storage/lmgr/README.

mod mode;
mod tag;

use std::time::Duration;

use common::cancel::CancelToken;
use common::env::Env;
use common::{Oid, RowId, Xid};

pub use mode::{LockMode, RowLockMode};
pub use tag::{AdvisoryKey, LockTag};

use crate::error::{TxnError, TxnResult};
use crate::sync::Arc;
use crate::table::{Proc, TxnTable, VirtualXid};

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

/// The part of the lock tables that belongs to one session.
#[derive(Default)]
pub(crate) struct ProcLocks {}

/// All locks of one database.
pub struct LockManager {
    env: Arc<dyn Env>,
    table: Arc<TxnTable>,
}

impl LockManager {
    pub(crate) fn new(env: Arc<dyn Env>, table: Arc<TxnTable>) -> LockManager {
        LockManager { env, table }
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
        let _ = (proc, tag, mode, duration, wait);
        Ok(LockOutcome::Granted)
    }

    /// Takes a lock if that needs no waiting (NOWAIT, SKIP LOCKED, `pg_try_advisory_lock`); None if it would.
    pub fn try_lock(
        &self,
        proc: &Proc,
        tag: LockTag,
        mode: LockMode,
        duration: LockDuration,
    ) -> TxnResult<Option<LockOutcome>> {
        let _ = (proc, tag, mode, duration);
        Ok(Some(LockOutcome::Granted))
    }

    /// Undoes one session-level lock; false if it is not held.
    pub fn unlock_session(&self, proc: &Proc, tag: LockTag, mode: LockMode) -> bool {
        let _ = (proc, tag, mode);
        true
    }

    /// Undoes one transaction-level lock before the end (a row that turned out not to be wanted).
    pub fn unlock_early(&self, proc: &Proc, tag: LockTag, mode: LockMode) -> bool {
        let _ = (proc, tag, mode);
        true
    }

    /// Releases all session-level advisory locks (`pg_advisory_unlock_all`, end of the session).
    pub fn unlock_session_advisory(&self, proc: &Proc) {
        let _ = proc;
    }

    /// Releases everything: the session ends.
    pub fn end_session(&self, proc: &Proc) {
        let _ = proc;
    }

    /// Waits until `xid` has ended (committed or rolled back); at once if it has.
    pub fn wait_for_txn(&self, proc: &Proc, xid: Xid, wait: &WaitOptions) -> TxnResult<()> {
        let _ = proc;
        while self.table.find_xid(xid).is_some() {
            wait.cancel.check().map_err(TxnError::Cancelled)?;
            self.env.sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Waits until the transaction has ended.
    pub fn wait_for_vxid(&self, proc: &Proc, vxid: VirtualXid, wait: &WaitOptions) -> TxnResult<()> {
        let _ = (proc, vxid, wait);
        Ok(())
    }

    /// The transactions whose locks on `tag` conflict with `mode`, without those of `proc`.
    pub fn conflicting(&self, proc: &Proc, tag: LockTag, mode: LockMode) -> Vec<VirtualXid> {
        let _ = (proc, tag, mode);
        Vec::new()
    }

    /// True when the session holds `tag` in `mode` (or, with `or_stronger`, in a mode that excludes more).
    pub fn is_held(&self, proc: &Proc, tag: LockTag, mode: LockMode) -> bool {
        let _ = (proc, tag, mode);
        false
    }

    /// True when some row of the relation is locked (or being locked) with `LockTag::Tuple`: an update that finds
    /// false after claiming its row need not look at the lock table.
    #[inline]
    pub fn has_row_locks(&self, database: Oid, relation: Oid) -> bool {
        let _ = (database, relation);
        false
    }

    /// Every lock held or waited for.
    pub fn snapshot(&self) -> Vec<LockStatus> {
        Vec::new()
    }

    /// The sessions that `pid` waits for (`pg_blocking_pids`).
    pub fn blocking_pids(&self, pid: i32) -> Vec<i32> {
        let _ = pid;
        Vec::new()
    }

    /// How row ids show as block and offset in messages.
    pub fn set_tid_format(&self, tid: fn(RowId) -> (u32, u16)) {
        let _ = tid;
    }

    pub(crate) fn mark(&self, proc: &Proc) -> LockMark {
        let _ = proc;
        LockMark(0)
    }

    pub(crate) fn release_to(&self, proc: &Proc, mark: LockMark) {
        let _ = (proc, mark);
    }

    pub(crate) fn end_transaction(&self, proc: &Proc, vxid: VirtualXid, xid: Option<Xid>, awaited: bool) {
        let _ = (proc, vxid, xid, awaited);
    }
}
