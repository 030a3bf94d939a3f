//! Input and output of `money`, as the locale `C` has it: `-$1,234.56`.

use common::PgResult;

use crate::Datum;
use crate::io::{IoContext, invalid_input, out_of_range, wrong_datum};

/// Cents in a unit, as a power of ten.
const FRACTION_DIGITS: usize = 2;

/// What is left of `s` after leading white space.
fn skip_space(s: &[u8]) -> &[u8] {
    let n = s.iter().take_while(|b| matches!(b, b' ' | b'\t'..=b'\r')).count();
    &s[n..]
}

/// Reads sign and currency symbol before the digits; true for negative.
fn prefix(mut s: &[u8]) -> (bool, &[u8]) {
    s = skip_space(s);
    s = s.strip_prefix(b"$").unwrap_or(s);
    s = skip_space(s);
    let mut negative = false;
    if let Some(rest) = s.strip_prefix(b"-").or_else(|| s.strip_prefix(b"(")) {
        negative = true;
        s = rest;
    } else if let Some(rest) = s.strip_prefix(b"+") {
        s = rest;
    }
    s = skip_space(s);
    s = s.strip_prefix(b"$").unwrap_or(s);
    (negative, skip_space(s))
}

/// Cents from text.
pub fn parse(text: &str) -> PgResult<i64> {
    let (mut negative, mut s) = prefix(text.as_bytes());
    // Counted downwards, so that the least value can be read too.
    let mut value: i64 = 0;
    let (mut seen_dot, mut decimals) = (false, 0);
    let overflow = || out_of_range("money", text);
    let push = |value: i64, digit: i64| {
        value
            .checked_mul(10)
            .and_then(|v| v.checked_sub(digit))
            .ok_or_else(overflow)
    };
    while let Some((&b, rest)) = s.split_first() {
        match b {
            b'0'..=b'9' if !seen_dot || decimals < FRACTION_DIGITS => {
                value = push(value, i64::from(b - b'0'))?;
                decimals += usize::from(seen_dot);
            }
            b'.' if !seen_dot => seen_dot = true,
            b',' => {}
            _ => break,
        }
        s = rest;
    }
    // Round off by the first digit too many.
    if s.first().is_some_and(|b| (b'5'..=b'9').contains(b)) {
        value = value.checked_sub(1).ok_or_else(overflow)?;
    }
    for _ in decimals..FRACTION_DIGITS {
        value = push(value, 0)?;
    }
    while let [b'0'..=b'9', rest @ ..] = s {
        s = rest;
    }
    while let Some((&b, rest)) = s.split_first() {
        match b {
            b' ' | b'\t'..=b'\r' | b')' | b'+' | b'$' => {}
            b'-' => negative = true,
            _ => return Err(invalid_input("money", text)),
        }
        s = rest;
    }
    if negative {
        Ok(value)
    } else {
        value.checked_neg().ok_or_else(overflow)
    }
}

/// Appends cents as text.
pub fn push(value: i64, out: &mut String) {
    if value < 0 {
        out.push('-');
    }
    out.push('$');
    let magnitude = value.unsigned_abs();
    let units = (magnitude / 100).to_string();
    for (i, digit) in units.chars().enumerate() {
        if i > 0 && (units.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out.push_str(&format!(".{:02}", magnitude % 100));
}

/// `money` from text.
pub fn money_in(text: &str, _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    parse(text).map(Datum::Int8)
}

/// `money` to text.
pub fn money_out(value: &Datum, _: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    match value {
        Datum::Int8(v) => push(*v, out),
        other => return Err(wrong_datum("money", other)),
    }
    Ok(())
}

/// `money` from the wire.
pub fn money_recv(bytes: &[u8], _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    match bytes.try_into() {
        Ok(b) => Ok(Datum::Int8(i64::from_be_bytes(b))),
        Err(_) => Err(crate::wire::bad_binary()),
    }
}
