//! Locks between sessions: waiting, fairness, timeouts, deadlocks, the fast path.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::cancel::{CancelReason, CancelToken};
use common::env::os::OsEnv;
use common::{Oid, PgError, sqlstate};

use crate::locks::LockMode::*;
use crate::{
    AdvisoryKey, LockDuration, LockMode, LockOutcome, LockTag, Proc, Txn, TxnError, TxnManager, TxnResult,
    TxnStart, WaitOptions, Wal,
};

pub(super) const TXN: LockDuration = LockDuration::Transaction;
const SESSION: LockDuration = LockDuration::Session;

pub(super) fn manager() -> Arc<TxnManager> {
    TxnManager::new(Arc::new(OsEnv::new()), Wal::none(), TxnStart::default()).unwrap()
}

fn relation(n: u32) -> LockTag {
    LockTag::Relation {
        database: Oid(5),
        relation: Oid(n),
    }
}

fn advisory(n: i64) -> LockTag {
    LockTag::Advisory {
        database: Oid(5),
        key: AdvisoryKey::One(n),
    }
}

pub(super) fn patient() -> WaitOptions {
    WaitOptions {
        deadlock_timeout: Duration::from_millis(30),
        ..WaitOptions::default()
    }
}

fn impatient() -> WaitOptions {
    WaitOptions {
        lock_timeout: Some(Duration::from_millis(20)),
        ..WaitOptions::default()
    }
}

/// Takes a lock in another thread.
fn lock_later(
    manager: &Arc<TxnManager>,
    proc: &Arc<Proc>,
    tag: LockTag,
    mode: LockMode,
) -> JoinHandle<TxnResult<LockOutcome>> {
    let (manager, proc) = (Arc::clone(manager), Arc::clone(proc));
    thread::spawn(move || manager.locks().lock(&proc, tag, mode, TXN, &patient()))
}

/// Returns when `count` requests wait.
pub(super) fn until_waiting(manager: &TxnManager, count: usize) {
    while manager
        .locks()
        .snapshot()
        .iter()
        .filter(|status| !status.granted)
        .count()
        != count
    {
        thread::sleep(Duration::from_millis(1));
    }
}

pub(super) fn writer(manager: &Arc<TxnManager>, proc: &Arc<Proc>) -> Txn {
    let mut txn = manager.begin(proc).unwrap();
    txn.assign_xid().unwrap();
    txn
}

#[test]
fn every_pair_of_modes_excludes_as_the_table_says() {
    let manager = manager();
    let (a, b) = (manager.register(1).unwrap(), manager.register(2).unwrap());
    let locks = manager.locks();
    for (n, tag) in [(0, relation(7)), (1, advisory(7))] {
        for held in LockMode::ALL {
            for wanted in LockMode::ALL {
                let (ta, tb) = (manager.begin(&a).unwrap(), manager.begin(&b).unwrap());
                assert_eq!(
                    locks.try_lock(&a, tag, held, TXN).unwrap(),
                    Some(LockOutcome::Granted)
                );
                let got = locks.try_lock(&b, tag, wanted, TXN).unwrap();
                assert_eq!(
                    got.is_none(),
                    held.conflicts_with(wanted),
                    "{n} {held:?} {wanted:?}"
                );
                // Own locks never exclude.
                assert!(locks.try_lock(&a, tag, wanted, TXN).unwrap().is_some() || got.is_some());
                ta.finish();
                tb.finish();
            }
        }
    }
    assert!(locks.snapshot().is_empty());
    assert!(
        locks
            .strong
            .iter()
            .all(|count| count.load(std::sync::atomic::Ordering::SeqCst) == 0)
    );
}

#[test]
fn weak_relation_locks_take_the_fast_path_until_somebody_wants_more() {
    let manager = manager();
    let (a, b) = (manager.register(1).unwrap(), manager.register(2).unwrap());
    let locks = manager.locks();
    let txn = manager.begin(&a).unwrap();
    locks.lock(&a, relation(1), AccessShare, TXN, &patient()).unwrap();
    locks
        .lock(&a, relation(1), RowExclusive, TXN, &patient())
        .unwrap();
    assert_eq!(
        locks.lock(&a, relation(1), AccessShare, TXN, &patient()).unwrap(),
        LockOutcome::AlreadyHeld
    );
    let on_relation = |granted| {
        let all = locks
            .snapshot()
            .into_iter()
            .filter(|s| s.tag == relation(1) && s.granted == granted);
        all.map(|s| (s.pid, s.mode, s.fast_path)).collect::<Vec<_>>()
    };
    assert_eq!(
        on_relation(true),
        [(1, AccessShare, true), (1, RowExclusive, true)]
    );
    let waiter = lock_later(&manager, &b, relation(1), AccessExclusive);
    until_waiting(&manager, 1);
    assert_eq!(
        on_relation(true),
        [(1, AccessShare, false), (1, RowExclusive, false)]
    );
    assert_eq!(on_relation(false), [(2, AccessExclusive, false)]);
    assert_eq!(locks.blocking_pids(2), [1]);
    assert!(locks.is_held(&a, relation(1), RowExclusive));
    assert_eq!(
        locks
            .lock(&a, relation(1), RowExclusive, TXN, &patient())
            .unwrap(),
        LockOutcome::AlreadyHeld
    );
    txn.finish();
    assert_eq!(waiter.join().unwrap().unwrap(), LockOutcome::Granted);
    assert_eq!(locks.try_lock(&a, relation(1), AccessShare, TXN).unwrap(), None);
    locks.end_session(&b);
    assert!(
        locks
            .try_lock(&a, relation(1), AccessShare, TXN)
            .unwrap()
            .is_some()
    );
}

#[test]
fn a_fast_lock_taken_again_after_a_move_is_released_in_both_places() {
    let manager = manager();
    let (a, b) = (manager.register(1).unwrap(), manager.register(2).unwrap());
    let locks = manager.locks();
    locks.lock(&a, relation(1), AccessShare, TXN, &patient()).unwrap();
    // Exclusive does not exclude AccessShare, but moves it.
    let other = manager.begin(&b).unwrap();
    locks.lock(&b, relation(1), Exclusive, TXN, &patient()).unwrap();
    other.finish();
    locks.lock(&a, relation(1), AccessShare, TXN, &patient()).unwrap();
    locks.end_session(&a);
    assert!(locks.snapshot().is_empty());
    assert!(
        locks
            .try_lock(&b, relation(1), AccessExclusive, TXN)
            .unwrap()
            .is_some()
    );
}

#[test]
fn more_relations_than_the_fast_path_holds() {
    let manager = manager();
    let a = manager.register(1).unwrap();
    let locks = manager.locks();
    let txn = manager.begin(&a).unwrap();
    for n in 0..40 {
        locks.lock(&a, relation(n), AccessShare, TXN, &patient()).unwrap();
    }
    let held = locks.snapshot();
    assert_eq!(
        held.iter()
            .filter(|s| s.fast_path && matches!(s.tag, LockTag::Relation { .. }))
            .count(),
        16
    );
    assert_eq!(held.len(), 41);
    txn.finish();
    assert!(locks.snapshot().is_empty());
}

#[test]
fn rolling_back_to_a_savepoint_releases_what_came_after() {
    let manager = manager();
    let (a, b) = (manager.register(1).unwrap(), manager.register(2).unwrap());
    let locks = manager.locks();
    let txn = manager.begin(&a).unwrap();
    locks
        .lock(&a, relation(1), RowExclusive, TXN, &patient())
        .unwrap();
    let savepoint = txn.lock_mark();
    locks
        .lock(&a, relation(1), RowExclusive, TXN, &patient())
        .unwrap();
    locks
        .lock(&a, relation(2), AccessExclusive, TXN, &patient())
        .unwrap();
    locks.lock(&a, relation(3), AccessShare, TXN, &patient()).unwrap();
    let (waiter, c) = (
        lock_later(&manager, &b, relation(2), AccessShare),
        manager.register(3).unwrap(),
    );
    until_waiting(&manager, 1);
    txn.release_locks_to(savepoint);
    waiter.join().unwrap().unwrap();
    assert!(
        locks
            .try_lock(&c, relation(3), AccessExclusive, TXN)
            .unwrap()
            .is_some()
    );
    assert!(
        locks
            .try_lock(&c, relation(1), AccessExclusive, TXN)
            .unwrap()
            .is_none()
    );
    txn.finish();
}

#[test]
fn timeouts_cancellation_and_their_messages() {
    let manager = manager();
    let (a, b) = (manager.register(1).unwrap(), manager.register(2).unwrap());
    let locks = manager.locks();
    locks
        .lock(&a, relation(1), AccessExclusive, TXN, &patient())
        .unwrap();
    let error = locks
        .lock(&b, relation(1), AccessShare, TXN, &impatient())
        .unwrap_err();
    assert_eq!(error.sqlstate(), sqlstate::LOCK_NOT_AVAILABLE);
    assert_eq!(error.to_string(), "canceling statement due to lock timeout");
    let cancel = CancelToken::new();
    let options = WaitOptions {
        cancel: cancel.clone(),
        ..patient()
    };
    let waiter = {
        let (manager, b) = (Arc::clone(&manager), Arc::clone(&b));
        thread::spawn(move || manager.locks().lock(&b, relation(1), AccessShare, TXN, &options))
    };
    until_waiting(&manager, 1);
    cancel.cancel(CancelReason::User);
    b.interrupt();
    let error: Box<PgError> = waiter.join().unwrap().unwrap_err().into();
    assert_eq!(error.sqlstate, sqlstate::QUERY_CANCELED);
    until_waiting(&manager, 0);
    drop(a);
    assert!(
        locks
            .try_lock(&b, relation(1), AccessShare, TXN)
            .unwrap()
            .is_some()
    );
}

#[test]
fn advisory_locks_count_per_session_and_once_per_transaction() {
    let manager = manager();
    let (a, b) = (manager.register(1).unwrap(), manager.register(2).unwrap());
    let locks = manager.locks();
    let txn = manager.begin(&a).unwrap();
    assert_eq!(
        locks.try_lock(&a, advisory(1), Exclusive, SESSION).unwrap(),
        Some(LockOutcome::Granted)
    );
    assert_eq!(
        locks.try_lock(&a, advisory(1), Exclusive, SESSION).unwrap(),
        Some(LockOutcome::AlreadyHeld)
    );
    assert_eq!(
        locks.try_lock(&a, advisory(1), Exclusive, TXN).unwrap(),
        Some(LockOutcome::Granted)
    );
    assert!(locks.unlock_session(&a, advisory(1), Exclusive));
    assert!(locks.unlock_session(&a, advisory(1), Exclusive));
    assert!(!locks.unlock_session(&a, advisory(1), Exclusive));
    assert!(locks.try_lock(&b, advisory(1), Share, SESSION).unwrap().is_none());
    txn.finish();
    assert!(locks.try_lock(&b, advisory(1), Share, SESSION).unwrap().is_some());
    let two = LockTag::Advisory {
        database: Oid(5),
        key: AdvisoryKey::Two(0, 1),
    };
    assert!(locks.try_lock(&a, two, Exclusive, SESSION).unwrap().is_some());
    locks.unlock_session_advisory(&b);
    assert!(locks.try_lock(&a, advisory(1), Exclusive, TXN).unwrap().is_some());
}

#[test]
fn the_end_of_a_transaction_wakes_those_who_wait_for_it() {
    let manager = manager();
    let procs: Vec<_> = (1..4).map(|pid| manager.register(pid).unwrap()).collect();
    let mut txn = writer(&manager, &procs[0]);
    let (xid, vxid, stamp) = (txn.xid().unwrap(), txn.vxid(), txn.stamp());
    let waiters: Vec<_> = procs[1..]
        .iter()
        .map(|proc| {
            let (manager, proc) = (Arc::clone(&manager), Arc::clone(proc));
            thread::spawn(move || match proc.pid() {
                2 => manager.locks().wait_for_txn(&proc, xid, &patient()),
                _ => manager.locks().wait_for_vxid(&proc, vxid, &patient()),
            })
        })
        .collect();
    until_waiting(&manager, 2);
    assert_eq!(manager.locks().blocking_pids(2), [1]);
    let waiting: Vec<_> = manager
        .locks()
        .snapshot()
        .into_iter()
        .filter(|s| !s.granted)
        .collect();
    assert!(waiting.iter().all(|s| s.mode == Share));
    txn.commit(None, Default::default()).unwrap();
    txn.finish();
    for waiter in waiters {
        waiter.join().unwrap().unwrap();
    }
    let locks = manager.locks();
    assert!(locks.snapshot().is_empty());
    locks.wait_for_txn(&procs[1], xid, &patient()).unwrap();
    locks.wait_for_stamp(&procs[1], stamp, &patient()).unwrap();
}

#[test]
fn a_dropped_transaction_counts_as_rolled_back() {
    let manager = manager();
    let (a, b) = (manager.register(1).unwrap(), manager.register(2).unwrap());
    let txn = writer(&manager, &a);
    let stamp = txn.stamp();
    manager
        .locks()
        .lock(&a, relation(1), AccessExclusive, TXN, &patient())
        .unwrap();
    drop(txn);
    manager.locks().wait_for_stamp(&b, stamp, &patient()).unwrap();
    assert!(
        manager
            .locks()
            .try_lock(&b, relation(1), AccessShare, TXN)
            .unwrap()
            .is_some()
    );
    let version = crate::AtomicStamp::new(stamp);
    assert_eq!(version.resolve(manager.table()), crate::StampState::Never);
    assert!(manager.begin(&a).unwrap().assign_xid().is_err());
    let number = a.number();
    drop(a);
    assert_ne!(manager.register(3).unwrap().number(), number);
    assert_eq!(version.resolve(manager.table()), crate::StampState::Never);
}

/// Sessions each holding `held[i]` (exclusively) and then asking for `wanted[i]`: one of them must fail with this detail.
fn deadlock(held: &[LockTag], wanted: &[LockTag], mode: LockMode) -> (usize, String) {
    let manager = manager();
    let procs: Vec<_> = (0..held.len())
        .map(|n| manager.register(100 + n as i32).unwrap())
        .collect();
    for (proc, tag) in procs.iter().zip(held) {
        manager.locks().lock(proc, *tag, mode, TXN, &patient()).unwrap();
    }
    let threads: Vec<_> = procs
        .iter()
        .zip(wanted)
        .map(|(proc, tag)| {
            let (manager, proc, tag) = (Arc::clone(&manager), Arc::clone(proc), *tag);
            thread::spawn(move || {
                let result = manager.locks().lock(&proc, tag, mode, TXN, &patient());
                manager.locks().end_session(&proc);
                result
            })
        })
        .collect();
    let results: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let victims: Vec<_> = results
        .iter()
        .enumerate()
        .filter_map(|(n, r)| r.as_ref().err().map(|e| (n, e)))
        .collect();
    assert_eq!(victims.len(), 1);
    let (victim, TxnError::Deadlock { detail }) = victims[0] else {
        panic!("{victims:?}")
    };
    assert!(manager.locks().snapshot().is_empty());
    (victim, detail.clone())
}

#[test]
fn two_sessions_in_a_deadlock() {
    let (victim, detail) = deadlock(
        &[relation(1), relation(2)],
        &[relation(2), relation(1)],
        AccessExclusive,
    );
    let line = |waiter: usize, blocker: usize| {
        let wanted = 2 - waiter;
        format!(
            "Process {} waits for AccessExclusiveLock on relation {wanted} of database 5; blocked by process {}.",
            100 + waiter,
            100 + blocker
        )
    };
    assert_eq!(
        detail,
        format!("{}\n{}", line(victim, 1 - victim), line(1 - victim, victim))
    );
}

#[test]
fn three_sessions_in_a_deadlock() {
    let tags = [advisory(1), advisory(2), advisory(3)];
    let (_, detail) = deadlock(&tags, &[tags[1], tags[2], tags[0]], Exclusive);
    assert_eq!(detail.lines().count(), 3);
    assert!(
        detail.contains("on advisory lock [5,0,1,1]; blocked by process 100."),
        "{detail}"
    );
}

#[test]
fn an_upgrade_by_two_holders_is_a_deadlock() {
    let manager = manager();
    let (a, b) = (manager.register(1).unwrap(), manager.register(2).unwrap());
    let locks = manager.locks();
    for proc in [&a, &b] {
        locks.lock(proc, relation(1), Share, TXN, &patient()).unwrap();
    }
    let waiter = lock_later(&manager, &a, relation(1), AccessExclusive);
    until_waiting(&manager, 1);
    let error: Box<PgError> = locks
        .lock(&b, relation(1), AccessExclusive, TXN, &patient())
        .unwrap_err()
        .into();
    assert_eq!(
        (error.sqlstate, error.message.as_str()),
        (sqlstate::T_R_DEADLOCK_DETECTED, "deadlock detected")
    );
    assert_eq!(error.hint.as_deref(), Some("See server log for query details."));
    locks.end_session(&b);
    waiter.join().unwrap().unwrap();
}

#[test]
fn a_deadlock_over_queue_order_is_avoided_by_passing() {
    let manager = manager();
    let procs: Vec<_> = (1..4).map(|pid| manager.register(pid).unwrap()).collect();
    let locks = manager.locks();
    locks
        .lock(&procs[0], relation(1), AccessShare, TXN, &patient())
        .unwrap();
    locks
        .lock(&procs[2], relation(2), Exclusive, TXN, &patient())
        .unwrap();
    let second = lock_later(&manager, &procs[1], relation(1), AccessExclusive);
    until_waiting(&manager, 1);
    // Queues behind the second although it could share with the first.
    let third = lock_later(&manager, &procs[2], relation(1), AccessShare);
    until_waiting(&manager, 2);
    let first = lock_later(&manager, &procs[0], relation(2), Exclusive);
    assert_eq!(third.join().unwrap().unwrap(), LockOutcome::Granted);
    locks.end_session(&procs[2]);
    first.join().unwrap().unwrap();
    locks.end_session(&procs[0]);
    second.join().unwrap().unwrap();
}

#[test]
fn many_threads_never_hold_conflicting_locks() {
    use std::sync::atomic::{AtomicI32, Ordering};
    let manager = manager();
    // Readers count up, a writer must find zero.
    let inside: Arc<Vec<AtomicI32>> = Arc::new((0..3).map(|_| AtomicI32::new(0)).collect());
    let threads: Vec<_> = (0..6)
        .map(|n| {
            let (manager, inside) = (Arc::clone(&manager), Arc::clone(&inside));
            thread::spawn(move || {
                let proc = manager.register(n).unwrap();
                for i in 0..300 {
                    let txn = manager.begin(&proc).unwrap();
                    let at = ((i * 7 + n) % 3) as usize;
                    let mode = if (i + n) % 5 == 0 {
                        AccessExclusive
                    } else {
                        RowExclusive
                    };
                    manager
                        .locks()
                        .lock(&proc, relation(at as u32), mode, TXN, &patient())
                        .unwrap();
                    if mode == AccessExclusive {
                        assert_eq!(inside[at].swap(-1000, Ordering::SeqCst), 0);
                        thread::yield_now();
                        assert_eq!(inside[at].swap(0, Ordering::SeqCst), -1000);
                    } else {
                        assert!(inside[at].fetch_add(1, Ordering::SeqCst) >= 0);
                        thread::yield_now();
                        assert!(inside[at].fetch_sub(1, Ordering::SeqCst) > 0);
                    }
                    txn.finish();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(manager.locks().snapshot().is_empty());
}

/// Transactions that take several locks in any order: each ends, by success, deadlock or timeout, and nothing is left behind.
#[test]
fn random_transactions_all_end() {
    let manager = manager();
    let threads: Vec<_> = (0..8u32)
        .map(|n| {
            let manager = Arc::clone(&manager);
            thread::spawn(move || {
                let proc = manager.register(n as i32).unwrap();
                let (mut dice, mut failed) = (n + 1, 0);
                let mut roll = move |below: u32| {
                    dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (dice >> 16) % below
                };
                for _ in 0..60 {
                    let txn = writer(&manager, &proc);
                    for _ in 0..4 {
                        let mode = LockMode::ALL[roll(8) as usize];
                        let tag = if roll(2) == 0 {
                            relation(roll(4))
                        } else {
                            advisory(i64::from(roll(3)))
                        };
                        let wait = WaitOptions {
                            deadlock_timeout: Duration::from_millis(2),
                            lock_timeout: (roll(4) == 0).then_some(Duration::from_millis(5)),
                            ..WaitOptions::default()
                        };
                        let result = match (roll(6), manager.active_xids().first()) {
                            (0, Some(oldest)) => manager.locks().wait_for_txn(&proc, *oldest, &wait),
                            _ => manager.locks().lock(&proc, tag, mode, TXN, &wait).map(|_| ()),
                        };
                        match result {
                            Ok(()) => thread::sleep(Duration::from_micros(50)),
                            Err(TxnError::Deadlock { .. } | TxnError::LockTimeout) => {
                                failed += 1;
                                break;
                            }
                            Err(other) => panic!("{other}"),
                        }
                    }
                    txn.abort();
                }
                failed
            })
        })
        .collect();
    let failed: u32 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert!(failed > 0);
    assert!(manager.locks().snapshot().is_empty());
    for counters in [&manager.locks().strong, &manager.locks().row_locks] {
        assert!(
            counters
                .iter()
                .all(|count| count.load(std::sync::atomic::Ordering::SeqCst) == 0)
        );
    }
}
