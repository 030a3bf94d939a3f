-- CREATE TABLE, INSERT, SELECT, UPDATE, DELETE
CREATE TABLE city (id integer PRIMARY KEY, name text NOT NULL, people bigint, area numeric(10,2));
INSERT INTO city VALUES (1, 'Oslo', 700000, 454.12), (2, 'Bergen', 290000, 464.71), (3, 'Å', NULL, NULL);
SELECT * FROM city ORDER BY id;
SELECT name, people / area AS density FROM city WHERE people IS NOT NULL ORDER BY density DESC;
SELECT upper(name) AS "NAME", length(name) FROM city ORDER BY 1;
UPDATE city SET people = people + 1 WHERE id < 3 RETURNING id, people;
DELETE FROM city WHERE people IS NULL RETURNING *;
SELECT count(*) FROM city;
-- values over several lines
SELECT E'one\ntwo' AS a, 1 AS b UNION ALL SELECT 'three', 22 ORDER BY b;
\pset null '(null)'
SELECT NULL AS nothing, '' AS empty;
\x
SELECT id, name FROM city ORDER BY id;
\x
-- errors of names
SELECT nope FROM city;
SELECT * FROM nowhere;
SELECT no_such_function(1);
INSERT INTO city (id, nme) VALUES (9, 'x');
SELEC 1;
DROP TABLE city;
DROP TABLE city;
