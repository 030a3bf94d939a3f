//! Who holds and waits for what: `pg_locks`, `pg_blocking_pids`, and waiting for holders.

use rustc_hash::FxHashSet;

use crate::locks::queue::Lock;
use crate::locks::{LockManager, LockMode, LockStatus, LockTag};
use crate::sync::Ordering;
use crate::table::{Proc, Slot, VirtualXid};

impl LockManager {
    /// Every lock held or waited for, with the implicit ones that each transaction holds on itself. Not one instant: sessions are
    /// looked at one by one, then the shared table at once.
    pub fn snapshot(&self) -> Vec<LockStatus> {
        let mut all = Vec::new();
        for (number, slot) in self.table.slots() {
            self.own_locks(number, slot, &mut all);
        }
        // What moved to the shared table in between, and ends of transactions that somebody waits for, would be there twice.
        let own: FxHashSet<(LockTag, i32, LockMode)> = all.iter().map(|s| (s.tag, s.pid, s.mode)).collect();
        let mut shared = Vec::new();
        for (tag, lock) in self.all_shards().iter().flat_map(|shard| shard.iter()) {
            // PostgreSQL keeps row locks in rows: they are not listed.
            if !matches!(tag, LockTag::Row { .. }) {
                self.shared_lock(*tag, lock, &mut shared);
            }
        }
        shared.retain(|s| !s.granted || !own.contains(&(s.tag, s.pid, s.mode)));
        all.append(&mut shared);
        all
    }

    /// The locks that a session's transaction holds to its end.
    pub fn held_by_transaction(&self, proc: &Proc) -> Vec<(LockTag, LockMode)> {
        proc.slot()
            .map_or_else(|_| Vec::new(), |slot| slot.locks.lock().held().to_vec())
    }

    /// The sessions that `pid` waits for (`pg_blocking_pids`): holders, then those in front of it in the queue.
    pub fn blocking_pids(&self, pid: i32) -> Vec<i32> {
        let Some((number, _)) = self.table.slots().find(|(_, slot)| pid_of(slot) == pid) else {
            return Vec::new();
        };
        let shards = self.all_shards();
        let locks = shards.iter().flat_map(|shard| shard.values());
        let blockers = locks
            .map(|lock| lock.blockers(number))
            .find(|blockers| !blockers.is_empty());
        let pids = blockers.unwrap_or_default().into_iter();
        pids.map(|number| self.table.slot(number).map_or(0, pid_of))
            .collect()
    }

    /// The transactions whose locks on `tag` conflict with `mode`, without those of `proc`.
    pub fn conflicting(&self, proc: &Proc, tag: LockTag, mode: LockMode) -> Vec<VirtualXid> {
        if let LockTag::Relation { database, relation } = tag {
            self.transfer_fast(database, relation);
        }
        let shard = self.shard(&tag).lock();
        let holders = shard.get(&tag).map(Lock::holders).unwrap_or_default();
        let others = holders
            .iter()
            .filter(|h| h.proc != proc.number() && h.modes() & mode.conflicts() != 0);
        others
            .filter_map(|h| self.table.slot(h.proc).map(|slot| vxid_of(h.proc, slot)))
            .collect()
    }

    /// What a session holds without the shared table: fast locks and its own transaction.
    fn own_locks(&self, number: u32, slot: &Slot, all: &mut Vec<LockStatus>) {
        let vxid = vxid_of(number, slot);
        if vxid.local == 0 && slot.pid.load(Ordering::Acquire) == 0 {
            return;
        }
        let held = |tag, mode, fast_path| LockStatus {
            tag,
            pid: pid_of(slot),
            vxid,
            mode,
            granted: true,
            fast_path,
            wait_start_unix_micros: None,
        };
        if vxid.local != 0 {
            all.push(held(LockTag::VirtualTransaction(vxid), LockMode::Exclusive, true));
        }
        let xid = slot.xid.load(Ordering::Acquire);
        if xid != 0 {
            all.push(held(
                LockTag::Transaction(common::Xid(xid)),
                LockMode::Exclusive,
                false,
            ));
        }
        for (tag, modes) in slot.locks.lock().fast_locks() {
            let modes = LockMode::ALL.into_iter().filter(|mode| modes & mode.bit() != 0);
            all.extend(modes.map(|mode| held(tag, mode, true)));
        }
    }

    fn shared_lock(&self, tag: LockTag, lock: &Lock, all: &mut Vec<LockStatus>) {
        let mut add = |proc: u32, mode, since: Option<i64>| {
            let Some(slot) = self.table.slot(proc) else { return };
            all.push(LockStatus {
                tag,
                pid: pid_of(slot),
                vxid: vxid_of(proc, slot),
                mode,
                granted: since.is_none(),
                fast_path: false,
                wait_start_unix_micros: since,
            });
        };
        for holder in lock.holders() {
            for mode in LockMode::ALL
                .into_iter()
                .filter(|mode| holder.modes() & mode.bit() != 0)
            {
                add(holder.proc, mode, None);
            }
        }
        for waiter in lock.waiters() {
            add(waiter.proc, waiter.mode, Some(waiter.since_unix_micros));
        }
    }
}

fn pid_of(slot: &Slot) -> i32 {
    slot.pid.load(Ordering::Acquire) as i32
}

fn vxid_of(number: u32, slot: &Slot) -> VirtualXid {
    VirtualXid {
        proc_number: number + 1,
        local: slot.vxid.load(Ordering::Acquire),
    }
}
