-- Left joins that are anti joins, EXISTS by hash, conditions between two outer joins.
CREATE TABLE a (x int, y int);
CREATE TABLE b (x int, y int);
CREATE TABLE c (x int, y int);
INSERT INTO a SELECT g, g % 7 FROM generate_series(1, 50) g;
INSERT INTO a VALUES (NULL, 1), (3, NULL);
INSERT INTO b SELECT g * 2, g % 5 FROM generate_series(1, 20) g;
INSERT INTO b VALUES (NULL, 1), (4, NULL);
INSERT INTO c SELECT g * 3, g % 3 FROM generate_series(1, 20) g;
INSERT INTO c VALUES (NULL, NULL);
ANALYZE a, b, c;
EXPLAIN (COSTS OFF) SELECT a.* FROM a LEFT JOIN b ON a.x = b.x WHERE b.x IS NULL;
SELECT count(*), sum(a.x), count(b.y) FROM a LEFT JOIN b ON a.x = b.x WHERE b.x IS NULL;
SELECT count(*), sum(a.x), count(b.y) FROM a LEFT JOIN b ON a.x = b.x WHERE b.y IS NULL;
SELECT count(*), sum(a.x), count(b.y), count(c.x) FROM a LEFT JOIN b ON a.x = b.x LEFT JOIN c ON c.x = b.y WHERE b.x IS NULL AND c.x IS NULL;
SELECT count(*), sum(a.x), count(b.y), count(c.x) FROM a LEFT JOIN b ON a.x = b.x LEFT JOIN c ON c.x = a.y WHERE b.x IS NULL AND c.x IS NULL;
SELECT count(*), sum(a.x), count(b.y), count(c.x) FROM a LEFT JOIN b ON a.x = b.x LEFT JOIN c ON c.x = a.y OR c.x = b.x WHERE b.x IS NULL AND c.x IS NULL;
SELECT count(*), sum(a.x), count(b.y), count(c.x) FROM a LEFT JOIN (b JOIN c ON b.x = c.x) ON a.x = b.x WHERE c.x IS NULL;
SELECT count(*), sum(a.x), count(b.y), count(c.x) FROM a LEFT JOIN (b LEFT JOIN c ON b.x = c.x) ON a.x = b.x WHERE c.x IS NULL;
SELECT count(*), coalesce(b.y, -1) FROM a LEFT JOIN b ON a.x = b.x AND b.y > 1 WHERE b.x IS NULL GROUP BY b.y;
SELECT count(*) FROM a FULL JOIN b ON a.x = b.x WHERE b.x IS NULL;
SELECT b FROM a LEFT JOIN b ON a.x = b.x WHERE b.x IS NULL AND a.x < 4;
EXPLAIN (COSTS OFF) SELECT count(*) FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x) OR y = 2;
SELECT count(*) FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x) OR y = 2;
SELECT count(*) FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND b.y > 1) OR y = 2;
SELECT count(*), count(EXISTS (SELECT 1 FROM b WHERE b.x = a.x)), sum(EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND a.y = b.y)::int) FROM a;
SELECT x, EXISTS (SELECT 1 FROM b WHERE b.x = a.x) AS e FROM a ORDER BY x, e LIMIT 4;
SELECT count(*) FROM a WHERE (EXISTS (SELECT 1 FROM b WHERE b.x = a.x + 1 AND b.y = a.y)) IS NOT FALSE;
-- The condition of the subquery holds before the outer join around it.
SELECT count(*), count(q.x), count(q.z) FROM a LEFT JOIN (SELECT b.x, c.y AS z FROM b LEFT JOIN c ON b.x = c.x WHERE b.y > 1 OR c.y = 0) q ON a.x = q.x;
SELECT count(*), count(q.x), count(q.z) FROM a LEFT JOIN (SELECT b.x, c.y AS z FROM b LEFT JOIN c ON b.x = c.x WHERE c.y IS DISTINCT FROM 1) q ON a.x = q.x;
-- What a disjunction says of the nullable side does not filter that side.
SELECT count(*), count(b.x) FROM a LEFT JOIN b ON a.x = b.x WHERE (coalesce(b.y, 3) = 3 AND a.y = 1) OR (coalesce(b.y, 3) = 2 AND a.y = b.x);
-- Index builds tell the planner how large a table is.
SELECT relname, relpages, reltuples FROM pg_class WHERE relname = 'a';
CREATE TABLE d AS SELECT g AS x FROM generate_series(1, 34) g;
CREATE INDEX d_x ON d (x);
SELECT relname, relpages, reltuples FROM pg_class WHERE relname IN ('d', 'd_x') ORDER BY 1;
EXPLAIN (COSTS OFF) SELECT * FROM d WHERE x = 3;
