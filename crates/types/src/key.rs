//! Memcomparable keys: byte strings that sort as PostgreSQL's default B-tree operator classes sort the values.
//!
//! # Format, per column
//! One marker byte (`0` NULL first, `1` a value follows, `2` NULL last), then the value; a descending column has all
//! bits of the value inverted, the marker never. Every value is prefix-free, so columns simply follow each other.
//!
//! | class | bytes |
//! | --- | --- |
//! | `Bool`, `Char`, `Oid`, `Uuid`; `pg_lsn`, `xid8` | unsigned, big-endian |
//! | `Int2`, `Int4`, `Int8` | big-endian with the sign bit flipped |
//! | `Float4`, `Float8` | IEEE bits made monotonic; -0 is 0, every NaN is the same and the greatest |
//! | `Text` under a collation | its sort key, then the text, each as follows |
//! | `Text`, `Bytes` | bytes with `00` escaped as `00 FF`, then `00 01` (`bpchar` without its trailing blanks) |
//! | `Numeric` | class byte, decimal exponent, digit pairs + 1, `00`; inverted below zero |
//! | `Interval` | microseconds of 30-day months and 24-hour days, 16 bytes |
//! | arrays | elements (marker and value each, NULL greatest), `00`, then dimensions |
//! | records | fields (marker and value each, NULL greatest), `00` |
//! | ranges | `00` when empty, else `01`, lower bound (`00`, or `01`, value, excluded), upper bound (`01`, or `00`, value, included) |
//! | multiranges | ranges, `00` |
//!
//! # Invariants
//! - Equal values by PostgreSQL's `=` have equal bytes. So some bytes do not tell the value exactly (`1.0` and `1.00`): [`encode`]
//!   says so, and whoever must give the value back keeps it beside the key.
//! - Decoding damaged bytes says `XX001`.
//!
//! # Not here
//! The orders of types with an encoding of their own in class `Bytes` (they sort by their bytes);
//! enums sort by the OIDs of their labels.

use std::cmp::Ordering;
use std::sync::Arc;

use common::cancel::CancelToken;
use common::pieces::{self, PIECE_BYTES};
use common::{Oid, PgResult, pg_err};

use crate::collation::Collation;
use crate::numeric::BigNumeric;
use crate::{
    ArrayValue, Datum, Interval, Numeric, PhysType, Range, RecordValue, Vector, VectorData, compare, oids,
    order,
};

/// How one column of a key sorts.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyColumn {
    /// Storage class.
    pub phys: PhysType,
    /// SQL type (a domain's base type), where classes alone do not decide the order.
    pub type_oid: Oid,
    /// `DESC`.
    pub descending: bool,
    /// `NULLS FIRST`.
    pub nulls_first: bool,
    /// Texts that do not sort by their bytes.
    pub collation: Option<Arc<Collation>>,
}

impl KeyColumn {
    /// Ascending, NULLs last: the default.
    pub fn ascending(phys: PhysType, type_oid: Oid) -> KeyColumn {
        KeyColumn {
            phys,
            type_oid,
            descending: false,
            nulls_first: false,
            collation: None,
        }
    }
}

impl KeyColumn {
    /// The order of two values that are not NULL, of an ascending column.
    pub fn compare(&self, a: &Datum, b: &Datum) -> Ordering {
        match (&self.collation, a, b) {
            (Some(collation), Datum::Text(x), Datum::Text(y)) if self.type_oid == oids::BPCHAR => {
                collation.compare(compare::without_padding(x), compare::without_padding(y))
            }
            (Some(collation), Datum::Text(x), Datum::Text(y)) => collation.compare(x, y),
            _ => compare::compare(self.type_oid, a, b),
        }
    }
}

const NULL_FIRST: u8 = 0;
const VALUE: u8 = 1;
const NULL_LAST: u8 = 2;

/// Appends the key of a value. True when [`decode`] gives exactly this value back.
pub fn encode(column: &KeyColumn, value: &Datum, out: &mut Vec<u8>) -> bool {
    if value.is_null() {
        out.push(if column.nulls_first { NULL_FIRST } else { NULL_LAST });
        return true;
    }
    out.push(VALUE);
    let start = out.len();
    if let (Some(collation), Datum::Text(text)) = (&column.collation, value) {
        let mut key = Vec::new();
        let text = match column.type_oid {
            oids::BPCHAR => compare::without_padding(text),
            _ => text,
        };
        collation.sort_key(text, &mut key);
        put_bytes(&key, out);
    }
    let exact = put_value(column.type_oid, value, out);
    if column.descending {
        out[start..].iter_mut().for_each(|b| *b = !*b);
    }
    exact
}

/// The same for row `i` of a column of values.
#[inline]
pub fn encode_at(column: &KeyColumn, values: &Vector, i: usize, out: &mut Vec<u8>) -> bool {
    let at = values.index(i);
    if column.descending || column.collation.is_some() || values.is_null(i) {
        return encode(column, &values.datum(i), out);
    }
    match values.data() {
        VectorData::Int4(v) => {
            out.push(VALUE);
            out.extend_from_slice(&((v[at] as u32) ^ (1 << 31)).to_be_bytes());
        }
        VectorData::Int8(v) if !is_unsigned(column.type_oid) => {
            out.push(VALUE);
            out.extend_from_slice(&((v[at] as u64) ^ (1 << 63)).to_be_bytes());
        }
        VectorData::Text(v) if column.type_oid != oids::BPCHAR => {
            out.push(VALUE);
            put_bytes(v.bytes(at), out);
        }
        _ => return encode(column, &values.datum(i), out),
    }
    true
}

/// As [`encode_at`], unless the statement is cancelled while a long text is copied.
pub fn try_encode_at(
    column: &KeyColumn,
    values: &Vector,
    i: usize,
    cancel: &CancelToken,
    out: &mut Vec<u8>,
) -> PgResult<bool> {
    let at = values.index(i);
    let plain = !column.descending && column.collation.is_none() && column.type_oid != oids::BPCHAR;
    match values.data() {
        VectorData::Text(v) if plain && !values.is_null(i) && v.byte_len(at) > PIECE_BYTES => {
            out.reserve(v.byte_len(at) + END_OF_BYTES.len() + 1);
            out.push(VALUE);
            pieces::bytes(cancel, v.bytes(at), |piece| put_escaped(piece, out))?;
            out.extend_from_slice(END_OF_BYTES);
            Ok(true)
        }
        _ => Ok(encode_at(column, values, i, out)),
    }
}

/// Appends the keys of several columns; fewer values than columns make a prefix. True when all decode exactly.
pub fn encode_all(columns: &[KeyColumn], values: &[Datum], out: &mut Vec<u8>) -> bool {
    let mut exact = true;
    for (column, value) in columns.iter().zip(values) {
        exact &= encode(column, value, out);
    }
    exact
}

/// The first byte string after every one that begins with `prefix`; None when there is none.
pub fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&b| b != 0xff)?;
    let mut out = prefix[..=last].to_vec();
    out[last] += 1;
    Some(out)
}

/// Unsigned although their class is signed.
fn is_unsigned(type_oid: Oid) -> bool {
    type_oid == oids::PG_LSN || type_oid == oids::XID8
}

fn put_value(type_oid: Oid, value: &Datum, out: &mut Vec<u8>) -> bool {
    match value {
        Datum::Null => {}
        Datum::Bool(v) => out.push(u8::from(*v)),
        Datum::Char(v) => out.push(*v),
        Datum::Int2(v) => out.extend_from_slice(&((*v as u16) ^ (1 << 15)).to_be_bytes()),
        Datum::Int4(v) => out.extend_from_slice(&((*v as u32) ^ (1 << 31)).to_be_bytes()),
        Datum::Int8(v) if is_unsigned(type_oid) => out.extend_from_slice(&v.to_be_bytes()),
        Datum::Int8(v) => out.extend_from_slice(&((*v as u64) ^ (1 << 63)).to_be_bytes()),
        Datum::Oid(v) => out.extend_from_slice(&v.to_be_bytes()),
        Datum::Float4(v) => {
            out.extend_from_slice(&ordered32(*v).to_be_bytes());
            return !v.is_nan() && v.to_bits() != 1 << 31;
        }
        Datum::Float8(v) => {
            out.extend_from_slice(&ordered64(*v).to_be_bytes());
            return !v.is_nan() && v.to_bits() != 1 << 63;
        }
        Datum::Interval(v) => {
            let ordered = (interval_span(v) as u128) ^ (1 << 127);
            out.extend_from_slice(&ordered.to_be_bytes());
            return false;
        }
        Datum::Uuid(v) => out.extend_from_slice(v),
        Datum::Numeric(v) => return put_numeric(v, out),
        Datum::Text(v) if type_oid == oids::BPCHAR => {
            let trimmed = v.trim_end_matches(' ');
            put_bytes(trimmed.as_bytes(), out);
            return trimmed.len() == v.len();
        }
        Datum::Text(v) => put_bytes(v.as_bytes(), out),
        Datum::Bytes(v) if type_oid == oids::JSONB => {
            crate::jsonb::put_key(v, &mut |v, out| _ = put_value(oids::TEXT, v, out), out);
            return false;
        }
        Datum::Bytes(v) if order::has_sort_form(type_oid) => {
            put_bytes(&order::sort_form(type_oid, v), out);
            return false;
        }
        Datum::Bytes(v) => put_bytes(v, out),
        Datum::Array(v) => {
            put_array(v, out);
            return false;
        }
        Datum::Record(v) => {
            put_record(v, out);
            return false;
        }
        Datum::Range(v) => {
            put_range(v.subtype, v.range.as_ref(), out);
            return false;
        }
        Datum::Multirange(v) => {
            for range in &v.ranges {
                put_range(v.subtype, Some(range), out);
            }
            out.push(0);
            return false;
        }
    }
    true
}

fn ordered32(v: f32) -> u32 {
    let bits = if v.is_nan() {
        f32::NAN.to_bits() & (u32::MAX >> 1)
    } else {
        (v + 0.0).to_bits() // -0 + 0 is 0
    };
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

fn ordered64(v: f64) -> u64 {
    let bits = if v.is_nan() {
        f64::NAN.to_bits() & (u64::MAX >> 1)
    } else {
        (v + 0.0).to_bits()
    };
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// What PostgreSQL compares intervals by: all of it in microseconds, months of 30 days.
pub fn interval_span(v: &Interval) -> i128 {
    const DAY: i128 = 86_400_000_000;
    (i128::from(v.months) * 30 + i128::from(v.days)) * DAY + i128::from(v.micros)
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_escaped(bytes, out);
    out.extend_from_slice(END_OF_BYTES);
}

/// What follows the escaped bytes of a value.
const END_OF_BYTES: &[u8] = &[0, 1];

fn put_escaped(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some(zero) = rest.iter().position(|&b| b == 0) {
        out.extend_from_slice(&rest[..=zero]);
        out.push(0xff);
        rest = &rest[zero + 1..];
    }
    out.extend_from_slice(rest);
}

fn put_element(type_oid: Oid, value: &Datum, out: &mut Vec<u8>) {
    if value.is_null() {
        out.push(NULL_LAST);
    } else {
        out.push(VALUE);
        put_value(type_oid, value, out);
    }
}

fn put_array(v: &ArrayValue, out: &mut Vec<u8>) {
    v.elements
        .iter()
        .for_each(|e| put_element(v.element_type, e, out));
    out.push(0);
    out.push(v.dims.len() as u8);
    for d in &v.dims {
        out.extend_from_slice(&((d.len as u32) ^ (1 << 31)).to_be_bytes());
    }
    for d in &v.dims {
        out.extend_from_slice(&((d.lower as u32) ^ (1 << 31)).to_be_bytes());
    }
}

fn put_record(v: &RecordValue, out: &mut Vec<u8>) {
    for (type_oid, field) in v.field_types.iter().zip(&v.fields) {
        put_element(*type_oid, field, out);
    }
    out.push(0);
}

fn put_range(subtype: Oid, range: Option<&Range>, out: &mut Vec<u8>) {
    let Some(range) = range else {
        out.push(0);
        return;
    };
    out.push(1);
    // No limit is below every lower bound and above every upper bound; an excluded lower bound is above an included one, an
    // excluded upper bound below.
    if range.lower.is_infinite() {
        out.push(0);
    } else {
        out.push(1);
        put_value(subtype, &range.lower.value, out);
        out.push(u8::from(!range.lower.inclusive));
    }
    if range.upper.is_infinite() {
        out.push(1);
    } else {
        out.push(0);
        put_value(subtype, &range.upper.value, out);
        out.push(u8::from(range.upper.inclusive));
    }
}

const NUMERIC_NEG_INF: u8 = 0x08;
const NUMERIC_NEGATIVE: u8 = 0x10;
const NUMERIC_ZERO: u8 = 0x20;
const NUMERIC_POSITIVE: u8 = 0x30;
const NUMERIC_POS_INF: u8 = 0x40;
const NUMERIC_NAN: u8 = 0x50;

/// A number as sign, decimal digits without leading and trailing zeros, and the power of ten of "0.digits".
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i32,
}

impl Decimal {
    /// The digits after the point that the value needs.
    fn scale_needed(&self) -> i64 {
        (self.digits.len() as i64 - i64::from(self.exponent)).max(0)
    }
}

fn decimal(v: &Numeric) -> Option<(Decimal, u16)> {
    let (negative, mut digits, point, scale) = match v {
        Numeric::Small { unscaled, scale } => {
            let digits: Vec<u8> = unscaled
                .unsigned_abs()
                .to_string()
                .bytes()
                .map(|b| b - b'0')
                .collect();
            let point = digits.len() as i32 - i32::from(*scale);
            (*unscaled < 0, digits, point, *scale)
        }
        Numeric::Wide { .. } | Numeric::Big(_) => {
            let big = v.big_form()?;
            let expand = |d: &u16| {
                [
                    (d / 1000 % 10) as u8,
                    (d / 100 % 10) as u8,
                    (d / 10 % 10) as u8,
                    (d % 10) as u8,
                ]
            };
            let digits: Vec<u8> = big.digits.iter().flat_map(expand).collect();
            (
                big.negative,
                digits,
                big.weight.saturating_add(1).saturating_mul(4),
                big.scale,
            )
        }
        _ => return None,
    };
    let leading = digits.iter().take_while(|&&d| d == 0).count();
    digits.drain(..leading);
    let kept = digits.iter().rposition(|&d| d != 0).map_or(0, |last| last + 1);
    digits.truncate(kept);
    let exponent = point - leading as i32;
    Some((
        Decimal {
            negative,
            digits,
            exponent,
        },
        scale,
    ))
}

fn put_numeric(v: &Numeric, out: &mut Vec<u8>) -> bool {
    let Some((d, scale)) = decimal(v) else {
        out.push(match v {
            Numeric::NegInf => NUMERIC_NEG_INF,
            Numeric::PosInf => NUMERIC_POS_INF,
            _ => NUMERIC_NAN,
        });
        return true;
    };
    if d.digits.is_empty() {
        out.push(NUMERIC_ZERO);
        return scale == 0 && matches!(v, Numeric::Small { .. });
    }
    out.push(if d.negative {
        NUMERIC_NEGATIVE
    } else {
        NUMERIC_POSITIVE
    });
    let start = out.len();
    out.extend_from_slice(&((d.exponent as u32) ^ (1 << 31)).to_be_bytes());
    for pair in d.digits.chunks(2) {
        out.push(1 + pair[0] * 10 + pair.get(1).copied().unwrap_or(0));
    }
    out.push(0);
    if d.negative {
        out[start..].iter_mut().for_each(|b| *b = !*b);
    }
    d.scale_needed() == i64::from(scale) && canonical(&d).as_ref() == Some(v)
}

/// The number with the fewest digits after the point, in the form the rest of the engine makes.
fn canonical(d: &Decimal) -> Option<Numeric> {
    let scale = u16::try_from(d.scale_needed()).ok()?;
    let zeros = i64::from(d.exponent) + i64::from(scale) - d.digits.len() as i64;
    if d.digits.len() as i64 + zeros <= 18 {
        let digits = d.digits.iter().copied().chain((0..zeros).map(|_| 0));
        let magnitude = digits.fold(0i64, |n, d| n * 10 + i64::from(d));
        let unscaled = if d.negative { -magnitude } else { magnitude };
        return Some(Numeric::Small { unscaled, scale });
    }
    let weight = (d.exponent - 1).div_euclid(4);
    let lead = (weight + 1) * 4 - d.exponent;
    let mut padded = vec![0u8; lead as usize];
    padded.extend_from_slice(&d.digits);
    padded.resize(padded.len().div_ceil(4) * 4, 0);
    let digits = padded
        .chunks(4)
        .map(|c| c.iter().fold(0, |n, d| n * 10 + u16::from(*d)))
        .collect();
    Some(Numeric::from_big_form(BigNumeric {
        negative: d.negative,
        weight,
        scale,
        digits,
    }))
}

/// Reads one column from the front of a key, which advances. Meaningful only where [`encode`] said "exact": the value is
/// otherwise an equal one, and for intervals, arrays and records None (the rest of the key is then unreadable).
pub fn decode(column: &KeyColumn, key: &mut &[u8]) -> PgResult<Option<Datum>> {
    let mut reader = Reader {
        key,
        invert: column.descending,
    };
    let [marker] = reader.raw::<1>()?;
    match marker {
        NULL_FIRST | NULL_LAST => Ok(Some(Datum::Null)),
        VALUE => reader.value(column),
        _ => Err(corrupt()),
    }
}

fn corrupt() -> Box<common::PgError> {
    pg_err!(INDEX_CORRUPTED, "index key is damaged")
}

struct Reader<'r, 'a> {
    key: &'r mut &'a [u8],
    invert: bool,
}

impl Reader<'_, '_> {
    fn raw<const N: usize>(&mut self) -> PgResult<[u8; N]> {
        let (head, rest) = self.key.split_first_chunk::<N>().ok_or_else(corrupt)?;
        *self.key = rest;
        Ok(*head)
    }

    fn take<const N: usize>(&mut self) -> PgResult<[u8; N]> {
        let bytes = self.raw::<N>()?;
        Ok(if self.invert { bytes.map(|b| !b) } else { bytes })
    }

    fn value(&mut self, column: &KeyColumn) -> PgResult<Option<Datum>> {
        Ok(Some(match column.phys {
            PhysType::Bool => Datum::Bool(self.take::<1>()?[0] != 0),
            PhysType::Char => Datum::Char(self.take::<1>()?[0]),
            PhysType::Int2 => Datum::Int2((u16::from_be_bytes(self.take()?) ^ (1 << 15)) as i16),
            PhysType::Int4 => Datum::Int4((u32::from_be_bytes(self.take()?) ^ (1 << 31)) as i32),
            PhysType::Int8 if is_unsigned(column.type_oid) => Datum::Int8(i64::from_be_bytes(self.take()?)),
            PhysType::Int8 => Datum::Int8((u64::from_be_bytes(self.take()?) ^ (1 << 63)) as i64),
            PhysType::Oid => Datum::Oid(u32::from_be_bytes(self.take()?)),
            PhysType::Float4 => {
                let bits = u32::from_be_bytes(self.take()?);
                Datum::Float4(f32::from_bits(if bits >> 31 == 1 {
                    bits & (u32::MAX >> 1)
                } else {
                    !bits
                }))
            }
            PhysType::Float8 => {
                let bits = u64::from_be_bytes(self.take()?);
                Datum::Float8(f64::from_bits(if bits >> 63 == 1 {
                    bits & (u64::MAX >> 1)
                } else {
                    !bits
                }))
            }
            PhysType::Uuid => Datum::Uuid(self.take()?),
            PhysType::Numeric => Datum::Numeric(self.numeric()?),
            PhysType::Text => {
                if column.collation.is_some() {
                    self.bytes()?;
                }
                let bytes = self.bytes()?;
                Datum::Text(std::str::from_utf8(&bytes).map_err(|_| corrupt())?.into())
            }
            PhysType::Bytes if column.type_oid == oids::JSONB => return Ok(None),
            PhysType::Bytes => Datum::Bytes(self.bytes()?.into()),
            PhysType::Interval | PhysType::Nested => return Ok(None),
        }))
    }

    fn bytes(&mut self) -> PgResult<Vec<u8>> {
        let mut out = Vec::new();
        loop {
            match self.take::<1>()?[0] {
                0 => match self.take::<1>()?[0] {
                    1 => return Ok(out),
                    0xff => out.push(0),
                    _ => return Err(corrupt()),
                },
                b => out.push(b),
            }
        }
    }

    fn numeric(&mut self) -> PgResult<Numeric> {
        let negative = match self.take::<1>()?[0] {
            NUMERIC_NEG_INF => return Ok(Numeric::NegInf),
            NUMERIC_POS_INF => return Ok(Numeric::PosInf),
            NUMERIC_NAN => return Ok(Numeric::NaN),
            NUMERIC_ZERO => return Ok(Numeric::default()),
            NUMERIC_NEGATIVE => true,
            NUMERIC_POSITIVE => false,
            _ => return Err(corrupt()),
        };
        self.invert ^= negative;
        let exponent = (u32::from_be_bytes(self.take()?) ^ (1 << 31)) as i32;
        let mut digits = Vec::new();
        loop {
            match self.take::<1>()?[0] {
                0 => break,
                pair @ 1..=100 => digits.extend([(pair - 1) / 10, (pair - 1) % 10]),
                _ => return Err(corrupt()),
            }
        }
        self.invert ^= negative;
        if digits.last() == Some(&0) {
            digits.pop();
        }
        // Bounds what damaged bytes can make us allocate; PostgreSQL's own limits are narrower.
        if digits.is_empty() || exponent.unsigned_abs() > 1 << 20 {
            return Err(corrupt());
        }
        canonical(&Decimal {
            negative,
            digits,
            exponent,
        })
        .ok_or_else(corrupt)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
