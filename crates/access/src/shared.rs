//! What all relations of a database share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use common::{Csn, PgResult, pg_err};
use kv::Kv;
use txn::{LiveSnapshots, Stamp, TxnManager, TxnTable};

use crate::ahead::Loads;
use crate::ahead::ends::Deletions;
use crate::cache::BlockCache;
use crate::storage::StorageOptions;
use crate::storage::newborn::Newborns;

/// The error of who has written to a store that then failed, somewhere.
pub(crate) fn lost_a_part() -> Box<common::PgError> {
    pg_err!(
        IO_ERROR,
        "could not write to key-value store: a part was lost after a failed write"
    )
}

/// The part of a database that tables and indexes need.
pub(crate) struct Shared {
    pub(crate) kv: Arc<dyn Kv>,
    pub(crate) manager: Arc<TxnManager>,
    pub(crate) cache: BlockCache,
    /// What transactions have in the KV store ahead of their commits.
    pub(crate) loads: Loads,
    /// Rows deleted by marks that are in the KV store.
    pub(crate) deletions: Deletions,
    /// Relations whose contents are there before their creation is committed.
    pub(crate) newborns: Newborns,
    /// Changed rows of a segment after which it is written as a pack.
    pub(crate) pack_min: usize,
    /// Tables with more row ids are read by columns.
    pub(crate) parts_from: u64,
    /// Longer values may leave their rows.
    pub(crate) toast_min: usize,
    /// Bytes of versions in delta, roughly.
    delta_bytes: AtomicUsize,
    /// Rows changed by committed transactions since the database was opened.
    pub(crate) changed_rows: AtomicU64,
    /// Chunks whose rows a scan had to gather from delta, since the last merge.
    pub(crate) gathered_chunks: AtomicUsize,
    /// Entries that scans of indexes found in delta and that nobody can see any more, since the last merge.
    pub(crate) passed_entries: AtomicUsize,
    /// Commits up to this CSN are in the KV store.
    checkpoint_csn: AtomicU64,
    /// A horizon computed not long ago; never above the true one.
    horizon: AtomicU64,
}

impl Shared {
    /// Flushes the store; an error if it lost something since it counted `losses`.
    pub(crate) fn flush_whole(&self, losses: u64) -> PgResult<()> {
        self.kv.flush()?;
        if self.kv.losses() != losses {
            return Err(lost_a_part());
        }
        Ok(())
    }

    pub(crate) fn new(
        kv: Arc<dyn Kv>,
        manager: Arc<TxnManager>,
        options: &StorageOptions,
        checkpoint: Csn,
    ) -> Shared {
        Shared {
            kv,
            manager,
            cache: BlockCache::new(options.cache_bytes_max),
            parts_from: options.parts_from_rows,
            loads: Loads::default(),
            deletions: Deletions::default(),
            newborns: Newborns::default(),
            pack_min: options.pack_rows_min,
            toast_min: options.toast_bytes_min,
            delta_bytes: AtomicUsize::new(0),
            changed_rows: AtomicU64::new(0),
            gathered_chunks: AtomicUsize::new(0),
            passed_entries: AtomicUsize::new(0),
            checkpoint_csn: AtomicU64::new(checkpoint.0),
            horizon: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(crate) fn table(&self) -> &TxnTable {
        self.manager.table()
    }

    pub(crate) fn delta_bytes(&self) -> usize {
        self.delta_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn checkpoint_csn(&self) -> Csn {
        Csn(self.checkpoint_csn.load(Ordering::Acquire))
    }

    pub(crate) fn set_checkpoint_csn(&self, csn: Csn) {
        self.checkpoint_csn.store(csn.0, Ordering::Release);
    }

    /// What ended at or before it, nobody can see; perhaps a little behind.
    pub(crate) fn recent_horizon(&self) -> Csn {
        Csn(self.horizon.load(Ordering::Relaxed))
    }

    /// The horizon now.
    pub(crate) fn horizon(&self) -> Csn {
        let horizon = self.manager.horizon();
        self.horizon.fetch_max(horizon.0, Ordering::Relaxed);
        horizon
    }

    /// The CSN of a stamp, once it is committed.
    pub(crate) fn committed(&self, stamp: &txn::AtomicStamp) -> Option<Csn> {
        stamp.committed(self.table())
    }

    /// True when the stamp says that nothing happened and nobody is about to.
    pub(crate) fn never(stamp: &txn::AtomicStamp) -> bool {
        stamp.load() == Stamp::NEVER
    }
}

/// Up to where a merge goes.
pub(crate) struct MergeBounds {
    /// Commits up to here are in the KV store.
    pub(crate) checkpoint: Csn,
    /// What ended at or before it, nobody can see.
    pub(crate) horizon: Csn,
    /// Who is left above it.
    pub(crate) live: LiveSnapshots,
}

/// The memory of one relation's versions, counted for the database too; given back when the relation goes.
pub(crate) struct DeltaBytes {
    shared: Arc<Shared>,
    bytes: AtomicUsize,
}

impl DeltaBytes {
    pub(crate) fn new(shared: &Arc<Shared>) -> DeltaBytes {
        DeltaBytes {
            shared: Arc::clone(shared),
            bytes: AtomicUsize::new(0),
        }
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.shared.delta_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn sub(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.shared.delta_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for DeltaBytes {
    fn drop(&mut self) {
        let rest = self.bytes.load(Ordering::Relaxed);
        self.shared.delta_bytes.fetch_sub(rest, Ordering::Relaxed);
    }
}
