#!/usr/bin/env bash
# Records expected/*.out from a real PostgreSQL: each script in a fresh database, settings as run.rs gives them.
# record.sh [NAME...]: all of sql/, or some.
set -euo pipefail
cd "$(dirname "$0")"
oracle=${PGLITE_ORACLE_SH:-$(git rev-parse --path-format=absolute --git-common-dir | xargs dirname | xargs dirname)/shared/pg18/oracle.sh}
psql=$(bash "$oracle" bin)/psql
url=$(bash "$oracle" url)
export PGTZ=America/Los_Angeles PGDATESTYLE="Postgres, MDY" PGOPTIONS="-c intervalstyle=postgres_verbose" LC_MESSAGES=C
if [ $# -eq 0 ]; then set -- $(basename -s .sql sql/*.sql); fi
for name in "$@"; do
  "$psql" -X -q "$url" -c "DROP DATABASE IF EXISTS pglite_record_$$" -c "CREATE DATABASE pglite_record_$$ TEMPLATE template0"
  "$psql" -X -a -q "${url%/*}/pglite_record_$$" < "sql/$name.sql" > "expected/$name.out" 2>&1
done
"$psql" -X -q "$url" -c "DROP DATABASE IF EXISTS pglite_record_$$"
