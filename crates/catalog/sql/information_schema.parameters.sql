SELECT current_database()::information_schema.sql_identifier AS specific_catalog,
  n.nspname::information_schema.sql_identifier AS specific_schema,
  (substring(p.proname FROM 1 FOR 62 - length(p.oid::text)) || '_' || p.oid::text)::information_schema.sql_identifier AS specific_name,
  u.number::information_schema.cardinal_number AS ordinal_position,
  (CASE COALESCE(p.proargmodes[u.number], 'i') WHEN 'i' THEN 'IN' WHEN 'o' THEN 'OUT' WHEN 'b' THEN 'INOUT' WHEN 'v' THEN 'IN' WHEN 't'
  THEN 'OUT' END)::information_schema.character_data AS parameter_mode,
  'NO'::information_schema.yes_or_no AS is_result, 'NO'::information_schema.yes_or_no AS as_locator,
  (NULLIF(p.proargnames[u.number], ''))::information_schema.sql_identifier AS parameter_name,
  (CASE WHEN t.typelem <> 0 AND t.typlen = -1 AND t.typsubscript = 'pg_catalog.array_subscript_handler'::regproc THEN 'ARRAY' WHEN
  tn.nspname = 'pg_catalog' THEN format_type(t.oid, NULL) ELSE 'USER-DEFINED' END)::information_schema.character_data AS data_type,
  NULL::information_schema.cardinal_number AS character_maximum_length, NULL::information_schema.cardinal_number AS character_octet_length,
  NULL::information_schema.sql_identifier AS character_set_catalog, NULL::information_schema.sql_identifier AS character_set_schema,
  NULL::information_schema.sql_identifier AS character_set_name, NULL::information_schema.sql_identifier AS collation_catalog,
  NULL::information_schema.sql_identifier AS collation_schema, NULL::information_schema.sql_identifier AS collation_name,
  NULL::information_schema.cardinal_number AS numeric_precision, NULL::information_schema.cardinal_number AS numeric_precision_radix,
  NULL::information_schema.cardinal_number AS numeric_scale, NULL::information_schema.cardinal_number AS datetime_precision,
  NULL::information_schema.character_data AS interval_type, NULL::information_schema.cardinal_number AS interval_precision,
  current_database()::information_schema.sql_identifier AS udt_catalog, tn.nspname::information_schema.sql_identifier AS udt_schema,
  t.typname::information_schema.sql_identifier AS udt_name, NULL::information_schema.sql_identifier AS scope_catalog,
  NULL::information_schema.sql_identifier AS scope_schema, NULL::information_schema.sql_identifier AS scope_name,
  NULL::information_schema.cardinal_number AS maximum_cardinality, u.number::information_schema.sql_identifier AS dtd_identifier,
  (CASE WHEN pg_has_role(p.proowner, 'USAGE') THEN pg_get_function_arg_default(p.oid, u.number::integer)
  END)::information_schema.character_data AS parameter_default
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
CROSS JOIN LATERAL unnest(COALESCE(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY AS u (type, number)
JOIN pg_catalog.pg_type t ON t.oid = u.type
JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
WHERE pg_has_role(p.proowner, 'USAGE') OR has_function_privilege(p.oid, 'EXECUTE')
