//! Transactions as the layers above see them: snapshots, commands, savepoints, commit and rollback.
//!
//! # How it works
//! A change goes into delta at once, under the stamp of the transaction, and as an operation into the redo buffer. Commit
//! hands the buffer to the log, then settles the stamps. Rollback (whole or to a savepoint) walks the write set backwards.
//! A buffer that outgrows `StorageOptions::spill_bytes` goes to the log early, as a chunk that counts only with its commit record; a rollback to
//! a savepoint then appends inverse operations.

pub(crate) mod export;
mod marks;
pub(crate) mod obstacle;
pub(crate) mod prepared;
pub(crate) mod redo;
mod settle;
pub(crate) mod snapshots;
pub(crate) mod views;
pub(crate) mod writes;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{CommandId, Csn, Oid, PgResult, RelationId, RowId, Xid, internal, pg_err};
use txn::{
    LockMark, LockMode, LockTag, SerialMode, SnapshotGuard, Stamp, SynchronousCommit, Txn, WaitOptions,
};

use crate::ahead::{Ahead, Load as AheadLoad};
use crate::direct::Load;
use crate::storage::Storage;
use crate::toast::Name;
use crate::transaction::marks::Marks;
use crate::transaction::redo::{RedoOp, put_op};
use crate::transaction::views::Views;
use crate::transaction::writes::Write;

/// PostgreSQL's isolation levels; read uncommitted is read committed there too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Isolation {
    #[default]
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

/// How a transaction shall run.
#[derive(Clone, Debug, Default)]
pub struct TransactionOptions {
    /// What it sees.
    pub isolation: Isolation,
    /// What commit waits for.
    pub synchronous_commit: SynchronousCommit,
    /// How long it waits for locks and rows of others.
    pub wait: WaitOptions,
    /// The database, for lock tags.
    pub database: Oid,
    /// Declared READ ONLY, and DEFERRABLE: what serializable transactions make of it counts at their first snapshot.
    pub serial: SerialMode,
}

/// A position to roll back to.
#[derive(Clone, Debug)]
pub struct Savepoint {
    writes: usize,
    redo: usize,
    spills: u32,
    hooks: usize,
    locks: LockMark,
    /// It may be rolled back to.
    _held: Arc<()>,
}

/// What a transaction has handed to the log so far, operations undone since included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WalUsage {
    /// Operations.
    pub records: u64,
    /// Their size.
    pub bytes: u64,
}

impl WalUsage {
    /// What came after `earlier`.
    pub fn since(self, earlier: WalUsage) -> WalUsage {
        WalUsage {
            records: self.records.saturating_sub(earlier.records),
            bytes: self.bytes.saturating_sub(earlier.bytes),
        }
    }
}

type Hook = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Hooks {
    commit: Vec<Hook>,
    /// With the number of commit hooks registered before, which dates them for savepoints.
    abort: Vec<Hook>,
}

/// Values in memory, as many times [`crate::StorageOptions::toast_ahead_bytes`], after which further ones go into the store.
const TOASTS_FACTOR: usize = 8;

/// Rows, entries and locks of a transaction, at which undoing it takes tens of milliseconds.
const LONG_UNDO: usize = 1 << 13;

/// A transaction's long values.
#[derive(Default)]
struct Toasts {
    /// The next one's number.
    number: u32,
    bytes: usize,
    /// The log has something to say about some of them with the commit.
    at_commit: bool,
}

/// One transaction of one session. Dropping it rolls back.
pub struct Transaction {
    storage: Arc<Storage>,
    txn: Option<Txn>,
    options: TransactionOptions,
    snapshot: Option<Arc<SnapshotGuard>>,
    writes: Vec<Write>,
    redo: Vec<u8>,
    logged: WalUsage,
    spills: u32,
    /// False in memory, where there is no log.
    logs: bool,
    /// Something outside the write set must be on disk with the commit (a sequence).
    needs_record: bool,
    /// It has built an index, which its own snapshot may be too old for.
    built_index: bool,
    /// Two-phase commit: only the second phase ends it.
    prepared: bool,
    hooks: Hooks,
    /// A table of its own that it fills past memory and log.
    pub(crate) load: Option<Load>,
    /// What it has put into the store ahead of its commit.
    pub(crate) ahead: Ahead,
    /// Its long values.
    toasts: Toasts,
    /// Where its savepoints are.
    marks: Marks,
    /// Which snapshots are in use, once that matters.
    views: Option<Arc<Views>>,
    /// The number of the statement whose relations it has locked last; 0 once it may have let some go.
    locked_for: u64,
    /// Its turn at a row that others are in the way of.
    pub(crate) turn: Option<(LockTag, LockMode)>,
    /// Scratch space for encoded rows and keys.
    pub(crate) buffer: Vec<u8>,
}

impl Transaction {
    pub(crate) fn new(storage: Arc<Storage>, txn: Txn, options: TransactionOptions) -> Transaction {
        Transaction {
            logs: !storage.manager().wal().is_none(),
            storage,
            txn: Some(txn),
            options,
            snapshot: None,
            writes: Vec::new(),
            redo: Vec::new(),
            logged: WalUsage::default(),
            spills: 0,
            needs_record: false,
            built_index: false,
            prepared: false,
            hooks: Hooks::default(),
            load: None,
            ahead: Ahead::default(),
            toasts: Toasts::default(),
            marks: Marks::default(),
            views: None,
            locked_for: 0,
            turn: None,
            buffer: Vec::new(),
        }
    }

    /// What it has handed to the log so far; what only commit can tell is not among it.
    pub fn wal_usage(&self) -> WalUsage {
        self.logged
    }

    /// The database it runs in.
    pub fn storage(&self) -> &Arc<Storage> {
        &self.storage
    }

    /// The transaction below: its lock owner, virtual xid and so on.
    pub fn txn(&self) -> PgResult<&Txn> {
        self.txn.as_ref().ok_or_else(ended)
    }

    fn txn_mut(&mut self) -> PgResult<&mut Txn> {
        self.txn.as_mut().ok_or_else(ended)
    }

    /// How it runs.
    pub fn options(&self) -> &TransactionOptions {
        &self.options
    }

    /// Changes timeouts, synchronous commit and, before the first snapshot, the isolation level.
    pub fn options_mut(&mut self) -> &mut TransactionOptions {
        &mut self.options
    }

    /// The isolation level.
    pub fn isolation(&self) -> Isolation {
        self.options.isolation
    }

    /// True when the snapshot stays the same for the whole transaction.
    pub fn uses_one_snapshot(&self) -> bool {
        self.options.isolation >= Isolation::RepeatableRead
    }

    /// True when the relations of the statement with this number are locked: it is the one that ran last, and no locks have gone since.
    pub fn has_locked_for(&self, statement: u64) -> bool {
        self.locked_for == statement
    }

    /// The relations of the statement with this number (never 0) are locked.
    pub fn note_locked_for(&mut self, statement: u64) {
        self.locked_for = statement;
    }

    pub(crate) fn note_built_index(&mut self) {
        self.built_index = true;
    }

    /// The command that writes now.
    pub fn command(&self) -> CommandId {
        self.txn.as_ref().map_or(CommandId(0), Txn::command)
    }

    /// Makes the changes so far visible to later commands (PostgreSQL's `CommandCounterIncrement`).
    pub fn next_command(&mut self) -> PgResult<()> {
        self.store_moved()?;
        self.await_rows()?;
        self.store_collected()?;
        Ok(self.txn_mut()?.advance_command().map(drop)?)
    }

    /// The xid, once it has written.
    pub fn xid(&self) -> Option<Xid> {
        self.txn.as_ref().and_then(Txn::xid)
    }

    /// The xid, assigned if need be (`pg_current_xact_id`).
    pub fn assign_xid(&mut self) -> PgResult<Xid> {
        let stamp = self.stamp()?;
        stamp
            .xid()
            .ok_or_else(|| internal!("stamp of a writing transaction has no xid"))
    }

    /// True when nothing has been written.
    pub fn is_read_only(&self) -> bool {
        self.writes.is_empty() && !self.needs_record
    }

    /// The stamp for versions.
    #[inline]
    pub(crate) fn stamp(&mut self) -> PgResult<Stamp> {
        let txn = self.txn_mut()?;
        if txn.stamp().is_reference() {
            return Ok(txn.stamp());
        }
        Ok(txn.assign_xid()?)
    }

    /// Takes note of a change; `op` is what replay needs (None for unlogged relations).
    pub(crate) fn record(&mut self, write: Write, op: Option<RedoOp<'_>>) -> PgResult<()> {
        if let Some((table, rows)) = write.rows_in_flight() {
            table.rows_in_flight.fetch_add(rows, Ordering::Relaxed);
        }
        self.writes.push(write);
        op.map_or(Ok(()), |op| self.log(op))
    }

    /// What replay needs of a change that is in the write set already.
    pub(crate) fn log(&mut self, op: RedoOp<'_>) -> PgResult<()> {
        if self.logs {
            let before = self.redo.len();
            put_op(op, &mut self.redo);
            self.logged.records += 1;
            self.logged.bytes += (self.redo.len() - before) as u64;
            if self.redo.len() > self.storage.options().spill_bytes {
                return self.spill();
            }
        }
        Ok(())
    }

    /// Adds operations that are encoded already.
    pub(crate) fn log_encoded(&mut self, ops: &[u8]) {
        if self.logs {
            self.redo.extend_from_slice(ops);
        }
    }

    pub(crate) fn write_count(&self) -> usize {
        self.writes.len()
    }

    /// The write set from a place on.
    pub(crate) fn writes_from(&self, at: usize) -> &[Write] {
        self.writes.get(at..).unwrap_or_default()
    }

    /// Takes writes from a place on out of the write set, which does not undo them.
    pub(crate) fn take_writes(&mut self, at: usize, taken: impl FnMut(&mut Write) -> bool) -> Vec<Write> {
        self.writes
            .extract_if(at.min(self.writes.len()).., taken)
            .collect()
    }

    /// How many writes there were at the last savepoint that may be rolled back to: what came later is undone as a whole.
    pub(crate) fn last_savepoint(&self) -> usize {
        self.marks.last()
    }

    /// What the log lacks of rows inserted one by one.
    fn log_singles(&mut self) -> PgResult<()> {
        if !self.ahead.singles.take_unlogged() || !self.logs {
            return Ok(());
        }
        for k in 0..self.writes.len() {
            self.writes[k].redo_late(&mut self.redo);
            if self.redo.len() > self.storage.options().spill_bytes {
                self.spill()?;
            }
        }
        Ok(())
    }

    /// What it has in the store ahead of its commit.
    pub(crate) fn loads(&self) -> impl Iterator<Item = &Arc<AheadLoad>> {
        self.writes.iter().filter_map(|write| match write {
            Write::Load(load) => Some(load),
            _ => None,
        })
    }

    /// A name for a value of a row.
    pub(crate) fn toast_name(&mut self, row: RowId) -> PgResult<Name> {
        let xid = self.stamp()?.xid().unwrap_or_default().0;
        let number = self.toasts.number;
        self.toasts.number += 1;
        Ok(Name {
            row: row.0,
            xid,
            number,
        })
    }

    /// True when a value of this length goes into the store ahead of the commit.
    pub(crate) fn toasts_ahead(&mut self, len: usize) -> bool {
        let limit = self.storage.options().toast_ahead_bytes;
        self.toasts.bytes += len;
        len >= limit || self.toasts.bytes >= limit.saturating_mul(TOASTS_FACTOR)
    }

    /// The log has something to say about values with the commit.
    pub(crate) fn note_toast(&mut self) {
        self.toasts.at_commit = true;
    }

    fn seal_marks(&mut self) -> PgResult<()> {
        if !self.ahead.end_marks() || !self.logs {
            return Ok(());
        }
        let deletion = |write: &Write| match write {
            Write::Deletion(deletion) => Some(Arc::clone(deletion)),
            _ => None,
        };
        let deletions: Vec<_> = self.writes.iter().filter_map(deletion).collect();
        for deletion in deletions {
            let (parts, changed) = match deletion.reason.in_place() {
                true => deletion.encode_update(),
                false => (deletion.encode(), Vec::new()),
            };
            for part in parts {
                self.log(deletion.op(&part))?;
            }
            for (row, version) in changed {
                self.log(RedoOp::RowPut(deletion.table.id, row, &version.encoded()))?;
            }
        }
        Ok(())
    }

    fn seal_toasts(&mut self) {
        if std::mem::take(&mut self.toasts.at_commit) && self.logs {
            let writes = self
                .writes
                .iter()
                .filter(|write| !matches!(write, Write::Deletion(_)));
            writes.for_each(|write| write.put_at_commit(true, &mut self.redo));
        }
    }

    /// What it has written outside of memory and log must be durable before the log says so.
    fn seal(&mut self) -> PgResult<()> {
        self.store_moved()?;
        self.store_collected()?;
        self.seal_loads()?;
        self.log_singles()?;
        self.seal_toasts();
        self.seal_marks()
    }

    fn spill(&mut self) -> PgResult<()> {
        let mut redo = std::mem::take(&mut self.redo);
        self.spills += 1;
        self.txn_mut()?.log_chunk(&redo)?;
        // The next part is as long: its memory is there already.
        redo.clear();
        self.redo = redo;
        Ok(())
    }

    /// Something written outside the write set must be durable when the commit returns.
    pub fn require_record(&mut self) -> PgResult<()> {
        self.stamp()?;
        self.needs_record = true;
        Ok(())
    }

    /// A new relation: it is forgotten if this transaction rolls back.
    pub fn create_relation(&mut self) -> PgResult<RelationId> {
        let id = self.storage.allocate_relation()?;
        self.adopt_relation(id)?;
        Ok(id)
    }

    /// As [`Transaction::create_relation`] with a given id that was never used (bootstrapped catalogs).
    pub fn adopt_relation(&mut self, id: RelationId) -> PgResult<()> {
        self.stamp()?;
        self.record(Write::RelationCreated(id), Some(RedoOp::Created(id)))
    }

    /// True for storage that this transaction made (and did not undo): nobody else can see anything in it.
    pub fn has_created(&self, id: RelationId) -> bool {
        makes(&self.writes, id)
    }

    /// The same for storage made since the last savepoint: a rollback that undoes less than the whole transaction and not the making
    /// undoes nothing that was put into it.
    pub(crate) fn has_created_last(&self, id: RelationId) -> bool {
        makes(self.writes_from(self.marks.last()), id)
    }

    /// Gives a relation's storage up, once this transaction has committed and nobody can see it any more.
    pub fn drop_relation(&mut self, id: RelationId) -> PgResult<()> {
        self.stamp()?;
        self.record(Write::RelationDropped(id), Some(RedoOp::Dropped(id)))
    }

    /// Runs `hook` after the commit is visible and before its locks go.
    pub fn on_commit(&mut self, hook: impl FnOnce() + Send + 'static) {
        self.hooks.commit.push(Box::new(hook));
    }

    /// Runs `hook` after the rollback of the transaction.
    pub fn on_abort(&mut self, hook: impl FnOnce() + Send + 'static) {
        self.hooks.abort.push(Box::new(hook));
    }

    /// Marks a position to roll back to. Savepoints nest by being used in stack order; releasing one is dropping it.
    pub fn savepoint(&mut self) -> PgResult<Savepoint> {
        self.await_rows()?;
        // What comes before one can only go into the store before it.
        self.store_many_singles()?;
        Ok(Savepoint {
            _held: self.marks.set(self.writes.len()),
            writes: self.writes.len(),
            redo: self.redo.len(),
            spills: self.spills,
            hooks: self.hooks.commit.len(),
            locks: self.txn()?.lock_mark(),
        })
    }

    /// Undoes everything since the savepoint, which stays valid. Commit hooks registered since are dropped.
    pub fn rollback_to(&mut self, savepoint: &Savepoint) -> PgResult<()> {
        self.load = None;
        // What is on its way is later than the savepoint: it is undone, also if it cannot be written.
        let _ = self.await_rows();
        self.ahead.cut();
        let in_log = self.spills != savepoint.spills;
        if !in_log {
            self.redo.truncate(savepoint.redo);
        }
        while self.writes.len() > savepoint.writes {
            let Some(write) = self.writes.pop() else { break };
            if in_log {
                write.put_inverse(&mut self.redo);
            }
            self.undo_one(&write);
        }
        self.ahead.waits.recount();
        self.marks.cut(self.writes.len());
        self.ahead.singles.cut(self.writes.len());
        self.hooks.commit.truncate(savepoint.hooks);
        self.locked_for = 0;
        self.txn()?.release_locks_to(savepoint.locks);
        Ok(())
    }

    fn undo_one(&self, write: &Write) {
        write.undo();
        if let Some((table, rows)) = write.rows_in_flight() {
            table.rows_in_flight.fetch_sub(rows, Ordering::Relaxed);
        }
        match write {
            Write::RelationCreated(id) => self.storage.forget_relation(*id),
            Write::Load(_) => self.storage.shared.loads.note_end(),
            _ => {}
        }
    }

    /// Commits. On error nothing has happened: the changes are undone.
    pub fn commit(mut self) -> PgResult<Csn> {
        self.commit_in_place()
    }

    /// Commits and begins anew in the same session, with the same options. On error it has ended.
    pub fn restart(&mut self) -> PgResult<Csn> {
        let proc = Arc::clone(self.txn()?.proc());
        let csn = self.commit_in_place()?;
        self.hooks = Hooks::default();
        (self.spills, self.needs_record, self.built_index) = (0, false, false);
        self.ahead = Ahead::default();
        self.toasts = Toasts::default();
        self.marks = Marks::default();
        self.views = None;
        self.locked_for = 0;
        self.txn = Some(self.storage.manager().begin(&proc)?);
        Ok(csn)
    }

    /// Rolls back and begins anew in the same session, with the same options.
    pub fn restart_undone(&mut self) -> PgResult<()> {
        let proc = Arc::clone(self.txn()?.proc());
        self.undo_all();
        self.redo.clear();
        self.toasts = Toasts::default();
        self.hooks = Hooks::default();
        (self.spills, self.needs_record, self.built_index) = (0, false, false);
        self.locked_for = 0;
        self.txn = Some(self.storage.manager().begin(&proc)?);
        Ok(())
    }

    /// As [`Transaction::commit`] where it stands: what is left is good for dropping only.
    pub fn commit_in_place(&mut self) -> PgResult<Csn> {
        if let Err(error) = self.seal() {
            self.undo_all();
            return Err(error);
        }
        let payload = std::mem::take(&mut self.redo);
        let logged = !payload.is_empty() || self.spills > 0 || self.needs_record;
        let wrote = logged || !self.writes.is_empty();
        let level = self.options.synchronous_commit;
        self.snapshot = None;
        let txn = self.txn_mut()?;
        let committed = match wrote {
            true => txn.commit(logged.then_some(payload.as_slice()), level),
            false => txn.commit_unwritten(),
        };
        let csn = match committed {
            Ok(csn) => csn,
            Err(error) => {
                if !self.prepared {
                    self.undo_all();
                }
                return Err(error.into());
            }
        };
        self.settle(csn);
        // Before the locks go: who waits for them must find what the hooks tell (a new version of the catalog).
        for hook in std::mem::take(&mut self.hooks.commit) {
            hook();
        }
        if let Some(txn) = self.txn.take() {
            txn.finish();
        }
        self.storage.after_commit(wrote.then_some(payload.len()));
        Ok(csn)
    }

    /// True when undoing it takes so many steps that whoever waits for it feels that.
    pub fn is_long_to_undo(&self) -> bool {
        let mut steps = self.txn.as_ref().map_or(0, |txn| txn.lock_mark().count());
        for write in &self.writes {
            if steps >= LONG_UNDO {
                return true;
            }
            steps += write.undo_steps();
        }
        steps >= LONG_UNDO
    }

    /// Rolls back.
    pub fn abort(mut self) {
        self.undo_all();
    }

    fn undo_all(&mut self) {
        self.snapshot = None;
        self.load = None;
        self.ahead = Ahead::default();
        self.marks = Marks::default();
        self.views = None;
        while let Some(write) = self.writes.pop() {
            self.undo_one(&write);
        }
        if let Some(txn) = self.txn.take() {
            txn.abort();
        }
        for hook in std::mem::take(&mut self.hooks.abort) {
            hook();
        }
    }

    /// Waits for the end of another transaction, while this one has nothing that the other may wait for.
    pub fn wait_for_end(&self, xid: Xid) -> PgResult<()> {
        self.wait_for(xid)
    }

    /// Waits for the end of another transaction: deadlock detection, timeouts and cancelling included.
    pub(crate) fn wait_for(&self, xid: Xid) -> PgResult<()> {
        let txn = self.txn()?;
        let locks = txn.manager().locks();
        Ok(locks.wait_for_txn(txn.proc(), xid, &self.options.wait)?)
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        match self.txn.take() {
            // The process ends before the second phase.
            Some(txn) if self.prepared => txn.abandon(),
            Some(txn) => {
                self.txn = Some(txn);
                self.undo_all();
            }
            None => {}
        }
    }
}

/// True when the storage was made by one of these.
fn makes(writes: &[Write], id: RelationId) -> bool {
    writes
        .iter()
        .any(|write| matches!(write, Write::RelationCreated(own) if *own == id))
}

fn ended() -> Box<common::PgError> {
    pg_err!(INTERNAL_ERROR, "transaction has ended")
}
