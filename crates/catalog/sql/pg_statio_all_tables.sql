SELECT c.oid AS relid, n.nspname AS schemaname, c.relname,
  pg_stat_get_blocks_fetched(c.oid) - pg_stat_get_blocks_hit(c.oid) AS heap_blks_read, pg_stat_get_blocks_hit(c.oid) AS heap_blks_hit,
  i.blks_read AS idx_blks_read, i.blks_hit AS idx_blks_hit,
  pg_stat_get_blocks_fetched(t.oid) - pg_stat_get_blocks_hit(t.oid) AS toast_blks_read, pg_stat_get_blocks_hit(t.oid) AS toast_blks_hit,
  ti.blks_read AS tidx_blks_read, ti.blks_hit AS tidx_blks_hit
FROM pg_catalog.pg_class c
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid
LEFT JOIN LATERAL (SELECT sum(pg_stat_get_blocks_fetched(x.indexrelid) - pg_stat_get_blocks_hit(x.indexrelid))::bigint AS blks_read,
    sum(pg_stat_get_blocks_hit(x.indexrelid))::bigint AS blks_hit FROM pg_catalog.pg_index x WHERE x.indrelid = c.oid) i ON true
LEFT JOIN LATERAL (SELECT sum(pg_stat_get_blocks_fetched(x.indexrelid) - pg_stat_get_blocks_hit(x.indexrelid))::bigint AS blks_read,
    sum(pg_stat_get_blocks_hit(x.indexrelid))::bigint AS blks_hit FROM pg_catalog.pg_index x WHERE x.indrelid = t.oid) ti ON true
WHERE c.relkind IN ('r', 't', 'm')
