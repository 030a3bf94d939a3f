-- Methods of columns, and how their values are stored. The recording server has no LZ4: what it says of that is not here.

CREATE TABLE a (x text COMPRESSION pglz, y varchar COMPRESSION default, z text, n int);
CREATE TABLE bad (x int COMPRESSION pglz);
CREATE TABLE bad (x int COMPRESSION i_do_not_exist);
CREATE TABLE bad (x int2vector COMPRESSION pglz);
CREATE TABLE bad (x name COMPRESSION pglz);
CREATE TABLE bad (x text COMPRESSION i_do_not_exist);
CREATE TABLE bad (x text COMPRESSION "PGLZ");
CREATE TABLE bad (x text COMPRESSION 'pglz');
CREATE TABLE fine (x int COMPRESSION default, t text STORAGE external COMPRESSION pglz, arr int[] COMPRESSION pglz);
CREATE DOMAIN words AS text;
ALTER TABLE fine ADD COLUMN w words COMPRESSION pglz;
ALTER TABLE fine ADD COLUMN bad int COMPRESSION pglz;
SELECT attrelid::regclass, attname, attstorage, attcompression FROM pg_attribute
WHERE attrelid IN ('a'::regclass, 'fine'::regclass) AND attnum > 0 ORDER BY 1, attnum;

ALTER TABLE a ALTER COLUMN z SET COMPRESSION pglz;
ALTER TABLE a ALTER x SET COMPRESSION default;
ALTER TABLE a ALTER n SET COMPRESSION default;
ALTER TABLE a ALTER n SET COMPRESSION pglz;
ALTER TABLE a ALTER z SET COMPRESSION i_do_not_exist;
ALTER TABLE a ALTER nowhere SET COMPRESSION pglz;
ALTER TABLE a ALTER ctid SET COMPRESSION pglz;
ALTER TABLE nowhere ALTER z SET COMPRESSION pglz;
ALTER TABLE a ALTER z SET COMPRESSION;
SELECT attname, attcompression FROM pg_attribute WHERE attrelid = 'a'::regclass AND attnum > 0 ORDER BY attnum;

CREATE VIEW v AS SELECT z FROM a;
ALTER TABLE v ALTER z SET COMPRESSION pglz;
ALTER VIEW v ALTER z SET COMPRESSION pglz;
CREATE INDEX i ON a (z);
ALTER TABLE i ALTER z SET COMPRESSION pglz;
CREATE SEQUENCE s;
ALTER TABLE s ALTER last_value SET COMPRESSION pglz;
CREATE MATERIALIZED VIEW mv AS SELECT z FROM a;
ALTER MATERIALIZED VIEW mv ALTER z SET COMPRESSION pglz;
SELECT attname, attcompression FROM pg_attribute WHERE attrelid = 'mv'::regclass AND attnum > 0;
DROP VIEW v;
DROP MATERIALIZED VIEW mv;
DROP INDEX i;

CREATE TABLE l1 (LIKE a INCLUDING COMPRESSION);
CREATE TABLE l2 (LIKE a INCLUDING ALL EXCLUDING COMPRESSION);
CREATE TABLE l3 (LIKE a INCLUDING ALL);
CREATE TABLE l4 (LIKE a);
CREATE TABLE l5 AS SELECT * FROM a;
SELECT attrelid::regclass, string_agg(attcompression::text, ',' ORDER BY attnum) FROM pg_attribute
WHERE attrelid::regclass::text LIKE 'l_' AND attnum > 0 GROUP BY 1 ORDER BY 1;

-- A change of the type forgets the method.
ALTER TABLE a ALTER z TYPE varchar;
SELECT attname, attcompression FROM pg_attribute WHERE attrelid = 'a'::regclass AND attnum > 0 ORDER BY attnum;

-- Inheritance and partitions: methods come from parents once.
CREATE TABLE p1 (t text COMPRESSION pglz);
CREATE TABLE p2 (t text);
CREATE TABLE c1 () INHERITS (p1, p2);
CREATE TABLE c2 () INHERITS (p2, p1);
CREATE TABLE c3 (t text COMPRESSION pglz) INHERITS (p2);
ALTER TABLE p1 ALTER t SET COMPRESSION default;
SELECT attrelid::regclass, attcompression FROM pg_attribute
WHERE attrelid::regclass::text ~ '^[pc][0-9]$' AND attname = 't' ORDER BY 1;
CREATE TABLE p3 (t text STORAGE main);
CREATE TABLE p4 (t text STORAGE external);
CREATE TABLE c4 () INHERITS (p3, p4);
CREATE TABLE c4 () INHERITS (p3, p2);
CREATE TABLE parted (t text COMPRESSION pglz) PARTITION BY LIST (t);
CREATE TABLE part1 PARTITION OF parted FOR VALUES IN ('1');
CREATE TABLE part2 (t text);
ALTER TABLE parted ATTACH PARTITION part2 FOR VALUES IN ('2');
ALTER TABLE parted ALTER t SET COMPRESSION default;
SELECT attrelid::regclass, attcompression FROM pg_attribute
WHERE attrelid::regclass::text LIKE 'part%' AND attname = 't' ORDER BY 1;

SET default_toast_compression = pglz;
SHOW default_toast_compression;
\set VERBOSITY terse
SET default_toast_compression = 'i_do_not_exist';
SET default_toast_compression = '';
\set VERBOSITY default
SELECT setting, boot_val, context FROM pg_settings WHERE name = 'default_toast_compression';

-- Values that leave their rows as they are.
SELECT pg_column_compression('a'::text), pg_column_toast_chunk_id(repeat('a', 10000)), pg_column_size(repeat('a', 10000));
SELECT pg_column_compression(NULL::text), pg_column_size(1), pg_column_toast_chunk_id(1);
CREATE TABLE e (id int, pad int, t text STORAGE external, b bytea STORAGE external);
INSERT INTO e VALUES (1, 0, repeat('x', 10000), decode(repeat('ab', 5000), 'hex')), (2, 0, 'short', 'short'), (3, 0, NULL, NULL),
    (4, 0, repeat('y', 200), NULL);
SELECT id, pg_column_size(t), pg_column_compression(t), pg_column_toast_chunk_id(t) IS NULL AS inside,
    pg_column_size(b), pg_column_compression(b), pg_column_toast_chunk_id(b) IS NULL AS inside FROM e ORDER BY id;
SELECT id FROM e WHERE pg_column_toast_chunk_id(t) IS NOT NULL AND pg_column_size(t) BETWEEN 9000 AND 10000;
SELECT sum(pg_column_size(t)), count(pg_column_toast_chunk_id(t)), max(pg_column_compression(b)) FROM e;
SELECT pg_column_toast_chunk_id(t) IS NULL AS inside, sum(pg_column_size(t)) FROM e GROUP BY 1 HAVING sum(pg_column_size(t)) > 0 ORDER BY 1;
SELECT pg_column_size(t), count(*) FROM e GROUP BY pg_column_size(t) ORDER BY pg_column_size(t);
SELECT id, pg_column_size(t) FROM e ORDER BY pg_column_size(t) DESC NULLS LAST LIMIT 2;
SELECT f.id, pg_column_size(e.t), pg_column_toast_chunk_id(e.t) IS NULL AS inside
FROM (VALUES (1), (2), (9)) f (id) LEFT JOIN e USING (id) ORDER BY 1;
SELECT id, pg_column_size(w), pg_column_toast_chunk_id(w) IS NULL AS inside FROM (SELECT id, t AS w FROM e) s ORDER BY id;
SELECT id, pg_column_size(w), pg_column_toast_chunk_id(w) FROM (SELECT id, t || '' AS w FROM e) s WHERE id <> 2 ORDER BY id;
CREATE INDEX ON e (id);
SET enable_seqscan = off;
SELECT pg_column_size(t), pg_column_toast_chunk_id(t) IS NULL AS inside FROM e WHERE id = 1;
RESET enable_seqscan;
-- An update that leaves the value alone leaves it where it is.
CREATE TABLE ids AS SELECT id, pg_column_toast_chunk_id(t) AS chunk_id FROM e;
UPDATE e SET pad = 1;
SELECT e.id FROM e JOIN ids ON chunk_id = pg_column_toast_chunk_id(t);
UPDATE e SET t = t || 'x' WHERE pg_column_toast_chunk_id(t) IS NOT NULL;
SELECT e.id FROM e JOIN ids ON chunk_id = pg_column_toast_chunk_id(t);
SELECT count(DISTINCT pg_column_toast_chunk_id(v)) FROM (SELECT t FROM e UNION ALL SELECT b::text FROM e) u (v) WHERE false;
DELETE FROM e WHERE pg_column_size(t) = 10001;
SELECT count(*) FROM e;
-- Partitions with their columns in another order.
CREATE TABLE q (id int, t text STORAGE external) PARTITION BY LIST (id);
CREATE TABLE q1 (t text STORAGE external, gone int, id int);
ALTER TABLE q1 DROP COLUMN gone;
ALTER TABLE q ATTACH PARTITION q1 FOR VALUES IN (1);
CREATE TABLE q2 PARTITION OF q FOR VALUES IN (2);
INSERT INTO q VALUES (1, repeat('x', 5000)), (2, repeat('x', 6000)), (1, 'x');
SELECT id, pg_column_size(t), pg_column_toast_chunk_id(t) IS NULL AS inside FROM q ORDER BY 1, 2;
EXPLAIN (VERBOSE, COSTS OFF) SELECT pg_column_compression(t), pg_column_toast_chunk_id(t) FROM e WHERE pg_column_size(t) > 3;
