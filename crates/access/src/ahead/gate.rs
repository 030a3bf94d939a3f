//! Gates: when the rows of whole chunks began to be, in one stamp for all of them.
//!
//! # How it works
//! What lies in main or the KV store is as old as can be, unless a gate stands before it: then it began when the gate's stamp says. Who
//! finds a row (or the index entry of a row) in main or the KV store asks the gate *after* that, because the gate stands there before
//! the row does. A version of such a row that delta gets takes its beginning from the gate.
//!
//! # Invariants
//! - A gate goes away only when every snapshot sees that it opened. One whose transaction was rolled back stays until the process
//!   ends: a reader may hold a block of its rows.
//! - Row ids behind a gate are whole chunks and were given to one command of one transaction.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use common::{CommandId, Csn, RowId};
use parking_lot::{Mutex, RwLock};
use txn::{AtomicStamp, Snapshot, Stamp, StampState, TxnTable};

use crate::index::delta::EntryVersion;
use crate::index::store::{EntryKey, IndexStore};
use crate::shared::Shared;
use crate::table::store::TableStore;
use crate::transaction::redo::{RedoOp, put_op};
use crate::transaction::writes::unlink;
use crate::version::Version;

/// When rows began.
pub(crate) struct Gate {
    pub(crate) begin: AtomicStamp,
    pub(crate) command: CommandId,
    /// What ended with it is not in the store any more ([`crate::ahead::ends`]).
    pub(crate) stored: AtomicBool,
    /// Versions in delta that took their beginning from here while it was open how that ends.
    versions: Mutex<Vec<Dated>>,
}

/// A version that began or ended with a gate.
pub(crate) enum Dated {
    Row(Arc<TableStore>, RowId, Arc<Version>),
    Entry(Arc<IndexStore>, EntryKey, Arc<EntryVersion>),
    /// A row that ends with it ([`crate::ahead::ends`]).
    RowEnd(Arc<Version>),
}

impl Dated {
    fn stamp(&self) -> &AtomicStamp {
        match self {
            Dated::Row(_, _, version) => &version.begin,
            Dated::Entry(_, _, version) => &version.begin,
            Dated::RowEnd(version) => &version.end,
        }
    }
}

impl Gate {
    pub(crate) fn new(begin: Stamp, command: CommandId) -> Arc<Gate> {
        Arc::new(Gate {
            begin: AtomicStamp::new(begin),
            command,
            stored: AtomicBool::new(false),
            versions: Mutex::default(),
        })
    }

    /// Gives a version, which nobody else has yet, its beginning or end. False: what is behind the gate never was.
    pub(crate) fn date(&self, version: Dated) -> bool {
        let mut versions = self.versions.lock();
        let begin = self.begin.load();
        version.stamp().set(begin);
        if begin.is_reference() {
            versions.push(version);
        }
        begin != Stamp::NEVER
    }

    /// The transaction has committed.
    pub(crate) fn settle(&self, csn: Csn) {
        let stamp = Stamp::committed(csn);
        for version in self.set(stamp) {
            version.stamp().set(stamp);
        }
    }

    /// The transaction is rolled back, or a savepoint; its later changes of the rows are undone.
    pub(crate) fn void(&self) {
        for version in self.set(Stamp::NEVER) {
            match version {
                Dated::Row(table, row, version) => unlink(&table, row, &version),
                Dated::Entry(index, key, version) => {
                    index.undo_insert(&key, &version);
                    // It was not counted when delta got it.
                    index.count(1, &key);
                }
                Dated::RowEnd(version) => version.unclaim(),
            }
        }
    }

    /// The log may have changes of what is behind it, which are undone: replay ends with nothing.
    pub(crate) fn put_inverse(&self, out: &mut Vec<u8>) {
        for version in self.versions.lock().iter() {
            match version {
                Dated::Row(table, row, _) if table.is_logged() => {
                    put_op(RedoOp::RowDelete(table.id, *row), out);
                }
                Dated::Entry(index, key, _) if index.is_logged() => {
                    put_op(RedoOp::EntryDelete(index.id, key), out);
                }
                Dated::Row(..) | Dated::Entry(..) | Dated::RowEnd(_) => {}
            }
        }
    }

    fn set(&self, stamp: Stamp) -> Vec<Dated> {
        let mut versions = self.versions.lock();
        self.begin.set(stamp);
        std::mem::take(&mut *versions)
    }

    /// True when the snapshot sees what is behind it.
    #[inline]
    pub(crate) fn is_open(&self, snapshot: &Snapshot, table: &TxnTable) -> bool {
        let begin = self.begin.load();
        if begin.is_reference() {
            return txn::snapshot::happened(&self.begin, self.command, snapshot, table);
        }
        begin.raw() <= snapshot.csn.0
    }

    /// True when every snapshot up to a merge's bound sees it open, and the store has nothing of what ended with it.
    pub(crate) fn is_settled(&self, shared: &Shared, both: Csn) -> bool {
        self.is_stored() && shared.committed(&self.begin).is_some_and(|csn| csn <= both)
    }

    /// True when the store has nothing of what ended with it, and all of what began.
    pub(crate) fn is_stored(&self) -> bool {
        self.stored.load(Ordering::Acquire)
    }

    pub(crate) fn is_void(&self) -> bool {
        Shared::never(&self.begin)
    }

    pub(crate) fn state(&self, table: &TxnTable) -> StampState {
        self.begin.resolve(table)
    }
}

/// The gates of a relation, by row ids; of an index: those of its table's rows that concern it. Mostly there are none.
#[derive(Default)]
pub(crate) struct Gates {
    count: AtomicUsize,
    ranges: RwLock<BTreeMap<u64, (u64, Arc<Gate>)>>,
}

impl Gates {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// The database has ended: a gate holds versions with their relation.
    pub(crate) fn leave(&self) {
        self.count.store(0, Ordering::Release);
        drop(std::mem::take(&mut *self.ranges.write()));
    }

    /// The gate before a row.
    #[inline]
    pub(crate) fn find(&self, row: RowId) -> Option<Arc<Gate>> {
        if self.is_empty() {
            return None;
        }
        self.find_among(row)
    }

    fn find_among(&self, row: RowId) -> Option<Arc<Gate>> {
        let ranges = self.ranges.read();
        let (_, (end, gate)) = ranges.range(..=row.0).next_back()?;
        (row.0 < *end).then(|| Arc::clone(gate))
    }

    /// The gate before a row, if it keeps the snapshot from seeing the row.
    #[inline]
    pub(crate) fn hiding(&self, row: RowId, snapshot: &Snapshot, table: &TxnTable) -> Option<Arc<Gate>> {
        self.find(row).filter(|gate| !gate.is_open(snapshot, table))
    }

    /// Puts a gate before rows. They have none.
    pub(crate) fn add(&self, rows: Range<u64>, gate: &Arc<Gate>) {
        let mut ranges = self.ranges.write();
        let before = ranges.range_mut(..=rows.start).next_back();
        match before {
            Some((_, (end, last))) if *end >= rows.start && Arc::ptr_eq(last, gate) => {
                *end = rows.end.max(*end);
            }
            _ => {
                ranges.insert(rows.start, (rows.end, Arc::clone(gate)));
            }
        }
        self.count.store(ranges.len(), Ordering::Release);
    }

    /// Takes away those that every snapshot sees open.
    pub(crate) fn forget(&self, shared: &Shared, horizon: Csn) {
        if self.is_empty() {
            return;
        }
        let mut ranges = self.ranges.write();
        let open = |gate: &Gate| shared.committed(&gate.begin).is_some_and(|csn| csn <= horizon);
        ranges.retain(|_, (_, gate)| !open(gate));
        self.count.store(ranges.len(), Ordering::Release);
    }

    /// The last opening that some snapshot may not see.
    pub(crate) fn newest(&self, shared: &Shared) -> Csn {
        let ranges = self.ranges.read();
        let csns = ranges
            .values()
            .filter_map(|(_, gate)| shared.committed(&gate.begin));
        csns.max().unwrap_or_default()
    }
}
