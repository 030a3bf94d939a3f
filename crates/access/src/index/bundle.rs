//! New entries on their way into the store at a checkpoint: as packs where many lie together, else one by one.
//!
//! # How it works
//! A put costs the store about as much for one entry as for a pack of hundreds. Keys that ascend, or ascend within groups, come as long runs with nothing
//! of the store among them: these become packs. Where the first tries of a piece find no such run the next ones are further apart, so that keys in no
//! order cost little more than their puts.
//!
//! # Invariants
//! - That a place is free, and the pack that goes there, is one step under all latches: loads put packs there, too.
//! - All of it is in delta until a merge: who has read the store before and loads a leaf after it misses nothing.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::PgResult;
use kv::{Direction, Durability, Keyspace, WriteBatch};

use crate::index::delta::EntryVersion;
use crate::index::pack::{self, PackWriter};
use crate::index::store::{EntryKey, IndexStore};
use crate::storage::FIRST_RELATION;

/// Entries looked at together.
const PIECE: usize = 4096;

type New = (EntryKey, Arc<EntryVersion>);

/// Collects new entries, ascending.
pub(super) struct Bundle<'s> {
    store: &'s IndexStore,
    entries: Vec<New>,
    /// A run of fewer is no pack.
    run_min: usize,
    /// Entries that go one by one after a place where no run began.
    stride: usize,
}

impl<'s> Bundle<'s> {
    pub(super) fn of(store: &'s IndexStore) -> Bundle<'s> {
        let run_min = (2 * store.shared.pack_min).max(1);
        Bundle {
            store,
            entries: Vec::new(),
            run_min,
            stride: run_min,
        }
    }

    /// Adds an entry. What goes one by one is put into `batch`.
    pub(super) fn push(
        &mut self,
        key: EntryKey,
        version: Arc<EntryVersion>,
        batch: &mut WriteBatch,
    ) -> PgResult<()> {
        self.entries.push((key, version));
        match self.entries.len() < PIECE {
            true => Ok(()),
            false => self.finish(batch),
        }
    }

    /// Writes the runs among what has been collected, and puts the rest into `batch`.
    pub(super) fn finish(&mut self, batch: &mut WriteBatch) -> PgResult<()> {
        let entries = std::mem::take(&mut self.entries);
        if entries.len() < self.run_min || self.store.id < FIRST_RELATION {
            self.put_singly(&entries, batch);
            return Ok(());
        }
        let _latches = self.store.all_latches();
        let (mut packs, mut rest) = (WriteBatch::new(), &entries[..]);
        while let Some((first, _)) = rest.first() {
            let run = match rest.len() < self.run_min {
                true => 0,
                false => self.store.free_run(first, rest)?,
            };
            if run >= self.run_min {
                self.put_packs(&rest[..run], &mut packs);
                self.stride = self.run_min;
                rest = &rest[run..];
            } else {
                let singles = run.max(self.stride).min(rest.len());
                self.put_singly(&rest[..singles], batch);
                self.stride = (2 * self.stride).min(PIECE);
                rest = &rest[singles..];
            }
        }
        if packs.is_empty() {
            return Ok(());
        }
        self.store.packed.store(true, Ordering::Release);
        *self.store.pack_end.lock() = None;
        Ok(self.store.shared.kv.write(packs, Durability::Eventual)?)
    }

    fn put_singly(&self, entries: &[New], batch: &mut WriteBatch) {
        for (key, version) in entries {
            batch.put(Keyspace(self.store.id.0), key.as_slice(), version.value.as_ref());
        }
    }

    fn put_packs(&self, run: &[New], batch: &mut WriteBatch) {
        let mut put = |pack: Option<(EntryKey, Vec<u8>)>| {
            if let Some((first, bytes)) = pack {
                batch.put(pack::keyspace(self.store.id), first.as_slice(), bytes);
            }
        };
        let mut writer = PackWriter::even(run.len());
        for (key, version) in run {
            put(writer.push(key, &version.value));
        }
        put(writer.take());
    }
}

impl IndexStore {
    /// How many entries from the first on, at `key`, have nothing of the store among them. The caller holds all latches.
    fn free_run(&self, key: &EntryKey, entries: &[New]) -> PgResult<usize> {
        let pack = self.pack_of(Some(key), false)?;
        if let Some(pack) = &pack
            && pack.last()?.is_some_and(|last| last >= *key)
        {
            return Ok(0);
        }
        let next = self.next_pack(pack.as_ref())?;
        let single = self.single_from(key)?;
        let end = [next, single].into_iter().flatten().min();
        Ok(end.map_or(entries.len(), |end| {
            entries.partition_point(|(key, _)| *key < end)
        }))
    }

    /// The first single entry of the store at or above a key.
    pub(super) fn single_from(&self, key: &EntryKey) -> PgResult<Option<EntryKey>> {
        let mut found = None;
        let bounds = (Bound::Included(key.as_slice()), Bound::Unbounded);
        let keyspace = Keyspace(self.id.0);
        self.shared
            .kv
            .range(keyspace, bounds, Direction::Forward, &mut |key, _| {
                found = Some(EntryKey::from_slice(key));
                ControlFlow::Break(())
            })?;
        Ok(found)
    }
}
