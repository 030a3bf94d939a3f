//! Generates the committed tables of catalog facts from `shared/pg18/catalog/*.tsv`.
//!
//! # Invariants
//! - Output depends on the input files only, so `--check` can compare bytes.
//! - Without the input files (a clone outside the workshop) there is nothing to check, and `--check` succeeds.

mod catalog;
mod facts;
mod settings;
mod sqlstate;
mod table;
mod types;

use std::path::{Path, PathBuf};

/// Whether to write the files or to compare them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Write.
    Write,
    /// Compare; a difference is an error.
    Check,
}

/// Generates everything.
pub fn run(mode: Mode) -> Result<(), String> {
    let root = crate::tidy::root()?;
    let Some(catalog) = catalog_dir(&root) else {
        if mode == Mode::Check {
            eprintln!("xtask: no shared/pg18/catalog here, nothing to check");
            return Ok(());
        }
        return Err("shared/pg18/catalog not found; set PGLITE_CATALOG".to_owned());
    };
    let files = [
        ("crates/commands/src/guc/table.rs", settings::generate(&catalog)?),
        ("crates/common/src/sqlstate.rs", sqlstate::generate(&catalog)?),
        ("crates/types/src/oids.rs", types::oids(&catalog)?),
        ("crates/types/src/builtin.rs", types::builtin(&catalog)?),
        (
            "crates/catalog/src/builtin/data/relations.rs",
            catalog::relations(&root)?,
        ),
        ("crates/catalog/src/columns.rs", catalog::columns(&root)?),
        (
            "crates/catalog/src/builtin/data/indexes.rs",
            catalog::indexes(&root)?,
        ),
        ("crates/functions/src/facts/proc.rs", facts::procs(&catalog)?),
        (
            "crates/functions/src/facts/operator.rs",
            facts::operators(&catalog)?,
        ),
        ("crates/functions/src/facts/cast.rs", facts::casts(&catalog)?),
        (
            "crates/functions/src/facts/aggregate.rs",
            facts::aggregates(&catalog)?,
        ),
        (
            "crates/functions/src/facts/opclass.rs",
            facts::opclasses(&catalog)?,
        ),
    ];
    let mut stale = Vec::new();
    for (path, text) in files {
        let target = root.join(path);
        if std::fs::read_to_string(&target).is_ok_and(|old| old == text) {
            continue;
        }
        match mode {
            Mode::Check => stale.push(path),
            Mode::Write => {
                println!("{path}");
                std::fs::write(&target, text).map_err(|e| format!("{path}: {e}"))?;
            }
        }
    }
    if stale.is_empty() {
        Ok(())
    } else {
        Err(format!("stale, run `cargo xtask codegen`: {}", stale.join(", ")))
    }
}

fn catalog_dir(root: &Path) -> Option<PathBuf> {
    let given = std::env::var_os("PGLITE_CATALOG").map(PathBuf::from);
    let near = ["../shared/pg18/catalog", "../../shared/pg18/catalog"].map(|p| root.join(p));
    given.into_iter().chain(near).find(|p| p.is_dir())
}
