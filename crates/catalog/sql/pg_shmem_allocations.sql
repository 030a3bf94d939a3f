SELECT name, off, size, allocated_size
FROM pg_catalog.pg_get_shmem_allocations()
