#!/usr/bin/env bash
# Records *.out from the oracle, in a database of its own without PostgreSQL's comments on built-in objects.
set -e
cd "$(dirname "$0")"
bin=$(bash /work/shared/pg18/oracle.sh bin)
run() { "$bin/psql" -X -q -h localhost -p 54318 -U postgres "$@"; }
for file in "${@:-*.sql}"; do for f in $file; do
  run -c 'DROP DATABASE IF EXISTS psql_record WITH (FORCE)' -c 'CREATE DATABASE psql_record' 2>/dev/null
  run -d psql_record -c 'SET allow_system_table_mods = on' -c 'DELETE FROM pg_description WHERE objoid < 16384'
  run -a -d psql_record < "$f" > "${f%.sql}.out" 2>&1
done; done
run -c 'DROP DATABASE psql_record WITH (FORCE)'
