//! Scans of a table: one batch per chunk, columns of main shared where delta has nothing to say.

use std::ops::Range;
use std::sync::Arc;

use common::cancel::{self, CancelToken};
use common::{PgResult, RowId};
use txn::{ReadTarget, Snapshot};
use types::{Batch, Selection, Vector, VectorData};

use crate::ahead::ends::{self, RowBits};
use crate::ahead::gate::Gate;
use crate::block::{CHUNK_ROWS, Change, MainBlock};
use crate::chunk::{ChunkState, Delta};
use crate::serial;
use crate::table::Table;
use crate::toast::block::BlockToast;
use crate::version::{RowData, Version};
use crate::zone::{Zone, ZoneTest};
use txn::versions::visible;

/// Rows gathered from delta for one chunk that make a merge worth while.
const GATHERED_MANY: usize = 128;

/// Bytes of values that lie elsewhere in one batch, if it has more than one row.
const TOAST_BYTES_MAX: usize = 16 << 20;

/// Which way a scan goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScanDirection {
    /// Ascending.
    #[default]
    Forward,
    /// Descending.
    Backward,
}

/// What a scan shall give.
#[derive(Clone, Debug, Default)]
pub struct ScanRequest {
    /// Columns (0-based), in the order of the batch.
    pub columns: Vec<u16>,
    /// Places in `columns` of strings that the caller asks for later, of some of the rows ([`TableScan::fill_later`]): where they do not lie
    /// in their rows a batch has NULL until then. Forward only.
    pub later: Vec<u16>,
    /// One more column at the end: the row ids, as `Int8` (`ctid`).
    pub row_ids: bool,
    /// Only row ids in this range; None for all.
    pub rows: Option<Range<u64>>,
    /// Ascending or descending row ids.
    pub direction: ScanDirection,
    /// Long values are read until this says stop.
    pub cancel: CancelToken,
    /// Rows that fail one of these need not be given, and mostly are.
    pub zones: Vec<ZoneTest>,
}

impl ScanRequest {
    /// All rows, these columns, ascending, until what this thread does is cancelled.
    pub fn columns(columns: impl Into<Vec<u16>>) -> ScanRequest {
        ScanRequest {
            columns: columns.into(),
            cancel: cancel::current(),
            ..ScanRequest::default()
        }
    }

    /// The same with row ids as the last column.
    pub fn with_row_ids(mut self) -> ScanRequest {
        self.row_ids = true;
        self
    }
}

/// The rows of a chunk as they were read: values that lie elsewhere are missing in the batch.
struct Read {
    batch: Batch,
    toast: BlockToast,
    /// Those that the caller asks for itself.
    later: Arc<BlockToast>,
}

impl From<Batch> for Read {
    fn from(batch: Batch) -> Read {
        Read {
            batch,
            toast: BlockToast::default(),
            later: Arc::default(),
        }
    }
}

/// A running scan. It keeps no lock and no snapshot registered: the caller holds the [`txn::SnapshotGuard`].
pub struct TableScan {
    table: Table,
    snapshot: Snapshot,
    request: ScanRequest,
    /// Row ids not yet looked at.
    rest: Range<u64>,
    /// A batch not yet handed out in full, and how many of its rows have been.
    current: Option<(Read, usize)>,
    /// Values that the batch handed out last lacks.
    pending: Arc<BlockToast>,
    /// A serializable transaction must tell what it reads.
    watched: bool,
}

impl Table {
    /// Begins a scan. Rows inserted later are not seen, as the snapshot does not see them.
    pub fn scan(&self, snapshot: &Snapshot, request: ScanRequest) -> TableScan {
        let watched = serial::is_watched(snapshot, self.def.oid, self.def.persistence);
        if watched {
            // An error comes up again with the first chunk; a table without chunks has nothing that could err.
            let _ = serial::reads(self.store.shared.table(), snapshot, self.read_target());
        }
        let end = self.store.next_row();
        let rest = match &request.rows {
            Some(rows) => rows.start.min(end)..rows.end.min(end),
            None => 0..end,
        };
        TableScan {
            table: self.clone(),
            snapshot: *snapshot,
            request,
            rest,
            current: None,
            pending: Arc::default(),
            watched,
        }
    }

    fn read_target(&self) -> ReadTarget<'static> {
        ReadTarget::Relation(self.def.oid.0)
    }

    /// The row ids in use end here: for splitting a scan into ranges for parallel workers.
    pub fn row_id_end(&self) -> RowId {
        RowId(self.store.next_row())
    }
}

impl TableScan {
    /// The table scanned.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Goes on, forward, with these row ids after those of before.
    pub fn go_on(&mut self, rows: Range<u64>) {
        self.current = None;
        self.rest = rows;
    }

    /// Up to `max_rows` more rows; None at the end. A batch is never empty.
    pub fn next_batch(&mut self, max_rows: usize) -> PgResult<Option<Batch>> {
        loop {
            if let Some((read, done)) = self.current.take() {
                if let Some(out) = self.hand_out(read, done, max_rows.max(1))? {
                    return Ok(Some(out));
                }
            }
            if self.rest.is_empty() {
                return Ok(None);
            }
            let read = self.next_chunk()?;
            self.current = Some((read, 0));
        }
    }

    fn hand_out(&mut self, read: Read, done: usize, max_rows: usize) -> PgResult<Option<Batch>> {
        let batch = &read.batch;
        let left = batch.len() - done;
        if left == 0 {
            return Ok(None);
        }
        self.pending = Arc::clone(&read.later);
        let mut take = left.min(max_rows);
        if !read.toast.is_empty() {
            let positions = (done..done + take).map(|k| batch.selection.position(k));
            take = read.toast.rows_within(positions, TOAST_BYTES_MAX)?;
        }
        if done == 0 && take == left {
            let columns = self.fill_rows(&read, done..done + take)?;
            return Ok(Some(Batch {
                columns,
                ..read.batch
            }));
        }
        let rows = (done..done + take)
            .map(|k| batch.selection.position(k) as u16)
            .collect();
        let out = Batch {
            columns: self.fill_rows(&read, done..done + take)?,
            rows: batch.rows,
            selection: Selection::Rows(rows),
        };
        self.current = Some((read, done + take));
        Ok(Some(out))
    }

    /// True when the batch handed out last lacks values that the caller asks for later.
    pub fn has_later(&self) -> bool {
        !self.pending.is_empty()
    }

    /// How many of these rows of the batch handed out last have values that fit into memory together; at least one, if there are any.
    pub fn later_within(&self, rows: &Selection) -> PgResult<usize> {
        self.pending.rows_within(rows.iter(), TOAST_BYTES_MAX)
    }

    /// Puts the values that lie elsewhere of these rows into the columns of the batch handed out last.
    pub fn fill_later(&self, columns: &mut [Arc<Vector>], rows: &Selection) -> PgResult<()> {
        self.fill(columns, &self.pending, rows.iter())
    }

    /// The columns of a batch with the values of some of its rows that lie elsewhere.
    fn fill_rows(&self, read: &Read, rows: Range<usize>) -> PgResult<Vec<Arc<Vector>>> {
        let mut columns = read.batch.columns.clone();
        let positions = rows.map(|k| read.batch.selection.position(k));
        self.fill(&mut columns, &read.toast, positions)?;
        Ok(columns)
    }

    fn fill(
        &self,
        columns: &mut [Arc<Vector>],
        toast: &BlockToast,
        positions: impl Iterator<Item = usize>,
    ) -> PgResult<()> {
        if toast.is_empty() {
            return Ok(());
        }
        let mut filled: Vec<Option<Vector>> = vec![None; columns.len()];
        for position in positions {
            for (column, place) in toast.row(position) {
                let at = usize::from(column);
                let (Some(source), Some(out)) = (columns.get(at), filled.get_mut(at)) else {
                    continue;
                };
                let out = out.get_or_insert_with(|| source.flatten());
                self.table
                    .store
                    .detoast_into(place, (out, position), &self.request.cancel)?;
            }
        }
        for (column, filled) in columns.iter_mut().zip(filled) {
            if let Some(filled) = filled {
                *column = Arc::new(filled);
            }
        }
        Ok(())
    }

    /// The next chunk's visible rows (perhaps none).
    fn next_chunk(&mut self) -> PgResult<Read> {
        let number = match self.request.direction {
            ScanDirection::Forward => self.rest.start / CHUNK_ROWS,
            ScanDirection::Backward => (self.rest.end - 1) / CHUNK_ROWS,
        };
        let first = number * CHUNK_ROWS;
        let wanted = self.rest.start.max(first)..self.rest.end.min(first + CHUNK_ROWS);
        match self.request.direction {
            ScanDirection::Forward => self.rest.start = wanted.end,
            ScanDirection::Backward => self.rest.end = wanted.start,
        }
        let mut read = self.chunk_batch(number)?;
        let batch = &mut read.batch;
        let positions = (wanted.start - first) as usize..(wanted.end - first) as usize;
        if positions.start > 0 || positions.end < batch.rows {
            batch.selection = batch.selection.filter(|p| positions.contains(&p));
        }
        if self.request.row_ids {
            let ids = (0..batch.rows as u64).map(|p| (first + p) as i64).collect();
            batch
                .columns
                .push(Arc::new(Vector::new(VectorData::Int8(ids), None)));
        }
        if self.request.direction == ScanDirection::Backward {
            let rows = 0..read.batch.len();
            read.batch.columns = self.fill_rows(&read, rows)?;
            return Ok(reversed(&read.batch).into());
        }
        Ok(read)
    }

    fn chunk_batch(&self, number: u64) -> PgResult<Read> {
        let def = &self.table.def;
        if self.watched {
            let target = self.table.read_target();
            serial::reads(self.table.store.shared.table(), &self.snapshot, target)?;
        }
        if !self.request.zones.is_empty() && self.is_ruled_out(number) {
            return Ok(Batch::new(Vec::new(), 0).into());
        }
        let columns = &self.request.columns;
        let (snapshot, txns) = (&self.snapshot, self.table.store.shared.table());
        let is_open = |gate: &Gate| gate.is_open(snapshot, txns);
        let (state, main, heirs) = loop {
            let (state, main) = self.table.store.loaded_columns(number, def, columns)?;
            if state.ends.is_empty() {
                break (state, main, None);
            }
            // Before a look at delta, which may get versions of such rows: they say the same.
            let Some(bits) = state.replaced_bits(is_open) else {
                break (state, main, None);
            };
            if let Some(block) = self.table.store.heir_block(number, &state, def, columns)? {
                break (state, main, Some((bits, block)));
            }
        };
        self.remember_zones(number, &state, &main);
        let ended = match state.ends.is_empty() {
            true => None,
            false => state.ended_bits(is_open),
        };
        let mut read = self.rows_of(&state, main, heirs, number)?;
        if let Some(ended) = ended {
            let batch = &mut read.batch;
            batch.selection = batch.selection.filter(|p| !ends::has_bit(&ended, p));
        }
        Ok(read)
    }

    /// True when a chunk has no row of use to the caller, as far as is known without reading it.
    fn is_ruled_out(&self, number: u64) -> bool {
        let Some(chunk) = self.table.store.existing_chunk(number) else {
            return false;
        };
        let state = chunk.state.load();
        let plain = state.delta.is_none() && !state.has_updates();
        plain
            && state
                .zones
                .as_ref()
                .is_some_and(|zones| zones.rule_out(&self.request.zones))
    }

    /// Makes the zones that the next scan of this kind will ask for.
    fn remember_zones(&self, number: u64, state: &ChunkState, main: &MainBlock) {
        for ZoneTest { column, .. } in &self.request.zones {
            let known = state.zones.as_ref().is_some_and(|zones| zones.knows(*column));
            // Where nothing is yet, loads may put their rows without a word.
            if known || main.present.is_empty() {
                continue;
            }
            let Some(chunk) = self.table.store.existing_chunk(number) else {
                return;
            };
            let zone = match main.has_toasted(&[*column]) {
                true => None,
                false => Zone::of(&main.column(&self.table.def, usize::from(*column)), &main.present),
            };
            chunk.add_zone(state.generation, *column, zone);
        }
    }

    /// The rows of a chunk, but for those that end otherwise than by delta.
    fn rows_of(
        &self,
        state: &ChunkState,
        mut main: Arc<MainBlock>,
        heirs: Option<(RowBits, Arc<MainBlock>)>,
        number: u64,
    ) -> PgResult<Read> {
        let def = &self.table.def;
        if self.table.hides(RowId(number * CHUNK_ROWS), &self.snapshot)? {
            main = Arc::new(MainBlock::empty());
        }
        let main = &main;
        let changed = match &state.delta {
            Some(delta) => self.changes(delta, main)?,
            None => Vec::new(),
        };
        let heirs = heirs.map_or(Vec::new(), |(bits, block)| heirs_of(&bits, &block));
        if changed.is_empty() && heirs.is_empty() {
            let columns = self
                .request
                .columns
                .iter()
                .map(|&c| main.column(def, usize::from(c)))
                .collect();
            let batch = Batch {
                columns,
                rows: main.rows,
                selection: main.present.clone(),
            };
            return Ok(self.read_of(main, batch));
        }
        if heirs.is_empty()
            && let Some(read) = self.fresh_block(main, &changed)
        {
            return Ok(read);
        }
        if changed.len() + heirs.len() >= GATHERED_MANY {
            let gathered = &self.table.store.shared.gathered_chunks;
            gathered.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        let mut changes: Vec<Change<'_>> = changed
            .iter()
            .map(|(p, v)| (*p, v.as_ref().map(|v| &v.data)))
            .collect();
        changes.extend(heirs.iter().map(|(p, data)| (*p, data.as_ref())));
        // What delta has of a row comes first, and counts.
        changes.sort_by_key(|(position, _)| *position);
        changes.dedup_by_key(|(position, _)| *position);
        let (batch, toast) = main.overlay(def, &self.request.columns, &changes)?.into_batch();
        Ok(self.divided(batch, toast))
    }

    /// The columns of a block as they are.
    fn read_of(&self, block: &MainBlock, batch: Batch) -> Read {
        let toast = block.toast().map(|toast| toast.project(&self.request.columns));
        self.divided(batch, toast.unwrap_or_default())
    }

    /// A batch, and which of its values the caller asks for later.
    fn divided(&self, batch: Batch, mut toast: BlockToast) -> Read {
        let later = match self.request.direction {
            ScanDirection::Forward => toast.split_off(&self.request.later),
            ScanDirection::Backward => BlockToast::default(),
        };
        Read {
            batch,
            toast,
            later: Arc::new(later),
        }
    }

    /// The rows of a chunk that was filled by columns, handed out as they came.
    fn fresh_block(&self, main: &MainBlock, changed: &[(u16, Option<Arc<Version>>)]) -> Option<Read> {
        let block = fresh_block(main, changed)?;
        let def = &self.table.def;
        let columns = self.request.columns.iter();
        let selection = match changed.len() == block.rows {
            true => Selection::All(block.rows),
            false => Selection::Rows(changed.iter().map(|(p, _)| *p).collect()),
        };
        let batch = Batch {
            columns: columns.map(|&c| block.column(def, usize::from(c))).collect(),
            rows: block.rows,
            selection,
        };
        Some(self.read_of(block, batch))
    }

    /// Rows of delta as the snapshot sees them, without those that are in main all the same.
    fn changes(&self, delta: &Delta, main: &Arc<MainBlock>) -> PgResult<Vec<(u16, Option<Arc<Version>>)>> {
        let table = self.table.store.shared.table();
        if self.watched {
            for (_, head) in delta.heads() {
                serial::passes(table, &self.snapshot, &head)?;
            }
        }
        let see = |(position, head): (u16, Arc<Version>)| {
            let version = visible(&head, &self.snapshot, table);
            let as_main_has_it = match &version {
                Some(version) => {
                    matches!(&version.data, RowData::Block(block, _) if Arc::ptr_eq(block, main))
                }
                None => !main.contains(usize::from(position)),
            };
            (!as_main_has_it).then_some((position, version))
        };
        Ok(delta.heads().filter_map(see).collect())
    }
}

/// The block that all changes to an empty main block point into, each at its own position.
pub(super) fn fresh_block<'a>(
    main: &MainBlock,
    changed: &'a [(u16, Option<Arc<Version>>)],
) -> Option<&'a Arc<MainBlock>> {
    let place = |(position, version): &'a (u16, Option<Arc<Version>>)| match &version.as_ref()?.data {
        RowData::Block(block, at) if at == position => Some(block),
        _ => None,
    };
    let first = place(changed.first().filter(|_| main.rows == 0)?)?;
    let same = |change| place(change).is_some_and(|block| Arc::ptr_eq(block, first));
    changed.iter().all(same).then_some(first)
}

/// What these rows are now; nothing: deleted since.
fn heirs_of(bits: &RowBits, block: &Arc<MainBlock>) -> Vec<(u16, Option<RowData>)> {
    let data = |position| RowData::Block(Arc::clone(block), position);
    ends::positions(bits)
        .map(|position| {
            (
                position,
                block.contains(usize::from(position)).then(|| data(position)),
            )
        })
        .collect()
}

/// The rows in the opposite order.
fn reversed(batch: &Batch) -> Batch {
    let positions: Vec<usize> = batch.selection.iter().collect();
    let columns = batch
        .columns
        .iter()
        .map(|c| Arc::new(c.take(positions.iter().rev().copied())))
        .collect();
    Batch::new(columns, positions.len())
}
