-- Updates of more rows than memory should hold, which change keys of indexes: rows move.
CREATE TABLE moves (id int PRIMARY KEY, b int, c int GENERATED ALWAYS AS (b * 2) STORED, note text);
CREATE INDEX moves_b ON moves (b);
CREATE INDEX moves_c ON moves (c) WHERE c % 3 = 0;
CREATE INDEX moves_expr ON moves ((b % 10), id);
INSERT INTO moves (id, b, note) SELECT g, g * 7 % 1000, 'row ' || g FROM generate_series(1, 69000) g;
VACUUM moves;
CREATE VIEW whole AS SELECT count(*), sum(id::int8) AS ids, sum(b::int8) AS bs, sum(c::int8) AS cs, count(DISTINCT note) AS notes FROM moves;
TABLE whole;

-- Seen by nobody but later commands; indexes tell the same.
BEGIN;
DECLARE before CURSOR FOR SELECT id, b, c FROM moves WHERE id >= 68990 ORDER BY id;
FETCH 2 FROM before;
UPDATE moves SET b = b + 1;
TABLE whole;
FETCH 2 FROM before;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
SELECT count(*), min(id), max(id) FROM moves WHERE b = 1000;
SELECT count(*), min(id), max(id) FROM moves WHERE b = 0;
SELECT id, b, c, note FROM moves WHERE id BETWEEN 68500 AND 68503;
SELECT count(*) FROM moves WHERE c % 3 = 0 AND c BETWEEN 600 AND 700;
SELECT count(*), sum(id) FROM moves WHERE b % 10 = 3;
ROLLBACK;
TABLE whole;

-- A row is updated once by a command.
UPDATE moves SET b = moves.b + two.n FROM (VALUES (1), (1)) two(n);
TABLE whole;
VACUUM moves;

-- Savepoints: in between, and around.
BEGIN;
UPDATE moves SET b = b + 10;
SAVEPOINT one;
UPDATE moves SET b = b + 100 WHERE id % 2 = 0;
TABLE whole;
ROLLBACK TO one;
TABLE whole;
UPDATE moves SET b = b + 1000, note = note || '!' WHERE id <= 68500;
DELETE FROM moves WHERE id % 10 = 0;
TABLE whole;
COMMIT;
TABLE whole;
VACUUM moves;

-- Keys that are taken still, and those that are free by then.
DO $$ BEGIN UPDATE moves SET id = id + 1; EXCEPTION WHEN unique_violation THEN RAISE NOTICE 'taken'; END $$;
UPDATE moves SET id = id - 1 WHERE id = 1;
UPDATE moves SET id = -id;
TABLE whole;
VACUUM moves;
UPDATE moves SET id = 7 WHERE id < -68000;
SELECT count(*) FROM moves WHERE id = 7;
VACUUM moves;

-- What is returned, with the writer.
BEGIN;
CREATE TEMP TABLE told (id int, b int, old_b int, own boolean, moved boolean);
WITH changed AS (UPDATE moves SET b = b + 5 RETURNING new.id, new.b, old.b AS old_b,
    new.xmin::text = pg_current_xact_id()::text AS own, new.ctid > old.ctid AS moved)
  INSERT INTO told SELECT * FROM changed;
SELECT count(*), sum(b - old_b), bool_and(own), count(DISTINCT id) FROM told;
SELECT count(*) FROM moves WHERE xmin::text = pg_current_xact_id()::text;
COMMIT;
TABLE whole;
VACUUM moves;

-- Conflicts: each row once.
INSERT INTO moves (id, b) SELECT -g, 1 FROM generate_series(1, 68999) g WHERE g % 10 <> 0 ON CONFLICT (id) DO UPDATE SET b = moves.b + excluded.b;
TABLE whole;
VACUUM moves;
INSERT INTO moves (id, b) SELECT -g, 1 FROM (SELECT g FROM generate_series(1, 68999) g WHERE g % 10 <> 0 UNION ALL SELECT 68999) g(g)
  ON CONFLICT (id) DO UPDATE SET b = moves.b + excluded.b;
TABLE whole;
MERGE INTO moves USING (SELECT id, 1 AS n FROM moves UNION ALL SELECT -68999, 2) s ON s.id = moves.id WHEN MATCHED THEN UPDATE SET b = moves.b + n;
TABLE whole;

-- Those that refer to them, by cascades.
CREATE TABLE referring (id int REFERENCES moves ON UPDATE CASCADE, n int);
CREATE INDEX ON referring (id);
INSERT INTO referring SELECT id, -id FROM moves;
VACUUM referring;
UPDATE moves SET id = id - 100000;
SELECT count(*), sum(id::int8), sum(n::int8) FROM referring;
SELECT count(*) FROM referring JOIN moves USING (id) WHERE id + n = -100000;
TABLE whole;

-- Deferred keys may be the same for a while.
CREATE TABLE later (id int UNIQUE DEFERRABLE INITIALLY DEFERRED, b int);
INSERT INTO later SELECT g, g FROM generate_series(1, 68000) g;
VACUUM later;
BEGIN;
UPDATE later SET id = id + 1;
UPDATE later SET id = 5 WHERE id = 68001;
COMMIT;
BEGIN;
UPDATE later SET id = id + 1;
UPDATE later SET id = 1 WHERE id = 68001;
COMMIT;
SELECT count(*), min(id), max(id), sum(id::int8), count(DISTINCT id) FROM later;

-- Partitions.
CREATE TABLE parts (id int, b int) PARTITION BY RANGE (b);
CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (70000);
CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (70000) TO (1000000);
CREATE INDEX ON parts (b);
INSERT INTO parts SELECT g, g FROM generate_series(0, 87999) g;
VACUUM parts;
UPDATE parts SET b = b + 100;
SELECT tableoid::regclass, count(*), min(b), max(b), sum(b::int8), sum(id::int8) FROM parts GROUP BY 1 ORDER BY 1;
SET enable_seqscan = off;
SELECT count(*), sum(id::int8) FROM parts WHERE b BETWEEN 69990 AND 70110;
RESET enable_seqscan;
DROP TABLE parts, later, referring;
DROP VIEW whole;
DROP TABLE moves;
