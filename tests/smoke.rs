//! The main way through every layer: open, create, write, read, reopen.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use pglite::{Database, params};

#[test]
fn select_without_tables() {
    let db = Database::memory().unwrap();
    let mut s = db.session().unwrap();
    let row = s
        .query_one("select 1 + 1 as two, 'x' || $1 as t", params!["y"])
        .unwrap();
    assert_eq!(row.get::<i32>("two").unwrap(), 2);
    assert_eq!(row.get::<String>("t").unwrap(), "xy");
}

#[test]
fn catalogs_answer() {
    let db = Database::memory().unwrap();
    let mut s = db.session().unwrap();
    let row = s.query_one("select count(*) from pg_proc", params![]).unwrap();
    assert!(row.get::<i64>(0).unwrap() > 3000);
    let row = s
        .query_one("select relname from pg_class where oid = 1259", params![])
        .unwrap();
    assert_eq!(row.get_text(0).unwrap().unwrap(), "pg_class");
}
