//! Collations by language through SQL (feature `icu`): sorts, indexes, aggregates, joins and messages.
//!
//! The orders are facts of CLDR and of the Unicode collation algorithm; `types::collation` has more of them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use pglite::{Database, Session, params};

const COLLATIONS: &str = r#"
    CREATE COLLATION sv (provider = icu, locale = 'sv');
    CREATE COLLATION phonebook (provider = icu, locale = 'de-u-co-phonebk');
    CREATE COLLATION traditional (provider = icu, locale = 'es-u-co-trad');
    CREATE COLLATION numeric (provider = icu, locale = 'en-u-kn');
    CREATE COLLATION upper_first (provider = icu, locale = 'und-u-kf-upper');
    CREATE COLLATION primary_only (provider = icu, locale = 'und-u-ks-level1');
    CREATE COLLATION root (provider = icu, locale = 'und')"#;

fn session() -> Session {
    let db = Database::memory().unwrap();
    let mut session = db.session().unwrap();
    session.batch_execute(COLLATIONS).unwrap();
    session.take_notices();
    session
}

/// The first column, one row after the other.
fn column(session: &mut Session, sql: &str) -> String {
    let rows = session
        .query(sql, params![])
        .unwrap_or_else(|e| panic!("{sql}: {e}"));
    let texts: Vec<String> = rows
        .iter()
        .map(|row| row.get_text(0).unwrap().unwrap_or_else(|| "NULL".to_owned()))
        .collect();
    texts.join("|")
}

/// A table `words` of one column under a collation.
fn words(session: &mut Session, collation: &str, list: &str) {
    session
        .batch_execute(&format!(
            "DROP TABLE IF EXISTS words;
             CREATE TABLE words (w text COLLATE {collation});
             INSERT INTO words SELECT string_to_table('{list}', '|')"
        ))
        .unwrap();
}

fn error(session: &mut Session, sql: &str) -> (String, String) {
    let e = session.batch_execute(sql).unwrap_err();
    (e.code().to_owned(), e.message().to_owned())
}

/// Collation, words in order.
const ORDERS: &[(&str, &str)] = &[
    ("sv", "a|o|z|å|ä|ö"),
    ("phonebook", "ad|ae|ä|af|Göbel|Goethe|Götz|Goldmann"),
    ("traditional", "c|cz|ch|d|l|lz|ll|m|n|nz|ñ|o"),
    ("numeric", "a9|a10|a100|b1"),
    ("upper_first", "A|a|B|b"),
    ("primary_only", "A|a|Ä|á|b"),
    ("root", "a|A|ä|Ä|b|B|z"),
    ("\"unicode\"", "10|9|a|A|ä|b|α|я"),
    ("\"C\"", "A|B|a|b|Ä|ä"),
];

#[test]
fn sorts_indexes_and_aggregates_agree() {
    let mut s = session();
    for (collation, ordered) in ORDERS {
        words(&mut s, collation, ordered);
        let reversed: Vec<&str> = ordered.rsplit('|').collect();
        let (first, last) = (*reversed.last().unwrap(), reversed[0]);
        let reversed = reversed.join("|");
        // Under another order the words stand otherwise, so that the sort has something to do.
        s.batch_execute("CREATE TABLE copy AS SELECT * FROM words ORDER BY md5(w); TRUNCATE words")
            .unwrap();
        s.batch_execute("INSERT INTO words SELECT * FROM copy; DROP TABLE copy")
            .unwrap();
        let check = |s: &mut Session, how: &str| {
            for (sql, expected) in [
                ("SELECT w FROM words ORDER BY w", &*ordered.to_string()),
                ("SELECT w FROM words ORDER BY w DESC", &reversed),
                (
                    "SELECT w FROM words WHERE w IS NOT NULL ORDER BY w LIMIT 1",
                    first,
                ),
                ("SELECT min(w) FROM words", first),
                ("SELECT max(w) FROM words", last),
                ("SELECT DISTINCT w FROM words ORDER BY 1", ordered),
                ("SELECT w FROM words GROUP BY w ORDER BY w", ordered),
                ("SELECT string_agg(w, '|' ORDER BY w) FROM words", ordered),
                (
                    "SELECT w FROM (SELECT w, rank() OVER (ORDER BY w) r FROM words) x ORDER BY r",
                    ordered,
                ),
                (
                    "SELECT a.w FROM words a JOIN words b USING (w) ORDER BY 1",
                    ordered,
                ),
            ] {
                assert_eq!(column(s, sql), expected, "{collation}, {how}: {sql}");
            }
            // Every word is found by each comparison where the order says.
            for (at, word) in ordered.split('|').enumerate() {
                let of = |s: &mut Session, op: &str| {
                    column(s, &format!("SELECT count(*) FROM words WHERE w {op} '{word}'"))
                };
                assert_eq!(of(s, "<"), at.to_string(), "{collation}, {how}: {word}");
                assert_eq!(of(s, "<="), (at + 1).to_string(), "{collation}, {how}: {word}");
                assert_eq!(of(s, "="), "1", "{collation}, {how}: {word}");
                assert_eq!(of(s, "LIKE"), "1", "{collation}, {how}: {word}");
            }
        };
        check(&mut s, "no index");
        s.batch_execute("CREATE UNIQUE INDEX words_w ON words (w); SET enable_seqscan = off; SET enable_sort = off; SET enable_hashagg = off; SET enable_hashjoin = off; SET enable_nestloop = off")
            .unwrap();
        let plan = column(&mut s, "EXPLAIN (COSTS OFF) SELECT w FROM words ORDER BY w");
        assert!(plan.contains("words_w"), "{plan}");
        check(&mut s, "index");
        s.batch_execute("RESET ALL").unwrap();
    }
}

#[test]
fn a_clause_may_name_the_collation() {
    let mut s = session();
    words(&mut s, "\"C\"", "z|ö|å|ä|Z");
    for (clause, expected) in [
        ("w", "Z|z|ä|å|ö"),
        ("w COLLATE sv", "z|Z|å|ä|ö"),
        ("w COLLATE \"unicode\"", "å|ä|ö|z|Z"),
        ("w COLLATE sv DESC", "ö|ä|å|Z|z"),
    ] {
        let sql = format!("SELECT w FROM words ORDER BY {clause}");
        assert_eq!(column(&mut s, &sql), expected, "{clause}");
    }
    assert_eq!(column(&mut s, "SELECT 'ä' < 'z' COLLATE sv"), "f");
    assert_eq!(column(&mut s, "SELECT 'ä' < 'z' COLLATE root"), "t");
    assert_eq!(column(&mut s, "SELECT greatest('ä', 'z' COLLATE sv)"), "ä");
    assert_eq!(column(&mut s, "SELECT least('a10', 'a9' COLLATE numeric)"), "a9");
    assert_eq!(
        column(&mut s, "SELECT 'a5' BETWEEN 'a2' AND 'a10' COLLATE numeric"),
        "t"
    );
    assert_eq!(
        column(&mut s, "SELECT 'a5' BETWEEN 'a2' AND 'a10' COLLATE root"),
        "f"
    );
    assert_eq!(column(&mut s, "SELECT ('x', 'ä') < ('x', 'z' COLLATE sv)"), "f");
    let conflict = error(&mut s, "SELECT 'a' COLLATE sv < 'b' COLLATE root");
    assert_eq!(conflict.0, "42P21");
}

/// Deterministic collations: texts that the language takes for the same stay different.
#[test]
fn equality_is_that_of_bytes() {
    let mut s = session();
    words(&mut s, "primary_only", "a|A|á|a|A");
    for (sql, expected) in [
        ("SELECT count(*) FROM words WHERE w = 'a'", "2"),
        ("SELECT count(DISTINCT w) FROM words", "3"),
        ("SELECT count(*) FROM (SELECT w FROM words GROUP BY w) x", "3"),
        (
            "SELECT count(*) FROM (SELECT w FROM words UNION SELECT 'Á') x",
            "4",
        ),
        ("SELECT count(*) FROM words a JOIN words b USING (w)", "9"),
        ("SELECT count(*) FROM words WHERE w IN ('a', 'Á')", "2"),
        ("SELECT 'a' = 'A' COLLATE primary_only", "f"),
        ("SELECT w FROM words WHERE w LIKE 'A%'", "A|A"),
        (
            "SELECT position('A' IN (w COLLATE primary_only)) FROM words WHERE w = 'a'",
            "0|0",
        ),
    ] {
        assert_eq!(column(&mut s, sql), expected, "{sql}");
    }
    s.batch_execute("CREATE TABLE keys (k text COLLATE primary_only PRIMARY KEY); INSERT INTO keys VALUES ('a'), ('A'), ('á')")
        .unwrap();
    let (code, message) = error(&mut s, "INSERT INTO keys VALUES ('A')");
    assert_eq!(code, "23505");
    assert_eq!(
        message,
        "duplicate key value violates unique constraint \"keys_pkey\""
    );
    assert_eq!(
        column(
            &mut s,
            "INSERT INTO keys VALUES ('a'), ('Á') ON CONFLICT DO NOTHING RETURNING k"
        ),
        "Á"
    );
}

/// An index in a language's order does not serve prefixes: those are ranges of bytes.
#[test]
fn prefixes_do_not_read_an_index_of_a_language() {
    let mut s = session();
    words(&mut s, "traditional", "c|cz|ch|cha|d|C|ç");
    s.batch_execute("CREATE INDEX ON words (w); SET enable_seqscan = off")
        .unwrap();
    assert_eq!(
        column(&mut s, "SELECT w FROM words WHERE w LIKE 'c%' ORDER BY w"),
        "c|cz|ch|cha"
    );
    assert_eq!(
        column(&mut s, "SELECT w FROM words WHERE w ^@ 'ch' ORDER BY w"),
        "ch|cha"
    );
    assert_eq!(
        column(&mut s, "SELECT w FROM words WHERE w ~ '^cz' ORDER BY w"),
        "cz"
    );
}

#[test]
fn partition_keys_compare_bytes_only() {
    let mut s = session();
    for key in ["RANGE (w)", "LIST (w)", "HASH (w)"] {
        let sql = format!("CREATE TABLE p (w text COLLATE sv) PARTITION BY {key}");
        assert_eq!(error(&mut s, &sql).0, "0A000", "{key}");
    }
}

#[test]
fn expressions_compare_by_the_order() {
    let mut s = session();
    for (sql, expected) in [
        (
            "SELECT a FROM (VALUES ('ä', 1), ('z', 2), ('ä', 0)) v (a, b) ORDER BY a COLLATE root, b DESC",
            "ä|ä|z",
        ),
        ("SELECT 'z' = ANY (ARRAY['ä', 'z' COLLATE root])", "t"),
        ("SELECT 'm' > ALL (ARRAY['ä', 'l' COLLATE root])", "t"),
        ("SELECT 'm' > ALL (ARRAY['ä', 'l' COLLATE sv])", "f"),
        (
            "SELECT array_agg(a ORDER BY a COLLATE root) FROM (VALUES ('z'), ('ä')) v (a)",
            "{ä,z}",
        ),
        (
            "SELECT percentile_disc(0) WITHIN GROUP (ORDER BY a COLLATE root) FROM (VALUES ('z'), ('ä')) v (a)",
            "ä",
        ),
        (
            "SELECT CASE WHEN 'ä' < 'z' COLLATE root THEN 'less' ELSE 'more' END",
            "less",
        ),
    ] {
        assert_eq!(column(&mut s, sql), expected, "{sql}");
    }
}

#[test]
fn orders_last_over_a_reopen() {
    let dir = tempfile::tempdir().unwrap();
    {
        let db = Database::open(dir.path()).unwrap();
        let mut s = db.session().unwrap();
        s.batch_execute(COLLATIONS).unwrap();
        words(&mut s, "sv", "ö|a|ä|z|å");
        s.batch_execute("CREATE INDEX ON words (w)").unwrap();
    }
    let db = Database::open(dir.path()).unwrap();
    let mut s = db.session().unwrap();
    s.batch_execute(
        "INSERT INTO words VALUES ('ab'), ('äb'), ('öb'); SET enable_seqscan = off; SET enable_sort = off",
    )
    .unwrap();
    assert_eq!(
        column(&mut s, "SELECT w FROM words ORDER BY w"),
        "a|ab|z|å|ä|äb|ö|öb"
    );
}

#[test]
fn locales_are_made_standard() {
    let mut s = session();
    for (locale, tag, notice) in [
        ("de_DE", "de-DE", true),
        ("@colNumeric=yes;colCaseFirst=upper", "und-u-kf-upper-kn", true),
        ("fr-CA", "fr-CA", false),
    ] {
        s.batch_execute(&format!(
            "CREATE COLLATION c (provider = icu, locale = '{locale}')"
        ))
        .unwrap();
        let notices: Vec<String> = s.take_notices().iter().map(|n| n.message().to_owned()).collect();
        let expected = match notice {
            true => vec![format!(
                "using standard form \"{tag}\" for ICU locale \"{locale}\""
            )],
            false => vec![],
        };
        assert_eq!(notices, expected);
        let row = "SELECT concat_ws(' ', collprovider, collisdeterministic, collencoding, colllocale) FROM pg_collation WHERE collname = 'c'";
        assert_eq!(column(&mut s, row), format!("i t -1 {tag}"));
        s.batch_execute("DROP COLLATION c").unwrap();
    }
}

#[test]
fn unknown_languages_are_told() {
    let mut s = session();
    let create = "CREATE COLLATION c (provider = icu, locale = 'nonsense-nowhere')";
    let message = "ICU locale \"nonsense-nowhere\" has unknown language \"nonsense\"";
    s.batch_execute(create).unwrap();
    let notices = s.take_notices();
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].message(), message);
    assert_eq!(notices[0].code(), "22023");
    assert_eq!(
        notices[0].hint(),
        Some("To disable ICU locale validation, set the parameter \"icu_validation_level\" to \"disabled\".")
    );
    words(&mut s, "c", "b|ä|a|B");
    assert_eq!(column(&mut s, "SELECT w FROM words ORDER BY w"), "a|ä|b|B");
    s.batch_execute("DROP TABLE words; DROP COLLATION c; SET icu_validation_level = disabled")
        .unwrap();
    s.take_notices();
    s.batch_execute(create).unwrap();
    assert!(s.take_notices().is_empty());
    s.batch_execute("DROP COLLATION c; SET icu_validation_level = error")
        .unwrap();
    assert_eq!(error(&mut s, create), ("22023".to_owned(), message.to_owned()));
}

#[test]
fn what_cannot_be_is_refused() {
    let mut s = session();
    let no_tag = |locale: &str| {
        format!("could not convert locale name \"{locale}\" to language tag: U_ILLEGAL_ARGUMENT_ERROR")
    };
    let cases = [
        (
            "locale = '@colStrength=primary;nonsense=yes'",
            "22023",
            no_tag("@colStrength=primary;nonsense=yes"),
        ),
        ("locale = 'no!'", "22023", no_tag("no!")),
        (
            "lc_collate = 'C'",
            "42P17",
            "parameter \"locale\" must be specified".to_owned(),
        ),
        (
            "locale = 'und', deterministic = false",
            "0A000",
            "nondeterministic collations are not supported yet".to_owned(),
        ),
        (
            "locale = 'und', rules = '&a < b'",
            "0A000",
            "ICU rules are not supported yet".to_owned(),
        ),
        (
            "locale = 'und-u-kr-latn-digit'",
            "0A000",
            "collation setting \"kr\" is not supported yet".to_owned(),
        ),
    ];
    for (options, code, message) in cases {
        let sql = format!("CREATE COLLATION c (provider = icu, {options})");
        assert_eq!(error(&mut s, &sql), (code.to_owned(), message), "{sql}");
    }
    let exists = error(&mut s, "CREATE COLLATION sv (provider = icu, locale = 'sv')");
    assert_eq!(
        exists,
        ("42710".to_owned(), "collation \"sv\" already exists".to_owned())
    );
}
