//! Serializable snapshot isolation: repeatable read, and a watch over who reads what others change.
//!
//! PG: src/backend/storage/lmgr/README-SSI.
//!
//! # How it works
//! 1. The first snapshot of a serializable transaction registers it ([`Txn::serializable_snapshot`]) and carries its number
//!    ([`crate::Snapshot::serial`]; 0 for everybody else, so that others pay one branch).
//! 2. Whoever reads under such a snapshot says so *before* looking ([`TxnTable::serial_read`]), and then reports writers whose
//!    versions it passes over ([`TxnTable::serial_passes`]).
//! 3. Whoever writes puts the version there first, and then asks who has read its place ([`Txn::serial_write`]). So of a reader
//!    and a writer at the same time, at least one sees the other.
//! 4. `graph` keeps the edges and says who has to be given up; what was read stands in `reads`.
//!
//! A READ ONLY transaction whose snapshot nothing running can spoil is not watched at all; DEFERRABLE waits for such a snapshot.
//!
//! # Locks
//! The graph's mutex, then a transaction's `reads`. A reader takes only its own `reads` unless it meets a conflict.

mod graph;
mod reads;

use std::time::Duration;

use common::{Csn, Oid, RowId, Xid};

pub use reads::{ReadTarget, WriteTarget};

use crate::error::{TxnError, TxnResult};
use crate::locks::WaitOptions;
use crate::manager::Txn;
use crate::snapshot::{Snapshot, SnapshotGuard};
use crate::ssi::graph::{Graph, Reason};
use crate::ssi::reads::ReadSet;
use crate::stamp::AtomicStamp;
use crate::sync::{Arc, AtomicBool, AtomicU64, Mutex, Ordering};
use crate::table::{SlotState, TxnTable};

/// How often a wait for a safe snapshot looks at its cancel token when nobody wakes it.
const CANCEL_POLL: Duration = Duration::from_millis(100);

/// A serializable transaction, as its own thread sees it.
#[derive(Debug)]
pub(crate) struct Sxact {
    id: u64,
    slot: u32,
    /// 0 until it writes.
    xid: AtomicU64,
    /// It must roll back.
    doomed: AtomicBool,
    /// It was told that it cannot go on.
    failed: AtomicBool,
    /// A reader that nothing can disturb any more.
    safe: AtomicBool,
    /// `reads` has been made coarse.
    coarse: AtomicBool,
    reads: Mutex<ReadSet>,
}

impl Sxact {
    fn new(id: u64, slot: u32, xid: Option<Xid>, reads: ReadSet) -> Sxact {
        Sxact {
            id,
            slot,
            xid: AtomicU64::new(xid.map_or(0, |xid| xid.0)),
            doomed: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            safe: AtomicBool::new(false),
            coarse: AtomicBool::new(false),
            reads: Mutex::new(reads),
        }
    }

    fn fails(&self, reason: Reason) -> TxnError {
        self.failed.store(true, Ordering::Release);
        reason.error()
    }
}

/// All serializable transactions of a database.
#[derive(Default)]
pub(crate) struct Ssi {
    graph: Mutex<Graph>,
}

/// How a serializable transaction runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SerialMode {
    /// Declared READ ONLY.
    pub read_only: bool,
    /// Wait for a safe snapshot; counts only with `read_only`.
    pub deferrable: bool,
}

/// A SIREAD lock, for `pg_locks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SerialLock {
    /// The relation.
    pub relation: Oid,
    /// The row; None: the relation, or part of an index.
    pub row: Option<RowId>,
    /// The session, while its transaction runs.
    pub pid: Option<i32>,
    /// The slot's number.
    pub proc_number: u32,
}

impl Reason {
    fn error(self) -> TxnError {
        let text = match self {
            Reason::PivotOut => {
                "Canceled on identification as a pivot, during conflict out checking.".to_owned()
            }
            Reason::PivotIn => {
                "Canceled on identification as a pivot, during conflict in checking.".to_owned()
            }
            Reason::PivotWrite => "Canceled on identification as a pivot, during write.".to_owned(),
            Reason::PivotCommit => "Canceled on identification as a pivot, during commit attempt.".to_owned(),
            Reason::OutToPivot(xid) => format!("Canceled on conflict out to pivot {xid}, during read."),
            Reason::InFromPrepared => {
                "Canceled on commit attempt with conflict in from prepared pivot.".to_owned()
            }
        };
        TxnError::Dependencies(text)
    }
}

impl TxnTable {
    /// True while some transaction is serializable, or was and counts yet.
    pub(crate) fn watches_any(&self) -> bool {
        !self.ssi.graph.lock().nodes.is_empty()
    }

    fn sxact(&self, serial: u32) -> Option<Arc<Sxact>> {
        let slot = self.slot(serial.checked_sub(1)?)?;
        let sxact = slot.serial.lock().clone()?;
        (!sxact.safe.load(Ordering::Acquire)).then_some(sxact)
    }

    /// A reader under a snapshot with this number is about to look.
    #[cold]
    pub fn serial_read(&self, snapshot: &Snapshot, target: ReadTarget<'_>) -> TxnResult<()> {
        let Some(sxact) = self.sxact(snapshot.serial) else {
            return Ok(());
        };
        if sxact.doomed.load(Ordering::Acquire) {
            return Err(sxact.fails(Reason::PivotOut));
        }
        sxact.reads.lock().add(target);
        Ok(())
    }

    /// A reader passes over a version because it was begun, or ended, after its snapshot: by whom says the stamp.
    #[cold]
    pub fn serial_passes(&self, snapshot: &Snapshot, stamp: &AtomicStamp) -> TxnResult<()> {
        let stamp = stamp.load();
        if stamp == snapshot.own {
            return Ok(());
        }
        let Some(me) = self.sxact(snapshot.serial) else {
            return Ok(());
        };
        let mut graph = self.ssi.graph.lock();
        let writer = match (stamp.xid(), stamp.csn()) {
            (Some(xid), _) => graph
                .nodes
                .values()
                .find(|n| n.sxact.xid.load(Ordering::Acquire) == xid.0)
                .map(|n| n.sxact.id),
            (None, Some(csn)) => graph
                .nodes
                .values()
                .find(|n| n.csn.or_else(|| self.published(&n.sxact)) == Some(csn.0))
                .map(|n| n.sxact.id),
            (None, None) => None,
        };
        match writer {
            Some(writer) => graph
                .conflict_out(me.id, writer)
                .map_err(|reason| me.fails(reason)),
            None => Ok(()),
        }
    }

    /// The CSN of a transaction whose commit is visible and not yet noted in the graph.
    fn published(&self, sxact: &Sxact) -> Option<u64> {
        let xid = sxact.xid.load(Ordering::Acquire);
        match self.state(Xid(xid), sxact.slot) {
            Some(SlotState::Committed(csn)) if xid != 0 => Some(csn.0),
            _ => None,
        }
    }

    /// The sessions that keep `pid` waiting for a safe snapshot (`pg_safe_snapshot_blocking_pids`).
    pub fn safe_snapshot_blocking_pids(&self, pid: i32) -> Vec<i32> {
        let pid_of = |slot| {
            self.slot(slot)
                .map_or(0, |s| s.pid.load(Ordering::Acquire) as i32)
        };
        let graph = self.ssi.graph.lock();
        let waiting = graph
            .nodes
            .values()
            .find(|n| n.deferrable_waiting && pid_of(n.sxact.slot) == pid);
        let blockers = waiting.map(|n| n.possible_unsafe.as_slice()).unwrap_or_default();
        let nodes = blockers.iter().filter_map(|id| graph.nodes.get(id));
        nodes.map(|n| pid_of(n.sxact.slot)).collect()
    }

    /// What serializable transactions have read, those that have committed and still matter included.
    pub fn serial_locks(&self) -> Vec<SerialLock> {
        let graph = self.ssi.graph.lock();
        let mut all = Vec::new();
        for node in graph.nodes.values() {
            let slot = self.slot(node.sxact.slot);
            let pid = slot.filter(|_| node.is_running());
            for (relation, row) in node.sxact.reads.lock().locks() {
                all.push(SerialLock {
                    relation: Oid(relation),
                    row,
                    pid: pid.map(|s| s.pid.load(Ordering::Acquire) as i32),
                    proc_number: node.sxact.slot + 1,
                });
            }
        }
        all
    }

    fn wake(&self, slots: Vec<u32>) {
        for slot in slots.into_iter().filter_map(|n| self.slot(n)) {
            slot.notify.notify();
        }
    }
}

impl Txn {
    /// The snapshot of a serializable transaction, registered; may wait if a safe one is wanted.
    pub fn serializable_snapshot(
        &mut self,
        mode: SerialMode,
        wait: &WaitOptions,
    ) -> TxnResult<SnapshotGuard> {
        let table = Arc::clone(self.proc().table());
        loop {
            let guard = self.begin_serial(&table, mode, None)?;
            let waits = mode.read_only && mode.deferrable && self.serial() != 0;
            if !waits || self.wait_until_safe(&table, wait)? {
                return Ok(guard);
            }
        }
    }

    /// The snapshot of another serializable transaction that still runs.
    pub fn import_serializable(
        &mut self,
        mode: SerialMode,
        source: &SnapshotGuard,
    ) -> TxnResult<SnapshotGuard> {
        let table = Arc::clone(self.proc().table());
        self.begin_serial(&table, mode, Some(source))
    }

    fn begin_serial(
        &mut self,
        table: &TxnTable,
        mode: SerialMode,
        source: Option<&SnapshotGuard>,
    ) -> TxnResult<SnapshotGuard> {
        let slot_number = self.proc().number();
        let mut graph = table.ssi.graph.lock();
        let (guard, from) = match source {
            None => (self.take_snapshot()?, None),
            Some(source) => {
                let owner = source.proc().slot()?.serial.lock().clone();
                let Some(owner) = owner.filter(|o| !o.safe.load(Ordering::Acquire)) else {
                    // A reader that nothing can disturb, so are those who see the same.
                    return source.share_with(self.proc());
                };
                (source.share_with(self.proc())?, Some(owner.id))
            }
        };
        let sxact = Arc::new(Sxact::new(
            graph.next_id(),
            slot_number,
            self.xid(),
            ReadSet::default(),
        ));
        if graph.begin(Arc::clone(&sxact), mode.read_only, from) {
            if mode.deferrable
                && let Some(node) = graph.nodes.get_mut(&sxact.id)
            {
                node.deferrable_waiting = mode.read_only;
            }
            *self.proc().slot()?.serial.lock() = Some(sxact);
            self.set_serial(slot_number + 1);
        }
        Ok(guard)
    }

    /// True when the snapshot turned out safe; false when another one must be taken.
    fn wait_until_safe(&mut self, table: &TxnTable, wait: &WaitOptions) -> TxnResult<bool> {
        let Some(sxact) = self.proc().slot()?.serial.lock().clone() else {
            return Ok(true);
        };
        let (env, proc) = (Arc::clone(self.manager().env()), Arc::clone(self.proc()));
        let safe = loop {
            if let Err(cancelled) = wait.cancel.check() {
                self.end_serial(None);
                return Err(TxnError::Cancelled(cancelled));
            }
            if sxact.safe.load(Ordering::Acquire) {
                break true;
            }
            let spoilt = table
                .ssi
                .graph
                .lock()
                .nodes
                .get(&sxact.id)
                .map(|n| n.read_only_unsafe);
            if spoilt.unwrap_or(true) {
                break false;
            }
            env.wait(&proc.slot()?.notify, Some(CANCEL_POLL));
        };
        self.end_serial(None);
        Ok(safe)
    }

    /// Something was written: those who have read its place come before this transaction.
    #[cold]
    pub fn serial_write(&self, target: WriteTarget<'_>) -> TxnResult<()> {
        let table = self.proc().table();
        let Some(me) = table.sxact(self.serial()) else {
            return Ok(());
        };
        if me.doomed.load(Ordering::Acquire) {
            return Err(me.fails(Reason::PivotIn));
        }
        let mut graph = table.ssi.graph.lock();
        if let Some(node) = graph.nodes.get_mut(&me.id) {
            node.wrote = true;
        }
        let others = graph.nodes.values().filter(|n| n.sxact.id != me.id);
        let readers: Vec<u64> = others
            .filter(|n| n.sxact.reads.lock().meets(target))
            .map(|n| n.sxact.id)
            .collect();
        readers
            .into_iter()
            .try_for_each(|reader| graph.conflict_in(me.id, reader))
            .map_err(|reason| me.fails(reason))
    }

    /// Before a commit, or the first of its two phases: an error means that it cannot be.
    pub(crate) fn prepare_serial(&self, two_phase: bool) -> TxnResult<()> {
        let table = self.proc().table();
        let Some(me) = table.sxact(self.serial()) else {
            return Ok(());
        };
        let prepared = table.ssi.graph.lock().prepare(me.id, two_phase);
        prepared.map_err(|reason| me.fails(reason))
    }

    /// The end: committed at a CSN, or as if it had never been. After a serialization failure, those whose commits are under way: a new try whose
    /// snapshot does not have them yet would fail as this one did.
    pub(crate) fn end_serial(&mut self, committed: Option<Csn>) -> Vec<Xid> {
        if self.serial() == 0 {
            return Vec::new();
        }
        self.set_serial(0);
        let table = Arc::clone(self.proc().table());
        let Ok(slot) = self.proc().slot() else {
            return Vec::new();
        };
        let Some(sxact) = slot.serial.lock().take() else {
            return Vec::new();
        };
        let mut graph = table.ssi.graph.lock();
        let woken = match committed {
            Some(csn) if !sxact.safe.load(Ordering::Acquire) => graph.committed(sxact.id, csn.0),
            _ => graph.forget(sxact.id),
        };
        let awaited = match sxact.failed.load(Ordering::Acquire) {
            true => graph.committing(),
            false => Vec::new(),
        };
        drop(graph);
        table.wake(woken);
        awaited
    }

    /// What a later process must know of the transaction's reads, to watch it once it is prepared. Empty: it is not watched.
    pub fn serial_state(&self) -> Vec<u8> {
        let table = self.proc().table();
        let Some(me) = table.sxact(self.serial()) else {
            return Vec::new();
        };
        let read_only = table
            .ssi
            .graph
            .lock()
            .nodes
            .get(&me.id)
            .is_some_and(|n| n.read_only);
        let mut state = vec![u8::from(read_only)];
        me.reads.lock().encode(&mut state);
        state
    }

    /// Watches a prepared transaction of an earlier process again.
    pub fn resume_serial(&mut self, state: &[u8]) -> TxnResult<()> {
        let damaged = || TxnError::Internal("reads of a prepared transaction are damaged".to_owned());
        let (read_only, reads) = state.split_first().ok_or_else(damaged)?;
        let reads = ReadSet::decode(reads).ok_or_else(damaged)?;
        let table = Arc::clone(self.proc().table());
        let slot_number = self.proc().number();
        let mut graph = table.ssi.graph.lock();
        let sxact = Arc::new(Sxact::new(graph.next_id(), slot_number, self.xid(), reads));
        graph.recover(Arc::clone(&sxact), *read_only != 0);
        *self.proc().slot()?.serial.lock() = Some(sxact);
        self.set_serial(slot_number + 1);
        Ok(())
    }

    /// The transaction has got its xid.
    pub(crate) fn note_serial_xid(&self, xid: Xid) {
        if let Some(sxact) = self.proc().table().sxact(self.serial()) {
            sxact.xid.store(xid.0, Ordering::Release);
        }
    }
}
