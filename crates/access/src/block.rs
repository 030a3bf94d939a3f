//! Main blocks: up to 1,024 consecutive row ids, as columns at rest ([`types::Compact`]), immutable.
//!
//! # Invariants
//! - Position = row id - `first`. Positions without a row hold arbitrary values and are missing from `present`.
//! - A block is a cache: KV store and program rows give it back at any time. What delta says about a row counts more.

use std::sync::Arc;

use common::{PgResult, RowId};
use types::{Batch, Bitmap, Datum, PhysType, Selection, Vector, tuple};

use crate::cache::Charge;
use crate::defs::TableDef;
use crate::pack::Pack;
use crate::toast::block::BlockToast;
use crate::toast::rows::RowPlaces;
use crate::toast::store::Places;
use crate::version::RowData;
use crate::xids::{FROZEN, Xids};

/// Rows per chunk, and so per block.
pub(crate) const CHUNK_ROWS: u64 = types::BATCH_ROWS as u64;

/// How often changes are copied into a block before it is built anew (each time leaves the replaced strings behind).
const OVERLAYS_MAX: u8 = 8;

/// An immutable block.
#[derive(Debug)]
pub(crate) struct MainBlock {
    pub(crate) columns: Vec<Arc<Vector>>,
    pub(crate) present: Selection,
    bitmap: Bitmap,
    /// Length of every column.
    pub(crate) rows: usize,
    /// Who wrote the rows.
    pub(crate) xids: Xids,
    /// Attributes of the widest stored row; columns beyond are the missing values for every row.
    natts_max: usize,
    overlays: u8,
    /// Values that lie elsewhere; None for none.
    toast: Option<Arc<BlockToast>>,
    _charge: Option<Charge>,
}

/// A block of which only some columns were read; the others are empty and nobody's business.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) block: Arc<MainBlock>,
    /// Those that were read, ascending.
    columns: Arc<[u16]>,
}

impl Part {
    pub(crate) fn new(block: Arc<MainBlock>, columns: &[u16]) -> Part {
        Part {
            block,
            columns: columns.into(),
        }
    }

    pub(crate) fn columns(&self) -> &[u16] {
        &self.columns
    }

    pub(crate) fn has_all(&self, columns: &[u16]) -> bool {
        columns.iter().all(|c| self.columns.binary_search(c).is_ok())
    }
}

/// A change to a block: the row's new attributes, or None for no row.
pub(crate) type Change<'a> = (u16, Option<&'a RowData>);

impl MainBlock {
    /// No rows.
    pub(crate) fn empty() -> MainBlock {
        MainBlock {
            columns: Vec::new(),
            present: Selection::All(0),
            bitmap: Bitmap::default(),
            rows: 0,
            xids: Xids::Same(FROZEN),
            natts_max: 0,
            overlays: 0,
            toast: None,
            _charge: None,
        }
    }

    /// The values that lie elsewhere, if there are any.
    #[inline]
    pub(crate) fn toast(&self) -> Option<&Arc<BlockToast>> {
        self.toast.as_ref()
    }

    /// The same block of rows with values elsewhere.
    pub(crate) fn with_toast(mut self, toast: BlockToast) -> MainBlock {
        self.toast = (!toast.is_empty()).then(|| Arc::new(toast));
        self
    }

    /// The values of a row that lie elsewhere: columns and places.
    pub(crate) fn places(&self, position: usize) -> impl Iterator<Item = (u16, Box<[u8]>)> {
        let toast = self.toast.iter();
        toast.flat_map(move |toast| toast.row(position).map(|(column, place)| (column, place.into())))
    }

    /// True when some value of these columns lies elsewhere.
    pub(crate) fn has_toasted(&self, columns: &[u16]) -> bool {
        self.toast.as_ref().is_some_and(|toast| toast.has_any_of(columns))
    }

    /// The same rows with columns of an older part beside those read now; None if its rows are others.
    pub(crate) fn joined(mut self, old: &Part) -> Option<MainBlock> {
        let before = &*old.block;
        let same = self.bitmap == before.bitmap
            && self.natts_max == before.natts_max
            && self.columns.len() == before.columns.len()
            && self.toast.is_none()
            && before.toast.is_none();
        for &column in same.then_some(old.columns())? {
            let column = usize::from(column);
            *self.columns.get_mut(column)? = Arc::clone(before.columns.get(column)?);
        }
        Some(self)
    }

    /// True when it has all columns of the definition that rows can have.
    pub(crate) fn serves(&self, def: &TableDef) -> bool {
        self.columns.len() >= def.columns.len() || self.natts_max <= self.columns.len()
    }

    pub(crate) fn contains(&self, position: usize) -> bool {
        match &self.present {
            // Without a look at the bitmap, which lies elsewhere: rows fetched by an index are in many blocks.
            Selection::All(rows) => position < *rows,
            Selection::Rows(_) => position < self.rows && self.bitmap.get(position),
        }
    }

    /// One value.
    #[inline]
    pub(crate) fn datum(&self, def: &TableDef, column: usize, position: usize) -> Datum {
        match self.columns.get(column) {
            Some(vector) => vector.datum(position),
            None => def.missing_value(column),
        }
    }

    /// A column for a batch.
    pub(crate) fn column(&self, def: &TableDef, column: usize) -> Arc<Vector> {
        match self.columns.get(column) {
            Some(vector) => vector.lent(),
            None => {
                let phys = def.columns.get(column).copied().unwrap_or(PhysType::Nested);
                Arc::new(Vector::constant(phys, &def.missing_value(column), self.rows))
            }
        }
    }

    /// Encodes a row as it would be stored.
    pub(crate) fn encode_row(&self, position: usize, out: &mut Vec<u8>) {
        let start = out.len();
        let places: RowPlaces = self.places(position).collect();
        match places.is_empty() {
            true => tuple::encode_row(&self.columns, position, out),
            false => tuple::toasted::encode_row(&self.columns, position, &places, out),
        }
        let xid = self.xids.get(position);
        if xid > FROZEN {
            tuple::put_xid(start, xid, out);
        }
    }

    /// Who will have written the rows once the changes are applied; what counts of it is present.
    fn xids_after(&self, changes: &[Change<'_>]) -> Xids {
        let last = changes
            .last()
            .map_or(0, |(position, _)| usize::from(*position) + 1);
        let mut all: Vec<u64> = (0..self.rows).map(|position| self.xids.get(position)).collect();
        for (position, change) in changes {
            let Some(data) = change else { continue };
            let xid = data.xid();
            if all.len() < last {
                // Positions without rows: what costs no memory.
                all.resize(last, xid);
            }
            if let Some(slot) = all.get_mut(usize::from(*position)) {
                *slot = xid;
            }
        }
        Xids::of(&all)
    }

    /// The same rows in little room.
    pub(crate) fn at_rest(&self) -> MainBlock {
        MainBlock {
            columns: self
                .columns
                .iter()
                .map(|c| Arc::new(c.at_rest(&self.bitmap)))
                .collect(),
            present: self.present.clone(),
            bitmap: self.bitmap.clone(),
            xids: self.xids.clone(),
            toast: self.toast.clone(),
            _charge: None,
            ..*self
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<MainBlock>()
            + self.xids.memory_bytes()
            + self.columns.iter().map(|c| c.memory_bytes()).sum::<usize>()
            + self.toast.as_ref().map_or(0, |toast| toast.memory_bytes())
    }

    pub(crate) fn with_charge(mut self, charge: Charge) -> MainBlock {
        self._charge = Some(charge);
        self
    }

    /// The listed columns with changes applied, and which positions have rows afterwards.
    pub(crate) fn overlay(
        &self,
        def: &TableDef,
        columns: &[u16],
        changes: &[Change<'_>],
    ) -> PgResult<Overlay> {
        let mut out = Overlay::start(self, def, columns);
        let mut scratch = Vec::with_capacity(columns.len());
        let mut places = Places::new();
        for (position, change) in changes {
            let position = usize::from(*position);
            if !out.toast.is_empty() {
                out.toast.remove_row(position);
            }
            match change {
                Some(data) => {
                    scratch.clear();
                    data.columns(def, columns, &mut scratch, &mut places)?;
                    out.put(position, &scratch);
                    let added = places.drain(..);
                    added.for_each(|(at, _, place)| out.toast.push_sorted(position, at as u16, place));
                }
                None if position < out.bitmap.len() => out.bitmap.set(position, false),
                None => {}
            }
        }
        Ok(out)
    }

    /// A new block with changes applied.
    pub(crate) fn merge(&self, def: &TableDef, changes: &[Change<'_>]) -> PgResult<MainBlock> {
        let rebuild = self.overlays >= OVERLAYS_MAX || changes.len() * 4 > self.rows;
        if !rebuild {
            let all: Vec<u16> = (0..def.columns.len() as u16).collect();
            let overlay = self.overlay(def, &all, changes)?;
            let mut block = overlay.finish(self.natts_max.max(def.columns.len()));
            block.xids = self.xids_after(changes);
            block.overlays = self.overlays + 1;
            return Ok(block);
        }
        let mut builder = BlockBuilder::new(def, None);
        let mut changes = changes.iter().peekable();
        let (mut row, mut places) = (Vec::new(), Places::new());
        for position in 0..CHUNK_ROWS as usize {
            row.clear();
            match changes.next_if(|(p, _)| usize::from(*p) == position) {
                Some((_, Some(data))) => {
                    data.row(def, &mut row, &mut places)?;
                    builder.push(position, &row, data.xid());
                    for (column, _, place) in places.drain(..) {
                        builder.toast.push(position, column as u16, place);
                    }
                }
                Some((_, None)) => {}
                None if self.contains(position) => builder.push_from(position, self, position),
                None => {}
            }
        }
        Ok(builder.finish())
    }
}

/// Columns being changed.
pub(crate) struct Overlay {
    columns: Vec<Vector>,
    bitmap: Bitmap,
    /// Values that lie elsewhere, by places in `columns`.
    toast: BlockToast,
}

impl Overlay {
    fn start(block: &MainBlock, def: &TableDef, columns: &[u16]) -> Overlay {
        let flat = |&c: &u16| block.column(def, usize::from(c)).flatten();
        Overlay {
            columns: columns.iter().map(flat).collect(),
            bitmap: block.bitmap.clone(),
            toast: block
                .toast()
                .map_or_else(BlockToast::default, |toast| toast.project(columns)),
        }
    }

    fn put(&mut self, position: usize, row: &[Datum]) {
        while self.bitmap.len() < position {
            self.bitmap.push(false);
            self.columns.iter_mut().for_each(Vector::push_filler);
        }
        if position == self.bitmap.len() {
            self.bitmap.push(true);
            self.columns
                .iter_mut()
                .zip(row)
                .for_each(|(column, datum)| column.push(datum));
        } else {
            self.bitmap.set(position, true);
            self.columns
                .iter_mut()
                .zip(row)
                .for_each(|(column, datum)| column.set(position, datum));
        }
    }

    /// The columns as a batch, and its values that lie elsewhere.
    pub(crate) fn into_batch(mut self) -> (Batch, BlockToast) {
        let toast = std::mem::take(&mut self.toast);
        let (columns, rows, selection) = self.into_parts();
        let batch = Batch {
            columns,
            rows,
            selection,
        };
        (batch, toast)
    }

    /// Columns, their length, and the positions that count.
    fn into_parts(self) -> (Vec<Arc<Vector>>, usize, Selection) {
        let rows = self.bitmap.len();
        let present = selection_of(&self.bitmap);
        (self.columns.into_iter().map(Arc::new).collect(), rows, present)
    }

    fn finish(mut self, natts_max: usize) -> MainBlock {
        let bitmap = self.bitmap.clone();
        let toast = std::mem::take(&mut self.toast);
        let (columns, rows, present) = self.into_parts();
        MainBlock {
            columns,
            present,
            bitmap,
            rows,
            xids: Xids::Same(FROZEN),
            natts_max,
            overlays: 0,
            toast: (!toast.is_empty()).then(|| Arc::new(toast)),
            _charge: None,
        }
    }
}

fn selection_of(bitmap: &Bitmap) -> Selection {
    let set = bitmap.count_ones();
    if set == bitmap.len() {
        return Selection::All(set);
    }
    Selection::Rows(
        (0..bitmap.len())
            .filter(|&i| bitmap.get(i))
            .map(|i| i as u16)
            .collect(),
    )
}

/// Builds a block row by row, positions ascending.
pub(crate) struct BlockBuilder<'a> {
    def: &'a TableDef,
    /// The columns wanted, ascending.
    numbers: Vec<usize>,
    /// Theirs.
    columns: Vec<Vector>,
    bitmap: Bitmap,
    xids: Vec<u64>,
    natts_max: usize,
    toast: BlockToast,
}

impl<'a> BlockBuilder<'a> {
    /// Of these columns, ascending; None for all.
    pub(crate) fn new(def: &'a TableDef, columns: Option<&[u16]>) -> BlockBuilder<'a> {
        let numbers: Vec<usize> = match columns {
            Some(some) => some.iter().map(|&c| usize::from(c)).collect(),
            None => (0..def.columns.len()).collect(),
        };
        let empty = |&c: &usize| Vector::empty(def.columns.get(c).copied().unwrap_or(PhysType::Nested));
        BlockBuilder {
            def,
            columns: numbers.iter().map(empty).collect(),
            numbers,
            bitmap: Bitmap::default(),
            xids: Vec::new(),
            natts_max: 0,
            toast: BlockToast::default(),
        }
    }

    fn skip_to(&mut self, position: usize, xid: u64) {
        self.xids.resize(position + 1, xid);
        self.fill_to(position);
        self.bitmap.push(true);
    }

    /// Positions without rows up to this one.
    fn fill_to(&mut self, position: usize) {
        while self.bitmap.len() < position {
            self.bitmap.push(false);
            self.columns.iter_mut().for_each(Vector::push_filler);
        }
    }

    pub(crate) fn push(&mut self, position: usize, row: &[Datum], xid: u64) {
        self.skip_to(position, xid);
        self.natts_max = self.natts_max.max(row.len());
        for (&number, column) in self.numbers.iter().zip(&mut self.columns) {
            column.push(row.get(number).unwrap_or(&Datum::Null));
        }
    }

    pub(crate) fn push_from(&mut self, position: usize, block: &MainBlock, from: usize) {
        self.skip_to(position, block.xids.get(from));
        self.natts_max = self.natts_max.max(block.natts_max);
        for (column, place) in block.places(from) {
            self.toast.push(position, column, place);
        }
        for (&number, column) in self.numbers.iter().zip(&mut self.columns) {
            match block.columns.get(number) {
                Some(vector) => column.push_from(vector, from),
                None => column.push(&self.def.missing_value(number)),
            }
        }
    }

    pub(crate) fn push_encoded(&mut self, position: usize, bytes: &[u8]) -> PgResult<()> {
        self.skip_to(position, tuple::xid(bytes).unwrap_or(FROZEN));
        let mut reader = tuple::TupleReader::new(bytes)?;
        let natts = reader.natts();
        self.natts_max = self.natts_max.max(natts);
        let mut wanted = self.numbers.iter().zip(&mut self.columns).peekable();
        for (number, phys) in self.def.columns.iter().enumerate() {
            let column = wanted.next_if(|(wanted, _)| **wanted == number);
            if let Some(place) = reader.toasted()? {
                self.toast.push(position, number as u16, place.into());
                column
                    .into_iter()
                    .for_each(|(_, column)| column.push(&Datum::Null));
                continue;
            }
            match column {
                Some((_, column)) if number < natts => reader.append_to(column)?,
                Some((_, column)) => column.push(&self.def.missing_value(number)),
                None if number < natts => reader.skip(*phys)?,
                None => {}
            }
        }
        Ok(())
    }

    /// Rows of a pack whose first position is `base`, those between two positions of it.
    pub(crate) fn push_pack(
        &mut self,
        base: usize,
        pack: &Pack<'_>,
        mut from: usize,
        to: usize,
    ) -> PgResult<()> {
        self.natts_max = self.natts_max.max(pack.natts());
        while let Some(run) = pack.run(from, to) {
            from = run.end;
            self.fill_to(base + run.start);
            self.xids.resize(base + run.start, FROZEN);
            self.xids.extend(run.clone().map(|position| pack.xid(position)));
            run.clone().for_each(|_| self.bitmap.push(true));
            for (&number, column) in self.numbers.iter().zip(&mut self.columns) {
                if number < pack.natts() {
                    pack.append(number, run.clone(), column)?;
                } else {
                    let missing = self.def.missing_value(number);
                    run.clone().for_each(|_| column.push(&missing));
                }
            }
        }
        Ok(())
    }

    pub(crate) fn finish(mut self) -> MainBlock {
        self.toast.sort();
        let nothing = Arc::new(Vector::empty(PhysType::Bool));
        let mut columns = vec![nothing; self.def.columns.len()];
        for (&number, column) in self.numbers.iter().zip(&self.columns) {
            if let Some(place) = columns.get_mut(number) {
                *place = Arc::new(column.at_rest(&self.bitmap));
            }
        }
        MainBlock {
            present: selection_of(&self.bitmap),
            rows: self.bitmap.len(),
            columns,
            bitmap: self.bitmap,
            xids: Xids::of(&self.xids),
            natts_max: self.natts_max,
            overlays: 0,
            toast: (!self.toast.is_empty()).then(|| Arc::new(self.toast)),
            _charge: None,
        }
    }
}

/// Wraps columns of which every row counts, without copying.
pub(crate) fn whole_block(columns: Vec<Arc<Vector>>, rows: usize, xid: u64) -> MainBlock {
    MainBlock {
        xids: Xids::Same(xid),
        natts_max: columns.len(),
        present: Selection::All(rows),
        bitmap: Bitmap::filled(rows, true),
        rows,
        columns,
        overlays: 0,
        toast: None,
        _charge: None,
    }
}

/// The key of a row in its keyspace.
pub(crate) fn row_key(row: RowId) -> [u8; 8] {
    row.0.to_be_bytes()
}
