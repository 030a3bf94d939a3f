//! Small keys of several columns as one number: grouping by a few short texts and integers.
//!
//! # How it works
//! Every column has its share of 63 bits: integers that fit it, texts with their length and bytes. Rows with other keys, and NULLs, have no
//! number. Rows with one number have equal keys, so the numbers serve as a quick index into a table that knows how to compare them.

use std::sync::Arc;

use types::{PhysType, Selection, Vector, VectorData, oids};

use crate::keys::{EqualKeys, Equality, without_padding};

/// Stands for no number.
pub(crate) const NONE: u64 = u64::MAX;

/// How the columns of a key become a number.
pub(crate) struct Packer {
    columns: Vec<(usize, Kind)>,
    bits: u32,
}

#[derive(Clone, Copy)]
enum Kind {
    Integer,
    Text,
    /// `bpchar`: without the blanks at its end.
    Padded,
}

impl Packer {
    /// `None` for keys that cannot be packed, or that one integer says.
    pub fn new(keys: &EqualKeys, input: &[PhysType]) -> Option<Packer> {
        let kind = |(column, equality): &(usize, Equality)| {
            let phys = input.get(*column)?;
            let kind = match (phys, equality) {
                (PhysType::Text, Equality::Direct(oids::BPCHAR)) => Kind::Padded,
                (PhysType::Text, Equality::Direct(_)) => Kind::Text,
                (PhysType::Int2 | PhysType::Int4 | PhysType::Int8, Equality::Direct(_)) => Kind::Integer,
                _ => return None,
            };
            Some((*column, kind))
        };
        let columns: Vec<_> = keys.columns.iter().map(kind).collect::<Option<_>>()?;
        match columns[..] {
            [] | [(_, Kind::Integer)] => None,
            _ if columns.len() > 4 => None,
            _ => Some(Packer {
                bits: 63 / columns.len() as u32,
                columns,
            }),
        }
    }

    /// The numbers of the selected rows, and how many rows have none.
    pub fn pack(&self, columns: &[Arc<Vector>], sel: &Selection, out: &mut Vec<u64>) -> usize {
        out.clear();
        out.resize(sel.len(), 0);
        for (column, kind) in &self.columns {
            self.add(&columns[*column], *kind, sel, out);
        }
        out.iter().filter(|n| **n == NONE).count()
    }

    fn add(&self, column: &Vector, kind: Kind, sel: &Selection, out: &mut [u64]) {
        let bits = self.bits;
        let nulls = column.may_have_nulls();
        let each = |out: &mut [u64], code: &dyn Fn(usize) -> Option<u64>| {
            for (slot, i) in out.iter_mut().zip(sel.iter()) {
                let code = match nulls && column.is_null(i) {
                    true => None,
                    false => code(column.index(i)),
                };
                *slot = match (*slot, code) {
                    (before, Some(code)) if before != NONE => before << bits | code,
                    _ => NONE,
                };
            }
        };
        let integer = |v: i64| {
            let code = v.wrapping_add(1 << (bits - 1)) as u64;
            (code >> bits == 0).then_some(code)
        };
        if let (Some((codes, words)), true) = (column.dictionary(), matches!(kind, Kind::Text | Kind::Padded))
        {
            let code = |word: usize| match kind {
                Kind::Padded => text_code(without_padding(words.bytes(word)), bits),
                _ => text_code(words.bytes(word), bits),
            };
            let known: Vec<Option<u64>> = (0..words.len()).map(code).collect();
            return each(out, &|i| known[usize::from(codes[i])]);
        }
        match (column.data(), kind) {
            (VectorData::Int2(d), _) => each(out, &|i| integer(i64::from(d[i]))),
            (VectorData::Int4(d), _) => each(out, &|i| integer(i64::from(d[i]))),
            (VectorData::Int8(d), _) => each(out, &|i| integer(d[i])),
            (VectorData::Text(s), Kind::Padded) => {
                each(out, &|i| text_code(without_padding(s.bytes(i)), bits));
            }
            (VectorData::Text(s), _) => each(out, &|i| text_code(s.bytes(i), bits)),
            _ => out.fill(NONE),
        }
    }
}

/// The length in four bits, then the bytes.
#[inline]
fn text_code(bytes: &[u8], bits: u32) -> Option<u64> {
    if bytes.len() as u32 * 8 + 4 > bits {
        return None;
    }
    let code = bytes.iter().fold(0, |code, b| code << 8 | u64::from(*b));
    Some(code << 4 | bytes.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Datum;

    #[test]
    fn numbers_tell_keys_apart() {
        let texts = ["", "a", "ab", "abc", "b", "b  ", "abcd"].map(Datum::text);
        let numbers = [0, 1, -1, 1 << 29, -(1 << 29), 1 << 40].map(Datum::Int8);
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for t in texts.iter().chain([&Datum::Null]) {
            for n in numbers.iter().chain([&Datum::Null]) {
                left.push(t.clone());
                right.push(n.clone());
            }
        }
        let columns = [
            Arc::new(Vector::from_datums(PhysType::Text, &left)),
            Arc::new(Vector::from_datums(PhysType::Int8, &right)),
        ];
        for text in [oids::TEXT, oids::BPCHAR] {
            let keys = EqualKeys {
                columns: vec![(0, Equality::Direct(text)), (1, Equality::Direct(oids::INT8))],
            };
            let mut out = Vec::new();
            let packer = Packer::new(&keys, &[PhysType::Text, PhysType::Int8]);
            let none = packer.map(|p| p.pack(&columns, &Selection::All(left.len()), &mut out));
            // Six texts of up to three bytes (or with blanks), five numbers of up to 31 bits.
            assert_eq!(none, Some(left.len() - 30), "{text}");
            let mut known: Vec<u64> = out.into_iter().filter(|n| *n != NONE).collect();
            known.sort_unstable();
            known.dedup();
            assert_eq!(known.len(), if text == oids::TEXT { 30 } else { 25 });
        }
    }
}
