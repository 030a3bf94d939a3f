//! Our own regression files: the output must be the recorded one of PostgreSQL, byte for byte.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;

use pglite_regress::corpus::{lines, workspace};
use pglite_regress::run::{builder, run_script};

#[test]
fn own_files_answer_as_postgresql() {
    let folder = workspace().join("regress/sql");
    let mut failures = Vec::new();
    for entry in fs::read_dir(folder).expect("regress/sql") {
        let path = entry.expect("entry").path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let sql = fs::read_to_string(&path).expect("script");
        let expected = workspace().join(format!("regress/expected/{name}.out"));
        let expected = fs::read_to_string(expected).expect("expected");
        let db = builder().open().expect("database");
        let mut out = Vec::new();
        run_script(&db, &sql, &mut out).expect("run");
        let got = String::from_utf8_lossy(&out).into_owned();
        if got != expected {
            failures.push(format!("{name}: {}", first_difference(&expected, &got)));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn first_difference(expected: &str, got: &str) -> String {
    let (e, g) = (lines(expected), lines(got));
    let at = e
        .iter()
        .zip(&g)
        .position(|(a, b)| a != b)
        .unwrap_or(e.len().min(g.len()));
    format!("line {}: expected {:?}, got {:?}", at + 1, e.get(at), g.get(at))
}
