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

fn texts(s: &mut pglite::Session, sql: &str) -> Vec<Vec<Option<String>>> {
    let rows = s.query(sql, params![]).unwrap();
    rows.iter()
        .map(|r| (0..r.len()).map(|i| r.get_text(i).unwrap()).collect())
        .collect()
}

#[test]
fn tables_keep_rows_over_a_reopen() {
    let dir = tempfile::tempdir().unwrap();
    {
        let db = Database::open(dir.path()).unwrap();
        let mut s = db.session().unwrap();
        s.batch_execute(
            "create table accounts (id serial primary key, owner text not null, balance numeric(12,2) not null default 0 check (balance >= 0));
             create index on accounts (owner)",
        )
        .unwrap();
        assert_eq!(
            s.execute(
                "insert into accounts (owner, balance) values ('a', 10), ('b', 20.5)",
                params![]
            )
            .unwrap(),
            2
        );
        let mut tx = s.transaction().unwrap();
        tx.execute(
            "update accounts set balance = balance - $1 where owner = $2",
            params![rust_decimal(), "b"],
        )
        .unwrap();
        tx.commit().unwrap();
        let e = s
            .execute("update accounts set balance = -1 where id = 1", params![])
            .unwrap_err();
        assert_eq!(e.code(), "23514");
        let e = s
            .execute("insert into accounts (id, owner) values (1, 'dup')", params![])
            .unwrap_err();
        assert_eq!(e.code(), "23505");
        let mut tx = s.transaction().unwrap();
        tx.execute("delete from accounts", params![]).unwrap();
        tx.rollback().unwrap();
    }
    let db = Database::open(dir.path()).unwrap();
    let mut s = db.session().unwrap();
    let rows = texts(&mut s, "select id, owner, balance from accounts order by id");
    let want = [["1", "a", "10.00"], ["2", "b", "15.25"]];
    assert_eq!(
        rows,
        want.map(|r| r.map(|v| Some(v.to_owned())).to_vec()).to_vec()
    );
    s.execute("insert into accounts (owner) values ('c')", params![])
        .unwrap();
    let rows = texts(
        &mut s,
        "select owner, sum(balance) from accounts group by owner having count(*) > 0 order by 1 desc limit 2",
    );
    assert_eq!(rows[0][0].as_deref(), Some("c"));
}

fn rust_decimal() -> Numeric {
    Numeric
}

/// 5.25 in numeric's wire form.
#[derive(Debug)]
struct Numeric;

impl pglite::types::ToSql for Numeric {
    fn to_sql(
        &self,
        _: &pglite::types::Type,
        out: &mut bytes::BytesMut,
    ) -> Result<pglite::types::IsNull, Box<dyn std::error::Error + Sync + Send>> {
        for word in [2_u16, 0, 0, 2, 5, 2500] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        Ok(pglite::types::IsNull::No)
    }
    fn accepts(ty: &pglite::types::Type) -> bool {
        *ty == pglite::types::Type::NUMERIC
    }
    postgres_types::to_sql_checked!();
}

#[test]
fn joins_subqueries_and_ctes() {
    let db = Database::memory().unwrap();
    let mut s = db.session().unwrap();
    s.batch_execute(
        "create table a (i int primary key, t text); create table b (i int, v int);
         insert into a select g, 'n' || g from generate_series(1, 100) g;
         insert into b select g % 10 + 1, g from generate_series(1, 1000) g",
    )
    .unwrap();
    let rows = texts(
        &mut s,
        "select a.t, count(*), sum(b.v) from a join b on a.i = b.i where a.i <= 2 group by a.t order by a.t",
    );
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0][1].as_deref(), Some("100"));
    let rows = texts(
        &mut s,
        "select count(*) from a where exists (select 1 from b where b.i = a.i)",
    );
    assert_eq!(rows[0][0].as_deref(), Some("10"));
    let rows = texts(&mut s, "select count(*) from a where i not in (select i from b)");
    assert_eq!(rows[0][0].as_deref(), Some("90"));
    let rows = texts(
        &mut s,
        "select a.i, (select max(v) from b where b.i = a.i) m from a left join b on false where a.i < 3 order by 1",
    );
    assert_eq!(rows[1][1].as_deref(), Some("991"));
    let rows = texts(
        &mut s,
        "with recursive r(n) as (select 1 union all select n + 1 from r where n < 10) select sum(n) from r",
    );
    assert_eq!(rows[0][0].as_deref(), Some("55"));
    let rows = texts(&mut s, "select distinct v % 3 from b order by 1");
    assert_eq!(rows.len(), 3);
    let rows = texts(
        &mut s,
        "select 1 union select 2 union all select 2 except select 1 order by 1",
    );
    assert_eq!(rows.len(), 1);
}

#[test]
fn savepoints_and_failed_blocks() {
    let db = Database::memory().unwrap();
    let mut s = db.session().unwrap();
    s.batch_execute("create table t (i int)").unwrap();
    s.batch_execute("begin; insert into t values (1); savepoint a; insert into t values (2)")
        .unwrap();
    assert_eq!(s.execute("select 1/0", params![]).unwrap_err().code(), "22012");
    assert_eq!(s.execute("select 1", params![]).unwrap_err().code(), "25P02");
    s.batch_execute("rollback to a; insert into t values (3); commit")
        .unwrap();
    assert_eq!(texts(&mut s, "select i from t order by i").len(), 2);
    let e = s.query("select nosuch from t", params![]).unwrap_err();
    assert_eq!((e.code(), e.position()), ("42703", Some(8)));
}

#[test]
fn sessions_see_committed_rows_only_and_wait_for_each_other() {
    let db = Database::memory().unwrap();
    let (mut a, mut b) = (db.session().unwrap(), db.session().unwrap());
    a.batch_execute("create table t (i int primary key, v int); insert into t values (1, 1)")
        .unwrap();
    a.batch_execute("begin; update t set v = 2 where i = 1").unwrap();
    assert_eq!(texts(&mut b, "select v from t")[0][0].as_deref(), Some("1"));
    let writer = std::thread::spawn(move || {
        b.execute("update t set v = v + 10 where i = 1", params![])
            .unwrap();
        b
    });
    std::thread::sleep(std::time::Duration::from_millis(100));
    a.batch_execute("commit").unwrap();
    let mut b = writer.join().unwrap();
    assert_eq!(texts(&mut b, "select v from t")[0][0].as_deref(), Some("12"));
}

/// Text means what it means when it runs, however often it ran before; what was prepared keeps its columns or fails.
#[test]
fn text_is_analyzed_again_after_ddl() {
    let db = Database::memory().unwrap();
    let mut s = db.session().unwrap();
    s.batch_execute("create table t (a int); insert into t values (1)")
        .unwrap();
    let prepared = s.prepare("select * from t").unwrap();
    for _ in 0..3 {
        assert_eq!(texts(&mut s, "select * from t")[0].len(), 1);
        s.batch_execute("select * from t").unwrap();
    }
    s.batch_execute("alter table t add column b int default 2")
        .unwrap();
    assert_eq!(texts(&mut s, "select * from t")[0].len(), 2);
    s.batch_execute("select * from t").unwrap();
    let e = s.query(&prepared, params![]).unwrap_err();
    assert_eq!(
        (e.code(), e.message()),
        ("0A000", "cached plan must not change result type")
    );
}

/// The temporary schema comes with the first temporary table, and goes when that is rolled back.
#[test]
fn temporary_schemas_roll_back() {
    let db = Database::memory().unwrap();
    let mut s = db.session().unwrap();
    for undo in ["rollback to a", "rollback; begin", "select 1/0"] {
        s.batch_execute("begin; savepoint a; create temp table x (a int) on commit drop")
            .unwrap();
        if s.batch_execute(undo).is_err() {
            s.batch_execute("rollback; begin").unwrap();
        }
        s.batch_execute("create temp table x (a int) on commit drop; insert into x values (1); commit")
            .unwrap();
        assert_eq!(s.query("select * from x", params![]).unwrap_err().code(), "42P01");
    }
    s.batch_execute("create temp table x (a int); begin; insert into x values (1); commit")
        .unwrap();
    assert_eq!(texts(&mut s, "select * from pg_temp.x").len(), 1);
}

/// VACUUM of everything passes over a table that is dropped while it waits for it.
#[test]
fn vacuum_passes_over_what_is_being_dropped() {
    let db = Database::memory().unwrap();
    let (mut a, mut b) = (db.session().unwrap(), db.session().unwrap());
    a.batch_execute(
        "create table t (i int primary key); create table u (i int primary key); begin; drop table t",
    )
    .unwrap();
    let vacuum = std::thread::spawn(move || b.batch_execute("vacuum"));
    std::thread::sleep(std::time::Duration::from_millis(200));
    a.batch_execute("commit").unwrap();
    vacuum.join().unwrap().unwrap();
}

#[test]
fn timeouts_set_inside_of_a_transaction_count_from_the_next_statement_on() {
    let db = Database::memory().unwrap();
    let (mut holder, mut waiter) = (db.session().unwrap(), db.session().unwrap());
    holder.batch_execute("CREATE TABLE held ()").unwrap();
    holder.batch_execute("BEGIN; LOCK TABLE held").unwrap();
    for (setting, code) in [("lock_timeout", "55P03"), ("statement_timeout", "57014")] {
        waiter.batch_execute("BEGIN").unwrap();
        waiter.batch_execute("SELECT 1").unwrap();
        waiter
            .batch_execute(&format!("SET LOCAL {setting} = '20ms'"))
            .unwrap();
        let error = waiter.batch_execute("LOCK TABLE held").unwrap_err();
        assert_eq!(error.code(), code, "{setting}");
        waiter.batch_execute("ROLLBACK").unwrap();
    }
    // The other side looks after an hour only.
    holder
        .batch_execute("CREATE TABLE other (); SET deadlock_timeout = '1h'; COMMIT; BEGIN; LOCK TABLE held")
        .unwrap();
    waiter.batch_execute("BEGIN; LOCK TABLE other").unwrap();
    waiter
        .batch_execute("SET LOCAL deadlock_timeout = '10ms'")
        .unwrap();
    let thread = std::thread::spawn(move || {
        let outcome = holder.batch_execute("LOCK TABLE other");
        (holder, outcome)
    });
    // The one that looks must be the last to wait.
    let mut watcher = db.session().unwrap();
    let waiting = "select count(*) from pg_locks where not granted";
    while watcher
        .query_one(waiting, params![])
        .unwrap()
        .get::<i64>(0)
        .unwrap()
        == 0
    {
        std::thread::yield_now();
    }
    let error = waiter.batch_execute("LOCK TABLE held");
    waiter.batch_execute("ROLLBACK").unwrap();
    let (_holder, outcome) = thread.join().unwrap();
    outcome.unwrap();
    assert_eq!(error.unwrap_err().code(), "40P01");
}

#[test]
fn settings_of_roles_and_the_database_begin_with_the_session() {
    let dir = tempfile::tempdir().unwrap();
    {
        let db = Database::open(dir.path()).unwrap();
        let mut s = db.session().unwrap();
        s.batch_execute("ALTER DATABASE postgres SET work_mem = '3MB'")
            .unwrap();
        s.batch_execute("ALTER DATABASE postgres SET search_path = a, public")
            .unwrap();
        s.batch_execute("ALTER ROLE postgres SET work_mem = '5MB'")
            .unwrap();
        s.batch_execute("COMMENT ON DATABASE postgres IS 'ours'").unwrap();
        assert_eq!(texts(&mut s, "SHOW work_mem"), [[Some("4MB".to_owned())]]);
    }
    let db = Database::open(dir.path()).unwrap();
    let mut s = db.session().unwrap();
    assert_eq!(texts(&mut s, "SHOW work_mem"), [[Some("5MB".to_owned())]]);
    assert_eq!(
        texts(&mut s, "SHOW search_path"),
        [[Some("a, public".to_owned())]]
    );
    s.batch_execute("SET work_mem = '7MB'; RESET work_mem").unwrap();
    assert_eq!(texts(&mut s, "SHOW work_mem"), [[Some("5MB".to_owned())]]);
    let comment = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'postgres'";
    assert_eq!(texts(&mut s, comment), [[Some("ours".to_owned())]]);
    s.batch_execute("ALTER ROLE postgres RESET ALL").unwrap();
    assert_eq!(
        texts(&mut db.session().unwrap(), "SHOW work_mem"),
        [[Some("3MB".to_owned())]]
    );
}

#[test]
fn temporary_tables_are_emptied_at_commit_whoever_the_user_is() {
    let db = Database::memory().unwrap();
    let mut s = db.session().unwrap();
    s.batch_execute("CREATE ROLE other").unwrap();
    s.batch_execute("CREATE TEMP TABLE t (a int) ON COMMIT DELETE ROWS")
        .unwrap();
    s.batch_execute("BEGIN; INSERT INTO t VALUES (1); SET SESSION AUTHORIZATION other")
        .unwrap();
    s.batch_execute("COMMIT").unwrap();
    assert_eq!(texts(&mut s, "SELECT current_user"), [[Some("other".to_owned())]]);
    s.batch_execute("RESET SESSION AUTHORIZATION").unwrap();
    assert_eq!(texts(&mut s, "SELECT count(*) FROM t"), [[Some("0".to_owned())]]);
}

#[test]
fn a_database_keeps_the_name_it_was_made_with() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let current = |db: &Database| -> Vec<String> {
        let mut session = db.session().unwrap();
        let sql = "SELECT current_database()::text UNION ALL SELECT datname::text FROM pg_database WHERE NOT datistemplate";
        session.query_map(sql, params![], |row| row.get(0)).unwrap()
    };
    let db = Database::builder()
        .directory(&path)
        .database("shop")
        .open()
        .unwrap();
    assert_eq!(current(&db), ["shop", "shop"]);
    drop(db);
    let db = Database::open(&path).unwrap();
    assert_eq!((current(&db), &*db.name()), (vec!["shop".to_owned(); 2], "shop"));
    drop(db);
    let other = Database::builder().directory(&path).database("other").open();
    assert_eq!(other.err().unwrap().code(), "3D000");
    let memory = Database::builder().database("regression").open().unwrap();
    assert_eq!(current(&memory.fork().unwrap()), ["regression", "regression"]);
    assert_eq!(current(&Database::memory().unwrap()), ["postgres", "postgres"]);
}

#[test]
fn parameters_of_types_that_users_make() {
    let db = Database::memory().unwrap();
    let mut session = db.session().unwrap();
    session
        .batch_execute(
            "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN positive AS int4 CHECK (VALUE > 0)",
        )
        .unwrap();
    let text = |session: &mut pglite::Session, sql: &str, params: &[&(dyn pglite::types::ToSql + Sync)]| {
        let rows = session.query(sql, params).map_err(|e| e.code().to_owned())?;
        Ok::<_, String>(rows[0].get_text(0).unwrap().unwrap())
    };
    assert_eq!(
        text(&mut session, "SELECT $1::mood", params!["ok"]).unwrap(),
        "ok"
    );
    assert_eq!(
        text(&mut session, "SELECT $1::mood", params!["good"]).unwrap_err(),
        "22P02"
    );
    assert_eq!(
        text(&mut session, "SELECT $1::mood[]", params![vec!["ok", "sad"]]).unwrap(),
        "{ok,sad}"
    );
    assert_eq!(
        text(&mut session, "SELECT $1::positive", params![7]).unwrap(),
        "7"
    );
    assert_eq!(
        text(&mut session, "SELECT $1::positive", params![-7]).unwrap_err(),
        "23514"
    );
}

#[test]
fn explain_tells_what_a_statement_logged() {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::open(dir.path()).unwrap();
    let mut s = db.session().unwrap();
    s.execute("CREATE TABLE t (a int PRIMARY KEY, b text)", ())
        .unwrap();
    let mut explain = |sql: &str| -> String {
        let rows = texts(
            &mut s,
            &format!("EXPLAIN (ANALYZE, WAL, COSTS OFF, BUFFERS OFF) {sql}"),
        );
        let lines = rows
            .into_iter()
            .filter_map(|row| row.into_iter().next().flatten());
        lines.collect::<Vec<_>>().join("\n")
    };
    // Ten rows with an entry in the index each.
    let insert = explain("INSERT INTO t SELECT i, 'x' FROM generate_series(1, 10) i");
    assert!(insert.contains("WAL: records=20 bytes="), "{insert}");
    // A row of a table that is not longer than a page moves: one goes, one comes, and their entries.
    let update = explain("UPDATE t SET b = 'y' WHERE a = 5");
    assert!(update.contains("WAL: records=4 bytes="), "{update}");
    let select = explain("SELECT * FROM t");
    assert!(!select.contains("WAL"), "{select}");
}
