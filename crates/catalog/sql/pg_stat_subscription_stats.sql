SELECT s.oid AS subid, s.subname, w.apply_error_count, w.sync_error_count, w.confl_insert_exists, w.confl_update_origin_differs,
  w.confl_update_exists, w.confl_update_missing, w.confl_delete_origin_differs, w.confl_delete_missing, w.confl_multiple_unique_conflicts,
  w.stats_reset
FROM pg_catalog.pg_subscription s
CROSS JOIN LATERAL pg_catalog.pg_stat_get_subscription_stats(s.oid) w
