//! `crates/types/src/{oids,builtin}.rs`.
use crate::codegen::sqlstate::read;
use std::path::Path;
/// placeholder
pub fn oids(_: &Path) -> Result<String, String> {
    read("crates/types/src/oids.rs")
}
/// placeholder
pub fn builtin(_: &Path) -> Result<String, String> {
    read("crates/types/src/builtin.rs")
}
