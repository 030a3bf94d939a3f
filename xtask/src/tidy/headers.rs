//! Every file begins with one sentence that says what it is.

use crate::tidy::Report;
use crate::tidy::source::Tree;

/// The first line is `//!` and text.
pub fn check(tree: &Tree, report: &mut Report) {
    for file in &tree.files {
        let first = file.text.lines().next().unwrap_or_default();
        let has_text = first
            .strip_prefix("//!")
            .is_some_and(|text| !text.trim().is_empty());
        if !has_text {
            report.add(
                &file.path,
                "the first line must be `//!` and one sentence on what the file is",
            );
        }
    }
}
