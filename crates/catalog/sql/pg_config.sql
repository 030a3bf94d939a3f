SELECT name, setting
FROM pg_catalog.pg_config()
