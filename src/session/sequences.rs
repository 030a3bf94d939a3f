//! What a session knows of sequences: the last values, and those that it has taken ahead (`CACHE`).
//!
//! PG: src/backend/commands/sequence.c (`SeqTable`).

use std::collections::HashMap;

use access::{SequenceParams, Taken};
use common::{Oid, RelationId};

/// One sequence.
pub(crate) struct Known {
    /// The last value that the session got (`currval`).
    pub last: i64,
    /// Values up to this one are the session's; `last` when there are none.
    cached: i64,
    /// Which storage and which definition they are of: others take them away.
    of: (RelationId, SequenceParams),
}

/// All of a session.
#[derive(Default)]
pub(crate) struct Sequences {
    by_oid: HashMap<Oid, Known>,
    /// The last one used (`lastval`).
    last: Option<Oid>,
}

impl Sequences {
    /// The next value, if the session has taken it ahead.
    pub fn next_cached(&mut self, oid: Oid, storage: RelationId, params: &SequenceParams) -> Option<i64> {
        let known = self.by_oid.get_mut(&oid)?;
        if known.last == known.cached || known.of.0 != storage || known.of.1 != *params {
            return None;
        }
        known.last += params.increment;
        self.last = Some(oid);
        Some(known.last)
    }

    /// Values taken from the sequence, of which the first is used.
    pub fn taken(&mut self, oid: Oid, storage: RelationId, params: SequenceParams, taken: Taken) {
        let known = Known {
            last: taken.first,
            cached: taken.last,
            of: (storage, params),
        };
        self.by_oid.insert(oid, known);
        self.last = Some(oid);
    }

    /// `setval`: what was taken ahead is not used. The value counts as the last one, if it has been used.
    pub fn set(&mut self, oid: Oid, storage: RelationId, params: SequenceParams, used: Option<i64>) {
        match (self.by_oid.get_mut(&oid), used) {
            (Some(known), _) => {
                known.last = used.unwrap_or(known.last);
                known.cached = known.last;
            }
            (None, Some(value)) => {
                let known = Known {
                    last: value,
                    cached: value,
                    of: (storage, params),
                };
                self.by_oid.insert(oid, known);
            }
            (None, None) => {}
        }
    }

    /// `currval`.
    pub fn current(&self, oid: Oid) -> Option<i64> {
        self.by_oid.get(&oid).map(|known| known.last)
    }

    /// `lastval`.
    pub fn last(&self) -> Option<i64> {
        self.current(self.last?)
    }

    /// A sequence is gone.
    pub fn forget(&mut self, oid: Oid) {
        self.by_oid.remove(&oid);
    }

    /// A sequence was altered: what was taken ahead is not used.
    pub fn altered(&mut self, oid: Oid) {
        if let Some(known) = self.by_oid.get_mut(&oid) {
            known.cached = known.last;
        }
    }
}
