//! Random histories of concurrent sessions, checked for what their isolation level forbids.
//!
//! # How it works
//! Sessions on threads append to lists and read them, in random transactions. Lists tell their own history: a list read is a prefix of the
//! last one, so the order of writes is known, and with it who depends on whom (`check`, after Elle: Kingsbury, Alvaro 2020). Lists are kept
//! as one text each, or as rows at positions counted by their writers (which makes phantoms count). Beside that money moves between
//! accounts, and a sum must stay.
//!
//! The seed drives what is done; threads add their own chance. `PGLITE_HISTORY_SECONDS=600 cargo test -p pglite --test histories --
//! --nocapture` runs longer, from `PGLITE_HISTORY_SEED` on.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod bank;
mod check;
mod lists;

use std::time::{Duration, Instant};

/// A small generator of our own: the same numbers from the same seed.
pub struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// Isolation levels as SQL spells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

impl Level {
    fn sql(self) -> &'static str {
        match self {
            Level::ReadCommitted => "READ COMMITTED",
            Level::RepeatableRead => "REPEATABLE READ",
            Level::Serializable => "SERIALIZABLE",
        }
    }
}

/// Runs rounds with rising seeds: one, or as many as the environment gives time for.
fn rounds(mut round: impl FnMut(u64)) {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let first = number("PGLITE_HISTORY_SEED").unwrap_or(1);
    let until = Instant::now() + Duration::from_secs(number("PGLITE_HISTORY_SECONDS").unwrap_or(0));
    let mut seed = first;
    loop {
        round(seed);
        seed += 1;
        if Instant::now() >= until {
            break;
        }
    }
    println!("seeds {first} to {}", seed - 1);
}

#[test]
fn lists_at_read_committed() {
    rounds(|seed| lists::round(seed, Level::ReadCommitted, lists::Form::Text));
}

#[test]
fn lists_at_repeatable_read() {
    rounds(|seed| lists::round(seed, Level::RepeatableRead, lists::Form::Text));
}

#[test]
fn lists_at_serializable() {
    rounds(|seed| lists::round(seed, Level::Serializable, lists::Form::Text));
}

#[test]
fn lists_of_rows_at_serializable() {
    rounds(|seed| lists::round(seed, Level::Serializable, lists::Form::Rows));
}

#[test]
fn money_stays_at_each_level() {
    rounds(|seed| {
        for level in [Level::ReadCommitted, Level::RepeatableRead, Level::Serializable] {
            bank::round(seed, level);
        }
    });
}
