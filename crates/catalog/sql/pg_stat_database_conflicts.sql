SELECT d.oid AS datid, d.datname,
  pg_stat_get_db_conflict_tablespace(d.oid) AS confl_tablespace, pg_stat_get_db_conflict_lock(d.oid) AS confl_lock,
  pg_stat_get_db_conflict_snapshot(d.oid) AS confl_snapshot, pg_stat_get_db_conflict_bufferpin(d.oid) AS confl_bufferpin,
  pg_stat_get_db_conflict_startup_deadlock(d.oid) AS confl_deadlock,
  pg_stat_get_db_conflict_logicalslot(d.oid) AS confl_active_logicalslot
FROM pg_catalog.pg_database d
