//! `pglited verify` and `pglited backup`, on directories and on a server that is in use.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::process::{Command, Output};

use pglite::{Database, params};
use pglite_server::Serve;

fn pglited(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_pglited");
    Command::new(program).args(arguments).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_backup_is_verified_and_served() {
    let dir = tempfile::tempdir().unwrap();
    let (data, copy) = (dir.path().join("data"), dir.path().join("copy"));
    let db = Database::open(&data).unwrap();
    let sql = "CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t SELECT g FROM generate_series(1, 500) g";
    db.session().unwrap().batch_execute(sql).unwrap();

    let busy = pglited(&["backup", "--data", text(&data), "--to", text(&copy)]);
    assert_eq!(busy.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&busy.stderr).contains("in use by another process"));
    drop(db);

    assert!(
        pglited(&["backup", "--data", text(&data), "--to", text(&copy)])
            .status
            .success()
    );
    let sound = pglited(&["verify", "--data", text(&copy)]);
    assert!(sound.status.success() && sound.stdout.is_empty(), "{sound:?}");
    let again = pglited(&["backup", "--data", text(&data), "--to", text(&copy)]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("exists but is not empty"));

    let copy = Database::open(&copy).unwrap();
    let server = copy.serve("127.0.0.1:0").unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let count: i64 = runtime.block_on(async {
        let config = format!("host=127.0.0.1 port={} user=postgres", server.local_addr().port());
        let (client, connection) = tokio_postgres::connect(&config, tokio_postgres::NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        client
            .query_one("SELECT count(*) FROM t", &[])
            .await
            .unwrap()
            .get(0)
    });
    assert_eq!(count, 500);
    server.shutdown();
    let mut session = copy.session().unwrap();
    let sum = session
        .query_one("SELECT sum(a)::bigint FROM t", params![])
        .unwrap();
    assert_eq!(sum.get::<i64>(0).unwrap(), 125_250);
}

#[test]
fn verify_tells_what_is_wrong_and_makes_no_database() {
    let dir = tempfile::tempdir().unwrap();
    let nothing = dir.path().join("nothing");
    let output = pglited(&["verify", "--data", text(&nothing)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no database"));
    assert!(!nothing.exists());

    let data = dir.path().join("data");
    let db = Database::open(&data).unwrap();
    let sql = "CREATE TABLE t (v text); INSERT INTO t SELECT 'needle' || g FROM generate_series(1, 500) g";
    db.session().unwrap().batch_execute(sql).unwrap();
    drop(db);
    let path = data.join("kv/store.redb");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(9).position(|w| w == b"needle333").unwrap();
    bytes[at] = b'N';
    std::fs::write(&path, bytes).unwrap();
    let output = pglited(&["verify", "--data", text(&data)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains(" finding"));
}
