//! Rows inserted one by one, into the KV store ahead of the commit once there are many.
//!
//! See docs/adr/0013-changes-beyond-memory.md.
//!
//! # How it works
//! 1. A transaction that has inserted many rows one by one ([`crate::StorageOptions::ahead_after_rows`]) takes the row ids of whole chunks for further
//!    ones, for each table its own. Rows and entries are in delta and in the write set as ever; but the log gets them with the commit.
//! 2. When the chunks that are full have [`crate::StorageOptions::ahead_singles`] rows, they go: the rows into the store as packs, behind a gate that has
//!    the last of the commands that inserted them; their entries join those that wait for that ([`crate::ahead::entries`]). Delta and write set lose both.
//! 3. What is left in delta by the commit, the log gets then.
//!
//! # Invariants
//! - A chunk goes as a whole, but for rows that the transaction has changed again or that have values elsewhere: these stay in delta. All that was
//!   ever inserted into it came after the last savepoint that may be rolled back to, as what undoes the load undoes all of it.
//! - Rows of different commands go behind one gate only while no snapshot of the transaction sees some of them and not the others.
//! - Versions that leave delta keep their stamps. Others who still have them found them before the commit, and do not see them
//!   (`txn::AtomicStamp::resolve`); the transaction itself goes on seeing them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{CommandId, PgResult, RelationId, RowId};
use kv::WriteBatch;
use rustc_hash::FxHashMap;
use txn::Stamp;

use crate::ahead::Load;
use crate::ahead::ends::{RowBits, has_bit};
use crate::ahead::entries::Waiting;
use crate::ahead::gate::Gate;
use crate::ahead::transaction::{EARLY_FACTOR, PIECES_MAX};
use crate::block::CHUNK_ROWS;
use crate::chunk::Delta;
use crate::index::store::{IndexStore, entry_row};
use crate::pack::PACK_ROWS;
use crate::shared::Shared;
use crate::storage::{BATCH_BYTES, FIRST_RELATION};
use crate::table::Table;
use crate::transaction::Transaction;
use crate::transaction::writes::Write;
use crate::version::Version;

/// What a transaction inserts one by one.
#[derive(Default)]
pub(crate) struct Singles {
    /// All of them.
    rows: usize,
    /// Those tables that got some once there were many.
    tables: Vec<OfTable>,
    /// The place of the one that got the last.
    recent: usize,
    /// The last one, if the log gets it with the commit.
    latest: Option<(RelationId, RowId)>,
    /// Rows of full chunks, and how many there must be for the next attempt.
    full: usize,
    next: usize,
    /// The log lacks some.
    unlogged: bool,
}

/// Those of one table.
struct OfTable {
    table: Table,
    rows: usize,
    /// The chunk that is being filled, and its row ids that are not in use.
    filling: Option<Filled>,
    free: std::ops::Range<u64>,
    full: Vec<Filled>,
}

/// A chunk of the transaction's own.
#[derive(Clone, Copy)]
struct Filled {
    number: u64,
    /// The write set had so many writes when the first row came, or more.
    begun: usize,
}

/// The rows of a chunk that can go.
struct Ripe {
    number: u64,
    rows: Vec<(RowId, Arc<Version>)>,
    /// The first and the last of their commands.
    commands: (CommandId, CommandId),
}

/// Rows that have gone, by chunks, and whose they are now.
type Gone = FxHashMap<(RelationId, u64), (Arc<Load>, RowBits)>;

impl Singles {
    /// The place of a table.
    fn of(&mut self, table: &Table) -> usize {
        let id = table.store.id;
        if self
            .tables
            .get(self.recent)
            .is_none_or(|of| of.table.store.id != id)
        {
            let known = self.tables.iter().position(|of| of.table.store.id == id);
            self.recent = known.unwrap_or(self.tables.len());
            if known.is_none() {
                self.tables.push(OfTable {
                    table: table.clone(),
                    rows: 0,
                    filling: None,
                    free: 0..0,
                    full: Vec::new(),
                });
            }
        }
        self.recent
    }

    /// True if the log lacks some; from here on it does not.
    pub(crate) fn take_unlogged(&mut self) -> bool {
        self.latest = None;
        std::mem::take(&mut self.unlogged)
    }

    /// The write set was cut.
    pub(crate) fn cut(&mut self, end: usize) {
        self.latest = None;
        for of in &mut self.tables {
            of.full.retain(|chunk| chunk.begun < end);
            if let Some(chunk) = &mut of.filling {
                chunk.begun = chunk.begun.min(end);
            }
        }
    }

    /// The write set has lost so many writes from a place on.
    fn shift(&mut self, from: usize, lost: usize) {
        for of in &mut self.tables {
            for chunk in of.full.iter_mut().chain(&mut of.filling) {
                if chunk.begun > from {
                    chunk.begun = from.max(chunk.begun.saturating_sub(lost));
                }
            }
        }
    }

    /// The full chunks that began at or after a place in the write set.
    fn full_since(&self, since: usize) -> impl Iterator<Item = (&OfTable, &Filled)> {
        let chunks = self
            .tables
            .iter()
            .flat_map(|of| of.full.iter().map(move |chunk| (of, chunk)));
        chunks.filter(move |(_, chunk)| chunk.begun >= since)
    }
}

impl Transaction {
    /// The row id of a row that is inserted by itself.
    pub(crate) fn single_row(&mut self, table: &Table) -> PgResult<RowId> {
        let (after, min) = {
            let options = self.storage().options();
            (options.ahead_after_rows, options.ahead_rows_min)
        };
        let singles = &mut self.ahead.singles;
        singles.rows += 1;
        if singles.rows <= EARLY_FACTOR * after || table.store.id < FIRST_RELATION {
            singles.latest = None;
            return Ok(table.store.allocate(1));
        }
        let at = singles.of(table);
        let of = &mut singles.tables[at];
        of.rows += 1;
        if of.rows <= min {
            singles.latest = None;
            return Ok(table.store.allocate(1));
        }
        if of.free.is_empty() {
            self.take_chunk(at, table)?;
        }
        let singles = &mut self.ahead.singles;
        let of = &mut singles.tables[at];
        let row = RowId(of.free.start);
        of.free.start += 1;
        singles.latest = Some((table.store.id, row));
        singles.unlogged = true;
        Ok(row)
    }

    /// True for the row that was inserted last, if the log gets it with the commit: its entries do the same.
    #[inline]
    pub(crate) fn is_latest_single(&self, table: RelationId, row: RowId) -> bool {
        self.ahead.singles.latest == Some((table, row))
    }

    /// Gives a table another chunk.
    fn take_chunk(&mut self, at: usize, table: &Table) -> PgResult<()> {
        self.watch_views();
        let of = &mut self.ahead.singles.tables[at];
        let filled = of.filling.take();
        of.full.extend(filled);
        let span = CHUNK_ROWS
            .min(self.storage().options().ahead_singles as u64)
            .max(1);
        if filled.is_some() {
            self.ahead.singles.full += span as usize;
            self.store_many_singles()?;
        }
        let begun = self.write_count();
        let first = table.store.allocate_chunk().0;
        let of = &mut self.ahead.singles.tables[at];
        of.table = table.clone();
        of.free = first..first + span;
        of.filling = Some(Filled {
            number: first / CHUNK_ROWS,
            begun,
        });
        Ok(())
    }

    /// The rows of full chunks go into the store, if they are many.
    pub(crate) fn store_many_singles(&mut self) -> PgResult<()> {
        let limit = self.storage().options().ahead_singles;
        let singles = &self.ahead.singles;
        if singles.full == 0 || singles.full < singles.next.max(limit) {
            return Ok(());
        }
        let since = self.last_savepoint();
        let begun = self.ahead.singles.full_since(since).map(|(_, chunk)| chunk.begun);
        let Some(from) = begun.min() else {
            return Ok(());
        };
        let outcome = self.store_singles(since, from);
        // What stays is looked at again when as many have come.
        let singles = &mut self.ahead.singles;
        singles.next = singles.full + limit;
        outcome
    }

    /// The same for chunks that began at or after a savepoint, the first of them at `from`.
    fn store_singles(&mut self, since: usize, from: usize) -> PgResult<()> {
        let mut gone = Gone::default();
        let mut outcome = Ok(());
        for (table, chunks) in self.ripe_chunks(since, from) {
            outcome = self.store_ripe(&table, chunks, &mut gone);
            if outcome.is_err() {
                break;
            }
        }
        self.forget_gone(from, &gone)?;
        outcome?;
        self.store_many_entries()
    }

    /// The rows of full chunks that can go, by tables. Chunks without any are forgotten.
    fn ripe_chunks(&mut self, since: usize, from: usize) -> Vec<(Table, Vec<Ripe>)> {
        let own = self.txn().map_or(Stamp::NEVER, |txn| txn.stamp());
        let mut rows: FxHashMap<(RelationId, u64), Vec<(RowId, Arc<Version>)>> = FxHashMap::default();
        for (of, chunk) in self.ahead.singles.full_since(since) {
            rows.insert((of.table.store.id, chunk.number), Vec::new());
        }
        for write in self.writes_from(from) {
            if let Write::RowInsert {
                table,
                row,
                version,
                waits: true,
            } = write
                && let Some(rows) = rows.get_mut(&(table.id, row.0 / CHUNK_ROWS))
                && can_go(version, own)
            {
                rows.push((*row, Arc::clone(version)));
            }
        }
        let mut ripe = Vec::new();
        let mut tables = std::mem::take(&mut self.ahead.singles.tables);
        for of in &mut tables {
            let mut chunks = Vec::new();
            of.full.retain(|chunk| {
                let Some(rows) = rows.remove(&(of.table.store.id, chunk.number)) else {
                    return true;
                };
                let commands = rows.iter().map(|(_, version)| version.cmin);
                let Some(commands) = commands.clone().min().zip(commands.max()) else {
                    return false;
                };
                if self.views_divide(commands.0, commands.1) {
                    return true;
                }
                chunks.push(Ripe {
                    number: chunk.number,
                    rows,
                    commands,
                });
                false
            });
            if !chunks.is_empty() {
                ripe.push((of.table.clone(), chunks));
            }
        }
        let singles = &mut self.ahead.singles;
        singles.tables = tables;
        let span = CHUNK_ROWS
            .min(self.storage().options().ahead_singles as u64)
            .max(1);
        let full: usize = self.ahead.singles.tables.iter().map(|of| of.full.len()).sum();
        self.ahead.singles.full = full * span as usize;
        ripe
    }

    /// Chunks of a table go, as few loads as snapshots allow.
    fn store_ripe(&mut self, table: &Table, chunks: Vec<Ripe>, gone: &mut Gone) -> PgResult<()> {
        let mut group: Vec<Ripe> = Vec::new();
        for chunk in chunks {
            let first = group.first().map_or(chunk.commands.0, |ripe| ripe.commands.0);
            let divided = self.views_divide(first.min(chunk.commands.0), chunk.commands.1);
            if !group.is_empty() && (divided || group.len() == PIECES_MAX) {
                self.store_group(table, &std::mem::take(&mut group), gone)?;
            }
            group.push(chunk);
        }
        self.store_group(table, &group, gone)
    }

    fn store_group(&mut self, table: &Table, chunks: &[Ripe], gone: &mut Gone) -> PgResult<()> {
        let Some(command) = chunks.iter().map(|chunk| chunk.commands.1).max() else {
            return Ok(());
        };
        let store = &table.store;
        let load = Arc::new(Load::new(Arc::clone(store), Gate::new(self.stamp()?, command)));
        self.note_store();
        self.record(Write::Load(Arc::clone(&load)), None)?;
        for chunk in chunks {
            let first = chunk.number * CHUNK_ROWS;
            load.add_rows(first..first + CHUNK_ROWS);
            store.reserve_stored(first + CHUNK_ROWS);
        }
        store.shared.loads.add(&load);
        let mut batch = WriteBatch::new();
        for chunk in chunks {
            table.put_ripe(&mut batch, &chunk.rows)?;
            if batch.payload_bytes() > BATCH_BYTES {
                let full = std::mem::take(&mut batch);
                store.shared.loads.write(&store.shared, [&*load], full)?;
            }
        }
        store.shared.loads.write(&store.shared, [&*load], batch)?;
        for chunk in chunks {
            let bits = bits_of(&chunk.rows);
            table.leave_delta(chunk, &bits)?;
            load.rows.fetch_add(chunk.rows.len() as u64, Ordering::Relaxed);
            let bytes: usize = chunk.rows.iter().map(|(_, v)| v.encoded().len() + HEADER).sum();
            load.heap_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
            gone.insert((store.id, chunk.number), (Arc::clone(&load), bits));
        }
        Ok(())
    }

    /// Takes rows that have gone out of the write set; their entries wait.
    fn forget_gone(&mut self, from: usize, gone: &Gone) -> PgResult<()> {
        let before = self.write_count();
        let mut entries: Vec<(Arc<Load>, Arc<IndexStore>, Vec<Waiting>)> = Vec::new();
        let taken = self.take_writes(from, |write| load_of_gone(write, gone).is_some());
        for write in taken {
            let Some(load) = load_of_gone(&write, gone) else {
                continue;
            };
            let Write::EntryInsert {
                index, key, version, ..
            } = write
            else {
                continue;
            };
            let same = |(of, store, _): &&mut (Arc<Load>, Arc<IndexStore>, _)| {
                Arc::ptr_eq(of, load) && store.id == index.id
            };
            match entries.iter_mut().find(same) {
                Some((_, _, all)) => all.push((key, version)),
                None => entries.push((Arc::clone(load), index, vec![(key, version)])),
            }
        }
        self.ahead.singles.shift(from, before - self.write_count());
        self.ahead.forget_places();
        for (load, index, all) in entries {
            self.add_waiting(&index, &load, all.into_iter())?;
        }
        Ok(())
    }
}

/// What PostgreSQL's heap has beside a row's values.
const HEADER: usize = 24;

/// True when the version is all there is of its row, and has all of it.
fn can_go(version: &Version, own: Stamp) -> bool {
    let alone = Shared::never(&version.end) && version.older.load_full().is_none();
    alone && version.begin.load() == own && !version.data.has_places()
}

fn bits_of(rows: &[(RowId, Arc<Version>)]) -> RowBits {
    let mut bits = RowBits::default();
    for (row, _) in rows {
        let position = (row.0 % CHUNK_ROWS) as usize;
        bits[position / 64] |= 1 << (position % 64);
    }
    bits
}

/// The load that has the row or entry of a write now.
fn load_of_gone<'g>(write: &Write, gone: &'g Gone) -> Option<&'g Arc<Load>> {
    let (table, row) = match write {
        Write::RowInsert {
            table,
            row,
            waits: true,
            ..
        } => (table.id, *row),
        Write::EntryInsert {
            index,
            key,
            version,
            waits: true,
        } if Shared::never(&version.end) => {
            let table = index.def.load().as_ref().and_then(|def| def.table)?;
            (table, entry_row(key).ok()?)
        }
        _ => return None,
    };
    let (load, bits) = gone.get(&(table, row.0 / CHUNK_ROWS))?;
    has_bit(bits, (row.0 % CHUNK_ROWS) as usize).then_some(load)
}

impl Table {
    /// Rows of a chunk, ascending, as packs.
    fn put_ripe(&self, batch: &mut WriteBatch, rows: &[(RowId, Arc<Version>)]) -> PgResult<()> {
        for piece in rows.chunk_by(|(a, _), (b, _)| a.0 / PACK_ROWS == b.0 / PACK_ROWS) {
            let Some((first, _)) = piece.first() else { continue };
            let first = RowId(first.0 - first.0 % PACK_ROWS);
            let encoded: Vec<_> = piece
                .iter()
                .map(|(row, v)| ((row.0 - first.0) as usize, v.encoded()))
                .collect();
            let rows: Vec<(usize, &[u8])> = encoded.iter().map(|(at, bytes)| (*at, &bytes[..])).collect();
            self.put_encoded(batch, first, &rows)?;
        }
        Ok(())
    }

    /// Rows of a chunk that the store has leave delta.
    fn leave_delta(&self, ripe: &Ripe, bits: &RowBits) -> PgResult<()> {
        let store = &self.store;
        let chunk = store.chunk(ripe.number)?;
        let _guard = chunk.lock.lock();
        let state = chunk.state.load_full();
        let mut kept: Option<Arc<Delta>> = None;
        for (position, head) in state.delta.iter().flat_map(|delta| delta.heads()) {
            let position = usize::from(position);
            match has_bit(bits, position) {
                true => store.delta_bytes.sub(head.memory_bytes()),
                false => kept.get_or_insert_default().set_head(position, Some(head)),
            }
        }
        if kept.is_none() && state.ends.is_empty() {
            store.dirty.lock().remove(&ripe.number);
        }
        chunk.replace_main(None, kept);
        Ok(())
    }
}
