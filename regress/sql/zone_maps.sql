-- Conditions by which parts of a table are passed over: the same rows, whatever has changed since they were read first.
SET max_parallel_workers_per_gather = 0;
SET enable_indexscan = off;
CREATE TABLE zones (id int, b bigint, s smallint, n numeric(12,2), f float8, t text COLLATE "C", d date, ts timestamp, tz timestamptz,
  u uuid, y bytea, v varchar(20) COLLATE "C", e text, o bool, c char(6));
INSERT INTO zones SELECT i, i * 1000000007::bigint, i / 1000, i / 4.0, i / 8.0, 't' || lpad(i::text, 6, '0'), date '2020-01-01' + i / 100,
  timestamp '2020-01-01' + interval '1 hour' * i, timestamptz '2020-01-01 00:00Z' + interval '1 hour' * i,
  lpad(to_hex(i), 32, '0')::uuid, decode(lpad(to_hex(i), 8, '0'), 'hex'), 'v' || lpad(i::text, 6, '0'), CASE WHEN i > 15000 THEN 'e' || i END,
  i > 10000, chr(97 + i / 2000)
  FROM generate_series(1, 20000) i;
CHECKPOINT;
VACUUM ANALYZE zones;
-- the first time all is read, the second time not
CREATE VIEW counts AS
  SELECT 'id =' AS what, count(*), sum(id) FROM zones WHERE id = 7777
  UNION ALL SELECT 'id <', count(*), sum(id) FROM zones WHERE id < 1500
  UNION ALL SELECT 'id <=', count(*), sum(id) FROM zones WHERE id <= 1024
  UNION ALL SELECT '> id', count(*), sum(id) FROM zones WHERE 19000 < id
  UNION ALL SELECT 'id between', count(*), sum(id) FROM zones WHERE id BETWEEN 5000 AND 5010
  UNION ALL SELECT 'id nothing', count(*), sum(id) FROM zones WHERE id BETWEEN 5010 AND 5000
  UNION ALL SELECT 'id int8', count(*), sum(id) FROM zones WHERE id = 9000000000 OR id = 12
  UNION ALL SELECT 'id > int8', count(*), sum(id) FROM zones WHERE id > -9000000000
  UNION ALL SELECT 'id in', count(*), sum(id) FROM zones WHERE id IN (3, 12000, 19999, 50000, NULL)
  UNION ALL SELECT 'id any <', count(*), sum(id) FROM zones WHERE id < ANY ('{3,10,NULL}'::int[])
  UNION ALL SELECT 'id all', count(*), sum(id) FROM zones WHERE id > ALL ('{3,19990}'::int[])
  UNION ALL SELECT 'id null', count(*), sum(id) FROM zones WHERE id = NULL::int
  UNION ALL SELECT 'b', count(*), sum(id) FROM zones WHERE b >= 19990000139930
  UNION ALL SELECT 's', count(*), sum(id) FROM zones WHERE s = 13
  UNION ALL SELECT 'n', count(*), sum(id) FROM zones WHERE n BETWEEN 1000.25 AND 1000.5
  UNION ALL SELECT 'n > more', count(*), sum(id) FROM zones WHERE n > 4999.750000000000000000000001
  UNION ALL SELECT 'n nan', count(*), sum(id) FROM zones WHERE n < 'NaN' AND n > '-Infinity'
  UNION ALL SELECT 'f', count(*), sum(id) FROM zones WHERE f < 3.5
  UNION ALL SELECT 'f4', count(*), sum(id) FROM zones WHERE f = 12.5::float4
  UNION ALL SELECT 't', count(*), sum(id) FROM zones WHERE t = 't012345'
  UNION ALL SELECT 't <', count(*), sum(id) FROM zones WHERE t < 't000100'
  UNION ALL SELECT 't other', count(*), sum(id) FROM zones WHERE t >= 't01999' COLLATE "POSIX"
  UNION ALL SELECT 'd', count(*), sum(id) FROM zones WHERE d >= '2020-03-01' AND d < '2020-03-04'
  UNION ALL SELECT 'd ts', count(*), sum(id) FROM zones WHERE d >= date '2020-03-01' AND d < date '2020-03-01' + interval '2 days 1 hour'
  UNION ALL SELECT 'd inf', count(*), sum(id) FROM zones WHERE d < timestamp 'infinity' AND d > timestamp '-infinity'
  UNION ALL SELECT 'ts', count(*), sum(id) FROM zones WHERE ts = '2020-06-01 12:00'
  UNION ALL SELECT 'ts d', count(*), sum(id) FROM zones WHERE ts >= date '2022-01-01' AND ts <= date 'infinity'
  UNION ALL SELECT 'tz', count(*), sum(id) FROM zones WHERE tz < '2020-01-05 00:00Z'
  UNION ALL SELECT 'u', count(*), sum(id) FROM zones WHERE u = '00000000-0000-0000-0000-000000001234'
  UNION ALL SELECT 'y', count(*), sum(id) FROM zones WHERE y > '\x00004e00'
  UNION ALL SELECT 'v', count(*), sum(id) FROM zones WHERE v IN ('v000009', 'v019999')
  UNION ALL SELECT 'e null', count(*), sum(id) FROM zones WHERE e IS NULL
  UNION ALL SELECT 'e not null', count(*), sum(id) FROM zones WHERE e IS NOT NULL
  UNION ALL SELECT 'e', count(*), sum(id) FROM zones WHERE e > 'e'
  UNION ALL SELECT 'o', count(*), sum(id) FROM zones WHERE o = false AND id > 9990
  UNION ALL SELECT 'c', count(*), sum(id) FROM zones WHERE c = 'd'
  UNION ALL SELECT 'ctid', count(*), min(id) FROM zones WHERE id = 15000 AND ctid IS NOT NULL;
SELECT * FROM counts;
CREATE TABLE first AS SELECT * FROM counts;
SELECT count(*) FROM (SELECT * FROM counts EXCEPT ALL SELECT * FROM first) q;
-- a key at a time, by parameters
PREPARE one AS SELECT id, t FROM zones WHERE id = $1;
EXECUTE one (1);
EXECUTE one (20000);
EXECUTE one (20001);
EXECUTE one (NULL);
PREPARE several AS SELECT count(*) FROM zones WHERE id = ANY ($1) AND d > $2;
EXECUTE several ('{1,19000,20000}', '2020-07-01');
EXECUTE several ('{}', '2020-07-01');
-- errors come for the rows that conditions before leave
SELECT count(*) FROM zones WHERE id < 100 AND 1 / (id - 5000) = 0;
SELECT count(*) FROM zones WHERE 1 / (id - 5000) = 0 AND id < 100;
-- changes of this transaction and of others
UPDATE zones SET id = id + 100000 WHERE id = 500;
INSERT INTO zones (id, t, d) VALUES (7777, 't000000', '1999-01-01');
DELETE FROM zones WHERE id = 12000;
SELECT * FROM counts;
SELECT id, t, d FROM zones WHERE id > 100000 OR d < '2000-01-01';
SELECT id, t, d FROM zones WHERE id > 100000;
SELECT id, t, d FROM zones WHERE d < '2000-01-01';
CHECKPOINT;
VACUUM zones;
SELECT * FROM counts;
SELECT id, t, d FROM zones WHERE id > 100000;
BEGIN;
UPDATE zones SET id = -id, e = NULL;
SELECT count(*), sum(id) FROM zones WHERE id BETWEEN -19000 AND -18000;
SELECT count(*) FROM zones WHERE id = 19000;
SELECT count(*) FROM zones WHERE e IS NOT NULL;
ROLLBACK;
SELECT * FROM counts;
UPDATE zones SET id = id + 1000000;
SELECT count(*), sum(id) FROM zones WHERE id BETWEEN 1019000 AND 1019001;
SELECT count(*) FROM zones WHERE id = 19000;
CHECKPOINT;
VACUUM zones;
SELECT count(*), sum(id) FROM zones WHERE id BETWEEN 1019000 AND 1019001;
SELECT count(*) FROM zones WHERE id = 19000;
DELETE FROM zones WHERE id < 1010000;
SELECT count(*) FROM zones WHERE id < 1010001;
VACUUM zones;
SELECT count(*) FROM zones WHERE id < 1010001;
SELECT count(*) FROM zones WHERE id > 1019990;
-- columns added later
ALTER TABLE zones ADD COLUMN later int DEFAULT 5;
SELECT count(*) FROM zones WHERE later = 5;
SELECT count(*) FROM zones WHERE later = 6;
UPDATE zones SET later = 6 WHERE id = 1015000;
SELECT count(*) FROM zones WHERE later = 6;
SELECT count(*) FROM zones WHERE later > 5;
-- what a hash table lacks
CREATE TABLE keys AS SELECT 1012000 + i AS id FROM generate_series(1, 300) i;
ANALYZE keys, zones;
SET enable_mergejoin = off;
SET enable_nestloop = off;
SELECT count(*), sum(k.id) FROM zones z JOIN keys k ON k.id = z.id;
SELECT count(*), sum(k.id) FROM zones z JOIN keys k ON k.id = z.id;
SELECT count(*), count(k.id) FROM zones z LEFT JOIN keys k ON k.id = z.id;
SELECT count(*), count(z.id) FROM keys k LEFT JOIN zones z ON k.id = z.id AND z.id < 1012100;
SELECT count(*), count(z.id), count(k.id) FROM zones z FULL JOIN keys k ON k.id = z.id;
SELECT count(*) FROM zones z WHERE NOT EXISTS (SELECT FROM keys k WHERE k.id = z.id);
SELECT count(*) FROM zones z WHERE EXISTS (SELECT FROM keys k WHERE k.id = z.id);
SELECT count(*), sum(z.id) FROM zones z JOIN keys k ON k.id = z.id JOIN keys l ON l.id = z.id + 0 LEFT JOIN keys m ON m.id = z.id - 100;
SELECT q.n, (SELECT count(*) FROM zones z JOIN keys k ON k.id = z.id WHERE k.id % 3 = q.n) FROM generate_series(0, 3) q(n) ORDER BY 1;
-- rows read backwards
BEGIN;
DECLARE back SCROLL CURSOR FOR SELECT id FROM zones WHERE id BETWEEN 1015000 AND 1015003;
FETCH LAST FROM back;
FETCH BACKWARD 2 FROM back;
COMMIT;
