//! Long values: whatever their length and however they came, they are read as they were written, and go when nobody sees their rows.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::Path;
use std::sync::Arc;

use ::common::cancel::CancelToken;
use ::common::env::sim::{SimEnv, SimRandom};
use ::common::{Oid, RelationId, RowId};
use common::*;
use kv::KvKind;
use pglite_access::*;
use txn::RowLockMode;
use types::{Datum, PhysType};

const TABLE: u64 = 20000;

fn def(id: u64, storage: &[ColumnStorage]) -> Arc<TableDef> {
    let columns = vec![PhysType::Int4, PhysType::Text, PhysType::Bytes];
    let mut def = TableDef::new(RelationId(id), Oid(id as u32), columns);
    def.storage = storage.to_vec();
    Arc::new(def)
}

/// Text that compression makes short, or bytes that it does not.
fn text(len: usize, seed: u64) -> Datum {
    let line = format!("line {seed} of many. ");
    Datum::text(line.repeat(len / line.len() + 1)[..len].to_owned())
}

fn noise(len: usize, seed: u64) -> Datum {
    let mut random = SimRandom::new(seed);
    let bytes: Vec<u8> = (0..len).map(|_| random.below(256) as u8).collect();
    Datum::Bytes(bytes.into())
}

fn open(env: &SimEnv, dir: &str) -> Arc<Storage> {
    let mut options = StorageOptions::in_dir(Arc::new(env.clone()), Path::new(dir));
    options.background = false;
    options.toast_ahead_bytes = 500_000;
    Storage::open(options).unwrap()
}

/// Rows of all lengths: around the limit, around a chunk, beyond what goes ahead of the commit.
fn lengths() -> Vec<Vec<Datum>> {
    [
        0, 10, 1999, 2000, 2001, 5000, 33_000, 131_071, 131_072, 131_073, 400_000, 700_000,
    ]
    .into_iter()
    .enumerate()
    .map(|(i, len)| {
        let bytes = if i % 4 == 3 {
            Datum::Null
        } else {
            noise(len, i as u64)
        };
        vec![int(i as i32), text(len, i as u64), bytes]
    })
    .collect()
}

fn scanned(table: &Table, snapshot: &txn::Snapshot, direction: ScanDirection) -> Vec<Vec<Datum>> {
    let mut request = ScanRequest::columns([0, 1, 2]);
    request.direction = direction;
    let mut scan = table.scan(snapshot, request);
    let mut out = Vec::new();
    while let Some(batch) = scan.next_batch(5).unwrap() {
        out.extend((0..batch.len()).map(|k| batch.row(k)));
    }
    out
}

/// Every way of reading gives these rows, in their order.
fn check(table: &Table, session: &Session, expected: &[Vec<Datum>]) {
    let mut txn = session.begin();
    let snapshot = txn.snapshot().unwrap();
    let same = |found: Vec<Vec<Datum>>| {
        assert_eq!(found.len(), expected.len());
        for (k, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert!(found == expected, "row {k}");
        }
    };
    same(scanned(table, &snapshot, ScanDirection::Forward));
    let mut backward = scanned(table, &snapshot, ScanDirection::Backward);
    backward.reverse();
    same(backward);
    let mut scan = table.scan(&snapshot, ScanRequest::columns([]).with_row_ids());
    let mut ids = Vec::new();
    while let Some(batch) = scan.next_batch(1000).unwrap() {
        ids.extend(
            (0..batch.len())
                .filter_map(|k| batch.row(k)[0].as_i64())
                .map(|id| RowId(id as u64)),
        );
    }
    let fetch = |id: &RowId| {
        let mut row = Vec::new();
        assert!(table.fetch(*id, &snapshot, &mut row).unwrap());
        let mut mixed = Vec::new();
        assert!(
            table
                .fetch_columns(*id, &snapshot, &[2, 0, 1], &mut mixed)
                .unwrap()
        );
        assert!(mixed[0] == row[2] && mixed[1] == row[0] && mixed[2] == row[1]);
        row
    };
    same(ids.iter().map(fetch).collect());
    let mut columns = [PhysType::Bytes, PhysType::Text].map(types::Vector::empty);
    let mut found = Vec::new();
    table
        .fetch_batch(&ids, &snapshot, &[2, 1], &mut columns, &mut found)
        .unwrap();
    for (k, expected) in expected.iter().enumerate() {
        assert!(columns[0].datum(k) == expected[2] && columns[1].datum(k) == expected[1]);
    }
}

#[test]
fn values_of_all_lengths_come_back() {
    let env = SimEnv::new(1);
    let defs = [
        def(TABLE, &[]),
        def(TABLE + 1, &[ColumnStorage::Plain; 3]),
        def(TABLE + 2, &[ColumnStorage::External; 3]),
        def(TABLE + 3, &[ColumnStorage::Main; 3]),
    ];
    let all = lengths();
    let storage = open(&env, "/db");
    let session = Session::new(&storage, 1);
    let tables = defs.each_ref().map(|def| storage.table(def).unwrap());
    for (k, table) in tables.iter().enumerate() {
        session.run(|txn| match k % 2 {
            0 => all.iter().for_each(|row| assert!(table.insert(txn, row).is_ok())),
            _ => assert!(insert_by_columns(table, txn, &all).is_ok()),
        });
        check(table, &session, &all);
    }
    assert_eq!(tables[1].stored_values().unwrap(), 0);
    storage.checkpoint().unwrap();
    tables.iter().for_each(|table| check(table, &session, &all));
    storage.merge().unwrap();
    tables.iter().for_each(|table| check(table, &session, &all));
    assert_eq!(tables[1].stored_values().unwrap(), 0);
    assert!(tables[2].stored_values().unwrap() > tables[0].stored_values().unwrap());
    drop((session, tables, storage));
    // From the log, then from the store.
    let env = env.crash();
    for _ in 0..2 {
        let storage = open(&env, "/db");
        let session = Session::new(&storage, 1);
        for def in &defs {
            check(&storage.table(def).unwrap(), &session, &all);
        }
    }
}

/// Columns that a scan gives later: NULL first, then what was asked for.
#[test]
fn values_are_read_of_rows_that_pass() {
    let storage = memory();
    let table = storage.table(&def(TABLE, &[])).unwrap();
    let session = Session::new(&storage, 1);
    let all = lengths();
    session.run(|txn| all.iter().for_each(|row| assert!(table.insert(txn, row).is_ok())));
    for merged in [false, true] {
        if merged {
            storage.maintain().unwrap();
        }
        let mut txn = session.begin();
        let snapshot = txn.snapshot().unwrap();
        let mut request = ScanRequest::columns([0, 2, 1]);
        request.later = vec![1];
        let mut scan = table.scan(&snapshot, request);
        let mut batch = scan.next_batch(1024).unwrap().unwrap();
        assert!(scan.has_later());
        let texts = (0..batch.len()).map(|k| batch.row(k)[2].clone());
        assert!(texts.eq(all.iter().map(|row| row[1].clone())));
        assert_eq!(batch.row(10)[1], Datum::Null);
        let passed = types::Selection::Rows(vec![9, 10].into());
        assert_eq!(scan.later_within(&passed).unwrap(), 2);
        scan.fill_later(&mut batch.columns, &passed).unwrap();
        assert!(batch.row(10)[1] == all[10][2] && batch.row(9)[1] == all[9][2]);
        assert_eq!(batch.row(8)[1], Datum::Null);
    }
}

#[test]
fn a_load_takes_its_values_along() {
    let env = SimEnv::new(2);
    let storage = open(&env, "/db");
    let session = Session::new(&storage, 1);
    let all = lengths();
    let mut txn = session.begin();
    let id = txn.create_relation().unwrap();
    let table = storage.table(&def(id.0, &[])).unwrap();
    assert!(txn.begin_load(&table).unwrap());
    insert_by_columns(&table, &mut txn, &all[..7]).unwrap();
    insert_by_columns(&table, &mut txn, &all[7..]).unwrap();
    txn.end_load().unwrap();
    txn.commit().unwrap();
    check(&table, &session, &all);
    let values = table.stored_values().unwrap();
    assert!(values > 0);
    drop((session, table, storage));
    let storage = open(&env.crash(), "/db");
    let table = storage.table(&def(id.0, &[])).unwrap();
    check(&table, &Session::new(&storage, 1), &all);
    storage.maintain().unwrap();
    assert_eq!(table.stored_values().unwrap(), values);
}

/// Inserts rows of one long value that compression does not shorten; where they are.
fn insert(table: &Table, txn: &mut Transaction, ids: std::ops::Range<i32>, len: usize) -> Vec<RowId> {
    let row = |id: i32| vec![int(id), Datum::Null, noise(len, id as u64)];
    ids.map(|id| table.insert(txn, &row(id)).unwrap()).collect()
}

#[test]
fn values_go_when_nobody_sees_their_rows() {
    let env = SimEnv::new(3);
    let storage = open(&env, "/db");
    let table = storage.table(&def(TABLE, &[])).unwrap();
    let session = Session::new(&storage, 1);
    // Some through the log, some ahead of the commit.
    let ids = session.run(|txn| {
        let mut ids = insert(&table, txn, 0..10, 3000);
        ids.extend(insert(&table, txn, 10..13, 600_000));
        ids
    });
    storage.maintain().unwrap();
    assert_eq!(table.stored_values().unwrap(), 13);
    assert!(table.toast_bytes() > 1_830_000);
    let reader = Session::new(&storage, 2);
    let mut old = reader.begin_rr();
    let view = old.snapshot().unwrap();
    let before = scanned(&table, &view, ScanDirection::Forward);
    let now = session.run(|txn| {
        let snapshot = txn.snapshot().unwrap();
        // Deleted; changed; left as it is.
        table.delete(txn, &snapshot, ids[0]).unwrap();
        table.delete(txn, &snapshot, ids[10]).unwrap();
        let changed = vec![int(1), Datum::Null, noise(3000, 99)];
        table
            .update(txn, &snapshot, ids[1], &changed, RowLockMode::NoKeyUpdate)
            .unwrap();
        let mut same = Vec::new();
        assert!(table.fetch(ids[11], &snapshot, &mut same).unwrap());
        same[0] = int(-1);
        table
            .update(txn, &snapshot, ids[11], &same, RowLockMode::NoKeyUpdate)
            .unwrap();
        txn.next_command().unwrap();
        scanned(&table, &txn.snapshot().unwrap(), ScanDirection::Forward)
    });
    storage.maintain().unwrap();
    assert_eq!(table.stored_values().unwrap(), 14);
    assert!(scanned(&table, &view, ScanDirection::Forward) == before);
    // The notes survive the log, and the snapshot is gone with its process.
    drop((view, old, reader, session, table, storage));
    let storage = open(&env.crash(), "/db");
    let table = storage.table(&def(TABLE, &[])).unwrap();
    let session = Session::new(&storage, 1);
    storage.maintain().unwrap();
    assert_eq!(table.stored_values().unwrap(), 11);
    check(&table, &session, &now);
}

#[test]
fn rollbacks_leave_nothing() {
    let env = SimEnv::new(4);
    let storage = open(&env, "/db");
    let table = storage.table(&def(TABLE, &[])).unwrap();
    let session = Session::new(&storage, 1);
    let mut txn = session.begin();
    insert(&table, &mut txn, 0..1, 700_000);
    let savepoint = txn.savepoint().unwrap();
    insert(&table, &mut txn, 1..3, 700_000);
    insert(&table, &mut txn, 3..9, 5000);
    txn.rollback_to(&savepoint).unwrap();
    insert(&table, &mut txn, 9..10, 5000);
    txn.commit().unwrap();
    let mut txn = session.begin();
    insert(&table, &mut txn, 10..12, 700_000);
    txn.abort();
    // And one that a crash ends.
    let mut txn = session.begin();
    insert(&table, &mut txn, 20..21, 700_000);
    storage.maintain().unwrap();
    assert_eq!(table.stored_values().unwrap(), 3);
    let env = env.crash();
    drop(txn);
    drop((session, table, storage));
    for _ in 0..2 {
        let storage = open(&env, "/db");
        let table = storage.table(&def(TABLE, &[])).unwrap();
        storage.maintain().unwrap();
        assert_eq!(table.stored_values().unwrap(), 2);
        let mut txn = Session::new(&storage, 1).begin();
        assert_eq!(
            scanned(&table, &txn.snapshot().unwrap(), ScanDirection::Forward).len(),
            2
        );
    }
}

#[test]
fn prepared_transactions_keep_their_values_over_a_restart() {
    for commit in [true, false] {
        let env = SimEnv::new(5);
        let storage = open(&env, "/db");
        let table = storage.table(&def(TABLE, &[])).unwrap();
        let session = Session::new(&storage, 1);
        let old = session.run(|txn| insert(&table, txn, 0..2, 3000));
        let mut txn = session.begin();
        insert(&table, &mut txn, 2..4, 700_000);
        insert(&table, &mut txn, 4..6, 5000);
        let snapshot = txn.snapshot().unwrap();
        table.delete(&mut txn, &snapshot, old[0]).unwrap();
        let info = PreparedInfo {
            gid: "values".into(),
            owner: Oid(10),
            database: Oid(5),
            prepared_unix_micros: 1,
        };
        let prepared = txn.prepare(info).unwrap();
        storage.maintain().unwrap();
        let copies = vec![prepared.copy(true).unwrap()];
        let token = CancelToken::new();
        let target = Path::new("/copy");
        storage
            .backup(target, KvKind::default(), &token, (copies, || ()), &[])
            .unwrap();
        let env = env.crash();
        drop((prepared, snapshot, session, table, storage));
        for dir in ["/db", "/copy"] {
            let storage = open(&env, dir);
            storage.maintain().unwrap();
            let mut found = storage.resume_prepared(&|_| Ok(())).unwrap();
            let prepared = found.remove(0);
            let table = storage.table(&def(TABLE, &[])).unwrap();
            storage.maintain().unwrap();
            match commit {
                true => assert!(prepared.commit().is_ok()),
                false => prepared.rollback().unwrap(),
            }
            storage.maintain().unwrap();
            storage.maintain().unwrap();
            let mut txn = Session::new(&storage, 1).begin();
            let rows = scanned(&table, &txn.snapshot().unwrap(), ScanDirection::Forward);
            let ids: Vec<i64> = rows.iter().filter_map(|row| row[0].as_i64()).collect();
            let expected: &[i64] = if commit { &[1, 2, 3, 4, 5] } else { &[0, 1] };
            assert_eq!(ids, expected, "{dir}");
            for row in &rows {
                let id = row[0].as_i64().unwrap();
                let len = [3000, 3000, 700_000, 700_000, 5000, 5000][id as usize];
                assert!(row[2] == noise(len, id as u64));
            }
            assert_eq!(table.stored_values().unwrap(), expected.len() as u64, "{dir}");
        }
    }
}

#[test]
fn forks_share_values_and_go_their_own_way() {
    let storage = memory();
    let table = storage.table(&def(TABLE, &[])).unwrap();
    let session = Session::new(&storage, 1);
    let ids = session.run(|txn| insert(&table, txn, 0..4, 50_000));
    let fork = storage.fork(Vec::new(), || ()).unwrap();
    session.run(|txn| {
        let snapshot = txn.snapshot().unwrap();
        table.delete(txn, &snapshot, ids[0]).unwrap();
    });
    storage.maintain().unwrap();
    storage.maintain().unwrap();
    assert_eq!(table.stored_values().unwrap(), 3);
    let theirs = fork.table(&def(TABLE, &[])).unwrap();
    let mut txn = Session::new(&fork, 1).begin();
    let rows = scanned(&theirs, &txn.snapshot().unwrap(), ScanDirection::Forward);
    assert!(rows.len() == 4 && (0..).zip(&rows).all(|(k, row)| row[2] == noise(50_000, k)));
}
