-- Conditions above a subquery on a window function that only grows end the window; the topmost window leaves rows out.
CREATE TABLE rc (id int PRIMARY KEY, grp int, val int, txt text);
INSERT INTO rc SELECT i, i % 4, (i * 7) % 23, 'r' || i FROM generate_series(1, 400) i;
INSERT INTO rc VALUES (401, NULL, NULL, NULL), (402, NULL, 5, 'z');
ANALYZE rc;
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT id, row_number() OVER (ORDER BY id) rn FROM rc) s WHERE rn <= 3;
SELECT * FROM (SELECT id, row_number() OVER (ORDER BY id) rn FROM rc) s WHERE rn <= 3;
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT id, row_number() OVER (ORDER BY id) rn FROM rc) s WHERE 3 >= rn AND id > 1;
SELECT * FROM (SELECT id, row_number() OVER (ORDER BY id) rn FROM rc) s WHERE 3 >= rn AND id > 1;
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT id, row_number() OVER (ORDER BY id) rn FROM rc) s WHERE rn = 3;
SELECT * FROM (SELECT id, row_number() OVER (ORDER BY id) rn FROM rc) s WHERE rn = 3;
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT id, row_number() OVER (ORDER BY id) rn FROM rc) s WHERE 398 < rn;
SELECT * FROM (SELECT id, row_number() OVER (ORDER BY id) rn FROM rc) s WHERE 398 < rn;
-- Partitions; other windows below and above.
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT grp, id, rank() OVER (PARTITION BY grp ORDER BY val) rk FROM rc) s WHERE rk < 3;
SELECT * FROM (SELECT grp, id, rank() OVER (PARTITION BY grp ORDER BY val) rk FROM rc) s WHERE rk < 3 ORDER BY 1, 2;
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT grp, id, dense_rank() OVER (PARTITION BY grp ORDER BY val) rk, count(*) OVER (PARTITION BY val) n FROM rc) s WHERE rk <= 2;
SELECT * FROM (SELECT grp, id, dense_rank() OVER (PARTITION BY grp ORDER BY val) rk, count(*) OVER (PARTITION BY val) n FROM rc) s WHERE rk <= 2 ORDER BY 1, 2;
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT id, row_number() OVER (PARTITION BY grp ORDER BY id) rn, row_number() OVER (ORDER BY val DESC, id) r2 FROM rc) s WHERE rn <= 2 AND r2 <= 100;
SELECT * FROM (SELECT id, row_number() OVER (PARTITION BY grp ORDER BY id) rn, row_number() OVER (ORDER BY val DESC, id) r2 FROM rc) s WHERE rn <= 2 AND r2 <= 100 ORDER BY 1;
-- Counts grow, fall or stay, as the frame says.
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT id, count(*) OVER (ORDER BY val) c FROM rc) s WHERE c <= 20;
SELECT * FROM (SELECT id, count(*) OVER (ORDER BY val) c FROM rc) s WHERE c <= 20 ORDER BY 1;
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT id, count(*) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) c FROM rc) s WHERE c >= 400;
SELECT * FROM (SELECT id, count(*) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) c FROM rc) s WHERE c >= 400;
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT grp, id, count(*) OVER (PARTITION BY grp) c FROM rc) s WHERE c = 2;
SELECT * FROM (SELECT grp, id, count(*) OVER (PARTITION BY grp) c FROM rc) s WHERE c = 2 ORDER BY id;
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT id, count(*) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) c FROM rc) s WHERE c < 3;
SELECT * FROM (SELECT id, count(*) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) c FROM rc) s WHERE c < 3;
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT id, ntile(100) OVER (ORDER BY id) t FROM rc) s WHERE t <= 1;
SELECT * FROM (SELECT id, ntile(100) OVER (ORDER BY id) t FROM rc) s WHERE t <= 1;
-- No run conditions: sums may fall, expressions over windows, LIMIT, DISTINCT ON, other subqueries' values.
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT id, sum(id) OVER (ORDER BY val) t FROM rc) s WHERE t < 10;
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT id, row_number() OVER (ORDER BY id) + 1 t FROM rc) s WHERE t < 4;
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT id, row_number() OVER (ORDER BY id) t FROM rc LIMIT 5) s WHERE t < 4;
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT id, row_number() OVER (ORDER BY id) t FROM rc) s WHERE t < 4 OR id = 9;
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT id, row_number() OVER (ORDER BY id) t FROM rc) s, (VALUES (2), (3)) v (x) WHERE t < x;
SELECT s.*, x FROM (SELECT id, row_number() OVER (ORDER BY id) t FROM rc) s, (VALUES (2), (3)) v (x) WHERE t < x ORDER BY 1, 3;
-- NULL ends it at once.
SELECT * FROM (SELECT id, row_number() OVER (ORDER BY id) t FROM rc) s WHERE t < (SELECT NULL::int);
PREPARE some_rows (int) AS SELECT * FROM (SELECT id, row_number() OVER (ORDER BY id) t FROM rc) s WHERE t <= $1;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE some_rows (2);
EXECUTE some_rows (2);
EXECUTE some_rows (50);
EXECUTE some_rows (NULL);
RESET plan_cache_mode;
SELECT x, s.* FROM (VALUES (1), (3), (0)) v (x), LATERAL (SELECT id, row_number() OVER (ORDER BY id) t FROM rc) s WHERE t <= 2 ORDER BY 1, 2;
SELECT x, s.* FROM (VALUES (1), (3), (0)) v (x), LATERAL (SELECT * FROM (SELECT id, rank() OVER (ORDER BY val, id) t FROM rc) s WHERE t <= x) s ORDER BY 1, 2;
DROP TABLE rc;
