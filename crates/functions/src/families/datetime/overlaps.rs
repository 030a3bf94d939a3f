//! The `OVERLAPS` predicate.

use std::cmp::Ordering;

use common::PgResult;
use types::datetime::TimeTz;
use types::{Datum, Interval};

use crate::families::datetime::arith::{add_in_zone, timestamp_pl_interval};
use crate::families::datetime::compare::cmp_timetz;
use crate::families::datetime::time::time_pl_interval;
use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

/// Puts the known, earlier end first; `None` when both are unknown.
fn ends<T: Copy>(a: Option<T>, b: Option<T>, cmp: impl Fn(&T, &T) -> Ordering) -> Option<(T, Option<T>)> {
    match (a, b) {
        (Some(a), Some(b)) if cmp(&a, &b).is_gt() => Some((b, Some(a))),
        (Some(a), b) => Some((a, b)),
        (None, Some(b)) => Some((b, None)),
        (None, None) => None,
    }
}

/// Three-valued overlap of two periods, each given by two ends in any order.
fn overlap<T: Copy>(points: [Option<T>; 4], cmp: impl Fn(&T, &T) -> Ordering) -> Option<bool> {
    let [a, b, c, d] = points;
    let (start1, end1) = ends(a, b, &cmp)?;
    let (start2, end2) = ends(c, d, &cmp)?;
    let (later, end_earlier, end_later) = match cmp(&start1, &start2) {
        Ordering::Greater => (start1, end2, end1),
        Ordering::Less => (start2, end1, end2),
        Ordering::Equal => return (end1.is_some() && end2.is_some()).then_some(true),
    };
    if cmp(&later, &end_earlier?).is_lt() {
        return Some(true);
    }
    end_later.map(|_| false)
}

fn ints(args: &[Datum]) -> [Option<i64>; 4] {
    std::array::from_fn(|k| args.get(k).and_then(Datum::as_i64))
}

fn answer(overlaps: Option<bool>) -> PgResult<Datum> {
    Ok(overlaps.map_or(Datum::Null, Datum::Bool))
}

fn overlaps_int8(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    answer(overlap(ints(args), i64::cmp))
}

fn overlaps_timetz(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let points = std::array::from_fn(|k| args.get(k).and_then(Datum::as_bytes).map(TimeTz::from_bytes));
    answer(overlap(points, |a, b| cmp_timetz(*a, *b)))
}

/// Replaces interval ends (second and fourth arguments) by start plus interval.
fn resolve(args: &[Datum], add: impl Fn(i64, Interval) -> PgResult<i64>) -> PgResult<Datum> {
    let mut points = ints(args);
    for k in [1, 3] {
        if let Some(Datum::Interval(v)) = args.get(k) {
            points[k] = match points[k - 1] {
                Some(start) => Some(add(start, *v)?),
                None => None,
            };
        }
    }
    answer(overlap(points, i64::cmp))
}

fn overlaps_with_interval(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    resolve(args, timestamp_pl_interval)
}

fn overlaps_with_interval_tz(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    resolve(args, |ts, v| add_in_zone(&ctx.settings.time_zone, ts, v))
}

fn overlaps_with_interval_time(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    resolve(args, time_pl_interval)
}

builtins! {
    overlaps_timestamp = overlaps_int8[general](timestamp, timestamp, timestamp, timestamp) -> bool;
    overlaps_time = overlaps_int8[general](time, time, time, time) -> bool;
    overlaps_timetz[general](timetz, timetz, timetz, timetz) -> bool;
    overlaps = overlaps_with_interval[general](timestamp, interval, timestamp, interval) -> bool;
    overlaps = overlaps_with_interval[general](timestamp, timestamp, timestamp, interval) -> bool;
    overlaps = overlaps_with_interval[general](timestamp, interval, timestamp, timestamp) -> bool;
    overlaps = overlaps_with_interval_tz[general](timestamptz, interval, timestamptz, interval) -> bool;
    overlaps = overlaps_with_interval_tz[general](timestamptz, timestamptz, timestamptz, interval) -> bool;
    overlaps = overlaps_with_interval_tz[general](timestamptz, interval, timestamptz, timestamptz) -> bool;
    overlaps = overlaps_with_interval_time[general](time, interval, time, interval) -> bool;
    overlaps = overlaps_with_interval_time[general](time, time, time, interval) -> bool;
    overlaps = overlaps_with_interval_time[general](time, interval, time, time) -> bool;
}
