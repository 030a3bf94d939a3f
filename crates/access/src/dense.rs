//! Columns without NULLs into packs, as they lie in memory: integers, floats, strings and decimals of loaded rows.
//!
//! What comes out is what [`crate::pack`] writes value by value, byte for byte.

use std::ops::Range;

use types::{Numeric, PhysType, StringColumn, Vector, VectorData, tuple};

use crate::pack::{CONSTANT, NARROW, STRING, put_integers, put_lengths, put_numbers};

/// Writes some rows of a column; false (and nothing written) for columns in other forms, and for more bytes than `bytes_max`.
pub(crate) fn put_column(column: &Vector, rows: Range<usize>, bytes_max: usize, out: &mut Vec<u8>) -> bool {
    if column.is_constant() || column.validity().is_some() || rows.is_empty() {
        return false;
    }
    let plain = match column.phys() {
        PhysType::Numeric => {
            if let Some(all) = column.decimals() {
                decimals(all.scale, &all.digits[rows], out);
                return true;
            }
            let found = digits(column, rows);
            found
                .iter()
                .for_each(|(scale, digits)| decimals(*scale, digits, out));
            return found.is_some();
        }
        _ => column.plain_data(),
    };
    match plain {
        Some(VectorData::Int2(v)) => integers(&v[rows], i16::to_le_bytes, out),
        Some(VectorData::Int4(v)) => integers(&v[rows], i32::to_le_bytes, out),
        Some(VectorData::Int8(v)) => integers(&v[rows], i64::to_le_bytes, out),
        Some(VectorData::Oid(v)) => integers(&v[rows], u32::to_le_bytes, out),
        Some(VectorData::Float4(v)) => fixed(&v[rows], f32::to_le_bytes, out),
        Some(VectorData::Float8(v)) => fixed(&v[rows], f64::to_le_bytes, out),
        Some(VectorData::Text(s) | VectorData::Bytes(s)) => return strings(s, rows, bytes_max, out),
        _ => return false,
    }
    true
}

/// Integers: as differences where that saves something.
fn integers<T: Copy + Into<i64>, const N: usize>(
    values: &[T],
    bytes: impl Fn(T) -> [u8; N],
    out: &mut Vec<u8>,
) {
    let flags_at = out.len();
    out.push(NARROW);
    let wide = values.iter().map(|v| (*v).into());
    let first: i64 = values[0].into();
    if wide.clone().all(|v: i64| v == first) || !put_integers(wide, N, values.len(), out) {
        out.truncate(flags_at);
        fixed(values, bytes, out);
    }
}

/// Values of one width.
fn fixed<T: Copy, const N: usize>(values: &[T], bytes: impl Fn(T) -> [u8; N], out: &mut Vec<u8>) {
    let first = bytes(values[0]);
    let constant = values.iter().all(|v| bytes(*v) == first);
    out.extend_from_slice(&[if constant { CONSTANT } else { 0 }, N as u8]);
    match constant {
        true => out.extend_from_slice(&first),
        false => values.iter().for_each(|v| out.extend_from_slice(&bytes(*v))),
    }
}

fn strings(column: &StringColumn, rows: Range<usize>, bytes_max: usize, out: &mut Vec<u8>) -> bool {
    let first = column.bytes(rows.start);
    let constant = rows.clone().all(|i| column.bytes(i) == first);
    let rows = if constant {
        rows.start..rows.start + 1
    } else {
        rows
    };
    let lengths = rows.clone().map(|i| column.byte_len(i));
    if out.len() + lengths.clone().sum::<usize>() > bytes_max {
        return false;
    }
    let flags_at = out.len();
    out.push(STRING | if constant { CONSTANT } else { 0 });
    out[flags_at] |= put_lengths(lengths, out);
    rows.for_each(|i| out.extend_from_slice(column.bytes(i)));
    true
}

/// The scale of some numbers and what they are apart from it, if they are small and have one.
fn digits(column: &Vector, rows: Range<usize>) -> Option<(u16, Vec<i64>)> {
    let general = match column.plain_data() {
        Some(VectorData::Numeric(all)) => Some(all),
        _ => None,
    };
    let number = |i: usize| match general.and_then(|all| all.get(i)) {
        Some(Numeric::Small { unscaled, scale }) => Some((*unscaled, *scale)),
        Some(_) => None,
        None => column.decimal(i),
    };
    let (_, scale) = number(rows.start)?;
    let mut digits = Vec::with_capacity(rows.len());
    for i in rows {
        match number(i)? {
            (unscaled, s) if s == scale => digits.push(unscaled),
            _ => return None,
        }
    }
    Some((scale, digits))
}

fn decimals(scale: u16, digits: &[i64], out: &mut Vec<u8>) {
    let flags_at = out.len();
    out.push(0);
    if digits.iter().any(|v| *v != digits[0]) {
        out[flags_at] = put_numbers(scale, digits, out);
        return;
    }
    let mut number = Vec::new();
    let unscaled = digits[0];
    tuple::put_number(&Numeric::Small { unscaled, scale }, &mut number);
    out[flags_at] = CONSTANT | put_lengths(std::iter::once(number.len()), out);
    out.extend_from_slice(&number);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use types::{Bitmap, Datum};

    use super::*;
    use crate::pack;

    const CLASSES: [PhysType; 8] = [
        PhysType::Int2,
        PhysType::Int4,
        PhysType::Int8,
        PhysType::Float8,
        PhysType::Oid,
        PhysType::Text,
        PhysType::Bytes,
        PhysType::Numeric,
    ];

    fn value(phys: PhysType, n: i64) -> Datum {
        match phys {
            PhysType::Int2 => Datum::Int2(n as i16),
            PhysType::Int4 => Datum::Int4(n as i32),
            PhysType::Int8 => Datum::Int8(n),
            PhysType::Float8 => Datum::Float8(if n % 7 == 3 { f64::NAN } else { n as f64 }),
            PhysType::Oid => Datum::Oid(n as u32),
            PhysType::Text => Datum::text("ab".repeat((n % 19) as usize)),
            PhysType::Bytes => Datum::Bytes(vec![n as u8; (n % 300) as usize * (n % 300) as usize].into()),
            _ => Datum::Numeric(Numeric::Small {
                unscaled: n * n * n - 9,
                scale: 2,
            }),
        }
    }

    /// Packs of columns at rest, which go value by value, and of the same columns as they were loaded are the same.
    #[test]
    fn at_once_or_one_by_one_packs_are_the_same() {
        let mut at_once = 0;
        for spread in [1, 2, 90, 1 << 40] {
            for phys in CLASSES {
                let mut column = Vector::empty(phys);
                (0..200_i64).for_each(|n| column.push(&value(phys, n * n % spread)));
                if phys == PhysType::Numeric {
                    let digits = (0..200)
                        .map(|i| column.decimal(i).map_or(0, |(digits, _)| digits))
                        .collect();
                    column.set_decimals(types::Decimals { scale: 2, digits });
                }
                let mut nulls = column.clone();
                nulls.set_null(150);
                let rest = column.at_rest(&Bitmap::filled(200, true));
                for rows in [0..128, 3..4, 40..168] {
                    let mut out = Vec::new();
                    at_once += usize::from(put_column(&column, rows.clone(), 256 << 10, &mut out));
                    let packs = [&column, &rest, &nulls].map(|c| {
                        let columns = [Arc::new(c.clone()), Arc::new(c.clone())];
                        pack::encode_columns(&columns, rows.clone(), 0, |_| 7)
                    });
                    assert!(packs[0] == packs[1], "{phys:?} {rows:?}");
                    assert!(rows.end > 150 || packs[0] == packs[2]);
                }
            }
        }
        assert!(at_once > 90, "{at_once}");
    }
}
