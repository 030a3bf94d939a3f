#!/usr/bin/env bash
# pglite beside SQLite in one process, commits of 32 writers beside PostgreSQL's TPC-B, and forks; on the disk of the working directory.
#   PGBIN=$(bash ../shared/pg18/oracle.sh bin) PGLITED=target/release/pglited benches/peers.sh [SECONDS]
# PGBIN: PostgreSQL's programs, PGLITED: our server; without them that part is left out. Builds benches/peers (a crate of its own) in release mode.
set -euo pipefail
seconds=${1:-8}
root=$(cd "$(dirname "$0")/.." && pwd)
cargo build --quiet --release --manifest-path "$root/benches/peers/Cargo.toml"
peers=${CARGO_TARGET_DIR:-$root/benches/peers/target}/release/pglite-peers
"$peers" sqlite 2
"$peers" fork 500
for round in 1 2 3; do
  "$peers" tpcb 32 "$seconds"
  "$peers" tpcb 32 "$seconds" async
  if [ -n "${PGBIN:-}" ] && [ -n "${PGLITED:-}" ]; then
    python3 "$root/benches/pgbench.py" --pgbin "$PGBIN" --pglited "$PGLITED" --seconds "$seconds" --rounds 1 --cells tpcb:prepared:32 | tail -2
  fi
done
