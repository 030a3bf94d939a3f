//! Dates and times in paths: reading, casting, comparing, printing.

use std::cmp::Ordering;
use std::sync::LazyLock;

use common::cancel::CancelToken;
use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, pg_err};
use jiff::tz::TimeZone;
use types::datetime::civil::time_of;
use types::datetime::{
    TimeTz, USECS_PER_DAY, USECS_PER_SEC, adjust_time_precision, adjust_timestamp_precision, zone,
};
use types::jsonpath::Method;
use types::{Datum, FormatSettings, oids};

use crate::families::datetime::arith::date_timestamp;
use crate::families::datetime::cast::{to_local, to_utc};
use crate::families::datetime::compare::cmp_timetz;
use crate::families::format::template::{Node, Pattern, Template};
use crate::families::format::{date_fields, date_in};
use crate::families::json::value::push_datetime;
use crate::families::jsonpath::exec::{Fail, soft};
use crate::families::jsonpath::value::{DateTime, PathValue};
use crate::framework::context::FnContext;

/// What `.type()` says.
pub(crate) fn type_name(type_oid: Oid) -> &'static str {
    match type_oid {
        oids::DATE => "date",
        oids::TIME => "time without time zone",
        oids::TIMETZ => "time with time zone",
        oids::TIMESTAMP => "timestamp without time zone",
        _ => "timestamp with time zone",
    }
}

/// The short names that messages about casts use.
fn short_name(type_oid: Oid) -> &'static str {
    match type_oid {
        oids::DATE => "date",
        oids::TIME => "time",
        oids::TIMETZ => "timetz",
        oids::TIMESTAMP => "timestamp",
        _ => "timestamptz",
    }
}

/// The text of the JSON string that it becomes.
pub(crate) fn json_text(d: &DateTime) -> PgResult<String> {
    let mut settings = FormatSettings::default();
    let mut out = String::new();
    match d.type_oid {
        oids::TIMESTAMPTZ => {
            settings.time_zone = zone::fixed_zone(d.zone_west).0;
            push_datetime(d.type_oid, &d.value, &settings, &mut out)?;
        }
        oids::TIMETZ => {
            types::io::output(
                d.type_oid,
                &d.value,
                &types::io::IoContext::new(&settings),
                &mut out,
            )?;
            if out.rfind(['+', '-']).is_some_and(|at| out.len() - at == 3) {
                out.push_str(":00");
            }
        }
        oids::TIME => types::io::output(
            d.type_oid,
            &d.value,
            &types::io::IoContext::new(&settings),
            &mut out,
        )?,
        _ => push_datetime(d.type_oid, &d.value, &settings, &mut out)?,
    }
    Ok(out)
}

/// An SQL date or time as an item; a `timestamptz` prints in UTC.
pub(crate) fn from_sql(type_oid: Oid, value: &Datum) -> PathValue<'static> {
    PathValue::DateTime(DateTime {
        type_oid,
        value: value.clone(),
        zone_west: 0,
    })
}

/// The formats that are tried without a template, in this order.
static FORMATS: LazyLock<Vec<Template>> = LazyLock::new(|| {
    let times = ["HH24:MI:SS.US", "HH24:MI:SS"];
    let zones = ["TZH:TZM", "TZH", "TZ"];
    let mut list = vec!["yyyy-mm-dd".to_owned()];
    for prefix in ["", "yyyy-mm-dd ", "yyyy-mm-dd\"T\""] {
        for zone in zones {
            list.extend(times.map(|time| format!("{prefix}{time}{zone}")));
        }
        list.extend(times.map(|time| format!("{prefix}{time}")));
    }
    list.iter()
        .map(|f| Template::parse(f, CancelToken::never()))
        .collect()
});

/// Which parts a template asks for.
#[derive(Clone, Copy, Default)]
struct Parts {
    dated: bool,
    timed: bool,
    zoned: bool,
}

fn parts(template: &Template) -> Parts {
    let mut p = Parts::default();
    for node in &template.nodes {
        let Node::Field(field) = node else { continue };
        match field.keyword.pattern {
            Pattern::Exact => {}
            Pattern::Meridian(_)
            | Pattern::MeridianDots(_)
            | Pattern::Hour24
            | Pattern::Hour12
            | Pattern::Minute
            | Pattern::Second
            | Pattern::Millisecond
            | Pattern::Microsecond
            | Pattern::Fraction(_)
            | Pattern::SecondsOfDay => p.timed = true,
            Pattern::Zone(_) | Pattern::Offset | Pattern::ZoneHour | Pattern::ZoneMinute => p.zoned = true,
            _ => p.dated = true,
        }
    }
    p
}

#[cold]
fn bad(message: &str) -> Box<PgError> {
    pg_err!(INVALID_DATETIME_FORMAT, "{message}")
}

/// Characters that may stand in a template outside of quotes.
fn check_separators(template: &str) -> PgResult<()> {
    let parsed = Template::parse(template, CancelToken::never());
    let mut quoted = false;
    let quotes: Vec<char> = template.chars().filter(|c| *c == '"').collect();
    if !quotes.is_empty() {
        quoted = true;
    }
    for node in &parsed.nodes {
        let (Node::Char(c) | Node::Separator(c)) = node else {
            continue;
        };
        if !quoted && !matches!(c, '-' | '.' | '/' | ',' | '\'' | ';' | ':' | ' ') {
            return Err(bad(&format!("invalid datetime format separator: \"{c}\"")));
        }
    }
    Ok(())
}

/// Reads text by a template, strictly, as the type that the template's fields make.
fn read(text: &str, template: &Template, ctx: &FnContext<'_>) -> PgResult<DateTime> {
    let session: &TimeZone = &ctx.settings.time_zone;
    let found = date_in::read_strictly(template, text, session)?;
    let read = date_fields::resolve(&found, text)?;
    let p = parts(template);
    let precision = found.precision.map_or(-1, i32::from);
    let civil = read.civil;
    let out_of_range = |what: &str| pg_err!(DATETIME_VALUE_OUT_OF_RANGE, "{what} out of range");
    let zone_west = || {
        read.zone_west
            .ok_or_else(|| bad("missing time zone in input string for type timestamptz"))
    };
    let (type_oid, value, zone_west) = match (p.dated, p.timed, p.zoned) {
        (true, true, true) => {
            let west = zone_west()?;
            let ts = civil
                .to_timestamp(west)
                .ok_or_else(|| out_of_range("timestamptz"))?;
            (
                oids::TIMESTAMPTZ,
                Datum::Int8(adjust_timestamp_precision(ts, precision)?),
                west,
            )
        }
        (true, true, false) => {
            let ts = civil.to_timestamp(0).ok_or_else(|| out_of_range("timestamp"))?;
            (
                oids::TIMESTAMP,
                Datum::Int8(adjust_timestamp_precision(ts, precision)?),
                0,
            )
        }
        (true, false, true) => return Err(bad("datetime format is zoned but not timed")),
        (true, false, false) => (oids::DATE, Datum::Int4(civil.days() as i32), 0),
        (false, true, true) => {
            let value = TimeTz {
                micros: adjust_time_precision(time_of(&civil), precision),
                zone_west: zone_west()?,
            };
            (oids::TIMETZ, Datum::Bytes(value.to_bytes().as_slice().into()), 0)
        }
        (false, true, false) => {
            let micros = adjust_time_precision(time_of(&civil), precision);
            (oids::TIME, Datum::Int8(micros), 0)
        }
        _ => return Err(bad("datetime format is not dated and not timed")),
    };
    Ok(DateTime {
        type_oid,
        value,
        zone_west,
    })
}

/// `.datetime("template")`.
pub(crate) fn by_template(text: &str, template: &str, ctx: &FnContext<'_>) -> Result<DateTime, Fail> {
    if let Err(e) = check_separators(template) {
        return soft(e);
    }
    read(text, &Template::parse(template, ctx.cancel), ctx).or_else(soft)
}

#[cold]
fn not_recognized(method: Method, text: &str) -> Box<PgError> {
    let e = pg_err!(
        INVALID_ARGUMENT_FOR_SQL_JSON_DATETIME_FUNCTION,
        "{} format is not recognized: \"{text}\"",
        method.name()
    );
    if method == Method::Datetime {
        e.hint("Use a datetime template argument to specify the input data format.")
    } else {
        e
    }
}

/// By the first of the standard formats that fits.
pub(crate) fn by_format(text: &str, method: Method, ctx: &FnContext<'_>) -> Result<DateTime, Fail> {
    for template in FORMATS.iter() {
        if let Ok(found) = read(text, template, ctx) {
            return Ok(found);
        }
    }
    soft(not_recognized(method, text))
}

#[cold]
fn needs_time_zone(from: Oid, to: Oid) -> Fail {
    Fail::Hard(
        pg_err!(
            FEATURE_NOT_SUPPORTED,
            "cannot convert value from {} to {} without time zone usage",
            short_name(from),
            short_name(to)
        )
        .hint("Use *_tz() function for time zone support."),
    )
}

fn micros(d: &DateTime) -> i64 {
    match &d.value {
        Datum::Int8(v) => *v,
        Datum::Int4(v) => i64::from(*v),
        _ => 0,
    }
}

fn timetz(d: &DateTime) -> TimeTz {
    match &d.value {
        Datum::Bytes(b) => TimeTz::from_bytes(b),
        _ => TimeTz::default(),
    }
}

/// A time in the session's zone of today.
fn time_to_timetz(time: i64, ctx: &FnContext<'_>) -> PgResult<TimeTz> {
    let now = ctx.session.transaction_timestamp()?;
    let today = to_local(ctx, now).div_euclid(USECS_PER_DAY) * USECS_PER_DAY;
    Ok(TimeTz {
        micros: time,
        zone_west: zone::west_of_local(&ctx.settings.time_zone, today + time),
    })
}

/// True when PostgreSQL has the cast but it depends on the session's zone.
fn is_zoned_cast(from: Oid, to: Oid) -> bool {
    let zoned = |t: Oid| matches!(t, oids::TIMESTAMPTZ | oids::TIMETZ);
    match (from, to) {
        (oids::TIMESTAMPTZ, oids::TIMETZ) => false,
        (oids::TIMETZ, oids::TIME) | (oids::TIME, oids::TIMETZ) => true,
        (a, b) => zoned(a) != zoned(b),
    }
}

/// Casts to another type; `None` when there is no such cast.
pub(crate) fn cast(
    d: &DateTime,
    to: Oid,
    use_tz: bool,
    ctx: &FnContext<'_>,
) -> Result<Option<DateTime>, Fail> {
    if d.type_oid == to {
        return Ok(Some(d.clone()));
    }
    let possible = matches!(
        (d.type_oid, to),
        (oids::TIMESTAMP | oids::TIMESTAMPTZ, oids::DATE)
            | (oids::TIMETZ | oids::TIMESTAMP | oids::TIMESTAMPTZ, oids::TIME)
            | (oids::TIME | oids::TIMESTAMPTZ, oids::TIMETZ)
            | (oids::DATE | oids::TIMESTAMPTZ, oids::TIMESTAMP)
            | (oids::DATE | oids::TIMESTAMP, oids::TIMESTAMPTZ)
    );
    if !possible {
        return Ok(None);
    }
    if is_zoned_cast(d.type_oid, to) && !use_tz {
        return Err(needs_time_zone(d.type_oid, to));
    }
    let v = micros(d);
    let local = |v: i64| match d.type_oid {
        oids::TIMESTAMPTZ => to_local(ctx, v),
        _ => v,
    };
    let mut zone_west = 0;
    let value = match (d.type_oid, to) {
        (_, oids::DATE) => Datum::Int4(local(v).div_euclid(USECS_PER_DAY) as i32),
        (oids::TIMETZ, oids::TIME) => Datum::Int8(timetz(d).micros),
        (_, oids::TIME) => Datum::Int8(local(v).rem_euclid(USECS_PER_DAY)),
        (oids::TIME, _) if to == oids::TIMETZ => {
            Datum::Bytes(time_to_timetz(v, ctx)?.to_bytes().as_slice().into())
        }
        (_, oids::TIMETZ) => {
            let zone_west = zone::west_at(&ctx.settings.time_zone, v);
            let value = TimeTz {
                micros: (v - i64::from(zone_west) * USECS_PER_SEC).rem_euclid(USECS_PER_DAY),
                zone_west,
            };
            Datum::Bytes(value.to_bytes().as_slice().into())
        }
        (oids::DATE, oids::TIMESTAMP) => Datum::Int8(date_timestamp(v as i32)?),
        (_, oids::TIMESTAMP) => Datum::Int8(local(v)),
        (from, _) => {
            let wall = if from == oids::DATE {
                date_timestamp(v as i32)?
            } else {
                v
            };
            let ts = to_utc(ctx, wall)?;
            zone_west = zone::west_at(&ctx.settings.time_zone, ts);
            Datum::Int8(ts)
        }
    };
    Ok(Some(DateTime {
        type_oid: to,
        value,
        zone_west,
    }))
}

/// The type that a method makes; `None` for `.datetime()`.
pub(crate) fn method_type(method: Method) -> Option<Oid> {
    match method {
        Method::Date => Some(oids::DATE),
        Method::Time => Some(oids::TIME),
        Method::TimeTz => Some(oids::TIMETZ),
        Method::Timestamp => Some(oids::TIMESTAMP),
        Method::TimestampTz => Some(oids::TIMESTAMPTZ),
        _ => None,
    }
}

/// What a method makes of a value that was read.
pub(crate) fn for_method(
    d: DateTime,
    method: Method,
    text: &str,
    precision: Option<i32>,
    (use_tz, ctx): (bool, &FnContext<'_>),
) -> Result<DateTime, Fail> {
    let Some(to) = method_type(method) else {
        return Ok(d);
    };
    let Some(mut d) = cast(&d, to, use_tz, ctx)? else {
        return soft(pg_err!(
            INVALID_ARGUMENT_FOR_SQL_JSON_DATETIME_FUNCTION,
            "{} format is not recognized: \"{text}\"",
            method.name()
        ));
    };
    let Some(precision) = precision else { return Ok(d) };
    let precision = limit_precision(precision, to, ctx)?;
    d.value = match &d.value {
        Datum::Int8(v) if to == oids::TIME => Datum::Int8(adjust_time_precision(*v, precision)),
        Datum::Int8(v) => match adjust_timestamp_precision(*v, precision) {
            Ok(v) => Datum::Int8(v),
            Err(e) => return soft(e),
        },
        Datum::Bytes(b) => {
            let mut t = TimeTz::from_bytes(b);
            t.micros = adjust_time_precision(t.micros, precision);
            Datum::Bytes(t.to_bytes().as_slice().into())
        }
        other => other.clone(),
    };
    Ok(d)
}

/// More than six digits are a warning and six.
fn limit_precision(precision: i32, to: Oid, ctx: &FnContext<'_>) -> PgResult<i32> {
    if precision <= 6 {
        return Ok(precision);
    }
    let (name, suffix) = match to {
        oids::TIME => ("TIME", ""),
        oids::TIMETZ => ("TIME", " WITH TIME ZONE"),
        oids::TIMESTAMP => ("TIMESTAMP", ""),
        _ => ("TIMESTAMP", " WITH TIME ZONE"),
    };
    ctx.session.notice(PgError::notice(
        common::error::Severity::Warning,
        common::sqlstate::INVALID_PARAMETER_VALUE,
        format!("{name}({precision}){suffix} precision reduced to maximum allowed, 6"),
    ))?;
    Ok(6)
}

/// The order of two dates or times; `None` when their types cannot be compared.
pub(crate) fn compare(
    a: &DateTime,
    b: &DateTime,
    use_tz: bool,
    ctx: &FnContext<'_>,
) -> Result<Option<Ordering>, Fail> {
    let common = match (a.type_oid, b.type_oid) {
        (x, y) if x == y => x,
        (oids::DATE, oids::TIMESTAMP) | (oids::TIMESTAMP, oids::DATE) => oids::TIMESTAMP,
        (oids::DATE | oids::TIMESTAMP, oids::TIMESTAMPTZ)
        | (oids::TIMESTAMPTZ, oids::DATE | oids::TIMESTAMP) => oids::TIMESTAMPTZ,
        (oids::TIME, oids::TIMETZ) | (oids::TIMETZ, oids::TIME) => oids::TIMETZ,
        _ => return Ok(None),
    };
    // A date beyond all timestamps is greater or less than any of them.
    for (date, sign) in [(a, Ordering::Greater), (b, Ordering::Less)] {
        if date.type_oid == oids::DATE && common != oids::DATE && date_timestamp(micros(date) as i32).is_err()
        {
            return Ok(Some(if micros(date) > 0 { sign } else { sign.reverse() }));
        }
    }
    let (Some(a), Some(b)) = (cast(a, common, use_tz, ctx)?, cast(b, common, use_tz, ctx)?) else {
        return Ok(None);
    };
    Ok(Some(if common == oids::TIMETZ {
        cmp_timetz(timetz(&a), timetz(&b))
    } else {
        micros(&a).cmp(&micros(&b))
    }))
}
