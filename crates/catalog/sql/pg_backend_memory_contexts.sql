SELECT name, ident, type, level, path, total_bytes, total_nblocks, free_bytes, free_chunks, used_bytes
FROM pg_catalog.pg_get_backend_memory_contexts()
