#!/usr/bin/env python3
"""TPC-H beside PostgreSQL and DuckDB: answers compared and times of all in one run.

    benches/tpch.py --pg "host=127.0.0.1 port=54419 user=postgres" --ours "host=127.0.0.1 port=5670 user=postgres" \\
        [--load] [--cpu PID] [--duckdb FILE] [--scale 0.1] [--perf ../shared/perf] [--data DIR] [--only 5,9] [--workers N]

--perf is the directory of `tpch_queries.py` (texts, tables, indexes), --data that of the `.tbl` files (its `setup.sh` makes them). Neither
server may use parallel workers unless --workers is given. REPEATS (environment, default 3) rounds in turn, the best of each counts.
--cpu PID: CPU time instead of wall clock, as in whole_tables.py. --duckdb FILE: DuckDB too, with as many threads as --workers and one. Prints a table and the total; the exit status tells of wrong answers.
"""
import argparse
import os
import sys

import whole_tables
from whole_tables import DuckDb, Server, best, close


def load(servers, tpch, data):
    """Fills the tables of servers that lack them, by COPY, and makes PostgreSQL's usual indexes."""
    for table, columns in tpch.TABLES.items():
        def run(c, table=table, columns=columns):
            c.execute(f"drop table if exists {table}")
            c.execute(f"create table {table} ({columns})")
            if isinstance(c, DuckDb):
                return c.execute(f"copy {table} from '{data}/{table}.tbl' (format csv, delimiter '|', header false, quote '')")
            copy = f"copy {table} from stdin with (format csv, delimiter '|', quote e'\\b')"
            with c.cursor().copy(copy) as to, open(f"{data}/{table}.tbl", "rb") as file:
                while block := file.read(1 << 20):
                    to.write(block)

        timed(f"copy {table}", run, servers)
    for table, key in tpch.PK.items():
        timed(f"primary key of {table}", lambda c: c.execute(f"alter table {table} add primary key ({key})"), servers[:2])
    for columns in tpch.FK:
        timed(f"index {columns}", lambda c: c.execute(f"create index on {columns}"), servers[:2])
    for c in servers:
        c.execute("checkpoint" if isinstance(c, DuckDb) else "vacuum analyze")


def timed(name, run, servers):
    times = []
    for c in servers:
        started = c.clock()
        run(c)
        times.append(c.clock() - started)
    whole_tables.row(name, times)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--pg", required=True)
    args.add_argument("--ours", required=True)
    args.add_argument("--load", action="store_true")
    args.add_argument("--cpu", type=int, metavar="PID")
    args.add_argument("--scale", type=float, default=0.1)
    args.add_argument("--perf", default="../shared/perf")
    args.add_argument("--data")
    args.add_argument("--only", default="")
    args.add_argument("--workers", type=int, default=0)
    args.add_argument("--duckdb", metavar="FILE")
    args = args.parse_args()
    sys.path.insert(0, args.perf)
    import tpch_queries as tpch

    data = args.data or os.path.expanduser(f"~/.cache/pglite-perf/data/tpch{args.scale:g}")
    pids = (None, None) if args.cpu is None else (0, args.cpu)
    servers = [Server(args.pg, pids[0]), Server(args.ours, pids[1])]
    for c in servers:
        c.execute(f"set max_parallel_workers_per_gather = {args.workers}")
    if args.duckdb:
        servers.append(DuckDb(args.duckdb, args.cpu is not None, args.workers + 1))
    whole_tables.head(f"TPC-H {args.scale:g}", servers)
    if args.load:
        load(servers, tpch, data)
    total, right, ran = [0.0] * len(servers), 0, 0
    for number in range(1, 23):
        if args.only and str(number) not in args.only.split(","):
            continue
        text = tpch.query(number, args.scale)
        times, answers = best(lambda c: c.execute(text).fetchall(), servers)
        agree = all(close(answers[0], other) for other in answers[1:])
        ran, right = ran + 1, right + agree
        total = [a + b for a, b in zip(total, times)]
        whole_tables.row(f"Q{number}", times, "" if agree else " answers differ")
    whole_tables.row(f"total, {right} of {ran} right", total, f" (pglite / PostgreSQL {total[1] / total[0]:.2f})")
    sys.exit(right != ran)


if __name__ == "__main__":
    main()
