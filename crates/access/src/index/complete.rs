//! Which snapshots an index is complete for.
//!
//! PG: `pg_index.indcheckxmin`, and README.HOT on broken chains.
//!
//! # How it works
//! A build reads the rows that are visible when it runs. A snapshot taken before may see rows that were gone by then, must not see
//! rows that came since (index-only scans trust entries), and does not see entries that carry the stamp of the building transaction.
//! So an index is used by snapshots taken after the commit of its build, and by the building transaction itself unless the table
//! has changed since its snapshot.
//!
//! Nothing of this is stored: no snapshot outlives the process, so an index opened from the KV store is complete for all.

use std::sync::atomic::{AtomicU64, Ordering};

use common::{Csn, Xid};

/// The builder has not committed yet.
const NOT_YET: u64 = u64::MAX;

/// For whom an index has all entries.
#[derive(Debug, Default)]
pub(crate) struct Completeness {
    /// Snapshots from this CSN on.
    from: AtomicU64,
    /// The transaction that built it, 0 for none, and the CSN from which the index suits its own snapshot.
    builder: AtomicU64,
    builder_from: AtomicU64,
}

impl Completeness {
    /// A build by a running transaction over a table that changed last at `change`.
    pub(crate) fn built_by(&self, builder: Xid, change: Csn) {
        self.builder_from.store(change.0, Ordering::Relaxed);
        self.builder.store(builder.0, Ordering::Relaxed);
        self.from.store(NOT_YET, Ordering::Release);
    }

    /// The builder has committed. True if the index is not complete for older snapshots.
    pub(crate) fn committed(&self, csn: Csn) -> bool {
        let pending = self.from.load(Ordering::Relaxed) == NOT_YET;
        if pending {
            self.from.store(csn.0, Ordering::Release);
        }
        pending
    }

    /// True when a snapshot of this CSN, held by this transaction, may rely on the entries.
    pub(crate) fn serves(&self, csn: Csn, own: Option<Xid>) -> bool {
        let from = self.from.load(Ordering::Acquire);
        csn.0 >= from
            || own.is_some_and(|own| self.builder.load(Ordering::Relaxed) == own.0)
                && csn.0 >= self.builder_from.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_snapshots_wait_for_nothing_but_get_another_plan() {
        let complete = Completeness::default();
        assert!(complete.serves(Csn(0), None));
        complete.built_by(Xid(7), Csn(40));
        assert!(!complete.serves(Csn(50), None) && !complete.serves(Csn(50), Some(Xid(8))));
        assert!(complete.serves(Csn(40), Some(Xid(7))) && !complete.serves(Csn(39), Some(Xid(7))));
        assert!(complete.committed(Csn(60)) && !complete.committed(Csn(70)));
        assert!(complete.serves(Csn(60), None) && !complete.serves(Csn(59), None));
    }
}
