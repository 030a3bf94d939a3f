//! Binary input and output (PostgreSQL's wire formats) of the date and time types.

use common::{PgResult, pg_err};

use crate::Interval;
use crate::datetime::civil::TimeTz;
use crate::datetime::input::{adjust_interval_typmod, adjust_time_precision, adjust_timestamp_precision};
use crate::datetime::{
    END_DATE, MIN_DATE, USECS_PER_DAY, date_is_finite, timestamp_in_range, timestamp_is_finite,
};
use crate::wire::bad_binary;

fn take<const N: usize>(bytes: &mut &[u8]) -> PgResult<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>().ok_or_else(bad_binary)?;
    *bytes = rest;
    Ok(*head)
}

/// Reads a `date`.
pub fn date_recv(mut bytes: &[u8]) -> PgResult<i32> {
    let v = i32::from_be_bytes(take(&mut bytes)?);
    if date_is_finite(v) && !(MIN_DATE..END_DATE).contains(&i64::from(v)) {
        return Err(pg_err!(DATETIME_VALUE_OUT_OF_RANGE, "date out of range"));
    }
    Ok(v)
}

/// Reads a `time`.
pub fn time_recv(mut bytes: &[u8], typmod: i32) -> PgResult<i64> {
    let v = i64::from_be_bytes(take(&mut bytes)?);
    if !(0..=USECS_PER_DAY).contains(&v) {
        return Err(pg_err!(DATETIME_VALUE_OUT_OF_RANGE, "time out of range"));
    }
    Ok(adjust_time_precision(v, typmod))
}

/// Reads a `timetz`.
pub fn timetz_recv(mut bytes: &[u8], typmod: i32) -> PgResult<TimeTz> {
    let micros = i64::from_be_bytes(take(&mut bytes)?);
    if !(0..=USECS_PER_DAY).contains(&micros) {
        return Err(pg_err!(DATETIME_VALUE_OUT_OF_RANGE, "time out of range"));
    }
    let zone_west = i32::from_be_bytes(take(&mut bytes)?);
    if zone_west.unsigned_abs() >= 16 * 3600 {
        return Err(pg_err!(
            INVALID_TIME_ZONE_DISPLACEMENT_VALUE,
            "time zone displacement out of range"
        ));
    }
    Ok(TimeTz {
        micros: adjust_time_precision(micros, typmod),
        zone_west,
    })
}

/// Reads a `timestamp` or `timestamptz`.
pub fn timestamp_recv(mut bytes: &[u8], typmod: i32) -> PgResult<i64> {
    let v = i64::from_be_bytes(take(&mut bytes)?);
    if timestamp_is_finite(v) && !timestamp_in_range(v) {
        return Err(pg_err!(DATETIME_VALUE_OUT_OF_RANGE, "timestamp out of range"));
    }
    adjust_timestamp_precision(v, typmod)
}

/// Reads an `interval`.
pub fn interval_recv(mut bytes: &[u8], typmod: i32) -> PgResult<Interval> {
    let v = Interval {
        micros: i64::from_be_bytes(take(&mut bytes)?),
        days: i32::from_be_bytes(take(&mut bytes)?),
        months: i32::from_be_bytes(take(&mut bytes)?),
    };
    adjust_interval_typmod(v, typmod)
}

/// Writes a `timetz`.
pub fn timetz_send(v: TimeTz, out: &mut Vec<u8>) {
    out.extend_from_slice(&v.micros.to_be_bytes());
    out.extend_from_slice(&v.zone_west.to_be_bytes());
}

/// Writes an `interval`.
pub fn interval_send(v: Interval, out: &mut Vec<u8>) {
    out.extend_from_slice(&v.micros.to_be_bytes());
    out.extend_from_slice(&v.days.to_be_bytes());
    out.extend_from_slice(&v.months.to_be_bytes());
}
