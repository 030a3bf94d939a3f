//! Statements that would need gigabytes or years: each ends in an error, and memory stays bounded.
//!
//! `giants.txt` holds an SQLSTATE and a statement a line: PostgreSQL's, recorded; `-` where PostgreSQL would go on until something
//! stops it: any of 53200, 54000 and 57014 will do (for the others, too).

use pglite::{Database, params};

/// What a statement may hold, and what the process may grow to meanwhile, in bytes.
const MEMORY_LIMIT: usize = 256 << 20;
const GROWTH_MAX: u64 = 3 << 30;

/// The most memory that this process ever had, where the system tells.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

#[test]
fn giants_end_in_an_error() {
    let db = Database::builder().memory_limit(MEMORY_LIMIT).open().unwrap();
    let mut session = db.session().unwrap();
    session.batch_execute("SET statement_timeout = '1s'").unwrap();
    let before = peak_bytes();
    let mut wrong = String::new();
    for line in include_str!("giants.txt").lines() {
        let (expected, sql) = line
            .split_once('\t')
            .expect("giants.txt: SQLSTATE, tab, statement");
        // Known when the process does not survive it.
        println!("{}", sql.chars().take(200).collect::<String>());
        let code = match session.query(sql, params![]) {
            Ok(rows) => format!("{} rows", rows.len()),
            Err(e) => e.code().to_owned(),
        };
        // How far the time goes differs between machines.
        let stopped = matches!(code.as_str(), "53200" | "54000" | "57014");
        if code != expected && !stopped {
            wrong.push_str(&format!("{sql}\n    expected {expected}, got {code}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    if let (Some(before), Some(after)) = (before, peak_bytes()) {
        assert!(
            after - before < GROWTH_MAX,
            "memory grew by {} MB",
            (after - before) >> 20
        );
    }
}
