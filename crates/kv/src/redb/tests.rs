//! Tests of the redb backend: conformance, crashes, full disks, failing I/O, damage.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::cell::RefCell;
use std::collections::HashSet;
use std::io;

use common::env::os::OsEnv;
use common::env::sim::{CrashMode, IoKind, SimEnv, SimRandom};

use super::*;
use crate::conformance::model::{Model, Shape, random_batch};
use crate::conformance::{self, Harness, all, write};

fn open_with_cache(env: &SimEnv, cache_bytes_max: usize) -> KvResult<RedbKv> {
    let env: Arc<dyn Env> = Arc::new(env.clone());
    RedbKv::open(&env, Path::new("/db"), &KvOptions { cache_bytes_max })
}

fn open_in(env: &SimEnv) -> KvResult<RedbKv> {
    open_with_cache(env, 1 << 20)
}

/// How many seeds to try: `KV_SEEDS_FACTOR=100 cargo test -p pglite-kv --release` tries a hundred times as many.
fn seeds(usual: u64) -> u64 {
    usual * std::env::var("KV_SEEDS_FACTOR").map_or(1, |factor| factor.parse().unwrap())
}

fn store_path() -> PathBuf {
    Path::new("/db").join(FILE_NAME)
}

#[test]
fn conforms_in_the_simulator() {
    let machines: RefCell<HashMap<String, SimEnv>> = RefCell::default();
    let open = |name: &str| -> Arc<dyn Kv> {
        let env = machines
            .borrow_mut()
            .entry(name.to_owned())
            .or_insert_with(|| SimEnv::new(1))
            .clone();
        Arc::new(open_in(&env).unwrap())
    };
    conformance::run_all(&Harness {
        open: &open,
        durable: true,
        model_seeds: 30,
    });
}

#[test]
fn conforms_on_the_operating_system() {
    let dir = tempfile::tempdir().unwrap();
    let env: Arc<dyn Env> = Arc::new(OsEnv::new());
    let open = |name: &str| -> Arc<dyn Kv> {
        Arc::new(RedbKv::open(&env, &dir.path().join(name), &KvOptions::default()).unwrap())
    };
    conformance::run_all(&Harness {
        open: &open,
        durable: true,
        model_seeds: 3,
    });
}

#[test]
fn two_handles_on_one_file_are_refused() {
    let env = SimEnv::new(1);
    let _kv = open_in(&env).unwrap();
    let refused = open_in(&env).err().unwrap();
    assert!(matches!(refused, KvError::Locked(_)), "{refused}");
}

const SHAPE: Shape = Shape {
    keyspaces: 3,
    keys: 200,
    value_len_max: 900,
    ops_max: 40,
};

/// A workload of batches that may be interrupted by the simulated crash.
struct Recorded {
    /// The states after each batch, from the empty one on.
    states: Vec<Model>,
    /// The last state that was acknowledged as durable.
    durable: usize,
    /// The last state that was tried.
    tried: usize,
}

fn run_workload(env: &SimEnv, seed: u64, batches: usize) -> Recorded {
    let mut recorded = Recorded {
        states: vec![Model::default()],
        durable: 0,
        tried: 0,
    };
    // A tiny cache makes eventual batches spill to the file.
    let cache_bytes_max = if seed.is_multiple_of(2) { 1 << 20 } else { 20_000 };
    let Ok(mut kv) = open_with_cache(env, cache_bytes_max) else {
        return recorded;
    };
    let mut random = SimRandom::new(seed);
    for _ in 0..batches {
        if random.one_in(12) && kv.compact(&|| false).is_err() {
            break;
        }
        if random.one_in(12) {
            drop(kv);
            match open_with_cache(env, cache_bytes_max) {
                Ok(reopened) => kv = reopened,
                Err(_) => break,
            }
        }
        let batch = random_batch(&mut random, SHAPE);
        let mut state = recorded.states.last().unwrap().clone();
        state.write(&batch);
        recorded.states.push(state);
        recorded.tried += 1;
        let durability = if random.one_in(3) {
            Durability::Immediate
        } else {
            Durability::Eventual
        };
        if kv.write(batch, durability).is_err() {
            break;
        }
        if durability == Durability::Immediate {
            recorded.durable = recorded.tried;
        }
    }
    recorded
}

fn check_after_crash(image: &SimEnv, recorded: &Recorded, what: &str) {
    let kv = open_in(image).unwrap_or_else(|e| panic!("{what}: {e}"));
    let surviving = recorded.durable..=recorded.tried;
    let found = surviving
        .clone()
        .find(|state| recorded.states[*state].matches(&kv, SHAPE.keyspaces));
    assert!(found.is_some(), "{what}: none of the states {surviving:?}");
    write(&kv, Durability::Immediate, |batch| {
        batch.put(Keyspace(9), "after", "crash")
    });
}

#[test]
fn a_crash_at_any_operation_loses_nothing_durable() {
    let images_per_crash = 2;
    for seed in 0..seeds(2) {
        let calm = SimEnv::new(seed);
        run_workload(&calm, seed, 12);
        let operations = calm.operation_count();
        for operation in 0..operations {
            let env = SimEnv::new(seed);
            env.crash_at_operation(operation);
            let recorded = run_workload(&env, seed, 12);
            for image in 0..images_per_crash {
                let what = format!("seed {seed}, operation {operation} of {operations}, image {image}");
                check_after_crash(&env.crash(), &recorded, &what);
            }
        }
    }
}

#[test]
fn many_seeds_crash_at_random_operations() {
    for seed in 1000..1300 {
        let calm = SimEnv::new(seed);
        run_workload(&calm, seed, 25);
        let mut random = SimRandom::new(seed);
        for _ in 0..3 {
            let operation = random.below(calm.operation_count());
            let env = SimEnv::new(seed);
            env.crash_at_operation(operation);
            let recorded = run_workload(&env, seed, 25);
            check_after_crash(
                &env.crash(),
                &recorded,
                &format!("seed {seed}, operation {operation}"),
            );
        }
    }
}

#[test]
fn a_crash_while_recovering_from_a_crash_loses_nothing_durable() {
    for seed in 0..seeds(40) {
        let env = SimEnv::new(seed);
        let recorded = run_workload(&env, seed, 15);
        for operation in 0..12 {
            let image = env.crash();
            image.crash_at_operation(operation);
            drop(open_in(&image));
            check_after_crash(
                &image.crash(),
                &recorded,
                &format!("seed {seed}, operation {operation}"),
            );
        }
    }
}

#[test]
fn a_full_disk_is_reported_and_survived() {
    let env = SimEnv::new(1);
    let kv = open_in(&env).unwrap();
    write(&kv, Durability::Immediate, |batch| {
        batch.put(Keyspace(1), "first", "1")
    });
    env.set_capacity(Some(env.used_bytes() + 100_000));
    let mut written = 0u32;
    let error = loop {
        let mut batch = WriteBatch::new();
        batch.put(Keyspace(2), written.to_be_bytes(), vec![1; 10_000]);
        match kv.write(batch, Durability::Immediate) {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.sqlstate(), common::sqlstate::DISK_FULL, "{error}");
    assert!(
        error
            .to_string()
            .starts_with("could not write to file \"/db/store.redb\": "),
        "{error}"
    );
    for _ in 0..3 {
        assert_eq!(kv.get(Keyspace(1), b"first").unwrap().unwrap().as_ref(), b"1");
        assert_eq!(all(&kv, Keyspace(2)).len(), written as usize);
        let mut batch = WriteBatch::new();
        batch.put(Keyspace(2), "more", vec![1; 200_000]);
        kv.write(batch, Durability::Immediate).unwrap_err();
    }
    env.set_capacity(None);
    write(&kv, Durability::Immediate, |batch| {
        batch.put(Keyspace(2), "more", vec![1; 200_000])
    });
    drop(kv);
    let kv = open_in(&env.crash()).unwrap();
    assert_eq!(all(&kv, Keyspace(2)).len(), written as usize + 1);
}

#[test]
fn failing_io_never_loses_what_was_durable() {
    let kinds = [IoKind::Write, IoKind::Read, IoKind::SetLen, IoKind::Sync];
    for (seed, kind) in (0..seeds(150)).zip(kinds.iter().cycle()) {
        let env = SimEnv::new(seed);
        let mut random = SimRandom::new(seed);
        let kv = open_in(&env).unwrap();
        env.fail(*kind, 1 + random.below(30), io::ErrorKind::Other);
        // States that the store may be in: a failed write has come through as a whole or not at all.
        let mut possible = vec![Model::default()];
        for _ in 0..30 {
            let batch = random_batch(&mut random, SHAPE);
            let mut written = possible.clone();
            written.iter_mut().for_each(|model| model.write(&batch));
            match kv.write(batch, Durability::Immediate) {
                Ok(()) => possible = written,
                Err(e) => {
                    assert_eq!(e.sqlstate(), common::sqlstate::IO_ERROR, "seed {seed}: {e}");
                    possible.extend(written);
                }
            }
            if possible.len() > 1 {
                possible.retain(|model| model.matches(&kv, SHAPE.keyspaces));
                possible.dedup();
                assert_eq!(possible.len(), 1, "seed {seed}, {kind:?}");
            }
        }
        drop(kv);
        let kv = open_in(&env.crash_with(CrashMode::LoseUnsynced)).unwrap();
        let found = possible.iter().any(|model| model.matches(&kv, SHAPE.keyspaces));
        assert!(found, "seed {seed}, {kind:?}");
    }
}

#[test]
fn a_damaged_value_is_found() {
    let env = SimEnv::new(1);
    let kv = open_in(&env).unwrap();
    write(&kv, Durability::Immediate, |batch| {
        batch.put(Keyspace(1), "bad", "a value that can be found in the file");
        batch.put(Keyspace(1), "good", "another one");
    });
    drop(kv);
    let flip = |content: &mut Vec<u8>| {
        let needle = b"can be found";
        let places: Vec<usize> = (0..content.len() - needle.len())
            .filter(|at| content[*at..].starts_with(needle))
            .collect();
        places.iter().for_each(|at| content[*at] ^= 1);
        assert!(!places.is_empty());
    };
    env.damage(&store_path(), flip).unwrap();
    let kv = open_in(&env).unwrap();
    let error = kv.get(Keyspace(1), b"bad").unwrap_err();
    assert_eq!(error.sqlstate(), common::sqlstate::DATA_CORRUPTED, "{error}");
    kv.range(
        Keyspace(1),
        (Bound::Unbounded, Bound::Unbounded),
        Direction::Forward,
        &mut |_, _| ControlFlow::Continue(()),
    )
    .unwrap_err();
    assert_eq!(
        kv.get(Keyspace(1), b"good").unwrap().unwrap().as_ref(),
        b"another one"
    );
}

#[test]
fn garbage_in_the_file_gives_errors_not_panics_and_never_wrong_values() {
    let env = SimEnv::new(1);
    let mut ever_written = HashSet::new();
    let mut random = SimRandom::new(1);
    let kv = open_in(&env).unwrap();
    for _ in 0..30 {
        let batch = random_batch(&mut random, SHAPE);
        ever_written.extend(batch.ops().iter().cloned());
        kv.write(batch, Durability::Immediate).unwrap();
    }
    drop(kv);
    quiet_panics_of_this_thread();
    let (mut refused, mut failed, mut worked) = (0, 0, 0);
    for seed in 0..seeds(400) {
        let mut random = SimRandom::new(seed);
        let image = env.crash_with(CrashMode::KeepUnsynced);
        image
            .damage(&store_path(), |content| damage(content, &mut random))
            .unwrap();
        let Ok(kv) = open_in(&image) else {
            refused += 1;
            continue;
        };
        let mut errors = 0;
        for keyspace in (0..SHAPE.keyspaces).map(Keyspace) {
            let everything = (Bound::Unbounded, Bound::Unbounded);
            let visited = kv.range(keyspace, everything, Direction::Forward, &mut |key, value| {
                // Old states of the file may come back by damage, invented values may not.
                let entry = WriteOp::Put {
                    keyspace,
                    key: key.to_vec(),
                    value: value.to_vec(),
                };
                assert!(ever_written.contains(&entry), "seed {seed}: {entry:?}");
                ControlFlow::Continue(())
            });
            errors += usize::from(visited.is_err());
            errors += usize::from(kv.get(keyspace, &5u32.to_be_bytes()).is_err());
        }
        let mut batch = WriteBatch::new();
        batch.put(Keyspace(1), "x", "y");
        errors += usize::from(kv.write(batch, Durability::Immediate).is_err());
        errors += usize::from(kv.compact(&|| false).is_err());
        if errors > 0 { failed += 1 } else { worked += 1 }
    }
    assert!(
        refused > 20 && failed > 20,
        "refused {refused}, failed {failed}, worked {worked}"
    );
}

/// Hundreds of expected panics would bury the log.
fn quiet_panics_of_this_thread() {
    let (loud, here) = (std::panic::take_hook(), std::thread::current().id());
    std::panic::set_hook(Box::new(move |panic| {
        let from_redb = panic
            .location()
            .is_some_and(|place| place.file().contains("redb-"));
        if !(from_redb && std::thread::current().id() == here) {
            loud(panic);
        }
    }));
}

/// Overwrites, flips, zeros, moves or cuts off a part.
fn damage(content: &mut Vec<u8>, random: &mut SimRandom) {
    for _ in 0..=random.below(4) {
        // Damage to the first pages hurts most.
        let within = if random.one_in(2) {
            content.len().min(8192)
        } else {
            content.len()
        };
        let at = random.index(within);
        let longest = if random.one_in(2) { 8 } else { 4096 };
        let len = (1 + random.index(longest)).min(content.len() - at);
        match random.below(6) {
            0 | 1 => random.fill(&mut content[at..at + len]),
            2 => content[at] ^= 1 << random.below(8),
            3 => content[at..at + len].fill(0),
            4 => {
                let from = random.index(content.len() - len + 1);
                content.copy_within(from..from + len, at);
            }
            _ if random.one_in(4) => content.truncate(at + 1),
            _ => content[at] = content[at].wrapping_add(1),
        }
    }
}
