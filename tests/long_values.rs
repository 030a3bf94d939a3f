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

/// Short when compressed; long even so; short; none; long and not to be compressed.
const STORED: &str = "
    CREATE TABLE stored (id int, t text COMPRESSION pglz, l text COMPRESSION lz4, e text STORAGE external, p text STORAGE plain);
    INSERT INTO stored
    SELECT id, v, v, v, v FROM (VALUES (1, repeat('1234567890', 1000)), (2, noise || repeat('a', 4000)), (3, 'short'), (4, NULL), (5, noise)) w (id, v)";
const NOISE: &str = "(SELECT string_agg(md5(k::text), '' ORDER BY k) FROM generate_series(1, 256) k)";

/// Method, whether it has left its row, and bytes, less than the value has if compressed; per column and row.
fn stored(session: &mut Session, column: &str, condition: &str) -> Vec<String> {
    let sql = format!(
        "SELECT concat_ws(' ', pg_column_compression({column}), CASE WHEN pg_column_toast_chunk_id({column}) IS NOT NULL THEN 'out' END,
            CASE WHEN pg_column_size({column}) < length({column}) THEN 'less' WHEN pg_column_size({column}) = length({column}) THEN 'same' END)
        FROM stored WHERE {condition} ORDER BY id"
    );
    session
        .query_map(&sql, params![], |row| row.get(0))
        .unwrap_or_else(|e| panic!("{sql}: {e}"))
}

fn check_stored(session: &mut Session) {
    for column in ["t", "l"] {
        let all = stored(session, column, "true");
        assert_eq!(all, ["lz4 less", "lz4 out less", "", "", "out same"], "{column}");
    }
    assert_eq!(
        stored(session, "e", "true"),
        ["out same", "out same", "", "", "out same"]
    );
    assert_eq!(stored(session, "p", "true"), ["", "", "", "", ""]);
    // Rows found by what they are asked for; one by an index.
    let lz4 = "pg_column_compression(l) = 'lz4' AND pg_column_toast_chunk_id(l) IS NOT NULL";
    assert_eq!(stored(session, "t", lz4), ["lz4 out less"]);
    assert_eq!(stored(session, "t", "id = 2"), ["lz4 out less"]);
    // As many names as values.
    let names = "SELECT count(DISTINCT c) FROM (SELECT pg_column_toast_chunk_id(t) FROM stored
        UNION ALL SELECT pg_column_toast_chunk_id(l) FROM stored UNION ALL SELECT pg_column_toast_chunk_id(e) FROM stored) v (c)";
    assert_eq!(number(session, names), 7);
}

#[test]
fn how_values_are_stored() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let db = Database::open(&path).unwrap();
    let mut session = db.session().unwrap();
    let statements = STORED.replace("noise", NOISE);
    script(&mut session, &statements);
    check_stored(&mut session);
    script(
        &mut session,
        "CHECKPOINT; CREATE UNIQUE INDEX ON stored (id); UPDATE stored SET id = id + 10; UPDATE stored SET id = id - 10",
    );
    check_stored(&mut session);
    script(&mut session, "CHECKPOINT");
    drop(session);
    drop(db);
    let db = Database::open(&path).unwrap();
    let mut session = db.session().unwrap();
    check_stored(&mut session);
    // An update of another column keeps the value and its name, one of the value does not.
    let name = "SELECT pg_column_toast_chunk_id(e)::int8 FROM stored WHERE id = 5";
    let before = number(&mut session, name);
    script(&mut session, "UPDATE stored SET t = NULL");
    assert_eq!(number(&mut session, name), before);
    script(&mut session, "UPDATE stored SET e = e || 'x'");
    assert_ne!(number(&mut session, name), before);
}

#[test]
fn methods_of_columns() {
    let db = Database::memory().unwrap();
    let mut session = db.session().unwrap();
    script(
        &mut session,
        "SET default_toast_compression = lz4; CREATE TABLE a (t text COMPRESSION lz4); CREATE TABLE b (t text COMPRESSION pglz);
        CREATE TABLE c (LIKE a INCLUDING COMPRESSION); ALTER TABLE b ALTER t SET COMPRESSION lz4; CREATE TABLE d () INHERITS (a, b);
        ALTER TABLE a ALTER t SET COMPRESSION pglz",
    );
    let methods =
        "SELECT string_agg(attcompression::text, '' ORDER BY attrelid::regclass::text) FROM pg_attribute
        WHERE attname = 't' AND attrelid::regclass::text IN ('a', 'b', 'c', 'd')";
    let found: Vec<String> = session.query_map(methods, params![], |row| row.get(0)).unwrap();
    assert_eq!(found, ["plll"]);
    for conflict in [
        "CREATE TABLE e () INHERITS (a, b)",
        "CREATE TABLE e (t text COMPRESSION lz4) INHERITS (a)",
    ] {
        let error = session.batch_execute(conflict).unwrap_err();
        assert!(
            error.to_string().contains("compression method conflict"),
            "{error}"
        );
    }
}
