SELECT current_database()::information_schema.sql_identifier AS constraint_catalog,
  cn.nspname::information_schema.sql_identifier AS constraint_schema, k.conname::information_schema.sql_identifier AS constraint_name,
  current_database()::information_schema.sql_identifier AS table_catalog, n.nspname::information_schema.sql_identifier AS table_schema,
  c.relname::information_schema.sql_identifier AS table_name, a.attname::information_schema.sql_identifier AS column_name,
  p.position::information_schema.cardinal_number AS ordinal_position,
  (CASE WHEN k.contype = 'f' THEN (SELECT u.at FROM pg_catalog.pg_constraint pk, unnest(pk.conkey) WITH ORDINALITY AS u (attnum, at)
      WHERE pk.conrelid = k.confrelid AND pk.conindid = k.conindid AND pk.contype IN ('p', 'u') AND u.attnum = k.confkey[p.position]
      LIMIT 1) END)::information_schema.cardinal_number AS position_in_unique_constraint
FROM pg_catalog.pg_constraint k
CROSS JOIN LATERAL unnest(k.conkey) WITH ORDINALITY AS p (attnum, position)
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = p.attnum AND NOT a.attisdropped
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_namespace cn ON cn.oid = k.connamespace
WHERE k.contype IN ('p', 'u', 'f') AND c.relkind IN ('r', 'p') AND NOT pg_is_other_temp_schema(n.oid)
  AND (pg_has_role(c.relowner, 'USAGE') OR has_column_privilege(c.oid, a.attnum, 'SELECT, INSERT, UPDATE, REFERENCES'))
