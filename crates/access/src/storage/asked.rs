//! Maintenance that a statement asks for (CHECKPOINT, VACUUM), and waits for only as long as nobody cancels it.
//!
//! # How it works
//! The background task does it, as PostgreSQL's checkpointer does: what has begun comes to its end, which does no harm when nobody waits for it any more.
//! Where there is no such task the statement does it itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::cancel::CancelToken;
use common::env::Notify;
use common::{PgResult, pg_err};
use parking_lot::{Mutex, MutexGuard};

use crate::storage::{CompactFile, Storage};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maintenance {
    /// [`Storage::checkpoint`].
    Checkpoint,
    /// [`Storage::maintain`].
    CheckpointAndMerge,
    /// The store's file is made smaller, or it is given up when nobody waits for it any more.
    Compact(CompactFile),
}

/// How long who waits does not look at his cancel flag.
const LOOK: Duration = Duration::from_millis(20);

/// Somebody waits for this.
struct Request {
    what: Maintenance,
    done: Notify,
    /// Who asked waits no more.
    given_up: AtomicBool,
    result: Mutex<Option<PgResult<()>>>,
}

/// What the task has not taken up yet.
#[derive(Default)]
pub(crate) struct Requests(Mutex<Vec<Arc<Request>>>);

impl Requests {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}

impl Storage {
    /// Has it done; 57014 and the like when `cancel` says so.
    pub fn ask(self: &Arc<Self>, what: Maintenance, cancel: &CancelToken) -> PgResult<()> {
        cancel.check()?;
        self.start_background()?;
        let Some(task) = self.task.lock().clone() else {
            return self.perform(what, &|| cancel.is_cancelled());
        };
        let request = Arc::new(Request {
            what,
            done: Notify::new(),
            given_up: AtomicBool::new(false),
            result: Mutex::new(None),
        });
        self.asked.0.lock().push(Arc::clone(&request));
        task.wake();
        let waited = self.await_answer(&request, cancel);
        request.given_up.store(true, Ordering::Relaxed);
        self.asked.0.lock().retain(|other| !Arc::ptr_eq(other, &request));
        waited
    }

    fn await_answer(&self, request: &Arc<Request>, cancel: &CancelToken) -> PgResult<()> {
        loop {
            let told = self.env().wait(&request.done, Some(LOOK));
            // The task has dropped it, perhaps without an answer, or will not come any more.
            let left = Arc::strong_count(request) == 1 || self.closed.load(Ordering::Acquire);
            if let Some(result) = request.result.lock().take() {
                return result;
            }
            if told || left {
                return Err(pg_err!(
                    CANNOT_CONNECT_NOW,
                    "the database system is shutting down"
                ));
            }
            cancel.check()?;
        }
    }

    /// Does what was asked for; the background task's part.
    pub(crate) fn answer(&self) {
        let asked = std::mem::take(&mut *self.asked.0.lock());
        for request in asked {
            let given_up = || request.given_up.load(Ordering::Relaxed);
            let done = self.unbroken(|| self.perform(request.what, &given_up));
            *request.result.lock() = Some(done);
            request.done.notify();
        }
    }

    fn perform(&self, what: Maintenance, given_up: &dyn Fn() -> bool) -> PgResult<()> {
        match what {
            Maintenance::Checkpoint => self.checkpoint(),
            Maintenance::CheckpointAndMerge => self.maintain(),
            Maintenance::Compact(whole) => self.compact_file(whole, given_up),
        }
    }

    /// Waits until no checkpoint or merge runs, or until `cancel` says so.
    pub(crate) fn lock_maintenance_for(&self, cancel: &CancelToken) -> PgResult<MutexGuard<'_, ()>> {
        self.maintenance_waiting.fetch_add(1, Ordering::Relaxed);
        let locked = loop {
            if let Some(guard) = self.maintenance.try_lock_for(LOOK) {
                break Ok(guard);
            }
            if let Err(e) = cancel.check() {
                break Err(e);
            }
        };
        self.maintenance_waiting.fetch_sub(1, Ordering::Relaxed);
        locked
    }
}
