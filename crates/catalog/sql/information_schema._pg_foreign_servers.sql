SELECT s.oid, s.srvoptions, current_database()::information_schema.sql_identifier AS foreign_server_catalog,
  s.srvname::information_schema.sql_identifier AS foreign_server_name,
  current_database()::information_schema.sql_identifier AS foreign_data_wrapper_catalog,
  w.fdwname::information_schema.sql_identifier AS foreign_data_wrapper_name,
  s.srvtype::information_schema.character_data AS foreign_server_type,
  s.srvversion::information_schema.character_data AS foreign_server_version,
  a.rolname::information_schema.sql_identifier AS authorization_identifier
FROM pg_catalog.pg_foreign_server s
JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw
JOIN pg_catalog.pg_authid a ON a.oid = s.srvowner
WHERE pg_has_role(s.srvowner, 'USAGE') OR has_server_privilege(s.oid, 'USAGE')
