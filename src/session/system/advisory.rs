//! Advisory locks.

use common::error::Severity;
use common::{PgError, PgResult, sqlstate};
use functions::framework::session::{AdvisoryKey, AdvisoryMode};
use txn::{LockDuration, LockMode, LockTag};

use crate::session::env::StatementEnv;

fn lock_mode(shared: bool) -> LockMode {
    if shared {
        LockMode::Share
    } else {
        LockMode::Exclusive
    }
}

impl StatementEnv<'_> {
    fn advisory_tag(&self, key: AdvisoryKey) -> LockTag {
        LockTag::Advisory {
            database: self.core.db.database_oid,
            key: match key {
                AdvisoryKey::One(key) => txn::AdvisoryKey::One(key),
                AdvisoryKey::Two(a, b) => txn::AdvisoryKey::Two(a, b),
            },
        }
    }

    /// False when it would have to wait and must not.
    pub(crate) fn take_advisory_lock(&self, key: AdvisoryKey, mode: AdvisoryMode) -> PgResult<bool> {
        let txn = self.txn.borrow();
        let below = txn.txn()?;
        let duration = if mode.transaction {
            LockDuration::Transaction
        } else {
            LockDuration::Session
        };
        let (locks, tag) = (below.manager().locks(), self.advisory_tag(key));
        let how = lock_mode(mode.shared);
        if mode.wait {
            locks.lock(below.proc(), tag, how, duration, &txn.options().wait)?;
            return Ok(true);
        }
        Ok(locks.try_lock(below.proc(), tag, how, duration)?.is_some())
    }

    /// Undoes one session-level lock; a warning and false if there is none.
    pub(crate) fn give_advisory_lock_back(&self, key: AdvisoryKey, shared: bool) -> PgResult<bool> {
        let txn = self.txn.borrow();
        let below = txn.txn()?;
        let mode = lock_mode(shared);
        let held = below
            .manager()
            .locks()
            .unlock_session(below.proc(), self.advisory_tag(key), mode);
        if !held {
            self.core.notice(PgError::notice(
                Severity::Warning,
                sqlstate::WARNING,
                format!("you don't own a lock of type {}", mode.name()),
            ));
        }
        Ok(held)
    }
}
