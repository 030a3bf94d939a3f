//! Entries that a checkpoint takes out of the store: many of one pack go with the pack written anew, or removed, others one by one.
//!
//! # How it works
//! A tombstone costs the store about as much as a whole pack, and whoever reads the place passes over it until VACUUM. Entries come ascending, so those
//! of a pack come together: they are collected, and some packs are changed at a time.
//!
//! # Invariants
//! - Packs are looked at again under all latches, where they change: if one is not as it was, its entries get tombstones, which are always right.
//! - All of it is in delta until a merge, as in [`super::bundle`].

use common::PgResult;
use kv::{Durability, Keyspace, WriteBatch};

use crate::index::pack::{self, PackedKeys};
use crate::index::store::{EntryKey, IndexStore, TOMBSTONE};

/// Packs changed together.
const PIECE: usize = 16;

/// Entries of one pack.
struct OfPack {
    first: EntryKey,
    keys: Vec<EntryKey>,
}

/// Collects entries that go, ascending.
pub(super) struct Thinning<'s> {
    store: &'s IndexStore,
    packed: Option<PackedKeys<'s>>,
    packs: Vec<OfPack>,
    /// Fewer of a pack get tombstones.
    many: usize,
}

impl<'s> Thinning<'s> {
    pub(super) fn of(store: &'s IndexStore) -> Thinning<'s> {
        let packed = store.packed.load(std::sync::atomic::Ordering::Acquire);
        Thinning {
            store,
            packed: packed.then(|| PackedKeys::of(store)),
            packs: Vec::new(),
            many: (2 * store.shared.pack_min).max(1),
        }
    }

    /// Takes an entry out. What goes one by one is added to `batch`.
    pub(super) fn push(&mut self, key: EntryKey, batch: &mut WriteBatch) -> PgResult<()> {
        let keyspace = Keyspace(self.store.id.0);
        let Some(packed) = &mut self.packed else {
            match self.store.is_builtin(&key) {
                true => batch.put(keyspace, key.as_slice(), TOMBSTONE),
                false => batch.delete(keyspace, key.as_slice()),
            }
            return Ok(());
        };
        if !packed.contains(&key)? {
            batch.delete(keyspace, key.as_slice());
            return Ok(());
        }
        match self.packs.last_mut() {
            Some(pack) if pack.first == *packed.first() => pack.keys.push(key),
            _ => {
                let first = packed.first().clone();
                if self.packs.len() >= PIECE {
                    self.finish(batch)?;
                }
                self.packs.push(OfPack {
                    first,
                    keys: vec![key],
                });
            }
        }
        Ok(())
    }

    /// Changes the packs of which many entries are to go, and adds the rest to `batch`.
    pub(super) fn finish(&mut self, batch: &mut WriteBatch) -> PgResult<()> {
        let packs = std::mem::take(&mut self.packs);
        if packs.is_empty() {
            return Ok(());
        }
        let _latches = self.store.all_latches();
        let mut changed = WriteBatch::new();
        for pack in packs {
            let thinned = pack.keys.len() >= self.many && self.thin(&pack, &mut changed)?;
            let keyspace = Keyspace(self.store.id.0);
            match thinned {
                false => pack
                    .keys
                    .iter()
                    .for_each(|key| batch.put(keyspace, key.as_slice(), TOMBSTONE)),
                // One that was gone and came back is under its own key, too.
                true if self.has_singles(&pack)? => pack
                    .keys
                    .iter()
                    .for_each(|key| batch.delete(keyspace, key.as_slice())),
                true => {}
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        *self.store.pack_end.lock() = None;
        Ok(self.store.shared.kv.write(changed, Durability::Eventual)?)
    }

    /// Adds the pack without these entries; false if it does not have all of them.
    fn thin(&self, of: &OfPack, changed: &mut WriteBatch) -> PgResult<bool> {
        let keyspace = pack::keyspace(self.store.id);
        let Some(bytes) = self.store.shared.kv.get(keyspace, &of.first)? else {
            return Ok(false);
        };
        let (gone, rest) = pack::without(&bytes, &mut |key| {
            Ok(of.keys.binary_search_by(|k| k.as_slice().cmp(key)).is_ok())
        })?;
        if gone != of.keys.len() {
            return Ok(false);
        }
        match rest {
            // Under its old key, whether that is there still or not: nothing else can begin there.
            Some(rest) => changed.put(keyspace, of.first.as_slice(), rest),
            None => changed.delete(keyspace, of.first.as_slice()),
        }
        Ok(true)
    }

    /// True when some entry from the pack's first to the last of these is under its own key.
    fn has_singles(&self, of: &OfPack) -> PgResult<bool> {
        let single = self.store.single_from(&of.first)?;
        Ok(single.is_some_and(|single| of.keys.last().is_some_and(|last| single <= *last)))
    }
}
