//! `.keyvalue()`: the pairs of an object, each with an id of the object.
//!
//! The id is what PostgreSQL computes: the offset of the object in its own binary format from the document it belongs to,
//! plus 10,000,000,000 times the number of that document. So offsets are computed here as that format would have them.

use common::pg_err;
use types::jsonb::{JsonbBuilder, JsonbRef};
use types::jsonpath::Item;
use types::{Numeric, numeric};

use crate::families::jsonpath::exec::{Exec, Found, Sink, int, soft};
use crate::families::jsonpath::value::PathValue;

/// What a document's number is multiplied with.
const DOCUMENT_STEP: i64 = 10_000_000_000;

fn align(offset: usize) -> usize {
    offset.next_multiple_of(4)
}

/// Bytes of a number in PostgreSQL's on-disk form, with its four bytes of length.
fn number_size(n: &Numeric) -> usize {
    let mut wire = Vec::new();
    numeric::send(n, &mut wire);
    let word = |k: usize| match wire.get(k * 2..k * 2 + 2) {
        Some([a, b]) => u16::from_be_bytes([*a, *b]),
        _ => 0,
    };
    let (digits, weight, scale) = (usize::from(word(0)), word(1) as i16, word(3));
    let short = scale <= 0x3f && (-64..=63).contains(&weight);
    4 + if short { 2 } else { 4 } + digits * 2
}

/// Where the node of a value ends that begins at `start`.
fn end_of(value: JsonbRef<'_>, start: usize) -> usize {
    match value {
        JsonbRef::Null | JsonbRef::Bool(_) => start,
        JsonbRef::String(s) => start + s.len(),
        JsonbRef::Number(n) => align(start) + number_size(&n.value()),
        JsonbRef::Array(a) => {
            let mut at = align(start) + 4 + 4 * a.len();
            for e in a.iter() {
                at = end_of(e, at);
            }
            at
        }
        JsonbRef::Object(o) => {
            let mut at = align(start) + 4 + 8 * o.len();
            at += o.iter().map(|(k, _)| k.len()).sum::<usize>();
            for (_, v) in o.iter() {
                at = end_of(v, at);
            }
            at
        }
    }
}

/// The offset of `target` inside `at`, which begins at `start`.
fn offset_of(at: JsonbRef<'_>, target: JsonbRef<'_>, start: usize) -> Option<usize> {
    let start = match at {
        JsonbRef::Array(_) | JsonbRef::Object(_) => align(start),
        _ => return None,
    };
    if at.is_same(&target) {
        return Some(start);
    }
    if !at.encloses(&target) {
        return None;
    }
    let members: Vec<JsonbRef<'_>> = match at {
        JsonbRef::Array(a) => a.iter().collect(),
        JsonbRef::Object(o) => o.iter().map(|(_, v)| v).collect(),
        _ => Vec::new(),
    };
    let mut next = match at {
        JsonbRef::Object(o) => start + 4 + 8 * o.len() + o.iter().map(|(k, _)| k.len()).sum::<usize>(),
        _ => start + 4 + 4 * members.len(),
    };
    for member in members {
        if let Some(found) = offset_of(member, target, next) {
            return Some(found);
        }
        next = end_of(member, next);
    }
    None
}

impl<'a> Exec<'a, '_, '_> {
    pub(crate) fn key_value(&mut self, item: &Item, value: &PathValue<'a>, mut found: Sink<'_, 'a>) -> Found {
        let Some(JsonbRef::Object(object)) = value.json() else {
            return soft(pg_err!(
                SQL_JSON_OBJECT_NOT_FOUND,
                "jsonpath item method .keyvalue() can only be applied to an object"
            ));
        };
        if object.is_empty() {
            return Ok(false);
        }
        if item.next.is_none() && found.is_none() {
            return Ok(true);
        }
        let id = match value {
            PathValue::Made(_, id) => *id * DOCUMENT_STEP,
            _ => {
                let offset = offset_of(self.base, JsonbRef::Object(object), 0).unwrap_or(0);
                offset as i64 + self.base_id * DOCUMENT_STEP
            }
        };
        let mut any = false;
        let mut builder = JsonbBuilder::new();
        for (key, member) in object.iter() {
            builder.begin_object();
            builder.key("key")?;
            builder.string(key)?;
            builder.key("value")?;
            builder.value(member)?;
            builder.key("id")?;
            builder.number(&int(id))?;
            builder.end()?;
            let document = builder.finish().into();
            let made = PathValue::Made(document, self.last_id);
            self.last_id += 1;
            any |= self.next(item, &made, found.as_deref_mut())?;
            if any && found.is_none() {
                return Ok(true);
            }
        }
        Ok(any)
    }
}
