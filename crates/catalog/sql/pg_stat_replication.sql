SELECT w.pid, s.usesysid, u.rolname AS usename, s.application_name, s.client_addr, s.client_hostname, s.client_port, s.backend_start,
  s.backend_xmin,
  w.state, w.sent_lsn, w.write_lsn, w.flush_lsn, w.replay_lsn, w.write_lag, w.flush_lag, w.replay_lag, w.sync_priority, w.sync_state,
  w.reply_time
FROM pg_catalog.pg_stat_get_activity(NULL) s
JOIN pg_catalog.pg_stat_get_wal_senders() w ON w.pid = s.pid
LEFT JOIN pg_catalog.pg_authid u ON u.oid = s.usesysid
