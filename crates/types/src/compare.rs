//! Order, equality and hashes of values under the default B-tree and hash operator classes.
//!
//! NULL is greater than everything and equal to itself here (`ORDER BY ... NULLS LAST`, `GROUP BY`, `DISTINCT`); SQL's
//! three-valued operators are functions. Collations other than `C` are the session's matter.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use common::Oid;

use crate::jsonb::{self, JsonbRef};
use crate::{ArrayValue, Datum, Interval, RecordValue, Vector, VectorData, oids, order, range};

/// PostgreSQL's order of floats: NaN equals NaN and is the greatest, -0 equals 0.
pub fn compare_f64(a: f64, b: f64) -> Ordering {
    match a.partial_cmp(&b) {
        Some(order) => order,
        None => a.is_nan().cmp(&b.is_nan()),
    }
}

/// `bpchar` compares without its trailing blanks.
#[inline]
pub fn without_padding(s: &str) -> &str {
    let end = s.bytes().rposition(|b| b != b' ').map_or(0, |last| last + 1);
    &s[..end]
}

/// The span of an interval that comparison looks at: months of 30 days, days of 24 hours.
pub fn interval_span(v: Interval) -> i128 {
    const DAY: i128 = 86_400_000_000;
    i128::from(v.micros) + (i128::from(v.months) * 30 + i128::from(v.days)) * DAY
}

/// Types of class `Int8` whose order is unsigned.
fn is_unsigned(type_oid: Oid) -> bool {
    matches!(type_oid, oids::PG_LSN | oids::XID8)
}

/// Compares two values of one SQL type.
pub fn compare(type_oid: Oid, a: &Datum, b: &Datum) -> Ordering {
    match (a, b) {
        (Datum::Null, Datum::Null) => Ordering::Equal,
        (Datum::Null, _) => Ordering::Greater,
        (_, Datum::Null) => Ordering::Less,
        (Datum::Bool(x), Datum::Bool(y)) => x.cmp(y),
        (Datum::Char(x), Datum::Char(y)) => x.cmp(y),
        (Datum::Int2(x), Datum::Int2(y)) => x.cmp(y),
        (Datum::Int4(x), Datum::Int4(y)) => x.cmp(y),
        (Datum::Int8(x), Datum::Int8(y)) if is_unsigned(type_oid) => (*x as u64).cmp(&(*y as u64)),
        (Datum::Int8(x), Datum::Int8(y)) => x.cmp(y),
        (Datum::Oid(x), Datum::Oid(y)) => x.cmp(y),
        (Datum::Float4(x), Datum::Float4(y)) => compare_f64(f64::from(*x), f64::from(*y)),
        (Datum::Float8(x), Datum::Float8(y)) => compare_f64(*x, *y),
        (Datum::Interval(x), Datum::Interval(y)) => interval_span(*x).cmp(&interval_span(*y)),
        (Datum::Uuid(x), Datum::Uuid(y)) => x.cmp(y),
        (Datum::Numeric(x), Datum::Numeric(y)) => x.compare(y),
        (Datum::Text(x), Datum::Text(y)) if type_oid == oids::BPCHAR => {
            without_padding(x).cmp(without_padding(y))
        }
        (Datum::Text(x), Datum::Text(y)) => x.cmp(y),
        (Datum::Bytes(x), Datum::Bytes(y)) => compare_bytes(type_oid, x, y),
        (Datum::Array(x), Datum::Array(y)) => compare_arrays(x, y),
        (Datum::Record(x), Datum::Record(y)) => compare_records(x, y),
        (Datum::Range(x), Datum::Range(y)) => {
            range::compare_ranges(x.subtype, x.range.as_ref(), y.range.as_ref())
        }
        (Datum::Multirange(x), Datum::Multirange(y)) => range::compare_multiranges(x, y),
        _ => compare_numbers(a, b),
    }
}

/// Numbers of different classes: statistics of a column against a constant of another type.
fn compare_numbers(a: &Datum, b: &Datum) -> Ordering {
    let float = |d: &Datum| match d {
        Datum::Float4(v) => Some(f64::from(*v)),
        Datum::Float8(v) => Some(*v),
        Datum::Numeric(v) => Some(v.to_f64()),
        other => other.as_i64().map(|v| v as f64),
    };
    match (a.as_i64(), b.as_i64(), float(a), float(b)) {
        (Some(x), Some(y), ..) => x.cmp(&y),
        (_, _, Some(x), Some(y)) => compare_f64(x, y),
        _ => {
            debug_assert!(false, "compared {a:?} with {b:?}");
            Ordering::Equal
        }
    }
}

/// True for types of class `Bytes` that do not sort by their bytes.
pub fn has_own_order(type_oid: Oid) -> bool {
    type_oid == oids::JSONB || order::has_sort_form(type_oid)
}

fn compare_bytes(type_oid: Oid, x: &[u8], y: &[u8]) -> Ordering {
    match type_oid {
        oids::JSONB => jsonb::compare(JsonbRef::root(x), JsonbRef::root(y)),
        _ => order::compare_bytes(type_oid, x, y),
    }
}

fn hash_encoded(type_oid: Oid, bytes: &[u8]) -> u64 {
    match type_oid {
        oids::JSONB => jsonb::hash(JsonbRef::root(bytes)),
        _ if order::has_sort_form(type_oid) => hash_bytes(&order::sort_form(type_oid, bytes)),
        _ => hash_bytes(bytes),
    }
}

/// Elements first, then number of dimensions, then their lengths and lower bounds.
pub fn compare_arrays(a: &ArrayValue, b: &ArrayValue) -> Ordering {
    let pairs = a.elements.iter().zip(&b.elements);
    for (x, y) in pairs {
        let order = compare(a.element_type, x, y);
        if order.is_ne() {
            return order;
        }
    }
    let shape = |v: &ArrayValue| -> Vec<i32> { v.dims.iter().flat_map(|d| [d.len, d.lower]).collect() };
    a.elements
        .len()
        .cmp(&b.elements.len())
        .then(a.dims.len().cmp(&b.dims.len()))
        .then_with(|| shape(a).cmp(&shape(b)))
}

fn compare_records(a: &RecordValue, b: &RecordValue) -> Ordering {
    for ((x, y), type_oid) in a.fields.iter().zip(&b.fields).zip(&a.field_types) {
        let order = compare(*type_oid, x, y);
        if order.is_ne() {
            return order;
        }
    }
    a.fields.len().cmp(&b.fields.len())
}

/// Equality under the same order.
pub fn equal(type_oid: Oid, a: &Datum, b: &Datum) -> bool {
    match (a, b) {
        (Datum::Text(x), Datum::Text(y)) if type_oid != oids::BPCHAR => x == y,
        _ => compare(type_oid, a, b).is_eq(),
    }
}

/// Compares rows of two vectors of one SQL type, without datums for the common classes.
pub fn compare_at(type_oid: Oid, a: &Vector, i: usize, b: &Vector, j: usize) -> Ordering {
    match (a.is_null(i), b.is_null(j)) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        _ => {}
    }
    match (a.decimal(i), b.decimal(j)) {
        (Some((x, s)), Some((y, t))) if s == t => return x.cmp(&y),
        _ => {}
    }
    let (x, y) = (a.index(i), b.index(j));
    match (a.data(), b.data()) {
        (VectorData::Bool(v), VectorData::Bool(w)) => v[x].cmp(&w[y]),
        (VectorData::Int2(v), VectorData::Int2(w)) => v[x].cmp(&w[y]),
        (VectorData::Int4(v), VectorData::Int4(w)) => v[x].cmp(&w[y]),
        (VectorData::Int8(v), VectorData::Int8(w)) if !is_unsigned(type_oid) => v[x].cmp(&w[y]),
        (VectorData::Oid(v), VectorData::Oid(w)) => v[x].cmp(&w[y]),
        (VectorData::Float8(v), VectorData::Float8(w)) => compare_f64(v[x], w[y]),
        (VectorData::Numeric(v), VectorData::Numeric(w)) => v[x].compare(&w[y]),
        (VectorData::Text(v), VectorData::Text(w)) if type_oid == oids::BPCHAR => {
            without_padding(v.str(x)).cmp(without_padding(w.str(y)))
        }
        (VectorData::Bytes(v), VectorData::Bytes(w)) if has_own_order(type_oid) => {
            compare_bytes(type_oid, v.bytes(x), w.bytes(y))
        }
        (VectorData::Text(v), VectorData::Text(w)) | (VectorData::Bytes(v), VectorData::Bytes(w)) => {
            v.bytes(x).cmp(w.bytes(y))
        }
        _ => compare(type_oid, &a.datum(i), &b.datum(j)),
    }
}

/// Equality of rows of two vectors; NULL equals NULL.
pub fn equal_at(type_oid: Oid, a: &Vector, i: usize, b: &Vector, j: usize) -> bool {
    match (a.data(), b.data()) {
        (VectorData::Text(v), VectorData::Text(w)) | (VectorData::Bytes(v), VectorData::Bytes(w))
            if type_oid != oids::BPCHAR && !has_own_order(type_oid) && !a.is_null(i) && !b.is_null(j) =>
        {
            v.equal(a.index(i), w, b.index(j))
        }
        // Of one length they are equal with their padding or not at all.
        (VectorData::Text(v), VectorData::Text(w))
            if type_oid == oids::BPCHAR
                && !a.is_null(i)
                && !b.is_null(j)
                && v.byte_len(a.index(i)) == w.byte_len(b.index(j)) =>
        {
            v.equal(a.index(i), w, b.index(j))
        }
        _ => compare_at(type_oid, a, i, b, j).is_eq(),
    }
}

/// A fast hash of 64 bits (multiply and fold), not PostgreSQL's; values equal under the type's `=` hash alike, also
/// across the integer types.
#[inline]
pub fn hash_u64(v: u64) -> u64 {
    let product = u128::from(v ^ 0x9e37_79b9_7f4a_7c15) * 0x94d0_49bb_1331_11eb_u128;
    (product as u64) ^ ((product >> 64) as u64)
}

/// Combines the hash of a further column.
#[inline]
pub fn combine_hash(seed: u64, hash: u64) -> u64 {
    (seed.rotate_left(23) ^ hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Hash of NULL.
pub const NULL_HASH: u64 = 0x6e75_6c6c_6e75_6c6c;

fn hash_f64(v: f64) -> u64 {
    let v = if v == 0.0 {
        0.0
    } else if v.is_nan() {
        f64::NAN
    } else {
        v
    };
    hash_u64(v.to_bits())
}

/// Hash of bytes.
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut chunks = bytes.chunks_exact(8);
    let mut h = hash_u64(bytes.len() as u64);
    for chunk in &mut chunks {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        h = hash_u64(h ^ u64::from_le_bytes(word));
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        h = hash_u64(h ^ u64::from_le_bytes(word));
    }
    h
}

/// Feeds `Hash` implementations through [`hash_u64`].
struct Fold(u64);

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = combine_hash(self.0, hash_bytes(bytes));
    }
    fn write_i64(&mut self, v: i64) {
        self.0 = combine_hash(self.0, hash_u64(v as u64));
    }
    fn write_u16(&mut self, v: u16) {
        self.0 = combine_hash(self.0, hash_u64(u64::from(v)));
    }
}

/// Hash of a value.
pub fn hash(type_oid: Oid, value: &Datum) -> u64 {
    match value {
        Datum::Null => NULL_HASH,
        Datum::Bool(v) => hash_u64(u64::from(*v)),
        Datum::Char(v) => hash_u64(u64::from(*v)),
        Datum::Int2(v) => hash_u64(i64::from(*v) as u64),
        Datum::Int4(v) => hash_u64(i64::from(*v) as u64),
        Datum::Int8(v) => hash_u64(*v as u64),
        Datum::Oid(v) => hash_u64(u64::from(*v)),
        Datum::Float4(v) => hash_f64(f64::from(*v)),
        Datum::Float8(v) => hash_f64(*v),
        Datum::Interval(v) => hash_u64(interval_span(*v) as u64),
        Datum::Uuid(v) => hash_bytes(v),
        Datum::Numeric(v) => {
            let mut state = Fold(0);
            v.hash_value(&mut state);
            state.finish()
        }
        Datum::Text(s) if type_oid == oids::BPCHAR => hash_bytes(without_padding(s).as_bytes()),
        Datum::Text(s) => hash_bytes(s.as_bytes()),
        Datum::Bytes(b) => hash_encoded(type_oid, b),
        Datum::Array(a) => a.elements.iter().fold(hash_u64(a.elements.len() as u64), |h, e| {
            combine_hash(h, hash(a.element_type, e))
        }),
        Datum::Record(r) => r
            .fields
            .iter()
            .zip(&r.field_types)
            .fold(1, |h, (f, t)| combine_hash(h, hash(*t, f))),
        Datum::Range(r) => r.range.as_ref().map_or(3, |range| hash_range(r.subtype, range)),
        Datum::Multirange(m) => m
            .ranges
            .iter()
            .fold(4, |h, range| combine_hash(h, hash_range(m.subtype, range))),
    }
}

fn hash_range(subtype: Oid, range: &range::Range) -> u64 {
    [&range.lower, &range.upper].into_iter().fold(2, |h, bound| {
        combine_hash(h, hash(subtype, &bound.value) ^ u64::from(bound.inclusive))
    })
}

/// Hash of row `i` of a vector.
pub fn hash_at(type_oid: Oid, v: &Vector, i: usize) -> u64 {
    if v.is_null(i) {
        return NULL_HASH;
    }
    if v.decimal(i).is_some() {
        return hash(type_oid, &v.datum(i));
    }
    let k = v.index(i);
    match v.data() {
        VectorData::Int2(d) => hash_u64(i64::from(d[k]) as u64),
        VectorData::Int4(d) => hash_u64(i64::from(d[k]) as u64),
        VectorData::Int8(d) => hash_u64(d[k] as u64),
        VectorData::Oid(d) => hash_u64(u64::from(d[k])),
        VectorData::Text(s) if type_oid == oids::BPCHAR => hash_bytes(without_padding(s.str(k)).as_bytes()),
        VectorData::Text(s) => hash_bytes(s.bytes(k)),
        VectorData::Bytes(s) => hash_encoded(type_oid, s.bytes(k)),
        _ => hash(type_oid, &v.datum(i)),
    }
}

/// A datum with the order and equality of its type, for maps and sorts.
#[derive(Clone, Debug)]
pub struct Ordered {
    /// SQL type.
    pub type_oid: Oid,
    /// The value.
    pub value: Datum,
}

impl PartialEq for Ordered {
    fn eq(&self, other: &Ordered) -> bool {
        equal(self.type_oid, &self.value, &other.value)
    }
}

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Ordered) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Ordered) -> Ordering {
        compare(self.type_oid, &self.value, &other.value)
    }
}

impl Hash for Ordered {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(hash(self.type_oid, &self.value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Numeric;

    #[test]
    fn equal_values_hash_alike() {
        let n = |unscaled, scale| Datum::Numeric(Numeric::Small { unscaled, scale });
        assert!(equal(oids::NUMERIC, &n(100, 2), &n(1, 0)));
        assert_eq!(hash(oids::NUMERIC, &n(100, 2)), hash(oids::NUMERIC, &n(1, 0)));
        assert_eq!(
            hash(oids::FLOAT8, &Datum::Float8(-0.0)),
            hash(oids::FLOAT8, &Datum::Float8(0.0))
        );
        let (a, b) = (Datum::text("x  "), Datum::text("x"));
        assert!(equal(oids::BPCHAR, &a, &b) && !equal(oids::TEXT, &a, &b));
        assert_eq!(hash(oids::BPCHAR, &a), hash(oids::BPCHAR, &b));
        assert_eq!(
            compare(oids::INT4, &Datum::Null, &Datum::Int4(1)),
            Ordering::Greater
        );
    }
}
