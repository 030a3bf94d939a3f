//! Between the phases the process may end, cleanly or not.

use std::path::Path;
use std::sync::Arc;

use pglite::env::sim::{CrashMode, SimEnv};
use pglite::{Database, Result};

use crate::{AFTER, CHANGES, SETUP, number, sum, verify};

fn open(env: &SimEnv) -> Result<Database> {
    Database::builder()
        .directory(Path::new("/db"))
        .env(Arc::new(env.clone()))
        .background(false)
        .max_prepared_transactions(5)
        .storage_options(|options| {
            options.wal_segment_size = 32 << 10;
            // Parts of transactions go to the log before they are prepared.
            options.spill_bytes = 300;
        })
        .open()
}

fn run(db: &Database, statement: &str) -> Result<()> {
    db.session()?.batch_execute(statement)
}

#[test]
fn a_prepared_transaction_survives_restarts() {
    for (commit, crash, checkpoint) in (0..8).map(|n| (n & 1 == 0, n & 2 == 0, n & 4 == 0)) {
        let what = format!("commit {commit}, crash {crash}, checkpoint {checkpoint}");
        let mut env = SimEnv::new(7);
        let mut db = open(&env).unwrap();
        run(&db, SETUP).unwrap();
        db.checkpoint().unwrap();
        run(&db, "CREATE TABLE gone (x int); CREATE INDEX gone_x ON gone (x)").unwrap();
        let ddl = "CREATE TABLE made (id int PRIMARY KEY, x text); INSERT INTO made SELECT g, 'made' FROM generate_series(1, 50) g; \
            DROP TABLE gone; ALTER TABLE t ADD COLUMN more int; COMMENT ON TABLE pg_class IS 'classes'";
        run(
            &db,
            &format!("BEGIN; {CHANGES}; {ddl}; PREPARE TRANSACTION 'one'"),
        )
        .unwrap();
        run(
            &db,
            "CREATE TABLE later (x int); INSERT INTO later SELECT generate_series(1, 2000)",
        )
        .unwrap();
        for _ in 0..3 {
            if checkpoint {
                db.checkpoint().unwrap();
            }
            if crash {
                env = env.crash();
                drop(db);
            } else {
                drop(db);
                env = env.clone();
            }
            db = open(&env).unwrap();
            let mut session = db.session().unwrap();
            assert_eq!(number(&mut session, "SELECT count(*) FROM later"), 2000, "{what}");
            assert_eq!(
                number(&mut session, "SELECT count(*) FROM pg_prepared_xacts"),
                1,
                "{what}"
            );
            assert_eq!(
                session.batch_execute("SELECT * FROM made").unwrap_err().code(),
                "42P01",
                "{what}"
            );
            session.batch_execute("SET lock_timeout = '1ms'").unwrap();
            // Its locks are still its own.
            for table in ["gone", "t"] {
                let error = session
                    .batch_execute(&format!("SELECT * FROM {table}"))
                    .unwrap_err();
                assert_eq!(error.code(), "55P03", "{what}");
            }
        }
        let mut session = db.session().unwrap();
        session
            .batch_execute(if commit {
                "COMMIT PREPARED 'one'"
            } else {
                "ROLLBACK PREPARED 'one'"
            })
            .unwrap();
        verify(&db);
        drop((session, db));
        db = open(&env.crash()).unwrap();
        let mut session = db.session().unwrap();
        assert_eq!(sum(&mut session), if commit { AFTER } else { 5050 }, "{what}");
        let (present, absent) = if commit {
            ("made", "gone")
        } else {
            ("gone", "made")
        };
        session
            .batch_execute(&format!("SELECT * FROM {present}"))
            .unwrap();
        assert_eq!(
            session
                .batch_execute(&format!("SELECT * FROM {absent}"))
                .unwrap_err()
                .code(),
            "42P01"
        );
        session
            .batch_execute("UPDATE t SET v = v; CREATE TABLE another (x int)")
            .unwrap();
        verify(&db);
    }
}

/// Each acknowledged or not; what is listed after PREPARE must still be there, and its end is final.
const STEPS: [&str; 7] = [
    SETUP,
    "BEGIN; UPDATE t SET v = v + 1; INSERT INTO t SELECT g, 0 FROM generate_series(500, 560) g; PREPARE TRANSACTION 'up'",
    "CREATE TABLE other (x int); INSERT INTO other SELECT generate_series(1, 300)",
    "COMMIT PREPARED 'up'",
    "BEGIN; DELETE FROM t WHERE id > 50; UPDATE t SET v = -v; PREPARE TRANSACTION 'down'",
    "INSERT INTO other SELECT generate_series(1, 300)",
    "ROLLBACK PREPARED 'down'",
];

fn work(db: &Database) -> usize {
    for (n, step) in STEPS.iter().enumerate() {
        if run(db, step).is_err() {
            return n;
        }
        if n % 3 == 1 && db.checkpoint().is_err() {
            return n + 1;
        }
    }
    STEPS.len()
}

fn check(env: &SimEnv, done: usize, what: &str) {
    let db = open(env).unwrap_or_else(|e| panic!("{what}: {e}"));
    verify(&db);
    if done == 0 {
        return;
    }
    let mut session = db.session().unwrap();
    let listed = |gid: &str| format!("SELECT count(*) FROM pg_prepared_xacts WHERE gid = '{gid}'");
    let (up, down) = (
        number(&mut session, &listed("up")),
        number(&mut session, &listed("down")),
    );
    let before = sum(&mut session);
    // The step that failed may have happened or not.
    let ups: &[i64] = match done {
        1 | 3 => &[0, 1],
        2 => &[1],
        _ => &[0],
    };
    let downs: &[i64] = match done {
        4 | 6 => &[0, 1],
        5 => &[1],
        _ => &[0],
    };
    assert!(ups.contains(&up) && downs.contains(&down), "{what}: {up} {down}");
    let committed = done >= 4 || done == 3 && up == 0;
    assert_eq!(before, if committed { 5150 } else { 5050 }, "{what}");
    if up == 1 {
        run(&db, "COMMIT PREPARED 'up'").unwrap();
        assert_eq!(sum(&mut session), 5150, "{what}");
    }
    if down == 1 {
        run(&db, "ROLLBACK PREPARED 'down'").unwrap();
        assert_eq!(sum(&mut session), 5150, "{what}");
    }
    session.batch_execute("UPDATE t SET v = v + 0").unwrap();
    verify(&db);
}

#[test]
fn a_crash_at_any_operation_keeps_what_was_prepared() {
    let mut crashes = 0;
    for seed in 1..3 {
        let env = SimEnv::new(seed);
        assert_eq!(work(&open(&env).unwrap()), STEPS.len());
        for n in (1 + seed..env.operation_count()).step_by(13) {
            let env = SimEnv::new(seed);
            env.crash_at_operation(n);
            let done = open(&env).map_or(0, |db| work(&db));
            for mode in [
                CrashMode::LoseUnsynced,
                CrashMode::KeepUnsynced,
                CrashMode::Random,
            ] {
                check(
                    &env.crash_with(mode),
                    done,
                    &format!("seed {seed}, operation {n}, {mode:?}"),
                );
                crashes += 1;
            }
        }
    }
    println!("{crashes} crashes");
}
