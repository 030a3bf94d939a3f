//! The end of a commit: what the transaction wrote gets the commit's number, and tables count their rows.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::Csn;

use crate::ahead::ends::Reason;
use crate::table::store::TableStore;
use crate::transaction::Transaction;
use crate::transaction::writes::Write;

/// So many writes are brought into the cache together.
const AT_ONCE: usize = 32;

impl Transaction {
    /// Dates what it wrote; row counts and dropped relations. All in one pass: many writes are in no cache any more.
    pub(super) fn settle(&mut self, csn: Csn) {
        let mut changed = 0;
        let mut inserted = Inserted::default();
        let mut writes = std::mem::take(&mut self.writes).into_iter();
        while !writes.as_slice().is_empty() {
            // Reads that wait for nothing bring what comes next into the cache side by side; the changes would one after the other.
            let ahead = writes.as_slice().iter().take(AT_ONCE);
            std::hint::black_box(ahead.fold(0, |all, write| all ^ write.touch()));
            for write in writes.by_ref().take(AT_ONCE) {
                changed += self.settle_one(&write, csn, &mut inserted);
            }
        }
        changed += inserted.end();
        if changed > 0 {
            self.storage
                .shared
                .changed_rows
                .fetch_add(changed, Ordering::Relaxed);
        }
    }

    /// One of them; how many changed rows are counted with it.
    fn settle_one(&self, write: &Write, csn: Csn, inserted: &mut Inserted) -> u64 {
        write.settle(csn);
        match write {
            Write::RowInsert { table, .. } => return inserted.count(table),
            Write::EntryInsert { .. } => return 0,
            Write::RelationDropped(id) => self.storage.relation_dropped(*id, csn),
            Write::RelationCreated(id) => self.storage.relation_committed(*id, csn),
            Write::Load(_) => self.storage.shared.loads.note_end(),
            Write::Deletion(one) if one.reason != Reason::Deleted => {
                self.storage.shared.deletions.note_work()
            }
            _ => {}
        }
        if let Some((table, delta)) = write.row_delta() {
            table.live_rows.fetch_add(delta, Ordering::Relaxed);
        }
        if let Some((table, rows)) = write.rows_in_flight() {
            table.rows_in_flight.fetch_sub(rows, Ordering::Relaxed);
        }
        let Some(table) = write.table() else { return 0 };
        let rows = table.activity.count(write);
        if table.is_catalog() { 0 } else { rows }
    }
}

/// Rows inserted one by one that are committed, counted together as long as they are of one table.
#[derive(Default)]
struct Inserted {
    table: Option<Arc<TableStore>>,
    rows: u32,
}

impl Inserted {
    /// One more; how many rows of another table that ended, for who counts changes.
    fn count(&mut self, table: &Arc<TableStore>) -> u64 {
        let same = |of: &Arc<TableStore>| Arc::ptr_eq(of, table);
        let ended = match self.table.as_ref().is_some_and(same) {
            true => 0,
            false => {
                let ended = self.end();
                self.table = Some(Arc::clone(table));
                ended
            }
        };
        self.rows += 1;
        ended
    }

    /// Tells the table of its rows; how many they are, none of a catalog.
    fn end(&mut self) -> u64 {
        let rows = std::mem::take(&mut self.rows);
        let Some(table) = self.table.take() else { return 0 };
        let signed = i64::from(rows);
        table.activity.inserted.fetch_add(signed, Ordering::Relaxed);
        table.live_rows.fetch_add(signed, Ordering::Relaxed);
        table.rows_in_flight.fetch_sub(signed, Ordering::Relaxed);
        if table.is_catalog() { 0 } else { u64::from(rows) }
    }
}
