SELECT pid, status, receive_start_lsn, receive_start_tli, written_lsn, flushed_lsn, received_tli, last_msg_send_time, last_msg_receipt_time,
  latest_end_lsn, latest_end_time, slot_name, sender_host, sender_port, conninfo
FROM pg_catalog.pg_stat_get_wal_receiver()
WHERE pid IS NOT NULL
