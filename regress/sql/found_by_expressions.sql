-- What tests/value_differential found: random expressions whose values were not PostgreSQL's.
-- a constant that changes its label keeps its collation
SELECT 'Hello'::varchar < '12'::varchar, 'a'::varchar IN ('b'::varchar), upper('a'::varchar), NULLIF('a'::varchar, 'a'::varchar);
SELECT 'a'::text::bpchar < 'b'::text::bpchar, hashbpchar('ABC'::text::bpchar), 'a'::varchar IS DISTINCT FROM 'b'::varchar;
SELECT 'b'::varchar BETWEEN SYMMETRIC 'c'::varchar AND 'a'::varchar, ROW('a'::varchar, 'b'::varchar) < ROW('a'::varchar, 'c'::varchar);
SELECT ('a' COLLATE "C")::varchar < ('b' COLLATE "POSIX")::varchar;
-- rows compare lazily
CREATE TABLE pairs (a int, b int, c text);
INSERT INTO pairs VALUES (1, 2, 'x'), (2, NULL, '7'), (3, 4, '5'), (2, 2, '9');
SELECT a, (a, c::text) < (2, '5') AS l, (a, b) >= (2, 2) AS ge FROM pairs ORDER BY a, b;
SELECT a, b FROM pairs WHERE (a, CASE WHEN a = 1 THEN c::int ELSE 0 END) > (1.5::int, 1) AND a > 1 ORDER BY 1, 2;
SELECT a, b FROM pairs WHERE (a + 10, c::int) > (5, 1) ORDER BY 1, 2;
SELECT a, b FROM pairs WHERE (NULLIF(a, a), c::int) > (5, 1) ORDER BY 1, 2;
DROP TABLE pairs;
-- CASE of a constant folds arm by arm
SELECT CASE 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid WHEN 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid THEN 1 WHEN uuid_in(''::cstring) THEN 2 END;
EXPLAIN (VERBOSE, COSTS OFF) SELECT CASE 3 WHEN g THEN 'a' WHEN 2 THEN 'b' WHEN g + 1 THEN CASE g WHEN 3 THEN 'c' END END FROM generate_series(1, 2) g;
-- of equal values that are not alike min and max take the last, those of bpchar the first
SELECT min(x), max(x) FROM (VALUES ('0'::float8), ('-0')) v(x);
SELECT min(x), max(x) FROM (VALUES ('-0'::float4), ('0')) v(x);
SELECT min(x), max(x) FROM (VALUES (1.0), (1.00), (1.000)) v(x);
SELECT min(x), max(x) FROM (VALUES ('1 mon'::interval), ('30 days')) v(x);
SELECT length(min(x)::bytea::text) FROM (VALUES ('a'::bpchar), ('a  ')) v(x);
SELECT array_agg(m) FROM (SELECT min(x) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) m FROM (VALUES (1, '0'::float4), (2, '-0'), (3, '1')) v(n, x)) q;
-- shortest texts that are equally near
SELECT '999999999876543.25'::float8, 2.98023223876953125e-08::float8, 140737446412291.125::float8, '140737446412291.375'::float8;
SELECT 0.000000476837158203125::float4, 8388607.5::float4, 4194303.25::float4, 2097151.875::float4, 1048575.0625::float4;
-- arrays, paths, JSON
SELECT array_position('{}'::int8[], 12::int8, NULL::int4), array_position(ARRAY[1, 2], NULL, NULL);
SELECT array_position(ARRAY[1, NULL], 1, NULL);
CREATE TYPE mood_found AS ENUM ('sad', 'happy');
SELECT information_schema._pg_expandarray('{sad,happy}'::mood_found[]);
DROP TYPE mood_found;
SELECT '[' || (' { "x" : [ 1 , 2 ] } '::json #> '{}')::text || ']';
SELECT jsonb_delete_path('{"a": 1}', ARRAY['a', NULL]);
SELECT jsonb_set('{"a": [1]}', ARRAY['a', '0', NULL], '2');
SELECT jsonb_object_agg_unique_strict(k, v) FROM (VALUES ('a', NULL::jsonb), ('b', '1'), ('c', 'null')) t(k, v);
SELECT jsonb_object_agg_unique_strict(k, v) FROM (VALUES ('a', NULL::jsonb), ('a', '1')) t(k, v);
SELECT jsonb_object_agg_unique_strict(k, v) FROM (VALUES ('a', 'null'::jsonb), ('a', 'null')) t(k, v);
-- text search
SELECT ts_token_type('hello world');
SELECT ts_token_type('"a');
SELECT ts_token_type('a.b.c');
SELECT ts_token_type('a.b.c.d');
SELECT ts_token_type('public.default');
SELECT ts_token_type('nowhere.default');
SELECT count(*) FROM ts_token_type('pg_catalog."default"');
SELECT ts_headline('german'::regconfig, 'null'::json, ''::tsquery, 'MaxWords=1, MinWords=5'), ts_headline('german'::regconfig, '1'::jsonb, ''::tsquery, 'foo=1');
SELECT ts_headline('german'::regconfig, '["a"]'::json, ''::tsquery, 'MaxWords=1, MinWords=5');
-- dates
SELECT extract(epoch FROM timestamptz '294276-12-30 23:59:59.999999+00'), extract(epoch FROM timestamp '294246-01-01 00:00:00.123456'), extract(epoch FROM timestamp '294276-12-31 23:59:59.999949');
SELECT extract(quarter FROM '-2147483648 mons'::interval), extract(quarter FROM '-2147483647 mons'::interval), extract(quarter FROM '-5 mons'::interval);
-- boxes of zeros
SELECT '((-8,2),(-2,-10))'::box * '(0,0)'::point;
-- encodings
SELECT convert_to('a,b', 'abc'), convert_from('\x2d37', 'KOI8'), convert('\xdeadbeef', 'SQL_ASCII', 'LATIN9'), convert('\x6162', 'BIG5', 'EUC_TW');
SELECT convert('\xdeadbeef', 'ABC', 'LATIN9');
SELECT convert_from('\x00', 'SQL_ASCII');
SELECT convert_from('\x6100', 'abc');
SELECT convert('\x00', 'LATIN1', 'SQL_ASCII');
SELECT convert_to('a', 'nothing');
-- objects
SELECT to_regclass('11110100001001000000'), to_regtype('11110100001001000000'), to_regproc('11110100001001000000'), to_regrole('11110100001001000000');
SELECT has_function_privilege('0', 'x');
SELECT has_type_privilege('1255'::oid, '1259', 'USAGE');
SELECT has_type_privilege('1255'::oid, 1259::oid, 'USAGE'), has_schema_privilege(99999, 'USAGE'), has_table_privilege(99999, 'SELECT');
SELECT pg_identify_object(1259, 1259, 99), pg_identify_object_as_address(1259, 1255, 31), pg_identify_object_as_address(1259, 99999, 1);
-- found by seed 707
SELECT '-92233720368547758.08'::money / '-1e-300'::float8;
SELECT 'abc  '::jsonpath;
SELECT log(0, '-Infinity'::numeric);
SELECT pg_get_function_arg_default('int4pl'::regproc, -2147483648);
SELECT regexp_match('a%b_c', '***:a', 'q'), regexp_match('x***=b', '***=b', 'q');
