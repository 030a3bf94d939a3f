//! What PostgreSQL 18.4 said to our own statements and to one-token mutants of them (`tools/record_cases.py`): verdict,
//! SQLSTATE, position and message must be the same.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use pglite_parser::{ParseOptions, parse};

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(match (c, c == '\\') {
            (_, true) => match chars.next().unwrap() {
                'n' => '\n',
                't' => '\t',
                other => other,
            },
            (c, false) => c,
        });
    }
    out
}

#[test]
fn recorded_cases_have_postgresqls_verdict() {
    let mut wrong = Vec::new();
    let cases = include_str!("data/recorded.tsv");
    for line in cases.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [state, position, sql, message] = fields.as_slice() else {
            panic!("bad line {line:?}")
        };
        let sql = unescape(sql);
        let got = match parse(&sql, &ParseOptions::default()) {
            Ok(_) => ("ok".to_owned(), -1, String::new()),
            Err(e) => (
                e.sqlstate.as_str().to_owned(),
                e.position.map_or(-1, i64::from),
                e.message.clone(),
            ),
        };
        let want = (
            (*state).to_owned(),
            position.parse::<i64>().unwrap(),
            unescape(message),
        );
        if got != want {
            wrong.push(format!("{sql}\n  want {want:?}\n  got  {got:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} differ:\n{}",
        wrong.len(),
        cases.lines().count(),
        wrong.join("\n")
    );
}
