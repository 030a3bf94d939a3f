//! Random expressions over all functions, operators and casts give PostgreSQL's values and errors.
//!
//! `PGLITE_VALUE_COUNT` is how many (the default is small, for CI), `PGLITE_VALUE_SEED` where the random numbers begin.
//! `PGLITE_ORACLE_URL` names a PostgreSQL 18 to compare with; without it, answers must merely be no panics.
//! `PGLITE_VALUE_REPORT` names a file for all differences, each as small as it gets; the panic shows some.
//! Types, syntax, values and explained differences are data: see the `.txt` and `.tsv` files here.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod answer;
mod facts;
mod maker;
#[path = "../support/oracle.rs"]
mod oracle;
mod pools;
#[path = "../support/random.rs"]
mod random;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use answer::{Answer, answer};
use maker::{Expr, Maker};
use oracle::Oracle;
use pglite::{Database, Session, params};
use pools::Exception;
use random::{Random, number};

const COUNT: u64 = 3_000;
const SEED: u64 = 20_261_122;
const BATCH: usize = 400;

/// Types that users make, on both sides.
const SET_UP: &str = "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
    CREATE TYPE pair AS (n int4, t text);
    CREATE DOMAIN positive AS int4 CHECK (VALUE > 0);
    SET TimeZone = 'America/Los_Angeles'";

/// What batches run under, in turn.
const SETTINGS: &[&str] = &[
    "SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'; SET extra_float_digits = 1",
    "SET DateStyle = 'Postgres, DMY'; SET IntervalStyle = 'iso_8601'; SET bytea_output = 'escape'; SET extra_float_digits = 0",
    "SET DateStyle = 'SQL, MDY'; SET IntervalStyle = 'sql_standard'; SET bytea_output = 'hex'; SET extra_float_digits = 1",
    "SET DateStyle = 'German'; SET IntervalStyle = 'postgres_verbose'; SET bytea_output = 'hex'; SET extra_float_digits = 3",
];

fn statement(sql: &str) -> String {
    format!("SELECT {sql}")
}

fn run(session: &mut Session, sql: &str) -> Answer {
    let rows = session.query(statement(sql).as_str(), params![]);
    match rows.map(|rows| rows.first().map(|r| r.get_text(0))) {
        Ok(None) => Ok(None),
        Ok(Some(Ok(text))) => Ok(text),
        Ok(Some(Err(e))) | Err(e) => Err((e.code().to_owned(), e.message().to_owned())),
    }
}

/// Numbers that the mathematical functions of the C library made may differ in the last digits.
fn about_equal(a: &str, b: &str) -> bool {
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e');
    let split = |s: &str| -> (Vec<f64>, String) {
        let mut numbers = Vec::new();
        let mut rest = String::new();
        for part in s.split_inclusive(|c: char| !is_number(c)) {
            let digits = part.trim_end_matches(|c: char| !is_number(c));
            match digits.parse::<f64>() {
                Ok(n) if digits.contains('.') || digits.contains('e') => numbers.push(n),
                _ => rest.push_str(digits),
            }
            rest.push_str(&part[digits.len()..]);
            rest.push(' ');
        }
        (numbers, rest)
    };
    let ((x, rest_a), (y, rest_b)) = (split(a), split(b));
    rest_a == rest_b
        && x.len() == y.len()
        && x.iter()
            .zip(&y)
            .all(|(x, y)| x == y || ((x - y) / y).abs() < 1e-13)
}

fn explained(exceptions: &[Exception], expr: &Expr, mine: &Answer, theirs: &Answer) -> bool {
    let shown = |a: &Answer| match a {
        Err((code, message)) => format!("{code} {message}"),
        Ok(text) => text.clone().unwrap_or_default(),
    };
    let (m, t) = (shown(mine), shown(theirs));
    // `elog`: PostgreSQL has no SQLSTATE of its own for these; we do.
    if let (Err((_, m)), Err((t, text))) = (mine, theirs)
        && t == "XX000"
        && m == text
    {
        return true;
    }
    exceptions.iter().any(|e| match e.kind.as_str() {
        "mine" => m.contains(&e.pattern),
        "theirs" => t.contains(&e.pattern),
        "head" => {
            let name = expr.head.split('(').next().unwrap_or_default();
            expr.head == e.pattern || facts::is_named(&e.pattern, name)
        }
        "sql" => e.pattern.split(" & ").all(|part| expr.sql.contains(part)),
        "sign" => {
            let sign = |a: &str| a.parse().map(i64::signum).ok();
            expr.head.contains(&e.pattern) && sign(&m).is_some() && sign(&m) == sign(&t)
        }
        "digits" => expr.sql.contains(&e.pattern) && mine.is_ok() && theirs.is_ok() && about_equal(&m, &t),
        _ => false,
    })
}

struct Difference {
    expr: Expr,
    settings: usize,
    mine: Answer,
    theirs: Answer,
}

struct Comparison {
    session: Session,
    oracle: Option<Oracle>,
    exceptions: Vec<Exception>,
}

impl Comparison {
    /// Those of the expressions that differ.
    fn differing(&mut self, settings: usize, exprs: Vec<Expr>) -> Vec<Difference> {
        self.session.batch_execute(SETTINGS[settings]).unwrap();
        let theirs = self.oracle.as_ref().map(|oracle| {
            oracle.batch(SETTINGS[settings]);
            let queries: Vec<String> = exprs.iter().map(|e| statement(&e.sql)).collect();
            oracle.ask(&queries, answer)
        });
        let mut out = Vec::new();
        for (i, expr) in exprs.into_iter().enumerate() {
            if std::env::var_os("PGLITE_VALUE_TRACE").is_some() {
                eprintln!("{}", expr.sql);
            }
            let begin = std::time::Instant::now();
            let mine = run(&mut self.session, &expr.sql);
            if begin.elapsed().as_secs() > 0 {
                println!("slow, {:?}: {}", begin.elapsed(), expr.sql);
            }
            let internal = matches!(&mine, Err((_, message)) if message.starts_with("internal error"));
            let theirs = match &theirs {
                Some(answers) => answers[i].clone(),
                None if internal => Ok(None),
                None => continue,
            };
            if mine != theirs && !explained(&self.exceptions, &expr, &mine, &theirs) {
                out.push(Difference {
                    expr,
                    settings,
                    mine,
                    theirs,
                });
            }
        }
        out
    }

    /// The smallest parts that still differ.
    fn smallest(&mut self, difference: Difference) -> Vec<Difference> {
        let parts = difference.expr.parts.clone();
        let inner = self.differing(difference.settings, parts);
        if !inner.is_empty() {
            return inner.into_iter().flat_map(|d| self.smallest(d)).collect();
        }
        match self.is_matter_of_order(&difference) {
            true => Vec::new(),
            false => vec![difference],
        }
    }

    /// Which of two arguments that fail is evaluated first, and whether one is at all beside a NULL, is not defined.
    fn is_matter_of_order(&mut self, difference: &Difference) -> bool {
        let mut errors = Vec::new();
        let mut left: Vec<&Expr> = difference.expr.parts.iter().collect();
        while let Some(part) = left.pop() {
            if let Err(e) = run(&mut self.session, &part.sql) {
                errors.push(e);
            }
            left.extend(&part.parts);
        }
        // `elog` has no SQLSTATE of its own.
        let is_same = |e: &(String, String), of_part: &(String, String)| {
            e == of_part || (e.0 == "XX000" && e.1 == of_part.1)
        };
        let is_of_part = |answer: &Answer| {
            answer
                .as_ref()
                .is_err_and(|e| errors.iter().any(|of_part| is_same(e, of_part)))
        };
        // Comparisons of rows and what AND, OR hold together may be decided without the part that fails.
        let head = &difference.expr.head;
        let decided = matches!(
            difference.mine.as_ref().map(Option::as_deref),
            Ok(Some("t" | "f"))
        ) && (head.starts_with("ROW(") || head.contains(" AND ") || head.contains(" OR "));
        is_of_part(&difference.theirs)
            && (is_of_part(&difference.mine) || difference.mine == Ok(None) || decided)
    }
}

fn show(answer: &Answer) -> String {
    let text = match answer {
        Ok(None) => "NULL".to_owned(),
        Ok(Some(text)) => format!("[{text}]"),
        Err((code, message)) => format!("{code} {message}"),
    };
    text.chars().take(600).collect()
}

/// Differences by what makes the value, the most frequent first.
fn report(differences: &[Difference]) -> String {
    let mut groups: BTreeMap<&str, Vec<&Difference>> = BTreeMap::new();
    for d in differences {
        groups.entry(&d.expr.head).or_default().push(d);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, list)| std::cmp::Reverse(list.len()));
    let mut out = String::new();
    for (head, list) in groups {
        let _ = writeln!(out, "== {} {head}", list.len());
        for d in list.iter().take(3) {
            let _ = writeln!(
                out,
                "{}\n    [{}] PostgreSQL: {}\n    [{}] pglite:     {}",
                d.expr.sql,
                d.settings,
                show(&d.theirs),
                d.settings,
                show(&d.mine)
            );
        }
    }
    out
}

#[test]
fn values_are_postgresqls() {
    let pools = pools::Pools::read();
    let exceptions = pools::exceptions();
    let skipped: Vec<String> = exceptions
        .iter()
        .filter(|e| e.kind == "skip")
        .map(|e| e.pattern.clone())
        .collect();
    let db = Database::memory().unwrap();
    let mut session = db.session().unwrap();
    session.batch_execute(SET_UP).unwrap();
    session.batch_execute("SET statement_timeout = '10s'").unwrap();
    let facts = facts::Facts::load(&mut session, &pools.names(), &skipped);
    let mut maker = Maker {
        r: Random(number("PGLITE_VALUE_SEED", SEED)),
        facts: &facts,
        pools: &pools,
    };
    let mut comparison = Comparison {
        session,
        oracle: Oracle::connect(
            "values",
            &format!("SET statement_timeout = '3s'; {SET_UP}"),
            "nothing to compare with",
        ),
        exceptions,
    };
    let count = number("PGLITE_VALUE_COUNT", COUNT) as usize;
    let (mut done, mut differences) = (0, Vec::new());
    while done < count {
        let exprs: Vec<Expr> = (0..BATCH.min(count - done)).map(|_| maker.expression()).collect();
        let settings = (done / BATCH) % SETTINGS.len();
        done += exprs.len();
        for difference in comparison.differing(settings, exprs) {
            differences.extend(comparison.smallest(difference));
        }
    }
    println!("{done} expressions, {} differences", differences.len());
    let text = report(&differences);
    if let Ok(path) = std::env::var("PGLITE_VALUE_REPORT") {
        std::fs::write(path, &text).unwrap();
    }
    let shown: String = text.chars().take(20_000).collect();
    assert!(
        differences.is_empty(),
        "{} differences:\n{shown}",
        differences.len()
    );
}
