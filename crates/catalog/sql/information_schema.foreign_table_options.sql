SELECT s.foreign_table_catalog::information_schema.sql_identifier AS foreign_table_catalog,
  s.foreign_table_schema::information_schema.sql_identifier AS foreign_table_schema,
  s.foreign_table_name::information_schema.sql_identifier AS foreign_table_name,
  o.option_name::information_schema.sql_identifier AS option_name, o.option_value::information_schema.character_data AS option_value
FROM information_schema._pg_foreign_tables s
CROSS JOIN LATERAL pg_options_to_table(s.ftoptions) o
