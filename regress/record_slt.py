#!/usr/bin/env python3
"""Writes the expected results of slt/*.slt as a real PostgreSQL gives them: record_slt.py [FILE...].

Each file runs in a fresh database through psql (of the oracle); statements, comments and order stay as they are, results and
error texts are replaced. The types after `query` are the file's own, one letter per column."""

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
MARK = "@@ record "


def oracle(*args):
    common = subprocess.run(["git", "rev-parse", "--path-format=absolute", "--git-common-dir"],
                            cwd=HERE, capture_output=True, text=True, check=True).stdout.strip()
    script = os.environ.get("PGLITE_ORACLE_SH") or str(Path(common).parent.parent / "shared/pg18/oracle.sh")
    return subprocess.run(["bash", script, *args], capture_output=True, text=True, check=True).stdout.strip()


def records(text):
    """The file as (head line or None, lines of SQL or of comments)."""
    for block in re.split(r"\n{2,}", text.strip()):
        lines = block.split("\n")
        comments = []
        while lines and (lines[0].startswith("#") or not lines[0]):
            comments.append(lines.pop(0))
        if comments:
            yield None, comments
        if not lines:
            continue
        if re.match(r"(statement|query)\b", lines[0]):
            end = lines.index("----") if "----" in lines else len(lines)
            yield lines[0], lines[1:end]
        else:
            yield None, lines


def run(psql, url, sqls):
    script = ["\\set VERBOSITY terse", "\\pset null NULL"]
    for n, sql in enumerate(sqls):
        script += [f"\\echo '{MARK}{n}'", sql + "\n;"]
    done = subprocess.run([psql, "-X", "-q", "-A", "-t", "-F", "\t", url], input="\n".join(script) + "\n",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True,
                          env={**os.environ, "LC_MESSAGES": "C"})
    parts = re.split(rf"^{MARK}\d+\n", done.stdout, flags=re.M)
    return [part.split("\n")[:-1] for part in parts[1:]]


def one_value(value):
    return value if value else "(empty)"


def recorded(head, sql, output):
    error = next((m.group(1) for line in output if (m := re.match(r"ERROR:  (.*?)(?: at character \d+)?$", line))), None)
    if error is not None:
        return ["statement error " + re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", error), *sql]
    if head.startswith("statement"):
        return ["statement ok", *sql]
    rows = [" ".join(one_value(v) for v in line.split("\t")) for line in output]
    return [head, *sql, "----", *rows]


def main():
    psql = oracle("bin") + "/psql"
    url = oracle("url")
    database = url.rsplit("/", 1)[0] + "/pglite_record_slt"
    for path in map(Path, sys.argv[1:] or sorted((HERE / "slt").glob("*.slt"))):
        subprocess.run([psql, "-X", "-q", url, "-c", "DROP DATABASE IF EXISTS pglite_record_slt",
                        "-c", "CREATE DATABASE pglite_record_slt TEMPLATE template0"],
                       check=True, stderr=subprocess.DEVNULL)
        parts = list(records(path.read_text()))
        outputs = iter(run(psql, database, ["\n".join(sql) for head, sql in parts if head]))
        blocks = []
        comments = []
        for head, lines in parts:
            if head is None:
                comments += lines
                continue
            blocks.append("\n".join(comments + recorded(head, lines, next(outputs))))
            comments = []
        if comments:
            blocks.append("\n".join(comments))
        path.write_text("\n\n".join(blocks) + "\n")
    subprocess.run([psql, "-X", "-q", url, "-c", "DROP DATABASE IF EXISTS pglite_record_slt"], check=True)


main()
