#!/usr/bin/env bash
# Writes the facts of PostgreSQL's built-in catalog rows that `cargo xtask codegen catalog` and src/builtin read.
#   dump.sh PSQL...      for example: dump.sh bash /work/shared/pg18/oracle.sh psql
# Rows with OIDs below 16384 of a freshly initialised cluster, in COPY's text format; regproc columns as OIDs.
set -euo pipefail
cd "$(dirname "$0")"
psql=("$@")
# copy FILE: the whole query comes on standard input
copy() { "${psql[@]}" -q -c "COPY ($(cat)) TO STDOUT" > "$1.tsv"; }
# whole CATALOG WHERE: every column, in order
whole() {
  local columns
  columns=$("${psql[@]}" -At -c "SELECT string_agg(attname || CASE WHEN atttypid = 'regproc'::regtype THEN '::oid::int8' ELSE '' END, ', ' ORDER BY attnum)
    FROM pg_attribute WHERE attrelid = 'pg_catalog.$1'::regclass AND attnum > 0")
  echo "SELECT $columns FROM pg_catalog.$1 WHERE $2" | copy "$1"
}
copy relations <<'SQL'
SELECT c.oid, c.relnamespace, c.relname, c.relkind, c.reltype, c.relisshared, c.reltoastrelid, c.relpages, c.reltuples::int8,
  array_to_string(c.relacl, ','), array_to_string(c.reloptions, ','),
  (SELECT string_agg(concat_ws(':', a.attname, a.atttypid, a.attcollation, a.attnotnull::int, a.attndims), ' ' ORDER BY a.attnum)
   FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0)
FROM pg_class c WHERE c.oid < 16384 ORDER BY c.oid
SQL
copy indexes <<'SQL'
SELECT indexrelid, indrelid, indisunique, indisprimary, indkey, indclass, indcollation FROM pg_index WHERE indexrelid < 16384 ORDER BY 1
SQL
copy type_io <<'SQL'
SELECT oid, typreceive::oid, typsend::oid, typmodin::oid, typmodout::oid, typanalyze::oid, typsubscript::oid, typinput::oid, typoutput::oid, typnotnull, typtypmod, typndims
FROM pg_type WHERE oid < 16384 AND NOT (typinput = 'array_in'::regproc AND typtype = 'b') AND typrelid = 0 ORDER BY 1
SQL
for catalog in pg_am pg_auth_members pg_authid pg_collation pg_constraint pg_conversion pg_extension pg_language pg_namespace \
  pg_opfamily pg_tablespace pg_ts_config pg_ts_dict pg_ts_parser pg_ts_template; do
  whole $catalog "oid < 16384 ORDER BY oid"
done
whole pg_database "oid IN (1, 4, 5) ORDER BY oid"
whole pg_range "true ORDER BY rngtypid"
whole pg_ts_config_map "true ORDER BY mapcfg, maptokentype, mapseqno"
whole pg_init_privs "true ORDER BY classoid, objoid, objsubid"
whole pg_depend "objid < 16384 ORDER BY classid, objid, objsubid, refclassid, refobjid, refobjsubid"
