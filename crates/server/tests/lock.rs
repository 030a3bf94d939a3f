//! A second process on a directory, with the real `pglited` and with the library.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod process;

use process::Pglited;

#[tokio::test]
async fn a_second_process_is_told_who_has_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let first = Pglited::start(dir.path());
    let client = first.connect().await.unwrap();
    client
        .batch_execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
        .await
        .unwrap();
    let owner = format!(
        "Its owner is the process with PID {}, which can be reached at {}.",
        first.pid(),
        first.address
    );
    let message = format!(
        "database directory \"{}\" is in use by another process",
        dir.path().display()
    );

    let second = process::command(dir.path()).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(second.stdout.is_empty());
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains(&message) && said.contains(&owner), "{said}");

    let e = pglite::Database::open(dir.path()).err().expect("two owners");
    assert_eq!((e.code(), e.message()), ("55006", message.as_str()));
    assert_eq!(e.detail(), Some(owner.as_str()));
    assert_eq!(e.hint(), Some("Connect to that process, or stop it first."));

    // The owner did not notice. Once it is gone, however it went, the directory is free.
    client.batch_execute("INSERT INTO t VALUES (2)").await.unwrap();
    first.kill();
    let third = Pglited::start(dir.path());
    let client = third.connect().await.unwrap();
    let row = client.query_one("SELECT count(*) FROM t", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 2);
    third.terminate();
    pglite::Database::open(dir.path()).unwrap();
}
