#!/usr/bin/env bash
# pgbench against pglited, all built-in scripts in all modes with few and many clients; then the books must balance, indexes must
# equal tables, and both again after a restart.
#
#   benches/pgbench_minutes.sh [SECONDS_PER_CELL] [SCALE]        (default: 60 s, scale 1)
#
# Uses PGLITED (default: target/release/pglited) and PGBIN, a directory with pgbench and psql (default: the oracle's).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=${1:-60}
scale=${2:-1}
oracle=../shared/pg18/oracle.sh
[ -f "$oracle" ] || oracle=/work/shared/pg18/oracle.sh
pglited=${PGLITED:-${CARGO_TARGET_DIR:-target}/release/pglited}
bin=${PGBIN:-$(bash "$oracle" bin)}
dir=$(mktemp -d)
port=
server=

start() {
  local out=$dir/ready
  : > "$out"
  "$pglited" --data "$dir/data" --listen 127.0.0.1:0 > "$out" 2> "$dir/log" &
  server=$!
  local begin=$SECONDS
  until grep -q '^ready ' "$out"; do
    if ! kill -0 "$server" 2> /dev/null || [ $((SECONDS - begin)) -gt 60 ]; then
      echo "pglited does not start:" >&2
      cat "$dir/log" >&2
      exit 1
    fi
    sleep 0.05
  done
  port=$(sed -n 's/^ready [^ ]*:\([0-9]*\).*/\1/p' "$out")
  export PGHOST=127.0.0.1 PGPORT=$port PGUSER=postgres PGDATABASE=postgres
}

# stop SIGNAL
stop() {
  kill "-$1" "$server"
  wait "$server" || [ "$1" = KILL ]
  server=
}

finish() {
  if [ -n "$server" ]; then kill -KILL "$server" 2> /dev/null || true; fi
  rm -rf "$dir"
}
trap finish EXIT

ask() {
  "$bin/psql" -X -q -At -v ON_ERROR_STOP=1 -c "$1"
}

# check WHEN: balances and indexes. simple-update changes accounts and history only: after it these two are equal, and the others are.
check() {
  local sums rows accounts tellers branches deltas
  sums=$(ask "SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(tbalance) FROM pgbench_tellers),
                     (SELECT sum(bbalance) FROM pgbench_branches), (SELECT coalesce(sum(delta), 0) FROM pgbench_history)")
  IFS='|' read -r accounts tellers branches deltas <<< "$sums"
  if [ "$accounts" != "$deltas" ] || [ "$tellers" != "$branches" ] ||
    { [ "$all_equal" = yes ] && [ "$accounts" != "$tellers" ]; }; then
    echo "FAILED $1: balances differ: $sums" >&2
    exit 1
  fi
  for pair in "pgbench_accounts aid" "pgbench_tellers tid" "pgbench_branches bid"; do
    # shellcheck disable=SC2086
    set -- "$1" $pair
    local by_table by_index
    # The order of the index against a sort of the table; a hash of all rows would hide which one is wrong.
    "$bin/psql" -X -q -At -v ON_ERROR_STOP=1 -c "SET enable_indexscan = off" -c "SET enable_indexonlyscan = off" \
      -c "SET enable_bitmapscan = off" -c "SELECT * FROM $2 ORDER BY $3" > "$dir/by_table"
    "$bin/psql" -X -q -At -v ON_ERROR_STOP=1 -c "SET enable_seqscan = off" -c "SET enable_sort = off" \
      -c "SET enable_bitmapscan = off" -c "SELECT * FROM $2 ORDER BY $3" > "$dir/by_index"
    if ! cmp -s "$dir/by_table" "$dir/by_index"; then
      echo "FAILED $1: index of $2 differs from the table" >&2
      diff "$dir/by_table" "$dir/by_index" | head >&2
      exit 1
    fi
    by_table=$(ask "SELECT count(*), count(DISTINCT $3) FROM $2")
    by_index=$(wc -l < "$dir/by_index")
    if [ "$by_table" != "$by_index|$by_index" ]; then
      echo "FAILED $1: $2 has $by_table rows, its index $by_index" >&2
      exit 1
    fi
  done
  rows=$(ask "SELECT count(*) FROM pgbench_history")
  echo "ok $1: accounts|tellers|branches|history $sums, $rows rows of history, indexes equal tables"
}

all_equal=yes
start
echo "pglited: $pglited; pgbench: $("$bin/pgbench" --version); $(nproc) cores; $seconds s a cell, scale $scale"
"$bin/pgbench" -i -q -s "$scale" 2> "$dir/init" || { cat "$dir/init" >&2; exit 1; }
tail -n 1 "$dir/init"
check "after pgbench -i"
printf '%-14s %-9s %8s %12s %10s %8s\n' script mode clients transactions tps failed
for script in tpcb-like simple-update select-only; do
  for mode in simple extended prepared; do
    for clients in 1 8 32; do
      out=$("$bin/pgbench" -n -b "$script" -M "$mode" -c "$clients" -j 2 -T "$seconds" 2>&1) || {
        echo "FAILED $script $mode $clients: $out" >&2
        exit 1
      }
      printf '%-14s %-9s %8s %12s %10s %8s\n' "$script" "$mode" "$clients" \
        "$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' <<< "$out")" \
        "$(sed -n 's/^tps = \([0-9]*\).*/\1/p' <<< "$out")" \
        "$(sed -n 's/^number of failed transactions: \([0-9]*\).*/\1/p' <<< "$out")"
    done
  done
  if [ "$script" = simple-update ]; then all_equal=no; fi
  check "after $script"
done
stop KILL
start
check "after kill -9 and a restart"
stop TERM
start
check "after SIGTERM and a restart"
stop TERM
