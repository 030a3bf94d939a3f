//! Who waits for a row gets it in the order of arrival while the row stays where it is; who waits for a key goes on when it is given up.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::{Arc, Mutex};

use common::*;
use pglite_access::*;
use txn::{LockTag, RowLockMode};
use types::Datum;

const WAITERS: i32 = 6;

/// Appends a digit to a row as read committed does, and takes note of who it was while the row is locked.
fn append(table: &Table, txn: &mut Transaction, at: ::common::RowId, digit: i32, served: &Mutex<Vec<i32>>) {
    let mut snapshot = txn.snapshot().unwrap();
    let mut at = at;
    loop {
        let mut old = Vec::new();
        assert!(table.fetch(at, &snapshot, &mut old).unwrap());
        let Datum::Int4(v) = old[1] else { panic!("{old:?}") };
        let new = row(0, v * 10 + digit);
        match table
            .update(txn, &snapshot, at, &new, RowLockMode::NoKeyUpdate)
            .unwrap()
        {
            WriteOutcome::Done(_) => return served.lock().unwrap().push(digit),
            WriteOutcome::Conflict(Conflict::Updated(to)) => {
                let latest = table.lock_latest(txn, to, RowLockMode::NoKeyUpdate, WaitPolicy::Block);
                (at, snapshot) = latest.unwrap().unwrap().unwrap();
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Sessions that wait for a row, in the order in which they came. A row that moves with each update makes them look for it anew, which may
/// let one overtake another, as in PostgreSQL: then each must merely have its turn, once.
fn queue_up(rows_before: i32, lock_first: bool) {
    let moves = rows_before == 1;
    let storage = memory();
    let table = storage.table(&table_def(20000)).unwrap();
    let first = Session::new(&storage, 1);
    let at = first.run(|txn| table.insert(txn, &row(0, 0)).unwrap());
    first.run(|txn| {
        for id in 1..rows_before {
            table.insert(txn, &row(id, 0)).unwrap();
        }
    });
    let served = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let mut holder = first.begin();
        append(&table, &mut holder, at, 1, &served);
        for digit in 2..2 + WAITERS {
            let (table, storage, served) = (&table, &storage, &served);
            scope.spawn(move || {
                let mut txn = Session::new(storage, digit).begin();
                if lock_first && digit % 2 == 0 {
                    let snapshot = txn.snapshot().unwrap();
                    let (mode, policy) = (RowLockMode::Update, WaitPolicy::Block);
                    let locked = table.lock_newest(&mut txn, &snapshot, at, mode, policy).unwrap();
                    assert!(matches!(locked, NewestLock::Newer(..)));
                    txn.next_command().unwrap();
                    let NewestLock::Newer(at, _) = locked else { return };
                    append(table, &mut txn, at, digit, served);
                } else {
                    append(table, &mut txn, at, digit, served);
                }
                txn.commit().unwrap();
            });
            until_waiting(storage, digit as usize - 1);
        }
        holder.commit().unwrap();
    });
    let expected: Vec<i32> = (1..2 + WAITERS).collect();
    let mut served = served.lock().unwrap().clone();
    if moves {
        served.sort_unstable();
    }
    assert_eq!(served, expected);
    assert_eq!(storage.manager().locks().snapshot(), []);
}

fn until_waiting(storage: &Arc<Storage>, sessions: usize) {
    let waiting = || {
        let all = storage.manager().locks().snapshot();
        all.iter().filter(|lock| !lock.granted).count()
    };
    while waiting() < sessions {
        std::thread::yield_now();
    }
    // One waits for the transaction in the way, the others for their turn.
    let all = storage.manager().locks().snapshot();
    let turns = all
        .iter()
        .filter(|lock| matches!(lock.tag, LockTag::Tuple { .. }));
    assert_eq!(turns.count(), sessions);
}

#[test]
fn updated_in_place() {
    queue_up(2000, false);
    queue_up(2000, true);
}

#[test]
fn moved_by_each_update() {
    queue_up(1, false);
    queue_up(1, true);
}

/// Who keeps the key of a row keeps it where an update moves the row to, whether the lock or the update came first, over several moves and
/// after a merge.
#[test]
fn a_locked_key_stays_locked_where_the_row_moves() {
    for lock_first in [true, false] {
        let storage = memory();
        let table = storage.table(&table_def(20000)).unwrap();
        let session = |pid| Session::new(&storage, pid);
        let (a, b, c) = (session(1), session(2), session(3));
        let mut at = a.run(|txn| table.insert(txn, &row(0, 0)).unwrap());
        let keep = |txn: &mut Transaction, at| {
            let snapshot = txn.snapshot().unwrap();
            let locked = table.lock_row(txn, &snapshot, at, RowLockMode::KeyShare, WaitPolicy::DoNotWait);
            assert_eq!(locked.unwrap(), LockOutcome::Locked);
        };
        let mut keeper = a.begin();
        if lock_first {
            keep(&mut keeper, at);
        }
        for v in 1..4 {
            let mut txn = b.begin();
            let snapshot = txn.snapshot().unwrap();
            let moved = table.update(&mut txn, &snapshot, at, &row(0, v), RowLockMode::NoKeyUpdate);
            let WriteOutcome::Done(to) = moved.unwrap() else {
                panic!()
            };
            assert_ne!(to, at);
            if !lock_first && v == 1 {
                keep(&mut keeper, at);
            }
            txn.commit().unwrap();
            at = to;
        }
        storage.checkpoint().unwrap();
        storage.merge().unwrap();
        let ask = |mode| {
            let mut txn = c.begin();
            let snapshot = txn.snapshot().unwrap();
            let locked = table.lock_row(&mut txn, &snapshot, at, mode, WaitPolicy::DoNotWait);
            locked.unwrap()
        };
        assert_eq!(ask(RowLockMode::NoKeyUpdate), LockOutcome::Locked);
        assert_eq!(ask(RowLockMode::Update), LockOutcome::NotAvailable);
        keeper.commit().unwrap();
        assert_eq!(ask(RowLockMode::Update), LockOutcome::Locked);
    }
}

/// Between a look at a key and waiting for who has it that one may have given it up: it must not be waited for then.
#[test]
fn a_rollback_to_a_savepoint_before_the_wait_is_noticed() {
    let storage = memory();
    let (table, by_id) = (
        storage.table(&table_def(20000)).unwrap(),
        storage.index(&index_def(20001)).unwrap(),
    );
    let (one, two) = (Session::new(&storage, 1), Session::new(&storage, 2));
    let mut holder = one.begin();
    let savepoint = holder.savepoint().unwrap();
    let at = table.insert(&mut holder, &row(1, 1)).unwrap();
    let added = by_id.insert(&mut holder, &[int(1)], &[], at, UniqueCheck::Yes);
    assert_eq!(added.unwrap(), Ok(()));
    let xid = holder.xid().unwrap();
    let mut other = two.begin();
    other.options_mut().wait.lock_timeout = Some(std::time::Duration::from_millis(20));
    let mut obstacle = Obstacle::default();
    // The first time it only begins to watch; a transaction that goes on having the key is waited for.
    obstacle.met(&other, xid).unwrap();
    assert!(obstacle.met(&other, xid).is_err());
    obstacle.met(&other, xid).unwrap();
    holder.rollback_to(&savepoint).unwrap();
    obstacle.met(&other, xid).unwrap();
    let at = table.insert(&mut other, &row(1, 2)).unwrap();
    let added = by_id.insert(&mut other, &[int(1)], &[], at, UniqueCheck::Yes);
    assert_eq!(added.unwrap(), Ok(()));
    other.commit().unwrap();
    // One that has ended is not waited for either.
    holder.commit().unwrap();
    let third = one.begin();
    obstacle.met(&third, xid).unwrap();
    obstacle.met(&third, xid).unwrap();
}
