//! Money that moves between accounts, and a rule over pairs of them.

use pglite::{Database, Session, params};

use crate::lists::expected;
use crate::{Level, Random};

const ACCOUNTS: i32 = 6;
const START: i64 = 100;

/// Transfers and audits by several sessions.
pub fn round(seed: u64, level: Level) {
    let db = Database::memory().unwrap();
    let mut session = db.session().unwrap();
    session
        .batch_execute("CREATE TABLE account (id int PRIMARY KEY, balance int8 NOT NULL)")
        .unwrap();
    for id in 0..ACCOUNTS {
        session
            .execute("INSERT INTO account VALUES ($1, $2)", params![id, START])
            .unwrap();
    }
    let threads: Vec<_> = (0..4)
        .map(|number| {
            let session = db.session().unwrap();
            std::thread::spawn(move || run(session, Random::new(seed * 77 + number), level))
        })
        .collect();
    let taken: i64 = threads.into_iter().map(|t| t.join().unwrap()).sum();
    let balances: Vec<i64> = session
        .query_map("SELECT balance FROM account ORDER BY id", (), |row| row.get(0))
        .unwrap();
    let total: i64 = balances.iter().sum();
    assert_eq!(
        total + taken,
        START * i64::from(ACCOUNTS),
        "seed {seed}, {level:?}"
    );
    if level == Level::Serializable {
        for pair in balances.chunks(2) {
            assert!(pair.iter().sum::<i64>() >= 0, "seed {seed}: {balances:?}");
        }
    }
}

/// What this session has taken out.
fn run(mut session: Session, mut random: Random, level: Level) -> i64 {
    session.batch_execute("SET deadlock_timeout = '5ms'").unwrap();
    let mut taken = 0;
    for _ in 0..40 {
        session
            .batch_execute(&format!("BEGIN ISOLATION LEVEL {}", level.sql()))
            .unwrap();
        let amount = random.below(30) as i64;
        let from = random.below(6) as i32;
        // Within the pair, whose sum the rule is about.
        let to = from ^ 1;
        let done = match random.below(3) {
            0 => transfer(&mut session, from, to, amount, level).map(|()| 0),
            1 => withdraw(&mut session, from, amount * 3),
            _ => audit(&mut session, level).map(|()| 0),
        };
        match done.and_then(|took| session.batch_execute("COMMIT").map(|()| took)) {
            Ok(took) => taken += took,
            Err(error) => {
                expected(&error);
                session.batch_execute("ROLLBACK").unwrap();
            }
        }
    }
    taken
}

fn transfer(session: &mut Session, from: i32, to: i32, amount: i64, level: Level) -> pglite::Result<()> {
    if level == Level::ReadCommitted {
        for (id, change) in [(from, -amount), (to, amount)] {
            session.execute(
                "UPDATE account SET balance = balance + $2 WHERE id = $1",
                params![id, change],
            )?;
        }
        return Ok(());
    }
    // Read and write back: only one snapshot makes that safe.
    for (id, change) in [(from, -amount), (to, amount)] {
        let balance: i64 = session
            .query_one("SELECT balance FROM account WHERE id = $1", params![id])?
            .get(0)?;
        session.execute(
            "UPDATE account SET balance = $2 WHERE id = $1",
            params![id, balance + change],
        )?;
    }
    Ok(())
}

/// Takes money as long as the pair of accounts stays above zero: write skew where it is allowed.
fn withdraw(session: &mut Session, id: i32, amount: i64) -> pglite::Result<i64> {
    let pair = id / 2 * 2;
    let balances: Vec<i64> = session.query_map(
        "SELECT balance FROM account WHERE id BETWEEN $1 AND $2",
        params![pair, pair + 1],
        |row| row.get(0),
    )?;
    std::thread::yield_now();
    if balances.iter().sum::<i64>() < amount {
        return Ok(0);
    }
    session.execute(
        "UPDATE account SET balance = balance - $2 WHERE id = $1",
        params![id, amount],
    )?;
    Ok(amount)
}

/// Two sums in one transaction: equal under one snapshot.
fn audit(session: &mut Session, level: Level) -> pglite::Result<()> {
    let mut sums = Vec::new();
    for _ in 0..2 {
        let sum: Vec<i64> =
            session.query_map("SELECT sum(balance)::int8 FROM account", (), |row| row.get(0))?;
        sums.extend(sum);
        std::thread::yield_now();
    }
    if level != Level::ReadCommitted {
        assert_eq!(sums[0], sums[1]);
    }
    Ok(())
}
