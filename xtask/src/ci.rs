//! `cargo xtask ci`: everything a change must pass, with the time of each step and the counts of the tests.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::tidy::Mode;
use crate::{codegen, deps, tidy};

/// Crates that have models.
const MODELLED: &[&str] = &["pglite-txn"];

/// Tests that ran, by their outcome.
#[derive(Default)]
struct Counts {
    passed: usize,
    failed: usize,
    ignored: usize,
    binaries: usize,
    /// Where and why tests failed, as they said it themselves.
    reasons: Vec<String>,
    /// The next line is the text of a panic.
    in_panic: bool,
}

/// A step that ended.
struct Done {
    name: &'static str,
    time: Duration,
    outcome: Result<(), String>,
}

/// Runs all steps, also after one failed, and reports at the end.
pub fn run(root: &Path) -> Result<(), String> {
    let mut counts = Counts::default();
    let mut done = Vec::new();
    let mut step = |name: &'static str, work: &mut dyn FnMut() -> Result<(), String>| {
        println!("\n=== {name}");
        let start = Instant::now();
        let outcome = work();
        if let Err(error) = &outcome {
            println!("{error}");
        }
        done.push(Done {
            name,
            time: start.elapsed(),
            outcome,
        });
    };
    step("fmt", &mut || cargo(root, &["fmt", "--all", "--", "--check"]));
    step("tidy", &mut || tidy::run(Mode::Check));
    step("codegen", &mut || codegen::run(codegen::Mode::Check));
    step("dependencies", &mut || deps::run(root));
    step("clippy", &mut || {
        cargo(
            root,
            &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
        )
    });
    step("tests", &mut || {
        let mut command = cargo_command(root, &["test", "--workspace", "--no-fail-fast"]);
        command.env("PGLITE_CRASH_SECONDS", "3");
        test(&mut command, &mut counts)
    });
    // The whole engine is built once more for this: no more of it than the two tests want.
    step("icu", &mut || {
        let units = [
            "test",
            "-p",
            "pglite-types",
            "--features",
            "icu",
            "--lib",
            "collation",
        ];
        let units = test(&mut cargo_command(root, &units), &mut counts);
        let statements = ["test", "-p", "pglite", "--features", "icu", "--test", "icu"];
        units.and(test(&mut cargo_command(root, &statements), &mut counts))
    });
    // Crashes by the thousand: in an optimised build, for the time that `.ci/run` gives.
    step("durability", &mut || {
        let args = [
            "test",
            "--profile",
            "regress",
            "--package",
            "pglite",
            "--test",
            "durability",
            "--",
            "--show-output",
        ];
        test(&mut cargo_command(root, &args), &mut counts)
    });
    step("models", &mut || test(&mut models(root), &mut counts));
    report(&done, &counts)
}

/// `cargo xtask loom`.
pub fn loom(root: &Path) -> Result<(), String> {
    let mut counts = Counts::default();
    let outcome = test(&mut models(root), &mut counts);
    println!("models: {} hold, {} fail", counts.passed, counts.failed);
    outcome
}

/// The models of concurrency, built with loom's primitives into a target directory of their own.
fn models(root: &Path) -> Command {
    let args = ["test", "--release", "--lib", "models::"];
    let mut command = cargo_command(root, &args);
    for package in MODELLED {
        command.args(["--package", package]);
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    command.env("CARGO_TARGET_DIR", target.join("loom"));
    command.env("RUSTFLAGS", "--cfg pglite_loom");
    command
}

fn report(done: &[Done], counts: &Counts) -> Result<(), String> {
    println!();
    for step in done {
        let word = if step.outcome.is_ok() { "ok" } else { "FAILED" };
        println!("{:<14}{:>6.0} s  {word}", step.name, step.time.as_secs_f64());
    }
    println!(
        "tests: {} passed, {} failed, {} ignored in {} binaries",
        counts.passed, counts.failed, counts.ignored, counts.binaries
    );
    for reason in &counts.reasons {
        println!("  {reason}");
    }
    let failed: Vec<&str> = done
        .iter()
        .filter(|step| step.outcome.is_err())
        .map(|step| step.name)
        .collect();
    if failed.is_empty() {
        println!("ci: all green");
        return Ok(());
    }
    Err(format!("ci: failed: {}", failed.join(", ")))
}

fn cargo_command(root: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root).args(args);
    command
}

fn cargo(root: &Path, args: &[&str]) -> Result<(), String> {
    let status = cargo_command(root, args)
        .status()
        .map_err(|e| format!("cargo: {e}"))?;
    if status.success() {
        return Ok(());
    }
    Err(format!("cargo {} failed", args.join(" ")))
}

/// A test command; its output passes through and is counted.
fn test(command: &mut Command, counts: &mut Counts) -> Result<(), String> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("cargo test: {e}"))?;
    let output = child.stdout.take().ok_or("cargo test has no output")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = line.map_err(|e| format!("cargo test: {e}"))?;
        let line = String::from_utf8_lossy(&line);
        counts.add(&line);
        println!("{line}");
    }
    let _ = std::io::stdout().flush();
    let status = child.wait().map_err(|e| format!("cargo test: {e}"))?;
    if status.success() {
        return Ok(());
    }
    Err("cargo test failed".to_owned())
}

impl Counts {
    /// Keeps `thread 'NAME' panicked at PLACE:` and the line after it, which the report at the end repeats.
    fn add_reason(&mut self, line: &str) {
        let starts = line.starts_with("thread '") && line.contains(" panicked at ");
        if (starts || self.in_panic) && self.reasons.len() < REASONS_MAX {
            self.reasons.push(line.chars().take(REASON_CHARS_MAX).collect());
        }
        self.in_panic = starts;
    }

    /// Adds a line like `test result: ok. 3 passed; 0 failed; 1 ignored; ...`; others say nothing.
    fn add(&mut self, line: &str) {
        self.add_reason(line);
        let Some(result) = line.strip_prefix("test result: ") else {
            return;
        };
        self.binaries += 1;
        for part in result.split(['.', ';']) {
            let mut words = part.split_whitespace();
            let number = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
            match words.next() {
                Some("passed") => self.passed += number,
                Some("failed") => self.failed += number,
                Some("ignored") => self.ignored += number,
                _ => {}
            }
        }
    }
}

/// Lines kept of what failed, and characters of each.
const REASONS_MAX: usize = 60;
const REASON_CHARS_MAX: usize = 600;

#[cfg(test)]
mod tests {
    use crate::ci::Counts;

    #[test]
    fn counts_add_up() {
        let mut counts = Counts::default();
        counts.add(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s",
        );
        counts.add("test result: FAILED. 2 passed; 5 failed; 0 ignored; 0 measured; 0 filtered out");
        counts.add("test x ... ok");
        counts.add("thread 'x' panicked at tests/x.rs:1:2:");
        counts.add("not equal");
        counts.add("stack backtrace:");
        assert_eq!(
            counts.reasons,
            ["thread 'x' panicked at tests/x.rs:1:2:", "not equal"]
        );
        let sums = (counts.passed, counts.failed, counts.ignored, counts.binaries);
        assert_eq!(sums, (5, 5, 1, 2));
    }
}
