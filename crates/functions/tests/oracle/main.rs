//! Recorded answers of PostgreSQL 18 (`*.txt`, made by `record.py`) against our functions, through a small expression
//! evaluator: literals, casts, operators, function calls, `extract(f from x)`, `x at time zone z`.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod eval;

use common::PgError;
use eval::{Evaluator, Value};
use types::Datum;
use types::io;

fn escape(s: &str) -> String {
    s.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r")
}

fn describe(e: &PgError) -> String {
    let mut out = format!("!{} {}", e.sqlstate.as_str(), e.message);
    for (label, text) in [("DETAIL", &e.detail), ("HINT", &e.hint), ("CONTEXT", &e.context)] {
        if let Some(text) = text {
            out.push_str(&format!(" | {label}: {text}"));
        }
    }
    escape(&out)
}

fn answer(evaluator: &Evaluator, expr: &str) -> String {
    let shown = evaluator.run(expr).and_then(|Value { oid, datum }| {
        let mut out = String::new();
        match datum {
            Datum::Null => out.push_str("NULL"),
            datum => io::output(oid, &datum, &evaluator.io(), &mut out)?,
        }
        Ok(escape(&out))
    });
    shown.unwrap_or_else(|e| describe(&e))
}

fn check(name: &str) {
    let path = format!("{}/tests/oracle/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let corpus = std::fs::read_to_string(path).unwrap();
    let mut evaluator = Evaluator::default();
    let (mut count, mut wrong) = (0, Vec::new());
    for line in corpus.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        if let Some(setting) = line.strip_prefix("set ") {
            let (name, value) = setting.split_once(' ').unwrap();
            evaluator.set(name, value.trim_matches('\''));
            continue;
        }
        let (expr, expected) = line
            .split_once(" ==> ")
            .unwrap_or_else(|| panic!("no result: {line}"));
        count += 1;
        let got = answer(&evaluator, expr);
        if got != expected {
            wrong.push(format!(
                "{expr}\n    PostgreSQL: {expected}\n    pglite:     {got}"
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{name}: {} of {count} differ\n{}",
        wrong.len(),
        wrong[..wrong.len().min(60)].join("\n")
    );
}

macro_rules! corpora {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            check(stringify!($name));
        }
    )*};
}

corpora!(datetime_input datetime_output interval datetime_functions format_datetime format_number binary json);
