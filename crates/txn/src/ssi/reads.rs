//! What a serializable transaction has read: PostgreSQL's SIREAD locks, kept by the reader.
//!
//! # How it works
//! Whole relations, rows, and ranges of index keys (so that gaps are covered: a key that is not there yet falls into the range).
//! Too many rows or ranges of one relation become the whole relation.

use common::RowId;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use std::ops::Bound;

/// Rows of one relation that are remembered one by one.
const ROWS_MAX: usize = 2_048;
/// Ranges of one index that are remembered one by one.
const RANGES_MAX: usize = 512;

/// Something that is about to be read.
#[derive(Clone, Copy, Debug)]
pub enum ReadTarget<'a> {
    /// All rows of a table, those that are not there yet included.
    Relation(u32),
    /// A row.
    Row(u32, RowId),
    /// Index entries from a key on, to below another; `None`: to the end.
    Range(u32, &'a [u8], Option<&'a [u8]>),
}

/// Something that has been written.
#[derive(Clone, Copy, Debug)]
pub enum WriteTarget<'a> {
    /// A new row: who read the whole table missed it.
    Insert(u32),
    /// A row that was changed or deleted.
    Row(u32, RowId),
    /// An index entry that came or went.
    Entry(u32, &'a [u8]),
}

type Key = Box<[u8]>;

/// Sets of what was read, by OID of the relation.
#[derive(Debug, Default)]
pub(super) struct ReadSet {
    relations: FxHashSet<u32>,
    rows: FxHashMap<u32, FxHashSet<u64>>,
    /// From key to end; ranges neither overlap nor touch.
    ranges: FxHashMap<u32, BTreeMap<Key, Option<Key>>>,
}

impl ReadSet {
    pub(super) fn add(&mut self, target: ReadTarget<'_>) {
        match target {
            ReadTarget::Relation(relation) => self.add_relation(relation),
            ReadTarget::Row(relation, row) => {
                if self.relations.contains(&relation) {
                    return;
                }
                let rows = self.rows.entry(relation).or_default();
                rows.insert(row.0);
                if rows.len() > ROWS_MAX {
                    self.add_relation(relation);
                }
            }
            ReadTarget::Range(index, low, high) => {
                if self.relations.contains(&index) || high.is_some_and(|high| high <= low) {
                    return;
                }
                let ranges = self.ranges.entry(index).or_default();
                add_range(ranges, low, high);
                if ranges.len() > RANGES_MAX {
                    self.add_relation(index);
                }
            }
        }
    }

    fn add_relation(&mut self, relation: u32) {
        if self.relations.insert(relation) {
            self.rows.remove(&relation);
            self.ranges.remove(&relation);
        }
    }

    /// As bytes, for the log: lists with their length in front, numbers little-endian.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_u32(self.relations.len(), out);
        self.relations.iter().for_each(|r| put_u32(*r as usize, out));
        put_u32(self.rows.len(), out);
        for (relation, rows) in &self.rows {
            put_u32(*relation as usize, out);
            put_u32(rows.len(), out);
            rows.iter()
                .for_each(|row| out.extend_from_slice(&row.to_le_bytes()));
        }
        put_u32(self.ranges.len(), out);
        for (index, ranges) in &self.ranges {
            put_u32(*index as usize, out);
            put_u32(ranges.len(), out);
            for (low, high) in ranges {
                put_bytes(low, out);
                out.push(u8::from(high.is_some()));
                put_bytes(high.as_deref().unwrap_or_default(), out);
            }
        }
    }

    /// Back from [`ReadSet::encode`]; `None` for damaged bytes.
    pub(super) fn decode(mut bytes: &[u8]) -> Option<ReadSet> {
        let bytes = &mut bytes;
        let mut reads = ReadSet::default();
        for _ in 0..take_u32(bytes)? {
            reads.relations.insert(take_u32(bytes)?);
        }
        for _ in 0..take_u32(bytes)? {
            let rows = reads.rows.entry(take_u32(bytes)?).or_default();
            for _ in 0..take_u32(bytes)? {
                let (row, rest) = bytes.split_first_chunk::<8>()?;
                rows.insert(u64::from_le_bytes(*row));
                *bytes = rest;
            }
        }
        for _ in 0..take_u32(bytes)? {
            let ranges = reads.ranges.entry(take_u32(bytes)?).or_default();
            for _ in 0..take_u32(bytes)? {
                let low = take_bytes(bytes)?;
                let (bounded, rest) = bytes.split_first()?;
                *bytes = rest;
                let high = take_bytes(bytes)?;
                ranges.insert(low, (*bounded != 0).then_some(high));
            }
        }
        bytes.is_empty().then_some(reads)
    }

    /// Forgets details: less memory for a transaction that has ended long ago.
    pub(super) fn coarsen(&mut self) {
        let all: Vec<u32> = self.rows.keys().chain(self.ranges.keys()).copied().collect();
        for relation in all {
            self.add_relation(relation);
        }
    }

    pub(super) fn meets(&self, target: WriteTarget<'_>) -> bool {
        match target {
            WriteTarget::Insert(relation) => self.relations.contains(&relation),
            WriteTarget::Row(relation, row) => {
                self.relations.contains(&relation)
                    || self.rows.get(&relation).is_some_and(|rows| rows.contains(&row.0))
            }
            WriteTarget::Entry(index, key) => {
                self.relations.contains(&index) || self.ranges.get(&index).is_some_and(|r| covers(r, key))
            }
        }
    }

    /// Locks as `pg_locks` shows them: relation and, for a row, which; ranges show as the index.
    pub(super) fn locks(&self) -> Vec<(u32, Option<RowId>)> {
        let whole = self
            .relations
            .iter()
            .chain(self.ranges.keys())
            .map(|r| (*r, None));
        let rows = self.rows.iter();
        let rows = rows.flat_map(|(r, rows)| rows.iter().map(|row| (*r, Some(RowId(*row)))));
        whole.chain(rows).collect()
    }
}

fn put_u32(n: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&(n as u32).to_le_bytes());
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_u32(bytes.len(), out);
    out.extend_from_slice(bytes);
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    let (n, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*n))
}

fn take_bytes(bytes: &mut &[u8]) -> Option<Key> {
    let len = take_u32(bytes)? as usize;
    let (taken, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(taken.into())
}

fn covers(ranges: &BTreeMap<Key, Option<Key>>, key: &[u8]) -> bool {
    let below = ranges.range::<[u8], _>((Bound::Unbounded, Bound::Included(key)));
    let last = below.into_iter().next_back();
    last.is_some_and(|(_, high)| high.as_deref().is_none_or(|high| key < high))
}

fn add_range(ranges: &mut BTreeMap<Key, Option<Key>>, low: &[u8], high: Option<&[u8]>) {
    let (mut low, mut high): (Key, Option<Key>) = (low.into(), high.map(Into::into));
    loop {
        // A range that begins at or before our end, and does not end before our beginning, is taken in.
        let upper = match &high {
            Some(high) => Bound::Included(&**high),
            None => Bound::Unbounded,
        };
        let candidate = ranges.range::<[u8], _>((Bound::Unbounded, upper)).next_back();
        let Some((from, to)) = candidate.filter(|(_, to)| to.as_deref().is_none_or(|to| to >= &*low)) else {
            break;
        };
        let (from, to) = (from.clone(), to.clone());
        ranges.remove(&from);
        low = low.min(from);
        high = match (high, to) {
            (Some(a), Some(b)) => Some(a.max(b)),
            _ => None,
        };
    }
    ranges.insert(low, high);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_merged_and_cover_their_gaps() {
        let mut reads = ReadSet::default();
        let range = |low: &'static [u8], high: Option<&'static [u8]>| ReadTarget::Range(1, low, high);
        reads.add(range(b"b", Some(b"d")));
        reads.add(range(b"f", Some(b"h")));
        let meets = |reads: &ReadSet, key: &[u8]| reads.meets(WriteTarget::Entry(1, key));
        assert!(meets(&reads, b"b") && meets(&reads, b"cc") && !meets(&reads, b"d") && !meets(&reads, b"e"));
        reads.add(range(b"c", Some(b"f")));
        assert!(meets(&reads, b"e") && meets(&reads, b"g") && !meets(&reads, b"h") && !meets(&reads, b"a"));
        assert_eq!(reads.ranges[&1].len(), 1);
        reads.add(range(b"x", None));
        reads.add(range(b"m", Some(b"n")));
        assert!(meets(&reads, b"zzz") && meets(&reads, b"m") && !meets(&reads, b"o"));
        reads.add(range(b"", None));
        assert_eq!(reads.ranges[&1].len(), 1);
    }

    #[test]
    fn reads_survive_the_log_and_damage_is_noticed() {
        let mut reads = ReadSet::default();
        reads.add(ReadTarget::Relation(7));
        reads.add(ReadTarget::Row(8, RowId(1 << 40)));
        reads.add(ReadTarget::Range(9, b"a", Some(b"c")));
        reads.add(ReadTarget::Range(9, b"x", None));
        let mut bytes = Vec::new();
        reads.encode(&mut bytes);
        let Some(again) = ReadSet::decode(&bytes) else {
            panic!("what was written can be read");
        };
        assert!(again.meets(WriteTarget::Insert(7)) && again.meets(WriteTarget::Row(8, RowId(1 << 40))));
        assert!(again.meets(WriteTarget::Entry(9, b"b")) && again.meets(WriteTarget::Entry(9, b"z")));
        assert!(!again.meets(WriteTarget::Entry(9, b"d")) && !again.meets(WriteTarget::Insert(8)));
        for cut in 0..bytes.len() {
            assert!(ReadSet::decode(&bytes[..cut]).is_none());
        }
    }

    #[test]
    fn many_rows_become_their_relation() {
        let mut reads = ReadSet::default();
        for row in 0..=ROWS_MAX as u64 {
            assert!(!reads.meets(WriteTarget::Insert(7)));
            reads.add(ReadTarget::Row(7, RowId(row * 2)));
        }
        assert!(reads.meets(WriteTarget::Insert(7)) && reads.meets(WriteTarget::Row(7, RowId(1))));
        assert!(!reads.meets(WriteTarget::Row(8, RowId(2))));
    }
}
