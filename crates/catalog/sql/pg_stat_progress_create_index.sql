SELECT s.pid, s.datid, d.datname, s.relid, s.param7::oid AS index_relid,
  CASE s.param1 WHEN 1 THEN 'CREATE INDEX' WHEN 2 THEN 'CREATE INDEX CONCURRENTLY' WHEN 3 THEN 'REINDEX' WHEN 4 THEN 'REINDEX
  CONCURRENTLY' END AS command,
  CASE s.param10 WHEN 0 THEN 'initializing' WHEN 1 THEN 'waiting for writers before build' WHEN 2 THEN 'building index' || COALESCE(': '
  || pg_indexam_progress_phasename(s.param9::oid, s.param11), '') WHEN 3 THEN 'waiting for writers before validation' WHEN 4 THEN 'index
  validation: scanning index' WHEN 5 THEN 'index validation: sorting tuples' WHEN 6 THEN 'index validation: scanning table' WHEN 7 THEN
  'waiting for old snapshots' WHEN 8 THEN 'waiting for readers before marking dead' WHEN 9 THEN 'waiting for readers before dropping' END
  AS phase,
  s.param4 AS lockers_total, s.param5 AS lockers_done, s.param6 AS current_locker_pid, s.param16 AS blocks_total, s.param17 AS blocks_done,
  s.param12 AS tuples_total, s.param13 AS tuples_done, s.param14 AS partitions_total, s.param15 AS partitions_done
FROM pg_catalog.pg_stat_get_progress_info('CREATE INDEX') s
LEFT JOIN pg_catalog.pg_database d ON d.oid = s.datid
