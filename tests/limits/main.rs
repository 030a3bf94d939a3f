//! Values at the edges of what types, functions and settings take: PostgreSQL's answer or error, word for word.
//!
//! `limits.txt` holds a line each of outcome and statement, recorded from PostgreSQL 18 (time zone America/Los_Angeles): an SQLSTATE and
//! the message, or `=` and the values of the rows with bars between them. A program of its own, as it takes gigabytes for a moment.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use pglite::Database;

/// What a statement comes to.
fn outcome(session: &mut pglite::Session, sql: &str) -> String {
    match session.query_map(sql, (), |row| {
        let values = (0..row.len()).map(|at| Ok(row.get_text(at)?.unwrap_or_default()));
        Ok(values.collect::<pglite::Result<Vec<String>>>()?.join("|"))
    }) {
        Ok(rows) => format!("={}", rows.join("\\n")),
        Err(e) => format!("{}: {}", e.code(), e.message()),
    }
}

#[test]
fn limits_answer_as_postgresql() {
    let db = Database::memory().unwrap();
    let mut session = db.session().unwrap();
    session
        .batch_execute("SET TimeZone = 'America/Los_Angeles'")
        .unwrap();
    let mut wrong = String::new();
    for line in include_str!("limits.txt").lines() {
        let (expected, sql) = line
            .split_once('\t')
            .expect("limits.txt: outcome, tab, statement");
        let got = outcome(&mut session, sql);
        if got != expected {
            wrong.push_str(&format!("{sql}\n    expected {expected}\n    got      {got}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
