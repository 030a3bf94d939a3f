SELECT s.pid, s.datid, d.datname, s.relid,
  CASE s.param1 WHEN 0 THEN 'initializing' WHEN 1 THEN 'scanning heap' WHEN 2 THEN 'vacuuming indexes' WHEN 3 THEN 'vacuuming heap' WHEN
  4 THEN 'cleaning up indexes' WHEN 5 THEN 'truncating heap' WHEN 6 THEN 'performing final cleanup' END AS phase,
  s.param2 AS heap_blks_total, s.param3 AS heap_blks_scanned, s.param4 AS heap_blks_vacuumed, s.param5 AS index_vacuum_count,
  s.param6 AS max_dead_tuple_bytes, s.param7 AS dead_tuple_bytes, s.param8 AS num_dead_item_ids, s.param9 AS indexes_total,
  s.param10 AS indexes_processed, s.param10::double precision / 1000000::double precision AS delay_time
FROM pg_catalog.pg_stat_get_progress_info('VACUUM') s
LEFT JOIN pg_catalog.pg_database d ON d.oid = s.datid
