-- The triggers of foreign keys in pg_trigger, and what switching them off does.
CREATE VIEW triggers AS
  SELECT t.tgrelid::regclass AS on_table, c.conrelid::regclass AS of_table, c.conname, regexp_replace(t.tgname, '\d+$', 'N') AS tgname,
    t.tgname ~ ('_' || t.oid || '$') AS by_oid, t.tgfoid::regproc AS function, t.tgtype, t.tgenabled AS e, t.tgisinternal AS internal,
    t.tgconstrrelid::regclass AS other, t.tgconstrindid::regclass AS index, t.tgdeferrable AS d, t.tginitdeferred AS i,
    pt.tgrelid::regclass || ' ' || pc.conname AS below
  FROM pg_trigger t JOIN pg_constraint c ON c.oid = t.tgconstraint LEFT JOIN pg_trigger pt ON pt.oid = t.tgparentid
    LEFT JOIN pg_constraint pc ON pc.oid = pt.tgconstraint
  ORDER BY c.conrelid::regclass::text COLLATE "C", c.conname COLLATE "C", t.tgrelid::regclass::text COLLATE "C", t.tgfoid;
CREATE VIEW dependencies AS
  SELECT d.deptype, t.tgrelid::regclass AS on_table, t.tgfoid::regproc AS function, c.conname,
    regexp_replace(pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid), '\d{4,}', 'N') AS on_object
  FROM pg_depend d JOIN pg_trigger t ON d.classid = 'pg_trigger'::regclass AND t.oid = d.objid JOIN pg_constraint c ON c.oid = t.tgconstraint
  ORDER BY c.conrelid::regclass::text COLLATE "C", c.conname COLLATE "C", t.tgrelid::regclass::text COLLATE "C", t.tgfoid, d.deptype;
CREATE TABLE pk (a int PRIMARY KEY, b int UNIQUE);
CREATE TABLE fk (x int REFERENCES pk, y int CONSTRAINT yy REFERENCES pk (b) ON UPDATE CASCADE ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE self (a int PRIMARY KEY, p int REFERENCES self ON DELETE CASCADE ON UPDATE RESTRICT);
CREATE TABLE not_enforced (x int REFERENCES pk NOT ENFORCED);
SELECT * FROM triggers;
SELECT * FROM dependencies;
SELECT tgnargs, tgattr, tgargs, tgqual, tgoldtable, tgnewtable FROM pg_trigger WHERE tgrelid = 'fk'::regclass GROUP BY 1, 2, 3, 4, 5, 6;
SELECT relname, relhastriggers FROM pg_class WHERE relname IN ('pk', 'fk', 'self', 'not_enforced') ORDER BY 1;
SELECT regexp_replace(pg_get_triggerdef(oid), '\d{4,}', 'N'), regexp_replace(pg_get_triggerdef(oid, true), '\d{4,}', 'N') FROM pg_trigger WHERE tgrelid = 'fk'::regclass ORDER BY tgfoid, tgdeferrable;
SELECT regexp_replace(pg_describe_object('pg_trigger'::regclass, oid, 0), '\d{4,}', 'N') FROM pg_trigger WHERE tgrelid = 'self'::regclass ORDER BY tgfoid;
-- constraints that change
ALTER TABLE fk ALTER CONSTRAINT fk_x_fkey DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE fk ALTER CONSTRAINT yy NOT DEFERRABLE;
ALTER TABLE not_enforced ALTER CONSTRAINT not_enforced_x_fkey ENFORCED;
ALTER TABLE self ALTER CONSTRAINT self_p_fkey NOT ENFORCED;
SELECT on_table, of_table, conname, function, d, i FROM triggers;
ALTER TABLE self ALTER CONSTRAINT self_p_fkey ENFORCED;
ALTER TABLE self RENAME CONSTRAINT self_p_fkey TO s;
ALTER TABLE fk ALTER x TYPE int8;
SELECT on_table, of_table, conname, function, d, i FROM triggers WHERE of_table::text <> 'not_enforced';
DROP TABLE not_enforced;
ALTER TABLE fk DROP CONSTRAINT fk_x_fkey;
DROP TABLE self;
SELECT on_table, of_table, conname, function, d, i FROM triggers;
DROP TABLE pk CASCADE;
SELECT count(*) FROM triggers;
DROP TABLE fk;
-- partitions on either side
CREATE TABLE pk (a int PRIMARY KEY);
CREATE TABLE pp (a int PRIMARY KEY, b int REFERENCES pk ON DELETE SET DEFAULT) PARTITION BY RANGE (a);
CREATE TABLE pp1 PARTITION OF pp FOR VALUES FROM (0) TO (10);
CREATE TABLE pp2 PARTITION OF pp FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (a);
CREATE TABLE pp21 PARTITION OF pp2 FOR VALUES FROM (10) TO (15);
CREATE TABLE rp (z int REFERENCES pp);
CREATE TABLE rq (z int REFERENCES pp) PARTITION BY LIST (z);
CREATE TABLE rq1 PARTITION OF rq FOR VALUES IN (1);
SELECT on_table, of_table, conname, function, tgtype, other, index, below FROM triggers;
SELECT deptype, count(*) FROM dependencies GROUP BY 1;
CREATE TABLE rq2 (z int REFERENCES pp);
SELECT on_table, of_table, conname, function, below FROM triggers WHERE of_table::text = 'rq2';
ALTER TABLE rq ATTACH PARTITION rq2 FOR VALUES IN (2);
SELECT on_table, of_table, conname, function, below FROM triggers WHERE of_table::text = 'rq2';
SELECT deptype, on_table, function, on_object FROM dependencies WHERE on_table::text = 'rq2';
ALTER TABLE rq DETACH PARTITION rq2;
SELECT on_table, of_table, conname, function, below FROM triggers WHERE of_table::text = 'rq2';
SELECT deptype, on_table, function, on_object FROM dependencies WHERE on_table::text = 'rq2';
ALTER TABLE rq DETACH PARTITION rq1;
SELECT on_table, of_table, conname, function, below FROM triggers WHERE of_table::text = 'rq1';
ALTER TABLE pp DETACH PARTITION pp1;
SELECT on_table, of_table, conname, function, below FROM triggers WHERE on_table::text = 'pp1';
DROP TABLE rq1, rq2, rq, rp, pp, pp1;
SELECT count(*) FROM triggers;
-- switched off
CREATE TABLE fk (x int REFERENCES pk ON DELETE CASCADE ON UPDATE CASCADE);
INSERT INTO pk VALUES (1), (2), (3), (4);
INSERT INTO fk VALUES (1), (2);
ALTER TABLE fk DISABLE TRIGGER ALL;
SELECT on_table, function, e FROM triggers;
INSERT INTO fk VALUES (100);
UPDATE fk SET x = 101 WHERE x = 100;
DELETE FROM pk WHERE a = 1;
SELECT * FROM fk ORDER BY 1;
ALTER TABLE pk DISABLE TRIGGER ALL;
DELETE FROM pk WHERE a = 2;
UPDATE pk SET a = 5 WHERE a = 3;
SELECT * FROM fk ORDER BY 1;
ALTER TABLE fk ENABLE TRIGGER ALL;
ALTER TABLE pk ENABLE TRIGGER ALL;
INSERT INTO fk VALUES (100);
UPDATE fk SET x = 100 WHERE x = 2;
SELECT on_table, function, e FROM triggers;
ALTER TABLE fk DISABLE TRIGGER USER;
SELECT on_table, function, e FROM triggers;
-- by name
DO $$ BEGIN
  EXECUTE (SELECT format('ALTER TABLE fk DISABLE TRIGGER %I', tgname) FROM pg_trigger WHERE tgfoid::regproc::text LIKE '%check_ins%');
  EXECUTE (SELECT format('ALTER TABLE pk ENABLE ALWAYS TRIGGER %I', tgname) FROM pg_trigger WHERE tgfoid::regproc::text LIKE '%cascade_del%');
  EXECUTE (SELECT format('ALTER TABLE fk ENABLE REPLICA TRIGGER %I', tgname) FROM pg_trigger WHERE tgfoid::regproc::text LIKE '%check_upd%');
END $$;
SELECT on_table, function, e FROM triggers;
DELETE FROM fk;
INSERT INTO fk VALUES (4), (99);
UPDATE fk SET x = 98 WHERE x = 99;
DELETE FROM pk WHERE a = 4;
SELECT * FROM fk;
-- a replica
INSERT INTO pk VALUES (6);
INSERT INTO fk VALUES (6);
SET session_replication_role = replica;
INSERT INTO fk VALUES (97);
UPDATE fk SET x = 96 WHERE x = 97;
UPDATE pk SET a = 7 WHERE a = 6;
SELECT * FROM fk ORDER BY 1;
INSERT INTO fk VALUES (7);
DELETE FROM pk WHERE a = 7;
SELECT * FROM fk ORDER BY 1;
SET session_replication_role = local;
UPDATE fk SET x = 95 WHERE x = 98;
RESET session_replication_role;
CREATE FUNCTION as_replica(command text) RETURNS void LANGUAGE plpgsql SET session_replication_role = replica AS $$ BEGIN EXECUTE command; END $$;
ALTER TABLE fk ENABLE TRIGGER ALL;
SELECT as_replica('INSERT INTO fk VALUES (55)');
INSERT INTO fk VALUES (56);
BEGIN;
SET LOCAL session_replication_role = replica;
INSERT INTO fk VALUES (57);
COMMIT;
INSERT INTO fk VALUES (58);
SELECT * FROM fk ORDER BY 1;
-- what cannot be done
ALTER TABLE fk DISABLE TRIGGER nix;
CREATE VIEW v AS SELECT * FROM fk;
ALTER TABLE v DISABLE TRIGGER ALL;
ALTER TABLE v ENABLE REPLICA TRIGGER x;
ALTER TABLE v ENABLE ALWAYS TRIGGER x;
CREATE ROLE regress_ri_owner;
CREATE SCHEMA ri_owner AUTHORIZATION regress_ri_owner;
SET ROLE regress_ri_owner;
CREATE TABLE ri_owner.a (x int PRIMARY KEY, y int REFERENCES ri_owner.a);
ALTER TABLE ri_owner.a DISABLE TRIGGER USER;
DO $$ BEGIN
  ALTER TABLE ri_owner.a DISABLE TRIGGER ALL;
EXCEPTION WHEN insufficient_privilege THEN
  RAISE NOTICE '%', regexp_replace(SQLERRM, '\d+', 'N');
END $$;
ALTER TABLE fk DISABLE TRIGGER ALL;
SET session_replication_role = replica;
RESET ROLE;
DROP SCHEMA ri_owner CASCADE;
DROP ROLE regress_ri_owner;
DROP VIEW v;
DROP TABLE fk;
-- partitions: with their parent's, or alone
CREATE TABLE pp (a int PRIMARY KEY) PARTITION BY LIST (a);
CREATE TABLE pp1 PARTITION OF pp FOR VALUES IN (1);
CREATE TABLE pp2 PARTITION OF pp FOR VALUES IN (2);
CREATE TABLE rq (z int REFERENCES pp) PARTITION BY LIST (z);
CREATE TABLE rq1 PARTITION OF rq FOR VALUES IN (1, 3);
CREATE TABLE rq2 PARTITION OF rq FOR VALUES IN (2, 4);
INSERT INTO pp VALUES (1), (2);
INSERT INTO rq VALUES (1), (2);
ALTER TABLE rq1 DISABLE TRIGGER ALL;
INSERT INTO rq VALUES (3);
INSERT INTO rq VALUES (4);
ALTER TABLE pp2 DISABLE TRIGGER ALL;
DELETE FROM pp WHERE a = 1;
DELETE FROM pp WHERE a = 2;
SELECT on_table, of_table, function, e FROM triggers;
ALTER TABLE rq DISABLE TRIGGER ALL;
ALTER TABLE pp DISABLE TRIGGER ALL;
SELECT on_table, of_table, function, e FROM triggers;
INSERT INTO rq VALUES (4);
DELETE FROM pp;
ALTER TABLE ONLY rq ENABLE TRIGGER ALL;
SELECT on_table, of_table, function, e FROM triggers WHERE NOT on_table::text LIKE 'pp%';
