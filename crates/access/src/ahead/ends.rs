//! Rows that end: deletions of many rows as one bit each, instead of a version, and of their index entries as nothing at all.
//!
//! # How it works
//! 1. A command that deletes many rows of a transaction that has deleted many ([`crate::StorageOptions::ahead_after_rows`]) marks further ones: each
//!    chunk has, beside main and delta, [`Ends`], a bit for each row and a [`Gate`]. When the gate opens for a snapshot, the rows are gone for it. The
//!    same `Ends` stand in each index that is to lose entries of these rows: an entry ends with its row id.
//! 2. Marks concern rows and entries that main, leaves and the store have. What delta has counts more: where somebody needs a version of a marked row
//!    (to lock it, to wait for it), it gets its end from the gate.
//! 3. Before the commit the log gets one operation for all marks of a command ([`Deletion`]). A rollback takes them away.
//! 4. When no snapshot sees the rows any more, a checkpoint removes them from the store, their packs written anew, and goes through the indexes. One that
//!    comes earlier writes a note with the marks. Then a merge takes the rows out of main, drops the leaves of the indexes, and forgets the marks.
//!
//! Updates of many rows are marked alike; what the rows are then is in the store beside them ([`crate::ahead::heirs`]) or, where keys of indexes change,
//! under other row ids ([`crate::ahead::moves`]).
//!
//! # Invariants
//! - A chunk's marks change with its main and delta, in one pointer: readers get them together.
//! - An index forgets marks after its leaves are retired: who has found an entry and no mark looks whether its leaf is current.
//! - The row of a mark that counts has no way back: nobody changes it any more, and its id is never used again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use common::{Csn, PgResult, RelationId, RowId};
use kv::WriteBatch;
use parking_lot::Mutex;
use txn::{Snapshot, TxnTable};

use crate::ahead::gate::Gate;
use crate::ahead::moves::Places;
use crate::block::CHUNK_ROWS;
use crate::chunk::{Chunk, ChunkState};
use crate::index::store::IndexStore;
use crate::shared::Shared;
use crate::storage::meta;
use crate::table::store::TableStore;
use crate::transaction::redo::{RedoOp, put_varint, take_varint};
use crate::version::EndKind;

/// Words of a chunk's bits.
pub(crate) const WORDS: usize = CHUNK_ROWS as usize / u64::BITS as usize;
/// Commands that mark rows of one chunk at a time; others go by delta.
const MARKS_MAX: usize = 4;

/// Chunks of one operation.
const PART_CHUNKS: usize = 4096;

/// Bits of a chunk's rows.
pub(crate) type RowBits = [u64; WORDS];

/// The positions of set bits.
pub(crate) fn positions(bits: &RowBits) -> impl Iterator<Item = u16> + '_ {
    (0..CHUNK_ROWS as u16).filter(|position| has_bit(bits, usize::from(*position)))
}

pub(crate) fn has_bit(bits: &RowBits, position: usize) -> bool {
    bits[position / 64] & (1 << (position % 64)) != 0
}

fn no_bits() -> [AtomicU64; WORDS] {
    std::array::from_fn(|_| AtomicU64::new(0))
}

/// Rows of a chunk that end when a gate opens.
pub(crate) struct Ends {
    pub(crate) gate: Arc<Gate>,
    reason: Reason,
    bits: [AtomicU64; WORDS],
    /// Rows of which the store has what they are then ([`crate::ahead::heirs`]), if some are updated in place.
    heirs: Option<Box<[AtomicU64; WORDS]>>,
    /// Where rows have gone ([`crate::ahead::moves`]).
    places: Mutex<Places>,
}

/// Why rows are marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Deleted,
    /// Updated in place, in this way.
    Updated(EndKind),
    /// Updated, to other row ids.
    Moved(EndKind),
}

impl Reason {
    /// True where rows keep their ids.
    pub(crate) fn in_place(self) -> bool {
        matches!(self, Reason::Updated(_))
    }

    fn kind(self) -> EndKind {
        match self {
            Reason::Deleted => EndKind::Delete,
            Reason::Updated(kind) | Reason::Moved(kind) => kind,
        }
    }
}

impl Ends {
    fn new(gate: &Arc<Gate>, reason: Reason) -> Arc<Ends> {
        Arc::new(Ends {
            gate: Arc::clone(gate),
            reason,
            bits: no_bits(),
            heirs: reason.in_place().then(|| Box::new(no_bits())),
            places: Mutex::default(),
        })
    }

    /// Why its rows end.
    pub(crate) fn kind(&self) -> EndKind {
        self.reason.kind()
    }

    /// True when its rows are updated in place.
    pub(crate) fn is_update(&self) -> bool {
        self.reason.in_place()
    }

    /// Where a row has gone, if an update has moved it.
    pub(crate) fn place(&self, position: usize) -> Option<RowId> {
        self.places.lock().find(position, &self.bits())
    }

    /// True when the store has what the row is when the gate opens.
    #[inline]
    pub(crate) fn has_heir(&self, position: usize) -> bool {
        let word = self.heirs.as_ref().map(|heirs| &heirs[position / 64]);
        word.is_some_and(|word| word.load(Ordering::Acquire) & (1 << (position % 64)) != 0)
    }

    /// Callers hold the chunk's lock.
    pub(crate) fn set_heir(&self, position: usize) {
        if let Some(heirs) = &self.heirs {
            heirs[position / 64].fetch_or(1 << (position % 64), Ordering::Release);
        }
    }

    pub(crate) fn heir_bits(&self) -> RowBits {
        let bits = |word: usize| {
            self.heirs
                .as_ref()
                .map_or(0, |heirs| heirs[word].load(Ordering::Acquire))
        };
        std::array::from_fn(bits)
    }

    #[inline]
    pub(crate) fn has(&self, position: usize) -> bool {
        self.bits[position / 64].load(Ordering::Acquire) & (1 << (position % 64)) != 0
    }

    /// Callers hold the chunk's lock.
    fn set(&self, position: usize) {
        self.bits[position / 64].fetch_or(1 << (position % 64), Ordering::Release);
    }

    pub(crate) fn bits(&self) -> RowBits {
        std::array::from_fn(|word| self.bits[word].load(Ordering::Acquire))
    }
}

/// What a snapshot sees of a row that main or the store has, and delta has not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    There,
    Gone,
    /// It is updated: the store has what it is now.
    Replaced,
}

impl ChunkState {
    #[inline]
    pub(crate) fn fate(&self, position: usize, snapshot: &Snapshot, table: &TxnTable) -> Fate {
        match self.ends.is_empty() {
            true => Fate::There,
            false => self.fate_now(position, snapshot, table),
        }
    }

    #[cold]
    fn fate_now(&self, position: usize, snapshot: &Snapshot, table: &TxnTable) -> Fate {
        let ended = |ends: &&Arc<Ends>| ends.has(position) && ends.gate.is_open(snapshot, table);
        match self.ends.iter().find(ended) {
            None => Fate::There,
            Some(ends) if ends.has_heir(position) => Fate::Replaced,
            Some(_) => Fate::Gone,
        }
    }

    /// The marks of a gate.
    pub(crate) fn ends_of(&self, gate: &Arc<Gate>) -> Option<&Arc<Ends>> {
        self.ends.iter().find(|ends| Arc::ptr_eq(&ends.gate, gate))
    }

    /// The mark of a row, which counts or may come to.
    pub(crate) fn mark(&self, position: usize) -> Option<&Arc<Ends>> {
        let marks = |ends: &&Arc<Ends>| ends.has(position) && !ends.gate.is_void();
        self.ends.iter().find(marks)
    }

    /// The rows that are deleted by marks of this kind and that delta does not know better.
    pub(crate) fn ended_bits(&self, counts: impl Fn(&Gate) -> bool) -> Option<RowBits> {
        self.bits_of(|ends| (!ends.is_update() && counts(&ends.gate)).then(|| ends.bits()))
    }

    /// The same for rows of which the store has what they are now.
    pub(crate) fn replaced_bits(&self, counts: impl Fn(&Gate) -> bool) -> Option<RowBits> {
        self.bits_of(|ends| (ends.is_update() && counts(&ends.gate)).then(|| ends.heir_bits()))
    }

    fn bits_of(&self, bits: impl Fn(&Ends) -> Option<RowBits>) -> Option<RowBits> {
        let mut all: Option<RowBits> = None;
        for more in self.ends.iter().filter_map(|ends| bits(ends)) {
            let all = all.get_or_insert([0; WORDS]);
            for (word, bits) in all.iter_mut().zip(more) {
                *word |= bits;
            }
        }
        let mut all = all?;
        if let Some(delta) = &self.delta {
            for (position, _) in delta.heads() {
                all[usize::from(position) / 64] &= !(1 << (position % 64));
            }
        }
        Some(all)
    }
}

impl Chunk {
    /// The marks of a gate in this chunk, made if need be; None where there are too many. True: they were made. Callers hold the lock.
    fn ends_of(&self, of: &Deletion, max: usize) -> Option<(Arc<Ends>, bool)> {
        let gate = &of.gate;
        let state = self.state.load();
        if let Some(own) = state.ends_of(gate) {
            return Some((Arc::clone(own), false));
        }
        if state.ends.len() >= max {
            return None;
        }
        let new = Ends::new(gate, of.reason);
        let mut ends = state.ends.clone();
        ends.push(Arc::clone(&new));
        self.set_ends(ends);
        Some((new, true))
    }
}

/// Relation and first row: what a note is called.
pub(crate) type NoteName = (RelationId, u64);

/// The rows of a table that one command of a transaction has marked.
pub(crate) struct Deletion {
    pub(crate) table: Arc<TableStore>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) reason: Reason,
    pub(crate) rows: AtomicU64,
    marks: Mutex<BTreeMap<u64, Arc<Ends>>>,
    indexes: Mutex<Vec<Arc<Losses>>>,
    /// What the note is called that the store has of it: which rows it tells of is another matter after a crash.
    noted: OnceLock<NoteName>,
}

/// What an index loses.
struct Losses {
    index: Arc<IndexStore>,
    entries: AtomicI64,
    bytes: AtomicI64,
}

impl Losses {
    fn counts(&self) -> (i64, i64) {
        (
            self.entries.load(Ordering::Relaxed),
            self.bytes.load(Ordering::Relaxed),
        )
    }
}

impl Deletion {
    pub(crate) fn new(table: Arc<TableStore>, gate: Arc<Gate>, reason: Reason) -> Deletion {
        Deletion {
            table,
            gate,
            reason,
            rows: AtomicU64::new(0),
            marks: Mutex::default(),
            indexes: Mutex::default(),
            noted: OnceLock::new(),
        }
    }

    /// The rows that it tells others of: what else is updated delta and log have.
    fn bits_of(&self, ends: &Ends) -> RowBits {
        match self.reason.in_place() {
            true => ends.heir_bits(),
            false => ends.bits(),
        }
    }

    /// What its note is called: a row is marked once.
    fn name(&self) -> NoteName {
        let marks = self.marks.lock();
        let first = marks.iter().find_map(|(number, ends)| {
            let position = positions(&self.bits_of(ends)).next()?;
            Some(number * CHUNK_ROWS + u64::from(position))
        });
        (self.table.id, first.unwrap_or_default())
    }

    /// The kind of its note.
    fn note(&self) -> &'static [u8] {
        match self.reason.in_place() {
            true => meta::CHANGED,
            false => meta::ENDED,
        }
    }

    /// False when nothing is left to be told of it: delta and log have all that it did.
    fn tells(&self) -> bool {
        let marks = self.marks.lock();
        marks.values().any(|ends| self.bits_of(ends) != [0; WORDS])
    }

    /// Marks a row that main or the store has. False: others have marked too many. The caller holds the lock of its chunk.
    pub(crate) fn mark(&self, chunk: &Chunk, row: RowId) -> bool {
        self.mark_among(chunk, (row, None), MARKS_MAX)
    }

    /// The same for a row that goes elsewhere.
    pub(crate) fn mark_moved(&self, chunk: &Chunk, row: RowId, to: RowId) -> bool {
        self.mark_among(chunk, (row, Some(to)), MARKS_MAX)
    }

    fn mark_among(&self, chunk: &Chunk, (row, to): (RowId, Option<RowId>), max: usize) -> bool {
        let number = row.0 / CHUNK_ROWS;
        let Some((ends, made)) = chunk.ends_of(self, max) else {
            return false;
        };
        if made {
            self.table.dirty.lock().insert(number);
            self.marks.lock().insert(number, Arc::clone(&ends));
        }
        let position = (row.0 % CHUNK_ROWS) as usize;
        if let Some(to) = to {
            ends.places.lock().add(position, to, &ends.bits());
        }
        ends.set(position);
        self.rows.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// True when it has marked the row.
    pub(crate) fn has(&self, row: RowId) -> bool {
        let position = (row.0 % CHUNK_ROWS) as usize;
        let marks = self.marks.lock();
        marks
            .get(&(row.0 / CHUNK_ROWS))
            .is_some_and(|ends| ends.has(position))
    }

    /// An entry of a marked row ends with it. False, and nothing done, when too many others have marks there.
    pub(crate) fn end_entry(&self, index: &Arc<IndexStore>, key: &[u8], row: RowId) -> bool {
        let number = row.0 / CHUNK_ROWS;
        let Some(ends) = self.marks.lock().get(&number).cloned() else {
            return false;
        };
        if !index.ends.add(number, &ends, MARKS_MAX) {
            return false;
        }
        let losses = self.losses(index);
        losses.entries.fetch_add(1, Ordering::Relaxed);
        losses.bytes.fetch_add(key.len() as i64, Ordering::Relaxed);
        index.count(-1, key);
        true
    }

    fn losses(&self, index: &Arc<IndexStore>) -> Arc<Losses> {
        let mut all = self.indexes.lock();
        if let Some(known) = all.iter().find(|losses| losses.index.id == index.id) {
            return Arc::clone(known);
        }
        let losses = Arc::new(Losses {
            index: Arc::clone(index),
            entries: AtomicI64::new(0),
            bytes: AtomicI64::new(0),
        });
        all.push(Arc::clone(&losses));
        losses
    }

    /// Takes it all back.
    pub(crate) fn undo(&self) {
        self.table.shared.deletions.forget(|one| std::ptr::eq(one, self));
        self.gate.void();
        let marks = std::mem::take(&mut *self.marks.lock());
        for losses in self.indexes.lock().drain(..) {
            let index = &losses.index;
            let (entries, bytes) = losses.counts();
            index.lose(-entries, -bytes);
            index.ends.remove(|ends| Arc::ptr_eq(&ends.gate, &self.gate));
        }
        for number in marks.into_keys() {
            let Some(chunk) = self.table.existing_chunk(number) else {
                continue;
            };
            let _guard = chunk.lock.lock();
            let mut ends = chunk.state.load().ends.clone();
            ends.retain(|ends| !Arc::ptr_eq(&ends.gate, &self.gate));
            chunk.set_ends(ends);
        }
    }

    /// What its note and, of a deletion, the log call it, in strings of bounded length: indexes, then chunks with their bits.
    pub(crate) fn encode(&self) -> Vec<Vec<u8>> {
        self.encode_bits(&mut |_, ends| self.bits_of(ends))
    }

    /// The same with other bits.
    pub(crate) fn encode_bits(&self, bits_of: &mut dyn FnMut(u64, &Ends) -> RowBits) -> Vec<Vec<u8>> {
        let indexes = self.indexes.lock();
        let marks = self.marks.lock();
        let marks: Vec<(&u64, &Arc<Ends>)> = marks.iter().collect();
        let part = |(at, marks): (usize, &[(&u64, &Arc<Ends>)])| {
            let mut out = Vec::new();
            put_varint(indexes.len() as u64, &mut out);
            for losses in indexes.iter() {
                // Once: parts are taken one by one.
                let (entries, bytes) = if at == 0 { losses.counts() } else { (0, 0) };
                put_varint(losses.index.id.0, &mut out);
                put_varint(entries as u64, &mut out);
                put_varint(bytes as u64, &mut out);
            }
            for (number, ends) in marks {
                put_varint(**number, &mut out);
                let bits = bits_of(**number, ends);
                bits.iter()
                    .for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
            }
            out
        };
        marks.chunks(PART_CHUNKS).enumerate().map(part).collect()
    }

    /// The operation of such a string.
    pub(crate) fn op<'a>(&self, part: &'a [u8]) -> RedoOp<'a> {
        match self.reason.in_place() {
            true => RedoOp::RowsChanged(self.table.id, part),
            false => RedoOp::RowsEnded(self.table.id, part),
        }
    }

    /// Its chunks, with the rows of which the store has what they are now.
    pub(crate) fn heirs(&self) -> Vec<(u64, RowBits)> {
        let marks = self.marks.lock();
        marks
            .iter()
            .map(|(number, ends)| (*number, ends.heir_bits()))
            .collect()
    }

    /// Marks what the log says, in a database that nobody uses yet. Rows and entries that delta has are for the caller: it gets the former, and
    /// the bits for the latter.
    pub(crate) fn replay(
        &self,
        indexes: &[Arc<IndexStore>],
        marks: &Marks,
        in_delta: &mut dyn FnMut(RowId) -> PgResult<()>,
    ) -> PgResult<()> {
        for (number, bits) in &marks.chunks {
            let chunk = self.table.chunk(*number)?;
            for position in positions(bits) {
                let row = RowId(number * CHUNK_ROWS + u64::from(position));
                self.table.note_row(row);
                let guard = chunk.lock.lock();
                let state = chunk.state.load();
                let head = state
                    .delta
                    .as_ref()
                    .and_then(|delta| delta.head(usize::from(position)));
                self.mark_among(chunk, (row, None), usize::MAX);
                if let (None, Some(ends)) = (&head, chunk.state.load().ends_of(&self.gate)) {
                    ends.set_heir(usize::from(position));
                }
                drop(guard);
                if head.is_some() {
                    in_delta(row)?;
                }
            }
            if let Some(ends) = self.marks.lock().get(number) {
                for index in indexes {
                    index.ends.add(*number, ends, usize::MAX);
                }
            }
        }
        for index in indexes {
            self.losses(index);
        }
        Ok(())
    }
}

/// All deletions and updates by marks of a database whose rows the store has.
#[derive(Default)]
pub(crate) struct Deletions {
    all: Mutex<Vec<Arc<Deletion>>>,
    /// A checkpoint has something to do that readers wait for, or that takes room.
    has_work: AtomicBool,
}

/// What a checkpoint does about them.
#[derive(Default)]
pub(crate) struct Due {
    /// Nobody sees their rows: they go.
    pub(crate) gone: Vec<Arc<Deletion>>,
    /// Somebody does: they get notes.
    noted: Vec<Arc<Deletion>>,
}

/// Rows by tables or indexes, and by chunks.
type Ended<T> = BTreeMap<RelationId, (Arc<T>, BTreeMap<u64, RowBits>)>;

impl Due {
    /// Updates whose rows are to be put into their places.
    pub(crate) fn updates(&self) -> impl Iterator<Item = &Arc<Deletion>> {
        self.gone.iter().filter(|one| one.reason.in_place())
    }

    /// The rows to be removed, by tables, and the entries, by indexes.
    pub(crate) fn ended(&self) -> (Ended<TableStore>, Ended<IndexStore>) {
        let (mut tables, mut indexes) = (Ended::new(), Ended::new());
        for one in self.gone.iter().filter(|one| !one.reason.in_place()) {
            let marks = one.marks.lock();
            collect(&mut tables, (one.table.id, &one.table), &marks);
            for losses in one.indexes.lock().iter() {
                collect(&mut indexes, (losses.index.id, &losses.index), &marks);
            }
        }
        (tables, indexes)
    }

    /// Adds notes, and that others go.
    pub(crate) fn put_notes(&self, batch: &mut WriteBatch) {
        for one in &self.noted {
            meta::put_ended(one.note(), one.name(), &one.encode(), batch);
        }
        for one in &self.gone {
            if let Some(name) = one.noted.get() {
                meta::delete_ended(one.note(), *name, batch);
            }
        }
    }
}

fn collect<T>(all: &mut Ended<T>, (id, of): (RelationId, &Arc<T>), marks: &BTreeMap<u64, Arc<Ends>>) {
    let (_, chunks) = all.entry(id).or_insert_with(|| (Arc::clone(of), BTreeMap::new()));
    for (number, ends) in marks {
        let bits = chunks.entry(*number).or_insert([0; WORDS]);
        for (word, more) in bits.iter_mut().zip(ends.bits()) {
            *word |= more;
        }
    }
}

impl Deletions {
    /// See [`crate::ahead::Loads::leave`].
    pub(crate) fn leave(&self) {
        drop(std::mem::take(&mut *self.all.lock()));
    }

    /// There is something to do for the next checkpoint.
    pub(crate) fn note_work(&self) {
        self.has_work.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_work(&self) -> bool {
        self.has_work.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, deletion: &Arc<Deletion>) {
        self.all.lock().push(Arc::clone(deletion));
    }

    /// One that a note has told of.
    pub(crate) fn add_noted(&self, deletion: &Arc<Deletion>, name: NoteName) {
        deletion.noted.get_or_init(|| name);
        self.add(deletion);
    }

    fn forget(&self, gone: impl Fn(&Deletion) -> bool) {
        self.all.lock().retain(|one| !gone(one));
    }

    /// What a checkpoint up to a CSN does, when no snapshot is older than `horizon`.
    pub(crate) fn due(&self, shared: &Shared, to: Csn, horizon: Csn) -> Due {
        let mut due = Due::default();
        self.has_work.store(false, Ordering::Relaxed);
        for one in self.all.lock().iter() {
            match shared.committed(&one.gate.begin) {
                Some(csn) if csn <= to.min(horizon) => due.gone.push(Arc::clone(one)),
                Some(csn) if csn <= to && !one.tells() => due.gone.push(Arc::clone(one)),
                Some(csn) if csn <= to && one.noted.get().is_none() => due.noted.push(Arc::clone(one)),
                _ => {}
            }
        }
        due
    }

    /// The checkpoint is durable.
    pub(crate) fn done(&self, due: &Due) {
        for one in &due.noted {
            one.noted.get_or_init(|| one.name());
        }
        due.gone
            .iter()
            .for_each(|one| one.gate.stored.store(true, Ordering::Release));
        self.forget(|one| one.gate.stored.load(Ordering::Acquire));
    }
}

/// How much an index lost.
pub(crate) struct Lost {
    pub(crate) index: RelationId,
    pub(crate) entries: i64,
    pub(crate) bytes: i64,
}

/// A deletion as the log has it.
pub(crate) struct Marks {
    pub(crate) indexes: Vec<Lost>,
    pub(crate) chunks: Vec<(u64, RowBits)>,
}

impl Marks {
    /// All parts of a note.
    pub(crate) fn decode_all(parts: &[Vec<u8>]) -> PgResult<Marks> {
        let mut all = Marks {
            indexes: Vec::new(),
            chunks: Vec::new(),
        };
        for part in parts {
            let part = Marks::decode(part)?;
            all.indexes = part.indexes;
            all.chunks.extend(part.chunks);
        }
        Ok(all)
    }

    pub(crate) fn decode(mut bytes: &[u8]) -> PgResult<Marks> {
        let count = take_varint(&mut bytes)?;
        let lost = |bytes: &mut &[u8]| -> PgResult<Lost> {
            Ok(Lost {
                index: RelationId(take_varint(bytes)?),
                entries: take_varint(bytes)? as i64,
                bytes: take_varint(bytes)? as i64,
            })
        };
        let indexes: PgResult<Vec<Lost>> = (0..count).map(|_| lost(&mut bytes)).collect();
        let mut marks = Marks {
            indexes: indexes?,
            chunks: Vec::new(),
        };
        while !bytes.is_empty() {
            let number = take_varint(&mut bytes)?;
            let mut bits = [0; WORDS];
            for word in &mut bits {
                let (first, rest) = bytes.split_first_chunk::<8>().ok_or_else(|| {
                    common::pg_err!(DATA_CORRUPTED, "record of the write-ahead log is damaged")
                })?;
                (*word, bytes) = (u64::from_le_bytes(*first), rest);
            }
            marks.chunks.push((number, bits));
        }
        Ok(marks)
    }

    pub(crate) fn has(&self, row: RowId) -> bool {
        let number = row.0 / CHUNK_ROWS;
        let found = self.chunks.binary_search_by_key(&number, |(number, _)| *number);
        found.is_ok_and(|at| has_bit(&self.chunks[at].1, (row.0 % CHUNK_ROWS) as usize))
    }
}
