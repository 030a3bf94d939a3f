//! Versions of index entries.
//!
//! An entry (key and row id) mostly lives once; when an update takes a key away and a later one brings it back to the same row,
//! its versions form a list like those of rows, newest first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use common::CommandId;
use txn::versions::{Lifetime, Link};
use txn::{AtomicStamp, Stamp};

/// A version of an entry.
#[derive(Debug)]
pub(crate) struct EntryVersion {
    pub(crate) begin: AtomicStamp,
    pub(crate) end: AtomicStamp,
    pub(crate) cmin: CommandId,
    cmax: AtomicU32,
    pub(crate) older: Link<EntryVersion>,
    /// What the key does not tell exactly, and INCLUDE columns.
    pub(crate) value: Box<[u8]>,
}

/// Bytes of an entry in delta beside key and value.
const ENTRY_OVERHEAD: usize = 160;

impl EntryVersion {
    pub(crate) fn new(begin: Stamp, cmin: CommandId, value: Box<[u8]>) -> EntryVersion {
        EntryVersion {
            begin: AtomicStamp::new(begin),
            end: AtomicStamp::new(Stamp::NEVER),
            cmin,
            cmax: AtomicU32::new(0),
            older: Link::new(None),
            value,
        }
    }

    /// Marks it as deleted by a command of the transaction that owns `stamp`. Callers hold the key's latch.
    pub(crate) fn claim(&self, stamp: Stamp, command: CommandId) -> Result<(), Stamp> {
        let before = self.end.load();
        if before != Stamp::NEVER {
            return Err(before);
        }
        self.cmax.store(command.0, Ordering::Release);
        self.end.try_claim(stamp)
    }

    /// Bytes of memory with its key, roughly.
    pub(crate) fn memory_bytes(&self, key: &[u8]) -> usize {
        ENTRY_OVERHEAD + key.len() + self.value.len()
    }

    /// Cuts off all older versions; their bytes.
    pub(crate) fn cut(&self, key: &[u8]) -> usize {
        let mut bytes = 0;
        let mut next = self.older.swap(None);
        while let Some(version) = next {
            bytes += version.memory_bytes(key);
            next = version.older.load_full();
        }
        bytes
    }

    /// Undoes [`EntryVersion::claim`].
    pub(crate) fn unclaim(&self) {
        self.end.set(Stamp::NEVER);
    }
}

impl Lifetime for EntryVersion {
    fn begin(&self) -> (&AtomicStamp, CommandId) {
        (&self.begin, self.cmin)
    }

    fn end(&self) -> &AtomicStamp {
        &self.end
    }

    fn cmax(&self) -> CommandId {
        CommandId(self.cmax.load(Ordering::Acquire))
    }

    fn older(&self) -> &Link<EntryVersion> {
        &self.older
    }
}

/// A long list must not be dropped by recursion.
impl Drop for EntryVersion {
    fn drop(&mut self) {
        let mut next = self.older.take();
        while let Some(version) = next {
            next = Arc::into_inner(version).and_then(|mut v| v.older.take());
        }
    }
}
