//! A hash table from integers to numbers: grouping and joining by one integer key, one memory access a row.

use types::compare::hash_u64;
use types::{Selection, Vector, VectorData};

use crate::keys::Equality;

/// Open addressing; the numbers are the caller's, less than `u32::MAX`.
pub(crate) struct IntTable {
    /// Key and number plus 1; 0 for free.
    slots: Vec<(i64, u32)>,
    used: usize,
}

impl IntTable {
    /// A table with room for `keys` different keys.
    pub fn with_room(keys: usize) -> IntTable {
        IntTable {
            slots: vec![(0, 0); (keys * 2).next_power_of_two().max(64)],
            used: 0,
        }
    }

    pub fn memory_bytes(&self) -> usize {
        self.slots.len() * size_of::<(i64, u32)>()
    }

    /// Where the key is, or the free slot for it.
    #[inline]
    fn slot(&self, key: i64) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = hash_u64(key as u64) as usize & mask;
        loop {
            let (found, number) = self.slots[at];
            if number == 0 || found == key {
                return at;
            }
            at = (at + 1) & mask;
        }
    }

    /// The number of a key.
    #[inline]
    pub fn get(&self, key: i64) -> Option<u32> {
        self.slots[self.slot(key)].1.checked_sub(1)
    }

    /// The number of a key; a new key gets `number`, and `None` is the answer.
    #[inline]
    pub fn get_or_insert(&mut self, key: i64, number: u32) -> Option<u32> {
        let at = self.slot(key);
        let found = self.slots[at].1.checked_sub(1);
        if found.is_none() {
            self.slots[at] = (key, number + 1);
            self.grow();
        }
        found
    }

    /// Gives a key a number; the one that it had.
    pub fn replace(&mut self, key: i64, number: u32) -> Option<u32> {
        let at = self.slot(key);
        let found = self.slots[at].1.checked_sub(1);
        self.slots[at] = (key, number + 1);
        if found.is_none() {
            self.grow();
        }
        found
    }

    /// Counts a new key, and makes room for the next.
    fn grow(&mut self) {
        self.used += 1;
        if self.used * 4 <= self.slots.len() * 3 {
            return;
        }
        let size = self.slots.len() * 2;
        let before = std::mem::replace(&mut self.slots, vec![(0, 0); size]);
        for (key, number) in before {
            if number != 0 {
                let at = self.slot(key);
                self.slots[at] = (key, number);
            }
        }
    }
}

/// Numbers by integer keys that are known beforehand: an array where the keys lie close together, as those of a table made with a
/// sequence do, else a hash table.
pub(crate) enum KeyTable {
    Hashed(IntTable),
    /// The number plus 1 of every key from `least` on; 0 for keys without.
    Array {
        least: i64,
        numbers: Vec<u32>,
    },
}

/// An array may have so many places per key: it takes no more memory then than the hash table would.
const PLACES_PER_KEY: usize = 8;

impl KeyTable {
    /// A table for so many keys in a range.
    pub fn new(keys: usize, range: Option<(i64, i64)>) -> KeyTable {
        let places = range.and_then(|(least, greatest)| {
            let span = usize::try_from(greatest.checked_sub(least)?).ok()?;
            (span / PLACES_PER_KEY < keys.max(64)).then_some((least, span + 1))
        });
        match places {
            Some((least, places)) => KeyTable::Array {
                least,
                numbers: vec![0; places],
            },
            None => KeyTable::Hashed(IntTable::with_room(keys)),
        }
    }

    pub fn memory_bytes(&self) -> usize {
        match self {
            KeyTable::Hashed(table) => table.memory_bytes(),
            KeyTable::Array { numbers, .. } => numbers.len() * 4,
        }
    }

    /// Gives a key of the range a number; the one that it had.
    pub fn replace(&mut self, key: i64, number: u32) -> Option<u32> {
        match self {
            KeyTable::Hashed(table) => table.replace(key, number),
            KeyTable::Array { least, numbers } => {
                let slot = numbers.get_mut(key.wrapping_sub(*least) as usize)?;
                std::mem::replace(slot, number + 1).checked_sub(1)
            }
        }
    }

    /// The numbers of keys, plus 1; 0 for keys without. A loop without dependencies, so that many memory accesses are under way at once.
    pub fn get_all(&self, keys: &[i64], out: &mut Vec<u32>) {
        match self {
            KeyTable::Hashed(table) => out.extend(keys.iter().map(|&key| table.slots[table.slot(key)].1)),
            KeyTable::Array { least, numbers } => out.extend(keys.iter().map(|key| {
                let at = key.wrapping_sub(*least) as usize;
                numbers.get(at).copied().unwrap_or(0)
            })),
        }
    }
}

/// True for a column that is compared as the integers it holds.
pub(crate) fn compares_as_integer(equality: &Equality, column: &Vector) -> bool {
    let plain = matches!(equality, Equality::Direct(_) | Equality::Integers);
    plain
        && matches!(
            column.data(),
            VectorData::Int2(_) | VectorData::Int4(_) | VectorData::Int8(_)
        )
}

/// The selected integers of a column, those of NULLs arbitrary. False for a column of another class.
pub(crate) fn integers(column: &Vector, sel: &Selection, out: &mut Vec<i64>) -> bool {
    out.clear();
    match column.data() {
        VectorData::Int2(d) => out.extend(sel.iter().map(|i| i64::from(d[column.index(i)]))),
        VectorData::Int4(d) => out.extend(sel.iter().map(|i| i64::from(d[column.index(i)]))),
        VectorData::Int8(d) => out.extend(sel.iter().map(|i| d[column.index(i)])),
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_numbers_while_it_grows() {
        let mut table = IntTable::with_room(0);
        for key in 0..5_000_i64 {
            assert_eq!(table.get_or_insert(key * -7, key as u32), None);
        }
        assert_eq!(table.replace(-7, 9), Some(1));
        assert!((2..5_000).all(|key| table.get(key * -7) == Some(key as u32)));
        assert_eq!((table.get(-7), table.get(1)), (Some(9), None));
    }

    #[test]
    fn arrays_and_hash_tables_answer_alike() {
        let keys = [5, -3, 700, 12];
        let range = Some((-3, 700));
        let far = Some((i64::MIN, i64::MAX));
        let probes = [5, 6, -3, -4, 700, 701, i64::MIN, i64::MAX, 12];
        let mut answers = Vec::new();
        for mut table in [
            KeyTable::new(100, range),
            KeyTable::new(4, far),
            KeyTable::new(4, None),
        ] {
            for (number, key) in (0..).zip(keys) {
                assert_eq!(table.replace(key, number), None);
            }
            assert_eq!(table.replace(12, 7), Some(3));
            let mut out = Vec::new();
            table.get_all(&probes, &mut out);
            answers.push(out);
        }
        assert!(matches!(KeyTable::new(100, range), KeyTable::Array { .. }));
        assert!(matches!(KeyTable::new(4, far), KeyTable::Hashed(_)));
        assert!(answers.iter().all(|out| out[..] == [1, 0, 2, 0, 3, 0, 0, 0, 8]));
    }
}
