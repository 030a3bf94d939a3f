//! Row locks: `SELECT ... FOR UPDATE` and its weaker relatives.
//!
//! PG: documentation 13.3.2.
//!
//! # How it works
//! A row lock is a lock of the lock manager on (relation, row id), held to the end of the transaction. It is taken first and the
//! row is looked at afterwards; writers claim first and look at the locks afterwards. So one of two always sees the other.

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
        if !self.take_tuple_lock(txn, row, mode, policy)? {
            return Ok(LockOutcome::NotAvailable);
        }
        let own = txn.txn()?.stamp();
        loop {
            let head = self.newest(row)?;
            let Some(head) = head else {
                // Only in main: nobody has changed it.
                return Ok(LockOutcome::Locked);
            };
            match self.obstacle(row, &head, snapshot, unless_never(own)) {
                None => return Ok(LockOutcome::Locked),
                Some(Obstacle::SelfModified(_)) => return Ok(LockOutcome::SelfModified),
                Some(Obstacle::Conflict(conflict)) if txn.uses_one_snapshot() => {
                    return Err(serialization_failure(conflict));
                }
                Some(Obstacle::Conflict(conflict)) => return Ok(LockOutcome::Conflict(conflict)),
                Some(Obstacle::WaitFor(xid)) => {
                    if mode == RowLockMode::KeyShare && keeps_key(&head, xid) {
                        return Ok(LockOutcome::Locked);
                    }
                    if policy == WaitPolicy::DoNotWait {
                        return Ok(LockOutcome::NotAvailable);
                    }
                    txn.wait_for(xid)?;
                }
            }
        }
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

    fn take_tuple_lock(
        &self,
        txn: &mut Transaction,
        row: RowId,
        mode: RowLockMode,
        policy: WaitPolicy,
    ) -> PgResult<bool> {
        let tag = self.tag(txn, row);
        let owner = txn.txn()?;
        let locks = owner.manager().locks();
        let (proc, mode) = (owner.proc(), mode.lock_mode());
        match policy {
            WaitPolicy::Block => {
                locks.lock(proc, tag, mode, LockDuration::Transaction, &txn.options().wait)?;
                Ok(true)
            }
            WaitPolicy::DoNotWait => Ok(locks
                .try_lock(proc, tag, mode, LockDuration::Transaction)?
                .is_some()),
        }
    }

    fn newest(&self, row: RowId) -> PgResult<Option<std::sync::Arc<Version>>> {
        let chunk = self.store.chunk(row.0 / crate::block::CHUNK_ROWS)?;
        let position = (row.0 % crate::block::CHUNK_ROWS) as usize;
        Ok(chunk
            .state
            .load()
            .delta
            .as_ref()
            .and_then(|delta| delta.head(position)))
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
