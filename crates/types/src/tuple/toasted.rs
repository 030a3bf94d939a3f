//! Rows some of whose strings lie elsewhere.
//!
//! What says where means something to whoever put it there. To readers that do not ask for it the attribute is an error.

use std::sync::Arc;

use common::PgResult;

use crate::tuple::{HAS_TOASTED, Reader, TupleReader, corrupt, encode_value, put_bytes, put_plain};
use crate::{Datum, Vector};

/// Positions in the row, ascending, and where the values are.
pub type Toasted = [(u16, Box<[u8]>)];

/// True when some attribute of an encoded row lies elsewhere.
#[inline]
pub fn has_any(bytes: &[u8]) -> bool {
    bytes
        .get(1)
        .is_some_and(|high| high & (HAS_TOASTED >> 8) as u8 != 0)
}

/// Calls `visit` for the attributes of an encoded row that lie elsewhere: position and where.
pub fn each<'a>(bytes: &'a [u8], visit: &mut dyn FnMut(u16, &'a [u8]) -> PgResult<()>) -> PgResult<()> {
    if !has_any(bytes) {
        return Ok(());
    }
    let mut reader = TupleReader::new(bytes)?;
    for position in 0..reader.natts() {
        reader.next = position;
        if let Some(place) = reader.toasted()? {
            visit(position as u16, place)?;
        }
    }
    Ok(())
}

/// The bitmap, the places, and the rest of a row.
pub(super) fn split(bitmap: usize, rest: &[u8]) -> PgResult<(&[u8], &[u8], &[u8])> {
    let (toasted, mut rest) = rest.split_at_checked(bitmap).ok_or_else(corrupt)?;
    let mut reader = Reader {
        bytes: &mut rest,
        depth: 0,
    };
    let places = reader.bytes()?;
    Ok((toasted, places, rest))
}

impl<'a> TupleReader<'a> {
    /// True when some attribute lies elsewhere.
    #[inline]
    pub fn has_toasted(&self) -> bool {
        !self.toasted.is_empty()
    }

    /// Where the next attribute lies, when that is elsewhere; the reader steps over it then.
    #[inline]
    pub fn toasted(&mut self) -> PgResult<Option<&'a [u8]>> {
        if !self.has_toasted() || !self.next_is_toasted() {
            return Ok(None);
        }
        self.place().map(Some)
    }

    pub(super) fn next_is_toasted(&self) -> bool {
        self.next < self.natts && self.is_toasted(self.next)
    }

    fn is_toasted(&self, position: usize) -> bool {
        let byte = self.toasted.get(position / 8);
        byte.is_some_and(|byte| byte >> (position % 8) & 1 == 1)
    }

    fn place(&mut self) -> PgResult<&'a [u8]> {
        let before = (0..self.next).filter(|&i| self.is_toasted(i)).count();
        self.next += 1;
        let mut places = self.places;
        let mut reader = Reader {
            bytes: &mut places,
            depth: 0,
        };
        for _ in 0..before {
            reader.bytes()?;
        }
        reader.bytes()
    }
}

/// As [`crate::tuple::encode`].
pub fn encode(values: &[Datum], toasted: &Toasted, out: &mut Vec<u8>) {
    let is_null = |i: usize| values[i].is_null();
    put_head(values.len(), is_null, toasted, out);
    for (i, value) in values.iter().enumerate() {
        if !is_in(toasted, i) {
            put_plain(value, out);
        }
    }
}

/// As [`crate::tuple::encode_row`].
pub fn encode_row(columns: &[Arc<Vector>], i: usize, toasted: &Toasted, out: &mut Vec<u8>) {
    put_head(columns.len(), |c| columns[c].is_null(i), toasted, out);
    for (number, column) in columns.iter().enumerate() {
        if is_in(toasted, number) || column.is_null(i) {
            continue;
        }
        match column.bytes(i) {
            Some(bytes) => put_bytes(bytes, out),
            None => encode_value(column, i, out),
        }
    }
}

fn is_in(toasted: &Toasted, attribute: usize) -> bool {
    toasted.iter().any(|(at, _)| usize::from(*at) == attribute)
}

fn put_head(natts: usize, is_null: impl Fn(usize) -> bool, toasted: &Toasted, out: &mut Vec<u8>) {
    out.extend_from_slice(&(natts as u16 | HAS_TOASTED).to_le_bytes());
    let (nulls, bytes) = (out.len(), natts.div_ceil(8));
    out.resize(nulls + 2 * bytes, 0);
    for i in 0..natts {
        let bit = 1 << (i % 8);
        if is_in(toasted, i) {
            out[nulls + bytes + i / 8] |= bit;
        } else if is_null(i) {
            out[nulls + i / 8] |= bit;
        }
    }
    let mut places = Vec::new();
    toasted
        .iter()
        .for_each(|(_, place)| put_bytes(place, &mut places));
    put_bytes(&places, out);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::PhysType;
    use crate::tuple::{self, put_xid};

    #[test]
    fn strings_elsewhere_are_told_apart_from_strings_here() {
        let row = [
            Datum::Int4(7),
            Datum::text("here"),
            Datum::Null,
            Datum::Null,
            Datum::Bytes(vec![255].into()),
        ];
        let classes = [
            PhysType::Int4,
            PhysType::Text,
            PhysType::Text,
            PhysType::Text,
            PhysType::Bytes,
        ];
        let toasted: Vec<(u16, Box<[u8]>)> = vec![(2, vec![255, 1].into()), (3, vec![].into())];
        let mut bytes = Vec::new();
        encode(&row, &toasted, &mut bytes);
        put_xid(0, 99, &mut bytes);
        assert!(has_any(&bytes) && tuple::xid(&bytes) == Some(99));
        let columns: Vec<Arc<Vector>> = row
            .iter()
            .zip(classes)
            .map(|(v, c)| Arc::new(Vector::from_datums(c, std::slice::from_ref(v))))
            .collect();
        let mut of_columns = Vec::new();
        encode_row(&columns, 0, &toasted, &mut of_columns);
        put_xid(0, 99, &mut of_columns);
        assert_eq!(bytes, of_columns);
        let mut seen = Vec::new();
        each(&bytes, &mut |at, place| {
            seen.push((at, place.into()));
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, toasted);
        let mut reader = TupleReader::new(&bytes).unwrap();
        for (i, (value, class)) in row.iter().zip(classes).enumerate() {
            match reader.toasted().unwrap() {
                Some(place) => assert_eq!(place, &*toasted[i - 2].1),
                None => assert_eq!(reader.datum(class).unwrap(), *value),
            }
        }
        let mut reader = TupleReader::new(&bytes).unwrap();
        (0..3).for_each(|i| reader.skip(classes[i]).unwrap());
        assert_eq!(reader.toasted().unwrap(), Some(&[][..]));
        assert_eq!(reader.datum(PhysType::Bytes).unwrap(), row[4]);
        for cut in 0..bytes.len() - 6 {
            let read = |reader: &mut TupleReader<'_>| -> PgResult<()> {
                classes
                    .iter()
                    .try_for_each(|class| reader.toasted()?.map_or_else(|| reader.skip(*class), |_| Ok(())))
            };
            assert!(
                TupleReader::new(&bytes[..cut])
                    .and_then(|mut reader| read(&mut reader))
                    .is_err()
            );
        }
        assert!(tuple::decode(&bytes, &classes, &[], &mut Vec::new()).is_err());
        let mut plain = Vec::new();
        tuple::encode(&row, &mut plain);
        assert!(!has_any(&plain));
    }
}
