-- Many rows at once: COPY FROM, INSERT ... SELECT, CREATE TABLE AS.
CREATE TABLE b (id int PRIMARY KEY, name varchar(8) NOT NULL DEFAULT 'none', n numeric(6,2) CHECK (n < 1000), d date,
  c char(5), twice bigint GENERATED ALWAYS AS (id * 2) STORED);
COPY b (id, name, n, d, c) FROM stdin;
1	one	1.5	1998-09-02	ab
2	\N	2.25	1998-09-03	abc
\.
COPY b (id, name, n, d, c) FROM stdin;
1	one	1.5	1998-09-02	ab
2	two	1000	1998-09-03	abc
3	three	3	1998-02-30	abc
\.
COPY b (id, name, n, d, c) FROM stdin;
1	one	1.5	1998-09-02	ab
2	two	20	1998-09-03	abc
1	three	3	1998-02-28	abc
\.
COPY b (id, name, n, d, c) FROM stdin;
1	one	1.5	1998-09-02	ab
2	two	x20	1998-09-03	abc
\.
COPY b (id, name, n, d, c) FROM stdin;
1	one	1.5	1998-09-02	ab
2	much too long	20	1998-09-03	abc
\.
COPY b (id, name, n, d, c) FROM stdin;
1	one	1.5	1998-09-02
\.
COPY b (id, name, n, d, c) FROM stdin;
1	one	1.5	1998-09-02	ab	more
\.
COPY b (id, name, n, d, c) FROM stdin;
1	one	1.5	1998-09-02	ab
2	t\tw\x6f	-2.005	19980903	abcde
3	\\\N	\N	\N	\N
4	 x 	.5	epoch	a
\.
COPY b (id, n) FROM stdin WITH (format csv);
5,12
6,"13.125"
7,
\.
SELECT id, name, length(name), n, d, c || '|' AS c, twice FROM b ORDER BY id;
-- In one transaction, with savepoints, and changed before it is committed.
BEGIN;
CREATE TABLE many (id bigint, k int, t text);
INSERT INTO many SELECT g, g % 10, 'row ' || g FROM generate_series(1, 3000) g;
SAVEPOINT s;
INSERT INTO many SELECT g, g % 10, NULL FROM generate_series(3001, 5000) g;
SELECT count(*), count(t), sum(id), max(k) FROM many;
UPDATE many SET t = 'new ' || id WHERE id % 100 = 0;
DELETE FROM many WHERE k = 3;
SELECT count(*), count(t), sum(id), min(t), max(t) FROM many;
ROLLBACK TO s;
SELECT count(*), count(t), sum(id), min(t), max(t) FROM many;
UPDATE many SET t = 'new ' || id WHERE id % 100 = 0;
DELETE FROM many WHERE k = 3;
COMMIT;
SELECT count(*), count(t), sum(id), min(t), max(t) FROM many;
CREATE TABLE other AS SELECT id, k, t, id * 0.5 AS half FROM many WHERE k <> 4;
CREATE UNIQUE INDEX ON other (id);
SELECT count(*), sum(half), max(t) FROM other;
INSERT INTO other SELECT id + 10000, k, t, NULL FROM many;
SELECT count(*), count(half), sum(id) FROM other WHERE id > 12000;
INSERT INTO other SELECT id + 9000, k, t, NULL FROM many ORDER BY id;
INSERT INTO other (k) SELECT k / (k - 8) FROM many ORDER BY id;
CREATE TABLE strict (id int NOT NULL, CHECK (id <> 77));
INSERT INTO strict SELECT g FROM generate_series(50, 1500) g;
INSERT INTO strict SELECT nullif(g, 1200) FROM generate_series(100, 1500) g;
SELECT count(*) FROM strict;
CREATE TABLE child (id int REFERENCES b);
INSERT INTO child SELECT g FROM generate_series(1, 50) g;
INSERT INTO child SELECT g % 7 + 1 FROM generate_series(1, 50) g;
SELECT count(*), sum(id) FROM child;
-- Groups and joins by integers of every width, NULLs among them; sorts by every kind of key.
CREATE TABLE w (a smallint, b int, c bigint, f float8, n numeric, t text);
INSERT INTO w SELECT nullif(g % 7, 3), nullif(g % 11, 5), nullif(g % 13, 6)::bigint * 5000000000, nullif(g % 5, 2) - 2.5,
  nullif(g % 9, 4) * 0.25, 'text number ' || g % 17 FROM generate_series(1, 2000) g;
SELECT a, count(*), sum(c) FROM w GROUP BY a ORDER BY a;
SELECT b, count(*), sum(a) FROM w GROUP BY b ORDER BY b DESC;
SELECT c, count(*), avg(f) FROM w GROUP BY c ORDER BY c NULLS FIRST;
SELECT count(*), sum(x.b), sum(y.c) FROM w x JOIN w y ON x.a = y.b;
SELECT count(*), count(y.a) FROM w x LEFT JOIN w y ON x.c = y.a;
SELECT count(*) FROM w x WHERE EXISTS (SELECT FROM w y WHERE y.b = x.a AND y.b > 4);
SELECT count(*) FROM w x WHERE NOT EXISTS (SELECT FROM w y WHERE y.b = x.a AND y.b > 4);
SELECT DISTINCT f, n FROM w WHERE a = 1 ORDER BY f DESC NULLS LAST, n LIMIT 12;
SELECT DISTINCT t, a FROM w ORDER BY t DESC, a LIMIT 10;
SELECT DISTINCT n, b FROM w ORDER BY n DESC, b LIMIT 10;
SELECT sum(CASE WHEN a > 3 THEN n WHEN b > 3 THEN n * 2 ELSE 0 END), sum(coalesce(c, a, 1)) FROM w;
