//! Waiting for a lock or for the end of a transaction: timeouts, cancellation, deadlocks.
//!
//! PG: src/backend/storage/lmgr/proc.c (ProcSleep), lmgr.c (XactLockTableWait).

use std::time::Duration;

use common::Xid;
use common::cancel::CancelReason;

use crate::error::{TxnError, TxnResult};
use crate::locks::deadlock::{Edge, Graph, LockView, Verdict};
use crate::locks::queue::{Asked, Waiter};
use crate::locks::{LockDuration, LockManager, LockMode, LockTag, Shard, Step, WaitOptions, Watch};
use crate::stamp::Stamp;
use crate::sync::{MutexGuard, Ordering};
use crate::table::{Proc, Slot, SlotState, VirtualXid};

/// How often a wait looks at its cancel token when nobody wakes it.
const CANCEL_POLL: Duration = Duration::from_millis(100);

impl LockManager {
    /// Waits until `xid` has ended (committed or rolled back); at once if it has. The waiter shows in `pg_locks` and in deadlocks as
    /// PostgreSQL's: with `ShareLock` on the transaction. A committed transaction counts as ended from its publication on.
    pub fn wait_for_txn(&self, proc: &Proc, xid: Xid, wait: &WaitOptions) -> TxnResult<()> {
        match self.table.find_xid(xid) {
            Some(owner) => self.wait_for_stamp(proc, Stamp::reference(xid, owner), wait),
            None => Ok(()),
        }
    }

    /// Waits until the transaction that `stamp` names, if any, has ended. Cheaper than by xid: a stamp knows the slot.
    pub fn wait_for_stamp(&self, proc: &Proc, stamp: Stamp, wait: &WaitOptions) -> TxnResult<()> {
        let Some(xid) = stamp.xid() else { return Ok(()) };
        self.wait_for_end(proc, stamp.slot(), LockTag::Transaction(xid), wait, |slot| {
            self.is_running(xid, slot, stamp)
        })
    }

    /// Waits until the transaction watched has ended or has rolled back to a savepoint since.
    pub fn wait_for_watched(&self, proc: &Proc, watch: Watch, wait: &WaitOptions) -> TxnResult<()> {
        let Watch { stamp, undone } = watch;
        let Some(xid) = stamp.xid() else { return Ok(()) };
        self.wait_for_end(proc, stamp.slot(), LockTag::Transaction(xid), wait, |slot| {
            slot.undone.load(Ordering::SeqCst) == undone && self.is_running(xid, slot, stamp)
        })
    }

    /// True while the transaction runs. SeqCst against its owner, who gives the slot up and then looks whether somebody waits: a load that may come before
    /// the mark of who waits would let both miss each other.
    fn is_running(&self, xid: Xid, slot: &Slot, stamp: Stamp) -> bool {
        slot.xid.load(Ordering::SeqCst) == xid.0
            && self.table.state(xid, stamp.slot()) == Some(SlotState::InProgress)
    }

    /// Waits until the transaction has ended. One without a number (from [`LockManager::conflicting`], when a holder was just
    /// ending, or keeps the lock for its session) has.
    pub fn wait_for_vxid(&self, proc: &Proc, vxid: VirtualXid, wait: &WaitOptions) -> TxnResult<()> {
        let Some(owner) = vxid.proc_number.checked_sub(1).filter(|_| vxid.local != 0) else {
            return Ok(());
        };
        self.wait_for_end(proc, owner, LockTag::VirtualTransaction(vxid), wait, |slot| {
            slot.vxid.load(Ordering::SeqCst) == vxid.local
        })
    }

    fn wait_for_end(
        &self,
        proc: &Proc,
        owner: u32,
        tag: LockTag,
        wait: &WaitOptions,
        runs: impl Fn(&Slot) -> bool,
    ) -> TxnResult<()> {
        let (slot, Some(owner_slot)) = (proc.slot()?, self.table.slot(owner)) else {
            return Ok(());
        };
        let asker = Waiter {
            proc: proc.number(),
            mode: LockMode::Share,
            duration: LockDuration::Transaction,
            since_unix_micros: self.env.now_unix_micros(),
        };
        let mut shard = self.shard(&tag).lock();
        // Mark first, look then; the owner ends first and looks at the mark then. One of the two sees the other.
        owner_slot.awaited.store(true, Ordering::SeqCst);
        if !runs(owner_slot) || owner == proc.number() {
            return Ok(());
        }
        let lock = shard.entry(tag).or_default();
        lock.grant(owner, LockMode::Exclusive, LockDuration::Transaction);
        if lock.ask(asker, true) == Asked::Waits {
            slot.lock_granted.store(false, Ordering::Release);
            drop(shard);
            self.wait_for_grant(proc, slot, tag, asker, wait)?;
        } else {
            drop(shard);
        }
        self.release(proc.number(), tag, LockMode::Share, LockDuration::Transaction);
        Ok(())
    }

    /// Waits for a lock in whose queue `asker` stands. After an error it stands there no longer.
    pub(super) fn wait_for_grant(
        &self,
        proc: &Proc,
        slot: &Slot,
        tag: LockTag,
        asker: Waiter,
        wait: &WaitOptions,
    ) -> TxnResult<()> {
        let start = self.env.monotonic();
        let mut checked = false;
        let error = loop {
            if slot.lock_granted.load(Ordering::Acquire) {
                return Ok(());
            }
            let waited = self.env.monotonic().saturating_sub(start);
            if let Err(cancelled) = wait.cancel.check() {
                break TxnError::Cancelled(cancelled);
            }
            if wait.lock_timeout.is_some_and(|timeout| waited >= timeout) {
                break TxnError::LockTimeout;
            }
            if !checked && waited >= wait.deadlock_timeout {
                // Once: a cycle that closes later is found by whoever closes it.
                checked = true;
                match self.check_deadlock(proc.number(), tag) {
                    Some(error) => {
                        self.count(tag, asker.mode, Step::Down);
                        return Err(error);
                    }
                    None => self.ask_to_give_way(proc.number(), tag),
                }
                continue;
            }
            let deadlines = [wait.lock_timeout, (!checked).then_some(wait.deadlock_timeout)];
            let next = deadlines
                .into_iter()
                .flatten()
                .min()
                .map_or(CANCEL_POLL, |at| at.saturating_sub(waited));
            self.env.wait(&slot.notify, Some(next.min(CANCEL_POLL)));
        };
        match self.give_up(slot, tag, &asker) {
            true => Err(error),
            // Granted in the meantime. A cancellation comes up at the next check.
            false => Ok(()),
        }
    }

    /// Leaves the queue; false if the lock was granted just now.
    fn give_up(&self, slot: &Slot, tag: LockTag, asker: &Waiter) -> bool {
        let mut shard = self.shard(&tag).lock();
        if slot.lock_granted.load(Ordering::Acquire) {
            return false;
        }
        if let Some(lock) = shard.get_mut(&tag) {
            lock.leave(asker.proc);
        }
        self.settle(&mut shard, &tag);
        drop(shard);
        self.count(tag, asker.mode, Step::Down);
        true
    }

    /// Looks for a deadlock, and reorders queues if that avoids it. If it does not, the session leaves the queue of `tag` before
    /// anybody else can look, so that a cycle has one victim. Stops the whole lock table, which after `deadlock_timeout` is cheap.
    fn check_deadlock(&self, proc: u32, tag: LockTag) -> Option<TxnError> {
        let mut shards = self.all_shards();
        let graph = waits_for_graph(&shards);
        match graph.check(proc) {
            Verdict::Fine => None,
            Verdict::Reorder(orders) => {
                for (tag, order) in orders {
                    let Some(shard) = shards.iter_mut().find(|shard| shard.contains_key(&tag)) else {
                        continue;
                    };
                    if let Some(lock) = shard.get_mut(&tag) {
                        lock.reorder(&order);
                    }
                    self.settle(shard, &tag);
                }
                None
            }
            Verdict::Deadlock(cycle) => {
                if let Some(shard) = shards.iter_mut().find(|shard| shard.contains_key(&tag)) {
                    if let Some(lock) = shard.get_mut(&tag) {
                        lock.leave(proc);
                    }
                    self.settle(shard, &tag);
                }
                drop(shards);
                Some(self.deadlock_error(&cycle))
            }
        }
    }

    /// Cancels what sessions do with the lock that give way to others.
    fn ask_to_give_way(&self, proc: u32, tag: LockTag) {
        let shard = self.shard(&tag).lock();
        let holders = shard.get(&tag).map_or(&[][..], |lock| lock.holders());
        for holder in holders.iter().filter(|holder| holder.proc != proc) {
            let token = self.table.slot(holder.proc).map(|slot| &slot.gives_way);
            if let Some(cancel) = token.and_then(|token| token.lock().clone()) {
                cancel.cancel(CancelReason::User);
            }
        }
    }

    pub(super) fn deadlock_error(&self, cycle: &[Edge]) -> TxnError {
        let pid = |proc| {
            self.table
                .slot(proc)
                .map_or(0, |slot| slot.pid.load(Ordering::Acquire))
        };
        let tid = self
            .tid
            .get()
            .copied()
            .unwrap_or(|row| ((row.tid() >> 16) as u32, row.tid() as u16));
        let line = |edge: &Edge| {
            format!(
                "Process {} waits for {} on {}; blocked by process {}.",
                pid(edge.waiter),
                edge.mode.name(),
                edge.tag.describe(tid),
                pid(edge.blocker)
            )
        };
        let lines: Vec<String> = cycle.iter().map(line).collect();
        TxnError::Deadlock {
            detail: lines.join("\n"),
        }
    }
}

fn waits_for_graph(shards: &[MutexGuard<'_, Shard>]) -> Graph {
    let mut graph = Graph::default();
    for (tag, lock) in shards.iter().flat_map(|shard| shard.iter()) {
        if lock.has_waiters() {
            let holders = lock.holders().iter().map(|h| (h.proc, h.modes())).collect();
            let queue = lock.waiters().map(|w| (w.proc, w.mode)).collect();
            graph.add(*tag, LockView { holders, queue });
        }
    }
    graph
}
