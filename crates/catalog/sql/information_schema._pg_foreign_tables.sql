SELECT current_database()::information_schema.sql_identifier AS foreign_table_catalog,
  n.nspname::information_schema.sql_identifier AS foreign_table_schema, c.relname::information_schema.sql_identifier AS foreign_table_name,
  f.ftoptions, current_database()::information_schema.sql_identifier AS foreign_server_catalog,
  s.srvname::information_schema.sql_identifier AS foreign_server_name,
  a.rolname::information_schema.sql_identifier AS authorization_identifier
FROM pg_catalog.pg_foreign_table f
JOIN pg_catalog.pg_class c ON c.oid = f.ftrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_foreign_server s ON s.oid = f.ftserver
JOIN pg_catalog.pg_authid a ON a.oid = c.relowner
WHERE c.relkind = 'f'
  AND (pg_has_role(c.relowner, 'USAGE') OR has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
    OR has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))
