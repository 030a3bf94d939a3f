-- Text, canonical form, bounds.
SELECT '[1,5]'::int4range, '(1,5)'::int4range, '(,3]'::int8range, '[2020-01-01,2020-01-31]'::daterange, '[1.0,1.0]'::numrange, '(1,1]'::numrange;
SELECT int4range(1, 4, '()'), numrange(NULL, 2.5), int4range(3, 3), tsrange('2020-01-01', '2020-01-02', '[]');
SELECT '[5,1]'::int4range;
SELECT int4range(1, 2, '[x');
SELECT '[a,'::int4range;
SELECT ' empty '::int4range, '[1,2'::int4range;
SELECT '["a,b","c""d"]'::text;
SELECT lower(r), upper(r), isempty(r), lower_inc(r), upper_inc(r), lower_inf(r), upper_inf(r)
  FROM (VALUES (int4range(1, 5)), ('empty'), ('(,)'), ('[3,)')) AS v(r);
-- Relations.
SELECT a, b, a && b AS overlap, a @> b AS holds, a << b AS lt, a >> b AS gt, a &< b AS nl, a &> b AS nr, a -|- b AS adj
  FROM (VALUES (int4range(1, 5), int4range(5, 8)), (int4range(1, 5), int4range(2, 3)), (int4range(1, 5), int4range(7, 9)),
    (int4range(7, 9), int4range(1, 5)), ('empty', int4range(1, 2)), ('(,)', 'empty')) AS v(a, b);
SELECT int4range(1, 5) @> 4, 5 <@ int4range(1, 5), numrange(1, 2) @> 1.5;
-- Algebra.
SELECT int4range(1, 5) + int4range(3, 8), int4range(1, 5) * int4range(3, 8), int4range(1, 5) - int4range(3, 8), range_merge(int4range(1, 2), int4range(8, 9));
SELECT int4range(1, 2) + int4range(8, 9);
SELECT int4range(1, 9) - int4range(3, 4);
-- Order.
SELECT r FROM (VALUES (numrange(1, 2)), ('empty'), ('(,5)'), (numrange(1, 2, '(]')), (numrange(1, 2, '[]')), ('[1,)')) AS v(r) ORDER BY r;
CREATE TABLE spans (r int4range PRIMARY KEY);
INSERT INTO spans SELECT int4range(g, g + 3) FROM generate_series(10, 1, -3) g;
INSERT INTO spans VALUES ('[4,7)');
SELECT * FROM spans WHERE r > '[2,3)' ORDER BY r;
SELECT range_agg(r), range_intersect_agg(r), count(DISTINCT r) FROM spans;
SELECT range_agg(r) FROM spans WHERE r && int4range(1, 5) OR r @> 11;
DROP TABLE spans;
-- Multiranges.
SELECT '{[1,3),[2,5),[7,8)}'::int4multirange, '{}'::int4multirange, int4multirange(int4range(1, 2), int4range(2, 3)), multirange(int4range(4, 6));
SELECT '{[1,2},'::int4multirange;
SELECT '{[1,3),[5,9)}'::int4multirange * '{[2,6)}'::int4multirange, '{[1,9)}'::int4multirange - '{[2,3),[5,6)}'::int4multirange,
  '{[1,2)}'::int4multirange + '{[4,5)}'::int4multirange;
SELECT '{[1,3),[5,9)}'::int4multirange @> 6, int4range(5, 6) <@ '{[1,3),[5,9)}'::int4multirange, '{[1,3)}'::int4multirange && int4range(2, 4),
  '{[1,3),[5,9)}'::int4multirange -|- int4range(9, 10), lower('{[1,3),[5,9)}'::int4multirange), upper('{}'::int4multirange);
SELECT * FROM unnest('{[1,3),[5,9)}'::int4multirange);
SELECT range_merge('{[1,3),[5,9)}'::int4multirange), isempty('{}'::int4multirange), '{[1,2)}'::int4multirange < '{[1,2),[5,6)}'::int4multirange;
-- Range types of users.
CREATE TYPE textspan AS RANGE (subtype = text, collation = "C");
SELECT textspan('a', 'm') @> 'c'::text, textspan('a', 'm') * textspan('f', 'z'), '{[a,c),[b,x)}'::textspan_multirange;
CREATE TYPE floatrange AS RANGE (subtype = float8, subtype_diff = float8mi, multirange_type_name = floats);
SELECT floatrange(1.5, 2.5), floats(floatrange(1, 2), floatrange(4, 5)), pg_typeof(range_agg(floatrange(1, 2)));
SELECT rngtypid::regtype, rngsubtype::regtype, rngmultitypid::regtype, rngsubdiff::regproc FROM pg_range WHERE rngtypid = 'floatrange'::regtype;
CREATE TYPE badrange AS RANGE (subtype = json);
CREATE TYPE badrange AS RANGE (subtype_diff = float8mi);
CREATE TABLE f (r floatrange, m floats);
INSERT INTO f VALUES ('[1,2)', '{[1,2),[3,4)}');
TABLE f;
DROP TYPE floatrange;
DROP TYPE floatrange CASCADE;
DROP TABLE f;
DROP TYPE textspan;
-- Hashes of operator classes.
SELECT hashint4(42), hashint8(42), hashint8(-42), hashfloat8(1.5), hashtext('pglite'), hash_numeric(12345.6789), hash_numeric(0.00),
  hash_array(ARRAY[1, 2, NULL]), hash_record(ROW(1, 'a'::text)), hash_range(int4range(1, 5)), hash_multirange('{[1,2),[5,9)}'::int4multirange);
SELECT hashint4extended(42, 7), hashint8extended(-42, 7), hashfloat8extended(1.5, 7), hashtextextended('pglite', 7),
  hash_numeric_extended(12345.6789, 7), hash_array_extended(ARRAY[1, 2], 7), hash_range_extended(int4range(1, 5), 7);
SELECT hashfloat4('NaN'), hashfloat8('-0'), hashbpchar('ab  '), hashname('x'), hashchar('a'), hashoid(1), uuid_hash('00000000-0000-0000-0000-000000000001'),
  interval_hash('1 month'), timetz_hash('12:00+02'), hashbytea('\x0102'), hashbool(true), hashdate('2020-02-02');
SELECT hashinet('10.1.2.3/8'), hashinetextended('::1', 5), hashmacaddr('08:00:2b:01:02:03'), hashmacaddr8('08:00:2b:01:02:03:04:05');
SELECT j, jsonb_hash(j), jsonb_hash_extended(j, 0), jsonb_hash_extended(j, 9)
  FROM (VALUES ('{}'::jsonb), ('[]'), ('1.50'), ('"x"'), ('true'), ('null'), ('[1,[false],{"a":"b","cc":null}]')) AS v(j);
SELECT hash_array('{1,0}'::varbit[]);
SELECT hash_array_extended('{1,0}'::varbit[], 1);
