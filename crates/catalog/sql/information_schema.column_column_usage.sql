SELECT DISTINCT current_database()::information_schema.sql_identifier AS table_catalog, n.nspname::information_schema.sql_identifier AS
  table_schema,
  c.relname::information_schema.sql_identifier AS table_name, s.attname::information_schema.sql_identifier AS column_name,
  a.attname::information_schema.sql_identifier AS dependent_column
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attrdef ad ON ad.adrelid = c.oid AND ad.adnum = a.attnum
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = ad.oid
  AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid <> a.attnum
JOIN pg_catalog.pg_attribute s ON s.attrelid = c.oid AND s.attnum = d.refobjsubid
WHERE a.attgenerated <> '' AND pg_has_role(c.relowner, 'USAGE')
