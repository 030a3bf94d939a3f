//! Costs of point operations, scans and loads: `cargo run --release -p pglite-access --example measure [ROWS]`.
//! For instructions: `perf stat -e instructions:u`, or `valgrind --tool=none`, of one part (`measure ROWS lookup 1000000`).
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use common::env::os::OsEnv;
use common::{Oid, RelationId, RowId};
use pglite_access::*;
use txn::RowLockMode;
use types::key::KeyColumn;
use types::{Datum, PhysType, oids};

struct Bench {
    storage: Arc<Storage>,
    table: Table,
    index: Index,
    rows: i32,
}

fn row(id: i32) -> [Datum; 3] {
    [
        Datum::Int4(id),
        Datum::Int8(0),
        Datum::text("a text of some forty bytes, as rows have"),
    ]
}

impl Bench {
    fn report(&self, what: &str, times: u64, start: Instant) {
        println!(
            "{what:<28} {:>10.0} ns",
            start.elapsed().as_nanos() as f64 / times as f64
        );
    }

    fn load(&self) {
        let proc = self.storage.register(1).unwrap();
        let start = Instant::now();
        for chunk in 0..self.rows / 10_000 {
            let mut txn = self.storage.begin(&proc, TransactionOptions::default()).unwrap();
            for i in 0..10_000 {
                let id = chunk * 10_000 + i;
                let at = self.table.insert(&mut txn, &row(id)).unwrap();
                self.index
                    .insert(&mut txn, &[Datum::Int4(id)], &[], at, UniqueCheck::Yes)
                    .unwrap()
                    .unwrap();
            }
            txn.commit().unwrap();
        }
        self.report("insert with unique index", self.rows as u64, start);
        let start = Instant::now();
        self.storage.maintain().unwrap();
        self.report("checkpoint and merge, per row", self.rows as u64, start);
    }

    fn lookups(&self, times: u64, what: &str) {
        let proc = self.storage.register(1).unwrap();
        let mut txn = self.storage.begin(&proc, TransactionOptions::default()).unwrap();
        let mut key = Vec::new();
        let mut out = Vec::new();
        let start = Instant::now();
        for i in 0..times {
            let snapshot = txn.snapshot().unwrap();
            let id = (i.wrapping_mul(7919) % self.rows as u64) as i32;
            self.index.encode_prefix(&[Datum::Int4(id)], &mut key);
            let at = self.index.lookup(&snapshot, &key).unwrap().unwrap();
            out.clear();
            assert!(
                self.table
                    .fetch_columns(at, &snapshot, &[0, 1], &mut out)
                    .unwrap()
            );
            black_box(&out);
        }
        self.report(what, times, start);
    }

    fn updates(&self, times: u64) {
        let proc = self.storage.register(1).unwrap();
        let start = Instant::now();
        for i in 0..times {
            let mut txn = self.storage.begin(&proc, TransactionOptions::default()).unwrap();
            let snapshot = txn.snapshot().unwrap();
            let at = RowId(i.wrapping_mul(7919) % self.rows as u64);
            self.table
                .update(
                    &mut txn,
                    &snapshot,
                    at,
                    &row(at.0 as i32),
                    RowLockMode::NoKeyUpdate,
                )
                .unwrap();
            drop(snapshot);
            txn.commit().unwrap();
        }
        self.report("update and commit", times, start);
    }

    fn scans(&self, what: &str) {
        let proc = self.storage.register(1).unwrap();
        let mut txn = self.storage.begin(&proc, TransactionOptions::default()).unwrap();
        let snapshot = txn.snapshot().unwrap();
        let start = Instant::now();
        let mut scan = self.table.scan(&snapshot, ScanRequest::columns([0, 1, 2]));
        let mut rows = 0;
        while let Some(batch) = scan.next_batch(1024).unwrap() {
            rows += batch.len();
            black_box(&batch);
        }
        assert_eq!(rows, self.rows as usize);
        self.report(what, rows as u64, start);
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let rows = args.next().and_then(|r| r.parse().ok()).unwrap_or(1_000_000);
    let part = args.next().unwrap_or_default();
    let times = args.next().and_then(|r| r.parse().ok()).unwrap_or(1_000_000);
    let mut options = StorageOptions::in_memory(Arc::new(OsEnv::new()));
    options.background = false;
    options.delta_bytes_max = usize::MAX;
    let storage = Storage::open(options).unwrap();
    let columns = vec![PhysType::Int4, PhysType::Int8, PhysType::Text];
    let table = storage
        .table(&Arc::new(TableDef::new(RelationId(20000), Oid(20000), columns)))
        .unwrap();
    let column = KeyColumn::ascending(PhysType::Int4, oids::INT4);
    let index = IndexDef::new(RelationId(20001), Oid(20001), vec![column]).unique();
    let index = storage.index(&Arc::new(index)).unwrap();
    let bench = Bench {
        storage,
        table,
        index,
        rows,
    };
    bench.load();
    match part.as_str() {
        "lookup" => bench.lookups(times, "lookup in main"),
        "update" => bench.updates(times),
        _ => {
            bench.scans("scan of main, per row");
            bench.lookups(times, "lookup in main");
            bench.updates(times);
            bench.lookups(times, "lookup after updates");
            bench.scans("scan after updates, per row");
        }
    }
}
