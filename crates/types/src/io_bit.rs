//! Input and output of `bit` and `bit varying`, and the form in which bit strings lie in memory.
//!
//! # Format
//! As on the wire: number of bits (4 bytes, big-endian), then the bits from the most significant down, the last byte
//! filled with zeros.

use common::cancel::CancelToken;
use common::pieces::PIECE_BYTES;
use common::{PgError, PgResult, pg_err};

use crate::Datum;
use crate::io::{IoContext, wrong_datum};
use crate::wire::{Wire, done};

/// Most bits a string may have.
pub const BITS_MAX: usize = (i32::MAX - 7) as usize;

/// A bit string in memory, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitStr<'a> {
    /// Number of bits.
    pub len: usize,
    /// The bits.
    pub bytes: &'a [u8],
}

impl<'a> BitStr<'a> {
    /// The parts of a value in memory.
    pub fn new(value: &'a [u8]) -> BitStr<'a> {
        match value.split_first_chunk::<4>() {
            Some((len, bytes)) => BitStr {
                len: u32::from_be_bytes(*len) as usize,
                bytes,
            },
            None => BitStr { len: 0, bytes: &[] },
        }
    }

    /// Bit `i`, counted from the left.
    pub fn bit(&self, i: usize) -> bool {
        self.bytes.get(i / 8).is_some_and(|b| b >> (7 - i % 8) & 1 == 1)
    }
}

/// A bit string being made: `len` bits, in the form that values have.
pub fn pack(len: usize, mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(len.div_ceil(8), 0);
    if let (Some(last), rest @ 1..) = (bytes.last_mut(), len % 8) {
        *last &= 0xffu8 << (8 - rest);
    }
    let mut out = Vec::with_capacity(bytes.len() + 4);
    out.extend_from_slice(&(len as u32).to_be_bytes());
    out.extend_from_slice(&bytes);
    out
}

/// The bytes by which bit strings sort: the bits, then the length.
pub(crate) fn sort_form(value: &[u8]) -> Vec<u8> {
    let bits = BitStr::new(value);
    let mut out = Vec::with_capacity(value.len() + 8);
    for &b in bits.bytes {
        out.push(b);
        if b == 0 {
            out.push(0xff);
        }
    }
    out.extend_from_slice(&[0, 1]);
    out.extend_from_slice(&(bits.len as u32).to_be_bytes());
    out
}

/// The error of `bit(n)` for a string of another length.
#[cold]
pub fn wrong_length(len: usize, wanted: i32) -> Box<PgError> {
    pg_err!(
        STRING_DATA_LENGTH_MISMATCH,
        "bit string length {len} does not match type bit({wanted})"
    )
}

/// The error of `bit varying(n)` for a longer string.
#[cold]
pub fn too_long(limit: i32) -> Box<PgError> {
    pg_err!(
        STRING_DATA_RIGHT_TRUNCATION,
        "bit string too long for type bit varying({limit})"
    )
}

fn digits(digits: &str, bits_per_digit: u32, cancel: &CancelToken) -> PgResult<Vec<u8>> {
    let count = digits.chars().count();
    let len = count * bits_per_digit as usize;
    if len > BITS_MAX {
        return Err(pg_err!(
            PROGRAM_LIMIT_EXCEEDED,
            "bit string length exceeds the maximum allowed ({BITS_MAX})"
        ));
    }
    let mut bytes = vec![0u8; len.div_ceil(8)];
    for (i, c) in digits.chars().enumerate() {
        if i % PIECE_BYTES == 0 {
            cancel.check()?;
        }
        let Some(value) = c.to_digit(1 << bits_per_digit) else {
            let kind = if bits_per_digit == 1 {
                "binary"
            } else {
                "hexadecimal"
            };
            return Err(pg_err!(
                INVALID_TEXT_REPRESENTATION,
                "\"{c}\" is not a valid {kind} digit"
            ));
        };
        let at = i * bits_per_digit as usize;
        bytes[at / 8] |= (value as u8) << (8 - bits_per_digit as usize - at % 8);
    }
    Ok(pack(len, bytes))
}

fn parse(text: &str, cancel: &CancelToken) -> PgResult<Vec<u8>> {
    match text.as_bytes().first() {
        Some(b'b' | b'B') => digits(&text[1..], 1, cancel),
        Some(b'x' | b'X') => digits(&text[1..], 4, cancel),
        _ => digits(text, 1, cancel),
    }
}

/// How many bits the text stands for, if its digits are digits: the length is checked before them.
fn bits_of(text: &str) -> usize {
    match text.as_bytes().first() {
        Some(b'b' | b'B') => text.len() - 1,
        Some(b'x' | b'X') => (text.len() - 1) * 4,
        _ => text.len(),
    }
}

fn check_bit(value: Vec<u8>, typmod: i32) -> PgResult<Datum> {
    let len = BitStr::new(&value).len;
    if typmod > 0 && len != typmod as usize {
        return Err(wrong_length(len, typmod));
    }
    Ok(Datum::Bytes(value.into()))
}

fn check_varbit(value: Vec<u8>, typmod: i32) -> PgResult<Datum> {
    if typmod > 0 && BitStr::new(&value).len > typmod as usize {
        return Err(too_long(typmod));
    }
    Ok(Datum::Bytes(value.into()))
}

fn from_wire(bytes: &[u8]) -> PgResult<Vec<u8>> {
    let mut wire = Wire(bytes);
    let len = wire.int()?;
    if len < 0 || len as usize > BITS_MAX {
        return Err(pg_err!(
            INVALID_BINARY_REPRESENTATION,
            "invalid length in external bit string"
        ));
    }
    let len = len as usize;
    let bits = wire.take(len.div_ceil(8))?;
    done(wire.0)?;
    Ok(pack(len, bits.to_vec()))
}

/// `bit` from text.
pub fn bit_in(text: &str, typmod: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    let len = bits_of(text);
    if typmod > 0 && len != typmod as usize {
        return Err(wrong_length(len, typmod));
    }
    check_bit(parse(text, ctx.cancel)?, typmod)
}

/// `bit varying` from text.
pub fn varbit_in(text: &str, typmod: i32, ctx: &IoContext<'_>) -> PgResult<Datum> {
    if typmod > 0 && bits_of(text) > typmod as usize {
        return Err(too_long(typmod));
    }
    check_varbit(parse(text, ctx.cancel)?, typmod)
}

/// Both to text.
pub fn bit_out(value: &Datum, ctx: &IoContext<'_>, out: &mut String) -> PgResult<()> {
    let Datum::Bytes(bytes) = value else {
        return Err(wrong_datum("bit", value));
    };
    let bits = BitStr::new(bytes);
    out.reserve(bits.len);
    for i in 0..bits.len {
        if i % PIECE_BYTES == 0 {
            ctx.cancel.check()?;
        }
        out.push(if bits.bit(i) { '1' } else { '0' });
    }
    Ok(())
}

/// `bit` from the wire.
pub fn bit_recv(bytes: &[u8], typmod: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    check_bit(from_wire(bytes)?, typmod)
}

/// `bit varying` from the wire.
pub fn varbit_recv(bytes: &[u8], typmod: i32, _: &IoContext<'_>) -> PgResult<Datum> {
    check_varbit(from_wire(bytes)?, typmod)
}
