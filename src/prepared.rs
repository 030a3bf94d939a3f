//! The prepared transactions of a database, between the two phases of their commit.
//!
//! PG: src/backend/access/transam/twophase.c.

use std::collections::BTreeMap;
use std::sync::Arc;

use access::{CatalogRelation, PreparedCopy, PreparedInfo, PreparedTransaction, Transaction};
use common::error::ErrorExt;
use common::{Oid, PgResult, Xid, pg_err};
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::database::Inner;

/// Longest identifier, with PostgreSQL's closing zero.
const GID_BYTES: usize = 200;

/// By identifier; `None` while somebody is at it.
pub(crate) struct PreparedTransactions {
    max: u32,
    all: Mutex<BTreeMap<String, Option<PreparedTransaction>>>,
    /// Somebody is no longer at one.
    settled: Condvar,
}

impl PreparedTransactions {
    /// None yet, and so many at most.
    pub fn new(max: u32) -> PreparedTransactions {
        PreparedTransactions {
            max,
            all: Mutex::default(),
            settled: Condvar::new(),
        }
    }

    /// `max_prepared_transactions`.
    pub fn max(&self) -> u32 {
        self.max
    }

    /// The first phase of a transaction that has done all it does before a commit. On error it has been rolled back.
    pub fn prepare(&self, txn: Transaction, info: PreparedInfo) -> PgResult<()> {
        let gid = info.gid.clone();
        self.reserve(&gid)?;
        let outcome = txn.prepare(info);
        let _settled = Settled(self);
        match outcome {
            Ok(prepared) => {
                self.all.lock().insert(gid, Some(prepared));
                Ok(())
            }
            Err(error) => {
                self.all.lock().remove(&gid);
                Err(error)
            }
        }
    }

    fn reserve(&self, gid: &str) -> PgResult<()> {
        if gid.len() >= GID_BYTES {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "transaction identifier \"{gid}\" is too long"
            ));
        }
        if self.max == 0 {
            return Err(pg_err!(
                OBJECT_NOT_IN_PREREQUISITE_STATE,
                "prepared transactions are disabled"
            )
            .hint("Set \"max_prepared_transactions\" to a nonzero value."));
        }
        let mut all = self.all.lock();
        if all.contains_key(gid) {
            return Err(pg_err!(
                DUPLICATE_OBJECT,
                "transaction identifier \"{gid}\" is already in use"
            ));
        }
        if all.len() >= self.max as usize {
            return Err(
                pg_err!(OUT_OF_MEMORY, "maximum number of prepared transactions reached").hint(format!(
                    "Increase \"max_prepared_transactions\" (currently {}).",
                    self.max
                )),
            );
        }
        all.insert(gid.to_owned(), None);
        Ok(())
    }

    /// Takes one to end it; `may` says whether the session's role may, given the owner.
    fn take(&self, gid: &str, may: impl Fn(Oid) -> bool) -> PgResult<PreparedTransaction> {
        let mut all = self.all.lock();
        let Some(place) = all.get_mut(gid) else {
            return Err(pg_err!(
                UNDEFINED_OBJECT,
                "prepared transaction with identifier \"{gid}\" does not exist"
            ));
        };
        match place {
            None => Err(pg_err!(
                OBJECT_NOT_IN_PREREQUISITE_STATE,
                "prepared transaction with identifier \"{gid}\" is busy"
            )),
            Some(found) if !may(found.info().owner) => Err(pg_err!(
                INSUFFICIENT_PRIVILEGE,
                "permission denied to finish prepared transaction"
            )
            .hint("Must be superuser or the user that prepared the transaction.")),
            Some(_) => place
                .take()
                .ok_or_else(|| common::internal!("prepared transaction vanished")),
        }
    }

    /// COMMIT PREPARED. If the log cannot be written it stays prepared.
    pub fn commit(&self, gid: &str, may: impl Fn(Oid) -> bool) -> PgResult<()> {
        let outcome = self.take(gid, may)?.commit();
        let _settled = Settled(self);
        let mut all = self.all.lock();
        match outcome {
            Ok(_) => {
                all.remove(gid);
                Ok(())
            }
            Err((still, error)) => {
                all.insert(gid.to_owned(), Some(*still));
                Err(error)
            }
        }
    }

    /// ROLLBACK PREPARED.
    pub fn rollback(&self, gid: &str, may: impl Fn(Oid) -> bool) -> PgResult<()> {
        let outcome = self.take(gid, may)?.rollback();
        let _settled = Settled(self);
        self.all.lock().remove(gid);
        outcome
    }

    /// All of them for a copy of the database, and what keeps them as they are until it is dropped.
    pub fn copies(&self, logged: bool) -> PgResult<(Vec<PreparedCopy>, impl Drop + '_)> {
        let mut all = self.all.lock();
        while all.values().any(Option::is_none) {
            self.settled.wait(&mut all);
        }
        let copies: PgResult<Vec<_>> = all.values().flatten().map(|p| p.copy(logged)).collect();
        Ok((copies?, Kept { _all: all }))
    }

    /// All that nobody is ending right now (`pg_prepared_xacts`).
    pub fn list(&self) -> Vec<(Xid, PreparedInfo)> {
        let all = self.all.lock();
        let waiting = all.values().flatten();
        waiting.map(|p| (p.xid(), p.info().clone())).collect()
    }

    /// The database closes: they wait in the log.
    pub fn abandon(&self) {
        self.all.lock().clear();
    }
}

/// Tells those who wait, behind the change that it was made for.
struct Settled<'p>(&'p PreparedTransactions);

impl Drop for Settled<'_> {
    fn drop(&mut self) {
        self.0.settled.notify_all();
    }
}

/// While it lives, nobody prepares a transaction or ends a prepared one.
struct Kept<'p> {
    _all: MutexGuard<'p, BTreeMap<String, Option<PreparedTransaction>>>,
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {}
}

impl Inner {
    /// Takes up what was prepared before the database was opened.
    pub fn resume_prepared(&self) -> PgResult<()> {
        let catalog = &self.catalog;
        let open = |relation| match relation {
            CatalogRelation::Table(id) => catalog.table(Oid(id.0 as u32)).map(|_| ()),
            CatalogRelation::Index(id) => catalog.index(Oid(id.0 as u32)).map(|_| ()),
        };
        let found = self.storage.resume_prepared(&open)?;
        let mut all = self.prepared.all.lock();
        for mut prepared in found {
            let catalog = Arc::clone(catalog);
            // It may have changed definitions: nobody remembers.
            prepared.on_commit(move || catalog.forget_descriptors());
            all.insert(prepared.info().gid.clone(), Some(prepared));
        }
        Ok(())
    }
}
