//! States of partial aggregates on their way to the node that finishes them.
//!
//! # How it works
//! Accumulators hold the states of many groups and merge as a whole ([`functions::Accumulator::combine`]), so they do not travel in
//! rows. A node that aggregates partially leaves its accumulators here, one *slot* per call, and its rows carry a [`StateRef`] in the
//! column of the call: slot and group. Whatever happens to the rows on their way (Gather, Sort), the finishing node learns which group
//! of the slot belongs to which of its own groups, and then merges slot by slot.

use std::sync::Arc;

use common::{PgResult, internal};
use functions::Accumulator;
use parking_lot::Mutex;

use crate::store::MemoryUse;

/// A slot and a group in it, as they stand in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StateRef {
    pub slot: u32,
    pub group: u32,
}

impl StateRef {
    pub fn to_i64(self) -> i64 {
        i64::from(self.slot) << 32 | i64::from(self.group)
    }

    pub fn from_i64(value: i64) -> StateRef {
        StateRef {
            slot: (value >> 32) as u32,
            group: value as u32,
        }
    }
}

/// The states of one call for all groups of a partial aggregation.
pub(crate) struct PartialStates {
    pub accumulator: Box<dyn Accumulator>,
    pub groups: usize,
    /// Keeps the reservation as long as the states live.
    pub memory: MemoryUse,
}

/// The states that wait, shared by the participants of a statement.
#[derive(Clone, Default)]
pub(crate) struct PartialHub(Arc<Mutex<Vec<Option<PartialStates>>>>);

impl PartialHub {
    /// Leaves states; their slot.
    pub fn leave(&self, states: PartialStates) -> PgResult<u32> {
        let mut slots = self.0.lock();
        let slot = i32::try_from(slots.len()).map_err(|_| internal!("too many partial aggregates"))?;
        slots.push(Some(states));
        Ok(slot as u32)
    }

    /// Fetches states.
    pub fn fetch(&self, slot: u32) -> PgResult<PartialStates> {
        let mut slots = self.0.lock();
        let states = slots.get_mut(slot as usize).and_then(Option::take);
        states.ok_or_else(|| internal!("no partial aggregate in slot {slot}"))
    }
}
