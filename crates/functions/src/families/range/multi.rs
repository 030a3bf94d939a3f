//! Functions and operators of multiranges, alone and with ranges.

use std::sync::Arc;

use common::cancel::CancelToken;
use common::{PgResult, pieces};
use types::range::{self, Side, compare_bounds, compare_multiranges};
use types::{Datum, MultirangeValue, PhysType, Range, RangeBound, RangeValue};

use crate::families::int::sign;
use crate::framework::context::FnContext;
use crate::framework::macros::{builtins, set_functions};
use crate::framework::set::{ScalarRows, SetRows};

type Multi = MultirangeValue;

fn multirange_eq(a: &Multi, b: &Multi) -> bool {
    compare_multiranges(a, b).is_eq()
}
fn multirange_ne(a: &Multi, b: &Multi) -> bool {
    compare_multiranges(a, b).is_ne()
}
fn multirange_lt(a: &Multi, b: &Multi) -> bool {
    compare_multiranges(a, b).is_lt()
}
fn multirange_le(a: &Multi, b: &Multi) -> bool {
    compare_multiranges(a, b).is_le()
}
fn multirange_gt(a: &Multi, b: &Multi) -> bool {
    compare_multiranges(a, b).is_gt()
}
fn multirange_ge(a: &Multi, b: &Multi) -> bool {
    compare_multiranges(a, b).is_ge()
}
fn multirange_cmp(a: &Multi, b: &Multi) -> i32 {
    sign(compare_multiranges(a, b))
}
fn multirange_empty(m: &Multi) -> bool {
    m.ranges.is_empty()
}

/// From the beginning of the first range to the end of the last.
fn whole(m: &Multi) -> Option<Range> {
    let (first, last) = (m.ranges.first()?, m.ranges.last()?);
    Some(Range {
        lower: first.lower.clone(),
        upper: last.upper.clone(),
    })
}
fn lower(m: &Multi) -> Option<&RangeBound> {
    m.ranges.first().map(|r| &r.lower)
}
fn upper(m: &Multi) -> Option<&RangeBound> {
    m.ranges.last().map(|r| &r.upper)
}
fn multirange_lower(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    Ok(match args {
        [Datum::Multirange(m)] => lower(m).map_or(Datum::Null, |b| b.value.clone()),
        _ => Datum::Null,
    })
}
fn multirange_upper(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    Ok(match args {
        [Datum::Multirange(m)] => upper(m).map_or(Datum::Null, |b| b.value.clone()),
        _ => Datum::Null,
    })
}
fn multirange_lower_inc(m: &Multi) -> bool {
    lower(m).is_some_and(|b| b.inclusive)
}
fn multirange_upper_inc(m: &Multi) -> bool {
    upper(m).is_some_and(|b| b.inclusive)
}
fn multirange_lower_inf(m: &Multi) -> bool {
    lower(m).is_some_and(RangeBound::is_infinite)
}
fn multirange_upper_inf(m: &Multi) -> bool {
    upper(m).is_some_and(RangeBound::is_infinite)
}
fn range_merge_from_multirange(m: &Multi) -> RangeValue {
    m.range_value(whole(m))
}

// ---- containment ------------------------------------------------------------------------------------------------

/// One range of the multirange holds all of `r`.
fn holds(m: &Multi, r: &Range) -> bool {
    m.ranges.iter().any(|x| range::contains(m.subtype, x, r))
}
fn holds_value(m: &Datum, value: &Datum) -> Datum {
    let Datum::Multirange(m) = m else {
        return Datum::Null;
    };
    Datum::Bool(
        m.ranges
            .iter()
            .any(|r| range::contains_value(m.subtype, r, value)),
    )
}
fn multirange_contains_elem(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    match args {
        [m, value] => Ok(holds_value(m, value)),
        _ => Ok(Datum::Null),
    }
}
fn elem_contained_by_multirange(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    match args {
        [value, m] => Ok(holds_value(m, value)),
        _ => Ok(Datum::Null),
    }
}
fn multirange_contains_range(m: &Multi, r: &RangeValue) -> bool {
    r.range.as_ref().is_none_or(|r| holds(m, r))
}
fn range_contained_by_multirange(r: &RangeValue, m: &Multi) -> bool {
    multirange_contains_range(m, r)
}
fn range_contains_multirange(r: &RangeValue, m: &Multi) -> bool {
    match (&r.range, whole(m)) {
        (_, None) => true,
        (None, _) => false,
        (Some(r), Some(whole)) => range::contains(m.subtype, r, &whole),
    }
}
fn multirange_contained_by_range(m: &Multi, r: &RangeValue) -> bool {
    range_contains_multirange(r, m)
}
fn multirange_contains_multirange(a: &Multi, b: &Multi) -> bool {
    b.ranges.iter().all(|r| holds(a, r))
}
fn multirange_contained_by_multirange(a: &Multi, b: &Multi) -> bool {
    multirange_contains_multirange(b, a)
}

// ---- position ---------------------------------------------------------------------------------------------------

fn multirange_overlaps_range(m: &Multi, r: &RangeValue) -> bool {
    let overlaps = |r: &Range| m.ranges.iter().any(|x| range::overlaps(m.subtype, x, r));
    r.range.as_ref().is_some_and(overlaps)
}
fn range_overlaps_multirange(r: &RangeValue, m: &Multi) -> bool {
    multirange_overlaps_range(m, r)
}
fn multirange_overlaps_multirange(a: &Multi, b: &Multi) -> bool {
    let meets = |x: &Range| b.ranges.iter().any(|y| range::overlaps(a.subtype, x, y));
    a.ranges.iter().any(meets)
}

/// A relation of two wholes; empty ones have none.
fn relate(a: Option<Range>, b: Option<Range>, relation: impl FnOnce(&Range, &Range) -> bool) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => relation(&a, &b),
        _ => false,
    }
}

/// Three forms of a relation that only the ends decide: range and multirange in both orders, and two multiranges.
macro_rules! by_ends {
    ($($relation:ident: $range_multi:ident, $multi_range:ident, $multi_multi:ident;)*) => {$(
        fn $range_multi(r: &RangeValue, m: &Multi) -> bool {
            relate(r.range.clone(), whole(m), |a, b| $relation(m, a, b))
        }
        fn $multi_range(m: &Multi, r: &RangeValue) -> bool {
            relate(whole(m), r.range.clone(), |a, b| $relation(m, a, b))
        }
        fn $multi_multi(a: &Multi, b: &Multi) -> bool {
            relate(whole(a), whole(b), |x, y| $relation(a, x, y))
        }
    )*};
}

fn before(m: &Multi, a: &Range, b: &Range) -> bool {
    range::is_before(m.subtype, a, b)
}
fn after(m: &Multi, a: &Range, b: &Range) -> bool {
    range::is_before(m.subtype, b, a)
}
fn overleft(m: &Multi, a: &Range, b: &Range) -> bool {
    compare_bounds(m.subtype, &a.upper, Side::Upper, &b.upper, Side::Upper).is_le()
}
fn overright(m: &Multi, a: &Range, b: &Range) -> bool {
    compare_bounds(m.subtype, &a.lower, Side::Lower, &b.lower, Side::Lower).is_ge()
}
fn adjacent(m: &Multi, a: &Range, b: &Range) -> bool {
    range::adjacent(m.range_type, m.subtype, a, b)
}

by_ends! {
    before: range_before_multirange, multirange_before_range, multirange_before_multirange;
    after: range_after_multirange, multirange_after_range, multirange_after_multirange;
    overleft: range_overleft_multirange, multirange_overleft_range, multirange_overleft_multirange;
    overright: range_overright_multirange, multirange_overright_range, multirange_overright_multirange;
    adjacent: range_adjacent_multirange, multirange_adjacent_range, multirange_adjacent_multirange;
}

// ---- algebra ----------------------------------------------------------------------------------------------------

/// A multirange of ranges in any order, of which there may be millions.
fn of(m: &Multi, ranges: Vec<Range>, cancel: &CancelToken) -> PgResult<Multi> {
    Ok(MultirangeValue {
        type_oid: m.type_oid,
        range_type: m.range_type,
        subtype: m.subtype,
        ranges: range::normalize_many(m.range_type, m.subtype, ranges, cancel)?,
    })
}

/// Calls `f` with each range of `a` and those of `b` that overlap it: both are in order, so one walk along each does.
fn for_each_overlap(
    a: &Multi,
    b: &Multi,
    cancel: &CancelToken,
    mut f: impl FnMut(&Range, &[Range]) -> PgResult<()>,
) -> PgResult<()> {
    /// Ranges between two looks at the cancel flag.
    const UNCHECKED: usize = 1 << 13;
    let mut rest = &b.ranges[..];
    for (k, x) in a.ranges.iter().enumerate() {
        if k % UNCHECKED == UNCHECKED - 1 {
            cancel.check()?;
        }
        let passed = rest.iter().take_while(|y| range::is_before(a.subtype, y, x));
        rest = &rest[passed.count()..];
        let met = rest.iter().take_while(|y| !range::is_before(a.subtype, x, y));
        f(x, &rest[..met.count()])?;
    }
    Ok(())
}

fn multirange_union(ctx: &mut FnContext<'_>, a: &Multi, b: &Multi) -> PgResult<Multi> {
    let all = pieces::list(ctx.cancel, a.ranges.iter().chain(&b.ranges).cloned())?;
    of(a, all, ctx.cancel)
}
fn multirange_intersect(ctx: &mut FnContext<'_>, a: &Multi, b: &Multi) -> PgResult<Multi> {
    intersect(a, b, ctx.cancel)
}
pub(super) fn intersect(a: &Multi, b: &Multi, cancel: &CancelToken) -> PgResult<Multi> {
    let mut common = Vec::new();
    for_each_overlap(a, b, cancel, |x, met| {
        common.extend(met.iter().filter_map(|y| range::intersection(a.subtype, x, y)));
        Ok(())
    })?;
    of(a, common, cancel)
}
fn multirange_minus(ctx: &mut FnContext<'_>, a: &Multi, b: &Multi) -> PgResult<Multi> {
    let mut left = Vec::with_capacity(a.ranges.len());
    for_each_overlap(a, b, ctx.cancel, |x, met| {
        // What follows in order can take something of the last piece only.
        let mut last = Some(x.clone());
        for taken in met {
            if let Some(piece) = last.take() {
                let mut pieces = range::difference(a.range_type, a.subtype, &piece, taken)?;
                last = pieces.pop();
                left.append(&mut pieces);
            }
        }
        left.extend(last);
        Ok(())
    })?;
    of(a, left, ctx.cancel)
}

#[rustfmt::skip]
builtins! {
    multirange_eq(a: anymultirange, b: anymultirange) -> bool; multirange_ne(a: anymultirange, b: anymultirange) -> bool;
    multirange_lt(a: anymultirange, b: anymultirange) -> bool; multirange_le(a: anymultirange, b: anymultirange) -> bool;
    multirange_gt(a: anymultirange, b: anymultirange) -> bool; multirange_ge(a: anymultirange, b: anymultirange) -> bool;
    multirange_cmp(a: anymultirange, b: anymultirange) -> int4; multirange_empty(m: anymultirange) -> bool;
    multirange_lower[general strict](anymultirange) -> anyelement; multirange_upper[general strict](anymultirange) -> anyelement;
    multirange_lower_inc(m: anymultirange) -> bool; multirange_upper_inc(m: anymultirange) -> bool;
    multirange_lower_inf(m: anymultirange) -> bool; multirange_upper_inf(m: anymultirange) -> bool;
    range_merge_from_multirange(m: anymultirange) -> anyrange;
    multirange_contains_elem[general strict](anymultirange, anyelement) -> bool;
    elem_contained_by_multirange[general strict](anyelement, anymultirange) -> bool;
    multirange_contains_range(m: anymultirange, r: anyrange) -> bool; range_contained_by_multirange(r: anyrange, m: anymultirange) -> bool;
    range_contains_multirange(r: anyrange, m: anymultirange) -> bool; multirange_contained_by_range(m: anymultirange, r: anyrange) -> bool;
    multirange_contains_multirange(a: anymultirange, b: anymultirange) -> bool;
    multirange_contained_by_multirange(a: anymultirange, b: anymultirange) -> bool;
    multirange_overlaps_range(m: anymultirange, r: anyrange) -> bool; range_overlaps_multirange(r: anyrange, m: anymultirange) -> bool;
    multirange_overlaps_multirange(a: anymultirange, b: anymultirange) -> bool;
    range_before_multirange(r: anyrange, m: anymultirange) -> bool; multirange_before_range(m: anymultirange, r: anyrange) -> bool;
    multirange_before_multirange(a: anymultirange, b: anymultirange) -> bool;
    range_after_multirange(r: anyrange, m: anymultirange) -> bool; multirange_after_range(m: anymultirange, r: anyrange) -> bool;
    multirange_after_multirange(a: anymultirange, b: anymultirange) -> bool;
    range_overleft_multirange(r: anyrange, m: anymultirange) -> bool; multirange_overleft_range(m: anymultirange, r: anyrange) -> bool;
    multirange_overleft_multirange(a: anymultirange, b: anymultirange) -> bool;
    range_overright_multirange(r: anyrange, m: anymultirange) -> bool; multirange_overright_range(m: anymultirange, r: anyrange) -> bool;
    multirange_overright_multirange(a: anymultirange, b: anymultirange) -> bool;
    range_adjacent_multirange(r: anyrange, m: anymultirange) -> bool; multirange_adjacent_range(m: anymultirange, r: anyrange) -> bool;
    multirange_adjacent_multirange(a: anymultirange, b: anymultirange) -> bool;
    multirange_union(ctx, a: anymultirange, b: anymultirange) -> anymultirange;
    multirange_intersect(ctx, a: anymultirange, b: anymultirange) -> anymultirange;
    multirange_minus(ctx, a: anymultirange, b: anymultirange) -> anymultirange;
    multirange_intersect_agg_transfn = multirange_intersect(ctx, a: anymultirange, b: anymultirange) -> anymultirange;
}

fn unnest(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    let m = match args {
        [Datum::Multirange(m)] => Some(Arc::clone(m)),
        _ => None,
    };
    let count = m.as_ref().map_or(0, |m| m.ranges.len());
    let range = move |k: usize| {
        let range = m.as_ref().map(|m| m.range_value(m.ranges.get(k).cloned()));
        Ok(range.map_or(Datum::Null, |range| range.into_datum()))
    };
    Ok(Box::new(ScalarRows {
        phys: PhysType::Nested,
        iter: (0..count).map(range),
    }))
}

set_functions! {
    multirange_unnest(anymultirange) -> anyrange = unnest;
}
