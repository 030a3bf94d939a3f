#!/usr/bin/env python3
"""Whole-table work beside PostgreSQL and DuckDB: loading by COPY and the operators of analytical queries, one core each.

    benches/whole_tables.py --pg "host=127.0.0.1 port=54419 user=postgres" --ours "host=127.0.0.1 port=5670 user=postgres" \\
        [--load] [--cpu PID] [--duckdb FILE]

Both servers must run; PostgreSQL may not use parallel workers (its settings are changed for the session). ROWS (environment, default
10,000,000) scales everything; REPEATS (default 3) rounds are run in turn. Prints one table: the best time of each server, and the ratio
PostgreSQL / pglite (above 1: pglite is faster). Answers are compared.

--cpu PID: CPU time instead of wall clock, for machines that others use too: that of PostgreSQL's backend, and of all threads of the
process PID (pglited), so background work counts for pglite and not for PostgreSQL; that of this process for DuckDB.
--duckdb FILE: DuckDB too (its Python package), one thread, in this process, the database in FILE.
"""
import argparse
import glob
import io
import os
import sys
import time

import psycopg

ROWS = int(os.environ.get("ROWS", "10000000"))
REPEATS = int(os.environ.get("REPEATS", "3"))
HASH = "((i * 2654435761) % 4294967296)"

QUERIES = {
    "count": "select count(*) from big",
    "filter 1 %": "select sum(x), count(*) from big where grp = 7",
    "filter range, and": "select count(*) from big where k > 1000 and x < 5000 and grp between 3 and 50",
    "sum, min, max": "select sum(x), sum(id), min(k), max(k) from big",
    "group by few": "select grp, count(*), sum(x), avg(x) from big group by grp",
    "group by many": "select count(*), max(c), sum(t) from (select k, count(*) c, sum(id) t from big group by k) q",
    "numeric sum": "select sum(d), sum(d * d), avg(d) from big",
    "numeric by group": "select grp, sum(d * (1 - d / 100000)) from big group by grp",
    "hash join 1:10": "select w, count(*), sum(big.id) from big join dim on big.k = dim.k group by w",
    "sort half": "select id, x from (select id, x from big where id % 2 = 0 order by x desc, id limit 3 offset {quarter}) q",
    "top 10": "select id, x from big order by x desc, id limit 10",
    "window a tenth": "select count(*), sum(r) from (select row_number() over (partition by grp order by x, id) r from big where id < {tenth}) q",
    "like suffix": "select count(*) from big where s like '%-42'",
    "like middle": "select count(*) from big where s like '%beef%'",
    "case": "select sum(case when grp < 10 then d else 0 end), sum(case when k % 3 = 0 then id end) from big",
    "distinct text, a tenth": "select count(distinct s) from big where id < {tenth}",
    "sum a * b + c, int8": "select sum(id * k + id) from big",
    "sum a * b + c, float8": "select sum(x * x + x) from big",
    "sum a * b + c, numeric": "select sum(d * d + d) from big",
    "date_trunc month": "select date_trunc('month', t), count(*), sum(v) from ticks group by 1",
    "date_trunc hour": "select count(*), max(c) from (select date_trunc('hour', t), count(*) c from ticks group by 1) q",
}


def statements(duckdb):
    keys = ROWS // 10
    series = lambda rows: f"range(0, {rows}) r(i)" if duckdb else f"generate_series(0::bigint, {rows - 1}) i"
    hex = "lower(to_hex" if duckdb else "(to_hex"
    cents = f"{HASH} % 1000000"
    decimal = f"(({cents})::decimal(14,2) / 100)::decimal(12,2)" if duckdb else f"({cents})::numeric(12,2) / 100"
    for table in ("big", "dim", "ticks", "copied"):
        yield f"drop table if exists {table}"
    yield "create table big (id bigint, k bigint, grp integer, x double precision, d numeric(12,2), s text)"
    yield (
        f"insert into big select i, {HASH} % {keys}, {HASH} % 100, ({HASH} % 1000003)::float8,"
        f" {decimal}, 'item-' || {hex}({HASH})) || '-' || (i % 97) from {series(ROWS)}"
    )
    yield "create table dim (k bigint, name text, w integer)"
    yield f"insert into dim select i, 'name-' || i, i % 7 from {series(keys)}"
    yield "create table ticks (t timestamp, v bigint)"
    second = "to_seconds(1) * (i % 100000000)" if duckdb else "interval '1 second' * (i % 100000000)"
    yield f"insert into ticks select timestamp '2001-01-01' + {second}, {HASH} % 1000 from {series(ROWS)}"
    yield "checkpoint" if duckdb else "vacuum analyze big, dim, ticks"


def cpu_seconds(pid):
    """CPU time of all threads of a process."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        try:
            with open(path) as file:
                total += int(file.read().split()[0])
        except OSError:
            pass
    return total / 1e9


class Server:
    def __init__(self, info, pid=None):
        self.connection = connect(info)
        self.execute = self.connection.execute
        self.cursor = self.connection.cursor
        self.clock = time.perf_counter
        if pid is not None:
            pid = pid or self.execute("select pg_backend_pid()").fetchone()[0]
            self.clock = lambda: cpu_seconds(pid)


class DuckDb:
    """DuckDB in this process, with one thread."""

    def __init__(self, file, cpu, threads=1):
        import duckdb

        self.connection = duckdb.connect(file)
        self.execute = self.connection.execute
        self.execute(f"set threads = {threads}")
        self.clock = time.process_time if cpu else time.perf_counter


def connect(info):
    c = psycopg.connect(info, autocommit=True)
    c.execute("set max_parallel_workers_per_gather = 0")
    c.execute("set max_parallel_maintenance_workers = 0")
    c.execute("set work_mem = '1GB'")
    return c


def best(run, servers):
    """The best time of each server over interleaved rounds, and what each answered."""
    times, answers = [[] for _ in servers], [None] * len(servers)
    for turn in range(REPEATS):
        for at in range(len(servers)) if turn % 2 == 0 else reversed(range(len(servers))):
            started = servers[at].clock()
            answers[at] = run(servers[at])
            times[at].append(servers[at].clock() - started)
    return [min(t) for t in times], answers


def head(what, servers):
    """The first lines of a table of `row`s."""
    duckdb = " DuckDB ms | PostgreSQL / pglite | DuckDB / pglite |" if len(servers) > 2 else " PostgreSQL / pglite |"
    print(f"| {what} | PostgreSQL ms | pglite ms |{duckdb}\n{'|---' * (len(duckdb.split('|')) + 2)}|", flush=True)


def row(name, times, note=""):
    ours = times[1]
    ratios = [f"{other / ours:.2f}" for other in times[:1] + times[2:]]
    cells = [name] + [f"{t * 1e3:.0f}" for t in times] + ratios
    print(f"| {' | '.join(cells)} |{note}", flush=True)


def close(a, b):
    def same(x, y):
        try:
            return abs(float(x) - float(y)) <= 1e-6 * max(1.0, abs(float(x)))
        except (TypeError, ValueError):
            # DuckDB's char(n) comes without the blanks.
            return str(x).rstrip() == str(y).rstrip()

    rows = [sorted((tuple(r) for r in rows), key=str) for rows in (a, b)]
    return len(rows[0]) == len(rows[1]) and all(all(map(same, x, y)) for x, y in zip(*rows))


def copy_text():
    out = io.StringIO()
    for i in range(ROWS // 10):
        h = (i * 2654435761) % 4294967296
        out.write(f"{i}\t{h % 1000}\t{h % 100}\t{h % 1000003}\t{h % 1000000 / 100:.2f}\titem-{h:x}-{i % 97}\t1998-0{i % 9 + 1}-1{i % 9}\n")
    return out.getvalue().encode()


COPIED = "id bigint, k bigint, grp integer, x double precision, d numeric(12,2), s text, t date"


def copy_in(data, columns):
    def run(c):
        c.execute("drop table if exists copied")
        c.execute(f"create table copied ({columns})")
        started = c.clock()
        with c.cursor().copy("copy copied from stdin") as copy:
            for at in range(0, len(data), 1 << 18):
                copy.write(data[at : at + (1 << 18)])
        run.spent.setdefault(id(c), []).append(c.clock() - started)
        return c.execute("select count(*), sum(k), max(s) from copied").fetchall()

    run.spent = {}
    return run


def loading(servers):
    data = copy_text()
    for name, columns in (("copy a tenth", COPIED), ("copy, primary key", COPIED.replace("id bigint", "id bigint primary key"))):
        run = copy_in(data, columns)
        best(run, servers)
        row(name, [min(run.spent[id(c)]) for c in servers])
    for name, text in (
        ("create table as, a tenth", f"create table copied as select * from big where id < {ROWS // 10}"),
    ):
        def run(c, text=text):
            c.execute("drop table if exists copied")
            c.execute(text)

        row(name, best(run, servers)[0])
    for c in servers:
        c.execute("drop table if exists copied")


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--pg", required=True)
    args.add_argument("--ours", required=True)
    args.add_argument("--load", action="store_true")
    args.add_argument("--only", default="")
    args.add_argument("--cpu", type=int, metavar="PID")
    args.add_argument("--duckdb", metavar="FILE")
    args = args.parse_args()
    pids = (None, None) if args.cpu is None else (0, args.cpu)
    servers = [Server(args.pg, pids[0]), Server(args.ours, pids[1])]
    if args.duckdb:
        servers.append(DuckDb(args.duckdb, args.cpu is not None))
    if args.load:
        for c in servers:
            for text in statements(isinstance(c, DuckDb)):
                c.execute(text)
    if args.only in ("", "load"):
        head("loading", servers[:2])
        loading(servers[:2])
    head(f"{ROWS:,} rows", servers)
    wrong = False
    for name, text in QUERIES.items():
        if args.only and args.only not in name:
            continue
        text = text.format(quarter=ROWS // 4, tenth=ROWS // 10)
        times, answers = best(lambda c: c.execute(text).fetchall(), servers)
        agree = all(close(answers[0], other) for other in answers[1:])
        wrong |= not agree
        row(name, times, "" if agree else " answers differ")
    sys.exit(wrong)


if __name__ == "__main__":
    main()
