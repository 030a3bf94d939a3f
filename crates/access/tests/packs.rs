//! Rows in packs: whatever was checkpointed, overwritten, deleted, packed again and reopened, a cold read finds it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ::common::RowId;
use ::common::env::Env;
use ::common::env::sim::SimEnv;
use common::*;
use pglite_access::*;
use proptest::prelude::*;
use txn::RowLockMode;
use types::Datum;

const TABLE: u64 = 20000;

#[derive(Clone, Debug)]
enum Op {
    Insert(u16),
    Load(u16),
    Update { from: u16, step: u16, count: u16 },
    Delete { from: u16, step: u16, count: u16 },
    Maintain,
    Reopen,
    Crash,
}

fn op() -> impl Strategy<Value = Op> {
    let range = || (0..700_u16, 1..9_u16, 1..150_u16);
    prop_oneof![
        2 => (1..60_u16).prop_map(Op::Insert),
        2 => (1..400_u16).prop_map(Op::Load),
        3 => range().prop_map(|(from, step, count)| Op::Update { from, step, count }),
        3 => range().prop_map(|(from, step, count)| Op::Delete { from, step, count }),
        4 => Just(Op::Maintain),
        1 => Just(Op::Reopen),
        1 => Just(Op::Crash),
    ]
}

fn open(env: &SimEnv) -> Arc<Storage> {
    let mut options = StorageOptions::in_dir(Arc::new(env.clone()), Path::new("/db"));
    options.background = false;
    // Nothing stays in memory but delta.
    options.cache_bytes_max = 0;
    options.pack_rows_min = 20;
    Storage::open(options).unwrap()
}

/// The database, and the rows it should have by row id.
struct World {
    env: SimEnv,
    storage: Option<Arc<Storage>>,
    rows: BTreeMap<u64, (i32, i32)>,
    next: i32,
}

impl World {
    fn storage(&self) -> &Arc<Storage> {
        self.storage.as_ref().unwrap()
    }

    fn with(&mut self, work: impl FnOnce(&mut World, &Table, &mut Transaction)) {
        let storage = Arc::clone(self.storage());
        let table = storage.table(&table_def(TABLE)).unwrap();
        Session::new(&storage, 1).run(|txn| work(self, &table, txn));
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Insert(count) => self.with(|w, table, txn| {
                for _ in 0..count {
                    let at = table.insert(txn, &row(w.next, 0)).unwrap();
                    w.rows.insert(at.0, (w.next, 0));
                    w.next += 1;
                }
            }),
            Op::Load(count) => self.with(|w, table, txn| {
                let new: Vec<Vec<Datum>> = (0..i32::from(count)).map(|k| row(w.next + k, 7)).collect();
                let at = insert_by_columns(table, txn, &new).unwrap();
                for k in 0..i32::from(count) {
                    w.rows.insert(at.0 + k as u64, (w.next + k, 7));
                }
                w.next += i32::from(count);
            }),
            Op::Update { from, step, count } => self.with(|w, table, txn| {
                for at in w.some(from, step, count) {
                    let (id, v) = w.rows[&at];
                    let snapshot = txn.snapshot().unwrap();
                    let done = table
                        .update(
                            txn,
                            &snapshot,
                            RowId(at),
                            &row(id, v + 1),
                            RowLockMode::NoKeyUpdate,
                        )
                        .unwrap();
                    let WriteOutcome::Done(to) = done else {
                        panic!("{done:?}")
                    };
                    w.rows.remove(&at);
                    w.rows.insert(to.0, (id, v + 1));
                }
            }),
            Op::Delete { from, step, count } => self.with(|w, table, txn| {
                for at in w.some(from, step, count) {
                    let snapshot = txn.snapshot().unwrap();
                    table.delete(txn, &snapshot, RowId(at)).unwrap();
                    w.rows.remove(&at);
                }
            }),
            Op::Maintain => self.storage().maintain().unwrap(),
            Op::Reopen => {
                let storage = self.storage.take().unwrap();
                storage.close().unwrap();
                drop(storage);
                self.storage = Some(open(&self.env));
            }
            Op::Crash => {
                let crashed = self.env.crash();
                self.storage = None;
                self.env = crashed;
                self.storage = Some(open(&self.env));
            }
        }
    }

    /// Some of the rows.
    fn some(&self, from: u16, step: u16, count: u16) -> Vec<u64> {
        let rows = self.rows.keys().skip(usize::from(from));
        rows.step_by(usize::from(step))
            .take(usize::from(count))
            .copied()
            .collect()
    }

    fn check(&mut self) {
        self.with(|w, table, txn| {
            let snapshot = txn.snapshot().unwrap();
            let mut out = Vec::new();
            // One by one first: a scan may leave blocks behind.
            for (at, (id, v)) in &w.rows {
                out.clear();
                assert!(table.fetch(RowId(*at), &snapshot, &mut out).unwrap(), "row {at}");
                assert_eq!(out, row(*id, *v), "row {at}");
            }
            let wanted: Vec<(u64, i32, i32)> = w.rows.iter().map(|(at, (id, v))| (*at, *id, *v)).collect();
            assert_eq!(rows(table, &snapshot), wanted);
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn cold_rows_are_what_was_written(ops in prop::collection::vec(op(), 1..25), seed in 0_u64..1000) {
        let env = SimEnv::new(seed);
        let storage = Some(open(&env));
        let mut world = World { env, storage, rows: BTreeMap::new(), next: 0 };
        for op in &ops {
            world.apply(op);
        }
        world.check();
        world.apply(&Op::Maintain);
        world.check();
        world.apply(&Op::Reopen);
        world.check();
    }
}

/// Rows of different widths stay single, and deletions among them count all the same.
#[test]
fn rows_of_different_widths_do_not_share_a_pack() {
    let env: Arc<dyn Env> = Arc::new(SimEnv::new(3));
    let storage = on_disk(Arc::clone(&env), Path::new("/db"));
    let s = Session::new(&storage, 1);
    let def = table_def(TABLE);
    let narrow = storage.table(&def).unwrap();
    s.run(|txn| insert_by_columns(&narrow, txn, &(0..100).map(|i| row(i, 1)).collect::<Vec<_>>()).unwrap());
    storage.maintain().unwrap();
    let mut wider = TableDef::clone(&def);
    wider.columns.push(types::PhysType::Int8);
    wider.missing = vec![Datum::Null, Datum::Null, Datum::Null, Datum::Int8(42)];
    let wider = Arc::new(wider);
    let table = storage.table(&wider).unwrap();
    s.run(|txn| {
        for at in (0..100).step_by(5) {
            let snapshot = txn.snapshot().unwrap();
            match at % 2 {
                0 => drop(table.delete(txn, &snapshot, RowId(at)).unwrap()),
                _ => {
                    let mut values = row(at as i32, 2);
                    values.push(Datum::Int8(7));
                    table
                        .update(txn, &snapshot, RowId(at), &values, RowLockMode::NoKeyUpdate)
                        .unwrap();
                }
            }
        }
    });
    storage.maintain().unwrap();
    storage.close().unwrap();
    drop((s, narrow, table, storage));
    let storage = on_disk(env, Path::new("/db"));
    let table = storage.table(&wider).unwrap();
    let s = Session::new(&storage, 1);
    s.run(|txn| {
        let snapshot = txn.snapshot().unwrap();
        let found = rows(&table, &snapshot);
        assert_eq!(found.len(), 90);
        let mut scan = table.scan(&snapshot, ScanRequest::columns([1, 3]));
        while let Some(batch) = scan.next_batch(300).unwrap() {
            for k in 0..batch.len() {
                let updated = batch.row(k)[0] == int(2);
                assert_eq!(batch.row(k)[1], Datum::Int8(if updated { 7 } else { 42 }));
            }
        }
    });
}
