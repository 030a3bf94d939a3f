-- Sort keys without columns: aggregates, window functions, sets, volatile functions.
CREATE TABLE e (d text, s int);
INSERT INTO e VALUES ('a', 3), ('b', 1), ('a', 1), ('b', 2), ('b', 2), ('c', 4);
SELECT d, count(*) FROM e GROUP BY d ORDER BY count(*);
SELECT d, count(*) FROM e GROUP BY d ORDER BY 2 DESC;
SELECT generate_series(1, 3) AS g ORDER BY g DESC;
SELECT generate_series(1, 3) AS g ORDER BY 1 DESC LIMIT 1;
SELECT row_number() OVER () AS r FROM e ORDER BY r DESC;
SELECT d, s, rank() OVER w FROM e WINDOW w AS (PARTITION BY d ORDER BY s) ORDER BY rank() OVER w, d, s;
SELECT count(*) FROM (SELECT DISTINCT random(1, 3) AS r FROM generate_series(1, 200)) AS x;
SELECT bool_and(r >= before) FROM (SELECT r, lag(r) OVER () AS before FROM (SELECT random() AS r FROM generate_series(1, 100) ORDER BY 1) AS x) AS y;
SELECT d, s, 1 AS one FROM e ORDER BY one, s, d;
SELECT max(s), generate_series(1, 3) AS g FROM e ORDER BY g DESC;
-- A key that is the same everywhere before one that needs all bits.
CREATE TABLE wide (k text, v int8);
INSERT INTO wide VALUES ('a', 9223372036854775807), ('a', -9223372036854775808), ('a', 1), ('a', NULL);
SELECT k, v FROM wide ORDER BY k, v;
SELECT k, v FROM wide WHERE v IS NOT NULL ORDER BY k, v DESC;
