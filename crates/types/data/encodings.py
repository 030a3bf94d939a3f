#!/usr/bin/env python3
"""Writes encodings.bin (format: src/encoding/tables.rs) and the digests of src/encoding/tests.rs from what a PostgreSQL converts.

encodings.py URL OUT   asks it by psql, character by character, which takes some minutes."""
import struct, subprocess, sys

SETUP = """
CREATE OR REPLACE FUNCTION pg_temp.f(b bytea, f name, t name) RETURNS text LANGUAGE plpgsql AS
$$ BEGIN RETURN encode(convert(b, f, t), 'hex'); EXCEPTION WHEN others THEN RETURN '-'; END $$;
"""
ALL = """SQL_ASCII EUC_JP EUC_CN EUC_KR EUC_TW EUC_JIS_2004 UTF8 MULE_INTERNAL LATIN1 LATIN2 LATIN3 LATIN4 LATIN5 LATIN6 LATIN7 LATIN8 LATIN9
LATIN10 WIN1256 WIN1258 WIN866 WIN874 KOI8R WIN1251 WIN1252 ISO_8859_5 ISO_8859_6 ISO_8859_7 ISO_8859_8 WIN1250 WIN1253 WIN1254 WIN1255
WIN1257 KOI8U SJIS BIG5 GBK UHC GB18030 JOHAB SHIFT_JIS_2004""".split()
NUMBER = {name: n for n, name in enumerate(ALL)}
TABLES = [e for e in ALL if e not in ("SQL_ASCII", "UTF8", "MULE_INTERNAL")]
CYRILLIC = ["KOI8R", "WIN1251", "WIN866", "ISO_8859_5"]
PAIRS = [(a, b) for a in CYRILLIC for b in CYRILLIC if a != b] + [
    ("LATIN2", "WIN1250"), ("WIN1250", "LATIN2"), ("EUC_JP", "SJIS"), ("SJIS", "EUC_JP"), ("EUC_TW", "BIG5"), ("BIG5", "EUC_TW"),
    ("EUC_JIS_2004", "SHIFT_JIS_2004"), ("SHIFT_JIS_2004", "EUC_JIS_2004")]
# Where most characters are those of another encoding: with the same code, the same code of two bytes from 0xa1a1, the code that
# the conversion between the two gives.
BASES = {"GBK": (1, "GB18030"), "EUC_CN": (2, "GBK"), "EUC_KR": (2, "UHC"), "SHIFT_JIS_2004": (3, "EUC_JIS_2004"), "SJIS": (3, "EUC_JP")}
FOUR_BYTES, DELETED = 0x1000000, 0xFFFF


def ask(url, source, f, t):
    """Pairs of hexadecimal bytes, source and converted, for the rows of a query."""
    sql = SETUP + f"SELECT h, pg_temp.f(decode(h, 'hex'), '{f}', '{t}') FROM ({source}) s(h)"
    out = subprocess.run(["psql", "-XqAt", "-F", " ", url], input=sql, capture_output=True, text=True, check=True).stdout
    return {a: b for a, b in (line.split() for line in out.splitlines()) if b != "-"}


def codes(e):
    """Queries for everything that could be a character."""
    yield "SELECT lpad(to_hex(c), 2, '0') FROM generate_series(1, 255) c"
    if e.startswith(("EUC", "SJIS", "BIG5", "GB", "UHC", "JOHAB", "SHIFT")):
        yield "SELECT to_hex(c) FROM generate_series(32768, 65535) c"
    if e in ("EUC_JP", "EUC_JIS_2004"):
        yield "SELECT '8f' || to_hex(c) FROM generate_series(32768, 65535) c"
    if e == "EUC_TW":
        yield "SELECT '8e' || to_hex(p) || to_hex(c) FROM generate_series(161, 178) p, generate_series(41120, 65535) c WHERE c % 256 >= 160"
    if e == "GB18030":
        yield ("SELECT format('%s%s%s%s', to_hex(129 + i / 12600), to_hex(48 + i / 1260 % 10), to_hex(129 + i / 10 % 126),"
               " to_hex(48 + i % 10)) FROM generate_series(0, 50399) i")


def is_one(e, h):
    """Two bytes that SJIS reads as two characters are none."""
    first = int(h[:2], 16)
    return e not in ("SJIS", "SHIFT_JIS_2004") or (first < 0x80 or 0xA1 <= first <= 0xDF) == (len(h) == 2)


def number(e, h):
    b = bytes.fromhex(h)
    if e == "GB18030" and len(b) == 4:
        return FOUR_BYTES + (((b[0] - 0x81) * 10 + b[1] - 0x30) * 126 + b[2] - 0x81) * 10 + b[3] - 0x30
    return int(h, 16)


def varint(n):
    out = bytearray()
    while n >= 128:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out + bytes([n]))


def packed(values):
    """A map as segments of runs and lists."""
    items, segments, i = sorted(values.items()), [], 0
    follows = lambda a, b: b[0] == a[0] + 1 and b[1] == a[1] + 1
    def run_from(k, most):
        end = k
        while end + 1 < len(items) and end - k < most and follows(items[end], items[end + 1]):
            end += 1
        return end
    while i < len(items):
        end = run_from(i, len(items))
        if end - i >= 3:
            segments.append((1, items[i : end + 1]))
            i = end + 1
            continue
        k = i
        while k < len(items):
            gap = k > i and (items[k][0] != items[k - 1][0] + 1 or items[k][1] >> 16 != items[i][1] >> 16)
            if gap or run_from(k, 8) - k >= 7:
                break
            k += 1
        segments.append((0, items[i:k]))
        i = k
    out, end = bytearray(varint(len(segments))), 0
    for is_run, part in segments:
        out += varint(part[0][0] - end) + varint(len(part) * 2 + is_run)
        end = part[-1][0] + 1
        if is_run:
            out += varint(part[0][1])
        else:
            out += varint(part[0][1] >> 16) + b"".join(struct.pack("<H", v & 0xFFFF) for _, v in part)
    return bytes(out)


class Table:
    def __init__(self, url, e):
        utf8 = "SELECT encode(convert_to(chr(c), 'UTF8'), 'hex') FROM generate_series(1, 196607) c WHERE c NOT BETWEEN 55296 AND 57343"
        self.to = {int(ord(bytes.fromhex(u).decode())): h for u, h in ask(url, utf8, "UTF8", e).items()}
        self.come = {}
        for source in codes(e):
            found = ask(url, source, e, "UTF8").items()
            self.come.update({h: [ord(c) for c in bytes.fromhex(u).decode()] for h, u in found if is_one(e, h)})
        plain = lambda h, c: len(h) == 2 and int(h, 16) < 128 and c == int(h, 16)
        self.own = {number(e, h): c[0] for h, c in self.come.items() if len(c) == 1 and not plain(h, c[0])}
        self.combined = sorted((number(e, h), *c) for h, c in self.come.items() if len(c) > 1)
        one_way = sorted(number(e, h) for h, c in self.come.items() if len(c) == 1 and not plain(h, c[0]) and self.to.get(c[0]) != h)
        self.only_come = {}
        for n in one_way:
            self.only_come[n] = self.only_come.get(n - 1, -1) + 1
        back = {c: n for n, c in self.own.items() if n not in self.only_come}
        self.only_go = {c: number(e, h) for c, h in self.to.items() if not plain(h, c) and back.get(c) != number(e, h)}
        if e == "GB18030":
            # Everything beyond the first plane, in a line.
            self.only_go = {c: n for c, n in self.only_go.items() if c < 0x10000}
            self.own.update({FOUR_BYTES + 189000 + i: 0x10000 + i for i in range(0x100000)})


def derived(e, own, pairs):
    kind, base = BASES[e]
    if kind == 3:
        return {n: own[base][v] for n, v in pairs[e, base].items() if v in own[base]}
    small = {n: c for n, c in own[base].items() if n < FOUR_BYTES}
    return small if kind == 1 else {n: c for n, c in small.items() if n >> 8 >= 0xA1 and n & 255 >= 0xA1}


def main(url, target):
    tables = {e: Table(url, e) for e in TABLES}
    pairs = {}
    for f, t in PAIRS:
        found = {h: r for source in codes(f) for h, r in ask(url, source, f, t).items() if is_one(f, h)}
        pairs[f, t] = {int(h, 16): int(r, 16) for h, r in found.items() if int(h, 16) >= 128}
    own = {e: t.own for e, t in tables.items()}
    parts = []
    for e, t in tables.items():
        kind, base, values = 0, "SQL_ASCII", t.own
        if e in BASES:
            (kind, base), there = BASES[e], derived(e, own, pairs)
            values = {n: c for n, c in t.own.items() if there.get(n) != c} | {n: DELETED for n in there if n not in t.own}
        body = bytes([kind, NUMBER[base]]) + packed(values) + packed(t.only_come) + packed(t.only_go) + varint(len(t.combined))
        parts.append((NUMBER[e], 0, body + b"".join(varint(x) for c in t.combined for x in c)))
    parts += [(NUMBER[f], NUMBER[t], packed(m)) for (f, t), m in sorted(pairs.items())]
    directory = varint(len(parts)) + b"".join(bytes([a, b]) + varint(len(body)) for a, b, body in parts)
    open(target, "wb").write(directory + b"".join(body for _, _, body in parts))
    for e, t in tables.items():
        digest(e, t)


def digest(e, t):
    """What src/encoding/tests.rs computes."""
    hash_, count = 0xCBF29CE484222325, 0
    def add(data):
        nonlocal hash_
        for byte in data:
            hash_ = (hash_ ^ byte) * 0x100000001B3 & (1 << 64) - 1
    for c, h in sorted(t.to.items()):
        if 128 <= c < 65536:
            count += 1
            add(c.to_bytes(3, "little") + bytes.fromhex(h))
    shown = [h for h in t.come if int(h[:2], 16) >= 128 and not (e == "GB18030" and len(h) == 8)]
    shown = [h for h in shown if e != "EUC_TW" or len(h) < 8 or int(h[2:4], 16) <= 0xA7]
    for h in sorted(shown, key=lambda h: (len(h), h)):
        count += 1
        add(bytes.fromhex(h) + b"".join(c.to_bytes(3, "little") for c in t.come[h]))
    print(f'    ("{e}", {count}, 0x{hash_:016x}),')


if __name__ == "__main__":
    main(*sys.argv[1:])
