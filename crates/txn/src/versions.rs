//! Lists of versions, newest first: when each lived, who sees which, and which nobody needs any more. What a version holds is its owner's.
//!
//! # How it works
//! A reader walks from the head to the first version that began before its snapshot. The owner of the newest version's end puts a new one
//! in front; a cleaner cuts the list behind a version that all snapshots see ([`hides_older`]), and takes out versions that began and ended
//! between two snapshots ([`thin_out`]), while readers walk. `models.rs` has both under every order of events.

use common::sync::Mutex;
use common::{CommandId, Csn};

use crate::snapshot::{LiveSnapshots, Snapshot, happened};
use crate::stamp::AtomicStamp;
use crate::sync::Arc;
use crate::table::TxnTable;

/// A version in a list from newest to oldest: which snapshots see it.
pub trait Lifetime: Sized {
    /// When it began, and by which command.
    fn begin(&self) -> (&AtomicStamp, CommandId);
    /// When it ended.
    fn end(&self) -> &AtomicStamp;
    /// The command that ended it.
    fn cmax(&self) -> CommandId;
    /// The one that it replaced.
    fn older(&self) -> &Link<Self>;

    /// True when the snapshot sees that this version began.
    #[inline]
    fn begun(&self, snapshot: &Snapshot, table: &TxnTable) -> bool {
        let (stamp, command) = self.begin();
        let begin = stamp.load();
        if begin.is_reference() {
            return happened(stamp, command, snapshot, table);
        }
        begin.raw() <= snapshot.csn.0
    }

    /// True when the snapshot sees that this version ended.
    #[inline]
    fn ended(&self, snapshot: &Snapshot, table: &TxnTable) -> bool {
        let end = self.end().load();
        if end.is_reference() {
            return happened(self.end(), self.cmax(), snapshot, table);
        }
        end.raw() <= snapshot.csn.0
    }
}

/// The version that the snapshot sees, looking from `head` back.
pub fn visible<V: Lifetime>(head: &Arc<V>, snapshot: &Snapshot, table: &TxnTable) -> Option<Arc<V>> {
    if head.begun(snapshot, table) {
        return (!head.ended(snapshot, table)).then(|| Arc::clone(head));
    }
    let mut older = head.older().load_full();
    while let Some(version) = older {
        if version.begun(snapshot, table) {
            return (!version.ended(snapshot, table)).then_some(version);
        }
        older = version.older().load_full();
    }
    None
}

/// True when no snapshot, now or later, sees the version: it began and ended between two of them.
pub fn is_unseen<V: Lifetime>(version: &V, table: &TxnTable, live: &LiveSnapshots) -> bool {
    let begin = version.begin().0.committed(table);
    let end = version.end().committed(table);
    begin
        .zip(end)
        .is_some_and(|(begin, end)| !live.may_see(begin, end))
}

/// True when no snapshot, now or later, looks at what lies behind the version: it began at or before the horizon.
pub fn hides_older<V: Lifetime>(version: &V, table: &TxnTable, horizon: Csn) -> bool {
    version
        .begin()
        .0
        .committed(table)
        .is_some_and(|begin| begin <= horizon)
}

/// Takes versions that no snapshot sees out of the list behind `head`; those taken out go to `gone`.
pub fn thin_out<V: Lifetime>(
    head: &Arc<V>,
    table: &TxnTable,
    live: &LiveSnapshots,
    gone: &mut dyn FnMut(&V),
) {
    let mut version = Arc::clone(head);
    while let Some(older) = version.older().load_full() {
        if !is_unseen(&*older, table, live) {
            version = older;
        } else if version.older().replace(&older, older.older().load_full()) {
            gone(&older);
        } else {
            // Somebody cuts the list.
            return;
        }
    }
}

/// True when a version that ended at or before `checkpoint` was never seen by a snapshot that still lives, and there is nothing behind it.
pub fn is_forgotten<V: Lifetime>(head: &V, table: &TxnTable, checkpoint: Csn, live: &LiveSnapshots) -> bool {
    let end = head.end().committed(table);
    end.is_some_and(|end| end <= checkpoint)
        && is_unseen(head, table, live)
        && head.older().load_full().is_none()
}

/// A pointer that is set when the version is made, sometimes cut later, and seldom followed: a lock of one byte costs less than an
/// `ArcSwap`, whose every store and drop looks at the readers of all threads. It is held for a copy of the pointer.
#[derive(Debug)]
pub struct Link<T>(Mutex<Option<Arc<T>>>);

impl<T> Link<T> {
    /// Leads to `to`.
    pub fn new(to: Option<Arc<T>>) -> Link<T> {
        Link(Mutex::new(to))
    }

    /// Where it leads.
    pub fn load_full(&self) -> Option<Arc<T>> {
        self.0.lock().clone()
    }

    /// Lets it lead elsewhere; what it led to.
    pub fn swap(&self, to: Option<Arc<T>>) -> Option<Arc<T>> {
        std::mem::replace(&mut *self.0.lock(), to)
    }

    /// Lets it lead elsewhere if it leads to `from`; true if it did.
    pub fn replace(&self, from: &Arc<T>, to: Option<Arc<T>>) -> bool {
        let mut link = self.0.lock();
        let same = link.as_ref().is_some_and(|now| Arc::ptr_eq(now, from));
        if same {
            let gone = std::mem::replace(&mut *link, to);
            drop(link);
            drop(gone);
        }
        same
    }

    /// Lets it lead elsewhere.
    pub fn store(&self, to: Option<Arc<T>>) {
        // The old list is dropped after the lock.
        drop(self.swap(to));
    }

    /// Takes it from a version that nobody else has.
    pub fn take(&mut self) -> Option<Arc<T>> {
        self.0.get_mut().take()
    }
}
