//! `extract` (numeric results) and `date_part` (float8) of every field of every type.

use common::{Oid, PgError, PgResult, pg_err, unsupported};
use types::datetime::civil::{Civil, day_of_week, day_of_year, iso_year_week, julian};
use types::datetime::interval_out::IntervalFields;
use types::datetime::words::{FieldName, Unit, field_name};
use types::datetime::{
    DATE_INFINITY, TIMESTAMP_INFINITY, TimeTz, UNIX_EPOCH_DAYS, USECS_PER_DAY, USECS_PER_SEC, date_is_finite,
    timestamp_is_finite, zone,
};
use types::io_text::NAME_LEN_MAX;
use types::{Interval, Numeric, oids};

use crate::framework::context::FnContext;
use crate::framework::macros::builtins;

/// The value of a field, exact.
enum Field {
    /// `unscaled / 10^scale`.
    Exact(i128, u16),
    /// A Julian day and microseconds into it.
    Julian(i64, i64),
    /// Oscillating field of an infinite value.
    Null,
    /// Growing field of an infinite value; true for the negative one.
    Infinite(bool),
}

impl Field {
    fn int(v: impl Into<i128>) -> PgResult<Field> {
        Ok(Field::Exact(v.into(), 0))
    }

    fn numeric(self) -> Option<Numeric> {
        Some(match self {
            Field::Exact(unscaled, scale) => Numeric::from_i128(unscaled, scale),
            Field::Julian(day, micros) => julian_numeric(day, micros),
            Field::Null => return None,
            Field::Infinite(true) => Numeric::NegInf,
            Field::Infinite(false) => Numeric::PosInf,
        })
    }

    fn float(self) -> Option<f64> {
        Some(match self {
            Field::Exact(unscaled, scale) => unscaled as f64 / 10_f64.powi(i32::from(scale)),
            Field::Julian(day, micros) => {
                let c = Civil::from_time(micros);
                let seconds = f64::from(c.hour * 3600 + c.minute * 60 + c.second) + f64::from(c.micros) / 1e6;
                day as f64 + seconds / 86_400.0
            }
            Field::Null => return None,
            Field::Infinite(negative) => {
                if negative {
                    f64::NEG_INFINITY
                } else {
                    f64::INFINITY
                }
            }
        })
    }
}

/// The day plus its fraction with the scale that numeric division would give.
fn julian_numeric(day: i64, micros: i64) -> Numeric {
    // Weight and first digit in base 10,000 of the dividend; those of a day's microseconds are 2 and 864.
    let (mut weight, mut first) = (0, micros);
    while first >= 10_000 {
        first /= 10_000;
        weight += 1;
    }
    let mut quotient_weight = weight - 2;
    if first <= 864 {
        quotient_weight -= 1;
    }
    let scale = (16 - quotient_weight * 4).max(0) as u32;
    let unit = 10_i128.pow(scale);
    let day_micros = i128::from(USECS_PER_DAY);
    let fraction = (i128::from(micros) * unit + day_micros / 2) / day_micros;
    Numeric::from_i128(i128::from(day) * unit + fraction, scale as u16)
}

fn type_name(oid: Oid) -> &'static str {
    match oid {
        oids::DATE => "date",
        oids::TIME => "time without time zone",
        oids::TIMETZ => "time with time zone",
        oids::TIMESTAMP => "timestamp without time zone",
        oids::TIMESTAMPTZ => "timestamp with time zone",
        _ => "interval",
    }
}

/// The name of a unit as messages show it: lower case, no longer than an identifier.
fn shown(units: &str) -> String {
    let end = (0..=NAME_LEN_MAX.min(units.len()))
        .rev()
        .find(|at| units.is_char_boundary(*at));
    units[..end.unwrap_or(0)].to_ascii_lowercase()
}

/// A field of this name exists, but not in this type.
#[cold]
pub(crate) fn unit_unsupported(units: &str, of: Oid) -> Box<PgError> {
    unsupported!(
        "unit \"{}\" not supported for type {}",
        shown(units),
        type_name(of)
    )
}

/// No field has this name.
#[cold]
pub(crate) fn unit_unknown(units: &str, of: Oid) -> Box<PgError> {
    pg_err!(
        INVALID_PARAMETER_VALUE,
        "unit \"{}\" not recognized for type {}",
        shown(units),
        type_name(of)
    )
}

/// The unit behind a name, or the error for a type that cannot have it.
pub(crate) fn unit_of(units: &str, of: Oid) -> PgResult<Unit> {
    match field_name(units) {
        FieldName::Unit(unit) => Ok(unit),
        FieldName::Reserved => Err(unit_unsupported(units, of)),
        FieldName::Unknown => Err(unit_unknown(units, of)),
    }
}

/// Some types call reserved words (`now`) unknown rather than unsupported.
fn refuse_reserved(units: &str, of: Oid) -> PgResult<()> {
    match field_name(units) {
        FieldName::Reserved => Err(unit_unknown(units, of)),
        _ => Ok(()),
    }
}

/// Fields of a year; BC years count back from -1.
fn year_field(unit: Unit, year: i32) -> Option<i32> {
    Some(match unit {
        Unit::Year => {
            if year > 0 {
                year
            } else {
                year - 1
            }
        }
        Unit::Decade => {
            if year >= 0 {
                year / 10
            } else {
                -((8 - (year - 1)) / 10)
            }
        }
        Unit::Century => {
            if year > 0 {
                (year + 99) / 100
            } else {
                -((99 - (year - 1)) / 100)
            }
        }
        Unit::Millennium => {
            if year > 0 {
                (year + 999) / 1000
            } else {
                -((999 - (year - 1)) / 1000)
            }
        }
        _ => return None,
    })
}

/// Fields of a date.
fn date_field(unit: Unit, c: &Civil) -> Option<i32> {
    if let Some(v) = year_field(unit, c.year) {
        return Some(v);
    }
    Some(match unit {
        Unit::Day => c.day,
        Unit::Month => c.month,
        Unit::Quarter => (c.month - 1) / 3 + 1,
        Unit::Week => iso_year_week(c.year, c.month, c.day).1,
        Unit::IsoYear => {
            let (year, _) = iso_year_week(c.year, c.month, c.day);
            if year <= 0 { year - 1 } else { year }
        }
        Unit::Dow => day_of_week(c.days()),
        Unit::IsoDow => (day_of_week(c.days()) + 6) % 7 + 1,
        Unit::Doy => day_of_year(c.year, c.month, c.day),
        _ => return None,
    })
}

/// Fields of a time of day.
fn time_field(unit: Unit, c: &Civil) -> Option<Field> {
    let micros = i128::from(c.second) * 1_000_000 + i128::from(c.micros);
    Some(match unit {
        Unit::Microsecond => Field::Exact(micros, 0),
        Unit::Millisecond => Field::Exact(micros, 3),
        Unit::Second => Field::Exact(micros, 6),
        Unit::Minute => Field::Exact(i128::from(c.minute), 0),
        Unit::Hour => Field::Exact(i128::from(c.hour), 0),
        _ => return None,
    })
}

fn zone_field(unit: Unit, west: i32) -> Option<Field> {
    let v = match unit {
        Unit::Timezone => -west,
        Unit::TimezoneHour => -west / 3600,
        Unit::TimezoneMinute => -west / 60 % 60,
        _ => return None,
    };
    Some(Field::Exact(i128::from(v), 0))
}

fn infinite_field(unit: Unit, negative: bool) -> Field {
    match unit {
        Unit::Year
        | Unit::Decade
        | Unit::Century
        | Unit::Millennium
        | Unit::Julian
        | Unit::IsoYear
        | Unit::Epoch => Field::Infinite(negative),
        _ => Field::Null,
    }
}

fn timestamp_field(units: &str, ts: i64) -> PgResult<Field> {
    let unit = unit_of(units, oids::TIMESTAMP)?;
    if !timestamp_is_finite(ts) {
        return Ok(infinite_field(unit, ts != TIMESTAMP_INFINITY));
    }
    let zone_unit = matches!(unit, Unit::Timezone | Unit::TimezoneHour | Unit::TimezoneMinute);
    if zone_unit {
        return Err(unit_unsupported(units, oids::TIMESTAMP));
    }
    local_field(unit, ts, ts).ok_or_else(|| unit_unsupported(units, oids::TIMESTAMP))
}

/// A field of a local timestamp; `utc` is what the epoch counts.
fn local_field(unit: Unit, local: i64, utc: i64) -> Option<Field> {
    let c = Civil::from_timestamp(local);
    if let Some(v) = date_field(unit, &c) {
        return Some(Field::Exact(i128::from(v), 0));
    }
    match unit {
        Unit::Julian => Some(Field::Julian(
            julian(c.year, c.month, c.day),
            local.rem_euclid(USECS_PER_DAY),
        )),
        Unit::Epoch => Some(Field::Exact(epoch_of(utc), 6)),
        _ => time_field(unit, &c),
    }
}

/// Microseconds since 1970. In the last thirty years of the range PostgreSQL divides numerics, which leaves four digits.
fn epoch_of(utc: i64) -> i128 {
    let since_1970 = UNIX_EPOCH_DAYS * USECS_PER_DAY;
    let exact = i128::from(utc) + i128::from(since_1970);
    match utc < i64::MAX - since_1970 {
        true => exact,
        false => (exact + 50) / 100 * 100,
    }
}

fn timestamptz_field(ctx: &FnContext<'_>, units: &str, ts: i64) -> PgResult<Field> {
    let unit = unit_of(units, oids::TIMESTAMPTZ)?;
    if !timestamp_is_finite(ts) {
        return Ok(infinite_field(unit, ts != TIMESTAMP_INFINITY));
    }
    let west = zone::west_at(&ctx.settings.time_zone, ts);
    zone_field(unit, west)
        .or_else(|| local_field(unit, ts - i64::from(west) * USECS_PER_SEC, ts))
        .ok_or_else(|| unit_unsupported(units, oids::TIMESTAMPTZ))
}

fn date_type_field(units: &str, date: i32) -> PgResult<Field> {
    let unit = unit_of(units, oids::DATE)?;
    let c = Civil::from_timestamp(0);
    let clock = time_field(unit, &c).is_some() || zone_field(unit, 0).is_some();
    if clock {
        return Err(unit_unsupported(units, oids::DATE));
    }
    if !date_is_finite(date) {
        return Ok(infinite_field(unit, date != DATE_INFINITY));
    }
    let days = i64::from(date);
    let mut c = Civil::default();
    c.set_days(days);
    match unit {
        Unit::Julian => Field::int(days + types::datetime::POSTGRES_EPOCH_JDATE),
        Unit::Epoch => Field::int((days + UNIX_EPOCH_DAYS) * 86_400),
        _ => match date_field(unit, &c) {
            Some(v) => Field::int(v),
            None => Err(unit_unsupported(units, oids::DATE)),
        },
    }
}

fn time_type_field(units: &str, time: i64) -> PgResult<Field> {
    refuse_reserved(units, oids::TIME)?;
    let unit = unit_of(units, oids::TIME)?;
    if unit == Unit::Epoch {
        return Ok(Field::Exact(i128::from(time), 6));
    }
    time_field(unit, &Civil::from_time(time)).ok_or_else(|| unit_unsupported(units, oids::TIME))
}

fn timetz_field(units: &str, time: TimeTz) -> PgResult<Field> {
    refuse_reserved(units, oids::TIMETZ)?;
    let unit = unit_of(units, oids::TIMETZ)?;
    if unit == Unit::Epoch {
        return Ok(Field::Exact(i128::from(time.utc_micros()), 6));
    }
    zone_field(unit, time.zone_west)
        .or_else(|| time_field(unit, &Civil::from_time(time.micros)))
        .ok_or_else(|| unit_unsupported(units, oids::TIMETZ))
}

fn interval_field(units: &str, v: Interval) -> PgResult<Field> {
    if v.is_finite() {
        refuse_reserved(units, oids::INTERVAL)?;
    }
    let unit = unit_of(units, oids::INTERVAL)?;
    let supported = !matches!(
        unit,
        Unit::Timezone | Unit::TimezoneHour | Unit::TimezoneMinute | Unit::Dow | Unit::IsoDow | Unit::Doy
    ) && !matches!(unit, Unit::IsoYear | Unit::Julian);
    if !supported {
        return Err(unit_unsupported(units, oids::INTERVAL));
    }
    if !v.is_finite() {
        let negative = v == Interval::NEG_INFINITY;
        return Ok(match unit {
            Unit::Hour | Unit::Day => Field::Infinite(negative),
            _ => infinite_field(unit, negative),
        });
    }
    let f = IntervalFields::from(v);
    let micros = i128::from(f.seconds) * 1_000_000 + i128::from(f.micros);
    Ok(match unit {
        Unit::Microsecond => Field::Exact(micros, 0),
        Unit::Millisecond => Field::Exact(micros, 3),
        Unit::Second => Field::Exact(micros, 6),
        Unit::Minute => Field::Exact(i128::from(f.minutes), 0),
        Unit::Hour => Field::Exact(i128::from(f.hours), 0),
        Unit::Day => Field::Exact(i128::from(f.days), 0),
        Unit::Week => Field::Exact(i128::from(f.days / 7), 0),
        Unit::Month => Field::Exact(i128::from(f.months), 0),
        // A negative interval has the negative of its mirror's quarter.
        Unit::Quarter if v.months >= 0 => Field::Exact(i128::from(f.months / 3 + 1), 0),
        // The negation wraps as in PostgreSQL for the least number of months.
        Unit::Quarter => Field::Exact(i128::from(-(v.months.wrapping_neg() % 12 / 3 + 1)), 0),
        Unit::Decade => Field::Exact(i128::from(f.years / 10), 0),
        Unit::Century => Field::Exact(i128::from(f.years / 100), 0),
        Unit::Millennium => Field::Exact(i128::from(f.years / 1000), 0),
        Unit::Epoch => Field::Exact(epoch_micros(v), 6),
        _ => Field::Exact(i128::from(f.years), 0),
    })
}

/// Microseconds with years of 365.25 days and months of 30.
fn epoch_micros(v: Interval) -> i128 {
    let quarter_days =
        1461 * i128::from(v.months / 12) + 120 * i128::from(v.months % 12) + 4 * i128::from(v.days);
    quarter_days * (i128::from(USECS_PER_DAY) / 4) + i128::from(v.micros)
}

fn extract_timestamp(units: &str, ts: i64) -> PgResult<Option<Numeric>> {
    Ok(timestamp_field(units, ts)?.numeric())
}

fn extract_timestamptz(ctx: &mut FnContext<'_>, units: &str, ts: i64) -> PgResult<Option<Numeric>> {
    Ok(timestamptz_field(ctx, units, ts)?.numeric())
}

fn extract_date(units: &str, date: i32) -> PgResult<Option<Numeric>> {
    Ok(date_type_field(units, date)?.numeric())
}

fn extract_time(units: &str, time: i64) -> PgResult<Option<Numeric>> {
    Ok(time_type_field(units, time)?.numeric())
}

fn extract_timetz(units: &str, time: &[u8]) -> PgResult<Option<Numeric>> {
    Ok(timetz_field(units, TimeTz::from_bytes(time))?.numeric())
}

fn extract_interval(units: &str, v: Interval) -> PgResult<Option<Numeric>> {
    Ok(interval_field(units, v)?.numeric())
}

fn timestamp_part(units: &str, ts: i64) -> PgResult<Option<f64>> {
    Ok(timestamp_field(units, ts)?.float())
}

fn timestamptz_part(ctx: &mut FnContext<'_>, units: &str, ts: i64) -> PgResult<Option<f64>> {
    Ok(timestamptz_field(ctx, units, ts)?.float())
}

/// An SQL function over the timestamp at midnight.
fn date_part_date(units: &str, date: i32) -> PgResult<Option<f64>> {
    timestamp_part(units, crate::families::datetime::arith::date_timestamp(date)?)
}

fn time_part(units: &str, time: i64) -> PgResult<Option<f64>> {
    Ok(time_type_field(units, time)?.float())
}

fn timetz_part(units: &str, time: &[u8]) -> PgResult<Option<f64>> {
    let time = TimeTz::from_bytes(time);
    if field_name(units) == FieldName::Unit(Unit::Epoch) {
        // Rounded the way PostgreSQL adds it up.
        return Ok(Some(time.micros as f64 / 1e6 + f64::from(time.zone_west)));
    }
    Ok(timetz_field(units, time)?.float())
}

fn interval_part(units: &str, v: Interval) -> PgResult<Option<f64>> {
    if v.is_finite() && field_name(units) == FieldName::Unit(Unit::Epoch) {
        const SECS_PER_DAY: f64 = 86_400.0;
        let mut seconds = v.micros as f64 / 1e6;
        seconds += 365.25 * SECS_PER_DAY * f64::from(v.months / 12);
        seconds += 30.0 * SECS_PER_DAY * f64::from(v.months % 12);
        seconds += SECS_PER_DAY * f64::from(v.days);
        return Ok(Some(seconds));
    }
    Ok(interval_field(units, v)?.float())
}

builtins! {
    extract_timestamp(units: text, ts: timestamp) -> numeric;
    extract_timestamptz(ctx, units: text, ts: timestamptz) -> numeric;
    extract_date(units: text, date: date) -> numeric;
    extract_time(units: text, time: time) -> numeric;
    extract_timetz(units: text, time: timetz) -> numeric;
    extract_interval(units: text, v: interval) -> numeric;
    timestamp_part(units: text, ts: timestamp) -> float8;
    timestamptz_part(ctx, units: text, ts: timestamptz) -> float8;
    date_part = date_part_date(units: text, date: date) -> float8;
    time_part(units: text, time: time) -> float8;
    timetz_part(units: text, time: timetz) -> float8;
    interval_part(units: text, v: interval) -> float8;
}
