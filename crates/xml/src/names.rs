//! SQL identifiers as XML names and back (SQL/XML, "Mapping SQL identifiers to XML names").

use crate::chars;

/// How much of an identifier is escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// A name that a user chose: colons inside stay.
    Partly,
    /// Any colon, and `xml` at the start.
    Fully,
    /// Periods too: for names that are parts of names.
    WithPeriods,
}

/// An identifier as an XML name.
pub fn from_identifier(ident: &str, escape: Escape) -> String {
    let fully = escape != Escape::Partly;
    let mut out = String::with_capacity(ident.len());
    for (at, c) in ident.char_indices() {
        let rest = ident.get(at..).unwrap_or("");
        let escaped = match c {
            ':' => at == 0 || fully,
            '_' => rest.starts_with("_x"),
            '.' if escape == Escape::WithPeriods => true,
            _ if at == 0 => {
                let xml = rest.get(..3).is_some_and(|w| w.eq_ignore_ascii_case("xml"));
                (fully && xml) || !chars::is_name_start(c)
            }
            c => !chars::is_name_char(c),
        };
        if escaped {
            out.push_str(&format!("_x{:04X}_", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

/// The identifier behind an XML name.
pub fn to_identifier(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        let escape = rest.strip_prefix("_x").and_then(|r| r.split_once('_'));
        let code = escape
            .filter(|(digits, _)| digits.len() == 4)
            .and_then(|(digits, _)| u32::from_str_radix(digits, 16).ok())
            .and_then(char::from_u32);
        match (code, escape) {
            (Some(code), Some((_, behind))) => {
                out.push(code);
                rest = behind;
            }
            _ => {
                out.push(c);
                rest = rest.get(c.len_utf8()..).unwrap_or("");
            }
        }
    }
    out
}

/// Text as content of an element.
pub fn escape_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#x0d;"),
            c => out.push(c),
        }
    }
    out
}
