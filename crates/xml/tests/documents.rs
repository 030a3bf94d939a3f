//! Verdicts, messages and printing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use pglite_xml::parse::{Blanks, Domain, Level, Mode, Parsed, parse};
use pglite_xml::serialize::{indent_content, node_to_string};
use pglite_xml::tree::DOCUMENT;

fn errors(p: &Parsed) -> Vec<&str> {
    let counts = |d: &&pglite_xml::parse::Diagnostic| d.level == Level::Error && d.domain == Domain::Parser;
    p.diagnostics
        .iter()
        .filter(counts)
        .map(|d| d.text.as_str())
        .collect()
}

fn check(mode: Mode, text: &str, expected: &[&str]) {
    assert_eq!(errors(&parse(text, mode, Blanks::Keep)), expected, "{text}");
}

#[test]
fn messages_are_libxmls() {
    check(
        Mode::Content,
        "<wrong",
        &["line 1: Couldn't find end of Start Tag wrong line 1\n<wrong\n      ^"],
    );
    check(
        Mode::Document,
        "<twoerrors>&idontexist;</unbalanced>",
        &[
            "line 1: Entity 'idontexist' not defined\n<twoerrors>&idontexist;</unbalanced>\n                       ^",
            "line 1: Opening and ending tag mismatch: twoerrors line 1 and unbalanced\n\
             <twoerrors>&idontexist;</unbalanced>\n                                    ^",
        ],
    );
    check(
        Mode::Document,
        "<!DOCTYPE a><a/><b/>",
        &["line 1: Extra content at the end of the document\n<!DOCTYPE a><a/><b/>\n                ^"],
    );
    check(Mode::Document, "", &["line 1: Document is empty\n\n^"]);
}

#[test]
fn content_needs_no_root() {
    for text in [
        "",
        "  ",
        "a",
        "a<b/>c",
        "<a/><b/>",
        "<![CDATA[<]]>",
        "<p:q/>",
        "&#x10FFFF;",
    ] {
        check(Mode::Content, text, &[]);
    }
    assert!(!errors(&parse("a]]>", Mode::Content, Blanks::Keep)).is_empty());
    assert!(!errors(&parse("</a>", Mode::Content, Blanks::Keep)).is_empty());
}

#[test]
fn attacks_end_in_errors() {
    let mut bomb = String::from("<!DOCTYPE a [<!ENTITY e0 \"aaaaaaaaaaaaaaaaaaaa\">");
    for k in 1..30 {
        let before = format!("&e{};", k - 1).repeat(10);
        bomb.push_str(&format!("<!ENTITY e{k} \"{before}\">"));
    }
    bomb.push_str("]><a>&e29;</a>");
    let parsed = parse(&bomb, Mode::Document, Blanks::Keep);
    assert!(errors(&parsed)[0].contains("Maximum entity amplification factor exceeded"));
    let attribute = bomb.replace("<a>&e29;</a>", "<a b='&e29;'/>");
    assert!(!errors(&parse(&attribute, Mode::Document, Blanks::Keep)).is_empty());

    let circle = "<!DOCTYPE a [<!ENTITY x '&y;'><!ENTITY y '&x;'>]><a>&x;</a>";
    let parsed = parse(circle, Mode::Document, Blanks::Keep);
    assert!(errors(&parsed)[0].contains("Detected an entity reference loop"));

    let deep = "<a>".repeat(1_000_000);
    let parsed = parse(&deep, Mode::Content, Blanks::Keep);
    assert!(errors(&parsed)[0].contains("Excessive depth in document: 256"));
    // As deep as it gets can be printed and searched.
    let deep = format!("{}x{}", "<a>".repeat(256), "</a>".repeat(256));
    let parsed = parse(&deep, Mode::Content, Blanks::Keep);
    assert_eq!(errors(&parsed), [""; 0]);
    assert!(node_to_string(&parsed.document, DOCUMENT).contains('x'));
}

#[test]
fn indentation_keeps_mixed_content() {
    let text = "text<foo>   <bar><v x=\"y\">a<b>c</b></v></bar> </foo>";
    let parsed = parse(text, Mode::Content, Blanks::Drop);
    assert_eq!(
        indent_content(&parsed.document, &|| false),
        "text\n<foo>\n  <bar>\n    <v x=\"y\">a<b>c</b></v>\n  </bar>\n</foo>"
    );
}

#[test]
fn printed_parts_declare_their_namespaces() {
    let text = "<l:d xmlns:l=\"u\" xmlns=\"v\"><l:p id=\"1\"><i/></l:p><l:p/></l:d>";
    let d = parse(text, Mode::Document, Blanks::Keep).document;
    let pieces: Vec<String> = d
        .children(d.root().unwrap())
        .map(|id| node_to_string(&d, id))
        .collect();
    assert_eq!(
        pieces,
        [
            "<l:p xmlns:l=\"u\" xmlns=\"v\" id=\"1\"><i/></l:p>",
            "<l:p xmlns:l=\"u\"/>"
        ]
    );
}
