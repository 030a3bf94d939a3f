SELECT DISTINCT current_database()::information_schema.sql_identifier AS constraint_catalog,
  cn.nspname::information_schema.sql_identifier AS constraint_schema, k.conname::information_schema.sql_identifier AS constraint_name,
  current_database()::information_schema.sql_identifier AS specific_catalog,
  n.nspname::information_schema.sql_identifier AS specific_schema,
  (substring(p.proname FROM 1 FOR 62 - length(p.oid::text)) || '_' || p.oid::text)::information_schema.sql_identifier AS specific_name
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_namespace cn ON cn.oid = k.connamespace
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_constraint'::regclass AND d.objid = k.oid AND d.refclassid =
  'pg_catalog.pg_proc'::regclass
JOIN pg_catalog.pg_proc p ON p.oid = d.refobjid
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE k.contype = 'c' AND pg_has_role(p.proowner, 'USAGE')
