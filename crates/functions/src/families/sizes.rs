//! Sizes as texts, sizes of values, and other small answers about values.

use common::error::ErrorExt;
use common::{PgError, PgResult, pg_err};
use types::numeric::Rounding;
use types::{Datum, Numeric, builtin, numeric, oids};

use crate::framework::context::FnContext;
use crate::framework::macros::{builtins, direct};

const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];

fn whole(n: i64) -> Numeric {
    Numeric::from_i128(i128::from(n), 0)
}

fn below(v: &Numeric, limit: i64) -> bool {
    let magnitude = if v.signum() < 0 {
        numeric::neg(v)
    } else {
        v.clone()
    };
    magnitude.compare(&whole(limit)).is_lt()
}

fn pg_size_pretty_numeric(size: &Numeric) -> PgResult<String> {
    if below(size, 10 * 1024) {
        return Ok(format!("{size} bytes"));
    }
    let shrink = |v: &Numeric, by: i64| numeric::div_trunc(v, &whole(by));
    let mut v = shrink(size, 1 << 9)?;
    for (i, unit) in UNITS.iter().enumerate() {
        if below(&v, 20 * 1024 - 1) || i + 1 == UNITS.len() {
            let step = whole(if v.signum() < 0 { -1 } else { 1 });
            let rounded = shrink(&numeric::add(&v, &step)?, 2)?;
            return Ok(format!("{rounded} {unit}"));
        }
        v = shrink(&v, 1 << 10)?;
    }
    Ok(format!("{v} PB"))
}

#[cold]
fn invalid_size(text: &str) -> Box<PgError> {
    pg_err!(INVALID_PARAMETER_VALUE, "invalid size: \"{text}\"")
}

/// Bytes of the number at the start of `s`.
fn number_len(s: &str) -> Option<usize> {
    let b = s.as_bytes();
    let digits = |from: usize| {
        b[from.min(b.len())..]
            .iter()
            .take_while(|c| c.is_ascii_digit())
            .count()
    };
    let mut at = usize::from(matches!(b.first(), Some(b'-' | b'+')));
    let mut count = digits(at);
    at += count;
    if b.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        count += fraction;
        at += 1 + fraction;
    }
    if count == 0 {
        return None;
    }
    if matches!(b.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(b.get(at + 1), Some(b'-' | b'+')));
        let exponent = digits(at + 1 + sign);
        if exponent > 0 {
            at += 1 + sign + exponent;
        }
    }
    Some(at)
}

fn pg_size_bytes(text: &str) -> PgResult<i64> {
    let s = text.trim_ascii();
    let len = number_len(s).ok_or_else(|| invalid_size(text))?;
    let mut value = numeric::parse(&s[..len], "numeric")?;
    let unit = s[len..].trim_ascii();
    let power = match unit.to_ascii_lowercase().as_str() {
        "" | "bytes" | "b" => 0,
        "kb" => 1,
        "mb" => 2,
        "gb" => 3,
        "tb" => 4,
        "pb" => 5,
        _ => {
            return Err(invalid_size(text)
                .detail(format!("Invalid size unit: \"{unit}\"."))
                .hint("Valid units are \"bytes\", \"B\", \"kB\", \"MB\", \"GB\", \"TB\", and \"PB\"."));
        }
    };
    if power > 0 {
        value = numeric::mul(&value, &whole(1 << (10 * power)))?;
    }
    value
        .round_to(0, Rounding::HalfAway)?
        .to_i64()
        .ok_or_else(|| pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range"))
}

/// Bytes that PostgreSQL would store: the type's length, or a short or long header and the data.
fn pg_column_size(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let Some(value) = args.first().filter(|v| !v.is_null()) else {
        return Ok(Datum::Null);
    };
    let row = builtin::type_row(ctx.call.arg_type(0));
    if let Some(len) = row.map(|t| t.typlen).filter(|len| *len > 0) {
        return Ok(Datum::Int4(i32::from(len)));
    }
    let data = match value {
        Datum::Text(s) => s.len(),
        Datum::Bytes(b) => b.len(),
        other => {
            let mut out = Vec::new();
            types::io::send(ctx.call.arg_type(0), other, &ctx.io(), &mut out)?;
            out.len()
        }
    };
    let header = if data < 127 { 1 } else { 4 };
    Ok(Datum::Int4((data + header) as i32))
}

/// Types that users make: enums, composites and ranges have none; arrays and domains may.
fn has_no_collation(io: &types::io::IoContext<'_>, type_oid: common::Oid) -> PgResult<bool> {
    use types::io::UserType;
    let kind = io.names().user_type(type_oid)?;
    Ok(matches!(
        kind,
        Some(
            UserType::Enum
                | UserType::Composite { .. }
                | UserType::Range { .. }
                | UserType::Multirange { .. }
        )
    ))
}

fn pg_collation_for(ctx: &mut FnContext<'_>, _: &[Datum]) -> PgResult<Datum> {
    let type_oid = ctx.call.arg_type(0);
    let io = ctx.io();
    let has_no_collation = match builtin::type_row(type_oid) {
        Some(t) => !t.typcollation.is_valid() && t.oid != oids::UNKNOWN,
        None => !ctx.call.collation.is_valid() && has_no_collation(&io, type_oid)?,
    };
    if has_no_collation {
        let name = ctx.session.format_type(type_oid, None)?;
        return Err(pg_err!(
            DATATYPE_MISMATCH,
            "collations are not supported by type {name}"
        ));
    }
    if !ctx.call.collation.is_valid() {
        return Ok(Datum::Null);
    }
    let name = io
        .names()
        .name_of(types::io::RegKind::Collation, ctx.call.collation)?;
    let built_in = ctx.call.collation < common::Oid::FIRST_NORMAL;
    Ok(name.map_or(Datum::Null, |n| {
        // Built-in ones are always quoted, as PostgreSQL quotes "default" and "C".
        Datum::text(if built_in && !n.contains('"') {
            format!("\"{n}\"")
        } else {
            n
        })
    }))
}

fn eq(a: i64, b: i64) -> bool {
    a == b
}
fn ne(a: i64, b: i64) -> bool {
    a != b
}
fn lt(a: i64, b: i64) -> bool {
    a < b
}
fn le(a: i64, b: i64) -> bool {
    a <= b
}
fn gt(a: i64, b: i64) -> bool {
    a > b
}
fn ge(a: i64, b: i64) -> bool {
    a >= b
}
fn cmp(a: i64, b: i64) -> i32 {
    a.cmp(&b) as i32
}
fn larger(a: i64, b: i64) -> i64 {
    a.max(b)
}
fn smaller(a: i64, b: i64) -> i64 {
    a.min(b)
}

direct! {
    tideq = eq(a: tid, b: tid) -> bool;
    tidne = ne(a: tid, b: tid) -> bool;
    tidlt = lt(a: tid, b: tid) -> bool;
    tidle = le(a: tid, b: tid) -> bool;
    tidgt = gt(a: tid, b: tid) -> bool;
    tidge = ge(a: tid, b: tid) -> bool;
    bttidcmp = cmp(a: tid, b: tid) -> int4;
    tidlarger = larger(a: tid, b: tid) -> tid;
    tidsmaller = smaller(a: tid, b: tid) -> tid;
}

/// LIKE byte by byte; only the last `%` needs retrying.
fn bytealike(v: &[u8], pattern: &[u8]) -> PgResult<bool> {
    let (mut t, mut p) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(p) {
            None if t == v.len() => return Ok(true),
            Some(b'%') => {
                retry = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some(b'_') if t < v.len() => Some(1),
            Some(b'\\') => match pattern.get(p + 1) {
                Some(c) => (v.get(t) == Some(c)).then_some(2),
                None if t < v.len() => {
                    return Err(pg_err!(
                        INVALID_ESCAPE_SEQUENCE,
                        "LIKE pattern must not end with escape character"
                    ));
                }
                None => None,
            },
            Some(c) => (v.get(t) == Some(c)).then_some(1),
            None => None,
        };
        match (step, retry) {
            (Some(len), _) => (t, p) = (t + 1, p + len),
            (None, Some((after, from))) if from < v.len() => {
                (t, p) = (from + 1, after);
                retry = Some((after, from + 1));
            }
            _ => return Ok(false),
        }
    }
}
fn byteanlike(v: &[u8], pattern: &[u8]) -> PgResult<bool> {
    bytealike(v, pattern).map(|found| !found)
}

fn derf(v: f64) -> f64 {
    libm::erf(v)
}
fn derfc(v: f64) -> f64 {
    libm::erfc(v)
}

#[cold]
fn overflow() -> Box<PgError> {
    pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow")
}
#[cold]
fn underflow() -> Box<PgError> {
    pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow")
}

fn dgamma(v: f64) -> PgResult<f64> {
    if v.is_nan() || v == f64::INFINITY {
        return Ok(v);
    }
    if v == f64::NEG_INFINITY || v == 0.0 || (v < 0.0 && v.fract() == 0.0) {
        return Err(overflow());
    }
    let result = libm::tgamma(v);
    if result.is_infinite() {
        return Err(overflow());
    }
    if result == 0.0 {
        return Err(underflow());
    }
    Ok(result)
}

fn dlgamma(v: f64) -> PgResult<f64> {
    let result = libm::lgamma(v);
    if result.is_infinite() && !v.is_infinite() {
        return Err(overflow());
    }
    Ok(result)
}

builtins! {
    pg_size_pretty_numeric(size: numeric) -> text;
    pg_size_bytes(text: text) -> int8;
    pg_column_size[general](any) -> int4;
    pg_collation_for[general](any) -> text;
    bytealike(v: bytea, pattern: bytea) -> bool;
    byteanlike(v: bytea, pattern: bytea) -> bool;
    derf(v: float8) -> float8;
    derfc(v: float8) -> float8;
    dgamma(v: float8) -> float8;
    dlgamma(v: float8) -> float8;
}
