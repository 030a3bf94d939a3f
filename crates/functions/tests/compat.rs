//! `docs/compat.md`: which functions of PostgreSQL can be called, counted per group.
//!
//! `PGLITE_UPDATE=1 cargo test -p pglite-functions --test compat` writes it; otherwise the test compares.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::fmt::Write;

use common::Oid;
use pglite_functions as functions;
use types::builtin;

use functions::facts::{self, ProcRow};

fn type_name(oid: Oid) -> &'static str {
    builtin::type_row(oid).map_or("?", |t| t.typname)
}

/// Pseudo-types that no user can write a value of.
fn internal(oid: Oid) -> bool {
    matches!(
        type_name(oid),
        "internal"
            | "trigger"
            | "event_trigger"
            | "pg_ddl_command"
            | "fdw_handler"
            | "index_am_handler"
            | "tsm_handler"
            | "table_am_handler"
            | "language_handler"
    )
}

/// Functions that a user can call, replication slots and index support apart.
fn counts(p: &ProcRow) -> bool {
    let name = p.proname;
    let apart = [
        "binary_upgrade_",
        "gin_",
        "gist_",
        "spg_",
        "brin_",
        "btequalimage",
        "btvarstrequalimage",
    ];
    !(p.proargtypes.iter().any(|t| internal(*t))
        || internal(p.prorettype)
        || name.contains("replication")
        || name.contains("_slot")
        || apart.iter().any(|prefix| name.starts_with(prefix)))
}

fn implemented(p: &ProcRow) -> bool {
    match p.prokind {
        b'a' => functions::aggregate(p.oid).is_some(),
        // Window functions live in the executor; all of them are there.
        b'w' => true,
        _ => functions::kernels(p.oid).is_some() || functions::set_function(p.oid).is_some(),
    }
}

fn group(p: &ProcRow) -> &'static str {
    let types: Vec<&str> = p
        .proargtypes
        .iter()
        .chain([&p.prorettype])
        .map(|t| type_name(*t))
        .collect();
    let any = |names: &[&str]| {
        types
            .iter()
            .any(|t| names.iter().any(|n| t.trim_start_matches('_') == *n))
    };
    let name = p.proname;
    match p.prokind {
        b'a' => return "aggregates",
        b'w' => return "window functions",
        _ => {}
    }
    if any(&["tsvector", "tsquery", "regconfig", "regdictionary", "gtsvector"]) || name.starts_with("ts_") {
        "text search"
    } else if any(&["json", "jsonb", "jsonpath"]) || name.starts_with("json") {
        "JSON"
    } else if any(&["xml"]) || name.starts_with("xml") || name.contains("xpath") || name.contains("_to_xml") {
        "XML"
    } else if any(&["point", "lseg", "line", "box", "path", "polygon", "circle"]) {
        "geometry"
    } else if any(&["inet", "cidr", "macaddr", "macaddr8"]) {
        "network addresses"
    } else if types.iter().any(|t| t.contains("range")) {
        "ranges"
    } else if name.starts_with("pg_stat") {
        "statistics views"
    } else if name.starts_with("has_") || name.starts_with("pg_has_role") || any(&["aclitem"]) {
        "privileges"
    } else if name.starts_with("lo_") || matches!(name, "loread" | "lowrite") {
        "large objects"
    } else if name.starts_with("pg_") || name.starts_with("_pg_") || name.contains("txid") {
        "system information and administration"
    } else if any(&["date", "time", "timetz", "timestamp", "timestamptz", "interval"]) {
        "date and time"
    } else if any(&["anyarray", "anycompatiblearray"]) {
        "arrays"
    } else if any(&["int2", "int4", "int8", "float4", "float8", "numeric", "money"])
        && !any(&[
            "text", "bytea", "bit", "varbit", "name", "bpchar", "record", "oid",
        ])
    {
        "numbers"
    } else if any(&["text", "bpchar", "varchar", "name", "char", "bytea"]) {
        "texts and bytes"
    } else {
        "other types"
    }
}

/// Why functions are not there: names (or their beginnings and `*`) and reasons.
fn reasons() -> Vec<(&'static str, &'static str)> {
    let lines = include_str!("compat_reasons.tsv").lines();
    lines
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| l.split_once('\t'))
        .collect()
}

fn reason(name: &str) -> &'static str {
    let fits = |pattern: &str| match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    };
    let found = reasons().into_iter().find(|(pattern, _)| fits(pattern));
    found
        .unwrap_or_else(|| panic!("compat_reasons.tsv does not say why {name} is missing"))
        .1
}

/// What callable functions do not do.
const GAPS: &str = "
## Gaps within functions

| where | what | why |
|---|---|---|
| `convert` | between MULE_INTERNAL and other encodings: 0A000 | nobody has texts in it |
| ICU collations | cargo feature `icu`; nondeterministic ones, rules of their own, `kr` and `kb` answer 0A000 | the crate has no rules at run time; equality is that of bytes |
| `COLLATE \"unicode\"` and the like in partition keys and ranges | 0A000 | both compare bytes |
";

fn document() -> String {
    let mut groups: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut missing: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for p in facts::procs().iter().filter(|p| counts(p)) {
        let entry = groups.entry(group(p)).or_default();
        entry.0 += 1;
        if implemented(p) {
            entry.1 += 1;
        } else {
            let args: Vec<&str> = p.proargtypes.iter().map(|t| type_name(*t)).collect();
            let shown = format!("`{}({})`", p.proname, args.join(", "));
            missing.entry(reason(p.proname)).or_default().push(shown);
        }
    }
    let (all, done) = groups.values().fold((0, 0), |(a, d), g| (a + g.0, d + g.1));
    let mut out = String::from("# Functions of PostgreSQL 18\n\n");
    let _ = writeln!(
        out,
        "Generated by `PGLITE_UPDATE=1 cargo test -p pglite-functions --test compat`. Counted are the functions, aggregates and window\n\
         functions of `pg_proc` whose arguments and result a user can write; functions over `internal`, handlers, index support,\n\
         replication and replication slots are apart. Functions that are not there answer 0A000.\n\n\
         **{done} of {all}** ({:.1} %) can be called.\n",
        done as f64 * 100.0 / all as f64
    );
    out.push_str("| group | functions | there | missing |\n|---|---|---|---|\n");
    for (name, (all, done)) in &groups {
        let _ = writeln!(out, "| {name} | {all} | {done} | {} |", all - done);
    }
    out.push_str("\n## Missing, and why\n\n| reason | functions |\n|---|---|\n");
    for (why, names) in &missing {
        let _ = writeln!(out, "| {why} | {} |", names.join(", "));
    }
    out.push_str(GAPS);
    out
}

#[test]
fn compat_document_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/compat.md");
    let now = document();
    if std::env::var_os("PGLITE_UPDATE").is_some() {
        std::fs::write(path, &now).unwrap();
        return;
    }
    let old = std::fs::read_to_string(path).unwrap_or_default();
    // Others add functions too: the document may lag behind, but never claim more than there is.
    let count = |s: &str| -> usize {
        s.split_once("**")
            .and_then(|(_, rest)| rest.split(' ').next())
            .and_then(|n| n.parse().ok())
            .unwrap_or(0)
    };
    assert!(
        count(&old) <= count(&now),
        "docs/compat.md claims {} functions, there are {}",
        count(&old),
        count(&now)
    );
}
