//! A transaction in the way of a key, and waiting for it without missing that it lets go.
//!
//! A rollback to a savepoint wakes those who wait for the transaction then, and nobody who comes later: whoever looked before and waits after it would
//! wait for the end of a transaction that has nothing in the way any more. So who meets one begins to watch it, looks again, and waits only when it
//! is still there.

use common::{PgResult, Xid};
use txn::Watch;

use crate::transaction::Transaction;

/// The transaction that was in the way when its caller looked last.
#[derive(Debug, Default)]
pub struct Obstacle {
    watched: Option<(Xid, Watch)>,
}

impl Obstacle {
    /// This transaction is in the way: returns when the caller shall look again.
    pub fn met(&mut self, txn: &Transaction, xid: Xid) -> PgResult<()> {
        let owner = txn.txn()?;
        let locks = owner.manager().locks();
        if let Some((_, watch)) = self.watched.take_if(|(known, _)| *known == xid) {
            return Ok(locks.wait_for_watched(owner.proc(), watch, &txn.options().wait)?);
        }
        self.watched = locks.watch_txn(xid).map(|watch| (xid, watch));
        Ok(())
    }
}
