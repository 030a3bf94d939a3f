-- Exclusion constraints and WITHOUT OVERLAPS: definitions, conflicts, deferral, ON CONFLICT, what is refused.
CREATE TABLE stays (room int4range, during int4range, EXCLUDE USING gist (room WITH =, during WITH &&));
INSERT INTO stays VALUES ('[1,1]', '[1,5)'), ('[1,1]', '[5,9)'), ('[2,2]', '[1,9)'), ('[1,1]', NULL), (NULL, '[1,5)'), ('[1,1]', 'empty');
INSERT INTO stays VALUES ('[1,1]', '[4,6)');
INSERT INTO stays VALUES ('[1,1]', '[8,20)');
INSERT INTO stays VALUES ('[1,1]', '(,2)');
INSERT INTO stays VALUES ('[1,1]', '[20,)'), ('[1,1]', '(,1)'), ('[1,1]', '[9,20)');
INSERT INTO stays VALUES ('[1,1]', '[100,101)');
UPDATE stays SET during = '[1,6)' WHERE during = '[1,5)' AND room = '[1,1]';
UPDATE stays SET during = '[2,4)' WHERE during = '[1,5)' AND room = '[1,1]';
INSERT INTO stays VALUES ('[1,1]', '[4,5)'), ('[1,1]', '[1,2)');
UPDATE stays SET room = '[1,1]' WHERE room = '[2,2]';
INSERT INTO stays VALUES ('[1,1]', '[4,5)') ON CONFLICT DO NOTHING;
INSERT INTO stays VALUES ('[1,1]', '[4,5)') ON CONFLICT ON CONSTRAINT stays_room_during_excl DO NOTHING;
INSERT INTO stays VALUES ('[1,1]', '[4,5)') ON CONFLICT (room, during) DO NOTHING;
INSERT INTO stays VALUES ('[1,1]', '[4,5)') ON CONFLICT ON CONSTRAINT stays_room_during_excl DO UPDATE SET room = NULL;
SELECT * FROM stays ORDER BY room, during;
BEGIN;
DELETE FROM stays WHERE during = '[2,4)';
INSERT INTO stays VALUES ('[1,1]', '[2,3)');
ROLLBACK;
INSERT INTO stays VALUES ('[1,1]', '[2,3)');
SELECT conname, contype, conkey, conexclop::regoperator[], conperiod, condeferrable, condeferred, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE conrelid = 'stays'::regclass;
SELECT indisunique, indisexclusion, indimmediate, indisvalid, amname, pg_get_indexdef(indexrelid)
    FROM pg_index JOIN pg_class c ON c.oid = indexrelid JOIN pg_am a ON a.oid = relam WHERE indrelid = 'stays'::regclass;
-- Other operators, types, predicates, expressions.
CREATE TABLE circles (c circle, EXCLUDE USING gist (c WITH &&));
INSERT INTO circles VALUES ('<(0,0),1>'), ('<(5,5),1>');
INSERT INTO circles VALUES ('<(1,1),1>');
INSERT INTO circles SELECT circle(point(10 * x, 0), 1) FROM generate_series(3, 30) x;
INSERT INTO circles VALUES ('<(141,0),2>');
CREATE TABLE neighbours (r int4range, EXCLUDE USING gist (r WITH -|-));
INSERT INTO neighbours VALUES ('[1,5)'), ('[6,7)'), ('[1,5)');
INSERT INTO neighbours VALUES ('[5,6)');
CREATE TABLE mirrored (r int4range, a int4range, EXCLUDE USING gist (r WITH &&, a WITH =));
INSERT INTO mirrored VALUES ('[1,5)', '[1,1]'), ('[2,3)', '[2,2]'), ('[4,9)', '[3,3]');
INSERT INTO mirrored VALUES ('[3,4)', '[1,1]');
CREATE TABLE words (w text, live bool, CONSTRAINT one_word EXCLUDE USING btree (lower(w) WITH =) WHERE (live));
INSERT INTO words VALUES ('A', true), ('a', false), ('b', true);
INSERT INTO words VALUES ('B', true);
UPDATE words SET live = true WHERE w = 'a';
CREATE TABLE hashed (a int, b text, EXCLUDE USING hash (a WITH =), EXCLUDE (b WITH =) INCLUDE (a) WITH (fillfactor = 70));
INSERT INTO hashed VALUES (1, 'x'), (2, 'y');
INSERT INTO hashed VALUES (1, 'z');
INSERT INTO hashed VALUES (3, 'y');
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid IN ('words'::regclass, 'hashed'::regclass) ORDER BY 1;
COPY hashed FROM stdin;
4	p
5	q
2	r
\.
SELECT count(*) FROM hashed;
-- Deferral.
CREATE TABLE later (r int4range, CONSTRAINT apart EXCLUDE USING gist (r WITH &&) DEFERRABLE INITIALLY DEFERRED);
INSERT INTO later VALUES ('[1,3)'), ('[3,5)'), ('[5,7)');
UPDATE later SET r = int4range(lower(r) + 2, upper(r) + 2);
BEGIN;
INSERT INTO later VALUES ('[4,6)');
SET CONSTRAINTS apart IMMEDIATE;
ROLLBACK;
BEGIN;
INSERT INTO later VALUES ('[4,6)');
DELETE FROM later WHERE r && '[4,6)' AND r <> '[4,6)';
COMMIT;
BEGIN;
INSERT INTO later VALUES ('[1,50)');
INSERT INTO later VALUES ('[20,21)');
DELETE FROM later WHERE r <> '[20,21)' AND r <> '[1,50)';
COMMIT;
SELECT * FROM later ORDER BY r;
INSERT INTO later VALUES ('[1,2)') ON CONFLICT DO NOTHING;
CREATE TABLE at_end (r int4range, EXCLUDE USING gist (r WITH &&) DEFERRABLE);
INSERT INTO at_end VALUES ('[1,3)'), ('[3,5)'), ('[5,7)');
UPDATE at_end SET r = int4range(lower(r) + 2, upper(r) + 2);
INSERT INTO at_end VALUES ('[4,6)');
-- ALTER TABLE.
CREATE TABLE given (r int4range);
INSERT INTO given VALUES ('[1,5)'), ('[2,3)');
ALTER TABLE given ADD CONSTRAINT given_apart EXCLUDE USING gist (r WITH &&);
DELETE FROM given WHERE r = '[2,3)';
ALTER TABLE given ADD CONSTRAINT given_apart EXCLUDE USING gist (r WITH &&);
ALTER TABLE given ADD CONSTRAINT given_apart EXCLUDE USING gist (r WITH &&);
ALTER TABLE given ADD CONSTRAINT given_other EXCLUDE USING gist (r WITH &&) NOT VALID;
INSERT INTO given VALUES ('[4,6)');
DROP INDEX given_apart;
REINDEX INDEX given_apart;
REINDEX INDEX CONCURRENTLY given_apart;
ALTER TABLE given RENAME CONSTRAINT given_apart TO given_alone;
INSERT INTO given VALUES ('[4,6)');
CREATE TABLE like_given (LIKE given INCLUDING INDEXES);
SELECT pg_get_constraintdef(oid), conname FROM pg_constraint WHERE conrelid = 'like_given'::regclass;
ALTER TABLE given DROP CONSTRAINT given_alone;
INSERT INTO given VALUES ('[4,6)');
-- WITHOUT OVERLAPS.
CREATE TABLE prices (id int4range, valid int4range, price int, CONSTRAINT prices_pk PRIMARY KEY (id, valid WITHOUT OVERLAPS));
INSERT INTO prices VALUES ('[1,1]', '[1,10)', 5), ('[1,1]', '[10,20)', 6), ('[2,2]', '[1,20)', 7);
INSERT INTO prices VALUES ('[1,1]', '[9,12)', 8);
INSERT INTO prices VALUES ('[1,1]', 'empty', 8);
INSERT INTO prices VALUES ('[1,1]', NULL, 8);
UPDATE prices SET valid = '[1,11)' WHERE price = 5;
UPDATE prices SET valid = '[2,9)' WHERE price = 5;
INSERT INTO prices VALUES ('[1,1]', '[3,4)', 9) ON CONFLICT DO NOTHING;
SELECT * FROM prices ORDER BY id, valid;
SELECT conname, contype, conexclop::regoperator[], conperiod, pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'prices_pk';
SELECT indisunique, indisprimary, indisexclusion, pg_get_indexdef(indexrelid) FROM pg_index WHERE indexrelid = 'prices_pk'::regclass;
CREATE TABLE multi (id int4range, valid int4multirange, UNIQUE (id, valid WITHOUT OVERLAPS));
INSERT INTO multi VALUES ('[1,1]', '{[1,3),[7,9)}'), ('[1,1]', '{[3,7)}'), ('[1,1]', NULL);
INSERT INTO multi VALUES ('[1,1]', '{[0,1),[8,9)}');
INSERT INTO multi VALUES ('[1,1]', '{}');
-- Partitions.
CREATE TABLE parted (k int4range, r int4range, EXCLUDE USING gist (k WITH =, r WITH &&)) PARTITION BY LIST (k);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN ('[1,1]');
CREATE TABLE parted_2 (k int4range, r int4range);
INSERT INTO parted_2 VALUES ('[2,2]', '[1,5)'), ('[2,2]', '[4,6)');
ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES IN ('[2,2]');
DELETE FROM parted_2 WHERE r = '[4,6)';
ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES IN ('[2,2]');
INSERT INTO parted VALUES ('[1,1]', '[1,5)'), ('[2,2]', '[5,6)');
INSERT INTO parted VALUES ('[2,2]', '[4,6)');
INSERT INTO parted VALUES ('[1,1]', '[4,6)');
CREATE TABLE wrong (k int4range, r int4range, EXCLUDE USING gist (k WITH &&, r WITH =)) PARTITION BY LIST (k);
CREATE TABLE wrong (k int4range, r int4range, EXCLUDE USING gist (r WITH =)) PARTITION BY LIST (k);
-- What is refused.
CREATE TABLE wrong (a int, EXCLUDE USING gist (a WITH =));
CREATE TABLE wrong (a int, b int, EXCLUDE (a WITH =, b WITH <>));
CREATE TABLE wrong (a int, b int, EXCLUDE USING hash (a WITH =, b WITH =));
CREATE TABLE wrong (a int, EXCLUDE USING btree (a WITH <));
CREATE TABLE wrong (r int4range, EXCLUDE USING gist (r WITH <<));
CREATE TABLE wrong (r int4range, EXCLUDE USING brin (r WITH =));
CREATE TABLE wrong (r int4range, EXCLUDE USING nothing (r WITH =));
CREATE TABLE wrong (r int4range, EXCLUDE USING gist (r WITH @#@));
CREATE TABLE wrong (id int4range, r int, PRIMARY KEY (id, r WITHOUT OVERLAPS));
CREATE TABLE wrong (id int4range, r int4range, PRIMARY KEY (r WITHOUT OVERLAPS));
CREATE TABLE wrong (id int, r int4range, PRIMARY KEY (id, r WITHOUT OVERLAPS));
