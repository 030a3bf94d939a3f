SELECT g.rolname::information_schema.sql_identifier AS grantor, r.rolname::information_schema.sql_identifier AS grantee,
  current_database()::information_schema.sql_identifier AS specific_catalog,
  n.nspname::information_schema.sql_identifier AS specific_schema,
  (substring(p.proname FROM 1 FOR 62 - length(p.oid::text)) || '_' || p.oid::text)::information_schema.sql_identifier AS specific_name,
  current_database()::information_schema.sql_identifier AS routine_catalog, n.nspname::information_schema.sql_identifier AS routine_schema,
  p.proname::information_schema.sql_identifier AS routine_name, 'EXECUTE'::information_schema.character_data AS privilege_type,
  (CASE WHEN pg_has_role(r.oid, p.proowner, 'USAGE') OR x.is_grantable THEN 'YES' ELSE 'NO' END)::information_schema.yes_or_no AS
  is_grantable
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
CROSS JOIN LATERAL aclexplode(COALESCE(p.proacl, acldefault('f', p.proowner))) x
JOIN pg_catalog.pg_authid g ON g.oid = x.grantor
JOIN (SELECT oid, rolname FROM pg_catalog.pg_authid UNION ALL SELECT 0::oid, 'PUBLIC') r ON r.oid = x.grantee
WHERE x.privilege_type = 'EXECUTE'
  AND (pg_has_role(g.oid, 'USAGE') OR pg_has_role(r.oid, 'USAGE') OR r.rolname = 'PUBLIC')
