SELECT name, abbrev, utc_offset, is_dst
FROM pg_catalog.pg_timezone_names()
