//! Filling an index while rows change (`CREATE INDEX CONCURRENTLY`).
//!
//! PG: src/backend/catalog/index.c (validate_index), indexcmds.c (DefineIndex).
//!
//! # How it works
//! 1. The index exists, and writers take entries away from it ([`IndexState::DeleteOnly`]); the builder waits for the writers of before,
//!    who know nothing of it. Then writers keep it ([`IndexState::WriteOnly`]), and the builder waits for those who only take away. Were
//!    the first step left out, a writer could put in an entry whose row another one deletes without knowing of the entry.
//! 2. The builder takes a snapshot and reads the table. Each row that it sees gets its entry, unless a writer has dealt with it:
//!    entries go in under the latch of their key, as writers' do, so one of the two sees the other.
//! 3. A writer that takes an entry away which is not there leaves a marker: a version that it began and ended itself. The builder
//!    waits for the end of the writer: after a commit the row needs no entry, after a rollback the marker is gone.
//!
//! # Invariants
//! - The builder commits after each few rows, and never waits while it has uncommitted entries: writers wait for it (an entry of an
//!   uncommitted batch cannot be taken away), so it must not wait for them. And the log has the entry before its removal.
//! - The snapshot stays registered to the end, and a merge keeps what no snapshot sees in an index that lacks entries: so no marker that
//!   the builder must see is cleaned up before.
//!
//! The entries carry the stamps of the builder's batches, not of the rows: older snapshots do not use the index
//! ([`super::complete`]).

use std::sync::Arc;

use common::{Csn, PgResult, RowId, Xid};
use txn::{Stamp, StampState};
use types::{Datum, key};

use crate::index::delta::EntryVersion;
use crate::index::store::{EntryKey, entry_key};
use crate::index::{Holder, Index, value};
use crate::transaction::Transaction;
use crate::transaction::redo::RedoOp;
use crate::transaction::writes::Write;

/// What became of a row's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adopted {
    /// It is there, or not needed any more.
    Done,
    /// It depends on a transaction in progress: commit, wait for it ([`Transaction::wait_for_end`]), ask again.
    WaitFor(Xid),
    /// Another row has the key of a unique index.
    Duplicate(RowId),
}

/// What is known of an entry.
enum Known {
    /// There, or taken away after the builder's snapshot by somebody who has committed.
    Settled,
    Pending(Xid),
    Nothing,
}

impl Index {
    /// Puts in the entry of a row that the builder's snapshot, of `seen`, sees.
    pub fn adopt(
        &self,
        txn: &mut Transaction,
        seen: Csn,
        values: &[Datum],
        include: &[Datum],
        row: RowId,
    ) -> PgResult<Adopted> {
        let stamp = txn.stamp()?;
        let mut prefix = Vec::with_capacity(32);
        let exact = key::encode_all(&self.def.columns, values, &mut prefix);
        let key = entry_key(&prefix, row);
        let version = {
            let _latch = self.store.latch(&prefix).lock();
            match self.known(&key, stamp, seen)? {
                Known::Settled => return Ok(Adopted::Done),
                Known::Pending(xid) => return Ok(Adopted::WaitFor(xid)),
                Known::Nothing => {}
            }
            if self.def.unique && !self.exempt_from_unique(values) {
                match self.holder(&prefix, row, stamp)? {
                    Holder::Nobody(_) => {}
                    Holder::Row(other) => return Ok(Adopted::Duplicate(other)),
                    Holder::Pending(xid) => return Ok(Adopted::WaitFor(xid)),
                }
            }
            let value = value::encode(values, include, exact);
            let version = Arc::new(EntryVersion::new(stamp, txn.command(), value));
            self.store.push_version(&key, &version);
            version
        };
        self.record_insert(txn, key, &version)?;
        Ok(Adopted::Done)
    }

    /// A version that ended before the snapshot says nothing of the row that the snapshot sees: the row got this key back from a writer who
    /// added no entries yet.
    fn known(&self, key: &EntryKey, own: Stamp, seen: Csn) -> PgResult<Known> {
        let table = self.store.shared.table();
        let mut next = self.store.delta.get(key).and_then(|e| e.value().load_full());
        while let Some(version) = next {
            if version.begin.load() == own {
                return Ok(Known::Settled);
            }
            match version.begin.resolve(table) {
                StampState::InProgress(xid) => return Ok(Known::Pending(xid)),
                StampState::Never => next = version.older.load_full(),
                StampState::Committed(_) => {
                    return Ok(match version.end.resolve(table) {
                        StampState::Committed(ended) if ended <= seen => Known::Nothing,
                        _ => Known::Settled,
                    });
                }
            }
        }
        let leaf = self.store.leaf_at(key)?;
        let at = leaf.lower_bound(key);
        let there = at < leaf.len() && leaf.key(at) == key.as_slice();
        Ok(if there { Known::Settled } else { Known::Nothing })
    }

    /// [`Index::delete`] in an index that lacks entries. What is not there gets a marker, which is recorded here.
    #[cold]
    pub(super) fn take_or_mark(
        &self,
        txn: &mut Transaction,
        prefix: &[u8],
        key: &EntryKey,
        stamp: Stamp,
    ) -> PgResult<Option<Arc<EntryVersion>>> {
        loop {
            let latch = self.store.latch(prefix).lock();
            if let Some(builder) = self.pending_insert(key, stamp) {
                drop(latch);
                txn.wait_for(builder)?;
                continue;
            }
            if let Some(version) = self.claim(key, stamp, txn)? {
                return Ok(Some(version));
            }
            let marker = Arc::new(EntryVersion::new(stamp, txn.command(), Box::default()));
            // It is ours alone: nobody can have claimed it.
            let _ours = marker.claim(stamp, txn.command());
            self.store.push_version(key, &marker);
            drop(latch);
            return self.record_marker(txn, key, marker).map(|()| None);
        }
    }

    /// Who has put this entry in and may yet take it back.
    fn pending_insert(&self, key: &EntryKey, own: Stamp) -> Option<Xid> {
        let head = self.store.delta.get(key)?.value().load_full()?;
        if head.begin.load() == own {
            return None;
        }
        match head.begin.resolve(self.store.shared.table()) {
            StampState::InProgress(xid) => Some(xid),
            StampState::Committed(_) | StampState::Never => None,
        }
    }

    fn record_marker(
        &self,
        txn: &mut Transaction,
        key: &EntryKey,
        version: Arc<EntryVersion>,
    ) -> PgResult<()> {
        let made = Write::EntryInsert {
            index: Arc::clone(&self.store),
            key: key.clone(),
            version: Arc::clone(&version),
            waits: false,
        };
        txn.record(made, None)?;
        let op = self
            .is_logged()
            .then_some(RedoOp::EntryDelete(self.store.id, key));
        let ended = Write::EntryDelete {
            index: Arc::clone(&self.store),
            key: key.clone(),
            version,
        };
        txn.record(ended, op)
    }

    /// The transaction declares the index complete: from its commit on, new snapshots use it.
    pub fn declare_complete(&self, txn: &mut Transaction) -> PgResult<()> {
        self.store.complete.built_by(txn.assign_xid()?, Csn(u64::MAX));
        txn.note_built_index();
        let (storage, id) = (Arc::clone(txn.storage()), self.store.id);
        txn.on_commit(move || storage.relation_committed(id, storage.manager().visible_csn()));
        Ok(())
    }
}
