SELECT a.name, a.version, x.extname IS NOT NULL AS installed, a.superuser, a.trusted, a.relocatable, a.schema, a.requires, a.comment
FROM pg_catalog.pg_available_extension_versions() a
LEFT JOIN pg_catalog.pg_extension x ON x.extname = a.name AND x.extversion = a.version
