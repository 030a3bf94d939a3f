//! Compares the built-in rows of every system catalog with a real PostgreSQL 18's.
//!
//! Skips unless `PGLITE_ORACLE_URL` names one (and `PGLITE_PSQL` its psql, if that is not in the path). Left out are columns
//! that hold PostgreSQL's own node trees or what VACUUM last did, and catalogs that pglite leaves empty on purpose.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::process::Command;

use common::Oid;
use pglite_catalog::builtin::{facts, rows, views};
use pglite_catalog::columns::pg_proc;
use types::{ArrayValue, Datum, oids};

/// Prose, statistics and node trees of PostgreSQL's.
const EMPTY_HERE: [&str; 4] = ["pg_description", "pg_shdescription", "pg_statistic", "pg_rewrite"];
/// Node trees, and transaction ids that depend on the cluster's history.
const LEFT_OUT: [&str; 13] = [
    "relminmxid",
    "datminmxid",
    "relallvisible",
    "proargdefaults",
    "prosqlbody",
    "typdefaultbin",
    "conbin",
    "relfrozenxid",
    "relallfrozen",
    "datfrozenxid",
    "rolpassword",
    "relpages",
    "reltuples",
];

fn text(value: &Datum) -> String {
    match value {
        Datum::Null => "\\N".to_owned(),
        Datum::Bool(b) => if *b { "t" } else { "f" }.to_owned(),
        Datum::Char(0) => String::new(),
        Datum::Char(c) => char::from(*c).to_string(),
        Datum::Int2(v) => v.to_string(),
        Datum::Int4(v) => v.to_string(),
        Datum::Int8(v) => v.to_string(),
        Datum::Oid(v) => v.to_string(),
        Datum::Float4(v) => v.to_string(),
        Datum::Text(s) => s.replace('\\', "\\\\").replace('\n', "\\n").replace('\t', "\\t"),
        Datum::Array(a) => array_text(a),
        other => panic!("no catalog column has {other:?}"),
    }
}

fn array_text(a: &ArrayValue) -> String {
    let words: Vec<String> = a.elements.iter().map(text).collect();
    if a.dims.first().is_some_and(|d| d.lower == 0) {
        return words.join(" ");
    }
    let special = |w: &str| w.is_empty() || w.contains(['"', ',', '{', '}', ' ', '\\']);
    let quote = |w: &String| if special(w) { format!("\"{w}\"") } else { w.clone() };
    format!("{{{}}}", words.iter().map(quote).collect::<Vec<_>>().join(","))
}

fn psql(url: &str, query: &str) -> BTreeSet<String> {
    try_psql(url, query).unwrap_or_else(|error| panic!("{query}: {error}"))
}

fn try_psql(url: &str, query: &str) -> Result<BTreeSet<String>, String> {
    let program = std::env::var("PGLITE_PSQL").unwrap_or_else(|_| "psql".to_owned());
    let copy = format!("COPY ({query}) TO STDOUT");
    let output = Command::new(program)
        .args(["-X", "-q", url, "-c", &copy])
        .output()
        .unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8(output.stdout).unwrap();
    Ok(text.lines().map(str::to_owned).collect())
}

/// Rows that a fresh cluster has.
fn condition(catalog: &facts::BuiltinRelation) -> &'static str {
    match catalog.name {
        "pg_database" => "oid IN (1, 4, 5)",
        "pg_attribute" => "attrelid < 16384",
        "pg_index" => "indexrelid < 16384",
        "pg_depend" => "objid < 16384",
        "pg_shdepend" | "pg_db_role_setting" => "false",
        "pg_init_privs" => "objoid < 16384",
        "pg_sequence" => "seqrelid < 16384",
        "pg_aggregate" => "aggfnoid::oid < 16384",
        "pg_range" => "rngtypid < 16384",
        "pg_attrdef" => "oid < 16384",
        "pg_inherits" => "inhrelid < 16384",
        "pg_enum" => "enumtypid < 16384",
        "pg_partitioned_table" => "partrelid < 16384",
        "pg_largeobject" => "false",
        _ if catalog.columns.first().is_some_and(|c| c.name == "oid") => "oid < 16384",
        _ => "true",
    }
}

#[test]
fn built_in_rows_are_postgres_own() {
    let Ok(url) = std::env::var("PGLITE_ORACLE_URL") else {
        return;
    };
    let mut wrong = Vec::new();
    for catalog in facts::relations() {
        if catalog.relkind != b'r' || catalog.namespace != Oid(11) || EMPTY_HERE.contains(&catalog.name) {
            continue;
        }
        let kept = catalog
            .columns
            .iter()
            .enumerate()
            .filter(|(_, c)| !LEFT_OUT.contains(&c.name));
        let kept: Vec<usize> = kept.map(|(at, _)| at).collect();
        let list = kept.iter().map(|at| {
            let column = &catalog.columns[*at];
            let cast = if column.type_oid == oids::REGPROC {
                "::oid::int8"
            } else {
                ""
            };
            // Texts of SQL functions are PostgreSQL's code, not facts.
            match column.name {
                "prosrc" => "CASE WHEN prolang = 14 THEN '' ELSE prosrc END".to_owned(),
                name => format!("{name}{cast}"),
            }
        });
        let list = list.collect::<Vec<_>>().join(", ");
        let theirs = psql(
            &url,
            &format!("SELECT {list} FROM {} WHERE {}", catalog.name, condition(catalog)),
        );
        let sql_language =
            |row: &&mut Vec<Datum>| catalog.name == "pg_proc" && row[pg_proc::PROLANG] == Datum::Oid(14);
        let mut ours = rows::rows(catalog).unwrap();
        ours.iter_mut()
            .filter(sql_language)
            .for_each(|row| row[pg_proc::PROSRC] = Datum::text(""));
        let line = |row: &Vec<Datum>| {
            kept.iter()
                .map(|at| text(&row[*at]))
                .collect::<Vec<_>>()
                .join("\t")
        };
        let ours: BTreeSet<String> = ours.iter().map(line).collect();
        let missing: Vec<_> = theirs.difference(&ours).collect();
        let extra: Vec<_> = ours.difference(&theirs).collect();
        if !missing.is_empty() || !extra.is_empty() {
            let sample = |rows: &[&String]| {
                rows.iter()
                    .take(3)
                    .map(|r| format!("\n  {r}"))
                    .collect::<String>()
            };
            wrong.push(format!(
                "{}: {} missing:{}\n {} extra:{}",
                catalog.name,
                missing.len(),
                sample(&missing),
                extra.len(),
                sample(&extra)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What differs between two calls: the session itself.
const CHANGING: [&str; 4] = [
    "pg_stat_activity",
    "pg_locks",
    "pg_timezone_names",
    "pg_backend_memory_contexts",
];
/// What PostgreSQL itself cannot answer on every machine.
const UNREADABLE: [&str; 1] = ["pg_shmem_allocations_numa"];

/// How often two answers that differ are asked again: the server works meanwhile (autovacuum, its own statistics).
const ATTEMPTS: usize = 5;

/// What is wrong with a view's body, if anything is.
fn difference(url: &str, body: &str, view: &str) -> Option<String> {
    let sample = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).next().cloned();
    let mut found = None;
    for _ in 0..ATTEMPTS {
        // NULLs and arrays compare well as text.
        let theirs = match try_psql(url, &format!("SELECT q.* FROM {view} q")) {
            Ok(rows) => rows,
            Err(error) => {
                println!("skipped {view}, PostgreSQL cannot read it here: {error}");
                return None;
            }
        };
        let ours = psql(url, &format!("SELECT q.* FROM ({body}) q"));
        if ours == theirs {
            return None;
        }
        let (missing, extra) = (sample(&theirs, &ours), sample(&ours, &theirs));
        found = Some(format!("{view}: missing {missing:?}, extra {extra:?}"));
    }
    found
}

#[test]
fn bodies_of_system_views_give_postgres_own_rows() {
    let Ok(url) = std::env::var("PGLITE_ORACLE_URL") else {
        println!("skipped: PGLITE_ORACLE_URL is not set");
        return;
    };
    let mut wrong = Vec::new();
    for (namespace, name, body) in views::BODIES {
        if UNREADABLE.contains(name) {
            continue;
        }
        if CHANGING.contains(name) || name.starts_with("pg_stat") {
            psql(&url, body);
            continue;
        }
        let schema = if *namespace == Oid(11) {
            "pg_catalog"
        } else {
            "information_schema"
        };
        wrong.extend(difference(&url, body, &format!("{schema}.{name}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
