//! One version of a row in delta.
//!
//! # How it works
//! The versions of a row form a list from newest to oldest. `begin` and `end` are [`txn::Stamp`]s. Whoever wants to replace or
//! delete the row claims `end` of the newest version, then (for an update in place) puts a new version in front.
//! A row that so far was only in main gets a *base* version, begun before every snapshot, when it is first changed.
//!
//! # Invariants
//! - Only the owner of the claim on the newest version puts one in front of it, under the lock of the chunk.
//! - `older` only ever changes to nothing, or past a version that nobody sees (cleaning), `end`, `cmax` and `ended_by` only by the claimant.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use common::{CommandId, PgResult, RowId};
use txn::{AtomicStamp, Stamp};
use types::{Datum, PhysType, tuple};

use crate::block::MainBlock;
use crate::defs::TableDef;
use crate::toast::rows::RowPlaces;
use crate::toast::store::Places;
use crate::xids::FROZEN;
use txn::versions::{Lifetime, Link};

/// Where the attributes of a version are.
#[derive(Debug)]
pub(crate) enum RowData {
    /// Encoded by `types::tuple`.
    Bytes(Box<[u8]>),
    /// At this position of a main block.
    Block(Arc<MainBlock>, u16),
}

/// Why a version ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum EndKind {
    /// Deleted, or updated with a change of its key.
    Delete = 0,
    /// Updated, key included.
    KeyUpdate = 1,
    /// Updated, key untouched.
    NoKeyUpdate = 2,
    /// Deleted, because it goes into another partition.
    Moved = 3,
}

const NO_FORWARD: u64 = u64::MAX;

/// A version.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) begin: AtomicStamp,
    pub(crate) end: AtomicStamp,
    pub(crate) cmin: CommandId,
    cmax: AtomicU32,
    ended_by: AtomicU8,
    /// Row id of the next version, when an update moved the row.
    forward: AtomicU64,
    pub(crate) older: Link<Version>,
    pub(crate) data: RowData,
}

impl Version {
    /// The next version of a row whose newest one so far is `older`.
    pub(crate) fn succeeding(begin: Stamp, cmin: CommandId, data: RowData, older: Arc<Version>) -> Version {
        let mut version = Version::new(begin, cmin, data);
        version.older = Link::new(Some(older));
        version
    }

    pub(crate) fn new(begin: Stamp, cmin: CommandId, data: RowData) -> Version {
        Version {
            begin: AtomicStamp::new(begin),
            end: AtomicStamp::new(Stamp::NEVER),
            cmin,
            cmax: AtomicU32::new(0),
            ended_by: AtomicU8::new(EndKind::Delete as u8),
            forward: AtomicU64::new(NO_FORWARD),
            older: Link::new(None),
            data,
        }
    }

    /// A row that main has had all along.
    pub(crate) fn base(data: RowData) -> Version {
        Version::new(Stamp::FROZEN, CommandId(0), data)
    }

    pub(crate) fn ended_by(&self) -> EndKind {
        match self.ended_by.load(Ordering::Acquire) {
            1 => EndKind::KeyUpdate,
            2 => EndKind::NoKeyUpdate,
            3 => EndKind::Moved,
            _ => EndKind::Delete,
        }
    }

    pub(crate) fn forward(&self) -> Option<RowId> {
        match self.forward.load(Ordering::Acquire) {
            NO_FORWARD => None,
            row => Some(RowId(row)),
        }
    }

    pub(crate) fn set_forward(&self, row: Option<RowId>) {
        self.forward
            .store(row.map_or(NO_FORWARD, |r| r.0), Ordering::Release);
    }

    /// Claims the end. The details are written first: who sees the stamp sees them. Callers hold the chunk's lock.
    pub(crate) fn claim(&self, stamp: Stamp, command: CommandId, kind: EndKind) -> Result<(), Stamp> {
        let before = self.end.load();
        if before != Stamp::NEVER {
            return Err(before);
        }
        self.cmax.store(command.0, Ordering::Release);
        self.ended_by.store(kind as u8, Ordering::Release);
        self.end.try_claim(stamp)
    }

    /// What a gate ends, which will set the stamp, ends by this command and for this reason. Nobody else has it yet.
    pub(crate) fn ends_by(&self, command: CommandId, kind: EndKind) {
        self.ended_by.store(kind as u8, Ordering::Release);
        self.cmax.store(command.0, Ordering::Release);
    }

    /// Undoes [`Version::claim`].
    pub(crate) fn unclaim(&self) {
        self.set_forward(None);
        self.end.set(Stamp::NEVER);
    }

    /// Bytes of memory, roughly.
    pub(crate) fn memory_bytes(&self) -> usize {
        VERSION_OVERHEAD
            + match &self.data {
                RowData::Bytes(bytes) => bytes.len(),
                RowData::Block(..) => 0,
            }
    }

    /// The encoded row.
    pub(crate) fn encoded(&self) -> std::borrow::Cow<'_, [u8]> {
        match &self.data {
            RowData::Bytes(bytes) => std::borrow::Cow::Borrowed(bytes),
            RowData::Block(block, position) => {
                let mut out = Vec::new();
                block.encode_row(usize::from(*position), &mut out);
                std::borrow::Cow::Owned(out)
            }
        }
    }
}

/// What a version costs beside its attributes: header, reference counts, allocator, its part of the slots made for it.
pub(crate) const VERSION_OVERHEAD: usize = 160;

impl Version {
    /// Its values that lie elsewhere: columns and places.
    pub(crate) fn places(&self) -> PgResult<RowPlaces> {
        self.data.places()
    }
}

impl RowData {
    /// The values that do not stand in the row as they are.
    pub(crate) fn places(&self) -> PgResult<RowPlaces> {
        let mut places = RowPlaces::new();
        match self {
            RowData::Bytes(bytes) => tuple::toasted::each(bytes, &mut |column, place| {
                places.push((column, place.into()));
                Ok(())
            })?,
            RowData::Block(block, position) => places.extend(block.places(usize::from(*position))),
        }
        Ok(places)
    }

    /// True when some of its values lie elsewhere.
    pub(crate) fn has_places(&self) -> bool {
        match self {
            RowData::Bytes(bytes) => tuple::toasted::has_any(bytes),
            RowData::Block(block, position) => block.places(usize::from(*position)).next().is_some(),
        }
    }

    /// Who wrote it.
    pub(crate) fn xid(&self) -> u64 {
        match self {
            RowData::Bytes(bytes) => tuple::xid(bytes).unwrap_or(FROZEN),
            RowData::Block(block, position) => block.xids.get(usize::from(*position)),
        }
    }

    /// Appends the listed columns. Of values that lie elsewhere, NULL to `out` and the rest to `places`.
    pub(crate) fn columns(
        &self,
        def: &TableDef,
        columns: &[u16],
        out: &mut Vec<Datum>,
        places: &mut Places,
    ) -> PgResult<()> {
        match self {
            RowData::Bytes(bytes) if tuple::toasted::has_any(bytes) => {
                let start = out.len();
                let mut row = Vec::with_capacity(def.columns.len());
                let found = decode_toasted(bytes, def, &mut row)?;
                for (k, &column) in columns.iter().enumerate() {
                    out.push(row.get(usize::from(column)).cloned().unwrap_or(Datum::Null));
                    if let Some((_, place)) = found.iter().find(|(at, _)| *at == column) {
                        places.push((start + k, phys(def, usize::from(column)), place.clone()));
                    }
                }
                Ok(())
            }
            RowData::Bytes(bytes) => decode_columns(bytes, def, columns, out),
            RowData::Block(block, position) => {
                let position = usize::from(*position);
                let start = out.len();
                out.extend(
                    columns
                        .iter()
                        .map(|&c| block.datum(def, usize::from(c), position)),
                );
                for (column, place) in block.places(position) {
                    let at = |(_, c): &(usize, &u16)| **c == column;
                    for (k, _) in columns.iter().enumerate().filter(at) {
                        places.push((start + k, phys(def, usize::from(column)), place.clone()));
                    }
                }
                Ok(())
            }
        }
    }

    /// Appends all columns of the definition, as [`RowData::columns`] does.
    pub(crate) fn row(&self, def: &TableDef, out: &mut Vec<Datum>, places: &mut Places) -> PgResult<()> {
        let start = out.len();
        let found = match self {
            RowData::Bytes(bytes) if tuple::toasted::has_any(bytes) => decode_toasted(bytes, def, out)?,
            RowData::Bytes(bytes) => return tuple::decode(bytes, &def.columns, &def.missing, out),
            RowData::Block(block, position) => {
                let position = usize::from(*position);
                out.extend((0..def.columns.len()).map(|c| block.datum(def, c, position)));
                block.places(position).collect()
            }
        };
        let place = |(column, place): (u16, Box<[u8]>)| {
            let column = usize::from(column);
            (start + column, phys(def, column), place)
        };
        places.extend(found.into_iter().map(place));
        Ok(())
    }
}

/// Appends all columns of an encoded row, NULL for values that lie elsewhere; where they do.
fn decode_toasted(bytes: &[u8], def: &TableDef, out: &mut Vec<Datum>) -> PgResult<RowPlaces> {
    let mut reader = tuple::TupleReader::new(bytes)?;
    let natts = reader.natts();
    let mut places = RowPlaces::new();
    for (column, phys) in def.columns.iter().enumerate() {
        if column >= natts {
            out.push(def.missing_value(column));
        } else if let Some(place) = reader.toasted()? {
            places.push((column as u16, place.into()));
            out.push(Datum::Null);
        } else {
            out.push(reader.datum(*phys)?);
        }
    }
    Ok(places)
}

/// Appends the listed columns of an encoded row. Columns may be listed in any order.
pub(crate) fn decode_columns(
    bytes: &[u8],
    def: &TableDef,
    columns: &[u16],
    out: &mut Vec<Datum>,
) -> PgResult<()> {
    let mut reader = tuple::TupleReader::new(bytes)?;
    let natts = reader.natts();
    let mut next = 0usize;
    let start = out.len();
    for &column in columns {
        let column = usize::from(column);
        if column < next {
            // Listed out of order: read the row again. Projections are mostly ascending.
            out.truncate(start);
            return decode_unordered(bytes, def, columns, out);
        }
        if column >= natts {
            out.push(def.missing_value(column));
            continue;
        }
        while next < column {
            reader.skip(phys(def, next))?;
            next += 1;
        }
        out.push(reader.datum(phys(def, column))?);
        next += 1;
    }
    Ok(())
}

fn decode_unordered(bytes: &[u8], def: &TableDef, columns: &[u16], out: &mut Vec<Datum>) -> PgResult<()> {
    let mut row = Vec::with_capacity(def.columns.len());
    tuple::decode(bytes, &def.columns, &def.missing, &mut row)?;
    out.extend(
        columns
            .iter()
            .map(|&c| row.get(usize::from(c)).cloned().unwrap_or(Datum::Null)),
    );
    Ok(())
}

fn phys(def: &TableDef, column: usize) -> PhysType {
    def.columns.get(column).copied().unwrap_or(PhysType::Nested)
}

impl Lifetime for Version {
    fn begin(&self) -> (&AtomicStamp, CommandId) {
        (&self.begin, self.cmin)
    }

    fn end(&self) -> &AtomicStamp {
        &self.end
    }

    fn cmax(&self) -> CommandId {
        CommandId(self.cmax.load(Ordering::Acquire))
    }

    fn older(&self) -> &Link<Version> {
        &self.older
    }
}

/// A long list must not be dropped by recursion.
impl Drop for Version {
    fn drop(&mut self) {
        let mut next = self.older.take();
        while let Some(version) = next {
            next = Arc::into_inner(version).and_then(|mut v| v.older.take());
        }
    }
}
