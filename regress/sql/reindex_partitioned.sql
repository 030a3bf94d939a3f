-- REINDEX of partitioned tables and indexes: every leaf.
CREATE TABLE ri_parted (a int, b text) PARTITION BY RANGE (a);
CREATE TABLE ri_low PARTITION OF ri_parted FOR VALUES FROM (0) TO (10);
CREATE TABLE ri_high PARTITION OF ri_parted FOR VALUES FROM (10) TO (30) PARTITION BY RANGE (a);
CREATE TABLE ri_high_1 PARTITION OF ri_high FOR VALUES FROM (10) TO (20);
CREATE TABLE ri_high_2 PARTITION OF ri_high FOR VALUES FROM (20) TO (30);
INSERT INTO ri_parted SELECT g, 'row ' || g FROM generate_series(0, 29) g;
CREATE INDEX ri_parted_a ON ri_parted (a);
CREATE INDEX ri_parted_b ON ri_parted (b);
CREATE INDEX ri_low_own ON ri_low (a, b);
-- Which indexes have new storage since the last look.
CREATE TABLE ri_seen AS SELECT relname, relfilenode FROM pg_class WHERE false;
CREATE FUNCTION ri_look() RETURNS TABLE (rel text, kind "char", how text) LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY SELECT c.relname::text, c.relkind, CASE WHEN c.relfilenode = s.relfilenode THEN 'kept' ELSE 'new' END
    FROM pg_class c LEFT JOIN ri_seen s ON s.relname = c.relname
    WHERE c.relname LIKE 'ri\_%' AND c.relkind IN ('i', 'I') ORDER BY c.relname COLLATE "C";
  DELETE FROM ri_seen;
  INSERT INTO ri_seen SELECT c.relname, c.relfilenode FROM pg_class c WHERE c.relname LIKE 'ri\_%' AND c.relkind IN ('i', 'I');
END $$;
SELECT count(*) FROM ri_look();
SELECT * FROM ri_look();
REINDEX TABLE ri_parted;
SELECT * FROM ri_look();
REINDEX INDEX ri_parted_a;
SELECT * FROM ri_look();
REINDEX TABLE ri_high;
SELECT * FROM ri_look();
REINDEX TABLE CONCURRENTLY ri_parted;
SELECT * FROM ri_look();
REINDEX INDEX CONCURRENTLY ri_parted_b;
SELECT * FROM ri_look();
REINDEX (VERBOSE false, CONCURRENTLY true) INDEX ri_high_a_idx;
SELECT * FROM ri_look();
-- Not in a transaction block, nor in a function.
BEGIN;
REINDEX TABLE ri_parted;
ROLLBACK;
BEGIN;
REINDEX INDEX ri_parted_a;
ROLLBACK;
BEGIN;
REINDEX TABLE CONCURRENTLY ri_parted;
ROLLBACK;
BEGIN;
REINDEX INDEX CONCURRENTLY ri_parted_a;
ROLLBACK;
BEGIN;
REINDEX TABLE ri_low;
REINDEX INDEX ri_high_1_a_idx;
COMMIT;
SELECT * FROM ri_look();
DO $$ BEGIN REINDEX TABLE ri_parted; END $$;
DO $$ BEGIN REINDEX INDEX ri_parted_b; END $$;
CREATE FUNCTION ri_reindex() RETURNS void LANGUAGE plpgsql AS $$ BEGIN REINDEX TABLE ri_high; END $$;
SELECT ri_reindex();
CREATE PROCEDURE ri_reindex_p() LANGUAGE plpgsql AS $$ BEGIN REINDEX INDEX ri_parted_a; END $$;
CALL ri_reindex_p();
-- Wrong kinds.
REINDEX INDEX ri_parted;
REINDEX TABLE ri_parted_a;
REINDEX TABLE ri_nothing;
REINDEX INDEX ri_nothing;
-- Partitioned tables without indexes or partitions.
CREATE TABLE ri_bare (a int) PARTITION BY LIST (a);
REINDEX TABLE ri_bare;
REINDEX TABLE CONCURRENTLY ri_bare;
CREATE TABLE ri_bare_1 PARTITION OF ri_bare FOR VALUES IN (1);
REINDEX TABLE ri_bare;
REINDEX TABLE CONCURRENTLY ri_bare;
CREATE INDEX ri_bare_a ON ONLY ri_bare (a);
REINDEX INDEX ri_bare_a;
REINDEX TABLE ri_bare;
-- An index that a leaf has by itself is found by its rows after it.
SET enable_seqscan = off;
SELECT count(*), min(b) FROM ri_parted WHERE a BETWEEN 5 AND 25;
RESET enable_seqscan;
-- A failing leaf.
CREATE FUNCTION ri_check(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN IF current_setting('ri.fail', true) = 'on' AND $1 > 20 THEN RAISE 'no'; END IF; RETURN $1; END $$;
CREATE INDEX ri_parted_f ON ri_parted (ri_check(a));
SELECT count(*) FROM ri_look();
SET ri.fail = on;
\set SHOW_CONTEXT never
REINDEX INDEX ri_parted_f;
SELECT * FROM ri_look() WHERE rel LIKE '%check%' OR rel LIKE '%\_f';
RESET ri.fail;
-- Schemas skip the partitioned ones and take the leaves.
CREATE SCHEMA ri_schema;
CREATE TABLE ri_schema.p (a int PRIMARY KEY) PARTITION BY RANGE (a);
CREATE TABLE ri_schema.p1 PARTITION OF ri_schema.p FOR VALUES FROM (0) TO (10);
INSERT INTO ri_schema.p VALUES (1);
REINDEX SCHEMA ri_schema;
DROP SCHEMA ri_schema CASCADE;
-- Who may.
CREATE ROLE regress_ri_other;
SET ROLE regress_ri_other;
REINDEX TABLE ri_parted;
REINDEX INDEX ri_parted_a;
RESET ROLE;
GRANT MAINTAIN ON ri_low TO regress_ri_other;
GRANT MAINTAIN ON ri_parted TO regress_ri_other;
SET ROLE regress_ri_other;
REINDEX TABLE ri_parted;
REINDEX INDEX ri_parted_b;
RESET ROLE;
SELECT * FROM ri_look();
DROP TABLE ri_parted, ri_bare, ri_seen CASCADE;
DROP FUNCTION ri_look, ri_reindex, ri_check;
DROP PROCEDURE ri_reindex_p;
DROP ROLE regress_ri_other;
