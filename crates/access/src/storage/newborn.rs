//! Relations whose contents went straight into the store before their creation was committed ([`crate::direct`]).
//!
//! # How it works
//! With the first bytes of such a relation the store gets a note of it. The checkpoint behind the commit takes the note away, in the batch
//! that lets the log go which knows of the commit. Opening a database finds notes: a relation that the log does not know never came to be,
//! and is removed like a dropped one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{Csn, PgResult, RelationId};
use kv::WriteBatch;
use parking_lot::Mutex;
use rustc_hash::FxHashSet;
use txn::{AtomicStamp, Stamp};

use crate::shared::Shared;
use crate::storage::open::RECOVERED;
use crate::storage::{Storage, meta};
use crate::transaction::Transaction;
use crate::transaction::redo::{RedoOp, take_op};
use crate::transaction::writes::Write;

/// A relation that the store has a note of.
pub(crate) struct Newborn {
    pub(crate) id: RelationId,
    /// When its creation was committed.
    pub(crate) begin: AtomicStamp,
    /// A prepared transaction will decide, which nobody has taken up since the start.
    pub(crate) in_doubt: AtomicBool,
}

/// All of a database.
#[derive(Default)]
pub(crate) struct Newborns(Mutex<Vec<Arc<Newborn>>>);

impl Newborns {
    pub(crate) fn find(&self, id: RelationId) -> Option<Arc<Newborn>> {
        self.0.lock().iter().find(|one| one.id == id).cloned()
    }

    fn add(&self, id: RelationId, begin: Stamp, in_doubt: bool) -> Arc<Newborn> {
        let newborn = Arc::new(Newborn {
            id,
            begin: AtomicStamp::new(begin),
            in_doubt: AtomicBool::new(in_doubt),
        });
        self.0.lock().push(Arc::clone(&newborn));
        newborn
    }

    /// Adds that the notes go of those committed up to a CSN; which these are, and those that never came to be, whose notes go with them.
    pub(crate) fn put_notes(&self, shared: &Shared, to: Csn, batch: &mut WriteBatch) -> Vec<Arc<Newborn>> {
        let mut gone = Vec::new();
        for newborn in self.0.lock().iter() {
            let committed = shared.committed(&newborn.begin).is_some_and(|csn| csn <= to);
            if committed {
                meta::delete_newborn(newborn.id, batch);
            }
            let never = Shared::never(&newborn.begin) && !newborn.in_doubt.load(Ordering::Acquire);
            if committed || never {
                gone.push(Arc::clone(newborn));
            }
        }
        gone
    }

    pub(crate) fn forget(&self, gone: &[Arc<Newborn>]) {
        let is_gone = |one: &Arc<Newborn>| gone.iter().any(|other| Arc::ptr_eq(one, other));
        self.0.lock().retain(|one| !is_gone(one));
    }
}

impl Transaction {
    /// A relation of its own gets contents past memory and log, beginning with this batch.
    pub(crate) fn note_newborn(&mut self, id: RelationId, batch: &mut WriteBatch) -> PgResult<()> {
        let shared = Arc::clone(&self.storage().shared);
        if shared.newborns.find(id).is_some() {
            return Ok(());
        }
        let newborn = shared.newborns.add(id, self.stamp()?, false);
        meta::put_newborn(id, batch);
        self.record(Write::Newborn(newborn), None)
    }
}

impl Storage {
    /// Takes up the relations that the store has notes of; those that the log does not know are removed.
    pub(super) fn adopt_newborns(&self, created: &FxHashSet<RelationId>) -> PgResult<()> {
        let notes = meta::read_newborns(&*self.shared.kv)?;
        if notes.is_empty() {
            return Ok(());
        }
        let doubtful = self.created_in_doubt()?;
        for id in notes {
            if created.contains(&id) {
                self.shared.newborns.add(id, Stamp::committed(RECOVERED), false);
            } else if doubtful.contains(&id) {
                self.shared.newborns.add(id, Stamp::NEVER, true);
            } else {
                self.forget_relation(id);
            }
        }
        Ok(())
    }

    fn created_in_doubt(&self) -> PgResult<FxHashSet<RelationId>> {
        let mut found = FxHashSet::default();
        for part in self.in_doubt.lock().iter().flat_map(|one| &one.parts) {
            let mut rest = part.as_slice();
            while !rest.is_empty() {
                if let RedoOp::Created(id) = take_op(&mut rest)? {
                    found.insert(id);
                }
            }
        }
        Ok(found)
    }
}
