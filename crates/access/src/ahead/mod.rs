//! Ahead of the commit: large insertions into relations that others see go straight into the KV store.
//!
//! See docs/adr/0010-ahead-of-the-commit.md.
//!
//! # How it works
//! 1. A transaction that has inserted many rows by columns ([`crate::StorageOptions::ahead_after_rows`]) begins a [`Load`]: a gate with its
//!    stamp ([`gate`]), known to the database. Each further batch takes the row ids of a whole chunk, so nobody else has rows there.
//! 2. The rows go into the KV store as packs, and their block becomes the chunk's main block. Index entries follow as packs where their
//!    keys ascend beyond all packs there are ([`crate::index::ahead`]); others wait in delta until there are many ([`entries`]).
//! 3. With the first bytes in the store there is a note of the load: its row ids, and the indexes that have entries of it. Batches are
//!    atomic and in order, so nothing of a load is ever in the store without its note.
//! 4. The commit makes the store durable, then writes one operation per load into its record: *stored*. Settling the gates makes all
//!    of it visible. The next checkpoint takes the note away.
//! 5. A rollback (whole or to a savepoint) makes the gate void: nobody ever sees what is behind it. The next checkpoint removes what
//!    the store has of it, then the note.
//! 6. Opening a database finds notes. Where the log says *stored*, all is well; else the load gets a void gate, as in 5.
//!
//! # Invariants
//! - A load belongs to one command between two savepoints, and its row ids are never used again while it has a note.
//! - Only the transaction itself changes what is behind its gate before the commit, and it does so in delta: checkpoints find no
//!   committed change in a chunk whose load is not settled.

pub(crate) mod ended;
pub(crate) mod ends;
pub(crate) mod entries;
pub(crate) mod gate;
pub(crate) mod heirs;
pub(crate) mod moves;
mod rows;
pub(crate) mod singles;
mod transaction;
mod writer;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use common::{Csn, PgResult, RelationId};
use kv::{Durability, WriteBatch};
use parking_lot::Mutex;
use rustc_hash::FxHashSet;

use crate::ahead::gate::Gate;
use crate::index::store::{EntryKey, IndexStore};
use crate::shared::Shared;
use crate::storage::meta::{self, LoadNote};
use crate::table::store::TableStore;

pub(crate) use transaction::Ahead;

/// Row ids of one command of a transaction, in the store ahead of its commit.
pub(crate) struct Load {
    pub(crate) table: Arc<TableStore>,
    pub(crate) gate: Arc<Gate>,
    /// How many rows, and their bytes in PostgreSQL's heap.
    pub(crate) rows: AtomicU64,
    pub(crate) heap_bytes: AtomicU64,
    /// A prepared transaction will decide, which nobody has taken up since the start.
    pub(crate) in_doubt: AtomicBool,
    parts: Mutex<Parts>,
}

/// Where the load has something.
#[derive(Default)]
struct Parts {
    rows: Vec<Range<u64>>,
    /// With the lowest entry.
    indexes: Vec<(Arc<IndexStore>, EntryKey)>,
}

impl Load {
    pub(crate) fn new(table: Arc<TableStore>, gate: Arc<Gate>) -> Load {
        Load {
            table,
            gate,
            rows: AtomicU64::new(0),
            heap_bytes: AtomicU64::new(0),
            in_doubt: AtomicBool::new(false),
            parts: Mutex::default(),
        }
    }

    /// Takes more row ids: from here on the gate is before them.
    pub(crate) fn add_rows(&self, rows: Range<u64>) {
        self.table.gates.add(rows.clone(), &self.gate);
        let mut parts = self.parts.lock();
        match parts.rows.last_mut() {
            Some(last) if last.end == rows.start => last.end = rows.end,
            _ => parts.rows.push(rows),
        }
    }

    /// An index gets entries of these rows, the lowest of which is `low`.
    pub(crate) fn add_entries(&self, index: &Arc<IndexStore>, rows: Range<u64>, low: &EntryKey) {
        index.gates.add(rows, &self.gate);
        self.note_entries(index, low);
    }

    /// An index is about to get entries in the store, the lowest of which is `low`. The gate is before their rows there.
    pub(crate) fn note_entries(&self, index: &Arc<IndexStore>, low: &EntryKey) {
        let mut parts = self.parts.lock();
        match parts.indexes.iter_mut().find(|(known, _)| known.id == index.id) {
            Some((_, lowest)) => {
                if low < lowest {
                    lowest.clone_from(low);
                }
            }
            None => parts.indexes.push((Arc::clone(index), low.clone())),
        }
    }

    /// Takes over what a note says, without a gate: everybody sees it.
    pub(crate) fn adopt_rows(&self, note: &LoadNote) {
        self.parts.lock().rows.clone_from(&note.rows);
    }

    /// How many separate ranges of row ids it has.
    pub(super) fn pieces(&self) -> usize {
        self.parts.lock().rows.len()
    }

    /// False: nothing of it is in the store, and its row ids may be given out again after a crash. So the log must not tell of it.
    pub(crate) fn has_rows(&self) -> bool {
        self.rows.load(Ordering::Relaxed) > 0
    }

    /// The chunk that came last, with all its row ids.
    pub(crate) fn last_chunk(&self) -> Option<Range<u64>> {
        let end = self.parts.lock().rows.last()?.end;
        Some(end - crate::block::CHUNK_ROWS..end)
    }

    /// What the log calls it: the relation and its first row id.
    pub(crate) fn name(&self) -> (RelationId, u64) {
        let first = self.parts.lock().rows.first().map_or(0, |rows| rows.start);
        (self.table.id, first)
    }

    /// Adds its note as it is now.
    fn put_note(&self, batch: &mut WriteBatch) {
        let parts = self.parts.lock();
        let note = LoadNote {
            relation: self.table.id,
            rows: parts.rows.clone(),
            indexes: parts.indexes.iter().map(|(index, _)| index.id).collect(),
        };
        meta::put_load(&note, batch);
    }

    /// Its row ids.
    pub(crate) fn ranges(&self) -> Vec<Range<u64>> {
        self.parts.lock().rows.clone()
    }

    /// The indexes that have entries of it, each with a key below which there are none.
    pub(crate) fn indexes(&self) -> Vec<(Arc<IndexStore>, EntryKey)> {
        self.parts.lock().indexes.clone()
    }
}

/// All loads of a database that have notes.
#[derive(Default)]
pub(crate) struct Loads {
    all: Mutex<Vec<Arc<Load>>>,
    /// Notes reach the store in the order in which they were made.
    order: Mutex<()>,
    /// Something ended since the last checkpoint.
    ended: AtomicBool,
}

impl Loads {
    pub(crate) fn add(&self, load: &Arc<Load>) {
        self.all.lock().push(Arc::clone(load));
    }

    /// Writes what belongs to these loads, with their notes.
    pub(crate) fn write<'a>(
        &self,
        shared: &Shared,
        loads: impl IntoIterator<Item = &'a Load>,
        mut batch: WriteBatch,
    ) -> PgResult<()> {
        let _order = self.order.lock();
        loads.into_iter().for_each(|load| load.put_note(&mut batch));
        Ok(shared.kv.write(batch, Durability::Eventual)?)
    }

    /// The database has ended: loads hold relations, which hold what they share, where the loads are.
    pub(crate) fn leave(&self) {
        drop(std::mem::take(&mut *self.all.lock()));
    }

    pub(crate) fn note_end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// True when a checkpoint has notes to take away.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Those that a checkpoint up to this CSN is to forget, and whether their rows are to go. It is about to.
    pub(crate) fn ended(&self, shared: &Shared, to: Csn) -> Vec<(Arc<Load>, bool)> {
        self.ended.store(false, Ordering::Relaxed);
        let all = self.all.lock();
        let fate = |load: &Arc<Load>| {
            if load.gate.is_void() {
                return (!load.in_doubt.load(Ordering::Acquire)).then_some(true);
            }
            let csn = shared.committed(&load.gate.begin);
            csn.is_some_and(|csn| csn <= to).then_some(false)
        };
        all.iter()
            .filter_map(|load| Some((Arc::clone(load), fate(load)?)))
            .collect()
    }

    pub(crate) fn forget(&self, gone: &[(Arc<Load>, bool)]) {
        let gone: FxHashSet<*const Load> = gone.iter().map(|(load, _)| Arc::as_ptr(load)).collect();
        self.all.lock().retain(|load| !gone.contains(&Arc::as_ptr(load)));
    }

    /// The load that the log calls so.
    pub(crate) fn find(&self, name: (RelationId, u64)) -> Option<Arc<Load>> {
        self.all.lock().iter().find(|load| load.name() == name).cloned()
    }
}
