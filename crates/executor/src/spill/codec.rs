//! Columns as bytes.
//!
//! # Format (read back by the process that wrote it)
//! Per column: a byte for its class (the high bit: one value stands for all rows), a byte that tells whether NULLs follow as one byte
//! per row, then the values. Fixed-width values are little-endian; strings are lengths (`u32`) and then all bytes; numerics and nested
//! values are `tuple::put_datum`'s.

use std::sync::Arc;

use common::pieces::PIECE_BYTES;
use common::{PgError, PgResult, cancel, internal};
use types::tuple::{TAGGED, put_datum, take_datum};
use types::{Bitmap, Datum, Interval, PhysType, Selection, StringColumn, Vector, VectorData};

const CONSTANT: u8 = 0x80;

/// The number of nested values, which have tags of their own one by one; the other classes have those of [`TAGGED`].
const NESTED: usize = TAGGED.len();

fn number_of(phys: PhysType) -> usize {
    TAGGED.iter().position(|c| *c == phys).unwrap_or(NESTED)
}

fn class_of(number: usize) -> Option<PhysType> {
    match number {
        NESTED => Some(PhysType::Nested),
        _ => TAGGED.get(number).copied(),
    }
}

/// Appends the selected rows of columns.
pub(super) fn encode(columns: &[Arc<Vector>], sel: &Selection, out: &mut Vec<u8>) -> PgResult<()> {
    for column in columns {
        if column.is_constant() {
            let one = Vector::from_datums(column.phys(), &[column.datum(0)]);
            put_column(&one, &Selection::All(1), CONSTANT, out)?;
        } else {
            put_column(column, sel, 0, out)?;
        }
    }
    Ok(())
}

fn put_column(column: &Vector, sel: &Selection, flag: u8, out: &mut Vec<u8>) -> PgResult<()> {
    out.push(number_of(column.phys()) as u8 | flag);
    out.push(u8::from(column.may_have_nulls()));
    if column.may_have_nulls() {
        out.extend(sel.iter().map(|i| u8::from(!column.is_null(i))));
    }
    put_values(column.data(), sel, out)
}

fn put_values(data: &VectorData, sel: &Selection, out: &mut Vec<u8>) -> PgResult<()> {
    macro_rules! numbers {
        ($values:expr) => {
            sel.for_each(|i| out.extend_from_slice(&$values[i].to_le_bytes()))
        };
    }
    match data {
        VectorData::Bool(v) => sel.for_each(|i| out.push(u8::from(v[i]))),
        VectorData::Char(v) => sel.for_each(|i| out.push(v[i])),
        VectorData::Int2(v) => numbers!(v),
        VectorData::Int4(v) => numbers!(v),
        VectorData::Int8(v) => numbers!(v),
        VectorData::Oid(v) => numbers!(v),
        VectorData::Float4(v) => numbers!(v),
        VectorData::Float8(v) => numbers!(v),
        VectorData::Interval(v) => sel.for_each(|i| {
            out.extend_from_slice(&v[i].micros.to_le_bytes());
            out.extend_from_slice(&v[i].days.to_le_bytes());
            out.extend_from_slice(&v[i].months.to_le_bytes());
        }),
        VectorData::Uuid(v) => sel.for_each(|i| out.extend_from_slice(&v[i])),
        VectorData::Numeric(v) => sel.for_each(|i| put_datum(&Datum::Numeric(v[i].clone()), out)),
        VectorData::Nested(v) => sel.for_each(|i| put_datum(&v[i], out)),
        VectorData::Text(s) | VectorData::Bytes(s) => {
            sel.for_each(|i| out.extend_from_slice(&(s.bytes(i).len() as u32).to_le_bytes()));
            let total: usize = sel.iter().map(|i| s.byte_len(i)).sum();
            if total <= PIECE_BYTES {
                sel.for_each(|i| out.extend_from_slice(s.bytes(i)));
            } else {
                out.reserve(total);
                for piece in sel.iter().flat_map(|i| s.bytes(i).chunks(PIECE_BYTES)) {
                    out.extend_from_slice(piece);
                    cancel::check()?;
                }
            }
        }
    }
    Ok(())
}

/// Reads columns of `rows` rows.
pub(super) fn decode(mut bytes: &[u8], columns: usize, rows: usize) -> PgResult<Vec<Arc<Vector>>> {
    (0..columns)
        .map(|_| Ok(Arc::new(take_column(&mut bytes, rows)?)))
        .collect()
}

fn take<'b>(bytes: &mut &'b [u8], len: usize) -> PgResult<&'b [u8]> {
    match bytes.split_at_checked(len) {
        Some((head, rest)) => {
            *bytes = rest;
            Ok(head)
        }
        None => Err(internal!("temporary file ends early")),
    }
}

fn take_array<const N: usize>(bytes: &mut &[u8]) -> PgResult<[u8; N]> {
    let head = take(bytes, N)?;
    head.try_into()
        .map_err(|_| internal!("temporary file ends early"))
}

fn take_column(bytes: &mut &[u8], rows: usize) -> PgResult<Vector> {
    let [class, nullable] = take_array(bytes)?;
    let constant = class & CONSTANT != 0;
    let rows_here = if constant { 1 } else { rows };
    let Some(phys) = class_of(usize::from(class & !CONSTANT)) else {
        return Err(internal!("temporary file has a column of an unknown class"));
    };
    let validity = if nullable == 1 {
        let mut bits = Bitmap::default();
        take(bytes, rows_here)?.iter().for_each(|b| bits.push(*b == 1));
        Some(bits)
    } else {
        None
    };
    let vector = Vector::new(take_values(bytes, phys, rows_here)?, validity);
    if constant {
        return Ok(Vector::constant(phys, &vector.datum(0), rows));
    }
    Ok(vector)
}

fn take_values(bytes: &mut &[u8], phys: PhysType, rows: usize) -> PgResult<VectorData> {
    macro_rules! numbers {
        ($variant:ident, $t:ty) => {{
            let raw = take(bytes, rows * size_of::<$t>())?;
            let (chunks, _) = raw.as_chunks();
            VectorData::$variant(chunks.iter().map(|c| <$t>::from_le_bytes(*c)).collect())
        }};
    }
    Ok(match phys {
        PhysType::Bool => VectorData::Bool(take(bytes, rows)?.iter().map(|b| *b == 1).collect()),
        PhysType::Char => VectorData::Char(take(bytes, rows)?.to_vec()),
        PhysType::Int2 => numbers!(Int2, i16),
        PhysType::Int4 => numbers!(Int4, i32),
        PhysType::Int8 => numbers!(Int8, i64),
        PhysType::Oid => numbers!(Oid, u32),
        PhysType::Float4 => numbers!(Float4, f32),
        PhysType::Float8 => numbers!(Float8, f64),
        PhysType::Interval => VectorData::Interval(
            (0..rows)
                .map(|_| {
                    Ok(Interval {
                        micros: i64::from_le_bytes(take_array(bytes)?),
                        days: i32::from_le_bytes(take_array(bytes)?),
                        months: i32::from_le_bytes(take_array(bytes)?),
                    })
                })
                .collect::<PgResult<_>>()?,
        ),
        PhysType::Uuid => VectorData::Uuid((0..rows).map(|_| take_array(bytes)).collect::<PgResult<_>>()?),
        PhysType::Numeric => {
            let mut out = Vec::with_capacity(rows);
            for _ in 0..rows {
                match take_datum(bytes)? {
                    Datum::Numeric(n) => out.push(n),
                    _ => return Err(internal!("temporary file has no numeric where one was written")),
                }
            }
            VectorData::Numeric(out)
        }
        PhysType::Nested => {
            VectorData::Nested((0..rows).map(|_| take_datum(bytes)).collect::<PgResult<_>>()?)
        }
        PhysType::Text => VectorData::Text(take_strings(bytes, rows, true)?),
        PhysType::Bytes => VectorData::Bytes(take_strings(bytes, rows, false)?),
    })
}

fn take_strings(bytes: &mut &[u8], rows: usize, text: bool) -> PgResult<StringColumn> {
    let lengths = take(bytes, rows * 4)?;
    let (lengths, _) = lengths.as_chunks();
    let mut out = StringColumn::with_capacity(rows);
    for len in lengths {
        let string = take(bytes, u32::from_le_bytes(*len) as usize)?;
        if string.len() > PIECE_BYTES {
            out.push_bytes(&[]);
            out.set_owned(out.len() - 1, take_long(string, text)?);
            continue;
        }
        if text && std::str::from_utf8(string).is_err() {
            return Err(damaged());
        }
        out.push_bytes(string);
    }
    Ok(out)
}

/// A copy of a long string, which a cancelled statement does not wait for.
fn take_long(mut string: &[u8], text: bool) -> PgResult<Vec<u8>> {
    let mut out = Vec::with_capacity(string.len());
    while !string.is_empty() {
        cancel::check()?;
        let piece = &string[..string.len().min(PIECE_BYTES)];
        let end = match std::str::from_utf8(piece) {
            Err(e) if text => match (e.valid_up_to(), e.error_len()) {
                // The piece ends within a character.
                (end, None) if end > 0 && piece.len() < string.len() => end,
                _ => return Err(damaged()),
            },
            _ => piece.len(),
        };
        out.extend_from_slice(&piece[..end]);
        string = &string[end..];
    }
    Ok(out)
}

fn damaged() -> Box<PgError> {
    internal!("temporary file has damaged text")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use common::cancel::{CancelReason, CancelToken};

    use super::*;

    #[test]
    fn every_class_comes_back() {
        let values = [
            Datum::Bool(true),
            Datum::Char(7),
            Datum::Int2(-3),
            Datum::Int4(70_000),
            Datum::Int8(-1 << 40),
            Datum::Oid(5),
            Datum::Float4(1.5),
            Datum::Float8(-2.25),
            Datum::Interval(Interval {
                micros: 1,
                days: -2,
                months: 3,
            }),
            Datum::Uuid([9; 16]),
            Datum::Numeric(types::numeric::parse("12345678901234567890.5", "numeric").unwrap()),
            Datum::text("a string that is longer than twelve bytes"),
            Datum::Bytes([0_u8, 255].as_slice().into()),
        ];
        let mut columns = Vec::new();
        for (value, phys) in values.iter().zip(TAGGED) {
            columns.push(Arc::new(Vector::from_datums(
                phys,
                &[value.clone(), Datum::Null, value.clone()],
            )));
            columns.push(Arc::new(Vector::constant(phys, value, 3)));
        }
        let mut bytes = Vec::new();
        encode(&columns, &Selection::Rows([1_u16, 2].into()), &mut bytes).unwrap();
        let back = decode(&bytes, columns.len(), 2).unwrap();
        for (old, new) in columns.iter().zip(&back) {
            assert_eq!((old.datum(1), old.datum(2)), (new.datum(0), new.datum(1)));
        }
        assert!(decode(&bytes[..bytes.len() - 1], columns.len(), 2).is_err());
    }

    #[test]
    fn long_strings_come_back_unless_cancelled() {
        // Characters across the ends of pieces.
        let long = "aä€".repeat(PIECE_BYTES / 3);
        let text = Datum::text(&*long);
        let bytea = Datum::Bytes([0xff_u8].repeat(PIECE_BYTES + 5).into());
        let columns = [
            Arc::new(Vector::from_datums(
                PhysType::Text,
                &[text.clone(), Datum::text("x"), text],
            )),
            Arc::new(Vector::from_datums(
                PhysType::Bytes,
                &[bytea.clone(), Datum::Null, bytea],
            )),
        ];
        let mut bytes = Vec::new();
        encode(&columns, &Selection::All(3), &mut bytes).unwrap();
        let back = decode(&bytes, 2, 3).unwrap();
        for (old, new) in columns.iter().zip(&back) {
            assert!((0..3).all(|i| old.datum(i) == new.datum(i)));
        }
        let damage = bytes.iter().rposition(|b| *b == b'a').unwrap();
        bytes[damage] = 0xff;
        assert!(decode(&bytes, 2, 3).is_err(), "damaged text");
        let cancel = CancelToken::new();
        let _entered = cancel.enter();
        cancel.cancel(CancelReason::User);
        let told = encode(&columns, &Selection::All(3), &mut Vec::new());
        assert_eq!(told.unwrap_err().sqlstate.as_str(), "57014");
        assert_eq!(decode(&bytes, 2, 3).unwrap_err().sqlstate.as_str(), "57014");
    }
}
