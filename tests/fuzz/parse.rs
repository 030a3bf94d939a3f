//! The parser on bytes and on changed statements.

use crate::corpus::{Choices, mutant};
use crate::watch::Watch;
use crate::{budget, inputs};

/// Parses; positions must lie in the text.
fn parse(watch: &Watch, text: &str) {
    watch.run(text, || {
        let options = parser::ParseOptions::default();
        if let Err(e) = parser::parse_with_notices(text, &options) {
            assert_ne!(e.sqlstate.as_str(), "XX000", "{e}");
            assert!(
                e.position.is_none_or(|at| at as usize <= text.len()),
                "{e}: position outside"
            );
        }
    });
}

#[test]
fn parser_bytes() {
    let watch = Watch::new("parser_bytes");
    bolero::check!()
        .with_test_time(budget())
        .with_iterations(inputs())
        .with_max_len(2000)
        .for_each(|bytes: &[u8]| parse(&watch, &String::from_utf8_lossy(bytes)));
}

#[test]
fn parser_mutants() {
    let watch = Watch::new("parser_mutants");
    bolero::check!()
        .with_test_time(budget())
        .with_iterations(inputs())
        .with_max_len(200)
        .for_each(|bytes: &[u8]| parse(&watch, &mutant(&mut Choices::new(bytes))));
}

/// Every nesting ends in 54001 or well, also on a thread with Rust's usual stack.
#[test]
fn deep_nesting_is_refused() {
    let deep = 200_000;
    for (open, middle, close) in [
        ("(", "1", ")"),
        ("ARRAY[", "1", "]"),
        ("-", "1", ""),
        ("NOT ", "true", ""),
        ("(SELECT ", "1", ")"),
        ("CASE WHEN true THEN ", "1", " END"),
        ("f(", "", ")"),
        ("ROW(", "", ")"),
        ("", "1", "::int"),
        ("", "1", "+1"),
        ("", "a", " UNION SELECT 1"),
        ("", "a", "[1]"),
        ("", "a", " COLLATE \"C\""),
        ("", "a", " IS NULL"),
    ] {
        for depth in [100, 5_000, deep] {
            let text = format!("SELECT {}{middle}{}", open.repeat(depth), close.repeat(depth));
            if let Err(e) = parser::parse(&text, &parser::ParseOptions::default()) {
                assert_ne!(e.sqlstate.as_str(), "XX000", "{open}{close}: {e}");
            }
        }
    }
}
