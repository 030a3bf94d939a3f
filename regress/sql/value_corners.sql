-- Found by random expressions: order of evaluation, ranges, names.
SELECT JSON_EXISTS(NULL::jsonb, '$.a' PASSING (1 / 0) AS v ERROR ON ERROR);
SELECT JSON_VALUE(jsonb '1', NULL::jsonpath PASSING (1 / 0) AS v);
SELECT JSON_QUERY(d, '$' PASSING 1 / (n - 1) AS v) FROM (VALUES (NULL::jsonb, 1), (jsonb '{"a": 2}', 2)) t (d, n);
SELECT JSON_QUERY(d, '$' PASSING 1 / (n - 1) AS v) FROM (VALUES (jsonb '1', 1)) t (d, n);
SELECT has_type_privilege('-', 'USAGE');
SELECT has_function_privilege('-', 'EXECUTE');
SELECT (~ inet '::1') - inet '::4.3.2.1/24';
SELECT (~ inet '::ffff:1.2.3.4') - inet '::/0';
SELECT inet '::1' - inet 'ffff::';
SELECT inet '8000::' - inet '::';
SELECT inet '1.2.3.4' - inet '255.2.3.4';
SELECT percentile_cont('NaN'::float8) WITHIN GROUP (ORDER BY x) FROM (VALUES (NULL::float8)) v (x);
SELECT percentile_disc(2) WITHIN GROUP (ORDER BY x) FROM (VALUES (NULL::float8)) v (x);
SELECT percentile_cont(ARRAY[2]) WITHIN GROUP (ORDER BY x) FROM (VALUES (NULL::float8)) v (x);
SELECT ts_parse('ПАРСЕР', 'x');
SELECT ts_parse('PARSER', 'x');
