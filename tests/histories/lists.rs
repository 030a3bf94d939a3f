//! Appending to lists and reading them.

use pglite::{Database, Session, params};

use crate::check::{self, Op, Outcome, Txn};
use crate::{Level, Random};

const KEYS: u64 = 5;
const SESSIONS: u64 = 4;
const TRANSACTIONS: u64 = 40;

/// How lists are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One row per list: `,1,2`.
    Text,
    /// One row per element, at a position that its writer counted.
    Rows,
}

/// One database, some sessions, one history.
pub fn round(seed: u64, level: Level, form: Form) {
    let db = Database::memory().unwrap();
    let mut session = db.session().unwrap();
    session
        .batch_execute("CREATE TABLE list (k int PRIMARY KEY, v text); CREATE TABLE item (k int, pos int, x int); CREATE INDEX ON item (k, pos)")
        .unwrap();
    for k in 0..KEYS as i32 {
        session
            .execute("INSERT INTO list VALUES ($1, '')", params![k])
            .unwrap();
    }
    let threads: Vec<_> = (0..SESSIONS)
        .map(|number| {
            let session = db.session().unwrap();
            std::thread::spawn(move || run(session, seed, number, level, form))
        })
        .collect();
    let history: Vec<Txn> = threads.into_iter().flat_map(|t| t.join().unwrap()).collect();
    let last: Vec<Vec<i32>> = (0..KEYS as i32)
        .map(|k| read(&mut session, k, form).unwrap())
        .collect();
    if let Err(problem) = check::check(&history, &last, level) {
        panic!("seed {seed}, {level:?}, {form:?}: {problem}");
    }
}

fn run(mut session: Session, seed: u64, number: u64, level: Level, form: Form) -> Vec<Txn> {
    let mut random = Random::new(seed * 1_000 + number);
    session.batch_execute("SET deadlock_timeout = '5ms'").unwrap();
    if random.below(2) == 0 {
        session.batch_execute("SET enable_seqscan = off").unwrap();
    }
    (0..TRANSACTIONS)
        .map(|n| {
            let id = (number * TRANSACTIONS + n) as i32;
            transaction(&mut session, &mut random, id, level, form)
        })
        .collect()
}

fn transaction(session: &mut Session, random: &mut Random, id: i32, level: Level, form: Form) -> Txn {
    let mut txn = Txn::default();
    let read_only = random.below(6) == 0;
    let mode = if read_only { "READ ONLY" } else { "READ WRITE" };
    session
        .batch_execute(&format!("BEGIN ISOLATION LEVEL {} {mode}", level.sql()))
        .unwrap();
    for step in 0..=random.below(4) as i32 {
        let key = random.below(KEYS) as i32;
        let value = id * 10 + step;
        let done = if read_only || random.below(2) == 0 {
            read(session, key, form).map(|seen| Op::Read(key, seen))
        } else {
            // What was tried counts as written even if the transaction fails: nobody may ever see it then.
            txn.ops.push(Op::Append(key, value));
            append(session, random, key, value, level, form).map(|seen| match seen {
                Some(seen) => Op::Read(key, seen),
                None => Op::Nothing,
            })
        };
        std::thread::yield_now();
        match done {
            Ok(op) => {
                // A read within an append comes before it.
                let at = match (&op, txn.ops.last()) {
                    (Op::Read(k, _), Some(Op::Append(l, v))) if k == l && *v == value => txn.ops.len() - 1,
                    _ => txn.ops.len(),
                };
                txn.ops.insert(at, op);
            }
            Err(error) => {
                expected(&error);
                session.batch_execute("ROLLBACK").unwrap();
                return txn;
            }
        }
    }
    if random.below(10) == 0 {
        session.batch_execute("ROLLBACK").unwrap();
        return txn;
    }
    match session.batch_execute("COMMIT") {
        Ok(()) => txn.outcome = Outcome::Committed,
        Err(error) => expected(&error),
    }
    txn
}

/// Serialization failures and deadlocks are what transactions may end with.
pub fn expected(error: &pglite::Error) {
    assert!(matches!(error.code(), "40001" | "40P01"), "{error:?}");
}

fn read(session: &mut Session, key: i32, form: Form) -> pglite::Result<Vec<i32>> {
    let text = match form {
        Form::Text => session.query_map("SELECT v FROM list WHERE k = $1", params![key], |row| {
            row.get_text(0)
        })?,
        Form::Rows => session.query_map(
            "SELECT ',' || x FROM item WHERE k = $1 ORDER BY pos, x",
            params![key],
            |row| row.get_text(0),
        )?,
    };
    Ok(numbers(&text.into_iter().flatten().collect::<String>()))
}

fn numbers(text: &str) -> Vec<i32> {
    text.split(',').filter_map(|n| n.parse().ok()).collect()
}

/// Appends; what was read on the way, if it was.
fn append(
    session: &mut Session,
    random: &mut Random,
    key: i32,
    value: i32,
    level: Level,
    form: Form,
) -> pglite::Result<Option<Vec<i32>>> {
    if form == Form::Rows {
        let seen = read(session, key, form)?;
        let position = seen.len() as i32 + 1;
        session.execute(
            "INSERT INTO item VALUES ($1, $2, $3)",
            params![key, position, value],
        )?;
        return Ok(Some(seen));
    }
    // Read, add, write back: a lost update where the level allows it.
    if level != Level::ReadCommitted && random.below(2) == 0 {
        let seen = read(session, key, form)?;
        let mut text: String = seen.iter().map(|n| format!(",{n}")).collect();
        text.push_str(&format!(",{value}"));
        session.execute("UPDATE list SET v = $2 WHERE k = $1", params![key, text])?;
        return Ok(Some(seen));
    }
    session.execute(
        "UPDATE list SET v = v || ',' || $2::int WHERE k = $1",
        params![key, value],
    )?;
    Ok(None)
}
