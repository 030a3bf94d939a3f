//! Rows deleted by marks: who sees them when, what stands in whose way, what is left after rollbacks, crashes, in copies.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::Arc;

use ::common::env::sim::{CrashMode, SimEnv};
use ::common::{Oid, RowId};
use common::*;
use pglite_access::*;
use txn::RowLockMode;
use types::Datum;

const TABLE: u64 = 20000;
const BY_ID: u64 = 20001;
const BY_VALUE: u64 = 20002;
const ROWS: i32 = 5000;

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
        Db::over(&marking(env, dir))
    }

    /// With `ROWS` rows of ids and values, all in the store and nothing in delta.
    fn filled(env: &SimEnv) -> Db {
        let db = Db::open(env, "/db");
        db.session.run(|txn| db.insert(txn, 0..ROWS));
        db.storage().maintain().unwrap();
        db.storage().maintain().unwrap();
        db
    }

    fn insert(&self, txn: &mut Transaction, ids: std::ops::Range<i32>) {
        let ids: Vec<i32> = ids.collect();
        for ids in ids.chunks(1000) {
            let all: Vec<Vec<Datum>> = ids.iter().map(|id| row(*id, value_of(*id))).collect();
            let first = insert_by_columns(&self.table, txn, &all).unwrap();
            let (mut by_id, mut by_value) = (EntryRun::default(), EntryRun::default());
            for (id, at) in ids.iter().zip(first.0..) {
                by_id.push(&self.by_id, &[int(*id)], &[], RowId(at));
                by_value.push(&self.by_value, &[int(value_of(*id))], &[], RowId(at));
            }
            assert!(self.by_id.insert_run(txn, by_id).unwrap());
            assert!(self.by_value.insert_run(txn, by_value).unwrap());
        }
    }

    /// Deletes the rows with these ids by one command.
    fn delete(&self, txn: &mut Transaction, ids: impl Iterator<Item = i32>) {
        txn.next_command().unwrap();
        let snapshot = txn.snapshot().unwrap();
        for id in ids {
            let (at, values) = find(&self.table, &self.by_id, &snapshot, id).unwrap();
            assert_eq!(
                self.table.delete(txn, &snapshot, at).unwrap(),
                WriteOutcome::Done(at)
            );
            assert!(self.by_id.delete(txn, &values[..1], at).unwrap());
            assert!(self.by_value.delete(txn, &values[1..2], at).unwrap());
        }
    }

    /// The ids in the table, which must be those in the indexes, read both ways.
    fn ids_for(&self, snapshot: &ActiveSnapshot) -> Vec<i32> {
        let mut all = rows(&self.table, snapshot);
        all.sort_unstable_by_key(|row| row.1);
        let ids: Vec<i32> = all.iter().map(|row| row.1).collect();
        let by_key: Vec<(i32, u64)> = all.iter().map(|row| (row.1, row.0)).collect();
        assert!(entries(&self.by_id, snapshot) == by_key, "index by id");
        let mut by_value: Vec<(i32, u64)> = all.iter().map(|row| (row.2, row.0)).collect();
        by_value.sort_unstable();
        assert!(entries(&self.by_value, snapshot) == by_value, "index by value");
        let (mut keys, mut together) = (KeyList::default(), Vec::new());
        for id in (0..ROWS).step_by(7) {
            let found = find(&self.table, &self.by_id, snapshot, id).is_some();
            assert_eq!(found, ids.binary_search(&id).is_ok(), "id {id}");
            keys.push(&self.by_id, &[int(id)]);
        }
        self.by_id.lookup_many(snapshot, &keys, &mut together).unwrap();
        for (id, found) in (0..ROWS).step_by(7).zip(together) {
            assert_eq!(
                found.is_some(),
                ids.binary_search(&id).is_ok(),
                "id {id} among others"
            );
        }
        ids
    }

    fn ids(&self) -> Vec<i32> {
        let mut txn = self.session.begin();
        let snapshot = txn.snapshot().unwrap();
        self.ids_for(&snapshot)
    }

    fn storage(&self) -> &Arc<Storage> {
        &self.session.storage
    }

    fn delta_bytes(&self) -> usize {
        self.storage().memory_bytes().0
    }
}

fn value_of(id: i32) -> i32 {
    id * 31 % 97
}

fn odd() -> impl Iterator<Item = i32> {
    (0..ROWS).filter(|id| id % 2 == 1)
}

fn even() -> Vec<i32> {
    (0..ROWS).filter(|id| id % 2 == 0).collect()
}

fn all() -> Vec<i32> {
    (0..ROWS).collect()
}

#[test]
fn older_snapshots_see_them_over_checkpoints_and_merges() {
    let db = Db::filled(&SimEnv::new(1));
    let other = Session::new(db.storage(), 2);
    let mut old = other.begin_rr();
    let snapshot = old.snapshot().unwrap();
    let mut txn = db.session.begin();
    db.delete(&mut txn, odd());
    assert!(db.delta_bytes() < 10_000, "{}", db.delta_bytes());
    // The command itself does not see what it does.
    let own = txn.snapshot().unwrap();
    assert_eq!(db.ids_for(&own), all());
    drop(own);
    txn.next_command().unwrap();
    let own = txn.snapshot().unwrap();
    assert_eq!(db.ids_for(&own), even());
    assert_eq!(db.ids_for(&snapshot), all());
    drop(own);
    txn.commit().unwrap();
    for round in 0..4 {
        assert_eq!(db.ids_for(&snapshot), all(), "round {round}");
        assert_eq!(db.ids(), even(), "round {round}");
        match round {
            0 => db.storage().checkpoint().unwrap(),
            1 => db.storage().merge().unwrap(),
            _ => db.storage().maintain().unwrap(),
        }
    }
    drop(snapshot);
    old.abort();
    for _ in 0..2 {
        db.storage().maintain().unwrap();
        assert_eq!(db.ids(), even());
    }
    assert_eq!((db.table.size().rows, db.by_id.size().tuples), (2500, 2500));
    // Keys are free again.
    db.session.run(|txn| {
        for id in odd().take(50) {
            let at = db.table.insert(txn, &row(id, value_of(id))).unwrap();
            let added = db
                .by_id
                .insert(txn, &[int(id)], &[], at, UniqueCheck::Yes)
                .unwrap();
            assert_eq!(added, Ok(()));
            let value = [int(value_of(id))];
            let _ = db.by_value.insert(txn, &value, &[], at, UniqueCheck::No).unwrap();
        }
    });
    assert_eq!(db.ids().len(), 2550);
}

#[test]
fn rollbacks_take_them_back() {
    let db = Db::filled(&SimEnv::new(2));
    let mut txn = db.session.begin();
    db.delete(&mut txn, 0..100);
    let savepoint = txn.savepoint().unwrap();
    for _ in 0..2 {
        db.delete(&mut txn, 100..4000);
        db.storage().maintain().unwrap();
        txn.rollback_to(&savepoint).unwrap();
    }
    db.delete(&mut txn, 4500..4600);
    txn.commit().unwrap();
    let left: Vec<i32> = (100..4500).chain(4600..ROWS).collect();
    assert_eq!(db.ids(), left);
    let mut txn = db.session.begin();
    db.delete(&mut txn, 200..4400);
    txn.abort();
    for _ in 0..2 {
        assert_eq!(db.ids(), left);
        db.storage().maintain().unwrap();
    }
    let sizes = (db.table.size().rows, db.by_id.size().tuples);
    assert_eq!(sizes, (left.len() as u64, left.len() as u64));
}

#[test]
fn others_find_them_in_their_way() {
    let db = Db::filled(&SimEnv::new(3));
    let mut txn = db.session.begin();
    db.delete(&mut txn, 10..3000);
    let other = Session::new(db.storage(), 2);
    let mut second = other.begin();
    let mut third = Session::new(db.storage(), 3).begin_rr();
    let (snapshot, old) = (second.snapshot().unwrap(), third.snapshot().unwrap());
    let at = |id: i32| find(&db.table, &db.by_id, &snapshot, id).unwrap().0;
    let lock = |id: i32, txn: &mut Transaction, snapshot: &ActiveSnapshot| {
        db.table
            .lock_row(
                txn,
                snapshot,
                at(id),
                RowLockMode::KeyShare,
                WaitPolicy::DoNotWait,
            )
            .unwrap()
    };
    for id in [10, 999, 2999] {
        assert_eq!(lock(id, &mut second, &snapshot), LockOutcome::NotAvailable);
    }
    assert_eq!(lock(3000, &mut second, &snapshot), LockOutcome::Locked);
    // A key that is being given up may come back: a run does not take it.
    let mut run = EntryRun::default();
    run.push(&db.by_id, &[int(500)], &[], RowId(1 << 30));
    assert!(!db.by_id.insert_run(&mut second, run).unwrap());
    let system = db.table.system(at(1500), &snapshot, Oid(5)).unwrap().unwrap();
    assert_eq!(u64::from(system.xmax), txn.xid().unwrap().0);
    txn.commit().unwrap();
    let deleted = LockOutcome::Conflict(Conflict::Deleted);
    assert_eq!(lock(10, &mut second, &snapshot), deleted);
    assert_eq!(lock(2000, &mut second, &snapshot), deleted);
    let error = db.table.delete(&mut third, &old, at(2500)).unwrap_err();
    assert_eq!(error.sqlstate.as_str(), "40001");
    drop((snapshot, old));
    second.abort();
    third.abort();
    let left: Vec<i32> = (0..10).chain(3000..ROWS).collect();
    for _ in 0..3 {
        assert_eq!(db.ids(), left);
        db.storage().maintain().unwrap();
    }
}

#[test]
fn what_has_versions_goes_with_the_rest() {
    let db = Db::filled(&SimEnv::new(4));
    db.session.run(|txn| {
        let snapshot = txn.snapshot().unwrap();
        for id in (0..ROWS).step_by(10) {
            let (at, _) = find(&db.table, &db.by_id, &snapshot, id).unwrap();
            let values = row(id, value_of(id));
            let updated = db
                .table
                .update(txn, &snapshot, at, &values, RowLockMode::NoKeyUpdate);
            assert_eq!(updated.unwrap(), WriteOutcome::Done(at));
        }
    });
    let mut txn = db.session.begin();
    db.delete(&mut txn, 0..4000);
    // Rows of its own, and new ones in the same table.
    db.insert(&mut txn, 6000..6100);
    db.delete(&mut txn, 6000..6050);
    txn.commit().unwrap();
    let left: Vec<i32> = (4000..ROWS).chain(6050..6100).collect();
    for _ in 0..3 {
        assert_eq!(db.ids(), left);
        db.storage().maintain().unwrap();
    }
}

/// Rows of different tables have the same ids.
#[test]
fn indexes_of_other_tables_keep_their_entries() {
    let db = Db::filled(&SimEnv::new(9));
    let other = db.storage().table(&table_def(30000)).unwrap();
    let mut def = IndexDef::clone(&index_def(30001));
    for table in [Some(::common::RelationId(30000)), None] {
        def.table = table;
        let index = db.storage().index(&Arc::new(def.clone())).unwrap();
        let ids: Vec<i32> = match table {
            Some(_) => (0..2000).collect(),
            None => (2000..4000).collect(),
        };
        db.session.run(|txn| {
            let all: Vec<_> = ids.iter().map(|id| row(*id, 0)).collect();
            let first = insert_by_columns(&other, txn, &all).unwrap();
            let mut run = EntryRun::default();
            for (id, at) in ids.iter().zip(first.0..) {
                run.push(&index, &[int(*id)], &[], RowId(at));
            }
            assert!(index.insert_run(txn, run).unwrap());
        });
        db.storage().maintain().unwrap();
        let mut txn = db.session.begin();
        let from = if table.is_some() { 0 } else { 2500 };
        db.delete(&mut txn, from..from + 2000);
        txn.next_command().unwrap();
        let snapshot = txn.snapshot().unwrap();
        let (at, _) = find(&other, &index, &snapshot, ids[1500]).unwrap();
        assert_eq!(
            other.delete(&mut txn, &snapshot, at).unwrap(),
            WriteOutcome::Done(at)
        );
        assert!(index.delete(&mut txn, &[int(ids[1500])], at).unwrap());
        drop(snapshot);
        txn.commit().unwrap();
        for _ in 0..3 {
            let mut txn = db.session.begin();
            let snapshot = txn.snapshot().unwrap();
            let count = rows(&other, &snapshot).len();
            assert_eq!(entries(&index, &snapshot).len(), count);
            drop(snapshot);
            txn.abort();
            db.storage().maintain().unwrap();
        }
    }
}

#[test]
fn crashes_bring_nothing_back() {
    // After the commit at once, with a checkpoint that an old snapshot holds up, and after that.
    for stage in 0..4 {
        let env = SimEnv::new(5);
        let db = Db::filled(&env);
        let mut old = Session::new(db.storage(), 2).begin_rr();
        let snapshot = old.snapshot().unwrap();
        let mut txn = db.session.begin();
        db.delete(&mut txn, odd());
        txn.commit().unwrap();
        if stage > 0 {
            db.storage().maintain().unwrap();
            assert_eq!(db.ids_for(&snapshot), all());
        }
        if stage > 1 {
            let mut txn = db.session.begin();
            db.delete(&mut txn, (0..ROWS).step_by(4));
            txn.commit().unwrap();
        }
        drop(snapshot);
        old.abort();
        if stage > 2 {
            db.storage().checkpoint().unwrap();
        }
        let left: Vec<i32> = match stage {
            0 | 1 => even(),
            _ => even().into_iter().filter(|id| id % 4 != 0).collect(),
        };
        std::mem::forget(db);
        let mut env = env.crash_with(CrashMode::LoseUnsynced);
        for _ in 0..2 {
            let db = Db::open(&env, "/db");
            for _ in 0..3 {
                assert_eq!(db.ids(), left, "stage {stage}");
                db.storage().maintain().unwrap();
            }
            std::mem::forget(db);
            env = env.crash_with(CrashMode::LoseUnsynced);
        }
    }
}

#[test]
fn an_uncommitted_deletion_never_was() {
    let env = SimEnv::new(6);
    let db = Db::filled(&env);
    let mut txn = db.session.begin();
    db.delete(&mut txn, odd());
    db.storage().maintain().unwrap();
    std::mem::forget((txn, db));
    let db = Db::open(&env.crash_with(CrashMode::LoseUnsynced), "/db");
    assert_eq!(db.ids(), all());
}

#[test]
fn prepared_transactions_and_copies_have_them() {
    for commits in [true, false] {
        let env = SimEnv::new(7);
        let db = Db::filled(&env);
        let mut txn = db.session.begin();
        db.delete(&mut txn, odd());
        let prepared = txn.prepare(prepared_info("deletion")).unwrap();
        let end = |prepared: PreparedTransaction| match commits {
            true => assert!(prepared.commit().is_ok()),
            false => prepared.rollback().unwrap(),
        };
        let left = if commits { even() } else { all() };
        let fork = copied_with(db.storage(), &prepared);
        std::mem::forget((prepared, db));
        let env = env.crash_with(CrashMode::KeepUnsynced);
        for copy in [Db::over(&fork), Db::open(&env, "/copy"), Db::open(&env, "/db")] {
            copy.storage().maintain().unwrap();
            assert_eq!(copy.ids(), all());
            let prepared = resumed(copy.storage());
            copy.storage().maintain().unwrap();
            assert_eq!(copy.ids(), all());
            end(prepared);
            for _ in 0..3 {
                assert_eq!(copy.ids(), left);
                copy.storage().maintain().unwrap();
            }
        }
    }
}

#[test]
fn forks_do_not_see_what_old_snapshots_keep() {
    let db = Db::filled(&SimEnv::new(8));
    let mut old = Session::new(db.storage(), 2).begin_rr();
    let snapshot = old.snapshot().unwrap();
    let mut txn = db.session.begin();
    db.delete(&mut txn, odd());
    txn.commit().unwrap();
    let fork = Db::over(&db.storage().fork(Vec::new(), || ()).unwrap());
    for _ in 0..3 {
        assert_eq!(fork.ids(), even());
        assert_eq!(db.ids_for(&snapshot), all());
        fork.storage().maintain().unwrap();
        db.storage().maintain().unwrap();
    }
}

#[test]
fn sizes_are_right_after_a_restart() {
    for noted in [false, true] {
        let env = SimEnv::new(10);
        let db = Db::filled(&env);
        let mut reader = Session::new(db.storage(), 2).begin_rr();
        let old = reader.snapshot().unwrap();
        db.session.run(|txn| db.delete(txn, odd()));
        if noted {
            db.storage().checkpoint().unwrap();
        }
        let env = env.crash();
        drop(old);
        let db = Db::open(&env, "/db");
        assert_eq!(db.ids(), even());
        assert_eq!(db.table.size().rows, 2500, "noted: {noted}");
        db.storage().maintain().unwrap();
        assert_eq!(db.table.size().rows, 2500, "noted: {noted}, removed");
        // Entries of the first rows, which went the usual way, were counted until a merge.
        let entries = db.by_id.size().tuples;
        assert!(
            (2500..=2503).contains(&entries),
            "{entries} entries, noted: {noted}"
        );
    }
}
