//! `jsonb`: the binary form of JSON values, with random access to keys and elements.
//!
//! PG: src/include/utils/jsonb.h describes the same idea with another layout.
//!
//! # Format
//! A value ("document") is one kind byte and the bytes of its node; a container inside another has no kind byte of its own,
//! the entry that points at it holds it. Integers are little-endian.
//!
//! | kind | node |
//! | --- | --- |
//! | 0 null, 1 false, 2 true | nothing |
//! | 3 number | scale (one byte), then the digits as a two's complement integer of the fewest bytes; or `FF` and the wire form of `numeric` |
//! | 4 string | UTF-8 |
//! | 5 array | count `u32`, one entry per element, the elements' nodes |
//! | 6 object | count `u32`, one entry per key, one entry per value, the keys, the values' nodes |
//!
//! An entry is a `u32`: the kind in the upper three bits (string for keys), in the lower 29 where its node ends, counted from
//! the end of the entries. It begins where the one before ends, so every element is found in one step.
//!
//! # Invariants
//! - Keys are unique, sorted by length, then by bytes (PostgreSQL's order, which is also the order of output).
//! - Readers never trust the bytes: whatever does not fit reads as null or empty.
//!
//! # Not here
//! Operators and functions (`functions`), paths ([`crate::jsonpath`]).

mod build;
mod order;
mod text;

use std::cmp::Ordering;

use common::PgResult;
use common::cancel::CancelToken;

pub use build::{JsonbBuilder, JsonbNode};
pub use order::{compare, hash, put_key};
pub use text::{ParseOptions, parse, parse_document, push_pretty, push_text, to_text};

use crate::{Datum, Numeric, numeric};

/// What the kind byte says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Kind {
    Null = 0,
    False = 1,
    True = 2,
    Number = 3,
    String = 4,
    Array = 5,
    Object = 6,
}

impl Kind {
    fn from_bits(bits: u8) -> Kind {
        match bits {
            1 => Kind::False,
            2 => Kind::True,
            3 => Kind::Number,
            4 => Kind::String,
            5 => Kind::Array,
            6 => Kind::Object,
            _ => Kind::Null,
        }
    }
}

/// The bits of an entry that hold the offset.
const OFFSET_MASK: u32 = (1 << 29) - 1;
/// PostgreSQL's limit on the data of one container.
const DATA_BYTES_MAX: usize = 0x0fff_ffff;

/// A value inside a document.
#[derive(Clone, Copy, Debug)]
pub enum JsonbRef<'a> {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number, encoded.
    Number(NumberRef<'a>),
    /// A string.
    String(&'a str),
    /// An array.
    Array(ArrayRef<'a>),
    /// An object.
    Object(ObjectRef<'a>),
}

/// An encoded number.
#[derive(Clone, Copy, Debug)]
pub struct NumberRef<'a>(pub(crate) &'a [u8]);

/// An encoded array.
#[derive(Clone, Copy, Debug)]
pub struct ArrayRef<'a>(pub(crate) &'a [u8]);

/// An encoded object.
#[derive(Clone, Copy, Debug)]
pub struct ObjectRef<'a>(pub(crate) &'a [u8]);

fn word(bytes: &[u8], index: usize) -> u32 {
    match bytes.get(index * 4..index * 4 + 4) {
        Some([a, b, c, d]) => u32::from_le_bytes([*a, *b, *c, *d]),
        _ => 0,
    }
}

fn utf8(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or("")
}

/// Node `index` of a container with `entries` entries: its kind and bytes.
fn node(bytes: &[u8], entries: usize, index: usize) -> (Kind, &[u8]) {
    let entry = word(bytes, 1 + index);
    let base = 4 + entries * 4;
    let start = if index == 0 {
        0
    } else {
        (word(bytes, index) & OFFSET_MASK) as usize
    };
    let end = (entry & OFFSET_MASK) as usize;
    let data = bytes.get(base + start..base + end).unwrap_or(&[]);
    (Kind::from_bits((entry >> 29) as u8), data)
}

impl<'a> JsonbRef<'a> {
    /// The value of a whole document.
    pub fn root(document: &'a [u8]) -> JsonbRef<'a> {
        match document.split_first() {
            Some((kind, bytes)) => JsonbRef::of(Kind::from_bits(*kind), bytes),
            None => JsonbRef::Null,
        }
    }

    /// The value of a `jsonb` datum; null for any other.
    pub fn of_datum(datum: &'a Datum) -> JsonbRef<'a> {
        match datum {
            Datum::Bytes(b) => JsonbRef::root(b),
            _ => JsonbRef::Null,
        }
    }

    fn of(kind: Kind, bytes: &'a [u8]) -> JsonbRef<'a> {
        match kind {
            Kind::Null => JsonbRef::Null,
            Kind::False => JsonbRef::Bool(false),
            Kind::True => JsonbRef::Bool(true),
            Kind::Number => JsonbRef::Number(NumberRef(bytes)),
            Kind::String => JsonbRef::String(utf8(bytes)),
            Kind::Array => JsonbRef::Array(ArrayRef(bytes)),
            Kind::Object => JsonbRef::Object(ObjectRef(bytes)),
        }
    }

    /// Kind and bytes, for whoever copies it.
    pub(crate) fn raw(&self) -> (Kind, &'a [u8]) {
        match self {
            JsonbRef::Null => (Kind::Null, &[]),
            JsonbRef::Bool(false) => (Kind::False, &[]),
            JsonbRef::Bool(true) => (Kind::True, &[]),
            JsonbRef::Number(n) => (Kind::Number, n.0),
            JsonbRef::String(s) => (Kind::String, s.as_bytes()),
            JsonbRef::Array(a) => (Kind::Array, a.0),
            JsonbRef::Object(o) => (Kind::Object, o.0),
        }
    }

    /// True when both are the same bytes at the same place.
    pub fn is_same(&self, other: &JsonbRef<'_>) -> bool {
        let ((kind, a), (other_kind, b)) = (self.raw(), other.raw());
        kind == other_kind && a.as_ptr() == b.as_ptr() && a.len() == b.len()
    }

    /// True when the bytes of the other lie inside the bytes of this.
    pub fn encloses(&self, other: &JsonbRef<'_>) -> bool {
        let (outer, inner) = (self.raw().1.as_ptr_range(), other.raw().1.as_ptr_range());
        outer.start <= inner.start && inner.end <= outer.end
    }

    /// The value as a document of its own.
    pub fn to_document(&self) -> Vec<u8> {
        let (kind, bytes) = self.raw();
        let mut out = Vec::with_capacity(1 + bytes.len());
        out.push(kind as u8);
        out.extend_from_slice(bytes);
        out
    }

    /// The same as a datum.
    pub fn to_datum(&self) -> Datum {
        Datum::Bytes(self.to_document().into())
    }

    /// True for everything but arrays and objects.
    pub fn is_scalar(&self) -> bool {
        !matches!(self, JsonbRef::Array(_) | JsonbRef::Object(_))
    }

    /// What `jsonb_typeof` says.
    pub fn type_name(&self) -> &'static str {
        match self {
            JsonbRef::Null => "null",
            JsonbRef::Bool(_) => "boolean",
            JsonbRef::Number(_) => "number",
            JsonbRef::String(_) => "string",
            JsonbRef::Array(_) => "array",
            JsonbRef::Object(_) => "object",
        }
    }

    /// The field of an object.
    pub fn get(&self, key: &str) -> Option<JsonbRef<'a>> {
        match self {
            JsonbRef::Object(o) => o.get(key),
            _ => None,
        }
    }

    /// Equality of scalars as `jsonb = jsonb` has it; false for containers.
    pub fn scalar_eq(&self, other: &JsonbRef<'_>) -> bool {
        match (self, other) {
            (JsonbRef::Null, JsonbRef::Null) => true,
            (JsonbRef::Bool(a), JsonbRef::Bool(b)) => a == b,
            (JsonbRef::Number(a), JsonbRef::Number(b)) => a.0 == b.0 || a.value().compare(&b.value()).is_eq(),
            (JsonbRef::String(a), JsonbRef::String(b)) => a == b,
            _ => false,
        }
    }

    /// `->>`: strings bare, null as `None`, everything else as JSON.
    pub fn as_text(&self, cancel: &CancelToken) -> PgResult<Option<String>> {
        Ok(match self {
            JsonbRef::Null => None,
            JsonbRef::String(s) => Some((*s).to_owned()),
            JsonbRef::Bool(b) => Some(b.to_string()),
            JsonbRef::Number(n) => Some(n.value().to_string()),
            _ => Some(to_text(*self, cancel)?),
        })
    }
}

impl NumberRef<'_> {
    /// The number.
    pub fn value(&self) -> Numeric {
        match self.0.split_first() {
            None => Numeric::default(),
            Some((0xff, wire)) => numeric::receive(wire).unwrap_or_default(),
            Some((scale, digits)) => {
                let negative = digits.last().is_some_and(|b| b & 0x80 != 0);
                let mut wide = [if negative { 0xff } else { 0 }; 8];
                for (to, from) in wide.iter_mut().zip(digits) {
                    *to = *from;
                }
                Numeric::Small {
                    unscaled: i64::from_le_bytes(wide),
                    scale: u16::from(*scale),
                }
            }
        }
    }
}

/// Appends the node of a number.
pub(crate) fn put_number(value: &Numeric, out: &mut Vec<u8>) {
    if let Numeric::Small { unscaled, scale } = value {
        if *scale < 0xff {
            out.push(*scale as u8);
            let bytes = unscaled.to_le_bytes();
            let fill = if *unscaled < 0 { 0xff } else { 0 };
            let mut len = 8;
            while len > 0 && bytes[len - 1] == fill {
                len -= 1;
            }
            // The sign is the highest bit of the last byte kept.
            if len < 8 && (len == 0 || (bytes[len - 1] ^ fill) & 0x80 != 0) && *unscaled != 0 {
                len += 1;
            }
            out.extend_from_slice(&bytes[..len]);
            return;
        }
    }
    out.push(0xff);
    numeric::send(value, out);
}

impl<'a> ArrayRef<'a> {
    /// Number of elements.
    pub fn len(&self) -> usize {
        word(self.0, 0) as usize
    }

    /// True without elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An element by position from 0.
    pub fn get(&self, index: usize) -> Option<JsonbRef<'a>> {
        let n = self.len();
        (index < n).then(|| {
            let (kind, bytes) = node(self.0, n, index);
            JsonbRef::of(kind, bytes)
        })
    }

    /// An element by position; negative ones count from the end.
    pub fn at(&self, index: i64) -> Option<JsonbRef<'a>> {
        let index = if index < 0 {
            index + self.len() as i64
        } else {
            index
        };
        usize::try_from(index).ok().and_then(|i| self.get(i))
    }

    /// The elements.
    pub fn iter(&self) -> impl Iterator<Item = JsonbRef<'a>> + use<'a> {
        let this = *self;
        (0..this.len()).filter_map(move |i| this.get(i))
    }

    /// True when an element equals this scalar.
    pub fn contains_scalar(&self, scalar: &JsonbRef<'_>) -> bool {
        self.iter().any(|e| e.scalar_eq(scalar))
    }
}

/// PostgreSQL's order of keys: shorter first, then by bytes.
pub fn compare_keys(a: &[u8], b: &[u8]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

impl<'a> ObjectRef<'a> {
    /// Number of pairs.
    pub fn len(&self) -> usize {
        word(self.0, 0) as usize
    }

    /// True without pairs.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn key_bytes(&self, index: usize) -> &'a [u8] {
        node(self.0, self.len() * 2, index).1
    }

    /// A key by position.
    pub fn key(&self, index: usize) -> &'a str {
        utf8(self.key_bytes(index))
    }

    /// A value by position.
    pub fn value(&self, index: usize) -> JsonbRef<'a> {
        let n = self.len();
        let (kind, bytes) = node(self.0, n * 2, n + index);
        JsonbRef::of(kind, bytes)
    }

    /// The position of a key.
    pub fn find(&self, key: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = (low + high) / 2;
            match compare_keys(self.key_bytes(middle), key.as_bytes()) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return Some(middle),
            }
        }
        None
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<JsonbRef<'a>> {
        self.find(key).map(|i| self.value(i))
    }

    /// The pairs in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, JsonbRef<'a>)> + use<'a> {
        let this = *self;
        (0..this.len()).map(move |i| (this.key(i), this.value(i)))
    }
}

/// `jsonb @> jsonb` below the top level.
fn deep_contains(whole: JsonbRef<'_>, part: JsonbRef<'_>) -> bool {
    match (whole, part) {
        (JsonbRef::Object(w), JsonbRef::Object(p)) => {
            p.len() <= w.len()
                && p.iter().all(|(key, sought)| {
                    w.get(key)
                        .is_some_and(|found| found.scalar_eq(&sought) || deep_contains(found, sought))
                })
        }
        (JsonbRef::Array(w), JsonbRef::Array(p)) => p.iter().all(|sought| {
            if sought.is_scalar() {
                w.contains_scalar(&sought)
            } else {
                w.iter().any(|found| deep_contains(found, sought))
            }
        }),
        _ => false,
    }
}

/// `whole @> part`. An array contains the scalars that are its elements.
pub fn contains(whole: JsonbRef<'_>, part: JsonbRef<'_>) -> bool {
    match (whole, part) {
        (JsonbRef::Array(w), p) if p.is_scalar() => w.contains_scalar(&p),
        (w, p) => w.scalar_eq(&p) || deep_contains(w, p),
    }
}

/// `jsonb ? text`: a key of an object, a string element of an array, or that very string.
pub fn exists(value: JsonbRef<'_>, key: &str) -> bool {
    match value {
        JsonbRef::Object(o) => o.find(key).is_some(),
        JsonbRef::Array(a) => a.contains_scalar(&JsonbRef::String(key)),
        JsonbRef::String(s) => s == key,
        _ => false,
    }
}

/// Text to a `jsonb` datum.
pub fn input(text: &str, cancel: &CancelToken) -> PgResult<Datum> {
    Ok(Datum::Bytes(parse_document(text, cancel)?.into()))
}

#[cfg(test)]
mod tests;
