//! Casts among dates, times and timestamps, and `AT TIME ZONE`.

use common::{PgResult, pg_err};
use types::Interval;
use types::datetime::zone::{self, ZoneWord};
use types::datetime::{
    DATE_INFINITY, DATE_NEG_INFINITY, TIMESTAMP_INFINITY, TIMESTAMP_NEG_INFINITY, TimeTz, USECS_PER_DAY,
    USECS_PER_SEC, date_is_finite, timestamp_in_range, timestamp_is_finite,
};

use crate::families::datetime::arith::date_timestamp;
use crate::families::datetime::error::{date_range_for_timestamp, timestamp_range, zone_unknown};
use crate::families::datetime::time::wrap;
use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

/// A UTC timestamp seen in the session's zone.
pub(crate) fn to_local(ctx: &FnContext<'_>, ts: i64) -> i64 {
    if !timestamp_is_finite(ts) {
        return ts;
    }
    ts - i64::from(zone::west_at(&ctx.settings.time_zone, ts)) * USECS_PER_SEC
}

/// A local timestamp of the session's zone as UTC.
pub(crate) fn to_utc(ctx: &FnContext<'_>, local: i64) -> PgResult<i64> {
    if !timestamp_is_finite(local) {
        return Ok(local);
    }
    shift(local, zone::west_of_local(&ctx.settings.time_zone, local))
}

fn shift(ts: i64, west: i32) -> PgResult<i64> {
    let shifted = ts + i64::from(west) * USECS_PER_SEC;
    if timestamp_in_range(shifted) {
        Ok(shifted)
    } else {
        Err(timestamp_range())
    }
}

fn date_timestamptz(ctx: &mut FnContext<'_>, date: i32) -> PgResult<i64> {
    let local = date_timestamp(date)?;
    if !date_is_finite(date) {
        return Ok(local);
    }
    to_utc(ctx, local).map_err(|_| date_range_for_timestamp())
}

fn timestamp_date(ts: i64) -> i32 {
    match ts {
        TIMESTAMP_INFINITY => DATE_INFINITY,
        TIMESTAMP_NEG_INFINITY => DATE_NEG_INFINITY,
        _ => ts.div_euclid(USECS_PER_DAY) as i32,
    }
}

fn timestamptz_date(ctx: &mut FnContext<'_>, ts: i64) -> i32 {
    timestamp_date(to_local(ctx, ts))
}

fn timestamp_time(ts: i64) -> Option<i64> {
    timestamp_is_finite(ts).then(|| wrap(ts))
}

fn timestamptz_time(ctx: &mut FnContext<'_>, ts: i64) -> Option<i64> {
    timestamp_time(to_local(ctx, ts))
}

fn timestamptz_timetz(ctx: &mut FnContext<'_>, ts: i64) -> Option<Vec<u8>> {
    if !timestamp_is_finite(ts) {
        return None;
    }
    let zone_west = zone::west_at(&ctx.settings.time_zone, ts);
    let micros = wrap(ts - i64::from(zone_west) * USECS_PER_SEC);
    Some(TimeTz { micros, zone_west }.to_bytes().to_vec())
}

fn timestamp_timestamptz(ctx: &mut FnContext<'_>, ts: i64) -> PgResult<i64> {
    to_utc(ctx, ts)
}

fn timestamptz_timestamp(ctx: &mut FnContext<'_>, ts: i64) -> i64 {
    to_local(ctx, ts)
}

fn datetime_timestamp(date: i32, time: i64) -> PgResult<i64> {
    let midnight = date_timestamp(date)?;
    if !timestamp_is_finite(midnight) {
        return Ok(midnight);
    }
    let ts = midnight + time;
    if timestamp_in_range(ts) {
        Ok(ts)
    } else {
        Err(timestamp_range())
    }
}

fn timedate_pl(time: i64, date: i32) -> PgResult<i64> {
    datetime_timestamp(date, time)
}

fn datetimetz_timestamptz(date: i32, time: &[u8]) -> PgResult<i64> {
    let time = TimeTz::from_bytes(time);
    let ts = match date {
        DATE_INFINITY => return Ok(TIMESTAMP_INFINITY),
        DATE_NEG_INFINITY => return Ok(TIMESTAMP_NEG_INFINITY),
        _ => date_timestamp(date)? + time.utc_micros(),
    };
    if timestamp_in_range(ts) {
        Ok(ts)
    } else {
        Err(date_range_for_timestamp())
    }
}

fn timetzdate_pl(time: &[u8], date: i32) -> PgResult<i64> {
    datetimetz_timestamptz(date, time)
}

/// `timestamptz(date, time)`, an SQL function: the sum, cast.
fn date_time_timestamptz(ctx: &mut FnContext<'_>, date: i32, time: i64) -> PgResult<i64> {
    to_utc(ctx, datetime_timestamp(date, time)?)
}

fn timestamp_scale(ts: i64, typmod: i32) -> PgResult<i64> {
    types::datetime::adjust_timestamp_precision(ts, typmod)
}

fn find_zone(ctx: &FnContext<'_>, name: &str) -> PgResult<ZoneWord> {
    zone::named(&ctx.settings.time_zone, name).ok_or_else(|| zone_unknown(name))
}

/// Local time in a named zone to UTC.
fn timestamp_zone(ctx: &mut FnContext<'_>, name: &str, local: i64) -> PgResult<i64> {
    if !timestamp_is_finite(local) {
        return Ok(local);
    }
    let west = match find_zone(ctx, name)? {
        ZoneWord::Fixed(west, _) => west,
        ZoneWord::Dynamic(z) => zone::abbreviation_west_of_local(&z, name, local),
        ZoneWord::Full(z) => zone::west_of_local(&z, local),
    };
    shift(local, west)
}

/// The offset of a named zone at a UTC time.
fn west_in(ctx: &FnContext<'_>, name: &str, ts: i64) -> PgResult<i32> {
    Ok(match find_zone(ctx, name)? {
        ZoneWord::Fixed(west, _) => west,
        ZoneWord::Dynamic(z) => {
            zone::abbreviation_west_at(&z, name, ts).unwrap_or_else(|| zone::west_at(&z, ts))
        }
        ZoneWord::Full(z) => zone::west_at(&z, ts),
    })
}

/// UTC to local time in a named zone.
fn timestamptz_zone(ctx: &mut FnContext<'_>, name: &str, ts: i64) -> PgResult<i64> {
    if !timestamp_is_finite(ts) {
        return Ok(ts);
    }
    let west = west_in(ctx, name, ts)?;
    shift(ts, -west)
}

/// Seconds east of an interval that stands for a zone.
fn interval_zone(ctx: &FnContext<'_>, v: Interval) -> PgResult<i32> {
    let problem = if !v.is_finite() {
        "must be finite"
    } else if v.months != 0 || v.days != 0 {
        "must not include months or days"
    } else {
        return Ok((v.micros / USECS_PER_SEC) as i32);
    };
    let mut text = String::new();
    types::datetime::interval_out(v, ctx.settings.interval_style, &mut text);
    Err(pg_err!(
        INVALID_PARAMETER_VALUE,
        "interval time zone \"{text}\" {problem}"
    ))
}

fn timestamp_izone(ctx: &mut FnContext<'_>, zone: Interval, local: i64) -> PgResult<i64> {
    if !timestamp_is_finite(local) {
        return Ok(local);
    }
    shift(local, -interval_zone(ctx, zone)?)
}

fn timestamptz_izone(ctx: &mut FnContext<'_>, zone: Interval, ts: i64) -> PgResult<i64> {
    if !timestamp_is_finite(ts) {
        return Ok(ts);
    }
    shift(ts, interval_zone(ctx, zone)?)
}

fn move_timetz(time: &[u8], zone_west: i32) -> Vec<u8> {
    let v = TimeTz::from_bytes(time);
    let micros = wrap(v.micros + i64::from(v.zone_west.wrapping_sub(zone_west)) * USECS_PER_SEC);
    TimeTz { micros, zone_west }.to_bytes().to_vec()
}

fn timetz_zone(ctx: &mut FnContext<'_>, name: &str, time: &[u8]) -> PgResult<Vec<u8>> {
    let now = ctx
        .session
        .transaction_timestamp()
        .unwrap_or(ctx.settings.transaction_timestamp);
    Ok(move_timetz(time, west_in(ctx, name, now)?))
}

fn timetz_izone(ctx: &mut FnContext<'_>, zone: Interval, time: &[u8]) -> PgResult<Vec<u8>> {
    Ok(move_timetz(time, -interval_zone(ctx, zone)?))
}

fn timetz_at_local(ctx: &mut FnContext<'_>, time: &[u8]) -> PgResult<Vec<u8>> {
    let now = ctx
        .session
        .transaction_timestamp()
        .unwrap_or(ctx.settings.transaction_timestamp);
    Ok(move_timetz(time, zone::west_at(&ctx.settings.time_zone, now)))
}

builtins! {
    date_timestamp(date: date) -> timestamp;
    date_timestamptz(ctx, date: date) -> timestamptz;
    timestamp_date(ts: timestamp) -> date;
    timestamptz_date(ctx, ts: timestamptz) -> date;
    timestamp_time(ts: timestamp) -> time;
    timestamptz_time(ctx, ts: timestamptz) -> time;
    timestamptz_timetz(ctx, ts: timestamptz) -> timetz;
    timestamp_timestamptz(ctx, ts: timestamp) -> timestamptz;
    timestamptz_timestamp(ctx, ts: timestamptz) -> timestamp;
    datetime_timestamp(date: date, time: time) -> timestamp;
    timedate_pl(time: time, date: date) -> timestamp;
    datetimetz_timestamptz(date: date, time: timetz) -> timestamptz;
    timetzdate_pl(time: timetz, date: date) -> timestamptz;
    timestamptz = date_time_timestamptz(ctx, date: date, time: time) -> timestamptz;
    timestamp_scale(ts: timestamp, typmod: int4) -> timestamp;
    timestamptz_scale = timestamp_scale(ts: timestamptz, typmod: int4) -> timestamptz;
    timestamp_zone(ctx, name: text, ts: timestamp) -> timestamptz;
    timestamptz_zone(ctx, name: text, ts: timestamptz) -> timestamp;
    timestamp_izone(ctx, zone: interval, ts: timestamp) -> timestamptz;
    timestamptz_izone(ctx, zone: interval, ts: timestamptz) -> timestamp;
    timestamp_at_local = timestamp_timestamptz(ctx, ts: timestamp) -> timestamptz;
    timestamptz_at_local = timestamptz_timestamp(ctx, ts: timestamptz) -> timestamp;
    timetz_zone(ctx, name: text, time: timetz) -> timetz;
    timetz_izone(ctx, zone: interval, time: timetz) -> timetz;
    timetz_at_local(ctx, time: timetz) -> timetz;
}
