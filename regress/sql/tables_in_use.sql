-- What changes a table waits for no query of its own session: it is refused.
CREATE TABLE a (id int PRIMARY KEY, t text);
INSERT INTO a SELECT i, 'row ' || i FROM generate_series(1, 5) i;
CREATE TABLE b (id int, x int);
INSERT INTO b VALUES (1, 2);
CREATE INDEX b_x ON b (x);
CREATE VIEW v AS SELECT * FROM a;
CREATE MATERIALIZED VIEW m AS SELECT * FROM a;
CREATE SEQUENCE s;
CREATE FUNCTION does(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE command;
  RETURN 'done';
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
CREATE TABLE commands (n int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, command text);
INSERT INTO commands (command) VALUES
  ('ALTER TABLE a ADD COLUMN u int'), ('ALTER TABLE a RENAME COLUMN t TO u'), ('ALTER TABLE a RENAME TO c'), ('ALTER TABLE a SET (fillfactor = 50)'),
  ('ALTER TABLE a ALTER t SET STATISTICS 5'), ('ALTER TABLE a SET SCHEMA public'), ('ALTER TABLE a OWNER TO CURRENT_USER'),
  ('ALTER TABLE a RENAME CONSTRAINT a_pkey TO k'), ('ALTER INDEX a_pkey RENAME TO k'),
  ('DROP TABLE a CASCADE'), ('DROP INDEX b_x'), ('DROP VIEW v'), ('DROP MATERIALIZED VIEW m'), ('TRUNCATE a'), ('TRUNCATE b'), ('CREATE INDEX ON a (t)'),
  ('CREATE UNIQUE INDEX ON b (x)'), ('REFRESH MATERIALIZED VIEW m'), ('CREATE STATISTICS st ON id, t FROM a'), ('COMMENT ON TABLE a IS ''x'''), ('GRANT SELECT ON a TO PUBLIC'),
  ('ALTER TABLE b ADD FOREIGN KEY (id) REFERENCES a'), ('ALTER VIEW v ALTER t SET DEFAULT ''x'''), ('CREATE OR REPLACE VIEW v AS SELECT *, 1 AS one FROM a'),
  ('ALTER SEQUENCE s RESTART'), ('CREATE TABLE i () INHERITS (a)'), ('ANALYZE a'), ('LOCK TABLE a'), ('INSERT INTO a VALUES (9)');

-- an open cursor
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM a;
FETCH 1 FROM c;
SAVEPOINT p;
ALTER TABLE a ADD COLUMN u int;
ROLLBACK TO p;
DROP TABLE a CASCADE;
ROLLBACK TO p;
TRUNCATE a;
ROLLBACK TO p;
CREATE INDEX ON a (t);
ROLLBACK TO p;
ALTER TABLE b ADD COLUMN u int;
CLOSE c;
ALTER TABLE a ADD COLUMN u int;
ROLLBACK;
-- read to its end, it is open still
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM a WHERE id = 3;
FETCH ALL FROM c;
ALTER TABLE a ADD COLUMN u int;
ROLLBACK;
-- held, it has all its rows
BEGIN;
DECLARE c CURSOR WITH HOLD FOR SELECT * FROM a;
SAVEPOINT p;
ALTER TABLE a ADD COLUMN u int;
ROLLBACK TO p;
COMMIT;
ALTER TABLE a ADD COLUMN u int;
ALTER TABLE a DROP COLUMN u;
FETCH ALL FROM c;
CLOSE c;
-- a table of the tree
CREATE TABLE tree (k int);
CREATE TABLE leaf () INHERITS (tree);
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM leaf;
ALTER TABLE tree ADD COLUMN u int;
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM leaf;
DROP TABLE tree CASCADE;
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM leaf;
TRUNCATE tree;
ROLLBACK;
-- functions of a query that reads the table
BEGIN;
SELECT n, command, does(command) FROM commands, (SELECT FROM a OFFSET 0 LIMIT 1) o WHERE n < 10 ORDER BY n;
ROLLBACK;
SELECT does('ALTER TABLE a ADD COLUMN u int') FROM a WHERE id = 2;
SELECT does('ALTER TABLE a ADD COLUMN u int') FROM v LIMIT 1;
SELECT does('ALTER TABLE b ADD COLUMN u int') FROM a LIMIT 1;
SELECT does('ALTER TABLE b DROP COLUMN u');
-- loops
DO $$
DECLARE
  r record;
  c record;
BEGIN
  FOR r IN SELECT id FROM a WHERE id < 3 LOOP
    RAISE NOTICE '%: %', r.id, does('ALTER TABLE a ADD COLUMN u int');
    FOR c IN SELECT * FROM b LOOP
      RAISE NOTICE '% %', does('TRUNCATE b'), does('TRUNCATE a');
    END LOOP;
    RAISE NOTICE '%', does('ALTER TABLE b ADD COLUMN u int');
    RAISE NOTICE '%', does('ALTER TABLE b DROP COLUMN u');
  END LOOP;
  RAISE NOTICE '%', does('ALTER TABLE a ADD COLUMN u int');
  RAISE NOTICE '%', does('ALTER TABLE a DROP COLUMN u');
END $$;
DROP TABLE b;
-- the rest of the commands, over an open cursor
CREATE FUNCTION over_cursor() RETURNS TABLE (n int, command text, result text) LANGUAGE plpgsql AS $$
DECLARE
  c refcursor := 'open';
BEGIN
  FOR n, command IN SELECT x.n, x.command FROM commands x ORDER BY x.n LOOP
    BEGIN
      OPEN c FOR SELECT * FROM a JOIN m USING (id);
      result := does(command);
      RAISE SQLSTATE 'ZZZZZ';
    EXCEPTION WHEN SQLSTATE 'ZZZZZ' THEN
      RETURN NEXT;
    END;
  END LOOP;
END $$;
CREATE TABLE b (id int, x int);
CREATE INDEX b_x ON b (x);
SET client_min_messages = warning;
SELECT * FROM over_cursor();
-- indexes that a plan has open, and partitioned tables that it chooses partitions of
DROP MATERIALIZED VIEW m;
CREATE TABLE k (a int PRIMARY KEY, b int, c text);
CREATE INDEX k_b ON k (b);
CREATE INDEX k_c ON k (c);
INSERT INTO k SELECT i, i, i FROM generate_series(1, 10) i;
CREATE TABLE p (a int, b int) PARTITION BY LIST (a);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
CREATE INDEX p_b ON p (b);
CREATE TABLE ii (a int, b int);
CREATE TABLE ic () INHERITS (ii);
SET enable_seqscan = off;
CREATE PROCEDURE all_under(cursor_query text, commands text[]) LANGUAGE plpgsql AS $$
DECLARE
  c refcursor := 'under';
  command text;
BEGIN
  FOREACH command IN ARRAY commands LOOP
    OPEN c FOR EXECUTE cursor_query;
    BEGIN
      EXECUTE command;
      RAISE NOTICE '%: done', command;
      RAISE EXCEPTION 'back' USING ERRCODE = '22000';
    EXCEPTION
      WHEN data_exception THEN NULL;
      WHEN OTHERS THEN RAISE NOTICE '%: % %', command, SQLSTATE, SQLERRM;
    END;
    CLOSE c;
  END LOOP;
END $$;
SET client_min_messages = notice;
CALL all_under('SELECT b FROM k WHERE b = 3', ARRAY['DROP INDEX k_b', 'DROP INDEX k_c', 'REINDEX INDEX k_b', 'REINDEX INDEX k_c', 'REINDEX TABLE k',
  'ALTER INDEX k_b SET (fillfactor = 50)', 'ALTER INDEX k_b RENAME TO k_d', 'DROP TABLE k', 'COMMENT ON INDEX k_b IS ''x''', 'ALTER TABLE k ALTER b TYPE int8']);
CALL all_under('SELECT * FROM k WHERE a = 3', ARRAY['REINDEX INDEX k_pkey', 'REINDEX TABLE k', 'ALTER TABLE k DROP CONSTRAINT k_pkey', 'DROP INDEX k_b', 'DELETE FROM k']);
CALL all_under('SELECT * FROM k WHERE b = 3 OR c = ''4''', ARRAY['DROP INDEX k_b', 'DROP INDEX k_c', 'REINDEX TABLE k', 'DROP TABLE k']);
CALL all_under('SELECT 1 WHERE EXISTS (SELECT FROM k WHERE b = 3)', ARRAY['DROP INDEX k_b', 'ALTER TABLE k ADD z int']);
CALL all_under('WITH w AS MATERIALIZED (SELECT b FROM k WHERE b < 4) SELECT * FROM w', ARRAY['DROP INDEX k_b', 'DROP INDEX k_c']);
CALL all_under('SELECT 1 WHERE false AND EXISTS (SELECT FROM k)', ARRAY['DROP INDEX k_b', 'ALTER TABLE k ADD z int', 'DROP TABLE k']);
CALL all_under('SELECT * FROM p WHERE b = 3', ARRAY['DROP INDEX p_b', 'REINDEX INDEX p1_b_idx', 'REINDEX TABLE p1', 'CREATE INDEX ON p (a)', 'CREATE INDEX ON ONLY p (a)',
  'CREATE TABLE p3 PARTITION OF p FOR VALUES IN (3)', 'DROP TABLE p1', 'ALTER TABLE p DETACH PARTITION p1', 'TRUNCATE p1', 'ALTER TABLE p ADD COLUMN c int',
  'ALTER TABLE ONLY p ALTER b SET DEFAULT 7', 'ALTER TABLE p RENAME COLUMN b TO c', 'ALTER INDEX p_b RENAME TO i']);
CALL all_under('SELECT * FROM p WHERE a = (SELECT 1)', ARRAY['CREATE INDEX ON ONLY p (a)', 'CREATE TABLE p3 PARTITION OF p FOR VALUES IN (3)',
  'ALTER TABLE p DETACH PARTITION p1', 'ALTER TABLE ONLY p ALTER b SET DEFAULT 7', 'ALTER TABLE p RENAME TO q', 'TRUNCATE p']);
CALL all_under('SELECT * FROM ii', ARRAY['ALTER TABLE ii ADD z int', 'ALTER TABLE ic ADD z int', 'DROP TABLE ic', 'DROP TABLE ii CASCADE', 'ALTER TABLE ii RENAME b TO c',
  'ALTER TABLE ic NO INHERIT ii', 'CREATE TABLE id () INHERITS (ii)']);
CALL all_under('SELECT * FROM s', ARRAY['DROP SEQUENCE s', 'ALTER SEQUENCE s RESTART', 'ALTER SEQUENCE s RENAME TO s2']);
-- the one row of a sequence
BEGIN;
DECLARE c CURSOR FOR SELECT last_value FROM s;
FETCH ALL FROM c;
UPDATE k SET a = 1 WHERE CURRENT OF c;
ROLLBACK;
-- a function called by the statement that uses the index
SELECT b, does('DROP INDEX k_b'), does('DROP INDEX k_c') FROM k WHERE b = 3;
