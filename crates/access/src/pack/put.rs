//! Making packs.

use std::ops::Range;
use std::sync::Arc;

use common::PgResult;
use smallvec::SmallVec;
use types::{PhysType, Vector, tuple};

use super::{
    CONSTANT, FORMAT, NARROW, NULLS, NUMBER, PACK_BYTES_MAX, SHORT, STRING, VARIABLE, WIDE, XID_BYTES,
    width_of,
};
use crate::dense;
use crate::narrow::{Narrow, integer, integer_width, numbers};
use crate::xids::FROZEN;

/// Rows (position and encoded form, ascending) as a pack; None when they do not fit into one.
pub(crate) fn encode(rows: &[(usize, &[u8])], columns: &[PhysType]) -> PgResult<Option<Vec<u8>>> {
    let bytes: usize = rows.iter().map(|(_, row)| row.len()).sum();
    let mut readers: SmallVec<[tuple::TupleReader<'_>; 128]> = SmallVec::new();
    for (_, row) in rows {
        readers.push(tuple::TupleReader::new(row)?);
    }
    let Some(natts) = readers.first().map(|r| r.natts()) else {
        return Ok(None);
    };
    let uniform = readers.iter().all(|r| r.natts() == natts && !r.has_toasted());
    if !uniform || natts > columns.len() || bytes > PACK_BYTES_MAX {
        return Ok(None);
    }
    let mut out = Vec::with_capacity(bytes / 2);
    out.push(FORMAT);
    let present = rows.iter().fold(0_u128, |all, (position, _)| all | 1 << position);
    out.extend_from_slice(&present.to_le_bytes());
    let xids: SmallVec<[u64; 128]> = rows
        .iter()
        .map(|(_, row)| tuple::xid(row).unwrap_or(FROZEN))
        .collect();
    put_xids(&xids, &mut out);
    out.extend_from_slice(&(natts as u16).to_le_bytes());
    let mut values = Vec::with_capacity(rows.len());
    for phys in &columns[..natts] {
        values.clear();
        for reader in &mut readers {
            values.push(reader.raw(*phys)?);
        }
        put_column(&values, *phys, &mut out);
    }
    Ok(Some(out))
}

/// The same for some rows of columns that follow each other; the first has position `position` in the pack.
pub(crate) fn encode_columns(
    columns: &[Arc<Vector>],
    rows: Range<usize>,
    position: usize,
    xid: impl Fn(usize) -> u64,
) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(share(columns, rows.len()));
    out.push(FORMAT);
    let present = rows
        .clone()
        .zip(position..)
        .fold(0_u128, |all, (_, at)| all | 1 << at);
    out.extend_from_slice(&present.to_le_bytes());
    let xids: SmallVec<[u64; 128]> = rows.clone().map(|i| xid(i).max(FROZEN)).collect();
    put_xids(&xids, &mut out);
    out.extend_from_slice(&(columns.len() as u16).to_le_bytes());
    let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(rows.len()));
    for column in columns {
        if dense::put_column(column, rows.clone(), PACK_BYTES_MAX, &mut out) {
            continue;
        }
        bytes.clear();
        ends.clear();
        for i in rows.clone() {
            if !column.is_null(i) {
                tuple::encode_value(column, i, &mut bytes);
            }
            ends.push(bytes.len());
        }
        if out.len() + bytes.len() > PACK_BYTES_MAX {
            return None;
        }
        let mut start = 0;
        let values: SmallVec<[Option<&[u8]>; 128]> = rows
            .clone()
            .zip(&ends)
            .map(|(i, &end)| {
                let value = &bytes[std::mem::replace(&mut start, end)..end];
                (!column.is_null(i)).then_some(value)
            })
            .collect();
        put_column(&values, column.phys(), &mut out);
    }
    Some(out)
}

/// Bytes of some rows of columns, roughly.
fn share(columns: &[Arc<Vector>], rows: usize) -> usize {
    let of = |column: &Arc<Vector>| column.memory_bytes() * rows / column.len().max(1);
    columns.iter().map(of).sum::<usize>().min(PACK_BYTES_MAX)
}

fn put_xids(all: &[u64], out: &mut Vec<u8>) {
    let put = |xid: u64, out: &mut Vec<u8>| out.extend_from_slice(&xid.to_le_bytes()[..XID_BYTES]);
    match all.first() {
        Some(&first) if all.iter().all(|&xid| xid == first) => {
            out.push(u8::from(first != FROZEN));
            if first != FROZEN {
                put(first, out);
            }
        }
        _ => {
            out.push(2);
            all.iter().for_each(|&xid| put(xid, out));
        }
    }
}

fn put_column(values: &[Option<&[u8]>], phys: PhysType, out: &mut Vec<u8>) {
    let mut there: SmallVec<[&[u8]; 128]> = values.iter().flatten().copied().collect();
    let constant = there.windows(2).all(|pair| pair[0] == pair[1]);
    let nulls = there.len() < values.len();
    if constant {
        there.truncate(1);
    }
    let flag = |on: bool, flag: u8| if on { flag } else { 0 };
    let flags_at = out.len();
    out.push(flag(constant, CONSTANT) | flag(nulls, NULLS));
    if nulls {
        let start = out.len();
        out.resize(start + values.len().div_ceil(8), 0);
        for (i, _) in values.iter().enumerate().filter(|(_, value)| value.is_none()) {
            out[start + i / 8] |= 1 << (i % 8);
        }
    }
    let flags = put_values(&there, phys, constant, out);
    out[flags_at] |= flags;
}

/// What stands for the values of a column, and the flags that say what it is.
fn put_values(values: &[&[u8]], phys: PhysType, constant: bool, out: &mut Vec<u8>) -> u8 {
    if let Some(width) = integer_width(phys).filter(|_| !constant)
        && put_integers(
            values.iter().map(|raw| integer(phys, raw)),
            width,
            values.len(),
            out,
        )
    {
        return NARROW;
    }
    if phys == PhysType::Numeric
        && !constant
        && let Some((scale, digits)) = numbers(values)
    {
        return put_numbers(scale, &digits, out);
    }
    let flags = match width_of(phys) {
        Some(width) => {
            out.push(width);
            0
        }
        None => put_lengths(values.iter().map(|v| v.len()), out),
    };
    values.iter().for_each(|v| out.extend_from_slice(v));
    match phys {
        PhysType::Text | PhysType::Bytes => flags | STRING,
        _ => flags,
    }
}

/// Integers of one width as differences; false (and nothing written) if that saves nothing.
pub(crate) fn put_integers(
    values: impl Iterator<Item = i64> + Clone,
    width: usize,
    count: usize,
    out: &mut Vec<u8>,
) -> bool {
    let narrow = Narrow::of(values.clone()).and_then(|narrow| narrow.saving(width, count));
    if let Some(narrow) = narrow {
        out.push(width as u8);
        narrow.put(values, out);
    }
    narrow.is_some()
}

/// Numbers of one scale, and their flags.
pub(crate) fn put_numbers(scale: u16, digits: &[i64], out: &mut Vec<u8>) -> u8 {
    out.extend_from_slice(&scale.to_le_bytes());
    if let Some(narrow) = Narrow::of(digits.iter().copied()) {
        narrow.put(digits.iter().copied(), out);
    }
    NARROW | NUMBER
}

/// One width if all are equally long, else the length of each; the flags of that.
pub(crate) fn put_lengths(lengths: impl Iterator<Item = usize> + Clone, out: &mut Vec<u8>) -> u8 {
    let (least, greatest) = lengths
        .clone()
        .fold((usize::MAX, 0), |(low, high), len| (low.min(len), high.max(len)));
    if greatest > usize::from(u16::MAX) {
        lengths.for_each(|len| out.extend_from_slice(&(len as u32).to_le_bytes()));
        return VARIABLE | WIDE;
    }
    if greatest > usize::from(u8::MAX) {
        lengths.for_each(|len| out.extend_from_slice(&(len as u16).to_le_bytes()));
        return VARIABLE;
    }
    if least == greatest {
        out.push(greatest as u8);
        return 0;
    }
    out.extend(lengths.map(|len| len as u8));
    VARIABLE | SHORT
}
