//! Packed entries: what a bulk build writes, some hundred entries as one value of the KV store.
//!
//! # Format
//! A keyspace of its own beside the index's ([`keyspace`]). Key: the first entry's key. Value: a byte for the format (1), then the
//! entries in order: varints for how many first bytes the key shares with the one before, for the length of its rest, and for the
//! length of the value; then the rest of the key, then the value.
//!
//! # Invariants
//! - Packs are written while nobody else sees their index, by entries that a gate hides ([`super::ahead`], [`super::fold`]), or by entries that are
//!   in delta as well ([`super::bundle`]); they change under all latches, and do not overlap.
//! - An entry under its own key counts more than the one in a pack; where one was taken out of a pack, there is
//!   [`TOMBSTONE`](crate::index::store::TOMBSTONE).

use std::ops::{Bound, ControlFlow};

use common::{PgResult, RelationId, pg_err};
use kv::{Direction, Keyspace};

use crate::ahead::heirs;
use crate::index::store::{EntryKey, IndexStore};
use crate::transaction::redo::{put_varint, take_varint};

/// Entries of a pack, as many as a leaf is read with.
const PACK_ENTRIES: usize = 256;
/// Entries up to which a pack may grow before it is cut.
const PACK_ENTRIES_MAX: usize = 384;
/// Bytes after which a pack of long entries ends.
const PACK_BYTES: usize = 16 << 10;
const FORMAT: u8 = 1;
/// Relation ids are below this.
const PACKS: u64 = 1 << 63;

/// Where an index's packs are.
pub(crate) fn keyspace(id: RelationId) -> Keyspace {
    Keyspace(id.0 | PACKS)
}

/// The relation of a keyspace of any kind.
pub(crate) fn relation_of(keyspace: Keyspace) -> RelationId {
    RelationId(keyspace.0 & !(PACKS | heirs::HEIRS))
}

fn damaged() -> Box<common::PgError> {
    pg_err!(INDEX_CORRUPTED, "index entries are damaged")
}

/// Collects entries, ascending, for one pack after the other.
pub(crate) struct PackWriter {
    first: EntryKey,
    last: EntryKey,
    entries: usize,
    entries_max: usize,
    bytes_max: usize,
    bytes: Vec<u8>,
}

impl Default for PackWriter {
    fn default() -> PackWriter {
        PackWriter {
            first: EntryKey::new(),
            last: EntryKey::new(),
            entries: 0,
            entries_max: PACK_ENTRIES,
            bytes_max: PACK_BYTES,
            bytes: Vec::new(),
        }
    }
}

impl PackWriter {
    /// For what is left of one pack, which stays one: without some entries the others may take more bytes than before.
    pub(crate) fn whole() -> PackWriter {
        PackWriter {
            entries_max: usize::MAX,
            bytes_max: usize::MAX,
            ..PackWriter::default()
        }
    }

    /// For so many entries: packs of about the same size, perhaps one that is a little too large.
    pub(crate) fn even(entries: usize) -> PackWriter {
        let packs = match entries {
            ..=PACK_ENTRIES_MAX => 1,
            _ => entries.div_ceil(PACK_ENTRIES),
        };
        PackWriter {
            entries_max: entries.div_ceil(packs).max(1),
            ..PackWriter::default()
        }
    }

    /// Adds an entry; a pack that was full before it: its key and its value.
    pub(crate) fn push(&mut self, key: &[u8], value: &[u8]) -> Option<(EntryKey, Vec<u8>)> {
        let full = self.entries == self.entries_max || self.bytes.len() > self.bytes_max;
        let pack = if full { self.take() } else { None };
        if self.entries == 0 {
            self.first = EntryKey::from_slice(key);
            self.bytes.push(FORMAT);
            self.last.clear();
        }
        let shared = self.last.iter().zip(key).take_while(|(a, b)| a == b).count();
        put_varint(shared as u64, &mut self.bytes);
        put_varint((key.len() - shared) as u64, &mut self.bytes);
        put_varint(value.len() as u64, &mut self.bytes);
        self.bytes.extend_from_slice(&key[shared..]);
        self.bytes.extend_from_slice(value);
        self.last.truncate(shared);
        self.last.extend_from_slice(&key[shared..]);
        self.entries += 1;
        pack
    }

    /// What is left.
    pub(crate) fn take(&mut self) -> Option<(EntryKey, Vec<u8>)> {
        let some = std::mem::take(&mut self.entries) > 0;
        some.then(|| (std::mem::take(&mut self.first), std::mem::take(&mut self.bytes)))
    }
}

/// Visits the entries of a stored pack, ascending.
pub(crate) fn each_entry(mut bytes: &[u8], visit: &mut dyn FnMut(&[u8], &[u8])) -> PgResult<()> {
    let Some((&FORMAT, rest)) = bytes.split_first() else {
        return Err(damaged());
    };
    bytes = rest;
    let mut key = EntryKey::new();
    while !bytes.is_empty() {
        let mut number = || -> PgResult<usize> {
            let number = take_varint(&mut bytes).map_err(|_| damaged())?;
            usize::try_from(number).map_err(|_| damaged())
        };
        let (shared, rest, len) = (number()?, number()?, number()?);
        let (own, tail) = bytes.split_at_checked(rest).ok_or_else(damaged)?;
        let (value, tail) = tail.split_at_checked(len).ok_or_else(damaged)?;
        if shared > key.len() {
            return Err(damaged());
        }
        key.truncate(shared);
        key.extend_from_slice(own);
        visit(&key, value);
        bytes = tail;
    }
    Ok(())
}

/// A stored pack without the entries whose keys are `gone`: how many that are, and what is left, if something is.
pub(super) fn without(
    bytes: &[u8],
    gone: &mut dyn FnMut(&[u8]) -> PgResult<bool>,
) -> PgResult<(usize, Option<Vec<u8>>)> {
    let (mut writer, mut count, mut outcome) = (PackWriter::whole(), 0, Ok(()));
    each_entry(bytes, &mut |key, value| match gone(key) {
        Ok(true) => count += 1,
        Ok(false) => drop(writer.push(key, value)),
        Err(error) => outcome = Err(error),
    })?;
    outcome?;
    Ok((count, writer.take().map(|(_, rest)| rest)))
}

/// A pack as it was found.
pub(crate) struct FoundPack {
    /// The first entry's key.
    pub(crate) first: EntryKey,
    bytes: Vec<u8>,
}

impl FoundPack {
    /// Its last entry's key.
    pub(crate) fn last(&self) -> PgResult<Option<EntryKey>> {
        let mut last = None;
        each_entry(&self.bytes, &mut |key, _| {
            let last = last.get_or_insert_with(EntryKey::new);
            last.clear();
            last.extend_from_slice(key);
        })?;
        Ok(last)
    }

    /// Its entries from `low` on, up to `high`.
    pub(crate) fn entries(
        &self,
        low: &[u8],
        high: Option<&EntryKey>,
    ) -> PgResult<Vec<(EntryKey, Box<[u8]>)>> {
        let mut out = Vec::new();
        each_entry(&self.bytes, &mut |key, value| {
            if key >= low && high.is_none_or(|high| key < high.as_slice()) {
                out.push((EntryKey::from_slice(key), value.into()));
            }
        })?;
        Ok(out)
    }
}

impl IndexStore {
    /// The pack whose range a key lies in: the last that begins at it or before it, or with `below` before it; without a key, the last.
    pub(crate) fn pack_of(&self, key: Option<&[u8]>, below: bool) -> PgResult<Option<FoundPack>> {
        let high = match key {
            Some(key) if below => Bound::Excluded(key),
            Some(key) => Bound::Included(key),
            None => Bound::Unbounded,
        };
        let mut found = None;
        self.shared.kv.range(
            keyspace(self.id),
            (Bound::Unbounded, high),
            Direction::Backward,
            &mut |first, bytes| {
                found = Some(FoundPack {
                    first: EntryKey::from_slice(first),
                    bytes: bytes.to_vec(),
                });
                ControlFlow::Break(())
            },
        )?;
        Ok(found)
    }

    /// Where the pack after one begins (None: the first).
    pub(crate) fn next_pack(&self, after: Option<&FoundPack>) -> PgResult<Option<EntryKey>> {
        let low = after.map_or(Bound::Unbounded, |pack| Bound::Excluded(pack.first.as_slice()));
        let mut found = None;
        self.shared.kv.range(
            keyspace(self.id),
            (low, Bound::Unbounded),
            Direction::Forward,
            &mut |first, _| {
                found = Some(EntryKey::from_slice(first));
                ControlFlow::Break(())
            },
        )?;
        Ok(found)
    }
}

/// Answers whether packs have entries, one after the other in ascending order.
pub(crate) struct PackedKeys<'s> {
    store: &'s IndexStore,
    /// The keys of the pack looked at last, and the range they stand for.
    keys: Vec<EntryKey>,
    low: EntryKey,
    high: Option<EntryKey>,
    read: bool,
}

impl<'s> PackedKeys<'s> {
    pub(crate) fn of(store: &'s IndexStore) -> PackedKeys<'s> {
        PackedKeys {
            store,
            keys: Vec::new(),
            low: EntryKey::new(),
            high: None,
            read: false,
        }
    }

    /// Where the pack begins that was looked at last.
    pub(crate) fn first(&self) -> &EntryKey {
        &self.low
    }

    pub(crate) fn contains(&mut self, key: &EntryKey) -> PgResult<bool> {
        let known = self.read && *key >= self.low && self.high.as_ref().is_none_or(|high| key < high);
        if !known {
            let pack = self.store.pack_of(Some(key), false)?;
            self.high = self.store.next_pack(pack.as_ref())?;
            self.keys.clear();
            self.low.clear();
            if let Some(pack) = &pack {
                each_entry(&pack.bytes, &mut |key, _| {
                    self.keys.push(EntryKey::from_slice(key))
                })?;
                self.low = pack.first.clone();
            }
            self.read = true;
        }
        Ok(self.keys.binary_search(key).is_ok())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn entries_come_back_in_order() {
        let entries: Vec<(Vec<u8>, Vec<u8>)> = (0..1000_u32)
            .map(|i| {
                (
                    format!("{:05}", i * 7).into_bytes(),
                    vec![1; (i % 3) as usize * 90],
                )
            })
            .collect();
        let mut writer = PackWriter::default();
        let mut packs: Vec<_> = entries.iter().filter_map(|(k, v)| writer.push(k, v)).collect();
        packs.extend(writer.take());
        assert!(packs.len() > 4 && writer.take().is_none());
        let mut back = Vec::new();
        for (first, bytes) in &packs {
            let begin = back.len();
            each_entry(bytes, &mut |k, v| back.push((k.to_vec(), v.to_vec()))).unwrap();
            assert_eq!(back[begin].0, first.to_vec());
            for cut in [0, 1, bytes.len() / 2] {
                let _ = each_entry(&bytes[..cut], &mut |_, _| {});
            }
        }
        assert_eq!(back, entries);
        assert!(each_entry(&[FORMAT, 200], &mut |_, _| {}).is_err());
        assert!(each_entry(&[FORMAT, 1, 0, 0], &mut |_, _| {}).is_err());
    }
}
