//! Entries of an index under construction, sorted within a memory bound.
//!
//! # How it works
//! Entries collect in one buffer, with a slot each that knows where its key lies and carries the key's first eight bytes, which decide
//! most comparisons. A full buffer is sorted and written to a temporary file as a run; at the end the runs are merged. Many slots are
//! divided by their heads first: small parts are sorted faster, and a cancelled statement ends between them.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use common::cancel::CancelToken;
use common::pieces::{self, PIECE_BYTES};
use common::{PgResult, RowId};

use crate::index::store::{entry_prefix, entry_row};
use crate::temp::{TempFile, TempSpace};

/// One entry: key with row id, value, and whether uniqueness concerns it.
pub(super) struct Entry<'e> {
    pub key: &'e [u8],
    pub value: &'e [u8],
    pub checked: bool,
}

/// Where an entry lies in the buffer.
#[derive(Clone, Copy)]
struct Slot {
    /// The first bytes of the key, as a number that compares like them; once sorted, those after the beginning that all keys share.
    head: u64,
    at: usize,
    key_len: u32,
    value_len: u32,
    checked: bool,
}

/// Bytes of an entry in a run before its key: lengths of key and value, and whether it is checked.
const HEADER_BYTES: usize = 9;
/// What is read from a run at once.
const READ_BYTES: usize = 256 << 10;
/// Slots sorted in one go; more are divided by so many bits of their heads.
const SORTED_AT_ONCE: usize = 1 << 14;
const PART_BITS: u32 = 8;
/// What keys have in common beyond this is compared each time.
const COMMON_MAX: usize = 64 << 10;
/// Entries between two looks at the cancel flag.
const ENTRIES_UNCHECKED: usize = 1 << 12;

/// The entries that are in memory.
#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
}

impl Buffer {
    fn push(
        &mut self,
        prefix: &[u8],
        row: RowId,
        value: &[u8],
        checked: bool,
        cancel: &CancelToken,
    ) -> PgResult<()> {
        let at = self.bytes.len();
        pieces::append_bytes(cancel, prefix, &mut self.bytes)?;
        self.bytes.extend_from_slice(&row.0.to_be_bytes());
        let key_len = self.bytes.len() - at;
        self.slots.push(Slot {
            head: head_of(&self.bytes[at..]),
            at,
            key_len: key_len as u32,
            value_len: value.len() as u32,
            checked,
        });
        pieces::append_bytes(cancel, value, &mut self.bytes)
    }

    fn memory(&self) -> usize {
        self.bytes.len() + self.slots.len() * size_of::<Slot>()
    }

    fn key(&self, slot: &Slot) -> &[u8] {
        &self.bytes[slot.at..][..slot.key_len as usize]
    }

    fn entry(&self, slot: &Slot) -> Entry<'_> {
        let (key, rest) = self.bytes[slot.at..].split_at(slot.key_len as usize);
        Entry {
            key,
            value: &rest[..slot.value_len as usize],
            checked: slot.checked,
        }
    }

    fn sort(&mut self, cancel: &CancelToken) -> PgResult<()> {
        let mut slots = std::mem::take(&mut self.slots);
        let common = self.common_beginning(&slots);
        if common > 0 {
            for slot in &mut slots {
                slot.head = head_of(&self.key(slot)[common..]);
            }
        }
        cancel.check()?;
        if !slots.is_sorted_by(|a, b| self.compare(a, b) != Ordering::Greater) {
            slots = self.sorted(slots, cancel)?;
        }
        self.slots = slots;
        Ok(())
    }

    fn compare(&self, a: &Slot, b: &Slot) -> Ordering {
        a.head.cmp(&b.head).then_with(|| self.key(a).cmp(self.key(b)))
    }

    fn sorted(&self, mut slots: Vec<Slot>, cancel: &CancelToken) -> PgResult<Vec<Slot>> {
        cancel.check()?;
        let least = slots.iter().map(|slot| slot.head).min().unwrap_or(0);
        let span = slots.iter().map(|slot| slot.head).max().unwrap_or(0) - least;
        if slots.len() <= SORTED_AT_ONCE || span == 0 {
            slots.sort_unstable_by(|a, b| self.compare(a, b));
            return Ok(slots);
        }
        let shift = (u64::BITS - span.leading_zeros()).saturating_sub(PART_BITS);
        let mut parts: Vec<Vec<Slot>> = Vec::new();
        parts.resize_with(1 << PART_BITS, Vec::new);
        let part = |slot: &Slot| ((slot.head - least) >> shift) as usize;
        let mut counts = vec![0; parts.len()];
        slots.iter().for_each(|slot| counts[part(slot)] += 1);
        parts
            .iter_mut()
            .zip(&counts)
            .for_each(|(part, count)| part.reserve_exact(*count));
        slots.iter().for_each(|slot| parts[part(slot)].push(*slot));
        slots.clear();
        for part in parts {
            slots.extend(self.sorted(part, cancel)?);
        }
        Ok(slots)
    }

    /// How many first bytes all keys share: markers, and leading zeros of small numbers.
    fn common_beginning(&self, slots: &[Slot]) -> usize {
        let Some(first) = slots.first() else { return 0 };
        let first = self.key(first);
        let mut common = first.len().min(COMMON_MAX);
        for slot in &slots[1..] {
            let key = self.key(slot);
            if !key.starts_with(&first[..common]) {
                common = first[..common]
                    .iter()
                    .zip(key)
                    .take_while(|(a, b)| a == b)
                    .count();
            }
        }
        common
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.slots.clear();
    }
}

fn head_of(key: &[u8]) -> u64 {
    let mut head = [0; 8];
    let len = key.len().min(8);
    head[..len].copy_from_slice(&key[..len]);
    u64::from_be_bytes(head)
}

/// A sorted run in a file, and the entry it stands at.
struct Run {
    file: TempFile,
    /// Where the next piece of the file begins.
    next: u64,
    bytes: Vec<u8>,
    at: usize,
}

impl Run {
    fn entry(&self) -> Option<Entry<'_>> {
        let bytes = self.bytes.get(self.at..)?;
        let (key_len, value_len, checked) = read_header(bytes)?;
        let (key, rest) = bytes.get(HEADER_BYTES..)?.split_at_checked(key_len)?;
        Some(Entry {
            key,
            value: rest.get(..value_len)?,
            checked,
        })
    }

    fn step(&mut self) -> PgResult<()> {
        if let Some(entry) = self.entry() {
            self.at += HEADER_BYTES + entry.key.len() + entry.value.len();
        }
        self.fill()
    }

    /// Reads on until a whole entry is there, or the file ends.
    fn fill(&mut self) -> PgResult<()> {
        while self.entry().is_none() && self.next < self.file.size() {
            self.bytes.drain(..self.at);
            self.at = 0;
            if let Some((key_len, value_len, _)) = read_header(&self.bytes) {
                let whole = HEADER_BYTES + key_len + value_len;
                self.bytes.reserve(whole.saturating_sub(self.bytes.len()));
            }
            let len = (self.file.size() - self.next).min(READ_BYTES as u64) as usize;
            self.bytes.extend(self.file.read(self.next, len)?);
            self.next += len as u64;
        }
        Ok(())
    }
}

fn read_header(bytes: &[u8]) -> Option<(usize, usize, bool)> {
    let (key, rest) = bytes.split_first_chunk::<4>()?;
    let (value, rest) = rest.split_first_chunk::<4>()?;
    let len = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes) as usize;
    Some((len(key), len(value), *rest.first()? != 0))
}

/// Sorts entries by key and row id.
pub(super) struct EntrySorter<'s> {
    space: &'s TempSpace,
    memory_max: usize,
    buffer: Buffer,
    runs: Vec<TempFile>,
    count: usize,
    cancel: CancelToken,
}

impl<'s> EntrySorter<'s> {
    /// Keeps about `memory_max` bytes in memory, the rest in files, if `space` allows files.
    pub fn new(space: &'s TempSpace, memory_max: usize) -> EntrySorter<'s> {
        EntrySorter {
            space,
            memory_max,
            buffer: Buffer::default(),
            runs: Vec::new(),
            count: 0,
            cancel: CancelToken::new(),
        }
    }

    pub fn cancel(&self) -> &CancelToken {
        &self.cancel
    }

    /// Sorting and merging end when this says so.
    pub fn cancelled_by(&mut self, cancel: &CancelToken) {
        self.cancel = cancel.clone();
    }

    pub fn push(&mut self, prefix: &[u8], row: RowId, value: &[u8], checked: bool) -> PgResult<()> {
        self.buffer.push(prefix, row, value, checked, &self.cancel)?;
        self.count += 1;
        if self.buffer.memory() > self.memory_max && self.space.may_spill() {
            self.write_run()?;
        }
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.count
    }

    fn write_run(&mut self) -> PgResult<()> {
        self.buffer.sort(&self.cancel)?;
        let mut file = TempFile::create(self.space)?;
        let mut piece = Vec::with_capacity(READ_BYTES * 2);
        for slot in &self.buffer.slots {
            let entry = self.buffer.entry(slot);
            piece.extend_from_slice(&slot.key_len.to_le_bytes());
            piece.extend_from_slice(&slot.value_len.to_le_bytes());
            piece.push(u8::from(entry.checked));
            if entry.key.len() > PIECE_BYTES {
                file.append(&piece)?;
                file.append(entry.key)?;
                piece.clear();
            } else {
                piece.extend_from_slice(entry.key);
            }
            piece.extend_from_slice(entry.value);
            if piece.len() >= READ_BYTES {
                self.cancel.check()?;
                file.append(&piece)?;
                piece.clear();
            }
        }
        file.append(&piece)?;
        self.buffer.clear();
        self.runs.push(file);
        Ok(())
    }

    /// Calls `visit` with the entries in order. Ends with two rows if their keys are equal and uniqueness concerns both; what was
    /// visited until then is in order.
    pub fn finish(
        mut self,
        visit: &mut dyn FnMut(Entry<'_>) -> PgResult<()>,
    ) -> PgResult<Option<(RowId, RowId)>> {
        let mut last = LastKey::default();
        let cancel = self.cancel.clone();
        if self.runs.is_empty() {
            self.buffer.sort(&cancel)?;
            for (k, slot) in self.buffer.slots.iter().enumerate() {
                if k % ENTRIES_UNCHECKED == 0 {
                    cancel.check()?;
                }
                let entry = self.buffer.entry(slot);
                if let Some(pair) = last.follow(&entry, &cancel)? {
                    return Ok(Some(pair));
                }
                visit(entry)?;
            }
            return Ok(None);
        }
        self.write_run()?;
        let mut merged = 0;
        merge(self.runs, &cancel, &mut |entry| {
            if merged % ENTRIES_UNCHECKED == 0 {
                cancel.check()?;
            }
            merged += 1;
            let pair = last.follow(&entry, &cancel)?;
            if pair.is_none() {
                visit(entry)?;
            }
            Ok(pair)
        })
    }
}

/// A run by its current key; the heap gives the smallest first.
struct ByKey {
    key: Vec<u8>,
    run: usize,
}

impl PartialEq for ByKey {
    fn eq(&self, other: &ByKey) -> bool {
        self.key == other.key
    }
}
impl Eq for ByKey {}
impl PartialOrd for ByKey {
    fn partial_cmp(&self, other: &ByKey) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for ByKey {
    fn cmp(&self, other: &ByKey) -> Ordering {
        other.key.cmp(&self.key)
    }
}

/// Merges runs until `visit` finds something. Keys end in row ids, so no two are equal.
fn merge<T>(
    files: Vec<TempFile>,
    cancel: &CancelToken,
    visit: &mut dyn FnMut(Entry<'_>) -> PgResult<Option<T>>,
) -> PgResult<Option<T>> {
    let mut runs = Vec::with_capacity(files.len());
    let mut heap = BinaryHeap::with_capacity(files.len());
    for file in files {
        let mut run = Run {
            file,
            next: 0,
            bytes: Vec::new(),
            at: 0,
        };
        run.fill()?;
        if let Some(entry) = run.entry() {
            let mut key = Vec::new();
            pieces::append_bytes(cancel, entry.key, &mut key)?;
            heap.push(ByKey { key, run: runs.len() });
            runs.push(run);
        }
    }
    while let Some(mut first) = heap.pop() {
        let Some(run) = runs.get_mut(first.run) else { break };
        if let Some(entry) = run.entry()
            && let Some(found) = visit(entry)?
        {
            return Ok(Some(found));
        }
        run.step()?;
        if let Some(entry) = run.entry() {
            first.key.clear();
            pieces::append_bytes(cancel, entry.key, &mut first.key)?;
            heap.push(first);
        }
    }
    Ok(None)
}

/// The entry before, to find equal keys.
#[derive(Default)]
struct LastKey {
    key: Vec<u8>,
    checked: bool,
}

impl LastKey {
    fn follow(&mut self, entry: &Entry<'_>, cancel: &CancelToken) -> PgResult<Option<(RowId, RowId)>> {
        if !entry.checked {
            self.checked = false;
            return Ok(None);
        }
        if self.checked && entry_prefix(&self.key) == entry_prefix(entry.key) {
            return Ok(Some((entry_row(&self.key)?, entry_row(entry.key)?)));
        }
        self.checked = true;
        self.key.clear();
        pieces::append_bytes(cancel, entry.key, &mut self.key)?;
        Ok(None)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use common::cancel::CancelReason;
    use common::env::Env;
    use common::env::sim::SimEnv;

    use crate::temp::TempDirectory;

    use super::*;

    fn filled(keys: &[Vec<u8>]) -> Buffer {
        let mut buffer = Buffer::default();
        for (row, key) in (0..).zip(keys) {
            buffer
                .push(key, RowId(row), b"v", true, CancelToken::never())
                .unwrap();
        }
        buffer
    }

    #[test]
    fn many_entries_are_sorted_as_few_are() {
        let number = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let count = 4 * SORTED_AT_ONCE as u64;
        let kinds: [&dyn Fn(u64) -> Vec<u8>; 4] = [
            &|n| [&[1, 0, 0], &number(n).to_be_bytes()[..]].concat(),
            &|n| format!("the same beginning {}", number(n)).into_bytes(),
            // Nearly all in one part, whose heads are equal.
            &|n| match n {
                7 => vec![255; 9],
                n => format!("00000000{}", number(n)).into_bytes(),
            },
            &|n| vec![1; (number(n) % 20) as usize],
        ];
        for kind in kinds {
            let keys: Vec<Vec<u8>> = (0..count).map(kind).collect();
            let mut buffer = filled(&keys);
            buffer.sort(&CancelToken::new()).unwrap();
            let got: Vec<&[u8]> = buffer.slots.iter().map(|slot| buffer.key(slot)).collect();
            let mut wanted: Vec<Vec<u8>> = (0_u64..)
                .zip(&keys)
                .map(|(row, key)| [key, &row.to_be_bytes()[..]].concat())
                .collect();
            wanted.sort();
            assert!(got.iter().eq(wanted.iter()), "{:?}", keys[0]);
        }
    }

    #[test]
    fn sorting_ends_when_the_statement_is_cancelled() {
        let mut buffer = filled(&[vec![2], vec![1]]);
        let cancel = CancelToken::new();
        cancel.cancel(CancelReason::User);
        assert_eq!(buffer.sort(&cancel).unwrap_err().sqlstate.as_str(), "57014");
    }

    #[test]
    fn long_keys_come_out_in_order_unless_cancelled() {
        let env: Arc<dyn Env> = Arc::new(SimEnv::new(7));
        let space = TempSpace::new(Some(Arc::new(TempDirectory::open(env, Path::new("/db")))));
        let long = |last: u8| [&vec![7; PIECE_BYTES + 9][..], &[last]].concat();
        let cancel = CancelToken::new();
        let filled = || {
            let mut sorter = EntrySorter::new(&space, PIECE_BYTES);
            sorter.cancelled_by(&cancel);
            for (row, last) in [(1, 5), (2, 1), (3, 3)] {
                sorter.push(&long(last), RowId(row), &[last], true)?;
            }
            Ok::<_, Box<common::PgError>>(sorter)
        };
        let mut seen = Vec::new();
        let found = filled().unwrap().finish(&mut |entry| {
            assert_eq!(entry_prefix(entry.key), long(entry.value[0]));
            seen.push(entry.value[0]);
            Ok(())
        });
        assert_eq!(found.unwrap(), None);
        assert_eq!(seen, [1, 3, 5]);
        let late = filled().unwrap();
        cancel.cancel(CancelReason::User);
        assert_eq!(
            late.finish(&mut |_| Ok(())).unwrap_err().sqlstate.as_str(),
            "57014"
        );
        assert!(filled().is_err());
    }
}
