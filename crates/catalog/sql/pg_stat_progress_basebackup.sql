SELECT s.pid,
  CASE s.param1 WHEN 0 THEN 'initializing' WHEN 1 THEN 'waiting for checkpoint to finish' WHEN 2 THEN 'estimating backup size' WHEN 3
  THEN 'streaming database files' WHEN 4 THEN 'waiting for wal archiving to finish' WHEN 5 THEN 'transferring wal files' END AS phase,
  CASE s.param2 WHEN -1 THEN NULL ELSE s.param2 END AS backup_total, s.param3 AS backup_streamed, s.param4 AS tablespaces_total,
  s.param5 AS tablespaces_streamed
FROM pg_catalog.pg_stat_get_progress_info('BASEBACKUP') s
