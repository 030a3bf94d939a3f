SELECT s.authorization_identifier::information_schema.sql_identifier AS authorization_identifier,
  s.foreign_server_catalog::information_schema.sql_identifier AS foreign_server_catalog,
  s.foreign_server_name::information_schema.sql_identifier AS foreign_server_name,
  o.option_name::information_schema.sql_identifier AS option_name,
  (CASE WHEN s.umuser <> 0 AND s.authorization_identifier = current_user OR s.umuser = 0 AND pg_has_role(s.srvowner::name, 'USAGE') OR
  (SELECT a.rolsuper FROM pg_catalog.pg_authid a WHERE a.rolname = current_user) THEN o.option_value
  END)::information_schema.character_data AS option_value
FROM information_schema._pg_user_mappings s
CROSS JOIN LATERAL pg_options_to_table(s.umoptions) o
