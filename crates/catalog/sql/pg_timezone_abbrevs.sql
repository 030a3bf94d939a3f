SELECT z.abbrev, z.utc_offset, z.is_dst
FROM pg_catalog.pg_timezone_abbrevs_zone() z
UNION ALL
SELECT a.abbrev, a.utc_offset, a.is_dst
FROM pg_catalog.pg_timezone_abbrevs_abbrevs() a
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_timezone_abbrevs_zone() z WHERE z.abbrev = a.abbrev)
ORDER BY 1
