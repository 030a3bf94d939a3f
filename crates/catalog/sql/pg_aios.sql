SELECT pid, io_id, io_generation, state, operation, off, length, target, handle_data_len, raw_result, result, target_desc, f_sync,
  f_localmem,
  f_buffered
FROM pg_catalog.pg_get_aios()
