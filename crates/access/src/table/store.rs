//! The rows of one relation: chunks, counters, loading of blocks.

use std::collections::BTreeSet;
use std::ops::{Bound, ControlFlow};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use arc_swap::ArcSwapOption;
use common::{PgResult, RelationId, RowId, internal, pg_err};
use kv::{Direction, Keyspace};
use parking_lot::Mutex;
use txn::Stamp;

use crate::ahead::gate::{Dated, Gates};
use crate::ahead::heirs::HeirChunks;
use crate::block::{CHUNK_ROWS, MainBlock, Part};
use crate::cache::Evictable;
use crate::chunk::{Chunk, ChunkState, Chunks};
use crate::defs::{Persistence, TableDef};
use crate::pack::{self, StoredKey};
use crate::shared::{DeltaBytes, Shared};
use crate::table::activity::Counters;
use crate::table::stored::StoredRow;
use crate::toast::store::ToastStore;
use crate::version::{RowData, Version};
use crate::xids::BOOTSTRAP;

/// Single rows of a chunk read from the KV store before its block is loaded: loading costs about as much as so many.
const LOAD_AFTER_READS: u32 = 64;
/// A batch that wants so many rows is one of many.
const BATCH_ROWS_MANY: usize = 16;
/// As many of them does a row read out of a pack cost.
const PACK_READS: u32 = 4;

/// A relation's rows; one per relation and database, shared by all sessions.
pub(crate) struct TableStore {
    pub(crate) id: RelationId,
    pub(crate) shared: Arc<Shared>,
    chunks: Chunks,
    pub(crate) delta_bytes: DeltaBytes,
    /// The widest definition seen; merging needs one.
    pub(crate) def: ArcSwapOption<TableDef>,
    next_row: AtomicU64,
    /// True once rows went to the KV store otherwise than by checkpoints.
    loaded: AtomicBool,
    /// Row ids from here on are neither in the KV store nor of the program.
    pub(crate) stored_end: AtomicU64,
    /// Committed rows, as far as known.
    pub(crate) live_rows: AtomicI64,
    /// What transactions did, and what keeps the table in order.
    pub(crate) activity: Counters,
    /// Rows of transactions that run, for estimates.
    pub(crate) rows_in_flight: AtomicI64,
    /// Bytes that PostgreSQL's heap would have used for every version given a row id.
    pub(crate) heap_bytes: AtomicU64,
    /// When rows began that main and the KV store have, if not long ago.
    pub(crate) gates: Gates,
    /// Values that have left their rows.
    pub(crate) toast: ToastStore,
    /// Chunks whose rows have or had values beside.
    pub(crate) heirs: Mutex<HeirChunks>,
    /// Numbers of chunks with a delta. Rank: after a chunk's lock.
    pub(crate) dirty: Mutex<BTreeSet<u64>>,
    empty: Arc<MainBlock>,
}

/// What is known about a relation's size, kept in the KV store by checkpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TableCounters {
    pub(crate) live_rows: i64,
    pub(crate) heap_bytes: u64,
    pub(crate) next_row: u64,
    pub(crate) toast_bytes: u64,
}

impl TableStore {
    /// Opens a relation: one read of its last key.
    pub(crate) fn open(
        shared: &Arc<Shared>,
        id: RelationId,
        counters: Option<TableCounters>,
    ) -> PgResult<TableStore> {
        let mut end = Ok(0);
        let all = (Bound::Unbounded, Bound::Unbounded);
        shared
            .kv
            .range(Keyspace(id.0), all, Direction::Backward, &mut |key, value| {
                end = match StoredKey::of(key) {
                    Some(StoredKey::Row(row)) => Ok(row.0 + 1),
                    Some(StoredKey::Pack(first)) => pack::reach(value).map(|rows| first.0 + rows),
                    None => Err(pg_err!(DATA_CORRUPTED, "stored row has a damaged key")),
                };
                ControlFlow::Break(())
            })?;
        let stored_end = end?;
        let counters = counters.unwrap_or_default();
        Ok(TableStore {
            id,
            shared: Arc::clone(shared),
            chunks: Chunks::new(),
            delta_bytes: DeltaBytes::new(shared),
            def: ArcSwapOption::empty(),
            next_row: AtomicU64::new(stored_end.max(counters.next_row)),
            stored_end: AtomicU64::new(stored_end),
            loaded: AtomicBool::new(false),
            live_rows: AtomicI64::new(counters.live_rows),
            activity: Counters::default(),
            rows_in_flight: AtomicI64::new(0),
            heap_bytes: AtomicU64::new(counters.heap_bytes),
            gates: Gates::default(),
            toast: ToastStore::of_bytes(counters.toast_bytes),
            heirs: Mutex::default(),
            dirty: Mutex::default(),
            empty: Arc::new(MainBlock::empty()),
        })
    }

    /// Takes note of a definition: rows of the program take row ids, and the widest one is kept.
    pub(crate) fn learn(&self, def: &Arc<TableDef>) {
        let known = self.def.load();
        if known
            .as_ref()
            .is_some_and(|k| k.columns.len() >= def.columns.len())
        {
            return;
        }
        let builtin = def.builtin.as_ref().map_or(0, |b| b.row_count() as u64);
        if known.is_none() && builtin > 0 {
            let before = self.next_row.fetch_max(builtin, Ordering::AcqRel);
            self.stored_end.fetch_max(builtin, Ordering::AcqRel);
            if before == 0 {
                self.live_rows.fetch_add(builtin as i64, Ordering::Relaxed);
                self.heap_bytes.fetch_add(builtin * 100, Ordering::Relaxed);
            }
        }
        self.def.store(Some(Arc::clone(def)));
    }

    pub(crate) fn counters(&self) -> TableCounters {
        TableCounters {
            live_rows: self.live_rows.load(Ordering::Relaxed),
            heap_bytes: self.heap_bytes.load(Ordering::Relaxed),
            next_row: self.next_row.load(Ordering::Relaxed),
            toast_bytes: self.toast.bytes.load(Ordering::Relaxed).max(0) as u64,
        }
    }

    /// True when something was written since the changes of the last checkpoint were merged.
    pub(crate) fn changed_since_checkpoint(&self) -> bool {
        self.loaded.load(Ordering::Relaxed) || !self.dirty.lock().is_empty() || self.toast.has_changes()
    }

    pub(crate) fn next_row(&self) -> u64 {
        self.next_row.load(Ordering::Acquire)
    }

    /// Gives out `count` consecutive row ids.
    pub(crate) fn allocate(&self, count: u64) -> RowId {
        RowId(self.next_row.fetch_add(count, Ordering::AcqRel))
    }

    /// Gives out the row ids of a whole chunk.
    pub(crate) fn allocate_chunk(&self) -> RowId {
        let aligned = |next: u64| next.next_multiple_of(CHUNK_ROWS);
        let take = |next: u64| Some(aligned(next) + CHUNK_ROWS);
        match self
            .next_row
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, take)
        {
            Ok(next) | Err(next) => RowId(aligned(next)),
        }
    }

    /// Makes sure that a row id found in the log is not given out again.
    pub(crate) fn note_row(&self, row: RowId) {
        self.next_row.fetch_max(row.0 + 1, Ordering::AcqRel);
    }

    /// True when deletion must leave an empty value, because program rows lie below.
    pub(crate) fn is_builtin_row(&self, row: RowId) -> bool {
        match self.def.load().as_ref() {
            Some(def) => def.builtin.as_ref().is_some_and(|b| row.0 < b.row_count() as u64),
            None => self.is_catalog(),
        }
    }

    /// A relation that may have rows of the program.
    pub(crate) fn is_catalog(&self) -> bool {
        self.id.0 < u64::from(common::Oid::FIRST_NORMAL.0)
    }

    pub(crate) fn is_logged(&self) -> bool {
        self.def
            .load()
            .as_ref()
            .is_none_or(|d| d.persistence == Persistence::Permanent)
    }

    /// The chunk, if any row of it was ever touched or looked at.
    pub(crate) fn existing_chunk(&self, number: u64) -> Option<&Arc<Chunk>> {
        self.chunks.get(number)
    }

    /// The chunk with this number.
    #[inline]
    pub(crate) fn chunk(&self, number: u64) -> PgResult<&Arc<Chunk>> {
        if let Some(chunk) = self.chunks.get(number) {
            return Ok(chunk);
        }
        let make = || {
            // Recovery comes here before it is known where the rows of the program end.
            let end_known = self.def.load().is_some() || !self.is_catalog();
            let fresh = end_known && number * CHUNK_ROWS >= self.stored_end.load(Ordering::Acquire);
            Chunk::new(fresh.then(|| Arc::clone(&self.empty)))
        };
        self.chunks
            .get_or_make(number, make)
            .ok_or_else(|| internal!("row id out of range"))
    }

    /// A state with main loaded, in a form that has the columns of `def`.
    pub(crate) fn loaded(self: &Arc<Self>, number: u64, def: &TableDef) -> PgResult<Arc<ChunkState>> {
        let chunk = self.chunk(number)?;
        loop {
            let state = chunk.state.load_full();
            if state.main.as_ref().is_some_and(|main| main.serves(def)) {
                chunk.touch();
                return Ok(state);
            }
            let block = self.load_block(def, number, None)?;
            let bytes = block.memory_bytes();
            let block = Arc::new(block.with_charge(self.shared.cache.charge(bytes)));
            let weak = Arc::downgrade(&block);
            chunk.touch();
            if let Some(installed) = self.install(chunk, state.generation, block) {
                self.admit(number, weak);
                return Ok(installed);
            }
        }
    }

    /// A state with a block that has at least these columns, and the block. Of big tables others are not read.
    pub(crate) fn loaded_columns(
        self: &Arc<Self>,
        number: u64,
        def: &TableDef,
        columns: &[u16],
    ) -> PgResult<(Arc<ChunkState>, Arc<MainBlock>)> {
        let chunk = self.chunk(number)?;
        loop {
            let state = chunk.state.load_full();
            if let Some(block) = state.block(def, columns) {
                chunk.touch();
                let block = Arc::clone(block);
                return Ok((state, block));
            }
            let mut wanted = columns.to_vec();
            wanted.extend(state.part.iter().flat_map(|part| part.columns()));
            wanted.sort_unstable();
            wanted.dedup();
            if !self.is_read_in_parts(def, &wanted) {
                let state = self.loaded(number, def)?;
                let main = state.main.clone();
                let main = main.ok_or_else(|| internal!("a loaded chunk has no block"))?;
                return Ok((state, main));
            }
            let block = self.load_part(def, number, state.part.as_ref(), &wanted)?;
            let bytes = block.memory_bytes();
            let block = Arc::new(block.with_charge(self.shared.cache.charge(bytes)));
            let weak = Arc::downgrade(&block);
            chunk.touch();
            if self.install_part(chunk, &state, Part::new(block, &wanted)) {
                self.admit(number, weak);
            }
        }
    }

    /// Small tables and those with rows of the program are read whole.
    fn is_read_in_parts(&self, def: &TableDef, wanted: &[u16]) -> bool {
        let big = self.next_row() > self.shared.parts_from;
        let some = wanted.len() < def.columns.len();
        let known = wanted.iter().all(|&c| usize::from(c) < def.columns.len());
        big && some && known && def.builtin.is_none() && !self.is_catalog()
    }

    /// Reads the columns that `old` lacks of those wanted, or all of them if its rows are others.
    fn load_part(
        &self,
        def: &TableDef,
        number: u64,
        old: Option<&Part>,
        wanted: &[u16],
    ) -> PgResult<MainBlock> {
        if let Some(old) = old {
            let lacking = |c: &u16| !old.has_all(&[*c]);
            let lacking: Vec<u16> = wanted.iter().copied().filter(lacking).collect();
            let block = self.load_block(def, number, Some(&lacking))?;
            if let Some(block) = block.joined(old) {
                return Ok(block);
            }
        }
        self.load_block(def, number, Some(wanted))
    }

    /// Puts a part read since `before` into its place; false if something came between.
    fn install_part(&self, chunk: &Chunk, before: &ChunkState, part: Part) -> bool {
        let _guard = chunk.lock.lock();
        let now = chunk.state.load();
        let place = |state: &ChunkState| state.part.as_ref().map(|part| Arc::as_ptr(&part.block));
        let same = now.generation == before.generation && place(&now) == place(before);
        if same {
            chunk.set_part(part);
        }
        same
    }

    /// True when a batch that wants so many rows, some of a chunk, shall have its block read: other columns of it are in memory, there is
    /// room, or rows of it were read one by one often enough. Some columns cost about as much as a few rows.
    pub(crate) fn is_worth_loading(&self, chunk: &Chunk, state: &ChunkState, rows: usize) -> bool {
        chunk.read_cold(PACK_READS);
        let at_once = state.part.is_some() || self.shared.cache.has_room() && rows >= BATCH_ROWS_MANY;
        at_once || chunk.is_warm(LOAD_AFTER_READS)
    }

    /// Puts a chunk's block on the cache's clock. No lock of a chunk is held.
    pub(crate) fn admit(self: &Arc<Self>, number: u64, block: Weak<MainBlock>) {
        self.shared.cache.admit(Box::new(ChunkPlace {
            store: Arc::downgrade(self),
            number,
            block,
        }));
    }

    /// Row ids below `end` may be in the KV store before any checkpoint writes them.
    pub(crate) fn reserve_stored(&self, end: u64) {
        self.stored_end.fetch_max(end, Ordering::AcqRel);
        self.loaded.store(true, Ordering::Relaxed);
    }

    /// Row ids below `end` are used up, by rows that never were.
    pub(crate) fn reserve_void(&self, end: u64) {
        self.next_row.fetch_max(end, Ordering::AcqRel);
        self.stored_end.fetch_max(end, Ordering::AcqRel);
    }

    /// Puts the block of a chunk whose rows went straight to the KV store into its place.
    pub(crate) fn adopt_block(self: &Arc<Self>, number: u64, block: Arc<MainBlock>) -> PgResult<()> {
        let chunk = self.chunk(number)?;
        let state = chunk.state.load_full();
        let weak = Arc::downgrade(&block);
        if state.main.is_none() && self.install(chunk, state.generation, block).is_some() {
            self.admit(number, weak);
        }
        Ok(())
    }

    /// The same for a chunk of a table that others read: somebody may have looked and found it empty.
    pub(crate) fn replace_block(self: &Arc<Self>, number: u64, block: Arc<MainBlock>) -> PgResult<()> {
        let chunk = self.chunk(number)?;
        let weak = Arc::downgrade(&block);
        {
            let _guard = chunk.lock.lock();
            let delta = chunk.state.load().delta.clone();
            chunk.replace_main(Some(block), delta);
        }
        self.admit(number, weak);
        Ok(())
    }

    /// A version of a row that main or the KV store has, as it has been all along or since its gate opened. None: the gate never will.
    /// The caller holds the chunk's lock, and puts it there.
    pub(crate) fn base_version(self: &Arc<Self>, row: RowId, data: RowData) -> Option<Arc<Version>> {
        let version = match self.gates.find(row) {
            None => Arc::new(Version::base(data)),
            Some(gate) => {
                let version = Arc::new(Version::new(Stamp::NEVER, gate.command, data));
                let dated = Dated::Row(Arc::clone(self), row, Arc::clone(&version));
                if !gate.date(dated) {
                    return None;
                }
                version
            }
        };
        let chunk = self.existing_chunk(row.0 / CHUNK_ROWS);
        if let Some(chunk) = chunk
            && let Some(ends) = chunk.state.load().mark((row.0 % CHUNK_ROWS) as usize)
        {
            version.ends_by(ends.gate.command, ends.kind());
            version.set_forward(ends.place((row.0 % CHUNK_ROWS) as usize));
            ends.gate.date(Dated::RowEnd(Arc::clone(&version)));
        }
        Some(version)
    }

    fn install(&self, chunk: &Chunk, generation: u64, block: Arc<MainBlock>) -> Option<Arc<ChunkState>> {
        let _guard = chunk.lock.lock();
        let now = chunk.state.load();
        if now.generation != generation {
            return None;
        }
        chunk.reload(Some(block));
        Some(chunk.state.load_full())
    }

    /// What main and KV store say about a row, with the state it is consistent with. The block is loaded only for a chunk whose rows are
    /// asked for again and again.
    pub(crate) fn undisturbed(
        self: &Arc<Self>,
        row: RowId,
        def: &TableDef,
    ) -> PgResult<(Arc<ChunkState>, Option<RowData>)> {
        let number = row.0 / CHUNK_ROWS;
        let position = (row.0 % CHUNK_ROWS) as usize;
        let chunk = self.chunk(number)?;
        loop {
            let before = chunk.state.load_full();
            if let Some(main) = &before.main {
                if main.serves(def) {
                    chunk.touch();
                    let data = main
                        .contains(position)
                        .then(|| RowData::Block(Arc::clone(main), position as u16));
                    return Ok((before, data));
                }
            }
            let enough = if self.shared.cache.has_room() {
                LOAD_AFTER_READS
            } else {
                CHUNK_ROWS as u32
            };
            if chunk.is_warm(enough) {
                self.loaded(number, def)?;
                continue;
            }
            let data = match self.stored_row(row)? {
                StoredRow::Single(bytes) => {
                    chunk.read_cold(1);
                    Some(RowData::Bytes(bytes))
                }
                StoredRow::Packed(bytes) => {
                    chunk.read_cold(PACK_READS);
                    Some(RowData::Bytes(bytes))
                }
                StoredRow::Deleted => None,
                StoredRow::Absent => builtin_row(def, row)?,
            };
            let after = chunk.state.load_full();
            if after.generation == before.generation {
                return Ok((after, data));
            }
        }
    }

    /// Puts a version in front, under the chunk's lock, which the caller holds.
    pub(crate) fn push_version(&self, chunk: &Chunk, row: RowId, version: &Arc<Version>) {
        let (delta, made) = chunk.delta();
        if made {
            self.dirty.lock().insert(row.0 / CHUNK_ROWS);
        }
        self.delta_bytes.add(version.memory_bytes());
        delta.set_head((row.0 % CHUNK_ROWS) as usize, Some(Arc::clone(version)));
    }
}

fn builtin_row(def: &TableDef, row: RowId) -> PgResult<Option<RowData>> {
    let Some(builtin) = &def.builtin else {
        return Ok(None);
    };
    if row.0 >= builtin.row_count() as u64 {
        return Ok(None);
    }
    let columns = builtin.block((row.0 / CHUNK_ROWS) as usize)?;
    let rows = columns.first().map_or(0, |c| c.len());
    let block = Arc::new(crate::block::whole_block(columns, rows, BOOTSTRAP));
    Ok(Some(RowData::Block(block, (row.0 % CHUNK_ROWS) as u16)))
}

/// A chunk's main block on the cache's clock.
struct ChunkPlace {
    store: Weak<TableStore>,
    number: u64,
    block: Weak<MainBlock>,
}

impl ChunkPlace {
    fn holds_block(&self, chunk: &Chunk) -> bool {
        let state = chunk.state.load();
        let mine = |block: &Arc<MainBlock>| std::ptr::eq(Arc::as_ptr(block), self.block.as_ptr());
        state.main.as_ref().is_some_and(mine) || state.part.as_ref().is_some_and(|part| mine(&part.block))
    }
}

impl Evictable for ChunkPlace {
    fn evict(&self) {
        let Some(store) = self.store.upgrade() else { return };
        let Some(chunk) = store.existing_chunk(self.number) else {
            return;
        };
        let _guard = chunk.lock.lock();
        if self.holds_block(chunk) {
            chunk.reload(None);
        }
    }

    fn take_referenced(&self) -> bool {
        let Some(store) = self.store.upgrade() else {
            return false;
        };
        store
            .existing_chunk(self.number)
            .is_some_and(|chunk| chunk.referenced.swap(false, Ordering::Relaxed))
    }

    fn is_gone(&self) -> bool {
        let Some(store) = self.store.upgrade() else {
            return true;
        };
        !store
            .existing_chunk(self.number)
            .is_some_and(|chunk| self.holds_block(chunk))
    }
}
