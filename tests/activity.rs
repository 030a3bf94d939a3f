//! `pg_stat_activity`: what sessions show of each other.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use pglite::{Database, Session, params};

fn pid(session: &mut Session) -> i32 {
    let row = session.query_one("SELECT pg_backend_pid()", params![]).unwrap();
    row.get(0).unwrap()
}

/// Columns of the row of a session, as text; NULL as `-`.
fn seen(by: &mut Session, pid: i32, columns: &str) -> String {
    let columns: Vec<String> = columns
        .split(", ")
        .map(|c| format!("coalesce(({c})::text, '-')"))
        .collect();
    let list = columns.join(", ");
    let sql = format!("SELECT concat_ws('|', {list}) FROM pg_stat_activity WHERE pid = {pid}");
    let row = by.query_opt(sql, params![]).unwrap();
    let shown = row.map_or(String::new(), |row| row.get(0).unwrap());
    shown.replace("true", "t").replace("false", "f")
}

/// What a session that runs `sql` in a thread of its own shows, once `until` is among it.
fn while_running(
    by: &mut Session,
    session: Session,
    sql: &str,
    columns: &str,
    until: &str,
) -> (String, Session) {
    let mut session = session;
    let pid = pid(&mut session);
    std::thread::scope(|scope| {
        let running = scope.spawn(move || {
            let done = session.batch_execute(sql);
            (done.err().map(|e| e.code().to_owned()), session)
        });
        let mut shown = String::new();
        for _ in 0..2000 {
            shown = seen(by, pid, columns);
            if shown.contains(until) {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        by.query_one(format!("SELECT pg_cancel_backend({pid})"), params![])
            .unwrap();
        let (error, session) = running.join().unwrap();
        assert_eq!(error.as_deref(), Some("57014"), "{shown}");
        (shown, session)
    })
}

const STATE: &str = "state, query, wait_event_type, wait_event, xact_start IS NULL, query_start IS NULL, state_change IS NULL";

#[test]
fn states_and_texts_of_another_session() {
    let db = Database::memory().unwrap();
    let (mut by, mut other) = (db.session().unwrap(), db.session().unwrap());
    let pid = pid(&mut other);
    let fresh = db.session().unwrap().process_id();
    assert_eq!(seen(&mut by, fresh, STATE), "", "it has gone");
    let new = db.session().unwrap();
    assert_eq!(
        seen(&mut by, new.process_id(), STATE),
        "idle||Client|ClientRead|t|t|f"
    );
    other.batch_execute("SELECT 1; SELECT 2").unwrap();
    assert_eq!(
        seen(&mut by, pid, STATE),
        "idle|SELECT 1; SELECT 2|Client|ClientRead|t|f|f"
    );
    other.batch_execute("BEGIN").unwrap();
    other
        .query("SELECT $1::int /* prepared */", params![1_i32])
        .unwrap();
    assert_eq!(
        seen(&mut by, pid, STATE),
        "idle in transaction|SELECT $1::int /* prepared */|Client|ClientRead|f|f|f"
    );
    let of_transaction = "xact_start < query_start, query_start <= state_change, backend_start <= xact_start, state_change < now()";
    assert_eq!(seen(&mut by, pid, of_transaction), "t|t|t|t");
    other.batch_execute("SELECT 1/0").unwrap_err();
    assert_eq!(
        seen(&mut by, pid, STATE),
        "idle in transaction (aborted)|SELECT 1/0|Client|ClientRead|t|f|f"
    );
    other.batch_execute("ROLLBACK").unwrap();
    assert_eq!(seen(&mut by, pid, STATE), "idle|ROLLBACK|Client|ClientRead|t|f|f");
    let by_pid = by.process_id();
    let own = seen(
        &mut by,
        by_pid,
        "state, wait_event, query LIKE 'SELECT concat_ws%'",
    );
    assert_eq!(own, "active|-|t");
    let (shown, _other) = while_running(&mut by, other, "SELECT pg_sleep(60)", STATE, "PgSleep");
    assert_eq!(shown, "active|SELECT pg_sleep(60)|Timeout|PgSleep|f|f|f");
}

#[test]
fn what_a_session_waits_for() {
    let db = Database::memory().unwrap();
    let (mut by, mut other) = (db.session().unwrap(), db.session().unwrap());
    let by_pid = by.process_id();
    by.batch_execute("CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1)")
        .unwrap();
    by.batch_execute("BEGIN; UPDATE t SET a = 1; LOCK TABLE t IN SHARE MODE; SELECT pg_advisory_lock(7)")
        .unwrap();
    let columns = "state, wait_event_type, wait_event, backend_xid IS NULL, backend_xmin IS NULL, query";
    for (sql, shown) in [
        ("INSERT INTO t VALUES (2)", "active|Lock|relation|t|"),
        ("SELECT pg_advisory_lock(7)", "active|Lock|advisory|t|f|"),
        (
            "SELECT a FROM t WHERE a = 1 FOR UPDATE",
            "active|Lock|transactionid|",
        ),
    ] {
        let (found, session) = while_running(&mut by, other, sql, columns, "Lock");
        assert!(found.starts_with(shown), "{found}");
        assert!(found.ends_with(sql), "{found}");
        other = session;
    }
    let mine = "backend_xid::text::int8 > 2, backend_xmin::text::int8 > 2";
    assert_eq!(seen(&mut by, by_pid, mine), "t|t");
}

#[test]
fn settings_shape_what_is_shown() {
    let db = Database::memory().unwrap();
    let (mut by, mut other) = (db.session().unwrap(), db.session().unwrap());
    let pid = pid(&mut other);
    other.batch_execute("SET application_name = 'worker'").unwrap();
    assert_eq!(seen(&mut by, pid, "application_name"), "worker");
    let long = format!("SELECT '{}'", "ä".repeat(2000));
    other.batch_execute(&long).unwrap();
    assert_eq!(
        seen(
            &mut by,
            pid,
            "octet_length(query), length(query), query LIKE '%ä'"
        ),
        "1022|515|t"
    );
    other.batch_execute("BEGIN; SET track_activities = off").unwrap();
    other.batch_execute("SELECT 2").unwrap();
    let columns = "state, query, query_start, xact_start, state_change, backend_start IS NULL, wait_event";
    assert_eq!(seen(&mut by, pid, columns), "disabled||-|-|-|f|ClientRead");
    let text = "SELECT pg_stat_get_backend_activity(i) FROM pg_stat_get_backend_idset() i WHERE pg_stat_get_backend_pid(i) = ";
    let shown = by.query_one(format!("{text}{pid}"), params![]).unwrap();
    assert_eq!(shown.get::<String>(0).unwrap(), "<command string not enabled>");
    other.batch_execute("SET track_activities = on").unwrap();
    other.batch_execute("SELECT 3").unwrap();
    let columns = "state, query, query_start IS NULL, xact_start, state_change IS NULL";
    assert_eq!(seen(&mut by, pid, columns), "idle in transaction|SELECT 3|f|-|f");
}

#[test]
fn strangers_see_next_to_nothing() {
    let db = Database::memory().unwrap();
    let mut root = db.session().unwrap();
    root.batch_execute(
        "CREATE ROLE a LOGIN; CREATE ROLE b LOGIN IN ROLE a; CREATE ROLE c LOGIN; CREATE ROLE m LOGIN IN ROLE pg_read_all_stats",
    )
    .unwrap();
    let mut shown = db.session_as("a").unwrap();
    shown.batch_execute("SELECT 'secret'").unwrap();
    let pid = shown.process_id();
    let columns = "query, state, wait_event, query_start IS NULL, backend_start IS NULL, backend_type, usename, application_name";
    for (who, expected) in [
        ("a", "SELECT 'secret'|idle|ClientRead|f|f|client backend|a|"),
        ("b", "SELECT 'secret'|idle|ClientRead|f|f|client backend|a|"),
        ("m", "SELECT 'secret'|idle|ClientRead|f|f|client backend|a|"),
        (
            "postgres",
            "SELECT 'secret'|idle|ClientRead|f|f|client backend|a|",
        ),
        ("c", "<insufficient privilege>|-|-|t|t|-|a|"),
    ] {
        let mut session = db.session_as(who).unwrap();
        assert_eq!(seen(&mut session, pid, columns), expected, "{who}");
    }
    let mut stranger = db.session_as("c").unwrap();
    let text = "SELECT pg_stat_get_backend_activity(i) || pg_stat_get_backend_wait_event(i) FROM pg_stat_get_backend_idset() i WHERE pg_stat_get_backend_pid(i) = ";
    let hidden = stranger.query_one(format!("{text}{pid}"), params![]).unwrap();
    assert_eq!(
        hidden.get::<String>(0).unwrap(),
        "<insufficient privilege><insufficient privilege>"
    );
}
