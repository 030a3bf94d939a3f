//! The binary format of every type is PostgreSQL's, byte for byte, both ways; bad bytes get its errors.
//!
//! For each type (arrays, ranges, composites, domains and enums included): texts become values, whose bytes are compared; the
//! bytes come back as parameters, as they are and damaged (cut, longer, changed, replaced), and value or error are compared.
//!
//! `PGLITE_BINARY_ROUNDS` is how often each value is damaged (small by default, for CI), `PGLITE_BINARY_SEED` where the random
//! numbers begin. `PGLITE_ORACLE_URL` names a PostgreSQL 18 to compare with; without it, values must come back as they went, and
//! damaged ones must be no panics.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "../support/oracle.rs"]
mod oracle;
#[path = "../value_differential/pools.rs"]
#[allow(dead_code)]
mod pools;
#[path = "../support/random.rs"]
#[allow(dead_code)]
mod random;
mod wire;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pools::Pools;
use random::{Random, number};
use wire::{Answer, Query, Servers};

const ROUNDS: u64 = 4;
const SEED: u64 = 20_261_122;

/// Types that users make, on both sides, and values of theirs.
const SET_UP: &[&str] = &[
    "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')",
    "CREATE TYPE pair AS (n int4, t text)",
    "CREATE DOMAIN positive AS int4 CHECK (VALUE > 0)",
    "CREATE DOMAIN moods AS mood[]",
    "CREATE TYPE wordrange AS RANGE (subtype = text, collation = \"C\", multirange_type_name = wordmultirange)",
    "CREATE TYPE nested AS (p pair, m mood[], r int4range, d positive)",
];
const USER_TYPES: &[&str] = &[
    "mood",
    "pair",
    "positive",
    "moods",
    "wordrange",
    "wordmultirange",
    "nested",
];
const USER_VALUES: &[(&str, &[&str])] = &[
    ("moods", &["{}", "{sad,NULL,happy}", "{{ok},{sad}}"]),
    ("wordrange", &["[a,b)", "(,zz]", "empty", "[\"a,b\",c]"]),
    ("wordmultirange", &["{}", "{[a,b),(c,d]}", "{(,)}"]),
    (
        "nested",
        &[
            "(\"(1,abc)\",\"{sad,ok}\",\"[1,5)\",7)",
            "(,,,)",
            "(\"(,)\",{},empty,1)",
        ],
    ),
];

/// What a difference may be explained by: part of either answer, and why.
const EXPLAINED: &[(&str, &str)] = &[
    ("unsupported XML feature", "the oracle is built without libxml"),
    (
        " of jsonpath input",
        "which token a syntax error names depends on PostgreSQL's scanner; the SQLSTATE is the same",
    ),
];

/// Types without a binary form, or whose values are the server's own.
const SKIPPED: &[&str] = &[
    "cstring",
    "unknown",
    "aclitem",
    "regclass",
    "regtype",
    "regproc",
    "regprocedure",
    "regoper",
    "regoperator",
];

struct Case {
    /// What it is filed under.
    head: String,
    sql: String,
    bytes: Vec<u8>,
}

/// The bytes of a value, changed somehow.
fn damaged(r: &mut Random, bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    match r.below(6) {
        0 => out.truncate(r.below(out.len() + 1)),
        1 => out.extend((0..=r.below(5)).map(|_| r.below(256) as u8)),
        2 if !out.is_empty() => {
            for _ in 0..=r.below(2) {
                let at = r.below(out.len());
                out[at] = r.below(256) as u8;
            }
        }
        3 if out.len() >= 4 => {
            const EXTREMES: [i32; 8] = [0, 1, -1, 2, 7, i32::MAX, i32::MIN, 0x2000_0000];
            let at = r.below(out.len() / 4) * 4 + [0, 0, 1, 2][r.below(4)];
            let word = EXTREMES[r.below(EXTREMES.len())].to_be_bytes();
            for (place, byte) in out.iter_mut().skip(at).zip(word) {
                *place = byte;
            }
        }
        4 if out.len() > 1 => {
            out.remove(r.below(out.len()));
        }
        _ => out = (0..r.below(24)).map(|_| r.below(256) as u8).collect(),
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold("\\x".to_owned(), |text, b| format!("{text}{b:02x}"))
}

/// Texts of a type's values.
fn texts(pools: &Pools, name: &str) -> Vec<String> {
    if let Some((_, list)) = USER_VALUES.iter().find(|(n, _)| *n == name) {
        return list.iter().map(|t| (*t).to_owned()).collect();
    }
    pools.get(name).map(|p| p.valid.clone()).unwrap_or_default()
}

/// As SQL spells it.
fn sql_name(name: &str) -> String {
    match name.strip_suffix("[]").unwrap_or(name) {
        base @ ("char" | "bit") => name.replacen(base, &format!("\"{base}\""), 1),
        _ => name.to_owned(),
    }
}

/// A text of a type, in what values of several shapes are made from it.
const SHAPES: &[(&str, &str)] = &[
    ("", "SELECT $1::text::{T}"),
    (" in an array", "SELECT ARRAY[$1::text::{T}, NULL, $1::text::{T}]"),
    (
        " in two dimensions",
        "SELECT ARRAY[ARRAY[$1::text::{T}], ARRAY[$1::text::{T}]]",
    ),
    (" in a row", "SELECT ROW($1::text::{T}, 1::int2, NULL::{T})"),
];

/// Damaged bytes may hold a number that was taken for an OID and translated.
fn differ_in_translation(mine: &Answer, theirs: &Answer) -> bool {
    let (Err((a, mine)), Err((b, theirs))) = (mine, theirs) else {
        return false;
    };
    let words = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "");
    a == b && mine.contains("wrong number of columns") && words(mine) == words(theirs)
}

struct Comparison {
    servers: Servers,
    differences: BTreeMap<String, (usize, String)>,
    done: usize,
}

impl Comparison {
    fn note(&mut self, case: &Case, mine: &Answer, theirs: &Answer) {
        let show = |a: &Answer| match a {
            Ok(None) => "NULL".to_owned(),
            Ok(Some(bytes)) => hex(bytes),
            Err((code, message)) => format!("{code} {message}"),
        };
        let same_code = matches!((mine, theirs), (Err((a, _)), Err((b, _))) if a == b);
        let (mine, theirs) = (show(mine), show(theirs));
        let explained =
            |(part, _): &(&str, &str)| theirs.contains(part) && (same_code || !part.contains("jsonpath"));
        if EXPLAINED.iter().any(explained) {
            return;
        }
        let (count, text) = self.differences.entry(case.head.clone()).or_default();
        *count += 1;
        if *count <= 4 {
            let _ = writeln!(
                text,
                "{} with {}\n    PostgreSQL: {theirs}\n    pglite:     {mine}",
                case.sql,
                hex(&case.bytes)
            );
        }
    }

    /// Compares, and gives PostgreSQL's answers (or, without it, ours).
    fn run(&mut self, cases: &[Case]) -> Vec<Answer> {
        let queries: Vec<Query<'_>> = cases
            .iter()
            .map(|c| Query {
                sql: &c.sql,
                bytes: &c.bytes,
            })
            .collect();
        self.done += queries.len();
        let mine = self.servers.mine(&queries);
        for (case, answer) in cases.iter().zip(&mine) {
            if let Err((_, message)) = answer
                && message.starts_with("internal error")
            {
                self.note(case, answer, &Ok(None));
            }
        }
        let Some(theirs) = self.servers.theirs(&queries) else {
            return mine;
        };
        for (case, (mine, theirs)) in cases.iter().zip(mine.iter().zip(&theirs)) {
            if mine != theirs && !differ_in_translation(mine, theirs) {
                self.note(case, mine, theirs);
            }
        }
        theirs
    }

    fn check_type(&mut self, r: &mut Random, pools: &Pools, name: &str, rounds: usize) {
        let ty = sql_name(name);
        let mut values = Vec::new();
        for (suffix, sql) in SHAPES {
            // Texts alone do not tell `bit` from `bit(1)` inside constructors, arrays hold no arrays.
            if name.ends_with("[]") && suffix.contains("dimension") {
                continue;
            }
            let cases: Vec<Case> = texts(pools, name)
                .into_iter()
                .map(|text| Case {
                    head: format!("{name}{suffix}: text to bytes"),
                    sql: sql.replace("{T}", &ty),
                    bytes: text.into_bytes(),
                })
                .collect();
            let answers = self.run(&cases);
            let shaped = match *suffix {
                "" => ty.clone(),
                " in a row" => continue,
                _ if name.ends_with("[]") => ty.clone(),
                _ => format!("{ty}[]"),
            };
            values.extend(
                answers
                    .into_iter()
                    .filter_map(|a| a.ok().flatten())
                    .map(|bytes| (shaped.clone(), bytes)),
            );
        }
        let case = |ty: &str, bytes: Vec<u8>, cast: &str, what: &str| Case {
            head: format!("{ty}: {what}"),
            sql: format!("SELECT $1::{ty}{cast}"),
            bytes,
        };
        let mut cases = Vec::new();
        for (ty, bytes) in &values {
            cases.push(case(ty, bytes.clone(), "", "bytes to bytes"));
            cases.push(case(ty, bytes.clone(), "::text", "bytes to text"));
        }
        let answers = self.run(&cases);
        for (case, answer) in cases.iter().zip(&answers).step_by(2) {
            // What some types send for their empty value they refuse; an array of a domain is sent as one of the base type.
            if !self.servers.has_oracle()
                && answer.is_ok()
                && *answer != Ok(Some(case.bytes.clone()))
                && !name.contains("positive")
            {
                self.note(case, answer, &Ok(Some(case.bytes.clone())));
            }
        }
        let mut cases = Vec::new();
        for (ty, bytes) in &values {
            for _ in 0..rounds {
                cases.push(case(ty, damaged(r, bytes), "", "damaged bytes"));
            }
        }
        self.run(&cases);
    }
}

#[test]
fn the_binary_format_is_postgresqls() {
    let pools = Pools::read();
    let mut names: Vec<String> = pools.names().into_iter().collect();
    names.extend(USER_TYPES.iter().map(|n| (*n).to_owned()));
    names.sort();
    names.dedup();
    let servers = Servers::start(SET_UP, USER_TYPES);
    let mut comparison = Comparison {
        servers,
        differences: BTreeMap::new(),
        done: 0,
    };
    let mut r = Random(number("PGLITE_BINARY_SEED", SEED));
    let rounds = number("PGLITE_BINARY_ROUNDS", ROUNDS) as usize;
    let only = std::env::var("PGLITE_BINARY_TYPE").ok();
    for name in names {
        let base = name.strip_suffix("[]").unwrap_or(&name);
        let skipped = SKIPPED.contains(&base) || only.as_ref().is_some_and(|o| *o != name);
        if !skipped && comparison.servers.knows_type(&sql_name(&name)) {
            comparison.check_type(&mut r, &pools, &name, rounds);
        }
    }
    println!("{} values", comparison.done);
    let total: usize = comparison.differences.values().map(|d| d.0).sum();
    let mut shown = String::new();
    for (head, (count, text)) in &comparison.differences {
        let _ = writeln!(shown, "== {count} {head}\n{text}");
    }
    if let Ok(path) = std::env::var("PGLITE_BINARY_REPORT") {
        std::fs::write(path, &shown).unwrap();
    }
    let head: String = shown.chars().take(20_000).collect();
    assert!(total == 0, "{total} differences:\n{head}");
}
