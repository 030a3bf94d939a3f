//! SQL/XML through the public API. PostgreSQL's own regression file `xml` has the bulk (see `regress/`); here stands what it leaves out.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use pglite::{Database, Session, params};

fn session() -> Session {
    Database::memory().unwrap().session().unwrap()
}

fn text(s: &mut Session, sql: &str) -> Option<String> {
    let row = s.query_one(format!("SELECT ({sql})::text"), params![]);
    row.unwrap_or_else(|e| panic!("{sql}: {e}")).get(0).unwrap()
}

fn check(s: &mut Session, sql: &str, expected: Option<&str>) {
    assert_eq!(text(s, sql).as_deref(), expected, "{sql}");
}

/// SQLSTATE, message and detail.
fn refused(s: &mut Session, sql: &str) -> (String, String, String) {
    let e = s.query_one(sql, params![]).expect_err(sql);
    (
        e.code().to_owned(),
        e.message().to_owned(),
        e.detail().unwrap_or_default().to_owned(),
    )
}

#[test]
fn values_are_rendered_as_xml_schema_has_them() {
    let mut s = session();
    s.batch_execute("SET TimeZone = 'UTC'; SET DateStyle = 'SQL, DMY'; CREATE DOMAIN d AS date")
        .unwrap();
    check(
        &mut s,
        "xmlelement(name a, '2001-02-03'::d)",
        Some("<a>2001-02-03</a>"),
    );
    check(
        &mut s,
        "xmlelement(name a, timestamptz '2001-02-03 04:05:06.5+00')",
        Some("<a>2001-02-03T04:05:06.5+00:00</a>"),
    );
    check(
        &mut s,
        "xmlelement(name a, xmlattributes(ARRAY['x', NULL, '<'] AS b))",
        Some("<a b=\"&lt;element&gt;x&lt;/element&gt;&lt;element&gt;&amp;lt;&lt;/element&gt;\"/>"),
    );
    check(&mut s, "xmlelement(name a, '')", Some("<a></a>"));
    check(&mut s, "xmlelement(name a, NULL::text)", Some("<a/>"));
    check(&mut s, "xmlforest(NULL::int AS a)", None);
    check(
        &mut s,
        "xmlforest(1 AS \"a b\", 2 AS \"xml:c\")",
        Some("<a_x0020_b>1</a_x0020_b><xml:c>2</xml:c>"),
    );
    let sql = "SELECT xmlelement(name a, date 'infinity')";
    let (code, message, detail) = refused(&mut s, sql);
    assert_eq!(
        (&*code, &*message, &*detail),
        (
            "22008",
            "date out of range",
            "XML does not support infinite date values."
        )
    );
}

#[test]
fn paths_and_their_errors() {
    let mut s = session();
    check(&mut s, "xpath('1 div 3', '<a/>')", Some("{0.3333333333333333}"));
    check(
        &mut s,
        "xpath('//@*', '<a b=\"&lt;\" c=\"d\"/>')",
        Some("{&lt;,d}"),
    );
    let cases = [
        ("SELECT xpath('', '<a/>')", "10608", "empty XPath expression"),
        (
            "SELECT xpath('//a[', '<a/>')",
            "10608",
            "invalid XPath expression",
        ),
        (
            "SELECT xpath('//p:a', '<a/>')",
            "10608",
            "could not create XPath object",
        ),
        (
            "SELECT xpath('/a', 'no')",
            "2200M",
            "could not parse XML document",
        ),
        (
            "SELECT xpath('/a', '<a/>', ARRAY['x'])",
            "22000",
            "invalid array for XML namespace mapping",
        ),
        (
            "SELECT xpath('/a', '<a/>', ARRAY[['x', NULL]])",
            "22004",
            "neither namespace name nor URI may be null",
        ),
        (
            "SELECT xmlvalidate('<a/>', 'x')",
            "0A000",
            "xmlvalidate is not implemented",
        ),
        (
            "SELECT * FROM xmltable('' PASSING '<a/>' COLUMNS x int)",
            "10608",
            "row path filter must not be empty string",
        ),
        (
            "SELECT * FROM xmltable('/a' PASSING '<a>x</a>' COLUMNS x int PATH '.')",
            "22P02",
            "invalid input syntax for type integer: \"x\"",
        ),
        (
            "SELECT * FROM xmltable('/a' PASSING '<a/>' COLUMNS x int, x int)",
            "42601",
            "column name \"x\" is not unique",
        ),
    ];
    for (sql, code, message) in cases {
        let (found_code, found_message, _) = refused(&mut s, sql);
        assert_eq!((&*found_code, &*found_message), (code, message), "{sql}");
    }
}

#[test]
fn hostile_documents_end_in_errors() {
    let mut s = session();
    let (code, _, detail) = refused(&mut s, "SELECT repeat('<a>', 100000)::xml");
    assert_eq!(code, "2200N");
    assert!(detail.contains("Excessive depth in document"), "{detail}");
    let bomb =
        "'<!DOCTYPE a [<!ENTITY b \"' || repeat('x', 10000) || '\">]><a>' || repeat('&b;', 10000) || '</a>'";
    let (code, _, detail) = refused(&mut s, &format!("SELECT ({bomb})::xml"));
    assert_eq!(code, "2200N");
    assert!(
        detail.contains("Maximum entity amplification factor exceeded"),
        "{detail}"
    );
    let (_, message, detail) = refused(&mut s, "SELECT xpath(repeat('(', 100000), '<a/>')");
    assert_eq!(
        (&*message, &*detail),
        ("invalid XPath expression", "Recursion limit exceeded")
    );
}

#[test]
fn views_print_what_they_mean() {
    let mut s = session();
    let view = "CREATE TABLE t (x xml, y int);
        CREATE VIEW v AS SELECT x IS DOCUMENT AS d, xmlroot(x, version '1.1', standalone no value) AS r,
            xmlparse(document 'a' preserve whitespace) AS p, xmlagg(x ORDER BY y) OVER () IS NULL AS n FROM t";
    // Aggregates with ORDER BY are no window functions.
    assert!(s.batch_execute(view).is_err());
    s.batch_execute(
        "CREATE TABLE IF NOT EXISTS t (x xml, y int);
        CREATE VIEW v AS SELECT x IS DOCUMENT AS d, xmlroot(x, version '1.1', standalone no value) AS r,
            xmlparse(document 'a' preserve whitespace) AS p, xmlpi(name \"b c\") AS i FROM t",
    )
    .unwrap();
    check(
        &mut s,
        "pg_get_viewdef('v')",
        Some(
            " SELECT (x IS DOCUMENT) AS d,\n    XMLROOT(x, VERSION '1.1'::text, STANDALONE NO VALUE) AS r,\n    \
             XMLPARSE(DOCUMENT 'a'::text PRESERVE WHITESPACE) AS p,\n    XMLPI(NAME \"b c\") AS i\n   FROM t;",
        ),
    );
}

#[test]
fn aggregates_and_the_document_option() {
    let mut s = session();
    s.batch_execute("CREATE TABLE t (k int, x xml); INSERT INTO t SELECT g % 2, xmlelement(name n, g) FROM generate_series(1, 6) g")
        .unwrap();
    check(
        &mut s,
        "SELECT xmlagg(x ORDER BY x::text DESC) FROM t WHERE k = 0",
        Some("<n>6</n><n>4</n><n>2</n>"),
    );
    check(
        &mut s,
        "SELECT string_agg(k || ':' || a::text, ' ' ORDER BY k) FROM (SELECT k, xmlagg(x) a FROM t GROUP BY k) g",
        Some("0:<n>2</n><n>4</n><n>6</n> 1:<n>1</n><n>3</n><n>5</n>"),
    );
    s.batch_execute("SET xmloption = document").unwrap();
    let (code, message, _) = refused(&mut s, "SELECT 'a<b/>'::xml");
    assert_eq!((&*code, &*message), ("2200M", "invalid XML document"));
    check(&mut s, "xml_is_well_formed('a')", Some("false"));
}

#[test]
fn tables_queries_and_cursors_become_xml() {
    let mut s = session();
    s.batch_execute(
        "CREATE SCHEMA z; CREATE TABLE z.t (a int, \"b c\" text); INSERT INTO z.t VALUES (1, '<x>'), (2, NULL);
        CREATE VIEW endless AS SELECT 1 AS x;
        CREATE OR REPLACE VIEW endless AS SELECT length(query_to_xml('SELECT * FROM endless', true, true, '')::text) AS x",
    )
    .unwrap();
    let root = "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";
    let rows = "<row>\n  <a>1</a>\n  <b_x0020_c>&lt;x&gt;</b_x0020_c>\n</row>\n\n\
        <row>\n  <a>2</a>\n  <b_x0020_c xsi:nil=\"true\"/>\n</row>\n\n";
    let expected = format!("<t {root}>\n\n{rows}</t>\n");
    check(&mut s, "table_to_xml('z.t', true, false, '')", Some(&expected));
    let expected = format!("<table {root} xmlns=\"n\">\n\n{rows}</table>\n");
    check(
        &mut s,
        "query_to_xml('SELECT * FROM z.t ORDER BY a', true, false, 'n')",
        Some(&expected),
    );
    s.batch_execute("BEGIN; DECLARE c CURSOR FOR SELECT g AS a FROM generate_series(1, 5) g")
        .unwrap();
    for expected in ["<a>1</a><a>2</a>", "<a>3</a><a>4</a>", "<a>5</a>", ""] {
        let sql = "xpath('//a', cursor_to_xml('c', 2, false, false, ''))";
        let found = text(&mut s, sql).unwrap();
        assert_eq!(found.trim_matches(['{', '}']).replace(',', ""), expected);
    }
    s.batch_execute("COMMIT").unwrap();
    let cases = [
        (
            "SELECT cursor_to_xml('c', 1, false, false, '')",
            "34000",
            "cursor \"c\" does not exist",
        ),
        (
            "SELECT query_to_xml('VACUUM', false, false, '')",
            "22000",
            "invalid query",
        ),
        (
            "SELECT query_to_xml('DELETE FROM z.t', false, false, '')",
            "0A000",
            "DELETE is not allowed in a non-volatile function",
        ),
        (
            "SELECT schema_to_xml('nix', false, false, '')",
            "3F000",
            "schema \"nix\" does not exist",
        ),
        ("SELECT * FROM endless", "54001", "stack depth limit exceeded"),
    ];
    for (sql, code, message) in cases {
        let (found_code, found_message, _) = refused(&mut s, sql);
        assert_eq!((&*found_code, &*found_message), (code, message), "{sql}");
    }
    // The user's rights count, and what the transaction has not committed is seen.
    s.batch_execute("CREATE ROLE r; GRANT USAGE ON SCHEMA z TO r; SET ROLE r")
        .unwrap();
    let (code, ..) = refused(&mut s, "SELECT table_to_xml('z.t', true, false, '')");
    assert_eq!(code, "42501");
    let empty = format!("<z {root}>\n\n</z>\n");
    check(&mut s, "schema_to_xml('z', true, false, '')", Some(&empty));
}
