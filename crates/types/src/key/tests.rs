//! Keys sort as their values do, and come back.

use std::sync::Arc;

use super::*;

fn key(column: &KeyColumn, value: &Datum) -> Vec<u8> {
    let mut out = Vec::new();
    let exact = encode(column, value, &mut out);
    let mut same = Vec::new();
    let values = Vector::from_datums(column.phys, std::slice::from_ref(value));
    assert_eq!(encode_at(column, &values, 0, &mut same), exact);
    assert_eq!(same, out);
    out
}

/// The values are in ascending order; equal neighbours are given in one inner list.
fn check_order(phys: PhysType, type_oid: Oid, groups: &[&[Datum]]) {
    for (descending, nulls_first) in [(false, false), (true, false), (false, true), (true, true)] {
        let column = KeyColumn {
            phys,
            type_oid,
            descending,
            nulls_first,
            collation: None,
        };
        let keys: Vec<Vec<Vec<u8>>> = groups
            .iter()
            .map(|g| g.iter().map(|v| key(&column, v)).collect())
            .collect();
        for (i, group) in keys.iter().enumerate() {
            assert!(
                group.iter().all(|k| *k == group[0]),
                "equal values of group {i} of {type_oid}"
            );
            for other in &keys[i + 1..] {
                assert_eq!(
                    group[0] < other[0],
                    !descending,
                    "{:?} against {:?}",
                    group[0],
                    other[0]
                );
            }
            let null = key(&column, &Datum::Null);
            assert_eq!(null < group[0], nulls_first);
        }
        for value in groups.iter().copied().flatten() {
            let mut bytes = Vec::new();
            let exact = encode(&column, value, &mut bytes);
            let mut rest = bytes.as_slice();
            let back = decode(&column, &mut rest).unwrap();
            if exact {
                assert_eq!(back.as_ref(), Some(value));
            }
            if back.is_some() {
                assert!(rest.is_empty());
            }
        }
    }
}

fn small(unscaled: i64, scale: u16) -> Datum {
    Datum::Numeric(Numeric::Small { unscaled, scale })
}

#[test]
fn integers_floats_and_strings_sort_as_postgresql_sorts_them() {
    check_order(
        PhysType::Int8,
        oids::INT8,
        &[
            &[Datum::Int8(i64::MIN)],
            &[Datum::Int8(-1)],
            &[Datum::Int8(0)],
            &[Datum::Int8(i64::MAX)],
        ],
    );
    check_order(
        PhysType::Int8,
        oids::PG_LSN,
        &[&[Datum::Int8(0)], &[Datum::Int8(i64::MAX)], &[Datum::Int8(-1)]],
    );
    let f = |v: f64| Datum::Float8(v);
    check_order(
        PhysType::Float8,
        oids::FLOAT8,
        &[
            &[f(f64::NEG_INFINITY)],
            &[f(-1.5)],
            &[f(-0.0), f(0.0)],
            &[f(1e-300)],
            &[f(f64::INFINITY)],
            &[f(f64::NAN), f(-f64::NAN)],
        ],
    );
    let t = |s: &str| Datum::text(s);
    check_order(
        PhysType::Text,
        oids::TEXT,
        &[&[t("")], &[t("a")], &[t("a ")], &[t("ab")], &[t("b")], &[t("é")]],
    );
    check_order(
        PhysType::Text,
        oids::BPCHAR,
        &[&[t(""), t("  ")], &[t("a"), t("a  ")], &[t("a b")]],
    );
    let b = |s: &[u8]| Datum::Bytes(s.into());
    check_order(
        PhysType::Bytes,
        oids::BYTEA,
        &[
            &[b(b"")],
            &[b(b"\0")],
            &[b(b"\0\0")],
            &[b(b"\0\x01")],
            &[b(b"\x01")],
            &[b(b"\xff")],
        ],
    );
}

#[test]
fn numerics_and_intervals_sort_by_value() {
    let big = |negative, weight, scale, digits: &[u16]| {
        Datum::Numeric(Numeric::Big(Arc::new(BigNumeric {
            negative,
            weight,
            scale,
            digits: digits.to_vec(),
        })))
    };
    check_order(
        PhysType::Numeric,
        oids::NUMERIC,
        &[
            &[Datum::Numeric(Numeric::NegInf)],
            &[big(true, 7, 0, &[1])],
            &[small(-1000, 1), small(-100, 0)],
            &[small(-999, 1)],
            &[small(-1, 3)],
            &[small(0, 0), small(0, 2)],
            &[small(1, 3), small(10, 4)],
            &[small(15, 1), small(150, 2)],
            &[small(150, 0)],
            &[small(151, 0)],
            &[big(false, 7, 0, &[1]), big(false, 7, 2, &[1])],
            &[big(false, 7, 0, &[1, 2])],
            &[Datum::Numeric(Numeric::PosInf)],
            &[Datum::Numeric(Numeric::NaN)],
        ],
    );
    let i = |months, days, micros| Datum::Interval(Interval { months, days, micros });
    check_order(
        PhysType::Interval,
        oids::INTERVAL,
        &[
            &[i(-1, 0, 0)],
            &[i(0, 1, 0), i(0, 0, 86_400_000_000)],
            &[i(1, 0, 0), i(0, 30, 0)],
            &[i(1, 0, 1)],
        ],
    );
}

#[test]
fn arrays_and_records_sort_element_by_element() {
    let a = |v: &[Option<i32>]| {
        let elements = v.iter().map(|e| e.map_or(Datum::Null, Datum::Int4)).collect();
        Datum::Array(Arc::new(ArrayValue::from_elements(oids::INT4, elements)))
    };
    check_order(
        PhysType::Nested,
        Oid(1007),
        &[
            &[a(&[])],
            &[a(&[Some(1)])],
            &[a(&[Some(1), Some(-5)])],
            &[a(&[Some(1), None])],
            &[a(&[Some(2)])],
        ],
    );
}

#[test]
fn the_successor_of_a_prefix_is_above_all_its_extensions() {
    assert_eq!(successor(b"ab\xff\xff"), Some(b"ac".to_vec()));
    assert_eq!(successor(b"\xff"), None);
}

#[test]
fn damaged_keys_are_errors() {
    let column = KeyColumn::ascending(PhysType::Numeric, oids::NUMERIC);
    for bytes in [
        &b""[..],
        b"\x01",
        b"\x07",
        b"\x01\x30\x00",
        b"\x01\x30\x80\x00\x00\x01\x00",
        b"\x01\x30\xff\xff\xff\xff\x02\x00",
    ] {
        assert!(decode(&column, &mut &*bytes).is_err());
    }
}

#[test]
fn long_keys_are_made_until_cancelled() {
    use common::cancel::CancelReason;
    let column = KeyColumn {
        phys: PhysType::Text,
        type_oid: oids::TEXT,
        descending: false,
        nulls_first: false,
        collation: None,
    };
    let cancel = CancelToken::new();
    let long = Datum::text("x".repeat(PIECE_BYTES + 9));
    let values = Vector::from_datums(PhysType::Text, &[long.clone(), Datum::text("x"), Datum::Null]);
    let encoded = |i: usize| {
        let mut out = Vec::new();
        try_encode_at(&column, &values, i, &cancel, &mut out).map(|exact| (exact, out))
    };
    for i in 0..3 {
        assert_eq!(encoded(i).unwrap(), (true, key(&column, &values.datum(i))));
    }
    cancel.cancel(CancelReason::User);
    assert_eq!(encoded(0).unwrap_err().sqlstate.as_str(), "57014");
    assert!(encoded(1).is_ok());
}
