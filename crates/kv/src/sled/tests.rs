//! Tests of the sled backend.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use common::env::os::OsEnv;
use common::env::sim::SimEnv;

use super::*;
use crate::conformance::{self, Harness, all, write};

#[test]
fn conforms() {
    let dir = tempfile::tempdir().unwrap();
    let env: Arc<dyn Env> = Arc::new(OsEnv::new());
    let options = KvOptions {
        cache_bytes_max: 16 << 20,
    };
    let open = |name: &str| -> Arc<dyn Kv> {
        Arc::new(SledKv::open(&env, &dir.path().join(name), &options).unwrap())
    };
    conformance::run_all(&Harness {
        open: &open,
        durable: true,
        model_seeds: 3,
    });
}

#[test]
fn refuses_a_simulated_file_system_and_a_second_owner() {
    let simulated: Arc<dyn Env> = Arc::new(SimEnv::new(1));
    let refused = SledKv::open(&simulated, Path::new("/no such directory"), &KvOptions::default());
    assert!(matches!(refused, Err(KvError::Unsupported(_))));

    let dir = tempfile::tempdir().unwrap();
    let env: Arc<dyn Env> = Arc::new(OsEnv::new());
    let _kv = SledKv::open(&env, dir.path(), &KvOptions::default()).unwrap();
    let refused = SledKv::open(&env, dir.path(), &KvOptions::default());
    assert!(matches!(refused, Err(KvError::Locked(_))));
}

#[test]
fn undo_records_go_with_their_last_reader() {
    let snapshots = Snapshots::default();
    let undo = |old: &[u8]| Undo::from([(b"k".to_vec(), Some(old.to_vec()))]);
    let read = |snapshot: &snapshots::Snapshot| {
        let mut entries = BTreeMap::from([(b"k".to_vec(), b"newest".to_vec())]);
        snapshot.restore(&mut entries, (Bound::Unbounded, Bound::Unbounded));
        entries.remove(&b"k"[..]).unwrap()
    };
    let first = snapshots.begin();
    snapshots.publish(undo(b"1"));
    let second = snapshots.begin();
    snapshots.publish(undo(b"2"));
    assert_eq!(read(&first), b"1");
    assert_eq!(read(&second), b"2");
    drop(first);
    assert_eq!(read(&second), b"2");
    drop(second);
    assert!(!snapshots.has_readers());
    assert_eq!(read(&snapshots.begin()), b"newest");
}

#[test]
fn a_damaged_value_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let env: Arc<dyn Env> = Arc::new(OsEnv::new());
    let kv = SledKv::open(&env, dir.path(), &KvOptions::default()).unwrap();
    write(&kv, Durability::Immediate, |batch| {
        batch.put(Keyspace(1), "k", "value")
    });
    let mut stored = kv
        .database
        .get(prefixed(Keyspace(1), b"k"))
        .unwrap()
        .unwrap()
        .to_vec();
    stored[0] ^= 1;
    kv.database.insert(prefixed(Keyspace(1), b"k"), stored).unwrap();
    assert!(matches!(kv.get(Keyspace(1), b"k"), Err(KvError::Corrupt(_))));
    drop(kv);
    let kv = SledKv::open(&env, dir.path(), &KvOptions::default()).unwrap();
    assert_eq!(all(&kv, Keyspace(2)), []);
}
