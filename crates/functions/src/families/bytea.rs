//! Functions of `bytea`: comparison, parts, bits, encodings, digests.

use common::cancel::CancelToken;
use common::error::ErrorExt;
use common::pieces::PIECE_BYTES;
use common::{PgError, PgResult, pg_err};
use sha2::Digest;
use types::io_binary::{parse_escape, parse_hex, push_hex, push_octal};

use crate::families::string::find_long;
use crate::framework::context::FnContext;
use crate::framework::macros::builtins;
use crate::framework::pieces;

fn byteaeq(a: &[u8], b: &[u8]) -> bool {
    a == b
}

fn byteane(a: &[u8], b: &[u8]) -> bool {
    a != b
}

fn bytealt(a: &[u8], b: &[u8]) -> bool {
    a < b
}

fn byteale(a: &[u8], b: &[u8]) -> bool {
    a <= b
}

fn byteagt(a: &[u8], b: &[u8]) -> bool {
    a > b
}

fn byteage(a: &[u8], b: &[u8]) -> bool {
    a >= b
}

/// The difference of the first unequal bytes, as memcmp has it; else which one is longer.
pub(crate) fn byteacmp(a: &[u8], b: &[u8]) -> i32 {
    let unequal = a.iter().zip(b).find(|(x, y)| x != y);
    unequal.map_or_else(
        || a.len().cmp(&b.len()) as i32,
        |(x, y)| i32::from(*x) - i32::from(*y),
    )
}

fn bytea_larger<'a>(a: &'a [u8], b: &'a [u8]) -> &'a [u8] {
    if a > b { a } else { b }
}

fn bytea_smaller<'a>(a: &'a [u8], b: &'a [u8]) -> &'a [u8] {
    if a < b { a } else { b }
}

fn byteacat(ctx: &mut FnContext<'_>, a: &[u8], b: &[u8]) -> PgResult<Vec<u8>> {
    pieces::concat_bytes(ctx.cancel, &[a, b])
}

fn byteaoctetlen(v: &[u8]) -> i32 {
    v.len() as i32
}

fn bit_length(v: &[u8]) -> i32 {
    (v.len() * 8) as i32
}

/// The bytes from 1-based `start`, `len` of them; what lies outside is left out.
fn slice(v: &[u8], start: i32, len: Option<i32>) -> PgResult<&[u8]> {
    let end = match len {
        Some(len) if len < 0 => {
            return Err(pg_err!(SUBSTRING_ERROR, "negative substring length not allowed"));
        }
        Some(len) => i64::from(start) + i64::from(len) - 1,
        None => i64::MAX,
    };
    let from = (i64::from(start) - 1).clamp(0, v.len() as i64) as usize;
    let to = end.clamp(from as i64, v.len() as i64) as usize;
    Ok(&v[from..to])
}

fn bytea_substr(v: &[u8], start: i32, len: i32) -> PgResult<Vec<u8>> {
    slice(v, start, Some(len)).map(<[u8]>::to_vec)
}

fn bytea_substr_no_len(v: &[u8], start: i32) -> PgResult<Vec<u8>> {
    slice(v, start, None).map(<[u8]>::to_vec)
}

fn byteaoverlay(ctx: &mut FnContext<'_>, v: &[u8], with: &[u8], start: i32, len: i32) -> PgResult<Vec<u8>> {
    if start <= 0 {
        return Err(pg_err!(SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let rest = start
        .checked_add(len)
        .ok_or_else(|| pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"))?;
    pieces::concat_bytes(
        ctx.cancel,
        &[slice(v, 1, Some(start - 1))?, with, slice(v, rest, None)?],
    )
}

fn byteaoverlay_no_len(ctx: &mut FnContext<'_>, v: &[u8], with: &[u8], start: i32) -> PgResult<Vec<u8>> {
    byteaoverlay(ctx, v, with, start, with.len() as i32)
}

fn byteapos(ctx: &FnContext<'_>, v: &[u8], part: &[u8]) -> PgResult<i32> {
    let found = match part.len() > PIECE_BYTES {
        true => find_long(ctx.cancel, v, part)?,
        false => memchr::memmem::find(v, part),
    };
    Ok(found.map_or(0, |i| i as i32 + 1))
}

fn trim<'a>(v: &'a [u8], set: &[u8], start: bool, end: bool) -> &'a [u8] {
    let mut v = v;
    while let Some((first, rest)) = v.split_first().filter(|(b, _)| start && set.contains(b)) {
        let _ = first;
        v = rest;
    }
    while let Some((_, rest)) = v.split_last().filter(|(b, _)| end && set.contains(b)) {
        v = rest;
    }
    v
}

fn byteatrim(v: &[u8], set: &[u8]) -> Vec<u8> {
    trim(v, set, true, true).to_vec()
}

fn bytealtrim(v: &[u8], set: &[u8]) -> Vec<u8> {
    trim(v, set, true, false).to_vec()
}

fn byteartrim(v: &[u8], set: &[u8]) -> Vec<u8> {
    trim(v, set, false, true).to_vec()
}

fn bytea_reverse(ctx: &mut FnContext<'_>, v: &[u8]) -> PgResult<Vec<u8>> {
    let mut out = Vec::with_capacity(v.len());
    for piece in v.rchunks(pieces::PIECE_BYTES) {
        ctx.cancel.check()?;
        out.extend(piece.iter().rev());
    }
    Ok(out)
}

fn bytea_bit_count(ctx: &mut FnContext<'_>, v: &[u8]) -> PgResult<i64> {
    let mut count = 0;
    pieces::bytes(ctx.cancel, v, |piece| {
        count += piece.iter().map(|b| i64::from(b.count_ones())).sum::<i64>();
    })?;
    Ok(count)
}

#[cold]
fn bad_index(index: i64, len: i64) -> Box<PgError> {
    pg_err!(
        ARRAY_SUBSCRIPT_ERROR,
        "index {index} out of valid range, 0..{}",
        len - 1
    )
}

fn byte_index(v: &[u8], index: i32) -> PgResult<usize> {
    usize::try_from(index)
        .ok()
        .filter(|i| *i < v.len())
        .ok_or_else(|| bad_index(i64::from(index), v.len() as i64))
}

fn get_byte(v: &[u8], index: i32) -> PgResult<i32> {
    Ok(i32::from(v[byte_index(v, index)?]))
}

fn set_byte(v: &[u8], index: i32, value: i32) -> PgResult<Vec<u8>> {
    let at = byte_index(v, index)?;
    let mut out = v.to_vec();
    out[at] = value as u8;
    Ok(out)
}

fn bit_index(v: &[u8], index: i64) -> PgResult<(usize, u32)> {
    let bits = v.len() as i64 * 8;
    if (0..bits).contains(&index) {
        Ok(((index / 8) as usize, (index % 8) as u32))
    } else {
        Err(bad_index(index, bits))
    }
}

fn get_bit(v: &[u8], index: i64) -> PgResult<i32> {
    let (byte, bit) = bit_index(v, index)?;
    Ok(i32::from(v[byte] >> bit & 1))
}

fn set_bit(v: &[u8], index: i64, value: i32) -> PgResult<Vec<u8>> {
    let (byte, bit) = bit_index(v, index)?;
    if value != 0 && value != 1 {
        return Err(pg_err!(INVALID_PARAMETER_VALUE, "new bit must be 0 or 1"));
    }
    let mut out = v.to_vec();
    out[byte] = (out[byte] & !(1 << bit)) | (value as u8) << bit;
    Ok(out)
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Three bytes between two looks at the cancel flag.
const TRIPLES_UNCHECKED: usize = 1 << 18;

/// Base64 in lines of 76 characters.
pub(crate) fn encode_base64(v: &[u8], cancel: &CancelToken) -> PgResult<String> {
    let mut out = String::with_capacity(v.len() * 4 / 3 + 4);
    let mut column = 0;
    for (at, chunk) in v.chunks(3).enumerate() {
        if at % TRIPLES_UNCHECKED == 0 {
            cancel.check()?;
        }
        let bits = u32::from(chunk[0]) << 16
            | u32::from(chunk.get(1).copied().unwrap_or(0)) << 8
            | u32::from(chunk.get(2).copied().unwrap_or(0));
        for k in 0..4 {
            let digit = char::from(BASE64[(bits >> (18 - 6 * k) & 63) as usize]);
            out.push(if k <= chunk.len() { digit } else { '=' });
        }
        column += 4;
        if column >= 76 && chunk.len() == 3 {
            out.push('\n');
            column = 0;
        }
    }
    Ok(out)
}

fn decode_base64(s: &str, cancel: &CancelToken) -> PgResult<Vec<u8>> {
    let mut out = Vec::with_capacity(s.len() * 3 / 4);
    let (mut bits, mut count, mut end) = (0_u32, 0, 0);
    for c in s.chars().filter(|c| !matches!(c, ' ' | '\t' | '\n' | '\r')) {
        let digit = if c == '=' {
            // The end sequence stands for missing digits.
            if end == 0 {
                end = match count {
                    2 => 1,
                    3 => 2,
                    _ => {
                        return Err(pg_err!(
                            INVALID_PARAMETER_VALUE,
                            "unexpected \"=\" while decoding base64 sequence"
                        ));
                    }
                };
            }
            0
        } else {
            let found = u8::try_from(c)
                .ok()
                .and_then(|b| BASE64.iter().position(|d| *d == b));
            found.ok_or_else(|| {
                pg_err!(
                    INVALID_PARAMETER_VALUE,
                    "invalid symbol \"{c}\" found while decoding base64 sequence"
                )
            })? as u32
        };
        bits = bits << 6 | digit;
        count += 1;
        if count == 4 {
            if out.len() % (3 * TRIPLES_UNCHECKED) == 0 {
                cancel.check()?;
            }
            out.push((bits >> 16) as u8);
            if end == 0 || end > 1 {
                out.push((bits >> 8) as u8);
            }
            if end == 0 || end > 2 {
                out.push(bits as u8);
            }
            (bits, count) = (0, 0);
        }
    }
    if count != 0 {
        return Err(pg_err!(INVALID_PARAMETER_VALUE, "invalid base64 end sequence")
            .hint("Input data is missing padding, is truncated, or is otherwise corrupted."));
    }
    Ok(out)
}

/// The escape format of `encode`: only zero and high bytes are octal.
fn encode_escape(v: &[u8], out: &mut String) {
    for &b in v {
        match b {
            0 | 0x80.. => push_octal(b, out),
            b'\\' => out.push_str("\\\\"),
            _ => out.push(char::from(b)),
        }
    }
}

#[cold]
fn unknown_encoding(name: &str) -> Box<PgError> {
    pg_err!(INVALID_PARAMETER_VALUE, "unrecognized encoding: \"{name}\"")
}

fn binary_encode(ctx: &mut FnContext<'_>, v: &[u8], format: &str) -> PgResult<String> {
    match format.to_ascii_lowercase().as_str() {
        "hex" => {
            let mut out = String::with_capacity(v.len() * 2);
            pieces::bytes(ctx.cancel, v, |piece| push_hex(piece, &mut out))?;
            Ok(out)
        }
        "base64" => encode_base64(v, ctx.cancel),
        "escape" => {
            let mut out = String::with_capacity(v.len());
            pieces::bytes(ctx.cancel, v, |piece| encode_escape(piece, &mut out))?;
            Ok(out)
        }
        _ => Err(unknown_encoding(format)),
    }
}

fn binary_decode(ctx: &mut FnContext<'_>, s: &str, format: &str) -> PgResult<Vec<u8>> {
    match format.to_ascii_lowercase().as_str() {
        "hex" => parse_hex(s, ctx.cancel),
        "base64" => decode_base64(s, ctx.cancel),
        "escape" => parse_escape(s, ctx.cancel),
        _ => Err(unknown_encoding(format)),
    }
}

pub(crate) fn md5_bytea(ctx: &mut FnContext<'_>, v: &[u8]) -> PgResult<String> {
    let mut sum = md5::Context::new();
    pieces::bytes(ctx.cancel, v, |piece| sum.consume(piece))?;
    Ok(format!("{:x}", sum.finalize()))
}

fn digest<D: Digest>(ctx: &FnContext<'_>, v: &[u8]) -> PgResult<Vec<u8>> {
    let mut digest = D::new();
    pieces::bytes(ctx.cancel, v, |piece| digest.update(piece))?;
    Ok(digest.finalize().to_vec())
}

fn sha224_bytea(ctx: &mut FnContext<'_>, v: &[u8]) -> PgResult<Vec<u8>> {
    digest::<sha2::Sha224>(ctx, v)
}

fn sha256_bytea(ctx: &mut FnContext<'_>, v: &[u8]) -> PgResult<Vec<u8>> {
    digest::<sha2::Sha256>(ctx, v)
}

fn sha384_bytea(ctx: &mut FnContext<'_>, v: &[u8]) -> PgResult<Vec<u8>> {
    digest::<sha2::Sha384>(ctx, v)
}

fn sha512_bytea(ctx: &mut FnContext<'_>, v: &[u8]) -> PgResult<Vec<u8>> {
    digest::<sha2::Sha512>(ctx, v)
}

fn crc32_bytea(ctx: &mut FnContext<'_>, v: &[u8]) -> PgResult<i64> {
    let mut sum = crc32fast::Hasher::new();
    pieces::bytes(ctx.cancel, v, |piece| sum.update(piece))?;
    Ok(i64::from(sum.finalize()))
}

fn crc32c_bytea(ctx: &mut FnContext<'_>, v: &[u8]) -> PgResult<i64> {
    let mut sum = 0;
    pieces::bytes(ctx.cancel, v, |piece| sum = crc32c::crc32c_append(sum, piece))?;
    Ok(i64::from(sum))
}

fn int2_bytea(v: i16) -> Vec<u8> {
    v.to_be_bytes().to_vec()
}

fn int4_bytea(v: i32) -> Vec<u8> {
    v.to_be_bytes().to_vec()
}

fn int8_bytea(v: i64) -> Vec<u8> {
    v.to_be_bytes().to_vec()
}

/// A big-endian two's complement number of at most `width` bytes.
fn integer(v: &[u8], width: usize, name: &str) -> PgResult<i64> {
    if v.len() > width {
        return Err(pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "{name} out of range"));
    }
    Ok(v.iter().fold(0, |n, b| n << 8 | i64::from(*b)))
}

fn bytea_int2(v: &[u8]) -> PgResult<i16> {
    Ok(integer(v, 2, "smallint")? as i16)
}

fn bytea_int4(v: &[u8]) -> PgResult<i32> {
    Ok(integer(v, 4, "integer")? as i32)
}

fn bytea_int8(v: &[u8]) -> PgResult<i64> {
    integer(v, 8, "bigint")
}

builtins! {
    byteaeq(a: bytea, b: bytea) -> bool;
    byteane(a: bytea, b: bytea) -> bool;
    bytealt(a: bytea, b: bytea) -> bool;
    byteale(a: bytea, b: bytea) -> bool;
    byteagt(a: bytea, b: bytea) -> bool;
    byteage(a: bytea, b: bytea) -> bool;
    byteacmp(a: bytea, b: bytea) -> int4;
    bytea_larger(a: bytea, b: bytea) -> bytea;
    bytea_smaller(a: bytea, b: bytea) -> bytea;
    byteacat(ctx, a: bytea, b: bytea) -> bytea;
    byteaoctetlen(v: bytea) -> int4;
    bit_length(v: bytea) -> int4;
    bytea_substr(v: bytea, start: int4, len: int4) -> bytea;
    bytea_substr_no_len(v: bytea, start: int4) -> bytea;
    byteaoverlay(ctx, v: bytea, with: bytea, start: int4, len: int4) -> bytea;
    byteaoverlay_no_len(ctx, v: bytea, with: bytea, start: int4) -> bytea;
    byteapos(ctx, v: bytea, part: bytea) -> int4;
    byteatrim(v: bytea, set: bytea) -> bytea;
    bytealtrim(v: bytea, set: bytea) -> bytea;
    byteartrim(v: bytea, set: bytea) -> bytea;
    bytea_reverse(ctx, v: bytea) -> bytea;
    bytea_bit_count(ctx, v: bytea) -> int8;
    byteaGetByte = get_byte(v: bytea, index: int4) -> int4;
    byteaSetByte = set_byte(v: bytea, index: int4, value: int4) -> bytea;
    byteaGetBit = get_bit(v: bytea, index: int8) -> int4;
    byteaSetBit = set_bit(v: bytea, index: int8, value: int4) -> bytea;
    binary_encode(ctx, v: bytea, format: text) -> text;
    binary_decode(ctx, s: text, format: text) -> bytea;
    md5_bytea(ctx, v: bytea) -> text;
    sha224_bytea(ctx, v: bytea) -> bytea;
    sha256_bytea(ctx, v: bytea) -> bytea;
    sha384_bytea(ctx, v: bytea) -> bytea;
    sha512_bytea(ctx, v: bytea) -> bytea;
    crc32_bytea(ctx, v: bytea) -> int8;
    crc32c_bytea(ctx, v: bytea) -> int8;
    int2_bytea(v: int2) -> bytea;
    int4_bytea(v: int4) -> bytea;
    int8_bytea(v: int8) -> bytea;
    bytea_int2(v: bytea) -> int2;
    bytea_int4(v: bytea) -> int4;
    bytea_int8(v: bytea) -> int8;
}
