SELECT NULL::information_schema.sql_identifier AS character_set_catalog, NULL::information_schema.sql_identifier AS character_set_schema,
  getdatabaseencoding()::information_schema.sql_identifier AS character_set_name,
  (CASE getdatabaseencoding() WHEN 'UTF8' THEN 'UCS' ELSE getdatabaseencoding() END)::information_schema.sql_identifier AS
  character_repertoire,
  getdatabaseencoding()::information_schema.sql_identifier AS form_of_use,
  current_database()::information_schema.sql_identifier AS default_collate_catalog,
  n.nspname::information_schema.sql_identifier AS default_collate_schema,
  c.collname::information_schema.sql_identifier AS default_collate_name
FROM pg_catalog.pg_database d
LEFT JOIN (pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace) ON d.datcollate = c.collcollate AND
  d.datctype = c.collctype
WHERE d.datname = current_database()
ORDER BY char_length(c.collname) DESC, c.collname
LIMIT 1
