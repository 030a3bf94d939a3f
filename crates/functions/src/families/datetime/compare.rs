//! Comparison of dates, times, timestamps and intervals, within a type and across them.

use std::cmp::Ordering;

use types::Interval;
use types::datetime::{
    DATE_INFINITY, DATE_NEG_INFINITY, TIMESTAMP_INFINITY, TIMESTAMP_NEG_INFINITY, TimeTz, USECS_PER_DAY,
    USECS_PER_SEC, timestamp_in_range, timestamp_is_finite, zone,
};

use crate::framework::context::FnContext;
use crate::framework::macros::{builtins, direct};

/// A timestamp that may lie outside the range: a date far ahead converts to one that no timestamp reaches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Point {
    NegInfinity,
    Below,
    At(i64),
    Above,
    Infinity,
}

fn point_of_timestamp(ts: i64) -> Point {
    match ts {
        TIMESTAMP_NEG_INFINITY => Point::NegInfinity,
        TIMESTAMP_INFINITY => Point::Infinity,
        _ => Point::At(ts),
    }
}

fn point_of_date(date: i32) -> Point {
    match date {
        DATE_NEG_INFINITY => Point::NegInfinity,
        DATE_INFINITY => Point::Infinity,
        _ => match i64::from(date).checked_mul(USECS_PER_DAY) {
            Some(ts) if timestamp_in_range(ts) => Point::At(ts),
            _ => Point::Above,
        },
    }
}

/// The UTC point of a local one.
fn to_utc(ctx: &FnContext<'_>, local: Point) -> Point {
    let Point::At(ts) = local else { return local };
    let west = zone::west_of_local(&ctx.settings.time_zone, ts);
    let utc = ts + i64::from(west) * USECS_PER_SEC;
    match utc {
        _ if timestamp_in_range(utc) => Point::At(utc),
        _ if west < 0 => Point::Below,
        _ => Point::Above,
    }
}

fn cmp_date_timestamp(date: i32, ts: i64) -> Ordering {
    point_of_date(date).cmp(&point_of_timestamp(ts))
}

fn cmp_date_timestamptz(ctx: &FnContext<'_>, date: i32, ts: i64) -> Ordering {
    to_utc(ctx, point_of_date(date)).cmp(&point_of_timestamp(ts))
}

fn cmp_timestamp_timestamptz(ctx: &FnContext<'_>, local: i64, ts: i64) -> Ordering {
    to_utc(ctx, point_of_timestamp(local)).cmp(&point_of_timestamp(ts))
}

/// Order of two `timetz`: by moment, then by zone.
pub(crate) fn cmp_timetz(a: TimeTz, b: TimeTz) -> Ordering {
    (a.utc_micros(), a.zone_west).cmp(&(b.utc_micros(), b.zone_west))
}

fn cmp_timetz_bytes(a: &[u8], b: &[u8]) -> Ordering {
    cmp_timetz(TimeTz::from_bytes(a), TimeTz::from_bytes(b))
}

/// Order of two intervals: by span.
pub(crate) fn cmp_interval(a: Interval, b: Interval) -> Ordering {
    a.span().cmp(&b.span())
}

fn cmp_i32(a: i32, b: i32) -> Ordering {
    a.cmp(&b)
}

fn cmp_i64(a: i64, b: i64) -> Ordering {
    a.cmp(&b)
}

macro_rules! comparisons {
    ($cmp:ident($a:ty, $b:ty): $eq:ident $ne:ident $lt:ident $le:ident $gt:ident $ge:ident $order:ident) => {
        fn $eq(a: $a, b: $b) -> bool {
            $cmp(a, b).is_eq()
        }
        fn $ne(a: $a, b: $b) -> bool {
            $cmp(a, b).is_ne()
        }
        fn $lt(a: $a, b: $b) -> bool {
            $cmp(a, b).is_lt()
        }
        fn $le(a: $a, b: $b) -> bool {
            $cmp(a, b).is_le()
        }
        fn $gt(a: $a, b: $b) -> bool {
            $cmp(a, b).is_gt()
        }
        fn $ge(a: $a, b: $b) -> bool {
            $cmp(a, b).is_ge()
        }
        fn $order(a: $a, b: $b) -> i32 {
            $cmp(a, b) as i32
        }
    };
    (swapped $cmp:ident($a:ty, $b:ty): $eq:ident $ne:ident $lt:ident $le:ident $gt:ident $ge:ident $order:ident) => {
        fn $eq(a: $a, b: $b) -> bool {
            $cmp(b, a).is_eq()
        }
        fn $ne(a: $a, b: $b) -> bool {
            $cmp(b, a).is_ne()
        }
        fn $lt(a: $a, b: $b) -> bool {
            $cmp(b, a).is_gt()
        }
        fn $le(a: $a, b: $b) -> bool {
            $cmp(b, a).is_ge()
        }
        fn $gt(a: $a, b: $b) -> bool {
            $cmp(b, a).is_lt()
        }
        fn $ge(a: $a, b: $b) -> bool {
            $cmp(b, a).is_le()
        }
        fn $order(a: $a, b: $b) -> i32 {
            $cmp(b, a).reverse() as i32
        }
    };
    (ctx $cmp:ident($a:ty, $b:ty): $eq:ident $ne:ident $lt:ident $le:ident $gt:ident $ge:ident $order:ident) => {
        fn $eq(ctx: &mut FnContext<'_>, a: $a, b: $b) -> bool {
            $cmp(ctx, a, b).is_eq()
        }
        fn $ne(ctx: &mut FnContext<'_>, a: $a, b: $b) -> bool {
            $cmp(ctx, a, b).is_ne()
        }
        fn $lt(ctx: &mut FnContext<'_>, a: $a, b: $b) -> bool {
            $cmp(ctx, a, b).is_lt()
        }
        fn $le(ctx: &mut FnContext<'_>, a: $a, b: $b) -> bool {
            $cmp(ctx, a, b).is_le()
        }
        fn $gt(ctx: &mut FnContext<'_>, a: $a, b: $b) -> bool {
            $cmp(ctx, a, b).is_gt()
        }
        fn $ge(ctx: &mut FnContext<'_>, a: $a, b: $b) -> bool {
            $cmp(ctx, a, b).is_ge()
        }
        fn $order(ctx: &mut FnContext<'_>, a: $a, b: $b) -> i32 {
            $cmp(ctx, a, b) as i32
        }
    };
    (ctx swapped $cmp:ident($a:ty, $b:ty): $eq:ident $ne:ident $lt:ident $le:ident $gt:ident $ge:ident $order:ident) => {
        fn $eq(ctx: &mut FnContext<'_>, a: $a, b: $b) -> bool {
            $cmp(ctx, b, a).is_eq()
        }
        fn $ne(ctx: &mut FnContext<'_>, a: $a, b: $b) -> bool {
            $cmp(ctx, b, a).is_ne()
        }
        fn $lt(ctx: &mut FnContext<'_>, a: $a, b: $b) -> bool {
            $cmp(ctx, b, a).is_gt()
        }
        fn $le(ctx: &mut FnContext<'_>, a: $a, b: $b) -> bool {
            $cmp(ctx, b, a).is_ge()
        }
        fn $gt(ctx: &mut FnContext<'_>, a: $a, b: $b) -> bool {
            $cmp(ctx, b, a).is_lt()
        }
        fn $ge(ctx: &mut FnContext<'_>, a: $a, b: $b) -> bool {
            $cmp(ctx, b, a).is_le()
        }
        fn $order(ctx: &mut FnContext<'_>, a: $a, b: $b) -> i32 {
            $cmp(ctx, b, a).reverse() as i32
        }
    };
}

comparisons!(cmp_i32(i32, i32): date_eq date_ne date_lt date_le date_gt date_ge date_cmp);
comparisons!(cmp_i64(i64, i64): time_eq time_ne time_lt time_le time_gt time_ge time_cmp);
comparisons!(cmp_i64(i64, i64): timestamp_eq timestamp_ne timestamp_lt timestamp_le timestamp_gt timestamp_ge timestamp_cmp);
comparisons!(cmp_timetz_bytes(&[u8], &[u8]): timetz_eq timetz_ne timetz_lt timetz_le timetz_gt timetz_ge timetz_cmp);
comparisons!(cmp_interval(Interval, Interval): interval_eq interval_ne interval_lt interval_le interval_gt interval_ge interval_cmp);
comparisons!(cmp_date_timestamp(i32, i64): date_eq_timestamp date_ne_timestamp date_lt_timestamp date_le_timestamp date_gt_timestamp date_ge_timestamp date_cmp_timestamp);
comparisons!(swapped cmp_date_timestamp(i64, i32): timestamp_eq_date timestamp_ne_date timestamp_lt_date timestamp_le_date timestamp_gt_date timestamp_ge_date timestamp_cmp_date);
comparisons!(ctx cmp_date_timestamptz(i32, i64): date_eq_timestamptz date_ne_timestamptz date_lt_timestamptz date_le_timestamptz date_gt_timestamptz date_ge_timestamptz date_cmp_timestamptz);
comparisons!(ctx swapped cmp_date_timestamptz(i64, i32): timestamptz_eq_date timestamptz_ne_date timestamptz_lt_date timestamptz_le_date timestamptz_gt_date timestamptz_ge_date timestamptz_cmp_date);
comparisons!(ctx cmp_timestamp_timestamptz(i64, i64): timestamp_eq_timestamptz timestamp_ne_timestamptz timestamp_lt_timestamptz timestamp_le_timestamptz timestamp_gt_timestamptz timestamp_ge_timestamptz timestamp_cmp_timestamptz);
comparisons!(ctx swapped cmp_timestamp_timestamptz(i64, i64): timestamptz_eq_timestamp timestamptz_ne_timestamp timestamptz_lt_timestamp timestamptz_le_timestamp timestamptz_gt_timestamp timestamptz_ge_timestamp timestamptz_cmp_timestamp);

fn date_larger(a: i32, b: i32) -> i32 {
    a.max(b)
}

fn date_smaller(a: i32, b: i32) -> i32 {
    a.min(b)
}

fn larger_i64(a: i64, b: i64) -> i64 {
    a.max(b)
}

fn smaller_i64(a: i64, b: i64) -> i64 {
    a.min(b)
}

fn timetz_larger<'a>(a: &'a [u8], b: &'a [u8]) -> &'a [u8] {
    if cmp_timetz_bytes(a, b).is_gt() { a } else { b }
}

fn timetz_smaller<'a>(a: &'a [u8], b: &'a [u8]) -> &'a [u8] {
    if cmp_timetz_bytes(a, b).is_lt() { a } else { b }
}

fn interval_larger(a: Interval, b: Interval) -> Interval {
    if cmp_interval(a, b).is_gt() { a } else { b }
}

fn interval_smaller(a: Interval, b: Interval) -> Interval {
    if cmp_interval(a, b).is_lt() { a } else { b }
}

fn date_finite(date: i32) -> bool {
    types::datetime::date_is_finite(date)
}

fn timestamp_finite(ts: i64) -> bool {
    timestamp_is_finite(ts)
}

fn interval_finite(v: Interval) -> bool {
    v.is_finite()
}

direct! {
    date_eq(a: date, b: date) -> bool;
    date_ne(a: date, b: date) -> bool;
    date_lt(a: date, b: date) -> bool;
    date_le(a: date, b: date) -> bool;
    date_gt(a: date, b: date) -> bool;
    date_ge(a: date, b: date) -> bool;
    date_cmp(a: date, b: date) -> int4;
    time_eq(a: time, b: time) -> bool;
    time_ne(a: time, b: time) -> bool;
    time_lt(a: time, b: time) -> bool;
    time_le(a: time, b: time) -> bool;
    time_gt(a: time, b: time) -> bool;
    time_ge(a: time, b: time) -> bool;
    time_cmp(a: time, b: time) -> int4;
    timestamp_eq(a: timestamp, b: timestamp) -> bool;
    timestamp_ne(a: timestamp, b: timestamp) -> bool;
    timestamp_lt(a: timestamp, b: timestamp) -> bool;
    timestamp_le(a: timestamp, b: timestamp) -> bool;
    timestamp_gt(a: timestamp, b: timestamp) -> bool;
    timestamp_ge(a: timestamp, b: timestamp) -> bool;
    timestamp_cmp(a: timestamp, b: timestamp) -> int4;
    date_larger(a: date, b: date) -> date;
    date_smaller(a: date, b: date) -> date;
    time_larger = larger_i64(a: time, b: time) -> time;
    time_smaller = smaller_i64(a: time, b: time) -> time;
    timestamp_larger = larger_i64(a: timestamp, b: timestamp) -> timestamp;
    timestamp_smaller = smaller_i64(a: timestamp, b: timestamp) -> timestamp;
    date_finite(date: date) -> bool;
    timestamp_finite(ts: timestamp) -> bool;
}

builtins! {
    timetz_eq(a: timetz, b: timetz) -> bool;
    timetz_ne(a: timetz, b: timetz) -> bool;
    timetz_lt(a: timetz, b: timetz) -> bool;
    timetz_le(a: timetz, b: timetz) -> bool;
    timetz_gt(a: timetz, b: timetz) -> bool;
    timetz_ge(a: timetz, b: timetz) -> bool;
    timetz_cmp(a: timetz, b: timetz) -> int4;
    interval_eq(a: interval, b: interval) -> bool;
    interval_ne(a: interval, b: interval) -> bool;
    interval_lt(a: interval, b: interval) -> bool;
    interval_le(a: interval, b: interval) -> bool;
    interval_gt(a: interval, b: interval) -> bool;
    interval_ge(a: interval, b: interval) -> bool;
    interval_cmp(a: interval, b: interval) -> int4;
    date_eq_timestamp(a: date, b: timestamp) -> bool;
    date_ne_timestamp(a: date, b: timestamp) -> bool;
    date_lt_timestamp(a: date, b: timestamp) -> bool;
    date_le_timestamp(a: date, b: timestamp) -> bool;
    date_gt_timestamp(a: date, b: timestamp) -> bool;
    date_ge_timestamp(a: date, b: timestamp) -> bool;
    date_cmp_timestamp(a: date, b: timestamp) -> int4;
    timestamp_eq_date(a: timestamp, b: date) -> bool;
    timestamp_ne_date(a: timestamp, b: date) -> bool;
    timestamp_lt_date(a: timestamp, b: date) -> bool;
    timestamp_le_date(a: timestamp, b: date) -> bool;
    timestamp_gt_date(a: timestamp, b: date) -> bool;
    timestamp_ge_date(a: timestamp, b: date) -> bool;
    timestamp_cmp_date(a: timestamp, b: date) -> int4;
    date_eq_timestamptz(ctx, a: date, b: timestamptz) -> bool;
    date_ne_timestamptz(ctx, a: date, b: timestamptz) -> bool;
    date_lt_timestamptz(ctx, a: date, b: timestamptz) -> bool;
    date_le_timestamptz(ctx, a: date, b: timestamptz) -> bool;
    date_gt_timestamptz(ctx, a: date, b: timestamptz) -> bool;
    date_ge_timestamptz(ctx, a: date, b: timestamptz) -> bool;
    date_cmp_timestamptz(ctx, a: date, b: timestamptz) -> int4;
    timestamptz_eq_date(ctx, a: timestamptz, b: date) -> bool;
    timestamptz_ne_date(ctx, a: timestamptz, b: date) -> bool;
    timestamptz_lt_date(ctx, a: timestamptz, b: date) -> bool;
    timestamptz_le_date(ctx, a: timestamptz, b: date) -> bool;
    timestamptz_gt_date(ctx, a: timestamptz, b: date) -> bool;
    timestamptz_ge_date(ctx, a: timestamptz, b: date) -> bool;
    timestamptz_cmp_date(ctx, a: timestamptz, b: date) -> int4;
    timestamp_eq_timestamptz(ctx, a: timestamp, b: timestamptz) -> bool;
    timestamp_ne_timestamptz(ctx, a: timestamp, b: timestamptz) -> bool;
    timestamp_lt_timestamptz(ctx, a: timestamp, b: timestamptz) -> bool;
    timestamp_le_timestamptz(ctx, a: timestamp, b: timestamptz) -> bool;
    timestamp_gt_timestamptz(ctx, a: timestamp, b: timestamptz) -> bool;
    timestamp_ge_timestamptz(ctx, a: timestamp, b: timestamptz) -> bool;
    timestamp_cmp_timestamptz(ctx, a: timestamp, b: timestamptz) -> int4;
    timestamptz_eq_timestamp(ctx, a: timestamptz, b: timestamp) -> bool;
    timestamptz_ne_timestamp(ctx, a: timestamptz, b: timestamp) -> bool;
    timestamptz_lt_timestamp(ctx, a: timestamptz, b: timestamp) -> bool;
    timestamptz_le_timestamp(ctx, a: timestamptz, b: timestamp) -> bool;
    timestamptz_gt_timestamp(ctx, a: timestamptz, b: timestamp) -> bool;
    timestamptz_ge_timestamp(ctx, a: timestamptz, b: timestamp) -> bool;
    timestamptz_cmp_timestamp(ctx, a: timestamptz, b: timestamp) -> int4;
    timetz_larger(a: timetz, b: timetz) -> timetz;
    timetz_smaller(a: timetz, b: timetz) -> timetz;
    interval_larger(a: interval, b: interval) -> interval;
    interval_smaller(a: interval, b: interval) -> interval;
    interval_finite(v: interval) -> bool;
}
