//! Rows and entries in the store ahead of their commit: prepared transactions, forks, backups, what is left after a rollback.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::Path;
use std::sync::Arc;

use ::common::cancel::{CancelReason, CancelToken};
use ::common::env::sim::{CrashMode, SimEnv};
use ::common::{PgResult, RowId};
use common::*;
use pglite_access::*;
use types::Datum;

const TABLE: u64 = 20000;
const INDEX: u64 = 20001;

struct Db {
    session: Session,
    table: Table,
    index: Index,
}

impl Db {
    fn over(storage: &Arc<Storage>) -> Db {
        Db {
            session: Session::new(storage, 1),
            table: storage.table(&table_def(TABLE)).unwrap(),
            index: storage.index(&index_def(INDEX)).unwrap(),
        }
    }

    fn open(env: &SimEnv, dir: &str) -> Db {
        let mut options = StorageOptions::in_dir(Arc::new(env.clone()), Path::new(dir));
        options.background = false;
        (options.ahead_after_rows, options.ahead_rows_min) = (0, 1);
        options.ahead_entry_bytes = 20_000;
        options.spill_bytes = 300;
        options.toast_bytes_min = 25;
        Db::over(&Storage::open(options).unwrap())
    }

    /// Inserts rows with these ids in batches, the entries of each as one run. False where a key may be taken.
    fn insert(&self, txn: &mut Transaction, ids: std::ops::Range<i32>) -> PgResult<bool> {
        for start in ids.clone().step_by(600) {
            if !self.insert_batch(txn, start..ids.end.min(start + 600))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn insert_batch(&self, txn: &mut Transaction, ids: std::ops::Range<i32>) -> PgResult<bool> {
        let all: Vec<Vec<Datum>> = ids.clone().map(|id| row(id, 0)).collect();
        let first = insert_by_columns(&self.table, txn, &all)?;
        let mut run = EntryRun::default();
        for (id, row) in ids.zip(first.0..) {
            run.push(&self.index, &[int(id)], &[], RowId(row));
        }
        self.index.insert_run(txn, run)
    }

    /// The ids in the table, which must be those in the index, and each must be found by its key.
    fn ids(&self) -> Vec<i32> {
        let mut txn = self.session.begin();
        let snapshot = txn.snapshot().unwrap();
        self.ids_for(&snapshot)
    }

    fn ids_for(&self, snapshot: &ActiveSnapshot) -> Vec<i32> {
        let all = rows(&self.table, snapshot);
        let mut ids: Vec<i32> = all.iter().map(|row| row.1).collect();
        ids.sort_unstable();
        let by_key: Vec<i32> = entries(&self.index, snapshot)
            .iter()
            .map(|entry| entry.0)
            .collect();
        assert!(ids == by_key, "{} rows, {} entries", ids.len(), by_key.len());
        for id in &ids {
            assert!(find(&self.table, &self.index, snapshot, *id).is_some());
        }
        ids
    }

    fn storage(&self) -> &Arc<Storage> {
        &self.session.storage
    }
}

fn commit(prepared: PreparedTransaction) {
    let outcome = prepared.commit();
    assert!(outcome.is_ok());
}

#[test]
fn older_snapshots_and_others_do_not_see_it_before_the_commit() {
    let storage = memory_ahead();
    let db = Db::over(&storage);
    db.session.run(|txn| assert!(db.insert(txn, 0..10).unwrap()));
    let other = Session::new(&storage, 2);
    let mut old = other.begin_rr();
    let snapshot = old.snapshot().unwrap();
    let mut txn = db.session.begin();
    assert!(db.insert(&mut txn, 10..2000).unwrap());
    assert_eq!(db.ids_for(&snapshot).len(), 10);
    txn.next_command().unwrap();
    let own = txn.snapshot().unwrap();
    assert_eq!(db.ids_for(&own).len(), 2000);
    // Keys of its own are taken.
    let savepoint = txn.savepoint().unwrap();
    assert!(!db.insert(&mut txn, 50..60).unwrap());
    txn.rollback_to(&savepoint).unwrap();
    drop(own);
    txn.commit().unwrap();
    for _ in 0..2 {
        assert_eq!(db.ids_for(&snapshot).len(), 10);
        storage.maintain().unwrap();
    }
    drop(snapshot);
    old.abort();
    storage.maintain().unwrap();
    assert_eq!(db.ids().len(), 2000);
    assert_eq!((db.table.size().rows, db.index.size().tuples), (2000, 2000));
}

#[test]
fn nothing_is_left_in_the_store_after_a_rollback() {
    let storage = memory_ahead();
    let db = Db::over(&storage);
    let mut txn = db.session.begin();
    assert!(db.insert(&mut txn, 0..1500).unwrap());
    let savepoint = txn.savepoint().unwrap();
    assert!(db.insert(&mut txn, 2000..5000).unwrap());
    txn.rollback_to(&savepoint).unwrap();
    storage.checkpoint().unwrap();
    assert!(db.insert(&mut txn, 2000..2300).unwrap());
    txn.commit().unwrap();
    assert_eq!(db.ids().len(), 1800);
    db.session.begin().abort();
    let mut txn = db.session.begin();
    assert!(db.insert(&mut txn, 9000..9900).unwrap());
    txn.abort();
    storage.maintain().unwrap();
    assert_eq!(db.ids().len(), 1800);
    assert_eq!((db.table.size().rows, db.index.size().tuples), (1800, 1800));
    // The keys are free again.
    db.session.run(|txn| {
        for id in 9000..9010 {
            let at = db.table.insert(txn, &row(id, 1)).unwrap();
            let added = db.index.insert(txn, &[int(id)], &[], at, UniqueCheck::Yes);
            assert_eq!(added.unwrap(), Ok(()));
        }
    });
    assert_eq!(db.ids().len(), 1810);
}

#[test]
fn prepared_transactions_keep_it_over_a_restart() {
    for commits in [true, false] {
        let mut env = SimEnv::new(3);
        let db = Db::open(&env, "/db");
        db.session.run(|txn| assert!(db.insert(txn, 0..10).unwrap()));
        let mut txn = db.session.begin();
        assert!(db.insert(&mut txn, 10..1300).unwrap());
        txn.next_command().unwrap();
        let snapshot = txn.snapshot().unwrap();
        let (at, _) = find(&db.table, &db.index, &snapshot, 700).unwrap();
        db.table.delete(&mut txn, &snapshot, at).unwrap();
        assert!(db.index.delete(&mut txn, &[int(700)], at).unwrap());
        drop(snapshot);
        let prepared = txn.prepare(prepared_info("load")).unwrap();
        std::mem::forget(prepared);
        let mut db = db;
        for _ in 0..2 {
            env = env.crash_with(CrashMode::LoseUnsynced);
            std::mem::forget(db);
            db = Db::open(&env, "/db");
            // Before anybody takes it up, too.
            db.storage().checkpoint().unwrap();
            assert_eq!(db.ids().len(), 10);
        }
        let prepared = resumed(db.storage());
        db.storage().maintain().unwrap();
        assert_eq!(db.ids().len(), 10);
        match commits {
            true => commit(prepared),
            false => prepared.rollback().unwrap(),
        }
        let left = if commits { 1299 } else { 10 };
        assert_eq!(db.ids().len(), left);
        env = env.crash_with(CrashMode::LoseUnsynced);
        std::mem::forget(db);
        let db = Db::open(&env, "/db");
        assert_eq!(db.ids().len(), left);
        db.storage().maintain().unwrap();
        assert_eq!(db.ids().len(), left);
    }
}

#[test]
fn copies_have_what_was_committed() {
    let env = SimEnv::new(4);
    let db = Db::open(&env, "/db");
    db.session.run(|txn| assert!(db.insert(txn, 0..1100).unwrap()));
    let mut txn = db.session.begin();
    assert!(db.insert(&mut txn, 2000..4500).unwrap());
    let other = Session::new(db.storage(), 2);
    let mut second = other.begin();
    assert!(db.insert(&mut second, 5000..5600).unwrap());
    let prepared = second.prepare(prepared_info("load")).unwrap();
    let fork = copied_with(db.storage(), &prepared);
    txn.commit().unwrap();
    commit(prepared);
    assert_eq!(db.ids().len(), 1100 + 2500 + 600);
    for copy in [Db::over(&fork), Db::open(&env, "/copy")] {
        assert_eq!(copy.ids().len(), 1100);
        let prepared = resumed(copy.storage());
        copy.storage().maintain().unwrap();
        assert_eq!(copy.ids().len(), 1100);
        commit(prepared);
        assert_eq!(copy.ids().len(), 1700);
        copy.storage().maintain().unwrap();
        assert_eq!(copy.ids().len(), 1700);
        copy.session
            .run(|txn| assert!(copy.insert(txn, 6000..6100).unwrap()));
        assert_eq!(copy.ids().len(), 1800);
    }
}

/// Numbers below `count` in an order that is not theirs.
fn shuffled(count: i32) -> Vec<i32> {
    (0..count).map(|n| n * 3677 % count).collect()
}

impl Db {
    /// Rows with these ids and values, in batches, their entries as runs.
    fn insert_all(&self, txn: &mut Transaction, ids: &[i32]) -> bool {
        ids.chunks(700).all(|ids| {
            let all: Vec<Vec<Datum>> = ids.iter().map(|id| row(*id, 0)).collect();
            let first = insert_by_columns(&self.table, txn, &all).unwrap();
            let mut run = EntryRun::default();
            for (id, row) in ids.iter().zip(first.0..) {
                run.push(&self.index, &[int(*id)], &[], RowId(row));
            }
            self.index.insert_run(txn, run).unwrap()
        })
    }

    fn delete(&self, txn: &mut Transaction, ids: impl Iterator<Item = i32>) {
        txn.next_command().unwrap();
        let snapshot = txn.snapshot().unwrap();
        for id in ids {
            let (at, _) = find(&self.table, &self.index, &snapshot, id).unwrap();
            self.table.delete(txn, &snapshot, at).unwrap();
            assert!(self.index.delete(txn, &[int(id)], at).unwrap());
        }
    }
}

/// Keys in any order: they wait in delta, go into the store in parts, and are in the way of others from the first moment.
#[test]
fn entries_in_any_order_go_into_the_store_too() {
    for bytes in [0, 1000, 300_000, 100 << 20] {
        let mut options = StorageOptions::in_memory(Arc::new(SimEnv::new(1)));
        options.background = false;
        (options.ahead_after_rows, options.ahead_rows_min) = (0, 1);
        options.ahead_entry_bytes = bytes;
        let db = Db::over(&Storage::open(options).unwrap());
        db.session
            .run(|txn| assert!(db.insert(txn, 100_000..100_900).unwrap()));
        let other = Session::new(db.storage(), 2);
        let mut old = other.begin_rr();
        let snapshot = old.snapshot().unwrap();
        let mut txn = db.session.begin();
        assert!(db.insert_all(&mut txn, &shuffled(5000)));
        if bytes < 1 << 20 {
            let (waiting, _) = db.storage().memory_bytes();
            assert!(waiting < bytes + 400_000, "{waiting} bytes wait");
        }
        assert_eq!(db.ids_for(&snapshot).len(), 900);
        txn.next_command().unwrap();
        // A key that another row of the transaction has, and one of before.
        for taken in [17, 100_300] {
            let savepoint = txn.savepoint().unwrap();
            assert!(!db.insert_all(&mut txn, &[6000, taken, 6001]));
            txn.rollback_to(&savepoint).unwrap();
        }
        db.delete(&mut txn, (0..5000).step_by(9));
        txn.next_command().unwrap();
        let own = txn.snapshot().unwrap();
        let left = 5900 - (0..5000).step_by(9).len();
        assert_eq!(db.ids_for(&own).len(), left);
        drop(own);
        txn.commit().unwrap();
        for _ in 0..2 {
            assert_eq!(db.ids_for(&snapshot).len(), 900);
            db.storage().maintain().unwrap();
        }
        drop(snapshot);
        old.abort();
        for _ in 0..2 {
            assert_eq!(db.ids().len(), left);
            db.storage().maintain().unwrap();
        }
        assert_eq!(
            (db.table.size().rows, db.index.size().tuples),
            (left as u64, left as u64)
        );
        // What it took is free again.
        db.session.run(|txn| assert!(db.insert_all(txn, &[0, 9, 18])));
        assert_eq!(db.ids().len(), left + 3);
    }
}

/// Inserts much, deletes some of it, undoes that, commits; how many operations of the machine came before the commit.
fn undo_much(env: &SimEnv) -> (Db, u64) {
    let db = Db::open(env, "/db");
    db.session.run(|txn| assert!(db.insert_all(txn, &shuffled(100))));
    let mut txn = db.session.begin();
    assert!(db.insert(&mut txn, 200..210).unwrap());
    let savepoint = txn.savepoint().unwrap();
    assert!(db.insert(&mut txn, 1000..1100).unwrap());
    let keys: Vec<i32> = shuffled(100).iter().map(|id| 500 + id).collect();
    assert!(db.insert_all(&mut txn, &keys));
    db.delete(&mut txn, (510..590).chain(1010..1090));
    txn.rollback_to(&savepoint).unwrap();
    assert!(db.insert(&mut txn, 300..310).unwrap());
    let before = env.operation_count();
    drop(txn.commit());
    (db, before)
}

/// What a savepoint undoes stays undone after a crash, though the log has changes of it.
#[test]
fn what_was_undone_does_not_come_back_with_the_log() {
    let env = SimEnv::new(6);
    let (db, before) = undo_much(&env);
    assert_eq!(db.ids().len(), 120);
    let mut after_commit = 0;
    let operations = before..env.operation_count();
    let step = (operations.clone().count() / 8).max(1);
    for n in operations.step_by(step) {
        let env = SimEnv::new(6);
        env.crash_at_operation(n);
        std::mem::forget(undo_much(&env));
        let db = Db::open(&env.crash_with(CrashMode::LoseUnsynced), "/db");
        let left = db.ids().len();
        assert!(left == 100 || left == 120, "{left} rows");
        after_commit += usize::from(left == 120);
        for _ in 0..2 {
            assert_eq!(db.ids().len(), left);
            db.storage().maintain().unwrap();
        }
    }
    assert!(after_commit > 1);
}

impl Db {
    /// Rows whose entries take some kilobytes each.
    fn insert_wide(&self, txn: &mut Transaction, ids: &[i32]) -> PgResult<bool> {
        let wide = Datum::text("x".repeat(8 << 10));
        let all: Vec<Vec<Datum>> = ids.iter().map(|id| row(*id, 0)).collect();
        let first = insert_by_columns(&self.table, txn, &all)?;
        let mut run = EntryRun::default();
        for (id, row) in ids.iter().zip(first.0..) {
            run.push(&self.index, &[int(*id)], std::slice::from_ref(&wide), RowId(row));
        }
        self.index.insert_run(txn, run)
    }
}

/// A cancelled statement does not wait until all entries are in the store. Those of earlier ones wait on, and are there after a crash.
#[test]
fn a_cancelled_statement_leaves_entries_waiting() {
    let env = SimEnv::new(10);
    let mut options = StorageOptions::in_dir(Arc::new(env.clone()), Path::new("/db"));
    options.background = false;
    (options.ahead_after_rows, options.ahead_rows_min) = (0, 1);
    options.ahead_entry_bytes = 12 << 20;
    let db = Db::over(&Storage::open(options).unwrap());
    // Packs of 256 entries, between which the others come.
    let ids: Vec<i32> = shuffled(2000).iter().map(|id| 10 * id + 1).collect();
    let before: Vec<i32> = (0..2000).map(|id| 10 * id).collect();
    db.session.run(|txn| assert!(db.insert_all(txn, &before)));
    let mut txn = db.session.begin();
    assert!(db.insert_wide(&mut txn, &ids[..1000]).unwrap());
    txn.next_command().unwrap();
    let savepoint = txn.savepoint().unwrap();
    let cancel = CancelToken::new();
    cancel.cancel(CancelReason::User);
    txn.options_mut().wait.cancel = cancel.clone();
    let error = db.insert_wide(&mut txn, &ids[1000..]).unwrap_err();
    assert_eq!(error.sqlstate.as_str(), "57014");
    txn.rollback_to(&savepoint).unwrap();
    cancel.reset();
    txn.commit().unwrap();
    assert_eq!(db.ids().len(), 3000);
    let env = env.crash_with(CrashMode::LoseUnsynced);
    std::mem::forget(db);
    assert_eq!(Db::open(&env, "/db").ids().len(), 3000);
}

/// Two transactions write the same packs anew; one of them goes.
#[test]
fn loads_in_the_same_packs_part_as_they_should() {
    for first_commits in [true, false] {
        let env = SimEnv::new(7);
        let db = Db::open(&env, "/db");
        let second = Session::new(db.storage(), 2);
        let even: Vec<i32> = shuffled(3000).iter().map(|id| 2 * id).collect();
        let odd: Vec<i32> = even.iter().map(|id| id + 1).collect();
        let (mut one, mut two) = (db.session.begin(), second.begin());
        for (even, odd) in even.chunks(1000).zip(odd.chunks(1000)) {
            assert!(db.insert_all(&mut one, even) && db.insert_all(&mut two, odd));
        }
        let (stays, goes) = if first_commits { (one, two) } else { (two, one) };
        goes.abort();
        db.storage().maintain().unwrap();
        stays.commit().unwrap();
        let ids = db.ids();
        assert_eq!(
            ids,
            (0..3000)
                .map(|id| 2 * id + i32::from(!first_commits))
                .collect::<Vec<_>>()
        );
        db.storage().maintain().unwrap();
        let env = env.crash_with(CrashMode::LoseUnsynced);
        std::mem::forget(db);
        let db = Db::open(&env, "/db");
        assert_eq!(db.ids(), ids);
        db.session
            .run(|txn| assert!(db.insert_all(txn, &if first_commits { odd } else { even })));
        assert_eq!(db.ids().len(), 6000);
    }
}

/// A few rows go out of packs that have grown: what is left of them is whole.
#[test]
fn little_goes_out_of_large_packs() {
    let env = SimEnv::new(8);
    let db = Db::open(&env, "/db");
    // Packs of 256 entries grow to 300 or so.
    let at = |id: &i32| 10 * id;
    let before: Vec<i32> = (0..1024).collect();
    db.session
        .run(|txn| assert!(db.insert_all(txn, &before.iter().map(at).collect::<Vec<_>>())));
    let more: Vec<i32> = (0..1000).step_by(6).map(|id| 10 * id + 1).collect();
    db.session.run(|txn| assert!(db.insert_all(txn, &more)));
    let mut txn = db.session.begin();
    let gone: Vec<i32> = (0..1000).step_by(7).map(|id| 10 * id + 2).collect();
    assert!(db.insert_all(&mut txn, &gone));
    db.storage().checkpoint().unwrap();
    std::mem::forget(txn);
    std::mem::forget(db);
    let env = env.crash_with(CrashMode::LoseUnsynced);
    let db = Db::open(&env, "/db");
    // Nothing has been read: no leaf hides what the store lacks.
    db.storage().maintain().unwrap();
    assert_eq!(db.ids().len(), 1024 + more.len());
    drop(db);
    let db = Db::open(&env, "/db");
    assert_eq!(db.ids().len(), 1024 + more.len());
}

/// Which of two keys a unique index takes for a new row.
fn takes(db: &Db, keys: [i32; 2]) -> [bool; 2] {
    db.session.run(|txn| {
        keys.map(|id| {
            let savepoint = txn.savepoint().unwrap();
            let at = db.table.insert(txn, &row(id, 1)).unwrap();
            let added = db
                .index
                .insert(txn, &[int(id)], &[], at, UniqueCheck::Yes)
                .unwrap();
            if added.is_err() {
                txn.rollback_to(&savepoint).unwrap();
            }
            added.is_ok()
        })
    })
}

#[test]
fn single_rows_find_the_last_key_however_it_came() {
    let env = SimEnv::new(5);
    let db = Db::open(&env, "/db");
    assert_eq!(takes(&db, [5, 5]), [true, false]);
    db.session.run(|txn| assert!(db.insert(txn, 10..1300).unwrap()));
    assert_eq!(takes(&db, [1299, 1300]), [false, true]);
    db.storage().maintain().unwrap();
    assert_eq!(takes(&db, [1300, 1301]), [false, true]);
    assert_eq!(takes(&db, [1302, 1301]), [true, false]);
    drop(db);
    let db = Db::open(&env, "/db");
    assert_eq!(takes(&db, [1302, 1303]), [false, true]);
    assert_eq!(takes(&db, [1303, 6]), [false, true]);
    assert_eq!(db.ids().len(), 1 + 1290 + 4 + 1);
}
