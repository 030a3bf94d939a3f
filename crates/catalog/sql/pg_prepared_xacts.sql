SELECT p.transaction, p.gid, p.prepared, u.rolname AS owner, d.datname AS database
FROM pg_catalog.pg_prepared_xact() p
LEFT JOIN pg_catalog.pg_authid u ON u.oid = p.ownerid
LEFT JOIN pg_catalog.pg_database d ON d.oid = p.dbid
