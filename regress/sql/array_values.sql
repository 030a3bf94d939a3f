-- Assignment to elements and slices.
CREATE TABLE arr (a int[], b int[][]);
INSERT INTO arr (a[2:3], b[1:2][0:1]) VALUES ('{5,6}', '{{1,2},{3,4}}');
UPDATE arr SET a[5] = 9;
TABLE arr;
UPDATE arr SET b[1:1][0:1] = '{7,8}', a[0:1] = '{1,2}';
TABLE arr;
UPDATE arr SET b[3][0] = 1;
UPDATE arr SET b[1] = 1;
UPDATE arr SET a[2:4] = '{1}';
UPDATE arr SET a[3:2] = '{1}';
UPDATE arr SET a[:] = '{0,0,0,0,0,0,0,0}';
TABLE arr;
UPDATE arr SET a = NULL, b = NULL;
UPDATE arr SET a[:2] = '{1,2}';
UPDATE arr SET a[-2147483648:2147483647] = '{1}';
UPDATE arr SET a[2147483647] = 1;
DROP TABLE arr;
-- Literals that are none.
SELECT '[2147483646:2147483647]={1,2}'::int[];
SELECT '[1:]={1}'::int[];
SELECT '{"a"b}'::text[];
-- Order of elements.
SELECT array_sort('{3,1,NULL,2}'::int[]), array_sort('{3,1,NULL,2}'::int[], true), array_sort('{3,1,NULL,2}'::int[], true, false);
SELECT array_sort('{{2,1},{1,9},{1,2}}'::int[]), array_reverse('{1,2,3}'::int[]), array_reverse('{{1,2},{3,4}}'::int[]);
SELECT array_length(array_shuffle('{1,2,3}'::int[]), 1), array_length(array_sample('{1,2,3}'::int[], 2), 1);
SELECT array_sample('{1,2,3}'::int[], 4);
SELECT width_bucket(5, ARRAY[1, 5, 9]), width_bucket(0.5, ARRAY[1.0, 2.0]), width_bucket('2020-01-02'::date, ARRAY['2020-01-01', '2020-02-01']::date[]);
SELECT width_bucket(1, ARRAY[1, NULL]);
SELECT array_fill(1, ARRAY[[1, 2]]);
-- Subqueries of arrays.
SELECT array(SELECT ARRAY[i, i * i] FROM generate_series(1, 3) i);
SELECT array(SELECT '1 2'::int2vector FROM generate_series(1, 2));
SELECT array(SELECT ARRAY[i] || CASE WHEN i > 1 THEN 1 END FROM generate_series(1, 1) i);
SELECT array(SELECT CASE WHEN i > 1 THEN ARRAY[i] END FROM generate_series(1, 2) i);
