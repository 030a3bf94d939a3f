SELECT l.objoid, l.classoid, l.objsubid,
  (CASE WHEN l.classoid = 'pg_catalog.pg_class'::regclass AND l.objsubid <> 0 THEN 'column' WHEN l.classoid =
  'pg_catalog.pg_class'::regclass THEN 'table'
    END)::text AS objtype, NULL::oid AS objnamespace, l.objoid::text AS objname, l.provider, l.label
FROM pg_catalog.pg_seclabel l
UNION ALL
SELECT s.objoid, s.classoid, 0, (CASE WHEN s.classoid = 'pg_catalog.pg_database'::regclass THEN 'database' ELSE 'role' END)::text,
  NULL::oid,
  s.objoid::text, s.provider, s.label
FROM pg_catalog.pg_shseclabel s
