-- ALTER TABLE does its subcommands in passes, in whatever order they are written.
CREATE VIEW described AS
  SELECT c.relname::text AS relation, 'column ' || a.attnum AS what, a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
      || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
      || CASE a.attidentity WHEN '' THEN '' ELSE ' identity ' || a.attidentity::text END || CASE a.attgenerated WHEN '' THEN '' ELSE ' generated' END AS definition
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped
  UNION ALL SELECT conrelid::regclass::text, 'constraint ' || conname, pg_get_constraintdef(oid) || CASE WHEN convalidated THEN '' ELSE ' ?' END FROM pg_constraint
  UNION ALL SELECT tablename::text, 'index ' || indexname, indexdef FROM pg_indexes WHERE schemaname = 'public';

-- what comes of some subcommands, and of every order of them
CREATE FUNCTION one(setup text, VARIADIC commands text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  DROP TABLE IF EXISTS t CASCADE;
  EXECUTE setup;
  BEGIN
    EXECUTE 'ALTER TABLE t ' || array_to_string(commands, ', ');
  EXCEPTION WHEN OTHERS THEN
    RETURN NEXT SQLSTATE || ' ' || SQLERRM;
    RETURN;
  END;
  RETURN QUERY SELECT what || ': ' || definition FROM described WHERE relation = 't' ORDER BY what COLLATE "C";
  RETURN QUERY SELECT 'row: ' || to_json(t)::text FROM t;
END $$;
CREATE FUNCTION every(setup text, commands text[]) RETURNS TABLE (orders bigint, result text) LANGUAGE sql AS $$
  WITH RECURSIVE p(chosen) AS (
    SELECT '{}'::int[] UNION ALL SELECT chosen || i FROM p, generate_subscripts(commands, 1) i WHERE i <> ALL (chosen)),
  results AS MATERIALIZED (
    SELECT (SELECT string_agg(o, E'\n') FROM one(setup, VARIADIC (SELECT array_agg(commands[i] ORDER BY n) FROM unnest(chosen) WITH ORDINALITY u(i, n))) o) AS result
      FROM p WHERE cardinality(chosen) = cardinality(commands))
  SELECT count(*), results.result FROM results GROUP BY results.result ORDER BY results.result COLLATE "C"
$$;
SET client_min_messages = warning;

SELECT * FROM every('CREATE TABLE t (a int, b int); INSERT INTO t VALUES (1, 2)',
  ARRAY['ADD COLUMN d int', 'ADD CHECK (d > 0)', 'ALTER COLUMN b TYPE bigint', 'ADD PRIMARY KEY (b)']);
SELECT * FROM every('CREATE TABLE t (a int, b int); INSERT INTO t VALUES (1, 2)',
  ARRAY['ALTER COLUMN d SET DEFAULT 5', 'ADD COLUMN d int', 'ALTER COLUMN d SET NOT NULL', 'DROP COLUMN a']);
SELECT * FROM every('CREATE TABLE t (a int, b int); INSERT INTO t VALUES (1, 2)',
  ARRAY['ADD COLUMN c int CHECK (c < d)', 'ADD COLUMN d int DEFAULT 7', 'ADD COLUMN e int UNIQUE REFERENCES t (b)', 'ADD UNIQUE (b)']);
SELECT * FROM every('CREATE TABLE t (a int, b int); INSERT INTO t VALUES (1, 2)',
  ARRAY['ADD FOREIGN KEY (a) REFERENCES t (b)', 'ADD PRIMARY KEY (b)', 'DROP COLUMN IF EXISTS c']);
SELECT * FROM every('CREATE TABLE t (a int PRIMARY KEY, b int); INSERT INTO t VALUES (1, 2)',
  ARRAY['ADD COLUMN a int DEFAULT 4', 'DROP COLUMN a', 'ADD UNIQUE (a, b)']);
SELECT * FROM every('CREATE TABLE t (a int CONSTRAINT k PRIMARY KEY, b int NOT NULL); INSERT INTO t VALUES (1, 2)',
  ARRAY['ADD CONSTRAINT k PRIMARY KEY (b)', 'DROP CONSTRAINT k', 'ALTER a DROP NOT NULL']);
SELECT * FROM every('CREATE TABLE t (a int, b int); INSERT INTO t VALUES (1, 2); CREATE UNIQUE INDEX u ON t (b)',
  ARRAY['ADD CONSTRAINT k PRIMARY KEY USING INDEX u', 'ADD FOREIGN KEY (a) REFERENCES t NOT VALID', 'ALTER a SET NOT NULL']);
SELECT * FROM every('CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a + 1) STORED); INSERT INTO t VALUES (1)',
  ARRAY['ADD COLUMN c int DEFAULT 3', 'ALTER b SET EXPRESSION AS (a * 10)', 'ADD CHECK (b > 9)']);
SELECT * FROM every('CREATE TABLE t (a int, b int); INSERT INTO t VALUES (1, 2)',
  ARRAY['ALTER a ADD GENERATED ALWAYS AS IDENTITY', 'ALTER a SET NOT NULL', 'ALTER a TYPE bigint']);
SELECT * FROM every('CREATE TABLE t (a int GENERATED ALWAYS AS IDENTITY, b int); INSERT INTO t (b) VALUES (2)',
  ARRAY['ALTER a DROP IDENTITY', 'ALTER a SET DEFAULT 9', 'ALTER a TYPE bigint']);
-- several types at once: from the row as it was, with what depends on both
SELECT * FROM every('CREATE TABLE t (a int, b text, CHECK (num_nonnulls(a, b) > 0), UNIQUE (a, b)); CREATE INDEX i ON t ((a::text || b)) WHERE a IS NOT NULL; INSERT INTO t VALUES (1, ''20'')',
  ARRAY['ALTER a TYPE text USING b', 'ALTER b TYPE int USING a', 'ADD COLUMN c int DEFAULT 4']);
SELECT * FROM every('CREATE TABLE t (a int, b int, CHECK (a < b)); INSERT INTO t VALUES (1, 2)',
  ARRAY['ALTER a TYPE text', 'ALTER b TYPE text', 'ADD CHECK (a || b <> ''x'')']);
SELECT one('CREATE TABLE t (a int, b int)', 'ALTER a TYPE text', 'ALTER a TYPE bigint');
SELECT one('CREATE TABLE t (a int, b int)', 'ADD COLUMN c int', 'ALTER c TYPE bigint');
SELECT one('CREATE TABLE t (a int, b int)', 'ADD COLUMN c int PRIMARY KEY', 'ADD PRIMARY KEY (a)');
SELECT one('CREATE TABLE t (a int, b int)', 'ADD COLUMN IF NOT EXISTS a int PRIMARY KEY', 'ADD COLUMN IF NOT EXISTS c int CHECK (c > a)');
SELECT one('CREATE TABLE t (a int); INSERT INTO t VALUES (1)', 'ADD COLUMN b int DEFAULT 3 CHECK (b < a)');
SELECT one('CREATE TABLE t (a int); INSERT INTO t VALUES (1)', 'ADD COLUMN b int PRIMARY KEY');
-- trees
CREATE TABLE parent (a int, b int);
CREATE TABLE child (c int) INHERITS (parent);
INSERT INTO child VALUES (1, 2, 3);
ALTER TABLE parent ADD CHECK (a < d), ALTER a TYPE bigint USING b * 100, ADD COLUMN d int CHECK (d > 5) DEFAULT 1000, ALTER b TYPE text USING a || '!';
SELECT * FROM child;
SELECT * FROM described WHERE relation IN ('parent', 'child') ORDER BY relation, what COLLATE "C";
CREATE TABLE keyed (id int PRIMARY KEY, other int UNIQUE);
CREATE TABLE refers (id int REFERENCES keyed, other int REFERENCES keyed (other));
INSERT INTO keyed VALUES (1, 2);
INSERT INTO refers VALUES (1, 2);
ALTER TABLE keyed ALTER id TYPE bigint, ALTER other TYPE bigint USING other;
SELECT * FROM described WHERE relation IN ('keyed', 'refers') ORDER BY relation, what COLLATE "C";
CREATE TYPE pair AS (x int, y int);
ALTER TYPE pair ADD ATTRIBUTE x text, DROP ATTRIBUTE x, ALTER ATTRIBUTE y TYPE bigint;
SELECT * FROM described WHERE relation = 'pair';
