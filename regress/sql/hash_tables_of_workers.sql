-- Hash tables that are the same for all participants of a Gather.
CREATE TABLE wide (a int, b int, t text);
INSERT INTO wide SELECT i, i % 100, 'row ' || i FROM generate_series(1, 20000) i;
CREATE TABLE narrow (b int, c int, t text);
INSERT INTO narrow SELECT i % 150, i, 'narrow ' || i FROM generate_series(1, 3000) i;
ANALYZE wide, narrow;
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET min_parallel_table_scan_size = 0;
SET enable_parallel_hash = off;
SET enable_mergejoin = off;
SET enable_nestloop = off;
EXPLAIN (COSTS OFF) SELECT count(*), sum(c) FROM wide w JOIN narrow n ON n.b = w.b;
SELECT count(*), sum(c), sum(length(w.t)), sum(length(n.t)) FROM wide w JOIN narrow n ON n.b = w.b;
SELECT count(*), sum(a) FROM wide w WHERE NOT EXISTS (SELECT FROM narrow n WHERE n.b = w.b AND n.c > w.a);
SELECT count(*), sum(a) FROM wide w WHERE EXISTS (SELECT FROM narrow n WHERE n.b = w.b AND n.c > w.a);
SELECT count(*), count(n.c), sum(c) FROM wide w LEFT JOIN narrow n ON n.b = w.b + 100;
SELECT count(*), sum(n.c), sum(m.c) FROM wide w JOIN narrow n ON n.c = w.a JOIN narrow m ON m.c = n.c + 1;
-- with little memory
SET work_mem = '64kB';
SET hash_mem_multiplier = 1;
SELECT count(*), sum(c), sum(length(w.t)), sum(length(n.t)) FROM wide w JOIN narrow n ON n.b = w.b;
SELECT count(*), count(n.c), sum(c) FROM wide w LEFT JOIN narrow n ON n.b = w.b + 100;
SELECT count(*), sum(n.c), sum(m.c) FROM wide w JOIN narrow n ON n.c = w.a JOIN narrow m ON m.c = n.c + 1;
