//! Isolation specs: what concurrent sessions see must be what PostgreSQL's saw when it was recorded.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;

use pglite_regress::corpus::workspace;
use pglite_regress::spec::run_on_engine;

#[test]
fn specs_end_as_in_postgresql() {
    let folder = workspace().join("regress/spec");
    let only = std::env::var("PGLITE_SPEC").unwrap_or_default();
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("regress/spec")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "spec"))
        .filter(|path| path.to_string_lossy().contains(&only))
        .collect();
    files.sort();
    let mut failures = Vec::new();
    for path in files {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let expected = fs::read_to_string(folder.join(format!("expected/{name}.out"))).expect("expected");
        let text = fs::read_to_string(&path).expect("spec");
        match run_on_engine(&text) {
            Ok(got) if got == expected => {}
            Ok(got) => failures.push(format!("{name}: {}", differences(&expected, &got))),
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The first lines that differ, and after which heading.
fn differences(expected: &str, got: &str) -> String {
    let (e, g): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), got.lines().collect());
    let at = e
        .iter()
        .zip(&g)
        .position(|(a, b)| a != b)
        .unwrap_or(e.len().min(g.len()));
    let heading = e[..at].iter().rev().find(|line| line.starts_with('#'));
    format!(
        "line {} ({}):\n  expected {:?}\n  got      {:?}",
        at + 1,
        heading.unwrap_or(&""),
        e.get(at),
        g.get(at)
    )
}
