SELECT a.name, a.default_version, x.extversion AS installed_version, a.comment
FROM pg_catalog.pg_available_extensions() a
LEFT JOIN pg_catalog.pg_extension x ON x.extname = a.name
