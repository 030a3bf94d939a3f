-- Hash tables that participants of a Gather build together, in memory and beyond it.
CREATE TABLE wide (a int, b int, t text, n numeric);
INSERT INTO wide SELECT i, i % 3000, 'row ' || i, i / 2.0 FROM generate_series(1, 30000) i;
CREATE TABLE narrow (b int, c int, t text, n numeric);
INSERT INTO narrow SELECT CASE WHEN i % 10 = 0 THEN NULL ELSE i % 2500 END, i, 'narrow ' || i % 5000, i % 700 FROM generate_series(1, 20000) i;
ANALYZE wide, narrow;
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET enable_mergejoin = off;
SET enable_nestloop = off;
EXPLAIN (COSTS OFF) SELECT count(*), sum(c) FROM wide w JOIN narrow n ON n.b = w.b;
CREATE VIEW answers AS
  SELECT 'inner' AS what, count(*), sum(c) AS s, sum(hashtext(w.t || n.t)) AS h FROM wide w JOIN narrow n ON n.b = w.b
  UNION ALL SELECT 'text', count(*), sum(c), sum(hashtext(w.t || n.t)) FROM wide w JOIN narrow n ON n.t = 'narrow ' || w.b
  UNION ALL SELECT 'two keys', count(*), sum(c), sum(hashtext(w.t || n.t)) FROM wide w JOIN narrow n ON n.b = w.b AND n.n = w.a % 700
  UNION ALL SELECT 'numeric', count(*), sum(c), sum(hashtext(w.t || n.t)) FROM wide w JOIN narrow n ON n.n = w.n
  UNION ALL SELECT 'left', count(*), sum(c), sum(coalesce(hashtext(w.t || n.t), 1)) FROM wide w LEFT JOIN narrow n ON n.b = w.b
  UNION ALL SELECT 'left, condition', count(*), sum(c), sum(coalesce(hashtext(w.t || n.t), 1)) FROM wide w LEFT JOIN narrow n ON n.b = w.b AND n.c > w.a
  UNION ALL SELECT 'semi', count(*), sum(a), sum(hashtext(w.t)) FROM wide w WHERE EXISTS (SELECT FROM narrow n WHERE n.b = w.b AND n.c > w.a)
  UNION ALL SELECT 'anti', count(*), sum(a), sum(hashtext(w.t)) FROM wide w WHERE NOT EXISTS (SELECT FROM narrow n WHERE n.b = w.b AND n.c > w.a)
  UNION ALL SELECT 'right', count(*), sum(c), sum(coalesce(hashtext(w.t || n.t), 1)) FROM narrow n RIGHT JOIN wide w ON n.b = w.b
  UNION ALL SELECT 'full', count(*), sum(c), sum(coalesce(hashtext(w.t || n.t), 1)) FROM wide w FULL JOIN narrow n ON n.b = w.b
  UNION ALL SELECT 'one key', count(*), sum(c), sum(hashtext(w.t || n.t)) FROM (SELECT * FROM wide WHERE a <= 300) w JOIN (SELECT *, 7 AS k FROM narrow WHERE c <= 600) n ON n.k = w.a % 9
  UNION ALL SELECT 'nothing', count(*), sum(c), sum(hashtext(w.t || n.t)) FROM wide w JOIN narrow n ON n.b = w.b WHERE n.t = 'none'
  UNION ALL SELECT 'three', count(*), sum(n.c), sum(hashtext(w.t || n.t || m.t)) FROM wide w JOIN narrow n ON n.c = w.a JOIN narrow m ON m.c = n.c + 1
  UNION ALL SELECT 'below', count(*), sum(q), 0 FROM (SELECT w.b AS q FROM wide w JOIN narrow n ON n.b = w.b GROUP BY w.b) g JOIN narrow m ON m.c = g.q;
SELECT * FROM answers;
CREATE TABLE first AS SELECT * FROM answers;
SET work_mem = '64kB';
SET hash_mem_multiplier = 1;
SELECT * FROM answers EXCEPT ALL SELECT * FROM first;
SELECT count(*) FROM first;
SET work_mem = '128kB';
SET hash_mem_multiplier = 2;
SELECT * FROM answers EXCEPT ALL SELECT * FROM first;
SET work_mem = '512kB';
SELECT * FROM answers EXCEPT ALL SELECT * FROM first;
SET work_mem = '64kB';
SET parallel_leader_participation = off;
SELECT * FROM answers EXCEPT ALL SELECT * FROM first;
SET max_parallel_workers_per_gather = 5;
SELECT * FROM answers EXCEPT ALL SELECT * FROM first;
SELECT count(*) FROM (SELECT w.t FROM wide w JOIN narrow n ON n.b = w.b LIMIT 777) q;
