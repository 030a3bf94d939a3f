//! A database's storage: relations, counters, checkpoints; opening and closing.
//!
//! The way of the data is told in docs/internals/storage.md, the bytes in docs/internals/storage-formats.md.

pub(crate) mod ahead;
mod asked;
mod background;
pub(crate) mod backup;
mod broken;
mod checkpoint;
mod lockfile;
pub(crate) mod meta;
pub(crate) mod newborn;
mod open;
mod recovery;
pub(crate) mod resume;
mod shrink;
mod toast;
mod verify;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use common::env::{Env, TaskHandle};
use common::{Csn, Lsn, Oid, PgError, PgResult, RelationId, Xid, internal};
use kv::KvKind;
use parking_lot::{Mutex, RwLock};
use rustc_hash::FxHashMap;
use txn::{Proc, RecordKind, TxnManager};

pub use asked::Maintenance;
pub use checkpoint::CompactFile;
pub use meta::Identity;
pub use resume::CatalogRelation;

use crate::defs::{IndexDef, Persistence, TableDef};
use crate::index::Index;
use crate::index::store::IndexStore;
use crate::sequence::{Sequence, SequenceStore};
use crate::shared::Shared;
use crate::storage::asked::Requests;
use crate::storage::lockfile::LockFile;
use crate::storage::meta::RelationCounters;
use crate::table::Table;
use crate::table::store::TableStore;
use crate::transaction::redo::put_varint;
use crate::transaction::{Transaction, TransactionOptions};

/// Log record: OIDs and relation ids below these are used up.
pub(crate) const RECORD_COUNTERS: RecordKind = RecordKind(64);
/// OIDs logged ahead, as PostgreSQL does.
const OIDS_AHEAD: u64 = 8192;
const RELATIONS_AHEAD: u64 = 64;
/// Relation ids below belong to bootstrapped catalogs, which choose them themselves.
pub const FIRST_RELATION: RelationId = RelationId(16384);
/// Payload of one batch that goes to the KV store.
pub(crate) const BATCH_BYTES: usize = 4 << 20;

/// How storage is opened.
#[derive(Clone)]
pub struct StorageOptions {
    /// Clock, files, threads.
    pub env: Arc<dyn Env>,
    /// The database directory; None keeps everything in memory.
    pub dir: Option<PathBuf>,
    /// Which store holds the rows on disk.
    pub kv: KvKind,
    /// Most memory of cached blocks and leaves.
    pub cache_bytes_max: usize,
    /// Tables with more row ids are read from the KV store by the columns asked for, smaller ones whole.
    pub parts_from_rows: u64,
    /// Memory of unmerged changes after which they are checkpointed and merged.
    pub delta_bytes_max: usize,
    /// Bytes of a transaction's log record after which a part goes to the log before the commit.
    pub spill_bytes: usize,
    /// Bytes of a segment of the log.
    pub wal_segment_size: u64,
    /// Bytes of log after which a checkpoint is due (`max_wal_size`).
    pub checkpoint_wal_bytes: u64,
    /// Time after which a checkpoint is due (`checkpoint_timeout`).
    pub checkpoint_interval: std::time::Duration,
    /// Changed rows of a segment of row ids after which a checkpoint writes the segment as a whole. Twice as many new entries of an index that lie together
    /// go as one, too.
    pub pack_rows_min: usize,
    /// Rows that a transaction deletes or updates one by one; further ones are marked. After a fourth of so many that it has inserted by columns through
    /// delta and log further ones go into the KV store ahead of its commit.
    pub ahead_after_rows: usize,
    /// The fewest rows of a batch that do so: it takes up a chunk's row ids. And rows deleted by a command before it marks further ones.
    pub ahead_rows_min: usize,
    /// Rows inserted one by one, beyond the first of their transaction (twice `ahead_after_rows`), that wait in memory before they go there, too.
    pub ahead_singles: usize,
    /// Memory of a transaction's index entries that follow such rows but lie among others, after which they go into the KV store.
    pub ahead_entry_bytes: usize,
    /// Bytes of a value after which it may leave its row.
    pub toast_bytes_min: usize,
    /// Bytes of a value, or of a transaction's values, after which they go into the KV store ahead of the commit.
    pub toast_ahead_bytes: usize,
    /// Run checkpoints and merges in a background task.
    pub background: bool,
}

impl StorageOptions {
    /// The defaults, in memory.
    pub fn in_memory(env: Arc<dyn Env>) -> StorageOptions {
        StorageOptions {
            env,
            dir: None,
            kv: KvKind::Memory,
            cache_bytes_max: 256 << 20,
            parts_from_rows: 8 << 10,
            delta_bytes_max: 32 << 20,
            spill_bytes: 1 << 20,
            wal_segment_size: 16 << 20,
            checkpoint_wal_bytes: 256 << 20,
            checkpoint_interval: std::time::Duration::from_secs(300),
            pack_rows_min: 32,
            ahead_after_rows: 64 << 10,
            ahead_rows_min: 512,
            ahead_singles: 16 << 10,
            ahead_entry_bytes: 32 << 20,
            toast_bytes_min: 2000,
            toast_ahead_bytes: 4 << 20,
            background: true,
        }
    }

    /// The defaults, in a directory.
    pub fn in_dir(env: Arc<dyn Env>, dir: impl Into<PathBuf>) -> StorageOptions {
        StorageOptions {
            dir: Some(dir.into()),
            kv: KvKind::default(),
            ..StorageOptions::in_memory(env)
        }
    }
}

#[derive(Clone)]
enum Relation {
    Table(Arc<TableStore>),
    Index(Arc<IndexStore>),
    Sequence(Arc<SequenceStore>),
}

/// A counter that is logged ahead of its use.
#[derive(Default)]
struct Counters {
    next_oid: u64,
    oid_limit: u64,
    next_relation: u64,
    relation_limit: u64,
}

/// A relation to be removed, and when it was dropped.
struct Dropped {
    id: RelationId,
    csn: Csn,
}

/// Where a database's files are, if it has any.
enum Owner {
    /// Held for its lock.
    Directory(LockFile),
    /// A fork of a directory keeps that open.
    Memory(Option<Arc<Storage>>),
}

/// One database.
pub struct Storage {
    options: StorageOptions,
    identity: Identity,
    pub(crate) shared: Arc<Shared>,
    relations: RwLock<FxHashMap<RelationId, Relation>>,
    counters: Mutex<Counters>,
    dropped: Mutex<Vec<Dropped>>,
    volatile: Mutex<FxHashMap<RelationId, Persistence>>,
    /// One checkpoint or merge at a time.
    maintenance: Mutex<()>,
    /// Those who wait for that.
    maintenance_waiting: AtomicUsize,
    wal_bytes: AtomicU64,
    /// Bytes of the store's file when it was last compacted.
    compacted_size: AtomicU64,
    /// When the task last looked whether it is worth compacting.
    looked: shrink::LastLook,
    checkpoint_lsn: AtomicU64,
    checkpoint_millis: AtomicU64,
    /// Snapshots before this CSN may find an index that is not complete for them.
    youngest_index: AtomicU64,
    /// Prepared transactions that nobody has taken up since the start.
    in_doubt: resume::InDoubtList,
    task: Mutex<Option<Arc<dyn TaskHandle>>>,
    /// What it is to do for others.
    asked: Requests,
    /// Why the last maintenance of the background failed, if it did.
    failure: Mutex<Option<Box<PgError>>>,
    /// The panic of a checkpoint or merge.
    broken: OnceLock<Box<PgError>>,
    closed: AtomicBool,
    owner: Owner,
}

impl Storage {
    /// Tells those who find the directory locked where its owner can be reached.
    pub fn announce(&self, address: &str) -> PgResult<()> {
        match &self.owner {
            Owner::Directory(lock) => lock.write(self.options.env.process_id(), address),
            Owner::Memory(_) => Ok(()),
        }
    }

    /// Transactions, locks, log.
    pub fn manager(&self) -> &Arc<TxnManager> {
        &self.shared.manager
    }

    /// The environment it was opened with.
    pub fn env(&self) -> &Arc<dyn Env> {
        &self.options.env
    }

    /// How it was opened.
    pub fn options(&self) -> &StorageOptions {
        &self.options
    }

    /// Who it is.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Registers a session: its place in the transaction table. `pid` is what errors and `pg_locks` call it.
    pub fn register(&self, pid: i32) -> PgResult<Arc<Proc>> {
        Ok(self.shared.manager.register(pid)?)
    }

    /// Begins a transaction; one at a time per session.
    pub fn begin(self: &Arc<Self>, proc: &Arc<Proc>, options: TransactionOptions) -> PgResult<Transaction> {
        if self.closed.load(Ordering::Acquire) {
            return Err(common::pg_err!(
                CANNOT_CONNECT_NOW,
                "the database system is shutting down"
            ));
        }
        let txn = self.shared.manager.begin(proc)?;
        Ok(Transaction::new(Arc::clone(self), txn, options))
    }

    /// Opens a table. Cheap after the first time.
    pub fn table(&self, def: &Arc<TableDef>) -> PgResult<Table> {
        self.note_persistence(def.id, def.persistence);
        let store = self.table_store(def.id)?;
        Ok(Table::new(Arc::clone(def), store))
    }

    fn table_store(&self, id: RelationId) -> PgResult<Arc<TableStore>> {
        let open = || {
            let counters = match meta::read_counters(&*self.shared.kv, id)? {
                Some(RelationCounters::Table(counters)) => Some(counters),
                _ => None,
            };
            Ok(Relation::Table(Arc::new(TableStore::open(
                &self.shared,
                id,
                counters,
            )?)))
        };
        match self.relation(id, open)? {
            Relation::Table(store) => Ok(store),
            _ => Err(internal!("relation {id} is not a table")),
        }
    }

    /// Opens an index. Cheap after the first time.
    pub fn index(&self, def: &Arc<IndexDef>) -> PgResult<Index> {
        self.note_persistence(def.id, def.persistence);
        let store = self.index_store(def.id)?;
        Ok(Index::new(Arc::clone(def), store))
    }

    fn index_store(&self, id: RelationId) -> PgResult<Arc<IndexStore>> {
        let open = || {
            let counters = match meta::read_counters(&*self.shared.kv, id)? {
                Some(RelationCounters::Index(counters)) => Some(counters),
                _ => None,
            };
            Ok(Relation::Index(Arc::new(IndexStore::open(
                &self.shared,
                id,
                counters,
            )?)))
        };
        match self.relation(id, open)? {
            Relation::Index(store) => Ok(store),
            _ => Err(internal!("relation {id} is not an index")),
        }
    }

    /// True when some index may be incomplete for a snapshot of this CSN: its plans must ask [`Storage::index_serves`].
    pub fn has_younger_index(&self, csn: Csn) -> bool {
        csn.0 < self.youngest_index.load(Ordering::Acquire)
    }

    /// False when rows that a snapshot of this CSN sees may be missing in the index. `own`: the transaction that holds the snapshot.
    pub fn index_serves(&self, index: RelationId, csn: Csn, own: Option<Xid>) -> bool {
        match self.relations.read().get(&index) {
            Some(Relation::Index(store)) => store.complete.serves(csn, own),
            // Opened from the KV store by whoever uses it first: nobody has built it in this process.
            _ => true,
        }
    }

    /// A relation whose creation was committed.
    pub(crate) fn relation_committed(&self, id: RelationId, csn: Csn) {
        if let Some(Relation::Index(store)) = self.relations.read().get(&id) {
            if store.complete.committed(csn) {
                self.youngest_index.fetch_max(csn.0, Ordering::AcqRel);
            }
        }
    }

    /// Opens a sequence. A new one begins with [`Sequence::set`].
    pub fn sequence(&self, id: RelationId, persistence: Persistence) -> PgResult<Sequence> {
        self.note_persistence(id, persistence);
        Ok(Sequence::new(self.sequence_store(id)?, persistence))
    }

    fn sequence_store(&self, id: RelationId) -> PgResult<Arc<SequenceStore>> {
        let open = || {
            Ok(Relation::Sequence(Arc::new(SequenceStore::open(
                &*self.shared.kv,
                id,
            )?)))
        };
        match self.relation(id, open)? {
            Relation::Sequence(store) => Ok(store),
            _ => Err(internal!("relation {id} is not a sequence")),
        }
    }

    fn relation(&self, id: RelationId, open: impl FnOnce() -> PgResult<Relation>) -> PgResult<Relation> {
        if let Some(relation) = self.relations.read().get(&id) {
            return Ok(relation.clone());
        }
        // The first opener reads a key or two; others of other relations wait for it, once per relation.
        let mut relations = self.relations.write();
        if let Some(relation) = relations.get(&id) {
            return Ok(relation.clone());
        }
        let relation = open()?;
        relations.insert(id, relation.clone());
        Ok(relation)
    }

    fn note_persistence(&self, id: RelationId, persistence: Persistence) {
        if persistence != Persistence::Permanent {
            self.volatile.lock().insert(id, persistence);
        }
    }

    /// A new OID from the database-wide counter. It may be in use in the catalog at hand: the catalog looks.
    pub fn next_oid(&self) -> PgResult<Oid> {
        let mut counters = self.counters.lock();
        if counters.next_oid > u64::from(u32::MAX) || counters.next_oid < u64::from(Oid::FIRST_NORMAL.0) {
            counters.next_oid = u64::from(Oid::FIRST_NORMAL.0);
            counters.oid_limit = counters.next_oid;
        }
        if counters.next_oid >= counters.oid_limit {
            let limit = counters.next_oid + OIDS_AHEAD;
            self.log_counters(limit, counters.relation_limit)?;
            counters.oid_limit = limit;
        }
        let oid = Oid(counters.next_oid as u32);
        counters.next_oid += 1;
        Ok(oid)
    }

    /// A new relation id; never given out again, whatever happens.
    pub(crate) fn allocate_relation(&self) -> PgResult<RelationId> {
        let mut counters = self.counters.lock();
        if counters.next_relation >= counters.relation_limit {
            let limit = counters.next_relation + RELATIONS_AHEAD;
            self.log_counters(counters.oid_limit, limit)?;
            counters.relation_limit = limit;
        }
        let id = RelationId(counters.next_relation);
        counters.next_relation += 1;
        Ok(id)
    }

    fn log_counters(&self, oids: u64, relations: u64) -> PgResult<()> {
        let mut payload = Vec::new();
        put_varint(oids, &mut payload);
        put_varint(relations, &mut payload);
        self.manager()
            .wal()
            .append(RECORD_COUNTERS, common::Xid(0), &payload)?;
        Ok(())
    }

    /// A relation whose creation was undone.
    pub(crate) fn forget_relation(&self, id: RelationId) {
        self.relation_dropped(id, Csn(0));
    }

    /// A relation whose removal was committed at `csn`: its bytes go when nobody can see it.
    pub(crate) fn relation_dropped(&self, id: RelationId, csn: Csn) {
        self.dropped.lock().push(Dropped { id, csn });
    }

    /// Memory of changes not yet merged, and of cached blocks.
    pub fn memory_bytes(&self) -> (usize, usize) {
        (self.shared.delta_bytes(), self.shared.cache.used())
    }

    /// Rows that committed transactions have changed since the database was opened.
    pub fn changed_rows(&self) -> u64 {
        self.shared.changed_rows.load(Ordering::Relaxed)
    }

    /// Why the last checkpoint or merge that came by itself failed, if it did: it is tried again (unless it panicked), nothing is lost meanwhile.
    pub fn maintenance_failure(&self) -> Option<Box<PgError>> {
        let broken = self.broken.get().cloned();
        broken.or_else(|| self.failure.lock().clone())
    }

    /// Bytes of the KV store on disk.
    pub fn size_on_disk(&self) -> PgResult<u64> {
        Ok(self.shared.kv.size_on_disk()?)
    }

    /// Where recovery would start now.
    pub fn checkpoint_lsn(&self) -> Lsn {
        Lsn(self.checkpoint_lsn.load(Ordering::Acquire))
    }

    /// What the lock file tells a second opener beside our process id (the socket path).
    pub fn set_lock_note(&self, note: &str) -> PgResult<()> {
        match &self.owner {
            Owner::Directory(lock) => lock.write(self.env().process_id(), note),
            Owner::Memory(_) => Ok(()),
        }
    }
}
