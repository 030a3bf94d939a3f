#!/usr/bin/env python3
"""Records what PostgreSQL 18 answers: rewrites corpus files `expr ==> result` in place (results are replaced).

usage: record.py PSQL-URL FILE...     (PSQL from $PSQL, default `psql`)
Lines: `# comment`, `set NAME VALUE` (a setting), everything else an expression. A result is the text the output function
prints, `NULL`, or `!SQLSTATE message` with ` | DETAIL: `, ` | HINT: `, ` | CONTEXT: `; newlines are written as `\\n`.
"""
import os
import subprocess
import sys

PRELUDE = r"""
\set QUIET on
\pset format unaligned
\pset tuples_only on
create or replace function pg_temp.probe(e text) returns text language plpgsql as $f$
declare r text; s text; m text; d text; h text; c text;
begin
  execute 'select case when x is null then ''NULL'' else format(''%s'', x) end from (select (' || e || ') as x) as q' into r;
  return replace(replace(replace(r, '\', '\\'), E'\n', '\n'), E'\r', '\r');
exception when others then
  get stacked diagnostics s = returned_sqlstate, m = message_text, d = pg_exception_detail, h = pg_exception_hint,
    c = pg_exception_context;
  r := '!' || s || ' ' || m;
  if d <> '' then r := r || ' | DETAIL: ' || d; end if;
  if h <> '' then r := r || ' | HINT: ' || h; end if;
  if c like 'JSON data%' then r := r || ' | CONTEXT: ' || split_part(c, E'\n', 1); end if;
  return replace(replace(replace(r, '\', '\\'), E'\n', '\n'), E'\r', '\r');
end $f$;
"""


def main():
    url, files = sys.argv[1], sys.argv[2:]
    for path in files:
        lines = open(path, encoding="utf-8").read().split("\n")
        exprs = []
        script = [PRELUDE]
        for line in lines:
            text = line.strip()
            if text.startswith("set "):
                _, name, value = text.split(" ", 2)
                script.append(f"set {name} to {value};")
            elif text and not text.startswith("#"):
                expr = line.split(" ==> ")[0].strip()
                exprs.append(expr)
                script.append("select pg_temp.probe($probe$" + expr + "$probe$);")
        run = subprocess.run(
            [os.environ.get("PSQL", "psql"), "-X", "-q", url],
            input="\n".join(script), capture_output=True, text=True, encoding="utf-8")
        if run.stderr:
            print(run.stderr, file=sys.stderr)
        results = run.stdout.split("\n")[: len(exprs)]
        assert len(results) == len(exprs), (len(results), len(exprs))
        answers = iter(zip(exprs, results))
        out = []
        for line in lines:
            text = line.strip()
            if not text or text.startswith("#") or text.startswith("set "):
                out.append(line)
            else:
                expr, result = next(answers)
                out.append(f"{expr} ==> {result}")
        open(path, "w", encoding="utf-8").write("\n".join(out))
        print(f"{path}: {len(exprs)} expressions")


main()
