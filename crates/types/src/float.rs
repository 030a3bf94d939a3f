//! `float4` and `float8` as text, the way PostgreSQL prints and reads them.

use common::{PgResult, pg_err};

use crate::io::invalid_input;
use crate::io_text::trim_space;

/// Digits a double surely keeps.
pub const FLOAT8_DIGITS: i32 = 15;
/// Digits a float surely keeps.
pub const FLOAT4_DIGITS: i32 = 6;

fn special(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value == f64::INFINITY {
        Some("Infinity")
    } else if value == f64::NEG_INFINITY {
        Some("-Infinity")
    } else {
        None
    }
}

/// Appends a double; `extra_float_digits` above 0 means the shortest digits that read back.
pub fn push_f64(value: f64, extra_float_digits: i32, out: &mut String) {
    match special(value) {
        Some(word) => out.push_str(word),
        None if extra_float_digits > 0 => {
            let mut text = format!("{value:e}");
            // One more digit, as few as will do.
            while value.abs() >= FLOAT8_WHOLE && is_half_way(&text, value, value.next_up()) {
                text = format!("{value:.*e}", decimals(&text) + 1);
            }
            let bits = value.to_bits();
            let (mantissa, exponent) = (bits & ((1 << 52) - 1), (bits >> 52 & 0x7ff) as i32);
            let mantissa = if exponent == 0 {
                mantissa
            } else {
                mantissa | 1 << 52
            };
            tie_to_even(&mut text, mantissa, exponent.max(1) - 1075);
            push_shortest(&text, FLOAT8_DIGITS, out);
        }
        None => out.push_str(&format_general(
            value,
            (FLOAT8_DIGITS + extra_float_digits).max(1) as usize,
        )),
    }
}

/// Appends a float.
pub fn push_f32(value: f32, extra_float_digits: i32, out: &mut String) {
    match special(f64::from(value)) {
        Some(word) => out.push_str(word),
        None if extra_float_digits > 0 => {
            let mut text = format!("{value:e}");
            let above = f64::from(value.next_up());
            while value.abs() >= FLOAT4_WHOLE && is_half_way(&text, f64::from(value), above) {
                text = format!("{value:.*e}", decimals(&text) + 1);
            }
            let bits = value.to_bits();
            let (mantissa, exponent) = (bits & ((1 << 23) - 1), (bits >> 23 & 0xff) as i32);
            let mantissa = if exponent == 0 {
                mantissa
            } else {
                mantissa | 1 << 23
            };
            tie_to_even(&mut text, u64::from(mantissa), exponent.max(1) - 150);
            push_shortest(&text, FLOAT4_DIGITS, out);
        }
        None => {
            let digits = (FLOAT4_DIGITS + extra_float_digits).max(1) as usize;
            out.push_str(&format_general(f64::from(value), digits));
        }
    }
}

/// From here on neighbours are 2 and more apart: the number half-way between them may be a short text.
const FLOAT8_WHOLE: f64 = 9_007_199_254_740_992.0;
const FLOAT4_WHOLE: f32 = 16_777_216.0;

/// How many digits a text like `1.25e8` has behind its point.
fn decimals(scientific: &str) -> usize {
    let mantissa = scientific.split('e').next().unwrap_or_default();
    mantissa.split_once('.').map_or(0, |(_, decimals)| decimals.len())
}

/// True when shortest digits name the very middle between a number and a neighbour. Reading rounds them to the even one, but
/// PostgreSQL takes only what is nearer to this number than to any other.
fn is_half_way(scientific: &str, value: f64, above: f64) -> bool {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let zeros = exponent + 1 - digits.len() as i32;
    let scaled = digits.parse::<i128>().ok().zip(u32::try_from(zeros).ok());
    let Some(named) = scaled.and_then(|(d, zeros)| d.checked_mul(10_i128.checked_pow(zeros)?)) else {
        return false;
    };
    let gap = (above - value).abs() as i128;
    2 * (named - value.abs() as i128).abs() >= gap && gap > 0
}

/// Where two shortest texts are equally near, Rust takes the upper one, PostgreSQL the one with an even last digit.
///
/// An odd number of `1/2^k` has `k` decimal places, of which the last is a 5: it lies between two texts with one place less.
fn tie_to_even(scientific: &mut String, mantissa: u64, exponent: i32) {
    let places = -(exponent + mantissa.trailing_zeros() as i32);
    if mantissa == 0 || places < 1 {
        return;
    }
    let Some(e) = scientific.find('e') else { return };
    let digits = scientific[..e].bytes().filter(u8::is_ascii_digit).count() as i32;
    let shown: i32 = scientific[e + 1..].parse().unwrap_or(0);
    let last = scientific.as_bytes()[e - 1];
    if digits - 1 - shown == places - 1 && last.is_ascii_digit() && last % 2 == 1 {
        let even = char::from(last - 1);
        scientific.replace_range(e - 1..e, even.encode_utf8(&mut [0; 4]));
    }
}

/// Lays out digits in Rust's `d.ddde-7` form as PostgreSQL does: plain while the exponent lies in `-4..fixed_max`.
fn push_shortest(scientific: &str, fixed_max: i32, out: &mut String) {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    out.push_str(sign);
    if !(-4..fixed_max).contains(&exponent) {
        push_exponential(&digits, exponent, out);
    } else if exponent < 0 {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', (-exponent - 1) as usize));
        out.push_str(&digits);
    } else {
        let whole = exponent as usize + 1;
        if digits.len() <= whole {
            out.push_str(&digits);
            out.extend(std::iter::repeat_n('0', whole - digits.len()));
        } else {
            out.push_str(&digits[..whole]);
            out.push('.');
            out.push_str(&digits[whole..]);
        }
    }
}

fn push_exponential(digits: &str, exponent: i32, out: &mut String) {
    let (first, rest) = digits.split_at(1.min(digits.len()));
    out.push_str(first);
    if !rest.is_empty() {
        out.push('.');
        out.push_str(rest);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    out.push_str(&format!("e{sign}{:02}", exponent.unsigned_abs()));
}

/// C's `%.*g`.
pub fn format_general(value: f64, significant: usize) -> String {
    if let Some(word) = special(value) {
        return word.to_owned();
    }
    let scientific = format!("{:.*e}", significant.saturating_sub(1), value);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let mantissa = if mantissa.contains('.') {
        mantissa.trim_end_matches('0').trim_end_matches('.')
    } else {
        mantissa
    };
    let mut out = String::new();
    push_shortest(&format!("{mantissa}e{exponent}"), significant as i32, &mut out);
    out
}

/// What is between the signs and digits: decimal syntax that `strtod` takes whole.
fn is_decimal(s: &str) -> bool {
    let s = s.strip_prefix(['+', '-']).unwrap_or(s);
    let (number, exponent) = match s.find(['e', 'E']) {
        Some(at) => (&s[..at], Some(&s[at + 1..])),
        None => (s, None),
    };
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let points = number.bytes().filter(|b| *b == b'.').count();
    let exponent_fine = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['+', '-']).unwrap_or(e);
        !e.is_empty() && e.bytes().all(|b| b.is_ascii_digit())
    });
    digits > 0 && points <= 1 && digits + points == number.len() && exponent_fine
}

/// The part of a text that `strtod` takes.
fn decimal_prefix(s: &str) -> &str {
    let digits = |s: &str| s.bytes().take_while(u8::is_ascii_digit).count();
    let sign = usize::from(s.starts_with(['+', '-']));
    let whole = digits(&s[sign..]);
    let mut end = sign + whole;
    if s[end..].starts_with('.') {
        let fraction = digits(&s[end + 1..]);
        if whole + fraction > 0 {
            end += 1 + fraction;
        }
    }
    if end > sign && s[end..].starts_with(['e', 'E']) {
        let after = end + 1 + usize::from(s[end + 1..].starts_with(['+', '-']));
        let exponent = digits(&s[after..]);
        if exponent > 0 {
            end = after + exponent;
        }
    }
    &s[..end]
}

/// What is wrong with a text that is no number as a whole: the number in front is looked at first.
#[cold]
fn refused<T>(
    s: &str,
    text: &str,
    type_name: &str,
    read: impl Fn(&str) -> PgResult<T>,
) -> Box<common::PgError> {
    let prefix = decimal_prefix(s);
    if is_decimal(prefix)
        && let Err(e) = read(prefix)
    {
        return e;
    }
    invalid_input(type_name, text)
}

fn has_nonzero_digit(s: &str) -> bool {
    let number = s.split(['e', 'E']).next().unwrap_or(s);
    number.bytes().any(|b| (b'1'..=b'9').contains(&b))
}

fn parse_special(s: &str) -> Option<f64> {
    let (negative, word) = match s.as_bytes() {
        [b'-', ..] => (true, &s[1..]),
        [b'+', ..] => (false, &s[1..]),
        _ => (false, s),
    };
    let value = match word.to_ascii_lowercase().as_str() {
        "nan" => f64::NAN,
        "infinity" | "inf" => f64::INFINITY,
        _ => return None,
    };
    Some(if negative { -value } else { value })
}

/// C's `0x1.8p3`, which `strtod` takes.
fn parse_hexadecimal(s: &str) -> Option<f64> {
    let (negative, s) = match s.as_bytes() {
        [b'-', ..] => (true, &s[1..]),
        [b'+', ..] => (false, &s[1..]),
        _ => (false, s),
    };
    let s = s.strip_prefix("0x").or_else(|| s.strip_prefix("0X"))?;
    let (digits, exponent) = match s.find(['p', 'P']) {
        Some(at) => (&s[..at], s[at + 1..].parse::<i32>().ok()?),
        None => (s, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let count = whole.len() + fraction.len();
    if count == 0 || count > 16 {
        return None;
    }
    let mantissa = u64::from_str_radix(&format!("{whole}{fraction}"), 16).ok()?;
    let value = mantissa as f64 * 2f64.powi(exponent.checked_sub(4 * fraction.len() as i32)?);
    Some(if negative { -value } else { value })
}

/// Reads a double; `type_name` is for messages about syntax.
pub fn parse_f64(text: &str, type_name: &str) -> PgResult<f64> {
    let s = trim_space(text);
    if !is_decimal(s) {
        let value = parse_special(s).or_else(|| parse_hexadecimal(s));
        return value.ok_or_else(|| refused(s, text, type_name, |prefix| parse_f64(prefix, type_name)));
    }
    let value: f64 = s.parse().map_err(|_| invalid_input(type_name, text))?;
    if value.is_infinite() || (value == 0.0 && has_nonzero_digit(s)) {
        return Err(pg_err!(
            NUMERIC_VALUE_OUT_OF_RANGE,
            "\"{s}\" is out of range for type double precision"
        ));
    }
    Ok(value)
}

/// Reads a float.
pub fn parse_f32(text: &str) -> PgResult<f32> {
    let s = trim_space(text);
    if !is_decimal(s) {
        return match parse_special(s).or_else(|| parse_hexadecimal(s)) {
            Some(v) => Ok(v as f32),
            None => Err(refused(s, text, "real", parse_f32)),
        };
    }
    let value: f32 = s.parse().map_err(|_| invalid_input("real", text))?;
    if value.is_infinite() || (value == 0.0 && has_nonzero_digit(s)) {
        return Err(pg_err!(
            NUMERIC_VALUE_OUT_OF_RANGE,
            "\"{s}\" is out of range for type real"
        ));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_like_postgres() {
        let show = |v: f64| {
            let mut s = String::new();
            push_f64(v, 1, &mut s);
            s
        };
        for (v, text) in [
            (0.1, "0.1"),
            (1e15, "1e+15"),
            (123456789012345.0, "123456789012345"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (-0.0, "-0"),
            (1.5e300, "1.5e+300"),
            (100.0, "100"),
        ] {
            assert_eq!(show(v), text);
        }
        assert_eq!(format_general(0.1 + 0.2, 15), "0.3");
        assert_eq!(format_general(1234567.0, 6), "1.23457e+06");
    }
}
