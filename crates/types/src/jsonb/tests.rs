//! Round trips, order and containment.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::cmp::Ordering;

use common::PgResult;
use common::cancel::CancelToken;

use crate::jsonb::{JsonbRef, compare, contains, parse_document, put_key, to_text};
use crate::key::{KeyColumn, encode};
use crate::{Datum, PhysType, oids};

fn document(text: &str) -> PgResult<Vec<u8>> {
    parse_document(text, CancelToken::never())
}

fn canonical(text: &str) -> String {
    to_text(JsonbRef::root(&document(text).unwrap()), CancelToken::never()).unwrap()
}

#[test]
fn canonical_text() {
    for (input, output) in [
        ("1.50", "1.50"),
        ("-1", "-1"),
        ("128", "128"),
        ("-129", "-129"),
        ("1e5", "100000"),
        (
            "123456789012345678901234567890.5",
            "123456789012345678901234567890.5",
        ),
        ("[]", "[]"),
        ("{ }", "{}"),
        (
            "{\"bb\":1,\"a\":2,\"bb\":[true,null]}",
            "{\"a\": 2, \"bb\": [true, null]}",
        ),
        ("[[],{\"a\":{}}, \"x\\u0041\\n\"]", "[[], {\"a\": {}}, \"xA\\n\"]"),
    ] {
        assert_eq!(canonical(input), output);
    }
}

#[test]
fn deep_nesting_does_not_recurse_in_io() {
    let n = crate::json_text::MAX_DEPTH;
    let text = "[".repeat(n) + &"]".repeat(n);
    assert_eq!(canonical(&text), text);
}

/// Ascending by PostgreSQL's order.
const ORDER: &[&str] = &[
    "[]",
    "null",
    "\"\"",
    "\"a\"",
    "\"b\"",
    "-1",
    "0",
    "1",
    "1.5",
    "false",
    "true",
    "[null]",
    "[1]",
    "[[]]",
    "[1, 2]",
    "{}",
    "{\"a\": 1}",
    "{\"a\": 2}",
    "{\"b\": 1}",
    "{\"a\": 1, \"b\": 1}",
];

#[test]
fn order_and_keys_agree() {
    let key = |doc: &[u8]| {
        let mut out = Vec::new();
        encode(
            &KeyColumn::ascending(PhysType::Bytes, oids::JSONB),
            &Datum::Bytes(doc.into()),
            &mut out,
        );
        out
    };
    let docs: Vec<Vec<u8>> = ORDER.iter().map(|t| document(t).unwrap()).collect();
    for (i, a) in docs.iter().enumerate() {
        for (j, b) in docs.iter().enumerate() {
            let order = compare(JsonbRef::root(a), JsonbRef::root(b));
            assert_eq!(order, i.cmp(&j), "{} {}", ORDER[i], ORDER[j]);
            assert_eq!(key(a).cmp(&key(b)), order, "{} {}", ORDER[i], ORDER[j]);
        }
    }
    let (a, b) = (document("1.0").unwrap(), document("1.00").unwrap());
    assert_eq!(compare(JsonbRef::root(&a), JsonbRef::root(&b)), Ordering::Equal);
    let mut none = Vec::new();
    put_key(&JsonbRef::Null.to_document(), &mut |_, _| {}, &mut none);
    assert_eq!(none, [1]);
}

#[test]
fn containment() {
    for (whole, part, holds) in [
        ("{\"a\":1,\"b\":2}", "{\"a\":1}", true),
        ("[1,2]", "1", true),
        ("1", "[1]", false),
        ("[1,[2,3]]", "[[3]]", true),
        ("{\"a\":[1,2]}", "{\"a\":[]}", true),
        ("[]", "{}", false),
        ("{\"a\":{\"b\":1}}", "{\"a\":{}}", true),
    ] {
        let (w, p) = (document(whole).unwrap(), document(part).unwrap());
        assert_eq!(
            contains(JsonbRef::root(&w), JsonbRef::root(&p)),
            holds,
            "{whole} {part}"
        );
    }
}
