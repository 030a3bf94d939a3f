//! Out of delta into main, when nobody needs the versions any more.
//!
//! # Invariants
//! - A row leaves delta only when its newest version is in the KV store (begun or ended at or before the last checkpoint) and every
//!   snapshot sees the same of it (begun or ended at or before the horizon; or nothing, begun and ended between snapshots).

use std::sync::Arc;

use common::{Csn, PgResult};

use crate::ahead::ends;
use crate::ahead::gate::Gate;
use crate::block::{Change, MainBlock};
use crate::chunk::{Chunk, Delta};
use crate::defs::TableDef;
use crate::shared::{MergeBounds, Shared};
use crate::table::scan::fresh_block;
use crate::table::store::TableStore;
use crate::version::Version;
use txn::versions::{hides_older, is_forgotten, thin_out};

impl TableStore {
    /// Moves what everybody sees and the KV store has out of delta.
    pub(crate) fn merge(self: &Arc<Self>, bounds: &MergeBounds) -> PgResult<()> {
        self.gates.forget(&self.shared, bounds.horizon);
        let Some(def) = self.def.load_full() else {
            return self.drop_unread(bounds);
        };
        let numbers: Vec<u64> = self.dirty.lock().iter().copied().collect();
        for number in numbers {
            if let Some(chunk) = self.existing_chunk(number) {
                self.merge_chunk(chunk, number, Some(&def), bounds)?;
            }
        }
        Ok(())
    }

    /// The same for a relation that nobody has opened since recovery: there is no main to keep up to date.
    fn drop_unread(self: &Arc<Self>, bounds: &MergeBounds) -> PgResult<()> {
        let numbers: Vec<u64> = self.dirty.lock().iter().copied().collect();
        for number in numbers {
            if let Some(chunk) = self.existing_chunk(number) {
                self.merge_chunk(chunk, number, None, bounds)?;
            }
        }
        Ok(())
    }

    fn merge_chunk(
        self: &Arc<Self>,
        chunk: &Chunk,
        number: u64,
        def: Option<&TableDef>,
        bounds: &MergeBounds,
    ) -> PgResult<()> {
        let guard = chunk.lock.lock();
        let state = chunk.state.load_full();
        let both = bounds.checkpoint.min(bounds.horizon);
        let is_settled = |gate: &Gate| gate.is_settled(&self.shared, both);
        // The store has their rows elsewhere.
        if state
            .ends
            .iter()
            .any(|ends| ends.is_update() && !is_settled(&ends.gate))
        {
            return Ok(());
        }
        let mut known = state.main.clone();
        if state.has_updates() {
            known = None;
        }
        let (mut settled, kept) = match &state.delta {
            Some(delta) => self.sort_out(delta, bounds),
            None => (Vec::new(), None),
        };
        if let Some(ended) = state.ended_bits(is_settled) {
            settled.extend(ends::positions(&ended).map(|position| (position, None)));
            settled.sort_unstable_by_key(|(position, _)| *position);
        }
        let mut ends = state.ends.clone();
        ends.retain(|ends| !is_settled(&ends.gate));
        let clean = kept.is_none() && ends.is_empty();
        if settled.is_empty() {
            if clean {
                chunk.replace(known, None, ends);
                self.dirty.lock().remove(&number);
            } else if ends.len() != state.ends.len() {
                chunk.replace(known, state.delta.clone(), ends);
            }
            return Ok(());
        }
        // A chunk filled by columns: their block as it is.
        let fresh = known.as_ref().and_then(|main| fresh_block(main, &settled));
        let main = match (&known, def) {
            (Some(_), Some(_)) if fresh.is_some_and(|block| block.rows == settled.len()) => {
                fresh.map(|block| self.charged(block.at_rest()))
            }
            (Some(main), Some(def)) if main.serves(def) => {
                let changes: Vec<Change<'_>> = settled
                    .iter()
                    .map(|(p, v)| (*p, v.as_ref().map(|v| &v.data)))
                    .collect();
                Some(self.charged(main.merge(def, &changes)?))
            }
            _ => None,
        };
        if clean {
            self.dirty.lock().remove(&number);
        }
        chunk.replace(main.clone(), kept, ends);
        drop(guard);
        if let Some(block) = main {
            self.admit(number, Arc::downgrade(&block));
        }
        Ok(())
    }

    fn charged(&self, block: MainBlock) -> Arc<MainBlock> {
        let bytes = block.memory_bytes();
        Arc::new(block.with_charge(self.shared.cache.charge(bytes)))
    }

    /// Takes out versions that nobody can see: all behind one that began at or before the horizon, and those between snapshots.
    fn prune(&self, head: &Arc<Version>, bounds: &MergeBounds) {
        let mut version = Arc::clone(head);
        while !self.cut_behind(&version, bounds.horizon) {
            let Some(older) = version.older.load_full() else {
                break;
            };
            version = older;
        }
        let gone = &mut |version: &Version| self.delta_bytes.sub(version.memory_bytes());
        thin_out(head, self.shared.table(), &bounds.live, gone);
    }

    /// Cuts off what lies behind a version that began at or before the horizon; false if it did not.
    pub(crate) fn cut_behind(&self, version: &Version, horizon: Csn) -> bool {
        let hides = hides_older(version, self.shared.table(), horizon);
        if hides {
            self.delta_bytes.sub(list_bytes(version.older.swap(None)));
        }
        hides
    }

    /// Which rows of a delta go (with what main shall say of them), and a delta of the others.
    fn sort_out(
        &self,
        delta: &Delta,
        bounds: &MergeBounds,
    ) -> (Vec<(u16, Option<Arc<Version>>)>, Option<Arc<Delta>>) {
        let mut settled = Vec::new();
        let mut kept = None;
        let both = bounds.checkpoint.min(bounds.horizon);
        for (position, head) in delta.heads() {
            match fate(&self.shared, &head, both) {
                Some(alive) => {
                    self.delta_bytes.sub(list_bytes(Some(Arc::clone(&head))));
                    settled.push((position, alive.then_some(head)));
                }
                None => {
                    self.prune(&head, bounds);
                    // Who follows an updated row to its new place needs the way.
                    let forgotten = head.forward().is_none()
                        && is_forgotten(&*head, self.shared.table(), bounds.checkpoint, &bounds.live);
                    if forgotten {
                        self.delta_bytes.sub(head.memory_bytes());
                        settled.push((position, None));
                        continue;
                    }
                    kept.get_or_insert_with(|| Arc::new(Delta::default()))
                        .set_head(usize::from(position), Some(head));
                }
            }
        }
        (settled, kept)
    }
}

/// Some(alive?) when the newest version of a row says all there is to say: begun or ended at or before `csn`, and quiet.
fn fate(shared: &Shared, head: &Version, csn: Csn) -> Option<bool> {
    if Shared::never(&head.end) {
        let begun = shared.committed(&head.begin).is_some_and(|begin| begin <= csn);
        return begun.then_some(true);
    }
    let ended = shared.committed(&head.end).is_some_and(|end| end <= csn);
    ended.then_some(false)
}

/// Bytes of a version and all behind it.
fn list_bytes(head: Option<Arc<Version>>) -> usize {
    let mut bytes = 0;
    let mut next = head;
    while let Some(version) = next {
        bytes += version.memory_bytes();
        next = version.older.load_full();
    }
    bytes
}
