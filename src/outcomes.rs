//! What became of transactions that were rolled back lately, for `pg_xact_status`: the storage remembers nobody who failed.

use std::collections::BTreeSet;

use parking_lot::Mutex;

/// How many are remembered; older ones are too old to ask for.
const REMEMBERED_MAX: usize = 10_000;

/// Ids of transactions that were rolled back since the database was opened.
pub(crate) struct Outcomes {
    state: Mutex<State>,
}

struct State {
    /// Of older transactions nothing is known.
    floor: u64,
    aborted: BTreeSet<u64>,
}

impl Outcomes {
    /// `next`: the first id that can be given out now.
    pub fn new(next: u64) -> Outcomes {
        Outcomes {
            state: Mutex::new(State {
                floor: next,
                aborted: BTreeSet::new(),
            }),
        }
    }

    pub fn note_abort(&self, xid: u64) {
        let mut state = self.state.lock();
        state.aborted.insert(xid);
        if state.aborted.len() > REMEMBERED_MAX
            && let Some(oldest) = state.aborted.pop_first()
        {
            state.floor = oldest + 1;
        }
    }

    /// Whether a transaction that has ended was committed; `None` for those too old to know.
    pub fn is_committed(&self, xid: u64) -> Option<bool> {
        let state = self.state.lock();
        (xid >= state.floor).then(|| !state.aborted.contains(&xid))
    }
}
