//! `crates/types/src/oids.rs` and `crates/types/src/builtin.rs`.

use std::fmt::Write;
use std::path::Path;

use crate::codegen::table::{Row, Table};

/// Types from here on belong to views of the initial database and have no constants.
const FIRST_UNPINNED: i64 = 12_000;

fn sorted(table: &Table) -> Result<Vec<(i64, Row<'_>)>, String> {
    let mut rows: Vec<(i64, Row<'_>)> = table
        .rows()
        .map(|r| Ok((r.number("oid")?, r)))
        .collect::<Result<_, String>>()?;
    rows.sort_by_key(|(oid, _)| *oid);
    Ok(rows)
}

/// One constant per type: `TEXT`, and `TEXT_ARRAY` for `_text`.
pub fn oids(catalog: &Path) -> Result<String, String> {
    let table = Table::read(catalog, "pg_type")?;
    let mut out = String::from(
        "//! OIDs of the built-in types, generated from `pg_type` by `cargo xtask codegen`; do not edit.\n\n\
         use common::Oid;\n\n",
    );
    for (oid, row) in sorted(&table)? {
        if oid >= FIRST_UNPINNED {
            break;
        }
        let name = row.text("typname");
        let constant = match name.strip_prefix('_') {
            Some(element) => format!("{}_ARRAY", element.to_uppercase()),
            None => name.to_uppercase(),
        };
        let _ = writeln!(out, "/// `{name}`.\npub const {constant}: Oid = Oid({oid});");
    }
    Ok(out)
}

/// The rows of `pg_type`, below the hand-written head of the committed file.
pub fn builtin(catalog: &Path) -> Result<String, String> {
    let table = Table::read(catalog, "pg_type")?;
    let committed = crate::tidy::root()?.join("crates/types/src/builtin.rs");
    let committed = std::fs::read_to_string(&committed).map_err(|e| format!("builtin.rs: {e}"))?;
    let marker = "pub static TYPES: &[TypeRow] = &[\n";
    let head = committed
        .find(marker)
        .and_then(|at| committed.get(..at + marker.len()))
        .ok_or("builtin.rs: no `pub static TYPES`")?;
    let mut out = head.to_owned();
    for (oid, r) in sorted(&table)? {
        let _ = write!(
            out,
            "    TypeRow {{ oid: Oid({oid}), typname: {}, ",
            r.literal("typname")
        );
        let _ = write!(
            out,
            "typnamespace: Oid({}), typlen: {}, typbyval: {}, typtype: {}, typcategory: {}, typispreferred: {}, typdelim: {}, ",
            r.text("typnamespace"),
            r.text("typlen"),
            r.boolean("typbyval"),
            r.byte("typtype"),
            r.byte("typcategory"),
            r.boolean("typispreferred"),
            r.byte("typdelim"),
        );
        let _ = write!(
            out,
            "typrelid: Oid({}), typelem: Oid({}), typarray: Oid({}), typinput: {}, typoutput: {}, typsubscript: {}, ",
            r.text("typrelid"),
            r.text("typelem"),
            r.text("typarray"),
            r.literal("typinput"),
            r.literal("typoutput"),
            r.literal("typsubscript"),
        );
        let _ = writeln!(
            out,
            "typalign: {}, typstorage: {}, typbasetype: Oid({}), typcollation: Oid({}) }},",
            r.byte("typalign"),
            r.byte("typstorage"),
            r.text("typbasetype"),
            r.text("typcollation"),
        );
    }
    out.push_str("];\n");
    Ok(out)
}
