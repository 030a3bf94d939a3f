//! Quoting of identifiers and literals for text that the lexer must read back.

use crate::keywords::{self, Category};

/// Quotes an identifier only if it needs it (PostgreSQL's `quote_ident`).
pub fn quote_identifier(name: &str) -> String {
    let bytes = name.as_bytes();
    let safe = matches!(bytes.first(), Some(b'a'..=b'z' | b'_'))
        && bytes
            .iter()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        && keywords::lookup(bytes).is_none_or(|k| k.category() == Category::Unreserved);
    if safe {
        return name.to_owned();
    }
    let mut quoted = String::with_capacity(name.len() + 2);
    quoted.push('"');
    quoted.push_str(&name.replace('"', "\"\""));
    quoted.push('"');
    quoted
}

/// Quotes and joins a qualified name.
pub fn quote_qualified<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = parts.into_iter().map(quote_identifier).collect();
    quoted.join(".")
}

/// A string literal; E'' when it contains backslashes (PostgreSQL's `quote_literal`).
pub fn quote_literal(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 3);
    if text.contains('\\') {
        quoted.push('E');
    }
    quoted.push('\'');
    for c in text.chars() {
        if matches!(c, '\'' | '\\') {
            quoted.push(c);
        }
        quoted.push(c);
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_what_needs_it() {
        assert_eq!(quote_identifier("abc_1"), "abc_1");
        assert_eq!(quote_identifier("Abc"), "\"Abc\"");
        assert_eq!(quote_identifier("select"), "\"select\"");
        assert_eq!(quote_identifier("abort"), "abort");
        assert_eq!(quote_identifier("int"), "\"int\"");
        assert_eq!(quote_identifier("a\"b"), "\"a\"\"b\"");
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal("a\\b"), "E'a\\\\b'");
    }
}
