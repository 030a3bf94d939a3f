SELECT current_database()::information_schema.sql_identifier AS table_catalog, n.nspname::information_schema.sql_identifier AS table_schema,
  c.relname::information_schema.sql_identifier AS table_name,
  (CASE WHEN n.oid = pg_my_temp_schema() THEN 'LOCAL TEMPORARY'
    ELSE CASE c.relkind WHEN 'r' THEN 'BASE TABLE' WHEN 'p' THEN 'BASE TABLE' WHEN 'v' THEN 'VIEW' WHEN 'f' THEN 'FOREIGN' END
    END)::information_schema.character_data AS table_type,
  NULL::information_schema.sql_identifier AS self_referencing_column_name, NULL::information_schema.character_data AS reference_generation,
  (CASE WHEN t.oid IS NOT NULL THEN current_database() END)::information_schema.sql_identifier AS user_defined_type_catalog,
  tn.nspname::information_schema.sql_identifier AS user_defined_type_schema,
  t.typname::information_schema.sql_identifier AS user_defined_type_name,
  (CASE WHEN c.relkind IN ('r', 'p') OR c.relkind IN ('v', 'f') AND pg_relation_is_updatable(c.oid, false) & 8 = 8
    THEN 'YES' ELSE 'NO' END)::information_schema.yes_or_no AS is_insertable_into,
  (CASE WHEN t.oid IS NOT NULL THEN 'YES' ELSE 'NO' END)::information_schema.yes_or_no AS is_typed,
  NULL::information_schema.character_data AS commit_action
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_type t ON t.oid = c.reloftype
LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
WHERE c.relkind IN ('r', 'v', 'f', 'p') AND NOT pg_is_other_temp_schema(n.oid)
  AND (pg_has_role(c.relowner, 'USAGE')
    OR has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
    OR has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))
