//! Long texts, bytea and jsonb through SQL: read as they were written, whatever the plan; counted; freed with their rows.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use pglite::{Database, Session, params};

fn number(session: &mut Session, sql: &str) -> i64 {
    let all: Vec<i64> = session
        .query_map(sql, params![], |row| row.get(0))
        .unwrap_or_else(|e| panic!("{sql}: {e}"));
    all[0]
}

fn script(session: &mut Session, sql: &str) {
    for statement in sql.split(';').filter(|s| !s.trim().is_empty()) {
        session
            .batch_execute(statement)
            .unwrap_or_else(|e| panic!("{statement}: {e}"));
    }
}

/// Documents of 6 kB that compression leaves long, and short ones.
const DOCUMENTS: &str = "
    CREATE TABLE docs (id int PRIMARY KEY, kind int, t text, j jsonb, b bytea);
    INSERT INTO docs
    SELECT i, i % 10, CASE WHEN i % 3 > 0 THEN long END, jsonb_build_object('n', i, 'long', long), decode(long, 'hex')
    FROM generate_series(1, 120) i,
        LATERAL (SELECT string_agg(md5((i * 1000 + k)::text), '' ORDER BY k) FROM generate_series(1, 200) k) AS l (long);";

/// Sums that only right values give.
const SUMS: &str = "SELECT (sum(hashtext(t)::int8 % 1000) + sum(length(t)) + sum(length(j ->> 'long')) + sum((j ->> 'n')::int8) + sum(length(b)))::int8
    FROM docs";

fn check(session: &mut Session) {
    let long =
        "(SELECT string_agg(md5((id * 1000 + k)::text), '' ORDER BY k) FROM generate_series(1, 200) k)";
    let wrong = format!(
        "SELECT count(*) FROM docs WHERE t <> {long} OR j ->> 'long' <> {long} OR b <> decode({long}, 'hex')"
    );
    assert_eq!(number(session, &wrong), 0);
    // Read after the condition, by index, in a join, in order.
    assert_eq!(
        number(
            session,
            "SELECT sum(length(t)) FROM docs WHERE kind = 7 AND id > 60"
        ),
        4 * 6400
    );
    assert_eq!(
        number(
            session,
            "SELECT (length(t) + length(b))::int8 FROM docs WHERE id = 77"
        ),
        9600
    );
    assert_eq!(
        number(
            session,
            "SELECT count(*) FROM docs a JOIN docs b USING (id) WHERE a.t = b.t AND a.kind < 5"
        ),
        number(session, "SELECT count(t) FROM docs WHERE kind < 5")
    );
    assert_eq!(
        number(
            session,
            "SELECT count(*) FROM (SELECT t FROM docs ORDER BY t LIMIT 20) s WHERE length(t) = 6400"
        ),
        20
    );
}

fn whole_life(db: &Database) {
    let mut session = db.session().unwrap();
    script(&mut session, DOCUMENTS);
    let sums = number(&mut session, SUMS);
    check(&mut session);
    script(&mut session, "CHECKPOINT; VACUUM docs");
    check(&mut session);
    let sizes = "SELECT pg_table_size('docs') - pg_relation_size('docs')";
    // 120 of 6 kB, 80 more, and half as many bytes for each bytea.
    let toast = number(&mut session, sizes);
    assert!((1_200_000..2_600_000).contains(&toast), "{toast}");
    // Other columns change, and back.
    script(
        &mut session,
        "UPDATE docs SET kind = kind + 1; UPDATE docs SET kind = kind - 1, t = t || '' WHERE kind > 0",
    );
    assert_eq!(number(&mut session, SUMS), sums);
    script(
        &mut session,
        "BEGIN; UPDATE docs SET t = reverse(t); SAVEPOINT a; DELETE FROM docs WHERE id < 30; ROLLBACK TO a; ROLLBACK",
    );
    check(&mut session);
    script(
        &mut session,
        "CREATE TABLE copy AS SELECT * FROM docs; DROP TABLE docs; ALTER TABLE copy RENAME TO docs",
    );
    script(
        &mut session,
        "ALTER TABLE docs ALTER t SET STORAGE PLAIN, ALTER j SET STORAGE EXTERNAL; UPDATE docs SET t = t || ''",
    );
    check(&mut session);
    script(
        &mut session,
        "CREATE INDEX ON docs (kind); ALTER TABLE docs ADD x int DEFAULT 7, ALTER kind TYPE bigint",
    );
    check(&mut session);
    script(&mut session, "DELETE FROM docs; CHECKPOINT; CHECKPOINT");
    assert!(number(&mut session, sizes) < 100_000);
}

#[test]
fn in_memory() {
    whole_life(&Database::memory().unwrap());
}

#[test]
fn in_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    whole_life(&Database::open(&path).unwrap());
    let db = Database::open(&path).unwrap();
    let mut session = db.session().unwrap();
    script(&mut session, "DROP TABLE docs");
    script(&mut session, DOCUMENTS);
    drop(session);
    drop(db);
    let db = Database::open(&path).unwrap();
    check(&mut db.session().unwrap());
}
