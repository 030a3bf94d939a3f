SELECT current_database()::information_schema.sql_identifier AS table_catalog, s.nspname::information_schema.sql_identifier AS table_schema,
  s.relname::information_schema.sql_identifier AS table_name, s.attname::information_schema.sql_identifier AS column_name,
  o.option_name::information_schema.sql_identifier AS option_name, o.option_value::information_schema.character_data AS option_value
FROM information_schema._pg_foreign_table_columns s
CROSS JOIN LATERAL pg_options_to_table(s.attfdwoptions) o
