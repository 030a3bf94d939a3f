//! A simulated machine as an [`Env`]: seeded, with virtual time and a disk that fails as disks do.
//!
//! ```
//! use std::path::Path;
//! use std::time::Duration;
//! use pglite_common::env::{Env, OpenMode, sim::SimEnv};
//!
//! let env = SimEnv::new(42);
//! let file = env.fs().open(Path::new("/log"), OpenMode::CreateNew)?;
//! env.fs().sync_dir(Path::new("/"))?;
//! file.write_all_at(b"safe", 0)?;
//! file.sync_data()?;
//! file.write_all_at(b"gone?", 4)?;
//!
//! let after = env.crash();
//! let file = after.fs().open(Path::new("/log"), OpenMode::Read)?;
//! let mut start = [0; 4];
//! file.read_exact_at(&mut start, 0)?;
//! assert_eq!(&start, b"safe");
//!
//! env.sleep(Duration::from_secs(86_400)); // takes no time
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # How it works
//! - A [`SimEnv`] is a handle; clones are the same machine. [`SimEnv::crash`] makes a new machine from what a power cut leaves
//!   of the disk (see `crash.rs`) and leaves the old one as it is, so one moment can be crashed in many ways.
//! - A test driver for crashes runs its workload once to learn [`SimEnv::operation_count`], then again for each operation with
//!   [`SimEnv::crash_at_operation`], takes the crash image when the workload fails, reopens and checks.
//! - Time passes only in `sleep`, in waits and in [`SimEnv::advance`], which run background tasks that fall due on the calling
//!   thread. A wait that nobody ends before its timeout moves the clock there and returns false. A wait without a timeout runs
//!   tasks until one gives the notification; if none is left (or after 10,000 runs), it gives other threads a
//!   millisecond of real time and returns false, so that a test cannot hang. A caller that must have the notification loops.
//! - When a test panics, the seed and the last operations go to standard error.
//!
//! # Invariants
//! - One thread, one seed: one run. With several threads everything works, but the order is the scheduler's.
//! - The random bytes of the program, of faults and of crashes are separate streams: a new fault shifts nothing else.

mod crash;
mod disk;
mod faults;
mod random;
#[cfg(test)]
mod tests;
mod time;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::env::sim::crash::crash_image;
use crate::env::sim::disk::{Disk, InodeId, Node, normalize};
use crate::env::sim::time::Timeline;
use crate::env::{Env, File, FileSystem, Notify, OpenMode, TaskHandle, TaskStatus};

pub use crash::CrashMode;
pub use faults::{IoCounts, IoKind, TraceEntry};
pub use random::SimRandom;

/// The wall clock of a new machine: 2026-01-01 00:00:00 UTC.
const WALL_CLOCK_START_MICROS: i64 = 1_767_225_600_000_000;

/// How long a machine is down after a crash, as the wall clock shows.
const DOWN_TIME_MICROS: i64 = 60_000_000;

/// A simulated machine.
#[derive(Clone)]
pub struct SimEnv {
    machine: Arc<Machine>,
    fs: SimFileSystem,
}

struct Machine {
    seed: u64,
    /// The dice of crashes and the program's random bytes.
    dice: Mutex<Dice>,
    /// Wall clock minus monotonic clock.
    wall_offset_micros: Mutex<i64>,
    timeline: Arc<Timeline>,
    disk: Arc<Mutex<Disk>>,
}

struct Dice {
    crashes: SimRandom,
    program: SimRandom,
}

impl SimEnv {
    /// A machine with an empty disk, which has no directory but `/`.
    pub fn new(seed: u64) -> SimEnv {
        let mut random = SimRandom::new(seed);
        let disk = Disk::new(random.fork(), BTreeMap::new(), BTreeMap::new());
        SimEnv::with_disk(seed, random, disk, WALL_CLOCK_START_MICROS)
    }

    fn with_disk(seed: u64, mut random: SimRandom, disk: Disk, wall_offset_micros: i64) -> SimEnv {
        let disk = Arc::new(Mutex::new(disk));
        let dice = Dice {
            crashes: random.fork(),
            program: random.fork(),
        };
        let machine = Machine {
            seed,
            dice: Mutex::new(dice),
            wall_offset_micros: Mutex::new(wall_offset_micros),
            timeline: Arc::default(),
            disk: Arc::clone(&disk),
        };
        SimEnv {
            machine: Arc::new(machine),
            fs: SimFileSystem { disk },
        }
    }

    /// The seed that it all began with.
    pub fn seed(&self) -> u64 {
        self.machine.seed
    }

    /// What a power cut now might leave. Each call rolls the dice again.
    pub fn crash(&self) -> SimEnv {
        self.crash_with(CrashMode::Random)
    }

    /// What a power cut of this kind now might leave. Faults and the limit of the disk do not go over.
    pub fn crash_with(&self, mode: CrashMode) -> SimEnv {
        let mut random = self.machine.dice.lock().crashes.fork();
        let disk = crash_image(&self.machine.disk.lock(), mode, &mut random);
        SimEnv::with_disk(
            self.machine.seed,
            random,
            disk,
            self.now_unix_micros() + DOWN_TIME_MICROS,
        )
    }

    /// After the `n`-th operation that changes the disk (counted from the start of this machine) every further one fails; and
    /// then every read too.
    pub fn crash_at_operation(&self, n: u64) {
        self.machine.disk.lock().faults.crash_after = Some(n);
    }

    /// True once an operation was refused because of [`SimEnv::crash_at_operation`].
    pub fn has_crashed(&self) -> bool {
        self.machine.disk.lock().faults.crashed()
    }

    /// Operations so far that changed the disk.
    pub fn operation_count(&self) -> u64 {
        self.machine.disk.lock().faults.changes
    }

    /// Operations so far, by kind.
    pub fn counts(&self) -> IoCounts {
        self.machine.disk.lock().faults.counts
    }

    /// Lets the `nth` operation of a kind from now on (1: the next) fail. A failed sync loses some of what it should
    /// have written, for good, as Linux does.
    pub fn fail(&self, kind: IoKind, nth: u64, error: io::ErrorKind) {
        self.machine.disk.lock().faults.plan(kind, nth, error);
    }

    /// Limits the disk (None: no limit). Writes that need more fail with `StorageFull`.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.machine.disk.lock().faults.capacity = bytes;
    }

    /// Space that files take.
    pub fn used_bytes(&self) -> u64 {
        self.machine.disk.lock().used_bytes()
    }

    /// The last few thousand operations.
    pub fn trace(&self) -> Vec<TraceEntry> {
        self.machine.disk.lock().faults.trace().cloned().collect()
    }

    /// All files, as reads see them.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let disk = self.machine.disk.lock();
        let content = |(path, node): (&PathBuf, &Node)| match node {
            Node::File(id) => disk
                .inodes
                .get(id)
                .map(|inode| (path.clone(), inode.volatile.clone())),
            Node::Directory => None,
        };
        disk.names.iter().filter_map(content).collect()
    }

    /// Replaces a file's content behind everybody's back, as failing hardware does; on no record, and durable at once.
    pub fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let mut disk = self.machine.disk.lock();
        let Some(Node::File(id)) = disk.node(&normalize(path)) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let inode = disk.inode(id)?;
        change(&mut inode.volatile);
        inode.durable.clone_from(&inode.volatile);
        inode.pending.clear();
        Ok(())
    }

    /// Lets time pass and runs the background tasks that fall due.
    pub fn advance(&self, duration: Duration) {
        self.machine.timeline.advance(duration);
    }

    /// Sets the wall clock forward or back, as an administrator or NTP does; the monotonic clock goes on.
    pub fn jump_wall_clock(&self, micros: i64) {
        *self.machine.wall_offset_micros.lock() += micros;
    }
}

impl Env for SimEnv {
    fn now_unix_micros(&self) -> i64 {
        let running = i64::try_from(self.monotonic().as_micros()).unwrap_or(i64::MAX);
        running.saturating_add(*self.machine.wall_offset_micros.lock())
    }

    fn monotonic(&self) -> Duration {
        self.machine.timeline.now()
    }

    fn fill_random(&self, buf: &mut [u8]) {
        self.machine.dice.lock().program.fill(buf);
    }

    fn fs(&self) -> &dyn FileSystem {
        &self.fs
    }

    fn spawn_task(
        &self,
        _name: &str,
        task: Box<dyn FnMut() -> TaskStatus + Send>,
    ) -> io::Result<Arc<dyn TaskHandle>> {
        self.machine.timeline.spawn(task)
    }

    fn wait(&self, notify: &Notify, timeout: Option<Duration>) -> bool {
        self.machine.timeline.wait(notify, timeout)
    }

    fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }

    fn process_id(&self) -> u32 {
        4242
    }
}

impl fmt::Debug for SimEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimEnv")
            .field("seed", &self.seed())
            .field("time", &self.monotonic())
            .field("operations", &self.operation_count())
            .finish()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("simulation seed {}; the last operations were:", self.seed);
            // The panic may have come from below the lock.
            if let Some(disk) = self.disk.try_lock() {
                let mut last: Vec<_> = disk.faults.trace().rev().take(20).collect();
                last.reverse();
                last.iter().for_each(|entry| eprintln!("{entry}"));
            }
        }
    }
}

/// The disk's directory tree.
#[derive(Clone)]
struct SimFileSystem {
    disk: Arc<Mutex<Disk>>,
}

impl FileSystem for SimFileSystem {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let (inode, handle) = self.disk.lock().open(path, mode)?;
        let writable = mode != OpenMode::Read;
        Ok(Arc::new(SimFile {
            disk: Arc::clone(&self.disk),
            inode,
            handle,
            writable,
        }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.disk.lock().create_dir_all(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        self.disk.lock().read_dir(path)
    }

    fn exists(&self, path: &Path) -> bool {
        self.disk.lock().node(&normalize(path)).is_some()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.lock().rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.disk.lock().remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.disk.lock().remove_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.lock().sync_dir(path)
    }
}

/// An open file; dropping it closes it and gives its lock back.
struct SimFile {
    disk: Arc<Mutex<Disk>>,
    inode: InodeId,
    handle: u64,
    writable: bool,
}

impl SimFile {
    fn require_writable(&self) -> io::Result<()> {
        if self.writable {
            Ok(())
        } else {
            Err(io::Error::other("Bad file descriptor (opened for reading)"))
        }
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        self.disk.lock().close(self.inode, self.handle);
    }
}

impl File for SimFile {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.disk.lock().read(self.inode, buf, offset)
    }

    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.require_writable()?;
        self.disk.lock().write(self.inode, buf, offset)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.lock().inode(self.inode)?.volatile.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.require_writable()?;
        self.disk.lock().set_len(self.inode, len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.lock().sync(self.inode)
    }

    fn sync_all(&self) -> io::Result<()> {
        self.disk.lock().sync(self.inode)
    }

    fn try_lock_exclusive(&self) -> io::Result<bool> {
        self.disk.lock().try_lock(self.inode, self.handle)
    }
}
