//! The database keeps its tables in order by itself: PostgreSQL's thresholds, storage parameters, no waiting for locks, giving way.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use pglite::{Database, Session, params};

fn setup() -> (Database, Session) {
    let db = Database::builder().background(false).open().unwrap();
    let mut session = db.session().unwrap();
    session
        .batch_execute("CREATE TABLE t (a int PRIMARY KEY, b text)")
        .unwrap();
    (db, session)
}

fn row(session: &mut Session, sql: &str) -> Vec<String> {
    let row = session.query_one(sql, params![]).unwrap();
    (0..row.len())
        .map(|i| row.get_text(i).unwrap().unwrap_or_else(|| "-".to_owned()))
        .collect()
}

#[test]
fn counters_tell_what_happened() {
    let (_db, mut session) = setup();
    session
        .batch_execute(
            "INSERT INTO t SELECT g, 'x' FROM generate_series(1, 100) g;
             UPDATE t SET b = 'y' WHERE a <= 30;
             DELETE FROM t WHERE a > 90;",
        )
        .unwrap();
    session.batch_execute("BEGIN; DELETE FROM t; ROLLBACK").unwrap();
    let counters = "SELECT n_tup_ins, n_tup_upd, n_tup_del, n_live_tup, n_mod_since_analyze, n_ins_since_vacuum, last_analyze, last_vacuum,
        analyze_count, vacuum_count, autoanalyze_count FROM pg_stat_user_tables WHERE relname = 't'";
    assert_eq!(
        row(&mut session, counters),
        ["100", "30", "10", "90", "140", "100", "-", "-", "0", "0", "0"]
    );
    session.batch_execute("VACUUM ANALYZE t").unwrap();
    let after = row(&mut session, counters);
    assert_eq!(after[..6], ["100", "30", "10", "90", "0", "0"]);
    assert!(after[6] != "-" && after[7] != "-");
    assert_eq!(after[8..], ["1", "1", "0"]);
}

#[test]
fn tables_that_changed_much_are_analyzed() {
    let (db, mut session) = setup();
    session
        .batch_execute(
            "INSERT INTO t SELECT g, 'x' FROM generate_series(1, 50) g;
             CREATE TABLE off (a int) WITH (autovacuum_enabled = false);
             INSERT INTO off SELECT generate_series(1, 1000);
             CREATE TABLE soon (a int) WITH (autovacuum_analyze_threshold = 2, autovacuum_analyze_scale_factor = 0);
             INSERT INTO soon VALUES (1), (2), (3);
             CREATE ROLE modest;
             CREATE TABLE theirs (a int);
             ALTER TABLE theirs OWNER TO modest;
             INSERT INTO theirs SELECT generate_series(1, 100);",
        )
        .unwrap();
    assert_eq!(db.autovacuum().unwrap(), 2);
    let counts = "SELECT string_agg(relname || autoanalyze_count || autovacuum_count, ' ' ORDER BY relname) FROM pg_stat_user_tables";
    assert_eq!(row(&mut session, counts), ["off00 soon10 t00 theirs10"]);
    session.batch_execute("INSERT INTO t VALUES (51, 'x')").unwrap();
    assert_eq!(db.autovacuum().unwrap(), 1);
    let known = "SELECT reltuples, (SELECT count(*) FROM pg_stats WHERE tablename = 't') FROM pg_class WHERE relname = 't'";
    assert_eq!(row(&mut session, known), ["51", "2"]);
    assert_eq!(db.autovacuum().unwrap(), 0);
    session
        .batch_execute("UPDATE t SET b = 'y'; UPDATE t SET b = 'z'")
        .unwrap();
    assert_eq!(db.autovacuum().unwrap(), 1);
    assert_eq!(row(&mut session, counts), ["off00 soon10 t21 theirs10"]);
}

#[test]
fn a_locked_table_is_passed_over() {
    let (db, mut session) = setup();
    session
        .batch_execute("INSERT INTO t SELECT g, 'x' FROM generate_series(1, 100) g")
        .unwrap();
    session
        .batch_execute("BEGIN; LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE")
        .unwrap();
    let counts = "SELECT analyze_count, autoanalyze_count FROM pg_stat_user_tables WHERE relname = 't'";
    db.autovacuum().unwrap();
    assert_eq!(row(&mut session, counts), ["0", "0"]);
    session.batch_execute("ROLLBACK").unwrap();
    db.autovacuum().unwrap();
    assert_eq!(row(&mut session, counts), ["0", "1"]);
}

/// Who waits for a lock of the autovacuum's has it soon after `deadlock_timeout`, however long the autovacuum would have taken.
#[test]
fn it_gives_way() {
    let (db, mut session) = setup();
    session
        .batch_execute(
            "CREATE FUNCTION slow(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
                 $$ BEGIN IF current_setting('application_name') = '' THEN PERFORM pg_sleep(0.05); END IF; RETURN $1; END $$;
             SET application_name = 'loader';
             CREATE STATISTICS slow_values ON (slow(a)) FROM t;
             INSERT INTO t SELECT g, 'x' FROM generate_series(1, 2000) g;",
        )
        .unwrap();
    let worker = std::thread::spawn(move || db.autovacuum().unwrap());
    let mut waiting = || {
        row(
            &mut session,
            "SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass AND mode = 'ShareUpdateExclusiveLock'",
        )
    };
    let start = Instant::now();
    while waiting() == ["0"] {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "no lock of the autovacuum's"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    // 2000 calls take 100 seconds; the statement has its lock as soon as the autovacuum was asked to stop.
    session
        .batch_execute("SET deadlock_timeout = '50ms'; ALTER TABLE t ADD COLUMN c int")
        .unwrap();
    assert_eq!(worker.join().unwrap(), 0);
}

/// The last handle ends the task at once, also in the middle of its work, and leaves the directory free.
#[test]
fn closing_does_not_wait_for_it() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let db = Database::open(dir.path()).unwrap();
        let mut session = db.session().unwrap();
        session
            .batch_execute(
                "CREATE TABLE IF NOT EXISTS t (a int); INSERT INTO t SELECT generate_series(1, 100)",
            )
            .unwrap();
    }
    let db = Database::open(dir.path()).unwrap();
    let mut session = db.session().unwrap();
    assert_eq!(row(&mut session, "SELECT count(*) FROM t"), ["300"]);
    // What earlier processes loaded is seen by the number of rows.
    assert_eq!(db.autovacuum().unwrap(), 1);
    assert_eq!(
        row(&mut session, "SELECT reltuples FROM pg_class WHERE relname = 't'"),
        ["300"]
    );
}
