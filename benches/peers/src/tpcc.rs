//! The transactions of `benches/tpcc.py` by sessions of this process: the same tables, statements and mix, no think times, commits waited for.
//!
//! What comes back is turned into text whole, as a server does it for pgbench. 40001 and 40P01 are tried again with the same numbers.

mod data;
mod kinds;
mod statements;

use std::sync::Barrier;
use std::time::{Duration, Instant};

use pglite::{Database, Error, Session, params};

use crate::Random;
use kinds::Terminal;

const WAREHOUSES: i32 = 2;
const DISTRICTS: i32 = 10;
const CUSTOMERS: i32 = 3_000;
const ORDERS: i32 = 3_000;
const ITEMS: i32 = 100_000;
/// As `--max-tries` of benches/tpcc.py.
const TRIES: u64 = 1_000;

/// Runs statements one by one, each a transaction.
fn run_all(session: &mut Session, script: &str) {
    for sql in script.split(";\n") {
        session.batch_execute(sql).unwrap();
    }
}

#[derive(Default)]
struct Counts {
    done: u64,
    retries: u64,
    failed: u64,
}

/// Whether another transaction was in the way.
fn is_conflict(error: &Error) -> bool {
    matches!(error.code(), "40001" | "40P01")
}

/// Transactions until the time is over.
fn work(db: &Database, level: &str, seed: u64, start: &Barrier, time: Duration) -> Counts {
    let mut session = db.session().unwrap();
    session
        .batch_execute(&format!("SET default_transaction_isolation = '{level}'"))
        .unwrap();
    let mut terminal = Terminal::new(session, Random(0x9e37_79b9_7f4a_7c15 ^ (seed << 17 | 1)));
    let mut counts = Counts::default();
    start.wait();
    let begin = Instant::now();
    while begin.elapsed() < time {
        let numbers = terminal.random.0;
        let mut tries = 1;
        while let Err(error) = terminal.transaction() {
            assert!(is_conflict(&error), "{error:?}");
            if tries == TRIES {
                counts.failed += 1;
                break;
            }
            (tries, terminal.random.0) = (tries + 1, numbers);
        }
        counts.retries += tries - 1;
        counts.done += 1;
    }
    counts
}

/// How many conditions there are, and how many of them some row breaks; those are printed.
fn books(session: &mut Session) -> (usize, usize) {
    let conditions = include_str!("../../tpcc/conditions.sql").split("-- ").skip(1);
    let (mut all, mut broken) = (0, 0);
    for (name, sql) in conditions.map(|text| text.split_once('\n').unwrap()) {
        let rows = session.query(sql, params![]).unwrap();
        all += 1;
        if let Some(row) = rows.first() {
            let values: Vec<_> = (0..row.len()).map(|at| row.get_text(at).unwrap()).collect();
            println!("condition {name} is broken {} times: {values:?}", rows.len());
            broken += 1;
        }
    }
    (all, broken)
}

/// Microseconds of CPU that this process has used; the kernel counts ticks of 10 ms.
fn cpu_microseconds() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks = fields
        .split(' ')
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().unwrap());
    ticks.sum::<u64>() * 10_000
}

/// Runs the terminals, prints what they did, and leaves with 1 where the books are wrong.
pub fn run(terminals: u64, seconds: u64, level: &str) {
    let dir = tempfile::tempdir_in(".").unwrap();
    let db = Database::open(dir.path()).unwrap();
    let begin = Instant::now();
    data::load(&mut db.session().unwrap());
    println!("loaded in {:.1} s", begin.elapsed().as_secs_f64());
    let start = Barrier::new(terminals as usize);
    let (begin, before) = (Instant::now(), cpu_microseconds());
    let total = std::thread::scope(|scope| {
        let (db, start) = (&db, &start);
        let one = |seed| scope.spawn(move || work(db, level, seed, start, Duration::from_secs(seconds)));
        let threads: Vec<_> = (0..terminals).map(one).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .fold(Counts::default(), |sum, one| Counts {
                done: sum.done + one.done,
                retries: sum.retries + one.retries,
                failed: sum.failed + one.failed,
            })
    });
    let (time, cpu) = (begin.elapsed().as_secs_f64(), cpu_microseconds() - before);
    let memory = crate::fork::resident_kb() >> 10;
    let (conditions, broken) = books(&mut db.session().unwrap());
    println!(
        "tpcc in process, {terminals} terminals, {level}: {:.0} transactions/s, {:.1} retries per 1000, {} failed, {} µs of CPU each, {memory} MB, \
         {broken} of {conditions} conditions broken",
        (total.done - total.failed) as f64 / time,
        total.retries as f64 * 1000.0 / total.done as f64,
        total.failed,
        cpu / total.done.max(1),
    );
    if broken > 0 {
        drop(db);
        drop(dir);
        std::process::exit(1);
    }
}
