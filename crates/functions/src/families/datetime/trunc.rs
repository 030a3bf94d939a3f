//! `date_trunc` and `date_bin`.

use std::borrow::Cow;

use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err};
use jiff::tz::TimeZone;
use types::datetime::civil::{civil_from_days, days_from_civil, iso_week_monday, iso_year_week};
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

/// The first day of a unit of days, months or years; `None` for other units.
fn first_day(unit: Unit, days: i64) -> Option<i64> {
    Some(match unit {
        Unit::Day => days,
        Unit::Week => {
            let (year, month, day) = civil_from_days(days);
            let (year, week) = iso_year_week(year, month, day);
            iso_week_monday(year, week)
        }
        Unit::Month => days - i64::from(civil_from_days(days).2 - 1),
        Unit::Quarter => {
            let (year, month, _) = civil_from_days(days);
            days_from_civil(i64::from(year), i64::from((month - 1) / 3 * 3 + 1), 1)
        }
        Unit::Year | Unit::Decade | Unit::Century | Unit::Millennium => {
            let (year, _, _) = civil_from_days(days);
            days_from_civil(i64::from(year_floor(unit, year)), 1, 1)
        }
        _ => return None,
    })
}

/// Truncates a local timestamp; `None` when the type has no such unit.
fn truncate(unit: Unit, local: i64) -> Option<Option<i64>> {
    if let Some(step) = clock_step(unit) {
        return Some(Some(local - local.rem_euclid(step)));
    }
    let first = first_day(unit, local.div_euclid(USECS_PER_DAY))?;
    Some(first.checked_mul(USECS_PER_DAY))
}

fn checked(ts: Option<i64>) -> PgResult<i64> {
    ts.filter(|ts| timestamp_in_range(*ts))
        .ok_or_else(timestamp_range)
}

/// True for the units that `date_trunc` of timestamps knows.
fn known(unit: Unit) -> bool {
    use Unit::{Century, Day, Decade, Millennium, Month, Quarter, Week, Year};
    let of_days = matches!(
        unit,
        Day | Week | Month | Quarter | Year | Decade | Century | Millennium
    );
    of_days || clock_step(unit).is_some()
}

/// Only the words of intervals name units to truncate to: `dow` or `epoch` are unknown here.
fn unit_of(units: &str, of: Oid) -> PgResult<Unit> {
    let lower = match units.bytes().any(|b| b.is_ascii_uppercase()) {
        true => Cow::Owned(units.to_ascii_lowercase()),
        false => Cow::Borrowed(units),
    };
    match interval_word(&lower) {
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const UNITS: [&str; 14] = [
        "microseconds",
        "ms",
        "second",
        "Minute",
        "hour",
        "DAY",
        "week",
        "month",
        "quarter",
        "year",
        "decade",
        "century",
        "millennium",
        "months",
    ];

    /// What is truncated is truncated, not later, and the microsecond before it belongs to the unit before; units know each other.
    #[test]
    fn units_begin_where_they_begin() {
        let mut moments: Vec<i64> = (-130_i64..470).map(|n| n * n * n * 86_399_999_977).collect();
        moments.extend([0, -1, 1, USECS_PER_DAY, -USECS_PER_DAY, 31 * USECS_PER_DAY - 1]);
        for units in UNITS {
            let unit = unit_for(units, oids::TIMESTAMP).unwrap();
            for &ts in moments.iter().filter(|ts| timestamp_in_range(**ts)) {
                let Some(first) = truncate(unit, ts).unwrap() else {
                    continue;
                };
                assert!(first <= ts, "{units} of {ts}");
                assert_eq!(truncate(unit, first), Some(Some(first)), "{units} of {ts}");
                let before = truncate(unit, first - 1).unwrap().unwrap();
                assert!(before < first, "{units} of {ts}");
                if matches!(unit, Unit::Month | Unit::Quarter | Unit::Year | Unit::Decade) {
                    let (_, month, day) =
                        civil_from_days(first / USECS_PER_DAY - i64::from(first % USECS_PER_DAY < 0));
                    assert!(
                        day == 1 && (unit == Unit::Month || month % 3 == 1),
                        "{units} of {ts}"
                    );
                }
            }
        }
        assert!(unit_for("dow", oids::TIMESTAMP).is_err() && unit_for("timezone", oids::TIMESTAMP).is_err());
    }
}
