SELECT map_number, file_name, line_number, map_name, sys_name, pg_username, error
FROM pg_catalog.pg_ident_file_mappings()
