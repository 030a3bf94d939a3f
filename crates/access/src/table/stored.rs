//! Rows in the KV store: read one by one, and as the block of a chunk.
//!
//! # Invariants
//! - A row's own key counts more than the pack around it, both more than the program's row of that id.
//! - An empty value under a row's own key: deleted.

use std::ops::{Bound, ControlFlow};

use common::{PgResult, RowId, pg_err};
use kv::{Direction, Keyspace};

use crate::block::{BlockBuilder, CHUNK_ROWS, MainBlock, row_key, whole_block};
use crate::defs::TableDef;
use crate::pack::{self, PACK_ROWS, Pack, StoredKey};
use crate::table::store::TableStore;
use crate::xids::BOOTSTRAP;

/// What the KV store says about a row.
pub(crate) enum StoredRow {
    /// Encoded, under its own key.
    Single(Box<[u8]>),
    /// Encoded, out of a pack.
    Packed(Box<[u8]>),
    Deleted,
    /// Nothing: there is none, or the program's.
    Absent,
}

/// The rows that one pack covers or would cover.
#[derive(Default)]
pub(crate) struct Segment {
    pub(crate) pack: Option<Vec<u8>>,
    /// Rows with keys of their own; empty: deleted.
    pub(crate) singles: Vec<(RowId, Vec<u8>)>,
}

impl Segment {
    pub(crate) fn is_empty(&self) -> bool {
        self.pack.is_none() && self.singles.is_empty()
    }

    /// Its rows, encoded, from its first one on.
    pub(crate) fn rows(&self, first: RowId) -> PgResult<Vec<Option<Vec<u8>>>> {
        let mut rows: Vec<Option<Vec<u8>>> = vec![None; PACK_ROWS as usize];
        if let Some(bytes) = &self.pack {
            let pack = Pack::open(bytes)?;
            for position in pack.positions() {
                rows[position] = pack.row(position)?;
            }
        }
        for (row, bytes) in &self.singles {
            rows[(row.0 - first.0) as usize] = (!bytes.is_empty()).then(|| bytes.clone());
        }
        Ok(rows)
    }
}

impl TableStore {
    /// Reads one row.
    pub(crate) fn stored_row(&self, row: RowId) -> PgResult<StoredRow> {
        self.stored_row_of(Keyspace(self.id.0), row)
    }

    /// The same in another keyspace.
    pub(crate) fn stored_row_of(&self, keyspace: Keyspace, row: RowId) -> PgResult<StoredRow> {
        let kv = &self.shared.kv;
        if let Some(bytes) = kv.get(keyspace, &row_key(row))? {
            return Ok(match bytes.is_empty() {
                true => StoredRow::Deleted,
                false => StoredRow::Single(bytes.as_ref().into()),
            });
        }
        if self.is_catalog() {
            return Ok(StoredRow::Absent);
        }
        // The row may have gone into the pack or out of it between the two reads: then delta has it.
        let first = pack::first_of(row);
        let Some(bytes) = kv.get(keyspace, &pack::pack_key(first))? else {
            return Ok(StoredRow::Absent);
        };
        let row = Pack::open(&bytes)?.row((row.0 - first.0) as usize)?;
        Ok(row.map_or(StoredRow::Absent, |bytes| StoredRow::Packed(bytes.into())))
    }

    /// True when the KV store has a pack with this first row.
    pub(crate) fn has_pack(&self, first: RowId) -> PgResult<bool> {
        if self.is_catalog() {
            return Ok(false);
        }
        let pack = self.shared.kv.get(Keyspace(self.id.0), &pack::pack_key(first))?;
        Ok(pack.is_some())
    }

    /// Reads what a pack with this first row would hold.
    pub(crate) fn stored_segment(&self, first: RowId) -> PgResult<Segment> {
        self.stored_segment_of(Keyspace(self.id.0), first)
    }

    /// The same in another keyspace.
    pub(crate) fn stored_segment_of(&self, keyspace: Keyspace, first: RowId) -> PgResult<Segment> {
        let mut segment = Segment::default();
        self.visit(keyspace, first, first.0 + PACK_ROWS, &mut |key, value| {
            match key {
                StoredKey::Pack(_) => segment.pack = Some(value.to_vec()),
                StoredKey::Row(row) => segment.singles.push((row, value.to_vec())),
            }
            Ok(())
        })?;
        Ok(segment)
    }

    /// Builds the block of a chunk from the KV store and, below it, rows of the program; of these columns only, ascending (None: of all).
    pub(crate) fn load_block(
        &self,
        def: &TableDef,
        chunk: u64,
        columns: Option<&[u16]>,
    ) -> PgResult<MainBlock> {
        self.load_block_of(Keyspace(self.id.0), def, chunk, columns)
    }

    /// The same from another keyspace.
    pub(crate) fn load_block_of(
        &self,
        keyspace: Keyspace,
        def: &TableDef,
        chunk: u64,
        columns: Option<&[u16]>,
    ) -> PgResult<MainBlock> {
        let mut loader = Loader {
            def,
            columns,
            builtin: builtin_part(def, chunk)?,
            builder: None,
            next: 0,
            base: 0,
            segment: Segment::default(),
        };
        let first = chunk * CHUNK_ROWS;
        self.visit(
            keyspace,
            RowId(first),
            first + CHUNK_ROWS,
            &mut |key, value| match key {
                StoredKey::Pack(row) => {
                    loader.flush()?;
                    loader.base = (row.0 - first) as usize;
                    loader.segment.pack = Some(value.to_vec());
                    Ok(())
                }
                StoredKey::Row(row) => {
                    let position = (row.0 - first) as usize;
                    if loader.segment.pack.is_some() {
                        if position < loader.base + PACK_ROWS as usize {
                            loader
                                .segment
                                .singles
                                .push((RowId(position as u64), value.to_vec()));
                            return Ok(());
                        }
                        loader.flush()?;
                    }
                    loader.single(position, value)
                }
            },
        )?;
        loader.finish()
    }

    /// Visits what is stored for rows from `first` up to `end`.
    fn visit(
        &self,
        keyspace: Keyspace,
        first: RowId,
        end: u64,
        visit: &mut dyn FnMut(StoredKey, &[u8]) -> PgResult<()>,
    ) -> PgResult<()> {
        let (low, high) = (pack::pack_key(first), pack::pack_key(RowId(end)));
        let bounds = (Bound::Included(&low[..]), Bound::Excluded(&high[..]));
        let mut outcome = Ok(());
        self.shared
            .kv
            .range(keyspace, bounds, Direction::Forward, &mut |key, value| {
                outcome = match StoredKey::of(key) {
                    Some(key) => visit(key, value),
                    None => Err(pg_err!(DATA_CORRUPTED, "stored row has a damaged key")),
                };
                match outcome {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                }
            })?;
        outcome
    }
}

/// Builds a block from what is stored, in the order of the rows.
struct Loader<'a> {
    def: &'a TableDef,
    columns: Option<&'a [u16]>,
    builtin: MainBlock,
    /// None until something stored was met.
    builder: Option<BlockBuilder<'a>>,
    /// The first position not looked at.
    next: usize,
    /// The pack met last, where it begins, and what counts more than it, by positions.
    base: usize,
    segment: Segment,
}

impl<'a> Loader<'a> {
    /// Rows of the program before a position, then the builder.
    fn at(&mut self, position: usize) -> &mut BlockBuilder<'a> {
        let builder = self
            .builder
            .get_or_insert_with(|| BlockBuilder::new(self.def, self.columns));
        (self.next..position)
            .filter(|&p| self.builtin.contains(p))
            .for_each(|p| builder.push_from(p, &self.builtin, p));
        self.next = position;
        builder
    }

    fn single(&mut self, position: usize, value: &[u8]) -> PgResult<()> {
        let builder = self.at(position);
        if !value.is_empty() {
            builder.push_encoded(position, value)?;
        }
        self.next = position + 1;
        Ok(())
    }

    /// The pack met last, with what counts more than it.
    fn flush(&mut self) -> PgResult<()> {
        let Segment { pack, singles } = std::mem::take(&mut self.segment);
        let Some(bytes) = pack else { return Ok(()) };
        let (base, pack) = (self.base, Pack::open(&bytes)?);
        let builder = self.at(base);
        let mut from = 0;
        for (position, value) in singles {
            let position = position.0 as usize;
            builder.push_pack(base, &pack, from, position - base)?;
            if !value.is_empty() {
                builder.push_encoded(position, &value)?;
            }
            from = position - base + 1;
        }
        builder.push_pack(base, &pack, from, PACK_ROWS as usize)?;
        self.next = base + PACK_ROWS as usize;
        Ok(())
    }

    fn finish(mut self) -> PgResult<MainBlock> {
        self.flush()?;
        if self.builder.is_none() {
            return Ok(self.builtin);
        }
        let end = self.builtin.rows.max(self.next);
        self.at(end);
        Ok(self.builder.map_or(self.builtin, BlockBuilder::finish))
    }
}

fn builtin_part(def: &TableDef, chunk: u64) -> PgResult<MainBlock> {
    match &def.builtin {
        Some(rows) if chunk * CHUNK_ROWS < rows.row_count() as u64 => {
            let columns = rows.block(chunk as usize)?;
            let count = columns.first().map_or(0, |c| c.len());
            Ok(whole_block(columns, count, BOOTSTRAP))
        }
        _ => Ok(MainBlock::empty()),
    }
}
