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
    "bit": ["", "1", "0", "101", "11110000", "1010101010101", "000000001"],
    "varbit": ["", "1", "0110", "1010101010101"],
    "money": ["0", "1.23", "-1.23", "1234567.89", "92233720368547758.07", "-92233720368547758.08", "0.05"],
    "inet": ["10.1.2.3/8", "192.168.1.226/24", "192.168.1.0/24", "0.0.0.0/0", "255.255.255.255", "192.168.1.5", "::1", "10:23::ffff/64",
             "::ffff:1.2.3.4", "::4.3.2.1/24", "fe80::1/10", "::/0"],
    "cidr": ["10", "192.168.1.0/26", "::/0", "10:23::8000/113", "::ffff:1.2.3.4/128", "fe80::/10", "128.1", "224.0.0.0/4"],
    "macaddr": ["08:00:2b:01:02:03", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "08:00:2b:ff:fe:03"],
    "macaddr8": ["08:00:2b:01:02:03:04:05", "08:00:2b:ff:fe:01:02:03", "00:00:00:00:00:00:00:00"],
    "pg_lsn": ["0/0", "0/1", "16/B374D848", "FFFFFFFF/FFFFFFFF"],
    "pg_snapshot": ["1:1:", "10:20:10,14,15", "12:18:"],
    "txid_snapshot": ["10:20:10,14,15", "12:18:"],
    "tid": ["(0,0)", "(0,1)", "(4294967295,65535)", "(7,3)"],
    "point": ["(0,0)", "(-10,0)", "(-3,4)", "(5.1,34.5)", "(-5,-12)", "(1e-300,-1e-300)", "(1e+300,Infinity)", "(Infinity,1e+300)",
              "(NaN,NaN)", "(10,10)", "(1e-7,1)"],
    "lseg": ["[(1,2),(3,4)]", "[(0,0),(6,6)]", "[(10,-10),(-3,-4)]", "[(-1000000,200),(300000,-40)]", "[(11,22),(33,44)]",
             "[(-10,2),(-10,3)]", "[(0,-20),(30,-20)]", "[(NaN,1),(NaN,90)]", "[(3,3),(3,3)]"],
    "line": ["{0,-1,5}", "{1,0,5}", "{0,3,0}", "{1,-1,0}", "{-0.4,-1,-6}", "{-0.000184615384615385,-1,15.3846153846154}",
             "{3,NaN,5}", "{NaN,NaN,NaN}", "[(0,0),(2,4)]"],
    "box": ["(2.0,2.0,0.0,0.0)", "(1.0,1.0,3.0,3.0)", "((-8,2),(-2,-10))", "(2.5,2.5,2.5,3.5)", "(3.0,3.0,3.0,3.0)",
            "(Infinity,1,0,0)"],
    "path": ["[(1,2),(3,4)]", "((1,2),(3,4))", "[(0,0),(3,0),(4,5),(1,6)]", "((10,20))", "[(11,12),(13,14)]", "((0,0),(0,4),(4,4),(4,0))"],
    "polygon": ["(2.0,0.0),(2.0,4.0),(0.0,0.0)", "(3.0,1.0),(3.0,3.0),(1.0,0.0)", "((1,2),(3,4),(5,6),(7,8))", "(0.0,0.0)", "(0.0,1.0),(0.0,1.0)",
                "((0,0),(0,10),(10,10),(10,0))", "((2,2),(2,8),(8,8),(8,2))", "((7,8),(5,6),(3,4),(1,2))"],
    "circle": ["<(5,1),3>", "((1,2),100)", "<(1,3),5>", "<(100,200),10>", "<(100,1),115>", "<(3,5),0>", "<(3,5),NaN>", "<(0,0),1e-9>"],
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
            schema = "information_schema" if p["proname"].startswith("_pg_") else "pg_catalog"
            call = '%s."%s"(%s)' % (schema, p["proname"], ", ".join(quoted))
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
