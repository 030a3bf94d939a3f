//! The operating system as an [`Env`]: what production runs on.
//!
//! # Invariants
//! - Every background task has a thread of its own, named after it; a task runs on no other thread.
//! - `sync_data` is `fdatasync` (`F_FULLFSYNC` on macOS), which also makes a changed length durable.
//!
//! # Not here
//! Windows: positional reads exist there under other names (`seek_read`), directories cannot be synced. Nobody has
//! tested that yet, so this module compiles on Unix only.

use std::fs::{self, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::{Condvar, Mutex};

use crate::env::{Env, File, FileSystem, Notify, OpenMode, TaskHandle, TaskStatus};

/// The operating system's clock, files, threads and randomness.
#[derive(Debug)]
pub struct OsEnv {
    start: Instant,
    /// Jobs of [`Env::spawn_worker`] that run now.
    workers: Arc<AtomicUsize>,
}

impl OsEnv {
    /// The operating system.
    pub fn new() -> OsEnv {
        OsEnv {
            start: Instant::now(),
            workers: Arc::default(),
        }
    }
}

/// Stack of a worker's thread: expressions nest as deep there as in a session.
const WORKER_STACK_BYTES: usize = 8 << 20;

/// Counts a worker as long as it lives, also when it panics.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Default for OsEnv {
    fn default() -> OsEnv {
        OsEnv::new()
    }
}

impl Env for OsEnv {
    fn now_unix_micros(&self) -> i64 {
        let micros = |d: Duration| i64::try_from(d.as_micros()).unwrap_or(i64::MAX);
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => micros(after),
            Err(before) => -micros(before.duration()),
        }
    }

    #[cfg(target_os = "linux")]
    fn recent_unix_micros(&self) -> i64 {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
        time.tv_sec * 1_000_000 + time.tv_nsec / 1000
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn fill_random(&self, buf: &mut [u8]) {
        // Going on with guessable bytes would make guessable secrets, so this is the rare place that may panic.
        // It needs a system without /dev/urandom and getrandom(2).
        assert!(
            getrandom::fill(buf).is_ok(),
            "the operating system gives no random bytes"
        );
    }

    fn fs(&self) -> &dyn FileSystem {
        &OsFileSystem
    }

    fn spawn_task(
        &self,
        name: &str,
        task: Box<dyn FnMut() -> TaskStatus + Send>,
    ) -> io::Result<Arc<dyn TaskHandle>> {
        let signal = Arc::new(TaskSignal::default());
        let for_thread = Arc::clone(&signal);
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || run_task(&for_thread, task))?;
        Ok(Arc::new(OsTask {
            signal,
            thread: Mutex::new(Some(thread)),
        }))
    }

    fn spawn_worker(&self, limit: usize, job: Box<dyn FnOnce() + Send>) -> bool {
        let running = self.workers.fetch_add(1, Ordering::Relaxed);
        let counted = Counted(Arc::clone(&self.workers));
        if running >= limit {
            return false;
        }
        let body = move || {
            let _counted = counted;
            job();
        };
        thread::Builder::new()
            .name("pglite worker".to_owned())
            .stack_size(WORKER_STACK_BYTES)
            .spawn(body)
            .is_ok()
    }

    fn wait(&self, notify: &Notify, timeout: Option<Duration>) -> bool {
        let deadline = timeout.and_then(|t| Instant::now().checked_add(t));
        notify.block(deadline)
    }

    fn sleep(&self, duration: Duration) {
        thread::sleep(duration);
    }

    fn process_id(&self) -> u32 {
        std::process::id()
    }
}

/// What a task's owner tells its thread.
#[derive(Debug, Default)]
struct TaskSignal {
    state: Mutex<TaskOrders>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct TaskOrders {
    wake: bool,
    stop: bool,
}

/// The body of a task's thread.
fn run_task(signal: &TaskSignal, mut task: Box<dyn FnMut() -> TaskStatus + Send>) {
    loop {
        {
            let mut orders = signal.state.lock();
            // A wake-up that comes while the task runs must cause one more run, so it is forgotten before, not after.
            orders.wake = false;
            if orders.stop {
                return;
            }
        }
        let TaskStatus::SleepFor(pause) = task() else {
            return;
        };
        let deadline = Instant::now().checked_add(pause);
        let mut orders = signal.state.lock();
        while !orders.wake && !orders.stop {
            match deadline {
                None => signal.changed.wait(&mut orders),
                Some(deadline) => {
                    if signal.changed.wait_until(&mut orders, deadline).timed_out() {
                        break;
                    }
                }
            }
        }
    }
}

/// A task's thread, seen from outside.
#[derive(Debug)]
struct OsTask {
    signal: Arc<TaskSignal>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl TaskHandle for OsTask {
    fn wake(&self) {
        self.signal.state.lock().wake = true;
        self.signal.changed.notify_all();
    }

    fn stop(&self) {
        self.signal.state.lock().stop = true;
        self.signal.changed.notify_all();
        // The lock is held while joining, so that a second caller of `stop` also returns only after the end.
        let mut thread = self.thread.lock();
        if thread
            .as_ref()
            .is_some_and(|t| t.thread().id() == thread::current().id())
        {
            return; // A task that stops itself cannot wait for itself; it ends when its run returns.
        }
        if let Some(thread) = thread.take() {
            // A task that panicked has ended too.
            let _ = thread.join();
        }
    }
}

/// `std::fs` behind the trait.
struct OsFileSystem;

impl FileSystem for OsFileSystem {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut options = OpenOptions::new();
        options.read(true);
        match mode {
            OpenMode::Read => &mut options,
            OpenMode::ReadWrite => options.write(true),
            OpenMode::OpenOrCreate => options.write(true).create(true).truncate(false),
            OpenMode::CreateNew => options.write(true).create_new(true),
        };
        Ok(Arc::new(OsFile {
            file: options.open(path)?,
        }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(path)?
            .map(|entry| Ok(PathBuf::from(entry?.file_name())))
            .collect()
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        // "" is what `Path::parent` says of a bare file name.
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        fs::File::open(path)?.sync_all()
    }
}

/// An open file.
struct OsFile {
    file: fs::File,
}

impl File for OsFile {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buf, offset)
    }

    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(buf, offset)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn try_lock_exclusive(&self) -> io::Result<bool> {
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::env::os_error_text;

    #[test]
    fn files_read_what_was_written_and_lock_each_other_out() {
        let dir = tempfile::tempdir().unwrap();
        let env = OsEnv::new();
        let path = dir.path().join("a");
        let file = env.fs().open(&path, OpenMode::CreateNew).unwrap();
        file.write_all_at(b"hello", 3).unwrap();
        let mut buf = [9; 8];
        file.read_exact_at(&mut buf, 0).unwrap();
        assert_eq!(&buf, b"\0\0\0hello");
        let error = file.read_exact_at(&mut buf, 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        let again = env.fs().open(&path, OpenMode::CreateNew).err().unwrap();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(os_error_text(&again), "File exists");

        let other = env.fs().open(&path, OpenMode::ReadWrite).unwrap();
        assert!(file.try_lock_exclusive().unwrap());
        assert!(!other.try_lock_exclusive().unwrap());
        drop(file);
        assert!(other.try_lock_exclusive().unwrap());
        other.sync_data().unwrap();
        env.fs().sync_dir(dir.path()).unwrap();
        env.fs().rename(&path, &dir.path().join("b")).unwrap();
        assert_eq!(env.fs().read_dir(dir.path()).unwrap(), [PathBuf::from("b")]);
    }

    #[test]
    fn a_task_runs_when_woken_and_not_after_stop() {
        let env = OsEnv::new();
        let runs = Arc::new(AtomicUsize::new(0));
        let ran = Arc::new(Notify::new());
        let (task_runs, task_ran) = (Arc::clone(&runs), Arc::clone(&ran));
        let task = env
            .spawn_task(
                "test",
                Box::new(move || {
                    task_runs.fetch_add(1, Ordering::SeqCst);
                    task_ran.notify();
                    TaskStatus::SleepFor(Duration::from_secs(3600))
                }),
            )
            .unwrap();
        assert!(env.wait(&ran, Some(Duration::from_secs(60))));
        task.wake();
        assert!(env.wait(&ran, Some(Duration::from_secs(60))));
        task.stop();
        task.wake();
        assert_eq!(runs.load(Ordering::SeqCst), 2);
        assert!(!env.wait(&ran, Some(Duration::from_millis(1))));
    }
}
