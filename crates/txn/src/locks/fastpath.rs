//! What one session holds, and weak relation locks that live here only.
//!
//! PG: src/backend/storage/lmgr/README, "Fast Path Locking".
//!
//! # How it works
//! A weak lock goes into the session's own slot if the counter of strong locks for that relation is zero, looked at under
//! the slot's mutex. Who wants a strong lock first raises the counter and then moves the weak locks of all sessions to the
//! shared table, each under its slot's mutex. So a weak lock is either seen and moved, or taken after the counter rose, in
//! the shared table.

use common::Oid;

use crate::locks::mode::ModeMask;
use crate::locks::{LockDuration, LockManager, LockMode, LockOutcome, LockTag, counter};
use crate::sync::Ordering;
use crate::table::Slot;

/// Relations with fast locks per session; more go to the shared table.
const FAST_MAX: usize = 16;

#[derive(Clone, Copy, Debug, Default)]
struct Fast {
    database: Oid,
    relation: Oid,
    /// 0: the entry is free.
    modes: ModeMask,
}

/// The part of the lock tables that belongs to one session.
#[derive(Default)]
pub(crate) struct ProcLocks {
    fast: [Fast; FAST_MAX],
    /// Entries of `fast` ever used in this transaction.
    fast_used: usize,
    /// Transaction-level locks in the order of taking, fast ones too.
    held: Vec<(LockTag, LockMode)>,
    /// How many of them are in the shared table.
    shared: usize,
    /// An emptied vector for reuse.
    emptied: Vec<(LockTag, LockMode)>,
    /// Session-level locks and how often each was taken.
    session: Vec<(LockTag, LockMode, u32)>,
}

impl ProcLocks {
    /// The transaction-level locks.
    pub(super) fn held(&self) -> &[(LockTag, LockMode)] {
        &self.held
    }

    pub(super) fn holds_at_both_levels(&self) -> bool {
        let for_transaction = |tag: &LockTag| self.held.iter().any(|(held, _)| held == tag);
        self.session.iter().any(|(tag, ..)| for_transaction(tag))
    }

    /// Empties the list of session-level locks.
    pub(super) fn take_all_session(&mut self) -> Vec<(LockTag, LockMode, u32)> {
        std::mem::take(&mut self.session)
    }

    /// The other end of [`ProcLocks::take_all_session`].
    pub(super) fn put_session(&mut self, locks: Vec<(LockTag, LockMode, u32)>) {
        self.session.extend(locks);
    }

    pub(super) fn held_count(&self) -> usize {
        self.held.len()
    }

    /// Writes down a lock that was obtained from the shared table.
    pub(super) fn note(
        &mut self,
        tag: LockTag,
        mode: LockMode,
        duration: LockDuration,
        outcome: LockOutcome,
    ) {
        match (duration, outcome) {
            (LockDuration::Transaction, LockOutcome::Granted) => {
                self.held.push((tag, mode));
                self.shared += 1;
            }
            (LockDuration::Transaction, LockOutcome::AlreadyHeld) => {}
            (LockDuration::Session, _) => {
                match self.session.iter_mut().find(|(t, m, _)| *t == tag && *m == mode) {
                    Some((.., count)) => *count += 1,
                    None => self.session.push((tag, mode, 1)),
                }
            }
        }
    }

    /// Takes one off a session-level lock; how many are left.
    pub(super) fn forget_session(&mut self, tag: LockTag, mode: LockMode) -> Option<u32> {
        let at = self
            .session
            .iter()
            .position(|(t, m, _)| *t == tag && *m == mode)?;
        let (.., count) = self.session.get_mut(at)?;
        *count -= 1;
        let left = *count;
        if left == 0 {
            self.session.swap_remove(at);
        }
        Some(left)
    }

    pub(super) fn take_session(&mut self, which: impl Fn(&LockTag) -> bool) -> Vec<(LockTag, LockMode)> {
        let mut gone = Vec::new();
        self.session.retain(|(tag, mode, _)| {
            let goes = which(tag);
            if goes {
                gone.push((*tag, *mode));
            }
            !goes
        });
        gone
    }

    /// Strikes a transaction-level lock from the list; the last one taken first. True if it is there.
    fn strike(&mut self, tag: LockTag, mode: LockMode) -> bool {
        let Some(at) = self.held.iter().rposition(|held| *held == (tag, mode)) else {
            return false;
        };
        self.held.remove(at);
        true
    }

    /// Ends one transaction-level lock: None if it is not held, else whether it is in the shared table.
    pub(super) fn forget_held(&mut self, tag: LockTag, mode: LockMode) -> Option<bool> {
        if !self.strike(tag, mode) {
            return None;
        }
        let shared = !self.leave_fast(tag, mode);
        self.shared -= usize::from(shared);
        Some(shared)
    }

    /// Ends the transaction-level locks from place `from` on: drops the fast ones, returns the others.
    pub(super) fn take_held_from(&mut self, from: usize) -> Vec<(LockTag, LockMode)> {
        let mut slow = std::mem::take(&mut self.emptied);
        if from == 0 && self.shared == 0 {
            // The usual end of a transaction.
            self.fast[..self.fast_used].fill(Fast::default());
            self.fast_used = 0;
            self.held.clear();
            self.emptied = slow;
            return Vec::new();
        }
        while self.held.len() > from {
            let Some((tag, mode)) = self.held.pop() else { break };
            if !self.leave_fast(tag, mode) {
                self.shared -= 1;
                slow.push((tag, mode));
            }
        }
        if self.held.is_empty() {
            self.fast_used = 0;
        }
        slow
    }

    pub(super) fn give_back(&mut self, emptied: Vec<(LockTag, LockMode)>) {
        if emptied.capacity() <= 1024 {
            self.emptied = emptied;
        }
        if self.held.capacity() > 1024 && self.held.is_empty() {
            self.held = Vec::new();
        }
    }

    pub(super) fn has_fast(&self, tag: LockTag, mode: LockMode) -> bool {
        self.fast_entry(tag)
            .is_some_and(|at| self.fast[at].modes & mode.bit() != 0)
    }

    /// Drops a fast lock; false if it is not here.
    fn leave_fast(&mut self, tag: LockTag, mode: LockMode) -> bool {
        let Some(at) = self.fast_entry(tag) else {
            return false;
        };
        let held = self.fast[at].modes & mode.bit() != 0;
        self.fast[at].modes &= !mode.bit();
        held
    }

    /// The fast locks: tag and modes.
    pub(super) fn fast_locks(&self) -> impl Iterator<Item = (LockTag, ModeMask)> {
        let used = self.fast[..self.fast_used].iter().filter(|fast| fast.modes != 0);
        used.map(|f| {
            (
                LockTag::Relation {
                    database: f.database,
                    relation: f.relation,
                },
                f.modes,
            )
        })
    }

    fn fast_entry(&self, tag: LockTag) -> Option<usize> {
        let LockTag::Relation { database, relation } = tag else {
            return None;
        };
        let same = |f: &Fast| f.relation == relation && f.database == database && f.modes != 0;
        self.fast[..self.fast_used].iter().position(same)
    }

    /// A place for a new fast lock.
    fn free_entry(&mut self) -> Option<usize> {
        if let Some(at) = self.fast[..self.fast_used].iter().position(|f| f.modes == 0) {
            return Some(at);
        }
        if self.fast_used == FAST_MAX {
            return None;
        }
        self.fast_used += 1;
        Some(self.fast_used - 1)
    }

    /// Removes the fast lock on a relation; its modes.
    fn take_fast(&mut self, database: Oid, relation: Oid) -> ModeMask {
        match self.fast_entry(LockTag::Relation { database, relation }) {
            Some(at) => {
                let modes = std::mem::take(&mut self.fast[at].modes);
                self.shared += modes.count_ones() as usize;
                modes
            }
            None => 0,
        }
    }
}

impl LockManager {
    /// Takes a weak relation lock in the session's own slot, if that is allowed.
    pub(super) fn acquire_fast(
        &self,
        slot: &Slot,
        database: Oid,
        relation: Oid,
        mode: LockMode,
    ) -> Option<LockOutcome> {
        let tag = LockTag::Relation { database, relation };
        let mut mine = slot.locks.lock();
        let at = match mine.fast_entry(tag) {
            // Held already: whoever wants a strong lock has not come by yet, and will find it here.
            Some(at) if mine.fast[at].modes & mode.bit() != 0 => return Some(LockOutcome::AlreadyHeld),
            found => {
                if counter(&self.strong, database, relation)?.load(Ordering::SeqCst) != 0 {
                    return None;
                }
                match found {
                    Some(at) => at,
                    None => mine.free_entry()?,
                }
            }
        };
        let modes = mine.fast[at].modes | mode.bit();
        mine.fast[at] = Fast {
            database,
            relation,
            modes,
        };
        mine.held.push((tag, mode));
        Some(LockOutcome::Granted)
    }

    /// Moves all sessions' fast locks on a relation to the shared table. The counter is up already.
    pub(super) fn transfer_fast(&self, database: Oid, relation: Oid) {
        let tag = LockTag::Relation { database, relation };
        for (number, slot) in self.table.slots() {
            let mut theirs = slot.locks.lock();
            let modes = theirs.take_fast(database, relation);
            if modes == 0 {
                continue;
            }
            // Under both mutexes: the owner must find it in one of the two places.
            let mut shard = self.shard(&tag).lock();
            let lock = shard.entry(tag).or_default();
            for mode in LockMode::ALL.into_iter().filter(|mode| modes & mode.bit() != 0) {
                lock.grant(number, mode, LockDuration::Transaction);
            }
        }
    }
}
