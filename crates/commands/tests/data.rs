//! COPY, ALTER TABLE, CREATE TABLE AS, VACUUM and ANALYZE.
#![allow(clippy::unwrap_used, clippy::expect_used)]
mod common;

use common::Db;
use pglite_commands::{CopyIn, CopyOut};

#[track_caller]
fn check(db: &mut Db, sql: &str, expected: &str) {
    let got = db.script(sql);
    assert_eq!(got.trim(), expected.trim(), "\n{sql}");
}

fn statement(sql: &str) -> parser::ast::CopyStmt {
    match parser::parse(sql, &parser::ParseOptions::default())
        .unwrap()
        .remove(0)
        .stmt
    {
        parser::ast::Statement::Copy(c) => *c,
        other => panic!("{other:?}"),
    }
}

fn copy_in(db: &mut Db, sql: &str, data: &str) -> String {
    let stmt = statement(sql);
    let result = db.with(sql, |cx| {
        let mut copy = CopyIn::begin(&stmt, cx)?;
        // In pieces of three bytes: any cut must do.
        for piece in data.as_bytes().chunks(3) {
            if !copy.feed(cx, piece)? {
                break;
            }
        }
        copy.finish(cx)
    });
    let mut out: String = db
        .notices
        .borrow_mut()
        .drain(..)
        .map(|n| format!("{}: {}\n", n.severity.as_str(), n.message))
        .collect();
    match result {
        Ok(n) => out += &format!("COPY {n}"),
        Err(e) => {
            out += &format!("ERROR: {}: {}", e.sqlstate, e.message);
            for (word, part) in [("DETAIL", &e.detail), ("HINT", &e.hint), ("CONTEXT", &e.context)] {
                if let Some(part) = part {
                    out += &format!("\n{word}: {part}");
                }
            }
        }
    }
    out
}

fn copy_out(db: &mut Db, sql: &str) -> String {
    let stmt = statement(sql);
    let result = db.with(sql, |cx| {
        let mut copy = CopyOut::begin(&stmt, cx)?;
        let mut out = Vec::new();
        while copy.next_chunk(cx, &mut out)? {}
        Ok((String::from_utf8(out).unwrap(), copy.rows()))
    });
    match result {
        Ok((text, n)) => format!("{text}COPY {n}"),
        Err(e) => format!("ERROR: {}: {}", e.sqlstate, e.message),
    }
}

#[test]
fn copy_text() {
    let mut db = Db::new();
    check(
        &mut db,
        "create table t(a int primary key, b text)",
        "CREATE TABLE",
    );
    assert_eq!(
        copy_in(
            &mut db,
            "copy t from stdin",
            "1\tone\n2\t\\N\n3\ttab\\there\\\\\n\\.\nrest"
        ),
        "COPY 3"
    );
    assert_eq!(db.rows("t"), ["1|one", "2|NULL", "3|tab\there\\"]);
    assert_eq!(
        copy_out(&mut db, "copy t to stdout"),
        "1\tone\n2\t\\N\n3\ttab\\there\\\\\nCOPY 3"
    );
    assert_eq!(
        copy_out(
            &mut db,
            "copy t(b,a) to stdout (format csv, header, force_quote (b))"
        ),
        "b,a\n\"one\",1\n,2\n\"tab\there\\\",3\nCOPY 3"
    );
    assert_eq!(
        copy_in(&mut db, "copy t from stdin", "4\tx\tz\n"),
        "ERROR: 22P04: extra data after last expected column\nCONTEXT: COPY t, line 1: \"4\tx\tz\""
    );
    assert_eq!(
        copy_in(&mut db, "copy t from stdin", "4\tx\n5\n"),
        "ERROR: 22P04: missing data for column \"b\"\nCONTEXT: COPY t, line 2: \"5\""
    );
    assert_eq!(
        copy_in(&mut db, "copy t from stdin", "x\ty\n"),
        "ERROR: 22P02: invalid input syntax for type integer: \"x\"\nCONTEXT: COPY t, line 1, column a: \"x\""
    );
    assert_eq!(
        copy_in(&mut db, "copy t from stdin", "1\ty\n"),
        "ERROR: 23505: duplicate key value violates unique constraint \"t_pkey\"\nDETAIL: Key (a)=(1) already exists.\nCONTEXT: COPY t, line 1"
    );
    assert_eq!(
        copy_in(&mut db, "copy t from stdin (on_error ignore)", "x\ty\n7\tseven\n"),
        "NOTICE: 1 row was skipped due to data type incompatibility\nCOPY 1"
    );
    assert_eq!(
        copy_in(&mut db, "copy t(a) from stdin where a > 10", "9\n11\n"),
        "COPY 1"
    );
    assert_eq!(
        copy_in(&mut db, "copy t from stdin", "20\ta\r\n21\tb\n"),
        "ERROR: 22P04: literal newline found in data\nHINT: Use \"\\n\" to represent newline.\nCONTEXT: COPY t, line 2: \"21\tb\""
    );
    assert_eq!(
        copy_in(&mut db, "copy t from stdin (format foo)", ""),
        "ERROR: 22023: COPY format \"foo\" not recognized"
    );
}

#[test]
fn copy_csv() {
    let mut db = Db::new();
    check(
        &mut db,
        "create table c(a int, b text default 'dflt', c text)",
        "CREATE TABLE",
    );
    let data = "a,b,c\n1,\"x \"\"y\"\",\nz\",\n2,,\"\"\n3,\\D,q\n";
    assert_eq!(
        copy_in(
            &mut db,
            "copy c from stdin (format csv, header match, default '\\D')",
            data
        ),
        "COPY 3"
    );
    assert_eq!(db.rows("c"), ["1|x \"y\",\nz|NULL", "2|NULL|", "3|dflt|q"]);
    assert_eq!(
        copy_out(&mut db, "copy c to stdout csv"),
        "1,\"x \"\"y\"\",\nz\",\n2,,\"\"\n3,dflt,q\nCOPY 3"
    );
    assert_eq!(
        copy_in(&mut db, "copy c from stdin (format csv, header match)", "a,x,c\n"),
        "ERROR: 22P04: column name mismatch in header line field 2: got \"x\", expected \"b\"\nCONTEXT: COPY c, line 1: \"a,x,c\""
    );
    assert_eq!(
        copy_in(&mut db, "copy c from stdin csv", "1,\"open\n"),
        "ERROR: 22P04: unterminated CSV quoted field\nCONTEXT: COPY c, line 1: \"1,\"open\n\""
    );
}

#[test]
fn pgbench_tables() {
    let mut db = Db::new();
    check(
        &mut db,
        "drop table if exists pgbench_accounts",
        "NOTICE: 00000: table \"pgbench_accounts\" does not exist, skipping\nDROP TABLE",
    );
    check(
        &mut db,
        "create table pgbench_accounts(aid int not null,bid int,abalance int,filler char(84)) with (fillfactor=100)",
        "CREATE TABLE",
    );
    db.begin();
    check(&mut db, "truncate table pgbench_accounts", "TRUNCATE TABLE");
    let data: String = (1..=20_000).map(|i| format!("{i}\t{}\t0\t\n", i % 10)).collect();
    assert_eq!(
        copy_in(
            &mut db,
            "copy pgbench_accounts from stdin with (freeze on)",
            &data
        ),
        "COPY 20000"
    );
    db.commit();
    check(&mut db, "vacuum analyze pgbench_accounts", "VACUUM");
    check(
        &mut db,
        "alter table pgbench_accounts add primary key (aid)",
        "ALTER TABLE",
    );
    db.with("", |cx| {
        let view = cx.view()?;
        let desc = view.relation_by_name(None, "pgbench_accounts")?.unwrap();
        assert_eq!(desc.reltuples, 20_000.0);
        let stats = view.statistics(desc.oid, 1)?.unwrap();
        assert_eq!(stats.n_distinct, -1.0);
        assert_eq!(stats.histogram.len(), 101);
        assert_eq!(stats.correlation, Some(1.0));
        let stats = view.statistics(desc.oid, 2)?.unwrap();
        assert_eq!(stats.n_distinct, 10.0);
        assert_eq!(stats.most_common.len(), 10);
        Ok(())
    })
    .unwrap();
    check(
        &mut db,
        "alter table pgbench_accounts add primary key (aid)",
        "ERROR: 42P16: multiple primary keys for table \"pgbench_accounts\" are not allowed",
    );
    check(
        &mut db,
        "create unique index on pgbench_accounts(bid)",
        "ERROR: 23505: could not create unique index \"pgbench_accounts_bid_idx\"\nDETAIL: Key (bid)=(0) is duplicated.",
    );
}

#[test]
fn alter_table() {
    let mut db = Db::new();
    check(&mut db, "create table t(a int, b text)", "CREATE TABLE");
    assert_eq!(
        copy_in(&mut db, "copy t from stdin", "1\tone\n2\t\\N\n"),
        "COPY 2"
    );
    check(&mut db, "alter table t add c int default 7", "ALTER TABLE");
    assert_eq!(db.rows("t"), ["1|one|7", "2|NULL|7"]);
    check(&mut db, "alter table t alter a type text", "ALTER TABLE");
    check(
        &mut db,
        "alter table t alter b type int",
        "ERROR: 42804: column \"b\" cannot be cast automatically to type integer\nHINT: You might need to specify \"USING b::integer\".",
    );
    check(
        &mut db,
        "alter table t alter a type bigint using a::bigint + 1",
        "ALTER TABLE",
    );
    assert_eq!(db.rows("t"), ["2|one|7", "3|NULL|7"]);
    check(
        &mut db,
        "alter table t alter b set not null",
        "ERROR: 23502: column \"b\" of relation \"t\" contains null values",
    );
    check(
        &mut db,
        "alter table t add check (a > 2)",
        "ERROR: 23514: check constraint \"t_a_check\" of relation \"t\" is violated by some row",
    );
    check(
        &mut db,
        "alter table t add constraint k check (a > 0); alter table t alter a type int",
        "ALTER TABLE\nALTER TABLE",
    );
    check(
        &mut db,
        "alter table t drop column b; alter table t drop nosuch",
        "ALTER TABLE\nERROR: 42703: column \"nosuch\" of relation \"t\" does not exist",
    );
    assert_eq!(db.rows("t"), ["2|7", "3|7"]);
    check(
        &mut db,
        "alter table t rename a to x; alter table t rename to u; alter table u rename constraint k to kk",
        "ALTER TABLE\nALTER TABLE\nALTER TABLE",
    );
    check(
        &mut db,
        "alter table u drop constraint k",
        "ERROR: 42704: constraint \"k\" of relation \"u\" does not exist",
    );
    check(
        &mut db,
        "alter table u drop constraint kk; alter table if exists nosuch add a int",
        "ALTER TABLE\nNOTICE: 00000: relation \"nosuch\" does not exist, skipping\nALTER TABLE",
    );
    check(
        &mut db,
        "alter table u set (fillfactor=50); alter table u reset (fillfactor); comment on column u.x is 'hello'",
        "ALTER TABLE\nALTER TABLE\nCOMMENT",
    );
    check(
        &mut db,
        "reindex table u; lock table u",
        "NOTICE: 00000: table \"u\" has no indexes to reindex\nREINDEX\nERROR: 25P01: LOCK TABLE can only be used in transaction blocks",
    );
}

#[test]
fn views_and_create_table_as() {
    let mut db = Db::new();
    check(&mut db, "create table t(a int, b text)", "CREATE TABLE");
    assert_eq!(
        copy_in(&mut db, "copy t from stdin", "1\tone\n2\ttwo\n"),
        "COPY 2"
    );
    check(
        &mut db,
        "create view v as select a as x, b from t where a > 1",
        "CREATE VIEW",
    );
    check(
        &mut db,
        "create or replace view v as select a as y, b from t",
        "ERROR: 42P16: cannot change name of view column \"x\" to \"y\"\nHINT: Use ALTER VIEW ... RENAME COLUMN ... to change name of view column instead.",
    );
    check(
        &mut db,
        "create table u as select * from v; select a + 1 as n into w from t",
        "SELECT 1\nSELECT 2",
    );
    assert_eq!(db.rows("u"), ["2|two"]);
    assert_eq!(db.rows("w"), ["2", "3"]);
    assert_eq!(
        copy_out(&mut db, "copy (select b, a from t order by a desc) to stdout"),
        "two\t2\none\t1\nCOPY 2"
    );
    check(
        &mut db,
        "alter table t alter a type text",
        "ERROR: 0A000: cannot alter type of a column used by a view or rule\nDETAIL: rule _RETURN on view v depends on column \"a\"",
    );
    check(
        &mut db,
        "drop table t",
        "ERROR: 2BP01: cannot drop table t because other objects depend on it\nDETAIL: view v depends on table t\nHINT: Use DROP ... CASCADE to drop the dependent objects too.",
    );
}
