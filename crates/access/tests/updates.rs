//! Rows updated by marks: who sees which version when, what stands in whose way, what is left after rollbacks, crashes, in copies.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use ::common::env::sim::{CrashMode, SimEnv};
use ::common::{Oid, RowId};
use common::groups::*;
use common::*;
use pglite_access::*;
use txn::{RowLockMode, Stamp};
use types::Datum;

#[test]
fn older_snapshots_see_what_was_over_checkpoints_and_merges() {
    let (db, before) = Db::filled(&SimEnv::new(1));
    let other = Session::new(db.storage(), 2);
    let mut old = other.begin_rr();
    let snapshot = old.snapshot().unwrap();
    let (mut txn, mut after) = (db.session.begin(), before.clone());
    db.add(&mut txn, &mut after, odd(), 1000);
    assert!(db.delta_bytes() < LITTLE, "{}", db.delta_bytes());
    // The command itself does not see what it does.
    let own = txn.snapshot().unwrap();
    assert!(db.state_for(&own) == before);
    drop(own);
    txn.next_command().unwrap();
    let own = txn.snapshot().unwrap();
    assert!(db.state_for(&own) == after);
    assert!(db.state_for(&snapshot) == before);
    assert!(db.state() == before);
    drop(own);
    txn.commit().unwrap();
    for round in 0..5 {
        assert!(db.state_for(&snapshot) == before, "round {round}");
        assert!(db.state() == after, "round {round}");
        match round {
            0 => db.storage().checkpoint().unwrap(),
            1 => db.storage().merge().unwrap(),
            2 => {
                // Later changes of such rows, and of others.
                let mut txn = db.session.begin();
                db.add(&mut txn, &mut after, (0..ROWS).step_by(5), 7);
                db.delete(&mut txn, &mut after, (0..ROWS).step_by(9));
                txn.commit().unwrap();
            }
            _ => db.maintain(1),
        }
    }
    drop(snapshot);
    old.abort();
    for _ in 0..4 {
        db.maintain(1);
        assert!(db.state() == after);
    }
    assert_eq!(db.table.size().rows, after.len() as u64);
    assert!(db.delta_bytes() < LITTLE, "{}", db.delta_bytes());
    // The chunks are free for others.
    db.marks_again(&mut after);
}

#[test]
fn rollbacks_take_them_back() {
    let (db, mut state) = Db::filled(&SimEnv::new(2));
    let mut txn = db.session.begin();
    db.add(&mut txn, &mut state, 0..100, 1);
    let savepoint = txn.savepoint().unwrap();
    for _ in 0..2 {
        let mut undone = state.clone();
        db.add(&mut txn, &mut undone, 50..4000, 2000);
        db.maintain(1);
        txn.rollback_to(&savepoint).unwrap();
    }
    // What was collected before a savepoint outlives a rollback to it.
    txn.next_command().unwrap();
    let snapshot = txn.snapshot().unwrap();
    for id in 4100..4600 {
        if id == 4500 {
            let inner = txn.savepoint().unwrap();
            txn.rollback_to(&inner).unwrap();
        }
        let (at, _) = find(&db.table, &db.by_id, &snapshot, id).unwrap();
        let values = row(id, -id);
        let updated = db
            .table
            .update(&mut txn, &snapshot, at, &values, RowLockMode::NoKeyUpdate);
        assert_eq!(updated.unwrap(), WriteOutcome::Done(at));
        state.insert(id, -id);
    }
    drop(snapshot);
    txn.commit().unwrap();
    assert!(db.state() == state);
    let mut txn = db.session.begin();
    db.add(&mut txn, &mut state.clone(), 200..4400, 5);
    txn.abort();
    for _ in 0..4 {
        assert!(db.state() == state);
        db.maintain(1);
    }
    db.marks_again(&mut state);
}

#[test]
fn others_find_them_in_their_way() {
    let (db, mut state) = Db::filled(&SimEnv::new(3));
    let mut txn = db.session.begin();
    db.add(&mut txn, &mut state, 10..3000, 1);
    let other = Session::new(db.storage(), 2);
    let mut second = other.begin();
    let mut third = Session::new(db.storage(), 3).begin_rr();
    let (snapshot, old) = (second.snapshot().unwrap(), third.snapshot().unwrap());
    let at = |id: i32| find(&db.table, &db.by_id, &snapshot, id).unwrap().0;
    let lock = |id: i32, txn: &mut Transaction, mode: RowLockMode| {
        db.table
            .lock_row(txn, &snapshot, at(id), mode, WaitPolicy::DoNotWait)
            .unwrap()
    };
    // Some of them are on their way to the store, others there.
    for id in [10, 11, 12, 13, 999, 1025, 2999] {
        assert_eq!(
            lock(id, &mut second, RowLockMode::Share),
            LockOutcome::NotAvailable
        );
        assert_eq!(lock(id, &mut second, RowLockMode::KeyShare), LockOutcome::Locked);
        let system = db.table.system(at(id), &snapshot, Oid(5)).unwrap().unwrap();
        assert_eq!(u64::from(system.xmax), txn.xid().unwrap().0);
    }
    assert_eq!(lock(3000, &mut second, RowLockMode::Update), LockOutcome::Locked);
    // A row that this command has updated already.
    let own = txn.snapshot().unwrap();
    for id in [2998, 11, 12] {
        let again = db
            .table
            .update(&mut txn, &own, at(id), &row(id, 0), RowLockMode::NoKeyUpdate)
            .unwrap();
        assert!(matches!(again, WriteOutcome::SelfModified { .. }), "{again:?}");
    }
    drop(own);
    txn.commit().unwrap();
    for id in [13, 1025, 2000, 2999] {
        let updated = LockOutcome::Conflict(Conflict::Updated(at(id)));
        assert_eq!(lock(id, &mut second, RowLockMode::NoKeyUpdate), updated);
        let newest = db
            .table
            .lock_latest(&mut second, at(id), RowLockMode::NoKeyUpdate, WaitPolicy::Block)
            .unwrap()
            .unwrap();
        let (row_id, latest) = newest.unwrap();
        let mut values = Vec::new();
        assert!(db.table.fetch(row_id, &latest, &mut values).unwrap());
        assert_eq!(values, row(id, state[&id]));
    }
    let error = db
        .table
        .update(
            &mut third,
            &old,
            at(2500),
            &row(2500, 0),
            RowLockMode::NoKeyUpdate,
        )
        .unwrap_err();
    assert_eq!(error.sqlstate.as_str(), "40001");
    drop((snapshot, old));
    second.abort();
    third.abort();
    for _ in 0..4 {
        assert!(db.state() == state);
        db.maintain(1);
    }
}

#[test]
fn those_who_wait_go_on_with_the_heir() {
    let (db, mut state) = Db::filled(&SimEnv::new(12));
    let mut txn = db.session.begin();
    db.add(&mut txn, &mut state, 0..3000, 1);
    txn.next_command().unwrap();
    std::thread::scope(|scope| {
        let waiters: Vec<_> = [5, 1500, 2999]
            .into_iter()
            .map(|id| {
                let db = &db;
                scope.spawn(move || {
                    let session = Session::new(db.storage(), 100 + id);
                    let mut txn = session.begin();
                    let snapshot = txn.snapshot().unwrap();
                    let (at, _) = find(&db.table, &db.by_id, &snapshot, id).unwrap();
                    let mode = RowLockMode::NoKeyUpdate;
                    let outcome = db
                        .table
                        .update(&mut txn, &snapshot, at, &row(id, 0), mode)
                        .unwrap();
                    assert_eq!(outcome, WriteOutcome::Conflict(Conflict::Updated(at)));
                    let locked = db
                        .table
                        .lock_latest(&mut txn, at, mode, WaitPolicy::Block)
                        .unwrap();
                    let (at, latest) = locked.unwrap().unwrap();
                    let mut values = Vec::new();
                    assert!(db.table.fetch(at, &latest, &mut values).unwrap());
                    let Datum::Int4(v) = values[1] else {
                        panic!("{values:?}")
                    };
                    let outcome = db
                        .table
                        .update(&mut txn, &latest, at, &row(id, v + 50), mode)
                        .unwrap();
                    assert_eq!(outcome, WriteOutcome::Done(at));
                    txn.commit().unwrap();
                })
            })
            .collect();
        let locks = db.storage().manager().locks();
        while locks.snapshot().iter().filter(|lock| !lock.granted).count() < 3 {
            std::thread::yield_now();
        }
        txn.commit().unwrap();
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    });
    for id in [5, 1500, 2999] {
        *state.get_mut(&id).unwrap() += 50;
    }
    for _ in 0..4 {
        assert!(db.state() == state);
        db.maintain(1);
    }
}

#[test]
fn crashes_bring_back_what_was_committed() {
    // After the commit at once, with checkpoints that an old snapshot holds up, with changes since, and when all is in its place.
    for stage in 0..6 {
        let env = SimEnv::new(5);
        let (db, before) = Db::filled(&env);
        let mut old = Session::new(db.storage(), 2).begin_rr();
        let snapshot = old.snapshot().unwrap();
        let (mut txn, mut state) = (db.session.begin(), before.clone());
        change_twice(&db, &mut txn, &mut state);
        txn.commit().unwrap();
        assert!(db.state() == state);
        if stage > 0 {
            db.maintain(1);
            assert!(db.state_for(&snapshot) == before);
        }
        if stage > 1 {
            let mut txn = db.session.begin();
            db.add(&mut txn, &mut state, (1..4000).step_by(4), GROUP + 5);
            db.delete(&mut txn, &mut state, (2..4000).step_by(4));
            txn.commit().unwrap();
        }
        if stage > 2 {
            db.maintain(1);
            assert!(db.state_for(&snapshot) == before);
        }
        drop(snapshot);
        old.abort();
        if stage > 3 {
            db.storage().checkpoint().unwrap();
        }
        if stage > 4 {
            db.maintain(3);
        }
        std::mem::forget(db);
        let mut env = env.crash_with(CrashMode::LoseUnsynced);
        for _ in 0..2 {
            let db = Db::open(&env, "/db");
            for round in 0..3 {
                assert!(db.state() == state, "stage {stage}, round {round}");
                if round == 1 {
                    let ids: Vec<i32> = state.keys().copied().collect();
                    db.session.run(|txn| db.add(txn, &mut state, ids, 1));
                }
                db.maintain(1);
            }
            std::mem::forget(db);
            env = env.crash_with(CrashMode::LoseUnsynced);
        }
    }
}

/// A log that a prepared transaction holds back tells of updates again that are in their places, under later ones.
#[test]
fn a_long_log_is_replayed_over_later_updates() {
    for rounds in 1..4 {
        let env = SimEnv::new(11);
        let (db, mut state) = Db::filled(&env);
        let other = Session::new(db.storage(), 2);
        let mut long = other.begin();
        let at = find(&db.table, &db.by_id, &long.snapshot().unwrap(), 4999)
            .unwrap()
            .0;
        let snapshot = long.snapshot().unwrap();
        let mode = RowLockMode::NoKeyUpdate;
        db.table
            .update(&mut long, &snapshot, at, &row(4999, 1), mode)
            .unwrap();
        drop(snapshot);
        let prepared = long.prepare(prepared_info("long")).unwrap();
        for round in 0..rounds {
            db.session
                .run(|txn| db.add(txn, &mut state, (0..500).step_by(2), 1));
            db.session.run(|txn| db.add(txn, &mut state, 0..4900, 1));
            db.session
                .run(|txn| db.add(txn, &mut state, (0..700).step_by(3), 1));
            if round % 2 == 0 {
                db.maintain(3);
            }
        }
        // One that is still running.
        let mut txn = db.session.begin();
        db.add(&mut txn, &mut state.clone(), 0..4900, 1);
        txn.next_command().unwrap();
        db.storage().maintain().unwrap();
        std::mem::forget((txn, prepared, db));
        let db = Db::open(&env.crash_with(CrashMode::KeepUnsynced), "/db");
        db.maintain(1);
        resumed(db.storage()).rollback().unwrap();
        for _ in 0..4 {
            assert!(db.state() == state, "rounds {rounds}");
            db.maintain(1);
        }
        let mut txn = db.session.begin();
        let before = db.delta_bytes();
        db.add(&mut txn, &mut state, 0..4900, 1);
        assert!(
            db.delta_bytes() < LITTLE,
            "rounds {rounds}: {} after {before}",
            db.delta_bytes()
        );
    }
}

#[test]
fn an_uncommitted_update_never_was() {
    let env = SimEnv::new(6);
    let (db, mut state) = Db::filled(&env);
    let mut txn = db.session.begin();
    db.add(&mut txn, &mut state.clone(), odd(), 1);
    txn.next_command().unwrap();
    db.maintain(1);
    std::mem::forget((txn, db));
    let db = Db::open(&env.crash_with(CrashMode::KeepUnsynced), "/db");
    assert!(db.state() == state);
    db.maintain(3);
    db.marks_again(&mut state);
}

#[test]
fn prepared_transactions_and_copies_have_them() {
    for commits in [true, false] {
        let env = SimEnv::new(7);
        let (db, before) = Db::filled(&env);
        let (mut txn, mut after) = (db.session.begin(), before.clone());
        change_twice(&db, &mut txn, &mut after);
        let prepared = txn.prepare(prepared_info("update")).unwrap();
        let end = |prepared: PreparedTransaction| match commits {
            true => assert!(prepared.commit().is_ok()),
            false => prepared.rollback().unwrap(),
        };
        let left = if commits { &after } else { &before };
        let fork = copied_with(db.storage(), &prepared);
        std::mem::forget((prepared, db));
        let env = env.crash_with(CrashMode::KeepUnsynced);
        for copy in [Db::over(&fork), Db::open(&env, "/copy"), Db::open(&env, "/db")] {
            copy.maintain(1);
            assert!(copy.state() == before);
            let prepared = resumed(copy.storage());
            copy.maintain(3);
            assert!(copy.state() == before);
            end(prepared);
            for round in 0..4 {
                assert!(copy.state() == *left, "commits: {commits}, round {round}");
                copy.maintain(1);
            }
        }
    }
}

#[test]
fn forks_do_not_see_what_old_snapshots_keep() {
    let (db, before) = Db::filled(&SimEnv::new(8));
    let mut old = Session::new(db.storage(), 2).begin_rr();
    let snapshot = old.snapshot().unwrap();
    let (mut txn, mut after) = (db.session.begin(), before.clone());
    db.add(&mut txn, &mut after, odd(), 1);
    txn.commit().unwrap();
    let fork = Db::over(&db.storage().fork(Vec::new(), || ()).unwrap());
    for _ in 0..4 {
        assert!(fork.state() == after);
        assert!(db.state() == after);
        assert!(db.state_for(&snapshot) == before);
        fork.maintain(1);
        db.maintain(1);
    }
}

/// Rows that come in another order than they lie go by delta, a few of a chunk at a time.
#[test]
fn any_order_will_do() {
    let (db, mut state) = Db::filled(&SimEnv::new(13));
    let ids: Vec<i32> = (0..ROWS).map(|k| k * 2503 % ROWS).collect();
    db.session.run(|txn| db.add(txn, &mut state, ids.clone(), 1));
    db.session
        .run(|txn| db.add(txn, &mut state, ids.into_iter().rev(), 1));
    for _ in 0..4 {
        assert!(db.state() == state);
        db.maintain(1);
    }
    let at = RowId(ROWS as u64 - 1);
    let snapshot = db.session.begin().snapshot().unwrap();
    let system = db.table.system(at, &snapshot, Oid(5)).unwrap().unwrap();
    assert!(system.xmin > 0 && system.xmax == 0 && Stamp::NEVER.xid().is_none());
}
