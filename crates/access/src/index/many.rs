//! Lookups of many full keys at once: the inner sides of nested loops.
//!
//! # How it works
//! A lookup is a chain of cache misses, each of which must be there before the next: directory, leaf, heads, key. Those of different keys do not
//! depend on each other. So some keys go through each step together, and their searches through the leaves' heads take turns.

use common::{PgResult, RowId};
use smallvec::SmallVec;
use txn::Snapshot;
use types::Datum;

use crate::index::Index;
use crate::index::leaf::{self, Leaf};
use crate::index::store::entry_row;

/// Keys that are searched for side by side: about as many cache misses as a processor waits for at a time.
const SIDE_BY_SIDE: usize = 8;

/// Encoded full keys of one index, one behind the other.
#[derive(Debug, Default)]
pub struct KeyList {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    scratch: Vec<u8>,
}

impl KeyList {
    /// Forgets them all.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Adds the key of these values.
    pub fn push(&mut self, index: &Index, values: &[Datum]) {
        index.encode_prefix(values, &mut self.scratch);
        self.bytes.extend_from_slice(&self.scratch);
        self.ends.push(self.bytes.len());
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends
            .iter()
            .map(move |&end| &self.bytes[std::mem::replace(&mut start, end)..end])
    }
}

impl Index {
    /// [`Index::lookup`] for each of the keys, appended to `out`.
    pub fn lookup_many(
        &self,
        snapshot: &Snapshot,
        keys: &KeyList,
        out: &mut Vec<Option<RowId>>,
    ) -> PgResult<()> {
        let before = out.len();
        if !self.look_up_quietly(snapshot, keys, out)? {
            out.truncate(before);
            for key in keys.iter() {
                out.push(self.lookup(snapshot, key)?);
            }
        }
        Ok(())
    }

    /// False where it takes more than looking at loaded leaves: entries in delta, gates, marks, leaves to be read.
    fn look_up_quietly(
        &self,
        snapshot: &Snapshot,
        keys: &KeyList,
        out: &mut Vec<Option<RowId>>,
    ) -> PgResult<bool> {
        if snapshot.serial != 0 || !self.store.is_quiet() {
            return Ok(false);
        }
        let directory = self.store.directory.load_full();
        let mut retired = false;
        let mut all = keys.iter().peekable();
        while all.peek().is_some() {
            let some: SmallVec<[&[u8]; SIDE_BY_SIDE]> = all.by_ref().take(SIDE_BY_SIDE).collect();
            let mut leaves: SmallVec<[&Leaf; SIDE_BY_SIDE]> = SmallVec::new();
            for key in &some {
                let Ok(leaf) = directory.find(key) else {
                    return Ok(false);
                };
                leaf.touch();
                leaves.push(leaf);
            }
            let places = leaf::lower_bounds(&leaves, &some);
            for ((leaf, key), at) in leaves.iter().zip(&some).zip(places) {
                let entry = (at < leaf.len()).then(|| leaf.key(at));
                let ends_here = leaf.high.as_ref().is_none_or(|high| !high.starts_with(key));
                match entry.filter(|entry| entry.starts_with(key)) {
                    Some(entry) => out.push(Some(entry_row(entry)?)),
                    None if at < leaf.len() || ends_here => out.push(None),
                    None => return Ok(false),
                }
                retired |= leaf.is_retired();
            }
        }
        // What came into delta since, no snapshot of before sees; what left it, the leaves may lack.
        Ok(self.store.is_quiet() && (!retired || self.store.directory.load().epoch == directory.epoch))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::index::store::EntryKey;

    #[test]
    fn searches_side_by_side_find_what_single_ones_do() {
        let mut seed = 9_u64;
        let mut next = move |below: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for round in 0..300 {
            let text = |n: u64| match round % 3 {
                0 => n.to_be_bytes().to_vec(),
                1 => format!("a common beginning {n:04} and more").into_bytes(),
                _ => vec![(n / 7) as u8; n as usize % 7 + 1],
            };
            let leaves: Vec<Leaf> = (0..5)
                .map(|_| {
                    let mut keys: Vec<Vec<u8>> = (0..next(40)).map(|_| text(next(200))).collect();
                    keys.sort();
                    keys.dedup();
                    let mut leaf = Leaf::new(EntryKey::new(), None);
                    keys.iter().for_each(|key| leaf.push(key, &[]));
                    leaf
                })
                .collect();
            let wanted: Vec<(usize, Vec<u8>)> = (0..SIDE_BY_SIDE)
                .map(|_| (next(5) as usize, text(next(210))))
                .collect();
            let some: Vec<&Leaf> = wanted.iter().map(|(leaf, _)| &leaves[*leaf]).collect();
            let keys: Vec<&[u8]> = wanted.iter().map(|(_, key)| key.as_slice()).collect();
            for count in [SIDE_BY_SIDE, 3, 0] {
                let places = leaf::lower_bounds(&some[..count], &keys[..count]);
                let single = some
                    .iter()
                    .zip(&keys)
                    .take(count)
                    .map(|(leaf, key)| leaf.lower_bound(key));
                assert!(places.iter().copied().eq(single), "{places:?} {wanted:?}");
            }
        }
    }
}
