//! Measures a backend: `cargo run --release -p pglite-kv --example measure -- redb /some/dir [rows]`.
//!
//! Rows are 8-byte keys in ascending order over ten keyspaces with values of 135 bytes, as a checkpoint of a few growing tables writes
//! them. Prints one figure a line.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::ops::{Bound, ControlFlow};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use common::env::{Env, os::OsEnv};
use pglite_kv::{Direction, Durability, Keyspace, Kv, KvKind, KvOptions, WriteBatch, open};

const KEYSPACES: u64 = 10;
const ROWS_PER_BATCH: u64 = 10_000;
const VALUE: [u8; 135] = [7; 135];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [kind, dir, ..] = args.as_slice() else {
        panic!("usage: measure KIND DIRECTORY [ROWS]")
    };
    let rows: u64 = args.get(2).map_or(1_000_000, |rows| rows.parse().unwrap());
    let (kind, dir): (KvKind, PathBuf) = (kind.parse().unwrap(), dir.into());
    let env: Arc<dyn Env> = Arc::new(OsEnv::new());
    let store = dir.join("measure");
    let _ = env.fs().remove_dir_all(&store);
    let kv = open(kind, &env, &store, &KvOptions::default()).unwrap();
    load(&env, kv.as_ref(), rows);
    read(&env, kv.as_ref(), rows);
    small_batches(&env, kv.as_ref(), rows);
    reopen(&env, kind, &dir, kv);
}

fn timed<T>(env: &Arc<dyn Env>, work: impl FnOnce() -> T) -> (T, Duration) {
    let start = env.monotonic();
    let done = work();
    (done, env.monotonic() - start)
}

fn place(row: u64) -> (Keyspace, [u8; 8]) {
    (Keyspace(row % KEYSPACES), row.to_be_bytes())
}

fn load(env: &Arc<dyn Env>, kv: &dyn Kv, rows: u64) {
    let ((), took) = timed(env, || {
        for first in (0..rows).step_by(ROWS_PER_BATCH as usize) {
            let mut batch = WriteBatch::new();
            for row in first..(first + ROWS_PER_BATCH).min(rows) {
                let (keyspace, key) = place(row);
                batch.put(keyspace, key, VALUE);
            }
            kv.write(batch, Durability::Eventual).unwrap();
        }
        kv.flush().unwrap();
    });
    println!("bulk load: {:.0} rows/s", rows as f64 / took.as_secs_f64());
    let logical = rows * (8 + VALUE.len() as u64);
    let size = kv.size_on_disk().unwrap();
    println!(
        "size on disk: {} MB, {:.2} times the rows",
        size >> 20,
        size as f64 / logical as f64
    );
    println!("memory after load: {} MB", resident_megabytes());
}

fn read(env: &Arc<dyn Env>, kv: &dyn Kv, rows: u64) {
    let gets = 200_000u64;
    for (name, among) in [("anywhere", rows), ("among 10,000 rows", 10_000)] {
        let ((), took) = timed(env, || {
            for i in 0..gets {
                let (keyspace, key) = place(i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % among);
                assert!(kv.get(keyspace, &key).unwrap().is_some());
            }
        });
        println!("get {name}: {:.2} us", took.as_secs_f64() * 1e6 / gets as f64);
    }
    let ranges = 20_000u64;
    let ((), took) = timed(env, || {
        for i in 0..ranges {
            let (keyspace, key) = place(i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % rows);
            let mut left = 100;
            kv.range(
                keyspace,
                (Bound::Included(&key), Bound::Unbounded),
                Direction::Forward,
                &mut |_, _| {
                    left -= 1;
                    if left == 0 {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    }
                },
            )
            .unwrap();
        }
    });
    println!("range of 100: {:.2} us", took.as_secs_f64() * 1e6 / ranges as f64);
    let (seen, took) = timed(env, || {
        let mut seen = 0u64;
        for keyspace in (0..KEYSPACES).map(Keyspace) {
            kv.range(
                keyspace,
                (Bound::Unbounded, Bound::Unbounded),
                Direction::Forward,
                &mut |_, _| {
                    seen += 1;
                    ControlFlow::Continue(())
                },
            )
            .unwrap();
        }
        seen
    });
    println!("full scan: {:.0} rows/s", seen as f64 / took.as_secs_f64());
    println!("memory after reads: {} MB", resident_megabytes());
}

fn small_batches(env: &Arc<dyn Env>, kv: &dyn Kv, rows: u64) {
    for durability in [Durability::Immediate, Durability::Eventual] {
        let batches = 200u64;
        let ((), took) = timed(env, || {
            for i in 0..batches {
                let mut batch = WriteBatch::new();
                for j in 0..100u64 {
                    let (keyspace, key) = place((i * 7919 + j * 104_729) % rows);
                    batch.put(keyspace, key, VALUE);
                }
                kv.write(batch, durability).unwrap();
            }
        });
        println!(
            "batch of 100 random rows, {durability:?}: {:.2} ms",
            took.as_secs_f64() * 1e3 / batches as f64
        );
    }
}

fn reopen(env: &Arc<dyn Env>, kind: KvKind, dir: &Path, kv: Arc<dyn Kv>) {
    if kind == KvKind::Memory {
        return;
    }
    kv.flush().unwrap();
    // A copy of the files of an open store is what kill -9 leaves.
    let killed = dir.join("measure.killed");
    let _ = env.fs().remove_dir_all(&killed);
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .arg(dir.join("measure"))
        .arg(&killed)
        .status();
    assert!(copied.unwrap().success());
    // Or else the first fsync after opening would have to write the whole copy.
    assert!(std::process::Command::new("sync").status().unwrap().success());
    let (reopened, took) = timed(env, || open(kind, env, &killed, &KvOptions::default()).unwrap());
    println!("reopen after kill: {:.2} ms", took.as_secs_f64() * 1e3);
    drop(reopened);
    let ((), took) = timed(env, || drop(kv));
    println!("close: {:.2} ms", took.as_secs_f64() * 1e3);
    let (_, took) = timed(env, || {
        open(kind, env, &dir.join("measure"), &KvOptions::default()).unwrap()
    });
    println!("reopen after close: {:.2} ms", took.as_secs_f64() * 1e3);
}

/// As Linux counts it; 0 elsewhere.
fn resident_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
        .map_or(0, |kilobytes| kilobytes >> 10)
}
