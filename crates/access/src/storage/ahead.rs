//! Loads that have ended: their notes go with a checkpoint, and what the store has of those that failed. Loads of before a crash.

use std::ops::{Bound, ControlFlow, Range};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{CommandId, PgResult, RelationId, RowId};
use kv::{Direction, Durability, Keyspace, WriteBatch};
use rustc_hash::FxHashMap;
use txn::Stamp;

use crate::ahead::Load;
use crate::ahead::gate::Gate;
use crate::index::store::EntryKey;
use crate::pack;
use crate::shared::Shared;
use crate::storage::meta::{self, LoadNote};
use crate::storage::open::RECOVERED;
use crate::storage::{BATCH_BYTES, Storage};
use crate::toast;
use crate::transaction::Transaction;
use crate::transaction::redo::{RedoOp, take_op};
use crate::transaction::writes::Write;

/// Loads that the log says are whole: rows and bytes of each.
pub(crate) type StoredLoads = FxHashMap<(RelationId, u64), (u64, u64)>;

/// What a load that is to be forgotten was.
pub(super) type Ended = Vec<(Arc<Load>, bool)>;

impl Storage {
    /// Removes what the store has of failed loads, and adds to the batch that the notes of all these go.
    pub(super) fn end_loads(&self, ended: &Ended, batch: &mut WriteBatch) -> PgResult<()> {
        if ended.iter().any(|(_, failed)| *failed) {
            // A pack that the batch has may have been made of one with their rows: those removed now it would bring back.
            self.shared
                .kv
                .write(std::mem::take(batch), Durability::Eventual)?;
        }
        for (load, failed) in ended {
            if *failed {
                self.purge(load)?;
            }
            meta::delete_load(load.name(), batch);
        }
        Ok(())
    }

    fn purge(&self, load: &Load) -> PgResult<()> {
        let ranges = load.ranges();
        for rows in &ranges {
            remove_rows(&self.shared, load.table.id, rows)?;
            let (low, high) = (rows.start.to_be_bytes(), rows.end.to_be_bytes());
            let bounds = (Bound::Included(&low[..]), Bound::Excluded(&high[..]));
            let values = toast::keyspace(load.table.id);
            remove_in(&self.shared, values, bounds, &mut |_, _| Ok(Keep::Not))?;
        }
        for (index, low) in load.indexes() {
            index.remove_rows(&ranges, &low)?;
        }
        Ok(())
    }

    /// Takes up the loads that the store has notes of: the log knows those that were `stored`.
    pub(super) fn adopt_loads(&self, stored: &StoredLoads) -> PgResult<()> {
        let notes = meta::read_loads(&*self.shared.kv)?;
        if notes.is_empty() {
            return Ok(());
        }
        let doubtful = self.loads_in_doubt()?;
        for note in notes {
            let name = (note.relation, note.rows.first().map_or(0, |rows| rows.start));
            match stored.get(&name) {
                Some(counts) => self.adopt_stored(&note, *counts)?,
                None => self.adopt_failed(&note, doubtful.contains_key(&name))?,
            }
        }
        Ok(())
    }

    fn loads_in_doubt(&self) -> PgResult<StoredLoads> {
        let mut found = StoredLoads::default();
        for one in self.in_doubt.lock().iter() {
            for part in &one.parts {
                note_stored(part, &mut found)?;
            }
        }
        Ok(found)
    }

    /// Everybody sees its rows; only its note is to go.
    fn adopt_stored(&self, note: &LoadNote, (rows, heap_bytes): (u64, u64)) -> PgResult<()> {
        let table = self.table_store(note.relation)?;
        table.live_rows.fetch_add(rows as i64, Ordering::Relaxed);
        table.heap_bytes.fetch_add(heap_bytes, Ordering::Relaxed);
        let load = Load::new(table, Gate::new(Stamp::committed(RECOVERED), CommandId(0)));
        load.adopt_rows(note);
        self.shared.loads.add(&Arc::new(load));
        self.shared.loads.note_end();
        Ok(())
    }

    fn adopt_failed(&self, note: &LoadNote, in_doubt: bool) -> PgResult<()> {
        let table = self.table_store(note.relation)?;
        let end = note.rows.iter().map(|rows| rows.end).max().unwrap_or(0);
        table.reserve_void(end);
        let load = Load::new(table, Gate::new(Stamp::NEVER, CommandId(0)));
        for rows in &note.rows {
            load.add_rows(rows.clone());
        }
        for id in &note.indexes {
            let index = self.index_store(*id)?;
            for rows in &note.rows {
                load.add_entries(&index, rows.clone(), &EntryKey::new());
            }
        }
        load.in_doubt.store(in_doubt, Ordering::Release);
        self.shared.loads.add(&Arc::new(load));
        self.shared.loads.note_end();
        Ok(())
    }

    /// A prepared transaction takes its loads up again, before its other changes.
    pub(super) fn resume_loads(&self, txn: &mut Transaction, parts: &[Vec<u8>]) -> PgResult<()> {
        let mut found = StoredLoads::default();
        for part in parts {
            note_stored(part, &mut found)?;
        }
        for (name, (rows, heap_bytes)) in found {
            let Some(load) = self.shared.loads.find(name) else {
                continue;
            };
            load.rows.store(rows, Ordering::Relaxed);
            load.heap_bytes.store(heap_bytes, Ordering::Relaxed);
            load.table.heap_bytes.fetch_add(heap_bytes, Ordering::Relaxed);
            load.gate.begin.set(txn.stamp()?);
            load.in_doubt.store(false, Ordering::Release);
            txn.record(Write::Load(load), None)?;
        }
        Ok(())
    }
}

/// Takes note of loads that operations call stored.
fn note_stored(ops: &[u8], found: &mut StoredLoads) -> PgResult<()> {
    let mut rest = ops;
    while !rest.is_empty() {
        if let RedoOp::Stored {
            relation,
            first,
            rows,
            heap_bytes,
        } = take_op(&mut rest)?
        {
            found.insert((relation, first), (rows, heap_bytes));
        }
    }
    Ok(())
}

/// Removes everything that a table's keyspace has of these row ids, in batches.
fn remove_rows(shared: &Shared, id: RelationId, rows: &Range<u64>) -> PgResult<()> {
    let (low, high) = (pack::pack_key(RowId(rows.start)), pack::pack_key(RowId(rows.end)));
    let bounds = (Bound::Included(&low[..]), Bound::Excluded(&high[..]));
    remove_in(shared, Keyspace(id.0), bounds, &mut |_, _| Ok(Keep::Not))
}

/// What becomes of a stored value.
pub(crate) enum Keep {
    Yes,
    Not,
    Instead(Vec<u8>),
}

/// Goes through a range of keys, and removes or replaces values, in batches.
pub(crate) fn remove_in(
    shared: &Shared,
    keyspace: Keyspace,
    (low, high): (Bound<&[u8]>, Bound<&[u8]>),
    judge: &mut dyn FnMut(&[u8], &[u8]) -> PgResult<Keep>,
) -> PgResult<()> {
    let mut from = remove_some(shared, keyspace, (low, high), judge)?;
    while let Some(last) = from {
        from = remove_some(shared, keyspace, (Bound::Excluded(&last), high), judge)?;
    }
    Ok(())
}

/// The first batch of that; the last key it looked at, if there may be more.
pub(crate) fn remove_some(
    shared: &Shared,
    keyspace: Keyspace,
    bounds: (Bound<&[u8]>, Bound<&[u8]>),
    judge: &mut dyn FnMut(&[u8], &[u8]) -> PgResult<Keep>,
) -> PgResult<Option<Vec<u8>>> {
    let (mut batch, mut looked) = (WriteBatch::new(), 0);
    let (mut outcome, mut last) = (Ok(()), None);
    shared
        .kv
        .range(keyspace, bounds, Direction::Forward, &mut |key, value| {
            match judge(key, value) {
                Ok(Keep::Yes) => {}
                Ok(Keep::Not) => batch.delete(keyspace, key),
                Ok(Keep::Instead(value)) => batch.put(keyspace, key, value),
                Err(error) => outcome = Err(error),
            }
            looked += key.len() + value.len();
            // A long visit would keep old pages of the store.
            if outcome.is_ok() && batch.payload_bytes() < BATCH_BYTES && looked < 16 * BATCH_BYTES {
                return ControlFlow::Continue(());
            }
            last = Some(key.to_vec());
            ControlFlow::Break(())
        })?;
    outcome?;
    if !batch.is_empty() {
        shared.kv.write(batch, Durability::Eventual)?;
    }
    Ok(last)
}
