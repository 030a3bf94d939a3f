//! Arithmetic of `time` and `timetz`.

use common::{PgResult, pg_err};
use types::Interval;
use types::datetime::{TimeTz, USECS_PER_DAY};

use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

/// Moves a time of day around the clock.
pub(crate) fn wrap(micros: i64) -> i64 {
    micros.rem_euclid(USECS_PER_DAY)
}

/// The time of a finite interval; sums wrap around as PostgreSQL's do.
fn finite(v: Interval, verb: &str) -> PgResult<i64> {
    if v.is_finite() {
        return Ok(v.micros);
    }
    Err(pg_err!(DATETIME_VALUE_OUT_OF_RANGE, "cannot {verb} time"))
}

pub(super) fn time_pl_interval(time: i64, v: Interval) -> PgResult<i64> {
    Ok(wrap(time.wrapping_add(finite(v, "add infinite interval to")?)))
}

fn time_mi_interval(time: i64, v: Interval) -> PgResult<i64> {
    Ok(wrap(
        time.wrapping_sub(finite(v, "subtract infinite interval from")?),
    ))
}

fn interval_pl_time(v: Interval, time: i64) -> PgResult<i64> {
    time_pl_interval(time, v)
}

fn time_mi_time(a: i64, b: i64) -> Interval {
    Interval {
        micros: a - b,
        ..Interval::default()
    }
}

fn timetz_shift(bytes: &[u8], f: impl FnOnce(i64) -> PgResult<i64>) -> PgResult<Vec<u8>> {
    let mut v = TimeTz::from_bytes(bytes);
    v.micros = f(v.micros)?;
    Ok(v.to_bytes().to_vec())
}

fn timetz_pl_interval(time: &[u8], v: Interval) -> PgResult<Vec<u8>> {
    timetz_shift(time, |t| time_pl_interval(t, v))
}

fn timetz_mi_interval(time: &[u8], v: Interval) -> PgResult<Vec<u8>> {
    timetz_shift(time, |t| time_mi_interval(t, v))
}

fn interval_pl_timetz(v: Interval, time: &[u8]) -> PgResult<Vec<u8>> {
    timetz_pl_interval(time, v)
}

fn time_scale(time: i64, typmod: i32) -> i64 {
    types::datetime::adjust_time_precision(time, typmod)
}

fn timetz_scale(time: &[u8], typmod: i32) -> PgResult<Vec<u8>> {
    timetz_shift(time, |t| Ok(time_scale(t, typmod)))
}

fn frame_bound(base: i64, offset: Interval, sub: bool) -> PgResult<i64> {
    if offset.micros < 0 {
        return Err(pg_err!(
            INVALID_PRECEDING_OR_FOLLOWING_SIZE,
            "invalid preceding or following size in window function"
        ));
    }
    // No wrap-around here: a bound beyond midnight takes in everything.
    Ok(if sub {
        base.saturating_sub(offset.micros)
    } else {
        base.saturating_add(offset.micros)
    })
}

fn in_range_time_interval(value: i64, base: i64, offset: Interval, sub: bool, less: bool) -> PgResult<bool> {
    let bound = frame_bound(base, offset, sub)?;
    Ok(if less { value <= bound } else { value >= bound })
}

fn in_range_timetz_interval(
    value: &[u8],
    base: &[u8],
    offset: Interval,
    sub: bool,
    less: bool,
) -> PgResult<bool> {
    let (value, base) = (TimeTz::from_bytes(value), TimeTz::from_bytes(base));
    let bound = TimeTz {
        micros: frame_bound(base.micros, offset, sub)?,
        ..base
    };
    let order = (
        i128::from(value.micros) + i128::from(value.zone_west) * 1_000_000,
        value.zone_west,
    )
        .cmp(&(
            i128::from(bound.micros) + i128::from(bound.zone_west) * 1_000_000,
            bound.zone_west,
        ));
    Ok(if less { order.is_le() } else { order.is_ge() })
}

fn timetz_time(time: &[u8]) -> i64 {
    TimeTz::from_bytes(time).micros
}

fn time_interval(time: i64) -> Interval {
    Interval {
        micros: time,
        ..Interval::default()
    }
}

fn interval_time(v: Interval) -> PgResult<i64> {
    if !v.is_finite() {
        return Err(pg_err!(
            DATETIME_VALUE_OUT_OF_RANGE,
            "cannot convert infinite interval to time"
        ));
    }
    Ok(wrap(v.micros))
}

fn time_timetz(ctx: &mut FnContext<'_>, time: i64) -> PgResult<Vec<u8>> {
    use types::datetime::{USECS_PER_SEC, zone};
    let now = ctx.session.transaction_timestamp()?;
    let zone = &ctx.settings.time_zone;
    let local = now - i64::from(zone::west_at(zone, now)) * USECS_PER_SEC;
    let today = local.div_euclid(USECS_PER_DAY) * USECS_PER_DAY;
    let value = TimeTz {
        micros: time,
        zone_west: zone::west_of_local(zone, today + time),
    };
    Ok(value.to_bytes().to_vec())
}

builtins! {
    time_pl_interval(time: time, v: interval) -> time;
    time_mi_interval(time: time, v: interval) -> time;
    interval_pl_time(v: interval, time: time) -> time;
    time_mi_time(a: time, b: time) -> interval;
    timetz_pl_interval(time: timetz, v: interval) -> timetz;
    timetz_mi_interval(time: timetz, v: interval) -> timetz;
    interval_pl_timetz(v: interval, time: timetz) -> timetz;
    time_scale(time: time, typmod: int4) -> time;
    timetz_scale(time: timetz, typmod: int4) -> timetz;
    in_range_time_interval(value: time, base: time, offset: interval, sub: bool, less: bool) -> bool;
    in_range_timetz_interval(value: timetz, base: timetz, offset: interval, sub: bool, less: bool) -> bool;
    timetz_time(time: timetz) -> time;
    time_interval(time: time) -> interval;
    interval_time(v: interval) -> time;
    time_timetz(ctx, time: time) -> timetz;
}
