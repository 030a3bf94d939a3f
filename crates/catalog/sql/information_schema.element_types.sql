SELECT current_database()::information_schema.sql_identifier AS object_catalog, n.nspname::information_schema.sql_identifier AS
  object_schema,
  o.name::information_schema.sql_identifier AS object_name, o.kind::information_schema.character_data AS object_type,
  o.number::information_schema.sql_identifier AS collection_type_identifier,
  (CASE WHEN e.typelem <> 0 AND e.typlen = -1 AND e.typsubscript = 'pg_catalog.array_subscript_handler'::regproc THEN 'ARRAY' WHEN
  en.nspname = 'pg_catalog' THEN format_type(e.oid, NULL) ELSE 'USER-DEFINED' END)::information_schema.character_data AS data_type,
  NULL::information_schema.cardinal_number AS character_maximum_length, NULL::information_schema.cardinal_number AS character_octet_length,
  NULL::information_schema.sql_identifier AS character_set_catalog, NULL::information_schema.sql_identifier AS character_set_schema,
  NULL::information_schema.sql_identifier AS character_set_name,
  (CASE WHEN con.nspname IS NOT NULL THEN current_database() END)::information_schema.sql_identifier AS collation_catalog,
  con.nspname::information_schema.sql_identifier AS collation_schema, co.collname::information_schema.sql_identifier AS collation_name,
  NULL::information_schema.cardinal_number AS numeric_precision, NULL::information_schema.cardinal_number AS numeric_precision_radix,
  NULL::information_schema.cardinal_number AS numeric_scale, NULL::information_schema.cardinal_number AS datetime_precision,
  NULL::information_schema.character_data AS interval_type, NULL::information_schema.cardinal_number AS interval_precision,
  current_database()::information_schema.sql_identifier AS udt_catalog, en.nspname::information_schema.sql_identifier AS udt_schema,
  e.typname::information_schema.sql_identifier AS udt_name, NULL::information_schema.sql_identifier AS scope_catalog,
  NULL::information_schema.sql_identifier AS scope_schema, NULL::information_schema.sql_identifier AS scope_name,
  NULL::information_schema.cardinal_number AS maximum_cardinality,
  ('a' || o.number::text)::information_schema.sql_identifier AS dtd_identifier
FROM (SELECT c.relnamespace AS namespace, c.relname AS name, CASE WHEN c.relkind = 'c' THEN 'USER-DEFINED TYPE' ELSE 'TABLE' END AS kind,
  a.attnum::bigint AS number,
      a.atttypid AS type, a.attcollation AS collation
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind IN ('r', 'v', 'f', 'c', 'p') AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT t.typnamespace, t.typname, 'DOMAIN', 1::bigint, t.typbasetype, t.typcollation FROM pg_catalog.pg_type t WHERE t.typtype = 'd'
  UNION ALL
  SELECT p.pronamespace, (substring(p.proname FROM 1 FOR 62 - length(p.oid::text)) || '_' || p.oid::text)::name, 'ROUTINE', u.number,
  u.type, 0::oid
    FROM pg_catalog.pg_proc p
    CROSS JOIN LATERAL unnest(COALESCE(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY AS u (type, number)
  UNION ALL
  SELECT p.pronamespace, (substring(p.proname FROM 1 FOR 62 - length(p.oid::text)) || '_' || p.oid::text)::name, 'ROUTINE', 0::bigint,
  p.prorettype, 0::oid FROM pg_catalog.pg_proc p) o
JOIN pg_catalog.pg_namespace n ON n.oid = o.namespace
JOIN pg_catalog.pg_type t ON t.oid = o.type AND t.typelem <> 0 AND t.typlen = -1 AND t.typsubscript =
  'pg_catalog.array_subscript_handler'::regproc
JOIN pg_catalog.pg_type e ON e.oid = t.typelem
JOIN pg_catalog.pg_namespace en ON en.oid = e.typnamespace
LEFT JOIN pg_catalog.pg_collation co ON co.oid = o.collation AND (co.collname, co.collnamespace) <> ('default', 11)
LEFT JOIN pg_catalog.pg_namespace con ON con.oid = co.collnamespace
WHERE EXISTS (SELECT 1 FROM information_schema.data_type_privileges v
  WHERE v.object_schema = n.nspname AND v.object_name = o.name AND v.object_type = o.kind AND v.dtd_identifier = o.number::text)
