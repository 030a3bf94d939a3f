//! The cache of main blocks and index leaves: counts their memory and gives back the ones not used lately.
//!
//! # How it works
//! Every cached thing carries a [`Charge`], which counts its bytes while it lives. Loading pushes its place onto the
//! clock; when the sum exceeds the limit, the hand walks: what was used since it last came by gets a second chance, the rest is
//! taken out of its place. Hits touch one flag and no lock.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;

/// Something that can be taken out of its place and read again from the KV store.
pub(crate) trait Evictable: Send + Sync {
    /// Takes it out, if it is still in its place.
    fn evict(&self);
    /// True if it was used since the last call.
    fn take_referenced(&self) -> bool;
    /// True once it is not in its place any more.
    fn is_gone(&self) -> bool;
}

/// Bytes counted as long as the holder lives.
#[derive(Debug)]
pub(crate) struct Charge {
    used: Arc<AtomicUsize>,
    bytes: usize,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The counter, the limit and the clock. The clock's lock is held for queue operations only.
pub(crate) struct BlockCache {
    used: Arc<AtomicUsize>,
    limit: usize,
    clock: Mutex<VecDeque<Box<dyn Evictable>>>,
    sweeping: AtomicBool,
    /// Places on the clock after which those gone are taken off.
    prune_at: AtomicUsize,
}

const PRUNE_MIN: usize = 1024;

impl BlockCache {
    pub(crate) fn new(limit: usize) -> BlockCache {
        BlockCache {
            used: Arc::default(),
            limit,
            clock: Mutex::default(),
            sweeping: AtomicBool::new(false),
            prune_at: AtomicUsize::new(PRUNE_MIN),
        }
    }

    /// Bytes of what is cached (or still in use somewhere).
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// True while a new block pushes nothing out.
    pub(crate) fn has_room(&self) -> bool {
        self.used() < self.limit / 8 * 7
    }

    /// Counts bytes for a new block.
    pub(crate) fn charge(&self, bytes: usize) -> Charge {
        self.used.fetch_add(bytes, Ordering::Relaxed);
        Charge {
            used: Arc::clone(&self.used),
            bytes,
        }
    }

    /// Puts a loaded thing on the clock, and makes room if it is too much. The caller holds no lock of a chunk or index.
    pub(crate) fn admit(&self, what: Box<dyn Evictable>) {
        // Others first: what was just loaded is about to be used.
        if self.used() > self.limit {
            self.sweep();
        }
        let mut clock = self.clock.lock();
        clock.push_back(what);
        // Merging replaces blocks without taking the old ones off the clock.
        if clock.len() > self.prune_at.load(Ordering::Relaxed) {
            clock.retain(|place| !place.is_gone());
            self.prune_at
                .store(PRUNE_MIN.max(clock.len() * 2), Ordering::Relaxed);
        }
    }

    /// Evicts until the limit holds, or everything has had its chance.
    fn sweep(&self) {
        if self.sweeping.swap(true, Ordering::Acquire) {
            return;
        }
        let mut chances = self.clock.lock().len() * 2;
        while self.used() > self.limit && chances > 0 {
            chances -= 1;
            let Some(candidate) = self.clock.lock().pop_front() else {
                break;
            };
            if candidate.is_gone() {
                continue;
            }
            if candidate.take_referenced() {
                self.clock.lock().push_back(candidate);
            } else {
                candidate.evict();
            }
        }
        self.sweeping.store(false, Ordering::Release);
    }
}
