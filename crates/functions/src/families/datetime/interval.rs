//! Arithmetic of intervals.

use common::{PgResult, pg_err};
use types::Interval;
use types::datetime::{USECS_PER_DAY, USECS_PER_HOUR, USECS_PER_MINUTE, USECS_PER_SEC};

use crate::families::datetime::error::interval_range;
use crate::framework::macros::builtins;

const SECS_PER_DAY: f64 = 86_400.0;

/// An interval whose parts are finite numbers must not read as infinite.
fn finite(micros: Option<i64>, days: Option<i32>, months: Option<i32>) -> PgResult<Interval> {
    match (micros, days, months) {
        (Some(micros), Some(days), Some(months)) => {
            let v = Interval { micros, days, months };
            if v.is_finite() {
                Ok(v)
            } else {
                Err(interval_range())
            }
        }
        _ => Err(interval_range()),
    }
}

/// `- interval`.
pub(crate) fn interval_um(v: Interval) -> PgResult<Interval> {
    if v == Interval::INFINITY {
        return Ok(Interval::NEG_INFINITY);
    }
    if v == Interval::NEG_INFINITY {
        return Ok(Interval::INFINITY);
    }
    finite(
        v.micros.checked_neg(),
        v.days.checked_neg(),
        v.months.checked_neg(),
    )
}

/// `interval + interval`.
pub(crate) fn interval_pl(a: Interval, b: Interval) -> PgResult<Interval> {
    match (a.is_finite(), b.is_finite()) {
        (true, true) => finite(
            a.micros.checked_add(b.micros),
            a.days.checked_add(b.days),
            a.months.checked_add(b.months),
        ),
        (false, true) => Ok(a),
        (true, false) => Ok(b),
        (false, false) if a == b => Ok(a),
        (false, false) => Err(interval_range()),
    }
}

/// `interval - interval`.
pub(crate) fn interval_mi(a: Interval, b: Interval) -> PgResult<Interval> {
    if a.is_finite() && b.is_finite() {
        return finite(
            a.micros.checked_sub(b.micros),
            a.days.checked_sub(b.days),
            a.months.checked_sub(b.months),
        );
    }
    match (a.is_finite(), b.is_finite()) {
        (false, true) => Ok(a),
        _ => interval_pl(a, interval_um(b)?),
    }
}

fn to_i32(v: f64) -> Option<i32> {
    // The cast truncates, as PostgreSQL's does; the bounds are those of a float that still fits.
    (v >= f64::from(i32::MIN) && v < -f64::from(i32::MIN)).then_some(v as i32)
}

fn to_i64(v: f64) -> Option<i64> {
    (v >= i64::MIN as f64 && v < -(i64::MIN as f64)).then_some(v as i64)
}

/// Rounds to microseconds.
fn round_micros(v: f64) -> f64 {
    (v * 1e6).round_ties_even() / 1e6
}

/// Scales every part by `f` and cascades fractions of months and days down.
fn scale(v: Interval, f: impl Fn(f64) -> f64) -> PgResult<Interval> {
    let (exact_months, exact_days) = (f(f64::from(v.months)), f(f64::from(v.days)));
    let months = to_i32(exact_months).ok_or_else(interval_range)?;
    let days = to_i32(exact_days).ok_or_else(interval_range)?;
    let month_days = round_micros((exact_months - f64::from(months)) * 30.0);
    let mut seconds =
        round_micros((exact_days - f64::from(days) + month_days - month_days.trunc()) * SECS_PER_DAY);
    let mut days = Some(days);
    if seconds.abs() >= SECS_PER_DAY {
        let whole = (seconds / SECS_PER_DAY).trunc();
        days = days.and_then(|d| d.checked_add(whole as i32));
        seconds -= whole * SECS_PER_DAY;
    }
    days = days.and_then(|d| d.checked_add(month_days as i32));
    let micros = (f(v.micros as f64) + seconds * USECS_PER_SEC as f64).round_ties_even();
    finite(to_i64(micros), days, Some(months))
}

/// `interval * float8`.
pub(crate) fn interval_mul(v: Interval, factor: f64) -> PgResult<Interval> {
    if factor.is_nan() {
        return Err(interval_range());
    }
    if !v.is_finite() || factor.is_infinite() {
        let sign = v.span().signum() as f64 * if factor == 0.0 { 0.0 } else { factor.signum() };
        return match sign {
            s if s > 0.0 => Ok(Interval::INFINITY),
            s if s < 0.0 => Ok(Interval::NEG_INFINITY),
            _ => Err(interval_range()),
        };
    }
    scale(v, |part| part * factor)
}

fn mul_d_interval(factor: f64, v: Interval) -> PgResult<Interval> {
    interval_mul(v, factor)
}

/// `interval / float8`.
pub(crate) fn interval_div(v: Interval, divisor: f64) -> PgResult<Interval> {
    if divisor == 0.0 {
        return Err(pg_err!(DIVISION_BY_ZERO, "division by zero"));
    }
    if divisor.is_nan() {
        return Err(interval_range());
    }
    if !v.is_finite() {
        if divisor.is_infinite() {
            return Err(interval_range());
        }
        return if divisor < 0.0 { interval_um(v) } else { Ok(v) };
    }
    scale(v, |part| part / divisor)
}

/// 24 hours become a day; day and time get the same sign.
pub(crate) fn justify_hours(v: Interval) -> PgResult<Interval> {
    if !v.is_finite() {
        return Ok(v);
    }
    let whole = (v.micros / USECS_PER_DAY) as i32;
    let mut micros = v.micros % USECS_PER_DAY;
    let mut days = v.days.checked_add(whole).ok_or_else(interval_range)?;
    if days > 0 && micros < 0 {
        micros += USECS_PER_DAY;
        days -= 1;
    } else if days < 0 && micros > 0 {
        micros -= USECS_PER_DAY;
        days += 1;
    }
    Ok(Interval {
        micros,
        days,
        months: v.months,
    })
}

fn justify_days(v: Interval) -> PgResult<Interval> {
    if !v.is_finite() {
        return Ok(v);
    }
    let mut months = v.months.checked_add(v.days / 30).ok_or_else(interval_range)?;
    let mut days = v.days % 30;
    if months > 0 && days < 0 {
        days += 30;
        months -= 1;
    } else if months < 0 && days > 0 {
        days -= 30;
        months += 1;
    }
    Ok(Interval {
        micros: v.micros,
        days,
        months,
    })
}

fn justify_interval(v: Interval) -> PgResult<Interval> {
    if !v.is_finite() {
        return Ok(v);
    }
    let total_days = i64::from(v.days) + v.micros / USECS_PER_DAY;
    let mut micros = v.micros % USECS_PER_DAY;
    let mut days = (total_days % 30) as i32;
    let mut months = i32::try_from(i64::from(v.months) + total_days / 30).map_err(|_| interval_range())?;
    if months > 0 && (days < 0 || (days == 0 && micros < 0)) {
        days += 30;
        months -= 1;
    } else if months < 0 && (days > 0 || (days == 0 && micros > 0)) {
        days -= 30;
        months += 1;
    }
    if days > 0 && micros < 0 {
        micros += USECS_PER_DAY;
        days -= 1;
    } else if days < 0 && micros > 0 {
        micros -= USECS_PER_DAY;
        days += 1;
    }
    Ok(Interval { micros, days, months })
}

fn make_interval(
    years: i32,
    months: i32,
    weeks: i32,
    days: i32,
    hours: i32,
    minutes: i32,
    seconds: f64,
) -> PgResult<Interval> {
    if !seconds.is_finite() {
        return Err(interval_range());
    }
    let months = years.checked_mul(12).and_then(|m| m.checked_add(months));
    let days = weeks.checked_mul(7).and_then(|d| d.checked_add(days));
    if months.is_none() || days.is_none() {
        return Err(interval_range());
    }
    if (seconds * 1e6).is_infinite() {
        return Err(pg_err!(
            NUMERIC_VALUE_OUT_OF_RANGE,
            "value out of range: overflow"
        ));
    }
    let micros = to_i64((seconds * 1e6).round_ties_even()).and_then(|s| {
        let hm = i64::from(hours) * USECS_PER_HOUR + i64::from(minutes) * USECS_PER_MINUTE;
        hm.checked_add(s)
    });
    finite(micros, days, months)
}

fn interval_scale(v: Interval, typmod: i32) -> PgResult<Interval> {
    types::datetime::adjust_interval_typmod(v, typmod)
}

fn in_range_interval_interval(
    value: Interval,
    base: Interval,
    offset: Interval,
    sub: bool,
    less: bool,
) -> PgResult<bool> {
    if offset.span() < 0 {
        return Err(pg_err!(
            INVALID_PRECEDING_OR_FOLLOWING_SIZE,
            "invalid preceding or following size in window function"
        ));
    }
    let opposite = if sub {
        Interval::INFINITY
    } else {
        Interval::NEG_INFINITY
    };
    if offset == Interval::INFINITY && base == opposite {
        return Ok(true);
    }
    let bound = if sub {
        interval_mi(base, offset)?
    } else {
        interval_pl(base, offset)?
    };
    Ok(if less {
        value.span() <= bound.span()
    } else {
        value.span() >= bound.span()
    })
}

builtins! {
    interval_um(v: interval) -> interval;
    interval_pl(a: interval, b: interval) -> interval;
    interval_mi(a: interval, b: interval) -> interval;
    interval_mul(v: interval, factor: float8) -> interval;
    mul_d_interval(factor: float8, v: interval) -> interval;
    interval_div(v: interval, divisor: float8) -> interval;
    interval_justify_hours = justify_hours(v: interval) -> interval;
    interval_justify_days = justify_days(v: interval) -> interval;
    interval_justify_interval = justify_interval(v: interval) -> interval;
    make_interval(years: int4, months: int4, weeks: int4, days: int4, hours: int4, minutes: int4, seconds: float8) -> interval;
    interval_scale(v: interval, typmod: int4) -> interval;
    in_range_interval_interval(value: interval, base: interval, offset: interval, sub: bool, less: bool) -> bool;
}
