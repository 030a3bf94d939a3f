//! Autovacuum: VACUUM and ANALYZE of tables that have changed much, by the database itself.
//!
//! PG: src/backend/postmaster/autovacuum.c (`relation_needs_vacanalyze`).
//!
//! # How it works
//! A background task looks every `autovacuum_naptime` whether rows have changed since it last looked. If so it opens a session of its own and
//! compares what has happened to each table with PostgreSQL's thresholds (settings, or storage parameters of the table). It takes no lock
//! that it would have to wait for, and gives way to whoever waits for one of its own. The task begins with the first [`ENOUGH`] rows that
//! change, or when a directory is opened whose tables may have changed before.
//!
//! VACUUM is needed for little here: dead versions go by themselves. It puts rows that lie singly in the store together.
//!
//! # Invariants
//! - The task's session holds no [`Lease`]: when the last one is gone the task is stopped, and only then the database closes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use access::{Activity, Asked, TableSize, Upkeep};
use catalog::CatalogView;
use catalog::names::quote_qualified;
use common::Oid;
use common::cancel::{CancelReason, CancelToken};
use common::env::{TaskHandle, TaskStatus};
use executor::RelationOpener;
use parking_lot::Mutex;

use crate::database::Inner;
use crate::error::Result;
use crate::params;
use crate::session::Session;

/// Rows that must have changed before the task begins: below it no threshold is reached, and a small database has no thread for this.
const ENOUGH: u64 = 50;

/// Tables that autovacuum looks after; partitioned ones have no rows, temporary ones are their sessions'.
const CANDIDATES: &str = "SELECT c.oid, n.nspname::text, c.relname::text, c.reltuples::float8, \
    coalesce(array_to_string(c.reloptions, E'\\n'), ''), pg_catalog.pg_get_userbyid(c.relowner)::text \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND c.oid >= 16384 ORDER BY c.oid";

/// The task, and what it is doing.
#[derive(Default)]
pub(crate) struct Autovacuum {
    begun: AtomicBool,
    /// Rows changed when it last looked; all ones: it has not.
    seen: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    task: Option<Arc<dyn TaskHandle>>,
    /// Of the session that is at work.
    cancel: Option<CancelToken>,
    stopped: bool,
}

/// What keeps a database open: handles and sessions have it, but not the autovacuum's own session.
pub(crate) struct Lease(pub Arc<Inner>);

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.autovacuum.stop();
    }
}

impl Autovacuum {
    /// Begins, unless it has or nothing shall run by itself.
    pub fn begin(&self, db: &Arc<Inner>) {
        if self.begun.swap(true, Ordering::AcqRel) || !db.storage.options().background {
            return;
        }
        self.seen.store(u64::MAX, Ordering::Release);
        let mut state = self.state.lock();
        if state.stopped {
            return;
        }
        let (weak, mut waited) = (Arc::downgrade(db), false);
        let mut pause = naptime(&commands::guc::GucStore::default());
        let run = move || {
            let Some(db) = weak.upgrade() else {
                return TaskStatus::Done;
            };
            // What fails is tried again after the next pause.
            if waited && let Ok(next) = look(&db) {
                pause = next.unwrap_or(pause);
            }
            waited = true;
            TaskStatus::SleepFor(pause)
        };
        // Without a thread the next process that opens the database has one.
        state.task = db.env.spawn_task("pglite-autovacuum", Box::new(run)).ok();
    }

    /// Begins once enough rows have changed; called after each commit.
    #[inline]
    pub fn after_commit(&self, db: &Arc<Inner>) {
        if !self.begun.load(Ordering::Relaxed) && db.storage.changed_rows() >= ENOUGH {
            self.begin(db);
        }
    }

    /// Ends the task and waits until it has ended.
    fn stop(&self) {
        let mut state = self.state.lock();
        state.stopped = true;
        if let Some(cancel) = &state.cancel {
            cancel.cancel(CancelReason::Shutdown);
        }
        let task = state.task.take();
        drop(state);
        if let Some(task) = task {
            task.stop();
        }
    }

    fn is_stopped(&self) -> bool {
        self.state.lock().stopped
    }

    /// Notes the session that is at work; false if there shall be none any more.
    fn enter(&self, cancel: Option<CancelToken>) -> bool {
        let mut state = self.state.lock();
        state.cancel = cancel;
        !state.stopped
    }
}

fn naptime(guc: &commands::guc::GucStore) -> Duration {
    Duration::from_secs(guc.get_number("autovacuum_naptime").max(1.0) as u64)
}

/// Looks after the tables if rows have changed since the last time. The pause that is set, if it looked.
fn look(db: &Arc<Inner>) -> Result<Option<Duration>> {
    let changed = db.storage.changed_rows();
    if db.autovacuum.seen.load(Ordering::Acquire) == changed {
        return Ok(None);
    }
    let mut session = Session::new(Arc::clone(db), None, "postgres")?;
    let pause = naptime(&session.core.guc.borrow());
    let wanted = session.core.guc.borrow().get_bool("autovacuum");
    if wanted && tend(&mut session)?.1 {
        db.autovacuum.seen.store(changed, Ordering::Release);
    }
    Ok(Some(pause))
}

/// VACUUM and ANALYZE of the tables that want it; how many statements that were, and whether all succeeded. The session is a superuser's.
pub(crate) fn tend(session: &mut Session) -> Result<(usize, bool)> {
    let db = Arc::clone(&session.core.db);
    let (mut count, mut whole) = (0, true);
    for due in due(session)? {
        match db.autovacuum.is_stopped() {
            true => return Ok((count, false)),
            // It gave way, or the table is gone: the others have their turn all the same.
            false => match due.run(&db) {
                Ok(()) => count += 1,
                Err(_) => whole = false,
            },
        }
    }
    Ok((count, whole))
}

/// A statement that is due.
struct Due {
    statement: String,
    owner: String,
}

impl Due {
    /// Runs it in a session of the table's owner: what expressions of indexes and statistics call is the owner's affair.
    fn run(&self, db: &Arc<Inner>) -> Result<()> {
        let mut session = Session::new(Arc::clone(db), None, &self.owner)?;
        let cancel = session.core.cancel.clone();
        session.core.asked.set(Asked::Automatic);
        session
            .core
            .proc
            .give_way(&cancel)
            .map_err(Box::<common::PgError>::from)?;
        let entered = db.autovacuum.enter(Some(cancel));
        let done = match entered {
            true => session.batch_execute(&self.statement),
            false => Ok(()),
        };
        db.autovacuum.enter(None);
        done
    }
}

fn due(session: &mut Session) -> Result<Vec<Due>> {
    let mut found = Vec::new();
    for row in session.query(CANDIDATES, params![])? {
        let (oid, schema, name): (u32, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (reltuples, options, owner): (f64, String, String) = (row.get(3)?, row.get(4)?, row.get(5)?);
        let Some((activity, size, known)) = session.table_activity(Oid(oid))? else {
            continue;
        };
        let limits = Limits::of(&options, &session.core.guc.borrow());
        let what = match limits.due(&activity, size, reltuples, known) {
            (true, true) => "VACUUM (SKIP_LOCKED, ANALYZE)",
            (true, false) => "VACUUM (SKIP_LOCKED)",
            (false, true) => "ANALYZE (SKIP_LOCKED)",
            (false, false) => continue,
        };
        let statement = format!("{what} {}", quote_qualified(Some(&schema), &name));
        found.push(Due { statement, owner });
    }
    Ok(found)
}

impl Session {
    /// What has happened to a table, its size, and whether it was analyzed since the database was opened.
    fn table_activity(&mut self, oid: Oid) -> Result<Option<(Activity, TableSize, bool)>> {
        self.ensure_transaction()?;
        let view = self.current_view()?;
        let found = match view.relation(oid)? {
            Some(desc) => {
                let table = self.core.db.relations.table(&desc)?;
                let analyzed = |asked| table.upkeep(Upkeep::Analyze, asked).count > 0;
                let known = analyzed(Asked::ByHand) || analyzed(Asked::Automatic);
                Some((table.activity(), table.size(), known))
            }
            None => None,
        };
        drop(view);
        self.rollback_block();
        Ok(found)
    }
}

/// When a table wants something.
#[derive(Clone, Copy, Debug)]
struct Limits {
    enabled: bool,
    /// Base and share of the rows.
    analyze: (f64, f64),
    vacuum: (f64, f64),
    vacuum_max: f64,
    /// A base below 0: never.
    insert: (f64, f64),
}

impl Limits {
    fn of(options: &str, guc: &commands::guc::GucStore) -> Limits {
        let option = |name: &str| {
            options
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
        };
        let number = |name: &str| {
            let own = option(name).and_then(|text| text.parse().ok());
            own.unwrap_or_else(|| guc.get_number(name))
        };
        Limits {
            enabled: option("autovacuum_enabled")
                .is_none_or(|text| matches!(text, "true" | "on" | "yes" | "1")),
            analyze: (
                number("autovacuum_analyze_threshold"),
                number("autovacuum_analyze_scale_factor"),
            ),
            vacuum: (
                number("autovacuum_vacuum_threshold"),
                number("autovacuum_vacuum_scale_factor"),
            ),
            vacuum_max: number("autovacuum_vacuum_max_threshold"),
            insert: (
                number("autovacuum_vacuum_insert_threshold"),
                number("autovacuum_vacuum_insert_scale_factor"),
            ),
        }
    }

    /// Whether VACUUM and ANALYZE are due. What changed before the database was opened shows in its rows beside `reltuples`; that counts until
    /// the table is `known`, which means analyzed since.
    fn due(&self, activity: &Activity, size: TableSize, reltuples: f64, known: bool) -> (bool, bool) {
        if !self.enabled {
            return (false, false);
        }
        let rows = reltuples.max(0.0);
        let limit = |(base, share): (f64, f64)| base + share * rows;
        let mut vacuum = limit(self.vacuum);
        if self.vacuum_max >= 0.0 {
            vacuum = vacuum.min(self.vacuum_max);
        }
        let unseen = if known {
            0.0
        } else {
            (size.rows as f64 - rows).abs()
        };
        let changed = (activity.since_analyze as f64).max(unseen);
        let inserted = self.insert.0 >= 0.0 && activity.inserted_since_vacuum as f64 > limit(self.insert);
        (
            inserted || activity.ended_since_vacuum as f64 > vacuum,
            changed > limit(self.analyze),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(options: &str, activity: Activity, rows: u64, reltuples: f64, known: bool) -> (bool, bool) {
        let limits = Limits::of(options, &commands::guc::GucStore::default());
        let size = TableSize { rows, pages: 1 };
        limits.due(&activity, size, reltuples, known)
    }

    #[test]
    fn thresholds_are_postgresqls() {
        let changed = |ended: u64| Activity {
            updated: ended,
            since_analyze: ended,
            ended_since_vacuum: ended,
            ..Activity::default()
        };
        // 50 and a tenth of the rows, 50 and a fifth.
        assert_eq!(due("", changed(150), 1000, 1000.0, true), (false, false));
        assert_eq!(due("", changed(151), 1000, 1000.0, true), (false, true));
        assert_eq!(due("", changed(250), 1000, 1000.0, true), (false, true));
        assert_eq!(due("", changed(251), 1000, 1000.0, true), (true, true));
        assert_eq!(
            due("autovacuum_enabled=false", changed(999), 1000, 1000.0, true),
            (false, false)
        );
        let own = "fillfactor=70\nautovacuum_analyze_threshold=5\nautovacuum_analyze_scale_factor=0";
        assert_eq!(due(own, changed(6), 1000, 1000.0, true), (false, true));
        assert_eq!(
            due(
                "autovacuum_vacuum_max_threshold=10",
                changed(11),
                1000,
                1000.0,
                true
            ),
            (true, false)
        );
    }

    #[test]
    fn what_changed_before_the_database_was_opened_counts() {
        let quiet = Activity::default();
        assert_eq!(due("", quiet, 1000, -1.0, false), (false, true));
        assert_eq!(due("", quiet, 1000, 990.0, false), (false, false));
        assert_eq!(due("", quiet, 1000, -1.0, true), (false, false));
    }
}
