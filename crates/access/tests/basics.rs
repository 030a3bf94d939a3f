//! One thing at a time: visibility, savepoints, updates, indexes, sequences, merging.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::Arc;

use ::common::{RelationId, RowId};
use common::*;
use pglite_access::*;
use txn::RowLockMode;
use types::Datum;

const MODE: RowLockMode = RowLockMode::NoKeyUpdate;

#[test]
fn a_row_is_seen_from_the_next_command_on_and_by_others_after_commit() {
    let storage = memory();
    let (a, b) = (Session::new(&storage, 1), Session::new(&storage, 2));
    let table = storage.table(&table_def(20000)).unwrap();
    let mut txn = a.begin();
    let before = txn.snapshot().unwrap();
    let id = table.insert(&mut txn, &row(1, 10)).unwrap();
    assert_eq!(rows(&table, &before), []);
    txn.next_command().unwrap();
    let now = txn.snapshot().unwrap();
    assert_eq!(rows(&table, &now), [(id.0, 1, 10)]);
    let mut other = b.begin();
    let theirs = other.snapshot().unwrap();
    assert_eq!(rows(&table, &theirs), []);
    txn.commit().unwrap();
    assert_eq!(rows(&table, &theirs), []);
    assert_eq!(rows(&table, &other.snapshot().unwrap()), [(id.0, 1, 10)]);
    assert_eq!(table.size().rows, 1);
}

#[test]
fn savepoints_nest_and_rollback_leaves_nothing() {
    let storage = memory();
    let s = Session::new(&storage, 1);
    let table = storage.table(&table_def(20000)).unwrap();
    let index = storage.index(&index_def(20001)).unwrap();
    let insert = |txn: &mut Transaction, id| {
        let at = table.insert(txn, &row(id, id)).unwrap();
        assert_eq!(
            index.insert(txn, &[int(id)], &[], at, UniqueCheck::Yes).unwrap(),
            Ok(())
        );
    };
    let mut txn = s.begin();
    insert(&mut txn, 1);
    let one = txn.savepoint().unwrap();
    insert(&mut txn, 2);
    let two = txn.savepoint().unwrap();
    insert(&mut txn, 3);
    txn.rollback_to(&two).unwrap();
    insert(&mut txn, 4);
    txn.rollback_to(&one).unwrap();
    insert(&mut txn, 5);
    txn.commit().unwrap();
    let mut txn = s.begin();
    let snapshot = txn.snapshot().unwrap();
    let ids: Vec<i32> = rows(&table, &snapshot).iter().map(|r| r.1).collect();
    assert_eq!(ids, [1, 5]);
    assert_eq!(entries(&index, &snapshot).len(), 2);
    drop(snapshot);
    insert(&mut txn, 6);
    txn.abort();
    let mut txn = s.begin();
    assert_eq!(rows(&table, &txn.snapshot().unwrap()).len(), 2);
    assert_eq!(table.size().rows, 2);
}

#[test]
fn small_tables_move_updated_rows_to_the_end_and_large_ones_do_not() {
    let storage = memory();
    let s = Session::new(&storage, 1);
    let table = storage.table(&table_def(20000)).unwrap();
    s.run(|txn| {
        (1..=3).for_each(|id| {
            table.insert(txn, &row(id, 0)).unwrap();
        })
    });
    s.run(|txn| {
        let snapshot = txn.snapshot().unwrap();
        let outcome = table
            .update(txn, &snapshot, ::common::RowId(0), &row(1, 1), MODE)
            .unwrap();
        assert_eq!(outcome, WriteOutcome::Done(::common::RowId(3)));
    });
    let order = |s: &Session| {
        s.run(|txn| {
            rows(&table, &txn.snapshot().unwrap())
                .iter()
                .map(|r| r.1)
                .collect::<Vec<_>>()
        })
    };
    assert_eq!(order(&s), [2, 3, 1]);
    s.run(|txn| {
        (4..=200).for_each(|id| {
            table.insert(txn, &row(id, 0)).unwrap();
        })
    });
    s.run(|txn| {
        let snapshot = txn.snapshot().unwrap();
        let outcome = table
            .update(txn, &snapshot, ::common::RowId(1), &row(2, 1), MODE)
            .unwrap();
        assert_eq!(outcome, WriteOutcome::Done(::common::RowId(1)));
    });
    assert_eq!(order(&s)[..3], [2, 3, 1]);
}

#[test]
fn merging_changes_nothing_that_anybody_sees() {
    let storage = memory();
    let s = Session::new(&storage, 1);
    let old = Session::new(&storage, 2);
    let table = storage.table(&table_def(20000)).unwrap();
    let index = storage.index(&index_def(20001)).unwrap();
    s.run(|txn| {
        for id in 0..3000 {
            let at = table.insert(txn, &row(id, 0)).unwrap();
            index
                .insert(txn, &[int(id)], &[], at, UniqueCheck::Yes)
                .unwrap()
                .unwrap();
        }
    });
    let check = |snapshot: &txn::Snapshot, v: i32, gone: bool| {
        let all = rows(&table, snapshot);
        assert_eq!(all.len(), if gone { 2999 } else { 3000 });
        assert!(all.iter().all(|r| r.2 == if r.1 % 7 == 0 { v } else { 0 }));
        assert_eq!(entries(&index, snapshot).len(), all.len());
        for id in [0, 7, 1500, 2999] {
            assert_eq!(
                find(&table, &index, snapshot, id).unwrap().1[1],
                int(if id % 7 == 0 { v } else { 0 })
            );
        }
        assert_eq!(find(&table, &index, snapshot, 100).is_none(), gone);
        let back: Vec<_> = rows_backward(&table, snapshot);
        assert!(back.iter().rev().copied().eq(all.iter().map(|r| r.0)));
    };
    let mut reader = old.begin_rr();
    let view = reader.snapshot().unwrap();
    check(&view, 0, false);
    storage.maintain().unwrap();
    check(&view, 0, false);
    s.run(|txn| {
        let snapshot = txn.snapshot().unwrap();
        for id in (0..3000).step_by(7) {
            let (at, _) = find(&table, &index, &snapshot, id).unwrap();
            assert_eq!(
                table.update(txn, &snapshot, at, &row(id, 5), MODE).unwrap(),
                WriteOutcome::Done(at)
            );
        }
        let (at, _) = find(&table, &index, &snapshot, 100).unwrap();
        table.delete(txn, &snapshot, at).unwrap();
        assert!(index.delete(txn, &[int(100)], at).unwrap());
    });
    for _ in 0..3 {
        check(&view, 0, false);
        s.run(|txn| check(&txn.snapshot().unwrap(), 5, true));
        storage.maintain().unwrap();
    }
    drop(view);
    drop(reader);
    storage.maintain().unwrap();
    s.run(|txn| check(&txn.snapshot().unwrap(), 5, true));
    assert!(storage.memory_bytes().0 < 10_000, "{:?}", storage.memory_bytes());
}

fn rows_backward(table: &Table, snapshot: &txn::Snapshot) -> Vec<u64> {
    let mut request = ScanRequest::columns([]).with_row_ids();
    request.direction = ScanDirection::Backward;
    let mut scan = table.scan(snapshot, request);
    let mut out = Vec::new();
    while let Some(batch) = scan.next_batch(100).unwrap() {
        out.extend((0..batch.len()).map(|k| batch.row(k)[0].as_i64().unwrap() as u64));
    }
    out
}

#[test]
fn unique_indexes_refuse_a_second_row_and_forget_deleted_ones() {
    let storage = memory();
    let s = Session::new(&storage, 1);
    let index = storage.index(&index_def(20001)).unwrap();
    let (one, two) = (::common::RowId(1), ::common::RowId(2));
    s.run(|txn| {
        assert_eq!(
            index.insert(txn, &[int(7)], &[], one, UniqueCheck::Yes).unwrap(),
            Ok(())
        );
        assert_eq!(
            index.insert(txn, &[int(7)], &[], two, UniqueCheck::Yes).unwrap(),
            Err(one)
        );
        assert_eq!(
            index
                .insert(txn, &[Datum::Null], &[], one, UniqueCheck::Yes)
                .unwrap(),
            Ok(())
        );
        assert_eq!(
            index
                .insert(txn, &[Datum::Null], &[], two, UniqueCheck::Yes)
                .unwrap(),
            Ok(())
        );
    });
    storage.maintain().unwrap();
    s.run(|txn| {
        assert_eq!(
            index.insert(txn, &[int(7)], &[], two, UniqueCheck::Yes).unwrap(),
            Err(one)
        );
        assert!(index.delete(txn, &[int(7)], one).unwrap());
        assert_eq!(
            index.insert(txn, &[int(7)], &[], two, UniqueCheck::Yes).unwrap(),
            Ok(())
        );
        assert!(index.delete(txn, &[int(7)], two).unwrap());
        assert_eq!(
            index.insert(txn, &[int(7)], &[], one, UniqueCheck::Yes).unwrap(),
            Ok(())
        );
    });
    s.run(|txn| assert_eq!(entries_or_null(&index, &txn.snapshot().unwrap()), 3));
}

/// Keys go up, vanish, and begin from below again, with merges at any time: no key is ever held by two rows.
#[test]
fn keys_that_begin_again_after_merges_stay_unique() {
    let storage = memory();
    let s = Session::new(&storage, 1);
    let index = storage.index(&index_def(20001)).unwrap();
    let mut held = std::collections::BTreeMap::new();
    let mut state = 20261123_u64;
    let mut random = |below: u64| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 33) % below
    };
    for step in 0..6000_u64 {
        let at = ::common::RowId(step);
        s.run(|txn| match random(64) {
            0 => {
                // All from somewhere on.
                for (key, row) in held.split_off(&(random(250) as i32)) {
                    assert!(index.delete(txn, &[int(key)], row).unwrap());
                }
            }
            1..20 => {
                let Some((&key, &row)) = held.range(random(200) as i32..).next() else {
                    return;
                };
                assert!(index.delete(txn, &[int(key)], row).unwrap());
                held.remove(&key);
            }
            n => {
                let next = held.last_key_value().map_or(0, |(key, _)| key + 1);
                let key = if n < 40 { next } else { random(250) as i32 };
                let inserted = index.insert(txn, &[int(key)], &[], at, UniqueCheck::Yes).unwrap();
                assert_eq!(
                    inserted.err(),
                    held.get(&key).copied(),
                    "key {key} at step {step}"
                );
                held.entry(key).or_insert(at);
            }
        });
        if random(40) == 0 {
            storage.maintain().unwrap();
        }
    }
}

fn entries_or_null(index: &Index, snapshot: &txn::Snapshot) -> usize {
    let mut scan = index.scan(snapshot, IndexBounds::all(), ScanDirection::Backward);
    std::iter::from_fn(|| scan.next_row().unwrap()).count()
}

#[test]
fn index_ranges_go_both_ways() {
    let storage = memory();
    let s = Session::new(&storage, 1);
    let index = storage.index(&index_def(20001)).unwrap();
    let fill = |range: std::ops::Range<i32>| {
        s.run(|txn| {
            for id in range {
                index
                    .insert(txn, &[int(id)], &[], ::common::RowId(id as u64), UniqueCheck::Yes)
                    .unwrap()
                    .unwrap();
            }
        })
    };
    fill(0..2000);
    storage.maintain().unwrap();
    fill(2000..3000);
    let mut txn = s.begin();
    let snapshot = txn.snapshot().unwrap();
    let bounds = index.bounds(
        &[],
        &KeyBound::Exclusive(vec![int(1500)]),
        &KeyBound::Inclusive(vec![int(2500)]),
    );
    for direction in [ScanDirection::Forward, ScanDirection::Backward] {
        let mut scan = index.scan(&snapshot, bounds.clone(), direction);
        let mut found: Vec<u64> = std::iter::from_fn(|| scan.next_row().unwrap())
            .map(|r| r.0)
            .collect();
        if direction == ScanDirection::Backward {
            found.reverse();
        }
        assert!(found.iter().copied().eq(1501..=2500));
    }
    let empty = index.bounds(
        &[],
        &KeyBound::Inclusive(vec![int(9)]),
        &KeyBound::Exclusive(vec![int(9)]),
    );
    assert_eq!(
        index
            .scan(&snapshot, empty, ScanDirection::Forward)
            .next_row()
            .unwrap(),
        None
    );
}

/// Builds an index over the keys 0..count, which come in the wrong order.
fn build(index: &Index, table: &Table, txn: &mut Transaction, count: i32, space: &TempSpace) -> BuildOutcome {
    let mut builder = IndexBuilder::new(index, table, space, 100_000);
    for i in (0..count).map(|i| i ^ 0x155).filter(|i| *i < count) {
        builder.push(&[int(i)], &[], ::common::RowId(i as u64)).unwrap();
    }
    builder.finish(txn).unwrap()
}

#[test]
fn an_index_is_built_in_bulk() {
    let dir = tempfile::tempdir().unwrap();
    let files = TempDirectory::open(Arc::new(::common::env::os::OsEnv::new()), dir.path());
    let files = TempSpace::new(Some(Arc::new(files)));
    let storage = memory();
    let s = Session::new(&storage, 1);
    // Through delta; in memory; by sorted runs in files.
    for (id, count, space) in [
        (20001, 512, TempSpace::default()),
        (20002, 16 << 10, TempSpace::default()),
        (20003, 16 << 10, files.clone()),
    ] {
        let table = storage.table(&table_def(20000)).unwrap();
        let index = storage.index(&index_def(id)).unwrap();
        s.run(|txn| {
            txn.adopt_relation(index.id()).unwrap();
            assert_eq!(
                build(&index, &table, txn, count, &space),
                BuildOutcome::Built(count as u64)
            );
        });
        s.run(|txn| {
            let snapshot = txn.snapshot().unwrap();
            let all = entries(&index, &snapshot);
            assert!(all.iter().copied().eq((0..count).map(|i| (i, i as u64))));
        });
    }
    let left = std::fs::read_dir(dir.path().join("pgsql_tmp")).unwrap().count();
    assert_eq!(left, 0, "temporary files");
}

#[test]
fn a_bulk_build_finds_equal_keys_across_its_runs() {
    let dir = tempfile::tempdir().unwrap();
    let files = TempDirectory::open(Arc::new(::common::env::os::OsEnv::new()), dir.path());
    let files = TempSpace::new(Some(Arc::new(files)));
    let storage = memory();
    let session = Session::new(&storage, 1);
    let table = storage.table(&table_def(20000)).unwrap();
    let index = storage.index(&index_def(20001)).unwrap();
    let mut txn = session.begin();
    txn.adopt_relation(index.id()).unwrap();
    let mut builder = IndexBuilder::new(&index, &table, &files, 100_000);
    for i in 0..20_000 {
        builder.push(&[int(i)], &[], ::common::RowId(i as u64)).unwrap();
    }
    builder.push(&[int(777)], &[], ::common::RowId(50_000)).unwrap();
    // NULLs are not equal to each other.
    for row in 60_000..60_010 {
        builder.push(&[Datum::Null], &[], ::common::RowId(row)).unwrap();
    }
    let outcome = builder.finish(&mut txn).unwrap();
    let expected = BuildOutcome::Duplicate(::common::RowId(777), ::common::RowId(50_000));
    assert_eq!(outcome, expected);
}

#[test]
fn sequences_count_and_do_not_roll_back() {
    let storage = memory();
    let s = Session::new(&storage, 1);
    let params = SequenceParams {
        name: "s".into(),
        increment: 2,
        minimum: 1,
        maximum: 9,
        cycle: false,
        cache: 1,
    };
    let sequence = storage
        .sequence(RelationId(20005), Persistence::Permanent)
        .unwrap();
    let mut txn = s.begin();
    sequence.set(&mut txn, 1, false).unwrap();
    assert_eq!(sequence.nextval(&mut txn, &params).unwrap(), 1);
    assert_eq!(sequence.nextval(&mut txn, &params).unwrap(), 3);
    txn.abort();
    s.run(|txn| {
        for expected in [5, 7, 9] {
            assert_eq!(sequence.nextval(txn, &params).unwrap(), expected);
        }
        let error = sequence.nextval(txn, &params).unwrap_err();
        assert_eq!(
            error.sqlstate,
            ::common::sqlstate::SEQUENCE_GENERATOR_LIMIT_EXCEEDED
        );
        assert_eq!(sequence.state().last_value, 9);
    });
}

#[test]
fn columns_added_later_have_their_missing_value() {
    let storage = memory();
    let s = Session::new(&storage, 1);
    let def = table_def(20000);
    let table = storage.table(&def).unwrap();
    s.run(|txn| {
        table.insert(txn, &row(1, 1)).unwrap();
    });
    storage.maintain().unwrap();
    let mut wider = TableDef::clone(&def);
    wider.columns.push(types::PhysType::Int8);
    wider.missing = vec![Datum::Null, Datum::Null, Datum::Null, Datum::Int8(42)];
    let wider = storage.table(&Arc::new(wider)).unwrap();
    s.run(|txn| {
        let mut values = row(2, 2);
        values.push(Datum::Int8(7));
        wider.insert(txn, &values).unwrap();
    });
    for _ in 0..2 {
        s.run(|txn| {
            let snapshot = txn.snapshot().unwrap();
            let mut scan = wider.scan(&snapshot, ScanRequest::columns([3]));
            let batch = scan.next_batch(10).unwrap().unwrap();
            assert_eq!(
                (batch.row(0), batch.row(1)),
                (vec![Datum::Int8(42)], vec![Datum::Int8(7)])
            );
            let mut out = Vec::new();
            assert!(wider.fetch(::common::RowId(0), &snapshot, &mut out).unwrap());
            assert_eq!(out[3], Datum::Int8(42));
        });
        storage.maintain().unwrap();
    }
}

#[test]
fn a_fork_goes_its_own_way() {
    let storage = memory();
    let s = Session::new(&storage, 1);
    let table = storage.table(&table_def(20000)).unwrap();
    s.run(|txn| {
        (0..100).for_each(|id| {
            table.insert(txn, &row(id, 0)).unwrap();
        })
    });
    let fork = storage.fork(Vec::new(), || ()).unwrap();
    let f = Session::new(&fork, 1);
    let theirs = fork.table(&table_def(20000)).unwrap();
    f.run(|txn| {
        theirs.insert(txn, &row(100, 0)).unwrap();
    });
    s.run(|txn| assert_eq!(rows(&table, &txn.snapshot().unwrap()).len(), 100));
    f.run(|txn| assert_eq!(rows(&theirs, &txn.snapshot().unwrap()).len(), 101));
}

/// Versions between an old snapshot and the newest one go although the old one stays: of a row changed again and again, of rows and index
/// entries that came and went.
#[test]
fn what_no_snapshot_sees_goes_before_the_oldest_does() {
    let storage = memory();
    let table = storage.table(&table_def(20000)).unwrap();
    let index = storage.index(&index_def(20001)).unwrap();
    let session = Session::new(&storage, 1);
    let insert = |txn: &mut Transaction, id: i32| {
        let at = table.insert(txn, &row(id, 0)).unwrap();
        index
            .insert(txn, &[int(id)], &[], at, UniqueCheck::Yes)
            .unwrap()
            .unwrap();
        at
    };
    // Beyond a page, so that updates stay in place.
    let first = session.run(|txn| {
        let first = insert(txn, 0);
        (1..500).for_each(|id| assert!(insert(txn, id) > first));
        first
    });
    storage.maintain().unwrap();
    let (readers, mut old) = ([Session::new(&storage, 2), Session::new(&storage, 3)], Vec::new());
    let change = |v: i32| {
        session.run(|txn| {
            let snapshot = txn.snapshot().unwrap();
            let mode = txn::RowLockMode::NoKeyUpdate;
            let outcome = table.update(txn, &snapshot, first, &row(0, v), mode).unwrap();
            assert_eq!(outcome, WriteOutcome::Done(first));
        });
        let at = session.run(|txn| insert(txn, 1000 + v));
        session.run(|txn| {
            let snapshot = txn.snapshot().unwrap();
            assert_eq!(table.delete(txn, &snapshot, at).unwrap(), WriteOutcome::Done(at));
            assert!(index.delete(txn, &[int(1000 + v)], at).unwrap());
        });
    };
    let mut v = 0;
    for reader in &readers {
        (0..300).for_each(|_| {
            v += 1;
            change(v);
        });
        let mut txn = reader.begin_rr();
        let snapshot = txn.snapshot().unwrap();
        old.push((txn, snapshot, v));
    }
    (0..300).for_each(|_| {
        v += 1;
        change(v);
    });
    assert!(storage.memory_bytes().0 > 100_000);
    storage.maintain().unwrap();
    // The row three times: for each of the two, and as it is now.
    assert!(storage.memory_bytes().0 < 1500, "{:?}", storage.memory_bytes());
    for (_, snapshot, v) in &old {
        let all = rows(&table, snapshot);
        assert_eq!(all.len(), 500);
        assert!(all.iter().any(|r| (r.1, r.2) == (0, *v)));
        assert_eq!(entries(&index, snapshot).len(), 500);
    }
    drop(old);
    storage.maintain().unwrap();
    assert_eq!(storage.memory_bytes().0, 0);
    session.run(|txn| {
        let snapshot = txn.snapshot().unwrap();
        assert!(rows(&table, &snapshot).iter().any(|r| (r.1, r.2) == (0, v)));
        assert_eq!(
            index.verify(&table, &[0], &snapshot).unwrap(),
            Vec::<String>::new()
        );
    });
}

/// A queue: who takes the first entry again and again passes over those taken before, until a merge has done away with them.
#[test]
fn scans_that_pass_over_ended_entries_ask_for_a_merge() {
    let storage = memory();
    let index = storage.index(&index_def(20001)).unwrap();
    let session = Session::new(&storage, 1);
    session.run(|txn| {
        for key in 0..3000 {
            let put = index.insert(txn, &[int(key)], &[], RowId(key as u64), UniqueCheck::Yes);
            assert_eq!(put.unwrap(), Ok(()));
        }
    });
    storage.maintain().unwrap();
    let first = || {
        session.run(|txn| {
            let guard = txn.snapshot().unwrap();
            let mut scan = index.scan(&guard, IndexBounds::all(), ScanDirection::Forward);
            scan.next_row().unwrap()
        })
    };
    session.run(|txn| {
        (0..2999).for_each(|key| assert!(index.delete(txn, &[int(key)], RowId(key as u64)).unwrap()))
    });
    let waiting = storage.memory_bytes().1;
    let scans = (1..=1000).find(|_| {
        assert_eq!(first(), Some(RowId(2999)));
        storage.memory_bytes().1 < waiting / 10
    });
    assert!(
        scans.is_some_and(|n| n > 1),
        "{scans:?} scans; {waiting} bytes were waiting"
    );
}
