SELECT current_database()::information_schema.sql_identifier AS udt_catalog, n.nspname::information_schema.sql_identifier AS udt_schema,
  c.relname::information_schema.sql_identifier AS udt_name, a.attname::information_schema.sql_identifier AS attribute_name,
  a.attnum::information_schema.cardinal_number AS ordinal_position,
  (pg_get_expr(ad.adbin, ad.adrelid))::information_schema.character_data AS attribute_default,
  (CASE WHEN a.attnotnull OR t.typtype = 'd' AND t.typnotnull THEN 'NO' ELSE 'YES' END)::information_schema.yes_or_no AS is_nullable,
  (CASE WHEN b.typelem <> 0 AND b.typlen = -1 AND b.typsubscript = 'pg_catalog.array_subscript_handler'::regproc THEN 'ARRAY' WHEN
  bn.nspname = 'pg_catalog' THEN format_type(b.oid, NULL) ELSE 'USER-DEFINED' END)::information_schema.character_data AS data_type,
  (CASE WHEN m.mod = -1 THEN NULL WHEN b.oid IN (1042, 1043) THEN m.mod - 4 WHEN b.oid IN (1560, 1562) THEN m.mod
  END)::information_schema.cardinal_number AS character_maximum_length,
  (CASE WHEN b.oid NOT IN (25, 1042, 1043) THEN NULL WHEN m.mod = -1 OR b.oid = 25 THEN 1073741824 ELSE least((m.mod - 4) *
  pg_encoding_max_length((SELECT d.encoding FROM pg_catalog.pg_database d WHERE d.datname = current_database())), 1073741824)
  END)::information_schema.cardinal_number AS character_octet_length,
  NULL::information_schema.sql_identifier AS character_set_catalog, NULL::information_schema.sql_identifier AS character_set_schema,
  NULL::information_schema.sql_identifier AS character_set_name,
  (CASE WHEN con.nspname IS NOT NULL THEN current_database() END)::information_schema.sql_identifier AS collation_catalog,
  con.nspname::information_schema.sql_identifier AS collation_schema, co.collname::information_schema.sql_identifier AS collation_name,
  (CASE b.oid WHEN 21 THEN 16 WHEN 23 THEN 32 WHEN 20 THEN 64 WHEN 700 THEN 24 WHEN 701 THEN 53 WHEN 1700 THEN CASE WHEN m.mod <> -1 THEN
  ((m.mod - 4) >> 16) & 65535 END END)::information_schema.cardinal_number AS numeric_precision,
  (CASE WHEN b.oid IN (20, 21, 23, 700, 701) THEN 2 WHEN b.oid = 1700 THEN 10 END)::information_schema.cardinal_number AS
  numeric_precision_radix,
  (CASE WHEN b.oid IN (20, 21, 23) THEN 0 WHEN b.oid = 1700 AND m.mod <> -1 THEN (m.mod - 4) & 65535
  END)::information_schema.cardinal_number AS numeric_scale,
  (CASE WHEN b.oid = 1082 THEN 0 WHEN b.oid IN (1083, 1114, 1184, 1266) THEN CASE WHEN m.mod < 0 THEN 6 ELSE m.mod END WHEN b.oid = 1186
  THEN CASE WHEN m.mod < 0 OR m.mod & 65535 = 65535 THEN 6 ELSE m.mod & 65535 END END)::information_schema.cardinal_number AS
  datetime_precision,
  (CASE WHEN b.oid = 1186 THEN upper(substring(format_type(b.oid, m.mod) SIMILAR 'interval[()0-9]* #"%#"' ESCAPE '#'))
  END)::information_schema.character_data AS interval_type,
  NULL::information_schema.cardinal_number AS interval_precision,
  current_database()::information_schema.sql_identifier AS attribute_udt_catalog,
  bn.nspname::information_schema.sql_identifier AS attribute_udt_schema,
  b.typname::information_schema.sql_identifier AS attribute_udt_name, NULL::information_schema.sql_identifier AS scope_catalog,
  NULL::information_schema.sql_identifier AS scope_schema, NULL::information_schema.sql_identifier AS scope_name,
  NULL::information_schema.cardinal_number AS maximum_cardinality, a.attnum::information_schema.sql_identifier AS dtd_identifier,
  'NO'::information_schema.yes_or_no AS is_derived_reference_attribute
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
JOIN pg_catalog.pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
JOIN pg_catalog.pg_namespace bn ON bn.oid = b.typnamespace
CROSS JOIN LATERAL (SELECT CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END AS mod) m
LEFT JOIN pg_catalog.pg_attrdef ad ON ad.adrelid = a.attrelid AND ad.adnum = a.attnum
LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation AND (co.collname, co.collnamespace) <> ('default', 11)
LEFT JOIN pg_catalog.pg_namespace con ON con.oid = co.collnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind = 'c' AND (pg_has_role(c.relowner, 'USAGE') OR has_type_privilege(c.reltype,
  'USAGE'))
