//! Zone maps: what scans pass over, and when they do not.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use ::common::RowId;
use common::*;
use pglite_access::*;
use txn::RowLockMode;

/// Three chunks of rows, ids ascending, in main.
fn filled() -> (std::sync::Arc<Storage>, Table) {
    let storage = memory();
    let table = storage.table(&table_def(20000)).unwrap();
    Session::new(&storage, 1).run(|txn| {
        for id in 0..3000 {
            table.insert(txn, &row(id, -id)).unwrap();
        }
    });
    storage.maintain().unwrap();
    (storage, table)
}

fn ids(table: &Table, txn: &mut Transaction, column: u16, low: i64, high: i64) -> Vec<i32> {
    let wants = ZoneWants::Between(low, high);
    let rows = zone_rows(table, &txn.snapshot().unwrap(), &[ZoneTest { column, wants }]).unwrap();
    rows.iter().map(|(_, id, _)| *id).collect()
}

#[test]
fn chunks_without_a_row_of_use_are_passed_over_from_the_second_time_on() {
    let (storage, table) = filled();
    let mut txn = Session::new(&storage, 1).begin();
    assert_eq!(
        ids(&table, &mut txn, 0, 1500, 1501).len(),
        3000,
        "nothing is known yet"
    );
    assert_eq!(
        ids(&table, &mut txn, 0, 1500, 1501),
        (1024..2048).collect::<Vec<_>>()
    );
    assert_eq!(ids(&table, &mut txn, 0, 5000, 6000), []);
    assert_eq!(ids(&table, &mut txn, 1, -5, 0).len(), 3000, "the other column");
    assert_eq!(ids(&table, &mut txn, 1, -5, 0), (0..1024).collect::<Vec<_>>());
}

#[test]
fn changed_chunks_are_read_until_they_are_merged() {
    let (storage, table) = filled();
    let session = Session::new(&storage, 1);
    let mut old = Session::new(&storage, 2).begin_rr();
    assert_eq!(ids(&table, &mut old, 0, 2990, 9999).len(), 3000);
    assert_eq!(ids(&table, &mut old, 0, 2990, 9999).len(), 3000 - 2048);
    session.run(|txn| {
        let snapshot = txn.snapshot().unwrap();
        let lock = RowLockMode::NoKeyUpdate;
        table
            .update(txn, &snapshot, RowId(10), &row(7000, 0), lock)
            .unwrap();
    });
    let mut new = session.begin();
    assert!(ids(&table, &mut new, 0, 7000, 7000).contains(&7000));
    assert!(ids(&table, &mut old, 0, 10, 10).contains(&10));
    drop((old, new));
    storage.maintain().unwrap();
    let mut txn = session.begin();
    assert!(ids(&table, &mut txn, 0, 7000, 7000).contains(&7000), "made anew");
    let found = ids(&table, &mut txn, 0, 7000, 7000);
    assert!(found.contains(&7000) && found.len() < 1025, "{}", found.len());
}
