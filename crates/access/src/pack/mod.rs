//! Packs: up to 128 rows of consecutive ids as one value of the KV store, column by column.
//!
//! # Format
//! A byte for the format (2; 1 lacks what is said of it below), the positions that have rows (16 bytes, bit 0 the first, little-endian), the writers, `u16` number of
//! attributes (LE), then the columns. Writers: a byte, 0: frozen; 1: one xid for all follows (6 bytes, LE); 2: a xid per row.
//! A column: a byte of flags ([`CONSTANT`], [`NULLS`], [`VARIABLE`], [`WIDE`], [`STRING`], [`SHORT`], [`NARROW`], [`NUMBER`]); with `NULLS` a bit per
//! row, set = NULL; then the width of a value (one byte) or, with `VARIABLE`, the length of each (`u16`, with `WIDE` `u32`, with `SHORT` one byte); then the
//! values that are not NULL, as [`types::tuple`] has them, strings without their lengths. With `CONSTANT` one value (or none) stands for all rows that
//! are not NULL. With `NARROW` differences follow in place of values ([`crate::narrow`]); with `NUMBER`, too, they are small numbers and their scale stands in place of the width.
//! Format 1 has no `SHORT`, `NARROW` and `NUMBER`.
//!
//! # Invariants
//! - All rows of a pack have the same number of attributes, and no values elsewhere.
//! - A row stored under its own key counts more than the pack that covers it; an empty value there says that it was deleted.
//! - A pack is self-describing: reading a row as bytes needs no definition of the table.

mod put;

use common::{PgResult, RowId, pg_err};
use smallvec::SmallVec;
use types::{Numeric, PhysType, Vector, tuple};

use crate::narrow::{Narrow, integer_width};
use crate::xids::FROZEN;

pub(crate) use put::{encode, encode_columns, put_integers, put_lengths, put_numbers};

/// Row ids that one pack covers; divides a chunk.
pub(crate) const PACK_ROWS: u64 = 128;
/// Packs do not get longer: rows longer than usual stay single.
const PACK_BYTES_MAX: usize = 256 << 10;

const FORMAT: u8 = 2;
const FORMAT_OLDEST: u8 = 1;
pub(crate) const CONSTANT: u8 = 1;
const NULLS: u8 = 2;
const VARIABLE: u8 = 4;
const WIDE: u8 = 8;
pub(crate) const STRING: u8 = 16;
const SHORT: u8 = 32;
pub(crate) const NARROW: u8 = 64;
const NUMBER: u8 = 128;

const XID_BYTES: usize = 6;

/// The key of the pack whose rows begin at `first`: directly before that row's own.
pub(crate) fn pack_key(first: RowId) -> SmallVec<[u8; 9]> {
    let mut key = SmallVec::new();
    match first.0.checked_sub(1) {
        Some(before) => {
            key.extend_from_slice(&before.to_be_bytes());
            key.push(u8::MAX);
        }
        None => key.extend_from_slice(&[0; 7]),
    }
    key
}

/// What a key of a table's keyspace belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoredKey {
    /// One row.
    Row(RowId),
    /// The pack that begins with this row.
    Pack(RowId),
}

impl StoredKey {
    /// None when the key is damaged.
    pub(crate) fn of(key: &[u8]) -> Option<StoredKey> {
        match key.len() {
            7 => (key == [0; 7]).then_some(StoredKey::Pack(RowId(0))),
            8 => Some(StoredKey::Row(RowId(u64::from_be_bytes(key.try_into().ok()?)))),
            9 => {
                let (before, mark) = key.split_first_chunk::<8>()?;
                let first = u64::from_be_bytes(*before).checked_add(1)?;
                (mark == [u8::MAX]).then_some(StoredKey::Pack(RowId(first)))
            }
            _ => None,
        }
    }
}

/// The first row of the pack that would cover a row.
pub(crate) fn first_of(row: RowId) -> RowId {
    RowId(row.0 - row.0 % PACK_ROWS)
}

fn damaged() -> Box<common::PgError> {
    pg_err!(DATA_CORRUPTED, "stored rows are damaged")
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> PgResult<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(len).ok_or_else(damaged)?;
    *bytes = rest;
    Ok(head)
}

fn take_array<const N: usize>(bytes: &mut &[u8]) -> PgResult<[u8; N]> {
    take(bytes, N)?.try_into().map_err(|_| damaged())
}

/// A bit of a bitmap whose lowest bit comes first.
fn bit(bits: &[u8], i: usize) -> bool {
    bits.get(i / 8).is_some_and(|byte| byte >> (i % 8) & 1 == 1)
}

/// Bytes of every value of a class; None when they differ.
pub(crate) fn width_of(phys: PhysType) -> Option<u8> {
    match phys {
        PhysType::Bool | PhysType::Char => Some(1),
        PhysType::Int2 => Some(2),
        PhysType::Int4 | PhysType::Oid | PhysType::Float4 => Some(4),
        PhysType::Int8 | PhysType::Float8 => Some(8),
        PhysType::Interval | PhysType::Uuid => Some(16),
        PhysType::Numeric | PhysType::Text | PhysType::Bytes | PhysType::Nested => None,
    }
}

/// How many row ids from its first on a stored pack reaches.
pub(crate) fn reach(bytes: &[u8]) -> PgResult<u64> {
    Ok(u64::from(u128::BITS - present(&mut { bytes })?.leading_zeros()))
}

fn present(bytes: &mut &[u8]) -> PgResult<u128> {
    match take_array(bytes)? {
        [FORMAT_OLDEST..=FORMAT] => Ok(u128::from_le_bytes(take_array(bytes)?)),
        _ => Err(damaged()),
    }
}

/// A stored pack, looked at.
pub(crate) struct Pack<'a> {
    present: u128,
    xids: PackXids<'a>,
    columns: SmallVec<[Column<'a>; 16]>,
}

enum PackXids<'a> {
    Same(u64),
    Each(&'a [u8]),
}

fn wide_xid(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |xid, byte| xid << 8 | u64::from(*byte))
}

impl<'a> Pack<'a> {
    /// Finds the columns.
    pub(crate) fn open(mut bytes: &'a [u8]) -> PgResult<Pack<'a>> {
        let present = present(&mut bytes)?;
        let rows = present.count_ones() as usize;
        let xids = match take_array(&mut bytes)? {
            [0] => PackXids::Same(FROZEN),
            [1] => PackXids::Same(wide_xid(take(&mut bytes, XID_BYTES)?)),
            [2] => PackXids::Each(take(&mut bytes, rows * XID_BYTES)?),
            _ => return Err(damaged()),
        };
        let natts = u16::from_le_bytes(take_array(&mut bytes)?);
        let columns = (0..natts)
            .map(|_| Column::take(&mut bytes, rows))
            .collect::<PgResult<_>>()?;
        Ok(Pack {
            present,
            xids,
            columns,
        })
    }

    pub(crate) fn natts(&self) -> usize {
        self.columns.len()
    }

    /// Positions with rows, ascending.
    pub(crate) fn positions(&self) -> impl Iterator<Item = usize> + use<> {
        let mut rest = self.present;
        std::iter::from_fn(move || {
            (rest != 0).then(|| {
                let position = rest.trailing_zeros() as usize;
                rest &= rest - 1;
                position
            })
        })
    }

    /// The positions with rows next to each other that begin at or after `from` and end before `to`.
    pub(crate) fn run(&self, from: usize, to: usize) -> Option<std::ops::Range<usize>> {
        let rest = self.present.checked_shr(from as u32).unwrap_or(0);
        let start = from + rest.trailing_zeros() as usize;
        if rest == 0 || start >= to {
            return None;
        }
        let long = (self.present >> start).trailing_ones() as usize;
        Some(start..to.min(start + long))
    }

    /// Rows before a position.
    fn rank(&self, position: usize) -> usize {
        match 1_u128.checked_shl(position as u32) {
            Some(one) => (self.present & (one - 1)).count_ones() as usize,
            None => self.present.count_ones() as usize,
        }
    }

    /// Who wrote the row at a position.
    pub(crate) fn xid(&self, position: usize) -> u64 {
        match &self.xids {
            PackXids::Same(xid) => *xid,
            PackXids::Each(all) => {
                let at = self.rank(position) * XID_BYTES;
                all.get(at..at + XID_BYTES).map_or(FROZEN, wide_xid)
            }
        }
    }

    /// The encoded row at a position.
    pub(crate) fn row(&self, position: usize) -> PgResult<Option<Vec<u8>>> {
        if position >= PACK_ROWS as usize || self.present >> position & 1 == 0 {
            return Ok(None);
        }
        let rank = self.rank(position);
        let natts = self.columns.len();
        let mut out = Vec::with_capacity(64);
        out.extend_from_slice(&(natts as u16).to_le_bytes());
        let nulls = out.len();
        out.resize(nulls + natts.div_ceil(8), 0);
        for (number, column) in self.columns.iter().enumerate() {
            match column.values(rank).next(column) {
                Some(raw) => raw?.put(column.is(STRING), &mut out),
                None => out[nulls + number / 8] |= 1 << (number % 8),
            }
        }
        let xid = self.xid(position);
        if xid != FROZEN {
            tuple::put_xid(0, xid, &mut out);
        }
        Ok(Some(out))
    }

    /// Appends the values of a column at positions that all have rows.
    pub(crate) fn append(
        &self,
        column: usize,
        run: std::ops::Range<usize>,
        out: &mut Vector,
    ) -> PgResult<()> {
        let column = self.columns.get(column).ok_or_else(damaged)?;
        let mut values = column.values(self.rank(run.start));
        if !column.is(NULLS) && !column.is(CONSTANT) && column.append(&values, run.len(), out) {
            return Ok(());
        }
        for _ in run {
            match values.next(column).transpose()? {
                Some(raw) => raw.push(out)?,
                None => tuple::push_raw(out, None)?,
            }
        }
        Ok(())
    }
}

struct Column<'a> {
    flags: u8,
    nulls: &'a [u8],
    /// Of fixed width; else `lengths` tells.
    width: usize,
    lengths: &'a [u8],
    values: &'a [u8],
    /// With [`NARROW`].
    narrow: Option<(Narrow, Whole)>,
}

/// What differences stand for.
#[derive(Clone, Copy)]
enum Whole {
    /// Integers of so many bytes.
    Integer(usize),
    /// Numbers of this scale.
    Number(u16),
}

/// A value of a pack.
enum Raw<'a> {
    /// As [`types::tuple`] has it.
    Stored(&'a [u8]),
    Integer(i64, usize),
    Number(i64, u16),
}

impl Raw<'_> {
    fn put(&self, string: bool, out: &mut Vec<u8>) {
        match self {
            Raw::Stored(bytes) => tuple::put_raw(bytes, string, out),
            Raw::Integer(value, width) => out.extend(value.to_le_bytes().iter().take(*width)),
            &Raw::Number(unscaled, scale) => tuple::put_number(&Numeric::Small { unscaled, scale }, out),
        }
    }

    fn push(&self, column: &mut Vector) -> PgResult<()> {
        match self {
            Raw::Stored(bytes) => tuple::push_raw(column, Some(bytes)),
            Raw::Integer(value, width) => {
                let bytes = value.to_le_bytes();
                tuple::push_raw(column, bytes.get(..*width))
            }
            &Raw::Number(unscaled, scale) => {
                let pushed = column.push_numeric(Numeric::Small { unscaled, scale });
                pushed.then_some(()).ok_or_else(damaged)
            }
        }
    }
}

/// The way through a column's values.
struct Values {
    rank: usize,
    /// Number of the next value that is not NULL, and where it begins.
    next: usize,
    at: usize,
}

impl<'a> Column<'a> {
    fn take(bytes: &mut &'a [u8], rows: usize) -> PgResult<Column<'a>> {
        let [flags] = take_array(bytes)?;
        let is = |flag: u8| flags & flag != 0;
        let nulls = take(bytes, if is(NULLS) { rows.div_ceil(8) } else { 0 })?;
        let there = rows - (0..rows).filter(|&i| bit(nulls, i)).count();
        let stored = if is(CONSTANT) { there.min(1) } else { there };
        let mut column = Column {
            flags,
            nulls,
            width: 0,
            lengths: &[],
            values: &[],
            narrow: None,
        };
        let total = if is(NARROW) {
            let whole = match is(NUMBER) {
                true => Whole::Number(u16::from_le_bytes(take_array(bytes)?)),
                false => match take_array(bytes)? {
                    [width @ 1..=8] => Whole::Integer(usize::from(width)),
                    _ => return Err(damaged()),
                },
            };
            let narrow = Narrow::take(take_array(bytes)?).ok_or_else(damaged)?;
            column.narrow = Some((narrow, whole));
            column.width = narrow.bytes();
            column.width * stored
        } else if is(VARIABLE) {
            column.lengths = take(bytes, stored * column.length_bytes())?;
            (0..stored).map(|i| column.length(i)).sum()
        } else {
            let [width] = take_array(bytes)?;
            column.width = usize::from(width);
            column.width * stored
        };
        column.values = take(bytes, total)?;
        Ok(column)
    }

    /// Appends all values of a run at once; false (and nothing done) when they must be looked at one by one.
    fn append(&self, from: &Values, count: usize, out: &mut Vector) -> bool {
        let lengths = (from.next..from.next + count).map(|i| self.length(i));
        let bytes: usize = lengths.clone().sum();
        let Some(bytes) = self.values.get(from.at..from.at + bytes) else {
            return false;
        };
        match (self.narrow, out.phys()) {
            (Some((narrow, Whole::Integer(width))), phys) => {
                return integer_width(phys) == Some(width) && narrow.append_integers(bytes, width, out);
            }
            (Some((narrow, Whole::Number(scale))), PhysType::Numeric) => {
                narrow.append_numbers(bytes, scale, out);
                return true;
            }
            (Some(_), _) => return false,
            (None, _) => {}
        }
        match self.is(STRING) {
            true => out.extend_strings(bytes, lengths),
            false if self.is(VARIABLE) => false,
            false => usize::from(width_of(out.phys()).unwrap_or(0)) == self.width && out.extend_stored(bytes),
        }
    }

    fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Bytes that say how long a value is.
    fn length_bytes(&self) -> usize {
        match (self.is(WIDE), self.is(SHORT)) {
            (true, _) => 4,
            (_, true) => 1,
            _ => 2,
        }
    }

    fn length(&self, i: usize) -> usize {
        if !self.is(VARIABLE) || self.narrow.is_some() {
            return self.width;
        }
        if self.is(WIDE) {
            let at = self.lengths.get(i * 4..).and_then(|l| l.first_chunk());
            return at.map_or(0, |l| u32::from_le_bytes(*l) as usize);
        }
        if self.is(SHORT) {
            return self.lengths.get(i).map_or(0, |len| usize::from(*len));
        }
        let at = self.lengths.get(i * 2..).and_then(|l| l.first_chunk());
        at.map_or(0, |l| usize::from(u16::from_le_bytes(*l)))
    }

    fn whole<'v>(&self, stored: &'v [u8]) -> Raw<'v> {
        match self.narrow {
            None => Raw::Stored(stored),
            Some((narrow, Whole::Integer(width))) => Raw::Integer(narrow.value(stored), width),
            Some((narrow, Whole::Number(scale))) => Raw::Number(narrow.value(stored), scale),
        }
    }

    /// The way from the row of this rank on.
    fn values(&self, rank: usize) -> Values {
        let next = match self.is(NULLS) {
            true => rank - (0..rank).filter(|&i| bit(self.nulls, i)).count(),
            false => rank,
        };
        let at = match (self.is(CONSTANT), self.is(VARIABLE)) {
            (true, _) => 0,
            (false, false) => next * self.width,
            (false, true) => (0..next).map(|i| self.length(i)).sum(),
        };
        Values { rank, next, at }
    }
}

impl Values {
    /// The next row's value; None for NULL.
    fn next<'a>(&mut self, column: &Column<'a>) -> Option<PgResult<Raw<'a>>> {
        let rank = self.rank;
        self.rank += 1;
        if column.is(NULLS) && bit(column.nulls, rank) {
            return None;
        }
        if column.is(CONSTANT) {
            return Some(Ok(column.whole(column.values)));
        }
        let len = column.length(self.next);
        let value = column.values.get(self.at..self.at + len);
        self.next += 1;
        self.at += len;
        Some(value.map(|stored| column.whole(stored)).ok_or_else(damaged))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use types::{Datum, Interval};

    use super::*;

    const COLUMNS: [PhysType; 8] = [
        PhysType::Int8,
        PhysType::Int4,
        PhysType::Text,
        PhysType::Numeric,
        PhysType::Bool,
        PhysType::Interval,
        PhysType::Bytes,
        PhysType::Nested,
    ];

    fn value(phys: PhysType, n: u16) -> Datum {
        let n = n % 5;
        match phys {
            _ if n == 4 => Datum::Null,
            PhysType::Int8 => Datum::Int8([i64::MIN, -3, 1 << 50, i64::MAX][usize::from(n)]),
            PhysType::Int4 => Datum::Int4(i32::from(n) - 1),
            PhysType::Text => Datum::text("ab".repeat(usize::from(n) * 9)),
            PhysType::Numeric => {
                Datum::Numeric(types::numeric::parse(&format!("{n}.50"), "numeric").unwrap())
            }
            PhysType::Bool => Datum::Bool(n == 1),
            PhysType::Interval => Datum::Interval(Interval {
                micros: i64::from(n),
                days: 1,
                months: -2,
            }),
            PhysType::Bytes => Datum::Bytes(vec![255; usize::from(n)].into()),
            _ => Datum::Array(
                types::ArrayValue::from_elements(common::Oid(23), vec![Datum::Int4(i32::from(n))]).into(),
            ),
        }
    }

    fn row(seed: u16, xid: u64) -> Vec<u8> {
        let values: Vec<Datum> = COLUMNS
            .iter()
            .enumerate()
            .map(|(i, phys)| value(*phys, seed >> (2 * i)))
            .collect();
        let mut out = Vec::new();
        tuple::encode(&values, &mut out);
        if xid > FROZEN {
            tuple::put_xid(0, xid, &mut out);
        }
        out
    }

    proptest! {
        #[test]
        fn rows_come_back_as_they_were(
            seeds in prop::collection::btree_map(0_usize..128, any::<u16>(), 1..128),
            xids in 0_u64..4,
            same in any::<bool>(),
        ) {
            let rows: Vec<(usize, Vec<u8>)> = seeds
                .iter()
                .map(|(p, seed)| (*p, row(if same { 7 } else { *seed }, xids * (*p as u64 % 2 + 2))))
                .collect();
            let slices: Vec<(usize, &[u8])> = rows.iter().map(|(p, r)| (*p, r.as_slice())).collect();
            let bytes = encode(&slices, &COLUMNS).unwrap().unwrap();
            let pack = Pack::open(&bytes).unwrap();
            prop_assert_eq!(pack.positions().collect::<Vec<_>>(), seeds.keys().copied().collect::<Vec<_>>());
            prop_assert_eq!(reach(&bytes).unwrap() as usize, seeds.keys().max().unwrap() + 1);
            for position in 0..128 {
                let there = rows.iter().find(|(p, _)| *p == position).map(|(_, r)| r.clone());
                prop_assert_eq!(pack.row(position).unwrap(), there);
            }
            let mut from = 0;
            let mut columns: Vec<Vector> = COLUMNS.iter().map(|p| Vector::empty(*p)).collect();
            while let Some(run) = pack.run(from, 128) {
                from = run.end;
                for (number, column) in columns.iter_mut().enumerate() {
                    pack.append(number, run.clone(), column).unwrap();
                }
            }
            for (i, (_, bytes)) in rows.iter().enumerate() {
                let mut values = Vec::new();
                tuple::decode(bytes, &COLUMNS, &[], &mut values).unwrap();
                let back: Vec<Datum> = columns.iter().map(|c| c.datum(i)).collect();
                prop_assert_eq!(values, back);
            }
        }

        #[test]
        fn damage_is_an_error(cut in 0_usize..400, flip in 0_usize..400, with in 1_u8..) {
            let rows: Vec<Vec<u8>> = (0..9).map(|i| row(i * 77, 9)).collect();
            let slices: Vec<(usize, &[u8])> = rows.iter().enumerate().map(|(p, r)| (p * 3, r.as_slice())).collect();
            let mut bytes = encode(&slices, &COLUMNS).unwrap().unwrap();
            let cut = cut % bytes.len();
            prop_assert!(Pack::open(&bytes[..cut]).is_err());
            let at = flip % bytes.len();
            bytes[at] ^= with;
            // Whatever comes out, it comes out.
            if let Ok(pack) = Pack::open(&bytes) {
                for position in 0..128 {
                    let _ = pack.row(position);
                }
            }
        }
    }

    /// Integers, numbers and strings of format 1, as programs before format version 8 wrote them.
    #[test]
    fn older_packs_are_read() {
        let mut bytes = vec![1];
        bytes.extend_from_slice(&3_u128.to_le_bytes());
        bytes.extend_from_slice(&[0, 3, 0]);
        bytes.extend_from_slice(&[0, 4, 1, 0, 0, 0, 254, 255, 255, 255]);
        bytes.extend_from_slice(&[VARIABLE, 3, 0, 3, 0, 0, 2, 100, 0, 2, 99]);
        bytes.extend_from_slice(&[VARIABLE | STRING, 1, 0, 2, 0, b'a', b'b', b'c']);
        let columns = [PhysType::Int4, PhysType::Numeric, PhysType::Text];
        let pack = Pack::open(&bytes).unwrap();
        let number = |text| Datum::Numeric(types::numeric::parse(text, "numeric").unwrap());
        let expected = [
            [Datum::Int4(1), number("0.50"), Datum::text("a")],
            [Datum::Int4(-2), number("-0.50"), Datum::text("bc")],
        ];
        for (position, row) in expected.iter().enumerate() {
            let mut found = Vec::new();
            let stored = pack.row(position).unwrap().unwrap();
            tuple::decode(&stored, &columns, &[], &mut found).unwrap();
            assert_eq!(found, row);
        }
    }

    #[test]
    fn keys_lie_before_their_rows() {
        for first in [0, 128, 1 << 40] {
            let key = pack_key(RowId(first));
            assert_eq!(StoredKey::of(&key), Some(StoredKey::Pack(RowId(first))));
            assert!(*key < first.to_be_bytes()[..]);
            if first > 0 {
                assert!(*key > (first - 1).to_be_bytes()[..]);
            }
        }
        assert_eq!(StoredKey::of(&[0, 1]), None);
        assert_eq!(StoredKey::of(&[0; 9]), None);
    }
}
