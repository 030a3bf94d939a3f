//! pgbench's TPC-B transaction, by sessions of this process: commits of many writers without a network between.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use pglite::{Database, params};

use crate::{Random, quantile};

const SCALE: u64 = 10;

fn load(db: &Database) {
    let mut session = db.session().unwrap();
    session
        .batch_execute(&format!(
            "create table branches (bid int primary key, bbalance int, filler char(88));
             create table tellers (tid int primary key, bid int, tbalance int, filler char(84));
             create table accounts (aid int primary key, bid int, abalance int, filler char(84));
             create table history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
             insert into branches select i, 0, '' from generate_series(1, {SCALE}) i;
             insert into tellers select i, (i - 1) / 10 + 1, 0, '' from generate_series(1, {SCALE} * 10) i;
             insert into accounts select i, (i - 1) / 100000 + 1, 0, '' from generate_series(1, {SCALE} * 100000) i;
             checkpoint"
        ))
        .unwrap();
}

/// Transactions until the time is over; the microseconds of each.
fn write(db: &Database, seed: u64, start: &Barrier, time: Duration, wait: bool) -> Vec<u64> {
    let mut session = db.session().unwrap();
    if !wait {
        session.batch_execute("set synchronous_commit = off").unwrap();
    }
    let account = session
        .prepare("update accounts set abalance = abalance + $1 where aid = $2")
        .unwrap();
    let balance = session
        .prepare("select abalance from accounts where aid = $1")
        .unwrap();
    let teller = session
        .prepare("update tellers set tbalance = tbalance + $1 where tid = $2")
        .unwrap();
    let branch = session
        .prepare("update branches set bbalance = bbalance + $1 where bid = $2")
        .unwrap();
    let history = session
        .prepare(
            "insert into history (tid, bid, aid, delta, mtime) values ($1, $2, $3, $4, current_timestamp)",
        )
        .unwrap();
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (seed << 17 | 1));
    let mut times = Vec::with_capacity(1 << 20);
    start.wait();
    let begin = Instant::now();
    while begin.elapsed() < time {
        let (aid, tid, bid) = (
            random.below(SCALE * 100_000) + 1,
            random.below(SCALE * 10) + 1,
            random.below(SCALE) + 1,
        );
        let delta = random.below(10_001) - 5_000;
        let one = Instant::now();
        let mut tx = session.transaction().unwrap();
        tx.execute(&account, params![delta, aid]).unwrap();
        std::hint::black_box(
            tx.query_one(&balance, params![aid])
                .unwrap()
                .get::<i32>(0)
                .unwrap(),
        );
        tx.execute(&teller, params![delta, tid]).unwrap();
        tx.execute(&branch, params![delta, bid]).unwrap();
        tx.execute(&history, params![tid, bid, aid, delta]).unwrap();
        tx.commit().unwrap();
        times.push(one.elapsed().as_micros() as u64);
    }
    times
}

/// Runs `writers` sessions, prints transactions per second and latencies, and checks the books.
pub fn run(writers: u64, seconds: u64, asynchronous: bool) {
    let dir = tempfile::tempdir_in(".").unwrap();
    let db = Database::open(dir.path()).unwrap();
    load(&db);
    let start = Barrier::new(writers as usize);
    let mut times: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..writers)
            .map(|seed| {
                let (db, start) = (&db, &start);
                scope.spawn(move || write(db, seed, start, Duration::from_secs(seconds), !asynchronous))
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    let books: bool = db
        .session()
        .unwrap()
        .query_one(
            "select (select sum(abalance) from accounts) = (select sum(delta) from history)
                and (select sum(bbalance) from branches) = (select sum(tbalance) from tellers)
                and (select count(*) from history) = $1::int8",
            params![times.len() as i64],
        )
        .unwrap()
        .get(0)
        .unwrap();
    assert!(books, "the books do not balance");
    println!(
        "tpcb in process, {writers} writers{}: {:.0} transactions/s, median {} µs, 99 % {} µs",
        if asynchronous {
            ", synchronous_commit = off"
        } else {
            ""
        },
        times.len() as f64 / seconds as f64,
        quantile(&mut times, 0.5),
        quantile(&mut times, 0.99)
    );
}
