#!/usr/bin/env python3
"""Records what PostgreSQL answers to calls of its immutable functions over small pools of values.

Writes tests/data/calls.tsv: function OID, arguments as text, result as text or `!SQLSTATE message`. NULL is \\N.
Usage: record.py PSQL-COMMAND...   e.g. record.py bash shared/pg18/oracle.sh psql
"""
import csv
import hashlib
import itertools
import os
import subprocess
import sys

POOLS = {
    "bool": ["t", "f"],
    "char": ["a", "", "Z"],
    "int2": ["0", "1", "-1", "7", "32767", "-32768"],
    "int4": ["0", "1", "-1", "2", "3", "10", "2147483647", "-2147483648"],
    "int8": ["0", "1", "-1", "12", "4294967296", "9223372036854775807", "-9223372036854775808"],
    "oid": ["0", "1", "4294967295"],
    "float4": ["0", "-0", "1", "-1.5", "0.1", "3.4e38", "1e-40", "NaN", "Infinity", "-Infinity", "2.5"],
    "float8": ["0", "-0", "1", "-1.5", "0.1", "0.5", "30", "45", "1e308", "-1e-300", "NaN", "Infinity",
               "-Infinity", "2.5", "3.5", "123456.789"],
    "numeric": ["0", "0.00", "1", "-1", "1.50", "-2.5", "10", "3", "0.95", "123456789012345678901234567890.123", "99999999999999.9999",
                "0.000001", "1e-20", "NaN", "Infinity", "-Infinity", "1234.5678", "1e30", "-7.000000"],
    "text": ["", "a", "abc", "Hello, World", "ä€𝄞x", "  pad ", "a%b_c", "x'y\"z\\w", "ABC", "b", "%b%", "l"],
    "bpchar": ["", "a", "abc  ", "abc", "B "],
    "varchar": ["", "abc", "Hello"],
    "name": ["", "abc", "ABC", "pg_class"],
    "xid": ["0", "3", "4294967295"], "cid": ["0", "3"], "xid8": ["0", "3", "18446744073709551615"],
}
PER_FUNCTION = 14
# Results that depend on the C library, the build or the session.
SKIP = {"hashtext", "dgamma", "dlgamma", "derf", "derfc"}


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    catalog = os.environ.get("PGLITE_CATALOG") or os.path.join(here, "../../../../../shared/pg18/catalog")
    rows = lambda n: csv.DictReader(open(os.path.join(catalog, n + ".tsv")), delimiter="\t")
    types = {r["oid"]: r["typname"] for r in rows("pg_type")}
    calls = []
    for p in rows("pg_proc"):
        args = [types.get(a) for a in p["proargtypes"].split()]
        wanted = (p["prokind"] == "f" and p["proretset"] == "f" and p["provolatile"] == "i" and args
                  and all(a in POOLS for a in args) and types.get(p["prorettype"]) in POOLS
                  and not p["prosrc"].startswith("hash") and p["prosrc"] not in SKIP)
        if not wanted:
            continue
        combos = list(itertools.product(*[POOLS[a] for a in args]))
        key = lambda c: hashlib.md5((p["oid"] + repr(c)).encode()).hexdigest()
        for c in sorted(sorted(combos, key=key)[:PER_FUNCTION]):
            quoted = ["%s::pg_catalog.%s" % ("'" + v.replace("'", "''") + "'", '"char"' if a == "char" else a)
                      for v, a in zip(c, args)]
            call = 'pg_catalog."%s"(%s)' % (p["proname"], ", ".join(quoted))
            calls.append((int(p["oid"]), "\x1f".join(c), call))
    sql = ["""set client_min_messages = error; set extra_float_digits = 1;
create or replace function pg_temp.answer(call text) returns text language plpgsql as $$
declare r text; begin execute 'select format(''%s'', ' || call || ') where (' || call || ') is not null' into r; return r;
exception when others then return '!' || sqlstate || ' ' || sqlerrm; end $$;
create temp table calls(n serial, oid oid, args text, call text);
copy calls(oid, args, call) from stdin (format csv);"""]
    out = []
    for oid, args, call in calls:
        out.append('%d,"%s","%s"' % (oid, args.replace('"', '""'), call.replace('"', '""')))
    sql += out + ["\\."]
    sql.append("copy (select oid, args, pg_temp.answer(call) from calls order by oid, n) to stdout;")
    answer = subprocess.run(sys.argv[1:] + ["-qAt", "-v", "ON_ERROR_STOP=1"], input="\n".join(sql), text=True,
                            stdout=subprocess.PIPE, check=True).stdout
    with open(os.path.join(here, "data", "calls.tsv"), "w") as f:
        f.write(answer)
    print(answer.count("\n"), "calls recorded")


main()
