SELECT type, name, description
FROM pg_catalog.pg_get_wait_events()
