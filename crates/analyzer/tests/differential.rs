//! The analyzer against PostgreSQL 18: names, types and origins of result columns, parameter types, or the error with
//! its SQLSTATE, message, DETAIL, HINT and position.
//!
//! `tests/data/record.py` records; `ANALYZER_CASES=DIR` compares with another recording, `ANALYZER_VERBOSE=1` prints
//! every difference.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::PathBuf;

use serde_json::Value;
use support::{TestCatalog, analyze_one};

/// Statements of the committed recording that come out differently (0A000 of ours not counted). Only ever lower them.
const DIFFERENCES_MAX: usize = 0;
/// Statements of it that we refuse with 0A000 and PostgreSQL does not.
const UNSUPPORTED_MAX: usize = 10;

fn normalize(mut v: Value) -> Value {
    if v.get("error").is_none() {
        if v.get("columns").is_none() {
            v["columns"] = Value::Array(Vec::new());
        }
        if v.get("params").is_none() {
            v["params"] = Value::Array(Vec::new());
        }
    }
    v
}

#[test]
fn same_as_postgresql() {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let other = std::env::var_os("ANALYZER_CASES").map(PathBuf::from);
    let dir = other.clone().unwrap_or(own);
    let database = std::env::var("ANALYZER_DB").unwrap_or_else(|_| "analyzer_cases".into());
    let catalog = TestCatalog::load(&dir.join("catalog.json"));
    let expected = std::fs::read_to_string(dir.join("expected.jsonl")).unwrap();
    let (mut total, mut different, mut unsupported) = (0, 0, 0);
    let verbose = std::env::var_os("ANALYZER_VERBOSE").is_some();
    for line in expected.lines() {
        let wanted: Value = normalize(serde_json::from_str(line).unwrap());
        let sql = wanted["sql"].as_str().unwrap();
        let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            analyze_one(&catalog, sql, &database)
        }));
        let got = normalize(run.unwrap_or_else(|_| serde_json::json!({"sql": sql, "error": {"M": "panic"}})));
        total += 1;
        if got == wanted {
            continue;
        }
        different += 1;
        if got["error"]["C"] == "0A000" && wanted["error"]["C"] != "0A000" {
            unsupported += 1;
            different -= 1;
            if !verbose {
                continue;
            }
        }
        if verbose || other.is_none() {
            let strip = |v: &Value| {
                let mut v = v.clone();
                v.as_object_mut().unwrap().remove("sql");
                v.to_string()
            };
            println!("--- {sql}\n  pg:   {}\n  ours: {}", strip(&wanted), strip(&got));
        }
    }
    println!("{total} statements, {different} different, {unsupported} not supported yet");
    if other.is_none() {
        assert_eq!(different, DIFFERENCES_MAX, "differences");
        assert!(unsupported <= UNSUPPORTED_MAX, "{unsupported} not supported");
    }
}
