//! Entries in packs: what was built in bulk, taken out, put back and added since, a cold read finds, in both directions.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use ::common::RowId;
use ::common::env::sim::SimEnv;
use common::*;
use pglite_access::*;
use proptest::prelude::*;
use types::Datum;

const TABLE: u64 = 20000;
const INDEX: u64 = 20001;
/// More than go through delta.
const BUILT: i32 = 5000;

#[derive(Clone, Debug)]
enum Op {
    Delete { from: u16, step: u16, count: u16 },
    PutBack(u16),
    Add { from: u16, count: u16 },
    Maintain,
    Repack,
    Reopen,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (0..5500_u16, 1..40_u16, 1..600_u16).prop_map(|(from, step, count)| Op::Delete { from, step, count }),
        2 => (1..300_u16).prop_map(Op::PutBack),
        3 => (0..21_000_u16, 1..900_u16).prop_map(|(from, count)| Op::Add { from, count }),
        4 => Just(Op::Maintain),
        2 => Just(Op::Repack),
        1 => Just(Op::Reopen),
    ]
}

fn open(env: &SimEnv) -> Arc<Storage> {
    let mut options = StorageOptions::in_dir(Arc::new(env.clone()), Path::new("/db"));
    options.background = false;
    options.cache_bytes_max = 0;
    Storage::open(options).unwrap()
}

struct World {
    env: SimEnv,
    storage: Option<Arc<Storage>>,
    entries: BTreeSet<(i32, u64)>,
    deleted: Vec<(i32, u64)>,
    next_row: u64,
}

impl World {
    /// Entries that the store has under their own keys. The database is closed and opened for it.
    fn count_singles(&mut self) -> usize {
        let storage = self.storage.take().unwrap();
        storage.close().unwrap();
        drop(storage);
        let options = kv::KvOptions {
            cache_bytes_max: 1 << 20,
        };
        let env: Arc<dyn ::common::env::Env> = Arc::new(self.env.clone());
        let kv = kv::open(kv::KvKind::default(), &env, Path::new("/db/kv"), &options).unwrap();
        let mut singles = 0;
        let all = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
        kv.range(kv::Keyspace(INDEX), all, kv::Direction::Forward, &mut |_, _| {
            singles += 1;
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
        drop(kv);
        self.storage = Some(open(&self.env));
        singles
    }

    fn new(seed: u64) -> World {
        let env = SimEnv::new(seed);
        let storage = open(&env);
        let table = storage.table(&table_def(TABLE)).unwrap();
        let index = storage.index(&index_def(INDEX)).unwrap();
        let entries: BTreeSet<(i32, u64)> = (0..BUILT).map(|i| (i * 4, i as u64)).collect();
        Session::new(&storage, 1).run(|txn| {
            txn.adopt_relation(index.id()).unwrap();
            let space = TempSpace::default();
            let mut builder = IndexBuilder::new(&index, &table, &space, 1 << 20);
            for (key, row) in &entries {
                builder.push(&[int(*key)], &[], RowId(*row)).unwrap();
            }
            assert_eq!(builder.finish(txn).unwrap(), BuildOutcome::Built(BUILT as u64));
        });
        World {
            env,
            storage: Some(storage),
            entries,
            deleted: Vec::new(),
            next_row: BUILT as u64,
        }
    }

    fn with(&mut self, work: impl FnOnce(&mut World, &Index, &mut Transaction)) {
        let storage = Arc::clone(self.storage.as_ref().unwrap());
        let index = storage.index(&index_def(INDEX)).unwrap();
        Session::new(&storage, 1).run(|txn| work(self, &index, txn));
    }

    fn put(&mut self, index: &Index, txn: &mut Transaction, key: i32, row: u64) {
        if self.entries.iter().any(|(k, _)| *k == key) {
            return;
        }
        let put = index.insert(txn, &[int(key)], &[], RowId(row), UniqueCheck::Yes);
        assert_eq!(put.unwrap(), Ok(()));
        self.entries.insert((key, row));
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Delete { from, step, count } => self.with(|w, index, txn| {
                let some = w
                    .entries
                    .iter()
                    .skip(usize::from(from))
                    .step_by(usize::from(step));
                let some: Vec<(i32, u64)> = some.take(usize::from(count)).copied().collect();
                for (key, row) in some {
                    assert!(index.delete(txn, &[int(key)], RowId(row)).unwrap());
                    w.entries.remove(&(key, row));
                    w.deleted.push((key, row));
                }
            }),
            Op::PutBack(count) => self.with(|w, index, txn| {
                for _ in 0..count {
                    let Some((key, row)) = w.deleted.pop() else { break };
                    w.put(index, txn, key, row);
                }
            }),
            Op::Add { from, count } => self.with(|w, index, txn| {
                for key in (i32::from(from)..)
                    .filter(|k| k % 4 != 0)
                    .take(usize::from(count))
                {
                    let row = w.next_row;
                    w.next_row += 1;
                    w.put(index, txn, key, row);
                }
            }),
            Op::Maintain => self.storage.as_ref().unwrap().maintain().unwrap(),
            Op::Repack => {
                let storage = self.storage.as_ref().unwrap();
                let tables = [storage.table(&table_def(TABLE)).unwrap()];
                // Opened, or it is not known whose it is.
                storage.index(&index_def(INDEX)).unwrap();
                let cancel = ::common::cancel::CancelToken::new();
                storage.compact(&tables, CompactFile::Never, &cancel).unwrap();
            }
            Op::Reopen => {
                let storage = self.storage.take().unwrap();
                storage.close().unwrap();
                drop(storage);
                self.storage = Some(open(&self.env));
            }
        }
    }

    fn check(&mut self) {
        self.with(|w, index, txn| {
            let snapshot = txn.snapshot().unwrap();
            let mut prefix = Vec::new();
            for (key, row) in w.entries.iter().step_by(97) {
                index.encode_prefix(&[int(*key)], &mut prefix);
                assert_eq!(
                    index.lookup(&snapshot, &prefix).unwrap(),
                    Some(RowId(*row)),
                    "{key}"
                );
            }
            for (key, _) in w.deleted.iter().step_by(31) {
                let now = w
                    .entries
                    .iter()
                    .find(|(k, _)| k == key)
                    .map(|(_, row)| RowId(*row));
                index.encode_prefix(&[int(*key)], &mut prefix);
                assert_eq!(index.lookup(&snapshot, &prefix).unwrap(), now, "{key}");
            }
            let wanted: Vec<(i32, u64)> = w.entries.iter().copied().collect();
            let mut backward = Vec::new();
            let mut scan = index
                .scan(&snapshot, IndexBounds::all(), ScanDirection::Backward)
                .with_keys();
            let mut datums = Vec::new();
            while let Some(row) = scan.next_entry(&mut datums).unwrap() {
                let Some(Datum::Int4(key)) = datums.pop() else {
                    panic!("no key")
                };
                backward.push((key, row.0));
            }
            backward.reverse();
            assert_eq!(backward, wanted);
            assert_eq!(entries(index, &snapshot), wanted);
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn cold_entries_are_what_was_written(ops in prop::collection::vec(op(), 1..16), seed in 0_u64..1000) {
        let mut world = World::new(seed);
        world.check();
        for op in &ops {
            world.apply(op);
        }
        world.check();
        world.apply(&Op::Maintain);
        world.check();
        world.apply(&Op::Reopen);
        world.check();
    }
}

/// A dropped index leaves nothing in the store.
#[test]
fn packs_go_with_their_index() {
    let mut world = World::new(5);
    let storage = world.storage.take().unwrap();
    storage.maintain().unwrap();
    let before = storage.size_on_disk().unwrap();
    let index = storage.index(&index_def(INDEX)).unwrap();
    Session::new(&storage, 1).run(|txn| txn.drop_relation(index.id()).unwrap());
    drop(index);
    storage.maintain().unwrap();
    storage.maintain().unwrap();
    storage.close().unwrap();
    drop(storage);
    let kv = kv::open(
        kv::KvKind::default(),
        &(Arc::new(world.env.clone()) as Arc<dyn ::common::env::Env>),
        Path::new("/db/kv"),
        &kv::KvOptions {
            cache_bytes_max: 1 << 20,
        },
    )
    .unwrap();
    let left = kv.keyspaces().unwrap();
    assert!(
        left.iter().all(|k| k.0 & !(1 << 63) != INDEX),
        "{left:?}, {before} bytes before"
    );
}

/// After VACUUM nothing is left of deleted entries, and others that came since are in packs.
#[test]
fn repacking_leaves_no_single_entries() {
    let mut world = World::new(6);
    let delete = Op::Delete {
        from: 10,
        step: 3,
        count: 600,
    };
    for op in [
        delete,
        Op::PutBack(20),
        Op::Add { from: 1, count: 800 },
        Op::Maintain,
        Op::Maintain,
        Op::Repack,
    ] {
        world.apply(&op);
    }
    world.check();
    // A few that lie far from all others may stay.
    let singles = world.count_singles();
    assert!(singles < 16, "{singles} single entries");
    world.check();
}

/// A checkpoint writes many new entries that lie together as packs, in a place that others have left, too, and leaves what is there.
#[test]
fn checkpoints_pack_runs_of_new_entries() {
    let mut world = World::new(7);
    let add = |from, count| Op::Add { from, count };
    let delete = |from, step, count| Op::Delete { from, step, count };
    for op in [add(20_000, 900), Op::Maintain] {
        world.apply(&op);
    }
    world.check();
    assert_eq!(world.count_singles(), 0);
    for op in [
        delete(5_100, 7, 100),
        Op::Maintain,
        // Where some are, and beyond them.
        add(20_500, 800),
        Op::Maintain,
        delete(5_300, 1, 600),
        Op::PutBack(300),
        Op::Reopen,
        add(20_900, 300),
        Op::Maintain,
    ] {
        world.apply(&op);
        world.check();
    }
    assert!(world.count_singles() > 0);
    world.apply(&Op::Repack);
    assert!(world.count_singles() < 16);
    world.check();
}

/// A checkpoint takes many entries of a pack out of it, and leaves no tombstones; those that are under their own keys as well go, too.
#[test]
fn checkpoints_take_many_entries_out_of_packs() {
    let mut world = World::new(9);
    let delete = |from, step, count| Op::Delete { from, step, count };
    for op in [delete(1_000, 1, 1_500), delete(2_000, 2, 600), Op::Maintain] {
        world.apply(&op);
    }
    world.check();
    // Some at the edges: fewer of a pack than are worth writing it anew.
    let tombstones = world.count_singles();
    assert!(tombstones < 200, "{tombstones} of 2,100");
    world.check();
    // Back under their own keys, then away again; what few of a pack leave are tombstones.
    for op in [
        Op::PutBack(700),
        Op::Maintain,
        delete(2_000, 1, 1_200),
        delete(0, 100, 9),
        Op::Maintain,
        Op::Reopen,
    ] {
        world.apply(&op);
        world.check();
    }
    let singles = world.count_singles();
    assert!((9..400).contains(&singles), "{singles}");
    world.apply(&delete(0, 1, 5_000));
    world.apply(&Op::Maintain);
    world.check();
    world.apply(&Op::Reopen);
    world.check();
}
