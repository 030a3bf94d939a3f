//! Forks of a database in memory: how long one takes, what it costs, and whether a thousand are independent.

use std::time::Instant;

use pglite::{Database, params};

pub fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Fills a database with about so many megabytes of rows, and forks it.
pub fn run(megabytes: u64) {
    let db = Database::memory().unwrap();
    let before = resident_kb();
    db.session()
        .unwrap()
        .batch_execute(&format!(
            "create table t as select i as id, i % 1000 as n, repeat(md5(i::text), 4) as v from generate_series(1, {megabytes} * 7000) i;
             alter table t add primary key (id); checkpoint"
        ))
        .unwrap();
    let bytes: i64 = db
        .session()
        .unwrap()
        .query_one("select pg_total_relation_size('t')", params![])
        .unwrap()
        .get(0)
        .unwrap();
    println!(
        "database: {} MB as PostgreSQL counts them, {} MB resident",
        bytes >> 20,
        (resident_kb() - before) >> 10
    );
    let mut times: Vec<u64> = Vec::new();
    let resident = resident_kb();
    let forks: Vec<Database> = (0..1000)
        .map(|_| {
            let start = Instant::now();
            let fork = db.fork().unwrap();
            times.push(start.elapsed().as_micros() as u64);
            fork
        })
        .collect();
    println!(
        "fork: median {} µs, longest {} µs; {:.1} KB each",
        crate::quantile(&mut times, 0.5),
        crate::quantile(&mut times, 1.0),
        (resident_kb().saturating_sub(resident)) as f64 / 1000.0
    );
    let start = Instant::now();
    for (n, fork) in forks.iter().enumerate() {
        let mut session = fork.session().unwrap();
        let (n, id) = (n as i32, n as i32 * 3 + 1);
        session
            .execute("update t set n = -$1 where id = $2", params![n, id])
            .unwrap();
        session
            .execute("insert into t values (-$1 - 1, $1, 'new')", params![n])
            .unwrap();
    }
    println!("two writes in each of a thousand: {:?}", start.elapsed());
    for (n, fork) in forks.iter().enumerate() {
        let row = fork
            .session()
            .unwrap()
            .query_one(
                "select (select n from t where id = $1), (select count(*) from t where id < 0), (select min(id) from t where id < 0)",
                params![n as i32 * 3 + 1],
            )
            .unwrap();
        let seen = (
            row.get::<i32>(0).unwrap(),
            row.get::<i64>(1).unwrap(),
            row.get::<i32>(2).unwrap(),
        );
        assert_eq!(
            seen,
            (-(n as i32), 1, -(n as i32) - 1),
            "fork {n} sees another's changes"
        );
    }
    println!("each sees its own changes only");
}
