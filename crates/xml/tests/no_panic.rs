//! Whatever the text, there is an answer.

use pglite_xml::parse::{Blanks, Mode, parse};
use pglite_xml::serialize::{indent_document, node_to_string};
use pglite_xml::tree::DOCUMENT;
use pglite_xml::xpath::{Evaluation, compile};
use proptest::prelude::*;

/// Pieces of which texts that look like XML are made.
fn xml() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "<",
            ">",
            "/>",
            "</",
            "<a",
            "<a>",
            "</a>",
            " ",
            "\n",
            "=",
            "'",
            "\"",
            "&",
            "&#",
            "&#x",
            ";",
            "&amp;",
            "x",
            "xmlns",
            "xmlns:",
            ":",
            "é",
            "<!--",
            "-->",
            "--",
            "<![CDATA[",
            "]]>",
            "<?",
            "?>",
            "<?xml version='1.0'",
            "<!DOCTYPE a",
            "[",
            "]",
            "<!ENTITY e 'f'>",
            "&e;",
            "SYSTEM",
            "PUBLIC",
            "%p;",
            "0",
            "\u{1}",
            "\t",
        ])
        .prop_map(str::to_owned),
        ".{0,3}",
    ];
    prop::collection::vec(piece, 0..25).prop_map(|v| v.concat())
}

fn path() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "/",
            "//",
            "a",
            "*",
            "@",
            "[",
            "]",
            "(",
            ")",
            "'",
            "\"",
            "1",
            ".",
            "..",
            "|",
            "+",
            "-",
            "=",
            "!=",
            "<",
            "<=",
            " and ",
            " or ",
            " div ",
            " mod ",
            "count",
            "last()",
            "text()",
            "node()",
            "::",
            "child::",
            "ancestor::",
            "preceding::",
            "namespace::",
            ",",
            "$",
            ":",
            "1e",
            "é",
            " ",
        ])
        .prop_map(str::to_owned),
        ".{0,2}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|v| v.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in xml()) {
        for mode in [Mode::Document, Mode::Content] {
            for blanks in [Blanks::Keep, Blanks::Drop] {
                let parsed = parse(&text, mode, blanks);
                node_to_string(&parsed.document, DOCUMENT);
                indent_document(&parsed.document, true, &|| false);
            }
        }
    }

    /// What is well formed stays so when it is printed.
    #[test]
    fn printing_keeps_documents(text in xml()) {
        let parsed = parse(&text, Mode::Document, Blanks::Keep);
        if parsed.diagnostics.is_empty() {
            let printed = node_to_string(&parsed.document, DOCUMENT);
            let again = parse(&printed, Mode::Document, Blanks::Keep);
            prop_assert_eq!(again.diagnostics, vec![], "{}", printed);
        }
    }

    #[test]
    fn any_path(path in path()) {
        let document = parse("<a b='1'><a>x</a>y<!--z--></a>", Mode::Document, Blanks::Keep).document;
        if let Ok(path) = compile(&path) {
            let _ = Evaluation::new(&document, &[], &|| false).at_document(&path);
        }
    }
}
