//! Shared state of parallel-aware nodes, by `Plan::id`.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use access::Table;
use common::{PgResult, internal};
use parking_lot::{Condvar, Mutex};
use rustc_hash::FxHashMap;
use types::BATCH_ROWS;

use crate::ops::join::hash_table::{BuildPart, HashTable};
use crate::parallel::Team;

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

    /// The team is stopped: nobody shall wait any more.
    pub fn wake(&self) {
        self.builds.lock().values().for_each(|b| b.wake());
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

/// A table that participants build together: each reads a part, the last to end makes the table.
#[derive(Default)]
pub(crate) struct BuildShare {
    state: Mutex<Building>,
    changed: Condvar,
}

#[derive(Default)]
struct Building {
    /// Participants that read now.
    active: usize,
    parts: Vec<BuildPart>,
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
    /// A participant failed.
    Broken,
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

    /// A reader has read all it could get. The last gets all parts, and has to publish the table made of them.
    fn leave(&self, part: BuildPart) -> Option<Vec<BuildPart>> {
        let mut state = self.state.lock();
        state.parts.push(part);
        state.active -= 1;
        if state.active > 0 || state.phase != Phase::Reading {
            return None;
        }
        state.phase = Phase::Making;
        Some(std::mem::take(&mut state.parts))
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

    /// Waits for the table; `None`: there is none in common.
    pub fn wait(&self, team: &Team) -> PgResult<Option<Arc<HashTable>>> {
        let mut state = self.state.lock();
        loop {
            match (state.phase, &state.table) {
                (Phase::Done, Some(table)) => return Ok(Some(Arc::clone(table))),
                (Phase::Apart, _) => return Ok(None),
                (Phase::Broken, _) => return Err(internal!("parallel execution was stopped")),
                _ => {}
            }
            team.check()?;
            self.changed.wait(&mut state);
        }
    }
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
    pub fn leave(&mut self, part: BuildPart) -> Option<Vec<BuildPart>> {
        let parts = self.share.leave(part);
        self.finished = parts.is_none();
        parts
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
