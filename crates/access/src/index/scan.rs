//! Scans of an index: a leaf's worth of visible entries at a time, both ways.
//!
//! # How it works
//! A refill takes the leaf at the position, then the entries of delta in its range (a bounded number), and merges them; an entry that
//! is in both counts as delta says. If the leaf was retired in between, something may have left delta for its successor: again.
//! Between refills a scan holds nothing but a position.

use std::collections::VecDeque;
use std::ops::Bound;

use common::{PgResult, RowId};
use txn::{ReadTarget, Snapshot};
use types::{Datum, key};

use crate::index::leaf::Leaf;
use crate::index::store::{EntryKey, FoundLeaf, copy_of, entry_row};
use crate::index::{Index, value};
use crate::serial;
use crate::table::ScanDirection;
use txn::versions::visible;

/// Entries of leaf and of delta looked at in the first refill, each; twice as many in each that follows, for most scans are short.
const FIRST_STEP: usize = 16;
/// Entries of delta looked at in one refill at most; scans that have come so far take leaves whole.
const DELTA_MAX: usize = 256;

/// One end of a range, as a prefix of the key columns.
#[derive(Clone, Debug, PartialEq)]
pub enum KeyBound {
    /// From the end of the index.
    Unbounded,
    /// Keys that begin with these datums belong to the range.
    Inclusive(Vec<Datum>),
    /// Keys that begin with these datums do not.
    Exclusive(Vec<Datum>),
}

/// The entries between two bounds, in index order (so for a descending column `low` is its greater value).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexBounds {
    low: EntryKey,
    /// Exclusive.
    high: Option<EntryKey>,
}

impl IndexBounds {
    /// Everything.
    pub fn all() -> IndexBounds {
        IndexBounds {
            low: EntryKey::new(),
            high: None,
        }
    }

    pub(crate) fn low(&self) -> &EntryKey {
        &self.low
    }

    pub(crate) fn high(&self) -> Option<&EntryKey> {
        self.high.as_ref()
    }

    /// Keys that begin with encoded key bytes.
    pub(crate) fn encoded_prefix(prefix: &[u8]) -> IndexBounds {
        IndexBounds {
            low: EntryKey::from_slice(prefix),
            high: key::successor(prefix).map(EntryKey::from_vec),
        }
    }
}

/// A running scan. It keeps no snapshot registered: the caller holds the [`txn::SnapshotGuard`].
pub struct IndexScan {
    index: Index,
    snapshot: Snapshot,
    direction: ScanDirection,
    /// What is left; `low` inclusive, `high` exclusive.
    rest: IndexBounds,
    done: bool,
    /// Entries to look at in the next refill.
    step: usize,
    wants_keys: bool,
    /// Visible entries found and not yet given.
    ready: VecDeque<RowId>,
    /// Their datums, if wanted, `width` each.
    datums: VecDeque<Datum>,
    /// A serializable transaction must tell what it reads.
    watched: bool,
}

impl Index {
    /// Bounds on a prefix of the columns: all entries whose first columns equal `equal` and whose next column lies in the range.
    /// In index order: for a descending column `low` is the greater value. NULLs have their place as the index sorts them.
    pub fn bounds(&self, equal: &[Datum], low: &KeyBound, high: &KeyBound) -> IndexBounds {
        let encode = |more: &[Datum]| {
            let mut out = Vec::new();
            let values: Vec<Datum> = equal.iter().chain(more).cloned().collect();
            key::encode_all(&self.def.columns, &values, &mut out);
            out
        };
        let low = match low {
            KeyBound::Unbounded => Some(encode(&[])),
            KeyBound::Inclusive(values) => Some(encode(values)),
            KeyBound::Exclusive(values) => key::successor(&encode(values)),
        };
        let high = match high {
            KeyBound::Unbounded => key::successor(&encode(&[])),
            KeyBound::Inclusive(values) => key::successor(&encode(values)),
            KeyBound::Exclusive(values) => Some(encode(values)),
        };
        match low {
            Some(low) => IndexBounds {
                low: EntryKey::from_vec(low),
                high: high.map(EntryKey::from_vec),
            },
            // Nothing is above the highest key.
            None => IndexBounds {
                low: EntryKey::new(),
                high: Some(EntryKey::new()),
            },
        }
    }

    /// All entries whose first columns equal `values`.
    pub fn bounds_equal(&self, values: &[Datum]) -> IndexBounds {
        self.bounds(values, &KeyBound::Unbounded, &KeyBound::Unbounded)
    }

    /// Begins a scan.
    pub fn scan(&self, snapshot: &Snapshot, bounds: IndexBounds, direction: ScanDirection) -> IndexScan {
        let done = bounds.high.as_ref().is_some_and(|high| bounds.low >= *high);
        IndexScan {
            index: self.clone(),
            snapshot: *snapshot,
            direction,
            rest: bounds,
            done,
            step: FIRST_STEP,
            wants_keys: false,
            ready: VecDeque::new(),
            datums: VecDeque::new(),
            watched: serial::is_watched(snapshot, self.def.oid, self.def.persistence),
        }
    }
}

impl IndexScan {
    /// Makes the scan give key (and INCLUDE) datums too; before the first entry.
    pub fn with_keys(mut self) -> IndexScan {
        self.wants_keys = true;
        self
    }

    /// The next row; None at the end.
    pub fn next_row(&mut self) -> PgResult<Option<RowId>> {
        self.fill()?;
        Ok(self.ready.pop_front())
    }

    /// The next row, its datums appended to `out`. For scans made by [`IndexScan::with_keys`].
    pub fn next_entry(&mut self, out: &mut Vec<Datum>) -> PgResult<Option<RowId>> {
        self.fill()?;
        let Some(row) = self.ready.pop_front() else {
            return Ok(None);
        };
        let width = self.width();
        out.extend(self.datums.drain(..width.min(self.datums.len())));
        Ok(Some(row))
    }

    /// Up to `max_rows` more rows into `out`; false when there were none left.
    pub fn next_rows(&mut self, max_rows: usize, out: &mut Vec<RowId>) -> PgResult<bool> {
        self.fill()?;
        let take = max_rows.min(self.ready.len());
        out.extend(self.ready.drain(..take));
        Ok(take > 0)
    }

    fn width(&self) -> usize {
        self.index.def.columns.len() + self.index.def.include.len()
    }

    fn fill(&mut self) -> PgResult<()> {
        while self.ready.is_empty() && !self.done {
            let (leaf, piece) = self.piece()?;
            self.merge(&leaf, &piece)?;
            if !self.index.store.is_current(&leaf) {
                // What says that an entry has ended may have been forgotten meanwhile.
                self.ready.clear();
                self.datums.clear();
                continue;
            }
            match self.direction {
                ScanDirection::Forward => match piece.range.high {
                    Some(high) => self.rest.low = high,
                    None => self.done = true,
                },
                ScanDirection::Backward => {
                    self.done = piece.range.low.is_empty();
                    self.rest.high = Some(piece.range.low);
                }
            }
            self.done |= self.rest.high.as_ref().is_some_and(|high| self.rest.low >= *high);
            self.step = (2 * self.step).min(DELTA_MAX);
        }
        Ok(())
    }

    /// Leaves no more than a step's entries of a leaf in a range.
    fn shorten(&self, leaf: &Leaf, range: &mut IndexBounds) {
        if self.step >= DELTA_MAX {
            return;
        }
        match self.direction {
            ScanDirection::Forward => {
                let end = leaf.lower_bound(&range.low) + self.step;
                if end < leaf.len()
                    && range
                        .high
                        .as_ref()
                        .is_none_or(|high| leaf.key(end) < high.as_slice())
                {
                    range.high = Some(EntryKey::from_slice(leaf.key(end)));
                }
            }
            ScanDirection::Backward => {
                let end = range
                    .high
                    .as_ref()
                    .map_or(leaf.len(), |high| leaf.lower_bound(high));
                if let Some(begin) = end.checked_sub(self.step)
                    && leaf.key(begin) > range.low.as_slice()
                {
                    range.low = EntryKey::from_slice(leaf.key(begin));
                }
            }
        }
    }

    /// The next leaf, and what delta has in (a part of) its range.
    fn piece(&self) -> PgResult<(FoundLeaf, Piece)> {
        let store = &self.index.store;
        loop {
            let leaf = match self.direction {
                ScanDirection::Forward => store.leaf_at(&self.rest.low)?,
                ScanDirection::Backward => store.leaf_below(self.rest.high.as_deref())?,
            };
            let high = match (&leaf.high, &self.rest.high) {
                (Some(a), Some(b)) => Some(a.min(b).clone()),
                (a, b) => a.as_ref().or(b.as_ref()).cloned(),
            };
            let mut range = IndexBounds {
                low: leaf.low.clone().max(self.rest.low.clone()),
                high,
            };
            self.shorten(&leaf, &mut range);
            if self.watched {
                let (low, high) = (&range.low, range.high.as_deref());
                let target = ReadTarget::Range(self.index.def.oid.0, low, high);
                serial::reads(store.shared.table(), &self.snapshot, target)?;
            }
            let piece = self.delta_piece(range)?;
            if store.is_current(&leaf) {
                return Ok((leaf, piece));
            }
        }
    }

    fn delta_piece(&self, mut range: IndexBounds) -> PgResult<Piece> {
        let store = &self.index.store;
        let mut entries = Vec::new();
        if store.delta.is_empty() {
            return Ok(Piece { range, entries });
        }
        let IndexBounds { low, high } = range.clone();
        let bounds = (
            Bound::Included(low.as_slice()),
            high.as_ref()
                .map_or(Bound::Unbounded, |h| Bound::Excluded(h.as_slice())),
        );
        let mut iter = store.delta.range(bounds);
        let mut passed = Vec::new();
        loop {
            let entry = match self.direction {
                ScanDirection::Forward => iter.next(),
                ScanDirection::Backward => iter.next_back(),
            };
            let Some(entry) = entry else { break };
            let head = entry.value().load();
            let Some(head) = head.as_ref() else { continue };
            if self.watched {
                serial::passes(store.shared.table(), &self.snapshot, head)?;
            }
            let seen = visible(head, &self.snapshot, store.shared.table());
            if seen.is_none() {
                passed.extend(store.shared.committed(&head.end));
            }
            entries.push((copy_of(entry.key()), seen.map(|version| version.value.clone())));
            if entries.len() == self.step {
                let mut last = copy_of(entry.key());
                match self.direction {
                    ScanDirection::Forward => {
                        last.push(0);
                        range.high = Some(last);
                    }
                    ScanDirection::Backward => range.low = last,
                }
                break;
            }
        }
        if !passed.is_empty() {
            store.note_passed(&passed);
        }
        if self.direction == ScanDirection::Backward {
            entries.reverse();
        }
        Ok(Piece { range, entries })
    }

    /// True when a gate keeps the snapshot from seeing an entry that only a leaf has.
    #[inline]
    fn hides(&self, key: &[u8]) -> PgResult<bool> {
        if self.index.has_ended(&self.snapshot, key) {
            return Ok(true);
        }
        if self.index.store.gates.is_empty() {
            return Ok(false);
        }
        let Some(gate) = self.index.hiding(&self.snapshot, key) else {
            return Ok(false);
        };
        if self.watched {
            let table = self.index.store.shared.table();
            table.serial_passes(&self.snapshot, &gate.begin)?;
        }
        Ok(true)
    }

    fn merge(&mut self, leaf: &Leaf, piece: &Piece) -> PgResult<()> {
        let from = leaf.lower_bound(&piece.range.low);
        let to = piece
            .range
            .high
            .as_ref()
            .map_or(leaf.len(), |high| leaf.lower_bound(high));
        let mut delta = piece.entries.iter().peekable();
        let mut found: Vec<(&[u8], &[u8])> =
            Vec::with_capacity(to.saturating_sub(from) + piece.entries.len());
        for i in from..to {
            let key = leaf.key(i);
            while let Some((new, seen)) = delta.next_if(|(k, _)| k.as_slice() < key) {
                found.extend(seen.as_ref().map(|value| (new.as_slice(), &**value)));
            }
            match delta.next_if(|(k, _)| k.as_slice() == key) {
                Some((_, seen)) => found.extend(seen.as_ref().map(|value| (key, &**value))),
                None if self.hides(key)? => {}
                None => found.push((key, leaf.value(i))),
            }
        }
        for (new, seen) in delta {
            found.extend(seen.as_ref().map(|value| (new.as_slice(), &**value)));
        }
        if self.direction == ScanDirection::Backward {
            found.reverse();
        }
        let mut datums = Vec::new();
        for (key, value) in found {
            self.ready.push_back(entry_row(key)?);
            if self.wants_keys {
                value::decode(&self.index.def, key, value, &mut datums)?;
            }
        }
        self.datums.extend(datums);
        Ok(())
    }
}

/// What delta has in a range of keys: each entry with its value, or None if the snapshot does not see it.
struct Piece {
    range: IndexBounds,
    entries: Vec<(EntryKey, Option<Box<[u8]>>)>,
}
