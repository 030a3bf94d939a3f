//! Text input of `date`, `time`, `timetz`, `timestamp`, `timestamptz` and `interval`, with their precisions.

use common::{PgResult, pg_err};

use crate::datetime::civil::{self, TimeTz};
use crate::datetime::decode::{self, Moment};
use crate::datetime::decode_date::{self as dd, Mask};
use crate::datetime::error::ParseError;
use crate::datetime::{
    DATE_INFINITY, DATE_NEG_INFINITY, END_DATE, MIN_DATE, TIMESTAMP_INFINITY, TIMESTAMP_NEG_INFINITY,
    UNIX_EPOCH_DAYS, USECS_PER_DAY, USECS_PER_HOUR, USECS_PER_MINUTE, USECS_PER_SEC, fields,
};
use crate::{FormatSettings, Interval};

pub use crate::datetime::interval_in::interval_in;

const DATETIME_BUFFER: usize = 153;
const TIME_BUFFER: usize = 129;

/// Largest precision of the time types.
pub const MAX_PRECISION: i32 = 6;

fn parse_moment(s: &str, settings: &FormatSettings, type_name: &str) -> PgResult<Moment> {
    let moment =
        fields::split(s, DATETIME_BUFFER).and_then(|fields| decode::decode_datetime(&fields, settings));
    match moment {
        Ok(Moment::TimeOnly) => Err(ParseError::BadFormat.report(s, type_name)),
        Ok(moment) => Ok(moment),
        Err(e) => Err(e.report(s, type_name)),
    }
}

/// Reads a `date`.
pub fn date_in(s: &str, settings: &FormatSettings) -> PgResult<i32> {
    let civil = match parse_moment(s, settings, "date")? {
        Moment::At(civil, _) => civil,
        Moment::Epoch => return Ok(-UNIX_EPOCH_DAYS as i32),
        Moment::Infinity => return Ok(DATE_INFINITY),
        Moment::NegInfinity => return Ok(DATE_NEG_INFINITY),
        Moment::TimeOnly => return Err(ParseError::BadFormat.report(s, "date")),
    };
    if civil::is_valid_julian(civil.year, civil.month) {
        let days = civil.days();
        if (MIN_DATE..END_DATE).contains(&days) {
            return Ok(days as i32);
        }
    }
    Err(pg_err!(DATETIME_VALUE_OUT_OF_RANGE, "date out of range: \"{s}\""))
}

fn moment_to_timestamp(moment: &Moment, with_zone: bool) -> Option<i64> {
    match moment {
        Moment::At(civil, west) => civil.to_timestamp(if with_zone { *west } else { 0 }),
        Moment::Epoch => Some(-UNIX_EPOCH_DAYS * USECS_PER_DAY),
        Moment::Infinity => Some(TIMESTAMP_INFINITY),
        Moment::NegInfinity => Some(TIMESTAMP_NEG_INFINITY),
        Moment::TimeOnly => None,
    }
}

/// Reads a `timestamp`; `typmod` is the precision or -1.
pub fn timestamp_in(s: &str, typmod: i32, settings: &FormatSettings) -> PgResult<i64> {
    let moment = parse_moment(s, settings, "timestamp")?;
    let Some(ts) = moment_to_timestamp(&moment, false) else {
        return Err(pg_err!(
            DATETIME_VALUE_OUT_OF_RANGE,
            "timestamp out of range: \"{s}\""
        ));
    };
    adjust_timestamp_precision(ts, typmod)
}

/// Reads a `timestamptz`; `typmod` is the precision or -1.
pub fn timestamptz_in(s: &str, typmod: i32, settings: &FormatSettings) -> PgResult<i64> {
    let moment = parse_moment(s, settings, "timestamp with time zone")?;
    let Some(ts) = moment_to_timestamp(&moment, true) else {
        return Err(pg_err!(
            DATETIME_VALUE_OUT_OF_RANGE,
            "timestamp out of range: \"{s}\""
        ));
    };
    adjust_timestamp_precision(ts, typmod)
}

fn parse_time(s: &str, settings: &FormatSettings, type_name: &str) -> PgResult<TimeTz> {
    fields::split(s, TIME_BUFFER)
        .and_then(|fields| decode::decode_time(&fields, settings))
        .map_err(|e| e.report(s, type_name))
}

/// Reads a `time`.
pub fn time_in(s: &str, typmod: i32, settings: &FormatSettings) -> PgResult<i64> {
    Ok(adjust_time_precision(
        parse_time(s, settings, "time")?.micros,
        typmod,
    ))
}

/// Reads a `timetz`.
pub fn timetz_in(s: &str, typmod: i32, settings: &FormatSettings) -> PgResult<TimeTz> {
    let mut value = parse_time(s, settings, "time with time zone")?;
    value.micros = adjust_time_precision(value.micros, typmod);
    Ok(value)
}

/// Microseconds of one unit in the last place of a precision.
fn precision_scale(precision: i32) -> i64 {
    10_i64.pow((MAX_PRECISION - precision.clamp(0, MAX_PRECISION)) as u32)
}

/// Rounds half away from zero to a multiple; `None` on overflow.
fn round_to(micros: i64, scale: i64) -> Option<i64> {
    let half = scale / 2;
    Some(if micros >= 0 {
        micros.checked_add(half)? / scale * scale
    } else {
        -(micros.checked_neg()?.checked_add(half)? / scale * scale)
    })
}

/// Rounds a time of day to a precision (-1: leaves it).
pub fn adjust_time_precision(micros: i64, typmod: i32) -> i64 {
    if !(0..=MAX_PRECISION).contains(&typmod) {
        return micros;
    }
    round_to(micros, precision_scale(typmod)).unwrap_or(micros)
}

/// Rounds a timestamp to a precision (-1 or 6: leaves it).
pub fn adjust_timestamp_precision(ts: i64, typmod: i32) -> PgResult<i64> {
    if !crate::datetime::timestamp_is_finite(ts) || typmod == -1 || typmod == MAX_PRECISION {
        return Ok(ts);
    }
    if !(0..=MAX_PRECISION).contains(&typmod) {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "timestamp({typmod}) precision must be between 0 and 6"
        ));
    }
    Ok(round_to(ts, precision_scale(typmod)).unwrap_or(ts))
}

/// The range half of an interval's type modifier when no fields were named.
pub const INTERVAL_FULL_RANGE: u32 = 0x7FFF;
const INTERVAL_FULL_PRECISION: i32 = 0xFFFF;

/// The fields (`YEAR TO MONTH`...) of an interval's type modifier.
pub fn interval_range(typmod: i32) -> Mask {
    if typmod < 0 {
        INTERVAL_FULL_RANGE
    } else {
        (typmod >> 16) as u32 & 0x7FFF
    }
}

/// Cuts an interval to the fields of its type modifier and rounds its seconds.
pub fn adjust_interval_typmod(v: Interval, typmod: i32) -> PgResult<Interval> {
    const YEAR_MONTH: Mask = dd::YEAR | dd::MONTH;
    const DAY_HOUR: Mask = dd::DAY | dd::HOUR;
    const DAY_MINUTE: Mask = DAY_HOUR | dd::MINUTE;
    const HOUR_MINUTE: Mask = dd::HOUR | dd::MINUTE;
    const DAY_SECOND: Mask = DAY_MINUTE | dd::SECOND;
    const HOUR_SECOND: Mask = HOUR_MINUTE | dd::SECOND;
    const MINUTE_SECOND: Mask = dd::MINUTE | dd::SECOND;
    if typmod < 0 || !v.is_finite() {
        return Ok(v);
    }
    let mut out = v;
    match interval_range(typmod) {
        INTERVAL_FULL_RANGE | dd::SECOND | DAY_SECOND | HOUR_SECOND | MINUTE_SECOND => {}
        dd::YEAR => (out.months, out.days, out.micros) = (v.months / 12 * 12, 0, 0),
        dd::MONTH | YEAR_MONTH => (out.days, out.micros) = (0, 0),
        dd::DAY => out.micros = 0,
        dd::HOUR | DAY_HOUR => out.micros = v.micros / USECS_PER_HOUR * USECS_PER_HOUR,
        dd::MINUTE | DAY_MINUTE | HOUR_MINUTE => out.micros = v.micros / USECS_PER_MINUTE * USECS_PER_MINUTE,
        _ => return Err(common::internal!("unrecognized interval typmod: {typmod}")),
    }
    let precision = typmod & 0xFFFF;
    if precision != INTERVAL_FULL_PRECISION {
        if precision > MAX_PRECISION {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "interval({precision}) precision must be between 0 and 6"
            ));
        }
        out.micros = round_to(out.micros, precision_scale(precision))
            .ok_or_else(|| pg_err!(DATETIME_VALUE_OUT_OF_RANGE, "interval out of range"))?;
    }
    Ok(out)
}

/// Microseconds in a month of 30 days: how intervals are compared.
pub const USECS_PER_MONTH: i64 = 30 * USECS_PER_DAY;

impl Interval {
    /// `infinity`.
    pub const INFINITY: Interval = Interval {
        micros: i64::MAX,
        days: i32::MAX,
        months: i32::MAX,
    };
    /// `-infinity`.
    pub const NEG_INFINITY: Interval = Interval {
        micros: i64::MIN,
        days: i32::MIN,
        months: i32::MIN,
    };

    /// True unless it is one of the infinities.
    #[inline]
    pub fn is_finite(&self) -> bool {
        *self != Interval::INFINITY && *self != Interval::NEG_INFINITY
    }

    /// The span in microseconds with months of 30 days and days of 24 hours: SQL comparison goes by it.
    pub fn span(&self) -> i128 {
        (i128::from(self.months) * 30 + i128::from(self.days)) * i128::from(USECS_PER_DAY)
            + i128::from(self.micros)
    }

    /// An interval of seconds.
    pub fn from_seconds(seconds: i64) -> Option<Interval> {
        Some(Interval {
            micros: seconds.checked_mul(USECS_PER_SEC)?,
            ..Interval::default()
        })
    }
}
