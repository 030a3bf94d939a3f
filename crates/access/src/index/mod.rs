//! B-tree indexes: the handle that the executor works with; changing entries and looking keys up.
//!
//! Entries are versioned like rows, so what a scan gives is visible: no re-check against the table, index-only scans always.

mod ahead;
mod build;
mod bundle;
pub(crate) mod complete;
pub(crate) mod delta;
pub(crate) mod entries;
mod exclusion;
pub(crate) mod fold;
pub(crate) mod leaf;
mod many;
mod merge;
mod online;
pub(crate) mod pack;
mod repack;
mod run;
mod scan;
mod sorter;
pub(crate) mod store;
mod thin;
pub(crate) mod vacancy;
pub(crate) mod value;
mod verify;

use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{Oid, PgResult, RelationId, RowId, Xid, invariant};
use smallvec::SmallVec;
use txn::{Snapshot, Stamp, StampState, WriteTarget};
use types::{Datum, key};

pub use build::{BuildOutcome, IndexBuilder};
pub use exclusion::{Excluding, ExclusionProbe, Judge, TransactionMark, Verdict};
pub use many::KeyList;
pub use online::Adopted;
pub use run::EntryRun;
pub use scan::{IndexBounds, IndexScan, KeyBound};

use crate::ahead::gate::Gate;
use crate::defs::{IndexDef, IndexState, Persistence};
use crate::index::delta::EntryVersion;
use crate::index::store::{EntryHead, EntryKey, IndexStore, copy_of, entry_key, entry_row};
use crate::index::vacancy::{Above, Found};
use crate::serial;
use crate::storage::FIRST_RELATION;
use crate::transaction::Transaction;
use crate::transaction::obstacle::Obstacle;
use crate::transaction::redo::RedoOp;
use crate::transaction::writes::Write;
use txn::versions::visible;

/// What an insertion checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UniqueCheck {
    /// Nothing (not unique, or checked later).
    No,
    /// No other live entry may have the key.
    Yes,
    /// Inserts whatever is there, and tells of an entry that has the key or may have it (deferrable constraints: only then a
    /// later check is needed, because whoever comes second sees the first).
    Partial,
    /// Inserts nothing: checks whether another row has the key by now (deferred constraints).
    Existing,
}

/// Estimates of an index's size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IndexSize {
    /// Entries.
    pub tuples: u64,
    /// 8 kB pages that PostgreSQL's B-tree would have, metapage included.
    pub pages: u64,
    /// Levels above the leaves.
    pub height: u32,
}

/// An index, opened under a definition. Cheap to clone.
#[derive(Clone)]
pub struct Index {
    pub(crate) def: Arc<IndexDef>,
    pub(crate) store: Arc<IndexStore>,
}

/// Who has a key already.
enum Holder {
    /// And this is the next entry above the key.
    Nobody(Above),
    Row(RowId),
    /// In progress: it depends on how that ends.
    Pending(Xid),
}

impl Index {
    pub(crate) fn new(def: Arc<IndexDef>, store: Arc<IndexStore>) -> Index {
        let known = store.def.load();
        if known.as_ref().is_none_or(|known| known.state < def.state) {
            store.def.store(Some(Arc::clone(&def)));
        }
        Index { def, store }
    }

    /// Where the entries are.
    pub fn id(&self) -> RelationId {
        self.def.id
    }

    /// `pg_class.oid`.
    pub fn oid(&self) -> Oid {
        self.def.oid
    }

    /// The definition it was opened under.
    pub fn def(&self) -> &Arc<IndexDef> {
        &self.def
    }

    /// The size now, without counting.
    pub fn size(&self) -> IndexSize {
        let tuples = self.store.entries.load(Ordering::Relaxed).max(0) as u64;
        // Index tuple header and line pointer: 12 bytes beside the key, of which 9 are our row id and marker; 90 % full pages.
        let bytes = self.store.bytes.load(Ordering::Relaxed).max(0) as u64 + 8 * tuples;
        let leaves = bytes.div_ceil(7300);
        let height = (leaves.max(1) as f64).log(300.0).ceil() as u32;
        let inner = leaves / 280;
        IndexSize {
            tuples,
            pages: 1 + leaves + inner + u64::from(height > 0),
            height,
        }
    }

    /// The key bytes of a full key or of a prefix of its columns, for [`Index::lookup`]. Replaces the content of `out`.
    pub fn encode_prefix(&self, values: &[Datum], out: &mut Vec<u8>) {
        out.clear();
        key::encode_all(&self.def.columns, values, out);
    }

    /// Inserts an entry. `Ok(Err(row))`: another row has the key. Waits for transactions that may yet give the key up.
    pub fn insert(
        &self,
        txn: &mut Transaction,
        values: &[Datum],
        include: &[Datum],
        row: RowId,
        check: UniqueCheck,
    ) -> PgResult<Result<(), RowId>> {
        invariant!(
            values.len() == self.def.columns.len(),
            "index key has another number of columns"
        );
        let stamp = txn.stamp()?;
        let mut prefix = std::mem::take(&mut txn.buffer);
        prefix.clear();
        let exact = key::encode_all(&self.def.columns, values, &mut prefix);
        let outcome = self.insert_encoded(txn, stamp, &prefix, row, check, values, include, exact);
        txn.buffer = prefix;
        outcome
    }

    fn insert_encoded(
        &self,
        txn: &mut Transaction,
        stamp: Stamp,
        prefix: &[u8],
        row: RowId,
        check: UniqueCheck,
        values: &[Datum],
        include: &[Datum],
        exact: bool,
    ) -> PgResult<Result<(), RowId>> {
        let check = if self.exempt_from_unique(values) {
            UniqueCheck::No
        } else {
            check
        };
        let (mut found, mut obstacle) = (Ok(()), Obstacle::default());
        let key = entry_key(prefix, row);
        let version = loop {
            let latch = self.store.latch(prefix).lock();
            let mut found_none = None;
            if check != UniqueCheck::No
                && let Some(ticket) = self.store.vacancy.look(prefix)
            {
                match self.holder(prefix, row, stamp)? {
                    Holder::Nobody(above) => found_none = Some(Found { ticket, above }),
                    Holder::Row(_) | Holder::Pending(_) if check == UniqueCheck::Partial => found = Err(row),
                    Holder::Row(other) => {
                        drop(latch);
                        // A serialization failure says more than a duplicate key.
                        self.tell_write(txn, prefix)?;
                        return Ok(Err(other));
                    }
                    Holder::Pending(xid) => {
                        drop(latch);
                        obstacle.met(txn, xid)?;
                        continue;
                    }
                }
            }
            if check == UniqueCheck::Existing {
                return Ok(Ok(()));
            }
            let value = value::encode(values, include, exact);
            let version = Arc::new(EntryVersion::new(stamp, txn.command(), value));
            self.store.push_after_search(&key, &version, found_none);
            break version;
        };
        self.record_insert(txn, key, &version)?;
        Ok(found)
    }

    fn record_insert(
        &self,
        txn: &mut Transaction,
        key: EntryKey,
        version: &Arc<EntryVersion>,
    ) -> PgResult<()> {
        if let Some(load) = self.load_of(txn, entry_row(&key)?) {
            let entry = (key.clone(), Arc::clone(version));
            txn.wait_entries(&self.store, &load, std::iter::once(entry))?;
            return self.tell_write(txn, &key);
        }
        let waits = self.waits_for_commit(txn, entry_row(&key)?);
        let op = (!waits && self.is_logged()).then(|| RedoOp::EntryPut(self.store.id, &key, &version.value));
        let write = Write::EntryInsert {
            index: Arc::clone(&self.store),
            key: copy_of(&key),
            version: Arc::clone(version),
            waits,
        };
        txn.record(write, op)?;
        self.tell_write(txn, &key)
    }

    fn tell_write(&self, txn: &Transaction, key: &[u8]) -> PgResult<()> {
        serial::wrote(txn, WriteTarget::Entry(self.def.oid.0, key))
    }

    /// Inserts an entry that nothing conflicts with.
    pub(crate) fn insert_new(&self, txn: &mut Transaction, key: EntryKey, value: Box<[u8]>) -> PgResult<()> {
        let version = Arc::new(EntryVersion::new(txn.stamp()?, txn.command(), value));
        {
            let _latch = self.store.latch(store::entry_prefix(&key)).lock();
            self.store.push_version(&key, &version);
        }
        self.record_insert(txn, key, &version)
    }

    fn is_logged(&self) -> bool {
        self.def.persistence == Persistence::Permanent
    }

    /// A key with a NULL equals no other, unless the index says otherwise.
    fn exempt_from_unique(&self, values: &[Datum]) -> bool {
        !self.def.nulls_not_distinct && values.iter().any(Datum::is_null)
    }

    /// The row that has a key now, as an insertion would find it: waits for transactions in progress (`ON CONFLICT`, exclusion).
    pub fn conflicting_row(
        &self,
        txn: &mut Transaction,
        values: &[Datum],
        exclude: Option<RowId>,
    ) -> PgResult<Option<RowId>> {
        if self.exempt_from_unique(values) {
            return Ok(None);
        }
        let stamp = txn.stamp()?;
        let mut prefix = Vec::new();
        self.encode_prefix(values, &mut prefix);
        let mut obstacle = Obstacle::default();
        loop {
            // A row id that is never given out excludes nothing.
            let holder = {
                let _latch = self.store.latch(&prefix).lock();
                self.holder(&prefix, exclude.unwrap_or(RowId(u64::MAX)), stamp)?
            };
            match holder {
                Holder::Nobody(_) => return Ok(None),
                Holder::Row(row) => return Ok(Some(row)),
                Holder::Pending(xid) => obstacle.met(txn, xid)?,
            }
        }
    }

    /// Looks at all entries with a key. The caller holds its latch, so nothing moves but stamps.
    fn holder(&self, prefix: &[u8], own_row: RowId, own: Stamp) -> PgResult<Holder> {
        // Rows that delta knows: what leaves say of them does not count.
        let mut judged: SmallVec<[RowId; 4]> = SmallVec::new();
        let mut next = self.store.delta.at_or_above(prefix);
        let mut above = Above::Nothing;
        while let Some(entry) = next {
            if !is_entry_of(entry.key(), prefix) {
                above = Above::Key(copy_of(entry.key()));
                break;
            }
            let row = entry_row(entry.key())?;
            if row != own_row {
                match self.state_of(entry.value(), own) {
                    EntryState::Live => return Ok(Holder::Row(row)),
                    EntryState::Pending(xid) => return Ok(Holder::Pending(xid)),
                    EntryState::Dead if entry.value().load().is_some() => judged.push(row),
                    EntryState::Dead => {}
                }
            }
            next = entry.next();
        }
        let mut from: EntryKey = EntryKey::from_slice(prefix);
        loop {
            let leaf = self.store.leaf_at(&from)?;
            for i in leaf.lower_bound(&from)..leaf.len() {
                let key = leaf.key(i);
                if !is_entry_of(key, prefix) {
                    return Ok(Holder::Nobody(above.min(Above::Key(EntryKey::from_slice(key)))));
                }
                let row = entry_row(key)?;
                // Row ids ascend in both.
                if row != own_row && judged.binary_search(&row).is_err() {
                    match self.leaf_entry_state(row, own) {
                        EntryState::Live => return Ok(Holder::Row(row)),
                        EntryState::Pending(xid) => return Ok(Holder::Pending(xid)),
                        EntryState::Dead => {}
                    }
                }
            }
            match &leaf.high {
                Some(high) if high.starts_with(prefix) => from = high.clone(),
                Some(high) => return Ok(Holder::Nobody(above.min(Above::Key(copy_of(high))))),
                None => return Ok(Holder::Nobody(above)),
            }
        }
    }

    /// What an insertion has to think of an entry that only a leaf has.
    fn leaf_entry_state(&self, row: RowId, own: Stamp) -> EntryState {
        let table = self.store.shared.table();
        let ends = |gate: &Gate| gate.state(table) != StampState::Never;
        if let Some(ends) = self.store.ends.find(row, ends) {
            let gate = &ends.gate;
            return match gate.state(table) {
                _ if gate.begin.load() == own => EntryState::Dead,
                StampState::InProgress(xid) => EntryState::Pending(xid),
                StampState::Committed(_) => EntryState::Dead,
                StampState::Never => EntryState::Live,
            };
        }
        let Some(gate) = self.store.gates.find(row) else {
            return EntryState::Live;
        };
        if gate.begin.load() == own {
            return EntryState::Live;
        }
        match gate.state(table) {
            StampState::Committed(_) => EntryState::Live,
            StampState::InProgress(xid) => EntryState::Pending(xid),
            StampState::Never => EntryState::Dead,
        }
    }

    fn state_of(&self, head: &EntryHead, own: Stamp) -> EntryState {
        let table = self.store.shared.table();
        let mut next = head.load_full();
        while let Some(version) = next {
            if version.begin.load() != own {
                match version.begin.resolve(table) {
                    StampState::InProgress(xid) => return EntryState::Pending(xid),
                    StampState::Never => {
                        next = version.older.load_full();
                        continue;
                    }
                    StampState::Committed(_) => {}
                }
            }
            let end = version.end.load();
            if end == Stamp::NEVER {
                return EntryState::Live;
            }
            if end == own {
                return EntryState::Dead;
            }
            return match version.end.resolve(table) {
                StampState::Never => EntryState::Live,
                StampState::InProgress(xid) => EntryState::Pending(xid),
                StampState::Committed(_) => EntryState::Dead,
            };
        }
        EntryState::Dead
    }

    /// Marks an entry as deleted. False if there is no such entry alive.
    pub fn delete(&self, txn: &mut Transaction, values: &[Datum], row: RowId) -> PgResult<bool> {
        let stamp = txn.stamp()?;
        let mut prefix = std::mem::take(&mut txn.buffer);
        self.encode_prefix(values, &mut prefix);
        let key = entry_key(&prefix, row);
        if self.ends_with_row(txn, &prefix, &key, row) {
            txn.buffer = prefix;
            return self.tell_write(txn, &key).map(|()| true);
        }
        let claimed = match self.def.state {
            IndexState::WriteOnly => self.take_or_mark(txn, &prefix, &key, stamp),
            IndexState::DeleteOnly | IndexState::Complete => {
                let _latch = self.store.latch(&prefix).lock();
                self.claim(&key, stamp, txn)
            }
        };
        txn.buffer = prefix;
        let Some(version) = claimed? else { return Ok(false) };
        let op = self
            .is_logged()
            .then_some(RedoOp::EntryDelete(self.store.id, &key));
        let write = Write::EntryDelete {
            index: Arc::clone(&self.store),
            key: key.clone(),
            version,
        };
        txn.record(write, op)?;
        self.tell_write(txn, &key)?;
        Ok(true)
    }

    /// True when the transaction has marked the row as deleted, and the entry goes with it: delta has nothing of it.
    fn ends_with_row(&self, txn: &Transaction, prefix: &[u8], key: &EntryKey, row: RowId) -> bool {
        let Some(deletion) = self.def.table.and_then(|table| txn.deletion_with(row, table)) else {
            return false;
        };
        if self.def.state != IndexState::Complete
            || self.def.builtin.is_some()
            || self.store.id < FIRST_RELATION
        {
            return false;
        }
        let _latch = self.store.latch(prefix).lock();
        let in_delta = self
            .store
            .delta
            .get(key)
            .is_some_and(|entry| entry.value().load().is_some());
        !in_delta && deletion.end_entry(&self.store, key, row)
    }

    /// The newest version of an entry, claimed; made from main if delta has none. The caller holds the latch.
    fn claim(&self, key: &EntryKey, stamp: Stamp, txn: &Transaction) -> PgResult<Option<Arc<EntryVersion>>> {
        if let Some(entry) = self.store.delta.get(key) {
            if let Some(version) = entry.value().load_full() {
                return Ok(version.claim(stamp, txn.command()).is_ok().then_some(version));
            }
        }
        let leaf = self.store.leaf_at(key)?;
        let at = leaf.lower_bound(key);
        if at >= leaf.len() || leaf.key(at) != key.as_slice() {
            return Ok(None);
        }
        let Some(base) = self.store.base_version(key, leaf.value(at))? else {
            return Ok(None);
        };
        let claimed = base.claim(stamp, txn.command());
        invariant!(claimed.is_ok(), "a new version has an end");
        self.store.push_version(key, &base);
        self.store.count(-1, key);
        Ok(Some(base))
    }

    /// The first row with this full key (from [`Index::encode_prefix`]) that the snapshot sees: the path of point statements.
    pub fn lookup(&self, snapshot: &Snapshot, prefix: &[u8]) -> PgResult<Option<RowId>> {
        if snapshot.serial != 0 {
            return self.lookup_by_scan(snapshot, prefix);
        }
        loop {
            let leaf = self.store.leaf_at(prefix)?;
            let seen = self.lookup_in_delta(snapshot, prefix)?;
            if !self.store.is_current(&leaf) {
                continue;
            }
            if let Some(row) = seen {
                return Ok(Some(row));
            }
            let mut at = leaf.lower_bound(prefix);
            while at < leaf.len() && is_entry_of(leaf.key(at), prefix) {
                if self.sees_leaf_entry(snapshot, leaf.key(at)) {
                    break;
                }
                at += 1;
            }
            if at < leaf.len() && is_entry_of(leaf.key(at), prefix) {
                // What says that it has ended may have been forgotten, after its leaf was retired.
                if !self.store.is_current(&leaf) {
                    continue;
                }
                return entry_row(leaf.key(at)).map(Some);
            }
            let spills_over = leaf
                .high
                .as_ref()
                .is_some_and(|high| at == leaf.len() && high.starts_with(prefix));
            if !self.store.is_current(&leaf) {
                continue;
            }
            return if spills_over {
                self.lookup_by_scan(snapshot, prefix)
            } else {
                Ok(None)
            };
        }
    }

    /// Appends all rows whose key begins with these bytes (from [`Index::encode_prefix`]) that the snapshot sees, in index order: inner
    /// sides of nested loops. False, and nothing appended, where it takes a scan: entries in delta, more than `rows_max` rows.
    pub fn lookup_all(
        &self,
        snapshot: &Snapshot,
        prefix: &[u8],
        rows_max: usize,
        out: &mut Vec<RowId>,
    ) -> PgResult<bool> {
        if snapshot.serial != 0 || !self.store.is_quiet() {
            return Ok(false);
        }
        let before = out.len();
        let mut leaf = self.store.leaf_at(prefix)?;
        let mut at = leaf.lower_bound(prefix);
        loop {
            while at < leaf.len() && leaf.key(at).starts_with(prefix) {
                if out.len() - before >= rows_max {
                    out.truncate(before);
                    return Ok(false);
                }
                out.push(entry_row(leaf.key(at))?);
                at += 1;
            }
            // What came into delta since, no snapshot of before sees; what left it, the leaf may lack.
            if !self.store.is_current(&leaf) || !self.store.is_quiet() {
                out.truncate(before);
                return Ok(false);
            }
            match &leaf.high {
                Some(high) if at == leaf.len() && high.starts_with(prefix) => {
                    let next = high.clone();
                    leaf = self.store.leaf_at(&next)?;
                    at = leaf.lower_bound(&next);
                }
                _ => return Ok(true),
            }
        }
    }

    /// Whether the snapshot sees an entry that the leaf has: delta knows better where it has the entry, too. It may have got it since
    /// delta was searched.
    #[inline]
    fn sees_leaf_entry(&self, snapshot: &Snapshot, key: &[u8]) -> bool {
        let store = &self.store;
        if !store.delta.is_empty() {
            let head = store.delta.get(key).and_then(|e| e.value().load_full());
            if let Some(head) = head {
                return visible(&head, snapshot, store.shared.table()).is_some();
            }
        }
        (store.gates.is_empty() || self.hiding(snapshot, key).is_none()) && !self.has_ended(snapshot, key)
    }

    /// True when the snapshot sees that an entry that only a leaf has went with its row.
    #[inline]
    fn has_ended(&self, snapshot: &Snapshot, key: &[u8]) -> bool {
        let store = &self.store;
        !store.ends.is_empty()
            && entry_row(key).is_ok_and(|row| {
                let open = |gate: &Gate| gate.is_open(snapshot, store.shared.table());
                store.ends.find(row, open).is_some()
            })
    }

    /// The gate that keeps the snapshot from seeing an entry that only a leaf has.
    fn hiding(&self, snapshot: &Snapshot, key: &[u8]) -> Option<Arc<Gate>> {
        let row = entry_row(key).ok()?;
        self.store.gates.hiding(row, snapshot, self.store.shared.table())
    }

    fn lookup_in_delta(&self, snapshot: &Snapshot, prefix: &[u8]) -> PgResult<Option<RowId>> {
        if self.store.delta.is_empty() {
            return Ok(None);
        }
        let last = last_entry(prefix);
        let entries = (Bound::Included(prefix), Bound::Included(&last[..]));
        // Newest row id first: after updates that moved the row, the older entries are dead.
        for entry in self.store.delta.range(entries).rev() {
            let head = entry.value().load_full();
            if head.is_some_and(|head| visible(&head, snapshot, self.store.shared.table()).is_some()) {
                return entry_row(entry.key()).map(Some);
            }
        }
        Ok(None)
    }

    #[cold]
    fn lookup_by_scan(&self, snapshot: &Snapshot, prefix: &[u8]) -> PgResult<Option<RowId>> {
        let bounds = IndexBounds::encoded_prefix(prefix);
        self.scan(snapshot, bounds, crate::table::ScanDirection::Forward)
            .next_row()
    }
}

/// What an insertion has to think of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EntryState {
    Live,
    Dead,
    Pending(Xid),
}

/// The greatest entry that a key can have.
fn last_entry(prefix: &[u8]) -> SmallVec<[u8; 48]> {
    let mut last = SmallVec::from_slice(prefix);
    last.extend_from_slice(&[0xFF; 8]);
    last
}

/// True when the entry has exactly this key (an entry key is the key and 8 bytes).
#[inline]
fn is_entry_of(key: &[u8], prefix: &[u8]) -> bool {
    key.starts_with(prefix)
}
