//! Assignment to array elements and slices.
//!
//! PG: src/backend/utils/adt/arrayfuncs.c (`array_set_element`, `array_set_slice`).
//!
//! # Invariants
//! - One-dimensional arrays grow to take in what is assigned, with NULLs between; others keep their bounds.
//! - A slice takes the elements of the new value in order, whatever its shape.

use std::sync::Arc;

use common::error::ErrorExt;
use common::{PgError, PgResult, internal, pg_err};
use types::io_array::{ELEMENTS_MAX, element_count};
use types::{ArrayDim, ArrayValue, Datum};

use crate::arrays::offset;
use crate::program::Subscript;

/// Indexes as evaluated; `None` where a bound was left out.
pub(crate) type Bounds<'a> = &'a [Option<i32>];

#[cold]
fn too_many_elements() -> Box<PgError> {
    pg_err!(
        PROGRAM_LIMIT_EXCEEDED,
        "array size exceeds the maximum allowed ({ELEMENTS_MAX})"
    )
}

#[cold]
fn wrong_number() -> Box<PgError> {
    pg_err!(ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts")
}

#[cold]
fn out_of_range() -> Box<PgError> {
    pg_err!(ARRAY_SUBSCRIPT_ERROR, "array subscript out of range")
}

/// The bounds must leave room for the index after the last.
fn check_bounds(dims: &[ArrayDim]) -> PgResult<()> {
    match dims.iter().find(|d| d.lower.checked_add(d.len).is_none()) {
        None => Ok(()),
        Some(d) => Err(pg_err!(
            PROGRAM_LIMIT_EXCEEDED,
            "array lower bound is too large: {}",
            d.lower
        )),
    }
}

/// The array with an element or slice replaced.
pub(crate) fn assign(
    s: &Subscript,
    container: &Datum,
    up: Bounds<'_>,
    low: Bounds<'_>,
    new: Datum,
) -> PgResult<Datum> {
    let array = match container {
        Datum::Array(a) => (**a).clone(),
        _ => ArrayValue::from_elements(s.element_type, Vec::new()),
    };
    let made = if s.is_slice {
        assign_slice(array, up, low, new)?
    } else {
        assign_element(array, up, new)?
    };
    Ok(Datum::Array(Arc::new(made)))
}

fn assign_element(mut array: ArrayValue, up: Bounds<'_>, new: Datum) -> PgResult<ArrayValue> {
    let indexes: Vec<i32> = up.iter().flatten().copied().collect();
    if array.dims.is_empty() {
        array.dims = indexes.iter().map(|&i| ArrayDim { len: 1, lower: i }).collect();
        check_bounds(&array.dims)?;
        array.elements = vec![new];
        return Ok(array);
    }
    if array.dims.len() != indexes.len() {
        return Err(wrong_number());
    }
    if let [index] = indexes[..] {
        grow(&mut array, index, index)?;
    }
    let at = offset(&array.dims, &indexes).ok_or_else(out_of_range)?;
    array.elements[at] = new;
    Ok(array)
}

/// Extends a one-dimensional array with NULLs so that it covers `from..=to`.
fn grow(array: &mut ArrayValue, from: i32, to: i32) -> PgResult<()> {
    let Some(d) = array.dims.first().copied() else {
        return Err(internal!("an array without dimensions cannot grow"));
    };
    let end = i64::from(d.lower) + i64::from(d.len);
    let first = i64::from(from.min(d.lower));
    let last = i64::from(to).max(end - 1);
    if last - first + 1 > ELEMENTS_MAX {
        return Err(too_many_elements());
    }
    let grown = ArrayDim {
        len: (last - first + 1) as i32,
        lower: first as i32,
    };
    check_bounds(&[grown])?;
    let before = (i64::from(d.lower) - first) as usize;
    array
        .elements
        .splice(0..0, std::iter::repeat_n(Datum::Null, before));
    array.elements.resize(grown.len as usize, Datum::Null);
    array.dims[0] = grown;
    Ok(())
}

fn assign_slice(mut array: ArrayValue, up: Bounds<'_>, low: Bounds<'_>, new: Datum) -> PgResult<ArrayValue> {
    let source = match new {
        Datum::Null => return Ok(array),
        Datum::Array(a) => a,
        other => return Err(internal!("array expected, got {other:?}")),
    };
    if array.dims.is_empty() {
        return slice_of_nothing(array, up, low, &source);
    }
    if array.dims.len() < up.len() {
        return Err(wrong_number());
    }
    let ranges = slice_ranges(&array, up, low)?;
    if let [(from, to)] = ranges[..] {
        grow(&mut array, from, to)?;
    }
    let mut count = 1i64;
    for (from, to) in &ranges {
        count = count.saturating_mul(i64::from(*to) - i64::from(*from) + 1);
    }
    if count > source.elements.len() as i64 {
        return Err(pg_err!(ARRAY_SUBSCRIPT_ERROR, "source array too small"));
    }
    let mut index: Vec<i32> = ranges.iter().map(|(from, _)| *from).collect();
    for value in source.elements.iter().take(count as usize) {
        let at = offset(&array.dims, &index).ok_or_else(out_of_range)?;
        array.elements[at] = value.clone();
        for (i, (from, to)) in index.iter_mut().zip(&ranges).rev() {
            if *i < *to {
                *i += 1;
                break;
            }
            *i = *from;
        }
    }
    Ok(array)
}

/// A slice of an empty array becomes the array.
fn slice_of_nothing(
    mut array: ArrayValue,
    up: Bounds<'_>,
    low: Bounds<'_>,
    source: &ArrayValue,
) -> PgResult<ArrayValue> {
    for (upper, lower) in up.iter().zip(low) {
        let (Some(upper), Some(lower)) = (upper, lower) else {
            return Err(pg_err!(
                ARRAY_SUBSCRIPT_ERROR,
                "array slice subscript must provide both boundaries"
            )
            .detail(
                "When assigning to a slice of an empty array value, slice boundaries must be fully specified.",
            ));
        };
        let len = upper.checked_sub(*lower).and_then(|n| n.checked_add(1));
        array.dims.push(ArrayDim {
            len: len.ok_or_else(too_many_elements)?,
            lower: *lower,
        });
    }
    if array.dims.iter().any(|d| d.len < 0) {
        return Err(too_many_elements());
    }
    let count = element_count(&array.dims)?;
    check_bounds(&array.dims)?;
    let Some(elements) = source.elements.get(..count) else {
        return Err(pg_err!(ARRAY_SUBSCRIPT_ERROR, "source array too small"));
    };
    array.elements = elements.to_vec();
    if count == 0 {
        array.dims.clear();
    }
    Ok(array)
}

/// First and last index of a slice in each dimension; those not mentioned are whole.
fn slice_ranges(array: &ArrayValue, up: Bounds<'_>, low: Bounds<'_>) -> PgResult<Vec<(i32, i32)>> {
    let grows = array.dims.len() == 1;
    let mut ranges = Vec::with_capacity(array.dims.len());
    for (k, d) in array.dims.iter().enumerate() {
        let last = d.lower.wrapping_add(d.len).wrapping_sub(1);
        let from = low.get(k).copied().flatten().unwrap_or(d.lower);
        let to = up.get(k).copied().flatten().unwrap_or(last);
        if from > to {
            return Err(pg_err!(
                ARRAY_SUBSCRIPT_ERROR,
                "upper bound cannot be less than lower bound"
            ));
        }
        if !grows && (from < d.lower || to > last) {
            return Err(out_of_range());
        }
        ranges.push((from, to));
    }
    Ok(ranges)
}
