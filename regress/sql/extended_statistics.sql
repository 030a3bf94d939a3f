-- CREATE, ALTER and DROP STATISTICS; what ANALYZE finds, and what estimates make of it.
CREATE FUNCTION estimate(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
    RETURN (plan->0->'Plan'->>'Plan Rows')::bigint;
END $$;
CREATE TABLE t1 (a int, b int, c xid, d point, e text);
CREATE STATISTICS s1 ON a, b FROM t1, t1;
CREATE STATISTICS s1 ON a, b FROM (SELECT 1) x;
CREATE STATISTICS s1 ON a, b FROM generate_series(1, 2);
CREATE STATISTICS s1 ON a FROM t1;
CREATE STATISTICS s1 ON a, a FROM t1;
CREATE STATISTICS s1 ON a, nosuch FROM t1;
CREATE STATISTICS s1 ON a, ctid FROM t1;
CREATE STATISTICS s1 ON a, c FROM t1;
CREATE STATISTICS s1 ON (lower(e)), (lower(e)) FROM t1;
CREATE STATISTICS s1 ON a, (d <-> d), (point(a, b)) FROM t1;
CREATE STATISTICS s1 (nosuch) ON a, b FROM t1;
CREATE STATISTICS s1 (ndistinct) ON (a + b) FROM t1;
CREATE STATISTICS s1 ON (max(a)), b FROM t1;
CREATE STATISTICS nosuch.s1 ON a, b FROM t1;
CREATE STATISTICS s1 ON relname, relpages FROM pg_class;
CREATE STATISTICS ON a, b FROM t1;
CREATE STATISTICS ON b, a FROM t1;
CREATE STATISTICS ON a, (b + 1) FROM t1;
CREATE STATISTICS s2 ON (e || 'x'), (lower(e)) FROM t1;
CREATE STATISTICS s3 (mcv, ndistinct) ON b, a, (a + b) FROM t1;
CREATE STATISTICS s3 ON b, a FROM t1;
CREATE STATISTICS IF NOT EXISTS s3 ON b, a FROM t1;
SELECT stxname, stxkeys, stxkind, pg_get_statisticsobjdef(oid), pg_get_statisticsobjdef_columns(oid),
       pg_get_statisticsobjdef_expressions(oid)
  FROM pg_statistic_ext WHERE stxrelid = 't1'::regclass ORDER BY oid;
ALTER STATISTICS s3 SET STATISTICS -2;
ALTER STATISTICS s3 SET STATISTICS 100;
SELECT stxstattarget FROM pg_statistic_ext WHERE stxname = 's3';
ALTER STATISTICS s3 SET STATISTICS DEFAULT;
ALTER STATISTICS nosuch SET STATISTICS 1;
ALTER STATISTICS IF EXISTS nosuch SET STATISTICS 1;
ALTER STATISTICS s3 RENAME TO s2;
ALTER STATISTICS s3 RENAME TO s4;
CREATE SCHEMA other;
ALTER STATISTICS s4 SET SCHEMA other;
COMMENT ON STATISTICS other.s4 IS 'comment';
SELECT obj_description(oid, 'pg_statistic_ext'), pg_describe_object('pg_statistic_ext'::regclass, oid, 0)
  FROM pg_statistic_ext WHERE stxname = 's4';
DROP STATISTICS nosuch;
DROP STATISTICS IF EXISTS nosuch, nosuch.s;
ALTER TABLE t1 DROP COLUMN e;
SELECT stxname FROM pg_statistic_ext WHERE stxrelid = 't1'::regclass ORDER BY 1;
CREATE TABLE t2 (LIKE t1 INCLUDING STATISTICS);
SELECT pg_get_statisticsobjdef(oid) FROM pg_statistic_ext WHERE stxrelid = 't2'::regclass ORDER BY 1;
DROP TABLE t1, t2;
SELECT count(*) FROM pg_statistic_ext;
-- distinct combinations
CREATE TABLE nd (a int, b int, c int, d int);
INSERT INTO nd SELECT i % 13, i % 17, i % 19, NULL FROM generate_series(1, 1000) i;
ANALYZE nd;
SELECT estimate('SELECT a, b FROM nd GROUP BY a, b'), estimate('SELECT a FROM nd GROUP BY a, b, c'),
       estimate('SELECT a FROM nd GROUP BY a, 2 * c'), estimate('SELECT a FROM nd GROUP BY a, d');
CREATE STATISTICS nds (ndistinct) ON a, b, (2 * c) FROM nd;
ANALYZE nd;
SELECT stxdndistinct, stxddependencies, stxdmcv IS NULL FROM pg_statistic_ext_data;
SELECT estimate('SELECT a, b FROM nd GROUP BY a, b'), estimate('SELECT a FROM nd GROUP BY a, b, c'),
       estimate('SELECT a FROM nd GROUP BY a, 2 * c'), estimate('SELECT a FROM nd GROUP BY a, b, 2 * c');
SELECT expr, null_frac, n_distinct FROM pg_stats_ext_exprs WHERE statistics_name = 'nds';
-- dependencies
CREATE TABLE fd (a int, b text, c int);
INSERT INTO fd SELECT i % 100, (i % 50)::text, i % 25 FROM generate_series(1, 5000) i;
ANALYZE fd;
SELECT estimate('SELECT * FROM fd WHERE a = 1 AND b = ''1'''), estimate('SELECT * FROM fd WHERE a = 1 AND b = ''1'' AND c = 1'),
       estimate('SELECT * FROM fd WHERE a IN (1, 51) AND b = ''1''');
CREATE STATISTICS fds (dependencies) ON a, b, c FROM fd;
ANALYZE fd;
SELECT dependencies FROM pg_stats_ext WHERE statistics_name = 'fds';
SELECT estimate('SELECT * FROM fd WHERE a = 1 AND b = ''1'''), estimate('SELECT * FROM fd WHERE a = 1 AND b = ''1'' AND c = 1'),
       estimate('SELECT * FROM fd WHERE a IN (1, 51) AND b = ''1'''), estimate('SELECT * FROM fd WHERE a = 1 AND b > ''1''');
DROP STATISTICS fds;
-- most common values
CREATE TABLE mc (a int, b text, c int);
INSERT INTO mc SELECT i % 4, CASE WHEN i % 4 > 0 THEN (i % 2)::text END, i % 3 FROM generate_series(1, 1200) i;
CREATE STATISTICS mcs (mcv) ON a, b FROM mc;
ANALYZE mc;
SELECT m.values, m.nulls, m.frequency, round(m.base_frequency::numeric, 6)
  FROM pg_statistic_ext s JOIN pg_statistic_ext_data d ON d.stxoid = s.oid, pg_mcv_list_items(d.stxdmcv) m
 WHERE s.stxname = 'mcs' ORDER BY 1;
SELECT estimate('SELECT * FROM mc WHERE a = 1 AND b = ''1'''), estimate('SELECT * FROM mc WHERE a = 1 AND b = ''0'''),
       estimate('SELECT * FROM mc WHERE a = 0 AND b IS NULL'), estimate('SELECT * FROM mc WHERE a < 2 OR b = ''0'''),
       estimate('SELECT * FROM mc WHERE a IN (1, 2) AND b = ''1'' AND c = 0');
-- trees
CREATE TABLE tp (i int, a int, b int) PARTITION BY RANGE (i);
CREATE TABLE tp1 PARTITION OF tp FOR VALUES FROM (1) TO (100);
INSERT INTO tp SELECT 1, a / 100, a / 100 FROM generate_series(1, 999) a;
CREATE STATISTICS tps ON a, b FROM tp;
ANALYZE tp;
SELECT stxdinherit, stxdndistinct FROM pg_statistic_ext s JOIN pg_statistic_ext_data d ON d.stxoid = s.oid WHERE stxname = 'tps';
SELECT estimate('SELECT a, b FROM tp GROUP BY 1, 2');
ALTER TABLE tp ALTER a SET STATISTICS 0;
ANALYZE tp;
DROP TABLE nd, fd, mc, tp;
DROP FUNCTION estimate;
