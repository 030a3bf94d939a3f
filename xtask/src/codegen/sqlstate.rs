//! `crates/common/src/sqlstate.rs`.
use std::path::Path;
/// placeholder
pub fn generate(_: &Path) -> Result<String, String> {
    read("crates/common/src/sqlstate.rs")
}
/// The committed file.
pub fn read(path: &str) -> Result<String, String> {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path))
        .map_err(|e| e.to_string())
}
