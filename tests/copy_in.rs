//! COPY FROM of many rows: the lines are made rows by another thread, in batches that come back in order.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use pglite::{Database, Session, params};

/// Enough for many batches.
const LINES: usize = 40_000;

fn session(ddl: &str) -> (Database, Session) {
    let db = Database::memory().unwrap();
    let mut session = db.session().unwrap();
    session.batch_execute(ddl).unwrap();
    (db, session)
}

/// Sends lines in pieces that end anywhere.
fn copy(session: &mut Session, sql: &str, lines: impl Iterator<Item = String>) -> Result<u64, pglite::Error> {
    let data: Vec<u8> = lines.flat_map(|line| (line + "\n").into_bytes()).collect();
    let mut copy = session.copy_in(sql)?;
    for piece in data.chunks(70_001) {
        copy.write(piece)?;
    }
    copy.finish()
}

fn number(session: &mut Session, sql: &str) -> i64 {
    session.query_one(sql, params![]).unwrap().get(0).unwrap()
}

#[test]
fn what_the_data_does_not_have_is_filled_row_by_row() {
    let (_db, mut session) = session(
        "CREATE TABLE t (id int8 GENERATED ALWAYS AS IDENTITY, a int, gap text, b text, c numeric(10,2),
           twice int GENERATED ALWAYS AS (a * 2) STORED, at timestamptz)",
    );
    // Every 7th line is quoted with a quote inside, every 11th has a quoted delimiter, every 13th an empty value.
    let line = |i: usize| match i {
        i if i % 7 == 0 => format!("{i},\"b \"\"{i}\"\"\",1.5,2020-01-01 00:00:00+00"),
        i if i % 11 == 0 => format!("{i},\"b,{i}\",\"1.50\",\"2020-01-01 00:00:00+00\""),
        i if i % 13 == 0 => format!("{i},,,"),
        i => format!("{i},b{i},01.5,2020-01-01 00:00:00+00"),
    };
    let done = copy(
        &mut session,
        "COPY t (a, b, c, at) FROM STDIN (FORMAT csv)",
        (1..=LINES).map(line),
    );
    assert_eq!(done.unwrap(), LINES as u64);
    let wrong = "SELECT count(*) FROM t WHERE NOT (id = a AND twice = 2 * a AND gap IS NULL
        AND b IS NOT DISTINCT FROM CASE WHEN a % 7 = 0 THEN format('b \"%s\"', a) WHEN a % 11 = 0 THEN 'b,' || a WHEN a % 13 > 0 THEN 'b' || a END
        AND c IS NOT DISTINCT FROM CASE WHEN a % 7 = 0 OR a % 11 = 0 OR a % 13 > 0 THEN 1.5 END
        AND (at IS NULL) = (c IS NULL) AND coalesce(at = '2020-01-01 00:00:00+00', true))";
    assert_eq!(number(&mut session, wrong), 0);
    assert_eq!(
        number(&mut session, "SELECT count(DISTINCT a) FROM t"),
        LINES as i64
    );
}

#[test]
fn names_that_only_the_session_knows_are_read() {
    let (_db, mut session) =
        session("CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE TABLE t (a int, m mood, r regclass)");
    let line = |i: usize| format!("{i}\t{}\t{}", ["sad", "glad"][i % 2], ["t", "pg_class"][i % 2]);
    copy(&mut session, "COPY t FROM STDIN", (1..=LINES).map(line)).unwrap();
    let right = "SELECT count(*) FROM t WHERE (m = 'glad') = (a % 2 = 1) AND (r = 'pg_class'::regclass) = (a % 2 = 1)";
    assert_eq!(number(&mut session, right), LINES as i64);
}

#[test]
fn errors_tell_their_line_wherever_it_is() {
    let (_db, mut session) = session("CREATE TABLE t (a int CHECK (a <> 31000), b text)");
    for (bad, text, code, context) in [
        (3, "x\ty", "22P02", "COPY t, line 3, column a: \"x\""),
        (20_345, "x\ty", "22P02", "COPY t, line 20345, column a: \"x\""),
        (39_999, "1\t2\t3", "22P04", "COPY t, line 39999: \"1\t2\t3\""),
        (40_000, "1", "22P04", "COPY t, line 40000: \"1\""),
        // The check comes first, though a later line of the same batch is worse.
        (31_001, "x\ty", "23514", "COPY t, line 31000: \"31000\tb\""),
    ] {
        let line = |i: usize| match i {
            i if i == bad => text.to_owned(),
            31_000 if code != "23514" => "1\tb".to_owned(),
            i => format!("{i}\tb"),
        };
        let error = copy(&mut session, "COPY t FROM STDIN", (1..=LINES).map(line)).unwrap_err();
        assert_eq!(error.code().to_string(), code, "{}", error.message());
        assert_eq!(error.context(), Some(context));
        assert_eq!(number(&mut session, "SELECT count(*) FROM t"), 0);
    }
}

#[test]
fn a_copy_given_up_leaves_nothing() {
    let (_db, mut session) = session("CREATE TABLE t (a int PRIMARY KEY, b text)");
    for lines in [5_000, LINES] {
        let mut copy = session.copy_in("COPY t FROM STDIN").unwrap();
        for i in 0..lines {
            copy.write(format!("{i}\tsome text\n").as_bytes()).unwrap();
        }
        drop(copy);
        assert_eq!(number(&mut session, "SELECT count(*) FROM t"), 0);
    }
    let line = |i: usize| format!("{i}\tb");
    copy(&mut session, "COPY t FROM STDIN", (0..LINES).map(line)).unwrap();
    assert_eq!(
        number(&mut session, "SELECT sum(a) FROM t"),
        (LINES * (LINES - 1) / 2) as i64
    );
    let again = copy(
        &mut session,
        "COPY t FROM STDIN",
        (LINES..LINES + 9_000).chain(8..9).map(line),
    );
    let error = again.unwrap_err();
    assert_eq!(error.code().to_string(), "23505");
    assert_eq!(error.context(), Some("COPY t, line 9001"));
}
