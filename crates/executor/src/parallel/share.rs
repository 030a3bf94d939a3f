//! Shared state of parallel-aware nodes, by `Plan::id`.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use access::Table;
use common::PgResult;
use parking_lot::{Condvar, Mutex};
use rustc_hash::FxHashMap;
use types::BATCH_ROWS;

use crate::ops::join::hash_table::{BuildPart, HashTable};
use crate::parallel::gathering::GatherShare;
use crate::parallel::{Team, stopped};
use crate::spill::batches::BatchFile;
use crate::spill::partitions::FANOUT;

/// Row ids of one block of a table: a morsel is some of them.
const BLOCK_ROWS: u64 = BATCH_ROWS as u64;
/// Most blocks of a morsel, and into how many morsels a table is divided at least.
const MORSEL_BLOCKS_MAX: u64 = 16;
const MORSELS_MIN: u64 = 64;

/// The shared states, made by whoever comes first.
#[derive(Default)]
pub(crate) struct Shares {
    scans: Mutex<FxHashMap<u32, Arc<ScanShare>>>,
    builds: Mutex<FxHashMap<u32, Arc<BuildShare>>>,
    appends: Mutex<FxHashMap<u32, Arc<AppendShare>>>,
    gatherings: Mutex<FxHashMap<u32, Arc<GatherShare>>>,
}

impl Shares {
    /// A scan's morsels.
    pub fn scan(&self, id: u32) -> Arc<ScanShare> {
        Arc::clone(self.scans.lock().entry(id).or_default())
    }

    /// The build side of a hash join.
    pub fn build(&self, id: u32) -> Arc<BuildShare> {
        Arc::clone(self.builds.lock().entry(id).or_default())
    }

    /// The members of a parallel Append.
    pub fn append(&self, id: u32) -> Arc<AppendShare> {
        Arc::clone(self.appends.lock().entry(id).or_default())
    }

    /// Inner rows of a nested loop.
    pub fn gathering(&self, id: u32) -> Arc<GatherShare> {
        Arc::clone(self.gatherings.lock().entry(id).or_default())
    }

    /// The team is stopped: nobody shall wait any more.
    pub fn wake(&self) {
        self.builds.lock().values().for_each(|b| b.wake());
        self.gatherings.lock().values().for_each(|g| g.wake());
    }
}

/// The ranges of row ids of a table that nobody has read yet.
#[derive(Default)]
pub(crate) struct ScanShare {
    next: AtomicU64,
    /// Where the table ended when the first participant came; 0: nobody has.
    end: AtomicU64,
    step: AtomicU64,
}

impl ScanShare {
    /// The next morsel; `None` when all are taken.
    pub fn claim(&self, table: &Table) -> Option<Range<u64>> {
        let mut end = self.end.load(Ordering::Acquire);
        if end == 0 {
            // Rows added later are not visible to the statement, so any participant's view of the end will do.
            let rows = table.row_id_end().0;
            let blocks = rows.div_ceil(BLOCK_ROWS);
            let step = (blocks / MORSELS_MIN).clamp(1, MORSEL_BLOCKS_MAX) * BLOCK_ROWS;
            self.step.store(step, Ordering::Relaxed);
            let set = self
                .end
                .compare_exchange(0, rows.max(1), Ordering::AcqRel, Ordering::Acquire);
            end = set.map_or_else(|other| other, |_| rows.max(1));
        }
        let step = self.step.load(Ordering::Relaxed).max(BLOCK_ROWS);
        let start = self.next.fetch_add(step, Ordering::Relaxed);
        (start < end).then(|| start..(start + step).min(end))
    }
}

/// Members of a parallel Append: those that one participant alone runs are handed out once.
#[derive(Default)]
pub(crate) struct AppendShare {
    taken: Mutex<Vec<bool>>,
    /// Participants that have begun: they begin with different members.
    begun: AtomicUsize,
}

impl AppendShare {
    /// True for the first who asks for a member.
    pub fn take(&self, member: usize) -> bool {
        let mut taken = self.taken.lock();
        if taken.len() <= member {
            taken.resize(member + 1, false);
        }
        !std::mem::replace(&mut taken[member], true)
    }

    /// A number for a participant that begins.
    pub fn begin(&self) -> usize {
        self.begun.fetch_add(1, Ordering::Relaxed)
    }
}

/// A table that participants build together: each reads a part, the last to end makes the table. When the parts outgrow their memory, all
/// divide both sides over files, and join one pair of files after the other, each by itself.
#[derive(Default)]
pub(crate) struct BuildShare {
    state: Mutex<Building>,
    changed: Condvar,
    /// What the parts take, and that it is too much.
    bytes: AtomicUsize,
    outgrown: AtomicBool,
}

/// One side of a join by part.
pub(crate) type Files = Vec<Option<BatchFile>>;
/// The files of all participants with the rows of one part: inner, outer.
pub(crate) type SharedTask = [Vec<BatchFile>; 2];

#[derive(Default)]
struct Building {
    /// Participants that read now.
    active: usize,
    /// Those that ever did.
    arrived: usize,
    parts: Vec<BuildPart>,
    /// Inner and outer side of those that have divided them.
    divided: [Vec<Files>; 2],
    tasks: Vec<SharedTask>,
    phase: Phase,
    table: Option<Arc<HashTable>>,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Phase {
    #[default]
    Reading,
    /// The last reader makes the table.
    Making,
    Done,
    /// The table is too large for one: each makes its own.
    Apart,
    /// It is too large for all: outer sides are being divided as the inner one was.
    Dividing,
    /// Parts are joined.
    Joining,
    /// A participant failed.
    Broken,
}

/// What came of a table in common.
pub(crate) enum Outcome {
    Table(Arc<HashTable>),
    /// Each makes its own.
    Apart,
    /// The outer side is to be divided, then [`BuildShare::leave_outer`].
    Divide,
    /// Everybody has divided everything: there are parts to join.
    Join,
}

/// What a participant that comes to a build side has to do.
pub(crate) enum Arrival {
    /// Read rows, then [`ReaderGuard::leave`].
    Read,
    /// Somebody has read everything: wait for the table.
    Wait,
}

impl BuildShare {
    fn wake(&self) {
        // Under the lock, so that nobody between its test and its wait misses it.
        let _state = self.state.lock();
        self.changed.notify_all();
    }

    /// A participant arrives.
    pub fn arrive(&self) -> Arrival {
        let mut state = self.state.lock();
        match state.phase {
            Phase::Reading => {
                state.active += 1;
                state.arrived += 1;
                Arrival::Read
            }
            _ => Arrival::Wait,
        }
    }

    /// A participant arrives where one alone reads.
    pub fn arrive_alone(&self) -> Arrival {
        let mut state = self.state.lock();
        match state.phase {
            Phase::Reading => {
                state.phase = Phase::Making;
                Arrival::Read
            }
            _ => Arrival::Wait,
        }
    }

    /// Counts bytes of a part; true when all parts together take more than `bytes_max` for each participant.
    pub fn outgrows(&self, more: usize, bytes_max: usize) -> bool {
        let bytes = self.bytes.fetch_add(more, Ordering::Relaxed) + more;
        if bytes > bytes_max && bytes > bytes_max.saturating_mul(self.state.lock().arrived) {
            self.outgrown.store(true, Ordering::Relaxed);
        }
        self.outgrown.load(Ordering::Relaxed)
    }

    /// A reader has read all it could get. The last gets all parts that are in memory, and has to publish the table made of them, or
    /// to divide them where others have.
    fn leave(&self, part: BuildPart, files: Option<Files>) -> Option<(Vec<BuildPart>, bool)> {
        let mut state = self.state.lock();
        match files {
            Some(files) => state.divided[0].push(files),
            None => state.parts.push(part),
        }
        state.active -= 1;
        if state.active > 0 || state.phase != Phase::Reading {
            return None;
        }
        state.phase = Phase::Making;
        let divided = !state.divided[0].is_empty();
        Some((std::mem::take(&mut state.parts), divided))
    }

    /// The last reader has divided the rest: now the outer sides.
    fn divide(&self, files: Vec<Files>) {
        let mut state = self.state.lock();
        state.divided[0].extend(files);
        state.phase = Phase::Dividing;
        drop(state);
        self.changed.notify_all();
    }

    /// A participant has divided its outer side.
    fn leave_outer(&self, files: Files) {
        let mut state = self.state.lock();
        state.divided[1].push(files);
        state.active -= 1;
        if state.active == 0 {
            // Who comes now finds no outer rows: they are shared, and somebody has seen their end.
            state.phase = Phase::Joining;
            let [inner, outer] = std::mem::take(&mut state.divided);
            state.tasks = by_part(inner)
                .into_iter()
                .zip(by_part(outer))
                .map(<[_; 2]>::from)
                .collect();
        }
        drop(state);
        self.changed.notify_all();
    }

    /// A part that nobody joins yet.
    pub fn next_task(&self) -> Option<SharedTask> {
        self.state.lock().tasks.pop()
    }

    /// A reader or maker failed.
    fn fail(&self) {
        self.state.lock().phase = Phase::Broken;
        self.changed.notify_all();
    }

    /// The table is there for everybody.
    fn publish(&self, table: Arc<HashTable>) {
        let mut state = self.state.lock();
        state.table = Some(table);
        state.phase = Phase::Done;
        drop(state);
        self.changed.notify_all();
    }

    /// There will be no table in common.
    fn give_up(&self) {
        self.state.lock().phase = Phase::Apart;
        self.changed.notify_all();
    }

    /// Waits for the table.
    pub fn wait(&self, team: &Team) -> PgResult<Outcome> {
        let mut state = self.state.lock();
        loop {
            match (state.phase, &state.table) {
                (Phase::Done, Some(table)) => return Ok(Outcome::Table(Arc::clone(table))),
                (Phase::Apart, _) => return Ok(Outcome::Apart),
                (Phase::Dividing, _) => {
                    state.active += 1;
                    return Ok(Outcome::Divide);
                }
                (Phase::Joining, _) => return Ok(Outcome::Join),
                (Phase::Broken, _) => return Err(stopped()),
                _ => {}
            }
            team.check()?;
            self.changed.wait(&mut state);
        }
    }

    /// Waits until everybody has divided its outer side.
    pub fn wait_divided(&self, team: &Team) -> PgResult<()> {
        let mut state = self.state.lock();
        while state.phase == Phase::Dividing {
            team.check()?;
            self.changed.wait(&mut state);
        }
        match state.phase {
            Phase::Joining => Ok(()),
            _ => Err(stopped()),
        }
    }
}

/// The files of all by part.
fn by_part(divided: Vec<Files>) -> Vec<Vec<BatchFile>> {
    let mut parts: Vec<Vec<BatchFile>> = Vec::new();
    parts.resize_with(FANOUT, Vec::new);
    for files in divided {
        for (part, file) in parts.iter_mut().zip(files) {
            part.extend(file);
        }
    }
    parts
}

/// A reader of a build side; one that ends early, by an error or a panic, breaks the build for all.
pub(crate) struct ReaderGuard<'s> {
    share: &'s BuildShare,
    finished: bool,
}

impl<'s> ReaderGuard<'s> {
    pub fn new(share: &'s BuildShare) -> ReaderGuard<'s> {
        ReaderGuard {
            share,
            finished: false,
        }
    }

    /// See [`BuildShare::leave`].
    pub fn leave(&mut self, part: BuildPart, files: Option<Files>) -> Option<(Vec<BuildPart>, bool)> {
        let parts = self.share.leave(part, files);
        self.finished = parts.is_none();
        parts
    }

    /// See [`BuildShare::divide`].
    pub fn divide(&mut self, files: Vec<Files>) {
        self.finished = true;
        self.share.divide(files);
    }

    /// See [`BuildShare::leave_outer`].
    pub fn leave_outer(&mut self, files: Files) {
        self.finished = true;
        self.share.leave_outer(files);
    }

    /// See [`BuildShare::give_up`].
    pub fn give_up(&mut self) {
        self.finished = true;
        self.share.give_up();
    }

    /// See [`BuildShare::publish`].
    pub fn publish(&mut self, table: Arc<HashTable>) {
        self.finished = true;
        self.share.publish(table);
    }
}

impl Drop for ReaderGuard<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.share.fail();
        }
    }
}
