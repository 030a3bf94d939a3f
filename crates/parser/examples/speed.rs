//! Prints nanoseconds per parse of some typical statements.
#![allow(clippy::unwrap_used, reason = "a tool for developers")]
use std::hint::black_box;
use std::time::Instant;

use pglite_parser::{ParseOptions, parse};

fn main() {
    let options = ParseOptions::default();
    let statements = [
        "SELECT abalance FROM pgbench_accounts WHERE aid = 12345",
        "UPDATE pgbench_accounts SET abalance = abalance + 17 WHERE aid = 12345",
        "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 2, 3, 4, CURRENT_TIMESTAMP)",
        "SELECT l_returnflag, sum(l_quantity) AS sum_qty, avg(l_discount) FROM lineitem \
         WHERE l_shipdate <= date '1998-12-01' - interval '90' day GROUP BY l_returnflag ORDER BY l_returnflag",
        "BEGIN",
        "CREATE TABLE t (id bigint PRIMARY KEY, name text NOT NULL, created timestamptz DEFAULT now())",
    ];
    for sql in statements {
        let best = (0..7)
            .map(|_| {
                let start = Instant::now();
                for _ in 0..100_000 {
                    black_box(parse(black_box(sql), &options).unwrap());
                }
                start.elapsed().as_nanos() as u64 / 100_000
            })
            .min();
        println!("{:>6} ns  {}", best.unwrap_or(0), &sql[..sql.len().min(60)]);
    }
}
