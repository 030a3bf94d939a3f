SELECT DISTINCT current_database()::information_schema.sql_identifier AS specific_catalog,
  n.nspname::information_schema.sql_identifier AS specific_schema,
  (substring(p.proname FROM 1 FOR 62 - length(p.oid::text)) || '_' || p.oid::text)::information_schema.sql_identifier AS specific_name,
  current_database()::information_schema.sql_identifier AS routine_catalog,
  qn.nspname::information_schema.sql_identifier AS routine_schema,
  (substring(q.proname FROM 1 FOR 62 - length(q.oid::text)) || '_' || q.oid::text)::information_schema.sql_identifier AS routine_name
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.refclassid =
  'pg_catalog.pg_proc'::regclass AND d.deptype = 'n'
JOIN pg_catalog.pg_proc q ON q.oid = d.refobjid
JOIN pg_catalog.pg_namespace qn ON qn.oid = q.pronamespace
WHERE pg_has_role(q.proowner, 'USAGE')
