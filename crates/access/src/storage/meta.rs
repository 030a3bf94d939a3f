//! The engine's own keyspace in the KV store: what must be known before anything else can be read.
//!
//! The keys and values are listed in docs/internals/storage-formats.md.

use std::ops::{Bound, ControlFlow, Range};

use common::{Lsn, PgResult, RelationId, Xid, pg_err};
use kv::{Direction, Keyspace, Kv};

use crate::ahead::ends::NoteName;
use crate::ahead::heirs;
use crate::defs::Persistence;
use crate::index::pack;
use crate::index::store::IndexCounters;
use crate::table::store::TableCounters;
use crate::toast::{NAME_BYTES, Name};
use crate::transaction::redo::{put_bytes, put_varint, take_bytes, take_varint};

/// Relation ids begin at 1, so this is nobody's.
pub(crate) const META: Keyspace = Keyspace(0);
/// Bumped when stored bytes change their meaning.
pub(crate) const FORMAT_VERSION: u64 = 8;
/// The oldest that can be opened. What the steps since then need: 1 to 2, rows carry the xid of their writer; those that do not are frozen; nothing else.
pub(crate) const FORMAT_OLDEST: u64 = 1;

const FORMAT: &[u8] = b"format";
const IDENTITY: &[u8] = b"identity";
const CHECKPOINT: &[u8] = b"checkpoint";
const DROPS: &[u8] = b"drops";
const VOLATILE: &[u8] = b"volatile";
const COUNTERS: &[u8] = b"counters/";
const LOADS: &[u8] = b"loads/";
const TOAST: &[u8] = b"toast/";
/// Notes of deletions and of updates ([`crate::ahead`]).
pub(crate) const ENDED: &[u8] = b"ended/";
pub(crate) const CHANGED: &[u8] = b"changed/";
const NEWBORN: &[u8] = b"newborn/";

/// Who a database is: set when it is created, never changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// PostgreSQL's `system_identifier`.
    pub system_id: u64,
    /// When it was created.
    pub created_unix_micros: i64,
}

/// Where recovery starts, and where counters stood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CheckpointRecord {
    pub(crate) redo: Lsn,
    pub(crate) next_xid: Xid,
    pub(crate) next_oid: u64,
    pub(crate) next_relation: u64,
    /// 1 after a clean shutdown.
    pub(crate) clean: u64,
    pub(crate) unix_micros: u64,
}

/// A counter pair of a table or an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RelationCounters {
    Table(TableCounters),
    Index(IndexCounters),
}

fn damaged(what: &str) -> Box<common::PgError> {
    pg_err!(DATA_CORRUPTED, "{what} of the database is damaged")
}

fn numbers<const N: usize>(bytes: &[u8], what: &str) -> PgResult<[u64; N]> {
    let mut rest = bytes;
    let mut out = [0; N];
    for n in &mut out {
        *n = take_varint(&mut rest).map_err(|_| damaged(what))?;
    }
    Ok(out)
}

fn list(bytes: &[u8], what: &str) -> PgResult<Vec<u64>> {
    let mut rest = bytes;
    let mut out = Vec::new();
    while !rest.is_empty() {
        out.push(take_varint(&mut rest).map_err(|_| damaged(what))?);
    }
    Ok(out)
}

fn encode(numbers: &[u64]) -> Vec<u8> {
    let mut out = Vec::new();
    numbers.iter().for_each(|n| put_varint(*n, &mut out));
    out
}

/// The format version stored; None in a new store.
pub(crate) fn read_format(kv: &dyn Kv) -> PgResult<Option<u64>> {
    match kv.get(META, FORMAT)? {
        Some(bytes) => numbers::<1>(&bytes, "format version").map(|[v]| Some(v)),
        None => Ok(None),
    }
}

pub(crate) fn read_identity(kv: &dyn Kv) -> PgResult<Identity> {
    let bytes = kv.get(META, IDENTITY)?.ok_or_else(|| damaged("identity"))?;
    let [system_id, created] = numbers(&bytes, "identity")?;
    Ok(Identity {
        system_id,
        created_unix_micros: created as i64,
    })
}

/// Says that stored bytes may now be of this version.
pub(crate) fn put_format(batch: &mut kv::WriteBatch) {
    batch.put(META, FORMAT, encode(&[FORMAT_VERSION]));
}

/// What a new store begins with.
pub(crate) fn put_identity(identity: &Identity, batch: &mut kv::WriteBatch) {
    put_format(batch);
    let created = identity.created_unix_micros as u64;
    batch.put(META, IDENTITY, encode(&[identity.system_id, created]));
}

pub(crate) fn read_checkpoint(kv: &dyn Kv) -> PgResult<Option<CheckpointRecord>> {
    let Some(bytes) = kv.get(META, CHECKPOINT)? else {
        return Ok(None);
    };
    let [redo, next_xid, next_oid, next_relation, clean, unix_micros] = numbers(&bytes, "checkpoint")?;
    Ok(Some(CheckpointRecord {
        redo: Lsn(redo),
        next_xid: Xid(next_xid),
        next_oid,
        next_relation,
        clean,
        unix_micros,
    }))
}

pub(crate) fn put_checkpoint(record: &CheckpointRecord, batch: &mut kv::WriteBatch) {
    let numbers = [
        record.redo.0,
        record.next_xid.0,
        record.next_oid,
        record.next_relation,
        record.clean,
        record.unix_micros,
    ];
    batch.put(META, CHECKPOINT, encode(&numbers));
}

/// Relations whose keyspace is to be removed.
pub(crate) fn read_drops(kv: &dyn Kv) -> PgResult<Vec<RelationId>> {
    let bytes = kv.get(META, DROPS)?.unwrap_or_else(|| [].into());
    Ok(list(&bytes, "list of dropped relations")?
        .into_iter()
        .map(RelationId)
        .collect())
}

pub(crate) fn put_drops(drops: &[RelationId], batch: &mut kv::WriteBatch) {
    let ids: Vec<u64> = drops.iter().map(|r| r.0).collect();
    batch.put(META, DROPS, encode(&ids));
}

/// Relations that are not logged.
pub(crate) fn read_volatile(kv: &dyn Kv) -> PgResult<Vec<(RelationId, Persistence)>> {
    let bytes = kv.get(META, VOLATILE)?.unwrap_or_else(|| [].into());
    let numbers = list(&bytes, "list of unlogged relations")?;
    let persistence = |n| {
        if n == 0 {
            Persistence::Unlogged
        } else {
            Persistence::Temporary
        }
    };
    Ok(numbers
        .chunks_exact(2)
        .map(|c| (RelationId(c[0]), persistence(c[1])))
        .collect())
}

pub(crate) fn put_volatile(relations: &[(RelationId, Persistence)], batch: &mut kv::WriteBatch) {
    let flat: Vec<u64> = relations
        .iter()
        .flat_map(|(id, p)| [id.0, u64::from(*p == Persistence::Temporary)])
        .collect();
    batch.put(META, VOLATILE, encode(&flat));
}

fn counters_key(id: RelationId) -> Vec<u8> {
    [COUNTERS, &id.0.to_be_bytes()].concat()
}

pub(crate) fn read_counters(kv: &dyn Kv, id: RelationId) -> PgResult<Option<RelationCounters>> {
    let Some(bytes) = kv.get(META, &counters_key(id))? else {
        return Ok(None);
    };
    const WHAT: &str = "size of a relation";
    let all = list(&bytes, WHAT)?;
    // Older ones have no bytes of values elsewhere.
    let [kind, a, b, c] = *all.first_chunk().ok_or_else(|| damaged(WHAT))?;
    Ok(Some(if kind == 0 {
        RelationCounters::Table(TableCounters {
            live_rows: a as i64,
            heap_bytes: b,
            next_row: c,
            toast_bytes: all.get(4).copied().unwrap_or_default(),
        })
    } else {
        RelationCounters::Index(IndexCounters {
            entries: a as i64,
            bytes: b as i64,
        })
    }))
}

pub(crate) fn put_counters(id: RelationId, counters: &RelationCounters, batch: &mut kv::WriteBatch) {
    let numbers = match counters {
        RelationCounters::Table(t) => [0, t.live_rows as u64, t.heap_bytes, t.next_row, t.toast_bytes],
        RelationCounters::Index(i) => [1, i.entries as u64, i.bytes as u64, 0, 0],
    };
    batch.put(META, counters_key(id), encode(&numbers));
}

/// Removes all that the KV store has of a relation.
pub(crate) fn drop_keyspaces(id: RelationId, batch: &mut kv::WriteBatch) {
    batch.drop_keyspace(Keyspace(id.0));
    batch.drop_keyspace(pack::keyspace(id));
    batch.drop_keyspace(heirs::keyspace(id));
}

pub(crate) fn delete_counters(id: RelationId, batch: &mut kv::WriteBatch) {
    batch.delete(META, counters_key(id));
}

/// A relation that has contents and whose creation may not be committed.
pub(crate) fn put_newborn(id: RelationId, batch: &mut kv::WriteBatch) {
    batch.put(META, newborn_key(id), []);
}

pub(crate) fn delete_newborn(id: RelationId, batch: &mut kv::WriteBatch) {
    batch.delete(META, newborn_key(id));
}

fn newborn_key(id: RelationId) -> Vec<u8> {
    [NEWBORN, &id.0.to_be_bytes()].concat()
}

/// All of them.
pub(crate) fn read_newborns(kv: &dyn Kv) -> PgResult<Vec<RelationId>> {
    let mut ids = Vec::new();
    each_note(kv, NEWBORN, &mut |key, _| {
        let id = key.get(NEWBORN.len()..).and_then(|id| id.try_into().ok());
        let id = id.ok_or_else(|| damaged("list of new relations"))?;
        ids.push(RelationId(u64::from_be_bytes(id)));
        Ok(())
    })?;
    Ok(ids)
}

/// A value that is to go: for good, or unless the log says that it is stored ([`crate::toast`]).
pub(crate) struct ToastNote {
    pub(crate) relation: RelationId,
    pub(crate) name: Name,
    pub(crate) chunks: u32,
    pub(crate) ended: bool,
}

fn toast_key(relation: RelationId, name: &Name) -> Vec<u8> {
    let name = name.chunk_key(0);
    [TOAST, &relation.0.to_be_bytes(), &name[..NAME_BYTES]].concat()
}

pub(crate) fn put_toast(
    relation: RelationId,
    name: &Name,
    chunks: u32,
    ended: bool,
    batch: &mut kv::WriteBatch,
) {
    let mut value = Vec::new();
    name.put(&mut value);
    put_varint(u64::from(chunks), &mut value);
    put_varint(u64::from(ended), &mut value);
    batch.put(META, toast_key(relation, name), value);
}

pub(crate) fn delete_toast(relation: RelationId, name: &Name, batch: &mut kv::WriteBatch) {
    batch.delete(META, toast_key(relation, name));
}

/// The notes of all values.
pub(crate) fn read_toast(kv: &dyn Kv) -> PgResult<Vec<ToastNote>> {
    let mut notes = Vec::new();
    each_note(kv, TOAST, &mut |key, mut value| {
        const WHAT: &str = "list of values to be removed";
        let relation = key.get(TOAST.len()..).and_then(|rest| rest.first_chunk::<8>());
        let relation = RelationId(u64::from_be_bytes(*relation.ok_or_else(|| damaged(WHAT))?));
        let name = Name::take(&mut value).map_err(|_| damaged(WHAT))?;
        let [chunks, ended] = numbers(value, WHAT)?;
        notes.push(ToastNote {
            relation,
            name,
            chunks: chunks as u32,
            ended: ended == 1,
        });
        Ok(())
    })?;
    Ok(notes)
}

/// The highest relation that a note is about. What gave out its id may be missing in the log: the store can outlive the log's end.
pub(crate) fn last_noted(kv: &dyn Kv) -> PgResult<Option<RelationId>> {
    let mut last = None;
    for note in [NEWBORN, LOADS, TOAST, ENDED, CHANGED] {
        each_note(kv, note, &mut |key, _| {
            let id = key.get(note.len()..).and_then(|rest| rest.first_chunk::<8>());
            let id = id.ok_or_else(|| damaged("list of unfinished changes"))?;
            last = last.max(Some(RelationId(u64::from_be_bytes(*id))));
            Ok(())
        })?;
    }
    for load in read_loads(kv)? {
        last = last.max(load.indexes.iter().max().copied());
    }
    Ok(last)
}

/// Visits the keys that begin so, as long as there is no error.
fn each_note(
    kv: &dyn Kv,
    prefix: &[u8],
    visit: &mut dyn FnMut(&[u8], &[u8]) -> PgResult<()>,
) -> PgResult<()> {
    let mut end = prefix.to_vec();
    end.push(u8::MAX);
    let bounds = (Bound::Included(prefix), Bound::Excluded(&end[..]));
    let mut outcome = Ok(());
    kv.range(META, bounds, Direction::Forward, &mut |key, value| {
        outcome = visit(key, value);
        match outcome {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    outcome
}

fn ended_key(note: &[u8], (relation, first): NoteName) -> Vec<u8> {
    [note, &relation.0.to_be_bytes(), &first.to_be_bytes()].concat()
}

/// Rows that are deleted and in the store all the same, or updated and there as they were ([`crate::ahead::ends`]): `note` says which.
pub(crate) fn put_ended(note: &[u8], name: NoteName, parts: &[Vec<u8>], batch: &mut kv::WriteBatch) {
    let mut value = Vec::new();
    parts.iter().for_each(|part| put_bytes(part, &mut value));
    batch.put(META, ended_key(note, name), value);
}

pub(crate) fn delete_ended(note: &[u8], name: NoteName, batch: &mut kv::WriteBatch) {
    batch.delete(META, ended_key(note, name));
}

/// All notes of a kind: their names, and the parts of each.
pub(crate) fn read_ended(kv: &dyn Kv, note: &[u8]) -> PgResult<Vec<(NoteName, Vec<Vec<u8>>)>> {
    let mut notes = Vec::new();
    each_note(kv, note, &mut |key, mut value| {
        let number = |at: usize| key.get(note.len() + at..)?.first_chunk::<8>();
        let (Some(id), Some(first)) = (number(0), number(8)) else {
            return Err(damaged("list of changed rows"));
        };
        let name = (RelationId(u64::from_be_bytes(*id)), u64::from_be_bytes(*first));
        let mut parts = Vec::new();
        while !value.is_empty() {
            parts.push(take_bytes(&mut value)?.to_vec());
        }
        notes.push((name, parts));
        Ok(())
    })?;
    Ok(notes)
}

/// What the store may have of a transaction that has not committed ([`crate::ahead`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoadNote {
    pub(crate) relation: RelationId,
    /// Row ids, at least one.
    pub(crate) rows: Vec<Range<u64>>,
    /// Indexes with entries of these rows.
    pub(crate) indexes: Vec<RelationId>,
}

fn load_key(relation: RelationId, first: u64) -> Vec<u8> {
    [LOADS, &relation.0.to_be_bytes(), &first.to_be_bytes()].concat()
}

pub(crate) fn put_load(note: &LoadNote, batch: &mut kv::WriteBatch) {
    let Some(first) = note.rows.first() else { return };
    let mut value = Vec::new();
    put_varint(note.rows.len() as u64, &mut value);
    for rows in &note.rows {
        put_varint(rows.start, &mut value);
        put_varint(rows.end, &mut value);
    }
    note.indexes.iter().for_each(|id| put_varint(id.0, &mut value));
    batch.put(META, load_key(note.relation, first.start), value);
}

pub(crate) fn delete_load((relation, first): (RelationId, u64), batch: &mut kv::WriteBatch) {
    batch.delete(META, load_key(relation, first));
}

/// The notes of all loads.
pub(crate) fn read_loads(kv: &dyn Kv) -> PgResult<Vec<LoadNote>> {
    let mut notes = Vec::new();
    each_note(kv, LOADS, &mut |key, value| {
        notes.push(decode_load(key, value)?);
        Ok(())
    })?;
    Ok(notes)
}

fn decode_load(key: &[u8], value: &[u8]) -> PgResult<LoadNote> {
    const WHAT: &str = "list of unfinished loads";
    let relation = key
        .get(LOADS.len()..LOADS.len() + 8)
        .and_then(|id| id.try_into().ok());
    let relation = RelationId(u64::from_be_bytes(relation.ok_or_else(|| damaged(WHAT))?));
    let numbers = list(value, WHAT)?;
    let (count, rest) = numbers.split_first().ok_or_else(|| damaged(WHAT))?;
    let (rows, indexes) = usize::try_from(*count)
        .ok()
        .and_then(|count| rest.split_at_checked(count.checked_mul(2)?))
        .ok_or_else(|| damaged(WHAT))?;
    Ok(LoadNote {
        relation,
        rows: rows.chunks_exact(2).map(|pair| pair[0]..pair[1]).collect(),
        indexes: indexes.iter().copied().map(RelationId).collect(),
    })
}
