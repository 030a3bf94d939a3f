//! What a session lends to the executor for the time of one call.

use std::cell::RefCell;

use access::{ActiveSnapshot, Transaction};
use catalog::CatalogView;
use common::cancel::CancelToken;
use common::env::Env;
use common::memory::MemoryBudget;
use common::{PgResult, internal};
use functions::SessionContext;
use types::{Datum, FormatSettings};

use crate::modify::after::AfterQueue;
use crate::relations::RelationOpener;

/// Everything a call into the executor may use. Portals outlive it: it is passed on every call.
pub struct ExecContext<'a> {
    /// The transaction. Borrowed only inside single storage calls: the session may borrow it while a function asks it
    /// something. `None` in a parallel worker: it only reads.
    pub txn: Option<&'a RefCell<Transaction>>,
    /// What the statement sees. A data-modifying statement writes as the transaction's current command, so the session
    /// calls `next_command` after it and takes a new snapshot.
    pub snapshot: &'a ActiveSnapshot,
    /// Names, types, constraints.
    pub catalog: &'a dyn CatalogView,
    /// Opens tables and indexes: usually a [`crate::RelationCache`].
    pub relations: &'a dyn RelationOpener,
    /// Values of `$1..$n`.
    pub params: &'a [Datum],
    /// The session as functions see it.
    pub session: &'a dyn SessionContext,
    /// Settings that shape text.
    pub settings: &'a FormatSettings,
    /// Polled once per batch.
    pub cancel: &'a CancelToken,
    /// Hard limit of what operators may hold together; beyond it they answer 53200.
    pub memory: &'a MemoryBudget,
    /// `work_mem`.
    pub work_mem_bytes: usize,
    /// `work_mem` times `hash_mem_multiplier`.
    pub hash_mem_bytes: usize,
    /// Where work beyond that goes.
    pub temp: &'a access::TempSpace,
    /// What waits for the end of the statement or of the transaction.
    pub after: &'a AfterQueue,
    /// The clock for EXPLAIN ANALYZE.
    pub env: &'a dyn Env,
    /// Starts parallel workers; `None`: there are none.
    pub workers: Option<&'a dyn WorkerHost>,
    /// `parallel_leader_participation`.
    pub leader_participates: bool,
}

/// What a worker does once it has surroundings of its own.
pub type WorkerJob = Box<dyn FnOnce(&ExecContext<'_>) + Send>;

/// Starts threads that take part in a statement. A worker sees what the statement sees, and writes nothing.
pub trait WorkerHost {
    /// Runs the job on a thread of its own, under what `cx` lends; false, and nothing done, when no thread is to be had.
    fn start(&self, cx: &ExecContext<'_>, job: WorkerJob) -> bool;
}

impl ExecContext<'_> {
    /// Runs a storage call that needs the transaction.
    #[inline]
    pub(crate) fn with_txn<T>(&self, f: impl FnOnce(&mut Transaction) -> PgResult<T>) -> PgResult<T> {
        let Some(txn) = self.txn else {
            return Err(internal!("a parallel worker has no transaction of its own"));
        };
        let Ok(mut txn) = txn.try_borrow_mut() else {
            return Err(internal!("transaction is in use"));
        };
        f(&mut txn)
    }
}
