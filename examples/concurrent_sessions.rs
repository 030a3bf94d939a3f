//! Many sessions in one process: writers move money, a reader sees the same total at any time.

use std::thread;

use pglite::{Database, Result, Session, params};

const ACCOUNTS: i32 = 20;
const WRITERS: i32 = 4;
const TRANSFERS: i32 = 200;

fn main() -> Result<()> {
    let db = Database::memory()?;
    let mut session = db.session()?;
    session.batch_execute("CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL)")?;
    session.execute(
        "INSERT INTO accounts SELECT i, 1000 FROM generate_series(1, $1) AS i",
        params![ACCOUNTS],
    )?;

    let outcome: Result<Vec<u64>> = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                let db = db.clone();
                scope.spawn(move || write(&mut db.session()?, number))
            })
            .collect();
        for _ in 0..10 {
            println!("total {}", total(&mut session)?);
        }
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap_or(Ok(0)))
            .collect()
    });
    println!("transfers committed: {}", outcome?.iter().sum::<u64>());
    println!("total {}", total(&mut session)?);
    Ok(())
}

fn total(session: &mut Session) -> Result<i64> {
    session
        .query_one("SELECT sum(balance) FROM accounts", params![])?
        .get(0)
}

/// Moves money between pairs of accounts, the lower id first, so that no deadlock arises.
fn write(session: &mut Session, number: i32) -> Result<u64> {
    let change = session.prepare("UPDATE accounts SET balance = balance + $1 WHERE id = $2")?;
    let mut done = 0;
    for turn in 0..TRANSFERS {
        let one = (number * 7 + turn) % ACCOUNTS + 1;
        let other = (number * 3 + turn * 5) % ACCOUNTS + 1;
        if one == other {
            continue;
        }
        let mut transaction = session.transaction()?;
        transaction.execute(&change, params![-1, one.min(other)])?;
        transaction.execute(&change, params![1, one.max(other)])?;
        transaction.commit()?;
        done += 1;
    }
    Ok(done)
}
