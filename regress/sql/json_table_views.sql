-- Views over JSON_TABLE are printed so that they can be made again.
CREATE VIEW v1 AS SELECT * FROM JSON_TABLE(jsonb '[1]', 'lax $[*]' PASSING 1 + 2 AS a, json '"x"' AS "b c"
  COLUMNS (id FOR ORDINALITY, n int PATH '$', t text FORMAT JSON PATH '$', e bool EXISTS PATH '$.x', a int[] PATH '$' WITH WRAPPER,
    d int PATH '$.d' DEFAULT 1 + 1 ON EMPTY ERROR ON ERROR,
    NESTED PATH '$.y[*]' AS deep COLUMNS (z char(3) PATH '$' NULL ON EMPTY, NESTED '$.q' COLUMNS (q json PATH '$'))));
SELECT pg_get_viewdef('v1', true);
SELECT pg_get_viewdef('v1');
CREATE VIEW v2 AS SELECT j.* FROM (VALUES (jsonb '[1, 2]')) AS s (x), JSON_TABLE(s.x, '$[*]' COLUMNS (n int PATH '$') ERROR ON ERROR) AS j;
SELECT pg_get_viewdef('v2', true);
SELECT pg_get_viewdef('v2');
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM JSON_TABLE(jsonb '[1]', '$[*]' COLUMNS (id FOR ORDINALITY, n int PATH '$'));
