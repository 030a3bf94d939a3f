//! EXPLAIN against PostgreSQL's output.
#![allow(clippy::unwrap_used, clippy::expect_used)]
mod common;

use common::Db;
use pglite_commands::CopyIn;

fn fill(db: &mut Db, sql: &str, data: &str) {
    let stmt = match parser::parse(sql, &parser::ParseOptions::default())
        .unwrap()
        .remove(0)
        .stmt
    {
        parser::ast::Statement::Copy(c) => *c,
        other => panic!("{other:?}"),
    };
    db.with(sql, |cx| {
        let mut copy = CopyIn::begin(&stmt, cx)?;
        copy.feed(cx, data.as_bytes())?;
        copy.finish(cx)
    })
    .unwrap();
}

fn database() -> Db {
    let mut db = Db::new();
    db.script("create table t(a int primary key, b text, c int); create table u(a int, d int)");
    let t: String = (1..=1000).map(|i| format!("{i}\tx{i}\t{}\n", i % 10)).collect();
    let u: String = (1..=100).map(|i| format!("{i}\t{i}\n")).collect();
    fill(&mut db, "copy t from stdin", &t);
    fill(&mut db, "copy u from stdin", &u);
    db.script("analyze t; analyze u");
    db
}

#[test]
fn plans_as_postgresql_prints_them() {
    let mut db = database();
    let cases = include_str!("explain.txt");
    let mut failures = String::new();
    let mut count = 0;
    for case in cases.split("\n\n").filter(|c| !c.trim().is_empty()) {
        let (sql, expected) = case.trim().split_once('\n').unwrap();
        let got = db.script(sql);
        let got = got.trim_end().strip_suffix("\nEXPLAIN").unwrap_or(got.trim_end());
        count += 1;
        if got.trim_end() != expected.trim_end() {
            failures += &format!("{sql}\n--- expected\n{expected}\n--- got\n{got}\n\n");
        }
    }
    assert!(count > 10);
    assert!(failures.is_empty(), "{failures}");
}
