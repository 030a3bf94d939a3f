//! Reopening a directory: what is there again, what is not, how long it takes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::common::env::os::OsEnv;
use ::common::env::sim::SimEnv;
use ::common::{PgResult, RelationId, RowId};
use common::*;
use pglite_access::*;
use txn::RowLockMode;
use types::{Datum, PhysType, Vector};

const DIR: &str = "/db";

fn open(env: &SimEnv) -> Arc<Storage> {
    on_disk(Arc::new(env.clone()), Path::new(DIR))
}

fn def(id: u64, persistence: Persistence) -> Arc<TableDef> {
    Arc::new(TableDef {
        persistence,
        ..TableDef::clone(&table_def(id))
    })
}

fn count(storage: &Arc<Storage>, def: &Arc<TableDef>) -> usize {
    let table = storage.table(def).unwrap();
    Session::new(storage, 9).run(|txn| rows(&table, &txn.snapshot().unwrap()).len())
}

#[test]
fn unlogged_tables_are_empty_after_a_crash_and_temporary_ones_always() {
    let env = SimEnv::new(1);
    let defs = [
        def(20000, Persistence::Permanent),
        def(20001, Persistence::Unlogged),
        def(20002, Persistence::Temporary),
    ];
    let fill = |storage: &Arc<Storage>| {
        for def in &defs {
            let table = storage.table(def).unwrap();
            Session::new(storage, 1).run(|txn| {
                table.insert(txn, &row(1, 1)).unwrap();
            });
        }
    };
    let counts = |storage: &Arc<Storage>| defs.each_ref().map(|def| count(storage, def));
    let storage = open(&env);
    fill(&storage);
    storage.maintain().unwrap();
    fill(&storage);
    assert_eq!(counts(&storage), [2, 2, 2]);
    storage.close().unwrap();
    drop(storage);
    let storage = open(&env);
    assert_eq!(counts(&storage), [2, 2, 0]);
    storage.maintain().unwrap();
    let env = env.crash();
    let storage = open(&env);
    assert_eq!(counts(&storage), [2, 0, 0]);
}

#[test]
fn a_dropped_relation_leaves_nothing_and_its_id_is_never_given_again() {
    let env = SimEnv::new(2);
    let storage = open(&env);
    let session = Session::new(&storage, 1);
    let mut txn = session.begin();
    let id = txn.create_relation().unwrap();
    let table = storage.table(&table_def(id.0)).unwrap();
    for i in 0..100 {
        table.insert(&mut txn, &row(i, i)).unwrap();
    }
    txn.commit().unwrap();
    storage.maintain().unwrap();
    let reader = Session::new(&storage, 2);
    let mut old = reader.begin_rr();
    let view = old.snapshot().unwrap();
    session.run(|txn| txn.drop_relation(id).unwrap());
    storage.maintain().unwrap();
    assert_eq!(rows(&table, &view).len(), 100);
    drop((view, table));
    // The list of what is to be removed survives, even with the log gone.
    let env = env.crash();
    let storage = open(&env);
    storage.maintain().unwrap();
    assert_eq!(count(&storage, &table_def(id.0)), 0);
    let next = Session::new(&storage, 1).run(|txn| txn.create_relation().unwrap());
    assert!(next > id);
    let oid = storage.next_oid().unwrap();
    assert!(oid.0 >= ::common::Oid::FIRST_NORMAL.0);
}

#[test]
fn what_a_rolled_back_transaction_created_is_gone() {
    let env = SimEnv::new(3);
    let storage = open(&env);
    let session = Session::new(&storage, 1);
    let mut txn = session.begin();
    let savepoint = txn.savepoint().unwrap();
    let id = txn.create_relation().unwrap();
    let index = storage.index(&index_def(id.0)).unwrap();
    let table = storage.table(&table_def(20000)).unwrap();
    let space = TempSpace::default();
    let mut builder = IndexBuilder::new(&index, &table, &space, 1 << 20);
    for i in 0..6000 {
        builder.push(&[int(i)], &[], RowId(i as u64)).unwrap();
    }
    assert_eq!(builder.finish(&mut txn).unwrap(), BuildOutcome::Built(6000));
    txn.rollback_to(&savepoint).unwrap();
    txn.commit().unwrap();
    storage.maintain().unwrap();
    let index = storage.index(&index_def(id.0)).unwrap();
    session.run(|txn| assert_eq!(entries(&index, &txn.snapshot().unwrap()), []));
}

/// (0, 'builtin'), (1, 'builtin'), ...
struct Builtin(usize);

impl BuiltinRows for Builtin {
    fn row_count(&self) -> usize {
        self.0
    }

    fn block(&self, chunk: usize) -> PgResult<Vec<Arc<Vector>>> {
        let ids: Vec<Datum> = (chunk * 1024..self.0.min((chunk + 1) * 1024))
            .map(|i| int(i as i32))
            .collect();
        let zeros = vec![int(0); ids.len()];
        let texts = vec![Datum::text("builtin"); ids.len()];
        Ok(vec![
            Arc::new(Vector::from_datums(PhysType::Int4, &ids)),
            Arc::new(Vector::from_datums(PhysType::Int4, &zeros)),
            Arc::new(Vector::from_datums(PhysType::Text, &texts)),
        ])
    }
}

#[test]
fn rows_of_the_program_can_be_changed_and_deleted() {
    let env = SimEnv::new(4);
    let mut def = TableDef::clone(&table_def(1259));
    def.builtin = Some(Arc::new(Builtin(1500)));
    let def = Arc::new(def);
    let check = |storage: &Arc<Storage>| {
        let table = storage.table(&def).unwrap();
        Session::new(storage, 1).run(|txn| {
            let snapshot = txn.snapshot().unwrap();
            let all = rows(&table, &snapshot);
            assert_eq!(all.len(), 1500);
            assert_eq!(
                (all[6], all[7], all[1498]),
                ((6, 6, 99), (8, 8, 0), (1499, 1499, 0))
            );
            assert_eq!(all[1499], (1500, 7000, 1));
            let mut out = Vec::new();
            assert!(table.fetch(RowId(6), &snapshot, &mut out).unwrap());
            assert!(!table.fetch(RowId(7), &snapshot, &mut out).unwrap());
            assert!(table.fetch(RowId(1400), &snapshot, &mut out).unwrap());
            assert_eq!((&out[1], &out[5]), (&int(99), &Datum::text("builtin")));
        });
    };
    let storage = open(&env);
    let table = storage.table(&def).unwrap();
    Session::new(&storage, 1).run(|txn| {
        let snapshot = txn.snapshot().unwrap();
        assert_eq!(rows(&table, &snapshot).len(), 1500);
        let done = table
            .update(txn, &snapshot, RowId(6), &row(6, 99), RowLockMode::Update)
            .unwrap();
        assert_eq!(done, WriteOutcome::Done(RowId(6)));
        table.delete(txn, &snapshot, RowId(7)).unwrap();
        assert_eq!(table.insert(txn, &row(7000, 1)).unwrap(), RowId(1500));
    });
    check(&storage);
    // From the log alone: closing writes a checkpoint.
    check(&open(&env.crash()));
    drop(table);
    drop(storage);
    let env = env.crash();
    let storage = open(&env);
    check(&storage);
    for _ in 0..2 {
        storage.maintain().unwrap();
        check(&storage);
    }
    drop(storage);
    check(&open(&env.crash()));
}

#[test]
fn opening_is_fast() {
    let env: Arc<dyn ::common::env::Env> = Arc::new(OsEnv::new());
    let times: Vec<Duration> = (0..20)
        .map(|_| {
            let start = Instant::now();
            drop(Storage::open(StorageOptions::in_memory(Arc::clone(&env))).unwrap());
            start.elapsed()
        })
        .collect();
    println!("in memory: {:?}", times.iter().min());
    let dir = tempfile::tempdir().unwrap();
    let rows_wanted: i32 = std::env::var("ACCESS_OPEN_ROWS")
        .ok()
        .and_then(|r| r.parse().ok())
        .unwrap_or(20_000);
    let storage = on_disk(Arc::clone(&env), dir.path());
    let table = storage.table(&table_def(20000)).unwrap();
    let session = Session::new(&storage, 1);
    let start = Instant::now();
    for chunk in 0..rows_wanted / 10_000 {
        session.run(|txn| {
            for id in 0..10_000 {
                table.insert(txn, &row(chunk * 10_000 + id, 0)).unwrap();
            }
        });
    }
    println!("{rows_wanted} rows in {:?}", start.elapsed());
    let start = Instant::now();
    storage.maintain().unwrap();
    println!(
        "checkpoint {:?}, {} bytes",
        start.elapsed(),
        storage.size_on_disk().unwrap()
    );
    drop((session, table, storage));
    let start = Instant::now();
    let storage = on_disk(Arc::clone(&env), dir.path());
    let table = storage.table(&table_def(20000)).unwrap();
    let opened = start.elapsed();
    let session = Session::new(&storage, 1);
    session.run(|txn| {
        let mut out = Vec::new();
        let snapshot = txn.snapshot().unwrap();
        assert!(
            table
                .fetch(RowId(rows_wanted as u64 - 5), &snapshot, &mut out)
                .unwrap()
        );
    });
    println!("reopened in {opened:?}, first row after {:?}", start.elapsed());
    assert!(opened < Duration::from_secs(1));
    let start = Instant::now();
    session.run(|txn| assert_eq!(rows(&table, &txn.snapshot().unwrap()).len(), rows_wanted as usize));
    println!("cold scan {:?}", start.elapsed());
    assert_eq!(table.size().rows, rows_wanted as u64);
    assert_eq!(storage.identity().system_id >> 63, 0);
    let _ = RelationId(0);
}

#[test]
fn a_cache_too_small_for_anything_stops_nobody() {
    let mut options = StorageOptions::in_memory(Arc::new(OsEnv::new()));
    options.cache_bytes_max = 0;
    options.background = false;
    let storage = Storage::open(options).unwrap();
    let table = storage.table(&table_def(20000)).unwrap();
    let index = storage.index(&index_def(20001)).unwrap();
    let session = Session::new(&storage, 1);
    for round in 0..3 {
        session.run(|txn| {
            for id in round * 1000..round * 1000 + 1000 {
                let at = table.insert(txn, &row(id, 0)).unwrap();
                index
                    .insert(txn, &[int(id)], &[], at, UniqueCheck::Yes)
                    .unwrap()
                    .unwrap();
            }
        });
        storage.maintain().unwrap();
        session.run(|txn| {
            let snapshot = txn.snapshot().unwrap();
            assert_eq!(rows(&table, &snapshot).len(), 1000 * (round as usize + 1));
            assert_eq!(
                index.verify(&table, &[0], &snapshot).unwrap(),
                Vec::<String>::new()
            );
        });
    }
}

#[test]
fn sessions_may_move_between_threads() {
    fn is_send<T: Send>() {}
    is_send::<Transaction>();
    is_send::<TableScan>();
    is_send::<IndexScan>();
    is_send::<ActiveSnapshot>();
    fn is_shared<T: Send + Sync>() {}
    is_shared::<Storage>();
    is_shared::<Table>();
    is_shared::<Index>();
    is_shared::<Sequence>();
}
