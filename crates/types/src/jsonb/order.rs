//! Order, hash and key bytes of `jsonb`.
//!
//! PG: src/backend/utils/adt/jsonb_util.c (`compareJsonbContainers`).
//!
//! Object > array > boolean > number > string > null; containers with more members are greater; but an empty array at the
//! top is less than every scalar, because PostgreSQL keeps a lone scalar as an array of one.

use std::cmp::Ordering;

use crate::compare::{combine_hash, hash_bytes, hash_u64};
use crate::jsonb::JsonbRef;
use crate::{Datum, oids};

fn rank(value: &JsonbRef<'_>) -> u8 {
    match value {
        JsonbRef::Null => 1,
        JsonbRef::String(_) => 2,
        JsonbRef::Number(_) => 3,
        JsonbRef::Bool(_) => 4,
        JsonbRef::Array(_) => 5,
        JsonbRef::Object(_) => 6,
    }
}

/// The order of whole documents.
pub fn compare(a: JsonbRef<'_>, b: JsonbRef<'_>) -> Ordering {
    let empty = |v: &JsonbRef<'_>| matches!(v, JsonbRef::Array(a) if a.is_empty());
    match (empty(&a), empty(&b)) {
        (true, false) if b.is_scalar() => Ordering::Less,
        (false, true) if a.is_scalar() => Ordering::Greater,
        _ => compare_nodes(a, b),
    }
}

fn compare_nodes(a: JsonbRef<'_>, b: JsonbRef<'_>) -> Ordering {
    match (a, b) {
        (JsonbRef::Bool(x), JsonbRef::Bool(y)) => x.cmp(&y),
        (JsonbRef::Number(x), JsonbRef::Number(y)) if x.0 == y.0 => Ordering::Equal,
        (JsonbRef::Number(x), JsonbRef::Number(y)) => x.value().compare(&y.value()),
        (JsonbRef::String(x), JsonbRef::String(y)) => x.cmp(y),
        (JsonbRef::Array(x), JsonbRef::Array(y)) => x
            .len()
            .cmp(&y.len())
            .then_with(|| first_difference(x.iter().zip(y.iter()).map(|(v, w)| compare_nodes(v, w)))),
        (JsonbRef::Object(x), JsonbRef::Object(y)) => x.len().cmp(&y.len()).then_with(|| {
            let pairs = x.iter().zip(y.iter());
            first_difference(pairs.map(|((k, v), (l, w))| k.cmp(l).then_with(|| compare_nodes(v, w))))
        }),
        _ => rank(&a).cmp(&rank(&b)),
    }
}

fn first_difference(mut orders: impl Iterator<Item = Ordering>) -> Ordering {
    orders.find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
}

/// A hash that agrees with equality (not PostgreSQL's value).
pub fn hash(value: JsonbRef<'_>) -> u64 {
    match value {
        JsonbRef::Null => hash_u64(1),
        JsonbRef::Bool(b) => hash_u64(2 + u64::from(b)),
        JsonbRef::Number(n) => crate::compare::hash(oids::NUMERIC, &Datum::Numeric(n.value())),
        JsonbRef::String(s) => hash_bytes(s.as_bytes()),
        JsonbRef::Array(a) => a
            .iter()
            .fold(hash_u64(a.len() as u64), |h, e| combine_hash(h, hash(e))),
        JsonbRef::Object(o) => o.iter().fold(hash_u64(!(o.len() as u64)), |h, (k, v)| {
            combine_hash(combine_hash(h, hash_bytes(k.as_bytes())), hash(v))
        }),
    }
}

/// Appends bytes that sort as documents do. `scalar` appends those of a number or text.
pub fn put_key(document: &[u8], scalar: &mut dyn FnMut(&Datum, &mut Vec<u8>), out: &mut Vec<u8>) {
    match JsonbRef::root(document) {
        JsonbRef::Array(a) if a.is_empty() => out.push(0),
        value => put_node(value, scalar, out),
    }
}

fn put_node(value: JsonbRef<'_>, scalar: &mut dyn FnMut(&Datum, &mut Vec<u8>), out: &mut Vec<u8>) {
    out.push(rank(&value));
    match value {
        JsonbRef::Null => {}
        JsonbRef::Bool(b) => out.push(u8::from(b)),
        JsonbRef::Number(n) => scalar(&Datum::Numeric(n.value()), out),
        JsonbRef::String(s) => scalar(&Datum::text(s), out),
        JsonbRef::Array(a) => {
            out.extend_from_slice(&(a.len() as u32).to_be_bytes());
            a.iter().for_each(|e| put_node(e, scalar, out));
        }
        JsonbRef::Object(o) => {
            out.extend_from_slice(&(o.len() as u32).to_be_bytes());
            for (key, value) in o.iter() {
                scalar(&Datum::text(key), out);
                put_node(value, scalar, out);
            }
        }
    }
}
