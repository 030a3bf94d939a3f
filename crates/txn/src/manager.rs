//! Transactions: begin, xid, commit, abort.
//!
//! # How it works
//! [`TxnManager`] ties together the table of slots, the log and the locks of one database. A [`Txn`] belongs to one
//! session's [`Proc`]. Reading transactions touch only their own slot. Writing ones take an xid at the first write.
//!
//! # Invariants
//! - Commit is two steps: [`Txn::commit`] makes it true for everybody; [`Txn::finish`] comes after the owner has
//!   settled the stamps. Rollback is two steps the other way round: undo first, then [`Txn::abort`].
//! - A `Txn` dropped in between leaves its slot unusable, so that its stamps stay right.

use std::time::Duration;

use common::env::Env;
use common::{CommandId, Csn, Lsn, PgError, Xid};

use crate::error::{TxnError, TxnResult};
use crate::locks::{LockManager, LockMark, WaitOptions};
use crate::snapshot::{SnapshotGuard, oldest_snapshot};
use crate::stamp::{Stamp, XID_MAX};
use crate::sync::{Arc, AtomicU64, OnceLock, Ordering};
use crate::table::{NO_SNAPSHOT, Proc, TxnTable, VirtualXid};
use crate::wal::{RecordKind, SynchronousCommit, Wal};

/// How long the end of a transaction that failed to serialize waits for each commit that is under way.
const COMMITS_MAX: Duration = Duration::from_millis(100);

/// Where counters start, from recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxnStart {
    /// The first xid to hand out: above every xid in the log and in the checkpoint.
    pub next_xid: Xid,
    /// Everything up to this CSN is committed. Recovered versions may simply be [`Stamp::FROZEN`].
    pub csn: Csn,
}

impl Default for TxnStart {
    fn default() -> TxnStart {
        // PostgreSQL's FirstNormalTransactionId; CSN 1 so that "0" is before everything.
        TxnStart {
            next_xid: Xid(3),
            csn: Csn(1),
        }
    }
}

/// What a checkpoint may write, and where replay starts after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointPoint {
    /// Commits with a CSN up to this one are exactly the commit records below `lsn`.
    pub csn: Csn,
    /// All commit records below are published. Flush the log up to here before writing to the KV store.
    pub lsn: Lsn,
    /// Where recovery must start: `lsn`, or lower while a large transaction has chunks in the log and no commit.
    /// Commits between `redo` and `lsn` are replayed again, as are asynchronous ones that a flush had to log again after a failed
    /// write; replaying is idempotent.
    pub redo: Lsn,
}

/// A running transaction, for `pg_stat_activity` and `pg_locks`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxnInfo {
    /// The session.
    pub pid: i32,
    /// Its virtual transaction id.
    pub vxid: VirtualXid,
    /// Its xid, once it has written.
    pub xid: Option<Xid>,
    /// The oldest snapshot it holds.
    pub oldest_snapshot: Option<Csn>,
    /// When it began.
    pub started_unix_micros: i64,
}

/// The transactions of one database.
pub struct TxnManager {
    env: Arc<dyn Env>,
    table: Arc<TxnTable>,
    next_xid: AtomicU64,
    wal: Arc<Wal>,
    locks: Arc<LockManager>,
    /// Why no transaction may write any more.
    refused: OnceLock<Box<PgError>>,
}

impl TxnManager {
    /// Transactions over `wal`, which has been recovered already (or is [`Wal::none`]).
    pub fn new(env: Arc<dyn Env>, wal: Arc<Wal>, start: TxnStart) -> TxnResult<Arc<TxnManager>> {
        let table = Arc::new(TxnTable::new(start.csn));
        wal.attach(&table, start.csn)?;
        let locks = Arc::new(LockManager::new(Arc::clone(&env), Arc::clone(&table)));
        let next_xid = AtomicU64::new(start.next_xid.0.max(1));
        Ok(Arc::new(TxnManager {
            env,
            table,
            next_xid,
            wal,
            locks,
            refused: OnceLock::new(),
        }))
    }

    /// Gives a session its slot. `pid` is what errors and `pg_locks` call it.
    pub fn register(&self, pid: i32) -> TxnResult<Arc<Proc>> {
        Proc::register(&self.table, &self.locks, pid)
    }

    /// Begins a transaction; one at a time per `proc`.
    pub fn begin(self: &Arc<Self>, proc: &Arc<Proc>) -> TxnResult<Txn> {
        let vxid = proc.begin(self.env.now_unix_micros())?;
        Ok(Txn {
            manager: Arc::clone(self),
            proc: Arc::clone(proc),
            vxid,
            stamp: Stamp::NEVER,
            command: CommandId(0),
            state: TxnState::Running,
            serial: 0,
        })
    }

    /// Takes up a transaction that was prepared before the process began: `proc` is its own, `xid` is the one in the log.
    pub fn resume(self: &Arc<Self>, proc: &Arc<Proc>, xid: Xid) -> TxnResult<Txn> {
        let mut txn = self.begin(proc)?;
        proc.enter(xid)?;
        txn.stamp = Stamp::reference(xid, proc.number());
        txn.state = TxnState::Prepared;
        Ok(txn)
    }

    /// The table that stamps are resolved against.
    #[inline]
    pub fn table(&self) -> &Arc<TxnTable> {
        &self.table
    }

    /// The log.
    pub fn wal(&self) -> &Arc<Wal> {
        &self.wal
    }

    /// The locks.
    pub fn locks(&self) -> &Arc<LockManager> {
        &self.locks
    }

    /// The environment.
    pub fn env(&self) -> &Arc<dyn Env> {
        &self.env
    }

    /// What a snapshot taken now would see.
    #[inline]
    pub fn visible_csn(&self) -> Csn {
        self.table.visible_csn()
    }

    /// What ended at or before it, nobody can see.
    pub fn horizon(&self) -> Csn {
        self.table.horizon()
    }

    /// The xid that will be handed out next (`pg_current_snapshot`'s xmax).
    pub fn next_xid(&self) -> Xid {
        Xid(self.next_xid.load(Ordering::SeqCst))
    }

    /// A consistent pair of CSN and LSN for a checkpoint.
    pub fn checkpoint_point(&self) -> CheckpointPoint {
        self.wal.checkpoint_point()
    }

    /// The xids in progress, ascending.
    pub fn active_xids(&self) -> Vec<Xid> {
        let mut xids: Vec<Xid> = self.active().into_iter().filter_map(|t| t.xid).collect();
        xids.sort_unstable();
        xids
    }

    /// The running transactions.
    pub fn active(&self) -> Vec<TxnInfo> {
        let running = self.table.slots().filter_map(|(index, slot)| {
            let local = slot.vxid.load(Ordering::Acquire);
            let xid = slot.xid.load(Ordering::Acquire);
            let oldest = oldest_snapshot(slot);
            (local != 0).then(|| TxnInfo {
                pid: slot.pid.load(Ordering::Acquire) as i32,
                vxid: VirtualXid {
                    proc_number: index + 1,
                    local,
                },
                xid: (xid != 0).then_some(Xid(xid)),
                oldest_snapshot: (oldest != NO_SNAPSHOT).then_some(Csn(oldest)),
                started_unix_micros: slot.started_unix_micros.load(Ordering::Relaxed) as i64,
            })
        });
        running.collect()
    }

    /// From now on every transaction's first write fails with this. Those that have written already may commit.
    pub fn refuse_writes(&self, why: Box<PgError>) {
        let _first = self.refused.set(why);
    }

    fn assign_xid(&self) -> TxnResult<Xid> {
        if let Some(why) = self.refused.get() {
            return Err(TxnError::Refused(why.clone()));
        }
        let xid = self.next_xid.fetch_add(1, Ordering::SeqCst);
        if xid > XID_MAX {
            return Err(TxnError::Limit("transaction ids are used up".to_owned()));
        }
        Ok(Xid(xid))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TxnState {
    Running,
    /// Everything it did is in the log; it waits for the second phase, and cannot fail any more.
    Prepared,
    Committed,
    Finished,
}

/// One transaction of one session.
pub struct Txn {
    manager: Arc<TxnManager>,
    proc: Arc<Proc>,
    vxid: VirtualXid,
    stamp: Stamp,
    command: CommandId,
    state: TxnState,
    /// See [`crate::Snapshot::serial`].
    serial: u32,
}

impl Txn {
    /// Its manager.
    pub fn manager(&self) -> &Arc<TxnManager> {
        &self.manager
    }

    /// Its session.
    pub fn proc(&self) -> &Arc<Proc> {
        &self.proc
    }

    /// Its virtual transaction id.
    pub fn vxid(&self) -> VirtualXid {
        self.vxid
    }

    /// Its xid, once assigned.
    #[inline]
    pub fn xid(&self) -> Option<Xid> {
        self.stamp.xid()
    }

    /// The stamp for its versions; [`Stamp::NEVER`] until the xid is assigned.
    #[inline]
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// The stamp for its versions, assigning an xid at the first call.
    pub fn assign_xid(&mut self) -> TxnResult<Stamp> {
        if self.stamp.is_reference() {
            return Ok(self.stamp);
        }
        if self.state != TxnState::Running {
            return Err(TxnError::Internal(
                "write in a transaction that has ended".to_owned(),
            ));
        }
        let xid = self.manager.assign_xid()?;
        self.proc.enter(xid)?;
        self.stamp = Stamp::reference(xid, self.proc.number());
        if self.serial != 0 {
            self.note_serial_xid(xid);
        }
        Ok(self.stamp)
    }

    /// Nonzero while it is watched as a serializable transaction.
    #[inline]
    pub fn serial(&self) -> u32 {
        self.serial
    }

    pub(crate) fn set_serial(&mut self, serial: u32) {
        self.serial = serial;
    }

    /// The current command.
    #[inline]
    pub fn command(&self) -> CommandId {
        self.command
    }

    /// Goes to the next command, which sees the changes of this one.
    pub fn advance_command(&mut self) -> TxnResult<CommandId> {
        // The last two are kept free, as in PostgreSQL.
        if self.command.0 >= u32::MAX - 2 {
            return Err(TxnError::Limit(
                "cannot have more than 2^32-2 commands in a transaction".to_owned(),
            ));
        }
        self.command.0 += 1;
        Ok(self.command)
    }

    /// Registers a snapshot of what is committed now.
    pub fn take_snapshot(&self) -> TxnResult<SnapshotGuard> {
        SnapshotGuard::take(&self.proc)
    }

    /// Registers the snapshot of another transaction.
    pub fn import_snapshot(&self, source: &SnapshotGuard) -> TxnResult<SnapshotGuard> {
        source.share_with(&self.proc)
    }

    /// Where its locks stand, for a savepoint.
    pub fn lock_mark(&self) -> LockMark {
        self.manager.locks.mark(&self.proc)
    }

    /// Releases the locks taken since `mark`, after rolling back to that savepoint.
    pub fn release_locks_to(&self, mark: LockMark) {
        self.manager.locks.release_to(&self.proc, mark);
        if let Some(xid) = self.xid() {
            self.manager.locks.let_look_again(&self.proc, xid);
        }
    }

    /// Appends a part of a large transaction to the log, without waiting for the disk.
    pub fn log_chunk(&mut self, payload: &[u8]) -> TxnResult<Lsn> {
        let xid = self.assign_xid()?.xid().unwrap_or_default();
        self.manager.wal.append(RecordKind::CHUNK, xid, payload)
    }

    /// First phase of two-phase commit: everything that replay needs is on disk when this returns, and the transaction goes on holding
    /// its locks, whatever becomes of its session. After `Err`: undo, then [`Txn::abort`].
    pub fn prepare(&mut self, payload: &[u8]) -> TxnResult<Xid> {
        let xid = self.assign_xid()?.xid().unwrap_or_default();
        if self.serial != 0 {
            self.prepare_serial(true)?;
        }
        let wal = &self.manager.wal;
        wal.append(RecordKind::PREPARE, xid, payload)?;
        wal.flush(wal.insert_lsn())?;
        self.state = TxnState::Prepared;
        self.proc.leave_session();
        Ok(xid)
    }

    /// Forgets a prepared transaction without ending it: the process ends, the next one takes it up from the log.
    pub fn abandon(mut self) {
        debug_assert!(self.state == TxnState::Prepared);
        self.state = TxnState::Finished;
    }

    /// Commits a transaction that wrote nothing, though it may have an xid (from row locks, or because somebody asked for it): no
    /// version names it, so there is nothing to publish.
    pub fn commit_unwritten(&mut self) -> TxnResult<Csn> {
        if self.serial != 0 && self.state == TxnState::Running {
            self.prepare_serial(false)?;
        }
        let csn = self.manager.visible_csn();
        self.end_serial(Some(csn));
        self.state = TxnState::Committed;
        Ok(csn)
    }

    /// Commits: appends one record, waits as `level` says, and is then visible to every new snapshot. `None` publishes
    /// without a record (only unlogged changes). After `Ok`: settle the stamps to the CSN, then [`Txn::finish`].
    /// After `Err`: nothing happened; undo, then [`Txn::abort`]. Without an xid it is a no-op.
    pub fn commit(&mut self, payload: Option<&[u8]>, level: SynchronousCommit) -> TxnResult<Csn> {
        if !matches!(self.state, TxnState::Running | TxnState::Prepared) {
            return Err(TxnError::Internal(
                "commit of a transaction that has ended".to_owned(),
            ));
        }
        if self.serial != 0 && self.state == TxnState::Running {
            self.prepare_serial(false)?;
        }
        let csn = if self.stamp.is_reference() {
            self.manager.wal.commit(&self.proc, self.stamp, payload, level)?
        } else {
            self.manager.visible_csn()
        };
        self.end_serial(Some(csn));
        self.state = TxnState::Committed;
        Ok(csn)
    }

    /// Ends a committed (or read-only) transaction whose stamps are settled: frees its xid, releases its locks, wakes
    /// those who wait.
    pub fn finish(mut self) {
        debug_assert!(self.state == TxnState::Committed || !self.stamp.is_reference());
        self.end();
    }

    /// Ends a transaction whose changes have been undone.
    pub fn abort(mut self) {
        debug_assert!(self.state != TxnState::Committed, "abort after commit");
        if let Some(xid) = self.xid() {
            self.proc.mark_aborted();
            self.manager.wal.forget_chunks(xid);
        }
        self.end();
    }

    fn end(&mut self) {
        let awaited = self.end_serial(None);
        self.state = TxnState::Finished;
        // A row lock counts as its holder's xid, so that goes after it.
        let locks = &self.manager.locks;
        locks.release_to(&self.proc, LockMark(0));
        if self.proc.leave(self.xid()) {
            locks.transaction_ended(&self.proc, self.vxid, self.xid());
        }
        for xid in awaited {
            let wait = WaitOptions {
                lock_timeout: Some(COMMITS_MAX),
                ..WaitOptions::default()
            };
            // Nothing depends on it but the next try, which may as well fail.
            let _ = locks.wait_for_txn(&self.proc, xid, &wait);
        }
    }
}

impl Drop for Txn {
    fn drop(&mut self) {
        match self.state {
            TxnState::Finished => {}
            // Nothing names it: nothing to settle.
            _ if !self.stamp.is_reference() => self.end(),
            // Its stamps stay, so its slot must go on answering for them; `Proc` sees the xid there and keeps it.
            state => {
                self.end_serial(None);
                if matches!(state, TxnState::Running | TxnState::Prepared) {
                    self.proc.mark_aborted();
                }
                let locks = &self.manager.locks;
                locks.release_to(&self.proc, LockMark(0));
                locks.transaction_ended(&self.proc, self.vxid, self.xid());
            }
        }
    }
}
