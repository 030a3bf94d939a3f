//! What the tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, dead_code)]

pub mod groups;
pub mod kind;

use std::path::Path;
use std::sync::Arc;

use common::env::Env;
use common::env::os::OsEnv;
use common::env::sim::SimEnv;
use common::{Oid, RowId};
use pglite_access::*;
use txn::{Proc, Snapshot};
use types::key::KeyColumn;
use types::{Datum, PhysType, oids};

pub fn memory() -> Arc<Storage> {
    let mut options = StorageOptions::in_memory(Arc::new(OsEnv::new()));
    options.background = false;
    Storage::open(options).unwrap()
}

/// A directory where changes of more than a few rows go by marks.
pub fn marking(env: &SimEnv, dir: &str) -> Arc<Storage> {
    let mut options = StorageOptions::in_dir(Arc::new(env.clone()), Path::new(dir));
    options.background = false;
    // A few go the usual way.
    (options.ahead_after_rows, options.ahead_rows_min) = (3, 2);
    options.cache_bytes_max = 100 << 10;
    options.ahead_entry_bytes = 100 << 10;
    Storage::open(options).unwrap()
}

/// Every insertion by columns goes into the store ahead of its commit.
pub fn memory_ahead() -> Arc<Storage> {
    memory_ahead_with(25)
}

/// The same; longer texts leave their rows.
pub fn memory_ahead_with(toast_bytes_min: usize) -> Arc<Storage> {
    let mut options = StorageOptions::in_memory(Arc::new(OsEnv::new()));
    options.background = false;
    // Nothing stays in memory, and columns are read as they are asked for.
    (options.cache_bytes_max, options.parts_from_rows) = (0, 0);
    (options.ahead_after_rows, options.ahead_rows_min) = (0, 0);
    options.ahead_entry_bytes = 1000;
    options.toast_bytes_min = toast_bytes_min;
    Storage::open(options).unwrap()
}

/// Inserts an entry of an integer key as a run, or alone where the run finds something in its way.
pub fn insert_as_run(
    index: &Index,
    txn: &mut Transaction,
    key: i32,
    row: RowId,
) -> common::PgResult<Result<(), RowId>> {
    let mut run = EntryRun::default();
    run.push(index, &[int(key)], &[], row);
    if index.insert_run(txn, run)? {
        return Ok(Ok(()));
    }
    index.insert(txn, &[int(key)], &[], row, UniqueCheck::Yes)
}

pub fn on_disk(env: Arc<dyn Env>, dir: &std::path::Path) -> Arc<Storage> {
    let mut options = StorageOptions::in_dir(env, dir);
    options.background = false;
    options.wal_segment_size = 64 << 10;
    options.pack_rows_min = 3;
    options.parts_from_rows = 0;
    Storage::open(options).unwrap()
}

/// Inserts rows of the table's own width by columns.
pub fn insert_by_columns(
    table: &Table,
    txn: &mut Transaction,
    rows: &[Vec<Datum>],
) -> common::PgResult<RowId> {
    let column = |(k, phys): (usize, &PhysType)| {
        let values: Vec<Datum> = rows.iter().map(|r| r[k].clone()).collect();
        Arc::new(types::Vector::from_datums(*phys, &values))
    };
    let columns: Vec<_> = table.def().columns.iter().enumerate().map(column).collect();
    table.insert_columns(txn, &columns, rows.len())
}

pub struct Session {
    pub storage: Arc<Storage>,
    pub proc: Arc<Proc>,
}

impl Session {
    pub fn new(storage: &Arc<Storage>, pid: i32) -> Session {
        Session {
            storage: Arc::clone(storage),
            proc: storage.register(pid).unwrap(),
        }
    }

    pub fn begin(&self) -> Transaction {
        self.storage
            .begin(&self.proc, TransactionOptions::default())
            .unwrap()
    }

    pub fn begin_rr(&self) -> Transaction {
        let options = TransactionOptions {
            isolation: Isolation::RepeatableRead,
            ..TransactionOptions::default()
        };
        self.storage.begin(&self.proc, options).unwrap()
    }

    pub fn run<T>(&self, work: impl FnOnce(&mut Transaction) -> T) -> T {
        let mut txn = self.begin();
        let out = work(&mut txn);
        txn.commit().unwrap();
        out
    }
}

pub fn int(v: i32) -> Datum {
    Datum::Int4(v)
}

/// A table (id int4, v int4, t text) under a fixed relation id.
pub fn table_def(id: u64) -> Arc<TableDef> {
    let columns = vec![PhysType::Int4, PhysType::Int4, PhysType::Text];
    Arc::new(TableDef::new(common::RelationId(id), Oid(id as u32), columns))
}

pub fn index_def(id: u64) -> Arc<IndexDef> {
    let column = KeyColumn::ascending(PhysType::Int4, oids::INT4);
    let mut def = IndexDef::new(common::RelationId(id), Oid(id as u32), vec![column]).unique();
    def.table = Some(common::RelationId(20000));
    Arc::new(def)
}

pub fn row(id: i32, v: i32) -> Vec<Datum> {
    vec![
        int(id),
        int(v),
        Datum::text(format!("row {id} with some text, value {v}")),
    ]
}

/// All rows a snapshot sees: (row id, id, v), in scan order.
pub fn rows(table: &Table, snapshot: &Snapshot) -> Vec<(u64, i32, i32)> {
    try_rows(table, snapshot).unwrap()
}

/// One column of all rows, with their ids.
fn try_column(table: &Table, snapshot: &Snapshot, column: u16) -> common::PgResult<Vec<(u64, i32)>> {
    let mut out = Vec::new();
    let mut scan = table.scan(snapshot, ScanRequest::columns([column]).with_row_ids());
    while let Some(batch) = scan.next_batch(1000)? {
        for k in 0..batch.len() {
            match batch.row(k).as_slice() {
                [Datum::Int4(v), Datum::Int8(at)] => out.push((*at as u64, *v)),
                other => panic!("{other:?}"),
            }
        }
    }
    Ok(out)
}

/// Scanned column by column, fetched as a batch and scanned whole, which must all be the same.
pub fn try_rows(table: &Table, snapshot: &Snapshot) -> common::PgResult<Vec<(u64, i32, i32)>> {
    let values = try_column(table, snapshot, 1)?;
    let ids = try_column(table, snapshot, 0)?;
    let at: Vec<RowId> = ids.iter().map(|(at, _)| RowId(*at)).collect();
    let mut fetched = [
        types::Vector::empty(PhysType::Int4),
        types::Vector::empty(PhysType::Int4),
    ];
    let mut found = Vec::new();
    table.fetch_batch(&at, snapshot, &[1, 0], &mut fetched, &mut found)?;
    let all = try_whole_rows(table, snapshot)?;
    assert_eq!(values, all.iter().map(|(at, _, v)| (*at, *v)).collect::<Vec<_>>());
    assert_eq!(ids, all.iter().map(|(at, id, _)| (*at, *id)).collect::<Vec<_>>());
    assert_eq!(found.len(), all.len());
    for (i, (_, id, v)) in all.iter().enumerate() {
        assert_eq!((fetched[1].datum(i), fetched[0].datum(i)), (int(*id), int(*v)));
    }
    check_zones(table, snapshot, &all)?;
    Ok(all)
}

/// Scans that look for some values of `id` or `v` find them all, whatever they pass over.
fn check_zones(table: &Table, snapshot: &Snapshot, all: &[(u64, i32, i32)]) -> common::PgResult<()> {
    let Some(&(_, id, v)) = all.get(all.len() / 2) else {
        return Ok(());
    };
    let picks: [(u16, i32, i32); 4] = [(0, id, id), (1, v, v), (0, i32::MIN, id), (1, v, i32::MAX)];
    for (column, low, high) in picks {
        let wants = ZoneWants::Between(low.into(), high.into());
        let fits = |(_, id, v): &&(u64, i32, i32)| (low..=high).contains(if column == 0 { id } else { v });
        let found = zone_rows(table, snapshot, &[ZoneTest { column, wants }])?;
        assert!(
            found.iter().filter(fits).eq(all.iter().filter(fits)),
            "{column} {low} {high}"
        );
    }
    Ok(())
}

/// What a scan with zone tests gives: (row id, id, v).
pub fn zone_rows(
    table: &Table,
    snapshot: &Snapshot,
    zones: &[ZoneTest],
) -> common::PgResult<Vec<(u64, i32, i32)>> {
    let mut out = Vec::new();
    let mut request = ScanRequest::columns([0, 1]).with_row_ids();
    request.zones = zones.to_vec();
    let mut scan = table.scan(snapshot, request);
    while let Some(batch) = scan.next_batch(1000)? {
        for k in 0..batch.len() {
            match batch.row(k).as_slice() {
                [Datum::Int4(id), Datum::Int4(v), Datum::Int8(at)] => out.push((*at as u64, *id, *v)),
                other => panic!("{other:?}"),
            }
        }
    }
    Ok(out)
}

fn try_whole_rows(table: &Table, snapshot: &Snapshot) -> common::PgResult<Vec<(u64, i32, i32)>> {
    let mut out = Vec::new();
    let mut scan = table.scan(snapshot, ScanRequest::columns([0, 1, 2]).with_row_ids());
    while let Some(batch) = scan.next_batch(300)? {
        for k in 0..batch.len() {
            match batch.row(k).as_slice() {
                [Datum::Int4(id), Datum::Int4(v), text, Datum::Int8(at)] => {
                    // Rows of the program have other texts.
                    assert!(
                        *text == row(*id, *v)[2] || table.id().0 < 16384,
                        "row {at}: {id} {v} {text:?}"
                    );
                    out.push((*at as u64, *id, *v));
                }
                other => panic!("{other:?}"),
            }
        }
    }
    Ok(out)
}

/// All entries a snapshot sees: (key, row id).
pub fn entries(index: &Index, snapshot: &Snapshot) -> Vec<(i32, u64)> {
    try_entries(index, snapshot).unwrap()
}

pub fn try_entries(index: &Index, snapshot: &Snapshot) -> common::PgResult<Vec<(i32, u64)>> {
    let mut scan = index
        .scan(snapshot, IndexBounds::all(), ScanDirection::Forward)
        .with_keys();
    let mut out = Vec::new();
    let mut datums = Vec::new();
    while let Some(row) = scan.next_entry(&mut datums)? {
        match datums.pop() {
            Some(Datum::Int4(key)) => out.push((key, row.0)),
            other => panic!("{other:?}"),
        }
    }
    Ok(out)
}

pub fn find(table: &Table, index: &Index, snapshot: &Snapshot, id: i32) -> Option<(RowId, Vec<Datum>)> {
    let mut key = Vec::new();
    index.encode_prefix(&[int(id)], &mut key);
    let row = index.lookup(snapshot, &key).unwrap()?;
    let mut out = Vec::new();
    assert!(
        table.fetch(row, snapshot, &mut out).unwrap(),
        "index entry {id} without row {row}"
    );
    Some((row, out))
}

/// A prepared transaction's name and owner.
pub fn prepared_info(gid: &str) -> PreparedInfo {
    PreparedInfo {
        gid: gid.into(),
        owner: Oid(10),
        database: Oid(5),
        prepared_unix_micros: 1,
    }
}

/// The one transaction that is in doubt after a restart.
pub fn resumed(storage: &Arc<Storage>) -> PreparedTransaction {
    let mut all = storage.resume_prepared(&|_| Ok(())).unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

/// A fork, and a backup in `/copy`, with a transaction that is prepared.
pub fn copied_with(storage: &Arc<Storage>, prepared: &PreparedTransaction) -> Arc<Storage> {
    let fork = storage.fork(vec![prepared.copy(false).unwrap()], || ()).unwrap();
    let copies = vec![prepared.copy(true).unwrap()];
    let (kind, cancel) = (kv::KvKind::default(), common::cancel::CancelToken::new());
    storage
        .backup(std::path::Path::new("/copy"), kind, &cancel, (copies, || ()), &[])
        .unwrap();
    fork
}
