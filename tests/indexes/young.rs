//! Snapshots older than an index: rows that only they see are missing in it, so they must not use it.

use pglite::{Database, Session, params};

const REPEATABLE: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ";
/// What an index over `k` may answer: by a unique key, by a range, from the index alone.
const QUERIES: [&str; 4] = [
    "SELECT count(*) FROM t WHERE k = 10",
    "SELECT count(v) FROM t WHERE k BETWEEN 1 AND 20",
    "SELECT count(k) FROM t WHERE k > 0 AND k < 30",
    "SELECT coalesce(max(k), -1)::bigint FROM t WHERE k < 50",
];

fn answers(session: &mut Session) -> Vec<i64> {
    let answer = |q: &&str| session.query_one(q, params![]).unwrap().get(0).unwrap();
    QUERIES.iter().map(answer).collect()
}

fn plan(session: &mut Session, query: &str) -> String {
    let rows = session.query(format!("EXPLAIN {query}"), params![]).unwrap();
    let lines = rows.iter().map(|row| row.get::<String>(0).unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

fn sessions(rows: u32) -> (Database, Session, Session) {
    let db = Database::memory().unwrap();
    let (mut old, mut new) = (db.session().unwrap(), db.session().unwrap());
    old.batch_execute(&format!(
        "CREATE TABLE t (k int, v text);
         INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, {rows}) g"
    ))
    .unwrap();
    for session in [&mut old, &mut new] {
        session.batch_execute("SET enable_seqscan = off").unwrap();
    }
    (db, old, new)
}

/// Rows vanish, move and come between the old snapshot and the index.
const CHANGES: &str = "
    DELETE FROM t WHERE k IN (10, 11, 17);
    UPDATE t SET k = -k WHERE k BETWEEN 12 AND 14;
    INSERT INTO t VALUES (0, 'new'), (17, 'new');";

fn an_old_snapshot_goes_on_without(rows: u32, index: &str) {
    let (db, mut old, mut new) = sessions(rows);
    let before = answers(&mut old);
    old.batch_execute(REPEATABLE).unwrap();
    assert_eq!(answers(&mut old), before);
    new.batch_execute(CHANGES).unwrap();
    let after = answers(&mut new);
    assert_ne!(before, after);
    new.batch_execute(index).unwrap();
    // Twice, so that cached plans count.
    for _ in 0..2 {
        assert_eq!(answers(&mut new), after, "{index}");
        assert_eq!(answers(&mut old), before, "{index}");
    }
    assert!(plan(&mut new, QUERIES[0]).contains("t_k"));
    assert!(!plan(&mut old, QUERIES[0]).contains("t_k"));
    old.batch_execute("COMMIT").unwrap();
    assert_eq!(answers(&mut old), after);
    assert!(plan(&mut old, QUERIES[0]).contains("t_k"));
    // The plans made for the old snapshot were for it alone.
    let plan_of_new: String = plan(&mut new, QUERIES[0]);
    assert_eq!(plan_of_new, plan(&mut old, QUERIES[0]));
    assert!(db.verify().unwrap().is_empty());
}

#[test]
fn an_old_snapshot_does_not_use_a_young_index() {
    for rows in [100, 6000] {
        for index in ["CREATE INDEX t_k ON t (k)", "CREATE UNIQUE INDEX t_k ON t (k)"] {
            an_old_snapshot_goes_on_without(rows, index);
        }
    }
}

#[test]
fn an_index_built_again_is_young_again() {
    for rows in [100, 6000] {
        let (_db, mut old, mut new) = sessions(rows);
        new.batch_execute("CREATE INDEX t_k ON t (k)").unwrap();
        old.batch_execute(REPEATABLE).unwrap();
        let before = answers(&mut old);
        new.batch_execute(CHANGES).unwrap();
        new.batch_execute("REINDEX TABLE t").unwrap();
        assert_eq!(answers(&mut old), before);
        old.batch_execute("ROLLBACK").unwrap();
        assert_eq!(answers(&mut old), answers(&mut new));
    }
}

#[test]
fn the_builder_itself_uses_its_index_unless_rows_are_missing_for_it() {
    for (rows, change) in [(100, false), (100, true), (6000, false), (6000, true)] {
        let (_db, mut old, mut new) = sessions(rows);
        old.batch_execute(REPEATABLE).unwrap();
        let before = answers(&mut old);
        if change {
            new.batch_execute(CHANGES).unwrap();
        }
        old.batch_execute("CREATE INDEX t_k ON t (k)").unwrap();
        assert_eq!(answers(&mut old), before, "{rows} rows, changed: {change}");
        let plan = plan(&mut old, "SELECT v FROM t WHERE k = 10");
        assert_eq!(plan.contains("t_k"), !change, "{rows} rows: {plan}");
        old.batch_execute("COMMIT").unwrap();
        assert_eq!(answers(&mut old), answers(&mut new));
    }
}

#[test]
fn a_foreign_key_finds_rows_by_a_key_younger_than_the_snapshot() {
    let db = Database::memory().unwrap();
    let (mut old, mut new) = (db.session().unwrap(), db.session().unwrap());
    old.batch_execute(
        "CREATE TABLE p (id int, CONSTRAINT p_key UNIQUE (id));
         CREATE TABLE c (id int REFERENCES p (id));
         INSERT INTO p SELECT generate_series(1, 100)",
    )
    .unwrap();
    old.batch_execute(REPEATABLE).unwrap();
    old.batch_execute("SELECT count(*) FROM pg_class").unwrap();
    new.batch_execute("REINDEX TABLE p").unwrap();
    old.batch_execute("INSERT INTO c VALUES (7)").unwrap();
    assert_eq!(
        old.execute("INSERT INTO c VALUES (700)", params![])
            .unwrap_err()
            .code(),
        "23503"
    );
    old.batch_execute("ROLLBACK").unwrap();
}

#[test]
fn after_a_restart_every_snapshot_is_young_enough() {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::open(dir.path()).unwrap();
    let mut session = db.session().unwrap();
    session
        .batch_execute(
            "CREATE TABLE t (k int, v text); INSERT INTO t SELECT g, 'v' FROM generate_series(1, 6000) g;
             DELETE FROM t WHERE k = 17; CREATE INDEX t_k ON t (k)",
        )
        .unwrap();
    drop((session, db));
    let db = Database::open(dir.path()).unwrap();
    let mut session = db.session().unwrap();
    session.batch_execute(REPEATABLE).unwrap();
    session.batch_execute("SET enable_seqscan = off").unwrap();
    assert_eq!(answers(&mut session)[0], 1);
    assert!(plan(&mut session, QUERIES[2]).contains("t_k"));
    assert!(db.verify().unwrap().is_empty());
}
