//! PREPARE TRANSACTION, COMMIT PREPARED, ROLLBACK PREPARED.
//!
//! PG: src/backend/access/transam/xact.c (PrepareTransaction), twophase.c.

use std::sync::Arc;

use access::PreparedInfo;
use catalog::CatalogView;
use common::{PgResult, pg_err};
use txn::LockTag;
use types::Datum;

use crate::session::Session;
use crate::session::core::EPOCH_MICROS;

impl Session {
    /// PREPARE TRANSACTION; the command tag.
    pub(crate) fn prepare_transaction(&mut self, gid: &str) -> PgResult<&'static str> {
        if self.block.failed {
            self.rollback_block();
            return Ok("ROLLBACK");
        }
        if !self.block.explicit {
            self.warn_no_transaction();
            self.commit_transaction()?;
            return Ok("ROLLBACK");
        }
        if let Err(e) = self.hand_over(gid) {
            self.rollback_block();
            return Err(e);
        }
        self.core.guc.borrow_mut().commit();
        self.end_block();
        Ok("PREPARE TRANSACTION")
    }

    /// Gives the transaction away, and with it the session's place in the table of transactions.
    fn hand_over(&mut self, gid: &str) -> PgResult<()> {
        self.ensure_transaction()?;
        if self.has_uncommitted_hold_cursor() {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "cannot PREPARE a transaction that has created a cursor WITH HOLD"
            ));
        }
        if !self.core.exported.borrow().is_empty() {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "cannot PREPARE a transaction that has exported snapshots"
            ));
        }
        self.before_commit()?;
        self.refuse_what_cannot_be_prepared()?;
        let proc = self.core.db.storage.register(self.core.pid)?;
        let Some(txn) = self.block.txn.take() else {
            return Err(common::internal!("block without a transaction"));
        };
        let info = PreparedInfo {
            gid: gid.to_owned(),
            owner: self.core.user.get(),
            database: self.core.db.database_oid,
            prepared_unix_micros: self.core.db.env.now_unix_micros(),
        };
        self.core.sequence_logged.set(false);
        let locks = self.core.db.storage.manager().locks();
        locks.hand_over_session(&self.core.proc, &proc)?;
        if let Err(error) = self.core.db.prepared.prepare(txn.into_inner(), info) {
            locks.hand_over_session(&proc, &self.core.proc)?;
            return Err(error);
        }
        if let Some(entry) = self.core.db.sessions.write().get_mut(&self.core.pid) {
            entry.proc = Arc::clone(&proc);
        }
        self.core.proc = proc;
        Ok(())
    }

    /// What belongs to the session cannot wait for somebody else's COMMIT PREPARED.
    fn refuse_what_cannot_be_prepared(&self) -> PgResult<()> {
        if !self.core.pending_notify.borrow().is_empty() || self.block.listened {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "cannot PREPARE a transaction that has executed LISTEN, UNLISTEN, or NOTIFY"
            ));
        }
        if self.uses_temporary_objects()? {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "cannot PREPARE a transaction that has operated on temporary objects"
            ));
        }
        if self
            .core
            .db
            .storage
            .manager()
            .locks()
            .holds_at_both_levels(&self.core.proc)
        {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "cannot PREPARE while holding both session-level and transaction-level locks on the same object"
            ));
        }
        Ok(())
    }

    fn uses_temporary_objects(&self) -> PgResult<bool> {
        if self.core.used_temp.get() {
            return Ok(true);
        }
        let Some(txn) = &self.block.txn else {
            return Ok(false);
        };
        let locks = {
            let txn = txn.borrow();
            let below = txn.txn()?;
            below.manager().locks().held_by_transaction(below.proc())
        };
        let view = self.current_view()?;
        for (tag, _) in locks {
            if let LockTag::Relation { relation, .. } = tag
                && view.relation(relation)?.is_some_and(|d| d.persistence == b't')
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// COMMIT PREPARED and ROLLBACK PREPARED.
    pub(crate) fn finish_prepared(&mut self, gid: &str, commit: bool) -> PgResult<()> {
        let user = self.core.user.get();
        let superuser = {
            self.ensure_transaction()?;
            self.current_view()?.roles()?.is_superuser(user)
        };
        // Its snapshot must not hold up what the transaction leaves behind.
        self.commit_transaction()?;
        let prepared = &self.core.db.prepared;
        let may = |owner| superuser || owner == user;
        if commit {
            prepared.commit(gid, may)
        } else {
            prepared.rollback(gid, may)
        }
    }
}

/// The rows of `pg_prepared_xact()`.
pub(crate) fn rows(prepared: &crate::prepared::PreparedTransactions) -> Vec<Vec<Datum>> {
    let row = |(xid, info): (common::Xid, PreparedInfo)| {
        vec![
            Datum::Oid(xid.0 as u32),
            Datum::text(info.gid),
            Datum::Int8(info.prepared_unix_micros - EPOCH_MICROS),
            Datum::Oid(info.owner.0),
            Datum::Oid(info.database.0),
        ]
    };
    prepared.list().into_iter().map(row).collect()
}
