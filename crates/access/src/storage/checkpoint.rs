//! Checkpoints and merges.
//!
//! # How it works
//! 1. Ask the log for a point: a CSN and the LSN behind its commit. Flush the log up to there.
//! 2. Write what was committed up to the CSN since the last checkpoint, relation by relation, in bounded batches.
//! 3. One durable batch with counters, lists and the LSN where recovery starts. Then the log below may go.
//! 4. Merge: what is in the store and the same for every snapshot leaves delta.
//!
//! Writers go on all the time. A crash in between leaves a store that is ahead of its checkpoint record, and a log from there on:
//! replay makes the same of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::cancel::CancelToken;
use common::{Csn, PgResult, RelationId, RowId};
use kv::{Durability, WriteBatch};

use crate::ahead::ends::Due;
use crate::ahead::heirs::PurgePoint;
use crate::index::store::{EntryKey, IndexStore};
use crate::shared::{MergeBounds, lost_a_part};
use crate::storage::meta::{self, CheckpointRecord, RelationCounters};
use crate::storage::{BATCH_BYTES, Maintenance, Relation, Storage};
use crate::table::Table;

/// Bytes of a file that may stay as it is.
const COMPACT_MIN: u64 = 16 << 20;

/// When the store's file is compacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompactFile {
    /// Not at all: what is free in it is used again.
    Never,
    /// When it has grown by a quarter since it was last, or since the database was opened.
    IfGrown,
    /// In any case.
    Always,
}

/// What has just been done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    Checkpoint,
    Merge,
}

impl Storage {
    /// Writes everything committed to the KV store, and gives back log below it.
    pub fn checkpoint(&self) -> PgResult<()> {
        self.under(self.lock_maintenance(), || self.checkpoint_locked(false))
    }

    /// Moves what is in the KV store and the same for every snapshot out of delta.
    pub fn merge(&self) -> PgResult<()> {
        self.under(self.lock_maintenance(), || self.merge_locked())
    }

    /// A checkpoint and a merge.
    pub fn maintain(&self) -> PgResult<()> {
        self.under(self.lock_maintenance(), || {
            self.checkpoint_locked(false)?;
            self.merge_locked()
        })
    }

    /// Makes the store smaller: rows of these tables that lie singly go into packs, and the file gives back what is free in it, if `whole`
    /// or if it has grown much since it last did. Whoever reads from the store waits while the file is compacted. Checkpoints that become
    /// due go on in between. 57014 when `cancel` says so.
    pub fn compact(
        self: &Arc<Self>,
        tables: &[Table],
        whole: CompactFile,
        cancel: &CancelToken,
    ) -> PgResult<()> {
        self.ask(Maintenance::CheckpointAndMerge, cancel)?;
        for table in tables {
            let mut from = Some(RowId(0));
            while let Some(at) = from {
                if self.is_due() {
                    self.ask(Maintenance::CheckpointAndMerge, cancel)?;
                }
                cancel.check()?;
                let guard = self.lock_maintenance_for(cancel)?;
                from = self.under(guard, || table.store.repack(at))?;
            }
            for index in self.indexes_of(table.id()) {
                let mut from = Some(EntryKey::new());
                while let Some(at) = from {
                    cancel.check()?;
                    let guard = self.lock_maintenance_for(cancel)?;
                    from = self.under(guard, || index.repack(&at))?;
                }
            }
        }
        self.ask(Maintenance::Compact(whole), cancel)?;
        cancel.check()
    }

    pub(crate) fn compact_file(&self, whole: CompactFile, given_up: &dyn Fn() -> bool) -> PgResult<()> {
        self.under(self.lock_maintenance(), || self.compact_locked(whole, given_up))
    }

    fn compact_locked(&self, whole: CompactFile, given_up: &dyn Fn() -> bool) -> PgResult<()> {
        let kv = &self.shared.kv;
        kv.flush()?;
        let (size, before) = (kv.size_on_disk()?, self.compacted_size.load(Ordering::Relaxed));
        let grown = size > COMPACT_MIN && size > before + before / 4;
        if whole == CompactFile::Always || whole == CompactFile::IfGrown && grown {
            kv.compact(given_up)?;
            if given_up() {
                return Ok(());
            }
            self.compacted_size.store(kv.size_on_disk()?, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The indexes of a table that have been opened.
    fn indexes_of(&self, table: RelationId) -> Vec<Arc<IndexStore>> {
        let is_of = |index: &&Arc<IndexStore>| {
            index
                .def
                .load()
                .as_ref()
                .is_some_and(|def| def.table == Some(table))
        };
        let relations = self.relations.read();
        let indexes = relations.values().filter_map(|relation| match relation {
            Relation::Index(index) => Some(index),
            _ => None,
        });
        indexes.filter(is_of).cloned().collect()
    }

    /// As [`Storage::maintain`], unless somebody is at it already.
    pub(crate) fn try_maintain(&self) -> PgResult<()> {
        match self.maintenance.try_lock() {
            Some(guard) => self.under(guard, || {
                self.checkpoint_locked(false)?;
                self.merge_locked()
            }),
            None => Ok(()),
        }
    }

    /// The checkpoint; the caller holds `maintenance`.
    pub(crate) fn checkpoint_locked(&self, clean: bool) -> PgResult<()> {
        let manager = self.manager();
        // Before the point: a value handed out since may be in the log above it, which does no harm.
        let wal_bytes = self.wal_bytes.load(Ordering::Relaxed);
        let point = manager.checkpoint_point();
        manager.wal().flush(point.lsn)?;
        let losses = self.shared.kv.losses();
        let from = self.shared.checkpoint_csn();
        let horizon = self.shared.horizon();
        let mut batch = WriteBatch::new();
        let volatile: Vec<_> = self.volatile.lock().iter().map(|(id, p)| (*id, *p)).collect();
        if !volatile.is_empty() {
            meta::put_volatile(&volatile, &mut batch);
        }
        let relations: Vec<(RelationId, Relation)> = self
            .relations
            .read()
            .iter()
            .map(|(id, r)| (*id, r.clone()))
            .collect();
        for (id, relation) in &relations {
            self.checkpoint_relation(*id, relation, ((from, point.csn), horizon), &mut batch)?;
        }
        let due = self.shared.deletions.due(&self.shared, point.csn, horizon);
        self.remove_ended(&due, &mut batch)?;
        let ended = self.shared.loads.ended(&self.shared, point.csn);
        self.end_loads(&ended, &mut batch)?;
        let born = self
            .shared
            .newborns
            .put_notes(&self.shared, point.csn, &mut batch);
        let purged = self.put_drops(&mut batch);
        meta::put_checkpoint(&self.checkpoint_record(point.redo, clean), &mut batch);
        if self.shared.kv.losses() != losses {
            return Err(lost_a_part());
        }
        self.shared.kv.write(batch, Durability::Immediate)?;
        for (_, relation) in &relations {
            if let Relation::Table(table) = relation {
                table.settle_toast();
            }
        }
        self.shared.deletions.done(&due);
        self.shared.newborns.forget(&born);
        self.forget_purged(&purged);
        self.shared.loads.forget(&ended);
        self.shared.set_checkpoint_csn(point.csn);
        self.checkpoint_lsn.store(point.redo.0, Ordering::Release);
        self.wal_bytes.fetch_sub(wal_bytes, Ordering::Relaxed);
        let now = self.env().monotonic().as_millis() as u64;
        self.checkpoint_millis.store(now, Ordering::Relaxed);
        self.purge_heirs(After::Checkpoint)?;
        Ok(manager.wal().recycle_below(point.redo)?)
    }

    /// Removes rows that were deleted by marks, and their entries; puts those updated by marks into their places; notes of what somebody sees otherwise.
    fn remove_ended(&self, due: &Due, batch: &mut WriteBatch) -> PgResult<()> {
        let kv = &self.shared.kv;
        let (tables, indexes) = due.ended();
        if !tables.is_empty() {
            // The packs are read again.
            kv.write(std::mem::take(batch), Durability::Eventual)?;
        }
        let mut write = |batch: &mut WriteBatch| {
            if batch.payload_bytes() > BATCH_BYTES {
                kv.write(std::mem::take(batch), Durability::Eventual)?;
            }
            Ok(())
        };
        for (table, ended) in tables.values() {
            table.remove_ended(ended, batch, &mut write)?;
        }
        for update in due.updates() {
            // The same packs may have been written just now.
            kv.write(std::mem::take(batch), Durability::Eventual)?;
            update.table.place_heirs(&update.heirs(), batch, &mut write)?;
        }
        for (index, ended) in indexes.values() {
            index.remove_ended(ended)?;
            meta::put_counters(index.id, &RelationCounters::Index(index.counters()), batch);
        }
        due.put_notes(batch);
        Ok(())
    }

    /// Removes what nobody needs any more of rows updated by marks. What becomes free now goes the next time.
    fn purge_heirs(&self, after: After) -> PgResult<()> {
        if !self.in_doubt.lock().is_empty() {
            return Ok(());
        }
        let at = PurgePoint {
            redo: self.checkpoint_lsn(),
            end: self.manager().wal().insert_lsn(),
            is_durable: after == After::Checkpoint,
        };
        let relations: Vec<Relation> = self.relations.read().values().cloned().collect();
        for relation in relations {
            if let Relation::Table(table) = relation
                && table.purge_heirs(&at)?
            {
                self.shared.deletions.note_work();
            }
        }
        Ok(())
    }

    fn checkpoint_relation(
        &self,
        id: RelationId,
        relation: &Relation,
        (range, horizon): ((Csn, Csn), Csn),
        batch: &mut WriteBatch,
    ) -> PgResult<()> {
        let kv = &self.shared.kv;
        let mut write = |batch: &mut WriteBatch| {
            if batch.payload_bytes() > BATCH_BYTES {
                kv.write(std::mem::take(batch), Durability::Eventual)?;
            }
            Ok(())
        };
        match relation {
            Relation::Table(table) => {
                table.checkpoint(range, batch, &mut write)?;
                table.checkpoint_toast(range.1, horizon, batch, &mut write)?;
                if table.changed_since_checkpoint() {
                    meta::put_counters(id, &RelationCounters::Table(table.counters()), batch);
                }
            }
            Relation::Index(index) => {
                index.checkpoint(range, batch, &mut write)?;
                if !index.delta.is_empty() || index.loaded.load(Ordering::Relaxed) {
                    meta::put_counters(id, &RelationCounters::Index(index.counters()), batch);
                }
            }
            Relation::Sequence(sequence) => sequence.checkpoint(batch),
        }
        Ok(())
    }

    pub(crate) fn checkpoint_record(&self, redo: common::Lsn, clean: bool) -> CheckpointRecord {
        let counters = self.counters.lock();
        CheckpointRecord {
            redo,
            next_xid: self.manager().next_xid(),
            // What is logged ahead may be in use by the time of a crash.
            next_oid: if clean {
                counters.next_oid
            } else {
                counters.oid_limit.max(counters.next_oid)
            },
            next_relation: counters.relation_limit.max(counters.next_relation),
            clean: u64::from(clean),
            unix_micros: self.env().now_unix_micros() as u64,
        }
    }

    /// Removes the keyspaces of dropped relations that nobody can see, and lists the others. Gives those removed.
    fn put_drops(&self, batch: &mut WriteBatch) -> Vec<RelationId> {
        let horizon = self.shared.horizon();
        let dropped = self.dropped.lock();
        let (gone, kept): (Vec<_>, Vec<_>) = dropped.iter().partition(|d| d.csn <= horizon);
        for drop in &gone {
            meta::drop_keyspaces(drop.id, batch);
            meta::delete_counters(drop.id, batch);
            meta::delete_newborn(drop.id, batch);
        }
        let kept: Vec<RelationId> = kept.iter().map(|d| d.id).collect();
        meta::put_drops(&kept, batch);
        gone.iter().map(|d| d.id).collect()
    }

    fn forget_purged(&self, purged: &[RelationId]) {
        if purged.is_empty() {
            return;
        }
        self.dropped.lock().retain(|d| !purged.contains(&d.id));
        let mut volatile = self.volatile.lock();
        let mut relations = self.relations.write();
        for id in purged {
            volatile.remove(id);
            relations.remove(id);
        }
    }

    fn merge_locked(&self) -> PgResult<()> {
        let bounds = MergeBounds {
            checkpoint: self.shared.checkpoint_csn(),
            horizon: self.shared.horizon(),
            live: self.shared.table().live_snapshots(),
        };
        self.shared.gathered_chunks.store(0, Ordering::Relaxed);
        self.shared.passed_entries.store(0, Ordering::Relaxed);
        let relations: Vec<Relation> = self.relations.read().values().cloned().collect();
        for relation in relations {
            match relation {
                Relation::Table(table) => table.merge(&bounds)?,
                Relation::Index(index) => Arc::clone(&index).merge(&bounds),
                Relation::Sequence(_) => {}
            }
        }
        self.purge_heirs(After::Merge)
    }
}
