//! Chunks: 1,024 consecutive row ids of a table, with their main block and their delta.
//!
//! # How it works
//! A chunk's state is one pointer to (main, delta), so readers get a consistent pair with one load. Writers change slots of
//! delta under the chunk's lock; merging, loading and evicting replace the pair under the same lock.
//!
//! # Why a reader never misses a version
//! - What a state's delta does not have and a later one has, began after the state was read, so no older snapshot sees it.
//! - A slot is emptied only by replacing the pair, with the row in the new main, or main to be read from the KV store.
//! - A block read from the KV store may be newer than a snapshot. Rows for which that matters are in delta, because nothing
//!   that a registered snapshot may still need leaves delta. So delta is looked at after the KV store, never before.
//! - A block is put into its place only if no merge or eviction came between (`generation`).
//! - A chunk is passed over by its zones ([`crate::zone`]) only without a delta: then main says the same to every snapshot.
//! - Columns of a [`Part`] may have been read at different times, but never across a generation: rows that differ are in delta.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::Mutex;

use crate::ahead::ends::Ends;
use crate::block::{CHUNK_ROWS, MainBlock, Part};
use crate::defs::TableDef;
use crate::version::Version;
use crate::zone::{Zone, Zones};

/// Slots made together: few, as random changes touch one here and one there.
const SEGMENT: usize = 16;
const SEGMENTS: usize = CHUNK_ROWS as usize / SEGMENT;
/// Slots of one word of bits.
const WORD: usize = u64::BITS as usize;
const WORDS: usize = CHUNK_ROWS as usize / WORD;

/// The newest version of a row. The first one there stays in its cell: most rows never get another, and an `ArcSwap`, whose every store
/// and drop looks at the readers of all threads, is made only for those that do.
#[derive(Default)]
struct Slot {
    first: OnceLock<Arc<Version>>,
    /// Counts more than `first`, once it is there.
    later: OnceLock<Box<ArcSwapOption<Version>>>,
}

impl Slot {
    #[inline]
    fn load(&self) -> Option<Arc<Version>> {
        match self.later.get() {
            Some(later) => later.load_full(),
            None => self.first.get().cloned(),
        }
    }

    /// Callers hold the chunk's lock.
    fn store(&self, version: Option<Arc<Version>>) {
        if let Some(later) = self.later.get() {
            return later.store(version);
        }
        let version = match version {
            // It comes back when there was one before.
            Some(version) => match self.first.set(version) {
                Ok(()) => return,
                Err(version) => Some(version),
            },
            None if self.first.get().is_none() => return,
            None => None,
        };
        let _ = self.later.set(Box::new(ArcSwapOption::new(version)));
    }
}

/// The changed rows of a chunk.
pub(crate) struct Delta {
    segments: [OnceLock<Box<[Slot]>>; SEGMENTS],
    /// Which slots ever had a version.
    occupied: [AtomicU64; WORDS],
}

impl Default for Delta {
    fn default() -> Delta {
        Delta {
            segments: std::array::from_fn(|_| OnceLock::new()),
            occupied: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl Delta {
    /// The newest version of a row.
    #[inline]
    pub(crate) fn head(&self, position: usize) -> Option<Arc<Version>> {
        let segment = self.segments[position / SEGMENT].get()?;
        segment[position % SEGMENT].load()
    }

    /// Replaces the newest version. Callers hold the chunk's lock.
    pub(crate) fn set_head(&self, position: usize, version: Option<Arc<Version>>) {
        let segment =
            self.segments[position / SEGMENT].get_or_init(|| (0..SEGMENT).map(|_| Slot::default()).collect());
        let occupied = version.is_some();
        segment[position % SEGMENT].store(version);
        if occupied {
            self.occupied[position / WORD].fetch_or(1 << (position % WORD), Ordering::Release);
        }
    }

    /// A delta of the newest versions of consecutive rows, not yet seen by anybody.
    pub(crate) fn of_versions(first: usize, versions: &[Arc<Version>]) -> Delta {
        let delta = Delta::default();
        let end = first + versions.len();
        for s in first / SEGMENT..end.div_ceil(SEGMENT) {
            let slot = |k: usize| {
                let version = (s * SEGMENT + k).checked_sub(first).and_then(|i| versions.get(i));
                let slot = Slot::default();
                slot.store(version.cloned());
                slot
            };
            let slots = (0..SEGMENT).map(slot).collect();
            let _ = delta.segments[s].set(slots);
        }
        for position in first..end {
            delta.occupied[position / WORD].fetch_or(1 << (position % WORD), Ordering::Release);
        }
        delta
    }

    /// Positions that have versions, ascending, with the newest.
    pub(crate) fn heads(&self) -> impl Iterator<Item = (u16, Arc<Version>)> + '_ {
        (0..WORDS).flat_map(move |word| {
            let mut bits = self.occupied[word].load(Ordering::Acquire);
            std::iter::from_fn(move || {
                (bits != 0).then(|| {
                    let bit = bits.trailing_zeros() as usize;
                    bits &= bits - 1;
                    word * WORD + bit
                })
            })
            .filter_map(|position| Some((position as u16, self.head(position)?)))
        })
    }
}

/// A consistent pair.
#[derive(Clone)]
pub(crate) struct ChunkState {
    /// None: not loaded.
    pub(crate) main: Option<Arc<MainBlock>>,
    /// Some columns of what main would have, for those who want no others. None beside main.
    pub(crate) part: Option<Part>,
    /// None: nothing changed.
    pub(crate) delta: Option<Arc<Delta>>,
    /// Rows that end otherwise than by delta ([`crate::ahead::ends`]). Mostly empty.
    pub(crate) ends: Vec<Arc<Ends>>,
    /// Counts replacements of `main`.
    pub(crate) generation: u64,
    /// Between which values columns of main lie, also while main is not loaded.
    pub(crate) zones: Option<Arc<Zones>>,
}

impl ChunkState {
    /// The block that has these columns, if it is in memory.
    #[inline]
    pub(crate) fn block(&self, def: &TableDef, columns: &[u16]) -> Option<&Arc<MainBlock>> {
        match (&self.main, &self.part) {
            (Some(main), _) if main.serves(def) => Some(main),
            (_, Some(part)) if part.has_all(columns) => Some(&part.block),
            _ => None,
        }
    }
}

/// A chunk.
pub(crate) struct Chunk {
    /// Serializes changes; rank: below nothing, held for no I/O.
    pub(crate) lock: Mutex<()>,
    pub(crate) state: ArcSwap<ChunkState>,
    pub(crate) referenced: AtomicBool,
    /// Rows read one by one from the KV store since main was last loaded that way.
    cold_reads: AtomicU32,
}

impl Chunk {
    pub(crate) fn new(main: Option<Arc<MainBlock>>) -> Chunk {
        Chunk {
            lock: Mutex::new(()),
            state: ArcSwap::from_pointee(ChunkState {
                main,
                part: None,
                delta: None,
                ends: Vec::new(),
                generation: 0,
                zones: None,
            }),
            referenced: AtomicBool::new(false),
            cold_reads: AtomicU32::new(0),
        }
    }

    /// The delta, made if need be. Callers hold the lock. True: it was made.
    pub(crate) fn delta(&self) -> (Arc<Delta>, bool) {
        let state = self.state.load();
        if let Some(delta) = &state.delta {
            return (Arc::clone(delta), false);
        }
        let delta = Arc::new(Delta::default());
        self.set_delta(Arc::clone(&delta));
        (delta, true)
    }

    /// Puts the first delta into its place. Callers hold the lock.
    pub(crate) fn set_delta(&self, delta: Arc<Delta>) {
        let state = self.state.load();
        self.state.store(Arc::new(ChunkState {
            delta: Some(delta),
            ..ChunkState::clone(&state)
        }));
    }

    /// Replaces main. Callers hold the lock.
    pub(crate) fn replace_main(&self, main: Option<Arc<MainBlock>>, delta: Option<Arc<Delta>>) {
        let ends = self.state.load().ends.clone();
        self.replace(main, delta, ends);
    }

    /// Replaces all of it. Callers hold the lock.
    pub(crate) fn replace(
        &self,
        main: Option<Arc<MainBlock>>,
        delta: Option<Arc<Delta>>,
        ends: Vec<Arc<Ends>>,
    ) {
        let generation = self.state.load().generation + 1;
        self.state.store(Arc::new(ChunkState {
            main,
            part: None,
            delta,
            ends,
            generation,
            zones: None,
        }));
    }

    /// Main was read, or is no longer in memory: its rows are what they were. Callers hold the lock.
    pub(crate) fn reload(&self, main: Option<Arc<MainBlock>>) {
        let state = self.state.load();
        self.state.store(Arc::new(ChunkState {
            main,
            part: None,
            generation: state.generation + 1,
            ..ChunkState::clone(&state)
        }));
    }

    /// Remembers the zone of a column of main as of a state.
    pub(crate) fn add_zone(&self, generation: u64, column: u16, zone: Option<Zone>) {
        let _guard = self.lock.lock();
        let state = self.state.load();
        let known = state.zones.as_ref().is_some_and(|zones| zones.knows(column));
        if known || state.generation != generation {
            return;
        }
        let zones = state.zones.as_ref().map(|zones| zones.with(column, zone));
        let zones = zones.unwrap_or_else(|| Zones::default().with(column, zone));
        self.state.store(Arc::new(ChunkState {
            zones: Some(Arc::new(zones)),
            ..ChunkState::clone(&state)
        }));
    }

    /// Replaces the part, which says nothing new. Callers hold the lock.
    pub(crate) fn set_part(&self, part: Part) {
        let state = self.state.load();
        self.state.store(Arc::new(ChunkState {
            part: Some(part),
            ..ChunkState::clone(&state)
        }));
    }

    /// Replaces the marks of rows that end. Callers hold the lock.
    pub(crate) fn set_ends(&self, ends: Vec<Arc<Ends>>) {
        let state = self.state.load();
        self.state.store(Arc::new(ChunkState {
            ends,
            ..ChunkState::clone(&state)
        }));
    }

    /// Counts reads from the KV store.
    pub(crate) fn read_cold(&self, cost: u32) {
        self.cold_reads.fetch_add(cost, Ordering::Relaxed);
    }

    /// True once `enough` reads were counted; then it counts anew.
    pub(crate) fn is_warm(&self, enough: u32) -> bool {
        let warm = self.cold_reads.load(Ordering::Relaxed) >= enough;
        if warm {
            self.cold_reads.store(0, Ordering::Relaxed);
        }
        warm
    }

    #[inline]
    pub(crate) fn touch(&self) {
        if !self.referenced.load(Ordering::Relaxed) {
            self.referenced.store(true, Ordering::Relaxed);
        }
    }
}

const FIRST_SEGMENT: u64 = 16;
const DIRECTORY: usize = 48;

/// All chunks of a table, made on demand, found by two loads.
pub(crate) struct Chunks {
    segments: [OnceLock<Box<[OnceLock<Arc<Chunk>>]>>; DIRECTORY],
}

impl Chunks {
    pub(crate) fn new() -> Chunks {
        Chunks {
            segments: std::array::from_fn(|_| OnceLock::new()),
        }
    }

    fn locate(number: u64) -> (usize, usize) {
        let shifted = number + FIRST_SEGMENT;
        let segment = shifted.ilog2() - FIRST_SEGMENT.ilog2();
        (segment as usize, (shifted - (FIRST_SEGMENT << segment)) as usize)
    }

    /// The chunk, if it exists.
    #[inline]
    pub(crate) fn get(&self, number: u64) -> Option<&Arc<Chunk>> {
        let (segment, offset) = Chunks::locate(number);
        self.segments.get(segment)?.get()?.get(offset)?.get()
    }

    /// The chunk, made by `make` if need be; None beyond 2^52 chunks.
    pub(crate) fn get_or_make(&self, number: u64, make: impl FnOnce() -> Chunk) -> Option<&Arc<Chunk>> {
        let (segment, offset) = Chunks::locate(number);
        let size = FIRST_SEGMENT << segment;
        let segment = self
            .segments
            .get(segment)?
            .get_or_init(|| (0..size).map(|_| OnceLock::new()).collect());
        Some(segment.get(offset)?.get_or_init(|| Arc::new(make())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_found_where_they_were_made() {
        assert_eq!(Chunks::locate(0), (0, 0));
        assert_eq!(Chunks::locate(15), (0, 15));
        assert_eq!(Chunks::locate(16), (1, 0));
        assert_eq!(Chunks::locate(48), (2, 0));
        let chunks = Chunks::new();
        assert!(chunks.get(100).is_none());
        let made = chunks.get_or_make(100, || Chunk::new(None)).map(Arc::as_ptr);
        assert!(made.is_some() && chunks.get(100).map(Arc::as_ptr) == made);
    }
}
