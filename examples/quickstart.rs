//! The main job: open a directory, create tables, run transactions and queries, reopen it and print what is there.
//!
//! `cargo run --release --example quickstart [DIRECTORY]`; without a directory it takes a fresh temporary one.

use std::path::PathBuf;

use pglite::{Database, Result, Session, params};

fn main() -> Result<()> {
    let (dir, keep) = directory();
    let _ = std::fs::remove_dir_all(dir.join("quickstart.db"));
    let path = dir.join("quickstart.db");
    {
        let db = Database::open(&path)?;
        let mut session = db.session()?;
        create_tables(&mut session)?;
        fill(&mut session)?;
        transfer(&mut session, "ada", "grace", "30.25")?;
        overdraw(&mut session)?;
    } // the last handle and session are gone: the database is closed
    println!("closed; opening {} again", path.display());
    let db = Database::open(&path)?;
    report(&mut db.session()?)?;
    if !keep {
        drop(db);
        let _ = std::fs::remove_dir_all(&dir);
    }
    Ok(())
}

/// The directory to work in, and whether to leave it.
fn directory() -> (PathBuf, bool) {
    match std::env::args_os().nth(1) {
        Some(dir) => (dir.into(), true),
        None => {
            let name = format!("pglite-quickstart-{}", std::process::id());
            (std::env::temp_dir().join(name), false)
        }
    }
}

fn create_tables(session: &mut Session) -> Result<()> {
    session.batch_execute(
        "CREATE TABLE accounts (
             id serial PRIMARY KEY,
             owner text NOT NULL UNIQUE,
             balance numeric(12, 2) NOT NULL DEFAULT 0 CHECK (balance >= 0),
             opened date NOT NULL DEFAULT DATE '2026-01-01'
         );
         CREATE TABLE entries (id bigserial PRIMARY KEY, account int NOT NULL, amount numeric(12, 2) NOT NULL, note text);
         CREATE INDEX ON entries (account)",
    )
}

fn fill(session: &mut Session) -> Result<()> {
    let insert = session.prepare("INSERT INTO accounts (owner, balance) VALUES ($1, $2::text::numeric)")?;
    let mut transaction = session.transaction()?;
    for (owner, balance) in [("ada", "100.00"), ("grace", "50.50"), ("edsger", "7.25")] {
        transaction.execute(&insert, params![owner, balance])?;
    }
    transaction.commit()
}

/// Moves money and writes it down, both or neither.
fn transfer(session: &mut Session, from: &str, to: &str, amount: &str) -> Result<()> {
    let mut transaction = session.transaction()?;
    for (owner, sign) in [(from, -1), (to, 1)] {
        let row = transaction.query_one(
            "UPDATE accounts SET balance = balance + $1::text::numeric * $2::int WHERE owner = $3 RETURNING id",
            params![amount, sign, owner],
        )?;
        transaction.execute(
            "INSERT INTO entries (account, amount, note) VALUES ($1, $2::text::numeric * $3::int, $4)",
            params![row.get::<i32>("id")?, amount, sign, format!("{from} to {to}")],
        )?;
    }
    transaction.commit()
}

/// What PostgreSQL refuses, with its SQLSTATE; the transaction leaves nothing behind.
fn overdraw(session: &mut Session) -> Result<()> {
    match transfer(session, "edsger", "ada", "1000") {
        Ok(()) => println!("nobody checked the balance"),
        Err(error) => println!("refused with {}: {error}", error.code()),
    }
    Ok(())
}

fn report(session: &mut Session) -> Result<()> {
    let rows = session.query(
        "SELECT a.owner, a.balance::text AS balance, count(e.id) AS entries, coalesce(sum(e.amount), 0)::text AS moved
         FROM accounts a LEFT JOIN entries e ON e.account = a.id
         GROUP BY a.id, a.owner, a.balance ORDER BY a.owner",
        params![],
    )?;
    println!("{:<8} {:>8} {:>8} {:>8}", "owner", "balance", "entries", "moved");
    for row in rows {
        let (owner, balance): (String, String) = (row.get("owner")?, row.get("balance")?);
        let (entries, moved): (i64, String) = (row.get("entries")?, row.get("moved")?);
        println!("{owner:<8} {balance:>8} {entries:>8} {moved:>8}");
    }
    let version: String = session.query_one("SELECT version()", params![])?.get(0)?;
    println!("{version}");
    Ok(())
}
