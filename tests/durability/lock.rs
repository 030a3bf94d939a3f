//! One process, one handle: a directory has one owner.

use std::sync::Arc;

use pglite::env::sim::SimEnv;
use pglite::{Database, params};

#[test]
fn a_second_open_in_this_process_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = Database::open(dir.path()).unwrap();
    let mut session = first.session().unwrap();
    session
        .batch_execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
        .unwrap();
    let e = Database::open(dir.path()).err().expect("two owners");
    assert_eq!(e.code(), "55006");
    let path = dir.path().display();
    assert_eq!(
        e.message(),
        format!("database directory \"{path}\" is already open in this process")
    );
    assert!(e.hint().unwrap().contains("Clone"), "{:?}", e.hint());
    // The first owner did not notice; and a session alone keeps the database open.
    drop(first);
    assert!(Database::open(dir.path()).is_err());
    session.execute("INSERT INTO t VALUES (2)", params![]).unwrap();
    drop(session);
    let again = Database::open(dir.path()).unwrap();
    let n: i64 = again
        .session()
        .unwrap()
        .query_one("SELECT count(*) FROM t", params![])
        .unwrap()
        .get(0)
        .unwrap();
    assert_eq!(n, 2);
}

#[test]
fn the_simulated_disk_has_the_same_lock() {
    let env = SimEnv::new(1);
    let open = || {
        Database::builder()
            .directory("/db")
            .env(Arc::new(env.clone()))
            .open()
    };
    let first = open().unwrap();
    assert_eq!(open().err().expect("two owners").code(), "55006");
    drop(first);
    open().unwrap();
}
