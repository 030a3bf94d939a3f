//! Row encoding: how one row lies in a delta version and in a KV value.
//!
//! # Format
//! `u16` number of attributes (LE), null bitmap (1 bit per attribute, set = NULL, LSB first, whole bytes), then the
//! non-NULL attributes in order: fixed-width classes as little-endian bytes (interval: micros, days, months), `Text` and
//! `Bytes` as varint length + bytes, `Numeric` and `Nested` self-describing (see `put_datum`). With the top bit of the number of
//! attributes set, six more bytes follow: the xid of the transaction that wrote the row (LE). With the bit below, two things follow
//! the bitmap of NULLs: another one, of strings that lie elsewhere ([`toasted`]), and what says where, as one string of strings.
//!
//! # Invariants
//! - The classes are known from outside (the relation's columns) and equal on write and read.
//! - Decoding never panics on damaged bytes: it says `XX001`.
//! - A tuple may have fewer attributes than the relation (columns added later): the caller supplies the missing values.

#[cfg(test)]
mod tests;
pub mod toasted;

use std::sync::Arc;

use common::{Oid, PgResult, pg_err};

use crate::numeric::BigNumeric;
use crate::{
    ArrayDim, ArrayValue, Datum, Interval, MultirangeValue, Numeric, PhysType, Range, RangeBound, RangeValue,
    RecordValue, Vector,
};

/// In the number of attributes: a xid follows.
const HAS_XID: u16 = 1 << 15;
/// In the number of attributes: a bitmap of strings that lie elsewhere follows.
const HAS_TOASTED: u16 = 1 << 14;
const XID_BYTES: usize = 6;

/// Adds the xid of its writer to the encoded row that begins at `start` of `out` and ends with it.
pub fn put_xid(start: usize, xid: u64, out: &mut Vec<u8>) {
    if let Some(high) = out.get_mut(start + 1) {
        *high |= (HAS_XID >> 8) as u8;
        out.extend_from_slice(&xid.to_le_bytes()[..XID_BYTES]);
    }
}

/// The xid of an encoded row's writer, if it says.
pub fn xid(bytes: &[u8]) -> Option<u64> {
    let has = bytes.get(1)? & (HAS_XID >> 8) as u8 != 0;
    let (_, tail) = bytes.split_at_checked(bytes.len().checked_sub(XID_BYTES)?)?;
    let mut wide = [0; 8];
    wide.get_mut(..XID_BYTES)?.copy_from_slice(tail);
    has.then(|| u64::from_le_bytes(wide))
}

/// Encodes a row into `out` (appended).
pub fn encode(values: &[Datum], out: &mut Vec<u8>) {
    out.extend_from_slice(&(values.len() as u16).to_le_bytes());
    let bitmap = out.len();
    out.resize(bitmap + values.len().div_ceil(8), 0);
    for (i, value) in values.iter().enumerate() {
        if value.is_null() {
            out[bitmap + i / 8] |= 1 << (i % 8);
        } else {
            put_plain(value, out);
        }
    }
}

/// The same for row `i` of columns.
pub fn encode_row(columns: &[Arc<Vector>], i: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&(columns.len() as u16).to_le_bytes());
    let bitmap = out.len();
    out.resize(bitmap + columns.len().div_ceil(8), 0);
    for (number, column) in columns.iter().enumerate() {
        if column.is_null(i) {
            out[bitmap + number / 8] |= 1 << (number % 8);
            continue;
        }
        match column.bytes(i) {
            Some(bytes) => put_bytes(bytes, out),
            None => encode_value(column, i, out),
        }
    }
}

/// Writes row `i` of a column, which is not NULL, as [`TupleReader::raw`] gives it: a string without its length.
#[inline]
pub fn encode_value(column: &Vector, i: usize, out: &mut Vec<u8>) {
    // Columns at rest stay so.
    if let Some(integer) = column.integer(i) {
        let width = column.phys().fixed_width();
        return out.extend_from_slice(&integer.to_le_bytes()[..width]);
    }
    if let Some(bytes) = column.bytes(i) {
        return out.extend_from_slice(bytes);
    }
    if column.phys() == PhysType::Numeric {
        return column.numeric(i).iter().for_each(|n| put_number(n, out));
    }
    put_plain(&column.datum(i), out);
}

/// Writes a value whose class the reader knows.
fn put_plain(value: &Datum, out: &mut Vec<u8>) {
    match value {
        Datum::Null => {}
        Datum::Bool(v) => out.push(u8::from(*v)),
        Datum::Char(v) => out.push(*v),
        Datum::Int2(v) => out.extend_from_slice(&v.to_le_bytes()),
        Datum::Int4(v) => out.extend_from_slice(&v.to_le_bytes()),
        Datum::Int8(v) => out.extend_from_slice(&v.to_le_bytes()),
        Datum::Oid(v) => out.extend_from_slice(&v.to_le_bytes()),
        Datum::Float4(v) => out.extend_from_slice(&v.to_le_bytes()),
        Datum::Float8(v) => out.extend_from_slice(&v.to_le_bytes()),
        Datum::Interval(v) => put_interval(v, out),
        Datum::Uuid(v) => out.extend_from_slice(v),
        Datum::Numeric(v) => put_numeric(v, out),
        Datum::Text(v) => put_bytes(v.as_bytes(), out),
        Datum::Bytes(v) => put_bytes(v, out),
        Datum::Array(_) | Datum::Record(_) | Datum::Range(_) | Datum::Multirange(_) => put_datum(value, out),
    }
}

fn put_interval(v: &Interval, out: &mut Vec<u8>) {
    out.extend_from_slice(&v.micros.to_le_bytes());
    out.extend_from_slice(&v.days.to_le_bytes());
    out.extend_from_slice(&v.months.to_le_bytes());
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn put_varint(mut v: u64, out: &mut Vec<u8>) {
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
}

/// Writes a number as [`encode_value`] does.
#[inline]
pub fn put_number(v: &Numeric, out: &mut Vec<u8>) {
    put_numeric(v, out);
}

/// A number of [`TupleReader::raw`] as (unscaled value, scale), if it is a small one.
pub fn small_number(mut raw: &[u8]) -> Option<(i64, u16)> {
    let mut reader = Reader {
        bytes: &mut raw,
        depth: 0,
    };
    match reader.numeric() {
        Ok(Numeric::Small { unscaled, scale }) => Some((unscaled, scale)),
        _ => None,
    }
}

/// Tag byte 0 small (scale, then zigzag varint), 1 big, 2 NaN, 3 infinity, 4 minus infinity.
fn put_numeric(v: &Numeric, out: &mut Vec<u8>) {
    match v {
        Numeric::Small { unscaled, scale } => {
            out.push(0);
            put_varint(u64::from(*scale), out);
            put_varint(((unscaled << 1) ^ (unscaled >> 63)) as u64, out);
        }
        Numeric::Wide { .. } | Numeric::Big(_) => {
            let Some(big) = v.big_form() else { return };
            out.push(1);
            out.push(u8::from(big.negative));
            out.extend_from_slice(&big.weight.to_le_bytes());
            out.extend_from_slice(&big.scale.to_le_bytes());
            put_varint(big.digits.len() as u64, out);
            for d in &big.digits {
                out.extend_from_slice(&d.to_le_bytes());
            }
        }
        Numeric::NaN => out.push(2),
        Numeric::PosInf => out.push(3),
        Numeric::NegInf => out.push(4),
    }
}

/// The class of each tag byte in a self-describing value; arrays, records, ranges and multiranges follow, NULL is 255.
pub const TAGGED: [PhysType; 13] = [
    PhysType::Bool,
    PhysType::Char,
    PhysType::Int2,
    PhysType::Int4,
    PhysType::Int8,
    PhysType::Oid,
    PhysType::Float4,
    PhysType::Float8,
    PhysType::Interval,
    PhysType::Uuid,
    PhysType::Numeric,
    PhysType::Text,
    PhysType::Bytes,
];
const TAG_ARRAY: u8 = 13;
const TAG_RECORD: u8 = 14;
const TAG_RANGE: u8 = 15;
const TAG_MULTIRANGE: u8 = 16;
const TAG_NULL: u8 = 255;

/// Writes a self-describing value: a tag byte, then the plain form; arrays and records recurse.
pub fn put_datum(value: &Datum, out: &mut Vec<u8>) {
    match value {
        Datum::Null => out.push(TAG_NULL),
        Datum::Array(a) => {
            out.push(TAG_ARRAY);
            out.extend_from_slice(&a.element_type.0.to_le_bytes());
            out.push(a.dims.len() as u8);
            for d in &a.dims {
                out.extend_from_slice(&d.len.to_le_bytes());
                out.extend_from_slice(&d.lower.to_le_bytes());
            }
            put_varint(a.elements.len() as u64, out);
            a.elements.iter().for_each(|e| put_datum(e, out));
        }
        Datum::Record(r) => {
            out.push(TAG_RECORD);
            out.extend_from_slice(&r.type_oid.0.to_le_bytes());
            put_varint(r.fields.len() as u64, out);
            for (t, f) in r.field_types.iter().zip(&r.fields) {
                out.extend_from_slice(&t.0.to_le_bytes());
                put_datum(f, out);
            }
        }
        Datum::Range(r) => {
            out.push(TAG_RANGE);
            out.extend_from_slice(&r.type_oid.0.to_le_bytes());
            out.extend_from_slice(&r.subtype.0.to_le_bytes());
            put_range(r.range.as_ref(), out);
        }
        Datum::Multirange(m) => {
            out.push(TAG_MULTIRANGE);
            for oid in [m.type_oid, m.range_type, m.subtype] {
                out.extend_from_slice(&oid.0.to_le_bytes());
            }
            put_varint(m.ranges.len() as u64, out);
            m.ranges.iter().for_each(|r| put_range(Some(r), out));
        }
        scalar => {
            let tag = TAGGED.iter().position(|p| Some(*p) == scalar.phys()).unwrap_or(0);
            out.push(tag as u8);
            put_plain(scalar, out);
        }
    }
}

/// Flags (1 empty, 2 lower included, 4 upper included), then both bounds, NULL for infinity.
fn put_range(range: Option<&Range>, out: &mut Vec<u8>) {
    let Some(range) = range else {
        out.push(1);
        return;
    };
    out.push(u8::from(range.lower.inclusive) << 1 | u8::from(range.upper.inclusive) << 2);
    put_datum(&range.lower.value, out);
    put_datum(&range.upper.value, out);
}

/// Reads a self-describing value written by [`put_datum`] from the front of `bytes`, which advances.
pub fn take_datum(bytes: &mut &[u8]) -> PgResult<Datum> {
    Reader { bytes, depth: 0 }.tagged()
}

/// Walks the attributes of an encoded row.
pub struct TupleReader<'a> {
    natts: usize,
    bitmap: &'a [u8],
    /// Empty when no attribute lies elsewhere.
    toasted: &'a [u8],
    places: &'a [u8],
    rest: &'a [u8],
    next: usize,
}

impl<'a> TupleReader<'a> {
    /// Opens an encoded row.
    pub fn new(bytes: &'a [u8]) -> PgResult<TupleReader<'a>> {
        let (head, rest) = bytes.split_at_checked(2).ok_or_else(corrupt)?;
        let head = u16::from_le_bytes([head[0], head[1]]);
        let natts = usize::from(head & !(HAS_XID | HAS_TOASTED));
        let (bitmap, rest) = rest.split_at_checked(natts.div_ceil(8)).ok_or_else(corrupt)?;
        let (toasted, places, rest) = match head & HAS_TOASTED {
            0 => (&[][..], &[][..], rest),
            _ => toasted::split(bitmap.len(), rest)?,
        };
        Ok(TupleReader {
            natts,
            bitmap,
            toasted,
            places,
            rest,
            next: 0,
        })
    }

    /// Attributes stored.
    pub fn natts(&self) -> usize {
        self.natts
    }

    fn next_is_null(&mut self) -> bool {
        let i = self.next;
        self.next += 1;
        i >= self.natts || self.bitmap[i / 8] >> (i % 8) & 1 == 1
    }

    /// The next attribute is neither NULL nor elsewhere.
    fn next_is_here(&mut self) -> bool {
        let elsewhere = self.has_toasted() && self.next_is_toasted();
        !self.next_is_null() && !elsewhere
    }

    /// The next attribute. One that lies elsewhere must have been asked for with [`TupleReader::toasted`].
    pub fn datum(&mut self, phys: PhysType) -> PgResult<Datum> {
        if self.has_toasted() && self.next_is_toasted() {
            return Err(corrupt());
        }
        if self.next_is_null() {
            return Ok(Datum::Null);
        }
        Reader {
            bytes: &mut self.rest,
            depth: 0,
        }
        .plain(phys)
    }

    /// Steps over the next attribute.
    pub fn skip(&mut self, phys: PhysType) -> PgResult<()> {
        if !self.next_is_here() {
            return Ok(());
        }
        let mut r = Reader {
            bytes: &mut self.rest,
            depth: 0,
        };
        match phys {
            PhysType::Bool | PhysType::Char => r.take(1).map(drop),
            PhysType::Int2 => r.take(2).map(drop),
            PhysType::Int4 | PhysType::Oid | PhysType::Float4 => r.take(4).map(drop),
            PhysType::Int8 | PhysType::Float8 => r.take(8).map(drop),
            PhysType::Interval | PhysType::Uuid => r.take(16).map(drop),
            PhysType::Text | PhysType::Bytes => r.bytes().map(drop),
            PhysType::Numeric | PhysType::Nested => r.plain(phys).map(drop),
        }
    }

    /// Appends the next attribute to a column of its class, without a datum in between where that pays.
    pub fn append_to(&mut self, column: &mut Vector) -> PgResult<()> {
        if self.has_toasted() && self.next_is_toasted() {
            return Err(corrupt());
        }
        if self.next_is_null() {
            column.push(&Datum::Null);
            return Ok(());
        }
        let mut reader = Reader {
            bytes: &mut self.rest,
            depth: 0,
        };
        match column.phys() {
            PhysType::Text | PhysType::Bytes => push_string(column, reader.bytes()?),
            _ => push_plain(column, &mut reader),
        }
    }

    /// The next attribute as it lies in the row, a string without its length; None for NULL.
    pub fn raw(&mut self, phys: PhysType) -> PgResult<Option<&'a [u8]>> {
        let before = self.rest;
        if matches!(phys, PhysType::Text | PhysType::Bytes) {
            if !self.next_is_here() {
                return Ok(None);
            }
            let mut reader = Reader {
                bytes: &mut self.rest,
                depth: 0,
            };
            return reader.bytes().map(Some);
        }
        self.skip(phys)?;
        let taken = before.len() - self.rest.len();
        // No class but strings has values without bytes.
        Ok((taken > 0).then(|| &before[..taken]))
    }
}

/// Appends an attribute that [`TupleReader::raw`] gave to a column of its class.
pub fn push_raw(column: &mut Vector, raw: Option<&[u8]>) -> PgResult<()> {
    let Some(mut bytes) = raw else {
        column.push(&Datum::Null);
        return Ok(());
    };
    match column.phys() {
        PhysType::Text | PhysType::Bytes => push_string(column, bytes),
        _ => push_plain(
            column,
            &mut Reader {
                bytes: &mut bytes,
                depth: 0,
            },
        ),
    }
}

/// Puts an attribute that [`TupleReader::raw`] gave back into a row; `string`: its class has a length in front.
pub fn put_raw(raw: &[u8], string: bool, out: &mut Vec<u8>) {
    match string {
        true => put_bytes(raw, out),
        false => out.extend_from_slice(raw),
    }
}

fn push_string(column: &mut Vector, bytes: &[u8]) -> PgResult<()> {
    if column.phys() == PhysType::Text && std::str::from_utf8(bytes).is_err() {
        return Err(corrupt());
    }
    column.push_string(bytes);
    Ok(())
}

fn push_plain(column: &mut Vector, reader: &mut Reader<'_, '_>) -> PgResult<()> {
    match column.phys() {
        PhysType::Int4 => {
            column.push_int4(i32::from_le_bytes(reader.array()?));
        }
        PhysType::Int8 => {
            column.push_int8(i64::from_le_bytes(reader.array()?));
        }
        PhysType::Numeric => {
            column.push_numeric(reader.numeric()?);
        }
        phys => column.push(&reader.plain(phys)?),
    }
    Ok(())
}

/// Decodes a whole row; attributes missing at the end come from `missing` (by position), else NULL.
pub fn decode(bytes: &[u8], columns: &[PhysType], missing: &[Datum], out: &mut Vec<Datum>) -> PgResult<()> {
    let mut reader = TupleReader::new(bytes)?;
    for (i, phys) in columns.iter().enumerate() {
        out.push(if i < reader.natts() {
            reader.datum(*phys)?
        } else {
            missing.get(i).cloned().unwrap_or(Datum::Null)
        });
    }
    Ok(())
}

fn corrupt() -> Box<common::PgError> {
    pg_err!(DATA_CORRUPTED, "stored row is damaged")
}

/// Arrays of arrays do not exist and records nest as deep as their types; deeper is damage.
const MAX_DEPTH: u32 = 200;

struct Reader<'r, 'a> {
    bytes: &'r mut &'a [u8],
    depth: u32,
}

impl<'a> Reader<'_, 'a> {
    fn take(&mut self, n: usize) -> PgResult<&'a [u8]> {
        let (head, rest) = self.bytes.split_at_checked(n).ok_or_else(corrupt)?;
        *self.bytes = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> PgResult<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| corrupt())
    }

    fn varint(&mut self) -> PgResult<u64> {
        let mut v = 0u64;
        for shift in (0..64).step_by(7) {
            let [b] = self.array::<1>()?;
            v |= u64::from(b & 0x7f) << shift;
            if b < 0x80 {
                return Ok(v);
            }
        }
        Err(corrupt())
    }

    fn bytes(&mut self) -> PgResult<&'a [u8]> {
        let len = usize::try_from(self.varint()?).map_err(|_| corrupt())?;
        self.take(len)
    }

    fn plain(&mut self, phys: PhysType) -> PgResult<Datum> {
        Ok(match phys {
            PhysType::Bool => Datum::Bool(self.array::<1>()?[0] != 0),
            PhysType::Char => Datum::Char(self.array::<1>()?[0]),
            PhysType::Int2 => Datum::Int2(i16::from_le_bytes(self.array()?)),
            PhysType::Int4 => Datum::Int4(i32::from_le_bytes(self.array()?)),
            PhysType::Int8 => Datum::Int8(i64::from_le_bytes(self.array()?)),
            PhysType::Oid => Datum::Oid(u32::from_le_bytes(self.array()?)),
            PhysType::Float4 => Datum::Float4(f32::from_le_bytes(self.array()?)),
            PhysType::Float8 => Datum::Float8(f64::from_le_bytes(self.array()?)),
            PhysType::Interval => Datum::Interval(Interval {
                micros: i64::from_le_bytes(self.array()?),
                days: i32::from_le_bytes(self.array()?),
                months: i32::from_le_bytes(self.array()?),
            }),
            PhysType::Uuid => Datum::Uuid(self.array()?),
            PhysType::Numeric => Datum::Numeric(self.numeric()?),
            PhysType::Text => Datum::Text(std::str::from_utf8(self.bytes()?).map_err(|_| corrupt())?.into()),
            PhysType::Bytes => Datum::Bytes(self.bytes()?.into()),
            PhysType::Nested => self.tagged()?,
        })
    }

    fn numeric(&mut self) -> PgResult<Numeric> {
        Ok(match self.array::<1>()?[0] {
            0 => {
                let scale = u16::try_from(self.varint()?).map_err(|_| corrupt())?;
                let z = self.varint()?;
                Numeric::Small {
                    unscaled: (z >> 1) as i64 ^ -((z & 1) as i64),
                    scale,
                }
            }
            1 => {
                let negative = self.array::<1>()?[0] != 0;
                let weight = i32::from_le_bytes(self.array()?);
                let scale = u16::from_le_bytes(self.array()?);
                let n = self.count(2)?;
                let mut digits = Vec::with_capacity(n);
                for _ in 0..n {
                    digits.push(u16::from_le_bytes(self.array()?));
                }
                Numeric::from_big_form(BigNumeric {
                    negative,
                    weight,
                    scale,
                    digits,
                })
            }
            2 => Numeric::NaN,
            3 => Numeric::PosInf,
            4 => Numeric::NegInf,
            _ => return Err(corrupt()),
        })
    }

    /// A count of things of at least `width` bytes each, bounded by what is left.
    fn count(&mut self, width: usize) -> PgResult<usize> {
        let n = usize::try_from(self.varint()?).map_err(|_| corrupt())?;
        if n.saturating_mul(width) > self.bytes.len() {
            Err(corrupt())
        } else {
            Ok(n)
        }
    }

    fn tagged(&mut self) -> PgResult<Datum> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(corrupt());
        }
        let [tag] = self.array::<1>()?;
        let value = match tag {
            TAG_NULL => Datum::Null,
            TAG_ARRAY => self.array_value()?,
            TAG_RECORD => self.record_value()?,
            TAG_RANGE => self.range_value()?,
            TAG_MULTIRANGE => self.multirange_value()?,
            tag => self.plain(*TAGGED.get(usize::from(tag)).ok_or_else(corrupt)?)?,
        };
        self.depth -= 1;
        Ok(value)
    }

    fn array_value(&mut self) -> PgResult<Datum> {
        let element_type = Oid(u32::from_le_bytes(self.array()?));
        let ndims = usize::from(self.array::<1>()?[0]);
        let mut dims = Vec::with_capacity(ndims.min(6));
        for _ in 0..ndims {
            let len = i32::from_le_bytes(self.array()?);
            dims.push(ArrayDim {
                len,
                lower: i32::from_le_bytes(self.array()?),
            });
        }
        let n = self.count(1)?;
        let mut elements = Vec::with_capacity(n);
        for _ in 0..n {
            elements.push(self.tagged()?);
        }
        Ok(Datum::Array(Arc::new(ArrayValue {
            element_type,
            dims,
            elements,
        })))
    }

    fn oid(&mut self) -> PgResult<Oid> {
        Ok(Oid(u32::from_le_bytes(self.array()?)))
    }

    fn range(&mut self) -> PgResult<Option<Range>> {
        let [flags] = self.array::<1>()?;
        if flags & 1 != 0 {
            return Ok(None);
        }
        let mut bound = |flag: u8| -> PgResult<RangeBound> {
            Ok(RangeBound {
                value: self.tagged()?,
                inclusive: flags & flag != 0,
            })
        };
        Ok(Some(Range {
            lower: bound(2)?,
            upper: bound(4)?,
        }))
    }

    fn range_value(&mut self) -> PgResult<Datum> {
        let (type_oid, subtype) = (self.oid()?, self.oid()?);
        let range = self.range()?;
        Ok(RangeValue {
            type_oid,
            subtype,
            range,
        }
        .into_datum())
    }

    fn multirange_value(&mut self) -> PgResult<Datum> {
        let (type_oid, range_type, subtype) = (self.oid()?, self.oid()?, self.oid()?);
        let n = self.count(3)?;
        let mut ranges = Vec::with_capacity(n);
        for _ in 0..n {
            ranges.push(self.range()?.ok_or_else(corrupt)?);
        }
        Ok(MultirangeValue {
            type_oid,
            range_type,
            subtype,
            ranges,
        }
        .into_datum())
    }

    fn record_value(&mut self) -> PgResult<Datum> {
        let type_oid = Oid(u32::from_le_bytes(self.array()?));
        let n = self.count(5)?;
        let (mut field_types, mut fields) = (Vec::with_capacity(n), Vec::with_capacity(n));
        for _ in 0..n {
            field_types.push(Oid(u32::from_le_bytes(self.array()?)));
            fields.push(self.tagged()?);
        }
        Ok(Datum::Record(Arc::new(RecordValue {
            type_oid,
            field_types,
            fields,
            names: None,
        })))
    }
}
