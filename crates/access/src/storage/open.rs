//! Opening, forking and closing a database.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use common::env::Env;
use common::{Csn, Oid, PgResult, Xid, pg_err};
use kv::{Durability, Kv, KvKind, KvOptions, WriteBatch, memory::MemoryKv};
use parking_lot::{Mutex, RwLock};
use txn::{TxnManager, TxnStart, Wal, WalOptions};

use crate::shared::Shared;
use crate::storage::asked::Requests;
use crate::storage::backup;
use crate::storage::lockfile::{LockFile, io_error};
use crate::storage::meta::{self, CheckpointRecord, FORMAT_OLDEST, FORMAT_VERSION, Identity};
use crate::storage::recovery::{Replay, Replayed};
use crate::storage::shrink::LastLook;
use crate::storage::{Counters, FIRST_RELATION, Owner, Relation, Storage, StorageOptions};
use crate::transaction::prepared::PreparedCopy;

/// Most memory of the store's own cache of pages.
const STORE_CACHE_MAX: usize = 64 << 20;

/// The CSN of everything that recovery finds in the log; 1 is the checkpoint's.
pub(crate) const RECOVERED: Csn = Csn(2);
pub(crate) const CHECKPOINTED: Csn = Csn(1);

impl Storage {
    /// Opens a database, creating it when missing. Recovery happens here: the log above the last checkpoint comes back into delta.
    pub fn open(options: StorageOptions) -> PgResult<Arc<Storage>> {
        match options.dir.clone() {
            None => Storage::open_in_memory(options, Arc::new(MemoryKv::new()), None),
            Some(dir) => Storage::open_dir(options, &dir),
        }
    }

    fn open_in_memory(
        options: StorageOptions,
        kv: Arc<dyn Kv>,
        forked: Option<Forked>,
    ) -> PgResult<Arc<Storage>> {
        let forked = forked.unwrap_or_else(|| Forked {
            identity: new_identity(&*options.env),
            counters: Counters::fresh(),
            next_xid: Xid(3),
            parent: None,
        });
        let start = TxnStart {
            next_xid: forked.next_xid,
            csn: RECOVERED,
        };
        let manager = TxnManager::new(Arc::clone(&options.env), Wal::none(), start)?;
        let (identity, counters) = (forked.identity, forked.counters);
        let owner = Owner::Memory(forked.parent);
        Ok(Storage::assemble(options, kv, manager, identity, counters, owner))
    }

    fn open_dir(options: StorageOptions, dir: &Path) -> PgResult<Arc<Storage>> {
        let env = Arc::clone(&options.env);
        let failed =
            |e: std::io::Error| io_error(&format!("could not create directory \"{}\"", dir.display()), &e);
        let is_new = !env.fs().exists(dir);
        env.fs().create_dir_all(dir).map_err(failed)?;
        if let (true, Some(parent)) = (is_new, dir.parent()) {
            env.fs().sync_dir(parent).map_err(failed)?;
        }
        let lock = LockFile::take(&env, dir)?;
        backup::refuse_incomplete(&*env, dir)?;
        let kv_options = KvOptions {
            // Blocks and leaves are cached above the store, in less room than its pages take, and the system caches its file.
            cache_bytes_max: (options.cache_bytes_max / 4).clamp(1 << 20, STORE_CACHE_MAX),
        };
        let kv = kv::open(options.kv, &env, &dir.join("kv"), &kv_options)?;
        let (identity, checkpoint) = check_format(&*kv, &*env)?;
        drop_volatile(&*kv, &checkpoint)?;
        let mut replay = Replay::new(&checkpoint);
        let wal_options = WalOptions {
            segment_size: options.wal_segment_size,
            ..WalOptions::new(dir.join("wal"))
        };
        let wal = Wal::open(Arc::clone(&env), wal_options, checkpoint.redo, &mut |record| {
            replay.record(record)
        })?;
        let start = TxnStart {
            next_xid: replay.next_xid(),
            csn: RECOVERED,
        };
        let manager = TxnManager::new(env, wal, start)?;
        let counters = replay.counters(meta::last_noted(&*kv)?);
        let storage = Storage::assemble(options, kv, manager, identity, counters, Owner::Directory(lock));
        storage.checkpoint_lsn.store(checkpoint.redo.0, Ordering::Release);
        for id in meta::read_drops(&*storage.shared.kv)? {
            storage.forget_relation(id);
        }
        *storage.in_doubt.lock() = replay.take_in_doubt()?;
        for one in storage.in_doubt.lock().iter() {
            storage.manager().wal().hold_back(one.xid, one.lsn);
        }
        let replayed = replay.apply(&storage)?;
        storage.adopt_loads(&replayed.loads)?;
        storage.adopt_toast(&replayed.values)?;
        storage.adopt_newborns(&replayed.created)?;
        storage.adopt_deletions()?;
        storage.start_background()?;
        Ok(storage)
    }

    fn assemble(
        options: StorageOptions,
        kv: Arc<dyn Kv>,
        manager: Arc<TxnManager>,
        identity: Identity,
        counters: Counters,
        owner: Owner,
    ) -> Arc<Storage> {
        let now = options.env.monotonic().as_millis() as u64;
        let shared = Shared::new(kv, manager, &options, CHECKPOINTED);
        Arc::new(Storage {
            options,
            identity,
            shared: Arc::new(shared),
            relations: RwLock::default(),
            counters: Mutex::new(counters),
            dropped: Mutex::default(),
            volatile: Mutex::default(),
            maintenance: Mutex::new(()),
            maintenance_waiting: AtomicUsize::new(0),
            wal_bytes: AtomicU64::new(0),
            compacted_size: AtomicU64::new(0),
            looked: LastLook::default(),
            checkpoint_lsn: AtomicU64::new(0),
            checkpoint_millis: AtomicU64::new(now),
            youngest_index: AtomicU64::new(0),
            in_doubt: Mutex::default(),
            task: Mutex::new(None),
            asked: Requests::default(),
            broken: OnceLock::new(),
            failure: Mutex::new(None),
            closed: AtomicBool::new(false),
            owner,
        })
    }

    /// A second database in memory that begins with the committed content of this one. Costs a checkpoint of what changed since the
    /// last one, not a copy: what it writes lies over the store of this one as it is now. So a fork of a directory keeps the
    /// directory open and locked, and its old pages in use.
    ///
    /// `prepared` are the prepared transactions as of `at_point`, before which none of them may end.
    pub fn fork(
        self: &Arc<Self>,
        prepared: Vec<PreparedCopy>,
        at_point: impl FnOnce(),
    ) -> PgResult<Arc<Storage>> {
        let kv = self.under(self.lock_maintenance(), || {
            self.checkpoint_locked(false)?;
            at_point();
            Ok(self.shared.kv.fork()?)
        })?;
        let Some(kv) = kv else {
            let name = self.shared.kv.name();
            return Err(common::unsupported!("cannot fork a database over {name}"));
        };
        let counters = {
            let counters = self.counters.lock();
            Counters {
                next_oid: counters.next_oid,
                oid_limit: counters.next_oid,
                next_relation: counters.next_relation,
                relation_limit: counters.next_relation,
            }
        };
        let forked = Forked {
            identity: self.identity,
            counters,
            next_xid: self.manager().next_xid(),
            parent: match &self.owner {
                Owner::Memory(parent) => parent.clone(),
                Owner::Directory(_) => Some(Arc::clone(self)),
            },
        };
        let options = StorageOptions {
            dir: None,
            kv: KvKind::Memory,
            ..self.options.clone()
        };
        let child = Storage::open_in_memory(options, kv, Some(forked))?;
        *child.in_doubt.lock() = prepared.into_iter().map(PreparedCopy::in_doubt).collect();
        // What others had not committed at the point.
        let nothing = Replayed::default();
        child.adopt_loads(&nothing.loads)?;
        child.adopt_toast(&nothing.values)?;
        child.adopt_newborns(&nothing.created)?;
        child.adopt_deletions()?;
        Ok(child)
    }

    /// Ends a database: no new transactions, a last checkpoint, files closed. Running transactions are lost as in a crash.
    pub fn close(&self) -> PgResult<()> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let task = self.task.lock().take();
        if let Some(task) = task {
            task.stop();
        }
        if self.options.dir.is_none() {
            return Ok(());
        }
        let written = self.under(self.lock_maintenance(), || self.checkpoint_locked(true));
        if self.is_broken() {
            // The next start replays what the store lacks: the log has to be whole.
            self.manager().wal().close()?;
        }
        written?;
        Ok(self.manager().wal().close()?)
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        // Nobody is left to tell; what is not checkpointed is in the log.
        let _ = self.close();
        // What holds each other would never go.
        self.shared.loads.leave();
        self.shared.deletions.leave();
        for relation in self.relations.get_mut().values() {
            match relation {
                Relation::Table(table) => table.gates.leave(),
                Relation::Index(index) => index.gates.leave(),
                Relation::Sequence(_) => {}
            }
        }
    }
}

/// What a fork begins with.
struct Forked {
    identity: Identity,
    counters: Counters,
    next_xid: Xid,
    /// The database whose directory it reads.
    parent: Option<Arc<Storage>>,
}

impl Counters {
    fn fresh() -> Counters {
        Counters {
            next_oid: u64::from(Oid::FIRST_NORMAL.0),
            oid_limit: 0,
            next_relation: FIRST_RELATION.0,
            relation_limit: 0,
        }
    }
}

fn new_identity(env: &dyn Env) -> Identity {
    let mut random = [0; 8];
    env.fill_random(&mut random);
    Identity {
        // PostgreSQL's is positive as a bigint.
        system_id: u64::from_le_bytes(random) >> 1,
        created_unix_micros: env.now_unix_micros(),
    }
}

/// Who the database in a store is, and its last checkpoint; a new store gets an identity.
fn check_format(kv: &dyn Kv, env: &dyn Env) -> PgResult<(Identity, CheckpointRecord)> {
    match meta::read_format(kv)? {
        Some(version @ FORMAT_OLDEST..=FORMAT_VERSION) => {
            if version < FORMAT_VERSION {
                let mut batch = WriteBatch::new();
                meta::put_format(&mut batch);
                kv.write(batch, Durability::Immediate)?;
            }
            let identity = meta::read_identity(kv)?;
            Ok((identity, meta::read_checkpoint(kv)?.unwrap_or_default()))
        }
        Some(other) => Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "database has format version {other}, this program supports version {FORMAT_VERSION}"
        )),
        None => {
            let identity = new_identity(env);
            let mut batch = WriteBatch::new();
            meta::put_identity(&identity, &mut batch);
            kv.write(batch, Durability::Immediate)?;
            Ok((identity, CheckpointRecord::default()))
        }
    }
}

/// Empties what was never logged: temporary relations always, unlogged ones after a crash.
fn drop_volatile(kv: &dyn Kv, checkpoint: &CheckpointRecord) -> PgResult<()> {
    let relations = meta::read_volatile(kv)?;
    let clean = checkpoint.clean == 1;
    let mut batch = WriteBatch::new();
    let mut kept = Vec::new();
    for (id, persistence) in relations {
        if clean && persistence == crate::defs::Persistence::Unlogged {
            kept.push((id, persistence));
        } else {
            meta::drop_keyspaces(id, &mut batch);
            meta::delete_counters(id, &mut batch);
        }
    }
    if clean || !batch.is_empty() {
        meta::put_volatile(&kept, &mut batch);
        // From now on it is not clean.
        meta::put_checkpoint(
            &CheckpointRecord {
                clean: 0,
                ..*checkpoint
            },
            &mut batch,
        );
        kv.write(batch, Durability::Immediate)?;
    }
    Ok(())
}
