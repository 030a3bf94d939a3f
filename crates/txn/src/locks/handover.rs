//! A session whose transaction is prepared goes on with another place in the table of transactions: its session-level locks go there, too.
//!
//! PG: src/backend/storage/lmgr/lock.c (`AtPrepare_Locks`, `PostPrepare_Locks`).

use crate::error::TxnResult;
use crate::locks::{LockManager, LockMode, LockTag};
use crate::table::Proc;

impl LockManager {
    /// True when the session holds the same thing for the transaction and beyond: they cannot be told apart once the transaction is
    /// prepared.
    pub fn holds_at_both_levels(&self, proc: &Proc) -> bool {
        proc.slot()
            .is_ok_and(|slot| slot.locks.lock().holds_at_both_levels())
    }

    /// Gives all session-level locks of one place to another one, which nobody uses yet. Nobody who waits is let through.
    pub fn hand_over_session(&self, from: &Proc, to: &Proc) -> TxnResult<()> {
        let (giver, taker) = (from.slot()?, to.slot()?);
        let locks: Vec<(LockTag, LockMode, u32)> = giver.locks.lock().take_all_session();
        for (tag, mode, _) in &locks {
            let mut shard = self.shard(tag).lock();
            if let Some(lock) = shard.get_mut(tag) {
                lock.hand_over(from.number(), to.number(), *mode);
            }
        }
        taker.locks.lock().put_session(locks);
        Ok(())
    }
}
