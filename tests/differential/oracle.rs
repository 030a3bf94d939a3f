//! PostgreSQL, asked by psql.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::{Answer, Case, without_scale};

/// What PostgreSQL says to some statements.
pub fn ask(url: &str, set_up: &str, cases: &[Case]) -> Vec<Answer> {
    let psql = std::env::var("PGLITE_ORACLE_PSQL").unwrap_or_else(|_| "psql".to_owned());
    let schema = format!(
        "pglite_diff_{}_{:?}",
        std::process::id(),
        std::thread::current().id()
    );
    let schema = schema.replace(|c: char| !c.is_ascii_alphanumeric() && c != '_', "");
    let mut script = format!(
        "SET client_min_messages = error;\nCREATE SCHEMA {schema}; SET search_path = {schema}; SET statement_timeout = '20s';\n{set_up}\n"
    );
    for case in cases {
        let _ = writeln!(script, "BEGIN;\n{};\n\\echo @@ :SQLSTATE", case.statement());
        for look in case.looks() {
            let _ = writeln!(script, "{look};");
        }
        script.push_str("ROLLBACK;\n\\echo ##\n");
    }
    let _ = writeln!(script, "DROP SCHEMA {schema} CASCADE;");
    let mut child = Command::new(psql)
        .args(["-XAtq", "-d", url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("psql");
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(script.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let answers = parse(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(answers.len(), cases.len(), "psql did not answer every query");
    answers
}

fn parse(output: &str) -> Vec<Answer> {
    let (mut answers, mut rows, mut code) = (Vec::new(), Vec::new(), String::new());
    for line in output.lines() {
        if let Some(state) = line.strip_prefix("@@ ") {
            state.clone_into(&mut code);
        } else if line == "##" {
            rows.sort();
            let rows = std::mem::take(&mut rows);
            answers.push(if code == "00000" {
                Ok(rows)
            } else {
                Err(code.clone())
            });
        } else {
            rows.push(without_scale(line));
        }
    }
    answers
}
