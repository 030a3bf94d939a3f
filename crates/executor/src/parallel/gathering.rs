//! Nested loops whose participants look for inner rows together: one scan of the inner table, divided, for the outer rows of all.
//!
//! # How it works
//! 1. A participant that begins to read its outer rows ahead *enters*. Who comes later than the first scan looks for itself.
//! 2. Whose outer side has ended *offers* its keys, and waits until nobody reads any more. Whose outer side is larger than a round leaves,
//!    and looks for itself.
//! 3. One of those that wait makes the set of all keys; then all scan the table by morsels, and keep what they find.
//! 4. When all have ended, one of them chains the rows by key, for everybody.
//!
//! # Invariants
//! - Waiting is for participants that are inside of this node only: those read their outer sides, which lie below, or scan. So waits go
//!   down the plan, never round.
//! - Who fails while others rely on it breaks the gathering for all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use common::PgResult;
use parking_lot::{Condvar, Mutex};
use types::PhysType;

use crate::ints::KeySet;
use crate::ops::index::gather::GatheredRows;
use crate::parallel::share::ScanShare;
use crate::parallel::{Team, stopped};
use crate::store::RowStore;

/// The keys of one participant's outer rows, as [`KeySet::of`] takes them.
#[derive(Default)]
pub(crate) struct OuterKeys {
    pub keys: Vec<i64>,
    pub except: Vec<u32>,
}

/// What participants scan for.
pub(crate) struct JointKeys {
    pub keys: KeySet,
    /// The numbers of each one's keys, plus 1, in the order of the offers.
    pub slots: Vec<Vec<u32>>,
}

impl JointKeys {
    pub fn of(offers: Vec<OuterKeys>) -> JointKeys {
        let lengths: Vec<usize> = offers.iter().map(|o| o.keys.len()).collect();
        let mut all = OuterKeys::default();
        for mut offer in offers {
            let before = all.keys.len() as u32;
            all.except.extend(offer.except.iter().map(|at| before + at));
            all.keys.append(&mut offer.keys);
        }
        let (keys, numbers) = KeySet::of(&all.keys, &all.except);
        let mut rest = &numbers[..];
        let slots = lengths.into_iter().map(|length| {
            let (mine, others) = rest.split_at(length);
            rest = others;
            mine.to_vec()
        });
        JointKeys {
            slots: slots.collect(),
            keys,
        }
    }
}

/// Rows that a participant has found.
pub(crate) struct FoundRows {
    pub store: RowStore,
    /// The numbers of their keys.
    pub slots: Vec<u32>,
    /// Where the rows of each morsel begin: its first row id, and the number of the row.
    pub morsels: Vec<(u64, usize)>,
}

impl FoundRows {
    pub fn new(phys: &[PhysType]) -> FoundRows {
        FoundRows {
            store: RowStore::new(phys),
            slots: Vec::new(),
            morsels: Vec::new(),
        }
    }
}

#[derive(Default)]
enum Phase {
    /// Outer rows are being read.
    #[default]
    Reading,
    /// Somebody puts together what all have left here.
    Making,
    Scanning(Arc<JointKeys>),
    Done(Arc<GatheredRows>),
    /// Each for itself.
    Apart,
    /// A participant failed.
    Broken,
}

#[derive(Default)]
struct State {
    phase: Phase,
    /// Participants that read or scan now.
    active: usize,
    offers: Vec<OuterKeys>,
    found: Vec<FoundRows>,
}

/// The gathering of one nested loop.
#[derive(Default)]
pub(crate) struct GatherShare {
    state: Mutex<State>,
    changed: Condvar,
    pub morsels: ScanShare,
    /// What was found is too much.
    outgrown: AtomicBool,
    bytes: AtomicUsize,
}

impl GatherShare {
    /// A participant begins to read its outer rows.
    pub fn enter(self: &Arc<Self>) -> Option<Participant> {
        let mut state = self.state.lock();
        if !matches!(state.phase, Phase::Reading) {
            return None;
        }
        state.active += 1;
        Some(Participant {
            share: Arc::clone(self),
            duty: Duty::Reading,
            number: 0,
        })
    }

    /// The team is stopped: nobody shall wait any more.
    pub fn wake(&self) {
        // Under the lock, so that nobody between its test and its wait misses it.
        let _state = self.state.lock();
        self.changed.notify_all();
    }

    /// Counts bytes of rows found; true when all together are too many, and the gathering is of no use any more.
    pub fn outgrows(&self, more: usize, bytes_max: usize) -> bool {
        let bytes = self.bytes.fetch_add(more, Ordering::Relaxed) + more;
        if bytes > bytes_max {
            self.outgrown.store(true, Ordering::Relaxed);
        }
        self.outgrown.load(Ordering::Relaxed)
    }

    fn turn(&self, phase: Phase) {
        self.state.lock().phase = phase;
        self.changed.notify_all();
    }
}

/// What others rely on.
enum Duty {
    Reading,
    /// Nothing.
    Waiting,
    Making,
    Scanning,
}

/// A participant inside of the node; one that ends early leaves the others in order.
pub(crate) struct Participant {
    share: Arc<GatherShare>,
    duty: Duty,
    /// Which of the offers is its own.
    number: usize,
}

impl Participant {
    pub fn share(&self) -> &GatherShare {
        &self.share
    }

    /// Which of the offers is this one's.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Leaves the keys of its outer rows, all there are, and waits for those of the others. `make` puts them together, or finds that
    /// a scan does not pay. `None`: each for itself.
    pub fn offer(
        &mut self,
        keys: OuterKeys,
        team: &Team,
        make: impl FnOnce(Vec<OuterKeys>) -> Option<JointKeys>,
    ) -> PgResult<Option<Arc<JointKeys>>> {
        let share = Arc::clone(&self.share);
        let mut state = share.state.lock();
        self.number = state.offers.len();
        state.offers.push(keys);
        state.active -= 1;
        self.duty = Duty::Waiting;
        share.changed.notify_all();
        loop {
            match &state.phase {
                Phase::Reading if state.active == 0 => {
                    state.phase = Phase::Making;
                    self.duty = Duty::Making;
                    break;
                }
                Phase::Scanning(joint) => {
                    self.duty = Duty::Scanning;
                    return Ok(Some(Arc::clone(joint)));
                }
                Phase::Apart => return Ok(None),
                Phase::Broken => return Err(stopped()),
                _ => {}
            }
            team.check()?;
            share.changed.wait(&mut state);
        }
        let offers = std::mem::take(&mut state.offers);
        // Counted here for all, so that none who wakes late finds the scan ended without it.
        state.active = offers.len();
        drop(state);
        let joint = make(offers).map(Arc::new);
        self.duty = match joint {
            Some(_) => Duty::Scanning,
            None => Duty::Waiting,
        };
        share.turn(joint.clone().map_or(Phase::Apart, Phase::Scanning));
        Ok(joint)
    }

    /// The scan is of no use: it would have been too much.
    pub fn give_up(&mut self) {
        self.duty = Duty::Waiting;
        self.share.turn(Phase::Apart);
    }

    /// Leaves what it has found, and waits for the others. `make` chains the rows of all. `None`: each for itself.
    pub fn finish(
        &mut self,
        found: FoundRows,
        team: &Team,
        make: impl FnOnce(Vec<FoundRows>) -> PgResult<GatheredRows>,
    ) -> PgResult<Option<Arc<GatheredRows>>> {
        let share = Arc::clone(&self.share);
        let mut state = share.state.lock();
        state.found.push(found);
        state.active -= 1;
        self.duty = Duty::Waiting;
        share.changed.notify_all();
        loop {
            match &state.phase {
                Phase::Scanning(_) if state.active == 0 => {
                    state.phase = Phase::Making;
                    self.duty = Duty::Making;
                    break;
                }
                Phase::Done(rows) => return Ok(Some(Arc::clone(rows))),
                Phase::Apart => return Ok(None),
                Phase::Broken => return Err(stopped()),
                _ => {}
            }
            team.check()?;
            share.changed.wait(&mut state);
        }
        let found = std::mem::take(&mut state.found);
        drop(state);
        let rows = Arc::new(make(found)?);
        self.duty = Duty::Waiting;
        share.turn(Phase::Done(Arc::clone(&rows)));
        Ok(Some(rows))
    }
}

impl Drop for Participant {
    fn drop(&mut self) {
        match self.duty {
            Duty::Waiting => {}
            // Its outer rows are more than a round, or it failed; then nobody asks for rows any more.
            Duty::Reading => {
                self.share.state.lock().active -= 1;
                self.share.changed.notify_all();
            }
            Duty::Making | Duty::Scanning => self.share.turn(Phase::Broken),
        }
    }
}
