//! Functions and operators of ranges.

use common::{PgError, PgResult, pg_err};
use types::range::{self, Side, compare_bounds, compare_ranges};
use types::{Datum, Range, RangeBound, RangeValue};

use crate::families::int::sign;
use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

fn order(a: &RangeValue, b: &RangeValue) -> std::cmp::Ordering {
    compare_ranges(a.subtype, a.range.as_ref(), b.range.as_ref())
}
fn range_eq(a: &RangeValue, b: &RangeValue) -> bool {
    order(a, b).is_eq()
}
fn range_ne(a: &RangeValue, b: &RangeValue) -> bool {
    order(a, b).is_ne()
}
fn range_lt(a: &RangeValue, b: &RangeValue) -> bool {
    order(a, b).is_lt()
}
fn range_le(a: &RangeValue, b: &RangeValue) -> bool {
    order(a, b).is_le()
}
fn range_gt(a: &RangeValue, b: &RangeValue) -> bool {
    order(a, b).is_gt()
}
fn range_ge(a: &RangeValue, b: &RangeValue) -> bool {
    order(a, b).is_ge()
}
fn range_cmp(a: &RangeValue, b: &RangeValue) -> i32 {
    sign(order(a, b))
}

fn range_empty(r: &RangeValue) -> bool {
    r.range.is_none()
}

/// A bound of a range that is not empty.
fn bound(value: &RangeValue, side: Side) -> Option<&RangeBound> {
    value.range.as_ref().map(|r| match side {
        Side::Lower => &r.lower,
        Side::Upper => &r.upper,
    })
}
fn bound_value(args: &[Datum], side: Side) -> Datum {
    match args {
        [Datum::Range(r)] => bound(r, side).map_or(Datum::Null, |b| b.value.clone()),
        _ => Datum::Null,
    }
}
fn range_lower(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    Ok(bound_value(args, Side::Lower))
}
fn range_upper(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    Ok(bound_value(args, Side::Upper))
}
fn range_lower_inc(r: &RangeValue) -> bool {
    bound(r, Side::Lower).is_some_and(|b| b.inclusive)
}
fn range_upper_inc(r: &RangeValue) -> bool {
    bound(r, Side::Upper).is_some_and(|b| b.inclusive)
}
fn range_lower_inf(r: &RangeValue) -> bool {
    bound(r, Side::Lower).is_some_and(RangeBound::is_infinite)
}
fn range_upper_inf(r: &RangeValue) -> bool {
    bound(r, Side::Upper).is_some_and(RangeBound::is_infinite)
}

/// A relation that no empty range has.
fn both(a: &RangeValue, b: &RangeValue, relation: impl FnOnce(&Range, &Range) -> bool) -> bool {
    match (&a.range, &b.range) {
        (Some(x), Some(y)) => relation(x, y),
        _ => false,
    }
}

fn range_contains(a: &RangeValue, b: &RangeValue) -> bool {
    match (&a.range, &b.range) {
        (_, None) => true,
        (None, _) => false,
        (Some(x), Some(y)) => range::contains(a.subtype, x, y),
    }
}
fn range_contained_by(a: &RangeValue, b: &RangeValue) -> bool {
    range_contains(b, a)
}
fn range_overlaps(a: &RangeValue, b: &RangeValue) -> bool {
    both(a, b, |x, y| range::overlaps(a.subtype, x, y))
}
fn range_before(a: &RangeValue, b: &RangeValue) -> bool {
    both(a, b, |x, y| range::is_before(a.subtype, x, y))
}
fn range_after(a: &RangeValue, b: &RangeValue) -> bool {
    range_before(b, a)
}
fn range_overleft(a: &RangeValue, b: &RangeValue) -> bool {
    both(a, b, |x, y| {
        compare_bounds(a.subtype, &x.upper, Side::Upper, &y.upper, Side::Upper).is_le()
    })
}
fn range_overright(a: &RangeValue, b: &RangeValue) -> bool {
    both(a, b, |x, y| {
        compare_bounds(a.subtype, &x.lower, Side::Lower, &y.lower, Side::Lower).is_ge()
    })
}
fn range_adjacent(a: &RangeValue, b: &RangeValue) -> bool {
    both(a, b, |x, y| range::adjacent(a.type_oid, a.subtype, x, y))
}

fn contains_element(r: &Datum, value: &Datum) -> Datum {
    let Datum::Range(r) = r else { return Datum::Null };
    let inside = r
        .range
        .as_ref()
        .is_some_and(|x| range::contains_value(r.subtype, x, value));
    Datum::Bool(inside)
}
fn range_contains_elem(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    match args {
        [r, value] => Ok(contains_element(r, value)),
        _ => Ok(Datum::Null),
    }
}
fn elem_contained_by_range(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    match args {
        [value, r] => Ok(contains_element(r, value)),
        _ => Ok(Datum::Null),
    }
}

#[cold]
fn not_contiguous(what: &str) -> Box<PgError> {
    pg_err!(DATA_EXCEPTION, "result of range {what} would not be contiguous")
}

fn range_union(a: &RangeValue, b: &RangeValue) -> PgResult<RangeValue> {
    if let (Some(x), Some(y)) = (&a.range, &b.range)
        && !range::overlaps(a.subtype, x, y)
        && !range::adjacent(a.type_oid, a.subtype, x, y)
    {
        return Err(not_contiguous("union"));
    }
    Ok(range_merge(a, b))
}
fn range_merge(a: &RangeValue, b: &RangeValue) -> RangeValue {
    let merged = match (&a.range, &b.range) {
        (Some(x), Some(y)) => Some(range::span(a.subtype, x, y)),
        (x, y) => x.as_ref().or(y.as_ref()).cloned(),
    };
    a.with(merged)
}
fn range_intersect(a: &RangeValue, b: &RangeValue) -> RangeValue {
    let common = match (&a.range, &b.range) {
        (Some(x), Some(y)) => range::intersection(a.subtype, x, y),
        _ => None,
    };
    a.with(common)
}
fn range_minus(a: &RangeValue, b: &RangeValue) -> PgResult<RangeValue> {
    let (Some(x), Some(y)) = (&a.range, &b.range) else {
        return Ok(a.clone());
    };
    let mut pieces = range::difference(a.type_oid, a.subtype, x, y)?;
    if pieces.len() > 1 {
        return Err(not_contiguous("difference"));
    }
    Ok(a.with(pieces.pop()))
}

#[rustfmt::skip]
builtins! {
    range_eq(a: anyrange, b: anyrange) -> bool; range_ne(a: anyrange, b: anyrange) -> bool;
    range_lt(a: anyrange, b: anyrange) -> bool; range_le(a: anyrange, b: anyrange) -> bool;
    range_gt(a: anyrange, b: anyrange) -> bool; range_ge(a: anyrange, b: anyrange) -> bool;
    range_cmp(a: anyrange, b: anyrange) -> int4; range_empty(r: anyrange) -> bool;
    range_lower[general strict](anyrange) -> anyelement; range_upper[general strict](anyrange) -> anyelement;
    range_lower_inc(r: anyrange) -> bool; range_upper_inc(r: anyrange) -> bool;
    range_lower_inf(r: anyrange) -> bool; range_upper_inf(r: anyrange) -> bool;
    range_contains(a: anyrange, b: anyrange) -> bool; range_contained_by(a: anyrange, b: anyrange) -> bool;
    range_overlaps(a: anyrange, b: anyrange) -> bool; range_before(a: anyrange, b: anyrange) -> bool;
    range_after(a: anyrange, b: anyrange) -> bool; range_overleft(a: anyrange, b: anyrange) -> bool;
    range_overright(a: anyrange, b: anyrange) -> bool; range_adjacent(a: anyrange, b: anyrange) -> bool;
    range_contains_elem[general strict](anyrange, anyelement) -> bool; elem_contained_by_range[general strict](anyelement, anyrange) -> bool;
    range_union(a: anyrange, b: anyrange) -> anyrange; range_merge(a: anyrange, b: anyrange) -> anyrange;
    range_intersect(a: anyrange, b: anyrange) -> anyrange; range_minus(a: anyrange, b: anyrange) -> anyrange;
    range_intersect_agg_transfn = range_intersect(a: anyrange, b: anyrange) -> anyrange;
}
