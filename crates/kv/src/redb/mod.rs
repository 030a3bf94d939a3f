//! The default backend on disk: one file of the `redb` crate (a copy-on-write B+tree), on the files of the `Env`.
//!
//! # How it works
//! - Each keyspace is a redb table named after its number in hexadecimal; keys as they are, values sealed (`value.rs`). One table
//!   with keyspace-prefixed keys was the alternative. Measured on 700,000 rows of 143 bytes that arrive in order in 50
//!   keyspaces, batches of 10,000: 885k rows/s and 128 MB for tables, 521k rows/s and 257 MB for prefixes
//!   (the end of a keyspace is the middle of the common tree, so pages split into halves that never fill);
//!   dropping 14,000 rows 2.1 against 5.9 ms; one get 4.0 against 4.6 µs.
//! - `Durability::Immediate` is redb's `Immediate` with quick repair: two syncs instead of one and the allocator's state in each
//!   commit, so that opening after a crash does not walk the whole file. `Eventual` is redb's `None`: nothing is synced,
//!   pages pile up in the write buffer (half of the cache at most) and then spill to unused parts of the file.
//! - redb refuses everything after its first I/O error. [`RedbKv`] then opens a second instance on the same file handle
//!   and cuts the first off from it, so the store works again as soon as there is space again. What was `Eventual` is lost by
//!   that. After a failed *sync* the header is made durable first: see [`RedbKv::renew_header`].
//! - redb checks page checksums on recovery only and panics on much of what damage can look like. Every call into it
//!   is guarded ([`guarded`]); a panic is `KvError::Corrupt`, and the instance is replaced.
//! - Readers share one read transaction per commit (`snapshot.rs`).
//! - A new file is built under a temporary name and renamed: a file of the right name is always complete. So is a compacted copy (`rewrite.rs`).
//!
//! # Invariants
//! - Lock ranks: `writer`, `current`, then those of the snapshot. No lock is held while a visitor runs or while redb reads for a caller; `current` is held
//!   for writing only to replace the instance and while redb compacts.

mod backend;
mod failure;
mod frozen;
mod rewrite;
mod snapshot;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::{Bound, ControlFlow};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use ::redb::{
    CompactionError, Database, ReadableDatabase, Table, TableDefinition, TableError, WriteTransaction,
};
use common::env::{Env, File, OpenMode};
use parking_lot::{Mutex, RwLock};

use crate::files::{create_directory, file_error, sync_directory};
use crate::overlay::OverlayKv;
use crate::redb::backend::{EnvBackend, Health};
use crate::redb::failure::{Failure, guarded};
use crate::redb::frozen::Frozen;
use crate::redb::snapshot::{ReadTable, SharedSnapshot};
use crate::value::{CHECKSUM_BYTES, seal_into, unseal};
use crate::{Direction, Durability, Keyspace, Kv, KvError, KvOptions, KvResult, WriteBatch, WriteOp};

/// The file's name in the database directory.
pub const FILE_NAME: &str = "store.redb";

/// The table that says what wrote the file; all other tables are keyspaces.
const META_TABLE: TableDefinition<&str, u64> = TableDefinition::new("pglite");
const META_FORMAT: &str = "format";

/// What this code writes. A reader refuses any other.
const FORMAT: u64 = 1;

/// What redb keeps at the beginning of its file; no page lies there.
const HEADER_BYTES: usize = 320;

/// How often and how long `compact` waits for a moment without readers.
const COMPACT_ATTEMPTS: usize = 100;
const COMPACT_PAUSE: Duration = Duration::from_millis(2);

type Bytes = &'static [u8];
type Definition<'a> = TableDefinition<'a, Bytes, Bytes>;

/// A redb file as a [`Kv`].
pub struct RedbKv {
    env: Arc<dyn Env>,
    path: PathBuf,
    cache_bytes_max: usize,
    /// Held by the one who writes.
    writer: Mutex<()>,
    /// Those who wait for it.
    writers_waiting: AtomicUsize,
    /// Bytes of keys and values of all batches.
    written: AtomicU64,
    /// The file may have another name after a crash.
    name_unsettled: AtomicBool,
    current: RwLock<Arc<Instance>>,
    /// Instances replaced.
    losses: AtomicU64,
}

/// One life of redb, from opening to its first failure.
struct Instance {
    /// Goes before the database does.
    snapshot: SharedSnapshot,
    /// None only while it is being dropped.
    database: Option<Database>,
    health: Arc<Health>,
    file: Arc<dyn File>,
}

impl Drop for Instance {
    fn drop(&mut self) {
        // Closing writes, and so may meet damage; nobody is left to hear about it.
        self.snapshot.drop_current();
        let database = self.database.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(database)));
    }
}

impl RedbKv {
    /// Opens the file in `dir`, creating both when missing.
    pub fn open(env: &Arc<dyn Env>, dir: &Path, options: &KvOptions) -> KvResult<RedbKv> {
        let path = dir.join(FILE_NAME);
        if !env.fs().exists(&path) {
            create_directory(env.as_ref(), dir)?;
            create_file(env.as_ref(), dir, &path, options)?;
        }
        let file = open_locked(env.as_ref(), &path, OpenMode::ReadWrite)?;
        if file.is_empty().map_err(|e| file_error("stat", &path, e))? {
            // redb would take it for a new one.
            return Err(KvError::Corrupt(format!("file \"{}\" is empty", path.display())));
        }
        let instance = Instance::open(&file, &path, options.cache_bytes_max)?;
        let copy = rewrite::copy_path(&path);
        if env.fs().exists(&copy) {
            // A crash left it.
            let removed = env.fs().remove_file(&copy);
            removed.map_err(|e| file_error("remove", &copy, e))?;
        }
        Ok(RedbKv {
            env: Arc::clone(env),
            path,
            cache_bytes_max: options.cache_bytes_max,
            writer: Mutex::new(()),
            writers_waiting: AtomicUsize::new(0),
            written: AtomicU64::new(0),
            // The process before may have ended in between.
            name_unsettled: AtomicBool::new(true),
            current: RwLock::new(Arc::new(instance)),
            losses: AtomicU64::new(0),
        })
    }

    /// The instance to use, a new one if the last one failed.
    fn instance(&self) -> KvResult<Arc<Instance>> {
        let current = Arc::clone(&self.current.read());
        if !current.health.has_failed() {
            return Ok(current);
        }
        drop(current);
        let mut current = self.current.write();
        if current.health.has_failed() {
            current.health.cut_off();
            if current.health.sync_has_failed() {
                self.renew_header(&current.file)?;
            }
            *current = Arc::new(Instance::open(&current.file, &self.path, self.cache_bytes_max)?);
            self.losses.fetch_add(1, Ordering::SeqCst);
        }
        Ok(Arc::clone(&current))
    }

    /// Makes the header on disk the one that reads see, which a failed sync leaves open.
    ///
    /// A commit is: pages and the new, not yet valid commit slot; a sync; the bit in the header that makes it valid; a sync. After
    /// a failed first sync no valid header leads to the pages that may be lost, and after a failed second one they had
    /// been synced. So only the header is in doubt: in the page cache (from which redb would read it) it may be newer than on disk, and
    /// redb would give the pages of the older commit away, which a crash then brings back. Writing it again makes it dirty again,
    /// so the next sync cannot pass it over.
    fn renew_header(&self, file: &Arc<dyn File>) -> KvResult<()> {
        let mut header = vec![0; HEADER_BYTES];
        let io = |what: &str, done: std::io::Result<()>| done.map_err(|e| file_error(what, &self.path, e));
        io("read", file.read_exact_at(&mut header, 0))?;
        io("write to", file.write_all_at(&header, 0))?;
        io("fsync", file.sync_data())
    }

    /// Does a piece of work that may be repeated, on a second instance if the first one turns out to be stale.
    fn run<T>(&self, mut work: impl FnMut(&Instance) -> Result<T, Failure>) -> KvResult<T> {
        let mut stale = 0;
        loop {
            let instance = self.instance()?;
            match guarded(|| work(&instance)) {
                Ok(done) => return Ok(done),
                Err(Failure::Error(e)) => {
                    if !matches!(e, KvError::Io { .. }) {
                        instance.health.set_failed();
                    }
                    return Err(e);
                }
                Err(Failure::Stale) => {
                    instance.health.set_failed();
                    stale += 1;
                    if stale == 2 {
                        return Err(KvError::Poisoned(format!(
                            "file \"{}\" cannot be used after an earlier failure",
                            self.path.display()
                        )));
                    }
                }
            }
        }
    }
}

impl Instance {
    fn open(file: &Arc<dyn File>, path: &Path, cache_bytes_max: usize) -> KvResult<Instance> {
        let health = Arc::new(Health::default());
        let backend = EnvBackend::new(Arc::clone(file), path, Arc::clone(&health));
        let opened = guarded(|| {
            let database = Database::builder()
                .set_cache_size(cache_bytes_max)
                .create_with_backend(backend)?;
            let instance = Instance {
                snapshot: SharedSnapshot::default(),
                database: Some(database),
                health: Arc::clone(&health),
                file: Arc::clone(file),
            };
            check_format(instance.database()?)?;
            Ok(instance)
        });
        opened.map_err(|failure| match failure {
            Failure::Error(e) => e,
            Failure::Stale => KvError::Poisoned(format!("could not open file \"{}\"", path.display())),
        })
    }

    fn database(&self) -> Result<&Database, Failure> {
        self.database.as_ref().ok_or(Failure::Stale)
    }

    fn table(&self, keyspace: Keyspace) -> Result<Option<Arc<ReadTable>>, Failure> {
        self.snapshot.current(self.database()?)?.table(keyspace)
    }
}

impl Kv for RedbKv {
    fn name(&self) -> &'static str {
        "redb"
    }

    fn get(&self, keyspace: Keyspace, key: &[u8]) -> KvResult<Option<Arc<[u8]>>> {
        self.run(|instance| {
            let Some(table) = instance.table(keyspace)? else {
                return Ok(None);
            };
            get_sealed(&table, keyspace, key)
        })
    }

    fn multi_get(&self, keyspace: Keyspace, keys: &[&[u8]]) -> KvResult<Vec<Option<Arc<[u8]>>>> {
        self.run(|instance| {
            let Some(table) = instance.table(keyspace)? else {
                return Ok(vec![None; keys.len()]);
            };
            keys.iter().map(|key| get_sealed(&table, keyspace, key)).collect()
        })
    }

    fn range(
        &self,
        keyspace: Keyspace,
        bounds: (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> KvResult<()> {
        let entries = self.run(|instance| match instance.table(keyspace)? {
            Some(table) => Ok(Some(table.range::<&[u8]>(bounds)?)),
            None => Ok(None),
        })?;
        let Some(entries) = entries else { return Ok(()) };
        visit_entries(entries, keyspace, direction, visit)
            .unwrap_or_else(|failure| Err(self.broken_off(failure)))
    }

    fn keyspaces(&self) -> KvResult<Vec<Keyspace>> {
        self.run(|instance| instance.snapshot.current(instance.database()?)?.keyspaces())
    }

    fn write(&self, batch: WriteBatch, durability: Durability) -> KvResult<()> {
        self.writers_waiting.fetch_add(1, Ordering::Relaxed);
        let _writer = self.writer.lock();
        self.writers_waiting.fetch_sub(1, Ordering::Relaxed);
        if durability == Durability::Immediate {
            self.settle_name()?;
        }
        self.written
            .fetch_add(batch.payload_bytes() as u64, Ordering::Relaxed);
        self.run(|instance| {
            let mut transaction = instance.database()?.begin_write()?;
            set_durability(&mut transaction, durability)?;
            apply(&transaction, batch.ops())?;
            instance.snapshot.drop_current();
            let committed = transaction.commit();
            instance.snapshot.drop_current();
            Ok(committed?)
        })
        .inspect_err(|_| {
            // redb wants to be reopened after a failed commit, whatever the reason.
            self.current.read().health.set_failed();
        })
    }

    fn losses(&self) -> u64 {
        // A failed instance counts from its failure on: who begins after it, before the next instance is there, loses nothing.
        let current = self.current.read();
        self.losses.load(Ordering::SeqCst) + u64::from(current.health.has_failed())
    }

    fn flush(&self) -> KvResult<()> {
        self.write(WriteBatch::new(), Durability::Immediate)
    }

    fn size_on_disk(&self) -> KvResult<u64> {
        let current = Arc::clone(&self.current.read());
        current.file.len().map_err(|e| file_error("stat", &self.path, e))
    }

    fn bytes_written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    fn live_bytes(&self) -> KvResult<Option<u64>> {
        self.bytes_in_use().map(Some)
    }

    fn compact_beside(&self, give_up: &dyn Fn() -> bool) -> KvResult<bool> {
        let _writer = self.writer.lock();
        self.rewrite(&|| self.writers_waiting.load(Ordering::Relaxed) > 0 || give_up())
    }

    fn compact(&self, give_up: &dyn Fn() -> bool) -> KvResult<()> {
        let _writer = self.writer.lock();
        if matches!(self.rewrite(give_up), Ok(true)) {
            return Ok(());
        }
        // There is no room for a copy. redb compacts only when nobody reads or writes.
        for _ in 0..COMPACT_ATTEMPTS {
            self.instance()?;
            if give_up() || self.try_compact()? {
                return Ok(());
            }
            self.env.sleep(COMPACT_PAUSE);
        }
        Ok(())
    }

    fn fork(&self) -> KvResult<Option<Arc<dyn Kv>>> {
        let instance = self.instance()?;
        let snapshot = self.run(|instance| instance.snapshot.current(instance.database()?))?;
        let frozen = Frozen {
            snapshot,
            path: self.path.clone(),
            _instance: instance,
        };
        Ok(Some(Arc::new(OverlayKv::over(Arc::new(frozen)))))
    }
}

impl RedbKv {
    /// Compacts; false if somebody is reading.
    fn try_compact(&self) -> KvResult<bool> {
        let mut current = self.current.write();
        let Some(Instance {
            database: Some(database),
            health,
            snapshot,
            ..
        }) = Arc::get_mut(&mut current)
        else {
            return Ok(false);
        };
        snapshot.drop_current();
        let done = guarded(|| match database.compact() {
            Ok(_) => Ok(true),
            // A range read needs the instance no more, but its transaction is there.
            Err(CompactionError::TransactionInProgress) => Ok(false),
            Err(e) => Err(e.into()),
        });
        done.map_err(|failure| {
            health.set_failed();
            into_kv_error(failure, &self.path)
        })
    }

    /// The error of a range read that failed under way, which cannot be repeated.
    fn broken_off(&self, failure: Failure) -> KvError {
        self.current.read().health.set_failed();
        into_kv_error(failure, &self.path)
    }
}

fn into_kv_error(failure: Failure, path: &Path) -> KvError {
    match failure {
        Failure::Error(e) => e,
        Failure::Stale => KvError::Poisoned(format!(
            "file \"{}\" cannot be used after an earlier failure",
            path.display()
        )),
    }
}

/// Makes a complete, durable, empty store under its final name.
fn create_file(env: &dyn Env, dir: &Path, path: &Path, options: &KvOptions) -> KvResult<()> {
    let building = path.with_extension("redb.new");
    let file = open_locked(env, &building, OpenMode::OpenOrCreate)?;
    // What an earlier attempt left behind.
    file.set_len(0)
        .map_err(|e| file_error("truncate", &building, e))?;
    let health = Arc::new(Health::default());
    let backend = EnvBackend::new(Arc::clone(&file), &building, health);
    let built = guarded(|| {
        let database = Database::builder()
            .set_cache_size(options.cache_bytes_max)
            .create_with_backend(backend)?;
        let mut transaction = database.begin_write()?;
        set_durability(&mut transaction, Durability::Immediate)?;
        transaction.open_table(META_TABLE)?.insert(META_FORMAT, FORMAT)?;
        transaction.commit()?;
        Ok(database.close()?)
    });
    built.map_err(|failure| into_kv_error(failure, &building))?;
    file.sync_all().map_err(|e| file_error("fsync", &building, e))?;
    env.fs()
        .rename(&building, path)
        .map_err(|e| file_error("rename", &building, e))?;
    sync_directory(env, dir)
}

fn open_locked(env: &dyn Env, path: &Path, mode: OpenMode) -> KvResult<Arc<dyn File>> {
    let file = env
        .fs()
        .open(path, mode)
        .map_err(|e| file_error("open", path, e))?;
    match file.try_lock_exclusive() {
        Ok(true) => Ok(file),
        Ok(false) => Err(KvError::Locked(format!(
            "file \"{}\" is in use by another process",
            path.display()
        ))),
        Err(e) => Err(file_error("lock", path, e)),
    }
}

fn check_format(database: &Database) -> Result<(), Failure> {
    let transaction = database.begin_read()?;
    let format = match transaction.open_table(META_TABLE) {
        Ok(table) => table.get(META_FORMAT)?.map(|format| format.value()),
        Err(TableError::TableDoesNotExist(_)) => None,
        Err(e) => return Err(e.into()),
    };
    match format {
        Some(FORMAT) => Ok(()),
        Some(other) => Err(KvError::Unsupported(format!(
            "key-value store has format {other}, but this is for format {FORMAT}"
        ))
        .into()),
        None => Err(KvError::Corrupt("file is not a key-value store of this program".to_owned()).into()),
    }
}

/// A keyspace's name for redb.
fn table_name(keyspace: Keyspace) -> String {
    format!("{:016x}", keyspace.0)
}

/// The keyspace of a table of redb; None for our own bookkeeping.
fn keyspace_of(table_name: &str) -> Option<Keyspace> {
    let number = u64::from_str_radix(table_name, 16).ok().map(Keyspace);
    number.filter(|_| table_name.len() == 16)
}

fn get_sealed(table: &ReadTable, keyspace: Keyspace, key: &[u8]) -> Result<Option<Arc<[u8]>>, Failure> {
    match table.get(key)? {
        Some(stored) => Ok(Some(Arc::from(unseal(keyspace, key, stored.value())?))),
        None => Ok(None),
    }
}

/// Visits the entries of a range until the visitor breaks. The visitor runs outside of the guard: its panics are its caller's.
fn visit_entries(
    mut entries: ::redb::Range<'_, Bytes, Bytes>,
    keyspace: Keyspace,
    direction: Direction,
    visit: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
) -> Result<KvResult<()>, Failure> {
    loop {
        let next = guarded(|| {
            let next = match direction {
                Direction::Forward => entries.next(),
                Direction::Backward => entries.next_back(),
            };
            Ok(next.transpose()?)
        })?;
        let Some((key, value)) = next else {
            return Ok(Ok(()));
        };
        let (key, stored) = guarded(|| Ok((key.value(), value.value())))?;
        match unseal(keyspace, key, stored) {
            Ok(value) if visit(key, value).is_continue() => {}
            Ok(_) => return Ok(Ok(())),
            Err(damaged) => return Ok(Err(damaged)),
        }
    }
}

fn set_durability(transaction: &mut WriteTransaction, durability: Durability) -> Result<(), Failure> {
    let durability = match durability {
        Durability::Eventual => ::redb::Durability::None,
        Durability::Immediate => {
            transaction.set_quick_repair(true);
            ::redb::Durability::Immediate
        }
    };
    transaction
        .set_durability(durability)
        .map_err(|e| Failure::Error(KvError::Backend(e.to_string())))
}

fn apply(transaction: &WriteTransaction, ops: &[WriteOp]) -> Result<(), Failure> {
    let mut tables: HashMap<Keyspace, Table<'_, Bytes, Bytes>> = HashMap::new();
    for op in ops {
        match op {
            WriteOp::Put { keyspace, key, value } => {
                let table = open_to_write(transaction, &mut tables, *keyspace)?;
                let mut stored = table.insert_reserve(key.as_slice(), value.len() + CHECKSUM_BYTES)?;
                seal_into(*keyspace, key, value, stored.as_mut());
            }
            WriteOp::Delete { keyspace, key } => {
                open_to_write(transaction, &mut tables, *keyspace)?.remove(key.as_slice())?;
            }
            WriteOp::DropKeyspace(keyspace) => {
                // An open table cannot be deleted.
                tables.remove(keyspace);
                transaction.delete_table(Definition::new(&table_name(*keyspace)))?;
            }
        }
    }
    Ok(())
}

fn open_to_write<'t, 'm>(
    transaction: &'t WriteTransaction,
    tables: &'m mut HashMap<Keyspace, Table<'t, Bytes, Bytes>>,
    keyspace: Keyspace,
) -> Result<&'m mut Table<'t, Bytes, Bytes>, Failure> {
    Ok(match tables.entry(keyspace) {
        Entry::Occupied(open) => open.into_mut(),
        Entry::Vacant(closed) => {
            closed.insert(transaction.open_table(Definition::new(&table_name(keyspace)))?)
        }
    })
}
