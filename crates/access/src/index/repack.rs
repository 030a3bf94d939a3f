//! Entries that lie singly into the packs of their index, and out of these what was deleted since.
//!
//! # How it works
//! VACUUM goes through the entries under their own keys, some at a time. Each pack in whose range some of them lie is written anew with them and without
//! those that [`TOMBSTONE`]s tell of; then they go, in the same batch.
//!
//! # Invariants
//! - What the two keyspaces say together stays the same, so leaves in memory do. A reader may have read one before and the other after: the epoch
//!   changes with the batch, under the lock of the directory, so such a leaf is not installed and the reader starts over.
//! - Nobody else writes entries to the store: checkpoints are kept out by the caller, others by all latches.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::PgResult;
use kv::{Direction, Durability, Keyspace, WriteBatch};

use crate::index::pack::{self, PackWriter};
use crate::index::store::{EntryKey, IndexStore, TOMBSTONE};
use crate::storage::FIRST_RELATION;

/// Single entries looked at together.
const PIECE: usize = 4096;
/// Single entries of a pack's range that make writing it anew pay.
const SINGLES_MIN: usize = 4;

/// An entry and its value, as the store has it.
type Single = (EntryKey, Box<[u8]>);

impl IndexStore {
    /// Puts some single entries from a key on into packs; where to go on. Nobody checkpoints.
    pub(crate) fn repack(&self, from: &EntryKey) -> PgResult<Option<EntryKey>> {
        if self.id < FIRST_RELATION || !self.packed.load(Ordering::Acquire) {
            return Ok(None);
        }
        let _latches = self.all_latches();
        let (singles, next) = self.singles_from(from)?;
        let mut batch = WriteBatch::new();
        let mut rest = &singles[..];
        while let Some((key, _)) = rest.first() {
            let pack = self.pack_of(Some(key), false)?;
            let end = self.next_pack(pack.as_ref())?;
            let count = end.map_or(rest.len(), |end| rest.partition_point(|(key, _)| *key < end));
            let (here, others) = rest.split_at(count);
            if here.len() >= SINGLES_MIN {
                let old = pack
                    .as_ref()
                    .map_or(Ok(Vec::new()), |pack| pack.entries(&[], None))?;
                self.put_anew(pack.map(|pack| pack.first), old, here, &mut batch);
            }
            rest = others;
        }
        if !batch.is_empty() {
            let _guard = self.directory_lock.lock();
            self.shared.kv.write(batch, Durability::Eventual)?;
            let directory = self.directory.load_full();
            self.directory.store(Arc::new(directory.at_next_epoch()));
            *self.pack_end.lock() = None;
        }
        Ok(next)
    }

    fn singles_from(&self, from: &EntryKey) -> PgResult<(Vec<Single>, Option<EntryKey>)> {
        let (mut singles, mut next) = (Vec::new(), None);
        let bounds = (Bound::Included(&from[..]), Bound::Unbounded);
        let keyspace = Keyspace(self.id.0);
        self.shared
            .kv
            .range(keyspace, bounds, Direction::Forward, &mut |key, value| {
                if singles.len() == PIECE {
                    next = Some(EntryKey::from_slice(key));
                    return ControlFlow::Break(());
                }
                singles.push((EntryKey::from_slice(key), value.into()));
                ControlFlow::Continue(())
            })?;
        Ok((singles, next))
    }

    /// A pack with single entries of its range in it.
    fn put_anew(
        &self,
        first: Option<EntryKey>,
        old: Vec<Single>,
        singles: &[Single],
        batch: &mut WriteBatch,
    ) {
        let keyspace = pack::keyspace(self.id);
        if let Some(first) = first {
            batch.delete(keyspace, first.as_slice());
        }
        let mut put = |pack: Option<(EntryKey, Vec<u8>)>| {
            if let Some((first, bytes)) = pack {
                batch.put(keyspace, first.as_slice(), bytes);
            }
        };
        let mut writer = PackWriter::even(old.len() + singles.len());
        let mut old = old.into_iter().peekable();
        for (key, value) in singles {
            while let Some((before, value)) = old.next_if(|(before, _)| before < key) {
                put(writer.push(&before, &value));
            }
            old.next_if(|(same, _)| same == key);
            if value.as_ref() != TOMBSTONE {
                put(writer.push(key, value));
            }
        }
        old.for_each(|(key, value)| put(writer.push(&key, &value)));
        put(writer.take());
        for (key, _) in singles {
            batch.delete(Keyspace(self.id.0), key.as_slice());
        }
    }
}
