-- Nested loops whose participants look for inner rows together: the rows are those of lookups.
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_memoize = off;
SET enable_bitmapscan = off;
SET enable_material = off;

CREATE TABLE outer_rows (a int, b bigint, c smallint, t text);
INSERT INTO outer_rows
  SELECT CASE WHEN i % 11 = 0 THEN NULL ELSE i * 7 % 1300 END, CASE WHEN i % 13 = 0 THEN 5000000000 + i ELSE i * 3 % 900 END, i % 5, 'o' || i % 2500
  FROM generate_series(1, 20000) i;
CREATE TABLE inner_rows (k int, line int, x numeric(10,2), y int, s text, d date, PRIMARY KEY (k, line));
INSERT INTO inner_rows
  SELECT i * 37 % 1000, 9 - i / 1000, i / 4.0, CASE WHEN i % 9 = 0 THEN NULL ELSE i % 1000 END, 's' || i % 60, date '2020-01-01' + i % 400
  FROM generate_series(0, 4999) i;
CREATE INDEX inner_y ON inner_rows (y);
CREATE INDEX inner_y_k ON inner_rows (y, k);
CREATE TABLE single (id int PRIMARY KEY, v text, w int);
INSERT INTO single SELECT i, 'v' || i, i % 7 FROM generate_series(1, 3000) i;
ANALYZE outer_rows, inner_rows, single;

SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT count(*), sum(x), sum(hashtext(t || s)) FROM outer_rows o JOIN inner_rows i ON i.k = o.a;
SELECT count(*), sum(x), sum(hashtext(t || s)) FROM outer_rows o JOIN inner_rows i ON i.k = o.a;
SELECT count(*), sum(x) FROM outer_rows o JOIN inner_rows i ON i.k = o.a AND i.line = o.c;
SELECT count(*), sum(x) FROM outer_rows o JOIN inner_rows i ON i.k = o.a AND i.y < o.b AND i.s > 's3' AND i.line > o.c;
SELECT count(*), count(i.k), sum(x) FROM outer_rows o LEFT JOIN inner_rows i ON i.k = o.a AND i.y > o.b;
SELECT count(*), min(t) FROM outer_rows o WHERE EXISTS (SELECT FROM inner_rows i WHERE i.k = o.a AND i.y > o.b);
SELECT count(*), min(t) FROM outer_rows o WHERE NOT EXISTS (SELECT FROM inner_rows i WHERE i.k = o.a AND i.y > o.b);
-- the order of a key's rows, of rows of outer_rows
SELECT md5(string_agg(r, ',' ORDER BY r)) FROM (SELECT t || ':' || string_agg(line || '-' || x || s, ';') AS r
  FROM (SELECT o.ctid AS place, t, line, x, s FROM outer_rows o JOIN inner_rows i ON i.k = o.a OFFSET 0) q GROUP BY place, t) q;
-- loops over loops
SELECT count(*), sum(i.x), sum(s.w) FROM outer_rows o JOIN single s ON s.id = o.a JOIN inner_rows i ON i.k = s.id;
SELECT count(*), sum(i.x), sum(s.w) FROM outer_rows o JOIN inner_rows i ON i.y = o.a JOIN single s ON s.id = i.y + 1;
-- next to hash tables
SET enable_hashjoin = on;
SELECT count(*), sum(i.x), sum(w) FROM outer_rows o JOIN inner_rows i ON i.k = o.a JOIN (SELECT w, count(*) FROM single GROUP BY w) s ON s.w = o.c;
SET enable_hashjoin = off;
-- an error in one of them
SELECT count(*) FROM outer_rows o JOIN single s ON s.id = o.a WHERE 100 / (1200 - s.id) >= 0;
SELECT count(*) FROM outer_rows o JOIN single s ON s.id = o.a WHERE 100 / (o.c - 3) >= 0;
-- no outer rows, few, and some that match nothing
SELECT count(*), sum(x) FROM outer_rows o JOIN inner_rows i ON i.k = o.a WHERE o.t = 'none';
SELECT count(*), sum(x) FROM outer_rows o JOIN inner_rows i ON i.k = o.a WHERE o.t = 'o7';
SELECT count(*), sum(x) FROM outer_rows o JOIN inner_rows i ON i.k = o.b;
SELECT count(*) FROM (SELECT FROM outer_rows o JOIN inner_rows i ON i.k = o.a LIMIT 3333) q;
-- with little memory each looks for itself
SET work_mem = '64kB';
SELECT count(*), sum(x), sum(hashtext(t || s)) FROM outer_rows o JOIN inner_rows i ON i.k = o.a;
SELECT count(*), sum(i.x), sum(s.w) FROM outer_rows o JOIN single s ON s.id = o.a JOIN inner_rows i ON i.k = s.id;
SET parallel_leader_participation = off;
SELECT count(*), sum(x), sum(hashtext(t || s)) FROM outer_rows o JOIN inner_rows i ON i.k = o.a;
RESET work_mem;
SELECT count(*), sum(x), sum(hashtext(t || s)) FROM outer_rows o JOIN inner_rows i ON i.k = o.a;
