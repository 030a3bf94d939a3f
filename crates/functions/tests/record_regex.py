#!/usr/bin/env python3
"""Records what PostgreSQL answers to regexp_match and to where matches lie, over pools of patterns and texts.

Writes tests/data/regex.tsv: pattern, flags, text, start and end of the first match, its groups, or `!SQLSTATE message`.
Usage: record_regex.py PSQL-COMMAND...   e.g. record_regex.py bash shared/pg18/oracle.sh psql
"""
import csv
import io
import os
import subprocess
import sys

PATTERNS = [
    "", "a", "abc", "a|ab|abc", "(a|ab)(c|bcd)(d*)", "(a*)(ab)*(b*)", "(a?)(ab)?", "a*?b", "(a*?)(a*)", "(a+?)(b*)", "x*", "(x*)*", "(a*)+",
    "(a|b)*", "(a|b)*?c", "(?:a|b){2,3}", "(a{1,2}){2}", "(a|ab){2}", "(ab|a)(bc|c)?", "XY*?(.*)Y", "Y*([0-9]{1,3})", "Y*?([0-9]{1,3})",
    "(.*?)([0-9]+)$", "(?:.*?)([0-9]+)", "(.*)([0-9]+)(.*)", "(.*?)([0-9]+)(.*)", "(?:(.*?)(.*)){1,1}", "[[:alpha:]]+", "[^a-c]+",
    "[]a]+", "[^]a]+", "[a-]", "[--0]+", "a{0}b", "a{,2}", "a{2", "a{3,2}", "a{256}", "(?=b)b", "a(?=b)", "a(?!b)", "(?<=a)b", "(?<!a)b",
    "(?<=a*)b", "(?<!aa)b+", "(a)\\1", "(a*)\\1", "(a|b)\\1+", "(.)(.)\\2\\1", "(a)|b\\1", "((a)b)\\2", "(\\w+)\\s\\1", "\\1(a)", "(a\\1)",
    "\\mab\\M", "\\yab\\y", "\\Yb", "^a", "a$", "^$", "\\Aab", "b\\Z", "[[:<:]]a", "b[[:>:]]", "a\\.b", "\\d+", "\\D+", "\\w+", "\\W+", "[\\d]+",
    "[\\w-]+", "\\s", "\\u0061", "\\x61", "\\U00000061", "\\101", "\\012", "[[.a.]]b", "[[=a=]]b", "[[.hyphen.]]", "[[.xx.]]", "[[:foo:]]",
    "[b-a]", "[a", "(a", "a)", "*a", "a**", "a+*", "(?i)AB", "(?x) a b # c", "(?n)^b", "(?w)b$", "(?p)a.b", "(?s)a.b", "(?z)a", "***=a.b", "***:a.b",
    "***a", "(?q)a.b", "a.b", "a\\", "\\q", "(?<a)", "(?a)b", "(?#comment)a", "()", "a||b", "(|a)+", "(a|)+b", "((a)|(b))*", "(?:(a)|b)*",
    "(a(b)?)+", "^(a(b)?)+$", "(ab?)(b?a)", "(a+|b+)*c", "(?:a+)+$", "foo|foobar|fo", "(foo|foobar)(bar)?", "a{2,3}?", "(a{2,3}?)(a*)", "a{2}?b",
    "(a|b|c|d|e){4}", "[a-c]{2,}", "(\\d+)-(\\d+)", "([^,]*),(.*)", "^([^@]+)@([^.]+)\\.(.*)$", "\\$\\{[a-z]+\\}", "é+", "[à-ü]", ".é",
    "(^|,)b", "b(,|$)", "(a)(?:b)(c)", "((((a))))", "(a)?(b)?", "((a)?b)*", "(a*)(b|abc)(c*)", "(a*)(b|abc)", "a(b|c)*?d", "(b*)*?c",
]
TEXTS = [
    "", "a", "b", "ab", "abc", "abcd", "aaa", "aab", "abab", "ababab", "xabcy", "aabb", "abba", "XY1234Z", "abc0123xyz", "foo bar foo foo", "a.b",
    "a\nb", "b\na", "AB", "a-b,c", "foobar", "john@example.com", "été", "aé", "${abc}", "2023-11", "cabac", "]a^-", "\ta b", "b,a", "aaaaaaaac", "ac",
]


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    rows = []
    for p in PATTERNS:
        for k, t in enumerate(TEXTS):
            flags = ["", "i", "n", "p", "w", "x", "e"][(len(rows) * 7 + k) % 31] if (len(rows) * 7 + k) % 31 < 7 else ""
            rows.append((p, flags, t))
    data = io.StringIO()
    csv.writer(data).writerows(rows)
    sql = """set client_min_messages = error;
create or replace function pg_temp.answer(p text, f text, s text) returns text language plpgsql as $$
begin return (select regexp_instr(s, p, 1, 1, 0, f) || ' ' || regexp_instr(s, p, 1, 1, 1, f) || ' ' || coalesce(regexp_match(s, p, f)::text, '-'));
exception when others then return '!' || sqlstate || ' ' || sqlerrm; end $$;
create temp table r(n serial, p text, f text, s text);
copy r(p, f, s) from stdin (format csv, force_not_null (p, f, s));
""" + data.getvalue() + "\\.\ncopy (select p, f, s, pg_temp.answer(p, f, s) from r order by n) to stdout;"
    answer = subprocess.run(sys.argv[1:] + ["-qAt", "-v", "ON_ERROR_STOP=1"], input=sql, text=True, stdout=subprocess.PIPE, check=True).stdout
    with open(os.path.join(here, "data", "regex.tsv"), "w") as f:
        f.write(answer)
    print(answer.count("\n"), "recorded")


main()
