//! Input and output functions of the date and time types in the form of the [`io`](crate::io) table.

use common::{PgResult, internal};

use crate::datetime::{self, TimeTz, wire};
use crate::io::IoContext;
use crate::{Datum, Interval};

fn int4(v: &Datum) -> PgResult<i32> {
    match v {
        Datum::Int4(v) => Ok(*v),
        _ => Err(internal!("date arrived as {v:?}")),
    }
}

fn int8(v: &Datum) -> PgResult<i64> {
    match v {
        Datum::Int8(v) => Ok(*v),
        _ => Err(internal!("time arrived as {v:?}")),
    }
}

fn timetz(v: &Datum) -> PgResult<TimeTz> {
    match v {
        Datum::Bytes(b) => Ok(TimeTz::from_bytes(b)),
        _ => Err(internal!("timetz arrived as {v:?}")),
    }
}

fn interval(v: &Datum) -> PgResult<Interval> {
    match v {
        Datum::Interval(v) => Ok(*v),
        _ => Err(internal!("interval arrived as {v:?}")),
    }
}

fn timetz_datum(v: TimeTz) -> Datum {
    Datum::Bytes(v.to_bytes().as_slice().into())
}

/// `date` from text.
pub fn date_in(s: &str, _: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    datetime::date_in(s, ctx.settings).map(Datum::Int4)
}

/// `date` to text.
pub fn date_out(v: &Datum, ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    datetime::date_out(int4(v)?, ctx.settings, out);
    Ok(())
}

/// `date` from the wire.
pub fn date_recv(bytes: &[u8], _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    wire::date_recv(bytes).map(Datum::Int4)
}

/// `date` to the wire.
pub fn date_send(v: &Datum, _: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    out.extend_from_slice(&int4(v)?.to_be_bytes());
    Ok(())
}

/// `time` from text.
pub fn time_in(s: &str, typmod: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    datetime::time_in(s, typmod, ctx.settings).map(Datum::Int8)
}

/// `time` to text.
pub fn time_out(v: &Datum, _: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    datetime::time_out(int8(v)?, out);
    Ok(())
}

/// `time` from the wire.
pub fn time_recv(bytes: &[u8], typmod: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    wire::time_recv(bytes, typmod).map(Datum::Int8)
}

/// `time`, `timestamp` and `timestamptz` to the wire.
pub fn micros_send(v: &Datum, _: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    out.extend_from_slice(&int8(v)?.to_be_bytes());
    Ok(())
}

/// `timetz` from text.
pub fn timetz_in(s: &str, typmod: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    datetime::timetz_in(s, typmod, ctx.settings).map(timetz_datum)
}

/// `timetz` to text.
pub fn timetz_out(v: &Datum, ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    datetime::timetz_out(timetz(v)?, ctx.settings, out);
    Ok(())
}

/// `timetz` from the wire.
pub fn timetz_recv(bytes: &[u8], typmod: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    wire::timetz_recv(bytes, typmod).map(timetz_datum)
}

/// `timetz` to the wire.
pub fn timetz_send(v: &Datum, _: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    wire::timetz_send(timetz(v)?, out);
    Ok(())
}

/// `timestamp` from text.
pub fn timestamp_in(s: &str, typmod: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    datetime::timestamp_in(s, typmod, ctx.settings).map(Datum::Int8)
}

/// `timestamp` to text.
pub fn timestamp_out(v: &Datum, ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    datetime::timestamp_out(int8(v)?, ctx.settings, out);
    Ok(())
}

/// `timestamp` and `timestamptz` from the wire.
pub fn timestamp_recv(bytes: &[u8], typmod: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    wire::timestamp_recv(bytes, typmod).map(Datum::Int8)
}

/// `timestamptz` from text.
pub fn timestamptz_in(s: &str, typmod: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    datetime::timestamptz_in(s, typmod, ctx.settings).map(Datum::Int8)
}

/// `timestamptz` to text.
pub fn timestamptz_out(v: &Datum, ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    datetime::timestamptz_out(int8(v)?, ctx.settings, out);
    Ok(())
}

/// `interval` from text.
pub fn interval_in(s: &str, typmod: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    datetime::interval_in(s, typmod, ctx.settings).map(Datum::Interval)
}

/// `interval` to text.
pub fn interval_out(v: &Datum, ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    datetime::interval_out(interval(v)?, ctx.settings.interval_style, out);
    Ok(())
}

/// `interval` from the wire.
pub fn interval_recv(bytes: &[u8], typmod: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    wire::interval_recv(bytes, typmod).map(Datum::Interval)
}

/// `interval` to the wire.
pub fn interval_send(v: &Datum, _: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    wire::interval_send(interval(v)?, out);
    Ok(())
}
