#!/usr/bin/env bash
# User-space instructions per pgbench transaction, of PostgreSQL's backend and of pglited, counted by valgrind (callgrind).
#
#   benches/instructions.sh PGBIN [PGLITED]
#
# PGBIN: directory of PostgreSQL's programs (../shared/pg18/oracle.sh bin prints one). PGLITED: default target/release/pglited.
# Counts repeat to about a percent on any machine, busy or not; what the kernel does is not in them. One client, scale 1, data on disk,
# commits waited for; the difference of two runs of different length, so that start-up and loading do not count.
set -euo pipefail
pgbin=$1
pglited=${2:-target/release/pglited}
dir=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$dir"' EXIT
chmod 755 "$dir"
as_user=()
if [ "$(id -u)" = 0 ]; then as_user=(setpriv --reuid=nobody --clear-groups --); fi

total() { grep -m1 -E '^(totals|summary):' "$1" | awk '{print $2}'; }
wait_ready() { for _ in $(seq 240); do sleep 0.5; "$pgbin/psql" -XAtqd "$1" -c 'select 1' >/dev/null 2>&1 && return; done; echo "no answer: $1" >&2; exit 1; }
bench() { "$pgbin/pgbench" -n "$1" -M "$2" -c 1 -t "$3" "$4" >/dev/null 2>&1; }

# PostgreSQL: a process per connection, so each run has a file of its own.
pg_server() {
  mkdir "$dir/pg" "$dir/out"
  if [ ${#as_user[@]} -gt 0 ]; then chown nobody "$dir/pg" "$dir/out"; fi
  "${as_user[@]}" "$pgbin/initdb" -D "$dir/pg" -U postgres -A trust >/dev/null
  printf "port=54971\nunix_socket_directories='%s'\nautovacuum=off\nio_method=sync\n" "$dir/pg" >>"$dir/pg/postgresql.conf"
  "${as_user[@]}" valgrind -q --tool=callgrind --trace-children=yes --callgrind-out-file="$dir/out/%p" "$pgbin/postgres" -D "$dir/pg" >/dev/null 2>&1 &
  wait_ready "$pg"
  "$pgbin/pgbench" -iq "$pg" >/dev/null 2>&1
}
pg_run() {
  bench "$1" "$2" "$3" "$pg"
  sleep 1
  total "$(ls -t "$dir"/out/* | head -1)"
}

# pglited: one process, so it starts anew for each run.
us_run() {
  rm -rf "$dir/us"
  valgrind -q --tool=callgrind --callgrind-out-file="$dir/us.out" "$pglited" --data "$dir/us" --listen 127.0.0.1:54972 >/dev/null 2>&1 &
  local server=$!
  wait_ready "$us"
  "$pgbin/pgbench" -iq "$us" >/dev/null 2>&1
  "$pgbin/psql" -Xqd "$us" -c checkpoint
  bench "$1" "$2" "$3" "$us"
  kill -TERM $server
  wait $server || true
  total "$dir/us.out"
}

pg="host=127.0.0.1 port=54971 user=postgres dbname=postgres"
us="host=127.0.0.1 port=54972 user=postgres dbname=postgres"
pg_server
echo "| pgbench | PostgreSQL | pglited | ratio |"
echo "|---|---|---|---|"
for cell in "-S prepared" "-btpcb-like prepared" "-S simple"; do
  read -r script protocol <<<"$cell"
  a=$(pg_run "$script" "$protocol" 500) b=$(pg_run "$script" "$protocol" 1500)
  theirs=$(((b - a) / 1000))
  a=$(us_run "$script" "$protocol" 2000) b=$(us_run "$script" "$protocol" 6000)
  ours=$(((b - a) / 4000))
  echo "| $cell | $theirs | $ours | $(awk "BEGIN { printf \"%.2f\", $ours / $theirs }") |"
done
