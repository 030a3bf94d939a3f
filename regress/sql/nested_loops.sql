-- Nested loops over an index whose outer rows are many: the rows and their order are those of lookups.
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_memoize = off;
SET enable_bitmapscan = off;
SET enable_material = off;
SET max_parallel_workers_per_gather = 0;

CREATE TABLE outer_rows (a int, b bigint, c smallint, t text);
INSERT INTO outer_rows
  SELECT CASE WHEN i % 11 = 0 THEN NULL ELSE i * 7 % 1300 END, CASE WHEN i % 13 = 0 THEN 5000000000 + i ELSE i * 3 % 900 END, i % 5, 'o' || i
  FROM generate_series(1, 2500) i;
CREATE TABLE inner_rows (k int, line int, x numeric(10,2), y int, s text, d date, PRIMARY KEY (k, line));
INSERT INTO inner_rows
  SELECT i * 37 % 1000, 9 - i / 1000, i / 4.0, CASE WHEN i % 9 = 0 THEN NULL ELSE i % 1000 END, 's' || i % 60, date '2020-01-01' + i % 400
  FROM generate_series(0, 4999) i;
CREATE INDEX inner_y ON inner_rows (y);
CREATE INDEX inner_y_k ON inner_rows (y, k);
CREATE TABLE single (id int PRIMARY KEY, v text, w int);
INSERT INTO single SELECT i, 'v' || i, i % 7 FROM generate_series(1, 3000) i;
ANALYZE outer_rows, inner_rows, single;

EXPLAIN (COSTS OFF) SELECT count(*) FROM outer_rows o JOIN inner_rows i ON i.k = o.a WHERE i.d < '2020-09-01';
SELECT count(*), sum(x), sum(hashtext(t || s)) FROM outer_rows o JOIN inner_rows i ON i.k = o.a WHERE i.d < '2020-09-01';
-- the order of a key's rows, of rows of outer_rows
SELECT md5(string_agg(t || ':' || line || ':' || s, ',')) FROM outer_rows o JOIN inner_rows i ON i.k = o.a;
SELECT md5(string_agg(t || ':' || x, ',')) FROM outer_rows o JOIN inner_rows i ON i.y = o.a;
SELECT string_agg(line || ':' || x, ',') FROM (SELECT * FROM outer_rows WHERE t IN ('o1', 'o2')) o JOIN inner_rows i ON i.k = o.a;
-- other integers than the index has, beyond its range
SELECT count(*), sum(y), max(b) FROM outer_rows o JOIN single s ON s.id = o.b JOIN inner_rows i ON i.y = s.id;
SELECT count(*), sum(w) FROM outer_rows o JOIN single s ON s.id = o.c;
-- two columns, and a constant among them
EXPLAIN (COSTS OFF) SELECT count(*) FROM outer_rows o JOIN inner_rows i ON i.k = o.a AND i.line = o.c + 4;
SELECT count(*), sum(x) FROM outer_rows o JOIN inner_rows i ON i.k = o.a AND i.line = o.c;
SELECT count(*), sum(x), min(t) FROM outer_rows o JOIN inner_rows i ON i.k = o.a AND i.line = 7;
SELECT count(*), sum(x) FROM outer_rows o JOIN inner_rows i ON i.y = o.a AND i.k = o.b;
-- conditions on both rows
SELECT count(*), sum(x) FROM outer_rows o JOIN inner_rows i ON i.k = o.a AND i.y <> o.b;
SELECT count(*), sum(x) FROM outer_rows o JOIN inner_rows i ON i.k = o.a AND i.y < o.b AND i.s > 's3' AND i.line > o.c;
-- outer, semi and anti joins
SELECT count(*), count(i.k), sum(x) FROM outer_rows o LEFT JOIN inner_rows i ON i.k = o.a AND i.d > '2020-12-01';
SELECT count(*), count(i.k), sum(x) FROM outer_rows o LEFT JOIN inner_rows i ON i.k = o.a AND i.y > o.b;
SELECT count(*), min(t) FROM outer_rows o WHERE EXISTS (SELECT FROM inner_rows i WHERE i.k = o.a AND i.y > o.b);
SELECT count(*), min(t) FROM outer_rows o WHERE NOT EXISTS (SELECT FROM inner_rows i WHERE i.k = o.a AND i.y > o.b);
SELECT count(*), min(t) FROM outer_rows o WHERE NOT EXISTS (SELECT FROM inner_rows i WHERE i.y = o.a AND i.s < 's4');
-- conditions that can fail are for rows asked for alone
SELECT count(*) FROM outer_rows o JOIN single s ON s.id = o.a WHERE 100 / (1300 - s.id) >= 0;
SELECT count(*) FROM outer_rows o JOIN single s ON s.id = o.a WHERE 100 / (1200 - s.id) >= 0;
-- index-only scans, subplans
SELECT count(*), sum(i.k) FROM outer_rows o JOIN inner_rows i ON i.y = o.a WHERE i.k NOT IN (SELECT w FROM single);
SELECT count(*) FROM outer_rows o JOIN inner_rows i ON i.k = o.a WHERE i.y > (SELECT avg(w) * 100 FROM single s WHERE s.id < i.k % 10 + 2);
-- system columns
SELECT count(*), count(DISTINCT s.ctid), min(s.tableoid::regclass::text) FROM outer_rows o JOIN single s ON s.id = o.a;
-- loops in loops, run again
SELECT w, n FROM (SELECT DISTINCT w FROM single) s,
  LATERAL (SELECT count(*) AS n FROM outer_rows o JOIN inner_rows i ON i.k = o.a WHERE i.line = s.w) q ORDER BY w;
-- limits
SELECT count(*) FROM (SELECT FROM outer_rows o JOIN inner_rows i ON i.k = o.a LIMIT 3333) q;
SELECT t, line FROM outer_rows o JOIN inner_rows i ON i.k = o.a LIMIT 3;
-- rows changed in the same transaction, and since the snapshot
BEGIN;
UPDATE inner_rows SET k = k + 1000 WHERE k % 10 = 3;
DELETE FROM inner_rows WHERE k % 10 = 4;
INSERT INTO inner_rows SELECT 5, 100 + i, i, i, 'new', '2020-01-01' FROM generate_series(1, 40) i;
SELECT count(*), sum(x), sum(hashtext(t || s)) FROM outer_rows o JOIN inner_rows i ON i.k = o.a;
SELECT md5(string_agg(t || ':' || line || ':' || s, ',')) FROM outer_rows o JOIN inner_rows i ON i.k = o.a;
ROLLBACK;
SELECT count(*), sum(x) FROM outer_rows o JOIN inner_rows i ON i.k = o.a;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*), sum(x) FROM outer_rows o JOIN inner_rows i ON i.k = o.a;
COMMIT;
UPDATE inner_rows i SET x = x + 1 FROM outer_rows o WHERE i.k = o.a AND o.c = 2;
SELECT sum(x) FROM inner_rows;
SET work_mem = '64kB';
SELECT count(*), sum(x), sum(hashtext(t || s)) FROM outer_rows o JOIN inner_rows i ON i.k = o.a;
SELECT md5(string_agg(t || ':' || line || ':' || s, ',')) FROM outer_rows o JOIN inner_rows i ON i.k = o.a;
