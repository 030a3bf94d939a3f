//! In-process figures: opening, prepared point statements, bulk insert, a scan. `cargo bench --bench inproc`.
//!
//! Prints medians; figures of record stand in docs/BENCHMARKS.md with the machine they were taken on.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::{Duration, Instant};

use pglite::{Database, params};

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn repeat(n: usize, mut f: impl FnMut(usize)) -> Duration {
    let mut times = Vec::with_capacity(n);
    for i in 0..n {
        let start = Instant::now();
        f(i);
        times.push(start.elapsed());
    }
    median(times)
}

fn main() {
    const ROWS: i32 = 100_000;
    let first_answer = repeat(21, |_| {
        let db = Database::memory().unwrap();
        db.session().unwrap().query_one("select 1", params![]).unwrap();
    });
    println!("new in-memory database to first answer: {first_answer:?}");
    let dir = tempfile::tempdir().unwrap();
    {
        let db = Database::open(dir.path()).unwrap();
        let mut s = db.session().unwrap();
        s.batch_execute("create table t (id int primary key, v int, filler char(84))")
            .unwrap();
        let start = Instant::now();
        let mut tx = s.transaction().unwrap();
        let insert = tx.prepare("insert into t values ($1, $2, 'x')").unwrap();
        for i in 0..ROWS {
            tx.execute(&insert, params![i, 0]).unwrap();
        }
        tx.commit().unwrap();
        println!(
            "prepared insert in one transaction: {:?} a row",
            start.elapsed() / ROWS as u32
        );
        let select = s.prepare("select v from t where id = $1").unwrap();
        let t = repeat(50_000, |i| {
            let row = s.query_one(&select, params![(i as i32 * 7919) % ROWS]).unwrap();
            assert_eq!(row.get::<i32>(0).unwrap(), 0);
        });
        println!("prepared point select: {t:?}");
        let update = s.prepare("update t set v = v + 1 where id = $1").unwrap();
        let t = repeat(2_000, |i| {
            s.execute(&update, params![(i as i32 * 7919) % ROWS]).unwrap();
        });
        println!("prepared point update, durable: {t:?}");
        s.batch_execute("set synchronous_commit = off").unwrap();
        let t = repeat(20_000, |i| {
            s.execute(&update, params![(i as i32 * 7919) % ROWS]).unwrap();
        });
        println!("prepared point update, asynchronous: {t:?}");
        let t = repeat(11, |_| {
            s.query_one("select sum(v), count(*) from t where id % 3 = 0", params![])
                .unwrap();
        });
        println!("filtered aggregate over {ROWS} rows: {t:?}");
    }
    reopen(dir.path(), "select v from t where id = 77");
    let dir = tempfile::tempdir().unwrap();
    Database::open(dir.path())
        .unwrap()
        .session()
        .unwrap()
        .batch_execute(
            "create table big as select i as id, repeat(md5(i::text), 3) as body from generate_series(1, 900000) i;
             alter table big add primary key (id)",
        )
        .unwrap();
    reopen(dir.path(), "select body from big where id = 77777");
}

/// Opens a directory and asks for one row.
fn reopen(dir: &std::path::Path, query: &str) {
    let size = directory_bytes(dir);
    let (mut opened, mut answered) = (Vec::new(), Vec::new());
    for _ in 0..7 {
        let start = Instant::now();
        let db = Database::open(dir).unwrap();
        opened.push(start.elapsed());
        db.session().unwrap().query_one(query, params![]).unwrap();
        answered.push(start.elapsed());
    }
    println!(
        "reopen {} MB: opened after {:?}, first row after {:?}",
        size >> 20,
        median(opened),
        median(answered)
    );
}

fn directory_bytes(dir: &std::path::Path) -> u64 {
    std::fs::read_dir(dir)
        .unwrap()
        .filter_map(Result::ok)
        .map(|entry| match entry.metadata() {
            Ok(m) if m.is_dir() => directory_bytes(&entry.path()),
            Ok(m) => m.len(),
            Err(_) => 0,
        })
        .sum()
}
