//! Dependency check: `cargo deny` where it is installed, otherwise licences and duplicates from `cargo metadata`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::metadata;

/// Licences that we accept, as in `deny.toml`.
const LICENCES: [&str; 11] = [
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Checks the dependencies of the workspace.
pub fn run(root: &Path) -> Result<(), String> {
    if has_cargo_deny() {
        let status = Command::new("cargo")
            .current_dir(root)
            .args(["deny", "--workspace", "check", "bans", "licenses", "sources"])
            .status()
            .map_err(|e| format!("cargo deny: {e}"))?;
        return if status.success() {
            Ok(())
        } else {
            Err("cargo deny failed".to_owned())
        };
    }
    println!("cargo deny is not installed: checking licences and duplicates from cargo metadata");
    let graph = metadata::read(root, metadata::Depth::Everything)?;
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut refused = Vec::new();
    for package in metadata::list(&graph, "packages") {
        let (name, version) = (
            metadata::text(package, "name"),
            metadata::text(package, "version"),
        );
        versions.entry(name).or_default().push(version);
        let licence = metadata::text(package, "license");
        if !is_allowed(licence) {
            refused.push(format!("{name} {version}: licence {licence:?}"));
        }
        let source = metadata::text(package, "source");
        if !source.is_empty() && !source.starts_with("registry+https://github.com/rust-lang/crates.io-index")
        {
            refused.push(format!(
                "{name} {version}: comes from {source}, not from crates.io"
            ));
        }
    }
    for (name, versions) in versions.iter().filter(|(_, versions)| versions.len() > 1) {
        println!(
            "warning: {name} comes in {} versions: {}",
            versions.len(),
            versions.join(", ")
        );
    }
    println!("{} crates looked at", versions.len());
    if refused.is_empty() {
        return Ok(());
    }
    Err(refused.join("\n"))
}

fn has_cargo_deny() -> bool {
    let version = Command::new("cargo").args(["deny", "--version"]).output();
    version.is_ok_and(|output| output.status.success())
}

/// Whether one alternative of the SPDX expression is made of accepted licences only.
fn is_allowed(expression: &str) -> bool {
    let plain = expression.replace(['(', ')'], " ").replace('/', " OR ");
    plain.split(" OR ").any(|alternative| {
        let mut parts = alternative.split(" AND ").map(str::trim);
        parts.all(|licence| LICENCES.contains(&licence))
    })
}

#[cfg(test)]
mod tests {
    use crate::deps::is_allowed;

    #[test]
    fn licence_expressions() {
        assert!(is_allowed("MIT OR Apache-2.0"));
        assert!(is_allowed("MIT/Apache-2.0"));
        assert!(is_allowed("GPL-3.0 OR MIT"));
        assert!(is_allowed("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(!is_allowed("GPL-3.0"));
        assert!(!is_allowed("MIT AND GPL-3.0"));
        assert!(!is_allowed(""));
    }
}
