//! No body, however broken, makes the parser panic; and what it says of some that are broken.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use pglite_plpgsql::{Language, check_syntax};
use proptest::prelude::*;

/// Pieces that bodies are made of.
const PIECES: [&str; 66] = [
    "declare",
    "begin",
    "end",
    ";",
    "if",
    "then",
    "elsif",
    "else",
    "end if;",
    "loop",
    "end loop;",
    "for",
    "in",
    "while",
    "x",
    "y",
    "$1",
    ":=",
    "=",
    "1",
    "'a'",
    "1 .. 10",
    "..",
    "reverse",
    "by",
    "foreach",
    "slice",
    "array",
    "exit",
    "continue",
    "when",
    "return",
    "next",
    "query",
    "raise",
    "notice",
    "exception",
    "'% %'",
    ",",
    "using",
    "errcode",
    "(",
    ")",
    "[",
    "]",
    "<<lab>>",
    "lab",
    "perform",
    "select 1 into x",
    "execute",
    "into",
    "strict",
    "get diagnostics",
    "row_count",
    "open",
    "fetch",
    "cursor",
    "close",
    "int",
    "x int := 1;",
    "c cursor for select 1;",
    "case",
    "null;",
    "commit",
    "#option",
    "%type",
];

fn check(text: &str) -> Result<(), Box<common::PgError>> {
    let catalog = catalog::builtin::view::BuiltinView;
    check_syntax(
        text,
        &Language {
            catalog: &catalog,
            settings: &types::FormatSettings::default(),
            options: &parser::ParseOptions::default(),
            variable_conflict: "error",
            print_strict_params: false,
            database: "postgres".into(),
            check_syntax: true,
        },
    )
}

fn message(text: &str) -> String {
    match check(text) {
        Ok(()) => "fine".to_owned(),
        Err(e) => format!("{} @{}", e.message, e.position.map_or(-1, i64::from)),
    }
}

#[test]
fn errors_are_postgresqls() {
    for (text, wanted) in [
        ("begin end", "fine"),
        ("begin x := 1; end", "\"x\" is not a known variable @6"),
        (
            "declare x int; begin x := 1 end",
            "missing \";\" at end of SQL expression @31",
        ),
        ("begin if true then end", "syntax error at end of input @22"),
        (
            "begin raise notice '%'; end",
            "too few parameters specified for RAISE @-1",
        ),
        (
            "begin exit; end",
            "EXIT cannot be used outside a loop, unless it has a label @6",
        ),
        (
            "declare x int; x text; begin end",
            "duplicate declaration at or near \"x\" @15",
        ),
        (
            "begin return 1; end",
            "RETURN cannot have a parameter in function returning void @13",
        ),
        (
            "declare c constant int := 1; begin c := 2; end",
            "variable \"c\" is declared CONSTANT @35",
        ),
        ("begin select 1 into x; end", "\"x\" is not a known variable @20"),
        (
            "declare x int; begin x := (1; end",
            "mismatched parentheses at or near \";\" @28",
        ),
        (
            "<<a>> begin end b",
            "end label \"b\" differs from block's label \"a\" @16",
        ),
        ("begin perform 1 +; end", "syntax error at end of input @17"),
        ("begin for i in 1..3 loop null; end loop; end", "fine"),
    ] {
        assert_eq!(message(text), wanted, "{text}");
    }
}

#[test]
fn deep_nesting_is_an_error() {
    let mut text = String::new();
    for _ in 0..5000 {
        text.push_str("begin ");
    }
    assert!(check(&text).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_panic(pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..40)) {
        let _verdict = check(&pieces.join(" "));
        let _verdict = check(&format!("declare x int; y record; begin {} end", pieces.join(" ")));
    }

    #[test]
    fn no_panic_on_noise(text in "\\PC{0,80}") {
        let _verdict = check(&text);
        let _verdict = check(&format!("begin {text}; end"));
    }
}
