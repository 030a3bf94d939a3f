//! Numbers and their text.

use crate::chars;

/// Digits a double carries.
const DIGITS: i32 = 15;

/// A number as XPath prints it; libxml turns to exponents outside of 1e-5 to 1e9.
pub fn number_to_string(n: f64) -> String {
    if n.is_nan() {
        return "NaN".to_owned();
    }
    if n.is_infinite() {
        return if n > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if n == f64::from(n as i32) {
        return (n as i32).to_string();
    }
    let size = n.abs();
    let digits_of = |place: i32| {
        if place > 0 {
            DIGITS - place - 1
        } else {
            DIGITS - place
        }
    };
    if !(1e-5..=1e9).contains(&size) {
        return exponential(n, DIGITS as usize - 1);
    }
    let places = digits_of(size.log10() as i32).max(0) as usize;
    trimmed(&format!("{n:.places$}")).to_owned()
}

/// Without zeros at the end of the fraction.
fn trimmed(text: &str) -> &str {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}

/// As C's `%e`, with at least two digits of exponent.
fn exponential(n: f64, places: usize) -> String {
    let text = format!("{n:.places$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{}e{sign}{digits:0>2}", trimmed(mantissa))
}

/// The number a text is; NaN if it is none.
pub(super) fn string_to_number(text: &str) -> f64 {
    let text = text.trim_matches(chars::is_blank);
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let plain = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    if plain {
        text.parse().unwrap_or(f64::NAN)
    } else {
        f64::NAN
    }
}

/// Half goes up; NaN, infinities and zeros stay.
pub(super) fn round(n: f64) -> f64 {
    if n.is_finite() && n != 0.0 {
        (n + 0.5).floor()
    } else {
        n
    }
}
