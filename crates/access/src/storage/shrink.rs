//! The store's file gets smaller by itself, when much more is free in it than in use.
//!
//! # How it works
//! The task that checkpoints looks, from time to time and after so much was written as may have made it worth while, how much of the file is in use. If that is
//! less than half of it, what counts is copied into a new file ([`kv::Kv::compact_beside`]): readers go on meanwhile, commits too, as they write only the log.
//! Checkpoints wait. So the copy is given up when delta outgrows its limit, when somebody waits for a checkpoint (CHECKPOINT, VACUUM, a fork), or wants to write
//! into the store itself (a bulk load); then the task looks again after a while.

use std::sync::atomic::Ordering;
use std::time::Duration;

use common::PgResult;
use parking_lot::{Mutex, MutexGuard};

use crate::storage::Storage;

/// Bytes of a file that may stay as it is.
const SIZE_MIN: u64 = 32 << 20;
/// Between two looks, which read much of the store.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Delta may be so many times over its limit before a copy is given up.
const DELTA_FACTOR: usize = 2;

/// When the task has looked.
#[derive(Default)]
pub(crate) struct Looked {
    at: Option<Duration>,
    /// What had been written then, unless a copy was given up.
    written: u64,
    /// What was in use when it was last copied.
    live: u64,
}

impl Storage {
    /// Looks whether the file is worth compacting, and does it; what the background task does when it has nothing else to do. Nobody waits for it. An error
    /// leaves everything as it was.
    pub fn shrink_by_itself(&self) -> PgResult<()> {
        let kv = &self.shared.kv;
        let (size, written, now) = (kv.size_on_disk()?, kv.bytes_written(), self.env().monotonic());
        let mut looked = self.looked.lock();
        let early = looked.at.is_some_and(|at| now.saturating_sub(at) < LOOK_EVERY);
        if size < SIZE_MIN || early || written - looked.written < size / 8 {
            return Ok(());
        }
        looked.at = Some(now);
        let Some(live) = kv.live_bytes()? else {
            return Ok(());
        };
        // A copy may take twice what counts, too: another one would be no better unless something has changed since.
        let copied = self.compacted_size.load(Ordering::Relaxed);
        let changed = size > copied + copied / 4 || live < looked.live - looked.live / 4;
        let wanted = size / 2 > live && changed;
        if wanted && !self.shrink()? {
            return Ok(());
        }
        looked.written = written;
        if wanted {
            looked.live = live;
        }
        Ok(())
    }

    /// Waits until no checkpoint or merge runs.
    pub(crate) fn lock_maintenance(&self) -> MutexGuard<'_, ()> {
        self.maintenance_waiting.fetch_add(1, Ordering::Relaxed);
        let guard = self.maintenance.lock();
        self.maintenance_waiting.fetch_sub(1, Ordering::Relaxed);
        guard
    }

    /// False: given up.
    fn shrink(&self) -> PgResult<bool> {
        let Some(guard) = self.maintenance.try_lock() else {
            return Ok(false);
        };
        let limit = self.options.delta_bytes_max.saturating_mul(DELTA_FACTOR);
        let hurry = || {
            let waited_for = self.maintenance_waiting.load(Ordering::Relaxed) > 0 || !self.asked.is_empty();
            waited_for || self.closed.load(Ordering::Acquire) || self.shared.delta_bytes() > limit
        };
        let done = self.under(guard, || Ok(self.shared.kv.compact_beside(&hurry)?))?;
        if done {
            let size = self.shared.kv.size_on_disk()?;
            self.compacted_size.store(size, Ordering::Relaxed);
        }
        Ok(done)
    }
}

impl Looked {
    /// The first look comes after a while: what a fresh process loads is in use.
    pub(crate) fn begin(&mut self, now: Duration) {
        self.at.get_or_insert(now);
    }
}

/// What is kept of it.
pub(crate) type LastLook = Mutex<Looked>;
