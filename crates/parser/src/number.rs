//! Numeric literals: decimal, hexadecimal, octal, binary, fractions and exponents, with underscores.

use crate::lexer::{is_ident_cont, is_ident_start};

/// A scanned literal.
pub struct Scanned {
    /// One past its last byte.
    pub end: usize,
    /// The value if it is an integer that fits int4.
    pub int4: Option<i32>,
    /// Message of the lexical error, if it is malformed.
    pub error: Option<&'static str>,
}

const JUNK: &str = "trailing junk after numeric literal";

fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

/// Digits with single underscores between them; returns where they end.
fn digits(bytes: &[u8], start: usize, is_digit: fn(u8) -> bool) -> usize {
    let mut at = start;
    loop {
        if is_digit(byte(bytes, at)) {
            at += 1;
        } else if at > start && byte(bytes, at) == b'_' && is_digit(byte(bytes, at + 1)) {
            at += 2;
        } else {
            return at;
        }
    }
}

fn is_decimal(b: u8) -> bool {
    b.is_ascii_digit()
}

/// If an identifier follows directly, the whole is junk.
fn finish(bytes: &[u8], end: usize, int4: Option<i32>) -> Scanned {
    if !is_ident_start(byte(bytes, end)) {
        return Scanned {
            end,
            int4,
            error: None,
        };
    }
    let mut junk_end = end + 1;
    while bytes.get(junk_end).is_some_and(|&b| is_ident_cont(b)) {
        junk_end += 1;
    }
    Scanned {
        end: junk_end,
        int4: None,
        error: Some(JUNK),
    }
}

/// Scans the literal at `start`, which is a digit, or a dot before a digit.
pub fn scan(bytes: &[u8], start: usize) -> Scanned {
    if byte(bytes, start) == b'0' {
        let based: Option<(fn(u8) -> bool, u32, &'static str)> = match byte(bytes, start + 1) {
            b'x' | b'X' => Some((|b| b.is_ascii_hexdigit(), 16, "invalid hexadecimal integer")),
            b'o' | b'O' => Some((|b| matches!(b, b'0'..=b'7'), 8, "invalid octal integer")),
            b'b' | b'B' => Some((|b| matches!(b, b'0' | b'1'), 2, "invalid binary integer")),
            _ => None,
        };
        if let Some((is_digit, radix, message)) = based {
            return scan_based(bytes, start, is_digit, radix, message);
        }
    }
    let mut end = digits(bytes, start, is_decimal);
    let mut is_integer = true;
    // Two dots are the range operator, not a decimal point.
    if byte(bytes, end) == b'.' && (end == start || byte(bytes, end + 1) != b'.') {
        is_integer = false;
        end = digits(bytes, end + 1, is_decimal);
    }
    if matches!(byte(bytes, end), b'e' | b'E') {
        let signed = matches!(byte(bytes, end + 1), b'+' | b'-');
        let exponent = end + 1 + usize::from(signed);
        if byte(bytes, exponent).is_ascii_digit() {
            return finish(bytes, digits(bytes, exponent, is_decimal), None);
        }
        if signed {
            return Scanned {
                end: exponent,
                int4: None,
                error: Some(JUNK),
            };
        }
    }
    let value = if is_integer {
        parse_int4(&bytes[start..end], 10)
    } else {
        None
    };
    finish(bytes, end, value)
}

fn scan_based(
    bytes: &[u8],
    start: usize,
    is_digit: fn(u8) -> bool,
    radix: u32,
    message: &'static str,
) -> Scanned {
    let mut at = start + 2;
    loop {
        let from = at + usize::from(byte(bytes, at) == b'_');
        if !is_digit(byte(bytes, from)) {
            break;
        }
        at = from + 1;
    }
    if at > start + 2 && !is_ident_cont(byte(bytes, at)) {
        return Scanned {
            end: at,
            int4: parse_int4(&bytes[start + 2..at], radix),
            error: None,
        };
    }
    if at > start + 2 {
        // A longer word after the zero wins over the number.
        return finish(bytes, start + 1, None);
    }
    // No digits: the prefix alone (perhaps with an underscore) is malformed; a longer word is junk.
    let bad_end = at + usize::from(byte(bytes, at) == b'_');
    let junk = finish(bytes, start + 1, None);
    if junk.end > bad_end {
        junk
    } else {
        Scanned {
            end: bad_end,
            int4: None,
            error: Some(message),
        }
    }
}

fn parse_int4(digits: &[u8], radix: u32) -> Option<i32> {
    let mut value = 0i64;
    for &b in digits {
        if b == b'_' {
            continue;
        }
        value = value * i64::from(radix) + i64::from(char::from(b).to_digit(radix)?);
        if value > i64::from(i32::MAX) {
            return None;
        }
    }
    i32::try_from(value).ok()
}
