//! Who wrote a row stays known through checkpoints, merges and restarts; databases from before that was kept open still.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::Path;
use std::sync::Arc;

use ::common::env::Env;
use ::common::env::sim::SimEnv;
use ::common::{Oid, RowId, sqlstate};
use common::*;
use kv::{Durability, Keyspace, KvKind, KvOptions, WriteBatch};
use pglite_access::*;
use txn::RowLockMode;

/// `xmin` of every row, by id.
fn writers(storage: &Arc<Storage>, table: &Table) -> Vec<(i32, u32)> {
    let txn = Session::new(storage, 9).begin();
    let snapshot = txn.latest_snapshot().unwrap();
    let mut out: Vec<(i32, u32)> = rows(table, &snapshot)
        .into_iter()
        .map(|(row, id, _)| {
            let system = table.system(RowId(row), &snapshot, Oid(0)).unwrap().unwrap();
            assert_eq!(system.xmax, 0);
            (id, system.xmin)
        })
        .collect();
    out.sort_unstable();
    out
}

/// Five transactions over 3,000 rows: loaded by columns, one by one, updated, moved nowhere, deleted.
fn work(storage: &Arc<Storage>, table: &Table) -> Vec<(i32, u32)> {
    let session = Session::new(storage, 1);
    let mut expected = Vec::new();
    let mut txn = session.begin();
    let loaded: Vec<_> = (0..2000).map(|id| row(id, 0)).collect();
    insert_by_columns(table, &mut txn, &loaded).unwrap();
    let xid = txn.xid().unwrap().0 as u32;
    expected.extend((0..2000).map(|id| (id, xid)));
    txn.commit().unwrap();
    for part in 0..2 {
        let mut txn = session.begin();
        for id in 2000 + part * 500..2500 + part * 500 {
            table.insert(&mut txn, &row(id, 0)).unwrap();
            expected.push((id, txn.xid().unwrap().0 as u32));
        }
        txn.commit().unwrap();
    }
    let mut txn = session.begin();
    let snapshot = txn.snapshot().unwrap();
    for (at, id, _) in rows(table, &snapshot).into_iter().step_by(7) {
        let done = table.update(
            &mut txn,
            &snapshot,
            RowId(at),
            &row(id, 1),
            RowLockMode::NoKeyUpdate,
        );
        assert!(matches!(done.unwrap(), WriteOutcome::Done(_)));
        expected[id as usize].1 = txn.xid().unwrap().0 as u32;
    }
    txn.commit().unwrap();
    // What is rolled back leaves no trace.
    let mut txn = session.begin();
    let snapshot = txn.snapshot().unwrap();
    table
        .update(
            &mut txn,
            &snapshot,
            RowId(5),
            &row(5, 9),
            RowLockMode::NoKeyUpdate,
        )
        .unwrap();
    txn.abort();
    expected
}

#[test]
fn writers_are_known_after_checkpoint_merge_and_restart() {
    let env: Arc<dyn Env> = Arc::new(SimEnv::new(7));
    let dir = Path::new("/db");
    let storage = on_disk(Arc::clone(&env), dir);
    let table = storage.table(&table_def(20000)).unwrap();
    let expected = work(&storage, &table);
    assert_eq!(writers(&storage, &table), expected);
    for _ in 0..2 {
        storage.checkpoint().unwrap();
        storage.merge().unwrap();
        assert_eq!(writers(&storage, &table), expected);
    }
    drop((table, storage));
    let storage = on_disk(Arc::clone(&env), dir);
    let table = storage.table(&table_def(20000)).unwrap();
    assert_eq!(writers(&storage, &table), expected);
    // Changed once more, and merged into a block read from the store.
    let session = Session::new(&storage, 1);
    let xid = session.run(|txn| {
        let snapshot = txn.snapshot().unwrap();
        table
            .update(txn, &snapshot, RowId(1), &row(1, 5), RowLockMode::NoKeyUpdate)
            .unwrap();
        txn.xid().unwrap().0 as u32
    });
    storage.checkpoint().unwrap();
    storage.merge().unwrap();
    let mut expected = expected;
    expected[1].1 = xid;
    assert_eq!(writers(&storage, &table), expected);
}

#[test]
fn writers_are_known_after_replay() {
    let env = SimEnv::new(8);
    let dir = Path::new("/db");
    let storage = on_disk(Arc::new(env.clone()), dir);
    let expected = work(&storage, &storage.table(&table_def(20000)).unwrap());
    let wal = storage.manager().wal();
    wal.flush(wal.insert_lsn()).unwrap();
    let after = env.crash();
    let storage = on_disk(Arc::new(after), dir);
    let table = storage.table(&table_def(20000)).unwrap();
    assert_eq!(writers(&storage, &table), expected);
}

/// Writes a format version into the store of a closed database; the one before.
fn set_format(env: &Arc<dyn Env>, dir: &Path, version: u8) -> Vec<u8> {
    let options = KvOptions {
        cache_bytes_max: 1 << 20,
    };
    let store = kv::open(KvKind::default(), env, &dir.join("kv"), &options).unwrap();
    let before = store
        .get(Keyspace(0), b"format")
        .unwrap()
        .unwrap()
        .as_ref()
        .to_vec();
    let mut batch = WriteBatch::new();
    batch.put(Keyspace(0), *b"format", [version]);
    store.write(batch, Durability::Immediate).unwrap();
    before
}

#[test]
fn the_format_before_is_upgraded_and_the_next_one_refused() {
    let env: Arc<dyn Env> = Arc::new(SimEnv::new(9));
    let dir = Path::new("/db");
    drop(on_disk(Arc::clone(&env), dir));
    assert_eq!(set_format(&env, dir, 1), [8]);
    drop(on_disk(Arc::clone(&env), dir));
    assert_eq!(set_format(&env, dir, 9), [8]);
    let mut options = StorageOptions::in_dir(Arc::clone(&env), dir);
    options.background = false;
    let error = Storage::open(options).map(drop).unwrap_err();
    assert_eq!(error.sqlstate, sqlstate::FEATURE_NOT_SUPPORTED);
}

/// Rows as version 1 stored them, without their writer.
#[test]
fn a_row_without_a_writer_is_frozen() {
    let mut bytes = Vec::new();
    types::tuple::encode(&row(1, 2), &mut bytes);
    assert_eq!(types::tuple::xid(&bytes), None);
    types::tuple::put_xid(0, 1 << 40, &mut bytes);
    assert_eq!(types::tuple::xid(&bytes), Some(1 << 40));
    let mut out = Vec::new();
    types::tuple::decode(&bytes, &table_def(1).columns, &[], &mut out).unwrap();
    assert_eq!(out, row(1, 2));
}
