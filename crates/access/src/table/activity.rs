//! What has happened to a table since the database was opened: for `pg_stat_all_tables`, and for telling when it wants VACUUM or ANALYZE.
//!
//! PG: src/backend/utils/activity/pgstat_relation.c.
//!
//! # Not here
//! The counters begin anew whenever the database is opened. What changed before shows in the number of rows there are, beside the number
//! that the last ANALYZE recorded.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::ahead::ends::Reason;
use crate::table::Table;
use crate::transaction::writes::Write;

/// What keeps a table in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upkeep {
    /// VACUUM.
    Vacuum,
    /// ANALYZE.
    Analyze,
}

/// Who asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A statement.
    ByHand,
    /// The database itself.
    Automatic,
}

/// How often something was done, and when it was last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// How often.
    pub count: u64,
    /// Wall clock, microseconds since 1970; 0: never.
    pub last_unix_micros: i64,
    /// Microseconds that all of them took.
    pub spent_micros: u64,
}

/// Rows changed by committed transactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Rows inserted.
    pub inserted: u64,
    /// Rows updated.
    pub updated: u64,
    /// Rows deleted.
    pub deleted: u64,
    /// Of all these, those since the last ANALYZE.
    pub since_analyze: u64,
    /// Rows inserted since the last VACUUM.
    pub inserted_since_vacuum: u64,
    /// Rows updated or deleted since then.
    pub ended_since_vacuum: u64,
}

impl Activity {
    fn changed(&self) -> u64 {
        self.inserted + self.updated + self.deleted
    }
}

/// The counters of one relation.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Signed: the two halves of an update that moves its row may be counted in either order.
    pub(crate) inserted: AtomicI64,
    updated: AtomicU64,
    deleted: AtomicU64,
    /// All changes when it was last analyzed.
    at_analyze: AtomicU64,
    /// Insertions, and other changes, when it was last vacuumed.
    at_vacuum: (AtomicU64, AtomicU64),
    upkeep: [DoneCounters; 4],
}

#[derive(Debug, Default)]
struct DoneCounters {
    count: AtomicU64,
    last_unix_micros: AtomicI64,
    spent_micros: AtomicU64,
}

fn slot(what: Upkeep, asked: Asked) -> usize {
    usize::from(what == Upkeep::Analyze) * 2 + usize::from(asked == Asked::Automatic)
}

impl Counters {
    /// Counts a change that is committed; how many rows it changed.
    pub(crate) fn count(&self, write: &Write) -> u64 {
        let add = |counter: &AtomicU64, rows: u64| counter.fetch_add(rows, Ordering::Relaxed);
        match write {
            Write::RowUpdate { .. } => add(&self.updated, 1),
            // The other half of an update that moved the row is counted as an insertion.
            Write::RowDelete { version, .. } if version.forward().is_some() => {
                self.inserted.fetch_sub(1, Ordering::Relaxed);
                add(&self.updated, 1)
            }
            Write::RowDelete { .. } => add(&self.deleted, 1),
            Write::Deletion(deletion) => {
                let rows = deletion.rows.load(Ordering::Relaxed);
                match deletion.reason {
                    Reason::Deleted => add(&self.deleted, rows),
                    Reason::Updated(_) => add(&self.updated, rows),
                    Reason::Moved(_) => {
                        self.inserted.fetch_sub(rows as i64, Ordering::Relaxed);
                        add(&self.updated, rows);
                        // The other half counts.
                        return 0;
                    }
                };
                return rows;
            }
            _ => match write.row_delta() {
                Some((_, rows)) => {
                    self.inserted.fetch_add(rows, Ordering::Relaxed);
                    return rows.max(0) as u64;
                }
                None => return 0,
            },
        };
        1
    }

    fn activity(&self) -> Activity {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut now = Activity {
            inserted: self.inserted.load(Ordering::Relaxed).max(0) as u64,
            updated: load(&self.updated),
            deleted: load(&self.deleted),
            ..Activity::default()
        };
        now.since_analyze = now.changed().saturating_sub(load(&self.at_analyze));
        now.inserted_since_vacuum = now.inserted.saturating_sub(load(&self.at_vacuum.0));
        now.ended_since_vacuum = (now.updated + now.deleted).saturating_sub(load(&self.at_vacuum.1));
        now
    }
}

impl Table {
    /// What has happened since the database was opened.
    pub fn activity(&self) -> Activity {
        self.store.activity.activity()
    }

    /// Takes note of a VACUUM or ANALYZE that has ended now (microseconds since 1970), after so many microseconds.
    pub fn note_upkeep(&self, what: Upkeep, asked: Asked, now_unix_micros: i64, spent_micros: u64) {
        let (counters, now) = (&self.store.activity, self.activity());
        match what {
            Upkeep::Analyze => counters.at_analyze.store(now.changed(), Ordering::Relaxed),
            Upkeep::Vacuum => {
                counters.at_vacuum.0.store(now.inserted, Ordering::Relaxed);
                counters
                    .at_vacuum
                    .1
                    .store(now.updated + now.deleted, Ordering::Relaxed);
            }
        }
        if let Some(done) = counters.upkeep.get(slot(what, asked)) {
            done.count.fetch_add(1, Ordering::Relaxed);
            done.last_unix_micros.store(now_unix_micros, Ordering::Relaxed);
            done.spent_micros.fetch_add(spent_micros, Ordering::Relaxed);
        }
    }

    /// How often that was done since the database was opened.
    pub fn upkeep(&self, what: Upkeep, asked: Asked) -> Done {
        let done = self.store.activity.upkeep.get(slot(what, asked));
        done.map_or_else(Done::default, |done| Done {
            count: done.count.load(Ordering::Relaxed),
            last_unix_micros: done.last_unix_micros.load(Ordering::Relaxed),
            spent_micros: done.spent_micros.load(Ordering::Relaxed),
        })
    }
}
