//! kill -9 of a process that writes to a real store: everything it was told is durable is there.
#![cfg(all(unix, feature = "redb"))]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader};
use std::ops::{Bound, ControlFlow};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use common::env::{Env, os::OsEnv};
use pglite_kv::{Direction, Durability, Keyspace, Kv, KvKind, KvOptions, WriteBatch, open};

const DIR_VARIABLE: &str = "PGLITE_KV_KILL_TEST_DIR";
const ROUNDS: u64 = 8;

fn open_store(dir: &Path) -> Arc<dyn Kv> {
    let env: Arc<dyn Env> = Arc::new(OsEnv::new());
    open(KvKind::Redb, &env, dir, &KvOptions::default()).unwrap()
}

/// The number of the last batch in the store; every batch writes its number into both keyspaces, and a row of its own.
fn last_batch(kv: &dyn Kv) -> u64 {
    let number = |keyspace| {
        let value = kv.get(keyspace, b"last").unwrap();
        value.map_or(0, |value| u64::from_be_bytes(value.as_ref().try_into().unwrap()))
    };
    let last = number(Keyspace(1));
    assert_eq!(last, number(Keyspace(2)), "half a batch");
    let mut rows = 0;
    kv.range(
        Keyspace(3),
        (Bound::Unbounded, Bound::Unbounded),
        Direction::Forward,
        &mut |key, value| {
            rows += 1;
            assert_eq!(key, u64::to_be_bytes(rows));
            assert_eq!(value, vec![rows as u8; 1000]);
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    assert_eq!(rows, last);
    last
}

/// The child: writes until it is killed, and says which batch is durable.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(DIR_VARIABLE) else {
        return;
    };
    let kv = open_store(Path::new(&dir));
    for number in last_batch(kv.as_ref()) + 1.. {
        let mut batch = WriteBatch::new();
        batch.put(Keyspace(1), "last", number.to_be_bytes());
        batch.put(Keyspace(3), number.to_be_bytes(), [number as u8; 1000]);
        batch.put(Keyspace(2), "last", number.to_be_bytes());
        let durability = if number % 4 == 0 {
            Durability::Immediate
        } else {
            Durability::Eventual
        };
        kv.write(batch, durability).unwrap();
        if durability == Durability::Immediate {
            println!("\ndurable {number}");
        }
    }
}

#[test]
fn nothing_durable_is_lost_by_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut durable = 0;
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture"])
            .env(DIR_VARIABLE, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let number = |line: String| {
            line.strip_prefix("durable ")
                .map(|number| number.parse().unwrap())
        };
        // Not before it has written something, then after a while that differs from round to round.
        durable = lines.by_ref().find_map(|line| number(line.unwrap())).unwrap();
        std::thread::sleep(Duration::from_millis(7 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        durable = lines
            .filter_map(|line| number(line.unwrap()))
            .last()
            .unwrap_or(durable);
        let found = last_batch(open_store(dir.path()).as_ref());
        assert!(
            found >= durable,
            "round {round}: {found} found, {durable} were durable"
        );
    }
    assert!(durable > ROUNDS);
}
