//! Arithmetic of dates and timestamps with intervals and with each other, `age`, and window frame bounds.

use common::{PgResult, pg_err};
use jiff::tz::TimeZone;
use types::Interval;
use types::datetime::civil::{Civil, days_in_month};
use types::datetime::{
    DATE_INFINITY, DATE_NEG_INFINITY, END_DATE, MIN_DATE, TIMESTAMP_INFINITY, TIMESTAMP_NEG_INFINITY,
    USECS_PER_DAY, USECS_PER_SEC, date_is_finite, timestamp_in_range, timestamp_is_finite, zone,
};

use crate::families::datetime::error::{
    date_range, date_range_for_timestamp, interval_range, timestamp_range, zone_unknown,
};
use crate::families::datetime::interval::{interval_um, justify_hours};
use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

/// A date as a timestamp at midnight.
pub(crate) fn date_timestamp(date: i32) -> PgResult<i64> {
    match date {
        DATE_INFINITY => Ok(TIMESTAMP_INFINITY),
        DATE_NEG_INFINITY => Ok(TIMESTAMP_NEG_INFINITY),
        _ => i64::from(date)
            .checked_mul(USECS_PER_DAY)
            .filter(|ts| timestamp_in_range(*ts))
            .ok_or_else(date_range_for_timestamp),
    }
}

fn in_range(ts: Option<i64>) -> PgResult<i64> {
    ts.filter(|ts| timestamp_in_range(*ts))
        .ok_or_else(timestamp_range)
}

/// Adds months, keeping to the last day of a shorter month.
pub(crate) fn add_months(c: &mut Civil, months: i32) -> PgResult<()> {
    let total = i64::from(c.year) * 12 + i64::from(c.month) - 1 + i64::from(months);
    c.year = i32::try_from(total.div_euclid(12)).map_err(|_| timestamp_range())?;
    c.month = total.rem_euclid(12) as i32 + 1;
    c.day = c.day.min(days_in_month(c.year, c.month));
    Ok(())
}

/// What an infinite operand makes of a sum; `None` when both are finite.
fn infinite_sum(ts: i64, v: Interval) -> PgResult<Option<i64>> {
    let infinite = if v == Interval::NEG_INFINITY {
        TIMESTAMP_NEG_INFINITY
    } else if v == Interval::INFINITY {
        TIMESTAMP_INFINITY
    } else {
        return Ok((!timestamp_is_finite(ts)).then_some(ts));
    };
    if !timestamp_is_finite(ts) && ts != infinite {
        return Err(timestamp_range());
    }
    Ok(Some(infinite))
}

/// `timestamp + interval`.
pub(crate) fn timestamp_pl_interval(ts: i64, v: Interval) -> PgResult<i64> {
    if let Some(infinite) = infinite_sum(ts, v)? {
        return Ok(infinite);
    }
    let mut ts = ts;
    if v.months != 0 {
        let mut c = Civil::from_timestamp(ts);
        add_months(&mut c, v.months)?;
        ts = in_range(c.to_timestamp(0))?;
    }
    if v.days != 0 {
        ts = in_range(
            i64::from(v.days)
                .checked_mul(USECS_PER_DAY)
                .and_then(|d| ts.checked_add(d)),
        )?;
    }
    in_range(ts.checked_add(v.micros))
}

fn negated(v: Interval) -> PgResult<Interval> {
    interval_um(v).map_err(|_| timestamp_range())
}

/// `timestamp - interval`.
pub(crate) fn timestamp_mi_interval(ts: i64, v: Interval) -> PgResult<i64> {
    timestamp_pl_interval(ts, interval_um(v)?)
}

/// `timestamptz + interval` with days and months counted in a zone.
pub(crate) fn add_in_zone(zone: &TimeZone, ts: i64, v: Interval) -> PgResult<i64> {
    if let Some(infinite) = infinite_sum(ts, v)? {
        return Ok(infinite);
    }
    let mut ts = ts;
    let local = |ts: i64| ts - i64::from(zone::west_at(zone, ts)) * USECS_PER_SEC;
    let back = |local: Option<i64>| {
        let local = local?;
        local.checked_add(i64::from(zone::west_of_local(zone, local)) * USECS_PER_SEC)
    };
    if v.months != 0 {
        let mut c = Civil::from_timestamp(local(ts));
        add_months(&mut c, v.months)?;
        ts = in_range(back(c.to_timestamp_unchecked()))?;
    }
    if v.days != 0 {
        let days = i64::from(v.days).checked_mul(USECS_PER_DAY);
        ts = in_range(back(days.and_then(|d| local(ts).checked_add(d))))?;
    }
    in_range(ts.checked_add(v.micros))
}

fn timestamptz_pl_interval(ctx: &mut FnContext<'_>, ts: i64, v: Interval) -> PgResult<i64> {
    add_in_zone(&ctx.settings.time_zone, ts, v)
}

fn timestamptz_mi_interval(ctx: &mut FnContext<'_>, ts: i64, v: Interval) -> PgResult<i64> {
    add_in_zone(&ctx.settings.time_zone, ts, interval_um(v)?)
}

/// The zone of a function argument: a name, an abbreviation taken as its zone or offset.
pub(crate) fn zone_argument(ctx: &FnContext<'_>, name: &str) -> PgResult<TimeZone> {
    use types::datetime::zone::ZoneWord;
    match zone::named(&ctx.settings.time_zone, name) {
        Some(ZoneWord::Full(z) | ZoneWord::Dynamic(z)) => Ok(z),
        Some(ZoneWord::Fixed(west, _)) => Ok(zone::fixed_zone(west).0),
        None => Err(zone_unknown(name)),
    }
}

fn timestamptz_pl_interval_at_zone(
    ctx: &mut FnContext<'_>,
    ts: i64,
    v: Interval,
    zone: &str,
) -> PgResult<i64> {
    add_in_zone(&zone_argument(ctx, zone)?, ts, v)
}

fn timestamptz_mi_interval_at_zone(
    ctx: &mut FnContext<'_>,
    ts: i64,
    v: Interval,
    zone: &str,
) -> PgResult<i64> {
    add_in_zone(&zone_argument(ctx, zone)?, ts, interval_um(v)?)
}

/// The difference of two points when one is infinite; `None` when both are finite.
fn infinite_difference(a: i64, b: i64) -> PgResult<Option<Interval>> {
    let result = match (a, b) {
        (TIMESTAMP_INFINITY, TIMESTAMP_INFINITY) | (TIMESTAMP_NEG_INFINITY, TIMESTAMP_NEG_INFINITY) => {
            return Err(interval_range());
        }
        (TIMESTAMP_INFINITY, _) | (_, TIMESTAMP_NEG_INFINITY) => Interval::INFINITY,
        (TIMESTAMP_NEG_INFINITY, _) | (_, TIMESTAMP_INFINITY) => Interval::NEG_INFINITY,
        _ => return Ok(None),
    };
    Ok(Some(result))
}

/// `timestamp - timestamp`: days and time.
fn timestamp_mi(a: i64, b: i64) -> PgResult<Interval> {
    if let Some(infinite) = infinite_difference(a, b)? {
        return Ok(infinite);
    }
    let micros = a.checked_sub(b).ok_or_else(interval_range)?;
    justify_hours(Interval {
        micros,
        ..Interval::default()
    })
}

/// The symbolic difference: years, months, days and time that lead from `b` to `a`.
fn age(a: i64, b: i64, (ca, cb): (Civil, Civil)) -> PgResult<Interval> {
    if let Some(infinite) = infinite_difference(a, b)? {
        return Ok(infinite);
    }
    let sign = if a < b { -1 } else { 1 };
    let mut micros = i64::from(ca.micros - cb.micros) * i64::from(sign);
    let mut seconds = (ca.second - cb.second) * sign;
    let mut minutes = (ca.minute - cb.minute) * sign;
    let mut hours = (ca.hour - cb.hour) * sign;
    let mut days = (ca.day - cb.day) * sign;
    let mut months = (ca.month - cb.month) * sign;
    let mut years = (ca.year - cb.year) * sign;
    if micros < 0 {
        micros += USECS_PER_SEC;
        seconds -= 1;
    }
    if seconds < 0 {
        seconds += 60;
        minutes -= 1;
    }
    if minutes < 0 {
        minutes += 60;
        hours -= 1;
    }
    if hours < 0 {
        hours += 24;
        days -= 1;
    }
    while days < 0 {
        // The month that is borrowed is the earlier date's.
        let from = if a < b { &ca } else { &cb };
        days += days_in_month(from.year, from.month);
        months -= 1;
    }
    while months < 0 {
        months += 12;
        years -= 1;
    }
    let time =
        ((i64::from(hours) * 60 + i64::from(minutes)) * 60 + i64::from(seconds)) * USECS_PER_SEC + micros;
    Ok(Interval {
        micros: time * i64::from(sign),
        days: days * sign,
        months: (years * 12 + months) * sign,
    })
}

fn civil_or_default(ts: i64) -> Civil {
    if timestamp_is_finite(ts) {
        Civil::from_timestamp(ts)
    } else {
        Civil::default()
    }
}

fn timestamp_age(a: i64, b: i64) -> PgResult<Interval> {
    age(a, b, (civil_or_default(a), civil_or_default(b)))
}

fn local_civil(ctx: &FnContext<'_>, ts: i64) -> Civil {
    if !timestamp_is_finite(ts) {
        return Civil::default();
    }
    let west = zone::west_at(&ctx.settings.time_zone, ts);
    Civil::from_timestamp(ts - i64::from(west) * USECS_PER_SEC)
}

fn timestamptz_age(ctx: &mut FnContext<'_>, a: i64, b: i64) -> PgResult<Interval> {
    let civils = (local_civil(ctx, a), local_civil(ctx, b));
    age(a, b, civils)
}

/// Midnight of today in the session's zone, as a local timestamp.
fn current_midnight(ctx: &FnContext<'_>) -> PgResult<i64> {
    let now = ctx.session.transaction_timestamp()?;
    let west = zone::west_at(&ctx.settings.time_zone, now);
    let local = now - i64::from(west) * USECS_PER_SEC;
    Ok(local.div_euclid(USECS_PER_DAY) * USECS_PER_DAY)
}

fn age_today(ctx: &mut FnContext<'_>, ts: i64) -> PgResult<Interval> {
    timestamp_age(current_midnight(ctx)?, ts)
}

fn age_today_tz(ctx: &mut FnContext<'_>, ts: i64) -> PgResult<Interval> {
    let local = current_midnight(ctx)?;
    let west = zone::west_of_local(&ctx.settings.time_zone, local);
    timestamptz_age(ctx, local + i64::from(west) * USECS_PER_SEC, ts)
}

fn shift_date(date: i32, days: Option<i32>) -> PgResult<i32> {
    if !date_is_finite(date) {
        return Ok(date);
    }
    days.filter(|d| (MIN_DATE..END_DATE).contains(&i64::from(*d)))
        .ok_or_else(date_range)
}

fn date_pli(date: i32, days: i32) -> PgResult<i32> {
    shift_date(date, date.checked_add(days))
}

fn integer_pl_date(days: i32, date: i32) -> PgResult<i32> {
    date_pli(date, days)
}

fn date_mii(date: i32, days: i32) -> PgResult<i32> {
    shift_date(date, date.checked_sub(days))
}

fn date_mi(a: i32, b: i32) -> PgResult<i32> {
    if !date_is_finite(a) || !date_is_finite(b) {
        return Err(pg_err!(
            DATETIME_VALUE_OUT_OF_RANGE,
            "cannot subtract infinite dates"
        ));
    }
    Ok(a.wrapping_sub(b))
}

fn date_pl_interval(date: i32, v: Interval) -> PgResult<i64> {
    timestamp_pl_interval(date_timestamp(date)?, v)
}

fn interval_pl_date(v: Interval, date: i32) -> PgResult<i64> {
    date_pl_interval(date, v)
}

fn date_mi_interval(date: i32, v: Interval) -> PgResult<i64> {
    timestamp_mi_interval(date_timestamp(date)?, v)
}

fn interval_pl_timestamp(v: Interval, ts: i64) -> PgResult<i64> {
    timestamp_pl_interval(ts, v)
}

fn interval_pl_timestamptz(ctx: &mut FnContext<'_>, v: Interval, ts: i64) -> PgResult<i64> {
    timestamptz_pl_interval(ctx, ts, v)
}

/// Checks a window frame offset and says where the frame ends when an infinity decides alone.
fn frame_offset(base_infinite: Option<bool>, offset: Interval, sub: bool) -> PgResult<Option<bool>> {
    if offset.span() < 0 {
        return Err(pg_err!(
            INVALID_PRECEDING_OR_FOLLOWING_SIZE,
            "invalid preceding or following size in window function"
        ));
    }
    // An infinite offset against the opposite infinity: every row counts as in range.
    let meets = offset == Interval::INFINITY && base_infinite == Some(sub);
    Ok(meets.then_some(true))
}

fn positive_infinity(ts: i64) -> Option<bool> {
    match ts {
        TIMESTAMP_INFINITY => Some(true),
        TIMESTAMP_NEG_INFINITY => Some(false),
        _ => None,
    }
}

fn bound_decides(value: i64, bound: i64, less: bool) -> bool {
    if less { value <= bound } else { value >= bound }
}

fn in_range_timestamp_interval(
    value: i64,
    base: i64,
    offset: Interval,
    sub: bool,
    less: bool,
) -> PgResult<bool> {
    if let Some(decided) = frame_offset(positive_infinity(base), offset, sub)? {
        return Ok(decided);
    }
    let bound = if sub {
        timestamp_mi_interval(base, offset)?
    } else {
        timestamp_pl_interval(base, offset)?
    };
    Ok(bound_decides(value, bound, less))
}

fn in_range_timestamptz_interval(
    ctx: &mut FnContext<'_>,
    value: i64,
    base: i64,
    offset: Interval,
    sub: bool,
    less: bool,
) -> PgResult<bool> {
    if let Some(decided) = frame_offset(positive_infinity(base), offset, sub)? {
        return Ok(decided);
    }
    let offset = if sub { negated(offset)? } else { offset };
    let bound = add_in_zone(&ctx.settings.time_zone, base, offset)?;
    Ok(bound_decides(value, bound, less))
}

fn in_range_date_interval(value: i32, base: i32, offset: Interval, sub: bool, less: bool) -> PgResult<bool> {
    in_range_timestamp_interval(date_timestamp(value)?, date_timestamp(base)?, offset, sub, less)
}

fn daterange_subdiff(a: i32, b: i32) -> f64 {
    f64::from(a) - f64::from(b)
}

fn tsrange_subdiff(a: i64, b: i64) -> f64 {
    (a as f64 - b as f64) / USECS_PER_SEC as f64
}

builtins! {
    timestamp_pl_interval(ts: timestamp, v: interval) -> timestamp;
    timestamp_mi_interval(ts: timestamp, v: interval) -> timestamp;
    timestamptz_pl_interval(ctx, ts: timestamptz, v: interval) -> timestamptz;
    timestamptz_mi_interval(ctx, ts: timestamptz, v: interval) -> timestamptz;
    timestamptz_pl_interval_at_zone(ctx, ts: timestamptz, v: interval, zone: text) -> timestamptz;
    timestamptz_mi_interval_at_zone(ctx, ts: timestamptz, v: interval, zone: text) -> timestamptz;
    interval_pl_timestamp(v: interval, ts: timestamp) -> timestamp;
    interval_pl_timestamptz(ctx, v: interval, ts: timestamptz) -> timestamptz;
    timestamp_mi(a: timestamp, b: timestamp) -> interval;
    timestamp_age(a: timestamp, b: timestamp) -> interval;
    timestamptz_age(ctx, a: timestamptz, b: timestamptz) -> interval;
    age = age_today(ctx, ts: timestamp) -> interval;
    age = age_today_tz(ctx, ts: timestamptz) -> interval;
    date_pli(date: date, days: int4) -> date;
    date_mii(date: date, days: int4) -> date;
    integer_pl_date(days: int4, date: date) -> date;
    date_mi(a: date, b: date) -> int4;
    date_pl_interval(date: date, v: interval) -> timestamp;
    interval_pl_date(v: interval, date: date) -> timestamp;
    date_mi_interval(date: date, v: interval) -> timestamp;
    in_range_timestamp_interval(value: timestamp, base: timestamp, offset: interval, sub: bool, less: bool) -> bool;
    in_range_timestamptz_interval(ctx, value: timestamptz, base: timestamptz, offset: interval, sub: bool, less: bool) -> bool;
    in_range_date_interval(value: date, base: date, offset: interval, sub: bool, less: bool) -> bool;
    daterange_subdiff(a: date, b: date) -> float8;
    tsrange_subdiff(a: timestamp, b: timestamp) -> float8;
    tstzrange_subdiff = tsrange_subdiff(a: timestamptz, b: timestamptz) -> float8;
}
