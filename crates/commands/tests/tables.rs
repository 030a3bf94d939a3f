//! CREATE TABLE, CREATE INDEX, DROP, TRUNCATE against PostgreSQL's answers.
#![allow(clippy::unwrap_used, clippy::expect_used)]
mod common;

use common::Db;

#[track_caller]
fn check(db: &mut Db, sql: &str, expected: &str) {
    let got = db.script(sql);
    assert_eq!(got.trim(), expected.trim(), "\n{sql}");
}

#[test]
fn create_table_errors() {
    let mut db = Db::new();
    let cases = [
        (
            "create table t(a int default 1 default 2)",
            "ERROR: 42601: multiple default values specified for column \"a\" of table \"t\" @32",
        ),
        (
            "create table t(a int null not null)",
            "ERROR: 42601: conflicting NULL/NOT NULL declarations for column \"a\" of table \"t\" @27",
        ),
        (
            "create table t(a int primary key, b int primary key)",
            "ERROR: 42P16: multiple primary keys for table \"t\" are not allowed @41",
        ),
        (
            "create table t(a int, primary key(b))",
            "ERROR: 42703: column \"b\" named in key does not exist @23",
        ),
        (
            "create table t(a int, unique(a,a))",
            "ERROR: 42701: column \"a\" appears twice in unique constraint @23",
        ),
        (
            "create table t(a serial[])",
            "ERROR: 0A000: array of serial is not implemented @18",
        ),
        (
            "create table t(a text generated always as identity)",
            "ERROR: 22023: identity column type must be smallint, integer, or bigint",
        ),
        (
            "create table t(a int, a int)",
            "ERROR: 42701: column \"a\" specified more than once",
        ),
        (
            "create table t(a int, check (b>0))",
            "ERROR: 42703: column \"b\" does not exist @30",
        ),
        (
            "create table t(a int check (1))",
            "ERROR: 42804: argument of CHECK must be type boolean, not type integer @29",
        ),
        (
            "create table t(a int default b)",
            "ERROR: 0A000: cannot use column reference in DEFAULT expression @30",
        ),
        (
            "create table t(a int) with (foo=1)",
            "ERROR: 22023: unrecognized parameter \"foo\"",
        ),
        (
            "create table t(a int) with (fillfactor=1)",
            "ERROR: 22023: value 1 out of bounds for option \"fillfactor\"\nDETAIL: Valid values are between \"10\" and \"100\".",
        ),
        (
            "create table t(a int) tablespace foo",
            "ERROR: 42704: tablespace \"foo\" does not exist",
        ),
        (
            "create table t(a int) using foo",
            "ERROR: 42704: access method \"foo\" does not exist",
        ),
        (
            "create table t(a nosuch)",
            "ERROR: 42704: type \"nosuch\" does not exist @18",
        ),
        (
            "create table nosuch.t(a int)",
            "ERROR: 3F000: schema \"nosuch\" does not exist @14",
        ),
        (
            "create table t(oid int, ctid int)",
            "ERROR: 42701: column name \"ctid\" conflicts with a system column name",
        ),
        (
            "create table t(a int deferrable)",
            "ERROR: 42601: misplaced DEFERRABLE clause @22",
        ),
        (
            "create table t(a int not null deferrable)",
            "ERROR: 42601: misplaced DEFERRABLE clause @31",
        ),
        (
            "create table t(a int) on commit drop",
            "ERROR: 42P16: ON COMMIT can only be used on temporary tables",
        ),
        (
            "create table t6 (a int, constraint xx check (a > 0), constraint xx check (a<5))",
            "ERROR: 42710: check constraint \"xx\" already exists",
        ),
        (
            "drop table nosuch",
            "ERROR: 42P01: table \"nosuch\" does not exist",
        ),
        (
            "drop table if exists nosuch",
            "NOTICE: 00000: table \"nosuch\" does not exist, skipping\nDROP TABLE",
        ),
        (
            "drop table nosuch.a",
            "ERROR: 3F000: schema \"nosuch\" does not exist",
        ),
        (
            "drop index nosuch",
            "ERROR: 42704: index \"nosuch\" does not exist",
        ),
        (
            "drop schema pg_catalog",
            "ERROR: 2BP01: cannot drop schema pg_catalog because it is required by the database system",
        ),
        (
            "drop table pg_class",
            "ERROR: 42501: permission denied: \"pg_class\" is a system catalog",
        ),
    ];
    for (sql, expected) in cases {
        check(&mut db, sql, expected);
    }
}

#[test]
fn names_of_constraints_and_indexes() {
    let mut db = Db::new();
    check(
        &mut db,
        "create table t3(a serial primary key, b bigserial, c text unique, check(a>0), check(b>0), check (a>b), check (true))",
        "CREATE TABLE",
    );
    let names = |db: &mut Db| {
        db.with("", |cx| {
            let desc = cx.view()?.relation_by_name(None, "t3")?.unwrap();
            let mut names: Vec<String> = desc.constraints.iter().map(|c| c.name.to_string()).collect();
            names.sort();
            Ok(names)
        })
        .unwrap()
    };
    assert_eq!(
        names(&mut db),
        [
            "t3_a_check",
            "t3_a_not_null",
            "t3_b_check",
            "t3_b_not_null",
            "t3_c_key",
            "t3_check",
            "t3_check1",
            "t3_pkey"
        ]
    );
    check(
        &mut db,
        "drop view t3",
        "ERROR: 42809: \"t3\" is not a view\nHINT: Use DROP TABLE to remove a table.",
    );
    check(
        &mut db,
        "drop index t3_pkey",
        "ERROR: 2BP01: cannot drop index t3_pkey because constraint t3_pkey on table t3 requires it\nHINT: You can drop constraint t3_pkey on table t3 instead.",
    );
    check(
        &mut db,
        "drop sequence t3_a_seq",
        "ERROR: 2BP01: cannot drop sequence t3_a_seq because other objects depend on it\nDETAIL: default value for column a of table t3 depends on sequence t3_a_seq\nHINT: Use DROP ... CASCADE to drop the dependent objects too.",
    );
    check(
        &mut db,
        "create index on t3 (c, (a+1) desc) where b > 5; create index if not exists t3_c_expr_idx on t3(a)",
        "CREATE INDEX\nNOTICE: 42P07: relation \"t3_c_expr_idx\" already exists, skipping\nCREATE INDEX",
    );
    check(
        &mut db,
        "create index on t3 (nosuch)",
        "ERROR: 42703: column \"nosuch\" does not exist",
    );
    check(
        &mut db,
        "truncate t3 restart identity; drop table t3; drop sequence t3_a_seq",
        "TRUNCATE TABLE\nDROP TABLE\nERROR: 42P01: sequence \"t3_a_seq\" does not exist",
    );
}

#[test]
fn schemas_and_temporary_tables() {
    let mut db = Db::new();
    check(
        &mut db,
        "create schema s create table a (x int primary key)",
        "CREATE SCHEMA",
    );
    check(
        &mut db,
        "create schema s",
        "ERROR: 42P06: schema \"s\" already exists",
    );
    check(
        &mut db,
        "create schema pg_x",
        "ERROR: 42939: unacceptable schema name \"pg_x\"\nDETAIL: The prefix \"pg_\" is reserved for system schemas.",
    );
    check(&mut db, "create temp table a (x int)", "CREATE TABLE");
    check(
        &mut db,
        "create temp table s.b (x int)",
        "ERROR: 42P16: cannot create temporary relation in non-temporary schema @19",
    );
    check(
        &mut db,
        "drop schema s",
        "ERROR: 2BP01: cannot drop schema s because other objects depend on it\nDETAIL: table s.a depends on schema s\nHINT: Use DROP ... CASCADE to drop the dependent objects too.",
    );
    check(
        &mut db,
        "drop schema s cascade",
        "NOTICE: 00000: drop cascades to table s.a\nDROP SCHEMA",
    );
    check(
        &mut db,
        "discard temp; drop table a",
        "DISCARD TEMP\nERROR: 42P01: table \"a\" does not exist",
    );
}

#[test]
fn sequences() {
    let mut db = Db::new();
    let cases = [
        (
            "create sequence s increment 0",
            "ERROR: 22023: INCREMENT must not be zero",
        ),
        (
            "create sequence s minvalue 10 maxvalue 5",
            "ERROR: 22023: MINVALUE (10) must be less than MAXVALUE (5)",
        ),
        (
            "create sequence s start 0",
            "ERROR: 22023: START value (0) cannot be less than MINVALUE (1)",
        ),
        (
            "create sequence s cache 0",
            "ERROR: 22023: CACHE (0) must be greater than zero",
        ),
        (
            "create sequence s as smallint maxvalue 100000",
            "ERROR: 22023: MAXVALUE (100000) is out of range for sequence data type smallint",
        ),
        ("create sequence s as smallint", "CREATE SEQUENCE"),
        ("alter sequence s restart with 5 increment 3", "ALTER SEQUENCE"),
        (
            "alter sequence s restart with 50000",
            "ERROR: 22023: RESTART value (50000) cannot be greater than MAXVALUE (32767)",
        ),
        (
            "alter sequence nosuch restart",
            "ERROR: 42P01: relation \"nosuch\" does not exist",
        ),
        ("drop sequence s", "DROP SEQUENCE"),
    ];
    for (sql, expected) in cases {
        check(&mut db, sql, expected);
    }
}

#[test]
fn roles_and_privileges() {
    let mut db = Db::new();
    let cases = [
        ("create role cr1", "CREATE ROLE"),
        ("create role cr1", "ERROR: 42710: role \"cr1\" already exists"),
        (
            "create user cu1 with password 'x' createdb connection limit 5",
            "CREATE ROLE",
        ),
        (
            "create role pg_foo",
            "ERROR: 42939: role name \"pg_foo\" is reserved\nDETAIL: Role names starting with \"pg_\" are reserved.",
        ),
        (
            "create role x superuser nosuperuser",
            "ERROR: 42601: conflicting or redundant options @25",
        ),
        (
            "alter role nosuch login",
            "ERROR: 42704: role \"nosuch\" does not exist",
        ),
        (
            "alter role cr1 connection limit -2",
            "ERROR: 22023: invalid connection limit: -2",
        ),
        (
            "drop role postgres",
            "ERROR: 55006: current user cannot be dropped",
        ),
        (
            "create table gt(a int, b int); create sequence gs",
            "CREATE TABLE\nCREATE SEQUENCE",
        ),
        (
            "grant select on gt to cr1; grant select, insert (a) on gt to cr1; grant all on gt to cr1 with grant option",
            "GRANT\nGRANT\nGRANT",
        ),
        (
            "grant foo on gt to cr1",
            "ERROR: 42601: unrecognized privilege type \"foo\"",
        ),
        (
            "grant usage on gt to cr1",
            "ERROR: 0LP01: invalid privilege type USAGE for table",
        ),
        (
            "grant usage, select on sequence gs to public; grant usage on schema public to cr1",
            "GRANT\nGRANT",
        ),
        (
            "revoke insert on gt from cr1; revoke grant option for select on gt from cr1",
            "REVOKE\nREVOKE",
        ),
        (
            "grant cr1 to cu1; grant cr1 to cu1",
            "GRANT ROLE\nNOTICE: 00000: role \"cu1\" has already been granted membership in role \"cr1\" by role \"postgres\"\nGRANT ROLE",
        ),
        (
            "grant cu1 to cr1",
            "ERROR: 0LP01: role \"cu1\" is a member of role \"cr1\"",
        ),
        (
            "drop role cr1",
            "ERROR: 2BP01: role \"cr1\" cannot be dropped because some objects depend on it\nDETAIL: privileges for schema public\nprivileges for table gt",
        ),
    ];
    for (sql, expected) in cases {
        check(&mut db, sql, expected);
    }
    let acl = |db: &mut Db, name: &str| {
        db.with("", |cx| {
            let desc = cx.view()?.relation_by_name(None, name)?.unwrap();
            Ok(desc
                .acl
                .iter()
                .flatten()
                .map(common::show)
                .collect::<Vec<_>>()
                .join(","))
        })
        .unwrap()
    };
    assert_eq!(
        acl(&mut db, "gt"),
        "postgres=arwdDxtm/postgres,cr1=rw*d*D*x*t*m*/postgres"
    );
    assert_eq!(acl(&mut db, "gs"), "postgres=rwU/postgres,=rU/postgres");
    check(
        &mut db,
        "drop table gt; drop sequence gs; revoke usage on schema public from cr1; drop role cr1, cu1",
        "DROP TABLE\nDROP SEQUENCE\nREVOKE\nDROP ROLE",
    );
}
