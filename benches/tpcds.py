#!/usr/bin/env python3
"""TPC-DS's 99 queries beside PostgreSQL: which of them parse, plan, run and agree, and how long they take.

  benches/tpcds.py --pg "host=127.0.0.1 port=54419 user=postgres" --ours "host=127.0.0.1 port=5670 user=postgres" [--load] [--scale 0.1] [--only 5,14]
                   [--limit SECONDS] [--workers N]

Neither texts nor data are part of this project: `pip install duckdb==1.5.5 duckdb-extensions duckdb-extension-tpcds==1.5.5 'psycopg[binary]'` brings
them (DuckDB's extension, MIT licence, with the benchmark's own generator, which gives the same data from run to run). --load makes the 24 tables in
schema `tpcds`, with primary keys, and analyzes them. Rows are compared as a multiset of exact values; where ORDER BY ... LIMIT leaves open which rows
appear, the query is compared again without its limit. Prints a Markdown table; the exit status tells of differences.
"""
import argparse
import collections
import glob
import pathlib
import re
import sys
import time

import duckdb
import psycopg

KEYS = {
    "call_center": "cc_call_center_sk", "catalog_page": "cp_catalog_page_sk", "catalog_returns": "cr_item_sk, cr_order_number",
    "catalog_sales": "cs_item_sk, cs_order_number", "customer": "c_customer_sk", "customer_address": "ca_address_sk",
    "customer_demographics": "cd_demo_sk", "date_dim": "d_date_sk", "household_demographics": "hd_demo_sk", "income_band": "ib_income_band_sk",
    "inventory": "inv_date_sk, inv_item_sk, inv_warehouse_sk", "item": "i_item_sk", "promotion": "p_promo_sk", "reason": "r_reason_sk",
    "ship_mode": "sm_ship_mode_sk", "store": "s_store_sk", "store_returns": "sr_item_sk, sr_ticket_number", "store_sales": "ss_item_sk, ss_ticket_number",
    "time_dim": "t_time_sk", "warehouse": "w_warehouse_sk", "web_page": "wp_web_page_sk", "web_returns": "wr_item_sk, wr_order_number",
    "web_sales": "ws_item_sk, ws_order_number", "web_site": "web_site_sk",
}


def source():
    """A DuckDB with the extension."""
    import duckdb_extension_tpcds

    con = duckdb.connect()
    (extension,) = glob.glob(str(pathlib.Path(duckdb_extension_tpcds.__file__).parent / "extensions/*/tpcds.duckdb_extension"))
    con.execute(f"LOAD '{extension}'")
    return con


def load(con, scale, servers, directory):
    con.execute(f"CALL dsdgen(sf={scale})")
    tables = con.execute("SELECT table_name, sql FROM duckdb_tables() ORDER BY 1").fetchall()
    for table, _ in tables:
        con.execute(f"COPY {table} TO '{directory}/{table}.csv' (HEADER false)")
    for name, server in servers.items():
        began = time.time()
        server.execute("DROP SCHEMA IF EXISTS tpcds CASCADE; CREATE SCHEMA tpcds")
        for table, ddl in tables:
            server.execute(ddl.split(";")[0])
            with server.cursor().copy(f"COPY {table} FROM STDIN (FORMAT csv)") as to, open(f"{directory}/{table}.csv", "rb") as file:
                while block := file.read(1 << 20):
                    to.write(block)
            server.execute(f"ALTER TABLE {table} ADD PRIMARY KEY ({KEYS[table]})")
        server.execute("VACUUM ANALYZE")
        print(f"{name}: {len(tables)} tables loaded in {time.time() - began:.1f} s", flush=True)


def ask(server, text):
    """(rows, seconds) or (None, the error's SQLSTATE and message)."""
    began = time.time()
    try:
        rows = server.execute(text).fetchall()
    except psycopg.Error as e:
        return None, f"{e.sqlstate} {str(e).splitlines()[0]}"
    return rows, time.time() - began


def differ(rows):
    return any(collections.Counter(map(repr, rows[0])) != collections.Counter(map(repr, r)) for r in rows[1:])


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--pg", required=True)
    args.add_argument("--ours", required=True)
    args.add_argument("--load", action="store_true")
    args.add_argument("--scale", type=float, default=0.1)
    args.add_argument("--only", default="")
    args.add_argument("--limit", type=int, default=60)
    args.add_argument("--workers", type=int, default=0)
    args.add_argument("--data", default="/tmp", help="where the tables are written between the generator and the servers")
    a = args.parse_args()
    con = source()
    servers = {name: psycopg.connect(to, autocommit=True) for name, to in (("PostgreSQL", a.pg), ("pglite", a.ours))}
    for server in servers.values():
        server.execute("SET client_min_messages = warning; SET search_path = tpcds")
        server.execute(f"SET max_parallel_workers_per_gather = {a.workers}")
    if a.load:
        load(con, a.scale, servers, a.data)
    for server in servers.values():
        server.execute(f"SET statement_timeout = '{a.limit}s'")
    print(f"\n| query | rows | PostgreSQL s | pglite s | |\n|---|---|---|---|---|")
    counts, sums = collections.Counter(), [0.0, 0.0]
    for number, text in con.execute("SELECT query_nr, query FROM tpcds_queries() ORDER BY 1").fetchall():
        if a.only and str(number) not in a.only.split(","):
            continue
        text = text.strip().rstrip(";")
        outcomes = [ask(server, text) for server in servers.values()]
        verdict, rows = judge(servers, text, outcomes)
        counts[verdict.split(":")[0]] += 1
        times = [t if r is not None else None for r, t in outcomes]
        if None not in times:
            sums = [s + t for s, t in zip(sums, times)]
        print(f"| {number} | {rows} | " + " | ".join("-" if t is None else f"{t:.3f}" for t in times) + f" | {verdict} |", flush=True)
    print(f"| both | | {sums[0]:.1f} | {sums[1]:.1f} | " + ", ".join(f"{n} {what}" for what, n in counts.most_common()) + " |")
    sys.exit(any(v.startswith(("differs", "fails")) for v in counts))


def judge(servers, text, outcomes):
    (theirs, their_error), (ours, our_error) = outcomes
    if theirs is None:
        return f"not PostgreSQL's: {their_error}", "-"
    if ours is None:
        return f"fails: {our_error}", len(theirs)
    if not differ([theirs, ours]):
        return "agrees", len(theirs)
    unlimited = re.sub(r"\s+LIMIT\s+\d+\s*$", "", text, flags=re.I)
    if unlimited != text:
        whole = [ask(server, unlimited)[0] for server in servers.values()]
        if None not in whole and not differ(whole):
            return "agrees without LIMIT", len(theirs)
    return "differs", len(theirs)


if __name__ == "__main__":
    main()
