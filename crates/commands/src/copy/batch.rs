//! Lines to columns: COPY FROM of plain tables, many rows at once.
//!
//! # How it works
//! Fields go straight from the line into one column per column of the table, and a full batch goes to the table at once. A line's text
//! is kept until then, for the context of errors. What needs single rows (WHERE, ON_ERROR, partitions, DEFAULT markers) is read line by
//! line (`from`), and so is every line that is not made of plain, correct fields: that way makes the errors.

use std::sync::Arc;

use common::{PgError, PgResult};
use executor::{ColumnsAction, ExecContext, InsertTarget};
use memchr::memchr;
use types::column_input::ColumnInput;
use types::io::IoContext;
use types::{Datum, PhysType, Vector};

use crate::copy::options::{CopyOptions, Format};

/// Rows that wait for their insertion.
pub(crate) struct Pending {
    columns: Vec<Vector>,
    /// Texts of the lines one after the other, and where each ends.
    text: Vec<u8>,
    ends: Vec<usize>,
    /// Line number of each row.
    lines: Vec<u64>,
    /// How many rows make a batch.
    wanted: usize,
    /// Some columns may be without a value from the data.
    gaps: bool,
}

impl Pending {
    /// For a table with columns of these classes, of which the data has `given`.
    pub fn new(classes: impl ExactSizeIterator<Item = PhysType>, given: usize) -> Pending {
        Pending {
            gaps: given < classes.len(),
            columns: classes.map(Vector::empty).collect(),
            text: Vec::new(),
            ends: Vec::new(),
            lines: Vec::new(),
            wanted: 0,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.lines.len() >= self.wanted
    }

    /// Appends the value of a column that the data does not have.
    pub fn put(&mut self, at: usize, value: &Datum) {
        if let Some(column) = self.columns.get_mut(at) {
            column.push(value);
        }
    }

    /// Appends a row of datums.
    pub fn put_row(&mut self, values: &[Datum]) {
        for (column, value) in self.columns.iter_mut().zip(values) {
            column.push(value);
        }
    }

    /// All columns have got their value of this line.
    pub fn end_row(&mut self, line: &[u8], number: u64) {
        self.text.extend_from_slice(line);
        self.ends.push(self.text.len());
        self.lines.push(number);
        if !self.gaps {
            return;
        }
        let rows = self.lines.len();
        // Columns that the data does not have and nothing fills.
        for column in &mut self.columns {
            if column.len() < rows {
                column.push(&Datum::Null);
            }
        }
    }

    /// Asks the target how many rows it wants next.
    pub fn ask(&mut self, target: &mut InsertTarget, exec: &ExecContext<'_>) -> PgResult<()> {
        self.wanted = target.batch_rows(exec)?;
        Ok(())
    }

    /// Hands the rows over; how many. An error comes with line number and text of its row.
    pub fn flush(
        &mut self,
        target: &mut InsertTarget,
        exec: &ExecContext<'_>,
        what: ColumnsAction,
    ) -> Result<u64, (Box<PgError>, u64, Vec<u8>)> {
        let rows = self.lines.len();
        if rows == 0 {
            return Ok(0);
        }
        let take = |c: &mut Vector| Arc::new(std::mem::replace(c, Vector::empty(c.phys())));
        let columns: Vec<Arc<Vector>> = self.columns.iter_mut().map(take).collect();
        let outcome = target.insert_columns(exec, &columns, rows, what);
        let located = outcome.map_err(|(row, error)| {
            let start = row.checked_sub(1).and_then(|r| self.ends.get(r)).copied();
            let end = self.ends.get(row).copied().unwrap_or(0);
            let text = self.text.get(start.unwrap_or(0)..end).unwrap_or_default();
            (error, self.lines.get(row).copied().unwrap_or(0), text.to_vec())
        });
        self.text.clear();
        self.ends.clear();
        self.lines.clear();
        located.map(|()| rows as u64)
    }
}

/// Reads lines of plain fields.
pub(crate) struct FastReader {
    inputs: Vec<(usize, ColumnInput)>,
    delimiter: u8,
    /// The quote of CSV, or the backslash: what makes a field more than its text.
    special: u8,
    csv: bool,
    null: Vec<u8>,
}

impl FastReader {
    /// For columns at these positions of these types.
    pub fn new(options: &CopyOptions, inputs: Vec<(usize, ColumnInput)>) -> FastReader {
        let csv = options.format == Format::Csv;
        FastReader {
            inputs,
            delimiter: options.delimiter,
            special: if csv { options.quote } else { b'\\' },
            csv,
            null: options.null.as_bytes().to_vec(),
        }
    }

    /// Appends a line's values. False (and nothing appended): it needs a closer look.
    pub fn read(&self, line: &[u8], pending: &mut Pending, io: &IoContext<'_>) -> bool {
        let done = std::str::from_utf8(line).is_ok_and(|text| self.read_fields(text, pending, io));
        if !done {
            let rows = pending.lines.len();
            pending.columns.iter_mut().for_each(|c| c.truncate(rows));
        }
        done
    }

    fn read_fields(&self, text: &str, pending: &mut Pending, io: &IoContext<'_>) -> bool {
        let line = text.as_bytes();
        if memchr(0, line).is_some() {
            return false;
        }
        let mut next = Some(0);
        for (at, input) in &self.inputs {
            let (Some(start), Some(column)) = (next, pending.columns.get_mut(*at)) else {
                return false;
            };
            let Some(end) = self.field_end(line, start) else {
                return false;
            };
            next = (end < line.len()).then_some(end + 1);
            let Some(field) = text.get(start..end) else {
                return false;
            };
            if field.as_bytes() == self.null {
                column.push(&Datum::Null);
            } else if input.read(field, io, column).is_err() {
                return false;
            }
        }
        next.is_none()
    }

    /// Where a plain field ends, or NULL as it is written in text format.
    fn field_end(&self, line: &[u8], start: usize) -> Option<usize> {
        let rest = line.get(start..)?;
        let found = first_of(self.delimiter, self.special, rest);
        if rest.get(found) != Some(&self.special) {
            return Some(start + found);
        }
        let end = memchr(self.delimiter, rest).unwrap_or(rest.len());
        (!self.csv && rest.get(..end) == Some(&self.null[..])).then_some(start + end)
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
