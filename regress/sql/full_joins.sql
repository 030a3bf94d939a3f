-- Full joins without a column to join by.
CREATE TABLE a (x int, s text);
CREATE TABLE b (y int, t text);
CREATE TABLE nothing (z int);
INSERT INTO a VALUES (1, 'one'), (2, 'two'), (2, NULL);
INSERT INTO b VALUES (2, 'zwei'), (3, 'drei');
EXPLAIN (COSTS OFF) SELECT * FROM a FULL JOIN b ON true;
SELECT * FROM a FULL JOIN b ON true ORDER BY 1, 2, 3;
EXPLAIN (COSTS OFF) SELECT * FROM a FULL JOIN b ON false;
SELECT * FROM a FULL JOIN b ON false ORDER BY 1, 2, 3;
EXPLAIN (COSTS OFF) SELECT * FROM a FULL JOIN b ON NULL;
SELECT * FROM a FULL JOIN b ON NULL ORDER BY 1, 2, 3;
EXPLAIN (COSTS OFF) SELECT * FROM a FULL JOIN b ON x = y AND false;
SELECT * FROM a FULL JOIN b ON x = y AND false ORDER BY 1, 2, 3;
SELECT * FROM a FULL JOIN nothing ON true ORDER BY 1, 2, 3;
SELECT * FROM nothing FULL JOIN a ON true ORDER BY 1, 2, 3;
SELECT * FROM nothing FULL JOIN a ON false ORDER BY 1, 2, 3;
SELECT * FROM nothing x FULL JOIN nothing y ON true;
SELECT * FROM a FULL JOIN b ON true WHERE t IS NULL OR s = 'one' ORDER BY 1, 2, 3;
SELECT count(*), sum(g), sum(h) FROM generate_series(1, 3000) g FULL JOIN generate_series(1, 1000) h ON true;
SELECT count(*), sum(g), sum(h) FROM generate_series(1, 3000) g FULL JOIN generate_series(1, 1000) h ON false;
-- as part of more
EXPLAIN (COSTS OFF) SELECT * FROM a LEFT JOIN (b FULL JOIN nothing ON true) ON x = y;
SELECT * FROM a LEFT JOIN (b FULL JOIN nothing ON true) ON x = y ORDER BY 1, 2, 3;
SELECT * FROM (a FULL JOIN b ON false) FULL JOIN b c ON true ORDER BY 1, 2, 3, 4, 5, 6;
SELECT * FROM (a FULL JOIN b ON x = y) FULL JOIN (b c FULL JOIN nothing ON false) ON c.y = b.y ORDER BY 1, 2, 3, 4, 5, 6;
SELECT x, (SELECT string_agg(coalesce(y::text, '-') || coalesce(z::text, '-'), ',' ORDER BY y) FROM (SELECT * FROM b WHERE y > x) i FULL JOIN nothing ON true) FROM a ORDER BY x, s;
-- one side is constants
EXPLAIN (COSTS OFF) SELECT * FROM a FULL JOIN (SELECT 2 AS two) c ON x = two;
SELECT * FROM a FULL JOIN (SELECT 2 AS two) c ON x = two ORDER BY 1, 2, 3;
SELECT * FROM a FULL JOIN (SELECT 7 AS seven) c ON x = seven ORDER BY 1, 2, 3;
SELECT * FROM a FULL JOIN (SELECT 7 AS seven) c ON true WHERE seven IS NULL OR x = 1 ORDER BY 1, 2, 3;
SELECT * FROM (SELECT 1 AS one) a FULL JOIN (SELECT 2 AS two) b ON one = two ORDER BY 1, 2;
SELECT * FROM (SELECT 1 AS one) a FULL JOIN (SELECT 2 AS two) b ON true;
SELECT * FROM (VALUES (1), (2)) a (one) WHERE one IN (SELECT c.one FROM (SELECT 1 AS one) b FULL JOIN (SELECT 1 AS one) c ON true);
-- conditions that can neither be merged nor hashed
SELECT * FROM a FULL JOIN b ON x > y;
SELECT * FROM a FULL JOIN b ON x = 2;
SELECT * FROM a FULL JOIN b ON x = y AND s < t ORDER BY 1, 2, 3;
