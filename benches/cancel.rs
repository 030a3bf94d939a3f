//! How long statements go on after `statement_timeout`: the longest that any of them does not look at the cancel flag.
//!
//! `cargo bench --bench cancel [-- WORD]` runs those whose text contains WORD, `-- --file FILE` those of a file (one a line). A table of
//! statement, SQLSTATE and milliseconds over time.
//!
//! The statements are in `cancel_data/`, one a line, `DIR` in them being a directory for files. Most run under several limits, as what does not look may
//! come early or late. Those of `generated.txt` are too long to write out, see [`expand`].

#![allow(clippy::expect_used)]

use std::time::{Duration, Instant};

use pglite::{Database, Session};

const LIMIT: Duration = Duration::from_millis(300);

/// Tables and functions, and settings for the session.
const SETUP: &str = include_str!("cancel_data/setup.sql");
const SETTINGS: &str = "SET work_mem = '512MB'; SET max_parallel_workers_per_gather = 0";

/// Who ends later than this is traced.
const TRACED: Duration = Duration::from_millis(60);

/// What runs for longer than the limit; those that begin with `SET` are several statements.
const ONCE: &str = include_str!("cancel_data/once.txt");

/// Statements with several phases, or with long ones behind short ones, and their limits.
const PHASES: &str = include_str!("cancel_data/phases.txt");
const PHASES_MS: &[u64] = &[20, 80, 200, 400, 800, 1600];

/// More statements over more tables, and their limits.
const MORE: &str = include_str!("cancel_data/statements.txt");
const MORE_MS: &[u64] = &[60, 800];

/// Names and patterns of statements of many parts.
const GENERATED: &str = include_str!("cancel_data/generated.txt");

/// A text from its pattern: `{N~part~separator}` stands for N parts, with their numbers from 0 for `#`. Behind it may stand what is done with a number
/// first, from left to right: `*7`, `%400` or `+1`.
fn expand(pattern: &str) -> String {
    let (mut out, mut rest) = (String::new(), pattern);
    while let Some((before, after)) = rest.split_once('{') {
        let (list, behind) = after.split_once('}').expect("a list");
        let mut fields = list.split('~');
        let mut field = || fields.next().expect("a field");
        let (count, part, separator) = (field().parse::<usize>().expect("a number"), field(), field());
        out.push_str(before);
        for i in 0..count {
            out.push_str(if i > 0 { separator } else { "" });
            number(part, i, &mut out);
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// A part with its number.
fn number(part: &str, i: usize, out: &mut String) {
    let mut pieces = part.split('#');
    out.push_str(pieces.next().unwrap_or(""));
    for mut piece in pieces {
        let mut n = i;
        while let Some(operator @ ('*' | '%' | '+')) = piece.chars().next() {
            let digits = piece[1..].trim_start_matches(|c: char| c.is_ascii_digit());
            let operand: usize = piece[1..piece.len() - digits.len()].parse().expect("a number");
            n = match operator {
                '*' => n * operand,
                '%' => n % operand,
                _ => n + operand,
            };
            piece = digits;
        }
        out.push_str(&n.to_string());
        out.push_str(piece);
    }
}

/// What comes from the command line.
struct Chosen {
    word: Option<String>,
    file: Option<String>,
}

impl Chosen {
    fn new() -> Chosen {
        let mut args = std::env::args().skip(1);
        let mut chosen = Chosen {
            word: None,
            file: None,
        };
        while let Some(a) = args.next() {
            match a.as_str() {
                "--file" => chosen.file = args.next(),
                _ if a.starts_with("--") => {}
                _ => chosen.word = Some(a),
            }
        }
        chosen
    }

    fn runs(&self, text: &str) -> bool {
        self.word.as_ref().is_none_or(|w| text.contains(w.as_str()))
    }
}

fn main() {
    let chosen = Chosen::new();
    let directory = tempfile::tempdir().expect("a directory");
    let db = Database::open(directory.path()).expect("a database");
    let mut session = db.session().expect("a session");
    let files = tempfile::tempdir().expect("a directory");
    let place = |text: &str| text.replace("DIR", &files.path().display().to_string());
    session.batch_execute(&place(SETUP)).expect("tables");
    session.batch_execute(SETTINGS).expect("settings");
    let more = place(MORE);
    println!("| ms over | outcome | statement |\n|---|---|---|");
    let worst = match &chosen.file {
        Some(file) => {
            let texts = std::fs::read_to_string(file).expect("a file");
            texts
                .lines()
                .filter(|l| !l.is_empty())
                .map(|l| phases(&mut session, l, l, PHASES_MS))
                .max()
        }
        None => all(&mut session, &chosen, &more),
    };
    println!("worst: {} ms", worst.unwrap_or_default().as_millis());
}

/// Every statement that was chosen; the longest time over.
fn all(session: &mut Session, chosen: &Chosen, more: &str) -> Option<Duration> {
    let mut over = Vec::new();
    for sql in ONCE.lines().filter(|s| chosen.runs(s)) {
        let (time, outcome) = measure(session, sql, LIMIT);
        show(time, &outcome, sql);
        over.push(time);
    }
    over.extend(
        PHASES
            .lines()
            .filter(|s| chosen.runs(s))
            .map(|sql| phases(session, sql, sql, PHASES_MS)),
    );
    over.extend(
        more.lines()
            .filter(|s| chosen.runs(s))
            .map(|sql| phases(session, sql, sql, MORE_MS)),
    );
    let generated = GENERATED.lines().map(|l| l.split_once(" | ").expect("a name"));
    let generated = generated.filter(|(name, _)| chosen.runs(name));
    over.extend(generated.map(|(name, pattern)| phases(session, name, &expand(pattern), PHASES_MS)));
    over.into_iter().max()
}

/// The longest time over any of the limits.
fn phases(session: &mut Session, name: &str, sql: &str, limits_ms: &[u64]) -> Duration {
    let mut worst = (Duration::ZERO, String::new(), 0);
    for ms in limits_ms {
        let (time, outcome) = measure(session, sql, Duration::from_millis(*ms));
        let finished = outcome.starts_with("finished");
        if time > worst.0 || worst.1.is_empty() {
            worst = (time, outcome, *ms);
        }
        if finished {
            break;
        }
    }
    show(worst.0, &format!("{} at {}", worst.1, worst.2), name);
    worst.0
}

fn show(over: Duration, outcome: &str, name: &str) {
    let shown: String = name.chars().take(120).collect();
    println!("| {} | {outcome} | {shown} |", over.as_millis());
}

/// For `perf record --clockid mono`: from when to when a statement was late, where CANCEL_TRACE is set.
fn trace(due: Instant, sql: &str) {
    let now = Instant::now();
    if now > due + TRACED && std::env::var_os("CANCEL_TRACE").is_some() {
        let shown: String = sql.chars().take(120).collect();
        eprintln!("{due:?} {now:?} {shown}");
    }
}

/// Time over the limit, or that of the rollback after it when it is longer, and how it ended.
fn measure(session: &mut Session, sql: &str, limit: Duration) -> (Duration, String) {
    let in_block = !sql.starts_with("VACUUM");
    if in_block {
        session.batch_execute("BEGIN").expect("begin");
    }
    let set = format!("SET statement_timeout = {}", limit.as_millis());
    let mut outcome = "finished".to_owned();
    let mut over = Duration::ZERO;
    let parts: Vec<&str> = match sql.starts_with("DO ") {
        true => vec![sql],
        false => sql.split("; ").collect(),
    };
    for part in parts {
        let local = part.replace("SET ", "SET LOCAL ");
        if part.starts_with("SET ") {
            session.batch_execute(&local).expect("a setting");
            continue;
        }
        session.batch_execute(&set).expect("limit");
        let began = Instant::now();
        let result = session.batch_execute(part);
        over = over.max(began.elapsed().saturating_sub(limit));
        trace(began + limit, part);
        if let Err(e) = result {
            outcome = e.code().to_owned();
            break;
        }
    }
    let began = Instant::now();
    let end = if in_block { "ROLLBACK" } else { "" };
    session.batch_execute(end).expect("rollback");
    if began.elapsed() > over {
        over = began.elapsed();
        outcome.push_str(", rollback");
    }
    session
        .batch_execute("SET statement_timeout = 0")
        .expect("no limit");
    (over, outcome)
}
