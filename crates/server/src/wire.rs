//! Messages as bytes: one write buffer going out, a cursor over a message coming in.
//!
//! # Invariants
//! - A message is begun, filled and ended in the buffer itself; its length is patched in at the end. Nothing is allocated per value.
//! - Reading never indexes past the message: a short message is [`Malformed`].

use std::borrow::Cow;

use pglite::Column;
use pglite::protocol::encoding::{self, Encoding};
use pglite::protocol::{CommandTag, PgResult, RowSink};

/// The write buffer of a connection.
#[derive(Default)]
pub struct Out {
    bytes: Vec<u8>,
    /// Where the message being written begins (its type byte).
    start: usize,
    /// Rows finished by the [`RowSink`].
    pub rows: u64,
    /// What the client wants texts in, and sends them in.
    pub encoding: Encoding,
}

impl Out {
    /// Everything to be sent.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How much waits to be sent.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// All of it has been sent.
    pub fn clear(&mut self) {
        self.bytes.clear();
        if self.bytes.capacity() > 1 << 20 {
            self.bytes.shrink_to(1 << 16);
        }
    }

    /// Begins a message.
    pub fn begin(&mut self, kind: u8) {
        self.start = self.bytes.len();
        self.bytes.extend_from_slice(&[kind, 0, 0, 0, 0]);
    }

    /// Ends the message begun last.
    pub fn end(&mut self) {
        let at = self.start + 1;
        let len = (self.bytes.len() - at) as u32;
        if let Some(slot) = self.bytes.get_mut(at..at + 4) {
            slot.copy_from_slice(&len.to_be_bytes());
        }
    }

    /// A message without contents.
    pub fn empty(&mut self, kind: u8) {
        self.bytes.extend_from_slice(&[kind, 0, 0, 0, 4]);
    }

    /// One byte.
    pub fn byte(&mut self, b: u8) {
        self.bytes.push(b);
    }

    /// Two bytes.
    pub fn i16(&mut self, v: i16) {
        self.bytes.extend_from_slice(&v.to_be_bytes());
    }

    /// Four bytes.
    pub fn i32(&mut self, v: i32) {
        self.bytes.extend_from_slice(&v.to_be_bytes());
    }

    /// A string with its end mark.
    pub fn cstr(&mut self, s: &str) {
        self.bytes
            .extend_from_slice(&encoding::encode_lossy(s, self.encoding));
        self.bytes.push(0);
    }

    /// Bytes as they are.
    pub fn raw(&mut self, b: &[u8]) {
        self.bytes.extend_from_slice(b);
    }

    /// CommandComplete.
    pub fn command_complete(&mut self, tag: &CommandTag) {
        self.begin(b'C');
        tag.push_to(&mut self.bytes);
        self.bytes.push(0);
        self.end();
    }

    /// ParameterStatus.
    pub fn parameter_status(&mut self, name: &str, value: &str) {
        self.begin(b'S');
        self.cstr(name);
        self.cstr(value);
        self.end();
    }

    /// RowDescription; `formats` holds one flag per column, true for binary, or nothing when not known yet.
    pub fn row_description(&mut self, columns: &[Column], formats: &[bool]) {
        self.begin(b'T');
        self.i16(columns.len() as i16);
        for (i, c) in columns.iter().enumerate() {
            self.cstr(c.name());
            self.i32(c.table_oid() as i32);
            self.i16(c.column_number());
            self.i32(c.type_oid() as i32);
            self.i16(c.type_len());
            self.i32(c.type_modifier());
            self.i16(i16::from(formats.get(i).copied().unwrap_or(false)));
        }
        self.end();
    }
}

impl RowSink for Out {
    fn begin_row(&mut self, values: usize) {
        self.begin(b'D');
        self.i16(values as i16);
    }

    fn null(&mut self) {
        self.i32(-1);
    }

    fn value(&mut self, write: &mut dyn FnMut(&mut Vec<u8>) -> PgResult<()>) -> PgResult<()> {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        if let Err(e) = write(&mut self.bytes) {
            // The half-written row must not reach the client.
            self.bytes.truncate(self.start);
            return Err(e);
        }
        let len = (self.bytes.len() - at - 4) as u32;
        if let Some(slot) = self.bytes.get_mut(at..at + 4) {
            slot.copy_from_slice(&len.to_be_bytes());
        }
        Ok(())
    }

    fn end_row(&mut self) {
        self.end();
        self.rows += 1;
    }
}

/// The contents of a message do not have the form that its type says.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed {
    /// SQLSTATE.
    pub code: &'static str,
    /// PostgreSQL's words.
    pub text: Cow<'static, str>,
}

impl Malformed {
    const fn new(text: &'static str) -> Malformed {
        Malformed {
            code: "08P01",
            text: Cow::Borrowed(text),
        }
    }

    /// Text that is not UTF-8; names the bytes that the first wrong character would have.
    fn encoding(text: &[u8], wrong_at: usize) -> Malformed {
        let wrong = text.get(wrong_at..).unwrap_or(&[]);
        let len = match wrong.first() {
            Some(0xc0..=0xdf) => 2,
            Some(0xe0..=0xef) => 3,
            Some(0xf0..=0xf7) => 4,
            _ => 1,
        };
        let bytes: Vec<String> = wrong.iter().take(len).map(|b| format!("0x{b:02x}")).collect();
        let text = format!("invalid byte sequence for encoding \"UTF8\": {}", bytes.join(" "));
        Malformed {
            code: "22021",
            text: Cow::Owned(text),
        }
    }
}

type Read<T> = Result<T, Malformed>;

const SHORT: Malformed = Malformed::new("insufficient data left in message");

/// Reads a message's contents.
pub struct Cursor<'a> {
    rest: &'a [u8],
    encoding: Encoding,
}

impl<'a> Cursor<'a> {
    /// Over a message without type and length.
    pub fn new(rest: &'a [u8]) -> Cursor<'a> {
        Cursor {
            rest,
            encoding: Encoding::UTF8,
        }
    }

    /// With strings in the client's encoding.
    pub fn in_encoding(self, encoding: Encoding) -> Cursor<'a> {
        Cursor { encoding, ..self }
    }

    /// So many bytes.
    pub fn take(&mut self, n: usize) -> Read<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(n).ok_or(SHORT)?;
        self.rest = tail;
        Ok(head)
    }

    /// One byte.
    pub fn byte(&mut self) -> Read<u8> {
        self.take(1).map(|b| b.first().copied().unwrap_or(0))
    }

    /// Two bytes.
    pub fn i16(&mut self) -> Read<i16> {
        let b = self.take(2)?;
        b.try_into().map(i16::from_be_bytes).map_err(|_| SHORT)
    }

    /// Four bytes.
    pub fn i32(&mut self) -> Read<i32> {
        let b = self.take(4)?;
        b.try_into().map(i32::from_be_bytes).map_err(|_| SHORT)
    }

    /// A count, as an unsigned 16-bit number.
    pub fn count(&mut self) -> Read<usize> {
        Ok(usize::from(self.i16()? as u16))
    }

    /// A string up to its end mark.
    pub fn cstr(&mut self) -> Read<Cow<'a, str>> {
        let end = self
            .rest
            .iter()
            .position(|b| *b == 0)
            .ok_or(Malformed::new("invalid string in message"))?;
        let s = self.take(end)?;
        self.take(1)?;
        if self.encoding == Encoding::UTF8 {
            let text = std::str::from_utf8(s).map_err(|e| Malformed::encoding(s, e.valid_up_to()))?;
            return Ok(Cow::Borrowed(text));
        }
        encoding::decode(s, self.encoding).map_err(|e| Malformed {
            code: match e.sqlstate.as_str() {
                "22P05" => "22P05",
                _ => "22021",
            },
            text: Cow::Owned(e.message.clone()),
        })
    }

    /// Nothing may be left.
    pub fn end(&self) -> Read<()> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Malformed::new("invalid message format"))
        }
    }

    /// What is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn short_messages_are_malformed() {
        let mut c = Cursor::new(&[0, 1, b'a']);
        assert_eq!(c.i16(), Ok(1));
        assert_eq!(c.i32(), Err(SHORT));
        assert!(c.cstr().is_err());
        assert!(c.end().is_err());
    }

    #[test]
    fn wrong_utf8_is_shown_as_postgresql_does() {
        let wrong = |bytes: &[u8]| Cursor::new(bytes).cstr().unwrap_err().text.into_owned();
        let text = "invalid byte sequence for encoding \"UTF8\": ";
        assert_eq!(wrong(b"a\xff\0"), format!("{text}0xff"));
        assert_eq!(wrong(b"\xe4fg\0"), format!("{text}0xe4 0x66 0x67"));
        assert_eq!(wrong(b"\xf0\x9f\0"), format!("{text}0xf0 0x9f"));
    }

    #[test]
    fn lengths_are_patched() {
        let mut out = Out::default();
        out.command_complete(&CommandTag::from("OK"));
        assert_eq!(out.bytes(), b"C\0\0\0\x07OK\0");
    }
}
