//! What `cargo metadata` says about the workspace.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// How much of the dependency graph to ask for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The crates of the workspace.
    Members,
    /// All crates that they bring.
    Everything,
}

/// Asks cargo, without the network.
pub fn read(root: &Path, depth: Depth) -> Result<Value, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(root)
        .args(["metadata", "--format-version", "1"]);
    if depth == Depth::Members {
        command.args(["--no-deps", "--offline"]);
    }
    let output = command.output().map_err(|e| format!("cargo metadata: {e}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|e| format!("cargo metadata: {e}"))
}

/// The array under a key; empty if there is none.
pub fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The string under a key; empty if there is none.
pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
