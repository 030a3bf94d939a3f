//! A crate uses lower floors only; siblings never import each other.
//!
//! # Not here
//! The picture and the reasons: `docs/ARCHITECTURE.md`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::metadata;
use crate::tidy::Report;

/// Floor of every crate of the workspace, by package name without the prefix `pglite-`.
const FLOORS: [(&str, u8); 20] = [
    ("common", 0),
    ("xml", 0),
    ("types", 1),
    ("parser", 1),
    ("kv", 1),
    ("nodes", 2),
    ("functions", 2),
    ("txn", 2),
    ("expr", 3),
    ("access", 3),
    ("catalog", 4),
    ("analyzer", 5),
    ("planner", 5),
    ("executor", 5),
    ("commands", 6),
    ("plpgsql", 6),
    ("pglite", 7),
    ("server", 8),
    ("regress", 8),
    ("xtask", 8),
];

/// From this floor on only the public API below is in reach.
const PUBLIC_ONLY: u8 = 8;

/// Outside crates that only the named crates may use.
const RESERVED: [(&str, &[&str]); 6] = [
    ("redb", &["kv"]),
    ("sled", &["kv"]),
    ("tokio", &["server"]),
    ("pgwire", &["server"]),
    ("syn", &["xtask"]),
    ("getrandom", &["common", "server"]),
];

/// Compares the manifests with the tables above.
pub fn check(root: &Path, report: &mut Report) -> Result<(), String> {
    let floors: BTreeMap<&str, u8> = FLOORS.into_iter().collect();
    let workspace = metadata::read(root, metadata::Depth::Members)?;
    for package in metadata::list(&workspace, "packages") {
        let name = short(metadata::text(package, "name"));
        let place = format!("crate {name}");
        let Some(&floor) = floors.get(name) else {
            report.add(
                &place,
                "has no floor; add it to FLOORS in xtask/src/tidy/floors.rs",
            );
            continue;
        };
        for dependency in metadata::list(package, "dependencies") {
            if let Some(problem) = judge(name, floor, dependency, &floors) {
                report.add(&place, &problem);
            }
        }
    }
    Ok(())
}

fn judge(name: &str, floor: u8, dependency: &Value, floors: &BTreeMap<&str, u8>) -> Option<String> {
    let target = short(metadata::text(dependency, "name"));
    let for_tests = metadata::text(dependency, "kind") == "dev";
    if dependency.get("path").is_none_or(Value::is_null) {
        let (_, owners) = RESERVED.iter().find(|(outside, _)| *outside == target)?;
        let allowed = for_tests || owners.contains(&name);
        return (!allowed).then(|| format!("must not use `{target}`, which belongs to {owners:?}"));
    }
    let &below = floors.get(target)?;
    if below >= floor {
        return Some(format!(
            "(floor {floor}) must not depend on {target} (floor {below})"
        ));
    }
    if floor >= PUBLIC_ONLY && target != "pglite" && !for_tests {
        return Some(format!(
            "(floor {floor}) may use only pglite's public API, not {target}"
        ));
    }
    None
}

fn short(name: &str) -> &str {
    name.strip_prefix("pglite-").unwrap_or(name)
}
