-- pg_cursors, and which cursors scroll.
CREATE TABLE a (id int PRIMARY KEY, t text);
INSERT INTO a SELECT i, 'row ' || i FROM generate_series(1, 5) i;
ANALYZE a;
SELECT name, statement, is_holdable, is_binary, is_scrollable FROM pg_cursors;

BEGIN;
DECLARE plain CURSOR FOR SELECT * FROM a;
DECLARE scrolls SCROLL CURSOR FOR SELECT count(*) FROM a;
DECLARE stays NO SCROLL CURSOR FOR SELECT * FROM a;
DECLARE held CURSOR WITH HOLD FOR SELECT id FROM a ORDER BY t;
DECLARE bits BINARY CURSOR FOR SELECT id FROM a WHERE id = 3;
DECLARE grouped CURSOR FOR SELECT t, count(*) FROM a GROUP BY t;
DECLARE joined CURSOR FOR SELECT * FROM a x JOIN a y ON x.id = y.id + 1;
DECLARE locked CURSOR FOR SELECT * FROM a FOR UPDATE;
DECLARE one CURSOR FOR SELECT 1;
DECLARE listed CURSOR FOR VALUES (1), (2);
DECLARE called CURSOR FOR SELECT * FROM generate_series(1, 3);
DECLARE united CURSOR FOR SELECT id FROM a UNION ALL SELECT 7;
DECLARE sorted CURSOR FOR SELECT * FROM a ORDER BY t LIMIT 3;
DECLARE windows CURSOR FOR SELECT row_number() OVER () FROM a;
DECLARE rows_of_cte CURSOR FOR WITH c AS MATERIALIZED (SELECT * FROM a) SELECT * FROM c;
DECLARE unnested CURSOR FOR SELECT unnest(ARRAY[1, 2]);
SELECT name, statement, is_holdable, is_binary, is_scrollable, creation_time = statement_timestamp() AS now, creation_time >= now() AS since
  FROM pg_cursors ORDER BY name COLLATE "C";
SELECT count(*), count(DISTINCT name) FROM pg_cursor();
FETCH 2 FROM plain;
FETCH PRIOR FROM plain;
FETCH 2 FROM scrolls;
FETCH PRIOR FROM scrolls;
FETCH ALL FROM united;
SAVEPOINT s;
FETCH PRIOR FROM united;
ROLLBACK TO s;
FETCH FROM grouped;
SAVEPOINT s;
FETCH BACKWARD 1 FROM grouped;
ROLLBACK TO s;
FETCH FROM joined;
SAVEPOINT s;
MOVE BACKWARD ALL IN joined;
ROLLBACK TO s;
FETCH FROM locked;
SAVEPOINT s;
FETCH ABSOLUTE 0 FROM locked;
ROLLBACK TO s;
CLOSE plain;
SELECT name FROM pg_cursors ORDER BY name COLLATE "C";
COMMIT;
SELECT name, statement, is_holdable, is_binary, is_scrollable FROM pg_cursors;
FETCH ALL FROM held;
CLOSE ALL;
SELECT * FROM pg_cursors;

-- cursors of functions
CREATE FUNCTION opened() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  r record;
  bound CURSOR FOR SELECT * FROM a ORDER BY id;
  loops CURSOR FOR SELECT id FROM a;
  grouped refcursor;
  named refcursor := 'a name';
BEGIN
  OPEN bound;
  OPEN grouped FOR SELECT count(*) FROM a;
  OPEN named SCROLL FOR EXECUTE 'SELECT count(*) FROM a';
  RETURN QUERY SELECT c.name || ': ' || c.statement || ' ' || c.is_holdable || c.is_binary || c.is_scrollable FROM pg_cursors c
    ORDER BY c.name COLLATE "C";
  CLOSE named;
  FOR r IN loops LOOP
    RETURN QUERY SELECT c.name || c.is_scrollable FROM pg_cursors c WHERE c.statement LIKE 'SELECT id%';
    EXIT;
  END LOOP;
END $$;
BEGIN;
SELECT opened();
ROLLBACK;

-- a cursor that runs cannot run again, nor be closed
CREATE FUNCTION fetches(c text) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('FETCH FROM %I', c);
  RETURN 1;
END $$;
CREATE FUNCTION moves(c refcursor) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  MOVE c;
  RETURN 1;
END $$;
CREATE FUNCTION closes(c refcursor) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  CLOSE c;
  RETURN 1;
END $$;
BEGIN;
DECLARE c CURSOR FOR SELECT CASE WHEN id > 2 THEN moves('c') ELSE 0 END FROM a;
FETCH 2 FROM c;
FETCH ALL FROM c;
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT CASE WHEN id > 2 THEN closes('c') ELSE 0 END FROM a;
FETCH 2 FROM c;
FETCH ALL FROM c;
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT name, id FROM a LEFT JOIN pg_cursors ON id > 2;
FETCH ALL FROM c;
ROLLBACK;
-- savepoints
BEGIN;
DECLARE outer_one CURSOR FOR SELECT id FROM a ORDER BY id;
SAVEPOINT s1;
DECLARE one_more CURSOR FOR SELECT 1;
SAVEPOINT s2;
DECLARE second CURSOR FOR SELECT 2;
FETCH outer_one;
RELEASE s2;
SELECT name FROM pg_cursors ORDER BY name;
SAVEPOINT s3;
DECLARE third CURSOR WITH HOLD FOR SELECT 3;
SELECT 1 / 0;
ROLLBACK TO s3;
SELECT name FROM pg_cursors ORDER BY name;
FETCH outer_one;
ROLLBACK TO s1;
SELECT name FROM pg_cursors ORDER BY name;
FETCH outer_one;
FETCH one_more;
ROLLBACK;
