//! Out of delta: to the KV store at a checkpoint, and into main when nobody needs the versions any more.
//!
//! # Invariants
//! - A checkpoint at CSN p writes, of each row, the newest version begun at or before p (or its deletion). What it skips is newer
//!   and in the log above the checkpoint.
//! - A row leaves delta only when its newest version is in the KV store (begun or ended at or before the last checkpoint) and every
//!   snapshot sees the same of it (begun or ended at or before the horizon).

use std::sync::Arc;

use common::{Csn, PgResult, RowId};
use kv::{Keyspace, WriteBatch};

use crate::block::{CHUNK_ROWS, Change, row_key};
use crate::chunk::{Chunk, Delta};
use crate::defs::TableDef;
use crate::shared::Shared;
use crate::table::scan::fresh_block;
use crate::table::store::TableStore;
use crate::version::Version;

/// What a checkpoint between two CSNs finds in a row's versions.
enum RowChange {
    Put(Arc<Version>),
    Delete,
}

impl TableStore {
    /// Adds what became committed after `from`, up to `to`, to batches, handing each full one to `write`.
    pub(crate) fn checkpoint(
        &self,
        (from, to): (Csn, Csn),
        batch: &mut WriteBatch,
        write: &mut dyn FnMut(&mut WriteBatch) -> PgResult<()>,
    ) -> PgResult<()> {
        let numbers: Vec<u64> = self.dirty.lock().iter().copied().collect();
        for number in numbers {
            let Some(chunk) = self.existing_chunk(number) else {
                continue;
            };
            let Some(delta) = chunk.state.load().delta.clone() else {
                continue;
            };
            for (position, head) in delta.heads() {
                let row = RowId(number * CHUNK_ROWS + u64::from(position));
                match row_change(&self.shared, head, from, to) {
                    Some(RowChange::Put(version)) => {
                        batch.put(Keyspace(self.id.0), row_key(row), version.encoded().into_owned());
                    }
                    Some(RowChange::Delete) if self.is_builtin_row(row) => {
                        batch.put(Keyspace(self.id.0), row_key(row), []);
                    }
                    Some(RowChange::Delete) => batch.delete(Keyspace(self.id.0), row_key(row)),
                    None => {}
                }
            }
            write(batch)?;
        }
        Ok(())
    }

    /// Moves what everybody sees and the KV store has out of delta.
    pub(crate) fn merge(self: &Arc<Self>, checkpoint: Csn, horizon: Csn) -> PgResult<()> {
        let Some(def) = self.def.load_full() else {
            return self.drop_unread(checkpoint, horizon);
        };
        let numbers: Vec<u64> = self.dirty.lock().iter().copied().collect();
        for number in numbers {
            if let Some(chunk) = self.existing_chunk(number) {
                self.merge_chunk(chunk, number, Some(&def), checkpoint, horizon)?;
            }
        }
        Ok(())
    }

    /// The same for a relation that nobody has opened since recovery: there is no main to keep up to date.
    fn drop_unread(self: &Arc<Self>, checkpoint: Csn, horizon: Csn) -> PgResult<()> {
        let numbers: Vec<u64> = self.dirty.lock().iter().copied().collect();
        for number in numbers {
            if let Some(chunk) = self.existing_chunk(number) {
                self.merge_chunk(chunk, number, None, checkpoint, horizon)?;
            }
        }
        Ok(())
    }

    fn merge_chunk(
        self: &Arc<Self>,
        chunk: &Chunk,
        number: u64,
        def: Option<&TableDef>,
        checkpoint: Csn,
        horizon: Csn,
    ) -> PgResult<()> {
        let guard = chunk.lock.lock();
        let state = chunk.state.load_full();
        let Some(delta) = &state.delta else {
            self.dirty.lock().remove(&number);
            return Ok(());
        };
        let (settled, kept) = self.sort_out(delta, checkpoint, horizon);
        if settled.is_empty() {
            if kept.is_none() {
                chunk.replace_main(state.main.clone(), None);
                self.dirty.lock().remove(&number);
            }
            return Ok(());
        }
        // A chunk filled by columns: their block as it is.
        let fresh = state.main.as_ref().and_then(|main| fresh_block(main, &settled));
        let main = match (&state.main, def) {
            (Some(_), Some(_)) if fresh.is_some_and(|block| block.rows == settled.len()) => fresh.cloned(),
            (Some(main), Some(def)) if main.serves(def) => {
                let changes: Vec<Change<'_>> = settled
                    .iter()
                    .map(|(p, v)| (*p, v.as_ref().map(|v| &v.data)))
                    .collect();
                let block = main.merge(def, &changes)?;
                let bytes = block.memory_bytes();
                Some(Arc::new(block.with_charge(self.shared.cache.charge(bytes))))
            }
            _ => None,
        };
        if kept.is_none() {
            self.dirty.lock().remove(&number);
        }
        chunk.replace_main(main.clone(), kept);
        drop(guard);
        if let Some(block) = main {
            self.admit(number, Arc::downgrade(&block));
        }
        Ok(())
    }

    /// Cuts off versions that nobody can see: all behind one that began at or before the horizon.
    fn prune(&self, head: &Arc<Version>, horizon: Csn) {
        let mut version = Arc::clone(head);
        while !self.cut_behind(&version, horizon) {
            let Some(older) = version.older.load_full() else {
                return;
            };
            version = older;
        }
    }

    /// Cuts off what lies behind a version that began at or before the horizon; false if it did not.
    pub(crate) fn cut_behind(&self, version: &Version, horizon: Csn) -> bool {
        let hides = self
            .shared
            .committed(&version.begin)
            .is_some_and(|begin| begin <= horizon);
        if hides {
            self.delta_bytes.sub(list_bytes(version.older.swap(None)));
        }
        hides
    }

    /// Which rows of a delta go (with what main shall say of them), and a delta of the others.
    fn sort_out(
        &self,
        delta: &Delta,
        checkpoint: Csn,
        horizon: Csn,
    ) -> (Vec<(u16, Option<Arc<Version>>)>, Option<Arc<Delta>>) {
        let mut settled = Vec::new();
        let mut kept = None;
        let both = checkpoint.min(horizon);
        for (position, head) in delta.heads() {
            match fate(&self.shared, &head, both) {
                Some(alive) => {
                    self.delta_bytes.sub(list_bytes(Some(Arc::clone(&head))));
                    settled.push((position, alive.then_some(head)));
                }
                None => {
                    self.prune(&head, horizon);
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

/// What changed of a row between two CSNs.
fn row_change(shared: &Shared, head: Arc<Version>, from: Csn, to: Csn) -> Option<RowChange> {
    let mut version = head;
    loop {
        match shared.committed(&version.begin) {
            Some(begin) if begin <= to => {
                let end = shared.committed(&version.end).filter(|end| *end <= to);
                return match end {
                    Some(end) if end > from => Some(RowChange::Delete),
                    Some(_) => None,
                    // A base version is begun at 0 and is in the KV store or the program already.
                    None if begin > from => Some(RowChange::Put(version)),
                    None => None,
                };
            }
            _ => {
                let older = version.older.load_full()?;
                version = older;
            }
        }
    }
}
