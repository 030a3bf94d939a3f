SELECT current_database()::information_schema.sql_identifier AS constraint_catalog,
  cn.nspname::information_schema.sql_identifier AS constraint_schema, k.conname::information_schema.sql_identifier AS constraint_name,
  (CASE WHEN k.contype = 'c' THEN pg_get_expr(k.conbin, COALESCE(k.conrelid, 0)) WHEN k.contypid <> 0 THEN 'VALUE IS NOT NULL' ELSE
  quote_ident(a.attname) || ' IS NOT NULL' END)::information_schema.character_data AS check_clause
FROM pg_catalog.pg_constraint k
LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = k.connamespace
LEFT JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
LEFT JOIN pg_catalog.pg_type t ON t.oid = k.contypid
LEFT JOIN pg_catalog.pg_attribute a ON k.contype = 'n' AND a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
WHERE k.contype IN ('c', 'n') AND pg_has_role(COALESCE(c.relowner, t.typowner), 'USAGE')
