//! Which simulated I/O fails, and what has been done so far.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Entries kept of the trace; older ones are forgotten.
const TRACE_ENTRIES_MAX: usize = 4096;

/// What an I/O operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IoKind {
    /// Opening an existing file.
    Open,
    /// Reading from a file.
    Read,
    /// Making a new file.
    Create,
    /// Writing to a file.
    Write,
    /// Truncating or extending a file.
    SetLen,
    /// `sync_data` or `sync_all`.
    Sync,
    /// Renaming.
    Rename,
    /// Removing a file or a tree.
    Remove,
    /// Making a directory.
    CreateDir,
    /// Syncing a directory.
    SyncDir,
}

/// How many [`IoKind`]s there are.
const IO_KINDS: usize = IoKind::SyncDir as usize + 1;

impl IoKind {
    /// True if the operation changes what is or will be on disk. Only these count for `crash_at_operation`: a crash just
    /// after a read leaves what a crash just before it leaves.
    pub fn changes_disk(self) -> bool {
        !matches!(self, IoKind::Open | IoKind::Read)
    }
}

/// How often each kind of operation was asked for, failed ones included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoCounts {
    counts: [u64; IO_KINDS],
}

impl IoCounts {
    /// The operations of one kind.
    pub fn get(&self, kind: IoKind) -> u64 {
        self.counts.get(kind as usize).copied().unwrap_or(0)
    }

    fn add(&mut self, kind: IoKind) -> u64 {
        match self.counts.get_mut(kind as usize) {
            Some(count) => {
                *count += 1;
                *count
            }
            None => 0,
        }
    }
}

/// One operation of the trace.
#[derive(Clone, Debug)]
pub struct TraceEntry {
    /// How many disk-changing operations there were, this one included.
    pub operation: u64,
    /// What was done.
    pub kind: IoKind,
    /// To what.
    pub path: Arc<Path>,
    /// From which byte (or the new length, for `SetLen`).
    pub offset: u64,
    /// How many bytes.
    pub len: usize,
    /// The injected error, if it failed by plan.
    pub error: Option<io::ErrorKind>,
}

impl fmt::Display for TraceEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TraceEntry {
            operation,
            kind,
            path,
            offset,
            len,
            error,
        } = self;
        write!(
            f,
            "{operation:6} {kind:?} {} at {offset}, {len} bytes",
            path.display()
        )?;
        error.map_or(Ok(()), |error| write!(f, ": {error}"))
    }
}

/// An error to come.
#[derive(Clone, Copy, Debug)]
struct PlannedFailure {
    kind: IoKind,
    /// Fails the operation that brings the count of its kind here.
    at_count: u64,
    error: io::ErrorKind,
}

/// The planned failures and the record of what happened.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    pub counts: IoCounts,
    pub changes: u64,
    pub crash_after: Option<u64>,
    pub capacity: Option<u64>,
    planned: Vec<PlannedFailure>,
    trace: VecDeque<TraceEntry>,
}

impl Faults {
    /// Lets the `nth` (from 1) operation of a kind from now on fail.
    pub fn plan(&mut self, kind: IoKind, nth: u64, error: io::ErrorKind) {
        self.planned.push(PlannedFailure {
            kind,
            at_count: self.counts.get(kind) + nth,
            error,
        });
    }

    /// Counts an operation that is about to happen; an error if it must not.
    pub fn begin(&mut self, kind: IoKind, path: &Arc<Path>, offset: u64, len: usize) -> io::Result<()> {
        if self
            .crash_after
            .is_some_and(|n| self.changes >= n && (kind.changes_disk() || self.changes > n))
        {
            self.changes += u64::from(kind.changes_disk());
            return Err(crashed());
        }
        self.changes += u64::from(kind.changes_disk());
        let count = self.counts.add(kind);
        let planned = self
            .planned
            .iter()
            .position(|p| p.kind == kind && p.at_count == count);
        let error = planned.map(|index| self.planned.swap_remove(index).error);
        if self.trace.len() == TRACE_ENTRIES_MAX {
            self.trace.pop_front();
        }
        let path = Arc::clone(path);
        self.trace.push_back(TraceEntry {
            operation: self.changes,
            kind,
            path,
            offset,
            len,
            error,
        });
        error.map_or(Ok(()), |kind| Err(io::Error::new(kind, "simulated I/O error")))
    }

    /// True once an operation was refused because of `crash_after`.
    pub fn crashed(&self) -> bool {
        self.crash_after.is_some_and(|n| self.changes > n)
    }

    pub fn trace(&self) -> impl DoubleEndedIterator<Item = &TraceEntry> {
        self.trace.iter()
    }
}

fn crashed() -> io::Error {
    io::Error::other("simulated crash")
}
