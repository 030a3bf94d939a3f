-- Aggregates with ORDER BY or DISTINCT get their rows in order from one sort below, where one order serves several.
CREATE TABLE pa (id int PRIMARY KEY, a int, b int, t text);
INSERT INTO pa SELECT i, i % 5, nullif((i * 7) % 11, 3), chr(97 + i % 4) FROM generate_series(1, 300) i;
CREATE INDEX pa_a_b ON pa (a, b);
ANALYZE pa;
EXPLAIN (COSTS OFF) SELECT sum(b ORDER BY b), array_agg(id ORDER BY b, id) FROM pa;
SELECT sum(b ORDER BY b), array_agg(id ORDER BY b, id) FROM pa;
EXPLAIN (COSTS OFF) SELECT a, string_agg(t, ',' ORDER BY t, id) FROM pa WHERE id < 40 GROUP BY a ORDER BY a;
SELECT a, string_agg(t, ',' ORDER BY t, id) FROM pa WHERE id < 40 GROUP BY a ORDER BY a;
EXPLAIN (COSTS OFF) SELECT a, string_agg(DISTINCT t, '/'), string_agg(t, ',' ORDER BY t DESC, id) FROM pa WHERE id < 40 GROUP BY a ORDER BY a;
SELECT a, string_agg(DISTINCT t, '/'), string_agg(t, ',' ORDER BY t DESC, id) FROM pa WHERE id < 40 GROUP BY a ORDER BY a;
EXPLAIN (COSTS OFF) SELECT a, array_agg(DISTINCT b ORDER BY b), array_agg(b ORDER BY b) FROM pa GROUP BY a ORDER BY a;
SELECT a, array_agg(DISTINCT b ORDER BY b) FROM pa GROUP BY a ORDER BY a;
SELECT a, array_agg(DISTINCT b), max(DISTINCT t), array_length(array_agg(b ORDER BY b), 1) FROM pa GROUP BY a ORDER BY a;
-- The order of most; the others sort for themselves.
EXPLAIN (COSTS OFF) SELECT array_agg(id ORDER BY a, id), array_agg(id ORDER BY b, id), array_agg(t ORDER BY b) FROM pa;
SELECT a, array_agg(id ORDER BY t, id), array_agg(id ORDER BY b, id), array_agg(b ORDER BY b) FROM pa WHERE id < 30 GROUP BY a ORDER BY a;
-- FILTER, expressions, HAVING, ORDER BY of the groups.
EXPLAIN (COSTS OFF) SELECT a, array_agg(id ORDER BY id + b) FILTER (WHERE b > 0) FROM pa GROUP BY a;
EXPLAIN (COSTS OFF) SELECT a, array_agg(id ORDER BY id) FILTER (WHERE b > 5) FROM pa GROUP BY a;
SELECT a, array_agg(id ORDER BY id DESC) FILTER (WHERE b > 8) FROM pa GROUP BY a ORDER BY a;
EXPLAIN (COSTS OFF) SELECT a, array_agg(id ORDER BY -id) FROM pa GROUP BY a HAVING min(id) < 3 ORDER BY a DESC;
SELECT a, array_agg(id ORDER BY -id) FROM pa WHERE id < 25 GROUP BY a HAVING min(id) < 3 ORDER BY a DESC;
SELECT a, array_agg(id ORDER BY -id) FROM pa WHERE id < 25 GROUP BY a HAVING string_agg(DISTINCT t, '') = 'abcd' ORDER BY 2;
SELECT array_agg(id ORDER BY random()) IS NULL FROM pa WHERE id < 0;
EXPLAIN (COSTS OFF) SELECT array_agg(id ORDER BY b, random()) FROM pa;
-- Equal values of different groups next to each other.
SELECT a, string_agg(DISTINCT 'x', ',') FROM pa GROUP BY a ORDER BY a;
SELECT a, b, array_agg(DISTINCT t) FROM pa WHERE id < 60 AND b < 3 GROUP BY a, b ORDER BY a, b;
SELECT array_agg(DISTINCT b), array_agg(b ORDER BY b DESC) FROM pa WHERE id < 0;
-- Constants and columns fixed by WHERE are no order.
EXPLAIN (COSTS OFF) SELECT array_agg(id ORDER BY a, id) FROM pa WHERE a = 2;
SELECT array_agg(id ORDER BY a, id) FROM pa WHERE a = 2 AND id < 50;
SELECT string_agg(t, ',' ORDER BY 1) IS NOT NULL FROM pa;
-- An outer join may make columns NULL above a condition that fixes them.
SELECT y.b, array_agg(x.id ORDER BY y.b, x.id) FROM pa x LEFT JOIN pa y ON x.id = y.id + 1 AND y.b = 4 WHERE x.id < 20 GROUP BY y.b ORDER BY 1;
SELECT array_agg(y.b ORDER BY y.b, x.id), array_agg(DISTINCT y.b) FROM pa x LEFT JOIN pa y ON x.id = y.id + 1 AND y.b = 4 WHERE x.id < 20;
-- Grouping sets sort each for itself.
SELECT a, t, array_agg(id ORDER BY id DESC) FROM pa WHERE id < 12 GROUP BY GROUPING SETS ((a), (t), ()) ORDER BY 1, 2;
SET enable_presorted_aggregate = off;
EXPLAIN (COSTS OFF) SELECT a, string_agg(t, ',' ORDER BY t, id) FROM pa WHERE id < 40 GROUP BY a ORDER BY a;
SELECT a, string_agg(t, ',' ORDER BY t, id) FROM pa WHERE id < 40 GROUP BY a ORDER BY a;
RESET enable_presorted_aggregate;
DROP TABLE pa;
