//! Snapshots: who sees which version, and what nobody can see any more.
//!
//! PG: src/backend/access/heap/heapam_visibility.c (HeapTupleSatisfiesMVCC), procarray.c (horizons).
//!
//! # How it works
//! A snapshot is one CSN, the own transaction and the current command. Version visible = begun before it and not
//! ended before it. Registration and the horizon race like this; either order is right, without a lock:
//! ```text
//! session:  c1 := visible; cell := c1; c2 := visible; the snapshot is c2 (>= c1)
//! horizon:  h := visible; minimum of h and all cells
//! ```
//! If the scan misses the cell, h was read before c2, so h <= c2. If it sees the cell, the minimum is <= c1 <= c2.
//! All five accesses are SeqCst. Until c2 is known the cell says that c1 is provisional; then it holds c2, exactly: a scan that asks which
//! versions nobody sees ([`LiveSnapshots`]) counts on nothing at or above a provisional one.
//!
//! A snapshot that moves to another slot ([`SnapshotGuard::share_with`]) is registered there before the old registration ends; a scan
//! that may have passed both looks at a counter and starts over.
//!
//! # Invariants
//! - What ended at or before the horizon, no present or future snapshot sees. The horizon never goes back.

use common::{CommandId, Csn};

use crate::error::TxnResult;
use crate::manager::Txn;
use crate::stamp::{AtomicStamp, Stamp, StampState};
use crate::sync::{Arc, Ordering};
use crate::table::{NO_SNAPSHOT, Proc, SNAPSHOT_CELLS, Slot, TxnTable};

/// What a statement sees: everything committed at or before `csn`, and the own changes of earlier commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Commits up to this one are visible.
    pub csn: Csn,
    /// Stamp of the own transaction; [`Stamp::NEVER`] while it has written nothing.
    pub own: Stamp,
    /// The command that looks.
    pub command: CommandId,
    /// Nonzero when the reads of a serializable transaction must be noted (`crate::ssi`).
    pub serial: u32,
}

impl Snapshot {
    /// A snapshot of what is committed at `csn`, for readers outside any transaction. Keep it registered.
    pub fn committed(csn: Csn) -> Snapshot {
        Snapshot {
            csn,
            own: Stamp::NEVER,
            command: CommandId(0),
            serial: 0,
        }
    }

    /// The same snapshot for a later command of the transaction.
    pub fn at_command(self, command: CommandId) -> Snapshot {
        Snapshot { command, ..self }
    }
}

/// True when the snapshot sees the version. `cmin` and `cmax` are the commands that made and ended it; they count
/// only when the transaction is the own one.
#[inline]
pub fn visible(
    begin: &AtomicStamp,
    end: &AtomicStamp,
    cmin: CommandId,
    cmax: CommandId,
    snapshot: &Snapshot,
    table: &TxnTable,
) -> bool {
    let (b, e) = (begin.load(), end.load());
    if !b.is_reference() && !e.is_reference() {
        return b.raw() <= snapshot.csn.0 && snapshot.csn.0 < e.raw();
    }
    happened(begin, cmin, snapshot, table) && !happened(end, cmax, snapshot, table)
}

/// True when the snapshot sees that what `stamp` dates has happened.
pub fn happened(stamp: &AtomicStamp, command: CommandId, snapshot: &Snapshot, table: &TxnTable) -> bool {
    let now = stamp.load();
    if now.is_reference() && now == snapshot.own {
        return command < snapshot.command;
    }
    matches!(stamp.resolve(table), StampState::Committed(csn) if csn <= snapshot.csn)
}

/// In a cell: the snapshot is this old or younger.
const PROVISIONAL: u64 = 1 << 63;

/// A registered snapshot: while it lives, nothing it sees is cleaned up.
pub struct SnapshotGuard {
    proc: Arc<Proc>,
    /// What stands in the cell.
    csn: Csn,
    /// Index of the cell; `SNAPSHOT_CELLS` when it went to the vector.
    cell: usize,
}

impl SnapshotGuard {
    /// Registers a snapshot of what is committed now.
    pub fn take(proc: &Arc<Proc>) -> TxnResult<SnapshotGuard> {
        let table = proc.table();
        let slot = proc.slot()?;
        let provisional = table.visible_csn().0 | PROVISIONAL;
        let cell = reserve(slot, provisional);
        let csn = table.visible_csn();
        settle(slot, cell, provisional, csn.0);
        Ok(SnapshotGuard {
            proc: Arc::clone(proc),
            csn,
            cell,
        })
    }

    /// A second registration of the same CSN (a cursor that outlives its statement, a parallel worker).
    pub fn share(&self) -> TxnResult<SnapshotGuard> {
        let slot = self.proc.slot()?;
        let cell = reserve(slot, self.csn.0);
        // A scan that passed our cell before this and the old cell after its release would miss both: it looks
        // at this counter and starts over.
        slot.snapshots.0.shared.fetch_add(1, Ordering::SeqCst);
        Ok(SnapshotGuard {
            proc: Arc::clone(&self.proc),
            csn: self.csn,
            cell,
        })
    }

    /// A registration of the same CSN for another session (`SET TRANSACTION SNAPSHOT`).
    pub fn share_with(&self, proc: &Arc<Proc>) -> TxnResult<SnapshotGuard> {
        let cell = reserve(proc.slot()?, self.csn.0);
        proc.table().imported.fetch_add(1, Ordering::SeqCst);
        Ok(SnapshotGuard {
            proc: Arc::clone(proc),
            csn: self.csn,
            cell,
        })
    }

    /// The session that registered it.
    pub(crate) fn proc(&self) -> &Arc<Proc> {
        &self.proc
    }

    /// The CSN.
    pub fn csn(&self) -> Csn {
        self.csn
    }

    /// The snapshot as `txn`'s current command sees it.
    pub fn snapshot(&self, txn: &Txn) -> Snapshot {
        Snapshot {
            csn: self.csn,
            own: txn.stamp(),
            command: txn.command(),
            serial: txn.serial(),
        }
    }
}

impl Drop for SnapshotGuard {
    fn drop(&mut self) {
        let Ok(slot) = self.proc.slot() else { return };
        let cells = &slot.snapshots.0;
        if let Some(cell) = cells.cells.get(self.cell) {
            cell.store(NO_SNAPSHOT, Ordering::Release);
            return;
        }
        let mut more = cells.more.lock();
        if let Some(at) = more.iter().position(|&csn| csn == self.csn.0) {
            more.swap_remove(at);
        }
        cells.more_count.store(more.len() as u32, Ordering::Release);
    }
}

/// The provisional CSN in a cell is known now.
fn settle(slot: &Slot, cell: usize, provisional: u64, csn: u64) {
    let cells = &slot.snapshots.0;
    match cells.cells.get(cell) {
        Some(cell) => cell.store(csn, Ordering::Release),
        None => {
            let mut more = cells.more.lock();
            if let Some(known) = more.iter_mut().find(|known| **known == provisional) {
                *known = csn;
            }
        }
    }
}

/// Puts `csn` into a free cell, or into the vector; the number of the cell.
fn reserve(slot: &Slot, csn: u64) -> usize {
    let cells = &slot.snapshots.0;
    for (number, cell) in cells.cells.iter().enumerate() {
        if cell.load(Ordering::Relaxed) == NO_SNAPSHOT
            && cell
                .compare_exchange(NO_SNAPSHOT, csn, Ordering::SeqCst, Ordering::Relaxed)
                .is_ok()
        {
            return number;
        }
    }
    let mut more = cells.more.lock();
    more.push(csn);
    cells.more_count.store(more.len() as u32, Ordering::SeqCst);
    SNAPSHOT_CELLS
}

impl TxnTable {
    /// What ended at or before this CSN, nobody can see. Costs a pass over the sessions: for cleaning, not for reading.
    pub fn horizon(&self) -> Csn {
        let visible = self.visible_csn().0;
        let oldest = loop {
            let imported = self.imported.load(Ordering::SeqCst);
            let oldest = self
                .slots()
                .fold(visible, |oldest, (_, slot)| oldest.min(oldest_snapshot(slot)));
            if self.imported.load(Ordering::SeqCst) == imported {
                break oldest;
            }
        };
        let before = self.horizon.0.fetch_max(oldest, Ordering::AcqRel);
        Csn(before.max(oldest))
    }
}

/// The snapshots there are, for finding versions that none of them sees although the oldest is older.
pub struct LiveSnapshots {
    /// Ascending.
    csns: Vec<u64>,
    /// All others are at or above this.
    floor: u64,
}

impl LiveSnapshots {
    /// True when some snapshot, now or later, may see what began and ended so.
    pub fn may_see(&self, begin: Csn, end: Csn) -> bool {
        let first = self.csns.partition_point(|&csn| csn < begin.0);
        end.0 > self.floor || self.csns.get(first).is_some_and(|&csn| csn < end.0)
    }
}

impl TxnTable {
    /// The snapshots there are now. While serializable transactions are watched none but the oldest counts: they ask who made the
    /// versions that they do not see.
    pub fn live_snapshots(&self) -> LiveSnapshots {
        if self.watches_any() {
            let (csns, floor) = (Vec::new(), self.horizon().0);
            return LiveSnapshots { csns, floor };
        }
        loop {
            let imported = self.imported.load(Ordering::SeqCst);
            let (mut csns, mut floor) = (Vec::new(), self.visible_csn().0);
            for (_, slot) in self.slots() {
                for csn in snapshots_of(slot) {
                    match csn & PROVISIONAL {
                        0 => csns.push(csn),
                        _ => floor = floor.min(csn & !PROVISIONAL),
                    }
                }
            }
            if self.imported.load(Ordering::SeqCst) == imported {
                csns.sort_unstable();
                return LiveSnapshots { csns, floor };
            }
        }
    }
}

/// The oldest CSN registered in a slot, or `NO_SNAPSHOT`.
pub(crate) fn oldest_snapshot(slot: &Slot) -> u64 {
    let cells = &slot.snapshots.0;
    let oldest_of = |oldest: u64, csn: u64| match csn {
        NO_SNAPSHOT => oldest,
        csn => oldest.min(csn & !PROVISIONAL),
    };
    loop {
        let shared = cells.shared.load(Ordering::SeqCst);
        let all = cells.cells.iter().map(|cell| cell.load(Ordering::SeqCst));
        let mut oldest = all.fold(NO_SNAPSHOT, oldest_of);
        if cells.more_count.load(Ordering::SeqCst) > 0 {
            oldest = cells.more.lock().iter().copied().fold(oldest, oldest_of);
        }
        if cells.shared.load(Ordering::SeqCst) == shared {
            return oldest;
        }
    }
}

/// What stands in a slot's cells.
fn snapshots_of(slot: &Slot) -> Vec<u64> {
    let cells = &slot.snapshots.0;
    loop {
        let shared = cells.shared.load(Ordering::SeqCst);
        let all = cells.cells.iter().map(|cell| cell.load(Ordering::SeqCst));
        let mut csns: Vec<u64> = all.filter(|&csn| csn != NO_SNAPSHOT).collect();
        if cells.more_count.load(Ordering::SeqCst) > 0 {
            csns.extend(cells.more.lock().iter());
        }
        if cells.shared.load(Ordering::SeqCst) == shared {
            return csns;
        }
    }
}
