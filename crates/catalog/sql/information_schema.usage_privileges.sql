SELECT u.grantor::information_schema.sql_identifier AS grantor, u.grantee::information_schema.sql_identifier AS grantee,
  current_database()::information_schema.sql_identifier AS object_catalog, u.schema::information_schema.sql_identifier AS object_schema,
  u.name::information_schema.sql_identifier AS object_name, u.kind::information_schema.character_data AS object_type,
  'USAGE'::information_schema.character_data AS privilege_type, u.is_grantable::information_schema.yes_or_no AS is_grantable
FROM (SELECT a.rolname AS grantor, 'PUBLIC' AS grantee, n.nspname AS schema, c.collname AS name, 'COLLATION' AS kind, 'NO' AS is_grantable
FROM pg_catalog.pg_collation c
JOIN pg_catalog.pg_authid a ON a.oid = c.collowner
JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace
WHERE c.collencoding IN (-1, (SELECT d.encoding FROM pg_catalog.pg_database d WHERE d.datname = current_database()))
UNION ALL
SELECT g.rolname AS grantor, r.rolname AS grantee, n.nspname AS schema, t.typname AS name, 'DOMAIN' AS kind, CASE WHEN pg_has_role(r.oid,
  t.typowner, 'USAGE') OR x.is_grantable THEN 'YES' ELSE 'NO' END AS is_grantable
FROM pg_catalog.pg_type t
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
CROSS JOIN LATERAL aclexplode(COALESCE(t.typacl, acldefault('T', t.typowner))) x
JOIN pg_catalog.pg_authid g ON g.oid = x.grantor
JOIN (SELECT oid, rolname FROM pg_catalog.pg_authid UNION ALL SELECT 0::oid, 'PUBLIC') r ON r.oid = x.grantee
WHERE x.privilege_type = 'USAGE' AND t.typtype = 'd' AND (pg_has_role(g.oid, 'USAGE') OR pg_has_role(r.oid, 'USAGE') OR r.rolname =
  'PUBLIC')
UNION ALL
SELECT g.rolname AS grantor, r.rolname AS grantee, '' AS schema, f.fdwname AS name, 'FOREIGN DATA WRAPPER' AS kind, CASE WHEN
  pg_has_role(r.oid, f.fdwowner, 'USAGE') OR x.is_grantable THEN 'YES' ELSE 'NO' END AS is_grantable
FROM pg_catalog.pg_foreign_data_wrapper f
CROSS JOIN LATERAL aclexplode(COALESCE(f.fdwacl, acldefault('F', f.fdwowner))) x
JOIN pg_catalog.pg_authid g ON g.oid = x.grantor
JOIN (SELECT oid, rolname FROM pg_catalog.pg_authid UNION ALL SELECT 0::oid, 'PUBLIC') r ON r.oid = x.grantee
WHERE x.privilege_type = 'USAGE' AND (pg_has_role(g.oid, 'USAGE') OR pg_has_role(r.oid, 'USAGE') OR r.rolname = 'PUBLIC')
UNION ALL
SELECT g.rolname AS grantor, r.rolname AS grantee, '' AS schema, s.srvname AS name, 'FOREIGN SERVER' AS kind, CASE WHEN
  pg_has_role(r.oid, s.srvowner, 'USAGE') OR x.is_grantable THEN 'YES' ELSE 'NO' END AS is_grantable
FROM pg_catalog.pg_foreign_server s
CROSS JOIN LATERAL aclexplode(COALESCE(s.srvacl, acldefault('S', s.srvowner))) x
JOIN pg_catalog.pg_authid g ON g.oid = x.grantor
JOIN (SELECT oid, rolname FROM pg_catalog.pg_authid UNION ALL SELECT 0::oid, 'PUBLIC') r ON r.oid = x.grantee
WHERE x.privilege_type = 'USAGE' AND (pg_has_role(g.oid, 'USAGE') OR pg_has_role(r.oid, 'USAGE') OR r.rolname = 'PUBLIC')
UNION ALL
SELECT g.rolname AS grantor, r.rolname AS grantee, n.nspname AS schema, c.relname AS name, 'SEQUENCE' AS kind, CASE WHEN
  pg_has_role(r.oid, c.relowner, 'USAGE') OR x.is_grantable THEN 'YES' ELSE 'NO' END AS is_grantable
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL aclexplode(COALESCE(c.relacl, acldefault('s', c.relowner))) x
JOIN pg_catalog.pg_authid g ON g.oid = x.grantor
JOIN (SELECT oid, rolname FROM pg_catalog.pg_authid UNION ALL SELECT 0::oid, 'PUBLIC') r ON r.oid = x.grantee
WHERE x.privilege_type = 'USAGE' AND c.relkind = 'S'
  AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND
  d.deptype = 'i')
  AND (pg_has_role(g.oid, 'USAGE') OR pg_has_role(r.oid, 'USAGE') OR r.rolname = 'PUBLIC')) u
