//! When checkpoints and merges happen by themselves.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::PgResult;
use common::env::TaskStatus;

use crate::storage::Storage;

/// Chunks gathered from delta by scans after which a merge is due.
const GATHERED_DUE: usize = 256;

/// Ended entries that scans of indexes passed over after which a merge is due: some 50 ms of their time, about what it takes. Who takes the first of a
/// queue again and again would else pass over all that were taken before.
const PASSED_DUE: usize = 1 << 19;

/// How often the task looks whether something is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A committer helps when delta is this many times its limit: the task does not keep up.
const HELP_FACTOR: usize = 4;

/// Bytes of log after which the horizon is computed anew, for cutting version lists of hot rows short.
const HORIZON_EVERY: u64 = 16 << 10;

impl Storage {
    /// Starts the task, unless it runs or is not wanted.
    pub(crate) fn start_background(self: &Arc<Self>) -> PgResult<()> {
        let mut task = self.task.lock();
        if task.is_some() || !self.options.background || self.closed.load(Ordering::Acquire) {
            return Ok(());
        }
        self.looked.lock().begin(self.env().monotonic());
        let storage = Arc::downgrade(self);
        let run = move || match storage.upgrade() {
            Some(storage) => {
                storage.answer();
                // What failed is kept for those who ask; without room on the disk there is a next time.
                let _ = storage.unbroken(|| storage.look());
                TaskStatus::SleepFor(LOOK_EVERY)
            }
            None => TaskStatus::Done,
        };
        let failed =
            |e: std::io::Error| crate::storage::lockfile::io_error("could not start background task", &e);
        *task = Some(
            self.env()
                .spawn_task("pglite-checkpoint", Box::new(run))
                .map_err(failed)?,
        );
        Ok(())
    }

    /// Does what is due.
    fn look(&self) -> PgResult<()> {
        if self.is_due() {
            self.maintain_by_itself();
        } else if !self.closed.load(Ordering::Acquire) {
            self.shrink_by_itself()?;
        }
        Ok(())
    }

    /// An error (a full disk, say) leaves everything as it was: the log keeps what the store lacks, and the next look tries again.
    fn maintain_by_itself(&self) {
        let failure = self.try_maintain().err();
        let mut last = self.failure.lock();
        if failure.is_some() || last.is_some() {
            *last = failure;
        }
    }

    pub(crate) fn is_due(&self) -> bool {
        if self.closed.load(Ordering::Acquire) {
            return false;
        }
        let now = self.env().monotonic().as_millis() as u64;
        let age = now.saturating_sub(self.checkpoint_millis.load(Ordering::Relaxed));
        let wal_bytes = self.wal_bytes.load(Ordering::Relaxed);
        self.shared.delta_bytes() > self.options.delta_bytes_max
            || self.shared.loads.has_ended()
            || self.shared.deletions.has_work()
            || self.scans_want_merge()
            || wal_bytes > self.options.checkpoint_wal_bytes
            || (wal_bytes > 0 && age > self.options.checkpoint_interval.as_millis() as u64)
    }

    /// Counts what a commit logged (in memory, what it would have at least); the horizon is computed anew from time to time.
    fn count_log(&self, logged: u64) -> u64 {
        let logged = logged.max(256);
        let before = self.wal_bytes.fetch_add(logged, Ordering::Relaxed);
        if before / HORIZON_EVERY != (before + logged) / HORIZON_EVERY {
            self.shared.horizon();
        }
        before + logged
    }

    /// True when scans have spent more on what delta has than a merge would cost.
    fn scans_want_merge(&self) -> bool {
        self.shared.gathered_chunks.load(Ordering::Relaxed) > GATHERED_DUE
            || self.shared.passed_entries.load(Ordering::Relaxed) > PASSED_DUE
    }

    /// After every commit: counts the log, wakes or starts the task, and helps when it is far behind.
    pub(crate) fn after_commit(self: &Arc<Self>, wrote: Option<usize>) {
        let wal_bytes = match wrote {
            Some(logged) => self.count_log(logged as u64),
            // Readers leave the shared counter's cache line alone.
            None => self.wal_bytes.load(Ordering::Relaxed),
        };
        let delta = self.shared.delta_bytes();
        let limit = self.options.delta_bytes_max;
        let loads = self.shared.loads.has_ended();
        let due = delta > limit
            || loads
            || self.scans_want_merge()
            || wal_bytes > self.options.checkpoint_wal_bytes;
        if !due {
            return;
        }
        let woken = self.task.lock().as_ref().map(|task| task.wake()).is_some();
        if !woken && self.start_background().is_err() {
            return;
        }
        if delta > limit.saturating_mul(HELP_FACTOR) || !self.options.background {
            // The commit is done, whatever comes of this.
            self.maintain_by_itself();
        }
    }
}
