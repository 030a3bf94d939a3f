//! What every backend must do, as one list of checks that each backend's tests call.
//!
//! A backend hands in a [`Harness`]: how to open its store (again), so that reopening can be checked, and whether it has files at
//! all. A check panics when it fails, as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

pub mod model;

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Direction, Durability, Keyspace, Kv, KvEntry, WriteBatch};

/// How the checks get at a backend.
pub struct Harness<'a> {
    /// Opens the store of this name; the same name again opens the same store.
    pub open: &'a dyn Fn(&str) -> Arc<dyn Kv>,
    /// True if content outlives the handle.
    pub durable: bool,
    /// Seeds of the comparison with the model.
    pub model_seeds: u64,
}

/// Runs every check.
pub fn run_all(harness: &Harness) {
    let checks: &[(&str, fn(&dyn Kv))] = &[
        ("gets_what_was_put", gets_what_was_put),
        ("empty_keys_and_values", empty_keys_and_values),
        ("a_batch_applies_in_order", a_batch_applies_in_order),
        ("multi_get_keeps_the_order", multi_get_keeps_the_order),
        ("ranges_obey_every_bound", ranges_obey_every_bound),
        (
            "a_visitor_may_stop_and_may_read_and_write",
            a_visitor_may_stop_and_may_read_and_write,
        ),
        ("a_range_sees_one_point_in_time", a_range_sees_one_point_in_time),
        ("keyspaces_are_separate", keyspaces_are_separate),
        ("keyspaces_are_listed", keyspaces_are_listed),
        ("a_dropped_keyspace_is_empty", a_dropped_keyspace_is_empty),
        ("big_values", big_values),
        ("readers_see_whole_batches", readers_see_whole_batches),
        ("maintenance_loses_nothing", maintenance_loses_nothing),
    ];
    for (name, check) in checks {
        check((harness.open)(name).as_ref());
    }
    if harness.durable {
        reopening_keeps_everything(harness);
    }
    for seed in 0..harness.model_seeds {
        model::compare(harness, seed);
    }
}

const A: Keyspace = Keyspace(1);
const B: Keyspace = Keyspace(2);

/// Writes one batch that `fill` fills.
pub fn write(kv: &dyn Kv, durability: Durability, fill: impl FnOnce(&mut WriteBatch)) {
    let mut batch = WriteBatch::new();
    fill(&mut batch);
    kv.write(batch, durability).unwrap();
}

fn put(kv: &dyn Kv, keyspace: Keyspace, key: &[u8], value: &[u8]) {
    write(kv, Durability::Eventual, |batch| batch.put(keyspace, key, value));
}

fn get(kv: &dyn Kv, keyspace: Keyspace, key: &[u8]) -> Option<Vec<u8>> {
    kv.get(keyspace, key).unwrap().map(|value| value.to_vec())
}

/// The entries between two bounds.
pub fn entries(
    kv: &dyn Kv,
    keyspace: Keyspace,
    bounds: (Bound<&[u8]>, Bound<&[u8]>),
    direction: Direction,
) -> Vec<KvEntry> {
    let mut found = Vec::new();
    kv.range(keyspace, bounds, direction, &mut |key, value| {
        found.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    })
    .unwrap();
    found
}

/// All entries of a keyspace.
pub fn all(kv: &dyn Kv, keyspace: Keyspace) -> Vec<KvEntry> {
    entries(
        kv,
        keyspace,
        (Bound::Unbounded, Bound::Unbounded),
        Direction::Forward,
    )
}

fn gets_what_was_put(kv: &dyn Kv) {
    assert_eq!(get(kv, A, b"k"), None);
    put(kv, A, b"k", b"1");
    assert_eq!(get(kv, A, b"k").unwrap(), b"1");
    put(kv, A, b"k", b"22");
    assert_eq!(get(kv, A, b"k").unwrap(), b"22");
    assert_eq!(get(kv, A, b"kk"), None);
    write(kv, Durability::Immediate, |batch| batch.delete(A, "k"));
    assert_eq!(get(kv, A, b"k"), None);
    write(kv, Durability::Eventual, |batch| batch.delete(A, "never there"));
    write(kv, Durability::Immediate, |_| {});
}

fn empty_keys_and_values(kv: &dyn Kv) {
    put(kv, A, b"", b"empty key");
    put(kv, A, b"\0", b"");
    assert_eq!(get(kv, A, b"").unwrap(), b"empty key");
    assert_eq!(get(kv, A, b"\0").unwrap(), b"");
    assert_eq!(
        all(kv, A),
        [
            (b"".to_vec(), b"empty key".to_vec()),
            (b"\0".to_vec(), b"".to_vec())
        ]
    );
    let bounds = (Bound::Excluded(&b""[..]), Bound::Unbounded);
    assert_eq!(
        entries(kv, A, bounds, Direction::Backward),
        [(b"\0".to_vec(), b"".to_vec())]
    );
    write(kv, Durability::Eventual, |batch| batch.delete(A, ""));
    assert_eq!(get(kv, A, b""), None);
}

fn a_batch_applies_in_order(kv: &dyn Kv) {
    write(kv, Durability::Eventual, |batch| {
        batch.put(A, "a", "1");
        batch.delete(A, "a");
        batch.delete(A, "b");
        batch.put(A, "b", "1");
        batch.put(A, "b", "2");
        batch.put(B, "x", "1");
        batch.drop_keyspace(B);
        batch.put(B, "y", "1");
    });
    assert_eq!(all(kv, A), [(b"b".to_vec(), b"2".to_vec())]);
    assert_eq!(all(kv, B), [(b"y".to_vec(), b"1".to_vec())]);
}

fn multi_get_keeps_the_order(kv: &dyn Kv) {
    assert_eq!(kv.multi_get(A, &[b"x", b"y"]).unwrap(), [None, None]);
    put(kv, A, b"a", b"1");
    put(kv, A, b"c", b"3");
    let found = kv.multi_get(A, &[b"c", b"b", b"a", b"c"]).unwrap();
    let found: Vec<_> = found.iter().map(|value| value.as_deref()).collect();
    assert_eq!(found, [Some(&b"3"[..]), None, Some(b"1"), Some(b"3")]);
    assert_eq!(kv.multi_get(A, &[]).unwrap(), []);
}

fn ranges_obey_every_bound(kv: &dyn Kv) {
    let keys: [&[u8]; 6] = [b"", b"a", b"aa", b"b", b"b\0", b"\xff\xff"];
    write(kv, Durability::Eventual, |batch| {
        keys.iter().for_each(|key| batch.put(A, *key, *key))
    });
    let probes: [&[u8]; 9] = [
        b"",
        b"\0",
        b"a",
        b"aa",
        b"ab",
        b"b",
        b"b\0",
        b"\xff",
        b"\xff\xff\xff",
    ];
    let mut bounds = vec![Bound::Unbounded];
    bounds.extend(
        probes
            .iter()
            .flat_map(|probe| [Bound::Included(*probe), Bound::Excluded(*probe)]),
    );
    let above = |key: &[u8], low: Bound<&[u8]>| match low {
        Bound::Unbounded => true,
        Bound::Included(low) => key >= low,
        Bound::Excluded(low) => key > low,
    };
    let below = |key: &[u8], high: Bound<&[u8]>| match high {
        Bound::Unbounded => true,
        Bound::Included(high) => key <= high,
        Bound::Excluded(high) => key < high,
    };
    for low in &bounds {
        for high in &bounds {
            let inside = keys.iter().filter(|key| above(key, *low) && below(key, *high));
            let mut want: Vec<KvEntry> = inside.map(|key| (key.to_vec(), key.to_vec())).collect();
            assert_eq!(
                entries(kv, A, (*low, *high), Direction::Forward),
                want,
                "{low:?} to {high:?}"
            );
            want.reverse();
            assert_eq!(
                entries(kv, A, (*low, *high), Direction::Backward),
                want,
                "{low:?} to {high:?}"
            );
        }
    }
    assert_eq!(all(kv, B), []);
}

fn a_visitor_may_stop_and_may_read_and_write(kv: &dyn Kv) {
    write(kv, Durability::Eventual, |batch| {
        (0..100u8).for_each(|i| batch.put(A, [i], [i]))
    });
    let mut seen = 0;
    kv.range(
        A,
        (Bound::Unbounded, Bound::Unbounded),
        Direction::Backward,
        &mut |key, value| {
            assert_eq!(get(kv, A, key).unwrap(), value);
            put(kv, B, key, value);
            assert_eq!(all(kv, B).len(), seen + 1);
            kv.flush().unwrap();
            kv.compact(&|| false).unwrap();
            seen += 1;
            if key == [97] {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        },
    )
    .unwrap();
    assert_eq!(seen, 3);
}

fn a_range_sees_one_point_in_time(kv: &dyn Kv) {
    write(kv, Durability::Eventual, |batch| {
        (0..1000u16).for_each(|i| batch.put(A, i.to_be_bytes(), "old"))
    });
    let mut seen = 0;
    kv.range(
        A,
        (Bound::Unbounded, Bound::Unbounded),
        Direction::Forward,
        &mut |_, value| {
            if seen == 0 {
                write(kv, Durability::Eventual, |batch| {
                    (0..2000u16).for_each(|i| batch.put(A, i.to_be_bytes(), "new"));
                    (0..500u16).for_each(|i| batch.delete(A, (i * 2).to_be_bytes()));
                });
            }
            assert_eq!(value, b"old");
            seen += 1;
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    assert_eq!(seen, 1000);
    assert_eq!(all(kv, A).len(), 1500);
}

fn keyspaces_are_separate(kv: &dyn Kv) {
    let keyspaces = [0, 1, 2, 255, 256, 1 << 32, u64::MAX - 1, u64::MAX].map(Keyspace);
    for keyspace in keyspaces {
        put(kv, keyspace, b"k", &keyspace.0.to_be_bytes());
        put(kv, keyspace, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"last");
    }
    for keyspace in keyspaces {
        assert_eq!(get(kv, keyspace, b"k").unwrap(), keyspace.0.to_be_bytes());
        assert_eq!(all(kv, keyspace).len(), 2);
    }
    write(kv, Durability::Eventual, |batch| {
        (1000..2000).for_each(|i| batch.put(Keyspace(i), "k", i.to_be_bytes()));
    });
    assert_eq!(get(kv, Keyspace(1234), b"k").unwrap(), 1234u64.to_be_bytes());
}

fn keyspaces_are_listed(kv: &dyn Kv) {
    let filled = [
        Keyspace(0),
        A,
        B,
        Keyspace(0x1234_5678_9abc),
        Keyspace(u64::MAX - 1),
    ];
    assert_eq!(kv.keyspaces().unwrap(), []);
    write(kv, Durability::Immediate, |batch| {
        for keyspace in filled.iter().rev() {
            batch.put(*keyspace, "", "x");
            batch.put(*keyspace, "k", "y");
        }
    });
    assert_eq!(kv.keyspaces().unwrap(), filled);
    write(kv, Durability::Immediate, |batch| batch.drop_keyspace(A));
    let left: Vec<Keyspace> = kv.keyspaces().unwrap();
    let holds = |k: &Keyspace| kv.get(*k, b"k").unwrap().is_some();
    assert!(
        left.iter()
            .copied()
            .filter(holds)
            .eq(filled.into_iter().filter(|k| *k != A))
    );
}

fn a_dropped_keyspace_is_empty(kv: &dyn Kv) {
    for keyspace in [A, Keyspace(u64::MAX)] {
        write(kv, Durability::Eventual, |batch| {
            (0..5000u32).for_each(|i| batch.put(keyspace, i.to_be_bytes(), [1; 100]));
            batch.put(B, "stays", "here");
        });
        write(kv, Durability::Immediate, |batch| batch.drop_keyspace(keyspace));
        assert_eq!(all(kv, keyspace), []);
        assert_eq!(get(kv, keyspace, &7u32.to_be_bytes()), None);
        assert_eq!(get(kv, B, b"stays").unwrap(), b"here");
        put(kv, keyspace, b"again", b"1");
        assert_eq!(all(kv, keyspace).len(), 1);
    }
    write(kv, Durability::Immediate, |batch| {
        batch.drop_keyspace(Keyspace(77))
    });
}

fn big_values(kv: &dyn Kv) {
    let value = |len: usize| -> Vec<u8> { (0..len).map(|i| (i * 31 % 251) as u8).collect() };
    for len in [1usize, 4095, 4096, 4097, 65_536, 1_000_000, 8_000_000] {
        put(kv, A, &len.to_be_bytes(), &value(len));
    }
    for len in [1usize, 4095, 4096, 4097, 65_536, 1_000_000, 8_000_000] {
        assert!(
            get(kv, A, &len.to_be_bytes()).unwrap() == value(len),
            "{len} bytes"
        );
    }
    let key = vec![b'k'; 2700];
    put(kv, A, &key, b"long key");
    assert_eq!(get(kv, A, &key).unwrap(), b"long key");
}

fn readers_see_whole_batches(kv: &dyn Kv) {
    write(kv, Durability::Eventual, |batch| {
        (0..50u8).for_each(|i| batch.put(A, [i], 0u32.to_be_bytes()))
    });
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut last = vec![0; 4];
                while !done.load(Ordering::Acquire) {
                    let seen = all(kv, A);
                    assert_eq!(seen.len(), 50);
                    assert!(seen.iter().all(|(_, value)| *value == seen[0].1), "half a batch");
                    assert!(seen[0].1 >= last, "time ran backwards");
                    last.clone_from(&seen[0].1);
                    let two = kv.multi_get(A, &[&[0], &[49]]).unwrap();
                    assert_eq!(two[0], two[1]);
                }
            });
        }
        for round in 1..200u32 {
            let durability = if round % 50 == 0 {
                Durability::Immediate
            } else {
                Durability::Eventual
            };
            write(kv, durability, |batch| {
                (0..50u8).for_each(|i| batch.put(A, [i], round.to_be_bytes()))
            });
        }
        done.store(true, Ordering::Release);
    });
    assert_eq!(get(kv, A, &[9]).unwrap(), 199u32.to_be_bytes());
}

fn maintenance_loses_nothing(kv: &dyn Kv) {
    let key = |i: u32| i.to_be_bytes();
    write(kv, Durability::Eventual, |batch| {
        (0..20_000).for_each(|i| batch.put(A, key(i), [7; 100]))
    });
    write(kv, Durability::Eventual, |batch| {
        (0..19_000).for_each(|i| batch.delete(A, key(i)))
    });
    kv.flush().unwrap();
    let kept: Vec<KvEntry> = (19_000..20_000)
        .map(|i| (key(i).to_vec(), vec![7; 100]))
        .collect();
    let before = kv.size_on_disk().unwrap();
    // Given up, and to its end.
    for gives_up in [true, false] {
        kv.compact(&|| gives_up).unwrap();
        assert!(kv.size_on_disk().unwrap() <= before);
        assert_eq!(all(kv, A), kept);
    }
}

fn reopening_keeps_everything(harness: &Harness) {
    let kv = (harness.open)("reopen");
    write(kv.as_ref(), Durability::Eventual, |batch| {
        batch.put(A, "eventual", "1")
    });
    write(kv.as_ref(), Durability::Immediate, |batch| {
        batch.put(B, "immediate", "2")
    });
    write(kv.as_ref(), Durability::Eventual, |batch| {
        batch.put(A, "flushed", "3")
    });
    kv.flush().unwrap();
    write(kv.as_ref(), Durability::Immediate, |batch| {
        batch.drop_keyspace(Keyspace(3))
    });
    assert!(kv.size_on_disk().unwrap() > 0);
    drop(kv);
    let kv = (harness.open)("reopen");
    let want = [
        (b"eventual".to_vec(), b"1".to_vec()),
        (b"flushed".to_vec(), b"3".to_vec()),
    ];
    assert_eq!(all(kv.as_ref(), A), want);
    assert_eq!(get(kv.as_ref(), B, b"immediate").unwrap(), b"2");
}
