//! A redb file on an [`Env`](common::env::Env) file, with a record of its health.
//!
//! # Invariants
//! - Every error carries PostgreSQL's words for what was being done and keeps its [`io::ErrorKind`].
//! - Once [`Health::cut_off`] is called, nothing reaches the file through this backend any more: a second redb may open it
//!   while readers still hold the first.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::env::File;

/// Whether the file has failed, and how.
#[derive(Debug, Default)]
pub struct Health {
    failed: AtomicBool,
    sync_failed: AtomicBool,
    cut_off: AtomicBool,
}

impl Health {
    /// True if this instance of redb cannot be used any more.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// True if a sync failed: what of the unsynced writes is on disk is unknown, and reading them back proves nothing, because
    /// the reads come from the page cache.
    pub fn sync_has_failed(&self) -> bool {
        self.sync_failed.load(Ordering::Acquire)
    }

    /// Gives this instance up.
    pub fn set_failed(&self) {
        self.failed.store(true, Ordering::Release);
    }

    /// Keeps this instance away from the file for ever.
    pub fn cut_off(&self) {
        self.set_failed();
        self.cut_off.store(true, Ordering::Release);
    }
}

/// An operating system's error with the words for it; travels through redb inside an [`io::Error`].
#[derive(Debug)]
pub struct FileError {
    /// Such as `could not write to file "store.redb"`.
    pub context: String,
    /// The system's error.
    pub source: io::Error,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.context, self.source)
    }
}

impl std::error::Error for FileError {}

/// The backend.
pub struct EnvBackend {
    file: Arc<dyn File>,
    path: PathBuf,
    health: Arc<Health>,
}

impl EnvBackend {
    /// Puts redb on this file.
    pub fn new(file: Arc<dyn File>, path: &Path, health: Arc<Health>) -> EnvBackend {
        EnvBackend {
            file,
            path: path.to_path_buf(),
            health,
        }
    }

    fn check<T>(&self, done: io::Result<T>, what: &str) -> io::Result<T> {
        done.map_err(|source| {
            self.health.set_failed();
            let context = format!("could not {what} file \"{}\"", self.path.display());
            io::Error::new(source.kind(), FileError { context, source })
        })
    }

    fn require_access(&self) -> io::Result<()> {
        if self.health.cut_off.load(Ordering::Acquire) {
            return Err(io::Error::other("this instance of the store has been replaced"));
        }
        Ok(())
    }
}

impl fmt::Debug for EnvBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnvBackend")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl ::redb::StorageBackend for EnvBackend {
    fn len(&self) -> io::Result<u64> {
        self.require_access()?;
        self.check(self.file.len(), "stat")
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.require_access()?;
        self.check(self.file.read_exact_at(out, offset), "read")
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.require_access()?;
        self.check(self.file.set_len(len), "extend or truncate")
    }

    fn sync_data(&self) -> io::Result<()> {
        self.require_access()?;
        let done = self.file.sync_data();
        if done.is_err() {
            self.health.sync_failed.store(true, Ordering::Release);
        }
        self.check(done, "fsync")
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.require_access()?;
        self.check(self.file.write_all_at(data, offset), "write to")
    }
}
