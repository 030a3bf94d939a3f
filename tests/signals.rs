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
