//! Lines to columns: COPY FROM of plain tables, many rows at once.
//!
//! # How it works
//! Lines are collected with their text, which is kept for the context of errors, until there are as many as make a batch. Their fields
//! go straight into one column per column of the table: here, or on another thread (`ahead`). What needs single rows (WHERE, ON_ERROR,
//! partitions, DEFAULT markers) is read line by line (`from`), and so is every line that is not made of plain, correct fields: that
//! way makes the errors.

use std::sync::Arc;

use common::PgError;
use executor::{ColumnsAction, ExecContext, InsertTarget};
use memchr::{memchr, memchr2};
use types::column_input::ColumnInput;
use types::io::IoContext;
use types::{Datum, PhysType, Vector};

use crate::copy::options::{CopyOptions, Format};

/// Texts of lines one after the other, where each ends, and its number in the data.
#[derive(Default)]
pub(crate) struct Lines {
    text: Vec<u8>,
    ends: Vec<usize>,
    numbers: Vec<u64>,
}

impl Lines {
    pub fn push(&mut self, line: &[u8], number: u64) {
        self.text.extend_from_slice(line);
        self.ends.push(self.text.len());
        self.numbers.push(number);
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of all lines.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    pub fn text(&self, at: usize) -> &[u8] {
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before));
        let end = self.ends.get(at).copied().unwrap_or(0);
        let range = start.copied().unwrap_or(0)..end;
        self.text.get(range).unwrap_or_default()
    }

    pub fn number(&self, at: usize) -> u64 {
        self.numbers.get(at).copied().unwrap_or(0)
    }

    /// The same memory without lines.
    pub fn cleared(mut self) -> Lines {
        self.text.clear();
        self.ends.clear();
        self.numbers.clear();
        self
    }
}

/// Lines, and their first ones as rows.
pub(crate) struct Rows {
    pub lines: Lines,
    columns: Vec<Vector>,
    /// How many lines are rows.
    read: usize,
    /// How many rows have what the data does not give.
    filled: usize,
}

impl Rows {
    /// No line yet, for a table with columns of these classes.
    pub fn new(classes: &[PhysType], lines: Lines) -> Rows {
        Rows {
            lines,
            columns: classes.iter().map(|c| Vector::empty(*c)).collect(),
            read: 0,
            filled: 0,
        }
    }

    /// Makes room for so many rows, whose columns need so many bytes for strings.
    pub fn reserve(&mut self, rows: usize, bytes: &[usize]) {
        for (column, bytes) in self.columns.iter_mut().zip(bytes) {
            column.reserve(rows, *bytes);
        }
    }

    /// What the columns need for strings, and a bit more.
    pub fn string_bytes(&self) -> impl Iterator<Item = usize> {
        self.columns.iter().map(|column| {
            let bytes = column.buffered_bytes();
            bytes + bytes / 16
        })
    }

    /// The first line that is no row yet.
    pub fn next_line(&self) -> Option<usize> {
        (self.read < self.lines.len()).then_some(self.read)
    }

    /// Rows that [`Rows::fill`] has not seen.
    pub fn unfilled(&self) -> std::ops::Range<usize> {
        self.filled..self.read
    }

    /// Appends the value of a column that the data does not have.
    pub fn put(&mut self, at: usize, value: &Datum) {
        if let Some(column) = self.columns.get_mut(at) {
            column.push(value);
        }
    }

    /// What columns of the rows are still without gets NULL.
    pub fn fill(&mut self) {
        for column in &mut self.columns {
            while column.len() < self.read {
                column.push(&Datum::Null);
            }
        }
        self.filled = self.read;
    }

    /// The next line's row, whole, after [`Rows::fill`].
    pub fn put_row(&mut self, values: &[Datum]) {
        for (column, value) in self.columns.iter_mut().zip(values) {
            column.push(value);
        }
        self.read += 1;
        self.filled = self.read;
    }

    /// Hands the rows over; how many. An error comes with line number and text of its row.
    pub fn store(
        &mut self,
        target: &mut InsertTarget,
        exec: &ExecContext<'_>,
        what: ColumnsAction,
    ) -> Result<u64, (Box<PgError>, u64, Vec<u8>)> {
        let rows = self.read;
        if rows == 0 {
            return Ok(0);
        }
        let columns: Vec<Arc<Vector>> = self.columns.drain(..).map(Arc::new).collect();
        let outcome = target.insert_columns(exec, &columns, rows, what);
        outcome.map_err(|(row, error)| (error, self.lines.number(row), self.lines.text(row).to_vec()))?;
        Ok(rows as u64)
    }
}

/// Reads lines of plain fields.
pub(crate) struct FastReader {
    inputs: Vec<(usize, ColumnInput)>,
    delimiter: u8,
    /// The quote of CSV, or the backslash: what makes a field more than its text.
    special: u8,
    /// Of CSV: what makes a quote in quotes a plain character.
    escape: u8,
    csv: bool,
    null: Vec<u8>,
}

/// A field of a line: where its text is, and where the field ends.
struct PlainField {
    text: std::ops::Range<usize>,
    end: usize,
    /// Never NULL.
    quoted: bool,
}

impl FastReader {
    /// For columns at these positions of these types.
    pub fn new(options: &CopyOptions, inputs: Vec<(usize, ColumnInput)>) -> FastReader {
        let csv = options.format == Format::Csv;
        FastReader {
            inputs,
            delimiter: options.delimiter,
            special: if csv { options.quote } else { b'\\' },
            escape: options.escape,
            csv,
            null: options.null.as_bytes().to_vec(),
        }
    }

    /// Makes rows of lines up to the first that needs a closer look.
    pub fn read(&self, rows: &mut Rows, io: &IoContext<'_>) {
        let (lines, columns) = (&rows.lines, &mut rows.columns);
        while rows.read < lines.len() {
            let line = lines.text(rows.read);
            let done = std::str::from_utf8(line).is_ok_and(|text| self.read_fields(text, columns, io));
            if !done {
                for (at, _) in &self.inputs {
                    if let Some(column) = columns.get_mut(*at) {
                        column.truncate(rows.read);
                    }
                }
                return;
            }
            rows.read += 1;
        }
    }

    fn read_fields(&self, text: &str, columns: &mut [Vector], io: &IoContext<'_>) -> bool {
        let line = text.as_bytes();
        if memchr(0, line).is_some() {
            return false;
        }
        let mut next = Some(0);
        for (at, input) in &self.inputs {
            let (Some(start), Some(column)) = (next, columns.get_mut(*at)) else {
                return false;
            };
            let Some(plain) = self.field(line, start) else {
                return false;
            };
            next = (plain.end < line.len()).then_some(plain.end + 1);
            let Some(field) = text.get(plain.text) else {
                return false;
            };
            if field.as_bytes() == self.null && !plain.quoted {
                column.push(&Datum::Null);
            } else if input.read(field, io, column).is_err() {
                return false;
            }
        }
        next.is_none()
    }

    /// The field that begins at `start`: plain text, NULL as it is written in text format, or between two quotes of CSV.
    fn field(&self, line: &[u8], start: usize) -> Option<PlainField> {
        let rest = line.get(start..)?;
        let plain = |length: usize| PlainField {
            text: start..start + length,
            end: start + length,
            quoted: false,
        };
        let found = first_of(self.delimiter, self.special, rest);
        if rest.get(found) != Some(&self.special) {
            return Some(plain(found));
        }
        if self.csv {
            return if found == 0 {
                self.quoted(rest, start)
            } else {
                None
            };
        }
        let end = memchr(self.delimiter, rest).unwrap_or(rest.len());
        (rest.get(..end) == Some(&self.null[..])).then(|| plain(end))
    }

    /// A field in quotes without quotes inside.
    fn quoted(&self, rest: &[u8], start: usize) -> Option<PlainField> {
        let inside = rest.get(1..)?;
        let length = memchr2(self.special, self.escape, inside)?;
        let end = start + length + 2;
        let closed = inside.get(length) == Some(&self.special);
        let alone = inside.get(length + 1).is_none_or(|next| *next == self.delimiter);
        (closed && alone).then_some(PlainField {
            text: start + 1..end - 1,
            end,
            quoted: true,
        })
    }
}

/// Where the first of two bytes is, or the end. Fields are short: a call of memchr takes longer than eight bytes at a time do here.
#[inline]
fn first_of(one: u8, other: u8, text: &[u8]) -> usize {
    const LOW: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let (ones, others) = (LOW * u64::from(one), LOW * u64::from(other));
    // The high bit of every byte that is 0, and perhaps of some above the lowest of those.
    let zeros = |word: u64| word.wrapping_sub(LOW) & !word & HIGH;
    let (words, rest) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = zeros(word ^ ones) | zeros(word ^ others);
        if found != 0 {
            return at * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let last = rest.iter().position(|&c| c == one || c == other);
    last.map_or(text.len(), |at| words.len() * 8 + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_two_bytes_is_found() {
        let mut seed = 5_u64;
        let mut next = move |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
            (seed >> 33) % below
        };
        for _ in 0..5_000 {
            let alphabet: [u8; 6] = [b'|', b'|' - 1, b'|' ^ 0x80, 0, 1, b'a'];
            let text: Vec<u8> = (0..next(30)).map(|_| alphabet[next(6) as usize]).collect();
            for (one, other) in [(b'|', b'x'), (b'x', b'|'), (b'|', 1), (0, b'a'), (b'x', b'y')] {
                let expected = text.iter().position(|&c| c == one || c == other);
                assert_eq!(
                    first_of(one, other, &text),
                    expected.unwrap_or(text.len()),
                    "{text:?}"
                );
            }
        }
    }
}
