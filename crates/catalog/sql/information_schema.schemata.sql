SELECT current_database()::information_schema.sql_identifier AS catalog_name, n.nspname::information_schema.sql_identifier AS schema_name,
  u.rolname::information_schema.sql_identifier AS schema_owner,
  NULL::information_schema.sql_identifier AS default_character_set_catalog,
  NULL::information_schema.sql_identifier AS default_character_set_schema,
  NULL::information_schema.sql_identifier AS default_character_set_name, NULL::information_schema.character_data AS sql_path
FROM pg_catalog.pg_namespace n
JOIN pg_catalog.pg_authid u ON u.oid = n.nspowner
WHERE pg_has_role(n.nspowner, 'USAGE') OR has_schema_privilege(n.oid, 'CREATE, USAGE')
