//! CREATE INDEX, REINDEX and DROP INDEX with CONCURRENTLY, while others write.

use std::sync::atomic::{AtomicBool, Ordering};

use pglite::env::sim::SimRandom;
use pglite::{Database, Session, params};

fn verify(db: &Database) {
    let findings = db.verify().unwrap();
    let texts: Vec<_> = findings
        .iter()
        .map(|f| format!("{}: {}", f.relation, f.text))
        .collect();
    assert_eq!(texts, [""; 0]);
}

fn number(session: &mut Session, query: &str) -> i64 {
    session.query_one(query, params![]).unwrap().get(0).unwrap()
}

/// Waits until somebody waits for a lock of the kind, or for as many.
fn wait_for_waiters(session: &mut Session, count: i64) {
    while number(session, "SELECT count(*) FROM pg_locks WHERE NOT granted") < count {
        std::thread::yield_now();
    }
}

/// A random change; errors of concurrency are part of it.
fn change(session: &mut Session, random: &mut SimRandom) {
    let (id, other) = (random.below(300) as i32, random.below(300) as i32);
    let statement = match random.below(9) {
        0 => format!("DELETE FROM t WHERE id = {id}"),
        1 | 2 => format!("INSERT INTO t VALUES ({id}, {other}, 'i') ON CONFLICT (id) DO NOTHING"),
        3 => format!("UPDATE t SET k = {other} WHERE id = {id}"),
        4 => format!("UPDATE t SET v = v || 'x' WHERE id = {id}"),
        5 => format!("UPDATE t SET id = id + 1000 WHERE id = {id}"),
        6 => format!("UPDATE t SET id = id - 1000 WHERE id = {id} + 1000"),
        7 => format!("UPDATE t SET k = k + 1 WHERE k = {other}"),
        _ => format!("DELETE FROM t WHERE id = {id}; INSERT INTO t VALUES ({id}, {other}, 'again')"),
    };
    let (before, after) = match random.below(4) {
        0 => ("BEGIN", "ROLLBACK"),
        1 => ("BEGIN; SAVEPOINT a", "ROLLBACK TO a; COMMIT"),
        2 => ("BEGIN", "COMMIT"),
        _ => ("BEGIN; SAVEPOINT a", "RELEASE a; COMMIT"),
    };
    if let Err(error) = session.batch_execute(&format!("{before}; {statement}; {after}")) {
        assert!(
            ["23505", "40P01", "40001"].contains(&error.code()),
            "{statement}: {error}"
        );
        session.batch_execute("ROLLBACK").unwrap();
    }
}

const LOAD: &str = "
    CREATE TABLE t (id int PRIMARY KEY, k int, v text);
    INSERT INTO t SELECT g, g % 50, 'v' FROM generate_series(0, 299) g";

#[test]
fn indexes_come_and_go_under_write_load() {
    const DEFINITIONS: [&str; 5] = [
        "INDEX CONCURRENTLY t_i ON t (k)",
        "UNIQUE INDEX CONCURRENTLY t_i ON t (id)",
        "INDEX CONCURRENTLY t_i ON t (k) WHERE id % 2 = 0",
        "INDEX CONCURRENTLY t_i ON t ((k + id), v)",
        "UNIQUE INDEX CONCURRENTLY t_i ON t (id DESC) INCLUDE (k)",
    ];
    let db = Database::memory().unwrap();
    db.session().unwrap().batch_execute(LOAD).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for seed in 1..4 {
            let (mut session, stop) = (db.session().unwrap(), &stop);
            scope.spawn(move || {
                session.batch_execute("SET deadlock_timeout = '20ms'").unwrap();
                let mut random = SimRandom::new(seed);
                while !stop.load(Ordering::Relaxed) {
                    change(&mut session, &mut random);
                }
            });
        }
        let mut session = db.session().unwrap();
        for (round, definition) in DEFINITIONS.iter().cycle().take(10).enumerate() {
            run(&mut session, &format!("CREATE {definition}"));
            verify(&db);
            run(&mut session, "REINDEX TABLE CONCURRENTLY t");
            if round % 3 == 0 {
                db.checkpoint().unwrap();
            }
            verify(&db);
            run(&mut session, "DROP INDEX CONCURRENTLY t_i");
        }
        stop.store(true, Ordering::Relaxed);
    });
    verify(&db);
    let mut session = db.session().unwrap();
    assert_eq!(
        number(
            &mut session,
            "SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass"
        ),
        1
    );
}

/// Runs it to success: it may be the victim of a deadlock, and then leaves an index to be cleared away.
fn run(session: &mut Session, statement: &str) {
    while let Err(error) = session.batch_execute(statement) {
        assert_eq!(error.code(), "40P01", "{statement}: {error}");
        session
            .batch_execute("DROP INDEX IF EXISTS t_i_ccnew; DROP INDEX IF EXISTS t_pkey_ccnew")
            .unwrap();
        if statement.starts_with("CREATE") {
            session.batch_execute("DROP INDEX IF EXISTS t_i").unwrap();
        }
    }
}

#[test]
fn writers_from_before_and_from_meanwhile_are_waited_for() {
    for (end_of_old, end_of_new) in [
        ("COMMIT", "COMMIT"),
        ("COMMIT", "ROLLBACK"),
        ("ROLLBACK", "ROLLBACK"),
    ] {
        let db = Database::memory().unwrap();
        let mut sessions: Vec<Session> = (0..4).map(|_| db.session().unwrap()).collect();
        let [watch, old, new, done] = &mut sessions[..] else {
            panic!()
        };
        watch.batch_execute(LOAD).unwrap();
        old.batch_execute("BEGIN; DELETE FROM t WHERE id = 1; UPDATE t SET k = 7 WHERE id = 2")
            .unwrap();
        std::thread::scope(|scope| {
            let mut builder = db.session().unwrap();
            let built = scope.spawn(move || builder.batch_execute("CREATE INDEX CONCURRENTLY t_k ON t (k)"));
            wait_for_waiters(watch, 1);
            // This one does not know the index, these know it.
            old.batch_execute("DELETE FROM t WHERE id = 3; INSERT INTO t VALUES (1001, 1, 'old')")
                .unwrap();
            let changes = "DELETE FROM t WHERE id = 11; UPDATE t SET k = 8 WHERE id = 12;
                UPDATE t SET k = -k WHERE id = 13; UPDATE t SET k = -k WHERE id = 13; UPDATE t SET v = 'new' WHERE id = 14";
            done.batch_execute(&changes.replace(" 1", " 2")).unwrap();
            new.batch_execute(&format!("BEGIN; {changes}")).unwrap();
            old.batch_execute(end_of_old).unwrap();
            // Now it waits for the one that has taken entries away.
            wait_for_waiters(watch, 1);
            new.batch_execute(end_of_new).unwrap();
            built.join().unwrap().unwrap();
        });
        verify(&db);
        watch.batch_execute("SET enable_seqscan = off").unwrap();
        let by_index = number(watch, "SELECT count(*) FROM t WHERE k >= -1000");
        watch
            .batch_execute(
                "SET enable_seqscan = on; SET enable_indexscan = off; SET enable_indexonlyscan = off",
            )
            .unwrap();
        assert_eq!(
            by_index,
            number(watch, "SELECT count(*) FROM t WHERE k + 0 >= -1000")
        );
    }
}

#[test]
fn a_snapshot_from_before_does_not_use_the_index() {
    let db = Database::memory().unwrap();
    let (mut old, mut new) = (db.session().unwrap(), db.session().unwrap());
    new.batch_execute(LOAD).unwrap();
    new.batch_execute("CREATE TABLE other ()").unwrap();
    old.batch_execute("SET enable_seqscan = off; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM other")
        .unwrap();
    new.batch_execute("DELETE FROM t WHERE k = 7").unwrap();
    new.batch_execute("CREATE INDEX CONCURRENTLY t_k ON t (k)")
        .unwrap();
    assert_eq!(number(&mut old, "SELECT count(*) FROM t WHERE k = 7"), 6);
    old.batch_execute("COMMIT").unwrap();
    assert_eq!(number(&mut old, "SELECT count(*) FROM t WHERE k = 7"), 0);
}

#[test]
fn what_is_not_unique_leaves_an_invalid_index() {
    let db = Database::memory().unwrap();
    let mut session = db.session().unwrap();
    session.batch_execute(LOAD).unwrap();
    let error = session
        .batch_execute("CREATE UNIQUE INDEX CONCURRENTLY t_k ON t (k)")
        .unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        ("23505", "could not create unique index \"t_k\"")
    );
    let flags =
        "SELECT count(*) FROM pg_index WHERE indexrelid = 't_k'::regclass AND NOT indisvalid AND indisready";
    assert_eq!(number(&mut session, flags), 1);
    // Writers keep it, nobody reads by it.
    session
        .batch_execute("DELETE FROM t WHERE id >= 50; UPDATE t SET v = 'w'; DELETE FROM t WHERE id = 3")
        .unwrap();
    session.batch_execute("SET enable_seqscan = off").unwrap();
    assert_eq!(number(&mut session, "SELECT count(*) FROM t WHERE k = 4"), 1);
    verify(&db);
    session.batch_execute("REINDEX INDEX CONCURRENTLY t_k").unwrap();
    let valid = "SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass AND indisvalid AND indislive";
    assert_eq!(number(&mut session, valid), 2);
    assert_eq!(
        number(
            &mut session,
            "SELECT count(*) FROM pg_class WHERE relname LIKE '%ccnew%'"
        ),
        0
    );
    verify(&db);
    let error = session
        .batch_execute("INSERT INTO t VALUES (900, 4, 'x')")
        .unwrap_err();
    assert_eq!(
        error.message(),
        "duplicate key value violates unique constraint \"t_k\""
    );
    session.batch_execute("DROP INDEX CONCURRENTLY t_k").unwrap();
    session
        .batch_execute("INSERT INTO t VALUES (900, 4, 'x')")
        .unwrap();
    verify(&db);
}

#[test]
fn a_cancelled_build_can_be_dropped() {
    let db = Database::memory().unwrap();
    let (mut writer, mut builder) = (db.session().unwrap(), db.session().unwrap());
    writer.batch_execute(LOAD).unwrap();
    writer.batch_execute("BEGIN; DELETE FROM t WHERE id = 1").unwrap();
    builder.batch_execute("SET lock_timeout = '10ms'").unwrap();
    let error = builder
        .batch_execute("CREATE INDEX CONCURRENTLY t_k ON t (k)")
        .unwrap_err();
    assert_eq!(error.code(), "55P03");
    writer
        .batch_execute("COMMIT; INSERT INTO t VALUES (1, 1, 'v'); DELETE FROM t WHERE id = 2")
        .unwrap();
    verify(&db);
    builder.batch_execute("DROP INDEX CONCURRENTLY t_k").unwrap();
    builder
        .batch_execute("CREATE INDEX CONCURRENTLY t_k ON t (k)")
        .unwrap();
    verify(&db);
}

#[test]
fn refusals_are_postgresqls() {
    let db = Database::memory().unwrap();
    let mut session = db.session().unwrap();
    session
        .batch_execute("CREATE TABLE t (a int PRIMARY KEY); CREATE TABLE p (a int) PARTITION BY RANGE (a); CREATE INDEX pi ON p (a)")
        .unwrap();
    for (statement, code, message) in [
        (
            "CREATE INDEX CONCURRENTLY ON p (a)",
            "0A000",
            "cannot create index on partitioned table \"p\" concurrently",
        ),
        (
            "DROP INDEX CONCURRENTLY pi",
            "0A000",
            "cannot drop partitioned index \"pi\" concurrently",
        ),
        (
            "REINDEX TABLE CONCURRENTLY pg_class",
            "0A000",
            "cannot reindex system catalogs concurrently",
        ),
        (
            "DROP INDEX CONCURRENTLY t_pkey",
            "2BP01",
            "cannot drop index t_pkey because constraint t_pkey on table t requires it",
        ),
        (
            "BEGIN; CREATE INDEX CONCURRENTLY ON t (a)",
            "25001",
            "CREATE INDEX CONCURRENTLY cannot run inside a transaction block",
        ),
        (
            "BEGIN; REINDEX TABLE CONCURRENTLY t",
            "25001",
            "REINDEX CONCURRENTLY cannot run inside a transaction block",
        ),
        (
            "BEGIN; DROP INDEX CONCURRENTLY t_pkey",
            "25001",
            "DROP INDEX CONCURRENTLY cannot run inside a transaction block",
        ),
    ] {
        let error = session.batch_execute(statement).unwrap_err();
        assert_eq!((error.code(), error.message()), (code, message), "{statement}");
        session.batch_execute("ROLLBACK").unwrap();
    }
    // Temporary tables are nobody else's.
    session.batch_execute("CREATE TEMP TABLE x (a int)").unwrap();
    for statement in [
        "CREATE INDEX CONCURRENTLY xi ON x (a)",
        "REINDEX TABLE CONCURRENTLY x",
        "DROP INDEX CONCURRENTLY xi",
    ] {
        session.batch_execute(statement).unwrap();
    }
    let locks = "SELECT count(*) FROM pg_locks WHERE mode = 'ShareUpdateExclusiveLock'";
    assert_eq!(number(&mut session, locks), 0);
}

/// Adds to counters that come and go, each by one upsert, until it shall stop; how many there were, less those that it removed.
fn count_up(session: &mut Session, random: &mut SimRandom, stop: &AtomicBool) -> i64 {
    let mut total = 0;
    while !stop.load(Ordering::Relaxed) {
        let id = random.below(6) as i32;
        let done = match random.below(5) {
            0 => session.query_opt("DELETE FROM t WHERE id = $1 RETURNING -n", params![id]),
            1 => session.query_opt(
                "INSERT INTO t VALUES ($1, 1) ON CONFLICT DO NOTHING RETURNING n",
                params![id],
            ),
            _ => session.query_opt(
                "INSERT INTO t VALUES ($1, 1) ON CONFLICT (id) DO UPDATE SET n = t.n + 1 RETURNING 1::int8",
                params![id],
            ),
        };
        let row = done.unwrap_or_else(|error| {
            stop.store(true, Ordering::Relaxed);
            panic!("{}: {error}", error.code())
        });
        total += row.map_or(0, |row| row.get::<i64>(0).unwrap());
    }
    total
}

#[test]
fn upserts_see_all_indexes_of_their_key() {
    let db = Database::memory().unwrap();
    let mut session = db.session().unwrap();
    session
        .batch_execute("CREATE TABLE t (id int PRIMARY KEY, n int8)")
        .unwrap();
    let stop = AtomicBool::new(false);
    let total: i64 = std::thread::scope(|scope| {
        let counters: Vec<_> = (1..5)
            .map(|seed| {
                let (mut session, stop) = (db.session().unwrap(), &stop);
                scope.spawn(move || {
                    session.batch_execute("SET deadlock_timeout = '20ms'").unwrap();
                    count_up(&mut session, &mut SimRandom::new(seed), stop)
                })
            })
            .collect();
        let mut definitions = [
            "REINDEX INDEX CONCURRENTLY t_pkey",
            "CREATE UNIQUE INDEX CONCURRENTLY t_i ON t (id)",
            "DROP INDEX CONCURRENTLY t_i",
        ]
        .iter()
        .cycle()
        .take(24);
        let defined = definitions.try_for_each(|sql| session.batch_execute(sql));
        stop.store(true, Ordering::Relaxed);
        defined.unwrap();
        counters.into_iter().map(|counter| counter.join().unwrap()).sum()
    });
    verify(&db);
    assert_eq!(
        number(&mut session, "SELECT coalesce(sum(n), 0)::int8 FROM t"),
        total
    );
}
