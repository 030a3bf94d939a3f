//! `pg_cancel_backend` and `pg_terminate_backend` between sessions of several roles.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use pglite::{Database, Session, params};

fn pid(session: &mut Session) -> i32 {
    let row = session.query_one("SELECT pg_backend_pid()", params![]).unwrap();
    row.get(0).unwrap()
}

fn ask(session: &mut Session, call: &str) -> Result<bool, pglite::Error> {
    session.query_one(format!("SELECT {call}"), params![])?.get(0)
}

#[test]
fn roles_reach_their_own_sessions_and_members_of_pg_signal_backend_others() {
    let db = Database::builder().open().unwrap();
    let mut root = db.session().unwrap();
    root.batch_execute(
        "CREATE ROLE a LOGIN; CREATE ROLE b LOGIN; CREATE ROLE s LOGIN IN ROLE pg_signal_backend",
    )
    .unwrap();
    let mut victim = db.session_as("a").unwrap();
    let (victim_pid, root_pid) = (pid(&mut victim), pid(&mut root));
    let cancel = |who: &str, pid: i32| {
        ask(
            &mut db.session_as(who).unwrap(),
            &format!("pg_cancel_backend({pid})"),
        )
    };
    assert_eq!(cancel("b", victim_pid).unwrap_err().code(), "42501");
    assert_eq!(cancel("s", root_pid).unwrap_err().code(), "42501");
    assert!(cancel("a", victim_pid).unwrap());
    assert!(cancel("s", victim_pid).unwrap());
    assert!(cancel("postgres", victim_pid).unwrap());
    let seen = root
        .query_one(
            format!("SELECT usename::text FROM pg_stat_activity WHERE pid = {victim_pid}"),
            params![],
        )
        .unwrap();
    assert_eq!(seen.get::<String>(0).unwrap(), "a");
}

#[test]
fn who_ends_a_session_may_wait_for_it() {
    let db = Database::builder().open().unwrap();
    let mut root = db.session().unwrap();
    let end = |pid: i32, timeout: i64| format!("pg_terminate_backend({pid}, {timeout})");
    let mut idle = db.session().unwrap();
    assert!(
        !ask(&mut root, &end(pid(&mut idle), 50)).unwrap(),
        "nobody closes it"
    );
    let mut victim = db.session().unwrap();
    let victim_pid = pid(&mut victim);
    let closing = std::thread::spawn(move || {
        while !victim.is_terminated() {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    assert!(ask(&mut root, &end(victim_pid, 60_000)).unwrap());
    closing.join().unwrap();
    assert!(
        !ask(&mut root, &end(victim_pid, 60_000)).unwrap(),
        "it is no more"
    );
}

/// What a session has is given back when it is told that it was terminated, not when somebody drops it.
#[test]
fn a_terminated_session_gives_back_what_it_has() {
    let db = Database::builder().open().unwrap();
    let (mut root, mut victim) = (db.session().unwrap(), db.session().unwrap());
    root.batch_execute("CREATE TABLE t (a int)").unwrap();
    victim
        .batch_execute(
            "CREATE TEMP TABLE mine (a int); LISTEN c; BEGIN; LOCK TABLE t; INSERT INTO t VALUES (1);
             DO $$ BEGIN RAISE NOTICE 'told'; END $$",
        )
        .unwrap();
    let victim_pid = pid(&mut victim);
    assert!(ask(&mut root, &format!("pg_terminate_backend({victim_pid})")).unwrap());
    let caught = "DO $$ BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN OTHERS THEN NULL; END $$";
    let error = victim.batch_execute(caught).unwrap_err();
    assert_eq!((error.code(), error.ends_session()), ("57P01", true));
    let notices = victim.take_notices();
    let notices: Vec<&str> = notices.iter().map(|n| n.message()).collect();
    assert_eq!(notices, ["told"]);
    let left = "SELECT count(*) FROM pg_class, pg_stat_activity WHERE relname = 'mine' OR pid = $1";
    let row = root.query_one(left, params![victim_pid]).unwrap();
    assert_eq!(row.get::<i64>(0).unwrap(), 0);
    root.batch_execute("BEGIN; LOCK TABLE t NOWAIT; COMMIT").unwrap();
    let error = victim.batch_execute("SELECT 1").unwrap_err();
    assert_eq!(error.code(), "08003");
    let row = root.query_one("SELECT count(*) FROM t", params![]).unwrap();
    assert_eq!(row.get::<i64>(0).unwrap(), 0);
}

/// An error of a user's with such a SQLSTATE is no end.
#[test]
fn raised_errors_end_no_session() {
    let db = Database::builder().open().unwrap();
    let mut session = db.session().unwrap();
    let error = session
        .batch_execute("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '57P01'; END $$")
        .unwrap_err();
    assert_eq!((error.code(), error.ends_session()), ("57P01", false));
    session.batch_execute("SELECT 1").unwrap();
}
