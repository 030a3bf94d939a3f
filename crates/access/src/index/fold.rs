//! Entries that waited in delta into the packs of their index, ahead of the commit ([`crate::ahead::entries`]).
//!
//! # How it works
//! The entries are sorted. Under all latches, a piece at a time: each pack in whose range some of them lie is written anew with them, cut in even
//! parts where it gets large; then they come into the loaded leaves; then they leave delta.
//!
//! # Invariants
//! - As in a merge, leaves have an entry before delta has it no more, and the epoch changes in between: a reader that found it in neither starts over.
//! - Packs change only under all latches, by entries that no snapshot sees without asking a gate: it does not matter whether a reader of
//!   the store finds the pack of before or of after.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::PgResult;
use common::cancel::CancelToken;
use kv::WriteBatch;

use crate::ahead::entries::{Waiting, Waits};
use crate::index::leaf::LeafChange;
use crate::index::pack::{self, PackWriter};
use crate::index::store::{EntryKey, IndexStore};
use crate::shared::Shared;
use crate::storage::BATCH_BYTES;

/// Entries that wait, and whose they are.
struct Pending {
    entry: Waiting,
    of: usize,
}

/// Puts all that wait of one index into the store, a look at the flag between pieces. On error some may have gone; the others wait on.
pub(crate) fn store_entries(all: &[Arc<Waits>], cancel: &CancelToken) -> PgResult<()> {
    let Some(index) = all.first().map(|waits| &waits.index) else {
        return Ok(());
    };
    let mut pending: Vec<Pending> = Vec::new();
    for (of, waits) in all.iter().enumerate() {
        let entries = waits.take().into_iter();
        pending.extend(entries.map(|entry| Pending { entry, of }));
    }
    let mut done = 0;
    let mut outcome = sort(&mut pending, cancel);
    while done < pending.len() && outcome.is_ok() {
        outcome = index
            .store_piece(all, &pending[done..])
            .map(|count| done += count);
        if done < pending.len() {
            outcome = outcome.and_then(|()| cancel.check());
        }
    }
    for pending in pending.drain(done..) {
        all[pending.of].give_back(pending.entry);
    }
    outcome
}

/// Entries put into the store between two looks, roughly.
const PIECE_ENTRIES: usize = 1 << 14;

/// Entries sorted between two looks at the flag.
const SORTED_ENTRIES: usize = 1 << 15;

/// By their keys; a look between runs, which the last step finds and merges.
fn sort(pending: &mut [Pending], cancel: &CancelToken) -> PgResult<()> {
    for run in pending.chunks_mut(SORTED_ENTRIES) {
        cancel.check()?;
        run.sort_unstable_by(|a, b| a.entry.0.cmp(&b.entry.0));
    }
    if pending.len() > SORTED_ENTRIES {
        pending.sort_by(|a, b| a.entry.0.cmp(&b.entry.0));
    }
    Ok(())
}

impl IndexStore {
    /// A batch's worth of entries from the first on; how many.
    fn store_piece(self: &Arc<Self>, all: &[Arc<Waits>], pending: &[Pending]) -> PgResult<usize> {
        let _latches = self.all_latches();
        let mut batch = WriteBatch::new();
        if let Some(first) = pending.first() {
            for waits in all {
                waits.load.note_entries(self, &first.entry.0);
            }
        }
        let mut done = 0;
        while done < pending.len().min(PIECE_ENTRIES) && batch.payload_bytes() < BATCH_BYTES {
            done += self.fold_pack(&pending[done..], &mut batch)?;
        }
        let pending = &pending[..done];
        let loads = all.iter().map(|waits| &*waits.load);
        self.shared.loads.write(&self.shared, loads, batch)?;
        *self.pack_end.lock() = None;
        self.packed.store(true, Ordering::Release);
        self.loaded.store(true, Ordering::Relaxed);
        let change = |p: &Pending| -> LeafChange { (p.entry.0.clone(), Some(p.entry.1.value.clone())) };
        let changes: Vec<LeafChange> = pending.iter().map(change).collect();
        self.show(&changes);
        for pending in pending {
            if !self.leave_delta(&pending.entry) {
                all[pending.of].keep(pending.entry.clone());
            }
        }
        Ok(done)
    }

    /// Writes the pack of the first entry anew, with all that belong there; how many.
    fn fold_pack(&self, pending: &[Pending], batch: &mut WriteBatch) -> PgResult<usize> {
        let Some(first) = pending.first() else {
            return Ok(0);
        };
        let pack = self.pack_of(Some(&first.entry.0), false)?;
        let end = self.next_pack(pack.as_ref())?;
        let count = end.map_or(pending.len(), |end| pending.partition_point(|p| p.entry.0 < end));
        let keyspace = pack::keyspace(self.id);
        let mut old: Vec<(EntryKey, Box<[u8]>)> = Vec::new();
        if let Some(pack) = &pack {
            old = pack.entries(&[], None)?;
            // What a rollback has removed was perhaps its first entry.
            if old.first().is_none_or(|(key, _)| *key != pack.first) {
                batch.delete(keyspace, pack.first.as_slice());
            }
        }
        let mut put = |pack: Option<(EntryKey, Vec<u8>)>| {
            if let Some((first, bytes)) = pack {
                batch.put(keyspace, first.as_slice(), bytes);
            }
        };
        let mut writer = PackWriter::even(old.len() + count);
        let mut old = old.iter().peekable();
        for Pending {
            entry: (key, version),
            ..
        } in &pending[..count]
        {
            while let Some((before, value)) = old.next_if(|(before, _)| before < key) {
                put(writer.push(before, value));
            }
            put(writer.push(key, &version.value));
        }
        old.for_each(|(key, value)| put(writer.push(key, value)));
        put(writer.take());
        Ok(count)
    }

    /// Takes an entry out of delta that leaves and store have. False if it was changed: then it stays. The caller holds all latches.
    fn leave_delta(&self, (key, version): &Waiting) -> bool {
        let Some(entry) = self.delta.get(key) else {
            return true;
        };
        let same = entry
            .value()
            .load()
            .as_ref()
            .is_some_and(|head| Arc::ptr_eq(head, version));
        if !same || !Shared::never(&version.end) || version.older.load_full().is_some() {
            return false;
        }
        entry.remove();
        self.delta_bytes.sub(version.memory_bytes(key));
        true
    }
}
