//! Dates and times from numbers.

use common::error::ErrorExt;
use common::{PgResult, pg_err};
use types::datetime::civil::{Civil, days_in_month, is_valid_julian};
use types::datetime::error::ParseError;
use types::datetime::zone::{self, ZoneWord};
use types::datetime::{
    END_DATE, MIN_DATE, TIMESTAMP_INFINITY, TIMESTAMP_NEG_INFINITY, UNIX_EPOCH_DAYS, USECS_PER_DAY,
    USECS_PER_SEC, timestamp_in_range,
};

use crate::families::datetime::error::{timestamp_range, zone_unknown};
use crate::families::number_text::general;
use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

/// Checks a date given in numbers (negative years are BC).
fn date_of(year: i32, month: i32, day: i32) -> PgResult<Civil> {
    // There is no year zero; -1 is 1 BC.
    let astronomical = if year < 0 { year.saturating_add(1) } else { year };
    let valid = year != 0
        && year != i32::MIN
        && (1..=12).contains(&month)
        && day >= 1
        && day <= days_in_month(astronomical, month);
    if !valid {
        return Err(pg_err!(
            DATETIME_FIELD_OVERFLOW,
            "date field value out of range: {year}-{month:02}-{day:02}"
        ));
    }
    Ok(Civil {
        year: astronomical,
        month,
        day,
        ..Civil::default()
    })
}

fn make_date(year: i32, month: i32, day: i32) -> PgResult<i32> {
    // PostgreSQL's message shows its own count of BC years.
    let c = date_of(year, month, day).map_err(|mut e| {
        if year < 0 && year != i32::MIN {
            let shown = year + 1;
            e.message = format!("date field value out of range: {shown}-{month:02}-{day:02}");
        }
        e
    })?;
    if !is_valid_julian(c.year, c.month) || !(MIN_DATE..END_DATE).contains(&c.days()) {
        return Err(pg_err!(
            DATETIME_VALUE_OUT_OF_RANGE,
            "date out of range: {}-{month:02}-{day:02}",
            // PostgreSQL shows its own count of BC years here.
            c.year
        ));
    }
    Ok(c.days() as i32)
}

/// Seconds as `%02g` prints them.
fn shown_seconds(seconds: f64) -> String {
    format!("{:0>2}", general(seconds))
}

fn make_time(hour: i32, minute: i32, seconds: f64) -> PgResult<i64> {
    let micros = (seconds * 1e6).round_ties_even();
    let fields = (0..=24).contains(&hour) && (0..60).contains(&minute) && (0.0..=60e6).contains(&micros);
    let total = (i64::from(hour) * 3600 + i64::from(minute) * 60) * USECS_PER_SEC
        + if fields { micros as i64 } else { 0 };
    if !fields || total > USECS_PER_DAY {
        return Err(pg_err!(
            DATETIME_FIELD_OVERFLOW,
            "time field value out of range: {hour}:{minute:02}:{}",
            shown_seconds(seconds)
        ));
    }
    Ok(total)
}

fn make_timestamp(year: i32, month: i32, day: i32, hour: i32, minute: i32, seconds: f64) -> PgResult<i64> {
    let c = date_of(year, month, day)?;
    if !is_valid_julian(c.year, c.month) {
        return Err(pg_err!(
            DATETIME_VALUE_OUT_OF_RANGE,
            "date out of range: {year}-{month:02}-{day:02}"
        ));
    }
    let time = make_time(hour, minute, seconds)?;
    let ts = c.to_timestamp_unchecked().and_then(|d| d.checked_add(time));
    ts.filter(|ts| timestamp_in_range(*ts)).ok_or_else(|| {
        pg_err!(
            DATETIME_VALUE_OUT_OF_RANGE,
            "timestamp out of range: {year}-{month:02}-{day:02} {hour}:{minute:02}:{}",
            shown_seconds(seconds)
        )
    })
}

fn to_utc(local: i64, west: i32) -> PgResult<i64> {
    let ts = local + i64::from(west) * USECS_PER_SEC;
    if timestamp_in_range(ts) {
        Ok(ts)
    } else {
        Err(timestamp_range())
    }
}

fn make_timestamptz(
    ctx: &mut FnContext<'_>,
    year: i32,
    month: i32,
    day: i32,
    hour: i32,
    minute: i32,
    seconds: f64,
) -> PgResult<i64> {
    let local = make_timestamp(year, month, day, hour, minute, seconds)?;
    to_utc(local, zone::west_of_local(&ctx.settings.time_zone, local))
}

/// Offset west of a zone written by the user, where a bare number would be ambiguous.
fn sane_zone(ctx: &FnContext<'_>, local: i64, name: &str) -> PgResult<i32> {
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "invalid input syntax for type numeric time zone: \"{name}\""
        )
        .hint("Numeric time zones must have \"-\" or \"+\" as first character."));
    }
    match zone::parse_offset(name) {
        Ok(west) => return Ok(west),
        Err(ParseError::ZoneOverflow) => {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "numeric time zone \"{name}\" out of range"
            ));
        }
        Err(_) => {}
    }
    match zone::named(&ctx.settings.time_zone, name) {
        Some(ZoneWord::Fixed(west, _)) => Ok(west),
        Some(ZoneWord::Dynamic(z)) => Ok(zone::abbreviation_west_of_local(&z, name, local)),
        Some(ZoneWord::Full(z)) => Ok(zone::west_of_local(&z, local)),
        None => Err(zone_unknown(name)),
    }
}

fn make_timestamptz_at_timezone(
    ctx: &mut FnContext<'_>,
    year: i32,
    month: i32,
    day: i32,
    hour: i32,
    minute: i32,
    seconds: f64,
    name: &str,
) -> PgResult<i64> {
    let local = make_timestamp(year, month, day, hour, minute, seconds)?;
    let west = sane_zone(ctx, local, name)?;
    to_utc(local, west)
}

/// `to_timestamp(float8)`: seconds since 1970.
fn float8_timestamptz(seconds: f64) -> PgResult<i64> {
    if seconds.is_nan() {
        return Err(pg_err!(DATETIME_VALUE_OUT_OF_RANGE, "timestamp cannot be NaN"));
    }
    if seconds.is_infinite() {
        return Ok(if seconds > 0.0 {
            TIMESTAMP_INFINITY
        } else {
            TIMESTAMP_NEG_INFINITY
        });
    }
    let out_of_range = || {
        pg_err!(
            DATETIME_VALUE_OUT_OF_RANGE,
            "timestamp out of range: \"{}\"",
            general(seconds)
        )
    };
    let (first, end) = (-210_866_803_200.0, 9_224_318_016_000.0);
    if !(first..end).contains(&seconds) {
        return Err(out_of_range());
    }
    let shifted = seconds - (UNIX_EPOCH_DAYS * 86_400) as f64;
    let ts = (shifted * 1e6).round_ties_even() as i64;
    if timestamp_in_range(ts) {
        Ok(ts)
    } else {
        Err(out_of_range())
    }
}

builtins! {
    make_date(year: int4, month: int4, day: int4) -> date;
    make_time(hour: int4, minute: int4, seconds: float8) -> time;
    make_timestamp(year: int4, month: int4, day: int4, hour: int4, minute: int4, seconds: float8) -> timestamp;
    make_timestamptz(ctx, year: int4, month: int4, day: int4, hour: int4, minute: int4, seconds: float8) -> timestamptz;
    make_timestamptz_at_timezone(ctx, year: int4, month: int4, day: int4, hour: int4, minute: int4, seconds: float8, zone: text) -> timestamptz;
    float8_timestamptz(seconds: float8) -> timestamptz;
}
