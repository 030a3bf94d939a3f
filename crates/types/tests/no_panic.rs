//! Input functions survive any string, and what they accept prints and reads back to itself.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use pglite_types::datetime::wire;
use pglite_types::io::{self, IoContext};
use pglite_types::settings::{DateOrder, DateStyle, IntervalStyle};
use pglite_types::{Datum, FormatSettings, oids};
use proptest::prelude::*;

const TYPES: [common::Oid; 9] = [
    oids::DATE,
    oids::TIME,
    oids::TIMETZ,
    oids::TIMESTAMP,
    oids::TIMESTAMPTZ,
    oids::INTERVAL,
    oids::UUID,
    oids::BYTEA,
    oids::JSON,
];

fn settings(k: u8) -> FormatSettings {
    FormatSettings {
        date_order: [DateOrder::Mdy, DateOrder::Dmy, DateOrder::Ymd][usize::from(k) % 3],
        interval_style: [
            IntervalStyle::Postgres,
            IntervalStyle::SqlStandard,
            IntervalStyle::Iso8601,
        ][usize::from(k / 3) % 3],
        ..FormatSettings::default()
    }
}

fn try_all(s: &str, k: u8) {
    let settings = settings(k);
    let ctx = IoContext::new(&settings);
    for oid in TYPES {
        for typmod in [-1, 0, 3, 6] {
            if let Ok(datum) = io::input(oid, typmod, s, &ctx) {
                let mut out = String::new();
                io::output(oid, &datum, &ctx, &mut out).unwrap();
                let mut bytes = Vec::new();
                io::send(oid, &datum, &ctx, &mut bytes).unwrap();
                assert_eq!(io::receive(oid, -1, &bytes, &ctx).unwrap(), datum, "{s:?} {oid}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_string(s in ".{0,40}", k in 0..9_u8) {
        try_all(&s, k);
    }

    #[test]
    fn date_like_strings(s in "[-+0-9:./ TZPYMDHSjJae,]{0,30}", k in 0..9_u8) {
        try_all(&s, k);
    }

    #[test]
    fn word_soup(
        words in prop::collection::vec(prop::sample::select(vec![
            "1", "12", "2001", "99999999999", "-5", "12:34", "1.5", "jan", "bc", "pm", "est", "now", "infinity", "epoch",
            "ago", "day", "mons", "years", "century", "J245", "T", "allballs", "+05", "-15:59", "2001-02-03", "dst",
            "Europe/Paris", "msk", "foo", "/", "P1Y", "PT1H", "9223372036854775807", "us", "hours", "dow", "AD",
        ]), 0..7),
        k in 0..9_u8,
    ) {
        try_all(&words.join(" "), k);
    }

    #[test]
    fn any_wire_bytes(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
        let settings = settings(0);
        let ctx = IoContext::new(&settings);
        for oid in TYPES {
            if let Ok(datum) = io::receive(oid, -1, &bytes, &ctx) {
                io::output(oid, &datum, &ctx, &mut String::new()).unwrap();
            }
        }
        let _ = wire::interval_recv(&bytes, 2);
    }

    #[test]
    fn timestamps_round_trip(ts in -211_813_488_000_000_000_i64..9_223_371_331_200_000_000, style in 0..4_usize) {
        let settings = FormatSettings {
            date_style: [DateStyle::Iso, DateStyle::Sql, DateStyle::Postgres, DateStyle::German][style],
            date_order: if style == 3 { DateOrder::Dmy } else { DateOrder::Mdy },
            ..FormatSettings::default()
        };
        let ctx = IoContext::new(&settings);
        for oid in [oids::TIMESTAMP, oids::TIMESTAMPTZ] {
            let mut out = String::new();
            io::output(oid, &Datum::Int8(ts), &ctx, &mut out).unwrap();
            prop_assert_eq!(io::input(oid, -1, &out, &ctx).unwrap(), Datum::Int8(ts), "{}", out);
        }
    }
}
