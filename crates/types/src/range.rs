//! Ranges and multiranges: their values, their order, and what can be computed from bounds alone.
//!
//! PG: src/backend/utils/adt/rangetypes.c, multirangetypes.c.
//!
//! # Invariants
//! - A finite range is not empty: its lower bound is below its upper bound, or equal with both included.
//! - Ranges of discrete types (`int4range`, `int8range`, `daterange`) are in the form `[lower, upper)`.
//! - An infinite bound is not inclusive.
//! - The ranges of a multirange are not empty, ascending, and neither overlap nor touch.

use std::cmp::Ordering;
use std::sync::Arc;

use common::cancel::{self, CancelToken};
use common::{Oid, PgResult, pg_err, pieces};

use crate::compare::compare;
use crate::{Datum, oids};

/// An end of a range.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeBound {
    /// NULL stands for infinity.
    pub value: Datum,
    /// The value itself belongs to the range.
    pub inclusive: bool,
}

impl RangeBound {
    /// No limit.
    pub fn infinite() -> RangeBound {
        RangeBound {
            value: Datum::Null,
            inclusive: false,
        }
    }

    /// True without a limit.
    pub fn is_infinite(&self) -> bool {
        self.value.is_null()
    }
}

/// What lies between two bounds; never empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    /// Where it begins.
    pub lower: RangeBound,
    /// Where it ends.
    pub upper: RangeBound,
}

/// A value of a range type.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeValue {
    /// The range type.
    pub type_oid: Oid,
    /// Type of the bounds.
    pub subtype: Oid,
    /// `None` for the empty range.
    pub range: Option<Range>,
}

/// A value of a multirange type.
#[derive(Clone, Debug, PartialEq)]
pub struct MultirangeValue {
    /// The multirange type.
    pub type_oid: Oid,
    /// The type of its ranges.
    pub range_type: Oid,
    /// Type of the bounds.
    pub subtype: Oid,
    /// In ascending order.
    pub ranges: Vec<Range>,
}

/// Which end of a range a bound is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Side {
    Lower,
    Upper,
}

/// Range types that every database has: range, subtype, multirange.
pub const BUILTIN: [(Oid, Oid, Oid); 6] = [
    (oids::INT4RANGE, oids::INT4, oids::INT4MULTIRANGE),
    (oids::NUMRANGE, oids::NUMERIC, oids::NUMMULTIRANGE),
    (oids::TSRANGE, oids::TIMESTAMP, oids::TSMULTIRANGE),
    (oids::TSTZRANGE, oids::TIMESTAMPTZ, oids::TSTZMULTIRANGE),
    (oids::DATERANGE, oids::DATE, oids::DATEMULTIRANGE),
    (oids::INT8RANGE, oids::INT8, oids::INT8MULTIRANGE),
];

/// Order of two bounds: an excluded lower bound is a little above its value, an excluded upper bound a little below.
pub fn compare_bounds(subtype: Oid, a: &RangeBound, a_side: Side, b: &RangeBound, b_side: Side) -> Ordering {
    let end = |side| match side {
        Side::Lower => Ordering::Less,
        Side::Upper => Ordering::Greater,
    };
    match (a.is_infinite(), b.is_infinite()) {
        (true, true) if a_side == b_side => return Ordering::Equal,
        (true, _) => return end(a_side),
        (_, true) => return end(b_side).reverse(),
        _ => {}
    }
    // Zero, or a step away from the value.
    let shift = |bound: &RangeBound, side| match (bound.inclusive, side) {
        (true, _) => 0,
        (false, Side::Lower) => 1,
        (false, Side::Upper) => -1,
    };
    compare(subtype, &a.value, &b.value).then_with(|| shift(a, a_side).cmp(&shift(b, b_side)))
}

/// Order of the values of two bounds, whether included or not.
pub fn compare_bound_values(
    subtype: Oid,
    a: &RangeBound,
    a_side: Side,
    b: &RangeBound,
    b_side: Side,
) -> Ordering {
    match (a.is_infinite(), b.is_infinite()) {
        (false, false) => compare(subtype, &a.value, &b.value),
        _ => compare_bounds(subtype, a, a_side, b, b_side),
    }
}

/// Order of ranges: by lower bound, then by upper bound.
pub fn compare_range(subtype: Oid, a: &Range, b: &Range) -> Ordering {
    compare_bounds(subtype, &a.lower, Side::Lower, &b.lower, Side::Lower)
        .then_with(|| compare_bounds(subtype, &a.upper, Side::Upper, &b.upper, Side::Upper))
}

/// The same with the empty range below all others.
pub fn compare_ranges(subtype: Oid, a: Option<&Range>, b: Option<&Range>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => compare_range(subtype, a, b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

/// Order of multiranges: range by range, a longer one above its beginning.
pub fn compare_multiranges(a: &MultirangeValue, b: &MultirangeValue) -> Ordering {
    let pairs = a.ranges.iter().zip(&b.ranges);
    let first = pairs
        .map(|(x, y)| compare_range(a.subtype, x, y))
        .find(|o| o.is_ne());
    first.unwrap_or_else(|| a.ranges.len().cmp(&b.ranges.len()))
}

/// A range from bounds as given: 22000 when they are in the wrong order, `None` when nothing lies between them; canonical for
/// discrete types.
pub fn make_range(
    range_type: Oid,
    subtype: Oid,
    mut lower: RangeBound,
    mut upper: RangeBound,
) -> PgResult<Option<Range>> {
    for bound in [&mut lower, &mut upper] {
        bound.inclusive &= !bound.is_infinite();
    }
    if is_nothing(subtype, &lower, &upper)? {
        return Ok(None);
    }
    if canonicalize(range_type, &mut lower, &mut upper)? && is_nothing(subtype, &lower, &upper)? {
        return Ok(None);
    }
    Ok(Some(Range { lower, upper }))
}

fn is_nothing(subtype: Oid, lower: &RangeBound, upper: &RangeBound) -> PgResult<bool> {
    if lower.is_infinite() || upper.is_infinite() {
        return Ok(false);
    }
    match compare(subtype, &lower.value, &upper.value) {
        Ordering::Less => Ok(false),
        Ordering::Equal => Ok(!(lower.inclusive && upper.inclusive)),
        Ordering::Greater => Err(pg_err!(
            DATA_EXCEPTION,
            "range lower bound must be less than or equal to range upper bound"
        )),
    }
}

/// The form `[lower, upper)` for discrete types. True when anything changed.
fn canonicalize(range_type: Oid, lower: &mut RangeBound, upper: &mut RangeBound) -> PgResult<bool> {
    if !matches!(range_type, oids::INT4RANGE | oids::INT8RANGE | oids::DATERANGE) {
        return Ok(false);
    }
    let mut changed = false;
    if !lower.is_infinite() && !lower.inclusive && is_steppable(range_type, &lower.value) {
        lower.value = successor(range_type, &lower.value)?;
        lower.inclusive = true;
        changed = true;
    }
    if upper.inclusive && is_steppable(range_type, &upper.value) {
        upper.value = successor(range_type, &upper.value)?;
        upper.inclusive = false;
        changed = true;
    }
    Ok(changed)
}

/// Infinite dates have no neighbours.
fn is_steppable(range_type: Oid, value: &Datum) -> bool {
    range_type != oids::DATERANGE || !matches!(value, Datum::Int4(i32::MIN | i32::MAX))
}

/// The day after 5874897-12-31, in days since 2000-01-01: the first date that is none.
const DATE_END: i32 = 2_145_031_949;

fn successor(range_type: Oid, value: &Datum) -> PgResult<Datum> {
    match value {
        Datum::Int4(v) if range_type == oids::DATERANGE => match v + 1 {
            DATE_END.. => Err(pg_err!(DATETIME_FIELD_OVERFLOW, "date out of range")),
            next => Ok(Datum::Int4(next)),
        },
        Datum::Int4(v) => match v.checked_add(1) {
            Some(next) => Ok(Datum::Int4(next)),
            None => Err(pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range")),
        },
        Datum::Int8(v) => match v.checked_add(1) {
            Some(next) => Ok(Datum::Int8(next)),
            None => Err(pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range")),
        },
        other => Err(common::internal!("bound of a discrete range is {other:?}")),
    }
}

// ---- relations between ranges ----------------------------------------------------------------------------------

/// They share a value.
pub fn overlaps(subtype: Oid, a: &Range, b: &Range) -> bool {
    let starts_inside = |x: &Range, y: &Range| {
        compare_bounds(subtype, &x.lower, Side::Lower, &y.lower, Side::Lower).is_ge()
            && compare_bounds(subtype, &x.lower, Side::Lower, &y.upper, Side::Upper).is_le()
    };
    starts_inside(a, b) || starts_inside(b, a)
}

/// Everything of `b` is in `a`.
pub fn contains(subtype: Oid, a: &Range, b: &Range) -> bool {
    compare_bounds(subtype, &a.lower, Side::Lower, &b.lower, Side::Lower).is_le()
        && compare_bounds(subtype, &a.upper, Side::Upper, &b.upper, Side::Upper).is_ge()
}

/// The value is in the range.
pub fn contains_value(subtype: Oid, range: &Range, value: &Datum) -> bool {
    let point = RangeBound {
        value: value.clone(),
        inclusive: true,
    };
    compare_bounds(subtype, &range.lower, Side::Lower, &point, Side::Lower).is_le()
        && compare_bounds(subtype, &range.upper, Side::Upper, &point, Side::Upper).is_ge()
}

/// `a` ends before `b` begins.
pub fn is_before(subtype: Oid, a: &Range, b: &Range) -> bool {
    compare_bounds(subtype, &a.upper, Side::Upper, &b.lower, Side::Lower).is_lt()
}

/// An upper bound and a lower bound with nothing in between and nothing in common.
pub fn bounds_touch(range_type: Oid, subtype: Oid, upper: &RangeBound, lower: &RangeBound) -> bool {
    if upper.is_infinite() || lower.is_infinite() {
        return false;
    }
    match compare(subtype, &upper.value, &lower.value) {
        Ordering::Equal => upper.inclusive != lower.inclusive,
        // Discrete values: [1,2] and [3,4] have nothing in between, but both are canonical already.
        Ordering::Less => {
            let (from, to) = (
                RangeBound {
                    value: upper.value.clone(),
                    inclusive: !upper.inclusive,
                },
                RangeBound {
                    value: lower.value.clone(),
                    inclusive: !lower.inclusive,
                },
            );
            matches!(make_range(range_type, subtype, from, to), Ok(None))
        }
        Ordering::Greater => false,
    }
}

/// Neither overlap nor gap.
pub fn adjacent(range_type: Oid, subtype: Oid, a: &Range, b: &Range) -> bool {
    bounds_touch(range_type, subtype, &a.upper, &b.lower)
        || bounds_touch(range_type, subtype, &b.upper, &a.lower)
}

fn lesser<'r>(subtype: Oid, side: Side, a: &'r RangeBound, b: &'r RangeBound) -> &'r RangeBound {
    if compare_bounds(subtype, a, side, b, side).is_le() {
        a
    } else {
        b
    }
}

fn greater<'r>(subtype: Oid, side: Side, a: &'r RangeBound, b: &'r RangeBound) -> &'r RangeBound {
    if compare_bounds(subtype, a, side, b, side).is_ge() {
        a
    } else {
        b
    }
}

/// The smallest range that holds both.
pub fn span(subtype: Oid, a: &Range, b: &Range) -> Range {
    Range {
        lower: lesser(subtype, Side::Lower, &a.lower, &b.lower).clone(),
        upper: greater(subtype, Side::Upper, &a.upper, &b.upper).clone(),
    }
}

/// What both have.
pub fn intersection(subtype: Oid, a: &Range, b: &Range) -> Option<Range> {
    overlaps(subtype, a, b).then(|| Range {
        lower: greater(subtype, Side::Lower, &a.lower, &b.lower).clone(),
        upper: lesser(subtype, Side::Upper, &a.upper, &b.upper).clone(),
    })
}

/// What `a` has and `b` has not: up to two pieces.
pub fn difference(range_type: Oid, subtype: Oid, a: &Range, b: &Range) -> PgResult<Vec<Range>> {
    if !overlaps(subtype, a, b) {
        return Ok(vec![a.clone()]);
    }
    let flipped = |bound: &RangeBound| RangeBound {
        value: bound.value.clone(),
        inclusive: !bound.inclusive,
    };
    let mut pieces = Vec::new();
    if compare_bounds(subtype, &a.lower, Side::Lower, &b.lower, Side::Lower).is_lt() {
        pieces.extend(make_range(
            range_type,
            subtype,
            a.lower.clone(),
            flipped(&b.lower),
        )?);
    }
    if compare_bounds(subtype, &a.upper, Side::Upper, &b.upper, Side::Upper).is_gt() {
        pieces.extend(make_range(
            range_type,
            subtype,
            flipped(&b.upper),
            a.upper.clone(),
        )?);
    }
    Ok(pieces)
}

/// Ranges in any order as those of a multirange: sorted, merged where they meet.
pub fn normalize(range_type: Oid, subtype: Oid, mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_by(|a, b| compare_range(subtype, a, b));
    let mut out: Vec<Range> = Vec::with_capacity(ranges.len());
    ranges
        .iter()
        .for_each(|range| add(range_type, subtype, range, &mut out));
    out
}

/// Adds a range that begins behind those before it.
fn add(range_type: Oid, subtype: Oid, range: &Range, out: &mut Vec<Range>) {
    match out.last_mut() {
        Some(last)
            if overlaps(subtype, last, range)
                || bounds_touch(range_type, subtype, &last.upper, &range.lower) =>
        {
            *last = span(subtype, last, range);
        }
        _ => out.push(range.clone()),
    }
}

/// Ranges merged between two looks at the cancel flag.
const MERGED: usize = 1 << 13;

/// The same of ranges that may be millions.
pub fn normalize_many(
    range_type: Oid,
    subtype: Oid,
    ranges: Vec<Range>,
    cancel: &CancelToken,
) -> PgResult<Vec<Range>> {
    if ranges.len() <= MERGED {
        return Ok(normalize(range_type, subtype, ranges));
    }
    let merged = sorted(subtype, &ranges, cancel).and_then(|sorted| {
        let mut out: Vec<Range> = Vec::with_capacity(ranges.len());
        for some in sorted.chunks(MERGED) {
            cancel.check()?;
            some.iter()
                .for_each(|range| add(range_type, subtype, range, &mut out));
        }
        Ok(out)
    });
    cancel::discard_list(ranges);
    merged
}

fn sorted<'r>(subtype: Oid, ranges: &'r [Range], cancel: &CancelToken) -> PgResult<Vec<&'r Range>> {
    let mut sorted: Vec<&Range> = ranges.iter().collect();
    pieces::sort_by(cancel, &mut sorted, |a, b| compare_range(subtype, a, b))?;
    Ok(sorted)
}

impl RangeValue {
    /// As a datum.
    pub fn into_datum(self) -> Datum {
        Datum::Range(Arc::new(self))
    }

    /// A range of the same type.
    pub fn with(&self, range: Option<Range>) -> RangeValue {
        RangeValue {
            type_oid: self.type_oid,
            subtype: self.subtype,
            range,
        }
    }
}

impl MultirangeValue {
    /// As a datum.
    pub fn into_datum(self) -> Datum {
        Datum::Multirange(Arc::new(self))
    }

    /// A multirange of the same type from ranges in any order.
    pub fn with(&self, ranges: Vec<Range>) -> MultirangeValue {
        MultirangeValue {
            type_oid: self.type_oid,
            range_type: self.range_type,
            subtype: self.subtype,
            ranges: normalize(self.range_type, self.subtype, ranges),
        }
    }

    /// One of its ranges as a value.
    pub fn range_value(&self, range: Option<Range>) -> RangeValue {
        RangeValue {
            type_oid: self.range_type,
            subtype: self.subtype,
            range,
        }
    }
}
