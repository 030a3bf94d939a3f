-- Functions and procedures in language SQL.
CREATE TABLE rt_item (id int PRIMARY KEY, name text, price numeric(8,2));
INSERT INTO rt_item VALUES (1, 'cup', 2.5), (2, 'plate', 4), (3, 'bowl', 3.25);

-- Values, names of parameters, defaults, named notation.
CREATE FUNCTION rt_add(a int, b int DEFAULT 10) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + rt_add.b';
SELECT rt_add(1), rt_add(1, 2), rt_add(b => 5, a => 1), rt_add(NULL);
CREATE FUNCTION rt_price(item int) RETURNS numeric LANGUAGE sql STABLE AS $$
  SELECT price FROM rt_item WHERE id = item
$$;
SELECT rt_price(2), rt_price(9);
SELECT name FROM rt_item WHERE rt_price(id) > 3 ORDER BY id;

-- Rows and sets.
CREATE FUNCTION rt_one(item int) RETURNS rt_item LANGUAGE sql AS 'SELECT * FROM rt_item WHERE id = $1';
SELECT rt_one(1), (rt_one(2)).name;
SELECT * FROM rt_one(3);
CREATE FUNCTION rt_dear(least numeric) RETURNS SETOF rt_item LANGUAGE sql AS
  'SELECT * FROM rt_item WHERE price >= least ORDER BY id';
SELECT * FROM rt_dear(3);
SELECT name FROM rt_dear(3) WITH ORDINALITY;
SELECT rt_dear(3.5);
CREATE FUNCTION rt_pairs(n int) RETURNS TABLE (x int, y int) LANGUAGE sql STABLE AS
  'SELECT i, i * i FROM generate_series(1, n) AS i';
SELECT * FROM rt_pairs(3);
SELECT i, p.y FROM generate_series(1, 2) AS i, LATERAL rt_pairs(i) AS p;
CREATE FUNCTION rt_both(IN a int, OUT half int, OUT twice int) LANGUAGE sql AS 'SELECT a / 2, a * 2';
SELECT rt_both(7), (rt_both(7)).twice;
SELECT * FROM rt_both(9);
CREATE FUNCTION rt_any() RETURNS SETOF record LANGUAGE sql AS 'SELECT id, name FROM rt_item ORDER BY id';
SELECT * FROM rt_any() AS t(k int, label text);
SELECT * FROM rt_any() AS t(k int);

-- Polymorphic, variadic, strict, nested, recursive.
CREATE FUNCTION rt_pair(a anyelement, b anyelement) RETURNS anyarray LANGUAGE sql AS 'SELECT ARRAY[a, b]';
SELECT rt_pair(1, 2), rt_pair('x'::text, 'y');
CREATE FUNCTION rt_sum(VARIADIC n int[]) RETURNS bigint LANGUAGE sql AS 'SELECT sum(i) FROM unnest(n) AS i';
SELECT rt_sum(1, 2, 3), rt_sum(VARIADIC ARRAY[4, 5]);
CREATE FUNCTION rt_strict(a int) RETURNS int LANGUAGE sql STRICT AS 'SELECT coalesce(a, 1) + 1';
SELECT rt_strict(NULL), rt_strict(1);
CREATE FUNCTION rt_fac(n int) RETURNS numeric LANGUAGE sql AS
  'SELECT CASE WHEN n <= 1 THEN 1 ELSE n * rt_fac(n - 1) END';
SELECT rt_fac(10);

-- Changes; a volatile function sees them, the statement that calls it does not.
CREATE FUNCTION rt_put(item int, label text) RETURNS int LANGUAGE sql AS $$
  INSERT INTO rt_item VALUES (item, label, 0);
  UPDATE rt_item SET price = price + 1 WHERE id = item;
  SELECT count(*)::int FROM rt_item;
$$;
SELECT rt_put(4, 'jug'), (SELECT count(*) FROM rt_item);
SELECT * FROM rt_item WHERE id = 4;
CREATE FUNCTION rt_drop(item int) RETURNS SETOF text LANGUAGE sql AS
  'DELETE FROM rt_item WHERE id = item RETURNING name';
SELECT rt_drop(4);
CREATE FUNCTION rt_nothing() RETURNS void LANGUAGE sql AS 'UPDATE rt_item SET name = upper(name)';
SELECT rt_nothing();
SELECT name FROM rt_item ORDER BY id;
CREATE FUNCTION rt_table() RETURNS int LANGUAGE sql AS $$
  CREATE TEMP TABLE rt_made (a int);
  INSERT INTO rt_made VALUES (1), (2);
  SELECT count(*)::int FROM rt_made;
$$;
SET check_function_bodies = off;
CREATE OR REPLACE FUNCTION rt_table() RETURNS int LANGUAGE sql AS $$
  CREATE TEMP TABLE rt_made (a int);
  INSERT INTO rt_made VALUES (1), (2);
  SELECT count(*)::int FROM rt_made;
$$;
SELECT rt_table();
RESET check_function_bodies;

-- SQL-standard bodies.
CREATE FUNCTION rt_ret(a int) RETURNS int RETURN a + 1;
SELECT rt_ret(1);
CREATE FUNCTION rt_atomic(a int) RETURNS int BEGIN ATOMIC SELECT 1; SELECT a * 2 FROM rt_item LIMIT 1; END;
SELECT rt_atomic(21);
SELECT pg_get_functiondef('rt_ret'::regproc);
SELECT pg_get_functiondef('rt_atomic'::regproc);
SELECT pg_get_functiondef('rt_add'::regproc);
DROP TABLE rt_item;

-- Settings and users.
CREATE FUNCTION rt_set() RETURNS text LANGUAGE sql SET datestyle TO 'SQL, DMY' AS
  $$ SELECT current_setting('datestyle') || ' ' || '2020-02-01'::date $$;
SELECT rt_set();
ALTER FUNCTION rt_set() RESET ALL;
SELECT rt_set();
CREATE ROLE rt_owner;
CREATE FUNCTION rt_me() RETURNS name LANGUAGE sql SECURITY DEFINER AS 'SELECT current_user';
ALTER FUNCTION rt_me() OWNER TO rt_owner;
SELECT rt_me() = 'rt_owner', current_user = 'rt_owner';
REVOKE ALL ON FUNCTION rt_add(int, int) FROM PUBLIC;
SET ROLE rt_owner;
SELECT rt_add(1, 1);
RESET ROLE;

-- Procedures.
CREATE TABLE rt_log (t text);
CREATE PROCEDURE rt_note(t text) LANGUAGE sql AS 'INSERT INTO rt_log VALUES (rt_note.t)';
CALL rt_note('one');
CREATE PROCEDURE rt_double(INOUT a int, b int DEFAULT 2) LANGUAGE sql AS 'SELECT a * b';
CALL rt_double(4);
CALL rt_double(4, 5);
CALL rt_add(1);
SELECT rt_note('x');
SELECT * FROM rt_log;

-- What is refused.
CREATE FUNCTION rt_bad(int) RETURNS int LANGUAGE sql AS 'SELECT 1, 2';
CREATE FUNCTION rt_bad(int) RETURNS int LANGUAGE sql AS 'SELECT ''x''::text';
CREATE FUNCTION rt_bad(int) RETURNS int LANGUAGE sql AS 'SELECT nosuch';
CREATE FUNCTION rt_bad(int) RETURNS anyelement LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION rt_bad(a int, a int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION rt_bad() RETURNS int LANGUAGE nosuch AS 'SELECT 1';
CREATE FUNCTION rt_bad() RETURNS int LANGUAGE internal AS 'nosuch';
CREATE FUNCTION rt_ok(int) RETURNS int LANGUAGE internal STRICT AS 'int4um';
SELECT rt_ok(3);
CREATE FUNCTION rt_add(a int, b int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE OR REPLACE FUNCTION rt_add(a int, b int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE OR REPLACE FUNCTION rt_add(x int, b int DEFAULT 10) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE OR REPLACE FUNCTION rt_add(a int, b int DEFAULT 10) RETURNS text LANGUAGE sql AS 'SELECT ''x''';
CREATE FUNCTION rt_div(a int) RETURNS int LANGUAGE sql AS 'SELECT 1; SELECT 1 / a';
SELECT rt_div(0);
CREATE FUNCTION rt_stable() RETURNS int LANGUAGE sql STABLE AS $$ INSERT INTO rt_log VALUES ('x'); SELECT 1 $$;
SELECT rt_stable();
CREATE VIEW rt_view AS SELECT rt_div(1) AS d;
DROP FUNCTION rt_div(int);
DROP FUNCTION rt_div(int) CASCADE;
DROP FUNCTION IF EXISTS rt_div(int);
DROP FUNCTION rt_div(int);
DROP FUNCTION rt_add, rt_price, rt_one, rt_pair;
DROP PROCEDURE rt_note, rt_double;
ALTER FUNCTION rt_ret(int) RENAME TO rt_ret2;
SELECT rt_ret2(4), 'rt_ret2'::regproc, 'rt_ret2(int)'::regprocedure;
COMMENT ON FUNCTION rt_ret2(int) IS 'adds one';
SELECT obj_description('rt_ret2'::regproc, 'pg_proc');
DROP FUNCTION rt_me;
DROP ROLE rt_owner;
