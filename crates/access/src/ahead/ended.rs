//! Marked rows as an index knows them: what its leaves and packs have of them ends with the row ([`crate::ahead::ends`]).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Csn, RowId};
use parking_lot::RwLock;

use crate::ahead::ends::Ends;
use crate::ahead::gate::Gate;
use crate::block::CHUNK_ROWS;
use crate::shared::Shared;

/// The marks that concern an index, by chunks. Mostly there are none.
#[derive(Default)]
pub(crate) struct EndedRows {
    count: AtomicUsize,
    chunks: RwLock<BTreeMap<u64, Vec<Arc<Ends>>>>,
}

impl EndedRows {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// True when marks are there, or were put there.
    pub(crate) fn add(&self, number: u64, ends: &Arc<Ends>, max: usize) -> bool {
        let known = |all: Option<&Vec<Arc<Ends>>>| {
            all.is_some_and(|all| all.iter().any(|known| Arc::ptr_eq(known, ends)))
        };
        if known(self.chunks.read().get(&number)) {
            return true;
        }
        let mut chunks = self.chunks.write();
        let all = chunks.entry(number).or_default();
        if all.len() < max {
            all.push(Arc::clone(ends));
        }
        let there = known(Some(all));
        self.count.store(chunks.len(), Ordering::Release);
        there
    }

    pub(crate) fn remove(&self, gone: impl Fn(&Ends) -> bool) {
        let mut chunks = self.chunks.write();
        chunks.retain(|_, all| {
            all.retain(|ends| !gone(ends));
            !all.is_empty()
        });
        self.count.store(chunks.len(), Ordering::Release);
    }

    /// The marks of a row.
    pub(crate) fn find(&self, row: RowId, wanted: impl Fn(&Gate) -> bool) -> Option<Arc<Ends>> {
        if self.is_empty() {
            return None;
        }
        let position = (row.0 % CHUNK_ROWS) as usize;
        let chunks = self.chunks.read();
        let all = chunks.get(&(row.0 / CHUNK_ROWS))?;
        all.iter()
            .find(|ends| ends.has(position) && wanted(&ends.gate))
            .cloned()
    }

    /// True when there are marks that a merge up to this CSN is to forget.
    pub(crate) fn has_settled(&self, shared: &Shared, to: Csn) -> bool {
        let settled = |ends: &Arc<Ends>| ends.gate.is_settled(shared, to);
        !self.is_empty() && self.chunks.read().values().flatten().any(settled)
    }

    pub(crate) fn forget_settled(&self, shared: &Shared, to: Csn) {
        self.remove(|ends| ends.gate.is_settled(shared, to));
    }
}
