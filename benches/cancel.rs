//! How long statements go on after `statement_timeout`: the longest that any of them does not look at the cancel flag.
//!
//! `cargo bench --bench cancel [-- WORD]` runs those whose text contains WORD. A table of statement, SQLSTATE and milliseconds over time.

#![allow(clippy::expect_used)]

use std::time::{Duration, Instant};

use pglite::{Database, Session};

const LIMIT: Duration = Duration::from_millis(300);

const SETUP: &str = "
    CREATE TABLE big AS SELECT g AS a, g % 1000 AS b, repeat('x', 20) || g AS t, g::numeric AS n FROM generate_series(1, 2000000) g;
    CREATE TABLE mid AS SELECT g AS a, g % 1000 AS b FROM generate_series(1, 200000) g;
    CREATE TABLE texts AS SELECT repeat('Zeichen und ', 20000000) AS s;
    CREATE TABLE words AS SELECT repeat('[1, 2, {\"a\": \"b\"}], ', 10000000) AS s;
    CREATE TABLE indexed AS SELECT a, b, t FROM big;
    CREATE INDEX indexed_a ON indexed (a);
    CREATE INDEX indexed_t ON indexed (t);
    CREATE TABLE parent AS SELECT a FROM indexed;
    ALTER TABLE parent ADD PRIMARY KEY (a);
    ANALYZE;
    SET work_mem = '512MB'; SET max_parallel_workers_per_gather = 0;
";

/// What runs for longer than the limit; those that begin with `SET` are several statements.
const STATEMENTS: &[&str] = &[
    "SELECT count(*) FROM (SELECT * FROM big ORDER BY t DESC OFFSET 10) q",
    "SELECT count(*) FROM (SELECT * FROM big ORDER BY n, b OFFSET 10) q",
    "SET work_mem = '1MB'; SELECT count(*) FROM (SELECT * FROM big ORDER BY t DESC OFFSET 10) q",
    "SELECT count(*) FROM big x JOIN big y ON x.t = y.t",
    "SELECT count(*) FROM big x JOIN big y ON x.b = y.b",
    "SET work_mem = '1MB'; SELECT count(*) FROM big x JOIN big y ON x.t = y.t",
    "SET enable_hashjoin = off; SELECT count(*) FROM big x JOIN big y ON x.t = y.t",
    "SET enable_hashjoin = off; SET enable_mergejoin = off; SELECT count(*) FROM mid x JOIN mid y ON x.a + 1 = y.a - 1",
    "SELECT count(*) FROM mid x JOIN mid y ON x.a < y.a",
    "SELECT count(*) FROM (SELECT t, count(*), sum(n) FROM big GROUP BY t) q",
    "SET work_mem = '1MB'; SELECT count(*) FROM (SELECT t, count(*), sum(n) FROM big GROUP BY t) q",
    "SET work_mem = '1MB'; SELECT count(*) FROM (SELECT t, b, count(*) FROM big GROUP BY CUBE (t, b)) q",
    "SELECT count(*) FROM (SELECT DISTINCT t, a FROM big) q",
    "SELECT count(DISTINCT t) FROM big",
    "SELECT string_agg(t, ',' ORDER BY t DESC) FROM big",
    "SELECT array_agg(t ORDER BY t DESC) FROM big",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a) FROM big x, generate_series(1, 20) y",
    "SELECT count(*) FROM (SELECT rank() OVER (PARTITION BY b ORDER BY t), sum(n) OVER (PARTITION BY b ORDER BY t) FROM big) q",
    "SELECT count(*) FROM (SELECT min(t) OVER (ORDER BY a ROWS BETWEEN 5000 PRECEDING AND CURRENT ROW) FROM big) q",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
    "WITH RECURSIVE r(n) AS (SELECT a FROM big UNION SELECT n + 1 FROM r) SELECT count(*) FROM r",
    "WITH c AS MATERIALIZED (SELECT * FROM big x, generate_series(1, 10)) SELECT count(*) FROM c x JOIN c y USING (a)",
    "CREATE INDEX ON big (t DESC)",
    "CREATE INDEX ON big USING hash (t)",
    "CREATE INDEX ON big ((t || n))",
    "CREATE TABLE copied AS SELECT * FROM big x, generate_series(1, 10)",
    "INSERT INTO big SELECT * FROM big",
    "UPDATE big SET b = b + 1",
    "DELETE FROM big WHERE a + b > 0",
    "COPY (SELECT * FROM big x, generate_series(1, 10)) TO '/dev/null'",
    "ANALYZE big",
    "ALTER TABLE big ALTER a TYPE int8",
    "SELECT length(translate(s || s, 'abcdefgZ', '12345678')) FROM texts",
    "SELECT length(upper(s || s)) FROM texts",
    "SELECT length(initcap(s)) FROM texts",
    "SELECT md5(s || s || s || s) FROM texts",
    "SELECT sha512((s || s)::bytea) FROM texts",
    "SELECT crc32((s || s || s || s)::bytea) FROM texts",
    "SELECT length(reverse(s || s)) FROM texts",
    "SELECT length(replace(s || s, 'und', 'oder')) FROM texts",
    "SELECT length(lpad('', 200000000, 'ab')) FROM texts",
    "SELECT length(repeat(s, 4)) FROM texts",
    "SELECT position('zzz' IN s || s || s) FROM texts",
    "SELECT s || s LIKE '%und %x%y' FROM texts",
    "SELECT s ~ '(Z|e)+.*x$' FROM texts",
    "SELECT count(*) FROM texts, regexp_matches(s, '[a-z]+', 'g')",
    "SELECT length(regexp_replace(s, '[aeiou]', '', 'g')) FROM texts",
    "SELECT length(encode(s::bytea, 'base64')) FROM texts",
    "SELECT length(encode(s::bytea, 'hex')) FROM texts",
    "SELECT length(decode(encode(s::bytea, 'hex'), 'hex')) FROM texts",
    "SELECT length(quote_literal(s)) FROM texts",
    "SELECT length(convert_to(s, 'UTF16')) FROM texts",
    "SELECT length(normalize(s)) FROM texts",
    "SELECT cardinality(string_to_array(s, ' ')) FROM texts",
    "SELECT length(split_part(s, ' ', 30000000)) FROM texts",
    "SELECT length(btrim(s, 'Zeichnud ')) FROM texts",
    "SELECT octet_length(('[' || s || '1]')::json::text) FROM words",
    "SELECT octet_length(('[' || s || '1]')::jsonb::text) FROM words",
    "SELECT length(to_tsvector('simple', s)::text) FROM texts",
    "SELECT factorial(20000)",
    "SELECT 3::numeric ^ 100000 % 7",
    "SELECT length((power(7::numeric, 50000) * power(3::numeric, 60000))::text)",
    "SELECT length(sqrt(power(7::numeric, 100000))::text)",
    "SELECT array_length(array_agg(a), 1), jsonb_agg(t), json_object_agg(a, t) FROM big",
    "SELECT array_to_string(array_agg(t), ',') = '' FROM big",
    "SELECT array_agg(a) = array_agg(a + 0) FROM big",
    "SELECT cardinality(array_cat(array_agg(a), array_agg(b))) FROM big",
    "SELECT count(*) FROM (SELECT unnest(array_agg(t)) FROM big) q",
    "SELECT array_position(array_agg(a), -1) FROM big",
    "SELECT cardinality(array_remove(array_agg(t), 'x')) FROM big",
    "SELECT xmlagg(xmlelement(name a, t)) IS NULL FROM big",
    "SELECT count(*) FROM generate_series(1, 100000000) g WHERE g % 7 = 9",
    "ALTER TABLE indexed ADD FOREIGN KEY (a) REFERENCES parent",
    "ALTER TABLE indexed ADD CHECK (length(t) + b > 0)",
    "ALTER TABLE indexed ALTER t SET NOT NULL, ADD CHECK (t <> 'q')",
    "ALTER TABLE indexed ALTER b TYPE text",
    "ALTER TABLE indexed ADD COLUMN r float8 DEFAULT random()",
    "ALTER TABLE indexed ADD UNIQUE (a)",
    "ALTER TABLE indexed ADD UNIQUE (t)",
    "ALTER TABLE indexed ADD EXCLUDE USING btree (a WITH =)",
    "REINDEX TABLE indexed",
    "CREATE INDEX ON indexed USING hash (a)",
    "CREATE INDEX ON indexed (a, t)",
    "CREATE UNIQUE INDEX ON indexed (b)",
    "SELECT count(*) FROM big x LEFT JOIN big y ON x.t = y.t AND x.a < y.b",
    "SELECT count(*) FROM big x FULL JOIN big y ON x.n = y.n",
    "SET work_mem = '64kB'; SELECT count(*) FROM big x JOIN big y ON x.t = y.t",
    "SET work_mem = '64kB'; SELECT count(*) FROM (SELECT * FROM big ORDER BY t DESC OFFSET 10) q",
    "SET max_parallel_workers_per_gather = 2; SELECT count(*) FROM big x JOIN big y ON x.t = y.t",
    "SET max_parallel_workers_per_gather = 2; SELECT t, count(*) FROM big GROUP BY t ORDER BY 2 DESC LIMIT 10",
    "SELECT count(*) FROM (SELECT t FROM big UNION SELECT t || 'x' FROM big) q",
    "SELECT count(*) FROM (SELECT t FROM big INTERSECT ALL SELECT t FROM indexed) q",
    "SELECT a FROM big WHERE t NOT IN (SELECT t FROM indexed WHERE b > 1)",
    "SELECT sum(length(s)) FROM texts, generate_series(1, 20)",
    "SELECT length(s || s || s || s) FROM texts",
    "SELECT overlay(s PLACING 'x' FROM 100000000) = s FROM texts",
    "SELECT length(string_agg(s, ',')) FROM texts, generate_series(1, 3)",
    "SELECT length(concat(s, s, s)), length(concat_ws(',', s, s)) FROM texts",
    "SELECT length(format('%s %I', s, s)) FROM texts",
    "SELECT length(s::bytea::text) FROM texts",
    "SELECT regexp_count(s, 'u.d') FROM texts",
    "SELECT cardinality(regexp_split_to_array(s, ' u')) FROM texts",
    "SELECT count(*) FROM texts, string_to_table(s, ' ')",
    "SELECT jsonb_array_length(('[' || s || '1]')::jsonb) FROM words",
    "SELECT jsonb_path_query_array(('[' || s || '1]')::jsonb, '$[*] ? (@.a == \"c\")') FROM words",
    "INSERT INTO indexed SELECT a + 5000000, b, t FROM big",
    "INSERT INTO indexed SELECT a, b, t FROM big ON CONFLICT DO NOTHING",
    "MERGE INTO indexed i USING big b ON i.a = b.a WHEN MATCHED THEN UPDATE SET b = 5 WHEN NOT MATCHED THEN INSERT VALUES (1)",
    "UPDATE indexed SET t = t || 'x'",
    "DELETE FROM indexed WHERE a > 5",
    "SELECT array_agg(a) @> array_agg(a + 1) FROM mid",
    "SELECT array_agg(a) && array_agg(-a) FROM mid",
    "SELECT array_sort(array_agg(t)) = '{}' FROM big",
    "SELECT range_agg(int4range(a * 3, a * 3 + 1)) FROM big",
    "SELECT mode() WITHIN GROUP (ORDER BY t) FROM big",
    "DO $$ DECLARE i int := 0; BEGIN LOOP i := i + 1; END LOOP; END $$",
];

fn main() {
    let word = std::env::args().skip(1).find(|a| !a.starts_with("--"));
    let directory = tempfile::tempdir().expect("a directory");
    let db = Database::open(directory.path()).expect("a database");
    let mut session = db.session().expect("a session");
    session.batch_execute(SETUP).expect("tables");
    let mut worst = Duration::ZERO;
    println!("| ms over | outcome | statement |\n|---|---|---|");
    for sql in STATEMENTS {
        if word.as_ref().is_none_or(|w| sql.contains(w.as_str())) {
            worst = worst.max(measure(&mut session, sql));
        }
    }
    println!("worst: {} ms", worst.as_millis());
}

/// Time over the limit.
fn measure(session: &mut Session, sql: &str) -> Duration {
    session.batch_execute("BEGIN").expect("begin");
    let limit = format!("SET LOCAL statement_timeout = {}", LIMIT.as_millis());
    session.batch_execute(&limit).expect("limit");
    let mut outcome = "finished".to_owned();
    let mut over = Duration::ZERO;
    let parts: Vec<&str> = match sql.starts_with("SET ") {
        true => sql.split("; ").collect(),
        false => vec![sql],
    };
    for part in parts {
        let local = part.replace("SET ", "SET LOCAL ");
        let text = if part.starts_with("SET ") { &local } else { part };
        let began = Instant::now();
        if let Err(e) = session.batch_execute(text) {
            outcome = e.code().to_owned();
        }
        over = began.elapsed().saturating_sub(LIMIT);
    }
    session.batch_execute("ROLLBACK").expect("rollback");
    let shown: String = sql.chars().take(110).collect();
    println!("| {} | {outcome} | {shown} |", over.as_millis());
    over
}
