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

    /// The number of a key.
    #[inline]
    fn get(&self, key: i64) -> Option<u32> {
        match self {
            KeyTable::Hashed(table) => table.get(key),
            KeyTable::Array { least, numbers } => {
                let at = key.wrapping_sub(*least) as usize;
                numbers.get(at).copied().unwrap_or(0).checked_sub(1)
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

/// A set of keys with their numbers, made to turn most others away quickly.
pub(crate) struct KeySet {
    /// A bit for each key of the range, or for hashes.
    bits: Vec<u64>,
    least: i64,
    by_hash: bool,
    table: KeyTable,
    count: u32,
}

/// So many bits for each key, if the range of the keys takes no more.
const BITS_PER_KEY: usize = 64;
/// Or for hashes.
const HASH_BITS_PER_KEY: usize = 16;

impl KeySet {
    /// The set of `keys` but for those numbered in `except` (ascending), and each one's number in the set plus 1; 0 for those.
    pub fn of(keys: &[i64], except: &[u32]) -> (KeySet, Vec<u32>) {
        let known = || {
            let mut except = except.iter().peekable();
            (0..)
                .zip(keys)
                .filter(move |(at, _)| except.next_if_eq(&at).is_none())
        };
        let range = known().fold(None, |range: Option<(i64, i64)>, (_, &key)| match range {
            Some((least, greatest)) => Some((least.min(key), greatest.max(key))),
            None => Some((key, key)),
        });
        let (least, greatest) = range.unwrap_or((0, 0));
        let span = greatest
            .checked_sub(least)
            .and_then(|span| usize::try_from(span).ok());
        let near = span.filter(|span| span / BITS_PER_KEY < keys.len().max(64));
        let bits = match near {
            Some(span) => span + 1,
            None => (keys.len() * HASH_BITS_PER_KEY).next_power_of_two(),
        };
        let mut set = KeySet {
            bits: vec![0; bits.div_ceil(64).next_power_of_two()],
            least,
            by_hash: near.is_none(),
            table: KeyTable::new(keys.len(), range),
            count: 0,
        };
        let mut numbers = vec![0; keys.len()];
        for (at, &key) in known() {
            let number = match set.table.replace(key, set.count) {
                Some(before) => {
                    set.table.replace(key, before);
                    before
                }
                None => {
                    let bit = set.bit(key);
                    set.bits[bit / 64] |= 1 << (bit % 64);
                    set.count += 1;
                    set.count - 1
                }
            };
            numbers[at as usize] = number + 1;
        }
        (set, numbers)
    }

    /// How many different keys there are.
    pub fn count(&self) -> usize {
        self.count as usize
    }

    pub fn memory_bytes(&self) -> usize {
        self.bits.len() * 8 + self.table.memory_bytes()
    }

    /// The bit that stands for a key, and for others.
    #[inline]
    fn bit(&self, key: i64) -> usize {
        let word = match self.by_hash {
            true => hash_u64(key as u64),
            false => key.wrapping_sub(self.least) as u64,
        };
        word as usize & (self.bits.len() * 64 - 1)
    }

    /// Which of the selected rows, whose keys these are, have a key of the set; the keys' numbers into `numbers`.
    pub fn filter(&self, keys: &[i64], except: &[u32], sel: &Selection, numbers: &mut Vec<u32>) -> Selection {
        numbers.clear();
        let mut found: Vec<u16> = vec![0; keys.len()];
        let mut count = 0;
        for (at, &key) in keys.iter().enumerate() {
            let bit = self.bit(key);
            found[count] = at as u16;
            count += (self.bits[bit / 64] >> (bit % 64) & 1) as usize;
        }
        found.truncate(count);
        if !except.is_empty() {
            found.retain(|at| except.binary_search(&u32::from(*at)).is_err());
        }
        found.retain(|&at| {
            let number = self.table.get(keys[usize::from(at)]);
            numbers.extend(number);
            number.is_some()
        });
        match sel {
            Selection::All(rows) if found.len() == *rows => Selection::All(*rows),
            Selection::All(_) => Selection::Rows(found.into()),
            Selection::Rows(rows) => Selection::Rows(found.iter().map(|&at| rows[usize::from(at)]).collect()),
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
    fn sets_of_keys_know_their_members() {
        let near = [7_i64, -3, 7, 90, 12];
        let far = [i64::MIN, 3, i64::MAX, 3, 1 << 40];
        for (keys, count) in [(near, 3), (far, 4)] {
            let (set, numbers) = KeySet::of(&keys, &[1]);
            assert_eq!((numbers[1], set.count()), (0, count));
            let probes: Vec<i64> = (-70..200)
                .chain(keys)
                .chain([i64::MAX, i64::MIN, 1 << 40])
                .collect();
            let except = [5, probes.len() as u32 - 1];
            let mut found = Vec::new();
            let sel = set.filter(&probes, &except, &Selection::All(probes.len()), &mut found);
            let expected = (0..).zip(&probes).filter(|(at, _)| !except.contains(at));
            let expected: Vec<(usize, u32)> = expected
                .filter_map(|(at, probe)| {
                    let known = (0..).zip(&keys).find(|(k, key)| *k != 1 && *key == probe)?;
                    Some((at as usize, numbers[known.0 as usize] - 1))
                })
                .collect();
            assert!(sel.iter().zip(found).eq(expected), "{keys:?}");
        }
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
