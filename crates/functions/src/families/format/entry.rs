//! `to_char` of dates, times and intervals, `to_date`, `to_timestamp`.

use common::{PgResult, pg_err};
use types::Interval;
use types::datetime::civil::{Civil, day_of_week, day_of_year, is_valid_julian, julian};
use types::datetime::interval_out::IntervalFields;
use types::datetime::{
    END_DATE, MIN_DATE, USECS_PER_SEC, adjust_timestamp_precision, timestamp_is_finite, zone,
};

use crate::families::format::date_out::Moment;
use crate::families::format::template::Template;
use crate::families::format::{date_fields, date_in, date_out};
use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

/// The parsed template, kept with the call site.
fn template<'c>(ctx: &'c mut FnContext<'_>, source: &str) -> PgResult<&'c Template> {
    let cancel = ctx.cancel;
    let cached = ctx.cache.get_or_try_insert(
        |t: &Template| t.source == source,
        || {
            let template = Template::parse(source, cancel);
            cancel.check().map(|()| template)
        },
    )?;
    Ok(cached)
}

fn moment(c: &Civil) -> Moment {
    Moment {
        year: c.year,
        month: c.month,
        day: c.day,
        hour: i64::from(c.hour),
        minute: c.minute,
        second: c.second,
        micros: c.micros,
        weekday: day_of_week(c.days()),
        day_of_year: day_of_year(c.year, c.month, c.day),
        julian: julian(c.year, c.month, c.day),
        ..Moment::default()
    }
}

fn timestamp_to_char(ctx: &mut FnContext<'_>, ts: i64, format: &str) -> PgResult<Option<String>> {
    if format.is_empty() || !timestamp_is_finite(ts) {
        return Ok(None);
    }
    date_out::print(template(ctx, format)?, &moment(&Civil::from_timestamp(ts))).map(Some)
}

fn timestamptz_to_char(ctx: &mut FnContext<'_>, ts: i64, format: &str) -> PgResult<Option<String>> {
    if format.is_empty() || !timestamp_is_finite(ts) {
        return Ok(None);
    }
    let offset = zone::offset_at(&ctx.settings.time_zone, ts);
    let local = ts - i64::from(offset.west) * USECS_PER_SEC;
    let moment = Moment {
        east: -offset.west,
        zone: offset.abbreviation,
        ..moment(&Civil::from_timestamp(local))
    };
    date_out::print(template(ctx, format)?, &moment).map(Some)
}

fn interval_to_char(ctx: &mut FnContext<'_>, v: Interval, format: &str) -> PgResult<Option<String>> {
    if format.is_empty() || !v.is_finite() {
        return Ok(None);
    }
    let f = IntervalFields::from(v);
    let (year, month, day) = (f.years as i32, f.months as i32, f.days as i32);
    let moment = Moment {
        year,
        month,
        day,
        hour: f.hours,
        minute: f.minutes,
        second: f.seconds,
        micros: f.micros,
        day_of_year: year
            .wrapping_mul(12)
            .wrapping_add(month)
            .wrapping_mul(30)
            .wrapping_add(day),
        julian: julian(year, month, day),
        is_interval: true,
        ..Moment::default()
    };
    date_out::print(template(ctx, format)?, &moment).map(Some)
}

fn read(ctx: &mut FnContext<'_>, input: &str, format: &str) -> PgResult<(date_fields::Read, Option<u8>)> {
    let session = ctx.settings.time_zone.clone();
    let found = date_in::read(template(ctx, format)?, input, &session)?;
    Ok((date_fields::resolve(&found, input)?, found.precision))
}

fn to_timestamp(ctx: &mut FnContext<'_>, input: &str, format: &str) -> PgResult<i64> {
    let (read, precision) = read(ctx, input, format)?;
    let out_of_range = || pg_err!(DATETIME_VALUE_OUT_OF_RANGE, "timestamp out of range");
    let west = match read.zone_west {
        Some(west) => west,
        None => {
            let local = read.civil.to_timestamp_unchecked().ok_or_else(out_of_range)?;
            zone::west_of_local(&ctx.settings.time_zone, local)
        }
    };
    let ts = read.civil.to_timestamp(west).ok_or_else(out_of_range)?;
    adjust_timestamp_precision(ts, precision.map_or(-1, i32::from))
}

fn to_date(ctx: &mut FnContext<'_>, input: &str, format: &str) -> PgResult<i32> {
    let (read, _) = read(ctx, input, format)?;
    let c = read.civil;
    if is_valid_julian(c.year, c.month) && (MIN_DATE..END_DATE).contains(&c.days()) {
        return Ok(c.days() as i32);
    }
    Err(pg_err!(
        DATETIME_VALUE_OUT_OF_RANGE,
        "date out of range: \"{input}\""
    ))
}

builtins! {
    timestamp_to_char(ctx, ts: timestamp, format: text) -> text;
    timestamptz_to_char(ctx, ts: timestamptz, format: text) -> text;
    interval_to_char(ctx, v: interval, format: text) -> text;
    to_timestamp(ctx, input: text, format: text) -> timestamptz;
    to_date(ctx, input: text, format: text) -> date;
}
