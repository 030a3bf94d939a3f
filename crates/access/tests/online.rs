//! Indexes that are filled while rows change and maintenance runs.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::Arc;

use common::*;
use pglite_access::*;

const TABLE: u64 = 20000;
const INDEX: u64 = 20001;

#[test]
fn who_fills_an_index_finds_what_was_taken_away_before_a_merge() {
    let storage = memory();
    let (builder, writer) = (Session::new(&storage, 1), Session::new(&storage, 2));
    let table = storage.table(&table_def(TABLE)).unwrap();
    let rows: Vec<_> = builder.run(|txn| {
        (0..20)
            .map(|id| table.insert(txn, &row(id, 0)).unwrap())
            .collect()
    });
    storage.maintain().unwrap();
    let in_state = |state| {
        let mut def = IndexDef::clone(&index_def(INDEX));
        def.state = state;
        storage.index(&Arc::new(def)).unwrap()
    };
    let index = in_state(IndexState::WriteOnly);
    let mut txn = builder.begin();
    let snapshot = txn.latest_snapshot().unwrap();
    // Half of the rows go, some keys come back with other rows.
    let again: Vec<_> = writer.run(|txn| {
        let snapshot = txn.snapshot().unwrap();
        for id in (0..20).step_by(2) {
            let at = rows[id as usize];
            assert_eq!(table.delete(txn, &snapshot, at).unwrap(), WriteOutcome::Done(at));
            index.delete(txn, &[int(id)], at).unwrap();
        }
        let again = (0..20).step_by(4).map(|id| {
            let at = table.insert(txn, &row(id, 1)).unwrap();
            assert_eq!(
                index.insert(txn, &[int(id)], &[], at, UniqueCheck::Yes).unwrap(),
                Ok(())
            );
            (id, at.0)
        });
        again.collect()
    });
    storage.maintain().unwrap();
    storage.maintain().unwrap();
    for (id, at) in (0..).zip(&rows) {
        assert_eq!(
            index.adopt(&mut txn, snapshot.csn, &[int(id)], &[], *at).unwrap(),
            Adopted::Done,
            "{id}"
        );
    }
    drop(snapshot);
    txn.commit().unwrap();
    let mut expected: Vec<(i32, u64)> = (1..20).step_by(2).map(|id| (id, rows[id as usize].0)).collect();
    expected.extend(again);
    expected.sort_unstable();
    // Complete, it forgets what no snapshot sees.
    let index = in_state(IndexState::Complete);
    for _ in 0..3 {
        let mut txn = writer.begin();
        let snapshot = txn.snapshot().unwrap();
        assert_eq!(entries(&index, &snapshot), expected);
        drop(snapshot);
        txn.abort();
        storage.maintain().unwrap();
    }
}

#[test]
fn a_key_that_came_back_without_an_entry_gets_one() {
    let storage = memory();
    let (builder, writer) = (Session::new(&storage, 1), Session::new(&storage, 2));
    let table = storage.table(&table_def(TABLE)).unwrap();
    let at = builder.run(|txn| table.insert(txn, &row(1, 0)).unwrap());
    let in_state = |state| {
        let mut def = IndexDef::clone(&index_def(INDEX));
        def.state = state;
        storage.index(&Arc::new(def)).unwrap()
    };
    let (early, late) = (in_state(IndexState::DeleteOnly), in_state(IndexState::WriteOnly));
    // One writer takes the key from the row, one who adds no entries yet gives it back.
    writer.run(|txn| assert!(!late.delete(txn, &[int(1)], at).unwrap()));
    writer.run(|txn| {
        assert_eq!(
            late.insert(txn, &[int(2)], &[], at, UniqueCheck::Yes).unwrap(),
            Ok(())
        );
    });
    writer.run(|txn| assert!(early.delete(txn, &[int(2)], at).unwrap()));
    let mut txn = builder.begin();
    let snapshot = txn.latest_snapshot().unwrap();
    assert_eq!(
        late.adopt(&mut txn, snapshot.csn, &[int(1)], &[], at).unwrap(),
        Adopted::Done
    );
    drop(snapshot);
    txn.commit().unwrap();
    let mut txn = builder.begin();
    let snapshot = txn.snapshot().unwrap();
    assert_eq!(
        entries(&in_state(IndexState::Complete), &snapshot),
        vec![(1, at.0)]
    );
    drop(snapshot);
    txn.abort();
}
