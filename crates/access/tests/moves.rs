//! Rows that move as keys of them change, by marks: who sees which row when, who follows them, what is left after rollbacks, crashes, in copies.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::ops::Range;

use ::common::env::sim::{CrashMode, SimEnv};
use ::common::{Oid, RowId};
use common::groups::*;
use common::*;
use pglite_access::*;
use txn::RowLockMode;
use types::Datum;

/// Waits in memory: entries until they are folded, a little of each table.
const SOME: usize = 200_000;
const MODE: RowLockMode = RowLockMode::NoKeyUpdate;

/// Moves rows to the next group; how many did not move.
fn regroup(
    db: &Db,
    txn: &mut Transaction,
    state: &mut State,
    ids: impl IntoIterator<Item = i32>,
) -> (usize, Vec<(i32, RowId, RowId)>) {
    txn.next_command().unwrap();
    let snapshot = txn.snapshot().unwrap();
    let (mut stayed, mut places) = (0, Vec::new());
    for id in ids {
        let (at, old) = find(&db.table, &db.by_id, &snapshot, id).unwrap();
        let old = match old[1] {
            Datum::Int4(v) => v,
            _ => panic!("{old:?}"),
        };
        assert_eq!(old, state[&id]);
        let to = db.change(txn, &snapshot, (at, id), (old, old + GROUP));
        stayed += usize::from(to == at);
        places.push((id, at, to));
        state.insert(id, old + GROUP);
    }
    (stayed, places)
}

/// As many as go before marks begin.
const FIRST: usize = 5;

#[test]
fn older_snapshots_see_what_was_over_checkpoints_and_merges() {
    let (db, before) = Db::filled(&SimEnv::new(1));
    let other = Session::new(db.storage(), 2);
    let mut old = other.begin_rr();
    let snapshot = old.snapshot().unwrap();
    let (mut txn, mut after) = (db.session.begin(), before.clone());
    let (stayed, places) = regroup(&db, &mut txn, &mut after, odd());
    assert!(stayed <= FIRST, "{stayed} stayed");
    // The command itself does not see what it does.
    let own = txn.snapshot().unwrap();
    assert!(db.state_for(&own) == before);
    drop(own);
    txn.next_command().unwrap();
    let own = txn.snapshot().unwrap();
    assert!(db.state_for(&own) == after);
    assert!(db.state_for(&snapshot) == before);
    assert!(db.state() == before);
    for (id, at, to) in &places {
        assert_eq!(db.table.newest(*at, &own).unwrap(), Some(*to), "{id}");
        assert_eq!(db.table.newest(*at, &snapshot).unwrap(), Some(*at), "{id}");
        assert_eq!(db.table.moved_to(*at, &own).unwrap(), *to, "{id}");
    }
    drop(own);
    txn.commit().unwrap();
    assert_eq!(db.table.activity().updated, after.len() as u64 / 2);
    assert_eq!(db.table.activity().deleted, 0);
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
    // They move again, and others.
    for _ in 0..3 {
        let ids: Vec<i32> = after.keys().copied().collect();
        let mut txn = db.session.begin();
        let (stayed, _) = regroup(&db, &mut txn, &mut after, ids);
        assert!(stayed <= FIRST, "{stayed} stayed");
        assert!(db.delta_bytes() < SOME, "{}", db.delta_bytes());
        assert_eq!(db.table.size().rows, after.len() as u64);
        txn.commit().unwrap();
        assert!(db.state() == after);
        assert_eq!(db.table.size().rows, after.len() as u64);
        db.maintain(3);
        assert!(db.state() == after);
        assert!(db.delta_bytes() < LITTLE, "{}", db.delta_bytes());
    }
}

#[test]
fn rollbacks_take_them_back() {
    let (db, mut state) = Db::filled(&SimEnv::new(2));
    let mut txn = db.session.begin();
    regroup(&db, &mut txn, &mut state, 0..100);
    let savepoint = txn.savepoint().unwrap();
    for _ in 0..2 {
        let mut undone = state.clone();
        regroup(&db, &mut txn, &mut undone, 50..4000);
        db.maintain(1);
        txn.rollback_to(&savepoint).unwrap();
    }
    // What moved before a savepoint outlives a rollback to it.
    txn.next_command().unwrap();
    let snapshot = txn.snapshot().unwrap();
    for id in 4100..4600 {
        let at = |id| find(&db.table, &db.by_id, &snapshot, id).unwrap().0;
        if id == 4500 {
            let inner = txn.savepoint().unwrap();
            for id in 4700..4800 {
                db.change(
                    &mut txn,
                    &snapshot,
                    (at(id), id),
                    (state[&id], state[&id] + GROUP),
                );
            }
            txn.rollback_to(&inner).unwrap();
        }
        db.change(
            &mut txn,
            &snapshot,
            (at(id), id),
            (state[&id], state[&id] + GROUP),
        );
        *state.get_mut(&id).unwrap() += GROUP;
    }
    drop(snapshot);
    txn.commit().unwrap();
    assert!(db.state() == state);
    assert_eq!(db.table.size().rows, state.len() as u64);
    let mut txn = db.session.begin();
    regroup(&db, &mut txn, &mut state.clone(), 200..4400);
    txn.abort();
    for _ in 0..4 {
        assert!(db.state() == state);
        assert_eq!(db.table.size().rows, state.len() as u64);
        db.maintain(1);
    }
    let ids: Vec<i32> = state.keys().copied().collect();
    db.session.run(|txn| {
        let (stayed, _) = regroup(&db, txn, &mut state, ids);
        assert!(stayed <= FIRST, "{stayed} stayed");
    });
    assert!(db.state() == state);
}

/// A savepoint for each row does not take a chunk for each.
#[test]
fn savepoints_between_rows_keep_them_in_place() {
    let (db, mut state) = Db::filled(&SimEnv::new(21));
    let mut txn = db.session.begin();
    db.add(&mut txn, &mut state, 0..10, 1);
    txn.next_command().unwrap();
    let end = db.table.row_id_end();
    let snapshot = txn.snapshot().unwrap();
    let mut held = Vec::new();
    for id in 0..300 {
        held.push(txn.savepoint().unwrap());
        let at = find(&db.table, &db.by_id, &snapshot, id).unwrap().0;
        let v = state[&id];
        db.change(&mut txn, &snapshot, (at, id), (v, v + GROUP));
        state.insert(id, v + GROUP);
    }
    drop((snapshot, held));
    txn.commit().unwrap();
    assert!(db.state() == state);
    // One in three is tried, as two in place make a command one of many here.
    let chunks = (db.table.row_id_end().0 - end.0) / 1024;
    assert!(chunks <= 200, "{chunks}");
    db.maintain(3);
    assert!(db.state() == state);
}

#[test]
fn others_find_them_in_their_way() {
    let (db, mut state) = Db::filled(&SimEnv::new(3));
    let mut txn = db.session.begin();
    let (_, places) = regroup(&db, &mut txn, &mut state, 10..3000);
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
    let own = txn.snapshot().unwrap();
    for id in [2998, 11, 12, 1500] {
        // A row that this command has updated already, and what it has become.
        let to = places.iter().find(|(other, ..)| *other == id).unwrap().2;
        for at in [at(id), to] {
            let again = db
                .table
                .update_keys(&mut txn, &own, at, &row(id, 0), MODE)
                .unwrap();
            assert!(matches!(again, WriteOutcome::SelfModified { .. }), "{again:?}");
            let again = db.table.lock_row(&mut txn, &own, at, MODE, WaitPolicy::Block);
            assert_eq!(again.unwrap(), LockOutcome::SelfModified);
        }
        // Its key.
        let conflict = db.by_id.conflicting_row(&mut txn, &[int(id)], None);
        assert_eq!(conflict.unwrap(), Some(to));
    }
    drop(own);
    txn.commit().unwrap();
    for (id, at, to) in places
        .iter()
        .filter(|place| [13, 1025, 2000, 2999].contains(&place.0))
    {
        let updated = LockOutcome::Conflict(Conflict::Updated(*to));
        assert_eq!(lock(*id, &mut second, MODE), updated);
        let newest = db
            .table
            .lock_latest(&mut second, *at, MODE, WaitPolicy::Block)
            .unwrap()
            .unwrap();
        let (row_id, latest) = newest.unwrap();
        assert_eq!(row_id, *to);
        let mut values = Vec::new();
        assert!(db.table.fetch(row_id, &latest, &mut values).unwrap());
        assert_eq!(values, row(*id, state[id]));
    }
    let error = db
        .table
        .update(&mut third, &old, at(2500), &row(2500, 0), MODE)
        .unwrap_err();
    assert_eq!(
        error.message,
        "could not serialize access due to concurrent update"
    );
    drop((snapshot, old));
    second.abort();
    third.abort();
    for _ in 0..4 {
        assert!(db.state() == state);
        db.maintain(1);
    }
}

/// A key locked before or while its row moves is locked in the new place.
#[test]
fn locks_of_keys_go_with_them() {
    let (db, mut state) = Db::filled(&SimEnv::new(22));
    let mut locker = Session::new(db.storage(), 2).begin();
    let snapshot = locker.snapshot().unwrap();
    let at = |id: i32| find(&db.table, &db.by_id, &snapshot, id).unwrap().0;
    let key_share = |txn: &mut Transaction, id: i32| {
        let locked = db.table.lock_row(
            txn,
            &snapshot,
            at(id),
            RowLockMode::KeyShare,
            WaitPolicy::DoNotWait,
        );
        assert_eq!(locked.unwrap(), LockOutcome::Locked);
    };
    locker.assign_xid().unwrap();
    key_share(&mut locker, 100);
    let mut txn = db.session.begin();
    let (stayed, _) = regroup(&db, &mut txn, &mut state, 0..2000);
    assert!(stayed <= FIRST);
    key_share(&mut locker, 200);
    txn.commit().unwrap();
    let mut third = Session::new(db.storage(), 3).begin();
    let now = third.snapshot().unwrap();
    for (id, is_locked) in [(100, true), (200, true), (300, false)] {
        let (at, _) = find(&db.table, &db.by_id, &now, id).unwrap();
        let mode = RowLockMode::Update;
        let locked = db
            .table
            .lock_row(&mut third, &now, at, mode, WaitPolicy::DoNotWait);
        assert_eq!(locked.unwrap() == LockOutcome::NotAvailable, is_locked, "{id}");
    }
    drop((snapshot, now));
    locker.abort();
    third.abort();
    db.maintain(3);
    assert!(db.state() == state);
}

#[test]
fn those_who_wait_follow_them() {
    for commits in [true, false] {
        let (db, mut state) = Db::filled(&SimEnv::new(12));
        let mut txn = db.session.begin();
        let mut after = state.clone();
        let (_, places) = regroup(&db, &mut txn, &mut after, 0..3000);
        txn.next_command().unwrap();
        let ids = [5, 1500, 2999];
        std::thread::scope(|scope| {
            for id in ids {
                let (db, places) = (&db, &places);
                scope.spawn(move || {
                    let session = Session::new(db.storage(), 100 + id);
                    let mut txn = session.begin();
                    let snapshot = txn.snapshot().unwrap();
                    let (at, _) = find(&db.table, &db.by_id, &snapshot, id).unwrap();
                    let outcome = db
                        .table
                        .update(&mut txn, &snapshot, at, &row(id, 0), MODE)
                        .unwrap();
                    if !commits {
                        assert_eq!(outcome, WriteOutcome::Done(at));
                        return txn.abort();
                    }
                    let to = places[id as usize].2;
                    assert_eq!(outcome, WriteOutcome::Conflict(Conflict::Updated(to)));
                    let locked = db.table.lock_latest(&mut txn, to, MODE, WaitPolicy::Block);
                    let (at, latest) = locked.unwrap().unwrap().unwrap();
                    assert_eq!(at, to);
                    let mut values = Vec::new();
                    assert!(db.table.fetch(at, &latest, &mut values).unwrap());
                    let Datum::Int4(v) = values[1] else {
                        panic!("{values:?}")
                    };
                    assert_eq!(db.change(&mut txn, &latest, (at, id), (v, v + 50)), at);
                    txn.commit().unwrap();
                });
            }
            let locks = db.storage().manager().locks();
            while locks.snapshot().iter().filter(|lock| !lock.granted).count() < 3 {
                std::thread::yield_now();
            }
            match commits {
                true => drop(txn.commit().unwrap()),
                false => txn.abort(),
            }
        });
        if commits {
            state = after;
            ids.into_iter().for_each(|id| *state.get_mut(&id).unwrap() += 50);
        }
        for _ in 0..4 {
            assert!(db.state() == state);
            db.maintain(1);
        }
    }
}

/// Gives rows other ids, by one command. The first whose new id somebody has.
fn renumber(db: &Db, txn: &mut Transaction, ids: impl Iterator<Item = i32>, by: i32) -> Option<i32> {
    txn.next_command().unwrap();
    let snapshot = txn.snapshot().unwrap();
    for id in ids {
        let (at, old) = find(&db.table, &db.by_id, &snapshot, id).unwrap();
        let Datum::Int4(v) = old[1] else { panic!("{old:?}") };
        let new = row(id + by, v);
        let outcome = db
            .table
            .update_keys(txn, &snapshot, at, &new, RowLockMode::Update);
        let WriteOutcome::Done(to) = outcome.unwrap() else {
            panic!("{id} was changed")
        };
        assert!(db.by_id.delete(txn, &[int(id)], at).unwrap());
        let added = db.by_id.insert(txn, &[int(id + by)], &[], to, UniqueCheck::Yes);
        if added.unwrap().is_err() {
            return Some(id);
        }
        if to != at {
            assert!(db.by_group.delete(txn, &[group(v)], at).unwrap());
            let added = db.by_group.insert(txn, &[group(v)], &[], to, UniqueCheck::No);
            assert_eq!(added.unwrap(), Ok(()));
        }
    }
    None
}

#[test]
fn unique_keys_may_follow_each_other() {
    let (db, mut state) = Db::filled(&SimEnv::new(23));
    let ids: Range<i32> = 0..ROWS;
    // The next row has the key still.
    let mut txn = db.session.begin();
    assert_eq!(renumber(&db, &mut txn, ids.clone(), 1), Some(0));
    txn.abort();
    let mut txn = db.session.begin();
    assert_eq!(
        renumber(&db, &mut txn, ids.clone().rev().chain(0..1).take(100), 1),
        None
    );
    // Among those that have moved already.
    assert_eq!(renumber(&db, &mut txn, 4899..4900, 2), Some(4899));
    txn.abort();
    assert!(db.state() == state);
    let mut txn = db.session.begin();
    assert_eq!(renumber(&db, &mut txn, ids.clone(), -1), None);
    assert_eq!(renumber(&db, &mut txn, -1..ROWS - 1, ROWS), None);
    txn.commit().unwrap();
    state = state.into_iter().map(|(id, v)| (id - 1 + ROWS, v)).collect();
    for _ in 0..4 {
        let mut txn = db.session.begin();
        let snapshot = txn.snapshot().unwrap();
        let all: State = rows(&db.table, &snapshot)
            .into_iter()
            .map(|(_, id, v)| (id, v))
            .collect();
        assert!(all == state);
        let keys: Vec<i32> = entries(&db.by_id, &snapshot)
            .iter()
            .map(|entry| entry.0)
            .collect();
        assert!(keys == state.keys().copied().collect::<Vec<_>>());
        drop(snapshot);
        txn.abort();
        db.maintain(1);
    }
}

/// Changes of one transaction on top of its own, with savepoints.
fn move_twice(db: &Db, txn: &mut Transaction, state: &mut State) {
    regroup(db, txn, state, 0..4000);
    regroup(db, txn, state, (0..4500).step_by(3));
    db.add(txn, state, (0..4500).step_by(7), 1);
    db.delete(txn, state, (0..4000).step_by(4));
    let savepoint = txn.savepoint().unwrap();
    let mut undone = state.clone();
    regroup(db, txn, &mut undone, 4400..ROWS);
    db.add(txn, &mut undone, (1..4000).step_by(4), 3);
    db.delete(txn, &mut undone, (2..4000).step_by(4));
    txn.rollback_to(&savepoint).unwrap();
    regroup(db, txn, state, 4200..4400);
    db.add(txn, state, 4500..4600, 1);
}

#[test]
fn crashes_bring_back_what_was_committed() {
    // After the commit at once, with checkpoints that an old snapshot holds up, with changes since, and when all is in the store.
    for stage in 0..6 {
        let env = SimEnv::new(5);
        let (db, before) = Db::filled(&env);
        let mut old = Session::new(db.storage(), 2).begin_rr();
        let snapshot = old.snapshot().unwrap();
        let (mut txn, mut state) = (db.session.begin(), before.clone());
        move_twice(&db, &mut txn, &mut state);
        txn.commit().unwrap();
        assert!(db.state() == state);
        if stage > 0 {
            db.maintain(1);
            assert!(db.state_for(&snapshot) == before);
        }
        if stage > 1 {
            let mut txn = db.session.begin();
            regroup(&db, &mut txn, &mut state, (1..4000).step_by(4));
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
                assert_eq!(db.table.size().rows, state.len() as u64);
                if round == 1 {
                    let ids: Vec<i32> = state.keys().copied().collect();
                    db.session.run(|txn| drop(regroup(&db, txn, &mut state, ids)));
                }
                db.maintain(1);
            }
            std::mem::forget(db);
            env = env.crash_with(CrashMode::LoseUnsynced);
        }
    }
}

#[test]
fn an_uncommitted_move_never_was() {
    let env = SimEnv::new(6);
    let (db, mut state) = Db::filled(&env);
    let mut txn = db.session.begin();
    regroup(&db, &mut txn, &mut state.clone(), odd());
    txn.next_command().unwrap();
    db.maintain(1);
    std::mem::forget((txn, db));
    let db = Db::open(&env.crash_with(CrashMode::KeepUnsynced), "/db");
    assert!(db.state() == state);
    db.maintain(3);
    assert_eq!(db.table.size().rows, state.len() as u64);
    let ids: Vec<i32> = state.keys().copied().collect();
    db.session.run(|txn| {
        let (stayed, _) = regroup(&db, txn, &mut state, ids);
        assert!(stayed <= FIRST, "{stayed} stayed");
    });
    assert!(db.state() == state);
}

#[test]
fn prepared_transactions_and_copies_have_them() {
    for commits in [true, false] {
        let env = SimEnv::new(7);
        let (db, before) = Db::filled(&env);
        let (mut txn, mut after) = (db.session.begin(), before.clone());
        move_twice(&db, &mut txn, &mut after);
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
                assert_eq!(copy.table.size().rows, left.len() as u64);
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
    regroup(&db, &mut txn, &mut after, odd());
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

/// Rows that come in another order than they lie, some of which move and others do not.
#[test]
fn any_order_will_do() {
    let (db, mut state) = Db::filled(&SimEnv::new(13));
    let ids: Vec<i32> = (0..ROWS).map(|k| k * 2503 % ROWS).collect();
    let mut old = Session::new(db.storage(), 2).begin();
    let snapshot = old.snapshot().unwrap();
    let mut txn = db.session.begin();
    txn.next_command().unwrap();
    let (own, mut places) = (txn.snapshot().unwrap(), Vec::new());
    for id in ids {
        let (at, _) = find(&db.table, &db.by_id, &own, id).unwrap();
        let (v, by) = (state[&id], if id % 3 == 0 { 1 } else { GROUP });
        let to = db.change(&mut txn, &own, (at, id), (v, v + by));
        places.push((id, at, to));
        state.insert(id, v + by);
    }
    drop(own);
    txn.commit().unwrap();
    for (id, at, to) in places {
        let locked = db
            .table
            .lock_row(&mut old, &snapshot, at, MODE, WaitPolicy::Block);
        let updated = LockOutcome::Conflict(Conflict::Updated(to));
        assert_eq!(locked.unwrap(), updated, "{id}");
    }
    drop(snapshot);
    old.abort();
    for _ in 0..4 {
        assert!(db.state() == state);
        db.maintain(1);
    }
}
