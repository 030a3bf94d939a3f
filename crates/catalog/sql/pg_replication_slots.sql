SELECT slot_name, plugin, slot_type, datoid, d.datname AS database, temporary, active, active_pid, xmin, catalog_xmin, restart_lsn,
  confirmed_flush_lsn, wal_status, safe_wal_size, two_phase, two_phase_at, inactive_since, conflicting, invalidation_reason, failover,
  synced
FROM pg_catalog.pg_get_replication_slots() s
LEFT JOIN pg_catalog.pg_database d ON d.oid = s.datoid
