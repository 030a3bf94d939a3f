//! Power cuts while indexes are made, rebuilt and dropped with CONCURRENTLY.

use pglite::env::sim::{CrashMode, SimEnv};
use pglite::{Database, Result, Session, params};

use crate::{open, seeds};

/// Each statement is acknowledged or not; between phases they write, too.
const STATEMENTS: [&str; 8] = [
    "CREATE TABLE t (id int PRIMARY KEY, k int)",
    "INSERT INTO t SELECT g, g % 100 FROM generate_series(1, 600) g",
    "CREATE INDEX CONCURRENTLY t_k ON t (k)",
    "DELETE FROM t WHERE id % 7 = 0; UPDATE t SET k = k + 1 WHERE id % 5 = 0",
    "REINDEX TABLE CONCURRENTLY t",
    "INSERT INTO t SELECT g, g % 100 FROM generate_series(1001, 1100) g",
    "DROP INDEX CONCURRENTLY t_k",
    "CREATE UNIQUE INDEX CONCURRENTLY t_u ON t (k, id)",
];

/// How many statements were acknowledged.
fn work(db: &Database) -> usize {
    let run = |session: &mut Session, statement: &str| -> Result<()> {
        for part in statement.split("; ") {
            session.batch_execute(part)?;
        }
        Ok(())
    };
    let Ok(mut session) = db.session() else { return 0 };
    for (n, statement) in STATEMENTS.iter().enumerate() {
        if run(&mut session, statement).is_err() {
            return n;
        }
        if n % 3 == 2 && db.checkpoint().is_err() {
            return n + 1;
        }
    }
    STATEMENTS.len()
}

/// Whatever is left is right, and can be put in order.
fn check(env: &SimEnv, done: usize, what: &str) {
    let db = open(env).unwrap_or_else(|e| panic!("{what}: {e}"));
    let findings = |db: &Database| -> Vec<String> {
        let found = db.verify().unwrap_or_else(|e| panic!("{what}: {e}"));
        found
            .iter()
            .map(|f| format!("{}: {}", f.relation, f.text))
            .collect()
    };
    assert_eq!(findings(&db), [""; 0], "{what}");
    let mut session = db.session().unwrap();
    if done < 1 {
        return;
    }
    let invalid = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid";
    let invalid = session.query(invalid, params![]).unwrap();
    for row in &invalid {
        let name: String = row.get(0).unwrap();
        session
            .batch_execute(&format!("DROP INDEX CONCURRENTLY {name}"))
            .unwrap_or_else(|e| panic!("{what}: {e}"));
    }
    if done >= 2 {
        session
            .batch_execute("UPDATE t SET k = -k WHERE id % 3 = 0")
            .unwrap_or_else(|e| panic!("{what}: {e}"));
        session.batch_execute("REINDEX TABLE CONCURRENTLY t").unwrap();
    }
    assert_eq!(findings(&db), [""; 0], "{what}, put in order");
}

fn every_operation(seed: u64, step: usize) -> u64 {
    let env = SimEnv::new(seed);
    assert_eq!(work(&open(&env).unwrap()), STATEMENTS.len(), "seed {seed}");
    let mut crashes = 0;
    for n in (1 + seed % step as u64..env.operation_count()).step_by(step) {
        let env = SimEnv::new(seed);
        env.crash_at_operation(n);
        let done = open(&env).map_or(0, |db| work(&db));
        for mode in [CrashMode::LoseUnsynced, CrashMode::Random] {
            check(
                &env.crash_with(mode),
                done,
                &format!("seed {seed}, operation {n}, {mode:?}"),
            );
            crashes += 1;
        }
    }
    crashes
}

#[test]
fn a_crash_in_any_phase_leaves_sound_indexes() {
    seeds("indexes made concurrently", |seed| every_operation(seed, 11));
}
