-- Errors about rows of partitions show the row as the table that was named has it.
CREATE TABLE pe (a int, b int, c text NOT NULL, CHECK (b < 100)) PARTITION BY RANGE (a, (b + 0));
CREATE TABLE pe1 (c text NOT NULL, b int, a int, CONSTRAINT pe_b_check CHECK (b < 100));
ALTER TABLE pe ATTACH PARTITION pe1 FOR VALUES FROM (1, 0) TO (10, 0);
CREATE TABLE pe2 (c text NOT NULL, a int, b int, CONSTRAINT pe_b_check CHECK (b < 100)) PARTITION BY LIST (b);
CREATE TABLE pe21 (b int, c text NOT NULL, a int, CONSTRAINT pe_b_check CHECK (b < 100));
ALTER TABLE pe2 ATTACH PARTITION pe21 FOR VALUES IN (1, 2);
ALTER TABLE pe ATTACH PARTITION pe2 FOR VALUES FROM (10, 0) TO (20, 0);
INSERT INTO pe VALUES (1, 200, 'x');
INSERT INTO pe VALUES (1, 1, NULL);
INSERT INTO pe VALUES (30, 1, 'x');
INSERT INTO pe VALUES (NULL, 1, 'x');
INSERT INTO pe2 (a, b, c) VALUES (1, 1, 'x');
INSERT INTO pe2 (a, b, c) VALUES (11, 5, 'x');
INSERT INTO pe1 (a, b, c) VALUES (11, 5, 'x');
INSERT INTO pe1 (a, b, c) VALUES (1, 500, 'x');
INSERT INTO pe VALUES (1, 1, 'x'), (11, 1, 'y');
UPDATE pe SET b = 200 WHERE a = 1;
UPDATE pe SET c = NULL;
UPDATE pe2 SET a = 1;
UPDATE pe2 SET b = 300;
UPDATE pe21 SET a = 1;
UPDATE pe SET a = 12, b = 2, c = NULL WHERE a = 1;
CREATE VIEW pev AS SELECT * FROM pe WHERE a < 15 WITH CHECK OPTION;
UPDATE pev SET a = 16;
INSERT INTO pev VALUES (16, 1, 'z');
COPY pe FROM STDIN;
1	200	x
\.
MERGE INTO pe USING (VALUES (1)) v (x) ON a = x WHEN MATCHED THEN UPDATE SET b = 400;
CREATE TABLE ie (a int CHECK (a < 10), b int);
CREATE TABLE iec (c int, b int, a int CHECK (a < 5)) INHERITS (ie);
INSERT INTO iec (a, b, c) VALUES (1, 2, 3);
UPDATE ie SET a = 7;
INSERT INTO iec (a, b, c) VALUES (7, 2, 3);

-- types of columns of tables with partitions and children
CREATE TABLE tp (a int, b int, c varchar(10), PRIMARY KEY (a), UNIQUE (a, b), CHECK (b > 0)) PARTITION BY RANGE (a);
CREATE TABLE tp1 PARTITION OF tp FOR VALUES FROM (0) TO (10);
CREATE TABLE tp2 (c varchar(10), b int, a int NOT NULL, CHECK (b > 0));
ALTER TABLE tp ATTACH PARTITION tp2 FOR VALUES FROM (10) TO (20);
CREATE INDEX ON tp (c);
CREATE INDEX tp2_own ON tp2 (b, c);
INSERT INTO tp VALUES (1, 1, 'x'), (11, 11, 'y');
ALTER TABLE tp ALTER b TYPE numeric USING b + 0.5, ALTER c TYPE text;
ALTER TABLE tp ALTER a TYPE bigint;
SELECT tableoid::regclass, * FROM tp ORDER BY a;
SELECT indexrelid::regclass, indrelid::regclass, indisvalid FROM pg_index WHERE indrelid IN ('tp'::regclass, 'tp1'::regclass, 'tp2'::regclass) ORDER BY 1;
SELECT conrelid::regclass, conname, contype, conislocal, coninhcount FROM pg_constraint WHERE conrelid IN ('tp'::regclass, 'tp1'::regclass, 'tp2'::regclass) ORDER BY 1, 2;
INSERT INTO tp VALUES (1, 1.5, 'x');
INSERT INTO tp VALUES (2, -1, 'x');
ALTER TABLE tp1 ALTER b TYPE int;

-- what makes no sense
CREATE TABLE rec (a int);
ALTER TABLE rec ADD b rec;
ALTER TABLE rec ADD b rec[];
CREATE DOMAIN recs AS rec[];
ALTER TABLE rec ADD b recs;
CREATE TABLE rec2 (a int, b rec);
ALTER TABLE rec ADD b rec2;
ALTER TABLE rec ALTER a TYPE rec2 USING NULL;
ALTER TABLE rec ADD CHECK (zz > 1);
ALTER TABLE rec ADD b int CHECK (zz > 1);
ALTER TABLE rec ADD b int DEFAULT zz;
ALTER TABLE rec ADD UNIQUE (zz);
ALTER TABLE rec ADD PRIMARY KEY (zz);
ALTER TABLE rec ALTER a SET DEFAULT zz;
CREATE TABLE ty (a int CHECK (a % 2 >= 0));
ALTER TABLE ty ALTER a TYPE boolean USING a > 1;

-- a view's columns that came later
CREATE TABLE vb (id int, stuff text);
INSERT INTO vb VALUES (23, 'skidoo');
CREATE VIEW vb1 AS SELECT id, stuff FROM vb;
CREATE VIEW vb2 AS SELECT vb1.*, to_json(vb1) AS j, vb1 AS whole FROM vb1;
CREATE OR REPLACE VIEW vb1 AS SELECT id, stuff, 2 + 2 AS more FROM vb;
SELECT * FROM vb2;
ALTER INDEX vb RENAME TO vb_renamed;
SELECT * FROM vb_renamed;

-- which error of a line comes first
COPY ty FROM STDIN;
x	1
\.
CREATE TABLE ct (a int, b int);
COPY ct FROM STDIN;

\.
COPY ct FROM STDIN;
1
\.
