//! Input and output of `bool`, `"char"`, the text types and enums.

use std::borrow::Cow;

use common::{Oid, PgResult, long, pg_err, pieces};

use crate::Datum;
use crate::encoding::{self, Encoding};
use crate::io::{IoContext, invalid_input, text_datum, wrong_datum};
use crate::wire::no_data;

/// Longest identifier in bytes (PostgreSQL's `NAMEDATALEN - 1`).
pub const NAME_LEN_MAX: usize = 63;

/// PostgreSQL's `MaxAllocSize`, and the header of a value of variable length.
const ALLOC_BYTES_MAX: usize = 0x3fff_ffff;
const HEADER_BYTES: usize = 4;

/// Largest declared length of `char(n)` and `varchar(n)`.
pub const CHAR_LEN_MAX: i32 = 10_485_760;

/// PostgreSQL's white space in input functions (C locale `isspace`).
pub fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

/// Without white space at both ends.
pub fn trim_space(s: &str) -> &str {
    s.trim_matches(is_space)
}

/// Text from the wire.
pub fn utf8(bytes: &[u8]) -> PgResult<&str> {
    let zero = || {
        pg_err!(
            CHARACTER_NOT_IN_REPERTOIRE,
            "invalid byte sequence for encoding \"UTF8\": 0x00"
        )
    };
    match std::str::from_utf8(bytes) {
        Ok(s) if memchr::memchr(0, bytes).is_none() => Ok(s),
        Ok(_) => Err(zero()),
        Err(e) if bytes[..e.valid_up_to()].contains(&0) => Err(zero()),
        Err(e) => {
            let at = e.valid_up_to();
            let lead = bytes.get(at).copied().unwrap_or(0);
            let len = match lead {
                0xf0..=0xf7 => 4,
                0xe0..=0xef => 3,
                0xc0..=0xdf => 2,
                _ => 1,
            };
            let bad = bytes.iter().skip(at).take(len);
            let shown: Vec<String> = bad.map(|b| format!("0x{b:02x}")).collect();
            Err(pg_err!(
                CHARACTER_NOT_IN_REPERTOIRE,
                "invalid byte sequence for encoding \"UTF8\": {}",
                shown.join(" ")
            ))
        }
    }
}

/// What PostgreSQL accepts as a boolean: unique prefixes of the words, `on`, `off`, `1`, `0`.
pub fn parse_bool(text: &str) -> Option<bool> {
    let word = text.to_ascii_lowercase();
    let prefix_of = |full: &str| !word.is_empty() && full.starts_with(&word);
    match word.as_str() {
        "1" | "on" => Some(true),
        "0" | "of" | "off" => Some(false),
        _ if prefix_of("true") || prefix_of("yes") => Some(true),
        _ if prefix_of("false") || prefix_of("no") => Some(false),
        _ => None,
    }
}

pub(crate) fn bool_in(text: &str, _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    match parse_bool(trim_space(text)) {
        Some(b) => Ok(Datum::Bool(b)),
        None => Err(invalid_input("boolean", text)),
    }
}

pub(crate) fn bool_out(value: &Datum, _: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    match value {
        Datum::Bool(b) => out.push(if *b { 't' } else { 'f' }),
        other => return Err(wrong_datum("boolean", other)),
    }
    Ok(())
}

pub(crate) fn bool_recv(bytes: &[u8], _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    match bytes {
        [b] => Ok(Datum::Bool(*b != 0)),
        _ => Err(no_data()),
    }
}

pub(crate) fn bool_send(value: &Datum, _: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    match value {
        Datum::Bool(b) => out.push(u8::from(*b)),
        other => return Err(wrong_datum("boolean", other)),
    }
    Ok(())
}

/// The byte of a `"char"` literal: `\ooo` in octal, else the first byte (none: 0).
pub fn parse_char(text: &str) -> u8 {
    match text.as_bytes() {
        [b'\\', a @ b'0'..=b'7', b @ b'0'..=b'7', c @ b'0'..=b'7'] => {
            ((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0')
        }
        [first, ..] => *first,
        [] => 0,
    }
}

/// The text of a `"char"`: high bytes in octal, 0 as the empty string.
pub fn push_char(byte: u8, out: &mut String) {
    match byte {
        0 => {}
        0x80.. => out.push_str(&format!("\\{byte:03o}")),
        _ => out.push(char::from(byte)),
    }
}

pub(crate) fn char_in(text: &str, _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    Ok(Datum::Char(parse_char(text)))
}

pub(crate) fn char_out(value: &Datum, _: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    match value {
        Datum::Char(b) => push_char(*b, out),
        other => return Err(wrong_datum("\"char\"", other)),
    }
    Ok(())
}

pub(crate) fn char_recv(bytes: &[u8], _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    match bytes {
        [b] => Ok(Datum::Char(*b)),
        _ => Err(no_data()),
    }
}

pub(crate) fn char_send(value: &Datum, _: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    match value {
        Datum::Char(b) => out.push(*b),
        other => return Err(wrong_datum("\"char\"", other)),
    }
    Ok(())
}

pub(crate) fn text_in(text: &str, _: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    long::text(text, ctx.cancel).map(Datum::Text)
}

/// `void` is nothing, whatever stands there.
pub(crate) fn void_in(_: &str, _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    Ok(text_datum(""))
}

/// Nothing has no bytes.
pub(crate) fn void_recv(bytes: &[u8], _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    crate::wire::done(bytes)?;
    Ok(text_datum(""))
}

pub(crate) fn text_out(value: &Datum, ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    match value {
        Datum::Text(s) => pieces::append(ctx.cancel, s, out),
        other => Err(wrong_datum("text", other)),
    }
}

/// Text from the wire, in the client's encoding.
pub(crate) fn from_client<'b>(bytes: &'b [u8], ctx: &IoContext<'_>) -> PgResult<Cow<'b, str>> {
    encoding::decode(bytes, ctx.settings.client_encoding)
}

/// Text to the wire, in the client's encoding.
pub(crate) fn to_client(text: &str, ctx: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    if ctx.settings.client_encoding == Encoding::UTF8 {
        return pieces::append_bytes(ctx.cancel, text.as_bytes(), out);
    }
    out.extend_from_slice(&encoding::encode(text, ctx.settings.client_encoding)?);
    Ok(())
}

pub(crate) fn text_recv(bytes: &[u8], _: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    long::text(&from_client(bytes, ctx)?, ctx.cancel).map(Datum::Text)
}

pub(crate) fn text_send(value: &Datum, ctx: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    match value {
        Datum::Text(s) => to_client(s, ctx, out),
        other => Err(wrong_datum("text", other)),
    }
}

/// Cuts an identifier to 63 bytes at a character boundary.
pub fn truncate_name(s: &str) -> &str {
    if s.len() <= NAME_LEN_MAX {
        return s;
    }
    let mut end = NAME_LEN_MAX;
    while !s.is_char_boundary(end) {
        end -= 1;
    }
    &s[..end]
}

pub(crate) fn name_in(text: &str, _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    Ok(text_datum(truncate_name(text)))
}

pub(crate) fn name_recv(bytes: &[u8], _: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    let s = &*from_client(bytes, ctx)?;
    if s.len() > NAME_LEN_MAX {
        return Err(pg_err!(NAME_TOO_LONG, "identifier too long"));
    }
    Ok(text_datum(s))
}

/// The declared length behind a `varchar`/`bpchar` modifier.
pub fn char_typmod_length(typmod: i32) -> Option<usize> {
    usize::try_from(typmod.checked_sub(4)?)
        .ok()
        .filter(|_| typmod >= 4)
}

/// What to do with a string that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooLong {
    /// Assignment and input: an error unless only blanks are lost.
    Error,
    /// Explicit cast: cut.
    Cut,
}

/// The byte offset of character `n`, if the string is longer than that.
pub fn char_offset(s: &str, n: usize) -> Option<usize> {
    if s.len() <= n {
        return None;
    }
    s.char_indices().nth(n).map(|(i, _)| i)
}

/// A string under `varchar(n)`.
pub fn varchar_coerce(s: &str, typmod: i32, too_long: TooLong) -> PgResult<&str> {
    let Some(max) = char_typmod_length(typmod) else {
        return Ok(s);
    };
    match char_offset(s, max) {
        None => Ok(s),
        Some(cut) => {
            if too_long == TooLong::Error && s[cut..].bytes().any(|b| b != b' ') {
                return Err(pg_err!(
                    STRING_DATA_RIGHT_TRUNCATION,
                    "value too long for type character varying({max})"
                ));
            }
            Ok(&s[..cut])
        }
    }
}

/// A string under `char(n)`: cut or padded with blanks to exactly `n` characters.
///
/// A text beyond what PostgreSQL allocates at once is refused.
pub fn bpchar_coerce(s: &str, typmod: i32, too_long: TooLong) -> PgResult<String> {
    let Some(max) = char_typmod_length(typmod) else {
        return Ok(s.to_owned());
    };
    if let Some(cut) = char_offset(s, max) {
        if too_long == TooLong::Error && s[cut..].bytes().any(|b| b != b' ') {
            return Err(pg_err!(
                STRING_DATA_RIGHT_TRUNCATION,
                "value too long for type character({max})"
            ));
        }
        return Ok(s[..cut].to_owned());
    }
    let missing = max - s.chars().count();
    let size = s.len() + missing + HEADER_BYTES;
    if size > ALLOC_BYTES_MAX {
        return Err(pg_err!(
            PROGRAM_LIMIT_EXCEEDED,
            "invalid memory alloc request size {size}"
        ));
    }
    let mut padded = String::with_capacity(s.len() + missing);
    padded.push_str(s);
    padded.extend(std::iter::repeat_n(' ', missing));
    Ok(padded)
}

pub(crate) fn varchar_in(text: &str, typmod: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    let text = varchar_coerce(text, typmod, TooLong::Error)?;
    long::text(text, ctx.cancel).map(Datum::Text)
}

pub(crate) fn varchar_recv(bytes: &[u8], typmod: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    varchar_in(&from_client(bytes, ctx)?, typmod, ctx)
}

pub(crate) fn bpchar_in(text: &str, typmod: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    Ok(Datum::text(bpchar_coerce(text, typmod, TooLong::Error)?))
}

pub(crate) fn bpchar_recv(bytes: &[u8], typmod: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    bpchar_in(&from_client(bytes, ctx)?, typmod, ctx)
}

pub(crate) fn enum_in(type_oid: Oid, text: &str, ctx: &IoContext<'_>) -> PgResult<Datum> {
    let names = ctx.names();
    match names.enum_label_oid(type_oid, text)? {
        Some(label) => Ok(Datum::Oid(label.0)),
        None => {
            let type_name = names.type_name(type_oid)?.unwrap_or_else(|| type_oid.to_string());
            Err(pg_err!(
                INVALID_TEXT_REPRESENTATION,
                "invalid input value for enum {type_name}: \"{text}\""
            ))
        }
    }
}

pub(crate) fn enum_out(label: Oid, ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    match ctx.names().enum_label(label)? {
        Some(text) => out.push_str(&text),
        None => {
            return Err(pg_err!(
                INVALID_BINARY_REPRESENTATION,
                "invalid internal value for enum: {label}"
            ));
        }
    }
    Ok(())
}
