SELECT w.slot_name, w.spill_txns, w.spill_count, w.spill_bytes, w.stream_txns, w.stream_count, w.stream_bytes, w.total_txns, w.total_bytes,
  w.stats_reset
FROM pg_catalog.pg_replication_slots s
CROSS JOIN LATERAL pg_catalog.pg_stat_get_replication_slot(s.slot_name::text) w
WHERE s.datoid IS NOT NULL
