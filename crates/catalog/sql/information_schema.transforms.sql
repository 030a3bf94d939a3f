SELECT current_database()::information_schema.sql_identifier AS udt_catalog, tn.nspname::information_schema.sql_identifier AS udt_schema,
  t.typname::information_schema.sql_identifier AS udt_name, current_database()::information_schema.sql_identifier AS specific_catalog,
  n.nspname::information_schema.sql_identifier AS specific_schema,
  (substring(p.proname FROM 1 FOR 62 - length(p.oid::text)) || '_' || p.oid::text)::information_schema.sql_identifier AS specific_name,
  l.lanname::information_schema.sql_identifier AS group_name, f.kind::information_schema.character_data AS transform_type
FROM (SELECT trftype, trflang, trffromsql AS func, 'FROM SQL' AS kind FROM pg_catalog.pg_transform WHERE trffromsql <> 0
  UNION ALL SELECT trftype, trflang, trftosql, 'TO SQL' FROM pg_catalog.pg_transform WHERE trftosql <> 0) f
JOIN pg_catalog.pg_type t ON t.oid = f.trftype
JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
JOIN pg_catalog.pg_language l ON l.oid = f.trflang
JOIN pg_catalog.pg_proc p ON p.oid = f.func
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
ORDER BY 1, 2, 3, 7, 8
