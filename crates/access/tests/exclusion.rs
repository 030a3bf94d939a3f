//! Searches of exclusion constraints against a list of what stands, with rows in delta, in leaves and in both.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::Arc;

use common::*;
use pglite_access::*;
use types::key::KeyColumn;
use types::range::{self, Range, RangeBound, RangeValue};
use types::{Datum, PhysType, oids};

const INT4RANGE: ::common::Oid = ::common::Oid(3904);

fn span(low: i32, high: i32) -> RangeValue {
    let bound = |value, inclusive| RangeBound {
        value: Datum::Int4(value),
        inclusive,
    };
    RangeValue {
        type_oid: INT4RANGE,
        subtype: oids::INT4,
        range: Some(Range {
            lower: bound(low, true),
            upper: bound(high, false),
        }),
    }
}

fn periods(storage: &Arc<Storage>) -> Index {
    let columns = vec![
        KeyColumn::ascending(PhysType::Int4, oids::INT4),
        KeyColumn::ascending(PhysType::Nested, INT4RANGE),
    ];
    let def = IndexDef::new(::common::RelationId(20001), ::common::Oid(20001), columns);
    storage.index(&Arc::new(def)).unwrap()
}

/// How often a search asks about an entry.
fn search(index: &Index, txn: &mut Transaction, room: i32, new: &RangeValue, asked: &mut usize) -> Excluding {
    let equal = [Datum::Int4(room)];
    let wanted = new.range.clone().unwrap();
    let above = Range {
        lower: RangeBound {
            value: wanted.upper.value.clone(),
            inclusive: false,
        },
        upper: RangeBound::infinite(),
    };
    let probe = ExclusionProbe {
        equal: &equal,
        at_most: Some(new.with(Some(above)).into_datum()),
        own: None,
        deferrable: false,
    };
    let mark = txn.mark().unwrap();
    let judge = &mut |key: &[Datum]| {
        *asked += 1;
        let Datum::Range(old) = &key[1] else {
            panic!("{key:?}")
        };
        let old = old.range.as_ref().unwrap();
        Ok(match range::overlaps(oids::INT4, old, &wanted) {
            true => Verdict::Conflicts,
            false if range::is_before(oids::INT4, old, &wanted) => Verdict::Beyond,
            false => Verdict::Apart,
        })
    };
    index.excluding(mark, &probe, judge).unwrap()
}

fn add(index: &Index, txn: &mut Transaction, room: i32, value: &RangeValue, row: u64) {
    let key = [Datum::Int4(room), value.clone().into_datum()];
    let added = index.insert(txn, &key, &[], ::common::RowId(row), UniqueCheck::No);
    assert_eq!(added.unwrap(), Ok(()));
}

#[test]
fn finds_what_stands_and_nothing_else() {
    let storage = memory();
    let session = Session::new(&storage, 1);
    let index = periods(&storage);
    let mut standing: Vec<(i32, i32, i32, u64)> = Vec::new();
    let mut seed = 42_u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    for step in 0..4000_u64 {
        let (room, low) = (random(3) as i32, random(2000) as i32);
        let high = low + 1 + random(12) as i32;
        let value = span(low, high);
        let mut txn = session.begin();
        let mut asked = 0;
        let found = search(&index, &mut txn, room, &value, &mut asked);
        let clash = standing
            .iter()
            .find(|(r, l, h, _)| *r == room && *l < high && low < *h);
        match found {
            Excluding::Nobody => assert_eq!(clash, None),
            Excluding::Row(row, key) => {
                let met = standing.iter().find(|s| s.3 == row.0).unwrap();
                assert!(met.0 == room && met.1 < high && low < met.2);
                assert_eq!(key[1], span(met.1, met.2).into_datum());
            }
            Excluding::Pending(_) => panic!("nobody else is there"),
        }
        match clash {
            None => {
                add(&index, &mut txn, room, &value, step);
                match random(8) {
                    0 => txn.abort(),
                    _ => {
                        txn.commit().unwrap();
                        standing.push((room, low, high, step));
                    }
                }
            }
            Some(&(r, l, h, row)) if random(2) == 0 => {
                let key = [Datum::Int4(r), span(l, h).into_datum()];
                assert!(index.delete(&mut txn, &key, ::common::RowId(row)).unwrap());
                txn.commit().unwrap();
                standing.retain(|s| s.3 != row);
            }
            Some(_) => txn.abort(),
        }
        if step % 500 == 499 {
            storage.checkpoint().unwrap();
            storage.merge().unwrap();
        }
    }
    assert!(standing.len() > 100);
}

#[test]
fn a_search_looks_at_a_few_entries() {
    let storage = memory();
    let session = Session::new(&storage, 1);
    let index = periods(&storage);
    for part in 0..2 {
        session.run(|txn| {
            for k in 0..5000 {
                let low = 20 * k + 10 * part;
                add(&index, txn, 1, &span(low, low + 5), (2 * k + part) as u64);
            }
        });
        if part == 0 {
            storage.checkpoint().unwrap();
            storage.merge().unwrap();
        }
    }
    let mut txn = session.begin();
    let mut asked = 0;
    for k in 0..1000 {
        let gap = span(100 * k + 5, 100 * k + 10);
        assert_eq!(search(&index, &mut txn, 1, &gap, &mut asked), Excluding::Nobody);
    }
    assert!(asked <= 6 * 1000, "{asked}");
    txn.abort();
}

#[test]
fn what_is_in_progress_may_go_away() {
    let storage = memory();
    let (a, b) = (Session::new(&storage, 1), Session::new(&storage, 2));
    let index = periods(&storage);
    a.run(|txn| add(&index, txn, 1, &span(0, 10), 1));
    let mut writer = a.begin();
    let key = [Datum::Int4(1), span(0, 10).into_datum()];
    assert!(index.delete(&mut writer, &key, ::common::RowId(1)).unwrap());
    // Two entries of one transaction; the nearer one stands apart, and does not end the search.
    add(&index, &mut writer, 1, &span(2, 5), 2);
    let mut other = b.begin();
    let mut asked = 0;
    let xid = writer.assign_xid().unwrap();
    let meets =
        |txn: &mut Transaction, low, high, asked: &mut usize| search(&index, txn, 1, &span(low, high), asked);
    assert_eq!(meets(&mut other, 6, 8, &mut asked), Excluding::Pending(xid));
    assert_eq!(meets(&mut other, 3, 4, &mut asked), Excluding::Pending(xid));
    assert_eq!(meets(&mut other, 10, 12, &mut asked), Excluding::Nobody);
    // Its own deletion is as good as done.
    assert_eq!(meets(&mut writer, 6, 8, &mut asked), Excluding::Nobody);
    writer.abort();
    assert!(matches!(meets(&mut other, 6, 8, &mut asked), Excluding::Row(row, _) if row.0 == 1));
    other.abort();
}
