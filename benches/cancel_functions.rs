//! How long built-in functions go on after `statement_timeout` when a value of theirs is very long.
//!
//! `cargo bench --bench cancel_functions [-- WORD]` calls every immutable or stable function of `pg_catalog` (those whose name contains WORD) with a long
//! value for one of its arguments, and casts long values from and to text. A line for each call in which the statement was ever late by more than 50 ms.

#![allow(clippy::expect_used)]

use std::time::{Duration, Instant};

use pglite::{Database, Session, params};

/// What a statement is given to come to its end.
const LONGEST: Duration = Duration::from_secs(3);

/// Lines are printed for those that end later.
const SHOWN: Duration = Duration::from_millis(50);

/// Long values by type; `K` stands for a thousand, or for CANCEL_SCALE.
const SETUP: &str = "
    CREATE TABLE v (t text, w text, h text, b bytea, j json, jb jsonb, x xml, ia int4[], ta text[], n numeric, vb varbit, mr int4multirange, po polygon, pa path, tv tsvector,
        nn numeric[]);
    ALTER TABLE v ALTER t SET STORAGE EXTERNAL, ALTER w SET STORAGE EXTERNAL, ALTER h SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL,
        ALTER j SET STORAGE EXTERNAL, ALTER jb SET STORAGE EXTERNAL, ALTER x SET STORAGE EXTERNAL, ALTER ia SET STORAGE EXTERNAL, ALTER ta SET STORAGE EXTERNAL;
    INSERT INTO v SELECT s, repeat('ä', 60000 * K), repeat('1011', 30000 * K), s::bytea,
        ('[' || repeat('[1, 2, {\"a\": \"b\"}], ', 6000 * K) || '1]')::json, ('{\"k\": [' || repeat('[1, 2, {\"a\": \"b\"}], ', 6000 * K) || '1]}')::jsonb,
        ('<a>' || repeat('<b c=\"d\">text</b>', 4000 * K) || '</a>')::xml,
        (SELECT array_agg(g) FROM generate_series(1, 6000 * K) g), (SELECT array_agg('word ' || g) FROM generate_series(1, 4000 * K) g),
        power(7::numeric, 100000) / 3, repeat('1011', 30000 * K)::varbit,
        (SELECT range_agg(int4range(a, a + 1)) FROM generate_series(1, 9000 * K, 3) a),
        ('(' || repeat('(1,2),', 3000 * K) || '(0,0))')::polygon, ('(' || repeat('(1,2),', 3000 * K) || '(0,0))')::path,
        (SELECT string_agg('w' || g || ':1,2,3', ' ') FROM generate_series(1, 60 * K) g)::tsvector,
        (SELECT array_agg(g / 7.0) FROM generate_series(1, 3000 * K) g)
        FROM (SELECT repeat('Zeichen und ', 10000 * K) AS s) q;
";

/// Type of an argument, long values of it.
const LONG: &[(&str, &[&str])] = &[
    ("text", &["t", "w", "h"]),
    ("bpchar", &["t::bpchar"]),
    ("bytea", &["b"]),
    ("json", &["j"]),
    ("jsonb", &["jb"]),
    ("xml", &["x"]),
    ("anyarray", &["ia", "ta"]),
    ("anycompatiblearray", &["ia", "ta"]),
    ("anyelement", &["t"]),
    ("anycompatible", &["t"]),
    ("any", &["t", "jb", "ia"]),
    ("text[]", &["ta"]),
    ("numeric", &["n"]),
    ("numeric[]", &["nn"]),
    ("bit", &["vb::bit(120000000)"]),
    ("varbit", &["vb"]),
    ("anymultirange", &["mr"]),
    ("polygon", &["po"]),
    ("path", &["pa"]),
    ("tsvector", &["tv"]),
];

/// Type of another argument, short values to try.
const SHORT: &[(&str, &[&str])] = &[
    (
        "text",
        &[
            "'und'",
            "'base64'",
            "'hex'",
            "'escape'",
            "'UTF8'",
            "'Z.*x'",
            "'{a,b}'",
            "'9'",
            "'%s %I %L'",
        ],
    ),
    ("bpchar", &["'und'"]),
    ("bytea", &["'und'"]),
    ("json", &["'{\"a\": 1}'"]),
    ("jsonb", &["'{\"a\": 1}'", "'[1]'"]),
    ("xml", &["'<a/>'"]),
    ("name", &["'UTF8'", "'LATIN1'"]),
    ("int4", &["5", "50000000"]),
    ("int8", &["5", "50000000"]),
    ("int2", &["5"]),
    ("bool", &["false", "true"]),
    ("oid", &["25"]),
    ("numeric", &["3", "0.5"]),
    ("float8", &["0.5"]),
    ("anyarray", &["'{5,7}'"]),
    ("anycompatiblearray", &["'{5,7}'"]),
    ("anyelement", &["5", "'x'::text"]),
    ("anycompatible", &["5", "'x'::text"]),
    ("any", &["5"]),
    ("text[]", &["'{k,a}'"]),
    ("varbit", &["B'101'"]),
    ("bit", &["B'101'"]),
    ("anymultirange", &["'{[5,6)}'"]),
    ("anyrange", &["'[5,6)'::int4range"]),
    ("polygon", &["'((0,0),(1,1))'"]),
    ("path", &["'((0,0),(1,1))'"]),
    ("point", &["'(0,1)'"]),
    ("box", &["'(0,1),(2,3)'"]),
    ("lseg", &["'(0,1),(2,3)'"]),
    ("circle", &["'<(0,1),2>'"]),
    ("tsvector", &["'a b'"]),
    ("tsquery", &["'w1 & w2'"]),
    ("regconfig", &["'simple'", "'english'"]),
    ("regdictionary", &["'simple'"]),
    ("jsonpath", &["'$.k[*] ? (@.a == \"c\")'", "'$'"]),
    ("\"char\"", &["'a'"]),
    ("\"char\"[]", &["'{a}'"]),
    ("int4[]", &["'{1,2}'"]),
    ("timestamp", &["'2000-01-01'"]),
    ("timestamptz", &["'2000-01-01'"]),
    ("interval", &["'1 day'"]),
    ("date", &["'2000-01-01'"]),
];

/// Other statements: casts, comparisons of long values that are equal, aggregates, the client's conversions.
const OTHERS: &[&str] = &[
    "SELECT t::bytea FROM v",
    "SELECT b::text FROM v",
    "SET LOCAL bytea_output = escape; SELECT b::text FROM v",
    "SELECT ('\\\\x' || h)::bytea FROM v",
    "SELECT t::json FROM v",
    "SELECT j::text::json FROM v",
    "SELECT j::text::jsonb FROM v",
    "SELECT jb::text FROM v",
    "SELECT j::jsonb FROM v",
    "SELECT jb::json FROM v",
    "SELECT x::text::xml FROM v",
    "SELECT x::text FROM v",
    "SELECT ia::text FROM v",
    "SELECT ia::text::int4[] FROM v",
    "SELECT ta::text::text[] FROM v",
    "SELECT ia::int8[] FROM v",
    "SELECT ta::varchar(3)[] FROM v",
    "SELECT h::varbit FROM v",
    "SELECT vb::text FROM v",
    "SELECT vb::bit(1000) FROM v",
    "SELECT mr::text::int4multirange FROM v",
    "SELECT po::text::polygon FROM v",
    "SELECT pa::text FROM v",
    "SELECT tv::text::tsvector FROM v",
    "SELECT t::varchar(10) FROM v",
    "SELECT t::varchar(10000000) FROM v",
    "SELECT t::name FROM v",
    "SELECT t::\"char\" FROM v",
    "SELECT w::char(10) FROM v",
    "SELECT h::numeric FROM v",
    "SELECT ('\"' || t || '\"')::jsonb FROM v",
    "SELECT ('\"' || w || '\"')::json ->> 0 FROM v",
    "SELECT count(*) FROM v a JOIN v c ON a.t = c.t",
    "SELECT count(*) FROM v a JOIN v c ON a.jb = c.jb",
    "SELECT count(*) FROM v a JOIN v c ON a.ia = c.ia",
    "SELECT count(*) FROM v a JOIN v c ON a.ta = c.ta",
    "SELECT count(*) FROM v a JOIN v c ON a.mr = c.mr",
    "SELECT count(*) FROM v a JOIN v c ON a.vb = c.vb",
    "SELECT DISTINCT t FROM v, generate_series(1, 5)",
    "SELECT t FROM v, generate_series(1, 5) ORDER BY t, w",
    "SELECT ia FROM v, generate_series(1, 5) GROUP BY ia",
    "SELECT t FROM v, generate_series(1, 5) g ORDER BY t || g",
    "SELECT jb FROM v, generate_series(1, 5) ORDER BY jb",
    "SELECT max(t), min(w) FROM v, generate_series(1, 5)",
    "SELECT array_agg(t) FROM v, generate_series(1, 3)",
    "SELECT array_agg(ia) FROM v, generate_series(1, 3)",
    "SELECT json_agg(t) FROM v",
    "SELECT jsonb_agg(t) FROM v",
    "SELECT jsonb_agg(jb) FROM v",
    "SELECT json_agg(ia) FROM v",
    "SELECT jsonb_agg(ia) FROM v",
    "SELECT jsonb_object_agg('a', t) FROM v",
    "SELECT xmlagg(x) FROM v",
    "SELECT string_agg(b, b) FROM v, generate_series(1, 3)",
    "SELECT xmlelement(name a, t) FROM v",
    "SELECT xmlforest(t, w) FROM v",
    "SELECT xmlparse(content t) FROM v",
    "SELECT xmlserialize(content x AS text INDENT) FROM v",
    "SELECT xmlpi(name a, t) FROM v",
    "SELECT xmlconcat(x, x) FROM v",
    "SELECT xmlroot(x, version '1.0') FROM v",
    "SELECT x IS DOCUMENT FROM v",
    "SELECT count(*) FROM v, xmltable('/a/b' PASSING x COLUMNS c text PATH '@c')",
    "SELECT count(*) FROM v, json_table(jb, '$.k[*]' COLUMNS (a text PATH '$.a'))",
    "SELECT json_value(jb, '$.k[2]') FROM v",
    "SELECT json_query(jb, '$.k') FROM v",
    "SELECT j IS JSON ARRAY WITH UNIQUE KEYS FROM v",
    "SELECT json_object('a': t) FROM v",
    "SELECT json_array(t, w) FROM v",
    "SELECT json_scalar(t) FROM v",
    "SELECT json_serialize(jb) FROM v",
    "SELECT json(t) FROM v",
    "SELECT jb -> 'k' -> 5 FROM v",
    "SELECT jb['k'][3] FROM v",
    "SELECT ia[5:5000000] FROM v",
    "SELECT 5 = ANY (ia) FROM v",
    "SELECT 'x' <> ALL (ta) FROM v",
    "SELECT row(t, w)::text FROM v",
    "SELECT row_to_json(v) FROM v",
    "SELECT hash_record(v) FROM v",
    "SELECT v::text FROM v",
    "SELECT greatest(t, w) FROM v",
    "SELECT t COLLATE \"C\" < w FROM v",
    "COPY (SELECT t, w FROM v) TO '/dev/null'",
    "COPY (SELECT b, ia FROM v) TO '/dev/null'",
    "COPY (SELECT t, b, ia, jb FROM v) TO '/dev/null' (FORMAT binary)",
    "COPY (SELECT t, w FROM v) TO '/dev/null' (FORMAT csv)",
    "COPY (SELECT t, w FROM v) TO '/dev/null' (ENCODING 'LATIN1')",
    "CREATE TABLE c AS SELECT * FROM v",
    "UPDATE v SET t = t || 'x', j = ('[' || j || ']')::json",
    "INSERT INTO v SELECT * FROM v",
    "CREATE INDEX ON v USING hash (t)",
    "ALTER TABLE v ALTER t TYPE varchar",
    "SELECT like_escape(t, '#') FROM v",
    "SELECT t LIKE '%q%' FROM v",
    "SELECT t ILIKE '%Q%' FROM v",
    "SELECT t SIMILAR TO '%(q|x)%' FROM v",
    "SELECT w LIKE '%ö_%' FROM v",
    "SELECT t LIKE 'Z%' || t FROM v",
    "SELECT lower(w), upper(w), initcap(w) FROM v",
    "SELECT trim(both 'ä' FROM w) FROM v",
    "SELECT normalize(w, NFD), w IS NFC NORMALIZED FROM v",
    "SELECT xpath('/a/b[@c=\"e\"]', x) FROM v",
    "SELECT xmlexists('/a/x' PASSING x) FROM v",
    "SELECT ts_headline('simple', t, 'und & x'::tsquery) FROM v",
    "SELECT count(*) FROM v, ts_parse('default', t)",
    "SELECT format('%s', t), format('%L', t), format('%I', t) FROM v",
    "SELECT t::regclass FROM v",
    "SELECT t::int4 FROM v",
    "SELECT t::timestamp FROM v",
    "SELECT h::bit(5) FROM v",
    "SELECT n * n, n / 7.3, n % 9.1, sqrt(n) FROM v",
    "SELECT exp(100.5), ln(n), log(n), n ^ 1.5 FROM v",
    "SELECT n::text::numeric, to_char(n, '9'), n::int8 FROM v",
    "SELECT sum(n), avg(n), stddev(n) FROM v, generate_series(1, 50)",
    "SELECT variance(x) FROM v, unnest(nn) x",
    "SELECT mr + mr, mr * mr, mr - mr FROM v",
    "SELECT mr && mr, mr @> 5, mr << mr FROM v",
    "SELECT po && po, po @> po, pa <-> pa FROM v",
    "DO $$ DECLARE s text; BEGIN SELECT t INTO s FROM v; s := s || s; s := upper(s); END $$",
    "SELECT pg_column_size(t), pg_column_size(ia) FROM v",
    "SELECT string_to_array(t, NULL) FROM v",
    "SELECT array_to_json(ia), to_json(ta), to_jsonb(ta) FROM v",
];

fn main() {
    let word = std::env::args().skip(1).find(|a| !a.starts_with("--"));
    let directory = tempfile::tempdir().expect("a directory");
    let db = Database::open(directory.path()).expect("a database");
    let mut session = db.session().expect("a session");
    let scale = std::env::var("CANCEL_SCALE").unwrap_or("1000".into());
    session
        .batch_execute(&SETUP.replace('K', &scale))
        .expect("values");
    println!("| late ms | cancelled after ms | ran for ms | statement |\n|---|---|---|---|");
    for sql in OTHERS {
        if word.as_ref().is_none_or(|w| sql.contains(w.as_str())) {
            measure(&mut session, sql);
        }
    }
    for (name, types) in functions(&mut session) {
        if word.as_ref().is_none_or(|w| name.contains(w.as_str())) {
            for sql in calls(&name, &types) {
                measure(&mut session, &sql);
            }
        }
    }
}

/// Names and argument types of functions.
fn functions(session: &mut Session) -> Vec<(String, Vec<String>)> {
    let sql = "SELECT DISTINCT quote_ident(proname), (SELECT string_agg(format_type(t, NULL), ';' ORDER BY o) FROM unnest(proargtypes::oid[]) WITH ORDINALITY u(t, o))
        FROM pg_proc WHERE prokind = 'f' AND provolatile <> 'v' AND pronargs > 0 AND prorettype <> 'internal'::regtype AND NOT 'internal'::regtype = ANY (proargtypes::oid[])
        AND NOT 'cstring'::regtype = ANY (proargtypes::oid[]) AND pronamespace = 'pg_catalog'::regnamespace ORDER BY 1, 2";
    let rows = session.query(sql, params![]).expect("functions");
    let mut out = Vec::new();
    for row in &rows {
        let types: String = row.get(1).expect("types");
        out.push((row.get(0).expect("a name"), types.split(';').map(plain).collect()));
    }
    out
}

fn plain(t: &str) -> String {
    match t {
        "character varying" => "text",
        "character" => "bpchar",
        "integer" => "int4",
        "bigint" => "int8",
        "smallint" => "int2",
        "boolean" => "bool",
        "double precision" => "float8",
        "bit varying" => "varbit",
        "integer[]" => "int4[]",
        "timestamp without time zone" => "timestamp",
        "timestamp with time zone" => "timestamptz",
        other => other,
    }
    .to_owned()
}

fn find(table: &[(&'static str, &'static [&'static str])], t: &str) -> &'static [&'static str] {
    table
        .iter()
        .find(|(name, _)| *name == t)
        .map_or(&[], |(_, values)| values)
}

/// A call for each long value of each argument, and with long values for all.
fn calls(name: &str, types: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    for (k, t) in types.iter().enumerate() {
        for long in find(LONG, t) {
            let rounds = types
                .iter()
                .enumerate()
                .filter(|(i, _)| *i != k)
                .map(|(_, t)| find(SHORT, t).len())
                .max()
                .unwrap_or(1);
            for round in 0..rounds.max(1) {
                let args = types.iter().enumerate().map(|(i, t)| {
                    if i == k {
                        return (*long).to_owned();
                    }
                    let values = find(SHORT, t);
                    let value = values
                        .get(round.min(values.len().saturating_sub(1)))
                        .copied()
                        .unwrap_or("NULL");
                    if t.starts_with("any") {
                        value.to_owned()
                    } else {
                        format!("({value})::{t}")
                    }
                });
                let args: Vec<String> = args.collect();
                out.push(format!("SELECT {name}({}) IS NULL FROM v", args.join(", ")));
            }
        }
    }
    if types.len() > 1 {
        for round in 0..3 {
            let args: Option<Vec<_>> = types.iter().map(|t| find(LONG, t).get(round).copied()).collect();
            out.extend(args.map(|args| format!("SELECT {name}({}) IS NULL FROM v", args.join(", "))));
        }
    }
    out
}

/// Runs a statement to its end, or for so long; then cancels it after some parts of that time, and tells how late it ended.
fn measure(session: &mut Session, sql: &str) {
    let whole = run(session, sql, LONGEST);
    let mut late = (Duration::ZERO, Duration::ZERO);
    for part in [0.3, 0.8] {
        let limit = whole.mul_f64(part).max(Duration::from_millis(1));
        let over = run(session, sql, limit).saturating_sub(limit);
        late = late.max((over, limit));
    }
    if late.0 > SHOWN {
        println!(
            "| {} | {} | {} | {sql} |",
            late.0.as_millis(),
            late.1.as_millis(),
            whole.as_millis()
        );
    }
}

/// How long a statement runs under a limit.
fn run(session: &mut Session, sql: &str, limit: Duration) -> Duration {
    let begin = format!(
        "BEGIN; SET LOCAL work_mem = '2GB'; SET LOCAL statement_timeout = {}",
        limit.as_millis()
    );
    session.batch_execute(&begin).expect("begin");
    let began = Instant::now();
    // Wrong arguments are as good as right ones.
    let _ = session.batch_execute(sql);
    let took = began.elapsed();
    session.batch_execute("ROLLBACK").expect("rollback");
    took
}
