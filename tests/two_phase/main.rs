//! Two-phase commit: PREPARE TRANSACTION, COMMIT PREPARED, ROLLBACK PREPARED; restarts and crashes between the phases.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod crash;

use pglite::{Database, Session, params};

fn memory() -> Database {
    Database::builder().max_prepared_transactions(3).open().unwrap()
}

fn number(session: &mut Session, query: &str) -> i64 {
    session.query_one(query, params![]).unwrap().get(0).unwrap()
}

fn sum(session: &mut Session) -> i64 {
    number(session, "SELECT sum(v) FROM t")
}

fn verify(db: &Database) {
    let findings = db.verify().unwrap();
    let texts: Vec<_> = findings
        .iter()
        .map(|f| format!("{}: {}", f.relation, f.text))
        .collect();
    assert_eq!(texts, [""; 0]);
}

const SETUP: &str = "
    CREATE TABLE t (id int PRIMARY KEY, v int); CREATE INDEX t_v ON t (v);
    INSERT INTO t SELECT g, g FROM generate_series(1, 100) g";
const CHANGES: &str = "
    INSERT INTO t VALUES (1000, 1000); UPDATE t SET v = v + 10000 WHERE id <= 10; DELETE FROM t WHERE id > 90;
    SAVEPOINT a; INSERT INTO t VALUES (1001, 1); ROLLBACK TO a; UPDATE t SET v = 0 WHERE id = 1000";

/// What the changes make of the sum.
const AFTER: i64 = 5050 + 100_000 - 955;

#[test]
fn the_second_phase_decides_whoever_executes_it() {
    for commit in [true, false] {
        let db = memory();
        let (mut a, mut b) = (db.session().unwrap(), db.session().unwrap());
        a.batch_execute(SETUP).unwrap();
        a.batch_execute(&format!("BEGIN; {CHANGES}; PREPARE TRANSACTION 'one'"))
            .unwrap();
        // The session is free again, and nobody sees anything yet.
        assert_eq!((sum(&mut a), sum(&mut b)), (5050, 5050));
        a.batch_execute("INSERT INTO t VALUES (2000, 0)").unwrap();
        drop(a);
        let listed = "SELECT count(*) FROM pg_prepared_xacts WHERE gid = 'one' AND owner = 'postgres' \
            AND database = 'postgres' AND prepared <= now()";
        assert_eq!(number(&mut b, listed), 1);
        let locks = "SELECT count(*) FROM pg_locks WHERE pid IS NULL AND relation = 't'::regclass";
        assert!(number(&mut b, locks) > 0);
        b.batch_execute("SET lock_timeout = '20ms'").unwrap();
        for statement in [
            "UPDATE t SET v = 1 WHERE id = 1",
            "INSERT INTO t VALUES (1000, 1)",
            "LOCK TABLE t IN SHARE MODE",
        ] {
            let error = b
                .batch_execute(&format!("BEGIN; {statement}; COMMIT"))
                .unwrap_err();
            assert_eq!(error.code(), "55P03", "{statement}: {error}");
            b.batch_execute("ROLLBACK").unwrap();
        }
        b.batch_execute(if commit {
            "COMMIT PREPARED 'one'"
        } else {
            "ROLLBACK PREPARED 'one'"
        })
        .unwrap();
        assert_eq!(sum(&mut b), if commit { AFTER } else { 5050 });
        assert_eq!(number(&mut b, "SELECT count(*) FROM pg_prepared_xacts"), 0);
        assert_eq!(number(&mut b, locks), 0);
        b.batch_execute("UPDATE t SET v = v WHERE id < 20").unwrap();
        verify(&db);
    }
}

#[test]
fn definitions_are_prepared_too() {
    let db = memory();
    let (mut a, mut b) = (db.session().unwrap(), db.session().unwrap());
    a.batch_execute("CREATE TABLE gone (x int)").unwrap();
    a.batch_execute(
        "BEGIN; CREATE TABLE made (id int PRIMARY KEY, s serial); INSERT INTO made VALUES (1); DROP TABLE gone;
         PREPARE TRANSACTION 'ddl'",
    )
    .unwrap();
    assert_eq!(b.batch_execute("SELECT * FROM made").unwrap_err().code(), "42P01");
    b.batch_execute("COMMIT PREPARED 'ddl'").unwrap();
    for session in [&mut a, &mut b] {
        assert_eq!(number(session, "SELECT count(*) FROM made WHERE s = 1"), 1);
        assert_eq!(
            session.batch_execute("SELECT * FROM gone").unwrap_err().code(),
            "42P01"
        );
    }
    verify(&db);
}

#[test]
fn locks_of_the_session_stay_with_it() {
    let db = memory();
    let (mut a, mut b) = (db.session().unwrap(), db.session().unwrap());
    a.batch_execute("SELECT pg_advisory_lock(1), pg_advisory_lock(1), pg_advisory_lock_shared(2)")
        .unwrap();
    a.batch_execute("BEGIN; SELECT pg_advisory_xact_lock(3); PREPARE TRANSACTION 'three'")
        .unwrap();
    let held = "SELECT sum(objid::int8 * CASE WHEN pid IS NULL THEN 100 ELSE 1 END)::int8 FROM pg_locks WHERE locktype = 'advisory'";
    assert_eq!(number(&mut b, held), 303);
    let free = |s: &mut Session, key: i32| {
        let sql = format!("SELECT pg_try_advisory_xact_lock({key})::int::int8");
        number(s, &sql) == 1
    };
    assert_eq!([1, 2, 3].map(|key| free(&mut b, key)), [false; 3]);
    // Taken twice, it must be given back twice.
    let unlock = "SELECT (pg_advisory_unlock(1))::int::int8";
    assert_eq!((number(&mut a, unlock), free(&mut b, 1)), (1, false));
    assert_eq!((number(&mut a, unlock), free(&mut b, 1)), (1, true));
    b.batch_execute("COMMIT PREPARED 'three'").unwrap();
    assert_eq!([2, 3].map(|key| free(&mut b, key)), [false, true]);
    let both = a
        .batch_execute("BEGIN; SELECT pg_advisory_xact_lock(2); PREPARE TRANSACTION 'both'")
        .unwrap_err();
    assert_eq!(
        (both.code(), both.message()),
        (
            "0A000",
            "cannot PREPARE while holding both session-level and transaction-level locks on the same object"
        )
    );
    a.batch_execute("ROLLBACK").unwrap();
    drop(a);
    assert!(free(&mut b, 2));
}

#[test]
fn refusals_are_postgresqls() {
    let db = memory();
    let (mut s, mut other) = (db.session().unwrap(), db.session().unwrap());
    s.batch_execute(SETUP).unwrap();
    s.batch_execute("CREATE ROLE somebody LOGIN; CREATE TEMP TABLE temporary (x int)")
        .unwrap();
    s.batch_execute("BEGIN; PREPARE TRANSACTION 'used'").unwrap();
    let long = format!("BEGIN; PREPARE TRANSACTION '{}'", "x".repeat(200));
    let too_long = format!("transaction identifier \"{}\" is too long", "x".repeat(200));
    for (statement, code, message) in [
        (
            "BEGIN; PREPARE TRANSACTION 'used'",
            "42710",
            "transaction identifier \"used\" is already in use",
        ),
        (&long, "22023", &too_long),
        (
            "COMMIT PREPARED 'nope'",
            "42704",
            "prepared transaction with identifier \"nope\" does not exist",
        ),
        (
            "BEGIN; COMMIT PREPARED 'used'",
            "25001",
            "COMMIT PREPARED cannot run inside a transaction block",
        ),
        (
            "BEGIN; ROLLBACK PREPARED 'used'",
            "25001",
            "ROLLBACK PREPARED cannot run inside a transaction block",
        ),
        (
            "BEGIN; INSERT INTO temporary VALUES (1); PREPARE TRANSACTION 'x'",
            "0A000",
            "cannot PREPARE a transaction that has operated on temporary objects",
        ),
        (
            "BEGIN; CREATE TEMP TABLE temporary2 (); PREPARE TRANSACTION 'x'",
            "0A000",
            "cannot PREPARE a transaction that has operated on temporary objects",
        ),
        (
            "BEGIN; NOTIFY n; PREPARE TRANSACTION 'x'",
            "0A000",
            "cannot PREPARE a transaction that has executed LISTEN, UNLISTEN, or NOTIFY",
        ),
        (
            "BEGIN; LISTEN n; PREPARE TRANSACTION 'x'",
            "0A000",
            "cannot PREPARE a transaction that has executed LISTEN, UNLISTEN, or NOTIFY",
        ),
        (
            "BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 1; PREPARE TRANSACTION 'x'",
            "0A000",
            "cannot PREPARE a transaction that has created a cursor WITH HOLD",
        ),
    ] {
        let error = s.batch_execute(statement).expect_err(statement);
        assert_eq!((error.code(), error.message()), (code, message), "{statement}");
        s.batch_execute("ROLLBACK").unwrap();
        assert_eq!(number(&mut s, "SELECT count(*) FROM pg_prepared_xacts"), 1);
    }
    // A refused transaction is rolled back, a failed one too.
    s.batch_execute("BEGIN; DELETE FROM t; SELECT 1/0").unwrap_err();
    s.batch_execute("PREPARE TRANSACTION 'failed'").unwrap();
    assert_eq!(sum(&mut s), 5050);
    for gid in ["2", "3"] {
        s.batch_execute(&format!("BEGIN; PREPARE TRANSACTION '{gid}'"))
            .unwrap();
    }
    let error = s
        .batch_execute("BEGIN; DELETE FROM t; PREPARE TRANSACTION '4'")
        .unwrap_err();
    assert_eq!(error.message(), "maximum number of prepared transactions reached");
    other.batch_execute("SET SESSION AUTHORIZATION somebody").unwrap();
    let error = other.batch_execute("ROLLBACK PREPARED '2'").unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        ("42501", "permission denied to finish prepared transaction")
    );
    for gid in ["used", "2", "3"] {
        s.batch_execute(&format!("ROLLBACK PREPARED '{gid}'")).unwrap();
    }
    let db = Database::memory().unwrap();
    let error = db
        .session()
        .unwrap()
        .batch_execute("BEGIN; PREPARE TRANSACTION 'x'")
        .unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        ("55000", "prepared transactions are disabled")
    );
}

#[test]
fn a_serializable_transaction_is_checked_in_the_first_phase() {
    let db = memory();
    let (mut a, mut b) = (db.session().unwrap(), db.session().unwrap());
    a.batch_execute(SETUP).unwrap();
    let begin = "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT sum(v) FROM t";
    a.batch_execute(begin).unwrap();
    b.batch_execute(begin).unwrap();
    a.batch_execute("INSERT INTO t VALUES (200, 1); PREPARE TRANSACTION 'first'")
        .unwrap();
    // Write skew: this one has to give way, whatever becomes of the other.
    let error = b
        .batch_execute("INSERT INTO t VALUES (201, 1); COMMIT")
        .unwrap_err();
    assert_eq!(error.code(), "40001");
    b.batch_execute("ROLLBACK").unwrap();
    b.batch_execute("COMMIT PREPARED 'first'").unwrap();
    assert_eq!(sum(&mut b), 5051);
}

/// What it has read is watched by the next process, too: the other half of a write skew fails.
#[test]
fn a_serializable_one_is_watched_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let open = || {
        let builder = Database::builder().directory(&path).max_prepared_transactions(3);
        builder.open().unwrap()
    };
    let db = open();
    let mut a = db.session().unwrap();
    a.batch_execute("CREATE TABLE duty (who text PRIMARY KEY, on_call bool); INSERT INTO duty VALUES ('x', true), ('y', true)")
        .unwrap();
    let check = "SELECT count(*) FROM duty WHERE on_call";
    a.batch_execute("BEGIN ISOLATION LEVEL SERIALIZABLE").unwrap();
    assert_eq!(number(&mut a, check), 2);
    a.batch_execute("UPDATE duty SET on_call = false WHERE who = 'x'; PREPARE TRANSACTION 'skew'")
        .unwrap();
    drop((a, db));
    for _ in 0..2 {
        let db = open();
        let mut b = db.session().unwrap();
        let watched = "SELECT count(*) FROM pg_locks WHERE mode = 'SIReadLock'";
        assert!(number(&mut b, watched) > 0);
        b.batch_execute("BEGIN ISOLATION LEVEL SERIALIZABLE").unwrap();
        // As PostgreSQL: whoever it had conflicts with is not known, so it counts as a pivot.
        let read = b.query_one(check, params![]).err().unwrap();
        assert_eq!(read.code(), "40001");
        b.batch_execute("ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ")
            .unwrap();
        assert_eq!(number(&mut b, check), 2);
        b.batch_execute("COMMIT").unwrap();
    }
    let db = open();
    let mut b = db.session().unwrap();
    b.batch_execute("COMMIT PREPARED 'skew'; BEGIN ISOLATION LEVEL SERIALIZABLE")
        .unwrap();
    assert_eq!(number(&mut b, check), 1);
    b.batch_execute("UPDATE duty SET on_call = true; COMMIT").unwrap();
    verify(&db);
}

#[test]
fn copies_of_a_database_have_its_prepared_transactions() {
    let dir = tempfile::tempdir().unwrap();
    let builder = || Database::builder().max_prepared_transactions(3);
    let on_disk = builder().directory(dir.path().join("db")).open().unwrap();
    for (n, db) in [memory(), on_disk].into_iter().enumerate() {
        let mut session = db.session().unwrap();
        session.batch_execute(SETUP).unwrap();
        session
            .batch_execute(&format!("BEGIN; {CHANGES}; CREATE TABLE made (a int); INSERT INTO made VALUES (1); PREPARE TRANSACTION 'one'"))
            .unwrap();
        let path = dir.path().join(format!("copy{n}"));
        let fork = db.fork().unwrap();
        db.backup(&path).unwrap();
        session.batch_execute("ROLLBACK PREPARED 'one'").unwrap();
        assert_eq!(sum(&mut session), 5050);
        let backup = || builder().directory(&path).open().unwrap();
        drop(backup());
        for copy in [fork, backup()] {
            let mut theirs = copy.session().unwrap();
            assert_eq!(sum(&mut theirs), 5050);
            theirs.batch_execute("SET lock_timeout = '20ms'").unwrap();
            let locked = theirs.batch_execute("UPDATE t SET v = 1 WHERE id = 1");
            assert_eq!(locked.err().unwrap().code(), "55P03");
            let grandchild = copy.fork().unwrap();
            theirs.batch_execute("COMMIT PREPARED 'one'").unwrap();
            assert_eq!(
                (
                    sum(&mut theirs),
                    number(&mut theirs, "SELECT a::bigint FROM made")
                ),
                (AFTER, 1)
            );
            verify(&copy);
            let mut youngest = grandchild.session().unwrap();
            youngest.batch_execute("ROLLBACK PREPARED 'one'").unwrap();
            assert_eq!(sum(&mut youngest), 5050);
            verify(&grandchild);
        }
        assert_eq!(sum(&mut backup().session().unwrap()), AFTER);
        verify(&backup());
    }
}
