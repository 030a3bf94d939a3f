//! The transaction table: one slot per session, with the state of the transaction that runs in it.
//!
//! PG: src/include/storage/proc.h (PGPROC), src/backend/storage/ipc/procarray.c.
//!
//! # How it works
//! A session registers once ([`Proc`]) and keeps its slot; each of its writing transactions puts its xid there.
//! A stamp names (xid, slot), so finding the state of any transaction is one index computation and two loads:
//! no commit log, no array of running xids, no allocation per transaction.
//!
//! Slots live in segments of 16, 32, 64, ... made on demand, so a small database pays for 16. Free slots form a
//! lock-free stack whose head carries a tag against ABA.
//!
//! # Invariants
//! - Xids are never reused. `xid` is 0 when the slot has no writing transaction.
//! - Order of stores: at assignment `state` before `xid`; at the end `state`, then (by the owner) all stamps,
//!   then `xid := 0`. All are Release, all loads Acquire. So who reads `state` and afterwards still finds the xid
//!   has read the state of that xid; who finds another xid will find the stamp settled.

use common::cancel::CancelToken;
use common::env::Notify;
use common::{Csn, Xid};

use crate::error::{TxnError, TxnResult};
use crate::locks::{LockManager, ProcLocks};
use crate::ssi::{Ssi, Sxact};
use crate::sync::{Arc, AtomicBool, AtomicU32, AtomicU64, CacheAligned, Mutex, OnceLock, Ordering};
use crate::wal::CommitWait;

const FIRST_SEGMENT: u32 = if cfg!(pglite_loom) { 2 } else { 16 };
const SEGMENTS: usize = 12;
/// Sessions (with prepared transactions and background workers) that can exist at once: 65,520.
pub const SLOTS_MAX: u32 = FIRST_SEGMENT * ((1 << SEGMENTS) - 1);

const IN_PROGRESS: u64 = u64::MAX;
const ABORTED: u64 = u64::MAX - 1;
/// No snapshot in this cell.
pub(crate) const NO_SNAPSHOT: u64 = u64::MAX;
/// Snapshots of one session that cost no lock; more (many open cursors) go to a vector.
pub(crate) const SNAPSHOT_CELLS: usize = 6;

/// What a transaction id on its slot says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotState {
    /// Neither committed nor rolled back.
    InProgress,
    /// Published at this CSN; its stamps may not be settled yet.
    Committed(Csn),
    /// Rolled back.
    Aborted,
}

/// Names a transaction, writing or not, while it runs: PostgreSQL's `virtualxid` (`3/17`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VirtualXid {
    /// The slot number, from 1 as in PostgreSQL.
    pub proc_number: u32,
    /// Counts the transactions of that slot.
    pub local: u64,
}

impl std::fmt::Display for VirtualXid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.proc_number, self.local)
    }
}

/// One session's place. Fields of other threads' interest are atomics; the rest has its own lock.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct Slot {
    /// Read by every visibility check that meets a reference.
    pub(crate) xid: AtomicU64,
    state: AtomicU64,
    /// Counts rollbacks to savepoints.
    pub(crate) undone: AtomicU32,
    /// Set by whoever waits for the end of this transaction, so that the end costs nothing otherwise.
    pub(crate) awaited: AtomicBool,
    /// `local` of the running transaction's [`VirtualXid`]; 0 when none runs.
    pub(crate) vxid: AtomicU64,
    last_vxid: AtomicU64,
    /// Wall clock at begin.
    pub(crate) started_unix_micros: AtomicU64,
    /// What `pg_backend_pid` says in this session; 0 in a free slot.
    pub(crate) pid: AtomicU32,
    free_next: AtomicU32,
    pub(crate) snapshots: CacheAligned<SnapshotCells>,
    pub(crate) commit: CommitWait,
    pub(crate) locks: Mutex<ProcLocks>,
    /// The serializable transaction that runs here.
    pub(crate) serial: Mutex<Option<Arc<Sxact>>>,
    /// What makes the session stop when somebody has waited long for one of its locks.
    pub(crate) gives_way: Mutex<Option<CancelToken>>,
    /// The lock waited for has been granted.
    pub(crate) lock_granted: AtomicBool,
    /// Woken when a lock is granted or the session is interrupted.
    pub(crate) notify: Notify,
}

/// The CSNs of a session's snapshots.
pub(crate) struct SnapshotCells {
    pub(crate) cells: [AtomicU64; SNAPSHOT_CELLS],
    pub(crate) more_count: AtomicU32,
    /// Counts second registrations of a snapshot.
    pub(crate) shared: AtomicU32,
    pub(crate) more: Mutex<Vec<u64>>,
}

impl Default for SnapshotCells {
    fn default() -> SnapshotCells {
        SnapshotCells {
            cells: std::array::from_fn(|_| AtomicU64::new(NO_SNAPSHOT)),
            more_count: AtomicU32::new(0),
            shared: AtomicU32::new(0),
            more: Mutex::default(),
        }
    }
}

/// All slots, and the CSN up to which commits are visible.
pub struct TxnTable {
    /// Highest CSN whose commit, and all before it, every new snapshot sees.
    visible: CacheAligned<AtomicU64>,
    /// Highest horizon ever computed.
    pub(crate) horizon: CacheAligned<AtomicU64>,
    /// Counts snapshots that were registered at a CSN of another slot's.
    pub(crate) imported: AtomicU64,
    /// Index + 1 of the first free slot in the low half, a change counter in the high half.
    free_head: CacheAligned<AtomicU64>,
    /// Slots ever used.
    high_water: AtomicU32,
    segments: [OnceLock<Box<[Slot]>>; SEGMENTS],
    pub(crate) ssi: Ssi,
}

impl TxnTable {
    /// An empty table in which everything up to `visible` counts as committed.
    pub fn new(visible: Csn) -> TxnTable {
        TxnTable {
            visible: CacheAligned(AtomicU64::new(visible.0)),
            horizon: CacheAligned(AtomicU64::new(0)),
            imported: AtomicU64::new(0),
            free_head: CacheAligned::default(),
            high_water: AtomicU32::new(0),
            segments: std::array::from_fn(|_| OnceLock::new()),
            ssi: Ssi::default(),
        }
    }

    /// The CSN a snapshot taken now would have.
    #[inline]
    pub fn visible_csn(&self) -> Csn {
        Csn(self.visible.0.load(Ordering::SeqCst))
    }

    /// Publishes `xid` at the next CSN. One caller at a time: the commit leader.
    pub(crate) fn publish_state(&self, xid: Xid, slot: u32, csn: Csn) {
        if let Some(slot) = self.slot(slot) {
            debug_assert_eq!(slot.xid.load(Ordering::Relaxed), xid.0);
            slot.state.store(csn.0, Ordering::Release);
        }
    }

    /// Lets new snapshots see everything up to `csn`; every state up to it is set.
    pub(crate) fn publish_visible(&self, csn: Csn) {
        debug_assert!(self.visible.0.load(Ordering::Relaxed) <= csn.0);
        self.visible.0.store(csn.0, Ordering::SeqCst);
    }

    /// The state of `xid` if it still owns `slot`.
    #[inline]
    pub(crate) fn state(&self, xid: Xid, slot: u32) -> Option<SlotState> {
        let slot = self.slot(slot)?;
        let state = slot.state.load(Ordering::Acquire);
        if slot.xid.load(Ordering::Acquire) != xid.0 {
            return None;
        }
        Some(match state {
            IN_PROGRESS => SlotState::InProgress,
            ABORTED => SlotState::Aborted,
            csn => SlotState::Committed(Csn(csn)),
        })
    }

    /// Where `index` lives, if it was ever used.
    #[inline]
    pub(crate) fn slot(&self, index: u32) -> Option<&Slot> {
        let (segment, offset) = locate(index);
        self.segments.get(segment)?.get()?.get(offset)
    }

    /// All slots ever used, with their numbers.
    pub(crate) fn slots(&self) -> impl Iterator<Item = (u32, &Slot)> {
        let count = self.high_water.load(Ordering::SeqCst).min(SLOTS_MAX);
        (0..count).filter_map(|index| Some((index, self.slot(index)?)))
    }

    /// The slot in which `xid` runs, if it does.
    pub(crate) fn find_xid(&self, xid: Xid) -> Option<u32> {
        self.slots()
            .find(|(_, slot)| slot.xid.load(Ordering::Acquire) == xid.0)
            .map(|(index, _)| index)
    }

    fn allocate(&self) -> Option<u32> {
        loop {
            let head = self.free_head.0.load(Ordering::Acquire);
            let Some(index) = (head as u32).checked_sub(1) else {
                break;
            };
            let next = self.slot(index)?.free_next.load(Ordering::Relaxed);
            if self.swing_head(head, next) {
                return Some(index);
            }
        }
        let index = self
            .high_water
            .fetch_update(Ordering::SeqCst, Ordering::Relaxed, |n| {
                (n < SLOTS_MAX).then_some(n + 1)
            })
            .ok()?;
        let (segment, _) = locate(index);
        self.segments
            .get(segment)?
            .get_or_init(|| (0..FIRST_SEGMENT << segment).map(|_| Slot::default()).collect());
        Some(index)
    }

    fn free(&self, index: u32) {
        let Some(slot) = self.slot(index) else { return };
        loop {
            let head = self.free_head.0.load(Ordering::Acquire);
            slot.free_next.store(head as u32, Ordering::Relaxed);
            if self.swing_head(head, index + 1) {
                return;
            }
        }
    }

    fn swing_head(&self, head: u64, first: u32) -> bool {
        let tagged = ((head >> 32).wrapping_add(1) << 32) | u64::from(first);
        self.free_head
            .0
            .compare_exchange(head, tagged, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }
}

/// Segment and offset of a slot number: segment k holds 16 << k slots.
#[inline]
fn locate(index: u32) -> (usize, usize) {
    let shifted = index + FIRST_SEGMENT;
    let segment = shifted.ilog2() - FIRST_SEGMENT.ilog2();
    (segment as usize, (shifted - (FIRST_SEGMENT << segment)) as usize)
}

/// A session's membership: its slot, its pid, its locks. Dropped when the session ends; a prepared transaction takes
/// it along ([`crate::Txn`] holds it), and the session registers anew.
pub struct Proc {
    table: Arc<TxnTable>,
    locks: Arc<LockManager>,
    index: u32,
    pid: i32,
}

impl Proc {
    pub(crate) fn register(
        table: &Arc<TxnTable>,
        locks: &Arc<LockManager>,
        pid: i32,
    ) -> TxnResult<Arc<Proc>> {
        let Some(index) = table.allocate() else {
            return Err(TxnError::Limit(format!(
                "more than {SLOTS_MAX} concurrent sessions"
            )));
        };
        let proc = Proc {
            table: Arc::clone(table),
            locks: Arc::clone(locks),
            index,
            pid,
        };
        proc.slot()?.pid.store(pid as u32, Ordering::Release);
        Ok(Arc::new(proc))
    }

    /// What errors call this session: `Process 4711`.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The slot number; other threads of the same session may share it.
    pub fn number(&self) -> u32 {
        self.index
    }

    /// The table it is in.
    pub fn table(&self) -> &Arc<TxnTable> {
        &self.table
    }

    /// Its transaction is prepared: it belongs to no session any more.
    pub(crate) fn leave_session(&self) {
        if let Ok(slot) = self.slot() {
            slot.pid.store(0, Ordering::Release);
        }
    }

    /// From now on the session is one that gives way: who has waited for a lock of its for `deadlock_timeout` cancels it.
    pub fn give_way(&self, cancel: &CancelToken) -> TxnResult<()> {
        *self.slot()?.gives_way.lock() = Some(cancel.clone());
        Ok(())
    }

    /// Ends a lock wait early, so that it looks at its cancel token.
    pub fn interrupt(&self) {
        if let Ok(slot) = self.slot() {
            slot.notify.notify();
        }
    }

    pub(crate) fn slot(&self) -> TxnResult<&Slot> {
        self.table
            .slot(self.index)
            .ok_or_else(|| TxnError::Internal("session slot vanished".to_owned()))
    }

    /// Names the transaction that begins.
    pub(crate) fn begin(&self, now_unix_micros: i64) -> TxnResult<VirtualXid> {
        let slot = self.slot()?;
        let local = slot.last_vxid.load(Ordering::Relaxed) + 1;
        slot.last_vxid.store(local, Ordering::Relaxed);
        slot.started_unix_micros
            .store(now_unix_micros as u64, Ordering::Relaxed);
        slot.vxid.store(local, Ordering::Release);
        Ok(VirtualXid {
            proc_number: self.index + 1,
            local,
        })
    }

    /// Puts `xid` in progress here.
    pub(crate) fn enter(&self, xid: Xid) -> TxnResult<()> {
        let slot = self.slot()?;
        if slot.xid.load(Ordering::Relaxed) != 0 {
            return Err(TxnError::Internal(
                "the session's last transaction was dropped without an end".to_owned(),
            ));
        }
        slot.state.store(IN_PROGRESS, Ordering::Release);
        slot.xid.store(xid.0, Ordering::Release);
        Ok(())
    }

    /// Marks the transaction rolled back: its stamps now mean NEVER.
    pub(crate) fn mark_aborted(&self) {
        if let Ok(slot) = self.slot() {
            slot.state.store(ABORTED, Ordering::Release);
        }
    }

    /// Ends the transaction; every stamp that names it is settled. True when somebody waits for its end.
    pub(crate) fn leave(&self, xid: Option<Xid>) -> bool {
        let Ok(slot) = self.slot() else { return false };
        // SeqCst against the waiter, who sets `awaited` and then looks whether the transaction still runs.
        if xid.is_some() {
            slot.xid.store(0, Ordering::SeqCst);
        }
        slot.vxid.store(0, Ordering::SeqCst);
        slot.awaited.load(Ordering::SeqCst) && slot.awaited.swap(false, Ordering::SeqCst)
    }

    /// True when a transaction of this session was dropped without settling its stamps.
    fn is_tainted(&self) -> bool {
        self.slot()
            .is_ok_and(|slot| slot.xid.load(Ordering::Acquire) != 0)
    }
}

impl Drop for Proc {
    fn drop(&mut self) {
        self.locks.end_session(self);
        // A slot that stamps still name stays out of use for good: better a lost slot than a wrong answer.
        if self.is_tainted() {
            return;
        }
        if let Ok(slot) = self.slot() {
            slot.pid.store(0, Ordering::Release);
            *slot.gives_way.lock() = None;
        }
        self.table.free(self.index);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use common::env::sim::SimEnv;

    fn table() -> (Arc<TxnTable>, Arc<LockManager>) {
        let table = Arc::new(TxnTable::new(Csn(1)));
        let locks = LockManager::new(Arc::new(SimEnv::new(1)), Arc::clone(&table));
        (table, Arc::new(locks))
    }

    #[test]
    fn slots_are_found_where_they_were_made() {
        for (index, expected) in [
            (0, (0, 0)),
            (15, (0, 15)),
            (16, (1, 0)),
            (47, (1, 31)),
            (48, (2, 0)),
        ] {
            assert_eq!(locate(index), expected);
        }
        let (segment, offset) = locate(SLOTS_MAX - 1);
        assert_eq!(
            (segment, offset),
            (SEGMENTS - 1, (FIRST_SEGMENT << (SEGMENTS - 1)) as usize - 1)
        );
        assert!(SLOTS_MAX <= u32::from(u16::MAX));
    }

    #[test]
    fn slots_are_reused_and_never_shared() {
        let (table, locks) = table();
        let workers: Vec<_> = (0..4)
            .map(|w| {
                let (table, locks) = (Arc::clone(&table), Arc::clone(&locks));
                std::thread::spawn(move || {
                    for i in 0..500 {
                        let procs: Vec<_> = (0..10)
                            .map(|_| Proc::register(&table, &locks, w * 1000 + i).unwrap())
                            .collect();
                        for proc in &procs {
                            assert_eq!(
                                proc.slot().unwrap().pid.load(Ordering::Relaxed),
                                (w * 1000 + i) as u32
                            );
                        }
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.join().unwrap();
        }
        assert!(table.slots().count() <= 40);
    }

    #[test]
    fn the_number_of_sessions_is_bounded() {
        let (table, locks) = table();
        table.high_water.store(SLOTS_MAX, Ordering::SeqCst);
        assert!(matches!(
            Proc::register(&table, &locks, 1),
            Err(TxnError::Limit(_))
        ));
    }
}
