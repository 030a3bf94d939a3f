//! One value of any SQL type.

use std::sync::Arc;

use crate::{ArrayValue, Interval, MultirangeValue, Numeric, PhysType, RangeValue, RecordValue};

/// A value or NULL. Which SQL type it belongs to is said by the expression, not by the datum.
#[derive(Clone, Debug, Default)]
pub enum Datum {
    /// SQL NULL.
    #[default]
    Null,
    /// See [`PhysType::Bool`].
    Bool(bool),
    /// See [`PhysType::Char`].
    Char(u8),
    /// See [`PhysType::Int2`].
    Int2(i16),
    /// See [`PhysType::Int4`].
    Int4(i32),
    /// See [`PhysType::Int8`].
    Int8(i64),
    /// See [`PhysType::Oid`].
    Oid(u32),
    /// See [`PhysType::Float4`].
    Float4(f32),
    /// See [`PhysType::Float8`].
    Float8(f64),
    /// See [`PhysType::Interval`].
    Interval(Interval),
    /// See [`PhysType::Uuid`].
    Uuid([u8; 16]),
    /// See [`PhysType::Numeric`].
    Numeric(Numeric),
    /// See [`PhysType::Text`].
    Text(Arc<str>),
    /// See [`PhysType::Bytes`].
    Bytes(Arc<[u8]>),
    /// An array (class [`PhysType::Nested`]).
    Array(Arc<ArrayValue>),
    /// A composite value (class [`PhysType::Nested`]).
    Record(Arc<RecordValue>),
    /// A range (class [`PhysType::Nested`]).
    Range(Arc<RangeValue>),
    /// A multirange (class [`PhysType::Nested`]).
    Multirange(Arc<MultirangeValue>),
}

impl Datum {
    /// True for NULL.
    #[inline]
    pub fn is_null(&self) -> bool {
        matches!(self, Datum::Null)
    }

    /// A text datum.
    pub fn text(s: impl Into<Arc<str>>) -> Datum {
        Datum::Text(s.into())
    }

    /// The storage class; `None` for NULL, which belongs to every class.
    pub fn phys(&self) -> Option<PhysType> {
        Some(match self {
            Datum::Null => return None,
            Datum::Bool(_) => PhysType::Bool,
            Datum::Char(_) => PhysType::Char,
            Datum::Int2(_) => PhysType::Int2,
            Datum::Int4(_) => PhysType::Int4,
            Datum::Int8(_) => PhysType::Int8,
            Datum::Oid(_) => PhysType::Oid,
            Datum::Float4(_) => PhysType::Float4,
            Datum::Float8(_) => PhysType::Float8,
            Datum::Interval(_) => PhysType::Interval,
            Datum::Uuid(_) => PhysType::Uuid,
            Datum::Numeric(_) => PhysType::Numeric,
            Datum::Text(_) => PhysType::Text,
            Datum::Bytes(_) => PhysType::Bytes,
            Datum::Array(_) | Datum::Record(_) | Datum::Range(_) | Datum::Multirange(_) => PhysType::Nested,
        })
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Datum::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// The integer of any signed or unsigned integer class.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Datum::Int2(v) => Some(i64::from(*v)),
            Datum::Int4(v) => Some(i64::from(*v)),
            Datum::Int8(v) => Some(*v),
            Datum::Oid(v) => Some(i64::from(*v)),
            Datum::Char(v) => Some(i64::from(*v)),
            _ => None,
        }
    }

    /// The OID, if it is one.
    pub fn as_oid(&self) -> Option<common::Oid> {
        match self {
            Datum::Oid(v) => Some(common::Oid(*v)),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Datum::Text(s) => Some(s),
            _ => None,
        }
    }

    /// The bytes of a text or binary value.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Datum::Text(s) => Some(s.as_bytes()),
            Datum::Bytes(b) => Some(b),
            _ => None,
        }
    }
}

/// Structural equality for tests and caches: NULL equals NULL, floats compare by bits. SQL equality is an operator.
impl PartialEq for Datum {
    fn eq(&self, other: &Datum) -> bool {
        match (self, other) {
            (Datum::Null, Datum::Null) => true,
            (Datum::Bool(a), Datum::Bool(b)) => a == b,
            (Datum::Char(a), Datum::Char(b)) => a == b,
            (Datum::Int2(a), Datum::Int2(b)) => a == b,
            (Datum::Int4(a), Datum::Int4(b)) => a == b,
            (Datum::Int8(a), Datum::Int8(b)) => a == b,
            (Datum::Oid(a), Datum::Oid(b)) => a == b,
            (Datum::Float4(a), Datum::Float4(b)) => a.to_bits() == b.to_bits(),
            (Datum::Float8(a), Datum::Float8(b)) => a.to_bits() == b.to_bits(),
            (Datum::Interval(a), Datum::Interval(b)) => a == b,
            (Datum::Uuid(a), Datum::Uuid(b)) => a == b,
            (Datum::Numeric(a), Datum::Numeric(b)) => a == b,
            (Datum::Text(a), Datum::Text(b)) => a == b,
            (Datum::Bytes(a), Datum::Bytes(b)) => a == b,
            (Datum::Array(a), Datum::Array(b)) => a == b,
            (Datum::Record(a), Datum::Record(b)) => a == b,
            (Datum::Range(a), Datum::Range(b)) => a == b,
            (Datum::Multirange(a), Datum::Multirange(b)) => a == b,
            _ => false,
        }
    }
}
