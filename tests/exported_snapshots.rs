//! Snapshots exported by one session and imported by another.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use pglite::{Database, Session, params};

fn number(session: &mut Session, sql: &str) -> i64 {
    session.query_one(sql, params![]).unwrap().get(0).unwrap()
}

fn export(session: &mut Session, begin: &str) -> String {
    session.batch_execute(begin).unwrap();
    let row = session
        .query_one("SELECT pg_export_snapshot()", params![])
        .unwrap();
    row.get(0).unwrap()
}

fn import(session: &mut Session, begin: &str, name: &str) -> Result<(), String> {
    session.batch_execute(begin).unwrap();
    let taken = session.batch_execute(&format!("SET TRANSACTION SNAPSHOT '{name}'"));
    taken.map_err(|e| {
        session.batch_execute("ROLLBACK").unwrap();
        format!("{} {}", e.code(), e.message())
    })
}

const COUNT: &str = "SELECT count(*) FROM t";
const REPEATABLE: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ";
const SERIALIZABLE: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE";

fn database() -> (Database, Session, Session, Session) {
    let db = Database::memory().unwrap();
    let mut a = db.session().unwrap();
    a.batch_execute(
        "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT g FROM generate_series(1, 100) g",
    )
    .unwrap();
    let (b, c) = (db.session().unwrap(), db.session().unwrap());
    (db, a, b, c)
}

#[test]
fn an_imported_snapshot_sees_what_the_exporter_sees_and_outlives_it() {
    for begin in ["BEGIN", REPEATABLE] {
        let (_db, mut a, mut b, mut c) = database();
        let name = export(&mut a, begin);
        c.batch_execute("DELETE FROM t WHERE id > 50; INSERT INTO t VALUES (1000)")
            .unwrap();
        import(&mut b, REPEATABLE, &name).unwrap();
        assert_eq!(number(&mut b, COUNT), 100);
        a.batch_execute("COMMIT").unwrap();
        drop(a);
        // Nothing that the importer still sees may be cleaned away.
        for sql in ["DELETE FROM t", "VACUUM t", "CHECKPOINT", "VACUUM t"] {
            c.batch_execute(sql).unwrap();
        }
        assert_eq!(number(&mut b, COUNT), 100);
        assert_eq!(number(&mut b, "SELECT sum(id) FROM t"), 5050);
        b.batch_execute("COMMIT").unwrap();
        assert_eq!(number(&mut b, COUNT), 0);
        let gone = import(&mut b, REPEATABLE, &name).unwrap_err();
        assert_eq!(gone, format!("42704 snapshot \"{name}\" does not exist"));
    }
}

#[test]
fn what_the_exporter_writes_itself_is_not_given_away() {
    let (_db, mut a, mut b, _c) = database();
    a.batch_execute("BEGIN; INSERT INTO t VALUES (200)").unwrap();
    let name = export(&mut a, "SAVEPOINT s; RELEASE s");
    import(&mut b, REPEATABLE, &name).unwrap();
    assert_eq!(number(&mut b, COUNT), 100);
    assert_eq!(number(&mut a, COUNT), 101);
    a.batch_execute("ROLLBACK").unwrap();
    assert_eq!(number(&mut b, COUNT), 100);
}

#[test]
fn serializable_ones_take_from_their_like() {
    let (_db, mut a, mut b, mut c) = database();
    let name = export(&mut a, REPEATABLE);
    assert_eq!(
        import(&mut b, SERIALIZABLE, &name).unwrap_err(),
        "0A000 a serializable transaction cannot import a snapshot from a non-serializable transaction"
    );
    a.batch_execute("COMMIT").unwrap();
    // Somebody else runs, so that the reader is watched.
    c.batch_execute("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM t")
        .unwrap();
    let name = export(&mut a, "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY");
    assert_eq!(
        import(&mut b, SERIALIZABLE, &name).unwrap_err(),
        "0A000 a non-read-only serializable transaction cannot import a snapshot from a read-only transaction"
    );
    assert_eq!(
        import(
            &mut b,
            "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE",
            &name
        )
        .unwrap_err(),
        "0A000 a snapshot-importing transaction must not be READ ONLY DEFERRABLE"
    );
    import(&mut b, "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY", &name).unwrap();
    import(&mut c, "COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ", &name).unwrap();
    assert_eq!((number(&mut b, COUNT), number(&mut c, COUNT)), (100, 100));
}

/// Write skew between two transactions that share a snapshot taken before a third one's commit.
#[test]
fn the_importer_stands_where_the_exporter_stands() {
    let (_db, mut a, mut b, mut c) = database();
    let name = export(&mut a, SERIALIZABLE);
    c.batch_execute(
        "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM t; INSERT INTO t VALUES (500); COMMIT",
    )
    .unwrap();
    import(&mut b, SERIALIZABLE, &name).unwrap();
    assert_eq!((number(&mut a, COUNT), number(&mut b, COUNT)), (100, 100));
    let first = a.batch_execute("INSERT INTO t VALUES (501)");
    let second = b.batch_execute("INSERT INTO t VALUES (502)");
    let ends = [
        first.and_then(|()| a.batch_execute("COMMIT")),
        second.and_then(|()| b.batch_execute("COMMIT")),
    ];
    let failed: Vec<&str> = ends
        .iter()
        .filter_map(|e| e.as_ref().err())
        .map(|e| e.code())
        .collect();
    assert!(
        !failed.is_empty() && failed.iter().all(|code| *code == "40001"),
        "{failed:?}"
    );
}
