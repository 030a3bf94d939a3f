//! Tables: the handle that the executor works with, and reading single rows.
//!
//! The way of a row is told in docs/internals/storage.md.

mod activity;
mod bulk;
mod checkpoint;
mod fetch;
mod lock;
mod merge;
mod scan;
mod size;
pub(crate) mod store;
pub(crate) mod stored;
mod system;
mod write;

use std::sync::Arc;

use common::{Csn, Oid, PgResult, RelationId, RowId};
use txn::{ReadTarget, Snapshot};
use types::{Datum, Vector};

pub use activity::{Activity, Asked, Done, Upkeep};
pub use bulk::Collector;
pub use lock::{LockOutcome, NewestLock, WaitPolicy};
pub use scan::{ScanDirection, ScanRequest, TableScan};
pub use size::{TableSize, heap_tuple_width};
pub use system::RowSystem;
pub use write::{Conflict, WriteOutcome};

use crate::ahead::ends::Fate;
use crate::block::{CHUNK_ROWS, MainBlock};
use crate::chunk::{Chunk, ChunkState};
use crate::defs::TableDef;
use crate::serial;
use crate::shared::Shared;
use crate::table::store::TableStore;
use crate::toast::store::Places;
use crate::version::RowData;
use txn::versions::visible;

/// A table, opened under a definition. Cheap to clone; shared by nobody in particular.
#[derive(Clone)]
pub struct Table {
    pub(crate) def: Arc<TableDef>,
    pub(crate) store: Arc<TableStore>,
}

/// What a snapshot sees of one row.
pub(crate) enum Found {
    Version(Arc<crate::version::Version>),
    Data(RowData),
}

impl Found {
    pub(crate) fn data(&self) -> &RowData {
        match self {
            Found::Version(version) => &version.data,
            Found::Data(data) => data,
        }
    }
}

impl Table {
    pub(crate) fn new(def: Arc<TableDef>, store: Arc<TableStore>) -> Table {
        store.learn(&def);
        Table { def, store }
    }

    /// Where the rows are.
    pub fn id(&self) -> RelationId {
        self.def.id
    }

    /// `pg_class.oid`.
    pub fn oid(&self) -> Oid {
        self.def.oid
    }

    /// The definition it was opened under.
    pub fn def(&self) -> &Arc<TableDef> {
        &self.def
    }

    /// Appends all columns of the row to `out`; false (and nothing) if the snapshot sees no such row.
    pub fn fetch(&self, row: RowId, snapshot: &Snapshot, out: &mut Vec<Datum>) -> PgResult<bool> {
        self.with_row(row, snapshot, |data| {
            let mut places = Places::new();
            data.row(&self.def, out, &mut places)?;
            self.store.fill(places, out)
        })
    }

    /// Appends the listed columns (0-based) of the row to `out`; false (and nothing) if the snapshot sees no such row.
    pub fn fetch_columns(
        &self,
        row: RowId,
        snapshot: &Snapshot,
        columns: &[u16],
        out: &mut Vec<Datum>,
    ) -> PgResult<bool> {
        self.with_row(row, snapshot, |data| self.read_columns(data, columns, out))
    }

    /// True when delta has anything: rows may be visible to some and not to others.
    pub(crate) fn has_changes(&self) -> bool {
        !self.store.dirty.lock().is_empty() || !self.store.gates.is_empty()
    }

    /// The CSN of the last change that some snapshot may lack; 0 if all are older, or in progress (the caller's own then: a lock
    /// keeps other writers out). A build that reads the table now suits snapshots from there on.
    pub(crate) fn newest_change(&self) -> Csn {
        let store = &self.store;
        let numbers: Vec<u64> = store.dirty.lock().iter().copied().collect();
        let mut newest = store.gates.newest(&store.shared);
        for chunk in numbers.into_iter().filter_map(|n| store.existing_chunk(n)) {
            let state = chunk.state.load_full();
            for ends in &state.ends {
                newest = newest.max(store.shared.committed(&ends.gate.begin).unwrap_or_default());
            }
            let Some(delta) = state.delta.clone() else {
                continue;
            };
            // Only the newest version matters: it was made by, or ended in, the row's last change.
            for (_, head) in delta.heads() {
                for stamp in [&head.begin, &head.end] {
                    if !Shared::never(stamp) {
                        newest = newest.max(store.shared.committed(stamp).unwrap_or_default());
                    }
                }
            }
        }
        if newest <= store.shared.manager.horizon() {
            newest = Csn(0);
        }
        newest
    }

    /// True if the snapshot sees the row.
    pub fn is_visible(&self, row: RowId, snapshot: &Snapshot) -> PgResult<bool> {
        self.with_row(row, snapshot, |_| Ok(()))
    }

    /// Where the newest version of a row is that the snapshot sees: updates of small tables move rows. None: it has gone.
    pub fn newest(&self, row: RowId, snapshot: &Snapshot) -> PgResult<Option<RowId>> {
        let mut at = row;
        while !self.is_visible(at, snapshot)? {
            let position = (at.0 % CHUNK_ROWS) as usize;
            let chunk = self.store.existing_chunk(at.0 / CHUNK_ROWS);
            let Some(state) = chunk.map(|chunk| chunk.state.load_full()) else {
                return Ok(None);
            };
            let next = match state.delta.as_ref().and_then(|delta| delta.head(position)) {
                Some(head) => head.forward(),
                None => state.mark(position).and_then(|ends| ends.place(position)),
            };
            match next {
                Some(to) if to != at => at = to,
                _ => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    /// Appends the listed columns of many rows to `out`, one vector per column, and the positions in `rows` of those the
    /// snapshot sees to `found`.
    pub fn fetch_batch(
        &self,
        rows: &[RowId],
        snapshot: &Snapshot,
        columns: &[u16],
        out: &mut [Vector],
        found: &mut Vec<u32>,
    ) -> PgResult<()> {
        if rows.len() >= fetch::BATCH_MIN && fetch::fetch_blocks(self, rows, snapshot, columns, out, found)? {
            return Ok(());
        }
        let mut scratch = Vec::with_capacity(columns.len());
        for (index, row) in rows.iter().enumerate() {
            let seen = self.with_row(*row, snapshot, |data| {
                match data {
                    RowData::Block(block, position) if block.toast().is_none() => {
                        push_block_row(block, &self.def, usize::from(*position), columns, out);
                        return Ok(());
                    }
                    _ => {}
                }
                scratch.clear();
                self.read_columns(data, columns, &mut scratch)?;
                out.iter_mut()
                    .zip(&scratch)
                    .for_each(|(vector, datum)| vector.push(datum));
                Ok(())
            })?;
            if seen {
                found.push(index as u32);
            }
        }
        Ok(())
    }

    fn read_columns(&self, data: &RowData, columns: &[u16], out: &mut Vec<Datum>) -> PgResult<()> {
        let mut places = Places::new();
        data.columns(&self.def, columns, out, &mut places)?;
        self.store.fill(places, out)
    }

    /// Calls `read` with what the snapshot sees of the row.
    #[inline]
    fn with_row(
        &self,
        row: RowId,
        snapshot: &Snapshot,
        read: impl FnOnce(&RowData) -> PgResult<()>,
    ) -> PgResult<bool> {
        match self.find(row, snapshot)? {
            Some(found) => read(found.data()).map(|()| true),
            None => Ok(false),
        }
    }

    /// What the snapshot sees of a row. Delta first; main or the KV store when delta has nothing.
    pub(crate) fn find(&self, row: RowId, snapshot: &Snapshot) -> PgResult<Option<Found>> {
        if row.0 >= self.store.next_row() {
            return Ok(None);
        }
        let position = (row.0 % CHUNK_ROWS) as usize;
        let chunk = self.store.chunk(row.0 / CHUNK_ROWS)?;
        if serial::is_watched(snapshot, self.def.oid, self.def.persistence) {
            self.tell_read(row, snapshot, chunk)?;
        }
        let state = chunk.state.load();
        let head = state.delta.as_ref().and_then(|delta| delta.head(position));
        if let Some(head) = head {
            return Ok(visible(&head, snapshot, self.store.shared.table()).map(Found::Version));
        }
        if let Some(main) = state.main.as_ref().filter(|main| main.serves(&self.def)) {
            chunk.touch();
            let data = || Found::Data(RowData::Block(Arc::clone(main), position as u16));
            let there = main.contains(position) && !self.hides(row, snapshot)?;
            return match state.fate(position, snapshot, self.store.shared.table()) {
                Fate::There => Ok(there.then(data)),
                Fate::Gone => Ok(None),
                Fate::Replaced => self.find_heir(row, snapshot, chunk, &state),
            };
        }
        drop(state);
        let (state, data) = self.store.undisturbed(row, &self.def)?;
        match state.delta.as_ref().and_then(|delta| delta.head(position)) {
            Some(head) => Ok(visible(&head, snapshot, self.store.shared.table()).map(Found::Version)),
            None if self.hides(row, snapshot)? => Ok(None),
            None => match state.fate(position, snapshot, self.store.shared.table()) {
                Fate::There => Ok(data.map(Found::Data)),
                Fate::Gone => Ok(None),
                Fate::Replaced => self.find_heir(row, snapshot, chunk, &state),
            },
        }
    }

    fn find_heir(
        &self,
        row: RowId,
        snapshot: &Snapshot,
        chunk: &Chunk,
        state: &ChunkState,
    ) -> PgResult<Option<Found>> {
        match self.store.heir(chunk, state, row)? {
            Some(heir) => Ok(heir.map(Found::Data)),
            None => self.find(row, snapshot),
        }
    }
}

impl Table {
    /// True when a gate keeps the snapshot from seeing a row found in main or the KV store.
    #[inline]
    fn hides(&self, row: RowId, snapshot: &Snapshot) -> PgResult<bool> {
        if self.store.gates.is_empty() {
            return Ok(false);
        }
        self.hides_now(row, snapshot)
    }

    fn hides_now(&self, row: RowId, snapshot: &Snapshot) -> PgResult<bool> {
        let table = self.store.shared.table();
        let Some(gate) = self.store.gates.hiding(row, snapshot, table) else {
            return Ok(false);
        };
        if serial::is_watched(snapshot, self.def.oid, self.def.persistence) {
            table.serial_passes(snapshot, &gate.begin)?;
        }
        Ok(true)
    }

    /// What a serializable transaction tells before it reads a row. The versions that it passes over are looked at again when it
    /// reads: what came in between finds the lock.
    #[cold]
    fn tell_read(&self, row: RowId, snapshot: &Snapshot, chunk: &Chunk) -> PgResult<()> {
        let table = self.store.shared.table();
        serial::reads(table, snapshot, ReadTarget::Row(self.def.oid.0, row))?;
        let position = (row.0 % CHUNK_ROWS) as usize;
        let state = chunk.state.load();
        match state.delta.as_ref().and_then(|delta| delta.head(position)) {
            Some(head) => serial::passes(table, snapshot, &head),
            None => Ok(()),
        }
    }
}

fn push_block_row(block: &MainBlock, def: &TableDef, position: usize, columns: &[u16], out: &mut [Vector]) {
    for (&column, vector) in columns.iter().zip(out) {
        match block.columns.get(usize::from(column)) {
            Some(source) => vector.push_from(source, position),
            None => vector.push(&def.missing_value(usize::from(column))),
        }
    }
}
