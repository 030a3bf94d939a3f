//! Every statement of PostgreSQL's regression suite that ran there must parse here (the corpus lies beside the project).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::HashMap;
use std::path::PathBuf;

use pglite_parser::{ParseOptions, parse};
use serde_json::Value;

/// `PGLITE_REGRESS_CORPUS`, or `shared/pg18/regress` in a directory above.
fn corpus() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("PGLITE_REGRESS_CORPUS") {
        return Some(PathBuf::from(path));
    }
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .map(|dir| dir.join("shared/pg18/regress"))
        .find(|dir| dir.join("tags.jsonl").exists())
}

fn lines(path: PathBuf) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The files keep every byte as a latin-1 character.
fn from_latin1(text: &str) -> String {
    let bytes: Vec<u8> = text.chars().map(|c| c as u8).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Refused by PostgreSQL too, though the corpus records no error: fragments that psql puts together, files that stop early
/// on that server, and a statement whose error needs libxml to show.
const KNOWN: [&str; 5] = [
    "psql:",
    "collate.icu.utf8:125",
    "collate.linux.utf8:129",
    "collate.windows.win1252:100",
    "xml:225",
];

#[test]
fn statements_of_the_regression_suite_parse() {
    let Some(dir) = corpus() else {
        println!("skipped: no regression corpus (set PGLITE_REGRESS_CORPUS)");
        return;
    };
    let files: HashMap<String, Vec<String>> = lines(dir.join("files.jsonl"))
        .iter()
        .map(|f| {
            let sql = from_latin1(f["sql"].as_str().unwrap());
            (
                f["name"].as_str().unwrap().to_owned(),
                sql.lines().map(str::to_owned).collect(),
            )
        })
        .collect();
    let (mut accepted, mut refused, mut wrong_syntax) = (0, Vec::new(), 0);
    for tag in lines(dir.join("tags.jsonl")) {
        let tags: Vec<&str> = tag["tags"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        if tags.contains(&"psqlonly") || tags.contains(&"psqlmeta") {
            continue;
        }
        let range = (
            tag["lines"][0].as_u64().unwrap() as usize,
            tag["lines"][1].as_u64().unwrap() as usize,
        );
        let Some(sql) = files[tag["file"].as_str().unwrap()].get(range.0 - 1..range.1) else {
            continue;
        };
        let sql = sql.join("\n");
        let result = parse(&sql, &ParseOptions::default());
        // What psql changes before it sends: variables and backslash commands.
        if sql.contains('\\') || sql.split("::").any(|part| part.contains(':')) {
            continue;
        }
        match (tag["sqlstate"].as_str(), result) {
            (None, Ok(_)) => accepted += 1,
            (None, Err(_)) if KNOWN.iter().any(|k| tag["id"].as_str().unwrap().starts_with(k)) => {}
            (None, Err(e)) => refused.push(format!("{}: {}\n{sql}", tag["id"], e.message)),
            (Some(want), Err(e)) if want != e.sqlstate.as_str() => wrong_syntax += 1,
            (Some(_), _) => {}
        }
    }
    println!(
        "{accepted} accepted, {} refused, {wrong_syntax} with another SQLSTATE",
        refused.len()
    );
    assert!(accepted > 30_000, "only {accepted} statements were checked");
    assert!(
        refused.is_empty(),
        "{} refused:\n{}",
        refused.len(),
        refused.join("\n")
    );
    assert_eq!(wrong_syntax, 0);
}
