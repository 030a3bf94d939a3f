//! `Session::execute_many`: what it does is what the statement does for each row of parameters.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use pglite::{Database, Session, params};

fn session() -> (Database, Session) {
    let db = Database::memory().unwrap();
    let session = db.session().unwrap();
    (db, session)
}

fn rows_of(session: &mut Session, table: &str) -> Vec<String> {
    let sql = format!("SELECT {table}::text FROM {table} ORDER BY 1");
    session.query_map(sql, (), |row| row.get(0)).unwrap()
}

type Values = (i32, Option<String>, f64);

fn values(count: i32) -> impl Iterator<Item = Values> {
    (0..count).map(|i| {
        (
            i,
            (i % 7 != 0).then(|| format!("text {i}, \"quoted\"")),
            f64::from(i) / 8.0,
        )
    })
}

const TABLE: &str = "DROP TABLE IF EXISTS t; CREATE TABLE t (a int PRIMARY KEY, b varchar(40), c numeric(9, 2), d date DEFAULT '2026-11-23', e serial)";

#[test]
fn as_row_by_row() {
    let (_db, mut session) = session();
    // By columns and, where that would mean something else, one by one.
    let statements = [
        "INSERT INTO t VALUES ($1, $2, $3::float8)",
        "INSERT INTO t (c, b, a) VALUES ($3::float8 + 1, upper($2), -$1::int)",
        "INSERT INTO t (a, b, c, d) VALUES ($1, coalesce($2, 'none'), $3::float8, DEFAULT)",
        "INSERT INTO t (a, b, c) VALUES ($1 / 2, $2, $3::float8) ON CONFLICT DO NOTHING",
        "INSERT INTO t (a, b, c) VALUES ($1 / 2, $2, $3::float8) ON CONFLICT (a) DO UPDATE SET b = excluded.b || '!'",
        "INSERT INTO t VALUES ($1, $2, $3::float8) RETURNING a",
        "INSERT INTO t (a, b, c) VALUES ($1, $2, (SELECT count(*) FROM t) + $3::float8)",
        "INSERT INTO t (a, b, c) SELECT $1, $2, $3::float8",
    ];
    for (at, sql) in statements.into_iter().enumerate() {
        // Those that run one by one, or look at the table each time, are slow.
        let counts: &[i32] = if at < 4 {
            &[0, 1, 9, 4096, 4100]
        } else {
            &[0, 1, 200]
        };
        for &count in counts {
            session.batch_execute(TABLE).unwrap();
            let statement = session.prepare(sql).unwrap();
            let mut expected = 0;
            for (a, b, c) in values(count) {
                expected += session.execute(&statement, params![a, b, c]).unwrap();
            }
            let one_by_one = rows_of(&mut session, "t");
            session.batch_execute(TABLE).unwrap();
            let statement = session.prepare(sql).unwrap();
            assert_eq!(
                session.execute_many(&statement, values(count)).unwrap(),
                expected,
                "{sql}"
            );
            assert_eq!(rows_of(&mut session, "t"), one_by_one, "{sql}");
        }
    }
}

#[test]
fn parameters_of_other_types() {
    let (_db, mut session) = session();
    session
        .batch_execute(
            "CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE DOMAIN small AS int CHECK (value < 10);
             CREATE TABLE arrays (a int[], b text); CREATE TABLE moods (m mood, n small); CREATE TABLE blobs (a bytea)",
        )
        .unwrap();
    let arrays = (0..5).map(|i| (vec![i, i + 1], format!("{i}")));
    let count = session
        .execute_many("INSERT INTO arrays VALUES ($1, $2)", arrays)
        .unwrap();
    assert_eq!(
        (count, rows_of(&mut session, "arrays")[4].as_str()),
        (5, "(\"{4,5}\",4)")
    );
    let moods = (0..3).map(|i| ("glad", i));
    assert_eq!(
        session
            .execute_many("INSERT INTO moods VALUES ($1, $2)", moods)
            .unwrap(),
        3
    );
    let error = session
        .execute_many("INSERT INTO moods VALUES ($1, $2)", (8..12).map(|i| ("sad", i)))
        .unwrap_err();
    assert_eq!(error.code(), "23514");
    assert_eq!(rows_of(&mut session, "moods").len(), 3);
    // More bytes than one INSERT takes.
    let blobs = (0..20_u8).map(|i| (vec![i; 1 << 20],));
    assert_eq!(
        session
            .execute_many("INSERT INTO blobs VALUES ($1)", blobs)
            .unwrap(),
        20
    );
    let sums = session
        .query_map(
            "SELECT sum(length(a)), sum(get_byte(a, 77)) FROM blobs",
            (),
            |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?)),
        )
        .unwrap();
    assert_eq!(sums, [(20 << 20, 190)]);
}

#[test]
fn an_error_undoes_all_of_it() {
    let (_db, mut session) = session();
    session.batch_execute(TABLE).unwrap();
    let twice = (0..9000).map(|i| (i % 8999, None::<String>, 0.5));
    let error = session
        .execute_many("INSERT INTO t VALUES ($1, $2, $3::float8)", twice)
        .unwrap_err();
    assert_eq!(
        (error.code(), error.detail()),
        ("23505", Some("Key (a)=(0) already exists."))
    );
    assert_eq!(rows_of(&mut session, "t").len(), 0);
    // In a block the block has failed, and nothing else.
    session.batch_execute("BEGIN; SAVEPOINT s").unwrap();
    let bad = [(1, Some("x".repeat(50)), 1.0)];
    let error = session
        .execute_many("INSERT INTO t VALUES ($1, $2, $3::float8)", bad)
        .unwrap_err();
    assert_eq!(error.code(), "22001");
    let error = session
        .execute_many("INSERT INTO t VALUES ($1, $2, $3::float8)", values(1))
        .unwrap_err();
    assert_eq!(error.code(), "25P02");
    session.batch_execute("ROLLBACK TO s").unwrap();
    assert_eq!(
        session
            .execute_many("INSERT INTO t VALUES ($1, $2, $3::float8)", values(5000))
            .unwrap(),
        5000
    );
    let changed = session
        .execute_many(
            "UPDATE t SET b = $2 WHERE a = $1",
            (0..10).map(|i| (i * 600, "changed")),
        )
        .unwrap();
    assert_eq!(changed, 9);
    session.batch_execute("COMMIT").unwrap();
    assert_eq!(rows_of(&mut session, "t").len(), 5000);
    let wrong = session
        .execute_many("INSERT INTO t VALUES ($1, $2, $3::float8)", [(7,)])
        .unwrap_err();
    assert_eq!(wrong.code(), "08P01");
    let wrong = session
        .execute_many("INSERT INTO t VALUES ($1, $2, $3::float8)", [("a", "b", "c")])
        .unwrap_err();
    assert_eq!(wrong.code(), "42804");
    assert_eq!(
        session
            .execute_many("DELETE FROM t WHERE a = $1", (0..10).map(|i| (i,)))
            .unwrap(),
        10
    );
}
