//! What stands in the way of a row under an exclusion constraint: entries whose keys conflict by other operators than equality.
//!
//! # How it works
//! 1. Whoever adds an entry holds the index's exclusion lock from the search to the insertion, so of two rows that conflict the second
//!    one always sees the first.
//! 2. The search goes downwards through the entries that a [`ExclusionProbe`] leaves, first in delta, then in the leaves, and asks its
//!    caller about each one that is not dead.
//! 3. Of several entries in the way the oldest row's is reported, as a search of PostgreSQL's would mostly find it first.
//! 4. Ranges that may not overlap lie one beside the other: behind the nearest one that stands apart there is nothing to look for
//!    ([`Verdict::Beyond`]), so a search sees a few entries however many there are.
//!
//! # Invariants
//! - Only entries that stand (committed, or the transaction's own) end a search. One in progress stands beside others that it may
//!   conflict with, and may still go away.
//! - A leaf counts only if no merge came between its reading and the look at delta, as in scans.
//! - With a deferrable constraint a transaction's own entries may conflict with others for a while, so only committed ones end a
//!   search. What stands behind a committed entry and yet conflicts with the row conflicts with that entry, too: then its own
//!   transaction knows, and finds the row when it checks.
//!
//! PG: src/backend/executor/execIndexing.c (`check_exclusion_or_unique_constraint`).

use std::ops::Bound;

use common::{PgResult, RowId, Xid};
use parking_lot::MutexGuard;
use txn::Stamp;
use types::Datum;

use crate::index::scan::KeyBound;
use crate::index::store::{EntryKey, FoundLeaf, entry_row};
use crate::index::{EntryState, Index, value};
use crate::transaction::Transaction;

/// Which entries may conflict.
#[derive(Clone, Debug, Default)]
pub struct ExclusionProbe<'a> {
    /// What the first columns must equal.
    pub equal: &'a [Datum],
    /// The greatest value of the column behind them.
    pub at_most: Option<Datum>,
    /// The row that asks; its own entry is none of the others.
    pub own: Option<RowId>,
    /// Entries of a running transaction may conflict with others that stand.
    pub deferrable: bool,
}

/// The caller's word on an entry's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Both may not stand.
    Conflicts,
    /// They may.
    Apart,
    /// They may, and nothing further down conflicts if this one stands.
    Beyond,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq)]
pub enum Excluding {
    /// Nothing.
    Nobody,
    /// A row, and the datums of its key.
    Row(RowId, Vec<Datum>),
    /// It depends on how a transaction ends.
    Pending(Xid),
}

/// Tells what an entry's key means for the row.
pub type Judge<'a> = &'a mut dyn FnMut(&[Datum]) -> PgResult<Verdict>;

/// How far a search has come.
#[derive(PartialEq, Eq)]
enum Step {
    /// This part is searched.
    End,
    Next,
}

impl Index {
    /// Held by whoever searches in order to insert.
    pub fn exclusion_lock(&self) -> MutexGuard<'_, ()> {
        self.store.exclusion.lock()
    }

    /// Searches for a conflicting entry, as an insertion by the transaction would find it.
    pub fn excluding(
        &self,
        own: TransactionMark,
        probe: &ExclusionProbe<'_>,
        judge: Judge<'_>,
    ) -> PgResult<Excluding> {
        let high = match &probe.at_most {
            Some(value) => KeyBound::Inclusive(vec![value.clone()]),
            None => KeyBound::Unbounded,
        };
        let bounds = self.bounds(probe.equal, &KeyBound::Unbounded, &high);
        let (low, high) = (bounds.low(), bounds.high());
        if high.is_some_and(|high| low >= high) {
            return Ok(Excluding::Nobody);
        }
        let mut search = Search {
            index: self,
            own: own.0,
            row: probe.own.unwrap_or(RowId(u64::MAX)),
            deferrable: probe.deferrable,
            judge,
            datums: Vec::new(),
            found: None,
        };
        search.delta(low, high)?;
        search.leaves(low, high)?;
        Ok(search.found.map_or(Excluding::Nobody, |(_, found)| found))
    }
}

/// Tells a transaction's own entries from others.
#[derive(Clone, Copy, Debug)]
pub struct TransactionMark(Stamp);

impl Transaction {
    /// For [`Index::excluding`], which runs while the transaction may be in use.
    pub fn mark(&mut self) -> PgResult<TransactionMark> {
        self.stamp().map(TransactionMark)
    }
}

struct Search<'s, 'j> {
    index: &'s Index,
    own: Stamp,
    row: RowId,
    deferrable: bool,
    judge: Judge<'j>,
    datums: Vec<Datum>,
    /// Of several rows in the way the oldest counts.
    found: Option<(RowId, Excluding)>,
}

impl Search<'_, '_> {
    fn delta(&mut self, low: &EntryKey, high: Option<&EntryKey>) -> PgResult<()> {
        let store = &self.index.store;
        let bounds = (
            Bound::Included(low.as_slice()),
            high.map_or(Bound::Unbounded, |h| Bound::Excluded(h.as_slice())),
        );
        for entry in store.delta.range(bounds).rev() {
            let Some(head) = entry.value().load_full() else {
                continue;
            };
            let state = self.index.state_of(entry.value(), self.own);
            let ends = !self.deferrable || head.begin.load() != self.own;
            if self.judge(entry.key(), &head.value, (state, ends))? == Step::End {
                break;
            }
        }
        Ok(())
    }

    fn leaves(&mut self, low: &EntryKey, high: Option<&EntryKey>) -> PgResult<()> {
        let store = &self.index.store;
        let mut high = high.cloned();
        loop {
            let leaf = store.leaf_below(high.as_deref())?;
            let before = self.found.clone();
            let step = self.leaf(&leaf, low, high.as_ref())?;
            if !store.is_current(&leaf) {
                self.found = before;
                continue;
            }
            match step {
                Step::End => return Ok(()),
                Step::Next => high = Some(leaf.low.clone()),
            }
        }
    }

    fn leaf(&mut self, leaf: &FoundLeaf, low: &EntryKey, high: Option<&EntryKey>) -> PgResult<Step> {
        let from = leaf.lower_bound(low);
        let to = high.map_or(leaf.len(), |high| leaf.lower_bound(high));
        for i in (from..to).rev() {
            let key = leaf.key(i);
            let (state, ends) = match self.index.store.delta.get(key) {
                Some(entry) if entry.value().load().is_some() => {
                    (self.index.state_of(entry.value(), self.own), !self.deferrable)
                }
                _ => {
                    let row = entry_row(key)?;
                    let state = self.index.leaf_entry_state(row, self.own);
                    let gate = self.index.store.gates.find(row);
                    let own = gate.is_some_and(|gate| gate.begin.load() == self.own);
                    (state, !self.deferrable || !own)
                }
            };
            if self.judge(key, leaf.value(i), (state, ends))? == Step::End {
                return Ok(Step::End);
            }
        }
        Ok(if leaf.low <= *low { Step::End } else { Step::Next })
    }

    /// `ends`: standing apart further down, it ends the search.
    fn judge(&mut self, key: &[u8], value: &[u8], (state, ends): (EntryState, bool)) -> PgResult<Step> {
        let row = entry_row(key)?;
        if state == EntryState::Dead || row == self.row {
            return Ok(Step::Next);
        }
        self.datums.clear();
        value::decode(&self.index.def, key, value, &mut self.datums)?;
        self.datums.truncate(self.index.def.columns.len());
        Ok(match ((self.judge)(&self.datums)?, state) {
            (Verdict::Conflicts, _) => {
                if self.found.as_ref().is_none_or(|(oldest, _)| row < *oldest) {
                    let found = match state {
                        EntryState::Pending(xid) => Excluding::Pending(xid),
                        _ => Excluding::Row(row, std::mem::take(&mut self.datums)),
                    };
                    self.found = Some((row, found));
                }
                Step::Next
            }
            (Verdict::Beyond, EntryState::Live) if ends => Step::End,
            (Verdict::Apart | Verdict::Beyond, _) => Step::Next,
        })
    }
}
