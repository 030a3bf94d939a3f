//! Figures of pglite beside SQLite in one process, and of many writers in one process.
//!
//! `pglite-peers sqlite [SECONDS]`: point select, point update, 100,000 inserts in a transaction, single-row commits, two readers beside a
//! writer; both engines in turn, three rounds, medians. SQLite: WAL, `synchronous=FULL`; so both wait for the disk at a commit.
//! `pglite-peers one sqlite|pglite WORK COUNT`: one engine, one kind of work (select, update, insert: within a transaction) so often, for profilers.
//! `pglite-peers fork [MEGABYTES]`: a thousand forks of a database in memory.
//! `pglite-peers tpcb WRITERS SECONDS [async]`: pgbench's TPC-B transaction at scale 10 by that many sessions of this process.
//! `pglite-peers tpcc TERMINALS SECONDS LEVEL`: the transactions of `benches/tpcc.py` by that many sessions of this process; fails where the books
//! are wrong afterwards.
//! `benches/peers.sh` runs them beside PostgreSQL. Figures of record stand in docs/BENCHMARKS.md.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod fork;
mod tpcb;
mod tpcc;
mod versus;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| arguments.get(at).map_or(default, |text| text.parse().unwrap());
    match arguments.first().map(String::as_str) {
        Some("sqlite") => versus::run(number(1, 2)),
        Some("one") if arguments.len() == 4 => versus::one(&arguments[1], &arguments[2], number(3, 0)),
        Some("fork") => fork::run(number(1, 500)),
        Some("tpcb") => tpcb::run(
            number(1, 32),
            number(2, 10),
            arguments.get(3).is_some_and(|word| word == "async"),
        ),
        Some("tpcc") if arguments.len() == 4 => tpcc::run(number(1, 8), number(2, 8), &arguments[3]),
        _ => {
            eprintln!(
                "usage: pglite-peers sqlite [SECONDS] | one sqlite|pglite WORK COUNT | fork [MEGABYTES] | tpcb WRITERS SECONDS [async] | tpcc TERMINALS SECONDS LEVEL"
            );
            std::process::exit(2);
        }
    }
}

/// Numbers that only need to look random: xorshift.
pub struct Random(pub u64);

impl Random {
    /// One of `0..below`.
    pub fn below(&mut self, below: u64) -> i32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below) as i32
    }

    /// One of `low..=high`.
    pub fn between(&mut self, low: i32, high: i32) -> i32 {
        low + self.below((high - low + 1) as u64)
    }

    pub fn percent(&mut self, chance: i32) -> bool {
        self.below(100) < chance
    }

    /// One of `low..=high`, some far more often than others (TPC-C's NURand).
    pub fn uneven(&mut self, bits: i32, low: i32, high: i32) -> i32 {
        ((self.between(0, bits) | self.between(low, high)) + 123) % (high - low + 1) + low
    }
}

/// The value at `share` of the sorted times.
pub fn quantile(times: &mut [u64], share: f64) -> u64 {
    times.sort_unstable();
    times
        .get(((times.len() as f64 - 1.0) * share) as usize)
        .copied()
        .unwrap_or(0)
}
