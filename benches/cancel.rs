//! How long statements go on after `statement_timeout`: the longest that any of them does not look at the cancel flag.
//!
//! `cargo bench --bench cancel [-- WORD]` runs those whose text contains WORD, `-- --file FILE` those of a file (one a line). A table of
//! statement, SQLSTATE and milliseconds over time.
//!
//! The statements of `GENERATED` are texts too long to write out; they, and those of `PHASES`, run under several limits, as what
//! does not look may come early or late.

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
    CREATE TABLE mid2 AS SELECT t FROM big LIMIT 100000;
    DO $$ BEGIN EXECUTE 'CREATE TABLE wide AS SELECT ' || (SELECT string_agg('g % ' || i || ' AS c' || i, ',') FROM generate_series(1, 400) i)
        || ', 7 AS c0 FROM generate_series(1, 30000) g'; END $$;
    CREATE TABLE parts (k int, v text) PARTITION BY LIST (k);
    DO $$ BEGIN FOR i IN 0..999 LOOP EXECUTE format('CREATE TABLE parts_%s PARTITION OF parts FOR VALUES IN (%s)', i, i); END LOOP; END $$;
    ANALYZE;
    SET work_mem = '512MB'; SET max_parallel_workers_per_gather = 0;
";

/// Who ends later than this is traced.
const TRACED: Duration = Duration::from_millis(60);

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

/// Limits for statements whose phases differ.
const LIMITS_MS: &[u64] = &[20, 80, 200, 400, 800, 1600];

/// Statements with several phases, or with long ones behind short ones.
const PHASES: &[&str] = &[
    "SELECT ('<a>' || repeat('<b c=\"d\">text</b>', 1500000) || '</a>')::xml IS NULL",
    "SELECT xpath('count(//b[@c=\"e\"])', ('<a>' || repeat('<b c=\"d\">text</b>', 500000) || '</a>')::xml)",
    "SELECT count(*) FROM words, jsonb_path_query(('[' || s || '1]')::jsonb, '$.**')",
    "SELECT jsonb_path_query_array(('[' || s || '1]')::jsonb, '$[*].a ? (@ like_regex \"^(b|c)*$\")') FROM words",
    "SELECT jsonb_path_exists(('[' || s || '1]')::jsonb, '$.** ? (@.a == 1 || @ > 7)') FROM words",
    "SELECT length(convert_from(convert_to(s, 'UTF8'), 'UTF8')) FROM texts",
    "SELECT length(convert_from(s::bytea, 'LATIN1')) FROM texts",
    "SELECT length(convert(s::bytea, 'UTF8', 'LATIN1')) FROM texts",
    "SELECT convert_from(convert_to(s, 'EUC_JP'), 'EUC_JP') = s FROM texts",
    "SELECT area(('(' || string_agg('(' || a || ',' || b || ')', ',') || ')')::path) FROM big",
    "SELECT npoints(('(' || string_agg('(' || a || ',' || b || ')', ',') || ')')::polygon) FROM big",
    "SELECT p && p, p @> p, p ~= p FROM (SELECT ('(' || string_agg('(' || a || ',' || b || ')', ',') || ')')::polygon p FROM mid) q",
    "SELECT s ~ '(Z|e|i)*?(c|h)*?q$' FROM texts",
    "SELECT s ~ '(a|ab|abc)*(d|bcd)\\1x' FROM texts",
    "SELECT regexp_replace(s, '(Z.*?n)+?x', 'q') = s FROM texts",
    "SELECT s ~ '^(Zeichen und )*$' FROM texts",
    "SELECT s SIMILAR TO '%(und|oder)%x' FROM texts",
    "SELECT s ~ '([a-z]+)*\\1{3,9}q' FROM texts",
    "SELECT substring(s from '.*(x)') FROM texts",
    "SELECT repeat('a', 100000) ~ '(a|aa)+?b'",
    "SELECT repeat('a', 3000) ~ '((a*)*)*b'",
    "SELECT 'a' ~ ('(' || repeat('a?', 5000) || ')' || repeat('a', 5000))",
    "SELECT 'a' ~ repeat('(a|b){0,200}', 40)",
    "SELECT power(1.0000001, 100000000000.5)",
    "SELECT length(exp(12345.678::numeric(1000, 900))::text)",
    "SELECT ln(repeat('7', 100000)::numeric(100000, 0)) IS NULL",
    "SELECT sqrt(repeat('7', 130000)::numeric) IS NULL",
    "SELECT sqrt((repeat('7', 100000) || '.' || repeat('3', 16000))::numeric) IS NULL",
    "SELECT repeat('7', 130000)::numeric / repeat('3', 65000)::numeric IS NULL",
    "SELECT div(repeat('7', 130000)::numeric, repeat('3', 65000)::numeric) IS NULL",
    "SELECT repeat('7', 130000)::numeric % repeat('3', 65000)::numeric IS NULL",
    "SELECT repeat('7', 65000)::numeric * repeat('3', 65000)::numeric IS NULL",
    "SELECT gcd(repeat('7', 60000)::numeric, repeat('3', 60001)::numeric) IS NULL",
    "SELECT lcm(repeat('7', 60000)::numeric, repeat('31', 30001)::numeric) IS NULL",
    "SELECT log(repeat('7', 60000)::numeric, repeat('3', 60001)::numeric) IS NULL",
    "SELECT to_char(repeat('7', 130000)::numeric, repeat('9', 131000)) IS NULL",
    "SELECT factorial(40000)",
    "SELECT sum(repeat('7', 100000)::numeric + a) IS NULL FROM mid",
    "SELECT stddev(repeat('7', 60000)::numeric + a) IS NULL FROM mid",
    "SELECT max(repeat('7', 100000)::numeric + a) IS NULL FROM mid",
    "SELECT repeat('7', 130000)::numeric::text::numeric = 1 FROM mid",
    "SELECT array_agg(ARRAY[a, b]) IS NULL FROM big",
    "SELECT cardinality(array_agg(ARRAY[t, t, t])) FROM big",
    "SELECT array_position(array_agg(t), 'x') FROM big",
    "SELECT cardinality(array_positions(array_agg(b), 5)) FROM big",
    "SELECT cardinality(array_replace(array_agg(t), 'x', 'y')) FROM big",
    "SELECT count(*) FROM (SELECT unnest(array_agg(ARRAY[a, b])) FROM big) q",
    "SELECT count(*) FROM (SELECT array_agg(t) s FROM big) q, unnest(s) u, unnest(s[1:1000]) v",
    "SELECT array_agg(t)::text = '' FROM big",
    "SELECT array_agg(t)::text::text[] IS NULL FROM big",
    "SELECT array_agg(a)::int8[]::numeric[]::text[] IS NULL FROM big",
    "SELECT cardinality(array_fill(7, ARRAY[100, 1000, 1000]))",
    "SELECT cardinality(array_fill('seven'::text, ARRAY[100, 1000, 1000]))",
    "SELECT (array_fill(7, ARRAY[1000, 10000]))[2:900][5:9000] IS NULL",
    "SELECT cardinality(array_shuffle(array_agg(t))) FROM big",
    "SELECT cardinality(array_reverse(array_agg(t))) FROM big",
    "SELECT cardinality(trim_array(array_agg(t), 5)) FROM big",
    "SELECT cardinality(array_append(array_agg(t), 'x')) FROM big",
    "SELECT array_agg(t) < array_agg(t || '') FROM big",
    "SELECT 'x' = ANY (array_agg(t)) FROM big",
    "SELECT count(*) FROM mid WHERE a = ANY (SELECT array_agg(a) FROM mid)",
    "SELECT a IN (SELECT b FROM big) FROM big x, generate_series(1, 9)",
    "SELECT to_tsvector('english', s) IS NULL FROM texts",
    "SELECT to_tsvector('simple', string_agg(t, ' ')) IS NULL FROM mid",
    "SELECT length(tsvector_to_array(string_agg(t, ' ')::tsvector)::text) FROM mid",
    "SELECT string_agg(t, ' & ')::tsquery IS NULL FROM mid",
    "SELECT ts_headline('english', s, 'und & oder') IS NULL FROM texts",
    "SELECT ts_rank(string_agg(t, ' ')::tsvector, string_agg(t, ' | ')::tsquery) FROM mid",
    "SELECT count(*) FROM (SELECT sum(a) OVER (ORDER BY a ROWS BETWEEN 500000 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) FROM big) q",
    "SELECT count(*) FROM (SELECT max(t) OVER (ORDER BY a RANGE BETWEEN 500000 PRECEDING AND CURRENT ROW) FROM big) q",
    "SELECT count(*) FROM (SELECT nth_value(t, 5) OVER (ORDER BY b GROUPS BETWEEN 500 PRECEDING AND CURRENT ROW) FROM big) q",
    "SELECT count(*) FROM (SELECT string_agg(t, ',') OVER (ORDER BY a) FROM mid) q",
    "SELECT count(*) FROM (SELECT lag(t, 3) OVER (), ntile(9) OVER (ORDER BY t), cume_dist() OVER (ORDER BY n) FROM big) q",
    "SELECT count(*) FROM (SELECT array_agg(a) OVER (ORDER BY a) FROM mid) q",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + a FROM r, mid WHERE n < 3) SELECT count(*) FROM r, mid",
    "WITH RECURSIVE r(n) AS (SELECT a FROM mid UNION SELECT r.n + m.b FROM r, mid m) SELECT count(*) FROM r",
    "WITH RECURSIVE r(n) AS (SELECT ARRAY[1] UNION ALL SELECT n || 1 FROM r) SELECT count(*) FROM r",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3000000) SEARCH DEPTH FIRST BY n SET o SELECT * FROM r ORDER BY o",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) CYCLE n SET c USING p SELECT count(*) FROM r",
    "SELECT generate_series(1, 100000000) + generate_series(1, 3) LIMIT 1 OFFSET 90000000",
    "SELECT count(*) FROM (SELECT generate_series(1, 100000000), generate_series(1, 30) OFFSET 0) q",
    "SELECT generate_series(1, 1000), generate_series(generate_series(1, 1000), 100000) OFFSET 90000000",
    "SELECT unnest(array_agg(a)), unnest(array_agg(t)) FROM big OFFSET 90000000",
    "COPY (SELECT * FROM big x, generate_series(1, 10)) TO '/dev/null' (FORMAT csv)",
    "COPY (SELECT * FROM big x, generate_series(1, 10)) TO '/dev/null' (FORMAT binary)",
    "COPY (SELECT s FROM texts) TO '/dev/null'",
    "COPY (SELECT s FROM texts) TO '/dev/null' (FORMAT csv, FORCE_QUOTE *)",
    "ANALYZE wide",
    "ANALYZE",
    "SELECT count(*) FROM wide x, wide y WHERE x IS DISTINCT FROM y",
    "SELECT x::text = '' FROM wide x, generate_series(1, 9)",
    "SELECT row_to_json(x) FROM wide x, generate_series(1, 9)",
    "SELECT json_agg(x) IS NULL FROM wide x",
    "SELECT jsonb_pretty(jsonb_agg(t)) = '' FROM big",
    "SELECT jsonb_agg(t) || jsonb_agg(a) IS NULL FROM big",
    "SELECT jsonb_object_agg(t, a) - 'x' IS NULL FROM big",
    "SELECT jsonb_object_agg(t, a) = jsonb_object_agg(t, b) FROM big",
    "SELECT jsonb_agg(t) @> jsonb_agg(t || 'x') FROM mid2",
    "SELECT jsonb_set(jsonb_agg(t), '{5}', '1') IS NULL FROM big",
    "SELECT count(*) FROM (SELECT jsonb_object_agg(t, a) o FROM big) q, jsonb_each(o), jsonb_object_keys(o)",
    "SELECT jsonb_strip_nulls(jsonb_agg(t)) IS NULL FROM big",
    "SELECT count(*) FROM words, jsonb_array_elements(('[' || s || '1]')::jsonb)",
    "SELECT json_array_length(('[' || s || '1]')::json) FROM words",
    "SELECT ('[' || s || '1]')::json -> 30000000 FROM words",
    "SELECT jsonb_hash(('[' || s || '1]')::jsonb) FROM words",
    "SELECT ('[' || s || '1]') IS JSON WITH UNIQUE KEYS FROM words",
    "SELECT json_serialize(('[' || s || '1]')::jsonb) IS NULL FROM words",
    "SELECT count(*) FROM words, json_table(('[' || s || '1]')::jsonb, '$[*]' COLUMNS (a text PATH '$.a', b int PATH '$')) q",
    "SELECT range_agg(int4range(a * 3, a * 3 + 1)) - range_agg(int4range(a * 5, a * 5 + 1)) IS NULL FROM big",
    "SELECT range_agg(int4range(a * 3, a * 3 + 1))::text IS NULL FROM big",
    "SELECT range_intersect_agg(int4multirange(int4range(a, 90000000))) FROM big",
    "SELECT count(*) FROM big x, big y, big z WHERE x.a = y.a AND z.t LIKE x.t || '%'",
    "SELECT count(*) FROM mid x WHERE EXISTS (SELECT FROM mid y WHERE y.a > x.a + 199990 OR y.b < -x.a)",
    "SELECT count(*) FROM mid x, LATERAL (SELECT sum(b) FROM mid y WHERE y.a <> x.a) q",
    "SELECT count(*) FROM indexed x WHERE a < 1900000 AND t > 'a' AND b + a < 0",
    "SET enable_seqscan = off; SELECT count(*) FROM indexed WHERE a > 5 OR t > 'a'",
    "SET enable_seqscan = off; SELECT count(*) FROM indexed WHERE t LIKE '%q%' AND a <> 7",
    "SET enable_seqscan = off; SET enable_indexscan = off; SELECT sum(b) FROM indexed WHERE a > 5 AND b = -3",
    "SET enable_seqscan = off; SELECT * FROM indexed ORDER BY a DESC OFFSET 5000000",
    "SELECT * FROM big TABLESAMPLE BERNOULLI (50) OFFSET 5000000",
    "CREATE TABLE held AS SELECT g, repeat('x', 10000) t FROM generate_series(1, 100000) g",
    "CREATE MATERIALIZED VIEW held AS SELECT a, t FROM big",
    "CREATE INDEX ON big USING gin (string_to_array(t, 'x'))",
    "CREATE INDEX ON big USING gist (point(a, b))",
    "CREATE INDEX ON big USING spgist (t)",
    "CREATE INDEX ON big USING brin (a)",
    "CREATE INDEX ON big (b) INCLUDE (t)",
    "CLUSTER indexed USING indexed_t",
    "TRUNCATE indexed",
    "DROP TABLE indexed",
    "UPDATE parent SET a = a + 10000000",
    "LOCK TABLE big; SELECT * FROM big FOR UPDATE OFFSET 9000000",
    "CREATE STATISTICS st (ndistinct, dependencies, mcv) ON a, b, t, n FROM big; ANALYZE big",
    "DO $$ BEGIN FOR i IN 1..100000000 LOOP PERFORM 1; END LOOP; END $$",
    "DO $$ DECLARE t text := ''; BEGIN LOOP t := t || 'xxxxxxxxxxxxxxxxxxxxxxxxx'; END LOOP; END $$",
    "DO $$ DECLARE r record; BEGIN FOR r IN SELECT * FROM big x, big y LOOP NULL; END LOOP; END $$",
    "DO $$ DECLARE a int[]; BEGIN FOR i IN 1..100000000 LOOP a[i] := i; END LOOP; END $$",
    "SELECT pg_sleep(10)",
    "SELECT encode(gen_random_bytea, 'escape') FROM (SELECT convert_to(s, 'UTF8') AS gen_random_bytea FROM texts) q",
    "SELECT bit_count(repeat('1', 100000000)::bit varying) FROM texts",
    "SELECT repeat('10', 50000000)::varbit & repeat('01', 50000000)::varbit IS NULL",
    "SELECT s::varchar(5), s::char(9), s::name, s::bpchar = s FROM texts",
    "SELECT s < s || 'x', s = s || '', hashtext(s), s COLLATE \"en_US\" < s || 'x' FROM texts",
    "SELECT ascii(s), chr(7), strpos(s, 'q'), left(s, -5) = s, right(s, -5) = s, rpad(s, 300000000) = s FROM texts",
    "SELECT xmlparse(content repeat('<a/>', 3000000))::text IS NULL",
    "SELECT xmlserialize(document ('<a>' || repeat('<b>text</b>', 1000000) || '</a>')::xml AS text INDENT) IS NULL",
    "SELECT count(*) FROM xmltable('/a/b' PASSING ('<a>' || repeat('<b>text</b>', 500000) || '</a>')::xml COLUMNS c text PATH '.') q",
    "SELECT query_to_xml('SELECT * FROM big', true, false, '') IS NULL",
];

/// More tables and functions, and statements over them, one a line; `DIR` is a directory for files.
const MORE_SETUP: &str = include_str!("cancel_data/setup.sql");
const MORE: &str = include_str!("cancel_data/statements.txt");

/// Limits for those.
const MORE_LIMITS_MS: &[u64] = &[60, 800];

/// Statements of many parts: name and text.
fn generated() -> Vec<(&'static str, String)> {
    let list =
        |n: usize, part: &dyn Fn(usize) -> String, by: &str| (0..n).map(part).collect::<Vec<_>>().join(by);
    let plus = |i: usize| format!("a + {i} = b");
    vec![
        (
            "IN list of 1,000,000",
            format!(
                "SELECT count(*) FROM mid WHERE a IN ({})",
                list(1_000_000, &|i| i.to_string(), ",")
            ),
        ),
        (
            "IN list of 100,000 texts",
            format!(
                "SELECT count(*) FROM big WHERE t IN ({})",
                list(100_000, &|i| format!("'x{i}'"), ",")
            ),
        ),
        (
            "IN list of 20,000 expressions",
            format!(
                "SELECT count(*) FROM mid WHERE a IN ({})",
                list(20_000, &|i| format!("b + {i}"), ",")
            ),
        ),
        (
            "NOT IN list of 300,000 on an index",
            format!(
                "SELECT count(*) FROM indexed WHERE a NOT IN ({})",
                list(300_000, &|i| i.to_string(), ",")
            ),
        ),
        (
            "VALUES of 500,000",
            format!(
                "SELECT count(*) FROM (VALUES {}) v",
                list(500_000, &|i| format!("({i}, 'x{i}')"), ",")
            ),
        ),
        (
            "INSERT VALUES of 300,000",
            format!(
                "INSERT INTO mid VALUES {}",
                list(300_000, &|i| format!("({i}, {i})"), ",")
            ),
        ),
        (
            "join with VALUES of 100,000",
            format!(
                "SELECT count(*) FROM mid JOIN (VALUES {}) v(x) ON a = x",
                list(100_000, &|i| format!("({i})"), ",")
            ),
        ),
        (
            "10,000 UNION ALL arms",
            list(
                10_000,
                &|i| format!("SELECT a FROM mid WHERE b = {i}"),
                " UNION ALL ",
            ),
        ),
        (
            "3,000 UNION arms",
            list(3_000, &|i| format!("SELECT {i}"), " UNION "),
        ),
        (
            "3,000 EXCEPT arms",
            list(3_000, &|i| format!("SELECT a FROM mid WHERE b = {i}"), " EXCEPT "),
        ),
        (
            "1,000 ORs",
            format!("SELECT count(*) FROM mid WHERE {}", list(1_000, &plus, " OR ")),
        ),
        (
            "30,000 ORs",
            format!("SELECT count(*) FROM mid WHERE {}", list(30_000, &plus, " OR ")),
        ),
        (
            "30,000 ORs of one column",
            format!(
                "SELECT count(*) FROM indexed WHERE {}",
                list(30_000, &|i| format!("a = {i}"), " OR ")
            ),
        ),
        (
            "30,000 ANDs",
            format!(
                "SELECT count(*) FROM mid WHERE {}",
                list(30_000, &|i| format!("a + {i} <> b"), " AND ")
            ),
        ),
        (
            "3,000 ANDs of ORs",
            format!(
                "SELECT count(*) FROM indexed WHERE {}",
                list(3_000, &|i| format!("(a = {i} OR t = 'x{i}')"), " AND ")
            ),
        ),
        (
            "3,000 ORs of ANDs",
            format!(
                "SELECT count(*) FROM indexed WHERE {}",
                list(3_000, &|i| format!("(a = {i} AND t = 'x{i}')"), " OR ")
            ),
        ),
        (
            "3,000 equalities",
            format!(
                "SELECT count(*) FROM wide WHERE {}",
                list(3_000, &|i| format!("c{} = c{}", i % 400, (i * 7) % 400), " AND ")
            ),
        ),
        (
            "40 joins",
            format!(
                "SELECT count(*) FROM {}",
                list(40, &|i| format!("mid m{i}"), " NATURAL JOIN ")
            ),
        ),
        (
            "300 joins",
            format!(
                "SELECT count(*) FROM {}",
                list(300, &|i| format!("mid m{i}"), " NATURAL JOIN ")
            ),
        ),
        (
            "12 joins in one problem",
            format!(
                "SELECT count(*) FROM {} WHERE {}",
                list(12, &|i| format!("mid m{i}"), ","),
                list(11, &|i| format!("m{i}.a = m{}.b", i + 1), " AND ")
            ),
        ),
        (
            "30 outer joins",
            format!(
                "SELECT count(*) FROM mid m {}",
                list(
                    30,
                    &|i| format!("LEFT JOIN indexed m{i} ON m.a = m{i}.a AND m{i}.b > m.b"),
                    " "
                )
            ),
        ),
        (
            "1,600 columns",
            format!("SELECT {} FROM mid", list(1_600, &|i| format!("a + {i}"), ",")),
        ),
        (
            "5,000 CASE arms",
            format!(
                "SELECT CASE {} END FROM mid",
                list(5_000, &|i| format!("WHEN a = {i} THEN {i}"), " ")
            ),
        ),
        (
            "50,000 concatenations",
            format!("SELECT {}", list(50_000, &|i| format!("'{i}'"), " || ")),
        ),
        (
            "2,000 subqueries",
            format!(
                "SELECT {}",
                list(
                    1_600,
                    &|i| format!("(SELECT a FROM mid WHERE b = {i} LIMIT 1)"),
                    ","
                )
            ),
        ),
        (
            "3,000 WITH queries",
            format!(
                "WITH {} SELECT 1",
                list(3_000, &|i| format!("w{i} AS (SELECT {i})"), ",")
            ),
        ),
        (
            "12 grouping sets in CUBE",
            format!(
                "SELECT count(*) FROM wide GROUP BY CUBE ({})",
                list(12, &|i| format!("c{i}"), ",")
            ),
        ),
        (
            "ARRAY of 500,000",
            format!(
                "SELECT cardinality(ARRAY[{}])",
                list(500_000, &|i| i.to_string(), ",")
            ),
        ),
        (
            "a literal of 100,000,000",
            format!("SELECT length('{}')", "x".repeat(100_000_000)),
        ),
        (
            "100,000 statements",
            list(100_000, &|i| format!("SELECT {i}"), ";"),
        ),
        (
            "3,000 partitions' condition",
            format!(
                "SELECT count(*) FROM parts WHERE k IN ({})",
                list(3_000, &|i| i.to_string(), ",")
            ),
        ),
    ]
}

/// What comes from the command line.
struct Chosen {
    word: Option<String>,
    file: Option<String>,
}

impl Chosen {
    fn new() -> Chosen {
        let mut args = std::env::args().skip(1);
        let mut chosen = Chosen {
            word: None,
            file: None,
        };
        while let Some(a) = args.next() {
            match a.as_str() {
                "--file" => chosen.file = args.next(),
                _ if a.starts_with("--") => {}
                _ => chosen.word = Some(a),
            }
        }
        chosen
    }

    fn runs(&self, text: &str) -> bool {
        self.word.as_ref().is_none_or(|w| text.contains(w.as_str()))
    }
}

fn main() {
    let chosen = Chosen::new();
    let directory = tempfile::tempdir().expect("a directory");
    let db = Database::open(directory.path()).expect("a database");
    let mut session = db.session().expect("a session");
    session.batch_execute(SETUP).expect("tables");
    let files = tempfile::tempdir().expect("a directory");
    let place = |text: &str| text.replace("DIR", &files.path().display().to_string());
    session.batch_execute(&place(MORE_SETUP)).expect("more tables");
    let more = place(MORE);
    println!("| ms over | outcome | statement |\n|---|---|---|");
    let worst = match &chosen.file {
        Some(file) => {
            let texts = std::fs::read_to_string(file).expect("a file");
            texts
                .lines()
                .filter(|l| !l.is_empty())
                .map(|l| phases(&mut session, l, l, LIMITS_MS))
                .max()
        }
        None => all(&mut session, &chosen, &more),
    };
    println!("worst: {} ms", worst.unwrap_or_default().as_millis());
}

/// Every statement that was chosen; the longest time over.
fn all(session: &mut Session, chosen: &Chosen, more: &str) -> Option<Duration> {
    let mut over = Vec::new();
    for sql in STATEMENTS.iter().filter(|s| chosen.runs(s)) {
        let (time, outcome) = measure(session, sql, LIMIT);
        show(time, &outcome, sql);
        over.push(time);
    }
    over.extend(
        PHASES
            .iter()
            .filter(|s| chosen.runs(s))
            .map(|sql| phases(session, sql, sql, LIMITS_MS)),
    );
    over.extend(
        more.lines()
            .filter(|s| chosen.runs(s))
            .map(|sql| phases(session, sql, sql, MORE_LIMITS_MS)),
    );
    let generated = generated().into_iter().filter(|(name, _)| chosen.runs(name));
    over.extend(generated.map(|(name, sql)| phases(session, name, &sql, LIMITS_MS)));
    over.into_iter().max()
}

/// The longest time over any of the limits.
fn phases(session: &mut Session, name: &str, sql: &str, limits_ms: &[u64]) -> Duration {
    let mut worst = (Duration::ZERO, String::new(), 0);
    for ms in limits_ms {
        let (time, outcome) = measure(session, sql, Duration::from_millis(*ms));
        let finished = outcome.starts_with("finished");
        if time > worst.0 || worst.1.is_empty() {
            worst = (time, outcome, *ms);
        }
        if finished {
            break;
        }
    }
    show(worst.0, &format!("{} at {}", worst.1, worst.2), name);
    worst.0
}

fn show(over: Duration, outcome: &str, name: &str) {
    let shown: String = name.chars().take(120).collect();
    println!("| {} | {outcome} | {shown} |", over.as_millis());
}

/// For `perf record --clockid mono`: from when to when a statement was late, where CANCEL_TRACE is set.
fn trace(due: Instant, sql: &str) {
    let now = Instant::now();
    if now > due + TRACED && std::env::var_os("CANCEL_TRACE").is_some() {
        let shown: String = sql.chars().take(120).collect();
        eprintln!("{due:?} {now:?} {shown}");
    }
}

/// Time over the limit, or that of the rollback after it when it is longer, and how it ended.
fn measure(session: &mut Session, sql: &str, limit: Duration) -> (Duration, String) {
    let in_block = !sql.starts_with("VACUUM");
    if in_block {
        session.batch_execute("BEGIN").expect("begin");
    }
    let set = format!("SET statement_timeout = {}", limit.as_millis());
    let mut outcome = "finished".to_owned();
    let mut over = Duration::ZERO;
    let parts: Vec<&str> = match sql.starts_with("DO ") {
        true => vec![sql],
        false => sql.split("; ").collect(),
    };
    for part in parts {
        let local = part.replace("SET ", "SET LOCAL ");
        if part.starts_with("SET ") {
            session.batch_execute(&local).expect("a setting");
            continue;
        }
        session.batch_execute(&set).expect("limit");
        let began = Instant::now();
        let result = session.batch_execute(part);
        over = over.max(began.elapsed().saturating_sub(limit));
        trace(began + limit, part);
        if let Err(e) = result {
            outcome = e.code().to_owned();
            break;
        }
    }
    let began = Instant::now();
    let end = if in_block { "ROLLBACK" } else { "" };
    session.batch_execute(end).expect("rollback");
    if began.elapsed() > over {
        over = began.elapsed();
        outcome.push_str(", rollback");
    }
    session
        .batch_execute("SET statement_timeout = 0")
        .expect("no limit");
    (over, outcome)
}
