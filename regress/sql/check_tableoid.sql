-- tableoid in CHECK constraints: that of the table the row goes into.
CREATE TABLE t (a int, CHECK (NOT (a > 10 AND tableoid::regclass::text = 't')));
INSERT INTO t VALUES (5);
INSERT INTO t VALUES (15);
CREATE TABLE t_child () INHERITS (t);
INSERT INTO t_child VALUES (15);
UPDATE t SET a = a + 10;
SELECT tableoid::regclass, a FROM t ORDER BY a;
ALTER TABLE t ADD CHECK (tableoid <> 0);
CREATE TABLE p (a int, CHECK (tableoid::regclass::text IN ('p1', 'p2'))) PARTITION BY LIST (a);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p3 PARTITION OF p FOR VALUES IN (3);
INSERT INTO p VALUES (1);
INSERT INTO p VALUES (3);
CREATE TABLE bad (a int, CHECK (ctid IS NOT NULL));
DROP TABLE p, t CASCADE;
