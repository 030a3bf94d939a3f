//! Crashes, full and failing disks, second openers: what the SQL of a whole database promises, on the simulated machine.
//!
//! `PGLITE_CRASH_SECONDS` is the time that each seeded test takes (default 8), `PGLITE_CRASH_SEED` runs one seed,
//! `PGLITE_CRASH_FIRST` is the seed to begin with.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod ahead;
mod check;
mod concurrently;
mod copies;
mod crash;
mod disk;
mod loads;
mod lock;
mod model;
mod workload;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pglite::env::sim::SimEnv;
use pglite::{Database, Result};

/// Opens the machine's database the way all these tests do: nothing runs by itself, small log segments and caches, so that
/// little work reaches every path.
fn open(env: &SimEnv) -> Result<Database> {
    open_at(env, Path::new("/db"))
}

fn open_at(env: &SimEnv, dir: &Path) -> Result<Database> {
    Database::builder()
        .directory(dir)
        .env(Arc::new(env.clone()))
        .background(false)
        .cache_size(256 << 10)
        .storage_options(|options| {
            options.wal_segment_size = 32 << 10;
            options.pack_rows_min = 2;
            options.spill_bytes = 2000;
            (options.ahead_after_rows, options.ahead_rows_min) = (0, 20);
            options.ahead_entry_bytes = 12_000;
            (options.toast_bytes_min, options.toast_ahead_bytes) = (40, 1500);
        })
        .open()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs seeds until the time is over.
fn seeds(what: &str, run: impl Fn(u64) -> u64) {
    if let Some(seed) = number("PGLITE_CRASH_SEED") {
        run(seed);
        return;
    }
    let first = number("PGLITE_CRASH_FIRST").unwrap_or(1);
    let budget = Duration::from_secs(number("PGLITE_CRASH_SECONDS").unwrap_or(8));
    let (start, mut seed, mut events) = (Instant::now(), first, 0);
    while start.elapsed() < budget {
        events += run(seed);
        seed += 1;
    }
    println!(
        "{what}: {} seeds from {first}, {events} events in {:?}",
        seed - first,
        start.elapsed()
    );
}
