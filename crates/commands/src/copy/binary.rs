//! The binary format of COPY: a header, rows of sized fields, a trailer.
//!
//! PG: src/backend/commands/copyfromparse.c (`ReceiveCopyBinaryHeader`, `CopyFromBinaryOneRow`), copyto.c.

use std::ops::Range;

use common::{PgResult, pg_err};
use types::Datum;
use types::io::{self, IoContext};

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// Flag: rows begin with an OID, as they did before PostgreSQL 12.
const HAS_OIDS: u32 = 1 << 16;
/// Flags that a reader must know.
const CRITICAL: u32 = 0xFFFF_0000;

/// Appends the header.
pub(super) fn put_header(out: &mut Vec<u8>) {
    out.extend_from_slice(SIGNATURE);
    // No flags, no extension.
    out.extend_from_slice(&[0; 8]);
}

/// Appends the number of fields of a row that follows.
pub(super) fn begin_row(fields: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&(fields as i16).to_be_bytes());
}

/// Appends a field.
pub(super) fn put_field(
    type_oid: common::Oid,
    value: &Datum,
    io: &IoContext<'_>,
    out: &mut Vec<u8>,
) -> PgResult<()> {
    if value.is_null() {
        out.extend_from_slice(&(-1_i32).to_be_bytes());
        return Ok(());
    }
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    io::send(type_oid, value, io, out)?;
    let length = out.len() - at - 4;
    let Ok(length) = i32::try_from(length) else {
        return Err(pg_err!(PROGRAM_LIMIT_EXCEEDED, "value is too long for COPY"));
    };
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

/// Appends the trailer.
pub(super) fn put_trailer(out: &mut Vec<u8>) {
    out.extend_from_slice(&(-1_i16).to_be_bytes());
}

/// What the data brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Fields of a row, `None` for NULL; see [`Reader::field`].
    Row(Vec<Option<Range<usize>>>),
    NeedMore,
    End,
}

/// Cuts a stream into rows.
#[derive(Default)]
pub(super) struct Reader {
    data: Vec<u8>,
    /// Up to here the data has been used.
    at: usize,
    header_read: bool,
    input_ended: bool,
    /// The field that the last error was met in.
    failed_field: Option<usize>,
}

fn missing(what: &str) -> Box<common::PgError> {
    pg_err!(BAD_COPY_FILE_FORMAT, "invalid COPY file header ({what})")
}

impl Reader {
    /// More data.
    pub fn push(&mut self, data: &[u8]) {
        self.data.drain(..self.at);
        self.at = 0;
        self.data.extend_from_slice(data);
    }

    /// No more data.
    pub fn end(&mut self) {
        self.input_ended = true;
    }

    /// True once the header was read and found right.
    pub fn has_header(&self) -> bool {
        self.header_read
    }

    /// The field that the last error was met in, if it was in one.
    pub fn failed_field(&self) -> Option<usize> {
        self.failed_field
    }

    /// Bytes of a field of the last row.
    pub fn field(&self, range: &Range<usize>) -> &[u8] {
        self.data.get(range.clone()).unwrap_or_default()
    }

    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.data.get(at..at + N)?.try_into().ok()
    }

    /// The next row; `columns` fields are expected.
    pub fn next(&mut self, columns: usize) -> PgResult<Next> {
        if !self.header_read && !self.header()? {
            return Ok(Next::NeedMore);
        }
        let Some(count) = self.bytes(self.at).map(i16::from_be_bytes) else {
            return Ok(if self.input_ended {
                Next::End
            } else {
                Next::NeedMore
            });
        };
        if count == -1 {
            self.at += 2;
            return match self.at < self.data.len() {
                true => Err(pg_err!(
                    BAD_COPY_FILE_FORMAT,
                    "received copy data after EOF marker"
                )),
                false => Ok(Next::End),
            };
        }
        if usize::try_from(count).ok() != Some(columns) {
            return Err(pg_err!(
                BAD_COPY_FILE_FORMAT,
                "row field count is {count}, expected {columns}"
            ));
        }
        let (mut at, mut fields) = (self.at + 2, Vec::with_capacity(columns));
        for field in 0..columns {
            self.failed_field = Some(field);
            let Some(length) = self.bytes(at).map(i32::from_be_bytes) else {
                return self.cut_off();
            };
            at += 4;
            match usize::try_from(length) {
                Ok(length) if self.data.len() - at < length => return self.cut_off(),
                Ok(length) => {
                    fields.push(Some(at..at + length));
                    at += length;
                }
                Err(_) if length == -1 => fields.push(None),
                Err(_) => return Err(pg_err!(BAD_COPY_FILE_FORMAT, "invalid field size")),
            }
        }
        self.at = at;
        self.failed_field = None;
        Ok(Next::Row(fields))
    }

    fn cut_off(&self) -> PgResult<Next> {
        if self.input_ended {
            return Err(pg_err!(BAD_COPY_FILE_FORMAT, "unexpected EOF in COPY data"));
        }
        Ok(Next::NeedMore)
    }

    /// Reads the header; false while it is not there whole.
    fn header(&mut self) -> PgResult<bool> {
        const FLAGS: usize = SIGNATURE.len();
        const LENGTH: usize = FLAGS + 4;
        const REST: usize = LENGTH + 4;
        let seen = self.data.len().min(FLAGS);
        if self.data[..seen] != SIGNATURE[..seen] || seen < FLAGS && self.input_ended {
            return Err(pg_err!(
                BAD_COPY_FILE_FORMAT,
                "COPY file signature not recognized"
            ));
        }
        let flags = self.bytes(FLAGS).map(u32::from_be_bytes);
        let length = self.bytes(LENGTH).map(i32::from_be_bytes);
        match flags {
            Some(flags) if flags & HAS_OIDS != 0 => return Err(missing("WITH OIDS")),
            Some(flags) if flags & CRITICAL != 0 => {
                return Err(pg_err!(
                    BAD_COPY_FILE_FORMAT,
                    "unrecognized critical flags in COPY file header"
                ));
            }
            None if self.input_ended => return Err(missing("missing flags")),
            _ => {}
        }
        let Some(length) = length else {
            return match self.input_ended {
                true => Err(missing("missing length")),
                false => Ok(false),
            };
        };
        let end = usize::try_from(length).ok().map(|length| REST + length);
        match end {
            Some(end) if end <= self.data.len() => {
                self.at = end;
                self.header_read = true;
                Ok(true)
            }
            Some(_) if !self.input_ended => Ok(false),
            _ => Err(missing("wrong length")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn stream() -> Vec<u8> {
        let mut out = Vec::new();
        put_header(&mut out);
        begin_row(2, &mut out);
        out.extend_from_slice(&3_i32.to_be_bytes());
        out.extend_from_slice(b"abc");
        out.extend_from_slice(&(-1_i32).to_be_bytes());
        put_trailer(&mut out);
        out
    }

    #[test]
    fn any_cut_gives_the_same_rows() {
        let data = stream();
        for cut in 0..data.len() {
            let mut reader = Reader::default();
            let mut rows = 0;
            for part in [&data[..cut], &data[cut..]] {
                reader.push(part);
                while let Next::Row(fields) = reader.next(2).unwrap() {
                    assert_eq!(reader.field(fields[0].as_ref().unwrap()), b"abc");
                    assert_eq!(fields[1], None);
                    rows += 1;
                }
            }
            assert_eq!(rows, 1, "cut at {cut}");
        }
    }

    #[test]
    fn what_is_cut_off_or_broken_is_refused() {
        let data = stream();
        for end in 0..data.len() - 2 {
            // A stream may end between rows; half a count is no row for PostgreSQL either.
            if end == 19 || end == 20 {
                continue;
            }
            let mut reader = Reader::default();
            reader.push(&data[..end]);
            reader.end();
            assert!(reader.next(2).is_err() || end >= data.len() - 2, "end at {end}");
        }
        let mut reader = Reader::default();
        reader.push(b"no copy");
        assert!(reader.next(1).is_err());
        let mut reader = Reader::default();
        reader.push(&data);
        assert!(reader.next(3).is_err());
    }
}
