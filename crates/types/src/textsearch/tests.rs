//! Texts and orders recorded from PostgreSQL 18.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::io::{IoContext, input, receive, send, to_text};
use crate::{FormatSettings, oids};

fn read(type_oid: common::Oid, text: &str) -> Result<String, String> {
    let settings = FormatSettings::default();
    let ctx = IoContext::new(&settings);
    let value = input(type_oid, -1, text, &ctx).map_err(|e| e.message.clone())?;
    let mut wire = Vec::new();
    send(type_oid, &value, &ctx, &mut wire).unwrap();
    assert_eq!(receive(type_oid, -1, &wire, &ctx).unwrap(), value);
    to_text(type_oid, &value, &ctx).map_err(|e| e.message.clone())
}

fn ok(type_oid: common::Oid, text: &str, expected: &str) {
    assert_eq!(read(type_oid, text).as_deref(), Ok(expected), "{text}");
}

fn fails(type_oid: common::Oid, text: &str, expected: &str) {
    assert_eq!(read(type_oid, text), Err(expected.to_owned()), "{text}");
}

#[test]
fn vectors() {
    let v = oids::TSVECTOR;
    ok(v, "", "");
    ok(v, "b a  a", "'a' 'b'");
    ok(v, r"'1 ''2' '3'' \\'", r"'1 ''2' '3'' \\'");
    ok(v, "w:3B,1,1A w:20000", "'w':1A,3B,16383");
    ok(v, ":1 a\\ b", "':1' 'a b'");
    fails(v, "a:0", "wrong position info in tsvector: \"a:0\"");
    fails(v, "a:b", "syntax error in tsvector: \"a:b\"");
    fails(v, "''", "syntax error in tsvector: \"''\"");
    fails(v, "a\\", "there is no escaped character: \"a\\\"");
}

#[test]
fn queries() {
    let q = oids::TSQUERY;
    ok(q, "1 <-> (2 <-> 3)", "'1' <-> ( '2' <-> '3' )");
    ok(q, "(1 <-> 2) <-> 3", "'1' <-> '2' <-> '3'");
    ok(q, "!(!a & b) | !(c <2> d)", "!( !'a' & 'b' ) | !( 'c' <2> 'd' )");
    ok(q, "!!a & (b & c)", "!!'a' & 'b' & 'c'");
    ok(q, "a:abcd* | 'x y':*", "'a':*ABCD | 'x y':*");
    fails(q, "a b", "syntax error in tsquery: \"a b\"");
    fails(q, "a &", "no operand in tsquery: \"a &\"");
    fails(q, "(a", "syntax error in tsquery: \"(a\"");
    fails(
        q,
        "a <20000> b",
        "distance in phrase operator must be an integer value between zero and 16384 inclusive",
    );
    fails(q, &format!("{}a", "!".repeat(5000)), "stack depth limit exceeded");
}
