//! Power cuts while large insertions go into tables that others see, into the store ahead of their commits.

use pglite::env::sim::{CrashMode, SimEnv};
use pglite::{Database, Result, Session};

use crate::model::texts;
use crate::{open, seeds};

/// Each is acknowledged or not. `COPY` stands for rows that come through the protocol, `CHECKPOINT` for one in the middle of a
/// transaction; `!` begins what must fail.
const ITEMS: [&str; 18] = [
    "CREATE TABLE a (id int PRIMARY KEY, k int, t text)",
    "CREATE INDEX a_k ON a (k)",
    "INSERT INTO a SELECT g, g % 10, 'x' FROM generate_series(1, 1300) g",
    "BEGIN; INSERT INTO a SELECT g, g % 10, 'y' FROM generate_series(5001, 5200) g; SAVEPOINT s; \
     INSERT INTO a SELECT g, 30, 'z' FROM generate_series(8001, 8100) g; CHECKPOINT; ROLLBACK TO s; \
     INSERT INTO a SELECT g, 40, 'w' FROM generate_series(10001, 10120) g; COMMIT",
    "DELETE FROM a WHERE id % 9 = 0",
    "BEGIN; INSERT INTO a SELECT g, 50, 'v' FROM generate_series(12001, 12300) g; \
     UPDATE a SET k = k + 100 WHERE id BETWEEN 12050 AND 12090; DELETE FROM a WHERE id BETWEEN 12200 AND 12230; \
     UPDATE a SET id = id + 100000 WHERE id BETWEEN 12190 AND 12199; CHECKPOINT; SAVEPOINT s; \
     DELETE FROM a WHERE id < 12250; ROLLBACK TO s; COMMIT",
    "BEGIN; INSERT INTO a SELECT g, 60, 'u' FROM generate_series(20001, 20150) g; CHECKPOINT; ROLLBACK",
    "COPY",
    "CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a (id))",
    "INSERT INTO b SELECT id, id FROM a WHERE id % 2 = 0",
    "!INSERT INTO b SELECT g, CASE g WHEN 30140 THEN -1 ELSE 1 END FROM generate_series(30001, 30150) g",
    "!INSERT INTO a SELECT CASE g WHEN 50140 THEN 7 ELSE g END, 1, 'twice' FROM generate_series(50001, 50150) g",
    "INSERT INTO a SELECT 300000 - g, 70, 'down' FROM generate_series(1, 150) g",
    "BEGIN; INSERT INTO a SELECT 700000 + g * 37 % 400, g % 7, 'mixed' FROM generate_series(1, 300) g; \
     DELETE FROM a WHERE id > 700000 AND id % 5 = 0; SAVEPOINT s; UPDATE a SET k = 8 WHERE id BETWEEN 700000 AND 700100; \
     INSERT INTO a SELECT 710000 - g * 37 % 100, g % 7, 'gone' FROM generate_series(1, 90) g; CHECKPOINT; \
     DELETE FROM a WHERE id > 709950; ROLLBACK TO s; COMMIT",
    "BEGIN; CREATE TABLE c (id int PRIMARY KEY, k int); INSERT INTO c SELECT g, g FROM generate_series(1, 150) g; \
     CREATE INDEX c_k ON c (k); INSERT INTO c SELECT g, g FROM generate_series(151, 300) g; CHECKPOINT; COMMIT",
    "BEGIN; DELETE FROM a WHERE id % 6 = 1 AND id < 1200; SAVEPOINT s; DELETE FROM a WHERE id % 2 = 1 AND id < 1200; CHECKPOINT; ROLLBACK TO s; \
     DELETE FROM a WHERE id % 2 = 1 AND id BETWEEN 40010 AND 40200; UPDATE a SET k = 77 WHERE id BETWEEN 40190 AND 40210; COMMIT",
    "UPDATE a SET t = 'all', k = k + 1 WHERE id > 10050",
    "BEGIN; TRUNCATE c; INSERT INTO c SELECT g, 1 FROM generate_series(1, 120) g; ROLLBACK",
];

fn copy(session: &mut Session) -> Result<()> {
    let mut copy = session.copy_in("COPY a FROM STDIN")?;
    for id in 40_001..40_300 {
        copy.write(format!("{id}\t{}\trow\n", id % 3).as_bytes())?;
    }
    copy.finish().map(drop)
}

fn run(db: &Database, session: &mut Session, item: &str) -> Result<()> {
    if item == "COPY" {
        return copy(session);
    }
    item.split("; ").try_for_each(|part| match part.trim() {
        "CHECKPOINT" => db.checkpoint(),
        sql => session.batch_execute(sql),
    })
}

/// How many items were acknowledged; `after` is called after each.
fn work(db: &Database, seed: u64, after: &mut dyn FnMut(&mut Session)) -> usize {
    let Ok(mut session) = db.session() else { return 0 };
    for (n, item) in ITEMS.iter().enumerate() {
        match (
            item.strip_prefix('!'),
            run(db, &mut session, item.trim_start_matches('!')),
        ) {
            (Some(_), Err(e)) if e.code().starts_with("23") => {}
            (Some(_), Ok(())) => panic!("seed {seed}: {item} went through"),
            (_, Err(_)) => return n,
            (None, Ok(())) => {}
        }
        after(&mut session);
        if (n as u64 + seed) % 4 == 3 && db.checkpoint().is_err() {
            return n + 1;
        }
    }
    ITEMS.len()
}

/// Rows and sums of each table, read from end to end and by its key.
fn facts(session: &mut Session) -> Result<String> {
    let tables = "SELECT relname FROM pg_class WHERE relnamespace = 2200 AND relkind = 'r' ORDER BY 1";
    let mut facts = Vec::new();
    for table in texts(session, tables)? {
        let name = table[0].clone().unwrap_or_default();
        let sums = match name.as_str() {
            "a" => "count(*), sum(id), sum(k), sum(length(t))",
            "b" => "count(*), sum(id), sum(a), 0",
            _ => "count(*), sum(id), sum(k), 0",
        };
        for by_key in ["", " WHERE id > -5"] {
            session.batch_execute(match by_key {
                "" => "SET enable_seqscan = on; SET enable_indexscan = off",
                _ => "SET enable_seqscan = off; SET enable_indexscan = on",
            })?;
            let row = texts(session, &format!("SELECT {sums} FROM {name}{by_key}"))?.remove(0);
            let row: Vec<&str> = row.iter().map(|value| value.as_deref().unwrap_or("")).collect();
            facts.push(format!("{name} {}", row.join(" ")));
        }
    }
    Ok(facts.join(", "))
}

fn check(env: &SimEnv, known: &[String], done: usize, what: &str) {
    let db = open(env).unwrap_or_else(|e| panic!("{what}: {e}"));
    let mut session = db.session().unwrap();
    for round in ["opened", "after a checkpoint", "after insertions"] {
        let found = facts(&mut session).unwrap_or_else(|e| panic!("{what}: {e}"));
        let may_be = [&known[done], &known[(done + 1).min(ITEMS.len())]];
        assert!(
            may_be.contains(&&found),
            "{what}, {round}: {found}, not {may_be:?}"
        );
        let findings = db.verify().unwrap_or_else(|e| panic!("{what}: {e}"));
        let findings: Vec<&String> = findings.iter().map(|f| &f.text).collect();
        assert!(findings.is_empty(), "{what}, {round}: {findings:?}");
        match round {
            "opened" => db.checkpoint().unwrap(),
            // Row ids of what failed are not used again while something of it is there.
            _ if done > 1 => {
                let insert =
                    "BEGIN; INSERT INTO a SELECT g, 9, 'again' FROM generate_series(500001, 500100) g";
                session
                    .batch_execute(insert)
                    .unwrap_or_else(|e| panic!("{what}: {e}"));
                let count =
                    texts(&mut session, "SELECT count(*) FROM a WHERE k = 9 AND t = 'again'").unwrap();
                assert_eq!(count[0][0].as_deref(), Some("100"), "{what}");
                session.batch_execute("ROLLBACK").unwrap();
            }
            _ => {}
        }
    }
}

fn every_operation(seed: u64, step: usize) -> u64 {
    let env = SimEnv::new(seed);
    let db = open(&env).unwrap();
    let mut known = vec![String::new()];
    let done = work(&db, seed, &mut |session| known.push(facts(session).unwrap()));
    assert_eq!(done, ITEMS.len(), "seed {seed}");
    drop(db);
    let mut crashes = 0;
    for n in (1 + seed % step as u64..env.operation_count()).step_by(step) {
        let env = SimEnv::new(seed);
        env.crash_at_operation(n);
        let done = open(&env).map_or(0, |db| work(&db, seed, &mut |_| ()));
        for mode in [CrashMode::LoseUnsynced, CrashMode::Random] {
            let what = format!("seed {seed}, operation {n}, {mode:?}");
            check(&env.crash_with(mode), &known, done, &what);
            crashes += 1;
        }
    }
    crashes
}

#[test]
fn a_crash_during_a_large_insertion_leaves_all_of_it_or_nothing() {
    seeds("ahead", |seed| every_operation(seed, 61));
}
