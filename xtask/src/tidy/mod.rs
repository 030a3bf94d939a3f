//! House rules that no compiler checks: floors, module headers, sizes, banned calls, clauses that nobody reads, names in documents.
//!
//! Runs as `cargo xtask tidy` and as a test of this crate, so `cargo test --workspace` covers it.
//!
//! # How it works
//! 1. [`source::Tree`] reads every Rust file of the workspace and parses it once with `syn`.
//! 2. Each rule is one file here and one function of the shape `check(&Tree, &mut Report)`.
//! 3. A broken rule is one line `path:line: what is wrong; what to do`.

mod banned;
mod clauses;
mod docs;
mod floors;
mod headers;
mod size;
mod source;

use std::path::{Path, PathBuf};

use size::Ratchet;
use source::Tree;

/// What to do with sizes above the limits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Compare with the committed table.
    Check,
    /// Take over what became smaller; growth stays an error.
    Tighten,
    /// Write the table as the code stands, growth included.
    Accept,
}

/// Broken rules found so far.
#[derive(Default)]
pub struct Report {
    problems: Vec<String>,
}

impl Report {
    fn add(&mut self, place: &str, problem: &str) {
        self.problems.push(format!("{place}: {problem}"));
    }
}

/// Checks every rule.
pub fn run(mode: Mode) -> Result<(), String> {
    let report = check(&root()?, mode)?;
    if report.problems.is_empty() {
        return Ok(());
    }
    let count = report.problems.len();
    Err(format!("{}\ntidy: {count} problems", report.problems.join("\n")))
}

fn check(root: &Path, mode: Mode) -> Result<Report, String> {
    let tree = Tree::read(root)?;
    let mut report = Report::default();
    floors::check(root, &mut report)?;
    headers::check(&tree, &mut report);
    Ratchet::at(root).check(&tree, mode, &mut report)?;
    banned::check(&tree, &mut report);
    clauses::check(&tree, &mut report);
    docs::check(root, &tree, &mut report)?;
    Ok(report)
}

/// The directory of the workspace: that of the cargo which runs this program. It may have been built for another copy of the workspace
/// in the same target directory.
pub fn root() -> Result<PathBuf, String> {
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let xtask = Path::new(&xtask);
    Ok(xtask.parent().ok_or("xtask has no parent directory")?.to_owned())
}

#[cfg(test)]
mod tests {
    use crate::tidy::{Mode, check, root};

    #[test]
    fn the_house_is_tidy() {
        let report = root().and_then(|root| check(&root, Mode::Check));
        let problems = report.map_or_else(|error| vec![error], |report| report.problems);
        assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    }
}
