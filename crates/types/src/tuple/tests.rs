//! Rows of all classes, there and back.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::tuple::*;

#[test]
fn round_trips_every_class_and_short_rows() {
    let row = [
        Datum::Bool(true),
        Datum::Null,
        Datum::Int8(-5),
        Datum::text("héllo"),
        Datum::Numeric(Numeric::Small {
            unscaled: -12345,
            scale: 2,
        }),
        Datum::Interval(Interval {
            micros: 1,
            days: -2,
            months: 3,
        }),
        Datum::Array(Arc::new(ArrayValue::from_elements(
            Oid(23),
            vec![Datum::Int4(1), Datum::Null],
        ))),
    ];
    let classes = [
        PhysType::Bool,
        PhysType::Int4,
        PhysType::Int8,
        PhysType::Text,
        PhysType::Numeric,
        PhysType::Interval,
        PhysType::Nested,
        PhysType::Int4,
    ];
    let mut bytes = Vec::new();
    encode(&row, &mut bytes);
    let mut missing = vec![Datum::Null; 7];
    missing.push(Datum::Int4(7));
    let mut back = Vec::new();
    decode(&bytes, &classes, &missing, &mut back).expect("decodes");
    assert_eq!(back[..7], row);
    assert_eq!(back[7], Datum::Int4(7));
    for cut in 0..bytes.len() {
        let _ = decode(&bytes[..cut], &classes, &missing, &mut Vec::new());
    }
}
