//! Loads whose rows a second thread brings into the store: who sees them when, rollbacks, failing disks.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ::common::env::sim::{CrashMode, IoKind, SimEnv};
use ::common::env::{Env, FileSystem, Notify, TaskHandle, TaskStatus};
use ::common::{PgResult, RowId};
use common::*;
use pglite_access::*;
use types::Datum;

const TABLE: u64 = 20000;
const INDEX: u64 = 20001;
const CHUNK: i32 = 1024;

/// The simulator's disk, and real threads.
struct Threads {
    sim: SimEnv,
    running: Arc<AtomicUsize>,
    started: AtomicUsize,
}

impl Env for Threads {
    fn now_unix_micros(&self) -> i64 {
        self.sim.now_unix_micros()
    }

    fn monotonic(&self) -> Duration {
        self.sim.monotonic()
    }

    fn fill_random(&self, buf: &mut [u8]) {
        self.sim.fill_random(buf);
    }

    fn fs(&self) -> &dyn FileSystem {
        self.sim.fs()
    }

    fn spawn_task(
        &self,
        name: &str,
        task: Box<dyn FnMut() -> TaskStatus + Send>,
    ) -> std::io::Result<Arc<dyn TaskHandle>> {
        self.sim.spawn_task(name, task)
    }

    fn spawn_worker(&self, _limit: usize, job: Box<dyn FnOnce() + Send>) -> bool {
        self.started.fetch_add(1, Ordering::SeqCst);
        self.running.fetch_add(1, Ordering::SeqCst);
        let running = Arc::clone(&self.running);
        std::thread::spawn(move || {
            job();
            running.fetch_sub(1, Ordering::SeqCst);
        });
        true
    }

    fn wait(&self, notify: &Notify, timeout: Option<Duration>) -> bool {
        self.sim.wait(notify, timeout)
    }

    fn sleep(&self, duration: Duration) {
        self.sim.sleep(duration);
    }

    fn process_id(&self) -> u32 {
        self.sim.process_id()
    }
}

struct Db {
    session: Session,
    table: Table,
    index: Index,
    env: Arc<Threads>,
}

impl Db {
    fn open(sim: &SimEnv) -> PgResult<Db> {
        let env = Arc::new(Threads {
            sim: sim.clone(),
            running: Arc::default(),
            started: AtomicUsize::new(0),
        });
        let mut options = StorageOptions::in_dir(Arc::clone(&env) as Arc<dyn Env>, Path::new("/db"));
        options.background = false;
        (options.ahead_after_rows, options.ahead_rows_min) = (0, 1);
        options.cache_bytes_max = 100 << 10;
        let storage = Storage::open(options)?;
        Ok(Db {
            session: Session::new(&storage, 1),
            table: storage.table(&table_def(TABLE))?,
            index: storage.index(&index_def(INDEX))?,
            env,
        })
    }

    /// Inserts so many chunks of rows by one command.
    fn insert(&self, txn: &mut Transaction, from: i32, chunks: i32) -> PgResult<()> {
        for start in (from..from + chunks * CHUNK).step_by(CHUNK as usize) {
            let ids = start..start + CHUNK;
            let all: Vec<Vec<Datum>> = ids.clone().map(|id| row(id, id % 7)).collect();
            let first = insert_by_columns(&self.table, txn, &all)?;
            let mut run = EntryRun::default();
            for (id, row) in ids.zip(first.0..) {
                run.push(&self.index, &[int(id)], &[], RowId(row));
            }
            assert!(self.index.insert_run(txn, run)?);
        }
        Ok(())
    }

    /// The ids that are seen, in the table and in the index.
    fn seen(&self, txn: &mut Transaction) -> PgResult<Vec<i32>> {
        let snapshot = txn.snapshot()?;
        let mut ids: Vec<i32> = try_rows(&self.table, &snapshot)?
            .iter()
            .map(|row| row.1)
            .collect();
        ids.sort_unstable();
        let by_key: Vec<i32> = entries(&self.index, &snapshot)
            .iter()
            .map(|entry| entry.0)
            .collect();
        assert!(ids == by_key, "{} rows, {} entries", ids.len(), by_key.len());
        Ok(ids)
    }

    fn all(&self) -> Vec<i32> {
        self.seen(&mut self.session.begin()).unwrap()
    }
}

fn ids(chunks: i32) -> Vec<i32> {
    (0..chunks * CHUNK).collect()
}

#[test]
fn rows_are_there_for_the_next_command() {
    let sim = SimEnv::new(1);
    let db = Db::open(&sim).unwrap();
    let mut txn = db.session.begin();
    for round in 0..4 {
        db.insert(&mut txn, round * 5 * CHUNK, 5).unwrap();
        assert_eq!(db.env.started.load(Ordering::SeqCst), round as usize + 1);
        txn.next_command().unwrap();
        assert!(db.seen(&mut txn).unwrap() == ids((round + 1) * 5));
    }
    // What a savepoint keeps, and what comes after it.
    let savepoint = txn.savepoint().unwrap();
    for _ in 0..3 {
        db.insert(&mut txn, 20 * CHUNK, 6).unwrap();
        txn.rollback_to(&savepoint).unwrap();
        assert!(db.seen(&mut txn).unwrap() == ids(20));
    }
    db.insert(&mut txn, 20 * CHUNK, 6).unwrap();
    txn.commit().unwrap();
    let mut undone = db.session.begin();
    db.insert(&mut undone, 26 * CHUNK, 9).unwrap();
    undone.abort();
    for _ in 0..3 {
        assert!(db.all() == ids(26));
        db.session.storage.maintain().unwrap();
    }
    // Nobody is left who could write.
    while db.env.running.load(Ordering::SeqCst) > 0 {
        std::thread::yield_now();
    }
    drop(db);
    let db = Db::open(&sim.crash_with(CrashMode::LoseUnsynced)).unwrap();
    assert!(db.all() == ids(26));
}

/// Whatever fails, wherever: all rows are there or none, and the next attempt succeeds.
#[test]
fn failing_disks_undo_all_of_it() {
    let mut failed = 0;
    for nth in 1..24 {
        let sim = SimEnv::new(nth);
        let db = Db::open(&sim).unwrap();
        db.session.run(|txn| db.insert(txn, 0, 2).unwrap());
        let kind = if nth % 4 == 0 { IoKind::Sync } else { IoKind::Write };
        sim.fail(
            kind,
            if kind == IoKind::Sync { 1 + nth / 4 } else { nth },
            ErrorKind::StorageFull,
        );
        let mut txn = db.session.begin();
        let outcome = db.insert(&mut txn, 2 * CHUNK, 24);
        let outcome = outcome.and_then(|()| txn.next_command());
        let outcome = match outcome {
            Ok(()) => txn.commit().map(drop),
            Err(error) => {
                txn.abort();
                Err(error)
            }
        };
        let db = match &outcome {
            // The store does not trust its file any more.
            Err(error) if error.message.contains("after a failed fsync") => {
                drop(db);
                Db::open(&sim).or_else(|_| Db::open(&sim)).unwrap()
            }
            _ => db,
        };
        let there = db.all();
        let fits = match &outcome {
            Ok(()) => there == ids(26),
            Err(error) => {
                let state = error.sqlstate.as_str();
                assert!(["53100", "58030"].contains(&state), "{nth}: {error} ({state})");
                failed += 1;
                there == ids(2)
            }
        };
        assert!(fits, "{nth}: {outcome:?}, {} rows", there.len());
        if outcome.is_err() {
            db.session.run(|txn| db.insert(txn, 2 * CHUNK, 24).unwrap());
        }
        drop(db);
        let db = Db::open(&sim.crash_with(CrashMode::LoseUnsynced)).unwrap();
        assert!(db.all() == ids(26), "{nth}");
    }
    assert!(failed > 6, "{failed}");
}
