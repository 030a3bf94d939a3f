//! `date_trunc` and `date_bin`.

use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err};
use jiff::tz::TimeZone;
use types::datetime::civil::{Civil, iso_week_monday, iso_year_week};
use types::datetime::words::{IntervalWord, Unit, interval_word};
use types::datetime::{
    USECS_PER_DAY, USECS_PER_HOUR, USECS_PER_MINUTE, USECS_PER_SEC, timestamp_in_range, timestamp_is_finite,
    zone,
};
use types::{Interval, oids};

use crate::families::datetime::arith::zone_argument;
use crate::families::datetime::error::{interval_range, timestamp_range};
use crate::families::datetime::extract::{unit_unknown, unit_unsupported};
use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

/// Microseconds of a unit that divides the clock.
fn clock_step(unit: Unit) -> Option<i64> {
    Some(match unit {
        Unit::Microsecond => 1,
        Unit::Millisecond => 1000,
        Unit::Second => USECS_PER_SEC,
        Unit::Minute => USECS_PER_MINUTE,
        Unit::Hour => USECS_PER_HOUR,
        _ => return None,
    })
}

/// The first year of a decade, century or millennium.
fn year_floor(unit: Unit, year: i32) -> i32 {
    match unit {
        Unit::Millennium if year > 0 => (year + 999) / 1000 * 1000 - 999,
        Unit::Millennium => -((999 - (year - 1)) / 1000) * 1000 + 1,
        Unit::Century if year > 0 => (year + 99) / 100 * 100 - 99,
        Unit::Century => -((99 - (year - 1)) / 100) * 100 + 1,
        Unit::Decade if year > 0 => year / 10 * 10,
        Unit::Decade => -((8 - (year - 1)) / 10) * 10,
        _ => year,
    }
}

/// Truncates a local timestamp; `None` when the type has no such unit.
fn truncate(unit: Unit, local: i64) -> Option<Option<i64>> {
    if let Some(step) = clock_step(unit) {
        return Some(Some(local - local.rem_euclid(step)));
    }
    let mut c = Civil::from_timestamp(local);
    (c.hour, c.minute, c.second, c.micros) = (0, 0, 0, 0);
    match unit {
        Unit::Day => {}
        Unit::Week => {
            let (year, week) = iso_year_week(c.year, c.month, c.day);
            c.set_days(iso_week_monday(year, week));
        }
        Unit::Month => c.day = 1,
        Unit::Quarter => (c.month, c.day) = ((c.month - 1) / 3 * 3 + 1, 1),
        Unit::Year | Unit::Decade | Unit::Century | Unit::Millennium => {
            (c.year, c.month, c.day) = (year_floor(unit, c.year), 1, 1);
        }
        _ => return None,
    }
    Some(c.to_timestamp_unchecked())
}

fn checked(ts: Option<i64>) -> PgResult<i64> {
    ts.filter(|ts| timestamp_in_range(*ts))
        .ok_or_else(timestamp_range)
}

/// True for the units that `date_trunc` of timestamps knows.
fn known(unit: Unit) -> bool {
    truncate(unit, 0).is_some()
}

/// Only the words of intervals name units to truncate to: `dow` or `epoch` are unknown here.
fn unit_of(units: &str, of: Oid) -> PgResult<Unit> {
    match interval_word(&units.to_ascii_lowercase()) {
        Some(IntervalWord::Unit(unit)) => Ok(unit),
        _ => Err(unit_unknown(units, of)),
    }
}

fn unit_for(units: &str, of: Oid) -> PgResult<Unit> {
    let unit = unit_of(units, of)?;
    if known(unit) {
        Ok(unit)
    } else {
        Err(unit_unsupported(units, of))
    }
}

fn timestamp_trunc(units: &str, ts: i64) -> PgResult<i64> {
    let unit = unit_for(units, oids::TIMESTAMP)?;
    if !timestamp_is_finite(ts) {
        return Ok(ts);
    }
    checked(truncate(unit, ts).flatten())
}

fn trunc_in_zone(zone: &TimeZone, units: &str, ts: i64) -> PgResult<i64> {
    let unit = unit_for(units, oids::TIMESTAMPTZ)?;
    if !timestamp_is_finite(ts) {
        return Ok(ts);
    }
    let west = zone::west_at(zone, ts);
    let local = ts - i64::from(west) * USECS_PER_SEC;
    let Some(truncated) = truncate(unit, local).flatten() else {
        return Err(timestamp_range());
    };
    // Parts of a day keep the offset of the moment; days and more take the one of their own start.
    let west = if clock_step(unit).is_some() {
        west
    } else {
        zone::west_of_local(zone, truncated)
    };
    checked(truncated.checked_add(i64::from(west) * USECS_PER_SEC))
}

fn timestamptz_trunc(ctx: &mut FnContext<'_>, units: &str, ts: i64) -> PgResult<i64> {
    trunc_in_zone(&ctx.settings.time_zone, units, ts)
}

fn timestamptz_trunc_zone(ctx: &mut FnContext<'_>, units: &str, ts: i64, zone: &str) -> PgResult<i64> {
    let zone = zone_argument(ctx, zone)?;
    trunc_in_zone(&zone, units, ts)
}

fn interval_trunc(units: &str, v: Interval) -> PgResult<Interval> {
    let unit = unit_of(units, oids::INTERVAL)?;
    let mut out = v;
    let finite = v.is_finite();
    let months = match unit {
        Unit::Millennium => 12_000,
        Unit::Century => 1200,
        Unit::Decade => 120,
        Unit::Year => 12,
        Unit::Quarter => 3,
        Unit::Month => 1,
        Unit::Week => {
            return Err(
                unit_unsupported(units, oids::INTERVAL).detail("Months usually have fractional weeks.")
            );
        }
        Unit::Day => {
            out.micros = 0;
            return Ok(if finite { out } else { v });
        }
        _ => match clock_step(unit) {
            Some(step) => {
                out.micros -= out.micros % step;
                return Ok(if finite { out } else { v });
            }
            None => return Err(unit_unsupported(units, oids::INTERVAL)),
        },
    };
    out = Interval {
        micros: 0,
        days: 0,
        months: v.months / months * months,
    };
    Ok(if finite { out } else { v })
}

fn timestamp_bin(stride: Interval, ts: i64, origin: i64) -> PgResult<i64> {
    if !timestamp_is_finite(ts) {
        return Ok(ts);
    }
    if !timestamp_is_finite(origin) {
        return Err(pg_err!(DATETIME_VALUE_OUT_OF_RANGE, "origin out of range"));
    }
    if !stride.is_finite() {
        return Err(pg_err!(
            DATETIME_VALUE_OUT_OF_RANGE,
            "timestamps cannot be binned into infinite intervals"
        ));
    }
    if stride.months != 0 {
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "timestamps cannot be binned into intervals containing months or years"
        ));
    }
    let stride = i64::from(stride.days)
        .checked_mul(USECS_PER_DAY)
        .and_then(|d| d.checked_add(stride.micros))
        .ok_or_else(interval_range)?;
    if stride <= 0 {
        return Err(pg_err!(
            DATETIME_VALUE_OUT_OF_RANGE,
            "stride must be greater than zero"
        ));
    }
    let difference = ts.checked_sub(origin).ok_or_else(interval_range)?;
    let delta =
        (difference - difference % stride).checked_sub(if difference % stride < 0 { stride } else { 0 });
    checked(delta.and_then(|d| origin.checked_add(d)))
}

builtins! {
    timestamp_trunc(units: text, ts: timestamp) -> timestamp;
    timestamptz_trunc(ctx, units: text, ts: timestamptz) -> timestamptz;
    timestamptz_trunc_zone(ctx, units: text, ts: timestamptz, zone: text) -> timestamptz;
    interval_trunc(units: text, v: interval) -> interval;
    timestamp_bin(stride: interval, ts: timestamp, origin: timestamp) -> timestamp;
    timestamptz_bin = timestamp_bin(stride: interval, ts: timestamptz, origin: timestamptz) -> timestamptz;
}
