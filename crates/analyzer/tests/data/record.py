#!/usr/bin/env python3
"""Records what PostgreSQL 18 says to a Parse and Describe of each test statement, and the user objects they refer to.

    record.py [--port 54318] [--db analyzer_cases]

Reads setup.sql and cases.sql, writes catalog.json and expected.jsonl beside them. The database is made anew.
    record.py --db NAME --keep --cases FILE --out DIR     records other statements against an existing database.
"""
import argparse, json, os, re, socket, struct

HERE = os.path.dirname(os.path.abspath(__file__))


class Connection:
    def __init__(self, port, db):
        self.s = socket.create_connection(("127.0.0.1", port))
        self.buf = b""
        body = struct.pack("!i", 196608) + b"user\0postgres\0database\0" + db.encode() + b"\0client_min_messages\0error\0\0"
        self.s.sendall(struct.pack("!i", len(body) + 4) + body)
        self.until_ready()

    def read(self, n):
        while len(self.buf) < n:
            more = self.s.recv(65536)
            if not more:
                raise EOFError
            self.buf += more
        out, self.buf = self.buf[:n], self.buf[n:]
        return out

    def message(self):
        kind = self.read(1)
        (n,) = struct.unpack("!i", self.read(4))
        return kind, self.read(n - 4)

    def until_ready(self):
        out = []
        while True:
            kind, body = self.message()
            out.append((kind, body))
            if kind == b"Z":
                return out

    def send(self, kind, body):
        self.s.sendall(kind + struct.pack("!i", len(body) + 4) + body)

    def query(self, sql):
        self.send(b"Q", sql.encode() + b"\0")
        rows, error = [], None
        for kind, body in self.until_ready():
            if kind == b"D":
                (n,), at, row = struct.unpack_from("!h", body), 2, []
                for _ in range(n):
                    (m,) = struct.unpack_from("!i", body, at)
                    at += 4
                    row.append(None if m < 0 else body[at:at + m].decode())
                    at += max(m, 0)
                rows.append(row)
            elif kind == b"E":
                error = fields(body)
        return rows, error

    def describe(self, sql):
        self.send(b"P", b"\0" + sql.encode() + b"\0" + struct.pack("!h", 0))
        self.send(b"D", b"S\0")
        self.send(b"S", b"")
        out = {"sql": sql}
        for kind, body in self.until_ready():
            if kind == b"E":
                f = fields(body)
                out = {"sql": sql, "error": {k: f[k] for k in "CMDHP" if k in f}}
                break_ = True
            elif kind == b"t":
                (n,) = struct.unpack_from("!h", body)
                out["params"] = list(struct.unpack_from("!%dI" % n, body, 2))
            elif kind == b"T":
                (n,), at, cols = struct.unpack_from("!h", body), 2, []
                for _ in range(n):
                    end = body.index(b"\0", at)
                    name = body[at:end].decode()
                    table, att, typ, _, mod, _ = struct.unpack_from("!IhIhih", body, end + 1)
                    cols.append([name, typ, mod, table, att])
                    at = end + 19
                out["columns"] = cols
        return out


def fields(body):
    return {p[:1].decode(): p[1:].decode() for p in body.split(b"\0") if p}


def statements(text):
    """Statements end with a semicolon at the end of a line."""
    out, now = [], ""
    for line in text.splitlines():
        if not now and (not line.strip() or line.startswith("--")):
            continue
        now += line + "\n"
        if line.rstrip().endswith(";"):
            out.append(now.rstrip().rstrip(";"))
            now = ""
    return out


DUMP = {
    "namespaces": "select oid::int8, nspname from pg_namespace where oid >= 16384 or nspname='public'",
    "types": """select oid::int8, typname, typnamespace::int8, typowner::int8, typlen, typbyval, typtype, typcategory, typispreferred,
        typisdefined, typdelim, typrelid::int8, typelem::int8, typarray::int8,
        (typsubscript::oid = 6179) as is_array, typbasetype::int8, typtypmod, typnotnull, typcollation::int8, typdefault
        from pg_type where oid >= 16384""",
    "enums": "select enumtypid::int8, oid::int8, enumlabel from pg_enum where oid >= 16384 order by enumtypid, enumsortorder",
    "ranges": "select rngtypid::int8, rngsubtype::int8, rngmultitypid::int8, rngcollation::int8, rngsubopc::int8 from pg_range where rngtypid >= 16384",
    "relations": """select c.oid::int8, relname, relnamespace::int8, n.nspname, relowner::int8, relkind, relpersistence, reltype::int8, relhastriggers,
        relhassubclass, exists(select 1 from pg_rewrite r where r.ev_class=c.oid and rulename <> '_RETURN') as has_rules,
        case when relkind in ('v','m') then pg_get_viewdef(c.oid) end as viewdef
        from pg_class c join pg_namespace n on n.oid=relnamespace
        where c.oid >= 16384 and n.nspname not like 'pg_toast%' and relkind in ('r','v','m','S','p','c','f')""",
    "columns": """select attrelid::int8, attnum, attname, atttypid::int8, atttypmod, attcollation::int8, attnotnull, attisdropped, attidentity, attgenerated,
        (select pg_get_expr(adbin, adrelid) from pg_attrdef d where d.adrelid=attrelid and d.adnum=attnum) as def
        from pg_attribute a join pg_class c on c.oid=attrelid where attrelid >= 16384 and attnum > 0 and relkind in ('r','v','m','S','p','c','f')
        order by attrelid, attnum""",
    "constraints": """select oid::int8, conname, contype, conrelid::int8, conkey::int4[]::text, condeferrable from pg_constraint where conrelid >= 16384""",
    "functions": """select p.oid::int8, proname, pronamespace::int8, proowner::int8, prokind, proisstrict, proretset, provolatile, provariadic::int8,
        (select coalesce(array_agg(x::int8 order by o), '{}')::text from unnest(proargtypes) with ordinality as u(x,o)) as args, pronargdefaults, prorettype::int8,
        (select array_agg(x::int8 order by o)::text from unnest(proallargtypes) with ordinality as u(x,o)) as allargs, proargmodes::text[]::text,
        proargnames::text, pg_get_expr(proargdefaults, 0) as defaults
        from pg_proc p where p.oid >= 16384""",
    "operators": """select oid::int8, oprname, oprnamespace::int8, oprkind, oprcanmerge, oprcanhash, oprleft::int8, oprright::int8, oprresult::int8,
        oprcom::int8, oprnegate::int8, oprcode::oid::int8 from pg_operator where oid >= 16384""",
    "casts": "select castsource::int8, casttarget::int8, castfunc::int8, castcontext, castmethod from pg_cast where oid >= 16384",
    "aggregates": """select aggfnoid::oid::int8, aggkind, aggnumdirectargs, aggtranstype::int8 from pg_aggregate where aggfnoid::oid >= 16384""",
    "collations": "select oid::int8, collname, collnamespace::int8 from pg_collation where oid >= 16384",
}


def dump(c):
    out = {}
    for name, sql in DUMP.items():
        rows, error = c.query("select row_to_json(x)::text from (%s) x" % sql)
        if error:
            raise SystemExit((name, error))
        out[name] = [json.loads(r[0]) for r in rows]
    return out


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--port", type=int, default=54318)
    p.add_argument("--db", default="analyzer_cases")
    p.add_argument("--keep", action="store_true")
    p.add_argument("--cases", default=os.path.join(HERE, "cases.sql"))
    p.add_argument("--out", default=HERE)
    a = p.parse_args()
    if not a.keep:
        c = Connection(a.port, "postgres")
        for sql in ("drop database if exists %s" % a.db, "create database %s" % a.db):
            _, e = c.query(sql)
            if e:
                raise SystemExit(e)
        c = Connection(a.port, a.db)
        for sql in statements(open(os.path.join(HERE, "setup.sql")).read()):
            _, e = c.query(sql)
            if e:
                raise SystemExit((sql, e))
    c = Connection(a.port, a.db)
    with open(os.path.join(a.out, "catalog.json"), "w") as f:
        json.dump(dump(c), f, indent=0, sort_keys=True)
        f.write("\n")
    with open(os.path.join(a.out, "expected.jsonl"), "w") as f:
        text = open(a.cases).read()
        list_ = json.loads(text) if a.cases.endswith(".json") else statements(text)
        for sql in list_:
            f.write(json.dumps(c.describe(sql)) + "\n")


main()
