//! Input and output of numbers, OIDs and `reg*` values.

use std::fmt::Write;

use common::{Oid, PgResult};

use crate::io::{IoContext, RegKind, invalid_input, out_of_range, wrong_datum};
use crate::io_text::{is_space, trim_space};
use crate::wire::bad_binary;
use crate::{Datum, float, numeric};

/// Appends an integer in decimal.
pub fn push_int(value: i64, out: &mut String) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push('-');
    }
    digits[at..].iter().for_each(|&d| out.push(char::from(d)));
}

/// Why text is no integer.
enum IntError {
    Syntax,
    Range,
}

/// PostgreSQL's integer syntax: white space around, a sign, decimal or `0x`/`0o`/`0b` digits, single underscores between.
///
/// A digit behind more than a part of `limit` ends the reading at once, whatever follows.
fn parse_i128(text: &str, limit: i128) -> Result<i128, IntError> {
    let s = trim_space(text);
    let (negative, s) = match s.as_bytes() {
        [b'-', ..] => (true, &s[1..]),
        [b'+', ..] => (false, &s[1..]),
        _ => (false, s),
    };
    let (radix, digits) = match s.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &s[2..]),
        [b'0', b'o' | b'O', ..] => (8, &s[2..]),
        [b'0', b'b' | b'B', ..] => (2, &s[2..]),
        _ => (10, s),
    };
    let mut value: i128 = 0;
    let mut previous = if radix == 10 { b'_' } else { b'0' };
    for &b in digits.as_bytes() {
        if b == b'_' {
            if previous == b'_' {
                return Err(IntError::Syntax);
            }
        } else {
            let digit = char::from(b).to_digit(radix).ok_or(IntError::Syntax)?;
            if value > limit / i128::from(radix) {
                return Err(IntError::Range);
            }
            value = value * i128::from(radix) + i128::from(digit);
        }
        previous = b;
    }
    if digits.is_empty() || previous == b'_' {
        return Err(IntError::Syntax);
    }
    Ok(if negative { -value } else { value })
}

/// Plain decimal digits, as most integers are written; `None` for anything else.
fn plain_int(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, bytes),
    };
    // So many digits fit whatever they are.
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut value: i64 = 0;
    for b in digits {
        if !b.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(b - b'0');
    }
    Some(if negative { -value } else { value })
}

/// Reads an integer of a range, with PostgreSQL's errors.
fn parse_int<T: TryFrom<i128> + TryFrom<i64>>(text: &str, type_name: &str, limit: i128) -> PgResult<T> {
    if let Some(value) = plain_int(text) {
        return <T as TryFrom<i64>>::try_from(value).map_err(|_| out_of_range(type_name, text));
    }
    let value = parse_i128(text, limit).map_err(|e| match e {
        IntError::Syntax => invalid_input(type_name, text),
        IntError::Range => out_of_range(type_name, text),
    })?;
    <T as TryFrom<i128>>::try_from(value).map_err(|_| out_of_range(type_name, text))
}

macro_rules! ints {
    ($($input:ident $recv:ident $variant:ident $t:ty, $name:literal;)*) => {$(
        pub(crate) fn $input(text: &str, _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
            Ok(Datum::$variant(parse_int::<$t>(text, $name, -i128::from(<$t>::MIN))?))
        }
        pub(crate) fn $recv(bytes: &[u8], _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
            Ok(Datum::$variant(<$t>::from_be_bytes(bytes.try_into().map_err(|_| bad_binary())?)))
        }
    )*};
}

ints! {
    int2_in int2_recv Int2 i16, "smallint";
    int4_in int4_recv Int4 i32, "integer";
    int8_in int8_recv Int8 i64, "bigint";
}

pub(crate) fn int_out(value: &Datum, _: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    match value.as_i64() {
        Some(v) => push_int(v, out),
        None => return Err(wrong_datum("integer", value)),
    }
    Ok(())
}

pub(crate) fn int_send(value: &Datum, _: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    match value {
        Datum::Int2(v) => out.extend_from_slice(&v.to_be_bytes()),
        Datum::Int4(v) => out.extend_from_slice(&v.to_be_bytes()),
        Datum::Int8(v) => out.extend_from_slice(&v.to_be_bytes()),
        Datum::Oid(v) => out.extend_from_slice(&v.to_be_bytes()),
        other => return Err(wrong_datum("integer", other)),
    }
    Ok(())
}

/// `strtoul`-like syntax of `oid`, `xid`, `xid8`: white space, sign, decimal, octal (`0`) or hexadecimal (`0x`) digits;
/// a negative number wraps. Returns the value and what follows.
fn parse_unsigned(text: &str) -> Option<(i128, &str)> {
    let s = text.trim_start_matches(is_space);
    let (negative, s) = match s.as_bytes() {
        [b'-', ..] => (true, &s[1..]),
        [b'+', ..] => (false, &s[1..]),
        _ => (false, s),
    };
    let (radix, digits) = match s.as_bytes() {
        [b'0', b'x' | b'X', d, ..] if d.is_ascii_hexdigit() => (16, &s[2..]),
        [b'0', ..] => (8, s),
        _ => (10, s),
    };
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    if end == 0 {
        return None;
    }
    let value = i128::from_str_radix(&digits[..end], radix).unwrap_or(i128::MAX);
    Some((if negative { -value } else { value }, &digits[end..]))
}

/// What may follow a number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Junk {
    Allowed,
    Refused,
}

/// An OID from text, with PostgreSQL's errors.
pub fn parse_oid(text: &str) -> PgResult<u32> {
    unsigned_u32(text, "oid")
}

/// A number at the front, and what follows it. Junk comes before numbers that do not fit in 32 bits, behind those that do not in 64.
pub(crate) fn leading_u32<'t>(text: &'t str, type_name: &str, junk: Junk) -> PgResult<(u32, &'t str)> {
    let Some((value, rest)) = parse_unsigned(text) else {
        return Err(invalid_input(type_name, text));
    };
    // As C does: a number of 64 bits, of which 32 are kept when the rest says no more than their sign.
    let wide = match u64::try_from(value.unsigned_abs()) {
        Ok(v) if value < 0 => v.wrapping_neg(),
        Ok(v) => v,
        Err(_) => return Err(out_of_range(type_name, text)),
    };
    if junk == Junk::Refused && !trim_space(rest).is_empty() {
        return Err(invalid_input(type_name, text));
    }
    let kept = wide as u32;
    if wide != u64::from(kept) && wide != i64::from(kept as i32) as u64 {
        return Err(out_of_range(type_name, text));
    }
    Ok((kept, rest))
}

fn unsigned_u32(text: &str, type_name: &str) -> PgResult<u32> {
    Ok(leading_u32(text, type_name, Junk::Refused)?.0)
}

pub(crate) fn oid_in(text: &str, _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    Ok(Datum::Oid(parse_oid(text)?))
}

pub(crate) fn xid_in(text: &str, _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    Ok(Datum::Oid(unsigned_u32(text, "xid")?))
}

pub(crate) fn cid_in(text: &str, _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    Ok(Datum::Oid(unsigned_u32(text, "cid")?))
}

pub(crate) fn oid_recv(bytes: &[u8], _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    Ok(Datum::Oid(u32::from_be_bytes(
        bytes.try_into().map_err(|_| bad_binary())?,
    )))
}

pub(crate) fn xid8_in(text: &str, _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    let Some((value, rest)) = parse_unsigned(text) else {
        return Err(invalid_input("xid8", text));
    };
    let Ok(size) = u64::try_from(value.unsigned_abs()) else {
        return Err(out_of_range("xid8", text));
    };
    if !trim_space(rest).is_empty() {
        return Err(invalid_input("xid8", text));
    }
    // -1 is the greatest, as in C.
    let wrapped = if value < 0 { size.wrapping_neg() } else { size };
    Ok(Datum::Int8(wrapped as i64))
}

pub(crate) fn xid8_out(value: &Datum, _: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    match value {
        Datum::Int8(v) => out.push_str(&(*v as u64).to_string()),
        other => return Err(wrong_datum("xid8", other)),
    }
    Ok(())
}

/// Digits are an OID, `-` is 0, anything else is a name for the catalog.
pub(crate) fn reg_in(kind: RegKind, text: &str, ctx: &IoContext<'_>) -> PgResult<Datum> {
    // An operator may well be called "-".
    if text == "-" && !matches!(kind, RegKind::Oper | RegKind::Operator) {
        return Ok(Datum::Oid(0));
    }
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(Datum::Oid(parse_oid(text)?));
    }
    Ok(Datum::Oid(ctx.names().resolve(kind, text)?.0))
}

pub(crate) fn reg_out(kind: RegKind, oid: Oid, ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    if !oid.is_valid() {
        // PostgreSQL prints "0" for the kinds whose names take arguments, "-" for the others.
        let dash = !matches!(kind, RegKind::Oper | RegKind::Operator);
        out.push(if dash { '-' } else { '0' });
        return Ok(());
    }
    match ctx.names().name_of(kind, oid)? {
        Some(name) => out.push_str(&name),
        None => push_int(i64::from(oid.0), out),
    }
    Ok(())
}

pub(crate) fn float4_in(text: &str, _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    Ok(Datum::Float4(float::parse_f32(text)?))
}

pub(crate) fn float4_out(value: &Datum, ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    match value {
        Datum::Float4(v) => float::push_f32(*v, ctx.settings.extra_float_digits, out),
        other => return Err(wrong_datum("real", other)),
    }
    Ok(())
}

pub(crate) fn float4_recv(bytes: &[u8], _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    Ok(Datum::Float4(f32::from_be_bytes(
        bytes.try_into().map_err(|_| bad_binary())?,
    )))
}

pub(crate) fn float4_send(value: &Datum, _: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    match value {
        Datum::Float4(v) => out.extend_from_slice(&v.to_be_bytes()),
        other => return Err(wrong_datum("real", other)),
    }
    Ok(())
}

pub(crate) fn float8_in(text: &str, _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    Ok(Datum::Float8(float::parse_f64(text, "double precision")?))
}

pub(crate) fn float8_out(value: &Datum, ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    match value {
        Datum::Float8(v) => float::push_f64(*v, ctx.settings.extra_float_digits, out),
        other => return Err(wrong_datum("double precision", other)),
    }
    Ok(())
}

pub(crate) fn float8_recv(bytes: &[u8], _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    Ok(Datum::Float8(f64::from_be_bytes(
        bytes.try_into().map_err(|_| bad_binary())?,
    )))
}

pub(crate) fn float8_send(value: &Datum, _: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    match value {
        Datum::Float8(v) => out.extend_from_slice(&v.to_be_bytes()),
        other => return Err(wrong_datum("double precision", other)),
    }
    Ok(())
}

pub(crate) fn numeric_in(text: &str, typmod: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    Ok(Datum::Numeric(
        numeric::parse(text, "numeric")?.apply_typmod(typmod)?,
    ))
}

pub(crate) fn numeric_out(value: &Datum, _: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    match value {
        Datum::Numeric(v) => {
            let _ = write!(out, "{v}");
        }
        other => return Err(wrong_datum("numeric", other)),
    }
    Ok(())
}

pub(crate) fn numeric_recv(bytes: &[u8], typmod: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    Ok(Datum::Numeric(numeric::receive(bytes)?.apply_typmod(typmod)?))
}

pub(crate) fn numeric_send(value: &Datum, _: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    match value {
        Datum::Numeric(v) => numeric::send(v, out),
        other => return Err(wrong_datum("numeric", other)),
    }
    Ok(())
}
