//! Moves: updates of many rows that change keys of indexes. Each row ends where it is, and begins anew elsewhere.
//!
//! See docs/adr/0013-changes-beyond-memory.md.
//!
//! # How it works
//! 1. A command that changes keys of many rows, of a transaction that has updated many, marks further ones as deletions do ([`crate::ahead::ends`]). What
//!    they become is inserted as a load does ([`crate::ahead`]): row ids of whole chunks, behind a gate. So the entries of all indexes of the table end with
//!    the old row, and new ones wait and are folded as those of a load ([`crate::ahead::entries`]).
//! 2. A new row gets its id at once, as index entries ask for it; its chunk goes into the store when it is full, and before the next command. Who asks for
//!    one of these rows in the same command, which sees none of them, has it stored first.
//! 3. Who finds a marked row, and is to go on with what it has become, finds its new place beside the mark ([`Places`]), and in the version that delta gets of it.
//!
//! # Invariants
//! - Marks and loads have one fate: both are undone with the same savepoint, and committed by one record.
//! - Places are kept as long as marks are: every snapshot that sees the old row has them. They are not in the log: no snapshot outlives the process.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{CommandId, PgResult, RelationId, RowId};
use txn::{RowLockMode, Snapshot};
use types::{Datum, Vector};

use crate::ahead::Load;
use crate::ahead::ends::{Reason, RowBits};
use crate::ahead::gate::Gate;
use crate::ahead::transaction::PIECES_MAX;
use crate::ahead::writer::ChunkRows;
use crate::block::{CHUNK_ROWS, whole_block};
use crate::table::Table;
use crate::transaction::Transaction;
use crate::transaction::writes::Write;
use crate::version::EndKind;

/// Where marked rows of a chunk have gone: mostly, to consecutive row ids in the order of their positions.
#[derive(Default)]
pub(crate) struct Places {
    /// Ascending positions, each with the new id of the row there. The marked rows up to the next one follow.
    runs: Vec<(u16, RowId)>,
}

impl Places {
    /// How many runs begin at or before a position.
    fn up_to(&self, position: usize) -> usize {
        self.runs
            .partition_point(|(start, _)| usize::from(*start) <= position)
    }

    /// The new id of the row at a position, of those marked.
    pub(super) fn find(&self, position: usize, marked: &RowBits) -> Option<RowId> {
        let (start, first) = self.runs[..self.up_to(position)].last()?;
        Some(RowId(first.0 + count(marked, usize::from(*start)..position)))
    }

    /// Adds a row that is about to be marked.
    pub(super) fn add(&mut self, position: usize, to: RowId, marked: &RowBits) {
        let at = self.up_to(position);
        let end = self
            .runs
            .get(at)
            .map_or(CHUNK_ROWS as usize, |(next, _)| usize::from(*next));
        let behind = (position + 1..end).find(|at| has(marked, *at));
        if self.find(position, marked) == Some(to) && behind.is_none() {
            return;
        }
        // Those behind it would be counted from it.
        let behind = behind.and_then(|next| Some((next as u16, self.find(next, marked)?)));
        let runs = [Some((position as u16, to)), behind];
        self.runs.splice(at..at, runs.into_iter().flatten());
    }
}

fn has(bits: &RowBits, position: usize) -> bool {
    crate::ahead::ends::has_bit(bits, position)
}

/// Set bits among some.
fn count(bits: &RowBits, among: std::ops::Range<usize>) -> u64 {
    let word = |(at, word): (usize, &u64)| {
        let from = among.start.saturating_sub(at * 64).min(64) as u32;
        let to = among.end.saturating_sub(at * 64).min(64) as u32;
        let below = |n: u32| 1_u64.checked_shl(n).map_or(u64::MAX, |bit| bit - 1);
        u64::from((word & below(to) & !below(from)).count_ones())
    };
    bits.iter().enumerate().map(word).sum()
}

/// Where rows go now: a chunk of a load, not in the store yet.
pub(crate) struct Moving {
    table: Table,
    load: Arc<Load>,
    command: CommandId,
    /// Its place in the write set; None: further rows belong to another load.
    write: Option<usize>,
    first: RowId,
    columns: Vec<Vector>,
    rows: usize,
}

impl Moving {
    /// The table.
    pub(super) fn table(&self) -> RelationId {
        self.table.store.id
    }

    /// Rows that come now go elsewhere.
    pub(super) fn cut(&mut self) {
        self.write = None;
    }

    /// True when rows of this command may still go there.
    pub(super) fn goes_on(&self, txn: &Transaction) -> bool {
        let since = txn.last_savepoint();
        self.command == txn.command() && self.write.is_some_and(|write| write >= since)
    }

    /// Its load, if the row is in the chunk.
    pub(super) fn load_with(&self, row: RowId) -> Option<Arc<Load>> {
        let chunk = self.first.0..self.first.0 + CHUNK_ROWS;
        chunk.contains(&row.0).then(|| Arc::clone(&self.load))
    }

    fn is_full(&self) -> bool {
        self.rows as u64 == CHUNK_ROWS
    }

    fn next(&self) -> RowId {
        RowId(self.first.0 + self.rows as u64)
    }

    fn push(&mut self, values: &[Datum]) {
        for (column, value) in self.columns.iter_mut().zip(values) {
            column.push(value);
        }
        self.rows += 1;
    }
}

impl Table {
    /// Updates a row by a mark and a row elsewhere, if it is one of many and nothing is in the way; its new place.
    pub(crate) fn move_ahead(
        &self,
        txn: &mut Transaction,
        snapshot: &Snapshot,
        row: RowId,
        values: &[Datum],
        (kind, mode): (EndKind, RowLockMode),
    ) -> PgResult<Option<RowId>> {
        if !txn.marks_rows(self.store.id, Reason::Moved(kind)) || !self.is_markable(snapshot, row) {
            return Ok(None);
        }
        if self.may_be_toasted(values) || self.def.builtin.is_some() || txn.fills(self.store.id) {
            return Ok(None);
        }
        let Some(to) = txn.next_place(self)? else {
            return Ok(None);
        };
        let chunk = self.store.chunk(row.0 / CHUNK_ROWS)?;
        let (state, data) = self.store.undisturbed(row, &self.def)?;
        let Some(data) = data.filter(|data| !data.has_places()) else {
            return Ok(None);
        };
        drop(data);
        let update = txn.marker_of(self, Reason::Moved(kind))?;
        {
            let _guard = chunk.lock.lock();
            if !self.is_free(txn, chunk, (row, state.generation), mode)? || !update.mark_moved(chunk, row, to)
            {
                return Ok(None);
            }
        }
        self.store.rows_in_flight.fetch_sub(1, Ordering::Relaxed);
        if let Some(moving) = &mut txn.ahead.moving {
            moving.push(values);
        }
        // After the way to the new place, as for rows that move otherwise.
        self.carry_lock(txn, row, to)?;
        Ok(Some(to))
    }
}

impl Transaction {
    /// The id of the next row of a table that moves. None: it does not, as there is a savepoint after few others.
    fn next_place(&mut self, table: &Table) -> PgResult<Option<RowId>> {
        let fits =
            |moving: &Moving, txn: &Transaction| moving.table() == table.store.id && moving.goes_on(txn);
        let mut load = None;
        if let Some(moving) = &self.ahead.moving {
            if fits(moving, self) {
                if !moving.is_full() {
                    return Ok(Some(moving.next()));
                }
                load = (moving.load.pieces() < PIECES_MAX).then(|| (Arc::clone(&moving.load), moving.write));
            } else if moving.command == self.command()
                && moving.table() == table.store.id
                && moving.rows < self.storage().options().ahead_rows_min
            {
                // A chunk for each is too much.
                self.ahead.forget_recent_updates();
                return Ok(None);
            }
        }
        self.store_moved()?;
        let (load, write) = match load {
            Some(known) => known,
            None => {
                self.note_store();
                let gate = Gate::new(self.stamp()?, self.command());
                let load = Arc::new(Load::new(Arc::clone(&table.store), gate));
                let write = self.write_count();
                self.record(Write::Load(Arc::clone(&load)), None)?;
                (load, Some(write))
            }
        };
        let first = load.take_chunk();
        self.ahead.moving = Some(Moving {
            table: table.clone(),
            load,
            command: self.command(),
            write,
            first,
            columns: table
                .def
                .columns
                .iter()
                .map(|phys| Vector::empty(*phys))
                .collect(),
            rows: 0,
        });
        Ok(Some(first))
    }

    /// The rows that are moving go into the store, or are on their way there.
    #[inline]
    pub(crate) fn store_moved(&mut self) -> PgResult<()> {
        match self.ahead.moving.take() {
            Some(moving) => self.store_moving(moving),
            None => Ok(()),
        }
    }

    fn store_moving(&mut self, moving: Moving) -> PgResult<()> {
        // A rollback to a savepoint has undone it.
        if moving.load.gate.is_void() || moving.rows == 0 {
            return Ok(());
        }
        let Moving {
            table,
            load,
            first,
            columns,
            rows,
            ..
        } = moving;
        let xid = self.stamp()?.xid().unwrap_or_default().0;
        load.rows.fetch_add(rows as u64, Ordering::Relaxed);
        table
            .store
            .rows_in_flight
            .fetch_add(rows as i64, Ordering::Relaxed);
        let columns = columns.into_iter().map(Arc::new).collect();
        let block = whole_block(columns, rows, xid);
        self.write_chunk(ChunkRows {
            table,
            load,
            first,
            rows,
            block,
        })
    }

    /// Somebody asks for a row in the command that has moved it there: it gets into the store.
    #[inline]
    pub(crate) fn store_moved_row(&mut self, table: &Table, row: RowId) -> PgResult<()> {
        let Some(gate) = table.store.gates.find(row) else {
            return Ok(());
        };
        if gate.command == self.command() && gate.begin.load() == self.txn()?.stamp() {
            self.store_moved()?;
            self.await_rows()?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn places_are_found_in_whatever_order_rows_were_marked() {
        let mut seed = 1_u64;
        let mut below = |n: u64| {
            seed = seed
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (seed >> 33) % n
        };
        for round in 0..300 {
            let (mut places, mut bits, mut known) = (Places::default(), RowBits::default(), BTreeMap::new());
            let mut to = 5000 + below(1000);
            let mut position = below(1024) as usize;
            for _ in 0..below(1024) {
                position = match below(20) {
                    0 => below(1024) as usize,
                    n if round % 2 == 0 => (position + n as usize % 3) % 1024,
                    _ => (position + 1) % 1024,
                };
                if has(&bits, position) {
                    continue;
                }
                to += if below(30) == 0 { 1024 } else { 1 };
                places.add(position, RowId(to), &bits);
                bits[position / 64] |= 1 << (position % 64);
                known.insert(position, RowId(to));
                if below(10) == 0 {
                    let found = |(at, to): (&usize, &RowId)| places.find(*at, &bits) == Some(*to);
                    assert!(known.iter().all(found), "{:?}", places.runs);
                }
            }
            for (at, to) in &known {
                assert_eq!(places.find(*at, &bits), Some(*to), "{:?}", places.runs);
            }
        }
        let mut places = Places::default();
        let mut bits = RowBits::default();
        for position in 0..1024 {
            places.add(position, RowId(2048 + position as u64), &bits);
            bits[position / 64] |= 1 << (position % 64);
        }
        assert_eq!(places.runs.len(), 1);
    }
}
