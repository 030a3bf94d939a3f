SELECT current_database()::information_schema.sql_identifier AS table_catalog, n.nspname::information_schema.sql_identifier AS table_schema,
  c.relname::information_schema.sql_identifier AS table_name, a.attname::information_schema.sql_identifier AS column_name,
  current_database()::information_schema.sql_identifier AS constraint_catalog,
  cn.nspname::information_schema.sql_identifier AS constraint_schema, k.conname::information_schema.sql_identifier AS constraint_name
FROM (SELECT k.oid, d.refobjid AS relid, d.refobjsubid::smallint AS attnum
    FROM pg_catalog.pg_constraint k
    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_constraint'::regclass AND d.objid = k.oid
      AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0
    WHERE k.contype = 'c'
  UNION
  SELECT k.oid, k.conrelid, unnest(k.conkey) FROM pg_catalog.pg_constraint k WHERE k.contype IN ('p', 'u', 'n') AND k.conrelid <> 0
  UNION
  SELECT k.oid, k.confrelid, unnest(k.confkey) FROM pg_catalog.pg_constraint k WHERE k.contype = 'f') u
JOIN pg_catalog.pg_constraint k ON k.oid = u.oid
JOIN pg_catalog.pg_namespace cn ON cn.oid = k.connamespace
JOIN pg_catalog.pg_class c ON c.oid = u.relid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.attnum AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND pg_has_role(c.relowner, 'USAGE')
