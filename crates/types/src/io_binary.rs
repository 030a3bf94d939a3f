//! Input and output of `bytea`, `uuid` and `json`.

use common::cancel::CancelToken;
use common::{PgResult, internal, long, pg_err, pieces};

use crate::Datum;
use crate::io::IoContext;
use crate::json_text;
use crate::settings::ByteaOutput;

/// Appends two hexadecimal digits per byte.
pub fn push_hex(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.reserve(bytes.len() * 2);
    for b in bytes {
        out.push(char::from(DIGITS[usize::from(b >> 4)]));
        out.push(char::from(DIGITS[usize::from(b & 15)]));
    }
}

/// Bytes between two looks at the cancel flag.
const BYTES_UNCHECKED: usize = 1 << 20;

/// Reads hexadecimal digits; white space between pairs is skipped.
pub fn parse_hex(s: &str, cancel: &CancelToken) -> PgResult<Vec<u8>> {
    let mut out = Vec::with_capacity(s.len() / 2);
    let mut chars = s.chars();
    while let Some(c) = chars.next() {
        if matches!(c, ' ' | '\n' | '\t' | '\r') {
            continue;
        }
        if out.len() % BYTES_UNCHECKED == 0 {
            cancel.check()?;
        }
        let high = hex_digit(c)?;
        let Some(c) = chars.next() else {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "invalid hexadecimal data: odd number of digits"
            ));
        };
        out.push(high << 4 | hex_digit(c)?);
    }
    Ok(out)
}

fn hex_digit(c: char) -> PgResult<u8> {
    c.to_digit(16)
        .map(|d| d as u8)
        .ok_or_else(|| pg_err!(INVALID_PARAMETER_VALUE, "invalid hexadecimal digit: \"{c}\""))
}

/// Reads the escape format: `\\` and `\ooo`.
pub fn parse_escape(s: &str, cancel: &CancelToken) -> PgResult<Vec<u8>> {
    let mut out = Vec::with_capacity(s.len());
    let mut rest = s.as_bytes();
    while let Some((&b, tail)) = rest.split_first() {
        rest = tail;
        if out.len() % BYTES_UNCHECKED == 0 {
            cancel.check()?;
        }
        if b != b'\\' {
            out.push(b);
            continue;
        }
        match *rest {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ref tail @ ..] => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = tail;
            }
            [b'\\', ref tail @ ..] => {
                out.push(b'\\');
                rest = tail;
            }
            _ => {
                return Err(pg_err!(
                    INVALID_TEXT_REPRESENTATION,
                    "invalid input syntax for type bytea"
                ));
            }
        }
    }
    Ok(out)
}

/// Appends a byte as `\ooo`.
pub fn push_octal(b: u8, out: &mut String) {
    out.push('\\');
    for shift in [6, 3, 0] {
        out.push(char::from(b'0' + (b >> shift & 7)));
    }
}

/// Appends the escape format.
pub fn push_escape(bytes: &[u8], out: &mut String) {
    for &b in bytes {
        match b {
            b'\\' => out.push_str("\\\\"),
            0x20..=0x7e => out.push(char::from(b)),
            _ => push_octal(b, out),
        }
    }
}

/// `bytea` from text.
pub fn bytea_in(s: &str, _: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    let bytes = match s.strip_prefix("\\x") {
        Some(hex) => parse_hex(hex, ctx.cancel)?,
        None => parse_escape(s, ctx.cancel)?,
    };
    long::bytes(&bytes, ctx.cancel).map(Datum::Bytes)
}

/// `bytea` to text.
pub fn bytea_out(v: &Datum, ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    let Datum::Bytes(bytes) = v else {
        return Err(internal!("bytea arrived as {v:?}"));
    };
    match ctx.settings.bytea_output {
        ByteaOutput::Hex => {
            out.push_str("\\x");
            out.reserve(bytes.len() * 2);
            pieces::bytes(ctx.cancel, bytes, |piece| push_hex(piece, out))
        }
        ByteaOutput::Escape => pieces::bytes(ctx.cancel, bytes, |piece| push_escape(piece, out)),
    }
}

/// `bytea` from the wire.
pub fn bytea_recv(bytes: &[u8], _: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    long::bytes(bytes, ctx.cancel).map(Datum::Bytes)
}

/// `bytea` to the wire.
pub fn bytea_send(v: &Datum, ctx: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    match v {
        Datum::Bytes(bytes) => pieces::append_bytes(ctx.cancel, bytes, out),
        _ => Err(internal!("bytea arrived as {v:?}")),
    }
}

/// Parses a UUID: hexadecimal digits, optional braces, a hyphen allowed after every second pair.
pub fn parse_uuid(s: &str) -> Option<[u8; 16]> {
    let bytes = s.as_bytes();
    let inner = match bytes {
        [b'{', inner @ .., b'}'] => inner,
        [b'{', ..] => return None,
        _ => bytes,
    };
    let digit = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    let mut out = [0; 16];
    let mut rest = inner;
    for (i, byte) in out.iter_mut().enumerate() {
        let [high, low, tail @ ..] = rest else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
        rest = tail;
        if i % 2 == 1 && i < 15 {
            rest = rest.strip_prefix(b"-").unwrap_or(rest);
        }
    }
    rest.is_empty().then_some(out)
}

/// Appends the canonical form.
pub fn push_uuid(v: &[u8; 16], out: &mut String) {
    for (i, part) in [0..4, 4..6, 6..8, 8..10, 10..16].into_iter().enumerate() {
        if i > 0 {
            out.push('-');
        }
        push_hex(&v[part], out);
    }
}

/// `uuid` from text.
pub fn uuid_in(s: &str, _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    parse_uuid(s).map(Datum::Uuid).ok_or_else(|| {
        pg_err!(
            INVALID_TEXT_REPRESENTATION,
            "invalid input syntax for type uuid: \"{s}\""
        )
    })
}

fn uuid(v: &Datum) -> PgResult<&[u8; 16]> {
    match v {
        Datum::Uuid(v) => Ok(v),
        _ => Err(internal!("uuid arrived as {v:?}")),
    }
}

/// `uuid` to text.
pub fn uuid_out(v: &Datum, _: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    push_uuid(uuid(v)?, out);
    Ok(())
}

/// `uuid` from the wire.
pub fn uuid_recv(bytes: &[u8], _: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    match bytes.try_into() {
        Ok(v) => Ok(Datum::Uuid(v)),
        Err(_) => Err(crate::wire::bad_binary()),
    }
}

/// `uuid` to the wire.
pub fn uuid_send(v: &Datum, _: &IoContext<'_>, out: &mut Vec<u8>) -> PgResult<()> {
    out.extend_from_slice(uuid(v)?);
    Ok(())
}

/// `json` from text: kept as written once it is valid.
pub fn json_in(s: &str, _: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    json_text::validate(s, ctx.cancel)?;
    Ok(Datum::text(s))
}

/// `json` from the wire.
pub fn json_recv(bytes: &[u8], typmod: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    json_in(&crate::io_text::from_client(bytes, ctx)?, typmod, ctx)
}
