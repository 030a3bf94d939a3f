SELECT DISTINCT current_database()::information_schema.sql_identifier AS specific_catalog,
  n.nspname::information_schema.sql_identifier AS specific_schema,
  (substring(p.proname FROM 1 FOR 62 - length(p.oid::text)) || '_' || p.oid::text)::information_schema.sql_identifier AS specific_name,
  current_database()::information_schema.sql_identifier AS routine_catalog, n.nspname::information_schema.sql_identifier AS routine_schema,
  p.proname::information_schema.sql_identifier AS routine_name, current_database()::information_schema.sql_identifier AS sequence_catalog,
  cn.nspname::information_schema.sql_identifier AS sequence_schema, c.relname::information_schema.sql_identifier AS sequence_name
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.refclassid =
  'pg_catalog.pg_class'::regclass AND d.deptype = 'n'
JOIN pg_catalog.pg_class c ON c.oid = d.refobjid
JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace
WHERE c.relkind = 'S' AND pg_has_role(c.relowner, 'USAGE')
