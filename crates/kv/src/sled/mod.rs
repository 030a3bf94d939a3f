//! The `sled` 0.34 backend (cargo feature `sled`), with the syncs that sled leaves out.
//!
//! # How it works
//! - One tree, keys prefixed with the keyspace as 8 bytes big endian, so that sled's one-tree atomic batch covers all
//!   keyspaces; values sealed (`value.rs`). Dropping a keyspace deletes its keys one by one.
//! - sled 0.34 syncs its file with `sync_file_range`, which neither flushes the drive's cache nor writes metadata, and does
//!   not sync the blob files of large values at all. [`SledKv::flush`] therefore syncs the file, new blobs and their directory.
//! - Reads of sled are not snapshots; `snapshots.rs` makes them ones.
//! - What is not flushed is bounded by [`UNFLUSHED_BYTES_MAX`]: sled keeps it in memory, at several times its size.
//!
//! # Invariants
//! - sled opens its files itself, so this backend works on the operating system's `Env` only and is refused elsewhere; and
//!   sled has threads of its own, so it is outside of simulation.
//! - After any error the store is poisoned: sled does not say what an error leaves.
//!
//! # What it does not survive
//! - Damaged files: sled 0.34 panics on many kinds of damage (caught here: `KvError::Corrupt`) and returned wrong rows, silently,
//!   on others. Our checksums find wrong values, but not keys that vanished.
//! - A power cut on files written by sled alone: its acknowledged batches were rolled back in nearly every simulated cut. With the
//!   syncs above none was (one `fdatasync` after each flush; the syncs of blobs came later and have not been tried that way).
//! - Any I/O error, a full disk included: the store must be opened again.
//! - Large loads: one million rows of 143 bytes took 3.5 GB of memory and 3.3 times their size on disk.

mod snapshots;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::ops::{Bound, ControlFlow};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use common::env::{Env, File, OpenMode};
use parking_lot::{Mutex, RwLock};

use crate::files::{create_directory, directory_error, file_error, sync_directory};
use crate::sled::snapshots::{Snapshots, Undo};
use crate::value::{seal, unseal};
use crate::{Direction, Durability, Keyspace, Kv, KvError, KvOptions, KvResult, WriteBatch, WriteOp};

/// The directory's name in the database directory.
pub const DIRECTORY_NAME: &str = "store.sled";

/// Payload of eventual batches after which one is flushed all the same.
const UNFLUSHED_BYTES_MAX: usize = 8 << 20;

/// Entries that a range reads at once: first and later. Many ranges end early.
const CHUNK_ENTRIES_MIN: usize = 16;
const CHUNK_ENTRIES_MAX: usize = 512;

/// How often and how long `open` waits for the lock of a store that has just been closed.
const OPEN_ATTEMPTS: usize = 50;
const OPEN_PAUSE: Duration = Duration::from_millis(10);

/// The tree that says what wrote the store.
const META_TREE: &str = "pglite";
const META_FORMAT: &str = "format";

/// What this code writes. A reader refuses any other.
const FORMAT: [u8; 4] = 1u32.to_be_bytes();

type Bounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// A sled directory as a [`Kv`].
pub struct SledKv {
    env: Arc<dyn Env>,
    dir: PathBuf,
    database: ::sled::Db,
    /// sled's main file, for the syncs that sled leaves out.
    file: Arc<dyn File>,
    /// Shared by readers; exclusive while a batch is applied, so that nobody sees half of one. Never held while a visitor runs.
    batches: RwLock<()>,
    snapshots: Snapshots,
    unflushed_bytes: AtomicUsize,
    synced_blobs: Mutex<HashSet<PathBuf>>,
    poisoned: AtomicBool,
}

impl SledKv {
    /// Opens the store in `dir`, creating it when missing.
    pub fn open(env: &Arc<dyn Env>, dir: &Path, options: &KvOptions) -> KvResult<SledKv> {
        let dir = dir.join(DIRECTORY_NAME);
        create_directory(env.as_ref(), &dir)?;
        if !dir.is_dir() {
            return Err(KvError::Unsupported(
                "key-value store \"sled\" needs a real file system".to_owned(),
            ));
        }
        let config = ::sled::Config::new()
            .path(&dir)
            .cache_capacity(options.cache_bytes_max as u64)
            .flush_every_ms(None);
        let database = open_database(env.as_ref(), &config)?;
        check_format(&database)?;
        let path = dir.join("db");
        let file = env
            .fs()
            .open(&path, OpenMode::ReadWrite)
            .map_err(|e| file_error("open", &path, e))?;
        let kv = SledKv {
            env: Arc::clone(env),
            dir,
            database,
            file,
            batches: RwLock::new(()),
            snapshots: Snapshots::default(),
            unflushed_bytes: AtomicUsize::new(0),
            synced_blobs: Mutex::default(),
            poisoned: AtomicBool::new(false),
        };
        kv.flush()?;
        sync_directory(env.as_ref(), &kv.dir)?;
        Ok(kv)
    }

    /// Runs a piece of work on sled; an error poisons the store.
    fn run<T>(&self, work: impl FnOnce() -> KvResult<T>) -> KvResult<T> {
        if self.poisoned.load(Ordering::Acquire) {
            let dir = self.dir.display();
            return Err(KvError::Poisoned(format!(
                "\"{dir}\" cannot be used after an earlier failure"
            )));
        }
        work().inspect_err(|_| self.poisoned.store(true, Ordering::Release))
    }

    /// Syncs what sled wrote but did not sync.
    fn sync_files(&self) -> KvResult<()> {
        let path = self.dir.join("db");
        self.file.sync_data().map_err(|e| file_error("fsync", &path, e))?;
        let blobs = self.dir.join("blobs");
        let names = self
            .env
            .fs()
            .read_dir(&blobs)
            .map_err(|e| directory_error("read", &blobs, e))?;
        let mut synced = self.synced_blobs.lock();
        synced.retain(|name| names.contains(name));
        let new: Vec<PathBuf> = names.into_iter().filter(|name| !synced.contains(name)).collect();
        if new.is_empty() {
            return Ok(());
        }
        for name in new {
            let path = blobs.join(&name);
            // sled removes blobs that nothing needs any more, at any time.
            if let Ok(blob) = self.env.fs().open(&path, OpenMode::Read) {
                blob.sync_all().map_err(|e| file_error("fsync", &path, e))?;
                synced.insert(name);
            }
        }
        sync_directory(self.env.as_ref(), &blobs)
    }

    /// What the batch leaves behind, by prefixed key: a sealed value or nothing.
    fn changes(&self, batch: WriteBatch) -> KvResult<BTreeMap<Vec<u8>, Option<Vec<u8>>>> {
        let mut changes = BTreeMap::new();
        for op in batch.into_ops() {
            match op {
                WriteOp::Put { keyspace, key, value } => {
                    let value = seal(keyspace, &key, value);
                    changes.insert(prefixed(keyspace, &key), Some(value));
                }
                WriteOp::Delete { keyspace, key } => {
                    changes.insert(prefixed(keyspace, &key), None);
                }
                WriteOp::DropKeyspace(keyspace) => {
                    let bounds = prefixed_bounds(keyspace, (Bound::Unbounded, Bound::Unbounded));
                    changes
                        .range_mut(bounds.clone())
                        .for_each(|(_, value)| *value = None);
                    for key in self.database.range(bounds).keys() {
                        changes.insert(key.map_err(into_kv_error)?.to_vec(), None);
                    }
                }
            }
        }
        Ok(changes)
    }

    fn apply(&self, changes: BTreeMap<Vec<u8>, Option<Vec<u8>>>) -> KvResult<()> {
        let mut undo = Undo::new();
        if self.snapshots.has_readers() {
            for key in changes.keys() {
                let old = self.database.get(key).map_err(into_kv_error)?;
                undo.insert(key.clone(), old.map(|old| old.to_vec()));
            }
        }
        let mut batch = ::sled::Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        self.database.apply_batch(batch).map_err(into_kv_error)?;
        self.snapshots.publish(undo);
        Ok(())
    }

    fn get_sealed(&self, keyspace: Keyspace, key: &[u8]) -> KvResult<Option<Arc<[u8]>>> {
        match self
            .database
            .get(prefixed(keyspace, key))
            .map_err(into_kv_error)?
        {
            Some(stored) => Ok(Some(Arc::from(unseal(keyspace, key, &stored)?))),
            None => Ok(None),
        }
    }

    /// The next entries of a range as they are now, and whether more follow.
    fn chunk(
        &self,
        bounds: &Bounds,
        direction: Direction,
        entries_max: usize,
    ) -> KvResult<(BTreeMap<Vec<u8>, Vec<u8>>, bool)> {
        let mut entries = self.database.range(bounds.clone());
        let mut chunk = BTreeMap::new();
        while chunk.len() < entries_max {
            let next = match direction {
                Direction::Forward => entries.next(),
                Direction::Backward => entries.next_back(),
            };
            let Some(next) = next else {
                return Ok((chunk, false));
            };
            let (key, value) = next.map_err(into_kv_error)?;
            chunk.insert(key.to_vec(), value.to_vec());
        }
        Ok((chunk, true))
    }
}

impl Kv for SledKv {
    fn name(&self) -> &'static str {
        "sled"
    }

    fn get(&self, keyspace: Keyspace, key: &[u8]) -> KvResult<Option<Arc<[u8]>>> {
        let _shared = self.batches.read();
        self.run(|| caught(|| self.get_sealed(keyspace, key)))
    }

    fn multi_get(&self, keyspace: Keyspace, keys: &[&[u8]]) -> KvResult<Vec<Option<Arc<[u8]>>>> {
        let _shared = self.batches.read();
        self.run(|| caught(|| keys.iter().map(|key| self.get_sealed(keyspace, key)).collect()))
    }

    fn range(
        &self,
        keyspace: Keyspace,
        bounds: (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> KvResult<()> {
        let mut left = prefixed_bounds(keyspace, bounds);
        let snapshot = {
            let _shared = self.batches.read();
            self.snapshots.begin()
        };
        let mut entries_max = CHUNK_ENTRIES_MIN;
        while !is_empty(&left) {
            let shared = self.batches.read();
            let (mut chunk, more) = self.run(|| caught(|| self.chunk(&left, direction, entries_max)))?;
            let mut rest = (Bound::Unbounded, Bound::Unbounded);
            let mut covered = left.clone();
            if more {
                (covered, rest) = cut(&left, &chunk, direction);
            }
            snapshot.restore(&mut chunk, (as_slice(&covered.0), as_slice(&covered.1)));
            drop(shared);
            let mut entries = chunk.iter();
            while let Some((key, stored)) = match direction {
                Direction::Forward => entries.next(),
                Direction::Backward => entries.next_back(),
            } {
                let key = key.get(PREFIX_BYTES..).unwrap_or_default();
                if visit(key, unseal(keyspace, key, stored)?).is_break() {
                    return Ok(());
                }
            }
            if !more {
                return Ok(());
            }
            left = rest;
            entries_max = (entries_max * 2).min(CHUNK_ENTRIES_MAX);
        }
        Ok(())
    }

    fn keyspaces(&self) -> KvResult<Vec<Keyspace>> {
        let _shared = self.batches.read();
        let mut keyspaces = Vec::new();
        let mut from = Some(Keyspace(0));
        while let Some(keyspace) = from {
            // Jumps from the first key of a keyspace to the first beyond it.
            let low = prefixed(keyspace, &[]);
            let first = self.run(|| {
                caught(|| {
                    self.database
                        .range(low..)
                        .next()
                        .transpose()
                        .map_err(into_kv_error)
                })
            })?;
            let prefix = first
                .as_ref()
                .and_then(|(key, _)| key.first_chunk::<PREFIX_BYTES>());
            let found = prefix.map(|bytes| Keyspace(u64::from_be_bytes(*bytes)));
            keyspaces.extend(found);
            from = found.and_then(|found| found.0.checked_add(1)).map(Keyspace);
        }
        Ok(keyspaces)
    }

    fn write(&self, batch: WriteBatch, durability: Durability) -> KvResult<()> {
        let bytes = batch.payload_bytes();
        {
            let _exclusive = self.batches.write();
            self.run(|| caught(|| self.apply(self.changes(batch)?)))?;
        }
        let unflushed = self.unflushed_bytes.fetch_add(bytes, Ordering::AcqRel) + bytes;
        if durability == Durability::Immediate || unflushed > UNFLUSHED_BYTES_MAX {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&self) -> KvResult<()> {
        self.unflushed_bytes.store(0, Ordering::Release);
        self.run(|| {
            guarded(|| self.database.flush())?;
            self.sync_files()
        })
    }

    fn size_on_disk(&self) -> KvResult<u64> {
        self.run(|| guarded(|| self.database.size_on_disk()))
    }

    fn compact(&self, _give_up: &dyn Fn() -> bool) -> KvResult<()> {
        // sled collects its garbage by itself.
        Ok(())
    }
}

/// Bytes of the keyspace in front of each key.
const PREFIX_BYTES: usize = 8;

fn prefixed(keyspace: Keyspace, key: &[u8]) -> Vec<u8> {
    let mut prefixed = Vec::with_capacity(PREFIX_BYTES + key.len());
    prefixed.extend_from_slice(&keyspace.0.to_be_bytes());
    prefixed.extend_from_slice(key);
    prefixed
}

fn prefixed_bounds(keyspace: Keyspace, bounds: (Bound<&[u8]>, Bound<&[u8]>)) -> Bounds {
    let low = match bounds.0 {
        Bound::Unbounded => Bound::Included(prefixed(keyspace, &[])),
        bound => bound.map(|key| prefixed(keyspace, key)),
    };
    let high = match (bounds.1, keyspace.0.checked_add(1)) {
        (Bound::Unbounded, Some(next)) => Bound::Excluded(prefixed(Keyspace(next), &[])),
        (Bound::Unbounded, None) => Bound::Unbounded,
        (bound, _) => bound.map(|key| prefixed(keyspace, key)),
    };
    (low, high)
}

/// True if nothing can lie between the bounds; maps panic on some of those.
fn is_empty(bounds: &Bounds) -> bool {
    match bounds {
        (Bound::Included(low), Bound::Included(high)) => low > high,
        (Bound::Included(low) | Bound::Excluded(low), Bound::Included(high) | Bound::Excluded(high)) => {
            low >= high
        }
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
    }
}

/// Parts a range into what a chunk covers and what is left.
fn cut(bounds: &Bounds, chunk: &BTreeMap<Vec<u8>, Vec<u8>>, direction: Direction) -> (Bounds, Bounds) {
    let (low, high) = bounds.clone();
    let first = chunk
        .first_key_value()
        .map(|(key, _)| key.clone())
        .unwrap_or_default();
    let last = chunk
        .last_key_value()
        .map(|(key, _)| key.clone())
        .unwrap_or_default();
    match direction {
        Direction::Forward => (
            (low, Bound::Included(last.clone())),
            (Bound::Excluded(last), high),
        ),
        Direction::Backward => (
            (Bound::Included(first.clone()), high),
            (low, Bound::Excluded(first)),
        ),
    }
}

fn as_slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}

/// Opens sled, with patience: a closed sled gives its lock back only when its threads have finished their last jobs.
fn open_database(env: &dyn Env, config: &::sled::Config) -> KvResult<::sled::Db> {
    let mut attempts_left = OPEN_ATTEMPTS;
    loop {
        attempts_left -= 1;
        match guarded(|| config.open()) {
            Err(KvError::Locked(_)) if attempts_left > 0 => env.sleep(OPEN_PAUSE),
            done => return done,
        }
    }
}

fn check_format(database: &::sled::Db) -> KvResult<()> {
    let meta = guarded(|| database.open_tree(META_TREE))?;
    match guarded(|| meta.get(META_FORMAT))? {
        Some(format) if *format == FORMAT => Ok(()),
        Some(other) => Err(KvError::Unsupported(format!(
            "key-value store has format {other:?}, but this is for {FORMAT:?}"
        ))),
        None if database.is_empty() => guarded(|| meta.insert(META_FORMAT, &FORMAT)).map(|_| ()),
        None => Err(KvError::Corrupt(
            "directory is not a key-value store of this program".to_owned(),
        )),
    }
}

/// Runs a call into sled.
fn guarded<T>(call: impl FnOnce() -> ::sled::Result<T>) -> KvResult<T> {
    caught(|| call().map_err(into_kv_error))
}

/// Turns panics into errors.
fn caught<T>(work: impl FnOnce() -> KvResult<T>) -> KvResult<T> {
    // What the panic left half done is inside sled; the store is poisoned by its error.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(KvError::Corrupt(
            "key-value store is damaged: sled panicked".to_owned(),
        ))
    })
}

fn into_kv_error(e: ::sled::Error) -> KvError {
    match e {
        ::sled::Error::Io(e) if e.to_string().starts_with("could not acquire lock") => {
            KvError::Locked(e.to_string())
        }
        ::sled::Error::Io(source) => KvError::Io {
            context: "could not access key-value store".to_owned(),
            source,
        },
        ::sled::Error::Corruption { .. } => KvError::Corrupt(format!("key-value store is damaged: {e}")),
        other => KvError::Backend(other.to_string()),
    }
}
