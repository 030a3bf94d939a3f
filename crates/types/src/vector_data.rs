//! The values of a vector in their general form: one Rust vector per storage class.

use crate::{Datum, Interval, Numeric, PhysType, StringColumn};

/// The values of a vector, one variant per [`PhysType`].
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum VectorData {
    Bool(Vec<bool>),
    Char(Vec<u8>),
    Int2(Vec<i16>),
    Int4(Vec<i32>),
    Int8(Vec<i64>),
    Oid(Vec<u32>),
    Float4(Vec<f32>),
    Float8(Vec<f64>),
    Interval(Vec<Interval>),
    Uuid(Vec<[u8; 16]>),
    Numeric(Vec<Numeric>),
    Text(StringColumn),
    Bytes(StringColumn),
    Nested(Vec<Datum>),
}

/// Runs the same expression for whichever variant it is (`v` is bound to the `Vec` or [`StringColumn`]).
macro_rules! each {
    ($data:expr, $v:ident => $vec:expr, $s:ident => $strings:expr) => {
        match $data {
            VectorData::Bool($v) => $vec,
            VectorData::Char($v) => $vec,
            VectorData::Int2($v) => $vec,
            VectorData::Int4($v) => $vec,
            VectorData::Int8($v) => $vec,
            VectorData::Oid($v) => $vec,
            VectorData::Float4($v) => $vec,
            VectorData::Float8($v) => $vec,
            VectorData::Interval($v) => $vec,
            VectorData::Uuid($v) => $vec,
            VectorData::Numeric($v) => $vec,
            VectorData::Nested($v) => $vec,
            VectorData::Text($s) => $strings,
            VectorData::Bytes($s) => $strings,
        }
    };
}

/// The same, building the same variant again.
macro_rules! map_each {
    ($data:expr, $v:ident => $vec:expr, $s:ident => $strings:expr) => {
        match $data {
            VectorData::Bool($v) => VectorData::Bool($vec),
            VectorData::Char($v) => VectorData::Char($vec),
            VectorData::Int2($v) => VectorData::Int2($vec),
            VectorData::Int4($v) => VectorData::Int4($vec),
            VectorData::Int8($v) => VectorData::Int8($vec),
            VectorData::Oid($v) => VectorData::Oid($vec),
            VectorData::Float4($v) => VectorData::Float4($vec),
            VectorData::Float8($v) => VectorData::Float8($vec),
            VectorData::Interval($v) => VectorData::Interval($vec),
            VectorData::Uuid($v) => VectorData::Uuid($vec),
            VectorData::Numeric($v) => VectorData::Numeric($vec),
            VectorData::Nested($v) => VectorData::Nested($vec),
            VectorData::Text($s) => VectorData::Text($strings),
            VectorData::Bytes($s) => VectorData::Bytes($strings),
        }
    };
}

pub(crate) use {each, map_each};

impl VectorData {
    /// `len` default values of a class.
    pub fn defaults(phys: PhysType, len: usize) -> VectorData {
        match phys {
            PhysType::Bool => VectorData::Bool(vec![false; len]),
            PhysType::Char => VectorData::Char(vec![0; len]),
            PhysType::Int2 => VectorData::Int2(vec![0; len]),
            PhysType::Int4 => VectorData::Int4(vec![0; len]),
            PhysType::Int8 => VectorData::Int8(vec![0; len]),
            PhysType::Oid => VectorData::Oid(vec![0; len]),
            PhysType::Float4 => VectorData::Float4(vec![0.0; len]),
            PhysType::Float8 => VectorData::Float8(vec![0.0; len]),
            PhysType::Interval => VectorData::Interval(vec![Interval::default(); len]),
            PhysType::Uuid => VectorData::Uuid(vec![[0; 16]; len]),
            // As `vec!` clones them one by one.
            PhysType::Numeric => VectorData::Numeric((0..len).map(|_| Numeric::ZERO).collect()),
            PhysType::Text => VectorData::Text(StringColumn::empty_strings(len)),
            PhysType::Bytes => VectorData::Bytes(StringColumn::empty_strings(len)),
            PhysType::Nested => VectorData::Nested(vec![Datum::Null; len]),
        }
    }

    /// Physical number of values.
    pub fn len(&self) -> usize {
        each!(self, v => v.len(), s => s.len())
    }

    /// True without values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The class.
    pub fn phys(&self) -> PhysType {
        match self {
            VectorData::Bool(_) => PhysType::Bool,
            VectorData::Char(_) => PhysType::Char,
            VectorData::Int2(_) => PhysType::Int2,
            VectorData::Int4(_) => PhysType::Int4,
            VectorData::Int8(_) => PhysType::Int8,
            VectorData::Oid(_) => PhysType::Oid,
            VectorData::Float4(_) => PhysType::Float4,
            VectorData::Float8(_) => PhysType::Float8,
            VectorData::Interval(_) => PhysType::Interval,
            VectorData::Uuid(_) => PhysType::Uuid,
            VectorData::Numeric(_) => PhysType::Numeric,
            VectorData::Text(_) => PhysType::Text,
            VectorData::Bytes(_) => PhysType::Bytes,
            VectorData::Nested(_) => PhysType::Nested,
        }
    }

    pub(crate) fn datum(&self, i: usize) -> Datum {
        match self {
            VectorData::Bool(v) => Datum::Bool(v[i]),
            VectorData::Char(v) => Datum::Char(v[i]),
            VectorData::Int2(v) => Datum::Int2(v[i]),
            VectorData::Int4(v) => Datum::Int4(v[i]),
            VectorData::Int8(v) => Datum::Int8(v[i]),
            VectorData::Oid(v) => Datum::Oid(v[i]),
            VectorData::Float4(v) => Datum::Float4(v[i]),
            VectorData::Float8(v) => Datum::Float8(v[i]),
            VectorData::Interval(v) => Datum::Interval(v[i]),
            VectorData::Uuid(v) => Datum::Uuid(v[i]),
            VectorData::Numeric(v) => Datum::Numeric(v[i].clone()),
            VectorData::Text(s) => Datum::Text(s.text_datum(i)),
            VectorData::Bytes(s) => Datum::Bytes(s.bytes_datum(i)),
            VectorData::Nested(v) => v[i].clone(),
        }
    }

    /// Stores a datum of this class; false (and nothing stored) when the class differs.
    pub(crate) fn set(&mut self, i: usize, value: &Datum) -> bool {
        match (self, value) {
            (VectorData::Bool(v), Datum::Bool(x)) => v[i] = *x,
            (VectorData::Char(v), Datum::Char(x)) => v[i] = *x,
            (VectorData::Int2(v), Datum::Int2(x)) => v[i] = *x,
            (VectorData::Int4(v), Datum::Int4(x)) => v[i] = *x,
            (VectorData::Int8(v), Datum::Int8(x)) => v[i] = *x,
            (VectorData::Oid(v), Datum::Oid(x)) => v[i] = *x,
            (VectorData::Float4(v), Datum::Float4(x)) => v[i] = *x,
            (VectorData::Float8(v), Datum::Float8(x)) => v[i] = *x,
            (VectorData::Interval(v), Datum::Interval(x)) => v[i] = *x,
            (VectorData::Uuid(v), Datum::Uuid(x)) => v[i] = *x,
            (VectorData::Numeric(v), Datum::Numeric(x)) => v[i] = x.clone(),
            (VectorData::Text(s), Datum::Text(x)) => s.set_text(i, x),
            (VectorData::Bytes(s), Datum::Bytes(x)) => s.set_shared_bytes(i, x),
            (VectorData::Nested(v), x) => v[i] = x.clone(),
            _ => return false,
        }
        true
    }

    pub(crate) fn push_default(&mut self) {
        each!(self, v => v.push(Default::default()), s => s.push_bytes(&[]));
    }
}
