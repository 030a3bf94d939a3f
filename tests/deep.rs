//! Values that nest deeply, on a thread's ordinary stack: an answer or an error, never the end of the process.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use pglite::{Database, params};

/// The SQLSTATE of a statement, or `ok`.
fn outcome(sql: &str) -> String {
    let db = Database::memory().unwrap();
    let mut session = db.session().unwrap();
    match session.query_one(sql, params![]) {
        Ok(_) => "ok".to_owned(),
        Err(error) => error.code().to_owned(),
    }
}

#[test]
fn deep_values_end_in_an_answer_or_an_error() {
    let nested = |n: u32| format!("(repeat('{{\"a\":', {n}) || '1' || repeat('}}', {n}))::jsonb");
    let arrays = |n: u32| format!("(repeat('[', {n}) || repeat(']', {n}))::jsonb");
    let path = |n: u32| format!("('$' || repeat('.a', {n}))::jsonpath");
    let statements = [
        (
            format!("SELECT jsonb_path_query('1', {})", path(100_000)),
            "54001",
        ),
        (format!("SELECT length({}::text)", path(900)), "ok"),
        (
            format!("SELECT jsonb_path_query({}, {})", nested(900), path(900)),
            "ok",
        ),
        (
            format!(
                "SELECT count(*) FROM jsonb_path_query({}, 'strict $.**')",
                nested(500)
            ),
            "ok",
        ),
        (
            format!(
                "SELECT count(*) FROM jsonb_path_query({}, '$.**.a')",
                nested(1500)
            ),
            "ok",
        ),
        (
            format!(
                "SELECT count(*) FROM jsonb_path_query({}, '$[*][*] ? (exists (@.**.b))')",
                arrays(1500)
            ),
            "ok",
        ),
        (
            "SELECT ('1' || repeat(' + 1', 100000))::jsonpath".to_owned(),
            "54001",
        ),
        (
            "SELECT jsonb_path_query('1', ('1' || repeat(' + 1', 150))::jsonpath)".to_owned(),
            "ok",
        ),
        (
            "SELECT jsonb_path_query('1', ('$ ? (@ == 1' || repeat(' || @ == 1', 150) || ')')::jsonpath)"
                .to_owned(),
            "ok",
        ),
        (
            "SELECT jsonb_path_query('1', ('1' || repeat(' + 1', 8900))::jsonpath)".to_owned(),
            "ok",
        ),
        (
            "SELECT jsonb_path_query('1', ('$ ? (@ == 1' || repeat(' && @ == 1', 8900) || ')')::jsonpath)"
                .to_owned(),
            "ok",
        ),
        (
            "SELECT jsonb_path_query('1', (repeat('1 + (', 200) || '1' || repeat(')', 200))::jsonpath)"
                .to_owned(),
            "ok",
        ),
        (
            "SELECT (repeat('1 + (', 4000) || '1' || repeat(')', 4000))::jsonpath".to_owned(),
            "54001",
        ),
        (
            "SELECT (repeat('-(', 4000) || '1' || repeat(')', 4000))::jsonpath".to_owned(),
            "42601",
        ),
        (
            "SELECT (repeat('[', 20000) || repeat(']', 20000))::jsonb".to_owned(),
            "54001",
        ),
        (format!("SELECT length({}::text)", arrays(1500)), "ok"),
        (format!("SELECT jsonb_pretty({}) IS NOT NULL", nested(1500)), "ok"),
        (format!("SELECT {} = {}", nested(1500), nested(1500)), "ok"),
        (
            format!("SELECT jsonb_strip_nulls({}) IS NOT NULL", nested(1500)),
            "ok",
        ),
        (
            format!(
                "SELECT jsonb_set({}, array_fill('a'::text, ARRAY[1500]), '2') IS NOT NULL",
                nested(1500)
            ),
            "ok",
        ),
        (format!("SELECT {} @> {}", nested(1500), nested(1500)), "ok"),
        (format!("SELECT {} || '1'", nested(1500)), "ok"),
        (
            "SELECT (repeat('(', 20000) || 'a' || repeat(')', 20000))::tsquery".to_owned(),
            "54001",
        ),
        (
            "SELECT length(('<a>' || repeat('<b>', 5000) || repeat('</b>', 5000) || '</a>')::xml::text)"
                .to_owned(),
            "2200N",
        ),
    ];
    let wrong: Vec<String> = statements
        .iter()
        .filter_map(|(sql, expected)| {
            let got = outcome(sql);
            (got != *expected).then(|| format!("{sql}: {got}, not {expected}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
