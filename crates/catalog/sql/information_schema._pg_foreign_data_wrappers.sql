SELECT w.oid, w.fdwowner, w.fdwoptions, current_database()::information_schema.sql_identifier AS foreign_data_wrapper_catalog,
  w.fdwname::information_schema.sql_identifier AS foreign_data_wrapper_name,
  a.rolname::information_schema.sql_identifier AS authorization_identifier,
  'c'::information_schema.character_data AS foreign_data_wrapper_language
FROM pg_catalog.pg_foreign_data_wrapper w
JOIN pg_catalog.pg_authid a ON a.oid = w.fdwowner
WHERE pg_has_role(w.fdwowner, 'USAGE') OR has_foreign_data_wrapper_privilege(w.oid, 'USAGE')
