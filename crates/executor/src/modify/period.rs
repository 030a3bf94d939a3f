//! Foreign keys whose last column is a period: `FOREIGN KEY (id, PERIOD valid_at)`.
//!
//! PG: src/backend/utils/adt/ri_triggers.c (the queries with `range_agg`).
//!
//! # How it works
//! The referenced key is one WITHOUT OVERLAPS. A referencing row is right when the periods of the referenced rows with its other
//! columns cover its own period together; those rows are locked FOR KEY SHARE, so none shrinks meanwhile.

use std::sync::Arc;

use catalog::desc::RelationDesc;
use common::{Oid, PgResult, RowId};
use txn::{RowLockMode, Snapshot};
use types::range::{self, Range};
use types::{Datum, key};

use access::{ActiveSnapshot, IndexDef, KeyBound, LockOutcome, NewestLock, ScanDirection, Table, WaitPolicy};

use crate::context::ExecContext;
use crate::modify::foreign_key::{FkCheck, KeyIndex, checking_snapshot, convert};
use crate::modify::referenced::FkReferenced;
use crate::modify::referencing::{Match, matching_rows};

/// The pieces of time that a range or multirange is.
#[derive(Clone, Debug)]
pub(super) struct Period {
    range_type: Oid,
    subtype: Oid,
    pieces: Vec<Range>,
}

impl Period {
    /// None for other datums.
    pub fn of(value: &Datum) -> Option<Period> {
        let (range_type, subtype, pieces) = match value {
            Datum::Range(r) => (r.type_oid, r.subtype, r.range.iter().cloned().collect()),
            Datum::Multirange(m) => (m.range_type, m.subtype, m.ranges.clone()),
            _ => return None,
        };
        Some(Period {
            range_type,
            subtype,
            pieces,
        })
    }

    pub fn overlaps(&self, other: &Period) -> bool {
        let with_some = |a: &Range| other.pieces.iter().any(|b| range::overlaps(self.subtype, a, b));
        self.pieces.iter().any(with_some)
    }

    /// What both have.
    pub fn intersection(&self, other: &Period) -> Period {
        let common = |a: &Range| {
            let with = |b| range::intersection(self.subtype, a, b);
            other.pieces.iter().filter_map(with).collect::<Vec<_>>()
        };
        Period {
            pieces: self.pieces.iter().flat_map(common).collect(),
            ..*self
        }
    }

    /// True when `self` has all of `other`.
    pub fn covers(&self, other: &Period) -> bool {
        let whole = range::normalize(self.range_type, self.subtype, self.pieces.clone());
        let inside = |b: &Range| whole.iter().any(|a| range::contains(self.subtype, a, b));
        other.pieces.iter().all(inside)
    }

    /// As a multirange, whose type nobody asks for.
    pub fn into_datum(self) -> Datum {
        range::MultirangeValue {
            type_oid: Oid::INVALID,
            range_type: self.range_type,
            subtype: self.subtype,
            ranges: range::normalize(self.range_type, self.subtype, self.pieces),
        }
        .into_datum()
    }

    fn extend(&mut self, other: Option<Period>) {
        self.pieces.extend(other.into_iter().flat_map(|p| p.pieces));
    }

    fn none_of(&self) -> Period {
        Period {
            pieces: Vec::new(),
            ..*self
        }
    }
}

/// True when two keys agree but for their last columns, periods that share something.
pub(super) fn same_time(types: &[Oid], a: &[Datum], b: &[Datum]) -> bool {
    agree_but_for_time(types, a, b, Period::overlaps)
}

/// True when a key's new form stands for all that the old one stood for.
pub(super) fn still_there(types: &[Oid], old: &[Datum], new: &[Datum]) -> bool {
    agree_but_for_time(types, old, new, |before, after| after.covers(before))
}

/// True when the columns before the last are equal (none of them null), and `fits` holds of the last ones.
fn agree_but_for_time(
    types: &[Oid],
    a: &[Datum],
    b: &[Datum],
    fits: impl Fn(&Period, &Period) -> bool,
) -> bool {
    let (Some((time_a, a)), Some((time_b, b))) = (a.split_last(), b.split_last()) else {
        return false;
    };
    let (Some(time_a), Some(time_b)) = (Period::of(time_a), Period::of(time_b)) else {
        return false;
    };
    let equal = |((x, y), t): ((&Datum, &Datum), &Oid)| {
        !x.is_null() && !y.is_null() && types::compare::equal(*t, x, y)
    };
    fits(&time_a, &time_b) && a.iter().zip(b).zip(types).all(equal)
}

impl KeyIndex {
    /// The rows that share time with a key, and their periods.
    fn sharing(
        &self,
        ext: &ExecContext<'_>,
        snapshot: &Snapshot,
        wanted: &[Datum],
    ) -> PgResult<Vec<(RowId, Period)>> {
        let index = ext.relations.index(&self.index, &self.table)?;
        let table = ext.relations.table(&self.table)?;
        let Some((period_at, equal)) = self.order.split_last() else {
            return Ok(Vec::new());
        };
        let Some(period) = wanted.get(*period_at).and_then(Period::of) else {
            return Ok(Vec::new());
        };
        let equal: Vec<Datum> = equal.iter().map(|i| wanted[*i].clone()).collect();
        let bounds = index.bounds(&equal, &KeyBound::Unbounded, &KeyBound::Unbounded);
        let mut scan = index.scan(snapshot, bounds, ScanDirection::Forward);
        let mut found = Vec::new();
        while let Some(id) = scan.next_row()? {
            ext.cancel.check()?;
            // An entry may be older than its row.
            let theirs = self.period_of(&table, (id, snapshot), (index.def(), &equal))?;
            found.extend(theirs.filter(|t| t.overlaps(&period)).map(|theirs| (id, theirs)));
        }
        Ok(found)
    }

    /// The period of a row whose other key columns are these.
    fn period_of(
        &self,
        table: &Table,
        (id, snapshot): (RowId, &Snapshot),
        (index, equal): (&IndexDef, &[Datum]),
    ) -> PgResult<Option<Period>> {
        let columns: Vec<u16> = self.columns().collect();
        let mut row = Vec::with_capacity(columns.len());
        if !table.fetch_columns(id, snapshot, &columns, &mut row)? {
            return Ok(None);
        }
        let (mut own, mut wanted) = (Vec::new(), Vec::new());
        for ((column, a), b) in index.columns.iter().zip(&row).zip(equal) {
            key::encode(column, a, &mut own);
            key::encode(column, b, &mut wanted);
        }
        Ok(row.last().and_then(Period::of).filter(|_| own == wanted))
    }

    /// Locks a row; the period that it has then. One that came meanwhile in the place of a deleted one does not count.
    fn lock(
        &self,
        ext: &ExecContext<'_>,
        snapshot: &ActiveSnapshot,
        (row, theirs): (RowId, Period),
        wanted: &[Datum],
    ) -> PgResult<Option<Period>> {
        let table = ext.relations.table(&self.table)?;
        let outcome = ext.with_txn(|txn| {
            table.lock_newest(txn, snapshot, row, RowLockMode::KeyShare, WaitPolicy::Block)
        })?;
        let (at, now) = match outcome {
            NewestLock::Newer(at, now) => (at, now),
            NewestLock::Unchanged | NewestLock::Not(LockOutcome::SelfModified) => return Ok(Some(theirs)),
            NewestLock::Not(_) => return Ok(None),
        };
        let index = ext.relations.index(&self.index, &self.table)?;
        let (_, equal) = self.order.split_last().unwrap_or((&0, &[]));
        let equal: Vec<Datum> = equal.iter().map(|i| wanted[*i].clone()).collect();
        self.period_of(&table, (at, &now), (index.def(), &equal))
    }
}

/// True when the rows of these indexes cover the period of a key; `lock` keeps them so.
pub(super) fn is_covered(
    ext: &ExecContext<'_>,
    places: &[KeyIndex],
    wanted: &[Datum],
    lock: bool,
) -> PgResult<bool> {
    let Some(period) = wanted.last().and_then(Period::of) else {
        return Ok(false);
    };
    if period.pieces.is_empty() {
        // Nothing shares time with it, so nothing covers it.
        return Ok(false);
    }
    let mut covered = period.none_of();
    for place in places {
        let snapshot = match lock {
            true => ext.with_txn(checking_snapshot)?,
            false => ext.with_txn(|txn| txn.latest_snapshot())?,
        };
        for (row, theirs) in place.sharing(ext, &snapshot, wanted)? {
            covered.extend(match lock {
                true => place.lock(ext, &snapshot, (row, theirs), wanted)?,
                false => Some(theirs),
            });
        }
    }
    Ok(covered.covers(&period))
}

/// True when a row of a referencing table shares time with a key that is no more, and other rows do not cover what they shared.
pub(super) fn uncovered(
    ext: &ExecContext<'_>,
    foreign: &FkReferenced,
    table: &Arc<RelationDesc>,
    columns: &[usize],
    old: &[Datum],
) -> PgResult<bool> {
    let check = FkCheck::compile(ext.catalog, &foreign.constraint)?;
    let gone = old.last().and_then(Period::of);
    let opened = ext.relations.table(table)?;
    let snapshot = ext.with_txn(|txn| txn.latest_snapshot())?;
    let wanted: Vec<u16> = columns.iter().map(|c| *c as u16).collect();
    for row in matching_rows(ext, table, columns, old, Match::SharingTime)? {
        let mut key = Vec::new();
        if !opened.fetch_columns(row, &snapshot, &wanted, &mut key)? {
            continue;
        }
        let theirs = key.pop().as_ref().and_then(Period::of);
        let (Some(gone), Some(theirs)) = (&gone, theirs) else {
            continue;
        };
        let referenced: Option<Vec<Datum>> =
            key.iter().zip(&check.key).map(|(v, t)| convert(v, *t)).collect();
        let Some(mut wanted) = referenced else {
            continue;
        };
        wanted.push(theirs.intersection(gone).into_datum());
        if !check.exists(ext, &wanted)? {
            return Ok(true);
        }
    }
    Ok(false)
}
