//! `numeric` as text.

use std::fmt;

use common::PgResult;
use num_bigint::{BigInt, BigUint, Sign};

use crate::Numeric;
use crate::io::invalid_input;
use crate::io_text::trim_space;
use crate::numeric::convert::{INTEGER_DIGITS_MAX, SCALE_MAX, from_big, overflow, pow10};

/// Binary digits of the longest integers.
const BITS_MAX: u64 = 435_412;

impl fmt::Display for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Numeric::NaN => f.write_str("NaN"),
            Numeric::PosInf => f.write_str("Infinity"),
            Numeric::NegInf => f.write_str("-Infinity"),
            Numeric::Small { unscaled, scale: 0 } => write!(f, "{unscaled}"),
            Numeric::Small { unscaled, scale } => {
                write_decimal(f, *unscaled < 0, &unscaled.unsigned_abs().to_string(), *scale)
            }
            Numeric::Wide { scale, .. } => {
                let unscaled = self.to_i128().map_or(0, |(unscaled, _)| unscaled);
                write_decimal(f, unscaled < 0, &unscaled.unsigned_abs().to_string(), *scale)
            }
            Numeric::Big(big) => {
                let digits = self.to_decimal().map(|d| d.unscaled.magnitude().to_str_radix(10));
                write_decimal(f, big.negative, &digits.unwrap_or_default(), big.scale)
            }
        }
    }
}

fn write_decimal(f: &mut fmt::Formatter<'_>, negative: bool, digits: &str, scale: u16) -> fmt::Result {
    let scale = usize::from(scale);
    let sign = if negative { "-" } else { "" };
    if scale == 0 {
        return write!(f, "{sign}{digits}");
    }
    if digits.len() > scale {
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        write!(f, "{sign}{whole}.{fraction}")
    } else {
        write!(f, "{sign}0.{digits:0>scale$}")
    }
}

/// Digits, perhaps with a sign and a point among them, that fit [`Numeric::Small`] for sure; `None` for anything else.
pub fn parse_plain(text: &[u8]) -> Option<Numeric> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if text.len() > 18 {
        return None;
    }
    let (mut unscaled, mut digits, mut point) = (0i64, 0u16, None);
    for &b in text {
        match b {
            b'0'..=b'9' => {
                unscaled = unscaled * 10 + i64::from(b - b'0');
                digits += 1;
            }
            b'.' if point.is_none() => point = Some(digits),
            _ => return None,
        }
    }
    (digits > 0).then(|| Numeric::Small {
        unscaled: if negative { -unscaled } else { unscaled },
        scale: point.map_or(0, |at| digits - at),
    })
}

/// Reads a number; `type_name` is for the message.
pub fn parse(text: &str, type_name: &str) -> PgResult<Numeric> {
    if let Some(plain) = parse_plain(text.as_bytes()) {
        return Ok(plain);
    }
    let invalid = || invalid_input(type_name, text);
    let s = trim_space(text);
    let (negative, rest) = match s.as_bytes() {
        [b'-', ..] => (true, &s[1..]),
        [b'+', ..] => (false, &s[1..]),
        _ => (false, s),
    };
    match rest.as_bytes() {
        [b'0', b'x' | b'X', ..] => return parse_radix(&rest[2..], 16, negative).ok_or_else(invalid)?,
        [b'0', b'o' | b'O', ..] => return parse_radix(&rest[2..], 8, negative).ok_or_else(invalid)?,
        [b'0', b'b' | b'B', ..] => return parse_radix(&rest[2..], 2, negative).ok_or_else(invalid)?,
        [b'0'..=b'9' | b'.', ..] => {}
        _ => return special(s, negative).ok_or_else(invalid),
    }
    let (digits, scale, exponent, rest) = scan(rest).ok_or_else(invalid)?;
    // What follows such an exponent is not looked at.
    if exponent.unsigned_abs() >= i64::from(i32::MAX / 2).unsigned_abs() {
        return Err(overflow());
    }
    if !rest.is_empty() {
        return Err(invalid());
    }
    build(&digits, scale, exponent, negative)
}

fn special(s: &str, negative: bool) -> Option<Numeric> {
    // A sign is allowed before an infinity only.
    match s.to_ascii_lowercase().as_str() {
        "nan" => Some(Numeric::NaN),
        "infinity" | "+infinity" | "inf" | "+inf" => Some(Numeric::PosInf),
        "-infinity" | "-inf" if negative => Some(Numeric::NegInf),
        _ => None,
    }
}

/// Digits with underscores between them; `None` for bad syntax.
fn parse_radix(digits: &str, radix: u32, negative: bool) -> Option<PgResult<Numeric>> {
    let mut plain = Vec::with_capacity(digits.len());
    let mut previous = b'0';
    for &b in digits.as_bytes() {
        if b == b'_' {
            if previous == b'_' {
                return None;
            }
        } else {
            plain.push(char::from(b).to_digit(radix)? as u8);
        }
        previous = b;
    }
    if plain.is_empty() || previous == b'_' {
        return None;
    }
    let digits = &plain[plain.iter().take_while(|d| **d == 0).count()..];
    let bits = digits.len() as u64 * u64::from(radix.ilog2());
    if bits > BITS_MAX {
        return Some(Err(overflow()));
    }
    let magnitude = BigUint::from_radix_be(&plain, radix)?;
    let sign = if negative { Sign::Minus } else { Sign::Plus };
    Some(from_big(&BigInt::from_biguint(sign, magnitude), 0))
}

/// Takes a run of digits with single underscores inside; false when an underscore stands wrong.
fn take_digits(rest: &mut &[u8], out: &mut Vec<u8>) -> bool {
    let mut previous = b'_';
    let mut at = 0;
    while let Some(&b) = rest.get(at) {
        match b {
            b'0'..=b'9' => out.push(b),
            b'_' if previous != b'_' => {}
            b'_' => return false,
            _ => break,
        }
        previous = b;
        at += 1;
    }
    *rest = &rest[at..];
    at == 0 || previous != b'_'
}

/// Digits, how many of them follow the point, the exponent, and what is left.
fn scan(text: &str) -> Option<(Vec<u8>, usize, i64, &[u8])> {
    let mut rest = text.as_bytes();
    let mut digits = Vec::with_capacity(rest.len());
    if !take_digits(&mut rest, &mut digits) {
        return None;
    }
    let whole = digits.len();
    if let [b'.', after @ ..] = rest {
        rest = after;
        if !take_digits(&mut rest, &mut digits) {
            return None;
        }
    }
    if digits.is_empty() {
        return None;
    }
    let scale = digits.len() - whole;
    let mut exponent = 0i64;
    if let [b'e' | b'E', after @ ..] = rest {
        rest = after;
        let negative = match rest {
            [b'-', after @ ..] => {
                rest = after;
                true
            }
            [b'+', after @ ..] => {
                rest = after;
                false
            }
            _ => false,
        };
        let mut text = Vec::new();
        if !take_digits(&mut rest, &mut text) || text.is_empty() {
            return None;
        }
        let n = text.iter().fold(0i64, |n, d| {
            (n * 10 + i64::from(d - b'0')).min(i64::from(i32::MAX))
        });
        exponent = if negative { -n } else { n };
    }
    Some((digits, scale, exponent, rest))
}

fn build(digits: &[u8], scale: usize, exponent: i64, negative: bool) -> PgResult<Numeric> {
    let scale = scale as i64 - exponent;
    if digits.len() <= 18 && (0..=i64::from(SCALE_MAX)).contains(&scale) {
        let n = digits.iter().fold(0i64, |n, d| n * 10 + i64::from(d - b'0'));
        return Ok(Numeric::Small {
            unscaled: if negative { -n } else { n },
            scale: scale as u16,
        });
    }
    let zeros = digits.iter().take_while(|d| **d == b'0').count();
    let digits = &digits[zeros..];
    // What is too long is not converted first: that takes time with the square of the length.
    if !digits.is_empty()
        && (digits.len() as i64 - scale > INTEGER_DIGITS_MAX || scale > i64::from(SCALE_MAX))
    {
        return Err(overflow());
    }
    let magnitude = BigUint::parse_bytes(digits, 10).unwrap_or_default();
    let sign = if negative { Sign::Minus } else { Sign::Plus };
    let mut n = BigInt::from_biguint(sign, magnitude);
    if scale < 0 {
        if n.sign() == Sign::NoSign {
            return Ok(Numeric::ZERO);
        }
        n *= pow10((-scale) as u32);
        return from_big(&n, 0);
    }
    if scale > i64::from(SCALE_MAX) {
        return Err(overflow());
    }
    from_big(&n, scale as u16)
}
