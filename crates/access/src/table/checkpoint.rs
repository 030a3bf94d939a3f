//! Committed rows into the KV store: many of one segment as a pack, few under their own keys.
//!
//! # Invariants
//! - A checkpoint at CSN p writes, of each row, the newest version begun at or before p (or its deletion). What it skips is newer
//!   and in the log above the checkpoint.
//! - Only checkpoints write what lies in a table's keyspace, and one of them runs at a time.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{Csn, PgResult, RowId};
use kv::{Direction, Durability, Keyspace, WriteBatch};

use crate::ahead::ends::{self, RowBits};
use crate::ahead::heirs;
use crate::block::{CHUNK_ROWS, row_key};
use crate::pack::{self, PACK_ROWS, Pack, StoredKey};
use crate::shared::Shared;
use crate::storage::BATCH_BYTES;
use crate::table::store::TableStore;
use crate::table::stored::Segment;
use crate::version::{RowData, Version};

/// Rows of a segment under their own keys that make packing pay.
const REPACK_SINGLES: usize = 4;
/// Bytes visited at a time: a long visit would keep old pages of the store.
const LOOK_BYTES: usize = 16 << 20;

/// What a checkpoint between two CSNs finds in a row's versions.
enum RowChange {
    Put(Arc<Version>),
    /// As it is in the store elsewhere.
    Move(Vec<u8>),
    Delete,
}

impl RowChange {
    fn row(&self) -> Option<Vec<u8>> {
        match self {
            RowChange::Put(version) => Some(version.encoded().into_owned()),
            RowChange::Move(bytes) => Some(bytes.clone()),
            RowChange::Delete => None,
        }
    }
}

impl TableStore {
    /// Adds what became committed after `from`, up to `to`, to batches, handing each full one to `write`.
    pub(crate) fn checkpoint(
        &self,
        (from, to): (Csn, Csn),
        batch: &mut WriteBatch,
        write: &mut dyn FnMut(&mut WriteBatch) -> PgResult<()>,
    ) -> PgResult<()> {
        let numbers: Vec<u64> = self.dirty.lock().iter().copied().collect();
        let mut changes = Vec::new();
        self.begin_toast_checkpoint();
        for number in numbers {
            let Some(chunk) = self.existing_chunk(number) else {
                continue;
            };
            let state = chunk.state.load_full();
            changes.clear();
            let row = |position: u16| RowId(number * CHUNK_ROWS + u64::from(position));
            if let Some(delta) = &state.delta {
                for (position, head) in delta.heads() {
                    let change = row_change(&self.shared, head, from, to);
                    changes.extend(change.map(|change| (row(position), change)));
                }
            }
            if state.has_updates() {
                let beside =
                    |(row, _): &mut (RowId, RowChange)| state.keeps_beside((row.0 % CHUNK_ROWS) as usize);
                let beside: Vec<_> = changes.extract_if(.., beside).collect();
                self.put_beside(&beside, batch, write)?;
            }
            for segment in changes.chunk_by(|(a, _), (b, _)| pack::first_of(*a) == pack::first_of(*b)) {
                self.put_segment(segment, batch, write)?;
            }
            write(batch)?;
        }
        Ok(())
    }

    /// Changes of rows whose place the store has beside the table's keyspace ([`crate::ahead::heirs`]).
    fn put_beside(
        &self,
        changes: &[(RowId, RowChange)],
        batch: &mut WriteBatch,
        write: &mut dyn FnMut(&mut WriteBatch) -> PgResult<()>,
    ) -> PgResult<()> {
        for (row, change) in changes {
            let bytes = change.row().unwrap_or_default();
            if !bytes.is_empty() {
                self.put_toasted(&bytes, batch, write)?;
            }
            batch.put(heirs::keyspace(self.id), row_key(*row), bytes);
        }
        Ok(())
    }

    /// Puts what rows are now into their places. What was in batches before must be in the store.
    pub(crate) fn place_heirs(
        &self,
        chunks: &[(u64, RowBits)],
        batch: &mut WriteBatch,
        write: &mut dyn FnMut(&mut WriteBatch) -> PgResult<()>,
    ) -> PgResult<()> {
        for (number, bits) in chunks {
            self.heirs_of(*number, bits, &mut |first, heirs, pack| {
                if let Some(pack) = pack
                    && self.replaces_segment(first, heirs)?
                {
                    batch.put(Keyspace(self.id.0), pack::pack_key(first).to_vec(), pack.to_vec());
                    return Ok(());
                }
                let change = |(row, bytes): &(RowId, Option<Vec<u8>>)| match bytes {
                    Some(bytes) => (*row, RowChange::Move(bytes.clone())),
                    None => (*row, RowChange::Delete),
                };
                let changes: Vec<(RowId, RowChange)> = heirs.iter().map(change).collect();
                self.put_segment(&changes, batch, write)
            })?;
            write(batch)?;
        }
        Ok(())
    }

    /// True when the table's keyspace has a pack with exactly these rows, and nothing else of the segment.
    fn replaces_segment(&self, first: RowId, heirs: &[(RowId, Option<Vec<u8>>)]) -> PgResult<bool> {
        let segment = self.stored_segment(first)?;
        let Some(bytes) = segment.pack.filter(|_| segment.singles.is_empty()) else {
            return Ok(false);
        };
        let there = Pack::open(&bytes)?.positions();
        Ok(there.eq(heirs.iter().map(|(row, _)| (row.0 - first.0) as usize)))
    }

    /// Removes rows that have ended for everybody. What was in batches before must be in the store.
    pub(crate) fn remove_ended(
        &self,
        ended: &BTreeMap<u64, RowBits>,
        batch: &mut WriteBatch,
        write: &mut dyn FnMut(&mut WriteBatch) -> PgResult<()>,
    ) -> PgResult<()> {
        for (number, bits) in ended {
            let change = |position| {
                (
                    RowId(number * CHUNK_ROWS + u64::from(position)),
                    RowChange::Delete,
                )
            };
            let changes: Vec<(RowId, RowChange)> = ends::positions(bits).map(change).collect();
            for segment in changes.chunk_by(|(a, _), (b, _)| pack::first_of(*a) == pack::first_of(*b)) {
                self.put_segment(segment, batch, write)?;
            }
            write(batch)?;
        }
        Ok(())
    }

    /// Changes of one segment, ascending, at least one.
    fn put_segment(
        &self,
        changes: &[(RowId, RowChange)],
        batch: &mut WriteBatch,
        write: &mut dyn FnMut(&mut WriteBatch) -> PgResult<()>,
    ) -> PgResult<()> {
        let Some((row, _)) = changes.first() else {
            return Ok(());
        };
        let first = pack::first_of(*row);
        if changes.len() >= self.shared.pack_min && self.put_pack(first, changes, batch)? {
            return Ok(());
        }
        let keyspace = Keyspace(self.id.0);
        let mut covered = None;
        for (row, change) in changes {
            match change {
                RowChange::Put(version) => {
                    let bytes = version.encoded();
                    self.put_toasted(&bytes, batch, write)?;
                    batch.put(keyspace, row_key(*row), bytes.into_owned());
                    self.note_stored(*row);
                }
                RowChange::Move(bytes) => {
                    batch.put(keyspace, row_key(*row), bytes.clone());
                    self.note_stored(*row);
                }
                RowChange::Delete if self.is_builtin_row(*row) => batch.put(keyspace, row_key(*row), []),
                RowChange::Delete => {
                    let covered = match covered {
                        Some(covered) => covered,
                        None => *covered.insert(self.has_pack(first)?),
                    };
                    match covered {
                        true => batch.put(keyspace, row_key(*row), []),
                        false => batch.delete(keyspace, row_key(*row)),
                    }
                }
            }
        }
        Ok(())
    }

    /// Writes a segment anew as a pack; false (and nothing added) when its rows do not fit into one.
    fn put_pack(
        &self,
        first: RowId,
        changes: &[(RowId, RowChange)],
        batch: &mut WriteBatch,
    ) -> PgResult<bool> {
        let def = match self.def.load_full() {
            Some(def) if !self.is_catalog() => def,
            _ => return Ok(false),
        };
        let stored = match first.0 < self.stored_end.load(Ordering::Acquire) {
            true => self.stored_segment(first)?,
            false => Segment::default(),
        };
        if stored.is_empty()
            && let Some(bytes) = pack_of_block(first, changes, def.columns.len())
        {
            batch.put(Keyspace(self.id.0), pack::pack_key(first).to_vec(), bytes);
            self.note_stored(RowId(first.0 + PACK_ROWS - 1));
            return Ok(true);
        }
        let mut rows = stored.rows(first)?;
        for (row, change) in changes {
            rows[(row.0 - first.0) as usize] = change.row();
        }
        let all: Vec<(usize, &[u8])> = rows
            .iter()
            .enumerate()
            .filter_map(|(position, row)| Some((position, row.as_deref()?)))
            .collect();
        let keyspace = Keyspace(self.id.0);
        if all.is_empty() {
            batch.delete(keyspace, pack::pack_key(first).to_vec());
        } else if let Some(bytes) = pack::encode(&all, &def.columns)? {
            batch.put(keyspace, pack::pack_key(first).to_vec(), bytes);
            self.note_stored(RowId(first.0 + PACK_ROWS - 1));
        } else {
            return Ok(false);
        }
        for (row, _) in &stored.singles {
            batch.delete(keyspace, row_key(*row));
        }
        Ok(true)
    }

    /// Puts rows that lie under their own keys into packs, where there are some in one segment, for some segments from `from` on; where to
    /// go on. Nobody else checkpoints.
    pub(crate) fn repack(&self, from: RowId) -> PgResult<Option<RowId>> {
        if self.is_catalog() {
            return Ok(None);
        }
        let (segments, next) = self.segments_with_singles(from)?;
        let mut batch = WriteBatch::new();
        for first in segments {
            self.put_pack(first, &[], &mut batch)?;
            if batch.payload_bytes() > BATCH_BYTES {
                let full = std::mem::take(&mut batch);
                self.shared.kv.write(full, Durability::Eventual)?;
            }
        }
        if !batch.is_empty() {
            self.shared.kv.write(batch, Durability::Eventual)?;
        }
        Ok(next)
    }

    /// Segments from `from` on that have so many rows under their own keys that packing pays, and where to go on.
    fn segments_with_singles(&self, from: RowId) -> PgResult<(Vec<RowId>, Option<RowId>)> {
        let low = pack::pack_key(from);
        let bounds = (Bound::Included(&low[..]), Bound::Unbounded);
        let (mut found, mut next, mut looked) = (Vec::new(), None, 0);
        let (mut segment, mut singles) = (from, 0);
        let keyspace = Keyspace(self.id.0);
        self.shared
            .kv
            .range(keyspace, bounds, Direction::Forward, &mut |key, value| {
                let row = match StoredKey::of(key) {
                    Some(StoredKey::Row(row) | StoredKey::Pack(row)) => row,
                    None => return ControlFlow::Continue(()),
                };
                let first = pack::first_of(row);
                if first != segment {
                    if looked > LOOK_BYTES {
                        next = Some(first);
                        return ControlFlow::Break(());
                    }
                    (segment, singles) = (first, 0);
                }
                looked += key.len() + value.len();
                let packs = matches!(StoredKey::of(key), Some(StoredKey::Row(_)))
                    && !types::tuple::toasted::has_any(value);
                singles += usize::from(packs);
                if packs && singles == REPACK_SINGLES {
                    found.push(first);
                }
                ControlFlow::Continue(())
            })?;
        Ok((found, next))
    }

    fn note_stored(&self, row: RowId) {
        self.stored_end.fetch_max(row.0 + 1, Ordering::AcqRel);
    }
}

/// The pack of rows that were inserted by columns and lie behind each other in one block, as most loaded ones do.
fn pack_of_block(first: RowId, changes: &[(RowId, RowChange)], columns: usize) -> Option<Vec<u8>> {
    let place = |change: &RowChange| match change {
        RowChange::Put(version) => match &version.data {
            RowData::Block(block, at) => Some((Arc::clone(block), usize::from(*at))),
            _ => None,
        },
        RowChange::Move(_) | RowChange::Delete => None,
    };
    let (row, change) = changes.first()?;
    let (block, at) = place(change)?;
    let follow = (0..).zip(changes).all(|(k, (other, change))| match change {
        RowChange::Put(version) => {
            let here = matches!(&version.data, RowData::Block(b, i) if Arc::ptr_eq(b, &block) && usize::from(*i) == at + k);
            here && other.0 == row.0 + k as u64
        }
        RowChange::Move(_) | RowChange::Delete => false,
    });
    if !follow || block.columns.len() > columns || block.toast().is_some() {
        return None;
    }
    let position = (row.0 - first.0) as usize;
    pack::encode_columns(&block.columns, at..at + changes.len(), position, |i| {
        block.xids.get(i)
    })
}

/// What changed of a row between two CSNs.
fn row_change(shared: &Shared, head: Arc<Version>, from: Csn, to: Csn) -> Option<RowChange> {
    let mut version = head;
    loop {
        match shared.committed(&version.begin) {
            Some(begin) if begin <= to => {
                let end = shared.committed(&version.end).filter(|end| *end <= to);
                return match end {
                    Some(end) if end > from => Some(RowChange::Delete),
                    Some(_) => None,
                    // A base version is begun at 0 and is in the KV store or the program already.
                    None if begin > from => Some(RowChange::Put(version)),
                    None => None,
                };
            }
            _ => {
                let older = version.older.load_full()?;
                version = older;
            }
        }
    }
}
