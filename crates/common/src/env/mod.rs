//! The one door to everything nondeterministic: clock, randomness, files, threads and timers.
//!
//! # How it works
//! `Database` is opened with an `Arc<dyn Env>` and hands it down. Production uses `env::os::OsEnv`, the simulator
//! `env::sim::SimEnv` (seeded; virtual time; torn, reordered and lost unsynced writes; failing and full disk;
//! crash at any operation). Nothing else in the workspace names `std::fs`, `std::time::{Instant, SystemTime}`,
//! `std::thread` or a random generator (checked by tidy).
//!
//! # Invariants
//! - A write is durable only after `sync_data`/`sync_all` of that file returned; a created, renamed or removed name
//!   only after `sync_dir` of its directory returned.
//! - After a failed sync the file's unsynced content is unknown: callers must treat the log as poisoned.

pub mod os;
pub mod sim;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::sync::{Condvar, Mutex};

/// An operating system's error as PostgreSQL prints it with `%m`, without Rust's `(os error 28)`.
pub fn os_error_text(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" (os error ") {
        Some((message, _)) => message.to_owned(),
        None => text,
    }
}

/// How to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// Existing file, reading only.
    Read,
    /// Existing file, reading and writing.
    ReadWrite,
    /// Reading and writing, created when missing, content kept.
    OpenOrCreate,
    /// Reading and writing, must not exist.
    CreateNew,
}

/// A random-access file. All offsets and lengths in bytes. Errors are the operating system's
/// (`StorageFull`, `Other`...), turned into 53100/58030 at the border of `kv` and `txn`.
pub trait File: Send + Sync {
    /// Fills `buf` from `offset`, or fails with `UnexpectedEof`.
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes all of `buf` at `offset`.
    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()>;
    /// Length now.
    fn len(&self) -> io::Result<u64>;
    /// True when the length is 0.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Truncates or extends with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes content (and length) durable.
    fn sync_data(&self) -> io::Result<()>;
    /// Makes content and metadata durable.
    fn sync_all(&self) -> io::Result<()>;
    /// Takes the exclusive advisory lock of the file without waiting; false if another process (or handle) has it.
    fn try_lock_exclusive(&self) -> io::Result<bool>;
}

/// A directory tree of files.
pub trait FileSystem: Send + Sync {
    /// Opens a file.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>>;
    /// Creates a directory and its missing parents.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// The names in a directory, in no particular order.
    fn read_dir(&self, path: &Path) -> io::Result<Vec<PathBuf>>;
    /// True if a file or directory of this name exists.
    fn exists(&self, path: &Path) -> bool;
    /// Renames a file, replacing the target atomically.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes a directory and all below it.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Makes creations, renames and removals in a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
}

/// What a background task wants after a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskStatus {
    /// Run again after this pause (or when woken).
    SleepFor(Duration),
    /// Never again.
    Done,
}

/// A handle to a background task; dropping it does not stop the task.
pub trait TaskHandle: Send + Sync {
    /// Ends the pause early.
    fn wake(&self);
    /// Asks the task to end and waits until it has. It is not run again.
    fn stop(&self);
}

/// A one-shot or repeated wake-up between threads, so that waiting goes through [`Env::wait`].
#[derive(Debug, Default)]
pub struct Notify {
    state: Mutex<bool>,
    condvar: Condvar,
}

impl Notify {
    /// A notification not yet given.
    pub fn new() -> Notify {
        Notify::default()
    }

    /// Wakes the waiter now or, if none waits yet, at its next wait.
    pub fn notify(&self) {
        *self.state.lock() = true;
        self.condvar.notify_all();
    }

    /// Takes the notification without waiting; true if it had been given.
    pub fn take(&self) -> bool {
        std::mem::take(&mut *self.state.lock())
    }

    /// What [`Env::wait`] of an environment with threads does: blocks until the notification is given or `deadline` (None: never) is there, and takes it; true if it was given.
    pub fn block(&self, deadline: Option<Instant>) -> bool {
        let mut given = self.state.lock();
        while !*given {
            match deadline {
                None => self.condvar.wait(&mut given),
                Some(deadline) => {
                    if self.condvar.wait_until(&mut given, deadline).timed_out() {
                        break;
                    }
                }
            }
        }
        std::mem::take(&mut *given)
    }
}

/// Most jobs of [`Env::spawn_worker`] at a time, all kinds together.
pub const WORKERS_MAX: usize = 64;

/// Everything the engine asks of the outside world.
pub trait Env: Send + Sync + 'static {
    /// Wall clock: microseconds since 1970-01-01 00:00:00 UTC.
    fn now_unix_micros(&self) -> i64;
    /// The same as of the last tick of the system's clock, some milliseconds ago, where that costs less to ask for.
    fn recent_unix_micros(&self) -> i64 {
        self.now_unix_micros()
    }
    /// Monotonic clock since an arbitrary start.
    fn monotonic(&self) -> Duration;
    /// Fills `buf` with random bytes (cryptographic quality in production).
    fn fill_random(&self, buf: &mut [u8]);
    /// The file system.
    fn fs(&self) -> &dyn FileSystem;
    /// Starts a background task: `task` runs until it says [`TaskStatus::Done`], pausing in between as it says. On the
    /// operating system each task has a thread; the simulator runs tasks when virtual time passes.
    fn spawn_task(
        &self,
        name: &str,
        task: Box<dyn FnMut() -> TaskStatus + Send>,
    ) -> io::Result<Arc<dyn TaskHandle>>;
    /// Runs `job` on a thread of its own beside the caller, if fewer than `limit` such jobs run now; false, and nothing done, when
    /// there is no thread. The simulator has none: there everything happens in one thread.
    fn spawn_worker(&self, limit: usize, job: Box<dyn FnOnce() + Send>) -> bool {
        let _ = (limit, job);
        false
    }
    /// Waits until `notify` is given or `timeout` (None: forever) passes; true if it was given. Takes the notification.
    fn wait(&self, notify: &Notify, timeout: Option<Duration>) -> bool;
    /// Lets time pass.
    fn sleep(&self, duration: Duration);
    /// Id of this process, for lock files and `pg_backend_pid`.
    fn process_id(&self) -> u32;
}
