-- Foreign keys of and to partitioned tables, deferred checks of rows that moved, actions that move rows.
CREATE TABLE pk (a int, b text, PRIMARY KEY (a)) PARTITION BY RANGE (a);
CREATE TABLE pk1 PARTITION OF pk FOR VALUES FROM (0) TO (10);
CREATE TABLE pk2 PARTITION OF pk FOR VALUES FROM (10) TO (20) PARTITION BY LIST (a);
CREATE TABLE pk21 PARTITION OF pk2 FOR VALUES IN (10, 11);
CREATE TABLE pk22 PARTITION OF pk2 DEFAULT;
CREATE TABLE fk (x int, a int REFERENCES pk);
INSERT INTO pk SELECT i, 't' FROM generate_series(0, 19) i;
INSERT INTO fk VALUES (1, 5), (2, 11), (3, 15);
SELECT conname, confrelid::regclass, conislocal, coninhcount, connoinherit,
       (SELECT conname FROM pg_constraint p WHERE p.oid = c.conparentid) AS parent
FROM pg_constraint c WHERE conrelid = 'fk'::regclass AND contype = 'f' ORDER BY oid;
SELECT pg_describe_object(classid, objid, objsubid) AS object, pg_describe_object(refclassid, refobjid, refobjsubid) AS needs, deptype
FROM pg_depend WHERE classid = 'pg_constraint'::regclass AND objid IN (SELECT oid FROM pg_constraint WHERE conrelid = 'fk'::regclass AND contype = 'f')
ORDER BY 1, 2;
DELETE FROM pk WHERE a = 5;
DELETE FROM pk21 WHERE a = 11;
UPDATE pk SET a = 12 WHERE a = 11;
DROP TABLE pk21;
DROP TABLE pk1;
TRUNCATE pk21;
TRUNCATE pk;
ALTER TABLE pk2 DETACH PARTITION pk21;
ALTER TABLE pk DETACH PARTITION pk2;
ALTER TABLE fk DROP CONSTRAINT fk_a_fkey_1;
ALTER TABLE fk ALTER CONSTRAINT fk_a_fkey_2 DEFERRABLE;
ALTER TABLE fk ALTER CONSTRAINT fk_a_fkey DEFERRABLE INITIALLY DEFERRED;
SELECT conname, condeferrable, condeferred FROM pg_constraint WHERE conrelid = 'fk'::regclass AND contype = 'f' ORDER BY 1;
BEGIN;
DELETE FROM pk WHERE a = 5;
COMMIT;
DELETE FROM fk WHERE a = 11;
ALTER TABLE pk2 DETACH PARTITION pk21;
SELECT conname, confrelid::regclass FROM pg_constraint WHERE conrelid = 'fk'::regclass AND contype = 'f' ORDER BY 1;
INSERT INTO fk VALUES (4, 10);
DROP TABLE pk22;
ALTER TABLE pk2 ATTACH PARTITION pk21 FOR VALUES IN (10, 11);
INSERT INTO fk VALUES (4, 10);
DELETE FROM pk21 WHERE a = 10;
SELECT conname, confrelid::regclass FROM pg_constraint WHERE conrelid = 'fk'::regclass AND contype = 'f' ORDER BY 1;
CREATE TABLE pk3 PARTITION OF pk FOR VALUES FROM (20) TO (30);
SELECT conname, confrelid::regclass FROM pg_constraint WHERE conrelid = 'fk'::regclass AND contype = 'f' ORDER BY 1;
ALTER TABLE fk ADD CONSTRAINT twice FOREIGN KEY (x) REFERENCES pk NOT VALID;
SELECT conname, convalidated FROM pg_constraint WHERE conrelid = 'fk'::regclass AND conname LIKE 'twice%' ORDER BY 1;
ALTER TABLE fk VALIDATE CONSTRAINT twice;
SELECT conname, convalidated FROM pg_constraint WHERE conrelid = 'fk'::regclass AND conname LIKE 'twice%' ORDER BY 1;
ALTER TABLE fk DROP CONSTRAINT twice;
SELECT count(*) FROM pg_constraint WHERE conrelid = 'fk'::regclass AND conname LIKE 'twice%';
-- privileges on the columns
CREATE ROLE regress_fk_user;
CREATE SCHEMA fkuser AUTHORIZATION regress_fk_user;
SET ROLE regress_fk_user;
CREATE TABLE fkuser.t (a int REFERENCES pk);
RESET ROLE;
GRANT REFERENCES (a) ON pk TO regress_fk_user;
SET ROLE regress_fk_user;
CREATE TABLE fkuser.t (a int REFERENCES pk);
RESET ROLE;
DROP SCHEMA fkuser CASCADE;
REVOKE ALL ON pk FROM regress_fk_user;
DROP ROLE regress_fk_user;
DROP TABLE fk, pk;

-- both sides partitioned
CREATE TABLE p (a int PRIMARY KEY, d int DEFAULT 1) PARTITION BY RANGE (a);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200);
CREATE TABLE f (id int, a int DEFAULT 7 REFERENCES p ON DELETE SET DEFAULT ON UPDATE CASCADE) PARTITION BY LIST (a);
CREATE TABLE f1 PARTITION OF f FOR VALUES IN (1, 2, 3);
CREATE TABLE f2 PARTITION OF f FOR VALUES IN (101, 102);
CREATE TABLE f3 (z text, a int DEFAULT 3, id int);
ALTER TABLE f3 DROP COLUMN z;
ALTER TABLE f ATTACH PARTITION f3 DEFAULT;
INSERT INTO p SELECT i FROM generate_series(1, 3) i;
INSERT INTO p SELECT i FROM generate_series(101, 103) i;
INSERT INTO p VALUES (7);
INSERT INTO f VALUES (1, 1), (2, 2), (3, 101), (4, 103);
SELECT conname, conrelid::regclass, confrelid::regclass FROM pg_constraint WHERE contype = 'f' AND conrelid::regclass::text ~ '^f[0-9]?$' ORDER BY 1, 2::text, 3::text;
UPDATE p SET a = 102 WHERE a = 1;
SELECT tableoid::regclass, * FROM f ORDER BY id;
UPDATE p SET a = 50 WHERE a = 103;
SELECT tableoid::regclass, * FROM f ORDER BY id;
DELETE FROM p WHERE a = 2;
SELECT tableoid::regclass, * FROM f ORDER BY id;
DELETE FROM p WHERE a = 7;
SELECT tableoid::regclass, * FROM f ORDER BY id;
DELETE FROM p WHERE a = 101;
UPDATE f1 SET a = 9 WHERE a = 1;
UPDATE p SET a = 60 WHERE a = 102;
SELECT tableoid::regclass, * FROM f ORDER BY id;
DROP TABLE f, p;

-- an action that moves rows out of a partition that is itself the referencing table
CREATE TABLE k (a int PRIMARY KEY);
CREATE TABLE l (a int, b int) PARTITION BY LIST (a);
CREATE TABLE l1 PARTITION OF l FOR VALUES IN (1);
CREATE TABLE l2 PARTITION OF l FOR VALUES IN (2);
ALTER TABLE l1 ADD FOREIGN KEY (a) REFERENCES k ON UPDATE CASCADE;
INSERT INTO k VALUES (1), (3);
INSERT INTO l VALUES (1, 1);
UPDATE k SET a = 2 WHERE a = 1;
DROP TABLE l, k;

-- SET NULL (columns), generated columns and row movement
CREATE TABLE k (a int, b int, PRIMARY KEY (a, b));
CREATE TABLE m (a int, b int, s int GENERATED ALWAYS AS (b * 2) STORED,
  FOREIGN KEY (a, b) REFERENCES k ON DELETE SET NULL (b) ON UPDATE CASCADE) PARTITION BY LIST (b);
CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1, 2);
CREATE TABLE m0 PARTITION OF m FOR VALUES IN (NULL, 5);
INSERT INTO k VALUES (1, 1), (2, 2);
INSERT INTO m VALUES (1, 1), (2, 2);
DELETE FROM k WHERE a = 1;
UPDATE k SET b = 5 WHERE a = 2;
SELECT tableoid::regclass, * FROM m ORDER BY 2;
DROP TABLE m, k;

-- deferred checks find the row where it is
CREATE TABLE k (a int PRIMARY KEY);
CREATE TABLE r (id int PRIMARY KEY, a int REFERENCES k DEFERRABLE INITIALLY DEFERRED);
BEGIN; INSERT INTO r VALUES (1, 1); UPDATE r SET id = 2; COMMIT;
BEGIN; INSERT INTO r VALUES (1, 1); SAVEPOINT s; UPDATE r SET id = 2; ROLLBACK TO s; COMMIT;
BEGIN; INSERT INTO r VALUES (1, 1); SAVEPOINT s; UPDATE r SET id = 2; RELEASE s; UPDATE r SET id = 3; COMMIT;
BEGIN; INSERT INTO r VALUES (1, 1); UPDATE r SET id = 2; DELETE FROM r; COMMIT;
BEGIN; INSERT INTO r VALUES (1, 1); UPDATE r SET id = 2; INSERT INTO k VALUES (1); COMMIT;
BEGIN; DELETE FROM k; UPDATE r SET id = 5; COMMIT;
BEGIN; DELETE FROM k; ALTER TABLE r DROP CONSTRAINT r_a_fkey; ROLLBACK;
BEGIN; INSERT INTO r VALUES (6, 6); ALTER TABLE r ADD COLUMN z int; ROLLBACK;
DROP TABLE r, k;

-- a default that is the key that goes
CREATE TABLE k (a int PRIMARY KEY);
CREATE TABLE r (a int DEFAULT 0 REFERENCES k ON DELETE SET DEFAULT ON UPDATE SET DEFAULT);
INSERT INTO k VALUES (0), (1), (2);
INSERT INTO r VALUES (0), (1);
DELETE FROM k WHERE a = 0;
UPDATE k SET a = 10 WHERE a = 0;
DELETE FROM k WHERE a = 1;
SELECT * FROM r;
DROP TABLE r, k;

-- types of key columns
CREATE TABLE k (a int, b int, PRIMARY KEY (a, b));
CREATE TABLE r (a int, b int, FOREIGN KEY (a, b) REFERENCES k (a, b) MATCH FULL ON DELETE CASCADE DEFERRABLE);
INSERT INTO k VALUES (1, 1);
INSERT INTO r VALUES (1, 1);
ALTER TABLE k ALTER COLUMN a TYPE bigint;
ALTER TABLE r ALTER COLUMN a TYPE bigint;
SELECT pg_get_constraintdef(oid), convalidated FROM pg_constraint WHERE conrelid = 'r'::regclass;
ALTER TABLE k ALTER COLUMN a TYPE text;
INSERT INTO r VALUES (2, 2);
DELETE FROM k;
SELECT * FROM r;
DROP TABLE r, k;

-- NOT ENFORCED
CREATE TABLE k (a int PRIMARY KEY);
CREATE TABLE r (a int REFERENCES k NOT ENFORCED);
INSERT INTO r VALUES (1);
SELECT conenforced, convalidated, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'r'::regclass;
ALTER TABLE r ALTER CONSTRAINT r_a_fkey ENFORCED;
INSERT INTO k VALUES (1);
ALTER TABLE r ALTER CONSTRAINT r_a_fkey ENFORCED;
DELETE FROM k;
ALTER TABLE r ALTER CONSTRAINT r_a_fkey NOT ENFORCED;
DELETE FROM k;
CREATE TABLE bad (a int REFERENCES k ENFORCED NOT ENFORCED);
CREATE TABLE bad (a int NOT ENFORCED);
CREATE TABLE bad (a int PRIMARY KEY NOT ENFORCED);
CREATE TABLE bad (a int REFERENCES k DEFERRABLE NOT DEFERRABLE);
CREATE TABLE bad (a int CHECK (a > 0) DEFERRABLE);
CREATE TABLE bad (a int REFERENCES k INITIALLY DEFERRED NOT DEFERRABLE);
CREATE TABLE bad (a int REFERENCES k NOT DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE bad (a int REFERENCES k INITIALLY DEFERRED INITIALLY IMMEDIATE);
DROP TABLE r, k;

-- attaching what has a foreign key of its own
CREATE TABLE k (a int PRIMARY KEY);
CREATE TABLE r (a int, FOREIGN KEY (a) REFERENCES k) PARTITION BY LIST (a);
CREATE TABLE r1 (a int, CONSTRAINT own FOREIGN KEY (a) REFERENCES k NOT ENFORCED);
INSERT INTO r1 VALUES (1);
ALTER TABLE r ATTACH PARTITION r1 FOR VALUES IN (1);
ALTER TABLE r1 DROP CONSTRAINT own;
ALTER TABLE r1 ADD CONSTRAINT own FOREIGN KEY (a) REFERENCES k NOT VALID;
ALTER TABLE r ATTACH PARTITION r1 FOR VALUES IN (1);
INSERT INTO k VALUES (1);
ALTER TABLE r ATTACH PARTITION r1 FOR VALUES IN (1);
SELECT conname, conrelid::regclass, convalidated, conislocal, coninhcount FROM pg_constraint WHERE conrelid IN ('r'::regclass, 'r1'::regclass) ORDER BY 1, 2;
ALTER TABLE r1 DROP CONSTRAINT own;
ALTER TABLE r DETACH PARTITION r1;
SELECT conname, conrelid::regclass, convalidated, conislocal, coninhcount FROM pg_constraint WHERE conrelid IN ('r'::regclass, 'r1'::regclass) ORDER BY 1, 2;
DROP TABLE r, r1, k;

-- names inside CREATE SCHEMA
CREATE SCHEMA made
  CREATE VIEW v AS SELECT * FROM fk
  CREATE TABLE pk (a int PRIMARY KEY) PARTITION BY LIST (a)
  CREATE TABLE pk1 PARTITION OF pk FOR VALUES IN (1)
  CREATE TABLE fk (a int REFERENCES pk)
  CREATE INDEX i ON fk (a);
SELECT relname, relkind FROM pg_class WHERE relnamespace = 'made'::regnamespace ORDER BY 1;
SHOW search_path;
SET client_min_messages = warning;
DROP SCHEMA made CASCADE;
