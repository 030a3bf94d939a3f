//! A cancelled statement stops within a few batches, whatever operator is at work. The statement cancels itself at a certain row, and
//! sequences count what is done after that: no clock is asked.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use pglite::{Database, Session, params};

/// Statements that would take minutes or for ever: `statement_timeout` ends each of them. What is asked is that it does, not when.
const ENDLESS: &[&str] = &[
    "SELECT generate_series(1, 1000000000)",
    "SELECT count(*) FROM generate_series(1, 10000000000)",
    "SELECT count(*) FROM (SELECT generate_series(1, 1000000000)) q",
    "SELECT count(*) FROM generate_series(1::numeric, 10000000000)",
    "SELECT count(*) FROM generate_series(timestamp '2000-01-01', '294000-01-01', '1 s')",
    "WITH RECURSIVE w(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM w) SELECT count(*) FROM w",
    "WITH RECURSIVE w(n) AS (SELECT 1 UNION SELECT n + 1 FROM w) SELECT count(*) FROM w",
    "SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 1000000) b WHERE a + b < 0",
    "SELECT g, (SELECT count(*) FROM generate_series(1, 100000) h WHERE h < g) FROM generate_series(1, 1000000) g",
    // All rows of both sides have one key.
    "SELECT count(*) FROM skewed a JOIN skewed b ON a.k = b.k AND a.g + b.g < 0",
    "SELECT count(*) FROM skewed a LEFT JOIN skewed b ON a.k = b.k AND a.g + b.g < 0",
    "SELECT count(*) FROM skewed a WHERE NOT EXISTS (SELECT FROM skewed b WHERE a.k = b.k AND a.g + b.g < 0)",
    "SET LOCAL enable_hashjoin = off; SET LOCAL enable_nestloop = off; SELECT count(*) FROM skewed a JOIN skewed b ON a.k = b.k AND a.g + b.g < 0",
    "SELECT max(m) FROM (SELECT min(g) OVER (ORDER BY g ROWS BETWEEN 90000 PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW) m FROM skewed) q",
    "SELECT count(*) FROM (SELECT generate_series(1, 1000000000) INTERSECT SELECT generate_series(1, 1000000000)) q",
    "SELECT count(*) FROM (SELECT generate_series(1, 1000000000) EXCEPT ALL SELECT generate_series(1, 1000000000)) q",
    "SELECT count(DISTINCT g) FROM generate_series(1, 1000000000) g",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY g) FROM generate_series(1, 1000000000) g",
    "SELECT string_agg(g::text, ',' ORDER BY g DESC) FROM generate_series(1, 1000000000) g",
    "SELECT count(*) FROM (SELECT g % 7, g % 11, count(*) FROM generate_series(1, 1000000000) g GROUP BY CUBE (1, 2)) q",
    "SELECT count(*) FROM (SELECT g FROM generate_series(1, 1000000000) g ORDER BY -g OFFSET 10) q",
    "SELECT length(regexp_replace(repeat('ab', 50000000), '(a)', '<\\1>', 'g'))",
    "SELECT count(*) FROM regexp_split_to_table(repeat('a,', 50000000), ',')",
    "SELECT jsonb_path_exists((SELECT jsonb_agg(i) FROM generate_series(1, 20000) i), '$[*] ? (exists($[*] ? (@ == -1)))')",
    "SELECT factorial(30000)",
    "SELECT sum(repeat('7', 100000)::numeric + g) FROM generate_series(1, 1000000) g",
    "SELECT max(repeat('7', 60000)::numeric * repeat('3', 60000)::numeric * g) FROM generate_series(1, 1000000) g",
    "SELECT array_length(string_to_array(repeat('a,', 30000000), ','), 1)",
    "SELECT array_position((SELECT array_agg(g) FROM generate_series(1, 100000) g), -1) FROM generate_series(1, 1000000)",
    "DO $$ BEGIN LOOP END LOOP; END $$",
    "CREATE TABLE big AS SELECT generate_series(1, 1000000000) a",
    "INSERT INTO target SELECT generate_series(1, 1000000000)",
    "CREATE INDEX ON skewed (endless(g))",
    "ALTER TABLE skewed ADD COLUMN n int GENERATED ALWAYS AS (endless(g)) STORED",
    "UPDATE skewed SET g = endless(g)",
    "COPY (SELECT generate_series(1, 1000000000)) TO STDOUT",
    "SELECT pg_sleep(1000)",
];

const ROWS: i64 = 24_000;

/// What may be done after the request: some batches of 1,024 rows, in each of a few operators.
const SLACK: i64 = 8 * 1024;

/// Statements over `input`: a table expression with the columns a, b, c.
const STATEMENTS: &[(&str, &str)] = &[
    (
        "sort by words",
        "SELECT nextval('made') FROM (SELECT * FROM {input} ORDER BY a % 1000, a) q",
    ),
    (
        "sort by columns",
        "SELECT nextval('made'), b FROM (SELECT * FROM {input} ORDER BY ARRAY[a % 1000], b) q",
    ),
    (
        "top rows",
        "SELECT nextval('made') FROM (SELECT * FROM {input} ORDER BY b LIMIT 12000) q",
    ),
    (
        "distinct",
        "SELECT nextval('made') FROM (SELECT DISTINCT b FROM {input}) q",
    ),
    (
        "hashed groups",
        "SELECT nextval('made') FROM (SELECT a, count(*), sum(c) FROM {input} GROUP BY a) q",
    ),
    (
        "sorted groups",
        "SELECT nextval('made') FROM (SELECT b, array_agg(a ORDER BY c) FROM {input} GROUP BY b) q",
    ),
    (
        "grouping sets",
        "SELECT nextval('made') FROM (SELECT a, b, count(*) FROM {input} GROUP BY CUBE (a, b)) q",
    ),
    (
        "distinct aggregates",
        "SELECT nextval('made'), n FROM (SELECT count(DISTINCT b) n FROM {input}) q",
    ),
    (
        "hash join, inner side",
        "SELECT nextval('made') FROM small s JOIN {input} ON s.a = i.a",
    ),
    (
        "hash join, outer side",
        "SELECT nextval('made') FROM {input} LEFT JOIN small s ON s.a = i.a",
    ),
    (
        "hash join by texts",
        "SELECT nextval('made') FROM {input} JOIN t ON t.b = i.b",
    ),
    (
        "merge join",
        "SET LOCAL enable_hashjoin = off; SET LOCAL enable_nestloop = off; SELECT nextval('made') FROM {input} JOIN t ON t.a = i.a",
    ),
    (
        "nested loop",
        "SELECT nextval('made') FROM {input} JOIN small s ON s.a > i.a",
    ),
    (
        "window",
        "SELECT nextval('made'), w FROM (SELECT sum(a) OVER (PARTITION BY a % 10 ORDER BY c) AS w FROM {input}) q",
    ),
    (
        "one partition",
        "SELECT nextval('made'), v, w FROM (SELECT rank() OVER (ORDER BY c) AS v, ntile(7) OVER (ORDER BY b) AS w FROM {input}) q",
    ),
    (
        "union",
        "SELECT nextval('made') FROM (SELECT b FROM {input} UNION SELECT b FROM t) q",
    ),
    (
        "except",
        "SELECT nextval('made') FROM (SELECT a FROM {input} EXCEPT SELECT a FROM small) q",
    ),
    (
        "offset",
        "SELECT nextval('made') FROM (SELECT * FROM {input} OFFSET 1000) q",
    ),
    (
        "materialized",
        "WITH q AS MATERIALIZED (SELECT * FROM {input}) SELECT nextval('made') FROM q",
    ),
    (
        "insert",
        "INSERT INTO copied SELECT nextval('made'), b FROM {input}",
    ),
];

fn count(session: &mut Session, sequence: &str) -> i64 {
    let sql = format!("SELECT nextval('{sequence}') - 1");
    session.query_map(&sql, params![], |r| r.get(0)).unwrap()[0]
}

/// Runs a statement over an input that cancels it at row `at`; what was read and made.
fn cancelled(session: &mut Session, statement: &str, at: i64) -> (i64, i64) {
    let input = format!(
        "(SELECT * FROM t WHERE CASE WHEN a = {at} THEN pg_cancel_backend(pg_backend_pid()) ELSE true END AND nextval('read') > 0) i"
    );
    session
        .batch_execute("BEGIN; SELECT setval('read', 1, false), setval('made', 1, false)")
        .unwrap();
    let failed = session
        .batch_execute(&statement.replace("{input}", &input))
        .expect_err(statement);
    assert_eq!(
        failed.message(),
        "canceling statement due to user request",
        "{statement}"
    );
    assert_eq!(failed.code(), "57014");
    session.batch_execute("ROLLBACK").unwrap();
    (count(session, "read"), count(session, "made"))
}

#[test]
fn every_operator_stops_within_a_few_batches() {
    let db = Database::memory().unwrap();
    let mut session = db.session().unwrap();
    session
        .batch_execute(&format!(
            "CREATE SEQUENCE read; CREATE SEQUENCE made; CREATE TABLE copied (a int, b text);
             CREATE TABLE t AS SELECT g::int AS a, 'row ' || g * 7919 % 100003 AS b, g * 31 % 1009 / 7.0 AS c FROM generate_series(1, {ROWS}) g;
             CREATE TABLE small AS SELECT a FROM t WHERE a <= 500;
             ANALYZE t; ANALYZE small"
        ))
        .unwrap();
    for (name, statement) in STATEMENTS {
        // Early: no more input is read.
        let (read, _) = cancelled(&mut session, statement, 2000);
        assert!(read <= 2000 + SLACK, "{name}: read {read} rows");
        // At the end of the input: what follows it (sorting, giving out groups) does not go on either. Operators that give rows out as
        // they read them have given all by then.
        let (_, made) = cancelled(&mut session, statement, ROWS);
        let streams = [
            "hash join, outer side",
            "hash join by texts",
            "merge join",
            "nested loop",
            "offset",
            "materialized",
            "insert",
        ];
        if !streams.contains(name) {
            assert!(made <= SLACK, "{name}: made {made} rows");
        }
    }
}

#[test]
fn what_would_never_end_is_timed_out() {
    let db = Database::memory().unwrap();
    let mut session = db.session().unwrap();
    session
        .batch_execute(
            "CREATE TABLE skewed AS SELECT 1 AS k, g::int FROM generate_series(1, 100000) g; ANALYZE skewed; CREATE TABLE target (a int);
             CREATE FUNCTION endless(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql
             AS $$ BEGIN FOR i IN 1 .. 2000 LOOP n := n + 1; END LOOP; RETURN n; END $$",
        )
        .unwrap();
    // Its planning alone.
    let tables: Vec<String> = (0..200).map(|i| format!("skewed j{i}")).collect();
    let equal: Vec<String> = (1..200).map(|i| format!("j{}.k = j{i}.k", i - 1)).collect();
    let joins = format!(
        "SELECT count(*) FROM {} WHERE {}",
        tables.join(", "),
        equal.join(" AND ")
    );
    for statement in ENDLESS.iter().copied().chain([&*joins]) {
        session
            .batch_execute("BEGIN; SET LOCAL statement_timeout = '60ms'")
            .unwrap();
        let failed = session.batch_execute(statement).unwrap_err();
        assert_eq!(
            failed.message(),
            "canceling statement due to statement timeout",
            "{statement}"
        );
        assert_eq!(failed.code(), "57014");
        session.batch_execute("ROLLBACK").unwrap();
    }
}

/// Statements of many parts are cancelled while they are parsed, analyzed and planned, and while they change the catalogs.
#[test]
fn long_statements_are_timed_out() {
    let db = Database::memory().unwrap();
    let mut session = db.session().unwrap();
    session
        .batch_execute(
            "CREATE TABLE t (a int, b int); CREATE INDEX ON t (a); CREATE INDEX ON t (b); CREATE SCHEMA many;
             DO $$ BEGIN FOR i IN 1..1500 LOOP EXECUTE format('CREATE TABLE many.t_%s (a int PRIMARY KEY)', i); END LOOP; END $$",
        )
        .unwrap();
    let list =
        |n: usize, part: &dyn Fn(usize) -> String, by: &str| (0..n).map(part).collect::<Vec<_>>().join(by);
    let statements = [
        format!("SELECT {} FROM no_such_table", list(400_000, &|i| i.to_string(), ",")),
        format!("SELECT FROM no_such_table WHERE {}", list(400_000, &|i| format!("a = {i}"), " OR ")),
        format!("INSERT INTO t VALUES {}", list(300_000, &|i| format!("({i}, {i})"), ",")),
        format!("SELECT * FROM t WHERE a NOT IN ({})", list(400_000, &|i| format!("{i} + 1"), ",")),
        format!("SELECT * FROM t WHERE {}", list(2_000, &|i| format!("(a = {i} OR b = {i})"), " AND ")),
        "DROP SCHEMA many CASCADE".to_owned(),
        "DROP TABLE t; DO $$ BEGIN FOR i IN 1..100000 LOOP EXECUTE format('CREATE TABLE made_%s (a int)', i); END LOOP; END $$".to_owned(),
        "SELECT lo_from_bytea(0, decode(repeat('00', 40000000), 'hex'))".to_owned(),
    ];
    for statement in &statements {
        session
            .batch_execute("BEGIN; SET LOCAL statement_timeout = '5ms'")
            .unwrap();
        let failed = session.batch_execute(statement).unwrap_err();
        assert_eq!(failed.code(), "57014", "{:.60}: {}", statement, failed.message());
        session.batch_execute("ROLLBACK").unwrap();
    }
    let sql = "SELECT count(*) FROM pg_class WHERE relnamespace = 'many'::regnamespace AND relkind = 'r'";
    assert_eq!(
        session.query_map(sql, params![], |r| r.get::<i64>(0)).unwrap(),
        [1500_i64]
    );
}

/// A large transaction that failed is undone beside its session: nobody sees anything of it, and the next one waits for its end.
#[test]
fn a_large_transaction_is_undone_beside_its_session() {
    let directory = tempfile::tempdir().unwrap();
    let sums = "SELECT count(*), sum(a)::int8 FROM t";
    for round in 0..3 {
        let db = Database::open(directory.path()).unwrap();
        let mut other = db.session().unwrap();
        if round == 0 {
            other
                .batch_execute(
                    "CREATE TABLE t AS SELECT g AS a FROM generate_series(1, 100000) g; ALTER TABLE t ADD PRIMARY KEY (a)",
                )
                .unwrap();
        }
        let mut session = db.session().unwrap();
        let cancelled = [
            "UPDATE t SET a = a + CASE WHEN a = 90000 THEN pg_cancel_backend(pg_backend_pid())::int - 1 ELSE 0 END + 100000",
            "INSERT INTO t SELECT 200000 + g + CASE WHEN g = 90000 THEN pg_cancel_backend(pg_backend_pid())::int - 1 ELSE 0 END FROM generate_series(1, 200000) g",
            "SELECT pg_cancel_backend(pg_backend_pid()) FROM (SELECT a FROM t OFFSET 0 FOR UPDATE) q WHERE a = 90000",
        ];
        for statement in cancelled {
            assert_eq!(session.batch_execute(statement).unwrap_err().code(), "57014");
            let read = |s: &mut Session| {
                s.query_map(sums, params![], |r| Ok((r.get::<i64>(0)?, r.get::<i64>(1)?)))
                    .unwrap()
            };
            assert_eq!(
                read(&mut other),
                [(100_000_i64, 5_000_050_000_i64)],
                "{statement}"
            );
            // It waits for the end of the one before, as whoever wants the same rows does.
            other.batch_execute("UPDATE t SET a = a WHERE a = 5").unwrap();
            session
                .batch_execute("UPDATE t SET a = -a WHERE a = 90000; UPDATE t SET a = -a WHERE a = -90000")
                .unwrap();
            assert_eq!(
                read(&mut session),
                [(100_000_i64, 5_000_050_000_i64)],
                "{statement}"
            );
        }
        // Failed and gone.
        session.batch_execute("BEGIN").unwrap();
        session.batch_execute(cancelled[0]).unwrap_err();
        drop(session);
        other.batch_execute("BEGIN; LOCK TABLE t NOWAIT; COMMIT").unwrap();
    }
}

/// A cancelled VACUUM or CHECKPOINT leaves every row where it is found, also after the database is opened again.
#[test]
fn maintenance_is_timed_out() {
    let directory = tempfile::tempdir().unwrap();
    let db = Database::open(directory.path()).unwrap();
    let mut session = db.session().unwrap();
    session
        .batch_execute(
            "CREATE TABLE t AS SELECT g AS a, repeat(md5(g::text), 4) AS b FROM generate_series(1, 150000) g;
             CREATE INDEX ON t (a); UPDATE t SET a = a + 1000000 WHERE a % 7 = 0; DELETE FROM t WHERE a % 3 = 0",
        )
        .unwrap();
    let read = |s: &mut Session| {
        let sums = "SELECT count(*), sum(a)::int8, sum(length(b))::int8 FROM t";
        s.batch_execute("SET enable_seqscan = on").unwrap();
        let rows = s
            .query_map(sums, params![], |r| {
                Ok((r.get::<i64>(0)?, r.get::<i64>(1)?, r.get::<i64>(2)?))
            })
            .unwrap();
        s.batch_execute("SET enable_seqscan = off").unwrap();
        let found = s
            .query_map(format!("{sums} WHERE a > 0"), params![], |r| {
                Ok((r.get::<i64>(0)?, r.get::<i64>(1)?, r.get::<i64>(2)?))
            })
            .unwrap();
        assert_eq!(rows, found);
        rows
    };
    let before = read(&mut session);
    for statement in ["CHECKPOINT", "VACUUM t", "VACUUM FULL t", "VACUUM (ANALYZE) t"] {
        session.batch_execute("SET statement_timeout = 1").unwrap();
        let failed = session.batch_execute(statement).map_err(|e| e.code().to_owned());
        // It may run out of time itself.
        while session.batch_execute("SET statement_timeout = 0").is_err() {}
        // A checkpoint may have nothing to do.
        assert!(
            failed == Err("57014".to_owned()) || statement == "CHECKPOINT" && failed.is_ok(),
            "{statement}: {failed:?}"
        );
        assert_eq!(read(&mut session), before, "{statement}");
    }
    drop((session, db));
    let db = Database::open(directory.path()).unwrap();
    let mut session = db.session().unwrap();
    assert_eq!(read(&mut session), before);
    session.batch_execute("VACUUM FULL t").unwrap();
    session.batch_execute("CHECKPOINT").unwrap();
    assert_eq!(read(&mut session), before);
}
