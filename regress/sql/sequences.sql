-- sequences
CREATE SEQUENCE s START 10 INCREMENT 5 MAXVALUE 20;
SELECT nextval('s');
SELECT currval('s'), lastval();
SELECT nextval('s'), nextval('s');
SELECT nextval('s');
SELECT setval('s', 10);
SELECT nextval('s');
SELECT setval('s', 100);
SELECT currval('nope');
CREATE TABLE t (id integer GENERATED ALWAYS AS IDENTITY, v text);
INSERT INTO t (v) VALUES ('a'), ('b') RETURNING *;
INSERT INTO t (id, v) VALUES (7, 'c');
INSERT INTO t (id, v) OVERRIDING SYSTEM VALUE VALUES (7, 'c') RETURNING *;
DROP SEQUENCE s;
SELECT nextval('s');
