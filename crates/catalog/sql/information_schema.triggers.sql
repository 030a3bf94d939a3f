SELECT current_database()::information_schema.sql_identifier AS trigger_catalog, n.nspname::information_schema.sql_identifier AS
  trigger_schema,
  g.tgname::information_schema.sql_identifier AS trigger_name, e.word::information_schema.character_data AS event_manipulation,
  current_database()::information_schema.sql_identifier AS event_object_catalog,
  n.nspname::information_schema.sql_identifier AS event_object_schema, c.relname::information_schema.sql_identifier AS event_object_table,
  (rank() OVER (PARTITION BY n.oid, c.oid, e.bit, g.tgtype & 1, g.tgtype & 66 ORDER BY g.tgname))::information_schema.cardinal_number AS
  action_order,
  (CASE WHEN pg_has_role(c.relowner, 'USAGE') THEN (regexp_match(pg_get_triggerdef(g.oid), '.{35,} WHEN \((.+)\) EXECUTE FUNCTION'))[1]
  END)::information_schema.character_data AS action_condition,
  (substring(pg_get_triggerdef(g.oid) FROM position('EXECUTE FUNCTION' IN substring(pg_get_triggerdef(g.oid) FROM 48)) +
  47))::information_schema.character_data AS action_statement,
  (CASE WHEN g.tgtype & 1 = 1 THEN 'ROW' ELSE 'STATEMENT' END)::information_schema.character_data AS action_orientation,
  (CASE g.tgtype & 66 WHEN 2 THEN 'BEFORE' WHEN 64 THEN 'INSTEAD OF' ELSE 'AFTER' END)::information_schema.character_data AS action_timing,
  g.tgoldtable::information_schema.sql_identifier AS action_reference_old_table,
  g.tgnewtable::information_schema.sql_identifier AS action_reference_new_table,
  NULL::information_schema.sql_identifier AS action_reference_old_row, NULL::information_schema.sql_identifier AS action_reference_new_row,
  NULL::information_schema.time_stamp AS created
FROM pg_catalog.pg_trigger g
JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN (VALUES (4, 'INSERT'), (8, 'DELETE'), (16, 'UPDATE')) AS e (bit, word) ON g.tgtype & e.bit <> 0
WHERE NOT g.tgisinternal AND NOT pg_is_other_temp_schema(n.oid)
  AND (pg_has_role(c.relowner, 'USAGE') OR has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
    OR has_any_column_privilege(c.oid, 'INSERT, UPDATE, REFERENCES'))
