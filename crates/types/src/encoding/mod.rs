//! Encodings of texts besides UTF-8: what `convert` and clients with a `client_encoding` of their own need.
//!
//! | file | what |
//! | --- | --- |
//! | `names.rs` | PostgreSQL's encodings: numbers, names, aliases |
//! | `verify.rs` | which bytes are characters of an encoding |
//! | `pieces.rs` | long texts, a piece at a time |
//! | `tables.rs` | what the characters are in Unicode: `data/encodings.bin`, facts asked of a PostgreSQL by `data/encodings.py` |
//!
//! # How it works
//! A text is in UTF-8 here, always. Bytes in another encoding are first verified, then converted character by character. Some pairs of
//! encodings have a conversion of their own, which is not the way over Unicode; those are tables, too.

mod names;
mod pieces;
mod tables;
mod verify;

use std::borrow::Cow;

use common::error::ErrorExt;
use common::{PgError, PgResult, pg_err, unsupported};

pub use names::Encoding;
pub use pieces::{by_characters, pieces, text_pieces};
pub use verify::{char_count, verify};

use tables::{Character, Direct};
use verify::{char_length, hex};

/// Bytes that are no character of an encoding.
#[cold]
fn untranslatable(bytes: &[u8], from: Encoding, to: Encoding) -> Box<PgError> {
    pg_err!(
        UNTRANSLATABLE_CHARACTER,
        "character with byte sequence {} in encoding \"{}\" has no equivalent in encoding \"{}\"",
        hex(bytes),
        from.name(),
        to.name()
    )
}

#[cold]
fn no_conversion(from: Encoding, to: Encoding) -> Box<PgError> {
    let mule = |one: Encoding, other: Encoding| one == Encoding::MULE_INTERNAL && other.has_mule_form();
    let (source, target) = (from.name(), to.name());
    if mule(from, to) || mule(to, from) {
        return unsupported!(
            "default conversion function for encoding \"{source}\" to \"{target}\" does not exist"
        )
        .detail("MULE_INTERNAL is not converted.");
    }
    pg_err!(
        UNDEFINED_FUNCTION,
        "default conversion function for encoding \"{source}\" to \"{target}\" does not exist"
    )
}

/// True when texts can come and go in this encoding.
pub fn converts_to_utf8(encoding: Encoding) -> bool {
    !matches!(encoding, Encoding::MULE_INTERNAL)
}

/// `convert`: verified bytes of one encoding in another one.
pub fn convert(bytes: &[u8], from: Encoding, to: Encoding) -> PgResult<Vec<u8>> {
    verify(from, bytes)?;
    if bytes.is_empty() || from == to || to == Encoding::SQL_ASCII {
        return Ok(bytes.to_vec());
    }
    if from == Encoding::SQL_ASCII {
        // Nothing says what it is, so that it is taken for what is wanted if it can be that.
        verify(to, bytes)?;
        return Ok(bytes.to_vec());
    }
    if to == Encoding::UTF8 {
        return Ok(decode(bytes, from)?.into_owned().into_bytes());
    }
    if from == Encoding::UTF8 {
        return Ok(encode(crate::io_text::utf8(bytes)?, to)?.into_owned());
    }
    match tables::direct(from, to) {
        Some(pair) => convert_directly(bytes, from, to, pair),
        None => Err(no_conversion(from, to)),
    }
}

/// The text of bytes in an encoding. Bytes without one (SQL_ASCII) must be UTF-8.
pub fn decode(bytes: &[u8], from: Encoding) -> PgResult<Cow<'_, str>> {
    if matches!(from, Encoding::UTF8 | Encoding::SQL_ASCII) {
        return Ok(Cow::Borrowed(crate::io_text::utf8(bytes)?));
    }
    verify(from, bytes)?;
    if bytes.is_ascii()
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return if bytes.is_empty() || converts_to_utf8(from) {
            Ok(Cow::Borrowed(text))
        } else {
            Err(no_conversion(from, Encoding::UTF8))
        };
    }
    let Some(table) = tables::table(from) else {
        return Err(no_conversion(from, Encoding::UTF8));
    };
    let mut out = String::with_capacity(bytes.len() + bytes.len() / 2);
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        let (one, after) = rest.split_at(char_length(from, rest).min(rest.len()));
        rest = after;
        if first.is_ascii() {
            out.push(char::from(*first));
            continue;
        }
        match table.decode(one) {
            Some(Character::One(c)) => out.push(c),
            Some(Character::Two(a, b)) => out.extend([a, b]),
            None => return Err(untranslatable(one, from, Encoding::UTF8)),
        }
    }
    Ok(Cow::Owned(out))
}

/// A text in an encoding.
pub fn encode(text: &str, to: Encoding) -> PgResult<Cow<'_, [u8]>> {
    if matches!(to, Encoding::UTF8 | Encoding::SQL_ASCII) || text.is_empty() {
        return Ok(Cow::Borrowed(text.as_bytes()));
    }
    let Some(table) = tables::table(to) else {
        return Err(no_conversion(Encoding::UTF8, to));
    };
    if text.is_ascii() {
        return Ok(Cow::Borrowed(text.as_bytes()));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_ascii() {
            out.push(c as u8);
            continue;
        }
        if let Some(next) = chars.peek()
            && table.encode_two(c, *next, &mut out)
        {
            chars.next();
            continue;
        }
        if !table.encode(c, &mut out) {
            let mut buffer = [0; 4];
            let bytes = c.encode_utf8(&mut buffer).as_bytes();
            return Err(untranslatable(bytes, Encoding::UTF8, to));
        }
    }
    Ok(Cow::Owned(out))
}

/// A text in an encoding, with question marks for what it does not have: for messages that must go out.
pub fn encode_lossy(text: &str, to: Encoding) -> Cow<'_, [u8]> {
    encode(text, to).unwrap_or_else(|_| {
        let mut buffer = [0; 4];
        let mut one = |c: char| match encode(c.encode_utf8(&mut buffer), to) {
            Ok(bytes) => bytes.into_owned(),
            Err(_) => vec![b'?'],
        };
        Cow::Owned(text.chars().flat_map(&mut one).collect())
    })
}

/// A long text in an encoding that comes in pieces, cut anywhere.
#[derive(Debug)]
pub struct StreamDecoder {
    encoding: Encoding,
    /// The beginning of a character.
    rest: Vec<u8>,
}

impl StreamDecoder {
    /// At the start of a text.
    pub fn new(encoding: Encoding) -> PgResult<StreamDecoder> {
        if !converts_to_utf8(encoding) {
            return Err(no_conversion(encoding, Encoding::UTF8));
        }
        let rest = Vec::new();
        Ok(StreamDecoder { encoding, rest })
    }

    /// The text of one more piece, up to the first character that is wrong.
    pub fn push(&mut self, piece: &[u8]) -> (String, Option<Box<PgError>>) {
        let mut bytes = std::mem::take(&mut self.rest);
        bytes.extend_from_slice(piece);
        let mut end = 0;
        while let Some(rest) = bytes.get(end..).filter(|r| !r.is_empty()) {
            let len = char_length(self.encoding, rest);
            // The length of a character of GB18030 stands in its second byte.
            if len > rest.len()
                || self.encoding == Encoding::GB18030 && rest.len() == 1 && !rest[0].is_ascii()
            {
                break;
            }
            end += len;
        }
        self.rest = bytes.split_off(end);
        let mut text = String::new();
        // By lines, so that those before a wrong character are there.
        for line in bytes.split_inclusive(|b| *b == b'\n') {
            match decode(line, self.encoding) {
                Ok(decoded) => text.push_str(&decoded),
                Err(error) => return (text, Some(error)),
            }
        }
        (text, None)
    }

    /// The end: no character may be incomplete.
    pub fn finish(&self) -> PgResult<()> {
        verify(self.encoding, &self.rest)
    }
}

fn convert_directly(bytes: &[u8], from: Encoding, to: Encoding, pair: Direct) -> PgResult<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        let (one, after) = rest.split_at(char_length(from, rest).min(rest.len()));
        rest = after;
        if first.is_ascii() {
            out.push(*first);
        } else if !pair.convert(one, &mut out) {
            return Err(untranslatable(one, from, to));
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests;
