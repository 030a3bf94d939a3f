//! Rows inserted one by one that go ahead of their commit: who sees them when, savepoints and snapshots between them, rollbacks, crashes, copies.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ::common::RowId;
use ::common::env::sim::{CrashMode, SimEnv};
use common::*;
use pglite_access::*;
use txn::RowLockMode;

const TABLE: u64 = 20000;
const BY_ID: u64 = 20001;
const BY_VALUE: u64 = 20002;
const ROWS: i32 = 6000;
/// Rows that wait in memory.
const WAITING: usize = 300;
/// Bytes of delta and log that only rows inserted the usual way could fill.
const LITTLE: usize = 600_000;

type State = BTreeMap<i32, i32>;

struct Db {
    session: Session,
    table: Table,
    by_id: Index,
    by_value: Index,
}

impl Db {
    fn over(storage: &Arc<Storage>) -> Db {
        let mut by_value = IndexDef::clone(&index_def(BY_VALUE));
        by_value.unique = false;
        Db {
            session: Session::new(storage, 1),
            table: storage.table(&table_def(TABLE)).unwrap(),
            by_id: storage.index(&index_def(BY_ID)).unwrap(),
            by_value: storage.index(&Arc::new(by_value)).unwrap(),
        }
    }

    fn open(env: &SimEnv, dir: &str) -> Db {
        let mut options = StorageOptions::in_dir(Arc::new(env.clone()), Path::new(dir));
        options.background = false;
        (options.ahead_after_rows, options.ahead_rows_min) = (100, 10);
        options.ahead_singles = WAITING;
        options.ahead_entry_bytes = 50_000;
        options.cache_bytes_max = 100 << 10;
        options.spill_bytes = 10_000;
        let db = Db::over(&Storage::open(options).unwrap());
        // More than a page, of which nothing is left: rows stay where they are when they are updated.
        let mut txn = db.session.begin();
        let long = vec![int(0), int(0), types::Datum::text("x".repeat(1500))];
        for _ in 0..6 {
            db.table.insert(&mut txn, &long).unwrap();
        }
        txn.abort();
        db
    }

    /// Inserts a row by a command of its own.
    fn insert(&self, txn: &mut Transaction, state: &mut State, id: i32) {
        txn.next_command().unwrap();
        // Neither ascending nor alike.
        let v = id * 7919 % 1009;
        let at = self.table.insert(txn, &row(id, v)).unwrap();
        let added = self.by_id.insert(txn, &[int(id)], &[], at, UniqueCheck::Yes);
        assert_eq!(added.unwrap(), Ok(()));
        let added = self.by_value.insert(txn, &[int(v)], &[], at, UniqueCheck::No);
        assert_eq!(added.unwrap(), Ok(()));
        state.insert(id, v);
    }

    fn update(&self, txn: &mut Transaction, state: &mut State, id: i32, v: i32) {
        txn.next_command().unwrap();
        let snapshot = txn.snapshot().unwrap();
        let (at, old) = find(&self.table, &self.by_id, &snapshot, id).unwrap();
        let mode = RowLockMode::NoKeyUpdate;
        let outcome = self.table.update(txn, &snapshot, at, &row(id, v), mode).unwrap();
        assert_eq!(outcome, WriteOutcome::Done(at));
        assert!(self.by_value.delete(txn, &old[1..2], at).unwrap());
        let added = self.by_value.insert(txn, &[int(v)], &[], at, UniqueCheck::No);
        assert_eq!(added.unwrap(), Ok(()));
        state.insert(id, v);
    }

    fn delete(&self, txn: &mut Transaction, state: &mut State, id: i32) {
        txn.next_command().unwrap();
        let snapshot = txn.snapshot().unwrap();
        let (at, old) = find(&self.table, &self.by_id, &snapshot, id).unwrap();
        assert_eq!(
            self.table.delete(txn, &snapshot, at).unwrap(),
            WriteOutcome::Done(at)
        );
        assert!(self.by_id.delete(txn, &old[..1], at).unwrap());
        assert!(self.by_value.delete(txn, &old[1..2], at).unwrap());
        state.remove(&id);
    }

    fn state_for(&self, snapshot: &ActiveSnapshot) -> State {
        let all = rows(&self.table, snapshot);
        let keys = |key: fn(&(u64, i32, i32)) -> (i32, u64)| {
            let mut keys: Vec<_> = all.iter().map(key).collect();
            keys.sort_unstable();
            keys
        };
        assert!(
            entries(&self.by_id, snapshot) == keys(|row| (row.1, row.0)),
            "index by id"
        );
        assert!(
            entries(&self.by_value, snapshot) == keys(|row| (row.2, row.0)),
            "index by value"
        );
        for (at, id, _) in all.iter().step_by(97) {
            let (found, _) = find(&self.table, &self.by_id, snapshot, *id).unwrap();
            assert_eq!(found, RowId(*at));
        }
        let state: State = all.iter().map(|row| (row.1, row.2)).collect();
        assert_eq!(state.len(), all.len(), "a row twice");
        state
    }

    fn state(&self) -> State {
        let mut txn = self.session.begin();
        let snapshot = txn.snapshot().unwrap();
        self.state_for(&snapshot)
    }

    /// What the transaction sees now.
    fn own_state(&self, txn: &mut Transaction) -> State {
        txn.next_command().unwrap();
        let snapshot = txn.snapshot().unwrap();
        self.state_for(&snapshot)
    }

    fn storage(&self) -> &Arc<Storage> {
        &self.session.storage
    }

    fn memory(&self) -> usize {
        self.storage().memory_bytes().0
    }

    fn maintain(&self, times: usize) {
        (0..times).for_each(|_| self.storage().maintain().unwrap());
    }

    /// Its state is this, whatever maintenance does, and also after a crash.
    fn holds(self, env: &SimEnv, state: &State) {
        for _ in 0..4 {
            assert!(self.state() == *state);
            self.maintain(1);
        }
        assert!(self.memory() < 1000, "{}", self.memory());
        drop(self);
        let db = Db::open(&env.crash_with(CrashMode::KeepUnsynced), "/db");
        assert!(db.state() == *state);
    }
}

#[test]
fn they_go_and_are_seen_from_the_commit_on() {
    for commits in [true, false] {
        let env = SimEnv::new(1);
        let db = Db::open(&env, "/db");
        let mut state = State::new();
        db.session
            .run(|txn| (0..50).for_each(|id| db.insert(txn, &mut state, -id - 1)));
        let before = state.clone();
        let other = Session::new(db.storage(), 2);
        let mut old = other.begin_rr();
        let snapshot = old.snapshot().unwrap();
        let log = db.storage().manager().wal().insert_lsn().0;
        let mut txn = db.session.begin();
        for id in 0..ROWS {
            db.insert(&mut txn, &mut state, id);
            assert!(db.memory() < LITTLE, "{} after {id}", db.memory());
            if id % 1500 == 0 {
                assert!(db.own_state(&mut txn) == state, "{id}");
                assert!(db.state_for(&snapshot) == before);
                db.maintain(1);
            }
        }
        let written = db.storage().manager().wal().insert_lsn().0 - log;
        assert!(written < 50_000, "{written} bytes of log");
        assert!(db.own_state(&mut txn) == state);
        // What it has in the store it finds by its keys, and changes.
        let added = db
            .by_id
            .insert(&mut txn, &[int(3000)], &[], RowId(1), UniqueCheck::Yes);
        assert!(added.unwrap().is_err());
        db.update(&mut txn, &mut state, 3000, 5);
        db.delete(&mut txn, &mut state, 3001);
        assert!(db.own_state(&mut txn) == state);
        match commits {
            true => drop(txn.commit().unwrap()),
            false => txn.abort(),
        }
        assert!(db.state_for(&snapshot) == before);
        drop(snapshot);
        old.abort();
        db.holds(&env, if commits { &state } else { &before });
    }
}

#[test]
fn a_crash_after_the_commit_loses_nothing() {
    for (seed, rows) in [(2, ROWS), (3, 130), (4, 900), (5, 701)] {
        let env = SimEnv::new(seed);
        let db = Db::open(&env, "/db");
        let mut state = State::new();
        db.session.run(|txn| {
            for id in 0..rows {
                db.insert(txn, &mut state, id);
                if id % 50 == 49 {
                    db.update(txn, &mut state, id - 3, id);
                    db.delete(txn, &mut state, id - 40);
                }
            }
        });
        // Another is on its way.
        let mut txn = db.session.begin();
        let mut lost = State::new();
        (0..2500).for_each(|id| db.insert(&mut txn, &mut lost, ROWS + id));
        std::mem::forget(txn);
        let crashed = env.crash_with(CrashMode::LoseUnsynced);
        std::mem::forget(db);
        Db::open(&crashed, "/db").holds(&crashed, &state);
    }
}

#[test]
fn snapshots_between_the_commands_see_what_was_then() {
    // Four chunks; two snapshots are closed on the way.
    const SOME: i32 = 4200;
    let env = SimEnv::new(6);
    let db = Db::open(&env, "/db");
    for isolation in [Isolation::ReadCommitted, Isolation::RepeatableRead] {
        let base = if isolation == Isolation::ReadCommitted {
            0
        } else {
            2 * SOME
        };
        let mut state = db.state();
        let mut txn = db.session.begin();
        txn.options_mut().isolation = isolation;
        let mut open: Vec<(ActiveSnapshot, State)> = Vec::new();
        for id in base..base + SOME {
            db.insert(&mut txn, &mut state, id);
            if id % 700 == 650 {
                txn.next_command().unwrap();
                open.push((txn.snapshot().unwrap(), state.clone()));
            }
            if id % 900 == 0 {
                open.iter()
                    .for_each(|(snapshot, seen)| assert!(db.state_for(snapshot) == *seen));
            }
            if id % 2000 == 1900 {
                open.remove(0);
            }
        }
        open.iter()
            .for_each(|(snapshot, seen)| assert!(db.state_for(snapshot) == *seen));
        // Only what they lie between has waited.
        assert!(db.memory() < 10 * LITTLE, "{}", db.memory());
        open.clear();
        assert!(db.own_state(&mut txn) == state);
        txn.commit().unwrap();
        assert!(db.state() == state);
    }
}

#[test]
fn savepoints_that_are_released_are_no_obstacle() {
    let env = SimEnv::new(7);
    let db = Db::open(&env, "/db");
    let mut state = State::new();
    let mut txn = db.session.begin();
    (0..200).for_each(|id| db.insert(&mut txn, &mut state, id));
    let outer = txn.savepoint().unwrap();
    let kept = state.clone();
    for round in 0..3 {
        for id in 200..3000 {
            let savepoint = txn.savepoint().unwrap();
            db.insert(&mut txn, &mut state, id);
            if id % 3 == round {
                txn.rollback_to(&savepoint).unwrap();
                db.insert(&mut txn, &mut state, id);
            }
            if id % 11 == 0 {
                db.delete(&mut txn, &mut state, id);
            }
            assert!(db.memory() < LITTLE, "{} after {id}", db.memory());
        }
        assert!(db.own_state(&mut txn) == state);
        if round < 2 {
            txn.rollback_to(&outer).unwrap();
            state.clone_from(&kept);
            db.maintain(round as usize);
            assert!(db.own_state(&mut txn) == state);
        }
    }
    txn.commit().unwrap();
    db.holds(&env, &state);
}

#[test]
fn what_a_savepoint_keeps_stays_and_the_rest_goes() {
    let env = SimEnv::new(8);
    let db = Db::open(&env, "/db");
    let mut state = State::new();
    let mut txn = db.session.begin();
    let mut points = Vec::new();
    for id in 0..ROWS {
        if id % 777 == 500 {
            points.push((txn.savepoint().unwrap(), state.clone()));
        }
        db.insert(&mut txn, &mut state, id);
        if id % 1999 == 1900 {
            // To the one before the last, which goes.
            points.pop();
            let (point, then) = points.last().unwrap();
            txn.rollback_to(point).unwrap();
            state.clone_from(then);
        }
    }
    assert!(db.own_state(&mut txn) == state);
    txn.commit().unwrap();
    db.holds(&env, &state);
}

#[test]
fn prepared_transactions_and_copies_have_them() {
    for commits in [true, false] {
        let env = SimEnv::new(9);
        let db = Db::open(&env, "/db");
        let mut state = State::new();
        let mut txn = db.session.begin();
        (0..2000).for_each(|id| db.insert(&mut txn, &mut state, id));
        db.update(&mut txn, &mut state, 1999, 3);
        db.delete(&mut txn, &mut state, 1998);
        let prepared = txn.prepare(prepared_info("singles")).unwrap();
        let end = |prepared: PreparedTransaction| match commits {
            true => assert!(prepared.commit().is_ok()),
            false => prepared.rollback().unwrap(),
        };
        let fork = copied_with(db.storage(), &prepared);
        std::mem::forget((prepared, db));
        let env = env.crash_with(CrashMode::KeepUnsynced);
        let left = if commits { state } else { State::new() };
        for copy in [Db::over(&fork), Db::open(&env, "/copy"), Db::open(&env, "/db")] {
            copy.maintain(1);
            assert!(copy.state().is_empty());
            end(resumed(copy.storage()));
            for _ in 0..4 {
                assert!(copy.state() == left);
                copy.maintain(1);
            }
        }
    }
}
