SELECT name, numa_node, size
FROM pg_catalog.pg_get_shmem_allocations_numa()
