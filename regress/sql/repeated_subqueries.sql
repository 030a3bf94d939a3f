-- Correlated subqueries whose parameters come again and again.
CREATE TABLE facts (k int, x int, t text);
INSERT INTO facts SELECT CASE WHEN i % 17 = 0 THEN NULL ELSE i % 40 END, i, 't' || i % 40 FROM generate_series(1, 3000) i;
CREATE TABLE marks (k int, v int, t text);
INSERT INTO marks SELECT i % 50, i, 't' || i % 45 FROM generate_series(1, 200) i;
CREATE SEQUENCE runs;
ANALYZE facts, marks;
SELECT count(*), sum(x) FROM facts f WHERE x > (SELECT avg(v) * 10 FROM marks m WHERE m.k = f.k);
SELECT sum((SELECT max(v) FROM marks m WHERE m.k = f.k)), sum((SELECT max(v) FROM marks m WHERE m.t = f.t)) FROM facts f;
SELECT count(*) FROM facts f WHERE EXISTS (SELECT 1 FROM marks m WHERE m.k = f.k AND m.v > f.x OR m.k = f.k + 1 AND m.v < 20);
-- two parameters, NULL among them
SELECT sum((SELECT count(*) FROM marks m WHERE m.k = f.k AND m.t >= f.t)), count((SELECT m.v FROM marks m WHERE m.k = f.k AND m.v < 50)) FROM facts f;
-- more than one row
SELECT (SELECT m.v FROM marks m WHERE m.k = f.k) FROM facts f WHERE k IS NOT NULL;
SELECT sum(cardinality(ARRAY(SELECT m.v FROM marks m WHERE m.k = f.k))) FROM facts f;
SELECT count(*) FROM facts f WHERE x % 7 = ANY (SELECT m.v % 7 FROM marks m WHERE m.k = f.k);
-- volatile: once for each row
SELECT count(*), min((SELECT nextval('runs') FROM marks m WHERE m.k = f.k LIMIT 1)) FROM facts f WHERE k < 30;
SELECT currval('runs');
SELECT count(DISTINCT (SELECT random() + m.v FROM marks m WHERE m.v = f.k)) > 1000 FROM facts f;
-- nested ones
SELECT sum((SELECT sum((SELECT min(n.v) FROM marks n WHERE n.k = m.k AND n.k <> f.x % 3)) FROM marks m WHERE m.k = f.k)) FROM facts f;
-- what a statement changes it does not see
UPDATE marks m SET v = (SELECT sum(v) FROM marks n WHERE n.k = m.k);
SELECT sum(v), count(DISTINCT v) FROM marks;
