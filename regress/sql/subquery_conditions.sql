-- Conditions on subqueries in FROM: which of them the subquery tests itself, and that the rows are the same either way.
CREATE TABLE sq_sales (item int, shop int, day date, amount numeric);
INSERT INTO sq_sales SELECT g % 20, g % 7, date '2026-01-01' + g % 90, g % 13 FROM generate_series(1, 2000) g;
CREATE TABLE sq_items (item int PRIMARY KEY, name text);
INSERT INTO sq_items SELECT g, 'item ' || g FROM generate_series(0, 19) g;
ANALYZE sq_sales; ANALYZE sq_items;

-- Group columns, aggregates.
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT item, sum(amount) FROM sq_sales GROUP BY item) q WHERE item = 3;
SELECT * FROM (SELECT item, sum(amount) FROM sq_sales GROUP BY item) q WHERE item = 3;
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT item, shop, sum(amount) AS s FROM sq_sales GROUP BY item, shop) q WHERE item < 3 AND s > 100 AND shop + item = 4;
SELECT * FROM (SELECT item, shop, sum(amount) AS s FROM sq_sales GROUP BY item, shop) q WHERE item < 3 AND s > 100 AND shop + item = 4 ORDER BY 1, 2;
-- HAVING on group columns; without GROUP BY it also stays.
EXPLAIN (COSTS OFF) SELECT item, count(*) FROM sq_sales GROUP BY item HAVING item > 15 AND count(*) > 5;
SELECT item, count(*) FROM sq_sales GROUP BY item HAVING item > 15 AND count(*) > 5 ORDER BY 1;
EXPLAIN (COSTS OFF) SELECT count(*) FROM sq_sales HAVING 1 > 2;
SELECT count(*) FROM sq_sales HAVING 1 > 2;
SELECT count(*) FROM sq_sales HAVING 1 < 2;
SELECT 1 AS one FROM sq_sales WHERE 1 / (item - item) = 1 HAVING 1 < 2;
SELECT 1 AS one FROM sq_sales HAVING 1 < 2;
EXPLAIN (COSTS OFF) SELECT item, shop, count(*) FROM sq_sales GROUP BY ROLLUP (item, shop) HAVING item > 18;
SELECT item, shop, count(*) FROM sq_sales GROUP BY ROLLUP (item, shop) HAVING item > 18 ORDER BY 1, 2;
-- Set operations: all arms of UNION and INTERSECT, none of EXCEPT, no column of another type.
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT item FROM sq_items UNION ALL SELECT shop FROM sq_sales) q WHERE item = 5;
SELECT item, count(*) FROM (SELECT item FROM sq_items UNION ALL SELECT shop FROM sq_sales) q WHERE item = 5 GROUP BY 1;
SELECT * FROM (SELECT item FROM sq_items UNION SELECT shop FROM sq_sales) q WHERE item > 17 ORDER BY 1;
SELECT * FROM (SELECT item FROM sq_items INTERSECT SELECT shop FROM sq_sales) q WHERE item > 4 ORDER BY 1;
SELECT * FROM (SELECT item FROM sq_items EXCEPT SELECT shop FROM sq_sales) q WHERE item < 9 ORDER BY 1;
SELECT * FROM (SELECT item FROM sq_items UNION ALL SELECT 7.5) q(x) WHERE x = 7 OR x = 7.5 ORDER BY 1;
-- DISTINCT, DISTINCT ON, LIMIT.
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT DISTINCT item, shop FROM sq_sales) q WHERE item = 3;
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT DISTINCT ON (item) item, shop FROM sq_sales ORDER BY item, shop) q WHERE item = 3 AND shop = 0;
SELECT * FROM (SELECT DISTINCT ON (item) item, shop FROM sq_sales ORDER BY item, shop DESC) q WHERE item < 4 AND shop = 6 ORDER BY 1;
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT item, name FROM sq_items ORDER BY item LIMIT 5) q WHERE item = 3;
SELECT * FROM (SELECT item, name FROM sq_items ORDER BY item LIMIT 5) q WHERE item >= 4;
-- Windows: only what every window partitions by.
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT item, shop, sum(amount) OVER (PARTITION BY item) AS s FROM sq_sales) q WHERE item = 3;
SELECT DISTINCT * FROM (SELECT item, shop, sum(amount) OVER (PARTITION BY item) AS s FROM sq_sales) q WHERE item = 3 AND shop = 1;
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT item, sum(amount) OVER (PARTITION BY item), count(*) OVER (PARTITION BY shop) FROM sq_sales) q WHERE item = 3;
-- Volatile functions, sets and subqueries are not moved.
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT DISTINCT item FROM sq_sales) q WHERE item = 3 AND random() >= 0;
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT item, generate_series(1, 2) AS g FROM sq_items) q WHERE item = 3 AND g = 2;
SELECT * FROM (SELECT item, generate_series(1, 2) AS g FROM sq_items) q WHERE item = 3 AND g = 2;
SELECT * FROM (SELECT item, count(*) FROM sq_sales GROUP BY item) q WHERE item = (SELECT max(item) FROM sq_items);
-- Joins, outer joins, LATERAL, views with a security barrier.
SELECT i.name, q.s FROM sq_items i LEFT JOIN (SELECT item, sum(amount) AS s FROM sq_sales GROUP BY item) q ON i.item = q.item AND q.item > 17 WHERE i.item > 16 ORDER BY 1;
SELECT i.name, q.s FROM sq_items i LEFT JOIN (SELECT item, sum(amount) AS s FROM sq_sales WHERE shop = 1 GROUP BY item) q USING (item) WHERE q.s IS NULL OR i.item = 4 ORDER BY 1;
SELECT i.item, q.* FROM sq_items i, LATERAL (SELECT shop, count(*) FROM sq_sales s WHERE s.item = i.item GROUP BY shop) q WHERE q.shop = i.item % 7 AND i.item < 3 ORDER BY 1;
CREATE FUNCTION sq_tells(int) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN RAISE NOTICE 'saw %', $1; RETURN true; END $$;
CREATE VIEW sq_hidden WITH (security_barrier) AS SELECT item, name FROM sq_items WHERE item = 7;
EXPLAIN (COSTS OFF) SELECT * FROM sq_hidden WHERE name = 'item 7' AND sq_tells(item);
SELECT * FROM sq_hidden WHERE sq_tells(item) AND item > 5;
-- A scan that only hands on its subquery's columns is not there.
EXPLAIN (COSTS OFF) SELECT i.name, q.item FROM (SELECT item, sum(amount) FROM sq_sales GROUP BY item) q JOIN sq_items i USING (item);
EXPLAIN (COSTS OFF) SELECT i.name, q.item FROM sq_items i, (SELECT item, day, amount FROM sq_sales ORDER BY amount LIMIT 5) q WHERE i.item > q.item;
DROP VIEW sq_hidden;
DROP FUNCTION sq_tells(int);
DROP TABLE sq_sales, sq_items;
-- Columns equal to a constant tell no rows apart, but for grouping sets that leave them out.
CREATE TABLE sq_const (a int, b int, c int);
INSERT INTO sq_const SELECT 1, g % 3, g % 2 FROM generate_series(1, 12) g;
INSERT INTO sq_const VALUES (2, 9, 9), (2, 8, 8);
SELECT a, count(*) FROM sq_const WHERE a = 1 GROUP BY a;
SELECT a, count(*) FROM sq_const WHERE a = 7 GROUP BY a;
SELECT a, b FROM sq_const WHERE a = 7 GROUP BY a, b;
SELECT a FROM sq_const WHERE a = 1 GROUP BY a;
SELECT DISTINCT a FROM sq_const WHERE a = 1;
SELECT DISTINCT a FROM sq_const WHERE a = 7;
SELECT DISTINCT ON (a) a, b, c FROM sq_const WHERE a = 1 ORDER BY a, b DESC, c DESC;
SELECT DISTINCT b, c FROM sq_const WHERE b = c ORDER BY b, c;
SELECT a, b, count(*) FROM sq_const WHERE a = 1 GROUP BY ROLLUP (a, b) ORDER BY a, b NULLS FIRST;
SELECT DISTINCT a FROM sq_const WHERE a = 1 GROUP BY ROLLUP (a, b) ORDER BY a;
SELECT b, c, count(*) FROM sq_const WHERE b = c GROUP BY CUBE (b, c) ORDER BY b, c;
SELECT DISTINCT a, sum(b) OVER (PARTITION BY a) FROM sq_const WHERE a = 2;
DROP TABLE sq_const;
-- A column that a grouping set leaves out is NULL, also where the subquery has a constant or an expression for it.
SELECT k, b, count(*) FROM (SELECT 'q' AS k, n % 2 AS b FROM generate_series(1, 5) n) q GROUP BY GROUPING SETS ((k), (b), ()) HAVING k IS NOT NULL OR b = 1 ORDER BY 1, 2;
SELECT b, count(*) FROM (SELECT n % 2 AS b FROM generate_series(1, 5) n) q GROUP BY ROLLUP (b) HAVING b IS NULL ORDER BY 1;
