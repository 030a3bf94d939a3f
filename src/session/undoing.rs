//! The undoing of a large transaction whose statement was cancelled, beside its session: the client has its error at once, and whatever it
//! asks for next waits. After any other error, and after ROLLBACK, the locks are free when the client hears of it.
//!
//! # How it works
//! 1. Such a transaction, if it wrote or locked many rows, is ended by a thread of its own. Until then its locks and claims stand, as those of any
//!    transaction that has not ended.
//! 2. The session waits for that thread before it begins another transaction, and before it ends. So no process has two transactions.
//!
//! # Invariants
//! - Where there are no threads (the simulator) everything happens at once.

use std::sync::Arc;
use std::time::Duration;

use access::Transaction;
use common::PgResult;
use common::env::{Notify, WORKERS_MAX};

use crate::session::Session;
use crate::session::core::SessionCore;

/// How long the session waits between two looks at its cancel flag.
const LOOK: Duration = Duration::from_millis(20);

/// A transaction that is being undone.
#[derive(Default)]
pub(crate) struct Undoing(Option<Arc<Notify>>);

/// Tells the end of the work, however it ends.
struct Told(Arc<Notify>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.notify();
    }
}

impl Undoing {
    /// Ends a transaction without its changes: at once, or beside the session when that takes long and its statement was cancelled.
    pub fn begin(&mut self, txn: Transaction, core: &SessionCore) {
        if !core.cancel.is_cancelled() || !txn.is_long_to_undo() {
            txn.abort();
            return;
        }
        let done = Arc::new(Notify::new());
        let told = Told(done.clone());
        let undo = move || {
            txn.abort();
            drop(told);
        };
        // Where there is no thread for it, the transaction was dropped with the closure, which has undone it here.
        if core.db.env.spawn_worker(WORKERS_MAX, Box::new(undo)) {
            self.0 = Some(done);
        }
    }

    /// True when nothing is left to wait for. Waits for so long.
    fn has_ended(&mut self, core: &SessionCore, wait: Duration) -> bool {
        match &self.0 {
            Some(done) if !core.db.env.wait(done, Some(wait)) => false,
            _ => {
                self.0 = None;
                true
            }
        }
    }
}

impl Session {
    /// Waits for the end of the transaction before, if it is still being undone.
    pub(crate) fn await_undoing(&mut self) -> PgResult<()> {
        while self.undoing.0.is_some() && !self.undoing.has_ended(&self.core, LOOK) {
            self.core.cancel.check()?;
        }
        Ok(())
    }

    /// The same when the session ends.
    pub(crate) fn finish_undoing(&mut self) {
        while !self.undoing.has_ended(&self.core, LOOK) {}
    }
}
