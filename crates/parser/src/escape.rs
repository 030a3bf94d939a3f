//! Escapes in string constants: backslashes of E'' and the Unicode forms of U&''.

use common::error::ErrorExt;
use common::{PgError, Span, pg_err};

use crate::lexer::lex_error;
use crate::{BackslashQuote, ParseOptions};

type LexResult<T> = Result<T, Box<PgError>>;

fn span(start: usize, end: usize) -> Span {
    Span::new(start as u32, end as u32)
}

fn is_high_surrogate(c: u32) -> bool {
    (0xD800..=0xDBFF).contains(&c)
}

fn is_low_surrogate(c: u32) -> bool {
    (0xDC00..=0xDFFF).contains(&c)
}

fn pair(high: u32, low: u32) -> u32 {
    ((high & 0x3FF) << 10) + 0x10000 + (low & 0x3FF)
}

/// Any byte but a hexadecimal digit, plus, quotes and white space may be the UESCAPE character.
pub fn is_valid_escape_char(c: char) -> bool {
    !(c.is_ascii_hexdigit() || matches!(c, '+' | '\'' | '"' | ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}'))
}

/// Decodes the escape at the backslash `at` of the literal at `start`; appends to `out` and returns where to go on.
pub fn backslash(
    text: &str,
    (start, at): (usize, usize),
    out: &mut Vec<u8>,
    options: &ParseOptions,
) -> LexResult<usize> {
    let bytes = text.as_bytes();
    let Some(&c) = bytes.get(at + 1) else {
        return Ok(at + 1);
    };
    let plain = match c {
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        b'u' | b'U' => return backslash_unicode(text, at, out),
        b'0'..=b'7' => return Ok(numeric(bytes, at + 1, 3, 8, out)),
        b'x' if bytes.get(at + 2).is_some_and(u8::is_ascii_hexdigit) => {
            return Ok(numeric(bytes, at + 2, 2, 16, out));
        }
        b'\'' if options.backslash_quote == BackslashQuote::Off => {
            return Err(pg_err!(
                NONSTANDARD_USE_OF_ESCAPE_CHARACTER,
                "unsafe use of \\' in a string literal"
            )
            .hint("Use '' to write quotes in strings. \\' is insecure in client-only encodings.")
            .at(span(start, at + 2)));
        }
        other => other,
    };
    out.push(plain);
    Ok(at + 2)
}

fn numeric(bytes: &[u8], start: usize, length_max: usize, radix: u32, out: &mut Vec<u8>) -> usize {
    let mut value = 0u32;
    let mut at = start;
    while at < start + length_max
        && let Some(digit) = bytes.get(at).and_then(|&b| char::from(b).to_digit(radix))
    {
        value = value * radix + digit;
        at += 1;
    }
    out.push(value as u8);
    at
}

fn hex_value(bytes: &[u8], start: usize, length: usize) -> Option<u32> {
    let mut value = 0u32;
    for at in start..start + length {
        value = (value << 4) | char::from(*bytes.get(at)?).to_digit(16)?;
    }
    Some(value)
}

/// `\uXXXX` or `\UXXXXXXXX` at `at`: its value and end.
fn unicode_escape(text: &str, at: usize) -> LexResult<(u32, usize)> {
    let bytes = text.as_bytes();
    let length = if bytes.get(at + 1) == Some(&b'u') { 4 } else { 8 };
    match hex_value(bytes, at + 2, length) {
        Some(value) => Ok((value, at + 2 + length)),
        None => Err(pg_err!(INVALID_ESCAPE_SEQUENCE, "invalid Unicode escape")
            .hint("Unicode escapes must be \\uXXXX or \\UXXXXXXXX.")
            .at(span(at, at + 2))),
    }
}

fn backslash_unicode(text: &str, at: usize, out: &mut Vec<u8>) -> LexResult<usize> {
    let (mut value, mut end) = unicode_escape(text, at)?;
    if is_high_surrogate(value) {
        let low_at = end;
        let is_escape = matches!(text.as_bytes().get(low_at..low_at + 2), Some(b"\\u" | b"\\U"));
        if !is_escape {
            let width = text
                .get(low_at..)
                .and_then(|t| t.chars().next())
                .map_or(0, char::len_utf8);
            return Err(lex_error(
                text,
                "invalid Unicode surrogate pair",
                low_at,
                low_at + width,
            ));
        }
        let (low, low_end) = unicode_escape(text, low_at)?;
        if !is_low_surrogate(low) {
            return Err(lex_error(text, "invalid Unicode surrogate pair", low_at, low_end));
        }
        value = pair(value, low);
        end = low_end;
    } else if is_low_surrogate(value) {
        return Err(lex_error(text, "invalid Unicode surrogate pair", at, end));
    }
    match char::from_u32(value).filter(|_| value != 0) {
        Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        None => return Err(lex_error(text, "invalid Unicode escape value", at, end)),
    }
    Ok(end)
}

/// Escapes may have produced bytes that are no text.
pub fn verify_utf8(bytes: Vec<u8>) -> LexResult<String> {
    if let Some(at) = bytes.iter().position(|&b| b == 0) {
        // A broken sequence before the zero byte is reported first.
        if std::str::from_utf8(&bytes[..at]).is_ok() {
            return Err(invalid_bytes(&[0]));
        }
    }
    String::from_utf8(bytes).map_err(|e| {
        let from = e.utf8_error().valid_up_to();
        let rest = e.as_bytes().get(from..).unwrap_or(&[]);
        let length = match rest.first() {
            Some(0xC0..=0xDF) => 2,
            Some(0xE0..=0xEF) => 3,
            Some(0xF0..=0xF7) => 4,
            _ => 1,
        };
        invalid_bytes(rest.get(..length).unwrap_or(rest))
    })
}

fn invalid_bytes(bytes: &[u8]) -> Box<PgError> {
    let shown: Vec<String> = bytes.iter().map(|b| format!("0x{b:02x}")).collect();
    pg_err!(
        CHARACTER_NOT_IN_REPERTOIRE,
        "invalid byte sequence for encoding \"UTF8\": {}",
        shown.join(" ")
    )
}

/// Decodes `\XXXX` and `\+XXXXXX` with the given escape character. `origin` is where `text` starts in the statement;
/// like PostgreSQL, doubled quotes are not counted again, so positions after one are off by as much.
pub fn unicode(text: &str, escape: char, origin: usize) -> LexResult<String> {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut high: Option<u32> = None;
    let mut at = 0;
    let pair_error = |at: usize| {
        pg_err!(SYNTAX_ERROR, "invalid Unicode surrogate pair").at(span(origin + at, origin + at))
    };
    while let Some(c) = text.get(at..).and_then(|t| t.chars().next()) {
        if c != escape {
            if high.is_some() {
                return Err(pair_error(at));
            }
            out.push(c);
            at += c.len_utf8();
            continue;
        }
        if bytes.get(at + 1) == Some(&(escape as u8)) {
            if high.is_some() {
                return Err(pair_error(at));
            }
            out.push(escape);
            at += 2;
            continue;
        }
        let (value, length) = match (hex_value(bytes, at + 1, 4), bytes.get(at + 1)) {
            (Some(value), _) => (value, 5),
            (None, Some(b'+')) => match hex_value(bytes, at + 2, 6) {
                Some(value) => (value, 8),
                None => return Err(unicode_syntax(origin + at)),
            },
            _ => return Err(unicode_syntax(origin + at)),
        };
        let mut value = value;
        match high.take() {
            Some(first) if is_low_surrogate(value) => value = pair(first, value),
            Some(_) => return Err(pair_error(at)),
            None if is_low_surrogate(value) => return Err(pair_error(at)),
            None => {}
        }
        if is_high_surrogate(value) {
            high = Some(value);
        } else {
            match char::from_u32(value).filter(|_| value != 0) {
                Some(c) => out.push(c),
                None => {
                    return Err(pg_err!(SYNTAX_ERROR, "invalid Unicode escape value")
                        .at(span(origin + at, origin + at)));
                }
            }
        }
        at += length;
    }
    if high.is_some() {
        return Err(pair_error(at));
    }
    Ok(out)
}

fn unicode_syntax(at: usize) -> Box<PgError> {
    pg_err!(SYNTAX_ERROR, "invalid Unicode escape")
        .hint("Unicode escapes must be \\XXXX or \\+XXXXXX.")
        .at(span(at, at))
}
