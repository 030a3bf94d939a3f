SELECT name, blks_zeroed, blks_hit, blks_read, blks_written, blks_exists, flushes, truncates, stats_reset
FROM pg_catalog.pg_stat_get_slru()
