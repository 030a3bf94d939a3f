//! Cutting COPY data into lines and lines into fields, in whatever pieces the data arrives.
//!
//! PG: src/backend/commands/copyfromparse.c.

use std::ops::Range;

use common::error::ErrorExt;
use common::{PgResult, pg_err};
use memchr::{memchr, memchr3};

use crate::copy::options::{CopyOptions, Format};

/// How lines end; the first line decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Eol {
    Unknown,
    Newline,
    CarriageReturn,
    Both,
}

/// What the next step of reading found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A whole line without its end: where it lies, see [`LineReader::text`].
    Data(Range<usize>),
    /// More data is needed.
    NeedMore,
    /// `\.`: the data ends here.
    End,
}

/// Collects data and hands out lines.
pub(crate) struct LineReader {
    csv: bool,
    quote: u8,
    escape: u8,
    buffer: Vec<u8>,
    /// Start of the current line.
    start: usize,
    /// Scanned up to here.
    at: usize,
    in_quote: bool,
    last_was_escape: bool,
    eol: Eol,
    ended: bool,
}

impl LineReader {
    pub fn new(options: &CopyOptions) -> LineReader {
        LineReader {
            csv: options.format == Format::Csv,
            quote: options.quote,
            escape: options.escape,
            buffer: Vec::new(),
            start: 0,
            at: 0,
            in_quote: false,
            last_was_escape: false,
            eol: Eol::Unknown,
            ended: false,
        }
    }

    /// Takes more data.
    pub fn push(&mut self, data: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.at -= self.start;
            self.start = 0;
        }
        self.buffer.extend_from_slice(data);
    }

    /// No more data will come.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// The next line.
    pub fn next(&mut self) -> PgResult<Line> {
        loop {
            self.skip_plain();
            let Some(&c) = self.buffer.get(self.at) else { break };
            let next = self.buffer.get(self.at + 1).copied();
            if self.csv {
                self.csv_quotes(c);
            }
            if self.in_quote && self.csv {
                self.at += 1;
                continue;
            }
            match c {
                b'\r' if next.is_none() && !self.ended => return Ok(Line::NeedMore),
                b'\r' => {
                    if let Some(line) = self.carriage_return(next)? {
                        return Ok(line);
                    }
                }
                b'\n' => return self.newline(),
                b'\\' if !self.csv => {
                    if next.is_none() && !self.ended {
                        return Ok(Line::NeedMore);
                    }
                    if next == Some(b'.') {
                        if let Some(line) = self.end_marker()? {
                            return Ok(line);
                        }
                    }
                    // What follows a backslash is data, even a newline.
                    self.at = (self.at + 2).min(self.buffer.len());
                    continue;
                }
                _ => {}
            }
            self.at += 1;
        }
        if !self.ended {
            return Ok(Line::NeedMore);
        }
        if self.in_quote && self.csv {
            return Err(pg_err!(BAD_COPY_FILE_FORMAT, "unterminated CSV quoted field"));
        }
        if self.start == self.buffer.len() {
            return Ok(Line::End);
        }
        let line = self.start..self.buffer.len();
        self.start = self.buffer.len();
        Ok(Line::Data(line))
    }

    /// A line found before more data came.
    pub fn text(&self, line: &Range<usize>) -> &[u8] {
        self.buffer.get(line.clone()).unwrap_or_default()
    }

    /// Goes on to the next byte that can mean something.
    fn skip_plain(&mut self) {
        let rest = self.buffer.get(self.at..).unwrap_or_default();
        let found = match (self.csv, self.in_quote) {
            (false, _) => memchr3(b'\n', b'\r', b'\\', rest),
            // A quote may be escaped by another character: that way is walked byte by byte.
            (true, _) if self.escape != self.quote => return,
            (true, true) => memchr(self.quote, rest),
            (true, false) => memchr3(b'\n', b'\r', self.quote, rest),
        };
        self.at += found.unwrap_or(rest.len());
    }

    /// The line as far as it was read, for the context of errors.
    pub fn current(&self) -> &[u8] {
        &self.buffer[self.start..self.at.max(self.start)]
    }

    fn csv_quotes(&mut self, c: u8) {
        if self.in_quote && c == self.escape && self.escape != self.quote {
            self.last_was_escape = !self.last_was_escape;
        }
        if c == self.quote && !self.last_was_escape {
            self.in_quote = !self.in_quote;
        }
        if c != self.escape || self.escape == self.quote {
            self.last_was_escape = false;
        }
    }

    fn take(&mut self, end_length: usize) -> Line {
        let line = self.start..self.at;
        self.at += end_length;
        self.start = self.at;
        Line::Data(line)
    }

    fn carriage_return(&mut self, next: Option<u8>) -> PgResult<Option<Line>> {
        let both = next == Some(b'\n');
        match (self.eol, both) {
            (Eol::Unknown, true) | (Eol::Both, true) => {
                self.eol = Eol::Both;
                Ok(Some(self.take(2)))
            }
            (Eol::Unknown, false) | (Eol::CarriageReturn, _) => {
                self.eol = Eol::CarriageReturn;
                Ok(Some(self.take(1)))
            }
            _ => Err(self.literal("carriage return", "\\r")),
        }
    }

    fn newline(&mut self) -> PgResult<Line> {
        match self.eol {
            Eol::Unknown | Eol::Newline => {
                self.eol = Eol::Newline;
                Ok(self.take(1))
            }
            _ => Err(self.literal("newline", "\\n")),
        }
    }

    fn literal(&self, what: &str, escaped: &str) -> Box<common::PgError> {
        if self.csv {
            return pg_err!(BAD_COPY_FILE_FORMAT, "unquoted {what} found in data")
                .hint(format!("Use quoted CSV field to represent {what}."));
        }
        pg_err!(BAD_COPY_FILE_FORMAT, "literal {what} found in data")
            .hint(format!("Use \"{escaped}\" to represent {what}."))
    }

    /// At `\.`: the end when it is alone on its line.
    fn end_marker(&mut self) -> PgResult<Option<Line>> {
        let after = self.buffer.get(self.at + 2).copied();
        if after.is_none() && !self.ended {
            return Ok(Some(Line::NeedMore));
        }
        let alone = matches!(after, None | Some(b'\n' | b'\r'));
        if !alone || self.at != self.start {
            return Err(pg_err!(
                BAD_COPY_FILE_FORMAT,
                "end-of-copy marker is not alone on its line"
            ));
        }
        self.start = self.buffer.len();
        self.at = self.start;
        Ok(Some(Line::End))
    }
}

/// A field of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Null,
    Default,
    Text(Vec<u8>),
    /// Quoted in CSV: never NULL by itself.
    Quoted(Vec<u8>),
}

/// Cuts a line into fields.
pub(crate) fn fields(line: &[u8], options: &CopyOptions) -> PgResult<Vec<Field>> {
    match options.format {
        Format::Csv => csv_fields(line, options),
        _ => Ok(text_fields(line, options)),
    }
}

fn marker(raw: &[u8], options: &CopyOptions) -> Option<Field> {
    if raw == options.null.as_bytes() {
        return Some(Field::Null);
    }
    let default = options.default.as_ref()?;
    (raw == default.as_bytes()).then_some(Field::Default)
}

fn text_fields(line: &[u8], options: &CopyOptions) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut at = 0;
    loop {
        let start = at;
        let mut out = Vec::new();
        let mut ended = true;
        while let Some(&c) = line.get(at) {
            at += 1;
            if c == options.delimiter {
                ended = false;
                break;
            }
            if c == b'\\' && at < line.len() {
                at = unescape(line, at, &mut out);
            } else {
                out.push(c);
            }
        }
        let raw = &line[start..if ended { at } else { at - 1 }];
        fields.push(marker(raw, options).unwrap_or(Field::Text(out)));
        if ended {
            return fields;
        }
    }
}

/// The escape whose backslash stood before `at`; where to go on.
fn unescape(line: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    let c = line[at];
    let digit = |at: usize, radix: u32| line.get(at).and_then(|b| char::from(*b).to_digit(radix));
    match c {
        b'0'..=b'7' => {
            let mut value = u32::from(c - b'0');
            let mut next = at + 1;
            while next < at + 3
                && let Some(d) = digit(next, 8)
            {
                value = (value << 3) + d;
                next += 1;
            }
            out.push((value & 0xFF) as u8);
            return next;
        }
        b'x' => {
            if let Some(high) = digit(at + 1, 16) {
                let (value, next) = match digit(at + 2, 16) {
                    Some(low) => (high * 16 + low, at + 3),
                    None => (high, at + 2),
                };
                out.push(value as u8);
                return next;
            }
            out.push(b'x');
        }
        b'b' => out.push(8),
        b'f' => out.push(12),
        b'n' => out.push(b'\n'),
        b'r' => out.push(b'\r'),
        b't' => out.push(b'\t'),
        b'v' => out.push(11),
        other => out.push(other),
    }
    at + 1
}

fn csv_fields(line: &[u8], options: &CopyOptions) -> PgResult<Vec<Field>> {
    let mut fields = Vec::new();
    let mut at = 0;
    loop {
        let start = at;
        let mut out = Vec::new();
        let mut saw_quote = false;
        let mut in_quote = false;
        let mut ended = true;
        while let Some(&c) = line.get(at) {
            at += 1;
            if !in_quote {
                if c == options.delimiter {
                    ended = false;
                    break;
                }
                if c == options.quote {
                    saw_quote = true;
                    in_quote = true;
                } else {
                    out.push(c);
                }
                continue;
            }
            if c == options.escape
                && let Some(&next) = line.get(at)
                && (next == options.escape || next == options.quote)
            {
                out.push(next);
                at += 1;
                continue;
            }
            if c == options.quote {
                in_quote = false;
            } else {
                out.push(c);
            }
        }
        if in_quote {
            return Err(pg_err!(BAD_COPY_FILE_FORMAT, "unterminated CSV quoted field"));
        }
        let raw = &line[start..if ended { at } else { at - 1 }];
        let special = if saw_quote { None } else { marker(raw, options) };
        fields.push(special.unwrap_or(if saw_quote {
            Field::Quoted(out)
        } else {
            Field::Text(out)
        }));
        if ended {
            return Ok(fields);
        }
    }
}

/// The text of bytes, or PostgreSQL's complaint about the first that is no UTF-8.
pub(crate) fn utf8(bytes: &[u8]) -> PgResult<&str> {
    let error = match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => return Ok(text),
        Ok(_) => {
            return Err(pg_err!(
                CHARACTER_NOT_IN_REPERTOIRE,
                "invalid byte sequence for encoding \"UTF8\": 0x00"
            ));
        }
        Err(error) => error,
    };
    let from = &bytes[error.valid_up_to()..];
    let length = match from.first().copied().unwrap_or_default() {
        b if b & 0xE0 == 0xC0 => 2,
        b if b & 0xF0 == 0xE0 => 3,
        b if b & 0xF8 == 0xF0 => 4,
        _ => 1,
    };
    let shown: Vec<String> = from.iter().take(length).map(|b| format!("0x{b:02x}")).collect();
    Err(pg_err!(
        CHARACTER_NOT_IN_REPERTOIRE,
        "invalid byte sequence for encoding \"UTF8\": {}",
        shown.join(" ")
    ))
}

/// At most 100 bytes of a value, as contexts show them.
pub(crate) fn clip(text: &str) -> String {
    const SHOWN_MAX: usize = 100;
    if text.len() <= SHOWN_MAX {
        return text.to_owned();
    }
    let mut end = SHOWN_MAX;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}...", &text[..end])
}
