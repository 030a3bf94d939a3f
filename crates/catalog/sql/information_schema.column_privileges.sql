SELECT g.rolname::information_schema.sql_identifier AS grantor, r.rolname::information_schema.sql_identifier AS grantee,
  current_database()::information_schema.sql_identifier AS table_catalog, n.nspname::information_schema.sql_identifier AS table_schema,
  c.relname::information_schema.sql_identifier AS table_name, x.attname::information_schema.sql_identifier AS column_name,
  x.privilege_type::information_schema.character_data AS privilege_type,
  (CASE WHEN pg_has_role(r.oid, c.relowner, 'USAGE') OR x.is_grantable THEN 'YES' ELSE 'NO' END)::information_schema.yes_or_no AS
  is_grantable
FROM (SELECT t.oid AS relid, a.attname, e.grantor, e.grantee, e.privilege_type, e.is_grantable
    FROM pg_catalog.pg_class t
    CROSS JOIN LATERAL aclexplode(COALESCE(t.relacl, acldefault('r', t.relowner))) e
    JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE t.relkind IN ('r', 'v', 'f', 'p')
  UNION
  SELECT a.attrelid, a.attname, e.grantor, e.grantee, e.privilege_type, e.is_grantable
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class t ON t.oid = a.attrelid
    CROSS JOIN LATERAL aclexplode(COALESCE(a.attacl, acldefault('c', t.relowner))) e
    WHERE a.attnum > 0 AND NOT a.attisdropped AND t.relkind IN ('r', 'v', 'f', 'p')) x
JOIN pg_catalog.pg_class c ON c.oid = x.relid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_authid g ON g.oid = x.grantor
JOIN (SELECT oid, rolname FROM pg_catalog.pg_authid UNION ALL SELECT 0::oid, 'PUBLIC') r ON r.oid = x.grantee
WHERE x.privilege_type IN ('INSERT', 'SELECT', 'UPDATE', 'REFERENCES')
  AND (pg_has_role(g.oid, 'USAGE') OR pg_has_role(r.oid, 'USAGE') OR r.rolname = 'PUBLIC')
