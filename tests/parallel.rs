//! Statements run by several workers: the answers of one, errors, cancelling, stopping early.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use pglite::{Database, Session, params};

/// Settings under which every table is worth workers.
const FORCED: &str =
    "SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0";

fn session() -> (Database, Session) {
    let db = Database::memory().unwrap();
    let mut s = db.session().unwrap();
    s.batch_execute(
        "CREATE TABLE t (a int, b int, c text, d numeric, e float8);
         INSERT INTO t SELECT i, i % 7, 'x' || i % 100, i * 0.5, i FROM generate_series(1, 20000) i;
         CREATE TABLE names (b int, name text);
         INSERT INTO names SELECT i, 'n' || i FROM generate_series(0, 5) i;
         ANALYZE",
    )
    .unwrap();
    s.batch_execute(FORCED).unwrap();
    (db, s)
}

fn rows(s: &mut Session, sql: &str) -> Vec<String> {
    let text = format!("SELECT r::text FROM ({sql}) r");
    s.query_map(&text, params![], |r| r.get::<String>(0)).unwrap()
}

fn plan(s: &mut Session, sql: &str) -> String {
    let lines: Vec<String> = s
        .query_map(format!("EXPLAIN (COSTS OFF) {sql}"), params![], |r| r.get(0))
        .unwrap();
    lines.join("\n")
}

#[test]
fn answers_are_those_of_one_process() {
    let (_db, mut s) = session();
    let queries = [
        "SELECT count(*), sum(a), avg(d), min(c), max(c), sum(e), bool_and(a > 0), bit_or(b) FROM t",
        "SELECT b, count(*), sum(a), avg(d), max(c), stddev(a), var_pop(d) FROM t GROUP BY b ORDER BY b",
        "SELECT name, count(*), sum(a) FILTER (WHERE a % 2 = 0) FROM t JOIN names USING (b) GROUP BY name ORDER BY name",
        "SELECT t.b, name, count(*) FROM t LEFT JOIN names USING (b) GROUP BY 1, 2 ORDER BY 1, 2",
        "SELECT count(*) FROM t x JOIN t y USING (a) WHERE x.b = 3",
        "SELECT count(*) FROM t WHERE b IN (SELECT b FROM names WHERE name > 'n2')",
        "SELECT count(*) FROM t WHERE NOT EXISTS (SELECT 1 FROM names WHERE names.b = t.b)",
        "SELECT count(*) FROM t WHERE a > (SELECT avg(a) FROM t)",
        "SELECT a, c FROM t WHERE b = 3 ORDER BY a DESC LIMIT 5",
        "SELECT a, c || 'z' AS z FROM t WHERE a % 1000 = 3 ORDER BY a",
        "SELECT c, count(*) FROM t GROUP BY c HAVING count(*) > 199 ORDER BY c",
        "SELECT sum(n) FROM (SELECT a, count(*) AS n FROM t GROUP BY a) q",
        "SELECT DISTINCT b FROM t ORDER BY b",
        "SELECT count(*) FROM (SELECT 1 FROM t WHERE a < 0) q",
        "SELECT string_agg(x, ',' ORDER BY x) FROM (SELECT DISTINCT c AS x FROM t WHERE b = 1) q",
    ];
    for sql in queries {
        s.batch_execute("SET max_parallel_workers_per_gather = 0")
            .unwrap();
        let one = rows(&mut s, sql);
        s.batch_execute("SET max_parallel_workers_per_gather = 3")
            .unwrap();
        assert!(
            plan(&mut s, sql).contains("Workers Planned"),
            "{}",
            plan(&mut s, sql)
        );
        for leads in ["on", "off"] {
            s.batch_execute(&format!("SET parallel_leader_participation = {leads}"))
                .unwrap();
            assert_eq!(one, rows(&mut s, sql), "{sql}");
        }
    }
}

#[test]
fn small_tables_and_what_writes_stay_with_the_leader() {
    let (_db, mut s) = session();
    s.batch_execute("CREATE SEQUENCE s").unwrap();
    assert!(!plan(&mut s, "INSERT INTO names SELECT b, c FROM t").contains("Gather"));
    assert!(!plan(&mut s, "SELECT * FROM t WHERE a = 1 FOR UPDATE").contains("Gather"));
    assert!(!plan(&mut s, "SELECT sum(nextval('s'::regclass)) FROM t WHERE false").contains("Gather"));
    s.batch_execute("RESET min_parallel_table_scan_size").unwrap();
    assert!(!plan(&mut s, "SELECT count(*) FROM t").contains("Gather"));
    s.batch_execute("CREATE TEMP TABLE own AS SELECT 1 AS a; SET min_parallel_table_scan_size = 0")
        .unwrap();
    assert!(!plan(&mut s, "SELECT count(*) FROM own").contains("Gather"));
}

#[test]
fn an_error_in_a_worker_is_the_statements() {
    let (_db, mut s) = session();
    for leads in ["on", "off"] {
        s.batch_execute(&format!("SET parallel_leader_participation = {leads}"))
            .unwrap();
        let error = s
            .query("SELECT sum(1 / (a - 15000)) FROM t", params![])
            .unwrap_err();
        assert_eq!(error.code(), "22012");
        assert_eq!(rows(&mut s, "SELECT count(*) FROM t"), ["(20000)"]);
    }
}

#[test]
fn rows_not_wanted_any_more_stop_the_workers() {
    let (_db, mut s) = session();
    for _ in 0..20 {
        assert_eq!(rows(&mut s, "SELECT 1 FROM t x, t y LIMIT 3").len(), 3);
    }
    s.batch_execute("BEGIN; DECLARE c CURSOR FOR SELECT a FROM t; FETCH 5 FROM c; CLOSE c; COMMIT")
        .unwrap();
}

#[test]
fn own_changes_are_seen_by_workers() {
    let (_db, mut s) = session();
    s.batch_execute(
        "BEGIN; DELETE FROM t WHERE a <= 100; INSERT INTO t SELECT -i FROM generate_series(1, 30) i",
    )
    .unwrap();
    assert_eq!(rows(&mut s, "SELECT count(*), min(a) FROM t"), ["(19930,-30)"]);
    s.batch_execute("ROLLBACK").unwrap();
    assert_eq!(rows(&mut s, "SELECT count(*), min(a) FROM t"), ["(20000,1)"]);
}

#[test]
fn explain_analyze_adds_up_the_participants() {
    let (_db, mut s) = session();
    let lines: Vec<String> = s
        .query_map(
            "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) SELECT count(*) FROM t",
            params![],
            |r| r.get(0),
        )
        .unwrap();
    assert!(
        lines.iter().any(|l| l.contains("Workers Launched: 2")),
        "{lines:?}"
    );
    // 20,000 rows over three participants.
    let scan = lines.iter().find(|l| l.contains("Parallel Seq Scan")).unwrap();
    assert!(scan.contains("rows=6666.67 loops=3"), "{scan}");
}

#[test]
fn functions_that_ask_the_session_run_in_the_leader() {
    let (_db, mut s) = session();
    assert_eq!(
        rows(
            &mut s,
            "SELECT count(*) FROM t WHERE current_setting('max_parallel_workers') = '8'"
        ),
        ["(20000)"]
    );
    assert_eq!(
        rows(
            &mut s,
            "SELECT count(*) FROM t WHERE now() > '2001-01-01' AND 't'::regclass IS NOT NULL"
        ),
        ["(20000)"]
    );
}
