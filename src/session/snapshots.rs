//! Exported snapshots: `pg_export_snapshot` and SET TRANSACTION SNAPSHOT, between sessions of a database.
//!
//! PG: src/backend/utils/time/snapmgr.c. There an exported snapshot is a file; here it stands in a table of the database until its
//! transaction ends.

use access::ExportedSnapshot;
use common::{PgResult, pg_err};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use types::Datum;

use crate::session::Session;
use crate::session::core::SessionCore;
use crate::session::env::StatementEnv;

/// The exported snapshots of a database.
#[derive(Default)]
pub(crate) struct ExportedSnapshots {
    by_name: Mutex<FxHashMap<String, ExportedSnapshot>>,
}

impl StatementEnv<'_> {
    /// `pg_export_snapshot()`.
    pub(crate) fn export_snapshot(&self) -> PgResult<Datum> {
        if self.core.savepoints.get() > 0 {
            return Err(pg_err!(
                ACTIVE_SQL_TRANSACTION,
                "cannot export a snapshot from a subtransaction"
            ));
        }
        let mut txn = self.txn.borrow_mut();
        let snapshot = match self.snapshot {
            Some(snapshot) => snapshot.clone(),
            None => txn.snapshot()?,
        };
        let exported = txn.export_snapshot(&snapshot);
        let vxid = txn.txn()?.vxid();
        let mut mine = self.core.exported.borrow_mut();
        let name = format!("{:08X}-{:08X}-{}", vxid.proc_number, vxid.local, mine.len() + 1);
        let mut all = self.core.db.exported.by_name.lock();
        all.insert(name.clone(), exported);
        mine.push(name.clone());
        Ok(Datum::text(name))
    }
}

impl SessionCore {
    /// The end of the transaction: nobody can take its snapshots any more.
    pub(crate) fn withdraw_snapshots(&self) {
        self.savepoints.set(0);
        if self.exported.borrow().is_empty() {
            return;
        }
        let mut all = self.db.exported.by_name.lock();
        for name in self.exported.borrow_mut().drain(..) {
            all.remove(&name);
        }
    }
}

impl Session {
    /// SET TRANSACTION SNAPSHOT.
    pub(crate) fn import_snapshot(&mut self, name: &str) -> PgResult<()> {
        self.ensure_transaction()?;
        let Some(txn) = &self.block.txn else {
            return Err(common::internal!("no transaction"));
        };
        let mut txn = txn.borrow_mut();
        if self.block.used || txn.xid().is_some() || self.core.savepoints.get() > 0 {
            return Err(pg_err!(
                ACTIVE_SQL_TRANSACTION,
                "SET TRANSACTION SNAPSHOT must be called before any query"
            ));
        }
        if !txn.uses_one_snapshot() {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "a snapshot-importing transaction must have isolation level SERIALIZABLE or REPEATABLE READ"
            ));
        }
        if name.is_empty()
            || !name
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F' | b'-'))
        {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "invalid snapshot identifier: \"{name}\""
            ));
        }
        // Taken out of the table, it stays registered until this transaction has it.
        let found = self.core.db.exported.by_name.lock().get(name).cloned();
        let Some(found) = found else {
            return Err(pg_err!(UNDEFINED_OBJECT, "snapshot \"{name}\" does not exist"));
        };
        txn.import_snapshot(&found)?;
        drop(txn);
        self.block.used = true;
        Ok(())
    }
}
