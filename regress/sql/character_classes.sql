-- classes and cases of characters under collations
SELECT chr(133) ~ '[[:cntrl:]]' AS cntrl, 'é' ~ '[[:alpha:]]' AS c, 'é' COLLATE pg_c_utf8 ~ '[[:alpha:]]' AS utf8,
       'ﬀ' COLLATE pg_unicode_fast ~ '[[:lower:]]' AS lower, '٣' COLLATE pg_c_utf8 ~ '\d' AS digit, '٣' COLLATE pg_unicode_fast ~ '\d' AS digit_full;
SELECT 'É' ~* 'é' AS c, 'É' COLLATE pg_c_utf8 ~* 'é' AS utf8, 'ΣΑΣ' COLLATE pg_c_utf8 ~* 'σας' AS greek,
       'ǅ' COLLATE pg_c_utf8 ~* 'ǅ' AS title, 'ǆ' COLLATE pg_c_utf8 ~* '[ǅ]' AS lower, 'ǅ' COLLATE pg_c_utf8 ~* '[ǅ]' AS in_brackets;
SELECT '+' COLLATE pg_c_utf8 ~ '[[:punct:]]' AS punct, '+' COLLATE pg_unicode_fast ~ '[[:punct:]]' AS punct_full,
       '_é' COLLATE pg_c_utf8 ~ '^\w+$' AS word, regexp_replace('aé bé' COLLATE pg_c_utf8, '\m(\w)', '<\1>', 'g');
SELECT E'\u0301' COLLATE pg_c_utf8 ~ '\w' AS mark, chr(8203) COLLATE pg_c_utf8 ~ '[[:graph:]]' AS graph, chr(160) COLLATE pg_c_utf8 ~ '[[:print:]]' AS print,
       chr(160) COLLATE pg_c_utf8 ~ '\s' AS space, chr(8203) COLLATE pg_c_utf8 ~ '[[:space:]]' AS zero_width;
SELECT chr(888) COLLATE pg_c_utf8 ~ '[[:graph:]]' AS unassigned, chr(57344) COLLATE pg_c_utf8 ~ '[[:graph:]]' AS private, chr(133) COLLATE pg_c_utf8 ~ '[[:print:]]' AS control,
       chr(160) COLLATE pg_c_utf8 ~ '[[:blank:]]' AS blank, chr(8232) COLLATE pg_c_utf8 ~ '[[:graph:]]' AS line, E'\t' COLLATE pg_c_utf8 ~ '[[:print:]]' AS tab;
SELECT 'éÉ' COLLATE pg_c_utf8 ~* '(é)\1' AS reference, 'éÉ' ~* '(é)\1' AS reference_c, 'xéa' COLLATE pg_c_utf8 ~ '\yé' AS inner, 'éa' COLLATE pg_c_utf8 ~ '\yé' AS begin;
SELECT 'É' ILIKE 'é' AS c, 'É' COLLATE pg_c_utf8 ILIKE 'é' AS utf8, 'İ' COLLATE pg_unicode_fast ILIKE 'i̇' AS dot, 'ß' COLLATE pg_unicode_fast ILIKE 'SS' AS sharp;
SELECT name, md5(string_agg(CASE WHEN chr(g) COLLATE pg_c_utf8 ~ ('[[:' || name || ':]]') THEN g::text ELSE '' END, ',' ORDER BY g)) AS simple
  FROM unnest('{alnum,alpha,digit,lower,upper,punct,space,graph,print,word}'::text[]) name, generate_series(1, 2600) g GROUP BY name ORDER BY name COLLATE "C";
SELECT name, md5(string_agg(CASE WHEN chr(g) COLLATE pg_unicode_fast ~ ('[[:' || name || ':]]') THEN g::text ELSE '' END, ',' ORDER BY g)) AS full_rules
  FROM unnest('{alnum,alpha,digit,lower,upper,punct,space,graph,print,word}'::text[]) name, generate_series(1, 2600) g GROUP BY name ORDER BY name COLLATE "C";
SELECT md5(string_agg(lower(chr(g) COLLATE pg_c_utf8), '' ORDER BY g)) AS lower, md5(string_agg(upper(chr(g) COLLATE pg_c_utf8), '' ORDER BY g)) AS upper,
       md5(string_agg(casefold(chr(g) COLLATE pg_c_utf8), '' ORDER BY g)) AS folded
  FROM generate_series(1, 70000) g WHERE g NOT BETWEEN 55296 AND 57343;
SELECT md5(string_agg(lower(chr(g) COLLATE pg_unicode_fast), '' ORDER BY g)) AS lower, md5(string_agg(upper(chr(g) COLLATE pg_unicode_fast), '' ORDER BY g)) AS upper,
       md5(string_agg(casefold(chr(g) COLLATE pg_unicode_fast), '' ORDER BY g)) AS folded
  FROM generate_series(1, 70000) g WHERE g NOT BETWEEN 55296 AND 57343;
SELECT count(*) AS same_case FROM generate_series(65, 1500) a WHERE (chr(a) COLLATE pg_c_utf8) ~* ('^' || regexp_replace(lower(chr(a) COLLATE pg_c_utf8), '\W', '\\\&') || '$');

-- without ICU
SELECT 'a' < 'b' COLLATE "unicode";
SELECT lower('A' COLLATE "unicode");
SELECT x FROM (VALUES ('a'), ('b')) v(x) ORDER BY x COLLATE "unicode";
SELECT max(x COLLATE "unicode") FROM (VALUES ('a'), ('b')) v(x);
CREATE COLLATION german (PROVIDER = icu, LOCALE = 'de');
