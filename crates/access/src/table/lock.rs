//! Row locks: `SELECT ... FOR UPDATE` and its weaker relatives.
//!
//! PG: documentation 13.3.2.
//!
//! # How it works
//! A row lock is a lock of the lock manager on (relation, row id), held to the end of the transaction. It is taken first and the
//! row is looked at afterwards, under the latch of its chunk; a writer looks at the locks and claims the row in one turn under
//! that latch. So one of two always sees the other.
//!
//! # Invariants
//! - Nobody waits for the end of a transaction while it holds a row lock that it does not need yet: the other may want
//!   that very lock, and the two would wait for each other. [`TupleLock`] gives it back on the way.

use common::{PgResult, RowId, Xid};
use txn::{LockDuration, RowLockMode, Snapshot, Stamp};

use crate::table::Table;
use crate::table::write::{Conflict, Obstacle, serialization_failure};
use crate::transaction::{ActiveSnapshot, Transaction};
use crate::version::{EndKind, Version};

/// What to do when a row is locked by somebody else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WaitPolicy {
    /// Wait (`lock_timeout` and deadlock detection apply).
    #[default]
    Block,
    /// `NOWAIT` and `SKIP LOCKED`: do not; [`LockOutcome::NotAvailable`].
    DoNotWait,
}

/// What became of a row lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockOutcome {
    /// Locked; the version that the snapshot sees is the newest.
    Locked,
    /// This transaction changed the row after the snapshot.
    SelfModified,
    /// Somebody else has it, and waiting was not wanted.
    NotAvailable,
    /// Changed since the snapshot. Only under read committed: else it is an error. Lock the row named, under
    /// [`Transaction::latest_snapshot`].
    Conflict(Conflict),
}

impl Table {
    /// Locks the row that `snapshot` sees.
    pub fn lock_row(
        &self,
        txn: &mut Transaction,
        snapshot: &Snapshot,
        row: RowId,
        mode: RowLockMode,
        policy: WaitPolicy,
    ) -> PgResult<LockOutcome> {
        loop {
            let Some(lock) = self.take_tuple_lock(txn, row, mode, policy)? else {
                return Ok(LockOutcome::NotAvailable);
            };
            match self.look_at_locked(txn, snapshot, row, mode)? {
                None => {
                    lock.keep();
                    return Ok(LockOutcome::Locked);
                }
                Some(Obstacle::SelfModified(_)) => return Ok(LockOutcome::SelfModified),
                Some(Obstacle::Conflict(conflict)) if txn.uses_one_snapshot() => {
                    // PostgreSQL says so of deleted rows too.
                    let _ = conflict;
                    return Err(serialization_failure(Conflict::Updated(row)));
                }
                Some(Obstacle::Conflict(conflict)) => return Ok(LockOutcome::Conflict(conflict)),
                Some(Obstacle::WaitFor(_)) if policy == WaitPolicy::DoNotWait => {
                    return Ok(LockOutcome::NotAvailable);
                }
                Some(Obstacle::WaitFor(xid)) => {
                    drop(lock);
                    txn.wait_for(xid)?;
                }
            }
        }
    }

    /// What stands in the way of a row whose tuple lock is taken.
    fn look_at_locked(
        &self,
        txn: &Transaction,
        snapshot: &Snapshot,
        row: RowId,
        mode: RowLockMode,
    ) -> PgResult<Option<Obstacle>> {
        let own = unless_never(txn.txn()?.stamp());
        let chunk = self.store.chunk(row.0 / crate::block::CHUNK_ROWS)?;
        let position = (row.0 % crate::block::CHUNK_ROWS) as usize;
        let _guard = chunk.lock.lock();
        let state = chunk.state.load();
        let Some(head) = state.delta.as_ref().and_then(|delta| delta.head(position)) else {
            // Only in main: nobody has changed it.
            return Ok(None);
        };
        Ok(match self.obstacle(row, &head, snapshot, own) {
            Some(Obstacle::WaitFor(xid)) if mode == RowLockMode::KeyShare && keeps_key(&head, xid) => None,
            obstacle => obstacle,
        })
    }

    /// After [`Conflict::Updated`]: follows the row to its newest version and locks it there, so that it can be read and changed
    /// under the snapshot returned (PostgreSQL's EvalPlanQual). None: deleted by now. The error of `NOWAIT` is the caller's:
    /// [`LockOutcome::NotAvailable`].
    pub fn lock_latest(
        &self,
        txn: &mut Transaction,
        row: RowId,
        mode: RowLockMode,
        policy: WaitPolicy,
    ) -> PgResult<Result<Option<(RowId, ActiveSnapshot)>, LockOutcome>> {
        let mut at = row;
        loop {
            let snapshot = txn.latest_snapshot()?;
            match self.lock_row(txn, &snapshot, at, mode, policy)? {
                LockOutcome::Locked => return Ok(Ok(Some((at, snapshot)))),
                LockOutcome::Conflict(Conflict::Updated(to)) => at = to,
                LockOutcome::Conflict(Conflict::Deleted) => return Ok(Ok(None)),
                other => return Ok(Err(other)),
            }
        }
    }

    /// The lock of the lock manager; None if it is not to be had without waiting, and waiting was not wanted.
    pub(super) fn take_tuple_lock<'t>(
        &self,
        txn: &'t Transaction,
        row: RowId,
        mode: RowLockMode,
        policy: WaitPolicy,
    ) -> PgResult<Option<TupleLock<'t>>> {
        let (owner, tag, mode) = (txn.txn()?, self.tag(txn, row), mode.lock_mode());
        let (locks, proc, duration) = (owner.manager().locks(), owner.proc(), LockDuration::Transaction);
        let taken = match policy {
            WaitPolicy::Block => Some(locks.lock(proc, tag, mode, duration, &txn.options().wait)?),
            WaitPolicy::DoNotWait => locks.try_lock(proc, tag, mode, duration)?,
        };
        Ok(taken.map(|outcome| TupleLock {
            owner,
            tag,
            mode,
            is_new: outcome == txn::LockOutcome::Granted,
        }))
    }
}

/// A row lock just taken. Dropped, it is given back, unless the transaction had it before or [`TupleLock::keep`] is called.
pub(super) struct TupleLock<'t> {
    owner: &'t txn::Txn,
    tag: txn::LockTag,
    mode: txn::LockMode,
    is_new: bool,
}

impl TupleLock<'_> {
    /// Held to the end of the transaction.
    fn keep(mut self) {
        self.is_new = false;
    }
}

impl Drop for TupleLock<'_> {
    fn drop(&mut self) {
        if self.is_new {
            let locks = self.owner.manager().locks();
            locks.unlock_early(self.owner.proc(), self.tag, self.mode);
        }
    }
}

/// A reader's stamp is NEVER, which must not be mistaken for the stamp of the versions that say so.
fn unless_never(own: Stamp) -> Stamp {
    if own == Stamp::NEVER { Stamp::FROZEN } else { own }
}

/// True when the transaction that is changing the row leaves its key alone.
fn keeps_key(head: &Version, xid: Xid) -> bool {
    if head.end.load().xid() == Some(xid) {
        return head.ended_by() == EndKind::NoKeyUpdate;
    }
    // It has put its version in front: the one behind tells how it ended.
    head.older
        .load_full()
        .is_some_and(|older| older.ended_by() == EndKind::NoKeyUpdate)
}
