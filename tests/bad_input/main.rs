//! Wrong and hostile texts get PostgreSQL's errors from the input function of every type; giants end in an error, not in exhaustion.
//!
//! Texts are the values of all types (given to the wrong ones), those that a type refuses, and both with characters put in, taken
//! away or changed. Compared are the value, or SQLSTATE, message and position of the error.
//!
//! `PGLITE_INPUT_COUNT` is how many (small by default, for CI), `PGLITE_INPUT_SEED` where the random numbers begin.
//! `PGLITE_ORACLE_URL` names a PostgreSQL 18 to compare with; without it, answers must merely be no panics.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod giants;
#[path = "../support/oracle.rs"]
mod oracle;
#[path = "../value_differential/pools.rs"]
#[allow(dead_code)]
mod pools;
#[path = "../support/random.rs"]
mod random;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use oracle::Oracle;
use pglite::{Database, Session, params};
use pools::Pools;
use random::{Random, number};
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::error::ErrorPosition;

const COUNT: u64 = 4_000;
const SEED: u64 = 20_261_122;
const BATCH: usize = 500;

const SET_UP: &str = "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
    CREATE TYPE pair AS (n int4, t text);
    CREATE DOMAIN positive AS int4 CHECK (VALUE > 0);
    SET TimeZone = 'America/Los_Angeles'; SET DateStyle = 'ISO, MDY'";

/// Types that any text is a value of, or whose values are the server's own.
const SKIPPED: &[&str] = &[
    "text",
    "varchar",
    "bpchar",
    "name",
    "cstring",
    "unknown",
    "refcursor",
    "xml",
    "char",
];

/// Parts of messages that explain a difference, and why.
const EXPLAINED: &[(&str, &str)] = &[
    ("unsupported XML feature", "the oracle is built without libxml"),
    (
        " of jsonpath input",
        "which token a syntax error names depends on PostgreSQL's scanner; the SQLSTATE is the same",
    ),
    (
        "\u{fffd}",
        "PostgreSQL cuts a text in the middle of a character for its message",
    ),
];

/// Value, or SQLSTATE, message and position.
type Answer = Result<Option<String>, (String, String, Option<u32>)>;

/// What hostile texts are made of.
const PIECES: &[&str] = &[
    "",
    " ",
    "  ",
    "\t",
    "\n",
    "\u{b}",
    "\u{a0}",
    "0",
    "1",
    "9",
    "-",
    "+",
    ".",
    ",",
    ";",
    ":",
    "/",
    "\\",
    "'",
    "\"",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "<",
    ">",
    "&",
    "|",
    "!",
    "*",
    "%",
    "_",
    "e",
    "E",
    "x",
    "0x",
    "0b",
    "0o",
    "NaN",
    "inf",
    "infinity",
    "-infinity",
    "null",
    "NULL",
    "empty",
    "true",
    "BC",
    "UTC",
    "now",
    "epoch",
    "T",
    "Z",
    "P1Y",
    "ago",
    "ä",
    "😀",
    "\u{301}",
    "99999999999999999999",
    "1e99999",
    "2147483648",
    "-2147483649",
    "4294967296",
    "::",
    "=",
    "$",
    "@",
    "#",
    "~",
    "`",
    "^",
    "?",
];

fn hostile(r: &mut Random, pool: &[String]) -> String {
    let mut text: Vec<char> = pool[r.below(pool.len())].chars().collect();
    for _ in 0..r.below(4) {
        let at = r.below(text.len() + 1);
        match r.below(4) {
            0 if at < text.len() => {
                text.remove(at);
            }
            1 if at < text.len() => {
                text[at] = PIECES[1 + r.below(PIECES.len() - 1)]
                    .chars()
                    .next()
                    .unwrap_or('x')
            }
            2 => text.truncate(at),
            _ => {
                let piece = PIECES[r.below(PIECES.len())];
                text.splice(at..at, piece.chars());
            }
        }
    }
    text.into_iter().collect()
}

fn mine(session: &mut Session, sql: &str) -> Answer {
    let rows = session.query(sql, params![]);
    match rows.map(|rows| rows.first().map(|r| r.get_text(0))) {
        Ok(None) => Ok(None),
        Ok(Some(Ok(text))) => Ok(text),
        Ok(Some(Err(e))) | Err(e) => Err((e.code().to_owned(), e.message().to_owned(), e.position())),
    }
}

/// PostgreSQL's answer.
fn theirs(result: Result<Vec<SimpleQueryMessage>, tokio_postgres::Error>) -> Answer {
    match result {
        Ok(messages) => Ok(messages.iter().find_map(|m| match m {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })),
        Err(e) => {
            let e = e.as_db_error().expect("PostgreSQL answers");
            let position = match e.position() {
                Some(ErrorPosition::Original(at)) => Some(*at),
                _ => None,
            };
            Err((e.code().code().to_owned(), e.message().to_owned(), position))
        }
    }
}

fn explained(mine: &Answer, theirs: &Answer) -> bool {
    let text = |a: &Answer| match a {
        Ok(value) => value.clone().unwrap_or_default(),
        Err((_, message, _)) => message.clone(),
    };
    let same_code = matches!((mine, theirs), (Err(a), Err(b)) if a.0 == b.0);
    // `elog`: PostgreSQL has no SQLSTATE of its own for these; we do.
    if let (Err(a), Err(b)) = (mine, theirs)
        && b.0 == "XX000"
        && a.1 == b.1
    {
        return true;
    }
    EXPLAINED
        .iter()
        .any(|(part, _)| text(theirs).contains(part) && (same_code || part.contains("XML")))
}

/// Pools that are types, as SQL spells them.
fn types(session: &mut Session, pools: &Pools) -> Vec<(String, Vec<String>)> {
    let mut names: Vec<String> = pools.names().into_iter().collect();
    names.sort();
    let mut found = Vec::new();
    for name in names {
        let base = name.strip_suffix("[]").unwrap_or(&name);
        let sql = match base {
            "bit" => name.replacen("bit", "\"bit\"", 1),
            "char" => name.replacen("char", "\"char\"", 1),
            _ => name.clone(),
        };
        let known = mine(session, &format!("SELECT to_regtype('{sql}') IS NOT NULL"));
        if SKIPPED.contains(&name.as_str()) || known != Ok(Some("t".to_owned())) {
            continue;
        }
        let pool = pools.get(&name).unwrap();
        found.push((sql, pool.valid.iter().chain(&pool.refused).cloned().collect()));
    }
    found
}

/// Differences left among the texts that the test makes by default: may only fall.
const KNOWN: u64 = 2;

#[test]
fn bad_input_gets_postgresqls_errors() {
    let pools = Pools::read();
    let db = Database::memory().unwrap();
    let mut session = db.session().unwrap();
    session.batch_execute(SET_UP).unwrap();
    let types = types(&mut session, &pools);
    let everything: Vec<String> = types.iter().flat_map(|t| t.1.iter().cloned()).collect();
    let oracle = Oracle::connect("input", SET_UP, "nothing to compare with");
    let mut r = Random(number("PGLITE_INPUT_SEED", SEED));
    let count = number("PGLITE_INPUT_COUNT", COUNT) as usize;
    let mut differences: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let mut done = 0;
    while done < count {
        let cases: Vec<(String, String)> = (0..BATCH.min(count - done))
            .map(|_| {
                let (name, own) = &types[r.below(types.len())];
                let pool = if r.chance(25) { &everything } else { own };
                let text = hostile(&mut r, pool);
                let literal = format!("'{}'", text.replace('\'', "''"));
                // As a literal of the type, and as a text that becomes one at run time.
                let sql = match r.below(3) {
                    0 => format!("SELECT ({literal}::text)::{name}"),
                    _ => format!("SELECT {literal}::{name}"),
                };
                (name.clone(), sql)
            })
            .collect();
        done += cases.len();
        let queries: Vec<String> = cases.iter().map(|c| c.1.clone()).collect();
        let theirs = oracle.as_ref().map(|o| o.ask(&queries, theirs));
        for (i, (name, sql)) in cases.iter().enumerate() {
            let mine = mine(&mut session, sql);
            let internal = matches!(&mine, Err((_, message, _)) if message.starts_with("internal error"));
            let theirs = match &theirs {
                Some(answers) => answers[i].clone(),
                None if internal => Ok(None),
                None => continue,
            };
            if mine == theirs || explained(&mine, &theirs) {
                continue;
            }
            let (count, text) = differences.entry(name.clone()).or_default();
            *count += 1;
            if *count <= 6 {
                let _ = writeln!(
                    text,
                    "{sql:?}\n    PostgreSQL: {theirs:?}\n    pglite:     {mine:?}"
                );
            }
        }
    }
    let total: usize = differences.values().map(|d| d.0).sum();
    println!("{done} texts, {total} differences");
    let mut shown = String::new();
    for (name, (count, text)) in &differences {
        let _ = writeln!(shown, "== {count} {name}\n{text}");
    }
    if let Ok(path) = std::env::var("PGLITE_INPUT_REPORT") {
        std::fs::write(path, &shown).unwrap();
    }
    let head: String = shown.chars().take(20_000).collect();
    let known = number("PGLITE_INPUT_KNOWN", KNOWN) as usize;
    assert!(total <= known, "{total} differences, {known} known:\n{head}");
}
