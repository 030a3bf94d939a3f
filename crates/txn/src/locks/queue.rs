//! One lock: who holds it, who waits for it, who may go next.
//!
//! PG: src/backend/storage/lmgr/proc.c (JoinWaitQueue, ProcLockWakeup).
//!
//! # Fairness
//! Waiters queue in order of arrival. Who arrives waits if it conflicts with a holder or with anybody who waits already. Who
//! leaves lets the queue be walked from the front: a waiter goes if it conflicts neither with a holder nor with
//! a waiter that stays in front of it. Exception: who holds the lock already in another mode goes in front of the first waiter
//! that its holding blocks; behind it the two would wait for each other.

use std::collections::VecDeque;

use smallvec::SmallVec;

use crate::locks::LockDuration;
use crate::locks::mode::{LockMode, ModeMask};

/// A session that holds the lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Holder {
    pub proc: u32,
    /// Modes held until the end of the transaction.
    pub txn: ModeMask,
    /// Modes held by the session.
    pub session: ModeMask,
}

impl Holder {
    pub(crate) fn modes(&self) -> ModeMask {
        self.txn | self.session
    }

    fn part(&mut self, duration: LockDuration) -> &mut ModeMask {
        match duration {
            LockDuration::Transaction => &mut self.txn,
            LockDuration::Session => &mut self.session,
        }
    }
}

/// A session that waits for the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiter {
    pub proc: u32,
    pub mode: LockMode,
    pub duration: LockDuration,
    pub since_unix_micros: i64,
}

/// What came of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Granted,
    /// Held already, for the other duration; now for both.
    Joined,
    AlreadyHeld,
    /// Queued; somebody will grant it.
    Waits,
    /// It would have to wait, and may not.
    WouldWait,
    /// The waiter `.0` and the asker each hold what the other asks for.
    Deadlock(Waiter),
}

/// The state of one locked thing. Dropped when nobody holds it or waits for it.
#[derive(Debug, Default)]
pub(crate) struct Lock {
    holders: SmallVec<[Holder; 2]>,
    queue: VecDeque<Waiter>,
}

impl Lock {
    pub(crate) fn holders(&self) -> &[Holder] {
        &self.holders
    }

    pub(crate) fn waiters(&self) -> impl Iterator<Item = &Waiter> {
        self.queue.iter()
    }

    pub(crate) fn has_waiters(&self) -> bool {
        !self.queue.is_empty()
    }

    pub(crate) fn is_unused(&self) -> bool {
        self.holders.is_empty() && self.queue.is_empty()
    }

    /// The modes that `proc` holds.
    pub(crate) fn held_by(&self, proc: u32) -> ModeMask {
        self.holders
            .iter()
            .find(|h| h.proc == proc)
            .map_or(0, Holder::modes)
    }

    /// True when others hold what excludes `mode`.
    fn is_excluded(&self, proc: u32, mode: LockMode) -> bool {
        self.holders
            .iter()
            .any(|h| h.proc != proc && h.modes() & mode.conflicts() != 0)
    }

    /// Holds `mode` from now on, without asking.
    pub(crate) fn grant(&mut self, proc: u32, mode: LockMode, duration: LockDuration) {
        let at = self
            .holders
            .iter()
            .position(|h| h.proc == proc)
            .unwrap_or_else(|| {
                self.holders.push(Holder {
                    proc,
                    txn: 0,
                    session: 0,
                });
                self.holders.len() - 1
            });
        if let Some(holder) = self.holders.get_mut(at) {
            *holder.part(duration) |= mode.bit();
        }
    }

    /// What one session holds beyond its transaction another one holds from now on.
    pub(crate) fn hand_over(&mut self, from: u32, to: u32, mode: LockMode) {
        if let Some(holder) = self.holders.iter_mut().find(|h| h.proc == from) {
            holder.session &= !mode.bit();
        }
        self.holders.retain(|h| h.modes() != 0);
        self.grant(to, mode, LockDuration::Session);
    }

    /// Asks for a lock.
    pub(crate) fn ask(&mut self, asker: Waiter, may_wait: bool) -> Asked {
        let Waiter {
            proc, mode, duration, ..
        } = asker;
        let mine = self.holders.iter_mut().find(|h| h.proc == proc);
        if let Some(holder) = mine
            && holder.modes() & mode.bit() != 0
        {
            let part = holder.part(duration);
            let held = *part & mode.bit() != 0;
            *part |= mode.bit();
            return if held { Asked::AlreadyHeld } else { Asked::Joined };
        }
        let stands_behind = self.waiters().any(|w| mode.conflicts() & w.mode.bit() != 0);
        if !stands_behind && !self.is_excluded(proc, mode) {
            self.grant(proc, mode, duration);
            return Asked::Granted;
        }
        self.join(asker, may_wait)
    }

    /// Finds a place in the queue, or finds that none is needed.
    fn join(&mut self, asker: Waiter, may_wait: bool) -> Asked {
        let mine = self.held_by(asker.proc);
        let (mut place, mut ahead) = (None, 0);
        for (at, waiter) in self.waiters().enumerate() {
            if mine & waiter.mode.conflicts() != 0 {
                if self.held_by(waiter.proc) & asker.mode.conflicts() != 0 {
                    return Asked::Deadlock(*waiter);
                }
                place = Some(at);
                break;
            }
            ahead |= waiter.mode.bit();
        }
        if place.is_some() && ahead & asker.mode.conflicts() == 0 && !self.is_excluded(asker.proc, asker.mode)
        {
            self.grant(asker.proc, asker.mode, asker.duration);
            return Asked::Granted;
        }
        if !may_wait {
            return Asked::WouldWait;
        }
        self.queue.insert(place.unwrap_or(self.queue.len()), asker);
        Asked::Waits
    }

    /// Lets go of one mode of one duration. True if the session holds it no longer in any way.
    pub(crate) fn release(&mut self, proc: u32, mode: LockMode, duration: LockDuration) -> bool {
        let Some(at) = self.holders.iter().position(|h| h.proc == proc) else {
            return false;
        };
        let Some(holder) = self.holders.get_mut(at) else {
            return false;
        };
        if *holder.part(duration) & mode.bit() == 0 {
            return false;
        }
        *holder.part(duration) &= !mode.bit();
        let gone = holder.modes() & mode.bit() == 0;
        if holder.modes() == 0 {
            self.holders.swap_remove(at);
        }
        gone
    }

    /// Stops waiting. True if it did wait.
    pub(crate) fn leave(&mut self, proc: u32) -> bool {
        let before = self.queue.len();
        self.queue.retain(|w| w.proc != proc);
        self.queue.len() < before
    }

    /// Grants what can be granted now, in order; the sessions to wake.
    pub(crate) fn wake(&mut self) -> SmallVec<[u32; 4]> {
        let mut woken = SmallVec::new();
        let mut queue = std::mem::take(&mut self.queue);
        let mut ahead = 0;
        queue.retain(|w| {
            if w.mode.conflicts() & ahead != 0 || self.is_excluded(w.proc, w.mode) {
                ahead |= w.mode.bit();
                return true;
            }
            self.grant(w.proc, w.mode, w.duration);
            woken.push(w.proc);
            false
        });
        self.queue = queue;
        woken
    }

    /// Puts the queue into the order of `procs`.
    pub(crate) fn reorder(&mut self, procs: &[u32]) {
        let place = |w: &Waiter| procs.iter().position(|p| *p == w.proc).unwrap_or(usize::MAX);
        self.queue.make_contiguous().sort_by_key(place);
    }

    /// The sessions that `proc` waits for: holders first, then those in front of it.
    pub(crate) fn blockers(&self, proc: u32) -> Vec<u32> {
        let Some(me) = self.waiters().find(|w| w.proc == proc) else {
            return Vec::new();
        };
        let conflicts = me.mode.conflicts();
        let holders = self
            .holders
            .iter()
            .filter(|h| h.proc != proc && h.modes() & conflicts != 0)
            .map(|h| h.proc);
        let mut blockers: Vec<u32> = holders.collect();
        for waiter in self.waiters().take_while(|w| w.proc != proc) {
            if waiter.mode.bit() & conflicts != 0 && !blockers.contains(&waiter.proc) {
                blockers.push(waiter.proc);
            }
        }
        blockers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locks::LockMode::*;
    use proptest::prelude::*;

    fn asker(proc: u32, mode: LockMode) -> Waiter {
        Waiter {
            proc,
            mode,
            duration: LockDuration::Transaction,
            since_unix_micros: 0,
        }
    }

    #[test]
    fn nobody_overtakes_whom_it_conflicts_with() {
        let mut lock = Lock::default();
        assert_eq!(lock.ask(asker(1, AccessShare), true), Asked::Granted);
        assert_eq!(lock.ask(asker(2, AccessExclusive), true), Asked::Waits);
        assert_eq!(lock.ask(asker(3, AccessShare), true), Asked::Waits);
        assert_eq!(lock.ask(asker(4, AccessShare), false), Asked::WouldWait);
        assert_eq!(lock.blockers(3), [2]);
        assert!(lock.release(1, AccessShare, LockDuration::Transaction));
        assert_eq!(lock.wake().as_slice(), [2]);
        assert!(lock.release(2, AccessExclusive, LockDuration::Transaction));
        assert_eq!(lock.wake().as_slice(), [3]);
        assert!(!lock.has_waiters());
    }

    #[test]
    fn a_holder_goes_in_front_of_whom_it_blocks() {
        let mut lock = Lock::default();
        lock.ask(asker(1, AccessShare), true);
        lock.ask(asker(2, AccessExclusive), true);
        // Behind 2 it would wait for 2, which waits for it.
        assert_eq!(lock.ask(asker(1, RowExclusive), true), Asked::Granted);
        lock.ask(asker(3, AccessShare), true);
        assert_eq!(lock.wake().as_slice(), [0; 0]);
    }

    #[test]
    fn two_upgrades_are_a_deadlock_at_once() {
        let mut lock = Lock::default();
        lock.ask(asker(1, Share), true);
        lock.ask(asker(2, Share), true);
        assert_eq!(lock.ask(asker(1, Exclusive), true), Asked::Waits);
        assert_eq!(
            lock.ask(asker(2, Exclusive), true),
            Asked::Deadlock(asker(1, Exclusive))
        );
    }

    #[test]
    fn durations_are_held_apart() {
        let mut lock = Lock::default();
        lock.ask(asker(1, Exclusive), true);
        let session = Waiter {
            duration: LockDuration::Session,
            ..asker(1, Exclusive)
        };
        assert_eq!(lock.ask(session, true), Asked::Joined);
        assert!(!lock.release(1, Exclusive, LockDuration::Transaction));
        assert_eq!(lock.ask(asker(2, Exclusive), false), Asked::WouldWait);
        assert!(lock.release(1, Exclusive, LockDuration::Session));
        assert!(lock.is_unused());
    }

    proptest! {
        /// Whatever happens: no two holders conflict, and no waiter that could go is left waiting.
        #[test]
        fn holders_never_conflict_and_nobody_starves(
            steps in proptest::collection::vec((0u32..5, 1u8..9, 0u8..3), 1..60),
        ) {
            let mut lock = Lock::default();
            for (proc, mode, what) in steps {
                let mode = LockMode::ALL[mode as usize - 1];
                let waits = lock.waiters().any(|w| w.proc == proc);
                match what {
                    _ if waits => { lock.leave(proc); }
                    0 => { lock.ask(asker(proc, mode), true); }
                    1 => { lock.ask(asker(proc, mode), false); }
                    _ => for mode in LockMode::ALL { lock.release(proc, mode, LockDuration::Transaction); },
                }
                lock.wake();
                for a in lock.holders() {
                    for b in lock.holders().iter().filter(|b| b.proc != a.proc) {
                        for mode in LockMode::ALL {
                            prop_assert!(a.modes() & mode.bit() == 0 || b.modes() & mode.conflicts() == 0);
                        }
                    }
                }
                if let Some(first) = lock.waiters().next() {
                    prop_assert!(lock.is_excluded(first.proc, first.mode));
                }
                for waiter in lock.waiters() {
                    prop_assert!(!lock.blockers(waiter.proc).is_empty());
                }
            }
        }
    }
}
