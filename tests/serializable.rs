//! Serializable transactions over tables so small that they are scanned from end to end: who asks for one key has read one key.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use pglite::{Database, Session, params};

/// Two sessions in serializable transactions that have their snapshots.
fn pair() -> (Database, [Session; 2]) {
    let db = Database::memory().unwrap();
    let mut a = db.session().unwrap();
    a.batch_execute(
        "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT g, 0 FROM generate_series(1, 4) g; ANALYZE t;
         CREATE TABLE u (id int PRIMARY KEY, v int); INSERT INTO u VALUES (1, 0), (2, 0); ANALYZE u",
    )
    .unwrap();
    let mut sessions = [a, db.session().unwrap()];
    for session in &mut sessions {
        session
            .batch_execute("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1 FROM pg_class LIMIT 1")
            .unwrap();
    }
    (db, sessions)
}

/// Runs the statements in turn and commits; how many of the two failed, with 40001.
fn failures(sessions: [Session; 2], turns: &[(usize, &str)]) -> usize {
    let mut sessions = sessions;
    let mut failed = [false; 2];
    let commits = [(0, "COMMIT"), (1, "COMMIT")];
    for (who, sql) in turns.iter().chain(&commits) {
        if failed[*who] {
            continue;
        }
        if let Err(e) = sessions[*who].batch_execute(sql) {
            assert_eq!(e.code().to_string(), "40001", "{sql}: {}", e.message());
            sessions[*who].batch_execute("ROLLBACK").unwrap();
            failed[*who] = true;
        }
    }
    failed.into_iter().filter(|f| *f).count()
}

/// The form of a read by key, which PostgreSQL plans as a scan of the table.
const READS: [&str; 3] = [
    "SELECT v FROM t WHERE id = ",
    "SELECT t.v FROM u, t WHERE u.id = 1 AND t.id = ",
    "SELECT v + 1 FROM (SELECT * FROM t WHERE v >= 0 OFFSET 0) q WHERE id = ",
];

#[test]
fn plans_are_scans_of_the_table() {
    let (_db, [mut a, _]) = pair();
    for read in &READS[..2] {
        let rows = a
            .query(format!("EXPLAIN (COSTS OFF) {read}1"), params![])
            .unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0).unwrap()).collect();
        assert!(plan.join("\n").contains("Seq Scan on t"), "{plan:?}");
    }
}

#[test]
fn other_keys_are_not_read() {
    for read in &READS[..2] {
        let (_db, sessions) = pair();
        let (first, second) = (format!("{read}1"), format!("{read}2"));
        let turns = [
            (0, first.as_str()),
            (1, second.as_str()),
            (0, "UPDATE t SET v = 1 WHERE id = 3 RETURNING v"),
            (1, "UPDATE t SET v = 1 WHERE id = 4 RETURNING v"),
        ];
        assert_eq!(failures(sessions, &turns), 0, "{read}");
    }
}

#[test]
fn skew_over_two_keys_is_found() {
    for read in READS {
        let (_db, sessions) = pair();
        let (first, second) = (format!("{read}1"), format!("{read}2"));
        let turns = [
            (0, first.as_str()),
            (1, second.as_str()),
            (0, "UPDATE t SET v = 1 WHERE id = 2 RETURNING v"),
            (1, "UPDATE t SET v = 1 WHERE id = 1 RETURNING v"),
        ];
        assert_eq!(failures(sessions, &turns), 1, "{read}");
    }
}

#[test]
fn keys_that_are_not_there_are_read_too() {
    for change in ["INSERT INTO t VALUES (", "UPDATE t SET v = 2, id = ("] {
        let (_db, sessions) = pair();
        let end = |key: i32, old: i32| match change.starts_with("INSERT") {
            true => format!("{change}{key}, 0)"),
            false => format!("{change}{key}) WHERE id = {old}"),
        };
        let (first, second) = (end(8, 3), end(7, 4));
        let turns = [
            (0, "SELECT v FROM t WHERE id = 7 AND v >= 0"),
            (1, "SELECT v FROM t WHERE id = 8 AND v >= 0"),
            (0, first.as_str()),
            (1, second.as_str()),
        ];
        assert_eq!(failures(sessions, &turns), 1, "{change}");
    }
}

/// Whoever scans the whole table has read every key.
#[test]
fn whole_scans_read_everything() {
    let (_db, sessions) = pair();
    let turns = [
        (0, "SELECT sum(v) FROM t"),
        (1, "SELECT sum(v) FROM t WHERE v >= 0"),
        (0, "UPDATE t SET v = 1 WHERE id = 3 RETURNING v"),
        (1, "UPDATE t SET v = 1 WHERE id = 4 RETURNING v"),
    ];
    assert_eq!(failures(sessions, &turns), 1);
}
