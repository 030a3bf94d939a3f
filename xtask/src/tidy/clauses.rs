//! Clauses that nobody reads: a field of a raw tree that no code names next to its tree is a clause that is ignored silently.
//!
//! A statement that runs must do or refuse everything in it. For each struct of `parser::ast` that the code above the parser names, every
//! field must occur in the files that name the struct. That finds forgotten fields, not fields that are read and then dropped.

use std::collections::HashSet;

use syn::{Fields, Item};

use crate::tidy::Report;
use crate::tidy::source::{SourceFile, Tree};

/// Where raw trees arrive.
const READERS: [&str; 3] = ["crates/analyzer/src/", "crates/commands/src/", "src/"];

/// Fields that may stay unread, and why.
const EXEMPT: [(&str, &str, &str); 10] = [
    (
        "RenameStmt",
        "relation_type",
        "the relation itself says what it is",
    ),
    ("RenameStmt", "behavior", "for typed tables, which cannot be made"),
    ("GrantRoleStmt", "behavior", "memberships have no dependants yet"),
    ("DefineStmt", "oldstyle", "aggregates answer 0A000"),
    ("DefineStmt", "args", "aggregates answer 0A000"),
    ("DefineStmt", "if_not_exists", "collations answer 0A000"),
    ("DefineStmt", "replace", "aggregates answer 0A000"),
    ("Constraint", "exclusions", "exclusion constraints answer 0A000"),
    (
        "IndexStmt",
        "concurrent",
        "read with the statement in classify.rs",
    ),
    ("TransactionStmt", "gid", "two-phase commit answers 0A000"),
];

/// Looks for the fields of all raw trees.
pub fn check(tree: &Tree, report: &mut Report) {
    let readers: Vec<(&SourceFile, HashSet<&str>)> = tree
        .files
        .iter()
        .filter(|f| READERS.iter().any(|r| f.path.starts_with(r)))
        .map(|f| (f, words(&f.text)))
        .collect();
    let trees = tree
        .files
        .iter()
        .filter(|f| f.path.starts_with("crates/parser/src/ast/"));
    for file in trees {
        for item in &file.items.items {
            let Item::Struct(item) = item else { continue };
            let (name, Fields::Named(fields)) = (item.ident.to_string(), &item.fields) else {
                continue;
            };
            let near: Vec<&HashSet<&str>> = readers
                .iter()
                .filter(|(_, words)| words.contains(&*name))
                .map(|(_, words)| words)
                .collect();
            for field in fields.named.iter().filter_map(|f| f.ident.as_ref()) {
                let field = field.to_string();
                let exempt = field == "span" || EXEMPT.iter().any(|(s, f, _)| (*s, *f) == (&*name, &*field));
                if !near.is_empty() && !exempt && !near.iter().any(|words| words.contains(&*field)) {
                    let problem =
                        format!("no code reads `{name}::{field}`; do what the clause says, or answer 0A000");
                    report.add(&file.path, &problem);
                }
            }
        }
    }
}

fn words(text: &str) -> HashSet<&str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').collect()
}
