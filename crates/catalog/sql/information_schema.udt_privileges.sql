SELECT g.rolname::information_schema.sql_identifier AS grantor, r.rolname::information_schema.sql_identifier AS grantee,
  current_database()::information_schema.sql_identifier AS udt_catalog, n.nspname::information_schema.sql_identifier AS udt_schema,
  t.typname::information_schema.sql_identifier AS udt_name, 'TYPE USAGE'::information_schema.character_data AS privilege_type,
  (CASE WHEN pg_has_role(r.oid, t.typowner, 'USAGE') OR x.is_grantable THEN 'YES' ELSE 'NO' END)::information_schema.yes_or_no AS
  is_grantable
FROM pg_catalog.pg_type t
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
CROSS JOIN LATERAL aclexplode(COALESCE(t.typacl, acldefault('T', t.typowner))) x
JOIN pg_catalog.pg_authid g ON g.oid = x.grantor
JOIN (SELECT oid, rolname FROM pg_catalog.pg_authid UNION ALL SELECT 0::oid, 'PUBLIC') r ON r.oid = x.grantee
WHERE t.typtype = 'c' AND x.privilege_type = 'USAGE'
  AND (pg_has_role(g.oid, 'USAGE') OR pg_has_role(r.oid, 'USAGE') OR r.rolname = 'PUBLIC')
