//! What a transaction does with its loads: begins them, seals them before its commit.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{CommandId, PgResult, RelationId, RowId};

use crate::ahead::Load;
use crate::ahead::ends::{Deletion, Reason};
use crate::ahead::entries::AllWaits;
use crate::ahead::gate::Gate;
use crate::ahead::heirs::Collected;
use crate::ahead::moves::Moving;
use crate::ahead::singles::Singles;
use crate::ahead::writer::{ChunkRows, RowsWriter};
use crate::block::CHUNK_ROWS;
use crate::storage::FIRST_RELATION;
use crate::table::Table;
use crate::transaction::Transaction;
use crate::transaction::redo::{RedoOp, put_op};
use crate::transaction::writes::Write;

/// Separate ranges of row ids after which a load ends and another begins: its note is written with every batch.
pub(super) const PIECES_MAX: usize = 64;

/// A transaction's loads.
#[derive(Default)]
pub(crate) struct Ahead {
    /// Rows that it has inserted by columns and the usual way.
    usual_rows: usize,
    /// They came one by one and were put together.
    pub(crate) gathered: bool,
    /// The load that takes the next rows.
    current: Option<Current>,
    /// The store's losses when the first load began.
    losses: Option<u64>,
    /// Index entries that are to follow the rows.
    pub(crate) waits: AllWaits,
    deletions: Marking,
    updates: Marking,
    /// What marks rows that are updated elsewhere. They are counted as updates.
    moves: Marking,
    /// Where those go.
    pub(crate) moving: Option<Moving>,
    /// Rows inserted one by one.
    pub(crate) singles: Singles,
    /// Rows on their way into the store.
    writer: RowsWriter,
    /// Rows updated by marks that are not in the store yet.
    pub(crate) collected: Option<Collected>,
}

/// Rows that it deletes, or those that it updates in place.
#[derive(Default)]
struct Marking {
    /// Those that got versions: all, and of one command in one table.
    versions: usize,
    recent: Option<(RelationId, CommandId, usize)>,
    /// What marks further ones: its place in the write set.
    current: Option<(Arc<Deletion>, usize)>,
    any: bool,
}

impl Marking {
    fn cut(&mut self) {
        self.current = None;
        self.recent = None;
    }
}

struct Current {
    load: Arc<Load>,
    command: CommandId,
    /// Its place in the write set.
    write: usize,
}

impl Ahead {
    /// Rows went the usual way.
    pub(crate) fn count_usual(&mut self, rows: usize) {
        self.usual_rows += rows;
    }

    /// Rows that come now belong to another load.
    pub(crate) fn cut(&mut self) {
        self.current = None;
        self.deletions.cut();
        self.updates.cut();
        self.moves.cut();
        if let Some(moving) = &mut self.moving {
            moving.cut();
        }
    }

    /// Places in the write set do not count any more: what comes now begins anew.
    pub(super) fn forget_places(&mut self) {
        self.current = None;
        self.deletions.current = None;
        self.updates.current = None;
        self.moves.current = None;
        if let Some(moving) = &mut self.moving {
            moving.cut();
        }
    }

    /// True when rows were marked: the log must have that.
    pub(crate) fn end_marks(&mut self) -> bool {
        self.deletions.cut();
        self.updates.cut();
        self.moves.cut();
        let any = |marking: &mut Marking| std::mem::take(&mut marking.any);
        any(&mut self.deletions) | any(&mut self.updates) | any(&mut self.moves)
    }

    fn marking(&mut self, reason: Reason) -> &mut Marking {
        match reason {
            Reason::Deleted => &mut self.deletions,
            Reason::Updated(_) => &mut self.updates,
            Reason::Moved(_) => &mut self.moves,
        }
    }

    /// Rows of this command go the usual way until they are many again.
    pub(super) fn forget_recent_updates(&mut self) {
        self.updates.recent = None;
    }
}

/// Insertions go ahead after a part of the rows: the log takes longer for them than the store does, and nothing is left to do for checkpoints.
const INSERTED_SHARE: usize = 4;
/// So many times more rows that are inserted one by one go the usual way than of those that are updated: going ahead costs a flush of the store at the commit,
/// which is felt where there is nothing else to wait for.
pub(super) const EARLY_FACTOR: usize = 2;

impl Transaction {
    /// From now on rows inserted together are such as came one by one, or are not.
    pub fn set_gathered(&mut self, gathered: bool) {
        self.ahead.gathered = gathered;
    }

    /// True when so many rows shall go into the store ahead of the commit.
    pub(crate) fn goes_ahead(&self, relation: RelationId, rows: usize) -> bool {
        let options = self.storage().options();
        let usual = match self.ahead.gathered {
            true => options.ahead_after_rows * EARLY_FACTOR,
            false => options.ahead_after_rows.div_ceil(INSERTED_SHARE),
        };
        relation >= FIRST_RELATION
            && self.ahead.usual_rows >= usual
            && (options.ahead_rows_min..=CHUNK_ROWS as usize).contains(&rows)
    }

    /// The load that rows of this table join.
    pub(crate) fn load_of(&mut self, table: &Table) -> PgResult<Arc<Load>> {
        let (stamp, command) = (self.stamp()?, self.command());
        let since = self.last_savepoint();
        let fits = |current: &&Current| {
            current.command == command
                && current.write >= since
                && current.load.table.id == table.store.id
                && current.load.pieces() < PIECES_MAX
        };
        if let Some(current) = self.ahead.current.as_ref().filter(fits) {
            return Ok(Arc::clone(&current.load));
        }
        self.note_store();
        let load = Arc::new(Load::new(Arc::clone(&table.store), Gate::new(stamp, command)));
        let write = self.write_count();
        self.record(Write::Load(Arc::clone(&load)), None)?;
        self.ahead.current = Some(Current {
            load: Arc::clone(&load),
            command,
            write,
        });
        Ok(load)
    }

    /// A row of a table got a version that ends, for this reason.
    pub(crate) fn count_ended(&mut self, relation: RelationId, reason: Reason) {
        let command = self.command();
        let marking = self.ahead.marking(reason);
        marking.versions += 1;
        match &mut marking.recent {
            Some((known, of, count)) if *known == relation && *of == command => *count += 1,
            recent => *recent = Some((relation, command, 1)),
        }
    }

    /// True when further rows of a table shall end by marks for this reason.
    pub(crate) fn marks_rows(&self, relation: RelationId, reason: Reason) -> bool {
        let (options, ahead) = (self.storage().options(), &self.ahead);
        let marking = match reason {
            Reason::Deleted => &ahead.deletions,
            Reason::Updated(_) | Reason::Moved(_) => &ahead.updates,
        };
        if marking.versions < options.ahead_after_rows || relation < FIRST_RELATION {
            return false;
        }
        let count = match marking.recent {
            Some((known, command, count)) if known == relation && command == self.command() => count,
            _ => 0,
        };
        count >= options.ahead_rows_min
    }

    /// What marks rows of this table now, for this reason.
    pub(crate) fn marker_of(&mut self, table: &Table, reason: Reason) -> PgResult<Arc<Deletion>> {
        let (stamp, command, since) = (self.stamp()?, self.command(), self.last_savepoint());
        let fits = |current: &&(Arc<Deletion>, usize)| {
            let (deletion, write) = current;
            let same = deletion.table.id == table.store.id && deletion.reason == reason;
            same && deletion.gate.command == command && *write >= since
        };
        if let Some((deletion, _)) = self.ahead.marking(reason).current.as_ref().filter(fits) {
            return Ok(Arc::clone(deletion));
        }
        let gate = Gate::new(stamp, command);
        let deletion = Arc::new(Deletion::new(Arc::clone(&table.store), gate, reason));
        table.store.shared.deletions.add(&deletion);
        let write = self.write_count();
        self.record(Write::Deletion(Arc::clone(&deletion)), None)?;
        let marking = self.ahead.marking(reason);
        marking.any = true;
        marking.current = Some((Arc::clone(&deletion), write));
        Ok(deletion)
    }

    /// What has marked this row of a table as gone, and marks further ones.
    pub(crate) fn deletion_with(&self, row: RowId, table: RelationId) -> Option<&Arc<Deletion>> {
        let ahead = &self.ahead;
        let all = [&ahead.moves, &ahead.deletions].map(|marking| marking.current.as_ref());
        let all = all.into_iter().flatten().map(|(deletion, _)| deletion);
        // Rows of other tables have the same ids.
        all.into_iter()
            .find(|deletion| deletion.table.id == table && deletion.has(row))
    }

    /// From here on it has something in the store, which must be durable before it commits.
    pub(crate) fn note_store(&mut self) {
        let shared = Arc::clone(&self.storage().shared);
        self.ahead.losses.get_or_insert_with(|| shared.kv.losses());
    }

    /// The load whose last chunk has this row.
    pub(crate) fn load_with(&self, row: RowId, table: Option<RelationId>) -> Option<Arc<Load>> {
        if let Some(moving) = &self.ahead.moving
            && table.is_none_or(|table| table == moving.table())
            && let Some(load) = moving.load_with(row)
            && moving.goes_on(self)
        {
            return Some(load);
        }
        let current = self.ahead.current.as_ref()?;
        let within = current.load.last_chunk()?.contains(&row.0);
        let now = current.command == self.command() && current.write >= self.last_savepoint();
        (within && now).then(|| Arc::clone(&current.load))
    }

    /// Rows of a load go into the store, at once or behind those that are on their way.
    pub(super) fn write_chunk(&mut self, chunk: ChunkRows) -> PgResult<()> {
        let storage = Arc::clone(self.storage());
        self.ahead.writer.put(chunk, &*storage.options().env)
    }

    /// Waits until all rows of its loads are in the store.
    pub fn await_rows(&mut self) -> PgResult<()> {
        self.ahead.writer.finish()
    }

    /// Before the commit or its first phase: the store is made durable, and the log will say so.
    pub(crate) fn seal_loads(&mut self) -> PgResult<()> {
        self.await_rows()?;
        self.store_all_entries()?;
        let Some(losses) = self.ahead.losses.take() else {
            return Ok(());
        };
        self.ahead.current = None;
        let storage = Arc::clone(self.storage());
        storage.shared.flush_whole(losses)?;
        let mut ops = Vec::new();
        for load in self
            .loads()
            .filter(|load| load.table.is_logged() && load.has_rows())
        {
            put_op(load.stored_op(), &mut ops);
        }
        self.log_encoded(&ops);
        Ok(())
    }
}

impl Load {
    /// The operation that says that all of it is in the store.
    pub(crate) fn stored_op(&self) -> RedoOp<'static> {
        let (relation, first) = self.name();
        RedoOp::Stored {
            relation,
            first,
            rows: self.rows.load(Ordering::Relaxed),
            heap_bytes: self.heap_bytes.load(Ordering::Relaxed),
        }
    }
}
