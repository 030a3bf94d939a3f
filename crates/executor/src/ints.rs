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
}
