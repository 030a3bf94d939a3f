//! The entries of one index: delta, leaves, latches.
//!
//! # Invariants
//! - Entry key = memcomparable key, then the row id in 8 bytes, big-endian.
//! - An entry's versions change only under the latch of its key (without the row id). A latch may be held while a leaf is read
//!   from the KV store: it stops nobody but writers of keys with the same hash.
//! - Entries of built-in rows ([`BuiltinEntries`](crate::defs::BuiltinEntries)) are as if they were in the KV store. Where one was
//!   deleted, the KV store has [`TOMBSTONE`] instead of nothing; likewise for an entry of a pack ([`super::pack`]).
//! - The directory changes only under `directory_lock`, which is held for no I/O and under which no latch is taken.

use std::hash::{Hash, Hasher};
use std::ops::{Bound, ControlFlow};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Weak};

use arc_swap::{ArcSwap, ArcSwapOption};
use common::{CommandId, Csn, PgResult, RelationId, RowId, pg_err};
use kv::{Direction, Keyspace};
use parking_lot::{Mutex, MutexGuard};
use smallvec::SmallVec;
use txn::Stamp;

use crate::ahead::ended::EndedRows;
use crate::ahead::ends::Marks;
use crate::ahead::gate::{Dated, Gates};
use crate::cache::Evictable;
use crate::defs::{IndexDef, Persistence};
use crate::index::complete::Completeness;
use crate::index::delta::EntryVersion;
use crate::index::entries::EntryDelta;
use crate::index::leaf::{Directory, Gap, LEAF_LOAD, Leaf};
use crate::index::pack;
use crate::index::vacancy::{Found, Vacancy};
use crate::shared::{DeltaBytes, Shared};
use crate::storage::FIRST_RELATION;

/// Key and row id of an entry; short ones inline.
pub(crate) type EntryKey = SmallVec<[u8; INLINE_KEY]>;
const INLINE_KEY: usize = 24;
/// An entry of the KV store: key and value.
type StoredEntry = (EntryKey, Box<[u8]>);
/// The newest version of an entry; empty only for a moment, under the latch.
pub(crate) type EntryHead = ArcSwapOption<EntryVersion>;

/// Ended entries above the horizon that a scan passed over which make it worth while to look where the horizon is.
const PASSED_MANY: usize = 64;

/// The value of a built-in or packed entry that was deleted. No entry's value begins with this byte.
pub(crate) const TOMBSTONE: &[u8] = &[0xff];

const LATCHES: usize = 64;

/// An index's entries; one per index and database, shared by all sessions.
pub(crate) struct IndexStore {
    pub(crate) id: RelationId,
    pub(crate) shared: Arc<Shared>,
    pub(crate) def: ArcSwapOption<IndexDef>,
    pub(crate) delta_bytes: DeltaBytes,
    pub(crate) delta: EntryDelta,
    latches: [Mutex<()>; LATCHES],
    /// From the search for conflicting entries to the insertion; taken before a latch.
    pub(crate) exclusion: Mutex<()>,
    pub(crate) directory: ArcSwap<Directory>,
    pub(crate) directory_lock: Mutex<()>,
    /// Entries and their bytes, as far as known.
    pub(crate) entries: AtomicI64,
    pub(crate) bytes: AtomicI64,
    /// Whether some of it lies in packs.
    pub(crate) packed: AtomicBool,
    /// The last entry of all packs, once it was asked for. Changes under all latches.
    pub(crate) pack_end: Mutex<Option<EntryKey>>,
    pub(crate) vacancy: Vacancy,
    /// When entries began that leaves and the KV store have, if not long ago.
    pub(crate) gates: Gates,
    /// Rows that end otherwise than by delta, with their entries.
    pub(crate) ends: EndedRows,
    /// True once entries went to the KV store otherwise than by checkpoints.
    pub(crate) loaded: AtomicBool,
    /// Whom it is complete for.
    pub(crate) complete: Completeness,
}

/// What is known about an index's size, kept in the KV store by checkpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct IndexCounters {
    pub(crate) entries: i64,
    pub(crate) bytes: i64,
}

/// The row id at the end of an entry key.
pub(crate) fn entry_row(key: &[u8]) -> PgResult<RowId> {
    match key.last_chunk::<8>() {
        Some(bytes) => Ok(RowId(u64::from_be_bytes(*bytes))),
        None => Err(pg_err!(INDEX_CORRUPTED, "index entry is damaged")),
    }
}

/// The key of an entry without its row id.
pub(crate) fn entry_prefix(key: &[u8]) -> &[u8] {
    &key[..key.len().saturating_sub(8)]
}

pub(crate) fn entry_key(prefix: &[u8], row: RowId) -> EntryKey {
    let length = prefix.len() + 8;
    let mut inline = [0; INLINE_KEY];
    if length <= INLINE_KEY {
        inline[..prefix.len()].copy_from_slice(prefix);
        inline[prefix.len()..length].copy_from_slice(&row.0.to_be_bytes());
        return EntryKey::from_buf_and_len(inline, length);
    }
    let mut key = EntryKey::with_capacity(length);
    key.extend_from_slice(prefix);
    key.extend_from_slice(&row.0.to_be_bytes());
    key
}

/// The same key: `clone` goes byte by byte.
#[inline]
pub(crate) fn copy_of(key: &EntryKey) -> EntryKey {
    EntryKey::from_slice(key)
}

/// A leaf as it was found, with the epoch of its directory.
pub(crate) struct FoundLeaf {
    pub(crate) leaf: Arc<Leaf>,
    epoch: u64,
}

impl std::ops::Deref for FoundLeaf {
    type Target = Leaf;

    fn deref(&self) -> &Leaf {
        &self.leaf
    }
}

impl IndexStore {
    /// True when leaves tell all there is to say: nothing in delta, no gates, no marks.
    #[inline]
    pub(crate) fn is_quiet(&self) -> bool {
        self.delta.is_empty() && self.gates.is_empty() && self.ends.is_empty()
    }

    /// A scan passed over entries that had ended by these commits: counts those that nobody can see any more, which a merge would take away.
    pub(crate) fn note_passed(&self, ends: &[Csn]) {
        let horizon = self.shared.recent_horizon();
        let past = ends.iter().filter(|end| **end <= horizon).count();
        self.shared.passed_entries.fetch_add(past, Ordering::Relaxed);
        if ends.len() - past >= PASSED_MANY {
            // Perhaps it has moved; for the next scan.
            self.shared.horizon();
        }
    }

    /// True when nothing that the leaf lacks can have left delta since it was found. Asked after looking at delta. A leaf that was
    /// only evicted is as good as before until the next merge: else a cache too small for one leaf would stop all readers.
    #[inline]
    pub(crate) fn is_current(&self, found: &FoundLeaf) -> bool {
        !found.leaf.is_retired() || self.directory.load().epoch == found.epoch
    }

    /// Opens an index: a read to see whether the KV store has any of it.
    pub(crate) fn open(
        shared: &Arc<Shared>,
        id: RelationId,
        counters: Option<IndexCounters>,
    ) -> PgResult<IndexStore> {
        let has_any = |keyspace| -> PgResult<bool> {
            let mut any = false;
            let all = (Bound::Unbounded, Bound::Unbounded);
            shared.kv.range(keyspace, all, Direction::Forward, &mut |_, _| {
                any = true;
                ControlFlow::Break(())
            })?;
            Ok(any)
        };
        let packed = id >= FIRST_RELATION && has_any(pack::keyspace(id))?;
        // Indexes of system catalogs have built-in entries, which only a definition tells.
        let directory = if packed || id < FIRST_RELATION || has_any(Keyspace(id.0))? {
            Directory::default()
        } else {
            Directory::of_empty_index()
        };
        let counters = counters.unwrap_or_default();
        Ok(IndexStore {
            id,
            shared: Arc::clone(shared),
            def: ArcSwapOption::empty(),
            delta_bytes: DeltaBytes::new(shared),
            delta: EntryDelta::new(),
            latches: std::array::from_fn(|_| Mutex::new(())),
            exclusion: Mutex::new(()),
            directory: ArcSwap::from_pointee(directory),
            directory_lock: Mutex::new(()),
            entries: AtomicI64::new(counters.entries),
            bytes: AtomicI64::new(counters.bytes),
            packed: AtomicBool::new(packed),
            pack_end: Mutex::new(None),
            vacancy: Vacancy::default(),
            gates: Gates::default(),
            ends: EndedRows::default(),
            loaded: AtomicBool::new(false),
            complete: Completeness::default(),
        })
    }

    pub(crate) fn counters(&self) -> IndexCounters {
        IndexCounters {
            entries: self.entries.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn is_logged(&self) -> bool {
        self.def
            .load()
            .as_ref()
            .is_none_or(|d| d.persistence == Persistence::Permanent)
    }

    /// The latch of a key (without row id).
    pub(crate) fn latch(&self, prefix: &[u8]) -> &Mutex<()> {
        let mut hasher = rustc_hash::FxHasher::default();
        prefix.hash(&mut hasher);
        &self.latches[(hasher.finish() >> 32) as usize % LATCHES]
    }

    /// The latches of all keys. Nobody who has one asks for another, so this waits for no circle.
    pub(crate) fn all_latches(&self) -> [MutexGuard<'_, ()>; LATCHES] {
        std::array::from_fn(|i| self.latches[i].lock())
    }

    /// Puts a version in front of an entry's list. Callers hold the latch.
    pub(crate) fn push_version(&self, key: &EntryKey, version: &Arc<EntryVersion>) {
        self.push_after_search(key, version, None);
    }

    /// The same after a search for the key, which found no entry.
    pub(crate) fn push_after_search(
        &self,
        key: &EntryKey,
        version: &Arc<EntryVersion>,
        found: Option<Found>,
    ) {
        // Nearly every entry is new: it goes in with its version, as replacing one must look after readers in all threads.
        let mut is_new = false;
        let new = || {
            is_new = true;
            EntryHead::from(Some(Arc::clone(version)))
        };
        let entry = self.delta.get_or_insert_with(key, new);
        if !is_new {
            version.older.store(entry.value().load_full());
            entry.value().store(Some(Arc::clone(version)));
        }
        self.vacancy.fill(key, found);
        self.delta_bytes.add(version.memory_bytes(key));
        self.count(1, key);
    }

    /// A version of an entry that a leaf has, as it has been all along or since its gate opened. None: the gate never will. The caller
    /// holds the latch, and puts it there.
    pub(crate) fn base_version(
        self: &Arc<Self>,
        key: &EntryKey,
        value: &[u8],
    ) -> PgResult<Option<Arc<EntryVersion>>> {
        let Some(gate) = self.gates.find(entry_row(key)?) else {
            let version = EntryVersion::new(Stamp::FROZEN, CommandId(0), value.into());
            return Ok(Some(Arc::new(version)));
        };
        let version = Arc::new(EntryVersion::new(Stamp::NEVER, gate.command, value.into()));
        let dated = Dated::Entry(Arc::clone(self), key.clone(), Arc::clone(&version));
        Ok(gate.date(dated).then_some(version))
    }

    /// Entries that delta has of rows that have ended, in a database that nobody uses yet.
    pub(crate) fn delta_entries_of(&self, marks: &Marks) -> PgResult<Vec<EntryKey>> {
        let mut found = Vec::new();
        for entry in self.delta.iter() {
            if marks.has(entry_row(entry.key())?) {
                found.push(copy_of(entry.key()));
            }
        }
        Ok(found)
    }

    /// Counts entries that are gone.
    pub(crate) fn lose(&self, entries: i64, bytes: i64) {
        self.entries.fetch_sub(entries, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn count(&self, sign: i64, key: &[u8]) {
        self.entries.fetch_add(sign, Ordering::Relaxed);
        self.bytes.fetch_add(sign * key.len() as i64, Ordering::Relaxed);
    }

    /// Takes a version of a running transaction back.
    pub(crate) fn undo_insert(&self, key: &EntryKey, version: &Arc<EntryVersion>) {
        let _latch = self.latch(entry_prefix(key)).lock();
        version.begin.set(Stamp::NEVER);
        version.end.set(Stamp::NEVER);
        if let Some(entry) = self.delta.get(key) {
            let older = version.older.load_full();
            let gone = older.is_none();
            entry.value().store(older);
            if gone {
                entry.remove();
            }
        }
        self.delta_bytes.sub(version.memory_bytes(key));
        self.count(-1, key);
    }

    /// The loaded leaf of a key, read if need be.
    #[inline]
    pub(crate) fn leaf_at(self: &Arc<Self>, key: &[u8]) -> PgResult<FoundLeaf> {
        loop {
            let directory = self.directory.load();
            let gap = match directory.find(key) {
                Ok(leaf) => {
                    leaf.touch();
                    return Ok(FoundLeaf {
                        leaf: Arc::clone(leaf),
                        epoch: directory.epoch,
                    });
                }
                Err(gap) => gap,
            };
            let epoch = directory.epoch;
            drop(directory);
            if let Some(leaf) = self.load(gap, Direction::Forward, Some(key), epoch)? {
                return Ok(FoundLeaf { leaf, epoch });
            }
        }
    }

    /// The loaded leaf of the keys just below `key` (None: the last ones).
    pub(crate) fn leaf_below(self: &Arc<Self>, key: Option<&[u8]>) -> PgResult<FoundLeaf> {
        loop {
            let directory = self.directory.load();
            let gap = match directory.find_below(key) {
                Ok(leaf) => {
                    leaf.touch();
                    return Ok(FoundLeaf {
                        leaf: Arc::clone(leaf),
                        epoch: directory.epoch,
                    });
                }
                Err(gap) => gap,
            };
            let epoch = directory.epoch;
            drop(directory);
            if let Some(leaf) = self.load(gap, Direction::Backward, key, epoch)? {
                return Ok(FoundLeaf { leaf, epoch });
            }
        }
    }

    /// Reads a leaf's worth from a gap, from `key` on in the direction, and puts it into the directory.
    fn load(
        self: &Arc<Self>,
        gap: Gap,
        direction: Direction,
        key: Option<&[u8]>,
        epoch: u64,
    ) -> PgResult<Option<Arc<Leaf>>> {
        let bound = |key: &EntryKey| key.clone();
        let (low, high) = match (direction, key) {
            (Direction::Forward, Some(key)) => (EntryKey::from_slice(key), gap.high.as_ref().map(bound)),
            (Direction::Backward, Some(key)) => (gap.low.clone(), Some(EntryKey::from_slice(key))),
            (_, None) => (gap.low.clone(), gap.high.clone()),
        };
        if self.packed.load(Ordering::Acquire) {
            return self.load_packed(&gap, (low, high), direction, key, epoch);
        }
        let (found, low, high) = self.read_singles(low, high, direction)?;
        self.leaf_of(found, &[], low, high, epoch)
    }

    /// The same where packs are: the leaf stands for all that one pack stands for, as far as it lies in the gap. (The packs never
    /// change; so it does not matter that they are not read at the same time as the single entries.)
    fn load_packed(
        self: &Arc<Self>,
        gap: &Gap,
        (from, to): (EntryKey, Option<EntryKey>),
        direction: Direction,
        key: Option<&[u8]>,
        epoch: u64,
    ) -> PgResult<Option<Arc<Leaf>>> {
        let pack = match (direction, key) {
            (Direction::Forward, key) => self.pack_of(Some(key.unwrap_or(&gap.low)), false)?,
            (Direction::Backward, key) => self.pack_of(key.or(gap.high.as_deref()), true)?,
        };
        let next = self.next_pack(pack.as_ref())?;
        let begin = pack.as_ref().map_or(EntryKey::new(), |pack| pack.first.clone());
        let low = gap.low.clone().max(begin.clone());
        let end = [gap.high.clone(), next.clone()].into_iter().flatten().min();
        let (mut found, mut low, mut high) = self.read_singles(low, end.clone(), Direction::Forward)?;
        if high != end {
            // Many entries are newer than the pack: a part of them, where they are wanted.
            let to = [to, next].into_iter().flatten().min();
            (found, low, high) = self.read_singles(from.max(begin), to, direction)?;
        }
        let packed = match &pack {
            Some(pack) => pack.entries(&low, high.as_ref())?,
            None => Vec::new(),
        };
        self.leaf_of(found, &packed, low, high, epoch)
    }

    /// Single entries of a range, in order, and the range that they are all the entries of: a leaf's worth from the end where the
    /// direction begins.
    fn read_singles(
        &self,
        mut low: EntryKey,
        mut high: Option<EntryKey>,
        direction: Direction,
    ) -> PgResult<(Vec<StoredEntry>, EntryKey, Option<EntryKey>)> {
        let mut found: Vec<StoredEntry> = Vec::new();
        let bounds = (
            Bound::Included(low.as_slice()),
            high.as_ref()
                .map_or(Bound::Unbounded, |h| Bound::Excluded(h.as_slice())),
        );
        let mut more = false;
        self.shared
            .kv
            .range(Keyspace(self.id.0), bounds, direction, &mut |key, value| {
                more = found.len() == LEAF_LOAD;
                if more {
                    return ControlFlow::Break(());
                }
                found.push((EntryKey::from_slice(key), value.into()));
                ControlFlow::Continue(())
            })?;
        if let (true, Some((last, _))) = (more, found.last()) {
            match direction {
                Direction::Forward => {
                    // The smallest key above the last one read.
                    let mut above = last.clone();
                    above.push(0);
                    high = Some(above);
                }
                Direction::Backward => low = last.clone(),
            }
        }
        if direction == Direction::Backward {
            found.reverse();
        }
        Ok((found, low, high))
    }

    /// Installs the leaf of a range: its single entries over those of a pack or the built-in ones.
    fn leaf_of(
        self: &Arc<Self>,
        found: Vec<StoredEntry>,
        packed: &[StoredEntry],
        low: EntryKey,
        high: Option<EntryKey>,
        epoch: u64,
    ) -> PgResult<Option<Arc<Leaf>>> {
        let def = self.def.load();
        let below = match def.as_ref().and_then(|d| d.builtin.as_ref()) {
            Some(builtin) => {
                let from = builtin.entries.partition_point(|(key, _)| *key < low);
                let to = high.as_ref().map_or(builtin.entries.len(), |high| {
                    builtin.entries.partition_point(|(key, _)| key < high)
                });
                builtin.entries.get(from..to).unwrap_or_default()
            }
            None => packed,
        };
        let mut leaf = Leaf::new(low, high);
        let mut found = found.iter().peekable();
        let mut push = |(key, value): &StoredEntry| {
            if value.as_ref() != TOMBSTONE {
                leaf.push(key, value);
            }
        };
        for entry in below {
            while let Some(before) = found.next_if(|(key, _)| *key < entry.0) {
                push(before);
            }
            push(found.next_if(|(key, _)| *key == entry.0).unwrap_or(entry));
        }
        found.for_each(push);
        Ok(self.install(leaf, epoch))
    }

    /// True for entries whose absence the KV store must tell.
    pub(crate) fn is_builtin(&self, key: &[u8]) -> bool {
        if self.id >= FIRST_RELATION {
            return false;
        }
        let def = self.def.load();
        let rows = def.as_ref().map(|d| d.builtin.as_ref().map_or(0, |b| b.rows));
        // Not opened since the start: better a tombstone too many.
        match (rows, entry_row(key)) {
            (Some(rows), Ok(row)) => row.0 < rows,
            _ => true,
        }
    }

    fn install(self: &Arc<Self>, mut leaf: Leaf, epoch: u64) -> Option<Arc<Leaf>> {
        leaf.set_charge(self.shared.cache.charge(leaf.memory_bytes()));
        let leaf = Arc::new(leaf);
        {
            let _guard = self.directory_lock.lock();
            let directory = self.directory.load_full();
            // Somebody else may have filled (part of) the gap, or a merge may have come between: the caller looks again.
            let free = match directory.find(&leaf.low) {
                Ok(_) => false,
                Err(gap) => match (&gap.high, &leaf.high) {
                    (None, _) => true,
                    (Some(limit), Some(high)) => high <= limit,
                    (Some(_), None) => false,
                },
            };
            if directory.epoch != epoch || !free {
                return None;
            }
            self.directory.store(Arc::new(directory.with(Arc::clone(&leaf))));
        }
        self.admit(&leaf);
        Some(leaf)
    }

    /// Puts a leaf on the cache's clock. The directory lock is not held.
    pub(crate) fn admit(self: &Arc<Self>, leaf: &Arc<Leaf>) {
        self.shared.cache.admit(Box::new(LeafPlace {
            store: Arc::downgrade(self),
            leaf: Arc::downgrade(leaf),
        }));
    }
}

/// A leaf on the cache's clock.
struct LeafPlace {
    store: Weak<IndexStore>,
    leaf: Weak<Leaf>,
}

impl Evictable for LeafPlace {
    fn evict(&self) {
        let (Some(store), Some(leaf)) = (self.store.upgrade(), self.leaf.upgrade()) else {
            return;
        };
        let _guard = store.directory_lock.lock();
        let directory = store.directory.load_full();
        if let Some(without) = directory.without(&leaf) {
            store.directory.store(Arc::new(without));
            leaf.retire();
        }
    }

    fn take_referenced(&self) -> bool {
        self.leaf.upgrade().is_some_and(|leaf| leaf.take_referenced())
    }

    fn is_gone(&self) -> bool {
        self.leaf.upgrade().is_none_or(|leaf| leaf.is_retired())
    }
}
