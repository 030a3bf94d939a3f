//! Power cuts while tables are filled and indexes built past the log.

use pglite::env::sim::{CrashMode, SimEnv};
use pglite::{Database, Result, Session};

use crate::model::texts;
use crate::{open, seeds};

/// Each is acknowledged or not; `COPY` stands for rows that come through the protocol, and `CHECKPOINT` follows every third.
const STATEMENTS: [&str; 7] = [
    "CREATE TABLE a AS SELECT g AS id, g % 7 AS k, 'same' AS t FROM generate_series(1, 5000) g",
    "CREATE UNIQUE INDEX a_id ON a (id)",
    "DELETE FROM a WHERE k = 3; UPDATE a SET k = -1 WHERE id % 500 = 1",
    "COPY",
    "BEGIN; CREATE TABLE c AS SELECT * FROM a; SAVEPOINT s; CREATE TABLE d AS SELECT * FROM a; ROLLBACK TO s; COMMIT",
    "BEGIN; CREATE TABLE d AS SELECT * FROM a; ROLLBACK",
    "CREATE TABLE d AS SELECT id, repeat('long', 100 + id % 3) AS t FROM c WHERE id < 1500",
];

/// What there is after so many of them: rows and a sum of each table.
const FACTS: [&str; 8] = [
    "",
    "a 5000 12502500",
    "a 5000 12502500",
    "a 4286 10718571",
    "a 4286 10718571, b 3000 4501500",
    "a 4286 10718571, b 3000 4501500, c 4286 10718571",
    "a 4286 10718571, b 3000 4501500, c 4286 10718571",
    "a 4286 10718571, b 3000 4501500, c 4286 10718571, d 1285 964071",
];

fn copy(session: &mut Session) -> Result<()> {
    session.batch_execute("BEGIN; CREATE TABLE b (id int PRIMARY KEY, t text)")?;
    let mut copy = session.copy_in("COPY b FROM STDIN (FREEZE)")?;
    for id in 1..=3000 {
        copy.write(format!("{id}\trow {id}\n").as_bytes())?;
    }
    copy.finish()?;
    session.batch_execute("COMMIT")
}

/// How many statements were acknowledged.
fn work(db: &Database) -> usize {
    let Ok(mut session) = db.session() else { return 0 };
    for (n, statement) in STATEMENTS.iter().enumerate() {
        let outcome = match *statement {
            "COPY" => copy(&mut session),
            sql => sql.split("; ").try_for_each(|part| session.batch_execute(part)),
        };
        if outcome.is_err() {
            return n;
        }
        if n % 3 == 2 && db.checkpoint().is_err() {
            return n + 1;
        }
    }
    STATEMENTS.len()
}

fn facts(session: &mut Session) -> Result<String> {
    let tables = texts(
        session,
        "SELECT relname FROM pg_class WHERE relnamespace = 2200 AND relkind = 'r' ORDER BY 1",
    )?;
    let mut facts = Vec::new();
    for table in tables {
        let name = table[0].clone().unwrap_or_default();
        let row = texts(session, &format!("SELECT count(*), sum(id) FROM {name}"))?.remove(0);
        let text = |i: usize| row[i].clone().unwrap_or_default();
        facts.push(format!("{name} {} {}", text(0), text(1)));
    }
    Ok(facts.join(", "))
}

fn check(env: &SimEnv, done: usize, what: &str) {
    let db = open(env).unwrap_or_else(|e| panic!("{what}: {e}"));
    let mut session = db.session().unwrap();
    let found = facts(&mut session).unwrap_or_else(|e| panic!("{what}: {e}"));
    // The statement that was not acknowledged may have happened all the same: "DELETE; UPDATE" are two.
    let may_be = [FACTS[done], FACTS[(done + 1).min(STATEMENTS.len())]];
    assert!(
        may_be.contains(&found.as_str()),
        "{what}: {found}, not {may_be:?}"
    );
    let findings = db.verify().unwrap_or_else(|e| panic!("{what}: {e}"));
    let findings: Vec<&String> = findings.iter().map(|f| &f.text).collect();
    assert!(findings.is_empty(), "{what}: {findings:?}");
    // What is loaded can be changed.
    if done > 1 {
        session
            .batch_execute("UPDATE a SET k = 9 WHERE id BETWEEN 100 AND 400; DELETE FROM a WHERE id = 4999")
            .unwrap_or_else(|e| panic!("{what}: {e}"));
        db.checkpoint().unwrap();
        let changed = texts(&mut session, "SELECT count(*) FROM a WHERE k = 9 AND id >= 0").unwrap();
        assert_ne!(changed[0][0].as_deref(), Some("0"), "{what}");
    }
}

fn every_operation(seed: u64, step: usize) -> u64 {
    let env = SimEnv::new(seed);
    let db = open(&env).unwrap();
    assert_eq!(work(&db), STATEMENTS.len(), "seed {seed}");
    assert_eq!(
        facts(&mut db.session().unwrap()).unwrap(),
        FACTS[STATEMENTS.len()]
    );
    drop(db);
    let mut crashes = 0;
    for n in (1 + seed % step as u64..env.operation_count()).step_by(step) {
        let env = SimEnv::new(seed);
        env.crash_at_operation(n);
        let done = open(&env).map_or(0, |db| work(&db));
        for mode in [CrashMode::LoseUnsynced, CrashMode::Random] {
            let what = format!("seed {seed}, operation {n}, {mode:?}");
            check(&env.crash_with(mode), done, &what);
            crashes += 1;
        }
    }
    crashes
}

#[test]
fn a_crash_during_a_load_leaves_all_of_it_or_nothing() {
    seeds("loads", |seed| every_operation(seed, 41));
}
