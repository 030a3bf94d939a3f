//! Integers of a pack as differences from the least of them, in as few bytes as the greatest difference takes.
//!
//! # Format
//! The bytes of a difference (1 to 8), the least value (`i64`, LE), the differences (LE, unsigned). Numbers of one scale have the same with
//! the scale (`u16`, LE) in front.
//!
//! Columns at rest in memory ([`types::Compact`]) are differences, too, but in the widths that a processor reads at once; here any number of bytes
//! will do.

use types::{Numeric, PhysType, Vector, tuple};

use crate::pack::width_of;

/// Values of a column that are to be narrowed.
#[derive(Clone, Copy)]
pub(crate) struct Narrow {
    least: i64,
    bytes: usize,
}

impl Narrow {
    /// None for no values.
    pub(crate) fn of(mut values: impl Iterator<Item = i64>) -> Option<Narrow> {
        let first = values.next()?;
        let (least, greatest) = values.fold((first, first), |(low, high), v| (low.min(v), high.max(v)));
        let spread = greatest.wrapping_sub(least) as u64;
        let bytes = (u64::BITS - spread.leading_zeros()).div_ceil(8).max(1) as usize;
        Some(Narrow { least, bytes })
    }

    /// The same if it takes fewer bytes than values of `width` bytes do.
    pub(crate) fn saving(self, width: usize, count: usize) -> Option<Narrow> {
        let header = 1 + size_of::<i64>();
        (self.bytes * count + header < width * count).then_some(self)
    }

    pub(crate) fn put(self, values: impl Iterator<Item = i64>, out: &mut Vec<u8>) {
        out.push(self.bytes as u8);
        out.extend_from_slice(&self.least.to_le_bytes());
        let difference = |v: i64| v.wrapping_sub(self.least) as u64;
        match self.bytes {
            1 => out.extend(values.map(|v| difference(v) as u8)),
            2 => values.for_each(|v| out.extend_from_slice(&(difference(v) as u16).to_le_bytes())),
            bytes => values.for_each(|v| out.extend_from_slice(&difference(v).to_le_bytes()[..bytes])),
        }
    }

    /// From the first bytes of what [`Narrow::put`] wrote; None when they are damaged.
    pub(crate) fn take([bytes, least @ ..]: [u8; 9]) -> Option<Narrow> {
        matches!(bytes, 1..=8).then_some(Narrow {
            least: i64::from_le_bytes(least),
            bytes: usize::from(bytes),
        })
    }

    /// Bytes of a difference.
    pub(crate) fn bytes(self) -> usize {
        self.bytes
    }

    /// The value of a difference, as it was written.
    pub(crate) fn value(self, difference: &[u8]) -> i64 {
        self.least.wrapping_add(unsigned(difference) as i64)
    }

    fn each(self, differences: &[u8], mut visit: impl FnMut(i64)) {
        match self.bytes {
            1 => differences
                .iter()
                .for_each(|d| visit(self.least.wrapping_add(i64::from(*d)))),
            2 => differences.as_chunks::<2>().0.iter().for_each(|d| {
                visit(self.least.wrapping_add(i64::from(u16::from_le_bytes(*d))));
            }),
            bytes => differences.chunks_exact(bytes).for_each(|d| visit(self.value(d))),
        }
    }

    /// Appends the values of some differences to a column of integers of `width` bytes.
    pub(crate) fn append_integers(self, differences: &[u8], width: usize, out: &mut Vector) -> bool {
        let mut stored = Vec::with_capacity(differences.len() / self.bytes * width);
        match width {
            4 => self.each(differences, |v| {
                stored.extend_from_slice(&(v as i32).to_le_bytes())
            }),
            8 => self.each(differences, |v| stored.extend_from_slice(&v.to_le_bytes())),
            _ => self.each(differences, |v| stored.extend(v.to_le_bytes().iter().take(width))),
        }
        out.extend_stored(&stored)
    }

    /// The same for numbers.
    pub(crate) fn append_numbers(self, differences: &[u8], scale: u16, out: &mut Vector) {
        self.each(differences, |unscaled| {
            out.push_numeric(Numeric::Small { unscaled, scale });
        });
    }
}

/// Bytes of the integers of a class; None for other classes.
pub(crate) fn integer_width(phys: PhysType) -> Option<usize> {
    match phys {
        PhysType::Int2 | PhysType::Int4 | PhysType::Oid | PhysType::Int8 => width_of(phys).map(usize::from),
        _ => None,
    }
}

/// A number of at most 8 bytes (LE).
fn unsigned(bytes: &[u8]) -> u64 {
    let mut all = [0; 8];
    let len = bytes.len().min(8);
    all[..len].copy_from_slice(&bytes[..len]);
    u64::from_le_bytes(all)
}

/// A stored integer of a class that [`integer_width`] knows.
pub(crate) fn integer(phys: PhysType, raw: &[u8]) -> i64 {
    let wide = unsigned(raw) as i64;
    match phys {
        PhysType::Int2 => i64::from(wide as i16),
        PhysType::Int4 => i64::from(wide as i32),
        _ => wide,
    }
}

/// What numbers are apart from their common scale; None if they have none, or are not all small.
pub(crate) fn numbers(stored: &[&[u8]]) -> Option<(u16, Vec<i64>)> {
    let (_, scale) = tuple::small_number(stored.first()?)?;
    let of_scale = |raw: &&[u8]| tuple::small_number(raw).filter(|(_, s)| *s == scale);
    let all: Option<Vec<i64>> = stored.iter().map(|raw| of_scale(raw).map(|(v, _)| v)).collect();
    Some((scale, all?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn integers_come_back() {
        let sets: [&[i64]; 6] = [
            &[5],
            &[0, 255],
            &[-1, 255],
            &[1 << 40, 0],
            &[i64::MIN, i64::MAX, 0],
            &[-70_000, -7],
        ];
        for (values, bytes) in sets.into_iter().zip([1, 1, 2, 6, 8, 3]) {
            let narrow = Narrow::of(values.iter().copied()).unwrap();
            let mut out = Vec::new();
            narrow.put(values.iter().copied(), &mut out);
            let (head, differences) = out.split_first_chunk::<9>().unwrap();
            let back = Narrow::take(*head).unwrap();
            assert_eq!(back.bytes(), bytes);
            let mut column = Vector::empty(PhysType::Int8);
            assert!(back.append_integers(differences, 8, &mut column));
            let found: Vec<i64> = (0..values.len())
                .filter_map(|i| column.datum(i).as_i64())
                .collect();
            assert_eq!(found, values);
            assert_eq!(back.value(&differences[..bytes]), values[0]);
        }
        assert!(Narrow::of(std::iter::empty()).is_none());
        assert!(Narrow::take([0; 9]).is_none() && Narrow::take([9; 9]).is_none());
    }
}
