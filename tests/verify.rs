//! `Database::verify` finds what is wrong, and nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::ops::{Bound, ControlFlow};
use std::path::Path;
use std::sync::Arc;

use kv::{Direction, Durability, Keyspace, KvKind, KvOptions, WriteBatch};
use pglite::env::{Env, OsEnv};
use pglite::{Database, params};

const TABLES: &str = "
    CREATE TABLE t (id int PRIMARY KEY, v text, n numeric);
    CREATE INDEX t_v ON t (lower(v), n DESC) INCLUDE (id);
    CREATE INDEX t_some ON t (n) WHERE id % 3 = 0;
    CREATE TABLE parts (k int, v text) PARTITION BY RANGE (k);
    CREATE TABLE parts1 PARTITION OF parts FOR VALUES FROM (0) TO (1000);
    CREATE UNIQUE INDEX parts_k ON parts (k);
    CREATE MATERIALIZED VIEW m AS SELECT 1 AS one;
    INSERT INTO t SELECT g, 'needle' || g, g % 7 FROM generate_series(1, 3000) g;
    INSERT INTO parts SELECT g, 'x' FROM generate_series(1, 500) g;
    UPDATE t SET v = upper(v) WHERE id % 5 = 0;
    DELETE FROM t WHERE id % 11 = 0;
    ALTER TABLE t ADD COLUMN later int DEFAULT 5;
    CREATE INDEX t_later ON t (later, id)";

fn texts(db: &Database) -> Vec<String> {
    let findings = db.verify().unwrap();
    findings
        .into_iter()
        .map(|f| format!("{}: {}", f.relation, f.text))
        .collect()
}

#[test]
fn a_sound_database_has_no_findings() {
    let db = Database::memory().unwrap();
    let mut session = db.session().unwrap();
    session.batch_execute(TABLES).unwrap();
    // Changes that are not committed are nobody's fault.
    session
        .batch_execute("BEGIN; DELETE FROM t WHERE id < 100; INSERT INTO t VALUES (-1, 'a', 1)")
        .unwrap();
    assert_eq!(texts(&db), [""; 0]);
    session.batch_execute("COMMIT").unwrap();
    assert_eq!(texts(&db), [""; 0]);
    db.checkpoint().unwrap();
    assert_eq!(texts(&db), [""; 0]);
}

/// Opens the store below a closed database.
fn with_store(dir: &Path, change: impl FnOnce(&dyn kv::Kv)) {
    let env: Arc<dyn Env> = Arc::new(OsEnv::new());
    let store = kv::open(KvKind::Redb, &env, &dir.join("kv"), &KvOptions::default()).unwrap();
    change(&*store);
    store.flush().unwrap();
}

#[test]
fn a_lost_index_entry_is_found_and_mended_by_reindex() {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::open(dir.path()).unwrap();
    let mut session = db.session().unwrap();
    session.batch_execute(TABLES).unwrap();
    db.checkpoint().unwrap();
    // So few are stored under keys of their own.
    let few = "INSERT INTO t SELECT g * 3, 'late', 1 FROM generate_series(2001, 2010) g";
    session.batch_execute(few).unwrap();
    let node = "SELECT pg_relation_filenode('t_some')::bigint";
    let node: i64 = session.query_one(node, params![]).unwrap().get(0).unwrap();
    drop((session, db));
    with_store(dir.path(), |store| {
        let (keyspace, mut keys) = (Keyspace(node as u64), Vec::new());
        let all = (Bound::Unbounded, Bound::Unbounded);
        let mut visit = |key: &[u8], _: &[u8]| {
            keys.push(key.to_vec());
            ControlFlow::Continue(())
        };
        store
            .range(keyspace, all, Direction::Forward, &mut visit)
            .unwrap();
        let mut batch = WriteBatch::new();
        batch.delete(keyspace, keys[7].as_slice());
        store.write(batch, Durability::Immediate).unwrap();
    });
    let db = Database::open(dir.path()).unwrap();
    let found = texts(&db);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].starts_with("public.t_some: row ") && found[0].ends_with(" has no entry"),
        "{found:?}"
    );
    assert!(found[1].contains(" entries for "), "{found:?}");
    db.session()
        .unwrap()
        .batch_execute("REINDEX INDEX t_some")
        .unwrap();
    assert_eq!(texts(&db), [""; 0]);
}

#[test]
fn a_damaged_value_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::open(dir.path()).unwrap();
    db.session().unwrap().batch_execute(TABLES).unwrap();
    drop(db);
    let path = dir.path().join("kv/store.redb");
    let mut bytes = std::fs::read(&path).unwrap();
    let places: Vec<usize> = bytes
        .windows(10)
        .enumerate()
        .filter(|(_, w)| w == b"needle2223")
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at] = b'N';
    }
    std::fs::write(&path, bytes).unwrap();
    let db = Database::open(dir.path()).unwrap();
    let found = texts(&db);
    assert!(!found.is_empty());
    assert!(
        found
            .iter()
            .any(|text| text.contains("checksum") || text.contains("damaged")),
        "{found:?}"
    );
}
