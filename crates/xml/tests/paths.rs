//! XPath 1.0 over a small document.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use pglite_xml::parse::{Blanks, Mode, parse};
use pglite_xml::xpath::{Evaluation, Value, XPathError, compile, number_to_string};

const TEXT: &str = r#"<r xmlns:n="urn:n"><a id="1">one</a><a id="2">two<b/></a><!--c--><?p q?><n:a xml:lang="en-GB">3</n:a></r>"#;

fn value(path: &str) -> Result<String, XPathError> {
    let document = parse(TEXT, Mode::Document, Blanks::Keep).document;
    let namespaces = vec![("m".to_owned(), "urn:n".to_owned())];
    let evaluation = Evaluation::new(&document, &namespaces, &|| false);
    let value = evaluation.at_document(&compile(path)?)?;
    Ok(match value {
        Value::Nodes(nodes) => {
            let texts: Vec<String> = nodes.iter().map(|n| n.string_value(&document)).collect();
            format!("[{}]", texts.join("|"))
        }
        other => other.to_text(&document),
    })
}

#[test]
fn paths() {
    let cases = [
        ("/r/a", "[one|two]"),
        ("//a[2]", "[two]"),
        ("//a[@id='1']/text()", "[one]"),
        ("//a[last()]/@id", "[2]"),
        ("//m:a", "[3]"),
        ("//m:*", "[3]"),
        ("//*[local-name()='a']", "[one|two|3]"),
        ("/r/b", "[]"),
        ("//b/ancestor::*", "[onetwo3|two]"),
        ("//b/ancestor::*[1]", "[two]"),
        ("//b/preceding::a", "[one]"),
        ("//a[1]/following-sibling::*", "[two|3]"),
        ("//comment() | //processing-instruction('p')", "[c|q]"),
        ("//b/..", "[two]"),
        ("(//a)[2]", "[two]"),
        ("count(//node())", "10"),
        ("sum(//a/@id) div 4 - 1", "-0.25"),
        ("3 mod 2 = 1 and not(2 > 3) or false()", "true"),
        ("//a = 'two'", "true"),
        ("//a != 'two'", "true"),
        ("//a/@id < 2", "true"),
        ("//b = ''", "true"),
        ("concat('a', 1, true())", "a1true"),
        ("substring('12345', 1.5, 2.6)", "234"),
        ("substring('12345', 0 div 0)", ""),
        ("substring-before('1999/04', '/')", "1999"),
        ("normalize-space('  a  b ')", "a b"),
        ("translate('--aaa--', 'abc-', 'ABC')", "AAA"),
        ("string-length('öl')", "2"),
        ("name(//m:a)", "n:a"),
        ("namespace-uri(//m:a)", "urn:n"),
        ("boolean(//m:a[lang('en')])", "true"),
        ("- - 2 * 3", "6"),
        ("round(-1.5)", "-1"),
        ("1 div 0", "Infinity"),
        ("/r/namespace::n", "[urn:n]"),
        ("self::node()/r/child::*[position() = 2]", "[two]"),
    ];
    for (path, expected) in cases {
        assert_eq!(value(path).as_deref(), Ok(expected), "{path}");
    }
}

#[test]
fn numbers_print_as_libxml_prints_them() {
    let cases = [
        (0.1, "0.1"),
        (1.0 / 3.0, "0.333333333333333"),
        (-1234.5, "-1234.5"),
        (1e10, "1e+10"),
        (1.5e-7, "1.5e-07"),
        (f64::NAN, "NaN"),
    ];
    for (n, text) in cases {
        assert_eq!(number_to_string(n), text);
    }
}

#[test]
fn errors() {
    let cases = [
        ("//a[", "Invalid expression"),
        ("//a[1", "Invalid predicate"),
        ("'a", "Unfinished literal"),
        ("a b", "Invalid expression"),
        ("//x:a", "Undefined namespace prefix"),
        ("foo()", "Unregistered function"),
        ("count()", "Invalid number of arguments"),
        ("count(1)", "Invalid type"),
        ("$v", "Undefined variable"),
        ("nix::a", "Invalid expression"),
    ];
    for (path, message) in cases {
        assert_eq!(value(path), Err(XPathError::Invalid(message)), "{path}");
    }
    let deep = format!("{}1{}", "(".repeat(10_000), ")".repeat(10_000));
    assert_eq!(value(&deep), Err(XPathError::Invalid("Recursion limit exceeded")));
    // Chains do not nest.
    assert_eq!(
        value(&format!("1{}", "+1".repeat(50_000))).as_deref(),
        Ok("50001")
    );
}

#[test]
fn the_caller_may_stop_an_evaluation() {
    let text = format!("<a>{}</a>", "<b/>".repeat(10_000));
    let document = parse(&text, Mode::Document, Blanks::Keep).document;
    let evaluation = Evaluation::new(&document, &[], &|| true);
    let path = compile("count(//b/preceding::b)").unwrap();
    assert_eq!(evaluation.at_document(&path), Err(XPathError::Interrupted));
}
