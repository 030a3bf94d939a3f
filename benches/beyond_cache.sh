#!/usr/bin/env bash
# Random updates of data many times larger than the cache: does memory stay within its budget, throughput steady, the directory small?
#
#   benches/beyond_cache.sh [SECONDS] [SCALE] [CACHE_MB]        (default: 600 s, scale 200, 64 MB)
#
# pgbench's simple-update with 8 clients, a line each 30 s; at the end the directory after a VACUUM, and pglited verify.
# Uses PGLITED (default: target/release/pglited) and PGBIN, a directory with pgbench and psql (default: the oracle's).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=${1:-600}
scale=${2:-200}
cache=${3:-64}
oracle=../shared/pg18/oracle.sh
[ -f "$oracle" ] || oracle=/work/shared/pg18/oracle.sh
pglited=${PGLITED:-${CARGO_TARGET_DIR:-target}/release/pglited}
bin=${PGBIN:-$(bash "$oracle" bin)}
dir=$(mktemp -d)
server=

finish() {
  if [ -n "$server" ]; then kill -KILL "$server" 2> /dev/null || true; fi
  rm -rf "$dir"
}
trap finish EXIT

"$pglited" --data "$dir/data" --listen 127.0.0.1:0 --cache-size "$cache" > "$dir/ready" 2> "$dir/log" &
server=$!
until grep -q '^ready ' "$dir/ready"; do
  kill -0 "$server" || { cat "$dir/log" >&2; exit 1; }
  sleep 0.05
done
PGPORT=$(sed -n 's/^ready [^ ]*:\([0-9]*\).*/\1/p' "$dir/ready")
export PGHOST=127.0.0.1 PGPORT PGUSER=postgres PGDATABASE=postgres

ask() { "$bin/psql" -X -q -At -v ON_ERROR_STOP=1 -c "$1"; }
megabytes() { du -sm "$1" | cut -f1; }
memory() { awk '/^RssAnon/ { print int($2 / 1024) }' "/proc/$server/status"; }
size() { ask "SELECT (pg_table_size('pgbench_accounts') + pg_table_size('pgbench_history')) / 1048576"; }

"$bin/pgbench" -i -q -s "$scale" > /dev/null 2>&1
ask CHECKPOINT
echo "scale $scale: $(size) MB as PostgreSQL counts, cache $cache MB; after pgbench -i: kv $(megabytes "$dir/data/kv") MB, memory $(memory) MB"
echo "second  tps  memory MB  kv MB  wal MB"
"$bin/pgbench" -n -b simple-update -M prepared -c 8 -j 2 -T "$seconds" -P 30 > "$dir/out" 2> "$dir/progress" &
pgbench=$!
seen=0
while kill -0 "$pgbench" 2> /dev/null; do
  sleep 1
  lines=$(wc -l < "$dir/progress")
  if [ "$lines" -gt "$seen" ]; then
    seen=$lines
    line=$(tail -n 1 "$dir/progress")
    echo "$(sed 's/progress: \([0-9]*\).*/\1/' <<< "$line")  $(sed 's/.* s, \([0-9]*\).*/\1/' <<< "$line")  $(memory)  $(megabytes "$dir/data/kv")  $(megabytes "$dir/data/wal")"
  fi
done
wait "$pgbench" || { cat "$dir/progress" >&2; exit 1; }
grep -E 'tps|failed|latency average|actually' "$dir/out"
ask "SELECT CASE WHEN (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history) THEN 'balances equal' ELSE 'BALANCES DIFFER' END"
ask VACUUM
echo "after VACUUM: kv $(megabytes "$dir/data/kv") MB, wal $(megabytes "$dir/data/wal") MB, memory $(memory) MB"
kill -TERM "$server"
wait "$server"
server=
"$pglited" verify --data "$dir/data" && echo "verified"
