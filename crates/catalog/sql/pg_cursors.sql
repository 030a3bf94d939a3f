SELECT name, statement, is_holdable, is_binary, is_scrollable, creation_time
FROM pg_catalog.pg_cursor()
