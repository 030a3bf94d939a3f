//! Who has locked a row, and waiting for them.
//!
//! PG: src/backend/access/heap/README.tuplock.
//!
//! # How it works
//! PostgreSQL writes lockers into the row; here they are holders of [`LockTag::Row`] in the lock table, for which nobody queues: who finds
//! the row taken queues for its turn ([`LockTag::Tuple`]), which the first of the queue keeps while it waits for the end of the
//! transaction in the way ([`LockManager::wait_for_watched`]). So waiters are served in the order of their arrival, one at a time, and
//! lists of locks and deadlocks show what PostgreSQL's show.
//!
//! # Rows that move
//! An update that leaves the key alone goes past those who keep the key (`FOR KEY SHARE`). Where it gives the row another id, the new one
//! is noted as the heir of the old one ([`LockManager::inherit_row`]): who asks for the lockers of the heir is told those of the rows
//! before, too.
//!
//! # Invariants
//! - A holder has an xid, and gives up its row locks before its xid.
//! - Whoever looks at a row and its holders, and locks or claims it, does so in one turn under a latch of the caller's.

use common::Xid;

use crate::error::TxnResult;
use crate::locks::{LockDuration, LockManager, LockMode, LockTag};
use crate::stamp::Stamp;
use crate::sync::Ordering;
use crate::table::Proc;

/// Heirs after which those of rows that nobody has locked any more are looked for.
const HEIRS_MAX: usize = 1024;

/// A transaction in the way, and how often it had rolled back to savepoints when it was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    pub(crate) stamp: Stamp,
    pub(crate) undone: u32,
}

impl Watch {
    /// True when it is this transaction.
    pub fn names(&self, stamp: Stamp) -> bool {
        self.stamp == stamp
    }
}

impl LockManager {
    /// Begins to watch the transaction that a stamp names. Look again afterwards: if it is still in the way, wait for it.
    pub fn watch(&self, stamp: Stamp) -> Watch {
        let slot = self.table.slot(stamp.slot()).filter(|_| stamp.is_reference());
        let undone = slot.map_or(0, |slot| slot.undone.load(Ordering::SeqCst));
        Watch { stamp, undone }
    }

    /// The same by number; `None`: it has ended.
    pub fn watch_txn(&self, xid: Xid) -> Option<Watch> {
        let owner = self.table.find_xid(xid)?;
        Some(self.watch(Stamp::reference(xid, owner)))
    }

    /// The row `to` continues `from`: whoever has locked that has locked this. Nothing to note when nobody has.
    pub fn inherit_row(&self, from: LockTag, to: LockTag) {
        if !self.is_locked(from) {
            return;
        }
        let mut heirs = self.heirs.lock();
        heirs.insert(to, from);
        self.heir_count.store(heirs.len() as u32, Ordering::SeqCst);
        if heirs.len() > HEIRS_MAX {
            let old: Vec<LockTag> = heirs.keys().copied().collect();
            drop(heirs);
            old.into_iter().for_each(|heir| self.forget_heir(heir));
        }
    }

    /// The rows before a row, the nearest first.
    fn ancestors(&self, row: LockTag) -> Vec<LockTag> {
        let mut found = Vec::new();
        if self.heir_count.load(Ordering::SeqCst) == 0 {
            return found;
        }
        let heirs = self.heirs.lock();
        let mut at = row;
        while let Some(before) = heirs.get(&at) {
            found.push(*before);
            at = *before;
        }
        found
    }

    /// True when somebody has locked the row or one before it.
    fn is_locked(&self, row: LockTag) -> bool {
        let held = |tag: &LockTag| {
            let shard = self.shard(tag).lock();
            shard.get(tag).is_some_and(|lock| !lock.holders().is_empty())
        };
        held(&row) || self.ancestors(row).iter().any(held)
    }

    /// Forgets what a row continues, unless that is locked.
    fn forget_heir(&self, row: LockTag) {
        let Some(before) = self.ancestors(row).first().copied() else {
            return;
        };
        if !self.is_locked(before) {
            let mut heirs = self.heirs.lock();
            heirs.remove(&row);
            self.heir_count.store(heirs.len() as u32, Ordering::SeqCst);
        }
    }

    /// Locks a row to the end of the transaction, unless somebody else holds what excludes `mode`: then that one.
    pub fn lock_row(&self, proc: &Proc, row: LockTag, mode: LockMode) -> TxnResult<Option<Stamp>> {
        if let Some(stamp) = self.inherited_locker(proc, row, mode) {
            return Ok(Some(stamp));
        }
        loop {
            if self
                .try_lock(proc, row, mode, LockDuration::Transaction)?
                .is_some()
            {
                return Ok(None);
            }
            if let Some(stamp) = self.own_locker(proc, row, mode) {
                return Ok(Some(stamp));
            }
            // It let go in between.
            crate::sync::spin_loop();
        }
    }

    /// One of the others who have locked the row in a mode that excludes `mode`.
    pub fn row_locker(&self, proc: &Proc, row: LockTag, mode: LockMode) -> Option<Stamp> {
        self.own_locker(proc, row, mode)
            .or_else(|| self.inherited_locker(proc, row, mode))
    }

    fn inherited_locker(&self, proc: &Proc, row: LockTag, mode: LockMode) -> Option<Stamp> {
        let before = self.ancestors(row);
        let found = before.iter().find_map(|tag| self.own_locker(proc, *tag, mode));
        if found.is_none() && !before.is_empty() {
            self.forget_heir(row);
        }
        found
    }

    fn own_locker(&self, proc: &Proc, row: LockTag, mode: LockMode) -> Option<Stamp> {
        let shard = self.shard(&row).lock();
        let holders = shard.get(&row)?.holders().iter();
        let mut others = holders.filter(|h| h.proc != proc.number() && h.modes() & mode.conflicts() != 0);
        others.find_map(|h| self.stamp_of(h.proc))
    }

    /// True when the session has locked the row in some mode.
    pub fn has_locked_row(&self, proc: &Proc, row: LockTag) -> bool {
        let held = |tag: &LockTag| {
            let shard = self.shard(tag).lock();
            shard
                .get(tag)
                .is_some_and(|lock| lock.held_by(proc.number()) != 0)
        };
        held(&row) || self.ancestors(row).iter().any(held)
    }

    /// The transactions that have locked the row.
    pub fn row_lockers(&self, row: LockTag) -> Vec<Xid> {
        let shard = self.shard(&row).lock();
        let Some(lock) = shard.get(&row) else {
            return Vec::new();
        };
        let holders = lock.holders().iter();
        holders.filter_map(|h| self.stamp_of(h.proc)?.xid()).collect()
    }

    /// What names the writing transaction of a session.
    fn stamp_of(&self, proc: u32) -> Option<Stamp> {
        let xid = self.table.slot(proc)?.xid.load(Ordering::Acquire);
        (xid != 0).then(|| Stamp::reference(Xid(xid), proc))
    }
}
