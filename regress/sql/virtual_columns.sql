-- Virtual generated columns: computed when they are read.
CREATE TABLE vt (id int PRIMARY KEY, a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL, c text GENERATED ALWAYS AS ('x' || coalesce(a::text, '?')));
SELECT attname, attgenerated, atthasdef, attnotnull FROM pg_attribute WHERE attrelid = 'vt'::regclass AND attnum > 0 ORDER BY attnum;
SELECT column_name, is_generated, generation_expression, column_default FROM information_schema.columns WHERE table_name = 'vt' ORDER BY ordinal_position;
SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'vt'::regclass ORDER BY adnum;

-- writing
INSERT INTO vt (id, a) VALUES (1, 10), (2, NULL);
INSERT INTO vt VALUES (3, 30, DEFAULT, DEFAULT), (4, 40, DEFAULT, DEFAULT);
INSERT INTO vt VALUES (5, 50, 1);
INSERT INTO vt (id, a, b) VALUES (6, 60, DEFAULT), (7, 70, 1);
INSERT INTO vt (id, b) VALUES (8, 8);
UPDATE vt SET b = 7;
UPDATE vt SET b = DEFAULT, a = a + 1 WHERE id = 3;
SELECT * FROM vt ORDER BY id;

-- reading
SELECT b FROM vt WHERE b > 20 ORDER BY b DESC;
SELECT vt FROM vt ORDER BY id;
SELECT vt.*, (vt).b, (vt).c FROM vt ORDER BY id;
SELECT row_to_json(vt) FROM vt ORDER BY id;
SELECT c, count(*), sum(b) FROM vt GROUP BY c HAVING max(b) IS NULL OR max(b) > 0 ORDER BY c;
SELECT b, grouping(b), count(*) FROM vt GROUP BY ROLLUP (b) ORDER BY 1, 2;
SELECT a, b, a * 2 AS twice, grouping(a, b) FROM vt GROUP BY GROUPING SETS ((a), (b), ()) ORDER BY 4, 1, 2;
SELECT c, grouping(c) FROM vt GROUP BY ROLLUP (c) ORDER BY 2, 1;
SELECT id, sum(b) OVER (ORDER BY b NULLS FIRST) FROM vt ORDER BY id;
SELECT DISTINCT b / 2 AS h FROM vt ORDER BY h;
SELECT DISTINCT ON (c) c, b FROM vt ORDER BY c, b;
SELECT id FROM vt WHERE EXISTS (SELECT FROM vt w WHERE w.b = vt.b + 22) ORDER BY id;
SELECT id, (SELECT max(w.b) FROM vt w WHERE w.b < vt.b) FROM vt ORDER BY id;
SELECT id FROM vt WHERE b IN (SELECT b FROM vt WHERE id > 2) ORDER BY id;
WITH q AS (SELECT b, c FROM vt) SELECT * FROM q ORDER BY 1;
WITH q AS MATERIALIZED (SELECT vt FROM vt) SELECT (vt).c FROM q ORDER BY 1;
SELECT l.id, x.b FROM vt l, LATERAL (SELECT l.b + 1 AS b) x ORDER BY 1;
SELECT b FROM vt UNION SELECT a FROM vt ORDER BY 1;
SELECT tableoid::regclass, b FROM vt ORDER BY id FOR UPDATE;
SELECT id, b FROM vt TABLESAMPLE SYSTEM (100) ORDER BY id;

-- outer joins make them NULL, also where the expression is not
CREATE TABLE vo (id int);
INSERT INTO vo VALUES (1), (9);
SELECT vo.id, vt.b, vt.c FROM vo LEFT JOIN vt ON vt.id = vo.id ORDER BY 1;
SELECT vo.id, vt FROM vo LEFT JOIN vt ON vt.id = vo.id ORDER BY 1;
SELECT vo.id, vt.c FROM vo LEFT JOIN vt ON vt.id = vo.id AND vt.c = 'x10' ORDER BY 1;
SELECT vo.id, vt.id, vt.c FROM vo FULL JOIN vt USING (id) ORDER BY vo.id, vt.id;
SELECT vo.id, j.c FROM vo LEFT JOIN (vt JOIN vt w USING (id, c)) j ON j.id = vo.id ORDER BY 1;
SELECT vo.id FROM vo LEFT JOIN vt ON vt.id = vo.id WHERE vt.c IS NULL ORDER BY 1;
SELECT vo.id, s.c FROM vo LEFT JOIN (SELECT id, c FROM vt) s ON s.id = vo.id ORDER BY 1;
SELECT l.c, r.c FROM vt l FULL JOIN vt r ON l.c = r.c AND l.id < 3 ORDER BY 1, 2;
SELECT c, count(*) FROM vo LEFT JOIN vt USING (id) GROUP BY c ORDER BY c;

-- views
CREATE VIEW vv AS SELECT id, a, b, c FROM vt WHERE b < 70;
SELECT * FROM vv ORDER BY id;
SELECT pg_get_viewdef('vv'::regclass);
SELECT vo.id, vv.c FROM vo LEFT JOIN vv USING (id) ORDER BY 1;
UPDATE vv SET a = a + 100 WHERE b = 20 RETURNING *;
UPDATE vv SET b = 1;
SELECT is_updatable, column_name FROM information_schema.columns WHERE table_name = 'vv' ORDER BY ordinal_position;
CREATE VIEW vc AS SELECT * FROM vt WHERE b < 100 WITH CHECK OPTION;
INSERT INTO vc (id, a) VALUES (10, 49) RETURNING b;
INSERT INTO vc (id, a) VALUES (11, 50) RETURNING b;

-- RETURNING, ON CONFLICT, MERGE
INSERT INTO vt (id, a) VALUES (12, 12) RETURNING b, c, vt, old.b, new.b, old.c, new.c;
UPDATE vt SET a = 13 WHERE id = 12 RETURNING b, old.b, new.b, old, new;
UPDATE vt SET a = vt.b FROM vo WHERE vo.id = vt.id RETURNING vt.*, vo.id;
DELETE FROM vt WHERE b = 26 RETURNING b, c, old.c, new.c;
INSERT INTO vt (id, a) VALUES (1, 5) ON CONFLICT (id) DO UPDATE SET a = vt.b + excluded.b WHERE excluded.c = 'x5' RETURNING *, old.b;
INSERT INTO vt (id, a) VALUES (1, 5) ON CONFLICT (id) DO UPDATE SET b = DEFAULT WHERE vt.b = 0 RETURNING *;
INSERT INTO vt (id, a) VALUES (1, 5) ON CONFLICT (id) DO UPDATE SET b = 1;
INSERT INTO vt (id, a) VALUES (1, 5) ON CONFLICT (b) DO NOTHING;
MERGE INTO vt USING (VALUES (1, 2), (20, 3)) AS s (id, v) ON vt.id = s.id
  WHEN MATCHED AND vt.b > 0 THEN UPDATE SET a = vt.b + s.v
  WHEN NOT MATCHED THEN INSERT (id, a) VALUES (s.id, s.v)
  WHEN NOT MATCHED BY SOURCE AND vt.c = 'x?' THEN DELETE
  RETURNING merge_action(), s.*, vt.*, old.c, new.c, old, new;
MERGE INTO vo USING vt ON vt.id = vo.id
  WHEN MATCHED THEN UPDATE SET id = vt.b
  WHEN NOT MATCHED BY SOURCE THEN DELETE
  RETURNING merge_action(), vo.id, vt.b, vt.c, vt;
SELECT * FROM vt ORDER BY id;

-- prepared statements and cursors
PREPARE vp (int) AS SELECT b, c FROM vt WHERE id = $1;
EXECUTE vp (1);
PREPARE vu (int, int) AS UPDATE vt SET a = $2 WHERE id = $1 RETURNING b;
EXECUTE vu (1, 6);
EXECUTE vp (1);
BEGIN;
DECLARE vcur CURSOR FOR SELECT b FROM vt WHERE id < 5 ORDER BY id;
FETCH 2 FROM vcur;
COMMIT;

-- COPY
COPY vt TO STDOUT;
COPY vt (id, b) TO STDOUT;
COPY (SELECT id, b, c FROM vt ORDER BY id) TO STDOUT;
COPY vt FROM STDIN;
30	33
\.
COPY vt (id, b) FROM STDIN;
COPY vt FROM STDIN WHERE b > 0;
COPY vt FROM STDIN WHERE vt IS NOT NULL;
SELECT * FROM vt WHERE id = 30;

-- constraints over them
CREATE TABLE vk (a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL CHECK (b < 50), c int GENERATED ALWAYS AS (nullif(a, 7)) NOT NULL);
INSERT INTO vk VALUES (1);
INSERT INTO vk VALUES (30);
INSERT INTO vk VALUES (7);
INSERT INTO vk VALUES (NULL);
INSERT INTO vk VALUES (2), (7), (3);
INSERT INTO vk SELECT g FROM generate_series(1, 40) g;
UPDATE vk SET a = 7;
UPDATE vk SET a = 25;
COPY vk FROM STDIN;
7
\.
SELECT * FROM vk;
SELECT conname, contype, conkey, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'vk'::regclass ORDER BY conname;
ALTER TABLE vk ADD CONSTRAINT vk_row CHECK (vk IS NOT NULL);
ALTER TABLE vk ADD CONSTRAINT vk_small CHECK (b < 2);
ALTER TABLE vk ADD CONSTRAINT vk_big CHECK (b < 2) NOT VALID;
ALTER TABLE vk VALIDATE CONSTRAINT vk_big;
INSERT INTO vk VALUES (4);
ALTER TABLE vk DROP CONSTRAINT vk_big;
ALTER TABLE vk ALTER c DROP NOT NULL;
INSERT INTO vk VALUES (7);
ALTER TABLE vk ALTER c SET NOT NULL;
ALTER TABLE vk DROP CONSTRAINT vk_row;
INSERT INTO vk VALUES (7);
ALTER TABLE vk ALTER c SET NOT NULL;
DELETE FROM vk WHERE c IS NULL;
ALTER TABLE vk ALTER c SET NOT NULL;
ALTER TABLE vk ADD CONSTRAINT vk_b NOT NULL b;
INSERT INTO vk VALUES (NULL);

-- what is refused
CREATE TABLE ve (a int, b int PRIMARY KEY GENERATED ALWAYS AS (a) VIRTUAL);
CREATE TABLE ve (a int, b int UNIQUE GENERATED ALWAYS AS (a) VIRTUAL);
CREATE TABLE ve (a int, b int GENERATED ALWAYS AS (a) VIRTUAL, PRIMARY KEY (a, b));
CREATE TABLE ve (a int, b int GENERATED ALWAYS AS (a) VIRTUAL, UNIQUE (a, b));
CREATE TABLE ve (a int, b int REFERENCES vt GENERATED ALWAYS AS (a) VIRTUAL);
CREATE TABLE ve (a int, b int GENERATED ALWAYS AS (a) VIRTUAL, EXCLUDE USING btree (b WITH =));
CREATE TABLE ve (a int, b int GENERATED ALWAYS AS (a) VIRTUAL) PARTITION BY RANGE (b);
CREATE TABLE ve (a int, b int GENERATED ALWAYS AS (a) VIRTUAL) PARTITION BY RANGE ((b + 1));
CREATE TABLE ve (a int, b int GENERATED ALWAYS AS (a) VIRTUAL, c int GENERATED ALWAYS AS (b));
CREATE TABLE ve (a int, b int GENERATED ALWAYS AS (b));
CREATE TABLE ve (a int, b int GENERATED ALWAYS AS (num_nulls(ve)));
CREATE TABLE ve (a int, b int GENERATED ALWAYS AS (random()::int));
CREATE TABLE ve (a int, b int GENERATED ALWAYS AS (sum(a)));
CREATE TABLE ve (a int, b int GENERATED ALWAYS AS ((SELECT a)));
CREATE TABLE ve (a int, b int GENERATED ALWAYS AS (xmin::text::int));
DROP TABLE IF EXISTS ve;
CREATE TABLE ve (a int, b oid GENERATED ALWAYS AS (tableoid));
INSERT INTO ve VALUES (1);
SELECT b = 've'::regclass FROM ve;
DROP TABLE ve;
CREATE TABLE ve (a int, b int GENERATED ALWAYS AS (a) DEFAULT 1);
CREATE TABLE ve (a int, b int GENERATED ALWAYS AS IDENTITY GENERATED ALWAYS AS (a));
CREATE TABLE ve (a int, b int GENERATED ALWAYS AS (a) GENERATED ALWAYS AS (a));
CREATE TABLE ve (a int, b int GENERATED BY DEFAULT AS (a));
CREATE TABLE ve (a int, b point GENERATED ALWAYS AS (a));
CREATE DOMAIN vdom AS int CHECK (VALUE < 10);
CREATE TABLE ve (a int, b vdom GENERATED ALWAYS AS (a));
CREATE TABLE ve (a int, b vdom[] GENERATED ALWAYS AS (ARRAY[a]));
CREATE TYPE vcomp AS (x int);
CREATE TABLE ve (a int, b vcomp GENERATED ALWAYS AS (ROW(a)));
CREATE TYPE venum AS ENUM ('a', 'b');
CREATE TABLE ve (a text, b venum GENERATED ALWAYS AS ('a'));
CREATE TABLE ve (a venum, b bool GENERATED ALWAYS AS (a = 'a'));
CREATE FUNCTION vf(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1';
CREATE TABLE ve (a int, b int GENERATED ALWAYS AS (vf(a)));
CREATE TABLE ve (a int, b int GENERATED ALWAYS AS (vf(a)) STORED);
DROP TABLE ve;
CREATE INDEX ON vt (b);
CREATE INDEX ON vt ((b + 1));
CREATE INDEX ON vt (a) WHERE b > 0;
CREATE INDEX ON vt (a) INCLUDE (b);
CREATE UNIQUE INDEX ON vt (c);
CREATE STATISTICS vs ON a, b FROM vt;
CREATE STATISTICS vs ON (b + 1) FROM vt;
ALTER TABLE vt ADD UNIQUE (b);
ALTER TABLE vt ADD FOREIGN KEY (b) REFERENCES vt;
CREATE TABLE vr (x int REFERENCES vt (b));
ANALYZE vt;
ANALYZE vt (b);
SELECT attname FROM pg_stats WHERE tablename = 'vt' ORDER BY 1;

-- changes of columns
INSERT INTO vt (id) VALUES (50);
ALTER TABLE vt ADD COLUMN d int GENERATED ALWAYS AS (a + 1) VIRTUAL;
ALTER TABLE vt ADD COLUMN e int GENERATED ALWAYS AS (a + 1) VIRTUAL NOT NULL;
DELETE FROM vt WHERE a IS NULL;
ALTER TABLE vt ADD COLUMN e int GENERATED ALWAYS AS (a + 1) VIRTUAL NOT NULL CHECK (e < 1000);
ALTER TABLE vt ADD COLUMN f int GENERATED ALWAYS AS (a + 1) VIRTUAL CHECK (f < 2);
ALTER TABLE vt ADD COLUMN f int GENERATED ALWAYS AS (d + 1) VIRTUAL;
SELECT * FROM vt ORDER BY id;
ALTER TABLE vt ALTER COLUMN a TYPE bigint;
ALTER TABLE vt DROP COLUMN a;
ALTER TABLE vt ALTER COLUMN d SET DEFAULT 1;
ALTER TABLE vt ALTER COLUMN d DROP DEFAULT;
ALTER TABLE vt ALTER COLUMN d DROP EXPRESSION;
ALTER TABLE vt ALTER COLUMN a DROP EXPRESSION;
ALTER TABLE vt ALTER COLUMN a DROP EXPRESSION IF EXISTS;
ALTER TABLE vt ALTER COLUMN a SET EXPRESSION AS (id);
ALTER TABLE vt ALTER COLUMN d SET EXPRESSION AS (a + 2);
ALTER TABLE vt DROP CONSTRAINT vt_e_check;
ALTER TABLE vt ALTER COLUMN d SET EXPRESSION AS (a + 2);
ALTER TABLE vt ALTER COLUMN d SET EXPRESSION AS (e);
ALTER TABLE vt ALTER COLUMN e SET EXPRESSION AS (nullif(id, 1));
ALTER TABLE vt ALTER COLUMN e SET EXPRESSION AS (nullif(id, -1));
ALTER TABLE vt ALTER COLUMN d TYPE text;
ALTER TABLE vt ALTER COLUMN d TYPE text USING d || 'x';
ALTER TABLE vt ALTER COLUMN b TYPE point;
ALTER TABLE vt ALTER COLUMN d TYPE vdom;
ALTER TABLE vt ALTER COLUMN b ADD GENERATED ALWAYS AS IDENTITY;
SELECT * FROM vt ORDER BY id;
ALTER TABLE vt DROP COLUMN d;
ALTER TABLE vt RENAME COLUMN a TO aa;
SELECT * FROM vt ORDER BY id;
SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'vt'::regclass ORDER BY adnum;
ALTER TABLE vt DROP COLUMN aa;
ALTER TABLE vt DROP COLUMN aa CASCADE;
SELECT * FROM vt ORDER BY id;

-- collations
CREATE TABLE vl (a text COLLATE "C", b text COLLATE "POSIX" GENERATED ALWAYS AS (a || 'x'));
INSERT INTO vl VALUES ('b'), ('A'), ('a'), ('B');
SELECT b FROM vl ORDER BY b;
SELECT b FROM vl WHERE b > 'a' ORDER BY 1;
SELECT a < b FROM vl;
SELECT collation for (b), pg_typeof(b) FROM vl LIMIT 1;

-- LIKE
CREATE TABLE vl2 (LIKE vl INCLUDING ALL);
INSERT INTO vl2 VALUES ('q');
SELECT * FROM vl2;
CREATE TABLE vl3 (LIKE vl INCLUDING GENERATED EXCLUDING ALL);
CREATE TABLE vl4 AS SELECT * FROM vl;
SELECT attrelid::regclass, attname, attgenerated FROM pg_attribute WHERE attrelid IN ('vl2'::regclass, 'vl3'::regclass, 'vl4'::regclass) AND attnum > 0 ORDER BY 1, 2;

-- inheritance
CREATE TABLE vp0 (a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL);
CREATE TABLE vp1 () INHERITS (vp0);
CREATE TABLE vp2 (b int GENERATED ALWAYS AS (a * 22) VIRTUAL) INHERITS (vp0);
CREATE TABLE vp3 (b int GENERATED ALWAYS AS (a * 22) STORED) INHERITS (vp0);
CREATE TABLE vp3 (b int DEFAULT 1) INHERITS (vp0);
CREATE TABLE vp3 (b int GENERATED ALWAYS AS IDENTITY) INHERITS (vp0);
CREATE TABLE vp3 (b int) INHERITS (vp0);
INSERT INTO vp0 VALUES (1);
INSERT INTO vp1 VALUES (2);
INSERT INTO vp2 VALUES (3);
INSERT INTO vp3 VALUES (4);
SELECT tableoid::regclass, * FROM vp0 ORDER BY a;
SELECT * FROM vp2;
UPDATE vp0 SET a = a + 10 WHERE b < 8 RETURNING tableoid::regclass, *;
SELECT vp0 FROM vp0 ORDER BY a;
CREATE TABLE vq (a int, b int GENERATED ALWAYS AS (a) STORED);
ALTER TABLE vq INHERIT vp0;
CREATE TABLE vq2 (a int, b int);
ALTER TABLE vq2 INHERIT vp0;
CREATE TABLE vq3 (a int, b int GENERATED ALWAYS AS (a + 5));
ALTER TABLE vq3 INHERIT vp0;
CREATE TABLE vq4 () INHERITS (vq, vp0);
CREATE TABLE vq5 () INHERITS (vp0, vq3);
CREATE TABLE vq6 (b int GENERATED ALWAYS AS (a - 1)) INHERITS (vp0, vq3);
ALTER TABLE ONLY vp0 ALTER b SET EXPRESSION AS (a * 3);
SELECT tableoid::regclass, * FROM vp0 ORDER BY a;
SELECT * FROM vp1;
ALTER TABLE vp0 ALTER b SET EXPRESSION AS (a * 4);
SELECT * FROM vp1;
ALTER TABLE vp1 ALTER b SET EXPRESSION AS (a * 5);
SELECT * FROM vp1;
ALTER TABLE ONLY vp0 ADD COLUMN c int GENERATED ALWAYS AS (a) VIRTUAL;
ALTER TABLE vp0 ADD COLUMN c int GENERATED ALWAYS AS (a) VIRTUAL NOT NULL;
SELECT tableoid::regclass, * FROM vp0 ORDER BY a;
INSERT INTO vp1 VALUES (NULL);

-- partitions
CREATE TABLE vpart (f1 int, f2 int, f3 int GENERATED ALWAYS AS (f2 * 2) VIRTUAL) PARTITION BY RANGE (f1);
CREATE TABLE vpart1 PARTITION OF vpart FOR VALUES FROM (0) TO (10);
CREATE TABLE vpart2 PARTITION OF vpart (f3 WITH OPTIONS GENERATED ALWAYS AS (f2 * 22) VIRTUAL) FOR VALUES FROM (10) TO (20);
CREATE TABLE vpart3 (f3 int GENERATED ALWAYS AS (f2 * 33), f2 int, f1 int);
ALTER TABLE vpart ATTACH PARTITION vpart3 FOR VALUES FROM (20) TO (30);
CREATE TABLE vpart4 PARTITION OF vpart (f3 DEFAULT 42) FOR VALUES FROM (30) TO (40);
CREATE TABLE vpart4 PARTITION OF vpart (f3 GENERATED ALWAYS AS (f2 * 44) STORED) FOR VALUES FROM (30) TO (40);
INSERT INTO vpart (f1, f2) VALUES (1, 1), (11, 2), (21, 3) RETURNING tableoid::regclass, *;
SELECT tableoid::regclass, * FROM vpart ORDER BY f1;
SELECT * FROM vpart3;
UPDATE vpart SET f1 = f1 + 10 WHERE f1 < 20 AND f3 > 0 RETURNING tableoid::regclass, *;
SELECT tableoid::regclass, * FROM vpart WHERE f3 >= 4 ORDER BY f1, f2;
SELECT sum(f3) FROM vpart;
DELETE FROM vpart WHERE f3 = 6 RETURNING *;
