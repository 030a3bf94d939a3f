//! How big PostgreSQL's heap would be: for cost estimates, `pg_relation_size` and the update policy.
//!
//! PG: src/backend/storage/page/README (bufpage.h), src/backend/access/common/heaptuple.c.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use types::{Datum, Numeric, PhysType, Vector};

use crate::table::Table;
use crate::table::store::TableStore;

/// Bytes of a page.
pub(crate) const PAGE: u64 = 8192;
/// Bytes of a page that tuples and their line pointers can use.
pub(crate) const PAGE_USABLE: u64 = PAGE - 24;
const TUPLE_HEADER: usize = 23;
const LINE_POINTER: u64 = 4;
/// PG: `NAMEDATALEN`.
const NAME_LENGTH: usize = 64;

/// Estimates of a table's size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableSize {
    /// Rows committed and not deleted, and those of running transactions: what they inserted is there to be read, by themselves at least.
    pub rows: u64,
    /// 8 kB pages that PostgreSQL's heap would have.
    pub pages: u64,
}

impl Table {
    /// The size now, without counting.
    pub fn size(&self) -> TableSize {
        TableSize {
            rows: (self.store.live_rows.load(Ordering::Relaxed)
                + self.store.rows_in_flight.load(Ordering::Relaxed).max(0))
            .max(0) as u64,
            pages: self
                .store
                .heap_bytes
                .load(Ordering::Relaxed)
                .div_ceil(PAGE_USABLE),
        }
    }

    /// As [`heap_tuple_width`], with columns of type `name` as wide as they are in PostgreSQL.
    pub(crate) fn heap_width(&self, values: &[Datum]) -> usize {
        let text = |column: usize| match values.get(column) {
            Some(Datum::Text(s)) => name_padding(s.len()),
            _ => 0,
        };
        heap_tuple_width(values) + self.def.names().map(text).sum::<usize>()
    }

    /// The same for rows of columns together.
    pub(crate) fn heap_width_of_rows(&self, columns: &[Arc<Vector>], rows: usize) -> u64 {
        let padding = |column: &Arc<Vector>| -> usize {
            let values = (0..rows).filter(|i| !column.is_null(*i));
            values
                .map(|i| name_padding(column.bytes(i).map_or(0, <[u8]>::len)))
                .sum()
        };
        let names = self.def.names().filter_map(|c| columns.get(c));
        heap_rows_width(columns, rows) + names.map(padding).sum::<usize>() as u64
    }
}

/// What a value of type `name` takes besides the length byte and the characters of a text.
fn name_padding(len: usize) -> usize {
    NAME_LENGTH.saturating_sub(len + 1)
}

impl TableStore {
    /// Takes note of a version that PostgreSQL would have stored. True while the table fits one page with it: then an update
    /// moves the row to the end, as users of PostgreSQL (and its regression suite) see it.
    pub(crate) fn grow(&self, tuple_width: usize) {
        let bytes = tuple_width as u64 + LINE_POINTER;
        self.heap_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The same for rows of this width together.
    pub(crate) fn grow_by(&self, width: u64, rows: u64) -> u64 {
        let bytes = width + rows * LINE_POINTER;
        self.heap_bytes.fetch_add(bytes, Ordering::Relaxed);
        bytes
    }

    /// True while every version ever stored, and one more of this width, fit into one page.
    pub(crate) fn fits_one_page(&self, tuple_width: usize) -> bool {
        self.heap_bytes.load(Ordering::Relaxed) + tuple_width as u64 + LINE_POINTER <= PAGE_USABLE
    }
}

/// Bytes that PostgreSQL's heap would use for a row, header included, line pointer not.
pub fn heap_tuple_width(values: &[Datum]) -> usize {
    let nulls = values.iter().any(Datum::is_null);
    let data = values.iter().fold(0, place);
    tuple_width(nulls.then_some(values.len()), data)
}

/// The same for rows of columns together, column by column.
fn heap_rows_width(columns: &[Arc<Vector>], rows: usize) -> u64 {
    let (mut offsets, mut nulls) = (vec![0; rows], vec![false; rows]);
    for column in columns {
        match column.validity().is_none() {
            true => place_column(&mut offsets, column),
            false => {
                let each = offsets.iter_mut().zip(&mut nulls).enumerate();
                each.for_each(|(i, (at, nulls))| {
                    *nulls |= column.is_null(i);
                    *at = place_row(*at, column, i);
                });
            }
        }
    }
    let width = |(data, nulls): (usize, bool)| tuple_width(nulls.then_some(columns.len()), data) as u64;
    offsets.into_iter().zip(nulls).map(width).sum()
}

/// The offsets after the values of a column without NULLs.
fn place_column(offsets: &mut [usize], column: &Vector) {
    let phys = column.phys();
    if !column.is_constant()
        && let Some(decimals) = column.decimals()
    {
        let each = offsets.iter_mut().zip(&decimals.digits);
        return each.for_each(|(at, digits)| *at = place_varlena(*at, small_len(*digits, decimals.scale)));
    }
    match phys {
        PhysType::Text | PhysType::Bytes | PhysType::Numeric | PhysType::Nested => {
            let each = offsets.iter_mut().enumerate();
            each.for_each(|(i, at)| *at = place_row(*at, column, i));
        }
        phys => offsets.iter_mut().for_each(|at| *at = place_fixed(*at, phys)),
    }
}

/// A tuple's width from that of its values; `attributes` when some are NULL.
fn tuple_width(attributes: Option<usize>, data: usize) -> usize {
    let bitmap = attributes.map_or(0, |n| n.div_ceil(8));
    align(align(TUPLE_HEADER + bitmap, 8) + data, 8)
}

/// The offset after row `i` of a column that would be stored at `at`.
fn place_row(at: usize, column: &Vector, i: usize) -> usize {
    if column.is_null(i) {
        return at;
    }
    match column.phys() {
        PhysType::Text | PhysType::Bytes => place_varlena(at, column.bytes(i).map_or(0, <[u8]>::len)),
        PhysType::Numeric => place_varlena(at, column.numeric(i).map_or(0, |n| numeric_len(&n))),
        PhysType::Nested => place(at, &column.datum(i)),
        phys => place_fixed(at, phys),
    }
}

fn align(at: usize, to: usize) -> usize {
    at.div_ceil(to) * to
}

/// The offset after a value that would be stored at `at`.
fn place(at: usize, value: &Datum) -> usize {
    match value.phys() {
        None => at,
        Some(PhysType::Numeric | PhysType::Text | PhysType::Bytes | PhysType::Nested) => {
            place_varlena(at, varlena_len(value))
        }
        Some(phys) => place_fixed(at, phys),
    }
}

fn place_varlena(at: usize, len: usize) -> usize {
    if len < 127 {
        at + 1 + len
    } else {
        align(at, 4) + 4 + stored(len)
    }
}

fn place_fixed(at: usize, phys: PhysType) -> usize {
    match phys {
        PhysType::Bool | PhysType::Char => at + 1,
        PhysType::Int2 => align(at, 2) + 2,
        PhysType::Int4 | PhysType::Oid | PhysType::Float4 => align(at, 4) + 4,
        PhysType::Int8 | PhysType::Float8 => align(at, 8) + 8,
        PhysType::Interval => align(at, 8) + 16,
        PhysType::Uuid => at + 16,
        PhysType::Numeric | PhysType::Text | PhysType::Bytes | PhysType::Nested => at,
    }
}

/// PostgreSQL moves values that make a row longer than 2 kB out of line, and leaves a pointer of 18 bytes.
fn stored(len: usize) -> usize {
    if len > 2000 { 14 } else { len }
}

fn bounds(range: &types::Range) -> usize {
    [&range.lower.value, &range.upper.value]
        .into_iter()
        .fold(0, place)
}

/// Bytes of a variable-length value without its length word.
fn varlena_len(value: &Datum) -> usize {
    match value {
        Datum::Text(s) => s.len(),
        Datum::Bytes(b) => b.len(),
        Datum::Numeric(n) => numeric_len(n),
        Datum::Array(a) => 12 + 8 * a.dims.len() + a.elements.iter().fold(0, place),
        Datum::Record(r) => 24 + r.fields.iter().fold(0, place),
        Datum::Range(r) => r.range.as_ref().map_or(9, |range| 9 + bounds(range)),
        Datum::Multirange(m) => 8 + m.ranges.iter().map(|range| 8 + bounds(range)).sum::<usize>(),
        _ => 0,
    }
}

fn small_len(unscaled: i64, scale: u16) -> usize {
    let digits = unscaled
        .unsigned_abs()
        .checked_ilog10()
        .map_or(0, |d| d as usize + 1);
    2 + 2 * digits.max(usize::from(scale)).div_ceil(4)
}

fn numeric_len(value: &Numeric) -> usize {
    match value {
        Numeric::Small { unscaled, scale } => small_len(*unscaled, *scale),
        Numeric::Wide { .. } | Numeric::Big(_) => value.big_form().map_or(2, |big| 4 + 2 * big.digits.len()),
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns of all kinds, with NULLs and without, give what their rows give one by one.
    #[test]
    fn rows_together_are_as_wide_as_one_by_one() {
        let number = |n: i64| {
            Datum::Numeric(Numeric::Small {
                unscaled: n * n * 997,
                scale: 2,
            })
        };
        let value = |kind: usize, n: i64| match kind {
            0 => Datum::Bool(n % 2 == 0),
            1 => Datum::Int2(n as i16),
            2 => Datum::Int4(n as i32),
            3 => Datum::Int8(n),
            4 => number(n),
            5 => Datum::text("x".repeat((n * 37 % 211) as usize)),
            6 => Datum::Numeric(Numeric::from_i128(i128::from(n) << 60, 3)),
            _ => Datum::Uuid([7; 16]),
        };
        let kinds = [
            PhysType::Bool,
            PhysType::Int2,
            PhysType::Int4,
            PhysType::Int8,
            PhysType::Numeric,
            PhysType::Text,
            PhysType::Numeric,
            PhysType::Uuid,
        ];
        for order in 0..40_usize {
            for with_nulls in [false, true] {
                let rows: Vec<Vec<Datum>> = (0..60_i64)
                    .map(|n| {
                        let cell = |k: usize| match with_nulls && (n as usize + k) % 5 == 0 {
                            true => Datum::Null,
                            false => value((k * 3 + order) % 8, n),
                        };
                        (0..7).map(cell).collect()
                    })
                    .collect();
                let columns: Vec<Arc<Vector>> = (0..7)
                    .map(|k| {
                        let mut column = Vector::empty(kinds[(k * 3 + order) % 8]);
                        rows.iter().for_each(|row| column.push(&row[k]));
                        Arc::new(column)
                    })
                    .collect();
                let single: usize = rows.iter().map(|row| heap_tuple_width(row)).sum();
                assert_eq!(heap_rows_width(&columns, rows.len()), single as u64);
            }
        }
    }

    #[test]
    fn widths_are_postgresqls() {
        // Measured with pageinspect (lp_len) on PostgreSQL 18.
        assert_eq!(heap_tuple_width(&[Datum::Int4(1)]), 32);
        assert_eq!(heap_tuple_width(&[Datum::Int4(1), Datum::Int8(2)]), 40);
        assert_eq!(heap_tuple_width(&[Datum::Int4(1), Datum::text("abc")]), 32);
        assert_eq!(heap_tuple_width(&[Datum::Null, Datum::Int4(1)]), 32);
    }
}
