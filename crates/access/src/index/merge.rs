//! Out of an index's delta: to the KV store at a checkpoint, and into the leaves when nobody needs the versions any more.
//!
//! The rules are those of `table::merge`. Order of a merge: new leaves into the directory, old ones retired, then entries out of
//! delta, each under its latch and only if nothing happened to it meanwhile.

use std::sync::Arc;

use common::{Csn, PgResult};
use kv::WriteBatch;

use crate::defs::IndexState;
use crate::index::bundle::Bundle;
use crate::index::delta::EntryVersion;
use crate::index::leaf::{Leaf, LeafChange, merge_leaf};
use crate::index::store::{EntryKey, IndexStore, copy_of, entry_prefix};
use crate::index::thin::Thinning;
use crate::shared::{MergeBounds, Shared};
use txn::versions::{hides_older, is_forgotten, thin_out};

/// Entries after which a checkpoint's batch is offered for writing.
const OFFER_EVERY: usize = 1024;

impl IndexStore {
    /// Adds what became committed after `from`, up to `to`, to batches, handing each full one to `write`.
    pub(crate) fn checkpoint(
        &self,
        (from, to): (Csn, Csn),
        batch: &mut WriteBatch,
        write: &mut dyn FnMut(&mut WriteBatch) -> PgResult<()>,
    ) -> PgResult<()> {
        let mut bundle = Bundle::of(self);
        let mut thinning = Thinning::of(self);
        for (count, entry) in self.delta.iter().enumerate() {
            let Some(head) = entry.value().load_full() else {
                continue;
            };
            match entry_change(&self.shared, head, from, to) {
                Some(Some(version)) => bundle.push(copy_of(entry.key()), version, batch)?,
                Some(None) => thinning.push(copy_of(entry.key()), batch)?,
                None => {}
            }
            if count % OFFER_EVERY == 0 {
                write(batch)?;
            }
        }
        thinning.finish(batch)?;
        bundle.finish(batch)?;
        write(batch)
    }

    /// Moves what everybody sees and the KV store has out of delta.
    pub(crate) fn merge(self: &Arc<Self>, bounds: &MergeBounds) {
        self.gates.forget(&self.shared, bounds.horizon);
        self.forget_ended(bounds.checkpoint.min(bounds.horizon));
        let mut changes: Vec<LeafChange> = Vec::new();
        let mut settled: Vec<(EntryKey, Arc<EntryVersion>)> = Vec::new();
        for entry in self.delta.iter() {
            let Some(head) = entry.value().load_full() else {
                continue;
            };
            if self.fate(&head, bounds).is_none() {
                self.prune(entry.key(), &head, bounds);
            }
            // Perhaps nothing is left behind it now.
            if let Some(alive) = self.fate(&head, bounds) {
                changes.push((copy_of(entry.key()), alive.then(|| head.value.clone())));
                settled.push((copy_of(entry.key()), head));
            }
        }
        if settled.is_empty() {
            return;
        }
        self.publish(&changes);
        for (key, head) in settled {
            self.remove(&key, &head, bounds);
        }
    }

    /// Forgets marks of rows whose entries the store has no more and no snapshot sees. Leaves may have them: they are read anew.
    fn forget_ended(&self, both: Csn) {
        if !self.ends.has_settled(&self.shared, both) {
            return;
        }
        // Who looks for what stands in the way of a key does so under its latch.
        let _latches = self.all_latches();
        let retired = {
            let _guard = self.directory_lock.lock();
            let directory = self.directory.load_full();
            self.directory.store(Arc::new(directory.merged(Vec::new())));
            directory
        };
        retired.leaves().for_each(|leaf| leaf.retire());
        self.ends.forget_settled(&self.shared, both);
    }

    /// Puts changes into the loaded leaves; what is not loaded is right in the KV store. Leaves that lose most of what they had are put together.
    pub(super) fn publish(self: &Arc<Self>, changes: &[LeafChange]) {
        let mut made = Made::new(self);
        {
            let _guard = self.directory_lock.lock();
            let directory = self.directory.load_full();
            let mut replaced = Vec::new();
            for leaf in directory.leaves() {
                let from = changes.partition_point(|(key, _)| *key < leaf.low);
                let to = leaf.high.as_ref().map_or(changes.len(), |high| {
                    changes.partition_point(|(key, _)| key < high)
                });
                if from >= to {
                    made.keep(leaf);
                    continue;
                }
                let new = merge_leaf(leaf, &changes[from..to]);
                new.into_iter().for_each(|leaf| made.add(leaf));
                replaced.push(Arc::clone(leaf));
            }
            made.close();
            let leaves = std::mem::take(&mut made.leaves);
            self.directory.store(Arc::new(directory.merged(leaves)));
            replaced.iter().for_each(|leaf| leaf.retire());
        }
        made.fresh.iter().for_each(|leaf| self.admit(leaf));
    }

    /// Cuts off versions that nobody can see.
    fn prune(&self, key: &EntryKey, head: &Arc<EntryVersion>, bounds: &MergeBounds) {
        if hides_older(&**head, self.shared.table(), bounds.horizon) {
            self.delta_bytes.sub(head.cut(key));
        }
        let gone = &mut |version: &EntryVersion| self.delta_bytes.sub(version.memory_bytes(key));
        thin_out(head, self.shared.table(), &bounds.live, gone);
    }

    /// Some(alive?) when an entry leaves delta.
    fn fate(&self, head: &EntryVersion, bounds: &MergeBounds) -> Option<bool> {
        let both = bounds.checkpoint.min(bounds.horizon);
        let table = self.shared.table();
        // Who fills the index asks for the markers of entries that no snapshot ever sees ([`super::online`]).
        let is_filled = self
            .def
            .load()
            .as_ref()
            .is_none_or(|def| def.state != IndexState::WriteOnly);
        let forgotten = || is_filled && is_forgotten(head, table, bounds.checkpoint, &bounds.live);
        fate(&self.shared, head, both).or_else(|| forgotten().then_some(false))
    }

    fn remove(&self, key: &EntryKey, head: &Arc<EntryVersion>, bounds: &MergeBounds) {
        let _latch = self.latch(entry_prefix(key)).lock();
        let Some(entry) = self.delta.get(key) else { return };
        let same = entry
            .value()
            .load()
            .as_ref()
            .is_some_and(|now| Arc::ptr_eq(now, head));
        // Deleted or brought back since: it stays, and overrides the leaf.
        if !same || self.fate(head, bounds).is_none() {
            return;
        }
        let alive = Shared::never(&head.end);
        entry.remove();
        self.delta_bytes.sub(head.memory_bytes(key) + head.cut(key));
        if !alive {
            self.count(-1, key);
        }
    }
}

/// The leaves of a directory in the making.
struct Made<'s> {
    store: &'s IndexStore,
    leaves: Vec<Arc<Leaf>>,
    /// Those of them that were not there before.
    fresh: Vec<Arc<Leaf>>,
    /// The last one, which may get the entries of the next.
    open: Option<Leaf>,
}

impl<'s> Made<'s> {
    fn new(store: &'s IndexStore) -> Made<'s> {
        Made {
            store,
            leaves: Vec::new(),
            fresh: Vec::new(),
            open: None,
        }
    }

    /// A leaf stays as it is.
    fn keep(&mut self, leaf: &Arc<Leaf>) {
        self.close();
        self.leaves.push(Arc::clone(leaf));
    }

    fn add(&mut self, leaf: Leaf) {
        match &mut self.open {
            Some(open) if open.can_take(&leaf) => open.take(leaf),
            _ => {
                self.close();
                self.open = Some(leaf);
            }
        }
    }

    fn close(&mut self) {
        let Some(mut leaf) = self.open.take() else { return };
        leaf.set_charge(self.store.shared.cache.charge(leaf.memory_bytes()));
        let leaf = Arc::new(leaf);
        self.fresh.push(Arc::clone(&leaf));
        self.leaves.push(leaf);
    }
}

/// Some(alive?) when the newest version of an entry says all there is to say.
fn fate(shared: &Shared, head: &EntryVersion, csn: Csn) -> Option<bool> {
    if Shared::never(&head.end) {
        let begun = shared.committed(&head.begin).is_some_and(|begin| begin <= csn);
        return begun.then_some(true);
    }
    let ended = shared.committed(&head.end).is_some_and(|end| end <= csn);
    ended.then_some(false)
}

/// What changed of an entry between two CSNs: a version to put, None to delete.
fn entry_change(
    shared: &Shared,
    head: Arc<EntryVersion>,
    from: Csn,
    to: Csn,
) -> Option<Option<Arc<EntryVersion>>> {
    let mut version = head;
    loop {
        match shared.committed(&version.begin) {
            Some(begin) if begin <= to => {
                let end = shared.committed(&version.end).filter(|end| *end <= to);
                return match end {
                    Some(end) if end > from => Some(None),
                    Some(_) => None,
                    None if begin > from => Some(Some(version)),
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
