//! The entries of an index that are in memory: an ordered map that many threads read and change at once.
//!
//! # How it works
//! A skip list over entry keys. Each key goes with its first bytes as a number (its head), which decides nearly all comparisons: a search makes
//! some fifty of them, each at another place in memory, and comparing byte strings there costs more than all the rest of it.

use std::cmp::Ordering;
use std::ops::{Bound, Deref};

use crossbeam_skiplist::SkipMap;
use crossbeam_skiplist::map::{Entry, Iter, Range};

use crate::index::store::{EntryHead, EntryKey};

/// An entry key that compares fast.
pub(crate) struct DeltaKey {
    head: u64,
    key: EntryKey,
}

impl DeltaKey {
    fn new(key: &[u8]) -> DeltaKey {
        DeltaKey {
            head: head_of(key),
            key: EntryKey::from_slice(key),
        }
    }
}

/// Heads are ordered as their keys are, or equal. A key begins with a marker below 3 (`types::key`), which takes two bits and leaves the others to
/// what differs; any other byte string only has to be in order.
fn head_of(key: &[u8]) -> u64 {
    let Some((&marker, rest)) = key.split_first() else {
        return 0;
    };
    if marker >= 3 {
        return u64::MAX;
    }
    let value = match rest.first_chunk::<8>() {
        Some(bytes) => u64::from_be_bytes(*bytes),
        None => {
            let mut bytes = [0; 8];
            bytes[..rest.len()].copy_from_slice(rest);
            u64::from_be_bytes(bytes)
        }
    };
    u64::from(marker) << 62 | value >> 2
}

impl Deref for DeltaKey {
    type Target = EntryKey;

    fn deref(&self) -> &EntryKey {
        &self.key
    }
}

impl Ord for DeltaKey {
    #[inline]
    fn cmp(&self, other: &DeltaKey) -> Ordering {
        match self.head.cmp(&other.head) {
            Ordering::Equal => self.key.as_slice().cmp(other.key.as_slice()),
            unequal => unequal,
        }
    }
}

impl PartialOrd for DeltaKey {
    #[inline]
    fn partial_cmp(&self, other: &DeltaKey) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for DeltaKey {
    #[inline]
    fn eq(&self, other: &DeltaKey) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for DeltaKey {}

/// An entry: its key and the newest of its versions.
pub(crate) type DeltaEntry<'d> = Entry<'d, DeltaKey, EntryHead>;
type Bounds = (Bound<DeltaKey>, Bound<DeltaKey>);

/// The map.
pub(crate) struct EntryDelta(SkipMap<DeltaKey, EntryHead>);

impl EntryDelta {
    pub(crate) fn new() -> EntryDelta {
        EntryDelta(SkipMap::new())
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entry of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<DeltaEntry<'_>> {
        // Nearly all indexes are empty here, and the key need not be made up.
        match self.0.is_empty() {
            true => None,
            false => self.0.get(&DeltaKey::new(key)),
        }
    }

    /// The first entry that is not below a key.
    pub(crate) fn at_or_above(&self, key: &[u8]) -> Option<DeltaEntry<'_>> {
        match self.0.is_empty() {
            true => None,
            false => self.0.lower_bound(Bound::Included(&DeltaKey::new(key))),
        }
    }

    /// The entry of a key, with what `new` says if there is none.
    pub(crate) fn get_or_insert_with(
        &self,
        key: &EntryKey,
        new: impl FnOnce() -> EntryHead,
    ) -> DeltaEntry<'_> {
        self.0.get_or_insert_with(DeltaKey::new(key), new)
    }

    /// All entries, ascending.
    pub(crate) fn iter(&self) -> Iter<'_, DeltaKey, EntryHead> {
        self.0.iter()
    }

    /// The entries between two bounds, from either end. A step back is a search.
    pub(crate) fn range(
        &self,
        (low, high): (Bound<&[u8]>, Bound<&[u8]>),
    ) -> Range<'_, DeltaKey, Bounds, DeltaKey, EntryHead> {
        self.0.range((low.map(DeltaKey::new), high.map(DeltaKey::new)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_their_bytes() {
        let mut keys: Vec<Vec<u8>> = vec![
            vec![],
            vec![0],
            vec![1],
            vec![2],
            vec![3],
            vec![4, 1],
            vec![255; 12],
        ];
        for marker in [0, 1, 2, 3, 9, 255] {
            for at in 1..12 {
                for byte in [0, 1, 3, 4, 128, 255] {
                    let mut key = vec![marker];
                    key.extend((1..at).map(|k| if k % 3 == 0 { 255 } else { 0 }));
                    key.push(byte);
                    keys.push(key);
                }
            }
        }
        for a in &keys {
            for b in &keys {
                assert_eq!(DeltaKey::new(a).cmp(&DeltaKey::new(b)), a.cmp(b), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn searches_find_their_place() {
        let delta = EntryDelta::new();
        assert!(delta.get(b"\x01a").is_none() && delta.at_or_above(b"").is_none());
        for key in [&b"\x01b"[..], b"\x01bb", b"\x01d", b"\x02"] {
            delta.get_or_insert_with(&EntryKey::from_slice(key), EntryHead::empty);
        }
        let above = |key: &[u8]| delta.at_or_above(key).map(|e| e.key().to_vec());
        assert_eq!(above(b"\x01b").as_deref(), Some(&b"\x01b"[..]));
        assert_eq!(above(b"\x01ba").as_deref(), Some(&b"\x01bb"[..]));
        assert_eq!(above(b"\x02\0"), None);
        let between = (Bound::Included(&b"\x01b"[..]), Bound::Excluded(&b"\x01d"[..]));
        assert_eq!(delta.range(between).count(), 2);
        assert_eq!(
            delta.range(between).next_back().unwrap().key().as_slice(),
            b"\x01bb"
        );
    }
}
