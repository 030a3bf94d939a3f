//! Heirs: updates of many rows, whose new values wait in the KV store beside the old ones.
//!
//! See docs/adr/0013-changes-beyond-memory.md.
//!
//! # How it works
//! 1. A command that updates many rows of a transaction that has updated many marks further ones, as deletions do ([`crate::ahead::ends`]); the marks say
//!    that the rows are updated. What they become is collected chunk by chunk, and goes into the KV store as packs, under the rows' own ids, in a keyspace
//!    beside the table's ([`keyspace`]). Then each such row has an *heir*.
//! 2. Who finds a marked row in main or the store, delta having nothing, and its gate open, reads the heir instead. Where somebody needs versions of it (to lock it,
//!    to wait for it), delta gets two: the old one, which ends with the gate, and the heir, which begins with it.
//! 3. Before the commit the store is made durable, and the log gets the bits of the heirs. What the transaction has changed again by then is in the log as such.
//!    A rollback takes the marks away.
//! 4. When every snapshot sees the heirs, a checkpoint puts them into the places of their rows. One that comes earlier writes a note with the bits, and puts what
//!    was changed since beside, too. Then a merge has main read again, and forgets the marks.
//! 5. When no log that is left tells of them, the heirs go from their keyspace, or what a rollback or a crash has left there.
//!
//! # Invariants
//! - A chunk has heirs of one command at a time, from the first mark until they are gone from their keyspace ([`HeirChunks`]).
//! - While a row has an heir that is committed and not in its place, checkpoints write later versions beside, never into the table's keyspace.
//! - A row gets its heir once, under the lock of its chunk, and only if delta has no version of it: else the version is put in front there.
//! - A merge leaves chunks with marks of updates alone until the heirs are in their places: what delta has of them stays.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{Lsn, PgResult, RelationId, RowId};
use kv::{Direction, Durability, Keyspace, WriteBatch};
use txn::{RowLockMode, Snapshot, Stamp};
use types::Datum;

use crate::ahead::ends::{Deletion, Reason, RowBits, has_bit};
use crate::ahead::gate::Dated;
use crate::block::{CHUNK_ROWS, MainBlock, row_key};
use crate::chunk::{Chunk, ChunkState};
use crate::defs::TableDef;
use crate::pack::{self, PACK_ROWS, StoredKey};
use crate::shared::Shared;
use crate::storage::ahead::{Keep, remove_in};
use crate::table::Table;
use crate::table::store::TableStore;
use crate::table::stored::StoredRow;
use crate::transaction::Transaction;
use crate::transaction::redo::RedoOp;
use crate::transaction::writes::Write;
use crate::version::{EndKind, RowData, Version};

/// Relation ids, and the bit of index packs apart, are below this.
pub(crate) const HEIRS: u64 = 1 << 62;
/// Fewer rows of a chunk are not worth packs.
const FEW: usize = 16;

/// Where the heirs of a table's rows are.
pub(crate) fn keyspace(id: RelationId) -> Keyspace {
    Keyspace(id.0 | HEIRS)
}

/// True for a keyspace of heirs.
pub(crate) fn is_beside(keyspace: Keyspace) -> bool {
    keyspace.0 & (HEIRS | 1 << 63) == HEIRS
}

/// The chunks of a table of which the keyspace of heirs may have something.
#[derive(Default)]
pub(crate) struct HeirChunks(BTreeMap<u64, Place>);

/// What the keyspace of heirs has of a chunk.
enum Place {
    /// What counts or may come to.
    Used,
    /// What nobody asks for, unless recovery starts below.
    Free { since: Lsn },
    /// Nothing, once the store is durable, if it has lost nothing until then.
    Removed { losses: u64 },
}

/// When heirs are removed.
pub(crate) struct PurgePoint {
    /// Where recovery starts.
    pub(crate) redo: Lsn,
    /// The end of the log.
    pub(crate) end: Lsn,
    /// The store was made durable just now.
    pub(crate) is_durable: bool,
}

impl HeirChunks {
    /// False: somebody else has been there.
    fn claim(&mut self, number: u64) -> bool {
        let free = !self.0.contains_key(&number);
        if free {
            self.0.insert(number, Place::Used);
        }
        free
    }
}

/// Rows of one chunk on their way into the store.
pub(crate) struct Collected {
    update: Arc<Deletion>,
    table: Table,
    number: u64,
    /// Positions, and what the rows become.
    rows: Vec<(u16, Box<[u8]>)>,
}

impl Table {
    /// Updates a row by a mark, if it is one of many and nothing is in the way: nobody has changed or locked it since it came into main.
    pub(crate) fn update_ahead(
        &self,
        txn: &mut Transaction,
        snapshot: &Snapshot,
        row: RowId,
        values: &[Datum],
        (kind, mode): (EndKind, RowLockMode),
    ) -> PgResult<bool> {
        if !txn.marks_rows(self.store.id, Reason::Updated(kind)) || !self.is_markable(snapshot, row) {
            return Ok(false);
        }
        if self.may_be_toasted(values) || self.def.builtin.is_some() {
            return Ok(false);
        }
        let (number, position) = (row.0 / CHUNK_ROWS, (row.0 % CHUNK_ROWS) as usize);
        let chunk = self.store.chunk(number)?;
        let (state, data) = self.store.undisturbed(row, &self.def)?;
        let Some(data) = data.filter(|data| !data.has_places()) else {
            return Ok(false);
        };
        drop(data);
        let update = txn.marker_of(self, Reason::Updated(kind))?;
        {
            let _guard = chunk.lock.lock();
            if !self.is_free(txn, chunk, (row, state.generation), mode)? {
                return Ok(false);
            }
            let own = chunk.state.load().ends_of(&update.gate).cloned();
            let takes = match own {
                // Packs are written once.
                Some(ends) => ends.heir_bits().iter().all(|word| *word == 0),
                None => self.store.heirs.lock().claim(number),
            };
            if !takes || !update.mark(chunk, row) {
                return Ok(false);
            }
        }
        let bytes = self.encode(txn, row, values, None)?;
        txn.collect(self, &update, (number, position as u16), bytes)?;
        Ok(true)
    }
}

impl Transaction {
    fn collect(
        &mut self,
        table: &Table,
        update: &Arc<Deletion>,
        (number, position): (u64, u16),
        bytes: Box<[u8]>,
    ) -> PgResult<()> {
        let joins = |one: &&mut Collected| Arc::ptr_eq(&one.update, update) && one.number == number;
        if let Some(collected) = self.ahead.collected.as_mut().filter(joins) {
            collected.rows.push((position, bytes));
            return Ok(());
        }
        let outcome = self.store_collected();
        self.ahead.collected = Some(Collected {
            update: Arc::clone(update),
            table: table.clone(),
            number,
            rows: vec![(position, bytes)],
        });
        outcome
    }

    /// Puts the rows collected into the store. Later commands of the transaction shall see them.
    #[inline]
    pub(crate) fn store_collected(&mut self) -> PgResult<()> {
        match self.ahead.collected.take() {
            Some(collected) => self.store_rows(collected),
            None => Ok(()),
        }
    }

    fn store_rows(&mut self, mut collected: Collected) -> PgResult<()> {
        // A rollback to a savepoint has undone it.
        if collected.update.gate.is_void() {
            return Ok(());
        }
        collected.rows.sort_unstable_by_key(|(position, _)| *position);
        let few = collected.rows.len() < FEW.min(self.storage().options().ahead_rows_min);
        if !few {
            self.note_store();
            collected.write()?;
        }
        let by_delta = collected.show(few)?;
        for (position, bytes) in by_delta {
            let row = RowId(collected.number * CHUNK_ROWS + u64::from(position));
            self.replace_marked(&collected, row, bytes)?;
        }
        Ok(())
    }

    /// The usual way, for a marked row: there is or will be a version in delta that ends with the gate.
    fn replace_marked(&mut self, collected: &Collected, row: RowId, bytes: Box<[u8]>) -> PgResult<()> {
        let Collected { update, table, .. } = collected;
        let Some(older) = table.head_or_base(row)? else {
            return Err(common::internal!("a marked row has gone"));
        };
        let stamp = self.stamp()?;
        let data = RowData::Bytes(bytes);
        let version = Version::succeeding(stamp, update.gate.command, data, Arc::clone(&older));
        let version = Arc::new(version);
        let chunk = table.store.chunk(row.0 / CHUNK_ROWS)?;
        {
            let _guard = chunk.lock.lock();
            table.store.push_version(chunk, row, &version);
        }
        // It is counted as such.
        update.rows.fetch_sub(1, Ordering::Relaxed);
        let write = Write::RowUpdate {
            table: Arc::clone(&table.store),
            row,
            version: Arc::clone(&version),
            older,
        };
        let encoded = version.encoded();
        self.record(write, Some(RedoOp::RowPut(table.store.id, row, &encoded)))
    }
}

impl Collected {
    fn write(&self) -> PgResult<()> {
        let (store, def) = (&self.table.store, &self.table.def);
        let keyspace = keyspace(store.id);
        let mut batch = WriteBatch::new();
        let segment = |position: u16| u64::from(position) / PACK_ROWS;
        for rows in self.rows.chunk_by(|(a, _), (b, _)| segment(*a) == segment(*b)) {
            let Some((position, _)) = rows.first() else {
                continue;
            };
            let first = RowId(self.number * CHUNK_ROWS + segment(*position) * PACK_ROWS);
            let all: Vec<(usize, &[u8])> = rows
                .iter()
                .map(|(position, bytes)| (usize::from(*position) % PACK_ROWS as usize, &bytes[..]))
                .collect();
            match pack::encode(&all, &def.columns)? {
                Some(bytes) => batch.put(keyspace, pack::pack_key(first).to_vec(), bytes),
                None => {
                    for (position, bytes) in rows {
                        let row = RowId(self.number * CHUNK_ROWS + u64::from(*position));
                        batch.put(keyspace, row_key(row), bytes.to_vec());
                    }
                }
            }
        }
        Ok(store.shared.kv.write(batch, Durability::Eventual)?)
    }

    /// The rows have heirs from here on, but for those that delta has versions of, or all of `few`: what these become.
    fn show(&mut self, few: bool) -> PgResult<Vec<(u16, Box<[u8]>)>> {
        let chunk = self.table.store.chunk(self.number)?;
        let _guard = chunk.lock.lock();
        let state = chunk.state.load();
        let mut by_delta = std::mem::take(&mut self.rows);
        let Some(ends) = state.ends_of(&self.update.gate).filter(|_| !few) else {
            return Ok(by_delta);
        };
        by_delta.retain(|(position, _)| {
            let position = usize::from(*position);
            let in_delta = state
                .delta
                .as_ref()
                .is_some_and(|delta| delta.head(position).is_some());
            if !in_delta {
                ends.set_heir(position);
            }
            in_delta
        });
        Ok(by_delta)
    }
}

impl Deletion {
    /// An update as the log gets it before the commit: bits of heirs, and rows that delta has versions of, as they are now. Those that the transaction has
    /// deleted since the log has already.
    pub(crate) fn encode_update(&self) -> (Vec<Vec<u8>>, Vec<(RowId, Arc<Version>)>) {
        let mut changed = Vec::new();
        let parts = self.encode_bits(&mut |number, ends| {
            let mut bits = ends.heir_bits();
            let state = self
                .table
                .existing_chunk(number)
                .map(|chunk| chunk.state.load_full());
            for (position, head) in state
                .iter()
                .filter_map(|s| s.delta.as_ref())
                .flat_map(|d| d.heads())
            {
                if has_bit(&bits, usize::from(position)) {
                    bits[usize::from(position) / 64] &= !(1 << (position % 64));
                    let row = RowId(number * CHUNK_ROWS + u64::from(position));
                    changed.extend(Shared::never(&head.end).then_some((row, head)));
                }
            }
            bits
        });
        (parts, changed)
    }
}

impl ChunkState {
    /// The row has an heir that is not in its place.
    pub(crate) fn keeps_beside(&self, position: usize) -> bool {
        self.ends
            .iter()
            .any(|ends| ends.has_heir(position) && !ends.gate.is_stored())
    }

    /// True when there are marks of updates.
    pub(crate) fn has_updates(&self) -> bool {
        self.ends.iter().any(|ends| ends.is_update())
    }
}

impl TableStore {
    /// The heir of a row; None when the chunk has changed meanwhile: look again. None within: it was deleted since.
    pub(crate) fn heir(
        &self,
        chunk: &Chunk,
        state: &ChunkState,
        row: RowId,
    ) -> PgResult<Option<Option<RowData>>> {
        let data = self.stored_heir(row)?.map(RowData::Bytes);
        let same = chunk.state.load().generation == state.generation;
        Ok(same.then_some(data))
    }

    /// What the keyspace of heirs has of a row.
    pub(crate) fn stored_heir(&self, row: RowId) -> PgResult<Option<Box<[u8]>>> {
        Ok(match self.stored_row_of(keyspace(self.id), row)? {
            StoredRow::Single(bytes) | StoredRow::Packed(bytes) => Some(bytes),
            StoredRow::Deleted | StoredRow::Absent => None,
        })
    }

    /// All heirs of a chunk, in these columns; None as above.
    pub(crate) fn heir_block(
        &self,
        number: u64,
        state: &ChunkState,
        def: &TableDef,
        columns: &[u16],
    ) -> PgResult<Option<Arc<MainBlock>>> {
        let mut columns = columns.to_vec();
        columns.sort_unstable();
        columns.dedup();
        let block = self.load_block_of(keyspace(self.id), def, number, Some(&columns))?;
        let same = self.chunk(number)?.state.load().generation == state.generation;
        Ok(same.then(|| Arc::new(block)))
    }

    /// Puts a row of main or the store into delta, with its heir. None: it never will be. The caller holds the chunk's lock.
    pub(crate) fn push_base(
        self: &Arc<Self>,
        chunk: &Chunk,
        row: RowId,
        data: RowData,
        heir: Option<RowData>,
    ) -> Option<Arc<Version>> {
        let base = self.base_version(row, data)?;
        self.push_version(chunk, row, &base);
        let mark = chunk.state.load().mark((row.0 % CHUNK_ROWS) as usize).cloned();
        let (Some(heir), Some(ends)) = (heir, mark) else {
            return Some(base);
        };
        let (gate, older) = (&ends.gate, Arc::clone(&base));
        let version = Arc::new(Version::succeeding(Stamp::NEVER, gate.command, heir, older));
        if !gate.date(Dated::Row(Arc::clone(self), row, Arc::clone(&version))) {
            return Some(base);
        }
        self.push_version(chunk, row, &version);
        Some(version)
    }

    /// The heirs of a chunk, in order, as a checkpoint puts them into their places; None: deleted since.
    pub(crate) fn heirs_of(
        &self,
        number: u64,
        bits: &RowBits,
        put: &mut dyn FnMut(RowId, &[(RowId, Option<Vec<u8>>)], Option<&[u8]>) -> PgResult<()>,
    ) -> PgResult<()> {
        for first in (0..CHUNK_ROWS).step_by(PACK_ROWS as usize) {
            let wanted = |at: &u64| has_bit(bits, *at as usize);
            if !(first..first + PACK_ROWS).any(|at| wanted(&at)) {
                continue;
            }
            let first = RowId(number * CHUNK_ROWS + first);
            let segment = self.stored_segment_of(keyspace(self.id), first)?;
            let rows = segment.rows(first)?;
            let stored = rows.iter().flatten().count();
            let heirs: Vec<(RowId, Option<Vec<u8>>)> = (first.0..)
                .zip(rows)
                .filter(|(row, _)| wanted(&(row % CHUNK_ROWS)))
                .map(|(row, bytes)| (RowId(row), bytes))
                .collect();
            let there = heirs.iter().filter(|(_, bytes)| bytes.is_some()).count();
            let whole = segment.singles.is_empty() && there == heirs.len() && there == stored;
            put(first, &heirs, segment.pack.as_deref().filter(|_| whole))?;
        }
        Ok(())
    }

    /// Removes heirs that nobody asks for any more; true when there is more to do the next time.
    pub(crate) fn purge_heirs(&self, at: &PurgePoint) -> PgResult<bool> {
        let (mut gone, mut more) = (Vec::new(), false);
        let losses = self.shared.kv.losses();
        self.heirs.lock().0.retain(|number, place| {
            let chunk = self.existing_chunk(*number);
            let used = chunk.is_some_and(|chunk| chunk.state.load().has_updates());
            match place {
                _ if used => *place = Place::Used,
                Place::Removed { losses: before } if at.is_durable => {
                    if *before == losses {
                        return false;
                    }
                    // The store has lost that it was removed.
                    gone.push(*number);
                }
                Place::Free { since } if at.is_durable && *since <= at.redo => gone.push(*number),
                Place::Free { .. } | Place::Removed { .. } => {}
                Place::Used => (*place, more) = (Place::Free { since: at.end }, true),
            }
            true
        });
        for numbers in gone.chunk_by(|a, b| a + 1 == *b) {
            let (Some(low), Some(high)) = (numbers.first(), numbers.last()) else {
                continue;
            };
            let low = pack::pack_key(RowId(low * CHUNK_ROWS));
            let high = pack::pack_key(RowId((high + 1) * CHUNK_ROWS));
            let bounds = (Bound::Included(&low[..]), Bound::Excluded(&high[..]));
            remove_in(&self.shared, keyspace(self.id), bounds, &mut |_, _| Ok(Keep::Not))?;
        }
        let mut all = self.heirs.lock();
        for number in &gone {
            all.0.insert(*number, Place::Removed { losses });
        }
        Ok(more || !gone.is_empty())
    }

    /// Takes note of what the keyspace of heirs has, when a database is opened.
    pub(crate) fn adopt_heirs(&self) -> PgResult<()> {
        let mut next = Some(0);
        while let Some(from) = next.take() {
            let low = pack::pack_key(RowId(from * CHUNK_ROWS));
            let bounds = (Bound::Included(&low[..]), Bound::Unbounded);
            let mut found = None;
            let visit = &mut |key: &[u8], _: &[u8]| {
                found = StoredKey::of(key);
                ControlFlow::Break(())
            };
            self.shared
                .kv
                .range(keyspace(self.id), bounds, Direction::Forward, visit)?;
            if let Some(StoredKey::Row(row) | StoredKey::Pack(row)) = found {
                let number = row.0 / CHUNK_ROWS;
                self.heirs.lock().claim(number);
                next = Some(number + 1);
            }
        }
        Ok(())
    }
}
