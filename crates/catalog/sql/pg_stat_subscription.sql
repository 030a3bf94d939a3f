SELECT s.oid AS subid, s.subname, w.worker_type, w.pid, w.leader_pid, w.relid, w.received_lsn, w.last_msg_send_time,
  w.last_msg_receipt_time,
  w.latest_end_lsn, w.latest_end_time
FROM pg_catalog.pg_subscription s
LEFT JOIN pg_catalog.pg_stat_get_subscription(NULL) w ON w.subid = s.oid
