//! Opening, forking and closing a database.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use common::env::Env;
use common::{Csn, Oid, PgResult, Xid, pg_err};
use kv::{Durability, Kv, KvOptions, WriteBatch, memory::MemoryKv};
use parking_lot::{Mutex, RwLock};
use txn::{TxnManager, TxnStart, Wal, WalOptions};

use crate::shared::Shared;
use crate::storage::backup;
use crate::storage::lockfile::{LockFile, io_error};
use crate::storage::meta::{self, CheckpointRecord, FORMAT_OLDEST, FORMAT_VERSION, Identity};
use crate::storage::recovery::Replay;
use crate::storage::{Counters, FIRST_RELATION, Storage, StorageOptions};

/// The CSN of everything that recovery finds in the log; 1 is the checkpoint's.
pub(crate) const RECOVERED: Csn = Csn(2);
const CHECKPOINTED: Csn = Csn(1);

impl Storage {
    /// Opens a database, creating it when missing. Recovery happens here: the log above the last checkpoint comes back into delta.
    pub fn open(options: StorageOptions) -> PgResult<Arc<Storage>> {
        match options.dir.clone() {
            None => Storage::open_in_memory(options, MemoryKv::new(), None),
            Some(dir) => Storage::open_dir(options, &dir),
        }
    }

    fn open_in_memory(
        options: StorageOptions,
        kv: MemoryKv,
        forked: Option<(Identity, Counters)>,
    ) -> PgResult<Arc<Storage>> {
        let (identity, counters) = match forked {
            Some(forked) => forked,
            None => (new_identity(&*options.env), Counters::fresh()),
        };
        let start = TxnStart {
            next_xid: Xid(3),
            csn: RECOVERED,
        };
        let manager = TxnManager::new(Arc::clone(&options.env), Wal::none(), start)?;
        let kv = Arc::new(kv);
        let memory = Some(Arc::clone(&kv));
        Ok(Storage::assemble(
            options, kv, memory, manager, identity, counters, None,
        ))
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
            // Decoded blocks are cached above the store.
            cache_bytes_max: (options.cache_bytes_max / 4).max(1 << 20),
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
        let counters = replay.counters();
        let storage = Storage::assemble(options, kv, None, manager, identity, counters, Some(lock));
        storage.checkpoint_lsn.store(checkpoint.redo.0, Ordering::Release);
        for id in meta::read_drops(&*storage.shared.kv)? {
            storage.forget_relation(id);
        }
        *storage.in_doubt.lock() = replay.take_in_doubt()?;
        for one in storage.in_doubt.lock().iter() {
            storage.manager().wal().hold_back(one.xid, one.lsn);
        }
        replay.apply(&storage)?;
        storage.start_background()?;
        Ok(storage)
    }

    fn assemble(
        options: StorageOptions,
        kv: Arc<dyn Kv>,
        memory: Option<Arc<MemoryKv>>,
        manager: Arc<TxnManager>,
        identity: Identity,
        counters: Counters,
        lock: Option<LockFile>,
    ) -> Arc<Storage> {
        let now = options.env.monotonic().as_millis() as u64;
        let shared = Shared::new(kv, manager, &options, CHECKPOINTED);
        Arc::new(Storage {
            options,
            identity,
            shared: Arc::new(shared),
            memory,
            relations: RwLock::default(),
            counters: Mutex::new(counters),
            dropped: Mutex::default(),
            volatile: Mutex::default(),
            maintenance: Mutex::new(()),
            wal_bytes: AtomicU64::new(0),
            checkpoint_lsn: AtomicU64::new(0),
            checkpoint_millis: AtomicU64::new(now),
            youngest_index: AtomicU64::new(0),
            in_doubt: Mutex::default(),
            task: Mutex::new(None),
            closed: AtomicBool::new(false),
            lock,
        })
    }

    /// A second database in memory that begins with the committed content of this one, which is in memory too. Costs a
    /// checkpoint of what changed since the last one, not a copy.
    pub fn fork(&self) -> PgResult<Arc<Storage>> {
        let Some(memory) = &self.memory else {
            return Err(common::unsupported!("cannot fork a database on disk"));
        };
        let kv = {
            let _guard = self.maintenance.lock();
            self.checkpoint_locked(false)?;
            memory.fork()
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
        Storage::open_in_memory(self.options.clone(), kv, Some((self.identity, counters)))
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
        let _guard = self.maintenance.lock();
        self.checkpoint_locked(true)?;
        Ok(self.manager().wal().close()?)
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        // Nobody is left to tell; what is not checkpointed is in the log.
        let _ = self.close();
    }
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
