//! Inserting, updating and deleting rows.
//!
//! # How it works
//! A writer claims `end` of the newest version, unless the row is locked (see `lock.rs`). What it finds there decides: nothing, then it is ours; a running transaction,
//! then wait for it and look again; a committed one, then the row is not what our snapshot saw, and the caller decides
//! (EvalPlanQual) or the transaction must be repeated (40001).

use std::sync::Arc;

use common::{CommandId, PgResult, RowId, invariant, pg_err};
use txn::{LockTag, RowLockMode, Snapshot, Stamp, StampState, WriteTarget};
use types::{Datum, tuple};

use crate::ahead::ends::Reason;
use crate::block::CHUNK_ROWS;
use crate::chunk::{Chunk, ChunkState};
use crate::serial;
use crate::table::Table;
use crate::transaction::Transaction;
use crate::transaction::redo::RedoOp;
use crate::transaction::writes::Write;
use crate::version::{EndKind, RowData, Version};
use txn::versions::Lifetime;

/// What became of an update or a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// Done; the row is now here. A different row id needs new index entries, the same only for changed keys.
    Done(RowId),
    /// This transaction changed the row after the snapshot (PostgreSQL's `TM_SelfModified`): same command, or a later one.
    SelfModified {
        /// The command that did it.
        command: CommandId,
    },
    /// Another transaction changed it and has committed.
    Conflict(Conflict),
}

/// How another transaction changed a row since our snapshot. Only under read committed: else it is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// Updated; a newer version is under this row id. [`Table::lock_latest`] finds and locks the newest.
    Updated(RowId),
    /// Deleted.
    Deleted,
}

/// What stands in the way of a claim.
pub(crate) enum Obstacle {
    WaitFor(Stamp),
    SelfModified(CommandId),
    Conflict(Conflict),
    /// Into another partition.
    Moved,
}

/// How an attempt at a claim ended.
enum Claim {
    Done,
    /// The version is not the newest any more.
    LookAgain,
    Obstacle(Obstacle),
}

impl Table {
    /// Inserts a row (one datum per column of the definition).
    pub fn insert(&self, txn: &mut Transaction, values: &[Datum]) -> PgResult<RowId> {
        self.store.grow(self.heap_width(values));
        self.insert_row(txn, values)
    }

    fn insert_row(&self, txn: &mut Transaction, values: &[Datum]) -> PgResult<RowId> {
        let row = txn.single_row(self)?;
        self.insert_at(txn, row, values, None)?;
        Ok(row)
    }

    /// `older`: what it replaces, where that has moved.
    fn insert_at(
        &self,
        txn: &mut Transaction,
        row: RowId,
        values: &[Datum],
        older: Option<&Version>,
    ) -> PgResult<()> {
        invariant!(
            values.len() == self.def.columns.len(),
            "row has another number of columns than its table"
        );
        let stamp = txn.stamp()?;
        let bytes = self.encode(txn, row, values, older)?;
        let version = Arc::new(Version::new(stamp, txn.command(), RowData::Bytes(bytes)));
        let chunk = self.store.chunk(row.0 / CHUNK_ROWS)?;
        {
            let _guard = chunk.lock.lock();
            self.store.push_version(chunk, row, &version);
        }
        let waits = txn.is_latest_single(self.store.id, row);
        let write = Write::RowInsert {
            table: Arc::clone(&self.store),
            row,
            version: Arc::clone(&version),
            waits,
        };
        match waits {
            true => txn.record(write, None)?,
            false => self.record_put(txn, row, &version, write)?,
        }
        serial::wrote(txn, WriteTarget::Insert(self.def.oid.0))
    }

    /// Through the transaction's scratch buffer: one allocation of exactly the right size.
    pub(crate) fn encode(
        &self,
        txn: &mut Transaction,
        row: RowId,
        values: &[Datum],
        older: Option<&Version>,
    ) -> PgResult<Box<[u8]>> {
        let places = self.toast_row(txn, row, values, older)?;
        let writer = txn.stamp()?.xid().unwrap_or_default().0;
        txn.buffer.clear();
        txn.buffer.reserve(128);
        match places.is_empty() {
            true => tuple::encode(values, &mut txn.buffer),
            false => tuple::toasted::encode(values, &places, &mut txn.buffer),
        }
        tuple::put_xid(0, writer, &mut txn.buffer);
        Ok(txn.buffer.as_slice().into())
    }

    fn record_put(
        &self,
        txn: &mut Transaction,
        row: RowId,
        version: &Arc<Version>,
        write: Write,
    ) -> PgResult<()> {
        let bytes = match &version.data {
            RowData::Bytes(bytes) => bytes,
            RowData::Block(..) => &Box::default(),
        };
        let op = self
            .is_logged()
            .then_some(RedoOp::RowPut(self.store.id, row, bytes));
        txn.record(write, op)
    }

    pub(crate) fn is_logged(&self) -> bool {
        self.def.persistence == crate::defs::Persistence::Permanent
    }

    fn record_delete(&self, txn: &mut Transaction, row: RowId, version: Arc<Version>) -> PgResult<()> {
        let op = self.is_logged().then(|| match self.store.is_builtin_row(row) {
            true => RedoOp::RowTombstone(self.store.id, row),
            false => RedoOp::RowDelete(self.store.id, row),
        });
        let table = Arc::clone(&self.store);
        txn.record(Write::RowDelete { table, row, version }, op)?;
        serial::wrote(txn, WriteTarget::Row(self.def.oid.0, row))
    }

    /// Replaces the row that `snapshot` sees. `mode` is [`RowLockMode::NoKeyUpdate`] when no column of a unique index
    /// changes, else [`RowLockMode::Update`]. Waits for others who are changing or locking the row.
    pub fn update(
        &self,
        txn: &mut Transaction,
        snapshot: &Snapshot,
        row: RowId,
        values: &[Datum],
        mode: RowLockMode,
    ) -> PgResult<WriteOutcome> {
        self.update_one(txn, snapshot, row, values, (mode, false))
    }

    /// The same where some index gets another entry: one of many such rows moves.
    pub fn update_keys(
        &self,
        txn: &mut Transaction,
        snapshot: &Snapshot,
        row: RowId,
        values: &[Datum],
        mode: RowLockMode,
    ) -> PgResult<WriteOutcome> {
        self.update_one(txn, snapshot, row, values, (mode, true))
    }

    fn update_one(
        &self,
        txn: &mut Transaction,
        snapshot: &Snapshot,
        row: RowId,
        values: &[Datum],
        (mode, changes_keys): (RowLockMode, bool),
    ) -> PgResult<WriteOutcome> {
        invariant!(
            values.len() == self.def.columns.len(),
            "row has another number of columns than its table"
        );
        let width = self.heap_width(values);
        let kind = match mode {
            RowLockMode::NoKeyUpdate => EndKind::NoKeyUpdate,
            _ => EndKind::KeyUpdate,
        };
        let moves = self.store.fits_one_page(width);
        if !moves && changes_keys {
            if let Some(to) = self.move_ahead(txn, snapshot, row, values, (kind, mode))? {
                return Ok(WriteOutcome::Done(to));
            }
        } else if !moves && self.update_ahead(txn, snapshot, row, values, (kind, mode))? {
            return Ok(WriteOutcome::Done(row));
        }
        let older = match self.claim(txn, snapshot, row, kind, mode)? {
            Ok(claimed) => claimed,
            Err(obstacle) => return Ok(obstacle),
        };
        if moves {
            self.store.grow(width);
            let to = self.store.allocate(1);
            // First the way to the new place, then a look at who has locked the old one: who locks it now looks the other way round.
            older.set_forward(Some(to));
            self.carry_lock(txn, row, to)?;
            self.record_delete(txn, row, Arc::clone(&older))?;
            self.insert_at(txn, to, values, Some(&older))?;
            return Ok(WriteOutcome::Done(to));
        }
        self.replace(txn, row, older, values)?;
        txn.count_ended(self.store.id, Reason::Updated(kind));
        Ok(WriteOutcome::Done(row))
    }

    /// A row that this transaction has locked is locked where it moves to: it shows in `xmax`, as where rows stay in place. Others may
    /// have locked its key.
    pub(crate) fn carry_lock(&self, txn: &Transaction, from: RowId, to: RowId) -> PgResult<()> {
        let owner = txn.txn()?;
        let locks = owner.manager().locks();
        if !locks.has_row_locks(txn.options().database, self.def.oid) {
            return Ok(());
        }
        let has_locked = locks.has_locked_row(owner.proc(), self.row_tag(txn, from));
        locks.inherit_row(self.row_tag(txn, from), self.row_tag(txn, to));
        if has_locked {
            let mode = RowLockMode::NoKeyUpdate.lock_mode();
            locks.lock_row(owner.proc(), self.row_tag(txn, to), mode)?;
        }
        Ok(())
    }

    /// Puts a new version in front of one that is claimed.
    fn replace(
        &self,
        txn: &mut Transaction,
        row: RowId,
        older: Arc<Version>,
        values: &[Datum],
    ) -> PgResult<()> {
        let stamp = txn.stamp()?;
        let data = RowData::Bytes(self.encode(txn, row, values, Some(&older))?);
        let version = Arc::new(Version::succeeding(
            stamp,
            txn.command(),
            data,
            Arc::clone(&older),
        ));
        // A version begun before the horizon hides everything older than itself.
        self.store.cut_behind(&older, self.store.shared.recent_horizon());
        let chunk = self.store.chunk(row.0 / CHUNK_ROWS)?;
        {
            let _guard = chunk.lock.lock();
            self.store.push_version(chunk, row, &version);
        }
        let write = Write::RowUpdate {
            table: Arc::clone(&self.store),
            row,
            version: Arc::clone(&version),
            older,
        };
        self.record_put(txn, row, &version, write)?;
        serial::wrote(txn, WriteTarget::Row(self.def.oid.0, row))
    }

    /// Deletes the row that `snapshot` sees. Waits for others who are changing or locking it.
    pub fn delete(&self, txn: &mut Transaction, snapshot: &Snapshot, row: RowId) -> PgResult<WriteOutcome> {
        self.remove(txn, snapshot, row, EndKind::Delete)
    }

    /// The same for a row that goes into another partition: who waits for it gets an error instead of missing it.
    pub fn delete_moving(
        &self,
        txn: &mut Transaction,
        snapshot: &Snapshot,
        row: RowId,
    ) -> PgResult<WriteOutcome> {
        self.remove(txn, snapshot, row, EndKind::Moved)
    }

    fn remove(
        &self,
        txn: &mut Transaction,
        snapshot: &Snapshot,
        row: RowId,
        kind: EndKind,
    ) -> PgResult<WriteOutcome> {
        if kind == EndKind::Delete && self.mark_deleted(txn, snapshot, row)? {
            return Ok(WriteOutcome::Done(row));
        }
        match self.claim(txn, snapshot, row, kind, RowLockMode::Update)? {
            Ok(version) => {
                self.end_toasted(txn, &version)?;
                self.record_delete(txn, row, version)?;
                txn.count_ended(self.store.id, Reason::Deleted);
                Ok(WriteOutcome::Done(row))
            }
            Err(outcome) => Ok(outcome),
        }
    }

    /// Deletes a row by a mark, if it is one of many and nothing is in the way: nobody has changed or locked it since it came into main.
    fn mark_deleted(&self, txn: &mut Transaction, snapshot: &Snapshot, row: RowId) -> PgResult<bool> {
        if !txn.marks_rows(self.store.id, Reason::Deleted) || !self.is_markable(snapshot, row) {
            return Ok(false);
        }
        let chunk = self.store.chunk(row.0 / CHUNK_ROWS)?;
        let (state, data) = self.store.undisturbed(row, &self.def)?;
        let Some(data) = data.filter(|data| !data.has_places()) else {
            return Ok(false);
        };
        drop(data);
        let deletion = txn.marker_of(self, Reason::Deleted)?;
        let _guard = chunk.lock.lock();
        let free = self.is_free(txn, chunk, (row, state.generation), RowLockMode::Update)?;
        Ok(free && deletion.mark(chunk, row))
    }

    /// True when a transaction with this snapshot may mark the row.
    pub(crate) fn is_markable(&self, snapshot: &Snapshot, row: RowId) -> bool {
        // What is not logged begins anew after a crash, with the same row ids.
        let plain = snapshot.serial == 0 && self.is_logged();
        plain && row.0 < self.store.next_row() && self.store.gates.find(row).is_none()
    }

    /// True when nobody has changed, marked or locked a row since it was read in this generation of its chunk. The caller holds the chunk's lock.
    pub(crate) fn is_free(
        &self,
        txn: &Transaction,
        chunk: &Chunk,
        (row, generation): (RowId, u64),
        mode: RowLockMode,
    ) -> PgResult<bool> {
        let position = (row.0 % CHUNK_ROWS) as usize;
        let now = chunk.state.load();
        let head = now.delta.as_ref().and_then(|delta| delta.head(position));
        let free = now.generation == generation && head.is_none() && now.mark(position).is_none();
        Ok(free && self.locker(txn, row, mode)?.is_none())
    }

    /// Claims the end of the newest version of a row, if that is the one the snapshot sees.
    fn claim(
        &self,
        txn: &mut Transaction,
        snapshot: &Snapshot,
        row: RowId,
        kind: EndKind,
        mode: RowLockMode,
    ) -> PgResult<Result<Arc<Version>, WriteOutcome>> {
        // From here on it has an xid, which others can wait for.
        txn.stamp()?;
        txn.store_moved_row(self, row)?;
        let outcome = self.claim_in_turn(txn, snapshot, row, kind, mode);
        // Who goes on to the newer version keeps its turn until it has that.
        if !matches!(outcome, Ok(Err(WriteOutcome::Conflict(Conflict::Updated(_))))) {
            txn.end_turn();
        }
        outcome
    }

    fn claim_in_turn(
        &self,
        txn: &mut Transaction,
        snapshot: &Snapshot,
        row: RowId,
        kind: EndKind,
        mode: RowLockMode,
    ) -> PgResult<Result<Arc<Version>, WriteOutcome>> {
        let mut watch = None;
        loop {
            let Some(head) = self.head_or_base(row)? else {
                return self.resolve(txn, Obstacle::Conflict(Conflict::Deleted)).map(Err);
            };
            match self.try_claim(txn, snapshot, row, &head, kind, mode)? {
                Claim::Done => return Ok(Ok(head)),
                Claim::LookAgain => {}
                Claim::Obstacle(Obstacle::WaitFor(other)) => {
                    self.wait_in_turn(txn, row, mode, other, &mut watch)?;
                }
                Claim::Obstacle(obstacle) => return self.resolve(txn, obstacle).map(Err),
            }
        }
    }

    /// Looks at the row and at its locks, and claims it, in one turn.
    fn try_claim(
        &self,
        txn: &Transaction,
        snapshot: &Snapshot,
        row: RowId,
        head: &Arc<Version>,
        kind: EndKind,
        mode: RowLockMode,
    ) -> PgResult<Claim> {
        let stamp = txn.txn()?.stamp();
        let chunk = self.store.chunk(row.0 / CHUNK_ROWS)?;
        let _guard = chunk.lock.lock();
        if !self.is_head(chunk, row, head) {
            return Ok(Claim::LookAgain);
        }
        if let Some(obstacle) = self.obstacle(row, head, snapshot, stamp) {
            return Ok(Claim::Obstacle(obstacle));
        }
        if let Some(locker) = self.locker(txn, row, mode)? {
            return Ok(Claim::Obstacle(Obstacle::WaitFor(locker)));
        }
        // The end is NEVER and changes only under this latch.
        let claimed = head.claim(stamp, txn.command(), kind);
        invariant!(claimed.is_ok(), "end of a version changed under its chunk's lock");
        Ok(Claim::Done)
    }

    fn resolve(&self, txn: &Transaction, obstacle: Obstacle) -> PgResult<WriteOutcome> {
        match obstacle {
            Obstacle::SelfModified(command) => Ok(WriteOutcome::SelfModified { command }),
            Obstacle::Conflict(conflict) if txn.uses_one_snapshot() => Err(serialization_failure(conflict)),
            Obstacle::Conflict(conflict) => Ok(WriteOutcome::Conflict(conflict)),
            Obstacle::Moved => Err(moved_away(txn)),
            Obstacle::WaitFor(_) => Err(common::internal!("a wait is not an outcome")),
        }
    }

    /// The newest version of a row; a row that is only in main or the KV store gets a base version first.
    pub(crate) fn head_or_base(&self, row: RowId) -> PgResult<Option<Arc<Version>>> {
        if row.0 >= self.store.next_row() {
            return Ok(None);
        }
        let chunk = self.store.chunk(row.0 / CHUNK_ROWS)?;
        let position = (row.0 % CHUNK_ROWS) as usize;
        loop {
            let head = chunk
                .state
                .load()
                .delta
                .as_ref()
                .and_then(|delta| delta.head(position));
            if head.is_some() {
                return Ok(head);
            }
            let (state, data) = self.store.undisturbed(row, &self.def)?;
            let has_heir =
                |state: &ChunkState| state.mark(position).is_some_and(|ends| ends.has_heir(position));
            let heir = match has_heir(&state) {
                true => self.store.heir(chunk, &state, row)?,
                false => None,
            };
            let _guard = chunk.lock.lock();
            let now = chunk.state.load();
            let head = now.delta.as_ref().and_then(|delta| delta.head(position));
            if head.is_some() {
                return Ok(head);
            }
            if now.generation != state.generation || has_heir(&now) != heir.is_some() {
                continue;
            }
            let Some(data) = data else { return Ok(None) };
            return Ok(self.store.push_base(chunk, row, data, heir.flatten()));
        }
    }

    fn is_head(&self, chunk: &Chunk, row: RowId, version: &Arc<Version>) -> bool {
        let position = (row.0 % CHUNK_ROWS) as usize;
        let head = chunk
            .state
            .load()
            .delta
            .as_ref()
            .and_then(|delta| delta.head(position));
        head.is_some_and(|head| Arc::ptr_eq(&head, version))
    }

    /// What keeps a transaction with this snapshot and stamp from claiming the newest version.
    pub(crate) fn obstacle(
        &self,
        row: RowId,
        head: &Version,
        snapshot: &Snapshot,
        own: Stamp,
    ) -> Option<Obstacle> {
        let begin = head.begin.load();
        // A reader's stamp names nothing.
        if begin == own && own.is_reference() {
            if head.cmin >= snapshot.command {
                return Some(Obstacle::SelfModified(head.cmin));
            }
        } else {
            match head.begin.resolve(self.store.shared.table()) {
                StampState::InProgress(_) => return Some(Obstacle::WaitFor(begin)),
                StampState::Committed(csn) if csn > snapshot.csn => {
                    let updated = Obstacle::Conflict(Conflict::Updated(row));
                    return Some(self.ended(head, own).unwrap_or(updated));
                }
                StampState::Committed(_) | StampState::Never => {}
            }
        }
        self.ended(head, own)
    }

    fn ended(&self, head: &Version, own: Stamp) -> Option<Obstacle> {
        let end = head.end.load();
        if end == Stamp::NEVER {
            return None;
        }
        if end == own {
            return Some(Obstacle::SelfModified(head.cmax()));
        }
        match head.end.resolve(self.store.shared.table()) {
            StampState::Never => None,
            StampState::InProgress(_) => Some(Obstacle::WaitFor(end)),
            StampState::Committed(_) if head.ended_by() == EndKind::Moved => Some(Obstacle::Moved),
            StampState::Committed(_) => Some(Obstacle::Conflict(match head.forward() {
                Some(row) => Conflict::Updated(row),
                None => Conflict::Deleted,
            })),
        }
    }

    pub(crate) fn row_tag(&self, txn: &Transaction, row: RowId) -> LockTag {
        LockTag::Row {
            database: txn.options().database,
            relation: self.def.oid,
            row,
        }
    }

    /// Another transaction that has locked the row in a mode that excludes `mode`.
    fn locker(&self, txn: &Transaction, row: RowId, mode: RowLockMode) -> PgResult<Option<Stamp>> {
        let owner = txn.txn()?;
        let locks = owner.manager().locks();
        if !locks.has_row_locks(txn.options().database, self.def.oid) {
            return Ok(None);
        }
        Ok(locks.row_locker(owner.proc(), self.row_tag(txn, row), mode.lock_mode()))
    }
}

/// The error of who meets a row that has gone into another partition.
pub(super) fn moved_away(txn: &Transaction) -> Box<common::PgError> {
    if txn.uses_one_snapshot() {
        return serialization_failure(Conflict::Updated(RowId(0)));
    }
    pg_err!(
        T_R_SERIALIZATION_FAILURE,
        "tuple to be locked was already moved to another partition due to concurrent update"
    )
}

/// The error of a transaction with one snapshot that meets a row changed since.
pub(crate) fn serialization_failure(conflict: Conflict) -> Box<common::PgError> {
    match conflict {
        Conflict::Updated(_) => {
            pg_err!(
                T_R_SERIALIZATION_FAILURE,
                "could not serialize access due to concurrent update"
            )
        }
        Conflict::Deleted => pg_err!(
            T_R_SERIALIZATION_FAILURE,
            "could not serialize access due to concurrent delete"
        ),
    }
}
