SELECT c.oid AS relid, n.nspname AS schemaname, c.relname, pg_stat_get_xact_numscans(c.oid) AS seq_scan,
  pg_stat_get_xact_tuples_returned(c.oid) AS seq_tup_read,
  (SELECT sum(pg_stat_get_xact_numscans(x.indexrelid)) FROM pg_catalog.pg_index x WHERE x.indrelid = c.oid)::bigint AS idx_scan,
  (SELECT sum(pg_stat_get_xact_tuples_fetched(x.indexrelid)) FROM pg_catalog.pg_index x WHERE x.indrelid = c.oid)::bigint
    + pg_stat_get_xact_tuples_fetched(c.oid) AS idx_tup_fetch,
  pg_stat_get_xact_tuples_inserted(c.oid) AS n_tup_ins, pg_stat_get_xact_tuples_updated(c.oid) AS n_tup_upd,
  pg_stat_get_xact_tuples_deleted(c.oid) AS n_tup_del, pg_stat_get_xact_tuples_hot_updated(c.oid) AS n_tup_hot_upd,
  pg_stat_get_xact_tuples_newpage_updated(c.oid) AS n_tup_newpage_upd
FROM pg_catalog.pg_class c
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 't', 'm', 'p')
