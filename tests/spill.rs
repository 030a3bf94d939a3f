//! Sorts, joins, aggregates and windows that do not fit `work_mem` give the answers of those that do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use pglite::{Database, Session, params};

/// Rows as one string each; sorted where the query gives no order.
fn rows(session: &mut Session, sql: &str, ordered: bool) -> Vec<String> {
    let wrapped = format!("SELECT q::text FROM ({sql}) q");
    let mut out: Vec<String> = session
        .query_map(&wrapped, params![], |r| r.get::<String>(0))
        .unwrap_or_else(|e| panic!("{sql}: {e}"));
    if !ordered {
        out.sort();
    }
    out
}

fn plan_text(session: &mut Session, sql: &str) -> String {
    let explain = format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) {sql}");
    let lines = session
        .query_map(&explain, params![], |r| r.get::<String>(0))
        .unwrap();
    lines.join("\n")
}

fn temp_files(dir: &std::path::Path) -> usize {
    std::fs::read_dir(dir.join("pgsql_tmp")).map_or(0, |d| d.count())
}

const TABLES: &str = "
    CREATE TABLE t (a int, b text, c numeric, d float8, e int[], f timestamp);
    INSERT INTO t SELECT g * 7919 % 3001, 'row ' || (g * 31 % 5003) || repeat('x', g % 40),
        CASE WHEN g % 11 = 0 THEN NULL ELSE (g % 97)::numeric / 8 END, g % 13 / 4.0,
        CASE WHEN g % 5 = 0 THEN NULL ELSE ARRAY[g % 3, g % 7] END, timestamp '2026-01-01' + g % 1000 * interval '1 hour'
        FROM generate_series(1, 4000) g;
    CREATE TABLE u (a int, n int);
    INSERT INTO u SELECT CASE WHEN g % 50 = 0 THEN NULL ELSE g % 1501 END, g FROM generate_series(1, 4500) g;
    CREATE TABLE same (k int, v text);
    INSERT INTO same SELECT 1, repeat('y', 100) || g FROM generate_series(1, 1000) g;
    ANALYZE t; ANALYZE u; ANALYZE same;
";

/// (query, true when its order is fixed, settings that lead to the plan, a word of EXPLAIN ANALYZE that shows spilling)
const CASES: &[(&str, bool, &str, &str)] = &[
    (
        "SELECT * FROM t ORDER BY b, a, c NULLS FIRST, f, d, e",
        true,
        "",
        "external merge  Disk",
    ),
    (
        "SELECT a, b FROM t ORDER BY a DESC, b",
        true,
        "",
        "external merge  Disk",
    ),
    (
        "SELECT * FROM t ORDER BY b, a, f, c, d, e LIMIT 3000",
        true,
        "",
        "external merge",
    ),
    (
        "SELECT t.*, u.n FROM t JOIN u ON t.a = u.a",
        false,
        "hash",
        "Batches: 16",
    ),
    (
        "SELECT t.b, u.n FROM t LEFT JOIN u ON t.a = u.a AND u.n % 3 >= 0",
        false,
        "hash",
        "Batches: 16",
    ),
    (
        "SELECT t.b, u.n FROM u LEFT JOIN t ON t.a = u.a",
        false,
        "hash",
        "Batches: 16",
    ),
    (
        "SELECT t.b, u.n FROM t FULL JOIN u ON t.a = u.a",
        false,
        "hash",
        "Batches: 16",
    ),
    (
        "SELECT * FROM t WHERE a IN (SELECT a FROM u)",
        false,
        "hash",
        "Batches: 16",
    ),
    (
        "SELECT * FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.a = t.a)",
        false,
        "hash",
        "Batches: 16",
    ),
    (
        "SELECT count(*), min(x.v), max(y.v) FROM same x JOIN same y USING (k) WHERE x.v < y.v",
        true,
        "hash",
        "Batches",
    ),
    (
        "SELECT b, count(*), sum(c), min(f), array_agg(a ORDER BY a) FROM t GROUP BY b",
        false,
        "",
        "",
    ),
    (
        "SELECT b, count(*), sum(c), avg(d), min(f) FROM t GROUP BY b",
        false,
        "agg",
        "Disk Usage",
    ),
    ("SELECT DISTINCT b, c FROM t", false, "agg", "Disk Usage"),
    (
        "SELECT a, b, c, grouping(a, b, c), count(*), sum(d), count(DISTINCT f) FROM t GROUP BY GROUPING SETS ((a), (b), (a, c), ())",
        false,
        "",
        "",
    ),
    (
        "SELECT count(DISTINCT b), count(DISTINCT a), string_agg(DISTINCT b, ',' ORDER BY b) FROM t",
        true,
        "",
        "",
    ),
    (
        "SELECT percentile_disc(0.3) WITHIN GROUP (ORDER BY b), rank(500) WITHIN GROUP (ORDER BY a) FROM t",
        true,
        "",
        "",
    ),
    (
        "SELECT a, b, row_number() OVER (ORDER BY b, a), lag(b) OVER (ORDER BY b, a), sum(c) OVER (PARTITION BY a % 7) FROM t",
        false,
        "",
        "Storage: Disk",
    ),
    (
        "WITH q AS MATERIALIZED (SELECT * FROM t) SELECT x.a, y.n FROM q x JOIN u y ON x.a = y.a WHERE (SELECT count(*) FROM q) > 0",
        false,
        "",
        "",
    ),
    (
        "SELECT count(*) FROM (SELECT * FROM t OFFSET 0) x, (SELECT * FROM u LIMIT 5) y WHERE x.a > y.n",
        true,
        "",
        "",
    ),
    (
        "SELECT b FROM t EXCEPT SELECT b FROM t WHERE a < 3000",
        false,
        "",
        "",
    ),
    (
        "SELECT a, c, count(*) FROM t GROUP BY ROLLUP (a, c)",
        false,
        "",
        "",
    ),
];

fn prefer(session: &mut Session, what: &str) {
    let (hash, agg) = (what == "hash", what == "agg");
    session.batch_execute("RESET ALL").unwrap();
    if hash {
        session
            .batch_execute("SET enable_mergejoin = off; SET enable_nestloop = off")
            .unwrap();
    }
    if agg {
        session.batch_execute("SET enable_sort = off").unwrap();
    }
}

#[test]
fn what_does_not_fit_work_mem_gives_the_same_rows() {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::open(dir.path()).unwrap();
    let mut session = db.session().unwrap();
    session.batch_execute(TABLES).unwrap();
    for (sql, ordered, what, word) in CASES {
        prefer(&mut session, what);
        session.batch_execute("SET work_mem = '256MB'").unwrap();
        let expected = rows(&mut session, sql, *ordered);
        assert!(!expected.is_empty(), "{sql}");
        session
            .batch_execute("SET work_mem = '64kB'; SET hash_mem_multiplier = 1")
            .unwrap();
        assert_eq!(rows(&mut session, sql, *ordered), expected, "{sql}");
        let plan = plan_text(&mut session, sql);
        assert!(plan.contains(word), "{sql}\n{plan}");
        assert_eq!(temp_files(dir.path()), 0, "files stay behind: {sql}");
    }
}

/// Joins whose tables workers build together.
const COMMON: &[&str] = &[
    "SELECT count(*), sum(u.n), sum(hashtext(t.b)) FROM u JOIN t ON t.a = u.a",
    "SELECT count(*), sum(hashtext(x.b || y.b)) FROM t x JOIN t y ON x.b = y.b",
    "SELECT count(*), count(t.a), sum(coalesce(hashtext(t.b), 1)) FROM u LEFT JOIN t ON t.a = u.a AND t.d < 9",
    "SELECT count(*), sum(u.n) FROM u WHERE EXISTS (SELECT FROM t WHERE t.a = u.a AND t.d < u.n)",
    "SELECT count(*), sum(u.n) FROM u WHERE NOT EXISTS (SELECT FROM t WHERE t.a = u.a AND t.d < 1)",
    "SELECT count(*), sum(hashtext(t.b || v.b)) FROM u JOIN t ON t.a = u.a JOIN t v ON v.b = t.b",
    "SELECT count(*), sum(length(s.v)) FROM u JOIN same s ON s.k = u.a",
];

#[test]
fn tables_in_common_that_do_not_fit_give_the_same_rows() {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::open(dir.path()).unwrap();
    let mut session = db.session().unwrap();
    session.batch_execute(TABLES).unwrap();
    prefer(&mut session, "hash");
    session
        .batch_execute(
            "SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0",
        )
        .unwrap();
    for sql in COMMON {
        session
            .batch_execute("SET max_parallel_workers_per_gather = 0; SET work_mem = '256MB'")
            .unwrap();
        let expected = rows(&mut session, sql, true);
        session
            .batch_execute("SET work_mem = '64kB'; SET hash_mem_multiplier = 1")
            .unwrap();
        for workers in 1..5 {
            for leads in ["on", "off"] {
                let set = format!(
                    "SET max_parallel_workers_per_gather = {workers}; SET parallel_leader_participation = {leads}"
                );
                session.batch_execute(&set).unwrap();
                assert_eq!(rows(&mut session, sql, true), expected, "{workers} {leads} {sql}");
            }
        }
        session
            .batch_execute("SET max_parallel_workers_per_gather = 2; SET parallel_leader_participation = on")
            .unwrap();
        let plan = plan_text(&mut session, sql);
        assert!(plan.contains("Parallel Hash"), "{sql}\n{plan}");
        // Where the inner rows are wide: how many participants come in time decides how much memory there is.
        let wide = sql.contains("hashtext");
        assert!(!wide || plan.contains("Batches: 16"), "{sql}\n{plan}");
        assert_eq!(temp_files(dir.path()), 0, "files stay behind: {sql}");
    }
    let failing = "SELECT count(*) FROM u JOIN t ON t.a = u.a WHERE 10 / (t.a - 17) < 20 AND u.n > 0";
    let failed = session.batch_execute(failing).unwrap_err();
    assert_eq!(failed.code(), "22012", "{failed}");
    assert_eq!(temp_files(dir.path()), 0, "files stay behind an error");
}

#[test]
fn temp_file_limit_ends_a_statement_and_its_files_go() {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::open(dir.path()).unwrap();
    let mut session = db.session().unwrap();
    session.batch_execute(TABLES).unwrap();
    session
        .batch_execute("SET work_mem = '64kB'; SET temp_file_limit = '100kB'")
        .unwrap();
    let failed = session
        .execute("SELECT * FROM t ORDER BY b, a", params![])
        .unwrap_err();
    assert_eq!(failed.code(), "53400");
    assert_eq!(
        failed.message(),
        "temporary file size exceeds \"temp_file_limit\" (100kB)"
    );
    assert_eq!(temp_files(dir.path()), 0);
    // EXPLAIN does not tell that groups of grouping sets went to files.
    let sets = "SELECT b, count(*) FROM t GROUP BY GROUPING SETS ((b), (b, f))";
    assert_eq!(session.execute(sets, params![]).unwrap_err().code(), "53400");
    session.batch_execute("RESET temp_file_limit").unwrap();
    session
        .execute("SELECT * FROM t ORDER BY b, a", params![])
        .unwrap();
}

#[test]
fn files_of_a_crash_go_when_the_database_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    drop(Database::open(dir.path()).unwrap());
    let tmp = dir.path().join("pgsql_tmp");
    std::fs::create_dir_all(&tmp).unwrap();
    std::fs::write(tmp.join("pgsql_tmp123.0"), b"left behind").unwrap();
    let db = Database::open(dir.path()).unwrap();
    assert_eq!(temp_files(dir.path()), 0);
    drop(db);
}
