//! Tests of row locks and of turns at rows.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use common::{Oid, RowId};

use crate::TxnError;
use crate::locks::LockMode::*;
use crate::locks::tests::{TXN, manager, patient, until_waiting, writer};
use crate::locks::{LockTag, WaitOptions};

#[test]
fn row_locks_raise_a_flag_for_their_relation() {
    let manager = manager();
    let a = manager.register(1).unwrap();
    let locks = manager.locks();
    let row = LockTag::Row {
        database: Oid(5),
        relation: Oid(9),
        row: RowId(3),
    };
    assert!(!locks.has_row_locks(Oid(5), Oid(9)));
    let txn = manager.begin(&a).unwrap();
    locks.lock(&a, row, Exclusive, TXN, &patient()).unwrap();
    locks.lock(&a, row, Exclusive, TXN, &patient()).unwrap();
    locks.lock(&a, row, AccessExclusive, TXN, &patient()).unwrap();
    assert!(locks.has_row_locks(Oid(5), Oid(9)));
    assert!(locks.unlock_early(&a, row, Exclusive));
    assert!(!locks.unlock_early(&a, row, Exclusive));
    assert!(locks.has_row_locks(Oid(5), Oid(9)));
    txn.finish();
    assert!(!locks.has_row_locks(Oid(5), Oid(9)));
}

#[test]
fn a_deadlock_between_rows_and_transactions() {
    let manager = manager();
    let procs: Vec<_> = (1..4).map(|pid| manager.register(pid).unwrap()).collect();
    let txns: Vec<_> = procs.iter().map(|proc| writer(&manager, proc)).collect();
    let (database, relation, row) = (Oid(5), Oid(9), RowId(3));
    let held = LockTag::Row {
        database,
        relation,
        row,
    };
    let turn = LockTag::Tuple {
        database,
        relation,
        row,
    };
    let locks = manager.locks();
    locks.set_tid_format(|row| (0, row.0 as u16));
    assert_eq!(locks.lock_row(&procs[0], held, AccessExclusive).unwrap(), None);
    // The second has the turn and waits for the first, the third waits for the turn.
    let in_the_way = locks.lock_row(&procs[1], held, AccessExclusive).unwrap().unwrap();
    assert_eq!(in_the_way, txns[0].stamp());
    let without_end = WaitOptions {
        deadlock_timeout: Duration::from_secs(3600),
        ..WaitOptions::default()
    };
    locks
        .lock(&procs[1], turn, AccessExclusive, TXN, &without_end)
        .unwrap();
    let second = {
        let (manager, proc, wait) = (Arc::clone(&manager), Arc::clone(&procs[1]), without_end.clone());
        thread::spawn(move || {
            let watch = manager.locks().watch(in_the_way);
            manager.locks().wait_for_watched(&proc, watch, &wait)
        })
    };
    until_waiting(&manager, 1);
    let third = {
        let (manager, proc) = (Arc::clone(&manager), Arc::clone(&procs[2]));
        thread::spawn(move || {
            manager
                .locks()
                .lock(&proc, turn, AccessExclusive, TXN, &without_end)
        })
    };
    until_waiting(&manager, 2);
    assert_eq!(locks.blocking_pids(3), [2]);
    assert_eq!(locks.blocking_pids(2), [1]);
    let Err(TxnError::Deadlock { detail }) = locks.wait_for_stamp(&procs[0], txns[2].stamp(), &patient())
    else {
        panic!("no deadlock");
    };
    let [first_xid, third_xid] = [0, 2].map(|n: usize| txns[n].xid().unwrap());
    assert_eq!(
        detail,
        format!(
            "Process 1 waits for ShareLock on transaction {third_xid}; blocked by process 3.\n\
             Process 3 waits for AccessExclusiveLock on tuple (0,3) of relation 9 of database 5; blocked by process 2.\n\
             Process 2 waits for ShareLock on transaction {first_xid}; blocked by process 1."
        )
    );
    for (n, txn) in txns.into_iter().enumerate() {
        txn.abort();
        if n == 0 {
            second.join().unwrap().unwrap();
            break;
        }
    }
    locks.unlock_early(&procs[1], turn, AccessExclusive);
    third.join().unwrap().unwrap();
}

/// A rollback to a savepoint between the look at a row and the wait for its locker is not missed.
#[test]
fn a_watch_is_outdated_by_a_rollback_to_a_savepoint() {
    let manager = manager();
    let (a, b) = (manager.register(1).unwrap(), manager.register(2).unwrap());
    let txn = writer(&manager, &a);
    let mark = txn.lock_mark();
    let watch = manager.locks().watch(txn.stamp());
    txn.release_locks_to(mark);
    manager.locks().wait_for_watched(&b, watch, &patient()).unwrap();
    txn.abort();
}
