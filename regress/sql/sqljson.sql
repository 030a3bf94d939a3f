-- SQL/JSON constructors, IS JSON, query functions, JSON_TABLE.
SELECT JSON_OBJECT();
SELECT JSON_OBJECT('a': 1, 'b' VALUE 'x', 'c': NULL);
SELECT JSON_OBJECT('a': 1, 'b': NULL ABSENT ON NULL);
SELECT JSON_OBJECT('a': 1, 'a': 2 WITH UNIQUE KEYS);
SELECT JSON_OBJECT('a': 1, 'a': 2 WITH UNIQUE KEYS RETURNING jsonb);
SELECT JSON_OBJECT('a': '[1, 2]' FORMAT JSON, 'b': '[1, 2]');
SELECT JSON_OBJECT('a': 1 FORMAT JSON);
SELECT JSON_OBJECT('a': 1 RETURNING jsonb), pg_typeof(JSON_OBJECT('a': jsonb '1'));
SELECT JSON_OBJECT('a': 1 RETURNING text), JSON_OBJECT('a': 1 RETURNING varchar(3));
SELECT JSON_OBJECT(NULL: 1);
SELECT JSON_OBJECT(ARRAY[1]: 1);
SELECT JSON_ARRAY();
SELECT JSON_ARRAY(1, 'a', NULL, true, '{"x": 1}' FORMAT JSON);
SELECT JSON_ARRAY(1, NULL NULL ON NULL RETURNING jsonb);
SELECT JSON_ARRAY(SELECT i FROM generate_series(1, 3) i);
SELECT JSON_ARRAY(SELECT i FROM (VALUES (1), (NULL), (3)) v(i) RETURNING jsonb);
SELECT JSON_ARRAY(SELECT 1, 2);
SELECT JSON_ARRAYAGG(i) FROM generate_series(1, 3) i;
SELECT JSON_ARRAYAGG(i ORDER BY i DESC RETURNING jsonb) FROM generate_series(1, 3) i;
SELECT JSON_ARRAYAGG(i NULL ON NULL), JSON_ARRAYAGG(i ABSENT ON NULL) FROM (VALUES (1), (NULL)) v(i);
SELECT JSON_ARRAYAGG(i) FILTER (WHERE i > 1) FROM generate_series(1, 3) i;
SELECT JSON_OBJECTAGG(k: v), JSON_OBJECTAGG(k: v ABSENT ON NULL RETURNING jsonb) FROM (VALUES ('a', 1), ('b', NULL)) t(k, v);
SELECT JSON_OBJECTAGG(k: v WITH UNIQUE KEYS) FROM (VALUES ('a', 1), ('a', 2)) t(k, v);
SELECT JSON('{"a": 1, "a": 2}'), JSON('[1,  2]'::jsonb);
SELECT JSON('{"a": 1, "a": 2}' WITH UNIQUE KEYS);
SELECT JSON('{"a": 1, "b": [2]}' WITH UNIQUE KEYS);
SELECT JSON('oops');
SELECT JSON_SCALAR(1), JSON_SCALAR('a'), JSON_SCALAR(true), JSON_SCALAR(NULL), JSON_SCALAR(date '2020-01-02');
SELECT JSON_SERIALIZE('{"a": 1}'), JSON_SERIALIZE('[1]' RETURNING varchar);
SELECT JSON_SERIALIZE('{"a": 1}' RETURNING int);
SELECT v, v IS JSON AS json, v IS NOT JSON AS no, v IS JSON SCALAR AS s, v IS JSON OBJECT AS o, v IS JSON ARRAY AS a,
       v IS JSON WITH UNIQUE KEYS AS u
FROM (VALUES ('1'), ('"x"'), ('null'), ('{}'), ('{"a": 1, "a": 2}'), ('[{"a": 1, "a": 2}]'), ('[1'), (''), (NULL)) t(v);
SELECT jsonb '{"a": 1}' IS JSON OBJECT, json '{"a": 1, "a": 2}' IS JSON WITH UNIQUE KEYS;
SELECT 1 IS JSON;
SELECT JSON_EXISTS(jsonb '{"a": [1, 2]}', '$.a[*] ? (@ > $x)' PASSING 1 AS x);
SELECT JSON_EXISTS(jsonb '1', 'strict $.a' TRUE ON ERROR), JSON_EXISTS(jsonb '1', 'strict $.a' UNKNOWN ON ERROR);
SELECT JSON_VALUE(jsonb '{"a": "12"}', '$.a' RETURNING int), JSON_VALUE(jsonb '{}', '$.a' DEFAULT 'none' ON EMPTY);
SELECT JSON_VALUE(jsonb '[1, 2]', '$[*]' ERROR ON ERROR);
SELECT JSON_VALUE(jsonb '{}', '$.a' ERROR ON EMPTY ERROR ON ERROR);
SELECT JSON_VALUE(jsonb '"x"', '$' RETURNING int DEFAULT -1 ON ERROR), JSON_VALUE(jsonb 'true', '$');
SELECT JSON_QUERY(jsonb '[1, 2]', '$[*]' WITH WRAPPER), JSON_QUERY(jsonb '[1]', '$[*]' WITH CONDITIONAL WRAPPER);
SELECT JSON_QUERY(jsonb '"x"', '$' RETURNING text OMIT QUOTES), JSON_QUERY(jsonb '"x"', '$' RETURNING text);
SELECT JSON_QUERY(jsonb '[1, 2]', '$' RETURNING int[]), JSON_QUERY(jsonb '[]', '$[*]' EMPTY OBJECT ON EMPTY);
SELECT * FROM JSON_TABLE(jsonb '[{"a": 1, "b": [10, 20]}, {"a": 2}]', '$[*]' COLUMNS (
  n FOR ORDINALITY, a int, has_b boolean EXISTS PATH '$.b',
  NESTED PATH '$.b[*]' COLUMNS (m FOR ORDINALITY, b int PATH '$'))) t;
SELECT * FROM JSON_TABLE(jsonb '{"x": [1, 2], "y": ["p"]}', '$' COLUMNS (
  NESTED '$.x[*]' COLUMNS (x int PATH '$'), NESTED '$.y[*]' COLUMNS (y text PATH '$'))) t;
SELECT t.*, v.k FROM (VALUES (1, jsonb '[1, 2]'), (2, '[3]')) v(k, j),
  JSON_TABLE(v.j, '$[*]' PASSING v.k AS k COLUMNS (i int PATH '$', big boolean EXISTS PATH '$ ? (@ > $k)')) t ORDER BY 1;
SELECT * FROM JSON_TABLE('err', '$' COLUMNS (a int)) t;
SELECT * FROM JSON_TABLE(jsonb '1', 'strict $[*]' COLUMNS (a int PATH '$') ERROR ON ERROR) t;
