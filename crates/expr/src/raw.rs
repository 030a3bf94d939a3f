//! Subscripts of types of fixed length: coordinates of points, corners of boxes, characters of names.
//!
//! Elements follow each other in the value's bytes, numbered from 0.

use common::{PgResult, internal, pg_err, unsupported};
use types::{Datum, oids};

use crate::program::Subscript;

/// The single index of a subscript; these values have one dimension.
fn index(s: &Subscript, up: &[Option<i32>]) -> PgResult<Option<usize>> {
    if s.is_slice {
        return Err(unsupported!("slices of fixed-length arrays not implemented"));
    }
    Ok(match up {
        [Some(i)] => usize::try_from(*i).ok(),
        _ => None,
    })
}

/// Bytes of one element.
fn width(s: &Subscript) -> usize {
    if s.element_type == oids::POINT { 16 } else { 8 }
}

/// Element number `up`; NULL outside.
pub(crate) fn read(s: &Subscript, container: &Datum, up: &[Option<i32>]) -> PgResult<Datum> {
    let Some(i) = index(s, up)? else {
        return Ok(Datum::Null);
    };
    Ok(match container {
        Datum::Text(name) => match name.as_bytes().get(i) {
            Some(b) => Datum::Char(*b),
            None if i < 64 => Datum::Char(0),
            None => Datum::Null,
        },
        Datum::Bytes(bytes) => {
            let width = width(s);
            match bytes.get(i * width..(i + 1) * width) {
                Some(part) if s.element_type == oids::POINT => Datum::Bytes(part.into()),
                Some(part) => {
                    let bits = part.iter().fold(0u64, |v, b| v << 8 | u64::from(*b));
                    Datum::Float8(f64::from_bits(bits))
                }
                None => Datum::Null,
            }
        }
        _ => Datum::Null,
    })
}

/// The value with element number `up` replaced. As PostgreSQL has it, NULL on either side changes nothing.
pub(crate) fn assign(s: &Subscript, container: Datum, up: &[Option<i32>], new: &Datum) -> PgResult<Datum> {
    let i = index(s, up)?;
    if new.is_null() || container.is_null() {
        return Ok(container);
    }
    let Datum::Bytes(bytes) = &container else {
        return Err(unsupported!("assignment to a character of a name"));
    };
    let width = width(s);
    let mut out = bytes.to_vec();
    let Some(place) = i.and_then(|i| out.get_mut(i * width..(i + 1) * width)) else {
        return Err(pg_err!(ARRAY_SUBSCRIPT_ERROR, "array subscript out of range"));
    };
    match new {
        Datum::Float8(v) => place.copy_from_slice(&v.to_be_bytes()),
        Datum::Bytes(v) if v.len() == width => place.copy_from_slice(v),
        other => return Err(internal!("{other:?} assigned to an element")),
    }
    Ok(Datum::Bytes(out.into()))
}
