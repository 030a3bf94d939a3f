//! Row locks: `SELECT ... FOR UPDATE` and its weaker relatives; queueing for a row.
//!
//! PG: documentation 13.3.2, src/backend/access/heap/README.tuplock.
//!
//! # How it works
//! Who locks a row enters (relation, row id) into the lock manager, to the end of its transaction, after a look at the row. Who changes a
//! row looks at the row and at its lockers. Both do it in one turn under the latch of the row's chunk, so one of two always sees
//! the other.
//!
//! Who finds somebody in the way queues for its turn at the row, and keeps it while it waits for the transaction in the way, again
//! and again until nobody is. Where the row was updated meanwhile, the turn is kept until the newer version is locked, or the turn at that
//! is got: so nobody overtakes.
//!
//! # Invariants
//! - A transaction has one turn at most. Who has locked the row already takes none: another may have the turn and wait for us.
//! - No turn outlives the call that took it, except from [`Conflict::Updated`] to the [`Table::lock_latest`] that follows.

use std::sync::Arc;

use common::{PgResult, RowId};
use txn::{LockDuration, LockMode, LockTag, RowLockMode, Snapshot, Stamp, Watch};

use crate::block::CHUNK_ROWS;
use crate::chunk::{Chunk, ChunkState};
use crate::table::Table;
use crate::table::write::{Conflict, Obstacle, moved_away, serialization_failure};
use crate::transaction::Transaction;
use crate::transaction::snapshots::ActiveSnapshot;
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

/// A row and the newest version of it, locked.
pub enum NewestLock {
    /// The version that the snapshot sees is the newest.
    Unchanged,
    /// A newer one, here under this snapshot.
    Newer(RowId, ActiveSnapshot),
    /// There is nothing to lock, for this reason; never [`LockOutcome::Locked`].
    Not(LockOutcome),
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
        let outcome = self.lock_in_turn(txn, snapshot, row, mode, policy);
        txn.end_turn();
        outcome
    }

    /// The same, keeping the turn if it had to wait.
    fn lock_in_turn(
        &self,
        txn: &mut Transaction,
        snapshot: &Snapshot,
        row: RowId,
        mode: RowLockMode,
        policy: WaitPolicy,
    ) -> PgResult<LockOutcome> {
        let mut watch = None;
        txn.store_moved_row(self, row)?;
        loop {
            match self.look_and_lock(txn, snapshot, row, mode)? {
                // Others wait for it by its xid; who waits itself needs none yet.
                None if txn.xid().is_none() => drop(txn.stamp()?),
                None => return Ok(LockOutcome::Locked),
                Some(Obstacle::SelfModified(_)) => return Ok(LockOutcome::SelfModified),
                Some(Obstacle::Moved) => return Err(moved_away(txn)),
                Some(Obstacle::Conflict(_)) if txn.uses_one_snapshot() => {
                    // PostgreSQL says so of deleted rows too.
                    return Err(serialization_failure(Conflict::Updated(row)));
                }
                Some(Obstacle::Conflict(conflict)) => return Ok(LockOutcome::Conflict(conflict)),
                Some(Obstacle::WaitFor(_)) if policy == WaitPolicy::DoNotWait => {
                    return Ok(LockOutcome::NotAvailable);
                }
                Some(Obstacle::WaitFor(other)) => self.wait_in_turn(txn, row, mode, other, &mut watch)?,
            }
        }
    }

    /// What stands in the way of locking a row; None: it is locked, or free for a transaction that has no xid yet.
    fn look_and_lock(
        &self,
        txn: &Transaction,
        snapshot: &Snapshot,
        row: RowId,
        mode: RowLockMode,
    ) -> PgResult<Option<Obstacle>> {
        let owner = txn.txn()?;
        let own = owner.stamp();
        let chunk = self.store.chunk(row.0 / CHUNK_ROWS)?;
        let position = (row.0 % CHUNK_ROWS) as usize;
        if self.hides(row, snapshot)? {
            // A version in delta tells what is in the way.
            self.head_or_base(row)?;
        }
        let mut guard = chunk.lock.lock();
        let mut state = chunk.state.load_full();
        let has_head = |state: &ChunkState| {
            state
                .delta
                .as_ref()
                .is_some_and(|delta| delta.head(position).is_some())
        };
        if state.mark(position).is_some() && !has_head(&state) {
            drop(guard);
            self.head_or_base(row)?;
            guard = chunk.lock.lock();
            state = chunk.state.load_full();
        }
        let _guard = guard;
        let mut updating = None;
        // Only in main: nobody has changed it.
        if let Some(head) = state.delta.as_ref().and_then(|delta| delta.head(position)) {
            match self.obstacle(row, &head, snapshot, own) {
                Some(Obstacle::WaitFor(other))
                    if mode == RowLockMode::KeyShare && keeps_key(&head, other) =>
                {
                    updating = Some((head, other));
                }
                Some(obstacle) => return Ok(Some(obstacle)),
                None => {}
            }
        }
        let (locks, tag) = (owner.manager().locks(), self.row_tag(txn, row));
        let locker = match owner.xid() {
            Some(_) => locks.lock_row(owner.proc(), tag, mode.lock_mode())?,
            None => locks.row_locker(owner.proc(), tag, mode.lock_mode()),
        };
        match (locker, updating) {
            (None, Some((head, other))) if owner.xid().is_some() => {
                self.lock_on_its_way(txn, (row, chunk), &head, other)
            }
            (locker, _) => Ok(locker.map(Obstacle::WaitFor)),
        }
    }

    /// A key that was locked while its row is being moved by `other` is locked in the new place, too; unless the key is gone there. The
    /// caller has the latch of the row's chunk. New places come behind old ones, so latches are taken in one order.
    fn lock_on_its_way(
        &self,
        txn: &Transaction,
        (row, chunk): (RowId, &Chunk),
        head: &Arc<Version>,
        other: Stamp,
    ) -> PgResult<Option<Obstacle>> {
        let locks = txn.txn()?.manager().locks();
        let (mut from, mut at) = (row, Arc::clone(head));
        while let Some(to) = at.forward() {
            let next = self.store.chunk(to.0 / CHUNK_ROWS)?;
            let _latch = (!std::ptr::eq(&**next, chunk)).then(|| next.lock.lock());
            locks.inherit_row(self.row_tag(txn, from), self.row_tag(txn, to));
            let state = next.state.load();
            let position = (to.0 % CHUNK_ROWS) as usize;
            let Some(version) = state.delta.as_ref().and_then(|delta| delta.head(position)) else {
                break;
            };
            let keeps = |version: &Version| version.ended_by() == EndKind::NoKeyUpdate;
            let gone = match version.end.load() == other {
                true => !keeps(&version),
                false => version.older.load_full().is_some_and(|older| !keeps(&older)),
            };
            if gone {
                return Ok(Some(Obstacle::WaitFor(other)));
            }
            (from, at) = (to, version);
        }
        Ok(None)
    }

    /// Waits for the transaction in the way of a row. The first time it only queues for its turn and begins to watch: look again then.
    pub(super) fn wait_in_turn(
        &self,
        txn: &mut Transaction,
        row: RowId,
        mode: RowLockMode,
        other: Stamp,
        watch: &mut Option<Watch>,
    ) -> PgResult<()> {
        if let Some(watch) = watch.take_if(|watch| watch.names(other)) {
            return txn.wait_for_watched(watch);
        }
        let owner = txn.txn()?;
        let locks = owner.manager().locks();
        let has_locked = locks.has_locked_row(owner.proc(), self.row_tag(txn, row));
        *watch = Some(locks.watch(other));
        if has_locked {
            return Ok(());
        }
        let turn = LockTag::Tuple {
            database: txn.options().database,
            relation: self.def.oid,
            row,
        };
        txn.take_turn(turn, mode.lock_mode())
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
        let locked = self.follow(txn, row, mode, policy);
        txn.end_turn();
        Ok(match locked? {
            NewestLock::Newer(row, snapshot) => Ok(Some((row, snapshot))),
            NewestLock::Not(LockOutcome::Conflict(Conflict::Deleted)) => Ok(None),
            NewestLock::Not(other) => Err(other),
            NewestLock::Unchanged => Err(LockOutcome::Locked),
        })
    }

    /// Locks the row that `snapshot` sees, or its newest version if that is another one.
    pub fn lock_newest(
        &self,
        txn: &mut Transaction,
        snapshot: &Snapshot,
        row: RowId,
        mode: RowLockMode,
        policy: WaitPolicy,
    ) -> PgResult<NewestLock> {
        let first = self.lock_in_turn(txn, snapshot, row, mode, policy);
        let locked = match first {
            Ok(LockOutcome::Locked) => Ok(NewestLock::Unchanged),
            Ok(LockOutcome::Conflict(Conflict::Updated(to))) => self.follow(txn, to, mode, policy),
            Ok(other) => Ok(NewestLock::Not(other)),
            Err(error) => Err(error),
        };
        txn.end_turn();
        locked
    }

    fn follow(
        &self,
        txn: &mut Transaction,
        row: RowId,
        mode: RowLockMode,
        policy: WaitPolicy,
    ) -> PgResult<NewestLock> {
        let mut at = row;
        loop {
            let snapshot = txn.latest_snapshot()?;
            match self.lock_in_turn(txn, &snapshot, at, mode, policy)? {
                LockOutcome::Locked => return Ok(NewestLock::Newer(at, snapshot)),
                LockOutcome::Conflict(Conflict::Updated(to)) => at = to,
                other => return Ok(NewestLock::Not(other)),
            }
        }
    }
}

impl Transaction {
    /// Queues for a turn; then the turn before, if any, ends.
    fn take_turn(&mut self, turn: LockTag, mode: LockMode) -> PgResult<()> {
        if self.turn.is_some_and(|(now, _)| now == turn) {
            return Ok(());
        }
        let owner = self.txn()?;
        let (locks, wait) = (owner.manager().locks(), &self.options().wait);
        locks.lock(owner.proc(), turn, mode, LockDuration::Transaction, wait)?;
        self.end_turn();
        self.turn = Some((turn, mode));
        Ok(())
    }

    /// Lets the next in the queue have its turn.
    #[inline]
    pub(super) fn end_turn(&mut self) {
        if let Some((turn, mode)) = self.turn.take()
            && let Ok(owner) = self.txn()
        {
            owner.manager().locks().unlock_early(owner.proc(), turn, mode);
        }
    }

    fn wait_for_watched(&self, watch: Watch) -> PgResult<()> {
        let owner = self.txn()?;
        let locks = owner.manager().locks();
        Ok(locks.wait_for_watched(owner.proc(), watch, &self.options().wait)?)
    }
}

/// True when the transaction that is changing the row leaves its key alone.
fn keeps_key(head: &Version, other: Stamp) -> bool {
    if head.end.load() == other {
        return head.ended_by() == EndKind::NoKeyUpdate;
    }
    // It has put its version in front: the one behind tells how it ended.
    head.older
        .load_full()
        .is_some_and(|older| older.ended_by() == EndKind::NoKeyUpdate)
}
