//! `crates/common/src/sqlstate.rs`.

use std::collections::HashSet;
use std::fmt::Write;
use std::path::Path;

use crate::codegen::table::Table;

/// The SQLSTATE constants, and PL/pgSQL's condition names.
pub fn generate(catalog: &Path) -> Result<String, String> {
    let table = Table::read(catalog, "errcodes")?;
    let mut out = String::from(
        "//! SQLSTATE constants, generated from PostgreSQL 18's errcodes by `cargo xtask codegen`; do not edit.\n\n\
         use crate::error::SqlState;\n\n",
    );
    let mut names = Vec::new();
    let mut seen = HashSet::new();
    for row in table.rows() {
        let (code, condition) = (row.text("sqlstate"), row.text("condition_name"));
        let constant = row.text("macro").trim_start_matches("ERRCODE_");
        if seen.insert(constant) {
            let _ = writeln!(
                out,
                "/// `{code}` {condition}.\npub const {constant}: SqlState = SqlState::new(*b\"{code}\");"
            );
        }
        names.push((condition, constant));
    }
    out.push_str(TAIL_HEAD);
    for (condition, constant) in names {
        let _ = writeln!(out, "    (\"{condition}\", {constant}),");
    }
    out.push_str("];\n");
    Ok(out)
}

const TAIL_HEAD: &str = "
/// Every condition name PostgreSQL knows, with its SQLSTATE (what PL/pgSQL's `EXCEPTION WHEN` accepts).
#[rustfmt::skip]
pub const CONDITION_NAMES: &[(&str, SqlState)] = &[
";
