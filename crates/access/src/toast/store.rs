//! The values of a table: those in memory, reading, what checkpoints write and remove.
//!
//! The lock of [`ToastStore`] is held for no I/O; rank: below nothing.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicUsize, Ordering};

use common::cancel::{self, CancelToken};
use common::{Csn, PgResult, RelationId, long, pg_err};
use kv::{Direction, WriteBatch};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use txn::{AtomicStamp, Stamp};
use types::{Datum, PhysType, Vector};

use crate::shared::Shared;
use crate::storage::meta;
use crate::table::Table;
use crate::table::store::TableStore;
use crate::toast::{CHUNK_BYTES, NAME_BYTES, Name, Place, Pointer, damaged, keyspace, unpack_chunk};

/// Values that stand elsewhere of a row being read: index in the row, class, place.
pub(crate) type Places = Vec<(usize, PhysType, Box<[u8]>)>;

/// A value's chunks while they are in memory.
struct Fresh {
    chunks: Vec<Arc<[u8]>>,
    /// The checkpoint that runs has written it.
    written: bool,
}

/// A value whose beginning or end a checkpoint has to follow.
#[derive(Debug)]
pub(crate) struct Tracked {
    pub(crate) name: Name,
    pub(crate) chunks: u32,
    pub(crate) stored_len: AtomicU32,
    /// When it began, if it was in the store before that; else frozen.
    pub(crate) begin: AtomicStamp,
    /// When its row ended.
    pub(crate) end: AtomicStamp,
    /// The store has a note of it.
    noted: AtomicBool,
    /// A prepared transaction will decide, which nobody has taken up since the start.
    pub(crate) in_doubt: AtomicBool,
    /// What the checkpoint that runs has made of it.
    fate: AtomicU8,
}

impl Tracked {
    fn new(pointer: &Pointer, begin: Stamp, end: Stamp, noted: bool) -> Arc<Tracked> {
        Arc::new(Tracked {
            name: pointer.name,
            chunks: pointer.chunks(),
            stored_len: AtomicU32::new(pointer.stored_len),
            begin: AtomicStamp::new(begin),
            end: AtomicStamp::new(end),
            noted: AtomicBool::new(noted),
            in_doubt: AtomicBool::new(false),
            fate: AtomicU8::new(Fate::Wait as u8),
        })
    }

    /// A value that goes into the store ahead of the commit of this stamp.
    pub(crate) fn ahead(pointer: &Pointer, begin: Stamp) -> Arc<Tracked> {
        Tracked::new(pointer, begin, Stamp::NEVER, true)
    }

    /// A value whose row ends with this stamp.
    pub(crate) fn ending(pointer: &Pointer, end: Stamp) -> Arc<Tracked> {
        Tracked::new(pointer, Stamp::FROZEN, end, false)
    }

    /// One that log or store have; `noted`: the store has a note of it.
    pub(crate) fn found(name: Name, chunks: u32, (begin, end): (Stamp, Stamp), noted: bool) -> Arc<Tracked> {
        let pointer = Pointer {
            name,
            raw_len: chunks.saturating_mul(CHUNK_BYTES as u32),
            stored_len: 0,
            compressed: false,
        };
        Tracked::new(&pointer, begin, end, noted)
    }

    /// Adds the note that it is to go: for good, or unless the log says that it is stored.
    pub(crate) fn put_note(&self, table: RelationId, batch: &mut WriteBatch) {
        let ended = Stamp::FROZEN == self.begin.load();
        meta::put_toast(table, &self.name, self.chunks, ended, batch);
    }

    /// Removes it, and the note of it.
    pub(crate) fn remove(&self, table: RelationId, batch: &mut WriteBatch) {
        meta::delete_toast(table, &self.name, batch);
        for chunk in 0..self.chunks {
            batch.delete(keyspace(table), self.name.chunk_key(chunk));
        }
    }
}

/// What a checkpoint makes of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Fate {
    Wait,
    /// Nothing to do any more.
    Forget,
    /// It counts now.
    TakeNote,
    /// Some snapshot needs it yet.
    LeaveNote,
    Remove,
}

/// The values of one table that are not simply in the KV store.
#[derive(Default)]
pub(crate) struct ToastStore {
    fresh: Mutex<FxHashMap<Name, Fresh>>,
    /// How many are fresh: where there are none, readers take no lock.
    fresh_count: AtomicUsize,
    tracked: Mutex<Vec<Arc<Tracked>>>,
    /// Bytes of all values, as far as known.
    pub(crate) bytes: AtomicI64,
}

impl ToastStore {
    /// A store of this many bytes, as a checkpoint counted them.
    pub(crate) fn of_bytes(bytes: u64) -> ToastStore {
        ToastStore {
            bytes: AtomicI64::new(bytes as i64),
            ..ToastStore::default()
        }
    }

    fn chunks_of(&self, name: &Name) -> Option<Vec<Arc<[u8]>>> {
        if self.fresh_count.load(Ordering::Acquire) == 0 {
            return None;
        }
        self.fresh.lock().get(name).map(|fresh| fresh.chunks.clone())
    }

    /// Follows a value until a checkpoint is done with it.
    pub(crate) fn track(&self, value: &Arc<Tracked>) {
        self.tracked.lock().push(Arc::clone(value));
    }

    pub(crate) fn find_ahead(&self, name: &Name) -> Option<Arc<Tracked>> {
        let tracked = self.tracked.lock();
        let is = |value: &&Arc<Tracked>| value.name == *name && value.begin.load() != Stamp::FROZEN;
        tracked.iter().find(is).cloned()
    }

    /// True when a checkpoint has changed or will change something.
    pub(crate) fn has_changes(&self) -> bool {
        self.fresh_count.load(Ordering::Relaxed) > 0 || !self.tracked.lock().is_empty()
    }
}

impl TableStore {
    /// Keeps a chunk in memory until a checkpoint writes it. Chunks come in order; from the log perhaps not for the first time.
    pub(crate) fn put_fresh(&self, name: Name, chunk: u32, bytes: Arc<[u8]>) -> PgResult<()> {
        let mut fresh = self.toast.fresh.lock();
        let value = fresh.entry(name).or_insert_with(|| Fresh {
            chunks: Vec::new(),
            written: false,
        });
        let len = bytes.len();
        match value.chunks.len().cmp(&(chunk as usize)) {
            std::cmp::Ordering::Equal => value.chunks.push(bytes),
            std::cmp::Ordering::Greater => return Ok(()),
            std::cmp::Ordering::Less => return Err(damaged()),
        }
        self.toast.fresh_count.store(fresh.len(), Ordering::Release);
        self.delta_bytes.add(len);
        self.toast.bytes.fetch_add(len as i64, Ordering::Relaxed);
        Ok(())
    }

    /// The chunks of a value that is in memory.
    pub(crate) fn fresh_chunks(&self, name: &Name) -> Vec<Arc<[u8]>> {
        self.toast.chunks_of(name).unwrap_or_default()
    }

    /// A value whose transaction is rolled back.
    pub(crate) fn undo_fresh(&self, name: &Name) {
        let len = self.drop_fresh(name);
        self.toast.bytes.fetch_sub(len as i64, Ordering::Relaxed);
    }

    fn drop_fresh(&self, name: &Name) -> usize {
        let mut fresh = self.toast.fresh.lock();
        let gone = fresh.remove(name);
        self.toast.fresh_count.store(fresh.len(), Ordering::Release);
        let len = gone.map_or(0, |value| value.chunks.iter().map(|c| c.len()).sum());
        self.delta_bytes.sub(len);
        len
    }

    /// A value in the KV store whose transaction is rolled back.
    pub(crate) fn undo_ahead(&self, value: &Tracked) {
        value.begin.set(Stamp::NEVER);
    }

    /// The value that a place in a row leads to.
    fn detoast(&self, place: &[u8], cancel: &CancelToken) -> PgResult<Vec<u8>> {
        let place = Place::of(place)?;
        let mut out = Vec::with_capacity(place.raw_len());
        match place {
            Place::Inline { raw_len, compressed } => {
                out.resize(raw_len, 0);
                match lz4_flex::block::decompress_into(compressed, &mut out) {
                    Ok(len) if len == raw_len => {}
                    _ => return Err(damaged()),
                }
            }
            Place::OutOfLine(pointer) => {
                self.each_chunk(&pointer, &mut |chunk, len| {
                    cancel.check()?;
                    unpack_chunk(chunk, len, &mut out)
                })?;
            }
        }
        Ok(out)
    }

    /// The same, into a column whose position has NULL.
    pub(crate) fn detoast_into(
        &self,
        place: &[u8],
        (column, position): (&mut Vector, usize),
        cancel: &CancelToken,
    ) -> PgResult<()> {
        let value = self.detoast(place, cancel)?;
        cancel.check()?;
        if column.phys() == PhysType::Text && std::str::from_utf8(&value).is_err() {
            return Err(damaged());
        }
        column.set_string(position, value);
        Ok(())
    }

    /// True if the value is this one.
    pub(crate) fn is_value(&self, pointer: &Pointer, raw: &[u8]) -> PgResult<bool> {
        if pointer.raw_len as usize != raw.len() {
            return Ok(false);
        }
        let (mut same, mut at, mut scratch) = (true, 0, Vec::new());
        self.each_chunk(pointer, &mut |chunk, len| {
            if same {
                scratch.clear();
                unpack_chunk(chunk, len, &mut scratch)?;
                same = raw.get(at..at + len) == Some(&scratch[..]);
                at += len;
            }
            Ok(())
        })?;
        Ok(same)
    }

    /// Visits the chunks of a value, in order, with the length that each has once it is decompressed.
    fn each_chunk(
        &self,
        pointer: &Pointer,
        visit: &mut dyn FnMut(&[u8], usize) -> PgResult<()>,
    ) -> PgResult<()> {
        let (total, chunks) = (pointer.raw_len as usize, pointer.chunks());
        let len = |chunk: u32| (total - chunk as usize * CHUNK_BYTES).min(CHUNK_BYTES);
        // Memory first: a checkpoint writes the value before it takes it from there.
        if let Some(fresh) = self.toast.chunks_of(&pointer.name) {
            if fresh.len() != chunks as usize {
                return Err(self.missing(fresh.len() as u32, pointer));
            }
            return (0..)
                .zip(&fresh)
                .try_for_each(|(chunk, bytes)| visit(bytes, len(chunk)));
        }
        let (low, high) = (pointer.name.chunk_key(0), pointer.name.chunk_key(u32::MAX));
        let bounds = (Bound::Included(&low[..]), Bound::Included(&high[..]));
        let (mut next, mut outcome) = (0, Ok(()));
        self.shared.kv.range(
            keyspace(self.id),
            bounds,
            Direction::Forward,
            &mut |key, value| {
                outcome = match next < chunks && *key == pointer.name.chunk_key(next) {
                    true => visit(value, len(next)),
                    false => Err(self.missing(next, pointer)),
                };
                next += 1;
                match outcome {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                }
            },
        )?;
        outcome?;
        match next == chunks {
            true => Ok(()),
            false => Err(self.missing(next, pointer)),
        }
    }

    #[cold]
    fn missing(&self, chunk: u32, pointer: &Pointer) -> Box<common::PgError> {
        let oid = self.def.load().as_ref().map_or(0, |def| def.oid.0);
        pg_err!(
            DATA_CORRUPTED,
            "missing chunk number {chunk} for toast value {} in pg_toast_{oid}",
            pointer.name.value_id()
        )
    }

    /// Puts values into their places in a row that was read without them.
    pub(crate) fn fill(&self, places: Places, out: &mut [Datum]) -> PgResult<()> {
        let cancel = cancel::current();
        for (at, phys, place) in places {
            let value = string_datum(phys, self.detoast(&place, &cancel)?, &cancel)?;
            if let Some(slot) = out.get_mut(at) {
                *slot = value;
            }
        }
        Ok(())
    }

    /// Adds the values of an encoded row that are not in the store yet.
    pub(crate) fn put_toasted(
        &self,
        row: &[u8],
        batch: &mut WriteBatch,
        write: &mut dyn FnMut(&mut WriteBatch) -> PgResult<()>,
    ) -> PgResult<()> {
        types::tuple::toasted::each(row, &mut |_, place| {
            let Place::OutOfLine(pointer) = Place::of(place)? else {
                return Ok(());
            };
            self.put_value(&pointer.name, batch, write)
        })
    }

    fn put_value(
        &self,
        name: &Name,
        batch: &mut WriteBatch,
        write: &mut dyn FnMut(&mut WriteBatch) -> PgResult<()>,
    ) -> PgResult<()> {
        let chunks = {
            let mut fresh = self.toast.fresh.lock();
            match fresh.get_mut(name) {
                Some(value) if !value.written => {
                    value.written = true;
                    value.chunks.clone()
                }
                _ => return Ok(()),
            }
        };
        for (number, chunk) in (0..).zip(&chunks) {
            batch.put(keyspace(self.id), name.chunk_key(number), &chunk[..]);
            write(batch)?;
        }
        Ok(())
    }

    /// Before the rows of a checkpoint: nothing is written yet.
    pub(crate) fn begin_toast_checkpoint(&self) {
        if !self.toast.has_changes() {
            return;
        }
        for value in self.toast.fresh.lock().values_mut() {
            value.written = false;
        }
        for value in self.toast.tracked.lock().iter() {
            value.fate.store(Fate::Wait as u8, Ordering::Relaxed);
        }
    }

    /// Removes what ended, takes notes away, leaves notes. After the rows: then no row in the store has the values that go.
    pub(crate) fn checkpoint_toast(
        &self,
        to: Csn,
        horizon: Csn,
        batch: &mut WriteBatch,
        write: &mut dyn FnMut(&mut WriteBatch) -> PgResult<()>,
    ) -> PgResult<()> {
        let tracked = self.toast.tracked.lock().clone();
        for value in tracked {
            let fate = self.fate(&value, to, horizon);
            match fate {
                Fate::Wait | Fate::Forget => {}
                Fate::TakeNote => meta::delete_toast(self.id, &value.name, batch),
                Fate::LeaveNote if value.noted.load(Ordering::Relaxed) => {}
                Fate::LeaveNote => value.put_note(self.id, batch),
                Fate::Remove => value.remove(self.id, batch),
            }
            value.fate.store(fate as u8, Ordering::Relaxed);
            write(batch)?;
        }
        Ok(())
    }

    fn fate(&self, value: &Tracked, to: Csn, horizon: Csn) -> Fate {
        if value.in_doubt.load(Ordering::Acquire) {
            return Fate::Wait;
        }
        if value.begin.load() != Stamp::FROZEN {
            return match self.shared.committed(&value.begin) {
                Some(csn) if csn <= to => Fate::TakeNote,
                None if Shared::never(&value.begin) => Fate::Remove,
                _ => Fate::Wait,
            };
        }
        match self.shared.committed(&value.end) {
            Some(csn) if csn <= to.min(horizon) => Fate::Remove,
            Some(csn) if csn <= to => Fate::LeaveNote,
            None if Shared::never(&value.end) => Fate::Forget,
            _ => Fate::Wait,
        }
    }

    /// The checkpoint is durable: what it wrote leaves memory.
    pub(crate) fn settle_toast(&self) {
        if !self.toast.has_changes() {
            return;
        }
        let written: Vec<Name> = {
            let fresh = self.toast.fresh.lock();
            let written = fresh.iter().filter(|(_, value)| value.written);
            written.map(|(name, _)| *name).collect()
        };
        for name in &written {
            self.drop_fresh(name);
        }
        let is = |value: &Tracked, fate: Fate| value.fate.load(Ordering::Relaxed) == fate as u8;
        let tracked = self.toast.tracked.lock().clone();
        for value in &tracked {
            if is(value, Fate::LeaveNote) {
                value.noted.store(true, Ordering::Relaxed);
            } else if is(value, Fate::Remove) {
                self.drop_fresh(&value.name);
                let len = i64::from(value.stored_len.load(Ordering::Relaxed));
                self.toast.bytes.fetch_sub(len, Ordering::Relaxed);
            }
        }
        let stays = |value: &Arc<Tracked>| is(value, Fate::Wait) || is(value, Fate::LeaveNote);
        self.toast.tracked.lock().retain(stays);
    }
}

impl Table {
    /// How many values of the table are in the KV store, apart from their rows: for checks.
    pub fn stored_values(&self) -> PgResult<u64> {
        let (mut count, mut last) = (0, Vec::new());
        let all = (Bound::Unbounded, Bound::Unbounded);
        let store = &self.store;
        store
            .shared
            .kv
            .range(keyspace(store.id), all, Direction::Forward, &mut |key, _| {
                let name = key.get(..NAME_BYTES).unwrap_or(key);
                if last != name {
                    count += 1;
                    last = name.to_vec();
                }
                ControlFlow::Continue(())
            })?;
        Ok(count)
    }

    /// Bytes of the table's values that have left their rows, as far as known.
    pub fn toast_bytes(&self) -> u64 {
        self.store.toast.bytes.load(Ordering::Relaxed).max(0) as u64
    }
}

/// A string as a datum of its class.
fn string_datum(phys: PhysType, bytes: Vec<u8>, cancel: &CancelToken) -> PgResult<Datum> {
    match phys {
        PhysType::Text => {
            let text = String::from_utf8(bytes).map_err(|_| damaged())?;
            long::text(&text, cancel).map(Datum::Text)
        }
        _ => long::bytes(&bytes, cancel).map(Datum::Bytes),
    }
}
