//! Recovery: what the log has above the last checkpoint comes back into delta.
//!
//! # How it works
//! Records are collected first (the transaction manager does not exist yet), payloads of committed transactions in commit order,
//! then applied: each put becomes a version, each deletion an ended one, all at one CSN that every snapshot sees and the
//! checkpoint has not written yet. Applying is idempotent, so it does not matter what the KV store has of it already.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{CommandId, Lsn, Oid, PgResult, RelationId, RowId, Xid};
use rustc_hash::{FxHashMap, FxHashSet};
use txn::{Record, RecordKind, Stamp, TxnError, TxnResult};

use crate::ahead::ends::{Deletion, Marks, Reason};
use crate::ahead::gate::Gate;
use crate::ahead::heirs;
use crate::block::CHUNK_ROWS;
use crate::index::delta::EntryVersion;
use crate::index::pack::relation_of;
use crate::index::store::{EntryKey, entry_prefix};
use crate::sequence::decode_record;
use crate::storage::ahead::StoredLoads;
use crate::storage::meta::{self, CheckpointRecord};
use crate::storage::open::RECOVERED;
use crate::storage::resume::InDoubt;
use crate::storage::toast::StoredValues;
use crate::storage::{Counters, FIRST_RELATION, RECORD_COUNTERS, Storage};
use crate::toast::store::Tracked;
use crate::transaction::prepared::{Head, take_header};
use crate::transaction::redo::{RedoOp, take_op, take_varint};
use crate::version::{EndKind, RowData, Version};

/// What the log says of that which it does not have itself.
#[derive(Default)]
pub(crate) struct Replayed {
    /// Loads and values that are whole.
    pub(crate) loads: StoredLoads,
    pub(crate) values: StoredValues,
    /// Relations that came to be.
    pub(crate) created: FxHashSet<RelationId>,
}

/// What the log has said so far.
pub(crate) struct Replay {
    /// Parts of transactions that have not committed yet.
    chunks: FxHashMap<Xid, Vec<Vec<u8>>>,
    /// Where the first part of each is.
    first: FxHashMap<Xid, Lsn>,
    /// The heads of those that are prepared.
    prepared: FxHashMap<Xid, Head>,
    /// In commit order.
    committed: Vec<Vec<u8>>,
    sequences: FxHashMap<RelationId, (i64, bool)>,
    next_xid: u64,
    next_oid: u64,
    next_relation: u64,
    redo: Lsn,
}

impl Replay {
    pub(crate) fn new(checkpoint: &CheckpointRecord) -> Replay {
        Replay {
            chunks: FxHashMap::default(),
            first: FxHashMap::default(),
            prepared: FxHashMap::default(),
            committed: Vec::new(),
            sequences: FxHashMap::default(),
            next_xid: checkpoint.next_xid.0.max(3),
            next_oid: checkpoint.next_oid.max(u64::from(Oid::FIRST_NORMAL.0)),
            next_relation: checkpoint.next_relation.max(FIRST_RELATION.0),
            redo: checkpoint.redo,
        }
    }

    /// Takes a record.
    pub(crate) fn record(&mut self, record: Record<'_>) -> TxnResult<()> {
        debug_assert!(record.lsn >= self.redo);
        self.next_xid = self.next_xid.max(record.xid.0 + 1);
        match record.kind {
            RecordKind::COMMIT => {
                self.prepared.remove(&record.xid);
                self.committed
                    .extend(self.chunks.remove(&record.xid).unwrap_or_default());
                self.committed.push(record.payload.to_vec());
            }
            RecordKind::CHUNK => self.part(&record, record.payload),
            RecordKind::PREPARE => {
                let mut rest = record.payload;
                let head = take_header(&mut rest).map_err(damaged)?;
                self.prepared.insert(record.xid, head);
                self.part(&record, rest);
            }
            RecordKind::ABORT => {
                self.chunks.remove(&record.xid);
                self.prepared.remove(&record.xid);
            }
            RecordKind::SEQUENCE => {
                let (id, last_value, is_called) = decode_record(record.payload).map_err(damaged)?;
                self.sequences.insert(id, (last_value, is_called));
            }
            RECORD_COUNTERS => {
                let mut rest = record.payload;
                self.next_oid = self.next_oid.max(take_varint(&mut rest).map_err(damaged)?);
                self.next_relation = self.next_relation.max(take_varint(&mut rest).map_err(damaged)?);
            }
            _ => {}
        }
        Ok(())
    }

    fn part(&mut self, record: &Record<'_>, operations: &[u8]) {
        self.first.entry(record.xid).or_insert(record.lsn);
        let parts = self.chunks.entry(record.xid).or_default();
        parts.push(operations.to_vec());
    }

    /// The transactions that are prepared, in the order of their xids.
    pub(crate) fn take_in_doubt(&mut self) -> PgResult<Vec<InDoubt>> {
        let prepared = std::mem::take(&mut self.prepared);
        let mut all: Vec<InDoubt> = prepared
            .into_iter()
            .map(|(xid, head)| InDoubt {
                xid,
                lsn: self.first.get(&xid).copied().unwrap_or(self.redo),
                head,
                parts: self.chunks.remove(&xid).unwrap_or_default(),
            })
            .collect();
        all.sort_unstable_by_key(|one| one.xid);
        Ok(all)
    }

    pub(crate) fn next_xid(&self) -> Xid {
        Xid(self.next_xid)
    }

    /// What comes next, with `noted` as the highest relation that the store has a note of: it is nobody else's, though the log may have lost the record
    /// that gave it out.
    pub(crate) fn counters(&self, noted: Option<RelationId>) -> Counters {
        let next_relation = self.next_relation.max(noted.map_or(0, |id| id.0 + 1));
        Counters {
            next_oid: self.next_oid,
            oid_limit: self.next_oid,
            next_relation,
            relation_limit: next_relation,
        }
    }

    /// Brings everything back.
    pub(crate) fn apply(self, storage: &Storage) -> PgResult<Replayed> {
        let mut stored = Replayed::default();
        // What is applied goes: long values are not in memory twice.
        for payload in self.committed {
            let mut rest = payload.as_slice();
            while !rest.is_empty() {
                apply_op(storage, take_op(&mut rest)?, &mut stored)?;
            }
        }
        for (id, (last_value, is_called)) in self.sequences {
            storage.sequence_store(id)?.replay(last_value, is_called);
        }
        Ok(stored)
    }
}

impl Storage {
    /// Takes up the deletions and updates that the store has notes of.
    pub(super) fn adopt_deletions(&self) -> PgResult<()> {
        let is_dropped = |id: RelationId| self.dropped.lock().iter().any(|drop| drop.id == id);
        for (name, parts) in meta::read_ended(&*self.shared.kv, meta::ENDED)? {
            let id = name.0;
            let mut marks = Marks::decode_all(&parts)?;
            marks.indexes.retain(|lost| !is_dropped(lost.index));
            if !is_dropped(id) {
                // The counters that the same checkpoint wrote know of it.
                let deletion = end_rows(self, id, &marks, Counted::Already)?;
                self.shared.deletions.add_noted(&deletion, name);
            }
        }
        for (name, parts) in meta::read_ended(&*self.shared.kv, meta::CHANGED)? {
            let id = name.0;
            if !is_dropped(id) {
                // What delta has the log has said, and it is newer.
                let update = change_rows(self, id, &Marks::decode_all(&parts)?, &mut |_, _| Ok(()))?;
                self.shared.deletions.add_noted(&update, name);
            }
        }
        let beside = self.shared.kv.keyspaces()?;
        for keyspace in beside.into_iter().filter(|keyspace| heirs::is_beside(*keyspace)) {
            let id = relation_of(keyspace);
            if !is_dropped(id) {
                self.table_store(id)?.adopt_heirs()?;
            }
        }
        Ok(())
    }
}

fn damaged(error: Box<common::PgError>) -> TxnError {
    TxnError::Corrupt(error.message.clone())
}

fn apply_op(storage: &Storage, op: RedoOp<'_>, replayed: &mut Replayed) -> PgResult<()> {
    match op {
        RedoOp::RowPut(id, row, bytes) => put_row(storage, id, row, Some(bytes)),
        RedoOp::RowDelete(id, row) | RedoOp::RowTombstone(id, row) => put_row(storage, id, row, None),
        RedoOp::EntryPut(id, key, value) => put_entry(storage, id, key, Some(value)),
        RedoOp::EntryDelete(id, key) => put_entry(storage, id, key, None),
        RedoOp::Created(id) => {
            replayed.created.insert(id);
            Ok(())
        }
        RedoOp::Stored {
            relation,
            first,
            rows,
            heap_bytes,
        } => {
            replayed.loads.insert((relation, first), (rows, heap_bytes));
            Ok(())
        }
        RedoOp::ToastPut {
            relation,
            name,
            chunk,
            bytes,
        } => storage
            .table_store(relation)?
            .put_fresh(name, chunk, bytes.into()),
        RedoOp::ToastEnd(relation, name, chunks) => {
            let end = Stamp::committed(RECOVERED);
            let value = Tracked::found(name, chunks, (Stamp::FROZEN, end), false);
            storage.table_store(relation)?.toast.track(&value);
            Ok(())
        }
        RedoOp::RowsEnded(id, marks) => {
            let deletion = end_rows(storage, id, &Marks::decode(marks)?, Counted::Now)?;
            storage.shared.deletions.add(&deletion);
            Ok(())
        }
        RedoOp::RowsChanged(id, marks) => {
            let mut put = |row, bytes: &[u8]| put_row(storage, id, row, Some(bytes));
            let update = change_rows(storage, id, &Marks::decode(marks)?, &mut put)?;
            storage.shared.deletions.add(&update);
            Ok(())
        }
        RedoOp::ToastStored(relation, name) => {
            replayed.values.insert((relation, name));
            Ok(())
        }
        RedoOp::Dropped(id) => {
            storage.relations.write().remove(&id);
            storage.forget_relation(id);
            Ok(())
        }
    }
}

/// Whether the counters of relations have a deletion.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counted {
    Already,
    Now,
}

/// Rows deleted by marks, before or above the last checkpoint.
fn end_rows(storage: &Storage, id: RelationId, marks: &Marks, counted: Counted) -> PgResult<Arc<Deletion>> {
    let table = storage.table_store(id)?;
    let stores: PgResult<Vec<_>> = marks
        .indexes
        .iter()
        .map(|lost| storage.index_store(lost.index))
        .collect();
    let indexes = stores?;
    let gate = Gate::new(Stamp::committed(RECOVERED), CommandId(0));
    let deletion = Arc::new(Deletion::new(Arc::clone(&table), gate, Reason::Deleted));
    let mut in_delta = 0;
    deletion.replay(&indexes, marks, &mut |row| {
        in_delta += 1;
        put_row(storage, id, row, None)
    })?;
    let rows = deletion.rows.load(Ordering::Relaxed) as i64;
    if counted == Counted::Now {
        table.live_rows.fetch_sub(rows - in_delta, Ordering::Relaxed);
    }
    for (index, lost) in indexes.iter().zip(&marks.indexes) {
        let (mut entries, mut bytes) = (lost.entries, lost.bytes);
        for key in index.delta_entries_of(marks)? {
            put_entry(storage, index.id, &key, None)?;
            (entries, bytes) = (entries - 1, bytes - key.len() as i64);
        }
        if counted == Counted::Now {
            index.lose(entries, bytes);
        }
    }
    Ok(deletion)
}

/// Rows updated by marks, before or above the last checkpoint. Those that delta has are for the caller, as they became.
fn change_rows(
    storage: &Storage,
    id: RelationId,
    marks: &Marks,
    put: &mut dyn FnMut(RowId, &[u8]) -> PgResult<()>,
) -> PgResult<Arc<Deletion>> {
    let table = storage.table_store(id)?;
    let gate = Gate::new(Stamp::committed(RECOVERED), CommandId(0));
    let update = Deletion::new(Arc::clone(&table), gate, Reason::Updated(EndKind::KeyUpdate));
    update.replay(&[], marks, &mut |row| match table.stored_heir(row)? {
        Some(bytes) => put(row, &bytes),
        // Deleted since, which the log will say.
        None => Ok(()),
    })?;
    Ok(Arc::new(update))
}

fn put_row(storage: &Storage, id: RelationId, row: RowId, bytes: Option<&[u8]>) -> PgResult<()> {
    let table = storage.table_store(id)?;
    let is_new = row.0 >= table.next_row();
    table.note_row(row);
    let version = match bytes {
        Some(bytes) => {
            if is_new {
                table.live_rows.fetch_add(1, Ordering::Relaxed);
                table.grow(bytes.len() + 24);
            }
            Version::new(
                Stamp::committed(RECOVERED),
                CommandId(0),
                RowData::Bytes(bytes.into()),
            )
        }
        None => {
            table.live_rows.fetch_sub(1, Ordering::Relaxed);
            let version = Version::base(RowData::Bytes(Box::default()));
            version.end.set(Stamp::committed(RECOVERED));
            version
        }
    };
    let chunk = table.chunk(row.0 / CHUNK_ROWS)?;
    let _guard = chunk.lock.lock();
    let state = chunk.state.load();
    let before = state.delta.as_ref();
    if let Some(before) = before.and_then(|delta| delta.head((row.0 % CHUNK_ROWS) as usize)) {
        // Nobody can see it.
        table.delta_bytes.sub(before.memory_bytes());
    }
    table.push_version(chunk, row, &Arc::new(version));
    Ok(())
}

fn put_entry(storage: &Storage, id: RelationId, key: &[u8], value: Option<&[u8]>) -> PgResult<()> {
    let index = storage.index_store(id)?;
    let version = match value {
        Some(value) => EntryVersion::new(Stamp::committed(RECOVERED), CommandId(0), value.into()),
        None => {
            let version = EntryVersion::new(Stamp::FROZEN, CommandId(0), Box::default());
            version.end.set(Stamp::committed(RECOVERED));
            version
        }
    };
    let key = EntryKey::from_slice(key);
    let _latch = index.latch(entry_prefix(&key)).lock();
    index.push_version(&key, &Arc::new(version));
    if value.is_none() {
        // The version is none more; the merge counts that the entry is gone.
        index.count(-1, &key);
    }
    if let Some(entry) = index.delta.get(&key) {
        // Nobody can see what lies behind.
        if let Some(version) = entry.value().load().as_ref() {
            index.delta_bytes.sub(version.cut(&key));
        }
    }
    Ok(())
}
