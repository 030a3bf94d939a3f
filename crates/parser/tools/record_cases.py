#!/usr/bin/env python3
"""Records what PostgreSQL says to our own statements and to one-token mutants of them.

usage: python3 crates/parser/tools/record_cases.py postgresql://... > crates/parser/tests/data/recorded.tsv

Reads tests/data/statements.txt beside it. Needs psycopg. Nothing is executed: each text goes out with a marker behind it
that is a syntax error of its own, and PostgreSQL parses the whole string before it runs any of it. One line a case:
verdict (`ok` or SQLSTATE), 0-based byte position (-1 if none), statement, message; newlines, tabs and backslashes escaped.
"""
import os
import random
import re
import sys

import psycopg
from psycopg.pq import DiagnosticField as Field

here = os.path.dirname(os.path.abspath(__file__))
pg = psycopg.connect(sys.argv[1], autocommit=True).pgconn
random.seed(18)
TOKEN = re.compile(r"""\s+|[eE]?'(?:[^'\\]|\\.|'')*'|"[^"]*"|\$\w*\$.*?\$\w*\$|[^\W\d][\w$]*|\d+(?:\.\d+)?|::|<=|>=|<>|!=|:=|=>|.""", re.S)
WORDS = "select from where ( ) , . ; a 1 'x' null not as on in set = + * [ ] :: values table with order by all default $1 row".split()


def ask(sql):
    def run(text):
        result = pg.exec_(text.encode())
        get = lambda f: (result.error_field(f) or b"").decode()
        position = get(Field.STATEMENT_POSITION)
        return get(Field.SQLSTATE), int(position) - 1 if position else -1, get(Field.MESSAGE_PRIMARY)

    # CHECKPOINT is no rule action: an unclosed list of rule actions must not swallow the marker.
    tail = "\n;CHECKPOINT;%"
    marker = len(sql) + len(tail) - 1
    state, position, message = run(sql + tail)
    if (state, position, message) == ("42601", marker, 'syntax error at or near "%"'):
        return "ok", -1, ""
    if position >= len(sql) or tail in message:
        # The error lies in the marker: ask without it (it is an error all the same).
        state, position, message = run(sql)
        if state != "42601":
            return None
    if position >= 0:
        position = len(sql[:position].encode())
    return state, position, message


def mutants(sql):
    tokens = TOKEN.findall(sql)
    places = [n for n, t in enumerate(tokens) if not t.isspace()]
    for _ in range(min(9, len(places))):
        out = list(tokens)
        at = random.choice(places)
        kind = random.randrange(4)
        if kind == 0:
            out[at] = ""
        elif kind == 1:
            out[at] = random.choice(WORDS)
        elif kind == 2:
            out[at] = random.choice(WORDS) + " " + out[at]
        else:
            out = out[: at + 1]
        yield "".join(out).strip()


def escape(text):
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")


seen = set()
for line in open(os.path.join(here, "../tests/data/statements.txt"), encoding="utf8"):
    sql = line.rstrip("\n")
    for text in [sql, *mutants(sql)]:
        if not text or text in seen or ("ATOMIC" in text and not text.endswith("END")):
            continue
        seen.add(text)
        answer = ask(text)
        if answer:
            state, position, message = answer
            print(state, position, escape(text), escape(message), sep="\t")
