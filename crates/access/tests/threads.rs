//! Real threads: writers move money, readers add it up, maintenance runs in between.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ::common::env::os::OsEnv;
use ::common::sqlstate;
use common::*;
use pglite_access::*;
use txn::RowLockMode;
use types::Datum;

const ACCOUNTS: i32 = 500;

/// Adds `amount` to an account, following concurrent updates as read committed does. False: deadlock or conflict.
fn add(
    table: &Table,
    index: &Index,
    txn: &mut Transaction,
    id: i32,
    amount: i32,
) -> Result<(), Box<::common::PgError>> {
    txn.next_command()?;
    let mut snapshot = txn.snapshot()?;
    let mut key = Vec::new();
    index.encode_prefix(&[int(id)], &mut key);
    let mut at = index.lookup(&snapshot, &key)?.unwrap();
    loop {
        let mut old = Vec::new();
        assert!(
            table.fetch(at, &snapshot, &mut old)?,
            "row {at} of account {id} is not visible"
        );
        let Datum::Int4(v) = old[1] else { panic!("{old:?}") };
        match table.update(txn, &snapshot, at, &row(id, v + amount), RowLockMode::NoKeyUpdate)? {
            WriteOutcome::Done(to) => {
                if to != at {
                    assert!(index.delete(txn, &[int(id)], at)?);
                    index.insert(txn, &[int(id)], &[], to, UniqueCheck::Yes)?.unwrap();
                }
                return Ok(());
            }
            WriteOutcome::Conflict(Conflict::Updated(to)) => {
                let latest = table.lock_latest(txn, to, RowLockMode::NoKeyUpdate, WaitPolicy::Block)?;
                (at, snapshot) = latest.unwrap().unwrap();
            }
            other => panic!("{other:?}"),
        }
    }
}

fn transfers(storage: Arc<Storage>, accounts: i32, time: Duration) {
    let table = storage.table(&table_def(20000)).unwrap();
    let index = storage.index(&index_def(20001)).unwrap();
    Session::new(&storage, 1).run(|txn| {
        for id in 0..accounts {
            let at = table.insert(txn, &row(id, 100)).unwrap();
            index
                .insert(txn, &[int(id)], &[], at, UniqueCheck::Yes)
                .unwrap()
                .unwrap();
        }
    });
    let stop = AtomicBool::new(false);
    let (done, reads) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for writer in 0..8u64 {
            let (table, index, storage, stop, done) = (&table, &index, &storage, &stop, &done);
            scope.spawn(move || {
                let session = Session::new(storage, 10 + writer as i32);
                let mut random = ::common::env::sim::SimRandom::new(writer);
                while !stop.load(Ordering::Relaxed) {
                    let (a, b) = (
                        random.below(accounts as u64) as i32,
                        random.below(accounts as u64) as i32,
                    );
                    let mut txn = session.begin();
                    txn.options_mut().wait.deadlock_timeout = Duration::from_millis(20);
                    let moved =
                        add(table, index, &mut txn, a, -7).and_then(|()| add(table, index, &mut txn, b, 7));
                    match moved {
                        Ok(()) if random.one_in(10) => txn.abort(),
                        Ok(()) => {
                            txn.commit().unwrap();
                            done.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(e) => assert_eq!(e.sqlstate, sqlstate::T_R_DEADLOCK_DETECTED, "{e}"),
                    }
                }
            });
        }
        for reader in 0..2 {
            let (table, index, storage, stop, reads) = (&table, &index, &storage, &stop, &reads);
            scope.spawn(move || {
                let session = Session::new(storage, 100 + reader);
                while !stop.load(Ordering::Relaxed) {
                    let mut txn = session.begin_rr();
                    let snapshot = txn.snapshot().unwrap();
                    let all = rows(table, &snapshot);
                    assert_eq!(all.len(), accounts as usize);
                    assert_eq!(all.iter().map(|r| r.2).sum::<i32>(), 100 * accounts);
                    assert_eq!(entries(index, &snapshot), {
                        let mut all: Vec<(i32, u64)> = all.iter().map(|r| (r.1, r.0)).collect();
                        all.sort_unstable();
                        all
                    });
                    let again: Vec<i32> = (0..accounts)
                        .map(|id| {
                            let (_, row) = find(table, index, &snapshot, id).unwrap();
                            row[1].as_i64().unwrap() as i32
                        })
                        .collect();
                    assert_eq!(again.iter().sum::<i32>(), 100 * accounts);
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let begun = Instant::now();
        while begun.elapsed() < time {
            // The disk of who runs this may be full for a moment: it is told, and tried again (tests/space.rs).
            if let Err(error) = storage.maintain() {
                assert_eq!(error.sqlstate, sqlstate::DISK_FULL, "{error}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        stop.store(true, Ordering::Relaxed);
    });
    println!(
        "{} transfers, {} reads, memory {:?}",
        done.into_inner(),
        reads.into_inner(),
        storage.memory_bytes()
    );
    storage.maintain().unwrap();
    assert!(storage.memory_bytes().0 < 100_000, "{:?}", storage.memory_bytes());
}

#[test]
fn money_is_neither_made_nor_lost_in_memory() {
    transfers(memory(), ACCOUNTS, Duration::from_secs(3));
}

#[test]
fn money_is_neither_made_nor_lost_in_a_table_of_one_page() {
    transfers(memory(), 20, Duration::from_secs(2));
}

#[test]
fn money_is_neither_made_nor_lost_on_disk_with_a_tiny_cache() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = StorageOptions::in_dir(Arc::new(OsEnv::new()), dir.path());
    options.cache_bytes_max = 100_000;
    options.parts_from_rows = 0;
    let storage = Storage::open(options.clone()).unwrap();
    transfers(Arc::clone(&storage), 2 * ACCOUNTS, Duration::from_secs(3));
    let error = Storage::open(options.clone()).err().unwrap();
    assert_eq!(error.sqlstate, sqlstate::OBJECT_IN_USE);
    assert!(error.message.contains("already open in this process"), "{error}");
    drop(storage);
    let storage = Storage::open(options).unwrap();
    let table = storage.table(&table_def(20000)).unwrap();
    let mut txn = Session::new(&storage, 1).begin();
    let sum: i32 = rows(&table, &txn.snapshot().unwrap()).iter().map(|r| r.2).sum();
    assert_eq!(sum, 200 * ACCOUNTS);
}

#[test]
fn one_of_two_who_insert_the_same_key_waits_for_the_other() {
    let storage = memory();
    let index = storage.index(&index_def(20001)).unwrap();
    for commit in [true, false] {
        let key = i32::from(commit);
        let (a, b) = (Session::new(&storage, 1), Session::new(&storage, 2));
        let mut first = a.begin();
        index
            .insert(&mut first, &[int(key)], &[], ::common::RowId(1), UniqueCheck::Yes)
            .unwrap()
            .unwrap();
        let index = &index;
        std::thread::scope(|scope| {
            let second = scope.spawn(move || {
                b.run(|txn| {
                    index
                        .insert(txn, &[int(key)], &[], ::common::RowId(2), UniqueCheck::Yes)
                        .unwrap()
                })
            });
            std::thread::sleep(Duration::from_millis(50));
            assert!(!second.is_finished());
            if commit {
                first.commit().unwrap();
            } else {
                first.abort()
            }
            let expected = if commit { Err(::common::RowId(1)) } else { Ok(()) };
            assert_eq!(second.join().unwrap(), expected);
        });
    }
}

/// Writers of one row, some of whom lock it first: they queue, and nobody is a deadlock's victim.
#[test]
fn writers_and_lockers_of_one_row_only_queue() {
    const ROUNDS: i32 = 150;
    let storage = memory();
    let table = storage.table(&table_def(20000)).unwrap();
    let at = Session::new(&storage, 1).run(|txn| table.insert(txn, &row(0, 0)).unwrap());
    // A table that is larger than a page updates in place.
    Session::new(&storage, 1).run(|txn| {
        for id in 1..2000 {
            table.insert(txn, &row(id, 0)).unwrap();
        }
    });
    std::thread::scope(|scope| {
        for writer in 0..6 {
            let (table, storage) = (&table, &storage);
            scope.spawn(move || {
                let session = Session::new(storage, 10 + writer);
                let mut options = TransactionOptions::default();
                options.wait.deadlock_timeout = Duration::from_millis(5);
                for round in 0..ROUNDS {
                    let mut txn = storage.begin(&session.proc, options.clone()).unwrap();
                    if (round + writer) % 3 == 0 {
                        table
                            .lock_latest(&mut txn, at, RowLockMode::Update, WaitPolicy::Block)
                            .unwrap()
                            .unwrap()
                            .unwrap();
                    }
                    // Twice: the second time others wait already.
                    for _ in 0..2 {
                        add_one(table, &mut txn, at);
                    }
                    txn.commit().unwrap();
                }
            });
        }
    });
    Session::new(&storage, 1).run(|txn| {
        let (mut found, snapshot) = (Vec::new(), txn.snapshot().unwrap());
        assert!(table.fetch(at, &snapshot, &mut found).unwrap());
        assert_eq!(found[1], int(6 * ROUNDS * 2));
    });
}

/// Adds one to a row as read committed does.
fn add_one(table: &Table, txn: &mut Transaction, at: ::common::RowId) {
    txn.next_command().unwrap();
    let mut snapshot = txn.snapshot().unwrap();
    loop {
        let mut old = Vec::new();
        assert!(table.fetch(at, &snapshot, &mut old).unwrap());
        let Datum::Int4(v) = old[1] else { panic!("{old:?}") };
        let outcome = table.update(txn, &snapshot, at, &row(0, v + 1), RowLockMode::NoKeyUpdate);
        match outcome.unwrap() {
            WriteOutcome::Done(to) => return assert_eq!(to, at),
            WriteOutcome::Conflict(Conflict::Updated(to)) => {
                let latest = table.lock_latest(txn, to, RowLockMode::NoKeyUpdate, WaitPolicy::Block);
                (_, snapshot) = latest.unwrap().unwrap().unwrap();
            }
            other => panic!("{other:?}"),
        }
    }
}
