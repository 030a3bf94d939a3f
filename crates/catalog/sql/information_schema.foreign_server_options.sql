SELECT s.foreign_server_catalog::information_schema.sql_identifier AS foreign_server_catalog,
  s.foreign_server_name::information_schema.sql_identifier AS foreign_server_name,
  o.option_name::information_schema.sql_identifier AS option_name, o.option_value::information_schema.character_data AS option_value
FROM information_schema._pg_foreign_servers s
CROSS JOIN LATERAL pg_options_to_table(s.srvoptions) o
