SELECT relid, indexrelid, schemaname, relname, indexrelname, idx_blks_read, idx_blks_hit
FROM pg_catalog.pg_statio_all_indexes
WHERE schemaname IN ('pg_catalog', 'information_schema') OR schemaname ~ '^pg_toast'
