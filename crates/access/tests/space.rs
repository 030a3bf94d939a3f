//! Space: what is left of relations that never came to be, files that shrink, full disks.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::Path;
use std::sync::Arc;

use ::common::env::sim::{SimEnv, SimRandom};
use ::common::sqlstate;
use common::*;
use kv::{Keyspace, KvKind, KvOptions};
use pglite_access::*;
use txn::RowLockMode;
use types::Datum;

fn open(env: &SimEnv) -> Arc<Storage> {
    on_disk(Arc::new(env.clone()), Path::new("/db"))
}

/// The store of a database that nobody has open.
fn store_of(env: &SimEnv) -> Arc<dyn kv::Kv> {
    let env: Arc<dyn ::common::env::Env> = Arc::new(env.clone());
    let options = KvOptions {
        cache_bytes_max: 1 << 20,
    };
    kv::open(KvKind::default(), &env, Path::new("/db/kv"), &options).unwrap()
}

/// The keyspaces of the store, and whether it has notes of new relations. Nobody has it open.
fn keyspaces(env: &SimEnv) -> (Vec<Keyspace>, bool) {
    let store = store_of(env);
    let mut noted = false;
    let all = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
    store
        .range(Keyspace(0), all, kv::Direction::Forward, &mut |key, _| {
            noted |= key.starts_with(b"newborn/");
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    (store.keyspaces().unwrap(), noted)
}

/// A table of the transaction's own, filled past memory and log.
fn load(storage: &Arc<Storage>, txn: &mut Transaction) -> ::common::RelationId {
    let id = txn.create_relation().unwrap();
    let table = storage.table(&table_def(id.0)).unwrap();
    assert!(txn.begin_load(&table).unwrap());
    let all: Vec<_> = (0..1000).map(|i| row(i, i)).collect();
    insert_by_columns(&table, txn, &all).unwrap();
    txn.end_load().unwrap();
    id
}

#[test]
fn a_load_that_dies_with_its_process_leaves_nothing() {
    for checkpoint in [false, true] {
        let env = SimEnv::new(1);
        let storage = open(&env);
        let session = Session::new(&storage, 1);
        let kept = session.run(|txn| load(&storage, txn));
        let mut txn = session.begin();
        let lost = load(&storage, &mut txn);
        if checkpoint {
            storage.maintain().unwrap();
        }
        let env = env.crash();
        drop((txn, session, storage));
        let storage = open(&env);
        storage.maintain().unwrap();
        for id in [kept, lost] {
            let table = storage.table(&table_def(id.0)).unwrap();
            let mut txn = Session::new(&storage, 1).begin();
            let count = rows(&table, &txn.snapshot().unwrap()).len();
            assert_eq!(count, if id == kept { 1000 } else { 0 });
        }
        storage.close().unwrap();
        drop(storage);
        let (there, noted) = keyspaces(&env);
        assert!(there.contains(&Keyspace(kept.0)) && !there.contains(&Keyspace(lost.0)));
        assert!(!noted);
    }
}

/// The store may be on disk when the log's last records are not, that which gave out a relation's id among them. What never came to be is removed, and
/// nobody else gets its id, whose rows would go with it.
#[test]
fn ids_of_relations_that_the_log_does_not_know_are_not_given_out_again() {
    let notes: [&dyn Fn(u64) -> (Vec<u8>, Vec<u8>); 2] = [
        &|lost| ([b"newborn/", &lost.to_be_bytes()[..]].concat(), Vec::new()),
        // Of another relation's rows 5 to 9, with entries in this index.
        &|lost| {
            let mut value = vec![1, 5, 9];
            put_varint(lost, &mut value);
            (
                [b"loads/", &[0; 6][..], &[0x4e, 0x20], &5u64.to_be_bytes()].concat(),
                value,
            )
        },
    ];
    for note in notes {
        let env = SimEnv::new(1);
        let storage = open(&env);
        let first = Session::new(&storage, 1).run(|txn| txn.create_relation().unwrap());
        storage.close().unwrap();
        drop(storage);
        // The next id that a start gives out, where the log is lost.
        let storage = open(&env);
        let mut txn = Session::new(&storage, 1).begin();
        let next = txn.create_relation().unwrap();
        let crashed = env.crash();
        drop((txn, storage));
        assert!(next > first);
        let store = store_of(&crashed);
        let (key, value) = note(next.0);
        let mut batch = kv::WriteBatch::new();
        batch.put(Keyspace(0), key, value);
        store.write(batch, kv::Durability::Immediate).unwrap();
        drop(store);
        let storage = open(&crashed);
        let session = Session::new(&storage, 1);
        let kept = session.run(|txn| load(&storage, txn));
        assert!(kept > next, "{kept:?} after {next:?}");
        storage.maintain().unwrap();
        drop((session, storage));
        let storage = open(&crashed);
        let table = storage.table(&table_def(kept.0)).unwrap();
        let mut txn = Session::new(&storage, 1).begin();
        assert_eq!(rows(&table, &txn.snapshot().unwrap()).len(), 1000);
    }
}

fn put_varint(mut n: u64, out: &mut Vec<u8>) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Random updates, by which rows come to lie singly and the file grows.
fn scatter(storage: &Arc<Storage>, table: &Table, all: i32) {
    let session = Session::new(storage, 1);
    let mut random = SimRandom::new(7);
    for round in 0..20 {
        session.run(|txn| {
            let snapshot = txn.snapshot().unwrap();
            for _ in 0..all / 40 {
                let id = random.below(all as u64) as i32;
                let at = ::common::RowId(id as u64);
                let outcome = table.update(txn, &snapshot, at, &row(id, round), RowLockMode::NoKeyUpdate);
                // Twice in one command is once.
                assert!(matches!(
                    outcome.unwrap(),
                    WriteOutcome::Done(_) | WriteOutcome::SelfModified { .. }
                ));
            }
        });
        storage.maintain().unwrap();
    }
}

#[test]
fn compaction_gives_space_back_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = StorageOptions::in_dir(Arc::new(::common::env::os::OsEnv::new()), dir.path());
    options.background = false;
    // Row ids without holes.
    options.ahead_after_rows = usize::MAX;
    let storage = Storage::open(options.clone()).unwrap();
    let table = storage.table(&table_def(20000)).unwrap();
    let all = 40_000;
    Session::new(&storage, 1).run(|txn| {
        for from in (0..all).step_by(1000) {
            let batch: Vec<_> = (from..from + 1000).map(|id| row(id, 0)).collect();
            insert_by_columns(&table, txn, &batch).unwrap();
        }
    });
    storage.maintain().unwrap();
    scatter(&storage, &table, all);
    let session = Session::new(&storage, 2);
    let mut txn = session.begin();
    let before = rows(&table, &txn.snapshot().unwrap());
    txn.abort();
    let size = storage.size_on_disk().unwrap();
    let cancel = ::common::cancel::CancelToken::new();
    let compact = || storage.compact(std::slice::from_ref(&table), CompactFile::Always, &cancel);
    cancel.cancel(::common::cancel::CancelReason::User);
    assert_eq!(compact().unwrap_err().sqlstate.as_str(), "57014");
    assert_eq!(storage.size_on_disk().unwrap(), size);
    cancel.reset();
    compact().unwrap();
    let compacted = storage.size_on_disk().unwrap();
    println!("{size} bytes, {compacted} when compacted");
    assert!(compacted < size / 2);
    drop((session, table, storage));
    let storage = Storage::open(options).unwrap();
    let table = storage.table(&table_def(20000)).unwrap();
    let mut txn = Session::new(&storage, 1).begin();
    assert!(rows(&table, &txn.snapshot().unwrap()) == before);
}

/// What the background task does: while others read and write, without a word from anybody.
#[test]
fn the_file_gets_smaller_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = StorageOptions::in_dir(Arc::new(::common::env::os::OsEnv::new()), dir.path());
    options.background = false;
    let storage = Storage::open(options.clone()).unwrap();
    let table = storage.table(&table_def(20000)).unwrap();
    let session = Session::new(&storage, 1);
    let mut state = Vec::new();
    for round in 0..4 {
        session.run(|txn| {
            let snapshot = txn.snapshot().unwrap();
            for at in row_ids(&table, &snapshot) {
                let gone = table.delete(txn, &snapshot, at).unwrap();
                assert_eq!(gone, WriteOutcome::Done(at));
            }
            for from in (0..60_000).step_by(1000) {
                let batch: Vec<_> = (from..from + 1000).map(|id| wide_row(id, round)).collect();
                insert_by_columns(&table, txn, &batch).unwrap();
            }
        });
        storage.maintain().unwrap();
        let mut txn = session.begin();
        state = texts(&table, &txn.snapshot().unwrap());
        txn.abort();
    }
    let size = storage.size_on_disk().unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let other = Session::new(&storage, 2);
            let mut count = 0;
            while count == 0 || !done.load(std::sync::atomic::Ordering::Acquire) {
                let mut txn = other.begin();
                assert!(texts(&table, &txn.snapshot().unwrap()) == state);
                txn.abort();
                count += 1;
            }
        });
        storage.shrink_by_itself().unwrap();
        done.store(true, std::sync::atomic::Ordering::Release);
        reader.join().unwrap();
    });
    let shrunk = storage.size_on_disk().unwrap();
    println!("{size} bytes, {shrunk} afterwards");
    // redb gives its file room to grow into.
    assert!(shrunk < size * 2 / 3, "{size} bytes, {shrunk} afterwards");
    session.run(|txn| table.insert(txn, &wide_row(-1, -1)).unwrap());
    drop((session, table, storage));
    let storage = Storage::open(options).unwrap();
    let table = storage.table(&table_def(20000)).unwrap();
    let mut txn = Session::new(&storage, 1).begin();
    let mut after = texts(&table, &txn.snapshot().unwrap());
    assert!(after.pop().is_some_and(|text| text == wide_row(-1, -1)[2]));
    assert!(after == state);
}

/// A text that does not get shorter.
fn wide_row(id: i32, round: i32) -> Vec<Datum> {
    let mut seed = (id as u64) << 8 | round as u64 & 0xff;
    let mut next = || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + (seed >> 33) as u8 % 90)
    };
    let text: String = (0..150).map(|_| next()).collect();
    vec![int(id), int(round), Datum::text(text)]
}

fn row_ids(table: &Table, snapshot: &txn::Snapshot) -> Vec<::common::RowId> {
    let mut out = Vec::new();
    let mut scan = table.scan(snapshot, ScanRequest::columns([0]).with_row_ids());
    while let Some(batch) = scan.next_batch(1000).unwrap() {
        for k in 0..batch.len() {
            match batch.row(k)[1] {
                Datum::Int8(at) => out.push(::common::RowId(at as u64)),
                ref other => panic!("{other:?}"),
            }
        }
    }
    out
}

fn texts(table: &Table, snapshot: &txn::Snapshot) -> Vec<Datum> {
    let mut out = Vec::new();
    let mut scan = table.scan(snapshot, ScanRequest::columns([2]));
    while let Some(batch) = scan.next_batch(1000).unwrap() {
        out.extend((0..batch.len()).map(|k| batch.row(k)[0].clone()));
    }
    out
}

/// A full disk: checkpoints say so, and nothing is lost by them; when there is space again, they go on.
#[test]
fn a_full_disk_stops_checkpoints_and_loses_nothing() {
    let env = SimEnv::new(2);
    let storage = open(&env);
    let table = storage.table(&table_def(20000)).unwrap();
    let session = Session::new(&storage, 1);
    let mut committed = 0;
    session.run(|txn| drop(table.insert(txn, &row(0, 0)).map(|_| committed += 1)));
    storage.maintain().unwrap();
    env.set_capacity(Some(env.used_bytes() + 300_000));
    let mut full = 0;
    for batch in 0..200 {
        let mut txn = session.begin();
        for id in 0..20 {
            table.insert(&mut txn, &row(1 + batch * 20 + id, id)).unwrap();
        }
        match txn.commit() {
            Ok(_) => committed += 20,
            Err(error) => assert_eq!(error.sqlstate, sqlstate::DISK_FULL, "{error}"),
        }
        if let Err(error) = storage.maintain() {
            assert_eq!(error.sqlstate, sqlstate::DISK_FULL, "{error}");
            full += 1;
        }
    }
    assert!(full > 0, "the disk was never full");
    let count = |storage: &Arc<Storage>, table: &Table| {
        let mut txn = Session::new(storage, 2).begin();
        rows(table, &txn.snapshot().unwrap()).len()
    };
    assert_eq!(count(&storage, &table), committed);
    // Another process finds it so, too.
    let after = env.crash();
    after.set_capacity(None);
    let reopened = open(&after);
    let theirs = reopened.table(&table_def(20000)).unwrap();
    assert_eq!(count(&reopened, &theirs), committed);
    env.set_capacity(None);
    storage.maintain().unwrap();
    assert_eq!(storage.memory_bytes().0, 0);
    assert_eq!(count(&storage, &table), committed);
}
